"""One drawn case: the module holds the very numbers of the reference, and every comparison has its cell."""

from __future__ import annotations

import numpy as np
import pytest

from torchparity.calls import numbers
from torchparity.draws import KINDS, draw_case
from torchparity.trials import job_of, outcomes, tallied, trial


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_module_and_reference_have_the_same_weights(dtype: str) -> None:
    """Torch rounds a double to half by way of float32: another number now and then, as for 1 + 2^-8 + 2^-30."""
    for index in range(300):
        drawn = draw_case(index, kinds=["convt", "conv", "shuffle"], dtypes=[dtype])
        job = job_of(drawn, "cpu")
        for name, key in job.held.items():
            parameter = dict(job.run.named_parameters())[key]  # type: ignore[attr-defined]
            assert str(parameter.dtype) == f"torch.{dtype}"
            assert np.array_equal(numbers(parameter), getattr(job.layer, name))


def test_a_case_in_which_double_rounding_shows_is_right() -> None:
    """Case 55 598 of seed 0: a weight so near to the middle of two bfloat16 that float32 says it is the middle."""
    assert {outcome.status for _, outcome in trial(55598)} <= {"exact", "within bound"}


@pytest.mark.parametrize("kind", KINDS)
def test_cells_tell_kind_arithmetic_direction_and_tier(kind: str) -> None:
    for index in range(40):
        drawn = draw_case(index, kinds=[kind], dtypes=["float32"])
        found = list(outcomes(drawn))
        cells = [cell for cell, _ in found]
        assert len(set(cells)) == len(cells)
        assert [cell.direction for cell in cells][:2] == ["forward", "input"][: len(cells)]
        assert (len(cells) > 1) == drawn.backward
        assert {(cell.kind, cell.arithmetic) for cell in cells} == {(kind, "float32")}
        for cell, outcome in found:
            assert cell.tier == 2 or outcome.case.kind in ("integer", "one-hot")


def test_a_tally_of_one_counts_its_outcomes() -> None:
    drawn = draw_case(0, kinds=["convt"], dtypes=["float64"])
    tally = tallied(drawn)
    assert tally.cases == 1
    for cell, outcome in outcomes(drawn):
        count = tally.cells[cell]
        assert (count.cases, count.outputs, count.ratio) == (1, outcome.outputs, outcome.ratio)
        assert count.verdicts == {outcome.status: 1}
