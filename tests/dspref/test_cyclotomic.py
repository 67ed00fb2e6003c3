"""Cyclotomic division, against SymPy's polynomials, against the other exact test, and against transforms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import nulls
from dspref.arrays import Array
from dspref.cyclotomic import cyclotomic, fold, primes, remainder, sparse_remainder
from tests.strategies import QUIET

X = sympy.Symbol("x")


def poly(ascending: Array | tuple[int, ...] | list[int]) -> sympy.Poly:
    return sympy.Poly([sympy.Rational(c) for c in reversed(list(ascending))], X)


@pytest.mark.parametrize("n", [*range(1, 61), 105, 210, 256, 385, 1155])
def test_the_polynomials_are_those_of_sympy(n: int) -> None:
    """Φ_105 is the first with a coefficient of −2, Φ_385 with −3."""
    assert poly(cyclotomic(n)) == sympy.Poly(sympy.cyclotomic_poly(n, X), X)
    assert primes(n) == tuple(sympy.primefactors(n))


@pytest.mark.parametrize("n", [1, 12, 30, 72])
def test_those_of_the_divisors_make_up_all_roots_of_unity(n: int) -> None:
    product = math.prod((poly(cyclotomic(d)) for d in sympy.divisors(n)), start=sympy.Poly(1, X))
    assert product == sympy.Poly(X**n - 1, X)


@st.composite
def polynomials(draw: st.DrawFn) -> tuple[Array, int]:
    """Draw an order and taps, about half of them multiples of its cyclotomic polynomial."""
    n = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 30]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    taps = rng.integers(-3, 4, draw(st.integers(1, 12)))
    return (np.convolve(taps, cyclotomic(n)) if draw(st.booleans()) else taps), n


def test_remainders_are_those_of_sympy_and_zero_where_the_value_is() -> None:
    """Four routes to one null: division here, that of SymPy, the other exact test, and the value at a root."""
    null: list[bool] = []

    @QUIET(max_examples=100)
    @given(polynomials())
    def check(drawn: tuple[Array, int]) -> None:
        taps, n = drawn
        left = remainder(taps, n)
        assert left.shape == (len(cyclotomic(n)) - 1,)
        assert poly(left) == sympy.rem(poly(taps), poly(cyclotomic(n)))
        value = abs((taps * np.exp(-2j * np.pi * np.arange(len(taps)) / n)).sum())
        rounding = 4 * len(taps) * 2.0**-53 * np.abs(taps).sum() * len(taps)
        null.append(not left.any())
        assert null[-1] == nulls.vanishes(taps, n) == (value <= rounding)

    check()
    assert 30 < sum(null) < 90


@QUIET(max_examples=40)
@given(polynomials(), st.integers(-50, 50))
def test_sparse_and_dense_division_agree(drawn: tuple[Array, int], shift: int) -> None:
    taps, n = drawn
    turned = np.roll(fold(taps, n), shift % n)
    sparse = sparse_remainder({shift + i: int(c) for i, c in enumerate(taps)}, n)
    assert [sparse.get(r, 0) for r in range(len(cyclotomic(n)) - 1)] == remainder(turned, n).tolist()


def test_division_is_that_of_each_kernel_in_the_arithmetic_of_the_taps() -> None:
    a, b = sympy.symbols("a b")
    taps = np.array([[[Fraction(1, 3), 2, 0, Fraction(1, 3), 2]], [[1, 1, 1, 0, 0]]], object)
    assert remainder(taps, 3).tolist() == [[[Fraction(2, 3), 4]], [[0, 0]]]
    left = remainder(np.array([a, b, a, b], object), 4)
    assert [sympy.expand(c) for c in left] == [0, 0]
