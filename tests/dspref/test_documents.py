"""Answers as data: exact numbers, exact nulls, levels."""

from __future__ import annotations

import json
from fractions import Fraction
from math import gcd

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from dspref import Chain, Conv, NotAnalysable, TransposedConv, parse, preset
from dspref.documents import MOST, doctor_document, number, predict_document, presets_document, whence_document
from dspref.nulls import SMALL, vanishes


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=16), st.integers(1, 40))
def test_a_null_is_where_the_transform_is_zero(taps: list[int], q: int) -> None:
    h, n = np.array(taps), np.arange(len(taps))
    p = next(p for p in range(1, q + 1) if gcd(p, q) == 1)
    assert vanishes(h, q) == (abs(np.sum(h * np.exp(-2j * np.pi * n * p / q))) < 1e-9)


@pytest.mark.parametrize(("L", "q"), [(2, 2), (6, 2), (6, 3), (6, 6), (15, 5), (64, 32)])
def test_the_box_is_null_at_every_line(L: int, q: int) -> None:
    box = np.ones(L, int)
    assert vanishes(box, q)
    assert not vanishes(box, 1)
    assert vanishes(box * Fraction(1, 3), q)
    box[0] = 2
    assert not vanishes(box, q)


def test_far_denominators_are_not_searched() -> None:
    assert not vanishes(np.ones(3, int), 10**30)
    assert vanishes(np.zeros(3, int), 10**30)


@pytest.mark.parametrize("words", ["nearest x3 | linear x5", "linear x4 | nearest x3", "linear x7"])
def test_interpolators_make_no_line_exactly(words: str) -> None:
    first, *lines = predict_document(parse(words), 32000)["lines"]
    assert first["level_db"] == 0
    assert "null" not in first
    assert all(line["null"] is True and line["level_db"] is None for line in lines)


def test_a_stretch_alone_makes_every_line_at_the_level_of_the_offset() -> None:
    levels = [line["level_db"] for line in predict_document(parse("stretch x4"), 32000)["lines"]]
    assert levels == pytest.approx([-12.041200] * 3, abs=1e-6)


def test_the_level_of_partial_overlap_is_the_theory_s() -> None:
    """All-ones kernel (K, s) = (3, 2): −9.54 dB re the offset."""
    chain = Chain([TransposedConv(np.ones((1, 1, 3)), stride=2)])
    offset, line = (row["level_db"] for row in predict_document(chain, 16000)["lines"])
    assert line - offset == pytest.approx(20 * np.log10(1 / 3), abs=1e-5)


def test_levels_are_those_of_the_loudest_channel() -> None:
    w = np.zeros((1, 2, 2))
    w[0, :, 0] = [1, 10]
    assert predict_document(Chain([TransposedConv(w, stride=2)]), 2)["lines"][1]["level_db"] == pytest.approx(13.9794)


def test_a_float_level_of_nothing_is_a_null_too() -> None:
    lines = predict_document(Chain([TransposedConv(np.zeros((1, 1, 2)), stride=2)]), 2)["lines"]
    assert [(line["level_db"], line["null"]) for line in lines] == [(None, True)] * 2


@pytest.mark.parametrize("words", ["nearest x2 | relu", "convt k4 s2", "linear x2 | conv k3"])
def test_unknown_levels_are_none_and_no_null(words: str) -> None:
    lines = predict_document(parse(words), 32000)["lines"]
    assert all(line["level_db"] is None and "null" not in line for line in lines)


def test_images_of_a_component() -> None:
    """Nearest ×2: image over baseband is tan(π f0/(2 f_in)); a null for an image at an odd multiple of f_in."""
    base, image = predict_document(parse("nearest x2"), 16000, component=Fraction(1000))["images"]
    assert (base["hz"], base["order"], base["owner"]) == (1000, 0, None)
    assert (image["hz"], image["order"], image["owner"], image["freq"]) == (7000, 1, 1, "7/16")
    assert image["gain_db"] - base["gain_db"] == pytest.approx(20 * np.log10(np.tan(np.pi / 16)), abs=1e-5)
    offset, null = predict_document(parse("nearest x2"), 16000, component=Fraction(0))["images"]
    assert (offset["gain_db"], null["hz"], null["gain_db"], null["null"]) == (0, 8000, None, True)


def test_exact_numbers_stand_beside_those_that_are_not() -> None:
    assert number("hz", Fraction(40, 2)) == {"hz": 20}
    assert number("hz", Fraction(1, 10)) == {"hz": 0.1}
    assert number("hz", Fraction(1, 3)) == {"hz": 1 / 3, "hz_exact": "1/3"}
    line = predict_document(parse("convt k3 s3"), 16000)["lines"][1]
    assert (line["hz"], line["hz_exact"], line["freq"]) == (16000 / 3, "16000/3", "1/3")


def test_overlap_is_told_for_stamps_and_shuffles_only() -> None:
    words = "convt k3 s3 | convt k3 s2 | convt k4 s2 | convt k2 s3 | shuffle x2 k3 | conv k9 | nearest x2 | relu"
    rows = predict_document(parse(words), 32000)["stages"]
    assert [row["overlap"] for row in rows] == ["none", "partial", "full", "gap", "none", None, None, None]
    assert [row["owner"] for row in rows] == [1, 2, 3, 4, 5, None, 6, None]
    assert [row["length"] for row in rows] == [3, 3, 4, 2, 3, 9, 2, None]


def test_whence_tells_exact_nulls() -> None:
    (query,) = whence_document(parse("nearest x2"), [Fraction(8000)], 16000)["queries"]
    assert (query["owner"], query["null"]) == (1, True)
    (query,) = whence_document(parse("stretch x2"), [Fraction(8000)], 16000)["queries"]
    assert "null" not in query


@pytest.mark.parametrize("words", ["nearest x2", "linear x3 | stretch x2", "convt k4 s2 | relu"])
def test_every_document_is_json(words: str) -> None:
    document = predict_document(parse(words), Fraction(44100, 7), component=Fraction(1, 3))
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"component: got 4001 Hz; allowed: 0 … 4000 Hz, half of 8000 Hz"):
        predict_document(parse("nearest x2"), 16000, component=Fraction(4001))
    with pytest.raises(ValueError, match=r"frequency: got 8000\.5 Hz; allowed: 0 … 8000 Hz, half of 16000 Hz"):
        whence_document(parse("nearest x2"), [Fraction(16001, 2)], 16000)
    with pytest.raises(ValueError, match=f"factor of the chain: got {2 * MOST}; allowed: at most {MOST}"):
        predict_document(parse(f"nearest x{MOST} | nearest x2"), 16000)
    with pytest.raises(NotAnalysable, match="factor of a chain: got conv at 1/2"):
        predict_document(Chain([Conv(np.ones((1, 1, 3)), stride=2)]), 16000)


def test_floats_are_folded_as_the_fractions_they_are() -> None:
    """In floating point 1e16 + 1 is 1e16 and the line at 1/2 is nothing; in truth a half is left."""
    chain = Chain([TransposedConv(np.array([[[1e16, 1e16, 1.0, 0.0]]]), stride=2)])
    line = predict_document(chain, 2)["lines"][1]
    assert line["level_db"] is None
    assert "null" not in line
    assert "null" not in whence_document(chain, [Fraction(1)], 2)["queries"][0]
    even = Chain([TransposedConv(np.array([[[0.1, 0.3, 0.3, 0.1]]]), stride=2)])
    assert predict_document(even, 2)["lines"][1]["null"] is True
    assert whence_document(even, [Fraction(1)], 2)["queries"][0]["null"] is True


def test_floats_too_many_for_a_proof_claim_no_null() -> None:
    silent = np.zeros((1, 1, SMALL))
    line = predict_document(Chain([TransposedConv(silent, stride=2, padding=1)]), 2)["lines"][1]
    assert (line["level_db"], "null" in line) == (None, False)


@pytest.mark.parametrize("taps", [[1, -1, 1], [1, 1, 0, -1, -1, -1, 0, 1, 1]], ids=["6", "30"])
def test_a_null_needs_fewer_taps_than_its_denominator(taps: list[int]) -> None:
    """Cyclotomic polynomials of the orders 6 and 30, of degrees 2 and 8."""
    q = {3: 6, 9: 30}[len(taps)]
    assert vanishes(np.array(taps), q)
    assert not vanishes(np.array(taps), q // 2)


def test_symbols_have_no_level() -> None:
    chain = Chain([TransposedConv(np.array([[[sympy.Symbol("a"), 1]]]), stride=2)])
    with pytest.raises(NotAnalysable, match=r"amplitudes: got symbolic taps; allowed: numbers. Hint: Chain.offset"):
        predict_document(chain, 2)
    assert whence_document(chain, [Fraction(1)], 2)["queries"][0]["owner"] == 1


def test_complex_taps_have_levels_and_no_proof() -> None:
    line = predict_document(Chain([TransposedConv(np.array([[[1j, 3]]]), stride=2)]), 2)["lines"][1]
    assert line["level_db"] == pytest.approx(20 * np.log10(np.sqrt(10) / 2), abs=1e-5)


def test_presets_and_versions_are_data() -> None:
    (row,) = presets_document([preset("rvc-40k")])["presets"]
    assert list(row) == ["name", "spec", "sr", "factor", "grid_hz", "source", "note"]
    assert (row["name"], row["sr"], row["factor"], row["grid_hz"]) == ("rvc-40k", 40000, 400, 100)
    found = doctor_document(["numpy", "no-such-package"], {"nor-this": ("pictures", "plot")})
    assert list(found) == ["schema", "python", "packages", "ok"]
    assert found["ok"] is False
    assert found["packages"] == [
        {"name": "numpy", "version": np.__version__, "needed": True, "gives": None},
        {"name": "no-such-package", "version": None, "needed": True, "gives": None},
        {"name": "nor-this", "version": None, "needed": False, "gives": "pictures"},
    ]
    assert doctor_document(["numpy"], {"nor-this": ("pictures", "plot")})["ok"] is True
