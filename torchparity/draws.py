"""Random legal layers with inputs for them: each a pure function of a seed and an index."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import BORDERS, Array, as_choice
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.kernels import pads_of
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.multirate import ORDERS
from dspref.resize import MODES
from torchparity.cases import Case
from torchparity.roundoff import mapped

Rng: TypeAlias = np.random.Generator
Make: TypeAlias = Callable[..., Array]

DTYPES = ("float64", "float32", "bfloat16", "float16")
"""The arithmetics that are drawn, if no others are asked for."""

REAL = ("normal", "normal", "spread", "constant", "one-hot")

_COST = 1 << 20  # products that a drawn case may take, about 2 ms in double precision
_RARE = 12  # one size in so many is drawn from the wide range
_WHOLE = 0.4  # share of cases with whole numbers
_AMPLITUDE = 8
_TINY = 2.0**-20  # about 1e-6: operands of autocast that float16 holds with few digits, or as 0


@dataclass(frozen=True)
class Trial:
    """One drawn case: a layer, and the recipe of an input for it.

    `case` makes the input; its dtype is the arithmetic. `backward` says whether gradients are due too.
    """

    index: int
    seed: int
    kind: str
    layer: Any
    case: Case
    backward: bool

    @property
    def whole(self) -> bool:
        """Whether weights and input are whole numbers."""
        return self.case.kind == "integer"


def draw_case(
    index: int, seed: int = 0, *, kinds: Sequence[str] | None = None, dtypes: Sequence[str] = DTYPES
) -> Trial:
    """Draw case number `index`: the same for the same seed, kinds and dtypes, on every machine.

    Under autocast the real weights of every fourth case are about 1e-6: they underflow when they are rounded to half.

    Parameters
    ----------
    index, seed : int
        At least 0.
    kinds : sequence of str
        Of layers, out of `KINDS`; all by default.
    dtypes : sequence of str
        Arithmetics to draw from.

    Examples
    --------
    >>> trial = draw_case(0, kinds=["nearest"])
    >>> trial.kind, trial == draw_case(0, kinds=["nearest"])
    ('nearest', True)
    """
    rng = np.random.default_rng([seed, index])
    kind, dtype = _pick(rng, *(kinds or KINDS)), _pick(rng, *dtypes)
    whole, backward = rng.random() < _WHOLE, rng.random() < 0.5
    layer = draw_layer(kind, rng, whole=whole)
    if dtype.startswith("autocast") and not whole and index % 4 == 0:
        layer = mapped(layer, lambda a: a * _TINY)
    shape = draw_shape(layer, rng)
    case = Case("integer" if whole else _pick(rng, *REAL), shape, dtype, int(rng.integers(1 << 31)))
    return Trial(index, seed, kind, layer, case, bool(backward))


def draw_layer(kind: str, rng: Rng, *, whole: bool = False) -> Any:
    """Draw a legal layer: its parameters, then its weights, in double precision.

    Sizes are mostly small, so that borders, gaps and crops are at work in every sample; one in twelve is
    wide: to 70 channels, 40 taps.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    rng : numpy.random.Generator
    whole : bool
        Draw whole numbers in ±8, else normal ones, a quarter of them over 12 octaves.

    Examples
    --------
    >>> draw_layer("nearest", np.random.default_rng(1))
    Nearest(factor=7)
    """
    return _DRAWS[as_choice("kind", kind, KINDS)](rng, _whole(rng) if whole else _real(rng))


def draw_shape(layer: Any, rng: Rng) -> tuple[int, int, int]:
    """Draw a shape (batch, channel, time) that the layer takes: shortest, short or long.

    Examples
    --------
    >>> draw_shape(Conv(np.ones((1, 2, 3))), np.random.default_rng(2))[1]
    2
    """
    channels = layer.in_channels or _size(rng, 4, 70)
    least = shortest(layer)
    more = _pick(rng, 0, 0, *(int(rng.integers(40)) for _ in range(5)), int(rng.integers(_pick(rng, 200, 4000))))
    price = _products(layer, channels)
    time = max(least, min(least + more, _COST // price))
    batch = max(1, min(_pick(rng, 1, 1, 2, 3), _COST // (price * time)))
    return batch, channels, time


def shortest(layer: Any) -> int:
    """Return the least input length for which the layer has an output.

    Examples
    --------
    >>> shortest(Conv(np.ones((1, 1, 5)), padding=1))
    3
    """
    if isinstance(layer, (Conv, SubpixelConv)):
        reach = layer.dilation * (layer.length - 1)
        side = max(pads_of(layer.padding, reach))
        border = {"reflect": side + 1, "circular": side}.get(layer.padding_mode, 1)
        return max(1, border, reach + 1 - sum(layer.pads))
    if isinstance(layer, TransposedConv):
        extent = layer.dilation * (layer.length - 1) + 1
        return 1 + max(0, -((extent + layer.output_padding - 1 - 2 * layer.padding) // layer.stride))
    if isinstance(layer, FilterInterp):
        return max(1, -((layer.excess - 1) // layer.factor))
    if isinstance(layer, Interpolate) and layer.scale is not None:
        return next(time for time in count(1) if int(time * float(layer.scale)))
    return 1


def _products(layer: Any, channels: int) -> int:
    """Return about how many products one input sample costs."""
    weight = getattr(layer, "weight", getattr(layer, "taps", None))
    if isinstance(layer, Interpolate):
        return 16 * channels * math.ceil(layer.scale or layer.size or 1)
    each = 0 if weight is None else weight.size if weight.ndim == 3 else channels * weight.size
    return int(each + 4 * channels * max(1, int(layer.factor)))


def _pick(rng: Rng, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _size(rng: Rng, usual: int, wide: int) -> int:
    """Draw from 1 … usual, sometimes from 1 … wide."""
    return 1 + int(rng.integers(wide if rng.integers(_RARE) == 0 else usual))


def _whole(rng: Rng) -> Make:
    return lambda *shape: rng.integers(-_AMPLITUDE, _AMPLITUDE + 1, shape).astype(float)


def _real(rng: Rng) -> Make:
    octaves = _pick(rng, 0, 0, 0, 6)
    return lambda *shape: rng.standard_normal(shape) * 2.0 ** rng.uniform(-octaves, octaves, shape)


def _channels(rng: Rng) -> tuple[int, int, int]:
    """Return groups, and the channels of each on either side."""
    groups = _pick(rng, 1, 1, 1, 2, 2, 3, _size(rng, 4, 70))
    return groups, _size(rng, 4, max(1, 70 // groups)), _size(rng, 4, max(1, 70 // groups))


def _kernel(rng: Rng) -> tuple[int, int]:
    """Return taps and dilation."""
    return _size(rng, 8, 40), _pick(rng, 1, 1, 1, 2, 3)


def _bias(rng: Rng, make: Make, channels: int) -> Array | None:
    return make(channels) if rng.integers(2) else None


def _convt(rng: Rng, make: Make) -> TransposedConv:
    (groups, inner, outer), (taps, dilation) = _channels(rng), _kernel(rng)
    stride, extent = _size(rng, 7, 12), dilation * (taps - 1) + 1
    return TransposedConv(
        make(groups * inner, outer, taps),
        stride=stride,
        padding=_pick(rng, 0, extent // 2, int(rng.integers(extent + 3))),
        output_padding=_pick(rng, 0, int(rng.integers(max(stride, dilation)))),
        dilation=dilation,
        groups=groups,
        bias=_bias(rng, make, groups * outer),
    )


def _padding(rng: Rng, taps: int, dilation: int) -> dict[str, Any]:
    """Return the padding of a convolution, and its border rule."""
    extent = dilation * (taps - 1) + 1
    padding = _pick(rng, 0, extent // 2, int(rng.integers(extent + 3)), "same", "valid")
    return {"padding": padding, "padding_mode": _pick(rng, "zeros", "zeros", "zeros", *BORDERS), "dilation": dilation}


def _conv(rng: Rng, make: Make) -> Conv:
    (groups, inner, outer), (taps, dilation) = _channels(rng), _kernel(rng)
    sides = _padding(rng, taps, dilation)
    stride = 1 if sides["padding"] == "same" else _pick(rng, 1, 1, 1, 2, 3, 4)
    weight, bias = make(groups * outer, inner, taps), _bias(rng, make, groups * outer)
    return Conv(weight, stride=stride, groups=groups, bias=bias, **sides)


def _shuffle(rng: Rng, make: Make) -> SubpixelConv:
    factor, (taps, dilation) = _size(rng, 5, 9), _kernel(rng)
    out = factor * _size(rng, 3, 70 // factor)
    groups = _pick(rng, 1, *(g for g in range(1, 9) if out % g == 0))
    inner = _size(rng, 4, max(1, 70 // groups))
    weight, bias = make(out, inner, taps), _bias(rng, make, out)
    order = _pick(rng, *ORDERS)
    return SubpixelConv(weight, factor, groups=groups, bias=bias, order=order, **_padding(rng, taps, dilation))


def _nearest(rng: Rng, make: Make) -> Nearest:
    return Nearest(_size(rng, 8, 40))


def _linear(rng: Rng, make: Make) -> Linear:
    return Linear(_size(rng, 8, 40), align_corners=bool(rng.integers(3) == 0))


def _interpolate(rng: Rng, make: Make) -> Interpolate:
    mode = _pick(rng, *MODES)
    corners = mode in ("linear", "cubic") and bool(rng.integers(3) == 0)
    if rng.integers(3) == 0:
        return Interpolate(mode, size=_size(rng, 40, 400), align_corners=corners)
    plain, rational = float(rng.uniform(0.2, 4)), _size(rng, 8, 150) / _size(rng, 8, 150)
    scale, again = _pick(rng, plain, rational, float(_size(rng, 4, 12))), bool(rng.integers(4) == 0)
    return Interpolate(mode, scale_factor=scale, recompute_scale_factor=again, align_corners=corners)


def _filter(rng: Rng, make: Make) -> FilterInterp:
    factor, taps = _size(rng, 6, 12), _size(rng, 8, 40)
    mixing = (_size(rng, 3, 70), _size(rng, 3, 70)) if rng.integers(2) else ()
    offset, excess = int(rng.integers(-4, taps + 4)), int(rng.integers(-3, 6))
    return FilterInterp(factor, make(*mixing, taps), offset=offset, excess=excess)


_DRAWS: dict[str, Callable[[Rng, Make], Any]] = {
    "convt": _convt,
    "conv": _conv,
    "shuffle": _shuffle,
    "nearest": _nearest,
    "linear": _linear,
    "filter": _filter,
    "interpolate": _interpolate,
}

KINDS = tuple(_DRAWS)
"""The kinds of layers that are drawn."""
