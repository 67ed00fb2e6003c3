"""Which input samples an output of an upsampling layer looks at, and from when on it is final."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from torch import nn

from dspref.arrays import NotAnalysable, complaint
from dspref.kernels import pads_of
from torchparity.nn.fused import FilterConv1d, LinearConv1d, NearestConv1d
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
        Input samples without which the layer, or its border rule, has nothing to work on.
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


@extent_of.register(NearestConv1d)
@extent_of.register(LinearConv1d)
@extent_of.register(FilterConv1d)
def _fused(layer: Any) -> Extent:
    g = layer.geometry
    i = g.interpolation
    late, lead = max(i.offset, -i.excess), max(0, len(i.taps) - i.factor - i.offset)
    before = Interpolated(i.factor, late, lead, i.excess)
    return _behind(before, g.pads, g.reach, g.padding_mode, (layer.in_channels, layer.out_channels))


@extent_of.register
def _subpixel(layer: SubpixelConv1d) -> Extent:
    """Return that of the convolution at the low rate, in samples of the high one."""
    reach, L = layer.dilation * (layer.kernel_size - 1), layer.upscale_factor
    pads, channels = pads_of(layer.padding, reach), (layer.in_channels, layer.out_channels)
    low = _behind(Interpolated(1), pads, reach, layer.padding_mode, channels)
    return Extent(L, L * low.late, L * low.lead, L * low.excess, low.least, channels)


@extent_of.register
def _wavelet(layer: WaveletUpsample1d) -> Extent:
    """Return that of o, which looks at d through p and u: J − 1 + I − 1 samples in all."""
    J, I = (len(layer.predict), len(layer.update)) if layer.kind == "learnable" else (1, 1)
    ahead, back = J // 2 + (I - 1) // 2, (J - 1) // 2 + I // 2
    return Extent(2, 2 * ahead, 2 * back, 0, 1, (layer.in_channels, layer.channels))


def _behind(before: Interpolated, pads: tuple[int, int], D: int, border: str, channels: tuple[int, int]) -> Extent:
    """Return where a convolution looks, with pads (left, right), behind an interpolation of late and lead.

    Output m takes the samples ``m − left … m − left + D`` of the interpolated signal, D = d(K − 1):

        late = max(late + D − left, D − left − right − excess)        lead = left + lead
    """
    left, right = pads
    late = max(before.late + D - left, D - left - right - before.excess)
    least = _least(border, max(pads), before)
    return Extent(before.L, late, max(0, left + before.lead), before.excess + left + right - D, least, channels)


def _least(border: str, padding: int, before: Interpolated) -> int:
    """Return the input samples without which there is no interpolated signal, or a border has nothing to repeat.

    The border at the end repeats interpolated samples ``L·T + excess − 1 − repeated`` and later ones, of which the
    first looks back by `lead`: ``1 + (repeated + late + lead)//L`` input samples, as late ≥ −excess. One more is for
    taps that lie beyond their sample: late + lead > −L.
    """
    if padding < 1 or border == "zeros":
        return 1 + max(0, -before.excess) // before.L
    if border == "circular":
        got = "a circular border: the signal's end makes its beginning"
        raise NotAnalysable(complaint("stream", got, "padding_mode 'zeros', 'reflect' or 'replicate'"))
    repeated = padding if border == "reflect" else 0
    return 2 + (repeated + before.late + before.lead) // before.L
