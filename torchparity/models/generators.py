"""The article's MelGAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class ResidualStack(nn.Module):
    """x ↦ W x + conv₁(leaky(conv₃(leaky(x)))), the middle convolution dilated (MelGAN's residual unit)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(0.2),
            weight_norm(nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, padding_mode="reflect")),
            nn.LeakyReLU(0.2),
            weight_norm(nn.Conv1d(channels, channels, 1)),
        )
        self.shortcut = weight_norm(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return shortcut plus residual, of the same shape (batch, channels, time)."""
        return torch.as_tensor(self.shortcut(x) + self.block(x))


def melgan(
    *,
    channels: int = 80,
    width: int = 32,
    lengths: tuple[int, ...] = (16, 16, 4, 4),
    strides: tuple[int, ...] = (8, 8, 2, 2),
    stacks: int = 3,
    out: int = 1,
) -> nn.Sequential:
    """Return the article's MelGAN generator: (batch, channels, frames) ↦ (batch, out, 256 · frames).

    Four transposed convolutions of lengths 16, 16, 4, 4 and strides 8, 8, 2, 2, each after LeakyReLU(0.2)
    and before `stacks` residual stacks of dilations 1, 3, 9; every layer under weight norm, with Torch's
    default initialisation. `width` is the number of channels before the last convolution. The article has one channel
    of output: the channels of more are as many networks that differ in their last layer.

    Source: J. Pons et al., arXiv 2010.14356, section 1, after K. Kumar et al., NeurIPS 2019.

    Parameters
    ----------
    channels : int
        Of the input, bins of a mel spectrogram.
    width : int
        Channels before the last convolution.
    lengths, strides : tuple of int
        Taps and factors of the transposed convolutions.
    stacks : int
        Residual stacks behind each of them.
    out : int
        Channels of the output.

    Returns
    -------
    nn.Sequential

    Examples
    --------
    >>> with torch.device("meta"):
    ...     melgan()(torch.empty(1, 80, 20)).shape
    torch.Size([1, 1, 5120])
    """
    wide = width * 2 ** len(strides)
    layers: list[nn.Module] = [weight_norm(nn.Conv1d(channels, wide, 7, padding=3, padding_mode="reflect"))]
    for K, s in zip(lengths, strides, strict=True):
        layers.append(nn.LeakyReLU(0.2))
        up = nn.ConvTranspose1d(wide, wide // 2, K, s, padding=s // 2 + s % 2, output_padding=s % 2)
        layers.append(weight_norm(up))
        wide //= 2
        layers.extend(ResidualStack(wide, 3**j) for j in range(stacks))
    layers += [
        nn.LeakyReLU(0.2),
        weight_norm(nn.Conv1d(wide, out, 7, padding=3, padding_mode="reflect")),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)
