"""How far one draw's covariances lie from their mean: the leading terms of finite width, for noise.

Of two inputs with independent noise, and the same weights, take the covariance c[n, m] of sample n of one output with
sample m of the other: the mean of c over draws is F[n, m], which makes the lines. With C channels it is spread,

    T[n, m; τ] = E δc[n, m] δc[n + τ, m + τ],    E V(c + δc) = V(c) + ½ V″(c) T[n, m; 0] + …,

so that a map makes lines where F has none. A drawn convolution gives, to first order in 1/C, from the noise D before it

    T' = g² Σ_{j, j'} (T + S)[…; τ + (j' − j)d],    S[n, m; τ] = D[n, τ] D[m, τ]/C

if n and m have a kernel in common, else 0; a map T' = V'(c)² T. Kernels are Gaussian here. Other laws add to
T[n, m; 0], in front of the very next map, half their fourth cumulant: (κ₄ − 3)/2 times the terms j = j' of S.

One layer of n taps per phase on white noise thus has ``T = q²/(Cn)``. Behind relu it is a tone, behind GLU an offset.
One noise in all channels, or one channel, counts as C = 1, however many kernels see it: then T is no small number, and
the lines are there in wide layers too, within about 1 dB of these.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dspref.arrays import Array, frozen, set_field, value
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.network import Drawn, Gate, Source
from dspref.expected.offsets import KernelMap

FARTHEST = 1024
"""Lags of T that are kept: convolutions of one rate that span as many samples, and no others, would ask for more."""

EPS = float(np.finfo(float).eps)
"""Share of the power in front of a map up to which its squared mean is rounding."""

ROUNDING = 1e-13
"""Share of the largest T below which another is the rounding of sums over 4096 rows, and 0."""


@value
class Spread:
    """T by classes of n − m (rows) and lags τ >= 0, averaged over n.

    Attributes
    ----------
    T : array (rows, lags)
    excess : array (rows,)
        What is added to ``T[:, 0]`` in front of a map that comes next, for weights that are not Gaussian.
    fresh : bool
        Whether layers add to T: as long as there is noise.
    offset : bool
        Whether a map had a mean. Behind it the limit of wide layers has lines of its own, of which a T that is the same
        in all rows is a share of 1/C, and not the only one: left out. What differs from row to row counts.
    thin : bool
        Whether δc[n, m] goes with δc[n + τ, m + τ] alone, as behind layers on white noise: then a T that is the same in
        all rows is kept behind an offset, since fixed filters make rows of it that differ.
    """

    T: Array
    excess: Array
    fresh: bool
    offset: bool = False
    thin: bool = True

    def __post_init__(self) -> None:
        T = self.T[:, :FARTHEST]
        last = np.flatnonzero(T.any(axis=0)).max(initial=0)
        set_field(self, "T", frozen(T[:, : last + 1]))
        set_field(self, "excess", frozen(self.excess))

    @classmethod
    def of(cls, source: Source, *, width_terms: bool) -> Spread:
        """Return the spread of an input: none where channels are independent, and D² where all carry one noise.

        Where they carry one noise and another each, it is the square of what they have in common. Without width terms,
        and without noise, none will come.
        """
        r = np.array(source.covariance or (0.0,), float)
        fresh = width_terms and bool(r.any())
        if not (fresh and source.mono):
            return cls(np.zeros((1, 1)), np.zeros(1), fresh, thin=not r[1:].any())
        common = r - np.pad(np.array(source.private, float), (0, len(r) - len(source.private)))
        return cls((1 - 1 / source.channels) * common[None] ** 2, np.zeros(1), fresh, thin=not r[1:].any())

    @property
    def none(self) -> bool:
        """Whether there is no spread, nor will there be one."""
        return not self.fresh and not self.T.any()

    def drawn(self, layer: Drawn, noise: Array) -> Spread:
        """Return the spread behind a layer, for n and m that share a kernel: those that do not are rows of zeros.

        Parameters
        ----------
        layer : Drawn
        noise : array (rows, lags)
            ``D[n, τ] D[m, τ]``, averaged over n.
        """
        if self.none:
            return self
        S = (
            noise / layer.inputs if self.fresh else np.zeros((len(noise), 1))
        )  # of any two channels, in one group or not
        own = float(layer.gain) ** 2 * (float(layer.kurtosis) - 3) / 2 * layer.length * layer.groups * S[:, 0]
        own = own / layer.factor if layer.op == "convt" else own
        thin = self.thin and S.shape[1] == 1
        T, added = _behind(layer, self.T), _behind(layer, S)
        own = (
            own + (layer.groups - 1) * added[:, 0]
        )  # of a channel with itself, which a map that comes next is asked of
        if self.offset and not (thin and layer.op == "conv"):
            least = added[:, 0].argmin()
            added, own = added - added[least], own - own[least]
            T = _less_least(T) if thin else T
        return replace(self, T=_sum(T, added), excess=own, thin=thin)

    def fixed(self, u: Fixed) -> Spread:
        """Return the spread behind a fixed filter, for n − m = 0 … PL − 1.

        With ``a_u[k] = h[k] h[k + u]`` and their autocorrelations ``A_u[e] = Σ_k a_u[k] a_u[k + e]``,

            T'[b; τ] = 1/L Σ_u Σ_e A_u[e] T[(b − e)/L; (τ − u)/L], where both are whole,

        exactly as far as δc[n, m] goes with δc[n + τ, m + τ] alone, as it does behind layers on white noise. The sum
        over e is a product of spectra.
        """
        L, h, P, farthest = u.factor, np.asarray(u.h, float), len(self.T) * u.factor, FARTHEST * u.stride
        wide = np.zeros((P, 2 * self.T.shape[1]))
        wide[::L] = np.concatenate([self.T[:, :0:-1], self.T, self.excess[:, None]], axis=1)
        seen = np.fft.rfft(wide, axis=0).T
        lags, own = seen[:-1], seen[-1]
        tau = L * np.arange(1 - self.T.shape[1], self.T.shape[1])
        found = np.zeros((min(int(tau[-1]) + len(h), farthest), len(own)), complex)
        excess = own * _spectrum(h, 0, P)
        for v in range(1 - len(h), len(h)):
            at = np.flatnonzero((tau + v >= 0) & (tau + v < len(found)))
            if len(at):
                found[tau[at] + v] += _spectrum(h, abs(v), P) * lags[at]
        T = np.fft.irfft(found, P, axis=1).T / L
        T[np.abs(T) <= ROUNDING * T.max()] = 0
        return replace(self, T=T[:, :: u.stride], excess=np.fft.irfft(excess, P) / L, thin=False)

    def rows(self, at: Array) -> Spread:
        """Return rows in another order; −1 is a row of zeros."""
        T, excess = self.T[at], self.excess[at]
        T[at < 0], excess[at < 0] = 0, 0
        return replace(self, T=T, excess=excess)

    @property
    def at(self) -> Array:
        """Numbers of the rows that a map asks for: all, or none where there is no spread."""
        return np.arange(len(self.T) if self.T[:, 0].any() else 0)

    def mapped(
        self, stage: Pointwise | Gate, V: KernelMap, mean: Array, q: Array, q2: Array, c: Array
    ) -> tuple[Array, Spread]:
        """Return what F rises by behind a map, and the spread there.

        Where the map has a mean, its offset is as strong in one draw as in another, to the order of these terms: what
        n = m would gain, all lose, and only what differs from row to row counts from there.

        Parameters
        ----------
        stage : Pointwise or Gate
        V : callable (q₁, q₂, c) → array
            Of the map, offsets included.
        mean, q : array (n,)
            Means behind the map, and variances in front of it, of the samples n.
        q2, c : array (rows, n)
            Variances of the samples m, and covariances, in the rows `at`; n = m is where T is largest. T is taken to be
            in proportion to the product of variances along a row.
        """
        if self.none:
            return np.zeros((1, 1)), self
        meant, T, own = bool((mean**2 > EPS * q).any()), np.zeros(self.T.shape), np.zeros(len(self.T))
        apart = meant or self.offset
        if not len(self.at):
            return np.zeros((1, 1)), replace(self, T=T, excess=own, offset=apart)
        q1 = q[None]
        both = q1 * q2
        seen = np.maximum(self.T[:, 0] + (0 if _paired(stage) else self.excess), 0)
        relative = (seen / both.mean(axis=1))[:, None]
        level = sway(V, q1, q2, c, (relative.max() if meant else relative.min()) * both)[0] if apart else V(q1, q2, c)
        at = np.flatnonzero(self.T[:, 0])
        swayed, slopes = sway(V, q1, q2[at], c[at], relative[at] * both[at])
        if self.excess.any():  # which counts in front of this map alone
            slopes = sway(V, q1, q2[at], c[at], self.T[at, :1] * both[at] / both[at].mean(axis=1, keepdims=True))[1]
        rise = (V(q1, q2, c) if apart else level) - level
        rise[at] = swayed - level[at]
        T[at] = slopes.mean(axis=1, keepdims=True) * self.T[at]
        T = _less_least(T) if meant and not self.thin else T
        return rise, replace(self, T=T, excess=own, offset=apart)

    def scaled(self, gain: float) -> Spread:
        """Return the spread of a signal times a number."""
        return replace(self, T=gain**4 * self.T, excess=gain**4 * self.excess)

    def plus(self, other: Spread) -> Spread:
        """Return the spread of an independent sum, whose rows are the same."""
        T, excess = _sum(self.T, other.T), self.excess + other.excess
        offset, thin = self.offset or other.offset, self.thin and other.thin
        return Spread(T, excess, self.fresh or other.fresh, offset, thin)


def _paired(stage: Pointwise | Gate) -> bool:
    """Whether halves have kernels of their own: fourth cumulants of either are not in the product's leading term."""
    return isinstance(stage, Gate) or stage.name == "glu"


def sway(V: KernelMap, q1: Array, q2: Array, c: Array, T: Array) -> tuple[Array, Array]:
    """Return ``E V(q₁, q₂, c + δ)`` and ``Var V/T``, for δ = ±√T in half of cases each.

    To first order in T they are ``V(c) + ½ V″(c) T`` and ``V'(c)²``, and no covariance is beyond ``√(q₁q₂)``.

    Examples
    --------
    >>> square = lambda q1, q2, c: c**2
    >>> [float(x) for x in sway(square, *map(np.array, (1.0, 1.0, 0.5, 0.0625)))]
    [0.3125, 1.0]
    """
    t = np.minimum(np.sqrt(T), np.maximum(np.sqrt(q1) * np.sqrt(q2) - np.abs(c), 0))
    up, down = V(q1, q2, np.stack([c + t, c - t]))
    slope = np.divide(up - down, 2 * t, out=np.zeros(np.shape(t)), where=t > 0)
    return np.asarray((up + down) / 2), slope**2


def _behind(layer: Drawn, X: Array) -> Array:
    """Return ``g² Σ_{j, j'} X[…; τ + (j' − j)d]`` at the rate behind a layer."""
    s, g2, taps = layer.factor, float(layer.gain) ** 2, _overlaps(np.ones(layer.length), layer.dilation)
    if layer.op == "conv":
        return g2 * _along(X, taps, farthest=s * FARTHEST)[:, ::s]
    if layer.op == "convt":
        return g2 / s * _along(_stretched(X, s), taps)
    return _along(_stretched(g2 * _along(X, taps), s), _overlaps(np.ones(s), 1)) / s


def _less_least(T: Array) -> Array:
    """Return T less what it is in the row where it is least."""
    return np.asarray(T - T[T[:, 0].argmin()])


def _spectrum(h: Array, u: int, P: int) -> Array:
    """Return the transform of A_u over e, on a circle of P: ``abs(Σ_k h[k] h[k + u] e^{−j2πfk/P})²``."""
    k = np.arange(len(h) - u)
    return np.abs(np.fft.rfft(np.bincount(k % P, h[k] * h[k + u], P))) ** 2


def _overlaps(h: Array, distance: int) -> Array:
    """Return the autocorrelation of taps so far apart, at lags −(K−1)d … (K−1)d."""
    wide = _stretched(h[None], distance)[0]
    return np.asarray(np.correlate(wide, wide, "full"))


def _stretched(T: Array, L: int) -> Array:
    """Return lags τL."""
    wide = np.zeros((len(T), (T.shape[1] - 1) * L + 1))
    wide[:, ::L] = T
    return wide


def _along(T: Array, taps: Array, *, farthest: int = FARTHEST) -> Array:
    """Return the convolution along lags, of which T has those >= 0, with taps at −w … w; both are even."""
    w, n, at = len(taps) // 2, T.shape[1], np.flatnonzero(T.any(axis=1))
    kept = min(n + w, farthest)
    both = np.zeros((len(at), 2 * n - 1 + 3 * w))
    both[:, w : w + 2 * n - 1] = np.concatenate([T[at, :0:-1], T[at]], axis=1)
    found = np.zeros((len(T), kept))
    for u in np.flatnonzero(taps):
        start = 2 * w + n - 1 - u
        found[at] += taps[u] * both[:, start : start + kept]
    return found


def _sum(x: Array, y: Array) -> Array:
    total = np.zeros((max(len(x), len(y)), max(x.shape[1], y.shape[1])))
    for each in (x, y):
        total[:, : each.shape[1]] += each
    return total
