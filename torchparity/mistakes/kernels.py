"""Classic mistakes in layers with kernels, each a few words and a computation that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import Array
from dspref.kernels import add_bias
from dspref.multirate import extend, interleave, window
from dspref.operators import correlate, overlap_add

Model: TypeAlias = Callable[[Array], Array]
"""What a mistaken layer makes of a signal (batch, channel, time)."""

Candidates: TypeAlias = Iterator[tuple[str, Model]]

KERNELS = ("convt", "conv", "shuffle")


def computed(layer: Any, **changed: Any) -> Model:
    """Return the layer's computation with parameters changed, also to what the layer itself refuses.

    Besides the layer's own there are, for a transposed convolution, ``start`` and ``length``: of the window that is
    cut from all that the stamps make; for convolutions ``pads``, which cut where they are negative.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> computed(TransposedConv([[[1, 2, 3]]], stride=2), start=1)(np.array([[[1, 10]]]))
    array([[[ 2, 13, 20, 30,  0]]])
    """
    p = {field.name: getattr(layer, field.name) for field in fields(layer)}
    if layer.op != "convt":
        p["pads"] = layer.pads
    run = {"convt": _convt, "conv": _conv, "shuffle": _shuffle}[layer.op]
    return lambda x: run(x, SimpleNamespace(**p | changed))


def _convt(x: Array, p: Any) -> Array:
    y = overlap_add(x, p.weight, stride=p.stride, dilation=p.dilation, groups=p.groups)
    start = getattr(p, "start", p.padding)
    due = (x.shape[-1] - 1) * p.stride + p.dilation * (p.weight.shape[-1] - 1) + 1 - 2 * p.padding + p.output_padding
    y = window(y, start, max(getattr(p, "length", lambda time: due)(x.shape[-1]), 0))
    return add_bias(y, None if p.bias is None else p.bias[:, None])


def _conv(x: Array, p: Any) -> Array:
    (left, right), time = p.pads, x.shape[-1]
    x = x[..., max(-left, 0) : time - max(-right, 0)]
    x = extend(x, max(left, 0), max(right, 0), border=p.padding_mode)
    y = correlate(x, p.weight, stride=getattr(p, "stride", 1), dilation=p.dilation, groups=p.groups)
    return add_bias(y, None if p.bias is None else p.bias[:, None])


def _shuffle(x: Array, p: Any) -> Array:
    return interleave(_conv(x, p), p.factor, order=p.order)


def kernel_of(layer: Any) -> Array:
    """Return the taps of a layer, time last."""
    found: Array = layer.taps if layer.op == "filter" else layer.weight
    return found


def rekernelled(layer: Any, change: Callable[[Array], Array]) -> Model:
    """Return the layer's computation with another kernel of the same length."""
    if layer.op == "filter":
        return replace(layer, taps=change(layer.taps))  # type: ignore[no-any-return]
    return computed(layer, weight=change(layer.weight))


def taps_(layer: Any) -> Candidates:
    """Yield taps in the wrong order, lost, or in the wrong channel."""
    K = kernel_of(layer).shape[-1]
    yield "kernel flipped", rekernelled(layer, lambda w: w[..., ::-1])
    yield from (
        (words, rekernelled(layer, lambda w, keep=keep: w * keep))  # type: ignore[misc]
        for words, keep in {
            "last tap dropped": np.arange(K) < K - 1,
            "first tap dropped": np.arange(K) > 0,
            "taps beyond 16 dropped": np.arange(K) < 16,
        }.items()
        if K > 1 and not keep.all()
    )
    if kernel_of(layer).ndim == 3:
        yield from _channels(layer)


def _channels(layer: Any) -> Candidates:
    w, g = kernel_of(layer), getattr(layer, "groups", 1)
    a, b = (w.shape[0] // g, w.shape[1])
    if a == b > 1:

        def transposed(w: Array) -> Array:
            return w.reshape(g, a, b, -1).swapaxes(1, 2).reshape(w.shape)

        yield "input and output channels of the weight swapped", rekernelled(layer, transposed)
    right, inner = _right(layer), a * g if layer.op == "convt" else b * g
    if inner > 64:
        yield "channels beyond 64 dropped", lambda x: right(x * (np.arange(inner) < 64)[:, None])
    if inner > 1:
        yield "input channels reversed", lambda x: right(x[..., ::-1, :])
        yield "only the first input channel read", lambda x: right(x * (np.arange(inner) < 1)[:, None])


def _right(layer: Any) -> Model:
    return layer if layer.op == "filter" else computed(layer)


def gaps(layer: Any) -> Candidates:
    """Yield gaps between stamps that are filled with the sample before."""
    if layer.op not in ("convt", "filter"):
        return
    crop = layer.padding if layer.op == "convt" else layer.offset
    extent = getattr(layer, "dilation", 1) * (layer.length - 1) + 1
    if layer.factor > extent:
        run, L = _right(layer), layer.factor

        def held(x: Array) -> Array:
            y = run(x)
            m = np.arange(y.shape[-1])
            return y[..., np.maximum(m - np.maximum((m + crop) % L - extent + 1, 0), 0)]

        yield "gap filled (the sample before is held)", held


def places(layer: Any) -> Candidates:
    """Yield stamps of a transposed convolution in the wrong place, or not added as they should be."""
    if layer.op != "convt":
        return
    w, s, d, K = layer.weight, layer.stride, layer.dilation, layer.length
    law = length_law(layer)
    k = np.arange(K)
    if d > 1 and K > 1:
        yield "dilation ignored", computed(layer, dilation=1)
        yield "dilation ignored in the kernel, not in the length", computed(layer, dilation=1, length=law)
        short = length_law(layer, dilation=1)
        yield "dilation ignored in the length", computed(layer, length=short)
        yield "dilation ignored in the length, the rest filled with zeros", _filled(computed(layer, length=short), law)
        stamps = _placed(w, k * d + (k - k * d) % s)
        yield "stride and dilation offsets mixed up", computed(layer, weight=stamps, dilation=1, length=law)
        yield "dilation off by one", computed(layer, dilation=d - 1, length=law)
    if s != d and K > 1:
        yield "stride and dilation swapped", computed(layer, stride=d, dilation=s)
        yield "stride and dilation swapped, not in the length", computed(layer, stride=d, dilation=s, length=law)
    if s < d * (K - 1) + 1:
        yield "overlap overwritten instead of added", lambda x: _stamped(layer, x, last=True)
        yield "overlap dropped (the first stamp stays)", lambda x: _stamped(layer, x, last=False)
        yield "overlap averaged instead of added", lambda x: _averaged(layer, x)
    if layer.bias is not None and K > 1:
        yield "bias added with every stamp", lambda x: _bias_per_stamp(layer, x)


def length_law(layer: Any, **changed: int) -> Callable[[int], int]:
    """Return the output length of a transposed convolution, with parameters changed."""
    p = SimpleNamespace(**{name: getattr(layer, name) for name in ("stride", "padding", "output_padding", "dilation")})
    vars(p).update(changed)
    return lambda time: int(
        (time - 1) * p.stride - 2 * p.padding + p.dilation * (layer.length - 1) + p.output_padding + 1
    )


def _filled(run: Model, law: Callable[[int], int]) -> Model:
    return lambda x: window(run(x), 0, law(x.shape[-1]))


def _placed(w: Array, where: Array) -> Array:
    """Return the kernel with tap k at ``where[k]``."""
    h = np.zeros((*w.shape[:-1], int(where.max()) + 1), w.dtype)
    for k, place in enumerate(where):
        h[..., place] += w[..., k]
    return h


def _stamps(layer: Any, x: Array) -> Array:
    """Return what each input sample stamps: (batch, out, time, extent)."""
    alone = replace(layer, padding=0, output_padding=0, bias=None)
    return np.stack([alone(x[..., n : n + 1]) for n in range(x.shape[-1])], axis=-2)


def _stamped(layer: Any, x: Array, *, last: bool) -> Array:
    stamps, s = _stamps(layer, x), layer.stride
    *lead, time, extent = stamps.shape
    full = np.zeros((*lead, (time - 1) * s + extent), stamps.dtype)
    for n in range(time) if last else reversed(range(time)):
        full[..., n * s : n * s + extent] = stamps[..., n, :]
    return _cut(layer, full, time)


def _cut(layer: Any, full: Array, time: int) -> Array:
    y = window(full, layer.padding, length_law(layer)(time))
    return add_bias(y, None if layer.bias is None else layer.bias[:, None])


def _count(layer: Any, time: int) -> Array:
    """Return how many stamps meet in each sample, gaps of dilation counted as the stamp's."""
    return overlap_add(
        np.ones((1, time)), np.ones((1, 1, layer.dilation * (layer.length - 1) + 1)), stride=layer.stride
    )


def _averaged(layer: Any, x: Array) -> Array:
    full = overlap_add(x, layer.weight, stride=layer.stride, dilation=layer.dilation, groups=layer.groups)
    return _cut(layer, full / np.maximum(_count(layer, x.shape[-1]), 1), x.shape[-1])


def _bias_per_stamp(layer: Any, x: Array) -> Array:
    time = x.shape[-1]
    count = window(_count(layer, time), layer.padding, length_law(layer)(time))
    return np.asarray(computed(layer, bias=None)(x) + layer.bias[:, None] * count)
