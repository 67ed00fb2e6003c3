"""Fused layers beside their two layers, and beside a transposed convolution of the same kernel: time and memory.

Ratios of times taken in turn (A B A B …) in one run, each of them behind a run of its own. Memory is the peak of what
Torch's allocator has given out during a call, its input and weights not counted: outputs, gradients, what is kept for
the backward pass, and oneDNN's copies in layouts of its own, which it asks of the same allocator. What oneDNN takes
from the system itself is not in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from torchparity.known import network_named
from torchparity.nn import FilterConv1d, LinearConv1d, NearestConv1d
from torchparity.nn.choice import faster
from torchparity.nn.geometry import Geometry

Sizes = tuple[int, int, int, int]

SIZES: dict[str, Sizes] = {  # (B, C_in, C_out, T)
    "late": (1, 64, 32, 8000),
    "batched": (4, 256, 128, 1000),
    "early": (2, 512, 256, 500),
}
L, K = 4, 9
ROUNDS = 15
FASTER = {"forward": 2.5, "forward + backward": 2.0}
TRANSPOSED = 1.15
MEMORY = 0.5
"""Limits for nearest neighbours: times faster, time over that of the transposed convolution, share of memory."""

CHANNELS, BATCH, STEPS = 24, 2, 21
LENGTHS, STEP = (4096 * 4, 4096 * 16), 1.1
"""Samples of the excerpts, and the limit of a step of training over that with transposed convolutions."""

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


def medians(times: dict[str, list[float]]) -> dict[str, float]:
    return {name: float(np.median(taken[-ROUNDS:])) for name, taken in times.items()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("kind", ["nearest", "linear", "filter"])
def test_fused_beside_two_layers(kind: str, name: str, way: str, benchmark: Any, show: Callable[[str], None]) -> None:
    x, g = operands(SIZES[name])
    taken: dict[str, list[float]] = {}
    layers = modules(SIZES[name], kind)
    runs = {what: partial(WAYS[way], m, x, g) for what, m in layers.items()}

    def one_round() -> None:
        for what, run in runs.items():
            taken.setdefault(what, []).append(seconds(run))

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=2)
    t, bytes_ = medians(taken), {what: peak(run, layers[what]) for what, run in runs.items()}
    faster, over, share = t["two"] / t["fused"], t["fused"] / t["transposed"], bytes_["fused"] / bytes_["two"]
    show(
        f"{kind} ×{L}, conv {K}, {SIZES[name]}, {way}: {faster:.2f} times faster than two layers "
        f"({1e3 * t['fused']:.1f} ms), {over:.2f} of the transposed convolution's time; "
        f"memory {share:.2f} of two layers' {bytes_['two'] / 2**20:.1f} MiB"
    )
    if kind != "nearest":
        assert faster > 1
        assert share < 1
        return
    assert faster >= FASTER[way]
    assert share <= MEMORY
    assert over <= TRANSPOSED


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
    layers = {case: NearestConv1d(into, out, case[1], case[0], padding=case[1] // 2) for case in CHOICES}
    g = {case: torch.randn_like(layer(x)) for case, layer in layers.items()}
    taken: dict[str, list[float]] = {}

    def one_round() -> None:
        for case, layer in layers.items():
            for form in FORMS:
                layer.form = form
                taken.setdefault(f"{case} {form}", []).append(seconds(partial(both, layer, x, g[case])))

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)
    t = medians(taken)
    for (factor, taps), layer in layers.items():
        chosen = faster(shape_of(layer), into, out, 1, B * T, running=True)
        took = {form: t[f"{factor, taps} {form}"] for form in FORMS}
        times = ", ".join(f"{form} {took['two layers'] / took[form]:.2f}" for form in FORMS[:2])
        show(f"nearest ×{factor}, conv {taps}, {sizes}: times as fast as two layers: {times}; chosen: {chosen}")
        assert took[chosen] < 1.5 * min(took.values())


def fused(module: nn.Module) -> nn.Module:
    """Put a fused layer in the place of every interpolation with zeros and a convolution behind it."""
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and isinstance(child[0], nn.Upsample):
            _, zeros, conv = child
            assert isinstance(conv, nn.Conv1d)
            assert isinstance(zeros, nn.ConstantPad1d)
            kind = NearestConv1d if child[0].mode == "nearest" else LinearConv1d
            pads = (int(conv.padding[0]) + zeros.padding[0], int(conv.padding[0]) + zeros.padding[1])
            layer = kind(conv.in_channels, conv.out_channels, conv.kernel_size[0], 4, padding=pads)
            layer.load_state_dict(conv.state_dict())
            setattr(module, name, layer)
        else:
            fused(child)
    return module


@pytest.mark.parametrize("time_", LENGTHS)
def test_a_training_step_of_the_article(time_: int, benchmark: Any, show: Callable[[str], None]) -> None:
    """Interpolation was the slow upsampler of the article: an epoch took 1.33 of that with transposed convolutions."""
    torch.manual_seed(0)
    x, y = torch.randn(BATCH, 2, time_), torch.randn(BATCH, 8, time_)
    nets = {
        name: network_named(f"demucs-like-{name}").small_factory(channels=CHANNELS)
        for name in ("transposed", "nearest", "linear")
    }
    for name in ("nearest", "linear"):
        nets[f"{name}, fused"] = fused(network_named(f"demucs-like-{name}").small_factory(channels=CHANNELS))
    assert sum(isinstance(m, NearestConv1d) for m in nets["nearest, fused"].modules()) == 6
    taken: dict[str, list[float]] = {}

    def step(net: nn.Module) -> None:
        net.zero_grad(set_to_none=True)
        torch.nn.functional.l1_loss(net(x), y).backward()  # type: ignore[no-untyped-call]

    def one_round() -> None:
        for name, net in nets.items():
            taken.setdefault(name, []).append(seconds(partial(step, net)))

    benchmark.pedantic(one_round, rounds=STEPS, warmup_rounds=1)
    ratios = {
        name: float(np.median(np.array(t[-STEPS:]) / np.array(taken["transposed"][-STEPS:])))
        for name, t in taken.items()
    }
    for name, ratio in ratios.items():
        show(f"training step / transposed, {CHANNELS} channels, {BATCH} × {time_} samples, {name}: {ratio:.2f}")
    assert ratios["nearest, fused"] <= STEP
    assert ratios["nearest, fused"] < ratios["nearest"]
