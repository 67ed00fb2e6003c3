"""Exact sums of roots of unity, against complex numbers, and what is refused."""

from __future__ import annotations

import cmath
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref.arrays import NotAnalysable
from dspref.symbolic.rootsums import Cyclotomic, as_expressions, domain_of, elements, root_sum
from tests.strategies import QUIET

a, b, c = sympy.symbols("a b c", real=True)


def number(taps: Any, turn: Fraction, start: int = 0) -> Cyclotomic:
    (h,) = as_expressions("taps", np.array(taps, object))
    domain = domain_of("taps", h)
    return root_sum(elements(domain, h), start, turn, domain)


def by_hand(taps: Any, turn: Fraction, start: int = 0) -> complex:
    return complex(sum(complex(h) * cmath.exp(-2j * cmath.pi * float(turn) * n) for n, h in enumerate(taps, start)))


sums = st.tuples(
    st.lists(st.integers(-4, 4), min_size=1, max_size=7),
    st.fractions(-2, 2, max_denominator=12),
    st.integers(-9, 9),
)
BOUND = 7 * 4 * 7 * 4 * 32 * 2.0**-53
"""Products of two sums of 7 terms of at most 4, each with a few roundings of a phase of at most 2π·2·16."""


@QUIET(max_examples=40)
@given(sums, sums)
def test_the_algebra_is_that_of_complex_numbers(first: Any, second: Any) -> None:
    x, y = number(*first), number(*second)
    p, q = by_hand(*first), by_hand(*second)
    scale = 200 * BOUND
    assert abs(complex(x) - p) < scale
    assert abs(complex(x + y) - (p + q)) < scale
    assert abs(complex(x * y) - p * q) < scale
    assert abs(complex(x.conjugate()) - p.conjugate()) < scale
    assert abs(float(x.abs2) - abs(p) ** 2) < scale
    assert abs(complex(x.expr) - p) < scale
    assert x * y == y * x
    assert (x + y).conjugate() == x.conjugate() + y.conjugate()


@pytest.mark.parametrize("n", [2, 3, 5, 6, 7, 12])
def test_all_roots_together_are_zero(n: int) -> None:
    """SymPy's simplify leaves the sum of five as it is."""
    assert number([1] * n, Fraction(1, n)).is_zero
    assert number([a] * n, Fraction(n - 1, n)).is_zero
    assert not number([a] * (n - 1), Fraction(1, n)).is_zero


def test_equal_numbers_have_one_form() -> None:
    """W₃ = −W₆⁵, and 1 + W₃ = −W₃² = W₆."""
    assert (number([0, 1], Fraction(1, 3)) - number([0, -1], Fraction(5, 6))).is_zero
    assert number([1, 1], Fraction(1, 3)) == number([0, 0, -1], Fraction(1, 3))
    assert str(number([1, 1], Fraction(1, 3))) == "W3 + 1"
    assert str(number([1, 2, 3, 4], Fraction(1, 4))) == "2*(-1 + I)"
    assert number([a, b], Fraction(1, 3)).latex() == "W_{3} b + a"
    assert str(number([2 * a, 0, 2 * b], Fraction(1, 5))) == "2*(W5**2*b + a)"


@pytest.mark.parametrize(
    ("turn", "start"), [(Fraction(k, s), o) for s in (2, 3, 5, 8) for k in (1, 2) for o in (0, -2)]
)
def test_the_phase_of_symmetric_taps_is_that_of_their_middle(turn: Fraction, start: int) -> None:
    """Linear phase: ``c e^{j2πν(start + (K−1)/2)}`` is real, for all values of the symbols; turns modulo a half."""
    symmetric = number([a, b, c, b, a], turn, start)
    assert symmetric.turn == -turn * (start + 2) % Fraction(1, 2)
    if turn.denominator > 2:
        assert number([a, b, c], turn, start).turn is None
        even = number([1, 2, 2, 1], turn, start)
        assert even.is_zero or abs((complex(even) * cmath.exp(-2j * cmath.pi * float(even.turn or 0))).imag) < BOUND
    assert number([0, 0], turn).turn is None


def test_numbers_are_taken_at_their_word() -> None:
    (h,) = as_expressions("taps", np.array([0.1, 2, np.float32(0.5), Fraction(1, 3)], object))
    assert h.tolist() == [sympy.Rational(*(0.1).as_integer_ratio()), 2, sympy.Rational(1, 2), sympy.Rational(1, 3)]
    (h,) = as_expressions("taps", np.array([0.25, -1.0]))
    assert h.tolist() == [sympy.Rational(1, 4), -1]
    (h,) = as_expressions("taps", np.array([sympy.Float("0.5"), np.int64(3)], object))
    assert h.tolist() == [sympy.Rational(1, 2), 3]


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([[0.5, a]], TypeError, "taps: got the float 0.5 beside the symbol a; allowed: symbols beside integers"),
        ([[a, b], [0.1]], TypeError, r"the float 0.1 beside the symbol a.*Hint: write Fraction\(1, 10\) for 0.1"),
        ([[a * 0.5]], TypeError, "the float 0.5.a beside the symbol"),
        ([[sympy.Float(2), a]], TypeError, "beside the symbol a"),
        ([[1j, 1]], TypeError, "taps: got the complex number 1j; allowed: real numbers and symbols"),
        ([[sympy.I * a]], TypeError, "the complex number I.a"),
        ([[sympy.oo]], ValueError, "taps: got oo; allowed: finite numbers"),
        ([[float("nan")]], ValueError, "finite numbers"),
    ],
)
def test_what_is_no_exact_number_is_refused(values: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        as_expressions("taps", *(np.array(v) if isinstance(v[0], float) else np.array(v, object) for v in values))


@pytest.mark.parametrize("item", [sympy.sqrt(2), sympy.sqrt(2) * a, sympy.sin(a) + sympy.cos(a)])
def test_algebraic_numbers_are_refused(item: Any) -> None:
    """√2 is in the field of the eighth roots of unity: 1/√2 − (W₈ + W₈⁷)/2 is zero, and would not show it."""
    with pytest.raises(
        NotAnalysable, match=r"taps: got .*; allowed: rational numbers, and rational functions of symbols"
    ):
        domain_of("taps", *as_expressions("taps", np.array([item, 1], object)))


def test_rational_functions_of_symbols_are_exact_too() -> None:
    share = number([a / (a + b), b / (a + b), -1], Fraction(2, 1))
    assert share.is_zero
    assert not number([a / (a + b), b / (a + b), 1], Fraction(1, 2)).is_zero


def test_symbols_are_no_complex_number() -> None:
    with pytest.raises(
        TypeError, match=r"complex number: got the symbol a; allowed: numbers without symbols. Hint: put"
    ):
        complex(number([a, 1], Fraction(1, 2)))
