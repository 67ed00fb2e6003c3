"""What a spectrum shows of expected lines: by how much they stand over the floor, and which are rounding."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array
from dspref.expected.spectrum import Comb, Expected

SAMPLES = 1024
"""N of the spectrum in which lines are looked for over the floor."""

HANN = 1.5
"""Noise bandwidth of the Hann window, in bins: N Σw²/(Σw)²."""

DIGITS = 130
"""Decibels below the strongest line from which on a line is rounding."""


def over_floor(found: Expected, comb: Comb) -> float | None:
    """Return by how many dB lines stand over the floor in a spectrum of 1024 samples under a Hann window.

    ``10 log₁₀(abs(c)² N/(1.5 S))``, S the mean of `seen_floor` at the lines; None if there are no lines, or no floor.

    Examples
    --------
    >>> from dspref.expected import Drawn, Source, expected_spectrum
    >>> found = expected_spectrum([Drawn("convt", 8, 8, 8, factor=4)], Source(8, 1.0, (1.0,)))
    >>> [round(over_floor(found, comb), 1) for comb in found.combs]
    [23.3, 22.3]
    """
    if comb.power <= 0 or found.noise <= 0:
        return None
    white = found.lags.size == 1  # then lines need not be listed: there may be very many
    S = found.noise if white else float(seen_floor(found, own_lines(found, comb) / found.period).mean())
    return 10 * math.log10(comb.power * SAMPLES / (HANN * S)) if S > 0 else None  # or it is rounding


def seen_floor(found: Expected, freq: ArrayLike, *, size: int = SAMPLES) -> Array:
    """Return the floor as spectra of N samples under a Hann window show it on average, as a density.

    ``1/Σw² E abs(Σ_n w[n] e[n] e^{−j2πνn})² = Σ_τ r_τ ρ_τ e^{−j2πντ}``, ρ the autocorrelation of the window over Σw²:
    the window fills nulls of the floor from beside.

    Parameters
    ----------
    found : Expected
    freq : array
        ν in cycles per sample.
    size : int
        N.

    Examples
    --------
    >>> from dspref import Nearest
    >>> from dspref.expected import Source, expected_spectrum, fixed
    >>> found = expected_spectrum([fixed(Nearest(2))], Source(1, covariance=(1.0,)))
    >>> [float(floor.round(7)) for floor in (abs(found.floor(0.5)), seen_floor(found, 0.5))]
    [0.0, 6.3e-06]
    """
    w = 1 - np.cos(2 * np.pi * np.arange(size) / size)
    rho = np.fft.irfft(np.abs(np.fft.rfft(w, 2 * size)) ** 2)[:size] / (w @ w)
    inside = found.lags < size
    seen = replace(found, lags=found.lags[inside], covariance=found.covariance[inside] * rho[found.lags[inside]])
    return seen.floor(freq)


def own_lines(found: Expected, comb: Comb) -> Array:
    """Return the numbers k of the lines k/P, 0 … ½, that a comb has and no coarser one.

    Examples
    --------
    >>> from dspref.expected import Drawn, Source, expected_spectrum
    >>> found = expected_spectrum([Drawn("convt", 1, 1, 8, factor=4)], Source(1, 1.0))
    >>> [own_lines(found, comb).tolist() for comb in found.combs]
    [[0], [1, 2]]
    """
    k = np.arange(found.period // 2 + 1)
    first = np.argmax([k * each.divisor % found.period == 0 for each in found.combs], axis=0)
    return np.flatnonzero(first == found.combs.index(comb))


def finest(found: Expected) -> Comb | None:
    """Return the finest comb of lines that stand over the floor, or of any lines where there is no noise.

    None if at most the offset does. Levels that are rounding do not count.
    """
    lines = [comb for comb in found.combs if comb.divisor > 1 and comb not in lost(found)]
    if found.floor_db is not None:
        lines = [comb for comb in lines if (over_floor(found, comb) or 0) > 0]
    return max((comb for comb in lines if comb.db is not None), key=lambda comb: comb.divisor, default=None)


def lost(found: Expected) -> list[Comb]:
    """Return the combs whose levels have no digits left."""
    strongest = max((comb.db for comb in found.combs if comb.db is not None), default=0.0)
    return [comb for comb in found.combs if comb.db is not None and comb.db < strongest - DIGITS]
