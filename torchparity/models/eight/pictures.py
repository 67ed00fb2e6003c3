"""The article's Figs. 1 and 9 again: spectrograms of eight networks on one sheet, or beside the article's."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dspref import Linear, Nearest
from dspref.arrays import Array
from dspref.expected import Expected
from dspref.expected.visible import HANN
from dspref.layers import Layer
from dspref.spectrum import nulls
from torchparity.known import EIGHT, network_named
from torchparity.models.eight.drawn import response
from torchparity.models.eight.spectra import N
from torchparity.models.unet import STRIDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SECONDS = 6
"""Length of the article's spectrograms."""

SPAN = {"melgan": 200.0}
"""Range of the article's colour bars in dB, where it is not `USUAL`."""

USUAL = 150.0

ARTICLE = {
    "melgan": "melgan",
    "demucs-like-transposed": "demucs",
    "demucs-like-nearest": "nearest",
    "demucs-like-subpixel": "subpixelcnn",
    "modified-transposed": "demucs_mod",
    "modified-subpixel": "subpixelcnn_mod",
    "demucs-like-linear": "linear",
    "demucs": "demucs",
}
"""Names of the article's own pictures; it has one for the two networks that it calls Demucs."""

INTERPOLATED: Mapping[str, Layer] = {"demucs-like-nearest": Nearest(STRIDE), "demucs-like-linear": Linear(STRIDE)}
"""Networks whose last layer interpolates: all that follows is a convolution, which leaves nulls where they are."""

VISIBLE = 3.0
"""dB over the floor from which on an expected line is marked: noise of a spectrogram hides what is weaker."""

MARKED = 32
"""Lines nearer than sr/32 would run into one another, and are not marked."""

SHADES = 160
"""Colours of the sheet's file: about 1 dB each."""


@dataclass(frozen=True)
class Panel:
    """One spectrogram, and what is marked beside it.

    Attributes
    ----------
    name : str
        Of the network.
    levels : array (rows, frames)
        In dB, the strongest bin 0.
    sr : int
    lines, valleys : tuple of Fraction
        In cycles per sample.
    words : str
        What else is to be said in its title.
    """

    name: str
    levels: Array
    sr: int
    lines: tuple[Fraction, ...]
    valleys: tuple[Fraction, ...]
    words: str = ""

    @property
    def title(self) -> str:
        """Network, and its place in the article."""
        return f"{self.name} ({EIGHT[self.name]}){self.words}"

    @property
    def span(self) -> float:
        """Range of the colours in dB."""
        return SPAN.get(self.name, USUAL)


def panel(name: str, found: Expected, *, double: bool = False, aligned: bool = False) -> Panel:
    """Return a network's spectrogram: first channel of the first draw, six seconds of noise."""
    sr = network_named(name).sr
    y = response(name, 0, samples=SECONDS * sr, double=double, aligned=aligned)[0]
    words = ", corners aligned" if aligned else ""
    return Panel(name, pooled(spectrogram(y)), sr, visible_lines(found), valleys(name), words)


def spectrogram(y: Array) -> Array:
    """Return powers of Hann frames of N samples, (N // 2 + 1, frames), hop N / 4.

    Examples
    --------
    >>> spectrogram(np.ones(4 * N)).shape
    (1025, 13)
    """
    w = 1 - np.cos(2 * np.pi * np.arange(N) / N)
    frames = np.lib.stride_tricks.sliding_window_view(y, N)[:: N // 4]
    return np.asarray(np.abs(np.fft.rfft(frames * w)) ** 2).T


def pooled(power: Array, *, bins: int = 4) -> Array:
    """Return levels in dB, the strongest 0, of the mean power of each so many bins; the last row is Nyquist's alone.

    A line is four bins wide under a Hann window, and so loses no more than 4.3 dB.
    """
    rows = np.add.reduceat(power, np.arange(0, len(power), bins), axis=0)
    rows[:-1] /= bins
    return np.asarray(10 * np.log10(np.maximum(rows / rows.max(), 1e-30)))


def visible_lines(found: Expected) -> tuple[Fraction, ...]:
    """Return the places, above 0 and up to ½, of expected lines that stand `VISIBLE` dB over the mean floor."""
    coarse = [c for c in found.combs if c.divisor <= MARKED]
    over = [c for c in coarse if 10 * math.log10(1 + c.power * N / (HANN * found.noise)) >= VISIBLE]
    return tuple(sorted({Fraction(k, c.divisor) for c in over for k in range(1, c.divisor // 2 + 1)}))


def valleys(name: str) -> tuple[Fraction, ...]:
    """Return the nulls of the last interpolation, all proved.

    Examples
    --------
    >>> [str(nu) for nu in valleys("demucs-like-linear")], valleys("demucs")
    (['1/4', '1/2'], ())
    """
    last = INTERPOLATED.get(name)
    return () if last is None else tuple(Fraction(null.freq) for null in nulls(last))


def sheet(panels: Sequence[Panel]) -> bytes:
    """Return all spectrograms on one sheet as a PNG, four in a row."""
    figure = _figure(17, 7.4)
    for ax, each in zip(figure.subplots(2, 4, squeeze=False).flat, panels, strict=False):
        draw(ax, each)
    figure.supxlabel("right edge: ticks, lines expected to be seen; triangles, nulls of the interpolation", size=9)
    return _png(figure)


def beside(panels: Sequence[Panel], folder: Path) -> bytes:
    """Return each spectrogram next to the article's own, of a folder of its figures, as a PNG."""
    figure = _figure(13, 4.1 * len(panels))
    for (ours, theirs), each in zip(figure.subplots(len(panels), 2, squeeze=False), panels, strict=True):
        draw(ours, each)
        _show(theirs, folder / f"{ARTICLE[each.name]}.png")
    return _png(figure)


def draw(ax: Axes, p: Panel) -> None:
    """Draw one spectrogram on given axes, its marks outside the right edge."""
    rows, half = len(p.levels), p.sr / 2
    extent = (0.0, float(SECONDS), 0.0, half * rows / (rows - 0.75))  # the last row is one bin of four
    image = ax.imshow(
        p.levels, origin="lower", aspect="auto", extent=extent, vmin=-p.span, vmax=0, cmap="magma", interpolation="none"
    )
    ax.set(xlabel="time (seconds)", ylabel="frequency (Hz)")
    ax.set_title(p.title, size=9)
    for places, marker in ((p.lines, "_"), (p.valleys, "<")):
        hz = [float(nu) * p.sr for nu in places]
        style: dict[str, Any] = {"ls": "", "marker": marker, "ms": 5, "mfc": "none", "color": "black", "clip_on": False}
        (marks,) = ax.plot([1.025] * len(hz), hz, transform=ax.get_yaxis_transform(), **style)
        marks.set_in_layout(False)
    ax.set(xlim=(0, SECONDS), ylim=(0, half), yticks=np.arange(0, half, 5000))
    ax.figure.colorbar(image, ax=ax, pad=0.06, format="%+d dB", ticks=np.arange(-p.span, 1, 50))


def _show(ax: Axes, file: Path) -> None:
    from PIL import Image

    ax.imshow(np.asarray(Image.open(file)))
    ax.set_title(f"the article's {file.name}", size=9)
    ax.axis("off")


def _figure(width: float, height: float) -> Figure:
    """Return a figure apart from those of its user."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    """Return a figure as a PNG of few colours: noise has no more to it, and takes half the room."""
    from PIL import Image

    page, small = io.BytesIO(), io.BytesIO()
    figure.savefig(page, format="png", dpi=90)
    Image.open(page).convert("RGB").quantize(SHADES, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()
