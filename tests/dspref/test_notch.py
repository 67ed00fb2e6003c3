"""The −3 dB edge of notches: how many frequencies it looks at, and by the closed form of order 1."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from dspref.arrays import Array
from dspref.designs import notch_cost
from dspref.designs.notch import NotchCost


def test_the_edge_of_many_taps_looks_at_few_frequencies(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 per 1/K in front of 1/s, and those of a bisection of doubles; where ``1 − (D_s(ν)/s)²`` has fallen to half."""
    asked, gain = [0], NotchCost.gain

    def counted(cost: NotchCost, freq: ArrayLike) -> Array:
        asked[0] += np.size(freq)
        return gain(cost, freq)

    cost, s = notch_cost(256, 256), 256
    monkeypatch.setattr(NotchCost, "gain", counted)
    edge = cost.edge
    assert asked[0] <= 64 * 2 + 2 + 64
    below, above = (
        float((np.sin(np.pi * nu * s) / np.sin(np.pi * nu) / s) ** 2) for nu in edge * np.array([1 - 1e-9, 1 + 1e-9])
    )
    assert above < 0.5 < below
