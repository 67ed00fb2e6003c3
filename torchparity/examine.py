"""What a layer is asked in a check: every tier, for outputs, gradients and forms of input."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import nn

from dspref.interpolate import Interpolate
from dspref.interpolators import Linear
from torchparity.arithmetic import Arithmetic
from torchparity.binding import WHOLE, whole_twin
from torchparity.calls import Misbehaved, Refused, Run, alike, call
from torchparity.cases import LONG, LONGEST, REAL, Case
from torchparity.compare import Outcome, bounded, equal, repeated
from torchparity.forms import reformed
from torchparity.gradients import differentiable, differentiated
from torchparity.job import Job

_SIZE = 1 << 28  # products in one input of whole numbers, or of which gradients are compared
_ONES = 256
_ALL_ONES = 1 << 26  # products in one batch of one-hot inputs
_BATCHES = (1, 2, 3, 4, 5, 6, 8, 16, 7, 33)
_CHEAP = 1 << 24  # products in an input of LONG samples
_VERY_CHEAP = 1 << 22  # products in an input of LONGEST samples
_DEAR = 1 << 29  # products in an input that is left out


def examined(job: Job, twin: Job, a: Arithmetic, seed: int, times: Sequence[int], *, given: bool) -> Iterator[Outcome]:
    """Yield the outcome of every case for the outputs of one layer, and of its twin of whole numbers.

    Lengths are those asked for; if none were, those of the grid, those about which the kernel begins to fit, and long
    ones where they are cheap, less what is too dear.
    """
    long = {t for t, dear in ((LONG, _CHEAP), (LONGEST, _VERY_CHEAP)) if job.products(t) <= dear}
    long -= {LONGEST} if isinstance(job.layer, (Linear, Interpolate)) else set()  # where Torch's own positions drift
    every = list(times if given else sorted({*times, *job.critical_lengths, *long}))
    if not given:
        every = [t for t in every if job.products(t) <= _DEAR] or every[:1]
    longest = max(t for t in every if given or t != LONGEST)
    yield repeated(job, Case("normal", (1, job.channels, longest), a.name, seed))
    for i, time in enumerate(every):
        batch = _BATCHES[i % len(_BATCHES)] if time <= longest else 1
        while batch > 1 and batch * job.products(time) > _CHEAP:
            batch //= 2
        channels = job.widths[i % len(job.widths)]
        for kind in REAL if time <= longest else REAL[:1]:
            yield bounded(job, Case(kind, (batch, channels, time), a.name, seed))
    time = max(every) if given else job.extent + 8
    for batch in (1, 3):
        yield bounded(job, Case("silence", (batch, job.channels, time), a.name, seed))
    if job.copies_taps:
        batch = max(2, min(job.channels * time, _ONES, _ALL_ONES // job.products(time)))
        yield equal(job, Case("one-hot", (batch, job.channels, time), a.name, seed))
    for time in every:
        case = twin.whole(Case("integer", (2, job.channels, time), a.name, seed))
        if case is not None and job.products(time) <= _SIZE:
            yield equal(twin, case)


def whole(job: Job, a: Arithmetic, seed: int) -> Job:
    """Return the job with whole numbers for weights, if its module's weights can be set; else as it is."""
    size = WHOLE if a.digits >= 24 else 2
    made = whole_twin(job.run, job.layer, job.held, size=size, seed=seed) if isinstance(job.run, nn.Module) else None
    if made is None:
        return job
    prepared = f"f = binding.with_whole(f, {job.held!r}, size={size}, seed={seed}); "
    return dataclasses.replace(job, run=made[0].to(job.device), layer=made[1], prepared=prepared)


def differentiate(
    job: Job, twin: Job, a: Arithmetic, seed: int, times: Sequence[int], *, given: bool
) -> Iterator[Outcome]:
    """Yield the outcome of every gradient of one layer: at a short length, at one that fits, and at a longer one."""
    if not differentiable(job):
        return
    every = sorted(
        {min(times), max(times)} if given else {min(times), job.extent + 1, min(max(times), job.extent + 40)}
    )
    every = [t for t in every if job.products(t) <= _SIZE] or every[:1]
    for i, time in enumerate(every):
        shape = (1 + i % 3 if job.products(time) <= _CHEAP else 1, job.channels, time)
        for kind in ("normal", "spread") if job.products(time) <= _CHEAP else ("normal",):
            yield from differentiated(job, Case(kind, shape, a.name, seed))
        case = twin.whole(Case("integer", shape, a.name, seed))
        if case is not None:
            yield from differentiated(twin, case)
    case = Case("constant", (1, job.channels, every[len(every) // 2]), a.name, seed)
    if job.products(case.shape[2]) > _CHEAP:
        return
    yield from differentiated(job, case)
    for names in (("input",), tuple(job.held)) if job.held else ():
        yield from differentiated(job, replace(case, kind="normal"), names)
    if not given and job.products(LONG) <= _VERY_CHEAP:
        yield from differentiated(job, Case("normal", (5, job.channels, LONG), a.name, seed))


def forms(job: Job, a: Arithmetic, seed: int, times: Sequence[int], *, given: bool, trains: bool) -> Iterator[Outcome]:
    """Yield the outcome for each form of an input in which the kernel fits."""
    fits = [
        t
        for t in (times if given else (*times, job.extent + 8))
        if t >= max(2, job.extent) and job.products(t) <= _SIZE
    ]
    if fits:
        yield from reformed(job, Case("normal", (3, job.channels, min(fits)), a.name, seed), trains=trains)


def in_turn(run: Run, jobs: Sequence[Job], a: Arithmetic, seed: int, times: Sequence[int]) -> Iterator[Outcome]:
    """Yield the outcome of each layer for what the layers before it hand on, and of the whole."""
    for time in sorted(times)[len(times) // 2 :]:
        case = Case("normal", (2, jobs[0].channels, time), a.name, seed)
        y = case.x
        try:
            for place, job in enumerate(jobs):
                if job.bounded:
                    yield bounded(job, case, y, jobs[:place])
                y = call(job.run, y, model=a, device=job.device, inner=job.inner)
            together = call(run, case.x, model=a, device=jobs[0].device)
        except Refused as error:  # a bounded layer's own cases have told whether it may
            if not job.bounded:
                yield Outcome("wrong", case, job, reason=f"{job.words} refused its input: {error}")
            continue
        except Misbehaved as error:
            yield Outcome("wrong", case, jobs[0], reason=str(error))
            continue
        same = alike(y, together, a)
        reason = "" if same else "the module is not its layers one after another"
        yield Outcome("exact" if same else "wrong", case, jobs[0], reason=reason)
