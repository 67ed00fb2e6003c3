"""Second moments that depend on the greatest common divisor of a lag and the factors alone: a recursion of scalars.

Behind convolutions, full-overlap transposed and sub-pixel convolutions, maps, gates and independent sums, fed by
constants and white noise, ``F[n, m] = v_i``, i the last level whose M_i divides n − m, where 1 = M_0 | M_1 | … | M_N.
D stands at lag 0 only. With ``g = C_in σ_w²``, i > 0 for a level that a layer adds:

    conv          v → g K v + σ_b²
    transposed    v → (0, g (K/s) v) + σ_b²           M → (1, s M)
    sub-pixel     v → (0, g K v + σ_b²)               M → (1, L M)
    map φ         v_i → V(q, q, v_i), q = v_N + D

and ``E abs(c_k)² = Σ_{i: k M_i ≡ 0 mod P} (v_i − v_{i−1})/M_i``, v_{−1} = 0: one height per comb, at multiples of
sr/M_i.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from dspref.arrays import Array, NotAnalysable, complaint, value
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.kernelmaps import between, kernel_map, mean_map
from dspref.expected.network import Drawn, Gate, Source
from dspref.expected.offsets import NONE, Offsets
from dspref.expected.reach import Reach
from dspref.expected.roots import Linear
from dspref.expected.spread import Spread

HINT = "the full recursion has no such limits"


@value
class Levels:
    """Levels v_i at divisors M_i, the variance D of the noise, and the mean, which no phase changes.

    The spread has a row for each level.
    """

    divisors: tuple[int, ...]
    v: tuple[float, ...]
    noise: float
    mean: float
    spread: Spread

    @property
    def power(self) -> float:
        """``q = v_N + D``."""
        return self.v[-1] + self.noise

    @classmethod
    def of(cls, source: Source, *, asked: Reach | None = None) -> Levels:
        """Return the levels of an input, with what is asked for of its spread; coloured noise has none."""
        r = source.covariance or (0.0,)
        if any(r[1:]):
            raise NotAnalysable(complaint("combs", "coloured noise", "constants and white noise", HINT))
        spread = Spread.of(source, asked)
        return cls((1,), (float(source.constant) ** 2,), float(r[0]), float(source.constant), spread)

    def drawn(self, layer: Drawn) -> Levels:
        """Return the levels behind a convolution whose kernel is drawn."""
        s, b, d = layer.factor, float(layer.bias), self.divisors
        g = float(layer.gain) * layer.length
        spread = self.spread.drawn(layer, np.full((len(d), 1, 1), self.noise**2))
        if layer.op == "conv":
            found = tuple(sorted({M // math.gcd(M, s) for M in d}))
            v = tuple(g * self.at(s * M) + b for M in found)
            return Levels(found, v, g * self.noise, 0.0, spread.rows(np.array([self.level(s * M) for M in found])))
        if layer.op == "convt" and not layer.full_overlap:
            raise NotAnalysable(complaint("combs", "partial overlap", "phases of equally many taps", HINT))
        if layer.icnr and s > 1:
            raise NotAnalysable(complaint("combs", "icnr", "phases of independent kernels", HINT))
        if s == 1:
            return Levels(d, tuple(g * v + b for v in self.v), g * self.noise, 0.0, spread)
        g /= s if layer.op == "convt" else 1
        v = (b if layer.op == "convt" else 0.0, *(g * v + b for v in self.v))
        spread = spread.rows(np.arange(-1, len(d)))
        return Levels((1, *(s * M for M in d)), v, g * self.noise, 0.0, spread)

    def fixed(self, u: Fixed) -> Levels:
        """Refuse: a fixed filter correlates neighbours; but for a delay, which moves no level."""
        if len(u.h) == u.factor == u.stride == 1:
            return replace(self.scaled(float(u.h[0])), spread=self.spread.delayed(u))
        raise NotAnalysable(complaint("combs", f"a fixed filter of {len(u.h)} taps", "drawn convolutions", HINT))

    def mapped(self, stage: Pointwise | Gate, offsets: Offsets = NONE) -> Levels:
        """Return the levels behind a map, or gate, of values that are Gaussian but for offsets."""
        q, v = np.array(self.power), np.array(self.v)
        V = kernel_map(stage, offsets)
        *found, power = V(q, q, np.array([*v, q])).tolist()
        if apart := [i for i, M in enumerate(self.divisors) if M % offsets.phases]:
            for i, level in zip(apart, kernel_map(stage, offsets, apart=True)(q, q, v[apart]).tolist(), strict=True):
                found[i] = level
        mean = mean_map(stage, q[None], offsets)
        rows = np.arange(len(v) if self.spread.T.any() else 0)
        c = v[rows, None]
        at = np.array(self.divisors)
        rise, spread = self.spread.mapped(
            stage,
            lambda i: between(stage, offsets, at[i]),
            mean,
            q[None],
            np.full_like(c, q),
            c,
            rows,
            float(heights(self)[0]),
        )
        v = np.array(found) + (rise[:, 0] if len(rows) else 0.0)
        return Levels(self.divisors, tuple(v.tolist()), power - found[-1], float(mean[0]), spread)

    def named(self, name: str) -> Levels:
        """Return the levels of what is drawn at a place."""
        part = Linear(1.0, np.zeros(1, int), np.full((1, 1), self.noise))
        return Levels(self.divisors, self.v, self.noise, self.mean, self.spread.named(name, part))

    def scaled(self, gain: float) -> Levels:
        """Return the levels times a number, ``a² v``."""
        v = tuple(gain**2 * v for v in self.v)
        return Levels(self.divisors, v, gain**2 * self.noise, gain * self.mean, self.spread.scaled(gain))

    def constant(self) -> Levels:
        """Return the levels of the mean alone, ``v = μ²``."""
        return Levels(self.divisors, (self.mean**2,) * len(self.v), 0.0, self.mean, self.spread.scaled(0.0))

    def plus(self, other: Levels) -> Levels:
        """Return the levels of the sum of independent signals."""
        d = self._joined(other)
        cross = 2 * self.mean * other.mean
        v = tuple(self.at(M) + other.at(M) + cross for M in d)
        spread = self._spread(d).plus(other._spread(d))
        return Levels(d, v, self.noise + other.noise, self.mean + other.mean, spread)

    def beside(self, other: Levels, a: float) -> Levels:
        """Return the average over channels, of which a share a is of this signal."""
        d, b = self._joined(other), 1 - a
        v = tuple(a * self.at(M) + b * other.at(M) for M in d)
        spread = self._spread(d).scaled(a**0.5).plus(other._spread(d).scaled(b**0.5))
        return Levels(d, v, a * self.noise + b * other.noise, a * self.mean + b * other.mean, spread)

    def within(self, asked: Reach) -> Levels:
        """Return the same without what nothing that follows asks for of the spread."""
        if self.spread.T.shape[1] <= asked.lags + 1:
            return self
        return replace(self, spread=replace(self.spread, reach=asked & self.spread.reach))

    def at(self, lag: int) -> float:
        """Return F at a lag."""
        return self.v[self.level(lag)]

    def level(self, lag: int) -> int:
        """Return the number of the last level whose divisor divides a lag."""
        return max(i for i, M in enumerate(self.divisors) if lag % M == 0)

    def _spread(self, divisors: tuple[int, ...]) -> Spread:
        return self.spread.rows(np.array([self.level(M) for M in divisors]))

    def _joined(self, other: Levels) -> tuple[int, ...]:
        d = sorted({*self.divisors, *other.divisors})
        if any(b % a for a, b in pairwise(d)):
            raise NotAnalysable(complaint("combs", f"divisors {d}", "each dividing the next", HINT))
        return tuple(d)


def heights(x: Levels) -> Array:
    """Return ``E abs(c_k)²`` of the lines that are met first at M_i, for each i.

    They lie on that comb and on all finer ones: ``Σ_{j ≥ i} (v_j − v_{j−1})/M_j``.

    Eq. 6.9.
    """
    steps = np.diff(x.v, prepend=0.0) / np.array(x.divisors, float)
    return np.asarray(np.cumsum(steps[::-1])[::-1])
