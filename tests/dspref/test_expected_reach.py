"""How far apart samples count: what is asked for is what is known, and more than that changes nothing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dspref import Linear, Nearest
from dspref.chain import Pointwise
from dspref.expected import Drawn, Fixed, Source, Step, Sum, average_pool, fixed, network
from dspref.expected.moments import Moments
from dspref.expected.reach import FARTHEST, WIDEST, Reach, asked
from dspref.expected.walk import at_places, started, there, walk

RELU, GLU = Pointwise("relu"), Pointwise("glu")
OPS = (
    *(
        Drawn(op, 4, 4, K, factor=s, dilation=d)
        for op in ("conv", "convt")
        for K, s, d in product((1, 4, 5), (1, 3), (1, 2))
    ),
    *(Drawn("shuffle", 4, 4, K, factor=s) for K, s in product((1, 4), (2, 3))),
    *(Fixed(np.ones(K), L, stride=s) for K, L, s in product((1, 4, 5), (1, 2, 3), (1, 2))),
    RELU,
)


@pytest.mark.parametrize("op", OPS, ids=repr)
def test_what_is_asked_for_is_known(op: Drawn | Fixed | Pointwise) -> None:
    """Exactly: with a lag, or difference, less in front, one would be missing behind."""
    for N, W in product(range(7), range(7)):
        asked = Reach(N, W).before(op)
        known = asked.behind(op)
        assert known.lags >= N
        assert known.apart >= W
        if asked.lags and asked.apart:
            less = Reach(asked.lags - 1, asked.apart - 1).behind(op)
            assert less.lags < N or N == 0
            assert less.apart < W or W == 0


def test_interpolators_ask_for_neighbours() -> None:
    """``W = 2(K − 1)/(L − 1)`` at most, rounded down at every step."""
    for factor in (2, 3, 4, 8):
        for layer in (fixed(Nearest(factor)), fixed(Linear(factor))):
            steps = [step for _ in range(8) for step in (layer, Drawn("conv", 8, 8, 9), RELU)]
            assert asked(network(steps))["input"].apart <= 2 * (len(layer.h) - 1) / (factor - 1)


def test_branches_ask_for_the_most() -> None:
    wide = (Drawn("conv", 8, 8, 3, dilation=27), RELU, Drawn("conv", 8, 8, 3))
    net = network([Sum(((), wide)), Drawn("conv", 8, 8, 3)])
    assert [asked(net)[name] for name in ("input", "1.2.1", "1.2.2", "1")] == [Reach(N) for N in (58, 4, 4, 2)]
    far = network([Drawn("conv", 8, 8, 3, dilation=FARTHEST), *(average_pool(9) for _ in range(3))])
    assert asked(far)["input"] == Reach(FARTHEST, WIDEST)


def linear(steps: tuple[int, ...]) -> list[Step]:
    return [step for L in steps for step in (fixed(Linear(L)), Drawn("conv", 8, 8, 9, padding=4), RELU)]


@pytest.mark.parametrize(
    "steps",
    [
        linear((2, 2, 2)),
        linear((4, 2)),
        [fixed(Nearest(4)), Drawn("conv", 8, 16, 3), GLU, fixed(Nearest(2)), Drawn("conv", 8, 8, 3), RELU],
        [
            *linear((2,)),
            Sum(((), (Drawn("conv", 8, 8, 3, dilation=3, padding=3),))),
            fixed(Nearest(2)),
            Drawn("conv", 8, 8, 2),
        ],
        [*linear((3,)), Drawn("conv", 8, 8, 4, factor=2), RELU, average_pool(2), Drawn("conv", 8, 8, 3), RELU],
        [Drawn("shuffle", 8, 8, 3, factor=2), RELU, fixed(Linear(2)), Drawn("convt", 8, 8, 4, factor=2), RELU],
    ],
    ids=["linear 2, 2, 2", "linear 4, 2", "nearest, gates", "residual", "down", "sub-pixel, linear, transposed"],
)
def test_farther_lags_change_nothing(steps: list[Step]) -> None:
    """Lines of finite width, with what is asked for, and with three times that and more."""
    net, source = network(steps), Source(8, covariance=(1.0, 0.25))
    wanted, plain = asked(net), walk(started(Moments.of(source), source), net).moments.F
    more = {name: Reach(3 * each.lags + 20, 3 * each.apart + 9) for name, each in wanted.items()}
    due, found = (
        next(there(x) for _, x in at_places(start, net, (net.output,), asked=each)).moments.F
        for each in (more, wanted)
        for start in (started(Moments.of(source, asked=each["input"]), source),)
    )
    assert np.abs(due - plain).max() > 0
    assert np.abs(found - due).max() <= 1e-12 * np.abs(due - plain).max() + 1e-15 * np.abs(plain).max()
