"""The mistake that explains wrong gradients of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from dspref.adjoints import adjoint
from dspref.arrays import Array, NotAnalysable
from dspref.multirate import window
from torchparity.mistakes.evidence import HALF, is_whole, whole_factor, within
from torchparity.mistakes.kernels import KERNELS, kernel_of
from torchparity.mistakes.phases import orders
from torchparity.roundoff import mapped

Made: TypeAlias = Callable[[Any, Array, Array], Array]
"""A gradient that a mistake makes of a layer, an input, and the gradient of the output."""


@dataclass(frozen=True)
class Cotangent:
    """A layer, an input, the gradient of the output, and how numbers are rounded.

    A computation explains a gradient if no entry lies farther from it than ``c (n + 4) u S``, with the n and S of that
    computation (`torchparity.mistakes.evidence.Subject`); whole numbers with S ≤ 1/u are equal.
    """

    layer: Any
    x: Array
    g: Array
    u: float

    def made(self, how: Made) -> tuple[Array, Array] | None:
        """Return what a computation makes, and E; None if it does not apply."""
        double = mapped(self.layer, lambda a: a.astype(np.float64))
        try:
            due = how(double, self.x, self.g)
            S = np.abs(how(mapped(double, np.abs), np.abs(self.x), np.abs(self.g)))
            ones = [(a != 0).astype(float) for a in (self.x, self.g)]
            n = np.abs(how(mapped(double, np.ones_like), *ones))
        except (ValueError, IndexError):
            return None
        whole = all(is_whole(a) for a in (*_arrays(double), self.x, self.g, due))
        if whole and S.max(initial=0) <= 1 / self.u:
            return due, np.zeros_like(due)
        return due, np.asarray((4 if self.u > HALF else 1) * (n + 4) * (self.u + 2.0**-53) * S)

    def explains(self, how: Made, got: Array) -> bool:
        """Return whether a computation explains a gradient."""
        found = self.made(how)
        return found is not None and found[0].shape == got.shape and within(got - found[0], found[1])


def _arrays(layer: Any) -> list[Array]:
    found: list[Array] = []
    mapped(layer, lambda a: found.append(a) or a)  # type: ignore[func-returns-value]
    return found


def right(wrt: str) -> Made:
    """Return the gradient that is due."""
    return lambda layer, x, g: np.asarray(getattr(adjoint(layer, x, g, wrt=(wrt,)), wrt))


def likely_gradient(layer: Any, x: Array, g: Array, got: Mapping[str, Array], *, u: float) -> str:
    """Return the classic mistake that explains wrong gradients, in a few words; empty if none explains them all.

    Parameters
    ----------
    layer : layer of dspref with weights, or Chain
    x, g : array (batch, in, time), (batch, out, time')
        Input, and gradient of the output.
    got : dict from 'input', 'weight', 'bias' to array
        The gradients found, at least one of them wrong.
    u : float
        Unit roundoff of the arithmetic.

    Returns
    -------
    str
        Each wrong gradient's first mistake in the order of `mistakes`, several joined by "; ".

    Examples
    --------
    >>> from dspref import Conv, adjoint
    >>> layer, x, g = Conv([[[1.0, 2.0]]], bias=[0.0]), np.ones((2, 1, 3)), np.ones((2, 1, 2))
    >>> got = {"input": adjoint(layer, x, g).input, "bias": 2 * adjoint(layer, x, g).bias}
    >>> likely_gradient(layer, x, g, got, u=2.0**-24)
    'gradient by bias doubled'
    """
    at = Cotangent(layer, np.asarray(x, np.float64), np.asarray(g, np.float64), u)
    named = []
    for wrt, found in got.items():
        values = np.asarray(found, np.float64)
        try:
            if at.explains(right(wrt), values):
                continue
        except NotAnalysable:
            return ""
        words = next((words for words, how in mistakes(layer, wrt, at) if at.explains(how, values)), "")
        if not words:
            return ""
        named.append(f"gradient by {wrt} {words}")
    return "; ".join(named)


def mistakes(layer: Any, wrt: str, at: Cotangent) -> Iterator[tuple[str, Made]]:
    """Yield what can go wrong in the gradient by 'input', 'weight' or 'bias': from the special to the general."""
    yield "all zero", lambda *given: 0 * right(wrt)(*given)
    yield from {"input": _input, "weight": _weight, "bias": _bias}[wrt](layer)
    yield from _sums(wrt, at)
    for words, c in {"doubled": 2.0, "halved": 0.5, "of the other sign": -1.0}.items():
        yield words, _scaled(wrt, c)
    yield from _factors(wrt, layer, at)


def _scaled(wrt: str, c: float) -> Made:
    return lambda *given: c * right(wrt)(*given)


def _of(wrt: str, change: Callable[[Any], Any]) -> Made:
    """Return the gradient that a changed layer has."""
    return lambda layer, x, g: right(wrt)(change(layer), x, g)


def _rekernelled(change: Callable[[Array], Array], layer: Any) -> Any:
    name = "taps" if layer.op == "filter" else "weight"
    return replace(layer, **{name: change(getattr(layer, name))})


def _input(layer: Any) -> Iterator[tuple[str, Made]]:
    if getattr(layer, "op", "") in (*KERNELS, "filter"):
        yield "with the kernel flipped", _of("input", partial(_rekernelled, lambda w: w[..., ::-1]))
        if kernel_of(layer).ndim == 3:
            turned = _turned(layer)
            if turned is not None:
                yield "with the channels of the weight not transposed", _of("input", partial(_rekernelled, turned))
            K = layer.length
            if K > 1:
                yield "without the last tap", _of("input", partial(_rekernelled, lambda w: w * (np.arange(K) < K - 1)))
                yield "without the first tap", _of("input", partial(_rekernelled, lambda w: w * (np.arange(K) > 0)))
    yield from _shared("input", layer)
    factor = whole_factor(layer)
    if factor > 1:
        yield (
            "of the first phase only",
            lambda layer, x, g: right("input")(layer, x, g * (np.arange(g.shape[-1]) % factor == 0)),
        )
    for k in range(1, 5):
        for by in (k, -k):
            words = f"{k} sample{'s' * (k > 1)} {'late' if by > 0 else 'early'}"
            yield words, lambda layer, x, g, by=by: _moved(right("input")(layer, x, g), by)  # type: ignore[misc]
    for words, keep in {
        "without its first sample": lambda time: np.arange(time) > 0,
        "without its last sample": lambda time: np.arange(time) < time - 1,
    }.items():
        yield words, lambda layer, x, g, keep=keep: right("input")(layer, x, g) * keep(x.shape[-1])  # type: ignore[misc]


def _moved(y: Array, by: int) -> Array:
    return window(y, -by, y.shape[-1])


def _turned(layer: Any) -> Callable[[Array], Array] | None:
    """Return how to exchange the channels of a weight within each group, if it is square there."""
    g = getattr(layer, "groups", 1)
    w = kernel_of(layer)
    a, b = w.shape[0] // g, w.shape[1]
    if not a == b > 1:
        return None
    return lambda w: w.reshape(g, a, a, -1).swapaxes(1, 2).reshape(w.shape)


def _shared(wrt: str, layer: Any) -> Iterator[tuple[str, Made]]:
    """Yield what may go wrong alike in the gradients by input and weight."""
    names = {f.name for f in fields(layer)} - {"stages"}
    if layer_mode(layer) != "zeros":
        yield "without the border's share", _of(wrt, lambda layer: replace(layer, padding_mode="zeros"))
    if "groups" in names and layer.groups > 1:
        each = layer.out_channels // layer.groups
        yield "with the groups in another order", lambda layer, x, g: right(wrt)(layer, x, np.roll(g, each, axis=-2))
    if getattr(layer, "op", "") in ("convt", "shuffle", "filter"):
        L = layer.factor
        for words, order in orders(L):
            yield f"with {words}", partial(_reordered, wrt, order)
    for k in (1, -1):
        words = "with the padding off by one"
        yield words, lambda layer, x, g, k=k: right(wrt)(layer, x, _moved(g, k))  # type: ignore[misc]


def layer_mode(layer: Any) -> str:
    """Return the border rule of a layer."""
    return str(getattr(layer, "padding_mode", "zeros"))


def _reordered(wrt: str, order: Array, layer: Any, x: Array, g: Array) -> Array:
    """Return the gradient for phases of g in another order."""
    time, L = g.shape[-1], len(order)
    phases = window(g, 0, -(-time // L) * L).reshape(*g.shape[:-1], -1, L)
    return right(wrt)(layer, x, phases[..., order].reshape(*g.shape[:-1], -1)[..., :time])


def _weight(layer: Any) -> Iterator[tuple[str, Made]]:
    yield "with the taps flipped", lambda *given: right("weight")(*given)[..., ::-1]
    turned = _turned(layer) if kernel_of(layer).ndim == 3 else None
    if turned is not None:
        yield "with its channels not transposed", lambda *given: turned(right("weight")(*given))
    for by in (1, -1):
        yield "one tap off", lambda *given, by=by: np.roll(right("weight")(*given), by, axis=-1)
    yield from _shared("weight", layer)


def _bias(layer: Any) -> Iterator[tuple[str, Made]]:
    yield "in reversed order", lambda *given: right("bias")(*given)[::-1]
    if layer.op == "shuffle":
        other = "dcr" if layer.order == "crd" else "crd"
        yield f"with phases swapped ({other.upper()} order)", _of("bias", lambda layer: replace(layer, order=other))
        for words, order in orders(layer.factor):
            yield f"with {words}", partial(_reordered, "bias", order)


def _sums(wrt: str, at: Cotangent) -> Iterator[tuple[str, Made]]:
    """Yield sums over the batch or over time that leave something out."""
    if len(at.x) > 1:
        for words, kept in {"first": slice(None, 1), "last": slice(-1, None)}.items():
            alone = partial(_of_items, wrt, kept)
            yield f"not summed over the batch: the {words} item's only", alone
    if wrt != "input":
        yield (
            "without the last output",
            lambda layer, x, g: right(wrt)(layer, x, g * (np.arange(g.shape[-1]) < g.shape[-1] - 1)),
        )
        yield "without the first output", lambda layer, x, g: right(wrt)(layer, x, g * (np.arange(g.shape[-1]) > 0))


def _of_items(wrt: str, kept: slice, layer: Any, x: Array, g: Array) -> Array:
    if wrt == "input":
        return np.repeat(right(wrt)(layer, x[kept], g[kept]), len(x), axis=0)
    return right(wrt)(layer, x[kept], g[kept])


def _factors(wrt: str, layer: Any, at: Cotangent) -> Iterable[tuple[str, Made]]:
    """Yield means in place of sums, and what else a batch, a length or a factor may have multiplied."""
    batch, time, length = len(at.x), at.x.shape[-1], at.g.shape[-1]
    counts = {"the batch": batch, "time": length, "the input's time": time, "batch and time": batch * length}
    factor = whole_factor(layer)
    counts |= {"the factor's outputs": factor, "the groups": getattr(layer, "groups", 1), "all outputs": at.g.size}
    for words, n in counts.items():
        if n > 1:
            yield f"a mean over {words}, not a sum (scaled by 1/{n})", _scaled(wrt, 1 / n)
            yield f"scaled by {n}, as many as {words}", _scaled(wrt, float(n))
