"""Pictures: functions take data and draw on given axes. Needs matplotlib (``pip install dspref[plot]``)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import as_real
from dspref.lines import Line
from dspref.spectrum import spectrogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["mark_lines", "plot_spectrogram"]

MARKED = 12
"""Owners with more lines than this are marked by their spacing, not line by line."""


def plot_spectrogram(
    y: ArrayLike,
    sr: float,
    *,
    lines: Sequence[Line] = (),
    standing: Collection[Fraction] | None = None,
    ax: Axes | None = None,
    size: int = 1024,
    span_db: float = 100,
) -> Axes:
    """Draw the spectrogram of one channel, with the predicted lines marked at its right edge.

    Parameters
    ----------
    y : array (time,)
    sr : float
        Sampling rate in Hz.
    lines : sequence of Line
        Predictions; each owner has a colour and a column of ticks of its own, under its number.
    standing : frequencies of lines, optional
        Those that were measured: the others are drawn pale.
    ax : Axes, optional
    span_db : float
        Range of levels below the strongest, 0 Hz left out.
    size : int
        Samples of a frame.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        As `dspref.spectrogram`.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = plot_spectrogram(np.cos(np.pi / 4 * np.arange(8000)), 16000, ax=Figure().subplots())
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time (seconds)', 'frequency (Hz)')
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1]
    y = as_real("signal", y).astype(float)
    levels = spectrogram(y, size=size)
    top = float(levels[4:].max())  # an offset, at 0 Hz and in the bins that it leaks to, would darken all else
    seconds = max(y.size, size) / sr
    image = ax.imshow(
        levels - top, origin="lower", aspect="auto", extent=(0, seconds, 0, sr / 2), vmin=-span_db, vmax=0, cmap="magma"
    )
    ax.figure.colorbar(image, ax=ax, label="dB re the maximum above 0 Hz", pad=0.14 if lines else 0.02)
    ax.set(xlabel="time (seconds)", ylabel="frequency (Hz)")
    mark_lines(ax, lines, sr, standing=standing)
    return ax


def mark_lines(ax: Axes, lines: Sequence[Line], sr: float, *, standing: Collection[Fraction] | None = None) -> None:
    """Mark predicted lines outside the right edge: a column of ticks for each owner, under its number.

    Parameters
    ----------
    ax : Axes
        Of a picture of frequency in Hz over time.
    lines : sequence of Line
    sr : float
        Sampling rate in Hz.
    standing : frequencies of lines, optional
        Those that were measured, in cycles per sample: the others are drawn pale.

    Returns
    -------
    None
        The axes are changed.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from dspref import parse, tone_lines
    >>> ax = Figure().subplots()
    >>> mark_lines(ax, tone_lines(parse("convt k4 s2 | convt k4 s2")), 16000)
    >>> [text.get_text() for text in ax.texts]  # the layers that make lines
    ['1', '2']
    """
    from matplotlib import colormaps

    outside = ax.get_yaxis_transform()
    for owner in sorted({line.owner for line in lines if line.owner is not None and line.freq}):
        mine = [line for line in lines if line.owner == owner and line.freq]
        x = np.array([1.006, 1.028]) + 0.03 * (owner - 1)
        colour = colormaps["tab10"]((owner - 1) % 10)
        width = 2.0 if len(mine) <= MARKED else 0.8
        for pale in (True, False):
            hz = [float(line.hz(sr)) for line in mine if (standing is not None and line.freq not in standing) is pale]
            alpha = 0.25 if pale else 1.0
            ax.hlines(hz, x[0], x[1], colors=[colour], lw=width, alpha=alpha, transform=outside, clip_on=False)
        ax.text(x.mean(), -0.015, str(owner), color=colour, transform=ax.transAxes, ha="center", va="top", size=8)
