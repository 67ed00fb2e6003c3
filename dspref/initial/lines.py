"""Lines of a layer before training: how strong they are when the kernel is drawn at random.

Input channels of means μ_c enter a layer of factor s, whose K taps per channel are independent, symmetric, of
variance σ². Line k is ``c_k = Σ_c μ_c Σ_n w_c[n] e^{−jθn} / s``, θ = 2πkd/s, d the dilation, and so for every k

    E abs(c_k)² = E = σ² K Σ_c μ_c² / s²
    Var abs(c_k)² = E² (1 + ρ² + (κ₄/σ⁴) Σ_c μ_c⁴ / (K (Σ_c μ_c²)²)),    ρ = abs(sin θK / (K sin θ))

a flat comb, whatever the overlap. Real and imaginary part have variances E(1 ± ρ)/2 along their principal axes.
If taps are normal, abs(c_k)²/E is therefore ((1 + ρ)χ² + (1 − ρ)χ²)/2 with two independent χ² of one degree:
exponential where ρ = 0, which is where s divides 2kdK but not 2kd, and χ² of one degree where ρ = 1, at DC and
Nyquist. Other laws tend to that as K, or the number of channels, grows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, chdtri

from dspref.arrays import as_integer, as_real, complaint
from dspref.initial.defaults import TapLaw
from dspref.layers import SubpixelConv, TransposedConv
from dspref.outline import Outline


def axis_ratio(k: int, factor: int, length: int, *, dilation: int = 1) -> float:
    """Return ρ = abs(E c_k²)/E abs(c_k)² = abs(sin θK / (K sin θ)), θ = 2πkd/s: 0 if circular, 1 if real.

    Exactly 1 where s divides 2kd (DC and Nyquist), and exactly 0 where s divides 2kdK, but not 2kd.

    Examples
    --------
    >>> [round(axis_ratio(k, 4, 6), 3) for k in (0, 1, 2)], round(axis_ratio(1, 3, 4), 3)
    ([1.0, 0.0, 1.0], 0.25)
    """
    turns = Fraction(2 * k * dilation, factor) % 1
    if turns == 0:
        return 1.0
    if (turns * length) % 1 == 0:
        return 0.0
    angle = math.pi * float(turns)
    return abs(math.sin(math.pi * float(turns * length % 2)) / (length * math.sin(angle)))


def level_sf(t: float, rho: float) -> float:
    """Return P(abs(c_k)²/E > t) for normal taps, as ``1/π ∫₀^π e^{−t/(1 + ρ cos φ)} dφ``.

    By polar coordinates of the two principal components. e^{−t} for ρ = 0, the χ² tail of one degree for ρ = 1.

    Examples
    --------
    >>> round(level_sf(1.0, 0.0), 6), round(level_sf(1.0, 1.0), 6)
    (0.367879, 0.317311)
    """
    t = max(float(t), 0.0)
    if rho in (0.0, 1.0):
        return math.exp(-t) if rho == 0 else float(chdtrc(1, t))
    return _mean_over_angle(lambda cos: math.exp(-t / (1 + rho * cos)))


def level_quantile(q: float, rho: float) -> float:
    """Return the t that abs(c_k)²/E does not exceed with probability q, for normal taps.

    Examples
    --------
    >>> round(level_quantile(0.5, 0.0), 6) == round(math.log(2), 6)
    True
    """
    q = _probability(q)
    if rho in (0.0, 1.0):
        return -math.log1p(-q) if rho == 0 else float(chdtri(1, 1 - q))
    return _inverse(lambda t: level_sf(t, rho), 1 - q)


def exceeds_dc(k: int, factor: int, length: int, *, dilation: int = 1, ratio: float = 1.0) -> float:
    """Return P(abs(c_k)² > ratio·abs(c_0)²) for normal taps.

    A quadratic form in three joint normals, ``λ₁N₁² + λ₂N₂² > λ₃N₃²``, the λ those of V D Vᵀ with V the taps'
    cosines, sines and ones, D = diag(1, 1, −ratio). Polar coordinates, and the mean over N₃, leave

        P = 1/π ∫₀^π √(g/(g + λ₃)) dφ,    g = (λ₁ + λ₂)/2 + (λ₁ − λ₂)/2 cos φ

    which is 1/√(1 + 2 ratio) for complex lines if s divides kdK: 1/√3 of them exceed DC. Input means drop out.

    At Nyquist λ₂ = 0, and P = 2/π atan √(λ₁/λ₃). With ratio 1 that is 1/2 for any K ≥ 2, and would be for any
    symmetric law of the taps without an atom: a − b exceeds a + b where the sums a of even and b of odd taps, which
    are independent, differ in sign. For one tap all lines are as strong as DC.

    Parameters
    ----------
    k : int
        Number of the line.
    factor, length, dilation : int
        s, K and d of the layer.
    ratio : float
        Of powers, above 0: 1 for as loud as DC.

    Returns
    -------
    float
        0 … 1.

    Raises
    ------
    ValueError
        If a count is below 1, or the ratio not above 0.

    Examples
    --------
    >>> round(exceeds_dc(1, 8, 16) * math.sqrt(3), 12), round(exceeds_dc(4, 8, 16), 12)
    (1.0, 0.5)
    >>> round(exceeds_dc(1, 8, 4), 4), exceeds_dc(1, 8, 1)
    (0.5569, 0.0)
    """
    s, K = as_integer("factor", factor, 1), as_integer("length", length, 1)
    if not ratio > 0:
        raise ValueError(complaint("ratio", ratio, "a number > 0", "10**(level/10) of a level in dBc"))
    turns = Fraction(k * dilation, s) % 1
    if K == 1 or turns == 0:
        return 1.0 if ratio < 1 else 0.0
    if turns * K % 1 == 0 and turns != Fraction(1, 2):
        return 1 / math.sqrt(1 + 2 * ratio)
    if turns == Fraction(1, 2):
        return _real_exceeds(K % 2 / K, ratio)
    negative, low, high = _form(turns, K, ratio)
    middle, half = (high + low) / 2, (high - low) / 2
    return _mean_over_angle(lambda cos: math.sqrt((middle + half * cos) / (middle + half * cos - negative)))


def _real_exceeds(r: float, ratio: float) -> float:
    """Return P(X² > ratio·Y²) for normals of equal variance and correlation r: 2/π atan √(λ₁/λ₃).

    λ₁ and −λ₃ have the sum 1 − ratio and the product −ratio(1 − r²): the root of larger magnitude gives the other.
    """
    total, product = 1 - ratio, ratio * (1 - r * r)
    large = (abs(total) + math.sqrt(total * total + 4 * product)) / 2
    over = large * large / product if total >= 0 else product / (large * large)
    return 2 / math.pi * math.atan(math.sqrt(over))


def _form(turns: Fraction, K: int, ratio: float) -> tuple[float, float, float]:
    """Return the eigenvalues of the form abs(H_k)² − ratio·H_0², smallest first: one is negative."""
    theta = 2 * np.pi * np.array([float(turns * n % 1) for n in range(K)])
    V = np.array([np.cos(theta), np.sin(theta), np.ones(K)])
    w, U = np.linalg.eigh(V @ V.T)
    root = U * np.sqrt(np.maximum(w, 0))
    values = np.linalg.eigvalsh(root.T @ np.diag([1, 1, -ratio]) @ root)
    return float(values[0]), max(float(values[1]), 0.0), max(float(values[2]), 0.0)


@dataclass(frozen=True)
class RandomLine:
    """One line of a layer with random taps.

    Attributes
    ----------
    freq : Fraction
        k/s, in cycles per output sample.
    mean_power : Fraction or float
        E abs(c_k)²; exact for exact variance and means.
    spread : float
        Var abs(c_k)²/E²: 1 for complex and 2 for real lines of normal taps, where s divides K.
    rho : float
        `axis_ratio`.
    exact : bool
        Whether the quantiles are exact, for normal taps; else they are the limit of many taps or channels.
    over_dc : float
        P(abs(c_k) > abs(c_0)), as `exact` says; 0 for DC itself.
    """

    freq: Fraction
    mean_power: Fraction | float
    spread: float
    rho: float
    exact: bool
    over_dc: float

    def hz(self, sr: Fraction | float) -> Fraction:
        """Return the frequency in Hz at the output rate `sr`."""
        return self.freq * Fraction(sr)

    @property
    def mean_db(self) -> float:
        """10 log₁₀ E abs(c_k)², in dB re an amplitude of 1."""
        return 10 * math.log10(self.mean_power)

    def quantile_db(self, q: float) -> float:
        """Return the level that abs(c_k)² does not exceed with probability q, in dB re an amplitude of 1."""
        return self.mean_db + 10 * math.log10(level_quantile(q, self.rho))

    def band_db(self, *, low: float = 0.05, high: float = 0.95) -> tuple[float, float]:
        """Return the band that holds the line's level, from 5 % to 95 % if not told otherwise."""
        return self.quantile_db(low), self.quantile_db(high)


def random_lines(
    factor: int, length: int, *, law: TapLaw | None = None, means: ArrayLike = 1, dilation: int = 1
) -> tuple[RandomLine, ...]:
    """Return the statistics of each line that a layer of random taps makes of input offsets, k = 0 … ⌊s/2⌋.

    Eq. 2.5.

    Parameters
    ----------
    factor, length, dilation : int
        s, K (K ≥ 1, less than s too) and d; see `taps_of` for layers.
    law : TapLaw, optional
        Normal taps of variance 1 if not given; `dspref.initial.defaults` has Torch's.
    means : number or array (in,)
        μ_c of the channels that an output channel draws on; at least one is not 0.

    Returns
    -------
    tuple of RandomLine

    Raises
    ------
    ValueError
        If a count is below 1, or all means are 0.

    Examples
    --------
    >>> from dspref.initial.defaults import torch_default
    >>> law = torch_default("convt", 1, 1, 16, factor=8).law
    >>> lines = random_lines(8, 16, law=law)
    >>> [(str(line.freq), str(line.mean_power), round(line.over_dc, 4)) for line in lines[1:4:2]]
    [('1/8', '1/192', 0.5774), ('3/8', '1/192', 0.5774)]
    >>> tuple(round(level, 1) for level in lines[1].band_db())
    (-35.7, -18.1)
    """
    s, K, d = (as_integer(n, v, 1) for n, v in (("factor", factor), ("length", length), ("dilation", dilation)))
    law = law or TapLaw("normal")
    mu = np.atleast_1d(as_real("means", means))
    second, fourth = (mu**2).sum(), (mu**4).sum()
    if mu.ndim > 1 or second == 0:
        raise ValueError(complaint("means", np.asarray(means).tolist(), "one number per channel, not all 0"))
    power = law.variance * _exact(second) * K / s**2
    tail = float(law.excess) * float(fourth / second**2) / K
    found = []
    for k in range(s // 2 + 1):
        rho = axis_ratio(k, s, K, dilation=d)
        over = exceeds_dc(k, s, K, dilation=d)
        found.append(RandomLine(Fraction(k, s), power, 1 + rho**2 + tail, rho, law.name == "normal", over))
    return tuple(found)


def taps_of(layer: TransposedConv | SubpixelConv | Outline) -> tuple[int, int, int]:
    """Return (factor, length, dilation) of the random taps of a layer: a sub-pixel convolution has K·s of them.

    Examples
    --------
    >>> taps_of(Outline("shuffle", 3, stride=4)), taps_of(Outline("convt", 8, stride=4))
    ((4, 12, 1), (4, 8, 1))
    """
    if not isinstance(layer, (TransposedConv, SubpixelConv, Outline)) or layer.op == "conv":
        raise TypeError(complaint("layer", repr(layer), "a transposed or sub-pixel convolution"))
    s = int(layer.factor)
    return (s, layer.length * s, 1) if layer.op == "shuffle" else (s, layer.length, layer.dilation)


def level_dbc(q: float, k: int, factor: int, length: int, *, dilation: int = 1) -> float:
    """Return the level re DC, abs(c_k)²/abs(c_0)² in dBc, that is not exceeded with probability q; normal taps.

    For complex lines whose s divides kdK: ``10 log₁₀ ((1 − q)⁻² − 1)/2``.

    Examples
    --------
    >>> round(level_dbc(1 - 3**-0.5, 1, 8, 16), 9) + 0
    0.0
    """
    q = _probability(q)
    turns = Fraction(k * dilation, as_integer("factor", factor, 1)) % 1
    if length == 1 or turns == 0:
        return 0.0

    def tail(ratio: float) -> float:
        return exceeds_dc(k, factor, length, dilation=dilation, ratio=ratio)

    if not tail(1e10) < 1 - q < tail(1e-10):
        raise ValueError(complaint("probability", q, "one whose level is within ±100 dB of DC"))
    return 10 * math.log10(_inverse(tail, 1 - q, reach=10.0))


def _mean_over_angle(f: Callable[[float], float]) -> float:
    """Return 1/π ∫₀^π f(cos φ) dφ, to 1e−12."""
    from scipy.integrate import quad  # which costs time to load

    return float(quad(lambda phi: f(math.cos(phi)), 0, math.pi, epsabs=1e-13, epsrel=1e-12, limit=200)[0]) / math.pi


def _inverse(tail: Callable[[float], float], p: float, *, reach: float = 20.0) -> float:
    """Return the t > 0 at which a falling tail is p, looked for between 10^−reach and 10^reach."""
    from scipy.optimize import brentq  # which costs time to load

    return float(10 ** brentq(lambda u: tail(10**u) - p, -reach, reach, xtol=1e-13, rtol=1e-14))


def _probability(q: float) -> float:
    if not 0 < q < 1:
        raise ValueError(complaint("probability", q, "a number between 0 and 1", "0.95, not 95"))
    return float(q)


def _exact(value: object) -> Fraction | float:
    """Return integers and Fractions as Fractions, so that exact means give exact powers."""
    return Fraction(int(value)) if isinstance(value, (int, np.integer)) else value  # type: ignore[return-value]
