"""Advice: what is listed and what is not, costs by hand, second moments by enumeration, and the command."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.signal
from click.testing import CliRunner, Result
from scipy import stats

from dspref import TransposedConv, parse, tone_lines
from dspref.advice import ROUNDOFF, advise
from dspref.advice.choices import ANY_WEIGHTS, AT_INIT, EXPECTED, Choice
from dspref.advice.combs import expected_lines, mixing, moments, rectified, upsampled
from dspref.advice.fromnoise import from_noise_db, powers
from dspref.advice.plans import FAMILIES, Plan, leak_db, linear_taps, sinc_taps, total_macs, triangle_taps
from dspref.advice.ways import WAYS, spread_db
from dspref.arrays import Array
from dspref.artifacts.prospect import lengths
from dspref.chain import Chain
from dspref.commands.advise import advise as command
from dspref.designs.projection import tone_free

MELGAN = advise((8, 8, 2, 2), 22050, tone_budget_db=-90)


def names(choices: tuple[Choice, ...]) -> set[str]:
    return {c.name for c in choices}


def test_the_must_show_chain() -> None:
    rejected = {"transposed, default", "sub-pixel, default", "sub-pixel ICNR"}
    assert names(MELGAN.rejected) == rejected
    assert names(MELGAN.choices) == {way.name for way in WAYS} - rejected
    assert MELGAN.closest is None
    assert {c.name for c in MELGAN.choices if c.guaranteed} == {
        "nearest + conv",
        "linear + conv",
        "learned linear + conv",
        "sinc, tone-free + conv",
        "transposed, tone-free",
        "sub-pixel, tone-free",
    }


@pytest.mark.parametrize("budget", [-1.0, -10.0, -30.0, -75.5, -90.0, -104.0, -110.0, -200.0])
def test_all_that_is_listed_meets_the_budget_and_nothing_else_does(budget: float) -> None:
    advice = advise((8, 8, 2, 2), 22050, tone_budget_db=budget)
    assert all(c.worst_db <= budget for c in advice.choices)
    assert all(c.worst_db > budget for c in advice.rejected)
    assert len(advice.choices) + len(advice.rejected) == len(WAYS)
    assert [c.macs for c in advice.choices] == sorted(c.macs for c in advice.choices)
    assert [c.worst_db for c in advice.rejected] == sorted(c.worst_db for c in advice.rejected)
    assert (advice.closest is None) == bool(advice.choices)


def test_a_sinc_is_as_long_as_the_budget_asks() -> None:
    taps = []
    for budget in (-40, -70, -100, -130):
        advice = advise((4,), 8000, tone_budget_db=budget, dtype="float64", only=["sinc"], channels=(8, 8))
        (plain,) = (c for c in advice.choices if c.promise == EXPECTED)
        assert plain.level_db is not None
        assert plain.band_db is not None
        assert plain.level_db < plain.band_db[1] <= budget
        taps.append(len(plain.layers[0].taps))
    assert taps == sorted(set(taps))


def test_what_nothing_meets() -> None:
    for dtype, roundoff in ROUNDOFF.items():
        budget = 20 * math.log10(roundoff) - 1
        advice = advise((4,), 22050, tone_budget_db=budget, dtype=dtype)
        assert advice.choices == ()
        assert advice.closest is advice.rejected[0]
        assert advice.closest.promise == ANY_WEIGHTS
        assert advice.closest.worst_db == min(c.floor_db for c in advice.rejected)


@pytest.mark.parametrize("rates", [(3,), (3, 3), (5, 2), (4, 4, 4, 4, 4, 4)])
def test_the_strongest_line_lies_on_the_grid_of_the_chain(rates: tuple[int, ...]) -> None:
    advice = advise(rates, 48000, tone_budget_db=-60, init=["default"], only=["transposed", "subpixel"])
    assert len(advice.rejected) == 2
    for c in advice.rejected:
        assert c.hz is not None
        assert 0 < c.hz <= 24000
        assert (c.hz * math.prod(rates) / 48000).denominator == 1


def test_constraints() -> None:
    transposed = advise((2, 2), 8000, tone_budget_db=-60, only=["transposed"])
    assert {c.family for c in (*transposed.choices, *transposed.rejected)} == {"transposed"}
    default = advise((2, 2), 8000, tone_budget_db=-60, only=["transposed"], init=["default"])
    assert default.choices == ()
    assert default.closest is not None
    assert default.closest.name == "transposed, default"
    assert advise((2, 2), 8000, tone_budget_db=-60, only="transposed", init="default") == default


def test_the_words_are_read_back_with_the_rates_and_without_excess() -> None:
    advice = advise((5, 3, 2), 24000, tone_budget_db=-50, overlap=3, conv_length=7)
    for c in (*advice.choices, *advice.rejected):
        chain = parse(c.words)
        assert [layer.factor for _, layer in chain.upsamplers] == [5, 3, 2]
        assert lengths(chain).excess == 0


def test_costs_by_hand() -> None:
    """Two layers ×4, ×2 from 6 to 3 to 2 channels, per output sample: the first runs at half the output rate."""
    advice = advise((4, 2), 8000, tone_budget_db=-60, channels=(6, 3, 2), conv_length=5)
    of = {c.name: c for c in (*advice.choices, *advice.rejected)}
    assert of["transposed, ones"].macs == Fraction(2 * 6 * 3, 2) + 2 * 3 * 2
    assert of["transposed, triangle"].macs == Fraction(7 * 6 * 3, 4 * 2) + Fraction(3 * 3 * 2, 2)
    assert of["nearest + conv"].macs == Fraction(5 * 6 * 3, 2) + 5 * 3 * 2
    assert of["linear + conv"].macs == of["nearest + conv"].macs + Fraction(2 * 6, 2) + 2 * 3
    assert of["sub-pixel, default"].macs == Fraction(3 * 6 * 3, 2) + 3 * 3 * 2
    assert of["transposed, ones"].parameters == 8 * 6 * 3 + 3 + 4 * 3 * 2 + 2
    assert of["sub-pixel, default"].parameters == 3 * 6 * 12 + 12 + 3 * 3 * 4 + 4
    assert of["sub-pixel ICNR, one bias"].parameters == 3 * 6 * 12 + 3 + 3 * 3 * 4 + 2
    assert of["learned linear + conv"].parameters == 5 * 6 * 3 + 3 + 5 * 3 * 2 + 2 + 6 * 4 + 3 * 2
    assert total_macs(()) == 0


@pytest.mark.parametrize("s", [2, 3, 5, 8])
def test_taps_of_interpolators(s: int) -> None:
    for attenuation in (25.0, 60.0, 90.0):
        taps = np.array(sinc_taps(s, attenuation))
        assert len(taps) % 2 == 1
        assert (taps == taps[::-1]).all()
        assert taps[len(taps) // 2 :: s][0] == 1
        level, k = leak_db(taps, s)
        assert level is not None
        _, H = scipy.signal.freqz(taps, worN=2 * np.pi * np.arange(s) / s)
        assert level == pytest.approx(20 * np.log10(abs(H[k]) / abs(H[0])), abs=1e-3)
        assert level == pytest.approx(20 * np.log10(np.abs(H[1:]).max() / abs(H[0])), abs=1e-3)
        rounding = 20 * np.log10(len(taps) * 2.0**-52)
        assert (leak_db(tone_free(taps, s), s)[0] or -math.inf) < rounding
    beta = scipy.signal.kaiser_beta(60.0)
    half = len(sinc_taps(s, 60.0)) // 2
    window = scipy.signal.windows.kaiser(2 * half + 1, beta)
    assert np.allclose(sinc_taps(s, 60.0), np.sinc(np.arange(-half, half + 1) / s) * window, rtol=0, atol=1e-15)
    assert np.allclose(np.array(triangle_taps(s)).reshape(-1), np.bartlett(2 * s + 1)[1:-1], rtol=0, atol=1e-15)
    assert sum(linear_taps(s)) == pytest.approx(s, rel=1e-15)


@pytest.mark.parametrize(("K", "s"), [(4, 2), (5, 2), (9, 3), (7, 4)])
def test_projection_is_the_nearest_of_all_tone_free_taps(K: int, s: int) -> None:
    """By another route: least squares under the linear constraints "phase r has the gain of phase 0"."""
    h = np.random.default_rng(K).standard_normal(K)
    box = np.zeros((s - 1, K))
    for r in range(1, s):
        box[r - 1, r::s], box[r - 1, ::s] = 1, -1
    nearest = h - np.linalg.pinv(box) @ (box @ h)
    assert np.allclose(tone_free(h, s), nearest, rtol=0, atol=K * 1e-15)
    lines = tone_lines(Chain([TransposedConv(tone_free(h, s)[None, None], stride=s)]))
    assert all(abs(line.amplitude[0]) < K * 1e-15 for line in lines[1:] if line.amplitude is not None)
    with pytest.raises(ValueError, match="taps: got 1"):
        tone_free([1.0], 2)


def test_a_leak_where_dc_alone_is_gone() -> None:
    assert leak_db([1, -1], 2) == (math.inf, 1)
    assert leak_db([0, 0], 2) == leak_db([1, 1], 2) == (None, 0)


def enumerated(plan: Plan, F: Array) -> Array:
    """Return the second moments behind a layer of one channel by trying all signs of its weights: no statistics."""
    s, K = plan.factor, plan.length
    rows = s if plan.family == "subpixel" else 1
    σ = math.sqrt(1 / (3 * plan.fan_in))
    total, count = np.zeros((len(F) * s, len(F) * s)), 0
    free = plan.length * (1 if plan.init == "icnr" else rows)
    biases = {"none": 0, "equal": 1, "default": rows}[plan.bias]
    for signs in itertools.product((-σ, σ), repeat=free + biases):
        w, b = np.array(signs[:free]), np.array(signs[free:]) if biases else np.zeros(1)
        if plan.init == "tone-free":
            w = tone_free(w, s)
        if plan.init == "ones":
            w = np.full(K, w[0])
        A = np.zeros((len(F) * s, len(F)))
        for n in range(len(F)):
            for k in range(K):
                for r in range(s if plan.family == "subpixel" else 1):
                    tap = w[k] if plan.family == "transposed" or plan.init == "icnr" else w[r * K + k]
                    place = n * s + k if plan.family == "transposed" else (n + k) * s + r
                    A[place % len(A), n] += tap
        mean = np.resize(b, len(A))
        total, count = total + A @ F @ A.T + np.outer(mean, mean), count + 1
    return total / count


@pytest.mark.parametrize(
    "plan",
    [
        Plan("transposed", 2, (1, 1), 4),
        Plan("transposed", 3, (1, 1), 4),
        Plan("transposed", 2, (1, 1), 4, "tone-free"),
        Plan("transposed", 2, (1, 1), 4, "ones"),
        Plan("subpixel", 2, (1, 1), 3),
        Plan("subpixel", 3, (1, 1), 2, "icnr"),
        Plan("subpixel", 2, (1, 1), 3, "icnr", "equal"),
        Plan("subpixel", 2, (1, 1), 3, "icnr", "none"),
    ],
    ids=lambda p: f"{p.family}-{p.init}-{p.bias}-{p.length}",
)
def test_second_moments_by_enumerating_all_signs(plan: Plan) -> None:
    x = np.array([1.0, -2.0, 0.5])
    for F in (np.ones((1, 1)), np.outer(x, x)):
        assert np.allclose(upsampled(F, plan), enumerated(plan, F), rtol=0, atol=1e-12)


def test_second_moments_of_the_largest_factor_take_no_loop_over_its_taps() -> None:
    """3072 taps, whose 3 · 2²⁰ products of one weight with itself were too many to be added one after another."""
    F = upsampled(np.array([[2.0]]), Plan("subpixel", 1024, (1, 1), 3, "icnr"))
    assert ((3 * 2.0 + np.eye(1024)) * (1 / 9) == F).all()
    (found,) = advise((1024, 8), 22050, tone_budget_db=-90, only="subpixel", init="icnr").rejected[:1]
    assert found.name == "sub-pixel ICNR"


def test_lines_of_the_comb_of_a_random_kernel() -> None:
    """THEORY 7: without a bias every line has the power of DC, for partial and full overlap alike."""
    for K in (4, 5, 8):
        lines = expected_lines((Plan("transposed", 4, (3, 5), K, bias="none"),))
        assert np.allclose(lines, lines[0], rtol=1e-12)
        assert lines[0] == pytest.approx(3 * K / (3 * 5 * K) / 16, rel=1e-12)


def test_ways_that_promise_no_line_have_none_on_average_either() -> None:
    advice = advise((3, 2), 8000, tone_budget_db=-60, channels=(3, 3, 3))
    for c in advice.choices:
        power = expected_lines(c.layers)
        if c.promise in (ANY_WEIGHTS, AT_INIT):
            assert power[1:].max() < 1e-14 * power[0]


def test_periods_beyond_the_largest_are_cut() -> None:
    """Of six layers by four the first is taken for a constant of its mean power, rectified."""
    plans = tuple(Plan("transposed", 4, (4, 4), 8) for _ in range(6))
    cut = expected_lines(plans)
    power = float(moments(plans[:1], 1.0, 1.0).diagonal().mean())
    gain = (1 + 0.2**2) / 2
    assert len(cut) == 513
    assert np.allclose(expected_lines(plans[1:], power=gain * power), cut, rtol=1e-12)


def test_a_leaky_rectifier_of_equal_values_and_of_independent_ones() -> None:
    a, q = 0.2, 3.0
    assert np.allclose(rectified(np.full((2, 2), q), a), (1 + a**2) * q / 2)
    apart = rectified(np.diag([q, q]), a)
    assert apart[0, 1] == pytest.approx(((1 - a) * math.sqrt(q / (2 * math.pi))) ** 2)
    assert rectified(np.zeros((1, 1)), a)[0, 0] == 0
    assert np.allclose(rectified(np.array([[2.0, 1.0], [1.0, 3.0]]), 1.0), [[2, 1], [1, 3]])


@pytest.mark.parametrize("C", [1, 2, 9, 64])
def test_the_band_of_one_layer_is_that_of_f(C: int) -> None:
    for lines in (1, 100):
        low, high = spread_db([C], lines=lines)
        assert low == pytest.approx(10 * math.log10(stats.f(C, C).ppf(0.025)), rel=1e-9)
        assert high == pytest.approx(10 * math.log10(stats.f(C, C).isf(0.025 / lines)), rel=1e-6)


def test_the_band_of_two_layers_holds_95_percent_of_their_product() -> None:
    """Of 100 000 draws, 95 % lie within; the share's standard deviation is 0.0007, and five of them are allowed."""
    rng = np.random.default_rng(0)
    product = 10 * np.log10(rng.f(8, 8, 100_000) * rng.f(3, 3, 100_000))
    low, high = spread_db([8, 3])
    assert ((low < product) & (product < high)).mean() == pytest.approx(0.95, abs=0.0035)


BAD: dict[str, dict[str, Any]] = {
    "rates: got none": {"rates": ()},
    "rate: got 0": {"rates": (8, 0)},
    "rate: got 1": {"rates": (1,)},
    "rate: got 2.5": {"rates": (2.5,)},
    "rate: got True": {"rates": (True,)},
    "rates: got '8,8'": {"rates": "8,8"},
    "rate: got 1025": {"rates": (2, 1025)},
    "product of rates: got 16384": {"rates": (128, 128)},
    "overlap: got 8; allowed: at most 4 for a factor of 1024": {"rates": (2, 1024), "overlap": 8},
    "subpixel_length: got 65; allowed: at most 64 for a factor of 64": {"rates": (64,), "subpixel_length": 65},
    "tone budget: got 0": {"tone_budget_db": 0},
    "tone budget: got 3": {"tone_budget_db": 3},
    "tone budget: got nan": {"tone_budget_db": math.nan},
    "tone budget: got -inf": {"tone_budget_db": -math.inf},
    "output rate: got 0": {"sr": 0},
    "output rate: got -1": {"sr": -1},
    "output rate: got nan": {"sr": math.nan},
    "channels: got 2 numbers": {"channels": (4, 4)},
    "channels: got 0": {"channels": (4, 0, 4)},
    "conv_length: got 8": {"conv_length": 8},
    "overlap: got 0": {"overlap": 0},
    "subpixel_length: got 2": {"subpixel_length": 2},
    "dtype: got 'float8'": {"dtype": "float8"},
    "did you mean 'nearest'": {"only": ["nearset"]},
    "did you mean 'default'": {"init": ["defalt"]},
    "allowed: nearest: default": {"only": ["nearest"], "init": ["icnr"]},
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused(words: str) -> None:
    arguments: dict[str, Any] = {"rates": (2, 2), "sr": 8000, "tone_budget_db": -60, **BAD[words]}
    with pytest.raises((ValueError, TypeError), match=words.replace("(", r"\(")):
        advise(**arguments)


def run(*words: str) -> Result:
    return CliRunner().invoke(command, words)


def test_the_command_in_words() -> None:
    result = run("--rates", "8,8,2,2", "--sr", "22050", "--tone-budget", "-90")
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    listed, rejected = result.output.split("Rejected")
    assert all(f"\n{c.name} " in listed for c in MELGAN.choices)
    assert "transposed, default" in rejected
    assert "nearest x8 | conv k9 p4 | nearest x8" in result.output
    assert "inf" not in result.output


def test_the_command_reads_the_minus_sign_of_print() -> None:
    words = ("--rates", "4,2", "--sr", "22050", "--tone-budget")
    assert run(*words, "\N{MINUS SIGN}90").output == run(*words, "-90").output


def test_the_command_as_json() -> None:
    document = json.loads(
        run(*["--rates", "8,8,2,2", "--sr", "22050", "--tone-budget", "-90", "--format", "json"]).output
    )
    assert document["schema"] == "dspref.advise/1"
    assert [c["name"] for c in document["choices"]] == [c.name for c in MELGAN.choices]
    for c in document["choices"]:
        assert c["null"] == (c["level_db"] is None)
        assert math.prod(layer.factor for _, layer in parse(c["spec"]).upsamplers) == 256
        assert len(c["layers"]) == 4


def test_the_command_where_nothing_meets() -> None:
    for words in ("--tone-budget -400", "--tone-budget -90 --only transposed --init default"):
        result = run(*f"--rates 4,2 --sr 22050 {words}".split())
        assert result.exit_code == 1
        assert "Nothing meets the budget. Closest: transposed" in result.output
    document = json.loads(run(*["--rates", "8", "--sr", "8000", "--tone-budget", "-400", "--format", "json"]).output)
    assert (document["choices"], document["closest"]) == ([], document["rejected"][0]["name"])


@pytest.mark.parametrize(
    "words",
    [
        "--rates 8,x --sr 1 --tone-budget -9",
        "--rates , --sr 1 --tone-budget -9",
        "--rates 8 --sr 1 --tone-budget nan",
        "--rates 8 --sr 1 --tone-budget loud",
        "--rates 8 --sr 0 --tone-budget -9",
        "--rates 8 --sr 1 --tone-budget -9 --only no",
        "--rates 8 --sr 1 --tone-budget -9 --channels 1,2,3",
        "--sr 1 --tone-budget -9",
    ],
)
def test_the_command_refuses_with_exit_code_2(words: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Error" in result.output


def test_families_are_all_considered() -> None:
    assert {way.family for way in WAYS} == set(FAMILIES)


def test_powers_of_phases_by_quadrature() -> None:
    """Gauss and Legendre's three nodes are exact for w⁴; and lines of equal phases fall as channels that come in."""
    plan = Plan("nearest", 2, (1, 1), 3, taps=(1.0, 1.0))
    x, p = np.polynomial.legendre.leggauss(3)
    w, weight = (np.array(list(itertools.product(each, repeat=3))) for each in (np.sqrt(3) * x, p / 2))
    y = w @ mixing(plan).T
    v, chance = np.stack([(y[:, r::2] ** 2).sum(axis=1) for r in range(2)], axis=1), weight.prod(axis=1)
    e, K = powers(plan)
    mean = chance @ v
    assert np.abs(e - mean).max() <= 100 * 2.0**-53 * mean.max()
    assert np.abs(K - ((v - mean).T * chance) @ (v - mean)).max() <= 100 * 2.0**-53 * (chance @ v**2).max()
    few, many = (from_noise_db(Plan("transposed", 4, channels, 8)) for channels in ((2, 8), (8, 2)))
    assert few is not None
    assert many is not None
    assert abs(few - many - 10 * np.log10(4)) <= 1000 * 2.0**-53
