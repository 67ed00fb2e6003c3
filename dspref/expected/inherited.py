"""Where the covariance of a place comes from, so that a sum knows what its branches have in common.

A layer meets ĉ, an average over C channels, where δĉ = δc + s: samples of C channels are what s is of. It has the
variance S, and something in common with all that is made of the same channels before: of signals with linear parts
a x and a' x, ``E s s' = a² a'² D D/C``. So has x beside A(x), behind an identity skip, with what A has made of x.
`dspref.expected.paths` says how layers carry all that on, as far as the rate does not change: there it ends, and T of
the place is a root of its own. But for fixed filters of one signal side by side, as a tone-free layer has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dspref.arrays import Array
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.kernelmaps import slope
from dspref.expected.lagged import filtered, total
from dspref.expected.network import Drawn, Gate
from dspref.expected.paths import Path, Paths, common, opened
from dspref.expected.reach import Reach
from dspref.expected.roots import Filtered, Linear, Own, Root

MOST = 64
"""Paths of a place. Each block that adds a branch to what goes into it doubles them; a sum of three of three has 66."""


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a place's covariance comes from, and of what its channels are made.

    Attributes
    ----------
    paths : tuple of (Root, Path)
    parts : mapping of names to Linear
        What each channel has of those of places that drew them.
    label : hashable
        What tells this signal's channels from others; None if nothing does.
    delay : int
        Samples by which it is earlier than what the label says.
    parent : Parent, optional
        Of a fixed filter's output: what was filtered.
    """

    paths: Paths = ()
    parts: Mapping[Hashable, Linear] = field(default_factory=dict)
    label: Hashable = None
    delay: int = 0
    parent: Parent | None = None

    def each(self, change: Callable[[Path], Path]) -> Origin:
        """Return it with all paths changed."""
        paths = tuple((root, change(path)) for root, path in self.paths)
        return Origin(paths, self.parts, self.label, self.delay, self.parent)

    def scaled(self, gain: float) -> Origin:
        """Return that of a signal times a number."""
        if gain in (0, 1):
            return self if gain else NOWHERE
        parts = {name: part.times(gain) for name, part in self.parts.items()}
        label = None if self.label is None else ("times", gain, self.label)
        parent = self.parent and replace(self.parent, moments=self.parent.moments.scaled(gain))
        return replace(self.each(lambda path: path.times(gain**2)), parts=parts, label=label, parent=parent)

    def delayed(self, u: Fixed) -> Origin:
        """Return that behind a filter of one tap."""
        x = self.scaled(float(u.h[0])).each(lambda path: replace(path, start=path.start + u.offset))
        return replace(x, delay=x.delay + u.offset)

    def mapped(self, stage: Pointwise | Gate, q: float) -> Origin:
        """Return that behind a map of values of this variance, without paths; nothing is said of parts of a gate."""
        parts = {}
        if isinstance(stage, Pointwise) and stage.name != "glu":
            parts = {name: part.times(slope(stage, q)) for name, part in self.parts.items()}
        return Origin((), parts, None if self.label is None else (stage, self.label), self.delay)

    def rows(self, at: Array) -> Origin:
        """Return that of rows in another order."""
        return self.each(lambda path: path.rows(at))

    def plus(self, other: Origin, paths: Paths) -> Origin:
        """Return that of a sum."""
        if self.delay != other.delay:
            return Origin(paths)
        parts = dict(self.parts)
        for name, part in other.parts.items():
            parts[name] = part.plus(parts[name]) if name in parts else part
        labels = self.label, other.label
        label = None if None in labels else ("sum", frozenset(labels))
        return Origin(paths, parts, label, self.delay)


@dataclass(frozen=True, eq=False)
class Parent:
    """What was filtered.

    Attributes
    ----------
    u : Fixed
    moments : Moments
        In front of it, which knows its spread, what a layer meets there, and sums and gains.
    """

    u: Fixed
    moments: Any

    @property
    def key(self) -> Hashable:
        """What tells it from others; None if nothing does."""
        origin = self.moments.spread.origin
        return None if origin.label is None else ("filtered", origin.label, origin.delay)

    def plus(self, other: Parent | None) -> Parent | None:
        """Return what the same filter has of a sum; None of another filter."""
        if other is None or self.u != other.u:
            return None
        return Parent(self.u, self.moments.plus(other.moments))


NOWHERE = Origin()
"""Nothing that is known."""


def behind_drawn(layer: Drawn, paths: Paths) -> Origin:
    """Return what is known of a layer's output, by that of its input."""
    if layer.factor > 1:
        return NOWHERE
    return Origin(tuple((root, path.drawn(layer)) for root, path in paths))


def added(T: Array, other: Array, x: Origin, y: Origin, reach: Reach) -> tuple[Array, Origin]:
    """Return T of a sum of two, and where it comes from."""
    parent = x.parent and x.delay == y.delay and x.parent.plus(y.parent)
    if parent:
        T = filtered(parent.u, parent.moments.spread.T, reach)
        return T, replace(x.plus(y, ((Own(None, T), Path.unit(len(T))),)), parent=parent)
    X = common(x.paths, y.paths, reach)
    T = total(T, other) if X is None else total(total(T, other), X)
    return T, x.plus(y, bounded(T, joined(T, (*x.paths, *y.paths))))


def bounded(T: Array, paths: Paths) -> Paths:
    """Return paths; or if they are many, T of the place as one root, which samples of its channels do not know."""
    return paths if len(paths) <= MOST else ((Own(None, T), Path.unit(len(T))),)


def joined(T: Array, paths: Paths) -> Paths:
    """Return paths of a sum: filters of one signal, as a tone-free layer has them, become one root."""
    if not paths or not all(_one_filter(*pair) for pair in paths):
        return paths
    filters = opened(paths)
    scale, start = filters[0][1].level, filters[0][1].start
    members = tuple((u, replace(path.times(1 / scale), start=path.start - start)) for u, path in filters)
    names = Counter((u.key, getattr(u, "u", None), path.level, path.start) for u, path in members)
    key = None if any(u.key is None for u, _ in members) else frozenset(names.items())
    return ((Own(key, T / scale**2, members), Path.unit(len(T), start).times(scale)),)


def _one_filter(root: Root, path: Path) -> bool:
    filters = isinstance(root, Filtered) or (isinstance(root, Own) and bool(root.members))
    return filters and path.level != 0
