"""Border regions of Torch's layers, equal to the closed forms, integer by integer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dspref import Chain, Pointwise
from dspref.arrays import Array
from dspref.boundary import border_values, boundary, overlap_counts
from dspref.layers import Layer
from dspref.settling import measured_range, steady_range
from dspref.strategies import chains, layers, shortest
from tests.dspref.test_settling import generic
from tests.strategies import QUIET
from torchparity.build import build

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

KERNELS = ("conv", "convt", "shuffle")


def run(layer: Layer | Chain, x: Array) -> Array:
    """Return what Torch makes of a signal (in, time), in doubles."""
    with torch.no_grad():
        return np.asarray(build(layer, dtype="float64")(torch.tensor(x, dtype=torch.float64)[None])[0])


def test_torch_stamps_as_the_closed_forms_say() -> None:
    """Values at both ends and between, for every input channel on its own; ones count the stamps."""
    seen: Counter[str] = Counter()

    @QUIET(max_examples=80)
    @given(layers(KERNELS, native_only=True), st.integers(1, 12))
    def check(layer: Any, more: int) -> None:
        time = shortest(layer) + more
        bare = replace(layer, bias=None)
        values, C = border_values(bare, time), layer.in_channels
        y = run(bare, np.ones((C, time)))
        assert np.array_equal(y, values.sum(axis=1))
        counted = replace(bare, weight=np.ones_like(layer.weight))
        per_group = C // layer.groups
        assert np.array_equal(run(counted, np.ones((C, time)))[0], per_group * overlap_counts(layer, time))
        part = steady_range(layer, time)
        seen[layer.op] += part.start > 0
        seen["end"] += part.stop < y.shape[-1]

    check()
    assert all(seen[name] >= 5 for name in (*KERNELS, "end")), seen


def test_torch_settles_where_predicted() -> None:
    """Chains with maps: the steady state begins and ends in Torch where the closed form puts it."""
    seen: Counter[str] = Counter()

    @QUIET(max_examples=50)
    @given(chains(KERNELS, max_layers=3, max_factor=8, pointwise=("relu",)), st.integers(0, 2**32 - 1))
    def check(drawn: Chain, seed: int) -> None:
        rng = np.random.default_rng(seed)
        chain = Chain(s if isinstance(s, Pointwise) else generic(s, rng) for s in drawn.stages)
        time = shortest(chain) + 30
        found = boundary(chain, time)
        y = run(chain, np.ones((chain.in_channels or 1, time)))
        if np.abs(y).max() > 2**53:
            seen["beyond doubles"] += 1
            return
        assert np.array_equal(y[:, : found.start], found.head)
        assert np.array_equal(y[:, found.length - found.end :], found.tail)
        part = steady_range(chain, time)
        if part.start == part.stop:
            return
        inside = measured_range(chain, time, run=lambda x: run(chain, x))
        assert inside.start <= part.start <= part.stop <= inside.stop
        seen["same"] += inside == part
        seen["borders"] += found.start > 0

    check()
    assert seen["same"] >= 25, seen
    assert seen["borders"] >= 15, seen
