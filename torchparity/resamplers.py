"""What a call that resamples is, as a layer: from its module, if that is described, else from its own arguments."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from dspref.arrays import NotAnalysable
from dspref.chain import Chain, Stage
from dspref.interpolators import Linear, Nearest
from dspref.outline import Outline
from dspref.spec import outlined
from torchparity.describe import describe
from torchparity.followed import UNSEEN, Call

VIEWS = ("view", "reshape", "flatten", "_unsafe_view", "pixel_shuffle", "contiguous")
"""Calls that make time of channels."""

SWAPS = ("permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims", "mT", "T", "t")
"""Calls, and properties, that put axes in another order."""

MOVES = frozenset((*VIEWS, *SWAPS, "unflatten", "unsqueeze", "squeeze", "clone"))
"""Calls that only move samples."""

REPEATS = ("expand", "expand_as", "broadcast_to", "repeat", "tile")
"""Calls that make several of one sample, along an axis of size 1."""

JOINS = ("stack", "cat", "concat", "concatenate")
"""Calls that put channels beside each other."""

HIDDEN = "runs out of sight: scripted, or a function with a backward of its own"
UNKNOWN = "its rates are known, its kernel is not"


def described(call: Call, factor: Fraction, before: Sequence[Call] = ()) -> tuple[Stage | None, str]:
    """Return the layer that a call is, for the factor that was seen; or None and the reason.

    Parameters
    ----------
    call : Call
    factor : Fraction
        Output rate over input rate.
    before : sequence of Call
        What made the samples that it takes, if nothing but moving came between; of several that were put beside each
        other (`JOINS`) that call, and then all that it joins.
    """
    if call.func == UNSEEN:
        return None, HIDDEN
    try:
        layer = _of_module(call) or _of_call(call, factor, before)
    except (NotAnalysable, ValueError, TypeError) as error:
        return None, str(error)
    if layer is None or layer.factor != factor:
        return None, UNKNOWN
    return layer, ""


def _of_module(call: Call) -> Stage | None:
    """Return the outline of a module that does nothing else than this call."""
    if any(True for name, _ in call.module.named_children() if name != "parametrizations"):
        return None
    try:
        stage = describe(call.module)
    except NotAnalysable:
        return None
    if isinstance(stage, Chain):  # an interpolation and its convolution in one module: the first makes the rate
        resampling = [each for each in stage.stages if each.factor != 1]
        if len(resampling) != 1:
            return None
        stage = resampling[0]
    return outlined(stage) or stage


def _of_call(call: Call, factor: Fraction, before: Sequence[Call]) -> Stage | None:
    """Return the layer by the function's own arguments."""
    match call.func:
        case "conv_transpose1d" | "conv_transpose2d" | "conv_transpose3d":
            return _transposed(call, factor)
        case "conv1d" | "conv2d" | "conv3d":
            return _conv(call, factor)
        case "interpolate" | "upsample":
            return _interpolation(call, factor)
        case "repeat_interleave":
            return Nearest(int(factor)) if factor.denominator == 1 else None
        case "istft":
            n_fft, hop = call.given(1, "n_fft"), call.given(2, "hop_length")
            crop = n_fft // 2 if call.given(5, "center", True) else 0
            return Outline("istft", n_fft, stride=hop or n_fft // 4, padding=crop)
        case "fold":  # frames of K samples, added where they overlap: a transposed convolution of unit kernels
            K, s = (max(_sizes(call.given(*each))) for each in ((2, "kernel_size"), (5, "stride", 1)))
            return Outline("convt", K, stride=s)
        case "__getitem__" if factor.numerator == 1:
            return Outline("conv", 1, stride=factor.denominator)
        case "__setitem__" if factor.denominator == 1 and _steps(call.given(1, "indices")) == factor:
            return _stuffing(int(factor))
        case name if name in VIEWS and factor.denominator == 1 and factor > 1:
            return _of_view(call, before, int(factor))
    return None


def _stuffing(L: int) -> Outline:
    """Return what puts samples L apart: a transposed convolution of one tap, whatever filters behind it."""
    return Outline("convt", 1, stride=L)


def _steps(index: Any) -> int:
    """Return the largest step of the slices in an index."""
    parts = index if isinstance(index, tuple) else (index,)
    return max((part.step or 1 for part in parts if isinstance(part, slice)), default=1)


def _of_view(call: Call, before: Sequence[Call], L: int) -> Stage | None:
    """Return what a view makes of an axis behind time: copies of a sample, zeros behind it, or channels in turn."""
    if before and before[0].func in (*REPEATS, "pad"):
        first, last = _sizes(before[0].given(0, "input", ())), _sizes(call.given(0, "input", ()))
        if last != (*first[:-1], L) or first[-1:] != (1,):
            return None
        return _stuffing(L) if before[0].func == "pad" else Nearest(L)
    return _shuffle(before, L)


def _shuffle(before: Sequence[Call], L: int) -> Outline:
    """Return a sub-pixel convolution, if convolutions or linear layers made the channels; else what interleaves them.

    Several that are put beside each other are one, of the longest kernel among theirs.
    """
    made = before[1:] if before and before[0].func in JOINS else before
    kernels = [_kernel(each) for each in made]
    known = [kernel for kernel in kernels if kernel is not None]
    if not known or len(known) < len(kernels):
        return Outline("unsqueeze", L, stride=L)
    conv = max(known, key=lambda kernel: (kernel.length - 1) * kernel.dilation)
    return Outline("shuffle", conv.length, stride=L, padding=conv.padding, dilation=conv.dilation, groups=conv.groups)


def _kernel(call: Call) -> Outline | None:
    """Return the convolution of stride 1 that a call is; a linear layer is one of a single tap."""
    if call.func == "linear":
        return Outline("conv", 1)
    return _conv(call, Fraction(1)) if call.func == "conv1d" and call.given(3, "stride", 1) in (1, (1,), [1]) else None


def _sizes(sizes: Any) -> tuple[int, ...]:
    return tuple(sizes) if isinstance(sizes, (tuple, list)) else (int(sizes),)


def _axis(sizes: Any, at: int) -> int:
    """Return the size along an axis, of those given for all axes, or one for all."""
    sizes = _sizes(sizes)
    return int(sizes[at if len(sizes) > 1 else 0])


def _along(call: Call, place: int, name: str, wanted: int) -> int:
    """Return the axis of a kernel whose stride is the one that was seen; the last if none is."""
    axes = len(call.given(1, "weight")) - 2
    sizes = _sizes(call.given(place, name, 1))
    return next((i for i, size in enumerate(sizes) if size == wanted and len(sizes) == axes), axes - 1)


def _transposed(call: Call, factor: Fraction) -> Outline | None:
    if factor.denominator > 1:
        return None
    at, shape = _along(call, 3, "stride", int(factor)), call.given(1, "weight")
    return Outline(
        "convt",
        shape[2 + at],
        stride=_axis(call.given(3, "stride", 1), at),
        padding=_axis(call.given(4, "padding", 0), at),
        output_padding=_axis(call.given(5, "output_padding", 0), at),
        groups=int(call.given(6, "groups", 1)),
        dilation=_axis(call.given(7, "dilation", 1), at),
    )


def _conv(call: Call, factor: Fraction) -> Outline | None:
    if factor.numerator > 1:
        return None
    at, shape = _along(call, 3, "stride", factor.denominator), call.given(1, "weight")
    padding = call.given(4, "padding", 0)
    return Outline(
        "conv",
        shape[2 + at],
        stride=_axis(call.given(3, "stride", 1), at),
        padding=0 if isinstance(padding, str) else _axis(padding, at),
        dilation=_axis(call.given(5, "dilation", 1), at),
        groups=int(call.given(6, "groups", 1)),
    )


def _interpolation(call: Call, factor: Fraction) -> Stage | None:
    mode, corners = call.given(3, "mode", "nearest"), call.given(4, "align_corners")
    if factor.denominator > 1:
        return None
    if mode in ("nearest", "nearest-exact"):
        return Nearest(int(factor))
    return Linear(int(factor)) if mode in ("linear", "bilinear", "trilinear") and not corners else None
