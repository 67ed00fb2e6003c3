"""Orthonormal bases of tone-free taps, and of what they are orthogonal to, in floating point.

Taps h[n] of a layer of factor s have p-fold zeros at all k/s, k = 1 … s − 1, if and only if the moments
``Σ_{n ≡ r (mod s)} h[n] nʲ``, j = 0 … p − 1, are the same for every phase r; and if and only if they are a multiple of
``box_s(z)ᵖ``. So there are two ways to the same two spaces, which together are all taps: moments span one of them, and
shifts of the box the other. Rounding spoils moments of high orders; shifts are nearly dependent, and are made
orthonormal in integers, which takes longer the more there are.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from dspref.arrays import Array, frozen

UNIT = float(np.finfo(float).eps)


@lru_cache(maxsize=64)
def bases(K: int, s: int, p: int) -> tuple[Array, Array]:
    """Return orthonormal bases of the tone-free taps of order p, and of their conditions.

    By moments, where these are `sound`; else by multiples of the box.

    Parameters
    ----------
    K, s, p : int
        Taps, factor and order.

    Returns
    -------
    arrays (K − p(s − 1), K) and (p(s − 1), K)

    Examples
    --------
    >>> U, Q = bases(4, 2, 3)
    >>> bool(np.allclose(np.abs(U), np.array([1, 3, 3, 1]) / 20**0.5)), bool(np.allclose(U.T @ U + Q.T @ Q, np.eye(4)))
    (True, True)
    """
    n, free = np.arange(K), K - p * (s - 1)
    Q = conditions(n, n % s, p)
    if sound(Q, n, n % s, p):
        return frozen(np.linalg.qr(Q.T, mode="complete")[0].T[len(Q) :]), frozen(Q)
    whole = np.linalg.qr(multiples(K, s, p).T, mode="complete")[0].T
    return frozen(whole[:free]), frozen(whole[free:])


def multiples(K: int, s: int, p: int) -> Array:
    """Return an orthonormal basis (K − p(s − 1), K) of the multiples ``q(z) box_s(z)ᵖ`` that have K taps.

    Szegő's recurrence, ``v′ = z v − λ v*`` with v* the taps v in reverse and λ what makes v′ orthogonal to v*: then v′
    is orthogonal to all shifts before it. In integers, scaled by 2ᴮ. Each step rounds by 1 at most and magnifies what
    rounding has left by ``1 + abs(λ)``, so B is doubled until all that is below the last bit of doubles.

    Examples
    --------
    >>> np.round(multiples(4, 2, 2) * 6**0.5, 3)
    array([[ 1.   ,  2.   ,  1.   ,  0.   ],
           [-0.894, -0.447,  1.789,  1.342]])
    """
    box = np.array([1], object)
    for _ in range(p):
        box = np.convolve(box, np.array([1] * s, object))
    bits = 128
    while (found := _recurrence(box << bits, K - p * (s - 1), bits)) is None:
        bits *= 2
    return found


def _recurrence(v: Array, count: int, bits: int) -> Array | None:
    """Return so many of the vectors of Szegő's recurrence, of norm 1; None if the bits are too few."""
    K, growth, found = len(v) + count - 1, 0.0, list[Array]()
    for i in range(count):
        norm = math.isqrt(int(v @ v))
        if norm.bit_length() < 64 + 2 * math.log2(K) + growth:
            return None
        found.append(np.pad(((v << 64) // norm).astype(float) * 2.0**-64, (0, count - 1 - i)))
        ahead, back = np.append(0, v), np.append(v[::-1], 0)
        ratio = (int(ahead @ back) << bits) // int(back @ back)
        growth += math.log2(1 + abs(ratio) / (1 << bits))
        v = ahead - ((ratio * back) >> bits)
    return np.array(found)


def conditions(positions: Array, phases: Array, order: int) -> Array:
    """Return an orthonormal basis (p(s − 1), taps) of what tone-free taps are orthogonal to, by moments.

    It spans ``(1_r − 1_0) tʲ``, with 1_r the indicator of phase r and t the positions, centred and scaled, which
    changes no span. Powers of t would be ill-conditioned: each block is t times the *orthonormal* one before, made
    orthogonal to all before it, as Arnoldi's process does.

    Parameters
    ----------
    positions, phases : array (taps,)
    order : int

    Examples
    --------
    >>> np.abs(conditions(np.arange(4), np.arange(4) % 2, 1))
    array([[0.5, 0.5, 0.5, 0.5]])
    """
    t = positions - (positions.max() + positions.min()) / 2
    t = t / np.abs(t).max()
    block = np.equal.outer(np.arange(1, phases.max() + 1), phases) - (phases == 0).astype(float)
    Q = np.empty((0, len(t)))
    for _ in range(order):
        for _ in range(2):  # what rounding leaves of the first pass, the second takes away
            block = block - block @ Q.T @ Q
        block = np.linalg.qr(block.T)[0].T
        Q, block = np.concatenate([Q, block]), block * t
    return Q


def sound(Q: Array, positions: Array, phases: Array, order: int) -> bool:
    """Return whether rounding has left `conditions` those that they are: whether the taps in reverse have the same.

    The same moments, taken with the signs of t and in another order of the phases, are rounded otherwise. What one of
    both spans of taps has beyond the other tells their errors, which may be m·K·u in size, as those of QR of m rows.

    Examples
    --------
    >>> n = np.arange(64)
    >>> [sound(conditions(n, n % 8, p), n, n % 8, p) for p in (2, 9)]
    [True, False]
    """
    other = conditions(-positions, phases.max() - phases, order)
    return bool(np.linalg.norm(Q - Q @ other.T @ other, 2) <= Q.size * UNIT)
