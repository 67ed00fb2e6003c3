"""Windows and the windowed sinc: taps of interpolators by closed formulae."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from dspref.arrays import Array, as_choice, as_factor, as_integer, complaint, frozen

WINDOWS = ("hann", "kaiser")

SCALES = ("sum", "phases", "none")
"""What is made 1: the gain of the filter, the gain of each phase, or nothing."""


def kaiser_attenuation(taps: int, width: float) -> float:
    """Return the attenuation in dB of a Kaiser design: ``A = 2.285 (K − 1) π Δ + 7.95``.

    Parameters
    ----------
    taps : int
        K.
    width : float
        Δ, the width of the transition, as a fraction of half the sampling rate.

    References
    ----------
    J. F. Kaiser, 1974, as implemented by ``scipy.signal.kaiser_atten``.

    Examples
    --------
    >>> round(kaiser_attenuation(6, 1.2), 3)
    51.021
    """
    return 2.285 * (taps - 1) * math.pi * width + 7.95


def kaiser_beta(attenuation: float) -> float:
    """Return Kaiser's β for an attenuation A in dB.

    ``0.1102 (A − 8.7)`` above 50 dB, ``0.5842 (A − 21)^0.4 + 0.07886 (A − 21)`` from 21 dB, 0 below.

    Examples
    --------
    >>> round(kaiser_beta(60), 5), kaiser_beta(20)
    (5.65326, 0.0)
    """
    A = attenuation
    if A > 50:
        return 0.1102 * (A - 8.7)
    return 0.5842 * (A - 21) ** 0.4 + 0.07886 * (A - 21) if A > 21 else 0.0


def kaiser(t: Array, beta: float) -> Array:
    """Return Kaiser's window, ``I₀(β √(1 − t²))/I₀(β)`` at t in −1 … 1, and zero elsewhere."""
    inside = np.abs(t) <= 1
    root = np.sqrt(np.where(inside, 1 - t**2, 0))
    return np.asarray(np.where(inside, np.i0(beta * root) / np.i0(beta), 0))


def hann(t: Array) -> Array:
    """Return Hann's window ``cos²(πt/2)`` at t, −1 … 1, and zero elsewhere."""
    return np.asarray(np.where(np.abs(t) < 1, np.cos(np.pi * t / 2) ** 2, 0))


def cosine_window(N: int, terms: Iterable[float | Fraction]) -> Array:
    """Return the periodic window ``w[n] = Σ_k (−1)^k a_k cos(2πkn/N)``, n = 0 … N − 1, for the terms a_k.

    Its transform is exactly zero on all bins but the 2·len(terms) − 1 around 0.

    Examples
    --------
    >>> cosine_window(4, (0.5, 0.5)).round(12).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    n = np.arange(as_integer("window length", N, 1))
    return np.asarray(sum((-1) ** k * float(a) * np.cos(2 * np.pi * (k * n % N) / N) for k, a in enumerate(terms)))


def windowed_sinc(
    factor: int,
    *,
    zeros: float | None = None,
    rolloff: float = 1.0,
    window: str = "hann",
    attenuation: float | None = None,
    half_width: float | None = None,
    scale: str = "sum",
) -> Array:
    """Return the taps of sinc interpolation: ``h[n] = ρ sinc(ρn/L) w(ρn/(ZL))``, abs(n) ≤ ZL/ρ.

    Parameters
    ----------
    factor : int
        L.
    zeros : float
        Z, zero crossings of the sinc on either side; 24 if nothing else sets the length.
    rolloff : float
        ρ, the cutoff as a fraction of half the input rate, 0 … 1.
    window : {'hann', 'kaiser'}
    attenuation, half_width : float
        Of a Kaiser window: attenuation in dB, and half the width of the transition, in cycles per output sample.
        `zeros` and one of the two, or the two, set β and the length; zeros alone go with 80 dB.
    scale : {'sum', 'phases', 'none'}
        The taps are divided by their sum over L; or each phase by its own, which leaves no tone; or not at all.

    Returns
    -------
    array (2⌊ZL/ρ⌋ + 1,), or two fewer where the window ends on zeros

    Raises
    ------
    ValueError
        If the factor is below 1, a word is unknown, or the length follows from no or from too many of the options.

    Notes
    -----
    ``window="kaiser"`` with zeros=10 and β = 5 is the default of ``scipy.signal.resample_poly``; "hann" with
    scale="none" are julius (zeros=24, rolloff=0.945) and torchaudio (zeros=6, rolloff=0.99). Windowed sincs
    have H(k/L) near zero but not zero: they leak, unless each phase is scaled.

    References
    ----------
    J. O. Smith, *Digital Audio Resampling Home Page*; A. Défossez, *julius*, its source.

    Examples
    --------
    >>> windowed_sinc(2, zeros=2).round(4) + 0.0
    array([-0.0307,  0.    ,  0.5368,  0.9878,  0.5368,  0.    , -0.0307])
    >>> [round(float(windowed_sinc(2, zeros=2, scale="phases")[r::2].sum()), 12) for r in (0, 1)]
    [1.0, 1.0]
    """
    L = as_factor(factor)
    as_choice("window", window, WINDOWS), as_choice("scale", scale, SCALES)
    ρ = _between("rolloff", rolloff, 0, 1)
    half, beta = _design(L / ρ, window, zeros, attenuation, half_width)
    N = math.floor(half)
    n = np.arange(-N, N + 1)
    t = n / half
    h = ρ * np.sinc(ρ * n / L) * (hann(t) if window == "hann" else kaiser(t, beta))
    return frozen(_scaled(h[np.flatnonzero(h)[0] : np.flatnonzero(h)[-1] + 1], L, scale))


def _design(
    crossing: float, window: str, zeros: float | None, attenuation: float | None, half_width: float | None
) -> tuple[float, float]:
    """Return half of the length, and β, from what is given; `crossing` is the distance of two zeros."""
    if window == "hann":
        for name, given in (("attenuation", attenuation), ("half_width", half_width)):
            if given is not None:
                raise ValueError(complaint(name, given, "nothing with a Hann window", "use window='kaiser'"))
    half = None if zeros is None else crossing * _between("zeros", zeros, 0, 1 << 16)
    A = None if attenuation is None else _between("attenuation", attenuation, 0, 400)
    if half_width is None:
        return half or 24 * crossing, kaiser_beta(80.0 if A is None else A)
    Δ = 4 * _between("half_width", half_width, 0, 0.5)
    if half is not None and A is not None:
        raise ValueError(complaint("design", "zeros, attenuation and half_width", "at most two of the three"))
    if half is not None:
        return half, kaiser_beta(2.285 * 2 * half * math.pi * Δ + 7.95)
    A = 80.0 if A is None else A
    return math.ceil(max((A - 7.95) / (2.285 * math.pi * Δ) / 2, 1.0)), kaiser_beta(A)


def _scaled(h: Array, L: int, scale: str) -> Array:
    """Return taps of sum L, or of phase gains 1, or as they are."""
    if scale == "sum":
        return np.asarray(L * h / h.sum())
    if scale == "phases":
        h = h.copy()
        for r in range(min(L, h.size)):
            h[r::L] /= h[r::L].sum()
    return h


def _between(name: str, given: float, low: float, high: float) -> float:
    """Return a number in low < x ≤ high."""
    try:
        number = float(given)
    except (TypeError, ValueError):
        raise TypeError(complaint(name, repr(given), f"a number > {low}, up to {high}")) from None
    if not low < number <= high:
        raise ValueError(complaint(name, given, f"a number > {low}, up to {high}"))
    return number
