"""Interpolation and the convolution behind it as one convolution at the low rate, in polyphase form.

    y[tL + r] = Σ_i Σ_q W_r[i, q] x[i, t + q] + b,    W[o, r, i, q] = Σ_k w[o, i, k] C[k, r, q]

C says which taps meet which sample: `torchparity.nn.geometry` has it. What is computed is the convolution of x with
L filters for each output channel, and a shuffle; no sample of the interpolated signal is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.geometry import Geometry
from torchparity.nn.modes import as_given, recorded, to_be_derived, traced, transformed
from torchparity.nn.parting import SPARING, derivable, parts, plus, plus_part, split, window
from torchparity.nn.shuffle import interleaved, put, take
from torchparity.nn.taps import composed, decomposed, in_a_row, out_of_row
from torchparity.nn.twolayer import extended

VECTOR, WIDEST = 16, 14
"""Channels of a vector of single precision, and the longest kernel, of oneDNN's fastest convolutions."""

AT_HAND = 1 << 24
"""Bytes of phases that an allocator has at hand: more, it may ask of the system each time, page by page."""


def polyphase(x: Tensor, w: Tensor, bias: Tensor | None, C: Tensor, g: Geometry, groups: int) -> Tensor:
    """Return the outputs that have one kernel for each phase, and up to L − 1 more, so that blocks of L are whole.

    Parameters
    ----------
    x : Tensor (batch, in, time)
    w : Tensor (out, in/groups, K)
    bias : Tensor (out,), optional
    C : Tensor (K, L, Q)
        In the precision in which taps are summed.
    g : Geometry
    groups : int

    Returns
    -------
    Tensor (batch, out, L·(time + ⌈surplus/L⌉))
    """
    with as_given(x.device.type):
        x, padding = with_ends(x, g, *g.extended)
        if traced() or transformed():
            return in_whole(x, w, bias, C, padding, groups, g.lead)
        run = _Polyphase.apply if recorded(x, w, bias) else partial(in_parts, spare=sparing(g))
        y: Tensor = run(x, w, bias, C, padding, groups, g.lead)
        return y


def sparing(g: Geometry) -> bool:
    """Return whether half of what two layers hold is aimed at: not where y is copied once more, to be cut or joined."""
    return SPARING and not g.surplus % g.factor and not any(g.outer)


def with_ends(x: Tensor, g: Geometry, left: int, right: int) -> tuple[Tensor, int]:
    """Return x̂, so much longer than x, but for zeros at both ends, and how many: convolution adds them uncopied."""
    both = max(min(left, right), 0) if g.extension == "zeros" else 0
    return with_all(x, g, left - both, right - both), both


def with_all(x: Tensor, g: Geometry, left: int, right: int) -> Tensor:
    """Return x̂, so much longer than x."""
    before, behind = left, right
    if g.extension == "circular":  # of blocks that are not whole, no more than there is
        before, behind = (min(n, -(-max(p, 0) // g.factor)) for n, p in zip((left, right), g.pads, strict=True))
    return extended(extended(x, before, behind, g.extension), left - before, right - behind, "zeros")


def in_whole(x: Tensor, w: Tensor, bias: Tensor | None, C: Tensor, padding: int, groups: int, s: int) -> Tensor:
    """Return y by Torch's operations alone, in one part."""
    return interleaved(phases(x, composed(w, C, x.dtype), bias, C.shape[1], padding, groups), s)


def in_parts(
    x: Tensor, w: Tensor, bias: Tensor | None, C: Tensor, padding: int, groups: int, s: int, *, spare: bool = False
) -> Tensor:
    """Return y, some of it at a time, where the phases of all of it would take more memory or time."""
    blocks, L, Q = _blocks(x, C, padding), *C.shape[1:]
    work = list(_parts(x, w, C, blocks, groups, 2, spare=spare))
    at_once = len(work) == 1 or fits_whole(x, w, C, blocks, spare)
    if s == 0 and at_once:  # y is made behind what a convolution works in
        return in_whole(x, w, bias, C, padding, groups, s)
    y = x.new_empty(len(x), len(w), (blocks - (s > 0)) * L)  # a view could not be changed in place
    by_block = split(y, -1, blocks - (s > 0), L)
    for o, those in groupby(work, itemgetter(0)):
        W, b = composed(w[o], C, x.dtype), None if bias is None else bias[o]
        for _, n, start, stop in those:
            seen, zeros, at = window(x.shape[-1], start - padding, stop - padding + Q - 1)
            z = phases(x[n, :, seen], W, b, L, zeros, groups)
            put(by_block[n, o], z.narrow(2, at, stop - start), start, s)
            del z  # before the next part
    return y


def fits_whole(x: Tensor, w: Tensor, C: Tensor, blocks: int, spare: bool) -> bool:
    """Return whether y is computed from the phases of all of it: both are held then, and W with oneDNN's copy.

    Of the memory of two layers that may take a half. They hold u and y, and in single precision oneDNN's copies of u
    and w; or u and twice y, where there is some to `spare`. Where L is 1, u is x.
    """
    K, L, Q = C.shape
    u, v, W = L * x.numel(), len(x) * len(w) * blocks * L, w.numel()
    held, two = 2 * v + 2 * L * Q * W // K, u + 2 * v if spare else 2 * u + v + W
    return L > 1 and v * x.element_size() <= AT_HAND and 2 * held <= two


def phases(x: Tensor, W: Tensor, bias: Tensor | None, L: int, padding: int, groups: int) -> Tensor:
    """Return the phases (batch, out, time', L), side by side in memory or not."""
    b = None if bias is None else bias.to(x.dtype).repeat_interleave(L)
    y = F.conv1d(x, W, b, padding=padding, groups=groups)
    batch, rows, time = y.shape  # not len(y), which is a constant of a traced program
    return y.reshape(batch, rows // L, L, time).transpose(2, 3)


class _Polyphase(torch.autograd.Function):
    """Polyphase form whose composed weight lives no longer than it is needed, some of the outputs at a time.

    Torch would keep W, larger than w by LQ/K, from the forward to the backward pass, beside copies of it in layouts
    of their own. Here it is composed again: K multiplications for each weight, against batch·time for its
    use. Working memory is that of the part at hand.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, C: Tensor, padding: int, groups: int, s: int
    ) -> Tensor:
        ctx.save_for_backward(x, w, C)
        ctx.padding, ctx.groups, ctx.lead, ctx.bias_dtype = padding, groups, s, None if bias is None else bias.dtype
        return in_parts(x, w, bias, C, padding, groups, s)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        x, w, C = ctx.saved_tensors
        shape, wanted = (ctx.padding, ctx.groups, ctx.lead), ctx.needs_input_grad[:3]
        dx, dw, db = None, None, g.sum((0, 2)).to(ctx.bias_dtype) if wanted[2] else None
        with as_given(x.device.type):  # a backward pass under autocast, too
            if to_be_derived(g):
                whole = partial(in_whole, bias=None, C=C, padding=ctx.padding, groups=ctx.groups, s=ctx.lead)
                dx, dw = derivable(whole, (x, w), wanted[:2], g)
            elif any(wanted[:2]):
                way = _in_place if fits(x, w, C, *shape) else _by_phases
                dx, dw = way(g, x, w, C, wanted[:2], *shape)
        return dx, dw, db, None, None, None, None


def fits(x: Tensor, w: Tensor, C: Tensor, padding: int, groups: int, s: int) -> bool:
    """Return whether gradients are taken where the phases lie between each other.

    That saves their copy, but a row of many taps costs more than it saves. Zeros beyond all taps no transposed
    convolution crops; and see `bfloat16-weight-gradient` of docs/findings.md.
    """
    _, L, Q = C.shape
    single = x.dtype in (torch.float32, torch.float64)
    few = w.numel() < len(x) * len(w) * L * x.shape[-1]
    return single and padding < Q and few and alongside(len(w) // groups, L, Q, s)


def alongside(channels: int, L: int, Q: int, s: int) -> bool:
    """Return whether gradients may be faster where the phases lie.

    oneDNN takes twice as long, where it was measured, for more than `WIDEST` taps, and a third more for channels that
    are no whole vectors of it. Blocks must begin with a phase.
    """
    return channels % VECTOR == 0 and s == 0 and Q * L <= WIDEST


def _in_place(
    g: Tensor, x: Tensor, w: Tensor, C: Tensor, wanted: Sequence[bool], padding: int, groups: int, _: int
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients by x and w as a transposed convolution has them, by convolutions with stride L."""
    (_, L, Q), c = C.shape, in_a_row(w, C, groups).to(x.dtype)
    args = ([L], [(Q - 1 - padding) * L], [1], True, [0], groups, [*wanted, False])
    dx, dc, _ = torch.ops.aten.convolution_backward(g, x, c, None, *args)
    return dx, out_of_row(dc, C, groups, w.dtype) if wanted[1] else None


def _by_phases(
    g: Tensor, x: Tensor, w: Tensor, C: Tensor, wanted: Sequence[bool], padding: int, groups: int, s: int
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients by x and w from those by the phases, in parts."""
    blocks, L, Q = _blocks(x, C, padding), *C.shape[1:]
    g = split(g, -1, blocks - (s > 0), L)
    dx = torch.zeros_like(x) if wanted[0] and not len(x) else None
    dw = torch.zeros_like(w) if wanted[1] else None
    for o, those in groupby(_parts(x, w, C, blocks, groups, 3), itemgetter(0)):
        W, dW = composed(w[o], C, x.dtype), None
        for _, n, start, stop in those:
            seen, zeros, at = window(x.shape[-1], start - padding, stop - padding + Q - 1)
            low = x.new_empty(len(x[n]), len(W) // L, L, seen.stop - seen.start + 2 * zeros - Q + 1)
            low[..., :at], low[..., at + stop - start :] = 0, 0
            take(g[n, o], low.transpose(2, 3).narrow(2, at, stop - start), start, s)
            args = ([1], [zeros], [1], False, [0], groups, [*wanted, False])
            by_x, by_W, _ = torch.ops.aten.convolution_backward(low.flatten(1, 2), x[n, :, seen], W, None, *args)
            del low  # before the next part
            dx = plus_part(dx, by_x, x, n, seen) if wanted[0] else None
            dW = plus(dW, by_W, C.dtype)
            del by_x, by_W
        if dw is not None and dW is not None:
            dw[o] = decomposed(dW, C, w.dtype)
    return dx, dw


def _blocks(x: Tensor, C: Tensor, padding: int) -> int:
    """Return how many outputs a phase has."""
    return x.shape[-1] + 2 * padding - C.shape[2] + 1


def _parts(
    x: Tensor, w: Tensor, C: Tensor, blocks: int, groups: int, copies: int, *, spare: bool = False
) -> Iterator[tuple[slice, slice, int, int]]:
    K, L, Q = C.shape
    taps = copies * L * Q / K
    return parts(x, w, range(blocks), L, groups=groups, sums=3, copies=taps, spare=(2, taps) if spare else None)
