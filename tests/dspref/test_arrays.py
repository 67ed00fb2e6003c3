"""Numbers as they come in: what is widened, what is refused, what counts as exact."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from dspref import Conv, convolve, stretch
from dspref.arrays import as_exact, as_numbers


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_narrow_integers_do_not_wrap(dtype: Any) -> None:
    x = np.array([[np.iinfo(dtype).max]], dtype)
    assert convolve(x, np.array([2], dtype)).item() == 2 * int(np.iinfo(dtype).max)
    y = Conv(np.array([[[100, 100]]], dtype))(np.full((1, 2), 100, dtype))
    assert y.item() == 20_000
    assert y.dtype == np.dtype(np.int64)


@pytest.mark.parametrize("bad", ["a", None, [1]], ids=repr)
def test_objects_that_do_not_compute_are_refused(bad: object) -> None:
    array = np.empty(2, object)
    array[:] = [1, bad]
    with pytest.raises(TypeError, match=r"input: got .* at index \(1,\); allowed: numbers: integer, float, complex"):
        stretch(array, 2)


@pytest.mark.parametrize("bad", [float("nan"), np.float32("inf"), complex(0, float("nan"))], ids=repr)
def test_objects_that_are_not_finite_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"input: got .* at index \(0, 1\); allowed: finite numbers"):
        as_numbers("input", np.array([[Fraction(1), bad]], object))


def test_objects_that_compute_are_taken() -> None:
    mixed = np.array([1, 2.5, 1j, Fraction(1, 3), sympy.Symbol("a"), np.float32(1)], object)
    assert as_numbers("input", mixed) is mixed


def test_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="input: got rows of unequal length; allowed: numbers in an array"):
        as_numbers("input", [[1, 2], [3]])


def test_exact_numbers() -> None:
    assert as_exact("f", 2.0**-20) == Fraction(1, 1 << 20)
    with pytest.raises(ValueError, match=r"f: got .*; allowed: .*short binary fraction"):
        as_exact("f", 2.0**-21)
    with pytest.raises(ValueError, match=r"Hint: write Fraction\(1, 3\) or '0.333"):
        as_exact("f", 1 / 3)
    with pytest.raises(ValueError, match="f: got '1/0'; allowed"):
        as_exact("f", "1/0")
    with pytest.raises(TypeError, match=r"f: got 1j; allowed: .*Hint: write Fraction\(1, 5\) or '0.2'"):
        as_exact("f", 1j)
