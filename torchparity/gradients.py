"""Gradients of a layer against the reference's adjoints: exact on whole numbers, else under their own bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import Any

import numpy as np

from dspref.adjoints import WRT, adjoint
from dspref.arrays import Array
from dspref.heads.squeeze import Unsqueeze
from dspref.heads.wavelets import LazySynthesis
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.layers import Conv, SubpixelConv, TransposedConv
from torchparity.arithmetic import Arithmetic, arithmetic, eager
from torchparity.autograd import by_torch, cotangent
from torchparity.cases import Case
from torchparity.compare import TRIES, Outcome, beyond, coarser, same_again, scattered, weighed
from torchparity.interpolation import interpolation_adjoint_bound
from torchparity.job import Job
from torchparity.roundoff import Bound, mapped, overlapping, skeleton, summed
from torchparity.weigh import Compared, compared, first, fraction

KERNELS = (Conv, TransposedConv, SubpixelConv, FilterInterp)


def gradient_bounds(layer: Any, x: Array, g: Array, model: object, *, wrt: tuple[str, ...] = WRT) -> dict[str, Bound]:
    """Return how far each gradient of ``Σ g·layer(x)`` may lie from the adjoint by rounding alone.

    A gradient is a sum of products too, so the law of `torchparity.roundoff` holds with other sums:

        x̄: S = Σ abs(w) abs(g) over the taps that reach a sample    n as many     m = 1, or overlapping stamps
        w̄: S = Σ abs(x) abs(g) over batch and time                   n as many     m = batch
        b̄: S = Σ abs(g) over batch and time                          n as many     m = batch

    m counts in how many pieces a sum is stored in half precision: the gradient by the input of a convolution is a
    transposed convolution, whose stamps overlap, and a border rule adds what it took from several places; gradients
    by weights are added item by item of the batch.

    Parameters
    ----------
    layer : layer of dspref with kernels, Nearest, Linear or Interpolate
    x, g : array (batch, in, time), (batch, out, time')
    model : as for `torchparity.roundoff`
    wrt : subset of ('input', 'weight', 'bias')

    Returns
    -------
    dict from what to differentiate by to `Bound`

    Examples
    --------
    >>> limits = gradient_bounds(Nearest(2), np.ones((1, 1, 2)), np.ones((1, 1, 4)), "float32", wrt=("input",))
    >>> limits["input"].S
    array([[[2., 2.]]])
    """
    a = arithmetic(model)
    if isinstance(layer, (Linear, Interpolate)):
        return {"input": Bound(*interpolation_adjoint_bound(layer, x.astype(float), g.astype(float), a))}
    S = adjoint(_magnitudes(layer), np.abs(x).astype(float), np.abs(g).astype(float), wrt=wrt)
    n, m = _terms(layer, x, g, wrt), _stores(layer, len(x))
    sums = {name: getattr(S, name) for name in wrt}
    lost = _underflow(layer, x, g, a, wrt)
    return {name: Bound(summed(s, n[name], m[name], a) + lost(name), s) for name, s in sums.items() if s is not None}


def _underflow(layer: Any, x: Array, g: Array, a: Arithmetic, wrt: tuple[str, ...]) -> Callable[[str], Any]:
    """Return what each gradient loses by operands below the smallest numbers of the format they are rounded to.

    Each of the two operands of a product may be off by η/2: ``Σ (abs(a) + abs(b) + η/2) η/2`` over its products.
    """
    if not a.tiny_in:
        return lambda name: 0.0
    small = a.tiny_in / 2
    sizes = _magnitudes(layer)
    of_g = adjoint(sizes, np.abs(x).astype(float), np.full(g.shape, small), wrt=wrt)
    tiny = mapped(sizes, lambda w: np.full_like(w, small))
    of_rest = adjoint(tiny, np.full(x.shape, small), np.abs(g).astype(float) + small, wrt=wrt)
    return lambda name: getattr(of_g, name) + (0.0 if name == "bias" else getattr(of_rest, name))


def _magnitudes(layer: Any) -> Any:
    """Return the layer of absolute values, in double precision."""
    fields = {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)}
    return replace(layer, **{k: np.abs(v.astype(float)) for k, v in fields.items() if isinstance(v, np.ndarray)})


def _terms(layer: Any, x: Array, g: Array, wrt: tuple[str, ...]) -> dict[str, Any]:
    """Return how many products each gradient sums, from one channel of ones."""
    if isinstance(layer, Nearest):
        return {"input": layer.factor}
    alike = isinstance(layer, FilterInterp) and layer.taps.ndim == 1
    channels, out = (1, 1) if alike else (x.shape[-2], max(1, g.shape[-2] / getattr(layer, "groups", 1)))
    thin, _ = skeleton(layer, channels)
    ones, back = np.ones((len(x), 1, x.shape[-1])), np.ones((len(x), 1, g.shape[-1]))
    counted = adjoint(thin, ones, back, wrt=[name for name in wrt if name != "bias"])
    n: dict[str, Any] = {"bias": len(g) * g.shape[-1]}
    if counted.input is not None:
        n["input"] = out * counted.input
    if counted.weight is not None:
        n["weight"] = (x.shape[-2] if alike else 1) * float(counted.weight.max())
    return n


def _stores(layer: Any, batch: int) -> dict[str, int]:
    """Return how often each gradient is stored on its way."""
    if isinstance(layer, Nearest):
        return {"input": layer.factor}
    overlap = 1
    if isinstance(layer, (Conv, SubpixelConv)):
        overlap = overlapping(layer.length, getattr(layer, "stride", 1), layer.dilation)
        overlap += {"zeros": 0, "replicate": max(layer.pads) + 1}.get(layer.padding_mode, 2)
    shared = batch + 1 if isinstance(layer, FilterInterp) else batch
    return {"input": overlap, "weight": shared, "bias": batch}


def differentiable(job: Job) -> bool:
    """Return whether the reference has a bounded gradient for the layer of a job."""
    return isinstance(linear_part(job.layer), (*KERNELS, Nearest, Linear, Interpolate))


def linear_part(layer: Any) -> Any:
    """Return the layer, or the stretch and filter that it is or a probe has found, if its border is zeros."""
    u = layer.normal if isinstance(layer, (Unsqueeze, LazySynthesis)) else getattr(layer, "filter", None)
    if u is None or u.border != "zeros":
        return layer
    return FilterInterp(u.L, u.h, offset=u.offset, excess=u.excess)


def differentiated(job: Job, case: Case, alone: Sequence[str] = ()) -> Iterator[Outcome]:
    """Yield the outcome for each gradient: by the input, and by the weight and bias that parameters hold.

    On whole numbers a gradient must equal the adjoint wherever its sums are exact; else it must lie within its bound.
    `alone` names those that are asked for, the others being frozen; all by default.
    """
    x = case.x
    try:
        y_shape = job.double(x.astype(float)).shape
    except ValueError:  # not legal: the forward cases tell whether it is refused
        return
    g = cotangent(case, y_shape)
    found = by_torch(job, case, x, g, alone)
    if isinstance(found, Outcome):
        yield found
        return
    wrt, layer, a = tuple(found), linear_part(job.double), case.model
    limits = gradient_bounds(layer, x, g, a, wrt=wrt)
    changing = list(_changing(job, case, g, alone, found, limits)) if case.kind == "normal" else []
    for name in changing:
        reason = f"another gradient by {name} for the same input: not deterministic"
        yield Outcome("wrong", case, job, reason=reason, part=f"gradient by {name}")
    due = adjoint(layer, x.astype(float), g.astype(float), wrt=wrt)

    @cache
    def norms() -> dict[str, Any]:
        return job.normwise_gradients(x, g, a.u_acc)

    @cache
    def half() -> dict[str, Bound]:
        return gradient_bounds(layer, x, g, eager(a), wrt=wrt)

    for name in (name for name in wrt if name not in changing):
        got, expected, limit = found[name], np.asarray(getattr(due, name)), limits[name]
        part = f"gradient by {name}"
        if got.shape != expected.shape:
            reason = f"{part} of shape {got.shape}, which should be {expected.shape}"
            yield Outcome("wrong", case, job, reason=reason, part=part)
            continue
        seen = compared(got, expected, limit, a, part=part)
        if np.isfinite(got).all():
            more = coarser(job, limit, a, lambda name=name: half()[name])  # type: ignore[misc]
            far = partial(_farther, limit.E, norms, name)
            seen = weighed(seen, got, expected, more, far, job, case)
        elif words := beyond(job, a, x, g):
            seen = Compared("inconclusive", words=words)
        yield _one(job, case, part, got, expected, limit, seen)


def _changing(
    job: Job, case: Case, g: Array, alone: Sequence[str], found: dict[str, Array], limits: dict[str, Bound]
) -> Iterator[str]:
    """Yield the names of gradients that are others in the next call."""

    def more() -> Iterator[dict[str, Array]]:
        for _ in range(TRIES):
            again = by_torch(job, case, case.x, g, alone)
            if not isinstance(again, Outcome):
                yield again

    for again in islice(more(), 1):
        for name, y in found.items():
            rest = partial(_each, more, name)
            if not same_again(job, case, y, again[name], limits[name].E, rest):
                yield name


def _farther(E: Array, norms: Callable[[], dict[str, Any]], name: str) -> Array:
    return np.asarray(E + norms().get(name, 0.0))


def _each(answers: Callable[[], Iterator[dict[str, Array]]], name: str) -> Iterator[Array]:
    return (answer[name] for answer in answers())


def _one(job: Job, case: Case, part: str, got: Array, expected: Array, limit: Bound, found: Compared) -> Outcome:
    """Return the outcome for one gradient: how it compares with its bound, and whether whole numbers come out whole."""
    zeros = int((limit.S == 0).sum())
    whole = case.kind == "integer" and (got != expected) & (2.0**case.model.digits >= limit.S)
    if np.any(whole) and found.status in ("exact", "within bound", "normwise only"):
        index = first(np.asarray(whole))
        reason = (
            f"{job.words}: {got[index]:.9g} at {part} {list(index)}, where whole numbers make {expected[index]:.9g}"
        )
        rounding = fraction(got, expected, np.asarray(whole)) and scattered(job, case)
        status, value = "normwise only" if rounding else "wrong", float(expected[index])
        return Outcome(status, case, job, got.size, zeros, found.ratio, index, value, f"{reason} exactly", part)
    reason = found.words and f"{job.words}: {found.words} ({case.kind} input; error/bound {found.ratio:.3g})"
    status = "inconclusive" if job.probed and found.status == "wrong" and np.isfinite(got).all() else found.status
    value = 0.0 if found.index is None else float(expected[found.index])
    return Outcome(status, case, job, got.size, zeros, found.ratio, found.index, value, reason, part)
