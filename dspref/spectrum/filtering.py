"""Filtering artifacts: what a layer or chain does to the spectrum that passes through it.

The gain of a component is ``G(ν) = H(ν)/S``, ν in cycles per output sample: 1 at ν = 0 for an interpolator, 1/S
everywhere for the bare stretch. Of several channels, a level is that of ``Σ abs(G)²`` over all pairs: the power
that independent inputs of equal power make.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import Array, as_complex, as_real, complaint
from dspref.chain import Chain
from dspref.gains import gains
from dspref.nulls import response_nulls
from dspref.spectrum.operand import Linear, as_frequencies, numeric_chain, shaped
from dspref.stretchfilter import StretchFilter

GRID = 32
"""Grid points per tap, round the whole circle, on which an edge is looked for."""


def response(u: Linear, freq: Any) -> Array:
    """Return the gain ``G(ν) = Σ_n h[n] e^{−j2πν(n − offset)} / S`` of a layer or chain.

    A component ``a e^{j2πf₀n}`` of the input is ``a G(ν) e^{j2πνm}`` in the output, at each ν with Sν ≡ f₀ (mod 1).
    So G(0) is the gain of a constant, averaged over the phases: 1 for an interpolator.

    Eq. 4.1.

    Parameters
    ----------
    u : layer, StretchFilter, or Chain of linear layers
        Biases count for nothing.
    freq : number or array of numbers (...)
        Cycles per output sample, −1/2 … 1/2; Fractions are met exactly.

    Returns
    -------
    complex array (..., out, in), or (...) where every channel is treated alike

    Raises
    ------
    ValueError
        If a frequency is beyond half the output rate.
    NotAnalysable
        If a stage is not linear, has no weights, lowers the rate, or has symbols for taps.

    Examples
    --------
    >>> from dspref import Nearest, ZeroStuff
    >>> abs(response(Nearest(2), [0, Fraction(1, 6)])).round(6).tolist()
    [1.0, 0.866025]
    >>> abs(response(ZeroStuff(2), [0, Fraction(1, 6)])).tolist()
    [0.5, 0.5]
    """
    places, shape = as_frequencies(freq)
    return shaped(gains(numeric_chain(u), places), shape)


def droop_db(u: Linear, freq: Any) -> Array:
    """Return ``20 log10 abs(H(f)/H(0))``: what a filter takes from frequency f, in dB re DC.

    Eq. 4.2.

    Parameters
    ----------
    u, freq
        As for `response`.

    Returns
    -------
    array (...)
        −inf at a null that is proved: a Fraction, at which rational taps leave exactly nothing.

    Raises
    ------
    ValueError
        If DC is not passed: there is nothing to compare with.

    Examples
    --------
    >>> from dspref import Linear, Nearest
    >>> droop_db(Nearest(2), [Fraction(1, 4), Fraction(1, 2)]).round(4).tolist()
    [-3.0103, -inf]
    >>> float(droop_db(Linear(2), Fraction(1, 4)).round(4))
    -9.0309
    """
    chain = numeric_chain(u)
    places, shape = as_frequencies(freq)
    return shaped(relative_db(chain, places, _passed_dc(chain)), shape)


def relative_db(chain: Chain, places: tuple[Fraction, ...], reference: float) -> Array:
    """Return levels re a reference gain at exact frequencies, −inf at nulls that are proved."""
    null = response_nulls(chain)
    power = power_gain(gains(chain, places))
    levels = 10 * np.log10(np.maximum(power, np.finfo(float).tiny)) - 20 * math.log10(reference)
    return np.array([-math.inf if null(f) else level for f, level in zip(places, levels, strict=True)])


def power_gain(G: Array) -> Array:
    """Return ``Σ abs(G)²`` over all pairs of channels, (freqs,)."""
    return np.asarray((np.abs(G) ** 2).sum(axis=tuple(range(1, G.ndim))))


def _passed_dc(chain: Chain) -> float:
    """Return the gain at DC, if DC is passed."""
    gain = float(np.sqrt(power_gain(gains(chain, (Fraction(0),)))[0]))
    if gain == 0 or response_nulls(chain)(Fraction(0)):
        raise ValueError(complaint("level re DC", "no gain at DC", "a filter that passes an offset", "use response"))
    return gain


def edge_db(u: Linear, level_db: float) -> float | None:
    """Return the edge of the pass band: the lowest frequency at which the level re DC falls below `level_db`.

    In cycles per output sample, to rounding; None if it never does. For the −3 dB edge of ×2 nearest neighbour,
    cos πν = 10^(−3/20).

    It is looked for between neighbours of a grid of `GRID` points per tap. ``abs(H)²`` is a trigonometric
    polynomial of degree taps − 1: by Bernstein's inequality it leaves the chord between two neighbours by less than
    ``(π/GRID)²/2`` of its maximum, so only a dip below the edge of less than 0.5 % of the maximum is passed over.

    Eq. 4.2.

    Parameters
    ----------
    u : layer, StretchFilter, or Chain of linear layers
    level_db : float
        In dB re DC, below 0, as −3.

    Returns
    -------
    float or None
        Cycles per output sample, 0 … 1/2.

    Raises
    ------
    ValueError
        If the level is not below 0, or DC is not passed.

    Examples
    --------
    >>> from dspref import Nearest, ZeroStuff
    >>> round(edge_db(Nearest(2), -3), 6), edge_db(ZeroStuff(2), -3)
    (0.249622, None)
    """
    level = float(as_real("level of the edge", level_db))
    if level >= 0:
        raise ValueError(complaint("level of the edge", f"{level} dB", "below 0 dB re DC", "write -3"))
    chain = numeric_chain(u)
    limit = (_passed_dc(chain) * 10 ** (level / 20) * chain.factor) ** 2
    h = _numeric(chain.collapse())
    size = GRID * h.shape[-1]
    grid = (np.abs(np.fft.fft(h, size, axis=-1)) ** 2).reshape(-1, size).sum(axis=0)[: size // 2 + 1]
    below = np.flatnonzero(grid < limit)
    if not below.size:
        return None
    passed, stopped = (int(below[0]) - 1) / size, int(below[0]) / size
    return _bisect(StretchFilter(1, h), passed, stopped, limit)


def _bisect(u: StretchFilter, low: float, high: float, limit: float) -> float:
    """Return where ``Σ abs(H)²`` falls below the limit, between neighbouring floats."""
    while low < (middle := (low + high) / 2) < high:
        above = power_gain(u.response([middle]))[0] >= limit
        low, high = (middle, high) if above else (low, middle)
    return high


def _numeric(u: StretchFilter) -> Array:
    return as_complex("response", u.h)
