"""How far one draw's covariances lie from their mean: the leading terms of finite width, for noise.

Of two inputs with independent noise, and the same weights, take the covariance c[n, m] of sample n of one output with
sample m of the other: the mean of c over draws is F[n, m], which makes the lines. With C channels it is spread,

    T[n, m; τ, d] = E δc[n, m] δc[n + τ, m + τ + d],    E V(c + δc) = V(c) + ½ V″(c) T[n, m; 0, 0] + …,

so that a map makes lines where F has none. A drawn convolution gives, to first order in 1/C, from the noise D before it

    T' = g² Σ_{j, j'} (T + S)[…; τ + (j' − j)D, d],    S[n, m; τ, d] = D[n, τ] D[m, τ + d]/C

if n and m have a kernel in common, else 0; a map T' = V'(c)² T; a fixed filter takes part in all four samples, and is
all that asks for d that are not 0. Behind a map with an offset in front of it D D is E R R', of noise that is uneven:
`dspref.expected.uneven`. Kernels are Gaussian here. Other laws add to T[n, m; 0, 0], in front of the very
next map, half their fourth cumulant: (κ₄ − 3)/2 times the terms j = j' of S.

Branches of one signal have its fluctuations in common; a sum of them has more than T₁ + T₂: `dspref.expected.paths`.

One layer of n taps per phase on white noise thus has ``T = q²/(Cn)``. Behind relu it is a tone, behind GLU an offset.
One noise in all channels, or one channel, counts as C = 1, however many kernels see it: then T is no small number, and
the lines are there in wide layers too, within about 1 dB of these.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

import numpy as np

from dspref.arrays import Array, frozen, set_field, value
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.inherited import NOWHERE, Origin, Parent, added, behind_drawn
from dspref.expected.lagged import alone, behind, filtered, less_least, middle, products, sloped, total, within
from dspref.expected.network import Drawn, Gate, Source
from dspref.expected.offsets import KernelMap
from dspref.expected.paths import Path, Paths, common
from dspref.expected.reach import Reach
from dspref.expected.roots import Filtered, Linear, Own, Sampled
from dspref.expected.uneven import unevenness

EPS = float(np.finfo(float).eps)
"""Share of the power in front of a map up to which its squared mean is rounding."""


@value
class Spread:
    """T by classes of m − n (rows), lags τ >= 0, and d = −W … W, averaged over n.

    That is all: ``T[b; −τ, d] = T[b + d; τ, −d]``, of rows on a circle.

    Attributes
    ----------
    T : array (rows, lags, 2W + 1)
    excess : array (rows, lags, 2V + 1)
        What is added to T in front of a map that comes next, for weights that are not Gaussian, and for groups.
    fresh : bool
        Whether layers add to T: as long as there is noise.
    reach : Reach
        How far lags are kept; others are asked for by nothing that follows.
    offset : bool
        Whether a map had a mean. Behind it the limit of wide layers has lines of its own, of which a T that is the same
        in all rows is a share of 1/C, and not the only one: layers upwards make none of it. Fixed filters do, as T of
        noise has no far lags, and the rest has.
    uneven : float
        By how much E R² is more than D² behind a map with an offset in front: `dspref.expected.uneven`.
    origin : Origin
        Where c comes from: what it has in common with others, of branches of one signal.
    """

    T: Array
    excess: Array
    fresh: bool
    reach: Reach = Reach()
    offset: bool = False
    uneven: float = 1.0
    origin: Origin = NOWHERE

    def __post_init__(self) -> None:
        for name, X in (("T", self.T), ("excess", self.excess)):
            seen = X if X.shape[1:] == (1, 1) else within(X, self.reach)
            set_field(self, name, seen if _is_frozen(seen) else frozen(seen))

    @classmethod
    def of(cls, source: Source, asked: Reach | None) -> Spread:
        """Return the spread of an input: none where channels are independent, and D² where all carry one noise.

        Where they carry one noise and another each, it is the square of what they have in common. If nothing is asked
        for, and without noise, none will come.
        """
        r = np.array(source.covariance or (0.0,), float)
        fresh = asked is not None and bool(r.any())
        if not (fresh and source.mono):
            return cls(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), fresh, asked or Reach())
        common = r - np.pad(np.array(source.private, float), (0, len(r) - len(source.private)))
        T = products(common[:, None], np.arange(len(r)), asked or Reach())
        return cls((1 - 1 / source.channels) * T, np.zeros((1, 1, 1)), fresh, asked or Reach())

    @property
    def none(self) -> bool:
        """Whether there is no spread, nor will there be one."""
        return not self.fresh and not self.T.any()

    @property
    def own(self) -> Array:
        """``T[:, 0, W]``, the variance of c."""
        return np.asarray(self.T[:, 0, self.T.shape[2] // 2])

    def drawn(self, layer: Drawn, noise: Array) -> Spread:
        """Return the spread behind a layer, for n and m that share a kernel: those that do not are rows of zeros.

        Parameters
        ----------
        layer : Drawn
        noise : array (rows, lags, 2W + 1)
            ``D[n, τ] D[m, τ + d]``, averaged over n.
        """
        if self.none:
            return self
        S = self.uneven * noise / layer.inputs if self.fresh else np.zeros((len(noise), 1, 1))  # of any two channels
        reach = self.reach.behind(layer)
        met, paths = self._met(noise, layer.inputs) if self.fresh else (self.T, ())
        T, added = behind(layer, met, reach), behind(layer, S, reach)
        kurtosis = float(layer.gain) ** 2 * (float(layer.kurtosis) - 3) / 2 * layer.groups
        own = total(kurtosis * alone(layer, S), (layer.groups - 1) * added)  # of a channel with itself
        if self.offset and layer.op != "conv":
            least = middle(added)[:, 0].argmin()
            T, added, own = less_least(T), added - added[least], own - own[least]
        return replace(self, T=total(T, added), excess=own, reach=reach, uneven=1.0, origin=behind_drawn(layer, paths))

    def sampled(self, noise: Array, channels: int) -> tuple[Array, Array | None, Paths]:
        """Return S, what it has in common with c, and the paths of both."""
        S, x = self.uneven * noise / channels, self.origin
        own = ((Sampled(x.label, S, x.parts, channels, self.reach), Path.unit(len(S), x.delay)),)
        return S, common(x.paths, own, self.reach), (*x.paths, *own)

    def _met(self, noise: Array, channels: int) -> tuple[Array, Paths]:
        """Return T and what it has in common with S, and the paths of ĉ, behind a filter by way of what is filtered."""
        parent = self.origin.parent
        if parent is None:
            _, X, paths = self.sampled(noise, channels)
        else:
            T, before = parent.moments.met(channels)
            root = Filtered(parent.key, parent.u, T, self.reach)
            paths = ((root, Path.unit(len(noise), self.origin.delay)),)
            X = None if before is None else filtered(parent.u, before, self.reach)
        return self.T if X is None else total(self.T, X), paths

    def named(self, name: Hashable, part: Linear, parent: Parent | None = None) -> Spread:
        """Return the spread of channels that are made here, by a layer that draws them or a fixed filter."""
        if not self.fresh:
            return self
        known = self.origin.paths or ((Own(name, self.T), Path.unit(len(self.T))),)
        parts = {} if name is None else {name: part}
        return self._with(origin=Origin(known if self.T.any() else (), parts, name, 0, parent))

    def _with(self, **changes: object) -> Spread:
        """Return it with other fields, whose arrays are read-only and no longer than is asked for."""
        made = object.__new__(Spread)
        for name, content in {**vars(self), **changes}.items():
            set_field(made, name, content)
        return made

    def delayed(self, u: Fixed) -> Spread:
        """Return the spread behind a filter of one tap."""
        T, excess = (float(u.h[0]) ** 4 * each for each in (self.T, self.excess))
        return replace(self, T=T, excess=excess, origin=self.origin.delayed(u))

    def fixed(self, u: Fixed) -> Spread:
        """Return the spread behind a fixed filter, for m − n = 0 … PL − 1, whatever its stride."""
        reach = self.reach.behind(u)
        T, excess = (filtered(u, each, reach) for each in (self.T, self.excess))
        return replace(self, T=T, excess=excess, reach=reach, origin=NOWHERE)

    def rows(self, at: Array) -> Spread:
        """Return rows in another order; −1 is a row of zeros."""
        T, excess = self.T[at], self.excess[at]
        T[at < 0], excess[at < 0] = 0, 0
        T.setflags(write=False)
        excess.setflags(write=False)
        return self._with(T=T, excess=excess, origin=self.origin.rows(at))

    def mapped(
        self,
        stage: Pointwise | Gate,
        V: Callable[[Array], KernelMap],
        mean: Array,
        q: Array,
        q2: Array,
        c: Array,
        like: Array,
        shared: float,
    ) -> tuple[Array, Spread]:
        """Return what F rises by behind a map, and the spread there.

        Where the map has a mean, its offset is as strong in one draw as in another, to the order of these terms: what
        n = m would gain, all lose, and only what differs from row to row counts from there.

        Parameters
        ----------
        stage : Pointwise or Gate
        V : callable (rows,) → callable (q₁, q₂, c) → array
            Of the map in some rows, offsets included.
        mean, q : array (n,)
            Means behind the map, and variances in front of it, of the samples n.
        q2, c : array (r, n)
            Variances of the samples m, and covariances, in the first r rows; n = m is where T is largest. T is taken to
            be in proportion to the product of variances along a row.
        like : array (rows,)
            For each row, one of the first r whose numbers are the same.
        shared : float
            Mean covariance in front of the map.

        Returns
        -------
        rise : array (r, n)
        Spread
        """
        if self.none:
            return np.zeros(c.shape), self
        uneven = unevenness(stage, float(q.mean()), shared) if self.fresh else 1.0
        meant, r = bool((mean**2 > EPS * q).any()), len(c)
        apart, variance, excess = meant or self.offset, self.own[:r], middle(self.excess)[:r, 0]
        nothing, origin = np.zeros((len(self.T), 1, 1)), self.origin.mapped(stage, float(q.mean()))
        none = replace(self, T=nothing, excess=nothing, offset=apart, uneven=uneven, origin=origin)
        if not variance.any():
            return np.zeros(c.shape), none
        q1 = q[None]
        both = q1 * q2
        seen = np.maximum(variance + (0 if _paired(stage) else excess), 0)
        relative = (seen / both.mean(axis=1))[:, None]
        at, every = np.flatnonzero(variance), V(np.arange(r))
        plain = every(q1, q2, c)
        level = sway(every, q1, q2, c, (relative.max() if meant else relative.min()) * both)[0] if apart else plain
        swayed, slopes = sway(V(at), q1, q2[at], c[at], relative[at] * both[at])
        if excess.any():  # which counts in front of this map alone
            share = variance[at, None] * both[at] / both[at].mean(axis=1, keepdims=True)
            slopes = sway(V(at), q1, q2[at], c[at], share)[1]
        rise = plain - level
        rise[at] = swayed - level[at]
        steep = np.zeros(r)
        steep[at] = np.sqrt((slopes**2).mean(axis=1)) * np.sign(slopes.mean(axis=1))
        paths = tuple((root, path.times(steep[like])) for root, path in self.origin.paths)
        origin = Origin(paths, origin.parts, origin.label, origin.delay)
        return rise, replace(none, T=sloped(self.T, steep[like]), origin=origin)

    def scaled(self, gain: float) -> Spread:
        """Return the spread of a signal times a number."""
        return replace(self, T=gain**4 * self.T, excess=gain**4 * self.excess, origin=self.origin.scaled(gain))

    def plus(self, other: Spread) -> Spread:
        """Return the spread of a sum, whose rows are the same, of signals that are drawn independently."""
        reach, excess = self.reach & other.reach, total(self.excess, other.excess)
        T, origin = added(self.T, other.T, self.origin, other.origin, reach)
        uneven = 1 + (self.uneven - 1 + other.uneven - 1) / 4  # as of equal powers: (D₁ + D₂)² is half D₁² + D₂²
        offset, fresh = self.offset or other.offset, self.fresh or other.fresh
        return Spread(T, excess, fresh, reach, offset, uneven, origin)


def _is_frozen(X: Array) -> bool:
    """Return whether neither an array nor what it is a view of can be changed."""
    return not X.flags.writeable and (X.base is None or (isinstance(X.base, np.ndarray) and _is_frozen(X.base)))


def _paired(stage: Pointwise | Gate) -> bool:
    """Whether halves have kernels of their own: fourth cumulants of either are not in the product's leading term."""
    return isinstance(stage, Gate) or stage.name == "glu"


def sway(V: KernelMap, q1: Array, q2: Array, c: Array, T: Array) -> tuple[Array, Array]:
    """Return ``E V(q₁, q₂, c + δ)`` and its slope, for δ = ±√T in half of cases each.

    To first order in T they are ``V(c) + ½ V″(c) T`` and ``V'(c)``, and no covariance is beyond ``√(q₁q₂)``.

    Eq. 6.13.

    Examples
    --------
    >>> square = lambda q1, q2, c: c**2
    >>> [float(x) for x in sway(square, *map(np.array, (1.0, 1.0, 0.5, 0.0625)))]
    [0.3125, 1.0]
    """
    t = np.minimum(np.sqrt(T), np.maximum(np.sqrt(q1) * np.sqrt(q2) - np.abs(c), 0))
    up, down = V(q1, q2, np.stack([c + t, c - t]))
    slope = np.divide(up - down, 2 * t, out=np.zeros(np.shape(t)), where=t > 0)
    return np.asarray((up + down) / 2), slope
