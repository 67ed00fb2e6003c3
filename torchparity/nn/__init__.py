"""Torch modules for what Torch has no module for."""

from torchparity.nn.basic import FilterInterp1d, Interpolate1d, PixelShuffle1d, Snake, StreamingConvTranspose1d
from torchparity.nn.fused import FilterConv1d, LinearConv1d, NearestConv1d
from torchparity.nn.subpixel import SubpixelConv1d

__all__ = [
    "FilterConv1d",
    "FilterInterp1d",
    "Interpolate1d",
    "LinearConv1d",
    "NearestConv1d",
    "PixelShuffle1d",
    "Snake",
    "StreamingConvTranspose1d",
    "SubpixelConv1d",
]
