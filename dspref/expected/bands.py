"""What one draw does to a line: the law of ``abs(c_k)²``, and its quantiles.

Behind a drawn layer of many channels c_k is Gaussian. Its real and imaginary part are alike where ``E c_k² = 0``; in
general, ``r = abs(E c_k²)/E abs(c_k)²`` says how far they are from it:

    abs(c_k)²/E abs(c_k)² = (1 + r)/2 X² + (1 − r)/2 Y²,    X, Y standard normal

- r = 0: exponential. 5 to 95 % of draws lie −12.9 to +4.8 dB off the mean.
- r = 1: χ² of one degree of freedom, where c_k is real: at DC and Nyquist. −24.1 to +5.8 dB.

Directly behind a map, an identity skip, or a concatenation c_k is not Gaussian, may have a mean, and a relu may leave
nothing of it: there is no law, and no band; but where a map is nearly linear, as tanh of weak signals, and so 90 % of
a line's power is that of the line in front of it, under a gain.

Bands are those of one line of one channel of the output. A mean over the lines of a comb, or over channels, varies
less; with fewer channels in the last layers, one line varies more: then it is a mixture, of heavier tails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np

from dspref.arrays import as_integer, as_rate, as_real, complaint

ANGLES = (np.arange(512) + 0.5) * math.pi / 512
"""Angles that the distribution is a mean over; the mean of a smooth periodic function at equally spaced places is exact
to rounding as soon as they resolve it."""

ROUNDEST = 0.999
"""Largest r that they resolve; beyond it the law is taken for that of r = 1."""

EPS = 1e-9
"""Smallest r that is not rounding of F: quantiles differ by as much from those of r = 0."""

BAND = (0.05, 0.95)
"""Shares of draws below the ends of a band."""


@dataclass(frozen=True)
class Comb:
    """The lines at multiples of sr/M that are on no coarser comb.

    Attributes
    ----------
    divisor : int
        M.
    power : float
        ``E abs(c_k)²``, the mean over these lines.
    r : float
        ``abs(E c_k²)/E abs(c_k)²`` of these lines but DC and Nyquist: 0 where c_k is as much imaginary as real.
    gaussian : bool
        Whether c_k is Gaussian in the limit of wide layers; if not, there is no band.
    strongest : float, optional
        ``max_k E abs(c_k)²`` over these lines, where they differ.

    Raises
    ------
    ValueError
        If M is below 1; by quantiles, if a share is not within 0 … 1.

    Examples
    --------
    >>> [round(x, 1) for x in (Comb(4, 1.0).low, Comb(4, 1.0).high)]
    [-12.9, 4.8]
    """

    divisor: int
    power: float
    r: float = 0.0
    gaussian: bool = True
    strongest: float | None = None

    def __post_init__(self) -> None:
        as_integer("divisor", self.divisor, 1)

    @property
    def every(self) -> Fraction:
        """Distance of the lines, 1/M in cycles per output sample."""
        return Fraction(1, self.divisor)

    def every_hz(self, sr: Any) -> float:
        """Distance of the lines in Hz, for an output rate in Hz."""
        return float(as_rate(sr) / self.divisor)

    @property
    def db(self) -> float | None:
        """10·log10 of the power; None where there are no lines."""
        return decibels(self.power)

    @property
    def strongest_db(self) -> float | None:
        """10·log10 of the strongest line; None where all are equal, or there are none."""
        return None if self.strongest is None else decibels(self.strongest)

    @property
    def law(self) -> str:
        """Law of ``abs(c_k)²`` from draw to draw, of wide networks: "exponential" (r = 0), "chi2_1" (r = 1), "between".

        "unknown" where c_k is not Gaussian. DC and Nyquist, all that there is for M = 1 and 2, are real. On a finer
        comb Nyquist may be one line of many: the law is that of the others.
        """
        if not self.gaussian:
            return "unknown"
        r = self._r
        return "exponential" if r < EPS else "chi2_1" if r > ROUNDEST else "between"

    def quantile_db(self, q: float) -> float | None:
        """Return the level below which one line of one channel lies in a share q of draws, 0 < q < 1.

        None where there are no lines, or c_k is not Gaussian.
        """
        ratio = quantile(q, r=self._r)
        return None if self.db is None or not self.gaussian else self.db + 10 * math.log10(ratio)

    @property
    def low(self) -> float | None:
        """Level below which one line lies in 5 % of draws, in dB."""
        return self.quantile_db(BAND[0])

    @property
    def high(self) -> float | None:
        """Level below which one line lies in 95 % of draws, in dB."""
        return self.quantile_db(BAND[1])

    @property
    def _r(self) -> float:
        return 1.0 if self.divisor <= 2 else self.r


def decibels(power: float) -> float | None:
    """Return 10·log10 of a power; None for nothing.

    Examples
    --------
    >>> decibels(100.0), decibels(0.0)
    (20.0, None)
    """
    return 10 * math.log10(power) if power > 0 else None


def quantile(q: float, *, r: float = 0.0) -> float:
    """Return the number below which ``abs(c_k)²/E abs(c_k)²`` lies in a share q of draws.

    ``−ln(1 − q)`` for r = 0, ``Φ⁻¹((1 + q)/2)²`` for r = 1.

    Eq. 6.14.

    Parameters
    ----------
    q : float
        Between 0 and 1, both excluded.
    r : float
        From 0 to 1: ``abs(E c_k²)/E abs(c_k)²``.

    Examples
    --------
    >>> [round(10 * math.log10(quantile(q)), 1) for q in (0.05, 0.95)]
    [-12.9, 4.8]
    >>> [round(10 * math.log10(quantile(q, r=1.0)), 1) for q in (0.05, 0.95)]
    [-24.1, 5.8]
    """
    q, r = float(as_real("quantile", q)), float(as_real("r", r))
    if not 0 < q < 1:
        raise ValueError(complaint("quantile", q, "between 0 and 1, both excluded"))
    if not 0 <= r <= 1:
        raise ValueError(complaint("r", r, "0 to 1"))
    if r < EPS:
        return -math.log1p(-q)
    real = NormalDist().inv_cdf((1 + q) / 2) ** 2
    return real if r > ROUNDEST else _inverted(q, r, -math.log1p(-q) * 2 + real)


def share(x: float, *, r: float = 0.0) -> float:
    """Return the share of draws in which ``abs(c_k)²/E abs(c_k)²`` is at most x.

    ``1 − E √(1 − r²)/(1 − r cos θ) e^{−x (1 − r cos θ)/(1 − r²)}`` over all angles θ: the density of a complex
    Gaussian, summed along rays; for r = 1, ``erf(√(x/2))``.

    Eq. 6.14.

    Examples
    --------
    >>> round(share(quantile(0.3, r=0.5), r=0.5), 12), round(share(quantile(0.3, r=1.0), r=1.0), 12)
    (0.3, 0.3)
    """
    if x <= 0:
        return 0.0
    if r > ROUNDEST:
        return math.erf(math.sqrt(x / 2))
    rays = (1 - r * np.cos(ANGLES)) / (1 - r * r)
    return float(1 - (np.exp(-x * rays) / rays).mean() / math.sqrt(1 - r * r))


def _inverted(q: float, r: float, above: float) -> float:
    """Return x of ``share(x) = q`` by bisection, to the last bit."""
    below = 0.0
    while below < (middle := (below + above) / 2) < above:
        below, above = (below, middle) if share(middle, r=r) >= q else (middle, above)
    return above
