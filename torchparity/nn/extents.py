"""Which input samples an output of an upsampling layer looks at, and from when on it is final."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from torch import nn

from dspref.arrays import NotAnalysable, complaint
from dspref.kernels import pads_of
from torchparity.nn.subpixel import SubpixelConv1d
from torchparity.nn.wavelet import WaveletUpsample1d


@dataclass(frozen=True)
class Extent:
    """Where a layer looks.

    Output m, of ``L·T + excess`` for T input samples, looks at samples from ``⌊(m − lead)/L⌋`` on, and is final, and
    there however the signal ends, once ``m < L·T − late``.

    Attributes
    ----------
    L, late, lead, excess : int
        Samples of the output.
    least : int
        Input samples that the border rule asks for, before anything can be said; 1 for zeros.
    channels : (int, int)
        Taken, and given.
    """

    L: int
    late: int
    lead: int
    excess: int
    least: int
    channels: tuple[int, int]


@singledispatch
def extent_of(layer: nn.Module) -> Extent:
    """Return where an upsampling layer of `torchparity.nn` looks.

    Raises
    ------
    TypeError
        For other layers.
    NotAnalysable
        For circular borders.
    """
    hint = "for nn.ConvTranspose1d see StreamingConvTranspose1d" if isinstance(layer, nn.ConvTranspose1d) else ""
    raise TypeError(complaint("layer", type(layer).__name__, "an upsampling layer of torchparity.nn", hint))


@dataclass(frozen=True)
class Interpolated:
    """Where an interpolation looks, as `Extent` has it: what stands before a convolution at the high rate."""

    L: int
    late: int = 0
    lead: int = 0
    excess: int = 0


def behind(before: Interpolated, layer: Any) -> Extent:
    """Return where a convolution looks, with its padding p = (left, right), behind an interpolation of late and lead.

    Output m takes the samples ``m − left … m − left + R`` of the interpolated signal, R = d(K − 1):

        late = max(late + R − left, R − left − right − excess)        lead = left + lead
    """
    left, right = pads(layer)
    R, L = layer.dilation * (layer.kernel_size - 1), before.L
    late = max(before.late + R - left, R - left - right - before.excess)
    least = _least(layer.padding_mode, max(left, right), before)
    excess = before.excess + left + right - R
    return Extent(L, late, max(0, left + before.lead), excess, least, (layer.in_channels, layer.out_channels))


def pads(layer: Any) -> tuple[int, int]:
    """Return the samples that a layer of this package pads on the left and on the right."""
    if isinstance(layer.padding, tuple):
        left, right = layer.padding
        return int(left), int(right)
    return pads_of(layer.padding, layer.dilation * (layer.kernel_size - 1))


def _least(border: str, padding: int, before: Interpolated) -> int:
    """Return the input samples without which a border has nothing to repeat."""
    if padding < 1 or border == "zeros":
        return 1
    if border == "circular":
        got = "a circular border: the signal's end makes its beginning"
        raise NotAnalysable(complaint("stream", got, "padding_mode 'zeros', 'reflect' or 'replicate'"))
    repeated = padding if border == "reflect" else 0
    return 2 + (repeated + before.late + before.lead + max(0, -before.excess)) // before.L


@extent_of.register
def _subpixel(layer: SubpixelConv1d) -> Extent:
    """Return that of the convolution at the low rate, in samples of the high one."""
    low, L = behind(Interpolated(1), layer), layer.upscale_factor
    return Extent(L, L * low.late, L * low.lead, L * low.excess, low.least, low.channels)


@extent_of.register
def _wavelet(layer: WaveletUpsample1d) -> Extent:
    """Return that of o, which looks at d through p and u; J − 1 + I − 1 samples in all."""
    J, I = (len(layer.predict), len(layer.update)) if layer.kind == "learnable" else (1, 1)
    ahead, back = J // 2 + (I - 1) // 2, (J - 1) // 2 + I // 2
    return Extent(2, 2 * ahead, 2 * back, 0, 1, (layer.in_channels, layer.channels))
