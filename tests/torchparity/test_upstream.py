"""Known faults of Torch: each is seen again on the version that it was found on, and nothing else is excused."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dspref import Conv, Linear, Nearest, TransposedConv
from dspref.interpolate import Interpolate
from torchparity.cases import Case
from torchparity.draws import Trial
from torchparity.findings import FINDINGS
from torchparity.tally import Cell
from torchparity.trials import outcomes, tallied
from torchparity.upstream import KNOWN, known

ONES = np.ones((1, 1, 9))
WIDE = Conv(ONES, stride=2, padding=15, dilation=2)
SHAPE = (2, 1, 60)
CELL = Cell("conv", "float32", "weight", 2)


def drawn(layer: Any, shape: tuple[int, int, int] = SHAPE, dtype: str = "float32") -> Trial:
    return Trial(0, 0, layer.op, layer, Case("normal", shape, dtype, 1), backward=True)


def test_the_weight_gradient_is_wrong_and_counts_as_known() -> None:
    """On processors without AVX-512 Torch takes other kernels, which are right."""
    if torch.__version__.partition("+")[0] != "2.13.0" or torch.backends.cpu.get_cpu_capability() != "AVX512":
        pytest.skip("seen on Torch 2.13.0 with AVX-512, and not looked for elsewhere")
    statuses = {cell.direction: outcome.status for cell, outcome in outcomes(drawn(WIDE))}
    assert statuses.pop("weight") == "wrong"
    assert set(statuses.values()) <= {"exact", "within bound"}
    tally = tallied(drawn(WIDE))
    assert (tally.violated, tally.violations, tally.known) == (0, (), Counter({KNOWN[0].name: 1}))
    with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False):  # on Intel's GPUs
        assert tallied(drawn(WIDE)).known == {}


@pytest.mark.parametrize(
    ("layer", "shape", "dtype"),
    [
        (WIDE, (1, 1, 60), "float32"),
        (WIDE, SHAPE, "float64"),
        (replace(WIDE, padding=14), SHAPE, "float32"),
        (replace(WIDE, stride=1), SHAPE, "float32"),
        (replace(WIDE, dilation=1), SHAPE, "float32"),
    ],
)
def test_its_neighbours_are_right_and_not_excused(layer: Any, shape: tuple[int, int, int], dtype: str) -> None:
    found = list(outcomes(drawn(layer, shape, dtype)))
    assert {outcome.status for _, outcome in found} <= {"exact", "within bound"}
    assert all(known(cell, layer, shape, "cpu") is None for cell, _ in found)


def test_only_the_gradient_by_the_weight_is_excused() -> None:
    up = TransposedConv(ONES, stride=2, padding=15, dilation=2)
    assert known(CELL, WIDE, SHAPE, "cpu") == known(CELL, up, SHAPE, "cpu") == KNOWN[0].name
    for cell in (CELL._replace(direction=d) for d in ("forward", "input", "bias")):
        assert known(cell, WIDE, SHAPE, "cpu") is None
    assert known(CELL, WIDE, SHAPE, "cuda") is None


SEEN: dict[str, tuple[Any, tuple[int, int, int], str, str]] = {
    "nearest-factors": (Nearest(41), (1, 1, 4), "float32", "forward"),
    "nearest-gradient": (Interpolate("nearest", scale_factor=2.15), (1, 1, 5), "float32", "input"),
    "cubic-gradient": (Interpolate("cubic", scale_factor=1.1), (1, 1, 9), "float64", "input"),
    "linear-corners-float64": (Linear(35, align_corners=True), (1, 1, 4000), "float64", "forward"),
}

NEIGHBOURS: dict[str, tuple[Any, tuple[int, int, int], str]] = {
    "a factor without the fault": (Nearest(40), (1, 1, 4), "float32"),
    "a length that is not doubled": (Interpolate("nearest", scale_factor=2.15), (1, 1, 20), "float32"),
    "a scale that is recomputed": (
        Interpolate("nearest", scale_factor=2.15, recompute_scale_factor=True),
        (1, 1, 5),
        "float32",
    ),
    "a length that is not kept": (Interpolate("cubic", scale_factor=1.1), (1, 1, 10), "float64"),
    "a scale of 1": (Interpolate("cubic", scale_factor=1), (1, 1, 9), "float64"),
    "positions far from integers": (Linear(35, align_corners=True), (1, 1, 9), "float64"),
}


@pytest.mark.parametrize("name", SEEN)
def test_faults_of_interpolation_are_seen_and_count_as_known(name: str) -> None:
    layer, shape, dtype, direction = SEEN[name]
    if torch.__version__.partition("+")[0] != "2.13.0":
        pytest.skip("seen on Torch 2.13.0, and not looked for elsewhere")
    statuses = {cell.direction: outcome.status for cell, outcome in outcomes(drawn(layer, shape, dtype))}
    assert statuses[direction] == "wrong"
    tally = tallied(drawn(layer, shape, dtype))
    assert (tally.violated, set(tally.known)) == (0, {name})
    assert all(cell.direction != direction for cell in tally.cells)
    assert all(set(count.verdicts) <= {"exact", "within bound"} for count in tally.cells.values())


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_their_neighbours_are_right_and_not_excused(name: str) -> None:
    layer, shape, dtype = NEIGHBOURS[name]
    for cell, outcome in outcomes(drawn(layer, shape, dtype)):
        assert outcome.status in ("exact", "within bound")
        assert known(cell, layer, shape, "cpu") is None


def test_faults_stand_among_the_findings_each_once() -> None:
    assert len({fault.name for fault in KNOWN}) == len(KNOWN)
    assert {fault.name for fault in KNOWN} <= {finding.id for finding in FINDINGS}
    assert all("Torch 2" in fault.words for fault in KNOWN)
