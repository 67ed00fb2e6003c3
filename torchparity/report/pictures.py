"""Pictures of an audit: spectra and spectrograms with predicted lines marked. Needs matplotlib."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from dspref.arrays import Array
from dspref.lines import Line
from dspref.spectrum import average_spectrum
from torchparity.arithmetic import unit
from torchparity.audit import Audit
from torchparity.measure import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the page's own colour of text, so that a drawing follows a light or a dark page."""

POINTS = 700
"""Points of a curve: more than a page has pixels for it would only make the file larger."""

SHADES = 48
"""Colours of an embedded spectrogram: 2 dB each."""


@dataclass(frozen=True)
class Detail:
    """What a picture in a page has: at most so many lines marked, None for all; and every so-manyth pixel."""

    marks: int | None
    coarser: int


DETAILS = (Detail(None, 1), Detail(128, 1), Detail(128, 2), Detail(48, 2), Detail(48, 4))
"""From all to little."""

MARKED = 32
"""More lines than this have small marks, which would else run into one."""

MARKERS = "osD^vPX*hp"
"""One for each owner, so that no meaning is in colour alone."""


def to_png(audit: Audit) -> bytes:
    """Return the spectrogram of each input of the first seed, predictions marked, as a PNG.

    A recording is shown too, above what the module makes of it.
    """
    runs = first_seed(audit)
    rows = len(runs) + (audit.recording is not None)
    with _figure(11, 4.2 * max(rows, 1), ink="black") as figure:
        axes = list(np.atleast_1d(figure.subplots(max(rows, 1))))
        if audit.recording is not None:
            _recording(audit, axes.pop(0)).set_title(f"{audit.name}, the recording", parse_math=False)
        for ax, r in zip(axes, runs, strict=False):
            words = f"{r.input} input, seed {r.seed}; right: predicted lines by layer, pale if not measured"
            _spectrogram(audit, r, ax).set_title(f"{audit.name}, {words}", parse_math=False)
        page = io.BytesIO()
        figure.savefig(page, format="png", dpi=110)
    return page.getvalue()


def first_seed(audit: Audit) -> tuple[Measured, ...]:
    """Return the runs of the first seed."""
    return tuple(r for r in audit.runs if r.seed == audit.runs[0].seed)


def spectrogram_svg(audit: Audit, r: Measured, step: int = 0) -> str:
    """Return the spectrogram of one output as an SVG drawing, predicted lines marked by their owner."""
    with _figure(9, 3.4) as figure:
        _spectrogram(*_marked(audit, r, DETAILS[step].marks), figure.subplots())
        return _svg(figure, f"spectrogram of {r.input}, seed {r.seed}", DETAILS[step].coarser)


def recording_svg(audit: Audit, step: int = 0) -> str:
    """Return the spectrogram of the recording that was fed."""
    with _figure(9, 3.4) as figure:
        _recording(audit, figure.subplots())
        return _svg(figure, "spectrogram of the recording", DETAILS[step].coarser)


def _marked(audit: Audit, r: Measured, most: int | None) -> tuple[Audit, Measured]:
    """Return an audit and a run with 0 Hz and the highest of their lines alone, if there are more than are marked."""
    if most is None or len(r.lines) <= most + 1:
        return audit, r
    highest = sorted(range(1, len(r.lines)), key=lambda k: -r.lines[k].height_db)[:most]
    places = [0, *sorted(highest)]
    kept = replace(r, lines=tuple(r.lines[k] for k in places))
    return replace(audit, lines=tuple(audit.lines[k] for k in places)), kept


def spectrum_svg(audit: Audit, r: Measured, step: int = 0) -> str:
    """Return predicted against measured levels of one run as an SVG drawing.

    The curve is the averaged spectrum, the highest bin of each point; marks are the possible lines at their measured
    level, filled where they stand over the floor, and ticks at the bottom. A ring is the level predicted for these
    weights, a bar that expected before training.
    """
    audit, r = _marked(audit, r, DETAILS[step].marks)
    with _figure(9, 3.6) as figure:
        ax = figure.subplots()
        hz, level = _curve(audit, r)
        ax.plot(hz, level, color=INK, lw=0.7, alpha=0.55, label="measured spectrum")
        _mark_measured(ax, audit, r)
        _mark_predicted(ax, audit, r)
        ax.set(xlim=(0, float(audit.sr / 2)), xlabel="frequency (Hz)", ylabel="power of a line (dB re 1)")
        ax.set_ylim(*_limits(level, r))
        figure.legend(loc="outside upper left", ncols=8, frameon=False, fontsize=8)
        return _svg(figure, f"spectrum of {r.input}, seed {r.seed}")


def _curve(audit: Audit, r: Measured) -> tuple[Array, Array]:
    """Return frequencies in Hz and levels in dB: of each stretch of bins the highest."""
    spare = r.signal.size - r.samples
    start = next((s.start for s in audit.actual if s.start <= spare), spare // 2)
    spectrum = average_spectrum(r.signal[start : start + r.samples], r.period, roundoff=unit(r.dtype))
    power = np.maximum(spectrum.power, max(spectrum.resolution**2, np.finfo(float).tiny))
    step = max(1, -(-power.size // POINTS))
    starts = np.arange(0, power.size, step)
    return starts / spectrum.N * float(audit.sr), 10 * np.log10(np.maximum.reduceat(power, starts))


def _limits(level: Array, r: Measured) -> tuple[float, float]:
    marks = [m.level_db for m in r.lines]
    low, high = min(level.min(), *marks), max(level.max(), *marks)
    return float(max(low, high - 200) - 5), float(high + 8)


def _mark_measured(ax: Axes, audit: Audit, r: Measured) -> None:
    from matplotlib import colormaps

    up = {m.freq for m in r.standing}
    for owner in sorted({line.owner for line in audit.lines if line.owner is not None}):
        mine = [(line, m) for line, m in zip(audit.lines, r.lines, strict=True) if line.owner == owner and line.freq]
        style: dict[str, Any] = {"ls": "", "clip_on": False, "zorder": 3, "marker": MARKERS[(owner - 1) % len(MARKERS)]}
        colour = colormaps["tab10"]((owner - 1) % 10)
        for stands in (True, False):
            points = [(float(line.hz(audit.sr)), m.level_db) for line, m in mine if (line.freq in up) is stands]
            label = f"layer {owner}" if stands or not any(line.freq in up for line, _ in mine) else None
            if points:
                size, face = (5.5, colour) if stands else (3.5, "none")
                ax.plot(*zip(*points, strict=True), color=colour, mfc=face, ms=size, label=label, **style)
        places = [float(line.hz(audit.sr)) for line, _ in mine]
        ax.plot(
            places, np.zeros(len(places)), "|", color=colour, ms=9, transform=ax.get_xaxis_transform(), clip_on=False
        )


def _mark_predicted(ax: Axes, audit: Audit, r: Measured) -> None:
    """Mark levels that are known beforehand: under a constant those of these weights, and those expected."""
    powers = audit.predicted
    if powers is not None and r.input == "constant":
        level = 10 * np.log10(np.maximum(powers, r.resolution**2))
        _marks(ax, audit.lines, level.tolist(), audit.sr, marker="o", ms=11, mfc="none", label="predicted")
    for e in audit.expected:
        if e.input == r.input:
            levels = [e.level_db(line.freq) for line in audit.lines]
            _marks(
                ax,
                audit.lines,
                levels,
                audit.sr,
                marker="_",
                ms=12 if len(levels) <= MARKED else 4,
                mew=1.6,
                label="expected before training",
            )


def _marks(ax: Axes, lines: Sequence[Line], levels: Sequence[float | None], sr: Fraction, **style: Any) -> None:
    points = [(float(line.hz(sr)), db) for line, db in zip(lines, levels, strict=True) if db is not None and line.freq]
    if points:
        ax.plot(*zip(*points, strict=True), ls="", color=INK, clip_on=False, **style)


def _spectrogram(audit: Audit, r: Measured, ax: Axes) -> Axes:
    from dspref.plot import plot_spectrogram

    up: Collection[Fraction] = {m.freq for m in r.standing}
    return plot_spectrogram(r.signal, float(audit.sr), lines=audit.lines, standing=up, ax=ax)


def _recording(audit: Audit, ax: Axes) -> Axes:
    from dspref.plot import plot_spectrogram

    assert audit.recording is not None
    size = max(128, 1024 // round(audit.spine.rate))
    return plot_spectrogram(audit.recording, float(audit.sr / audit.spine.rate), ax=ax, size=size)


@contextmanager
def _figure(width: float, height: float, *, ink: str = INK) -> Iterator[Figure]:
    """Give a figure of so many inches, apart from those of its user."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    inks = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor")
    settings: dict[Any, Any] = {"font.size": 9} | dict.fromkeys(inks, ink)
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def _svg(figure: Figure, name: str, coarser: int = 1) -> str:
    """Return a figure as an SVG element in the colour of the page's text, its names its own."""
    import matplotlib as mpl

    page = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(page, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = page.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'data:image/png;base64,([^"]+)', lambda found: _paletted(found, coarser), drawn).replace(
        INK, "currentColor"
    )
    prefix = re.sub(r"[^a-z0-9]+", "-", name)
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{prefix}-", drawn)
    return re.sub(r'(<svg [^>]*?)width="[^"]*pt"', r"\1", re.sub(r'(<svg [^>]*?)height="[^"]*pt"', r"\1", drawn))


def _paletted(found: re.Match[str], coarser: int) -> str:
    """Return an embedded picture with a palette in place of four bytes a pixel."""
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("RGB")
    picture = picture.reduce((min(coarser, picture.width), min(coarser, picture.height)))
    page = io.BytesIO()
    picture.quantize(SHADES).save(page, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(page.getvalue()).decode()
