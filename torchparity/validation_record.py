"""What the parity suite saw on a device, as a page and as data."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torchparity.tally import Cell, Count, Tally, total
from torchparity.upstream import met
from torchparity.verdict import STATUSES

SCHEMA = "torchparity.validation/1"


class Setting(NamedTuple):
    """An arithmetic ("tf32" is float32 with TF32 on, "float32" with it off), and the switches of cuDNN."""

    arithmetic: str
    deterministic: bool = True
    benchmark: bool = False

    @property
    def switches(self) -> str:
        """The switches of cuDNN in words."""
        words = "deterministic" if self.deterministic else "any algorithm"
        return f"{words}, {'benchmarked' if self.benchmark else 'not benchmarked'}"


@dataclass(frozen=True)
class Record:
    """What the parity suite saw on a device.

    Attributes
    ----------
    device, name : str
        As Torch says it, and as a person does.
    versions : mapping of str to str
    commit : str
        Of the code that ran; "unknown" outside of a repository.
    cases, seed : int
        Cases of every setting, and their seed.
    tallies : mapping of Setting to Tally
    seconds : float
    """

    device: str
    name: str
    versions: Mapping[str, str]
    commit: str
    cases: int
    seed: int
    tallies: Mapping[Setting, Tally]
    seconds: float

    @property
    def tally(self) -> Tally:
        """What all settings showed together."""
        return total(self.tallies.values())

    @property
    def verdicts(self) -> dict[str, int]:
        """Comparisons by status."""
        counts: Counter[str] = Counter()
        for count in self.tally.cells.values():
            counts.update(count.verdicts)
        return {status: counts[status] for status in reversed(STATUSES) if counts[status]}

    @property
    def ok(self) -> bool:
        """Whether nothing new was wrong; "normwise only" (FFT, Winograd) is told, and neither passed nor failed."""
        return all(violation.status == "normwise only" for violation in self.tally.violations)

    @property
    def headline(self) -> str:
        """One line: the device, and the verdicts."""
        verdicts = ", ".join(f"{status} {count}" for status, count in self.verdicts.items())
        return f"{self.name}: {self.tally.cases} cases in {self.seconds:.0f} s: {verdicts}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, schema "torchparity.validation/1"; an infinite ratio is "inf"."""
        runs = [{**setting._asdict(), **tally.to_dict()} for setting, tally in self.tallies.items()]
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            "device": self.device,
            "name": self.name,
            "versions": dict(self.versions),
            "commit": self.commit,
            "cases": self.cases,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "verdicts": self.verdicts,
            "settings": runs,
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the record as a page: the largest error/bound of each cell, a column for each setting of cuDNN."""
        switches = tuple(dict.fromkeys(setting.switches for setting in self.tallies))
        named = switches if self.device.startswith("cuda") else ("largest error/bound",)
        head = ("kind", "arithmetic", "direction", *named, "cases", "outputs", "verdicts")
        rows = [head, ("---",) * len(head), *self._rows(switches)]
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return "\n".join(
            [
                f"# {self.name}",
                "",
                f"{self.headline}.",
                "",
                f"Device `{self.device}`; {versions}; commit {self.commit}; {self.cases} cases for each setting, "
                f"seed {self.seed}. Entries are the largest error over its bound: at most 1, or what rounding "
                "cannot explain happened.",
                "",
                *(f"| {' | '.join(row)} |" for row in rows),
                "",
                *(f"- {note}" for note in self._notes()),
            ]
        )

    def _rows(self, switches: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Yield what was seen by kind, arithmetic and direction, tiers together."""
        seen: dict[tuple[str, ...], dict[str, Count]] = {}
        for setting, tally in self.tallies.items():
            for cell, count in tally.cells.items():
                row = seen.setdefault(_row(cell), {})
                row[setting.switches] = row.get(setting.switches, Count()) + count
        for key, row in sorted(seen.items()):
            every = sum(row.values(), Count())
            ratios = (f"{row[s].ratio:.3f}" if s in row else "" for s in switches)
            verdicts = ", ".join(f"{status} {n}" for status, n in reversed(list(every.verdicts.items())))
            yield (*key, *ratios, str(every.cases), str(every.outputs), verdicts)

    def _notes(self) -> Iterator[str]:
        for name, times in self.tally.known.items():
            yield f"known fault of Torch, {met(times)}: `{name}` (docs/findings.md)"
        for v in self.tally.violations:
            yield f"{v.status} in case {v.case} ({', '.join(map(str, v.cell))}): {v.reason}"
        if not self.tally.violated:
            yield "no output was farther from the reference than rounding can take it"


def write(record: Record, folder: str | Path) -> tuple[Path, Path]:
    """Write a record as <device>.md and <device>.json; return both paths.

    Examples
    --------
    >>> import tempfile
    >>> record = Record("cpu", "CPU", {}, "unknown", 0, 0, {}, 0.0)
    >>> [path.name for path in write(record, tempfile.mkdtemp())]
    ['cpu.md', 'cpu.json']
    """
    stem = "cpu" if record.device == "cpu" else slug(record.name)
    page, data = (Path(folder) / f"{stem}.{end}" for end in ("md", "json"))
    Path(folder).mkdir(parents=True, exist_ok=True)
    page.write_text(record.to_markdown() + "\n", "utf-8")
    data.write_text(record.to_json(), "utf-8")
    return page, data


def slug(name: str) -> str:
    """Return a name as it may stand in a path.

    Examples
    --------
    >>> slug("NVIDIA H100 80GB HBM3")
    'nvidia-h100-80gb-hbm3'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _row(cell: Cell) -> tuple[str, ...]:
    return cell.kind, cell.arithmetic, cell.direction
