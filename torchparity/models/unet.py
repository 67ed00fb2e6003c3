"""The article's Demucs-like networks at any size: a U-Net with or without LSTM, and its decoder alone."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.nn import SubpixelConv1d

LENGTH, STRIDE = 8, 4

UPSAMPLERS = ("transposed", "nearest", "linear", "subpixel")
"""Layers that raise the rate by 4: a transposed convolution of length 8; interpolation before a convolution; and a
convolution before a periodic shuffle. The last two have length 3 unless another is asked for."""


def upsampler(kind: str, before: int, after: int, *, bias: bool = True, length: int | None = None) -> nn.Module:
    """Return a layer from `before` to `after` channels that makes 4 samples of each.

    Parameters
    ----------
    kind : one of `UPSAMPLERS`
    before, after : int
        Channels.
    bias : bool
    length : int, optional
        Of its convolution: 8 if transposed, else 3. A transposed one has an even length of 4 or more.

    Examples
    --------
    >>> [upsampler(kind, 2, 3)(torch.zeros(1, 2, 5)).shape[1:] for kind in UPSAMPLERS]
    [torch.Size([3, 20]), torch.Size([3, 20]), torch.Size([3, 20]), torch.Size([3, 20])]
    >>> [upsampler(kind, 2, 3, length=10)(torch.zeros(1, 2, 5)).shape[-1] for kind in UPSAMPLERS]
    [20, 20, 20, 20]
    """
    as_choice("upsampler", kind, UPSAMPLERS)
    if kind == "transposed":
        K = as_integer("length", LENGTH if length is None else length, STRIDE)
        if K % 2:
            raise ValueError(complaint("length", K, "an even length", "the output is 4 times as long as the input"))
        return nn.ConvTranspose1d(before, after, K, STRIDE, padding=(K - STRIDE) // 2, bias=bias)
    K = as_integer("length", 3 if length is None else length, 1)
    late: list[nn.Module] = [] if K % 2 else [nn.ConstantPad1d((0, 1), 0.0)]  # even lengths want one zero more behind
    if kind == "subpixel":
        made = SubpixelConv1d(before, after, K, STRIDE, padding=(K - 1) // 2, bias=bias)
        return nn.Sequential(*late, made) if late else made
    conv = nn.Conv1d(before, after, K, padding=(K - 1) // 2, bias=bias)
    return nn.Sequential(nn.Upsample(scale_factor=STRIDE, mode=kind), *late, conv)


def decoder_layer(
    channels: int,
    after: int,
    *,
    kind: str = "transposed",
    bias: bool = True,
    relu: bool = True,
    length: int | None = None,
) -> nn.Sequential:
    """Return a convolution of length 3 to twice the channels, GLU, a layer ×4, and ReLU if asked for."""
    return nn.Sequential(
        nn.Conv1d(channels, 2 * channels, 3, padding=1, bias=bias),
        nn.GLU(dim=1),
        upsampler(kind, channels, after, bias=bias, length=length),
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


class Recurrent(nn.Module):
    """Demucs's middle: a bidirectional LSTM of two layers, and a linear map back to its channels."""

    def __init__(self, channels: int, *, bias: bool = True) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, num_layers=2, bidirectional=True, bias=bias)
        self.linear = nn.Linear(2 * channels, channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return a signal of the shape of the input, (batch, channels, time)."""
        y: Tensor = self.linear(self.lstm(x.permute(2, 0, 1))[0])
        return y.permute(1, 2, 0)


class UNet(nn.Module):
    """The article's Demucs-like network: (batch, audio, time) ↦ (batch, out, time).

    Layer i of the encoder is a convolution (length 8, stride 4), ReLU, a convolution to twice the channels, and
    GLU; of the decoder a `decoder_layer`, without ReLU at the end. The output of each layer of the encoder is added
    to the input of its counterpart; without LSTM the innermost is that input, and is not added. Paddings keep a
    `time` that 4^depth divides.

    Parameters
    ----------
    channels : int
        Of the first layer; each layer has twice as many as the one before.
    depth : int
        Layers of the encoder, and of the decoder.
    kind : one of `UPSAMPLERS`
    length : int, optional
        Of the convolutions of the upsampling layers, see `upsampler`.
    bias : bool
        Whether anything has biases.
    first_relu : bool
        Whether there are ReLUs in the outermost layers: that of the encoder, and the one before the last of the
        decoder, whose output the last layer upsamples.
    encoder_context : int
        Length of the encoder's second convolution, odd.
    recurrent : bool
        Whether `Recurrent` stands between encoder and decoder.
    rescale : float
        Reference of Demucs's rescaling (`rescale_convolutions`); 0 for none.
    audio, out : int
        Channels of input and output: stereo, and four stereo sources.

    Source: J. Pons et al., arXiv 2010.14356, sections 5 and 6, after A. Défossez et al., arXiv 1911.13254.

    Examples
    --------
    >>> UNet(channels=4, depth=2)(torch.zeros(1, 2, 32)).shape
    torch.Size([1, 8, 32])
    >>> UNet(channels=4, depth=2, kind="nearest", length=10, recurrent=True)(torch.zeros(1, 2, 32)).shape
    torch.Size([1, 8, 32])
    """

    def __init__(
        self,
        *,
        channels: int = 100,
        depth: int = 6,
        kind: str = "transposed",
        length: int | None = None,
        bias: bool = True,
        first_relu: bool = True,
        encoder_context: int = 1,
        recurrent: bool = False,
        rescale: float = 0.1,
        audio: int = 2,
        out: int = 8,
    ) -> None:
        super().__init__()
        if not rescale >= 0:
            raise ValueError(complaint("rescale", rescale, "a positive reference, or 0 for none"))
        context = odd("encoder_context", encoder_context)
        wide = [audio, *(channels * 2**i for i in range(as_integer("depth", depth, 1)))]
        self.depth = depth
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for i, (before, own) in enumerate(pairwise(wide)):
            down = nn.Conv1d(before, own, LENGTH, STRIDE, padding=(LENGTH - STRIDE) // 2, bias=bias)
            relu: list[nn.Module] = [nn.ReLU()] if i or first_relu else []
            twice = nn.Conv1d(own, 2 * own, context, padding=context // 2, bias=bias)
            self.encoder.append(nn.Sequential(down, *relu, twice, nn.GLU(dim=1)))
            after, last = before if i else out, i > 1 or (i == 1 and first_relu)
            self.decoder.insert(0, decoder_layer(own, after, kind=kind, bias=bias, relu=last, length=length))
        self.recurrent = Recurrent(wide[-1], bias=bias) if recurrent else None
        if rescale:
            rescale_convolutions(self, rescale)

    def valid_length(self, time: int) -> int:
        """Return the least length from `time` on that 4^depth divides.

        Examples
        --------
        >>> UNet(channels=2, depth=2).valid_length(1000)
        1008
        """
        step: int = STRIDE**self.depth
        return -(-time // step) * step

    def forward(self, x: Tensor) -> Tensor:
        """Return the output, of the length of the input."""
        if x.shape[-1] % STRIDE**self.depth:
            raise ValueError(complaint("input length", x.shape[-1], f"a multiple of {STRIDE**self.depth}"))
        skips = []
        for layer in self.encoder:
            x = layer(x)
            skips.append(x)
        inner = skips.pop()
        x = inner if self.recurrent is None else self.recurrent(inner) + inner
        for layer in self.decoder:
            x = layer(x)
            x = x + skips.pop() if skips else x
        return x


def odd(name: str, length: int) -> int:
    """Return an odd length; refuse any other.

    Examples
    --------
    >>> odd("encoder_context", 3)
    3
    """
    if as_integer(name, length, 1) % 2 == 0:
        raise ValueError(complaint(name, length, "an odd length, so that time is kept"))
    return length


def rescale_convolutions(module: nn.Module, reference: float) -> None:
    """Divide weight and bias of every convolution by √(σ / reference), σ the deviation of its weights: Demucs's way.

    Weights on the meta device have no values, and stay as they are.

    Examples
    --------
    >>> conv = nn.Conv1d(16, 16, 8)
    >>> due = (conv.weight.std() * 0.1) ** 0.5
    >>> rescale_convolutions(conv, 0.1)
    >>> bool(torch.isclose(conv.weight.std(), due))
    True
    """
    for m in module.modules():
        if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d, SubpixelConv1d)) and not m.weight.is_meta:
            with torch.no_grad():
                scale = (m.weight.std() / reference).sqrt()
                m.weight /= scale
                if m.bias is not None:
                    m.bias /= scale
