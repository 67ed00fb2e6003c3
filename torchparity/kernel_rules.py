"""Rules of calls with a kernel: drawn ones, by convolutions and matrices, and filters that are not drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dspref.expected.filters import Fixed
from dspref.expected.network import Drawn
from torchparity.drafts import Kernel
from torchparity.evidence import ROUNDINGS, looks_drawn, unit
from torchparity.readings import Value
from torchparity.trace import Call, Made, Trace

_FIRST = ("input", "weight", "bias", "stride", "padding")

NAMES = {
    "conv": (*_FIRST, "dilation", "groups"),
    "conv_transpose": (*_FIRST, "output_padding", "groups", "dilation"),
    "_convolution": (*_FIRST, "dilation", "transposed", "output_padding", "groups"),
}
"""What calls are given, in order; the last one is of modules that were traced."""


def convolution(call: Call) -> Made:
    """Convolve with a kernel, up or down."""
    names = NAMES[call.name.rstrip("123d")]
    given = {name: call.given(i, name) for i, name in enumerate(names)}
    weight, x = given["weight"], call.value(given["input"])
    transposed = given.get("transposed", "transpose" in call.name)
    if x is None or call.value(weight) is not None or call.value(given["bias"]) is not None:
        return None
    if weight.is_complex():  # halves of a complex value are not independent, as channels are
        return None
    x = call.reader.settled(x)
    axes = [axis for axis in range(-weight.ndim + 2, 0) if axis != x.time]
    if any(weight.shape[axis] != 1 or x.shape[axis] != 1 for axis in axes):
        return None
    for axis in axes:
        weight = weight.squeeze(axis)
    s, d = (_along(given[key], x.time, len(axes) + 1, 1) for key in ("stride", "dilation"))
    p, groups, K = given["padding"], given["groups"] or 1, weight.shape[-1]
    if p == "same" and (K - 1) * d % 2:
        x, p = _uneven(call, x, (K - 1) * d), 0
    p = {"valid": 0, "same": (K - 1) * d // 2}[p] if isinstance(p, str) else _along(p, x.time, len(axes) + 1, 0)
    more = _along(given.get("output_padding"), x.time, len(axes) + 1, 0)
    op, (a, b) = ("convt", (0, 1)) if transposed else ("conv", (1, 0))
    inputs, outputs = weight.shape[a] * (1 if transposed else groups), weight.shape[b] * (groups if transposed else 1)
    time = call.shape[x.time]
    if not call.trace.made_of(given["weight"]):
        return _filter(call, x, weight, transposed, s, d, p, groups, given["bias"])
    if not call.trace.is_drawn(given["weight"]) or x.whole.channels != inputs or x.shape[1 - len(x.shape)] != inputs:
        return None
    drawn = Drawn(op, inputs, outputs, K, s, d, p, groups, output_padding=more)
    place = call.reader.drafts.add(
        call.trace.called(op), drawn, [x.whole], outputs, time, _kernel(call, given["weight"], weight, given["bias"])
    )
    return [Value(call.shape, place, x.time)]


def _uneven(call: Call, x: Value, total: int) -> Value:
    """Return the input with zeros around it, one more behind than before, as Torch has them."""
    u, time = Fixed(np.ones(1), 1, -(total // 2), excess=total), x.whole.time + total
    place = call.reader.drafts.add(call.trace.called("shift"), u, [x.whole], x.whole.channels, time)
    return replace(x, place=place)


def _along(given: Any, time: int, axes: int, default: int) -> int:
    """Return what is said of the time axis."""
    if given is None or isinstance(given, int):
        return default if given is None else int(given)
    return int(given[time]) if len(given) == axes else int(given[0]) if len(given) else default


def _kernel(call: Call, source: Tensor, weight: Tensor, bias: Tensor | None) -> Kernel:
    path, owner = call.trace.within[-1]
    for t in (weight, bias):
        if t is not None:
            call.trace.drawn(t)
    made, recipe = call.trace.made_of(source), call.trace.recipe(source)
    return Kernel(weight, bias, made, recipe, owner, path, computed=not _drawn(call.trace, source, made))


def _drawn(trace: Trace, source: Tensor, made: frozenset[str]) -> bool:
    """Return whether a kernel is a parameter, or one under weight norm or spectral norm, times a number."""
    given = dict(trace.module.named_parameters())
    parameters = [given[name] for name in sorted(made)]
    if any(_part(source, p) for p in parameters):  # parameters that share their memory have several names
        return True
    if len(parameters) == 1:
        return _multiple(source, parameters[0])
    if len(parameters) != 2:
        return False
    return any(_normed(trace, source, g, v) for g, v in (parameters, parameters[::-1]))


def _normed(trace: Trace, source: Tensor, g: Tensor, v: Tensor) -> bool:
    """Return whether a kernel is made of directions v and lengths g as weight norm makes it, call by call."""
    sizes = zip(g.shape, v.shape, strict=False)
    if g.ndim != v.ndim or g.numel() != max(g.shape, default=1) or any(n not in (1, m) for n, m in sizes):
        return False
    for dim in range(-1, v.ndim):
        if g.numel() != (v.shape[dim] if dim >= 0 else 1):
            continue
        with trace:
            made = torch._weight_norm(v, g, dim)
        if trace.recipe(made) == trace.recipe(source) or _multiple(source, made):
            return True
    return False


def _part(x: Tensor, parameter: Tensor) -> bool:
    """Return whether a tensor is a view of a parameter that shows none of its numbers twice."""
    once = all(stride or n == 1 for stride, n in zip(x.stride(), x.shape, strict=True))
    return once and x.numel() <= parameter.numel() and x.untyped_storage()._cdata == parameter.untyped_storage()._cdata


def _multiple(x: Tensor, y: Tensor) -> bool:
    """Return whether a tensor has the numbers of another, times one number, each once, in any order."""
    if x.is_meta or y.is_meta or x.numel() != y.numel():
        return False
    u = max(unit(x), unit(y))
    a, b = (t.detach().double().flatten().sort().values for t in (x, y))
    a, b = (t / t.square().mean().sqrt() for t in (a, b))
    return any(bool(((a - c).abs() <= ROUNDINGS * u * c.abs()).all()) for c in (b, -b.flip(0)))


def noted(call: Call, t: Tensor) -> None:
    """Note the parameters and buffers that enter the network by their values, if these look drawn."""
    trace, home = call.trace, t.untyped_storage()._cdata
    named = dict(trace.module.named_parameters())
    found: dict[str, Tensor] = {name: named[name] for name in trace.made_of(t)}
    found |= {name: b for name, b in trace.module.named_buffers() if b.untyped_storage()._cdata == home}
    for name, x in found.items():
        if x.is_floating_point() and not x.is_meta and name not in call.reader.drafts.noted and looks_drawn(x):
            first = f"{float(x.detach().flatten()[0]):.3g}"
            more = f" and {x.numel() - 1} more" if x.numel() > 1 else ""
            call.reader.drafts.noted[name] = f"{name}: {first}{more} of this draw, taken as constants of the network"


def _filter(
    call: Call, x: Value, w: Tensor, transposed: bool, s: int, d: int, p: int, groups: int, bias: Tensor | None
) -> Made:
    """Filter every channel alike, by taps that are no parameters."""
    alone = groups == x.whole.channels or x.shape[1 - len(x.shape)] == 1 == groups
    if w.is_meta or bias is not None or not alone or w.shape[1] != 1 or not bool((w == w[:1]).all()):
        return None
    if call.shape[: len(call.shape) + x.time] != x.shape[: len(x.shape) + x.time]:
        return None
    if not bool((w == w.flip(-1)).all()):  # taps that mirror each other are designed
        noted(call, w)
    h = np.zeros((w.shape[-1] - 1) * d + 1)
    h[::d] = w[0, 0].double().numpy()
    made, time = call.shape[x.time], x.whole.time
    up, down = (s, 1) if transposed else (1, s)
    u = Fixed(h if transposed else h[::-1], up, p if transposed else len(h) - 1 - p, down, made * down - time * up)
    place = call.reader.drafts.add(call.trace.called("filter"), u, [x.whole], x.whole.channels, call.shape[x.time])
    return [Value(call.shape, place, x.time)]


def linear(call: Call) -> Made:
    """Mix the channels of the last axis: a convolution of length 1."""
    return _mixed(call, call.value(call.args[0]), call.args[1], call.given(2, "bias"), -1)


def matrix(call: Call) -> Made:
    """Mix channels by a matrix, before or behind the signal."""
    left, right = call.args[:2]
    flat = [t if t.ndim == 2 else t[0] if len(t) == 1 else None for t in (left, right)]
    if call.value(right) is None:
        w = flat[1]
        return None if w is None else _mixed(call, call.value(left), w.T, None, -1, right)
    return None if flat[0] is None else _mixed(call, call.value(right), flat[0], None, -2, left)


def _mixed(call: Call, x: Value | None, weight: Tensor, bias: Any, axis: int, source: Tensor | None = None) -> Made:
    source = weight if source is None else source
    if x is None or weight.is_complex() or call.value(source) is not None or call.value(bias) is not None:
        return None
    x = call.reader.settled(x)
    if x.time == axis or x.shape[axis] != x.whole.channels or not call.trace.is_drawn(source):
        return None
    kernel = _kernel(call, source, weight[..., None], bias)
    drawn = Drawn("conv", weight.shape[1], weight.shape[0], 1)
    place = call.reader.drafts.add(call.trace.called("linear"), drawn, [x.whole], len(weight), x.whole.time, kernel)
    return [Value(call.shape, place, x.time)]
