"""Learnable wavelets: a synthesis bank that is undone exactly, whatever its filters are.

Source: J. Pons et al., "Upsampling layers for music source separation", arXiv 2111.11773.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref import operators as op
from dspref.arrays import Array, align, as_integer, as_signal, as_taps, complaint, set_field, value
from dspref.heads.wavelets import by_channel, even_and_odd, quotient
from dspref.multirate import convolve, interleave, window
from dspref.stretchfilter import StretchFilter


@value
class LiftingSynthesis:
    """Learnable wavelet by lifting: undo the update, then the prediction, then interleave.

        e = a/κ_a − U(d/κ_d)        y[2n] = e[n]
        o = d/κ_d + P(e)            y[2n + 1] = o[n]

    P and U are short filters, the same for every channel, with zeros beyond the ends: whatever they are, `analyse` is
    the inverse. If P has a gain of 1 at DC, offsets make a line at Nyquist of ``c = −μ_d/(2κ_d)``: that of the
    approximation makes none. In general ``c = ((1 − ΣP)(μ_a/κ_a − ΣU μ_d/κ_d) − μ_d/κ_d)/2``.

    Parameters
    ----------
    channels : int
        C, of the output; the input has C approximations, then C details.
    predict : array (taps,)
        ``(Pe)[n] = Σ_j p[j] e[n + j − ⌊(taps − 1)/2⌋]``: centred on the odd sample between e[n] and e[n + 1].
    update : array (taps,)
        ``(Ud)[n] = Σ_j u[j] d[n + j − ⌊taps/2⌋]``: centred on the even sample between d[n − 1] and d[n].
    scales : array (2,), optional
        κ_a, κ_d, by which the analysis multiplies.

    Raises
    ------
    ValueError
        If there is no channel, a filter is not one axis of taps, or a scale is 0.

    Notes
    -----
    P = U = 0 is `LazySynthesis`; P = 1, U = 1/2, κ = (√2, −1/√2) is `HaarSynthesis`; P = (1, 1)/2, U = (1, 1)/4 is the
    5/3 spline wavelet. At the ends, where a filter meets zeros, the normal form makes other samples: the two agree
    on ``normal.steady(time)``.

    Examples
    --------
    >>> from fractions import Fraction
    >>> half, quarter = [Fraction(1, 2)] * 2, [Fraction(1, 4)] * 2
    >>> spline = LiftingSynthesis(1, half, quarter)
    >>> y = np.array([[5, 2, 8, 1, 7, 3]])
    >>> bool((spline(spline.analyse(y)) == y).all())
    True
    """

    channels: int
    predict: Array
    update: Array
    _: KW_ONLY
    scales: Array = (1, 1)  # type: ignore[assignment]
    op: ClassVar[str] = "lifting"
    factor: ClassVar[int] = 2
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "channels", as_integer("channels", self.channels, 1))
        for name in ("predict", "update", "scales"):
            set_field(self, name, as_taps(name, getattr(self, name), 1))
        if self.scales.shape != (2,) or (self.scales == 0).any():
            got = f"{self.scales.tolist()}"
            raise ValueError(complaint("scales", got, "two numbers other than 0: of approximation and detail"))

    def __call__(self, x: ArrayLike) -> Array:
        """Return (..., C, 2·time) for a signal (..., 2C, time)."""
        x, p, u, κ = align(as_signal(x, self.in_channels), self.predict, self.update, self.scales)
        a, d = np.split(x, 2, axis=-2)
        detail = quotient(d, κ[1])
        even = quotient(a, κ[0]) - self._updated(detail, u)
        odd = detail + self._predicted(even, p)
        return interleave(np.concatenate([even, odd], axis=-2), 2, order="dcr")

    def analyse(self, y: ArrayLike) -> Array:
        """Return ``d = κ_d(o − Pe)`` behind ``a = κ_a(e + Ud/κ_d)``, as (..., 2C, time/2)."""
        even, odd = even_and_odd(y, self.channels)
        even, odd, p, u, κ = align(even, odd, self.predict, self.update, self.scales)
        detail = odd - self._predicted(even, p)
        return np.concatenate([κ[0] * (even + self._updated(detail, u)), κ[1] * detail], axis=-2)

    @property
    def in_channels(self) -> int:
        """Channels taken, 2C."""
        return 2 * self.channels

    @property
    def out_channels(self) -> int:
        """Channels given, C."""
        return self.channels

    @property
    def length(self) -> int:
        """Number of taps of the normal form: 2(len P + len U), whose ends may be zeros."""
        return int(self.normal.h.shape[-1])

    @staticmethod
    def _predicted(e: Array, p: Array) -> Array:
        return filtered(e, p, (len(p) - 1) // 2)

    @staticmethod
    def _updated(d: Array, u: Array) -> Array:
        return filtered(d, u, len(u) // 2)

    @property
    def normal(self) -> StretchFilter:
        """From the polyphase matrix, D = z⁻¹ the delay of the low rate; exact inside, see Notes.

        =====  ============  ======================
        phase  from a        from d
        =====  ============  ======================
        even   1/κ_a         −U(D)/κ_d
        odd    P(D)/κ_a      (1 − P(D)U(D))/κ_d
        =====  ============  ======================
        """
        p, u, κ = align(self.predict, self.update, self.scales)
        p, u = p[::-1], u[::-1]  # a correlation is a convolution with the filter reversed
        before_p, before_u = len(p) // 2, (len(u) - 1) // 2  # samples of the future that P and U look at
        ahead, taps = before_p + before_u, len(p) + len(u)

        def placed(h: Array, start: int) -> Array:
            """Return a filter whose first tap stands at `start`, on the grid that begins at −ahead."""
            return window(h, -(start + ahead), taps)

        one = np.ones(1, κ.dtype)
        even_a, odd_a = placed(one, 0), placed(p, -before_p)
        even_d = -placed(u, -before_u)
        odd_d = placed(one, 0) - placed(convolve(p, u), -ahead)
        h_a = interleave(np.stack([even_a, odd_a]), 2)[0]
        h_d = interleave(np.stack([even_d, odd_d]), 2)[0]
        h = by_channel(quotient(h_a, κ[0]), quotient(h_d, κ[1]), self.channels)
        return StretchFilter(2, h, offset=2 * ahead, excess=0)


def filtered(x: Array, h: Array, left: int) -> Array:
    """Correlate every channel alike with h, of which `left` taps look back; zeros beyond the ends.

    Examples
    --------
    >>> filtered(np.array([[1, 2, 3]]), np.array([1, 10]), 0)
    array([[21, 32,  3]])
    """
    *lead, channels, time = x.shape
    if not time:
        return x
    alone = x.reshape(-1, 1, time)
    return op.correlate(alone, h[None, None], pads=(left, len(h) - 1 - left)).reshape(*lead, channels, time)
