"""Torch modules for what Torch has no module for."""

from torchparity.nn.basic import FilterInterp1d, Interpolate1d, PixelShuffle1d, Snake
from torchparity.nn.fused import FilterConv1d, LinearConv1d, NearestConv1d
from torchparity.nn.streaming import StreamingConvTranspose1d, StreamingUpsample1d
from torchparity.nn.subpixel import SubpixelConv1d
from torchparity.nn.wavelet import WaveletUpsample1d

__all__ = [
    "FilterConv1d",
    "FilterInterp1d",
    "Interpolate1d",
    "LinearConv1d",
    "NearestConv1d",
    "PixelShuffle1d",
    "Snake",
    "StreamingConvTranspose1d",
    "StreamingUpsample1d",
    "SubpixelConv1d",
    "WaveletUpsample1d",
]
