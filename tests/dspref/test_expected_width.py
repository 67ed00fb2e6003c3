"""Finite networks, drawn: the limit of wide layers within its error, and the lines that it leaves out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from dspref import Linear
from dspref.arrays import Array
from dspref.chain import Pointwise
from dspref.expected import Drawn, Fixed, Source, Step, expected_spectrum, fixed, glu_offset, relu_line
from dspref.expected.width import KURTOSIS
from dspref.initial.defaults import EXCESS, TapLaw

C, DRAWS = 64, 150


def uniform(rng: np.random.Generator, variance: float, shape: tuple[int, ...]) -> Array:
    bound = math.sqrt(3 * variance)
    return rng.uniform(-bound, bound, shape)


def drawn(x: Array, layer: Drawn, rng: np.random.Generator) -> Array:
    """Return the output (outputs, time) of a drawn layer, on a circle."""
    bias = uniform(rng, float(layer.bias), (layer.outputs, 1))
    w = uniform(rng, float(layer.weight), (layer.length, layer.outputs, layer.inputs))
    if layer.op == "conv":
        return np.asarray(bias + sum(w[j] @ np.roll(x, layer.padding - j, axis=1) for j in range(layer.length)))
    z = np.zeros((len(x), x.shape[1] * layer.factor))
    z[:, :: layer.factor] = x
    return np.asarray(bias + sum(w[k] @ np.roll(z, k - layer.padding, axis=1) for k in range(layer.length)))


def run(x: Array, steps: Sequence[Step], rng: np.random.Generator) -> Array:
    for step in steps:
        if isinstance(step, Drawn):
            x = drawn(x, step, rng)
        elif isinstance(step, Fixed):
            z = np.zeros((len(x), x.shape[1] * step.factor))
            z[:, :: step.factor] = x
            x = np.sum([h * np.roll(z, k - step.offset, axis=1) for k, h in enumerate(step.h)], axis=0)
        else:
            assert isinstance(step, Pointwise)
            x = step(x)
    return x


NETS: dict[str, tuple[Step, ...]] = {
    "partial overlap, relu, gelu": (
        Drawn("convt", C, C, 7, factor=4),
        Pointwise("relu"),
        Drawn("conv", C, C, 3, padding=1),
        Pointwise("gelu"),
        Drawn("convt", C, 8, 4, factor=3),
    ),
    "linear, silu, glu": (
        Drawn("convt", C, C, 5, factor=2),
        Pointwise("silu"),
        fixed(Linear(2)),
        Drawn("conv", C, 2 * C, 3),
        Pointwise("glu"),
        Drawn("convt", C, 8, 4, factor=2),
    ),
    "snake, tanh": (
        Drawn("convt", C, C, 5, factor=2),
        Pointwise("snake"),
        Drawn("convt", C, C, 5, factor=3),
        Pointwise("tanh"),
        Drawn("conv", C, 8, 3),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_drawn_networks_have_the_expected_lines(name: str) -> None:
    """Every line of P, for a constant: within 4.5 standard errors of 150 draws, and the 1/width that is left out."""
    steps, rng = NETS[name], np.random.default_rng(7)
    found = expected_spectrum(steps, Source(C, constant=1.0))
    assert found.lines is not None
    power = np.array([_lines(run(np.ones((C, 4)), steps, rng), found.period) for _ in range(DRAWS)])
    mean, error = power.mean(axis=0), power.std(axis=0) / math.sqrt(DRAWS)
    left_out = 6 / C * found.lines + found.lines.max() / C**2
    assert (np.abs(mean - found.lines) <= 4.5 * error + left_out).all()


def _lines(y: Array, P: int) -> Array:
    return np.asarray((np.abs(np.fft.fft(y[:, :P], axis=1) / P) ** 2).mean(axis=0))


@pytest.mark.parametrize("law", KURTOSIS)
def test_relu_makes_a_tone_of_the_spread_of_phases(law: str) -> None:
    """Means of relu given the weights, √(q_r/2π), of 4000 drawn channels: lines over DC; for ± none at all."""
    layer, rng = Drawn("convt", 32, 4000, 8, factor=4), np.random.default_rng(1)
    w = TapLaw(law).draw(rng, (4000, 32, 8))
    q = (w**2).sum(axis=1).reshape(4000, 2, 4).sum(axis=1)
    c = np.abs(np.fft.fft(np.sqrt(q), axis=1)) ** 2
    line, expected = c[:, 1] / c[:, 0].mean(), float(relu_line(layer, kurtosis=KURTOSIS[law]))
    assert abs(line.mean() - expected) <= 5 * line.std() / math.sqrt(4000) + 2 * expected / 64


def test_glu_makes_an_offset_of_halves_that_are_not_independent() -> None:
    """``E a σ(b)`` by Gauss–Hermite nodes, for 4000 pairs of drawn kernels of 32 taps."""
    layer, rng, q = Drawn("conv", 32, 8000, 1), np.random.default_rng(2), 1 / 3
    a, b = uniform(rng, float(layer.weight), (4000, 32)), uniform(rng, float(layer.weight), (4000, 32))
    x, w = np.polynomial.hermite_e.hermegauss(40)
    spread = np.sqrt((b**2).sum(axis=1))
    slope = (x / (1 + np.exp(-spread[:, None] * x))) @ w / w.sum() / spread  # E b σ(b) / E b² = E σ′(b)
    power = ((a * b).sum(axis=1) * slope) ** 2
    assert abs(power.mean() - glu_offset(layer, q)) <= 5 * power.std() / math.sqrt(4000)


def test_kurtoses_are_those_of_the_laws() -> None:
    assert {name: excess + 3 for name, excess in EXCESS.items()} == KURTOSIS


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="transposed convolution of whole overlap"):
        relu_line(Drawn("conv", 4, 4, 3))
    with pytest.raises(ValueError, match="transposed convolution of whole overlap"):
        relu_line(Drawn("convt", 4, 4, 3, factor=2))
    with pytest.raises(ValueError, match="variance"):
        glu_offset(Drawn("conv", 4, 4, 3), -1.0)
