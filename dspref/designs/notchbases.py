"""Orthonormal bases of tone-free taps, and of what they are orthogonal to, in floating point.

Taps h[n] of a layer of factor s have p-fold zeros at all k/s, k = 1 … s − 1, if and only if the moments
``Σ_{n ≡ r (mod s)} h[n] nʲ``, j = 0 … p − 1, are the same for every phase r; and if and only if they are a multiple of
``box_s(z)ᵖ``. So there are two ways to the same two spaces, which together are all taps: moments span one of them, and
shifts of the box the other. Rounding spoils moments near the highest order there is, and shifts far from it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dspref.arrays import Array, frozen


@lru_cache(maxsize=64)
def bases(K: int, s: int, p: int) -> tuple[Array, Array]:
    """Return orthonormal bases of the tone-free taps of order p, and of their conditions.

    By moments, unless these miss the box by more than shifts of it can: what they miss, the largest product with a
    shift of norm 1, is a lower bound of their error; and the condition number of the shifts times the unit of rounding
    is an upper one of theirs, in size.

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
    n, A, unit = np.arange(K), shifts(K, s, p), np.finfo(float).eps
    Q = conditions(n, n % s, p)
    missed = float(np.abs(Q @ A.T).max())
    if missed > unit and missed > unit * float(np.linalg.cond(A)):
        whole = np.linalg.qr(A.T, mode="complete")[0].T
        return frozen(whole[: len(A)]), frozen(whole[len(A) :])
    return frozen(np.linalg.qr(Q.T, mode="complete")[0].T[len(Q) :]), frozen(Q)


def shifts(K: int, s: int, p: int) -> Array:
    """Return the multiples ``zⁱ box_s(z)ᵖ`` that have K taps, of norm 1: (K − p(s − 1), K).

    Examples
    --------
    >>> shifts(4, 2, 2) * 6**0.5
    array([[1., 2., 1., 0.],
           [0., 1., 2., 1.]])
    """
    box = np.ones(1)
    for _ in range(p):
        box = np.convolve(box, np.ones(s))
        box /= np.linalg.norm(box)
    free = K - p * (s - 1)
    return np.array([np.pad(box, (i, free - 1 - i)) for i in range(free)])


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
