"""Chains: rates, what collapses, what a constant becomes on its way."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    NotAnalysable,
    Outline,
    Pointwise,
    StretchFilter,
    SubpixelConv,
    TransposedConv,
)
from dspref.arrays import Array
from tests.strategies import QUIET, Make, integers

TIME = 40


def draw_layer(draw: st.DrawFn, inner: int, make: Make) -> tuple[Any, int]:
    """Draw a layer for `inner` channels, and say how many come out; crops may exceed the kernel."""
    kind = draw(st.sampled_from(["convt", "convt", "conv", "shuffle", "filter", "nearest"]))
    taps, out, factor = draw(st.integers(1, 5)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    padding, bias = draw(st.integers(0, 4)), make((out,)) if draw(st.booleans()) else None
    if kind == "convt":
        return TransposedConv(make((inner, out, taps)), stride=factor, padding=padding, bias=bias), out
    if kind == "conv":
        mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
        return Conv(make((out, inner, taps)), padding=padding, padding_mode=mode, bias=bias), out
    if kind == "shuffle":
        phases = make((out * factor,))
        return SubpixelConv(make((out * factor, inner, taps)), factor, padding=padding, bias=phases), out
    if kind == "filter":
        return FilterInterp(factor, make((taps,)), offset=draw(st.integers(-2, 6))), inner
    return Nearest(factor), inner


@st.composite
def chains(draw: st.DrawFn) -> tuple[Chain, Array]:
    """Draw two to four layers with whole numbers, and an input."""
    make = integers(draw(st.integers(0, 2**32 - 1)))
    first = inner = draw(st.integers(1, 2))
    stages = []
    for _ in range(draw(st.integers(2, 4))):
        layer, inner = draw_layer(draw, inner, make)
        stages.append(layer)
    return Chain(stages), make((first, TIME))


def unbiased(chain: Chain) -> Chain:
    """Return the chain without its biases."""
    stages: list[Any] = list(chain.stages)
    return Chain(dataclasses.replace(stage, bias=None) if stage.bias is not None else stage for stage in stages)


def overcropped(layer: Any) -> bool:
    return isinstance(layer, TransposedConv) and layer.padding > layer.length


def survey_chains(check: Callable[[Chain, Array], int], examples: int = 300) -> tuple[int, int]:
    """Check drawn chains; return the samples compared, and the chains with a layer cropped past its kernel."""
    samples = crops = 0

    @QUIET(max_examples=examples)
    @given(chains())
    def each(drawn: tuple[Chain, Array]) -> None:
        nonlocal samples, crops
        samples += check(*drawn)
        crops += any(overcropped(layer) for layer in drawn[0].stages)

    each()
    return samples, crops


def test_a_chain_is_its_one_stretch_and_filter_where_it_is_steady() -> None:
    def check(chain: Chain, x: Array) -> int:
        u = chain.collapse()
        apart, together = unbiased(chain)(x), u(x)
        assert apart.shape == together.shape
        assert (apart[..., u.steady(TIME)] == together[..., u.steady(TIME)]).all()
        return int(together[..., u.steady(TIME)].size)

    samples, crops = survey_chains(check)
    assert samples > 10_000
    assert crops > 30


def test_offset_response_is_the_steady_output_for_a_constant() -> None:
    """With every bias at work, sample m of the output at m mod S."""

    def check(chain: Chain, x: Array) -> int:
        offset = np.arange(3, 3 + x.shape[0])
        y = chain(np.broadcast_to(offset[:, None], x.shape))
        steady = chain.collapse().steady(TIME)
        where = np.arange(steady.start, min(steady.stop, y.shape[-1]))
        period = chain.offset_response(offset)
        assert period.shape == (y.shape[0], chain.factor)
        assert (y[:, where] == period[:, where % chain.factor]).all()
        return len(where)

    samples, _ = survey_chains(check)
    assert samples > 10_000


def test_offset_response_is_exact_through_linear_interpolation() -> None:
    chain = Chain([TransposedConv(np.array([[[1, 2, 3]]]), stride=2, bias=np.array([1])), Linear(3)])
    period = chain.offset_response()
    assert period.tolist() == [[Fraction(n, 3) for n in (13, 15, 13, 11, 9, 11)]]
    assert chain.offset_response(np.array(Fraction(1, 7))).dtype == object


def test_rates_are_exact() -> None:
    chain = Chain([Outline("convt", 16, stride=8), Pointwise("leaky"), Outline("conv", 7), Nearest(4)])
    assert chain.rates(22050) == tuple(Fraction(22050, n) for n in (32, 4, 4, 4, 1))
    assert [place for place, _ in chain.upsamplers] == [0, 3]
    assert chain.factor == 32


def test_affine_means_linear_with_known_weights() -> None:
    assert Chain([Nearest(2), Conv(np.ones((1, 1, 1)), bias=np.ones(1))]).affine
    assert not Chain([Nearest(2), Pointwise("relu")]).affine
    assert not Chain([Nearest(2), Outline("conv", 3)]).affine


def test_an_empty_chain_changes_nothing() -> None:
    assert Chain([])([[1, 2]]).tolist() == [[1, 2]]
    assert Chain([]).collapse() == StretchFilter(1, np.ones(1, int))
    assert Chain([]).factor == 1


def test_chains_are_values() -> None:
    assert Chain([Nearest(2), Linear(3)]) == Chain((Nearest(2), Linear(3)))
    assert hash(Chain([Nearest(2)])) == hash(Chain([Nearest(2)]))
    assert Chain([Nearest(2)]) != Chain([Nearest(3)])


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "factor": (
        lambda: Chain([Conv(np.ones((1, 1, 1)), stride=2)]).factor,
        "factor of a chain: got conv at 1/2; allowed: integers",
    ),
    "pointwise": (lambda: Chain([Pointwise("relu")]).collapse(), "normal form: got relu; allowed: a chain of linear"),
    "outline": (lambda: Chain([Outline("convt", 4)]).collapse(), "levels: got convt without weights; .*Hint: build it"),
    "running": (lambda: Chain([Outline("convt", 4)])([[1]]), "layer: got convt without weights; allowed: a layer with"),
    "offset rank": (lambda: Chain([Nearest(2)]).offset_response([[1]]), r"offset: got shape \(1, 1\); allowed: a numb"),
    "offset size": (
        lambda: Chain([TransposedConv(np.ones((2, 1, 3)))]).offset_response([1, 2, 3]),
        "offset: got 3 channels; allowed: 2, as the first layer",
    ),
    "name": (lambda: Pointwise("rleu"), "pointwise map: got 'rleu'; allowed: relu, .*did you mean 'relu'"),
    "parameters": (lambda: Pointwise("relu", (1.0,)), "parameters: got 1; allowed: at most 0 for relu"),
    "op of outline": (
        lambda: Outline("cnov", 3),
        "op: got 'cnov'; allowed: conv, convt, shuffle, .* Hint: did you mean",
    ),
    "length of outline": (lambda: Outline("conv", 0), "kernel length: got 0; allowed: an integer >= 1"),
    "output_padding": (lambda: Outline("conv", 3, output_padding=1), "output_padding: got 1; allowed: 0 for conv"),
    "convt outline": (lambda: Outline("convt", 3, output_padding=1), r"output_padding: got 1; allowed: less than max"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_what_was_got_and_what_is_allowed(name: str) -> None:
    call, words = REFUSALS[name]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("name", ["factor", "pointwise", "outline", "running"])
def test_what_theory_cannot_answer_is_a_class_of_its_own(name: str) -> None:
    with pytest.raises(NotAnalysable):
        REFUSALS[name][0]()


BAD_STAGES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "number": (lambda: Chain([3]), TypeError, "stage 0 of a chain: got 3; allowed: layers, Outline and Pointwise"),  # type: ignore[list-item]
    "words": (lambda: Chain("convt"), TypeError, r"stages of a chain: got 'convt'; .*Hint: parse\(\) reads words"),  # type: ignore[arg-type]
    "one layer": (lambda: Chain(Nearest(2)), TypeError, r"stages of a chain: got Nearest.*Hint: write Chain\(\[layer"),  # type: ignore[arg-type]
    "a class": (lambda: Chain([Nearest]), TypeError, "stage 0 of a chain: got <class"),  # type: ignore[list-item]
    "a chain": (lambda: Chain([Chain([])]), TypeError, r"stage 0 of a chain: got Chain\(.*Hint: write \*chain.stages"),  # type: ignore[list-item]
    "normal form": (lambda: Chain([StretchFilter(1, np.ones(1))]), TypeError, "stage 0 of a chain: got StretchFilter"),  # type: ignore[list-item]
    "channels": (
        lambda: Chain([Conv(np.ones((3, 2, 1))), Nearest(2), TransposedConv(np.ones((4, 1, 2)))]),
        ValueError,
        r"channels of a chain: got 3 out of conv \(stage 0\); allowed: 4, as convt \(stage 2\) takes",
    ),
    "groups": (
        lambda: Chain([TransposedConv(np.ones((2, 3, 2)), groups=2), SubpixelConv(np.ones((4, 1, 1)), 2, groups=4)]),
        ValueError,
        "channels of a chain: got 6 out of convt .*allowed: 4, as shuffle",
    ),
    "odd glu": (
        lambda: Chain([Conv(np.ones((3, 2, 1))), Pointwise("glu")]),
        ValueError,
        "channels of a chain: got 3 out of conv .*; allowed: even, as glu",
    ),
    "after glu": (
        lambda: Chain([Conv(np.ones((4, 2, 1))), Pointwise("glu"), Conv(np.ones((1, 4, 1)))]),
        ValueError,
        "channels of a chain: got 2 out of glu .stage 1.; allowed: 4",
    ),
}


@pytest.mark.parametrize("name", BAD_STAGES)
def test_stages_are_checked_when_a_chain_is_made(name: str) -> None:
    call, error, words = BAD_STAGES[name]
    with pytest.raises(error, match=words):
        call()


def test_channels_that_nothing_says_are_not_refused() -> None:
    chain = Chain([Conv(np.ones((4, 2, 1))), Outline("conv", 3), Conv(np.ones((6, 5, 1))), Pointwise("glu")])
    assert chain.in_channels == 2
    assert Chain([*chain.stages, FilterInterp(2, np.ones((1, 3, 2)))]).factor == 2
    assert Chain([SubpixelConv(np.ones((4, 2, 1)), 2), Conv(np.ones((1, 2, 1)))]).in_channels == 2
    assert Chain([Pointwise("glu"), Conv(np.ones((1, 2, 1)))]).in_channels is None
    assert Chain([Nearest(2), FilterInterp(2, np.ones(2))]).in_channels is None


def test_pointwise_maps_are_finite_far_out_and_at_their_limits() -> None:
    x = np.array([[-1000.0, -1.0, 0.0, 1.0, 1000.0]])
    assert Pointwise("sigmoid")(x).tolist() == [[0, 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 1]]
    assert Pointwise("silu")(x)[0, [0, 2, 4]].tolist() == [0, 0, 1000]
    assert Pointwise("sigmoid")(x.astype(np.float32)).dtype == np.float32
    assert Pointwise("snake", (0.0,))(x).tolist() == x.tolist()
