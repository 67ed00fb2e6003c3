"""The lines to expect of planned layers with random weights, for a constant at the input.

Second moments of the output, averaged over channels and weights: ``F[n, m] = E y[n] y[m]``, both modulo the period P.
For linear layers exact at any width; a leaky rectifier between layers is taken at infinite width, and meets biases as
they are, uniform.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from dspref.advice.plans import Plan, triangle_taps
from dspref.arrays import Array
from dspref.designs.projection import tone_free
from dspref.expected.offsets import NONE, Offsets, mixed

LARGEST = 1 << 10
"""Periods beyond it are cut: what comes before the last layers is taken for a constant of its mean power."""


def expected_lines(plans: tuple[Plan, ...], *, slope: float = 0.2, power: float = 1.0) -> Array:
    """Return E|c_k|² for k = 0 … P/2, P the product of the factors, or of the last ones if it is beyond `LARGEST`.

    Parameters
    ----------
    plans : tuple of Plan
        With weights and biases uniform of variance 1/(3 fan_in), as Torch begins.
    slope : float
        Of the leaky rectifier between layers; 1 for none.
    power : float
        Mean square of the constant in each input channel.

    Examples
    --------
    >>> lines = expected_lines((Plan("transposed", 2, (8, 8), 4, bias="none"),))
    >>> bool(np.isclose(lines[1], lines[0]))
    True
    """
    F = moments(plans, slope, power)
    P = len(F)
    n = np.arange(P)
    lags = np.array([F[n, (n + lag) % P].sum() for lag in range(P)])
    spectrum = np.fft.fft(lags).real[: P // 2 + 1] / P**2
    return np.asarray(np.maximum(spectrum, 0))


def moments(plans: tuple[Plan, ...], slope: float, power: float) -> Array:
    """Return F behind planned layers, of a constant of mean square `power`; of the last ones, where P is too large."""
    cut = len(plans) - len(last(plans))
    before = moments(plans[:cut], slope, power) if cut else None
    F = np.array([[power if before is None else before.diagonal().mean()]])
    for place, plan in enumerate(plans[cut:], cut):
        F = upsampled(rectified(F, slope, biases(plans[place - 1])) if place else F, plan)
    return F


def biases(plan: Plan) -> Offsets:
    """Return what is uniform in the output of a layer."""
    phases = plan.factor if plan.family == "subpixel" and plan.bias != "equal" else 1
    return Offsets(() if plan.bias == "none" else (1 / (3 * plan.fan_in),), phases)


def last(plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
    """Return the last layers whose factors make at most `LARGEST`: those whose lines are told apart; at least one."""
    fits = (i for i in range(len(plans)) if math.prod(plan.factor for plan in plans[i:]) <= LARGEST)
    return plans[min(next(fits, len(plans)), len(plans) - 1) :]


def upsampled(F: ArrayLike, plan: Plan) -> Array:
    """Return the second moments behind a layer.

    ``F'[n, m] = C_in Σ_{kk'} R[k, k'] F_s[n − k, m − k']`` plus the bias, R the covariance of the taps of one pair of
    channels, F_s stretched by s.
    """
    F, (inner, _), s = np.asarray(F), plan.channels, plan.factor
    variance = 1 / (3 * plan.fan_in)
    if plan.taps:
        F = _filtered(F, s, np.outer(plan.taps, plan.taps))
        F = _filtered(F, 1, np.eye(plan.length))
    else:
        F = _filtered(F, s, covariance(plan))
    return np.asarray(inner * variance * F + variance * _bias(plan, len(F)))


def covariance(plan: Plan) -> Array:
    """Return the covariance of one pair's taps, as a transposed convolution has them, over the variance of a weight."""
    A = mixing(plan)
    return np.asarray(A @ A.T)


def mixing(plan: Plan) -> Array:
    """Return A of ``h = A w``: the taps of one pair, as a transposed convolution has them, of its independent weights.

    Examples
    --------
    >>> mixing(Plan("nearest", 2, (1, 1), 2, taps=(1.0, 1.0)))  # w[0], w[0] + w[1], w[1]
    array([[1., 0.],
           [1., 1.],
           [0., 1.]])
    """
    s, K = plan.factor, plan.length
    if plan.taps:
        return np.stack([np.convolve(plan.taps, unit) for unit in np.eye(K)], axis=-1)
    if plan.family == "subpixel":
        return np.kron(np.eye(K), np.ones((s, 1))) if plan.init == "icnr" else _projected(plan, K * s)
    if plan.init == "ones":
        return np.ones((K, 1))
    if plan.init == "triangle":
        return np.array(triangle_taps(s))[:, None]
    return _projected(plan, K)


def _projected(plan: Plan, K: int) -> Array:
    return tone_free(np.eye(K), plan.factor).T if plan.init == "tone-free" else np.eye(K)


def _filtered(F: Array, s: int, R: Array) -> Array:
    """Return ``Σ R[k, k'] F_s[n − k, m − k']``, indices modulo the new period.

    F_s is 0 but at multiples of s, so that ``F'[qs + r, q's + r'] = Σ_ab R[as + r, bs + r'] F[q − a, q' − b]``.
    """
    N, taps = len(F), -(-len(R) // s)
    blocks = np.pad(R, (0, taps * s - len(R))).reshape(taps, s, taps, s)
    y = np.zeros((N, s, N, s))
    for a, b in np.argwhere(blocks.any(axis=(1, 3))):
        y += blocks[a, :, b][:, None] * np.roll(F, (a, b), axis=(0, 1))[:, None, :, None]
    return y.reshape(N * s, N * s)


def _bias(plan: Plan, P: int) -> Array | int:
    """Return the second moments of a bias of variance 1: constant, or of the period of a sub-pixel convolution."""
    if plan.bias == "none":
        return 0
    if plan.family != "subpixel" or plan.bias == "equal":
        return 1
    n = np.arange(P) % plan.factor
    return np.asarray(n[:, None] == n, float)


def rectified(F: Array, slope: float, offsets: Offsets = NONE) -> Array:
    """Return the second moments behind a leaky rectifier, of values that are Gaussian but for offsets: infinite width.

    ``slope·F + (1 − slope)² κ``, ``κ = √(q q')/(2π) · (√(1 − ρ²) + ρ (π − arccos ρ))``, q the diagonal of F.
    """
    q, n = F.diagonal(), np.arange(len(F)) % offsets.phases
    together, apart = (mixed(_kappa, offsets, apart=each)(q[:, None], q, F) for each in (False, True))
    return np.asarray(slope * F + (1 - slope) ** 2 * np.where(n[:, None] == n, together, apart))


def _kappa(q: Array, other: Array, c: Array) -> Array:
    scale = np.sqrt(q * other)
    rho = np.clip(np.divide(c, scale, out=np.zeros(np.broadcast(c, scale).shape), where=scale > 0), -1, 1)
    return np.asarray(scale / (2 * np.pi) * (np.sqrt(1 - rho**2) + rho * (np.pi - np.arccos(rho))))
