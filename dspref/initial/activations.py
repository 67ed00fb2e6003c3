"""What a pointwise map makes of a Gaussian: its mean, its power, and so the offset that it adds.

An offset that enters an upsampling layer is a tone. A map f makes one out of a signal that had none, unless f is
odd: with X ~ N(μ, σ²) the offset is ``E f(X)``, and its share of the power ``(E f(X))² / E f(X)²``. At zero mean

    relu 1/π    leaky (1 − a)²/(π(1 + a²))    tanh 0    glu 0 (independent halves)

whatever σ; the shares of the other maps depend on it. relu, leaky, elu, gelu and snake have closed forms; tanh,
sigmoid, silu and softplus have not, and are summed by the trapezoidal rule, whose error is bounded beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr, owens_t

from dspref.arrays import Array, as_real, complaint
from dspref.chain import POINTWISE, Pointwise


@dataclass(frozen=True)
class Moments:
    """The mean and the power of a mapped Gaussian.

    Attributes
    ----------
    mean : float
        E f(X), the offset.
    power : float
        E f(X)².
    """

    mean: float
    power: float

    @property
    def variance(self) -> float:
        """E f(X)² − (E f(X))²."""
        return self.power - self.mean**2

    @property
    def offset_ratio(self) -> float:
        """Share of the offset in the power, (E f(X))² / E f(X)², from 0 to 1; 0 for silence."""
        return self.mean**2 / self.power if self.power else 0.0

    @property
    def offset_db(self) -> float | None:
        """The same in dB re total power; None where there is no offset."""
        ratio = self.offset_ratio
        return 10 * math.log10(ratio) if ratio else None


def gaussian_moments(stage: Pointwise, *, mean: float = 0.0, variance: float = 1.0) -> Moments:
    """Return mean and power behind a pointwise map, for Gaussian samples in front of it.

    ``E f(X)`` and ``E f(X)²``, X ~ N(mean, variance); for "glu" of two independent halves, each so distributed.

    Eq. 6.8.

    Parameters
    ----------
    stage : Pointwise
        Every map of `dspref.chain.POINTWISE`, with its parameters.
    mean, variance : float

    Returns
    -------
    Moments
        With σ² = variance: the mean to about 1e−15·(1 + abs(mean) + σ), the power to its square; for "snake" of a
        small parameter a, divided by abs(a) and a².

    Raises
    ------
    ValueError
        If the variance is negative, or beyond 10⁸ for maps that are summed (tanh, sigmoid, silu, softplus, glu).

    Notes
    -----
    Closed forms follow from Stein's identity ``E X g(X) = μ E g(X) + σ² E g′(X)``, completed squares, and for gelu
    ``E Φ(X)² = Φ(h) − 2 T(h, 1/√(1 + 2σ²))``, h = μ/√(1 + σ²), T Owen's function.

    Examples
    --------
    >>> relu = gaussian_moments(Pointwise("relu"))
    >>> round(relu.offset_ratio * math.pi, 12), round(relu.offset_db, 2)
    (1.0, -4.97)
    >>> gaussian_moments(Pointwise("tanh"), variance=4.0).mean
    0.0
    """
    if not isinstance(stage, Pointwise):
        raise TypeError(complaint("pointwise map", repr(stage), f"Pointwise of {', '.join(POINTWISE)}"))
    m, v = (float(as_real(name, value)) for name, value in (("mean", mean), ("variance", variance)))
    if v < 0:
        raise ValueError(complaint("variance", v, "a number >= 0"))
    if stage.name == "glu":
        gate = gaussian_moments(Pointwise("sigmoid"), mean=m, variance=v)
        return Moments(m * gate.mean, (m * m + v) * gate.power)
    if v == 0:
        y = float(stage(np.full((1, 1), m))[0, 0])
        return Moments(y, y * y)
    if stage.name in CLOSED:
        return Moments(*CLOSED[stage.name](m, math.sqrt(v), *stage.parameters))
    return _summed(stage, m, math.sqrt(v))


def _phi(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _half(m: float, s: float) -> tuple[float, float]:
    """Return E max(X, 0) = μΦ(u) + σφ(u) and its power (μ² + σ²)Φ(u) + μσφ(u), u = μ/σ."""
    u = m / s
    P, p = float(ndtr(u)), _phi(u)
    return m * P + s * p, (m * m + s * s) * P + m * s * p


def _leaky(m: float, s: float, a: float) -> tuple[float, float]:
    """X₊ − a X₋, of which one is always zero."""
    (mean, power), (below, power_below) = _half(m, s), _half(-m, s)
    return mean - a * below, power + a * a * power_below


def _elu(m: float, s: float, a: float) -> tuple[float, float]:
    """X₊, and below zero a(e^X − 1): ``E e^{nX} [X < 0] = e^{nμ + n²σ²/2} Φ(−u − nσ)``."""
    u = m / s
    e0, e1, e2 = (math.exp(n * m + (n * s) ** 2 / 2 + float(log_ndtr(-u - n * s))) for n in range(3))
    mean, power = _half(m, s)
    return mean + a * (e1 - e0), power + a * a * (e2 - 2 * e1 + e0)


def _gelu(m: float, s: float) -> tuple[float, float]:
    """``X Φ(X)``: with G = Φ², ``E X²G = (μ² + σ²) E G + 2μσ² E G′ + σ⁴ E G″``, G′ = 2φΦ, G″ = 2φ² − 2Xφ Φ."""
    v = s * s
    w = 1 + v
    h = m / math.sqrt(w)
    q = _phi(h) / math.sqrt(w)  # E φ(X); under φ, X is N(μ/w, σ²/w)
    squared = float(ndtr(h) - 2 * owens_t(h, 1 / math.sqrt(1 + 2 * v)))
    root = math.sqrt(1 + v / w)
    at = m / w / root
    phi_Phi = q * float(ndtr(at))
    x_phi_Phi = q * (m / w * float(ndtr(at)) + v / w / root * _phi(at))
    phi2 = _phi(m * math.sqrt(2 / (1 + 2 * v))) / math.sqrt(2 * math.pi * (1 + 2 * v))
    power = (m * m + v) * squared + 4 * m * v * phi_Phi + v * v * 2 * (phi2 - x_phi_Phi)
    return m * float(ndtr(h)) + v * q, power


def _snake(m: float, s: float, a: float) -> tuple[float, float]:
    """``X + (1 − cos bX)/b``, b = 2a, from the characteristic function ``E e^{jbX} = e^{jbμ − b²σ²/2}``."""
    b, v = 2 * a, s * s
    if b == 0:
        return m, m * m + v
    fade = math.exp(-b * b * v / 2)
    cos, x_cos = fade * math.cos(b * m), fade * (m * math.cos(b * m) - b * v * math.sin(b * m))
    cos2 = (1 + fade**4 * math.cos(2 * b * m)) / 2
    return m + (1 - cos) / b, m * m + v + 2 * (m - x_cos) / b + (1 - 2 * cos + cos2) / b**2


CLOSED: dict[str, Callable[..., tuple[float, float]]] = {
    "relu": _half,
    "leaky": _leaky,
    "elu": _elu,
    "gelu": _gelu,
    "snake": _snake,
}
"""Maps whose moments are closed forms of mean, standard deviation and parameters."""

STRIPS = {"tanh": math.pi / 4, "sigmoid": math.pi / 2, "silu": math.pi / 2, "softplus": math.pi / 2}
"""Half-widths d of a strip abs(Im z) ≤ d, half-way to the poles, in which abs(f(z)) is at most abs(z) + 2."""

WIDEST = 1e4
"""Largest standard deviation that is summed: about a million samples."""


def _summed(stage: Pointwise, m: float, s: float) -> Moments:
    """Return the moments by the trapezoidal rule in x, X = μ + σx.

    Its error is at most ``2M/(e^{2πd/h} − 1)`` for an integrand whose integral along any line of the strip
    abs(Im x) ≤ d is at most M. The Gaussian grows by e^{d²/2} there, so steps of h = 2πd/(d²/2 + 40) leave
    2e⁻⁴⁰ of M, which is less than rounding, as is what lies beyond 9.5 standard deviations. Samples are
    taken in pairs μ ± σx: what is odd cancels exactly.
    """
    if s > WIDEST:
        allowed = f"at most {WIDEST**2:g} for {stage.name}"
        raise ValueError(complaint("variance", f"{s * s:g}", allowed, "so wide, it is relu or a step: use the limit"))
    d = min(STRIPS[stage.name] / s, 6.0)
    h = 2 * math.pi * d / (d * d / 2 + 40)
    x = h * np.arange(math.ceil(9.5 / h) + 1)
    w = h * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    w[0] /= 2
    above, below = _map(stage, m + s * x), _map(stage, m - s * x)
    return Moments(float(w @ (above + below)), float(w @ (above**2 + below**2)))


def _map(stage: Pointwise, x: Array) -> Array:
    return np.asarray(stage(x[None])[0])
