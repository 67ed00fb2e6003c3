"""The corners of a campaign are those of the reference's own tests, and a few that need room."""

from __future__ import annotations

import numpy as np
import pytest

from dspref import Conv, Linear, SubpixelConv
from dspref.interpolate import Interpolate
from dspref.strata import STRATA
from torchparity.corners import CORNERS, corners
from torchparity.draws import KINDS


def test_every_kind_has_corners_and_all_strata_that_torch_takes_are_among_them() -> None:
    assert set(CORNERS) == set(KINDS)
    left_out = {name for kind, strata in STRATA.items() for name in strata if name not in CORNERS[kind]}
    assert left_out == {"length 0", "batch 0", "unbatched", "two batch axes"}


@pytest.mark.parametrize(
    ("layer", "time", "name"),
    [
        (Conv(np.ones((1, 1, 17))), 1000, "1000 samples or more"),
        (Conv(np.ones((1, 1, 17))), 17, "more than 16 taps"),
        (Conv(np.ones((65, 1, 1))), 1, "more than 64 channels"),
        (SubpixelConv(np.ones((4, 1, 1)), 2, order="dcr"), 1, "channels in DCR order"),
        (Interpolate("cubic", size=3), 4, "lower rate"),
        (Interpolate("cubic", size=3), 4, "cubic"),
        (Interpolate("linear", scale_factor=2), 4, "integer factor"),
        (Linear(3, align_corners=True), 4, "align_corners (native only)"),
    ],
)
def test_a_layer_lies_in_its_corner_and_its_neighbour_does_not(layer: object, time: int, name: str) -> None:
    kind = str(layer.op)  # type: ignore[attr-defined]
    assert name in corners(kind, layer, (1, 1, time))
    others = {
        "1000 samples or more": (layer, 999),
        "more than 16 taps": (Conv(np.ones((1, 1, 16))), 17),
        "more than 64 channels": (Conv(np.ones((64, 1, 1))), 1),
        "channels in DCR order": (SubpixelConv(np.ones((4, 1, 1)), 2), 1),
        "lower rate": (layer, 3),
        "cubic": (Interpolate("linear", size=3), 4),
        "integer factor": (Interpolate("linear", scale_factor="3/2"), 4),
        "align_corners (native only)": (Linear(3), 4),
    }
    neighbour, length = others[name]
    assert name not in corners(kind, neighbour, (1, 1, length))
