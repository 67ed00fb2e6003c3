"""The page on the eight networks: its pictures' reading and drawing, its arithmetic, and its command."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dspref.arrays import Array
from torchparity.known import EIGHT
from torchparity.models.__main__ import main
from torchparity.models.eight.page import rare
from torchparity.models.eight.pictures import ARTICLE, Panel, draw, pooled
from torchparity.models.eight.read import BAR, COLUMNS, ROWS, SHAPE, read_depth, read_height, read_spectrum
from torchparity.models.eight.spectra import LINES, N, Seen, averaged
from torchparity.models.table1 import table_1


def picture(levels: Array, folder: Path) -> Path:
    """Write a picture of rows of these levels, lowest frequency first, as the article's are; 150 dB of greys."""
    rows = len(range(ROWS.start, ROWS.stop))
    grey = np.full((*SHAPE, 3), 255.0)
    grey[ROWS, BAR] = np.linspace(255, 0, rows)[:, None]
    grey[ROWS, COLUMNS] = (255 * (1 + levels[::-1] / 150))[:, None, None]
    file = folder / "picture.png"
    Image.fromarray(grey.round().astype(np.uint8)).save(file)
    return file


def test_levels_are_read_off_a_picture_to_a_shade(tmp_path: Path) -> None:
    rows = len(range(ROWS.start, ROWS.stop))
    levels = np.linspace(-60, -30, rows)
    levels[rows // 2] = -5
    levels[rows // 4] = -140
    found = read_spectrum(picture(levels, tmp_path), span_db=150)
    shade = 150 / 255  # greys; then steps of the bar
    assert np.abs(found - levels).max() <= shade
    beside = (levels[rows // 2 - 6] + levels[rows // 2 + 6]) / 2
    assert abs(read_height(found, 0.5) - (-5 - beside)) <= 2 * shade
    mean = 10 * math.log10(np.mean(10 ** (levels / 10)))
    assert abs(read_depth(found, 0.25) - (-140 - mean)) <= 2 * shade


def test_another_picture_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (10, 10)).save(tmp_path / "small.png")
    with pytest.raises(ValueError, match="that of the article's figures"):
        read_spectrum(tmp_path / "small.png", span_db=150)


def test_tone_and_floor_of_a_known_signal() -> None:
    """A tone of power 1/4 at a quarter of the rate, in noise of power 1."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal((4, 1 << 16)) + np.cos(np.pi / 2 * np.arange(1 << 16))
    S = averaged(y)
    found = Seen(np.full((2, 2), 0.25), np.stack([S, S]))
    assert abs(found.height(0).db - 10 * math.log10(1 + 0.25 * N / 1.5)) < 0.2
    mean = 10 * math.log10(1 + 2 * 0.25)  # by Parseval: the tone at both signs of its frequency
    assert abs(found.depth(0).db - (found.height(0).db - mean)) < 0.1


def test_pooling_keeps_the_mean_power_and_half_the_rate() -> None:
    power = np.random.default_rng(0).random((N // 2 + 1, 3))
    found = 10 ** (pooled(power) / 10)
    means = np.vstack([power[:-1].reshape(-1, 4, 3).mean(axis=1), power[-1:]])
    np.testing.assert_allclose(found, means / means.max())


def test_share_of_draws_that_are_overlooked() -> None:
    rng = np.random.default_rng(0)
    over = rng.exponential(10 ** (13.3 / 10) - 1, 200_000)
    share = float(np.mean(over < 10**0.3 - 1))
    assert abs(share - rare(13.3)) < 4 * math.sqrt(share / over.size)


def test_marks_stand_where_lines_and_nulls_are() -> None:
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    draw(ax, Panel("demucs-like-nearest", np.zeros((257, 4)), 44100, (Fraction(1, 16),), LINES))
    marks = {line.get_marker(): [float(hz) for hz in np.asarray(line.get_ydata())] for line in ax.get_lines()}
    assert marks == {"_": [44100 / 16], "<": [11025.0, 22050.0]}
    assert ax.get_ylim() == (0, 22050)
    assert ax.get_title() == "demucs-like-nearest (Fig. 1, c)"


def test_every_network_has_a_picture_of_the_articles() -> None:
    assert set(ARTICLE) == set(EIGHT)


def test_command_prints_table_1_or_refuses_a_folder_without_figures(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, []).output == table_1()
    refused = CliRunner().invoke(main, ["eight", "-o", str(tmp_path / "out"), "--beside", str(tmp_path)])
    assert refused.exit_code == 2
    assert "melgan.png" in refused.output
    assert not (tmp_path / "out").exists()
