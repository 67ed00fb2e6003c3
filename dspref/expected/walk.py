"""Through a network, place by place, with any carrier of second moments; and what may follow what.

A signal is a sum of parts ``Σ_i a_i x_i`` that are independent of each other: what a drawn convolution gave, or what
has become of it. Equal parts are counted once, so that x + A(x) and x + B(x) add up to 2x + A(x) + B(x). A map is
predicted for Gaussian values only: behind a drawn convolution, sums of such, and filters of such. Behind another map,
or an identity skip around one, values are not Gaussian, and what a map makes of them is refused.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from itertools import combinations
from typing import Generic, Protocol, Self, TypeVar

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.graph import INPUT, Network, Node
from dspref.expected.network import Drawn, Gate, Source, Unknown, refuse
from dspref.expected.offsets import NONE, Offsets, together
from dspref.expected.reach import Reach
from dspref.expected.source import check_source


class Carrier(Protocol):
    """What carries second moments through the network: the full matrix, or the levels of combs."""

    def drawn(self, layer: Drawn) -> Self:
        """Behind a drawn convolution."""

    def fixed(self, u: Fixed) -> Self:
        """Behind a fixed filter."""

    def mapped(self, stage: Pointwise | Gate, offsets: Offsets) -> Self:
        """Behind a map of values that are Gaussian but for offsets."""

    def named(self, name: str) -> Self:
        """Of what is drawn at the place of this name."""

    def scaled(self, gain: float) -> Self:
        """Under a gain."""

    def plus(self, other: Self) -> Self:
        """Plus an independent signal."""

    def beside(self, other: Self, a: float) -> Self:
        """Beside another's channels; a share a of all is its own."""

    def within(self, asked: Reach) -> Self:
        """Without what nothing that follows asks for."""


C = TypeVar("C", bound=Carrier)


@dataclass(frozen=True)
class Part(Generic[C]):
    """A signal ``a x`` that others are added to.

    Attributes
    ----------
    moments : Carrier
        Of x.
    gain : float
        a.
    gaussian : bool
        Whether each channel is a Gaussian process of these moments, in the limit of wide layers, and given its bias.
    roots : frozenset of str
        Places of the drawn convolutions, or the input, that it is a function of, channel by channel.
    stage, before : Pointwise or Gate, Carrier, optional
        The map that this is directly behind, and the moments in front of it.
    offsets : Offsets
        What is uniform in it; fixed filters mix it, and it counts as Gaussian behind them.
    """

    moments: C
    gain: float
    gaussian: bool
    roots: frozenset[str]
    stage: Pointwise | Gate | None = None
    before: C | None = None
    offsets: Offsets = NONE


@dataclass(frozen=True)
class Signal(Generic[C]):
    """Parts on their way, and what is known besides.

    Attributes
    ----------
    parts : mapping
        By what tells them apart: the place that drew them, and what was done to them since.
    channels : int
    rate : Fraction
        Samples per input sample.
    divisors : tuple of int
        Where lines may be: multiples of sr/M, sr the rate here.
    alike : bool
        Whether channels are alike, as they are not behind a concatenation.
    linear : bool
        Whether no map has come yet: then moments are exact at any width.
    narrowest : int
        Fewest channels that a drawn convolution behind a map sums over, or channels times taps in front of the first
        map; 0 if there is no map.
    terms : int
        Fewest channels times taps so far, in front of the first map.
    twice : frozenset of str
        Roots that several inputs of the concatenation at this place have in common.
    """

    parts: Mapping[Hashable, Part[C]]
    channels: int
    rate: Fraction = Fraction(1)
    divisors: tuple[int, ...] = (1,)
    alike: bool = True
    linear: bool = True
    narrowest: int = 0
    terms: int = 0
    twice: frozenset[str] = frozenset()

    @property
    def moments(self) -> C:
        """Moments of the sum of the parts."""
        scaled = (p.moments if p.gain == 1 else p.moments.scaled(p.gain) for p in self.parts.values())
        return reduce(lambda x, y: x.plus(y), scaled)

    def within(self, asked: Reach) -> Signal[C]:
        """Return it without what nothing that follows asks for."""
        kept = {key: p.moments.within(asked) for key, p in self.parts.items()}
        if all(moments is self.parts[key].moments for key, moments in kept.items()):
            return self
        return replace(self, parts={key: replace(self.parts[key], moments=moments) for key, moments in kept.items()})

    @property
    def gaussian(self) -> bool:
        """Whether a map of it is predicted."""
        return self.alike and all(p.gaussian for p in self.parts.values())

    @property
    def offsets(self) -> Offsets:
        """What is uniform in the sum of the parts."""
        return together(p.offsets.scaled(p.gain) for p in self.parts.values())

    @property
    def roots(self) -> frozenset[str]:
        """Roots of all parts."""
        return frozenset().union(*(p.roots for p in self.parts.values()))


def started(moments: C, source: Source) -> Signal[C]:
    """Return an input; without a constant it may be mapped at once, as Gaussian noise."""
    check_source(source)
    return Signal({INPUT: Part(moments.named(INPUT), 1.0, not source.constant, frozenset({INPUT}))}, source.channels)


def walk(x: Signal[C], net: Network) -> Signal[C]:
    """Return what comes out.

    Raises
    ------
    NotAnalysable
        Where the theory ends.
    ValueError
        If channels or rates do not fit.
    """
    for _, found in at_places(x, net, (net.output,)):
        x = there(found)
    return x


def at_places(
    x: Signal[C], net: Network, names: Collection[str], *, asked: Mapping[str, Reach] | None = None
) -> Iterator[tuple[str, Signal[C] | NotAnalysable]]:
    """Yield the names of these places, each with its signal or the reason why nothing is said of it."""
    if INPUT in names:
        yield INPUT, x
    if names:
        yield from (
            (node.name, found) for node, found in places(x, net.before(*names), asked=asked) if node.name in names
        )


def there(found: Signal[C] | NotAnalysable) -> Signal[C]:
    """Return the signal, or raise the reason why there is none."""
    if isinstance(found, NotAnalysable):
        raise found
    return found


def places(
    x: Signal[C], net: Network, *, asked: Mapping[str, Reach] | None = None
) -> Iterator[tuple[Node, Signal[C] | NotAnalysable]]:
    """Yield each place, with its signal or the reason why nothing is said of it.

    Signals are dropped behind their last use, and if `asked` says what is asked for at each place, so is all else.
    """
    last = {name: node.name for node in net for name in node.inputs}
    known: dict[str, Signal[C] | NotAnalysable] = {INPUT: x}
    for node in net:
        found = _attempt(node, [known[name] for name in node.inputs])
        known[node.name] = found.within(asked[node.name]) if asked and isinstance(found, Signal) else found
        yield node, known[node.name]
        for name in {name for name in node.inputs if last[name] == node.name}:
            del known[name]


def _attempt(node: Node, inputs: list[Signal[C] | NotAnalysable]) -> Signal[C] | NotAnalysable:
    refused = next((each for each in inputs if isinstance(each, NotAnalysable)), None)
    if refused is not None:
        return refused
    try:
        return after(node, [each for each in inputs if isinstance(each, Signal)])
    except NotAnalysable as error:
        return NotAnalysable(f"{node.name}: {error}")
    except ValueError as error:
        raise ValueError(f"{node.name}: {error}") from None


def after(node: Node, inputs: Sequence[Signal[C]]) -> Signal[C]:
    """Return the signal behind a place, of those of its inputs."""
    match node.op:
        case Drawn():
            return _drawn(inputs[0], node.op, node.name)
        case Fixed():
            return _fixed(replace(inputs[0], twice=frozenset()), node.op)
        case Pointwise() | Gate():
            return _mapped(replace(inputs[0], twice=frozenset()), node.op)
        case Unknown():
            raise refuse(node.op)
    first, *others = inputs
    x = reduce(_sum if node.op == "sum" else _concat, others, replace(first, twice=frozenset()))
    return replace(x, divisors=tuple(sorted({*x.divisors, math.lcm(*x.divisors)})))


def _drawn(x: Signal[C], layer: Drawn, name: str) -> Signal[C]:
    if layer.inputs != x.channels:
        raise ValueError(complaint("channels", x.channels, f"{layer.inputs}, as the next layer takes"))
    up, down = (1, layer.factor) if layer.op == "conv" else (layer.factor, 1)
    alike = x.alike or layer.groups == 1
    gaussian = layer.width > 1 or x.channels == 1
    part = Part(x.moments.drawn(layer).named(name), 1.0, gaussian, frozenset({name}), offsets=_biases(layer))
    return Signal(
        {name: part},
        layer.outputs,
        x.rate * up / down,
        _resampled(x.divisors, up, down),
        alike=alike,
        linear=x.linear,
        narrowest=x.narrowest if x.linear else _fewest(x.narrowest, layer.width),
        terms=_fewest(x.terms, layer.terms) if x.linear else x.terms,
    )


def _biases(layer: Drawn) -> Offsets:
    uniform = layer.bias and layer.bias_law == "uniform"
    return Offsets((float(layer.bias),), layer.factor if layer.op == "shuffle" else 1) if uniform else NONE


def _resampled(divisors: tuple[int, ...], up: int, down: int) -> tuple[int, ...]:
    """Return where lines may be: new ones at multiples of sr/up; a decimation folds them."""
    found = divisors if up == 1 else (1, *(up * M for M in divisors))
    return tuple(sorted({M // math.gcd(M, down) for M in found}))


def _fixed(x: Signal[C], u: Fixed) -> Signal[C]:
    if u.gain is not None:
        return replace(x, parts={key: replace(p, gain=u.gain * p.gain) for key, p in x.parts.items()})
    parts: dict[Hashable, Part[C]] = {
        (key, u): replace(p, moments=p.moments.fixed(u), stage=None, before=None, offsets=NONE)
        for key, p in x.parts.items()
    }
    d = _resampled(x.divisors, u.factor, u.stride)
    return replace(x, parts=parts, rate=x.rate * u.factor / u.stride, divisors=d)


def _mapped(x: Signal[C], stage: Pointwise | Gate) -> Signal[C]:
    name = "gate" if isinstance(stage, Gate) else stage.name
    if not x.gaussian:
        hint = "nothing is said of maps behind identity skips around maps, constants, depthwise kernels, concatenations"
        raise NotAnalysable(complaint(name, "values that are not Gaussian", "a drawn convolution before", hint))
    halves = name in ("gate", "glu")
    if halves and x.channels % 2:
        raise ValueError(complaint("channels", x.channels, f"an even number, for {name}"))
    key = (stage, frozenset((key, p.gain) for key, p in x.parts.items()))
    before = x.moments
    part = Part(before.mapped(stage, x.offsets), 1.0, False, x.roots, stage, before)
    channels = x.channels // 2 if halves else x.channels
    return replace(x, parts={key: part}, channels=channels, linear=False, narrowest=_fewest(x.narrowest, x.terms))


def _sum(x: Signal[C], y: Signal[C]) -> Signal[C]:
    if x.channels != y.channels:
        raise ValueError(complaint("channels of branches", f"{x.channels} and {y.channels}", "equal numbers"))
    if not (x.alike or y.alike):
        raise NotAnalysable(complaint("sum", "two concatenations", "channels that are alike in one of them"))
    more, less = (x, y) if len(x.parts) >= len(y.parts) else (y, x)  # what a layer is the sum of, at first
    parts = dict(more.parts)
    for key, p in less.parts.items():
        parts[key] = replace(p, gain=p.gain + parts[key].gain) if key in parts else p
    _independent(parts.values())
    return replace(_common(x, y), parts=parts, alike=x.alike and y.alike)


def _independent(parts: Iterable[Part[C]]) -> None:
    for p, q in combinations(parts, 2):
        if shared := p.roots & q.roots:
            got = f"signals that are both made of {', '.join(sorted(shared))}"
            raise NotAnalysable(complaint("sum", got, "a drawn convolution on all ways but one"))


def _concat(x: Signal[C], y: Signal[C]) -> Signal[C]:
    moments = x.moments.beside(y.moments, x.channels / (x.channels + y.channels))
    part = Part(moments, 1.0, False, x.roots | y.roots)
    key = ("concat", *((key, p.gain) for each in (x, y) for key, p in each.parts.items()))
    joined = replace(_common(x, y), parts={key: part}, channels=x.channels + y.channels, alike=False)
    return replace(joined, twice=x.twice | (x.roots & y.roots))


def _common(x: Signal[C], y: Signal[C]) -> Signal[C]:
    if x.rate != y.rate:
        hint = "a skip joins samples of one rate"
        raise ValueError(complaint("rates of branches", f"{x.rate}, {y.rate}", "one rate", hint))
    d = tuple(sorted({*x.divisors, *y.divisors}))
    narrowest, terms = _fewest(x.narrowest, y.narrowest), _fewest(x.terms, y.terms)
    return replace(x, divisors=d, linear=x.linear and y.linear, narrowest=narrowest, terms=terms)


def _fewest(*numbers: int) -> int:
    """Return the least of those that are not 0."""
    return min(filter(None, numbers), default=0)
