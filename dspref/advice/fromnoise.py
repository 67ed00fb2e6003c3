"""The line to expect of white noise behind a planned layer and a rectifier (UA106), for layers as wide as they are.

Phase r of an output channel sums noise by the taps at a ≡ r mod s, which gives it the power ``v_r = Σ_i Σ_a h_i[a]²``.
Taps are random, ``h = A w`` with w the weights of one input channel, so that v_r is too. Its mean makes a line that any
width has; its spread, of order 1/C of the square of its mean, makes one that goes down by 3 dB when channels double.
"""

from __future__ import annotations

import math

import numpy as np

from dspref.advice.combs import mixing
from dspref.advice.plans import Plan
from dspref.arrays import Array
from dspref.artifacts.noise import ROUNDINGS
from dspref.cyclotomic import fold

EXCESS = -6 / 5
"""Kurtosis of a uniform law less that of a Gaussian one: ``E w⁴ = (3 + EXCESS) σ⁴``."""


def from_noise_db(plan: Plan) -> float | None:
    """Return the strongest line of the offset that a rectifier makes of white noise behind a layer, re that offset.

    ``(abs(Σ_r √e_r e^{−j2πkr/s})² + Σ_rr' K_rr'/(4 C √(e_r e_r')) e^{−j2πk(r−r')/s}) / (Σ_r √e_r)²``, the largest,
    with e and K of `powers`, C the channels that the layer takes: the mean over first weights, up to terms of order
    1/C². A phase without taps is silent, e_r = 0, and has no spread. None where all phases have the same power,
    whatever is drawn.

    Parameters
    ----------
    plan : Plan

    Examples
    --------
    A kernel behind nearest neighbour hears some samples twice, and how often depends on the phase; one tap does not.

    >>> held = Plan("nearest", 4, (32, 32), 9, taps=(1.0, 1.0, 1.0, 1.0))
    >>> round(from_noise_db(held), 1), from_noise_db(Plan("nearest", 4, (32, 32), 1, taps=held.taps)) is None
    (-31.7, True)
    """
    e, K = powers(plan)
    root = np.sqrt(e)
    steady = np.abs(np.fft.fft(root)) ** 2
    if bool((np.abs(e - e[0]) <= ROUNDINGS * np.finfo(float).eps * e.max()).all()):
        steady[1:] = 0
    scale = np.outer(root, root)
    spread = np.divide(K, scale, out=np.zeros_like(K), where=scale > 0)
    drawn = np.fft.ifft(np.fft.fft(spread, axis=0), axis=1).diagonal().real * plan.factor
    drawn = np.where(drawn > ROUNDINGS * np.finfo(float).eps * drawn[0], drawn, 0) / (4 * plan.channels[0])
    lines = steady + drawn
    return float(10 * math.log10(lines[1:].max() / steady[0])) if lines[1:].any() else None


def powers(plan: Plan) -> tuple[Array, Array]:
    """Return means e[r] and covariances K[r, r'] of the powers of phases: one input channel, weights of variance 1.

    With A_r the rows of A at r mod s: ``e_r = ‖A_r‖²``, and of fourth moments, as
    ``Cov(h_a², h_b²) = 2 (A Aᵀ)_ab² + EXCESS Σ_k A_ak² A_bk²``, ``K_rr' = 2 ‖A_r A_r'ᵀ‖² + EXCESS Σ_k d_r[k] d_r'[k]``
    where ``d_r[k] = Σ_{a ≡ r} A_ak²``.

    Examples
    --------
    >>> e, K = powers(Plan("transposed", 2, (1, 1), 4))
    >>> e, np.round(K, 12)  # each phase two weights of its own: twice E w⁴ − 1 = 4/5
    (array([2., 2.]), array([[1.6, 0. ],
           [0. , 1.6]]))
    """
    A, s = mixing(plan), plan.factor
    d = fold((A * A).T, s).T
    return d.sum(axis=1), 2 * _overlaps(A, s) + EXCESS * d @ d.T


def _overlaps(A: Array, s: int) -> Array:
    """Return ``‖A_r A_r'ᵀ‖² = ⟨A_rᵀ A_r, A_r'ᵀ A_r'⟩`` by the smaller of the two products."""
    places, weights = A.shape
    if s * weights**2 < places**2:
        M = np.stack([A[r::s].T @ A[r::s] for r in range(s)]).reshape(s, -1)
        return np.asarray(M @ M.T)
    return fold(fold((A @ A.T) ** 2, s).T, s)
