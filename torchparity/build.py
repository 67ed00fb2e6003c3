"""From the layers of `dspref` to Torch modules: the inverse of `torchparity.describe`."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable, as_choice, complaint
from dspref.chain import Chain, Pointwise
from dspref.designs import BorderInterp
from dspref.heads.istft import ISTFT
from dspref.heads.lifting import LiftingSynthesis
from dspref.heads.pqmf import PQMFSynthesis
from dspref.heads.squeeze import Squeeze, Unsqueeze
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.layers import Conv, SubpixelConv, TransposedConv
from torchparity.describe import Description
from torchparity.heads import (
    ISTFTHead,
    PQMFSynthesis1d,
    Squeeze1d,
    Unsqueeze1d,
)
from torchparity.nn import FilterInterp1d, Interpolate1d, Snake, SubpixelConv1d, WaveletUpsample1d
from torchparity.nn_designs import BorderInterp1d

_POINTWISE: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "leaky": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "snake": Snake,
    "glu": lambda: nn.GLU(dim=-2),
}
_KEPT = {np.dtype(np.float16): torch.float16, np.dtype(np.float32): torch.float32}
_DTYPES = {"float16": torch.float16, "float32": torch.float32, "float64": torch.float64}


def build(layer: Description, *, dtype: torch.dtype | str | None = None) -> nn.Module:
    """Return the Torch module that a layer or a chain describes, such that ``describe(build(d)) == d``.

    Torch holds scales as doubles, so an `Interpolate` by 11/10 comes back as one by the double next to it; by an
    integer, nearest and linear, it comes back as `Nearest` and `Linear`.

    Parameters
    ----------
    layer : Layer, Pointwise or Chain
    dtype : torch.dtype or str, optional
        Of the weights. By default float16 and float32 stay, and all else (integers, Fractions) becomes
        float64.

    Returns
    -------
    nn.Module; for a chain, a Sequential.

    Raises
    ------
    NotAnalysable
        If the layer has no weights (`Outline`).

    Examples
    --------
    >>> build(Nearest(4))
    Upsample(scale_factor=4.0, mode='nearest')
    """
    return _build(layer, None if dtype is None else as_dtype(dtype))


def as_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """Return a Torch dtype for its name."""
    return _DTYPES[as_choice("dtype", str(dtype).removeprefix("torch."), _DTYPES)]


@singledispatch
def _build(layer: object, dtype: torch.dtype | None) -> nn.Module:
    hint = "give it weights, e.g. as TransposedConv(weight, stride=…)"
    raise NotAnalysable(complaint("layer to build", layer, "a layer with weights, or a Chain of them", hint))


def _tensor(a: Array, dtype: torch.dtype | None) -> Tensor:
    if a.dtype.kind == "c":
        raise TypeError(complaint("weights", f"dtype {a.dtype}", "real numbers"))
    exact = a if a.dtype in _KEPT else a.astype(np.float64)
    return torch.from_numpy(exact.copy()).to(dtype or _KEPT.get(a.dtype, torch.float64))


def _filled(kind: Any, layer: Any, dtype: torch.dtype | None, channels: tuple[int, int], **options: Any) -> Any:
    """Return a convolution of that kind with the layer's weights; Torch's random state stays as it is."""
    w = _tensor(layer.weight, dtype)
    for name in ("padding", "dilation", "groups"):
        options[name] = getattr(layer, name)
    options |= {"bias": layer.bias is not None, "dtype": w.dtype}
    made = nn.utils.skip_init(kind, *channels, w.shape[-1], **options)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        made.weight.copy_(w)
        if layer.bias is not None:
            made.bias.copy_(_tensor(layer.bias, w.dtype))
    return made


@_build.register
def _conv(layer: Conv, dtype: torch.dtype | None) -> nn.Module:
    out, inner, _ = layer.weight.shape
    options = {"stride": layer.stride, "padding_mode": layer.padding_mode}
    made: nn.Module = _filled(nn.Conv1d, layer, dtype, (inner * layer.groups, out), **options)
    return made


@_build.register
def _conv_transpose(layer: TransposedConv, dtype: torch.dtype | None) -> nn.Module:
    inner, fan_out, _ = layer.weight.shape
    options = {"stride": layer.stride, "output_padding": layer.output_padding}
    made: nn.Module = _filled(nn.ConvTranspose1d, layer, dtype, (inner, fan_out * layer.groups), **options)
    return made


@_build.register
def _subpixel(layer: SubpixelConv, dtype: torch.dtype | None) -> nn.Module:
    out, inner, _ = layer.weight.shape
    options = {"upscale_factor": layer.factor, "padding_mode": layer.padding_mode, "order": layer.order}
    channels = (inner * layer.groups, out // layer.factor)
    made: nn.Module = _filled(SubpixelConv1d, layer, dtype, channels, **options)
    return made


@_build.register
def _border_filter(layer: BorderInterp, dtype: torch.dtype | None) -> nn.Module:
    return BorderInterp1d(layer.factor, _tensor(layer.taps, dtype), offset=layer.offset, border=layer.border)


@_build.register
def _filter(layer: FilterInterp, dtype: torch.dtype | None) -> nn.Module:
    return FilterInterp1d(layer.factor, _tensor(layer.taps, dtype), offset=layer.offset, excess=layer.excess)


@_build.register
def _nearest(layer: Nearest, dtype: torch.dtype | None) -> nn.Module:
    return nn.Upsample(scale_factor=layer.factor, mode="nearest")


@_build.register
def _linear(layer: Linear, dtype: torch.dtype | None) -> nn.Module:
    return nn.Upsample(scale_factor=layer.factor, mode="linear", align_corners=layer.align_corners)


@_build.register
def _interpolate(layer: Interpolate, dtype: torch.dtype | None) -> nn.Module:
    scale, recompute = None if layer.scale is None else float(layer.scale), layer.recompute_scale_factor
    given: dict[str, Any] = {"size": layer.size, "scale_factor": scale, "recompute_scale_factor": recompute}
    if layer.mode == "cubic":
        return Interpolate1d("cubic", align_corners=layer.align_corners, **given)
    corners = None if layer.mode.startswith("nearest") else layer.align_corners
    return nn.Upsample(mode=layer.mode, align_corners=corners, **given)


@_build.register
def _unsqueeze(layer: Unsqueeze, dtype: torch.dtype | None) -> nn.Module:
    return Unsqueeze1d(layer.channels, layer.factor, order=layer.order)


@_build.register
def _squeeze(layer: Squeeze, dtype: torch.dtype | None) -> nn.Module:
    return Squeeze1d(layer.channels, layer.factor_down, order=layer.order)


@_build.register
def _lazy(layer: LazySynthesis, dtype: torch.dtype | None) -> nn.Module:
    return WaveletUpsample1d(layer.channels, "lazy")


@_build.register
def _haar(layer: HaarSynthesis, dtype: torch.dtype | None) -> nn.Module:
    return WaveletUpsample1d(layer.channels, "haar", scale=layer.scale)


@_build.register
def _lifting(layer: LiftingSynthesis, dtype: torch.dtype | None) -> nn.Module:
    p, u, scales = (_tensor(a, dtype) for a in (layer.predict, layer.update, layer.scales))
    made = WaveletUpsample1d(layer.channels, "learnable", begin="lazy", taps=(len(p), len(u)), dtype=p.dtype)
    with torch.no_grad():
        for own, h in ((made.predict, p), (made.update, u), (made.scales, scales)):
            own.copy_(h)
    return made


@_build.register
def _istft(layer: ISTFT, dtype: torch.dtype | None) -> nn.Module:
    return ISTFTHead(_tensor(layer.window, dtype), layer.hop, padding=layer.padding)


@_build.register
def _pqmf(layer: PQMFSynthesis, dtype: torch.dtype | None) -> nn.Module:
    return PQMFSynthesis1d(_tensor(layer.prototype, dtype), layer.bands)


@_build.register
def _pointwise(layer: Pointwise, dtype: torch.dtype | None) -> nn.Module:
    return _POINTWISE[layer.name](*layer.parameters)


@_build.register
def _chain(chain: Chain, dtype: torch.dtype | None) -> nn.Module:
    return nn.Sequential(*(_build(stage, dtype) for stage in chain.stages))
