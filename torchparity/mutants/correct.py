"""Torch's own computation of every operator, with some of its parameters changed: what mutants go wrong from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor, lcm
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
    return OPERATORS[p.op](x, with_changed(p, **changed))


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


def blocked(x: Tensor, groups: int) -> Tensor:
    """Return the channels in groups, (batch, group, channel, time)."""
    return x.reshape(len(x), groups, -1, x.shape[-1])


def shuffled(low: Tensor, L: int, order: str = "crd") -> Tensor:
    """Return L channels of the low rate interleaved in time: channels outer in Torch's order (CRD), phases in DCR."""
    phases = blocked(low, low.shape[1] // L) if order == "crd" else blocked(low, L).transpose(1, 2)
    return phases.transpose(-1, -2).flatten(-2)


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


def positions(time: int, p: Any, length: int) -> list[Fraction]:
    """Return where the outputs of an interpolation stand, in input samples, as Torch documents it; refuse none."""
    step, start = _line(time, p, length)
    return [m * step + start for m in range(length)]


def _line(time: int, p: Any, length: int) -> tuple[Fraction, Fraction]:
    """Return (step, start): output m stands at m · step + start."""
    if length < 1:
        raise ValueError("no output sample")
    ratio = Fraction(time, length) if p.size or p.recompute_scale_factor else 1 / Fraction(p.scale_factor)
    if p.mode == "nearest":
        return ratio, Fraction(0)
    if p.align_corners:
        return Fraction(time - 1, max(length - 1, 1)), Fraction(0)
    if p.mode == "linear" and length == time:
        return Fraction(1), Fraction(0)
    return ratio, ratio / 2 - (0 if p.mode == "nearest-exact" else Fraction(1, 2))


def output_length(time: int, p: Any) -> int:
    """Return the length of an interpolation: that of Torch, whose product is a double, where the scale is one."""
    if p.size:
        return int(p.size)
    given = float(p.scale_factor)
    return int(time * given if Fraction(given) == p.scale_factor else time * p.scale_factor)


def grid(x: Tensor, p: Any, **changed: Any) -> list[Fraction]:
    """Return where the outputs for a signal stand, some of the parameters changed."""
    return positions(x.shape[-1], with_changed(p, **changed), output_length(x.shape[-1], p))


def parts(x: Tensor, p: Any) -> tuple[Tensor, Tensor]:
    """Return `split` of `grid`, in integers: fractions one by one are slow."""
    length = output_length(x.shape[-1], p)
    step, start = _line(x.shape[-1], p, length)
    unit = lcm(step.denominator, start.denominator)
    over = int(step * unit) * torch.arange(length) + int(start * unit)
    return torch.div(over, unit, rounding_mode="floor"), (over % unit).double() / unit


def held(x: Tensor, index: Tensor) -> Tensor:
    """Return samples by index, the first and the last held beyond the borders."""
    return x[..., index.clamp(0, x.shape[-1] - 1)]


def split(at: Sequence[Fraction]) -> tuple[Tensor, Tensor]:
    """Return the whole and the broken part of positions."""
    whole = [floor(t) for t in at]
    part = [float(t - i) for t, i in zip(at, whole, strict=True)]
    return torch.tensor(whole, dtype=torch.long), torch.tensor(part, dtype=torch.float64)


def placed(x: Tensor, at: list[Fraction], mode: str) -> Tensor:
    """Return a signal interpolated at positions in input samples."""
    return _drawn(x, *split(at), mode)


def _drawn(x: Tensor, whole: Tensor, part: Tensor, mode: str) -> Tensor:
    if mode.startswith("nearest"):
        return held(x, whole)
    if mode == "linear":
        part = torch.where(whole < 0, 0, part).to(x.dtype)
        return (1 - part) * held(x, whole) + part * held(x, whole + 1)
    taps = [keys(part - n).to(x.dtype) * held(x, whole + n) for n in (-1, 0, 1, 2)]
    return torch.stack(taps).sum(0)


def keys(t: Tensor, a: float = -0.75) -> Tensor:
    """Return the cubic kernel of R. Keys, a = -3/4 as in Torch."""
    t = t.abs()
    outer = a * (((t - 5) * t + 8) * t - 4)
    return torch.where(t <= 1, ((a + 2) * t - (a + 3)) * t * t + 1, torch.where(t < 2, outer, 0 * t))


def _interpolate(x: Tensor, p: Any) -> Tensor:
    return _drawn(x, *parts(x, p), p.mode)


def tf32(t: Tensor) -> Tensor:
    """Return numbers rounded to the 11 significant bits of TF32."""
    mantissa, exponent = torch.frexp(t)
    return torch.ldexp(torch.round(mantissa * 2**11) / 2**11, exponent)


OPERATORS: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "conv": _conv,
    "convt": _convt,
    "shuffle": lambda x, p: shuffled(_conv(x, p), p.factor, p.order),
    "filter": _filter,
    "nearest": _interpolate,
    "linear": _interpolate,
    "interpolate": _interpolate,
}
