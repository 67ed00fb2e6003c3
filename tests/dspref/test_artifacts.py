"""Findings against the chain's own output: FFTs, samples at the borders, drawn noise."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    NotAnalysable,
    Outline,
    Pointwise,
    SubpixelConv,
    TransposedConv,
    ZeroStuff,
    parse,
    preset,
)
from dspref.arrays import Array
from dspref.artifacts import Finding, Thresholds, findings
from dspref.artifacts.bands import zeros_at_nyquist
from dspref.artifacts.noise import noise_lines_db
from dspref.artifacts.prospect import keeps_constants, lengths
from dspref.artifacts.rules import rule
from dspref.artifacts.tones import offset_share
from dspref.chain import Stage
from dspref.heads import Unsqueeze
from dspref.settling import steady_response
from tests.strategies import QUIET

RNG = np.random.default_rng(4)
BIASED = TransposedConv(RNG.standard_normal((2, 3, 8)), stride=4, padding=2, bias=RNG.standard_normal(3))
SHUFFLE = SubpixelConv(RNG.standard_normal((6, 3, 3)), 3, padding=1, bias=RNG.standard_normal(6))
DEEP = Chain([BIASED, SHUFFLE, Conv(RNG.standard_normal((2, 2, 5)), padding=2), Nearest(2)])


def of(found: tuple[Finding, ...], id: str, stage: int | None = None) -> Finding:
    """Return the one finding of a rule."""
    (only,) = (f for f in found if f.rule.id == id and stage in (None, f.stage))
    return only


def ids(found: tuple[Finding, ...]) -> list[str]:
    return [f.rule.id for f in found]


def run_on_constant(chain: Chain, offset: Array, time: int = 40) -> Array:
    """Return one period of the middle of the output of the layers' own definitions."""
    y = chain(np.repeat(np.asarray(offset, float)[:, None], time, axis=1))
    start = time // 2 * chain.factor
    return y[:, start : start + chain.factor]


def measured(chain: Chain, offset: Array) -> Array:
    c = np.fft.fft(run_on_constant(chain, offset), axis=-1) / chain.factor
    power = (np.abs(c) ** 2).sum(axis=0)
    return np.asarray(10 * np.log10(power / power[0]))


def close(level: float | None, to: float) -> bool:
    """Return whether two levels agree to the rounding of some hundred sums."""
    return level is not None and abs(level - to) < 1e-10


def test_figure_3_is_an_error_of_minus_9_54_db() -> None:
    found = findings(Chain([TransposedConv(np.array([[[1, 1, 1]]]), stride=2)]), 16000)
    tone = of(found, "UA101")
    assert close(tone.level_db, 20 * math.log10(1 / 3))
    assert (tone.severity, tone.hz, tone.owner, tone.stage, tone.count) == ("error", Fraction(8000), 1, 0, 1)
    assert "‖H(1/2)‖ = 1, ‖H(0)‖ = 3" in tone.formula
    assert "dBc" in str(tone)


def test_severity_is_by_level_and_not_by_overlap() -> None:
    partial_but_free = TransposedConv(np.array([[[1, 2, 1]]]), stride=2)
    assert not {"UA101", "UA107"} & set(ids(findings(Chain([partial_but_free]), 16000)))
    full = TransposedConv(np.array([[[1.0, 1.0, 1.0, 1.0 + 1e-3]]]), stride=2)
    tone = of(findings(Chain([full]), 16000), "UA101")
    assert close(tone.level_db, 20 * math.log10(1e-3 / 4.001))
    assert tone.severity == "warning"
    low, high = Thresholds(tone_warning_db=-60, tone_error_db=-50), Thresholds(tone_error_db=-80)
    assert of(findings(Chain([full]), 16000, thresholds=low), "UA101").severity == "note"
    assert of(findings(Chain([full]), 16000, thresholds=high), "UA101").severity == "error"


def test_the_levels_of_a_chain_are_those_of_its_output() -> None:
    offset = np.array([0.5, -2.0])
    found, levels = findings(DEEP, 24000, offset=offset), measured(DEEP, offset)
    first = of(found, "UA101")
    assert first.freq is not None
    assert close(first.level_db, levels[int(first.freq * 24)])
    assert close(first.level_db, max(levels[k] for k in range(1, 13) if k % 4))  # the others are new at layer 2
    assert first.count == 9


def test_taps_and_bias_of_a_sub_pixel_convolution_are_told_apart() -> None:
    found = findings(Chain([SHUFFLE]), 24000, offset=[1.0, 1.0, 1.0])
    silent = SubpixelConv(SHUFFLE.weight * 0, 3, padding=1, bias=SHUFFLE.bias)
    bare = SubpixelConv(SHUFFLE.weight, 3, padding=1)
    dc = (np.abs(np.fft.fft(run_on_constant(Chain([SHUFFLE]), np.ones(3)))[:, 0]) ** 2).sum()
    for id, layer in (("UA102", bare), ("UA103", silent)):
        c = np.fft.fft(run_on_constant(Chain([layer]), np.ones(3)))
        assert close(of(found, id).level_db, 10 * math.log10((np.abs(c[:, 1]) ** 2).sum() / dc))


def test_equal_filters_leave_the_bias_alone() -> None:
    weight = np.repeat(RNG.standard_normal((2, 2, 3)), 3, axis=0)
    for bias, expected in ((None, set()), (np.arange(6.0), {"UA103"}), (np.ones(6), set())):
        found = findings(Chain([SubpixelConv(weight, 3, padding=1, bias=bias)]), 24000)
        assert {id for id in ids(found) if id.startswith("UA1")} == expected


def test_a_bias_is_a_source_of_its_own() -> None:
    found = findings(DEEP, 24000, offset=np.zeros(2))
    alone = Chain([TransposedConv(BIASED.weight * 0, stride=4, padding=2, bias=BIASED.bias)])
    rest = Chain([SubpixelConv(SHUFFLE.weight, 3, padding=1), *DEEP.stages[2:]])
    c = np.fft.fft(run_on_constant(Chain([*alone.stages, *rest.stages]), np.zeros(2))) / 24
    dc = np.fft.fft(run_on_constant(DEEP, np.zeros(2)))[:, 0] / 24
    best = max((np.abs(c[:, k]) ** 2).sum() for k in (4, 8))
    level = of(found, "UA403", stage=0).level_db
    assert close(level, 10 * math.log10(best / (np.abs(dc) ** 2).sum()))


def test_without_weights_lines_are_possible_and_notes() -> None:
    found = findings(parse("convt k16 s8 p4 | leaky 0.2 | shuffle x2 k3 p1"), 16000)
    tones = [f for f in found if f.rule.family == "tones"]
    assert [(f.rule.id, f.stage, f.severity, f.level_db) for f in tones] == [
        ("UA101", 0, "note", None),
        ("UA102", 2, "note", None),
        ("UA103", 2, "note", None),
    ]
    assert [str(f.hz) for f in tones] == ["1000", "8000", "8000"]
    assert of(found, "UA402").level_db == pytest.approx(10 * math.log10(0.64 / (math.pi * 1.04)), abs=1e-9)


def test_the_largest_preset_takes_no_time_and_counts_its_lines() -> None:
    chain = preset("demucs").chain
    found = [f for f in findings(chain, 44100) if f.rule.id == "UA101"]
    assert sum(f.count for f in found) == chain.factor // 2
    assert min(f.hz for f in found if f.hz is not None) == Fraction(44100, 4096)


def test_behind_a_map_levels_hold_for_the_constant_itself() -> None:
    chain = Chain([BIASED, Pointwise("snake"), SHUFFLE, Pointwise("relu"), Conv(RNG.standard_normal((1, 2, 3)))])
    offset = np.array([1.0, -1.0])
    assert np.allclose(
        np.sort(np.abs(np.fft.fft(steady_response(chain, offset=offset)))),
        np.sort(np.abs(np.fft.fft(run_on_constant(chain, offset)))),
        rtol=0,
        atol=1e-12,
    )
    tone = of(findings(chain, 12000, offset=offset), "UA102")
    assert "for this constant input" in tone.reference
    assert tone.freq is not None
    assert close(tone.level_db, measured(chain, offset)[int(tone.freq * 12)])


def test_scipys_resampler_leaks() -> None:
    for up, level in ((2, -65.72), (3, -70.37), (4, -71.74), (8, -72.97)):
        taps = up * scipy.signal.firwin(20 * up + 1, 1 / up, window=("kaiser", 5.0))
        found = findings(Chain([FilterInterp(up, taps, offset=10 * up)]), 48000)
        leak = of(found, "UA105")
        assert leak.level_db == pytest.approx(level, abs=0.005)
        assert leak.severity == "warning"


def test_empty_phases() -> None:
    found = findings(Chain([ZeroStuff(4)]), 8000)
    assert (of(found, "UA107").level_db, of(found, "UA404").level_db) == (0.0, 0.0)
    assert of(findings(parse("convt k2 s3"), 8000), "UA107").level_db is None


def test_cubic_interpolation_keeps_constants_and_nulls() -> None:
    found = findings(parse("cubic x2"), 16000)
    assert not [f for f in found if f.rule.family == "tones"]
    assert of(found, "UA201").hz == 8000


def test_symbols_have_no_levels() -> None:
    with pytest.raises(NotAnalysable):
        findings(Chain([TransposedConv(np.array([[sympy.symbols("a b")]]), stride=2)]), 16000)


def test_silence_has_lines_without_a_dc_to_compare_with() -> None:
    found = findings(Chain([TransposedConv(np.array([[[0.3, -0.3]]]), stride=2)]), 8000)
    assert "no offset" in of(found, "UA101").reference
    assert close(of(found, "UA101").level_db, 20 * math.log10(0.3))


def test_noise_through_interpolation_and_a_rectifier() -> None:
    """A million samples of noise: the mean of each phase is known to 0.1 %, the line to about 0.2 dB."""
    chain = Chain([Linear(4), Conv(np.array([[[1.0]]])), Pointwise("relu")])
    found = of(findings(chain, 16000), "UA106")
    assert found.level_db == pytest.approx(-23.35, abs=0.01)
    y = Chain([Linear(4), Pointwise("relu")])(RNG.standard_normal((1, 1 << 18)))
    c = np.abs(np.fft.fft(y[0, 8:-8].reshape(-1, 4).mean(axis=0)))
    assert found.level_db == pytest.approx(20 * math.log10(c[1] / c[0]), abs=0.4)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_without_weights_adds_its_channels_up(groups: int) -> None:
    """Half of the channels sound in the one phase, half, softer, in the other: drawn weights see the sum of both."""
    C, rng = 512, np.random.default_rng(6)
    loud = np.arange(C) % (4 // groups) < 2 // groups
    taps = np.where(loud[:, None], [1.0, 0.0], [0.0, 0.25])[None]
    chain = Chain([TransposedConv(taps, stride=2), Outline("conv", 1, groups=groups), Pointwise("relu")])
    v = (rng.standard_normal((4096, C)) ** 2) @ taps[0] ** 2
    c = (np.abs(np.fft.fft(np.sqrt(v), axis=-1)) ** 2).sum(axis=0)
    level = of(findings(chain, 16000), "UA106").level_db
    assert level is not None
    assert abs(level - 20 * math.log10(3 / 5)) < 1e-9
    assert abs(level - 10 * math.log10(c[1] / c[0])) < 0.1  # an infinity of channels, and 512 of them


def test_a_convolution_as_long_as_the_factor_takes_that_line_away() -> None:
    taps = Linear(4).normal.h
    assert [noise_lines_db(taps, 4, K) is None for K in (1, 2, 3, 4, 8, 9)] == [False, False, False, True, True, False]
    outlined: list[Stage] = [Linear(4), Outline("conv", 4), Pointwise("relu")]
    assert "UA106" not in ids(findings(Chain(outlined), 16000))
    outlined[1] = Outline("conv", 5)
    assert of(findings(Chain(outlined), 16000), "UA106").level_db == noise_lines_db(taps, 4, 5)
    assert "UA106" not in ids(findings(Chain([Nearest(4), Pointwise("relu")]), 16000))
    assert "UA106" not in ids(findings(Chain([Linear(4), Pointwise("tanh")]), 16000))


def test_noise_lines_of_known_weights_by_drawing() -> None:
    """Of 2¹⁷ periods each phase's mean is known to 0.3 % of its spread: a line at −15 dB to 0.15 dB."""
    layers: list[Stage] = [
        TransposedConv(RNG.standard_normal((2, 3, 6)), stride=3),
        Conv(RNG.standard_normal((2, 3, 3))),
    ]
    chain = Chain([*layers, Pointwise("leaky", (0.2,))])
    y = chain(RNG.standard_normal((2, 1 << 17)))[:, 9:-9]
    y = y[:, : y.shape[-1] // 3 * 3]
    c = (np.abs(np.fft.fft(y.reshape(2, -1, 3).mean(axis=1), axis=-1)) ** 2).sum(axis=0)
    level = of(findings(chain, 48000), "UA106").level_db
    assert level is not None
    assert level > -25
    assert level == pytest.approx(10 * math.log10(c[1] / c[0]), abs=0.5)


@pytest.mark.parametrize("s", [2, 3, 4, 5])
def test_droop_of_linear_interpolation_is_what_the_rule_says(s: int) -> None:
    """The square of the box, and once more cos πf where the grid lies between the samples."""
    assert "|cos πf| on the half-sample grid with even s" in rule("UA202").why
    f = 0.5 / s
    due = (math.sin(math.pi * f * s) / (s * math.sin(math.pi * f))) ** 2 * (1 if s % 2 else math.cos(math.pi * f))
    level = of(findings(Chain([Linear(s)]), 48000), "UA202").level_db
    assert level is not None
    assert abs(level - 20 * math.log10(due)) < 1e-9


@pytest.mark.parametrize("layer", [Nearest(2), Nearest(5), Linear(2), Linear(3)], ids=repr)
def test_filtering_and_images_against_a_tone_that_was_sent_through(layer: Nearest | Linear) -> None:
    s, time = layer.factor, 64
    found = findings(Chain([layer]), 48000, component="1/8")
    n = np.arange(time)
    spectrum = np.abs(np.fft.fft(np.tile(layer(np.cos(2 * np.pi * n / 8)[None])[0], 1)[s * 8 : s * 56]))
    places = [(k * 48 + sign * 6) for k in range(1, s // 2 + 1) for sign in (-1, 1) if k * 48 + sign * 6 <= 24 * s]
    image = of(found, "UA401")
    assert close(image.level_db, 20 * math.log10(max(spectrum[p] for p in places) / spectrum[6]))
    assert image.freq is not None
    assert int(image.freq * 48 * s) in places
    edge = layer(((-1.0) ** n)[None])[0][s * 8 : s * 56]
    c = np.abs(np.fft.fft(edge))[24] / (48 * s)
    assert close(of(found, "UA202").level_db, 20 * math.log10(c))
    assert of(found, "UA201").count == s // 2
    assert ("UA204" in ids(found)) == (layer.op == "linear" and s % 2 == 0)


def test_nearest_by_2_has_the_images_of_the_closed_form() -> None:
    for f0 in (Fraction(1, 10), Fraction(1, 4), Fraction(2, 5)):
        for layer, order in ((Nearest(2), 1), (Linear(2), 3)):
            image = of(findings(Chain([layer]), 1, component=f0), "UA401")
            assert close(image.level_db, order * 20 * math.log10(math.tan(math.pi * f0 / 2)))


def test_a_floor_of_white_noise_is_coloured_by_the_filter() -> None:
    """Parseval: the mean density is the mean power over phases, s^-1 Σ h²."""
    level = of(findings(Chain([Linear(4)]), 1), "UA203").level_db
    density = np.abs(Linear(4).normal.response(np.arange(64) / 64)) ** 2
    assert close(level, 10 * math.log10(density.mean() / density[0]))


@QUIET(max_examples=25)
@given(st.integers(0, 4), st.lists(st.integers(-3, 3), min_size=1, max_size=5).filter(any))
def test_zeros_at_half_the_rate_are_counted(order: int, other: list[int]) -> None:
    polynomial = np.array(other, object)
    more = 0
    while len(polynomial) > 1 and sum(v * (-1) ** n for n, v in enumerate(polynomial)) == 0:
        quotient, carry = [], 0
        for v in polynomial[:-1]:
            carry = v - carry
            quotient.append(carry)
        polynomial, more = np.array(quotient, object), more + 1
    h = np.array(other, object)
    for _ in range(order):
        h = np.convolve(h, [1, 1])
    assert zeros_at_nyquist(h) == order + more


@QUIET(max_examples=25)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 2))
def test_borders_end_where_the_output_becomes_steady(K: int, s: int, p: int) -> None:
    """Taps that are powers of two: no sum of some of them equals that of others, so each border sample is off."""
    if K - s - 2 * p < -s + 1 or (K - 1) - 2 * p + 1 < 1:
        return
    chain = Chain([TransposedConv(np.array([[[2**k for k in range(K)]]]), stride=s, padding=p)])
    time = 12 + K
    y, steady = chain(np.ones((1, time), int))[0], steady_response(chain)[0]
    grid = s * time
    off = [m for m in range(grid) if m >= y.size or y[m] != steady[m % s]]
    kept = lengths(chain).steady(time)
    assert all(m < kept.start or m >= kept.stop for m in off)
    if s <= K:
        assert {*range(kept.start), *range(kept.stop, grid)} == set(off)
    found = findings(chain, 8000)
    told = [f.count for f in found if f.rule.id == "UA301"]
    assert told == ([kept.start + grid - kept.stop] if kept.start + grid - kept.stop else [])
    assert [f.count for f in found if f.rule.id == "UA302"] == ([abs(K - s - 2 * p)] if K - s - 2 * p else [])


def test_lengths_are_those_of_the_outline_and_of_the_layer() -> None:
    text = "convt k5 s3 p1 op1 d2 | leaky | shuffle x2 k3 p1 | conv k3 p2 | linear x2"
    layers: list[Stage] = [
        TransposedConv(RNG.standard_normal((2, 4, 5)), stride=3, padding=1, output_padding=1, dilation=2),
        SubpixelConv(RNG.standard_normal((6, 4, 3)), 2, padding=1),
        FilterInterp(1, RNG.standard_normal((3, 3, 3)), offset=0, excess=2),
        Linear(2),
    ]
    full, told = Chain(layers).collapse(), lengths(parse(text))
    for u in (told, lengths(Chain(layers))):
        assert (u.L, u.offset, u.excess, u.steady(50)) == (full.L, full.offset, full.excess, full.steady(50))
        assert u.h.shape[-1] == full.h.shape[-1]


@pytest.mark.parametrize("name", ["relu", "leaky", "sigmoid", "elu", "silu", "gelu", "snake", "softplus", "tanh"])
def test_offsets_of_activations_by_drawing(name: str) -> None:
    """The share is a ratio of means of 2¹⁸ draws, each known to about 2/√N of itself: six times that is allowed."""
    y = Pointwise(name)(np.random.default_rng(0).standard_normal((1, 1 << 18)))
    share, spread = offset_share(Pointwise(name)), 6 * 2 / math.sqrt(1 << 18)
    assert abs(share - y.mean() ** 2 / (y**2).mean()) < spread


def test_offsets_of_rectifiers_in_closed_form() -> None:
    assert offset_share(Pointwise("relu")) == pytest.approx(1 / math.pi, rel=1e-12)
    for a in (0.01, 0.2, 0.5):
        closed = (1 - a) ** 2 / (math.pi * (1 + a**2))
        assert offset_share(Pointwise("leaky", (a,))) == pytest.approx(closed, rel=1e-12)
    assert offset_share(Pointwise("glu")) == 0


def test_constants_are_kept_where_it_is_proved_only() -> None:
    free: list[Stage] = [Nearest(3), Linear(2), Linear(5), TransposedConv(np.array([[[1, 2, 1]]]), stride=2)]
    assert all(keeps_constants(layer) for layer in free)
    assert not keeps_constants(ZeroStuff(2))
    assert not keeps_constants(parse("convt k4 s2").stages[0])
    rounded = TransposedConv(np.array([[[0.1, 0.3, 0.2]]]), stride=2)  # 0.1 + 0.2 is not 0.3
    assert not keeps_constants(rounded)


def test_findings_are_plain_data() -> None:
    document = [f.to_dict() for f in findings(DEEP, 24000)]
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert {"rule", "severity", "level_db", "reference", "hz", "owner", "stage", "formula", "cure"} <= set(document[0])
    order = ["error", "warning", "note"]
    assert [order.index(d["severity"]) for d in document] == sorted(order.index(d["severity"]) for d in document)


def test_bad_input_is_refused() -> None:
    chain = Chain([Nearest(2)])
    for sr in (0, -1, math.nan, math.inf, "22050", True):
        with pytest.raises(ValueError, match="output rate: got"):
            findings(chain, sr)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"component: got 3/5"):
        findings(chain, 1, component="3/5")
    with pytest.raises(ValueError, match="offset: got 3 channels"):
        findings(DEEP, 1, offset=[1, 2, 3])
    with pytest.raises(ValueError, match="tone_error_db"):
        Thresholds(tone_error_db=-100)
    with pytest.raises(ValueError, match="droop_warning_db: got nan"):
        Thresholds(droop_warning_db=math.nan)
    with pytest.raises(NotAnalysable):
        findings(parse("conv k4 s2"), 1)


def test_a_head_of_many_channels_has_borders_as_its_samples_show() -> None:
    chain = Chain([Conv(np.ones((8, 1, 3)), padding=1), Unsqueeze(1, 8)])
    (found,) = [f for f in findings(chain, 16000) if f.rule.id == "UA301"]
    response = chain(np.ones((1, 20)))[0]
    assert found.count == np.count_nonzero(response != response[80]) == 16
