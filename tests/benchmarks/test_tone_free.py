"""What keeping MelGAN tone-free costs in a step of training, and what is left of that when it is baked in.

Ratios of processor times taken in turn in one run, so that what else the machine does counts little, and for all alike.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchparity.models import melgan
from torchparity.nn.utils import project_, remove_tone_free, tone_free_

BATCH, FRAMES, ROUNDS = 4, 16, 15
"""Frames of 256 samples; the projection costs the same whatever they are."""


def step(net: nn.Module, x: Tensor, behind: Callable[[nn.Module], Any] = lambda net: None) -> Callable[[], None]:
    """Return a step of training: forward, loss, backward, SGD."""
    optimizer = torch.optim.SGD(net.parameters(), 1e-6)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        net(x).square().mean().backward()
        optimizer.step()
        behind(net)

    return run


def seconds(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def test_a_training_step_of_melgan(benchmark: Any, show: Callable[[str], None]) -> None:
    torch.manual_seed(0)
    plain = melgan()
    nets = {name: copy.deepcopy(plain) for name in ("tone_free_", "tone_free_, order 2", "baked", "project_")}
    tone_free_(nets["tone_free_"])
    tone_free_(nets["tone_free_, order 2"], order=2)
    tone_free_(nets["baked"])
    remove_tone_free(nets["baked"])
    x = torch.randn(BATCH, 80, FRAMES)
    steps = {name: step(net, x, project_ if name == "project_" else lambda net: None) for name, net in nets.items()}
    steps = {"plain": step(plain, x), **steps}
    times: dict[str, list[float]] = {name: [] for name in steps}

    def one_round() -> None:
        for name, run in steps.items():
            times[name].append(seconds(run))

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)
    least = {name: min(t[-ROUNDS:]) for name, t in times.items()}
    for name, best in least.items():
        median = float(np.median(np.array(times[name][-ROUNDS:]) / np.array(times["plain"][-ROUNDS:])))
        show(
            f"training step of MelGAN, {BATCH} × {256 * FRAMES} samples, {name} / plain: "
            f"{best / least['plain']:.3f} of the shortest, {median:.3f} in the median ({1e3 * best:.0f} ms)"
        )
    assert least["tone_free_"] <= 1.05 * least["plain"]
    assert [repr(m) for m in nets["baked"].modules()] == [repr(m) for m in plain.modules()]  # nothing is left to cost
