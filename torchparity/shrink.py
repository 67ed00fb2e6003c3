"""From a failure to the smallest one like it: where it is, and what it looks like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from dspref.arrays import Array
from torchparity.arithmetic import unit
from torchparity.autograd import by_torch, cotangent
from torchparity.calls import Misbehaved, Refused, call
from torchparity.cases import Case
from torchparity.compare import Outcome, answers, bounded, equal
from torchparity.gradients import differentiated
from torchparity.job import Job
from torchparity.mistakes import likely, likely_gradients

_SHORT = (*range(1, 13), 16, 24, 31, 32, 33, 48, 64, 96, 129)
_PLACES = 128  # impulses that are tried one by one
_COST = 1 << 24  # products of an input that is tried


def explained(worst: Outcome) -> tuple[Outcome, str, str]:
    """Return the smallest failure like the worst one, its place in words, and the mistake it looks like."""
    if worst.status != "wrong" or worst.job.probed or worst.before or not worst.shrinks:
        return worst, place(worst), ""
    job = worst.job.running(worst.job.run, channels=worst.case.shape[1])
    small = smallest(replace(worst, job=job))
    where = ", ".join(filter(None, (place(small), extent(small))))
    return small, where, mistake(small)


def smallest(worst: Outcome) -> Outcome:
    """Return a failure of the same part on as short and plain an input as can be found."""
    if worst.index is None and worst.part == "output":  # a broken law: the shortest input that breaks it
        tried = (bounded(worst.job, case) for case in _shorter(worst.job, worst.case))
        return next((o for o in tried if o.status == "wrong" and o.index is None), worst)
    for case in _smaller(worst.job, worst.case):
        for outcome in _tried(worst.job, case, worst.part):
            if outcome.status != "wrong" or outcome.index is None:
                continue
            if worst.part.startswith("form"):
                words = f"input {worst.part.removeprefix('form: ')}: {outcome.reason}"
                return replace(outcome, part=worst.part, reason=words)
            if outcome.part == worst.part:
                return outcome
    return worst


def _shorter(job: Job, case: Case) -> Iterator[Case]:
    for t in (t for t in _SHORT if t < case.shape[2] and job.products(t) <= _COST):
        yield replace(case, shape=(1, case.shape[1], t))


def _smaller(job: Job, case: Case) -> Iterator[Case]:
    """Yield smaller cases, the smallest first: impulses, whole numbers, and the kind itself."""
    batch, channels, time = case.shape
    for t in (t for t in _SHORT if t <= time and job.products(t) <= _COST):
        shape = (1, channels, t)
        if job.copies_taps and channels * t <= _PLACES:
            yield from (replace(case, kind="impulse", shape=shape, seed=n) for n in range(channels * t))
        if (small := job.whole(replace(case, kind="integer", shape=shape))) is not None:
            yield small
        yield replace(case, shape=shape)
        if batch > 1:
            yield replace(case, shape=(batch, channels, t))


def _tried(job: Job, case: Case, part: str) -> Iterable[Outcome]:
    if part.startswith("gradient"):
        return () if case.kind == "impulse" else differentiated(job, case)
    return ((equal if case.kind in ("integer", "one-hot", "impulse") else bounded)(job, case),)


def place(outcome: Outcome) -> str:
    """Return where a failure is, in words: the sample and its phase, the channels and their group, the tap."""
    index, layer, case = outcome.index, outcome.job.layer, outcome.case
    if index is None:
        return ""
    if outcome.part == "gradient by weight" and len(index) == 3:
        return f"tap {index[2]} of weight[{index[0]}, {index[1]}]"
    if outcome.part == "gradient by bias":
        return f"bias[{index[0]}]"
    channel, m = index[1:]
    if outcome.part == "gradient by input":
        return f"input sample {m} of {case.shape[2]}, channel {channel}"
    L = rate(layer)
    words = [f"first wrong sample {m}" + (f" (phase {m % L} of {L})" if L > 1 else ""), f"output channel {channel}"]
    groups, out = getattr(layer, "groups", 1), getattr(layer, "out_channels", None)
    if groups > 1 and out:
        words[-1] += f" (group {channel * groups // out} of {groups})"
    if case.kind == "impulse":
        n, source = case.seed % case.shape[2], case.seed // case.shape[2] % case.shape[1]
        tap = tap_between(layer, n, m)
        if tap is not None or getattr(layer, "length", None) is None:  # else it cannot come from there
            words.append(f"from a 1 at sample {n} of input channel {source}")
        words += [] if tap is None else [f"tap {tap}"]
    elif m >= L * case.shape[2] - L:
        words.append("at the end")
    return ", ".join(words)


def rate(layer: Any) -> int:
    """Return how many phases the outputs of a layer have: its factor, if that is an integer."""
    if getattr(layer, "size", None) or not isinstance(layer.factor, int):
        return 1
    return layer.factor


def extent(small: Outcome) -> str:
    """Return in which phases and channels alone a longer input comes out wrong, if not in all."""
    job, layer = small.job, small.job.layer
    case = replace(small.case, kind="normal", shape=(2, job.channels, job.extent + 11), size=8, share=1.0)
    if small.part.startswith("gradient") or small.index is None or job.products(case.shape[2]) > _COST:
        return ""
    found = answers(job, case, case.x)
    if isinstance(found, Outcome):
        return ""
    y, due = found
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(y.astype(float) - due) <= job.bound(case.x, case.model).E)
    L, channels = rate(layer), y.shape[1]
    phases = sorted({int(m) % L for m in np.flatnonzero(wrong.any(axis=(0, 1)))}) if L > 1 else []
    bad = [int(c) for c in np.flatnonzero(wrong.any(axis=(0, 2)))]
    words = [f"phase{'s' * (len(phases) > 1)} {', '.join(map(str, phases))} alone"] if 0 < len(phases) < L else []
    if 0 < len(bad) < channels:
        words.append(f"output channel{'s' * (len(bad) > 1)} {', '.join(map(str, bad))} alone")
    return f"on longer inputs wrong in {' and '.join(words)}" if words else ""


def tap_between(layer: Any, n: int, m: int) -> int | None:
    """Return which tap of its weight a layer reaches output m with, from input n; None for none, or no kernel."""
    s, d = getattr(layer, "stride", 1), getattr(layer, "dilation", 1)
    if layer.op == "convt":
        reach = m - n * s + layer.padding
    elif layer.op == "filter":
        reach, d = m - n * layer.factor + layer.offset, 1
    elif layer.op in ("conv", "shuffle"):
        reach = n - (m // layer.factor if layer.op == "shuffle" else m * s) + layer.pads[0]
    else:
        return None
    k, odd = divmod(reach, d)
    return k if not odd and 0 <= k < layer.length else None


def mistake(small: Outcome) -> str:
    """Return the classic mistake that a failure looks like, if one explains it on other inputs, too."""
    job, case, a = small.job, small.case, small.case.model
    shapes = [(1, job.channels, job.extent + 2), (2, job.channels, job.extent + 11)]
    more = [replace(case, kind=k, shape=s, size=8, share=1.0, seed=5) for s in shapes for k in ("integer", "normal")]
    every = [c for c in (case, *more) if job.products(c.shape[2]) <= _COST]
    if small.part.startswith("gradient by"):
        found = [seen for c in every for seen in gradients(job, c)]
        return likely_gradients(job.double, found, u=unit(a)) if found else ""
    pairs: list[tuple[Array, Array]] = []
    for c in every:
        with suppress(Refused, Misbehaved):  # what is refused on one input alone explains nothing
            pairs.append((c.x.astype(float), call(job.run, c.x, model=a, device=job.device).astype(float)))
    return likely(job.double, pairs, u=unit(a)) if pairs else ""


def gradients(job: Job, case: Case) -> Iterator[tuple[Array, Array, dict[str, Array]]]:
    """Yield the input, the cotangent and what autograd makes of them, unless there is nothing to show."""
    g = cotangent(case, job.reference(case.x).shape)
    found = by_torch(job, case, case.x, g)
    if not isinstance(found, Outcome):
        yield case.x.astype(float), g.astype(float), {name: a.astype(float) for name, a in found.items()}
