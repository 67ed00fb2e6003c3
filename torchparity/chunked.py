"""What a stream is asked in a check: every input in every cut, and what streams do to one another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TypeAlias

import numpy as np

from torchparity.beside import VIEW, beside, keeps_view
from torchparity.cases import REAL, Case
from torchparity.cuts import CUTS, Cut, even, halves, thirds
from torchparity.rig import Rig, Seen
from torchparity.seams import EMPTY, MANY, SHORT, SILENT
from torchparity.twins import twin

_MORE = {"one chunk": 300, "single samples": 300}
"""Samples of one more signal: a chunk wider than what implementations unroll, more chunks than their buffers hold."""
_CHEAP = 1 << 24  # products in one signal of a batch

Asked: TypeAlias = tuple[Rig, Case]


def examined(
    rig: Rig, seed: int, times: Sequence[int], sizes: Sequence[int] | None, remarks: list[str]
) -> Iterator[Seen]:
    """Yield what each run showed, plainest cuts first, up to the first that is wrong.

    Lengths of signals are `times`, chunks those of `torchparity.cuts`, or of the sizes given. What does not make a
    stream wrong is added to the remarks.
    """
    case = Case("normal", (2, rig.job.channels, max(times)), rig.a.name, seed)
    few = even(sizes[0], max(times)) if sizes else halves(max(times))
    for seen in beside(rig, case, few):
        yield seen
        if seen.status == "wrong":
            return
    remarks += [VIEW] if keeps_view(rig, case, few) else []
    silent = even(sizes[0], max(times)) if sizes else thirds(max(times))
    for seen in chain(_cut(rig, seed, times, sizes, remarks), _silent(rig, case, silent)):
        yield seen
        if seen.status == "wrong":
            return


def _cut(rig: Rig, seed: int, times: Sequence[int], sizes: Sequence[int] | None, remarks: list[str]) -> Iterator[Seen]:
    """Yield what each run showed of every input in every cut."""
    rng, job, whole = np.random.default_rng(seed), rig.job, twin(rig, seed)
    cuts = CUTS if sizes is None else {"one chunk": CUTS["one chunk"], **{f"chunks of {n}": _of(n) for n in sizes}}
    dear = job.products(max(times)) > _CHEAP
    shapes = [(1 if dear else 1 + i % 3, job.channels, time) for i, time in enumerate(times)]
    for name, cut in cuts.items():
        more = [(1, job.channels, _MORE[name])] if name in _MORE and sizes is None and not dear else []
        every = [_asked(rig, whole, shape, seed, dear=dear and name != "one chunk") for shape in (*shapes, *more)]
        for of, case in chain(*every):
            seen = of.seen(case, cut(case.shape[-1], job.extent, rng), name)
            if name == "empty chunks" and seen.reason.startswith("chunk") and "(0 samples)" in seen.reason:
                remarks.append(f"an empty chunk is refused: {seen.reason}")
                return
            yield _blamed(seen, rig, max(times))


def _of(n: int) -> Cut:
    return lambda time, extent, rng: even(n, time)


def _asked(rig: Rig, whole: Rig, shape: tuple[int, int, int], seed: int, *, dear: bool) -> list[Asked]:
    """Return the inputs of a shape, and to which stream: real ones, fewer where they are dear, and whole numbers.

    Whole numbers come first where the stream has them for weights itself, and last where it takes its twin.
    """
    exact = whole.job.whole(Case("integer", shape, rig.a.name, seed))
    real = [(rig, Case(kind, shape, rig.a.name, seed)) for kind in (REAL[:1] if dear else REAL)]
    if exact is None:
        return real
    return [(whole, exact), *real] if whole is rig else [*real, (whole, exact)]


def _silent(rig: Rig, case: Case, sizes: Sequence[int]) -> Iterator[Seen]:
    """Yield what is seen of silence: all over the signal, and in a chunk between two that are not silent."""
    for batch in (1, 2):
        silence = dataclasses.replace(case, kind="silence", shape=(batch, *case.shape[1:]))
        seen = rig.seen(silence, sizes, "silent chunks")
        yield dataclasses.replace(seen, looks_like=SILENT) if seen.status == "wrong" else seen


def _blamed(seen: Seen, rig: Rig, longest: int) -> Seen:
    """Return what was seen, with the mistake that the cut alone tells: all plainer cuts were right."""
    if seen.status != "wrong":
        return seen
    if seen.cut == "empty chunks":
        return dataclasses.replace(seen, looks_like=EMPTY)
    if seen.looks_like or seen.index is None or max(seen.sizes) >= rig.job.extent:
        return seen
    return dataclasses.replace(seen, looks_like=MANY if len(seen.sizes) > longest else SHORT)
