"""What a campaign showed, as text, data, JSON and Markdown."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dspref.tables import table, text
from torchparity.corners import CORNERS
from torchparity.ledger import SCHEMA
from torchparity.tally import Cell, Count, Tally
from torchparity.upstream import KNOWN, met
from torchparity.verdict import STATUSES

COLUMNS = ("kind", "arithmetic", "direction", "tier", "cases", "outputs", "largest error/bound", "in case", "verdicts")
SHORT = ("kind", "arithmetic", ">exact", ">within", ">other", ">ratio", "of", ">in case")
"""The columns of the text: those of a row for each kind and arithmetic, within 80 characters."""

_TOLD = (
    "columns: comparisons, by verdict (within: the bound); the largest error/bound,",
    "  of what, and in which case; by direction and tier: --format md or json",
)


@dataclass(frozen=True)
class Effort:
    """What a run took: cases that it did itself, seconds, bytes of memory (peaks of all processes added), processes."""

    cases: int
    seconds: float
    memory: int
    processes: int

    @property
    def speed(self) -> float:
        """Cases per second."""
        return self.cases / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        """Return it in words."""
        took = f"{self.cases} cases in {self.seconds:.0f} s, {self.speed:.0f} a second"
        held = f"{self.memory / 2**20:.0f} MiB at most, in {self.processes} process{'es' * (self.processes > 1)}"
        return f"{took}; {held}"


@dataclass(frozen=True)
class Campaign:
    """A campaign: its design, and what its cases showed.

    Attributes
    ----------
    design : mapping
        Plain data: cases, seed, kinds, dtypes, device, shard, chunk, versions.
    tally : Tally
    effort : Effort or None
        What it took; the rest does not depend on it. None if it was only put together.

    Examples
    --------
    >>> Campaign({"seed": 0}, Tally()).ok
    True
    """

    design: Mapping[str, Any]
    tally: Tally
    effort: Effort | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was violated, known faults of Torch apart."""
        return self.tally.violated == 0

    @property
    def verdicts(self) -> dict[str, int]:
        """Comparisons by status, over all cells."""
        counts: Counter[str] = Counter()
        for count in self.tally.cells.values():
            counts.update(count.verdicts)
        return {status: counts[status] for status in STATUSES if counts[status]}

    @property
    def unreached(self) -> list[tuple[str, str]]:
        """Corners that no case reached: of them the campaign says nothing."""
        return [(kind, name) for kind in self.design["kinds"] for name in CORNERS[kind] if not self._corner(kind, name)]

    def _corner(self, kind: str, name: str) -> int:
        return self.tally.corners.get((kind, name), 0)

    def again(self, case: int) -> str:
        """Return a line of Python that does one case again, once ``from torchparity.trials import trial`` is done."""
        names = ("kinds", "dtypes", "device")
        return f"trial({case}, {self.design['seed']}, {', '.join(f'{n}={self.design[n]!r}' for n in names)})"

    @property
    def headline(self) -> str:
        """One line: what was found; "verified" if every corner was reached, so that no violation says something."""
        cases = f"{self.tally.cases} cases, {sum(c.outputs for c in self.tally.cells.values())} outputs"
        if not self.ok:
            return f"{self.tally.violated} violations in {cases}"
        verified = "no violation" if self.unreached else "verified: no violation"
        return f"{verified} in {cases}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, schema "torchparity.campaign/1"; an infinite ratio is "inf"."""
        seen = self.tally.to_dict()
        corners = {k: {name: self._corner(k, name) for name in CORNERS[k]} for k in self.design["kinds"]}
        run = self.effort and {
            "cases": self.effort.cases,
            "seconds": round(self.effort.seconds, 3),
            "cases_per_second": round(self.effort.speed, 1),
            "peak_memory_bytes": self.effort.memory,
            "processes": self.effort.processes,
        }
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            "design": dict(self.design),
            "cases": self.tally.cases,
            "verdicts": self.verdicts,
            "cells": seen["cells"],
            "corners": corners,
            "violated": seen["violated"],
            "violations": [v | {"again": self.again(v["case"])} for v in seen["violations"]],
            "known": seen["known"],
            "run": run,
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield what each cell showed, in words (see `COLUMNS`)."""
        for cell, count in sorted(self.tally.cells.items()):
            yield (*map(str, cell), str(count.cases), str(count.outputs), *_worst(count), _listed(count.verdicts))

    def notes(self) -> Iterator[str]:
        """Yield what must be known besides: the design, what it took, what was not reached, and violations."""
        design = {k: v for k, v in self.design.items() if k != "versions"} | self.design.get("versions", {})
        yield "design: " + ", ".join(f"{k} {_words(v)}" for k, v in design.items())
        if self.effort is not None:
            yield f"run: {self.effort}"
        yield f"corners reached: {self._reached()}"
        for fault in KNOWN:
            if fault.name in self.tally.known:
                yield f"known fault of Torch, {met(self.tally.known[fault.name])}: {fault.name} ({fault.words})"
        for v in self.tally.violations:
            cell = ", ".join(map(str, v.cell))
            yield f"violation: {v.status} in case {v.case} ({cell}): {v.reason}; again: {self.again(v.case)}"
        if more := self.tally.violated - len(self.tally.violations):
            yield f"violations not shown: {more}"

    def _reached(self) -> str:
        """Return which corners were reached, and what follows from that."""
        if not self.unreached:
            return "all" + ', hence "verified"' * self.ok
        left = "; ".join(f"{kind}: {name}" for kind, name in self.unreached)
        return f"all but {left}" + ' (of those it says nothing, hence not "verified")' * self.ok

    def short_rows(self) -> Iterator[tuple[object, ...]]:
        """Yield what each kind of layer showed in each arithmetic (see `SHORT`)."""
        groups: dict[tuple[str, str], list[tuple[Cell, Count]]] = {}
        for cell, count in sorted(self.tally.cells.items()):
            groups.setdefault((cell.kind, cell.arithmetic), []).append((cell, count))
        for (kind, arithmetic), found in groups.items():
            verdicts = sum((count for _, count in found), Count()).verdicts
            passed = [verdicts.get(status, 0) for status in ("exact", "within bound")]
            cell, worst = max(found, key=lambda each: each[1].ratio)
            of = cell.direction if worst.worst is not None else ""
            yield (
                kind,
                arithmetic,
                *passed,
                sum(verdicts.values()) - sum(passed),
                _worst(worst)[0],
                of,
                _worst(worst)[1],
            )

    def to_text(self) -> str:
        """Return the campaign as text: a line, a table of 80 columns, and notes."""
        page = text(table("", SHORT, self.short_rows())).lstrip()
        verdicts = f"verdicts: {_listed(self.verdicts) or 'none'}"
        return "\n".join([self.headline, "", page, *_TOLD, verdicts, *self.notes()]) + "\n"

    def to_markdown(self) -> str:
        """Return the campaign as Markdown."""
        table = [f"| {' | '.join(row)} |" for row in (COLUMNS, ["---"] * len(COLUMNS), *self.rows())]
        notes = [f"- {note.replace('|', chr(92) + '|')}" for note in self.notes()]
        return "\n".join([f"**{self.headline}**", "", *table, "", *notes]) + "\n"


def _worst(count: Count) -> tuple[str, str]:
    ratio = "inf" if math.isinf(count.ratio) else f"{count.ratio:.3f}" if count.ratio else "0"
    return ratio, "" if count.worst is None else str(count.worst)


def _listed(verdicts: Mapping[str, int]) -> str:
    return ", ".join(f"{status} {number}" for status, number in reversed(list(verdicts.items())))


def _words(v: Any) -> str:
    return "/".join(map(str, v)) if isinstance(v, (list, tuple)) else str(v)
