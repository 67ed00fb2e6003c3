"""Ways from the input of a module to its output: calls that a signal passes one after another.

Where tensors are added or put beside each other, ways meet: what a chain of layers says holds for one of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction

from torchparity.grown import Flow

MOST = 32
"""Ways that are told apart at one place, the longest of them."""

Way = tuple[int, ...]
"""Numbers of calls in the order in which they run."""


def ways(flow: Flow, chosen: Collection[int]) -> tuple[Way, ...]:
    """Return all ways to the output by the chosen calls on them, the longest first.

    Ways around some of another's calls, as residual connections are, are left out. At most `MOST` are told apart.

    Parameters
    ----------
    flow : Flow
    chosen : collection of int
        Numbers of calls.
    """
    known: dict[int, frozenset[Way]] = {}
    start = frozenset[Way](((),))
    for number in sorted(flow.needed):
        call = flow.record.calls[number]
        met = {known[n] for n in call.takes if n in known} or {start}
        here = next(iter(met)) if len(met) == 1 else _whole(frozenset[Way]().union(*met))
        if number in chosen:
            here = frozenset((*way, number) for way in here)
        known.update(dict.fromkeys(call.gives, here))
    return tuple(sorted(known[flow.output], key=lambda way: (-len(way), way)))


def _whole(found: Iterable[Way]) -> frozenset[Way]:
    """Return the ways that are no part of another."""
    kept: list[Way] = []
    for way in sorted(found, key=lambda way: (-len(way), way)):
        if len(kept) < MOST and not any(within(way, other) for other in kept):
            kept.append(way)
    return frozenset(kept)


def within(part: Way, whole: Way) -> bool:
    """Return whether one way has all calls of another, in their order.

    Examples
    --------
    >>> within((1, 3), (1, 2, 3)), within((3, 1), (1, 2, 3))
    (True, False)
    """
    rest = iter(whole)
    return all(number in rest for number in part)


def finest(flow: Flow, spacing: Mapping[int, Fraction]) -> Way:
    """Return the way that has the finest grid of lines, and then most calls, by their grids.

    What has the grid of another stands beside it, as kernels that UnivNet holds do.

    Parameters
    ----------
    flow : Flow
    spacing : mapping
        Of the lines that each call leaves at the output.
    """
    known: dict[int, Way] = {}
    for number in sorted(flow.needed):
        call = flow.record.calls[number]
        way = max((known.get(n, ()) for n in call.takes), key=lambda way: _reach(way, spacing), default=())
        if number in spacing and spacing[number] not in [spacing[n] for n in way]:
            way = tuple(sorted((*way, number), key=lambda n: spacing[n]))
        known.update(dict.fromkeys(call.gives, way))
    return known[flow.output]


def _reach(way: Way, spacing: Mapping[int, Fraction]) -> tuple[bool, Fraction, int]:
    """Return what orders ways: the finest grid, then the most calls."""
    return bool(way), -spacing[way[0]] if way else Fraction(0), len(way)
