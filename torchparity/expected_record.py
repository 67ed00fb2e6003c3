"""Expected spectra beside those of networks drawn, as a page and as data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

SCHEMA = "torchparity.expected-table/1"

LIMITS = {"comb": 0.2, "floor": 0.1}
"""dB by which theory and the mean over draws may differ."""

N = 2048
"""Samples of the Hann spectrum in which heights over the floor are told."""

VERDICTS = ("agrees", "differs", "not predicted", "none seen")


@dataclass(frozen=True)
class Line:
    """One level by theory and of draws, in dB re input power.

    Attributes
    ----------
    what : str
        "sr/4" for the lines of a comb that are on no coarser one; "floor", or "floor by band", the mean of the levels
        of equal bands.
    theory : float or None
        None where theory has no line.
    seen, error : float or None
        Mean over draws and its standard error; None where nothing was seen over noise and rounding.
    unpredicted : float or None
        Level of what theory leaves out of this line: power of order 1/width.

    Examples
    --------
    >>> Line("sr/4", -20.0, -20.25, 0.03).verdict, Line("sr/4", -20.0, -20.3, 0.03).verdict
    ('agrees', 'differs')
    >>> Line("sr/4", -20.0, -17.0, 0.03, -20.0).verdict
    'not predicted'
    """

    what: str
    theory: float | None
    seen: float | None
    error: float | None
    unpredicted: float | None = None

    @property
    def difference(self) -> float | None:
        """Seen less theory, in dB."""
        return None if self.theory is None or self.seen is None else self.seen - self.theory

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`; levels agree that differ by at most `LIMITS` and two standard errors.

        Lines are not predicted that theory does not have; nor are those whose level is made of terms of order 1/width,
        as far as they differ.
        """
        if self.seen is None or self.error is None:
            return "none seen"
        if self.theory is None:
            return "not predicted"
        limit = LIMITS["comb" if self.what.startswith("sr") else "floor"]
        if abs(self.seen - self.theory) <= limit + 2 * self.error:
            return "agrees"
        made = self.unpredicted is not None and _raised(self.theory, self.unpredicted) > limit
        return "not predicted" if made else "differs"


def _raised(level: float, by: float) -> float:
    """Return by how much a level rises where another is added, in dB."""
    return 10 * math.log10(1 + 10 ** ((by - level) / 10))


@dataclass(frozen=True)
class Compared:
    """A network by theory and by draws; and the seconds that the theory took."""

    name: str
    inputs: str
    draws: int
    lines: tuple[Line, ...]
    seconds: float


@dataclass(frozen=True)
class Height:
    """By how much a tone stands over the floor, in dB: by theory, and of draws."""

    name: str
    draws: int
    theory: float
    seen: float
    error: float


@dataclass(frozen=True)
class Table:
    """All that was compared, and on what."""

    rows: tuple[Compared, ...]
    heights: tuple[Height, ...]
    versions: dict[str, str]
    commit: str

    @property
    def verdicts(self) -> dict[str, int]:
        """How often each verdict was found."""
        told = [line.verdict for row in self.rows for line in row.lines]
        return {word: told.count(word) for word in VERDICTS}

    def to_json(self) -> str:
        """Return all numbers, schema "torchparity.expected-table/1"."""
        found = {"schema": SCHEMA, "verdicts": self.verdicts, **asdict(self)}
        return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the page."""
        made = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        head = [
            "# Expected spectra, and those of networks drawn",
            f"{', '.join(f'{n} {word}' for word, n in self.verdicts.items())}.",
            "Levels are in dB re the input's power, 1 in each channel: of a comb, the mean over its lines that are on "
            "no coarser comb. Theory is the limit of wide networks and the leading terms of order 1/width; draws are "
            "Torch's own modules as they are initialised. ± is the standard error of the mean over draws. Levels agree "
            "that differ by at most "
            f"{LIMITS['comb']} dB (floors: {LIMITS['floor']} dB) and two standard errors.",
            f"{made}; commit {self.commit}.",
        ]
        return "\n\n".join([*head, *map(_block, self.rows), _figures(self.heights)]) + "\n"


def _block(row: Compared) -> str:
    words = f"{row.draws} draws; theory took {1e3 * row.seconds:.1f} ms."
    return "\n".join([f"## {row.name}, {row.inputs}", "", words, "", *_lines(row.lines)])


def _lines(lines: tuple[Line, ...]) -> Iterator[str]:
    yield "| | theory | draws | difference | |"
    yield "|---|---|---|---|---|"
    for line in lines:
        seen = "" if line.seen is None else f"{line.seen:.2f} ± {line.error:.2f}"
        difference = "" if line.difference is None else f"{line.difference:+.2f}"
        theory = "none" if line.theory is None else f"{line.theory:.2f}"
        yield f"| {line.what} | {theory} | {seen} | {difference} | {line.verdict} |"


def _figures(heights: tuple[Height, ...]) -> str:
    rows = [f"| {h.name} | {h.draws} | {h.theory:.2f} | {h.seen:.2f} ± {h.error:.2f} |" for h in heights]
    return "\n".join(
        [
            f"## From Fig. 1 to Fig. 9: sr/4 over the floor of a Hann spectrum of {N} samples, in dB",
            "",
            "U-Nets fed with white noise in one channel: four levels from 16 channels, and six from 100, as large as "
            "the article's.",
            "",
            "| | draws | theory | seen |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def write(found: Table, folder: str | Path) -> tuple[Path, Path]:
    """Write expected.md and expected.json; return both paths.

    Examples
    --------
    >>> import tempfile
    >>> [path.name for path in write(Table((), (), {}, "unknown"), tempfile.mkdtemp())]
    ['expected.md', 'expected.json']
    """
    page, data = (Path(folder) / f"expected.{end}" for end in ("md", "json"))
    Path(folder).mkdir(parents=True, exist_ok=True)
    page.write_text(found.to_markdown(), "utf-8")
    data.write_text(found.to_json(), "utf-8")
    return page, data
