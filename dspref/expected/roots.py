"""What is random in covariances, and how much two such have in common: as arrays by rows, lags and differences.

Three kinds: what a place has altogether, behind a layer that changes the rate; what is left of an average over C
channels; and a fixed filter of either, for u and u' of one signal that filters look at side by side.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from math import lcm
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import Array
from dspref.expected.filters import Fixed
from dspref.expected.lagged import both_ways, filtered, products, resized
from dspref.expected.reach import Reach


@dataclass(frozen=True, eq=False)
class Linear:
    """What a channel has of that of another place: ``a x``.

    Attributes
    ----------
    a : float
    lags : array (lags,)
    D : array (lags, P)
        Autocovariance of x.
    """

    a: float
    lags: Array
    D: Array

    def times(self, factor: float) -> Linear:
        """Return it times a number."""
        return Linear(factor * self.a, self.lags, self.D)

    def plus(self, other: Linear) -> Linear:
        """Return the sum of two of one place."""
        return Linear(self.a + other.a, self.lags, self.D)


@dataclass(frozen=True, eq=False)
class Own:
    """All that a place has: T, and if it is the sum of filters, those."""

    key: Hashable
    T: Array
    members: Any = ()


@dataclass(frozen=True, eq=False)
class Sampled:
    """What C channels leave of a mean: S, and what is in it of channels of other places."""

    key: Hashable
    S: Array
    parts: Mapping[Hashable, Linear]
    channels: int
    reach: Reach


@dataclass(frozen=True, eq=False)
class Filtered:
    """A fixed filter of T + S."""

    key: Hashable
    u: Fixed
    T: Array
    reach: Reach


Root: TypeAlias = Own | Sampled | Filtered


@lru_cache(maxsize=256)
def covariance(r: Root, s: Root) -> Array | None:
    """Return ``E δr[n, m] δs[n + τ, m + τ + d]``, averaged over n, at lags −N … N; None where it is 0.

    Parameters
    ----------
    r, s : Own, Sampled or Filtered

    Returns
    -------
    array (rows, 2N + 1, 2W + 1) or None

    Examples
    --------
    >>> D = np.array([[0.5]])
    >>> x, y = (Sampled(a, np.ones((1, 1, 1)), {"x": Linear(a, np.zeros(1, int), D)}, 8, Reach()) for a in (1.0, 2.0))
    >>> float(covariance(x, y)[0, 0, 0]) == (2 * 0.5) ** 2 / 8
    True
    """
    alike = r is s or (r.key is not None and r.key == s.key)
    if isinstance(r, Own) and isinstance(s, Own):
        return both_ways(r.T) if alike else None
    if isinstance(r, Filtered) and isinstance(s, Filtered):
        return _of_filters(r, s) if alike else None
    if isinstance(r, Sampled) and isinstance(s, Sampled):
        return both_ways(r.S) if alike else _of_channels(r, s)
    return None


def _of_filters(r: Filtered, s: Filtered) -> Array:
    X, Y = (filtered(a.u, r.T, r.reach, b.u) for a, b in ((r, s), (s, r)))
    shape = np.maximum(X.shape, Y.shape)
    return both_ways(*(resized(each, *shape[1:]) for each in (X, Y)))


def _of_channels(r: Sampled, s: Sampled) -> Array | None:
    """Return ``D[n, τ] D[m, τ + d]/C``, D what linear parts have in common."""
    if r.channels != s.channels or not (names := r.parts.keys() & s.parts.keys()):
        return None
    pairs = [(r.parts[name], s.parts[name]) for name in sorted(names, key=str)]
    lags, D = reduce(_added, ((x.lags, x.a * y.a * x.D) for x, y in pairs))
    return both_ways(products(D, lags, r.reach | s.reach) / r.channels)


def _added(x: tuple[Array, Array], y: tuple[Array, Array]) -> tuple[Array, Array]:
    lags, P = np.union1d(x[0], y[0]), lcm(x[1].shape[1], y[1].shape[1])
    D = np.zeros((len(lags), P))
    for own, each in (x, y):
        D[np.searchsorted(lags, own)] += np.tile(each, (1, P // each.shape[1]))
    return lags, D
