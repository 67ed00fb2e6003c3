"""The drawing of cases is checked too: rules draw where they say, and an empty stratum is a failure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given

from tests import conftest
from tests.strata import REFUSED, STRATA, Stratum
from tests.strategies import QUIET, Case, cases, survey, tabled

ALL = [
    pytest.param(table, kind, name, id=f"{kind}: {name}")
    for table in (STRATA, REFUSED)
    for kind in table
    for name in table[kind]
]

MUST_BE_COVERED = {
    "convt": (
        "groups, several channels each",
        "stride > extent (gap)",
        "output_padding >= stride, dilated",
        "K no multiple of s",
        "length 0",
        "length 1",
        "batch 0",
    ),
    "conv": ("groups, several channels each", "length 0", "length 1", "batch 0"),
    "shuffle": ("groups, several channels each", "length 0", "length 1", "batch 0"),
    "nearest": ("length 0", "length 1", "batch 0"),
    "linear": ("length 0", "length 1", "batch 0"),
    "filter": ("length 0", "length 1", "batch 0"),
}


@pytest.mark.parametrize(("table", "kind", "name"), ALL)
def test_rules_draw_into_their_stratum(table: dict[str, dict[str, Stratum]], kind: str, name: str) -> None:
    @QUIET(max_examples=20)
    @given(cases(kind, table, name))
    def check(case: Case) -> None:
        assert table[kind][name].holds(case.layer, case.x)

    check()


def test_no_corner_that_must_be_covered_is_missing_from_the_table() -> None:
    assert set(MUST_BE_COVERED) == set(STRATA)
    assert all(set(names) <= set(STRATA[kind]) for kind, names in MUST_BE_COVERED.items())


def test_an_empty_stratum_is_a_failure() -> None:
    never = {"nearest": {"drawn": Stratum(lambda w, x: True, {}), "never": Stratum(lambda w, x: False, {})}}
    with pytest.raises(AssertionError, match=r"strata of nearest that no case reached: \['never'\]"):
        survey("nearest", 10, lambda case: None, table=never)


def test_a_failing_check_fails_the_survey() -> None:
    def check(case: Case) -> None:
        assert case.layer.factor < 5

    with pytest.raises(AssertionError):
        survey("nearest", 100, check)


def test_counts_are_shown_by_stratum() -> None:
    counts = survey("nearest", 200, lambda case: None)
    assert counts["all"] == 200
    assert tabled("nearest:", counts).startswith(f"nearest: 200 cases. length 0 {counts['length 0']}; length 1 ")


@pytest.mark.parametrize(("required", "outcome"), [(False, pytest.skip.Exception), (True, pytest.fail.Exception)])
def test_without_a_gpu_tests_skip_in_words_or_fail_if_it_was_required(
    required: bool, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conftest, "has_gpu", lambda: False)
    config = SimpleNamespace(getoption=lambda name: required)
    item: Any = SimpleNamespace(get_closest_marker=lambda name: name == "gpu", config=config)
    with pytest.raises(outcome, match="no CUDA device that Torch can use"):
        conftest.pytest_runtest_setup(item)
