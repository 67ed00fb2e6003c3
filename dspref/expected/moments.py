"""Second moments of any network, exactly as far as it is linear: averages over channels, weights and noise.

``K[n, m] = E x[n] x[m] = F[n mod P, m mod P] + D[n mod P, m − n]``: F is what is left at far lags, and makes the lines;
D is there at finitely many lags only, and makes the floor. With ``g = C_in σ_w²``:

    conv             K'[n, m] = g Σ_j K[ns + jd − p, ms + jd − p] + σ_b²
    transposed       K'[n, m] = g Σ_k K[(n + p − kd)/s, (m + p − kd)/s] + σ_b², where both are whole
    sub-pixel        K'[nL + r, mL + r'] = δ_rr' (g Σ_j K[n + jd − p, m + jd − p] + σ_b²)
    fixed filter A   K' = A K Aᵀ
    map φ            F' = V(q_n, q_m, F), F' + D' = V(q_n, q_m, F + D), q_n = F[n, n] + D[n, 0]: infinitely wide
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from dspref.arrays import Array, frozen, set_field, value
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.inherited import Parent
from dspref.expected.kernelmaps import between, kernel_map, mean_map
from dspref.expected.lagged import products, total
from dspref.expected.network import Drawn, Gate, Source
from dspref.expected.offsets import NONE, Offsets
from dspref.expected.reach import Reach
from dspref.expected.roots import Linear
from dspref.expected.spread import Spread

R = TypeVar("R")

BLOCK = 256
"""Lags that are mapped at a time, which bounds the memory."""


def shared(method: Callable[..., R]) -> Callable[..., R]:
    """Make a method compute once for each argument, while its moments are there: several outputs are often alike."""
    made: WeakKeyDictionary[Moments, dict[Any, R]] = WeakKeyDictionary()

    @wraps(method)
    def once(self: Moments, *args: Any) -> R:
        known = made.setdefault(self, {})
        if args not in known:
            known[args] = method(self, *args)
        return known[args]

    return once


@value
class Moments:
    """Second moments F (P, P), D (lags, P) at `lags` >= 0, and means (P,): ``D[i, n]`` belongs to n and n + lags[i].

    The spread has a row for each m − n = 0 … P − 1.

    Eq. 6.1.
    """

    F: Array
    lags: Array
    D: Array
    mean: Array
    spread: Spread

    def __post_init__(self) -> None:
        for name in ("F", "lags", "D", "mean"):
            set_field(self, name, frozen(getattr(self, name)))

    @property
    def period(self) -> int:
        """P, in samples."""
        return len(self.F)

    @property
    def power(self) -> Array:
        """``q_n = F[n, n] + D[n, 0]``, (P,)."""
        return np.asarray(self.F.diagonal() + self.D[self.lags == 0].sum(axis=0))

    @classmethod
    def of(cls, source: Source, *, asked: Reach | None = None) -> Moments:
        """Return the moments of an input, with what is asked for of its spread, or without terms of finite width."""
        r = source.covariance or (0.0,)
        F, D, mean = np.full((1, 1), float(source.constant) ** 2), np.array(r, float)[:, None], float(source.constant)
        spread = Spread.of(source, asked)
        return cls(F, np.arange(len(r)), D, np.full(1, mean), spread)

    @shared
    def drawn(self, layer: Drawn) -> Moments:
        """Return the moments behind a convolution whose kernel is drawn (Eqs. 6.2, 6.3 and 6.4)."""
        return _DRAWN[layer.op](self, layer)

    def fixed(self, u: Fixed) -> Moments:
        """Return ``A K Aᵀ``, A the matrix of a fixed filter."""
        P, L, s = self.period, u.factor, u.stride
        at = np.arange(P * L // math.gcd(P * L, s)) * s  # places before the decimation
        A = _matrix(u, at, P)
        spread = _decimated(self.spread.fixed(u), P * L, s)
        y = Moments((A @ (A @ self.F).T).T, *_filtered_lags(self, u, at), A @ self.mean, spread).least
        if len(u.h) == L == s == 1:
            return replace(y, spread=self.spread.delayed(u))
        x = self.spread.origin
        name = None if x.label is None else (u, x.label, x.delay)
        return replace(y, spread=y.spread.named(name, Linear(1.0, y.lags, y.D), Parent(u, self) if s == 1 else None))

    @shared
    def mapped(self, stage: Pointwise | Gate, offsets: Offsets = NONE) -> Moments:
        """Return the moments behind a map, or gate, of values that are Gaussian but for offsets (Eq. 6.6)."""
        V, q, P, L = kernel_map(stage, offsets), self.power, self.period, offsets.phases
        F, n = np.empty_like(self.F), np.arange(P)
        for r in range(L):
            F[r::L, r::L] = V(q[r::L, None], q[None, r::L], self.F[r::L, r::L])
        apart = kernel_map(stage, offsets, apart=True)
        for r, other in ((r, other) for r in range(L) for other in range(L) if other != r):
            F[r::L, other::L] = apart(q[r::L, None], q[None, other::L], self.F[r::L, other::L])
        D = np.empty_like(self.D)
        for i in range(0, len(D), BLOCK):
            m = (n + self.lags[i : i + BLOCK, None]) % P
            V = between(stage, offsets, self.lags[i : i + BLOCK])
            D[i : i + BLOCK] = V(q[None], q[m], self.F[n, m] + self.D[i : i + BLOCK]) - F[n, m]
        rows = n[: P // 2 + 1 if self.spread.T.any() else 0]  # F[n, m] is F[m, n]
        m = (n + rows[:, None]) % P
        mean = mean_map(stage, q, offsets)
        like, shared = np.minimum(n, P - n), float(self.F.mean())
        rise, spread = self.spread.mapped(
            stage, lambda b: between(stage, offsets, b), mean, q, q[m], self.F[n, m], like, shared
        )
        F[n, m] += rise
        back = slice(1, (P + 1) // 2)
        F[m[back], n] += rise[back]
        return Moments(F, self.lags, D, mean, spread)

    def named(self, name: str) -> Moments:
        """Return the moments of what is drawn at a place."""
        return replace(self, spread=self.spread.named(name, Linear(1.0, self.lags, self.D)))

    @shared
    def met(self, channels: int) -> tuple[Array, Array | None]:
        """Return T of what a layer meets, an average over so many channels; and what of it T and S have in common."""
        S, X, _ = self.spread.sampled(self.noise_squared(), channels)
        T = total(self.spread.T, S)
        return T if X is None else total(T, X), X

    @shared
    def scaled(self, gain: float) -> Moments:
        """Return the moments times a number, ``a² K``."""
        return Moments(gain**2 * self.F, self.lags, gain**2 * self.D, gain * self.mean, self.spread.scaled(gain))

    def constant(self) -> Moments:
        """Return the moments of the mean alone, ``F = μμᵀ``."""
        F, lags, D = np.outer(self.mean, self.mean), np.zeros(1, int), np.zeros((1, self.period))
        return Moments(F, lags, D, self.mean, self.spread.scaled(0.0))

    @shared
    def plus(self, other: Moments) -> Moments:
        """Return the moments of the sum of independent signals: ``K₁ + K₂ + μ₁μ₂ᵀ + μ₂μ₁ᵀ``."""
        x, y = self.tiled(other.period), other.tiled(self.period)
        cross = np.outer(x.mean, y.mean)
        lags, D = _sum_of_lags(x, y, 1, 1)
        return Moments(x.F + y.F + cross + cross.T, lags, D, x.mean + y.mean, x.spread.plus(y.spread))

    def beside(self, other: Moments, a: float) -> Moments:
        """Return the average over channels, of which a share a is of this signal."""
        x, y, b = self.tiled(other.period), other.tiled(self.period), 1 - a
        lags, D = _sum_of_lags(x, y, a, b)
        spread = x.spread.scaled(a**0.5).plus(y.spread.scaled(b**0.5))
        return Moments(a * x.F + b * y.F, lags, D, a * x.mean + b * y.mean, spread)

    @shared
    def within(self, asked: Reach) -> Moments:
        """Return the same without what nothing that follows asks for of the spread."""
        return replace(self, spread=replace(self.spread, reach=asked & self.spread.reach))

    def tiled(self, period: int) -> Moments:
        """Return the same with the least common multiple of its period and another."""
        n = math.lcm(self.period, period) // self.period
        spread = self.spread.rows(np.arange(n * self.period) % self.period)
        return Moments(np.tile(self.F, (n, n)), self.lags, np.tile(self.D, (1, n)), np.tile(self.mean, n), spread)

    @property
    def least(self) -> Moments:
        """The same with period 1, if all of it is the same number over and over: so interpolators leave a constant."""
        x = Moments(self.F[:1, :1], self.lags, self.D[:, :1], self.mean[:1], self.spread.rows(np.zeros(1, int)))
        T, excess = self.spread.T, self.spread.excess  # a row of its own may have fewer lags
        every = ((self.F, x.F), (self.D, x.D), (self.mean, x.mean), (T, T[:1]), (excess, excess[:1]))
        same = all((a == b).all() for a, b in every)
        return x if same else self

    def noise_squared(self) -> Array:
        """Return ``D[n, τ] D[m, τ + d]`` averaged over n: as far as the spread asks for it."""
        if not self.spread.fresh:
            return np.zeros((self.period, 1, 1))
        return products(self.D, self.lags, self.spread.reach)


def _matrix(u: Fixed, at: Array, P: int) -> Any:
    """Return A (places, P), which has few numbers in a row that are not 0, as a sparse matrix."""
    from scipy.sparse import csr_array  # which costs time

    tap, row = np.nonzero((at + u.offset - np.arange(len(u.h))[:, None]) % u.factor == 0)
    column = (at[row] + u.offset - tap) // u.factor % P
    return csr_array((np.asarray(u.h, float)[tap], (row, column)), shape=(len(at), P))


def _conv(x: Moments, layer: Drawn) -> Moments:
    """Lags never mix; a stride keeps those that it divides."""
    s, P, g = layer.factor, x.period, float(layer.gain)
    kept = x.lags % s == 0
    F, D, source = np.zeros((P, P)), np.zeros((kept.sum(), P)), x.D[kept]
    for j in range(layer.length):
        shift = (j * layer.dilation - layer.padding) % P
        for own, other in _rolled(P, shift):
            D[:, own] += source[:, other]
            for to, back in _rolled(P, shift):
                F[own, to] += x.F[other, back]
    n = np.arange(P // math.gcd(P, s)) * s % P
    spread = _decimated(x.spread.drawn(layer, x.noise_squared()), P, s)
    return Moments(g * F[np.ix_(n, n)] + float(layer.bias), x.lags[kept] // s, g * D[:, n], np.zeros(len(n)), spread)


def _decimated(spread: Spread, P: int, s: int) -> Spread:
    """Keep every s-th m − n; lags are decimated already."""
    return spread.rows(np.arange(P // math.gcd(P, s)) * s % P)


def _apart(spread: Spread, s: int) -> Spread:
    """Phases share no kernel: m − n is a multiple of s, or c is 0."""
    n = np.arange(len(spread.T) * s)
    return spread.rows(np.where(n % s == 0, n // s, -1))


def _rolled(P: int, shift: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return slices of ``y[n] = x[(n + shift) mod P]``: what is written from what, in two pieces."""
    cut = P - shift
    return (slice(0, cut), slice(shift, P)), (slice(cut, P), slice(0, shift))


def _transposed(x: Moments, layer: Drawn) -> Moments:
    """Phase r of the output meets the taps for which r + p − kd is a multiple of s."""
    s, P, g = layer.factor, x.period, float(layer.gain)
    F, D = np.zeros((P * s, P * s)), np.zeros((len(x.lags), P * s))
    for k in range(layer.length):
        r = (k * layer.dilation - layer.padding) % s
        i = (np.arange(P) + (r + layer.padding - k * layer.dilation) // s) % P
        F[r::s, r::s] += g * x.F[np.ix_(i, i)]
        D[:, r::s] += g * x.D[:, i]
    spread = _apart(x.spread.drawn(layer, x.noise_squared()), s)
    return Moments(F + float(layer.bias), x.lags * s, D, np.zeros(P * s), spread)


def _shuffle(x: Moments, layer: Drawn) -> Moments:
    """Phases have kernels and biases of their own; under ICNR, biases only."""
    L = layer.factor
    y = _conv(x, replace(layer, op="conv", factor=1, bias=0, icnr=False))
    own = np.ones((L, L)) if layer.icnr else np.eye(L)
    F = np.kron(y.F, own) + float(layer.bias) * np.kron(np.ones(y.F.shape), np.eye(L))
    if not layer.icnr:
        spread = _apart(x.spread.drawn(layer, x.noise_squared()), L)
        return Moments(F, y.lags * L, np.repeat(y.D, L, axis=1), np.zeros(len(F)), spread)
    h = Fixed(np.ones(L), L)
    return Moments(F, *_filtered_lags(y, h, np.arange(len(F))), np.zeros(len(F)), y.spread.fixed(h))


_DRAWN: dict[str, Callable[[Moments, Drawn], Moments]] = {"conv": _conv, "convt": _transposed, "shuffle": _shuffle}


def _filtered_lags(x: Moments, u: Fixed, at: Array) -> tuple[Array, Array]:
    """Return lags and D of ``A D Aᵀ``: taps k, k' carry lag τ to τL + k' − k, of which a stride keeps its multiples."""
    L, s, K = u.factor, u.stride, len(u.h)
    past = x.lags[:0:-1] if x.lags[0] == 0 else x.lags[::-1]
    n = (np.arange(x.period) - past[:, None]) % x.period
    both = np.concatenate([x.D[np.searchsorted(x.lags, past)[:, None], n], x.D])  # D[n, −τ] = D[n − τ, τ]
    tau = np.concatenate([-past, x.lags])
    lags = np.unique(np.add.outer(tau * L, np.arange(1 - K, K)))
    lags = lags[(lags % s == 0) & (lags >= 0)]
    D = np.zeros((len(lags), len(at)))
    for k in range(K):
        rows = np.flatnonzero((at + u.offset - k) % L == 0)
        source = both[:, (at[rows] + u.offset - k) // L % x.period]
        for other in range(K):
            found = tau * L + other - k
            kept = (found % s == 0) & (found >= 0)
            D[np.ix_(np.searchsorted(lags, found[kept]), rows)] += u.h[k] * u.h[other] * source[kept]
    return lags // s, D


def _sum_of_lags(x: Moments, y: Moments, a: float, b: float) -> tuple[Array, Array]:
    lags = np.union1d(x.lags, y.lags)
    D = np.zeros((len(lags), x.period))
    D[np.searchsorted(lags, x.lags)] += a * x.D
    D[np.searchsorted(lags, y.lags)] += b * y.D
    return lags, D


def lines(x: Moments) -> Array:
    """Return ``E abs(c_k)² = P⁻² Σ F[n, m] e^{−j2πk(n−m)/P}``, k = 0 … P − 1 (Eq. 6.5)."""
    P = x.period
    n = np.arange(P)
    along = np.array([x.F[n, (n + lag) % P].sum() for lag in range(P)])
    return np.asarray(np.fft.fft(along).real / P**2)


def pseudo(x: Moments) -> Array:
    """Return ``E c_k² = P⁻² Σ F[n, m] e^{−j2πk(n+m)/P}``, k = 0 … P − 1, complex; 0 where c_k has a random phase."""
    P = x.period
    n = np.arange(P)
    across = np.array([x.F[n, (total - n) % P].sum() for total in range(P)])
    return np.asarray(np.fft.fft(across) / P**2)


def covariance(x: Moments) -> tuple[Array, Array]:
    """Return lags τ >= 0 and the autocovariance of the floor, ``mean_n D[n, τ]`` (Eq. 6.5)."""
    return x.lags, np.asarray(x.D.mean(axis=1))
