"""Lines of noise behind planned layers: in closed form, by enumeration of signs, by draws, and against `forecast`."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspref import Pointwise
from dspref.advice import advise
from dspref.advice import fromnoise as module
from dspref.advice.combs import mixing
from dspref.advice.fromnoise import from_noise_db, powers
from dspref.advice.plans import Plan, linear_taps, nearest_taps, triangle_taps
from dspref.arrays import Array
from dspref.artifacts.rules import rule
from dspref.expected import Drawn, Fixed, Source, forecast
from tests.strategies import QUIET


def held(s: int, K: int, C: int) -> Plan:
    return Plan("nearest", s, (C, C), K, taps=nearest_taps(s))


PLANS = {
    "nearest": held(3, 4, 2),
    "linear": Plan("linear", 2, (1, 1), 3, taps=linear_taps(2)),
    "transposed": Plan("transposed", 2, (1, 1), 5),
    "tone-free": Plan("transposed", 2, (1, 1), 5, "tone-free"),
    "triangle": Plan("transposed", 3, (1, 1), 5, "triangle"),
    "sub-pixel": Plan("subpixel", 2, (1, 1), 2),
    "icnr": Plan("subpixel", 2, (1, 1), 2, "icnr"),
}


def phase_powers(plan: Plan, w: Array) -> Array:
    """Return the power of each phase by definition, of weights (..., weight)."""
    h = w @ mixing(plan).T
    return np.stack([(h[..., r :: plan.factor] ** 2).sum(-1) for r in range(plan.factor)], -1)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_means_and_covariances_are_those_of_all_signs(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of weights ±1, E w⁴ = 1: all of their patterns can be run."""
    monkeypatch.setattr(module, "EXCESS", -2)
    patterns = np.array(list(itertools.product((-1, 1), repeat=mixing(plan).shape[1])), float)
    v = phase_powers(plan, patterns)
    e, K = powers(plan)
    bound = 64 * np.finfo(float).eps * e.max() ** 2 * len(patterns)
    assert np.abs(e - v.mean(axis=0)).max() <= bound
    assert np.abs(K - np.cov(v, rowvar=False, bias=True)).max() <= bound


@pytest.mark.parametrize(("s", "K", "C"), [(2, 2, 8), (3, 2, 64), (4, 8, 32), (4, 9, 32), (8, 7, 16), (5, 40, 128)])
def test_nearest_neighbour_in_closed_form(s: int, K: int, C: int) -> None:
    """``Σ_d (K − d) (sin πdk/s / sin πk/s)² / (C K² s²)``: a multiple of s is no better than its neighbours."""
    k = np.arange(1, s)[:, None]
    d = np.arange(1, min(K, s))
    power = ((K - d) * (np.sin(np.pi * d * k / s) / np.sin(np.pi * k / s)) ** 2).sum(1) / (C * K**2 * s**2)
    level = from_noise_db(held(s, K, C))
    assert level is not None
    assert abs(10 ** (level / 10) / power.max() - 1) <= 64 * (K + s) * np.finfo(float).eps


def test_draws_of_uniform_weights() -> None:
    """The mean over draws, within four of its standard errors and the terms of order 1/C² that are left out."""
    rng, C, draws = np.random.default_rng(0), 64, 1000
    plans = (held(4, 9, C), Plan("transposed", 4, (C, 1), 8, "tone-free"), Plan("transposed", 3, (C, 1), 8))
    for plan in plans:
        w = rng.uniform(-1, 1, (draws, C, mixing(plan).shape[1]))
        c = np.abs(np.fft.fft(np.sqrt(phase_powers(plan, w).sum(1)), axis=-1)) ** 2
        k = 1 + int(c.mean(axis=0)[1:].argmax())
        seen, error = c[:, k].mean() / c[:, 0].mean(), c[:, k].std() / c[:, 0].mean() / math.sqrt(draws)
        level = from_noise_db(plan)
        assert level is not None
        assert abs(seen - 10 ** (level / 10)) <= 4 * error + seen * plan.factor / C


@pytest.mark.parametrize("K", [1, 8, 9])
def test_what_a_forecast_of_the_network_says(K: int) -> None:
    net: list[Fixed | Drawn | Pointwise] = [
        Fixed(np.ones(4), factor=4),
        Drawn("conv", 32, 512, K, bias=0),
        Pointwise("relu"),
    ]
    expected = forecast(net, Source(32, covariance=(1.0,))).expected
    assert expected is not None
    strongest = max(expected.line(k) for k in range(1, expected.period // 2 + 1))
    level = from_noise_db(held(4, K, 32))
    assert (level is None) == (strongest == 0) == (K == 1)
    if level is not None:  # both leave out what is smaller by 1/C
        assert abs(strongest / expected.line(0) / 10 ** (level / 10) - 1) < 1 / 32


def test_what_never_makes_a_line_of_noise() -> None:
    assert from_noise_db(Plan("transposed", 4, (8, 8), 8, "ones")) is None
    assert from_noise_db(Plan("subpixel", 4, (8, 8), 3, "icnr")) is None
    assert from_noise_db(Plan("transposed", 4, (8, 8), 7, "triangle")) is not None
    for plan in (  # equal up to rounding alone, whose transform is not 0
        Plan("transposed", 5, (8, 8), 5, "tone-free"),
        Plan("subpixel", 5, (8, 8), 3, "icnr"),
        held(7, 1, 8),
    ):
        assert from_noise_db(plan) is None
    assert len(triangle_taps(4)) % 4  # phases of one and of two taps


@pytest.mark.parametrize(("s", "K", "C"), [(2, 1, 8), (3, 2, 64), (7, 3, 1)])
def test_phases_without_taps_are_silent(s: int, K: int, C: int) -> None:
    """Of K < s phases, a weight each: ``(sin πKk/s / sin πk/s)² + K (2 + EXCESS)/(4C)``, over K²."""
    k = np.arange(1, s)
    power = ((np.sin(np.pi * K * k / s) / np.sin(np.pi * k / s)) ** 2 + K * (2 + module.EXCESS) / (4 * C)) / K**2
    level = from_noise_db(Plan("transposed", s, (C, 1), K))
    assert level is not None
    assert abs(10 ** (level / 10) / power.max() - 1) <= 64 * (K + s) * np.finfo(float).eps


@QUIET(max_examples=60)
@given(st.integers(2, 4), st.lists(st.integers(-2, 2), min_size=1, max_size=6), st.integers(1, 5))
def test_any_taps_have_a_level_or_no_line(s: int, taps: list[int], K: int) -> None:
    """Silent phases, or nothing but silence: a finite level or none, and never a warning, which is an error here."""
    plan = Plan("sinc", s, (4, 2), K, taps=tuple(map(float, taps)))
    level, v = from_noise_db(plan), powers(plan)[0]
    assert level is None or math.isfinite(level)
    if (v == 0).any():
        assert (level is None) == (not v.any())


def test_advice_has_that_column_and_the_rule_offers_no_more() -> None:
    found = advise((4, 4), 16000, tone_budget_db=-90, channels=(32, 32, 1))
    levels = {c.name: c.noise_db for c in (*found.choices, *found.rejected)}
    assert levels["nearest + conv"] == from_noise_db(held(4, 9, 32))
    assert {name for name, level in levels.items() if level is None} == {
        "transposed, ones",
        "sub-pixel ICNR",
        "sub-pixel ICNR, no bias",
        "sub-pixel ICNR, one bias",
    }
    assert "1/channels" in rule("UA106").cure
