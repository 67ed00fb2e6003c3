"""Interpolation, then convolution, as it is written: for a whole signal, and for outputs near its ends alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchparity.nn.geometry import Geometry

_PADDINGS: dict[str, Callable[[tuple[int, int]], nn.Module]] = {
    "zeros": lambda pads: nn.ConstantPad1d(pads, 0.0),
    "reflect": nn.ReflectionPad1d,
    "replicate": nn.ReplicationPad1d,
    "circular": nn.CircularPad1d,
}


def padding_layers(g: Geometry) -> list[nn.Module]:
    """Return the layers that extend and crop u, where a convolution does not do so itself."""
    (left, right), layers = g.pads, []
    if max(g.pads) > 0:
        layers.append(_PADDINGS[g.padding_mode]((max(left, 0), max(right, 0))))
    if min(g.pads) < 0:
        layers.append(nn.ConstantPad1d((min(left, 0), min(right, 0)), 0.0))
    return layers


def extended(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """Return a signal with so many samples more at its ends, by Torch's rules; with fewer where numbers are negative.

    Nothing is dropped before all is there: what a crop at one end leaves may lie in what the other end is extended by.
    """
    more = (max(left, 0), max(right, 0))
    if any(more):
        x = F.pad(x, more, mode="constant" if mode == "zeros" else mode)
    if min(left, right) < 0:
        x = x[..., max(-left, 0) : x.shape[-1] - max(-right, 0)]
    return x


def convolved(u: Tensor, w: Tensor, bias: Tensor | None, g: Geometry, groups: int) -> Tensor:
    """Return the convolution of all of ũ."""
    return F.conv1d(u, w, bias, dilation=g.dilation, groups=groups)


def interpolated_and_convolved(x: Tensor, w: Tensor, bias: Tensor | None, g: Geometry, groups: int) -> Tensor:
    """Return y for a signal (batch, in, time), by the two layers."""
    u, (left, right) = g.interpolation.of(x), g.pads
    if g.padding_mode == "zeros" and left == right >= 0:
        return F.conv1d(u, w, bias, padding=left, dilation=g.dilation, groups=groups)
    return convolved(extended(u, left, right, g.padding_mode), w, bias, g, groups)


def outer(x: Tensor, w: Tensor, bias: Tensor | None, g: Geometry, groups: int) -> tuple[Tensor, Tensor]:
    """Return the outputs at both ends that are not inner, ``g.outer`` of them, where there are inner ones between.

    Each takes ũ from as many samples beyond its end as the layer pads, to D samples before it::

        ũ   | pad |  D  | …                      … |  D  | pad |
              └── first ──┘                          └── last ──┘
    """
    (first, last), D = g.outer, g.reach
    head, tail = _ends(x, g, max(D, first + 1, last + 1))
    if g.padding_mode == "circular":
        before, behind = torch.cat([_last(tail, first), head], -1), torch.cat([tail, head[..., :last]], -1)
    else:
        before, behind = extended(head, first, 0, g.padding_mode), extended(tail, 0, last, g.padding_mode)
    parts = (before[..., : first + D], first), (_last(behind, last + D), last)
    left, right = (convolved(u, w, bias, g, groups) if n else None for u, n in parts)
    some = left if left is not None else right
    assert some is not None
    return left if left is not None else some[..., :0], right if right is not None else some[..., :0]


def _ends(x: Tensor, g: Geometry, samples: int) -> tuple[Tensor, Tensor]:
    """Return the first and the last samples of u, from as many samples of x as they depend on."""
    i = g.interpolation
    short = max(-i.excess, 0)
    before = -(-(samples + max(i.offset, 0) + short) // i.factor) + 1
    behind = -(-(samples + max(len(i.taps) - i.offset, 0) + short) // i.factor) + 1
    return i.of(x[..., :before])[..., :samples], _last(i.of(_last(x, behind)), samples)


def _last(x: Tensor, samples: int) -> Tensor:
    return x[..., max(x.shape[-1] - samples, 0) :]
