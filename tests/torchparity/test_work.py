"""How much work an audit is: counted in forwards and their samples, not in seconds."""

from typing import Any

import pytest
import torch
from torch import nn

from torchparity import grown
from torchparity.bench import Bench, steady
from torchparity.cli import OPTIONAL
from torchparity.spine import spine


class Echo(nn.Module):
    """×4, with an echo so late that the first guard is too short."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 1, 4, 4)
        self.late = nn.Conv1d(1, 1, 2, padding=35, dilation=70, bias=False)

    def forward(self, x: torch.Tensor) -> Any:
        return self.up(x + self.late(x)[..., : x.shape[-1]])


@pytest.fixture
def bench() -> Bench:
    torch.manual_seed(0)
    net = Echo().double().eval()
    return Bench(net, spine(net, 1), 0, (1, 1), None, 32, lambda text: None)


def counted(net: nn.Module) -> list[int]:
    lengths: list[int] = []
    net.register_forward_pre_hook(lambda module, args: lengths.append(args[0].shape[-1]))
    return lengths


def test_the_second_input_is_as_long_as_the_borders_that_the_first_showed(bench: Bench) -> None:
    fed = counted(bench.module)
    found = steady(bench, "constant", least=8 * bench.period)
    first, second = fed
    assert first == 8 + 2 * 32
    assert found.periodic
    assert second * bench.period == 8 * bench.period + (found.start + found.rest) + 2 * bench.period


def test_borders_that_are_known_make_it_one_run(bench: Bench) -> None:
    found = steady(bench, "constant", least=8 * bench.period)
    fed = counted(bench.module)
    again = steady(bench, "constant", least=8 * bench.period, borders=found.start + found.rest)
    assert len(fed) == 1
    assert (again.start, again.rest) == (found.start, found.rest)


def test_lengths_that_did_not_do_are_not_tried_for_another_draw() -> None:
    net = nn.Sequential(nn.Conv1d(1, 1, 64, 64), nn.ConvTranspose1d(1, 1, 128, 128)).eval()
    first = spine(net, 1, length=64)
    assert first.grown > grown.LENGTHS[0]
    fed = counted(net)
    again = spine(net, 1, length=64, first=first.grown)
    assert fed == [64, 64, *(n * first.grown for n in grown.TIMES)]
    assert again == first


def test_doctor_knows_what_pages_need() -> None:
    assert OPTIONAL["jinja2"][1] == "report"
