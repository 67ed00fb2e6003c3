"""Dynamic control flow: whether other calls are made for other values of the input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import torch
from torch import Tensor

from dspref.arrays import NotAnalysable
from torchparity.bench import Bench
from torchparity.measure import Measured
from torchparity.rates import plain
from torchparity.signals import signal
from torchparity.walking import Way


@dataclass(frozen=True)
class Flow:
    """The way that the chain was read from, and those of other signals of the same length, by their names."""

    read: Way
    others: Mapping[str, Way]

    @property
    def apart(self) -> tuple[str, ...]:
        """Names of the signals that go another way."""
        return tuple(name for name, way in self.others.items() if way != self.read)


def flow(bench: Bench) -> Flow:
    """Return which way a module goes for a constant, its negative, silence, noise and its negative.

    All have the length that the chain was read with, whose noise runs twice: what is made once for a length is there.
    """
    x = plain(bench.module, bench.sizes[1])(bench.spine.grown or bench.taken)[0]
    bench.answer(x)
    read, others = bench.answer(x)[1], dict[str, Way]()
    for name, each in _signals(x, bench.seed):
        try:
            others[name] = bench.answer(each)[1]
        except NotAnalysable:  # of silence there may be no finite output: that is told where it is measured
            continue
    return Flow(read, others)


def _signals(x: Tensor, seed: int) -> Iterator[tuple[str, Tensor]]:
    noise = signal("noise", tuple(x.shape), seed)
    yield from (("constant", torch.ones_like(x)), ("constant −1", -torch.ones_like(x)))
    yield from (("silence", torch.zeros_like(x)), ("noise", noise), ("noise, negated", -noise))


def marked(bench: Bench, known: Flow, runs: Sequence[Measured]) -> tuple[Measured, ...]:
    """Return the runs, marked where they went another way than the one that the chain was read from.

    Longer inputs may take more calls: where values made no difference to short ones, it counts only if they make one at
    that length, between what was measured, a constant, and noise.
    """
    return tuple(replace(r, astray=True) if _astray(bench, known, r) else r for r in runs)


def _astray(bench: Bench, known: Flow, r: Measured) -> bool:
    if r.way == known.read:
        return False
    if known.apart or r.input == "recording":
        return bool(known.apart)
    names = (r.input, "constant", "noise", r.input)  # what is made once for a length is there at the second call
    ways = [bench.answer(signal(name, (*bench.sizes, r.length), r.seed))[1] for name in names]
    return len(set(ways[1:])) > 1


def words(known: Flow, runs: Sequence[Measured]) -> str:
    """Return what is to be said of flow that depends on values, "" if it was not seen to."""
    astray = tuple(dict.fromkeys(r.input for r in runs if r.astray))
    if not (known.apart or astray):
        return ""
    others = [known.others[name] for name in known.apart] + [r.way for r in runs if r.astray]
    step = next((a for a, b in zip_longest(known.read, others[0]) if a != b), None)
    alike = [name for name in known.others if name not in known.apart]
    told = [
        f"dynamic control flow: which calls are made depends on the values of the input, from {step or 'its end'} on",
        f"the chain was read from noise; the same way: {', '.join(alike) or 'no other signal'}",
        *([f"another way: {', '.join(known.apart)}"] if known.apart else []),
        *([f"measured on another way, and not judged: {', '.join(astray)}"] if astray else []),
    ]
    return "; ".join(told)
