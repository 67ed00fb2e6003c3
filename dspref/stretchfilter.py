"""The normal form of every upsampler: stretch, then filter, borders included."""

from __future__ import annotations

from dataclasses import KW_ONLY

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import (
    BORDERS,
    Array,
    align,
    as_choice,
    as_complex,
    as_integer,
    as_signal,
    as_taps,
    complaint,
    set_field,
    value,
)
from dspref.multirate import check_border, convolve, extend, polyphase, stretch, window


@value
class StretchFilter:
    """Stretch by L, filter by h, and say which samples are kept.

    ``y[m] = Σ_n h[m + offset − nL] x̃[n]``, 0 ≤ m < L·time + excess, x̃ = x extended by the border rule.

    Eq. 1.3.

    Parameters
    ----------
    L : int
        Stretch factor.
    h : array (out, in, taps), or (taps,) to filter every channel alike
        Taps at the output rate; floats, integers, Fractions or SymPy expressions.
    offset : int
        Delay taken away: the filter's output starts at its sample `offset`.
    excess : int
        Output length less L·time.
    border : {'zeros', 'reflect', 'replicate', 'circular'}
    settle : (int, int)
        Samples at either end (of the L·time grid) that `@` has made unsteady; (0, 0) for one layer.

    Raises
    ------
    ValueError
        If L is below 1, taps have another number of axes than one or three, or the border is unknown; when called, if
        the input has other channels or is too short.

    Notes
    -----
    ``u2 @ u1`` is the first noble identity: L = L₂L₁, h = h₂ * stretch(h₁, L₂), offset = L₂o₁ + o₂,
    excess = L₂e₁ + e₂. It equals the two in turn on `steady`, and everywhere if nothing is cropped.
    Source: P. P. Vaidyanathan, *Multirate Systems and Filter Banks*, 1993 (noble identities, polyphase).

    Examples
    --------
    >>> hold = StretchFilter(2, [1, 1])
    >>> hold([[1, 2, 3]])
    array([[1, 1, 2, 2, 3, 3]])
    >>> (hold @ hold).h
    array([1, 1, 1, 1])
    """

    L: int
    h: Array
    _: KW_ONLY
    offset: int = 0
    excess: int = 0
    border: str = "zeros"
    settle: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        set_field(self, "L", as_integer("stretch factor L", self.L, 1))
        set_field(self, "h", as_taps("taps h", self.h, 1, 3))
        set_field(self, "offset", as_integer("offset", self.offset, None))
        set_field(self, "excess", as_integer("excess", self.excess, None))
        as_choice("border", self.border, BORDERS)

    def length(self, time: int) -> int:
        """Return the number of output samples for `time` input samples: L·time + excess."""
        return self.L * time + self.excess

    def _reach(self, time: int) -> tuple[int, int]:
        """Return how many samples beyond either end of the input are looked at."""
        first = -((self.h.shape[-1] - 1 - self.offset) // self.L)
        last = (self.length(time) - 1 + self.offset) // self.L
        return max(0, -first), max(0, last - (time - 1))

    def _extent(self, time: int) -> tuple[int, tuple[int, int]]:
        """Return the output length and the samples that the border rule must add, if there are such."""
        length = self.length(time)
        if length < 0 or (length == 0 and time):
            raise ValueError(complaint(f"output length for {time} input samples", length, "at least 1"))
        return length, (0, 0) if self.border == "zeros" or length == 0 else self._reach(time)

    def __call__(self, x: ArrayLike) -> Array:
        """Return stretch + filter of a signal (..., in, time) as (..., out, L·time + excess)."""
        x = as_signal(x, self.h.shape[1] if self.h.ndim == 3 else None)
        time = x.shape[-1]
        length, (left, right) = self._extent(time)
        y = convolve(stretch(extend(x, left, right, border=self.border), self.L), self.h)
        return window(y, self.offset + left * self.L, length)

    def __matmul__(self, first: StretchFilter) -> StretchFilter:
        """Return `first` followed by this one, as a single stretch and filter (first noble identity, Eq. 1.6)."""
        if not isinstance(first, StretchFilter):
            return NotImplemented
        if self.h.ndim == first.h.ndim == 3 and self.h.shape[1] != first.h.shape[0]:
            got, allowed = f"{first.h.shape[0]} out of the first", f"{self.h.shape[1]}, as the second takes"
            raise ValueError(complaint("channels of a composition", got, allowed, "u2 @ u1 is u1 first, then u2"))
        stretched = window(stretch(first.h, self.L), 0, self.L * (first.h.shape[-1] - 1) + 1)
        return StretchFilter(
            self.L * first.L,
            _compose(self.h, stretched),
            offset=self.L * first.offset + self.offset,
            excess=self.L * first.excess + self.excess,
            border=first.border,
            settle=self._settled(first),
        )

    def _settled(self, first: StretchFilter) -> tuple[int, int]:
        """Return the ends of `first @` this that are unsteady, however the taps fall."""
        start, end = first._margins()
        lead = self.h.shape[-1] - self.offset - self.L + self.L * start
        tail = self.L * end + self.offset
        return max(lead, self.settle[0]), max(tail, self.settle[1] - self.L * first.excess)

    def _margins(self) -> tuple[int, int]:
        """Return (a, b) such that outputs a ≤ m < L·time − b are steady."""
        lead = max(0, self.settle[0], self.h.shape[-1] - self.L - self.offset)
        return lead, max(self.settle[1], self.offset, -self.excess)

    def steady(self, time: int) -> slice:
        """Return the slice of the output that no border touches, for `time` input samples.

        It lies within the L·time grid; with taps ≥ L no larger slice of that grid would do.

        Examples
        --------
        >>> StretchFilter(2, [1, 1, 1, 1], offset=1).steady(10)
        slice(1, 19, None)
        """
        a, b = self._margins()
        return slice(a, max(a, self.L * time - b))

    @property
    def phases(self) -> Array:
        """Polyphase components in order of output: ``phases[r]`` makes the samples m ≡ r (mod L).

        Shape (L, out, in, ⌈taps/L⌉), or (L, ⌈taps/L⌉) where every channel is filtered alike.

        Eq. 1.7.
        """
        split = polyphase(self.h, self.L)
        split = np.moveaxis(split.reshape(*self.h.shape[:-1], self.L, split.shape[-1]), -2, 0)
        return np.roll(split, -self.offset, axis=0)

    @property
    def phase_gains(self) -> Array:
        """Steady response to a constant 1, over one period: ``g[r] = Σ_q h[qL + r + offset]``.

        Shape (L, out, in) or (L,). All equal if and only if the layer makes no tone from an offset.

        Eq. 2.1.

        Examples
        --------
        >>> StretchFilter(2, [1, 1, 1]).phase_gains
        array([2, 1])
        """
        return np.asarray(self.phases.sum(axis=-1))

    def response(self, freq: ArrayLike) -> Array:
        """Return ``H(ν) = Σ_n h[n] e^{−j2πν(n − offset)}`` at ν in cycles per output sample.

        Shape (..., out, in) or (...), for frequencies of shape (...).
        """
        n = np.arange(self.h.shape[-1]) - self.offset
        waves = np.exp(-2j * np.pi * np.multiply.outer(np.asarray(freq, float), n))
        return np.asarray(np.tensordot(waves, as_complex("response", self.h), axes=(-1, -1)))

    def group_delay(self, freq: float | None = None) -> Array:
        """Return the delay in output samples: ``Re Σ n h[n] e^{−j2πνn} / Σ h[n] e^{−j2πνn} − offset``.

        At zero frequency (the default) the taps' own arithmetic is used: exact for Fractions.

        Raises
        ------
        ValueError
            Where the response vanishes, up to rounding, since the delay is not defined there.

        Source: J. O. Smith, *Introduction to Digital Filters*, "Numerical computation of group delay".

        Examples
        --------
        >>> float(StretchFilter(2, [1, 1], offset=0).group_delay())
        0.5
        """
        n = np.arange(self.h.shape[-1])
        h = self.h if freq is None else as_complex("group delay", self.h) * np.exp(-2j * np.pi * freq * n)
        gain = np.asarray(h.sum(axis=-1))
        if _is_null(gain, h).any():
            raise ValueError(
                complaint("group delay", f"a null of the response at {freq or 0}", "a frequency that passes")
            )
        delay = np.asarray((h * n).sum(axis=-1) / gain - self.offset)
        return delay if freq is None else delay.real

    def as_matrix(self, time: int) -> Array:
        """Return the dense matrix A with ``A @ x.ravel() == y.ravel()``, entry by entry from the equation.

        Shape (out·(L·time + excess), in·time). Slow, and the last word: it shares no code with ``__call__``.

        Examples
        --------
        >>> StretchFilter(2, [1, 1]).as_matrix(2)
        array([[1, 0],
               [1, 0],
               [0, 1],
               [0, 1]])
        """
        time = as_integer("time", time, 0)
        _, reach = self._extent(time)
        check_border(time, *reach, self.border)
        h = self.h if self.h.ndim == 3 else self.h[None, None]
        out, inner, taps = h.shape
        A = np.zeros((out, self.length(time), inner, time), h.dtype)
        left, right = self._reach(time)
        for m in range(self.length(time)):
            for n in range(-left, time + right):
                k, source = m + self.offset - n * self.L, mirror(n, time, self.border)
                if 0 <= k < taps and source is not None:
                    A[:, m, :, source] += h[:, :, k]
        return A.reshape(out * self.length(time), inner * time)


def _is_null(gain: Array, h: Array) -> Array:
    """Return where a sum of taps is zero, up to the rounding of the sum and of the phases 2πνn.

    Three roundings of a phase of at most π·taps, and those of the sum: 12 taps u Σ|h|, u the unit roundoff.
    """
    if h.dtype.kind not in "fc":
        return np.asarray(gain == 0)
    u = float(np.finfo(h.dtype).eps) / 2
    return np.asarray(np.abs(gain) <= 12 * h.shape[-1] * u * np.abs(h).sum(axis=-1))


def mirror(n: int, time: int, border: str) -> int | None:
    """Return the index in 0 … time − 1 that the border rule puts at n, or None for a zero.

    A reflection reaches up to time − 1 samples beyond either end, as `extend`.
    """
    if border == "reflect":
        check_border(time, max(0, -n), max(0, n - time + 1), border)
    if 0 <= n < time:
        return n
    if border == "replicate":
        return min(max(n, 0), time - 1)
    if border == "circular":
        return n % time
    if border == "reflect":
        return -n if n < 0 else 2 * (time - 1) - n
    return None


def _compose(h2: Array, h1: Array) -> Array:
    """Return h₂ * h₁, where either mixes channels or filters all alike."""
    h2, h1 = align(h2, h1)
    if h1.ndim == 1:
        return convolve(h2, h1)
    if h2.ndim == 1:
        return convolve(h1, h2)
    return convolve(h1.swapaxes(0, 1), h2).swapaxes(0, 1)
