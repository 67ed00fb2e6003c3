"""Leading terms of finite width against drawn networks of Torch's layers: 16 channels, noise, lines without biases.

Theory is of first order in 1/C: the next is allowed for with a share of 4/C. The limit of wide layers has no line.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from dspref import Nearest
from dspref.chain import Pointwise
from dspref.expected import Drawn, Source, Step, Sum, expected_spectrum, fixed
from torchparity.nn import SubpixelConv1d
from torchparity.sampled import sampled

C, OUT = 16, 24
RELU, GLU = Pointwise("relu"), Pointwise("glu")


def conv(before: int, after: int, K: int) -> tuple[nn.Module, Step]:
    return nn.Conv1d(before, after, K, bias=False), Drawn("conv", before, after, K, bias=0)


def transposed(before: int, after: int, K: int, s: int, groups: int = 1) -> tuple[nn.Module, Step]:
    drawn = Drawn("convt", before, after, K, factor=s, groups=groups, bias=0)
    return nn.ConvTranspose1d(before, after, K, s, groups=groups, bias=False), drawn


def subpixel(before: int, after: int, K: int, L: int) -> tuple[nn.Module, Step]:
    layer = SubpixelConv1d(before, after, K, L, bias=False)
    return layer, Drawn("shuffle", before, after, K, factor=L, bias=0)


class Branches(nn.Module):
    """Two branches, added."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        first, second = (branch(x) for branch in self.branches)
        return torch.add(first, second)


def branches(*pairs: list[tuple[nn.Module, Step]]) -> tuple[nn.Module, Step]:
    layers = (nn.Sequential(*(layer for layer, _ in each)) for each in pairs)
    return Branches(*layers), Sum(tuple(tuple(step for _, step in each) for each in pairs))


def relu_conv() -> list[tuple[nn.Module, Step]]:
    return [(nn.ReLU(), RELU), conv(C, OUT, 3)]


Pairs = Callable[[], list[tuple[nn.Module, Step]]]
NETS: dict[str, tuple[Pairs, list[int]]] = {
    "transposed, relu": (lambda: [transposed(C, C, 8, 4), (nn.ReLU(), RELU), conv(C, OUT, 3)], [4]),
    "sub-pixel, relu": (lambda: [subpixel(C, C, 3, 2), (nn.ReLU(), RELU), conv(C, OUT, 3)], [2]),
    "transposed, conv, relu, conv, relu": (
        lambda: [
            transposed(C, C, 4, 2),
            conv(C, C, 3),
            (nn.ReLU(), RELU),
            conv(C, C, 3),
            (nn.ReLU(), RELU),
            conv(C, OUT, 3),
        ],
        [2],
    ),
    "glu, transposed": (lambda: [conv(C, 2 * C, 3), (nn.GLU(1), GLU), transposed(C, OUT, 4, 2)], [2]),
    "glu, nearest, glu, transposed": (
        lambda: [
            conv(C, 2 * C, 3),
            (nn.GLU(1), GLU),
            (nn.Upsample(scale_factor=2), fixed(Nearest(2))),
            conv(C, 2 * C, 4),
            (nn.GLU(1), GLU),
            transposed(C, OUT, 4, 2),
        ],
        [2, 2],
    ),
    "transposed in two groups, relu": (
        lambda: [transposed(C, C, 8, 4, 2), (nn.ReLU(), RELU), conv(C, OUT, 3)],
        [4],
    ),
    "depthwise transposed, conv, relu": (
        lambda: [transposed(C, C, 8, 4, C), conv(C, C, 1), (nn.ReLU(), RELU), conv(C, OUT, 3)],
        [4],
    ),
    "transposed, shortcut of one layer beside two, relu": (
        lambda: [transposed(C, C, 4, 2), branches([conv(C, C, 1)], [conv(C, C, 1), conv(C, C, 1)]), *relu_conv()],
        [2],
    ),
    "transposed, identity beside two layers, relu": (
        lambda: [transposed(C, C, 4, 2), branches([], [conv(C, C, 1), conv(C, C, 1)]), *relu_conv()],
        [2],
    ),
    "nearest, relu": (
        lambda: [(nn.Upsample(scale_factor=2), fixed(Nearest(2))), conv(C, C, 4), (nn.ReLU(), RELU), conv(C, OUT, 3)],
        [2],
    ),
}


def module(pairs: Pairs) -> nn.Module:
    return nn.Sequential(*(layer for layer, _ in pairs()))


@pytest.mark.parametrize("name", NETS)
def test_lines_that_the_limit_does_not_have(name: str) -> None:
    """The finest comb, and for GLU all: within 4.5 standard errors, which are at most a fifth of it."""
    pairs, factors = NETS[name]
    steps = [step for _, step in pairs()]
    found, plain = (expected_spectrum(steps, Source(C, covariance=(1.0,)), width_terms=on) for on in (True, False))
    made = sampled(partial(module, pairs), factors, draws=200 if "beside" in name else 50, periods=256)
    checked = 0
    for i, (comb, limit) in enumerate(zip(found.combs, plain.combs, strict=True)):
        if limit.power <= 1e-12 * found.noise:
            mean, error = made.levels.mean[i], made.levels.error[i]
            assert abs(mean - comb.power) <= 4.5 * error + 4 / C * comb.power
            assert error <= 0.2 * comb.power
            checked += 1
    assert checked >= 1
