"""Upsampling layers as planned, before there are weights: what each costs, and in which words it is told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from dspref.cyclotomic import fold
from dspref.designs.windows import kaiser_beta
from dspref.interpolators import Linear

FAMILIES = ("nearest", "linear", "sinc", "learned", "transposed", "subpixel")
"""Kinds of upsampling layers that can be planned; the first four interpolate, then convolve."""

INITS = ("default", "tone-free", "ones", "triangle", "icnr")
"""Weights to begin with. Of layers that interpolate first: of their convolution, always "default"."""


@dataclass(frozen=True)
class Plan:
    """One upsampling layer of a network that is not built yet.

    Attributes
    ----------
    family : {'nearest', 'linear', 'sinc', 'learned', 'transposed', 'subpixel'}
    factor : int
        s.
    channels : (int, int)
        Taken and given.
    length : int
        Taps of the kernel with weights: of the (transposed) convolution.
    init : {'default', 'tone-free', 'ones', 'triangle', 'icnr'}
    bias : {'default', 'equal', 'none'}
    taps : tuple of float
        Of the filter that interpolates, of gain s; empty for layers that do not.

    Examples
    --------
    >>> plan = Plan("nearest", 2, (4, 3), 9, taps=(1.0, 1.0))
    >>> plan.words, plan.parameters, plan.macs
    ('nearest x2 | conv k9 p4', 111, Fraction(108, 1))
    """

    family: str
    factor: int
    channels: tuple[int, int]
    length: int
    init: str = "default"
    bias: str = "default"
    taps: tuple[float, ...] = ()

    @property
    def padding(self) -> tuple[int, int]:
        """Padding and output_padding that make the output s times as long as the input."""
        if self.family != "transposed":
            return (self.length - 1) // 2, 0
        beyond = self.length - self.factor
        return (beyond + 1) // 2, beyond % 2

    @property
    def interpolation_padding(self) -> tuple[int, int]:
        """The same of the filter that interpolates, as a transposed convolution of each channel alone."""
        centre = (len(self.taps) - 1) // 2 if self.family == "sinc" else (self.factor + 1) // 2
        return centre, 2 * centre + self.factor - len(self.taps)

    @property
    def words(self) -> str:
        """The layer in words that `dspref.parse` reads; a filter is told as transposed convolution by channel."""
        p, op = self.padding
        if self.family == "transposed":
            return f"convt k{self.length} s{self.factor} p{p}" + (f" op{op}" if op else "")
        if self.family == "subpixel":
            return f"shuffle x{self.factor} k{self.length} p{p}"
        head = f"{self.family} x{self.factor}"
        if self.family in ("sinc", "learned"):
            p_taps, op_taps = self.interpolation_padding
            head = f"convt k{len(self.taps)} s{self.factor} p{p_taps} op{op_taps} g{self.channels[0]}"
            head = head.replace(" op0", "")
        return f"{head} | conv k{self.length} p{p}"

    @property
    def macs(self) -> Fraction:
        """Multiplications per sample of this layer's output; copies cost none."""
        inner, outer = self.channels
        if self.family == "transposed":
            return Fraction(self.length * inner * outer, self.factor)
        taps = 0 if self.family == "nearest" else len(self.taps)
        return Fraction(taps * inner, self.factor) + self.length * inner * outer

    @property
    def parameters(self) -> int:
        """Numbers to be learned, biases included; taps that are given are none, those of "learned" are w."""
        inner, outer = self.channels
        phases = self.factor if self.family == "subpixel" else 1
        biases = {"default": outer * phases, "equal": outer, "none": 0}[self.bias]
        learned = inner * self.factor if self.family == "learned" else 0
        return self.length * inner * outer * phases + biases + learned

    @property
    def fan_in(self) -> int:
        """What Torch's default initialisation divides by: weights and biases have the variance 1/(3 fan_in)."""
        inner, outer = self.channels
        return self.length * (outer if self.family == "transposed" else inner)

    @property
    def summands(self) -> int:
        """Products that are added up for one output sample."""
        return math.ceil(self.length / self.factor if self.family == "transposed" else self.length) * self.channels[0]


def total_macs(plans: tuple[Plan, ...]) -> Fraction:
    """Return the multiplications of a chain per sample of its output.

    Examples
    --------
    >>> total_macs((Plan("transposed", 2, (2, 1), 4), Plan("transposed", 2, (1, 1), 4)))
    Fraction(4, 1)
    """
    total, rate = Fraction(0), 1
    for plan in reversed(plans):
        total, rate = total + plan.macs / rate, rate * plan.factor
    return total


def nearest_taps(s: int) -> tuple[float, ...]:
    """Return the box of length s."""
    return (1.0,) * s


def linear_taps(s: int) -> tuple[float, ...]:
    """Return Torch's triangle on the half-sample grid."""
    return tuple(float(v) for v in Linear(s).normal.h)


def learned_taps(s: int) -> tuple[float, ...]:
    """Return the taps of ``y[ns + r] = (1 − w_r) x[n] + w_r x[n−1]`` at w_r = 1 − r/s, where learning begins.

    Linear interpolation between x[n−1] and x[n].

    Examples
    --------
    >>> learned_taps(4)
    (0.0, 0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25)
    """
    w = [1 - r / s for r in range(s)]
    return (*(1 - v for v in w), *w)


def triangle_taps(s: int) -> tuple[float, ...]:
    """Return two boxes of length s convolved: 2s − 1 taps, every phase of the same gain.

    Examples
    --------
    >>> triangle_taps(2)
    (0.5, 1.0, 0.5)
    """
    return tuple(float(v) / s for v in np.convolve(np.ones(s), np.ones(s)))


def sinc_taps(s: int, attenuation_db: float) -> tuple[float, ...]:
    """Return a windowed sinc of cut-off 1/(2s), Kaiser's window, and a band of transition from 1/(4s) to 3/(4s).

    ``h[n] = sinc((n − c)/s) w[n]``, of odd length: phase c has a gain of exactly 1, the others nearly. The window's
    shape and length are those of `scipy.signal.kaiserord`.

    Examples
    --------
    >>> len(sinc_taps(2, 60.0)), sinc_taps(2, 60.0)[8]
    (17, 1.0)
    """
    half = max(s, math.ceil((attenuation_db - 7.95) / (2.285 * math.pi / s) / 2))
    n = np.arange(-half, half + 1)
    return tuple(float(v) for v in np.sinc(n / s) * np.kaiser(2 * half + 1, kaiser_beta(attenuation_db)))


def leak_db(taps: ArrayLike, s: int) -> tuple[float | None, int]:
    """Return the strongest line that a filter leaves of DC, in dBc, and its k; None where there is not a trace.

    ``max_k |H(k/s)|/|H(0)|``, from the gains of the phases; ∞ where DC alone is gone.

    Examples
    --------
    >>> round(leak_db([1, 1, 1], 2)[0], 2), leak_db([1, 1], 2)
    (-9.54, (None, 0))
    """
    c = np.abs(np.fft.fft(fold(np.asarray(taps, float), s)))[: s // 2 + 1]
    k = 1 + int(c[1:].argmax())
    if not c[k]:
        return None, 0
    return (float(20 * np.log10(c[k] / c[0])) if c[0] else math.inf), k
