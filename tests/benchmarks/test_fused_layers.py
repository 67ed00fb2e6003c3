"""Fused layers beside their two layers, and beside a transposed convolution of the same kernel: time and memory.

Ratios of times taken in turn (A B A B …), each of them behind a run of its own: the median of rounds in a process, and
of processes (`tests.benchmarks.layers`). Memory is the peak of what Torch's allocator has given out during a call, its
input and weights not counted: outputs, gradients, what is kept for the backward pass, and oneDNN's copies in layouts of
its own, which it asks of the same allocator. What oneDNN takes from the system itself is not in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.benchmarks import article, layers
from tests.benchmarks.layers import ROUNDS, SIZES, WAYS, K, L, Sizes, both, medians, modules, operands, peak, seconds
from torchparity.nn import NearestConv1d
from torchparity.nn.choice import faster
from torchparity.nn.geometry import Geometry

ROOT = Path(__file__).resolve().parents[2]

PROCESSES = {"nearest": 7, "linear": 1, "filter": 1, "step": 5}
"""What is to be so many times as fast is measured in some."""

FASTER = {"forward": 2.5, "forward + backward": 2.0}
TRANSPOSED = 1.15
MEMORY = 0.5
"""Limits for nearest neighbours: times faster, time over that of the transposed convolution, share of memory."""

LENGTHS, STEP = (4096 * 4, 4096 * 16), 1.1
"""Samples of the excerpts, and the limit of a step of training over that with transposed convolutions."""


def spread(values: list[float]) -> str:
    """Return the median of processes in words, and what they range over."""
    range_ = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
    return f"{np.median(values):.2f}{range_}"


def apart(module: ModuleType, *words: object) -> dict[str, float]:
    """Return the numbers that a module prints in a process of its own."""
    command = [sys.executable, "-m", module.__name__, *map(str, words)]
    printed = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(printed)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("kind", ["nearest", "linear", "filter"])
def test_fused_beside_two_layers(kind: str, name: str, way: str, benchmark: Any, show: Callable[[str], None]) -> None:
    found: list[dict[str, float]] = []
    benchmark.pedantic(lambda: found.append(apart(layers, kind, name, way)), rounds=PROCESSES[kind])
    x, g = operands(SIZES[name])
    bytes_ = {what: peak(partial(WAYS[way], m, x, g), m) for what, m in modules(SIZES[name], kind).items()}
    times_faster, over = ([took[f"{a} / {b}"] for took in found] for a, b in layers.RATIOS)
    share = bytes_["fused"] / bytes_["two"]
    show(
        f"{kind} ×{L}, conv {K}, {SIZES[name]}, {way}: {spread(times_faster)} times faster than two layers "
        f"({1e3 * float(np.median([took['fused'] for took in found])):.1f} ms), {spread(over)} of the transposed "
        f"convolution's time; memory {share:.2f} of two layers' {bytes_['two'] / 2**20:.1f} MiB"
    )
    assert min(times_faster) > 1
    assert share < 1
    if kind != "nearest":
        return
    pages = {what: sorted(int(took[f"{what}, pages"]) for took in found) for what in ("fused", "two", "transposed")}
    show(f"pages from the system in a run, by process: {pages}")
    assert np.median(times_faster) >= FASTER[way]
    assert share <= MEMORY
    assert np.median(over) <= TRANSPOSED


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SIZES)
def test_fused_beside_two_layers_in_warm_memory(
    name: str, way: str, benchmark: Any, show: Callable[[str], None]
) -> None:
    """Where nobody waits for memory one layer is faster all the same: products are a third; other work is not."""
    found: list[dict[str, float]] = []
    benchmark.pedantic(lambda: found.append(apart(layers, "nearest", name, way, "warm")), rounds=1)
    (took,) = found
    faster, over = (took[f"{a} / {b}"] for a, b in layers.RATIOS)
    show(
        f"in warm memory: nearest ×{L}, conv {K}, {SIZES[name]}, {way}: {faster:.2f} times faster than two layers "
        f"({1e3 * took['fused']:.1f} ms), {over:.2f} of the transposed convolution's time"
    )
    assert faster > 2


def shape_of(layer: Any) -> Geometry:
    found: Geometry = layer.geometry
    return found


FORMS = ("polyphase", "running sum", "two layers")
CHOICES = [(2, 2), (2, 3), (2, 5), (2, 9), (4, 3), (4, 9), (8, 9)]
"""Factors and lengths for which the form is chosen."""


@pytest.mark.parametrize("sizes", [(1, 64, 32, 2000), (2, 256, 128, 500), (1, 64, 64, 2000)], ids=str)
def test_the_form_that_is_chosen(sizes: Sizes, benchmark: Any, show: Callable[[str], None]) -> None:
    """No choice takes half as long again as the fastest form, forward and backward, by x too, as within a network."""
    B, into, out, T = sizes
    x = torch.randn(B, into, T)
    tried = {case: NearestConv1d(into, out, case[1], case[0], padding=case[1] // 2) for case in CHOICES}
    g = {case: torch.randn_like(layer(x)) for case, layer in tried.items()}
    taken: dict[str, list[float]] = {}

    def one_round() -> None:
        for case, layer in tried.items():
            for form in FORMS:
                layer.form = form
                taken.setdefault(f"{case} {form}", []).append(seconds(partial(both, layer, x, g[case])))

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)
    t = medians(taken)
    for (factor, taps), layer in tried.items():
        chosen = faster(shape_of(layer), into, out, 1, B * T, running=True)
        took = {form: t[f"{factor, taps} {form}"] for form in FORMS}
        times = ", ".join(f"{form} {took['two layers'] / took[form]:.2f}" for form in FORMS[:2])
        show(f"nearest ×{factor}, conv {taps}, {sizes}: times as fast as two layers: {times}; chosen: {chosen}")
        assert took[chosen] < 1.5 * min(took.values())


@pytest.mark.parametrize("time_", LENGTHS)
def test_a_training_step_of_the_article(time_: int, benchmark: Any, show: Callable[[str], None]) -> None:
    """Interpolation was the slow upsampler of the article: an epoch took 1.33 of that with transposed convolutions."""
    found: list[dict[str, float]] = []
    benchmark.pedantic(lambda: found.append(apart(article, time_)), rounds=PROCESSES["step"])
    ratios = {name: [each[name] for each in found] for name in found[0]}
    for name, over in ratios.items():
        sizes = f"{article.CHANNELS} channels, {article.BATCH} × {time_} samples"
        show(f"training step / transposed, {sizes}, {name}: {spread(over)}")
    assert np.median(ratios["nearest, fused"]) <= STEP
    assert np.median(ratios["nearest, fused"]) < np.median(ratios["nearest"])
