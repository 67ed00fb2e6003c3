"""Torch's own backward passes against the adjoints of the reference: equal on integers.

Same functions and strata as of `tests.torchparity.test_torch_parity`, whose forward passes are equal.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dspref import Linear, Pointwise, adjoint
from dspref.adjoints import WRT
from dspref.arrays import Array
from tests.strata import STRATA
from tests.strategies import KINDS, Case, integers, survey, tabled
from tests.torchparity.test_torch_parity import EXACT_LINEAR, FUNCTIONS, device

__all__ = ["device"]  # the fixture

Show = Callable[[str], None]

EXAMPLES = 1500  # some have length 0, which Torch refuses: at least COMPARED are compared
COMPARED = 1000

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


def by_autograd(layer: Any, x: Array, g: Array, on: torch.device) -> dict[str, Array]:
    """Return the gradients of Σ g·layer(x) that Torch finds, in double precision, by their names in `WRT`."""

    def leaf(a: Array) -> Tensor:
        return torch.tensor(a, dtype=torch.float64, device=on, requires_grad=True)

    fields = {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)}
    tensors = {name: leaf(a) for name, a in fields.items() if isinstance(a, np.ndarray)}
    signals = leaf(x.reshape(int(np.prod(x.shape[:-2])), *x.shape[-2:]))
    twin = SimpleNamespace(**{**fields, **tensors, "op": layer.op, "factor": layer.factor})
    y = FUNCTIONS[layer.op](twin, signals)
    weights = torch.from_numpy(g.reshape(y.shape)).to(signals)
    leaves = {"input": signals, **{"weight" if name == "taps" else name: t for name, t in tensors.items()}}
    found = torch.autograd.grad(y, list(leaves.values()), weights)
    arrays = {name: gradient.cpu().numpy() for name, gradient in zip(leaves, found, strict=True)}
    return {**arrays, "input": arrays["input"].reshape(x.shape)}


@pytest.mark.parametrize("kind", KINDS)
def test_backward_passes_of_torch_are_the_adjoints(kind: str, device: torch.device, show: Show) -> None:
    """Sums stay below 2^53, so every order of summation is exact: there is nothing to forgive."""
    compared = 0

    def check(case: Case) -> None:
        nonlocal compared
        if case.time == 0:
            return
        compared += 1
        g = integers(zlib.crc32(case.x.tobytes()))(case.layer(case.x).shape)
        due, found = adjoint(case.layer, case.x, g), by_autograd(case.layer, case.x, g, device)
        for name in WRT:
            expected = getattr(due, name)
            if expected is None:
                assert name not in found
                continue
            assert found[name].shape == expected.shape
            assert (found[name] == expected).all(), name

    counts = survey(kind, EXAMPLES, check, table={**STRATA, "linear": EXACT_LINEAR})
    show(tabled(f"{kind}: backward of torch on {device} == adjoint on integers {compared} times, in", counts))
    assert compared >= COMPARED


@pytest.mark.parametrize("L", [3, 7, 15])
def test_lines_with_corners_aligned(L: int, device: torch.device) -> None:
    """L samples made L² lie 1/(L + 1) apart: with L = 2^j − 1 Torch holds every position exactly."""
    layer = Linear(L, align_corners=True)
    x, g = integers(L)((2, 3, L)), integers(L + 1)((2, 3, L * L))
    due = adjoint(layer, x, g).input
    assert due is not None
    assert (by_autograd(layer, x, g, device)["input"] == due).all()


MAPS: dict[str, tuple[Pointwise, Callable[[Tensor], Tensor]]] = {
    "relu": (Pointwise("relu"), F.relu),
    "leaky": (Pointwise("leaky", (0.25,)), lambda x: F.leaky_relu(x, 0.25)),
}


@pytest.mark.parametrize("name", MAPS)
def test_pointwise_maps_at_zero_and_beside_it(name: str) -> None:
    layer, f = MAPS[name]
    x, g = np.arange(-4.0, 5.0)[None], integers(1)((1, 9))
    signal = torch.tensor(x, requires_grad=True)
    (expected,) = torch.autograd.grad(f(signal), signal, torch.from_numpy(g.astype(float)))
    found = adjoint(layer, x, g).input
    assert found is not None
    assert (found == expected.numpy()).all()
