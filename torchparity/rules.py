"""What calls of Torch make of signals: places of a network, each by its rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from dspref.chain import Pointwise
from dspref.expected.filters import Fixed, average_pool, fixed
from dspref.expected.network import Gate
from dspref.interpolators import Linear
from torchparity.kernel_rules import convolution, linear, matrix, noted
from torchparity.mapnames import GRID
from torchparity.movements import OTHER, ZERO
from torchparity.readings import Value
from torchparity.trace import Call, Made, Rule


def moves(call: Call) -> Made:
    """Do to the numbers of samples what is done to samples."""
    if call.func._overloadname == "dtype" or not _whole(call):
        return None  # bits read as another type; or a factor that shows at some length only

    def ids(t: Tensor) -> Tensor:
        v = call.value(t)
        if v is not None:
            return (v if v.probe is None else call.reader.settled(v)).ids.contiguous()
        return torch.full(t.shape, ZERO if call.trace.zero(t) else OTHER, dtype=torch.float64, device="cpu")

    found = _padded(call, ids) if call.name in ("pad", "constant_pad_nd") else call.again(ids)
    results = found if isinstance(found, (tuple, list)) else [found]
    values = [Value(tuple(t.shape), t.double(), path=call.trace.where) for t in results]
    if call.name in STRETCHES and (read := call.reader.read(values[0])) is not None:
        return [read]  # under the name of its own module
    return values


def _whole(call: Call) -> bool:
    """Return whether the factors that are named, if any, are whole numbers or one by such."""
    names = [a.name for a in call.func._schema.arguments]
    given = [call.given(i, name) for i, name in enumerate(names) if name.startswith("scale")]
    factors = [float(each) for each in tree_leaves(given) if each is not None]
    return all(L > 0 and any(abs(each - round(each)) < 1e-9 * each for each in (L, 1 / L)) for L in factors)


def _padded(call: Call, ids: Any) -> Tensor:
    """Return the numbers of a padded signal."""
    x, widths = ids(call.args[0]), call.args[1]
    mode = call.given(2, "mode", "constant") if call.name == "pad" else "constant"
    if mode == "constant":
        value = call.given(3 if call.name == "pad" else 2, "value")
        return torch.nn.functional.pad(x, list(widths), value=OTHER if value else ZERO)
    return torch.nn.functional.pad(x, list(widths), mode=mode)


def same(call: Call) -> Made:
    """Keep what is there, as copies do, of whatever precision."""
    v = call.value(call.args[0])
    return [v] if v is not None and call.out.is_floating_point() else None


def dropped(call: Call) -> Made:
    """Keep what is there, if nothing is dropped."""
    return None if call.given(2, "train") else same(call)


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
        return _sum(call, *found, alpha=call.kwargs.get("alpha", 1) * (1 if name == "add" else -1))
    return gate(call, *found) if name == "mul" else None


def _mapped(call: Call, first: Value) -> Made:
    """Do it to the grid of values too."""
    time = first.time
    wide = [n if axis != time else len(GRID) for axis, n in enumerate(first.shape, -len(first.shape))]
    if call.shape != first.shape:
        return None
    if any(t.ndim >= -time and t.shape[time] != 1 for t in _plain(call)):
        return [call.reader.unknown("a map that changes with time", call.signals, call.shape, name=call.name)]

    def grid(t: Tensor) -> Tensor:
        v = call.value(t)
        if v is None and not call.trace.zero(t):
            return _initial(call, t)
        probe = torch.zeros(1, dtype=torch.float64, device="cpu") if v is None else call.reader.found(v).grid
        return probe.expand(wide).clone() if call.written and t.shape == first.shape else probe

    path = call.trace.called(call.name.rstrip("_"))
    shown = replace(first, probe=call.again(grid), path=path, kind=call.trace.kind)
    found = call.reader.named(shown)
    return [replace(shown, scale=found[1]) if found and found[0] is None else shown]


def _plain(call: Call) -> list[Tensor]:
    """Return the tensors that are neither signals nor zero."""
    return [t for t in call.tensors if call.value(t) is None and not call.trace.zero(t)]


def _initial(call: Call, t: Tensor) -> Tensor:
    """Return a parameter in double precision, as the grid is."""
    noted(call, t)
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


def _sum(call: Call, a: Value, b: Value, *, alpha: float) -> Made:
    reader = call.reader
    for zero, other in ((a, b), (b, a)):
        if reader.zero(zero) and call.shape == other.shape and (alpha == 1 or other is a):
            return [other]
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


def pool(call: Call) -> Made:
    """Average over neighbours."""
    x = call.reader.settled(call.signals[0])
    K, s, p = (call.given(i, name) for i, name in ((1, "kernel_size"), (2, "stride"), (3, "padding")))
    if x.time != -1 or call.given(4, "ceil_mode", False):
        return None
    u = average_pool(K[0], stride=s[0] if s else None, padding=p[0] if p else 0)
    return _filtered(call, x, u, "pool")


def interpolation(call: Call) -> Made:
    """Interpolate linearly, by a whole factor."""
    x, corners = call.reader.settled(call.signals[0]), call.given(2, "align_corners", False)
    L = call.shape[-1] // x.shape[-1]
    if x.time != -1 or corners or not _whole(call) or L * x.shape[-1] != call.shape[-1]:
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

COPIES = ("detach", "clone", "contiguous", "_to_copy", "to", "lift_fresh")

STILL = frozenset((*MOVES, *COPIES))

RULES: dict[str, Rule] = {
    "": maps,
    "leaky_relu": maps,  # which versions before 2.13 of Torch do not say of themselves
    **dict.fromkeys(MOVES, moves),
    **dict.fromkeys(COPIES, same),
    "copy": written,
    "dropout": dropped,
    "feature_dropout": dropped,
    "alpha_dropout": dropped,
    "glu": glu,
    "linear": linear,
    "avg_pool1d": pool,
    "upsample_linear1d": interpolation,
    "prelu": prelu,
    "mm": matrix,
    "bmm": matrix,
    "_convolution": convolution,
    **{f"conv{n}d": convolution for n in (1, 2)},
    **{f"conv_transpose{n}d": convolution for n in (1, 2)},
}
"""Rules by the name of a call."""
