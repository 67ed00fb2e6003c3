"""Whether a Torch module does what the reference says, with no tolerance picked by hand."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence

from torch import nn

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.arithmetic import DTYPES, Arithmetic, chosen
from torchparity.binding import whole_twin
from torchparity.calls import Misbehaved, Refused, Run, alike, call, own_dtype, private_copy
from torchparity.cases import GRIDS, KINDS, LONG, REAL, Case
from torchparity.compare import Outcome, bounded, equal, repeated
from torchparity.gradients import differentiable, differentiated
from torchparity.job import Job
from torchparity.plan import Broken, Like, as_chain, plan
from torchparity.shrink import explained
from torchparity.verdict import Coverage, Verdict

_SIZE = 1 << 28  # products in one batch of one-hot inputs
_ONES = 256
_CHEAP = 1 << 24  # products in an input of LONG samples
_DEAR = 1 << 31  # products in an input that is left out
_WEIGHTS = 8  # largest whole number for weights, where sums have room


def check(
    f: Run,
    like: Like = None,
    *,
    dtype: str | None = None,
    autocast: str | None = None,
    tf32: bool = False,
    device: str = "cpu",
    gradients: bool = True,
    seed: int = 0,
    lengths: Sequence[int] | None = None,
    grid: str = "small",
    channels: int | None = None,
) -> Verdict:
    """Compare a module or function with the reference, output by output and gradient by gradient.

    Tier 0, law: both accept an input, or both refuse it; length, channels and dtype agree; outputs are
    finite, the same every time, and the input is left alone. Tier 1, equality: one-hot inputs copy taps
    bit for bit, and sums of small integers are exact (of modules with weights a copy is tried that has whole
    numbers for weights). Tier 2: on noise, on noise spread over 40 octaves and on constants, no output lies farther
    from the reference than `torchparity.roundoff` allows, borders included, and no gradient by input, weight or bias
    farther from the reference's adjoint than `torchparity.gradients.gradient_bounds` does. Tier 3: an output that
    does, but no farther than the largest bound of all outputs, is "normwise only". A Sequential is checked layer by
    layer, on such inputs and on those that its own layers hand on. What fails is made small, and named where it looks
    like a classic mistake. The module is copied: the one given is not touched.

    Parameters
    ----------
    f : nn.Module, or function of a tensor (batch, channel, time)
    like : layer, Chain, nn.Module or str, optional
        What `f` should be. With weights, it is the reference (rounded to `dtype`). Without, as in
        ``"convt k16 s8 p4"`` (`dspref.parse`), it says the structure that must be found, and the values
        come from `torchparity.describe`, else from the one tensor of the module that has the shape of the kernel,
        else from `torchparity.probe`, as if nothing is given.
    dtype : {'float64', 'float32', 'bfloat16', 'float16'}, optional
        The module's own by default.
    autocast : {'bfloat16', 'float16'}, optional
        Run under ``torch.autocast``, and expect its rounding.
    tf32 : bool
        Allow TF32, and expect its rounding.
    device : str
        As Torch names it: 'cpu', 'cuda'.
    gradients : bool
        Compare gradients too.
    seed : int
    lengths : sequence of int, optional
        Input lengths in place of those of the grid, at least one.
    grid : {'small', 'full'}
    channels : int, optional
        Of the input, where neither module nor `like` says.

    Returns
    -------
    Verdict

    Raises
    ------
    NotAnalysable
        If there is no reference: the module can neither be described nor probed, with both reasons. If the
        weights are not there (lazy modules, meta device), or are complex.
    ValueError, TypeError
        If an option is not one of those allowed.

    Examples
    --------
    >>> check(nn.Upsample(scale_factor=4), like="nearest x4").status
    'exact'
    >>> check(lambda x: x.repeat_interleave(4, -1).roll(1, -1), like="nearest x4").status
    'wrong'
    """
    dtype = own_dtype(f, DTYPES) if dtype is None else as_choice("dtype", dtype, DTYPES)
    a = chosen(dtype, autocast=autocast, tf32=tf32)
    seed, times = as_integer("seed", seed, 0), _times(grid, lengths)
    run = private_copy(f, dtype, allowed=DTYPES) if isinstance(f, nn.Module) else f
    promised = as_chain(like)
    try:
        found = plan(run, promised, dtype=dtype, channels=channels, seed=seed, device=device)
    except Broken as broken:
        return Verdict("wrong", 0.0, None, dtype, device, broken.description, "", Coverage(), reason=str(broken))
    if isinstance(run, nn.Module):
        run.to(device)
    checked = [job for job in found.jobs if job.bounded]
    outcomes = [o for job in checked for o in _examine(job, a, seed, times, given=lengths is not None)]
    if gradients:
        outcomes += [o for job in checked for o in _differentiate(job, a, seed, times)]
    if len(found.jobs) > 1:
        outcomes += _in_turn(run, found.jobs, a, seed, times)
    unchecked = tuple(job.words for job in found.jobs if not job.bounded)
    unchecked += tuple(f"gradients of {job.words}" for job in checked if gradients and not differentiable(job))
    return _verdict(outcomes, a, device, found.description, unchecked)


def _times(grid: str, lengths: Sequence[int] | None) -> tuple[int, ...]:
    """Return the input lengths that are asked for."""
    if lengths is None:
        return GRIDS[as_choice("grid", grid, GRIDS)]
    if not len(lengths):
        raise ValueError(complaint("lengths", "none", "at least one input length", "leave it out for those of grid="))
    return tuple(as_integer("length", t, 1) for t in lengths)


def _examine(job: Job, a: Arithmetic, seed: int, times: Sequence[int], *, given: bool) -> Iterator[Outcome]:
    """Yield the outcome of every case for one layer."""
    long = {LONG} if job.products(LONG) <= _CHEAP else set()
    every = list(times if given else sorted({*times, *job.critical_lengths, *long}))
    if not given:
        every = [t for t in every if job.products(t) <= _DEAR] or every[:1]
    yield repeated(job, Case("normal", (1, job.channels, max(every)), a.name, seed))
    for i, time in enumerate(every):
        batch = 1 + i % 3 if job.products(time) <= _SIZE else 1
        for kind in REAL:
            yield bounded(job, Case(kind, (batch, job.channels, time), a.name, seed))
    time = max(every) if given else job.extent + 8
    if job.copies_taps:
        batch = max(2, min(job.channels * time, _ONES, _SIZE // job.products(time)))
        yield equal(job, Case("one-hot", (batch, job.channels, time), a.name, seed))
    twin = whole(job, a, seed)
    for time in every:
        case = twin.whole(Case("integer", (2, job.channels, time), a.name, seed))
        if case is not None and job.products(time) <= _SIZE:
            yield equal(twin, case)


def whole(job: Job, a: Arithmetic, seed: int) -> Job:
    """Return the job with whole numbers for weights, if its module's weights can be set; else as it is."""
    size = _WEIGHTS if a.digits >= 24 else 2
    made = whole_twin(job.run, job.layer, job.held, size=size, seed=seed) if isinstance(job.run, nn.Module) else None
    if made is None:
        return job
    prepared = f"f = binding.with_whole(f, {job.held!r}, size={size}, seed={seed}); "
    return dataclasses.replace(job, run=made[0].to(job.device), layer=made[1], prepared=prepared)


def _differentiate(job: Job, a: Arithmetic, seed: int, times: Sequence[int]) -> Iterator[Outcome]:
    """Yield the outcome of every gradient of one layer: at a short length, at one that fits, and at a longer one."""
    if not differentiable(job):
        return
    twin = whole(job, a, seed)
    every = sorted({min(times), job.extent + 1, min(max(times), job.extent + 40)})
    for i, time in enumerate(t for t in every if job.products(t) <= _SIZE or t == every[0]):
        shape = (1 + i % 3 if job.products(time) <= _CHEAP else 1, job.channels, time)
        for kind in ("normal", "spread"):
            yield from differentiated(job, Case(kind, shape, a.name, seed))
        case = twin.whole(Case("integer", shape, a.name, seed))
        if case is not None:
            yield from differentiated(twin, case)


def _in_turn(run: Run, jobs: Sequence[Job], a: Arithmetic, seed: int, times: Sequence[int]) -> Iterator[Outcome]:
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


def _verdict(
    outcomes: Sequence[Outcome],
    a: Arithmetic,
    device: str,
    description: str,
    unchecked: tuple[str, ...],
) -> Verdict:
    seen = _coverage(outcomes, unchecked)
    ranked = sorted(outcomes, key=lambda o: o.badness)
    worst = ranked[-1] if ranked else None
    if worst is not None and worst.status in ("exact", "within bound"):  # gradients pass: the outputs say how
        worst = next((o for o in reversed(ranked) if o.part == "output"), worst)
    if worst is None or (worst.status in ("exact", "within bound") and (not seen.outputs or seen.zero_share == 1)):
        reason = "nothing was compared" if not seen.outputs else "every output is zero whatever the layer does"
        return Verdict("vacuous", 0.0, None, a.dtype, device, description, "", seen, reason=reason, arithmetic=a.words)
    if worst.status in ("exact", "within bound"):
        index = worst.index if worst.status != "exact" else None
        code = worst.code if worst.status != "exact" else ""
        ratio = worst.ratio
        return Verdict(worst.status, ratio, index, a.dtype, device, description, code, seen, arithmetic=a.words)
    small, where, name = explained(worst)
    return Verdict(
        worst.status,
        worst.ratio,
        small.index,
        a.dtype,
        device,
        description,
        small.code,
        seen,
        reason=small.reason,
        arithmetic=a.words,
        where=where,
        looks_like=name,
    )


def _coverage(outcomes: Sequence[Outcome], unchecked: tuple[str, ...]) -> Coverage:
    forward = [o for o in outcomes if o.part == "output"]
    real = [o for o in forward if o.case.kind in REAL]
    drawn = sum(o.outputs for o in real)
    counts = Counter(o.case.kind for o in forward if o.outputs)
    counts["gradient"] = sum(o.part != "output" and o.outputs > 0 for o in outcomes)
    tiers = {0: bool(outcomes), 1: counts["one-hot"] + counts["integer"] > 0, 2: drawn > 0}
    return Coverage(
        tuple(tier for tier, run in tiers.items() if run),
        len(outcomes),
        sum(o.outputs for o in outcomes),
        sum(o.zeros for o in real) / drawn if drawn else 0.0,
        tuple((kind, counts[kind]) for kind in (*KINDS, "gradient") if counts[kind] or kind != "impulse"),
        unchecked,
        max((o.ratio for o in outcomes if o.part != "output"), default=0.0),
    )
