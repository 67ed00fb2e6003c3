"""Where Torch places the outputs of an interpolation: positions and indices in floating point."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_choice, as_signal
from dspref.interpolate import Interpolate
from dspref.interpolators import Linear, Nearest
from dspref.resize import grid_of
from torchparity.arithmetic import Arithmetic

U_REF = 2.0**-53
"""Unit roundoff of the reference, which is computed in double precision."""


def general(layer: Any) -> Interpolate:
    """Return `Nearest` and `Linear` as the `Interpolate` that they are."""
    if isinstance(layer, Nearest):
        return Interpolate("nearest", scale_factor=layer.factor)
    if isinstance(layer, Linear):
        return Interpolate("linear", scale_factor=layer.factor, align_corners=layer.align_corners)
    assert isinstance(layer, Interpolate)
    return layer


@dataclass(frozen=True)
class Placement:
    """Where outputs stand, i + t, and how far off from there they may be computed: δ, in input samples."""

    i: Array
    t: Array
    δ: Array

    def near(self, k: float, half: float) -> Array:
        """Return which outputs may be placed within `half` of i + k."""
        return np.abs(self.t - k) <= half + self.δ


def placement(layer: Interpolate, time: int, a: Arithmetic) -> Placement:
    """Return where outputs stand, and the bound δ on the error of computed positions (see `interpolation_bound`)."""
    length, u = layer.out_length(time), a.u_acc
    grid = grid_of(layer.mode, time, length, scale=layer.ratio, align_corners=layer.align_corners)
    i, part = grid.split()
    t = np.asarray(part / grid.unit, float)
    src = i + t
    more = 4 * u if max(time, length) > 0.25 / u else 0.0
    if layer.align_corners:
        δ = (2 * u + more) * src
    else:
        given = 0.0 if _is_float(Fraction(2 * grid.step, 2 * grid.unit), u) else u + 2 * U_REF
        δ = (given + u + more) * (src + 0.5) + u * np.abs(src) + (u if layer.mode == "cubic" else 0)
    if layer.mode == "linear":
        t, i = np.where(i < 0, 0, t), np.maximum(i, 0)
    return Placement(i, t, δ * (1 + 8 * u))


def is_copy(layer: Interpolate, time: int) -> bool:
    """Return whether Torch copies the signal: linear, and the length kept."""
    return layer.mode == "linear" and layer.out_length(time) == time


def _is_float(r: Fraction, u: float) -> bool:
    """Return whether a scale is a float of unit roundoff u."""
    return Fraction(float(np.float32(r) if u > U_REF else float(r))) == r


def float_index(layer: Any, time: int, *, dtype: str = "float32") -> Array:
    """Return the indices that Torch's own formula gives for a nearest mode, in floating point.

    ``⌊fl(scale·m)⌋``, and ``⌊fl(scale·(m + ½) − ½) + ½⌋`` for "nearest-exact", as in its kernels for CPU, where one
    rounding does for multiplication and subtraction. Positions of double signals are doubles, and rounded to float32
    before they are cut: Torch calls floorf.

    Parameters
    ----------
    layer : Nearest or Interpolate
    time : int
    dtype : {'float32', 'float64'}
        Of the positions: float32 for half precision too.

    Examples
    --------
    >>> layer = Interpolate("nearest-exact", size=79)
    >>> int(layer.taps(6).index[0, 39]), int(float_index(layer, 6)[39])
    (3, 2)
    """
    layer = general(layer)
    real = np.dtype(as_choice("dtype", dtype, ("float32", "float64"))).type
    length = layer.out_length(time)
    scale = real(time) / real(length) if layer.ratio is None else real(1 / float(layer.ratio))
    m = np.arange(length)
    if layer.mode == "nearest":
        at = scale * m.astype(real)
    else:
        half = m.astype(real) + real(0.5)
        fused = (np.longdouble(scale) * half - np.longdouble(0.5)).astype(real)
        at = np.maximum(fused, 0).astype(np.float64) + 0.5
    return np.asarray(np.minimum(np.floor(at.astype(np.float32)).astype(np.int64), time - 1))


def nearest_by_float(layer: Any, x: ArrayLike, *, dtype: str = "float32") -> Array:
    """Return what a nearest mode gives with its indices computed in floating point, see `float_index`.

    A difference from the reference that this explains, to the sample, is an index computed in floating point.

    Examples
    --------
    >>> x = np.arange(6.0)[None]
    >>> layer = Interpolate("nearest-exact", size=79)
    >>> np.flatnonzero(layer(x) != nearest_by_float(layer, x))
    array([39])
    """
    x = as_signal(x)
    return np.asarray(x[..., float_index(layer, x.shape[-1], dtype=dtype)])
