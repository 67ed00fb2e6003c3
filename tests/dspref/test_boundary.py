"""Overlap counts, partial sums and border regions: closed forms against layers that run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Symbol, symbols

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
from dspref.boundary import border_values, boundary, overlap_counts
from dspref.layers import Layer
from dspref.settling import linear_part, ones_of, steady_range
from dspref.strategies import layers, shortest
from dspref.stretchfilter import StretchFilter
from tests.strategies import QUIET


def ones(layer: Any) -> Any:
    """Return what counts by running: the layer of one channel with ones for taps, and no bias."""
    if isinstance(layer, SubpixelConv):
        return replace(layer, weight=np.ones((layer.factor, 1, layer.length), int), bias=None, groups=1)
    if isinstance(layer, (Conv, TransposedConv)):
        return replace(layer, weight=np.ones((1, 1, layer.length), int), bias=None, groups=1)
    u = layer.normal
    return StretchFilter(u.L, np.ones(u.h.shape[-1], int), offset=u.offset, excess=u.excess, border=u.border)


def test_counts_are_what_ones_give() -> None:
    """The Diophantine count against stamps of ones: every kind of layer, dilated and strided, every border."""
    seen: Counter[str] = Counter()

    strided = st.builds(replace, layers("conv"), stride=st.integers(2, 4), padding=st.integers(0, 3))

    @QUIET(max_examples=150)
    @given(layers() | strided, st.integers(0, 12))
    def check(layer: Layer, more: int) -> None:
        time = shortest(layer) + more
        counts = overlap_counts(layer, time)
        assert np.array_equal(counts, ones(layer)(np.ones((1, time), int))[0])
        seen[layer.op] += 1
        seen["dilated"] += getattr(layer, "dilation", 1) > 1
        seen["strided"] += layer.factor < 1

    check()
    assert all(seen[name] >= 4 for name in ("conv", "convt", "shuffle", "filter", "dilated", "strided")), seen


def test_partial_sums_are_what_the_layer_makes_of_ones() -> None:
    """One input channel at a time, biases apart: equal, integer by integer."""

    @QUIET(max_examples=80)
    @given(layers(native_only=True), st.integers(0, 12))
    def check(layer: Layer, more: int) -> None:
        if getattr(layer, "align_corners", False):
            return
        time = shortest(layer) + more
        bare: Any = replace(layer, bias=None) if getattr(layer, "bias", None) is not None else layer  # type: ignore[type-var]
        values = border_values(bare, time)
        C = layer.in_channels or 1
        for c in range(C):
            x = np.zeros((C, time), int)
            x[c] = 1
            y = bare(x)
            assert np.array_equal(y, values[:, c] if values.ndim == 3 else values[None])

    check()


def test_partial_sums_of_symbols_and_fractions() -> None:
    w = symbols("w:5")
    layer = TransposedConv(np.array([[w]], object), stride=2, padding=1)
    values = border_values(layer, 4)[0, 0]
    assert list(values) == list(layer(np.ones((1, 4), int))[0])
    assert values[0] == w[1]
    assert values[1] == w[0] + w[2]
    assert values[2] == w[1] + w[3]
    assert values[3] == values[5] == w[0] + w[2] + w[4]
    assert values[-1] == w[3]
    thirds = FilterInterp(2, np.array([Fraction(1, 3), Fraction(2, 3), Fraction(1, 5)], object))
    assert border_values(thirds, 2).tolist() == [Fraction(1, 3), Fraction(2, 3), Fraction(8, 15), Fraction(2, 3)]


def test_a_mirrored_constant_has_no_border_however_far_the_padding_reaches() -> None:
    layer = Conv(np.array([[[1, 2]]]), padding=3, padding_mode="reflect")
    assert border_values(layer, 4).tolist() == [[[3] * 9]]
    assert layer(np.ones((1, 4), int)).tolist() == [[3] * 9]
    assert overlap_counts(layer, 4).tolist() == [2] * 9


def test_one_sample_is_the_kernel_itself() -> None:
    w = np.arange(1, 8)[None, None]
    assert border_values(TransposedConv(w, stride=3), 1)[0, 0].tolist() == list(range(1, 8))
    assert overlap_counts(Outline("convt", 7, stride=3), 1).tolist() == [1] * 7
    assert overlap_counts(Outline("convt", 7, stride=3), 0).tolist() == [0] * 4


def test_transient_lengths_of_a_transposed_convolution() -> None:
    """K − s − p samples at the start, and K − s − p + output_padding at the end, down to 0."""
    for K, s, p, more in (
        (8, 6, 0, 0),
        (8, 4, 0, 0),
        (8, 4, 2, 0),
        (16, 8, 4, 0),
        (7, 3, 1, 2),
        (4, 4, 0, 3),
        (3, 2, 1, 1),
    ):
        found = boundary(TransposedConv(np.ones((1, 1, K), int), stride=s, padding=p, output_padding=more), 20)
        assert (found.start, found.end) == (max(0, K - s - p), max(0, K - s - p + more))
        unpadded = TransposedConv(np.ones((1, 1, K), int), stride=s, padding=p)
        part = unpadded.normal.steady(20)
        assert (part.start, unpadded.normal.length(20) - part.stop) == (found.start, max(0, K - s - p))


def test_border_regions_of_a_chain_with_maps_and_decimation() -> None:
    chain = Chain(
        [
            TransposedConv(np.array([[[1, 2, 3]]]), stride=2, bias=np.array([1])),
            Pointwise("relu"),
            Conv(np.array([[[1, -1, 2]]]), stride=3, padding=2),
        ]
    )
    found = boundary(chain, 9, offset=2)
    y = chain(np.full((1, 9), 2))
    assert np.array_equal(np.concatenate([found.head, y[:, found.start : found.length - found.end], found.tail], 1), y)
    assert found.counts is None
    assert found.steady.shape == (1, 2)
    assert (found.start, found.end) == (1, 1)
    assert found.deviation[0][0, 0] == found.head[0, 0] - found.steady[0, 0]


def test_deviation_in_db_is_of_the_rms() -> None:
    """Fig. 5, row 3: one stamp where there should be two is half of the steady level; by hand for a pattern."""
    full = boundary(TransposedConv(np.ones((1, 1, 8), int), stride=4), 10)
    half = 20 * np.log10(0.5)
    assert full.deviation_db == (((half,) * 4,), ((half,) * 4,))
    partial = boundary(TransposedConv(np.ones((1, 1, 3), int), stride=2), 4)
    assert partial.worst_db == pytest.approx(10 * np.log10(1 / 2.5), abs=1e-12)
    holes = boundary(TransposedConv(np.array([[[1, 1, 0, 0, 1]]]), stride=2), 6)
    assert holes.deviation[0].tolist() == [[-1, 0, -1]]
    assert holes.deviation_db[0][0][1] is None


def test_no_border_has_no_level() -> None:
    found = boundary(Nearest(3), 4)
    assert (found.start, found.end, found.worst_db) == (0, 0, None)
    silent = boundary(TransposedConv(np.array([[[1, 2, -1, -2]]]), stride=2), 5)
    assert silent.steady.tolist() == [[0, 0]]
    assert silent.worst_db is None


def test_without_a_steady_sample_all_is_head() -> None:
    found = boundary(TransposedConv(np.ones((1, 1, 9), int)), 3)
    assert (found.length, found.start, found.end) == (11, 11, 0)
    assert found.head.tolist() == [[1, 2, 3, 3, 3, 3, 3, 3, 3, 2, 1]]


def test_a_boundary_is_json_and_text() -> None:
    found = boundary(TransposedConv(np.array([[[1, 1, 1]]]), stride=2), 4)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["schema"] == "dspref.boundary/1"
    assert (facts["head"], facts["tail"], facts["steady"], facts["counts"]) == (
        [[1]],
        [[1]],
        [[2, 1]],
        [1, 1, 2, 1, 2, 1, 2, 1, 1],
    )
    assert facts["deviation_db_re_steady_rms"]["head"][0][0] == pytest.approx(-3.9794, abs=1e-4)
    assert str(found).splitlines()[1] == "channel 0: 1, (1, 2), …, 1"
    symbolic = boundary(TransposedConv(np.array([[[Symbol("a"), Symbol("b"), Symbol("c")]]], object), stride=2), 4)
    facts = json.loads(json.dumps(symbolic.to_dict()))
    assert facts["head"] == [["a"]]
    assert facts["steady"] == [["a + c", "b"]]
    assert facts["deviation_db_re_steady_rms"] is None
    with pytest.raises(NotAnalysable, match="symbolic taps"):
        symbolic.worst_db  # noqa: B018
    fractions = boundary(Chain([Conv(np.array([[[1, 1]]])), Linear(2)]), 4).to_dict()
    assert fractions["steady"] == [[2.0, 2.0]]


def test_boundaries_are_values() -> None:
    layer = TransposedConv(np.ones((1, 1, 3), int), stride=2)
    assert boundary(layer, 4) == boundary(layer, 4) != boundary(layer, 5)
    assert hash(boundary(layer, 4)) == hash(boundary(layer, 4))


def test_what_has_no_weights_has_counts_only() -> None:
    outline = Outline("shuffle", 3, stride=2, padding=1)
    assert overlap_counts(outline, 4).tolist() == [2, 2, 3, 3, 3, 3, 2, 2]
    with pytest.raises(NotAnalysable, match="values: got shuffle without weights"):
        boundary(outline, 4)
    with pytest.raises(NotAnalysable, match="align_corners"):
        overlap_counts(Linear(2, align_corners=True), 4)
    with pytest.raises(ValueError, match="time: got -1; allowed: an integer >= 0"):
        overlap_counts(outline, -1)


def test_a_deep_chain_of_the_article() -> None:
    """MelGAN's upsampling layers, length 16, 16, 4, 4: borders grow by the later strides."""
    chain = parse("convt k16 s8 p4 | convt k16 s8 p4 | convt k4 s2 p1 | convt k4 s2 p1")
    built = Chain(ones_of(s) for s in chain.stages if isinstance(s, Outline))
    part = steady_range(chain, 20)
    # each layer: a ↦ a·s + K − s − p, so 0 → 4 → 36 → 73 → 147
    assert (part.start, 20 * 256 - part.stop) == (147, 147)
    found = boundary(built, 20)
    assert (found.start, found.end) == (147, 147)
    whole: Array = found.steady
    assert (whole == 2**4).all()
    assert linear_part(chain.stages[0])[0].L == 8  # type: ignore[arg-type]


def test_a_signal_of_absurd_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"output samples: got 2000000000; allowed: at most 16777216.*shorter one"):
        boundary(Nearest(2), 10**9)
