"""A step by which MelGAN is trained: its generator against discriminators, which learn too.

Sizes, losses and optimizers as in https://github.com/descriptinc/melgan-neurips (``scripts/train.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, l1_loss
from torch.nn.utils.parametrizations import weight_norm

BATCH, FRAMES, SAMPLES = 16, 32, 8192


class Judges(nn.Module):
    """Three discriminators, each at half the rate of the one before: all that their layers make of a signal."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: Any = nn.ModuleList(nn.ModuleList(judge()) for _ in range(3))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        found = []
        for layers in self.rates:
            seen = [x]
            for layer in layers:
                seen.append(layer(seen[-1]))
            found.append(seen[1:])
            x = avg_pool1d(x, 4, 2, padding=1, count_include_pad=False)
        return found


def judge() -> Iterator[nn.Module]:
    """Yield the layers of one: convolutions that go down, of many groups, between some that do not."""
    yield nn.Sequential(weight_norm(nn.Conv1d(1, 16, 15, padding=7, padding_mode="reflect")), nn.LeakyReLU(0.2))
    for n, m in pairwise((16, 64, 256, 1024, 1024)):
        yield nn.Sequential(weight_norm(nn.Conv1d(n, m, 41, 4, padding=20, groups=n // 4)), nn.LeakyReLU(0.2))
    yield nn.Sequential(weight_norm(nn.Conv1d(1024, 1024, 5, padding=2)), nn.LeakyReLU(0.2))
    yield weight_norm(nn.Conv1d(1024, 1, 3, padding=1))


def adam(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(module.parameters(), 1e-4, betas=(0.5, 0.9))


class Alone:
    """Steps of a generator with some loss."""

    def __init__(self, net: nn.Module, batch: int, device: str, behind: Callable[[nn.Module], object] | None) -> None:
        self.net, self.behind = net.to(device), behind
        self.x = torch.randn(batch, 80, FRAMES, device=device)
        self.optimizer = adam(self.net)

    def __call__(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.loss(self.net(self.x)))
        self.optimizer.step()
        if self.behind:
            self.behind(self.net)

    def loss(self, made: Tensor) -> Tensor:
        return made.square().mean()


class Judged(Alone):
    """Steps of a generator and its discriminators, by turns."""

    def __init__(self, net: nn.Module, batch: int, device: str, behind: Callable[[nn.Module], object] | None) -> None:
        super().__init__(net, batch, device, behind)
        self.y, self.judges = torch.randn(batch, 1, SAMPLES, device=device), Judges().to(device)
        self.theirs = adam(self.judges)

    def loss(self, made: Tensor) -> Tensor:
        """Let the discriminators learn, and return what they make of it then: scores, and distances on the way."""
        fake, real = self.judges(made.detach()), self.judges(self.y)
        scores = [(1 + a[-1]).relu().mean() + (1 - b[-1]).relu().mean() for a, b in zip(fake, real, strict=True)]
        self.theirs.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(scores).sum())
        self.theirs.step()
        seen = self.judges(made)
        pairs = [pair for a, b in zip(seen, real, strict=True) for pair in zip(a[:-1], b[:-1], strict=True)]
        far = torch.stack([l1_loss(a, b.detach()) for a, b in pairs]).sum()
        return 10 * 4 / 5 / 3 * far - torch.stack([a[-1].mean() for a in seen]).sum()
