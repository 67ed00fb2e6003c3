"""Drawing panels. Needs matplotlib (``pip install dspref[plot]``), which is imported when something is drawn.

Each function takes a panel and axes, and returns the axes; `drawn` makes a whole figure.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from dspref.figures.panels import Boxes, Map, Panel, Plot, Spectrogram, Stems, Tone
from dspref.figures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = 0.17
"""Inches of a line of the caption."""

MANY = 24
"""Lines of one layer from which on marks are small."""

PHASES = ("#cfe3f5", "#fbe0c4", "#d5ecd4", "#f3d3d8", "#e2d8f0", "#efe9c3")
"""Shades of the phases of a stride."""


def drawn(picture: Picture) -> Figure:
    """Return a figure of all panels with the caption below, apart from the figures of its user."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(picture.panels) // picture.columns)
    width, height = picture.size[0] * picture.columns, picture.size[1] * rows
    words = textwrap.wrap(picture.text, int(width * 17))
    below = CAPTION * len(words) + 0.1
    figure = Figure(figsize=(width, height + below), layout="constrained")
    FigureCanvasAgg(figure)
    top, foot = figure.subfigures(2, 1, height_ratios=(height, below), squeeze=False).ravel()
    foot.text(0.01, 0.98, "\n".join(words), va="top", ha="left", size=8)
    grid = top.add_gridspec(rows, picture.columns)
    for place, panel in enumerate(picture.panels):
        cell = grid[place // picture.columns, place % picture.columns]
        if isinstance(panel, Spectrogram):
            inner = cell.subgridspec(1, 2, width_ratios=(3, 1), wspace=0.02)
            ax = top.add_subplot(inner[0])
            draw_spectrogram(panel, ax, top.add_subplot(inner[1], sharey=ax))
        else:
            draw(panel, top.add_subplot(cell))
    return figure


def draw(panel: Panel, ax: Axes) -> Axes:
    """Draw any panel that one pair of axes holds."""
    match panel:
        case Stems():
            return draw_stems(panel, ax)
        case Boxes():
            return draw_boxes(panel, ax)
        case Plot():
            return draw_plot(panel, ax)
        case Map():
            return draw_map(panel, ax)
        case Spectrogram():
            return draw_spectrogram(panel, ax)


def draw_spectrogram(panel: Spectrogram, ax: Axes, side: Axes | None = None) -> Axes:
    """Draw a spectrogram with the article's axes; beside it its mean, and what is predicted of that."""
    from matplotlib.ticker import MaxNLocator

    half, rows = panel.sr / 2, len(panel.levels)
    extent = (0.0, panel.seconds, 0.0, half * rows / (rows - 0.75))  # the last row is one bin of four
    image = ax.imshow(
        panel.levels, origin="lower", aspect="auto", extent=extent, vmin=-panel.span, vmax=0, cmap=panel.colours,
        interpolation="none",
    )  # fmt: skip
    ax.set(xlim=(0, panel.seconds), ylim=(0, half), xlabel="time (seconds)", ylabel="frequency (Hz)")
    ax.set_xticks(np.arange(0, panel.seconds + 0.1, 0.5 if panel.seconds <= 3 else 1))
    ax.yaxis.set_major_locator(MaxNLocator(3, steps=(1, 2, 5, 10)))
    ax.set_title(panel.title, size=9)
    _mark(panel, ax)
    if side is not None:
        draw_side(panel, side)
    held = [ax] if side is None else [ax, side]
    ax.figure.colorbar(image, ax=held, format="%+d dB", ticks=np.arange(-panel.span, 1, 50), pad=0.02)
    return ax


def _mark(panel: Spectrogram, ax: Axes) -> None:
    """Mark predicted lines and nulls outside the right edge."""
    outside: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ls": "", "clip_on": False}
    for owner, tones in _by_owner(panel).items():
        hz = [float(tone.freq) * panel.sr for tone in tones]
        ax.plot([1.02] * len(hz), hz, marker="_", ms=6, color=_colour(owner), **outside)[0].set_in_layout(False)
    if panel.nulls:
        hz = [float(nu) * panel.sr for nu in panel.nulls]
        ax.plot([1.03] * len(hz), hz, marker="<", ms=4, mfc="none", color="black", **outside)[0].set_in_layout(False)


def draw_side(panel: Spectrogram, ax: Axes) -> Axes:
    """Draw the mean over time against frequency, upright, with the floor and lines predicted on top."""
    hz = np.linspace(0, panel.sr / 2, panel.mean.size)
    low = -panel.span - 10
    ax.plot(np.maximum(panel.mean, low), hz, color="0.65", lw=1.4, label="mean, measured")
    if panel.floor is not None:
        ax.plot(np.maximum(panel.floor, low), hz, color="black", lw=0.7, label="floor, predicted")
    for owner, tones in _by_owner(panel).items():
        known = [(tone.level, float(tone.freq) * panel.sr) for tone in tones if tone.level is not None]
        style: dict[str, Any] = {"color": _colour(owner), "ls": "", "marker": "o", "ms": 3 if len(known) > MANY else 4}
        label = "offset" if owner is None else f"line, layer {owner}"
        ax.plot(*np.transpose(known).reshape(2, -1), mfc="none", clip_on=False, label=label, **style)
        for tone in tones:
            if tone.low is not None and tone.high is not None:
                ax.plot([tone.low, tone.high], [float(tone.freq) * panel.sr] * 2, color=_colour(owner), lw=3, alpha=0.4)
    ax.set(xlim=(low, 5), xlabel="dB")
    ax.tick_params(labelleft=False)
    ax.grid(alpha=0.3)
    return ax


def _by_owner(panel: Spectrogram) -> dict[int | None, list[Tone]]:
    owners = sorted({tone.owner for tone in panel.tones}, key=lambda owner: owner or 0)
    return {owner: [tone for tone in panel.tones if tone.owner == owner] for owner in owners}


def _colour(owner: int | None) -> str:
    return "0.4" if owner is None else f"C{(owner - 1) % 10}"


def draw_stems(panel: Stems, ax: Axes) -> Axes:
    """Draw samples as stems, those predicted as rings, borders shaded."""
    m = np.arange(panel.values.size)
    ax.vlines(m, 0, panel.values, color="0.5", lw=1.2)
    ax.plot(m, panel.values, "k--", lw=1, label="output")
    ax.plot(m, panel.predicted, ls="", marker="o", mfc="none", color="C0", ms=4, label="predicted")
    ax.axhline(0, color="C3", lw=1)
    start, end = panel.borders
    for left, right in ((-0.5, start - 0.5), (m.size - end - 0.5, m.size - 0.5)):
        ax.axvspan(left, right, color="C1", alpha=0.15, lw=0)
    ax.set(xlabel="discrete time-steps", ylabel="amplitude")
    ax.set_title(panel.title, size=9)
    return ax


def draw_boxes(panel: Boxes, ax: Axes) -> Axes:
    """Draw stamps as rows of boxes, each under the output samples that it goes into."""
    from matplotlib.patches import Rectangle

    def row(y: float, start: int, words: Any, *, shaded: bool = True, output: bool = False) -> None:
        for m, word in enumerate(words, start):
            pale = output and not panel.steady[0] <= m < panel.steady[1]
            style: dict[str, Any] = {"fc": PHASES[m % panel.period % len(PHASES)] if shaded else "white", "ec": "0.3"}
            style |= {"ls": ":", "alpha": 0.45} if pale else {}
            ax.add_patch(Rectangle((m, y), 1, 0.8, lw=0.8, **style))
            ax.text(m + 0.5, y + 0.4, word, ha="center", va="center", size=8)

    ends = max(r.start + len(r.words) for r in panel.stamps)
    shift, y = (ends - len(panel.given.words)) // 2, len(panel.stamps) + 1.0
    row(y, shift, panel.given.words, shaded=False)
    for n, stamp in enumerate(panel.stamps):
        top = len(panel.stamps) - n - 0.2
        row(top - 0.8, stamp.start, stamp.words)
        ax.plot([shift + n + 0.5, stamp.start + len(stamp.words) / 2], [y, top], color="0.5", lw=0.7, zorder=0)
    ax.text(shift - 0.2, y + 0.4, "input", ha="right", va="center", size=8)
    ax.text(ends + 0.2, y + 0.4, panel.kernel, ha="right", va="center", size=8)
    if panel.made is not None:
        row(-1.0, panel.made.start, panel.made.words, output=True)
        ax.text(-0.2, -0.6, "output", ha="right", va="center", size=8)
        ax.text(0, -1.15, panel.words, ha="left", va="top", size=8)
    ax.set(xlim=(-1.4, ends + 0.3), ylim=(-1.9 if panel.made is not None else -0.2, y + 1))
    ax.axis("off")
    return ax


def draw_plot(panel: Plot, ax: Axes) -> Axes:
    """Draw curves, with bars where they have bands."""
    data = panel.drawing
    for i, curve in enumerate(data.curves):
        style: dict[str, Any] = {"color": f"C{i // 2 % 10}" if _paired(data.curves) else f"C{i % 10}"}
        style |= {"lw": 1.2} if curve.joined else {"ls": "", "marker": "ox+s"[i % 4], "ms": 4, "mfc": "none"}
        ax.plot(curve.x, curve.y, label=curve.name, **style)
        if panel.low is not None and panel.high is not None and curve.name in panel.low:
            ax.vlines(curve.x, panel.low[curve.name], panel.high[curve.name], color=style["color"], lw=3, alpha=0.35)
    ax.set(xlabel=data.x, ylabel=data.y, yscale=panel.scale)
    if panel.names:
        ax.set_xticks(range(len(panel.names)), panel.names, rotation=30, ha="right", size=8)
    ax.set_title(panel.title, size=9)
    ax.legend(fontsize="x-small", framealpha=0.6)
    ax.grid(alpha=0.3)
    return ax


def _paired(curves: Any) -> bool:
    """Return whether curves come as a formula and its points, in turn."""
    return len(curves) % 2 == 0 and all(curve.joined is (i % 2 == 0) for i, curve in enumerate(curves))


def draw_map(panel: Map, ax: Axes) -> Axes:
    """Draw levels over two axes as colours, what is proved to be nothing as dots."""
    image = ax.imshow(
        panel.levels, origin="lower", aspect="auto", extent=panel.extent, vmin=-panel.span, vmax=0, cmap="magma",
        interpolation="none",
    )  # fmt: skip
    if panel.marks:
        ax.plot(*np.transpose(panel.marks), ls="", marker="o", ms=4, color="C0", clip_on=False)
    ax.set(xlabel=panel.x, ylabel=panel.y)
    ax.set_title(panel.title, size=9)
    ax.figure.colorbar(image, ax=ax, label=panel.unit, pad=0.02)
    return ax
