"""What can be said of any network: the expected spectrum as far as the theory goes, and what is not predicted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from dspref.arrays import NotAnalysable
from dspref.expected.bands import Comb
from dspref.expected.extent import Extent
from dspref.expected.filters import Fixed
from dspref.expected.graph import INPUT, Network, Node, network
from dspref.expected.network import Drawn, Source, Step, Unknown
from dspref.expected.spectrum import Expected, expected_spectrum, spectra
from dspref.expected.walk import Signal, places, started
from dspref.expected.width import FEW, MONO, narrow_warning

MADE = "terms of order 1/width make all of these lines: there may be more, of higher orders"
ADDED = "terms of order 1/width add this much to each line, or take it away"
LEFT = "terms of order 1/width, which were left out, would change each line by this much"
TWICE = (
    "channels here are made of the same signal, {}, and count as independent: terms of order 1/width, and lines that "
    "they make, are stronger than is said, by up to the square of how often it is there"
)
BRANCHES = (
    "branches of this sum start at one signal, rates change on their way, and they count as independent: lines that "
    "terms of order 1/width alone make may be up to 3 dB stronger than is said for each such sum"
)
GROUPS = (
    "the layer before has as many groups, and they are taken for others: lines that terms of order 1/width alone make "
    "may be stronger than is said (seen: 6 dB, four groups)"
)
"""Why something is not predicted."""

EPS = 1e-12
"""Share of the strongest line below which a term is rounding."""

ENDLESS = 1 << 62
"""Longest period of a walk that only asks where the theory ends."""


@dataclass(frozen=True)
class NotPredicted:
    """Something that the expected spectrum does not say.

    Attributes
    ----------
    what : str
        As "LSTM", "relu".
    where : str
        Name of the place.
    why : str
    divisor : int, optional
        M, if it concerns the lines of one comb, at multiples of sr/M.
    db : float, optional
        Level in dB re input power below which each of them is not predicted.
    """

    what: str
    where: str
    why: str
    divisor: int | None = None
    db: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"what": self.what, "where": self.where, "why": self.why, "divisor": self.divisor, "db": self.db}


@dataclass(frozen=True)
class Forecast:
    """What is predicted, and what is not.

    Attributes
    ----------
    expected : Expected or None
        Of the output; None where that is refused.
    partial : tuple of (str, Expected)
        In front of each place that is refused: name of the place before it, and the spectrum to expect there.
    not_predicted : tuple of NotPredicted
    """

    expected: Expected | None
    partial: tuple[tuple[str, Expected], ...]
    not_predicted: tuple[NotPredicted, ...]


def forecast(
    steps: Network | Iterable[Step], source: Source, *, route: str = "auto", width_terms: bool = True
) -> Forecast:
    """Return the spectrum to expect of a network, or of its parts in front of what the theory does not cover.

    Parameters
    ----------
    steps, source, route, width_terms :
        As of `expected_spectrum`. What the terms of finite width make of each line is listed, whether they are added or
        not.

    Returns
    -------
    Forecast

    Raises
    ------
    NotAnalysable
        Where periods are beyond what the full recursion takes, and combs do not hold.
    ValueError
        If channels or rates do not fit.

    Examples
    --------
    >>> from dspref.expected import Drawn
    >>> down, up = Drawn("conv", 1, 8, 4, factor=2), Drawn("convt", 8, 1, 4, factor=2)
    >>> found = forecast([down, Unknown("LSTM"), up], Source(1))
    >>> found.expected, [(each.what, each.where) for each in found.not_predicted]
    (None, [('LSTM', '2'), ('output', '3')])
    >>> [(name, len(expected.combs)) for name, expected in found.partial]
    [('1', 1)]
    """
    net = network(steps)
    refused = tuple(_refused(net, source))
    if not refused:
        on = expected_spectrum(net, source, route=route)
        plain = on.exact or not source.covariance  # then there are no such terms
        off = on if plain else expected_spectrum(net, source, route=route, width_terms=False)
        limits = tuple(_limits(net.output, source, on, off, added=width_terms))
        rough = _rough(net) if any(each.why == MADE for each in limits) else ()
        return Forecast(on if width_terms else off, (), (*limits, *(() if plain else _twice(net, source)), *rough))
    names = dict.fromkeys(name for node, _ in refused for name in node.inputs if name != INPUT)
    stopped = {node.name for node, _ in refused}
    told = [NotPredicted(_what(node), node.name, str(why).removeprefix(f"{node.name}: ")) for node, why in refused]
    if net.output not in stopped:
        why = f"it depends on {', '.join(node.name for node, _ in refused)}"
        told.append(NotPredicted("output", net.output, why))
    reached = zip(names, spectra(net, tuple(names), source, route=route, width_terms=width_terms), strict=True)
    return Forecast(None, tuple(reached), tuple(told))


def _limits(where: str, source: Source, on: Expected, off: Expected, *, added: bool) -> Iterator[NotPredicted]:
    """Yield what finite widths do to a prediction: with these terms, and without."""
    strongest = max(on.noise, *(comb.power for comb in on.combs))
    for a, b in zip(on.combs, off.combs, strict=True):
        term = Comb(a.divisor, abs(a.power - b.power))
        if term.power > EPS * strongest:
            why = LEFT if not added else ADDED if b.power > EPS * strongest else MADE
            yield NotPredicted("1/width", where, why, term.divisor, term.db)
    if source.covariance and (source.mono or source.channels < FEW) and not on.exact:
        yield NotPredicted("mono noise", INPUT, MONO)
    if warning := narrow_warning(on.narrowest):
        yield NotPredicted("narrow layers", where, warning)


def _twice(net: Network, source: Source) -> Iterator[NotPredicted]:
    """Yield the concatenations in which a signal occurs more than once."""
    for node, found in places(started(Extent(1, ENDLESS), source), net.before(net.output)):
        if isinstance(found, Signal) and found.twice:
            yield NotPredicted("shared channels", node.name, TWICE.format(", ".join(sorted(found.twice))))


def _rough(net: Network) -> Iterator[NotPredicted]:
    """Yield where terms of order 1/width lack what two signals have in common."""
    drawn: dict[str, frozenset[str]] = {INPUT: frozenset()}  # layers that a place depends on
    groups: dict[str, int] = {INPUT: 1}  # of the last of them
    since = _since(net)
    sums, rows = list[str](), list[str]()
    for node in net.before(net.output):
        before, layer = [drawn[name] for name in node.inputs], isinstance(node.op, Drawn)
        drawn[node.name] = frozenset[str]().union(*before, {node.name} if layer else set())
        groups[node.name] = last = groups[node.inputs[0]]
        if isinstance(node.op, Drawn):
            groups[node.name] = node.op.groups
            rows += [node.name] if 1 < node.op.groups == last < node.op.inputs else []
        elif node.op == "sum":
            pairs = ((drawn[a], drawn[b]) for a, b in combinations(node.inputs, 2) if since[a] != since[b])
            sums += [node.name] if any(a & b and a != b for a, b in pairs) else []
    for names, why in ((sums, BRANCHES), (rows, GROUPS)):
        if names:
            yield NotPredicted("1/width", ", ".join([*names[:3], *(["…"] if len(names) > 3 else [])]), why)


def _since(net: Network) -> dict[str, frozenset[str]]:
    """Return for each place where rates have changed last, on its ways; interpolators of one signal count as one."""
    found: dict[str, frozenset[str]] = {INPUT: frozenset({INPUT})}
    signals: dict[str, str] = {}  # that interpolators look at
    for node in net:
        op, (first, *_) = node.op, node.inputs
        found[node.name] = frozenset[str]().union(*(found[name] for name in node.inputs))
        if isinstance(op, Fixed) and not len(op.h) == op.factor == op.stride == 1:
            signals |= {node.name: first} if op.stride == 1 else {}
            found[node.name] = frozenset({node.name})
        elif isinstance(op, Drawn) and op.factor > 1:
            found[node.name] = frozenset({node.name})
        elif isinstance(op, Drawn) and first in signals:
            found[node.name] = frozenset({f"interpolators behind {signals[first]}"})
    return found


def _refused(net: Network, source: Source) -> Iterator[tuple[Node, NotAnalysable]]:
    """Yield the places where the theory ends, whose inputs are all predicted."""
    behind: set[str] = set()
    for node, found in places(started(Extent(1, ENDLESS), source), net.before(net.output)):
        if isinstance(found, NotAnalysable):
            if not behind & set(node.inputs):
                yield node, found
            behind.add(node.name)


def _what(node: Node) -> str:
    if isinstance(node.op, Unknown):
        return node.op.what
    return node.op if isinstance(node.op, str) else getattr(node.op, "name", "gate")
