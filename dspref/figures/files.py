"""Figures as files, PNG or SVG, with their provenance inside. Needs matplotlib (``pip install dspref[plot]``)."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dspref.arrays import Array, as_choice, complaint
from dspref.console import writable, write
from dspref.figures.panels import Spectrogram
from dspref.figures.picture import Picture, Wanted
from dspref.provenance import commit, package_versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")

FONT = "DejaVu Sans"
"""The font that comes with matplotlib: pictures look the same wherever they are made."""

DPI = 130

GREYS, SHADES = 24, 96
"""Colours of a PNG: of text and curves, and of each colour map. Noise has no more to it, and takes less room."""


def require_matplotlib() -> None:
    """Refuse to begin where nothing could be drawn.

    Raises
    ------
    ValueError
        If matplotlib is not installed, or has lost its own font.
    """
    try:
        from matplotlib.font_manager import findfont
    except ModuleNotFoundError as error:
        hint = "pip install 'dspref[plot]'"
        raise ValueError(complaint("drawing figures", f"no {error.name}", "matplotlib installed", hint)) from error
    try:
        findfont(FONT, fallback_to_default=False)
    except ValueError:
        hint = "install matplotlib again: it brings this font; dspref figure --check draws nothing and needs none"
        raise ValueError(complaint("font", f"no {FONT}", "the font that comes with matplotlib", hint)) from None


def folder(path: str | os.PathLike[str]) -> Path:
    """Return a folder in which files can be written; it is made, if there is none.

    Raises
    ------
    ValueError
        Says what is in the way.
    """
    if not os.fspath(path):
        raise ValueError(complaint("output folder", "no name", "the name of a folder", "'.' is the one you are in"))
    place = Path(path)
    try:
        if place.exists() and not place.is_dir():
            raise ValueError(complaint("output folder", f"{place}, a file", "a folder", "name one with -o DIR"))
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(complaint("output folder", f"{place}: {error.strerror}", "one that can be made")) from None
    writable(place / "figure.png")
    return place


def provenance(picture: Picture, wanted: Wanted, *, form: str = "png") -> dict[str, str]:
    """Return where a figure comes from: the command that makes it again, versions, seed, commit.

    The command runs as it stands, in a folder that holds the recording, if there is one.

    Examples
    --------
    >>> from dspref.figures import picture
    >>> provenance(picture("fig2"), Wanted())["Command"]
    'dspref figure fig2 --seed 0 -o .'
    """
    loaded = package_versions("matplotlib", "scipy", "torch")
    recording = () if wanted.wav is None else ("--wav", wanted.wav.name)
    options = ("--seed", str(wanted.seed), *recording, *(("--format", form) if form != "png" else ()), "-o", ".")
    return {
        "Title": picture.title,
        "Description": picture.text,
        "Command": shlex.join(("dspref", "figure", picture.name, *options)),
        "Versions": ", ".join(f"{name} {number}" for name, number in loaded.items()),
        "Seed": str(wanted.seed),
        "Commit": commit(),
        "Claims": ", ".join(picture.claims),
    }


def rendered(picture: Picture, form: str, origin: Mapping[str, str]) -> bytes:
    """Return a figure as the bytes of a file, its provenance in the metadata.

    Parameters
    ----------
    picture : Picture
    form : {'png', 'svg'}
    origin : mapping
        As of `provenance`. In a PNG each is a text of its own; an SVG, whose metadata are Dublin Core, has title,
        description, creator (versions), source (command), identifier (commit and seed), and keywords (claims).
    """
    from matplotlib import style

    from dspref.figures.draw import drawn

    as_choice("format", form, FORMATS)
    plain: dict[str, Any] = {"font.family": FONT, "svg.hashsalt": picture.name, "svg.fonttype": "path"}
    with style.context(["default", plain]):  # whatever its user has set for other figures
        figure = drawn(picture)
        return _png(figure, picture, origin) if form == "png" else _svg(figure, origin)


def _png(figure: Figure, picture: Picture, origin: Mapping[str, str]) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    page, small, told = BytesIO(), BytesIO(), PngInfo()
    for name, words in origin.items():
        told.add_itxt(name, words)
    figure.savefig(page, format="png", dpi=DPI)
    whole = Image.open(page).convert("RGB")
    if any(isinstance(panel, Spectrogram) for panel in picture.panels):
        few = Image.new("P", (1, 1))
        few.putpalette(np.rint(255 * palette(picture)).astype(np.uint8).tobytes())
        whole = whole.quantize(palette=few, dither=Image.Dither.NONE)
    whole.save(small, format="png", optimize=True, pnginfo=told)
    return small.getvalue()


def palette(picture: Picture) -> Array:
    """Return the colours of a figure of spectrograms, (colours, 3): greys, those of lines, and of its colour maps."""
    from matplotlib import colormaps

    lines = colormaps["tab10"](np.arange(10))[:, :3]
    pale = (1 + lines[:4]) / 2  # edges of marks, which are smoothed, and bands
    maps = sorted({panel.colours for panel in picture.panels if isinstance(panel, Spectrogram)})
    shades = [colormaps[name](np.linspace(0, 1, SHADES))[:, :3] for name in maps]
    return np.concatenate([np.repeat(np.linspace(0, 1, GREYS)[:, None], 3, axis=1), lines, pale, *shades])


def _svg(figure: Figure, origin: Mapping[str, str]) -> bytes:
    page = BytesIO()
    told = {
        "Title": origin["Title"],
        "Description": origin["Description"],
        "Creator": origin["Versions"],
        "Source": origin["Command"],
        "Identifier": f"commit {origin['Commit']}, seed {origin['Seed']}",
        "Keywords": origin["Claims"].split(", "),
        "Date": None,
    }
    figure.savefig(page, format="svg", dpi=DPI, metadata=told)
    return page.getvalue()


def save(picture: Picture, place: Path, *, form: str = "png", wanted: Wanted | None = None) -> Path:
    """Write a figure into a folder, whole or not at all, and return its path."""
    path = place / f"{picture.name}.{form}"
    write(path, rendered(picture, form, provenance(picture, wanted or Wanted(), form=form)))
    return path
