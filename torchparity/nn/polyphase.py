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
        if traced() or _twice_forward():
            return interleaved(phases(x, w, bias, C, padding, groups), g.lead)
        y: Tensor = _Polyphase.apply(x, w, bias, C, padding, groups, g.lead)  # type: ignore[no-untyped-call]
        return y


def traced() -> bool:
    """Return whether a program is made of what is computed, for other signals, too."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


def as_given(kind: str) -> AbstractContextManager[Any]:
    """Return a context in which autocast, which would sum taps in half precision, casts nothing."""
    return torch.autocast(kind, enabled=False) if kind in AUTOCAST else nullcontext()


def _twice_forward() -> bool:
    """Return whether derivatives of derivatives are taken in forward mode, of which Torch asks no Function."""
    levels = torch._C._functorch.get_interpreter_stack() or ()
    return sum(level.key() == torch._C._functorch.TransformType.Jvp for level in levels) > 1


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


def composed(w: Tensor, C: Tensor, dtype: torch.dtype) -> Tensor:
    """Return W as the weight (out·L, in/groups, Q) of a convolution: phase r of channel o is its channel oL + r.

    It is computed with the input channels last, the one long axis of the product, and so it lies in memory.
    """
    W = (C.flatten(1).T @ w.to(C.dtype).transpose(1, 2)).to(dtype)
    return W.reshape(len(w), *C.shape[1:], w.shape[1]).transpose(2, 3).flatten(0, 1)


def decomposed(W: Tensor, C: Tensor, dtype: torch.dtype) -> Tensor:
    """Return ``Σ_r Σ_q W[o, r, i, q] C[k, r, q]``, the adjoint of `composed`."""
    (_, L, Q), (rows, n) = C.shape, W.shape[:2]
    last = W.to(C.dtype).reshape(rows // L, L, n, Q).transpose(2, 3).reshape(rows // L, L * Q, n)
    return (C.flatten(1) @ last).transpose(1, 2).to(dtype)


def phases(x: Tensor, w: Tensor, bias: Tensor | None, C: Tensor, padding: int, groups: int) -> Tensor:
    """Return the phases (batch, out, time', L), side by side in memory or not."""
    L = C.shape[1]
    b = None if bias is None else bias.to(x.dtype).repeat_interleave(L)
    y = F.conv1d(x, composed(w, C, x.dtype), b, padding=padding, groups=groups)
    batch, rows, time = y.shape  # not len(y), which is a constant of a traced program
    return y.reshape(batch, rows // L, L, time).transpose(2, 3)


def interleaved(z: Tensor, s: int) -> Tensor:
    """Return phases (batch, out, time', L) one after the other in time, from sample s of the first block on.

    So that blocks stay whole, the s last samples of the last one are left out.
    """
    z = torch.cat([z[:, :, :-1, s:], z[:, :, 1:, :s]], -1) if s else z
    batch, out, time, L = z.shape
    return z.reshape(batch, out, time * L)


def separated(y: Tensor, L: int, s: int) -> Tensor:
    """Return (batch, out·L, time'), of which phases are interleaved to y: the adjoint of `interleaved`."""
    y = F.pad(y, (s, L - s)) if s else y
    batch, out, time = y.shape
    return y.reshape(batch, out, time // L, L).transpose(2, 3).reshape(batch, out * L, time // L)


class _Polyphase(torch.autograd.Function):
    """Polyphase form whose composed weight lives no longer than it is needed, some output channels at a time.

    Torch would keep W, larger than w by LQ/K, from the forward to the backward pass, beside copies of it in layouts
    of their own. Here it is composed again: K multiplications for each weight, against batch·time for its
    use. Working memory is that of the channels at hand.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, w: Tensor, bias: Tensor | None, C: Tensor, padding: int, groups: int, s: int) -> Tensor:
        W, y = w.numel() * C[0].numel() // C.shape[0], len(x) * len(w) * C.shape[1] * x.shape[-1]
        parts = _channels(x, len(w), groups, 2 * W + y, 2 * (x.numel() + y))
        made = [phases(x, w[o], None if bias is None else bias[o], C, padding, groups) for o in parts]
        return interleaved(torch.cat(made, 1) if len(made) > 1 else made[0], s)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, w, bias, C, ctx.padding, ctx.groups, ctx.lead = inputs
        ctx.bias_dtype = None if bias is None else bias.dtype
        ctx.save_for_backward(x, w, C)
        ctx.save_for_forward(x, w, C)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        x, w, C = ctx.saved_tensors
        by_x, by_w, by_bias = ctx.needs_input_grad[:3]
        W, y = w.numel() * C[0].numel() // C.shape[0], g.numel()
        dx = dw = None
        for o in _channels(x, len(w), ctx.groups, 3 * W + 2 * y, (x.numel() + y) // 2) if by_x or by_w else ():
            v = w[o]
            some = g.narrow(1, o.start, len(v))  # of all channels a slice would be an alias
            part, dW = _adjoint(some, x, composed(v, C, x.dtype).contiguous(), C, ctx, (by_x, by_w))
            dx = part if dx is None or part is None else dx + part
            if dW is not None:
                dw = dW.new_empty(w.shape, dtype=w.dtype) if dw is None else dw
                dw[o] = decomposed(dW, C, w.dtype)
            del part, dW
        return dx, dw, g.sum((0, 2)).to(ctx.bias_dtype) if by_bias else None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Any, dw: Any, db: Any, *_: Any) -> Tensor:
        x, w, C = ctx.saved_tensors
        moved = [phases(a, b, None, C, ctx.padding, ctx.groups) for a, b in ((dx, w), (x, dw)) if None not in (a, b)]
        if db is not None:
            moved.append(db.to(x.dtype)[:, None, None].expand(*moved[0].shape))
        return interleaved(sum(moved[1:], moved[0]), ctx.lead)


def _adjoint(g: Tensor, x: Tensor, W: Tensor, C: Tensor, ctx: Any, wanted: tuple[bool, bool]) -> tuple[Any, Any]:
    """Return the gradients by x and by W, of that (batch, out, time'·L) by y."""
    low = separated(g, C.shape[1], ctx.lead)
    args = ([1], [ctx.padding], [1], False, [0], ctx.groups, [*wanted, False])
    dx, dW, _ = torch.ops.aten.convolution_backward(low, x, W, None, *args)
    return dx, dW


def _channels(x: Tensor, out: int, groups: int, work: int, room: int) -> list[slice]:
    """Return the output channels in as many parts as bring the working memory down to what there is room for."""
    parts = min(-(-work // max(room, 1)), work // LEAST, out) if groups == 1 and x.device.type == "cpu" else 1
    each = -(-out // max(parts, 1))
    return [slice(i, i + each) for i in range(0, out, each)]
