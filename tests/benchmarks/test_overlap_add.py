"""The reference against Torch: overlap_add must keep up, and must not need much memory.

Ratios of times taken in turn (A B A B …) in one run, so that whatever else the machine does falls on both.
One thread each (OMP_NUM_THREADS=1, see tests/conftest.py): two pools of threads that spin while they wait for
work would time each other.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dspref.arrays import Array
from dspref.operators import overlap_add

Sizes = tuple[int, int, int, int, int, int]

CASES: dict[str, Sizes] = {  # (B, C_in, C_out, T, K, s)
    "one channel, long": (1, 1, 1, 200_000, 8, 4),
    "decoder, early": (1, 64, 32, 4000, 16, 8),
    "decoder, wide, batched": (4, 256, 128, 500, 16, 8),
    "decoder, late": (1, 32, 16, 20_000, 4, 2),
}
ROUNDS = 15
EACH, MOST = 1.5, 1.0  # median ratio of every case, and of three of the four


def operands(sizes: Sizes) -> tuple[Array, Array, int]:
    B, C_in, C_out, T, K, s = sizes
    rng = np.random.default_rng(0)
    return rng.normal(size=(B, C_in, T)), rng.normal(size=(C_in, C_out, K)), s


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def pair(sizes: Sizes) -> tuple[Callable[[], Array], Callable[[], Array]]:
    """Return the two computations, the reference first."""
    x, w, s = operands(sizes)
    a, b = torch.from_numpy(x), torch.from_numpy(w)
    return lambda: overlap_add(x, w, stride=s), lambda: np.asarray(F.conv_transpose1d(a, b, stride=s))


def test_overlap_add_keeps_up_with_torch(benchmark: Any, show: Callable[[str], None]) -> None:
    pairs = {name: pair(sizes) for name, sizes in CASES.items()}
    for ours, theirs in pairs.values():
        assert np.allclose(ours(), theirs())
    ratios: dict[str, list[float]] = {name: [] for name in CASES}
    times: dict[str, list[float]] = {name: [] for name in CASES}

    def one_round() -> None:
        for name, (ours, theirs) in pairs.items():
            times[name].append(seconds(ours))
            ratios[name].append(times[name][-1] / seconds(theirs))

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=3)
    medians = {name: float(np.median(found[-ROUNDS:])) for name, found in ratios.items()}
    for name, median in medians.items():
        spread = np.percentile(ratios[name][-ROUNDS:], [10, 90])
        show(
            f"overlap_add / torch, {name} {CASES[name]}: {median:.2f} "
            f"(10–90 %: {spread[0]:.2f}–{spread[1]:.2f}), {1e3 * np.median(times[name][-ROUNDS:]):.1f} ms"
        )
    assert max(medians.values()) <= EACH
    assert sorted(medians.values())[2] <= MOST


@pytest.mark.parametrize("name", CASES)
def test_overlap_add_needs_its_output_and_one_working_copy(name: str, show: Callable[[str], None]) -> None:
    x, w, s = operands(CASES[name])
    overlap_add(x, w, stride=s)
    tracemalloc.start()
    y = overlap_add(x, w, stride=s)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    show(f"overlap_add, {name}: peak memory {peak / y.nbytes:.2f} of the output's {y.nbytes / 2**20:.1f} MiB")
    assert peak <= 2 * y.nbytes + w.nbytes + 2**16
