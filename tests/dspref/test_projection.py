"""The nearest tone-free taps: the orthogonal projection, by linear algebra."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import NotAnalysable
from dspref.designs.projection import _equal_moments, longest_order, projector, tone_free
from tests.strategies import QUIET

TAPS = st.lists(st.fractions(-9, 9, max_denominator=9), min_size=1, max_size=14)


@QUIET(max_examples=40)
@given(TAPS, st.integers(2, 5), st.booleans())
def test_tone_free_is_the_orthogonal_projection(taps: list[Fraction], s: int, keep_gain: bool) -> None:
    """By linear algebra: gains are equal, and the change is orthogonal to every change that keeps them so.

    Those changes are spanned by differences within a phase, and by one more tap of every phase; to keep the gain,
    that last direction is not free.
    """
    if len(taps) < s:
        with pytest.raises(NotAnalysable, match=f"tone-free taps: got {len(taps)} taps for factor {s}"):
            tone_free(np.array(taps), s)
        return
    h = np.array(taps, object)
    cured = tone_free(h, s, keep_gain=keep_gain)
    gains = [cured[r::s].sum() for r in range(s)]
    assert len(set(gains)) == 1
    assert all(isinstance(v, Fraction) for v in cured)
    change = cured - h
    within = [change[r::s][i] - change[r::s][0] for r in range(s) for i in range(len(change[r::s]))]
    assert not any(within)
    assert (change.sum() if keep_gain else sum(change[:s])) == 0
    assert (tone_free(cured, s, keep_gain=keep_gain) == cured).all()


@pytest.mark.parametrize("keep_gain", [False, True])
@pytest.mark.parametrize(("K", "s"), [(9, 3), (10, 3), (7, 2), (16, 5)])
def test_tone_free_is_what_a_pseudo_inverse_gives(K: int, s: int, keep_gain: bool) -> None:
    h = np.random.default_rng(K).normal(size=(2, 3, K))
    phases = np.array([[float(n % s == r) for n in range(K)] for r in range(s)])
    B = phases[1:] - phases[:1]
    if not keep_gain:
        expected = h - h @ (np.linalg.pinv(B) @ B).T
    else:  # the gain less its mean, spread within each phase
        expected = h - (h @ phases.T - h.sum(-1, keepdims=True) / s) / phases.sum(-1) @ phases
    assert np.abs(tone_free(h, s, keep_gain=keep_gain) - expected).max() <= 64 * K * 2.0**-53 * np.abs(h).max()


@pytest.mark.parametrize(("K", "s", "p"), [(4, 2, 2), (7, 3, 2), (7, 2, 4), (16, 8, 2)])
def test_higher_orders_are_the_nearest_with_equal_moments(K: int, s: int, p: int) -> None:
    """Moments are equal, and the change is orthogonal to multiples of the box; with the gain kept, to differences."""
    h = np.array([Fraction(int(v), 3) for v in np.random.default_rng(K).integers(-9, 10, K)], object)
    box = np.array([1], object)
    for _ in range(p):
        box = np.convolve(box, np.full(s, 1, object))
    free = [np.concatenate([[0] * i, box, [0] * (K - len(box) - i)]) for i in range(K - len(box) + 1)]
    for keep_gain in (False, True):
        cured = tone_free(h, s, order=p, keep_gain=keep_gain)
        for j in range(p):
            moments = [sum(cured[n] * Fraction(n) ** j for n in range(r, K, s)) for r in range(s)]
            assert len(set(moments)) == 1
        change = cured - h
        assert sum(change) == 0 or not keep_gain
        directions = [a - b for a, b in pairwise(free)] if keep_gain else free  # all multiples have one sum
        assert [change @ direction for direction in directions] == [0] * len(directions)
        floats = tone_free(h.astype(float), s, order=p, keep_gain=keep_gain)
        assert np.abs(floats - cured.astype(float)).max() <= 16 * K * 2.0**-53 * float(np.abs(h).sum())
    assert tone_free(np.stack([h, h]).astype(np.float32), s, order=p).dtype == np.float32


@pytest.mark.parametrize(("K", "s", "p"), [(8, 8, 2), (14, 8, 2), (3, 2, 3)])
def test_orders_that_taps_have_no_room_for_are_refused(K: int, s: int, p: int) -> None:
    words = f"order: got {p} with {K} taps of factor {s}; allowed: at most {longest_order(K, s)}"
    with pytest.raises(NotAnalysable, match=words):
        tone_free(np.ones(K), s, order=p)
    with pytest.raises(ValueError, match="order: got 0"):
        tone_free(np.ones(K), s, order=0)


def test_tone_free_keeps_symmetry_dtype_and_symbols() -> None:
    h = [4066, 6261, 8133, 9391, 9834, 9391, 8133, 6261, 4066]
    cured = tone_free(h, 3)
    assert (cured == cured[::-1]).all()
    assert cured.sum() == sum(h)  # 3 divides 9: the mean gain stays
    assert tone_free(np.ones(5, np.float32), 2).dtype == np.float32
    a, b, c = sympy.symbols("a b c")
    gains = [tone_free([a, b, c], 2)[r::2].sum() for r in (0, 1)]
    assert sympy.simplify(gains[0] - gains[1]) == 0
    with pytest.raises(ValueError, match="factor: got 1; allowed: an integer >= 2"):
        tone_free(h, 1)
    with pytest.raises(ValueError, match=r"taps: got shape \(0,\)"):
        tone_free([], 2)


def test_taps_of_mixed_type_are_refused() -> None:
    with pytest.raises(TypeError, match="taps: got floats among exact numbers"):
        tone_free(np.array([1, 0.5, Fraction(1, 3)], object), 2)


@pytest.mark.parametrize(("K", "s"), [(2, 2), (3, 2), (8, 8), (16, 8), (23, 7), (31, 8)])
def test_the_closed_form_of_order_1_is_what_the_equations_give(K: int, s: int) -> None:
    P, M = projector(K, s), _equal_moments(K, s, 1)
    assert (P == M).all()
    assert {type(v) for v in P.flat} == {Fraction}


def test_kernels_as_long_as_they_are_published_take_no_minutes() -> None:
    """WaveGlow's 1024 taps of factor 256, of which no product of matrices of Fractions could be made here."""
    K, s = 1024, 256
    P = projector(K, s)
    assert P.trace() == K - s + 1
    h = np.zeros(K, object)
    h[[0, 5, 300]] = 1, -7, 2
    near = h[[0, 5, 300]] @ P[[0, 5, 300]]
    assert len({near[r::s].sum() for r in range(s)}) == 1
    assert (near == tone_free(h, s)).all()
