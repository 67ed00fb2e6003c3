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
"""Peak to peak over mean of the steady state, in double precision, up to which it is a constant."""

STANDS_DB = 3.0
"""What no line stands over its floor by, or else it is to be predicted."""

TAIL = 1e-3
"""Share of draws beyond either end of a band."""

NONE, AS_PREDICTED, OVER = "none", "as predicted", "not predicted"

HEAD = "| decoder | layer | before: strongest, mean | after: strongest, mean | predicted mean | band | over 3 dB |"
FLATNESS = "| decoder | tone-free layers | before | after | bound of its rounding | over 1e-12 | periods |"


def beyond(seen: Sequence[Seen]) -> tuple[Seen, ...]:
    """Return those that are not flat in double precision."""
    return tuple(each for each in seen if each.flat > FLAT)


def mean(seen: Sequence[Seen], layer: int) -> float:
    """Return the mean height of a layer's lines, in dB: of ratios of powers, over lines and seeds."""
    return _db(float(np.mean([10 ** (each.layers[layer].mean / 10) for each in seen])))


def strongest(seen: Sequence[Seen], layer: int) -> Lines:
    """Return the lines of the seed that has the strongest."""
    return max((each.layers[layer] for each in seen), key=lambda lines: lines.strongest)


def band(noise: float, line: float, lines: int, *, rounding: float = 0.0) -> tuple[float, float]:
    """Return the band of the mean over seeds, in dB, of predicted means over draws: of noise and of lines, as ratios.

    The power of a line over draws is that of a Gaussian amplitude, complex but at half the rate; the lines of one draw
    are taken to go together, so that a mean over seeds has as many degrees of freedom as seeds, twice for complex ones.
    Three standard errors of averaged segments come on top, and what of the prediction may be rounding.

    >>> [round(level, 1) for level in band(0.0, 100.0, 1)], [round(level, 1) for level in band(1.0, 0.0, 100)]
    ([5.1, 27.0], [-1.2, 0.9])
    """
    freedom = SEEDS * (1 if lines == 1 else 2)
    error = 3 / math.sqrt(SEEDS * SEGMENTS)
    low, high = (float(chi2.ppf(q, freedom)) / freedom for q in (TAIL, 1 - TAIL))
    least, most = noise + max(line - rounding, 0.0) * low, noise + (line + rounding) * high
    return _db(least * (1 - error)), _db(most * (1 + error))


def verdict(cured: Cured, layer: int) -> str:
    """Return what is to be said of what is left of a layer's lines."""
    if strongest(cured.after, layer).strongest <= STANDS_DB:
        return NONE
    return AS_PREDICTED if within(cured, layer) else OVER


def within(cured: Cured, layer: int) -> bool:
    """Return whether the mean height of a layer's lines is in its band."""
    told = predicted(cured, layer)
    return told is not None and told[0] <= mean(cured.after, layer) <= told[1]


def predicted(cured: Cured, layer: int) -> tuple[float, float] | None:
    """Return the band in which the mean height of a layer's lines is to be; None where there is no prediction."""
    told = cured.foreseen
    if not told.line:
        return None
    lines = len(places(cured.subject.row)[layer])
    return band(told.noise[layer], told.line[layer], lines, rounding=told.rounding[layer])


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
        [_joined(_count(cured))],
        [_joined(WHY)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


WHICH = """
{count} decoders at random initialisation, {seeds} seeds each, of the width as published but where it says what share of
it, in double precision; `torchparity.nn.utils.tone_free_` of order 1 on the same weights.
"""

CONSTANTS = """
Peak to peak of the steady output over its mean; the largest of all seeds and channels. The bound says what rounding
may make of it in this network with this input, in the seed that has the most: products and sums of each convolution,
of n terms and projected taps, are off by (n + 1) 2⁻⁵³ of the sum of their absolute values at most, and gradients pass
that on to the output (`tests/cure/rounding.py`). It is large where sums cancel, as in decoders without biases: the
mean, which is divided by, is what is left of them. The last is how many periods of the grid are steady, to rounding of
what is steady, at the least: borders may be far louder than that.
"""

LINES = """
Heights in dB of the lines of each layer over their floor, the median of the bins 7 to 20 away, as an audit measures
them: {segments} segments, of 32 768 bins or 32 a line. The strongest is that of all seeds and lines; the mean is that
of ratios of powers, over lines and seeds, so that noise alone has 0, and the notch of a tone-free layer less. Up to
{stands:g} dB there is no line. What stands higher is to be predicted: by `dspref.expected.forecast` of the network with
tone-free layers (claim UA-T29), before any of it is drawn, line and noise in the bin and the floor of the notch around
it alike, with the band of {share:.1%} of means over {seeds} draws. A band is the wider for what is rounding in the
prediction: by how much it changes when the noise is louder by a 10⁻⁹th, and by half a last place of the constant.
Theory has the ratio of mean powers, and bands are those of many channels with a line each. Where offsets are louder
than the noise and channels few, most networks have no line, and the mean of ratios is below the ratio of means (claim
UA-T31): there a mean is rather under its prediction than over it. `python -m tests.cure.crowd` tells how far.
"""

COUNT = """
Of {layers} layers, {over} have lines over {stands:g} dB: {told} as predicted, {left} not. In {inside} of all, the mean
is in its band.
"""

WHY = """
The line that is left is not that of an offset: with maps that are linear there is none. Noise through drawn tone-free
taps has nearly the same variance in each phase, not quite in one draw of few channels, and a map turns what differs
into a mean that repeats (claims UA-T22 and UA-T29). Decoders whose biases are strong and whose maps are nearly linear
for what is left of the noise, as MelGAN is, have next to nothing of it; those without biases, as SpeechT5's, most.
In theory it is of order 1/C, C the channels: with an eighth of them up to 9 dB more.
"""


def remarks(cured: Cured) -> Iterator[str]:
    """Yield why something is not predicted, and what was found of what is not as predicted."""
    if cured.foreseen.why:
        yield f"{cured.subject.name}: {cured.foreseen.why}."
    if cured.subject.apart and OVER in (verdict(cured, i) for i in range(len(cured.after[0].layers))):
        yield f"{cured.subject.name}: {_joined(cured.subject.apart)}"


def _count(cured: Sequence[Cured]) -> str:
    rows = list(every(tuple(cured)))
    found = [verdict(each, i) for each, i in rows]
    told, left, inside = found.count(AS_PREDICTED), found.count(OVER), sum(within(each, i) for each, i in rows)
    return COUNT.format(layers=len(rows), over=told + left, told=told, left=left, inside=inside, stands=STANDS_DB)


def _flatness(each: Cured) -> str:
    return f"{each.subject.name} | {each.layers} | {max(seen.flat for seen in each.before):.1e} | {_flat(each.after)}"


def _flat(seen: Sequence[Seen]) -> str:
    flat, bound = max(each.flat for each in seen), max(each.rounding for each in seen)
    periods = min(each.periods for each in seen)
    return f"{flat:.1e} | {bound:.1e} | {len(beyond(seen))} of {len(seen)} | {periods}"


def _layer(each: Cured, layer: int) -> str:
    sides = [f"{strongest(side, layer).strongest:.1f}, {mean(side, layer):.2f}" for side in (each.before, each.after)]
    ends = predicted(each, layer)
    told = "— | —" if ends is None else f"{_means(each.foreseen)[layer]} | {ends[0]:.2f} … {ends[1]:.2f}"
    row = f"{each.subject.name} | {layer + 1} | {sides[0]} | {sides[1]}"
    return f"{row} | {told} | {verdict(each, layer)}"


def _means(told: Foreseen) -> list[str]:
    pairs = zip(told.noise, told.line, strict=True)
    return [f"{round(_db(noise + line), 1) + 0.0:.1f}" for noise, line in pairs]


def _joined(text: str) -> str:
    return " ".join(text.split())


def _table(head: str, rows: Iterator[str]) -> list[str]:
    return [head, "|" + " --- |" * (head.count("|") - 1), *(f"| {row} |" for row in rows)]


def _db(ratio: float) -> float:
    return 10 * math.log10(ratio) if ratio > 0 else -math.inf
