"""The rounding bound: never too small on exact arithmetic, and tight where it can be."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given

from dspref import Chain, Conv, Linear, Nearest, NotAnalysable, Outline, Pointwise, StretchFilter, TransposedConv
from dspref.arrays import Array
from tests.strategies import KINDS, QUIET, Case, cases
from torchparity import build, roundoff
from torchparity.probe import Probe
from torchparity.roundoff import U_REF, bound, doubled, mapped

pytestmark = pytest.mark.filterwarnings(
    # Torch says that it may copy the input to pad it on one side: a matter of speed, and the stratum is meant.
    "ignore:Using padding='same' with even kernel lengths"
)

DTYPES = ["float32", "float64"]
to_fractions = np.vectorize(Fraction, otypes=[object])


def exactly(layer: Any, x: Array) -> Array:
    """Return the output in rational arithmetic, with no rounding at all."""
    return np.asarray(mapped(layer, lambda a: to_fractions(a.astype(float)))(to_fractions(x.astype(float))))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_lie_within_the_bound_of_the_exact_value(kind: str, dtype: str) -> None:
    """Rational arithmetic is the judge: Torch and the double-precision reference each keep their own share."""
    rng = np.random.default_rng(1)

    @QUIET(max_examples=40)
    @given(cases(kind))
    def each(case: Case) -> None:
        case = case.filled(lambda shape: (rng.standard_normal(shape) * 2.0 ** rng.integers(-9, 9, shape)).astype(dtype))
        if case.x.size == 0:
            return  # nothing is rounded, and Torch refuses length 0
        layer, x = case.layer, case.x.reshape(-1, *case.x.shape[-2:])
        exact = exactly(layer, x)
        with torch.no_grad():
            y = build(layer)(torch.from_numpy(x)).numpy()
        limit = to_fractions(roundoff(layer, x, dtype))
        assert (np.abs(to_fractions(y.astype(float)) - exact) <= limit).all()
        reference = to_fractions(doubled(layer)(x.astype(float)))
        assert (np.abs(reference - exact) <= to_fractions(roundoff(layer, x, "float64"))).all()

    each()


def test_the_bound_counts_terms_and_sums_magnitudes() -> None:
    layer = TransposedConv(np.array([[[2.0, -1.0, 0.5]]]), stride=2, bias=np.array([-3.0]))
    E = roundoff(layer, [[1.0, -1.0]], "float32")
    n, S = np.array([[2, 2, 3, 2, 2]]), np.array([[5, 4, 0.5 + 2 + 3, 4, 3.5]])
    np.testing.assert_allclose(E, n * S * (2.0**-24 + U_REF) + n * 2.0**-150, rtol=1e-14)


def test_doubles_share_the_bound_between_torch_and_the_reference() -> None:
    E = roundoff(Conv(np.ones((1, 1, 1))), [[1.0]], "float64")
    np.testing.assert_allclose(E, [[2 * 2.0**-53]], rtol=1e-14)


def test_products_may_underflow() -> None:
    tiny = float(np.finfo("float32").smallest_subnormal)
    x, w = np.full((1, 3), tiny, "float32"), np.full((1, 1, 3), 0.5, "float32")
    error = 3 * tiny / 2 - float((x * w[0]).sum())
    assert error == 3 * tiny / 2
    assert (roundoff(Conv(w), x, "float32") >= error).all()


def test_the_bound_is_no_smaller_for_being_computed_in_doubles() -> None:
    rng = np.random.default_rng(4)
    w, x = rng.standard_normal((1, 1, 5)), rng.standard_normal((1, 400))
    S = exactly(Conv(np.abs(w)), np.abs(x))
    u, tiny = Fraction(2) ** -53, Fraction(2) ** -1074
    assert (to_fractions(roundoff(Conv(w), x, "float64")) >= 5 * (u + u) * S + 5 * tiny / 2).all()


def test_the_slope_of_a_leaky_rectifier_is_rounded() -> None:
    E = roundoff(Pointwise("leaky", (0.1,)), [[-1.0, 1.0]], "float32")
    np.testing.assert_allclose(E, [[0.3 * 2.0**-24, 0]], rtol=1e-12)


def test_errors_grow_with_a_steep_slope() -> None:
    conv, x = Conv(np.full((1, 1, 1), 0.5)), [[-1.0]]
    steep, flat = (Chain([conv, Pointwise("leaky", (slope,))]) for slope in (3.0, 0.25))
    before, u = roundoff(conv, x, "float32"), 2.0**-24
    np.testing.assert_allclose(roundoff(steep, x, "float32"), 3 * before + 3 * u * 1.5, rtol=1e-6)
    np.testing.assert_allclose(roundoff(flat, x, "float32"), before + 3 * u * 0.125, rtol=1e-6)


def test_errors_handed_on_are_rounded_again() -> None:
    first, then, x = Conv(np.full((1, 1, 2), 0.3)), Conv(np.full((1, 1, 3), 0.7), bias=np.ones(1)), np.ones((1, 9))
    handed, unbiased = roundoff(first, x, "float32"), Conv(then.weight)
    expected = roundoff(then, first(x), "float32") + unbiased(handed) + roundoff(unbiased, handed, "float32")
    np.testing.assert_allclose(roundoff(Chain([first, then]), x, "float32"), expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_copies_have_no_error_at_all(dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 20))
    assert not roundoff(Nearest(4), x, dtype).any()
    assert not roundoff(Pointwise("relu"), x, dtype).any()
    assert not roundoff(Chain([Nearest(2), Pointwise("relu"), Nearest(3)]), x, dtype).any()


@pytest.mark.parametrize("factor", [2, 3, 5, 7, 10])
@pytest.mark.parametrize("align_corners", [False, True])
def test_positions_of_linear_interpolation_are_bounded_far_out(factor: int, align_corners: bool) -> None:
    """Errors of positions grow with the place: after 200 000 samples they are thousands of roundings."""
    layer = Linear(factor, align_corners=align_corners)
    x = np.random.default_rng(factor).standard_normal((1, 1, 200_000)).astype("float32")
    with torch.no_grad():
        y = build(layer)(torch.from_numpy(x)).numpy()
    error = np.abs(y - layer(x.astype(float)))
    assert (error <= roundoff(layer, x, "float32")).all()
    if factor % 2 and not align_corners:
        without_positions = 3 * 2.0**-24 * layer(np.abs(x.astype(float)))
        assert (error > 100 * without_positions).any()


def test_positions_are_off_by_at_most_3_roundings() -> None:
    """The proof says 3u(src + 1); some position comes near 2."""
    u, worst = 2.0**-24, 0.0
    for factor in range(3, 60):
        m = np.arange(2000 * factor)
        scale = np.float32(1) / np.float32(factor)
        src = scale * (m.astype(np.float32) + np.float32(0.5)) - np.float32(0.5)
        error = np.abs(src.astype(float) - ((m + 0.5) / factor - 0.5))
        worst = max(worst, float((error / (u * (np.maximum((m + 0.5) / factor - 0.5, 0) + 1))).max()))
    assert 1.8 < worst <= 3


def test_bounds_of_a_chain_hold_for_the_whole() -> None:
    rng = np.random.default_rng(2)
    up, conv = rng.standard_normal((2, 3, 8)), rng.standard_normal((4, 3, 5))
    layers: list[Any] = [
        TransposedConv(up, stride=4, bias=np.arange(3.0)),
        Pointwise("leaky", (0.2,)),
        Conv(conv, padding=2),
    ]
    chain = mapped(Chain(layers), lambda a: a.astype("float32"))
    x = rng.standard_normal((3, 2, 50)).astype("float32")
    with torch.no_grad():
        y = build(chain)(torch.from_numpy(x)).numpy()
    limit = bound(chain, x, "float32")
    ratios = np.abs(y - doubled(chain)(x.astype(float))) / limit.E
    assert 0.001 < ratios.max() <= 1
    alone = bound(chain.stages[2], doubled(Chain(chain.stages[:2]))(x.astype(float)), "float32")
    assert (limit.E > alone.E).all()


def test_a_probe_is_bounded_as_its_filter_is() -> None:
    u, x = StretchFilter(2, np.array([[[1.0, 0.5]]])), [[1.0, 2.0]]
    assert np.array_equal(roundoff(Probe(u, None, "float32"), x, "float32"), roundoff(u, x, "float32"))
    with_bias = roundoff(Probe(u, np.array([[1.0]]), "float32"), x, "float32")
    assert (with_bias > roundoff(u, x, "float32")).all()


@pytest.mark.parametrize(
    ("layer", "dtype", "words"),
    [
        (Pointwise("tanh"), "float32", "rounding bound: got tanh; allowed: relu, leaky"),
        (Outline("conv", 3), "float32", "conv without weights"),
        (Nearest(2), "int8", "dtype: got int8; allowed: float64, float32, bfloat16, float16, tf32"),
        (Chain([Conv(np.full((1, 1, 1), 0.1)), Linear(2)]), "float32", "linear behind a layer that rounds"),
    ],
)
def test_what_no_one_bounds_is_refused_in_words(layer: Any, dtype: str, words: str) -> None:
    with pytest.raises(NotAnalysable, match=words):
        roundoff(layer, [[1.0, 2.0]], dtype)


def test_complex_input_is_refused() -> None:
    with pytest.raises(TypeError, match="input: got dtype complex128; allowed: real numbers"):
        roundoff(Nearest(2), [[1j]], "float32")
