"""A step of training of the article's seven Demucs variants side by side, beside the times of its epochs.

Ratios of times taken in turn (A B C … A B C …) in one run, so that whatever else the machine does falls on all. The
networks are narrow: at the article's width they have 700 million parameters, and an epoch took minutes on four V100.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchparity.known import network_named
from torchparity.models import TABLE_1

CHANNELS, BATCH, TIME = 24, 2, 4096 * 4
ROUNDS = 9
REFERENCE = "demucs-like-transposed"
EPOCHS: dict[str, int] = {row.network: row.epoch for row in TABLE_1 if row.epoch is not None}
VARIANTS = (*EPOCHS, "demucs")


def step(net: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    """Return a step of training less the optimiser's: forward, L1 loss, backward."""

    def run() -> None:
        net.zero_grad(set_to_none=True)
        torch.nn.functional.l1_loss(net(x), y).backward()  # type: ignore[no-untyped-call]

    return run


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def test_a_training_step_of_the_seven_variants(benchmark: Any, show: Callable[[str], None]) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(BATCH, 2, TIME), torch.randn(BATCH, 8, TIME)
    steps = {name: step(network_named(name).small_factory(channels=CHANNELS), x, y) for name in VARIANTS}
    times: dict[str, list[float]] = {name: [] for name in steps}

    def one_round() -> None:
        for name, run in steps.items():
            times[name].append(seconds(run))

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)
    found = {name: np.array(t[-ROUNDS:]) / np.array(times[REFERENCE][-ROUNDS:]) for name, t in times.items()}
    for name, ratios in found.items():
        epoch = EPOCHS.get(name)
        article = f"{epoch} s, {epoch / EPOCHS[REFERENCE]:.2f}" if epoch else "none"
        took = 1e3 * float(np.median(times[name][-ROUNDS:]))
        show(
            f"training step / {REFERENCE}, {CHANNELS} channels, {BATCH} × {TIME} samples, {name}: "
            f"{np.median(ratios):.2f} ({took:.0f} ms); the article's epoch: {article}"
        )
    assert len(found) == 7
    ours = {name: float(np.median(ratios)) for name, ratios in found.items()}
    for slow in ("demucs-like-nearest", "demucs-like-linear"):  # their convolutions run at four times the rate
        assert all(ours[slow] > ours[fast] for fast in (REFERENCE, "demucs-like-subpixel", "modified-transposed"))
