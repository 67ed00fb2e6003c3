"""Second moments against Torch's own layers with every pattern of signs of their weights and biases, none drawn.

A layer with n numbers, each ±σ, is one layer with all 2ⁿ of it as channels of output; what comes in is a batch with
all patterns of the layers before. So every pattern of the whole network is run, and averages are exact.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import Linear, Nearest
from dspref.arrays import Array
from dspref.expected import Drawn, Expected, Source, Step, expected_spectrum, fixed
from torchparity.nn import PixelShuffle1d

Layer = nn.Conv1d | nn.ConvTranspose1d

ROUNDING = 1e-11
"""Share of the largest entry: sums of 2¹⁶ squares, each of sums of some ten products."""


def numbers(layer: Layer) -> int:
    return sum(p.numel() for p in layer.parameters())


def every(layer: Layer) -> Layer:
    """Return the layer that has all patterns of one, ±σ as Torch draws it, as channels of its output."""
    n, outputs = numbers(layer), layer.out_channels
    sign = 1.0 - 2 * (torch.arange(2**n)[:, None] >> torch.arange(n) & 1)
    fan_in = layer.weight[0].numel()  # as Torch counts it
    values = sign.double() / math.sqrt(3 * fan_in)
    w, b = values[:, :-outputs], values[:, -outputs:]
    s, p, d = (int(each[0]) for each in (layer.stride, layer.padding, layer.dilation))
    made = type(layer)(layer.in_channels, 2**n * outputs, layer.kernel_size[0], s, p, dilation=d).double()
    weight = w.reshape(2**n, *layer.weight.shape)
    if isinstance(layer, nn.ConvTranspose1d):
        weight = weight.transpose(0, 1)  # input channels first
    with torch.no_grad():
        made.weight.copy_(weight.reshape(made.weight.shape))
        assert made.bias is not None
        made.bias.copy_(b.reshape(-1))
    return made


def run(net: list[nn.Module], x: Tensor) -> Tensor:
    """Return the output for all patterns, (pattern, channel, time), of one input (channel, time)."""
    x = x[None]
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, Layer):
                patterns, outputs = 2 ** numbers(layer), layer.out_channels
                x = every(layer)(x)
                x = x.reshape(len(x) * patterns, outputs, x.shape[-1])
            else:
                x = layer(x)
    return x


Case = tuple[int, list[nn.Module], tuple[Step, ...]]

NETS: dict[str, Case] = {
    "transposed, partial overlap, biases": (
        16,
        [nn.ConvTranspose1d(1, 1, 4, 3, padding=1), nn.ConvTranspose1d(1, 2, 3, 2), nn.Conv1d(2, 1, 1)],
        (Drawn("convt", 1, 1, 4, 3, padding=1), Drawn("convt", 1, 2, 3, 2), Drawn("conv", 2, 1, 1)),
    ),
    "sub-pixel, nearest, convolution": (
        16,
        [nn.Conv1d(1, 2, 3, padding=1), PixelShuffle1d(2), nn.Upsample(scale_factor=2), nn.Conv1d(1, 2, 3, dilation=2)],
        (Drawn("shuffle", 1, 1, 3, 2, padding=1), fixed(Nearest(2)), Drawn("conv", 1, 2, 3, dilation=2)),
    ),
    "transposed, linear, convolution": (
        15,
        [nn.ConvTranspose1d(1, 2, 3, 2), nn.Upsample(scale_factor=2, mode="linear"), nn.Conv1d(2, 1, 3, padding=2)],
        (Drawn("convt", 1, 2, 3, 2), fixed(Linear(2)), Drawn("conv", 2, 1, 3, padding=2)),
    ),
    "strided convolution, transposed": (
        15,
        [nn.Conv1d(1, 2, 2, 2), nn.ConvTranspose1d(2, 1, 4, 3, padding=2, dilation=2)],
        (Drawn("conv", 1, 2, 2, 2), Drawn("convt", 2, 1, 4, 3, dilation=2, padding=2)),
    ),
}

CONSTANT = 1.3
LONG = 12
"""Input samples: borders reach less far than to the middle from either end, in all of them."""


@pytest.fixture(params=list(NETS.values()), ids=list(NETS))
def case(request: pytest.FixtureRequest) -> tuple[list[nn.Module], Expected]:
    """Return a network, whose patterns are counted, and what is expected of it."""
    bits, net, steps = request.param
    assert bits == sum(numbers(layer) for layer in net if isinstance(layer, Layer)) >= 15
    found = expected_spectrum(steps, Source(1, CONSTANT, (1.0,)))
    assert found.exact
    assert found.lines is not None or found.route == "combs"
    return net, found


def test_lines_of_a_constant_are_those_of_all_patterns(case: tuple[list[nn.Module], Expected]) -> None:
    """The mean of abs(c_k)², from one period in the middle, biases included."""
    net, found = case
    y = run(net, torch.full((1, LONG), CONSTANT, dtype=torch.float64)).numpy()
    P, middle = found.period, y.shape[-1] // 2
    assert len(y) >= 2**15
    assert np.array_equal(y[..., middle - P : middle], y[..., middle : middle + P])
    power = (np.abs(np.fft.fft(y[..., middle : middle + P]) / P) ** 2).mean(axis=(0, 1))
    assert (power > 1e-3 * power.max()).sum() > 1  # lines are there beside DC; interpolators take some away
    told = np.array([found.line(k) for k in range(P)])
    assert np.abs(told - power).max() <= ROUNDING * power.max()


def test_the_floor_of_white_noise_is_that_of_all_patterns(case: tuple[list[nn.Module], Expected]) -> None:
    """``S(ν) = 1/P Σ_a E abs(Y_a(ν))²``: Y_a answers an impulse at a, as a runs through one period of the input."""
    net, found = case
    nu, P = np.linspace(0, 0.5, 9), found.period
    silence = run(net, torch.zeros(1, LONG, dtype=torch.float64))
    period_in = round(P * LONG / silence.shape[-1])
    total = np.zeros(len(nu))
    for a in range(period_in):
        x = torch.zeros(1, LONG, dtype=torch.float64)
        x[0, LONG // 2 + a] = 1
        h = (run(net, x) - silence).numpy()
        total += (np.abs(transform(h, nu)) ** 2).mean(axis=(0, 1))
    density = total / P
    assert np.abs(found.floor(nu) - density).max() <= ROUNDING * density.max()


def transform(h: Array, nu: Array) -> Array:
    return np.asarray(h @ np.exp(-2j * np.pi * np.outer(np.arange(h.shape[-1]), nu)))


def test_every_pattern_is_there_once() -> None:
    layer = nn.Conv1d(1, 2, 2)
    made = every(layer)
    assert made.bias is not None
    rows = np.concatenate(
        [made.weight.detach().numpy().reshape(2**6, 4), made.bias.detach().numpy().reshape(2**6, 2)], 1
    )
    sigma = 1 / math.sqrt(6)
    due = {tuple(row) for row in product((1, -1), repeat=6)}
    assert {tuple(np.round(row / sigma).astype(int).tolist()) for row in rows} == due
    assert np.allclose(np.abs(rows), sigma, rtol=1e-15, atol=0)
