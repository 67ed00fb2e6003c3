"""What tone-free taps cost: how much of a random kernel's pass band the notches at k/s take away, by their order.

Taps w that are drawn independently, of variance σ², have ``E abs(W(ν))² = σ² K`` at every frequency. Behind the
projection P on tone-free taps of order p, with ``e(ν)[n] = e^{−j2πνn}``,

    E abs(H(ν))² = σ² e(ν)ᴴ P e(ν) = σ² Σ_d c_d cos 2πνd,    c_d = Σ_{n − m = d} P[n, m]

as P is its own square. Its mean over ν is σ² (K − p(s − 1)), the trace: each condition costs one tap's worth of power.
Where s divides K and p = 1 it is ``σ² (K − (s²/K) D_{K/s}(sν)² + D_K(ν)²/K)``, D_m(x) = sin πmx / sin πx: nothing at
0 Hz, all of it at k/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_real
from dspref.designs.projection import projector

HALF_POWER = 0.5
"""Share of the power at −3 dB."""


@dataclass(frozen=True)
class NotchCost:
    """What the notches of tone-free taps take of a random kernel's response.

    Attributes
    ----------
    taps, factor, order : int
        K, s and p.
    cosines : tuple of Fraction
        c_0, 2 c_1, … 2 c_{K−1}: ``E abs(H(ν))²/σ² = Σ_d cosines[d] cos 2πνd``.

    Examples
    --------
    >>> cost = notch_cost(4, 2)
    >>> str(cost.kept), cost.db(0.0).round(6).item(), cost.db(0.25).round(6).item()
    ('3/4', 0.0, 0.0)
    """

    taps: int
    factor: int
    order: int
    cosines: tuple[Fraction, ...]

    @property
    def kept(self) -> Fraction:
        """Share of the power that is left, the mean over all frequencies: ``1 − p(s − 1)/K``."""
        return self.cosines[0] / self.taps

    def gain(self, freq: ArrayLike) -> Array:
        """Return ``E abs(H(ν))²/(σ² K)`` at `freq` in cycles per output sample: 1 for taps that are not projected."""
        nu = np.asarray(as_real("frequency", freq), float)
        c = np.array(self.cosines, float)
        found = np.cos(2 * np.pi * np.multiply.outer(nu, np.arange(self.taps))) @ c
        return np.asarray(np.maximum(found, 0.0) / self.taps)  # a power: what rounds below 0 is 0

    def db(self, freq: ArrayLike) -> Array:
        """Return the gain in dB; −inf in a null, which is below the rounding of the sum."""
        gain = self.gain(freq)
        floor = 2.0**-52 * float(sum(abs(c) for c in self.cosines))
        with np.errstate(divide="ignore"):
            return np.asarray(10 * np.log10(np.where(gain <= floor, 0.0, gain)))

    @property
    def edge(self) -> float:
        """First frequency, in cycles per output sample, with half of the power of 0 Hz: the −3 dB edge.

        There is one in front of 1/s, where the power is 0. It is looked for on a grid of 64 points per 1/K: no cosine
        of the power has a shorter period than 1/(K − 1).
        """
        nu = np.linspace(0, 1 / self.factor, 64 * -(-self.taps // self.factor) + 1)
        half = HALF_POWER * float(self.gain(0.0))
        last = int(np.argmax(self.gain(nu) < half))
        low, high = float(nu[last - 1]), float(nu[last])
        while low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if float(self.gain(middle)) < half else (middle, high)
        return high


def notch_cost(taps: int, factor: int, *, order: int = 1) -> NotchCost:
    """Return what tone-free taps of an order take of a random kernel's pass band: ``σ² e(ν)ᴴ P e(ν)``, exactly.

    Parameters
    ----------
    taps, factor : int
        K and s, the factor at least 2.
    order : int
        p, at most ⌊(K − 1)/(s − 1)⌋.

    Returns
    -------
    NotchCost
        Its `gain` and `db` re taps that are not projected, at any frequency; its −3 dB `edge`.

    Raises
    ------
    NotAnalysable
        If there are fewer taps than the factor, or too few for the order.

    Examples
    --------
    >>> for s in (2, 4, 8):
    ...     costs = [notch_cost(2 * s, s, order=p) for p in (1, 2)]
    ...     print(s, [f"{10 * np.log10(float(c.kept)):.2f} dB, edge {c.edge * s:.3f}/s" for c in costs])
    2 ['-1.25 dB, edge 0.772/s', '-3.01 dB, edge 0.578/s']
    4 ['-2.04 dB, edge 0.765/s', '-6.02 dB, edge 0.564/s']
    8 ['-2.50 dB, edge 0.764/s', '-9.03 dB, edge 0.560/s']
    """
    P = projector(taps, factor, order=order)
    c = [sum((P[n + d, n] for n in range(taps - d)), Fraction(0)) for d in range(taps)]
    return NotchCost(taps, factor, order, (c[0], *(2 * each for each in c[1:])))
