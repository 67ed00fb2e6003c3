"""How far a layer's output may lie from the reference by rounding alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from dspref.arrays import Array, NotAnalysable, as_real, as_signal, complaint
from dspref.chain import Chain, Pointwise
from dspref.interpolators import Linear, Nearest

S = TypeVar("S")

UNIT = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}
"""Unit roundoff u: a rounded result is ``exact·(1 + δ)``, abs(δ) ≤ u."""

U_REF = 2.0**-53
"""Unit roundoff of the reference, which is computed in double precision."""


@dataclass(frozen=True)
class Bound:
    """The rounding bound E of each output, and S, the same sum over absolute values."""

    E: Array
    S: Array


def roundoff(layer: Any, x: ArrayLike, dtype: DTypeLike) -> Array:
    """Return the bound E on ``abs(computed − reference)`` for every output of a layer.

    Write an output as ``y = Σ_j h_j x_j + b``, a sum of n terms. In any order of summation, and with or
    without fused multiply-add, its error is at most ``n·u·S`` with ``S = Σ abs(h_j) abs(x_j) + abs(b)``
    (no factor 1/(1 − nu) is needed), and each of the products may lose η/2 by underflow. The reference is
    the same sum in double precision, so

        E = n·u·S + n·u_ref·S + n·η/2

    n is the reference run on ones, S the reference run on absolute values. E itself is computed in double
    precision, n terms and a few operations more: it is raised by the relative error ``(n + 8) u_ref``
    that this may have.

    Nearest copies samples: E = 0; so does ReLU. LeakyReLU rounds its slope and one product: E = 3u·S.

    Linear interpolation ``y = (1 − λ) x[i] + λ x[i+1]`` also rounds where it stands. Torch computes the
    position as ``src = fl(fl(scale·(m + ½)) − ½)`` with ``scale = fl(1/L)``: two relative errors u of
    src + ½, and one of src, in all at most 3u(src + 1). (From output 1/(2u) on, m and m + ½ are rounded
    too: 5u(src + 1).) λ = src − ⌊src⌋ is exact. The line through the samples is continuous, and nowhere
    steeper than the largest step between neighbours, so a position off by δ moves y by at most
    ``δ·max abs(Δx)``. Then 1 − λ, the products and the sum round three times:

        E = 3(u + u_ref)·S + (3u(src + 1) + u_ref)·max abs(Δx) + 3η/2

    The same holds for ``align_corners``, where ``src = fl(scale·m)``, scale = fl((T − 1)/(LT − 1)).

    In a `Chain` a stage is handed samples that are off by up to E′. It makes abs(h)E′ of that, and rounds
    a sum that is larger by as much: ``E = E(x) + abs(h)E′ + n·u·abs(h)E′ + …``, the last terms being the
    bound at E′ itself.

    Parameters
    ----------
    layer : Layer, Pointwise or Chain, `torchparity.probe.Probe`, or StretchFilter
        With the weights that are used: those of the module, in its dtype.
    x : array (..., in, time)
        Real, with values that `dtype` holds exactly.
    dtype : float32 or float64
        The arithmetic of the computation that is bounded.

    Returns
    -------
    array (..., out, time) of doubles

    Raises
    ------
    NotAnalysable
        For maps whose rounding no one promises (tanh, GELU …), for layers without weights, and for other
        dtypes.

    References
    ----------
    C.-P. Jeannerod, S. M. Rump, "Improved error bounds for inner products in floating-point arithmetic",
    SIAM J. Matrix Anal. Appl. 34(2), 2013: n·u for any order of summation.
    N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM 2002.

    Examples
    --------
    >>> from dspref import Conv
    >>> E = roundoff(Conv([[[0.5, 0.5]]]), [[1.0, 1.0, 3.0]], "float32")
    >>> np.round(E / 2.0**-24, 6)
    array([[2., 4.]])
    """
    return bound(layer, x, dtype).E


def bound(layer: Any, x: ArrayLike, dtype: DTypeLike, *, n: Array | None = None) -> Bound:
    """Return E as `roundoff` does, together with S; n, if it is at hand, from `terms`."""
    x = as_real("input", as_signal(x)).astype(np.float64)
    u, tiny = unit(dtype), float(np.finfo(np.dtype(dtype)).smallest_subnormal)
    if isinstance(layer, Chain):
        return _chain(layer, x, dtype)
    if isinstance(layer, Pointwise):
        return _pointwise(layer, x, u, tiny)
    magnitude = doubled(layer, np.abs)(np.abs(x))
    if isinstance(layer, Nearest):
        return Bound(np.zeros_like(magnitude), magnitude)
    if isinstance(layer, Linear):
        return _linear(layer, x, magnitude, u, tiny)
    n = terms(layer, *x.shape[-2:]) if n is None else n
    return Bound(_raised(n * (u + U_REF) * magnitude + n * tiny / 2, n), magnitude)


def terms(layer: Any, channels: int, time: int) -> Array:
    """Return n, the number of terms in every output (out, time'): the layer run on ones, its bias a term too."""
    return np.asarray(doubled(layer, np.ones_like)(np.ones((channels, time))))


def unbiased(layer: S) -> S:
    """Return the layer without its bias."""
    names = {field.name for field in dataclasses.fields(layer)} & {"bias", "bias_phases"}  # type: ignore[arg-type]
    return dataclasses.replace(layer, **dict.fromkeys(names))  # type: ignore[type-var]


def unit(dtype: DTypeLike) -> float:
    """Return the unit roundoff of a dtype."""
    if np.dtype(dtype) not in UNIT:
        raise NotAnalysable(complaint("dtype", np.dtype(dtype), "float32, float64", "convert the module with .float()"))
    return UNIT[np.dtype(dtype)]


def doubled(layer: S, change: Callable[[Array], Array] = lambda a: a) -> S:
    """Return the layer with its weights, bias or taps in double precision, changed one by one."""
    return mapped(layer, lambda a: change(a.astype(np.float64)))


def mapped(layer: S, change: Callable[[Array], Array]) -> S:
    """Return the layer, or the chain, with each of its arrays changed.

    Examples
    --------
    >>> from dspref import Conv
    >>> mapped(Conv([[[1, 2]]]), np.negative).weight
    array([[[-1, -2]]])
    """
    if isinstance(layer, Chain):
        return Chain(mapped(stage, change) for stage in layer.stages)  # type: ignore[return-value]
    fields = {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)}  # type: ignore[arg-type]
    new = {k: change(v) for k, v in fields.items() if isinstance(v, np.ndarray)}
    inner: dict[str, Any] = {k: mapped(v, change) for k, v in fields.items() if dataclasses.is_dataclass(v)}
    return dataclasses.replace(layer, **new, **inner)  # type: ignore[type-var]


def _raised(E: Array, n: Array | float) -> Array:
    """Return E with the relative error added that its own computation may have."""
    return np.asarray(E * (1 + (n + 8) * U_REF))


def _linear(layer: Linear, x: Array, magnitude: Array, u: float, tiny: float) -> Bound:
    time, L = x.shape[-1], layer.factor
    m = np.arange(L * time)
    src = m * (time - 1) / max(L * time - 1, 1) if layer.align_corners else np.maximum((m + 0.5) / L - 0.5, 0)
    steps = np.abs(np.diff(x, axis=-1)).max(axis=-1, initial=0)[..., None]
    roundings = np.where(m < 0.5 / u, 3, 5)
    E = 3 * (u + U_REF) * magnitude + (roundings * u * (src + 1) + U_REF) * steps + 1.5 * tiny
    return Bound(_raised(E, 3), magnitude)


def _chain(chain: Chain, x: Array, dtype: DTypeLike) -> Bound:
    E, S = np.zeros_like(x), np.abs(x)
    for stage in chain.stages:
        at = bound(stage, x, dtype)
        E = at.E + _passed_on(stage, E, dtype) if E.any() else at.E
        x, S = doubled(stage)(x), doubled(stage, np.abs)(S)
    return Bound(E, S)


def _passed_on(stage: Any, E: Array, dtype: DTypeLike) -> Array:
    """Return what a stage makes of samples that are off by E, beyond its own bound."""
    if isinstance(stage, Pointwise):
        steepest = max(1.0, *(abs(a) for a in stage.parameters)) if stage.parameters else 1.0
        return np.asarray(steepest * E * (1 + 4 * unit(dtype)))
    if isinstance(stage, Linear):
        hint = "hand over a Sequential: it is checked layer by layer"
        raise NotAnalysable(complaint("rounding bound", "linear behind a layer that rounds", "linear first", hint))
    at = bound(unbiased(stage), E, dtype)
    return np.asarray(at.S + at.E)


def _pointwise(layer: Pointwise, x: Array, u: float, tiny: float) -> Bound:
    magnitude = np.abs(layer(x)) if layer.name in ("relu", "leaky") else x
    if layer.name == "relu":
        return Bound(np.zeros_like(x), magnitude)
    if layer.name == "leaky":
        return Bound(_raised(np.where(x > 0, 0, 3 * u * magnitude + tiny), 3), magnitude)
    allowed, hint = "relu, leaky", "its own accuracy is that of the maths library; check the layers around it"
    raise NotAnalysable(complaint("rounding bound", layer.name, allowed, hint))
