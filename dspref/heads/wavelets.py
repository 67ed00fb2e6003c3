"""Wavelet upsampling: approximation and detail become even and odd samples, by one step of a synthesis bank.

Inputs have 2C channels: C approximations, then C details. ``analyse`` goes the other way, and what it gives is
synthesised to what it took, exactly for exact numbers. Learnable ones are in `dspref.heads.lifting`.

Source: J. Pons et al., "Upsampling layers for music source separation", arXiv 2111.11773.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, align, as_integer, as_numbers, as_signal, complaint, set_field, value
from dspref.heads.squeeze import whole_periods
from dspref.multirate import decimate, interleave
from dspref.stretchfilter import StretchFilter


@value
class LazySynthesis:
    """Lazy wavelet: ``y[2n] = a[n], y[2n + 1] = d[n]``, of channels a_1 … a_C, d_1 … d_C.

    Offsets μ_a and μ_d make a line at Nyquist of ``c = (μ_a − μ_d)/2``.

    Parameters
    ----------
    channels : int
        C, of the output.

    Raises
    ------
    ValueError
        If there is no channel.

    Examples
    --------
    >>> LazySynthesis(1)([[1, 2], [10, 20]])
    array([[ 1, 10,  2, 20]])
    >>> LazySynthesis(1).analyse([[1, 10, 2, 20]])
    array([[ 1,  2],
           [10, 20]])
    """

    channels: int
    op: ClassVar[str] = "lazy"
    factor: ClassVar[int] = 2
    length: ClassVar[int] = 2
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "channels", as_integer("channels", self.channels, 1))

    def __call__(self, x: ArrayLike) -> Array:
        """Return (..., C, 2·time) for a signal (..., 2C, time)."""
        return interleave(as_signal(x, self.in_channels), 2, order="dcr")

    def analyse(self, y: ArrayLike) -> Array:
        """Return even samples, then odd ones, as (..., 2C, time/2)."""
        return np.concatenate(even_and_odd(y, self.channels), axis=-2)

    @property
    def in_channels(self) -> int:
        """Channels taken, 2C."""
        return 2 * self.channels

    @property
    def out_channels(self) -> int:
        """Channels given, C."""
        return self.channels

    @property
    def normal(self) -> StretchFilter:
        """L = 2, ``h_a = 1, h_d = z⁻¹``, offset 0, excess 0."""
        return StretchFilter(2, by_channel(np.array([1, 0]), np.array([0, 1]), self.channels))


@value
class HaarSynthesis:
    """Haar wavelet: ``y[2n] = s(a[n] + d[n]), y[2n + 1] = s(a[n] − d[n])``, s = 1/√2 by default.

    Offsets μ_a and μ_d make a line at Nyquist of ``c = s μ_d``: that of the approximation makes none.

    Parameters
    ----------
    channels : int
        C, of the output; the input has C approximations, then C details.
    scale : number, optional
        s. A Fraction or ``sympy.sqrt(2) / 2`` keep exact what is exact.

    Raises
    ------
    ValueError
        If there is no channel, or the scale is 0.

    Examples
    --------
    >>> HaarSynthesis(1, scale=1)([[3, 5], [1, 0]])
    array([[4, 2, 5, 5]])
    >>> HaarSynthesis(1, scale=Fraction(1, 2)).analyse([[4, 2, 5, 5]])
    array([[Fraction(6, 1), Fraction(10, 1)],
           [Fraction(2, 1), Fraction(0, 1)]], dtype=object)
    """

    channels: int
    _: KW_ONLY
    scale: Any = 0.5**0.5
    op: ClassVar[str] = "haar"
    factor: ClassVar[int] = 2
    length: ClassVar[int] = 2
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "channels", as_integer("channels", self.channels, 1))
        if as_numbers("scale", self.scale).ndim or self.scale == 0:
            raise ValueError(complaint("scale", repr(self.scale), "a number other than 0", "1/√2 keeps the power"))

    def __call__(self, x: ArrayLike) -> Array:
        """Return (..., C, 2·time) for a signal (..., 2C, time)."""
        x, s = self._scaled(as_signal(x, self.in_channels))
        a, d = np.split(x, 2, axis=-2)
        return interleave(np.concatenate([s * (a + d), s * (a - d)], axis=-2), 2, order="dcr")

    def analyse(self, y: ArrayLike) -> Array:
        """Return ``a = (even + odd)/2s``, then ``d = (even − odd)/2s``, as (..., 2C, time/2)."""
        even, odd = even_and_odd(y, self.channels)
        even, s = self._scaled(even)
        return np.concatenate([quotient(even + odd, 2 * s), quotient(even - odd, 2 * s)], axis=-2)

    @property
    def in_channels(self) -> int:
        """Channels taken, 2C."""
        return 2 * self.channels

    @property
    def out_channels(self) -> int:
        """Channels given, C."""
        return self.channels

    def _scaled(self, x: Array) -> tuple[Array, Array]:
        """Return x and s in one arithmetic: a plain number takes that of a signal of floats."""
        s = np.asarray(self.scale)
        plain = x.dtype.kind in "fc" and isinstance(self.scale, (int, float, Fraction))
        x, s = (x, s.astype(x.dtype)) if plain else align(x, s)
        return x, s

    @property
    def normal(self) -> StretchFilter:
        """L = 2, ``h_a = s(1 + z⁻¹), h_d = s(1 − z⁻¹)``, offset 0, excess 0."""
        s = np.asarray(self.scale)
        return StretchFilter(2, by_channel(np.stack([s, s]), np.stack([s, -s]), self.channels))


def even_and_odd(y: ArrayLike, channels: int) -> tuple[Array, Array]:
    """Return the even and the odd samples of a signal of so many channels, and of an even length."""
    y = whole_periods(as_signal(y, channels), 2)
    return decimate(y, 2), decimate(y, 2, phase=1)


def quotient(x: Array, by: Any) -> Array:
    """Return x/by: integers by ±1 as integers, exact numbers by other integers as Fractions.

    Examples
    --------
    >>> quotient(np.array([1, 2]), 2)
    array([Fraction(1, 2), Fraction(1, 1)], dtype=object)
    """
    whole = getattr(by, "dtype", np.asarray(by).dtype).kind in "iu" or isinstance(by, int)
    if x.dtype.kind in "fc" or not whole:
        return np.asarray(x / by)
    return np.asarray(x * by if abs(by) == 1 else x.astype(object) * Fraction(1, int(by)))


def by_channel(h_a: Array, h_d: Array, channels: int) -> Array:
    """Return taps (C, 2C, taps): each output channel of its own approximation and detail."""
    h_a, h_d = align(h_a, h_d)
    h = np.zeros((channels, 2, channels, h_a.shape[-1]), h_a.dtype)
    for c in range(channels):
        h[c, 0, c], h[c, 1, c] = h_a, h_d
    return h.reshape(channels, 2 * channels, h_a.shape[-1])
