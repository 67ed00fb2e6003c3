"""The table of known upsamplers: its figures, and what it says of packages that are not there."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import signal

from dspref.arrays import Array
from dspref.leaks.known import KNOWN, integer_linear, known_leakage

FIGURES = {
    "stretch": (0.0, 0.0, 0.0, 0.0),
    "resample_poly": (-65.72, -70.37, -71.74, -72.97),
    "kaiser-sinc": (None, -62.78, -63.67, -64.31, -64.75, -65.06, -65.30, -65.48, -65.63),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name: str) -> None:
    rows = known_leakage(name)
    levels = [None if row.leakage is None else row.leakage.worst_dbc for row in rows]
    assert tuple(None if level is None else round(level, 2) for level in levels) == FIGURES[name]


@pytest.mark.parametrize("name", ["nearest", "linear", "linear-integer", "cubic", "learned-linear", "hann-sinc"])
def test_interpolators_make_no_tone(name: str) -> None:
    rows = known_leakage(name)
    assert rows
    assert all(row.leakage is not None and row.leakage.tone_free for row in rows)
    proved = [all(line.exact for line in row.leakage.lines) for row in rows if row.leakage is not None]
    assert all(proved) == (name != "hann-sinc")  # whose taps are floats


def julius_as_published(x: Array, L: int) -> Array:
    """Write julius's loop in NumPy: one kernel per output phase, windowed, clamped, not normalised."""
    zeros, sr = 24, 0.945
    width = int(np.ceil(zeros / sr))
    idx = np.arange(-width, width + 1)
    y = np.empty(L * x.size)
    padded = np.pad(x, width)
    for i in range(L):
        t = np.clip((idx - i / L) * sr, -zeros, zeros)
        kernel = np.sinc(t) * np.cos(np.pi * t / zeros / 2) ** 2 * sr
        y[i::L] = np.correlate(padded, kernel, "valid")
    return y


@pytest.mark.parametrize("L", [2, 3, 4])
def test_the_formula_of_julius(L: int) -> None:
    x = np.random.default_rng(0).normal(size=120)
    layer = KNOWN["julius"].make(L)
    assert np.abs(layer(x[None])[0] - julius_as_published(x, L)).max() <= 128 * 2.0**-53 * np.abs(x).sum()
    (row,) = known_leakage("julius", factor=L)
    assert row.leakage is not None
    assert -115 < (row.leakage.worst_dbc or 0) < -108


def test_the_two_grids_of_linear_interpolation() -> None:
    x = np.array([[4.0, 8.0, 2.0]])
    assert (integer_linear(4)(x)[0, :9] == np.interp(np.arange(9) / 4, [0, 1, 2], x[0])).all()
    assert integer_linear(3).length == 5
    assert KNOWN["linear"].make(2).length == 4


def test_packages_that_are_not_there_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    rows = known_leakage("soxr")
    assert [(row.factor, row.leakage, row.note) for row in rows] == [(L, None, "not installed") for L in (2, 3, 4, 8)]


def test_packages_that_are_there_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins with the calls that soxr and samplerate document."""

    def soxr(x: Array, in_rate: float, out_rate: float) -> Array:
        return np.asarray(signal.resample_poly(x, int(out_rate / in_rate), 1))

    def samplerate(x: Array, ratio: float, converter: str) -> Array:
        assert converter == "sinc_best"
        return np.repeat(x, int(ratio)).astype(np.float32)

    monkeypatch.setitem(sys.modules, "soxr", SimpleNamespace(resample=soxr))
    monkeypatch.setitem(sys.modules, "samplerate", SimpleNamespace(resample=samplerate))
    (found,), (poly,) = known_leakage("soxr", factor=3), known_leakage("resample_poly", factor=3)
    assert found.leakage == poly.leakage
    (single,) = known_leakage("samplerate", factor=2)
    assert single.leakage is not None
    assert single.leakage.tone_free
    assert -135 < (single.leakage.resolution_dbc or 0) < -115  # of float32


def test_what_is_not_periodic_has_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(x: Array, in_rate: float, out_rate: float) -> Array:
        return np.repeat(x, 2)[: 2 * x.size // 3]

    monkeypatch.setitem(sys.modules, "soxr", SimpleNamespace(resample=cut))
    (row,) = known_leakage("soxr", factor=2)
    assert row.leakage is None
    assert row.note.startswith("length: upsampler: got")


def test_names_and_factors() -> None:
    rows = known_leakage(factor=5)
    assert {row.name for row in rows} == set(KNOWN) - {"learned-linear"}
    assert {row.factor for row in rows} == {5}
    assert {row.name for row in known_leakage()} == set(KNOWN)
    for bad, words in (
        ({"name": "neerest"}, "did you mean 'nearest'?"),
        ({"name": "learned-linear", "factor": 3}, "factor of learned-linear: got 3; allowed: 2"),
        ({"factor": 1}, "factor: got 1; allowed: an integer >= 2"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            known_leakage(**bad)
