"""Wavelets: reconstruction and normal forms by equality, and the line at Nyquist in closed form."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import Chain, Conv, NotAnalysable, tone_lines
from dspref.arrays import Array
from dspref.documents import predict_document
from dspref.heads import lifting
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis
from dspref.spec import parse, spec
from tests.strategies import QUIET

LiftingSynthesis: Any = lifting.LiftingSynthesis
HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)

EXACT: dict[str, Any] = {
    "lazy": LazySynthesis(2),
    "haar": HaarSynthesis(2, scale=HALF),
    "haar, integers": HaarSynthesis(2, scale=1),
    "haar, symbols": HaarSynthesis(2, scale=1 / sympy.sqrt(2)),
    "5/3": LiftingSynthesis(2, [HALF, HALF], [QUARTER, QUARTER]),
    "integers": LiftingSynthesis(2, [1, -2, 3], [4, -1], scales=[1, -1]),
    "scaled": LiftingSynthesis(2, [HALF], [1, HALF, 2, 3], scales=[3, QUARTER]),
    "no filters": LiftingSynthesis(2, [0], [0]),
}


def nyquist(layer: Any, mean: list[Any]) -> Any:
    """Return c at Nyquist, exactly: half the difference of the two phases."""
    even, odd = Chain([layer]).offset_response(np.array(mean, object))[0]
    return sympy.nsimplify(sympy.simplify((even - odd) * sympy.Rational(1, 2)))


@pytest.mark.parametrize("name", EXACT)
def test_reconstruction_is_perfect_both_ways(name: str) -> None:
    layer, rng = EXACT[name], np.random.default_rng(0)
    for time in (1, 2, 5):
        y = rng.integers(-9, 10, (2, 2, 2 * time)).astype(object)
        assert not (layer(layer.analyse(y)) - y).any()
        x = rng.integers(-9, 10, (4, time)).astype(object)
        assert not (layer.analyse(layer(x)) - x).any()


@pytest.mark.parametrize("name", EXACT)
def test_the_layer_is_its_normal_form(name: str) -> None:
    """Everywhere, but for lifting, whose steps meet zeros at the ends: there in the steady state."""
    layer = EXACT[name]
    x = np.random.default_rng(1).integers(-9, 10, (3, 4, 15)).astype(object)
    y, u = layer(x), layer.normal
    assert y.shape == (3, 2, 30)
    steady = u.steady(15) if layer.op == "lifting" else slice(None)
    assert not (y - u(x))[..., steady].any()
    A = u.as_matrix(15)
    assert not ((A @ x[0].ravel()).reshape(2, 30) - y[0])[:, steady].any()


TAPS = st.lists(st.integers(-5, 5), min_size=1, max_size=5)


@QUIET(max_examples=40)
@given(TAPS, TAPS, st.sampled_from([[1, 1], [-1, 1], [1, -1]]), st.integers(1, 12))
def test_whatever_the_filters_are_lifting_is_undone(p: list[int], u: list[int], scales: list[int], time: int) -> None:
    layer = LiftingSynthesis(1, p, u, scales=scales)
    x = np.random.default_rng(time).integers(-9, 10, (2, 2, time))
    y = layer(x)
    assert y.dtype == np.int64
    assert (layer.analyse(y) == x).all()
    steady = layer.normal.steady(time)
    assert (y == layer.normal(x))[..., steady].all()


def test_wavelets_are_lifted() -> None:
    x = np.random.default_rng(0).integers(-9, 10, (4, 6)).astype(object)
    assert (EXACT["no filters"](x) == LazySynthesis(2)(x)).all()
    root = sympy.sqrt(2)
    lifted = LiftingSynthesis(2, [1], [sympy.Rational(1, 2)], scales=[root, -1 / root])
    assert not np.vectorize(sympy.simplify)(lifted(x) - EXACT["haar, symbols"](x)).any()
    h = lifted.normal.h
    assert not np.vectorize(sympy.simplify)(h[..., :2] - EXACT["haar, symbols"].normal.h).any()
    assert not h[..., 2:].any()


def test_haar_analysis_is_a_strided_convolution() -> None:
    y = np.random.default_rng(0).integers(-9, 10, (1, 12))
    pair = Conv(np.array([[[1, 1]], [[1, -1]]]), stride=2)
    assert (HaarSynthesis(1, scale=HALF).analyse(y) == pair(y)).all()
    floats = HaarSynthesis(1).analyse(y.astype(float))
    assert abs((floats**2).sum() - (y**2).sum()) <= 20 * 2.0**-53 * (y**2).sum(), "1/√2 keeps the power"


def test_the_line_at_nyquist_in_closed_form() -> None:
    """The follow-up's wavelets: lazy (μ_a − μ_d)/2, Haar μ_d/√2; of lifting that predicts constants, −μ_d/(2κ_d)."""
    a, d, κ = sympy.symbols("a d kappa")
    assert nyquist(LazySynthesis(1), [a, d]) == (a - d) / 2
    assert nyquist(HaarSynthesis(1, scale=1 / sympy.sqrt(2)), [a, d]) == d / sympy.sqrt(2)
    p0, p1, u0 = sympy.symbols("p0 p1 u0")
    predicts = LiftingSynthesis(1, [p0, 1 - p0], [u0], scales=[1, κ])
    assert sympy.simplify(nyquist(predicts, [a, d]) + d / (2 * κ)) == 0
    general = LiftingSynthesis(1, [p0, p1], [u0], scales=[1, κ])
    due = ((1 - p0 - p1) * (a - u0 * d / κ) - d / κ) / 2
    assert sympy.simplify(nyquist(general, [a, d]) - due) == 0


@pytest.mark.parametrize("name", ["lazy", "haar", "5/3", "integers"])
def test_lines_are_those_that_are_measured(name: str) -> None:
    """Two routes to c at Nyquist: from the normal form, and from the layer's own steady output."""
    layer, mean = EXACT[name], np.array([3, -1, 2, 5])
    y = layer(np.repeat(mean[:, None], 24, axis=1))[:, 24:26]
    measured = np.array([(even - odd) * HALF for even, odd in y])
    line = tone_lines(Chain([layer]), offset=mean)[1]
    assert line.freq == HALF
    assert line.amplitude is not None
    assert (line.amplitude == measured.astype(complex)).all()


def test_nulls_are_claimed_where_they_are_proved() -> None:
    """The same offset in approximation and detail: e = 1 − ΣU, o = 1 + eΣP. Minus ten tenths are not −1 in floats."""

    def null(layer: Any) -> bool:
        return bool(predict_document(Chain([layer]), 2)["lines"][1].get("null", False))

    assert null(LazySynthesis(1))
    assert not null(HaarSynthesis(1, scale=HALF))
    assert null(LiftingSynthesis(1, [-0.25] * 4, [0.5]))
    assert not null(LiftingSynthesis(1, [-0.1] * 10, [0.5]))
    assert not null(HaarSynthesis(1))


def test_numbers_keep_their_arithmetic() -> None:
    x = np.ones((2, 3), np.float32)
    for layer in (
        LazySynthesis(1),
        HaarSynthesis(1),
        HaarSynthesis(1, scale=HALF),
        LiftingSynthesis(1, [HALF], [HALF]),
    ):
        assert layer(x).dtype == np.float32
        assert layer.analyse(layer(x)).dtype == np.float32
    assert LiftingSynthesis(1, [1], [2])(x.astype(int)).dtype == np.int64
    assert LazySynthesis(1)(np.ones((2, 2, 0))).shape == (2, 1, 0)
    assert LiftingSynthesis(1, [1], [2])(np.ones((2, 0), int)).shape == (1, 0)


@pytest.mark.parametrize(
    ("layer", "words"), [(EXACT["lazy"], "lazy"), (EXACT["haar"], "haar"), (EXACT["5/3"], "lifting k8")]
)
def test_wavelets_have_words(layer: Any, words: str) -> None:
    assert spec(Chain([layer])) == words
    assert spec(parse(words)) == words
    outline = parse(words).stages[0]
    assert (outline.op, outline.length, outline.factor) == (layer.op, layer.length, 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LazySynthesis(0), "channels: got 0"),
        (lambda: LazySynthesis(1)(np.ones((3, 4))), "input channels: got 3; allowed: 2"),
        (lambda: LazySynthesis(1).analyse(np.ones((1, 3))), "time samples: got 3; allowed: a multiple of 2"),
        (lambda: HaarSynthesis(1, scale=0), "scale: got 0; allowed: a number other than 0"),
        (lambda: HaarSynthesis(1, scale=[1, 2]), "scale: got"),
        (lambda: LiftingSynthesis(1, [], [1]), "predict: got shape"),
        (lambda: LiftingSynthesis(1, [1], [1], scales=[1, 0]), r"scales: got \[1, 0\]; allowed: two numbers"),
        (lambda: LiftingSynthesis(1, [1], [1], scales=[1]), "scales: got"),
    ],
)
def test_bad_input_is_refused(make: Any, words: str) -> None:
    with pytest.raises((ValueError, NotAnalysable), match=words):
        make()


def test_channels_meet() -> None:
    """Approximations come first: channel c and channel C + c make channel c."""
    x: Array = np.array([[1], [2], [10], [20]])
    assert (LazySynthesis(2)(x) == [[1, 10], [2, 20]]).all()
    assert (HaarSynthesis(2, scale=1)(x) == [[11, -9], [22, -18]]).all()
