"""What many cases showed, in a few counts: tallies that add up, in any order, to the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import Any, NamedTuple

from torchparity.verdict import STATUSES

SHOWN = 20
"""Violations that are kept with their reasons: those of the lowest numbers. All are counted."""

VIOLATIONS = ("wrong", "normwise only")
"""Statuses of outputs farther from the reference than rounding can take them."""


class Cell(NamedTuple):
    """What is told apart: the kind of layer, the arithmetic, the direction, and the tier of the comparison."""

    kind: str
    arithmetic: str
    direction: str
    tier: int


class Violation(NamedTuple):
    """A case, by its number, that broke the law, equality or the bound."""

    case: int
    cell: Cell
    status: str
    reason: str


@dataclass(frozen=True)
class Count:
    """What one cell showed.

    Attributes
    ----------
    cases, outputs, zeros : int
        Zeros are outputs that are 0 whatever the layer does (S = 0).
    ratio : float
        The largest error/bound.
    worst : int or None
        The number of the case that showed it.
    verdicts : mapping of str to int
        Cases by status.
    """

    cases: int = 0
    outputs: int = 0
    zeros: int = 0
    ratio: float = 0.0
    worst: int | None = None
    verdicts: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Count) -> Count:
        """Return both together; of equal ratios, the one of the lower case number."""
        highest = max(self, other, key=lambda c: (c.ratio, -math.inf if c.worst is None else -c.worst))
        verdicts = Counter(self.verdicts) + Counter(other.verdicts)
        return Count(
            self.cases + other.cases,
            self.outputs + other.outputs,
            self.zeros + other.zeros,
            highest.ratio,
            highest.worst,
            {status: verdicts[status] for status in STATUSES if verdicts[status]},
        )


@dataclass(frozen=True)
class Tally:
    """What a number of cases showed: counts by cell, by corner, and violations.

    ``a + b == b + a``, and ``(a + b) + c == a + (b + c)``: chunks may end in any order.

    Examples
    --------
    >>> cell = Cell("nearest", "float32", "forward", 1)
    >>> one = Tally(1, {cell: Count(1, 8, verdicts={"exact": 1})}, Counter({("nearest", "factor 6"): 1}))
    >>> (one + one).cells[cell].outputs
    16
    """

    cases: int = 0
    cells: Mapping[Cell, Count] = field(default_factory=dict)
    corners: Mapping[tuple[str, str], int] = field(default_factory=dict)
    violated: int = 0
    violations: tuple[Violation, ...] = ()
    known: Mapping[str, int] = field(default_factory=dict)
    """Violations that are known faults of Torch by name: they do not count as violated."""

    def __add__(self, other: Tally) -> Tally:
        """Return what both showed."""
        cells = dict(self.cells)
        for cell, count in other.cells.items():
            cells[cell] = cells[cell] + count if cell in cells else count
        return Tally(
            self.cases + other.cases,
            cells,
            Counter(self.corners) + Counter(other.corners),
            self.violated + other.violated,
            tuple(sorted(self.violations + other.violations)[:SHOWN]),
            Counter(self.known) + Counter(other.known),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, in one order whatever the order of adding; an infinite ratio is "inf"."""
        cells = [{**cell._asdict(), **asdict(self.cells[cell])} for cell in sorted(self.cells)]
        for row in cells:
            row["ratio"] = row["ratio"] if math.isfinite(row["ratio"]) else "inf"
        return {
            "cases": self.cases,
            "cells": cells,
            "corners": [[kind, name, self.corners[kind, name]] for kind, name in sorted(self.corners)],
            "violated": self.violated,
            "violations": [v._asdict() | {"cell": list(v.cell)} for v in self.violations],
            "known": {name: self.known[name] for name in sorted(self.known)},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tally:
        """Return the tally that `to_dict` told of."""
        rows = [dict(row) for row in data["cells"]]
        keys = [Cell(*(row.pop(name) for name in Cell._fields)) for row in rows]
        counts = [Count(**row | {"ratio": float(row["ratio"])}) for row in rows]
        return cls(
            data["cases"],
            dict(zip(keys, counts, strict=True)),
            Counter({(kind, name): number for kind, name, number in data["corners"]}),
            data["violated"],
            tuple(Violation(**v | {"cell": Cell(*v["cell"])}) for v in data["violations"]),
            Counter(data["known"]),
        )


def total(tallies: Iterable[Tally]) -> Tally:
    """Return all tallies together.

    Examples
    --------
    >>> total([Tally(2), Tally(3)]).cases
    5
    """
    return reduce(lambda a, b: a + b, tallies, Tally())
