"""Wave-U-Net: its size as published, its sources, and a learned interpolation that makes no tone."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from torchparity.models import parameters, wave_unet
from torchparity.models.waveunet import LearnedInterpolation, WaveUNet


@pytest.mark.parametrize("kind", ["linear", "learned"])
def test_its_size_is_that_of_the_authors_layers(kind: str) -> None:
    wide = [24 * (i + 1) for i in range(13)]
    down = sum(15 * a * b + b for a, b in pairwise((2, *wide)))
    up = sum(5 * (low + own) * own + own for own, low in pairwise(wide))
    weights = sum(wide[1:]) if kind == "learned" else 0
    assert parameters(lambda: wave_unet(kind=kind)) == down + up + 3 * (2 * (24 + 2) + 2) + weights
    assert (down + up) // 10**6 == 10


@pytest.mark.parametrize("kind", ["linear", "learned"])
def test_sources_sum_to_the_mixture(kind: str) -> None:
    torch.manual_seed(0)
    net = WaveUNet(channels=2, depth=3, kind=kind, sources=3)
    x = torch.randn(2, 2, 40)
    with torch.no_grad():
        y = net(x)
    assert y.shape == (2, 6, 40)
    torch.testing.assert_close(y.unflatten(1, (3, 2)).sum(1), x)


def test_learned_interpolation_is_stretch_and_filter_of_equal_gains() -> None:
    """Beside a transposed convolution of taps 1 − w, 1, w, in each channel by itself."""
    torch.manual_seed(0)
    layer = LearnedInterpolation(3).double()
    with torch.no_grad():
        layer.weight.normal_()
        w = torch.sigmoid(layer.weight)
        taps = torch.stack([1 - w, torch.ones(3, dtype=torch.double), w], dim=1)[:, None]
        x = torch.randn(2, 3, 20, dtype=torch.double)
        due = torch.nn.functional.conv_transpose1d(x, taps, stride=2, padding=1, output_padding=1, groups=3)
        torch.testing.assert_close(layer(x), due, rtol=0, atol=8 * torch.finfo(torch.double).eps * float(x.abs().max()))
        ones = layer(torch.ones(1, 3, 20, dtype=torch.double))[..., :-1]
    assert (ones - 1).abs().max() <= torch.finfo(torch.double).eps


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"input length: got 36; allowed: a multiple of 8"):
        WaveUNet(channels=2, depth=3)(torch.zeros(1, 2, 36))
    with pytest.raises(ValueError, match="merge: got 4"):
        WaveUNet(channels=2, depth=3, merge=4)
    with pytest.raises(ValueError, match="upsampler: got 'cubic'"):
        WaveUNet(channels=2, depth=3, kind="cubic")
