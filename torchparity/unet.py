"""The article's Demucs-like networks without LSTM, at any size: a U-Net, and its decoder alone."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.nn import SubpixelConv1d

LENGTH, STRIDE = 8, 4

UPSAMPLERS = ("transposed", "nearest", "linear", "subpixel")
"""Layers that raise the rate by 4: a transposed convolution of length 8; interpolation before a convolution of length
3; and a convolution of length 3 before a periodic shuffle."""


def upsampler(kind: str, before: int, after: int, *, bias: bool = True) -> nn.Module:
    """Return a layer from `before` to `after` channels that makes 4 samples of each.

    Examples
    --------
    >>> [upsampler(kind, 2, 3)(torch.zeros(1, 2, 5)).shape[1:] for kind in UPSAMPLERS]
    [torch.Size([3, 20]), torch.Size([3, 20]), torch.Size([3, 20]), torch.Size([3, 20])]
    """
    as_choice("upsampler", kind, UPSAMPLERS)
    if kind == "transposed":
        return nn.ConvTranspose1d(before, after, LENGTH, STRIDE, padding=(LENGTH - STRIDE) // 2, bias=bias)
    if kind == "subpixel":
        return SubpixelConv1d(nn.Conv1d(before, STRIDE * after, 3, padding=1, bias=bias), STRIDE)
    return nn.Sequential(nn.Upsample(scale_factor=STRIDE, mode=kind), nn.Conv1d(before, after, 3, padding=1, bias=bias))


def decoder_layer(
    channels: int, after: int, *, kind: str = "transposed", bias: bool = True, relu: bool = True
) -> nn.Sequential:
    """Return a convolution of length 3 to twice the channels, GLU, a layer ×4, and ReLU if asked for."""
    return nn.Sequential(
        nn.Conv1d(channels, 2 * channels, 3, padding=1, bias=bias),
        nn.GLU(dim=1),
        upsampler(kind, channels, after, bias=bias),
        *([nn.ReLU()] if relu else []),
    )


def decoder(
    *, channels: int = 64, depth: int = 3, out: int = 1, kind: str = "transposed", bias: bool = True
) -> nn.Sequential:
    """Return the decoder alone: (batch, channels · 2^(depth−1), time) ↦ (batch, out, 4^depth · time).

    Each layer has half the channels of the one before; behind the last, which has `channels`, stands no ReLU.

    Examples
    --------
    >>> decoder(channels=2, depth=2)(torch.zeros(1, 4, 5)).shape
    torch.Size([1, 1, 80])
    """
    wide = [out, *(channels * 2**i for i in range(as_integer("depth", depth, 1)))]
    layers = [decoder_layer(wide[i + 1], wide[i], kind=kind, bias=bias, relu=i > 0) for i in reversed(range(depth))]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """The article's Demucs-like network without its LSTM: (batch, audio, time) ↦ (batch, out, time).

    Layer i of the encoder is a convolution (length 8, stride 4), ReLU, a 1×1 convolution to twice the channels, and
    GLU; of the decoder a `decoder_layer`, without ReLU at the end. The output of each layer of the encoder is added
    to the input of its counterpart, but for the innermost, which is that input. Paddings keep a `time` that 4^depth
    divides.

    Parameters
    ----------
    channels : int
        Of the first layer; each layer has twice as many as the one before.
    depth : int
        Layers of the encoder, and of the decoder.
    kind : one of `UPSAMPLERS`
    bias : bool
        Whether the convolutions have biases.
    first_relu : bool
        Whether there are ReLUs in the outermost layers: that of the encoder, and the one before the last of the
        decoder, whose output the last layer upsamples.
    rescale : float
        Reference of Demucs's rescaling (`rescale_convolutions`); 0 for none.
    audio, out : int
        Channels of input and output: stereo, and four stereo sources.

    Source: J. Pons et al., arXiv 2010.14356, sections 5 and 6, after A. Défossez et al., arXiv 1911.13254.

    Examples
    --------
    >>> UNet(channels=4, depth=2)(torch.zeros(1, 2, 32)).shape
    torch.Size([1, 8, 32])
    """

    def __init__(
        self,
        *,
        channels: int = 100,
        depth: int = 6,
        kind: str = "transposed",
        bias: bool = True,
        first_relu: bool = True,
        rescale: float = 0.1,
        audio: int = 2,
        out: int = 8,
    ) -> None:
        super().__init__()
        if not rescale >= 0:
            raise ValueError(complaint("rescale", rescale, "a positive reference, or 0 for none"))
        wide = [audio, *(channels * 2**i for i in range(as_integer("depth", depth, 1)))]
        self.depth = depth
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for i, (before, own) in enumerate(pairwise(wide)):
            down = nn.Conv1d(before, own, LENGTH, STRIDE, padding=(LENGTH - STRIDE) // 2, bias=bias)
            relu: list[nn.Module] = [nn.ReLU()] if i or first_relu else []
            self.encoder.append(nn.Sequential(down, *relu, nn.Conv1d(own, 2 * own, 1, bias=bias), nn.GLU(dim=1)))
            after = before if i else out
            self.decoder.insert(
                0, decoder_layer(own, after, kind=kind, bias=bias, relu=i > 1 or (i == 1 and first_relu))
            )
        if rescale:
            rescale_convolutions(self, rescale)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output, of the length of the input."""
        if x.shape[-1] % STRIDE**self.depth:
            raise ValueError(complaint("input length", x.shape[-1], f"a multiple of {STRIDE**self.depth}"))
        skips = []
        for layer in self.encoder:
            x = layer(x)
            skips.append(x)
        x = skips.pop()
        for layer in self.decoder:
            x = layer(x)
            x = x + skips.pop() if skips else x
        return x


def rescale_convolutions(module: nn.Module, reference: float) -> None:
    """Divide weight and bias of every convolution by √(σ / reference), σ the deviation of its weights: Demucs's way.

    Examples
    --------
    >>> conv = nn.Conv1d(16, 16, 8)
    >>> due = (conv.weight.std() * 0.1) ** 0.5
    >>> rescale_convolutions(conv, 0.1)
    >>> bool(torch.isclose(conv.weight.std(), due))
    True
    """
    for m in module.modules():
        if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d)):
            with torch.no_grad():
                scale = (m.weight.std() / reference).sqrt()
                m.weight /= scale
                if m.bias is not None:
                    m.bias /= scale
