"""Moments with borders against Torch's modules: all patterns of ±σ of their weights, and the ends of interpolate."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from dspref import Linear, Nearest
from dspref.arrays import Array
from dspref.expected import Drawn, Fixed, Source, Step, average_pool, fixed
from dspref.expected.dense import Dense, dense_moments
from torchparity.nn import PixelShuffle1d


class Interpolate(nn.Module):
    def __init__(self, factor: int, mode: str) -> None:
        super().__init__()
        self.factor, self.mode = factor, mode

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=self.factor, mode=self.mode)


def outputs(net: nn.Module, x: Tensor) -> Array:
    """Return the output (pattern, row, channel, time) for all signs of the parameters, each of its own size."""
    shapes = {name: p.shape for name, p in net.named_parameters()}
    bits = sum(map(math.prod, shapes.values()))
    assert 10 <= bits <= 12
    signs = 1.0 - 2 * (torch.arange(2**bits)[:, None] >> torch.arange(bits) & 1)
    parts = torch.split(signs.to(x.dtype), [math.prod(shape) for shape in shapes.values()], dim=1)
    drawn = {
        name: SIGMA[name.split(".")[-1]] * part.reshape(-1, *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
    return np.asarray(vmap(lambda weights: functional_call(net, weights, (x,)), chunk_size=1024)(drawn))


SIGMA = {"weight": 0.8, "bias": 0.5}


def drawn(op: str, inputs: int, outputs: int, length: int, factor: int = 1, **other: int | str) -> Drawn:
    variances = {name: sigma**2 for name, sigma in SIGMA.items()}
    return Drawn(op, inputs, outputs, length, factor, **{**variances, **other})  # type: ignore[arg-type]


def cases() -> Iterator[tuple[str, nn.Module, list[Step]]]:
    yield (
        "reflect, transposed with output padding, linear, zeros",
        nn.Sequential(
            nn.Conv1d(1, 1, 3, padding=1, padding_mode="reflect"),
            nn.ConvTranspose1d(1, 1, 3, 2, padding=1, output_padding=1),
            Interpolate(2, "linear"),
            nn.Conv1d(1, 1, 3, padding=2, dilation=2),
        ),
        [
            drawn("conv", 1, 1, 3, padding=1, padding_mode="reflect"),
            drawn("convt", 1, 1, 3, 2, padding=1, output_padding=1),
            fixed(Linear(2)),
            drawn("conv", 1, 1, 3, padding=2, dilation=2),
        ],
    )
    yield (
        "replicate, strided, pooled, nearest, reflect",
        nn.Sequential(
            nn.Conv1d(1, 1, 3, 2, padding=2, padding_mode="replicate"),
            Interpolate(3, "nearest"),
            nn.AvgPool1d(3, 2, padding=1),
            nn.Conv1d(1, 2, 2, padding=3, padding_mode="reflect"),
        ),
        [
            drawn("conv", 1, 1, 3, 2, padding=2, padding_mode="replicate"),
            fixed(Nearest(3)),
            average_pool(3, stride=2, padding=1),
            drawn("conv", 1, 2, 2, padding=3, padding_mode="reflect"),
        ],
    )
    yield (
        "circular, transposed of partial overlap and dilation",
        nn.Sequential(
            nn.Conv1d(1, 1, 4, padding=2, padding_mode="circular"),
            nn.ConvTranspose1d(1, 1, 5, 3, padding=4, dilation=2),
        ),
        [
            drawn("conv", 1, 1, 4, padding=2, padding_mode="circular"),
            drawn("convt", 1, 1, 5, 3, padding=4, dilation=2),
        ],
    )
    yield (
        "sub-pixel, reflect, 1×1",
        nn.Sequential(
            nn.Conv1d(1, 2, 3, padding=2, padding_mode="reflect"), PixelShuffle1d(2), nn.Conv1d(1, 1, 1, padding=1)
        ),
        [
            drawn("shuffle", 1, 1, 3, 2, padding=2, padding_mode="reflect"),
            drawn("conv", 1, 1, 1, padding=1),
        ],
    )


@pytest.mark.parametrize(("net", "steps"), [pytest.param(*case, id=name) for name, *case in cases()])
def test_moments_are_those_of_all_patterns_of_signs(net: nn.Module, steps: list[Step]) -> None:
    """K and F of a constant and coloured noise, every pair of samples, to 1e−11 of the largest."""
    T, c, r1 = 6, 0.7, 0.3
    found = dense_moments(steps, Source(1, constant=c, covariance=(1.0, r1)), time=T)
    eye = torch.eye(T, dtype=torch.float64)
    rows = torch.cat([c * torch.ones_like(eye[:1]), eye, torch.zeros_like(eye[:1])])
    y = outputs(net, rows[:, None])
    h, far, share = y[:, 1:-1] - y[:, -1:], y[:, 0], 1 / (len(y) * y.shape[2])
    F = share * np.einsum("pcn,pcm->nm", far, far)
    R = np.eye(T) + r1 * (np.eye(T, k=1) + np.eye(T, k=-1))
    K = F + share * np.einsum("picn,ij,pjcm->nm", h, R, h, optimize=True)
    assert found.K.shape == K.shape
    assert np.abs(found.K - K).max() <= 1e-11 * K.max()
    assert np.abs(found.F - F).max() <= 1e-11 * K.max()


@pytest.mark.parametrize("T", [1, 2, 7])
@pytest.mark.parametrize("L", [1, 2, 3, 5])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_interpolators_end_as_those_of_torch(mode: str, L: int, T: int) -> None:
    """``A K Aᵀ`` with Torch's own A, of any K."""
    u: Fixed = fixed({"nearest": Nearest, "linear": Linear}[mode](L))
    K = np.cov(np.random.default_rng(T).normal(size=(T, 20))).reshape(T, T)
    A = functional.interpolate(torch.eye(T, dtype=torch.float64)[:, None], scale_factor=L, mode=mode)[:, 0].numpy().T
    found = Dense(K, K / 2, K[0], np.ones(T, bool)).fixed(u)
    assert np.abs(found.K - A @ K @ A.T).max() <= 1e-15 * K.max() * 8  # sums of four products
    assert np.abs(2 * found.F - found.K).max() <= 1e-15 * K.max() * 8
    assert np.abs(found.mean - A @ K[0]).max() <= 1e-15 * np.abs(K[0]).max() * 4
