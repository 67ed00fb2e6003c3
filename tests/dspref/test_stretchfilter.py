"""The normal form: borders, composition, phases, steady state."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.signal
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import NotAnalysable, StretchFilter, TransposedConv
from dspref.arrays import BORDERS, Array
from dspref.stretchfilter import mirror

BORDER = st.sampled_from(BORDERS)


@st.composite
def filters(draw: st.DrawFn, inner: int = 1, border: str | None = None) -> StretchFilter:
    """Draw a normal form with whole-number taps, crops and delays of every sign."""
    L, taps = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    out = draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    h = rng.integers(1, 5, (out, inner, taps)) * rng.choice([-1, 1], (out, inner, taps))
    if inner == 1 and draw(st.booleans()):
        h = h[0, 0]
    offset, excess = draw(st.integers(-3, taps + 3)), draw(st.integers(-6, 6))
    return StretchFilter(L, h, offset=offset, excess=excess, border=border or draw(BORDER))


def signal(u: StretchFilter, time: int, seed: int = 0) -> Array:
    channels = u.h.shape[1] if u.h.ndim == 3 else 1
    return np.random.default_rng(seed).integers(1, 10, (channels, time))


@given(filters(inner=2), st.integers(8, 14))
def test_call_is_the_dense_matrix(u: StretchFilter, time: int) -> None:
    x = signal(u, time)
    assert (u(x).ravel() == u.as_matrix(time) @ x.ravel()).all()


@given(filters(border="zeros"), st.integers(24, 30))
def test_nothing_in_steady_depends_on_the_border(u: StretchFilter, time: int) -> None:
    x = signal(u, time)
    others = [dataclasses.replace(u, border=border)(x) for border in BORDERS]
    for y in others:
        assert (y[..., u.steady(time)] == others[0][..., u.steady(time)]).all()


@given(filters(border="zeros"), st.integers(1, 18))
def test_steady_holds_every_sample_that_looks_at_no_border(u: StretchFilter, time: int) -> None:
    """On the grid of L·time samples it is tight: a sample is out only if its taps reach beyond an end.

    Where stamps leave gaps (L > taps), samples in a gap look at nothing, and up to a period of them is left out.
    """
    u = dataclasses.replace(u, L=min(u.L, u.h.shape[-1]))
    on_grid = range(min(u.length(time), u.L * time))
    inside = [m for m in on_grid if not touches_a_border(u, m, time)]
    assert inside == list(on_grid)[u.steady(time)]


def touches_a_border(u: StretchFilter, m: int, time: int) -> bool:
    """Return whether output m weighs an input sample before 0 or after the last."""
    beyond = [*range(-60, 0), *range(time, time + 60)]
    return any(0 <= m + u.offset - n * u.L < u.h.shape[-1] for n in beyond)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[StretchFilter, StretchFilter]:
    first = draw(filters())
    return first, draw(filters(inner=first.h.shape[0] if first.h.ndim == 3 else 1))


@given(pairs(), st.integers(24, 30))
def test_composition_is_one_after_the_other_where_it_is_steady(
    pair: tuple[StretchFilter, StretchFilter], time: int
) -> None:
    first, then = pair
    both, x = then @ first, signal(first, time)
    apart, together = then(first(x)), both(x)
    assert together.shape == apart.shape
    assert (together[..., both.steady(time)] == apart[..., both.steady(time)]).all()


def test_composition_is_exact_everywhere_if_nothing_is_cropped() -> None:
    first, then = (TransposedConv(np.arange(1, 8).reshape(1, 1, 7), stride=s).normal for s in (2, 3))
    x = signal(first, 6)
    assert ((then @ first)(x) == then(first(x))).all()


def test_a_first_layer_cropped_by_more_than_its_kernel() -> None:
    """The second layer then sees zeros where the collapsed one sees more of the signal: `steady` knows."""
    rng = np.random.default_rng(1)
    first = TransposedConv(rng.integers(1, 9, (1, 2, 3)), stride=2, padding=6).normal
    then = TransposedConv(rng.integers(1, 9, (2, 1, 5)), stride=2, padding=1).normal
    both, x = then @ first, signal(first, 20)
    apart, together = then(first(x)), both(x)
    steady = both.steady(20)
    assert steady.stop - steady.start >= 40
    assert (together[..., steady] == apart[..., steady]).all()
    assert (together != apart).any()


@st.composite
def triples(draw: st.DrawFn) -> tuple[StretchFilter, StretchFilter, StretchFilter]:
    a, b = draw(pairs())
    return a, b, draw(filters(inner=(b if b.h.ndim == 3 else a).h.shape[0] if b.h.ndim + a.h.ndim > 2 else 1))


@given(triples())
def test_composition_is_associative(triple: tuple[StretchFilter, StretchFilter, StretchFilter]) -> None:
    a, b, c = triple
    left, right = (c @ b) @ a, c @ (b @ a)
    assert (left.L, left.offset, left.excess, left.border) == (right.L, right.offset, right.excess, right.border)
    assert left.h.shape == right.h.shape
    assert (left.h == right.h).all()


@given(triples(), st.integers(24, 30))
def test_steady_is_sound_however_three_layers_are_bracketed(
    triple: tuple[StretchFilter, StretchFilter, StretchFilter], time: int
) -> None:
    a, b, c = triple
    x = signal(a, time)
    apart = c(b(a(x)))
    for both in ((c @ b) @ a, c @ (b @ a)):
        assert (both(x)[..., both.steady(time)] == apart[..., both.steady(time)]).all()


@given(filters(inner=2, border="zeros"))
def test_phases_interleave_to_the_taps_in_order_of_output(u: StretchFilter) -> None:
    for r in range(u.L):
        taps = u.h[..., (r + u.offset) % u.L :: u.L]
        assert (u.phases[r][..., : taps.shape[-1]] == taps).all()
        assert not u.phases[r][..., taps.shape[-1] :].any()


@given(filters(inner=2, border="replicate"))
def test_phase_gains_are_the_steady_output_for_a_constant(u: StretchFilter) -> None:
    time = 20
    y = u(np.ones((2, time), int))[:, u.steady(time)]
    where = np.arange(u.steady(time).start, u.steady(time).start + y.shape[-1])
    assert y.shape[-1] >= u.L
    assert (y == u.phase_gains.sum(axis=-1)[where % u.L].T).all()


@given(filters(inner=2), st.floats(0, 0.5))
def test_response_is_the_transform_of_the_taps(u: StretchFilter, freq: float) -> None:
    n = np.arange(u.h.shape[-1]) - u.offset
    assert np.allclose(u.response(freq), (u.h * np.exp(-2j * np.pi * freq * n)).sum(axis=-1), atol=1e-12, rtol=0)


def test_response_of_a_composition_is_the_product_of_responses() -> None:
    first, then = StretchFilter(2, np.array([1, 3, 2]), offset=1), StretchFilter(3, np.array([1, -2, 4, 1]), offset=2)
    freq = np.linspace(0, 0.5, 11)
    product = then.response(freq) * first.response(3 * freq)
    assert np.allclose((then @ first).response(freq), product, atol=1e-12, rtol=0)


def test_group_delay_is_scipys_less_the_offset() -> None:
    h = np.array([1.0, 3.0, 0.5, -0.25, 2.0])
    for freq in (0.01, 0.1, 0.3):
        _, delay = scipy.signal.group_delay((h, [1.0]), w=[2 * np.pi * freq])
        assert abs(StretchFilter(1, h, offset=2).group_delay(freq) - (delay[0] - 2)) < 1e-9


def test_group_delay_at_zero_is_exact() -> None:
    u = StretchFilter(2, np.array([Fraction(1, 4), Fraction(3, 4), Fraction(3, 4), Fraction(1, 4)]), offset=1)
    assert u.group_delay() == Fraction(1, 2)
    with pytest.raises(ValueError, match="group delay: got a null of the response at 0"):
        StretchFilter(1, np.array([1, -1])).group_delay()


def test_it_is_a_value() -> None:
    h = np.array([1, 2, 3])
    u = StretchFilter(2, h)
    h[0] = 9
    assert u == StretchFilter(2, np.array([1, 2, 3]))
    assert hash(u) == hash(StretchFilter(2, np.array([1, 2, 3])))
    assert u != StretchFilter(2, np.array([1.0, 2.0, 3.0]))
    assert u != StretchFilter(2, np.array([1, 2, 3]), offset=1)
    with pytest.raises(ValueError, match="read-only"):
        u.h[0] = 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        u.L = 3  # type: ignore[misc]


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "factor": (lambda: StretchFilter(0, np.array([1])), "stretch factor L: got 0; allowed: an integer >= 1"),
    "taps": (lambda: StretchFilter(1, np.array([])), r"taps h: got shape \(0,\)"),
    "rank of taps": (
        lambda: StretchFilter(1, np.array([[1]])),
        r"taps h: got shape \(1, 1\); allowed: .*Hint: taps are the last",
    ),
    "NaN": (lambda: StretchFilter(1, np.array([np.nan])), r"taps h: got nan at index \(0,\)"),
    "border": (
        lambda: StretchFilter(1, np.array([1]), border="edge"),
        "border: got 'edge'; allowed: zeros, reflect, rep",
    ),
    "channels": (lambda: StretchFilter(1, np.ones((1, 2, 1)))([[1]]), "input channels: got 1; allowed: 2"),
    "rank of input": (
        lambda: StretchFilter(1, np.array([1]))([1, 2]),
        r"input: got shape \(2,\); allowed: shape .*Hint: write",
    ),
    "no output": (
        lambda: StretchFilter(1, np.array([1]), excess=-2)([[1]]),
        "output length for 1 input samples: got -1",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_what_was_got_and_what_is_allowed(name: str) -> None:
    call, words = REFUSALS[name]
    with pytest.raises(ValueError, match=words):
        call()


def test_a_float_null_has_no_group_delay() -> None:
    """The sum of three phasors is 1e-16, not 0."""
    for freq in (1 / 3, 1 / 5, 0.3):
        taps = int(1 / freq) if freq != 0.3 else 10
        with pytest.raises(ValueError, match="group delay: got a null of the response at"):
            StretchFilter(3, np.ones(taps)).group_delay(freq)
    with pytest.raises(ValueError, match="group delay: got a null"):
        StretchFilter(1, np.array([0.1, 0.2, -0.3])).group_delay()
    assert StretchFilter(3, np.ones(3)).group_delay(1 / 3 + 1e-6) == pytest.approx(1, abs=1e-6)
    half = StretchFilter(1, np.array([Fraction(1, 2), Fraction(1, 2)]))
    assert half.group_delay(0.25) == pytest.approx(0.5)


@pytest.mark.parametrize("border", ["zeros", "reflect", "replicate", "circular"])
def test_a_composition_has_the_border_of_its_first(border: str) -> None:
    first, then = StretchFilter(2, np.array([1, 2, 1]), offset=1, border=border), StretchFilter(1, np.array([1]))
    x = np.array([[1, -2, 5, 7]])
    assert (then @ first).border == border
    assert ((then @ first)(x) == then(first(x))).all()
    assert (first @ StretchFilter(1, np.array([1]))).border == "zeros"


def test_what_does_not_compose_is_refused() -> None:
    with pytest.raises(
        ValueError, match="channels of a composition: got 3 out of the first; allowed: 2, as the second"
    ):
        StretchFilter(1, np.ones((1, 2, 1))) @ StretchFilter(2, np.ones((3, 1, 1)))
    with pytest.raises(TypeError, match="unsupported operand"):
        StretchFilter(1, np.ones(1)) @ 3  # type: ignore[operator]


def test_the_matrix_is_refused_in_the_words_of_the_call() -> None:
    u = StretchFilter(1, np.ones(5, int), offset=2, border="reflect")
    for ask in (u.as_matrix, lambda time: u(np.ones((1, time), int))):
        with pytest.raises(
            ValueError, match=r"time samples for a reflect border of \(2, 2\): got 2; allowed: at least 3"
        ):
            ask(2)
    with pytest.raises(ValueError, match=r"time samples for a reflect border .*: got 2; allowed: at least 3"):
        mirror(-2, 2, "reflect")
    with pytest.raises(ValueError, match="time: got -1; allowed: an integer >= 0"):
        u.as_matrix(-1)
    with pytest.raises(ValueError, match="output length for 1 input samples: got -1; allowed: at least 1"):
        StretchFilter(1, np.ones(1), excess=-2).as_matrix(1)


def test_symbols_have_no_response() -> None:
    u = StretchFilter(2, np.array([sympy.Symbol("a"), 1]))
    with pytest.raises(NotAnalysable, match="response: got symbolic taps; allowed: numbers"):
        u.response(0.25)
    with pytest.raises(NotAnalysable, match="group delay: got symbolic taps; allowed: numbers"):
        u.group_delay(0.25)
