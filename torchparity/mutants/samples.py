"""Torch's own sample shapes, operator by operator, as data: what its tests run a layer on.

Source: ``sample_inputs_conv_transpose1d``, ``sample_inputs_conv1d``, ``sample_inputs_interpolate`` and
``sample_inputs_pixel_shuffle`` of torch/testing/_internal/common_methods_invocations.py in Torch 2.13; unbatched
inputs, which are the same numbers once more, left out. What Torch has no operator for is given the samples of the
operator it is made of: a sub-pixel convolution those of conv1d, with the factors 1 and 3 of pixel_shuffle, a stretch +
filter those of conv_transpose1d without groups and dilation, a stack those of its layers, one by one, cubic
interpolation those of linear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.chain import Chain
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp
from dspref.layers import Conv, SubpixelConv, TransposedConv
from torchparity.mutants.likes import drawn

Shape = tuple[int, ...]
Sample = tuple[Any, Shape]
"""A layer with weights, and the shape of its input."""

CONVT: tuple[tuple[Shape, Shape, bool, Mapping[str, int]], ...] = (
    ((1, 3, 4), (3, 3, 3), True, {"stride": 2, "padding": 2, "output_padding": 1}),
    ((2, 2, 4), (2, 2, 4), True, {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2, "dilation": 4}),
    ((1, 1, 4), (1, 1, 4), True, {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 2}),
    ((1, 1, 4), (1, 2, 3), False, {"stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 4, 5), (4, 8, 3), False, {}),
)
CONV: tuple[tuple[Shape, Shape, bool, Mapping[str, Any]], ...] = (
    ((1, 3, 4), (3, 3, 3), True, {"stride": 2, "padding": 2}),
    ((2, 4, 8), (2, 2, 3), True, {"stride": 3, "padding": 1, "groups": 2, "dilation": 2}),
    ((1, 4, 5), (1, 4, 3), False, {"stride": 2, "padding": "valid"}),
    ((2, 2, 4), (2, 1, 4), True, {"padding": "same", "groups": 2, "dilation": 2}),
    ((1, 4, 5), (3, 4, 3), False, {}),
)
RESIZED = (
    {"size": 3},
    {"size": 5},
    *({"scale_factor": s, "recompute_scale_factor": again} for again in (False, True) for s in (1.7, 0.6)),
)
ALIGNED = (True, False)
SIGNAL = (2, 3, 4)
SHUFFLED = (1, 3)


def samples(operator: str, rng: np.random.Generator) -> tuple[Sample, ...]:
    """Return Torch's samples for an operator, with weights drawn; none for an operator that it does not have.

    Examples
    --------
    >>> [shape for _, shape in samples("convt", np.random.default_rng(0))]
    [(1, 3, 4), (2, 2, 4), (1, 1, 4), (1, 1, 4), (1, 4, 5)]
    """
    made = {"convt": _convt, "conv": _conv, "shuffle": _shuffle, "filter": _filter, "stack": _stack}
    if operator in made:
        return tuple(made[operator](rng))
    return tuple(_resized(operator)) if operator in ("nearest", "nearest-exact", "linear", "cubic") else ()


def _bias(rng: np.random.Generator, there: bool, channels: int) -> Array | None:
    return drawn(rng, channels) if there else None


def _convt(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, w, bias, options in CONVT:
        out = w[1] * options.get("groups", 1)
        yield TransposedConv(drawn(rng, *w), bias=_bias(rng, bias, out), **options), shape


def _conv(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, w, bias, options in CONV:
        yield Conv(drawn(rng, *w), bias=_bias(rng, bias, w[0]), **options), shape


def _shuffle(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, w, bias, options in (*CONV, ((1, 9, 2), (9, 9, 1), False, {})):
        for factor in (L for L in SHUFFLED if w[0] % L == 0):
            kept = {name: option for name, option in options.items() if name != "stride"}
            yield SubpixelConv(drawn(rng, *w), factor, bias=_bias(rng, bias, w[0]), **kept), shape


def _filter(rng: np.random.Generator) -> Iterator[Sample]:
    for layer, shape in _convt(rng):
        if layer.groups == layer.dilation == 1:
            u = layer.normal
            yield FilterInterp(u.L, u.h, offset=u.offset, excess=u.excess), shape


def _stack(rng: np.random.Generator) -> Iterator[Sample]:
    for layer, shape in _convt(rng):
        yield Chain([layer]), shape


def _resized(mode: str) -> Iterator[Sample]:
    for align_corners in ALIGNED if mode in ("linear", "cubic") else (False,):
        for options in RESIZED:
            yield Interpolate(mode, align_corners=align_corners, **options), SIGNAL  # type: ignore[arg-type]
