"""A page that stays below a megabyte: fewer numbers in it, shorter sounds, coarser pictures, and words that say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from torchparity.report.words import Document, counts, level_columns, shown, upsamplers

PAGE = 990_000
"""Bytes of a page: mail and issue trackers take what is less than a megabyte."""

NUMBERS = 250_000
"""Bytes of the document in a page."""

LEAST = 64
"""Lines, and peaks of a run, that a document always keeps."""

Drawing: TypeAlias = Callable[[int], tuple[str, str, str]]
"""Draws a picture, alt text and caption at a step of detail: 0 has all, later ones have less."""


def compact(document: Document) -> str:
    """Return a document as JSON without a space."""
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def cut(document: Document, room: int = NUMBERS) -> Document:
    """Return a document that is no larger than `room`: itself, or one of its highest lines, with words that say so.

    The highest line of each layer under each input is kept, then the highest of all. If that is not enough, peaks off
    the grid are cut too, and then the runs of later seeds.
    """
    if len(compact(document)) <= room:
        return document
    order, count = _ranked(document), len(document["lines"])
    made, kept = document, count
    while kept > LEAST and len(compact(made)) > room:
        kept = max(LEAST, kept * 2 // 3)
        made = _of(document, sorted(order[:kept]), kept)
    if len(compact(made)) > room:
        runs = [{**r, "peaks_off_grid": _highest(r["peaks_off_grid"])} for r in made["runs"]]
        made = {**made, "runs": runs} | _said(made, f"at most {LEAST} peaks off the grid of each run")
    if len(compact(made)) > room:
        made = {**made, "runs": shown(made)} | _said(made, "runs of the first seed")
    return made


def _said(document: Document, what: str) -> Document:
    words = f"this page has only {what} as numbers, to be small: -o FILE.json has all"
    return {"remarks": [*document["remarks"], words], "cut": counts(document)}


def _of(document: Document, places: list[int], kept: int) -> Document:
    """Return a document of some of its lines alone."""

    def some(rows: Sequence[Any]) -> list[Any]:
        return [rows[k] for k in places]

    made = {**document, "lines": some(document["lines"])}
    for name in ("expected", "actual"):
        made[name] = [{**row, "levels_db": some(row["levels_db"])} for row in document[name]]
    made["runs"] = [{**r, "lines": some(r["lines"])} for r in document["runs"]]
    if document["against"] is not None:
        moved = sorted(document["against"]["lines"], key=_moved, reverse=True)[:kept]
        made["against"] = {**document["against"], "lines": moved}
    return made | _said(document, f"{len(places) - 1} of {len(document['lines']) - 1} lines, the highest,")


def _moved(row: Document) -> float:
    """Return how much a line changed: what is new or gone, most."""
    if row["difference_db"] is None:
        return 0.0 if row["kind"] == "none" else float("inf")
    return abs(float(row["difference_db"]))


def _highest(peaks: list[Document]) -> list[Document]:
    kept = sorted(peaks, key=lambda p: -p["height_db"])[:LEAST]
    return sorted(kept, key=lambda p: p["hz"])


def _ranked(document: Document) -> list[int]:
    """Return the places of lines: 0 Hz, the highest of each layer in each column, then the highest of all."""
    columns = list(_columns(document))
    size = range(len(document["lines"]))
    owners = [stage["owner"] for stage in upsamplers(document)]
    mine = [[k for k in size if document["lines"][k]["owner"] == owner] for owner in owners]
    best = [max(places, key=lambda k: column[k]) for column in columns for places in mine if places]
    height = [max((column[k] for column in columns), default=0.0) for k in size]
    return list(dict.fromkeys([0, *best, *sorted(size, key=lambda k: -height[k])]))


def _columns(document: Document) -> Iterator[list[float]]:
    """Yield what lines are ranked by: heights over the floor; levels, below all heights, count in a layer alone."""
    for r in document["runs"]:
        yield [m["height_db"] for m in r["lines"]]
    for _, _, levels in level_columns(document):
        yield [-1e6 if db is None else db - 1e4 for db in levels]


def drawn(drawings: Sequence[Drawing], room: int, *, first: int, last: int) -> list[tuple[str, str, str]]:
    """Return pictures that together have at most `room` bytes: the largest is drawn again with less, until they fit.

    What does not fit even so is left out, with words in its place.

    Examples
    --------
    >>> [svg for svg, _, _ in drawn([lambda step: ("#" * (8 >> step), "", "")] * 2, 12, first=0, last=3)]
    ['####', '########']
    """
    steps = [first] * len(drawings)
    made = [draw(first) for draw in drawings]
    while sum(len(svg) for svg, _, _ in made) > room:
        open_ = [i for i, step in enumerate(steps) if step < last]
        if not open_:
            return _left_out(made, room)
        i = max(open_, key=lambda i: len(made[i][0]))
        steps[i] += 1
        made[i] = drawings[i](steps[i])
    return made


def _left_out(made: list[tuple[str, str, str]], room: int) -> list[tuple[str, str, str]]:
    """Return pictures as long as there is room, then words."""
    found, used = [], 0
    for svg, alt, caption in made:
        used += len(svg)
        words = "Left out, for the page would be larger than a megabyte: -o FILE.png has it. "
        found.append((svg, alt, caption) if used <= room else ("", alt, words + caption))
    return found
