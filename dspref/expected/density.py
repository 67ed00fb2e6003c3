"""From a power spectral density to the autocovariance of a noise that has it.

Of N samples at ν_k = k/M, k = 0 … N − 1, M = 2(N − 1), from 0 to ½ cycles per sample,

    r_τ = 1/M Σ_{k=0}^{M−1} S(ν_k) cos 2πkτ/M,    |τ| ≤ N − 1,    r_{N−1} halved,    S(ν_{M−k}) = S(ν_k):

the only noise of so few lags whose density passes through all samples; between them it is what their trigonometric
interpolation says. What a true noise has at lags beyond is folded back by M: negligible once N is large against the
time in which r decays. Where S has edges the interpolation rings, and may fall below 0. Under the taper of Fejér,
``r_τ (1 − |τ|/N)``, it never does: then the samples are blurred by ``|sin(πNν)/(πNν)|²``, about two of their distances.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_integer, as_real, complaint

LOUDEST = 1e100
"""Largest density."""

FINER = 8
"""Points between samples at which the interpolation is looked at."""


def autocovariance(
    density: ArrayLike | Callable[[Array], ArrayLike], *, points: int | None = None, tapered: bool = False
) -> tuple[float, ...]:
    """Return r_0, r_1, … as far as they are not rounding.

    Parameters
    ----------
    density : array (N,), or function of ν in cycles per sample
        N ≥ 2 numbers ≥ 0, at equally spaced frequencies from 0 to ½. White noise of power 1 has the density 1.
    points : int, optional
        N, for a function.
    tapered : bool
        Whether under the taper of Fejér.

    Raises
    ------
    ValueError
        For negative densities, at the samples or between them; for nothing but zeros.

    Examples
    --------
    >>> autocovariance([3.0, 3.0, 3.0])
    (3.0,)
    >>> autocovariance(lambda nu: 1 + np.cos(2 * np.pi * nu), points=9)
    (1.0, 0.5)
    """
    S = _samples(density, points)
    N, M = len(S), 2 * (len(S) - 1)
    r = np.fft.irfft(S)[:N]
    r[-1] /= 2
    if tapered:
        r *= 1 - np.arange(N) / N
    noise = np.finfo(float).eps * math.log2(2 * M) * r[0]  # what the transform of numbers of mean r_0 rounds by
    r = r[: int(np.flatnonzero(np.abs(r) > noise)[-1]) + 1]
    if (lowest := spectrum_of(r, FINER * M).min()) < -M * noise:
        hint = "give more samples, a smoother density, or tapered=True"
        raise ValueError(complaint("density between its samples", f"{lowest:.3g}", "numbers >= 0", hint))
    return tuple(r.tolist())


def spectrum_of(r: Array, M: int) -> Array:
    """Return ``r_0 + 2 Σ_{τ ≥ 1} r_τ cos 2πkτ/M``, k = 0 … M/2, for at most M lags.

    Examples
    --------
    >>> spectrum_of(np.array([1.0, 0.5]), 4)
    array([2., 1., 0.])
    """
    return np.asarray(2 * np.fft.rfft(r, M).real - r[0])


def _samples(density: ArrayLike | Callable[[Array], ArrayLike], points: int | None) -> Array:
    if callable(density):
        nu = np.linspace(0, 0.5, as_integer("points", points, 2, "a function is read at so many frequencies"))
        density = density(nu)
        if np.shape(density) != nu.shape:
            got, allowed = f"shape {np.shape(density)}", f"shape {nu.shape}, one number per frequency"
            raise ValueError(complaint("density", got, allowed))
    elif points is not None:
        raise TypeError(complaint("points", points, "none for samples, whose number is known"))
    S = as_real("density", density).astype(float)
    if S.ndim != 1 or len(S) < 2:
        raise ValueError(complaint("density", f"shape {S.shape}", "two or more samples from 0 to ½", "one axis"))
    if S.max() > LOUDEST:
        raise ValueError(complaint("density", f"{S.max():.3g}", f"numbers up to {LOUDEST:g}"))
    if S.min() < 0 or not S.any():
        got = f"{S.min():.3g}" if S.min() < 0 else "zeros alone"
        raise ValueError(complaint("density", got, "numbers >= 0, not all 0", "a source without noise has none"))
    return S
