"""Figures of networks: what is expected of their lines, and what their work is counted to be."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from dspref import Chain, TransposedConv
from dspref.expected import Source, expected_spectrum
from dspref.expected.network import Drawn
from dspref.figures.numbers import stored
from dspref.figures.picture import Maker, Wanted
from dspref.figures.spectra import floor_of_noise
from torchparity.figures.networks import expected_cells, expected_tones, figure_1, figure_9, owner
from torchparity.figures.sizes import REFERENCE, TIME, operations
from torchparity.models.eight.theory import foreseen
from torchparity.models.table1 import TABLE_1

ROOT = Path(__file__).resolve().parents[2]


def test_entry_points_lead_somewhere() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["dspref.figures"]
    assert {"fig1", "fig9", "table1", "expected"} == set(points)
    for name, place in points.items():
        module, _, function = place.partition(":")
        assert callable(getattr(import_module(module), function))
        assert stored(name) is not None


@pytest.mark.parametrize(("name", "make"), [("fig1", figure_1), ("fig9", figure_9)])
def test_a_caption_names_the_marks_that_are_there(name: str, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    panels = (stored(name) or {}).values()
    monkeypatch.setattr("torchparity.figures.networks.network_panel", lambda *_: None)  # no network is run for words
    text = make(Wanted()).text
    assert ("circles" in text) == any(panel["lines"] for panel in panels)
    assert ("triangles" in text) == any(panel["nulls"] for panel in panels)


def test_lines_have_the_level_of_their_comb_and_an_owner() -> None:
    found = foreseen("demucs-like-subpixel", depth=2)
    assert [comb.divisor for comb in found.combs] == [1, 4, 16]
    places = [Fraction(k, 16) for k in range(1, 9)]
    tones = expected_tones(found, places)
    assert [tone.owner for tone in tones] == [2 if k % 4 == 0 else 1 for k in range(1, 9)]
    assert [owner(found, nu) for nu in places] == [tone.owner for tone in tones]
    levels = {1: found.combs[2].db, 2: found.combs[1].db}
    for tone in tones:
        assert tone.owner is not None
        assert tone.level == pytest.approx(levels[tone.owner])
        assert tone.low is not None
        assert tone.high is not None
        assert tone.low < tone.level < tone.high  # type: ignore[operator]


def test_cells_expected_of_one_draw_are_those_of_its_kernel() -> None:
    """A layer whose taps are all alike but for their sign has one autocorrelation on average: that of white noise."""
    found = expected_spectrum([Drawn("convt", 1, 1, 2, factor=2, bias=0)], Source(1, 0.0, (1.0,)))
    flat = np.mean(
        [
            floor_of_noise(Chain([TransposedConv(np.array([[[a, b]]]) / np.sqrt(6), stride=2)]))
            for a in (1.0, -1.0)
            for b in (1.0, -1.0)
        ],
        axis=0,
    )
    assert np.allclose(expected_cells(found)[4:-4], flat[4:-4], rtol=1e-9)


def test_operations_of_layers_are_counted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution of K taps from C to D channels: 2·C·D·K operations for each output sample."""

    class Known:
        def factory(self, *, fitted: bool) -> nn.Module:
            return nn.Sequential(nn.Conv1d(2, 3, 5, padding=2), nn.ConvTranspose1d(3, 1, 8, stride=4))

    monkeypatch.setattr("torchparity.figures.sizes.network_named", lambda name: Known())
    assert operations("any") == 2 * TIME * (2 * 3 * 5 + 3 * 8)


def test_costs_follow_the_articles_epochs() -> None:
    """Interpolation costs more than transposed convolution, by operations and by the article's clock."""
    epochs = {row.network: row.epoch for row in TABLE_1 if row.epoch}
    told = stored("table1")
    assert told is not None
    names = list(epochs)
    ours = dict(zip(names, told["costs"]["operations of ours"], strict=True))
    theirs = dict(zip(names, told["costs"]["seconds of an epoch, the article's"], strict=True))
    for name in ("demucs-like-nearest", "demucs-like-linear"):
        assert ours[name] > ours[REFERENCE] == 1
        assert theirs[name] == round(epochs[name] / epochs[REFERENCE], 2) > 1
