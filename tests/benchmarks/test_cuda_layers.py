"""The forms of fused layers on a CUDA device, beside two layers and a transposed convolution of the same kernel.

Times are of the device, by events, in turn (A B A B …) in one run; memory is the most that Torch's allocator gave out
during a call, its input and weights not counted. In single precision without TF32 and with it, and in half.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.benchmarks.adversary import BATCH, SAMPLES, Alone, Judged
from tests.benchmarks.layers import SIZES, WAYS, K, L
from torchparity.devices import device_name, settings
from torchparity.models import melgan
from torchparity.nn import LinearConv1d, NearestConv1d
from torchparity.nn.choice import chosen
from torchparity.nn.utils import project_, remove_tone_free, tone_free_

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS:UserWarning"),  # Torch's own, in a thread's first call
]

ROUNDS, BATCHES = 20, {"as on a CPU": 1, "× 8": 8}
KINDS: dict[str, Any] = {"nearest": NearestConv1d, "linear": LinearConv1d}


def milliseconds(run: Callable[[], object]) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    begin.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return float(begin.elapsed_time(end))


def peak(run: Callable[[], object]) -> int:
    """Return the most bytes given out at once during a call; gradients of an earlier one are gone before."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = run()
    torch.cuda.synchronize()
    assert kept is not None
    return int(torch.cuda.max_memory_allocated() - before)


def medians(runs: Mapping[str, Callable[[], object]], benchmark: Any) -> dict[str, float]:
    """Return the median time of each, of rounds in random order: what ran before counts too."""
    taken: dict[str, list[float]] = {what: [] for what in runs}
    order, shuffle = list(runs), random.Random(0).shuffle

    def one_round() -> None:
        shuffle(order)
        for what in order:
            taken[what].append(milliseconds(runs[what]))

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=5)
    return {what: float(np.median(t[-ROUNDS:])) for what, t in taken.items()}


@pytest.mark.parametrize("arithmetic", ["float32", "tf32", "float16"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("many", BATCHES)
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_forms(
    kind: str, name: str, many: str, way: str, arithmetic: str, benchmark: Any, show: Callable[[str], None]
) -> None:
    """No choice costs more than half of the time of another form."""
    B, into, out, T = SIZES[name]
    B = B * BATCHES[many]
    where: Any = {"device": "cuda", "dtype": torch.float16 if arithmetic == "float16" else torch.float32}
    forms = ("polyphase", "transposed", "two layers", *(["running sum"] if kind == "nearest" else []))
    layers = {form: KINDS[kind](into, out, K, L, padding=K // 2, form=form, **where) for form in forms}
    every = {**layers, "of Torch": nn.ConvTranspose1d(into, out, K + L - 1, L, padding=K // 2, **where)}
    x, g = torch.randn(B, into, T, **where), torch.randn(B, out, L * T, **where)
    runs: dict[str, Callable[[], object]] = {what: partial(WAYS[way], module, x, g) for what, module in every.items()}
    with settings(tf32=arithmetic == "tf32", deterministic=False, benchmark=True):
        form = chosen(KINDS[kind](into, out, K, L, padding=K // 2, **where), x)
        t = medians(runs, benchmark)
        for module in every.values():
            module.zero_grad(set_to_none=True)
        bytes_ = {}
        for what, run in runs.items():
            bytes_[what] = peak(run)
            every[what].zero_grad(set_to_none=True)
    table = ", ".join(f"{what} {t[what]:.3f} ms {bytes_[what] / 2**20:.1f} MiB" for what in every)
    case = f"{kind} ×{L}, conv {K}, {(B, into, out, T)}, {way}, {arithmetic}"
    show(f"{device_name('cuda')}, {case}: {table}; chosen: {form}")
    assert t[form] <= 1.5 * min(t[f] for f in forms)


@pytest.mark.parametrize("tf32", [False, True], ids=["float32", "tf32"])
@pytest.mark.parametrize(("steps", "batch"), [(Judged, BATCH), (Alone, BATCH), (Alone, BATCH // 2)])
def test_what_keeping_melgan_tone_free_costs(
    steps: type[Alone], batch: int, tf32: bool, benchmark: Any, show: Callable[[str], None]
) -> None:
    """A step of the training; a generator's alone is so short that starting some kernels counts: it is printed."""
    torch.manual_seed(0)
    nets = {name: melgan() for name in ("plain", "tone_free_", "baked", "project_")}
    tone_free_(nets["tone_free_"])
    tone_free_(nets["baked"])
    remove_tone_free(nets["baked"])
    runs = {name: steps(net, batch, "cuda", project_ if name == "project_" else None) for name, net in nets.items()}
    with settings(tf32=tf32, deterministic=False, benchmark=True):
        t = medians(runs, benchmark)
    for name, took in t.items():
        case = f"{steps.__name__.lower()}, {batch} × {SAMPLES}, {'tf32' if tf32 else 'float32'}, {name}"
        show(f"{device_name('cuda')}, step of MelGAN, {case}: {took:.2f} ms, {took / t['plain']:.3f}")
    assert steps is Alone or t["tone_free_"] <= 1.05 * t["plain"]
