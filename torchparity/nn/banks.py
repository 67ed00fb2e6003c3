"""What a running sum is computed from: which taps of a kernel meet which samples, and how much is computed at a time.

    v[tL + r] = Σ_j w[k_r + jS] x̂[t + q_r + jD],    S = L/gcd(d, L),  D = d/gcd(d, L)

are the phases of ``v[n] = Σ_k w[k] X[n + σ + kd]``, X being x̂ with L − 1 zeros after each sample. Phases of as many
taps are a bank, channels of one convolution. `torchparity.nn.running` sums them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import gcd

from torch import Tensor

from torchparity.nn.geometry import Geometry

LEAST, MOST = 1 << 19, 4
"""Numbers of working memory that are worth a part of their own, and parts: each reads its input or its taps again."""


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


def window(time: int, bank: Bank, job: Job, start: int, stop: int) -> tuple[slice, int, int]:
    """Return what of x̂ a bank sees, the zeros at both ends of that, and where x̂[start] stands in its outputs."""
    low = job.origin + start + min(phase.q for phase in bank)
    high = job.origin + stop + max(phase.q for phase in bank) + (bank[0].J - 1) * job.plan.D
    first = min(max(low, 0), time - 1)
    last = max(min(high, time), first + 1)
    padding = max(first - low, high - last, 0)
    return slice(first, last), padding, job.origin + start - first + padding


def parts(
    x: Tensor, w: Tensor, job: Job, first: int, sums: float, copies: int
) -> Iterator[tuple[slice, slice, int, int]]:
    """Yield what is worked on at a time: signals, output channels, and blocks from `first` on.

    Two layers hold u, L times x, beside y, or its gradient beside that of u. Here there are sums, so many of the size
    of v, and copies of w (taps and their gradients, oneDNN's layouts): what there is more of is divided, so that it
    takes about a quarter of that.
    """
    B, O, blocks = len(x), len(w), job.blocks - first
    v, W = B * O * blocks * job.plan.L, w.numel()
    work, room = int(sums * v) + copies * W, (job.plan.L * x.numel() + v) // 4 + W
    n = max(min(-(-work // room), work // LEAST, MOST), 1) if x.device.type == "cpu" else 1
    if v < W and job.groups == 1:
        signals, channels, spans = 1, n, 1
    else:
        signals, channels = max(min(n, B), 1), 1
        spans = -(-n // signals)
    for b, o, t in product(_ranges(0, B, signals), _ranges(0, O, channels, 16), _ranges(first, job.blocks, spans)):
        yield slice(*b), slice(*o), *t


def _ranges(start: int, stop: int, parts: int, whole: int = 1) -> list[tuple[int, int]]:
    """Return a range in about so many parts, all but the last of them multiples of a number."""
    each = max(-(-(stop - start) // (parts * whole)) * whole, 1)
    return [(i, min(i + each, stop)) for i in range(start, stop, each)]
