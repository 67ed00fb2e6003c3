"""Figures as data: what is predicted beside what is computed by another way, and the article's own numbers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dspref import Chain, Conv, Linear, Nearest, TransposedConv
from dspref.arrays import Array
from dspref.claims import claim
from dspref.figures import OWN, RECORDED, Wanted, maker, picture, wanted_names
from dspref.figures.extras import BINS, bifrequency_map
from dspref.figures.numbers import agree, differences, stored
from dspref.figures.panels import Boxes, Spectrogram, Stems, digits
from dspref.figures.picture import Picture
from dspref.figures.record import lines_of, read_record
from dspref.figures.signals import FRAME, SAMPLES, SR, music, ones
from dspref.figures.spectra import HOP, cells, decibels, floor_of_noise, floor_of_signal, hann
from dspref.figures.stacks import chains, interpolation_nulls, subpixel, transposed
from dspref.figures.stamps import in_numbers, stems
from dspref.spectrum import replicas

U = 2.0**-53


@pytest.fixture(scope="module")
def own() -> dict[str, Picture]:
    return {name: picture(name) for name in OWN}


def panels(whole: Picture, kind: type) -> list[Any]:
    return [panel for panel in whole.panels if isinstance(panel, kind)]


@pytest.mark.parametrize("name", sorted(set(OWN) - set(RECORDED)))
def test_numbers_are_the_stored_ones(own: dict[str, Picture], name: str) -> None:
    assert differences(own[name]) == ()


def test_what_differs_is_found(own: dict[str, Picture]) -> None:
    other = picture("fig7", wanted=Wanted(seed=1))
    found = differences(other)
    assert any("Subpixel convolution: layer 2, lines" in line for line in found)
    assert not any("Input" in line for line in found)
    assert [agree(a, b) for a, b in ((0.0, 0.01), (0.0, 0.02), (None, 0.0), ("a", "b"), (1, 1.0))] == [
        True,
        False,
        False,
        False,
        False,
    ]


def test_captions_name_claims_that_are_there(own: dict[str, Picture]) -> None:
    for whole in own.values():
        assert all(claim(id).id == id for id in whole.claims)
        assert whole.text.endswith(f"Claims: {', '.join(whole.claims)}.")
        assert len({panel.title for panel in whole.panels}) == len(whole.panels)  # numbers are kept by title


def test_words_for_figures() -> None:
    assert set(wanted_names(["all"])) >= {f"fig{i}" for i in range(2, 9)}
    assert {"levels", "montecarlo", "bifrequency"} <= set(wanted_names(["extras"]))
    assert set(wanted_names(["all", "extras"])) >= set(OWN)
    with pytest.raises(ValueError, match="did you mean 'fig6'"):
        wanted_names(["fig66"])
    with pytest.raises(ValueError, match="did you mean 'levels'"):
        maker("level")


def test_extras_of_an_installed_package_are_those_that_need_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = wanted_names(["extras"])
    monkeypatch.setattr("dspref.figures.RECORD", Path("/nowhere/expected.json"))
    assert wanted_names(["extras"]) == tuple(name for name in whole if name not in RECORDED)
    assert wanted_names(["montecarlo"]) == ("montecarlo",)  # whose words then say what is missing


# Figs. 2 to 5


def summed(boxes: Boxes) -> list[Fraction]:
    """Return the sum of stamps, box by box: a transposed convolution by its definition."""
    ends = max(row.start + len(row.words) for row in boxes.stamps)
    total = [Fraction(0)] * ends
    for row in boxes.stamps:
        for k, word in enumerate(row.words):
            total[row.start + k] += Fraction(word.replace("−", "-"))
    return total


@pytest.mark.parametrize(
    ("name", "article"),
    [
        ("fig2", "0.2 0.3 -0.01 0.2 0.3 -0.01"),
        ("fig3", "1 1 2 1 2 1 2 1 1"),
        ("fig4", "1 2 3 3 2 1"),
    ],
)
def test_boxes_are_the_articles_and_add_up(own: dict[str, Picture], name: str, article: str) -> None:
    boxes = own[name].panels[-1]
    assert isinstance(boxes, Boxes)
    assert boxes.made is not None
    assert " ".join(boxes.made.words).replace("−", "-") == article
    assert [Fraction(word.replace("−", "-")) for word in boxes.made.words] == summed(boxes)


def test_symbols_stamp_each_sample_with_its_own_name(own: dict[str, Picture]) -> None:
    first = own["fig3"].panels[0]
    assert isinstance(first, Boxes)
    assert [row.words[0] for row in first.stamps] == ["a₀w₀", "a₁w₀", "a₂w₀", "a₃w₀"]
    assert [row.start for row in first.stamps] == [0, 2, 4, 6]


def test_borders_of_boxes() -> None:
    """Of length 3, stride 2, one sample at either end has no partner; without overlap all are steady."""
    assert in_numbers(TransposedConv(np.ones((1, 1, 3), int), stride=2), 4).steady == (1, 8)
    alone = in_numbers(TransposedConv(np.ones((1, 1, 3), int), stride=3), 4)
    assert (alone.steady, alone.words) == ((0, 12), "is constant, 1: no line can be")
    some = in_numbers(TransposedConv(np.ones((1, 1, 6), int), stride=4), 4)
    assert some.words == "repeats 2, 2, 1, 1: line at sr/4, −12.55 dB re DC"  # none at sr/2: 4 divides 2·6


def test_figure_5_lengths_and_levels_are_the_articles(own: dict[str, Picture]) -> None:
    rows = panels(own["fig5"], Stems)
    assert [row.values.size for row in rows] == [62, 62, 44, 44]  # the ends of the article's axes
    assert set(rows[0].values) == {1, 2}
    assert rows[2].values.tolist() == [1] * 4 + [2] * 36 + [1] * 4
    assert max(abs(rows[1].values).max(), abs(rows[3].values).max()) < 2 * 8**-0.5  # of two taps of U(±1/√8)


@pytest.mark.parametrize(("K", "s"), [(8, 6), (8, 4), (5, 5), (7, 3)])
def test_stems_are_predicted_to_rounding(K: int, s: int) -> None:
    taps = np.random.default_rng(K * s).standard_normal((1, 1, K))
    found = stems("any", TransposedConv(taps, stride=s))
    assert np.abs(found.predicted - found.values).max() <= 2 * K * U * np.abs(taps).sum()


# Figs. 6 to 8


@pytest.mark.parametrize("make", [subpixel, transposed])
def test_lines_of_ones_are_those_of_one_period(make: Any) -> None:
    """The transform of one steady period of the output, beside the lines predicted."""
    whole = picture("fig7" if make is subpixel else "fig8")
    name = "Subpixel" if make is subpixel else "Transposed"
    rows = [panel for panel in panels(whole, Spectrogram) if panel.title.startswith(name)]
    assert len(rows) == 3
    for chain, row in zip(chains(lambda rng: (make(rng),), 0), rows, strict=True):
        S = int(chain.factor)
        middle = S * 500
        c = np.abs(np.fft.rfft(chain(ones()[:, :1000])[0, middle : middle + S]) / S)
        due = 20 * np.log10(c / c.max())
        assert [tone.freq for tone in row.tones] == [Fraction(k, S) for k in range(S // 2 + 1)]
        told = np.array([tone.level for tone in row.tones])
        assert np.allclose(told - told.max(), due, rtol=0, atol=1e4 * U * c.max() / c.min())
        assert all(abs((digits(tone.level) or 0) - (digits(row.at(tone)) or 0)) < 0.011 for tone in row.tones)


def test_floor_of_noise_is_the_mean_over_phases() -> None:
    """``Σ_n abs(Σ_m w[m] T[m, n] e^{−j2πkm/N})²``, T the matrix of the chain itself, over frames of each phase."""
    chain = Chain([Nearest(2), Conv(np.array([[[0.5, -1.0, 0.25]]]), padding=1)])
    u, bins = chain.collapse(), np.array([0, 1, 400, 1022, 1023, 1024])
    inputs = FRAME // 2 + 20
    T = np.asarray(u(np.eye(inputs)[:, None, :]), float)[:, 0, :].T  # response to each unit impulse
    turns = np.exp(-2j * np.pi * np.outer(bins, np.arange(FRAME)) / FRAME) * hann() / hann().sum()
    means = [(np.abs(turns @ T[start : start + FRAME]) ** 2).sum(axis=1) for start in (10, 11)]
    found = floor_of_noise(chain)[bins]
    assert np.allclose(np.mean(means, axis=0), found, rtol=0, atol=1e3 * FRAME * U * found.max())


@pytest.mark.parametrize("chain", [Chain([Nearest(2)]), Chain([Linear(2), Nearest(2)])])
def test_floor_of_a_sine_are_its_replicas(chain: Chain) -> None:
    """A cosine in the middle of a bin: P at each replica is its amplitude squared."""
    S = int(chain.factor)
    bins = FRAME // S
    b = bins // 8 + 3
    x = np.cos(2 * np.pi * b * np.arange(FRAME * 2) / bins)
    found = floor_of_signal(chain, x, 4)
    for replica in replicas(chain, Fraction(b, bins), amplitude=0.5):
        assert replica.amplitude is not None
        power = abs(complex(replica.amplitude[0])) ** 2
        assert found[int(replica.freq * FRAME)] == pytest.approx(power, rel=1e4 * FRAME * U)


def test_the_mean_of_noise_lies_on_the_floor_predicted(own: dict[str, Picture]) -> None:
    """Of n samples of noise come n/2 independent cells: the mean ratio is 1 to five of its standard deviations."""
    rows = [p for name in ("fig6", "fig8") for p in panels(own[name], Spectrogram) if p.title.startswith("Linear")]
    assert len(rows) == 8
    for row in rows:
        assert row.floor is not None
        kept = row.floor > row.floor.max() - 100  # below that the transform of the autocovariance is rounding
        ratio = 10 ** ((row.mean - row.floor)[kept] / 10)
        assert abs(ratio.mean() - 1) < 5 / np.sqrt(row.seconds * row.sr / 2)


@pytest.mark.parametrize("name", ["fig6", "fig8"])
def test_nulls_are_those_of_the_article(own: dict[str, Picture], name: str) -> None:
    """At all multiples of the input rate, as section 5 says, and the lowest bins around."""
    for row in (panel for panel in panels(own[name], Spectrogram) if panel.title.startswith("Linear") and panel.nulls):
        assert row.numbers["nulls"] == [SR * k for k in range(1, row.sr // SR // 2 + 1)]
        for nu in row.nulls:
            k = int(2 * nu * (FRAME // 2))
            assert row.mean[k - 16 : k + 17].argmin() == 16
    assert [float(nu * 8000) for nu in interpolation_nulls(Chain([Linear(2)]))] == [4000]


def test_axes_are_those_of_the_article(own: dict[str, Picture]) -> None:
    for name, count in (("fig6", 8), ("fig7", 4), ("fig8", 8)):
        rows = panels(own[name], Spectrogram)
        assert len(rows) == count
        assert {row.sr for row in rows} == {4000, 8000, 16000, 32000}
        assert {(row.seconds, row.span, float(row.levels.max() <= 0)) for row in rows} == {(3.0, 100.0, 1.0)}


def test_a_cell_is_the_power_of_a_line() -> None:
    c = 0.3 * np.exp(0.7j)
    m = np.arange(4 * FRAME)
    y = 2 * (c * np.exp(2j * np.pi * 100 * m / FRAME)).real
    P = cells(y, 3)
    assert P.shape == (FRAME // 2 + 1, 3)
    assert np.allclose(P[100], 0.09, rtol=1e3 * U * FRAME)
    assert np.allclose(P[101], 0.09 / 4, rtol=1e3 * U * FRAME)  # Hann: half the amplitude in the next bin
    assert decibels(0.0) == -300
    assert HOP * 4 == FRAME


def test_music_is_reproducible_and_below_half_the_rate() -> None:
    x = music(0)
    assert x.shape == (1, SAMPLES)
    assert np.array_equal(x, music(0))
    assert not np.array_equal(x, music(1))
    P: Array = cells(x[0], 20).mean(axis=1)
    hz = np.arange(P.size) * SR / FRAME
    assert P[hz > 1950].max() < 1e-4 * P.max()


# extras


def test_lines_of_a_constant_leave_no_interpolator() -> None:
    """The column of 0 Hz: a map has gains at its images exactly where no null is proved."""
    for layer in (Nearest(4), Linear(4), TransposedConv(np.arange(1.0, 9).reshape(1, 1, 8), stride=4)):
        found = bifrequency_map("any", layer)
        assert found.levels.shape == (4 * BINS + 1, BINS + 1)
        images = {0.25: found.levels[2 * BINS, 0], 0.5: found.levels[4 * BINS, 0]}
        silent = {freq for freq, level in images.items() if level < -250}
        assert silent == {freq for _, freq in found.marks}


def test_the_record_is_drawn_as_it_is(own: dict[str, Picture]) -> None:
    lines = lines_of(read_record())
    levels = own["montecarlo"].panels[0].numbers["lines of networks"]
    assert len(levels) == len(lines) or len(levels) == -(-len(lines) // 20)
    assert stored("montecarlo") is None
    with pytest.raises(ValueError, match=r"no numbers\.json at"):
        read_record(Path("/nowhere/numbers.json"))
