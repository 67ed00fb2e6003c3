"""Rates of all tensors on the way through a module: by how much they grow with the input.

It is run at several lengths. Calls are held against each other one by one; the axis of a tensor whose size differs is
its time. Lengths are raised until all sizes grow in proportion: strides and frames leave remainders of others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint
from torchparity.followed import INPUT, UNSEEN, Call, Record, follow
from torchparity.nn.modes import of_any_length

LENGTHS = (32, 480, 6720, 12288, 61440)
"""Lengths that are tried, with `TIMES` as many, until all tensors grow in proportion; last 105 · 4³, 3 · 4⁶, 15 · 4⁶.

What works in chunks, as Demucs's LSTMs of more than 200 frames do, is to be seen before it has several.
"""

LARGEST = 1 << 29
"""Numbers on the way, of the longest input, beyond which no longer one is tried: 2 GiB, where all are kept."""

TIMES = (1, 2, 3, 5)
"""Three might grow alike by chance, as ⌈16/3⌉, ⌈32/3⌉ and ⌈48/3⌉ do."""

Inputs = Callable[[int], Any]
"""What makes the arguments of a forward, for an input of so many samples or frames."""


@dataclass(frozen=True)
class Flow:
    """A run with rates of its tensors, None for those without time, and those carried on where there is none.

    `length` is the one of `LENGTHS` from which on they grow in proportion.
    """

    record: Record
    own: tuple[Fraction | None, ...]
    carried: tuple[Fraction | None, ...]
    length: int

    @property
    def output(self) -> int:
        """Node of the output."""
        assert self.record.output is not None, "checked where flows are made"
        return self.record.output

    @property
    def rate(self) -> Fraction:
        """Of the output."""
        found = self.own[self.output]
        assert found is not None, "checked where flows are made"
        return found

    @property
    def needed(self) -> frozenset[int]:
        """Numbers of the calls that the output is made by."""
        calls, todo, found = self.record.calls, [self.output], set[int]()
        while todo:
            number = self.record.nodes[todo.pop()].call
            if number not in found:
                found.add(number)
                todo.extend(calls[number].takes)
        return frozenset(found)

    @property
    def events(self) -> dict[int, tuple[Fraction, Fraction]]:
        """Calls that change the rate, by their numbers: rates before and behind."""
        found = {}
        for number in sorted(self.needed):
            call = self.record.calls[number]
            before = [rate for n in call.takes if (rate := self.carried[n]) is not None]
            behind = [rate for n in call.gives if (rate := self.own[n]) is not None and rate not in before]
            if call.func != INPUT and before and behind:
                found[number] = (before[0], behind[0])
        return found

    @property
    def unseen(self) -> list[Call]:
        """Calls out of sight on the way to the output, whose results grow with the input."""
        calls = [self.record.calls[n] for n in sorted(self.needed)]
        return [c for c in calls if c.func == UNSEEN and any(self.own[node] is not None for node in c.gives)]


def grown(module: nn.Module, inputs_of: Inputs, output_of: Callable[[Any], Any], *, first: int = 0) -> Flow:
    """Return a run of the first length, of those from `first` on, from which on all tensors grow in proportion."""
    refused: Exception | None = None
    for length in (n for n in LENGTHS if n >= first):
        try:
            runs = [_run(module, inputs_of(n * length), output_of) for n in TIMES]
        except NotAnalysable as error:
            refused = error
            continue
        flow = _flow(runs, length)
        if isinstance(flow, Flow):
            return flow
        refused = flow
        if _loops(runs) is not None or _due(runs, next((n for n in LENGTHS if n > length), 0) / length) > LARGEST:
            break
    assert refused is not None, "there are lengths"
    raise refused


def _loops(runs: list[Record]) -> str | None:
    """Return how calls grow with the input, if they do from each length to the next: no longer input mends that."""
    counts = [len(run.calls) for run in runs]
    if any(b <= a for a, b in pairwise(counts)):
        return None
    words = ", ".join(f"{count} calls" if i == 0 else str(count) for i, count in enumerate(counts))
    often = Counter(c.func for c in runs[-1].calls) - Counter(c.func for c in runs[0].calls)
    func = often.most_common(1)[0][0]
    where = next(c.where for c in runs[-1].calls if c.func == func) or "its forward"
    return f"{words} for inputs 1, 2, 3, 5 times as long (most often {func} in {where})"


def _due(runs: list[Record], longer: float) -> float:
    """Return how many numbers there will be on the way of inputs so many times as long, by how many there were."""
    first, last = (sum(math.prod(node.shape) for node in run.nodes) for run in (runs[0], runs[-1]))
    return float(last * longer ** (math.log(max(1, last / first)) / math.log(TIMES[-1])))


def _run(module: nn.Module, args: Any, output_of: Callable[[Any], Any]) -> Record:
    args = args if isinstance(args, tuple) else (args,)
    try:
        with of_any_length():
            record, y = follow(module, args, output_of)
    except NotAnalysable:
        raise
    except (Exception, SystemExit) as error:  # whatever a stranger's forward raises, it does not take this input
        shapes = " and ".join(str(tuple(x.shape)) for x in args if isinstance(x, Tensor))
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        hint = "say another shape, or wrap the module in one that takes it"
        raise NotAnalysable(
            complaint(f"input of shape {shapes}", got, "an input that the module takes", hint)
        ) from error
    if record.output is None:
        got = type(y).__name__ if not isinstance(y, Tensor) else "a tensor that nothing was seen to make"
        raise NotAnalysable(complaint("module output", got, "one tensor made of the input"))
    return record


def _flow(runs: list[Record], at: int) -> Flow | NotAnalysable:
    """Return rates of all tensors, or why there are none."""
    first, *others = runs
    length = next((n for call in first.calls[:1] for n in map(_input_growth(runs), call.gives) if n), None)
    if length is None:
        return NotAnalysable(complaint("input", "no tensor that grows", "one whose length is asked for"))
    if (loop := _loops(runs)) is not None:
        hint = "it works sample by sample in a loop, which has no rates: audit a part that takes whole signals"
        return NotAnalysable(complaint("module", loop, "the same calls for inputs of any length", hint))
    for a, b in ((first, other) for other in others):
        if [c.func for c in a.calls] != [c.func for c in b.calls]:
            at = next((i for i, (x, y) in enumerate(zip(a.calls, b.calls, strict=False)) if x.func != y.func), 0)
            got = f"other calls from {a.calls[at].where or 'its forward'} on ({a.calls[at].func}, {b.calls[at].func})"
            return NotAnalysable(
                complaint("module", got, "the same calls for inputs of any length", "its flow is dynamic")
            )
    own: list[Fraction | None] = []
    for shapes in zip(*([node.shape for node in run.nodes] for run in runs), strict=True):
        grown = _growth(shapes)
        if isinstance(grown, NotAnalysable):
            return grown
        own.append(None if grown is None else Fraction(grown, length))
    if own[first.output or 0] is None or first.output is None:
        outputs = [run.nodes[run.output or 0].shape[-1:] for run in runs]
        return NotAnalysable(
            complaint("rate of the module", f"outputs {outputs}", "an output that grows with the input")
        )
    if (padding := _padded(first, own)) is not None:
        return NotAnalysable(complaint("padding", f"other lengths behind {padding}", GROWING, "feed longer inputs"))
    flow = Flow(first, tuple(own), tuple(_carried(first, own)), at)
    return _misfit(flow) or flow


CUTS = frozenset(("narrow", "split", "chunk", "tensor_split", "cat", "concat", "hstack", "repeat", "tile"))
"""Calls that keep the rate: where the length changes in proportion all the same, ends are cut off, or put on."""


def _misfit(flow: Flow) -> NotAnalysable | None:
    """Return why rates are none, if they are read off lengths that were cut, or that strides do not divide."""
    for number, (a, b) in flow.events.items():
        call, factor = flow.record.calls[number], b / a
        where = f"{call.where or 'its forward'} ({call.func})"
        if call.func in CUTS or (call.func == "__getitem__" and _plain(call.given(1, "index"))):
            got = f"{factor} times as many samples behind {where}"
            return NotAnalysable(complaint("length", got, "ends that are cut or put on whatever the length"))
        if factor.numerator > 1 < factor.denominator and call.func not in ("interpolate", "upsample"):
            hint = "feed inputs that its strides divide"
            return NotAnalysable(complaint("rate", f"×{factor} behind {where}", "a whole number, or one over it", hint))
    return None


def _plain(index: Any) -> bool:
    """Return whether an index is made of slices without steps, numbers and ellipses."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(not isinstance(i, (tuple, list)) and getattr(i, "step", None) in (None, 1) for i in parts)


def _padded(record: Record, own: list[Fraction | None]) -> str | None:
    """Return where a tensor is padded to a length of the module's own, as U-Nets do: no padding changes a rate."""
    pads = (call for call in record.calls if call.func == "pad" and call.takes)
    return next((call.where or "its forward" for call in pads if own[call.takes[0]] != own[call.gives[0]]), None)


def _input_growth(runs: list[Record]) -> Callable[[int], int | None]:
    """Return what says by how much an input grows, of its node."""

    def growth(node: int) -> int | None:
        found = _growth(tuple(run.nodes[node].shape for run in runs))
        return found if isinstance(found, int) else None

    return growth


def _growth(shapes: tuple[tuple[int, ...], ...]) -> int | NotAnalysable | None:
    """Return by how much the one axis that grows does so from one length to the next."""
    steps = [b - a for a, b in pairwise(TIMES)]
    axes = zip(*shapes, strict=False)
    grown = [[(b - a) / n for (a, b), n in zip(pairwise(sizes), steps, strict=True)] for sizes in axes]
    growing = [each for each in grown if any(each)]
    if len({len(shape) for shape in shapes}) > 1 or any(len(set(each)) > 1 or each[0] < 0 for each in growing):
        hint = "feed longer inputs, or such as its frames divide"
        return NotAnalysable(complaint("tensor on the way", f"shapes {', '.join(map(str, shapes))}", GROWING, hint))
    return int(growing[0][0]) if len(growing) == 1 else None  # several: a matrix of time by time


GROWING = "sizes that grow in proportion to the input"


def _carried(record: Record, own: list[Fraction | None]) -> Iterator[Fraction | None]:
    """Yield the rate of each tensor, or of what it was made of, if it has none; None if the input is not in it."""
    known: list[Fraction | None] = []
    for node, rate in zip(record.nodes, own, strict=True):
        call = record.calls[node.call]
        if call.func == INPUT or (call.func == UNSEEN and rate is None):
            known.append(rate)
        else:
            before = [known[n] for n in call.takes if known[n] is not None]
            known.append((before[0] if rate is None else rate) if before else None)
    yield from known
