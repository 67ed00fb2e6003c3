"""Expected lines and floor as a picture. Needs matplotlib (``pip install dspref[plot]``).

Powers are those of a spectrum of N samples under a Hann window, ``abs(Σ_n w[n] y[n] e^{−j2πkn/N})² / (Σ_n w[n])²``: a
line of power abs(c)² stands abs(c)² high whatever N, and noise of density S lies at 1.5 S/N.
"""

from __future__ import annotations

import math
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_real, complaint
from dspref.expected.spectrum import Comb, Expected
from dspref.expected.visible import DIGITS, HANN, SAMPLES, lost, own_lines, seen_floor
from dspref.tables import hertz

if TYPE_CHECKING:
    from matplotlib.axes import Axes

APART = 4
"""Bins between lines that a Hann window tells apart."""


LONGEST = 1 << 16
"""Longest period whose lines are drawn."""


def spectrum_size(expected: Expected) -> int:
    """Return N: 1024 or more samples, a multiple of the period, so that each line has a bin, and lines are apart.

    Examples
    --------
    >>> from dspref.expected import Drawn, Source, expected_spectrum
    >>> spectrum_size(expected_spectrum([Drawn("convt", 1, 1, 6, factor=3)], Source(1, 1.0)))
    1026
    """
    P = expected.period
    if P > LONGEST:
        raise NotAnalysable(complaint("period of lines to draw", P, f"at most {LONGEST}", "the levels are in the text"))
    return P * max(APART, -(-SAMPLES // P))


def power_spectrum(y: ArrayLike, size: int) -> Array:
    """Return the powers in bins 0 … N/2 of a signal (time,), averaged over frames that overlap by half.

    Examples
    --------
    >>> power_spectrum(np.tile([1.0, 0.0], 16), 8).round(12).tolist()
    [0.25, 0.0625, 0.0, 0.0625, 0.25]
    """
    y = as_real("signal", y).astype(float)
    if y.ndim != 1 or y.size < size:
        raise ValueError(complaint("signal", f"shape {y.shape}", f"one channel of at least {size} samples"))
    w = 1 - np.cos(2 * np.pi * np.arange(size) / size)
    frames = np.lib.stride_tricks.sliding_window_view(y, size)[:: max(1, size // 2)]
    return np.asarray((np.abs(np.fft.rfft(w * frames)) ** 2).mean(axis=0) / w.sum() ** 2)


def plot_expected(
    expected: Expected,
    sr: Fraction | float | None = None,
    *,
    measured: ArrayLike | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw the expected lines with their bands of 5 … 95 %, and the floor, over the spectrum of one draw.

    Parameters
    ----------
    expected : Expected
    sr : number, optional
        Output rate in Hz; frequencies are in cycles per sample without it.
    measured : array (time,), optional
        Output of one network in its steady state, at least `spectrum_size` samples.
    ax : Axes, optional
    title : str

    Returns
    -------
    Axes
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1]
    N, rate = spectrum_size(expected), 1.0 if sr is None else float(sr)
    f = np.arange(N // 2 + 1) / N
    if measured is not None:
        ax.plot(f * rate, _db(power_spectrum(measured, N)), color="0.6", lw=0.7, label="one network", zorder=1)
    if expected.noise > 0:
        ax.plot(
            f * rate,
            _db(seen_floor(expected, f, size=N) * HANN / N),
            color="black",
            lw=1.2,
            label="expected floor",
            zorder=2,
        )
    for i, comb in enumerate(expected.combs):
        if comb not in lost(expected):
            _draw_comb(ax, expected, comb, sr, f"C{i % 10}")
    ax.set(xlabel="cycles per sample" if sr is None else "frequency (Hz)", xlim=(-0.004 * rate, 0.504 * rate))
    ax.set(ylabel=f"power in a bin, dB re input (Hann, N = {N})", title=title, ylim=_range(expected, N))
    ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    ax.grid(alpha=0.3)
    return ax


def expected_png(
    expected: Expected, sr: Fraction | float | None = None, *, measured: ArrayLike | None = None, title: str = ""
) -> bytes:
    """Return `plot_expected` as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    plot_expected(expected, sr, measured=measured, ax=figure.subplots(), title=title)
    page = BytesIO()
    figure.savefig(page, format="png", dpi=110)
    return page.getvalue()


def _draw_comb(ax: Axes, expected: Expected, comb: Comb, sr: Fraction | float | None, colour: str) -> None:
    """Draw a point for the mean and a bar for the band, if any, of each line that a comb is the first to have."""
    k, level = _levels(expected, comb)
    if comb.db is None or not k.size:
        return
    x = k / expected.period * (1 if sr is None else float(sr))
    name = "offset" if comb.divisor == 1 else f"sr/{comb.divisor}"
    name += "" if sr is None or comb.divisor == 1 else f": {hertz(Fraction(sr) / comb.divisor)}"
    many = k.size > MANY
    if comb.low is not None and comb.high is not None:
        low, high = comb.low - comb.db, comb.high - comb.db
        ax.vlines(x, level + low, level + high, colors=[colour], lw=1 if many else 2, alpha=0.5, zorder=3)
    ax.plot(x, level, ls="", marker="o", ms=2.5 if many else 5, color=colour, label=name, zorder=4)


MANY = 40
"""Lines of a comb from which on marks are small."""


def _levels(expected: Expected, comb: Comb) -> tuple[Array, Array]:
    """Return the numbers of the lines of a comb that are there, and their levels."""
    k = own_lines(expected, comb)
    power = np.array([expected.line(int(number)) for number in k])
    return k[power > 0], _db(power[power > 0])


def _range(expected: Expected, N: int) -> tuple[float, float]:
    """Return the limits of levels: a little around all that is drawn."""
    drawn = (_levels(expected, comb)[1] for comb in expected.combs if comb not in lost(expected))
    levels = [level for those in drawn for level in those.tolist()]
    levels += [expected.floor_db + 10 * math.log10(HANN / N)] if expected.floor_db is not None else []
    return (min(levels) - 20, max(levels) + 10) if levels else (-float(DIGITS), 0.0)


def _db(power: Array) -> Array:
    """Return levels; what is zero is not a number, and not drawn."""
    return np.asarray(10 * np.log10(np.where(power > 0, power, np.nan)))
