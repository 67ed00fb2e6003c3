"""DC leakage by four routes: exact phase gains, the response at k/L, FFT of an answer, lines measured in a signal."""

from __future__ import annotations

import json
import math
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
    NotAnalysable,
    SubpixelConv,
    TransposedConv,
    ZeroStuff,
    leakage,
    measure_lines,
    parse,
)
from dspref.arrays import Array
from dspref.designs import Cubic, KaiserSinc, WindowedSinc, tone_free
from dspref.leaks.lines import Leakage, leakage_lines
from tests.strategies import QUIET

NINE = (4066, 6261, 8133, 9391, 9834, 9391, 8133, 6261, 4066)

RESAMPLE_POLY = {2: -65.72, 3: -70.37, 4: -71.74, 8: -72.97}


def by_response(taps: Array, L: int, k: int) -> float:
    """Return 20 log₁₀ abs(H(k/L)/H(0)) from the sum over taps."""
    waves = np.exp(-2j * np.pi * k * (np.arange(taps.shape[-1]) % L) / L)
    return float(20 * np.log10(abs((taps * waves).sum() / taps.sum())))


def close(level: float, other: float | None, *, terms: int) -> bool:
    """Return whether two levels agree but for the rounding of `terms` terms, seen from the line below DC."""
    assert other is not None
    return abs(level - other) <= 8.69 * 4 * terms * 2.0**-53 * 10 ** (max(0.0, -level) / 20)


@QUIET(max_examples=40)
@given(st.integers(2, 6), st.lists(st.integers(-20, 20), min_size=1, max_size=16))
def test_four_routes_agree(L: int, taps: list[int]) -> None:
    h = np.array(taps)
    if h.sum() == 0:
        with pytest.raises(NotAnalysable, match="nothing of a constant passes"):
            leakage(h, L)
        return
    found = leakage(h, L)
    layer = FilterInterp(L, h)
    asked = leakage(lambda x: layer(x[None])[0], L, time=96)
    y = layer(np.ones((1, 80 * L)))[0, layer.normal.steady(80 * L)]
    offset, *measured = measure_lines(y[: len(y) // L * L], [Fraction(k, L) for k in range(L // 2 + 1)])
    for line, other, seen in zip(found.lines, asked.lines, measured, strict=True):
        exact = sum(sympy.Integer(v) * sympy.Symbol("z") ** n for n, v in enumerate(taps))
        q = line.freq.denominator
        assert line.exact
        assert line.null == (sympy.rem(exact, sympy.cyclotomic_poly(q, sympy.Symbol("z"))) == 0)
        if line.null:
            assert other.null
            assert seen.level_db - offset.level_db <= -240  # nothing but rounding
        else:
            assert close(by_response(h, L, line.k), line.dbc, terms=20)
            assert close(line.dbc or 0, other.dbc, terms=80)
            assert close(line.dbc or 0, seen.level_db - offset.level_db, terms=1024)


@pytest.mark.parametrize("L", RESAMPLE_POLY)
def test_resample_poly_leaks(L: int) -> None:
    """The filter, the function, and the spectrum of its output."""
    asked = leakage(lambda x: signal.resample_poly(x, L, 1), L)
    taps = leakage(L * signal.firwin(20 * L + 1, 1 / L, window=("kaiser", 5.0)), L)
    y = signal.resample_poly(np.ones(400), L, 1)[40 * L : 360 * L]
    offset, line = measure_lines(y, [Fraction(0), Fraction(1, L)])
    assert asked.worst_dbc is not None
    assert round(asked.worst_dbc, 2) == RESAMPLE_POLY[L]
    assert close(asked.worst_dbc, taps.worst_dbc, terms=100)
    assert close(asked.worst_dbc, line.level_db - offset.level_db, terms=1024)
    assert asked.lines[0].dbc == asked.worst_dbc


@pytest.mark.parametrize("ratio", range(2, 11))
def test_kaiser_sinc_leaks_but_at_ratio_2(ratio: int) -> None:
    layer = KaiserSinc(ratio)
    found, asked = leakage(layer), leakage(lambda x: layer(x[None])[0], ratio, time=128)
    if ratio == 2:
        assert (found.lines[0].null, found.lines[0].exact) == (True, True)
        assert asked.tone_free
        return
    assert found.worst_dbc is not None
    assert -65.65 <= found.worst_dbc <= -62.75  # "−62.8 … −65.6"
    assert close(found.worst_dbc, asked.worst_dbc, terms=100)
    assert close(found.worst_dbc, by_response(layer.taps, ratio, 1), terms=100)
    assert [line.null for line in found.lines] == [2 * k == ratio for k in range(1, ratio // 2 + 1)]


def test_levels_of_kaiser_sinc() -> None:
    levels = [leakage(KaiserSinc(r)).worst_dbc or 0 for r in range(3, 11)]
    assert [round(level, 1) for level in (levels[0], levels[-1])] == [-62.8, -65.6]
    assert levels == sorted(levels, reverse=True)


def test_the_nine_taps_and_their_cures() -> None:
    """One tap less by 383 on either side is a cure; the nearest one spreads the change over all nine."""
    found = leakage(
        NINE,
        3,
    )
    sums = [sum(NINE[r::3]) for r in range(3)]
    assert sums == [21590, 22356, 21590]
    assert found.lines[0].hz(48000) == 16000
    assert round(found.worst_dbc or 0, 2) == -38.65
    assert found.cure is not None
    mended = [v if v != 6261 else 5878 for v in NINE]
    assert leakage(mended, 3).tone_free
    assert leakage(found.cure.taps, 3).tone_free
    ours, theirs = (sum((a - b) ** 2 for a, b in zip(c, NINE, strict=True)) for c in (found.cure.taps, mended))
    assert ours < theirs
    assert found.cure.change_db == pytest.approx(10 * math.log10(ours / sum(v * v for v in NINE)), abs=1e-9)


@pytest.mark.parametrize("layer", [Nearest(5), Linear(3), Linear(4), Cubic(3), Cubic(2)])
def test_interpolators_are_exactly_tone_free(layer: Any) -> None:
    found = leakage(layer)
    assert found.tone_free
    assert all(line.exact for line in found.lines)
    assert (found.worst_dbc, found.cure, found.resolution_dbc) == (None, None, None)
    assert leakage(layer, layer.factor) == found
    asked = leakage(lambda x: layer(x[None])[0], layer.factor, time=96)
    assert asked.tone_free
    assert (asked.resolution_dbc or 0) < -280


def test_a_stretch_alone_leaks_everything() -> None:
    found = leakage(ZeroStuff(4))
    assert [line.dbc for line in found.lines] == [0, 0]
    assert found.cure is None
    assert "no cure: tone-free taps: got 1 taps for factor 4, 3 phases without a tap" in found.note


def test_chains_normal_forms_and_biases() -> None:
    rng = np.random.default_rng(0)
    first = TransposedConv(rng.integers(-9, 9, (2, 3, 4)), stride=2, bias=np.array([1, 2, 3]))
    second = SubpixelConv(rng.integers(1, 9, (4, 3, 3)), 2, bias=np.array([5, 0, -5, 1]))
    chain = Chain([first, second])
    found = leakage(chain)
    assert found == leakage(chain.collapse()) == leakage(chain.collapse().h, 4)
    period = chain.offset_response(1) - chain.offset_response(0)  # what the biases make is no leakage
    c = np.abs(np.fft.fft(period.astype(float), axis=-1))
    for line in found.lines:
        assert close(20 * math.log10((c[:, line.k] / c[:, 0]).max()), line.dbc, terms=100)


def test_offsets_of_several_channels() -> None:
    """Taps that cancel for equal offsets do not for others."""
    taps = np.array([[[2, 1], [0, 1]]])
    assert leakage(taps, 2).tone_free
    assert leakage(taps, 2, offset=[1, 1]).tone_free
    assert leakage(taps, 2, offset=[1, 0]).worst_dbc == pytest.approx(20 * math.log10(1 / 3))
    with pytest.raises(ValueError, match=r"offset: got shape \(3,\); allowed: a number, or 2 of them"):
        leakage(taps, 2, offset=[1, 0, 1])


def test_the_worst_channel_counts_and_silent_ones_do_not() -> None:
    taps = np.array([[[2, 1]], [[0, 0]], [[3, 1]]])
    assert leakage(taps, 2).worst_dbc == pytest.approx(20 * math.log10(2 / 4))
    with pytest.raises(NotAnalysable, match="levels re DC: got output channel 1, where nothing of a constant passes"):
        leakage(np.array([[[2, 1]], [[1, -1]]]), 2)


def test_rounding_of_taps_is_no_tone() -> None:
    """Thirds in doubles are no thirds: what is left is not proved to be nothing, but counts as nothing."""
    found = leakage([1 / 3, 2 / 3, 1.0, 2 / 3, 1 / 3], 3)
    assert [(line.null, line.exact, line.dbc) for line in found.lines] == [(True, False, None)]
    assert found.resolution_dbc is not None
    assert -320 < found.resolution_dbc < -300
    scaled = leakage(WindowedSinc(3, zeros=24, scale="phases"))
    assert scaled.tone_free
    assert "no tone above -2" in scaled.verdict
    single = leakage(WindowedSinc(3, zeros=24, scale="phases").taps.astype(np.float32), 3)
    assert single.tone_free
    assert (single.resolution_dbc or 0) == pytest.approx((scaled.resolution_dbc or 0) + 20 * math.log10(2) * 29, abs=1)


def test_fractions_are_not_rounded() -> None:
    """A difference of 10⁻³⁰ is a tone of −600 dBc; huge integers are no trouble."""
    small = Fraction(1, 10**30)
    assert leakage([1 + small, 1], 2).worst_dbc == pytest.approx(20 * math.log10(0.5e-30))
    assert leakage([10**400, 1, 10**400], 2).worst_dbc == pytest.approx(0)
    assert leakage([10**400, 10**400], 2).tone_free


def test_taps_too_many_for_a_proof_are_summed_in_floats() -> None:
    rng = np.random.default_rng(0)
    h = rng.normal(size=(8, 16, 1100))
    few, many = leakage(h[:, :2], 4), leakage(h, 4)
    assert [line.exact for line in (*few.lines, *many.lines)] == [True, True, False, False]
    total = h.sum(axis=1)
    gains = np.stack([total[:, r::4].sum(-1) for r in range(4)])
    c = np.abs(np.fft.fft(gains, axis=0))
    assert close(20 * math.log10((c[1] / c[0]).max()), many.lines[0].dbc, terms=h[0].size)


@QUIET(max_examples=40)
@given(st.integers(2, 6), st.lists(st.integers(-9, 20), min_size=6, max_size=14))
def test_the_cure_cures(L: int, taps: list[int]) -> None:
    try:
        found = leakage(taps, L)
    except NotAnalysable:
        return
    if found.cure is None:
        assert found.tone_free
        return
    assert (found.cure.taps == tone_free(taps, L)).all()
    if found.cure.taps.sum():
        assert leakage(found.cure.taps, L).tone_free


def test_words_and_data() -> None:
    found = leakage(NINE, 3)
    data = json.loads(json.dumps(found.to_dict(44100), allow_nan=False))
    assert data["lines"] == [{"k": 1, "freq": "1/3", "hz": 14700.0, "dbc": -38.645023, "null": False, "exact": True}]
    assert data["cure"]["taps"][0] == "37360/9"
    assert found.to_dict(16000)["lines"][0]["hz_exact"] == "16000/3"
    assert "hz" not in found.to_dict()["lines"][0]
    assert found.text(44100).splitlines()[:2] == ["factor 3: worst line -38.65 dBc", "  k = 1, 14700 Hz: -38.65 dBc"]
    assert "5.878" not in found.text()
    null = leakage(Nearest(2)).to_dict()
    assert (null["worst_dbc"], null["lines"][0]["dbc"], null["lines"][0]["null"]) == (None, None, True)
    assert leakage(Nearest(2)).text() == "factor 2: no tone\n  k = 1, 1/2 cycles/sample: null"
    rounded = leakage(lambda x: np.repeat(x, 2), 2).text()
    assert re.search(r"no tone above -\d+ dBc\n.*null \(below rounding\)", rounded)
    assert "inf" not in (rounded + leakage(ZeroStuff(2)).text())
    assert "of shape (1, 2, 4)" in leakage(np.arange(8).reshape(1, 2, 4), 2).text()
    assert "6.666667e+399" in leakage([10**400, 1, 10**400], 2).text()


def test_lines_between_proof_and_rounding() -> None:
    """Gains whose line is not null, but lost in the transform's own rounding, count as below rounding."""
    big = 10**20
    gains = np.array([[Fraction(v) for v in (big + 1, -big, big, -big + 9)]])
    lines, resolution = leakage_lines(gains, np.zeros(1))
    assert (lines[0].null, lines[0].exact) == (True, False)
    assert lines[1].dbc is not None
    assert resolution is not None
    assert Leakage(4, lines, resolution).verdict.startswith("worst line")


class Torchlike:
    """A class that says that it is Torch's."""


Torchlike.__module__ = "torch.nn.modules.upsampling"

a = sympy.Symbol("a")

BAD: dict[str, tuple[Any, Any, str]] = {
    "mixed types": ([1, Fraction(1, 2), 0.5], 2, "taps: got mixed types, Fraction and float and int"),
    "no taps": ([], 2, "taps: got shape (0,); allowed: shape (taps,) or (out, in, taps), at least one tap"),
    "taps of two axes": ([[1, 2]], 2, "taps: got shape (1, 2)"),
    "rows of unequal length": ([[1], [1, 2]], 2, "rows of unequal length"),
    "words among taps": ([1, "a"], 2, "taps: got dtype <U21"),
    "nothing among taps": ([1, None], 2, "taps: got None at index (1,)"),
    "symbols": ([a, 1, a], 2, "leakage: got symbolic taps; allowed: numbers"),
    "complex taps": ([1j, 1], 2, "taps: got dtype complex128; allowed: real numbers"),
    "NaN": ([math.nan, 1], 2, "taps: got nan at index (0,)"),
    "no factor": ([1, 1], None, "factor: got none; allowed: an integer >= 2"),
    "factor 1": ([1, 1], 1, "factor: got 1; allowed: an integer >= 2"),
    "factor 2.0": ([1, 1], 2.0, "factor: got 2.0; allowed: an integer >= 2"),
    "a symbolic factor": ([1, 1], a, "factor: got a; allowed: an integer >= 2"),
    "a huge factor": ([1, 1], 10**6, "factor: got 1000000; allowed: an integer up to 8192"),
    "another factor than the layer's": (Nearest(3), 2, "factor: got 2; allowed: 3, that of the layer"),
    "a layer that keeps the rate": (Conv(np.ones((1, 1, 2), int)), None, "factor: got 1; allowed: an integer >= 2"),
    "a layer that lowers it": (
        Conv(np.ones((1, 1, 2), int), stride=2),
        None,
        "normal form: got a convolution of stride 2",
    ),
    "a layer without weights": (parse("convt k4 s2"), None, "levels: got convt without weights"),
    "a nonlinear stage": (Chain([Nearest(2), *parse("tanh").stages]), None, "normal form: got tanh"),
    "aligned corners": (Linear(2, align_corners=True), None, "align_corners=True"),
    "no DC": ([1, -1], 2, "levels re DC: got output channel 0, where nothing of a constant passes"),
    "nothing at all": ([0, 0], 2, "levels re DC: got output channel 0"),
    "a function that gives nothing": (lambda x: 0 * np.repeat(x, 2), 2, "levels re DC"),
    "a function that squares": (lambda x: np.repeat(x, 2) ** 2, 2, "not linear"),
    "a function of another factor": (lambda x: np.repeat(x, 2), 3, "length: upsampler: got 2048, 2050, 2062 samples"),
    "words": ("nearest x2", 2, "upsampler: got 'nearest x2'; allowed: taps, a layer, or a function of an array"),
    "a class": (Nearest, 2, "allowed: taps, a layer, or a function of an array"),
    "nothing": (None, 2, "upsampler: got None"),
    "a module of Torch": (Torchlike(), 2, "torchparity.leakage(module, factor) takes modules"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    upsampler, factor, words = BAD[name]
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        leakage(upsampler, factor)


@pytest.mark.parametrize("exponent", [-42, -44, -45])
@pytest.mark.parametrize("time", [100, 1024, 3000])
def test_the_mean_over_periods_does_not_round(exponent: int, time: int) -> None:
    """A tone a little above the resolution: sums of hundreds of equal numbers would lose or double it."""
    ripple = 2.0**exponent
    found = leakage(lambda x: np.kron(x, [1, 1 + ripple, 1, 1]), 4, time=time)
    assert found.lines[0].dbc is not None
    assert abs(found.lines[0].dbc - 20 * math.log10(ripple / 4)) < 1e-6


def test_long_doubles_are_no_finer_than_doubles() -> None:
    """Answers are computed with as doubles, so nothing below their rounding is promised."""
    doubles, longer = (leakage(lambda x, t=t: np.repeat(x, 4).astype(t), 4) for t in (np.float64, np.longdouble))
    assert longer.resolution_dbc == doubles.resolution_dbc
    assert leakage(np.array([1, 1, 1], np.longdouble), 2).worst_dbc == leakage([1.0, 1.0, 1.0], 2).worst_dbc


def test_answers_of_the_theory_are_told_from_slips() -> None:
    """What the theory has no answer for is NotAnalysable; what is written wrongly is not."""
    for name in ("symbols", "no DC", "a function that squares", "a layer without weights"):
        with pytest.raises(NotAnalysable):
            leakage(*BAD[name][:2])
    for name in ("no taps", "factor 1", "another factor than the layer's"):
        with pytest.raises(ValueError) as caught:
            leakage(*BAD[name][:2])
        assert not isinstance(caught.value, NotAnalysable)


def test_the_function_is_the_packages() -> None:
    import dspref.leaks

    assert dspref.leakage is dspref.leaks.leakage
    assert "leakage" in dir(dspref)
