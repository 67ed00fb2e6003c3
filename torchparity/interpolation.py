"""How far an interpolation may lie from the reference: positions, weights and sums in floating point."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from dspref.adjoints import scattered
from dspref.arrays import Array
from dspref.interpolate import Interpolate
from torchparity.arithmetic import Arithmetic
from torchparity.positions import U_REF, Placement, float_index, general, is_copy, nearest_by_float, placement

__all__ = ["float_index", "interpolation_adjoint_bound", "interpolation_bound", "nearest_by_float"]

FAR = 16
"""Samples that a position may be off by before every step of the signal counts, and not those around it alone."""

STEEPEST = {"linear": 1.0, "cubic": 1.35}
"""The steepest slope of the kernel: of the triangle, and of Keys' at 3/5."""

SWING = {"linear": 1.0, "cubic": 1.5}
"""How much steeper than the steps around it the curve can be: Σ_j abs(D_j), ``y′ = Σ_j D_j Δ_j``."""

REACH = {"linear": 1, "cubic": 2}
"""Half of the support of the kernel, in samples."""


def interpolation_bound(layer: Any, x: Array, a: Arithmetic) -> tuple[Array, Array]:
    """Return (E, S): the rounding bound of each output of an interpolation, and the sum of absolute values.

    Nearest modes copy: E = 0. What they copy wrongly is no rounding error, and `nearest_by_float` names it.

    Torch computes positions in float32 (in double for double signals): the scale as ``fl(1/s)`` or ``fl(T/M)``, then
    ``src = fl(fl(scale·(m + ½)) − ½)``, or ``fl(scale·m)`` with aligned corners. With u the unit roundoff,

        δ = 2u(src + ½) + u abs(src),    or 2u·src with aligned corners

    in input samples, and 4u(src + ½) more where lengths are no floats any more. The scale that was given is
    first a double, and so is its reciprocal: 2u_ref(src + ½). The curve through the samples is continuous, and so a
    position off by δ moves y by at most ``c·δ·max abs(Δx)`` over the steps Δx around it: c = 1 for the lines,
    3/2 for the cubics, which is the maximum over t of ``Σ_j abs(D_j)`` with ``y′ = Σ_j D_j Δ_j``.

    Weights: λ is exact for the lines, and 1 − λ rounded. Those of the cubics are polynomials in λ by Horner's
    rule, with the running error bounds of `_cubic_errors`. With weights at hand, n = 2 or 4 products are summed:

        E = n·u·S + Σ_j ε_j abs(x_j) + c·δ·max abs(Δx) + (n + 1)u_ref·S + n·η/2

    In half precision positions, products and sums are those of float32, but weights are stored in half on the way,
    and the result is. With v the unit roundoff of the format, λ moves by v·λ, which is a position off by as much;
    1 − λ rounds by ``v(1 − λ)``; a cubic weight by ``v·abs(w_j)``; the result by ``v·abs(y)``. Subnormal weights and
    results lose η/2 of the format.

    Eq. 7.6.

    Parameters
    ----------
    layer : Interpolate, Nearest or Linear
    x : array (..., time)
        Doubles, with values that the dtype holds.
    a : Arithmetic
        Of autocast and TF32 nothing applies: interpolation stays in float32 there.

    Returns
    -------
    E, S : arrays (..., time') of doubles

    References
    ----------
    ``area_pixel_compute_source_index`` and ``guard_index_and_lambda`` in Torch 2.13's ATen/native/UpSample.h.
    N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM 2002, 5.1: running error bounds.

    Examples
    --------
    >>> from dspref import Linear
    >>> from torchparity.arithmetic import ARITHMETICS
    >>> E, S = interpolation_bound(Linear(2), np.array([[1.0, 1.0]]), ARITHMETICS["float32"])
    >>> np.round(E / 2.0**-24, 1), S
    (array([[3. , 2.8, 2.3, 2.8]]), array([[1., 1., 1., 1.]]))
    """
    layer = general(layer)
    time = x.shape[-1]
    taps = layer.taps(time)
    weights = taps.weights(x)
    drawn = np.stack([np.abs(x)[..., i] for i in taps.index])
    S = np.asarray((np.abs(weights[:, *[None] * (x.ndim - 1), :]) * drawn).sum(axis=0))
    if len(weights) == 1 or is_copy(layer, time):
        return np.zeros_like(S), S
    u, v, n = a.u_acc, stored(a), len(weights)
    p = placement(layer, time, a)
    moved = _moved(layer, x, p, _shift(layer, p, a))
    E = n * u * (S + moved) + _weighing(layer, x, p, drawn, weights, a) + moved + n * a.tiny_acc / 2
    if v:
        E = E + v * (np.abs(layer(x)) + E) + a.tiny / 2
    return raised(E + (n + 1) * U_REF * S), S


def interpolation_adjoint_bound(layer: Any, x: Array, g: Array, a: Arithmetic) -> tuple[Array, Array]:
    """Return (E, S) for the gradient by the input, ``x̄[n] = Σ_m w_n(m) g[m]``, computed by Torch.

    Positions are off by the same δ (see `interpolation_bound`), so a weight is by at most δ times the steepest
    slope of the kernel: 1 for the triangle, 27/20 for Keys'. Gradients are summed in float32 where signals are
    half, weights are not stored, and the result is stored once. With N products that fall on sample n,

        E = (N + 1)u·S + Σ_m ε_m abs(g[m]) + slope·Σ_m δ_m abs(g[m]) + (N + 2)u_ref·S + N·η/2

    and ``v·abs(x̄)`` in half. The gradient of the nearest modes sums what was copied: no position enters.

    Parameters
    ----------
    layer : Interpolate, Nearest or Linear
    x, g : arrays (..., time), (..., time')
        Doubles, with values that the dtype holds.
    a : Arithmetic

    Returns
    -------
    E, S : arrays (..., time) of doubles

    Examples
    --------
    >>> from dspref import Nearest
    >>> from torchparity.arithmetic import ARITHMETICS
    >>> E, S = interpolation_adjoint_bound(Nearest(2), np.ones((1, 2)), np.ones((1, 4)), ARITHMETICS["float32"])
    >>> np.round(E / 2.0**-24, 1), S
    (array([[6., 6.]]), array([[2., 2.]]))
    """
    layer = general(layer)
    time, size = x.shape[-1], np.abs(g)
    taps = layer.taps(time)
    weights = taps.weights(g)

    def back(g: Array, weights: Array) -> Array:
        landed = (scattered(w * g, i, time) for w, i in zip(weights, taps.index, strict=True))
        return np.asarray(sum(landed))

    S = back(size, np.abs(weights))
    if is_copy(layer, time):
        return np.zeros_like(S), S
    N = back(np.ones(g.shape[-1]), weights != 0)
    E = (N + 1) * a.u_acc * S + N * a.tiny_acc / 2
    if len(weights) > 1:
        E = E + _misplaced(layer, size, time, a)
    if stored(a):
        E = E + stored(a) * (np.abs(back(g, weights)) + E) + a.tiny / 2
    return raised(E + (N + 2) * U_REF * S), S


def stored(a: Arithmetic) -> float:
    """Return the unit roundoff of half precision signals, else 0; autocast leaves interpolation in float32."""
    return a.u_store if a.dtype == a.result else 0.0


def raised(E: Array) -> Array:
    """Return E with the relative error added that its own computation may have."""
    return np.asarray(E * (1 + 64 * U_REF))


def _moved(layer: Interpolate, x: Array, p: Placement, shift: Array) -> Array:
    """Return how far outputs move that are placed `shift` away: by the largest of the steps i + k that count there."""
    steps = np.abs(np.diff(x, axis=-1))
    far = int(np.ceil(p.δ.max(initial=0))) + 1
    largest = np.broadcast_to(steps.max(axis=-1, initial=0)[..., None], (*x.shape[:-1], len(p.t)))
    if far <= FAR:
        room = np.pad(steps, [(0, 0)] * (x.ndim - 1) + [(far + 1, far + 1)])
        counts = [(k, p.near(k + 0.5, REACH[layer.mode] - 0.5)) for k in range(-far, far + 1)]
        seen = (np.where(there, room[..., p.i + far + 1 + k], 0) for k, there in counts)
        largest = reduce(np.maximum, seen)
    return np.asarray(SWING[layer.mode] * shift * largest)


def _shift(layer: Interpolate, p: Placement, a: Arithmetic) -> Array:
    """Return how far off outputs stand when λ is stored in half: by v·λ more, and no further than to a sample."""
    v = stored(a)
    if not v or layer.mode == "cubic":
        return p.δ
    crossed = np.where(p.near(0, 0), np.minimum(v, p.δ), 0)
    return np.asarray(p.δ + v * np.where(p.δ < 0.5, p.t + p.δ, 1) + crossed + a.tiny / 2)


def _weighing(layer: Interpolate, x: Array, p: Placement, drawn: Array, weights: Array, a: Arithmetic) -> Array:
    """Return what rounded weights may do: ``Σ_j ε_j abs(x_j)``."""
    u, v, lost = a.u_acc, stored(a), a.tiny / 2 if stored(a) else 0.0
    if layer.mode == "linear":
        return np.asarray((max(u, v) * (1 - p.t) + lost) * drawn[0] + max(u, v) * p.near(1, 0) * drawn[1])
    size = np.abs(x)
    ε = u * (_cubic_errors(p.t) + 32 * p.δ) + v * np.abs(weights) + lost
    around = sum(size[..., np.clip(p.i + k, 0, x.shape[-1] - 1)] for k in range(-2, 4))
    around = np.where(p.δ > 0.5, 6 * size.max(axis=-1, initial=0)[..., None], around)
    crossed = (p.near(0, 0) | p.near(1, 0)) * (32 * u + 3 * v * p.δ)
    return np.asarray(sum(e * size for e, size in zip(ε, drawn, strict=True)) + crossed * around)


def _cubic_errors(t: Array) -> Array:
    """Return the running error bounds of the four cubic weights by Horner's rule, in units of u.

    ``((5/4 t − 9/4) t) t + 1`` with q = 9/4 − 5/4 t rounds by ``(5/4 t + q) t²`` at first, by 2q t² in the products,
    and by its value; ``((−¾ x + 15/4) x − 6) x + 3`` with b = 15/4 − ¾ x and d = 6 − b x by
    ``¾ x³ + 2 b x² + 2 d x`` and its value. 1 + t rounds by 1, 1 − t by itself, 2 − t by 2, times a slope of ¾ or
    27/20 at most. All slopes of these bounds are less than 32: so much do they change where t is off by δ.
    """

    def inner(t: Array) -> Array:
        q = 2.25 - 1.25 * t
        return np.asarray((1.25 * t + 3 * q) * t**2 + np.abs(1 - q * t**2))

    def outer(x: Array) -> Array:
        b = 3.75 - 0.75 * x
        d = 6 - b * x
        return np.asarray(0.75 * x**3 + 2 * b * x**2 + 2 * d * x + np.abs(3 - d * x))

    return np.stack([outer(1 + t) + 0.75, inner(t), inner(1 - t) + 1.35 * (1 - t), outer(2 - t) + 1.5])


def _misplaced(layer: Interpolate, g: Array, time: int, a: Arithmetic) -> Array:
    """Return what gradients of absolute values g lose by weights that are misplaced, or rounded."""
    p, half = placement(layer, time, a), REACH[layer.mode]

    def landed(values: Array, k: int) -> Array:
        return scattered(values, np.clip(p.i + k, 0, time - 1), time)

    slip = STEEPEST[layer.mode] * p.δ * g
    far = int(np.ceil(p.δ.max(initial=0))) + half
    if far > FAR:
        E = np.broadcast_to(slip.sum(axis=-1)[..., None], (*g.shape[:-1], time))
    else:
        E = np.asarray(sum(landed(slip * p.near(k, half), k) for k in range(1 - far, far + 1)))
    if layer.mode == "linear":
        return E
    errors = a.u_acc * (_cubic_errors(p.t) + 32 * p.δ)
    crossed = 32 * a.u_acc * (p.near(0, 0) | p.near(1, 0)) * g
    E = E + sum(landed(errors[j] * g, j - 1) for j in range(4))
    return np.asarray(E + sum(landed(crossed, k) for k in range(-2, 4)))
