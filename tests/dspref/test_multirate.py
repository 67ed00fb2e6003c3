"""The operations of multirate processing, by their identities."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspref import convolve, decimate, extend, interleave, periodic_shuffle, polyphase, stretch
from dspref.arrays import Array
from dspref.multirate import window

sizes = st.integers(1, 6)


def source(n: int, time: int, border: str) -> int | None:
    """Return the index that a border rule puts at n, by folding; None for a zero."""
    if border == "zeros":
        return n if 0 <= n < time else None
    if border == "replicate":
        return int(np.clip(n, 0, time - 1))
    period = time if border == "circular" else max(2 * (time - 1), 1)
    return min(n % period, period - n % period) if border == "reflect" else n % period


@st.composite
def signals(draw: st.DrawFn) -> Array:
    shape = draw(st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, 9)))
    return np.random.default_rng(draw(st.integers(0, 999))).integers(-9, 10, shape)


@given(signals(), sizes)
def test_decimation_undoes_stretching(x: Array, L: int) -> None:
    assert (decimate(stretch(x, L), L) == x).all()
    for phase in range(1, L):
        assert not decimate(stretch(x, L), L, phase=phase).any()


@given(signals(), sizes)
def test_the_spectrum_of_a_stretched_signal_is_repeated(x: Array, L: int) -> None:
    if x.shape[-1]:
        images = np.fft.fft(stretch(x, L))
        assert np.allclose(images, np.tile(np.fft.fft(x), L), atol=1e-12 * np.abs(images).sum() + 1e-300)


@given(signals(), sizes)
def test_interleaving_undoes_polyphase_up_to_zeros_at_the_end(x: Array, L: int) -> None:
    back = interleave(polyphase(x, L), L)
    assert (back[..., : x.shape[-1]] == x).all()
    assert not back[..., x.shape[-1] :].any()
    assert back.shape[-1] - x.shape[-1] in range(L)


@given(signals(), sizes)
def test_polyphase_components_are_decimated_delays(x: Array, L: int) -> None:
    split = polyphase(x, L)
    for c in range(x.shape[-2]):
        for r in range(L):
            component = decimate(x[..., c, :], L, phase=r)
            assert (split[..., c * L + r, : component.shape[-1]] == component).all()


@given(signals(), sizes)
def test_first_noble_identity(x: Array, L: int) -> None:
    """Filter then stretch is stretch then the stretched filter."""
    h = np.array([3, -1, 2])
    low, high = stretch(convolve(x, h), L), convolve(stretch(x, L), stretch(h, L))
    assert (high[..., : low.shape[-1]] == low).all()
    assert not high[..., low.shape[-1] :].any()


@given(signals(), sizes)
def test_second_noble_identity(x: Array, M: int) -> None:
    """Decimate then filter is the stretched filter then decimate."""
    h = np.array([3, -1, 2])
    low, high = convolve(decimate(x, M), h), decimate(convolve(x, stretch(h, M)), M)
    assert (high[..., : low.shape[-1]] == low).all()


@given(signals())
def test_convolution_is_numpys(x: Array) -> None:
    h = np.array([2, 0, -3, 1])
    if x.size:
        expected = np.apply_along_axis(np.convolve, -1, x, h)
        assert (convolve(x, h) == expected).all()
        mixed = convolve(x, np.ones((2, x.shape[-2], 1), int) * h)
        assert (mixed == expected.sum(axis=-2, keepdims=True)).all()


@given(signals(), st.integers(0, 4), st.integers(0, 4), st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
def test_extension_repeats_what_the_border_rule_names(x: Array, left: int, right: int, border: str) -> None:
    time = x.shape[-1]
    far = max(left, right)
    enough = {"zeros": True, "reflect": time > far, "replicate": time > 0, "circular": time >= far}[border]
    if not (enough or far == 0):
        with pytest.raises(
            ValueError, match=f"time samples for a {border} border of .*: got {time}; allowed: at least"
        ):
            extend(x, left, right, border=border)
        return
    y = extend(x, left, right, border=border)
    for n in range(-left, time + right):
        at = source(n, time, border)
        assert (y[..., n + left] == (0 if at is None else x[..., at])).all()


@given(signals(), st.integers(-4, 12), st.integers(0, 12))
def test_window_is_the_signal_with_zeros_around_it(x: Array, start: int, length: int) -> None:
    wide = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(20, 40)])
    assert (window(x, start, length) == wide[..., 20 + start : 20 + start + length]).all()


def test_exact_numbers_stay_exact() -> None:
    third = np.array([Fraction(1, 3), Fraction(2, 3)])
    assert convolve(third, third).tolist() == [Fraction(1, 9), Fraction(4, 9), Fraction(4, 9)]
    assert stretch(third, 2).tolist() == [Fraction(1, 3), 0, Fraction(2, 3), 0]


def test_periodic_shuffle_is_another_name_of_interleave() -> None:
    assert periodic_shuffle is interleave


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "stretch by 0": (lambda: stretch([1], 0), "stretch factor: got 0; allowed: an integer >= 1"),
    "stretch by 1.5": (lambda: stretch([1], 1.5), "stretch factor: got 1.5"),  # type: ignore[arg-type]
    "stretch by True": (lambda: stretch([1], True), "stretch factor: got True"),
    "decimate by 0": (lambda: decimate([1], 0), "decimation factor: got 0"),
    "negative phase": (lambda: decimate([1], 2, phase=-1), "phase: got -1; allowed: an integer >= 0"),
    "NaN": (lambda: stretch([0, np.nan], 2), r"input: got nan at index \(1,\); allowed: finite numbers. Hint"),
    "infinity": (lambda: convolve([np.inf], [1]), "input: got inf"),
    "words": (lambda: stretch(["a"], 2), "input: got dtype <U1; allowed: integer, float, complex, or object"),
    "empty taps": (lambda: convolve([1], []), r"taps: got shape \(0,\); allowed: at least one tap"),
    "taps of two axes": (lambda: convolve([1], [[1]]), r"taps: got shape \(1, 1\); allowed: 1 axes or 3 axes"),
    "channels": (
        lambda: convolve(np.ones((2, 3)), np.ones((1, 3, 1))),
        r"input: got shape \(2, 3\); allowed: .*3, tim",
    ),
    "interleave": (
        lambda: interleave(np.ones((3, 4)), 2),
        r"input: got shape \(3, 4\); allowed: .*Hint: channels come",
    ),
    "border": (lambda: extend([1], 1, 1, border="reflct"), "border: got 'reflct'; allowed: .*did you mean 'reflect'"),
    "negative extension": (lambda: extend([1], -1, 0), "left extension: got -1"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_what_was_got_and_what_is_allowed(name: str) -> None:
    call, words = REFUSALS[name]
    with pytest.raises((ValueError, TypeError), match=words):
        call()


@given(signals(), sizes, st.sampled_from(["crd", "dcr"]))
def test_each_order_of_channels_is_its_definition_and_has_its_inverse(x: Array, L: int, order: str) -> None:
    split = polyphase(x, L, order=order)
    C, time = x.shape[-2:]
    for c in range(C):
        for r in range(L):
            channel = c * L + r if order == "crd" else r * C + c
            component = decimate(x[..., c, :], L, phase=r)
            assert (split[..., channel, : component.shape[-1]] == component).all()
    assert (interleave(split, L, order=order)[..., :time] == x).all()


def test_an_unknown_order_is_refused() -> None:
    for shuffle in (interleave, polyphase):
        with pytest.raises(ValueError, match=r"order: got 'drc'; allowed: crd, dcr\. Hint: did you mean"):
            shuffle(np.ones((2, 3)), 2, order="drc")
