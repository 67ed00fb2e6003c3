"""Upsampling chains read off modules at work."""

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from dspref import NotAnalysable, Outline, TransposedConv, tone_lines
from torchparity.models import melgan
from torchparity.nn import PixelShuffle1d
from torchparity.spine import spine


def test_a_module_that_is_described_whole_keeps_its_weights() -> None:
    found = spine(nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.ConvTranspose1d(3, 1, 4, 2)), 2)
    assert found.whole
    assert isinstance(found.chain.stages[2], TransposedConv)
    assert found.undescribed == ()


def test_melgan_is_read_through_weight_norm_and_residual_stacks() -> None:
    found = spine(melgan(channels=3, width=2, stacks=1), 3)
    assert not found.whole
    assert [stage for _, stage in found.chain.upsamplers] == [
        Outline("convt", 16, stride=8, padding=4),
        Outline("convt", 16, stride=8, padding=4),
        Outline("convt", 4, stride=2, padding=1),
        Outline("convt", 4, stride=2, padding=1),
    ]
    assert found.rate == 256
    assert found.undescribed == ()


class Wrapped(nn.Module):
    """Layers of many kinds behind a forward of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv1d(2, 2, 4, stride=4)
        self.shuffle = nn.Sequential(nn.Conv1d(2, 6, 3, padding=1), PixelShuffle1d(3))
        self.up = parametrizations.weight_norm(nn.ConvTranspose1d(2, 2, 4, 2, 1))
        self.norm = nn.GroupNorm(1, 2)
        self.near = nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.near(self.norm(self.up(self.shuffle(self.down(x))))))


def test_what_resamples_is_seen_in_order() -> None:
    found = spine(Wrapped(), 2)
    assert [s.name for s in found.seen] == ["down", "shuffle.1", "up", "near"]
    assert [s.factor for s in found.seen] == [Fraction(1, 4), 3, 2, 2]
    assert [s.net for s in found.seen] == [False, True, True, True]
    assert found.rate == 3
    assert found.undescribed == ()
    assert [stage.factor for stage in found.chain.stages] == [3, 2, 2]


class Block(nn.Module):
    """A block that names its layers as its neighbours do."""

    def __init__(self) -> None:
        super().__init__()
        self.ups = nn.ModuleList([nn.ConvTranspose1d(1, 1, 4, 2, 1), nn.ConvTranspose1d(1, 1, 4, 2, 1)])
        self.norm = nn.GroupNorm(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        for up in self.ups:
            x = self.norm(up(x))
        return x


def test_layers_of_one_name_in_different_blocks_are_all_seen() -> None:
    found = spine(nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), Block(), nn.GroupNorm(1, 1)), 1)
    assert [s.name for s in found.seen] == ["1.ups.0", "1.ups.1"]
    assert found.rate == 4


def test_hooks_are_gone_even_after_a_refusal() -> None:
    module = Wrapped()
    with pytest.raises(NotAnalysable, match="input of shape"):
        spine(module, 5)
    assert not any(m._forward_hooks for m in module.modules())


class Coprime(nn.Module):
    """Up by 6 on two ways, by 2 · 3 and by 3 · 2."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.ConvTranspose1d(1, 1, 4, 2, 1), nn.ConvTranspose1d(1, 1, 3, 3)
        self.c, self.d = nn.ConvTranspose1d(1, 1, 3, 3), nn.ConvTranspose1d(1, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.b(self.a(x)) + self.d(self.c(x)))


def test_a_line_counts_for_the_last_layer_of_all_ways_that_can_make_it() -> None:
    """Without a and b, the line at half the rate is there all the same, and only that: d makes it of c's offset."""
    module = Coprime()
    found = spine(module, 1)
    names = {layer.owner: layer.name for layer in found.layers}
    assert [names[owner] for way in found.routes for owner in way] == ["a", "b", "c", "d"]
    lines = [found.owned(line) for line in tone_lines(found.chain)]
    assert [names[line.owner or 0] for line in lines[1:]] == ["a", "b", "d"]
    assert [[names[owner] for owner in line.origins] for line in lines[1:]] == [
        ["a", "c"],
        ["a", "b", "c"],
        ["a", "c", "d"],
    ]
    assert [line.stage for line in lines[1:]] == [0, 1, None]
    with torch.no_grad():
        for part in (module.a, module.b):
            part.weight.zero_()
            torch.as_tensor(part.bias).zero_()
        module.c.weight.fill_(1)
        torch.as_tensor(module.c.bias).zero_()
        period = torch.fft.rfft(module(torch.ones(1, 1, 16))[0, 0, 36:42])
    assert (period.abs() > 1e-6).tolist() == [True, False, False, True]
