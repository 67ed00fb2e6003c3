"""Tone-free layers in the theory of drawn networks: branches of fixed filters, and closed forms of one layer."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from dspref import NotAnalysable, Pointwise
from dspref.designs import projector
from dspref.expected import (
    Drawn,
    Network,
    Source,
    Step,
    expected_spectrum,
    network,
    rarity,
    remaining_lines,
    tone_free_basis,
    tone_free_network,
)
from dspref.expected.filters import Fixed
from dspref.expected.tonefree import shared_excess

U = 2.0**-53
RELU = Pointwise("relu")


@pytest.mark.parametrize(
    ("K", "s", "p"), [(4, 4, 1), (7, 3, 1), (16, 8, 1), (7, 3, 3), (16, 8, 2), (11, 2, 4), (32, 2, 16)]
)
def test_a_basis_is_orthonormal_and_its_products_are_the_projection(K: int, s: int, p: int) -> None:
    basis = tone_free_basis(K, s, order=p)
    assert basis.shape == (K - p * (s - 1), K)
    assert np.abs(basis @ basis.T - np.eye(len(basis))).max() <= 8 * K * U
    assert np.abs(basis.T @ basis - projector(K, s, order=p).astype(float)).max() <= 8 * K**2 * U


@pytest.mark.parametrize(("K", "s", "p"), [(8, 4, 1), (7, 4, 1), (9, 3, 2)])
def test_second_moments_are_those_of_projected_taps(K: int, s: int, p: int) -> None:
    """Of coloured noise: the covariance of n and m is σ_w² Σ P[k, l] R[(n − k)/s − (m − l)/s], term by term."""
    layer, R = Drawn("convt", 3, 2, K, s, weight=Fraction(1, 5), bias=Fraction(1, 4)), (2.0, 0.5)
    found = expected_spectrum(tone_free_network([layer], order=p), Source(3, covariance=R))
    P = projector(K, s, order=p).astype(float)
    for lag in range(K + s + 1):
        terms = [
            P[k, m] * R[abs(t)]
            for n in range(s)
            for k in range(n, K, s)
            for m in range((n + lag) % s, K, s)
            if abs(t := (n - k) // s - (n + lag - m) // s) < len(R)
        ]
        own = found.covariance[found.lags == lag].sum()
        assert abs(own - 3 / 5 / s * sum(terms)) <= 100 * K * U
    assert abs(found.line(0) - 0.25) <= 10 * U  # the bias, once


def test_the_phases_of_a_sub_pixel_convolution_share_the_mean_of_their_biases() -> None:
    found = expected_spectrum(tone_free_network([Drawn("shuffle", 2, 3, 3, 4, bias=Fraction(1, 5))]), Source(2))
    assert abs(found.line(0) - 1 / 20) <= 10 * U
    assert max(abs(found.line(k)) for k in (1, 2)) <= 10 * U


def test_a_constant_makes_no_line() -> None:
    """Through layers and maps; as drawn it makes all of them."""
    steps: list[Step] = [Drawn("conv", 8, 8, 3), RELU, Drawn("convt", 8, 8, 8, 4), RELU, Drawn("convt", 8, 1, 4, 2)]
    source = Source(8, constant=1.0)
    raw, cured = (expected_spectrum(net, source) for net in (network(steps), tone_free_network(steps)))
    assert min(raw.line(k) for k in range(5)) > 1e-4 * raw.line(0)
    assert max(abs(cured.line(k)) for k in range(1, 5)) <= 100 * U * cured.line(0)


@pytest.mark.parametrize("kurtosis", [Fraction(9, 5), 3], ids=["uniform", "normal"])
@pytest.mark.parametrize(
    ("K", "s", "p"), [(8, 4, 1), (4, 2, 1), (16, 8, 1), (7, 4, 1), (8, 2, 1), (12, 4, 1), (9, 3, 1)]
)
def test_lines_left_over_are_those_of_the_network_of_branches(K: int, s: int, p: int, kurtosis: Fraction) -> None:
    """Both have all terms of order 1/C of white noise, and differ in the next."""
    C = 4096
    layer, noise = Drawn("convt", C, C, K, s, bias=0, kurtosis=kurtosis), Source(C, covariance=(1.0,))
    net = expected_spectrum(tone_free_network([layer, RELU], order=p), noise)
    due = remaining_lines(layer, RELU, noise, order=p).lines
    seen = np.array([net.line(k) for k in range(s // 2 + 1)])
    assert np.abs(seen[1:] / due[1:] - 1).max() <= 1 / C


def test_names_and_other_layers_stay() -> None:
    steps: list[Step] = [Drawn("conv", 4, 4, 3), RELU, Drawn("convt", 4, 2, 2, 2), Drawn("convt", 2, 2, 3)]
    net = tone_free_network(steps)
    assert isinstance(net, Network)
    assert net.output == "4"
    assert [node.op for node in net if "~" not in node.name][:2] == steps[:2]
    assert next(node.op for node in net if node.name == "4") == steps[3]
    assert [node.name for node in net if node.name.startswith("3")] == ["3~0.taps", "3~0", "3"]


@pytest.mark.parametrize(("K", "s", "p"), [(4, 2, 1), (5, 2, 1), (8, 2, 1), (8, 4, 1), (9, 3, 1), (9, 3, 2), (8, 2, 2)])
def test_powers_of_phases_differ_as_those_of_all_patterns_of_signs(K: int, s: int, p: int) -> None:
    """Of signs κ₄ is 1: Σ_k of E abs(q_k)² − abs(E q_k)², enumerated, and by independent coordinates of the excess."""
    basis, k = tone_free_basis(K, s, order=p), np.arange(1, s)
    turns = np.exp(2j * np.pi * np.outer(np.arange(K), k) / s)
    q = (np.array(list(product((-1, 1), repeat=K))) @ basis.T @ basis) ** 2 @ turns
    seen = (np.abs(q - q.mean(0)) ** 2).mean(0).sum()
    B = np.array([basis * turn @ basis.T for turn in turns.T])
    own = (np.abs(np.diagonal(B, axis1=1, axis2=2)) ** 2).sum()
    due = 2 * (np.abs(B) ** 2).sum() - 2 * shared_excess(basis, s) * own
    assert abs(seen - due) <= 100 * K**2 * U * s


def test_branches_keep_groups_and_places() -> None:
    """The projection by the filters' places; of n = 2 and 3 taps for each phase, weights of one law."""
    K, s, d = 5, 2, 3
    net = list(tone_free_network([Drawn("convt", 4, 2, K, s, dilation=d, groups=2, kurtosis=Fraction(9, 5))]))
    filters, weights = ([node.op for node in net if isinstance(node.op, kind)] for kind in (Fixed, Drawn))
    for weight in weights:
        assert isinstance(weight, Drawn)
        assert weight.groups == 2
        assert abs(float(weight.kurtosis) - 3 + 1.2 * shared_excess(tone_free_basis(K, s), s)) <= 8 * U
    taps = np.array([each.h for each in filters if isinstance(each, Fixed)])
    spread = np.zeros((d * K - d + 1,) * 2)
    spread[::d, ::d] = projector(K, s).astype(float)
    assert np.abs(taps.T @ taps - spread).max() <= 8 * K**2 * U


NOISE = Source(2, covariance=(1.0,))

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a dilation": (lambda: tone_free_network([Drawn("convt", 1, 1, 8, 4, dilation=2)]), "dilation of 1"),
    "sub-pixel": (lambda: tone_free_network([Drawn("shuffle", 1, 1, 3, 4, dilation=2)], order=2), "dilation of 1"),
    "alike": (lambda: tone_free_network([Drawn("shuffle", 1, 1, 3, 4, icnr=True)], order=2), "begin alike"),
    "few taps": (lambda: tone_free_network([Drawn("convt", 1, 1, 3, 4)]), "3 taps for factor 4"),
    "an order": (lambda: tone_free_basis(8, 4, order=3), "order: got 3 with 8 taps of factor 4; allowed: at most 2"),
    "a gate": (lambda: remaining_lines(Drawn("convt", 2, 2, 8, 4, bias=0), Pointwise("glu"), NOISE), "map: got glu"),
    "a bias": (lambda: remaining_lines(Drawn("convt", 2, 2, 8, 4), RELU, NOISE), "bias variance 1/48"),
    "a constant": (lambda: remaining_lines(Drawn("convt", 2, 2, 8, 4, bias=0), RELU, Source(2, 1.0)), "noise alone"),
    "channels": (
        lambda: remaining_lines(Drawn("convt", 3, 2, 8, 4, bias=0), RELU, Source(2, covariance=(1.0,))),
        "each of 3 channels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_covered_is_refused(name: str) -> None:
    call, words = REFUSED[name]
    with pytest.raises(NotAnalysable, match=words):
        call()


def test_a_dilation_that_shares_no_factor_turns_the_phases() -> None:
    """Of constants no line; noise has the variances of the same taps, side by side."""
    plain, dilated = (Drawn("convt", 4, 4, 6, 3, dilation=d, bias=0) for d in (1, 2))
    noise, ones = Source(4, covariance=(1.0,)), Source(4, constant=1.0)
    a, b = (expected_spectrum(tone_free_network([layer]), noise) for layer in (plain, dilated))
    assert abs(a.noise - b.noise) <= 10 * U
    cured = expected_spectrum(tone_free_network([dilated]), ones)
    assert max(abs(cured.line(k)) for k in (1, 2)) <= 100 * U * cured.line(0)


def test_rarity_is_of_noise_over_offsets_whatever_the_unit() -> None:
    """One where there are no offsets; scaled alike, the same, near the ends of what double precision has."""
    assert rarity(2.0, 0.0) == 1.0
    assert {rarity(scale, 100 * scale) for scale in (2.0**-1000, 1.0, 2.0**1000)} == {rarity(1.0, 100.0)}
    assert abs(rarity(1e-300, 1e300) / 1e300 - 1) <= 10 * U


@pytest.mark.parametrize(("noise", "offsets", "words"), [(0.0, 1.0, "noise: got 0"), (1.0, -1.0, "offsets: got -1")])
def test_rarity_refuses_what_is_no_variance(noise: float, offsets: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rarity(noise, offsets)
