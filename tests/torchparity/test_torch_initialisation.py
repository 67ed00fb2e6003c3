"""Torch's own initialisation: its bounds, its gains, and the lines that it draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref.arrays import Array
from dspref.initial.defaults import power_through, torch_default
from dspref.initial.lines import exceeds_dc, random_lines
from torchparity.nn import SubpixelConv1d

SHAPES = [(8, 4, 16, 8, 1), (4, 8, 3, 2, 2), (6, 3, 5, 3, 3), (1, 1, 4, 4, 1)]


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Return a list that keeps what ``uniform_`` is asked for."""
    asked: list[tuple[float, float]] = []
    original = Tensor.uniform_

    def listen(tensor: Tensor, a: float = 0.0, b: float = 1.0, **options: Any) -> Tensor:
        asked.append((a, b))
        return original(tensor, a, b, **options)

    monkeypatch.setattr(Tensor, "uniform_", listen)
    return asked


def made(op: str, shape: tuple[int, int, int, int, int], *, bias: bool = True) -> nn.Module:
    C_in, C_out, K, s, groups = shape
    if op == "convt":
        return nn.ConvTranspose1d(C_in, C_out, K, stride=s, groups=groups, bias=bias)
    return nn.Conv1d(C_in, C_out, K, stride=s if op == "strided" else 1, groups=groups, bias=bias)


@pytest.mark.parametrize("op", ["convt", "conv"])
@pytest.mark.parametrize("shape", SHAPES)
def test_bounds_are_one_over_root_fan_in(op: str, shape: tuple[int, ...], bounds: list[tuple[float, float]]) -> None:
    """Weights and biases: asked of ``uniform_`` by ``reset_parameters``, to the rounding of √ and ÷."""
    module = made(op, shape)  # type: ignore[arg-type]
    C_in, C_out, K, s, groups = shape
    found = torch_default(op, C_in, C_out, K, factor=s, groups=groups)
    assert len(bounds) == 2
    for a, b in bounds:
        assert -a == b == pytest.approx(1 / math.sqrt(found.fan_in), rel=1e-15)
    assert found.law.bound == pytest.approx(bounds[0][1], rel=1e-15)
    assert nn.init._calculate_fan_in_and_fan_out(module.weight)[0] == found.fan_in  # type: ignore[arg-type]


def test_subpixel_layers_are_drawn_as_the_convolution_that_they_are(bounds: list[tuple[float, float]]) -> None:
    SubpixelConv1d(4, 2, 5, 3)
    found = torch_default("shuffle", 4, 2, 5)
    assert bounds
    assert all(b == pytest.approx(found.law.bound, rel=1e-15) for _, b in bounds)


def test_drawn_weights_are_uniform() -> None:
    """Within the bound, up to it, with the variance 1/(3 fan_in) to five standard errors; the bias too."""
    torch.manual_seed(0)
    layer = nn.ConvTranspose1d(64, 4096, 2, stride=2)
    law = torch_default("convt", 64, 4096, 2, factor=2).law
    assert layer.bias is not None
    for drawn in (layer.weight, layer.bias):
        w = drawn.detach().double().numpy().ravel()
        assert 0.99 * law.bound < np.abs(w).max() <= law.bound * (1 + 2**-23)
        assert abs((w**2).mean() - float(law.variance)) <= 5 * (w**2).std() / math.sqrt(w.size)
        assert abs(w.mean()) <= 5 * w.std() / math.sqrt(w.size)


def powers(make: Callable[[], nn.Module], C_in: int, *, inside: int, seeds: int = 60) -> Array:
    """Return the time-averaged output power for white noise of power 1, one number per seed."""
    found = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        with torch.no_grad():
            y = make()(torch.randn(1, C_in, 400))
        found.append(float((y[..., inside : y.shape[-1] - inside] ** 2).mean()))
    return np.array(found)


@pytest.mark.parametrize("op", ["convt", "conv", "strided"])
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_gains_measured(op: str, shape: tuple[int, int, int, int, int]) -> None:
    C_in, C_out, K, s, groups = shape
    found = powers(lambda: made(op, shape, bias=False), C_in, inside=K)
    kind = "convt" if op == "convt" else "conv"
    gain = float(torch_default(kind, C_in, C_out, K, factor=s, groups=groups).gain)
    assert abs(found.mean() - gain) <= 5 * found.std() / math.sqrt(found.size)


def test_signals_shrink_and_biases_stay() -> None:
    """Three transposed convolutions: the power of signal and of biases behind the last, each on its own."""
    channels = (16, 8, 4, 2)
    stack = [torch_default("convt", a, b, 8, factor=4) for a, b in itertools.pairwise(channels)]
    share = power_through(stack)[-1]

    def make(*, bias: bool) -> nn.Module:
        sizes = itertools.pairwise(channels)
        return nn.Sequential(*(nn.ConvTranspose1d(a, b, 8, stride=4, bias=bias) for a, b in sizes))

    class Silenced(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stack = make(bias=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.stack(0 * x)  # type: ignore[no-any-return]

    for found, expected in (
        (powers(lambda: make(bias=False), 16, inside=400), share.signal),
        (powers(Silenced, 16, inside=400), share.bias),
    ):
        assert abs(found.mean() - float(expected)) <= 5 * found.std() / math.sqrt(found.size)
    assert share.bias > share.signal


def measured_lines(K: int, *, channels: int, s: int = 8, seeds: int = 20) -> Array:
    """Return abs(c_k)², k = 0 … s/2, of Torch's layers fed with ones: (seeds, channels, lines)."""
    found = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        layer = nn.ConvTranspose1d(4, channels, K, stride=s, bias=False).double()
        with torch.no_grad():
            y = layer(torch.ones(1, 4, 12, dtype=torch.float64))[0].numpy()
        period = y[:, 4 * s : 5 * s]
        found.append(np.abs(np.fft.rfft(period, axis=-1) / s) ** 2)
    return np.array(found)


def test_overlap_does_not_change_the_level_of_random_lines() -> None:
    """Article notes: none (K = 8), partial (12) and full (16) overlap, stride 8, 20 seeds: within 1.5 dB.

    Expected: the same E abs(c_k)² = C_in/(3 s² C_out) for all three, since K drops out of σ²K. With 16 channels
    the mean of 20·16·3 exponential levels is good to 0.14 dB, so 1.5 dB are more than 7 standard errors.
    """
    levels = []
    for K in (8, 12, 16):
        power = measured_lines(K, channels=16)
        law = torch_default("convt", 4, 16, K, factor=8).law
        line = random_lines(8, K, law=law, means=np.ones(4, int))[1]
        assert line.mean_power == torch_default("convt", 4, 16, K, factor=8).gain * 4 / (8 * 4)
        mean = power[:, :, 1:4].mean()
        levels.append(10 * math.log10(mean))
        assert abs(levels[-1] - line.mean_db) < 0.75
        assert abs(10 * math.log10(power[:, :, 0].mean()) - line.mean_db) < 1.5
    assert max(levels) - min(levels) < 1.5


def test_as_many_lines_exceed_dc_as_said() -> None:
    """4 input channels of uniform taps are near normal: 1/√3 for complex lines, 1/2 at Nyquist."""
    power = measured_lines(16, channels=64)
    draws = power.shape[0] * power.shape[1]
    for k in (1, 2, 3, 4):
        p = exceeds_dc(k, 8, 16)
        assert p == pytest.approx(0.5 if k == 4 else 3**-0.5, abs=1e-12)
        share = (power[:, :, k] > power[:, :, 0]).mean()
        assert abs(share - p) <= 5 * math.sqrt(p * (1 - p) / draws)
