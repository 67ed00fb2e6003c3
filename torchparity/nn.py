"""Torch modules for what Torch has no module for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import complaint


class PixelShuffle1d(nn.Module):
    """Interleave groups of L channels in time: ``y[c, tL + r] = x[cL + r, t]``.

    The order of channels is that of `torch.nn.PixelShuffle`.

    Parameters
    ----------
    upscale_factor : int
        L.

    Examples
    --------
    >>> PixelShuffle1d(2)(torch.tensor([[[0, 2], [1, 3]]]))
    tensor([[[0, 1, 2, 3]]])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., channel, time·L) for a signal (..., channel·L, time)."""
        *lead, channels, time = x.shape
        L = self.upscale_factor
        phases = x.reshape(*lead, channels // L, L, time)
        return phases.transpose(-1, -2).reshape(*lead, channels // L, time * L)

    def extra_repr(self) -> str:
        """Return the factor."""
        return f"upscale_factor={self.upscale_factor}"


class SubpixelConv1d(nn.Module):
    """Sub-pixel convolution: ``PixelShuffle1d(L)(conv(x))``.

    Parameters
    ----------
    conv : nn.Conv1d
        To L times the channels.
    upscale_factor : int
        L.
    """

    def __init__(self, conv: nn.Conv1d, upscale_factor: int) -> None:
        super().__init__()
        self.conv = conv
        self.shuffle = PixelShuffle1d(upscale_factor)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, time·L) for a signal (batch, in, time)."""
        shuffled: Tensor = self.shuffle(self.conv(x))
        return shuffled


class FilterInterp1d(nn.Module):
    """Stretch + filter interpolation: ``y[m] = Σ_n h[m + offset − nL] x[n]``, 0 ≤ m < L·time + excess.

    Parameters
    ----------
    factor : int
        L.
    taps : Tensor (taps,) to filter every channel alike, or (out, in, taps)
        A buffer: it is saved, and not trained.
    offset, excess : int

    Examples
    --------
    >>> FilterInterp1d(2, torch.tensor([1.0, 2.0, 1.0]), offset=1)(torch.ones(1, 1, 3))
    tensor([[[2., 2., 2., 2., 2., 1.]]])
    """

    taps: Tensor

    def __init__(self, factor: int, taps: Tensor, *, offset: int = 0, excess: int = 0) -> None:
        super().__init__()
        self.factor, self.offset, self.excess = factor, offset, excess
        self.in_channels = taps.shape[1] if taps.ndim == 3 else None
        self.register_buffer("taps", taps)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, L·time + excess) for a signal (batch, in, time)."""
        taps = self.taps.shape[-1]
        alike = self.taps.ndim == 1
        groups = x.shape[-2] if alike else 1
        w = self.taps.expand(groups, 1, taps) if alike else self.taps.transpose(0, 1)
        y = F.conv_transpose1d(x, w, stride=self.factor, groups=groups)
        length, first = self.factor * x.shape[-1] + self.excess, max(self.offset, 0)
        if length < 1:
            raise ValueError(complaint(f"output length for {x.shape[-1]} input samples", length, "at least 1"))
        y = F.pad(y, (max(-self.offset, 0), max(self.offset + length - y.shape[-1], 0)))
        return y[..., first : first + length]


class Snake(nn.Module):
    """The periodic activation ``x + sin²(ax)/a``.

    Source: L. Ziyin, T. Hartwig, M. Ueda, "Neural networks fail to learn periodic functions and how to
    fix it", NeurIPS 2020.

    Examples
    --------
    >>> Snake(2.0)(torch.zeros(2))
    tensor([0., 0.])
    """

    def __init__(self, a: float = 1.0) -> None:
        super().__init__()
        self.a = a

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of each sample."""
        return x + torch.sin(self.a * x) ** 2 / self.a
