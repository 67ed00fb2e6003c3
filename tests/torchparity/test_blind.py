"""Five faulty layers by someone who had not seen the check: each is caught and named, and passes once it is mended."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo import blind
from torchparity import Verdict, check, check_stream

NAMED = {
    "Polyphase": "phase 3 one input sample late",
    "StuffedGroups": "input and output channels of the weight swapped",
    "LinearByHand": "first sample wrong",
    "OverlapAdd": "the bias is added once more wherever chunks overlap",
    "FusedShuffle": "gradient by weight, bias: mean over the batch, not the sum",
}


class Polyphase(blind.Polyphase):
    def forward(self, x: Tensor) -> Tensor:
        kernels = [self.weight[..., r::4].flip(-1).transpose(0, 1) for r in range(4)]
        phases = [F.conv1d(F.pad(x, (2, 2)), F.pad(k, (3 - k.shape[-1], 0)), self.bias) for k in kernels]
        return torch.stack(phases, -1).flatten(-2)[..., 4 : (x.shape[-1] - 1) * 4 + 7]


class StuffedGroups(blind.StuffedGroups):
    def forward(self, x: Tensor) -> Tensor:
        stuffed = x.new_zeros(*x.shape[:2], (x.shape[-1] - 1) * 4 + 1)
        stuffed[..., ::4] = x
        kernel = self.weight.unflatten(0, (2, 2)).transpose(1, 2).flatten(0, 1).flip(-1)
        return F.conv1d(stuffed, kernel, self.bias, padding=5, groups=2)


class LinearByHand(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[-1]
        position = ((torch.arange(3 * time, dtype=torch.float64) + 0.5) / 3 - 0.5).clamp(min=0)
        left = position.long()
        share = (position - left).to(x.dtype)
        return x[..., left] * (1 - share) + x[..., (left + 1).clamp(max=time - 1)] * share


class OverlapAdd(blind.OverlapAdd):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        if self.tail is not None:
            y = torch.cat([y[..., :8] + self.tail, y[..., 8:]], -1)
        assert self.conv.bias is not None
        self.tail = y[..., -8:] - self.conv.bias[:, None]
        return y[..., :-8]

    def flush(self) -> Tensor | None:
        assert self.conv.bias is not None
        tail, self.tail = self.tail, None
        return None if tail is None else tail + self.conv.bias[:, None]


class FusedShuffle(blind.FusedShuffle):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).unflatten(1, (-1, 4)).mT.flatten(2)


def verdict_of(layer: Any, name: str) -> Verdict:
    like = blind.LIKE[name]
    return check_stream(layer, like) if name in blind.STREAMS else check(layer, like)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("seed", range(3))
def test_a_faulty_layer_is_caught_and_named(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    verdict = verdict_of(getattr(blind, name)(), name)
    assert (verdict.status, verdict.looks_like) == ("wrong", NAMED[name]), str(verdict)


@pytest.mark.parametrize("made", [Polyphase, StuffedGroups, LinearByHand, OverlapAdd, FusedShuffle])
@pytest.mark.parametrize("seed", range(3))
def test_it_passes_once_it_is_mended(made: type[nn.Module], seed: int) -> None:
    torch.manual_seed(seed)
    verdict = verdict_of(made(), made.__name__)
    assert verdict.ok, str(verdict)
