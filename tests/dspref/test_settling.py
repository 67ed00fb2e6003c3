"""Where the steady state begins: the closed form, against runs on constants and inside longer signals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
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
    SubpixelConv,
    TransposedConv,
    parse,
)
from dspref.arrays import Array
from dspref.chain import Stage, periodic_response
from dspref.settling import linear_part, measured_range, ones_of, steady_range, steady_response
from dspref.strategies import chains, shortest
from tests.strategies import QUIET


def generic(stage: Any, rng: np.random.Generator) -> Any:
    """Return the stage with drawn positive weights: no sum of some of them is zero, nor like another."""
    fields = {name: getattr(stage, name, None) for name in ("weight", "taps", "bias")}
    drawn = {n: rng.integers(1, 400, a.shape) for n, a in fields.items() if isinstance(a, np.ndarray)}
    return replace(stage, **drawn) if drawn else stage


@st.composite
def stacks(draw: st.DrawFn, *, decimating: bool = True) -> Chain:
    """Return chains of generic layers of every kind, with maps and strided convolutions between."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    chain = draw(chains(max_layers=3, max_factor=12, pointwise=("relu",)))
    stages: list[Stage] = [generic(stage, rng) for stage in chain.stages]
    if decimating and draw(st.booleans()):
        C = shape_of(stages, chain.in_channels or 1)
        K, M, d, p = (draw(st.integers(a, b)) for a, b in ((1, 4), (2, 4), (1, 2), (0, 3)))
        stages.append(Conv(rng.integers(1, 400, (1, C, K)), stride=M, dilation=d, padding=p))
    return Chain(stages)


def shape_of(stages: list[Stage], channels: int) -> int:
    for stage in stages:
        channels = stage.out_channels or channels
    return channels


def gapped(chain: Chain) -> bool:
    """Return whether a zero of a steady pattern within the chain looks like the zeros beyond a border."""
    return any((steady_response(Chain(chain.stages[:n])) == 0).any() for n in range(1, len(chain.stages)))


def sieved(chain: Chain) -> bool:
    """Return whether a decimation may keep none but samples that a dilated kernel has left untouched."""
    return chain.stages[-1].factor < 1 and any(getattr(stage, "dilation", 1) > 1 for stage in chain.stages[:-1])


def test_the_closed_form_is_what_runs_show() -> None:
    """On a constant, with weights that can't cancel: the same samples, for chains of every kind."""
    seen: Counter[str] = Counter()

    @QUIET(max_examples=60)
    @given(stacks(), st.integers(0, 25))
    def check(chain: Chain, more: int) -> None:
        time = shortest(Chain(chain.stages)) + more
        predicted = steady_range(chain, time)
        if predicted.start == predicted.stop:
            seen["no steady sample"] += 1
            return
        y, period = chain(np.ones((chain.in_channels or 1, time), object)), steady_response(chain)
        same = (y == period[:, np.arange(y.shape[-1]) % period.shape[-1]]).all(axis=0)
        assert same[predicted].all()
        if gapped(chain) or sieved(chain):
            return
        assert not same[: predicted.start][-1:].any()
        assert not same[predicted.stop :][:1].any()
        if predicted.stop - predicted.start > y.shape[-1] / 2:
            assert measured_range(chain, time) == predicted
            seen["longest"] += 1
        seen["decimating"] += chain.stages[-1].factor < 1
        seen["both borders"] += predicted.start > 0
        seen["no border"] += predicted == slice(0, y.shape[-1])

    check()
    assert min(seen[name] for name in ("decimating", "both borders", "no border", "longest")) >= 5, seen


def test_inside_a_longer_signal_the_same_samples_come_out() -> None:
    """For any input: cut a signal out of a longer one; what the cut has not changed is the steady state."""
    seen: Counter[str] = Counter()

    @QUIET(max_examples=40)
    @given(stacks(decimating=False), st.integers(4, 25), st.integers(0, 2**32 - 1))
    def check(chain: Chain, more: int, seed: int) -> None:
        time, around = shortest(chain) + more, 40
        x = np.random.default_rng(seed).integers(1, 1000, (chain.in_channels or 1, time + 2 * around))
        y, whole = chain(x[:, around : around + time]), chain(x)
        shift = around * chain.factor
        same = (y == whole[:, shift : shift + y.shape[-1]]).all(axis=0)
        steady = steady_range(chain, time, source="any")
        assert same[steady].all()
        if steady.start < steady.stop and not gapped(chain):
            assert not same[: steady.start][-1:].any()
            assert not same[steady.stop :][:1].any()
            seen["borders"] += steady.start > 0

    check()
    assert seen["borders"] >= 10


def test_one_filter_of_a_chain_claims_no_more() -> None:
    """`StretchFilter.steady` keeps to the L·time grid; else it is the same for one layer, and for any input."""
    seen: Counter[str] = Counter()

    @QUIET(max_examples=60)
    @given(stacks(decimating=False), st.integers(0, 25))
    def check(chain: Chain, more: int) -> None:
        chain = Chain(stage for stage in chain.stages if not isinstance(stage, Pointwise))
        time = shortest(chain) + more
        one, tight = chain.collapse().steady(time), steady_range(chain, time, source="any")
        if one.start < one.stop:
            assert tight.start <= one.start <= one.stop <= tight.stop
            seen["same" if one == tight else "tighter"] += 1
            beyond = chain.collapse().L * time
            assert one.start == tight.start or len(chain.stages) > 1
            assert one.stop == min(tight.stop, beyond) or len(chain.stages) > 1

    check()
    assert seen["same"] >= 15
    assert seen["tighter"] >= 1


TIGHTER: dict[str, tuple[Stage, int, slice, slice]] = {
    "the steady state goes on beyond the grid": (
        FilterInterp(2, np.array([1, 1, 1]), offset=-3, excess=3),
        4,
        slice(4, 8),
        slice(4, 11),
    ),
    "taps that are zero": (FilterInterp(2, np.array([0, 0, 1, 1, 0, 0])), 4, slice(4, 8), slice(2, 8)),
}


@pytest.mark.parametrize("name", TIGHTER)
def test_a_tight_answer_differs(name: str) -> None:
    layer, time, one, tight = TIGHTER[name]
    assert linear_part(layer)[0].steady(time) == one  # type: ignore[arg-type]
    assert steady_range(layer, time, source="any") == tight
    assert one.start >= tight.start
    assert one.stop <= tight.stop
    assert one != tight


def test_borders_that_repeat_a_constant_leave_no_trace() -> None:
    w = np.array([[[3, 1, 2]]])
    for mode in ("replicate", "reflect", "circular"):
        layer = Conv(w, padding=1, padding_mode=mode)
        assert steady_range(layer, 9) == measured_range(layer, 9) == slice(0, 9)
        assert steady_range(layer, 9, source="any") == slice(1, 8)
    assert steady_range(Linear(3), 5) == measured_range(Linear(3), 5) == slice(0, 15)


def test_a_pattern_goes_on_over_a_circular_border_only_if_whole_periods_fit() -> None:
    """Behind a sub-pixel layer the steady state has period 2: circular borders continue it, mirrors do not."""
    shuffle = SubpixelConv(np.array([[[1]], [[5]]]), 2)
    around = {mode: Conv(np.array([[[3, 1, 2]]]), padding=1, padding_mode=mode) for mode in ("circular", "reflect")}
    assert measured_range(Chain([shuffle, around["circular"]]), 6) == slice(0, 12)
    assert steady_range(Chain([shuffle, around["circular"]]), 6) == slice(0, 12)
    odd = Chain([shuffle, Conv(np.array([[[1, 1]]])), around["circular"]])
    assert steady_range(odd, 6) == slice(1, 10)
    uneven = Chain([shuffle, Conv(np.array([[[1, 3]]])), around["circular"]])
    assert steady_range(uneven, 6) == measured_range(uneven, 6) == slice(1, 10)


def test_weights_may_cancel_and_maps_may_hide() -> None:
    """The closed form speaks of weights in general; a run of these weights may settle sooner."""
    cancels = TransposedConv(np.array([[[1, 1, 1, -1]]]), stride=1)
    assert steady_range(cancels, 8) == slice(3, 8)
    assert cancels(np.ones((1, 8), int)).tolist() == [[1, 2, 3, 2, 2, 2, 2, 2, 1, 0, -1]]
    assert measured_range(cancels, 8) == slice(3, 8)
    early = TransposedConv(np.array([[[2, 1, -1]]]), stride=1)
    assert early(np.ones((1, 4), int)).tolist() == [[2, 3, 2, 2, 0, -1]]
    assert (steady_range(early, 4), measured_range(early, 4)) == (slice(2, 4), slice(2, 4))
    zero_sum = TransposedConv(np.array([[[2, 1, -1]]]), stride=2)
    assert (steady_range(zero_sum, 4), measured_range(zero_sum, 4)) == (slice(1, 8), slice(1, 8))
    hidden = Chain([TransposedConv(np.array([[[-1, -2, -3]]]), stride=2), Pointwise("relu")])
    assert steady_range(hidden, 8) == slice(1, 16)
    assert measured_range(hidden, 8) == slice(0, 17)


def test_a_decimation_may_keep_untouched_samples_only() -> None:
    """Taps 0, 2 and 4 of a stamp every 3: the border touches sample 1 alone, and every second sample starts at 0."""
    dilated = TransposedConv(np.array([[[1, 2, 3]]]), stride=3, dilation=2)
    assert np.flatnonzero(dilated(np.ones((1, 9), int))[0, :6] != np.tile(steady_response(dilated)[0], 2)).tolist() == [
        1
    ]
    chain = Chain([dilated, Conv(np.array([[[1]]]), stride=2)])
    assert steady_range(dilated, 9).start == 2
    assert steady_range(chain, 9).start == 1
    assert measured_range(chain, 9).start == 0


def test_outlines_need_no_weights() -> None:
    words = "convt k8 s4 p2 | leaky 0.2 | conv k7 p3 d2 | shuffle x2 k3 p1 | conv k4 s2"
    chain = parse(words)
    rng = np.random.default_rng(5)
    known = Chain(generic(ones_of(s), rng) if isinstance(s, Outline) else s for s in chain.stages)
    assert steady_range(chain, 20) == steady_range(known, 20) == measured_range(known, 20)


def test_the_steady_response_is_that_of_the_chain() -> None:
    @QUIET(max_examples=30)
    @given(stacks(decimating=False), st.integers(-3, 3))
    def check(chain: Chain, offset: int) -> None:
        affine = Chain(stage for stage in chain.stages if not isinstance(stage, Pointwise))
        assert np.array_equal(steady_response(affine, offset=offset), affine.offset_response(offset))

    check()


def test_the_steady_response_goes_through_maps_decimators_and_biases() -> None:
    """By hand, then by running far from any border."""
    chain = Chain(
        [
            SubpixelConv(np.array([[[1]], [[-2]], [[3]]]), 3, bias=np.array([0, 1, -5])),
            Pointwise("leaky", (0.5,)),
            Conv(np.array([[[2, 1]]]), stride=2, bias=np.array([7])),
        ]
    )
    assert steady_response(chain).tolist() == [[2 * 1 - 0.5 + 7, 2 * -1 + 1 + 7, -1 - 1 + 7]]
    y = chain(np.ones((1, 30), int))
    assert np.array_equal(y[:, :45], np.tile(steady_response(chain), 15)[:, :45])
    halves = Chain([Conv(np.array([[[2]], [[0]]])), Pointwise("glu")])
    assert steady_response(halves).tolist() == [[1.0]]


def test_exact_numbers_go_through_maps() -> None:
    """A rectifier keeps them exact; tanh, which no Fraction has, gives floats."""
    thirds = TransposedConv(np.array([[[Fraction(1, 3), Fraction(-1, 3)]]], object), stride=2)
    assert steady_response(Chain([thirds, Pointwise("relu")])).tolist() == [[Fraction(1, 3), 0]]
    assert np.allclose(steady_response(Chain([thirds, Pointwise("tanh")])), [np.tanh([1 / 3, -1 / 3])], rtol=1e-15)


def test_periodic_response_is_a_long_response_far_inside() -> None:
    rng = np.random.default_rng(0)
    for K, s, p in ((5, 3, 2), (2, 3, 0), (8, 4, 3)):
        u = TransposedConv(rng.integers(-9, 9, (2, 3, K)), stride=s, padding=p).normal
        x = rng.integers(-9, 9, (2, 4))
        long = u(np.tile(x, 9))
        inside = u.steady(36)
        m = np.arange(inside.start, inside.stop)
        assert np.array_equal(long[:, m], periodic_response(u, x)[:, m % (4 * s)])


def test_exact_numbers_stay_exact() -> None:
    """Thirds of a linear interpolation behind integers are no floats, nor compared with any."""
    thirds = Chain([TransposedConv(np.array([[[1, 5]]]), stride=2), Linear(3)])
    assert measured_range(thirds, 6) == steady_range(thirds, 6) == slice(1, 35)
    w = np.array([[[Fraction(1, 3), Fraction(1, 7), Fraction(2, 3)]]], object)
    assert steady_response(TransposedConv(w, stride=2)).tolist() == [[Fraction(1), Fraction(1, 7)]]


def test_rounding_is_told_from_a_border() -> None:
    layer = TransposedConv(np.full((1, 1, 6), 0.1), stride=3)
    skewed = measured_range(layer, 9, run=lambda x: layer(x) * (1 + 1e-15))
    assert skewed == slice(0, 0)
    assert measured_range(layer, 9, roundoff=2.0**-48, run=lambda x: layer(x) * (1 + 1e-15)) == steady_range(layer, 9)


def test_signals_that_are_too_short_have_no_steady_state() -> None:
    layer = TransposedConv(np.ones((1, 1, 9), int))
    assert steady_range(layer, 3) == slice(8, 8)
    assert steady_range(layer, 9) == slice(8, 9)
    assert steady_range(Nearest(2), 0) == slice(0, 0)


REFUSALS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "source": (lambda: steady_range(Nearest(2), 3, source="all"), ValueError, "source: got 'all'; allowed: constant"),
    "time": (lambda: steady_range(Nearest(2), -1), ValueError, "time: got -1; allowed: an integer >= 0"),
    "too short": (
        lambda: steady_range(parse("nearest x2 | conv k9"), 3),
        ValueError,
        "output length of conv for 6 samples: got -2; allowed: at least 1",
    ),
    "corners": (lambda: steady_range(Linear(2, align_corners=True), 3), NotAnalysable, "normal form: got align_corner"),
    "weights": (lambda: steady_response(Outline("convt", 3)), NotAnalysable, "values: got convt without weights"),
    "stage": (lambda: steady_range("convt", 3), TypeError, "stage 0 of a chain: got 'convt'"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    call, error, words = REFUSALS[name]
    with pytest.raises(error, match=words):
        call()


def test_a_mirror_may_reach_to_the_other_border() -> None:
    """Sample 2 is unsteady at the end, and stands at −2 in the mirror: the first output draws on it too."""
    ending = FilterInterp(1, np.array([3, 2]), offset=1)
    chain = Chain([ending, Conv(np.array([[[1, 4, 2]]]), padding=2, padding_mode="reflect")])
    assert steady_range(ending, 3) == slice(0, 2)
    assert steady_range(chain, 3) == measured_range(chain, 3) == slice(1, 2)


def test_gaps_draw_on_nothing_and_are_steady() -> None:
    """Behind a layer without one steady sample the zeros of a stretch are still what they would be."""
    chain = Chain([FilterInterp(1, np.array([3, 2, 1])), FilterInterp(2, np.array([5]))])
    assert steady_range(chain, 2) == slice(3, 4)
    assert chain([[1, 1]]).tolist() == [[15, 0, 25, 0]]


def test_an_input_without_a_tap_is_steady() -> None:
    zero: Array = np.zeros((1, 1, 3), int)
    assert steady_range(TransposedConv(zero, stride=2), 4) == measured_range(TransposedConv(zero, stride=2), 4)
