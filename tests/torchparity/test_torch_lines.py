"""Lines predicted from a module's weights, against the lines in its output."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import Chain, Conv, Linear, Pointwise, SubpixelConv, TransposedConv, tone_lines
from dspref.arrays import Array
from dspref.chain import Stage
from tests.dspref.test_lines import amplitudes, by_frequency, spectrum, steady_period

TIME, S, PERIODS = 60, 12, 40
OFFSET = np.array([0.7, -1.3])


class Shuffle(nn.Module):
    """Periodic shuffle of channels into time."""

    def __init__(self, L: int) -> None:
        super().__init__()
        self.L = L

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, time = x.shape
        return x.reshape(batch, channels // self.L, self.L, time).transpose(2, 3).reshape(batch, -1, time * self.L)


def three_stages(seed: int, *between: type[nn.Module]) -> nn.Sequential:
    """Return transposed ×3 (K = 7), sub-pixel ×2 and linear ×2, biased convolutions and maps in between."""
    torch.manual_seed(seed)
    layers = [
        nn.ConvTranspose1d(2, 3, 7, stride=3, padding=2),
        *(make() for make in between),
        nn.Conv1d(3, 4, 5, padding=2),
        nn.Sequential(nn.Conv1d(4, 6, 3, padding=1), Shuffle(2)),
        *(make() for make in between),
        nn.Conv1d(3, 3, 4, padding="same", dilation=2),
        nn.Upsample(scale_factor=2, mode="linear"),
        *(make() for make in between),
        nn.Conv1d(3, 2, 3, padding=1),
    ]
    return nn.Sequential(*layers).double()


def read(module: nn.Module) -> Stage:
    """Return the layer that a module of `three_stages` is, with its weights."""
    if isinstance(module, nn.ReLU):
        return Pointwise("relu")
    if isinstance(module, nn.Upsample):
        return Linear(2)
    if isinstance(module, nn.Sequential):
        conv = module[0]
        assert isinstance(conv, nn.Conv1d)
        return SubpixelConv(numbers(conv.weight), 2, padding=1, bias=numbers(conv.bias))
    assert isinstance(module, nn.Conv1d | nn.ConvTranspose1d)
    weight, bias = numbers(module.weight), numbers(module.bias)
    if isinstance(module, nn.ConvTranspose1d):
        return TransposedConv(weight, stride=3, padding=2, bias=bias)
    padding = module.padding if isinstance(module.padding, str) else module.padding[0]
    return Conv(weight, padding=padding, dilation=module.dilation[0], bias=bias)


def numbers(parameter: Tensor | None) -> Array:
    assert parameter is not None
    return parameter.detach().numpy()


def measured(net: nn.Module, steady: slice) -> Array:
    """Return the amplitudes at k/(12·40) in the steady output for a constant input, (channel, frequency)."""
    with torch.no_grad():
        y = net(torch.from_numpy(OFFSET)[None, :, None].expand(1, 2, TIME))[0].numpy()
    y = steady_period(y, steady, S)[:, : S * PERIODS]
    assert y.shape[-1] == S * PERIODS
    return spectrum(y)


pytestmark = pytest.mark.filterwarnings(
    # Torch says that it may copy the input to pad it on one side: a matter of speed.
    "ignore:Using padding='same' with even kernel lengths"
)


@pytest.mark.parametrize("seed", range(5))
def test_every_amplitude_of_a_three_stage_chain_is_predicted(seed: int) -> None:
    net = three_stages(seed)
    chain = Chain(read(module) for module in net)
    lines = amplitudes(chain, OFFSET).T
    found, peak = measured(net, chain.collapse().steady(TIME)), np.abs(lines).max()
    on_grid = np.arange(S // 2 + 1) * PERIODS
    assert np.abs(lines[:, 1:-1]).min() > 1e-5 * peak  # every line is there to be predicted,
    assert np.abs(lines[:, -1]).max() < 1e-15 * peak  # but the one that linear ×2 would add: there is its null
    assert np.abs(found[:, on_grid] - lines).max() <= 1e-12 * peak
    assert np.abs(np.delete(found, np.arange(S) * PERIODS, axis=-1)).max() <= 1e-12 * peak


@pytest.mark.parametrize("seed", range(5))
def test_torchs_lines_are_those_of_the_frequency_domain_too(seed: int) -> None:
    net = three_stages(seed)
    chain = Chain(read(module) for module in net)
    lines = np.array([by_frequency(chain, k, OFFSET) for k in range(S // 2 + 1)]).T
    found = measured(net, chain.collapse().steady(TIME))[:, np.arange(S // 2 + 1) * PERIODS]
    assert np.abs(found - lines).max() <= 1e-12 * np.abs(lines).max()


@pytest.mark.parametrize("seed", range(5))
def test_with_relus_the_levels_are_void_and_the_grid_still_holds(seed: int) -> None:
    net = three_stages(seed, nn.ReLU)
    chain = Chain(read(module) for module in net)
    lines = tone_lines(chain, offset=OFFSET)
    assert [line.amplitude for line in lines] == [None] * 7
    straight = Chain(stage for stage in chain.stages if not isinstance(stage, Pointwise))
    found = measured(net, straight.collapse().steady(TIME))
    peak = np.abs(found).max()
    assert np.abs(found[:, PERIODS : S * PERIODS : PERIODS]).max() > 1e-4 * peak  # there are tones to confine
    assert np.abs(np.delete(found, np.arange(S) * PERIODS, axis=-1)).max() <= 1e-12 * peak
    with_levels = amplitudes(straight, OFFSET).T
    assert np.abs(found[:, : S // 2 * PERIODS + 1 : PERIODS] - with_levels).max() > 1e-3 * peak  # the map mattered
