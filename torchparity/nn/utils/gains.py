"""The projection of order 1: taps whose phases have the same gain, in closed form.

    (hP)[qs + r] = h[qs + r] − (g_r − G)/n_r,    g_r = Σ_q h[qs + r],    G = Σ_r (g_r/n_r) / Σ_r (1/n_r)

Phase r has n_r taps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.polyphase import as_given, traced

SHORT = 64
"""Taps up to which a product with a matrix is faster than sums, where it was measured: twice at 64, slower at 512."""


def equal_gains(h: Tensor, K: int, s: int) -> Tensor:
    """Return ``hP``, ``(hP)[qs + r] = h[qs + r] − (g_r − G)/n_r`` for taps (..., K): the projection of order 1."""
    if traced():
        return projected(h, K, s)
    taps: Tensor = _EqualGains.apply(h, K, s)  # type: ignore[no-untyped-call]
    return taps


class _EqualGains(torch.autograd.Function):
    """P, which is its own adjoint: gradients are projected as taps are."""

    generate_vmap_rule = True

    @staticmethod
    def forward(h: Tensor, K: int, s: int) -> Tensor:
        return projected(h, K, s)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.K, ctx.s = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        return equal_gains(g, ctx.K, ctx.s), None, None

    @staticmethod
    def jvp(ctx: Any, dh: Tensor, *_: Any) -> Tensor:
        return equal_gains(dh, ctx.K, ctx.s)


def projected(h: Tensor, K: int, s: int) -> Tensor:
    """Return hP: for short kernels on a CPU as a product, which is several times faster than sums of a few taps.

    A GPU may round factors of a product to TF32.
    """
    if h.device.type != "cpu" or K > SHORT:
        return by_gains(h, K, s)
    with as_given("cpu"):
        return h @ by_gains(torch.eye(K, dtype=torch.float64), K, s).to(h.dtype)


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
