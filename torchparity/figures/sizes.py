"""Table 1 as a figure: sizes and costs of the article's networks, and of ours."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from dspref.claims.curves import Curve, Drawing
from dspref.figures.panels import Plot
from dspref.figures.picture import Picture, Wanted
from torchparity.known import network_named
from torchparity.models.table1 import MILLION, TABLE_1, Row

REFERENCE = "demucs-like-transposed"
"""What costs are relative to."""

TIME = 11 * 4096
"""Samples that work is counted for: a second, and a whole number of periods."""

SHORT = {
    "demucs-like-transposed": "transposed",
    "demucs-like-nearest": "nearest",
    "demucs-like-linear": "linear",
    "demucs-like-subpixel": "sub-pixel",
    "modified-transposed": "modified, transposed",
    "modified-subpixel": "modified, sub-pixel",
    "wave-u-net": "WaveUnet",
    "demucs": "Demucs",
}


def operations(name: str) -> int:
    """Return the floating-point operations of a network's forward pass over `TIME` samples of two channels.

    Counted on Torch's meta device at the article's size: convolutions and matrix products, not interpolation, maps and
    sums.

    Examples
    --------
    >>> operations("modified-transposed") < operations("modified-subpixel")
    True
    """
    with torch.device("meta"):
        net = network_named(name).factory(fitted=True)
        x = torch.empty(1, 2, TIME)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x)
    return int(counter.get_total_flops())


def table_1(wanted: Wanted) -> Picture:
    """Return the sizes that the article prints beside ours, and its epochs beside operations counted."""
    rows = [row for row in TABLE_1 if row.ours is not None]
    return Picture(
        "table1",
        "Table 1: sizes and costs.",
        "Left: parameters as the article prints them, and of the networks built here at its size (docs/table1.md). "
        "Right: the article's seconds of an epoch, and operations of a forward pass, each over those of the transposed "
        "network. Operations are convolutions and matrix products; interpolation costs memory traffic besides.",
        (),
        (sizes(rows), costs([row for row in rows if row.epoch is not None])),
        columns=2,
        size=(6.4, 4.2),
    )


def _short(row: Row) -> str:
    return SHORT.get(row.network, row.name.partition(":")[0])


def sizes(rows: list[Row]) -> Plot:
    """Return parameters in millions."""
    places = np.arange(len(rows))
    printed = np.array([float(row.printed) for row in rows])
    ours = np.array([(row.ours or 0) / MILLION for row in rows])
    curves = Curve("the article's", places, printed), Curve("ours", places, ours)
    drawing = Drawing("", "millions of parameters", curves)
    return Plot("parameters", drawing, names=tuple(_short(row) for row in rows), scale="log")


def costs(rows: list[Row]) -> Plot:
    """Return epochs and operations over those of the transposed network."""
    places = np.arange(len(rows))
    first = next(row for row in rows if row.network == REFERENCE)
    epochs = np.array([(row.epoch or 0) / (first.epoch or 1) for row in rows])
    counts = np.array([operations(row.network) / operations(REFERENCE) for row in rows])
    curves = Curve("seconds of an epoch, the article's", places, epochs), Curve("operations of ours", places, counts)
    return Plot("costs", Drawing("", "over the transposed network", curves), names=tuple(_short(row) for row in rows))
