"""Filtering artifacts: response, droop and edge against closed forms and brute force."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    NotAnalysable,
    StretchFilter,
    SubpixelConv,
    ZeroStuff,
    parse,
)
from dspref.arrays import Array
from dspref.spectrum import droop_db, edge_db, response

FREQS = [Fraction(k, 120) for k in range(61)]


def dirichlet(s: int) -> Array:
    """Return abs(box_s)/s at FREQS."""
    nu = np.array([float(f) for f in FREQS[1:]])
    return np.concatenate([[1], np.abs(np.sin(np.pi * s * nu) / (s * np.sin(np.pi * nu)))])


def triangle(s: int) -> FilterInterp:
    """Return linear interpolation on the integer grid: tap s passes through the input."""
    return FilterInterp(s, np.array([1 - abs(Fraction(n, s)) for n in range(1 - s, s)]), offset=s - 1)


@pytest.mark.parametrize("s", [2, 3, 4, 5, 8])
def test_interpolators_have_their_closed_forms(s: int) -> None:
    """Nearest: the Dirichlet kernel; linear: its square; Torch's with even s: times (1 + z⁻¹)/2."""
    D, half_sample = dirichlet(s), np.abs(np.cos(np.pi * np.array(FREQS, float)))
    bound = 12 * 2 * s * 2.0**-53  # of a sum of 2s taps that sum to s, over s
    assert np.abs(response(Nearest(s), FREQS)) == pytest.approx(D, abs=bound)
    assert np.abs(response(triangle(s), FREQS)) == pytest.approx(D**2, abs=bound)
    assert np.abs(response(Linear(s), FREQS)) == pytest.approx(D**2 * (1 if s % 2 else half_sample), abs=bound)


def test_twice_linear_of_torch_is_a_binomial_of_order_three() -> None:
    assert [str(v) for v in Linear(2).normal.h] == ["1/4", "3/4", "3/4", "1/4"]
    cubic = np.convolve(np.convolve([1, 1], [1, 1]), [1, 1])
    assert (Linear(2).normal.h == cubic * Fraction(1, 4)).all()


def test_the_gain_is_that_of_a_component_averaged_over_phases() -> None:
    assert response(ZeroStuff(4), FREQS).tolist() == pytest.approx([0.25] * 61)
    assert response(Nearest(4), 0) == pytest.approx(1)
    assert response(Nearest(4), 0).shape == ()
    assert response(Nearest(4), [[0.25, 0.1]]).shape == (1, 2)
    assert response(Conv(np.ones((2, 3, 1))), [0.25]).shape == (1, 2, 3)
    assert response(Nearest(4), []).shape == droop_db(Nearest(4), []).shape == (0,)
    assert response(Chain([]), [0, 0.5]).tolist() == [1, 1]


def test_layers_chains_and_normal_forms_answer_alike() -> None:
    layer = SubpixelConv(np.random.default_rng(0).normal(size=(4, 2, 3)), 2, padding=1)
    assert np.array_equal(response(layer, FREQS), response(Chain([layer]), FREQS))
    assert np.array_equal(response(layer, FREQS), response(layer.normal, FREQS))


def test_droop_is_exact_at_nulls_and_re_dc() -> None:
    levels = droop_db(Nearest(3), FREQS)
    at_null = np.array([f == Fraction(1, 3) for f in FREQS])
    assert np.isneginf(levels[at_null]).all()
    assert levels[~at_null] == pytest.approx(20 * np.log10(dirichlet(3)[~at_null]), abs=1e-12)
    assert droop_db(FilterInterp(2, np.array([7, 7])), Fraction(1, 4)) == pytest.approx(10 * np.log10(0.5))
    assert np.isneginf(
        droop_db(FilterInterp(2, np.array([0.1, 0.2, 0.1])), Fraction(1, 2))
    )  # doubles are fractions too


def test_droop_of_several_channels_is_that_of_their_power() -> None:
    w = np.random.default_rng(1).normal(size=(3, 2, 5))
    direct = np.array(
        [(np.abs(np.tensordot(w, np.exp(-2j * np.pi * f * np.arange(5)), 1)) ** 2).sum() for f in (0, 0.2)]
    )
    assert droop_db(Conv(w[..., ::-1]), 0.2) == pytest.approx(10 * np.log10(direct[1] / direct[0]))


def test_edges_have_their_closed_forms() -> None:
    assert edge_db(Nearest(2), -3) == pytest.approx(np.arccos(10**-0.15) / np.pi, rel=1e-14)
    assert edge_db(Linear(2), -3) == pytest.approx(np.arccos(10**-0.05) / np.pi, rel=1e-14)
    for s in (3, 5, 8):
        assert edge_db(triangle(s), -3) == pytest.approx(edge_db(Nearest(s), -1.5), rel=1e-13)
    assert edge_db(ZeroStuff(3), -3) is None
    assert edge_db(parse("nearest x2 | nearest x2"), -3) == pytest.approx(edge_db(Nearest(4), -3), rel=1e-14)


@pytest.mark.parametrize("seed", range(12))
def test_an_edge_is_the_first_crossing(seed: int) -> None:
    h = np.random.default_rng(seed).normal(size=9) + 0.5
    edge = edge_db(StretchFilter(2, h), -3)
    dense = 20 * np.log10(np.abs(np.fft.rfft(h, 1 << 16)) / abs(h.sum()))
    below = np.flatnonzero(dense < -3)
    assert (edge is None) == (below.size == 0)
    if edge is not None:
        assert (below[0] - 1) / (1 << 16) <= edge <= below[0] / (1 << 16)


@pytest.mark.parametrize("freq", [Fraction(2, 3), -0.51, "3/4", 1])
def test_frequencies_beyond_half_the_rate_are_refused(freq: Any) -> None:
    for ask in (response, droop_db):
        with pytest.raises(ValueError, match=r"frequency: got .*; allowed: −1/2 … 1/2, up to half the output rate"):
            ask(Nearest(2), freq)


@pytest.mark.parametrize(
    ("freq", "error"), [(np.nan, ValueError), (np.inf, ValueError), ("x", ValueError), (1j, TypeError)]
)
def test_what_is_no_frequency_is_refused(freq: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"allowed: real numbers, in cycles per sample"):
        response(Nearest(2), freq)


def test_symbols_are_sent_where_they_are_kept() -> None:
    a = sympy.Symbol("a")
    for u in (
        FilterInterp(2, np.array([a, 1])),
        StretchFilter(2, np.array([a, 1])),
        Chain([Nearest(2), Conv(np.array([[[a]]]))]),
    ):
        with pytest.raises(NotAnalysable, match=r"got symbols in .*dspref.symbolic keeps symbols"):
            response(u, 0)


def test_levels_without_a_reference_are_refused() -> None:
    for ask in (
        lambda: droop_db(FilterInterp(1, np.array([1, -1])), 0.1),
        lambda: edge_db(FilterInterp(1, np.array([1, -1])), -3),
    ):
        with pytest.raises(ValueError, match=r"level re DC: got no gain at DC"):
            ask()
    with pytest.raises(ValueError, match=r"level of the edge: got 3.0 dB; allowed: below 0 dB re DC"):
        edge_db(Nearest(2), 3)


@pytest.mark.parametrize("words", ["conv k9 p4", "nearest x2 | relu", "linear x2 corners"])
def test_what_is_not_known_is_refused(words: str) -> None:
    with pytest.raises(NotAnalysable):
        response(parse(words), 0)
