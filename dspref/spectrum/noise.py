"""Second order: what a layer or chain makes of noise that is stationary at its input.

The output is cyclostationary of period S: its statistics depend on the phase m mod S. With independent inputs of
variance σ², H (out, in) the response of the collapsed chain and ``(·)ᴴ`` the conjugate transpose:

    E y[m + l] yᴴ[m] = σ² Σ_n h[n + l] hᴴ[n],  n ≡ m + offset (mod S)      (exact in the arithmetic of the taps)
    its average over m has the spectrum  H(ν) P(Sν) Hᴴ(ν)/S,  P the spectrum of the input, σ² I for white noise
    between ν and ν + k/S stands         H(ν) P(Sν) Hᴴ(ν + k/S)/S

since both are images of one input frequency. Variances of complex noise are E abs(y)².
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from dspref import nulls as exact
from dspref.arrays import Array, as_integer, as_numbers, complaint
from dspref.chain import Chain, as_chain
from dspref.gains import gains
from dspref.spectrum.operand import Linear, as_frequencies, numeric_chain, shaped

Spectrum: TypeAlias = Callable[[Array], Any]
"""P(f) of the input at frequencies (n,) in cycles per input sample, 0 … 1: (n,) or (n, in, in); or one for all."""


def output_psd(u: Linear, freq: Any, *, variance: Any = 1, psd: Spectrum | None = None) -> Array:
    """Return the time-averaged power spectral density of the output, ``σ² abs(H(ν))²/S`` for white noise.

    In general the diagonal of ``H(ν) P(Sν) Hᴴ(ν)/S``, two-sided, per cycle/sample: its mean over ν is the mean
    variance of the output.

    Eq. 4.5.

    Parameters
    ----------
    u : layer, StretchFilter, or Chain of linear layers
    freq : number or array (...)
        ν in cycles per output sample, −1/2 … 1/2.
    variance : number
        σ² of each input channel.
    psd : callable, optional
        Instead of white noise: ``psd(f)`` for an array (n,) of frequencies in cycles per input sample, 0 … 1, gives
        (n,) for independent channels that are alike, or the cross spectra (n, in, in).

    Returns
    -------
    array (..., out), or (...) where every channel is treated alike

    Raises
    ------
    ValueError
        If a frequency is beyond half the output rate, or the density has another shape.
    NotAnalysable
        If a stage is not linear, has no weights, or lowers the rate.

    References
    ----------
    S. Akkarakaran, P. P. Vaidyanathan, IEEE Trans. Signal Process. 48(3), 2000 (bifrequency maps, cyclostationary
    signals in multirate systems).

    Examples
    --------
    >>> from dspref import Nearest
    >>> output_psd(Nearest(2), [0, Fraction(1, 4), Fraction(1, 2)]).round(12).tolist()
    [2.0, 1.0, 0.0]
    """
    places, shape = as_frequencies(freq)
    chain = numeric_chain(u)
    return shaped(_cross(chain, places, places, variance, psd).real, shape)


def coherence(u: Linear, freq: Any, k: int, *, variance: Any = 1, psd: Spectrum | None = None) -> Array:
    """Return the magnitude-squared coherence of the output between ν and ν + k/S.

    ``abs(Σ H_oi(ν) P H*_oi(ν + k/S))² / (Σ abs(H_oi(ν))² P · Σ abs(H_oi(ν + k/S))² P)``, sums over the inputs i.
    By Cauchy and Schwarz it is 1 for one input channel: an image is a copy. For a sum over C channels with kernels
    that point anywhere in C dimensions it is 1/C in the mean.

    Eq. 4.7.

    Parameters
    ----------
    u, freq, variance, psd
        As for `output_psd`; frequencies −1/2 … 1/2.
    k : int
        Which image; any integer, modulo S.

    Returns
    -------
    array (..., out) or (...)
        nan where nothing comes out at ν or ν + k/S, as at a null that is proved: there is nothing to compare.

    Raises
    ------
    ValueError, NotAnalysable
        As `output_psd`; if k is no integer.

    Examples
    --------
    >>> from dspref import Linear
    >>> float(coherence(Linear(3), Fraction(1, 10), 1).round(12))
    1.0
    """
    places, shape = as_frequencies(freq)
    chain, k = numeric_chain(u), as_integer("image k", k, None)
    others = tuple(f + Fraction(k, chain.factor) for f in places)
    here, there = (_cross(chain, f, f, variance, psd).real for f in (places, others))
    proof = exact.provable(chain)
    null = exact.nulls(None if proof is None else proof.collapse().h)
    gone = np.array([null(f) or null(g) for f, g in zip(places, others, strict=True)], bool)
    power = here * there
    known = np.where((power > 0) & ~gone.reshape(-1, *(1,) * (power.ndim - 1)), power, np.nan)
    return shaped(np.abs(_cross(chain, places, others, variance, psd)) ** 2 / known, shape)


def _cross(
    chain: Chain, places: tuple[Fraction, ...], others: tuple[Fraction, ...], variance: Any, psd: Spectrum | None
) -> Array:
    """Return the diagonal of ``H(ν) P(Sν) Hᴴ(ν')/S`` for pairs of frequencies that are images of one, (n, out)."""
    S = chain.factor
    H, J = gains(chain, places) * S, gains(chain, others) * S
    P = _input_spectrum(np.array([float(f * S % 1) for f in places]), variance, psd, chain.in_channels)
    if H.ndim == 1:
        if P.ndim == 3:
            raise ValueError(complaint("psd", f"shape {P.shape}", "(n,), as every channel is treated alike"))
        return np.asarray(H * P * J.conj() / S)
    HP = H * P[:, None, None] if P.ndim == 1 else H @ P
    return np.asarray((HP * J.conj()).sum(axis=-1) / S)


def _input_spectrum(f: Array, variance: Any, psd: Spectrum | None, channels: int | None) -> Array:
    """Return P at frequencies (n,): (n,) or (n, in, in)."""
    level = _checked_variance(variance)
    P = level if psd is None else as_numbers("psd", psd(f)) * level
    if P.ndim == 3 and P.shape == (f.size, channels, channels):
        return P.astype(complex)
    if P.ndim > 1 or P.shape not in ((), f.shape):
        allowed = f"({f.size},) or ({f.size}, in, in) for {f.size} frequencies"
        raise ValueError(complaint("psd", f"shape {P.shape}", allowed, "psd is called with an array of frequencies"))
    if (P.real < 0).any() or np.iscomplex(P).any():
        raise ValueError(complaint("psd", "a negative or complex power", "numbers >= 0"))
    return np.broadcast_to(P.real.astype(float), f.shape)


def _checked_variance(variance: Any) -> Array:
    level = as_numbers("variance", variance)
    if level.ndim or level.dtype.kind == "c" or (level[()] < 0) in (True,):  # of symbols it may be neither
        raise ValueError(complaint("variance", repr(variance), "one number >= 0", "give spectra by psd"))
    return level


def cyclic_variance(u: Linear, *, variance: Any = 1) -> Array:
    """Return the variance of the output for white noise, phase by phase.

    ``Var y[nS + r] = σ² Σ_m h[r + offset + mS]²``: the energy of the polyphase components, exact for exact taps.
    Its mean over r is ``σ² Σ h²/S``: for linear interpolation by s on the integer grid 2/3 + 1/(3s²), on the
    half-sample grid with even s 2/3 − 1/(6s²).

    Eq. 4.6.

    Parameters
    ----------
    u : layer, StretchFilter, or Chain of linear layers
        Taps may be Fractions or symbols.
    variance : number
        σ² of each input channel; the channels independent.

    Returns
    -------
    array (S, out), or (S,) where every channel is treated alike

    Examples
    --------
    >>> from dspref import Linear
    >>> [str(v) for v in cyclic_variance(Linear(3))]
    ['5/9', '1', '5/9']
    """
    R = cyclic_autocorrelation(u, 0, variance=variance)
    return R if R.ndim == 1 else np.diagonal(R, axis1=-2, axis2=-1).copy()


def cyclic_autocorrelation(u: Linear, lag: int, *, variance: Any = 1) -> Array:
    """Return ``R[r] = E y[nS + r + lag] yᴴ[nS + r]`` for white noise, exact for exact taps.

    Parameters
    ----------
    u, variance
        As for `cyclic_variance`.
    lag : int
        In output samples, of either sign.

    Returns
    -------
    array (S, out, out), or (S,) where every channel is treated alike: then that of each channel with itself

    Raises
    ------
    ValueError, NotAnalysable
        If the lag is no integer, the variance is below 0, or a stage is not linear.

    Examples
    --------
    >>> from dspref import Nearest
    >>> cyclic_autocorrelation(Nearest(2), 1)
    array([1, 0])
    """
    v, lag, level = as_chain(u).collapse(), as_integer("lag", lag, None), _checked_variance(variance)
    h = v.h
    later, now = (h[..., lag:], h[..., : h.shape[-1] - lag]) if lag >= 0 else (h[..., :lag], h[..., -lag:])
    first = max(0, -lag)  # the tap of y[m] that the first product belongs to
    if abs(lag) >= h.shape[-1]:
        later, now, first = h[..., :1] * 0, h[..., :1], 0
    products = _products(later, now)
    R = np.zeros((v.L, *products.shape[1:]), products.dtype)
    np.add.at(R, (first + np.arange(len(products)) - v.offset) % v.L, products)
    return R * level[()]


def _products(later: Array, now: Array) -> Array:
    """Return ``h[n + lag] hᴴ[n]`` for every n: (n, out, out) or (n,)."""
    if later.ndim == 1:
        return later * _conjugate(now)
    return np.asarray(np.moveaxis(later, -1, 0) @ np.moveaxis(_conjugate(now), -1, 0).swapaxes(-1, -2))


def _conjugate(h: Array) -> Array:
    return np.asarray(np.frompyfunc(lambda v: v.conjugate(), 1, 1)(h), object) if h.dtype == object else h.conj()
