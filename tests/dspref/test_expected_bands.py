"""Bands of one line: the law between exponential and χ² by quadrature, and from drawn lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from dspref import Linear
from dspref.chain import Pointwise
from dspref.expected import Comb, Drawn, Source, Step, expected_spectrum, fixed
from dspref.expected.bands import quantile, share
from dspref.expected.kernelmaps import slope
from dspref.expected.moments import Moments, pseudo

SHARES = (1e-6, 0.05, 0.3, 0.5, 0.95, 0.999)


@pytest.mark.parametrize("q", SHARES)
def test_ends_are_known_laws(q: float) -> None:
    assert quantile(q) == pytest.approx(stats.expon.ppf(q), rel=1e-12)
    assert quantile(q, r=1.0) == pytest.approx(stats.chi2(1).ppf(q), rel=1e-9)


@pytest.mark.parametrize("r", [0.1, 0.6, 0.95, 0.999])
def test_between_them_is_a_mixture(r: float) -> None:
    """P((1 + r)/2 X² + (1 − r)/2 Y² <= x), as an integral over Y of the error function."""
    for q in SHARES[1:5]:
        x = quantile(q, r=r)
        end = math.sqrt(2 * x / (1 - r))

        def inner(y: float, x: float = x) -> float:
            left = max(x - (1 - r) / 2 * y * y, 0.0)
            return float(math.erf(math.sqrt(left / (1 + r))) * math.exp(-y * y / 2) * math.sqrt(2 / math.pi))

        due = integrate.quad(inner, 0, min(end, 10.0), epsabs=1e-11)[0]
        assert due == pytest.approx(q, abs=1e-8)
        assert share(x, r=r) == pytest.approx(q, abs=1e-12)


def test_share_of_nothing() -> None:
    assert share(0.0, r=0.3) == 0
    assert share(1e9, r=0.3) == 1


def test_pseudo_powers_are_sums_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((6, 6))
    x = Moments.of(Source(1))
    x = Moments(A + A.T, x.lags, np.zeros((1, 6)), np.zeros(6), x.spread.rows(np.zeros(6, int)))
    n = np.arange(6)
    due = [(x.F * np.exp(-2j * np.pi * k * (n[:, None] + n) / 6)).sum() / 36 for k in n]
    assert np.abs(pseudo(x) - due).max() <= 1e-14


@pytest.mark.parametrize(("length", "r"), [(1, 1.0), (2, 0.0), (3, 1 / 3), (4, 0.0)])
def test_a_tone_of_one_phase_is_real_but_for_the_kernel(length: int, r: float) -> None:
    """Linear ×4, 1×1, relu: c_1 is of one phase in each channel; behind K taps, r = |Σ e^{−jπk}|/K at sr/4."""
    steps = (
        fixed(Linear(4)),
        Drawn("conv", 512, 512, 1, bias=0),
        Pointwise("relu"),
        Drawn("conv", 512, 1, length, bias=0),
    )
    comb = expected_spectrum(steps, Source(512, covariance=(1.0,))).combs[1]
    assert comb.divisor == 4
    assert comb.r == pytest.approx(r, abs=1e-6)
    law = "between" if length == 3 else "exponential" if length % 2 == 0 else "chi2_1"
    assert comb.law == law


def test_combs_of_whole_overlap_have_lines_of_random_phase() -> None:
    steps = (Drawn("convt", 4, 4, 8, factor=4), Pointwise("leaky"), Drawn("convt", 4, 4, 9, factor=3))
    for route in ("combs", "full"):
        combs = expected_spectrum(steps, Source(4, constant=1.0), route=route).combs
        assert [comb.law for comb in combs] == ["chi2_1", "exponential", "exponential"]
    partial = expected_spectrum([Drawn("convt", 4, 4, 7, factor=4, bias=0)], Source(4, constant=1.0)).combs[1]
    assert partial.r == pytest.approx(1 / 7, abs=1e-12)


def test_bands_hold_the_shares_of_drawn_lines() -> None:
    """A transposed layer of partial overlap on ones, normal weights: 4000 kernels are 4000 draws of c_1, r = 1/7."""
    rng, n = np.random.default_rng(3), 4000
    w = rng.standard_normal((n, 7))
    power = np.abs(w @ np.exp(-2j * np.pi * np.arange(7) / 4)) ** 2 / 7
    for q in (0.05, 0.5, 0.95):
        error = math.sqrt(q * (1 - q) / n)
        assert abs((power < quantile(q, r=1 / 7)).mean() - q) <= 4.5 * error


@pytest.mark.parametrize("q", [0.0, 1.0, -1.0, math.nan])
def test_shares_that_are_none_are_refused(q: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        Comb(4, 1.0).quantile_db(q)


def test_r_beyond_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="r: got"):
        quantile(0.5, r=1.5)


def test_no_line_has_no_band() -> None:
    assert (Comb(4, 0.0).low, Comb(4, 0.0).high) == (None, None)


@pytest.mark.parametrize("route", ["combs", "full"])
def test_no_band_behind_a_map_but_one_behind_a_kernel(route: str) -> None:
    up, source = Drawn("convt", 8, 8, 8, factor=4), Source(8, constant=1.0)
    behind = expected_spectrum([up, Pointwise("relu")], source, route=route).combs
    assert [(comb.low, comb.high, comb.law) for comb in behind] == [(None, None, "unknown")] * 2
    with pytest.raises(ValueError, match="quantile"):
        behind[0].quantile_db(2.0)
    nets: tuple[list[Step], ...] = ([up], [up, Pointwise("relu"), Drawn("conv", 8, 8, 3)])
    for net in nets:
        assert all(comb.low is not None for comb in expected_spectrum(net, source, route=route).combs)


def test_no_band_for_constants_that_are_known() -> None:
    assert expected_spectrum([fixed(Linear(4))], Source(1, 1.0)).combs[0].low is None


@pytest.mark.parametrize("route", ["combs", "full"])
def test_a_band_behind_a_map_that_is_nearly_linear(route: str) -> None:
    """Behind tanh, of 10⁴ constants drawn: the linear part makes 90 % of a line, and moves no end by more than 1 dB."""
    rng, n, q = np.random.default_rng(5), 10**4, 0.2
    net: list[Step] = [Drawn("convt", 1, 1, 4, factor=4, weight=q, bias=0), Pointwise("tanh")]
    comb = expected_spectrum(net, Source(1, 1.0), route=route).combs[1]
    c = np.fft.fft(np.tanh(math.sqrt(q) * rng.standard_normal((n, 4))))[:, 1] / 4
    assert comb.low is not None
    assert comb.high is not None
    for end, due in ((comb.low, 0.05), (comb.high, 0.95)):
        below, above = ((np.abs(c) ** 2 < 10 ** ((end + move) / 10)).mean() for move in (-1, 1))
        assert below < due < above
    loud: list[Step] = [Drawn("convt", 1, 1, 4, factor=4, weight=2, bias=0), Pointwise("tanh")]
    assert all(comb.low is None for comb in expected_spectrum(loud, Source(1, 1.0), route=route).combs)


def test_the_linear_part_of_a_map_by_quadrature() -> None:
    for stage in (Pointwise("relu"), Pointwise("silu"), Pointwise("snake", (2.0,))):

        def weighted(x: float, stage: Pointwise = stage) -> float:
            return float(x * stage(np.array([[math.sqrt(0.7) * x]]))[0, 0] * stats.norm.pdf(x))

        due = integrate.quad(weighted, -12, 0)[0] + integrate.quad(weighted, 0, 12)[0]
        assert slope(stage, 0.7) == pytest.approx(due / math.sqrt(0.7), abs=1e-9)
    assert slope(Pointwise("relu"), 0.0) == 0


def test_the_strongest_line_of_a_comb() -> None:
    """Linear ×4 and relu: nothing at sr/2, so that the two lines at ±sr/4 are 3/2 of the mean."""
    net = (fixed(Linear(4)), Drawn("conv", 512, 512, 1, bias=0), Pointwise("relu"))
    found = expected_spectrum(net, Source(512, covariance=(1.0,)))
    assert found.lines is not None
    comb = found.combs[1]
    assert comb.strongest == found.lines[1:].max() == pytest.approx(1.5 * comb.power, rel=1e-6)
    equal = expected_spectrum([Drawn("convt", 4, 4, 8, factor=4)], Source(4, 1.0), route="full").combs
    assert [each.strongest_db for each in equal] == [None, None]


def test_combs_are_whole_numbers() -> None:
    with pytest.raises(ValueError, match="divisor: got 0"):
        Comb(0, 1.0)
    found = expected_spectrum([Drawn("convt", 1, 1, 2, factor=2)], Source(1, 1.0))
    with pytest.raises(ValueError, match=r"line: got 0\.5"):
        found.line(0.5)  # type: ignore[arg-type]
