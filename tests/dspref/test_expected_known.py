"""Known weights: the formula of lines term by term, the floor from the transfer function; and the mean over weights."""

from __future__ import annotations

import cmath
import math
from itertools import product

import numpy as np
import pytest

from dspref import Chain, Linear, Outline, TransposedConv
from dspref.arrays import Array, NotAnalysable
from dspref.chain import Pointwise, as_chain
from dspref.expected import Drawn, Source, expected_spectrum, fixed
from dspref.expected.known import known_spectrum
from dspref.layers import Conv, SubpixelConv
from dspref.spectrum.noise import output_psd

RNG = np.random.default_rng(5)
UP = TransposedConv(RNG.normal(size=(2, 3, 5)), stride=3, padding=1, bias=RNG.normal(size=3))
SUB = SubpixelConv(RNG.normal(size=(4, 3, 3)), factor=2, padding=1, bias=RNG.normal(size=4))
CONV = Conv(RNG.normal(size=(2, 2, 2)), bias=RNG.normal(size=2))
CHAIN = Chain([UP, SUB, Linear(2), CONV])


def formula(chain: Chain, c: float, k: int) -> Array:
    """Return c_k as the equation has it: each source through the layers behind it."""
    P, total, A = chain.factor, np.zeros(2, complex), 1
    behind: Array = np.eye(2, dtype=complex)
    for stage in reversed(chain.stages):  # A: the factor behind the stage
        s, u = int(stage.factor), as_chain(stage).collapse()
        if stage.bias_phases is not None and k * A * stage.bias_phases.shape[-1] % P == 0:
            b = stage.bias_phases
            B = np.array([cmath.exp(-2j * cmath.pi * k * A * r / P) for r in range(b.shape[-1])])
            total = total + behind @ (b @ B) / (A * b.shape[-1])
        e = np.exp(-2j * cmath.pi * A * k / P * (np.arange(u.h.shape[-1]) - u.offset))
        behind = behind * (u.h @ e) if u.h.ndim == 1 else behind @ (u.h @ e)
        A *= s
    return np.asarray(total + behind @ np.full(behind.shape[1], c) / P)


def test_lines_are_those_of_the_formula() -> None:
    known = known_spectrum(CHAIN, Source(2, constant=0.7))
    assert known.lines is not None
    rounding = 1e-13 * known.lines.max()  # sums of some 10² products
    for k in range(CHAIN.factor):
        assert known.line(k) == pytest.approx(float((abs(formula(CHAIN, 0.7, k)) ** 2).mean()), rel=1e-12, abs=rounding)
    assert known.exact
    assert known.noise == 0


@pytest.mark.parametrize("r", [(1.0,), (1.25, 0.5)])
def test_the_floor_is_that_of_the_transfer_function(r: tuple[float, ...]) -> None:
    nu = np.linspace(-0.5, 0.5, 41)
    known = known_spectrum(CHAIN, Source(2, covariance=r))

    def density(f: Array) -> Array:
        return np.asarray(r[0] + sum(2 * x * np.cos(2 * math.pi * f * n) for n, x in enumerate(r[1:], 1)))

    due = output_psd(CHAIN, nu, psd=density).mean(axis=-1)
    np.testing.assert_allclose(known.floor(nu), due, rtol=0, atol=1e-12 * due.max())


def test_filters_that_treat_channels_alike() -> None:
    known = known_spectrum(Chain([Linear(4)]), Source(3, constant=1.0, covariance=(1.0,)))
    due = expected_spectrum((fixed(Linear(4)),), Source(3, constant=1.0, covariance=(1.0,)))
    np.testing.assert_allclose([known.line(k) for k in range(4)], [due.line(k) for k in range(4)], rtol=0, atol=1e-15)
    np.testing.assert_allclose(known.floor([0, 0.1, 0.25]), due.floor([0, 0.1, 0.25]), rtol=0, atol=1e-14)


def test_its_mean_over_all_weights_is_the_expected_spectrum() -> None:
    """Weights and biases ±σ: 2⁹ chains, one after another, against the recursion of second moments."""
    source = Source(1, constant=1.0, covariance=(0.5, 0.2))
    first = Drawn("convt", 1, 1, 3, factor=2, weight=0.7, bias=0.3)
    second = Drawn("shuffle", 1, 1, 1, factor=2, weight=0.4, bias=0.2)
    lines, floor, nu = np.zeros(4), np.zeros(9), np.linspace(0, 0.5, 9)
    for signs in product((1.0, -1.0), repeat=8):
        w, b = math.sqrt(0.7) * np.array(signs[:3]), math.sqrt(0.3) * np.array(signs[3:4])
        v, d = math.sqrt(0.4) * np.array(signs[4:6]), math.sqrt(0.2) * np.array(signs[6:])
        up = TransposedConv(w.reshape(1, 1, 3), stride=2, bias=b)
        known = known_spectrum(Chain([up, SubpixelConv(v.reshape(2, 1, 1), factor=2, bias=d)]), source)
        assert known.lines is not None
        lines, floor = lines + known.lines / 2**8, floor + known.floor(nu) / 2**8
    expected = expected_spectrum((first, second), source)
    np.testing.assert_allclose(lines, [expected.line(k) for k in range(4)], rtol=1e-12)
    np.testing.assert_allclose(floor, expected.floor(nu), rtol=1e-12)


def test_what_has_no_weights_is_refused() -> None:
    with pytest.raises(NotAnalysable, match="none, or nonlinear: relu, conv"):
        known_spectrum(Chain([UP, Pointwise("relu"), Outline("conv", 3)]), Source(2))
    with pytest.raises(ValueError, match="got 3; allowed: 2"):
        known_spectrum(CHAIN, Source(3))


def test_noise_that_all_channels_share() -> None:
    """Of h (out, in, taps), the sum over inputs makes the floor; of two equal inputs, twice what two noises make."""
    white = Source(2, covariance=(1.0, 0.3), mono=True)
    one = TransposedConv(np.asarray(UP.weight).sum(axis=0, keepdims=True), stride=3, padding=1)
    mono, due = known_spectrum(Chain([UP]), white), known_spectrum(Chain([one]), Source(1, covariance=(1.0, 0.3)))
    np.testing.assert_allclose(mono.covariance, due.covariance, rtol=0, atol=1e-13 * due.covariance[0])
    twins = Chain([Conv(np.ones((1, 2, 3)))])
    assert known_spectrum(twins, white).noise == 2 * known_spectrum(twins, Source(2, covariance=(1.0, 0.3))).noise
    alone = known_spectrum(Chain([Linear(4)]), white)
    np.testing.assert_allclose(
        alone.covariance, known_spectrum(Chain([Linear(4)]), Source(2, 0.0, (1.0, 0.3))).covariance
    )


def test_noise_of_which_a_part_is_private_is_a_sum_of_two() -> None:
    shared, private = Source(2, covariance=(1.0, 0.3), mono=True), Source(2, covariance=(0.5,))
    both, *alone = (known_spectrum(CHAIN, each).floor([0.0, 0.1, 0.37]) for each in (shared + private, shared, private))
    np.testing.assert_allclose(both, sum(alone), rtol=1e-12)
