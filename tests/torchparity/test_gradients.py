"""Gradients: Torch's are the adjoints, within bounds that hold, and wrong ones are found and placed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import Conv, FilterInterp, Linear, Nearest, SubpixelConv, TransposedConv, adjoint
from torchparity import build, check
from torchparity.arithmetic import DTYPES
from torchparity.autograd import cotangent
from torchparity.cases import Case
from torchparity.examine import whole
from torchparity.gradients import differentiated, gradient_bounds
from torchparity.job import Job
from torchparity.plan import plan
from torchparity.roundoff import doubled

RNG = np.random.default_rng(1)


def f32(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype("float32")


LAYERS: dict[str, Any] = {
    "convt": TransposedConv(f32(4, 2, 7), stride=3, padding=1, output_padding=2, groups=2, bias=f32(4)),
    "convt, dilated": TransposedConv(f32(2, 3, 4), stride=2, dilation=3),
    "conv, reflect": Conv(f32(4, 3, 5), padding=2, padding_mode="reflect", bias=f32(4)),
    "conv, replicate": Conv(f32(2, 3, 5), padding=4, padding_mode="replicate"),
    "conv, strided": Conv(f32(4, 2, 4), stride=2, padding=1, groups=2),
    "shuffle": SubpixelConv(f32(8, 3, 3), 4, padding=1, bias=f32(8)),
    "filter": FilterInterp(3, f32(2, 2, 5), offset=2, excess=-1),
    "filter, alike": FilterInterp(2, f32(4), offset=-1, excess=2),
    "nearest": Nearest(4),
    "linear": Linear(3),
}


def job_of(layer: Any, dtype: str) -> Job:
    (job,) = plan(
        build(layer, dtype="float32").to(getattr(torch, dtype)), None, dtype=dtype, channels=None, seed=0
    ).jobs
    return job


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_torch_lie_within_their_bounds(name: str, dtype: str) -> None:
    job = job_of(LAYERS[name], dtype)
    seen: dict[str, float] = {}
    for time in (6, 9, 31):
        for kind in ("normal", "spread", "constant"):
            for outcome in differentiated(job, Case(kind, (3, job.channels, time), dtype, time)):
                assert outcome.status in ("exact", "within bound"), outcome.reason
                seen[outcome.part] = max(outcome.ratio, seen.get(outcome.part, 0))
    due = {"gradient by input"}
    due |= {
        f"gradient by {name}" for name in ("weight", "bias") if getattr(LAYERS[name_of(job)], name, None) is not None
    }
    assert set(seen) == due if "filter" not in name else set(seen) == {"gradient by input"}
    assert (max(seen.values()) > 1e-3) == ((name, dtype) != ("nearest", "float64"))


def name_of(job: Job) -> str:
    return next(name for name, layer in LAYERS.items() if job.layer.op == layer.op and same_shape(job.layer, layer))


def same_shape(a: Any, b: Any) -> bool:
    shapes = [getattr(getattr(layer, "weight", getattr(layer, "taps", None)), "shape", None) for layer in (a, b)]
    return shapes[0] == shapes[1] and getattr(a, "padding_mode", None) == getattr(b, "padding_mode", None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n in LAYERS if n not in ("linear", "filter", "filter, alike")])
def test_gradients_are_exact_on_whole_numbers(name: str, dtype: str) -> None:
    job = job_of(LAYERS[name], dtype)
    twin = whole(job, Case("integer", (1, 1, 1), dtype, 0).model, 0)
    case = twin.whole(Case("integer", (2, job.channels, 9), dtype, 0))
    assert case is not None
    found = list(differentiated(twin, case))
    assert found
    for outcome in found:
        assert outcome.status == "exact", outcome.reason


@pytest.mark.parametrize("name", LAYERS)
def test_the_bound_is_the_sum_of_absolute_values_times_its_terms(name: str) -> None:
    """S is the adjoint of absolute values; E/S grows with n, counted by brute force from ones."""
    layer = LAYERS[name]
    x = RNG.standard_normal((2, layer.in_channels or 2, 9))
    g = RNG.standard_normal(layer(x).shape)
    limits = gradient_bounds(layer, x, g, "float32")
    due = adjoint(doubled(layer), x, g)
    sizes = adjoint(doubled(layer, np.abs), np.abs(x), np.abs(g))
    ones = adjoint(doubled(layer, np.ones_like), np.ones_like(x), np.ones_like(g))
    for part, limit in limits.items():
        S, n = np.asarray(getattr(sizes, part)), np.asarray(getattr(ones, part))
        np.testing.assert_allclose(limit.S, S, rtol=1e-12)
        assert np.shape(getattr(due, part)) == limit.E.shape
        if name != "linear":
            assert (n * 2.0**-24 * S <= limit.E * (1 + 1e-9)).all()


class Backwards(torch.autograd.Function):
    """The right output with a gradient that is changed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.change = change
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return ctx.change(g), None


class Wrong(nn.Module):
    def __init__(self, layer: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.change = layer, change

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(Backwards.apply(x, self.change))  # type: ignore[no-untyped-call]
        return y


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: 2 * g, "doubled"),
        (lambda g: g.roll(1, -1), ""),
        (lambda g: g * (1 + 3e-6), ""),
        (torch.zeros_like, "zero"),
    ],
)
def test_wrong_gradients_are_found_and_placed(change: Callable[[Tensor], Tensor], words: str) -> None:
    layer = LAYERS["convt"]
    verdict = check(Wrong(build(layer), change), like=layer)
    assert verdict.status == "wrong"
    assert "gradient by input" in verdict.reason
    assert verdict.where.startswith("input sample")
    assert words in verdict.looks_like
    assert check(Wrong(build(layer), change), like=layer, gradients=False).ok


def test_the_repro_line_shows_the_wrong_gradient() -> None:
    layer = LAYERS["convt"]
    f = Wrong(build(layer), lambda g: 2 * g)
    verdict = check(f, like=layer)
    printed: list[Any] = []
    exec(verdict.repro, {"f": f, "print": lambda *values: printed.append(values)})
    case = verdict.reason.partition(": ")[2].split()[0]
    assert f"{printed[0][0]:.9g}" == case


class Cut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(1, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x.detach())
        return y


def test_a_gradient_that_is_cut_is_found_and_functions_without_one_are_not() -> None:
    verdict = check(Cut(), like="conv k3")
    assert verdict.status == "wrong"
    assert "no gradient by input" in verdict.reason

    @torch.no_grad()
    def up(x: Tensor) -> Tensor:
        return x.repeat_interleave(4, -1)

    free = check(up, like="nearest x4")
    assert free.status == "exact"
    assert dict(free.coverage.strata)["gradient"] == 0
    assert any("no gradient" in remark for remark in free.remarks)


def test_cotangents_of_whole_numbers_are_whole() -> None:
    g = cotangent(Case("integer", (2, 1, 5), "float32", 0), (2, 3, 7))
    assert g.shape == (2, 3, 7)
    assert np.array_equal(g, np.round(g))
    assert not np.array_equal(cotangent(Case("normal", (2, 1, 5), "float32", 0), (2, 3, 7)), np.round(g))


def test_a_gradient_that_changes_from_call_to_call_is_found() -> None:
    def noisy(g: Tensor) -> Tensor:
        return g * (1 + 1e-7 * torch.rand_like(g))

    verdict = check(Wrong(build(LAYERS["filter"]), noisy), like=LAYERS["filter"])
    assert verdict.status == "wrong"
    assert "not deterministic" in verdict.reason
