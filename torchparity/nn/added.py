"""What a user has put on a layer besides what its class puts there."""

from __future__ import annotations

import torch
from torch import nn

from torchparity.nn.basic import FilterInterp1d, Interpolate1d, PixelShuffle1d
from torchparity.nn.fused import FilterConv1d, LinearConv1d, NearestConv1d
from torchparity.nn.subpixel import SubpixelConv1d


def _names(m: nn.Module) -> frozenset[str]:
    return frozenset((*vars(m), *m._parameters, *m._buffers, *m._modules))


PLAIN = {
    type(m): _names(m)
    for m in (
        nn.Conv1d(1, 1, 1, device="meta"),
        nn.ConvTranspose1d(1, 1, 1, device="meta"),
        SubpixelConv1d(1, 1, 1, 2, device="meta"),
        NearestConv1d(1, 1, 1, 2, device="meta"),
        LinearConv1d(1, 1, 1, 2, device="meta"),
        FilterConv1d(1, 1, 1, 2, [1.0], device="meta"),
        nn.Upsample(scale_factor=2),
        Interpolate1d("linear", scale_factor=2),
        FilterInterp1d(2, torch.ones(2)),
        PixelShuffle1d(2),
    )
}
"""Names of parameters, buffers, parts and attributes of layers as their classes make them."""


def added(m: nn.Module) -> set[str]:
    """Return the names of what a layer has besides: parameters, buffers, parts and attributes.

    Examples
    --------
    >>> up = nn.Upsample(scale_factor=2)
    >>> up.register_buffer("seen", torch.zeros(1))
    >>> added(up)
    {'seen'}
    """
    plain = next(PLAIN[kind] for kind in type(m).__mro__ if kind in PLAIN)
    return set(_names(m) - plain - {"parametrizations"})


def names_of_norm(name: str) -> set[str]:
    """Return what Torch's hooks, of norms and of pruning, add for a tensor of this name.

    Examples
    --------
    >>> sorted(names_of_norm("w"))
    ['w', 'w_g', 'w_mask', 'w_orig', 'w_u', 'w_v']
    """
    return {name + part for part in ("", "_g", "_v", "_u", "_orig", "_mask")}
