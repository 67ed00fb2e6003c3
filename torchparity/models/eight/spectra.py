"""Levels of tones and valleys in a spectrum of 2048 samples.

A tone at ν of power abs(c)² over a floor of density S stands, in a spectrum of N samples under a Hann window, by

    H = 10 log₁₀(1 + abs(c)² N/(1.5 S(ν)))  dB

over it; a valley lies by ``D = 10 log₁₀(S(ν)/mean S)`` from the mean of the floor, S as that spectrum shows it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dspref.arrays import Array, frozen, set_field, value
from dspref.expected.visible import HANN

N = 2048
"""Samples of the spectrum in which tones and valleys are looked for."""

LINES = (Fraction(1, 4), Fraction(1, 2))
"""Tones that are looked for, in cycles per output sample: 11 025 Hz is the first at 44.1 kHz, the second at 22.05."""

BESIDE = np.arange(4, 29)
"""How many bins from a tone its floor is looked at: lines at multiples of sr/64 leave 31 bins free."""

OFFSET = 3
"""Bins that an offset, at 0 Hz, reaches under a Hann window; the mean of the floor leaves them out."""

MARGIN = 6
"""Periods at either end of an output that are not looked at: borders reach fewer."""

KEPT = 1 << 16
"""Samples of an output that are looked at."""

LINES = (Fraction(1, 4), Fraction(1, 2))
"""Tones that are looked for, in cycles per output sample: 11 025 Hz is the first at 44.1 kHz, the second at 22.05."""

BESIDE = np.arange(4, 29)
"""How many bins from a tone its floor is looked at: lines at multiples of sr/64 leave 31 bins free."""

OFFSET = 3
"""Bins that an offset, at 0 Hz, reaches under a Hann window; the mean of the floor leaves them out."""

MARGIN = 6
"""Periods at either end of an output that are not looked at: borders reach fewer."""

KEPT = 1 << 16
"""Samples of an output that are looked at."""

BESIDE = np.arange(4, 29)
"""How many bins from a tone its floor is looked at: lines at multiples of sr/64 leave 31 bins free."""

OFFSET = 3
"""Bins that an offset, at 0 Hz, reaches under a Hann window; the mean of the floor leaves them out."""

MARGIN = 6
"""Periods at either end of an output that are not looked at: borders reach fewer."""

KEPT = 1 << 16
"""Samples of an output that are looked at."""

OFFSET = 3
"""Bins that an offset, at 0 Hz, reaches under a Hann window; the mean of the floor leaves them out."""

MARGIN = 6
"""Periods at either end of an output that are not looked at: borders reach fewer."""

KEPT = 1 << 16
"""Samples of an output that are looked at."""


@dataclass(frozen=True)
class Level:
    """A level in dB, and its standard error."""

    db: float
    error: float = 0.0

    def __sub__(self, other: Level) -> Level:
        """Return the difference of two independent levels."""
        return Level(self.db - other.db, math.hypot(self.error, other.error))


@value
class Seen:
    """What draws of a network show, each as a mean over the channels of its output; powers re the input's.

    Attributes
    ----------
    tones : array (draws, 2)
        abs(c)² at `LINES`, less what the floor adds on average: it may be negative.
    density : array (draws, N // 2 + 1)
        Averaged spectrum of N samples; white noise of power 1 has 1.
    """

    tones: Array
    density: Array

    def __post_init__(self) -> None:
        set_field(self, "tones", frozen(self.tones))
        set_field(self, "density", frozen(self.density))

    def level(self, line: int) -> Level | None:
        """Return the power of a tone; None where it is not twice its error over 0."""
        found = _ratio(self.tones[:, line], np.ones(len(self.tones)))
        return _decibels(*found) if found[0] > 2 * found[1] else None

    def height(self, line: int) -> Level:
        """Return H, by how much a tone stands over the floor."""
        R, error = _ratio(self.tones[:, line], floor_beside(self.density, LINES[line]))
        return _decibels(max(1 + R * N / HANN, 0.5), error * N / HANN)

    def depth(self, line: int) -> Level:
        """Return D, how far from the mean of the floor it lies at a tone's place."""
        own = self.density[:, int(LINES[line] * N)]
        return _decibels(*_ratio(own, self.density[:, OFFSET : 1 - OFFSET].mean(axis=1)))


def averaged(y: Array) -> Array:
    """Return the spectral density, (N // 2 + 1,), of Hann frames of N samples, overlapping by half; of all channels.

    Examples
    --------
    >>> y = np.random.default_rng(0).standard_normal((1, 1 << 16))
    >>> round(float(averaged(y).mean()), 1)
    1.0
    """
    w = 1 - np.cos(2 * np.pi * np.arange(N) / N)
    frames = np.lib.stride_tricks.sliding_window_view(y, N, axis=-1)[..., :: N // 2, :]
    return np.asarray((np.abs(np.fft.rfft(frames * w)) ** 2).mean(axis=(0, 1)) / (w @ w))


def floor_beside(density: Array, nu: Fraction) -> Array:
    """Return the mean density beside a tone, one for each draw: (draws, N // 2 + 1) ↦ (draws,)."""
    k = int(nu * N)
    bins = np.concatenate((k - BESIDE, k + BESIDE))
    return np.asarray(density[:, bins[bins <= N // 2]].mean(axis=1))


def amplitude(y: Array, nu: Fraction) -> Array:
    """Return c at ν, one for each channel: ``Σ w[n] y[n] e^{−j2πνn} / Σ w[n]`` with a Hann window."""
    n = np.arange(y.shape[-1])
    w = 1 - np.cos(2 * np.pi * n / n.size)
    turns = np.exp(-2j * np.pi * np.arange(nu.denominator) * float(nu))[n % nu.denominator]
    return np.asarray(y @ (w * turns) / w.sum())


def _ratio(a: Array, b: Array) -> tuple[float, float]:
    """Return the ratio of two means over draws, and its standard error: that of the mean of a − R b, over b's."""
    R = float(a.mean() / b.mean())
    return R, float((a - R * b).std(ddof=1) / math.sqrt(len(a)) / b.mean())


def _decibels(power: float, error: float) -> Level:
    return Level(10 * math.log10(power), 10 / math.log(10) * error / power)
