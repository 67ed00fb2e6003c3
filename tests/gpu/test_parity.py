"""The parity suite of one device: on a CPU in the quick suite, on CUDA where there is one, by the same code.

``python -m tests gpu --require-gpu`` writes what it saw as docs/validation/<device>.md and .json.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import has_gpu
from torchparity.draws import KINDS
from torchparity.validation import settings_of, validate
from torchparity.validation_record import Record, write

CASES = {"quick": 40, "cpu": 2000, "cuda": 200}
"""Of each setting, in the quick suite and for the record; a case is about two comparisons."""

DIRECTIONS = {"forward", "input", "weight", "bias"}

pytestmark = pytest.mark.device


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def record(request: pytest.FixtureRequest) -> Record:
    """Return what the suite sees on a device; it is written down if that is asked for, of the best device there."""
    folder = request.config.getoption("--record")
    recorded = folder is not None and request.param == ("cuda" if has_gpu() else "cpu")
    asked = request.config.getoption("--cases") if recorded else None
    made = validate(request.param, cases=asked or CASES[request.param if recorded else "quick"])
    if recorded:
        write(made, folder)
    return made


def test_no_output_and_no_gradient_is_wrong(record: Record, show: Callable[[str], None]) -> None:
    show(record.headline)
    assert record.ok, record.to_markdown()
    assert "wrong" not in {violation.status for violation in record.tally.violations}


def test_every_setting_kind_and_direction_was_compared(record: Record) -> None:
    assert tuple(record.tallies) == settings_of(record.device)
    for setting, tally in record.tallies.items():
        assert {cell.arithmetic for cell in tally.cells} == {setting.arithmetic}
        assert {cell.kind for cell in tally.cells} == set(KINDS)
        assert {cell.direction for cell in tally.cells} == DIRECTIONS
        assert tally.cases == record.cases
        assert sum(count.outputs for count in tally.cells.values()) > 1000 * record.cases


def test_real_numbers_are_rounded_and_whole_ones_are_not(record: Record) -> None:
    """A comparison that never sees an error, or sees one everywhere, compares something else."""
    for tally in record.tallies.values():
        rounded = [c for cell, c in tally.cells.items() if cell.kind == "convt" and cell.tier == 2]
        whole = [c for cell, c in tally.cells.items() if cell.kind == "nearest" and cell.tier == 1]
        assert all(0 < count.ratio <= 1 for count in rounded if count.cases > 9)
        assert all(count.ratio == 0 for count in whole)
