"""The projection of order 1: taps whose phases have the same gain, in closed form.

    (hP)[qs + r] = h[qs + r] − (g_r − G)/n_r,    g_r = Σ_q h[qs + r],    G = Σ_r (g_r/n_r) / Σ_r (1/n_r)

Phase r has n_r taps.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dspref.arrays import Array, frozen
from torchparity.nn.modes import as_given, cast_to, exact, plain, recorded, traced, transformed

SHORT = 64
"""Taps up to which a product with a matrix is faster than sums, where it was measured: twice at 64, slower at 512."""


def equal_gains(h: Tensor, K: int, s: int, P: Tensor | None = None) -> Tensor:
    """Return ``hP`` for taps (..., K): in single precision as a product with P, if that is given.

    That is several times faster than sums of a few taps, on a GPU too, where fewer kernels are started. It is left
    where a device may round factors, as to TF32, in programs, which may run where it does, for tensors that are more
    than that, and where CUDA's library of products would refuse to be deterministic.
    """
    if traced() or transformed() or not plain(h):
        return by_gains(h, K, s)
    projected: Any = _Projected.apply if recorded(h) else _projected
    found: Tensor = projected(h, K, s, P)
    return found


class _Projected(torch.autograd.Function):
    """The projection is its own gradient: P is symmetric. Which way one is computed does not bind the other."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, K: int, s: int, P: Tensor | None) -> Tensor:
        """Return hP."""
        ctx.given = K, s, P
        return _projected(h, K, s, P)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """Return gP."""
        return equal_gains(g, *ctx.given), None, None, None


def _projected(h: Tensor, K: int, s: int, P: Tensor | None) -> Tensor:
    kind = h.device.type
    determined = kind == "cuda" and torch.are_deterministic_algorithms_enabled()
    if P is None or h.dtype != P.dtype or determined or not exact(kind):
        return by_gains(h, K, s)
    with as_given(kind) if cast_to(h) else nullcontext():
        return h @ P


@cache
def product(K: int, s: int) -> Array | None:
    """Return P in single precision; None for kernels so long that a product takes more time than sums.

    Of taps i and j, of phases r and t, ``P[i, j] = δ_ij − δ_rt/n_t + 1/(n_r n_t Σ_r (1/n_r))``.

    Examples
    --------
    >>> product(2, 2)
    array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """
    if K > SHORT:
        return None
    phase = np.arange(K) % s
    n = np.bincount(phase)
    of = n[phase]
    P: Array = np.eye(K) - (phase[:, None] == phase) / of + 1 / (np.outer(of, of) * (1 / n).sum())
    return frozen(P.astype(np.float32))


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
