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
from dspref.designs.notchbases import bases, conditions, sound


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


def of_taps(K: int, s: int, order: int) -> Array:
    """Return an orthonormal basis (p(s − 1), K) of the conditions on K taps in a row."""
    return bases(K, s, order)[1]


@lru_cache(maxsize=64)
def of_rows(K: int, L: int, order: int, dilation: int) -> Array:
    """Return the conditions on L filters of K taps of a sub-pixel convolution, one after another.

    Without dilation they are KL taps in a row: tap k of phase r is at r − kL. With it no power of a box tells what
    they are, and orders whose moments double precision cannot tell apart are refused.
    """
    r, k = np.divmod(np.arange(L * K), K)
    if dilation == 1:
        return frozen(of_taps(K * L, L, order)[:, r + (K - 1 - k) * L])
    positions = r - k * dilation * L
    Q = conditions(positions, r, order)
    if not sound(Q, positions, r, order):
        got, hint = (
            f"{order} with {K} taps, factor {L} and dilation {dilation}",
            "rounding spoils moments of high orders",
        )
        raise NotAnalysable(complaint("order", got, "a lower one, or dilation 1", hint))
    return frozen(Q)
