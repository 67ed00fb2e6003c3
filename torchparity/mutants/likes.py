"""What mutants should be: drawers of layers, with parameters as said and weights of the generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.layers import Conv, SubpixelConv, TransposedConv
from torchparity.mutants.registry import Like


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    """Return normal weights of single precision."""
    return rng.standard_normal(shape).astype(np.float32)


def convt(*, inner: int = 2, outer: int = 2, taps: int = 7, groups: int = 1, **fixed: Any) -> Like:
    """Return a drawer of transposed convolutions; `inner` and `outer` channels in each group."""
    fixed = {"stride": 3, "padding": 2, "output_padding": 1} | fixed

    def like(rng: np.random.Generator) -> TransposedConv:
        w, b = drawn(rng, groups * inner, outer, taps), drawn(rng, groups * outer)
        return TransposedConv(w, bias=b, groups=groups, **fixed)

    return like


def conv(*, inner: int = 2, outer: int = 2, taps: int = 5, groups: int = 1, **fixed: Any) -> Like:
    """Return a drawer of convolutions."""
    fixed = {"padding": 2} | fixed

    def like(rng: np.random.Generator) -> Conv:
        w, b = drawn(rng, groups * outer, inner, taps), drawn(rng, groups * outer)
        return Conv(w, bias=b, groups=groups, **fixed)

    return like


def shuffle(*, inner: int = 2, outer: int = 2, factor: int = 3, taps: int = 5, groups: int = 1, **fixed: Any) -> Like:
    """Return a drawer of sub-pixel convolutions; `outer` channels in all."""
    fixed = {"padding": 2} | fixed

    def like(rng: np.random.Generator) -> SubpixelConv:
        w, b = drawn(rng, outer * factor, inner, taps), drawn(rng, outer * factor)
        return SubpixelConv(w, factor, bias=b, groups=groups, **fixed)

    return like


def filtering(*, inner: int = 2, outer: int = 2, factor: int = 3, taps: int = 8, **fixed: Any) -> Like:
    """Return a drawer of stretch + filter interpolations that mix channels."""
    fixed = {"offset": 3} | fixed
    return lambda rng: FilterInterp(factor, drawn(rng, outer, inner, taps), **fixed)


def nearest(factor: int = 4) -> Like:
    """Return a drawer of nearest interpolations: there is nothing to draw."""
    return lambda rng: Nearest(factor)


def linear(factor: int = 4, *, align_corners: bool = False) -> Like:
    """Return a drawer of linear interpolations."""
    return lambda rng: Linear(factor, align_corners=align_corners)


def resizing(mode: str, scale: str | float | None = "3/2", **fixed: Any) -> Like:
    """Return a drawer of interpolations by any scale, or to the `size` given."""
    return lambda rng: Interpolate(mode, scale_factor=None if "size" in fixed else scale, **fixed)
