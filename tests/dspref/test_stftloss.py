"""Envelopes of losses on short-time spectra: closed form, overlap-add, transforms and SciPy's windows, one by one."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.signal

from dspref import Chain, TransposedConv, tone_lines
from dspref.arrays import Array
from dspref.gradients.stftloss import (
    PARALLEL_WAVEGAN,
    EnvelopeLine,
    Resolution,
    envelope,
    multi_resolution_lines,
    stft_gradient_lines,
)
from dspref.gradients.windows import WINDOWS, _roots, dirichlet, is_null, squared, squared_spectrum, window_taps
from dspref.nulls import vanishes

SCIPY = {"hann": "hann", "hamming": "hamming", "blackman": "blackman", "rectangular": "boxcar"}

CASES = [(name, N, H) for name in WINDOWS for N, H in ((240, 50), (64, 16), (33, 10), (16, 24), (7, 7), (60, 1))]


def worst(lines: tuple[EnvelopeLine, ...]) -> float | None:
    return max((line.level_dbc for line in lines[1:] if line.level_dbc is not None), default=None)


def amplitudes(lines: tuple[EnvelopeLine, ...]) -> Array:
    return np.array([line.amplitude for line in lines])


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("N", [1, 2, 3, 7, 64, 240])
def test_windows_are_scipys_periodic_ones(name: str, N: int) -> None:
    """A cosine is off by its angle's rounding, 2π J u; a sum of three terms by three more."""
    ours, theirs = window_taps(name, N), scipy.signal.windows.get_window(SCIPY[name], N, fftbins=True)
    if N > 1:  # of one sample SciPy makes 1, Torch and we the formula
        assert np.abs(ours - theirs).max() <= 20 * 2.0**-52


@pytest.mark.parametrize(("name", "N", "H"), CASES)
def test_lines_by_four_routes(name: str, N: int, H: int) -> None:
    """The closed form; the transform of the envelope; the transposed convolution of w²; the window as an array."""
    lines, w = stft_gradient_lines(name, H, length=N, start=-5), window_taps(name, N)
    c = amplitudes(lines)
    bound = 100 * N * 2.0**-53  # sums of N products of numbers up to 1, and angles reduced exactly
    n = np.arange(H)
    period = np.array([sum(w[m] ** 2 for m in range(N) if (m - 5 - r) % H == 0) for r in n])
    for k, line in enumerate(lines):
        assert line.freq == Fraction(k, H)
        assert abs(line.amplitude - np.mean(period * np.exp(-2j * np.pi * k * n / H))) <= bound
    layer = TransposedConv((w**2)[None, None], stride=H, padding=5)
    overlap_add = [line.amplitude for line in tone_lines(Chain([layer]))]
    assert all(v is not None and abs(v[0] - u) <= bound for u, v in zip(c, overlap_add, strict=True))
    assert np.abs(amplitudes(stft_gradient_lines(w, H, start=-5)) - c).max() <= bound


def test_the_numbers_of_the_theory() -> None:
    lines = stft_gradient_lines("hann", 50, length=240)
    assert worst(lines) == lines[1].level_dbc
    assert f"{worst(lines):.1f}" == "-68.6"
    assert all(line.null for line in stft_gradient_lines("hann", 256, length=1024)[1:])
    (half,) = [line for line in stft_gradient_lines("hann", 512, length=1024)[1:] if not line.null]
    assert half.freq == Fraction(1, 512)
    assert half.amplitude == 1024 / 16 / 512
    assert f"{half.level_dbc:.1f}" == f"{20 * math.log10(1 / 6):.1f}" == "-15.6"


@pytest.mark.parametrize("ratio", range(1, 9))
def test_hann_at_whole_ratios(ratio: int) -> None:
    """Hann² has terms 1, 2/3 and 1/6 of its mean, and no others: ratio 1 keeps two, ratio 2 one, the rest none."""
    there = [line for line in stft_gradient_lines("hann", 24, length=24 * ratio)[1:] if not line.null]
    levels = {1: [2 / 3, 1 / 6], 2: [1 / 6]}.get(ratio, [])
    assert [line.freq for line in there] == [Fraction(k, 24) for k in range(1, len(levels) + 1)]
    assert [line.level_dbc for line in there] == pytest.approx([20 * math.log10(v) for v in levels], rel=1e-14)


def test_squared_windows_are_their_cosines() -> None:
    for name in WINDOWS:
        c = squared(WINDOWS[name])
        n, J = np.arange(9), len(c) // 2
        series = sum(float(v) * np.exp(2j * np.pi * j * n / 9) for j, v in enumerate(c, -J))
        assert np.abs(series - window_taps(name, 9) ** 2).max() <= 40 * 2.0**-53
        assert sum(c) == sum(WINDOWS[name]) ** 2  # w²[0], exact


def test_the_dirichlet_kernel_is_the_sum() -> None:
    for N in (1, 2, 5, 12):
        for freq in (Fraction(p, q) for q in range(1, 14) for p in range(-q, q + 1)):
            by_sum = sum(np.exp(-2j * np.pi * float(freq * n % 1)) for n in range(N))
            assert abs(dirichlet(N, freq) - by_sum) <= 12 * N * 2.0**-52


@pytest.mark.parametrize("name", WINDOWS)
def test_nulls_are_those_of_exact_arithmetic_on_roots_of_unity(name: str) -> None:
    """The statements of `is_null` against divisibility by cyclotomic polynomials, all N and H up to 16."""
    seen = set()
    for N in range(1, 17):
        for freq in sorted({Fraction(k, H) for H in range(1, 17) for k in range(H // 2 + 1)}):
            M = math.lcm(N, freq.denominator)
            exact = vanishes(_roots(squared(WINDOWS[name]), N, freq, M), M)
            assert is_null(name, N, freq) == exact, (N, freq)
            value = abs(squared_spectrum(name, N, freq))
            assert (value <= 100 * N * 2.0**-53) == exact, (N, freq, value)
            seen.add(exact)
    assert seen == {False, True}


@pytest.mark.parametrize("N", [4, 5, 16, 33, 240])
def test_hann_off_its_bins_in_closed_form(N: int) -> None:
    """``W₂ = −j (1 − u) S/2`` with S as `is_null` has it: positive factors and sin 2πf, so no other zero."""
    v = math.cos(2 * math.pi / N)
    for q in range(3, 60):
        f = 1 / q
        if N % q:
            C, u = math.cos(2 * math.pi * f), np.exp(-2j * np.pi * N * f)
            S = math.sin(2 * math.pi * f) * (1 - v) ** 2 * (C + 3 * v + 2)
            S /= 4 * (1 - C) * (v - C) * (2 * v**2 - 1 - C)
            assert abs(squared_spectrum("hann", N, Fraction(1, q)) + 0.5j * (1 - u) * S) <= 1000 * N * 2.0**-53


def test_hann_of_odd_length_is_null_at_nyquist_though_no_bin_is_there() -> None:
    lines = stft_gradient_lines("hann", 10, length=33)
    assert [line.null for line in lines] == [False] * 5 + [True]
    assert not stft_gradient_lines("hamming", 10, length=33)[-1].null


def test_long_windows_at_hops_that_share_no_divisor_are_decided_at_once() -> None:
    """4096 and 1021 have 4182016 as common multiple: the statement for Hann needs no roots of unity."""
    lines = stft_gradient_lines("hann", 1021, length=4096)
    assert len(lines) == 511
    assert not any(line.null for line in lines)


def test_integers_and_fractions_are_proved_floats_are_not() -> None:
    third = [Fraction(1, 3)] * 6
    assert [line.null for line in stft_gradient_lines(np.array(third, object), 3)] == [False, True]
    assert [line.null for line in stft_gradient_lines([1, 1, 1, 1], 2)] == [False, True]
    assert [line.null for line in stft_gradient_lines([1.0, 1.0, 1.0, 1.0], 2)] == [False, False]
    assert stft_gradient_lines([1.0, 1.0, 1.0, 1.0], 2)[1].level_dbc is None


def test_a_hop_longer_than_the_window_leaves_gaps() -> None:
    r = Resolution(64, 100)
    assert r.gap == 36
    w = window_taps("hann", 64)
    assert np.count_nonzero(envelope(w, 100) == 0) == 36 + 1  # and Hann's own zero
    assert worst(r.lines()) == r.lines()[1].level_dbc
    assert f"{r.lines()[1].level_dbc:.2f}" == "-1.42"
    assert Resolution(64, 64).gap == 0


def test_several_resolutions_are_the_transform_of_the_sum() -> None:
    """All of it in one period of lcm(120, 240, 50) = 1200 samples, each frame laid down by hand."""
    resolutions, weights = (*PARALLEL_WAVEGAN, Resolution(64, 48, center=False)), (1.0, 0.5, 2.0, 3.0)
    P = math.lcm(120, 240, 50, 48)
    whole = np.zeros(P)
    for r, weight in zip(resolutions, weights, strict=True):
        padded = np.zeros(r.n_fft)  # as torch.stft pads a short window
        left = (r.n_fft - r.length) // 2
        padded[left : left + r.length] = window_taps(r.window, r.length)
        for m in range(P // r.hop):
            place = m * r.hop - (r.n_fft // 2 if r.center else 0)
            np.add.at(whole, (place + np.arange(r.n_fft)) % P, weight * r.n_fft * padded**2)
    spectrum = np.fft.fft(whole) / P
    lines = multi_resolution_lines(resolutions, weights=weights)
    bound = 100 * 2048 * 2.0**-53 * float(np.abs(whole).max())
    at = {line.freq: line for line in lines}
    for k in range(P // 2 + 1):
        line = at.get(Fraction(k, P))
        assert abs((line.amplitude if line else 0) - spectrum[k]) <= bound
    assert {f for f in at} == {Fraction(k, r.hop) for r in resolutions for k in range(r.hop // 2 + 1)}
    assert all(
        line.sources == tuple(i for i, r in enumerate(resolutions, 1) if line.freq * r.hop % 1 == 0) for line in lines
    )


def test_parallel_wavegan_has_lines_from_its_shortest_window_alone() -> None:
    alone = [worst(r.lines()) for r in PARALLEL_WAVEGAN]
    assert alone[:2] == [None, None]
    assert alone[2] is not None
    there = [line for line in multi_resolution_lines(PARALLEL_WAVEGAN)[1:] if not line.null]
    assert there
    assert all(line.freq * 50 % 1 == 0 and 3 in line.sources for line in there)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: stft_gradient_lines("hann", 0, length=8), "hop: got 0; allowed: an integer >= 1"),
        (lambda: stft_gradient_lines("han", 4, length=8), "window: got 'han'; allowed: hann, hamming"),
        (lambda: stft_gradient_lines("han", 4, length=8), "did you mean 'hann'?"),
        (lambda: stft_gradient_lines("kaiser", 4, length=8), "window: got 'kaiser'"),
        (lambda: stft_gradient_lines("hann", 4), "length: got None; allowed: the number of samples"),
        (lambda: stft_gradient_lines("hann", 4, length=0), "window length: got 0"),
        (lambda: stft_gradient_lines([1.0, 1.0], 4, length=3), "length: got 3; allowed: 2, that of the window"),
        (lambda: stft_gradient_lines([], 4), "window: got shape (0,)"),
        (lambda: stft_gradient_lines([1.0, float("nan")], 4), "window: got nan at index (1,)"),
        (lambda: Resolution(0, 4), "n_fft: got 0"),
        (lambda: Resolution(8, 0), "hop: got 0"),
        (lambda: Resolution(8, 4, 9), "win_length: got 9; allowed: 1 … n_fft = 8, as Torch"),
        (lambda: Resolution(8, 4, window="Hann"), "did you mean 'hann'?"),
        (lambda: multi_resolution_lines([]), "weights: got 0 for 0 resolutions"),
        (lambda: multi_resolution_lines([Resolution(8, 4)], weights=[1, 2]), "weights: got 2 for 1 resolutions"),
        (lambda: envelope([1.0], 0), "hop: got 0"),
    ],
)
def test_bad_input_is_refused_in_words(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError) as error:
        make()
    assert words in str(error.value)
