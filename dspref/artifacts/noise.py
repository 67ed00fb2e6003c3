"""Findings of tones that noise makes, without any offset: UA106."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array
from dspref.artifacts.finding import Finding
from dspref.artifacts.prospect import Prospect
from dspref.artifacts.rules import rule
from dspref.chain import Chain, Pointwise
from dspref.cyclotomic import fold
from dspref.outline import Outline


def noise(about: Prospect) -> Iterator[Finding]:
    """Yield the lines that a rectifier makes of white noise, behind each layer whose phases differ in power.

    Exact for known weights and no bias, the noise Gaussian and alike in every channel; where the one convolution in
    between has no weights yet, for many channels of random ones.
    """
    stages = about.chain.stages
    for owner, place, stage in about.layers:
        end = next((i for i in range(place + 1, len(stages)) if isinstance(stages[i], Pointwise)), None)
        if end is None or not _rectifies(stages[end]) or any(s.factor != 1 for s in stages[place + 1 : end]):
            continue
        v = _powers(stages[place:end])
        level = None if v is None else rectified_db(v)
        if level is None:
            continue
        formula = f"for white noise: √v repeats every {stage.factor} samples before the {stages[end].op} at stage {end}"
        where = about.where(about.rates[place], owner, place)
        severity, reference = about.limits.of_tone(level), rule("UA106").reference
        yield Finding(rule("UA106"), severity, level, reference, formula, count=int(stage.factor) // 2, **where)


def _rectifies(stage: Any) -> bool:
    return bool(stage.op == "relu" or (stage.op == "leaky" and stage.parameters != (1.0,)))


def _powers(stages: tuple[Any, ...]) -> Array | None:
    """Return v[o, r] of a layer and what follows it up to a map; None where it can't be known."""
    first, *rest = stages
    if not any(isinstance(stage, Outline) for stage in stages):
        return phase_powers(Chain(stages).collapse().h, int(first.factor))
    if isinstance(first, Outline) or len(rest) != 1 or rest[0].dilation != 1:
        return None
    v, groups = phase_powers(first.normal.h, int(first.factor)), rest[0].groups
    if len(v) % groups == 0:  # the channels that one output adds up, alike in the mean over weights
        v = v.reshape(groups, -1, v.shape[-1]).sum(axis=1)
    return seen_by(v, rest[0].length)


def phase_powers(h: ArrayLike, s: int) -> Array:
    """Return the power of each phase for white noise of power 1: ``v[o, r] = Σ_i Σ_m abs(h[o, i, r + ms])²``.

    Shape (out, s); one row for taps that filter every channel alike.

    Examples
    --------
    >>> phase_powers([1, 2, 3], 2)
    array([[10,  4]])
    """
    taps = np.asarray(h)
    squares = (taps * taps.conjugate()).real if taps.dtype.kind == "c" else taps * taps
    total = squares.sum(axis=1) if taps.ndim == 3 else squares[None]
    return fold(total, s)


def seen_by(v: Array, length: int) -> Array:
    """Return the powers behind a random convolution, of many channels: sums of `length` phases in a row."""
    return np.asarray(sum(np.roll(v, -j, axis=-1) for j in range(length)))


def rectified_db(v: ArrayLike) -> float | None:
    """Return the strongest line of the offset that a rectifier makes of Gaussian noise, re that offset at DC.

    Its offset is ∝ √v[r]: ``max_k Σ_o abs(C_o[k])² / Σ_o abs(C_o[0])²``, C_o[k] the transform of √v[o]. None where all
    phases have the same power, up to the rounding of v.

    Examples
    --------
    >>> rectified_db([[1.0, 1.0]]) is None, round(rectified_db([[1.0, 0.0]]), 1)
    (True, 0.0)
    """
    powers = np.asarray(v, float)
    if (np.abs(powers - powers[:, :1]) <= ROUNDINGS * np.finfo(float).eps * powers.max(axis=-1, keepdims=True)).all():
        return None
    c = (np.abs(np.fft.fft(np.sqrt(powers), axis=-1)) ** 2).sum(axis=0)
    return float(10 * np.log10(c[1:].max() / c[0]))


ROUNDINGS = 64
"""Roundings by which powers may differ and still be the same: sums of squares are ordered otherwise in each phase."""


def noise_lines_db(taps: ArrayLike, s: int, length: int = 1) -> float | None:
    """Return `rectified_db` of taps that interpolate, and a random convolution of many channels behind them.

    Examples
    --------
    >>> triangle = [1 / 8, 3 / 8, 5 / 8, 7 / 8, 7 / 8, 5 / 8, 3 / 8, 1 / 8]
    >>> round(noise_lines_db(triangle, 4), 1), noise_lines_db(triangle, 4, 4) is None
    (-23.4, True)
    """
    return rectified_db(seen_by(phase_powers(taps, s), length))
