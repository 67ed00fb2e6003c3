"""Leading terms of finite width: against tensors of four indices on a circle, closed forms, and cases without any."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import product

import numpy as np
import pytest

from dspref import Linear, Nearest
from dspref.arrays import Array
from dspref.chain import POINTWISE, Pointwise
from dspref.expected import (
    Drawn,
    Fixed,
    Source,
    Step,
    average_pool,
    expected_spectrum,
    fixed,
    glu_offset,
    initialised,
    relu_line,
)
from dspref.expected.combs import Levels
from dspref.expected.kernelmaps import kernel_map
from dspref.expected.moments import Moments
from dspref.expected.reach import Reach
from dspref.expected.spectrum import width_terms
from dspref.expected.spread import sway
from dspref.expected.width import narrow_db, narrow_warning

RELU, GLU = Pointwise("relu"), Pointwise("glu")
TIME = 8


def noise(channels: int) -> Source:
    return Source(channels, covariance=(1.0,))


def circulants(layer: Drawn, time: int) -> list[Array]:
    """Return matrices of single taps on a circle, (time out, time in); sub-pixel phases have their own."""
    s, d, p, found = layer.factor, layer.dilation, layer.padding, []
    for r, k in product(range(s if layer.op == "shuffle" else 1), range(layer.length)):
        A = np.zeros((time // s if layer.op == "conv" else time * s, time))
        for i in range(len(A) if layer.op == "conv" else time):
            if layer.op == "conv":
                A[i, (i * s + k * d - p) % time] = 1
            elif layer.op == "convt":
                A[(i * s + k * d - p) % len(A), i] = 1
            else:
                A[i * s + r, (i + k * d - p) % time] = 1
        found.append(A)
    return found


def tensor(steps: tuple[Drawn | Fixed, ...]) -> Array:
    """Return ``E c[n, m] c[n', m']`` for white noise, as (n, n', m, m'): kernels drawn, their taps one by one."""
    T, K = np.zeros((TIME,) * 4), np.eye(TIME)
    for step in steps:
        if isinstance(step, Fixed):
            A = np.zeros((len(K) * step.factor, len(K)))
            for i in range(len(K)):
                for k in range(len(step.h)):
                    A[(i * step.factor - step.offset + k) % len(A), i] += step.h[k]
            A = A[:: step.stride]
            T = np.einsum("ai,bj,ck,dl,ijkl->abcd", A, A, A, A, T, optimize=True)
            K = A @ K @ A.T
            continue
        S = T + np.einsum("ij,kl->ijkl", K, K) / step.width
        taps = circulants(step, len(K))
        g = float(step.gain)
        pairs = [(A, B) for A in taps for B in taps]
        T = g**2 * np.sum([np.einsum("ai,bj,ck,dl,ijkl->abcd", A, B, A, B, S, optimize=True) for A, B in pairs], axis=0)
        K = g * np.sum([A @ K @ A.T for A in taps], axis=0)
    return T


def averaged(T: Array, row: int, lag: int, apart: int) -> float:
    n = np.arange(len(T))
    m = (n + row) % len(T)
    return float(T[n, (n + lag) % len(T), m, (m + lag + apart) % len(T)].mean())


CHAINS: dict[str, tuple[Drawn | Fixed, ...]] = {
    "conv": (Drawn("conv", 3, 3, 3),),
    "dilated, transposed": (Drawn("conv", 3, 3, 2, dilation=2), Drawn("convt", 3, 3, 4, factor=2, padding=1)),
    "transposed, conv": (Drawn("convt", 3, 5, 4, factor=2), Drawn("conv", 5, 5, 3, padding=1)),
    "partial overlap, conv": (Drawn("convt", 3, 5, 3, factor=2), Drawn("conv", 5, 5, 2)),
    "linear, conv": (fixed(Linear(2)), Drawn("conv", 3, 3, 3)),
    "conv, nearest, conv": (Drawn("conv", 3, 3, 2), fixed(Nearest(2)), Drawn("conv", 3, 3, 2)),
    "transposed, filter": (Drawn("convt", 3, 3, 2, factor=2), Fixed(np.array([0.25, 0.5, 0.25]))),
    "transposed, box": (Drawn("convt", 3, 3, 4, factor=2), Fixed(np.full(4, 0.25))),
    "transposed, linear": (Drawn("convt", 3, 3, 2, factor=2), fixed(Linear(2))),
    "linear, conv, linear": (fixed(Linear(2)), Drawn("conv", 3, 3, 2), fixed(Linear(2))),
    "nearest, transposed, nearest": (fixed(Nearest(2)), Drawn("convt", 3, 3, 2, factor=2), fixed(Nearest(2))),
    "nearest, sub-pixel, filter": (
        fixed(Nearest(2)),
        Drawn("shuffle", 3, 3, 2, factor=2),
        Fixed(np.array([0.25, 0.5, 0.25])),
    ),
    "nearest ×3, conv, filter": (
        fixed(Nearest(3)),
        Drawn("conv", 3, 3, 2),
        Fixed(np.array([0.125, 0.25, 0.5])),
        Drawn("conv", 3, 3, 2),
    ),
    "nearest, conv, pooling": (fixed(Nearest(2)), Drawn("conv", 3, 3, 2), average_pool(2, stride=1)),
    "linear, pooling": (fixed(Linear(2)), Drawn("conv", 3, 3, 2), average_pool(2), fixed(Nearest(2))),
    "nearest, strided, nearest": (fixed(Nearest(2)), Drawn("conv", 3, 3, 3, factor=2), fixed(Nearest(2))),
    "up and down": (Drawn("convt", 3, 3, 4, factor=2), Drawn("conv", 3, 3, 3, factor=2)),
}


@pytest.mark.parametrize("steps", CHAINS.values(), ids=CHAINS)
def test_spread_is_that_of_tensors_of_four_indices(steps: tuple[Drawn | Fixed, ...]) -> None:
    """T[m − n; τ, d], averaged over n; on a circle so long that far lags do not meet near ones."""
    asked = reduce(lambda asked, step: asked.before(step), reversed(steps), Reach(1, 1))
    x = Moments.of(noise(3), asked=asked)
    for step in steps:
        x = x.fixed(step) if isinstance(step, Fixed) else x.drawn(step)
    T = tensor(steps)
    W = x.spread.T.shape[2] // 2
    for row, lags in enumerate(x.spread.T):
        for lag, d in product((0, 1), (-1, 0, 1)):
            due = averaged(T, row + len(T) // 2 // x.period * x.period, lag, d)
            found = lags[lag, W + d] if lag < len(lags) and abs(d) <= W else 0.0
            assert found == pytest.approx(due, rel=1e-12, abs=1e-18)


def test_cumulants_of_weights_pass_filters_as_tensors_do() -> None:
    """``(κ₄ − 3)/2 g² Σ_j K[n + j, n' + j] K[m + j, m' + j]/C``, and a filter in all four places."""
    up, layer, box = fixed(Linear(2)), Drawn("conv", 3, 3, 3), Fixed(np.array([0.75, 0.25]))
    x = Moments.of(noise(3), asked=Reach(16, 8)).fixed(up).drawn(layer).fixed(box)
    A = np.zeros((2 * TIME, TIME))
    for i, k in product(range(TIME), range(len(up.h))):
        A[(2 * i - up.offset + k) % len(A), i] += up.h[k]
    K = A @ A.T
    taps = [T @ K @ T.T for T in circulants(layer, len(K))]
    scale = float(layer.gain) ** 2 * (float(layer.kurtosis) - 3) / 2 / layer.inputs
    X = scale * np.sum([np.einsum("ij,kl->ijkl", T, T) for T in taps], axis=0)
    B = 0.75 * np.eye(len(K)) + 0.25 * np.roll(np.eye(len(K)), 1, axis=0)
    X = np.einsum("ai,bj,ck,dl,ijkl->abcd", B, B, B, B, X, optimize=True)
    W = x.spread.excess.shape[2] // 2
    for row, lag, d in product(range(2), (0, 1), (-1, 0, 1)):
        due = averaged(X, row, lag, d)
        assert due != 0
        assert x.spread.excess[row, lag, W + d] == pytest.approx(due, rel=1e-12)


@pytest.mark.parametrize("name", ["uniform", "normal"])
@pytest.mark.parametrize("op", ["convt", "shuffle"])
def test_the_tone_behind_relu_is_its_closed_form(op: str, name: str) -> None:
    """To first order: at 10⁶ channels what is left is of the order of 10⁻⁶."""
    layer = initialised(Drawn(op, 10**6, 4, 8, factor=4), name, bias=0)
    combs = expected_spectrum([layer, RELU], noise(10**6)).combs
    assert combs[1].power / combs[0].power == pytest.approx(float(relu_line(layer)), rel=1e-5)


def test_weights_of_one_size_make_no_tone() -> None:
    layer = replace(Drawn("convt", 8, 8, 8, factor=4, bias=0), kurtosis=1)
    assert expected_spectrum([layer, RELU], noise(8)).combs[1].power == 0
    behind: list[Step] = [layer, Drawn("conv", 8, 8, 1, bias=0), RELU]
    assert expected_spectrum(behind, noise(8)).combs[1].power > 0


def test_the_offset_behind_glu_is_its_closed_form() -> None:
    layer = Drawn("conv", 10**6, 10**6, 3, weight=2e-6, bias=0)
    found = expected_spectrum([layer, GLU], noise(10**6))
    assert found.combs[0].power == pytest.approx(glu_offset(layer, 6.0), rel=1e-5)
    assert found.noise == expected_spectrum([layer, GLU], noise(10**6), width_terms=False).noise


def test_a_kernel_of_one_tap_behind_an_interpolator_adds_nothing() -> None:
    """Each channel is then the interpolated noise times one number: the ratios of lines hold at any width."""
    steps = (fixed(Linear(4)), Drawn("conv", 8, 8, 1, bias=0), RELU)
    with_terms, plain = (expected_spectrum(steps, noise(8), width_terms=on).lines for on in (True, False))
    assert with_terms is not None
    assert plain is not None
    assert np.abs(with_terms - plain).max() <= 1e-15 * plain[0]


@pytest.mark.parametrize("source", [Source(4, constant=1.0), Source(4)], ids=repr)
def test_nothing_is_added_without_noise(source: Source) -> None:
    steps = (Drawn("convt", 4, 8, 4, factor=2), GLU, Drawn("convt", 4, 4, 3, factor=2), RELU)
    one, other = (expected_spectrum(steps, source, width_terms=on) for on in (True, False))
    assert one.combs == other.combs


def test_a_constant_changes_tones_of_noise_by_its_square() -> None:
    """Terms of width are there however small it is; of lines of its own they change a share."""
    steps = (Drawn("shuffle", 64, 64, 1, factor=4, bias=0), RELU)
    none, tiny, some = (expected_spectrum(steps, Source(64, c, (1.0,))).combs[1].power for c in (0.0, 1e-6, 1e-2))
    assert none > 0
    assert tiny == pytest.approx(none, rel=1e-10)  # c² = 1e-12, against T = 1e-2
    assert none < some < 1.1 * none  # c⁴/T
    flat = (fixed(Linear(4)), Drawn("conv", 64, 64, 4, bias=0), RELU)
    on, off = (expected_spectrum(flat, Source(64, 1.0, (1.0,)), width_terms=each) for each in (True, False))
    assert on.combs[1].power > 1e6 * abs(off.combs[1].power)


def test_interpolators_behind_maps_make_tones_of_noise() -> None:
    """What all rows had behind the map counts too, of coloured noise as of white: filters look at neighbours."""
    steps = (Drawn("conv", 8, 8, 1), RELU, fixed(Nearest(4)), Drawn("conv", 8, 8, 3, padding=1), RELU)
    on, off = (expected_spectrum(steps, noise(8), width_terms=each) for each in (True, False))
    assert on.combs[1].power > 1e6 * abs(off.combs[1].power)
    for r in ((1.0,), (1.0, 0.5)):
        x = Moments.of(Source(8, 0.0, r), asked=Reach(8, 4)).drawn(Drawn("conv", 8, 8, 1)).mapped(RELU)
        near = x.fixed(fixed(Nearest(4))).drawn(Drawn("conv", 8, 8, 3, padding=1)).spread.own
        assert x.spread.own[0] > 0
        assert near.argmin() == 2
        assert near.argmax() == 0


def test_noise_in_common_beside_noise_of_its_own() -> None:
    """T is the square of what channels have in common."""
    both = Source(8, covariance=(0.25, 0.125), mono=True) + noise(8)
    assert both.covariance == (1.25, 0.125)
    assert both.private == (1.0,)
    T = Moments.of(both, asked=Reach(8, 4)).spread.T
    near = [0.125, 0.25, 0.125]
    products = [[0.0, *near, 0.0], [*(0.5 * each for each in near), 0.0, 0.0]]
    assert (T[0] / (0.875 * 0.25)).tolist() == products
    assert ((noise(8) + both).private, noise(8).private) == ((2.0,), ())
    for r, mono, private in (((1.0,), False, (0.5,)), ((1.0,), True, (2.0,)), ((1.0,), True, (0.5, 0.1))):
        with pytest.raises(ValueError, match="private"):
            Source(8, 0.0, r, mono, private)


def test_behind_a_map_with_a_mean_only_what_phases_had_goes_on() -> None:
    """relu, conv, GLU on noise: the offset is that of the limit; a layer upwards in front keeps its tone."""
    flat: tuple[Step, ...] = (Drawn("conv", 4, 4, 3), RELU, Drawn("conv", 4, 8, 3), GLU)
    one, other = (expected_spectrum(flat, noise(4), width_terms=on) for on in (True, False))
    assert one.combs == other.combs
    combs = width_terms((Drawn("convt", 4, 4, 4, factor=2), *flat), noise(4))
    assert combs[1].power > 0


def test_a_swayed_kernel_map_is_its_second_derivative() -> None:
    """Of every map: against differences of V at half the distance; they are off by terms of T²."""
    q, c, T = np.array(0.8), np.array(0.1), np.array(1e-4)
    for name in POINTWISE:
        V = kernel_map(Pointwise(name))
        rise, slope = sway(V, q, q, c, T)
        h = 5e-3
        second = (V(q, q, c + h) + V(q, q, c - h) - 2 * V(q, q, c)) / h**2
        assert float(rise - V(q, q, c)) == pytest.approx(float(second * T / 2), rel=1e-3, abs=1e-15)
        assert float(slope) == pytest.approx(float((V(q, q, c + h) - V(q, q, c - h)) / (2 * h)), rel=1e-3)
    rise, slope = sway(kernel_map(RELU), q, q, q, T)
    assert abs(float(rise) - 0.4) <= 1e-15
    assert float(slope) == 0


def test_one_noise_in_all_channels_is_one_channel() -> None:
    """T is that of a layer with one channel of the same gain, however many there are: lines stay in wide layers."""
    for r in ((1.0,), (1.0, 0.5)):
        layers = [Drawn("convt", C, 8, 4, factor=2, weight=Fraction(1, C), bias=0, kurtosis=3) for C in (1, 64)]
        one, many = (
            Moments.of(Source(C, 0.0, r, mono=C > 1), asked=Reach(8, 4)).drawn(layer).spread.T
            for C, layer in zip((1, 64), layers, strict=True)
        )
        assert np.allclose(one, many, rtol=1e-14, atol=0)
        assert one.max() > 0


def test_sums_and_gains_of_spreads() -> None:
    x = Levels.of(noise(3), asked=Reach(8, 4)).drawn(Drawn("convt", 3, 3, 4, factor=2))
    y = Levels.of(noise(3), asked=Reach(8, 4)).drawn(Drawn("conv", 3, 3, 3))
    assert x.scaled(2.0).spread.T.tolist() == (16 * x.spread.T).tolist()
    both = x.plus(y)
    assert both.spread.T[:, 0].tolist() == (x.spread.T[:, 0] + y.spread.T[0, 0]).tolist()
    beside = x.beside(y, 0.25)
    assert np.allclose(beside.spread.T[:, 0], x.spread.T[:, 0] / 16 + y.spread.T[0, 0] * 9 / 16, rtol=1e-15, atol=0)


def test_narrow_networks_are_told_of() -> None:
    assert [narrow_warning(channels) is None for channels in (0, 1, 63, 64)] == [True, False, False, True]
    assert narrow_db(64) < 0.1 < narrow_db(8)
    with pytest.raises(ValueError, match="channels"):
        narrow_warning(-1)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="kurtosis"):
        Drawn("conv", 1, 1, 1, kurtosis=0.5)
    for name, kurtosis in (("kaiming", Fraction(9, 5)), ("kaiming_normal", 3), ("xavier_normal", 3), ("normal", 3)):
        assert initialised(Drawn("conv", 4, 4, 3), name).kurtosis == kurtosis
    layers = [initialised(Drawn("conv", 4, 4, 3), name).weight for name in ("kaiming", "kaiming_normal")]
    assert layers[0] == layers[1]
    assert math.isclose(layers[0], 1 / 12)
