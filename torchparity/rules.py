"""What calls of Torch make of signals: places of a network, each by its rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dspref.chain import Pointwise
from dspref.expected.filters import Fixed, average_pool, fixed
from dspref.expected.network import Drawn, Gate
from dspref.interpolators import Linear
from torchparity.drafts import Kernel
from torchparity.mapnames import GRID
from torchparity.movements import OTHER, ZERO
from torchparity.readings import Value
from torchparity.trace import Call, Rule

Made = Sequence[Value] | None


def moves(call: Call) -> Made:
    """Do to the numbers of samples what is done to samples; maps of them stay what they are."""
    if any(v.probe is not None for v in call.signals):
        settled = {id(v): call.reader.settled(v) for v in call.signals}
    else:
        settled = {id(v): v for v in call.signals}

    def ids(t: Tensor) -> Tensor:
        v = call.value(t)
        if v is not None:
            return settled[id(v)].ids.contiguous()
        return torch.full(t.shape, ZERO if id(t) in call.trace.zeros else OTHER, dtype=torch.float64, device="cpu")

    found = _padded(call, ids) if call.name in ("pad", "constant_pad_nd") else call.again(ids)
    results = found if isinstance(found, (tuple, list)) else [found]
    values = [Value(tuple(t.shape), t.double(), path=call.trace.where) for t in results]
    if call.name in STRETCHES and (read := call.reader.read(values[0])) is not None:
        return [read]  # under the name of its own module
    return values


def _padded(call: Call, ids: Any) -> Tensor:
    """Return the numbers of a padded signal: what is not zero lies at the border only, as padding does."""
    x, widths = ids(call.args[0]), call.args[1]
    mode = call.given(2, "mode", "constant") if call.name == "pad" else "constant"
    if mode == "constant":
        return torch.nn.functional.pad(x, list(widths), value=ZERO)
    return torch.nn.functional.pad(x, list(widths), mode=mode)


def same(call: Call) -> Made:
    """Keep what is there, as copies do."""
    v = call.value(call.args[0])
    return None if v is None else [v]


def written(call: Call) -> Made:
    """Take what is written, if it fills all that is written into."""
    v = call.value(call.args[1])
    return [v] if v is not None and v.shape == tuple(call.args[0].shape) else None


def maps(call: Call) -> Made:
    """Map single samples; add or multiply two signals."""
    if not all(v.shape for v in call.signals):
        return None
    found = [call.reader.found(v) for v in call.signals]
    first = found[0]
    if all(v.place is first.place and v.shape == first.shape and v.time == first.time for v in found):
        return _mapped(call, first)
    if len(found) > 2:
        return None
    name = call.name.rstrip("_")
    if name in ("add", "sub"):
        return _sum(call, *found, call.kwargs.get("alpha", 1) * (1 if name == "add" else -1))
    return gate(call, *found) if name == "mul" else None


def _mapped(call: Call, first: Value) -> Made:
    """Do it to the grid of values too."""
    time = first.time
    wide = [n if axis != time else len(GRID) for axis, n in enumerate(first.shape, -len(first.shape))]
    if call.shape != first.shape or any(t.ndim >= -time and t.shape[time] != 1 for t in _plain(call)):
        return None

    def grid(t: Tensor) -> Tensor:
        v = call.value(t)
        if v is None and id(t) not in call.trace.zeros:
            return _initial(call, t)
        probe = torch.zeros(1, dtype=torch.float64, device="cpu") if v is None else call.reader.found(v).grid
        return probe.expand(wide).clone() if call.written and t.shape == first.shape else probe

    path = call.trace.called(call.name.rstrip("_"))
    shown = replace(first, probe=call.again(grid), path=path, kind=call.trace.kind)
    found = call.reader.named(shown)
    return [replace(shown, scale=found[1]) if found and found[0] is None else shown]


def _plain(call: Call) -> list[Tensor]:
    """Return the tensors that are neither signals nor zero."""
    return [t for t in call.tensors if call.value(t) is None and id(t) not in call.trace.zeros]


def _initial(call: Call, t: Tensor) -> Tensor:
    """Return a parameter in double precision, as the grid is."""
    return t.double() if t.is_floating_point() else t


def prelu(call: Call) -> Made:
    """Map by a slope of each channel; on the meta device, that which the module begins with."""
    x, slopes = call.reader.found(call.signals[0]), call.args[1]
    module = call.trace.within[-1][1]
    if call.value(slopes) is not None or x.time + len(x.shape) == 1:
        return None
    if slopes.is_meta and isinstance(module, nn.PReLU):
        slopes = torch.full(slopes.shape, module.init, device="cpu")
    slopes = slopes.double().reshape(-1, *[1] * (len(x.shape) - 2))
    grid = x.grid.to(slopes.device)
    shown = torch.where(grid > 0, grid, slopes * grid)
    return [replace(x, probe=shown, path=call.trace.called("prelu"), kind=call.trace.kind)]


def _sum(call: Call, a: Value, b: Value, alpha: float) -> Made:
    reader = call.reader
    a, b = reader.settled(a), reader.settled(b)
    if not a.goes_with(b):
        return None
    last = b.whole
    if alpha != 1:
        h = Fixed(np.array([float(alpha)]))
        last = reader.drafts.add(call.trace.called("gain"), h, [last], last.channels, last.time)
    name, first = call.trace.called("add"), a.whole
    place = reader.drafts.add(name, "sum", [first, last], first.channels, first.time)
    return [Value(call.shape, place, a.time)]


def gate(call: Call, a: Value, b: Value) -> Made:
    """Multiply maps of two signals, if they are halves of what one convolution makes, or as good as that."""
    left, right = call.reader.named(a), call.reader.named(b)
    both = call.reader.drafts.merged(a.whole, b.whole)
    if left is None or right is None or both is None or not a.goes_with(b):
        return None
    name, drafts = call.trace.called("gate"), call.reader.drafts
    place = drafts.add(name, _gate(left[0], right[0]), [both], a.whole.channels, a.whole.time)
    if (g := left[1] * right[1]) != 1:
        place = drafts.mapped(name, Fixed(np.array([g])), place)
    return [Value(call.shape, place, a.time)]


def _gate(left: Pointwise | None, right: Pointwise | None) -> Gate | Pointwise:
    names = {side.name if side else "identity" for side in (left, right)}
    return Pointwise("glu") if names == {"identity", "sigmoid"} else Gate(left or "identity", right or "identity")


def glu(call: Call) -> Made:
    """Halve the channels."""
    x = call.reader.settled(call.signals[0])
    axis = call.given(1, "dim", -1) % len(x.shape) - len(x.shape)
    if axis == x.time or x.shape[axis] != x.whole.channels:
        return None
    name = call.trace.called("glu")
    place = call.reader.drafts.add(name, Pointwise("glu"), [x.whole], x.whole.channels // 2, x.whole.time)
    return [Value(call.shape, place, x.time)]


def convolution(call: Call) -> Made:
    """Convolve with a kernel, up or down."""
    transposed = "transpose" in call.name
    names = ("input", "weight", "bias", "stride", "padding")
    names += ("output_padding", "groups", "dilation") if transposed else ("dilation", "groups")
    given = {name: call.given(i, name) for i, name in enumerate(names)}
    weight, x = given["weight"], call.value(given["input"])
    if x is None or call.value(weight) is not None or call.value(given["bias"]) is not None:
        return None
    x = call.reader.settled(x)
    axes = [axis for axis in range(-weight.ndim + 2, 0) if axis != x.time]
    if any(weight.shape[axis] != 1 or x.shape[axis] != 1 for axis in axes):
        return None
    for axis in axes:
        weight = weight.squeeze(axis)
    s, d = (_along(given[key], x.time, len(axes) + 1, 1) for key in ("stride", "dilation"))
    p, groups, K = given["padding"], given["groups"] or 1, weight.shape[-1]
    p = {"valid": 0, "same": (K - 1) * d // 2}[p] if isinstance(p, str) else _along(p, x.time, len(axes) + 1, 0)
    op, (a, b) = ("convt", (0, 1)) if transposed else ("conv", (1, 0))
    inputs, outputs = weight.shape[a] * (1 if transposed else groups), weight.shape[b] * (groups if transposed else 1)
    time = call.shape[x.time]
    if not call.trace.made_of.get(id(given["weight"])):
        return _filter(call, x, weight, transposed, s, d, p, groups, given["bias"])
    if x.whole.channels != inputs or x.shape[1 - len(x.shape)] != inputs:
        return None
    drawn = Drawn(op, inputs, outputs, K, s, d, p, groups)
    place = call.reader.drafts.add(
        call.trace.called(op), drawn, [x.whole], outputs, time, _kernel(call, given["weight"], weight, given["bias"])
    )
    return [Value(call.shape, place, x.time)]


def _along(given: Any, time: int, axes: int, default: int) -> int:
    """Return what is said of the time axis."""
    if given is None or isinstance(given, int):
        return default if given is None else int(given)
    return int(given[time]) if len(given) == axes else int(given[0]) if len(given) else default


def _kernel(call: Call, source: Tensor, weight: Tensor, bias: Tensor | None) -> Kernel:
    path, owner = call.trace.within[-1]
    call.trace.keep(weight)
    return Kernel(weight, bias, call.trace.made_of[id(source)], call.trace.recipes[id(source)], owner, path)


def _filter(
    call: Call, x: Value, w: Tensor, transposed: bool, s: int, d: int, p: int, groups: int, bias: Tensor | None
) -> Made:
    """Filter every channel alike, by taps that are no parameters."""
    alone = groups == x.whole.channels or x.shape[1 - len(x.shape)] == 1 == groups
    if w.is_meta or bias is not None or not alone or w.shape[1] != 1 or not bool((w == w[:1]).all()):
        return None
    if call.shape[: len(call.shape) + x.time] != x.shape[: len(x.shape) + x.time]:
        return None
    h = np.zeros((w.shape[-1] - 1) * d + 1)
    h[::d] = w[0, 0].double().numpy()
    u = Fixed(h, s, p) if transposed else Fixed(h[::-1], 1, len(h) - 1 - p, s)
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
    if x is None or call.value(source) is not None or call.value(bias) is not None:
        return None
    x = call.reader.settled(x)
    if x.time == axis or x.shape[axis] != x.whole.channels or not call.trace.made_of.get(id(source)):
        return None
    kernel = _kernel(call, source, weight[..., None], bias)
    drawn = Drawn("conv", weight.shape[1], weight.shape[0], 1)
    place = call.reader.drafts.add(call.trace.called("linear"), drawn, [x.whole], len(weight), x.whole.time, kernel)
    return [Value(call.shape, place, x.time)]


def pool(call: Call) -> Made:
    """Average over neighbours."""
    x = call.reader.settled(call.signals[0])
    K, s, p = (call.given(i, name) for i, name in ((1, "kernel_size"), (2, "stride"), (3, "padding")))
    if x.time != -1 or call.given(4, "ceil_mode", False):
        return None
    u = average_pool(K[0], stride=s[0] if s else None, padding=_along(p, -1, 1, 0))
    return _filtered(call, x, u, "pool")


def interpolation(call: Call) -> Made:
    """Interpolate linearly, by a whole factor."""
    x, corners = call.reader.settled(call.signals[0]), call.given(2, "align_corners", False)
    L = call.shape[-1] // x.shape[-1]
    if x.time != -1 or corners or L * x.shape[-1] != call.shape[-1]:
        return None
    return _filtered(call, x, fixed(Linear(L)), "linear")


def _filtered(call: Call, x: Value, u: Fixed, what: str) -> Made:
    place = call.reader.drafts.add(call.trace.called(what), u, [x.whole], x.whole.channels, call.shape[x.time])
    return [Value(call.shape, place, x.time)]


STRETCHES = ("upsample_nearest1d", "repeat_interleave")
"""Those that are a layer each."""

MOVES = (
    "alias",
    "broadcast_to",
    "cat",
    "chunk",
    "concat",
    "concatenate",
    "constant_pad_nd",
    "expand",
    "expand_as",
    "flatten",
    "flip",
    "hstack",
    "movedim",
    "narrow",
    "pad",
    "permute",
    "pixel_shuffle",
    "reflection_pad1d",
    "repeat",
    "repeat_interleave",
    "replication_pad1d",
    "reshape",
    "select",
    "slice",
    "split",
    "split_with_sizes",
    "squeeze",
    "stack",
    "swapaxes",
    "t",
    "tile",
    "transpose",
    "unbind",
    "unflatten",
    "unfold",
    "unsqueeze",
    "unsafe_chunk",
    "unsafe_split",
    "upsample_nearest1d",
    "upsample_nearest2d",
    "vstack",
    "view",
    "view_as",
    "_reshape_alias",
    "_unsafe_view",
)
"""Calls that move samples."""

COPIES = ("detach", "clone", "contiguous", "_to_copy", "to", "lift_fresh", "dropout")

STILL = frozenset((*MOVES, *COPIES))

RULES: dict[str, Rule] = {
    "": maps,
    **dict.fromkeys(MOVES, moves),
    **dict.fromkeys(COPIES, same),
    "copy": written,
    "glu": glu,
    "linear": linear,
    "avg_pool1d": pool,
    "upsample_linear1d": interpolation,
    "prelu": prelu,
    "mm": matrix,
    "bmm": matrix,
    **{f"conv{n}d": convolution for n in (1, 2)},
    **{f"conv_transpose{n}d": convolution for n in (1, 2)},
}
"""Rules by the name of a call."""

OPAQUE = {
    "scaled_dot_product_attention": "attention",
    "bmm": "attention",
    "softmax": "attention",
    "upsample_bicubic2d": "cubic interpolation",
    "lstm": "LSTM",
    "gru": "GRU",
    "lstm_cell": "LSTM",
    "gru_cell": "GRU",
    "rnn_tanh": "RNN",
    "rnn_relu": "RNN",
    "group_norm": "GroupNorm",
    "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm",
    "batch_norm": "BatchNorm",
    "instance_norm": "InstanceNorm",
    "stft": "STFT",
    "istft": "inverse STFT",
    "conv1d": "a convolution by what is not drawn",
    "conv2d": "a convolution in two dimensions",
    "conv_transpose1d": "a convolution by what is not drawn",
    "conv_transpose2d": "a convolution in two dimensions",
    "upsample_linear1d": "interpolation by no whole factor, or with aligned corners",
    "upsample_nearest1d": "interpolation by no whole factor",
    "mean": "an average over all of the signal",
    "add": "a sum of signals of different shapes",
    "mul": "a product of two signals",
    "div": "a quotient of two signals",
}
"""Calls that are not looked into, and words for them and others that are not covered."""

CLOSED: dict[type[nn.Module], str] = {nn.MultiheadAttention: "attention"}
"""Modules that are not looked into."""
