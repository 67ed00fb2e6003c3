"""An audit as one HTML file that needs nothing else, and its document read back. Needs jinja2 and matplotlib."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

from dspref.arrays import complaint
from dspref.sounds import PEAK_DB
from dspref.tables import hertz
from torchparity.audit import Audit
from torchparity.report.document import SCHEMA, to_dict
from torchparity.report.pictures import DETAILS, first_seed, recording_svg, spectrogram_svg, spectrum_svg
from torchparity.report.sounds import sounds_for
from torchparity.report.thrift import PAGE, Drawing, compact, cut, drawn
from torchparity.report.words import (
    branches,
    changes,
    count,
    every,
    finest,
    grid,
    highest,
    level_columns,
    limits,
    new_lines,
    owned,
    place,
    possible,
    rate,
    settings_of,
    shown,
    span,
    strongest,
    upsamplers,
    ways,
)
from torchparity.saved import checked, loads

LARGEST = 1 << 26
"""Bytes of a page that are read: ours are a hundredth of it."""

MANY = 512
"""More lines than this are not all marked in a picture."""

PER_PICTURE = 1000
"""Bytes of a caption, and what is around a picture."""

_EMBEDDED = re.compile('<script type="application/json" id="audit">([^<]*)</script>')
"""The document in a page: what a hostile name is there, `embedded` has made harmless."""


def to_html(audit: Audit, *, command: str = "", target: str = "") -> str:
    """Return the audit as one HTML page without external assets or scripts, its document embedded as JSON.

    Parameters
    ----------
    audit : Audit
    command : str
        What was typed, for whoever wants to do it again.
    target : str
        As ``path/file.py:factory``.

    Raises
    ------
    ValueError
        If jinja2 or matplotlib is not installed.
    """
    for name in ("jinja2", "matplotlib"):
        if find_spec(name) is None:
            raise ValueError(complaint("HTML", f"no {name}", "jinja2 and matplotlib", "pip install 'dspref[report]'"))
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    document = to_dict(audit, command=command, target=target)
    kept = cut(document)
    pages = Environment(autoescape=True, trim_blocks=True, undefined=StrictUndefined)
    pages.globals["table"] = _table
    template = pages.from_string(files("torchparity.report").joinpath("page.html.jinja").read_text("utf-8"))
    heard, seconds = sounds_for(audit)
    said = _facts(document) | {"sounds": heard, "seconds": f"{seconds:.2g}", "cut": kept is not document}

    def page(pictures: dict[str, list[dict[str, Any]]]) -> str:
        return template.render(d=document, embedded=Markup(embedded(kept)), **pictures, **said) + "\n"

    room = PAGE - len(page({"spectra": [], "spectrograms": []}).encode()) - PER_PICTURE * 2 * (1 + len(audit.runs))
    spectra, spectrograms = tuple(_spectra(audit)), tuple(_spectrograms(audit))
    first = 0 if len(audit.lines) <= MANY else 1
    made = drawn((*spectra, *spectrograms), room, first=first, last=len(DETAILS) - 1)
    shows = [{"svg": Markup(svg), "alt": alt, "caption": caption} for svg, alt, caption in made]
    return page({"spectra": shows[: len(spectra)], "spectrograms": shows[len(spectra) :]})


def embedded(document: dict[str, Any]) -> str:
    r"""Return a document as JSON that no HTML parser sees an element in.

    Examples
    --------
    >>> embedded({"name": "</script><!--"})
    '{"name":"\\u003c/script\\u003e\\u003c!--"}'
    """
    return compact(document).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def from_html(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the document that a page of `to_html` has in it.

    Raises
    ------
    ValueError
        If there is no such file, no document of this version in it, or one that is not as its schema says.
    """
    place = Path(path)
    if not place.is_file():
        raise ValueError(complaint("report", f"{path}, no file", "an HTML page that 'torchparity audit' has written"))
    if place.stat().st_size > LARGEST:
        raise ValueError(complaint("report", f"{path}, {place.stat().st_size} bytes", f"at most {LARGEST}"))
    match = _EMBEDDED.search(place.read_text("utf-8", errors="replace"))
    try:
        document = loads(match[1]) if match else None
    except ValueError as error:
        raise ValueError(complaint("report", f"{path}: {error}", "a page as it was written")) from None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != SCHEMA:
        got = f"{path} with " + (f"schema {str(found)[:60]!r}" if found else "no audit in it")
        raise ValueError(complaint("report", got, f"a page with schema {SCHEMA!r}", "audit again with -o FILE.html"))
    assert isinstance(document, dict)
    return checked(document, path)


def _table(title: str, caller: Any) -> Any:
    """Return a table in a box that scrolls where the window is narrow; it can be reached by keyboard."""
    from markupsafe import Markup

    inner = "<table><caption><span>{0}</span></caption>{1}</table>"
    box = '<div class="scroll" tabindex="0" role="region" aria-label="{0}">' + inner + "</div>"
    return Markup(box).format(title, caller())


def _facts(document: dict[str, Any]) -> dict[str, Any]:
    """Return what the page says besides the document."""
    return {
        "hertz": lambda exact: hertz(Fraction(exact)),
        "grid": grid(document),
        "rate": rate(document),
        "count": count(document).replace("upsampling ", ""),
        "branches": branches(document),
        "ways": ways(document),
        "errors": [f for f in document["findings"] if f["level"] == "error"],
        "mood": mood(document),
        "standing": _standing(document),
        "finest": finest(document),
        "columns": [f"{kind}, {words}" for kind, words, _ in level_columns(document)],
        "owners": [_owner(document, stage) for stage in upsamplers(document)],
        "runs": shown(document),
        "lines": [_line(document, k) for k in (highest(document) if document["runs"] else ())],
        "told": _told(document),
        "places": [place(card) for card in document["cards"]],
        "changes": [] if document["against"] is None else changes(document),
        "limits": limits(document),
        "settings": settings_of(document),
        "sections": _sections(document),
        "peak_db": f"{PEAK_DB:g}".replace("-", "−"),
    }


def mood(document: dict[str, Any]) -> str:
    """Return the class of the verdict's box: "good" only where all is explained and no line stands."""
    if document["verdict"]["status"] == "contradicted":
        return "bad"
    quiet = not any(r["lines_standing"] for r in document["runs"])
    return "good" if quiet and document["verdict"]["status"] == "explained" else "open"


def _sections(document: dict[str, Any]) -> list[tuple[str, str]]:
    measured = [("spectrograms", "Spectrograms"), ("listen", "Listen")] if document["runs"] else []
    measured += [("against", "Against")] if document["against"] else []
    rest = [("findings", "Findings"), ("limits", "Not analysed"), ("reproduce", "Reproduce")]
    return [("chain", "Chain"), ("lines", "Lines"), *measured, *rest]


def _standing(document: dict[str, Any]) -> str:
    """Return in a sentence how many predicted lines stand, and the highest."""
    rows = [(m["height_db"], m["hz"], k, r) for r in shown(document) for k, m in enumerate(r["lines"]) if m["hz"]]
    if not rows:
        return ""
    height, hz, k, run = max(rows, key=lambda row: row[0])
    counts = ", ".join(f"{r['lines_standing']} under {r['input']}" for r in shown(document))
    stage = next(s for s in upsamplers(document) if s["owner"] == document["lines"][k]["owner"])
    told = f"the highest {height:.1f} dB over the floor at {hz:.10g} Hz ({run['input']}), by layer {stage['owner']}"
    return f"Of {possible(document)} possible lines stand: {counts}; {told} ({stage['spec']})."


def _owner(document: dict[str, Any], stage: dict[str, Any]) -> dict[str, Any]:
    mine = owned(document, stage["owner"])
    return {
        "owner": stage["owner"],
        "every": every(stage),
        "lines": new_lines(document, stage),
        "heights": [span(document, r, mine) for r in shown(document)],
        "levels": [strongest(levels, mine) for _, _, levels in level_columns(document)],
    }


def _line(document: dict[str, Any], k: int) -> dict[str, Any]:
    line = document["lines"][k]
    cells = [f"{r['lines'][k]['height_db']:.1f} dB" for r in shown(document)]
    return {"hz": hertz(Fraction(line["hz_exact"])), "owner": line["owner"], "cells": cells}


def _told(document: dict[str, Any]) -> str:
    counts = Counter(card["severity"] for card in document["cards"])
    return "; ".join(f"{n} {severity}{'s' if n > 1 else ''}" for severity, n in counts.items()).capitalize() or "None"


def _spectra(audit: Audit) -> Iterator[Drawing]:
    """Yield for each run what makes a drawing, what to say to whom cannot see it, and its caption."""
    for r in first_seed(audit):
        alt = f"Spectrum of the output for {r.input}: {len(r.standing)} lines stand over the floor"
        caption = (
            f"{r.input}, seed {r.seed}. Marks: possible lines at their measured level, each layer with a shape of its "
            "own, filled where a line stands over the floor, and ticks at the bottom. Curve: the averaged spectrum."
        )
        yield _drawing(audit, partial(spectrum_svg, audit, r), alt, caption)


def _spectrograms(audit: Audit) -> Iterator[Drawing]:
    if audit.recording is not None:
        of = partial(recording_svg, audit)
        yield _drawing(replace(audit, lines=()), of, "Spectrogram of the recording", "The recording that was fed.")
    for r in first_seed(audit):
        alt = f"Spectrogram of the output for {r.input}, predicted lines marked"
        caption = (
            f"Output for {r.input}, seed {r.seed}. Ticks at the right edge: predicted lines, a column for each layer "
            "over its number; pale where no line was measured."
        )
        yield _drawing(audit, partial(spectrogram_svg, audit, r), alt, caption)


def _drawing(audit: Audit, draw: Callable[[int], str], alt: str, caption: str) -> Drawing:
    """Return what draws at a step of detail, and says in the caption which lines it has left out."""

    def drawing(step: int) -> tuple[str, str, str]:
        most, possible = DETAILS[step].marks, len(audit.lines) - 1
        few = (
            "" if most is None or possible <= most else f" Of {possible} possible lines the {most} highest are marked."
        )
        return draw(step), alt, caption + few

    return drawing
