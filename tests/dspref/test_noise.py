"""Second order: exact sums against covariance matrices, spectra against their transforms, coherence by drawing."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from dspref import Chain, Conv, FilterInterp, Linear, Nearest, NotAnalysable, StretchFilter, TransposedConv, parse
from dspref.arrays import Array
from dspref.spectrum import coherence, cyclic_autocorrelation, cyclic_variance, output_psd


def integer_layer(seed: int = 0) -> TransposedConv:
    w = np.random.default_rng(seed).integers(-4, 5, size=(2, 3, 7))
    return TransposedConv(w, stride=3, padding=2)


def circular(seed: int = 0, inner: int = 2, out: int = 2) -> StretchFilter:
    """Return a layer whose border is circular, so that all of its output is steady."""
    h = np.random.default_rng(seed).normal(size=(out, inner, 6))
    return StretchFilter(3, h, offset=2, border="circular")


@pytest.mark.parametrize("s", range(1, 10))
def test_the_mean_variance_of_linear_interpolation(s: int) -> None:
    triangle = FilterInterp(s, np.array([1 - abs(Fraction(n, s)) for n in range(1 - s, s)]))
    integer_grid = Fraction(2, 3) + Fraction(1, 3 * s * s)
    half_sample = integer_grid if s % 2 else Fraction(2, 3) - Fraction(1, 6 * s * s)
    assert sum(cyclic_variance(triangle)) / s == integer_grid
    assert sum(cyclic_variance(Linear(s))) / s == half_sample
    assert (cyclic_variance(Nearest(s)) == 1).all()


def test_phases_stand_in_the_order_of_the_output() -> None:
    assert [str(v) for v in cyclic_variance(Linear(2))] == ["5/8", "5/8"]
    assert cyclic_variance(FilterInterp(3, np.array([1, 2, 3, 4]), offset=1)).tolist() == [4, 9, 17]
    assert cyclic_variance(FilterInterp(2, np.array([1j, 2])), variance=2).tolist() == [2, 8]


def test_statistics_are_those_of_the_covariance_matrix() -> None:
    layer = integer_layer()
    u, time = layer.normal, 12
    A = u.as_matrix(time)
    C = (A @ A.T).reshape(3, u.length(time), 3, u.length(time))
    steady = u.steady(time)
    for lag in range(-9, 10):
        R = cyclic_autocorrelation(layer, lag)
        assert R.shape == (3, 3, 3)
        assert R.dtype == np.int64
        seen = [m for m in range(steady.start, steady.stop) if steady.start <= m + lag < steady.stop]
        assert {m % 3 for m in seen} == {0, 1, 2}
        for m in seen:
            assert np.array_equal(R[m % 3], C[:, m + lag, :, m])
    assert np.array_equal(cyclic_variance(layer), [np.diag(C[:, m, :, m]) for m in (6, 7, 8)])


def test_symbols_stay_symbols() -> None:
    a, b, c = sympy.symbols("a b c", real=True)
    assert cyclic_variance(FilterInterp(2, np.array([a, b, c]))).tolist() == [a**2 + c**2, b**2]
    z = sympy.Symbol("z")
    assert cyclic_variance(FilterInterp(1, np.array([z]))).tolist() == [z * sympy.conjugate(z)]
    with pytest.raises(NotAnalysable, match=r"dspref.symbolic"):
        output_psd(FilterInterp(2, np.array([a, b])), 0)


def test_stacks_go_through_their_collapsed_kernel() -> None:
    assert (cyclic_variance(parse("nearest x2 | nearest x3")) == cyclic_variance(Nearest(6))).all()
    freqs = [Fraction(k, 30) for k in range(16)]
    assert output_psd(parse("nearest x2 | nearest x3"), freqs) == pytest.approx(output_psd(Nearest(6), freqs))


def spectral_correlation(u: StretchFilter, time: int, P: Array) -> Array:
    """Return E Y Yᴴ/bins of the transform of a periodic output, (out, bins, out, bins), the input of spectra P."""
    out, inner, _ = u.h.shape
    A, bins = u.as_matrix(time), u.L * time
    F = np.exp(-2j * np.pi * np.outer(np.arange(time), np.arange(time)) / time)
    # bin b of each input channel is independent of other bins, with covariance `time` · P[b]
    X = np.zeros((inner, time, inner, time), complex)
    X[:, np.arange(time), :, np.arange(time)] = P * time
    back = np.kron(np.eye(inner), F.conj() / time)
    C = A @ back @ X.reshape(inner * time, -1) @ back.conj().T @ A.T
    G = np.kron(np.eye(out), np.exp(-2j * np.pi * np.outer(np.arange(bins), np.arange(bins)) / bins))
    return np.asarray((G @ C @ G.conj().T / bins).reshape(out, bins, out, bins))


@pytest.mark.parametrize("kind", ["white", "coloured", "crossed"])
def test_spectra_and_coherence_are_those_of_a_periodic_signal(kind: str) -> None:
    u, time = circular(), 8
    mix = np.random.default_rng(9).normal(size=(2, 2, 2)) @ [1, 1j]

    def psd(f: Array) -> Any:
        colour = 1.25 + np.cos(2 * np.pi * f)
        return colour if kind == "coloured" else colour[:, None, None] * (mix @ mix.conj().T)

    grid = np.arange(time) / time
    shapes = {"white": np.ones(time), "coloured": psd(grid), "crossed": psd(grid)}
    P = shapes[kind] if kind == "crossed" else shapes[kind][:, None, None] * np.eye(2)
    S = spectral_correlation(u, time, P)
    b = np.arange(-12, 13)
    freqs = [Fraction(int(v), 24) for v in b]
    given: dict[str, Any] = {} if kind == "white" else {"psd": psd}
    power = np.array([S[o, b, o, b].real for o in (0, 1)]).T
    assert output_psd(u, freqs, **given) == pytest.approx(power, rel=1e-9)
    for k in (-1, 1, 2, 3):
        other = (b + k * time) % 24
        cross = np.array([S[o, b, o, other] for o in (0, 1)]).T
        there = np.array([S[o, other, o, other].real for o in (0, 1)]).T
        assert coherence(u, freqs, k, **given) == pytest.approx(np.abs(cross) ** 2 / (power * there), rel=1e-9)


def test_the_spectrum_has_the_mean_variance_for_its_mean() -> None:
    """abs(H)² is a trigonometric polynomial of degree taps − 1: more points than that average it exactly."""
    layer = integer_layer()
    grid = [Fraction(k, 15) for k in range(-7, 8)]
    assert output_psd(layer, grid).mean(axis=0) == pytest.approx(cyclic_variance(layer).mean(axis=0), rel=1e-13)


def test_images_of_one_channel_are_coherent() -> None:
    freqs = [Fraction(k, 50) for k in range(-12, 25) if k]  # the images of 0 are nulls of the first two
    for layer in (Nearest(4), Linear(3), TransposedConv(np.random.default_rng(0).normal(size=(1, 2, 5)), stride=4)):
        for k in (1, 2, 3):
            assert coherence(layer, freqs, k) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("C", [2, 4, 16])
def test_images_of_a_sum_of_channels_have_a_coherence_of_one_over_their_number(C: int) -> None:
    """ν = 1/16, 8 normal taps, s = 4: H(ν) and H(ν + 1/4) are independent and circular, as e^{−j2πn·b/8} sum to 0.

    So their angle is that of two random directions of Cᶜ: the coherence has the law Beta(1, C − 1).
    """
    draws = 4000
    layer = TransposedConv(np.random.default_rng(C).normal(size=(C, draws, 8)), stride=4)
    seen = coherence(layer, Fraction(1, 16), 1)
    deviation = np.sqrt((C - 1) / (C**2 * (C + 1)) / draws)
    assert abs(seen.mean() - 1 / C) < 5 * deviation
    assert (seen**2).mean() == pytest.approx(2 / (C * (C + 1)), rel=5 * np.sqrt(6 / draws))


def test_what_is_not_there_is_not_compared() -> None:
    assert np.isnan(coherence(FilterInterp(2, np.array([0, 0, 0])), Fraction(1, 8), 1))


@pytest.mark.parametrize("layer", [Nearest(2), Nearest(3), Linear(4), parse("nearest x2 | linear x3")])
def test_nothing_is_coherent_with_a_null(layer: Any) -> None:
    """What rounding leaves of a proved null is no image: of two frequencies one of which is a null, nan."""
    S = layer.factor
    assert np.isnan(coherence(layer, [Fraction(1, S), Fraction(0)], 1)).all()
    assert np.allclose(coherence(layer, [Fraction(1, 7 * S), Fraction(2, 7 * S)], 1), 1, rtol=0, atol=1e3 * 2.0**-53)


def test_bad_noise_is_refused() -> None:
    layer = Chain([Conv(np.ones((1, 2, 3)))])
    with pytest.raises(ValueError, match=r"variance: got Fraction\(-1, 2\); allowed: one number >= 0"):
        cyclic_variance(Nearest(2), variance=Fraction(-1, 2))
    with pytest.raises(ValueError, match=r"variance: got -1; allowed: one number >= 0"):
        output_psd(layer, 0, variance=-1)
    with pytest.raises(ValueError, match=r"variance: got \[1, 2\]"):
        cyclic_variance(layer, variance=[1, 2])
    with pytest.raises(ValueError, match=r"psd: got a negative or complex power"):
        output_psd(layer, 0, psd=lambda f: f - 1)
    with pytest.raises(ValueError, match=r"psd: got shape \(2,\); allowed: \(1,\) or \(1, in, in\)"):
        output_psd(layer, 0, psd=lambda f: np.ones(2))
    with pytest.raises(ValueError, match=r"psd: got shape \(1, 3, 3\)"):
        output_psd(layer, 0, psd=lambda f: np.ones((1, 3, 3)))
    with pytest.raises(ValueError, match=r"up to half the output rate"):
        output_psd(layer, 0.75)
    with pytest.raises(NotAnalysable, match=r"stride"):
        cyclic_variance(Conv(np.array([[[1]]]), stride=2))
