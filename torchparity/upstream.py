"""What is known to be wrong in Torch itself: a campaign tells it apart from what is new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
    """

    name: str
    words: str
    holds: Callable[[Cell, Any, tuple[int, int, int], str], bool]


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


KNOWN = (
    Fault(
        "conv-weight-gradient",
        "the gradient by the weight in float32, batch > 1, padding >= 15, stride and dilation > 1; Torch 2.13.0, AVX-512",
        _dilated_stride,
    ),
)
"""Faults of Torch that were looked into, and are in docs/findings.md."""


def known(cell: Cell, layer: Any, shape: tuple[int, int, int], device: str) -> str | None:
    """Return the name of the fault of Torch that a case meets, if any.

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
    return next((fault.name for fault in KNOWN if fault.holds(cell, layer, shape, device)), None)
