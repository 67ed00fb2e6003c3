"""How far a layer's output may lie from the reference by rounding alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_real, as_signal, complaint
from dspref.chain import Chain, Pointwise
from dspref.designs import BorderInterp
from dspref.heads.istft import ISTFT
from dspref.heads.lifting import LiftingSynthesis, filtered
from dspref.heads.pqmf import PQMFSynthesis
from dspref.heads.squeeze import Unsqueeze
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.multirate import interleave
from torchparity.arithmetic import Arithmetic, arithmetic
from torchparity.interpolation import interpolation_bound

S = TypeVar("S")

KERNELS = (Conv, TransposedConv, SubpixelConv)
"""Layers with a kernel, and channels in groups."""

U_REF = 2.0**-53
"""Unit roundoff of the reference, which is computed in double precision."""


@dataclass(frozen=True)
class Bound:
    """The rounding bound E of each output, and S, the same sum over absolute values."""

    E: Array
    S: Array


def roundoff(layer: Any, x: ArrayLike, model: Any) -> Array:
    """Return the bound E on ``abs(computed − reference)`` for every output of a layer.

    Write an output as ``y = Σ_j h_j x_j + b``, a sum of n terms, and ``S = Σ abs(h_j) abs(x_j) + abs(b)``. What may
    happen to it on its way is said by a model of arithmetic (`torchparity.arithmetic`):

    - Operands are rounded by u_in (TF32, autocast): a product is then off by ``ε = (1 + u_in)² − 1``, and an operand
      that falls below the smallest numbers by half of the smallest, η_in/2.
    - Sums are rounded by u_acc. In any order of summation, and with or without fused multiply-add, the error is at
      most ``n·u_acc·S`` (no factor 1/(1 − nu) is needed), and each product may lose η_acc/2 by underflow.
    - Sums are stored m times on the way in a format of unit roundoff u_store and smallest number η: half precision
      keeps sums in float32 within a product of matrices, and rounds its result; overlapping results are added in
      half precision one by one, and so is the bias. m is `stores`.

    The reference is the same sum in double precision, which rounds too:

        E = ε·S + n·u_acc·(1 + ε)S + ((1 + u_store)^m − 1)(S + …) + n·u_ref·S + n·η_acc/2 + m·η/2

    n is the reference run on ones, S the reference run on absolute values. E itself is computed in double precision,
    n terms and a few operations more: it is raised by the relative error ``(n + 8) u_ref`` that this may have.

    Nearest copies samples: E = 0; so does ReLU. LeakyReLU rounds its slope and one product: E = 3u·S. Interpolation
    at positions computed in floating point has a law of its own, see `torchparity.interpolation`.

    In a `Chain` a stage is handed samples that are off by up to E′. It makes abs(h)E′ of that, and rounds
    a sum that is larger by as much: ``E = E(x) + abs(h)E′ + n·u·abs(h)E′ + …``, the last terms being the
    bound at E′ itself.

    Eqs. 7.3 and 7.5.

    Parameters
    ----------
    layer : Layer, Pointwise or Chain, `torchparity.probe.Probe`, or StretchFilter
        With the weights that are used: those of the module, in its dtype.
    x : array (..., in, time)
        Real, with values that the dtype holds exactly.
    model : str, dtype or `torchparity.arithmetic.Arithmetic`
        'float64', 'float32', 'bfloat16', 'float16', 'tf32', 'autocast-bfloat16' or 'autocast-float16': the
        arithmetic of the computation that is bounded.

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
    >>> E = roundoff(Conv([[[0.5, 0.5]]]), [[1.0, 1.0, 3.0]], "float32")
    >>> np.round(E / 2.0**-24, 6)
    array([[2., 4.]])
    >>> np.round(roundoff(Conv([[[0.5, 0.5]]]), [[1.0, 1.0, 3.0]], "bfloat16") * 2**8, 3)
    array([[1., 2.]])
    """
    return bound(layer, x, model).E


def bound(layer: Any, x: ArrayLike, model: Any, *, S: Array | None = None) -> Bound:
    """Return E as `roundoff` does, together with S, which may be at hand from elsewhere (Eq. 7.1)."""
    return _bound(layer, as_real("input", as_signal(x)).astype(np.float64), arithmetic(model), S)


@singledispatch
def _bound(layer: Any, x: Array, a: Arithmetic, S: Array | None) -> Bound:
    """Bound a layer of sums of products; layers of other laws register their own."""
    S = doubled(layer, np.abs)(np.abs(x)) if S is None else S
    n = terms(layer, *x.shape[-2:])
    return Bound(summed(S, n, stores(layer), a) + _underflow(layer, x, a), S)


def summed(S: Array, n: Array | float, m: Array | float, a: Arithmetic) -> Array:
    """Return E for sums S of n products that are stored m times (see `roundoff` and Eq. 7.3)."""
    ε = (1 + a.u_in) ** 2 - 1
    accumulated = ε + n * a.u_acc * (1 + ε)
    stored = np.expm1(m * np.log1p(a.u_store)) * (1 + accumulated)
    lost = n * a.tiny_acc / 2 + (m * a.tiny / 2 if a.u_store else 0)
    return np.asarray(raised(accumulated + stored + n * U_REF, n) * S + raised(lost, n))


def _underflow(layer: Any, x: Array, a: Arithmetic) -> Array | float:
    """Return what operands lose that fall below the smallest numbers of the format they are rounded to."""
    if not a.tiny_in:
        return 0.0
    small = a.tiny_in / 2
    weights = doubled(unbiased(layer), np.abs)(np.full_like(x, small))
    signals = doubled(layer, lambda w: np.full_like(w, small))(np.abs(x) + small)
    return np.asarray(weights + signals)


def stores(layer: Any) -> int:
    """Return m, how often an output of a kernel is stored on its way: once per stamp that overlaps it, and the bias.

    Convolution takes one product of matrices, stored once. Transposed convolution makes a column per stamp, stored,
    and adds up to J = ⌈taps/s⌉ of them: 1 + (J − 1) roundings. A bias that is added afterwards makes one more.

    Eq. 7.4.
    """
    if isinstance(layer, (TransposedConv, FilterInterp, BorderInterp)):
        s, d = layer.factor, getattr(layer, "dilation", 1)
        overlap = overlapping(layer.length, s, d)
    else:
        u = getattr(layer, "filter", layer)
        overlap = 1 if isinstance(layer, (Conv, SubpixelConv)) else -(-u.h.shape[-1] // u.L)
    biased = getattr(layer, "bias_phases", None) is not None
    return overlap + biased


def overlapping(taps: int, stride: int, dilation: int) -> int:
    """Return how many taps fall on one output at most: those with kd in one class modulo s.

    Eq. 7.4.

    Examples
    --------
    >>> overlapping(3, 2, 1), overlapping(3, 2, 2)
    (2, 3)
    """
    return int(np.bincount(np.arange(taps) * dilation % stride).max())


def terms(layer: Any, channels: int, time: int) -> Array:
    """Return n, the number of terms of every output (1, time'), its bias a term too: the skeleton run on ones.

    Eq. 7.1.
    """
    thin, fan = skeleton(layer, channels)
    biased = getattr(layer, "bias_phases", None) is not None
    return np.asarray(fan * thin(np.ones((1, time))) + biased)


def skeleton(layer: Any, channels: int) -> tuple[Any, int]:
    """Return the layer with one channel, ones for taps and no bias, and how many channels each output sums."""
    if isinstance(layer, KERNELS):
        K, phases = layer.length, layer.factor if isinstance(layer, SubpixelConv) else 1
        thin = dataclasses.replace(layer, weight=np.ones((phases, 1, K)), groups=1, bias=None)
        return thin, channels // layer.groups
    if isinstance(layer, (FilterInterp, BorderInterp)):
        return dataclasses.replace(layer, taps=np.ones(layer.length)), channels if layer.taps.ndim == 3 else 1
    u = getattr(layer, "filter", layer)
    return dataclasses.replace(u, h=np.ones(u.h.shape[-1])), u.h.shape[1] if u.h.ndim == 3 else 1


def unbiased(layer: S) -> S:
    """Return the layer without its bias."""
    names = {field.name for field in dataclasses.fields(layer)} & {"bias", "bias_phases"}  # type: ignore[arg-type]
    return dataclasses.replace(layer, **dict.fromkeys(names))  # type: ignore[type-var]


def doubled(layer: S, change: Callable[[Array], Array] = lambda a: a) -> S:
    """Return the layer with its weights, bias or taps in double precision, changed one by one."""
    return mapped(layer, lambda a: change(a.astype(np.float64)))


def mapped(layer: S, change: Callable[[Array], Array]) -> S:
    """Return the layer, or the chain, with each of its arrays changed.

    Examples
    --------
    >>> mapped(Conv([[[1, 2]]]), np.negative).weight
    array([[[-1, -2]]])
    """
    if isinstance(layer, Chain):
        return Chain(mapped(stage, change) for stage in layer.stages)  # type: ignore[return-value]
    fields = {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)}  # type: ignore[arg-type]
    new = {k: change(v) for k, v in fields.items() if isinstance(v, np.ndarray)}
    inner: dict[str, Any] = {k: mapped(v, change) for k, v in fields.items() if dataclasses.is_dataclass(v)}
    return dataclasses.replace(layer, **new, **inner) if new or inner else layer  # type: ignore[type-var]


def raised(E: Array | float, n: Array | float) -> Array:
    """Return E with the relative error added that its own computation may have."""
    return np.asarray(E * (1 + (n + 8) * U_REF))


@_bound.register(Nearest)
@_bound.register(Unsqueeze)
@_bound.register(LazySynthesis)
def _copied(layer: Nearest | Unsqueeze | LazySynthesis, x: Array, a: Arithmetic, S: Array | None) -> Bound:
    magnitude = layer(np.abs(x))
    return Bound(np.zeros_like(magnitude), magnitude)


@_bound.register(HaarSynthesis)
@_bound.register(PQMFSynthesis)
def _with_computed_taps(layer: HaarSynthesis | PQMFSynthesis, x: Array, a: Arithmetic, S: Array | None) -> Bound:
    """Bound stretch and filter by taps that are rounded themselves, before or behind the sum."""
    return _by_taps(FilterInterp(layer.factor, layer.normal.h, offset=layer.normal.offset), x, a)


def _by_taps(u: FilterInterp, x: Array, a: Arithmetic) -> Bound:
    """Add 2uS: taps are off by u of themselves, and where one scales the sum, the product rounds once more."""
    at = _bound(doubled(u), x, a, None)
    return Bound(at.E + 2 * max(a.u_acc, a.u_store) * at.S, at.S)


@_bound.register
def _istft(layer: ISTFT, x: Array, a: Arithmetic, S: Array | None) -> Bound:
    """Bound the sum of frames, over an envelope of J squares: off by (J + 1)u of itself, the quotient by u."""
    u, J = max(a.u_acc, a.u_store), overlapping(layer.length, layer.hop, 1)
    envelope, form = layer.envelope_of(x.shape[-1]), layer.normal
    at = _by_taps(FilterInterp(layer.hop, layer.taps, offset=form.offset, excess=form.excess), x, a)
    off = (J + 2) * u
    return Bound(raised((at.E + off * (at.S + at.E)) / (1 - off) / envelope, J), at.S / envelope)


@_bound.register
def _lifting(layer: LiftingSynthesis, x: Array, a: Arithmetic, S: Array | None) -> Bound:
    """Bound step by step: a quotient, a sum of products of what is off by E already, and a sum of two."""
    p, u, κ = (np.abs(h.astype(float)) for h in (layer.predict, layer.update, layer.scales))
    approximation, detail = np.split(np.abs(x), 2, axis=-2)

    def scaled(S: Array, by: float) -> Bound:
        return Bound(summed(S / by, 1, 1, a), S / by)

    def lifted(one: Bound, other: Bound, h: Array, left: int) -> Bound:
        E, S = filtered(other.E, h, left), filtered(other.S, h, left)
        products = summed(S + E, len(h), 1, a)
        sums = summed(one.S + one.E + S + E + products, 2, 1, a)
        return Bound(one.E + E + products + sums, one.S + S)

    d = scaled(detail, κ[1])
    even = lifted(scaled(approximation, κ[0]), d, u, len(u) // 2)
    odd = lifted(d, even, p, (len(p) - 1) // 2)
    pairs = (np.concatenate([getattr(even, name), getattr(odd, name)], axis=-2) for name in ("E", "S"))
    return Bound(*(interleave(pair, 2, order="dcr") for pair in pairs))


@_bound.register(Linear)
@_bound.register(Interpolate)
def _interpolated(layer: Linear | Interpolate, x: Array, a: Arithmetic, S: Array | None) -> Bound:
    """Bound an interpolation at positions that are rounded themselves, see `torchparity.interpolation`."""
    return Bound(*interpolation_bound(layer, x, a))


@_bound.register
def _chain(chain: Chain, x: Array, a: Arithmetic, S: Array | None) -> Bound:
    """Bound stage by stage; of copied samples the taps may be summed, and stored, before they are used: m + 1."""
    E, S, before = np.zeros_like(x), np.abs(x), None
    for stage in chain.stages:
        at = _bound(stage, x, a, None)
        if isinstance(before, Nearest) and isinstance(stage, Conv) and a.u_store:
            n, m = terms(stage, *x.shape[-2:]), stores(stage)
            at = Bound(at.E + summed(at.S, n, m + 1, a) - summed(at.S, n, m, a), at.S)
        before = stage
        E = at.E + _passed_on(stage, E, a) if E.any() else at.E
        x, S = doubled(stage)(x), doubled(stage, np.abs)(S)
    return Bound(E, S)


def _passed_on(stage: Any, E: Array, a: Arithmetic) -> Array:
    """Return what a stage makes of samples that are off by E, beyond its own bound."""
    if isinstance(stage, Pointwise):
        steepest = max(1.0, *(abs(p) for p in stage.parameters)) if stage.parameters else 1.0
        return np.asarray(steepest * E * (1 + 4 * (a.u_acc + a.u_store)))
    if isinstance(stage, (Linear, Interpolate)) and not getattr(stage, "mode", "linear").startswith("nearest"):
        hint = "hand over a Sequential: it is checked layer by layer"
        raise NotAnalysable(
            complaint("rounding bound", f"{stage.op} behind a layer that rounds", f"{stage.op} first", hint)
        )
    at = _bound(unbiased(stage), E, a, None)
    return np.asarray(at.S + at.E)


@_bound.register
def _pointwise(layer: Pointwise, x: Array, a: Arithmetic, S: Array | None) -> Bound:
    magnitude = np.abs(layer(x)) if layer.name in ("relu", "leaky") else x
    if layer.name == "relu":
        return Bound(np.zeros_like(x), magnitude)
    if layer.name == "leaky":
        u = max(a.u_acc, a.u_store)
        return Bound(raised(np.where(x > 0, 0, 3 * u * magnitude + a.tiny), 3), magnitude)
    allowed, hint = "relu, leaky", "its own accuracy is that of the maths library; check the layers around it"
    raise NotAnalysable(complaint("rounding bound", layer.name, allowed, hint))
