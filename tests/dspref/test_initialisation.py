"""Laws of taps, Torch's defaults in numbers, and the power that passes."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dspref import Conv, Nearest, SubpixelConv, TransposedConv
from dspref.initial.defaults import EXCESS, Default, TapLaw, default_of, power_through, torch_default


@pytest.mark.parametrize("name", EXCESS)
def test_draws_have_the_variance_and_the_fourth_moment_of_their_law(name: str) -> None:
    law = TapLaw(name, Fraction(1, 7))
    w = law.draw(np.random.default_rng(1), (100_000,))
    for value, sample in ((law.variance, w**2), ((3 + law.excess) * law.variance**2, w**4), (0, w)):
        assert abs(sample.mean() - float(value)) <= 5 * sample.std() / math.sqrt(w.size) + 1e-15
    assert np.abs(w).max() <= law.bound
    assert np.abs(w).max() >= 0.999 * law.bound or name == "normal"


@pytest.mark.parametrize("name", ["uniform", "sign"])
def test_excess_kurtosis_is_that_of_the_definition(name: str) -> None:
    """∫ x⁴ over (∫ x²)² on [−1, 1], and 1 for signs, less 3."""
    moments = {"uniform": (Fraction(1, 3), Fraction(1, 5)), "sign": (Fraction(1), Fraction(1))}
    second, fourth = moments[name]
    assert TapLaw(name).excess == fourth / second**2 - 3


@pytest.mark.parametrize("op", ["convt", "conv", "shuffle"])
@pytest.mark.parametrize(("groups", "K", "s"), [(1, 16, 8), (2, 3, 2), (4, 5, 7), (1, 2, 4)])
def test_gain_is_the_mean_power_of_the_layer_itself(op: str, groups: int, K: int, s: int) -> None:
    """From the normal form: the mean over phases of Σ h², each tap that is there replaced by its variance."""
    C_in, C_out = 8, 4
    ones = np.ones
    layers: dict[str, Conv | TransposedConv | SubpixelConv] = {
        "convt": TransposedConv(ones((C_in, C_out // groups, K), int), stride=s, groups=groups),
        "conv": Conv(ones((C_out, C_in // groups, K), int), groups=groups),
        "shuffle": SubpixelConv(ones((C_out * s, C_in // groups, K), int), s, groups=groups),
    }
    layer = layers[op]
    found = default_of(layer)
    u = layer.normal
    assert found.gain == Fraction(int((u.h[0] ** 2).sum()), u.L) * found.law.variance
    assert found.fan_in == layer.weight.shape[1] * K
    assert found == torch_default(op, C_in, C_out, K, factor=s, groups=groups)
    assert found.gain == (Fraction(C_in, 3 * s * C_out) if op == "convt" else Fraction(1, 3))


def test_power_through_is_the_sum_over_sources() -> None:
    """A bias behind layer i passes the gains of the layers after it."""
    stack = [torch_default("convt", 2**n, 2 ** (n - 1), 8, factor=4) for n in (6, 5, 4, 3)]
    gains, biases = [layer.gain for layer in stack], [layer.bias_variance for layer in stack]
    for n, share in enumerate(power_through(stack, power=Fraction(1, 2)), 1):
        assert share.signal == Fraction(1, 2) * math.prod(gains[:n])
        assert share.bias == sum(b * math.prod(gains[i + 1 : n]) for i, b in enumerate(biases[:n]))


def test_biases_overtake_signals() -> None:
    """THEORY 15: the later the layer, the larger the share of the biases; Demucs' six layers, 4 times each."""
    channels = (3200, 1600, 800, 400, 200, 100, 2)
    stack = [torch_default("convt", a, b, 8, factor=4) for a, b in itertools.pairwise(channels)]
    shares = [share.bias / share.signal for share in power_through(stack)]
    assert shares == sorted(shares)
    assert shares[0] < Fraction(1, 1000)
    assert shares[-1] > 1


REFUSALS: dict[str, tuple[Any, type[Exception], str]] = {
    "law": (lambda: TapLaw("unifrom"), ValueError, "law of a tap: got 'unifrom'; .*did you mean 'uniform'"),
    "variance": (lambda: TapLaw("normal", 0.0), ValueError, "variance of a tap: got 0.0; allowed: a number > 0"),
    "infinite": (lambda: TapLaw("normal", math.inf), ValueError, "variance of a tap: got inf"),
    "op": (lambda: torch_default("deconv", 1, 1, 3), ValueError, "op: got 'deconv'; allowed: conv, convt, shuffle"),
    "groups": (lambda: torch_default("conv", 3, 2, 3, groups=2), ValueError, "groups: got 2; allowed: a divisor of 3"),
    "length": (lambda: torch_default("conv", 3, 2, 0), ValueError, "length: got 0; allowed: an integer >= 1"),
    "layer": (lambda: default_of(Nearest(2)), TypeError, r"layer: got Nearest.*; allowed: Conv, Tr"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    call, error, words = REFUSALS[name]
    with pytest.raises(error, match=words):
        call()


def test_defaults_are_values() -> None:
    assert torch_default("conv", 2, 3, 5) == Default(10, Fraction(1, 3))
    assert torch_default("conv", 2, 3, 5).law == TapLaw("uniform", Fraction(1, 30))
