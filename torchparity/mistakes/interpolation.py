"""Classic mistakes in interpolation: positions, indices, borders, lengths."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.multirate import stretch
from dspref.operators import linear
from dspref.resize import MODES, Grid, grid_of, resize, taps
from torchparity.mistakes.kernels import Candidates, Model
from torchparity.mistakes.phases import orders
from torchparity.positions import nearest_by_float


def sampled(x: Array, index: Array) -> Array:
    """Return samples by index, held at the borders.

    Examples
    --------
    >>> sampled(np.array([1, 2]), np.array([-1, 0.9, 5]))
    array([1, 1, 2])
    """
    return x[..., np.clip(np.floor(index).astype(int), 0, x.shape[-1] - 1)]


def drawn(x: Array, position: Array, *, held: bool = True) -> Array:
    """Return straight lines between samples at positions in input samples, held at the borders or prolonged.

    Examples
    --------
    >>> drawn(np.array([1.0, 2.0]), np.array([-0.5, 0.5]), held=False)
    array([0.5, 1.5])
    """
    position = np.clip(position, 0, x.shape[-1] - 1) if held else position
    left = np.clip(np.floor(position), 0, max(x.shape[-1] - 2, 0))
    part = position - left if x.shape[-1] > 1 else 0 * position
    return np.asarray((1 - part) * sampled(x, left) + part * sampled(x, left + 1))


Indexed = Callable[[Array, int], Array]

_SINGLE = np.float32

INDICES: dict[str, Indexed] = {
    "index rounded up": lambda m, L: -(-m // L),
    "index rounded to the nearest sample": lambda m, L: np.rint(m / L),
    "index rounded to the nearest sample, halves up": lambda m, L: (2 * m + L) // (2 * L),
    "index one output late": lambda m, L: (m - 1) // L,
    "index one output early": lambda m, L: (m + 1) // L,
    "index one sample late": lambda m, L: m // L - 1,
    "index one sample early": lambda m, L: m // L + 1,
    "index computed in floating point (m·fl(1/L))": lambda m, L: m.astype(_SINGLE) * _SINGLE(1 / L),
    "index computed in floating point (fl(1/L) added up)": lambda m, L: _added_up(m, L),
}
"""Wrong indices ⌊·⌋ of nearest interpolation by L."""


def _added_up(m: Array, L: int) -> Array:
    steps = np.full(len(m), 1 / L, _SINGLE)
    return np.asarray(np.add.accumulate(steps) - steps[0])


def nearest(layer: Any) -> Candidates:
    """Yield another sample than the one before."""
    if layer.op != "nearest" or layer.factor < 2:
        return
    L = layer.factor
    for words, rule in INDICES.items():
        yield words, partial(_by_index, L=L, rule=rule)
    yield "index computed in floating point (as Torch does)", lambda x: nearest_by_float(layer, x)
    yield "the signal tiled, not each sample repeated", lambda x: np.concatenate([x] * L, axis=-1)
    yield "zeros inserted, not the sample repeated", lambda x: stretch(x, L)
    yield "linear where nearest is due", lambda x: linear(x, L)
    yield "linear (align_corners) where nearest is due", lambda x: linear(x, L, align_corners=True)


def _by_index(x: Array, L: int, rule: Indexed) -> Array:
    return sampled(x, rule(np.arange(L * x.shape[-1]), L))


def lines(layer: Any) -> Candidates:
    """Yield straight lines through other points, or with other ends."""
    if layer.op != "linear" or layer.factor < 2:
        return
    L, corners = layer.factor, layer.align_corners
    due = "with" if corners else "without"
    yield f"align_corners mixed up: {due} is due", partial(linear, L=L, align_corners=not corners)
    yield "nearest where linear is due", lambda x: np.repeat(x, L, axis=-1)
    yield "linear on the integer grid (m/L, samples as points)", lambda x: drawn(x, _at(x, L))
    yield "zeros inserted, nothing drawn between", lambda x: stretch(x, L)
    yield "cubic where linear is due", lambda x: resize(x, "cubic", L * x.shape[-1], align_corners=corners)
    if corners:
        return
    yield (
        "position computed in floating point (fl(1/L) added up)",
        lambda x: drawn(x, _added_up(np.arange(L * x.shape[-1]), L) + (0.5 / L - 0.5)),
    )
    yield "border: zeros where held samples are due", lambda x: _beyond_zero(x, L)
    yield (
        "border prolonged where held samples are due",
        lambda x: drawn(x, _at(x, L) + (0.5 / L - 0.5), held=x.shape[-1] < 2),
    )
    yield "positions half an output late", lambda x: drawn(x, _at(x, L) - 0.5)
    for words, order in orders(L):
        yield words, partial(_in_order, layer, order=order)


def _at(x: Array, L: int) -> Array:
    return np.arange(L * x.shape[-1]) / L


def _beyond_zero(x: Array, L: int) -> Array:
    wide = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 1)])
    return linear(wide, L)[..., L:-L]


def _in_order(layer: Model, x: Array, order: Array) -> Array:
    y = layer(x)
    return y.reshape(*y.shape[:-1], -1, len(order))[..., order].reshape(y.shape)


def resized(layer: Any) -> Candidates:
    """Yield `Interpolate` of another mode, from other positions, to another length."""
    if layer.op != "interpolate":
        return
    mode, corners = layer.mode, layer.align_corners

    def run(x: Array, **changed: Any) -> Array:
        time = x.shape[-1]
        p = {"mode": mode, "length": layer.out_length(time), "scale": layer.ratio, "align_corners": corners}
        return resize(x, **p | changed)

    for other in MODES:
        if other != mode:
            takes = corners and other in ("linear", "cubic")
            yield f"{other} where {mode} is due", partial(run, mode=other, align_corners=takes)
    if mode in ("linear", "cubic"):
        due = "with" if corners else "without"
        yield f"align_corners mixed up: {due} is due", partial(run, align_corners=not corners)
    if layer.scale is None:
        return
    scale = layer.scale
    yield (
        "positions from the scale, not from the lengths"
        if layer.ratio is None
        else ("positions from the lengths, not from the scale (recompute_scale_factor)"),
        partial(run, scale=scale if layer.ratio is None else None),
    )
    yield from _placed(layer, scale)
    near = scale.limit_denominator(1000)
    yield "length rounded up", lambda x: run(x, length=-(-x.shape[-1] * near // 1))
    yield "length rounded to the nearest", lambda x: run(x, length=max(1, int(x.shape[-1] * near + Fraction(1, 2))))
    yield "length from the rounded product of floats", lambda x: run(x, length=int(x.shape[-1] * float(near)))


def _placed(layer: Any, scale: Fraction) -> Candidates:
    """Yield `Interpolate` at other positions, with another kernel, or with other ends."""
    mode, r = layer.mode, 1 / scale
    if mode.startswith("nearest"):
        half = 0.5 if mode == "nearest-exact" else 0.0

        def by_product(x: Array) -> Array:
            m = np.arange(layer.out_length(x.shape[-1]), dtype=_SINGLE) + _SINGLE(half)
            return sampled(x, m * (_SINGLE(1) / _SINGLE(scale)))

        yield "index computed in floating point (m·fl(1/scale))", by_product
        yield "index computed in floating point (as Torch does)", lambda x: nearest_by_float(layer, x)
        return
    if layer.align_corners:
        return
    yield (
        "on the integer grid (m/scale, samples as points)",
        lambda x: _drawn(layer, x, Grid(layer.out_length(x.shape[-1]), r.numerator, 0, r.denominator)),
    )
    if mode == "cubic":
        yield "cubic with a = −1/2 (Catmull and Rom) where a = −3/4 is due", lambda x: _catmull_rom(layer, x)
    if scale.denominator == 1 and scale > 1:
        L = int(scale)
        for words, order in orders(L):
            yield words, partial(_in_order, layer, order=order)
        yield "border: zeros where held samples are due", lambda x: layer(_zeros_around(x))[..., 2 * L : -2 * L]


def _zeros_around(x: Array) -> Array:
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(2, 2)])


def _drawn(layer: Any, x: Array, grid: Grid) -> Array:
    t = taps(layer.mode, x.shape[-1], grid)
    return np.asarray(sum(w * x[..., i] for w, i in zip(t.weights(x), t.index, strict=True)))


def _catmull_rom(layer: Any, x: Array) -> Array:
    """Draw the cubic with the kernel that others take."""
    grid = grid_of("cubic", x.shape[-1], layer.out_length(x.shape[-1]), scale=layer.ratio)
    i, part = grid.split()
    t = part / grid.unit
    weights = [_keys(t - n, -0.5) for n in (-1, 0, 1, 2)]
    return np.asarray(sum(w * sampled(x, i + n) for w, n in zip(weights, (-1, 0, 1, 2), strict=True)))


def _keys(t: Array, a: float) -> Array:
    """Return R. Keys' cubic kernel."""
    t = np.abs(t)
    near, far = (a + 2) * t**3 - (a + 3) * t**2 + 1, a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))
