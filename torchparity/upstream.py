"""What is known to be wrong in Torch itself: a campaign tells it apart from what is new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchparity.arithmetic import ARITHMETICS
from torchparity.positions import float_index, general, placement
from torchparity.tally import Cell


@dataclass(frozen=True)
class Fault:
    """A fault of Torch, and whether a layer and its input meet it.

    Attributes
    ----------
    name : str
        Its id in docs/findings.md.
    words : str
        What is wrong, and where it was seen.
    holds : function (cell, layer, shape, device)
        Of the cell, the layer, the shape (batch, channel, time) of its input, and the device.
    random : bool
        Whether the result differs from time to time: such comparisons are not counted as any verdict.
    """

    name: str
    words: str
    holds: Callable[[Cell, Any, tuple[int, int, int], str], bool]
    random: bool = False


def met(number: int) -> str:
    """Return in words how often a fault was met.

    Examples
    --------
    >>> met(1), met(12)
    ('met once', 'met 12 times')
    """
    return "met once" if number == 1 else f"met {number} times"


def _dilated_stride(cell: Cell, layer: Any, shape: tuple[int, int, int], device: str) -> bool:
    return (
        cell.direction == "weight"
        and cell.arithmetic == "float32"
        and device == "cpu"
        and layer.op in ("conv", "convt")
        and shape[0] > 1
        and min(layer.stride, layer.dilation) > 1
        and max(layer.pads if layer.op == "conv" else (layer.padding,)) >= 15
    )


def _left_unset(cell: Cell, layer: Any, shape: tuple[int, int, int], device: str) -> bool:
    """Return whether Torch may leave gradients unset: of taps that no sample meets, or if there is one position alone.

    A position is a sample of the output of a convolution, of the input of a transposed one.
    """
    if (cell.direction, device) != ("weight", "cpu") or "bfloat16" not in cell.arithmetic:
        return False
    if layer.op not in ("conv", "convt") or layer.groups > 1 or layer.stride < 2 or max(layer.weight.shape[:2]) < 16:
        return False
    time, length = shape[-1], layer(np.zeros((1, shape[1], shape[2]))).shape[-1]
    steps, reached = (length, time + sum(layer.pads)) if layer.op == "conv" else (time, length)
    if steps == 1:
        return True
    first = layer.pads[0] if layer.op == "conv" and layer.padding_mode == "zeros" else 0
    first = layer.padding if layer.op == "convt" else first
    reached = time if first and layer.op == "conv" else reached
    places = np.arange(steps) * layer.stride + layer.dilation * np.arange(layer.length)[:, None] - first
    return bool((~((places >= 0) & (places < reached))).all(axis=1).any())


def _mode(layer: Any) -> str:
    """Return the mode of an interpolation, "" for other layers."""
    return general(layer).mode if layer.op in ("nearest", "linear", "interpolate") else ""


def _misplaced(cell: Cell, layer: Any, shape: tuple[int, int, int], device: str) -> bool:
    """Return whether an index computed in floating point, as Torch does, is another than the exact one."""
    if not _mode(layer).startswith("nearest"):
        return False
    dtype = "float64" if cell.arithmetic == "float64" else "float32"
    return not np.array_equal(float_index(layer, shape[-1], dtype=dtype), general(layer).taps(shape[-1]).index[0])


def _backward_index(cell: Cell, layer: Any, shape: tuple[int, int, int], device: str) -> bool:
    """Return whether the index by which Torch returns gradients is another: it forgets the scale for two lengths."""
    if cell.direction != "input" or not _mode(layer).startswith("nearest"):
        return False
    up, time = general(layer), shape[-1]
    length, index = up.out_length(time), general(layer).taps(time).index[0]
    m = np.arange(length)
    if up.mode == "nearest" and length in (time, 2 * time):
        return not np.array_equal(m * time // length, index)
    return not np.array_equal(float_index(layer, time), index)


def _copied_back(cell: Cell, layer: Any, shape: tuple[int, int, int], device: str) -> bool:
    """Return whether Torch takes the gradient for a copy, since the length is kept, though positions are others."""
    if cell.direction != "input" or _mode(layer) != "cubic":
        return False
    return bool(layer.out_length(shape[-1]) == shape[-1] and layer.ratio not in (None, 1))


def _cut_late(cell: Cell, layer: Any, shape: tuple[int, int, int], device: str) -> bool:
    """Return whether a position just below an integer is that integer in float32, in which Torch cuts doubles."""
    if cell.arithmetic != "float64" or _mode(layer) not in ("linear", "cubic"):
        return False
    at = placement(general(layer), shape[-1], ARITHMETICS["float64"])
    return bool((np.floor((at.i + at.t).astype(np.float32)) > at.i).any())


KNOWN = (
    Fault(
        "conv-weight-gradient",
        "gradient by the weight in float32, batch > 1, padding >= 15, stride and dilation > 1; Torch 2.13.0, AVX-512",
        _dilated_stride,
    ),
    Fault(
        "bfloat16-weight-gradient",
        "gradient of idle taps, or at one position, left unset; Torch 2.13.0, AVX-512",
        _left_unset,
        random=True,
    ),
    Fault("nearest-factors", "samples picked by an index that is rounded; Torch 2.13.0", _misplaced),
    Fault("nearest-gradient", "gradients returned to other samples than forward took; Torch 2.13.0", _backward_index),
    Fault("cubic-gradient", "gradient copied where the length is kept; Torch 2.13.0", _copied_back),
    Fault("linear-corners-float64", "doubles whose position is cut in float32; Torch 2.13.0", _cut_late),
)
"""Faults of Torch that were looked into, and are in docs/findings.md."""


def known(cell: Cell, layer: Any, shape: tuple[int, int, int], device: str, *, random: bool = False) -> str | None:
    """Return the name of the fault of Torch that a case meets, if any: of those that are `random`, or of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from dspref import Conv
    >>> wide = Conv(np.ones((1, 1, 9)), stride=2, padding=15, dilation=2)
    >>> known(Cell("conv", "float32", "weight", 2), wide, (2, 1, 60), "cpu")
    'conv-weight-gradient'
    >>> known(Cell("conv", "float32", "input", 2), wide, (2, 1, 60), "cpu") is None
    True
    """
    return next(
        (fault.name for fault in KNOWN if fault.random == random and fault.holds(cell, layer, shape, device)), None
    )
