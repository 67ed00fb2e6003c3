"""Second moments of every pair of samples of a short signal: exact at borders, where the steady state is not.

Of an input of T samples, averaged over channels, weights and noise,

    K[n, m] = E x[n] x[m],    F[n, m] = E x[n] x'[m],    μ[n] = E x[n],

x' what the same weights make of another draw of the noise. At the input ``F = c²`` and ``K = c² + r(n − m)``. Both
follow one rule, with m_j(n) the sample that tap j meets (`dspref.expected.borders`), ``g = C_in σ_w²``:

    conv, transposed   K'[n, m] = g Σ_j K[m_j(n), m_j(m)] + σ_b²,   0 where a tap meets no sample
    sub-pixel          K'[nL + r, mL + r'] = δ_rr' (g Σ_j K[m_j(n), m_j(m)] + σ_b²)
    fixed filter A     K' = A K Aᵀ
    map φ              K' = V(q_n, q_m, K), F' = V(q_n, q_m, F), q_n = K[n, n]: infinitely wide
    sum                K₁ + K₂ + μ₁μ₂ᵀ + μ₂μ₁ᵀ
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, complaint, frozen, set_field, value
from dspref.chain import Pointwise
from dspref.expected.borders import Length, met
from dspref.expected.filters import Fixed
from dspref.expected.graph import Network, network
from dspref.expected.kernelmaps import kernel_map, mean_map
from dspref.expected.network import Drawn, Gate, Source, Step
from dspref.expected.offsets import NONE, Offsets
from dspref.expected.reach import Reach
from dspref.expected.walk import started, walk

LARGEST = 4096
"""Longest signal on the way: matrices of 128 MiB."""

BLOCK = 256
"""Rows that are mapped at a time, which bounds the memory."""

PARTS = ("all", "lines", "noise")


@value
class Dense:
    """Second moments K and F (T, T), means (T,), which samples are steady (T,), and the period P of the steady ones.

    A sample is steady if no end of the input reaches it.

    Parameters
    ----------
    K, F : array (T, T)
        ``E x[m] x[n]``, of one channel and draw, and of two channels that share nothing but the offset.
    mean : array (T,)
    steady : bool array (T,)
    period : int
        P, in samples.

    Raises
    ------
    NotAnalysable
        By ``lines``, if fewer than P samples are steady.
    ValueError
        By ``periodogram``, for a stretch that is not within the signal.
    """

    K: Array
    F: Array
    mean: Array
    steady: Array
    period: int = 1

    def __post_init__(self) -> None:
        for name in ("K", "F", "mean", "steady"):
            set_field(self, name, frozen(getattr(self, name)))

    @classmethod
    def of(cls, source: Source, time: int) -> Dense:
        """Return the moments of an input of `time` samples."""
        r = np.zeros(time)
        known = source.covariance[:time]
        r[: len(known)] = known
        n, c = np.arange(time), float(source.constant)
        K = c**2 + r[np.abs(n[:, None] - n)]
        return cls(K, np.full((time, time), c**2), np.full(time, c), np.ones(time, bool))

    @property
    def power(self) -> Array:
        """``E x[n]²``, (T,)."""
        return self.K.diagonal()

    @property
    def interior(self) -> range:
        """The longest run of steady samples, the first of such."""
        edges = np.flatnonzero(np.diff(self.steady.astype(int), prepend=0, append=0))
        runs = (range(a, b) for a, b in edges.reshape(-1, 2).tolist())
        return max(runs, key=len, default=range(0))

    @property
    def lines(self) -> Array:
        """``E abs(c_k)²`` of the lines k/P, k = 0 … P − 1, of the steady samples.

        Raises
        ------
        NotAnalysable
            If fewer than a period of them are steady.
        """
        found = self.interior
        if len(found) < self.period:
            allowed = f"a period of {self.period}"
            raise NotAnalysable(complaint("steady samples", len(found), allowed, "feed a longer input"))
        return self.periodogram(found.start, found.start + self.period, part="lines")

    def periodogram(self, start: int, stop: int, *, part: str = "all") -> Array:
        """Return ``E abs(1/N Σ_n x[n] e^{−j2πkn/N})²``, n = start … stop − 1, k = 0 … N − 1.

        Parameters
        ----------
        start, stop : int
            0 ≤ start < stop ≤ T.
        part : {'all', 'lines', 'noise'}
            Of K, of F, or of K − F; N times that of the noise is a density, 1 for unit white noise.

        Examples
        --------
        >>> net = [Drawn("convt", 1, 1, 2, factor=2, weight=1, bias=0)]
        >>> found = dense_moments(net, Source(1, constant=1.0), time=4)
        >>> found.periodogram(0, 8).round(12)
        array([0.5, 0. , 0. , 0. , 0.5, 0. , 0. , 0. ])
        """
        as_choice("part", part, PARTS)
        T = len(self.mean)
        if not 0 <= as_integer("start", start, 0) < as_integer("stop", stop, 0) <= T:
            raise ValueError(complaint("range", f"{start} … {stop}", f"0 <= start < stop <= {T}"))
        K = {"all": self.K, "lines": self.F, "noise": self.K - self.F}[part][start:stop, start:stop]
        N = stop - start
        n = np.arange(N)
        along = np.array([K[n, (n + lag) % N].sum() for lag in range(N)])
        return np.asarray(np.fft.fft(along).real / N**2)

    def drawn(self, layer: Drawn) -> Dense:
        """Return the moments behind a convolution whose kernel is drawn."""
        found = met(layer, self.steady)
        g, b, L = float(layer.gain), float(layer.bias), layer.factor
        K, F = (g * _gathered(each, found.sample) for each in (self.K, self.F))
        if layer.op != "shuffle":
            up, down = (1, L) if layer.op == "conv" else (L, 1)
            return Dense(K + b, F + b, np.zeros(len(K)), found.steady, self._resampled(up, down))
        own = np.ones((L, L)) if layer.icnr else np.eye(L)  # phases have kernels of their own; biases, always
        K, F = (np.kron(each, own) + b * np.kron(np.ones(each.shape), np.eye(L)) for each in (K, F))
        return Dense(K, F, np.zeros(len(K)), np.repeat(found.steady, L), self._resampled(L, 1))

    def fixed(self, u: Fixed) -> Dense:
        """Return ``A K Aᵀ``, A the matrix of a fixed filter with its ends."""
        found = met(u, self.steady)
        A = np.zeros((found.sample.shape[1], len(self.mean)))
        for h, sample in zip(u.h, found.sample, strict=True):
            rows = np.flatnonzero(sample)
            A[rows, sample[rows] - 1] += h
        period = self._resampled(u.factor, u.stride)
        return Dense(A @ self.K @ A.T, A @ self.F @ A.T, A @ self.mean, found.steady, period)

    def mapped(self, stage: Pointwise | Gate, offsets: Offsets = NONE) -> Dense:
        """Return the moments behind a map, or gate, of values that are Gaussian but for offsets."""
        q, L = self.power, offsets.phases
        K, F = np.empty_like(self.K), np.empty_like(self.F)
        for r, other in ((r, other) for r in range(L) for other in range(L)):
            V, m = kernel_map(stage, offsets, apart=r != other), slice(other, None, L)
            for n in (slice(i + r, i + BLOCK * L, L) for i in range(0, len(q), BLOCK * L)):
                K[n, m], F[n, m] = (V(q[n, None], q[None, m], each[n, m]) for each in (self.K, self.F))
        return Dense(K, F, mean_map(stage, q, offsets), self.steady, self.period)

    def named(self, name: str) -> Dense:
        """Of what is drawn at a place: they are the same."""
        return self

    def scaled(self, gain: float) -> Dense:
        """Return the moments under a gain."""
        return Dense(gain**2 * self.K, gain**2 * self.F, gain * self.mean, self.steady, self.period)

    def plus(self, other: Dense) -> Dense:
        """Return the moments of the sum of independent signals."""
        cross = np.outer(self.mean, other.mean)
        cross = cross + cross.T
        return Dense(
            self.K + other.K + cross, self.F + other.F + cross, self.mean + other.mean, *self._both_steady(other)
        )

    def within(self, asked: Reach) -> Dense:
        """Of what is asked for: all."""
        return self

    def beside(self, other: Dense, a: float) -> Dense:
        """Return the average over channels, of which a share a is of this signal."""
        b = 1 - a
        K, F, mean = (a * x + b * y for x, y in ((self.K, other.K), (self.F, other.F), (self.mean, other.mean)))
        return Dense(K, F, mean, *self._both_steady(other))

    def _both_steady(self, other: Dense) -> tuple[Array, int]:
        return self.steady & other.steady, math.lcm(self.period, other.period)

    def _resampled(self, up: int, down: int) -> int:
        return self.period * up // math.gcd(self.period * up, down)


def _gathered(K: Array, sample: Array) -> Array:
    """Return ``Σ_j K[m_j(n), m_j(m)]``; a tap that meets nothing adds nothing."""
    total = np.zeros((sample.shape[1], sample.shape[1]))
    for each in sample:
        n = np.flatnonzero(each)
        total[np.ix_(n, n)] += K[np.ix_(each[n] - 1, each[n] - 1)]
    return total


def dense_moments(steps: Network | Iterable[Step], source: Source, *, time: int) -> Dense:
    """Return second moments of all pairs of output samples of a network whose weights are drawn, borders included.

    Linear networks: exact at any width. Maps between drawn convolutions: in the limit of wide layers.

    Parameters
    ----------
    steps : Network, or iterable of steps
        Their paddings, `padding_mode`, `output_padding` and `Fixed.edges` are heeded.
    source : Source
    time : int
        Samples of the input; nothing precedes or follows them.

    Returns
    -------
    Dense
        Averages over channels.

    Raises
    ------
    NotAnalysable
        Where the theory ends, and if a signal on the way is longer than `LARGEST`: said before any work.
    ValueError
        If channels, rates or lengths do not fit.

    Notes
    -----
    Each tap adds T² numbers, twice: at `LARGEST` a generator of vocoders takes tens of seconds and 1.5 GiB.

    Examples
    --------
    >>> net = [Drawn("conv", 1, 1, 3, padding=1, weight=1, bias=0)]
    >>> dense_moments(net, Source(1, covariance=(1.0,)), time=5).power
    array([2., 3., 3., 3., 2.])
    """
    net = network(steps)
    _ = walk(started(Length(as_integer("time", time, 1), LARGEST), source), net).moments  # refuses before any work
    return walk(started(Dense.of(source, time), source), net).moments
