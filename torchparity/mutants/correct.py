"""Torch's own computation of every operator, with some of its parameters changed: what mutants go wrong from."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_BORDERS = {"zeros": "constant"}


def correct(x: Tensor, p: Any, **changed: Any) -> Tensor:
    """Return what Torch gives for the layer `p`, with parameters changed as said."""
    if hasattr(p, "stages"):
        for stage in p.stages:
            x = correct(x, stage)
        return x
    return _OPERATORS[p.op](x, with_changed(p, **changed))


def with_changed(p: Any, **changed: Any) -> Any:
    """Return the parameters, some of them changed."""
    names = (*getattr(p, "_parameters", {}), *(n for n in vars(p) if not n.startswith("_")))
    return SimpleNamespace(**{name: getattr(p, name) for name in names} | changed)


def rekernelled(x: Tensor, p: Any, change: Callable[[Tensor], Tensor], **changed: Any) -> Tensor:
    """Return what Torch gives for the layer with another kernel."""
    return correct(x, p, **{kernel_name(p): change(kernel(p))}, **changed)


def kernel_name(p: Any) -> str:
    """Return how the layer calls its kernel."""
    return "taps" if p.op == "filter" else "weight"


def kernel(p: Any) -> Tensor:
    """Return the layer's kernel, time last."""
    found: Tensor = getattr(p, kernel_name(p))
    return found


def pads_of(p: Any) -> tuple[int, int]:
    """Return by how many samples a convolution extends its input on the left and on the right."""
    reach = p.dilation * (p.weight.shape[-1] - 1)
    if p.padding == "same":
        return reach // 2, reach - reach // 2
    return (0, 0) if p.padding == "valid" else (p.padding, p.padding)


def shuffled(low: Tensor, L: int) -> Tensor:
    """Return L channels of the low rate interleaved in time, in Torch's (CRD) order."""
    return low.unflatten(1, (-1, L)).transpose(-1, -2).flatten(-2)


def _conv(x: Tensor, p: Any) -> Tensor:
    left, right = getattr(p, "pads", None) or pads_of(p)
    x = F.pad(x, (left, right), mode=_BORDERS.get(p.padding_mode, p.padding_mode))
    return F.conv1d(x, p.weight, p.bias, getattr(p, "stride", 1), 0, p.dilation, p.groups)


def _convt(x: Tensor, p: Any) -> Tensor:
    return F.conv_transpose1d(x, p.weight, p.bias, p.stride, p.padding, p.output_padding, p.groups, p.dilation)


def _filter(x: Tensor, p: Any) -> Tensor:
    y = F.conv_transpose1d(x, p.taps.transpose(0, 1), stride=p.factor)
    length = p.factor * x.shape[-1] + p.excess
    y = F.pad(y, (max(-p.offset, 0), max(p.offset + length - y.shape[-1], 0)))
    return y[..., max(p.offset, 0) :][..., :length]


def _linear(x: Tensor, p: Any) -> Tensor:
    return F.interpolate(x, scale_factor=float(p.factor), mode="linear", align_corners=p.align_corners)


_OPERATORS: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "conv": _conv,
    "convt": _convt,
    "shuffle": lambda x, p: shuffled(_conv(x, p), p.factor),
    "filter": _filter,
    "nearest": lambda x, p: x.repeat_interleave(p.factor, -1),
    "linear": _linear,
}


def tf32(t: Tensor) -> Tensor:
    """Return numbers rounded to the 11 significant bits of TF32."""
    mantissa, exponent = torch.frexp(t)
    return torch.ldexp(torch.round(mantissa * 2**11) / 2**11, exponent)
