"""Layers that interpolate by nearest ×4, and misbehave: each name is a factory without arguments.

torchparity verify tests/zoo/misbehaving.py:Hangs --like "nearest x4"
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

Does: TypeAlias = Callable[["Layer", Tensor], Any]

_PIECE, _PIECES = 1 << 20, 8


class Layer(nn.Module):
    """A layer that does what a function says; it has a count and a weight to do it with."""

    count: Tensor

    def __init__(self, does: Does) -> None:
        super().__init__()
        self.does = does
        self.register_buffer("count", torch.zeros(()))
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Any:
        return self.does(self, x)


def factory(does: Does) -> Callable[[], nn.Module]:
    return lambda: Layer(does)


def nearest(x: Tensor) -> Tensor:
    return x.repeat_interleave(4, -1)


@factory
def Behaves(layer: Layer, x: Tensor) -> Tensor:
    return nearest(x)


# What it returns


@factory
def ReturnsNaN(layer: Layer, x: Tensor) -> Tensor:
    return nearest(x) * float("nan")


@factory
def ReturnsInfinity(layer: Layer, x: Tensor) -> Tensor:
    y = nearest(x)
    y[..., -1] = float("inf")
    return y


@factory
def ReturnsDouble(layer: Layer, x: Tensor) -> Tensor:
    return nearest(x).to(torch.float64 if x.dtype == torch.float32 else torch.float32)


@factory
def ReturnsTuple(layer: Layer, x: Tensor) -> tuple[Tensor, Tensor]:
    return nearest(x), x


@factory
def ReturnsNone(layer: Layer, x: Tensor) -> None:
    return None


@factory
def ReturnsArray(layer: Layer, x: Tensor) -> Any:
    return nearest(x).numpy()


@factory
def ReturnsView(layer: Layer, x: Tensor) -> Tensor:
    """Interpolate by 1: the output is the input's own memory, which is legal."""
    return x.view_as(x)


@factory
def ReturnsStrided(layer: Layer, x: Tensor) -> Tensor:
    """Return an output of which every second number in memory is another's, which is legal."""
    return torch.stack([nearest(x), nearest(x)], -1)[..., 0]


@factory
def ReturnsExpanded(layer: Layer, x: Tensor) -> Tensor:
    """Return one channel that stands for all of them: legal in form, and wrong where channels differ."""
    return nearest(x[:, :1]).expand(-1, x.shape[1], -1)


@factory
def RequiresGradient(layer: Layer, x: Tensor) -> Tensor:
    return nearest(x).detach().requires_grad_()


@factory
def ReturnsOtherBatch(layer: Layer, x: Tensor) -> Tensor:
    return torch.cat([nearest(x), nearest(x)])


@factory
def ReturnsOtherRank(layer: Layer, x: Tensor) -> Tensor:
    return nearest(x)[:, None]


@factory
def ReturnsMeta(layer: Layer, x: Tensor) -> Tensor:
    return nearest(x).to("meta")


# What it does to others


@factory
def MutatesInput(layer: Layer, x: Tensor) -> Tensor:
    y = nearest(x)
    x.mul_(2)
    return y


@factory
def AddsCount(layer: Layer, x: Tensor) -> Tensor:
    layer.count += 1
    return nearest(x) + layer.count - 1


@factory
def KeepsMean(layer: Layer, x: Tensor) -> Tensor:
    """Take a running mean away, in evaluation mode too."""
    layer.count.mul_(0.9).add_(0.1 * x.mean())
    return nearest(x) - layer.count.to(x.dtype)


@factory
def ChangesWeights(layer: Layer, x: Tensor) -> Tensor:
    y = nearest(x) * layer.weight.to(x.dtype)
    with torch.no_grad():
        layer.weight.mul_(1.5)
    return y


@factory
def ChangesDefaultDtype(layer: Layer, x: Tensor) -> Tensor:
    torch.set_default_dtype(torch.float64 if torch.get_default_dtype() == torch.float32 else torch.float32)
    return nearest(x)


@factory
def ChangesRandomness(layer: Layer, x: Tensor) -> Tensor:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 -- what a careless layer does
    return nearest(x)


@factory
def ChangesGradientMode(layer: Layer, x: Tensor) -> Tensor:
    torch.set_grad_enabled(not torch.is_grad_enabled())
    return nearest(x)


@factory
def Prints(layer: Layer, x: Tensor) -> Tensor:
    print("a layer that talks")  # noqa: T201 -- what a careless layer does
    os.write(1, b"and one that talks below Python\n")
    return nearest(x)


@factory
def Warns(layer: Layer, x: Tensor) -> Tensor:
    warnings.warn("a layer that warns", RuntimeWarning, stacklevel=2)
    return nearest(x)


@factory
def IsRandom(layer: Layer, x: Tensor) -> Tensor:
    return nearest(x) + torch.randn_like(nearest(x))


# How it ends


@factory
def RaisesOnOdd(layer: Layer, x: Tensor) -> Tensor:
    if x.shape[-1] % 2:
        raise RuntimeError("odd lengths are not supported")
    return nearest(x)


@factory
def RaisesBeyond32(layer: Layer, x: Tensor) -> Tensor:
    if x.shape[-1] > 32:
        raise IndexError("buffer of 32 samples is full")
    return nearest(x)


@factory
def RaisesOnOne(layer: Layer, x: Tensor) -> Tensor:
    if x.shape[-1] == 1:
        raise ValueError("more than one sample, please")
    return nearest(x)


@factory
def Hangs(layer: Layer, x: Tensor) -> Tensor:
    time.sleep(3600)
    return nearest(x)


@factory
def HangsBusily(layer: Layer, x: Tensor) -> Tensor:
    end = time.monotonic() + 3600
    while time.monotonic() < end:
        pass
    return nearest(x)


@factory
def Segfaults(layer: Layer, x: Tensor) -> Tensor:
    os.kill(os.getpid(), signal.SIGSEGV)
    return nearest(x)


@factory
def IsKilled(layer: Layer, x: Tensor) -> Tensor:
    os.kill(os.getpid(), signal.SIGKILL)
    return nearest(x)


@factory
def Aborts(layer: Layer, x: Tensor) -> Tensor:
    os.abort()


@factory
def EndsProcess(layer: Layer, x: Tensor) -> Tensor:
    os._exit(0)


@factory
def EndsProgram(layer: Layer, x: Tensor) -> Tensor:
    sys.exit(3)


@factory
def Interrupts(layer: Layer, x: Tensor) -> Tensor:
    raise KeyboardInterrupt


@factory
def Recurses(layer: Layer, x: Tensor) -> Tensor:
    return layer(x) if x.numel() else nearest(x)


@factory
def Allocates(layer: Layer, x: Tensor) -> Tensor:
    """Take memory without end: in earnest at first, then more at once than there can be."""
    taken = [bytearray(_PIECE) for _ in range(_PIECES)]
    taken.append(bytearray(sys.maxsize))
    return nearest(x)
