"""The inverse short-time Fourier transform as the last layer of a network: frames that overlap and add."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import (
    Array,
    NotAnalysable,
    as_choice,
    as_integer,
    as_real,
    as_signal,
    as_taps,
    complaint,
    set_field,
    value,
)
from dspref.multirate import polyphase
from dspref.stretchfilter import StretchFilter

PADDINGS = ("center", "same", "none")
"""What of the first and last frames is cut: n/2 samples, (n − hop)/2 samples, nothing."""

NOLA = 1e-11
"""Where the window envelope is no larger than this there is no division by it, as Torch has it."""


@value
class ISTFT:
    """Inverse short-time Fourier transform, as ``torch.istft``: frames that overlap and add, over their envelope.

    ``y[m] = Σ_n w[k] v_n[k] / Σ_n w[k]²`` with k = m + p − n·hop, ``v_n = irfft(X_n)``, p samples cut at either end.
    What an offset of the channels (the mean of X over time) makes is periodic with the hop: lines at multiples of
    sr/hop. With a Hann window of n = q·hop samples, q ≥ 3, the mean of bin b makes only those lines k whose bin
    kq is no farther than 1 from b.

    Parameters
    ----------
    window : array (n,)
        w, as long as the transform; see `hann`. A shorter one (``win_length``) is to be padded to n, centred.
    hop : int
        In output samples, from frame to frame.
    padding : {'center', 'same', 'none'}
        "center" cuts n//2 samples at both ends, as ``torch.istft(center=True)``: hop·(frames − 1) samples for
        even n. "same" cuts (n − hop)//2, as Vocos can: hop·frames samples for even n − hop. "none" cuts nothing,
        as ``center=False``, and needs a window that is not 0 at its ends.

    Notes
    -----
    Channels are the real parts of the bins 0 … n//2, then their imaginary parts; of bin 0, and of bin n/2, the
    imaginary part counts for nothing. In the steady state the envelope ``E[m] = Σ_q w[m + q·hop]²`` has the period of
    the hop, so the layer is stretch + filter with taps ``w[k] b[k] / E[k mod hop]``, b the basis of the inverse
    transform. At either end fewer frames overlap, so the envelope is smaller there: the two agree on
    ``normal.steady(frames)``.

    Raises
    ------
    ValueError
        If the envelope vanishes somewhere (so-called NOLA fails).

    Examples
    --------
    >>> ISTFT(np.ones(4), 4, padding="none")([[4.0], [0.0], [0.0], [0.0], [0.0], [0.0]])
    array([[1., 1., 1., 1.]])
    """

    window: Array
    hop: int
    _: KW_ONLY
    padding: str = "center"
    op: ClassVar[str] = "istft"
    out_channels: ClassVar[int] = 1
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "window", as_plain("window", self.window))
        set_field(self, "hop", as_integer("hop", self.hop, 1))
        as_choice("padding", self.padding, PADDINGS)
        if not (self.envelope > NOLA).all():
            got = f"{self.length} samples, of which those {self.hop} apart add up to nothing"
            raise ValueError(complaint("window", got, "a sum of squares > 0 at every sample", "take a smaller hop"))

    def __call__(self, x: ArrayLike) -> Array:
        """Return (..., 1, time) for frames (..., 2·bins, frames); exact numbers are taken as floats."""
        x = as_real("input", as_signal(x, self.in_channels))
        x = x.astype(float) if x.dtype.kind == "O" else x
        real, imag = np.split(x, 2, axis=-2)
        frames = np.fft.irfft(real + 1j * imag, self.length, axis=-2)
        w = self.window.astype(frames.dtype)[:, None]
        y = self._cut(overlapped(frames * w, self.hop))
        return np.asarray((y / self.envelope_of(x.shape[-1]).astype(y.dtype))[..., None, :])

    def envelope_of(self, frames: int) -> Array:
        """Return what y is divided by: ``Σ_n w[m + p − n·hop]²`` over so many frames, less at either end.

        Raises
        ------
        ValueError
            If it vanishes there.
        """
        squares = np.broadcast_to(self.window.astype(float)[:, None] ** 2, (self.length, frames))
        envelope = self._cut(overlapped(squares, self.hop))
        if not (envelope > NOLA).all():
            hint = "padding='center' cuts the ends, at which the window vanishes"
            raise ValueError(complaint("window envelope", "0 at an end", "a window > 0 at its ends", hint))
        return envelope

    def _cut(self, y: Array) -> Array:
        """Return the samples that the padding leaves."""
        length = y.shape[-1] - 2 * self.crop
        if length < 1:
            raise ValueError(complaint("output length", length, "at least 1", "feed more frames"))
        return y[..., self.crop : self.crop + length]

    @property
    def factor(self) -> int:
        """The hop."""
        return self.hop

    @property
    def length(self) -> int:
        """Number of taps: n, the length of the transform."""
        return int(self.window.shape[0])

    @property
    def crop(self) -> int:
        """Samples cut at either end, p."""
        return crop(self.length, self.hop, self.padding)

    @property
    def in_channels(self) -> int:
        """Channels taken: two for each bin 0 … n//2."""
        return 2 * (self.length // 2 + 1)

    @property
    def envelope(self) -> Array:
        """``E[r] = Σ_q w[r + q·hop]²``, 0 ≤ r < hop: what overlaps at the phase r, in the steady state."""
        return np.asarray(polyphase(self.window.astype(float) ** 2, self.hop).sum(axis=-1))

    @property
    def taps(self) -> Array:
        """What one frame of a one in each channel makes before the division: ``w[k] b[k]``, (1, 2·bins, n)."""
        return np.asarray(self.window.astype(float) * inverse_basis(self.length))[None]

    @property
    def normal(self) -> StretchFilter:
        """L = hop, ``h[0, i, k] = w[k] b_i[k] / E[k mod hop]``, offset p, excess n − hop − 2p; in the steady state."""
        n, p = self.length, self.crop
        h = self.taps / self.envelope[np.arange(n) % self.hop]
        return StretchFilter(self.hop, h, offset=p, excess=n - self.hop - 2 * p)


def crop(n: int, hop: int, padding: str) -> int:
    """Return the samples that a rule of `PADDINGS` cuts at either end of frames of n samples.

    Examples
    --------
    >>> [crop(1024, 256, padding) for padding in PADDINGS]
    [512, 384, 0]
    """
    return {"center": n // 2, "same": max(0, n - hop) // 2, "none": 0}[padding]


def as_plain(name: str, numbers: ArrayLike) -> Array:
    """Return real taps that can be floats, as windows of cosines must be: symbols are refused.

    Examples
    --------
    >>> as_plain("window", [1, 2])
    array([1, 2])
    """
    taps = as_taps(name, as_real(name, numbers), 1)
    try:
        taps.astype(float)
    except TypeError:
        hint = "put numbers in for the symbols: the waves that it weighs are irrational"
        raise NotAnalysable(complaint(name, "symbols", "numbers", hint)) from None
    return taps


def inverse_basis(n: int) -> Array:
    """Return the waves of which ``irfft`` is made, (2·bins, n): ``g cos(2πbk/n)/n``, then ``−g sin(2πbk/n)/n``.

    g is 1 for the bins 0 and n/2, whose sine is 0, and 2 for all others. Multiples of a quarter turn are exact.

    Examples
    --------
    >>> inverse_basis(2)
    array([[ 0.5,  0.5],
           [ 0.5, -0.5],
           [ 0. ,  0. ],
           [ 0. ,  0. ]])
    """
    b = np.arange(n // 2 + 1)
    turn = np.outer(b, np.arange(n)) % n
    wave = np.exp(2j * np.pi * turn / n)
    wave = np.where(4 * turn % n == 0, np.round(wave), wave)
    wave *= np.where(2 * b % n == 0, 1, 2)[:, None] / n
    return np.concatenate([wave.real, -wave.imag]) + 0.0


def overlapped(frames: Array, hop: int) -> Array:
    """Add frames (..., n, frames) up, `hop` samples apart: (..., n + hop·(frames − 1)).

    Examples
    --------
    >>> overlapped(np.array([[1, 10], [2, 20], [3, 30]]), 2)
    array([ 1,  2, 13, 20, 30])
    """
    n, count = frames.shape[-2:]
    y = np.zeros((*frames.shape[:-2], max(0, n + hop * (count - 1))), frames.dtype)
    for k in range(n if count else 0):
        y[..., k : k + hop * (count - 1) + 1 : hop] += frames[..., k, :]
    return y


def hann(n: int) -> Array:
    """Return the Hann window of period n, ``sin²(πk/n)``, as ``torch.hann_window``.

    Examples
    --------
    >>> hann(4).round(3)
    array([0. , 0.5, 1. , 0.5])
    """
    return np.asarray(np.sin(np.pi * np.arange(as_integer("window length", n, 1)) / n) ** 2)
