"""Failures are made small and placed: the first wrong sample, its phase, tap, channels and group."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref import Conv, Nearest, SubpixelConv, TransposedConv
from torchparity import check
from torchparity.cases import Case
from torchparity.compare import bounded
from torchparity.job import Job
from torchparity.shrink import place, smallest, tap_between

RNG = np.random.default_rng(2)


def f32(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype("float32")


CONVT = TransposedConv(f32(4, 3, 8), stride=4, padding=2, groups=2)


def one_tap_off(x: Tensor) -> Tensor:
    """Change tap 5 of the second group, from input channel 3 to output channel 4."""
    w = torch.tensor(CONVT.weight)
    w[3, 1, 5] += 0.25
    return F.conv_transpose1d(x, w, stride=4, padding=2, groups=2)


def test_one_wrong_tap_is_found_by_name() -> None:
    verdict = check(one_tap_off, like=CONVT, gradients=False)
    assert verdict.status == "wrong"
    assert "output channel 4 (group 1 of 2)" in verdict.where
    assert "input channel 3, tap 5" in verdict.where
    found = re.search(r"first wrong sample (\d+) \(phase (\d) of 4\)", verdict.where)
    assert found is not None
    assert int(found[1]) % 4 == int(found[2]) == (5 - 2) % 4
    assert verdict.worst_index is not None
    assert verdict.worst_index[2] == int(found[1])
    assert "'impulse'" in verdict.repro


def test_a_failure_that_needs_length_keeps_as_little_of_it_as_it_needs() -> None:
    def f(x: Tensor) -> Tensor:
        y = x.repeat_interleave(4, -1)
        return y if x.shape[-1] <= 16 else torch.cat([y[..., :-1], y[..., -1:] + 1], -1)

    verdict = check(f, like="nearest x4")
    assert "(1, 2, 24)" in verdict.repro  # the next that is tried after 16
    assert "first wrong sample 95 (phase 3 of 4)" in verdict.where


def test_a_law_that_is_broken_is_shown_on_the_shortest_input() -> None:
    verdict = check(lambda x: x.repeat_interleave(4, -1)[..., : 4 * x.shape[-1] - (x.shape[-1] > 4)], like="nearest x4")
    assert "input of shape (1, 2, 5): output of shape (1, 2, 19), which should be (1, 2, 20)" in verdict.reason


def test_the_smallest_failure_of_a_right_layer_is_the_one_that_was_given() -> None:
    job = Job((), lambda x: x.repeat_interleave(4, -1), Nearest(4), 2)
    outcome = bounded(job, Case("normal", (2, 2, 40), "float32", 0))
    assert smallest(outcome) is outcome
    assert place(outcome) == ""


@pytest.mark.parametrize(
    "layer",
    [
        CONVT,
        TransposedConv(f32(1, 1, 4), stride=2, dilation=3, padding=1),
        Conv(f32(1, 1, 5), stride=2, dilation=2, padding=3),
        SubpixelConv(f32(3, 1, 4), 3, padding=1),
    ],
)
def test_taps_are_those_through_which_one_sample_reaches_another(layer: Any) -> None:
    """By brute force: the tap is the one whose weight the output copies."""
    time = 9
    marked = np.arange(1.0, layer.length + 1) * np.ones_like(layer.weight)
    counting = type(layer)(marked, **{name: getattr(layer, name) for name in fields_of(layer)})
    for n in range(time):
        x = np.zeros((layer.in_channels, time))
        x[0, n] = 1
        y = counting(x)[0]
        for m, value in enumerate(y):
            tap = tap_between(layer, n, m)
            assert (0 if tap is None else tap + 1) == value


def fields_of(layer: Any) -> list[str]:
    names = ["stride", "padding", "output_padding", "dilation", "groups", "factor"]
    return [name for name in names if name in layer.__dataclass_fields__]


class Flipped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(CONVT.weight))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.weight.flip(-1), stride=4, padding=2, groups=2)


def test_the_mistake_is_named_for_a_module_that_holds_its_weights() -> None:
    verdict = check(Flipped(), like="convt k8 s4 p2 g2")
    assert (verdict.status, verdict.looks_like) == ("wrong", "kernel flipped")
    assert "with the module's own weights" in verdict.description
