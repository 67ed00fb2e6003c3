"""Nearest-neighbour interpolation and the convolution behind it as a transposed convolution and a running sum.

Repeating a sample is a box of L ones behind a stretch, and the box may as well stand at the end:

    y[n] = Σ_{j<L} v[n − j] + b,    v[n] = Σ_k w[k] X[n + σ + kd],    X[m] = x̂[m/L] where L divides m, else 0

which takes K products for each sample of x, where the interpolated signal takes LK. v is computed by its phases, at the
rate of x (`torchparity.nn.banks`), and L neighbours of it are one of each: with P_r the sum of the phases up to r, and
R_r that of the rest,

    y[tL + r] = P_r[t] + R_r[t − 1] + b
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.banks import Bank, Job, plan_of, seen_by
from torchparity.nn.geometry import Geometry
from torchparity.nn.parting import derivable, parts, plus_part, split, to_be_derived
from torchparity.nn.polyphase import as_given, transformed, with_all


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
    blocks, plan, origin = x.shape[-1] - (-g.surplus // g.factor), plan_of(g), 0
    with as_given(x.device.type):
        if g.extension != "zeros":  # zeros are added where they are needed
            first, behind = plan.reach(blocks)
            x, origin = with_all(x, g, -first, behind - x.shape[-1]), -first
        job = Job(plan, groups, blocks, origin)
        if transformed():
            return in_whole(x, w, bias, job)
        y: Tensor = _RunningSum.apply(x, w, bias, job)  # type: ignore[no-untyped-call]
        return y


def in_whole(x: Tensor, w: Tensor, bias: Tensor | None, job: Job) -> Tensor:
    """Return y by Torch's operations alone, in one part."""
    v = phases(x, w, bias, job, -1, job.blocks)
    y = torch.stack([y for y in (plus(*_at_once(*both)) for both in sums(v)) if y is not None], -1)
    return y.flatten(1, 2).flatten(2)


def phases(x: Tensor, w: Tensor, bias: Tensor | None, job: Job, start: int, stop: int) -> list[Tensor | None]:
    """Return v_r[t], start ≤ t < stop, as (batch, groups, out/groups, time); None for a phase without taps.

    The first has the bias: any L neighbours of v are one of each.
    """
    v: list[Tensor | None] = [None] * job.plan.L
    for bank in job.plan.banks:
        seen, padding, at = seen_by(bank, job, x.shape[-1], start, stop)
        b = None if bias is None or bank is not job.plan.banks[0] else _first(bias.to(x.dtype), job.groups, len(bank))
        y = F.conv1d(x[..., seen], stacked(w, bank, job, x.dtype), b, 1, padding, job.plan.D, job.groups)
        y = split(y, 1, job.groups, len(bank), -1)
        for i, phase in enumerate(bank):
            v[phase.r] = y[:, :, i].narrow(-1, at + phase.q, stop - start)
    return v


def stacked(w: Tensor, bank: Bank, job: Job, dtype: torch.dtype) -> Tensor:
    """Return the taps of a bank as the weight (groups·phases·out/groups, in/groups, J) of a convolution."""
    by_group = split(w, 0, job.groups, -1)
    return torch.stack([by_group[..., phase.k :: job.plan.S] for phase in bank], 1).flatten(0, 2).to(dtype)


def _first(bias: Tensor, groups: int, phases: int) -> Tensor:
    """Return the biases of a bank, of which the first phase has all."""
    return F.pad(bias.reshape(groups, 1, -1), (0, 0, 0, phases - 1)).flatten()


def plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Return a sum, in which None is nothing."""
    return b if a is None else a if b is None else a + b


def sums(v: Sequence[Tensor | None]) -> Iterator[tuple[Tensor | None, Tensor | None]]:
    """Yield, for each r, the sum of the phases up to r, and that of those behind."""
    behind: list[Tensor | None] = []
    rest = upto = None
    for each in reversed(v):
        behind.append(rest)
        rest = plus(rest, each)
    for each, rest in zip(v, reversed(behind), strict=True):
        upto = plus(upto, each)
        yield upto, rest


def _cut(a: Tensor | None, times: slice) -> Tensor | None:
    return None if a is None else a[..., times]


def _at_once(upto: Tensor | None, rest: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Return P_r[t] and R_r[t − 1], of times from one sample earlier."""
    return _cut(upto, slice(1, None)), _cut(rest, slice(-1))


def put(into: Tensor, a: Tensor | None, b: Tensor | None) -> None:
    """Write ``a + b`` without a copy."""
    if a is None or b is None:
        into.copy_(b if a is None else a)  # type: ignore[arg-type]
    else:
        torch.add(a, b, out=into)


class _RunningSum(torch.autograd.Function):
    """The running sum, so much of it at a time that no more memory is worked in than half of two layers take."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, job: Job) -> Tensor:
        ctx.job = job
        ctx.save_for_backward(x, w, bias)
        y = x.new_empty(len(x), len(w), job.blocks, job.plan.L)
        for o, b, start, stop in _parts(x, w, job, 0, 1.25, 2):
            v = phases(x[b], w[o], None if bias is None else bias[o], job, start - 1, stop)
            into = split(y[b, o, start:stop], 1, job.groups, -1)
            for r, both in enumerate(sums(v)):
                put(into[..., r], *_at_once(*both))
            del v, both  # before the next part
        return y.flatten(2)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        x, w, bias = ctx.saved_tensors
        job, wanted = ctx.job, ctx.needs_input_grad[:3]
        if to_be_derived(g):
            return (*derivable(partial(in_whole, job=job), (x, w, bias), wanted, g), None)
        g = split(g, -1, job.blocks, job.plan.L)
        dx = torch.zeros_like(x) if wanted[0] and not len(x) else None
        dw = torch.zeros_like(w) if wanted[1] else None
        for o, b, start, stop in _parts(x, w, job, -1, 1, 5) if wanted[0] or wanted[1] else ():
            todo = _given(g[b, o], x[b], w[o], job, start, stop)
            while todo:
                bank, seen, padding, given = todo.pop()
                args = ([1], [padding], [job.plan.D], False, [0], job.groups, [*wanted[:2], False])
                W = stacked(w[o], bank, job, x.dtype)
                by_x, by_W, _ = torch.ops.aten.convolution_backward(given, x[b][..., seen], W, None, *args)
                del given, W
                dx = plus_part(dx, by_x, x, b, seen) if wanted[0] else None
                if dw is not None:
                    _unstack(by_W, bank, job, dw[o])
                del by_x, by_W
        return dx, dw, g.sum((0, 2, 3)) if wanted[2] else None, None


def _parts(
    x: Tensor, w: Tensor, job: Job, first: int, sums: float, copies: int
) -> Iterator[tuple[slice, slice, int, int]]:
    return parts(x, w, range(first, job.blocks), job.plan.L, groups=job.groups, sums=sums, copies=copies)


def _given(g: Tensor, x: Tensor, w: Tensor, job: Job, start: int, stop: int) -> list[Any]:
    """Return, for each bank, its window and the gradients by its outputs."""
    by_phase, banks = {}, []
    for bank in job.plan.banks:
        seen, padding, at = seen_by(bank, job, x.shape[-1], start, stop)
        columns = seen.stop - seen.start + 2 * padding - (bank[0].J - 1) * job.plan.D
        room = x.new_empty(len(x), job.groups, len(bank), len(w) // job.groups, columns)
        for i, phase in enumerate(bank):
            before = at + phase.q
            room[:, :, i, :, :before], room[:, :, i, :, before + stop - start :] = 0, 0
            by_phase[phase.r] = room[:, :, i].narrow(-1, before, stop - start)
        banks.append((bank, seen, padding, room.flatten(1, 3)))
    _adjoint(g, job, start, stop, by_phase)
    return banks


def _adjoint(g: Tensor, job: Job, start: int, stop: int, into: Mapping[int, Tensor]) -> None:
    """Write ``Σ_{ρ≥r} g_ρ[t] + Σ_{ρ<r} g_ρ[t + 1]``, the gradients by v_r[t]: sums of phases in their reverse order.

    Block −1 has the second term alone, and the last block the first.
    """
    g = split(g[:, :, max(start, 0) : stop + 1], 1, job.groups, -1)
    order, left, right = range(job.plan.L)[::-1], int(start < 0), int(stop == job.blocks)
    for r, (upto, rest) in zip(order, sums([g[..., r] for r in order]), strict=True):
        if r not in into:
            continue
        put(into[r][..., left : stop - start - right], _cut(upto, slice(-1)), _cut(rest, slice(1, None)))
        if left:
            into[r][..., 0] = 0 if rest is None else rest[..., 0]
        if right:
            into[r][..., -1] = 0 if upto is None else upto[..., -1]


def _unstack(W: Tensor, bank: Bank, job: Job, into: Tensor) -> None:
    """Add gradients by the taps of a bank where these lie in w: undoes `stacked`."""
    by_phase = W.reshape(job.groups, len(bank), -1, *W.shape[1:])
    for i, phase in enumerate(bank):
        split(into, 0, job.groups, -1)[..., phase.k :: job.plan.S] += by_phase[:, i]
