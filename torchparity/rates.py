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
from torchparity.followed import Call, Record
from torchparity.grown import Flow, Inputs, grown
from torchparity.resamplers import HIDDEN, JOINS, MOVES, described
from torchparity.ways import finest, ways


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
    way : tuple of Resampler
        What the stages of the chain are.
    ways : tuple of tuple of Resampler
        The net upsamplers on each way from input to output, as `torchparity.ways.ways` finds them.
    branches : tuple of Resampler
        Net upsamplers that are not in the chain: on other ways, their lines on its grid.
    not_understood : tuple of str
        What has no description, with the reason.
    length : int
        Input samples, of those tried, from which on all tensors grow in proportion.
    """

    resamplers: tuple[Resampler, ...]
    rate: Fraction
    grid: Fraction
    chain: Chain
    way: tuple[Resampler, ...]
    ways: tuple[tuple[Resampler, ...], ...]
    branches: tuple[Resampler, ...]
    not_understood: tuple[str, ...]
    length: int = 0

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


def rates(
    module: nn.Module, inputs_of: Inputs, *, output_of: Callable[[Any], Any] = lambda y: y, first: int = 0
) -> Rates:
    """Return what resamples in a module, whatever it is made of.

    Parameters
    ----------
    module : nn.Module
    inputs_of : function
        Makes its arguments, a tensor or a tuple, for an input of so many samples; `plain` is one.
    output_of : function
        Picks the tensor (…, time) to look at among what the module returns.
    first : int
        Least length that is tried: `Rates.length` of another module of its kind.

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
    flow = grown(module, inputs_of, output_of, first=first)
    found = tuple(_resamplers(flow))
    by_call = {number: r for number, r in zip(flow.events, found, strict=True) if r.net}
    net = tuple(by_call.values())
    way = tuple(by_call[n] for n in finest(flow, {n: r.spacing for n, r in by_call.items()}))
    every = tuple(tuple(by_call[n] for n in each) for each in ways(flow, by_call))
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
    return Rates(
        found, flow.rate, grid / flow.rate, chain, way, every, others, tuple(dict.fromkeys(unknown)), flow.length
    )


def _resamplers(flow: Flow) -> Iterator[Resampler]:
    """Yield all of them, with what is left of their lines at the output."""
    left = _lines(flow)
    for number, (a, b) in flow.events.items():
        call = flow.record.calls[number]
        layer, why = described(call, b / a, _before(flow.record, call))
        alone = call.where and not any(name != "parametrizations" for name, _ in call.module.named_children())
        name = call.where if alone else f"{call.where}.{call.func}".lstrip(".")
        kind = call.kind.removeprefix("Parametrized") if alone else call.func
        spacing = left.get(number, flow.rate)
        yield Resampler(name, kind, a, b, layer, spacing != flow.rate, spacing, why)


def _before(record: Record, call: Call) -> tuple[Call, ...]:
    """Return the call whose result was moved, and nothing else, to be what this one takes; and those that it joins."""
    if not call.takes:
        return ()
    found = _unmoved(record, call.takes[0])
    return (found, *(_unmoved(record, node) for node in found.takes if found.func in JOINS))


def _unmoved(record: Record, node: int) -> Call:
    """Return the call that made the samples of a node, before they were moved."""
    call = record.calls[record.nodes[node].call]
    while call.func in MOVES and call.takes:
        call = record.calls[record.nodes[call.takes[0]].call]
    return call


def _lines(flow: Flow) -> dict[int, Fraction]:
    """Return the spacing of the lines that each call that resamples leaves at the output, by its number."""
    events, lines = flow.events, dict[int, dict[int, Fraction]]()
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
