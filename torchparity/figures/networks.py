"""Figs. 1 and 9: networks before training, fed with white noise; and expected spectra over single draws.

Networks are those of `torchparity.models.eight`: narrow, with Torch's random numbers, in double precision. Predicted is
what `dspref.expected` says of their mean over draws, the LSTM left out; one draw may be off (bars: 5 to 95 % of draws).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from dspref.arrays import Array
from dspref.claims.curves import Curve, Drawing
from dspref.expected import Expected
from dspref.expected.visible import HANN, own_lines, seen_floor
from dspref.figures.panels import Plot, Spectrogram, Tone
from dspref.figures.picture import Picture, Wanted
from dspref.figures.signals import FRAME
from dspref.figures.spectra import HOP, cells, decibels, panel
from torchparity.known import network_named
from torchparity.models.eight.drawn import response
from torchparity.models.eight.pictures import INTERPOLATED, SECONDS, SPAN, USUAL, valleys, visible_lines
from torchparity.models.eight.subject import DEPTH
from torchparity.models.eight.theory import foreseen

CLAIMS = ("UA-T2", "UA-T4", "UA-T11", "UA-T23", "UA-T24")

NARROW = "16 channels in the first of six layers in place of 100."

SIDE = (
    "Beside each spectrogram its mean over time (grey), and the floor (black) and lines (circles, in the colour of the "
    "layer that makes them; bars: 5 to 95 % of draws) expected of random networks; triangles: nulls of the "
    f"interpolation, proved. {NARROW}"
)

QUIET = (
    "Beside each spectrogram its mean over time (grey), and the floor (black) expected of random networks; no line is "
    f"expected to stand out of it. {NARROW}"
)


def drawn_network(name: str, seed: int) -> Array:
    """Return six seconds, and a frame, of the first channel of what a network makes of white noise."""
    return np.asarray(response(name, seed, samples=SECONDS * network_named(name).sr + FRAME, double=True)[0])


def expected_of(name: str) -> Expected:
    """Return the spectrum to expect; of networks that interpolate, of their last layers, which make all of it."""
    return foreseen(name, depth=DEPTH) if name in INTERPOLATED else foreseen(name)


def expected_cells(found: Expected) -> Array:
    """Return the powers expected in the bins of a frame, lines apart: (N/2 + 1,)."""
    S = seen_floor(found, np.arange(FRAME // 2 + 1) / FRAME, size=FRAME)
    return np.asarray(np.maximum(S, 0) * HANN / FRAME)


def owner(found: Expected, freq: Fraction) -> int:
    """Return the upsampling layer that makes a line, counted from 1: the last whose comb has it."""
    combs = sorted((comb.divisor for comb in found.combs if comb.divisor > 1), reverse=True)
    return max(i for i, M in enumerate(combs, 1) if (freq * M).denominator == 1)


def expected_tones(found: Expected, places: Iterable[Fraction]) -> tuple[Tone, ...]:
    """Return lines with the levels and bands of their combs."""
    made = []
    for freq in places:
        comb = min((c for c in found.combs if (freq * c.divisor).denominator == 1), key=lambda c: c.divisor)
        level = float(decibels(found.line(int(freq * found.period))))
        made.append(Tone(freq, owner(found, freq), level, comb.low, comb.high))
    return tuple(made)


def network_panel(title: str, name: str, seed: int) -> Spectrogram:
    """Return the spectrogram of a network, and what is expected of it."""
    found = expected_of(name)
    return panel(
        title,
        drawn_network(name, seed),
        network_named(name).sr,
        floor=expected_cells(found),
        tones=expected_tones(found, visible_lines(found)),
        nulls=valleys(name),
        seconds=SECONDS,
        span=SPAN.get(name, USUAL),
    )


def figure_1(wanted: Wanted) -> Picture:
    """Return Fig. 1: MelGAN, and three networks like Demucs."""
    rows = {
        "melgan": "MelGAN: tonal artifacts (horizontal lines)",
        "demucs-like-transposed": "Demucs: tonal artifacts (horizontal lines)",
        "demucs-like-nearest": "Nearest neighbor: filtering artifacts (horizontal valleys)",
        "demucs-like-subpixel": "Subpixel convolution: tonal artifacts (horizontal lines)",
    }
    return Picture(
        "fig1",
        "Fig. 1. Upsampling artifacts after initialization. Input: white noise.",
        SIDE,
        CLAIMS,
        tuple(network_panel(title, name, wanted.seed) for name, title in rows.items()),
        columns=2,
    )


def figure_9(wanted: Wanted) -> Picture:
    """Return Fig. 9: two of the networks without ReLUs in the first layer and without biases."""
    rows = {
        "modified-transposed": "Demucs (original) modification",
        "modified-subpixel": "Demucs (subpixel convolution) modification",
    }
    return Picture(
        "fig9",
        "Fig. 9. Demucs modified, after initialization: no ReLUs in the first layer, and no biases.",
        QUIET,
        ("UA-T2", "UA-T4", "UA-T23", "UA-T24"),
        tuple(network_panel(title, name, wanted.seed) for name, title in rows.items()),
        columns=2,
    )


def expected(wanted: Wanted) -> Picture:
    """Return the expected spectra of two networks with bands, over one draw of each."""
    return Picture(
        "expected",
        "Expected spectra before training, and one draw.",
        f"White noise through networks of random weights: one draw, in frames of {FRAME} samples under a Hann window, "
        "the floor expected, and lines expected, one comb for each upsampling layer, with bars from 5 to 95 % of "
        "draws. Combs whose bars end under the floor are left out.",
        ("UA-T23", "UA-T24", "UA-T26"),
        tuple(expected_plot(name, wanted.seed) for name in ("melgan", "demucs-like-subpixel")),
        columns=2,
        size=(6.4, 3.9),
    )


def expected_plot(name: str, seed: int) -> Plot:
    """Return one network's spectrum, and what is expected of it."""
    found, sr = expected_of(name), network_named(name).sr
    hz = np.arange(FRAME // 2 + 1) / FRAME * sr
    frames = -(-SECONDS * sr // HOP)
    curves = [
        Curve("one network", hz, decibels(cells(drawn_network(name, seed), frames).mean(axis=1)), joined=True),
        Curve("expected floor", hz, decibels(expected_cells(found)), joined=True),
    ]
    low, high = {}, {}
    lowest = float(decibels(expected_cells(found)).min())
    for comb in found.combs:
        if comb.db is None or comb.high is None or comb.high < lowest:
            continue
        k = own_lines(found, comb)
        level = decibels(np.array([found.line(int(n)) for n in k]))
        label = "offset" if comb.divisor == 1 else f"lines of the comb sr/{comb.divisor}"
        curves.append(Curve(label, k / found.period * sr, level))
        if comb.low is not None:
            low[label], high[label] = level + comb.low - comb.db, level + comb.high - comb.db
    return Plot(name, Drawing("frequency (Hz)", "dB re the input", tuple(curves)), low=low, high=high)
