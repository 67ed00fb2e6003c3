"""What an ONNX graph says it is, by ONNX's own definitions of its operators, as layers of `dspref`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.interpolate import Interpolate
from dspref.interpolators import Linear, Nearest
from dspref.kernels import pads_of
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.multirate import interleave
from dspref.operators import widened
from torchparity.onnx_graph import HINT, Node, moved, read_line, signals_for


def described(model: Any) -> Stage | Chain:
    """Return the layers that an ONNX model is.

    Known are Conv, ConvTranspose, Resize, Upsample, a convolution with a shuffle by Reshape and Transpose behind
    it, Pad before a convolution, and the usual maps of single samples, one behind the other. Unequal pads
    become taps of 0.

    Parameters
    ----------
    model : onnx.ModelProto

    Raises
    ------
    NotAnalysable
        With the operator, or the attribute, that has no law.
    OnnxRefused
        If onnxruntime does not load it.

    Examples
    --------
    >>> import onnx.parser
    >>> text = 'g (float[n, 1, t] x) => (float[n, 1, u] y) { y = Relu (x) }'
    >>> described(onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]> ' + text))
    Pointwise(name='relu', parameters=())
    """
    signals = signals_for(model)
    left: list[Node] = list(read_line(model, signals))
    stages: list[Stage] = []
    while left:
        node = left.pop(0)
        if node.op == "Pad" and left and left[0].op == "Conv":
            stages.append(_conv(left.pop(0), *_padded(node)))
        elif node.op in ("Reshape", "Transpose", "Squeeze", "Unsqueeze"):
            tail = [node]
            while left and left[0].op in ("Reshape", "Transpose", "Squeeze", "Unsqueeze"):
                tail.append(left.pop(0))
            stages.append(_shuffled(stages.pop() if stages else None, tail, signals))
        elif node.op != "Identity":
            stages.append(_stage(node))
    return stages[0] if len(stages) == 1 else Chain(stages)


def _stage(node: Node) -> Stage:
    if node.op not in _LAWS:
        raise NotAnalysable(complaint("ONNX operator", node.op, ", ".join(_LAWS), HINT))
    try:
        return _LAWS[node.op](node)
    except NotAnalysable:
        raise
    except (ValueError, TypeError) as error:  # attributes that dspref refuses
        raise NotAnalysable(f"{node.op}: {error}") from error


def _one_dimensional(node: Node) -> Array:
    w = node.array(1)
    if w is None or w.ndim != 3:
        got = "none" if w is None else f"shape {w.shape}"
        raise NotAnalysable(complaint(f"weight of {node.op}", got, "three axes: one dimension of time", HINT))
    return w


def _conv(node: Node, left: int = 0, right: int = 0, border: str = "zeros") -> Conv:
    """Return Conv; pads of the node, and those of a Pad before it."""
    w, stride, dilation = _one_dimensional(node), node.get("strides", 1), node.get("dilations", 1)
    reach, auto = dilation * (w.shape[-1] - 1), node.get("auto_pad", "NOTSET")
    own = node.attributes.get("pads", [0, 0]) if auto == "NOTSET" else [0, 0]
    if auto.startswith("SAME"):
        if stride > 1:
            raise NotAnalysable(complaint("Conv", f"auto_pad {auto} with stride {stride}", "stride 1", HINT))
        own = [reach // 2, reach - reach // 2] if auto == "SAME_UPPER" else [reach - reach // 2, reach // 2]
    if border != "zeros" and any(own):
        raise NotAnalysable(complaint("Conv behind Pad", f"pads {own} beside a border of {border}", "one of them"))
    pads = (left + own[0], right + own[1])
    if min(pads) < 0:
        raise NotAnalysable(complaint("pads of Conv", list(pads), "integers >= 0", HINT))
    padding: int | str = max(pads)
    if pads == pads_of("same", reach) and pads[0] != pads[1] and stride == 1:
        padding = "same"
    elif pads[0] != pads[1]:
        if border != "zeros":
            raise NotAnalysable(complaint("Pad", f"unequal pads of {border}", "equal ones", HINT))
        w, dilation = widened(w, pads, dilation)
    options = {"stride": stride, "dilation": dilation, "groups": node.get("group", 1), "padding_mode": border}
    return Conv(w, bias=node.array(2), padding=padding, **options)


def _padded(node: Node) -> tuple[int, int, str]:
    """Return (left, right, border) of a Pad along time."""
    pads, mode = node.array(1), node.get("mode", "constant")
    fill = node.array(2)
    widths = [] if pads is None else [int(n) for n in pads]
    if len(widths) != 6 or any(widths[i] for i in (0, 1, 3, 4)) or (fill is not None and fill.any()):
        raise NotAnalysable(complaint("Pad", f"pads {widths}, fill {fill}", "zeros or a border rule, along time", HINT))
    borders = {"constant": "zeros", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    return widths[2], widths[5], borders[mode]


def _convt(node: Node) -> TransposedConv:
    """Return ConvTranspose: ``(T − 1)s + d(K − 1) + 1 + output_padding − left − right`` samples."""
    w, s, d = _one_dimensional(node), node.get("strides", 1), node.get("dilations", 1)
    more, auto = node.get("output_padding", 0), node.get("auto_pad", "NOTSET")
    left, right = node.attributes.get("pads", [0, 0]) if auto == "NOTSET" else [0, 0]
    if "output_shape" in node.attributes:
        raise NotAnalysable(complaint("ConvTranspose", "output_shape", "pads: it has a rate then", HINT))
    if auto.startswith("SAME"):  # output length T·s
        total = d * (w.shape[-1] - 1) + 1 + more - s
        if total < 0:
            raise NotAnalysable(complaint("ConvTranspose", f"auto_pad {auto}, pads below 0", "a kernel of the stride"))
        left, right = (total // 2, total - total // 2) if auto == "SAME_UPPER" else (total - total // 2, total // 2)
    # Padding p on both sides and output_padding o cut p and p − o. A tap of 0 moves either end by d.
    before = max(0, -(-(right - left - more) // d))
    more += left + d * before - right
    left += d * before
    behind = max(0, -(-(more - max(s, d) + 1) // d))
    more -= d * behind
    w = np.pad(w, ((0, 0), (0, 0), (before, behind))) if before or behind else w
    options = {"stride": s, "padding": left, "output_padding": more, "dilation": d, "groups": node.get("group", 1)}
    return TransposedConv(w, bias=node.array(2), **options)


def _resize(node: Node) -> Stage:
    """Return Resize, or the Upsample and Resize of old, whose second input are the scales."""
    old = len(node.inputs) == 2
    scales, sizes = node.array(1 if old else 2), node.array(3)
    grid = node.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = node.get("nearest_mode", "floor" if old else "round_prefer_floor")
    given = scales if scales is not None else sizes
    plain = {"antialias": 0, "exclude_outside": 0, "cubic_coeff_a": -0.75}
    odd = [name for name, value in plain.items() if node.get(name, value) != value]
    if (
        given is None
        or len(given) != 3
        or odd
        or "axes" in node.attributes
        or (scales is not None and any(given[:-1] != 1))
    ):
        got = f"scales {scales}, sizes {sizes}, {', '.join(odd)}"
        raise NotAnalysable(complaint("Resize", got, "a constant scale along time", HINT))
    scale = Fraction(float(given[-1])) if scales is not None else None
    mode = _mode(node.get("mode", "nearest"), grid, rounding, scale)
    corners = grid == "align_corners"
    if scale is None:
        return Interpolate(mode, size=int(given[-1]), align_corners=corners)
    if scale.denominator == 1 and mode in ("nearest", "nearest-exact"):
        return Nearest(int(scale))
    if scale.denominator == 1 and mode == "linear":
        return Linear(int(scale), align_corners=corners)
    return Interpolate(mode, scale_factor=scale, align_corners=corners)


def _mode(mode: str, grid: str, rounding: str, scale: Fraction | None) -> str:
    """Return Torch's name for ONNX's mode, grid of positions and rounding."""
    whole = scale is not None and scale.denominator == 1
    # Rounded halves: outputs of a whole factor never stand half-way between samples.
    halves = ("round_prefer_ceil", "round_prefer_floor") if whole else ("round_prefer_ceil",)
    pixels = ("half_pixel", "pytorch_half_pixel") if scale is not None and scale >= 1 else ("half_pixel",)
    if mode == "nearest" and (grid, rounding) == ("asymmetric", "floor"):
        return "nearest"
    if mode == "nearest" and grid in pixels and rounding in halves:
        return "nearest-exact"
    if mode == "linear" and grid in (*pixels, "align_corners"):
        return mode
    got = f"{mode} with {grid}" + (f" and {rounding}" if mode == "nearest" else "")
    allowed = "nearest (asymmetric, floor; half_pixel, round), linear (half_pixel, align_corners)"
    raise NotAnalysable(complaint("Resize", got, allowed, HINT))


def _shuffled(conv: Stage | None, tail: Sequence[Node], signals: Sequence[Array]) -> SubpixelConv:
    """Return a convolution and the shuffle behind it: its channels in the order in which they are interleaved.

    The order is read from what the shuffle makes of the numbers 0, 1, 2 …, so that every order is known.
    """
    if not isinstance(conv, Conv) or conv.stride > 1:
        raise NotAnalysable(complaint("shuffle", "nothing of stride 1 before it", "a convolution", HINT))
    order: list[int] = []
    for place, x in enumerate(signals):
        time = conv(np.zeros((conv.in_channels, x.shape[-1]))).shape[-1]
        numbers = np.arange(len(x) * conv.out_channels * time).reshape(len(x), conv.out_channels, time)
        y = moved(numbers, tail, place)
        L = y.shape[-1] // time if y.ndim == 3 else 0
        order = order or [int(n) for n in y[0, :, :L].reshape(-1) // time]
        if sorted(order) != list(range(conv.out_channels)) or not np.array_equal(y, interleave(numbers[:, order], L)):
            ops = " ".join(node.op for node in tail)
            raise NotAnalysable(complaint("shuffle", ops, "an interleaving of channels in time", HINT))
    shared = {name: getattr(conv, name) for name in ("padding", "dilation", "groups", "padding_mode")}
    if order == np.arange(len(order)).reshape(L, -1).T.ravel().tolist():
        return SubpixelConv(conv.weight, L, bias=conv.bias, order="dcr", **shared)
    if order != sorted(order) and conv.groups > 1:
        raise NotAnalysable(complaint("shuffle", f"channels in the order {order} behind groups", "their own order"))
    bias = None if conv.bias is None else conv.bias[order]
    return SubpixelConv(conv.weight[order], L, bias=bias, **shared)


_LAWS: dict[str, Callable[[Node], Stage]] = {
    "Conv": _conv,
    "ConvTranspose": _convt,
    "Resize": _resize,
    "Upsample": _resize,
    "Relu": lambda node: Pointwise("relu"),
    "LeakyRelu": lambda node: Pointwise("leaky", (float(np.float32(node.get("alpha", 0.01))),)),
    "Tanh": lambda node: Pointwise("tanh"),
    "Sigmoid": lambda node: Pointwise("sigmoid"),
}
"""What an operator of ONNX is."""
