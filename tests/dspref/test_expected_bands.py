"""Bands of one line: the law between exponential and χ² by quadrature, and from drawn lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from dspref import Linear
from dspref.chain import Pointwise
from dspref.expected import Comb, Drawn, Source, expected_spectrum, fixed
from dspref.expected.bands import quantile, share
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
