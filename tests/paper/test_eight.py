"""The article's eight networks on white noise: tones, valleys, and what modification does, as theory has them."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dspref.arrays import Array
from dspref.expected import Expected
from dspref.expected.visible import DIGITS
from torchparity.expected_record import LIMITS
from torchparity.models.eight import (
    Level,
    Seen,
    expected_depth,
    expected_height,
    expected_level,
    foreseen,
    response,
    seen,
)
from torchparity.models.eight.pictures import valleys
from torchparity.models.eight.spectra import LINES, N

PAGE = Path(__file__).parents[2] / "docs" / "eight.md"

SIZES: dict[str, Any] = {"channels": 16, "depth": 3}
SAMPLES = 1 << 14
DRAWS = 24

THEORY = LIMITS["comb"] + LIMITS["floor"]
"""dB by which theory is off, of a tone over its floor: what docs/validation/expected.md allows of either."""

TONAL = ("demucs-like-transposed", "demucs-like-subpixel", "demucs")
INTERPOLATED = ("demucs-like-nearest", "demucs-like-linear")


@cache
def drawn(name: str) -> Seen:
    return seen(name, draws=DRAWS, samples=SAMPLES, double=name in INTERPOLATED, **SIZES)


@cache
def expected(name: str) -> Expected:
    return foreseen(name, **SIZES)


def assert_agrees(found: Level, due: float, *, theory: float) -> None:
    """Three standard errors leave 0.3 % of sound draws out; seeds are fixed."""
    assert abs(found.db - due) <= 3 * found.error + theory, (found, due)
    assert found.error < 1.5, "too few draws to say anything"


@pytest.mark.parametrize("name", TONAL)
def test_tone_at_11025_hz_stands_in_every_draw(name: str) -> None:
    found = drawn(name)
    for draw in range(DRAWS):
        one = Seen(found.tones[[draw, draw]], found.density[[draw, draw]])
        assert one.height(0).db >= 10, draw


def test_melgan_has_it_at_half_its_rate_and_at_a_quarter() -> None:
    found = seen("melgan", draws=2, samples=SAMPLES, width=4, stacks=1)
    assert found.height(0).db >= 10
    assert found.height(1).db >= 10


@pytest.mark.parametrize("name", [*TONAL, "modified-transposed", "modified-subpixel"])
def test_tone_is_as_high_as_expected(name: str) -> None:
    due = expected_height(expected(name), LINES[0])
    assert_agrees(drawn(name).height(0), due, theory=THEORY)


@pytest.mark.parametrize("kind", ["transposed", "subpixel"])
def test_modification_lowers_it_as_expected(kind: str) -> None:
    names = f"demucs-like-{kind}", f"modified-{kind}"
    before, after = (expected_height(expected(name), LINES[0]) for name in names)
    drop = drawn(names[0]).height(0) - drawn(names[1]).height(0)
    assert before - after > 20
    assert_agrees(drop, before - after, theory=2 * THEORY)


@pytest.mark.parametrize("name", INTERPOLATED)
def test_valleys_are_as_deep_as_expected_and_hold_no_tone(name: str) -> None:
    found, due = drawn(name), expected(name)
    for line, nu in enumerate(LINES):
        deep = expected_depth(due, nu)
        if deep is None:
            assert found.depth(line).db < -DIGITS
        else:
            assert deep < -40
            assert_agrees(found.depth(line), deep, theory=LIMITS["floor"])
        assert found.level(line) is None
        level = expected_level(due, nu)
        assert level is None or level < -180, "rounding of the recursion"


def taps(name: str) -> Array:
    """Return the taps of ×4: four copies; or a line between samples, looked at in the middles of quarters."""
    if name.endswith("nearest"):
        return np.ones(4)
    return np.asarray(np.maximum(0, 1 - np.abs(np.arange(-3.5, 4)) / 4))


@pytest.mark.parametrize("name", INTERPOLATED)
def test_valleys_are_the_zeros_of_the_interpolation(name: str) -> None:
    grid = np.abs(np.fft.rfft(taps(name), 16))
    zeros = [Fraction(int(k), 16) for k in np.flatnonzero(grid < 1e-12)]
    assert list(valleys(name)) == zeros == list(LINES)


def test_inner_levels_are_not_seen_in_valleys() -> None:
    """The page's theory of valleys is of four levels: from the third on another adds nothing to the digits shown."""
    found = [foreseen("demucs-like-nearest", channels=16, depth=depth) for depth in (3, 4)]
    three, four = (expected_depth(each, LINES[0]) for each in found)
    assert three is not None
    assert four is not None
    assert abs(three - four) < 0.01


def test_lstm_moves_no_tone() -> None:
    """Theory leaves it out: the same draws with and without it, six levels as on the page."""
    pair = [seen("demucs-like-transposed", draws=2, samples=SAMPLES, lstm=lstm) for lstm in (True, False)]
    assert not np.array_equal(pair[0].density, pair[1].density)
    assert abs(pair[0].height(0).db - pair[1].height(0).db) < 0.01


def near_nyquist(*, aligned: bool, parts: int) -> Array:
    """Return the power of a band near half the rate in equal parts of time."""
    y = response("demucs-like-linear", 0, samples=parts * 8 * N, aligned=aligned, channels=4, depth=2)
    frames = y.reshape(len(y), parts, 8, N) * np.hanning(N)
    power = np.abs(np.fft.rfft(frames)[..., 900:1000]) ** 2
    return np.asarray(power.mean(axis=(0, 2, 3)))


def drifting(parts: int) -> Array:
    """Return the power gain of aligned linear interpolation there: its phase drifts by three quarters of a sample."""
    nu = np.arange(900, 1000) / N
    delta = 3 / 4 * (np.arange(parts) + 0.5) / parts  # of an input sample, from the integer grid
    m = np.arange(-5, 6)
    kernel = np.maximum(0, 1 - np.abs(m / 4 + (-delta[:, None] % 0.25)))
    return np.asarray((np.abs(kernel @ np.exp(-2j * np.pi * np.outer(m, nu))) ** 2).mean(axis=1))


def test_aligned_corners_make_the_dark_places_of_the_articles_picture() -> None:
    """At 1, 3 and 5 of six seconds: half a sample from the grid, linear interpolation has one null more at Nyquist."""
    parts = 18
    found, due = near_nyquist(aligned=True, parts=parts), drifting(parts)
    darkest = {int(k) for third in np.split(np.arange(parts), 3) for k in third[[due[third].argmin()]]}
    assert all(abs((k + 0.5) / parts * 6 - second) <= 0.5 for k, second in zip(sorted(darkest), (1, 3, 5), strict=True))
    ratio = 10 * np.log10(found / found.mean() / (due / due.mean()))
    frames = 8 * 8  # in a part, of all channels; and a hundred bins, of which a Hann window leaves half independent
    assert np.abs(ratio).max() < 5 * 10 / math.log(10) / math.sqrt(8 * 50) + 1, frames
    plain = near_nyquist(aligned=False, parts=parts)
    assert plain.max() / plain.min() < 0.5 * found.max() / found.min()


def test_page_says_what_theory_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = foreseen("modified-transposed")
    due = expected_level(found, LINES[0]), expected_height(found, LINES[0])
    level, height = (f"{x:.1f}".replace("-", "−") for x in due)
    row = next(line for line in page.splitlines() if line.startswith("| modified-transposed, Fig. 9, a |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert (cells[2], cells[4]) == (level, height), "run: python -m torchparity.models eight -o docs --beside FOLDER"
