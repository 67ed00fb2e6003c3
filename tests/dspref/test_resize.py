"""Interpolation to any length, against its definition written as a dense matrix of Fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

from dspref import Chain, Interpolate, Linear, Nearest, NotAnalysable, adjoint
from dspref.arrays import Array
from dspref.interpolate import keys
from dspref.resize import EXACT, MODES, grid_of, resize, resize_adjoint, taps
from tests.strategies import QUIET

TYPICAL: list[Any] = [
    1,
    2,
    3,
    0.5,
    0.25,
    1.5,
    1.1,
    1.05,
    2.05,
    120 / 88,
    Fraction(15, 11),
    Fraction(2, 7),
    "4/3",
    "0.7",
]


@st.composite
def layers(draw: st.DrawFn) -> Interpolate:
    """Draw an interpolation: typical and arbitrary scales, sizes, and every flag that its mode allows."""
    mode = draw(st.sampled_from(MODES))
    corners = draw(st.booleans()) and not mode.startswith("nearest")
    if draw(st.booleans()):
        return Interpolate(mode, size=draw(st.integers(1, 40)), align_corners=corners)
    scale = draw(st.sampled_from(TYPICAL) | st.floats(0.2, 4) | st.fractions(Fraction(1, 5), 4, max_denominator=40))
    return Interpolate(mode, scale_factor=scale, recompute_scale_factor=draw(st.booleans()), align_corners=corners)


def position(layer: Interpolate, time: int, length: int, m: int) -> Fraction:
    """Return where output m stands, as Torch documents it."""
    if layer.align_corners:
        return Fraction(m * (time - 1), length - 1) if length > 1 else Fraction(0)
    given = layer.scale is not None and not layer.recompute_scale_factor
    r = 1 / Fraction(layer.scale or 1) if given else Fraction(time, length)
    if layer.mode.startswith("nearest"):
        return r * m if layer.mode == "nearest" else r * (m + Fraction(1, 2))
    if layer.mode == "linear":
        return Fraction(m) if time == length else max(r * (m + Fraction(1, 2)) - Fraction(1, 2), Fraction(0))
    return r * (m + Fraction(1, 2)) - Fraction(1, 2)


KERNELS: dict[str, Callable[[Fraction], Any]] = {
    "nearest": lambda t: int(0 <= t < 1),
    "nearest-exact": lambda t: int(0 <= t < 1),
    "linear": lambda t: max(1 - abs(t), Fraction(0)),
    "cubic": keys,
}
"""What sample n gives to a position p is ``kernel(p − n)``; samples beyond an end are the end's."""


def matrix(layer: Interpolate, time: int) -> Array:
    """Return the interpolation entry by entry: every sample, and eight beyond either end, through the kernel."""
    length = layer.out_length(time)
    A = np.full((length, time), Fraction(0), object)
    for m in range(length):
        p = position(layer, time, length, m)
        for n in range(-8, time + 8):
            A[m, min(max(n, 0), time - 1)] += KERNELS[layer.mode](p - n)
    return A


def fractions(rng: np.random.Generator, *shape: int) -> Array:
    return np.asarray(rng.integers(-20, 21, shape).astype(object) * Fraction(1, 7))


@QUIET(max_examples=600)
@given(layers(), st.integers(1, 24), st.integers(0, 999))
def test_interpolation_is_its_matrix_and_the_adjoint_its_transpose(layer: Interpolate, time: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    assume(layer.scale is None or time * layer.scale >= 1)
    A = matrix(layer, time)
    x, g = fractions(rng, 2, time), fractions(rng, 2, len(A))
    assert (layer(x) == x @ A.T).all()
    back = np.asarray(adjoint(layer, x, g).input)
    assert (back == g @ A).all()
    assert (g * layer(x)).sum() == (back * x).sum()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("L", range(1, 8))
def test_integer_factors_are_a_stretch_and_a_filter(mode: str, L: int) -> None:
    """For all numbers at once, in symbols; nearest and linear are the layers that they have been."""
    layer = Interpolate(mode, scale_factor=L)
    assert layer.factor == L
    assert layer.length == layer.normal.h.size
    for time in (1, 2, 3, 6):
        x = np.array([[sympy.Symbol(f"x{n}") for n in range(time)]], object)
        y = layer(x)
        assert all(sympy.expand(d) == 0 for d in (y - layer.normal(x)).flat)
        known: Any = {"linear": Linear(L), "cubic": layer}.get(mode, Nearest(L))
        assert all(sympy.expand(d) == 0 for d in (y - known(x)).flat)


def test_what_has_no_normal_form_says_why() -> None:
    cases = {
        "factor 3/2; allowed: an integer factor": Interpolate("cubic", scale_factor="3/2"),
        "factor 1/2": Interpolate("nearest", scale_factor=0.5),
        "align_corners=True": Interpolate("linear", scale_factor=2, align_corners=True),
        "factor: got size=3; allowed: a scale_factor": Interpolate("linear", size=3),
    }
    for words, layer in cases.items():
        with pytest.raises(NotAnalysable, match=words):
            _ = layer.normal
        assert layer.length == {"nearest": 1, "linear": 2, "cubic": 4}[layer.mode]
        with pytest.raises(NotAnalysable):
            _ = Chain([layer]).factor


@pytest.mark.parametrize(("mode", "count"), [("linear", 2), ("cubic", 4)])
@pytest.mark.parametrize("scale", [Fraction(7, 3), Fraction(1.1), Fraction(113, 1009)])
def test_weights_are_rationals_rounded_once(mode: str, count: int, scale: Fraction) -> None:
    """By integers of 64 bits, and by those of Python where they are too large."""
    time = 40
    exact = taps(mode, time, grid_of(mode, time, int(time * scale), scale=scale))
    rounded = exact.weights(np.ones(1))
    assert rounded.shape == (count, int(time * scale))
    assert exact.over.dtype == (object if 16 * exact.by > EXACT or exact.by > EXACT else np.int64)
    for over, w in zip(exact.over.flat, rounded.flat, strict=True):
        assert w == float(Fraction(int(over), exact.by))
    assert (exact.over.sum(axis=0) == exact.by).all()


def test_length_is_the_floor_of_a_product_as_torch_rounds_it() -> None:
    """Numbers that are doubles are multiplied as doubles, others exactly."""
    lengths: dict[Any, int] = {0.3: 3, "0.3": 3, 1.1: 11, 0.29: 2, "3/10": 3, Fraction(299, 1000): 2}
    for scale, length in lengths.items():
        assert Interpolate("nearest", scale_factor=scale).out_length(10) == length
    assert math.floor(10 * Fraction(0.3)) == 2
    assert Interpolate("nearest", scale_factor=120 / 88).out_length(88) == math.floor(88 * (120 / 88)) == 119
    assert Interpolate("nearest", scale_factor="120/88").out_length(88) == 120


def test_the_length_alone_places_outputs_if_it_is_said_to() -> None:
    x = np.arange(10.0)[None]
    by_scale = Interpolate("linear", scale_factor=1.55)
    by_length = Interpolate("linear", scale_factor=1.55, recompute_scale_factor=True)
    assert (by_length(x) == Interpolate("linear", size=15)(x)).all()
    assert (by_scale(x) != by_length(x)).any()
    assert (Interpolate("linear", scale_factor=1.05)(x) == x).all()
    assert (Interpolate("cubic", scale_factor=1.05)(x) != x).any()


def test_the_ends_are_the_ends_with_corners_aligned() -> None:
    x = np.array([[5.0, 1.0, 2.0, 9.0]])
    for mode in ("linear", "cubic"):
        y = Interpolate(mode, size=11, align_corners=True)(x)
        assert (y[0, 0], y[0, -1]) == (5, 9)
        assert (Interpolate(mode, size=1, align_corners=True)(x) == [[5]]).all()


@pytest.mark.parametrize("mode", MODES)
def test_dtypes_shapes_and_inputs_are_kept(mode: str) -> None:
    layer = Interpolate(mode, scale_factor="3/2")
    for dtype in (np.float32, np.float64, np.complex64, object):
        x = np.ones((2, 3, 4), dtype)
        y = layer(x)
        assert (y.shape, y.dtype) == ((2, 3, 6), np.dtype(dtype))
        y[...] = -1
        assert (x == 1).all()
    assert layer(np.ones((1, 4), int)).dtype == (int if mode.startswith("nearest") else float)
    assert layer(np.ones((2, 0, 4))).shape == (2, 0, 6)
    assert layer(np.ones((1, 0))).shape == (1, 0)
    assert resize_adjoint(np.ones((2, 0)), mode, 0).shape == (2, 0)


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"mode": "bicubic", "size": 3}, ValueError, "mode: got 'bicubic'.*did you mean 'cubic'"),
    ({"mode": "linear"}, ValueError, "one of scale_factor and size"),
    ({"mode": "linear", "size": 3, "scale_factor": 2}, ValueError, "one of scale_factor and size"),
    ({"mode": "linear", "size": 0}, ValueError, "size: got 0"),
    ({"mode": "linear", "size": 3, "recompute_scale_factor": True}, ValueError, "True with scale_factor only"),
    ({"mode": "nearest", "size": 3, "align_corners": True}, ValueError, "True for linear and cubic only"),
    ({"mode": "linear", "scale_factor": 0}, ValueError, "scale_factor: got 0; allowed: a positive number"),
    ({"mode": "linear", "scale_factor": float("inf")}, ValueError, "scale_factor: got inf"),
    ({"mode": "linear", "scale_factor": True}, ValueError, "scale_factor: got True"),
    ({"mode": "linear", "scale_factor": 1e9}, ValueError, "up to 2\\^20"),
    ({"mode": "linear", "scale_factor": "two"}, ValueError, "scale_factor: got 'two'"),
    ({"mode": "linear", "scale_factor": [2]}, TypeError, "scale_factor: got \\[2\\]"),
]


@pytest.mark.parametrize(("fields", "kind", "words"), BAD)
def test_what_makes_no_sense_is_refused_in_words(fields: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        Interpolate(**fields)


def test_outputs_of_nothing_and_from_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="output length for 3 input samples: got 0"):
        Interpolate("linear", scale_factor=0.25)(np.ones((1, 3)))
    with pytest.raises(ValueError, match="input samples for an output of 3: got 0"):
        Interpolate("linear", size=3)(np.ones((1, 0)))
    with pytest.raises(ValueError, match="mode: got 'area'"):
        resize(np.ones(3), "area", 2)


def test_keys_kernel_is_one_at_zero_and_zero_at_every_other_integer() -> None:
    assert [keys(Fraction(t)) for t in range(-3, 4)] == [0, 0, 0, 1, 0, 0, 0]
    t = sympy.Rational(1, 3)
    assert sum(keys(Fraction(1, 3) + n) for n in range(-3, 3)) == 1
    assert keys(Fraction(1, 3)) == sympy.Rational(5, 4) * t**3 - sympy.Rational(9, 4) * t**2 + 1
