"""Maps without a closed form: Mehler's series.

For Gaussian x, y of variances q₁, q₂ and correlation ρ, and φ(√q ξ) = Σ_j a_j(q) h_j(ξ) in the orthonormal Hermite
polynomials h_j,

    E φ(x) φ(y) = Σ_j a_j(q₁) a_j(q₂) ρ^j,    a_j(q) = E φ(√q ξ) h_j(ξ).

What the terms up to J leave out is at most ``√(r(q₁) r(q₂)) |ρ|^(J+1)``, by Cauchy and Schwarz, where
``r(q) = E φ² − Σ_{j ≤ J} a_j²`` is known. It is added as if it all stood at J + 1: right where ρ = 1 and q₁ = q₂, and
never farther off than twice that bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from dspref.arrays import Array, as_real, complaint, frozen
from dspref.expected.blocks import distinct, in_blocks

Map: TypeAlias = Callable[[Array], Array]

FEWEST, MOST = 64, 512
"""Terms of a series: doubled until r is rounding, or these are reached."""

ROUNDING = 1e-12
"""Share of E φ² below which nothing is left: variances of up to 1, but for maps with a kink."""

NOTHING = 1e-24
"""Share of E φ² of a term that changes no digit, nor do those behind it."""

REACH = 26.0
"""End of the integrals: a Hermite function times what is left of the Gaussian is below 1e−70 there."""

SMALL = 1 << 13
"""Terms that are summed at once; of more, one after the other is faster, and takes less memory."""

WIDEST = 1e8
"""Largest variance that is summed."""


@lru_cache(maxsize=32)
def nodes(halvings: int) -> tuple[Array, Array]:
    """Return nodes ξ and weights w, ``Σ w f(ξ) ≈ E f(ξ)``: Gauss–Legendre panels of 20 nodes, finer towards 0.

    Maps may have a kink at 0, and poles as near to it as 1/√q: the first panel ends at 2^−(1 + halvings), each next
    one is as long as all before it, up to 1/2.
    """
    ends = [0.0, 0.5 ** (1 + halvings)]
    while ends[-1] < REACH:
        ends.append(ends[-1] + min(ends[-1], 0.5))
    x, w = np.polynomial.legendre.leggauss(20)
    a, b = np.array(ends[:-1])[:, None], np.array(ends[1:])[:, None]
    half = ((a + b + (b - a) * x) / 2).ravel()
    weight = ((b - a) / 2 * w).ravel() * np.exp(-(half**2) / 2) / np.sqrt(2 * np.pi)
    return frozen(np.concatenate([-half[::-1], half])), frozen(np.concatenate([weight[::-1], weight]))


@lru_cache(maxsize=8)
def _basis(halvings: int, terms: int) -> Array:
    return frozen(hermite(nodes(halvings)[0], terms).T)


def hermite(x: Array, terms: int) -> Array:
    """Return h_0 … h_{terms−1} at x, (terms, n): ``h_{j+1} = (x h_j − √j h_{j−1})/√(j+1)``."""
    h = np.ones((terms, x.size))
    h[1:2] = x
    for j in range(1, terms - 1):
        h[j + 1] = (x * h[j] - np.sqrt(j) * h[j - 1]) / np.sqrt(j + 1)
    return h


def coefficients(f: Map, q: Array, *, terms: int | None = None) -> tuple[Array, Array]:
    """Return a_j(q), (n, terms), and what they leave, r(q), (n,).

    Parameters
    ----------
    f : callable
    q : array (n,)
        Variances.
    terms : int, optional
        J + 1; by default the fewest of 64, 128, 256 and 512 that leave rounding, or 512.

    Examples
    --------
    >>> a, r = coefficients(np.tanh, np.array([1.0]))
    >>> float(a[0, 1].round(6)), bool(r[0] < 1e-12)
    (0.605706, True)
    """
    q = as_real("variance", q)
    if q.size and (q.min() < 0 or q.max() > WIDEST):
        raise ValueError(complaint("variance", f"{q.min():g} to {q.max():g}", f"0 to {WIDEST:g}"))
    halvings = max(0, math.ceil(math.log2(max(float(q.max(initial=0.0)), 1e-9)) / 2))
    x, w = nodes(halvings)
    y = f(np.sqrt(q)[:, None] * x)
    power = (w * y**2).sum(axis=1)
    J = FEWEST if terms is None else terms
    while True:
        a = (w * y) @ _basis(halvings, J)
        rest = np.maximum(power - (a**2).sum(axis=1), 0)
        if terms is not None or J >= MOST or (rest <= ROUNDING * power).all():
            return a, rest
        J *= 2


def series(f: Map, *, widest: float = WIDEST) -> Callable[[Array, Array, Array], Array]:
    """Return V(q₁, q₂, c) of a map by its series; coefficients are found once for each variance that occurs.

    Parameters
    ----------
    f : callable
    widest : float
        Largest variance that it is asked for.

    Examples
    --------
    >>> V = series(np.tanh)
    >>> float(V(np.array(1.0), np.array(1.0), np.array(1.0)).round(6))
    0.394294
    """

    @lru_cache(maxsize=16)
    def found(variances: bytes) -> Array:
        a, rest = coefficients(f, np.frombuffer(variances))
        counts = (a**2 > NOTHING * (a**2).sum(axis=1, keepdims=True)).any(axis=0)
        there = np.flatnonzero(counts)
        paired = len(there) > 0 and len(set((there % 2).tolist())) == 1  # an odd map, or an even one
        a = np.where(counts, a, 0)[:, : int(there.max(initial=0)) + 1]
        zeros = np.zeros((len(a), int(paired)))
        return np.concatenate([a, zeros, np.sqrt(rest)[:, None]], axis=1)

    def V(q1: Array, q2: Array, c: Array) -> Array:
        q = np.union1d(distinct(q1), distinct(q2))
        if q.max(initial=0.0) > widest:
            hint = "beyond it the map is a step, and its terms fall too slowly to be summed; lower the gain before it"
            raise ValueError(complaint("variance in front of a map", f"{q.max():g}", f"at most {widest:g}", hint))
        a, i, j = found(q.tobytes()), np.searchsorted(q, q1), np.searchsorted(q, q2)
        return in_blocks(lambda i, j, rho: _summed(a, i, j, rho), i, j, correlation(q1, q2, c))

    return V


def _summed(a: Array, i: Array, j: Array, rho: Array) -> Array:
    """Return ``Σ_k a_ik a_jk ρ^k``; of odd or even maps every other term alone."""
    if rho.size * a.shape[1] <= SMALL:
        return np.asarray((a[i] * a[j] * rho[..., None] ** np.arange(a.shape[1])).sum(axis=-1))
    there = np.flatnonzero(a.any(axis=0)) % 2
    step = 2 if len(set(there.tolist())) == 1 else 1
    begin = int(there[0]) if step == 2 else 0
    power, total = rho**step, np.zeros(np.broadcast_shapes(i.shape, j.shape, rho.shape))
    for term in a.T[begin::step][::-1]:  # Horner's rule: the series in ρ from its last term
        total *= power
        total += term[i] * term[j]
    return total * rho if begin else total


def correlation(q1: Array, q2: Array, c: Array) -> Array:
    """Return ``ρ = c/√(q₁q₂)``, within ±1; 0 where a variance is 0."""
    scale = np.sqrt(q1) * np.sqrt(q2)
    return np.asarray(np.clip(np.divide(c, scale, out=np.zeros(np.broadcast(scale, c).shape), where=scale > 0), -1, 1))
