"""The projection of order 1: taps whose phases have the same gain, in closed form.

    (hP)[qs + r] = h[qs + r] − (g_r − G)/n_r,    g_r = Σ_q h[qs + r],    G = Σ_r (g_r/n_r) / Σ_r (1/n_r)

Phase r has n_r taps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.modes import as_given, exact, traced

SHORT = 64
"""Taps up to which a product with a matrix is faster than sums, where it was measured: twice at 64, slower at 512."""


def equal_gains(h: Tensor, K: int, s: int, P: Tensor | None = None) -> Tensor:
    """Return ``hP`` for taps (..., K): in single precision as a product with P, if that is given.

    That is several times faster than sums of a few taps, on a GPU too, where fewer kernels are started. It is left
    where a device may round factors, as to TF32, where a program is made, which may run on such a device, and where
    CUDA's library of products would refuse to be deterministic.
    """
    kind = h.device.type
    if P is None or h.dtype != P.dtype or traced() or not exact(kind) or (kind == "cuda" and _determined()):
        return by_gains(h, K, s)
    with as_given(kind):
        return h @ P


_determined = torch.are_deterministic_algorithms_enabled


def product(K: int, s: int) -> Tensor | None:
    """Return P in single precision; None for kernels so long that a product takes more time than sums."""
    return by_gains(torch.eye(K, dtype=torch.float64, device="cpu"), K, s).float() if K <= SHORT else None


def by_gains(h: Tensor, K: int, s: int) -> Tensor:
    """Return hP by its equation, without a matrix."""
    q, longer = divmod(K, s)  # that many phases have q + 1 taps, the rest q
    rows = by_phase(h, K, s)
    gains = rows.sum(-2)
    if not longer:
        return joined(rows - ((gains - gains.mean(-1, keepdim=True)) / q).unsqueeze(-2), K)
    parts = (gains[..., :longer], q + 1), (gains[..., longer:], q)
    G: Any = sum(g.sum(-1, keepdim=True) / n for g, n in parts) / (longer / (q + 1) + (s - longer) / q)
    off = torch.cat([(g - G) / n for g, n in parts], -1)
    return joined(rows - off.unsqueeze(-2), K)


def by_phase(h: Tensor, K: int, s: int) -> Tensor:
    """Return taps (..., K) as (..., ⌈K/s⌉, s): a column for each phase, 0 where the last ones have a tap less."""
    return (F.pad(h, (0, -K % s)) if K % s else h).reshape(*h.shape[:-1], -(-K // s), s)


def joined(rows: Tensor, K: int) -> Tensor:
    """Undo `by_phase`."""
    return rows.reshape(*rows.shape[:-2], -1)[..., :K]
