"""The ways to upsample that `dspref.advise` weighs, as a table; and the level, the cost and the promise of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from dspref.advice.choices import ANY_WEIGHTS, AT_INIT, EXPECTED, Choice
from dspref.advice.combs import expected_lines, last
from dspref.advice.fromnoise import from_noise_db
from dspref.advice.plans import (
    Plan,
    leak_db,
    learned_taps,
    linear_taps,
    nearest_taps,
    sinc_taps,
    total_macs,
)
from dspref.artifacts.prospect import lengths
from dspref.designs.projection import tone_free
from dspref.spec import parse


class Way(NamedTuple):
    """A row of `WAYS`: how layers of a family begin, and what that promises."""

    name: str
    family: str
    init: str
    bias: str
    promise: str
    note: str


WAYS = (
    Way("nearest + conv", "nearest", "default", "default", ANY_WEIGHTS, "copies, then a convolution"),
    Way("linear + conv", "linear", "default", "default", ANY_WEIGHTS, "Torch's linear, corners not aligned"),
    Way("learned linear + conv", "learned", "default", "default", ANY_WEIGHTS, "w and 1 − w of each phase learned"),
    Way("sinc + conv", "sinc", "default", "default", EXPECTED, "Kaiser window; stop band set by the budget"),
    Way("sinc, tone-free + conv", "sinc", "tone-free", "default", ANY_WEIGHTS, "the same, phases of equal gain"),
    Way(
        "transposed, tone-free",
        "transposed",
        "tone-free",
        "default",
        ANY_WEIGHTS,
        "taps projected in each forward pass: torchparity.nn.utils.tone_free_(model)",
    ),
    Way("transposed, ones", "transposed", "ones", "default", AT_INIT, "one weight per pair of channels, all taps"),
    Way("transposed, triangle", "transposed", "triangle", "default", AT_INIT, "two boxes convolved, 2s − 1 taps"),
    Way("transposed, default", "transposed", "default", "default", EXPECTED, "Torch's initialisation"),
    Way(
        "sub-pixel, tone-free",
        "subpixel",
        "tone-free",
        "equal",
        ANY_WEIGHTS,
        "filters of equal sums, one bias, in each forward pass: tone_free_, too",
    ),
    Way("sub-pixel ICNR, no bias", "subpixel", "icnr", "none", AT_INIT, "the s filters begin equal"),
    Way("sub-pixel ICNR, one bias", "subpixel", "icnr", "equal", AT_INIT, "bias behind the shuffle"),
    Way("sub-pixel ICNR", "subpixel", "icnr", "default", EXPECTED, "UA103: the bias has the period of the shuffle"),
    Way("sub-pixel, default", "subpixel", "default", "default", EXPECTED, "Torch's initialisation"),
)
"""All that is considered."""


STEEPEST = 300.0
"""Attenuation in dB beyond which rounding of the taps is all that is left."""


class Lengths(NamedTuple):
    """Numbers of taps: as `dspref.advise` takes them."""

    conv: int
    overlap: int
    subpixel: int


def choice(
    way: Way, s: tuple[int, ...], sr: Fraction, width: tuple[int, ...], taps_of: Lengths, budget: float, u: float
) -> Choice:
    """Return what one way gives for a rate chain s at the rate sr, in a format of unit roundoff u."""
    low, high = spread_db(width[1:], lines=math.prod(s) // 2) if way.promise == EXPECTED else (0.0, 0.0)
    taps = _taps(way, budget - high)
    layers = tuple(
        Plan(way.family, f, (a, b), _length(way, f, taps_of), _weights(way), way.bias, taps(f))
        for f, a, b in zip(s, width, width[1:], strict=False)
    )
    level, freq = _level(way, layers)
    band = None if level is None else (level + low, level + high)
    shape = lengths(parse(" | ".join(plan.words for plan in layers)))
    floor = 20 * math.log10(u * math.sqrt(sum(plan.summands for plan in layers)))
    return Choice(
        way.name,
        way.family,
        way.init,
        layers,
        way.promise,
        level,
        band,
        None if freq is None else freq * sr,
        floor,
        _noise(layers),
        total_macs(layers),
        sum(plan.parameters for plan in layers),
        -(-shape.h.shape[-1] // shape.L),
        max(0, shape.offset) / sr,
        way.note,
    )


def _taps(way: Way, level_db: float) -> Callable[[int], tuple[float, ...]]:
    """Return what gives the taps that interpolate by s; of a sinc, with a leakage of at most `level_db`."""
    fixed = {"nearest": nearest_taps, "linear": linear_taps, "learned": learned_taps}
    if way.family in fixed:
        return fixed[way.family]
    if way.family != "sinc":
        return lambda s: ()

    def designed(s: int) -> tuple[float, ...]:
        for attenuation in np.arange(min(max(21.0, -level_db), STEEPEST), STEEPEST + 1, 5.0):
            taps = sinc_taps(s, float(attenuation))
            leak, _ = leak_db(taps, s)
            if leak is None or leak <= level_db:
                break
        return tuple(float(v) for v in tone_free(taps, s)) if way.init == "tone-free" else taps

    return designed


def _weights(way: Way) -> str:
    """Return how the kernel begins: behind an interpolation, as Torch does."""
    return way.init if way.family in ("transposed", "subpixel") else "default"


def _length(way: Way, s: int, taps_of: Lengths) -> int:
    if way.family == "subpixel":
        return taps_of.subpixel
    if way.family != "transposed":
        return taps_of.conv
    return 2 * s - 1 if way.init == "triangle" else taps_of.overlap * s


def _level(way: Way, layers: tuple[Plan, ...]) -> tuple[float | None, Fraction | None]:
    """Return the strongest line re DC, and its frequency in cycles per output sample; None for none."""
    if way.promise != EXPECTED:
        return None, None
    if way.family == "sinc":
        found = [(*leak_db(p.taps, p.factor), _spacing(layers, i)) for i, p in enumerate(layers)]
        known = [(level, k * spacing) for level, k, spacing in found if level is not None]
        return max(known, default=(None, None), key=lambda row: row[0])
    power = expected_lines(layers)
    k = 1 + int(power[1:].argmax())
    return 10 * math.log10(power[k] / power[0]), k * _spacing(last(layers), 0)


def _spacing(layers: tuple[Plan, ...], place: int) -> Fraction:
    """Return the rate at a layer's input, in cycles per sample of the output of all."""
    return Fraction(1, math.prod(plan.factor for plan in layers[place:]))


def _noise(layers: tuple[Plan, ...]) -> float | None:
    """Return the strongest line of noise behind a rectifier, of all layers (UA106)."""
    return max((level for plan in layers if (level := from_noise_db(plan)) is not None), default=None)


def spread_db(channels: Iterable[int], *, lines: int = 1) -> tuple[float, float]:
    """Return the band of 95 % around an expected level that random convolutions to so many channels leave.

    A line's and DC's power, each summed over C Gaussian channels, are to each other as F(C, C), and behind n layers as
    the product X of n of them. ln X has the characteristic function ``φ(t) = Π abs(Γ(C/2 + jt))²/Γ(C/2)²``, so that
    ``P(ln X > x) = 1/2 − 1/π ∫ φ(t) sin(tx)/t dt``. A complex line, F(2C, C), scatters less. The upper end is for the
    strongest of `lines`: each is beyond it 1/lines as often.

    Examples
    --------
    >>> [round(edge, 1) for edge in spread_db([32])]
    [-3.1, 3.1]
    """
    from scipy.special import loggamma

    widths = np.array(tuple(channels))[:, None] / 2
    step = 1 / 64
    t = step * np.arange(1, 64 * math.ceil(32 + 8 * math.sqrt(widths.min())))
    phi = np.exp(2 * (loggamma(widths + 1j * t) - loggamma(widths)).real.sum(axis=0))

    def tail(x: float) -> float:
        return float(1 / 2 - step / np.pi * (x / 2 + (phi * np.sin(t * x) / t).sum()))

    neper = 10 / math.log(10)
    return -neper * _falls_to(0.025, tail), neper * _falls_to(0.025 / lines, tail)


def _falls_to(share: float, tail: Callable[[float], float]) -> float:
    """Return where a function that falls from x = 0 has come down to a share, to the last bits."""
    below, above = 0.0, 1.0
    while tail(above) > share:
        below, above = above, 2 * above
    for _ in range(60):
        middle = (below + above) / 2
        below, above = (middle, above) if tail(middle) > share else (below, middle)
    return above
