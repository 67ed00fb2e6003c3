"""Second moments of covariances, ``T[b; τ, d] = E δc[n, n + b] δc[n + τ, n + b + τ + d]``, averaged over n, as arrays.

They are of shape (rows b, lags τ >= 0, d = −W … W), and rows are on a circle; ``T[b; −τ, d] = T[b + d; τ, −d]``. This
is how layers act on them; `dspref.expected.spread` says what they are for.
"""

from __future__ import annotations

import numpy as np

from dspref.arrays import Array
from dspref.expected.filters import Fixed
from dspref.expected.network import Drawn
from dspref.expected.reach import Reach

ROUNDING = 1e-13
"""Share of the largest T below which another is the rounding of sums over 4096 rows, and 0."""


def products(D: Array, lags: Array, reach: Reach) -> Array:
    """Return ``D[n, τ] D[m, τ + d]`` averaged over n, by m − n, τ >= 0 and d: (P, lags, 2W + 1).

    Parameters
    ----------
    D : array (lags, P)
        For n and n + lags[i].
    lags : array (lags,)
        Those >= 0 at which it is not zero.
    reach : Reach
        Which of τ and d are asked for.
    """
    P, N, W = D.shape[1], min(int(lags[-1]), reach.lags), min(2 * int(lags[-1]), reach.apart)
    seen = np.zeros((P, N + W + 1))
    near = lags <= N + W
    seen[:, lags[near]] = D[near].T
    past = seen[(np.arange(P)[:, None] - np.arange(1, N + W + 1)) % P, np.arange(1, N + W + 1)]  # D[n − τ, τ]
    both = np.fft.rfft(np.concatenate([past[:, ::-1], seen], axis=1), axis=0)
    at = N + W + np.arange(N + 1)
    found = both[:, at, None].conj() * both[:, at[:, None] + np.arange(-W, W + 1)]
    return np.asarray(np.fft.irfft(found, P, axis=0) / P)


def behind(layer: Drawn, X: Array, reach: Reach) -> Array:
    """Return ``g² Σ_{j, j'} X[…; τ + (j' − j)D, d]`` at the rate behind a layer, at lags that are asked for."""
    s, g2, taps = layer.factor, float(layer.gain) ** 2, _overlaps(np.ones(layer.length), layer.dilation)
    if layer.op == "conv":
        return g2 * _along(X, taps, s * reach.lags + 1)[:, ::s, X.shape[2] // 2 % s :: s]
    if layer.op == "convt":
        found = _along(_stretched(X, s), taps, reach.lags + 1)
    else:
        near = _along(X, taps, reach.lags // s + 2)
        found = _along(_stretched(near, s), _overlaps(np.ones(s), 1), reach.lags + 1)
    return g2 / s * _stretched(found.swapaxes(1, 2), s).swapaxes(1, 2)


def alone(layer: Drawn, X: Array) -> Array:
    """Return ``Σ_j X[…]`` at the rate behind a layer: of a tap with itself."""
    s, W = layer.factor, X.shape[2] // 2
    if layer.op == "conv":
        return layer.length * X[:, ::s, W % s :: s]
    wide = _stretched(_stretched(X, s).swapaxes(1, 2), s).swapaxes(1, 2)
    return layer.length / (s if layer.op == "convt" else 1) * wide


def filtered(fir: Fixed, T: Array, reach: Reach, other: Fixed | None = None) -> Array:
    """Return T behind a fixed filter, for m − n = 0 … PL − 1, whatever its stride.

    With ``a_u[k] = h[k] h[k + u]`` and, on a circle of PL, their transforms ``â_u``,

        T'[b; τ, d] = 1/L Σ_{t, c} Σ_e (a_u ⋆ a_v)[e] T[(b − e)/L; t, c],    u = τ − Lt,  v = u + d − Lc,

    e where that is whole; of a stride s it has the lags sτ and sd. The sum over e is a product of spectra.

    Parameters
    ----------
    fir : Fixed
    T : array (P, lags, 2W + 1)
    reach : Reach
        Of the lags and differences behind it that are asked for.
    other : Fixed, optional
        Of the same factor and stride: for E δc δc', c' what this one makes of the same signal.
    """
    L, s, h, P = fir.factor, fir.stride, np.asarray(fir.h, float), len(T) * fir.factor
    past, W, K = both_ways(T), T.shape[2] // 2, len(h)
    a = _spectra(h, np.asarray((other or fir).h, float), P)
    N, f = past.shape[1] // 2, np.arange(P // 2 + 1)
    lags = np.arange(min((L * N + K - 1) // s, reach.lags) + 1)
    apart = min((L * W + 2 * (K - 1)) // s, reach.apart)
    d = s * np.arange(-apart, apart + 1)[:, None] - L * np.arange(-W, W + 1)
    seen = np.fft.fft(past, axis=0)[f % len(T)]
    found = np.zeros((len(f), len(lags), len(d)), complex)
    for u in range(1 - K, K):
        t = np.array([t for t in range(-N, N + 1) if (u + L * t) % s == 0 and 0 <= u + L * t < s * len(lags)], int)
        if len(t):
            second = a[:, np.where(abs(u + d) < K, u + d, K)]  # (f, d, c)
            found[:, (u + L * t) // s] += a[:, u, None, None].conj() * (seen[:, t + N] @ second.swapaxes(1, 2))
    found = np.fft.irfft(found, P, axis=0) / L
    found[np.abs(found) <= ROUNDING * np.abs(found).max()] = 0
    return found


def within(T: Array, reach: Reach) -> Array:
    """Return T as far as it is asked for, without lags and differences at the end where all is 0."""
    W = T.shape[2] // 2
    T = T[:, : reach.lags + 1, max(W - reach.apart, 0) : W + reach.apart + 1]
    last = np.flatnonzero(T.any(axis=(0, 2))).max(initial=0)
    wide = np.abs(np.flatnonzero(T.any(axis=(0, 1))) - T.shape[2] // 2).max(initial=0)
    return T[:, : last + 1, T.shape[2] // 2 - wide : T.shape[2] // 2 + wide + 1]


def middle(T: Array) -> Array:
    """Return lags of d = 0."""
    return np.asarray(T[:, :, T.shape[2] // 2])


def less_least(T: Array) -> Array:
    """Return T less what it is in the row where it is least."""
    return np.asarray(T - T[middle(T)[:, 0].argmin()])


def sloped(T: Array, slope: Array) -> Array:
    """Return ``V'(b) V'(b + d) T[b; τ, d]``."""
    W = T.shape[2] // 2
    other = slope[(np.arange(len(T))[:, None] + np.arange(-W, W + 1)) % len(T)]
    return np.asarray(T * (slope[:, None] * other)[:, None])


def _spectra(h: Array, other: Array, P: int) -> Array:
    """Return the transforms over k of ``h[k] h'[k + u]`` on a circle of P, by u mod 2K: (P/2 + 1, 2K)."""
    K = len(h)
    wide, k, found = np.pad(other, K), np.arange(K), np.zeros((P // 2 + 1, 2 * K), complex)
    for u in range(1 - K, K):
        found[:, u] = np.fft.rfft(np.bincount(k % P, h * wide[K + u : 2 * K + u], P))
    return found


def _overlaps(h: Array, distance: int) -> Array:
    """Return the autocorrelation of taps so far apart, at lags −(K−1)d … (K−1)d."""
    wide = np.zeros((len(h) - 1) * distance + 1)
    wide[::distance] = h
    return np.asarray(np.correlate(wide, wide, "full"))


def _stretched(T: Array, L: int) -> Array:
    """Return lags τL, or d times L."""
    wide = np.zeros((len(T), (T.shape[1] - 1) * L + 1, T.shape[2]))
    wide[:, ::L] = T
    return wide


def both_ways(T: Array, swapped: Array | None = None) -> Array:
    """Return lags −N … N, ``T[b; −τ, d] = T'[b + d; τ, −d]``; of two different c, T' has them in turn, and is given."""
    other = T if swapped is None else swapped
    R, W = len(T), T.shape[2] // 2
    if not W:
        return np.concatenate([other[:, :0:-1], T], axis=1)
    d = np.arange(-W, W + 1)
    past = other[(np.arange(R)[:, None] + d) % R, :, W - d]  # (rows, d, lags)
    return np.concatenate([past[:, :, :0:-1].swapaxes(1, 2), T], axis=1)


def _along(T: Array, taps: Array, most: int) -> Array:
    """Return the convolution along lags, of which T has those >= 0, with taps at −w … w; both are even."""
    w, n = len(taps) // 2, T.shape[1]
    kept = min(n + w, most)
    wide, found = np.zeros((len(T), 2 * n - 1 + 3 * w, T.shape[2])), np.zeros((len(T), kept, T.shape[2]))
    wide[:, w : w + 2 * n - 1] = both_ways(T)
    for u in np.flatnonzero(taps):
        start = 2 * w + n - 1 - u
        found += taps[u] * wide[:, start : start + kept]
    return found


def total(x: Array, y: Array) -> Array:
    """Return the sum of two, of as many lags and differences as either has."""
    lags, wide = (max(sizes) for sizes in zip(x.shape[1:], y.shape[1:], strict=True))
    return resized(x, lags, wide) + resized(y, lags, wide)


def resized(T: Array, lags: int, wide: int) -> Array:
    """Return T of more lags and differences, which are 0."""
    found, at = np.zeros((len(T), lags, wide)), (wide - T.shape[2]) // 2
    found[:, : T.shape[1], at : at + T.shape[2]] = T
    return found
