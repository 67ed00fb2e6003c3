"""Power of lines and of the noise between them, from records of a periodic mean plus noise: unbiased.

In its steady state a network whose rates have the period P makes of noise a cyclostationary signal
y[n] = m[n] + e[n], its mean m of period P, its noise e of zero mean. From records of R periods, T = RP samples each,
made of independent inputs by the *same* network, b = 1 … B,

    ĉ_b[k] = 1/T Σ_n y_b[n] e^{−j2πkn/P} = c_k + ε_b[k],    c_k = 1/P Σ_n m[n] e^{−j2πkn/P},  E ε_b = 0.

|ĉ_b|² is too large by E|ε_b|² ≈ S(k/P)/T, S the density of e. But ε_a and ε_b are independent for a ≠ b, so that

    E ĉ_a[k] ĉ_b[k]* = |c_k|²,    and    (|Σ_b ĉ_b|² − Σ_b |ĉ_b|²) / (B(B−1)),

the mean over all pairs, has the mean |c_k|² *exactly*: whatever the spectrum of e, its statistics, or R. And as the
mean of y over records holds m and 1/B of the variance of e,

    1/(B−1) Σ_b |DFT_T(w (y_b − ȳ))[i]|² / Σ w²

has the mean of a periodogram of e alone, with no line left in it: S(i/T), smoothed by the window w. That of Hann lets
no loud band leak into a quiet one; and as w² = Σ_{j≤2} a_j cos 2πjn/T has the same sum over each of P phases, where
R ≥ 3, a noise whose power depends on the phase is averaged over all phases alike.
Where the input has no noise, there is none in the output: one record is enough, and |ĉ|² is |c|².
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from operator import mul

import numpy as np

from dspref.arrays import Array, as_integer, frozen


@dataclass(frozen=True)
class Combs:
    """The combs of lines that layers of factors s_1 … s_N make: at multiples of 1/M_i, M_i = s_N s_{N−1} ⋯ s_{N−i+1}.

    A line k/P, P = M_N, belongs to the coarsest comb that has it: the first i with k M_i ≡ 0 mod P.

    Parameters
    ----------
    factors : sequence of int
        Of the layers that raise the rate, from input to output; each at least 2.

    Examples
    --------
    >>> combs = Combs((4, 2))
    >>> combs.divisors, combs.period
    ((1, 2, 8), 8)
    >>> combs.lines(1)
    (Fraction(1, 2),)
    >>> [str(freq) for freq in combs.lines(2)]
    ['1/8', '1/4', '3/8']
    """

    factors: tuple[int, ...]

    def __post_init__(self) -> None:
        for s in self.factors:
            as_integer("factor of a layer that raises the rate", s, 2)

    @property
    def divisors(self) -> tuple[int, ...]:
        """1 = M_0, M_1, …, M_N = P."""
        return tuple(accumulate(reversed(self.factors), mul, initial=1))

    @property
    def period(self) -> int:
        """P, in output samples."""
        return self.divisors[-1]

    @cached_property
    def levels(self) -> Array:
        """Number i of the comb of each line k/P, k = 0 … P/2."""
        k = np.arange(self.period // 2 + 1)
        return frozen(np.argmax([k * M % self.period == 0 for M in self.divisors], axis=0))

    def lines(self, i: int) -> tuple[Fraction, ...]:
        """Return the frequencies of comb i in cycles per sample, up to ½."""
        return tuple(Fraction(int(k), self.period) for k in np.flatnonzero(self.levels == i))

    def total(self, powers: Array) -> float:
        """Return the sum over all lines, of the powers of the lines 0 … P/2."""
        return float(powers @ both_sides(self.period))

    def means(self, powers: Array) -> Array:
        """Return the mean of the powers of the lines 0 … P/2 over each comb, ±f counted both."""
        each = both_sides(self.period)
        combs = range(len(self.divisors))
        return np.array([np.average(powers[self.levels == i], weights=each[self.levels == i]) for i in combs])


def both_sides(N: int) -> Array:
    """Return how many of the frequencies k/N, 0 ≤ k < N, each of 0 … N/2 stands for: itself and its negative.

    Examples
    --------
    >>> both_sides(4), both_sides(3)
    (array([1., 2., 1.]), array([1., 2.]))
    """
    count = np.full(N // 2 + 1, 2.0)
    count[0] = 1
    if N % 2 == 0:
        count[-1] = 1
    return count


def line_powers(y: Array, period: int) -> Array:
    """Return unbiased estimates of the |c_k|², k = 0 … P/2, averaged over channels.

    Parameters
    ----------
    y : array (record, channel, time)
        `time` a multiple of the period P. One record is taken to have no noise.

    Examples
    --------
    >>> line_powers(np.array([[[1.0, 3, 1, 3]]]), 2)
    array([4., 1.])
    """
    records = len(y)
    c = np.fft.rfft(y.reshape(*y.shape[:2], -1, period).mean(axis=2)) / period
    own = (np.abs(c) ** 2).sum(axis=0)
    pairs = (np.abs(c.sum(axis=0)) ** 2 - own) / (records * (records - 1)) if records > 1 else own
    return np.asarray(pairs.mean(axis=0))


def floor_densities(y: Array, bands: int) -> Array:
    """Return the density of the noise, averaged over channels, as means over equal bands of 0 … ½.

    White noise of variance 1 has the density 1: it is the power in a band over its width, ±f counted both.

    Parameters
    ----------
    y : array (record, channel, time)
        At least two records; `time` three or more periods of all lines.
    bands : int
        At most time/2.

    Examples
    --------
    >>> floor_densities(np.array([[[0.0, 1, 0]], [[2.0, 3, 2]]]), 1).round(12)
    array([2.])
    """
    T = y.shape[-1]
    w = 1 - np.cos(2 * np.pi * np.arange(T) / T)
    power = np.abs(np.fft.rfft(w * (y - y.mean(axis=0)))) ** 2
    density = power.sum(axis=0).mean(axis=0) / ((len(y) - 1) * (w @ w))
    return np.asarray(np.bincount(band_of(T, bands), density * both_sides(T)) / band_sizes(T, bands))


def band_of(T: int, bands: int) -> Array:
    """Return in which of the equal bands of 0 … ½ each bin i/T, i = 0 … T/2, lies.

    Examples
    --------
    >>> band_of(8, 2)
    array([0, 0, 1, 1, 1])
    """
    return np.minimum(2 * bands * np.arange(T // 2 + 1) // T, bands - 1)


def band_sizes(T: int, bands: int) -> Array:
    """Return how many bins lie in each band, ±f counted both.

    Examples
    --------
    >>> band_sizes(8, 2)
    array([3., 5.])
    """
    return np.bincount(band_of(T, bands), both_sides(T))


@dataclass(frozen=True)
class Moments:
    """Count, mean, and sum of squared deviations of numbers that come in parts.

    Examples
    --------
    >>> both = Moments.of(np.array([[1.0], [2.0]])) + Moments.of(np.array([[6.0]]))
    >>> both.mean, both.error
    (array([3.]), array([1.52752523]))
    """

    count: int
    mean: Array
    scatter: Array

    @classmethod
    def of(cls, rows: Sequence[Array] | Array) -> Moments:
        """Return the moments of rows (number, ...)."""
        rows = np.asarray(rows)
        mean = rows.mean(axis=0)
        return cls(len(rows), mean, ((rows - mean) ** 2).sum(axis=0))

    def __add__(self, other: Moments) -> Moments:
        n, apart = self.count + other.count, other.mean - self.mean
        scatter = self.scatter + other.scatter + apart**2 * (self.count * other.count / n)
        return Moments(n, self.mean + apart * (other.count / n), scatter)

    @property
    def error(self) -> Array:
        """Standard error of the mean."""
        return np.sqrt(self.scatter / (self.count * (self.count - 1)))
