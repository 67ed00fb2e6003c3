"""Three derivatives of one trilinear form, against loops over its indices; and that blocks bound the memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspref import trilinear
from dspref.arrays import Array
from dspref.trilinear import Trilinear
from tests.strategies import QUIET, integers


@st.composite
def forms(draw: st.DrawFn) -> tuple[Trilinear, Array, Array, Array]:
    """Return a form, and w, low and high for it; high may go on where low ends."""
    taps, stride, dilation, groups = (draw(st.integers(1, n)) for n in (5, 4, 3, 3))
    form = Trilinear(taps, stride, dilation, groups)
    outer, inner, time, lead = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 7)), draw(LEADS)
    make = integers(draw(st.integers(0, 999)))
    beyond = draw(st.integers(0, 3))
    high = make((*lead, groups * inner, form.span(time) + beyond))
    return form, make((groups * outer, inner, taps)), make((*lead, groups * outer, time)), high


LEADS = st.sampled_from([(), (1,), (2,), (0,), (3, 2)])


def terms(form: Trilinear, w: Array, time: int) -> Iterator[tuple[tuple[int, int, int], int, int, int]]:
    """Yield (a, b, k) of w, the channel of high, n of low, and the sample of high that they meet at."""
    outer, inner, taps = w.shape
    for a, b, k, n in product(range(outer), range(inner), range(taps), range(time)):
        group = a // (outer // form.groups)
        yield (a, b, k), group * inner + b, n, n * form.stride + k * form.dilation


@pytest.mark.parametrize("block", [1, 20, trilinear._BLOCK])
def test_derivatives_are_the_sums_that_define_them(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With blocks of one sample, of a few, and of all of them."""
    monkeypatch.setattr(trilinear, "_BLOCK", block)

    @QUIET(max_examples=300)
    @given(forms())
    def check(drawn: tuple[Trilinear, Array, Array, Array]) -> None:
        form, w, low, high = drawn
        by_w, by_low, by_high = np.zeros_like(w), np.zeros_like(low), np.zeros_like(high)
        for (a, b, k), channel, n, m in terms(form, w, low.shape[-1]):
            by_w[a, b, k] += (low[..., a, n] * high[..., channel, m]).sum()
            by_low[..., a, n] += w[a, b, k] * high[..., channel, m]
            by_high[..., channel, m] += w[a, b, k] * low[..., a, n]
        assert_same(form.by_kernel(low, high), by_w)
        assert_same(form.by_low(w, high, low.shape[-1]), by_low)
        assert_same(form.by_high(w, low, high.shape[-1]), by_high)

    check()


def assert_same(got: Array, expected: Array) -> None:
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    assert (got == expected).all()


def peak(run: Any) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("derivative", ["by_low", "by_high", "by_kernel"])
def test_memory_is_that_of_the_arrays_and_one_block(derivative: str) -> None:
    """All columns at once would be taps = 64 times the signal."""
    form, time = Trilinear(taps=64), 200_000
    w, low, high = np.ones((1, 1, 64)), np.ones((1, time)), np.ones((1, form.span(time)))
    runs = {
        "by_low": lambda: form.by_low(w, high, time),
        "by_high": lambda: form.by_high(w, low, form.span(time)),
        "by_kernel": lambda: form.by_kernel(low, high),
    }
    signals, block = 3 * high.nbytes, 8 * trilinear._BLOCK
    assert 64 * high.nbytes > 4 * (signals + 3 * block)
    assert peak(runs[derivative]) <= signals + 3 * block
