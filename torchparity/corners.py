"""In which corners of the parameter space a drawn case lies: those of `dspref.strata`, and wide ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from dspref.resize import MODES
from dspref.strata import STRATA, Holds

_NOT_DRAWN = ("length 0", "batch 0", "unbatched", "two batch axes")
"""Shapes that Torch refuses, or that say nothing about the arithmetic."""

_LONG: dict[str, Holds] = {"1000 samples or more": lambda w, x: x.shape[-1] >= 1000}
_WIDE: dict[str, Holds] = {
    "more than 16 taps": lambda w, x: w.length > 16,
    "more than 64 channels": lambda w, x: max(w.in_channels, w.out_channels) > 64,
}


def _mode(mode: str) -> Holds:
    return lambda w, x: w.mode == mode


CORNERS: dict[str, dict[str, Holds]] = {
    kind: {
        **{name: stratum.holds for name, stratum in strata.items() if name not in _NOT_DRAWN},
        **_LONG,
        **(_WIDE if kind in ("conv", "convt", "shuffle") else {}),
    }
    for kind, strata in STRATA.items()
}
CORNERS["shuffle"]["channels in DCR order"] = lambda w, x: w.order == "dcr" and w.factor > 1 < w.out_channels
CORNERS["interpolate"] = {
    **{mode: _mode(mode) for mode in MODES},
    **_LONG,
    "length 1": lambda w, x: x.shape[-1] == 1,
    "size": lambda w, x: w.size is not None,
    "lower rate": lambda w, x: w.out_length(x.shape[-1]) < x.shape[-1],
    "integer factor": lambda w, x: w.scale is not None and w.scale.denominator == 1,
    "recompute_scale_factor": lambda w, x: w.recompute_scale_factor,
    "align_corners": lambda w, x: w.align_corners,
}
"""Corners by kind of layer; a campaign that never saw one must not speak for it."""


def corners(kind: str, layer: Any, shape: tuple[int, ...]) -> list[str]:
    """Return the names of the corners in which a layer with an input of that shape lies.

    Examples
    --------
    >>> from dspref import Nearest
    >>> corners("nearest", Nearest(6), (1, 2, 1))
    ['length 1', 'factor 6']
    """
    x = np.broadcast_to(0, shape)  # the predicates look at its shape
    return [name for name, holds in CORNERS[kind].items() if holds(layer, x)]
