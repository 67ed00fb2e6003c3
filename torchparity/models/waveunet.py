"""Wave-U-Net: a U-Net that decimates, and interpolates linearly or by learned weights."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.models.unet import odd

UPSAMPLERS = ("linear", "learned")
"""Layers that raise the rate by 2."""


class LearnedInterpolation(nn.Module):
    """Each sample, and behind it a mean of it and the next: y₂ₙ = xₙ, y₂ₙ₊₁ = w xₙ + (1 − w) xₙ₊₁.

    One weight w = σ(v) in each channel, and zeros behind the end. As stretch + filter its taps are 1 − w, 1, w: both
    phases have gain 1, whatever w is, so that a constant stays one. It colours, but it makes no tone.

    Parameters
    ----------
    channels : int

    References
    ----------
    D. Stoller, S. Ewert, S. Dixon, "Wave-U-Net", ISMIR 2018; ``learned_interpolation_layer`` in
    Models/InterpolationLayer.py of f90/Wave-U-Net.

    Examples
    --------
    >>> with torch.no_grad():
    ...     print(LearnedInterpolation(1)(torch.tensor([[[1.0, 3.0, 5.0]]])))
    tensor([[[1.0000, 2.0000, 3.0000, 4.0000, 5.0000, 2.5000]]])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, 2 · time) for a signal (batch, channels, time)."""
        w = torch.sigmoid(self.weight)[:, None]
        between = w * x + (1 - w) * F.pad(x[..., 1:], (0, 1))
        return torch.stack([x, between], dim=-1).flatten(-2)


class WaveUNet(nn.Module):
    """Source separation in the waveform domain: (batch, audio, time) ↦ (batch, sources · audio, time).

    Level i of the encoder is a convolution to (i + 1) · channels, LeakyReLU(0.2) and decimation by 2; of the decoder an
    upsampling ×2, the encoder's output before its decimation beside it, a convolution and LeakyReLU(0.2). Between them
    stands one more convolution. A convolution of length 1 and tanh make all sources but the last, of the decoder's
    output and the mixture beside it; the last is the mixture less the others.

    Here paddings keep a `time` that 2^depth divides. The authors' networks M3 to M6 have none: they interpolate from n
    to 2n − 1 samples, at the halves between samples, where Torch's linear interpolation stands at the quarters. Sizes
    are the same.

    Parameters
    ----------
    channels : int
        Of the first level; each level has so many more.
    depth : int
        Levels.
    length, merge : int
        Of the encoder's convolutions, and of the decoder's: odd.
    kind : {'linear', 'learned'}
        M1 to M4 and M6, or M5 (`LearnedInterpolation`).
    audio, sources : int

    References
    ----------
    D. Stoller, S. Ewert, S. Dixon, "Wave-U-Net", ISMIR 2018, with all sizes as in Config.py and
    Models/UnetAudioSeparator.py of f90/Wave-U-Net: 12 levels, 24 more channels in each, lengths 15 and 5, M6 with four
    stereo sources.

    Examples
    --------
    >>> WaveUNet(channels=2, depth=3)(torch.zeros(1, 2, 32)).shape
    torch.Size([1, 8, 32])
    """

    def __init__(
        self,
        *,
        channels: int = 24,
        depth: int = 12,
        length: int = 15,
        merge: int = 5,
        kind: str = "linear",
        audio: int = 2,
        sources: int = 4,
    ) -> None:
        super().__init__()
        self.depth, self.kind = as_integer("depth", depth, 1), as_choice("upsampler", kind, UPSAMPLERS)
        self.sources = as_integer("sources", sources, 2)
        wide = [channels * (i + 1) for i in range(depth + 1)]
        encoder = [nn.Conv1d(a, b, odd("length", length), padding=length // 2) for a, b in pairwise((audio, *wide))]
        self.encoder, self.middle = nn.ModuleList(encoder[:-1]), encoder[-1]
        rows = list(pairwise(reversed(wide)))
        self.raise_rate = nn.ModuleList(_upsampling(kind, low) for low, _ in rows)
        self.decoder = nn.ModuleList(
            nn.Conv1d(low + own, own, odd("merge", merge), padding=merge // 2) for low, own in rows
        )
        self.output = nn.ModuleList(nn.Conv1d(wide[0] + audio, audio, 1) for _ in range(sources - 1))

    def valid_length(self, time: int) -> int:
        """Return the least length from `time` on that 2^depth divides.

        Examples
        --------
        >>> WaveUNet(channels=2, depth=3).valid_length(1001)
        1008
        """
        step: int = 2**self.depth
        return -(-time // step) * step

    def forward(self, x: Tensor) -> Tensor:
        """Return the sources, of the length of the mixture."""
        if x.shape[-1] % 2**self.depth:
            raise ValueError(complaint("input length", x.shape[-1], f"a multiple of {2**self.depth}"))
        mixture, skips = x, []
        for layer in self.encoder:
            x = F.leaky_relu(layer(x), 0.2)
            skips.append(x)
            x = x[..., ::2]
        x = F.leaky_relu(self.middle(x), 0.2)
        for up, layer in zip(self.raise_rate, self.decoder, strict=True):
            x = F.leaky_relu(layer(torch.cat([skips.pop(), up(x)], dim=1)), 0.2)
        x = torch.cat([mixture, x], dim=1)
        first = [torch.tanh(layer(x)) for layer in self.output]
        return torch.cat([*first, mixture - torch.stack(first).sum(0)], dim=1)


def _upsampling(kind: str, channels: int) -> nn.Module:
    return LearnedInterpolation(channels) if kind == "learned" else nn.Upsample(scale_factor=2, mode="linear")
