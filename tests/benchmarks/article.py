"""The article's comparison: a step of training by upsampler, in turn: ``python -m tests.benchmarks.article 16384``.

It prints the median of the ratios to transposed convolutions, of rounds in one process.
"""

from __future__ import annotations

import json
import sys
from functools import partial

import torch
from torch import nn

from tests.benchmarks.layers import ROUNDS, ratio, seconds
from torchparity.known import network_named
from torchparity.nn import LinearConv1d, NearestConv1d

CHANNELS, BATCH = 24, 2


def fused(module: nn.Module) -> nn.Module:
    """Put a fused layer in the place of every interpolation with zeros and a convolution behind it."""
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and isinstance(child[0], nn.Upsample):
            _, zeros, conv = child
            assert isinstance(conv, nn.Conv1d)
            assert isinstance(zeros, nn.ConstantPad1d)
            kind = NearestConv1d if child[0].mode == "nearest" else LinearConv1d
            pads = (int(conv.padding[0]) + zeros.padding[0], int(conv.padding[0]) + zeros.padding[1])
            layer = kind(conv.in_channels, conv.out_channels, conv.kernel_size[0], 4, padding=pads)
            layer.load_state_dict(conv.state_dict())
            setattr(module, name, layer)
        else:
            fused(child)
    return module


def networks() -> dict[str, nn.Module]:
    """Return a network for each upsampler, as it is, and with fused layers."""
    torch.manual_seed(0)

    def made(name: str) -> nn.Module:
        return network_named(f"demucs-like-{name}").small_factory(channels=CHANNELS)

    nets = {name: made(name) for name in ("transposed", "nearest", "linear")}
    nets |= {f"{name}, fused": fused(made(name)) for name in ("nearest", "linear")}
    assert sum(isinstance(m, NearestConv1d) for m in nets["nearest, fused"].modules()) == 6
    return nets


def ratios(samples: int) -> dict[str, float]:
    """Return what a step takes, over that with transposed convolutions."""
    nets = networks()
    x, y = torch.randn(BATCH, 2, samples), torch.randn(BATCH, 8, samples)
    taken: dict[str, list[float]] = {name: [] for name in nets}

    def step(net: nn.Module) -> None:
        net.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.nn.functional.l1_loss(net(x), y))

    for _ in range(ROUNDS + 1):
        for name, net in nets.items():
            taken[name].append(seconds(partial(step, net)))
    return {name: ratio(taken, name, "transposed") for name in taken}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ratios(int(sys.argv[1]))))
