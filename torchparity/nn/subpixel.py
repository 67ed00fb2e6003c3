"""Sub-pixel convolution."""

from __future__ import annotations

from torch import Tensor, nn

from torchparity.nn.basic import PixelShuffle1d

__all__ = ["SubpixelConv1d"]


class SubpixelConv1d(nn.Module):
    """Sub-pixel convolution: ``PixelShuffle1d(L)(conv(x))``.

    Parameters
    ----------
    conv : nn.Conv1d
        To L times the channels.
    upscale_factor : int
        L.
    order : {'crd', 'dcr'}
        Of the channels, as for `PixelShuffle1d`.

    Examples
    --------
    >>> import torch
    >>> SubpixelConv1d(nn.Conv1d(2, 12, 3, padding=1), 4)(torch.zeros(1, 2, 10)).shape
    torch.Size([1, 3, 40])
    """

    def __init__(self, conv: nn.Conv1d, upscale_factor: int, *, order: str = "crd") -> None:
        super().__init__()
        self.conv = conv
        self.shuffle = PixelShuffle1d(upscale_factor, order=order)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, time·L) for a signal (batch, in, time)."""
        shuffled: Tensor = self.shuffle(self.conv(x))
        return shuffled
