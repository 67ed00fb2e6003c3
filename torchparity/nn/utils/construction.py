"""Layers that interpolate by filters that are fixed: tone-free whatever is learned behind them, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array
from torchparity.compiled import named
from torchparity.nn.basic import FilterInterp1d, Interpolate1d
from torchparity.nn.fused import FilterConv1d, LinearConv1d, NearestConv1d

ORDERS = {"nearest": 1, "nearest-exact": 1, "linear": 2}
"""Orders of the zeros at k/s that ways to interpolate have at any factor s."""


def by_construction(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Return the factors of layers that interpolate, and the orders that they have whatever is learned behind them.

    To repeat samples is a filter ``box_s(z)``, and linear interpolation has its square as a factor; of a layer whose
    taps are given they say it. An order of 0 is that of taps that make tones.
    """
    return {name: each for name, part in named(model) for each in _interpolation(part) if each[0] > 1}


def _interpolation(part: nn.Module) -> Iterator[tuple[int, int]]:
    """Yield factor and order of a layer that interpolates, if its type says so."""
    if isinstance(part, (NearestConv1d, LinearConv1d)):
        yield part.geometry.factor, ORDERS[part.geometry.interpolation.kind]
    elif isinstance(part, FilterConv1d):
        yield part.geometry.factor, order_of_taps(np.array(part.geometry.interpolation.taps), part.geometry.factor)
    elif isinstance(part, FilterInterp1d) and not part.taps.is_meta:
        rows = part.taps.detach().cpu().double().numpy().reshape(-1, part.taps.shape[-1])
        unit = torch.finfo(part.taps.dtype).eps / 2
        yield part.factor, min(order_of_taps(row, part.factor, unit) for row in rows)
    elif isinstance(part, (nn.Upsample, Interpolate1d)) and not part.align_corners and part.mode in ORDERS:
        s: Any = part.scale_factor
        if isinstance(s, (int, float)) and s == int(s):
            yield int(s), ORDERS[part.mode]


def order_of_taps(h: Array, s: int, unit: float = 2.0**-53) -> int:
    """Return the order to which taps are tone-free: how often ``box_s(z)`` divides them, exactly.

    Where it does not, they are so of order 1 if gains of phases differ by no more than by rounding of taps that were
    projected, ``2 (K + 4) u Σ abs(h)``.

    Examples
    --------
    >>> [order_of_taps(np.array(taps), 2) for taps in ([0.5, 1, 0.5], [0.1, 0.3, 0.2], [1, 2])]
    [2, 1, 0]
    """
    if not h.any():
        return 1
    rest, order = [Fraction(float(v)) for v in h], 0
    while len(rest) >= s and (found := _divided(rest, s)):
        rest, order = found, order + 1
    gains = np.array([h[r::s].sum() for r in range(s)])
    return order or int(np.abs(gains - gains[0]).max() <= 2 * (len(h) + 4) * unit * np.abs(h).sum())


def _divided(h: list[Fraction], s: int) -> list[Fraction]:
    """Return the taps divided by ``box_s(z)``; nothing if a remainder is left."""
    q = list[Fraction]()
    for n, tap in enumerate(h):
        q.append(tap - sum(q[max(0, n - s + 1) : n], Fraction(0)))
    free = len(h) - s + 1
    return [] if any(q[free:]) else q[:free]
