"""Lines in the gradient of losses on short-time spectra.

Of ``L = Σ_m Σ_f abs(X_m(f) − Y_m(f))²``, all n_fft bins of frames ``w[n − mH − a]`` at hop H, the gradient is

    ∂L/∂x[n] = 2 n_fft E[n] (x[n] − y[n]),    E[n] = Σ_m w²[n − mH − a],

by Parseval in each frame: the error times an envelope of period H. The envelope is the overlap-add of w², what a
transposed convolution of kernel w² and stride H makes of ones; so it has lines at k·sr/H of amplitude ``W₂(k/H)/H``,
W₂ the spectrum of w², and each component of the error has them beside it.

Other losses of the same frames (magnitudes, logarithms, half of the bins) commute with shifts by H too: for stationary
signals the mean and the variance of their gradients have period H. So the positions are theirs as well; the levels
are not, but for the mean of ``g[n] e[n]`` over white errors e, of an L2 loss on any choice of bins, which is E[n]
times a constant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_choice, as_integer, as_real, as_taps, complaint
from dspref.cyclotomic import fold
from dspref.gradients.windows import WINDOWS, is_null, squared_spectrum
from dspref.nulls import nulls


@dataclass(frozen=True)
class EnvelopeLine:
    """One line of the envelope that a loss puts on its gradient.

    Attributes
    ----------
    freq : Fraction
        Cycles per sample, 0 … 1/2.
    sources : tuple of int
        The resolutions, counted from 1, whose hop can put a line here.
    amplitude : complex
        c in ``Σ c e^{j2πfn}``, n the index of the sample.
    level_dbc : float or None
        ``20 log₁₀ abs(c/c₀)``, re the mean of the envelope; None where nothing is there.
    null : bool
        Whether that is proved.
    """

    freq: Fraction
    sources: tuple[int, ...]
    amplitude: complex
    level_dbc: float | None
    null: bool

    def hz(self, sr: Fraction | float) -> Fraction:
        """Return the frequency in Hz at the rate `sr`, exactly."""
        return self.freq * Fraction(sr)


@dataclass(frozen=True)
class Resolution:
    """One short-time spectrum of a loss, in the words of ``torch.stft``.

    Parameters
    ----------
    n_fft, hop : int
        In samples.
    win_length : int, optional
        n_fft if not given; shorter windows stand in the middle of the frame.
    window : str
        One of `WINDOWS`.
    center : bool
        Frame m is centred on sample mH; if false, it starts there.

    Raises
    ------
    ValueError
        If a count is below 1, the window is longer than the transform, or its name unknown.

    Examples
    --------
    >>> Resolution(512, 50, 240).start
    -120
    """

    n_fft: int
    hop: int
    win_length: int | None = None
    window: str = "hann"
    center: bool = True

    def __post_init__(self) -> None:
        as_integer("n_fft", self.n_fft, 1)
        as_integer("hop", self.hop, 1, "frames that do not move are no short-time spectrum")
        as_choice("window", self.window, WINDOWS)
        length = self.n_fft if self.win_length is None else as_integer("win_length", self.win_length, 1)
        if length > self.n_fft:
            raise ValueError(complaint("win_length", length, f"1 … n_fft = {self.n_fft}, as Torch"))
        object.__setattr__(self, "win_length", length)

    @property
    def length(self) -> int:
        """The length of the window, as an int."""
        return int(self.win_length or self.n_fft)

    @property
    def start(self) -> int:
        """The sample a at which the window of frame 0 begins."""
        return (self.n_fft - self.length) // 2 - (self.n_fft // 2 if self.center else 0)

    @property
    def gap(self) -> int:
        """Samples of each hop that no frame sees: they get no gradient from this loss."""
        return max(0, self.hop - self.length)

    @property
    def words(self) -> str:
        """As the command takes it: n_fft/hop/win_length/window."""
        return f"{self.n_fft}/{self.hop}/{self.length}/{self.window}"

    def lines(self) -> tuple[EnvelopeLine, ...]:
        """Return the lines of this resolution alone."""
        return stft_gradient_lines(self.window, self.hop, length=self.length, start=self.start)


PARALLEL_WAVEGAN = (Resolution(1024, 120, 600), Resolution(2048, 240, 1200), Resolution(512, 50, 240))
"""The three of kan-bayashi/ParallelWaveGAN, losses/stft_loss.py, and of what took them over."""


def stft_gradient_lines(
    window: str | ArrayLike, hop: int, *, length: int | None = None, start: int = 0
) -> tuple[EnvelopeLine, ...]:
    """Return the lines k/H, k = 0 … ⌊H/2⌋, of the envelope ``E[n] = Σ_m w²[n − mH − a]``.

    ``c_k = W₂(k/H)/H e^{−j2πka/H}``

    Hann of N: where H divides N, none if N/H > 2, since Hann² has no more than 5 terms of period N; at N/H = 2 one,
    at −15.56 dBc, a level 20 log₁₀ 1/6.

    Parameters
    ----------
    window : str or array (N,)
        One of `WINDOWS`, with its `length`; or the samples of any.
    hop : int
        H, in samples.
    length : int
        N, for a window by name.
    start : int
        a, where frame 0 begins: it turns phases only; `Resolution.start` has Torch's.

    Returns
    -------
    tuple of EnvelopeLine, by frequency; the first is the mean of the envelope, at 0.

    Raises
    ------
    ValueError
        If a count is below 1, the window's name is unknown, or its length is missing or not its own.

    Examples
    --------
    >>> lines = stft_gradient_lines("hann", 50, length=240)
    >>> [(str(line.hz(24000)), round(line.level_dbc, 1)) for line in lines[:3]]
    [('0', 0.0), ('480', -68.6), ('960', -96.1)]
    >>> {line.null for line in stft_gradient_lines("hann", 256, length=1024)[1:]}
    {True}
    """
    H, a = (
        as_integer("hop", hop, 1, "frames that do not move are no short-time spectrum"),
        as_integer("start", start, None),
    )
    freqs = [Fraction(k, H) for k in range(H // 2 + 1)]
    if isinstance(window, str):
        if length is None:
            raise ValueError(complaint("length", None, "the number of samples of a window by name", "as length=1024"))
        N = as_integer("window length", length, 1)
        null = [is_null(window, N, f) for f in freqs]
        c = [squared_spectrum(window, N, f) / H * _turn(f * a) for f in freqs]
    else:
        w = as_real("window", as_taps("window", window, 1))
        if length is not None and length != w.size:
            hint = "leave it out: samples have their length"
            raise ValueError(complaint("length", length, f"{w.size}, that of the window", hint))
        period = envelope(w, H)
        proved = nulls(period if w.dtype.kind in "iuO" else None)
        null = [proved(f) for f in freqs]
        c = [complex(v) / H * _turn(f * a) for f, v in zip(freqs, np.fft.rfft(period.astype(float)), strict=True)]
    return tuple(_line(f, (1,), v, c[0], gone) for f, v, gone in zip(freqs, c, null, strict=True))


def envelope(window: ArrayLike, hop: int) -> Array:
    """Return one period of the envelope, ``E[r] = Σ_m w²[r + mH]``, 0 ≤ r < H: a gradient is 2·n_fft·E times the error.

    Parameters
    ----------
    window : array (N,)
    hop : int
        H, in samples.

    Returns
    -------
    array (H,)

    Raises
    ------
    ValueError
        If the window is not one axis of real numbers, or the hop below 1.

    Examples
    --------
    >>> envelope([1, 2, 3], 2), envelope([1, 2], 4)
    (array([10,  4]), array([1, 4, 0, 0]))
    """
    w, H = as_real("window", as_taps("window", window, 1)), as_integer("hop", hop, 1)
    return fold(w**2, H)


def multi_resolution_lines(
    resolutions: Iterable[Resolution], *, weights: Sequence[float] | None = None
) -> tuple[EnvelopeLine, ...]:
    """Return the lines of a sum of losses: at k/H_i for every hop H_i, ``c = Σ_i λ_i n_fft_i c_i``.

    Levels are re the mean of the whole envelope, ``Σ_i λ_i n_fft_i E_i[n]``. Where several resolutions meet, phases
    count; a null is proved only where each of them has one.

    Parameters
    ----------
    resolutions : iterable of Resolution
    weights : λ, one for each; 1 if not given

    Returns
    -------
    tuple of EnvelopeLine, by frequency

    Raises
    ------
    ValueError
        If there is no resolution, or not one weight for each.

    Examples
    --------
    >>> [str(line.hz(24000)) for line in multi_resolution_lines(PARALLEL_WAVEGAN) if not line.null][:4]
    ['0', '480', '960', '1440']
    """
    each = tuple(resolutions)
    λ = [1.0] * len(each) if weights is None else [float(v) for v in weights]
    if not each or len(λ) != len(each):
        raise ValueError(complaint("weights", f"{len(λ)} for {len(each)} resolutions", "one for each, of at least one"))
    found: dict[Fraction, list[tuple[int, complex, bool]]] = {}
    for number, (resolution, share) in enumerate(zip(each, λ, strict=True), 1):
        for line in resolution.lines():
            found.setdefault(line.freq, []).append((number, share * resolution.n_fft * line.amplitude, line.null))
    mean = sum(v for _, v, _ in found[Fraction(0)])
    return tuple(
        _line(f, tuple(i for i, _, _ in parts), sum(v for _, v, _ in parts), mean, all(gone for *_, gone in parts))
        for f, parts in sorted(found.items())
    )


def _turn(cycles: Fraction) -> complex:
    """Return e^{−j2π cycles}."""
    angle = 2 * math.pi * float(cycles % 1)
    return complex(math.cos(angle), -math.sin(angle))


def _line(freq: Fraction, sources: tuple[int, ...], c: complex, mean: complex, null: bool) -> EnvelopeLine:
    level = None if null or c == 0 or mean == 0 else 20 * math.log10(abs(c / mean))
    return EnvelopeLine(freq, sources, 0j if null else c, level, null)
