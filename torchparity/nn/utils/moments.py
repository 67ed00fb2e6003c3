"""The linear conditions on taps that make no tone.

Taps h[n] of a layer of factor s have p-fold zeros at all k/s, k = 1 … s − 1, if and only if the moments

    Σ_{n ≡ r (mod s)} h[n] nʲ,   j = 0 … p − 1,

are the same for every phase r: p(s − 1) linear conditions Ah = 0 on the K taps of each pair of channels. The nearest
taps that meet them are ``Ph``, ``P = I − Aᵀ(AAᵀ)⁻¹A``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dspref.arrays import Array, NotAnalysable, as_integer, complaint, frozen


def longest_order(taps: int, s: int) -> int:
    """Return the highest order that taps of a layer of factor s have room for: ``p(s − 1) ≤ K − 1``.

    Examples
    --------
    >>> longest_order(16, 8), longest_order(4, 2)
    (2, 3)
    """
    return (taps - 1) // (s - 1)


def checked_order(taps: int, s: int, order: int) -> int:
    """Return the order, if the conditions leave any taps."""
    p, longest = as_integer("order", order, 1), longest_order(taps, s)
    if taps < s:
        got = f"{taps} taps for factor {s}, {s - taps} phases without a tap"
        raise NotAnalysable(complaint("tone-free taps", got, f"at least {s} taps", "an empty phase has gain 0"))
    if p > longest:
        hint = f"{taps} taps for factor {s}: {p * (s - 1)} conditions would leave none"
        raise ValueError(complaint("order", p, f"at most {longest}", hint))
    return p


def conditions(positions: Array, phases: Array, order: int) -> Array:
    """Return an orthonormal basis (p(s − 1), taps) of what tone-free taps are orthogonal to.

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


@lru_cache(maxsize=64)
def of_taps(K: int, s: int, order: int) -> Array:
    """Return the conditions on K taps in a row."""
    n = np.arange(K)
    return frozen(conditions(n, n % s, order))


@lru_cache(maxsize=64)
def of_rows(K: int, L: int, order: int, dilation: int) -> Array:
    """Return the conditions on L filters of K taps of a sub-pixel convolution, one after another."""
    r, k = np.divmod(np.arange(L * K), K)
    return frozen(conditions(r - k * dilation * L, r, order))
