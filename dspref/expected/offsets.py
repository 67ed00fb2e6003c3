"""Biases that are uniform, as Torch draws them, in front of a map: there they count as they are, in wide layers too.

Given its bias b, a value x + b is Gaussian; over all channels it is not. What is averaged over Gaussian biases of
variance s is a smooth function of s, and a uniform bias of variance B is met by a signed mixture of such,

    E φ(x + b) φ(y + b) = Σ_i w_i V(q₁ + s_i − B, q₂ + s_i − B, c + s_i − B),    q₁, q₂, c with b,

whose moments are those of b, ``Σ w_i s_iʲ = E b²ʲ/(2j − 1)!!`` for j = 0 … 3, and so is its density at 0, where maps
have their kinks: ``Σ w_i/√(2π s_i) = p(0)``. Where n and m have biases of their own, as phases of a sub-pixel
convolution do, the mixture is taken for each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from dspref.arrays import Array, frozen

KernelMap: TypeAlias = Callable[[Array, Array, Array], Array]

SHARES = (0.2, 0.4, 0.7, 1.1, 1.6)
"""s_i/B. Any five near 1 would do; with these Σ abs(w_i) is small, and densities at 0 of x + b are right within 1 %."""

SMALL = 1 << 10
"""Numbers for which V is asked for all terms at once."""

FARTHEST, POINTS = 400.0, 40001
"""End, in 1/σ, and points of the integral over a characteristic function."""


@dataclass(frozen=True)
class Offsets:
    """Independent uniform offsets of each channel.

    Attributes
    ----------
    variances : tuple of float
    phases : int
        Samples n and m have the same offsets if n − m is a multiple of it, and independent ones if not.

    Examples
    --------
    >>> Offsets((1.0, 0.25), 4).variance
    1.25
    """

    variances: tuple[float, ...] = ()
    phases: int = 1

    @property
    def variance(self) -> float:
        """B, of their sum."""
        return sum(self.variances)

    def scaled(self, gain: float) -> Offsets:
        """Return the offsets times a number."""
        return Offsets(tuple(gain**2 * v for v in self.variances), self.phases)


NONE = Offsets()
"""No offsets: all is Gaussian."""


def together(offsets: Iterable[Offsets]) -> Offsets:
    """Return the offsets of a sum; where some differ from phase to phase and some do not, those count as Gaussian.

    Examples
    --------
    >>> together([Offsets((1.0,)), Offsets(), Offsets((4.0,)), Offsets((9.0,), phases=2)])
    Offsets(variances=(1.0, 4.0), phases=1)
    """
    there = [each for each in offsets if each.variances]
    phases = min((each.phases for each in there), default=1)
    return Offsets(tuple(v for each in there if each.phases == phases for v in each.variances), phases)


def mixed(V: KernelMap, offsets: Offsets, *, apart: bool = False) -> KernelMap:
    """Return V of values of which a part are offsets, and the rest is Gaussian.

    Eq. 6.11.

    Parameters
    ----------
    V : callable (q₁, q₂, c) → array
        For Gaussian values.
    offsets : Offsets
    apart : bool
        Whether the two values have independent ones.

    Examples
    --------
    >>> square = lambda q1, q2, c: q1 * q2 + 2 * c * c  # E x² y²; of a uniform x = y, 9/5
    >>> one = np.array(1.0)
    >>> bool(np.isclose(mixed(square, Offsets((1.0,)))(one, one, one), 9 / 5))
    True
    """
    if not offsets.variance:
        return V
    w, s = _mixture(offsets.variances)
    if not apart:
        return lambda q1, q2, c: _sum(w, V, s, q1, s, q2, s, c)
    both = np.multiply.outer(w, w).ravel()
    first, second = np.repeat(s, len(s)), np.tile(s, len(s))
    return lambda q1, q2, c: _sum(both, V, first, q1, second, q2, np.zeros(len(both)), c)


def mixed_mean(mean: Callable[[Array], Array], offsets: Offsets, q: Array) -> Array:
    """Return ``E φ(x + b)`` from that of Gaussian values, for variances q of x + b."""
    if not offsets.variance:
        return mean(q)
    w, s = _mixture(offsets.variances)
    return np.asarray(np.tensordot(w, np.stack([mean(q + each) for each in s]), 1))


def _sum(w: Array, V: KernelMap, s1: Array, q1: Array, s2: Array, q2: Array, t: Array, c: Array) -> Array:
    """Return ``Σ_i w_i V(q₁ + s1_i, q₂ + s2_i, c + t_i)``: few numbers at once, of more one term after the other."""
    size = np.broadcast(q1, q2, c)
    if size.size <= SMALL:
        own, a, b, d = (each.reshape(-1, *(1,) * size.ndim) for each in (w, s1, s2, t))
        return np.asarray((own * V(q1 + a, q2 + b, c + d)).sum(axis=0))
    total: Array | float = 0.0
    for weight, a, b, d in zip(w.tolist(), s1.tolist(), s2.tolist(), t.tolist(), strict=True):
        total = total + weight * V(q1 + a, q2 + b, c + d)
    return np.asarray(total)


@lru_cache(maxsize=256)
def _mixture(variances: tuple[float, ...]) -> tuple[Array, Array]:
    """Return w_i and s_i − B."""
    B = sum(variances)
    parts = np.array(variances) / B
    fourth, sixth = -6 / 5 * (parts**2).sum(), 48 / 7 * (parts**3).sum()  # cumulants
    second = 1 + fourth / 3
    moments = [1, 1, second, 1 + fourth + sixth / 15, density(parts) * math.sqrt(2 * math.pi)]
    nodes = np.array(SHARES)
    w = np.linalg.solve(np.array([*(nodes**j for j in range(4)), nodes**-0.5]), moments)
    return frozen(w), frozen(B * (nodes - 1))


def density(variances: Array) -> float:
    """Return the density of a sum of uniform variables at 0, ``1/π ∫ Π_i sinc(a_i t) dt`` over t > 0, a_i = √(3 v_i).

    Examples
    --------
    >>> density(np.array([1 / 3])), density(np.array([1 / 3, 1 / 12]))
    (0.5, 0.5)
    >>> round(density(np.array([1 / 3, 1 / 3, 1 / 3])), 6)  # 3/8
    0.375
    """
    a = np.sort(np.sqrt(3 * variances))[::-1]
    if len(a) < 3:
        return float(1 / (2 * a[0]))  # the narrower one blurs a top that is flat
    t = np.linspace(0, FARTHEST / a[0], POINTS)
    return float(np.trapezoid(np.sinc(a[:, None] * t / np.pi).prod(axis=0), t) / np.pi)
