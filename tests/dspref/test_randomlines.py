"""Statistics of random lines: against every pattern of signs, SciPy's laws, and drawn kernels."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import special, stats
from scipy.integrate import quad

from dspref import Chain, Conv, Outline, SubpixelConv, TransposedConv, tone_lines
from dspref.arrays import Array
from dspref.initial.defaults import TapLaw
from dspref.initial.lines import (
    axis_ratio,
    exceeds_dc,
    level_dbc,
    level_quantile,
    level_sf,
    random_lines,
    taps_of,
)

SHAPES = [(8, 16, 1), (8, 12, 1), (4, 3, 1), (5, 7, 1), (6, 8, 2), (7, 3, 3), (2, 3, 1), (3, 1, 1), (9, 4, 1)]


def lines_of(w: Array, s: int, d: int, means: Array) -> Array:
    """Return c_k, k = 0 … ⌊s/2⌋, of drawn taps (draws, in, K), by their definition."""
    n, k = np.arange(w.shape[-1]), np.arange(s // 2 + 1)
    waves = np.exp(-2j * np.pi * (np.multiply.outer(k, n * d) % s) / s)
    return np.asarray(np.einsum("c,tcn,kn->tk", means, w, waves)) / s


@pytest.mark.parametrize(("s", "K", "d"), SHAPES)
@pytest.mark.parametrize("means", [[1], [3, -1]])
def test_every_pattern_of_signs(s: int, K: int, d: int, means: list[int]) -> None:
    """Mean and variance over all ±σ patterns, none drawn: what the formulas say, to rounding."""
    K = min(K, 10 // len(means))
    law, mu = TapLaw("sign", Fraction(4, 9)), np.array(means)
    signs = np.array(list(product([-1, 1], repeat=K * mu.size))).reshape(-1, mu.size, K)
    power = np.abs(lines_of(2 / 3 * signs, s, d, mu)) ** 2
    found = random_lines(s, K, law=law, means=means, dilation=d)
    for k, line in enumerate(found):
        E = float(line.mean_power)
        assert line.mean_power == Fraction(4, 9) * K * int((mu**2).sum()) / s**2
        assert power[:, k].mean() == pytest.approx(E, rel=1e-13)
        assert power[:, k].var() == pytest.approx(line.spread * E**2, rel=1e-11, abs=1e-13 * E**2)


def test_variance_of_signs_in_whole_numbers() -> None:
    """s = 4: all waves are 1, −j, −1, j, and abs(H)² an integer: the mean of its square, exactly."""
    for K in range(1, 9):
        signs = np.array(list(product([-1, 1], repeat=K)))
        n = np.arange(K)
        re, im = signs @ np.array([1, 0, -1, 0])[n % 4], signs @ np.array([0, -1, 0, 1])[n % 4]
        squares = (re**2 + im**2) ** 2
        line = random_lines(4, K, law=TapLaw("sign"))[1]
        rho2 = Fraction(K % 2, K**2)  # Σ (−1)^n is 0 or 1
        assert line.rho**2 == pytest.approx(float(rho2), abs=1e-15)
        assert Fraction(int(squares.sum()), len(signs)) == K**2 * (2 + rho2 - Fraction(2, K))
        assert line.spread == pytest.approx(float(1 + rho2 - Fraction(2, K)), abs=1e-14)


@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_drawn_kernels_have_mean_and_variance(name: str) -> None:
    law, rng, draws = TapLaw(name, 0.3), np.random.default_rng(2), 20_000
    for s, K, d in SHAPES[:5]:
        power = np.abs(lines_of(law.draw(rng, (draws, 2, K)), s, d, np.array([1.0, 0.5]))) ** 2
        for k, line in enumerate(random_lines(s, K, law=law, means=[1.0, 0.5], dilation=d)):
            E, error = float(line.mean_power), power[:, k].std() / math.sqrt(draws)
            assert abs(power[:, k].mean() - E) <= 5 * error
            squares = (power[:, k] - E) ** 2
            assert abs(squares.mean() - line.spread * E**2) <= 5 * squares.std() / math.sqrt(draws)


def test_lines_are_those_of_the_layer() -> None:
    """The c_k of drawn weights, as `tone_lines` finds them, are the c_k whose statistics these are."""
    rng, mu = np.random.default_rng(3), np.array([1.0, -2.0])
    for layer in (
        TransposedConv(rng.standard_normal((2, 1, 7)), stride=4, dilation=3),
        SubpixelConv(rng.standard_normal((3, 2, 5)), 3),
    ):
        s, K, d = taps_of(layer)
        found = np.array([line.amplitude[0] for line in tone_lines(Chain([layer]), offset=mu)])  # type: ignore[index]
        if layer.op == "convt":
            w = layer.weight[:, 0][None]
        else:  # phase r of the shuffle stands at samples r + qL
            w = layer.weight.swapaxes(0, 1)[..., ::-1].swapaxes(1, 2).reshape(1, 2, -1)
        assert np.allclose(np.abs(found), np.abs(lines_of(w, s, d, mu)[0]), rtol=0, atol=1e-13)
        assert len(random_lines(s, K, dilation=d)) == len(found)


def test_the_comb_is_flat_and_adds_up_to_the_power_gain() -> None:
    """Parseval: over all s complex lines, C_in K σ²/s · μ², that of white noise of the same power."""
    for s, K in ((8, 16), (8, 12), (7, 3)):
        lines = random_lines(s, K, law=TapLaw("uniform", Fraction(1, 3 * K)), means=[1, 1])
        assert len({line.mean_power for line in lines}) == 1
        assert s * lines[0].mean_power == Fraction(2 * K, 3 * K) / s


def test_where_lines_are_circular_and_where_real() -> None:
    """ρ is abs(Σ e^{−2jθn})/K, exactly 0 or 1 by divisibility alone."""
    for s in range(2, 13):
        for K in range(1, 14):
            for k in range(s):
                d = 1 + k % 3
                rho = axis_ratio(k, s, K, dilation=d)
                direct = abs(np.exp(-4j * np.pi * (k * d * np.arange(K) % s) / s).sum()) / K
                assert rho == pytest.approx(direct, abs=1e-14)
                assert (rho == 1) == (2 * k * d % s == 0 or K == 1)
                assert (rho == 0) == (2 * k * d % s != 0 and 2 * k * d * K % s == 0)


@pytest.mark.parametrize("rho", [0.0, 0.2, 0.7, 0.98, 1.0])
def test_the_law_of_the_level(rho: float) -> None:
    """The angular integral, against the density with a Bessel function, and Marcum's Q by noncentral χ²."""
    for t in (0.01, 0.3, 1.0, 4.0):
        if 0 < rho < 1:
            c = 1 - rho**2
            density = lambda x, c=c: math.exp(-x * (1 - rho) / c) * special.i0e(rho * x / c) / math.sqrt(c)  # noqa: E731
            assert level_sf(t, rho) == pytest.approx(1 - quad(density, 0, t, epsabs=1e-13)[0], abs=1e-11)
            a, b = (t * (1 + sign * math.sqrt(c)) / c for sign in (1, -1))
            marcum = stats.ncx2.sf(b, 2, a) - stats.ncx2.sf(a, 2, b)
            assert level_sf(t, rho) == pytest.approx(1 - marcum, abs=1e-12)
        elif rho == 0:
            assert level_sf(t, rho) == pytest.approx(stats.expon.sf(t), abs=1e-15)
        else:
            assert level_sf(t, rho) == pytest.approx(stats.chi2.sf(t, 1), abs=1e-15)
    for q in (0.05, 0.5, 0.95):
        assert level_sf(level_quantile(q, rho), rho) == pytest.approx(1 - q, abs=1e-11)
    assert level_sf(-1.0, rho) == 1


def test_levels_of_normal_taps_follow_the_law() -> None:
    """Drawn kernels, Kolmogorov–Smirnov, for a circular, an elongated and a real line."""
    rng, draws = np.random.default_rng(4), 4000
    for s, K, k in ((8, 16, 1), (3, 2, 1), (8, 12, 4)):
        power = np.abs(lines_of(rng.standard_normal((draws, 1, K)), s, 1, np.ones(1))[:, k]) ** 2
        line = random_lines(s, K)[k]
        test = stats.kstest(power / float(line.mean_power), np.vectorize(lambda t, r=line.rho: 1 - level_sf(t, r)))
        assert test.pvalue > 1e-4
        low, high = line.band_db()
        inside = ((power > 10 ** (low / 10)) & (power < 10 ** (high / 10))).mean()
        assert abs(inside - 0.9) <= 5 * math.sqrt(0.09 / draws)


def test_one_over_root_three() -> None:
    """Complex lines whose s divides kdK; and the angular mean gives the same where it need not be taken."""
    for s, K in ((8, 16), (8, 8), (5, 10), (6, 6)):
        for k in range(1, (s + 1) // 2):
            assert exceeds_dc(k, s, K) == pytest.approx(3**-0.5, abs=1e-15)
            for ratio in (0.1, 2.0):
                tail = quad(lambda n, r=ratio: 2 * stats.norm.pdf(n) * math.exp(-r * n * n), 0, 20)[0]
                assert exceeds_dc(k, s, K, ratio=ratio) == pytest.approx(tail, abs=1e-8)
    assert exceeds_dc(2, 8, 12) == pytest.approx(3**-0.5, abs=1e-15)  # 8 divides 2·12


def test_half_of_the_nyquist_lines_exceed_dc_whatever_the_law() -> None:
    """Every pattern of three magnitudes and all signs: as many above as below, for K ≥ 2 and any factor."""
    for K in (2, 3, 4, 5):
        assert exceeds_dc(4, 8, K) == pytest.approx(0.5, abs=1e-14)
        w = np.array(list(product([-4, -2, -1, 1, 2, 4], repeat=K)))
        odd = np.abs(w @ (-1) ** np.arange(K)) - np.abs(w.sum(axis=1))
        assert (odd > 0).sum() == (odd < 0).sum()
    for k in (1, 2, 3):  # two taps: whether their signs differ, for every line
        assert exceeds_dc(k, 8, 2) == pytest.approx(0.5, abs=1e-12)


def test_one_tap_makes_all_lines_alike() -> None:
    for k in (1, 2):
        assert exceeds_dc(k, 4, 1) == 0
        assert exceeds_dc(k, 4, 1, ratio=0.99) == 1
        assert level_dbc(0.3, k, 4, 1) == 0
    assert exceeds_dc(0, 4, 5) == exceeds_dc(4, 4, 5) == 0


@pytest.mark.parametrize(("s", "K", "k", "ratio"), [(8, 12, 1, 2.0), (8, 3, 1, 1.0), (3, 4, 1, 1.0), (2, 3, 1, 3.0)])
def test_drawn_kernels_exceed_dc_as_often_as_said(s: int, K: int, k: int, ratio: float) -> None:
    rng, draws = np.random.default_rng(5), 100_000
    power = np.abs(lines_of(rng.standard_normal((draws, 1, K)), s, 1, np.ones(1))) ** 2
    p = exceeds_dc(k, s, K, ratio=ratio)
    assert abs((power[:, k] > ratio * power[:, 0]).mean() - p) <= 5 * math.sqrt(p * (1 - p) / draws)
    q = (power[:, k] <= power[:, 0] * 10 ** (level_dbc(0.8, k, s, K) / 10)).mean()
    assert abs(q - 0.8) <= 5 * math.sqrt(0.16 / draws)


def test_uniform_kernels_tend_to_the_normal_law() -> None:
    """P(c_k > c_0) of uniform taps: K = 3 is off by more than drawing explains, 8 channels are not."""
    rng, draws = np.random.default_rng(6), 100_000
    p = exceeds_dc(1, 3, 3)

    def share(channels: int) -> float:
        w = TapLaw("uniform").draw(rng, (draws, channels, 3))
        power = np.abs(lines_of(w, 3, 1, np.ones(channels))) ** 2
        return float((power[:, 1] > power[:, 0]).mean())

    noise = math.sqrt(p * (1 - p) / draws)
    assert abs(share(1) - p) > 5 * noise
    assert abs(share(8) - p) < 5 * noise


def test_spread_of_normal_lines() -> None:
    """1 for complex, 2 for real lines where s divides K; uniform taps less by 6/(5K)."""
    assert [line.spread for line in random_lines(8, 16)] == [2, 1, 1, 1, 2]
    uniform = random_lines(8, 16, law=TapLaw("uniform"))
    assert [line.spread for line in uniform] == pytest.approx([2 - 0.075, *[1 - 0.075] * 3, 2 - 0.075], abs=1e-15)
    assert [line.exact for line in uniform] == [False] * 5


def test_the_band_is_exact_where_the_line_is_circular() -> None:
    line = random_lines(8, 16)[1]
    low, high = line.band_db()
    assert low - line.mean_db == pytest.approx(10 * math.log10(-math.log(0.95)), abs=1e-12)
    assert high - line.mean_db == pytest.approx(10 * math.log10(-math.log(0.05)), abs=1e-12)
    assert line.mean_db == pytest.approx(10 * math.log10(0.25), abs=1e-12)
    assert line.hz(44100) == Fraction(11025, 2)


REFUSALS: dict[str, tuple[Any, type[Exception], str]] = {
    "factor": (lambda: random_lines(0, 3), ValueError, "factor: got 0; allowed: an integer >= 1"),
    "length": (lambda: random_lines(2, 0), ValueError, "length: got 0; allowed: an integer >= 1"),
    "silence": (lambda: random_lines(2, 3, means=[0, 0]), ValueError, r"means: got \[0, 0\]; allowed: one number per"),
    "complex": (lambda: random_lines(2, 3, means=1j), TypeError, "means: got dtype complex128; allowed: real"),
    "quantile": (lambda: level_quantile(95, 0.0), ValueError, "probability: got 95; .*Hint: 0.95, not 95"),
    "ratio": (lambda: exceeds_dc(1, 2, 3, ratio=0), ValueError, "ratio: got 0; allowed: a number > 0"),
    "far off": (lambda: level_dbc(1e-9, 1, 2, 3), ValueError, "probability: got 1e-09; allowed: one whose level is"),
    "layer": (lambda: taps_of(Outline("conv", 3)), TypeError, "layer: got Outline.*; allowed: a transposed or sub-pix"),
    "conv": (lambda: taps_of(Conv(np.ones((1, 1, 3)))), TypeError, "layer: got Conv"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    call, error, words = REFUSALS[name]
    with pytest.raises(error, match=words):
        call()
