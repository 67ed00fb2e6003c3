"""Chunks, whatever their lengths, make the output of the whole: equal with no tolerance, on several routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    NotAnalysable,
    Outline,
    Pointwise,
    Stream,
    StretchFilter,
    SubpixelConv,
    TransposedConv,
)
from dspref.arrays import Array
from dspref.chain import POINTWISE
from tests.strategies import KINDS, QUIET, Case, cases, survey, tabled

Show = Callable[[str], None]

EXAMPLES = 600

to_fractions = np.vectorize(lambda n: Fraction(int(n), 3), otypes=[object])


def random_sizes(time: int, rng: np.random.Generator) -> list[int]:
    """Return lengths of chunks that make `time`, some of them 0."""
    cuts = np.sort(rng.integers(0, time + 1, rng.integers(0, time + 3)))
    return [int(size) for size in np.diff(np.r_[0, cuts, time])]


def splits(time: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Yield one chunk, single samples with an empty chunk first, and random chunks."""
    yield [time]
    yield [0, *[1] * time]
    yield random_sizes(time, rng)
    yield random_sizes(time, rng)


def pieces(x: Array, sizes: list[int]) -> list[Array]:
    return np.split(x, np.cumsum(sizes)[:-1], axis=-1)


def fed(stream: Stream, x: Array, sizes: list[int]) -> list[Array]:
    """Return what a stream gives for each chunk, and last what it gives in the end."""
    return [*(stream(chunk) for chunk in pieces(x, sizes)), stream.flush()]


def joined(parts: list[Array]) -> Array:
    return np.concatenate(parts, axis=-1)


def streams(layer: Any) -> bool:
    return not getattr(layer, "align_corners", False) and not circular(layer)


def circular(layer: Any) -> bool:
    return getattr(layer, "padding_mode", "") == "circular" and sum(layer.pads) > 0


def normal(layer: Any) -> StretchFilter:
    """Return the normal form, of a decimating convolution that before it decimates."""
    u: StretchFilter = (replace(layer, stride=1) if layer.op == "conv" else layer).normal
    return u


def given_by_then(layer: Any, time: int) -> int:
    """Return the outputs that are final: that exist whenever the input ends, and look at nothing later.

    Read off the dense matrix of a layer of ones, sample by sample.
    """
    u = normal(layer)
    step = layer.stride if layer.op == "conv" else 1
    later = time + u.h.shape[-1] + abs(u.offset) + abs(u.excess) + 2  # so far that both ends are apart
    ones = StretchFilter(u.L, np.ones((1, 1, u.h.shape[-1]), int), offset=u.offset, excess=u.excess)
    A = ones.as_matrix(later)
    waiting = np.flatnonzero(A[:, time:].any(axis=1))
    final = min(int(waiting[0]) if waiting.size else u.length(time), u.length(time))
    return max(0, -(-final // step))


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_make_the_output_of_the_whole(kind: str, show: Show) -> None:
    """Over every corner: at once by overlap-add or window, by the normal form, and again on the same stream."""
    rng = np.random.default_rng(7)

    def check(case: Case) -> None:
        case = case.changed(to_fractions) if kind == "linear" else case
        layer, x = case.layer, case.x
        if not streams(layer):
            with pytest.raises(NotAnalysable):
                Stream(layer)
            return
        whole, stream = layer(x), Stream(layer)
        routes = [stream]
        if kind not in ("conv", "linear") or getattr(layer, "stride", 1) == 1:
            routes.append(Stream(layer.normal))
        for sizes in splits(case.time, rng):
            for route in routes:
                parts = fed(route, x, sizes)
                y = joined(parts)
                if route is not stream and layer.bias_phases is not None:
                    b = layer.bias_phases
                    y = y + b[:, np.arange(y.shape[-1]) % b.shape[-1]]
                assert y.shape == whole.shape
                assert (y == whole).all(), (sizes, route)

    show(tabled(f"streaming == offline, {kind}:", survey(kind, EXAMPLES, check)))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_given_as_soon_as_they_are_final(kind: str) -> None:
    """The law is exact, as counted off the dense matrix, and as `latency` says.

    Where a stretch leaves gaps between taps, an output may begin with zeros that nothing reaches: these wait.
    """
    seen = 0

    @QUIET(max_examples=150)
    @given(cases(kind))
    def each(case: Case) -> None:
        nonlocal seen
        layer = case.layer
        if not streams(layer) or getattr(layer, "padding_mode", "zeros") not in ("zeros", "replicate"):
            return
        seen += 1
        stream, count = Stream(layer), 0
        for time in range(1, case.time + 1):
            count += stream(case.x[..., time - 1 : time]).shape[-1]
            assert count == max(0, -int(-(time * Fraction(layer.factor) - stream.latency) // 1))
            begins_in_a_gap = count == 0 and layer.length < layer.factor
            assert count == given_by_then(layer, time) or begins_in_a_gap

    each()
    assert seen >= 60


@pytest.mark.parametrize(
    ("layer", "latency", "carried"),
    [
        (TransposedConv(np.ones((1, 1, 16), int), stride=8), 0, 8),
        (TransposedConv(np.ones((1, 1, 16), int), stride=8, padding=4), 4, 8),
        (TransposedConv(np.ones((1, 1, 1), int), stride=4), 3, 3),  # the zeros after a sample may not be there
        (Conv(np.ones((1, 1, 7), int), padding=3), 3, 6),
        (Conv(np.ones((1, 1, 7), int)), 6, 6),
        (Nearest(4), 0, 0),
        (Linear(2), 1, 1),
        (Linear(5), 2, 1),
        (FilterInterp(2, np.array([1, 2, 1]), offset=1), 1, 1),
        (FilterInterp(2, np.array([1]), offset=-3, excess=3), -3, 0),
    ],
)
def test_latency_and_what_is_carried_are_known_beforehand(layer: Any, latency: int, carried: int) -> None:
    assert (Stream(layer).latency, Stream(layer).carried) == (Fraction(latency), carried)


@pytest.mark.parametrize("kind", KINDS)
def test_no_more_is_carried_than_is_said(kind: str) -> None:
    rng = np.random.default_rng(3)

    @QUIET(max_examples=100)
    @given(cases(kind))
    def each(case: Case) -> None:
        if not streams(case.layer):
            return
        stream = Stream(case.layer)
        long = case.filled(lambda shape: rng.integers(-4, 5, (*shape[:-1], 60) if shape == case.x.shape else shape)).x
        for chunk in pieces(long, random_sizes(60, rng)):
            stream(chunk)
            kept: Any = stream._stages[0]
            state: Any = getattr(kept, "_tail", getattr(kept, "_past", None))
            assert state.shape[-1] <= max(stream.carried, case.time)

    each()


CHAINS = {
    "none": Chain([]),
    "two overlap-adds": Chain(
        [
            TransposedConv(np.array([[[1, 2, 3, 4]], [[1, 0, -1, 2]]]), stride=2, padding=1, bias=np.array([3])),
            TransposedConv(np.array([[[1, 2, 3]]]), stride=3, output_padding=2, bias=np.array([-2])),
        ]
    ),
    "up and down": Chain([Nearest(3), Conv(np.array([[[1, 2, 3, 4]]]), stride=2, padding=2, bias=np.array([1]))]),
    "reflected, with maps": Chain(
        [
            Conv(np.arange(24).reshape(4, 2, 3), padding=1, padding_mode="reflect", bias=np.array([1, 2, 3, 4])),
            Pointwise("relu"),
            SubpixelConv(np.arange(48).reshape(4, 4, 3), 2, padding=2, padding_mode="replicate"),
            Pointwise("leaky", (0.5,)),
            FilterInterp(2, np.array([1, 2, 1]), offset=1),
            Linear(2),
        ]
    ),
    "output ahead of the input": Chain(
        [FilterInterp(2, np.array([1, 1]), offset=-3, excess=5), Conv(np.array([[[1, 2, 3]]]))]
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_hand_on_what_is_final(name: str) -> None:
    chain, rng = CHAINS[name], np.random.default_rng(1)
    shape = (2, chain.in_channels or 1)
    for time in (4, 5, 9, 20):
        x = rng.integers(-4, 5, (*shape, time)).astype(float)
        whole, stream = chain(x), Stream(chain)
        for sizes in splits(time, rng):
            parts = fed(stream, x, sizes)
            assert np.array_equal(joined(parts), whole), sizes
            given = np.cumsum([part.shape[-1] for part in parts[:-1]])
            factor = Fraction(1)
            for stage in chain.stages:
                factor *= stage.factor
            running = np.cumsum(sizes) > 12
            assert all(given[running] >= np.cumsum(sizes)[running] * factor - stream.latency)


def test_latencies_of_a_chain_add_up_at_its_output_rate() -> None:
    assert Stream(CHAINS["two overlap-adds"]).latency == 1 * 3 + 0
    assert Stream(CHAINS["up and down"]).latency == Fraction(3 - 2, 2)
    assert Stream(CHAINS["output ahead of the input"]).latency == -3 + 2
    assert Stream(Chain([])).latency == 0


@pytest.mark.parametrize("name", sorted(POINTWISE))
def test_maps_of_samples_need_no_state(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 4, 9))
    parts = fed(Stream(Pointwise(name)), x, [0, 2, 0, 7])
    assert [part.shape[-1] for part in parts] == [0, 2, 0, 7, 0]
    assert np.array_equal(joined(parts), Pointwise(name)(x))
    assert Stream(Pointwise(name)).carried == 0


def test_a_flush_ends_the_signal_and_a_reset_forgets_it() -> None:
    layer = TransposedConv(np.array([[[1, 2, 3]]]), stride=2, bias=np.array([7]))
    stream = Stream(layer)
    stream([[5, 6]])
    stream.reset()
    assert np.array_equal(joined(fed(stream, np.array([[1, 2, 3]]), [1, 2])), layer([[1, 2, 3]]))
    # Another batch: nothing is left of the one before.
    assert np.array_equal(joined(fed(stream, np.ones((3, 1, 4), int), [3, 1])), layer(np.ones((3, 1, 4), int)))
    assert repr(stream) == f"Stream({layer!r})"


def test_what_is_kept_is_no_view_of_the_chunk() -> None:
    layer, chunk = Conv(np.array([[[1, 2, 3]]]), padding=1), np.array([[1, 2, 3]])
    stream = Stream(layer)
    first = stream(chunk)
    chunk[:] = 9
    assert np.array_equal(np.concatenate([first, stream([[4]]), stream.flush()], -1), layer([[1, 2, 3, 4]]))


REFUSED: dict[str, tuple[Any, str]] = {
    "circular": (Conv(np.array([[[1, 2, 3]]]), padding=1, padding_mode="circular"), "looks at its own end"),
    "corners": (Linear(2, align_corners=True), "align_corners"),
    "no weights": (Outline("convt", 4, stride=2), "weights"),
    "no weights, in a chain": (Chain([Nearest(2), Outline("convt", 4, stride=2)]), "weights"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_stream_is_refused_in_words(name: str) -> None:
    layer, words = REFUSED[name]
    with pytest.raises(NotAnalysable, match=words):
        Stream(layer)


def test_a_circular_border_that_no_tap_reaches_is_no_hindrance() -> None:
    layer = Conv(np.array([[[1, 2, 3]]]), padding=0, padding_mode="circular")
    x = np.arange(7)[None]
    assert np.array_equal(joined(fed(Stream(layer), x, [3, 4])), layer(x))


@pytest.mark.parametrize(
    "layer", [TransposedConv(np.array([[[1, 2, 3]]]), stride=2), Conv(np.array([[[1, 2]]])), Nearest(2)]
)
def test_bad_chunks_are_refused_in_words(layer: Any) -> None:
    stream = Stream(layer)
    with pytest.raises(ValueError, match="no chunk yet"):
        stream.flush()
    stream(np.ones((2, 1, 3), int))
    with pytest.raises(ValueError, match=r"chunk: got shape \(3, 1, 3\)"):
        stream(np.ones((3, 1, 3), int))
    with pytest.raises(ValueError, match="time"):
        stream(np.ones(3, int))


@pytest.mark.parametrize(
    ("layer", "time"),
    [
        (TransposedConv(np.array([[[1, 2, 3]]]), padding=2), 2),
        (Conv(np.array([[[1, 2, 3]]])), 2),
        (Conv(np.array([[[1, 2, 3]]]), padding=2, padding_mode="reflect"), 2),
        (FilterInterp(2, np.array([1]), excess=-4), 2),
    ],
)
def test_what_the_layer_refuses_the_flush_refuses_alike(layer: Any, time: int) -> None:
    x = np.ones((1, time), int)
    with pytest.raises(ValueError) as offline:
        layer(x)
    stream = Stream(layer)
    for n in range(time):
        assert stream(x[:, n : n + 1]).shape == (1, 0)
    with pytest.raises(ValueError) as streamed:
        stream.flush()
    assert str(streamed.value) == str(offline.value)


def test_the_last_chunk_may_be_of_another_arithmetic() -> None:
    layer = TransposedConv(np.array([[[1, 2, 3]]]), stride=2)
    parts = [(stream := Stream(layer))([[1, 2]]), stream(np.array([[Fraction(1, 3)]])), stream.flush()]
    assert np.array_equal(joined(parts), layer(np.array([[1, 2, Fraction(1, 3)]])))
