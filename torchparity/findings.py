"""What checking others' code has shown: each with a line that shows it, run anew so that a repair is seen.

The rows stand in ``findings.toml`` beside this file. ``docs/findings.md`` is made of them: it is written by
``python -m torchparity.findings > docs/findings.md``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from dspref.arrays import complaint

SCHEMA = "torchparity.findings/1"
LIMIT = 300
"""Seconds that one line may take."""


@dataclass(frozen=True)
class Finding:
    """One row: what is wrong in whose code, and how that shows.

    Attributes
    ----------
    id : str
    title : str
    library, version : str
        In which it was seen.
    text : str
        What happens, and why as far as it is known.
    code : str
        One line of Python; what it prints, or the last line of its error, is the answer.
    wrong : str
        The answer while it lasts; an error is told by its beginning.
    due : str
        The right answer.
    how : str
        How it was seen, with the figures.
    needs : tuple of str
        Packages that the line imports beside its library.
    cpu : str
        What Torch must call the processor for the fault to show, as in "AVX512"; empty for any.
    """

    id: str
    title: str
    library: str
    version: str
    text: str
    code: str
    wrong: str
    due: str
    how: str
    needs: tuple[str, ...] = ()
    cpu: str = ""

    @property
    def line(self) -> str:
        """The line for a terminal."""
        return f"python -c '{self.code}'"


@dataclass(frozen=True)
class Result:
    """What running a finding's line showed: "seen", "fixed", "changed" or "not run"."""

    finding: Finding
    status: str
    answer: str
    version: str

    @property
    def words(self) -> str:
        """The status, and what must be known of it."""
        told = {"fixed": f"now {self.answer}", "changed": f"now {self.answer}", "not run": self.answer}
        return f"{self.status} ({told[self.status]})" if self.status in told else self.status


def rerun(finding: Finding) -> Result:
    """Run a finding's line in a process of its own, and say whether it is still as described.

    Examples
    --------
    >>> sums = Finding("sums", "Tenths", "numpy", "2.4.6", "", "print(0.1 + 0.2)", "0.30000000000000004", "0.3", "")
    >>> rerun(sums).status
    'seen'
    """
    lost = [name for name in (finding.library, *finding.needs) if find_spec(name) is None]
    installed = _version(finding.library)
    if lost:
        return Result(finding, "not run", f"{' and '.join(lost)} not installed", installed)
    if finding.cpu and (here := _cpu()) != finding.cpu:
        return Result(finding, "not run", f"it shows on {finding.cpu}, this processor has {here}", installed)
    quiet = os.environ | {"PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", finding.code]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=quiet, check=False)
    except subprocess.TimeoutExpired:
        return Result(finding, "not run", f"it took more than {LIMIT} s", installed)
    answer = (run.stderr if run.returncode else run.stdout).strip()
    answer = answer.splitlines()[-1] if run.returncode and answer else answer
    if answer == finding.wrong or (run.returncode and answer.startswith(finding.wrong)):
        return Result(finding, "seen", answer, installed)
    return Result(finding, "fixed" if answer == finding.due else "changed", answer, installed)


def _cpu() -> str:
    """Return what Torch calls the instructions of this processor."""
    import torch

    return str(torch.backends.cpu.get_cpu_capability())


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def to_json(results: Sequence[Result]) -> str:
    """Return results as JSON, schema "torchparity.findings/1"."""
    rows = [
        {
            "id": r.finding.id,
            "title": r.finding.title,
            "library": r.finding.library,
            "seen_in": r.finding.version,
            "version": r.version,
            "status": r.status,
            "answer": r.answer,
            "wrong": r.finding.wrong,
            "due": r.finding.due,
            "code": r.finding.code,
        }
        for r in results
    ]
    return json.dumps({"schema": SCHEMA, "findings": rows}, indent=2, ensure_ascii=False) + "\n"


def to_text(results: Sequence[Result]) -> str:
    """Return results as lines."""
    width = max((len(r.finding.id) for r in results), default=0)
    rows = (f"{r.finding.id:<{width}}  {r.finding.library} {r.version}: {r.words}\n" for r in results)
    return "".join(rows)


def to_markdown(results: Sequence[Result]) -> str:
    """Return results as a table."""
    rows = (f"| {r.finding.id} | {r.finding.title} | {r.finding.library} {r.version} | {r.words} |\n" for r in results)
    return "| finding | what | version | now |\n|---|---|---|---|\n" + "".join(rows)


def page(findings: Sequence[Finding]) -> str:
    """Return the page ``docs/findings.md``."""
    return _HEAD + "".join(map(_section, findings))


def _section(f: Finding) -> str:
    return (
        f"\n## {f.title}\n\n`{f.id}`, {f.library} {f.version}.\n\n{f.text}\n\n    {f.line}\n\n"
        f"The answer is `{f.wrong}`, where `{f.due}` is due.\n\nSeen by {f.how}\n"
    )


_HEAD = """# What checking others' code has shown

Each row was run on a CPU, with the version that it names. `torchparity findings` runs every line again and says
which are still so: a repair upstream shows as "fixed". This page is written from `torchparity/findings.toml`.
"""


def load(text: str) -> tuple[Finding, ...]:
    """Return the findings of a TOML text, ``[[finding]]`` by ``[[finding]]``.

    Raises
    ------
    ValueError
        If a field is missing or unknown, or an id stands twice.
    """
    rows: list[dict[str, Any]] = tomllib.loads(text)["finding"]
    tidy: Iterator[dict[str, Any]] = (
        {k: v.strip() if isinstance(v, str) else tuple(v) for k, v in row.items()} for row in rows
    )
    try:
        found = tuple(Finding(**row) for row in tidy)
    except TypeError as error:
        raise ValueError(complaint("finding", error, "the fields of Finding")) from error
    twice = [name for name, count in Counter(f.id for f in found).items() if count > 1]
    if twice:
        raise ValueError(complaint("findings", f"'{twice[0]}' twice", "one row for each id"))
    return found


FINDINGS = load(resources.files("torchparity").joinpath("findings.toml").read_text("utf-8"))
"""Every finding that was seen, in the order of the page."""


if __name__ == "__main__":
    sys.stdout.write(page(FINDINGS))
