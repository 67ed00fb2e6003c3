"""Nearest-neighbour interpolation and the convolution behind it as a transposed convolution and a running sum.

Repeating a sample is a box of L ones behind a stretch, and the box may as well stand at the end:

    y[n] = Σ_{j<L} v[n + e − j] + b,    v[i] = Σ_k w[K − 1 − k] x̂[(i − kd)/L] over all k with L | i − kd

where e = σ + (K − 1)d. v is a transposed convolution of x̂ with the same weights, in reverse order. It takes K products
for each sample of x̂, where the interpolated signal takes LK. What is large goes forward by the phases of v
(`torchparity.nn.banks`), which takes less memory. Few samples with many weights are multiplied as matrices
(`torchparity.nn.products`), forward and back. Other gradients, and what is small, are computed as written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.banks import Job, plan_of, write
from torchparity.nn.geometry import Geometry
from torchparity.nn.modes import as_given, exact, recorded, to_be_derived, transformed
from torchparity.nn.parting import LEAST, derivable, parts, plus, plus_part, split, window
from torchparity.nn.polyphase import sparing, with_all
from torchparity.nn.products import few, gradients, spread
from torchparity.nn.taps import turned

HALVES = (torch.float16, torch.bfloat16)
"""Precisions in which partial sums would be rounded; and see `bfloat16-weight-gradient` of docs/findings.md."""

SMALL = LEAST
"""Numbers of working memory below which less of it would save no time."""


def running_sum(x: Tensor, w: Tensor, bias: Tensor | None, g: Geometry, groups: int) -> Tensor:
    """Return the inner outputs, and up to L − 1 more, so that blocks of L are whole.

    Parameters
    ----------
    x : Tensor (batch, in, time)
    w : Tensor (out, in/groups, K)
    bias : Tensor (out,), optional
    g : Geometry
        Of nearest-neighbour interpolation.
    groups : int

    Returns
    -------
    Tensor (batch, out, L·(time + ⌈surplus/L⌉))
    """
    if x.dtype in HALVES and x.device.type == "cpu":
        return running_sum(x.float(), w, bias, g, groups).to(x.dtype)
    L, reach, σ, origin = g.factor, (g.length - 1) * g.dilation, g.outer[0] - g.pads[0], 0
    blocks = x.shape[-1] - (-g.surplus // L)
    with as_given(x.device.type):
        if g.extension != "zeros":  # zeros are added where they are needed
            first, behind = σ // L, (L * blocks - 1 + σ + reach) // L + 1
            x, origin = with_all(x, g, -first, behind - x.shape[-1]), -first
        job = Job(plan_of(g), groups, blocks, origin)
        if transformed():
            return in_whole(x, w, bias, g, job)
        run = _RunningSum.apply if recorded(x, w, bias) else partial(in_parts, spare=sparing(g))
        y: Tensor = run(x, w, bias, g, job)
        return y


def in_whole(x: Tensor, w: Tensor, bias: Tensor | None, g: Geometry, job: Job) -> Tensor:
    """Return y by Torch's operations alone, in one part.

    oneDNN computes transposed convolutions of other lengths than multiples of L in 16 MiB of its own.
    """
    extra = -g.length % g.factor
    c = F.pad(turned(w.flip(2), job.groups), (0, extra)).to(x.dtype)
    of, before, behind = seen(x, g, job, 0, job.blocks)
    crop = cropped(before, behind + extra * g.dilation, g.dilation)
    v = F.conv_transpose1d(x[..., of], c, None, g.factor, crop.padding, 0, job.groups, g.dilation)
    return summed(v, crop.zeros, bias, g)


def in_parts(x: Tensor, w: Tensor, bias: Tensor | None, g: Geometry, job: Job, *, spare: bool = False) -> Tensor:
    """Return y, some of it at a time, but for what is small, and no product of matrices."""
    by_matrices = is_few(x, w, job)
    small = 3 * len(x) * len(w) * job.blocks * g.factor + 2 * w.numel() < SMALL
    if small and g.factor > 1 and not by_matrices:
        return in_whole(x, w, bias, g, job)
    y = x.new_empty(len(x), len(w), job.blocks * g.factor)  # a view could not be changed in place
    by_block = split(y, -1, job.blocks, g.factor)
    for o, n, start, stop in _parts(x, w, job, 1.25, 2, spare=spare):
        b, into = None if bias is None else bias[o], by_block[n, o, start:stop]
        if by_matrices:
            into.copy_(split(by_products(x[n], w[o], b, g, job, start, stop), -1, stop - start, g.factor))
        else:
            write(x[n], w[o], b, job, start, into)
    return y


def by_products(x: Tensor, w: Tensor, bias: Tensor | None, g: Geometry, job: Job, start: int, stop: int) -> Tensor:
    """Return some blocks of y, of v by products of matrices."""
    of, before, behind = seen(x, g, job, start, stop)
    return summed(spread(x[..., of], w, g, job.groups), (-before, -behind), bias, g)


def summed(v: Tensor, zeros: tuple[int, int], bias: Tensor | None, g: Geometry) -> Tensor:
    """Return the sums of L neighbours of v with so many zeros more."""
    y = box(lengthened(v, *zeros), g.factor)
    return y if bias is None else y + bias.to(y.dtype)[:, None]


def box(v: Tensor, L: int) -> Tensor:
    """Return all sums of L neighbours: those of ⌊L/2⌋ twice, and one more where L is odd.

    Examples
    --------
    >>> box(torch.tensor([1, 2, 4, 8, 16]), 3)
    tensor([ 7, 14, 28])
    """
    if L == 1:
        return v
    half = box(v, L // 2)
    y = half[..., : -(L // 2)] + half[..., L // 2 :]
    return y[..., :-1] + v[..., L - 1 :] if L % 2 else y


def is_few(x: Tensor, w: Tensor, job: Job) -> bool:
    """Return whether v is computed by products of matrices: in single precision, and not in less."""
    on_cpu = x.dtype == torch.float32 and x.device.type == "cpu"
    return on_cpu and few(len(x) * job.blocks, w.shape[1]) and exact("cpu")


def seen(x: Tensor, g: Geometry, job: Job, start: int, stop: int) -> tuple[slice, int, int]:
    """Return what of x̂ some blocks are computed from, and how much of its v stands before and behind what they sum."""
    L, reach = g.factor, (g.length - 1) * g.dilation
    e = reach + g.outer[0] - g.pads[0] + job.origin * L
    low, high = e + start * L - L + 1, e + stop * L
    of, _, _ = window(x.shape[-1], -((reach - low) // L), (high - 1) // L + 1)
    return of, low - of.start * L, (of.stop - 1) * L + reach + 1 - high


class Crop(NamedTuple):
    """What is cropped at both ends alike, as Torch says it, and then the zeros at each end; negative numbers crop."""

    padding: int
    zeros: tuple[int, int]


def cropped(before: int, behind: int, dilation: int) -> Crop:
    """Return how so many samples are taken away at each end: no more is computed than has to be.

    Where taps are dilated, no padding of Torch's is asked for: `conv-weight-gradient` of docs/findings.md.
    """
    padding = max(min(before, behind), 0) if dilation == 1 else 0
    return Crop(padding, (padding - before, padding - behind))


def lengthened(v: Tensor, left: int, right: int) -> Tensor:
    """Return v with so many zeros more; or less of v, without a copy."""
    kept = v.shape[-1] + min(left, 0) + min(right, 0)
    if kept < 1:
        return F.pad(v[..., :0], (0, v.shape[-1] + left + right))  # of v: what is derived has to lead there
    v = v.narrow(-1, max(-left, 0), kept)
    return F.pad(v, (max(left, 0), max(right, 0))) if left > 0 or right > 0 else v


class _RunningSum(torch.autograd.Function):
    """The running sum, in parts where it is large, so that less memory is worked in."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, g: Geometry, job: Job) -> Tensor:
        ctx.geometry, ctx.job, ctx.bias_dtype = g, job, None if bias is None else bias.dtype
        ctx.save_for_backward(x, w)
        return in_parts(x, w, bias, g, job)

    @staticmethod
    def backward(ctx: Any, by_y: Tensor) -> tuple[Any, ...]:
        x, w = ctx.saved_tensors
        g, job, wanted = ctx.geometry, ctx.job, ctx.needs_input_grad[:3]
        db = by_y.sum((0, 2)).to(ctx.bias_dtype) if wanted[2] else None
        with as_given(x.device.type):  # a backward pass under autocast, too
            if to_be_derived(by_y):
                dx, dw = derivable(partial(in_whole, bias=None, g=g, job=job), (x, w), wanted[:2], by_y)
            else:
                dx, dw = _gradients(by_y, x, w, g, job, wanted[:2])
        return dx, dw, db, None, None


def _gradients(
    by_y: Tensor, x: Tensor, w: Tensor, g: Geometry, job: Job, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients by x and w, in parts: those of v by that of y, a running sum too."""
    L, by_matrices = g.factor, is_few(x, w, job)
    new = torch.empty_like if len(x) else torch.zeros_like
    dx, dw = None if len(x) or not wanted[0] else new(x), new(w) if wanted[1] else None
    work = _parts(x, w, job, 2, 3 if by_matrices else 8) if any(wanted) else ()
    for o, those in groupby(work, itemgetter(0)):
        c, dc = w[o] if by_matrices else turned(w[o].flip(2), job.groups).to(x.dtype).contiguous(), None
        for _, n, start, stop in those:
            of, before, behind = seen(x, g, job, start, stop)
            crop = Crop(0, (-before, -behind)) if by_matrices else cropped(before, behind, g.dilation)
            by_v = box(F.pad(by_y[n, o, start * L : stop * L], (L - 1, L - 1)), L)
            by_v = lengthened(by_v, *(-zeros for zeros in crop.zeros))
            if by_matrices:
                by_x, by_c = gradients(by_v, x[n, :, of], c, g, job.groups, wanted)
            else:
                args = ([L], [crop.padding], [g.dilation], True, [0], job.groups, [*wanted, False])
                by_x, by_c, _ = torch.ops.aten.convolution_backward(by_v, x[n, :, of], c, None, *args)
            del by_v  # before the next part
            dx = plus_part(dx, by_x, x, n, of) if by_x is not None else None
            dc = plus(dc, by_c, torch.promote_types(x.dtype, w.dtype))
            del by_x, by_c
        if dw is not None and dc is not None:
            dw[o] = dc if by_matrices else turned(dc, job.groups).flip(2)
    return dx, dw


def _parts(
    x: Tensor, w: Tensor, job: Job, sums: float, copies: float, *, spare: bool = False
) -> Iterator[tuple[slice, slice, int, int]]:
    phases, taps = job.plan.largest
    at_once = (2 * phases, 2 * taps) if spare else None
    return parts(x, w, range(job.blocks), job.plan.L, groups=job.groups, sums=sums, copies=copies, spare=at_once)
