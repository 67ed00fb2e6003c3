"""Runs before a replacement: in both modes, with types, parameters, buffers and random numbers left as they are."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from torchparity.nn.rehearsal import rehearsed
from torchparity.nn.replace import replace_upsampling
from torchparity.nn.subpixel import SubpixelConv1d


class Between(nn.Module):
    """Does something between an interpolation and a convolution, in the modes that are given."""

    def __init__(self, *modes: bool) -> None:
        super().__init__()
        self.up, self.conv, self.modes = nn.Upsample(scale_factor=2), nn.Conv1d(2, 2, 3, padding=1), modes

    def forward(self, x: Tensor) -> Tensor:
        u = self.up(x)
        y: Tensor = self.conv(torch.relu(u) if self.training in self.modes else u)
        return y


@pytest.mark.parametrize("modes", [(True,), (False,), (True, False)])
def test_what_runs_between_two_layers_in_one_mode_parts_them(modes: tuple[bool, ...]) -> None:
    model = nn.Sequential(Between(*modes), nn.ConvTranspose1d(2, 2, 4, 2, 1))
    report = replace_upsampling(model, "linear")
    assert [row.name for row in report.rows] == ["1"]
    assert [name for name, _ in report.kept] == ["0.up"]
    assert ("in training or evaluation mode" in report.kept[0][1]) == (len(modes) == 1)
    assert (report.checked, report.trained) == (True, True)


def test_in_both_modes_the_model_computes_what_it_did() -> None:
    """Whole numbers: equal in training and evaluation mode, where nothing is between."""
    model, x = Between(), torch.randint(-9, 9, (1, 2, 8)).float()
    for p in model.parameters():
        p.data = torch.randint(-4, 5, p.shape).float()
    before = [model.train(mode)(x) for mode in (True, False)]
    replace_upsampling(model, "transposed")
    assert all(torch.equal(model.train(mode)(x), y) for mode, y in zip((True, False), before, strict=True))


class Stirred(nn.Module):
    """Has all that a run in training mode changes: statistics, random numbers, and a parameter that it writes into."""

    def __init__(self) -> None:
        super().__init__()
        conv = parametrizations.spectral_norm(nn.Conv1d(2, 2, 3, padding=1))
        self.net = nn.Sequential(nn.Upsample(scale_factor=2), conv, nn.BatchNorm1d(2), nn.Dropout())
        self.count = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.count.add_(1)
        y: Tensor = self.net(x) + random.random() + np.random.rand()  # noqa: NPY002
        return y


def dice() -> tuple[Any, ...]:
    return torch.rand(1).item(), random.random(), np.random.rand()  # noqa: NPY002


def test_statistics_parameters_modes_and_random_numbers_are_left() -> None:
    model = Stirred()
    model.net[2].eval()
    state = {name: t.clone() for name, t in model.state_dict().items()}
    modes = [part.training for part in (model, *model.net)]
    torch.manual_seed(0), random.seed(0), np.random.seed(0)  # noqa: NPY002
    due = dice()
    torch.manual_seed(0), random.seed(0), np.random.seed(0)  # noqa: NPY002
    report = replace_upsampling(model, "nearest")
    assert (report.rows[0].note, report.trained) == ("its parameters are the same ones", True)
    assert dice() == due
    assert [part.training for part in (model, *model.net)] == modes
    now = model.state_dict()
    assert [name for name, t in state.items() if not torch.equal(t, now[name])] == []
    assert now.keys() == state.keys()


def test_a_model_that_wants_other_inputs_in_training_says_so() -> None:
    class Wants(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.ConvTranspose1d(2, 2, 4, 2))

        def forward(self, x: Tensor, target: Tensor | None = None) -> Any:
            y = self.net(x)
            return y if not self.training else (y - target).abs().mean()

    report = replace_upsampling(Wants(), "nearest")
    assert (report.checked, report.trained) == (True, False)
    assert "does not run in training mode" in str(report)


class Typed(nn.Module):
    """Does what it does by the type of its layer: fails for others, or does nothing."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self.up, self.fails = nn.ConvTranspose1d(2, 2, 4, 2, 1), fails

    def forward(self, x: Tensor) -> Tensor:
        if type(self.up) is not nn.ConvTranspose1d:
            if self.fails:
                raise RuntimeError("what is this")
            return x
        y: Tensor = self.up(x)
        return y


@pytest.mark.parametrize(
    ("fails", "words"),
    [(True, "what is this; .*relies on the layer that was there, as on its type"), (False, "the lengths it had")],
)
@pytest.mark.parametrize("inputs", [None, torch.zeros(1, 2, 8)])
def test_a_forward_that_looks_at_types_is_run_as_it_is_and_refused_for_what_comes(
    fails: bool, words: str, inputs: Tensor | None
) -> None:
    model = Typed(fails=fails)
    with pytest.raises(ValueError, match=words):
        replace_upsampling(model, "subpixel", inputs=inputs)
    assert type(model.up) is nn.ConvTranspose1d


def test_classes_look_up_attributes_as_before() -> None:
    class Own(SubpixelConv1d):
        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name)

    kinds = (nn.Conv1d, nn.ConvTranspose1d, SubpixelConv1d, Own)
    own = [vars(kind).get("__getattribute__") for kind in kinds]
    model = nn.Sequential(
        nn.Conv1d(2, 2, 1), nn.ConvTranspose1d(2, 2, 4, 2), SubpixelConv1d(2, 2, 3, 2), Own(2, 2, 3, 2)
    )
    seen, _ = rehearsed(model, None)
    assert seen is not None
    assert seen.sizes_read("0123") == set()
    assert [vars(kind).get("__getattribute__") for kind in kinds] == own


SCRIPTED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "scripted": torch.jit.script,
    "traced": lambda m: torch.jit.trace(m, torch.zeros(1, 2, 8)),  # type: ignore[no-untyped-call]
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", SCRIPTED)
def test_scripted_models_are_refused_and_scripted_parts_listed(name: str) -> None:
    part = SCRIPTED[name](nn.Sequential(nn.ConvTranspose1d(2, 2, 4, 2)))
    with pytest.raises(TypeError, match=r"model: got scripted or traced.*Hint: replace its layers, then script"):
        replace_upsampling(part, "subpixel")
    report = replace_upsampling(nn.Sequential(part, nn.ConvTranspose1d(2, 2, 4, 2)), "subpixel")
    assert [row.name for row in report.rows] == ["1"]
    assert report.kept == (("0", "scripted or traced: what is in it is not seen"),)
