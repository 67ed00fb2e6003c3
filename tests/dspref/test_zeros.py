"""Nulls: proved ones against SymPy's factors, the others against sign changes of the amplitude."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.signal
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import Chain, Conv, FilterInterp, Linear, Nearest, NotAnalysable, StretchFilter, ZeroStuff, parse
from dspref.arrays import Array
from dspref.spectrum import nulls, response
from dspref.spectrum.zeros import _candidates
from tests.strategies import QUIET

Z = sympy.Symbol("z")


@pytest.mark.parametrize("s", range(2, 10))
def test_interpolators_are_null_at_k_over_s_and_nowhere_else(s: int) -> None:
    comb = [Fraction(k, s) for k in range(1, s // 2 + 1)]
    assert [(n.freq, n.order) for n in nulls(Nearest(s))] == [(f, 1) for f in comb]
    torch = [(f, 3 if f == Fraction(1, 2) else 2) for f in comb]  # even s: once more at Nyquist
    assert [(n.freq, n.order) for n in nulls(Linear(s))] == torch
    integer_grid = FilterInterp(s, np.convolve(np.ones(s, int), np.ones(s, int)))
    assert [(n.freq, n.order) for n in nulls(integer_grid)] == [(f, 2) for f in comb]
    assert nulls(ZeroStuff(s)) == nulls(Chain([])) == ()


def test_valleys_of_earlier_layers_are_repeated_by_later_ones() -> None:
    found = nulls(parse("linear x3 | nearest x2"))
    assert [(n.freq, n.order) for n in found] == [(Fraction(1, 6), 2), (Fraction(1, 3), 2), (Fraction(1, 2), 1)]
    assert [str(n.hz(48000)) for n in found] == ["8000", "16000", "24000"]


LAYERS = (
    Nearest(2),
    Nearest(3),
    Linear(2),
    Linear(3),
    FilterInterp(2, np.array([3, 2, 3])),
    FilterInterp(1, np.array([1, 2, 1])),
)


@pytest.mark.parametrize("first", LAYERS)
@pytest.mark.parametrize("then", LAYERS)
def test_nulls_layer_by_layer_are_those_of_the_collapsed_kernel(first: Any, then: Any) -> None:
    chain = Chain([first, then, Nearest(2)])
    by_layer, at_once = nulls(chain), nulls(chain.collapse())
    assert [(n.freq, n.order) for n in by_layer if n.exact] == [(n.freq, n.order) for n in at_once if n.exact]
    floats = [[float(n.freq) for n in found if not n.exact] for found in (by_layer, at_once)]
    assert floats[0] == pytest.approx(floats[1], abs=1e-7)  # where both layers have them, the root is a double one


@QUIET(max_examples=30)
@given(
    st.lists(st.integers(1, 12), max_size=4),
    st.lists(st.integers(-4, 4), min_size=1, max_size=5).filter(lambda h: h[0] and h[-1]),
)
def test_proved_nulls_are_the_cyclotomic_factors_that_sympy_finds(orders: list[int], rest: list[int]) -> None:
    p = sympy.Poly(rest, Z)
    for q in orders:
        p *= sympy.Poly(sympy.cyclotomic_poly(q, Z), Z)
    expected: dict[Fraction, int] = {}
    for factor, m in p.factor_list()[1]:
        if factor.is_cyclotomic:
            q = next(q for q in range(1, 100) if factor in (c := sympy.Poly(sympy.cyclotomic_poly(q, Z), Z), -c))
            expected |= {Fraction(k, q): m for k in range(q // 2 + 1) if np.gcd(k, q) == 1}
    found = nulls(FilterInterp(1, np.array([int(v) for v in p.all_coeffs()])))
    assert {n.freq: n.order for n in found if n.exact} == expected


def test_every_order_that_may_divide_is_tried() -> None:
    for taps in (1, 2, 3, 7, 20):
        assert _candidates(taps) == [q for q in range(1, 2 * taps**2 + 1) if sympy.totient(q) < taps]


@pytest.mark.parametrize("h", [scipy.signal.firwin(63, 0.25), scipy.signal.remez(41, [0, 0.1, 0.15, 0.5], [1, 0])])
def test_float_nulls_are_where_the_amplitude_of_a_symmetric_filter_changes_sign(
    h: Array,
) -> None:
    found = nulls(FilterInterp(4, h))
    assert not any(n.exact for n in found)
    middle, edges = (len(h) - 1) / 2, np.linspace(0, 0.5, 4001)
    n = np.arange(len(h)) - middle
    sign = np.sign(np.cos(2 * np.pi * np.multiply.outer(edges, n)) @ h)
    changes = np.flatnonzero(sign[1:] != sign[:-1])
    assert len(found) == len(changes) > 10
    for null, place in zip(found, changes, strict=True):
        assert edges[place] <= null.freq <= edges[place + 1]


def test_irrational_nulls_have_their_closed_form() -> None:
    (null,) = nulls(FilterInterp(1, np.array([3, 2, 3])))  # 2 + 6 cos 2πν
    assert null.freq == pytest.approx(np.arccos(-1 / 3) / (2 * np.pi), rel=1e-14)
    assert (null.order, null.exact) == (None, False)
    (twice,) = nulls(FilterInterp(1, np.convolve([3, 2, 3], [3, 2, 3])))
    assert twice.freq == pytest.approx(null.freq, abs=1e-7)  # a double root is known to √u


def test_the_nine_tap_filter_is_null_at_a_third_once_it_is_cured() -> None:
    """THEORY: 4066 6261 8133 9391 9834 … has unequal branch sums; 5878 in place of 6261 cures it."""
    for tap, cured in ((6261, False), (5878, True)):
        half = [4066, tap, 8133, 9391]
        found = nulls(FilterInterp(3, np.array([*half, 9834, *half[::-1]])))
        assert (Fraction(1, 3) in [n.freq for n in found if n.exact]) is cured


def test_channels_must_vanish_together() -> None:
    w = np.array([[[1, 1, 1, 1]], [[1, 0, 0, 1]]])  # (1 + z)(1 + z²) and (1 + z)(1 − z + z²)
    assert [n.freq for n in nulls(Conv(w))] == [Fraction(1, 2)]
    assert [n.freq for n in nulls(Conv(w[:1]))] == [Fraction(1, 4), Fraction(1, 2)]


def test_complex_taps_have_nulls_on_either_side() -> None:
    (null,) = nulls(StretchFilter(1, np.array([1, 1j])))  # 1 + j e^{−j2πν}
    assert null.freq == pytest.approx(-0.25)
    assert abs(response(StretchFilter(1, np.array([1, 1j])), null.freq)) < 1e-15


def test_random_taps_have_no_nulls() -> None:
    for seed in range(10):
        taps = np.random.default_rng(seed).normal(size=6)
        assert nulls(FilterInterp(2, np.append(taps, 9 + np.abs(taps).sum()))) == ()  # one tap outweighs the rest


def test_what_has_too_many_or_nothing_but_nulls_is_refused() -> None:
    with pytest.raises(NotAnalysable, match=r"got 1100 taps that no exact null accounts for; allowed: at most 1025"):
        nulls(FilterInterp(1, np.random.default_rng(0).normal(size=1100)))
    with pytest.raises(ValueError, match=r"nulls: got taps that are all zero"):
        nulls(FilterInterp(1, np.array([0, 0])))
