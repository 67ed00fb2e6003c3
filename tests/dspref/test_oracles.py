"""Other people's code, and one operator written three ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from dspref import Conv, FilterInterp, Nearest, StretchFilter, SubpixelConv, TransposedConv
from dspref.arrays import Array
from tests.strategies import integers

taps_and_signals = st.tuples(st.integers(1, 12), st.integers(1, 15), st.integers(1, 6), st.integers(0, 999))


@given(taps_and_signals)
def test_upfirdn_of_scipy(drawn: tuple[int, int, int, int]) -> None:
    taps, time, L, seed = drawn
    make = integers(seed)
    h, x = make((taps,)), make((2, time))
    expected = scipy.signal.upfirdn(h, x, up=L)
    for route in (StretchFilter(L, h, excess=taps - L), FilterInterp(L, h, excess=taps - L)):
        assert route(x).shape == expected.shape
        assert (route(x) == expected).all()


@given(taps_and_signals, st.integers(1, 4))
def test_decimating_convolution_is_upfirdn_of_the_reversed_kernel(drawn: tuple[int, int, int, int], s: int) -> None:
    taps, time, _, seed = drawn
    make = integers(seed)
    w, x = make((taps,)), make((1, time))
    expected = scipy.signal.upfirdn(w[::-1], x, down=s)
    full = Conv(w.reshape(1, 1, -1), padding=taps - 1, stride=s)(x)
    assert (full == expected).all()


@given(taps_and_signals)
def test_freqz_of_scipy(drawn: tuple[int, int, int, int]) -> None:
    taps, _, L, seed = drawn
    h = np.random.default_rng(seed).normal(size=taps)
    freq = np.linspace(0, 0.5, 9)
    _, expected = scipy.signal.freqz(h, worN=2 * np.pi * freq)
    assert np.abs(StretchFilter(L, h).response(freq) - expected).max() < 1e-12 * np.abs(h).sum()


@pytest.mark.parametrize(
    ("window", "hop", "constant"),
    [("boxcar", 4, True), ("hann", 4, True), ("hann", 8, True), ("hann", 7, False), ("blackman", 8, False)],
)
def test_constant_overlap_add_of_scipy(window: str, hop: int, constant: bool) -> None:
    """The windows that SciPy calls COLA at a hop are the kernels without tones at that stride."""
    h = scipy.signal.get_window(window, 16)
    gains = StretchFilter(hop, h).phase_gains
    assert scipy.signal.check_COLA(window, 16, 16 - hop) == constant
    assert (np.ptp(gains) < 1e-10) == constant


def sub_pixel_twin(w: Array, s: int) -> SubpixelConv:
    """Return the sub-pixel convolution equal to a transposed one whose length is J·s: phases, reversed."""
    inner, out, taps = w.shape
    J = taps // s
    phases = w.reshape(inner, out, J, s)[:, :, ::-1].transpose(1, 3, 0, 2)
    return SubpixelConv(phases.reshape(out * s, inner, J), s, padding=J - 1)


@given(st.tuples(*[st.integers(1, 4)] * 4), st.integers(1, 9), st.integers(0, 999))
def test_one_operator_written_three_ways(sizes: tuple[int, int, int, int], time: int, seed: int) -> None:
    """Transposed convolution == stretch + filter == convolution + shuffle, in whole numbers."""
    inner, out, J, s = sizes
    make = integers(seed)
    w, x = make((inner, out, J * s)), make((inner, time))
    transposed = TransposedConv(w, stride=s)
    stretched = FilterInterp(s, w.swapaxes(0, 1), excess=(J - 1) * s)
    y = transposed(x)
    for other in (stretched, sub_pixel_twin(w, s)):
        assert other(x).shape == y.shape
        assert (other(x) == y).all()
    assert stretched.normal == transposed.normal
    assert (sub_pixel_twin(w, s).normal.h == transposed.normal.h).all()


@pytest.mark.parametrize("L", range(1, 7))
def test_nearest_is_a_transposed_convolution_with_a_box(L: int) -> None:
    x = integers(L)((1, 9))
    twins: list[Any] = [TransposedConv(np.ones((1, 1, L), int), stride=L), FilterInterp(L, np.ones(L, int))]
    assert all((twin(x) == Nearest(L)(x)).all() for twin in twins)
