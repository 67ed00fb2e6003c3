"""The laws of Torch's own modules, and of ours."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from torch import nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.heads.istft import ISTFT
from dspref.heads.lifting import LiftingSynthesis
from dspref.heads.pqmf import PQMFSynthesis
from dspref.heads.squeeze import Squeeze, Unsqueeze
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.operators import widened
from torchparity.dispatch import HINT, array, field, register
from torchparity.heads import (
    ISTFTHead,
    PQMFSynthesis1d,
    Squeeze1d,
    Unsqueeze1d,
)
from torchparity.nn import (
    FilterConv1d,
    FilterInterp1d,
    Interpolate1d,
    LinearConv1d,
    NearestConv1d,
    PixelShuffle1d,
    Snake,
    SubpixelConv1d,
    WaveletUpsample1d,
)


def _kernel(module: nn.Conv1d | nn.ConvTranspose1d) -> dict[str, Any]:
    padding = module.padding if isinstance(module.padding, str) else module.padding[0]
    return {
        "weight": field(module, "weight"),
        "bias": field(module, "bias"),
        "stride": module.stride[0],
        "padding": padding,
        "dilation": module.dilation[0],
        "groups": module.groups,
    }


@register(nn.Conv1d)
def _conv(module: nn.Conv1d) -> Conv:
    return Conv(**_kernel(module), padding_mode=module.padding_mode)


@register(nn.ConvTranspose1d)
def _conv_transpose(module: nn.ConvTranspose1d) -> TransposedConv:
    return TransposedConv(**_kernel(module), output_padding=module.output_padding[0])


@register(SubpixelConv1d)
def _subpixel(module: SubpixelConv1d) -> SubpixelConv:
    weight = field(module, "weight")
    assert weight is not None
    names = ("padding", "dilation", "groups", "padding_mode", "order")
    given: dict[str, Any] = {name: getattr(module, name) for name in names}
    return SubpixelConv(weight, module.upscale_factor, bias=field(module, "bias"), **given)


def _fused(module: Any) -> Chain:
    """Return the two layers that it equals: an interpolation, and a convolution at the high rate."""
    g = module.geometry
    i, (left, right), d = g.interpolation, g.pads, g.dilation
    weight, bias = field(module, "weight"), field(module, "bias")
    assert weight is not None
    mode = g.padding_mode if max(left, right) > 0 else "zeros"
    if left != right or left < 0:
        if mode != "zeros":
            raise NotAnalysable(complaint("padding", f"({left}, {right}) by {mode}", "zeros, or both alike", HINT))
        weight, d = widened(weight, (left, right), d)
    conv = Conv(weight, bias=bias, padding=max(left, right, 0), dilation=d, groups=module.groups, padding_mode=mode)
    first: dict[str, Stage] = {
        "nearest": Nearest(i.factor),
        "linear": Linear(i.factor),
        "filter": FilterInterp(i.factor, i.taps, offset=i.offset, excess=i.excess),
    }
    return Chain([first[i.kind], conv])


register(NearestConv1d)(_fused)
register(LinearConv1d)(_fused)
register(FilterConv1d)(_fused)


@register(PixelShuffle1d)
def _lone_shuffle(module: PixelShuffle1d) -> Stage:
    hint = "put both into one nn.Sequential and describe that"
    raise NotAnalysable(complaint("module", "PixelShuffle1d alone", "PixelShuffle1d right after a Conv1d", hint))


@register(FilterInterp1d)
def _filter(module: FilterInterp1d) -> FilterInterp:
    return FilterInterp(module.factor, array(module.taps), offset=module.offset, excess=module.excess)


@register(WaveletUpsample1d)
def _wavelet(module: WaveletUpsample1d) -> LazySynthesis | HaarSynthesis | LiftingSynthesis:
    if module.kind == "lazy":
        return LazySynthesis(module.channels)
    if module.kind == "haar":
        return HaarSynthesis(module.channels, scale=module.scale)
    p, u = (field(module, name) for name in ("predict", "update"))
    assert p is not None
    assert u is not None
    return LiftingSynthesis(module.channels, p, u, scales=array(module.scales))


register(Squeeze1d)(lambda module: Squeeze(module.channels, module.factor, order=module.order))
register(Unsqueeze1d)(lambda module: Unsqueeze(module.channels, module.factor, order=module.order))
register(ISTFTHead)(lambda module: ISTFT(array(module.window), module.hop, padding=module.padding))
register(PQMFSynthesis1d)(lambda module: PQMFSynthesis(array(module.prototype), module.bands))


_LARGEST = 64  # denominator of a ratio that is meant by a float
_LENGTHS = 4096


@register(nn.Upsample)
def _upsample(module: nn.Upsample) -> Nearest | Linear | Interpolate:
    """Nearest and Linear by integers, Interpolate for everything else."""
    if module.mode not in ("nearest", "nearest-exact", "linear"):
        hint = "for a picture of height 1, torchparity.nn.Interpolate1d" if module.mode == "bicubic" else ""
        allowed = "mode='nearest', 'nearest-exact' or 'linear'"
        raise NotAnalysable(complaint("Upsample", f"mode={module.mode!r}", allowed, hint))
    size, scale = _alone("size", module.size), _alone("scale_factor", module.scale_factor)
    corners = bool(module.align_corners)
    if size is None and scale is not None and scale >= 1 and scale == int(scale):
        if module.mode == "nearest":
            return Nearest(int(scale))
        if module.mode == "linear":
            return Linear(int(scale), align_corners=corners)
    recompute = bool(module.recompute_scale_factor)
    meant = None if scale is None else ratio_meant(scale)
    return Interpolate(
        module.mode, scale_factor=meant, size=size, recompute_scale_factor=recompute, align_corners=corners
    )


def ratio_meant(scale: float) -> Fraction | float:
    """Return the ratio of small integers that a scale factor stands for, if it makes the same lengths; else the float.

    Examples
    --------
    >>> ratio_meant(1.6), ratio_meant(120 / 88)
    (Fraction(8, 5), 1.3636363636363635)
    """
    ratio = Fraction(scale).limit_denominator(_LARGEST)
    p, q = ratio.as_integer_ratio()  # by integers: fractions take ten times as long
    same = float(ratio) == scale and all(int(t * scale) == t * p // q for t in range(1, _LENGTHS))
    return ratio if same else scale


def _alone(name: str, given: Any) -> Any:
    """Return the one number in a tuple of one, or what is no tuple."""
    if not isinstance(given, (tuple, list)):
        return given
    if len(given) != 1:
        raise NotAnalysable(complaint("Upsample", f"{name}={given}", f"one {name}, for signals (batch, channel, time)"))
    return given[0]


@register(Interpolate1d)
def _interpolate(module: Interpolate1d) -> Interpolate:
    names = ("size", "recompute_scale_factor", "align_corners")
    meant = None if module.scale_factor is None else ratio_meant(module.scale_factor)
    return Interpolate(module.mode, scale_factor=meant, **{name: getattr(module, name) for name in names})


def shuffled(conv: Conv, shuffle: PixelShuffle1d) -> SubpixelConv:
    """Return a convolution and the shuffle behind it as one layer."""
    if conv.stride != 1:
        raise NotAnalysable(complaint("sub-pixel convolution", f"stride {conv.stride}", "stride 1", HINT))
    names = ("padding", "dilation", "groups", "bias", "padding_mode")
    shared = {name: getattr(conv, name) for name in names}
    return SubpixelConv(conv.weight, shuffle.upscale_factor, order=shuffle.order, **shared)


@register(nn.GELU)
def _gelu(module: nn.GELU) -> Pointwise:
    if module.approximate != "none":
        raise NotAnalysable(complaint("GELU", f"approximate={module.approximate!r}", "approximate='none'"))
    return Pointwise("gelu")


@register(nn.Softplus)
def _softplus(module: nn.Softplus) -> Pointwise:
    if (module.beta, module.threshold) != (1, 20):
        got = f"beta={module.beta}, threshold={module.threshold}"
        raise NotAnalysable(complaint("Softplus", got, "beta=1, threshold=20"))
    return Pointwise("softplus")


@register(nn.GLU)
def _glu(module: nn.GLU) -> Pointwise:
    if module.dim not in (-2, 1):
        raise NotAnalysable(complaint("GLU", f"dim={module.dim}", "dim=-2 or 1, the channel axis"))
    return Pointwise("glu")


register(nn.ReLU)(lambda module: Pointwise("relu"))
register(nn.LeakyReLU)(lambda module: Pointwise("leaky", (module.negative_slope,)))
register(nn.Tanh)(lambda module: Pointwise("tanh"))
register(nn.Sigmoid)(lambda module: Pointwise("sigmoid"))
register(nn.ELU)(lambda module: Pointwise("elu", (module.alpha,)))
register(nn.SiLU)(lambda module: Pointwise("silu"))
register(Snake)(lambda module: Pointwise("snake", (module.a,)))
