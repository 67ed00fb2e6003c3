"""Pseudo-quadrature mirror filters: M bands, each critically sampled, become one signal of M times the rate."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref import operators as op
from dspref.arrays import Array, align, as_factor, as_integer, as_signal, complaint, set_field, value
from dspref.heads.istft import as_plain
from dspref.multirate import stretch
from dspref.stretchfilter import StretchFilter


@value
class PQMFSynthesis:
    """Synthesis bank with cosine modulation, as multi-band vocoders have it: stretch each band, filter, add.

    ``y[m] = M Σ_k Σ_i f_k[i] x̃_k[m + i − N/2]``, x̃_k the stretched band k, with

        f_k[i] = 2 p[i] cos((2k + 1)π/(2M) (i − N/2) − (−1)^k π/4)

    An offset μ_k of band k makes lines at multiples of sr/M, ``c_j = μ_k H_k(j/M)/M``. Band k reaches from k/(2M) to
    (k + 1)/(2M), and one of its edges is a multiple of 1/M, namely ⌈k/2⌉/M: there the line is large. So band 0 keeps
    its offset, bands 1 and 2 make a line at sr/M, bands 3 and 4 at 2sr/M; all else is left to the stop band.

    Parameters
    ----------
    prototype : array (N + 1,), N even
        p, a low-pass filter of cutoff about 1/(4M) cycles per sample; see `kaiser_prototype`.
    bands : int
        M.

    Raises
    ------
    ValueError
        If there is no band, or the prototype has an even number of taps.

    References
    ----------
    kan-bayashi/ParallelWaveGAN, layers/pqmf.py, whose filters are correlated with the bands, as here (a version
    of it that has the cosine half a sample off the centre reconstructs nothing). `distortion` says how near to perfect
    the reconstruction is.

    Examples
    --------
    >>> bank = PQMFSynthesis(kaiser_prototype(), 4)
    >>> x = np.random.default_rng(0).standard_normal((1, 400))
    >>> error = (bank(bank.analyse(x)) - x)[:, 62:-62]
    >>> bool(10 * np.log10((error**2).mean() / (x**2).mean()) < -50)
    True
    """

    prototype: Array
    bands: int
    op: ClassVar[str] = "pqmf"
    out_channels: ClassVar[int] = 1
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "prototype", as_plain("prototype", self.prototype))
        set_field(self, "bands", as_factor(self.bands))
        if self.length % 2 == 0:
            raise ValueError(complaint("prototype", f"{self.length} taps", "an odd number of taps", "N is even"))

    def __call__(self, x: ArrayLike) -> Array:
        """Return (..., 1, M·time) for bands (..., M, time)."""
        x, f = align(as_signal(x, self.bands), self.filters)
        if not x.shape[-1]:
            return np.zeros((*x.shape[:-2], 1, 0), x.dtype)
        half = self.length // 2
        return op.correlate(self.bands * stretch(x, self.bands), f[None], pads=(half, half))

    def analyse(self, y: ArrayLike) -> Array:
        """Return the bands of a signal (..., 1, time) as (..., M, ⌊time/M⌋).

        ``x_k[n] = Σ_i f_k[N − i] ỹ[nM + i − N/2]``: the synthesis filters reversed, + π/4 in place of − π/4.
        """
        y, g = align(as_signal(y, 1), self.filters[:, ::-1])
        half, time = self.length // 2, y.shape[-1] // self.bands
        return op.correlate(y, g[:, None], stride=self.bands, pads=(half, half))[..., :time]

    @property
    def filters(self) -> Array:
        """f_k, (M, N + 1)."""
        M, i = self.bands, np.arange(self.length) - self.length // 2
        k = np.arange(M)[:, None]
        return 2 * self.prototype.astype(float) * np.cos((2 * k + 1) * np.pi / (2 * M) * i - (-1.0) ** k * np.pi / 4)

    def distortion(self, freq: ArrayLike) -> Array:
        """Return the gain of analysis and synthesis together, aliasing aside: ``Σ_k abs(F_k(ν))²``; 1 were perfect.

        ν in cycles per output sample.
        """
        i = np.arange(self.length) - self.length // 2
        waves = np.exp(-2j * np.pi * np.multiply.outer(np.asarray(freq, float), i))
        return np.asarray((np.abs(waves @ self.filters.T) ** 2).sum(axis=-1))

    @property
    def factor(self) -> int:
        """M."""
        return self.bands

    @property
    def length(self) -> int:
        """Number of taps, N + 1."""
        return int(self.prototype.shape[0])

    @property
    def in_channels(self) -> int:
        """Channels taken, one for each band."""
        return self.bands

    @property
    def normal(self) -> StretchFilter:
        """L = M, ``h[0, k, i] = M f_k[N − i]``, offset N/2, excess 0."""
        h = self.bands * self.filters[None, :, ::-1]
        return StretchFilter(self.bands, h, offset=self.length // 2)


def kaiser_prototype(*, taps: int = 62, cutoff: float = 0.142, beta: float = 9.0) -> Array:
    """Return a windowed sinc as prototype: ``p[i] = cutoff·sinc(cutoff (i − N/2))·Kaiser_β[i]``, N = `taps`.

    Parameters
    ----------
    taps : int
        N, even: one less than the taps there are.
    cutoff : float
        Where the ideal filter would end, as a fraction of half the rate; near 1/(2M).
    beta : float
        Of the Kaiser window.

    Returns
    -------
    array (taps + 1,)

    Raises
    ------
    ValueError
        If N is odd, or the cutoff not between 0 and 1.

    References
    ----------
    The defaults are those of ParallelWaveGAN's multi-band MelGAN, for 4 bands.

    Examples
    --------
    >>> kaiser_prototype(taps=4, cutoff=0.5, beta=0.0).round(4)
    array([0.    , 0.3183, 0.5   , 0.3183, 0.    ])
    """
    N = as_integer("taps", taps, 2)
    if N % 2:
        raise ValueError(complaint("taps", N, "an even number", "there is one tap more than that"))
    if not 0 < cutoff < 1:
        raise ValueError(complaint("cutoff", cutoff, "between 0 and 1, a fraction of half the rate"))
    return np.asarray(cutoff * np.sinc(cutoff * (np.arange(N + 1) - N // 2)) * np.kaiser(N + 1, beta))
