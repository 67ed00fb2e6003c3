"""The spectrum to expect of a network before training: its combs, its floor, and how far one draw may lie off."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_choice, as_rate, as_real, complaint, frozen, set_field, value
from dspref.expected.combs import Levels, heights
from dspref.expected.extent import Extent
from dspref.expected.graph import Network, network
from dspref.expected.moments import Moments, covariance, lines
from dspref.expected.network import Source, Step
from dspref.expected.walk import Signal, started, walk

LARGEST = 4096
"""Longest period of the full recursion: matrices of 128 MiB."""

ROUTES = ("auto", "combs", "full")

CHI2 = {0.05: 0.003932140000019523, 0.95: 3.841458820694124}
"""Quantiles of χ² of one degree of freedom."""


@dataclass(frozen=True)
class Comb:
    """The lines at multiples of sr/M that are on no coarser comb.

    Attributes
    ----------
    divisor : int
        M.
    power : float
        ``E abs(c_k)²``, the mean over these lines.
    """

    divisor: int
    power: float

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
        return 10 * math.log10(self.power) if self.power > 0 else None

    @property
    def law(self) -> str:
        """Law of ``abs(c_k)²`` from draw to draw, of wide networks: "exponential", or "chi2_1" where c is real.

        That is χ² of one degree of freedom, at DC and Nyquist; on a finer comb, Nyquist may be one line of many.
        """
        return "chi2_1" if self.divisor <= 2 else "exponential"

    def quantile_db(self, q: float) -> float | None:
        """Return the level below which one line lies in a share q of draws: 0.05 or 0.95."""
        if q not in CHI2:
            raise ValueError(complaint("quantile", q, ", ".join(map(str, CHI2))))
        ratio = CHI2[q] if self.law == "chi2_1" else -math.log1p(-q)
        return None if self.db is None else self.db + 10 * math.log10(ratio)


@value
class Expected:
    """Second-order statistics of the output, in the steady state.

    Attributes
    ----------
    combs : tuple of Comb
        From DC, M = 1, to the finest, M = P.
    lines : array (P,) or None
        ``E abs(c_k)²``, k = 0 … P − 1, of the full recursion.
    lags, covariance : array (n,)
        Autocovariance of the noise, at lags >= 0.
    period, channels, narrowest : int
        P; of the output; fewest channels that a convolution behind a map sums over, 0 if there is none.
    exact : bool
        Whether the network is linear, and all this exact at any width.
    route : str
        "combs" or "full".
    """

    combs: tuple[Comb, ...]
    lines: Array | None
    lags: Array
    covariance: Array
    period: int
    channels: int
    narrowest: int
    exact: bool
    route: str

    def __post_init__(self) -> None:
        for name in ("lags", "covariance"):
            set_field(self, name, frozen(getattr(self, name)))
        set_field(self, "lines", None if self.lines is None else frozen(self.lines))

    @property
    def noise(self) -> float:
        """Variance of the noise: the mean of `floor` over frequencies."""
        return float(self.covariance[self.lags == 0].sum())

    @property
    def floor_db(self) -> float | None:
        """10·log10 of that; unit white noise is 0."""
        return 10 * math.log10(self.noise) if self.noise > 0 else None

    def floor(self, freq: ArrayLike) -> Array:
        """Return the power spectral density of the noise, ``S(ν) = Σ_τ mean_n D[n, τ] e^{−j2πντ}``."""
        nu = as_real("frequency", freq).astype(float)
        both = np.where(self.lags == 0, 1, 2) * self.covariance
        return np.asarray(np.cos(2 * np.pi * nu[..., None] * self.lags) @ both)

    def line(self, k: int) -> float:
        """Return ``E abs(c_k)²`` of the line at k/P, whatever the route."""
        if self.lines is not None:
            return float(self.lines[k % self.period])
        return next(comb.power for comb in self.combs if k * comb.divisor % self.period == 0)


def expected_spectrum(
    steps: Network | Iterable[Step], source: Source, *, route: str = "auto", width_terms: bool = True
) -> Expected:
    """Return the spectrum to expect of a network whose weights are drawn, averaged over draws.

    Linear networks: exact at any width. Maps between drawn convolutions: in the limit of wide layers.

    Parameters
    ----------
    steps : Network, or iterable of Drawn, Fixed, Pointwise, Gate, Sum, Concat
    source : Source
    route : {'auto', 'combs', 'full'}
        The recursion of levels, which takes any period; that of matrices (P, P); or the first where it holds.
    width_terms : bool
        Whether maps make lines of the leading terms of finite width, where the limit of wide layers has none: see
        `dspref.expected.spread`.

    Returns
    -------
    Expected
        Averages over channels. Lines more than about 130 dB under the strongest are rounding.

    Raises
    ------
    NotAnalysable
        Behind a layer that is not covered, a map of values that are not Gaussian, and for periods beyond `LARGEST`
        where combs do not hold.
    ValueError
        If channels or rates do not fit.

    Examples
    --------
    >>> from dspref.expected import Drawn, Source
    >>> up = Drawn("convt", 8, 8, 8, factor=4, bias=0)
    >>> found = expected_spectrum([up], Source(8, constant=1.0))
    >>> [(comb.divisor, comb.every_hz(44100), round(comb.power, 6)) for comb in found.combs]
    [(1, 44100.0, 0.020833), (4, 11025.0, 0.020833)]
    """
    as_choice("route", route, ROUTES)
    net = network(steps)
    if route != "full":
        try:
            return _of_levels(walk(started(Levels.of(source, width_terms=width_terms), source), net))
        except NotAnalysable:
            if route == "combs":
                raise
    walk(started(Extent(1, LARGEST), source), net)  # refuses before any work
    return _of_moments(walk(started(Moments.of(source, width_terms=width_terms), source), net))


def _of_levels(x: Signal[Levels]) -> Expected:
    levels = x.moments
    combs = tuple(Comb(M, power) for M, power in zip(levels.divisors, heights(levels).tolist(), strict=True))
    return _result(x, combs, None, np.zeros(1, int), np.full(1, levels.noise), "combs")


def _of_moments(x: Signal[Moments]) -> Expected:
    power, k = lines(x.moments), np.arange(x.moments.period)
    first = np.array([(k * M % len(k)) == 0 for M in x.divisors]).argmax(axis=0)
    combs = tuple(Comb(M, float(power[first == i].mean())) for i, M in enumerate(x.divisors) if (first == i).any())
    return _result(x, combs, power, *covariance(x.moments), "full")


def _result(
    x: Signal[Any], combs: tuple[Comb, ...], power: Array | None, lags: Array, r: Array, route: str
) -> Expected:
    return Expected(combs, power, lags, r, x.divisors[-1], x.channels, x.narrowest, x.linear, route)
