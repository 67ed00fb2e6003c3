"""Designs: each layer equals what it is by definition, and makes no tone where it is said to make none."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    SubpixelConv,
    convolve,
    extend,
    stretch,
    tone_lines,
)
from dspref.arrays import BORDERS, Array
from dspref.designs import (
    BorderInterp,
    Cubic,
    KaiserSinc,
    LearnedLinear,
    WindowedSinc,
    icnr,
    kaiser_sinc,
)
from dspref.designs.windows import kaiser_attenuation, kaiser_beta
from dspref.interpolate import keys
from dspref.layers import Layer
from tests.strategies import QUIET

RATIOS = range(2, 11)


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_kaiser_sinc_filter_is_firwins(ratio: int) -> None:
    """SciPy's firwin with the same β is the same filter: even length, sum 1."""
    f = kaiser_sinc(ratio)
    beta = kaiser_beta(kaiser_attenuation(3 * ratio, 2.4 / ratio))
    scipys = signal.firwin(6 * ratio, 1 / ratio, window=("kaiser", beta))
    assert f.size == 6 * ratio
    assert np.abs(f - scipys).max() <= 16 * 5.8e-16 * f.max()  # 5.8e-16: NumPy's documentation of I₀
    assert (f == f[::-1]).all()


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("time", [1, 2, 7])
def test_kaiser_sinc_is_pad_transpose_and_crop(ratio: int, time: int) -> None:
    """The module's own steps, on integers in place of the filter: every sample equal."""
    rng = np.random.default_rng(ratio)
    layer = KaiserSinc(ratio)
    K, pad = layer.length, layer.length // ratio - 1
    h, x = rng.integers(-9, 9, K), rng.integers(-9, 9, (2, time))
    full = convolve(stretch(extend(x, pad, pad, border="replicate"), ratio), h)
    first = pad * ratio + (K - ratio) // 2
    steps = full[..., first : first + ratio * time]
    ours = BorderInterp(ratio, h, offset=layer.offset, border=layer.border)
    assert (ours(x) == steps).all()
    assert (ours.normal(x) == steps).all()


@pytest.mark.parametrize("K", [4, 6, 10, 16])
def test_kaiser_sinc_of_other_lengths(K: int) -> None:
    """Down to twice the ratio, padding by ⌊K/ratio⌋ − 1 reaches as far as the taps."""
    layer = KaiserSinc(2, taps=K)
    left, right = (K - 1 - layer.offset) // 2, (1 + layer.offset) // 2
    assert max(left, right) <= K // 2 - 1
    assert layer.length == K
    with pytest.raises(ValueError, match="taps: got 2; allowed: an even number >= 4"):
        KaiserSinc(2, taps=2)
    with pytest.raises(ValueError, match="taps: got 7; allowed: an even number"):
        kaiser_sinc(2, taps=7)


@QUIET(max_examples=40)
@given(st.data())
def test_border_interpolation_is_its_normal_form_and_its_matrix(data: st.DataObject) -> None:
    L, K, time = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 9)), data.draw(st.integers(6, 9))
    layer = BorderInterp(
        L,
        np.array(data.draw(st.lists(st.integers(-9, 9), min_size=K, max_size=K))),
        offset=data.draw(st.integers(-4, 8)),
        border=data.draw(st.sampled_from(BORDERS)),
    )
    x = np.arange(1, time + 1)[None] ** 2
    assert layer(x).shape == (1, L * time)
    assert (layer(x) == layer.normal(x)).all()
    assert (layer(x)[0] == layer.normal.as_matrix(time) @ x[0]).all()


def test_border_interpolation_with_zeros_is_filter_interpolation() -> None:
    x, h = np.arange(12).reshape(2, 6), np.arange(1, 19).reshape(3, 2, 3)
    layer = BorderInterp(2, h, offset=1, border="zeros")
    assert (layer(x) == FilterInterp(2, h, offset=1)(x)).all()
    assert (layer.in_channels, layer.out_channels, layer.length) == (2, 3, 3)
    assert isinstance(layer, Layer)
    assert layer(np.ones((2, 0))).shape == (3, 0)


@pytest.mark.parametrize("ratio", RATIOS)
def test_kaiser_sinc_has_an_exact_null_at_half_the_rate(ratio: int) -> None:
    """Even and symmetric taps cancel in pairs at ν = 1/2: no tone at ratio 2, and one line fewer at even ratios."""
    layer = KaiserSinc(ratio)
    pairs = [Fraction(float(v)) * (-1) ** n for n, v in enumerate(layer.taps)]
    assert sum(pairs) == 0
    lines = tone_lines(Chain([layer]))
    gains = [abs(line.amplitude[0] / lines[0].amplitude[0]) for line in lines[1:]]  # type: ignore[index]
    assert max(gains) > 1e-4 if ratio > 2 else max(gains) < 1e-15


@pytest.mark.parametrize("L", range(1, 7))
def test_cubic_is_keys_kernel_on_its_grid(L: int) -> None:
    """Output r of a period stands (2r + 1 − L)/2L from its input: four samples, Keys' weights, of sum 1."""
    layer, x = Cubic(L), np.array([[Fraction(v) for v in (3, 1, 4, 1, 5, 9, 2, 6)]])
    y = layer(x)[0]
    for m in range(2 * L, 6 * L):
        t = Fraction(2 * m + 1 - L, 2 * L)
        assert y[m] == sum(keys(t - n) * x[0, n] for n in range(8))
    assert (layer.normal(x)[0] == y).all()
    assert set(layer.normal.phase_gains) == {1}
    assert layer.normal.h.size == 4 * L - L % 2


@pytest.mark.parametrize("excess", [-1, 0])
def test_learned_linear_by_definition(excess: int) -> None:
    w, x = [Fraction(1, 3), Fraction(5, 7)], np.array([[1, 2, 5], [4, 0, -3]])
    y = LearnedLinear(np.array(w), excess=excess)(x)
    after = np.pad(x, ((0, 0), (0, 1)))[:, 1:]
    assert (y[:, ::2] == x).all()
    between = [[w[c] * x[c, n] + (1 - w[c]) * after[c, n] for n in range(y.shape[-1] // 2)] for c in range(2)]
    assert (y[:, 1::2] == between).all()
    assert y.shape == (2, 6 + excess)


def test_learned_linear_makes_no_tone_whatever_the_weight() -> None:
    w = sympy.Symbol("w")
    assert [sympy.expand(g) for g in LearnedLinear(w).normal.phase_gains] == [1, 1]
    assert [str(v) for v in LearnedLinear(w).taps] == ["1 - w", "1", "w"]
    assert (LearnedLinear(Fraction(1, 2)).taps == [Fraction(1, 2), 1, Fraction(1, 2)]).all()
    with pytest.raises(ValueError, match=r"weight: got shape \(1, 1\); allowed: a number, or one number per channel"):
        LearnedLinear([[1]])


@QUIET(max_examples=40)
@given(st.data())
def test_icnr_is_nearest_after_a_convolution(data: st.DataObject) -> None:
    """Sample by sample, borders included, for either order of channels and every border rule."""
    L, K, out, inner = (data.draw(st.integers(1, n)) for n in (4, 5, 3, 2))
    order, border = data.draw(st.sampled_from(["crd", "dcr"])), data.draw(st.sampled_from(BORDERS))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    k, b, p = rng.integers(-9, 9, (out, inner, K)), rng.integers(-9, 9, out), data.draw(st.integers(0, 2))
    options: dict[str, Any] = {"padding": p, "padding_mode": border}
    bias = np.repeat(b, L) if order == "crd" else np.tile(b, L)
    subpixel = SubpixelConv(icnr(k, L, order=order), L, bias=bias, order=order, **options)
    x = rng.integers(-9, 9, (inner, 8))
    assert (subpixel(x) == Nearest(L)(Conv(k, bias=b, **options)(x))).all()
    gains = subpixel.normal.phase_gains
    assert (gains == gains[:1]).all()


def test_a_subpixel_convolution_without_icnr_makes_tones() -> None:
    weight = icnr(np.arange(1, 7).reshape(1, 2, 3), 2) * np.array([1, 2])[:, None, None]
    gains = SubpixelConv(weight, 2).normal.phase_gains
    assert (gains != gains[:1]).any()


def test_designs_interpolate_constants() -> None:
    for layer in (KaiserSinc(2), WindowedSinc(3, zeros=8, scale="phases"), Cubic(4), Linear(3), LearnedLinear(0.2)):
        y: Array = layer(np.ones((1, 40)))
        middle = y[..., y.shape[-1] // 3 : 2 * y.shape[-1] // 3]
        assert np.abs(middle - 1).max() <= 64 * 2.0**-53


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BorderInterp(0, np.ones(1)), "factor: got 0"),
        (lambda: BorderInterp(2, np.ones(1), border="mirror"), "border: got 'mirror'"),
        (lambda: BorderInterp(2, np.ones(0), offset=1), "taps: got shape (0,)"),
        (lambda: icnr(np.ones((2, 3)), 2), "kernel: got shape (2, 3); allowed: 3 axes"),
        (lambda: icnr(np.ones((2, 3, 1)), 2, order="rcd"), "order: got 'rcd'; allowed: crd, dcr"),
        (lambda: kaiser_sinc(0), "ratio: got 0"),
        (lambda: Cubic(Fraction(3, 2)), "factor: got Fraction(3, 2)"),  # type: ignore[arg-type]
    ],
)
def test_bad_parameters_are_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()
