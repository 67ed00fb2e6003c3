"""Fused layers, their two layers and a transposed convolution, timed in turn: ``python -m tests.benchmarks.layers``.

``python -m tests.benchmarks.layers nearest late forward`` prints medians of rounds in one process: seconds, faults of
pages, and ratios of times of a round. How its heap lies decides for all of them who works in memory that it keeps, and
who has it from the system again in each call: a process is one sample, and rounds are not more. With ``warm`` behind
them the process gives back a block of `BLOCK` bytes first, as larger work does: from then on glibc keeps what is given
back, and nobody waits.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from torchparity.nn import FilterConv1d, LinearConv1d, NearestConv1d

Sizes = tuple[int, int, int, int]

SIZES: dict[str, Sizes] = {  # (B, C_in, C_out, T)
    "late": (1, 64, 32, 8000),
    "batched": (4, 256, 128, 1000),
    "early": (2, 512, 256, 500),
}
RATIOS = (("two", "fused"), ("fused", "transposed"))
L, K = 4, 9
ROUNDS = 15
BLOCK = 31 << 20
"""Bytes: glibc's threshold follows blocks of up to 32 MiB."""

Run = Callable[[nn.Module, Tensor, Tensor], object]


def forward(module: nn.Module, x: Tensor, g: Tensor) -> object:
    with torch.no_grad():
        return module(x)


def both(module: nn.Module, x: Tensor, g: Tensor) -> object:
    x = x.detach().requires_grad_()
    module.zero_grad(set_to_none=True)
    y = module(x)
    y.backward(g)
    return y


WAYS: dict[str, Run] = {"forward": forward, "forward + backward": both}


def seconds(run: Callable[[], object]) -> float:
    """Return the time of a run after one of its own: it works in memory that it has used itself, as from step to step.

    Behind a run of another kind it waits for memory that one has given back to the system, and which of two has to wait
    is a matter of their order: it was as long as the convolution.
    """
    run()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak(run: Callable[[], object], module: nn.Module) -> int:
    """Return the most bytes that Torch's allocator had given out at once, none of them for earlier gradients."""
    module.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        kept = run()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    given = np.cumsum([e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())])
    assert kept is not None
    return int(given.max())


def modules(sizes: Sizes, kind: str = "nearest") -> dict[str, nn.Module]:
    """Return the fused layer, its two layers, and a transposed convolution of K + L − 1 taps."""
    _, into, out, _ = sizes
    if kind == "filter":
        taps = [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25]
        fused: Any = FilterConv1d(into, out, K, L, taps, offset=3, padding=K // 2, form="polyphase")
    else:
        fused = (NearestConv1d if kind == "nearest" else LinearConv1d)(into, out, K, L, padding=K // 2)
    transposed = nn.ConvTranspose1d(into, out, K + L - 1, L, padding=K // 2)
    return {"fused": fused, "two": fused.two_layers(), "transposed": transposed}


def operands(sizes: Sizes) -> tuple[Tensor, Tensor]:
    B, into, out, T = sizes
    torch.manual_seed(0)
    return torch.randn(B, into, T), torch.randn(B, out, L * T)


def medians(taken: dict[str, list[float]]) -> dict[str, float]:
    return {name: float(np.median(values[-ROUNDS:])) for name, values in taken.items()}


def ratio(taken: dict[str, list[float]], a: str, b: str) -> float:
    """Return the median of rounds of one time over another: what slows a machine for a while slows both."""
    return float(np.median(np.divide(taken[a], taken[b])[-ROUNDS:]))


def faults() -> int:
    """Return how many pages this process has had from the system."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def measured(kind: str, name: str, way: str, warm: str = "") -> dict[str, float]:
    """Return medians for each module, in turn: of its time, and of the pages that a run has from the system; ratios."""
    if warm:
        torch.zeros(BLOCK, dtype=torch.uint8)
    x, g = operands(SIZES[name])
    runs = {what: partial(WAYS[way], m, x, g) for what, m in modules(SIZES[name], kind).items()}
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS + 2):
        for what, run in runs.items():
            taken.setdefault(what, []).append(seconds(run))
            before = faults()
            run()
            taken.setdefault(f"{what}, pages", []).append(faults() - before)
    return medians(taken) | {f"{a} / {b}": ratio(taken, a, b) for a, b in RATIOS}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(*sys.argv[1:])))
