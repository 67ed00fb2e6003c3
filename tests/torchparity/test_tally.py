"""Tallies add up to the same in any order, and survive being written down."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from torchparity.tally import SHOWN, Cell, Count, Tally, Violation, total

A, B = Cell("conv", "float32", "forward", 2), Cell("convt", "bfloat16", "weight", 1)


def drawn(case: int) -> Tally:
    """Return what one case may have shown: ratios of few values, so that some are equal."""
    rng = np.random.default_rng(case)
    ratio = float(rng.choice([0.0, 0.25, 0.5, math.inf]))
    status = "exact" if ratio == 0 else "within bound" if ratio < 1 else "wrong"
    cell = A if rng.integers(2) else B
    broken = (Violation(case, cell, status, "it is wrong"),) if status == "wrong" else ()
    count = Count(1, int(rng.integers(9)), 1, ratio, case if ratio else None, {status: 1})
    return Tally(
        1, {cell: count}, Counter({(cell.kind, "length 1"): 1}), len(broken), broken, Counter({"a fault": case % 2})
    )


ONES = [drawn(i) for i in range(6)]


def test_the_order_of_adding_does_not_matter() -> None:
    sums = [total(order) for order in permutations(ONES)]
    assert all(one == sums[0] for one in sums)
    assert all(json.dumps(one.to_dict()) == json.dumps(sums[0].to_dict()) for one in sums)


def test_neither_does_the_grouping() -> None:
    a, b, c = total(ONES[:1]), total(ONES[1:4]), total(ONES[4:])
    assert (a + b) + c == a + (b + c) == total(ONES)


def test_counts_are_counts() -> None:
    whole = total(ONES)
    assert whole.cases == sum(count.cases for count in whole.cells.values()) == 6
    assert sum(whole.corners.values()) == 6
    assert whole.known == {"a fault": 3}
    assert whole.violated == sum(count.verdicts.get("wrong", 0) for count in whole.cells.values()) > 0
    outputs = sum(count.outputs for one in ONES for count in one.cells.values())
    assert sum(count.outputs for count in whole.cells.values()) == outputs


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_equal_ratios_the_first_case_is_told(order: tuple[int, int]) -> None:
    pair = [Count(1, ratio=0.5, worst=9), Count(1, ratio=0.5, worst=4)]
    both = pair[order[0]] + pair[order[1]]
    assert (both.ratio, both.worst) == (0.5, 4)


def test_a_larger_ratio_wins_and_none_does_not_hide_it() -> None:
    both = Count(1, ratio=0.0, worst=None) + Count(1, ratio=0.1, worst=8) + Count(1, ratio=0.3, worst=90)
    assert (both.ratio, both.worst, both.cases) == (0.3, 90, 3)


def test_many_violations_are_counted_and_the_first_are_shown() -> None:
    ones = [Tally(1, violated=1, violations=(Violation(i, A, "wrong", ""),)) for i in range(3 * SHOWN)]
    for order in (ones, ones[::-1]):
        whole = total(order)
        assert whole.violated == 3 * SHOWN
        assert [v.case for v in whole.violations] == list(range(SHOWN))


def test_data_tells_all() -> None:
    whole = total(ONES)
    assert math.isinf(max(count.ratio for count in whole.cells.values()))
    text = json.dumps(whole.to_dict(), allow_nan=False)
    assert Tally.from_dict(json.loads(text)) == whole
    assert json.dumps(Tally.from_dict(json.loads(text)).to_dict()) == text
