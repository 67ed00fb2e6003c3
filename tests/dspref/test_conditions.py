"""Vanishing lines, conditions and the box: each by division, by phase gains, and by SymPy's own polynomials."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import FilterInterp, Linear, Nearest, NotAnalysable, StretchFilter, nulls
from dspref.arrays import Array
from dspref.symbolic import Z, box_factor, conditions, lines, taps, transfer, vanishes
from tests.strategies import QUIET

X = sympy.Symbol("x")


@st.composite
def kernels(draw: st.DrawFn) -> tuple[Array, int]:
    """Draw a factor and taps: a product of boxes that divide the factor's, or of its own, and drawn ones."""
    s = draw(st.integers(2, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    h = rng.integers(-3, 4, draw(st.integers(1, 5)))
    h[-1] = draw(st.sampled_from([-2, -1, 1, 3]))
    for length in draw(st.lists(st.sampled_from(sympy.divisors(s)), max_size=3)):
        h = np.convolve(h, np.ones(length, int))
    return h, s


def test_a_line_vanishes_by_five_routes_or_by_none() -> None:
    """Φ_d | H here, by the other exact test, by the exact amplitude, by SymPy's division, by the conditions."""
    seen: list[bool] = []

    @QUIET(max_examples=60)
    @given(kernels())
    def check(drawn: tuple[Array, int]) -> None:
        h, s = drawn
        every = lines(FilterInterp(s, h), offset=1)
        held = {k: c.holds for c in conditions(h, s) for k in c.lines}
        for k in range(1, s // 2 + 1):
            phi = sympy.Poly(sympy.cyclotomic_poly(s // math.gcd(k, s), X), X)
            null = sympy.rem(sympy.Poly(h.tolist(), X), phi).is_zero
            assert vanishes(h, k, s) == vanishes(h, s - k, s) == null
            assert nulls.vanishes(h, s // math.gcd(k, s)) == null
            assert every[k].vanishes == null
            assert held[k] == null
            seen.append(null)

    check()
    assert 40 < sum(seen) < len(seen) - 40


@pytest.mark.parametrize(("K", "s"), [(3, 2), (4, 2), (2, 3), (6, 3), (5, 4), (8, 4), (7, 6), (12, 6), (9, 5)])
def test_the_conditions_say_that_phase_gains_are_equal(K: int, s: int) -> None:
    """The same linear equations: the span of the rows of both is one. Fewer taps than the factor: all are zero."""
    h = taps(K)
    gains = StretchFilter(s, h).phase_gains
    equal = sympy.Matrix([[sympy.diff(sympy.sympify(g - gains[0]), t) for t in h] for g in gains[1:]])
    found = sympy.Matrix([[sympy.diff(e, t) for t in h] for c in conditions(h, s) for e in c.equations])
    assert found.rank() == equal.rank() == min(s - 1, K)
    assert [row for row in found.rref()[0].tolist() if any(row)] == [
        row for row in equal.rref()[0].tolist() if any(row)
    ]


@pytest.mark.parametrize(("K", "s"), [(16, 8), (7, 6), (9, 5)])
def test_taps_that_satisfy_a_condition_have_no_such_line(K: int, s: int) -> None:
    """Solved for some of the taps, condition by condition; the other lines stay."""
    h = taps(K)
    for condition in conditions(h, s):
        solved = sympy.solve(condition.equations, list(h), dict=True)[0]
        put = np.array([t.subs(solved) for t in h], object)
        assert [c.holds for c in conditions(put, s)] == [True if c == condition else None for c in conditions(h, s)]
        assert all(vanishes(put, k, s) for k in condition.lines)
        others = set(range(1, s // 2 + 1)) - set(condition.lines)
        assert not any(vanishes(put, k, s) for k in others)


def test_conditions_in_words_and_latex() -> None:
    found = conditions(taps(3), 2)
    assert [str(c) for c in found] == ["line 1/2: h0 - h1 + h2 = 0"]
    assert found[0].latex() == "h_{0} - h_{1} + h_{2} = 0"
    ones = conditions([1, 1, 1, 1, 1, 1], 6)
    assert [(c.order, c.lines, c.holds, str(c), c.latex()) for c in ones] == [
        (6, (1,), True, "line 1/6: vanishes", "0 = 0"),
        (3, (2,), True, "line 2/6: vanishes", "0 = 0"),
        (2, (3,), True, "line 3/6: vanishes", "0 = 0"),
    ]
    assert [str(c) for c in conditions([1, 1, 1, 1], 6)] == [
        "line 1/6: stays",
        "line 2/6: stays",
        "line 3/6: vanishes",
    ]
    a, b = sympy.symbols("a b")
    assert [c.equations for c in conditions([a / 2, -b / 3, b - a], 2)] == [(3 * a - 8 * b,)]
    assert [c.equations for c in conditions([a / (a + b), -1], 2)] == [(2 * a + b,)]
    both = conditions(np.array([[[a, 1]], [[1, b]]], object), 2)
    assert both[0].equations == (a - 1, b - 1)


def test_the_box_is_found_with_its_power() -> None:
    """``H = box^p G`` multiplied out again; box does not divide G, by SymPy; p ≥ 1 if and only if no line stays."""
    powers: list[int] = []

    @QUIET(max_examples=60)
    @given(kernels())
    def check(drawn: tuple[Array, int]) -> None:
        h, s = drawn
        found = box_factor(h, s)
        product = np.array([int(g) for g in found.quotient])
        for _ in range(found.power):
            product = np.convolve(product, np.ones(s, int))
        assert product.tolist() == h.tolist()
        box = sympy.Poly([1] * s, X)
        assert not sympy.rem(sympy.Poly(found.quotient, X), box).is_zero
        gains = StretchFilter(s, h).phase_gains
        tone_free = all(vanishes(h, k, s) for k in range(1, s))
        assert (found.power >= 1) == tone_free == bool((gains == gains[0]).all())
        assert sympy.expand(found.expr - transfer(StretchFilter(s, h))) == 0
        powers.append(found.power)

    check()
    assert {0, 1, 2} <= set(powers)


@pytest.mark.parametrize("L", range(2, 9))
def test_interpolators_are_boxes(L: int) -> None:
    """Nearest: one box. Linear on the integer grid: box²/L; on Torch's half-sample grid: box²(1 + z⁻¹)/(2L)."""
    assert str(box_factor(Nearest(L).normal.h, L)) == f"box_{L}"
    found = box_factor(Linear(L).normal.h, L)
    if L == 2:
        assert (found.power, found.quotient) == (3, (sympy.Rational(1, 4),))
    elif L % 2:
        assert (found.power, found.quotient) == (2, (sympy.Rational(1, L),))
    else:
        assert (found.power, found.G) == (2, sympy.expand((1 + 1 / Z) / (2 * L)))


def test_boxes_with_symbols_in_words_and_latex() -> None:
    a, b = sympy.symbols("a b")
    found = box_factor([a, a + b, a + b, b], 3)
    assert (found.power, found.quotient, str(found)) == (1, (a, b), "box_3·(a + b/z)")
    assert found.latex() == r"\mathrm{box}_{3}^{1}(z)\,(a + \frac{b}{z})"
    assert str(box_factor([a, b], 2)) == "a + b/z"
    assert str(box_factor([0, 1, 1, 0], 2)) == "box_2·(1/z)"


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: vanishes([], 1, 2), ValueError, "taps: got shape .0,.; allowed: at least one tap"),
        (lambda: vanishes([1, 2], 1, sympy.Symbol("s")), ValueError, "factor: got s; .*Hint: .*dspref.symbolic"),
        (lambda: vanishes([1, 0.5, sympy.Symbol("a")], 1, 2), TypeError, "got the float 0.5 beside the symbol a"),
        (lambda: vanishes([1, 1j], 1, 2), TypeError, "got the complex number"),
        (lambda: vanishes(np.array([1, "a"]), 1, 2), TypeError, "taps: got dtype <U"),
        (
            lambda: conditions([1, 1], 1),
            ValueError,
            "factor: got 1; allowed: an integer >= 2. Hint: a layer of factor 1",
        ),
        (lambda: conditions([sympy.sqrt(2), 1], 2), NotAnalysable, r"taps: got sqrt\(2\); .*Hint: put a symbol"),
        (lambda: box_factor([0, 0], 2), ValueError, "taps: got nothing but zeros"),
        (lambda: box_factor([[1, 1]], 2), ValueError, "taps: got shape .1, 2.; allowed: 1 axes"),
    ],
)
def test_refusals(ask: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ask()


def test_floats_are_the_fractions_that_they_are() -> None:
    """0.1 + 0.2 is not 0.3, and the line stays: a hair, but not nothing."""
    assert vanishes([0.5, 0.75, 0.25], 1, 2)
    assert not vanishes([0.1, 0.3, 0.2], 1, 2)
    assert vanishes(np.array([Fraction(1, 10), Fraction(3, 10), Fraction(2, 10)]), 1, 2)


def test_algebraic_taps_may_lose_one_line_of_those_that_rational_ones_lose_together() -> None:
    """1 + √2 x + x² is zero at 3/8, and not at 1/8: Φ₈ does not divide it, so that the theorem needs rational taps."""
    h = np.array([1, math.sqrt(2), 1])
    first, third = (abs((h * np.exp(-2j * np.pi * k * np.arange(3) / 8)).sum()) for k in (1, 3))
    assert third < 8 * 2.0**-53 < first
    with pytest.raises(NotAnalysable, match="rational numbers"):
        vanishes(np.array([1, sympy.sqrt(2), 1]), 3, 8)
    both = conditions([1, sympy.Symbol("r"), 1], 8)[0]
    assert (both.lines, both.holds) == ((1, 3), False)
    assert str(both) == "lines 1/8, 3/8: never vanish together"
    assert str(conditions([1] * 8, 8)[0]) == "lines 1/8, 3/8: vanish"


def test_more_symbols_than_can_be_computed_with_are_refused() -> None:
    with pytest.raises(ValueError, match="taps: got 600 different symbols; allowed: at most 512"):
        conditions(taps(600), 2)
