"""How far borders reach, where it is known from the lengths of kernels; and rates from shapes alone."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable
from torchparity.models.unet import UNet
from torchparity.reach import borders, rate_of


@pytest.mark.parametrize(("K", "padding", "dilation"), [(1, 0, 1), (5, 0, 1), (5, 2, 1), (5, 1, 3), (3, 9, 9)])
def test_borders_of_a_convolution_reach_as_far_as_its_padding(K: int, padding: int, dilation: int) -> None:
    """Output n takes the inputs n − p … n − p + (K−1)d: free of the padding from p on, and until the last input."""
    conv = nn.Conv1d(2, 2, K, padding=padding, dilation=dilation).double()
    assert borders(conv, 2, 1, 1) == (padding, max(0, (K - 1) * dilation - padding))


@pytest.mark.parametrize(("K", "s", "padding"), [(4, 2, 0), (4, 2, 1), (7, 3, 2), (2, 4, 0)])
def test_borders_of_a_transposed_convolution_reach_as_far_as_it_overlaps(K: int, s: int, padding: int) -> None:
    up = nn.ConvTranspose1d(1, 1, K, s, padding=padding).double()
    assert borders(up, 1, s, 1) == (max(0, K - s - padding), max(padding, s - K))


def test_reflected_borders_are_found_though_a_constant_does_not_show_them() -> None:
    conv = nn.Conv1d(1, 1, 7, padding=3, padding_mode="reflect").double()
    assert borders(conv, 1, 1, 1) == (3, 3)
    assert not conv(torch.ones(1, 1, 20).double()).diff().abs().gt(1e-12).any()


class Recursive(nn.Module):
    """y[n] = x[n] + a y[n−1]: the border is never quite gone, and rounding hides it at last."""

    def forward(self, x: Tensor) -> Tensor:
        rows = [torch.zeros_like(x[..., 0])]
        for n in range(x.shape[-1]):
            rows.append(x[..., n] + 0.5 * rows[-1])
        return torch.stack(rows[1:], dim=-1)


def test_a_border_that_decays_ends_where_rounding_hides_it() -> None:
    left, right = borders(Recursive(), 1, 1, 1)
    assert 32 < left < 56  # 2^-left of about a unit of roundoff, 2^-53, times ROUNDINGS = 2^12
    assert right == 0


class Centred(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=-1, keepdim=True)


def test_what_depends_on_all_of_time_has_no_steady_state() -> None:
    with pytest.raises(NotAnalysable, match="got borders matter 512 periods away from them"):
        borders(Centred(), 1, 1, 1)


def test_rates() -> None:
    assert rate_of(nn.Conv1d(1, 1, 3, 4), 1, 1) == Fraction(1, 4)
    assert rate_of(nn.Sequential(nn.Conv1d(2, 2, 8, 2), nn.ConvTranspose1d(2, 1, 3, 3)), 2, 3) == Fraction(3, 2)
    assert rate_of(UNet(channels=100, depth=4, rescale=0), 2, 256) == 1
    with pytest.raises(NotAnalysable, match="rate of the module: got 1 → 1 samples"):
        rate_of(nn.AdaptiveAvgPool1d(1), 1, 1)
