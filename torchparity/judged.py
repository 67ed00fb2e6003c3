"""What measurements have to say about a prediction: contradictions, lines that stand, limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dspref.arrays import Array, NotAnalysable
from dspref.chain import Chain
from torchparity.arithmetic import unit
from torchparity.bench import ROUNDINGS
from torchparity.measure import Measured
from torchparity.roundoff import roundoff

MARGIN = 256
"""Samples of a constant that show the rounding bound of its steady response."""


@dataclass(frozen=True)
class Finding:
    """Something to act on: 'error' contradicts the prediction, 'warning' is a predicted artifact, 'note' a limit."""

    level: str
    text: str


def judged(r: Measured, sr: Fraction, *, of_none: bool = False) -> list[Finding]:
    """Return what one run has to say: peaks off the grid, and lines on it; of a constant there may be none of these."""
    of = f"{r.input} input, seed {r.seed}"
    found = []
    if not r.periodic and r.input == "constant" and not r.astray:
        text = f"{of}: the response never becomes periodic, as that of a chain of upsampling layers does"
        found.append(Finding("error", text))
    if r.off_grid and r.judged:
        highest = sorted(r.off_grid, key=lambda p: -p.height_db)[:5]
        where = ", ".join(f"{p.freq * float(sr):.6g} Hz (+{p.height_db:.0f} dB)" for p in highest)
        peaks = f"{len(r.off_grid)} peak{'s' if len(r.off_grid) > 1 else ''}"
        found.append(Finding("error", f"{of}: {peaks} off the predicted grid: {where}"))
    if not r.judged and r.input == "noise" and not r.astray:
        text = f"{of}: too short to tell tones from noise; leave the length to the audit"
        found.append(Finding("note", text))
    if r.standing:
        top = max(r.standing, key=lambda m: m.height_db)
        hz = float(top.freq * sr)
        lines = "1 line stands" if len(r.standing) == 1 else f"{len(r.standing)} lines stand"
        text = f"{of}: {lines}, the highest {top.height_db:.1f} dB over the floor at {hz:.10g} Hz"
        if of_none and r.input == "constant" and not r.astray:
            why = "all layers are tone-free, and make none: half precision (autocast), or something else that repeats"
            found.append(Finding("error", f"{text}; {why}"))
        else:
            found.append(Finding("warning", text))
    return found


def wrong_levels(chain: Chain, powers: Array, runs: Sequence[Measured], sr: Fraction) -> list[Finding]:
    """Return an error for each constant run whose amplitudes are further from the prediction than rounding goes.

    Parameters
    ----------
    chain : Chain
        Whose weights are those of the first seed.
    powers : array (lines,)
        Predicted power of each line.
    runs : sequence of Measured
    sr : Fraction
    """
    found = []
    for r in runs:
        if r.input != "constant" or r.seed != runs[0].seed or r.astray:
            continue
        measured = np.array([10 ** (m.level_db / 20) for m in r.lines])
        apart = np.abs(measured - np.sqrt(powers))
        if apart.max() > _rounding(chain, r):
            hz = float(r.lines[int(apart.argmax())].freq * sr)
            text = f"constant input, seed {r.seed}: amplitude at {hz:.10g} Hz is {apart.max():.3g} off its prediction"
            found.append(Finding("error", text))
    return found


def _rounding(chain: Chain, r: Measured) -> float:
    """Return how far rounding may take an amplitude.

    It is a mean of samples, so no more than the largest rounding bound of a sample, and what the transform of N
    samples adds, of the order of log₂ N roundings (N. J. Higham, *Accuracy and Stability of Numerical Algorithms*,
    2002, ch. 24); what lies below the resolution is read as the resolution. Where no bound is known (linear
    interpolation behind a layer that rounds), `ROUNDINGS` stand for it.
    """
    ones = np.ones((chain.in_channels or 1, MARGIN))
    try:
        bound = float(roundoff(chain, ones, r.dtype).max())
    except NotAnalysable:
        bound = ROUNDINGS * r.resolution
    largest = r.resolution / unit(r.dtype)
    return bound + 2 * math.log2(1 / r.bin) * unit(float) * largest + r.resolution
