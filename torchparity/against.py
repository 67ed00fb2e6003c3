"""Two audits side by side: before and after training, two checkpoints, two architectures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from dspref.arrays import complaint
from torchparity.saved import checked, loads

SCHEMA = "torchparity.audit/"

SAVED = (".json", ".html")
"""Kinds of files that hold an audit."""

SAME_DB = 0.1
"""Decibels by which a line may move and count as unchanged."""

ROWS = 16
"""Lines in the text, those that changed most; JSON has them all."""


@dataclass(frozen=True)
class Change:
    """One line, or the strongest line of a comb, under one input.

    Attributes
    ----------
    input : str
    hz : float
        Of the line; of a comb the distance of its lines.
    owner : int or None
        The upsampling layer, counted from 1: of the audit, or else of the one that it is held against.
    before_db, after_db : float or None
        10 log₁₀ of its power; None where no line stands.
    """

    input: str
    hz: float
    owner: int | None
    before_db: float | None
    after_db: float | None

    @property
    def difference_db(self) -> float | None:
        """By how much it rose; None where it is new, gone, or was never there."""
        return None if self.before_db is None or self.after_db is None else self.after_db - self.before_db

    @property
    def kind(self) -> str:
        """In a word: new, gone, louder, softer, same, or none."""
        if self.before_db is None or self.after_db is None:
            return "none" if self.before_db == self.after_db else "new" if self.before_db is None else "gone"
        difference = self.after_db - self.before_db
        return "same" if abs(difference) <= SAME_DB else "louder" if difference > 0 else "softer"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**vars(self), "difference_db": self.difference_db, "kind": self.kind}


@dataclass(frozen=True)
class Comparison:
    """What changed from one audit to another.

    Attributes
    ----------
    before, after : str
        Their names.
    combs, lines : tuple of Change
        By input, then by frequency.
    remarks : tuple of str
        What could not be compared.
    """

    before: str
    after: str
    combs: tuple[Change, ...]
    lines: tuple[Change, ...]
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        combs, lines = ([change.to_dict() for change in rows] for rows in (self.combs, self.lines))
        return {
            "before": self.before,
            "after": self.after,
            "combs": combs,
            "lines": lines,
            "remarks": list(self.remarks),
        }

    def to_text(self) -> str:
        """Return it as text of at most 80 columns."""
        counts = _counts(self.lines)
        head = [f"{self.after} against {self.before}: {counts}", *(f"  {text}" for text in self.remarks), ""]
        moved = [change for change in self.lines if change.kind not in ("same", "none")]
        order = sorted(moved, key=_size, reverse=True)[:ROWS]
        told = [f"the {len(order)} lines that changed most, of {len(moved)}:" if moved else "no line changed"]
        combs = ["strongest line of each layer:", *_rows(self.combs, "every")]
        shown = sorted(order, key=lambda change: (change.input, change.hz))
        return "\n".join([*head, *combs, "", *told, *(_rows(shown, "Hz") if moved else ())]) + "\n"


def _counts(lines: tuple[Change, ...]) -> str:
    kinds = [change.kind for change in lines]
    found = [f"{kinds.count(kind)} {kind}" for kind in ("new", "gone", "louder", "softer", "same") if kind in kinds]
    return ", ".join(found) or "no lines in either"


def _size(change: Change) -> float:
    """Return how much a line changed: by its difference; what is new or gone, first."""
    return float("inf") if change.difference_db is None else abs(change.difference_db)


def _rows(changes: Any, head: str) -> Iterator[str]:
    yield f"{'input':<10}{head:>16}{'layer':>7}{'before':>12}{'after':>12}{'change':>12}"
    for c in changes:
        change = c.kind if c.difference_db is None else f"{c.difference_db:+.1f} dB"
        before, after = ("none" if db is None else f"{db:.1f} dB" for db in (c.before_db, c.after_db))
        yield f"{c.input:<10}{c.hz:>16.10g}{c.owner or '–':>7}{before:>12}{after:>12}{change:>12}"


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Return what changed from one audit to another, both as plain data: `torchparity.report.to_dict`.

    A line is there if it stands over its floor. Levels are those of the first seed.

    Parameters
    ----------
    before, after : mapping
        Of the schema "torchparity.audit".

    Raises
    ------
    ValueError
        If they have no input in common.
    """
    inputs = [name for name in _inputs(after) if name in _inputs(before)]
    if not inputs:
        got = f"{', '.join(_inputs(before)) or 'nothing'} and {', '.join(_inputs(after)) or 'nothing'}"
        hint = "choose inputs with --input-signal"
        raise ValueError(complaint("inputs of the two audits", got, "at least one that both were fed with", hint))
    lines = tuple(change for name in inputs for change in _changes(name, before, after))
    combs = tuple(change for name in inputs for change in _combs(name, lines))
    return Comparison(_label(before), _label(after), combs, lines, tuple(_remarks(before, after)))


def _label(data: Mapping[str, Any]) -> str:
    """Return the name of an audit, with the weights it was made with."""
    return f"{data['name']} with {data['checkpoint']}" if data.get("checkpoint") else str(data["name"])


def _inputs(data: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(run["input"] for run in data["runs"]))


def _remarks(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key, what in {"sr": "output rate in Hz", "factor": "factor"}.items():
        if before[key] != after[key]:
            yield f"{what}: {before[key]:.10g} before, {after[key]:.10g} after"
    if before["sr"] != after["sr"] or before["factor"] != after["factor"]:
        yield "grids differ: lines that only one of them has are new or gone"
    if before.get("cut") or after.get("cut"):
        yield "a page has its highest lines alone: only lines that both have are compared, JSON files have all"


def _levels(data: Mapping[str, Any], name: str) -> dict[float, float | None]:
    """Return the level of each line under an input, by its frequency; None where it does not stand."""
    run = next(run for run in data["runs"] if run["input"] == name)
    least = data["stands_db"]
    return {_key(m["hz"]): m["level_db"] if m["height_db"] >= least else None for m in run["lines"]}


def _key(hz: float) -> float:
    """Return a frequency to nine digits, so that it is found again whatever was rounded."""
    return float(f"{hz:.9g}")


def _owners(data: Mapping[str, Any]) -> dict[float, int | None]:
    return {_key(line["hz"]): line["owner"] for line in data["lines"]}


def _changes(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = _levels(before, name), _levels(after, name)
    owners = _owners(before) | _owners(after)
    known = {*old} & {*new} if before.get("cut") or after.get("cut") else {*old, *new}
    for hz in sorted(known - {0.0}):
        yield Change(name, hz, owners.get(hz), old.get(hz), new.get(hz))


def _combs(name: str, lines: tuple[Change, ...]) -> Iterator[Change]:
    """Yield the strongest line of each layer."""
    mine = [change for change in lines if change.input == name]
    for owner in sorted({change.owner for change in mine if change.owner is not None}):
        of = [change for change in mine if change.owner == owner]
        every = min(change.hz for change in of)
        old, new = (
            max((db for db in column if db is not None), default=None)
            for column in ([change.before_db for change in of], [change.after_db for change in of])
        )
        yield Change(name, every, owner, old, new)


def read_saved(path: str | PathLike[str]) -> dict[str, Any]:
    """Return a saved audit, JSON or the HTML report that holds it, as plain data.

    Raises
    ------
    ValueError
        Says what the file is instead, or names the field of it that is not as the schema says.
    """
    file = Path(path)
    allowed = "an audit, as 'torchparity audit -o audit.json' writes it"
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        got = error.strerror if isinstance(error, OSError) else "no text"
        raise ValueError(complaint("saved audit", f"{path}: {got}", allowed)) from None
    for part in _embedded(text) if file.suffix == ".html" else [text]:
        try:
            found = loads(part)
        except ValueError:
            continue
        if isinstance(found, dict) and str(found.get("schema", "")).startswith(SCHEMA):
            return checked(found, path)
    raise ValueError(complaint("saved audit", f"{path}, which holds none", allowed))


def _embedded(page: str) -> list[str]:
    """Return the JSON that stands in a page."""
    return re.findall(r"<script[^>]*application/json[^>]*>(.*?)</script>", page, re.DOTALL)
