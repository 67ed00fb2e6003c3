"""What branches of one signal have in common: T of sums against matrices over all pairs of samples on a circle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from dspref import Linear, Nearest
from dspref.arrays import Array
from dspref.chain import Pointwise
from dspref.expected import (
    Drawn,
    Fixed,
    Network,
    Source,
    Step,
    Sum,
    expected_spectrum,
    fixed,
    network,
    tone_free_network,
)
from dspref.expected.forecast import BRANCHES, forecast
from dspref.expected.moments import Moments
from dspref.expected.reach import Reach
from dspref.expected.walk import Signal, places, started

CHANNELS = 3
NOISE = Source(CHANNELS, covariance=(1.0,))


def conv(length: int, **rest: Any) -> Drawn:
    return Drawn("conv", CHANNELS, CHANNELS, length, bias=0, **rest)


class AllPairs:
    """The same of a linear network, with δc as vectors of pairs (n, m), and what layers do to them as matrices.

    A layer samples what it meets, ĉ = c + s, and c of its output is g Σ_j ĉ[n + j, m + j]. A channel is a sum of places
    that are drawn, each under a matrix; its c is that of each, and the covariance of s and s' is D ⊗ D/C, D what both
    have of the same places.
    """

    def __init__(self, net: Network, time: int) -> None:
        one = np.eye(time)
        self.parts: dict[str, dict[str, Array]] = {"input": {"input": one}}  # of each place: who is in it, and how
        self.K = {"input": one}  # of what is drawn
        self.c: dict[str, dict[int, Array]] = {"input": {}}  # of what is drawn, by samplings
        self.sampled: list[dict[str, Array]] = []
        for node in net:
            before = [self.parts[name] for name in node.inputs]
            if isinstance(node.op, Drawn):
                self.parts[node.name] = {node.name: self._draw(node.name, node.op, before[0])}
            elif isinstance(node.op, Fixed):
                self.parts[node.name] = {name: filtering(node.op, len(A)) @ A for name, A in before[0].items()}
            else:
                names = {name for each in before for name in each}
                sums = {name: [each[name] for each in before if name in each] for name in names}
                self.parts[node.name] = {name: np.sum(each, axis=0) for name, each in sums.items()}

    def _draw(self, name: str, layer: Drawn, x: dict[str, Array]) -> Array:
        taps = circulants(layer, len(next(iter(x.values()))))
        g = float(layer.gain)
        L = g * np.sum([np.kron(A, A) for A in taps], axis=0)
        self.c[name] = {s: L @ M for s, M in self._c(x).items()} | {len(self.sampled): L}
        self.sampled.append(x)
        K = np.sum([A @ self.K[part] @ A.T for part, A in x.items()], axis=0)
        self.K[name] = g * np.sum([A @ K @ A.T for A in taps], axis=0)
        return np.eye(len(self.K[name]))

    def _c(self, x: dict[str, Array]) -> dict[int, Array]:
        found: dict[int, Array] = {}
        for part, A in x.items():
            for s, M in self.c[part].items():
                found[s] = found.get(s, 0.0) + np.kron(A, A) @ M
        return found

    def _covariance(self, s: int, other: int) -> Array:
        x, y = self.sampled[s], self.sampled[other]
        D = np.zeros((len(next(iter(x.values()))), len(next(iter(y.values())))))
        for part in x.keys() & y.keys():
            D += x[part] @ self.K[part] @ y[part].T
        return np.kron(D, D) / CHANNELS

    def T(self, name: str) -> Array:
        """Return ``E δc[n, m] δc[n', m']``, (n, m, n', m')."""
        c = self._c(self.parts[name])
        pairs = product(c.items(), repeat=2)
        found = np.sum([A @ self._covariance(s, other) @ B.T for (s, A), (other, B) in pairs], axis=0)
        time = round(len(found) ** 0.5)
        return np.asarray(found).reshape(time, time, time, time)


def circulants(layer: Drawn, time: int) -> list[Array]:
    """Return matrices of single taps on a circle."""
    up, found = layer.factor, []
    for k in range(layer.length):
        A = np.zeros((time * up, time))
        for i in range(time):
            if layer.op == "conv":
                A[i, (i + k * layer.dilation - layer.padding) % time] = 1
            else:
                A[(i * up + k - layer.padding) % len(A), i] = 1
        found.append(A)
    return found


def filtering(u: Fixed, time: int) -> Array:
    """Return the matrix of a fixed filter on a circle."""
    A = np.zeros((time * u.factor, time))
    for i, k in product(range(time), range(len(u.h))):
        A[(i * u.factor - u.offset + k) % len(A), i] += u.h[k]
    return A


UP = Drawn("convt", CHANNELS, CHANNELS, 4, factor=2, padding=1, bias=0)
SKIP = Sum(((), (conv(3, padding=1),)))
SHORTCUT = Sum(((conv(1),), (conv(3, padding=1), conv(2))))
NETS: dict[str, tuple[int, list[Step], bool]] = {
    "of the input": (8, [Sum(((conv(2),), (conv(1),)))], False),
    "shortcut": (8, [conv(3), SHORTCUT], False),
    "shortcut, conv": (8, [conv(3), SHORTCUT, conv(2)], False),
    "identity": (8, [conv(2), Sum(((), (conv(3, padding=1), conv(1))))], False),
    "identities, conv": (8, [conv(2), SKIP, Sum(((), (conv(2),))), conv(2)], False),
    "identity twice, and another": (8, [conv(2), Sum(((), (conv(2),), (), (SKIP,))), conv(2)], False),
    "three branches": (8, [conv(2), Sum(((conv(2),), (conv(2),), (conv(2), conv(3, padding=2)))), conv(1)], False),
    "dilated, off the centre": (
        16,
        [
            conv(2),
            Sum(((), (conv(3, padding=3, dilation=2), conv(1)))),
            Sum(((conv(2, padding=1),), (conv(3, padding=1),))),
            conv(2),
        ],
        False,
    ),
    "delays": (
        16,
        [
            conv(2),
            Sum(((Fixed(np.ones(1), 1, 2), conv(2)), (conv(3, padding=1), Fixed(np.array([0.5]), 1, -1), conv(1)))),
            conv(2),
        ],
        False,
    ),
    "transposed, shortcut": (8, [UP, SHORTCUT, conv(2)], False),
    "linear, shortcut": (8, [fixed(Linear(2)), SHORTCUT, conv(2)], False),
    "identity, linear, conv": (10, [conv(2), SKIP, fixed(Linear(2)), conv(2), Sum(((), (conv(2),))), conv(2)], False),
    "identity, nearest, shortcut": (8, [conv(1), SKIP, fixed(Nearest(2)), SHORTCUT], False),
    "tone-free": (8, [UP], True),
    "conv, tone-free, conv": (8, [conv(2), UP, conv(2)], True),
    "identity, tone-free, shortcut": (10, [conv(2), SKIP, UP, SHORTCUT], True),
    "tone-free, identity, shortcut": (8, [UP, SKIP, Sum(((), (conv(1),))), conv(2)], True),
    "tone-free, identity twice": (8, [UP, Sum(((), (conv(2),), (), (Sum(((), (conv(1),))),))), conv(2)], True),
}


@pytest.mark.parametrize("name", NETS)
def test_spread_of_sums_is_that_of_all_pairs(name: str) -> None:
    time, steps, free = NETS[name]
    net = tone_free_network(steps) if free else network(steps)
    *_, (_, x) = places(started(Moments.of(NOISE, asked=Reach(16, 12)), NOISE), net)
    assert isinstance(x, Signal)
    found, due = x.moments.spread.T, AllPairs(net, time).T(net.output)
    n, W = np.arange(len(due)), found.shape[2] // 2
    for row, lag, d in product(range(len(found)), (0, 1), (-1, 0, 1)):
        m = n + row
        mean = due[n, m % len(n), (n + lag) % len(n), (m + lag + d) % len(n)].mean()
        own = found[row, lag, W + d] if lag < found.shape[1] and abs(d) <= W else 0.0
        assert own == pytest.approx(mean, rel=1e-12, abs=1e-18)


RELU = Pointwise("relu")
INNER = (RELU, conv(3, padding=1), RELU, conv(1))


@pytest.mark.parametrize("first", [(), (conv(1),)], ids=["identity", "shortcut"])
def test_levels_have_what_matrices_have(first: tuple[Step, ...]) -> None:
    """Of maps between, and of lines that these terms alone make."""
    steps = (UP, Sum((first, INNER)), Sum((first, INNER)), conv(1), RELU)
    combs, full = (expected_spectrum(steps, NOISE, route=route).combs[1].power for route in ("combs", "full"))
    assert combs == pytest.approx(full, rel=1e-9)


def test_branches_that_are_equal_are_drawn_apart() -> None:
    """They have one input in common, and channels of their own between: squares of a sum, and a sum of squares."""
    layers = (conv(3, padding=1), conv(1))
    one, two = (_spread([UP, step]) for step in (Sum((layers,) * 2), layers[0]))
    apart, q = 2 * _sampled([UP, *layers]), float(layers[1].gain)
    assert one == pytest.approx(4 * q**2 * two + apart, rel=1e-12)


def _spread(steps: Sequence[Step]) -> float:
    """Return T of a pair of samples of one phase."""
    return float(_last(steps).spread.own[0])


def _sampled(steps: Sequence[Step]) -> float:
    """Return what the last layer, of one tap, adds to that: ``g² D²/C``."""
    return float((_last(steps).D[0] ** 2).mean()) / CHANNELS


def _last(steps: Sequence[Step]) -> Moments:
    *_, (_, x) = places(started(Moments.of(NOISE, asked=Reach(16, 0)), NOISE), network(steps))
    assert isinstance(x, Signal)
    return x.moments


def test_what_is_not_known_of_branches_is_told() -> None:
    """Of one rate all is; of others nothing is, and the report says so."""
    down, up = (
        Drawn("conv", CHANNELS, CHANNELS, 2, factor=2, bias=0),
        Drawn("convt", CHANNELS, CHANNELS, 2, factor=2, bias=0),
    )
    flat: list[Step] = [UP, Sum(((), INNER)), Sum(((conv(1),), INNER)), conv(1), RELU]
    around: list[Step] = [UP, Sum(((), (conv(1), down, up))), RELU]
    for net, told in ((flat, ()), (tone_free_network(flat), ()), (around, ("2",))):
        found = [each for each in forecast(net, NOISE).not_predicted if each.why == BRANCHES]
        assert tuple(each.where for each in found) == told


def test_many_paths_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack of any depth takes time in proportion; what samples have in common with older ones is left out."""
    C = 16
    up = Drawn("convt", C, C, 4, factor=2, padding=1, bias=0)
    branch = (Drawn("conv", C, C, 3, padding=1, bias=0), Pointwise("relu"), Drawn("conv", C, C, 1, bias=0))

    def combs(blocks: int) -> list[float]:
        steps: list[Any] = [up, *[Sum(((), branch))] * blocks, Pointwise("relu")]
        found = expected_spectrum(steps, Source(C, covariance=(1.0,)), route="combs")
        return [line.power for line in found.combs]

    few = combs(3)
    assert len(combs(20)) == len(few)
    monkeypatch.setattr("dspref.expected.inherited.MOST", 1)
    assert combs(3)[-1] < few[-1]
