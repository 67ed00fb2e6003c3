"""Expected spectra against networks drawn: a few in the quick suite; thousands for the record, by the same code.

``python -m tests expected`` writes what it saw as docs/validation/expected.md and .json.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from torchparity.expected_record import LIMITS, Table, write
from torchparity.expected_rows import rows
from torchparity.expected_table import table
from torchparity.interruption import progress

QUICK = {"Decoder ×3, linear": 12, "U-Net 4 × 16, sub-pixel": 12}
"""Networks of the quick suite, and draws."""

SIGMAS = {True: 2.0, False: 4.5}
"""Standard errors beyond the limits that a level may be off: of thousands of draws, and of few."""


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--record") is not None


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest, recorded: bool) -> Table:
    """Return the table; it is written down if that is asked for."""
    if not recorded:
        return table([replace(row, draws=QUICK[row.name]) for row in rows() if row.name in QUICK])
    folder = request.config.getoption("--resume")
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    with progress("draws") as show:
        found = table(
            rows(), folder=folder and Path(folder), progress=lambda name, done, due: show(done, due, f"of {name}")
        )
    write(found, request.config.getoption("--record"))
    return found


def test_combs_and_floors_are_those_of_theory(made: Table, recorded: bool) -> None:
    """Within 0.2 dB, floors 0.1 dB, and so many standard errors, but for what 1/width alone makes."""
    compared = 0
    for row in made.rows:
        for line in row.lines:
            if line.difference is None or line.error is None or line.verdict == "not predicted":
                continue
            limit = LIMITS["comb" if line.what.startswith("sr") else "floor"]
            assert abs(line.difference) <= limit + SIGMAS[recorded] * line.error, (row.name, row.inputs, line)
            compared += 1
    assert compared >= 9


def test_tones_of_the_figures_stand_as_high_as_expected(made: Table, recorded: bool) -> None:
    assert made.heights
    for each in made.heights:
        assert abs(each.theory - each.seen) <= LIMITS["comb"] + SIGMAS[recorded] * each.error, each


def test_the_page_has_every_level(made: Table, tmp_path: Path) -> None:
    page = write(made, tmp_path)[0].read_text("utf-8")
    assert page.count("\n## ") == len(made.rows) + 1
    for row in made.rows:
        assert f"## {row.name}, {row.inputs}\n" in page
        for line in row.lines:
            assert line.theory is None or f"| {line.what} | {line.theory:.2f} |" in page
    assert f"{made.verdicts['agrees']} agrees" in page
    assert all(math.isfinite(each.theory) and f"| {each.theory:.2f} |" in page for each in made.heights)
