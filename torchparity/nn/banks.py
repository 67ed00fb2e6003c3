"""What a running sum is computed from: which taps of a kernel meet which samples.

    v[tL + r] = Σ_j w[k_r + jS] x̂[t + q_r + jD],    S = L/gcd(d, L),  D = d/gcd(d, L)

are the phases of ``v[n] = Σ_k w[k] X[n + σ + kd]``, X being x̂ with L − 1 zeros after each sample. Phases of as many
taps are a bank, channels of one convolution. `torchparity.nn.running` sums them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import gcd

from torchparity.nn.geometry import Geometry
from torchparity.nn.parting import window


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


def seen_by(bank: Bank, job: Job, time: int, start: int, stop: int) -> tuple[slice, int, int]:
    """Return what of x̂ a bank sees, the zeros at both ends of that, and where x̂[start] stands in its outputs."""
    least, most = min(phase.q for phase in bank), max(phase.q for phase in bank)
    origin = job.origin
    seen, padding, at = window(time, origin + start + least, origin + stop + most + (bank[0].J - 1) * job.plan.D)
    return seen, padding, at - least
