"""Lengths that a U-Net pads, and ways of different grids: what real models taught the trace."""

from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dspref.spec import token
from torchparity.rates import plain, rates
from torchparity.ways import MOST


class Padded(nn.Module):
    """A U-Net that pads every input to a multiple of 512 and 4 more, and cuts its output to the input's length."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv1d(1, 2, 8, 4), nn.ConvTranspose1d(2, 1, 8, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(self.down(F.pad(x, (0, -x.shape[-1] % 512 + 4))))
        return y[..., : x.shape[-1]]


class TwoWays(nn.Module):
    """Two layers up by 2, and one up by 8: more layers, and a finer grid."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Sequential(
            nn.Conv1d(1, 1, 4, 4), nn.ConvTranspose1d(1, 1, 2, 2), nn.ConvTranspose1d(1, 1, 2, 2)
        )
        self.once = nn.Sequential(nn.Conv1d(1, 1, 8, 8), nn.ConvTranspose1d(1, 1, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.twice(x) + self.once(x)
        return y


def test_inputs_that_are_padded_to_one_length_are_too_short() -> None:
    found = rates(Padded(), plain(nn.Conv1d(1, 1, 1), 1))
    assert [(r.name, r.factor, r.net) for r in found.resamplers] == [("down", Fraction(1, 4), False), ("up", 4, True)]
    assert found.rate == 1
    assert found.grid == Fraction(1, 4)


def test_the_chain_is_the_way_of_the_finest_grid_and_others_are_branches() -> None:
    found = rates(TwoWays(), plain(nn.Conv1d(1, 1, 1), 1))
    assert [token(stage) for stage in found.chain.stages] == ["convt k8 s8"]
    assert [r.name for r in found.branches] == ["twice.1", "twice.2"]
    assert found.grid == Fraction(1, 8)
    assert [[r.name for r in way] for way in found.ways] == [["twice.1", "twice.2"], ["once.1"]]
    assert [r.name for r in found.way] == ["once.1"]


class Residual(nn.Module):
    """A way around the second of two layers: it is part of the way by both."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.down, self.second = nn.Upsample(scale_factor=2), nn.Conv1d(1, 1, 2, 2), nn.Upsample(None, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.first(x)
        return torch.as_tensor(y + self.second(self.down(y)))


def test_a_way_around_a_layer_is_part_of_another() -> None:
    found = rates(Residual(), plain(nn.Conv1d(1, 1, 1), 1))
    assert [[r.name for r in way] for way in found.ways] == [["first", "second"]]


class Many(nn.Module):
    """Three ways side by side in each of four stages: 81 in all."""

    def __init__(self) -> None:
        super().__init__()
        self.ups = nn.ModuleList(nn.ConvTranspose1d(1, 1, 2, 2) for _ in range(12))

    def forward(self, x: Tensor) -> Tensor:
        for i in range(0, 12, 3):
            x = self.ups[i](x) + self.ups[i + 1](x) + self.ups[i + 2](x)
        return x


def test_of_many_ways_some_are_told_apart() -> None:
    found = rates(Many(), plain(nn.Conv1d(1, 1, 1), 1))
    assert len(found.branches) == 8
    assert MOST <= len(found.ways) <= 3 * MOST
    assert len(set(found.ways)) == len(found.ways)
