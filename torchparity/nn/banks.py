"""The running sum at the rate of x: phases of a transposed convolution, as banks of convolutions, and their sums.

    v[tL + r] = Σ_j w[k_r + jS] x̂[t + q_r + jD],    S = L/gcd(d, L),  D = d/gcd(d, L)

are the phases of ``v[n] = Σ_k w[k] X[n + σ + kd]``, X being x̂ with L − 1 zeros after each sample. Phases of as many
taps are a bank, channels of one convolution. L neighbours of v are one of each phase: with P_r the sum of the phases
up to r, and R_r that of the rest,

    y[tL + r] = P_r[t] + R_r[t − 1] + b
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import gcd

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.geometry import Geometry
from torchparity.nn.parting import split, window


@dataclass(frozen=True)
class Phase:
    """Phase r of v: its J taps are ``w[k], w[k + S], …``, and it sees x̂ from t + q on."""

    r: int
    k: int
    q: int
    J: int


Bank = tuple[Phase, ...]
"""Phases of as many taps."""


@dataclass(frozen=True)
class Plan:
    """What is computed, whatever the signal.

    Attributes
    ----------
    L, S, D : int
        Factor; steps from tap to tap of a phase, in w and in x̂.
    banks : tuple of Bank
        A phase without taps is in none.
    """

    L: int
    S: int
    D: int
    banks: tuple[Bank, ...]

    @property
    def largest(self) -> tuple[float, float]:
        """The largest share that a bank has of the phases, and that of the taps."""
        taps = [len(bank) * bank[0].J for bank in self.banks]
        return max(map(len, self.banks)) / self.L, max(taps) / sum(taps)


@cache
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
    """A plan for a signal.

    Attributes
    ----------
    plan : Plan
    groups, blocks : int
        Of channels, and of L outputs.
    origin : int
        Where x̂[0] stands in the tensor that holds it.
    """

    plan: Plan
    groups: int
    blocks: int
    origin: int


def write(x: Tensor, w: Tensor, bias: Tensor | None, job: Job, start: int, into: Tensor) -> None:
    """Write y (batch, out, blocks, L), some blocks from block `start` on."""
    v = phases(x, w, bias, job, start - 1, start + into.shape[2])
    into = split(into, 1, job.groups, -1)
    for r, (upto, rest) in enumerate(sums(v)):
        put(into[..., r], _cut(upto, slice(1, None)), _cut(rest, slice(-1)))


def phases(x: Tensor, w: Tensor, bias: Tensor | None, job: Job, start: int, stop: int) -> list[Tensor | None]:
    """Return v_r[t], start ≤ t < stop, as (batch, groups, out/groups, time); None for a phase without taps.

    The first has the bias: any L neighbours of v are one of each.
    """
    v: list[Tensor | None] = [None] * job.plan.L
    for bank in job.plan.banks:
        least, most = min(phase.q for phase in bank), max(phase.q for phase in bank)
        low, high = start + least, stop + most + (bank[0].J - 1) * job.plan.D
        seen, padding, at = window(x.shape[-1], job.origin + low, job.origin + high)
        b = None if bias is None or bank is not job.plan.banks[0] else _first(bias.to(x.dtype), job.groups, len(bank))
        y = F.conv1d(x[..., seen], stacked(w, bank, job, x.dtype), b, 1, padding, job.plan.D, job.groups)
        y = split(y, 1, job.groups, len(bank), -1)
        for i, phase in enumerate(bank):
            v[phase.r] = y[:, :, i].narrow(-1, at + phase.q - least, stop - start)
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


def put(into: Tensor, a: Tensor | None, b: Tensor | None) -> None:
    """Write ``a + b`` without a copy."""
    if a is None or b is None:
        into.copy_(b if a is None else a)  # type: ignore[arg-type]
    else:
        torch.add(a, b, out=into)
