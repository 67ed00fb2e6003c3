"""How much work an expected spectrum is: counted in calls and in numbers, not in seconds."""

from typing import Any

import numpy as np
import pytest

from dspref import Linear
from dspref.chain import Pointwise
from dspref.expected import Drawn, Source, Unknown, expected_spectrum, fixed, forecast
from dspref.expected import walk as walking
from dspref.expected.blocks import BLOCK, distinct, in_blocks
from dspref.expected.graph import Network, Node
from dspref.expected.mehler import series
from dspref.expected.moments import Moments

SHAPES = [((700, 1), (1, 700), (700, 700)), ((1, 5), (9000, 5), (2, 9000, 5)), ((1, 70000), (2, 1), (2, 70000))]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_blocks_are_small_and_give_what_whole_arrays_give(shapes: tuple[tuple[int, ...], ...]) -> None:
    sizes: list[int] = []
    arrays = [np.random.default_rng(i).normal(size=shape) for i, shape in enumerate(shapes)]

    def f(a: Any, b: Any, c: Any) -> Any:
        sizes.append(np.broadcast(a, b, c).size)
        return a * b + c

    assert np.array_equal(in_blocks(f, *arrays), arrays[0] * arrays[1] + arrays[2])
    rows = max(np.broadcast_shapes(*shapes)[-1], BLOCK)
    assert max(sizes) <= rows
    assert sum(sizes) == np.prod(np.broadcast_shapes(*shapes))


def test_numbers_that_occur_are_those_of_a_sort() -> None:
    q = np.array([3.0, 1.0, 2.0])
    same, more = q[(np.arange(3) + np.arange(BLOCK)[:, None]) % 3], np.random.default_rng(0).normal(size=(BLOCK, 2))
    assert all(np.array_equal(distinct(x), np.unique(x)) for x in (same, more))


def tanh_moment(rho: float, nodes: int) -> float:
    """Return ``E tanh x tanh y`` of unit variances."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    y = rho * x[:, None] + np.sqrt(1 - rho**2) * x
    return float((w[:, None] * w * np.tanh(x)[:, None] * np.tanh(y)).sum())


def test_an_odd_map_has_odd_terms_alone_and_they_are_its_moments() -> None:
    """Against a plain double integral, by Gauss and Hermite."""
    coarse, due = (tanh_moment(0.6, nodes) for nodes in (80, 160))
    V = series(np.tanh)
    found = V(np.ones((1, 1)), np.ones((1, 1)), np.full((2, BLOCK), 0.6))
    assert abs(found - due).max() <= abs(coarse - due) + 16 * np.finfo(float).eps  # which bounds the error of the finer


def test_equal_layers_behind_one_place_are_computed_once() -> None:
    x = Moments.of(Source(4, covariance=(1.0,)))
    layer, again = Drawn("conv", 4, 4, 3), Drawn("conv", 4, 4, 3)
    assert x.drawn(layer) is x.drawn(again)
    assert x.drawn(layer) is not x.drawn(Drawn("conv", 4, 4, 5))
    assert x.drawn(layer).mapped(Pointwise("relu")) is x.drawn(again).mapped(Pointwise("relu"))


@pytest.mark.parametrize("source", [Source(4), Source(4, constant=1.0)], ids=["silence", "constant"])
def test_interpolated_constants_keep_the_period_of_one_sample(source: Source) -> None:
    x = Moments.of(source).drawn(Drawn("conv", 4, 4, 3)).mapped(Pointwise("relu"))
    for _ in range(12):
        x = x.fixed(fixed(Linear(2)))
    assert x.period == 1
    found = expected_spectrum([Drawn("conv", 4, 4, 3), Pointwise("relu"), *[fixed(Linear(2))] * 3], source)
    assert found.lines is not None
    assert found.period == 8
    assert len(found.lines) == 8
    assert not found.lines[1:].any()


def test_places_in_front_of_refusals_are_reached_in_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """And say what each says that is asked for alone."""
    nodes = [Node("a", Drawn("convt", 2, 8, 4, factor=2), ("input",)), Node("map", Pointwise("relu"), ("a",))]
    heads = [Node(f"h{i}", Drawn("conv", 8, 2, 3 + i), ("map",)) for i in range(3)]
    nodes += [*heads, *(Node(f"u{i}", Unknown("LSTM"), (f"h{i}",)) for i in range(3))]
    net, source = Network((*nodes, Node("out", "concat", ("u0", "u1", "u2")))), Source(2, constant=1.0)
    seen, after = list[str](), walking.after

    def counted(node: Node, inputs: Any) -> Any:
        seen.append(node.name)
        return after(node, inputs)

    monkeypatch.setattr(walking, "after", counted)
    found = forecast(net, source, route="full")
    assert seen.count("a") == 3  # is it covered, how long are its periods, what is it
    for name, each in found.partial:
        alone = expected_spectrum(net.before(name), source, route="full")
        assert each.lines is not None
        assert alone.lines is not None
        assert np.array_equal(each.lines, alone.lines)
    assert [name for name, _ in found.partial] == ["h0", "h1", "h2"]
