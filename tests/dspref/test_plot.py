"""Pictures, tested by the data of their artists."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from dspref import parse, tone_lines
from dspref.plot import plot_spectrogram


def test_spectrogram_shows_the_tone_at_its_frequency_and_the_predictions_beside_it() -> None:
    sr = 8000
    ax = Figure().subplots()
    lines = tone_lines(parse("convt k4 s2 | convt k4 s2"))
    y = np.cos(2 * np.pi * 2000 * np.arange(sr) / sr)
    assert plot_spectrogram(y, sr, lines=lines, ax=ax) is ax
    (image,) = ax.images
    data = np.asarray(image.get_array())
    assert tuple(image.get_extent()) == (0, 1, 0, 4000)
    assert data.mean(axis=1).argmax() == pytest.approx(data.shape[0] / 2, abs=1)
    assert image.get_clim() == (-100, 0)
    ticks = [
        sorted({float(v) for path in c.get_paths() for v in np.asarray(path.vertices)[:, 1]}) for c in ax.collections
    ]
    assert ticks == [[], [2000.0], [], [4000.0]]
    assert [text.get_text() for text in ax.texts] == ["1", "2"]


def test_predictions_that_were_not_measured_are_pale_and_colours_belong_to_layers() -> None:
    lines = tone_lines(parse("convt k4 s2 | convt k4 s2"))
    all_of_them, some = Figure().subplots(), Figure().subplots()
    plot_spectrogram(np.ones(2048), 8000, lines=lines, ax=all_of_them)
    plot_spectrogram(np.ones(2048), 8000, lines=lines, standing={lines[2].freq}, ax=some)
    assert [c.get_alpha() for c in some.collections] == [0.25, 1.0, 0.25, 1.0]
    assert [len(c.get_paths()) for c in some.collections] == [1, 0, 0, 1]
    colours = [[text.get_color() for text in ax.texts] for ax in (all_of_them, some)]
    assert colours[0] == colours[1]


def test_an_offset_does_not_darken_the_rest() -> None:
    ax = Figure().subplots()
    n = np.arange(8192)
    plot_spectrogram(1000 + 0.001 * np.cos(2 * np.pi * n / 8), 8000, ax=ax)
    data = np.asarray(ax.images[0].get_array())
    assert data[128].max() == pytest.approx(0, abs=1e-6)
