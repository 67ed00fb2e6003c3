"""Classic mistakes in phases, groups and biases of layers with kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.multirate import window
from torchparity.mistakes.kernels import Candidates, computed, kernel_of, rekernelled

MOST = 8
"""Phases of which every exchange is tried, at most."""


def orders(L: int) -> Iterator[tuple[str, Array]]:
    """Yield the wrong orders of L phases, with their names.

    Examples
    --------
    >>> [(words, order.tolist()) for words, order in orders(2)]
    [('phases 0 and 1 swapped', [1, 0])]
    """
    right = np.arange(L)
    seen = {tuple(right)}
    swaps = combinations(range(L if L <= MOST else 2), 2)
    wrong = [(f"phases {a} and {b} swapped", _swapped(right, a, b)) for a, b in swaps]
    wrong += [("phases reversed", right[::-1])]
    wrong += [(f"phases rotated by {k}", np.roll(right, k)) for k in range(1, min(L, 2 * MOST))]
    for words, order in wrong:
        if tuple(order) not in seen:
            seen.add(tuple(order))
            yield words, order


def _swapped(order: Array, a: int, b: int) -> Array:
    other = order.copy()
    other[[a, b]] = order[[b, a]]
    return other


def phases(layer: Any) -> Candidates:
    """Yield phases in the wrong order, or not interleaved."""
    if layer.op == "shuffle":
        yield from _shuffled(layer)
    elif layer.op in ("convt", "filter") and layer.factor > 1:
        L = layer.factor
        for words, order in orders(L):
            yield words, rekernelled(layer, partial(_reordered, order=order))
    if layer.op == "convt":
        for r in range(layer.factor if 1 < layer.factor <= MOST else 0):
            yield f"phase {r} one input sample late", partial(_displaced, layer, r, 1)
            yield f"phase {r} one input sample early", partial(_displaced, layer, r, -1)


def _displaced(layer: Any, r: int, by: int, x: Array) -> Array:
    """Return the output with one of its phases displaced by one input sample, cropped afterwards."""
    s, p, length = layer.stride, layer.padding, layer(x).shape[-1]
    whole = replace(layer, padding=0, output_padding=0, bias=None)(x)
    y = window(whole, p, length)
    places = np.arange((r + p) % s, p + length, s)
    places = places[places >= p]
    moved = window(whole, -by * s, whole.shape[-1] + 2 * s)
    y = np.array(y, dtype=float)
    y[..., places - p] = moved[..., places]
    return np.asarray(y if layer.bias is None else y + layer.bias[:, None])


def _reordered(w: Array, order: Array) -> Array:
    """Return the kernel with its polyphase components in another order; its length stays."""
    taps, L = w.shape[-1], len(order)
    full = window(w, 0, -(-taps // L) * L).reshape(*w.shape[:-1], -1, L)
    return full[..., order].reshape(*w.shape[:-1], -1)[..., :taps]


def _shuffled(layer: Any) -> Candidates:
    """Yield channels of the low rate taken in the wrong order."""
    L, run = layer.factor, computed(layer)

    def split(x: Array) -> Array:
        y = run(x)
        return y.reshape(*y.shape[:-1], -1, L)

    if L > 1 < layer.out_channels:
        other = "dcr" if layer.order == "crd" else "crd"
        yield f"phases swapped ({other.upper()} order)", computed(layer, order=other)
    for words, order in orders(L):
        yield words, lambda x, order=order: joined(split(x)[..., order])  # type: ignore[misc]
    if L > 1:
        yield "phases laid end to end, not interleaved", lambda x: joined(split(x).swapaxes(-1, -2))
        yield "only the first phase, repeated", lambda x: joined(split(x)[..., np.zeros(L, int)])


def joined(y: Array) -> Array:
    """Return a signal (..., time) from (..., periods, L)."""
    return y.reshape(*y.shape[:-2], -1)


def groups(layer: Any) -> Candidates:
    """Yield groups that read or write the wrong channels."""
    g = getattr(layer, "groups", 1)
    if g > 1:
        run, inner, out = computed(layer), layer.in_channels, layer.weight.shape[0]
        out = layer.out_channels if layer.op == "convt" else out
        if inner > g:
            yield "groups' channels mixed: inputs dealt to the groups in turn", lambda x: run(_dealt(x, inner // g))
            if inner != g * g:
                yield "groups' channels mixed: inputs interleaved by groups", lambda x: run(_dealt(x, g))
        yield "each group reads the channels of the next", lambda x: run(np.roll(x, -(inner // g), axis=-2))
        yield "groups ignored: all read the channels of the first", lambda x: run(_first(x, inner // g, g))
        if layer.out_channels % g == 0 and layer.out_channels > g:
            words = "groups' channels mixed: outputs of the groups interleaved"
            yield words, lambda x: _dealt(run(x), layer.out_channels // g)
        if layer.op == "convt":
            one = computed(layer, groups=1, bias=None)
            yield "groups ignored: one sum over all channels", one
            yield (
                "groups ignored: one sum over all channels for every group",
                lambda x: _plus(np.concatenate([one(x)] * g, axis=-2), layer),
            )
    if g != getattr(layer, "dilation", 1):
        yield from _exchanged(layer, g)


def _plus(y: Array, layer: Any) -> Array:
    return y if layer.bias is None else y + layer.bias[:, None]


def _dealt(x: Array, into: int) -> Array:
    """Return channels (a, into) as (into, a): what was next to each other is now apart."""
    *lead, channels, time = x.shape
    return x.reshape(*lead, channels // into, into, time).swapaxes(-2, -3).reshape(x.shape)


def _first(x: Array, each: int, g: int) -> Array:
    return np.concatenate([x[..., :each, :]] * g, axis=-2)


def _exchanged(layer: Any, g: int) -> Candidates:
    """Yield groups read as dilation, where the channels allow it."""
    d = layer.dilation
    words = "groups and dilation swapped"
    if layer.op == "convt" and layer.in_channels % d == 0:
        out = layer.weight.shape[1] * d
        bias = None if layer.bias is None else np.resize(layer.bias, out)
        yield words, computed(layer, groups=d, dilation=g, bias=bias if out == layer.out_channels else None)
    elif layer.op != "convt" and layer.weight.shape[0] % d == 0 and layer.weight.shape[1] * d <= layer.in_channels:
        run, taken = computed(layer, groups=d, dilation=g), layer.weight.shape[1] * d
        yield words, lambda x: run(x[..., :taken, :])


def biases(layer: Any) -> Candidates:
    """Yield biases left out, counted twice, or given to the wrong channel or phase."""
    if layer.bias is None:
        return
    b = layer.bias
    yield "bias dropped", computed(layer, bias=None)
    g, L = layer.groups, layer.factor if layer.op == "shuffle" else 1
    yield "bias doubled" + (" (whole bias given to each group)" if g == 2 else ""), computed(layer, bias=2 * b)
    if g > 1:
        if g > 2:
            yield "whole bias given to each group: added once per group", computed(layer, bias=g * b)
        yield "bias of the first group given to all", computed(layer, bias=np.resize(b[: len(b) // g], len(b)))
    yield "sign of the bias", computed(layer, bias=-b)
    if len(b) > 1:
        yield "bias of the first channel given to all", computed(layer, bias=np.resize(b[:1], len(b)))
        yield "bias in reversed order", computed(layer, bias=b[::-1])
    if L > 1:
        wide, flat = layer.bias_phases, _flat(layer.order)
        yield "bias of each channel's first phase given to all", computed(layer, bias=flat(wide[:, np.zeros(L, int)]))
        other = _flat("dcr" if layer.order == "crd" else "crd")
        if len(wide) > 1:
            yield "bias added in the wrong phase (the other channel order)", computed(layer, bias=other(wide))
        for words, order in orders(L):
            yield f"bias: {words}", computed(layer, bias=flat(wide[:, order]))


def _flat(order: str) -> Callable[[Array], Array]:
    """Return how (channel, phase) stand side by side."""
    return np.ravel if order == "crd" else lambda b: b.T.ravel()


def strides(layer: Any) -> Candidates:
    """Yield a decimating convolution that starts elsewhere, or does not decimate."""
    if layer.op == "conv" and layer.stride > 1:
        s, (left, right) = layer.stride, layer.pads
        yield "stride ignored", computed(layer, stride=1)
        for k in range(1, s):
            words = f"decimation starts {k} sample{'s' * (k > 1)} late"
            yield words, computed(layer, pads=(left - k, right + k))


def scales(layer: Any) -> Candidates:
    """Yield sums that are means."""
    w = kernel_of(layer)
    counts = {"in place of the sum over taps": w.shape[-1]}
    if w.ndim == 3:
        inner = w.shape[0] // layer.groups if layer.op == "convt" else w.shape[1]
        counts |= {"in place of the sum over channels": inner, "in place of the sum": inner * w.shape[-1]}
    for words, n in counts.items():
        if n > 1:
            yield f"mean {words}: kernel scaled by 1/{n}", rekernelled(layer, lambda w, n=n: w / n)  # type: ignore[misc]
