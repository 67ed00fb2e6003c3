"""Figures that the article lacks: levels of lines against factor and length, and maps of two frequencies."""

from __future__ import annotations

import numpy as np

from dspref.chain import Chain
from dspref.claims.curves import Curve, Drawing, decibels
from dspref.figures.panels import Map, Plot
from dspref.figures.picture import Picture, Wanted
from dspref.initial import random_lines, torch_default
from dspref.interpolators import Linear, Nearest, ZeroStuff
from dspref.layers import Layer, TransposedConv
from dspref.lines import tone_lines
from dspref.spectrum.lptv import bifrequency
from dspref.spectrum.zeros import nulls

FACTORS, LENGTHS = range(2, 17), range(1, 33)

FACTOR = 4
"""Of the curves."""

DRAWS = 2000

BINS = 24
"""Input frequencies of a map."""


def levels(wanted: Wanted) -> Picture:
    """Return how loud lines are: of kernels of ones by formula and as computed, of random ones as a band and drawn."""
    return Picture(
        "levels",
        "Levels of lines against factor and length.",
        "Transposed convolutions fed with ones. Left: the strongest line of a kernel of ones; dots where there is "
        "none, as the factor divides the length. Middle: each line of a kernel of ones ×4, by its formula and from "
        f"the taps. Right: Torch's random kernels ×4, line and offset: expected power, and {DRAWS} kernels drawn; "
        "bars: where 90 % of normal kernels of those variances lie.",
        ("UA-T6", "UA-T7"),
        (strongest(), ones(), random(wanted.seed)),
        columns=3,
        size=(5.0, 3.6),
    )


def line_of_ones(k: int, factor: int, length: float) -> float:
    """Return ``abs(c_k/c_0) = abs(sin(πkK/s)/(K sin(πk/s)))`` of K ones.

    Examples
    --------
    >>> round(float(decibels(line_of_ones(1, 2, 3))), 2)
    -9.54
    """
    return float(abs(np.sin(np.pi * k * length / factor) / (length * np.sin(np.pi * k / factor))))


def strongest() -> Map:
    """Return the level of the strongest line of ones, over factors and lengths."""
    found, none = np.full((len(LENGTHS), len(FACTORS)), np.nan), []
    for i, K in enumerate(LENGTHS):
        for j, s in enumerate(FACTORS):
            if K % s:
                found[i, j] = max(decibels(line_of_ones(k, s, K)) for k in range(1, s // 2 + 1))
            else:
                none.append((float(s), float(K)))
    extent = (FACTORS[0] - 0.5, FACTORS[-1] + 0.5, LENGTHS[0] - 0.5, LENGTHS[-1] + 0.5)
    return Map("strongest line of ones", found, extent, "factor", "length", "dB re DC", 50.0, tuple(none))


def ones() -> Plot:
    """Return the level of each line of ones ×4 against the length: by formula, and of the taps themselves."""
    reals, K = np.linspace(1, 24, 461), np.arange(1, 25)
    seen = [tone_lines(Chain([TransposedConv(np.ones((1, 1, n)), stride=FACTOR)])) for n in K]
    curves = []
    for k in range(1, FACTOR // 2 + 1):
        formula = decibels([line_of_ones(k, FACTOR, x) for x in reals])
        ratio = [row[k].amplitude[0] / row[0].amplitude[0] for row in seen]  # type: ignore[index]
        there = K % (FACTOR // np.gcd(k, FACTOR)) != 0  # else it is rounding
        curves.append(Curve(f"line {k}: formula", reals, np.maximum(formula, -60), joined=True))
        curves.append(Curve(f"line {k}: of the taps", K[there], decibels(np.array(ratio)[there])))
    return Plot(f"ones, factor {FACTOR}", Drawing("length", "dB re DC", tuple(curves)))


def random(seed: int) -> Plot:
    """Return the power of lines of Torch's random kernels ×4 against the length: expected, drawn, and a band."""
    rng, K = np.random.default_rng(seed), np.arange(1, 25)
    curves, low, high = [], {}, {}
    for k in (0, 1):
        told, seen, band = [], [], []
        for n in K:
            law = torch_default("convt", 1, 1, int(n), factor=FACTOR).law
            line = random_lines(FACTOR, int(n), law=law)[k]
            h = law.draw(rng, (DRAWS, int(n)))
            c = h @ np.exp(-2j * np.pi * k * np.arange(n) / FACTOR) / FACTOR
            told.append(line.mean_db)
            band.append(line.band_db())
            seen.append(10 * np.log10((np.abs(c) ** 2).mean()))
        name = "offset" if k == 0 else f"line {k}"
        curves.append(Curve(f"{name}: expected", K, np.array(told), joined=True))
        curves.append(Curve(f"{name}: drawn", K, np.array(seen)))
        low[f"{name}: drawn"], high[f"{name}: drawn"] = np.transpose(band)
    return Plot(
        f"random, factor {FACTOR}", Drawing("length", "dB re an offset of 1", tuple(curves)), low=low, high=high
    )


def bifrequency_maps(wanted: Wanted) -> Picture:
    """Return which input frequency gives what at which output frequency: four upsamplers by 4."""
    law = torch_default("convt", 1, 1, 8, factor=4).law
    drawn = TransposedConv(law.draw(np.random.default_rng(wanted.seed), (1, 1, 8)), stride=4)
    rows: dict[str, Layer] = {"stretch x4": ZeroStuff(4), "nearest x4": Nearest(4), "linear x4": Linear(4)}
    rows["convt k8 s4, random"] = drawn
    return Picture(
        "bifrequency",
        "Bifrequency maps of upsamplers ×4.",
        "What a sine at each input frequency (0 to half the rate) gives at each output frequency: itself, and three "
        "images. Dots: images of 0 Hz that are proved to be nothing, which is why interpolation makes "
        "no tones. Where the dots are missing, an offset makes lines.",
        ("UA-T1", "UA-T2", "UA-T11", "UA-T14"),
        tuple(bifrequency_map(name, layer) for name, layer in rows.items()),
        columns=4,
        size=(3.7, 3.4),
    )


def bifrequency_map(name: str, layer: Layer) -> Map:
    """Return what a real sine gives, from 0 to half of either rate, in dB re the largest gain of all.

    At an output frequency arrive the positive frequency of the sine, or its negative one.
    """
    both = np.abs(bifrequency(layer).array(2 * BINS))
    both = both.reshape(*both.shape[:2], -1)[: len(both) // 2 + 1, :, 0]
    f = np.arange(BINS + 1)
    gain = np.maximum(both[:, f], both[:, -f])
    half = 0.25 / BINS, 0.25 / (len(gain) - 1)  # of a cell
    return Map(
        name,
        20 * np.log10(np.maximum(gain / gain.max(), 1e-15)),
        (-half[0], 0.5 + half[0], -half[1], 0.5 + half[1]),
        "cycles per input sample",
        "cycles per output sample",
        "dB re the largest gain",
        60.0,
        tuple((0.0, float(null.freq)) for null in nulls(layer) if null.exact and null.freq),
    )
