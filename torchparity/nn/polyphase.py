"""Interpolation and the convolution behind it as one convolution at the low rate, in polyphase form.

    y[tL + r] = Σ_i Σ_q W_r[i, q] x[i, t + q] + b,    W[o, r, i, q] = Σ_k w[o, i, k] C[k, r, q]

C says which taps meet which sample: `torchparity.nn.geometry` has it. What is computed is the convolution of x with
L filters for each output channel, and a shuffle; no sample of the interpolated signal is.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.geometry import Geometry
from torchparity.nn.parting import parts, window
from torchparity.nn.taps import composed, decomposed, in_a_row
from torchparity.nn.twolayer import extended

AUTOCAST = frozenset(kind for kind in ("cpu", "cuda", "mps", "xpu") if torch.amp.is_autocast_available(kind))
"""Devices with autocast: asked once, since compilers of some versions of Torch cannot."""

LEAST = 1 << 20
"""Numbers of working memory that are worth a part of their own: each part reads the whole input again."""


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
            return interleaved(phases(x, composed(w, C, x.dtype), bias, g.factor, padding, groups), g.lead)
        y: Tensor = _Polyphase.apply(x, w, bias, C, padding, groups, g.lead)  # type: ignore[no-untyped-call]
        return y


def traced() -> bool:
    """Return whether a program is made of what is computed, for other signals, too."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


def as_given(kind: str) -> AbstractContextManager[Any]:
    """Return a context in which autocast, which would sum taps in half precision, casts nothing."""
    return torch.autocast(kind, enabled=False) if kind in AUTOCAST else nullcontext()


def transformed() -> bool:
    """Return whether functions are transformed, by `torch.func` or in forward mode: they want Torch's operations."""
    mapped: bool = torch._C._are_functorch_transforms_active()
    return mapped or torch.autograd.forward_ad._current_level >= 0


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


def phases(x: Tensor, W: Tensor, bias: Tensor | None, L: int, padding: int, groups: int) -> Tensor:
    """Return the phases (batch, out, time', L), side by side in memory or not."""
    b = None if bias is None else bias.to(x.dtype).repeat_interleave(L)
    y = F.conv1d(x, W, b, padding=padding, groups=groups)
    batch, rows, time = y.shape  # not len(y), which is a constant of a traced program
    return y.reshape(batch, rows // L, L, time).transpose(2, 3)


def interleaved(z: Tensor, s: int) -> Tensor:
    """Return phases (batch, out, time', L) one after the other in time, from sample s of the first block on.

    So that blocks stay whole, the s last samples of the last one are left out.
    """
    z = torch.cat([z[:, :, :-1, s:], z[:, :, 1:, :s]], -1) if s else z
    batch, out, time, L = z.shape
    return z.reshape(batch, out, time * L)


def put(y: Tensor, z: Tensor, start: int, s: int) -> None:
    """Write phases (batch, out, time, L), the first of which is that of block `start`, where `interleaved` has them."""
    if not s:
        y[:, :, start : start + z.shape[2]] = z
        return
    L, first = y.shape[-1], max(start - 1, 0)
    y[:, :, start : start + z.shape[2], : L - s] = z[:, :, : y.shape[2] - start, s:]
    late = z[:, :, first - start + 1 :, :s]
    y[:, :, first : first + late.shape[2], L - s :] = late


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
        ctx.padding, ctx.groups, ctx.lead = padding, groups, s
        ctx.bias_dtype = None if bias is None else bias.dtype
        ctx.save_for_backward(x, w, C)
        (K, L, Q), time = C.shape, x.shape[-1]
        blocks = time + 2 * padding - Q + 1
        y = x.new_empty(len(x), len(w), blocks - (s > 0), L)
        made = W = b = None
        for o, n, start, stop in parts(x, w, range(blocks), L, groups=groups, sums=1, copies=2 * L * Q / K):
            if o != made:
                made, W, b = o, composed(w[o], C, x.dtype), None if bias is None else bias[o]
            seen, zeros, at = window(time, start - padding, stop - padding + Q - 1)
            z = phases(x[n, :, seen], W, b, L, zeros, groups)
            put(y[n, o], z.narrow(2, at, stop - start), start, s)
            del z  # before the next part
        return y.flatten(2)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        x, w, C = ctx.saved_tensors
        by_x, by_w, by_bias = ctx.needs_input_grad[:3]
        W = w.numel() * C[0].numel() // C.shape[0]
        dx = dw = None
        for o in _channels(x, len(w), ctx.groups, 4 * W, x.numel() + g.numel()) if by_x or by_w else ():
            v = w[o]
            some = g.narrow(1, o.start, len(v))  # of all channels a slice would be an alias
            part, dc = _adjoint(some, x, in_a_row(v, C, ctx.groups).to(x.dtype), C, ctx, (by_x, by_w))
            dx = part if dx is None or part is None else dx + part
            if dc is not None:
                dw = dc.new_empty(w.shape, dtype=w.dtype) if dw is None else dw
                dw[o] = decomposed(dc, C, ctx.groups).to(w.dtype)
            del part, dc
        return dx, dw, g.sum((0, 2)).to(ctx.bias_dtype) if by_bias else None, None, None, None, None


def _adjoint(g: Tensor, x: Tensor, c: Tensor, C: Tensor, ctx: Any, wanted: tuple[bool, bool]) -> tuple[Any, Any]:
    """Return the gradients by x and by c, of that (batch, out, time'·L) by y.

    Interleaved phases are those of one row of taps, and outputs of a transposed convolution with it, so that its
    gradients are convolutions of g with stride L: phases need not be taken out of g.
    """
    (_, L, Q), s = C.shape, ctx.lead
    before = (Q - 1 - ctx.padding) * L
    ends = (s + min(before, 0), -s % L + min(before, 0))
    g = F.pad(g, ends) if any(ends) else g
    args = ([L], [max(before, 0)], [1], True, [0], ctx.groups, [*wanted, False])
    dx, dc, _ = torch.ops.aten.convolution_backward(g, x, c, None, *args)
    return dx, dc


def _channels(x: Tensor, out: int, groups: int, work: int, room: int) -> list[slice]:
    """Return the output channels in as many parts as bring the working memory down to what there is room for."""
    parts = min(-(-work // max(room, 1)), work // LEAST, out) if groups == 1 and x.device.type == "cpu" else 1
    each = -(-out // max(parts, 1))
    return [slice(i, i + each) for i in range(0, out, each)]
