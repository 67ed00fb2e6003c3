"""Functions that are asked: what is found is what made them, and what is no upsampler is refused with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from dspref import FilterInterp, NotAnalysable
from dspref.arrays import Array
from dspref.leaks.responses import responses
from tests.strategies import QUIET

TIME = 96


@QUIET(max_examples=40)
@given(st.data())
def test_integers_come_back_as_they_are(data: st.DataObject) -> None:
    """Impulses copy taps; sums of integers are exact."""
    L, K = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 12))
    taps = np.array([data.draw(st.integers(-9, 9).filter(bool)) for _ in range(K)])
    layer = FilterInterp(L, taps, offset=data.draw(st.integers(-3, 9)), excess=data.draw(st.integers(-5, 5)))
    found = responses(lambda x: layer(x[None])[0], L, time=TIME)
    assert found.taps is not None
    assert (found.taps == taps).all()
    assert found.first == -layer.offset
    assert (found.gains == layer.normal.phase_gains).all()


def test_several_outputs() -> None:
    layer = FilterInterp(3, np.arange(1, 11).reshape(2, 1, 5))
    found = responses(lambda x: layer(x[None]), 3, time=TIME)
    assert found.taps is not None
    assert (found.taps == layer.taps[:, 0]).all()
    assert (found.gains == layer.normal.phase_gains[:, :, 0].T).all()


def test_the_sum_of_very_long_answers_is_not_looked_for() -> None:
    """A resampler by one long FFT has no last tap; its answer to a constant is known all the same."""
    found = responses(lambda x: np.asarray(signal.resample(x, 3 * x.size)), 3, time=TIME)
    assert found.taps is None
    assert np.abs(found.gains - 1).max() <= found.roundoff


def test_convolution_by_fft_has_the_taps_and_no_more() -> None:
    h = np.array([1.0, 3.0, 2.0])
    found = responses(lambda x: signal.fftconvolve(np.kron(x, [1, 0]), h), 2, time=TIME)
    assert found.taps is not None
    assert found.taps.shape == (1, 3)
    assert np.abs(found.taps - h).max() <= 8 * 8 * 2.0**-53 * 3


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_roundoff_is_that_of_the_result(dtype: type[np.floating[Any]]) -> None:
    found = responses(lambda x: np.repeat(x, 2).astype(dtype), 2, time=TIME)
    unit = float(np.finfo(dtype).eps) / 2
    assert unit < found.roundoff <= 16 * unit
    assert responses(lambda x: np.repeat(x, 2), 2, time=TIME, unit=2.0**-10).roundoff == 2.0**-10 * (np.log2(192) + 1)


def wobble(x: Array) -> Array:
    return np.asarray(np.repeat(x, 2) * np.resize([1, 2, 3, 4], 2 * x.size))


def drift(x: Array) -> Array:
    return np.asarray(np.repeat(x, 2) * np.arange(2 * x.size))


def corners(x: Array) -> Array:
    return np.asarray(np.interp(np.linspace(0, x.size - 1, 2 * x.size), np.arange(x.size), x))


def leaky_integrator(x: Array) -> Array:
    return np.asarray(signal.lfilter([1], [1, -0.9999], np.repeat(x, 2)))


def impulse_hater(x: Array) -> Array:
    """Linear on everything that it is tried on but the impulse."""
    return np.repeat(x * (3 if np.count_nonzero(x) == 1 else 1), 2)


def random_gain(x: Array) -> Array:
    return np.repeat(x, 2) * np.random.default_rng().uniform()


BAD: dict[str, tuple[Callable[[Array], Any], str]] = {
    "not linear: squares": (lambda x: np.repeat(x**2, 2), "not linear: upsampler: got f(a + b) off f(a) + f(b) by"),
    "not linear: halves of negative ones": (lambda x: np.repeat(np.where(x < 0, x / 2, x), 2), "not linear"),
    "not linear: an offset": (lambda x: np.repeat(x, 2) + 1, "got 1 for zeros"),
    "not linear: where no noise shows it": (impulse_hater, "a constant off the sum of impulses by 2"),
    "not repeatable": (random_gain, "not repeatable: upsampler: got two answers to one signal"),
    "not periodic: gains of period 4": (wobble, "not periodic: upsampler: got an answer off by"),
    "not periodic: gains that grow": (drift, "not periodic"),
    "not periodic: a grid that moves with the length": (corners, "not periodic"),
    "not periodic: reversed": (lambda x: np.repeat(x[::-1], 2), "not periodic"),
    "not settled": (leaky_integrator, "not settled: upsampler: got a constant gives what changes by"),
    "length: another factor": (
        lambda x: np.repeat(x, 3),
        "length: upsampler: got 288, 291, 309 samples for 96, 97, 103",
    ),
    "length: none of the input's": (lambda x: np.repeat(x, 2)[:20], "length: upsampler: got 20, 20, 20"),
    "length: most is cropped": (lambda x: np.repeat(x, 2)[100:], "length: upsampler: got 92, 94, 106"),
    "NaN": (lambda x: np.repeat(x, 2) / 0, "result of the upsampler: got NaN or infinity"),
    "complex": (lambda x: np.repeat(x, 2) * 1j, "result of the upsampler: got an array of dtype complex128"),
    "nothing": (lambda x: None, "got an array of dtype object, shape ()"),
    "a batch": (lambda x: np.repeat(x, 2)[None, None], "shape (1, 1, 192); allowed: real numbers, one signal"),
    "raises": (
        lambda x: getattr(x, "no_such_thing"),  # noqa: B009
        "AttributeError: 'numpy.ndarray' object has no attribute 'no_such_thing'",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("ignore:(invalid value|divide by zero) encountered:RuntimeWarning")
def test_what_is_no_upsampler_is_refused(name: str) -> None:
    f, words = BAD[name]
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        responses(f, 2, time=TIME)
    assert isinstance(caught.value, NotAnalysable) == (not str(caught.value).startswith("result of"))


def test_input_is_the_functions_own() -> None:
    def greedy(x: Array) -> Array:
        y = np.repeat(x, 2)
        x[:] = np.nan
        return y

    assert (responses(greedy, 2, time=TIME).gains == 1).all()


def test_short_signals_are_refused() -> None:
    with pytest.raises(ValueError, match="time: got 8; allowed: an integer >= 48"):
        responses(lambda x: np.repeat(x, 2), 2, time=8)
