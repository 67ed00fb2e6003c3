"""The record of cured decoders: docs/validation/tone_free.md, and what its verdicts mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import chi2

from tests.cure.foreseen import Foreseen
from tests.cure.ledgered import SEEDS, Cured, every
from tests.cure.measured import SEGMENTS, Lines, Seen, places

FLAT = 1e-12
"""Peak to peak over mean of the steady state, in double precision, up to which it is a constant.

Where the mean is less than what varied about it before, as without biases, over that."""

STANDS_DB = 3.0
"""What no line stands over its floor by, or else it is to be predicted."""

TAIL = 1e-3
"""Share of draws beyond either end of a band."""

NONE, AS_PREDICTED = "none", "as predicted"
IN_NOTCH, OVER = "in its notch alone", "not predicted"

HEAD = (
    "| decoder | layer | before: strongest, mean | after: strongest, mean, outside "
    "| predicted mean | band | over 3 dB |"
)
FLATNESS = "| decoder | tone-free layers | before | after | after, re what varied | periods |"
WIDE = "| decoder | mean height of its layers' lines, as measured here | of the width as published |"


def flats(cured: Cured) -> tuple[float, ...]:
    """Return peak to peak over mean for each seed, or over what was peak to peak before, if that is more."""
    return tuple(b.flat / max(1.0, a.flat) for a, b in zip(cured.before, cured.after, strict=True))


def mean(seen: Sequence[Seen], layer: int) -> float:
    """Return the mean height of a layer's lines, in dB: of ratios of powers, over lines and seeds."""
    return _db(float(np.mean([10 ** (each.layers[layer].mean / 10) for each in seen])))


def strongest(seen: Sequence[Seen], layer: int) -> Lines:
    """Return the lines of the seed that has the strongest."""
    return max((each.layers[layer] for each in seen), key=lambda lines: lines.strongest)


def band(noise: float, line: float, lines: int) -> tuple[float, float]:
    """Return the band of the mean over seeds, in dB, of predicted means over draws: of noise and of lines, as ratios.

    The power of a line over draws is that of a Gaussian amplitude, complex but at half the rate; the lines of one draw
    are taken to go together, so that a mean over seeds has as many degrees of freedom as seeds, twice for complex ones.
    Three standard errors of averaged segments come on top.

    >>> [round(level, 1) for level in band(0.0, 100.0, 1)], [round(level, 1) for level in band(1.0, 0.0, 100)]
    ([5.1, 27.0], [-1.2, 0.9])
    """
    freedom = SEEDS * (1 if lines == 1 else 2)
    error = 3 / math.sqrt(SEEDS * SEGMENTS)
    low, high = (noise + line * float(chi2.ppf(q, freedom)) / freedom for q in (TAIL, 1 - TAIL))
    return _db(low * (1 - error)), _db(high * (1 + error))


def verdict(cured: Cured, layer: int) -> str:
    """Return what is to be said of what is left of a layer's lines."""
    worst, told = strongest(cured.after, layer), predicted(cured, layer)
    if worst.strongest <= STANDS_DB:
        return NONE
    if told is not None and told[0] <= mean(cured.after, layer) <= told[1]:
        return AS_PREDICTED
    return IN_NOTCH if max(seen.layers[layer].outside for seen in cured.after) <= STANDS_DB else OVER


def predicted(cured: Cured, layer: int) -> tuple[float, float] | None:
    """Return the band in which the mean height of a layer's lines is to be; None where there is no prediction."""
    told = cured.foreseen
    line = told.line[layer] if told.line else None
    return None if line is None else band(told.noise[layer], line, len(places(cured.subject.row)[layer]))


def write(cured: Sequence[Cured], folder: Path, made: str) -> Path:
    """Write the page, and return where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tone_free.md"
    path.write_text(page(cured, made), encoding="utf-8")
    return path


def page(cured: Sequence[Cured], made: str) -> str:
    """Return the page: constants before and after, lines of noise before, after and by theory."""
    about = WHICH.format(count=len(cured), seeds=SEEDS)
    lines = LINES.format(segments=SEGMENTS, stands=STANDS_DB, share=1 - 2 * TAIL, seeds=SEEDS)
    settle = [f"- {each.subject.name}: {each.subject.settles}." for each in cured if each.subject.settles]
    left = [f"- {each.subject.name}: not reached: {text}." for each in cured for text in each.not_reached]
    told = [f"- {text}" for each in cured for text in remarks(each)]
    parts = [
        ["# Decoders before and after `tone_free_`"],
        [_joined(about)],
        [made],
        ["## A constant input"],
        [_joined(CONSTANTS)],
        _table(FLATNESS, (_flatness(each) for each in cured)),
        [*settle, *left],
        ["## White noise"],
        [_joined(lines)],
        _table(HEAD, (_layer(each, i) for each, i in every(tuple(cured)))),
        told,
        [_joined(WHY)],
        ["## At the width as published"],
        [_joined(PUBLISHED)],
        _table(WIDE, (_wide(each) for each in cured if each.wide.line)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


WHICH = """
{count} decoders at random initialisation, {seeds} seeds each, widths reduced but for MelGAN, in double precision;
`torchparity.nn.utils.tone_free_` of order 1 on the same weights.
"""

CONSTANTS = """
Peak to peak of the steady output over its mean; the largest of all seeds and channels. Where the mean is less than
what varied about it before, as in decoders without biases, sums cancel, and rounding is a larger share of it: the
last column but one is after over the larger of 1 and before. The last is how many periods of the grid are steady, to
rounding, at the least.
"""

LINES = """
Heights in dB of the lines of each layer over their floor, the median of the bins 7 to 20 away, as an audit measures
them: {segments} segments, of 32 768 bins or 32 a line. The strongest is that of all seeds and lines; the mean is that
of ratios of powers, over lines and seeds, so that noise alone has 0, and the notch of a tone-free layer less. Outside
is the strongest once more, over the median of all bins that are nearer to it than to other lines: the noise outside
the notch. Up to {stands:g} dB there is no line. What stands higher is to be predicted: by `dspref.expected.forecast`
of the network with tone-free layers (claim UA-T29), before any of it is drawn, with the band of {share:.1%} of means
over {seeds} draws. In its notch alone is what stands over the floor of the notch, and no {stands:g} dB over the noise
outside.
"""

WHY = """
The line that is left is not that of an offset: with maps that are linear there is none. Noise through drawn tone-free
taps has nearly the same variance in each phase, not quite in one draw of few channels, and a map turns what differs
into a mean that repeats (claims UA-T22 and UA-T29). Decoders whose biases are strong and whose maps are nearly linear
for what is left of the noise, as MelGAN is, have next to nothing of it; those without biases, as SpeechT5's, most.
"""

PUBLISHED = """
Predicted only: terms of order 1/C, C the channels, are what is left, and fall by 3 dB for each doubling; where
channels were cut to an eighth, by 9 dB.
"""


def remarks(cured: Cured) -> Iterator[str]:
    """Yield why something is not predicted."""
    if cured.foreseen.why:
        yield f"{cured.subject.name}: {cured.foreseen.why}."
    if any(told is None for told in cured.foreseen.line):
        yield f"{cured.subject.name}: lines 130 dB under the strongest, at 0 Hz, are rounding of the theory: no number."


def _flatness(each: Cured) -> str:
    before, after = (max(seen.flat for seen in side) for side in (each.before, each.after))
    periods = min(seen.periods for seen in each.after)
    return f"{each.subject.name} | {each.layers} | {before:.1e} | {after:.1e} | {max(flats(each)):.1e} | {periods}"


def _layer(each: Cured, layer: int) -> str:
    sides = [f"{strongest(side, layer).strongest:.1f}, {mean(side, layer):.1f}" for side in (each.before, each.after)]
    outside = max(seen.layers[layer].outside for seen in each.after)
    ends = predicted(each, layer)
    told = "— | —" if ends is None else f"{_means(each.foreseen)[layer]} | {ends[0]:.1f} … {ends[1]:.1f}"
    row = f"{each.subject.name} | {layer + 1} | {sides[0]} | {sides[1]}, {outside:.1f}"
    return f"{row} | {told} | {verdict(each, layer)}"


def _wide(each: Cured) -> str:
    return f"{each.subject.name} | {', '.join(_means(each.foreseen))} | {', '.join(_means(each.wide))}"


def _means(told: Foreseen) -> list[str]:
    pairs = zip(told.noise, told.line, strict=True)
    return ["—" if line is None else f"{round(_db(noise + line), 1) + 0.0:.1f}" for noise, line in pairs]


def _joined(text: str) -> str:
    return " ".join(text.split())


def _table(head: str, rows: Iterator[str]) -> list[str]:
    return [head, "|" + " --- |" * (head.count("|") - 1), *(f"| {row} |" for row in rows)]


def _db(ratio: float) -> float:
    return 10 * math.log10(ratio) if ratio > 0 else -math.inf
