"""Through a network, step by step, with any carrier of second moments; and what may follow what.

A map is predicted for Gaussian values only: behind a drawn convolution, sums of such, and filters of such. Behind
another map, or an identity skip around one, values are not Gaussian, and what a map makes of them is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import Generic, Protocol, Self, TypeVar

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.network import Concat, Drawn, Gate, Source, Step, Sum, Unknown, refuse


class Carrier(Protocol):
    """What carries second moments through the network: the full matrix, or the levels of combs."""

    def drawn(self, layer: Drawn) -> Self:
        """Behind a drawn convolution."""

    def fixed(self, u: Fixed) -> Self:
        """Behind a fixed filter."""

    def mapped(self, stage: Pointwise | Gate) -> Self:
        """Behind a map of Gaussian values."""

    def plus(self, other: Self) -> Self:
        """Plus an independent signal."""

    def beside(self, other: Self, a: int, b: int) -> Self:
        """With the channels of another."""


C = TypeVar("C", bound=Carrier)


@dataclass(frozen=True)
class Signal(Generic[C]):
    """Moments on their way, and what is known besides.

    Attributes
    ----------
    moments : Carrier
    channels : int
    rate : Fraction
        Samples per input sample.
    divisors : tuple of int
        Where lines may be: multiples of sr/M, sr the rate here.
    gaussian : bool
        Whether each channel is a Gaussian process of these moments, in the limit of wide layers.
    alike : bool
        Whether channels are alike, as they are not behind a concatenation.
    fresh : bool
        Whether kernels were drawn since the last branching, on every path.
    linear : bool
        Whether no map has come yet: then moments are exact at any width.
    narrowest : int
        Fewest channels that a drawn convolution behind a map sums over; 0 if there is none.
    """

    moments: C
    channels: int
    rate: Fraction = Fraction(1)
    divisors: tuple[int, ...] = (1,)
    gaussian: bool = False
    alike: bool = True
    fresh: bool = False
    linear: bool = True
    narrowest: int = 0


def started(moments: C, source: Source) -> Signal[C]:
    """Return an input; without a constant it may be mapped at once, as Gaussian noise."""
    return Signal(moments, source.channels, gaussian=not source.constant)


def walk(x: Signal[C], steps: Iterable[Step]) -> Signal[C]:
    """Return what is behind the steps.

    Raises
    ------
    NotAnalysable
        Where the theory ends.
    ValueError
        If channels or rates do not fit.
    """
    return reduce(_after, steps, x)


def _after(x: Signal[C], step: Step) -> Signal[C]:
    if isinstance(step, Drawn):
        return _drawn(x, step)
    if isinstance(step, Fixed):
        d = _resampled(x.divisors, step.factor, step.stride)
        rate = x.rate * step.factor / step.stride
        return replace(x, moments=x.moments.fixed(step), rate=rate, divisors=d)
    if isinstance(step, (Pointwise, Gate)):
        return _mapped(x, step)
    if isinstance(step, (Sum, Concat)):
        return _joined(x, step)
    if isinstance(step, Unknown):
        raise refuse(step)
    raise TypeError(complaint("step", repr(step), "Drawn, Fixed, Pointwise, Gate, Sum, Concat or Unknown"))


def _drawn(x: Signal[C], layer: Drawn) -> Signal[C]:
    if layer.inputs != x.channels:
        raise ValueError(complaint("channels", x.channels, f"{layer.inputs}, as the next layer takes"))
    up = 1 if layer.op == "conv" else layer.factor
    down = layer.factor if layer.op == "conv" else 1
    return Signal(
        x.moments.drawn(layer),
        layer.outputs,
        x.rate * up / down,
        _resampled(x.divisors, up, down),
        gaussian=layer.width > 1 or x.channels == 1,
        fresh=True,
        linear=x.linear,
        narrowest=x.narrowest if x.linear else min(x.narrowest or layer.width, layer.width),
    )


def _resampled(divisors: tuple[int, ...], up: int, down: int) -> tuple[int, ...]:
    """Return where lines may be: new ones at multiples of sr/up; a decimation folds them."""
    found = divisors if up == 1 else (1, *(up * M for M in divisors))
    return tuple(sorted({M // math.gcd(M, down) for M in found}))


def _mapped(x: Signal[C], stage: Pointwise | Gate) -> Signal[C]:
    if not x.gaussian:
        hint = "nothing is said of maps behind identity skips around maps, constants, depthwise kernels, concatenations"
        raise NotAnalysable(complaint(_name(stage), "values that are not Gaussian", "a drawn convolution before", hint))
    halves = isinstance(stage, Gate) or stage.name == "glu"
    if halves and x.channels % 2:
        raise ValueError(complaint("channels", x.channels, f"an even number, for {_name(stage)}"))
    channels = x.channels // 2 if halves else x.channels
    return replace(x, moments=x.moments.mapped(stage), channels=channels, gaussian=False, linear=False)


def _name(stage: Pointwise | Gate) -> str:
    return "gate" if isinstance(stage, Gate) else stage.name


def _joined(x: Signal[C], step: Sum | Concat) -> Signal[C]:
    branches = [walk(replace(x, fresh=False), branch) for branch in step.branches]
    if sum(not y.fresh for y in branches) > 1:
        allowed = "at most one without a drawn convolution"
        raise NotAnalysable(complaint("branches", "several that depend on each other", allowed))
    rates = {y.rate for y in branches}
    if len(rates) > 1:
        found = ", ".join(sorted(map(str, rates)))
        raise ValueError(complaint("rates of branches", found, "one rate", "a skip joins samples of one rate"))
    joined = reduce(_sum if isinstance(step, Sum) else _concat, branches)
    return replace(joined, fresh=x.fresh or all(y.fresh for y in branches))


def _sum(x: Signal[C], y: Signal[C]) -> Signal[C]:
    if x.channels != y.channels:
        raise ValueError(complaint("channels of branches", f"{x.channels} and {y.channels}", "equal numbers"))
    if not (x.alike or y.alike):
        raise NotAnalysable(complaint("sum", "two concatenations", "channels that are alike in one of them"))
    return replace(
        _common(x, y), moments=x.moments.plus(y.moments), gaussian=x.gaussian and y.gaussian, alike=x.alike and y.alike
    )


def _concat(x: Signal[C], y: Signal[C]) -> Signal[C]:
    moments = x.moments.beside(y.moments, x.channels, y.channels)
    return replace(_common(x, y), moments=moments, channels=x.channels + y.channels, gaussian=False, alike=False)


def _common(x: Signal[C], y: Signal[C]) -> Signal[C]:
    d = tuple(sorted({*x.divisors, *y.divisors, math.lcm(*x.divisors, *y.divisors)}))
    narrow = [each for each in (x.narrowest, y.narrowest) if each]
    return replace(x, divisors=d, linear=x.linear and y.linear, narrowest=min(narrow, default=0))
