"""Measuring lines: their level and the floor around them, at exact frequencies.

How leakage is controlled. The segment length N is a multiple of the period P of the predicted grid, so that
every line k/P falls on a bin; the window is the 7-term cosine sum of lowest side lobes, so that

- a line on a bin fills the 13 bins around it and, to rounding, nothing else;
- any other tone leaks less than −175 dB beyond 7 bins.

The floor of a bin is the median of the bins 7 to 20 away from it, on both sides: near enough that the shape of
coloured noise does not pass for a tone, and never touched by a neighbouring line, which is at least 32 bins away.

How accurate a level is. In the bin of a line, segment s of channel c shows c + e, e all else that is there. The level
is the root mean square of that over segments and channels, a norm, and norms obey the triangle inequality: with
ε = √mean abs(e)², ``abs(√mean abs(c + e)² − √mean abs(c)²) ≤ ε``. `largest_error_db` says it in dB; it is attained
where all e lie along c.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import maximum_filter1d, median_filter, minimum_filter

from dspref.arrays import Array, as_exact, as_integer, as_real, complaint
from dspref.designs.windows import cosine_window

SEVEN_TERMS = (
    0.27105140069342,
    0.43329793923448,
    0.21812299954311,
    0.06592544638803,
    0.01081174209837,
    0.00077658482522,
    0.00001388721735,
)
"""Minimum 7-term cosine-sum window, side lobes near −180 dB: H.-H. Albrecht, ICASSP 2001."""

LOBE = 7
"""Half-width of its main lobe, in bins."""

SEGMENTS = 9
"""Segments to average, if there are so many. Three quarters overlapped they are worth 8 independent ones, so that
a bin of noise stands 10 dB over the noise around it less than once in 10⁹."""

FINEST = 1 << 15
"""Segments need not be longer, if they give 128 bins per line: bins finer than the ripple of short kernels."""


def finest(period: int) -> int:
    """Return the bins per line beyond which a segment need not be finer.

    Parameters
    ----------
    period : int
        In samples.

    Returns
    -------
    int

    Examples
    --------
    >>> finest(2) * 2 == finest(4) * 4 == FINEST
    True
    """
    return max(128, FINEST // period)


HEADROOM_DB = 10.0
"""How far a bin of noise may stand over the noise around it, but for once in 10⁹, over `SEGMENTS` segments."""

RING = np.abs(np.arange(-20, 21)) >= LOBE
"""The bins around one whose median is its floor."""


@dataclass(frozen=True)
class LineMeasurement:
    """One line as measured.

    Attributes
    ----------
    freq : Fraction
        Cycles per sample.
    level_db : float
        10 log₁₀ of abs(c)², c the complex amplitude of ``c e^{j2πfn}``.
    floor_db : float
        What a bin there would show without the line, in the same dB: the median of the bins 7 to 20 away.
    """

    freq: Fraction
    level_db: float
    floor_db: float

    @property
    def height_db(self) -> float:
        """Level over floor."""
        return self.level_db - self.floor_db

    @property
    def error_db(self) -> float:
        """Largest error of `level_db`, should the noise in the bin be `HEADROOM_DB` over the floor around it.

        Noise that is more is seen once in 10⁹ where `SEGMENTS` segments were averaged, once in 10³ where it was one.
        Off-bin tones more than 7 bins away add 10^(−175/20) of their amplitude, which no floor shows. Infinite
        for a line that does not stand over the noise.
        """
        return largest_error_db(self.height_db - HEADROOM_DB)


def largest_error_db(height_db: float) -> float:
    """Return the bound of the error of a level that was measured `height_db` over the disturbance in its bin.

    With m the measured and ε the disturbing amplitude (root mean squares), the true one lies in m ± ε:
    ``−20 log10(1 − ε/m)`` dB, ε/m = 10^(−height/20); infinite where ε ≥ m.

    Parameters
    ----------
    height_db : float
        In dB.

    Returns
    -------
    float
        dB, 0 or more.

    Examples
    --------
    >>> [round(largest_error_db(h), 4) for h in (20, 40, 60)], largest_error_db(0)
    ([0.9151, 0.0873, 0.0087], inf)
    """
    ratio = 10 ** (-height_db / 20)
    return -20 * math.log10(1 - ratio) if ratio < 1 else math.inf


@dataclass(frozen=True)
class Peak:
    """A local maximum of the spectrum that stands over its surroundings, found without any prediction.

    Attributes
    ----------
    freq : float
        Cycles per sample.
    level_db, floor_db : float
        dB, 10 log₁₀ of the power in its bin, and of the median around it.
    on_grid : bool
        Whether it is a multiple of 1/period.

    Examples
    --------
    >>> y = np.cos(2 * np.pi * np.arange(8192) / 8) + 1e-3 * np.random.default_rng(0).normal(size=8192)
    >>> (peak,) = average_spectrum(y, 8).peaks(height_db=20)
    >>> peak.freq, round(peak.level_db, 2), peak.on_grid
    (0.125, -6.02, True)
    """

    freq: float
    level_db: float
    floor_db: float
    on_grid: bool

    @property
    def height_db(self) -> float:
        """Level over floor."""
        return self.level_db - self.floor_db


@dataclass(frozen=True, eq=False)
class AverageSpectrum:
    """Power of the complex amplitude in each bin, averaged over segments and channels.

    Attributes
    ----------
    power : array (N/2 + 1,)
        Of a line on its bin: abs(c)². Of white noise: its variance times the window's ``Σw²/(Σw)²``.
    N, period, segments : int
    resolution : float
        Amplitudes below it are rounding of the signal's own number format: unit roundoff × largest sample.

    Raises
    ------
    ValueError
        By ``line``, for a frequency between two bins.
    """

    power: Array
    N: int
    period: int
    segments: int
    resolution: float

    @cached_property
    def floor(self) -> Array:
        """Local floor of each bin: the median of its `RING`, at least ``resolution²``."""
        # as one row of two dimensions: SciPy 1.15 to 1.17 fill the holes of a footprint that has one dimension
        around = median_filter(self.power[None], footprint=RING[None], mode="mirror")[0]
        return np.asarray(np.maximum(around, self.resolution**2))

    def line(self, freq: Fraction) -> LineMeasurement:
        """Return level and floor of the line at `freq`, a multiple of 1/N."""
        place = freq * self.N
        if place.denominator != 1 or not 0 <= freq <= Fraction(1, 2):
            allowed = f"multiples of 1/{self.N} from 0 to 1/2"
            raise ValueError(complaint("line frequency", freq, allowed, "measure with a period that the line divides"))
        level = max(self.power[int(place)], self.resolution**2)
        return LineMeasurement(freq, _db(level), _db(self.floor[int(place)]))

    def peaks(self, *, grid: int | None = None, height_db: float = 10.0) -> tuple[Peak, ...]:
        """Return all local maxima that stand `height_db` over the local floor, DC included.

        It must stand as far over the least of the bins 7 to 20 away on either side too: beside a null of the spectrum
        half of the floor's bins lie far below the noise. (A strong line fills 13 of those 14 bins at most.) Two tones
        less than 7 bins apart may be one peak. A peak is on the grid if it lies within one bin of a
        multiple of 1/`grid`, a divisor of the period (the period itself if not given).
        """
        highest = maximum_filter1d(self.power, 3, mode="constant")
        beside = np.maximum(_least(self.power, before=True), _least(self.power, before=False))
        over = self.power > np.maximum(self.floor, beside) * 10 ** (height_db / 10)
        found = np.flatnonzero((self.power == highest) & over)
        distance = (found + 1) % (self.N // (grid or self.period))
        return tuple(
            Peak(int(b) / self.N, _db(self.power[b]), _db(self.floor[b]), bool(d <= 2))
            for b, d in zip(found, distance, strict=True)
        )


def _least(power: Array, *, before: bool) -> Array:
    """Return the least power among the bins of the `RING` before each bin, or after it."""
    side = RING & (np.arange(RING.size) < RING.size // 2 if before else np.arange(RING.size) > RING.size // 2)
    return np.asarray(minimum_filter(power, footprint=side, mode="mirror"))


def average_spectrum(
    y: ArrayLike, period: int, *, bins_per_line: int | None = None, roundoff: float | None = None
) -> AverageSpectrum:
    """Return the averaged spectrum of a steady signal, its bins aligned with the lines k/period.

    ``c_b = Σ_n w[n] y[n] e^{−j2πbn/N} / Σ_n w[n]``, N = period · bins_per_line, abs(c)² averaged over segments a
    quarter of N apart and over all leading axes.

    Parameters
    ----------
    y : real array (..., time)
        The steady part alone: borders are broad-band and would raise the floor.
    period : int
        P, the factor of the chain: predicted lines are multiples of 1/P.
    bins_per_line : int, optional
        At least 32, so that no line touches the floor of the next. If not given, as many as leave `SEGMENTS`
        segments, up to 128 or what makes a segment `FINEST`.
    roundoff : float, optional
        Unit roundoff of the format that y was computed in; by default that of its dtype, as 2⁻²⁴ for float32.

    Returns
    -------
    AverageSpectrum
        N/2 + 1 bins, 0 … 1/2 cycles per sample.

    Raises
    ------
    ValueError
        If y is shorter than one segment, complex, or not finite.

    References
    ----------
    P. D. Welch, IEEE Trans. Audio Electroacoust. 15(2), 1967 (averaging of modified periodograms).

    Examples
    --------
    >>> y = 0.5 * (-1.0) ** np.arange(4096)
    >>> round(average_spectrum(y, 2).line(Fraction(1, 2)).level_db, 6)
    -6.0206
    """
    signal = as_real("signal", y)
    unit = _unit_roundoff(signal) if roundoff is None else roundoff
    y = signal.astype(float)
    period = as_integer("period", period, 1)
    time = y.shape[-1]
    if bins_per_line is None:
        fitting = 4 * time // ((SEGMENTS + 3) * period)
        bins_per_line = max(32, min(fitting, finest(period)))
    N = period * as_integer("bins per line", bins_per_line, 32, "main lobes are 13 bins wide")
    if time < N:
        what, hint = f"signal length for lines 1/{period} apart", "feed a longer input"
        raise ValueError(complaint(what, f"{time} samples", f"at least {N} steady samples", hint))
    w = cosine_window(N, SEVEN_TERMS)
    starts = range(0, time - N + 1, max(1, N // 4))
    rows = y.reshape(-1, time)
    power = np.mean([_segment_power(rows[:, a : a + N], w) for a in starts], axis=0)
    resolution = unit * float(np.abs(y).max(initial=0.0))
    return AverageSpectrum(power, N, period, len(starts), resolution)


def _unit_roundoff(y: Array) -> float:
    """Return that of a signal's dtype; that of doubles, in which spectra are computed, where it is finer or exact."""
    return max(float(np.finfo(y.dtype).eps) / 2 if y.dtype.kind == "f" else 0.0, 2.0**-53)


def _segment_power(rows: Array, w: Array) -> Array:
    spectrum = np.fft.rfft(rows * w, axis=-1) / w.sum()
    return np.asarray((np.abs(spectrum) ** 2).mean(axis=0))


def measure_lines(
    y: ArrayLike, freqs: Iterable[Fraction], *, roundoff: float | None = None
) -> tuple[LineMeasurement, ...]:
    """Return level and local floor in dB at exact frequencies.

    The period is the least common denominator of the frequencies, so that every line falls on a bin of
    `average_spectrum`, which says how leakage is controlled.

    Parameters
    ----------
    y : real array (..., time)
        The steady part of a signal; leading axes (channels) are averaged.
    freqs : iterable of Fraction
        Cycles per sample, 0 … 1/2.
    roundoff : float, optional
        As for `average_spectrum`.

    Returns
    -------
    tuple of LineMeasurement, in the order of the frequencies

    Raises
    ------
    ValueError
        If a frequency is no exact number, is beyond 0 … 1/2, or the signal is too short for its period.

    Examples
    --------
    >>> n = np.arange(4096)
    >>> y = 1 + 0.1 * np.cos(2 * np.pi * n / 4)
    >>> [round(m.level_db, 3) for m in measure_lines(y, [Fraction(0), Fraction(1, 4)])]
    [0.0, -26.021]
    """
    wanted = [as_exact("line frequency", f) for f in freqs]
    period = int(np.lcm.reduce([f.denominator for f in wanted])) if wanted else 1
    spectrum = average_spectrum(y, period, roundoff=roundoff)
    return tuple(spectrum.line(f) for f in wanted)


def _db(power: float) -> float:
    return float(10 * np.log10(max(power, 1e-320)))
