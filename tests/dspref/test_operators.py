"""Operators against their definitions, written as plain loops over every index."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dspref.arrays import Array
from dspref.operators import correlate, filter_interp, linear, nearest, overlap_add, subpixel, zero_stuff
from tests.dspref.test_multirate import source
from tests.strategies import KINDS, Case, survey


def scatter(layer: Any, x: Array) -> Array:
    """Transposed convolution of one signal (in, time), as stamps: four lines, with the crop in the last."""
    y = np.zeros((layer.weight.shape[1] * layer.groups, 4 * 200), x.dtype)
    for (i, o, k), n in itertools.product(np.ndindex(layer.weight.shape), range(x.shape[-1])):
        group = i // (layer.weight.shape[0] // layer.groups)
        y[group * layer.weight.shape[1] + o, n * layer.stride + k * layer.dilation] += layer.weight[i, o, k] * x[i, n]
    return y[:, layer.padding : layer.padding + layer.normal.length(x.shape[-1])]


def slide(layer: Any, x: Array) -> Array:
    """Convolution of one signal, output by output, the border rule index by index."""
    out, inner, taps = layer.weight.shape
    reach = layer.dilation * (taps - 1)
    words = {"same": (reach // 2, reach), "valid": (0, 0)}  # the odd sample of "same" goes to the right
    left, total = words[layer.padding] if layer.padding in words else (layer.padding, 2 * layer.padding)
    stride = layer.stride if layer.op == "conv" else 1
    length = (x.shape[-1] + total - reach - 1) // stride + 1
    y = np.zeros((out, length), x.dtype)
    for o, t, i, k in itertools.product(range(out), range(length), range(inner), range(taps)):
        at = source(t * stride + k * layer.dilation - left, x.shape[-1], layer.padding_mode)
        if at is not None:
            y[o, t] += layer.weight[o, i, k] * x[o // (out // layer.groups) * inner + i, at]
    return y


def shuffled(layer: Any, x: Array) -> Array:
    """Sub-pixel convolution: channel cL + r of the convolution, or r·C + c, is phase r of channel c."""
    low, L = slide(layer, x), layer.factor
    y = np.zeros((low.shape[0] // L, low.shape[1] * L), x.dtype)
    for c, t in np.ndindex(y.shape):
        y[c, t] = low[phase_channel(layer, c, t % L), t // L]
    return y


def phase_channel(layer: Any, c: int, r: int) -> int:
    """Return which channel of a sub-pixel convolution is phase r of channel c."""
    channels = layer.weight.shape[0] // layer.factor
    return int(c * layer.factor + r if layer.order == "crd" else r * channels + c)


def repeat(layer: Any, x: Array) -> Array:
    """Nearest neighbour: index m//L."""
    return np.array([[row[m // layer.factor] for m in range(layer.factor * len(row))] for row in x], x.dtype)


def draw_lines(layer: Any, x: Array) -> Array:
    """Linear interpolation at exact positions, in Fractions."""
    time, L = x.shape[-1], layer.factor
    y = np.zeros((x.shape[0], L * time), object)
    for c, m in np.ndindex(y.shape):
        at = Fraction(2 * m + 1, 2 * L) - Fraction(1, 2)
        if layer.align_corners:
            at = Fraction(m * (time - 1), max(L * time - 1, 1))
        at = min(max(at, Fraction(0)), Fraction(time - 1))
        i = at.numerator // at.denominator
        y[c, m] = x[c, i] + (at - i) * (x[c, min(i + 1, time - 1)] - x[c, i])
    return y


def stretch_and_filter(layer: Any, x: Array) -> Array:
    """``y[m] = Σ_n h[m + offset − nL] x[n]``, channel by channel."""
    alike = layer.taps.ndim == 1
    out, length = x.shape[0] if alike else layer.taps.shape[0], layer.factor * x.shape[-1] + layer.excess
    y = np.zeros((out, length), x.dtype)
    for o, m, i, n in itertools.product(range(out), range(length), range(x.shape[0]), range(x.shape[-1])):
        k = m + layer.offset - n * layer.factor
        if 0 <= k < layer.length and (not alike or o == i):
            y[o, m] += (layer.taps[k] if alike else layer.taps[o, i, k]) * x[i, n]
    return y


LOOPS: dict[str, Callable[[Any, Array], Array]] = {
    "convt": scatter,
    "conv": slide,
    "shuffle": shuffled,
    "nearest": repeat,
    "linear": draw_lines,
    "filter": stretch_and_filter,
}


def with_bias(y: Array, layer: Any) -> Array:
    """Add the bias of each output channel; of a sub-pixel convolution, of each phase."""
    if layer.bias is None:
        return y
    at = (lambda c, m: phase_channel(layer, c, m % layer.factor)) if layer.op == "shuffle" else (lambda c, m: c)
    return np.array([[v + layer.bias[at(c, m)] for m, v in enumerate(row)] for c, row in enumerate(y)])


@pytest.mark.parametrize("kind", KINDS)
def test_each_layer_is_its_plain_loop(kind: str) -> None:
    to_fractions = np.vectorize(lambda n: Fraction(int(n), 3), otypes=[object])

    def check(case: Case) -> None:
        case = case.changed(to_fractions) if kind == "linear" else case
        y = case.layer(case.x)
        for index in np.ndindex(case.x.shape[:-2]):
            loop = LOOPS[kind](case.layer, case.x[index])
            assert y[index].shape == loop.shape
            assert (y[index] == with_bias(loop, case.layer)).all()

    survey(kind, 300, check)


def test_overlap_add_is_the_same_over_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is cut into blocks for the sake of memory; where the cuts fall must not show."""
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9, 9, (2, 4, 57)), rng.integers(-9, 9, (4, 3, 7))
    whole = overlap_add(x, w, stride=3, padding=2, groups=2)
    for block in (1, 100, 400, 1000):
        monkeypatch.setattr("dspref.operators._BLOCK", block)
        assert (overlap_add(x, w, stride=3, padding=2, groups=2) == whole).all()


def test_operators_keep_the_dtype_of_their_numbers() -> None:
    x, w = np.ones((1, 4)), np.ones((1, 1, 2))
    for dtype in (np.float32, np.float64, np.complex64, np.int64, object):
        a, b = x.astype(dtype), w.astype(dtype)
        outputs = (overlap_add(a, b, stride=2), correlate(a, b), subpixel(a, b, 1), nearest(a, 2))
        assert {y.dtype for y in outputs} == {np.dtype(dtype)}
    assert linear(np.ones((1, 3), np.float32), 3).dtype == np.float32
    assert linear(np.ones((1, 3), int), 3).dtype == np.float64


def test_operators_leave_their_input_alone() -> None:
    x, w = np.arange(12).reshape(2, 6), np.arange(8).reshape(2, 2, 2)
    before = x.copy(), w.copy()
    overlap_add(x, w, stride=2)[...] = -1
    correlate(x, w, pads=(1, 1))[...] = -1
    subpixel(x, w, 2)[...] = -1
    nearest(x, 2)[...] = -1
    nearest(x, 1)[...] = -1
    linear(x, 1)[...] = -1
    filter_interp(x, w[0, 0], 1)[...] = -1
    assert (x == before[0]).all()
    assert (w == before[1]).all()


def test_zero_stuff_by_one_changes_nothing() -> None:
    w = np.arange(6).reshape(1, 2, 3)
    assert (zero_stuff(w, 1) == w).all()
    assert zero_stuff(w, 3)[0, 1].tolist() == [3, 0, 0, 4, 0, 0, 5]


def test_an_empty_output_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"output length for 1 input samples: got 0; allowed: at least 1\. Hint"):
        overlap_add(np.ones((1, 1)), np.ones((1, 1, 2)), padding=1)
    with pytest.raises(ValueError, match=r"output length for 2 input samples: got -1; .*shorter kernel"):
        correlate(np.ones((1, 2)), np.ones((1, 1, 4)))


def test_overlap_add_needs_its_output_and_one_working_copy() -> None:
    """Whole, the delayed copies and the phases of this one would be 61 MB; in blocks they are 4 MB."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(32, 40_000)), rng.normal(size=(32, 32, 8))
    tracemalloc.start()
    try:
        y = overlap_add(x, w, stride=4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert y.nbytes < peak < y.nbytes + (8 << 20)
