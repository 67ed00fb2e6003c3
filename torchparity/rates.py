"""What resamples in any module: rates of all tensors, found by running it at several lengths.

The axis of a tensor that grows with the input is its time; by how much, over what the input grew, its rate r. A call
that gives another rate than it takes resamples. One from rate a to b puts lines at multiples of h = gcd(a, b) in a
spectrum that repeats at b: new ones if h < b. A later call at which the rate becomes c folds lines at multiples of g to
multiples of gcd(g, c), and all of them into 0 Hz if c divides g: then it was no net upsampler, as the pairs around
activations in BigVGAN are none. What is left at the output, ``g₁ | g₂ | … | R``, are the lines of the chain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Stage
from dspref.outline import Outline
from torchparity.calls import own_dtype
from torchparity.followed import INPUT, UNSEEN, Call, Record, follow
from torchparity.resamplers import HIDDEN, MOVES, described

LENGTHS = (32, 480, 7680, 12288, 61440)
"""Lengths that are tried, with `TIMES` as many, until all tensors grow in proportion: the last are 3 · 4⁶ and 15 · 4⁶.

What works in chunks, as Demucs's LSTMs of more than 200 frames do, is to be seen before it has several.
"""

TIMES = (1, 2, 3, 5)
"""Three might grow alike by chance, as ⌈16/3⌉, ⌈32/3⌉ and ⌈48/3⌉ do."""

Inputs = Callable[[int], Any]
"""What makes the arguments of a forward, for an input of so many samples or frames."""


@dataclass(frozen=True)
class Resampler:
    """A call whose output has another rate than its input.

    Attributes
    ----------
    name, kind : str
        Path of the submodule, and its type; or the function that a larger one calls.
    rate_in, rate_out : Fraction
        Samples per sample of the module's input.
    layer : Stage or None
        What it is, None if that is not known: then its rates are all that is said of it.
    net : bool
        Whether its lines are there at the output.
    spacing : Fraction
        Its lines at the output are multiples of it, in samples per sample of the input; the output's rate if none.
    why : str
        Why it has no description.
    """

    name: str
    kind: str
    rate_in: Fraction
    rate_out: Fraction
    layer: Stage | None
    net: bool
    spacing: Fraction
    why: str

    @property
    def factor(self) -> Fraction:
        """Output rate over input rate."""
        return self.rate_out / self.rate_in


@dataclass(frozen=True)
class Rates:
    """What resamples on the way from input to output.

    Attributes
    ----------
    resamplers : tuple of Resampler
        In the order in which they ran.
    rate : Fraction
        Output samples per input sample.
    grid : Fraction
        Lines at the output are multiples of it, as a share of the output's rate.
    chain : Chain
        The net upsamplers one after another, as outlines; a factor that a later decimation undoes is left out.
    branches : tuple of Resampler
        Net upsamplers on other ways than that of the chain, whose lines are on its grid.
    not_understood : tuple of str
        What has no description, with the reason.
    """

    resamplers: tuple[Resampler, ...]
    rate: Fraction
    grid: Fraction
    chain: Chain
    branches: tuple[Resampler, ...]
    not_understood: tuple[str, ...]

    @property
    def net(self) -> tuple[Resampler, ...]:
        """Those whose lines are there at the output."""
        return tuple(r for r in self.resamplers if r.net)


def gcd(a: Fraction, b: Fraction) -> Fraction:
    """Return the largest number of which both are whole multiples.

    Examples
    --------
    >>> gcd(Fraction(3, 2), Fraction(1))
    Fraction(1, 2)
    """
    return Fraction(math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)


def plain(module: nn.Module, channels: int) -> Inputs:
    """Return what makes noise (1, channels, length) of a module's own dtype, and of a length that it calls valid.

    Examples
    --------
    >>> plain(nn.Conv1d(3, 1, 1), 3)(8)[0].shape
    torch.Size([1, 3, 8])
    """
    valid = getattr(module, "valid_length", None)

    def inputs_of(length: int) -> tuple[Tensor]:
        length = int(valid(length)) if callable(valid) else length
        x = torch.randn(1, channels, length, generator=torch.Generator().manual_seed(0))
        return (x.to(getattr(torch, own_dtype(module))),)

    return inputs_of


def rates(module: nn.Module, inputs_of: Inputs, *, output_of: Callable[[Any], Any] = lambda y: y) -> Rates:
    """Return what resamples in a module, whatever it is made of.

    Parameters
    ----------
    module : nn.Module
    inputs_of : function
        Makes its arguments, a tensor or a tuple, for an input of so many samples; `plain` is one.
    output_of : function
        Picks the tensor (…, time) to look at among what the module returns.

    Raises
    ------
    NotAnalysable
        If the module refuses all lengths, makes other calls for other lengths, does not grow with its input, or if its
        output does not depend on it; and if ways from input to output have lines that do not fit each other.

    Examples
    --------
    >>> net = nn.Sequential(nn.ConvTranspose1d(1, 1, 8, 4, 2), nn.ReLU(), nn.Upsample(scale_factor=2))
    >>> found = rates(net, plain(net, 1))
    >>> [(r.name, r.kind, str(r.factor)) for r in found.net], found.rate, found.chain.factor
    ([('0', 'ConvTranspose1d', '4'), ('2', 'Upsample', '2')], Fraction(8, 1), 8)
    """
    flow = _grown(module, inputs_of, output_of)
    found = tuple(_resamplers(flow))
    net = [r for r in found if r.net]
    way = _way(flow, found)
    chain = _chain(way, flow.rate)
    grid = reduce(gcd, (r.spacing for r in net), flow.rate)
    if grid * chain.factor != flow.rate:
        got = ", ".join(f"{r.name} at multiples of {r.spacing / flow.rate} of it" for r in net)
        allowed = "ways whose lines are those of the longest, each spacing a multiple of the one before"
        raise NotAnalysable(complaint("lines of branches, by the rate of the output", got, allowed))
    others = tuple(r for r in net if r not in way)
    unknown = [f"{r.name} ({r.kind}, ×{r.factor}): {r.why}" for r in found if r.layer is None and r.factor > 1]
    told = {r.name for r in found}
    unknown += [f"{c.where or 'the module'} ({c.kind}): {HIDDEN}" for c in flow.unseen if c.where not in told]
    return Rates(found, flow.rate, grid / flow.rate, chain, others, tuple(dict.fromkeys(unknown)))


@dataclass(frozen=True)
class _Flow:
    """A run with rates of its tensors, None for those without time, and those carried on where there is none."""

    record: Record
    own: tuple[Fraction | None, ...]
    carried: tuple[Fraction | None, ...]

    @property
    def output(self) -> int:
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
    def unseen(self) -> list[Call]:
        """Calls out of sight on the way to the output, whose results grow with the input."""
        calls = [self.record.calls[n] for n in sorted(self.needed)]
        return [c for c in calls if c.func == UNSEEN and any(self.own[node] is not None for node in c.gives)]


def _grown(module: nn.Module, inputs_of: Inputs, output_of: Callable[[Any], Any]) -> _Flow:
    """Return a run of the first length from which on all tensors grow in proportion."""
    refused: Exception | None = None
    for length in LENGTHS:
        try:
            runs = [_run(module, inputs_of(n * length), output_of) for n in TIMES]
        except NotAnalysable as error:
            refused = error
            continue
        flow = _flow(runs)
        if isinstance(flow, _Flow):
            return flow
        refused = flow
    assert refused is not None, "there are lengths"
    raise refused


def _run(module: nn.Module, args: Any, output_of: Callable[[Any], Any]) -> Record:
    args = args if isinstance(args, tuple) else (args,)
    try:
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


def _flow(runs: list[Record]) -> _Flow | NotAnalysable:
    """Return rates of all tensors, or why there are none."""
    first, *others = runs
    length = next((n for call in first.calls[:1] for n in map(_input_growth(runs), call.gives) if n), None)
    if length is None:
        return NotAnalysable(complaint("input", "no tensor that grows", "one whose length is asked for"))
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
    return _Flow(first, tuple(own), tuple(_carried(first, own)))


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


def _resamplers(flow: _Flow) -> Iterator[Resampler]:
    """Yield all of them, with what is left of their lines at the output."""
    left = _lines(flow)
    for number, (a, b) in _events(flow).items():
        call = flow.record.calls[number]
        layer, why = described(call, b / a, _before(flow.record, call))
        alone = call.where and not any(name != "parametrizations" for name, _ in call.module.named_children())
        name = call.where if alone else f"{call.where}.{call.func}".lstrip(".")
        kind = call.kind.removeprefix("Parametrized") if alone else call.func
        spacing = left.get(number, flow.rate)
        yield Resampler(name, kind, a, b, layer, spacing != flow.rate, spacing, why)


def _before(record: Record, call: Call) -> Call | None:
    """Return the call whose result was moved, and nothing else, to be what this one takes."""
    while call.takes:
        call = record.calls[record.nodes[call.takes[0]].call]
        if call.func not in MOVES:
            return call
    return None


def _events(flow: _Flow) -> dict[int, tuple[Fraction, Fraction]]:
    """Return calls that change the rate, by their numbers: rates before and behind."""
    found = {}
    for number in sorted(flow.needed):
        call = flow.record.calls[number]
        before = [flow.carried[n] for n in call.takes if flow.carried[n] is not None]
        behind = next((flow.own[n] for n in call.gives if flow.own[n] is not None), None)
        if call.func != INPUT and before and behind is not None and behind not in before:
            assert before[0] is not None
            found[number] = (before[0], behind)
    return found


def _lines(flow: _Flow) -> dict[int, Fraction]:
    """Return the spacing of the lines that each call that resamples leaves at the output, by its number."""
    events, lines = _events(flow), dict[int, dict[int, Fraction]]()
    for number in sorted(flow.needed):
        call = flow.record.calls[number]
        kept: dict[int, Fraction] = {}
        for n in call.takes:
            for event, g in lines.get(n, {}).items():
                kept[event] = gcd(g, kept.get(event, g))
        for node in call.gives:
            rate, left = flow.carried[node], dict(kept)
            if rate is None:
                continue
            if number in events:
                left[number] = gcd(events[number][0], rate)
            lines[node] = {event: h for event, spacing in left.items() if (h := gcd(spacing, rate)) != rate}
    return lines.get(flow.output, {})


def _way(flow: _Flow, found: tuple[Resampler, ...]) -> tuple[Resampler, ...]:
    """Return the net upsamplers of the way that has the finest grid, and then most of them, by their grids."""
    by_call = {number: r for number, r in zip(_events(flow), found, strict=True) if r.net}
    ways: dict[int, tuple[Resampler, ...]] = {}
    for number in sorted(flow.needed):
        call = flow.record.calls[number]
        longest = max((ways.get(n, ()) for n in call.takes), key=_reach, default=())
        own = _with(longest, by_call[number]) if number in by_call else longest
        ways.update(dict.fromkeys(call.gives, own))
    return ways[flow.output]


def _reach(way: tuple[Resampler, ...]) -> tuple[bool, Fraction, int]:
    """Return what orders ways: the finest grid, then the most upsamplers."""
    return bool(way), -way[0].spacing if way else Fraction(0), len(way)


def _with(way: tuple[Resampler, ...], r: Resampler) -> tuple[Resampler, ...]:
    """Return a way with one more; what has the grid of another stands beside it, as kernels that UnivNet holds do."""
    return way if r.spacing in [other.spacing for other in way] else tuple(sorted((*way, r), key=lambda r: r.spacing))


def _chain(way: tuple[Resampler, ...], rate: Fraction) -> Chain:
    """Return outlines of the upsamplers on a way, of factors by which the lines of the next are farther apart."""
    spacings = [*(r.spacing for r in way), rate]
    stages = []
    for r, (g, behind) in zip(way, pairwise(spacings), strict=True):
        factor = behind / g
        if factor.denominator > 1 or factor < 1:
            got = f"lines of {r.name} at multiples of {g / rate} of it, of the next at {behind / rate}"
            raise NotAnalysable(
                complaint("lines by the rate of the output", got, "each spacing a multiple of the last")
            )
        if factor > 1:
            same = r.layer is not None and r.layer.factor == factor
            stages.append(
                r.layer if same and r.layer is not None else Outline("unsqueeze", int(factor), stride=int(factor))
            )
    return Chain(stages)
