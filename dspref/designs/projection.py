"""The nearest taps that make no tone, of any order: the orthogonal projection, exact on Fractions.

Taps h of a layer of factor s are *tone-free of order p* if they have p-fold zeros at all k/s, k = 1 … s − 1. It is the
same that the moments ``Σ_{n ≡ r mod s} h[n] nʲ`` of all phases r are equal, for j = 0 … p − 1, and that
``box_s(z)ᵖ`` divides H(z). These are p(s − 1) linear conditions ``A h = 0`` on K taps, independent of each other as
long as the degree of the divisor is not above that of the taps, p(s − 1) ≤ K − 1.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_integer, as_numbers, complaint, frozen


def tone_free(taps: ArrayLike, s: int, *, order: int = 1, keep_gain: bool = False) -> Array:
    """Return the nearest taps, in the least-squares sense, whose s phases have equal moments below `order`.

    Of order 1 the moments are the gains. With g_r the sum and n_r the number of taps of phase r,
    ``h′[n] = h[n] + (G − g_r)/n_r`` for n ≡ r (mod s): to change a sum by d with n numbers costs least, d²/n, if each
    changes by d/n. The gain G that costs least is ``Σ_r (g_r/n_r) / Σ_r (1/n_r)``, which is the mean of the g_r where
    s divides the number of taps; this is the orthogonal projection. Of order p it is ``h′ = P h``, P of `projector`.
    Symmetric taps stay symmetric.

    Eq. 2.9.

    Parameters
    ----------
    taps : array (..., taps)
        Integers become Fractions, and those and symbols are exact; floats keep their dtype.
    s : int
        Upsampling factor, at least 2.
    order : int
        p: zeros at k/s are p-fold, so that the notch there is flat.
    keep_gain : bool
        The sum of the taps stays: the nearest among those of the same gain.

    Returns
    -------
    array (..., taps)

    Raises
    ------
    NotAnalysable
        If there are fewer taps than s: some phases are empty, and only taps that pass no constant make no tone. Or if
        they are too few for the order, which is at most ⌊(K − 1)/(s − 1)⌋.

    Examples
    --------
    >>> tone_free([1, 1, 1], 2)
    array([Fraction(2, 3), Fraction(4, 3), Fraction(2, 3)], dtype=object)
    >>> tone_free([1, 1, 1], 2, keep_gain=True)
    array([Fraction(3, 4), Fraction(3, 2), Fraction(3, 4)], dtype=object)
    >>> [str(tap) for tap in tone_free([1, 2, 0, 0], 2, order=2)]  # a multiple of (1 + z⁻¹)²
    ['11/10', '9/5', '3/10', '-2/5']
    """
    h, s, p = as_numbers("taps", taps), as_integer("factor", s, 2), as_integer("order", order, 1)
    if h.ndim == 0 or h.size == 0:
        raise ValueError(complaint("taps", f"shape {h.shape}", "at least one tap"))
    check_order(h.shape[-1], s, p)
    if h.dtype.kind == "O" and 0 < sum(isinstance(v, (float, np.floating)) for v in h.flat) < h.size:
        raise TypeError(complaint("taps", "floats among exact numbers", "all exact or all floats", "use Fractions"))
    exact = _rational(h) if h.dtype.kind in "iuO" else h.astype(complex if h.dtype.kind == "c" else float)
    near = _of_gains(exact, s, keep_gain) if p == 1 else _of_moments(exact, s, p, keep_gain)
    return frozen(near if near.dtype == object else near.astype(h.dtype))


def longest_order(K: int, s: int) -> int:
    """Return the highest order that K taps have room for: ``⌊(K − 1)/(s − 1)⌋``, 0 where a phase is empty.

    Parameters
    ----------
    K, s : int
        Taps and factor, the factor at least 2.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there is no tap, or the factor is below 2.

    Examples
    --------
    >>> [longest_order(K, 8) for K in (7, 8, 15, 16)]
    [0, 1, 2, 2]
    """
    return (as_integer("taps", K, 1) - 1) // (as_integer("factor", s, 2) - 1)


def check_order(K: int, s: int, p: int) -> None:
    """Refuse taps that are too few for an order, and say the highest there is."""
    if s > K:
        got = f"{K} taps for factor {s}, {s - K} phases without a tap"
        raise NotAnalysable(complaint("tone-free taps", got, f"at least {s} taps", "an empty phase has gain 0"))
    if p > longest_order(K, s):
        got, allowed = f"{p} with {K} taps of factor {s}", f"at most {longest_order(K, s)}"
        raise NotAnalysable(complaint("order", got, allowed, f"order {p} takes {p * (s - 1) + 1} taps"))


@lru_cache(maxsize=64)
def projector(K: int, s: int, *, order: int = 1) -> Array:
    """Return the matrix P of the projection on tone-free taps: ``P = I − Aᵀ(AAᵀ)⁻¹A``, exact.

    Row (j, r) of A is ``[n ≡ r] nʲ − [n ≡ 0] nʲ``, r = 1 … s − 1, j = 0 … p − 1. Order 1 has a closed form, which long
    kernels need: to solve takes K³ operations with Fractions. The trace of P is K − p(s − 1), what
    is free.

    Parameters
    ----------
    K, s : int
        Taps and factor, the factor at least 2.
    order : int
        p.

    Returns
    -------
    array (K, K) of Fraction
        Symmetric, and its own square.

    Raises
    ------
    NotAnalysable
        If there are fewer taps than s, or too few for the order.

    Examples
    --------
    >>> P = projector(3, 2)
    >>> [str(v) for v in P[0]], str(P.trace())
    (['2/3', '1/3', '-1/3'], '2')
    """
    K, s, p = as_integer("taps", K, 1), as_integer("factor", s, 2), as_integer("order", order, 1)
    check_order(K, s, p)
    return frozen(_equal_gains(K, s) if p == 1 else _equal_moments(K, s, p))


def _equal_gains(K: int, s: int) -> Array:
    """Of order 1, with n_r taps of phase r: ``P[a, b] = [a = b] − [a ≡ b]/n_r(a) + 1/(n_r(a) n_r(b) Σ_r 1/n_r)``."""
    share = np.array([Fraction(1, len(range(r, K, s))) for r in range(s)], object)
    M = np.multiply.outer(share, share) / share.sum() - np.diag(share)
    phase = np.arange(K) % s
    P = M[np.ix_(phase, phase)]
    P[np.diag_indices(K)] += Fraction(1)
    return np.asarray(P)


def _equal_moments(K: int, s: int, p: int) -> Array:
    """By ``I − Aᵀ(AAᵀ)⁻¹A``."""
    n = [Fraction(m) for m in range(K)]
    rows = [
        [(m % s == r) * n[m] ** j - (m % s == 0) * n[m] ** j for m in range(K)] for j in range(p) for r in range(1, s)
    ]
    A = np.array(rows, object)
    return np.asarray(np.array([[Fraction(a == b) for b in range(K)] for a in range(K)]) - A.T @ _solved(A @ A.T, A))


def _solved(M: Array, B: Array) -> Array:
    """Return M⁻¹B of Fractions, M positive definite, so that no pivot is 0: by Gauss and Jordan."""
    T = np.concatenate([M, B], axis=1)
    for i in range(len(M)):
        T[i] = T[i] / T[i, i]
        for row in range(len(M)):
            if row != i and T[row, i]:
                T[row] = T[row] - T[row, i] * T[i]
    return T[:, len(M) :]


def _of_gains(h: Array, s: int, keep_gain: bool) -> Array:
    """Project on equal gains, by the closed form."""
    n = [len(range(r, h.shape[-1], s)) for r in range(s)]
    gains = [h[..., r::s].sum(axis=-1) for r in range(s)]
    whole = sum(Fraction(1, m) for m in n)
    shares = [Fraction(1, s) if keep_gain else Fraction(1, n[r]) / whole for r in range(s)]
    number: Callable[[Fraction], Any] = (lambda q: q) if h.dtype == object else float
    G = sum(number(share) * gain for share, gain in zip(shares, gains, strict=True))
    for r in range(s):
        h[..., r::s] += np.asarray((G - gains[r]) * number(Fraction(1, n[r])))[..., None]
    return h


def _of_moments(h: Array, s: int, p: int, keep_gain: bool) -> Array:
    """Project by P; to keep the sum, add what is missing along P 1, the direction in which it grows fastest."""
    P = projector(h.shape[-1], s, order=p)
    u = P.sum(axis=-1)
    exact = h.dtype == object
    near = np.asarray(h @ (P if exact else P.astype(float)))
    if not keep_gain:
        return near
    missing = h.sum(axis=-1) - near.sum(axis=-1)
    along = u / u.sum()
    return np.asarray(near + np.multiply.outer(missing, along if exact else along.astype(float)))


def _rational(h: Array) -> Array:
    """Return a copy whose integers are Fractions: an int over an int would be a float."""
    plain = (int, np.integer)
    return np.asarray(np.frompyfunc(lambda v: Fraction(int(v)) if isinstance(v, plain) else v, 1, 1)(h), object)
