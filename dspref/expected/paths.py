"""What covariances of two places have in common: both are made of the same fluctuations, as branches of one signal are.

The covariance c of a place (`dspref.expected.spread`) deviates from its mean by what is random in front of it, the
roots r of `dspref.expected.roots`. Layers and maps of one rate carry each on along the diagonal:

    δc[n, m] = Σ_r Σ_t h_r[m − n, t] δr[n + t, m + t]
    drawn convolution   h'[b, t] = g Σ_j h[b, t − jD + p]      map   h' = V'(b) h      gain α   h' = α² h

and of two places A and B, which a sum adds,

    E δc_A[n, m] δc_B[n + τ, m + τ + d] = Σ_{r, r'} Σ_{t, t'} h_r[b, t] h_r'[b + d, t'] E δr δr'[b; τ + t' − t, d].

The sum has T_A + T_B and this twice, once with A and B in turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from dspref.arrays import Array
from dspref.expected.network import Drawn
from dspref.expected.reach import Reach
from dspref.expected.roots import Filtered, Own, Root, covariance


@dataclass(frozen=True, eq=False)
class Path:
    """A response to one root, ``h[b, t] = v[b] a[t]``: maps make v, and kernels a.

    Attributes
    ----------
    v : array (rows,)
    a : array (taps,)
    start : int
        t of the first tap.
    at : array (rows,)
        Which row of the root each row is.
    """

    v: Array
    a: Array
    start: int
    at: Array

    @classmethod
    def unit(cls, rows: int, start: int = 0) -> Path:
        """Return that of the root itself, so many samples later."""
        return cls(np.ones(rows), np.ones(1), start, np.arange(rows))

    def drawn(self, layer: Drawn) -> Path:
        """Return it behind a convolution of stride 1."""
        taps = np.zeros((layer.length - 1) * layer.dilation + 1)
        taps[:: layer.dilation] = float(layer.gain)
        first = layer.padding - len(taps) + 1 if layer.op == "convt" else -layer.padding  # "convt" looks back
        return Path(self.v, np.convolve(self.a, taps), self.start + first, self.at)

    def times(self, factor: Array | float) -> Path:
        """Return it under a factor, of each row if they differ."""
        return Path(self.v * factor, self.a, self.start, self.at)

    def rows(self, at: Array) -> Path:
        """Return rows in another order; −1 is a row of zeros."""
        return Path(np.where(at < 0, 0.0, self.v[at]), self.a, self.start, self.at[at])

    @property
    def level(self) -> float:
        """The number that it is, one tap that is the same in all rows; 0 if it is more than that."""
        return float(self.v[0] * self.a[0]) if len(self.a) == 1 and np.ptp(self.v) == 0 else 0.0


Paths: TypeAlias = tuple[tuple[Root, Path], ...]


def common(a: Paths, b: Paths, reach: Reach) -> Array | None:
    """Return ``E δc_A[n, m] δc_B[n + τ, m + τ + d]`` and the same of B and A; None if they have nothing in common.

    Returns
    -------
    array (rows, lags, 2W + 1) or None
        As far as it is asked for.

    Examples
    --------
    >>> root, unit = Own("x", np.ones((1, 1, 1))), Path.unit(1)
    >>> conv = unit.drawn(Drawn("conv", 1, 1, 3, weight=1, padding=1))
    >>> common(((root, unit),), ((root, conv),), Reach(2, 0)).ravel()  # twice, and all of it at lags -1 … 1
    array([2., 2.])
    """
    sums = {root.key for root, _ in (*a, *b) if isinstance(root, Own) and root.members}
    if len(sums) > 1 or any(isinstance(root, Filtered) for root, _ in (*a, *b)):
        a, b = opened(a), opened(b)
    pairs = [(p, q, X) for r, p in a for s, q in b if (X := covariance(r, s)) is not None]
    if not pairs:
        return None
    N = min(reach.lags, max(X.shape[1] // 2 + max(map(abs, _shifts(p, q))) for p, q, X in pairs))
    W = min(reach.apart, max(X.shape[2] // 2 for _, _, X in pairs))
    found = np.sum([_carried(p, q, X, N, W) for p, q, X in pairs], axis=0)
    d = np.arange(-W, W + 1)
    back = found[(np.arange(len(found))[:, None] + d) % len(found), :, W - d].swapaxes(1, 2)  # [b + d; −τ, −d]
    return np.asarray(found[:, N:] + back[:, N::-1])


def _carried(p: Path, q: Path, X: Array, N: int, W: int) -> Array:
    """Return ``Σ h[b, t] h'[b + d, t'] X[b; τ + t' − t, d]`` at lags −N … N and d = −W … W."""
    M, w, (first, last) = X.shape[1] // 2, min(X.shape[2] // 2, W), _shifts(p, q)
    most = N + max(abs(first), abs(last))
    wide = np.zeros((len(p.v), 2 * w + 1, 2 * (M + most) + 1))  # lags last: they are what is summed along
    seen = X[p.at % len(X), :, X.shape[2] // 2 - w : X.shape[2] // 2 + w + 1]
    wide[:, :, most : most + 2 * M + 1] = seen.swapaxes(1, 2)
    found = np.zeros((len(p.v), 2 * N + 1, 2 * W + 1))
    within, one = np.zeros((len(p.v), 2 * w + 1, 2 * N + 1)), np.empty((len(p.v), 2 * w + 1, 2 * N + 1))
    for shift, tap in enumerate(np.correlate(q.a, p.a, "full").tolist(), M + most - N + first):
        if tap:
            within += np.multiply(wide[:, :, shift : shift + 2 * N + 1], tap, out=one)
    found[:, :, W - w : W + w + 1] = within.swapaxes(1, 2)
    other = q.v[(np.arange(len(q.v))[:, None] + np.arange(-W, W + 1)) % len(q.v)]
    return np.asarray(found * (p.v[:, None] * other)[:, None])


def _shifts(p: Path, q: Path) -> tuple[int, int]:
    """Return the least and the largest t' − t."""
    return q.start - p.start - len(p.a) + 1, q.start - p.start + len(q.a) - 1


def opened(paths: Paths) -> Paths:
    """Return paths with the sums of filters among roots taken apart."""
    return tuple(each for root, path in paths for each in _members(root, path))


def _members(root: Root, path: Path) -> Paths:
    if not isinstance(root, Own) or not root.members:
        return ((root, path),)
    return tuple(
        (u, replace(path.times(one.level), start=path.start + one.start, at=one.at[path.at])) for u, one in root.members
    )
