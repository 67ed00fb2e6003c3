"""What streams do to one another, and a caller to a stream: each has a state, which is nobody else's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dspref.arrays import Array
from torchparity.calls import Misbehaved, Refused, alike, call
from torchparity.cases import Case
from torchparity.rig import Rig, Seen
from torchparity.seams import BATCH, LEAK, UNRESET
from torchparity.takes import Feed

VIEW = "it keeps a view of the chunk: whoever writes over the chunk afterwards changes what comes"


def beside(rig: Rig, case: Case, sizes: Sequence[int]) -> Iterator[Seen]:
    """Yield whether streams know nothing of each other: those that follow one another, and those fed in turn."""
    time, half, left = case.shape[-1], max(1, case.shape[-1] // 2), rig.new()
    yield rig.seen(case, [time], "one chunk")
    if not _fed(left, rig, case.x[..., :half]):  # the cases themselves will tell
        return
    new = f"s = takes.maker(make, {rig.a.dtype!r}, {rig.device!r})(); s(x[:2, :, :{half}]); "
    yield _named(rig.seen(case, [time], "beside another"), LEAK, before=new)
    yield from in_turn(rig, case, sizes)
    if not callable(getattr(left, "reset", None)):
        return
    for name, batch, mistake in (("after reset", 2, UNRESET), ("after reset, another batch", 3, BATCH)):
        again = dataclasses.replace(case, shape=(batch, *case.shape[1:]))
        left.reset()
        if _fed(left, rig, again.x[:2, :, :half]):
            left.reset()
            yield _named(rig.seen(again, [time], name, left), mistake, stream="lambda: s", before=new + "s.reset(); ")


def in_turn(rig: Rig, case: Case, sizes: Sequence[int]) -> Iterator[Seen]:
    """Yield what two streams show that are fed in turn, if each is right alone: the second begins after the first."""
    cases = (case, dataclasses.replace(case, seed=case.seed + 1))
    if any(rig.seen(each, sizes, "in turn").status == "wrong" for each in cases):  # other cuts will tell
        return
    feeds: list[Feed] = []
    parts = (np.split(each.x, np.cumsum(sizes)[:-1], axis=-1) for each in cases)
    try:
        for i, chunks in enumerate(zip(*parts, strict=True)):
            for k, chunk in enumerate(chunks):
                feeds += [] if i else [Feed(rig.new(), rig.a, rig.device)]
                feeds[k].chunk(chunk)
        takes = [feed.end() for feed in feeds]
    except (Refused, Misbehaved) as error:
        yield _named(rig.failed(case, sizes, "in turn", error), LEAK, others=cases[1:])
        return
    for turn, (each, got) in enumerate(zip(cases, takes, strict=True)):
        yield _named(rig.told(each, got, "in turn"), LEAK, others=(cases[1 - turn],), turn=turn)


def keeps_view(rig: Rig, case: Case, sizes: Sequence[int]) -> bool:
    """Return whether a stream gives something else when each chunk is written over after the call that took it."""
    try:
        plain = rig.take(case, sizes)
    except (Refused, Misbehaved):  # the cases themselves will tell
        return False
    try:
        return not alike(plain.y, rig.take(case, sizes, spoiled=True).y, rig.a)
    except (Refused, Misbehaved):  # it cannot take what was written
        return True


def _fed(stream: Any, rig: Rig, x: Array) -> bool:
    """Return whether a stream takes the beginning of a signal, after which it is left."""
    try:
        call(stream, x, model=rig.a, device=rig.device)
    except (Refused, Misbehaved):
        return False
    return True


def _named(seen: Seen, mistake: str, **more: Any) -> Seen:
    """Return what was seen, named if it is wrong, and with what it takes to show it."""
    return dataclasses.replace(seen, looks_like=mistake if seen.status == "wrong" else "", **more)
