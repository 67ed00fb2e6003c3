"""Nearest-neighbour interpolation and the convolution behind it as a transposed convolution and a running sum.

Repeating a sample is a box of L ones behind a stretch, and the box may as well stand at the end:

    y[n] = Σ_{j<L} v[n − j] + b,    v[n] = Σ_k w[k] X[n + σ + kd],    X[m] = x̂[m/L] where L divides m, else 0

which takes K products for each sample of x, where the interpolated signal takes LK. Of v, at the rate of x,

    v[tL + r] = Σ_j w[k_r + jS] x̂[t + q_r + jD],    S = L/gcd(d, L),  D = d/gcd(d, L)

for each phase r; phases of as many taps are a bank, channels of one convolution. L neighbours of v are one of each
phase: with the sums P_r of the phases up to r, and R_r of the rest, ``y[tL + r] = P_r[t] + R_r[t − 1] + b``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.geometry import Geometry
from torchparity.nn.polyphase import as_given, with_ends

LEAST, MOST = 1 << 19, 4
"""Numbers of working memory that are worth a part of their own, and parts: each reads its input or its taps again."""


@dataclass(frozen=True)
class Phase:
    """Phase r of v: its J taps are ``w[k], w[k + S], …``, and it sees x̂ from t + q on."""

    r: int
    k: int
    q: int
    J: int


@dataclass(frozen=True)
class Plan:
    """What is computed, whatever the signal.

    Attributes
    ----------
    L, S, D : int
        Factor; steps from tap to tap of a phase, in w and in x̂.
    banks : tuple of tuple of Phase
        Phases of as many taps. A phase without taps is in none.
    """

    L: int
    S: int
    D: int
    banks: tuple[tuple[Phase, ...], ...]

    def reach(self, blocks: int) -> tuple[int, int]:
        """Return the first x̂[t] that the blocks from −1 on look at, and the first that they do not."""
        every = [phase for bank in self.banks for phase in bank]
        return min(p.q for p in every) - 1, blocks + max(p.q + (p.J - 1) * self.D for p in every)


def plan_of(g: Geometry) -> Plan:
    """Return the plan of nearest-neighbour interpolation and a convolution.

    Examples
    --------
    >>> from torchparity.nn.geometry import nearest
    >>> for bank in plan_of(Geometry(nearest(4), 5, 1, (2, 2), "zeros")).banks:
    ...     print(bank)
    (Phase(r=0, k=2, q=0, J=1), Phase(r=1, k=1, q=0, J=1), Phase(r=3, k=3, q=1, J=1))
    (Phase(r=2, k=0, q=0, J=2),)
    """
    L, K, d = g.factor, g.length, g.dilation
    S, D, σ = L // gcd(d, L), d // gcd(d, L), g.outer[0] - g.pads[0]
    starts = [(r, k) for r, k in product(range(L), range(min(S, K))) if (r + σ + k * d) % L == 0]
    found = [Phase(r, k, (r + σ + k * d) // L, len(range(k, K, S))) for r, k in starts]
    lengths = sorted({phase.J for phase in found})
    return Plan(L, S, D, tuple(tuple(phase for phase in found if phase.J == J) for J in lengths))


@dataclass(frozen=True)
class Job:
    """A plan for a signal: its blocks of L outputs, and where x̂[0] stands in the tensor that holds it."""

    plan: Plan
    groups: int
    blocks: int
    origin: int


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
            x, origin = with_ends(x, g, -first, behind - x.shape[-1])[0], -first
        job = Job(plan, groups, blocks, origin)
        if _transformed():
            return in_whole(x, w, bias, job)
        y: Tensor = _RunningSum.apply(x, w, bias, job)  # type: ignore[no-untyped-call]
        return y


def _transformed() -> bool:
    """Return whether functions are transformed, by `torch.func` or in forward mode: they want Torch's operations."""
    mapped: bool = torch._C._are_functorch_transforms_active()
    return mapped or torch.autograd.forward_ad._current_level >= 0


def in_whole(x: Tensor, w: Tensor, bias: Tensor | None, job: Job) -> Tensor:
    """Return y by Torch's operations alone, in one part."""
    v = phases(x, w, bias, job, -1, job.blocks)
    y = torch.stack([plus(*_at_once(*both)) for both in sums(v)], -1)
    return y.flatten(1, 2).flatten(2)


def phases(x: Tensor, w: Tensor, bias: Tensor | None, job: Job, start: int, stop: int) -> list[Tensor | None]:
    """Return v_r[t], start ≤ t < stop, as (batch, groups, out/groups, time); None for a phase without taps.

    The first has the bias: any L neighbours of v are one of each.
    """
    v: list[Tensor | None] = [None] * job.plan.L
    for bank in job.plan.banks:
        seen, padding, at = window(x.shape[-1], bank, job, start, stop)
        b = None if bias is None or bank is not job.plan.banks[0] else _first(bias.to(x.dtype), job.groups, len(bank))
        y = F.conv1d(x[..., seen], stacked(w, bank, job, x.dtype), b, 1, padding, job.plan.D, job.groups)
        y = y.unflatten(1, (job.groups, len(bank), -1))
        for i, phase in enumerate(bank):
            v[phase.r] = y[:, :, i].narrow(-1, at + phase.q, stop - start)
    return v


def window(time: int, bank: tuple[Phase, ...], job: Job, start: int, stop: int) -> tuple[slice, int, int]:
    """Return what of x̂ a bank sees, the zeros at both ends of that, and where x̂[start] stands in its outputs."""
    low = job.origin + start + min(phase.q for phase in bank)
    high = job.origin + stop + max(phase.q for phase in bank) + (bank[0].J - 1) * job.plan.D
    first = min(max(low, 0), time - 1)
    last = max(min(high, time), first + 1)
    padding = max(first - low, high - last, 0)
    return slice(first, last), padding, job.origin + start - first + padding


def stacked(w: Tensor, bank: tuple[Phase, ...], job: Job, dtype: torch.dtype) -> Tensor:
    """Return the taps of a bank as the weight (groups·phases·out/groups, in/groups, J) of a convolution."""
    by_group = w.unflatten(0, (job.groups, -1))
    return torch.stack([by_group[..., phase.k :: job.plan.S] for phase in bank], 1).flatten(0, 2).to(dtype)


def _first(bias: Tensor, groups: int, phases: int) -> Tensor:
    """Return the biases of a bank, of which the first phase has all."""
    return F.pad(bias.reshape(groups, 1, -1), (0, 0, 0, phases - 1)).flatten()


def plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Return a sum, in which None is nothing."""
    return b if a is None else a if b is None else a + b


def sums(v: Sequence[Tensor | None]) -> Iterator[tuple[Tensor | None, Tensor | None]]:
    """Yield, for each r, the sum of the phases up to r, and that of those behind."""
    behind, rest = [], None
    for each in reversed(v):
        behind.append(rest)
        rest = plus(rest, each)
    upto = None
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
        for b, o, start, stop in parts(x, w, job, 0):
            v = phases(x[b], w[o], None if bias is None else bias[o], job, start - 1, stop)
            into = y[b, o, start:stop].unflatten(1, (job.groups, -1))
            for r, both in enumerate(sums(v)):
                put(into[..., r], *_at_once(*both))
            del v, both  # before the next part
        return y.flatten(2)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        x, w, bias = ctx.saved_tensors
        job, wanted = ctx.job, ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():  # the derivative is to be derived, too
            return (*_derivable((x, w, bias), wanted, g, job), None)
        g = g.unflatten(-1, (job.blocks, job.plan.L))
        dx, dw = (torch.zeros_like(t) if wants else None for t, wants in zip((x, w), wanted[:2], strict=True))
        for b, o, start, stop in parts(x, w, job, -1) if wanted[0] or wanted[1] else ():
            todo = _given(g[b, o], x[b], w[o], job, start, stop)
            while todo:
                bank, seen, padding, given = todo.pop()
                args = ([1], [padding], [job.plan.D], False, [0], job.groups, [*wanted[:2], False])
                W = stacked(w[o], bank, job, x.dtype)
                by_x, by_W, _ = torch.ops.aten.convolution_backward(given, x[b][..., seen], W, None, *args)
                del given, W
                if dx is not None:
                    dx[b][..., seen] += by_x
                if dw is not None:
                    _unstack(by_W, bank, job, dw[o])
                del by_x, by_W
        return dx, dw, g.sum((0, 2, 3)) if wanted[2] else None, None


def _given(g: Tensor, x: Tensor, w: Tensor, job: Job, start: int, stop: int) -> list[Any]:
    """Return, for each bank, its window and the gradients by its outputs."""
    by_phase, banks = {}, []
    for bank in job.plan.banks:
        seen, padding, at = window(x.shape[-1], bank, job, start, stop)
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
    g = g[:, :, max(start, 0) : stop + 1].unflatten(1, (job.groups, -1))
    order, left, right = range(job.plan.L)[::-1], int(start < 0), int(stop == job.blocks)
    for r, (upto, rest) in zip(order, sums([g[..., r] for r in order]), strict=True):
        if r not in into:
            continue
        put(into[r][..., left : stop - start - right], _cut(upto, slice(-1)), _cut(rest, slice(1, None)))
        if left:
            into[r][..., 0] = 0 if rest is None else rest[..., 0]
        if right:
            into[r][..., -1] = 0 if upto is None else upto[..., -1]


def _unstack(W: Tensor, bank: tuple[Phase, ...], job: Job, into: Tensor) -> None:
    """Add gradients by the taps of a bank where these lie in w: undoes `stacked`."""
    by_phase = W.reshape(job.groups, len(bank), -1, *W.shape[1:])
    for i, phase in enumerate(bank):
        into.unflatten(0, (job.groups, -1))[..., phase.k :: job.plan.S] += by_phase[:, i]


def _derivable(given: tuple[Any, ...], wanted: Sequence[bool], g: Tensor, job: Job) -> list[Tensor | None]:
    """Return the gradients in a way that has gradients itself."""
    by = [t for t, wants in zip(given, wanted, strict=True) if wants]
    with torch.enable_grad():
        found = iter(torch.autograd.grad(in_whole(*given, job), by, g, create_graph=True))
    return [next(found) if wants else None for wants in wanted]


def parts(x: Tensor, w: Tensor, job: Job, first: int) -> Iterator[tuple[slice, slice, int, int]]:
    """Yield what is worked on at a time: signals, output channels, and blocks from `first` on.

    Two layers hold u, L times x, beside y. Here it is v, partial sums, and copies of w in other layouts: what there is
    more of is divided, so that it takes about a quarter of that.
    """
    B, O, blocks = len(x), len(w), job.blocks - first
    v, W = B * O * blocks * job.plan.L, w.numel()
    work, room = v + v // 4 + 2 * W, (job.plan.L * x.numel() + v) // 4 + W
    n = max(min(-(-work // room), work // LEAST, MOST), 1) if x.device.type == "cpu" else 1
    if W > v and job.groups == 1:
        signals, channels, spans = 1, n, 1
    else:
        signals, channels, spans = min(n, B), 1, -(-n // min(n, B))
    for b, o, t in product(_ranges(0, B, signals), _ranges(0, O, channels, 16), _ranges(first, job.blocks, spans)):
        yield slice(*b), slice(*o), *t


def _ranges(start: int, stop: int, parts: int, whole: int = 1) -> list[tuple[int, int]]:
    """Return a range in about so many parts, all but the last of them multiples of a number."""
    each = -(-(stop - start) // (parts * whole)) * whole
    return [(i, min(i + each, stop)) for i in range(start, stop, each)]
