"""Descriptions of networks: Torch's variances, laws of initialisation, and all that is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dspref import Linear, Nearest, TransposedConv
from dspref.advice.combs import expected_lines
from dspref.advice.plans import Plan
from dspref.arrays import NotAnalysable
from dspref.chain import Pointwise
from dspref.expected import (
    Concat,
    Drawn,
    Fixed,
    Gate,
    Source,
    Step,
    Sum,
    Unknown,
    average_pool,
    expected_spectrum,
    fixed,
    initialised,
    rescaled,
)
from dspref.expected.spectrum import LARGEST
from dspref.initial.defaults import torch_default

RELU, GLU = Pointwise("relu"), Pointwise("glu")
NOISE, ONES = Source(4, covariance=(1.0,)), Source(4, constant=1.0)
CONV, UP = Drawn("conv", 4, 4, 3), Drawn("convt", 4, 4, 8, factor=4)


@pytest.mark.parametrize("op", ["conv", "convt", "shuffle"])
@pytest.mark.parametrize("groups", [1, 2])
def test_variances_are_those_of_torch(op: str, groups: int) -> None:
    layer = Drawn(op, 6, 4, 5, factor=2, groups=groups)
    default = torch_default(op, 6, 4, 5, factor=2, groups=groups)
    assert layer.fans[0] == default.fan_in
    assert layer.weight == layer.bias == default.law.variance
    density = Fraction(5, 2) if op == "convt" else 5
    assert layer.gain * density == default.gain
    assert Drawn(op, 6, 4, 5, factor=2, groups=groups, bias=0).bias == 0


def test_laws() -> None:
    """Variances by the formulas of Torch's functions, whose fans are those of weight.shape."""
    layer = Drawn("convt", 8, 4, 16, factor=8)  # weight (8, 4, 16): fan_in 64, fan_out 128
    assert initialised(layer, "kaiming", scale=math.sqrt(2)).weight == pytest.approx(2 / 64)
    assert initialised(layer, "xavier").weight == pytest.approx(2 / 192)
    assert initialised(layer, "normal", scale=0.02).weight == pytest.approx(4e-4)
    assert initialised(layer, "uniform", scale=0.3).weight == pytest.approx(0.03)
    assert initialised(layer, "normal", scale=0.02).bias == layer.bias
    assert initialised(layer, "normal", scale=0.02, bias=0).bias == 0
    assert initialised(initialised(layer, "normal"), "default") == layer
    assert Drawn("shuffle", 8, 4, 3, factor=2).fans == (24, 24)  # weight (8, 8, 3)
    icnr = initialised(Drawn("shuffle", 8, 4, 3, factor=2), "icnr")
    assert icnr.icnr
    assert icnr.weight == Fraction(1, 72)
    with pytest.raises(NotAnalysable, match="taps depend on each other"):
        initialised(layer, "orthogonal")
    with pytest.raises(ValueError, match="did you mean 'kaiming'"):
        initialised(layer, "kaimin")


def test_rescaling_divides_weights_and_biases_alike() -> None:
    """Drawn weights, divided as Demucs does: by the root of their deviation over the reference."""
    rng = np.random.default_rng(0)
    layer = Drawn("conv", 30, 40, 8)
    bound = math.sqrt(3 * layer.weight)
    w, b = rng.uniform(-bound, bound, (40, 30, 8)), rng.uniform(-bound, bound, 4000)
    scale = math.sqrt(w.std() / 0.1)
    found = rescaled(layer, 0.1)
    assert (w / scale).var() == pytest.approx(found.weight, rel=5 * math.sqrt(0.8 / w.size))
    assert (b / scale).var() == pytest.approx(found.bias, rel=5 * math.sqrt(0.8 / b.size))
    assert found.weight / found.bias == pytest.approx(1, rel=1e-14)
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="reference"):
            rescaled(layer, bad)


def test_icnr_is_a_convolution_and_nearest_neighbours() -> None:
    """Without biases, sub-pixel convolution under ICNR and nearest behind a convolution are one thing."""
    icnr = Drawn("shuffle", 4, 4, 3, factor=3, bias=0, icnr=True)
    plain = Drawn("conv", 4, 4, 3, bias=0, weight=icnr.weight)
    source = Source(4, constant=1.0, covariance=(1.0, 0.5))
    one = expected_spectrum([UP, icnr], source, route="full")
    other = expected_spectrum([UP, plain, fixed(Nearest(3))], source, route="full")
    assert one.lines is not None
    assert other.lines is not None
    assert np.allclose(one.lines, other.lines, rtol=1e-13, atol=1e-16)
    nu = np.linspace(0, 0.5, 11)
    assert np.allclose(one.floor(nu), other.floor(nu), rtol=1e-12, atol=1e-15)


PLANNED: dict[str, tuple[tuple[Plan, ...], tuple[Step, ...]]] = {
    "transposed": (
        (Plan("transposed", 4, (4, 2), 7), Plan("transposed", 2, (2, 2), 4)),
        (Drawn("convt", 4, 2, 7, factor=4), Pointwise("leaky", (0.2,)), Drawn("convt", 2, 2, 4, factor=2)),
    ),
    "sub-pixel": (
        (Plan("subpixel", 3, (4, 2), 5), Plan("subpixel", 2, (2, 2), 3, init="icnr")),
        (
            Drawn("shuffle", 4, 2, 5, factor=3),
            Pointwise("leaky", (0.2,)),
            Drawn("shuffle", 2, 2, 3, factor=2, icnr=True),
        ),
    ),
    "nearest": (
        (Plan("transposed", 2, (4, 2), 3), Plan("nearest", 3, (2, 2), 3, taps=(1.0, 1.0, 1.0))),
        (
            Drawn("convt", 4, 2, 3, factor=2),
            Pointwise("leaky", (0.2,)),
            fixed(Nearest(3)),
            Drawn("conv", 2, 2, 3),
        ),
    ),
}


@pytest.mark.parametrize("name", PLANNED)
def test_lines_are_those_that_advice_expects(name: str) -> None:
    """`dspref.advice` writes covariances of taps out, tap by tap, for constants and leaky rectifiers."""
    plans, steps = PLANNED[name]
    found = expected_spectrum(steps, Source(4, constant=1.0), route="full")
    assert found.lines is not None
    assert np.allclose(found.lines[: found.period // 2 + 1], expected_lines(plans), rtol=1e-12, atol=1e-16)


def test_colour_is_carried_to_the_floor() -> None:
    """Nearest by 2 of noise with r = (1, 1/2): ``S(2ν) abs(H(ν))²/2`` of the mean."""
    found = expected_spectrum([fixed(Nearest(2))], Source(1, covariance=(1.0, 0.5)))
    nu = np.linspace(0, 0.5, 9)
    spectrum = (1 + np.cos(4 * np.pi * nu)) * (2 * np.cos(np.pi * nu)) ** 2 / 2
    assert np.allclose(found.floor(nu), spectrum, rtol=0, atol=1e-14)
    assert found.noise == 1


def test_pools_and_interpolators_are_filters() -> None:
    assert average_pool(4).stride == 4
    assert fixed(Linear(4)).factor == 4
    with pytest.raises(TypeError, match="Drawn"):
        fixed(TransposedConv(np.ones((2, 2, 4)), stride=2))
    mean = expected_spectrum([average_pool(4)], NOISE)
    assert mean.floor_db == pytest.approx(10 * math.log10(1 / 4))


BAD: dict[str, tuple[Any, str]] = {
    "constant initialisation": (lambda: Drawn("conv", 4, 4, 3, weight=0), "constant initialisation has no spectrum"),
    "negative variance": (lambda: Drawn("conv", 4, 4, 3, bias=-1), "variance of the bias: got -1"),
    "infinite variance": (lambda: Drawn("conv", 4, 4, 3, weight=math.inf), "inf"),
    "nan": (lambda: Drawn("conv", 4, 4, 3, weight=math.nan), "nan"),
    "groups": (lambda: Drawn("conv", 4, 4, 3, groups=3), "divisor of 4 and 4"),
    "op": (lambda: Drawn("transposed", 4, 4, 3), "op: got 'transposed'"),
    "taps": (lambda: Drawn("conv", 4, 4, 0), "length"),
    "icnr": (lambda: Drawn("conv", 4, 4, 3, icnr=True), "icnr"),
    "branches": (lambda: Sum(((CONV,),)), "branches"),
    "a list": (lambda: Sum(([CONV], [])), "branches"),  # type: ignore[arg-type]
    "not a covariance": (lambda: Source(1, covariance=(1.0, 1.5)), "autocovariance"),
    "negative power": (lambda: Source(1, covariance=(-1.0,)), "autocovariance"),
    "no channels": (lambda: Source(0), "channels"),
    "nan in": (lambda: Source(1, constant=math.nan), "nan"),
    "channels": (lambda: expected_spectrum([Drawn("conv", 3, 4, 1)], NOISE), "channels: got 4; allowed: 3"),
    "halves": (lambda: expected_spectrum([Drawn("conv", 4, 3, 1), GLU], NOISE), "even number, for glu"),
    "rates": (lambda: expected_spectrum([Sum(((), (UP,)))], NOISE), "rates of branches: got 1, 4"),
    "widths": (lambda: expected_spectrum([Sum(((), (Drawn("conv", 4, 8, 1),)))], NOISE), "channels of branches"),
    "route": (lambda: expected_spectrum([CONV], NOISE, route="comb"), "did you mean 'combs'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    make, words = BAD[name]
    with pytest.raises(ValueError, match=words):
        make()


def test_what_is_no_step_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="step: got 'relu'"):
        expected_spectrum(["relu"], NOISE)  # type: ignore[list-item]


HALVES = (Concat(((), (CONV,))),)
NOT_GAUSSIAN = "values that are not Gaussian"
REFUSED: dict[str, tuple[tuple[Step, ...], Source, str]] = {
    "LSTM": ((CONV, Unknown("LSTM"), UP), NOISE, "LSTM"),
    "a map of a map": ((CONV, RELU, GLU), NOISE, NOT_GAUSSIAN),
    "a map of a constant": ((RELU, CONV), ONES, NOT_GAUSSIAN),
    "identity skip after an activation": ((CONV, RELU, Sum(((), (CONV,))), RELU), NOISE, NOT_GAUSSIAN),
    "a map of a concatenation": ((Concat(((CONV,), (CONV,))), RELU), NOISE, NOT_GAUSSIAN),
    "a map of depthwise kernels": ((CONV, replace(CONV, groups=4), RELU), NOISE, NOT_GAUSSIAN),
    "branches that depend on each other": ((CONV, Sum(((), (RELU,)))), NOISE, "both made of 1"),
    "a signal and its delay": ((CONV, Sum(((), (Fixed(np.ones(1), offset=-1),)))), NOISE, "both made of 1"),
    "maps of a signal and of a sum with it": (
        (CONV, Sum(((RELU,), (Sum(((), (CONV,))), RELU)))),
        NOISE,
        "both made of 1",
    ),
    "two concatenations": ((Sum((HALVES, (Drawn("conv", 4, 4, 1), *HALVES))),), NOISE, "two concatenations"),
}


@pytest.mark.parametrize("route", ["auto", "combs", "full"])
@pytest.mark.parametrize("name", REFUSED)
def test_where_the_theory_ends_it_is_said(name: str, route: str) -> None:
    steps, source, words = REFUSED[name]
    with pytest.raises(NotAnalysable, match=words):
        expected_spectrum(steps, source, route=route)


def test_periods_that_are_too_long_are_refused_before_any_work() -> None:
    long = [UP] * 7
    assert expected_spectrum(long, ONES).period == 4**7 > LARGEST
    with pytest.raises(NotAnalysable, match=r"16384 samples; allowed: at most 4096.*recursion of combs"):
        expected_spectrum(long, ONES, route="full")
    with pytest.raises(NotAnalysable, match="16384 samples"):
        expected_spectrum([fixed(Nearest(4))] * 7, ONES)


def test_depthwise_kernels_and_groups_are_exact_where_nothing_is_mapped_behind() -> None:
    depthwise = replace(CONV, groups=4, weight=0.5)
    found = expected_spectrum([depthwise], NOISE)
    assert found.exact
    assert found.noise == pytest.approx(3 * 0.5)
    behind = expected_spectrum([CONV, RELU, depthwise], NOISE)
    assert behind.narrowest == 1
    grouped = expected_spectrum([CONV, RELU, replace(CONV, groups=2), RELU, CONV], NOISE)
    assert grouped.narrowest == 2


def test_skips_within_branches_that_begin_with_drawn_kernels_are_fine() -> None:
    """x + u + Wu, u drawn from x: variances add."""
    inner = (CONV, Sum(((), (CONV,))))
    found = expected_spectrum([Sum(((), inner))], NOISE)
    assert found.noise == pytest.approx(1 + (1 + 1 / 3) / 3, rel=1e-14)


def test_gated_halves_and_noise_may_be_mapped_at_once() -> None:
    found = expected_spectrum([Gate(Pointwise("tanh"), Pointwise("sigmoid")), Drawn("conv", 2, 1, 1)], NOISE)
    assert found.channels == 1
    assert not found.exact


def test_values_of_filters_are_equal_by_content() -> None:
    assert Fixed(np.ones(2), 2) == fixed(Nearest(2)) == fixed(Nearest(2))
    assert Fixed(np.ones(3), 2) != fixed(Nearest(2))


def test_the_narrowest_counts_layers_in_front_of_the_first_map() -> None:
    """Channels times taps per phase there, channels behind; a linear network has none, however narrow."""
    source, wide = Source(1, constant=1.0), Drawn("conv", 64, 64, 3)
    first, bottleneck = Drawn("conv", 1, 64, 7), (Drawn("conv", 64, 2, 1), Drawn("convt", 2, 64, 8, factor=4))
    relu = Pointwise("relu")
    for net, narrowest in (
        ((first, wide), 0),
        ((first, relu), 7),
        ((first, *bottleneck, relu, wide), 4),
        ((first, relu, *bottleneck, relu), 2),
        ((Drawn("conv", 1, 64, 300), relu, wide), 64),
    ):
        assert expected_spectrum(net, source).narrowest == narrowest
