"""What figures are made of, as data: each panel knows its numbers, and `dspref.figures.draw` draws it.

Levels are in dB re the strongest cell of the panel's spectrogram, as the article's colour bars are; frequencies in
cycles per sample where the name is ``freq``, and in Hz where it is ``hz``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import Array, frozen, set_field, value
from dspref.claims.curves import Drawing

Numbers: TypeAlias = dict[str, Any]

LOST = -200.0
"""Level in dB under which double precision has no 0.01 dB left: a spectrum of 2048 cells rounds to some 1e−13."""

BLOCKS = 32
"""Parts of a spectrum whose mean powers are told of it."""


@value
class Tone:
    """A line that is predicted.

    Attributes
    ----------
    freq : Fraction
        Cycles per output sample.
    owner : int or None
        The upsampling layer that makes it, counted from 1; None for the offset of no layer.
    level : float or None
        dB in the panel's units; None where only its place is known.
    low, high : float or None
        The band of one draw, where the level is a mean over draws.
    """

    freq: Fraction
    owner: int | None
    level: float | None = None
    low: float | None = None
    high: float | None = None


@value
class Spectrogram:
    """A spectrogram as the article draws it, its mean over time, and what is predicted of that.

    Attributes
    ----------
    title : str
    levels : array (rows, frames)
        dB; rows from 0 Hz to half the rate, four bins to a row, the last row that of Nyquist alone.
    mean : array (bins,)
        Measured: mean power over frames of each bin, in dB.
    floor : array (bins,) or None
        Predicted: what is no line of that.
    tones : tuple of Tone
    nulls : tuple of number
        Cycles per sample, proved.
    sr : int
        Hz.
    seconds, span : float
        Ranges of time, and of the colours in dB.
    colours : str
        Colour map.
    """

    title: str
    levels: Array
    mean: Array
    floor: Array | None
    tones: tuple[Tone, ...]
    nulls: tuple[Fraction, ...]
    sr: int
    seconds: float
    span: float
    colours: str = "magma"

    def __post_init__(self) -> None:
        for name in ("levels", "mean", "floor"):
            if getattr(self, name) is not None:
                set_field(self, name, frozen(getattr(self, name)))

    def at(self, tone: Tone) -> float:
        """Return the level measured in the bin of a line."""
        return float(self.mean[round(float(tone.freq * 2) * (self.mean.size - 1))])

    @property
    def numbers(self) -> Numbers:
        """Mean levels of `BLOCKS` parts, measured and predicted; lines in Hz, predicted and measured; nulls in Hz."""
        told: Numbers = {"measured": blocks(self.mean)}
        if self.floor is not None:
            told["predicted"] = blocks(self.floor)
        told["lines"] = [[_hz(t.freq, self.sr), digits(t.level), digits(self.at(t))] for t in self.tones]
        told["nulls"] = [_hz(nu, self.sr) for nu in self.nulls]
        return told


@value
class Stems:
    """Samples of an output, and what is predicted of them.

    Attributes
    ----------
    title : str
    values : array (time,)
    predicted : array (time,)
    borders : (int, int)
        How many samples at either end are unsteady.
    period : int
        Of what is between them.
    """

    title: str
    values: Array
    predicted: Array
    borders: tuple[int, int]
    period: int

    @property
    def numbers(self) -> Numbers:
        """All samples and those predicted, in millionths, and the borders."""
        rows = {"values": self.values, "predicted": self.predicted}
        millionths: Numbers = {name: np.rint(1e6 * row).astype(int).tolist() for name, row in rows.items()}
        return millionths | {"borders": list(self.borders)}


@value
class Row:
    """A row of boxes that starts at a place."""

    start: int
    words: tuple[str, ...]


@value
class Boxes:
    """Stamps of a kernel, one for each input sample, as they overlap and add.

    Attributes
    ----------
    title : str
    kernel : str
        What the kernel is called, and its taps.
    given : Row
        The input.
    stamps : tuple of Row
    made : Row or None
        The output.
    steady : (int, int)
        Where the output begins and ends to be steady.
    period : int
    words : str
        What is predicted of it.
    """

    title: str
    kernel: str
    given: Row
    stamps: tuple[Row, ...]
    made: Row | None
    steady: tuple[int, int]
    period: int
    words: str = ""

    @property
    def numbers(self) -> Numbers:
        """Every box, and the words below them."""
        rows = [self.given, *self.stamps, *([] if self.made is None else [self.made])]
        return {"boxes": [[row.start, *row.words] for row in rows], "predicted": self.words}


@value
class Plot:
    """Curves: predictions as lines, what is computed as marks.

    Attributes
    ----------
    title : str
    drawing : Drawing
    low, high : mapping of str to array
        Ends of bars, by the name of a curve.
    names : tuple of str
        What stands at 0, 1, … of the horizontal axis in place of numbers.
    scale : {'linear', 'log'}
        Of the vertical axis.
    """

    title: str
    drawing: Drawing
    low: Mapping[str, Array] | None = None
    high: Mapping[str, Array] | None = None
    names: tuple[str, ...] = ()
    scale: str = "linear"

    @property
    def numbers(self) -> Numbers:
        """Every twentieth point of long curves, all of short ones."""
        return {curve.name: _sampled(curve.y) for curve in self.drawing.curves}


@value
class Map:
    """Levels over two axes.

    Attributes
    ----------
    title : str
    levels : array (y, x)
        dB; what is not a number is exactly nothing.
    extent : (left, right, bottom, top)
    x, y, unit : str
        What is along the axes, and what the colours are.
    span : float
    marks : tuple of (x, y)
        Where nothing is predicted.
    """

    title: str
    levels: Array
    extent: tuple[float, float, float, float]
    x: str
    y: str
    unit: str
    span: float
    marks: tuple[tuple[float, float], ...] = ()

    @property
    def numbers(self) -> Numbers:
        """Sixteen rows of sixteen cells, or all of a smaller map."""
        rows, columns = (slice(None, None, max(1, n // 16)) for n in self.levels.shape)
        return {"levels": [[digits(v) for v in row] for row in self.levels[rows, columns]]}


Panel: TypeAlias = Spectrogram | Stems | Boxes | Plot | Map


def digits(level: float | None) -> float | None:
    """Return a level to 0.01 dB; None where there is none, and where it is lost in rounding.

    Examples
    --------
    >>> digits(-9.5424), digits(-260.0), digits(None)
    (-9.54, None, None)
    """
    if level is None or not np.isfinite(level) or level < LOST:
        return None
    return round(float(level), 2) + 0.0


def blocks(levels: Array) -> list[float | None]:
    """Return the levels of the mean powers of `BLOCKS` parts of a spectrum."""
    power = 10 ** (levels / 10)
    return [digits(10 * np.log10(max(part.mean(), 1e-30))) for part in np.array_split(power, BLOCKS)]


def _sampled(y: Array) -> list[float | None]:
    step = 1 if y.size <= 64 else 20
    return [digits(v) for v in y[::step]]


def _hz(freq: Fraction, sr: int) -> float:
    return float(freq * sr)
