"""Pooling and phase shuffle: against loops, against convolutions, against enumeration of all draws."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspref import Chain, Conv, NotAnalysable, StretchFilter
from dspref.arrays import Array
from dspref.gradients.decimators import PhaseShuffle, Pool, phase_shuffle_attenuation, stage_words
from dspref.nulls import vanishes
from tests.strategies import QUIET

X = np.random.default_rng(0).integers(-9, 10, (2, 3, 23))


def exact(x: Array) -> Array:
    return np.asarray(np.frompyfunc(Fraction, 1, 1)(x), object)


@QUIET(max_examples=40)
@given(st.integers(1, 6), st.integers(1, 7), st.data())
def test_average_pooling_is_the_convolution_with_its_box(K: int, s: int, data: st.DataObject) -> None:
    pad = data.draw(st.integers(0, K // 2))
    pool = Pool("average", K, stride=s, padding=pad)
    box = np.array([[[Fraction(1, K)] * K]] * 3, object)
    assert np.array_equal(pool(exact(X)), Conv(box, stride=s, padding=pad, groups=3)(exact(X)))


@pytest.mark.parametrize(("kind", "pad"), [("max", 0), ("max", 1), ("max", 2), ("lp", 0)])
def test_other_pooling_by_a_loop(kind: str, pad: int) -> None:
    K, s = 4, 3
    y = Pool(kind, K, stride=s, padding=pad)(X)
    assert y.shape[-1] == (23 + 2 * pad - K) // s + 1
    for t in range(y.shape[-1]):
        seen = X[..., max(0, t * s - pad) : t * s - pad + K]
        expected = seen.max(axis=-1) if kind == "max" else np.sqrt((seen**2).sum(axis=-1))
        assert np.array_equal(y[..., t], expected)


@pytest.mark.parametrize(
    "stage", [Pool("average", 4, stride=1, padding=2), Pool("average", 3, stride=1), PhaseShuffle(3)]
)
def test_the_normal_form_is_the_stage_borders_included(stage: Pool | PhaseShuffle) -> None:
    assert np.array_equal(stage.normal(exact(X)), stage(exact(X)))
    assert isinstance(Chain([stage]).collapse(), StretchFilter)


def test_a_draw_moves_by_d_and_reflects() -> None:
    for d in range(-3, 4):
        y = PhaseShuffle(3).shifted(X, d)
        for t in range(23):
            source = abs(t - d) if t - d < 23 else 44 - (t - d)
            assert np.array_equal(y[..., t], X[..., source])


@pytest.mark.parametrize("n", range(6))
def test_attenuation_is_the_mean_over_draws(n: int) -> None:
    """Closed form against the sum over all shifts, and against the response of the moving average, all f = k/q.

    Each of the 2n + 1 cosines is off by two roundings at most and by the rounding of its angle, at most 2πn u.
    """
    bound = (2 + 2 * np.pi * n + 2 * n + 1) * 2.0**-52
    for q in range(1, 16):
        for k in range(q):
            A = phase_shuffle_attenuation(n, Fraction(k, q))
            assert abs(A - np.mean([np.cos(2 * np.pi * k * d / q) for d in range(-n, n + 1)])) <= bound
            u = PhaseShuffle(n).normal
            response = np.sum(u.h.astype(float) * np.exp(-2j * np.pi * k / q * (np.arange(u.h.size) - u.offset)))
            assert abs(A - response) <= bound * np.sqrt(2)


def test_attenuation_is_exactly_nothing_where_the_box_vanishes_and_nowhere_else() -> None:
    for n in range(8):
        for q in range(2, 40):
            zero = phase_shuffle_attenuation(n, Fraction(1, q)) == 0
            assert zero == vanishes(np.ones(2 * n + 1, int), q) == ((2 * n + 1) % q == 0)


def test_wavegans_shuffle_of_two() -> None:
    """At stride 4: −1/5 at k = 1 and 3, 1/5 at k = 2, and all of it at whole cycles, by hand: 1 + 2 cos + 2 cos."""
    assert [round(phase_shuffle_attenuation(2, Fraction(k, 4)) * 5, 12) for k in range(5)] == [5, -1, 1, -1, 5]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Pool("mean", 4), "kind of pooling: got 'mean'; allowed: average, max, lp"),
        (lambda: Pool("max", 0), "length of pooling: got 0"),
        (lambda: Pool("max", 3, padding=2), "padding of pooling: got 2; allowed: 0 … 1, as Torch"),
        (lambda: Pool("lp", 4, padding=1), "padding of pooling: got 1; allowed: 0 … 0"),
        (lambda: Pool("max", 3, stride=0), "stride: got 0"),
        (lambda: Pool("average", 5)(X[..., :4]), "time samples for avgpool k5 s5: got 4; allowed: at least 5"),
        (lambda: PhaseShuffle(-1), "largest shift n: got -1"),
        (lambda: PhaseShuffle(2).shifted(X, 3), "shift: got 3; allowed: -2 … 2"),
        (lambda: phase_shuffle_attenuation(-1, Fraction(1, 4)), "largest shift n: got -1"),
        (lambda: stage_words("avgpool", {"k": 2, "n": 2}), "parameter of avgpool: got 'n'; allowed: k, s, p"),
        (lambda: stage_words("phaseshuffle", {}), "phaseshuffle without n"),
        (lambda: stage_words("pool", {}), "layer: got 'pool'; allowed: avgpool, maxpool"),
    ],
)
def test_bad_input_is_refused_in_words(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError) as error:
        make()
    assert words in str(error.value)


@pytest.mark.parametrize("pool", [Pool("average", 4), Pool("max", 3, stride=1), Pool("lp", 4)])
def test_what_has_no_normal_form_says_so(pool: Pool) -> None:
    with pytest.raises(NotAnalysable, match=f"normal form: got {pool.words}; allowed: averages of stride 1"):
        _ = pool.normal
