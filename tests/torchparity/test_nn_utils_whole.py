"""Whole models: what is reached, what is not and why, what is refused before anything changes; and training."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations as norms
from torch.nn.utils import weight_norm
from torch.nn.utils.parametrize import is_parametrized, register_parametrization

from dspref.advice.plans import linear_taps, nearest_taps
from dspref.arrays import NotAnalysable
from dspref.designs import tone_free as nearest_tone_free
from tests.torchparity.test_nn_utils_parametrize import UNIT, due, kernel, learned_sums, off, sums, weight
from torchparity.describe import describe
from torchparity.nn import (
    FilterConv1d,
    FilterInterp1d,
    Interpolate1d,
    LinearConv1d,
    NearestConv1d,
    PixelShuffle1d,
    SubpixelConv1d,
)
from torchparity.nn.utils import ToneFreeReport, project_, remove_tone_free, tone_free, tone_free_
from torchparity.nn.utils.functional import uses
from torchparity.nn.utils.kernels import tensors
from torchparity.roundoff import bound


def decoder(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    first, last = nn.Conv1d(2, 4, 3), nn.Conv1d(4, 1, 3)
    up, shuffle = nn.ConvTranspose1d(4, 4, 8, 4, 2), SubpixelConv1d.from_two_layers(nn.Conv1d(4, 8, 3, padding=1), 2)
    return nn.Sequential(first, up, nn.LeakyReLU(0.2), shuffle, nn.LeakyReLU(0.2), last)


def names(report: ToneFreeReport) -> list[tuple[str, int]]:
    return [(each.name, each.factor) for each in report.done]


def test_layers_are_found_by_their_types() -> None:
    net = decoder()
    report = tone_free_(net)
    assert names(report) == [("1", 4), ("3", 2)]
    assert report.not_reached == ()
    assert str(report) == "tone-free: 1 ×4, order 1\ntone-free: 3 ×2, order 1"
    for layer in (net[1], net[3]):
        assert off(layer) <= due(layer, UNIT[torch.float32]) * learned_sums(layer)
    remove_tone_free(net)
    assert not any(map(is_parametrized, net.modules()))


class Functional(nn.Module):
    """Weights of its own, and convolutions whose channels are interleaved in several ways."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(4, 4, 8)), nn.Parameter(torch.randn(4))
        self.crd, self.dcr = nn.Conv1d(4, 16, 3, padding=1), nn.Conv1d(4, 8, 3, padding=1)
        self.v = nn.Parameter(torch.randn(6, 4, 3))
        self.last = nn.Conv1d(2, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv_transpose1d(x, self.w, self.b, stride=4, padding=2)
        x = self.crd(x)
        x = F.relu(x).view(x.shape[0], 4, 4, -1).permute(0, 1, 3, 2).reshape(x.shape[0], 4, -1)
        x = self.dcr(x)
        x = x.reshape(x.shape[0], 2, 4, -1).movedim(1, -1).flatten(-2)
        x = F.conv1d(x, self.v, padding=1).reshape(x.shape[0], 2, 3, -1).transpose(2, 3).flatten(-2)
        return torch.as_tensor(self.last(x))


@pytest.mark.parametrize(
    "inputs", [None, torch.ones(1, 4, 9), lambda n: torch.ones(1, 4, n)], ids=["none", "one", "any"]
)
def test_functional_calls_and_shuffles_are_reached(inputs: Any) -> None:
    """Of all four a constant makes a constant then, to rounding: they multiply sums below A, of some 100 terms."""
    torch.manual_seed(0)
    net = Functional().double()
    x = torch.ones(1, 4, 9, dtype=torch.float64)
    double = inputs.double() if isinstance(inputs, Tensor) else inputs and (lambda n: inputs(n).double())
    before = net(x)[0, 0, 384:-384].detach()
    report = tone_free_(net, inputs=double)
    assert names(report) == [("w", 4), ("crd.weight", 4), ("dcr.weight", 2), ("v", 3)]
    assert report.not_reached == ()
    y = net(x)[0, 0, 384:-384].detach()
    A = float(y.abs().max()) + sum(float(p.detach().abs().sum()) for p in net.parameters())
    assert float(before.max() - before.min()) > 0.1
    assert float(y.max() - y.min()) <= A**4 * 100 * UNIT[torch.float64] < 0.1


class Moved(nn.Module):
    """Interleaves channels of a convolution by a property, or those of another map."""

    def __init__(self, mapped: nn.Module) -> None:
        super().__init__()
        self.up, self.mapped = nn.ConvTranspose1d(2, 2, 4, 2), mapped

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.mapped(self.up(x)).unflatten(1, (2, 4)).mT.flatten(2))


EXAMPLES = {"none": None, "one": torch.ones(1, 2, 16), "any": lambda n: torch.ones(1, 2, n)}


@pytest.mark.parametrize("inputs", EXAMPLES.values(), ids=EXAMPLES)
def test_one_example_tells_as_much_as_any(inputs: Any) -> None:
    assert names(tone_free_(Moved(nn.Conv1d(2, 8, 3)), inputs=inputs)) == [("up", 2), ("mapped.weight", 4)]
    strided = nn.Sequential(nn.Conv1d(2, 8, 3), nn.Conv1d(8, 8, 1, groups=8), nn.BatchNorm1d(8))
    report = tone_free_(Moved(strided), inputs=inputs)
    assert names(report) == [("up", 2)]
    assert [name for name, _ in report.not_reached] == ["flatten"]


class Written(nn.Module):
    """Writes channels of a convolution between each other, into a tensor that is there, or into views of it."""

    def __init__(self, write: Callable[[Tensor, list[Tensor]], Any], first: nn.Module) -> None:
        super().__init__()
        self.first, self.conv, self.write = first, nn.Conv1d(2, 8, 3), write

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(self.first(x))
        out = y.new_zeros(y.shape[0], 2, 4 * y.shape[-1])
        self.write(out, [y[:, r::4] for r in range(4)])
        return torch.as_tensor(out)


def each_view(name: str) -> Callable[[Tensor, list[Tensor]], Any]:
    return lambda out, parts: [getattr(out[..., r::4], name)(part) for r, part in enumerate(parts)]


WAYS_TO_WRITE: dict[str, Callable[[Tensor, list[Tensor]], Any]] = {
    "copy_": each_view("copy_"),
    "add_": each_view("add_"),
    "views at once": lambda out, parts: list(map(Tensor.copy_, out.view(1, 2, -1, 4).unbind(-1), parts)),
    "_foreach_copy_": lambda out, parts: torch._foreach_copy_([out[..., r::4] for r in range(4)], parts),
    "mul": lambda out, parts: [torch.mul(z, 2, out=out[..., r::4]) for r, z in enumerate(parts)],
}


@pytest.mark.parametrize("inputs", EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.parametrize("way", WAYS_TO_WRITE)
def test_what_is_written_into_views_is_told(way: str, inputs: Any) -> None:
    """Beside a layer that is reached, and alone."""
    func = "copy_" if way == "views at once" else way
    report = tone_free_(Written(WAYS_TO_WRITE[way], nn.ConvTranspose1d(2, 2, 4, 2)), inputs=inputs)
    assert names(report) == [("first", 2)]
    assert report.not_reached == ((func, f"{func} ×4: its rates are known, its kernel is not"),)
    with pytest.raises(ValueError, match=f"not reached: {func}: {func} ×4") as error:
        tone_free_(Written(WAYS_TO_WRITE[way], nn.Identity()), inputs=inputs)
    assert "interpolation makes no tone" not in str(error.value)


class Mixed(nn.Module):
    """Puts channels of a convolution between each other, by a function of the whole tensor."""

    def __init__(self, way: Callable[[Tensor], Tensor], first: nn.Module | None = None) -> None:
        super().__init__()
        self.up, self.conv, self.way = nn.ConvTranspose1d(2, 2, 4, 2), nn.Conv1d(2, 8, 3), way
        self.first = first or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.way(self.conv(self.up(self.first(x))))


BEFORE_TIME: dict[str, Callable[[Tensor], Tensor]] = {
    "reshape": lambda y: y.mT.reshape(y.shape[0], -1, 2).mT,
    "view": lambda y: y.mT.contiguous().view(y.shape[0], -1, 2).transpose(1, 2).relu().contiguous(),
    "flatten": lambda y: y.mT.reshape(1, -1, 4, 2).flatten(1, 2).permute(0, 2, 1),
}


@pytest.mark.parametrize("inputs", EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.parametrize("way", BEFORE_TIME)
def test_channels_that_are_interleaved_before_they_change_places_with_time(way: str, inputs: Any) -> None:
    """The rate rises at one call, and all is where a shuffle puts it at a later one: it is told once."""
    net = Mixed(BEFORE_TIME[way]).double()
    given = inputs.double() if isinstance(inputs, Tensor) else inputs and (lambda n: inputs(n).double())
    report = tone_free_(net, inputs=given)
    assert names(report) == [("up", 2), ("conv.weight", 4)]
    assert report.not_reached == ()
    y = net(torch.ones(1, 2, 16).double()).detach()[..., 32:-32]
    A = float(sum(p.detach().abs().sum() for p in net.parameters()))
    assert float((y - y[..., :1]).abs().max()) <= A**2 * 100 * UNIT[torch.float64]


def then_another(y: Tensor) -> Tensor:
    """Interleave channels, and, of what is no convolution's output, once more by a call of the same name."""
    y = y.reshape(1, 2, 4, -1).mT.reshape(1, 2, -1).reshape(1, 2, -1)
    return y.softmax(1).reshape(1, 1, 2, -1).mT.reshape(1, 1, -1)


def test_one_shuffle_does_not_hide_another() -> None:
    report = tone_free_(Mixed(then_another))
    assert names(report) == [("up", 2), ("conv.weight", 4)]
    assert [name for name, _ in report.not_reached] == ["reshape"]


APART: dict[str, Callable[[Tensor], Tensor]] = {
    "chunks": lambda y: torch.stack(y.chunk(4, 1), -1).flatten(2),
    "slices": lambda y: torch.stack([y[:, r::4] for r in range(4)], -1).flatten(2),
    "cat": lambda y: torch.cat([z.unsqueeze(-1) for z in y.chunk(4, 1)], -1).flatten(2),
    "einsum": lambda y: torch.einsum("bcrt,rs->bcts", y.view(1, 2, 4, -1), torch.eye(4).to(y)).flatten(2),
}


@pytest.mark.parametrize("way", APART)
def test_channels_that_are_taken_apart_are_told_for_what_they_are(way: str) -> None:
    report = tone_free_(Mixed(APART[way]))
    assert names(report) == [("up", 2)]
    words = "flatten ×4: interleaves what is not seen to be the channels of one convolution"
    assert report.not_reached == (("flatten", words),)


class Frames(nn.Module):
    """Takes frames before channels, and a code of its own size; or frames of one number alone."""

    def __init__(self, only: int = 0) -> None:
        super().__init__()
        self.up, self.code, self.only = nn.ConvTranspose1d(2, 8, 4, 2), nn.Linear(5, 8), only

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        if self.only and x.shape[1] != self.only:
            raise ValueError("other frames")
        y = self.up(x.mT) * self.code(code)[..., None]
        return torch.as_tensor(y.softmax(1).unflatten(1, (2, 4)).mT.flatten(2))


def test_one_example_is_made_longer_along_the_axis_that_the_model_takes() -> None:
    example = torch.ones(1, 9, 2), torch.ones(1, 5)
    assert [name for name, _ in tone_free_(Frames(), inputs=example).not_reached] == ["flatten"]
    ((name, why),) = tone_free_(Frames(9), inputs=example).not_reached
    assert (name, why.startswith("not looked for: ")) == ("other ways to upsample", True)
    assert why.endswith("One example has one length: hand over a function of it.")


class Dilated(nn.Module):
    """Uses one weight by several dilations, in turn."""

    def __init__(self, *dilations: int, layer: int = 0) -> None:
        super().__init__()
        self.dilations = dilations
        if layer:
            self.up = nn.ConvTranspose1d(2, 2, 6, 2, dilation=layer)
        else:
            self.w = nn.Parameter(torch.randn(2, 2, 6))

    def forward(self, x: Tensor) -> Tensor:
        x, w = (self.up(x), self.up.weight) if hasattr(self, "up") else (x, self.w)
        for d in self.dilations:
            x = F.conv_transpose1d(x, w, stride=2, dilation=d)
        return x


@pytest.mark.parametrize("change", [tone_free_, project_])
def test_each_use_of_a_weight_is_checked(change: Any) -> None:
    x = torch.ones(1, 2, 9)
    for net in (Dilated(1, 2), Dilated(2, 1), Dilated(3, 2, 1)):
        report = change(net, inputs=x)
        assert names(report) == [("w", 2)]
        ((name, why),) = report.not_reached
        assert name == "conv_transpose1d"
        assert why.startswith("dilation: got 2 for stride 2; allowed: one prime to 2.")
    assert change(Dilated(1, 3), inputs=x).not_reached == ()
    with pytest.raises(ValueError, match="dilation: got 2 for stride 2"):
        change(Dilated(2), inputs=x)


def test_a_layer_whose_dilation_suits_none_and_a_call_that_takes_its_weight() -> None:
    net = nn.Sequential(nn.ConvTranspose1d(2, 2, 4, 2), Dilated(1, layer=2))
    report = tone_free_(net)
    assert names(report) == [("0", 2)]
    assert [name for name, _ in report.not_reached] == ["1.up", "1.conv_transpose1d"]
    ((name, why),) = tone_free_(Dilated(2, layer=1)).not_reached
    assert (name, why.startswith("dilation: got 2 for stride 2")) == ("conv_transpose1d", True)


def test_uses_tell_the_order_of_channels_by_what_moves_where() -> None:
    torch.manual_seed(0)
    found = uses(Functional(), (torch.ones(1, 4, 9),))
    assert [(u.weight, u.factor, u.channels) for u in found] == [
        ("w", 4, ""),
        ("crd.weight", 4, "crd"),
        ("dcr.weight", 2, "dcr"),
        ("v", 3, "crd"),
    ]
    assert [u.bias for u in found] == ["b", "crd.bias", "dcr.bias", ""]


def test_uses_know_dilation_and_groups_and_leave_strided_convolutions() -> None:
    net = nn.Sequential(
        nn.ConvTranspose1d(2, 2, 4, 3, dilation=5, groups=2),
        nn.Conv1d(2, 4, 3, dilation=2, groups=2),
        PixelShuffle1d(2),
        nn.Conv1d(2, 4, 3, stride=2),
        PixelShuffle1d(2),
    )
    found = uses(net, (torch.ones(1, 2, 20),))
    assert [(u.factor, u.dilation, u.groups) for u in found] == [(3, 5, 2), (2, 2, 2)]


def test_a_convolution_before_a_shuffle_becomes_what_the_layer_of_both_does() -> None:
    conv = nn.Conv1d(2, 6, 3, dilation=2)
    both = SubpixelConv1d.from_two_layers(copy.deepcopy(conv), 3)
    tone_free_(nn.Sequential(conv, PixelShuffle1d(3)), order=2)
    assert torch.equal(conv.weight, weight(tone_free(both, order=2)))
    with pytest.raises(ValueError, match=r"0\.weight: groups: got 2 for 3 channels"):
        tone_free_(nn.Sequential(nn.Conv1d(2, 6, 3, groups=2), PixelShuffle1d(2)))


class Odd(nn.Module):
    """What cannot be reached, beside one layer that can."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.short = nn.ConvTranspose1d(2, 2, 4, 2, 1), nn.ConvTranspose1d(2, 2, 2, 3)
        self.flat, self.listed = nn.ConvTranspose2d(2, 2, (1, 4), (1, 2)), nn.ParameterList([torch.randn(2, 2, 4)])
        self.w, self.linear = nn.Parameter(torch.randn(2, 2, 4)), nn.Linear(2, 4)
        self.window = nn.Buffer(torch.hann_window(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.short(self.up(x))
        x = self.flat(x[:, :, None])[:, :, 0]
        x = F.conv_transpose1d(x, self.listed[0], stride=2)
        x = F.conv_transpose1d(x, 2 * self.w, stride=2)
        x = self.linear(x.transpose(1, 2)).unflatten(-1, (2, 2)).flatten(1, 2).transpose(1, 2)
        return F.interpolate(x, scale_factor=2)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # Torch's own
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_scripted_part_is_told_once() -> None:
    hidden = torch.jit.script(nn.Sequential(nn.Conv1d(4, 4, 3), nn.ConvTranspose1d(4, 4, 4, 2)))
    model = nn.Sequential(nn.ConvTranspose1d(4, 4, 8, 4), hidden)
    found = tone_free_(model, inputs=torch.ones(1, 4, 40))
    assert [each.name for each in found.done] == ["0"]
    assert found.not_reached == (("1", "runs out of sight: scripted"),)


def test_what_is_not_reached_is_told_with_the_reason() -> None:
    report = tone_free_(Odd())
    assert names(report) == [("interpolate", 2), ("up", 2)]
    told = [f"{name}: {why}" for name, why in report.not_reached]
    for words in (
        "short: tone-free taps: got 2 taps for factor 3",
        "flat: moves along several axes",
        "its weight listed.0 is in a ParameterList",
        "its weight is no parameter: it is computed",
        "no parameter of a convolution is seen to be its kernel",
    ):
        assert sum(words in each for each in told) == 1, (words, told)
    assert not any("interpolate" in each for each in told)


class Windowed(nn.ConvTranspose1d):
    """Uses its weight times a window, which its type does not say."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return F.conv_transpose1d(x, self.weight * torch.hann_window(8).to(x), self.bias, self.stride)


class TwiceBiased(nn.Module):
    """Uses twice its biases, each of another phase."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(2, 2, 4, 2, 1)
        self.v, self.c = nn.Parameter(torch.randn(4, 2, 3)), nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv1d(self.up(x), self.v, 2 * self.c, padding=1)
        return y.reshape(y.shape[0], 2, 2, -1).transpose(2, 3).flatten(2)


class Lent(nn.Module):
    """Uses the biases of a layer with a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.mix = nn.ConvTranspose1d(2, 2, 4, 2, 1), nn.Conv1d(2, 4, 1)
        self.v = nn.Parameter(torch.randn(4, 2, 3))

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv1d(self.up(x), self.v, self.mix.bias, padding=1)
        return y.reshape(y.shape[0], 2, 2, -1).transpose(2, 3).flatten(2)


@pytest.mark.parametrize("change", [tone_free_, project_])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Sequential(nn.ConvTranspose1d(2, 2, 4, 2, 1), Windowed(2, 2, 8, 4)), "1: its weight is no"),
        (TwiceBiased, "flatten: its bias is no"),
        (Lent, "flatten: its bias mix.bias is another module's"),
    ],
)
def test_what_a_forward_computes_is_not_taken_for_done(change: Any, make: Callable[[], nn.Module], words: str) -> None:
    net = make()
    kept = {key: p.detach().clone() for key, p in net.named_parameters() if not key.startswith(("0", "up"))}
    report = change(net, inputs=torch.ones(1, 2, 9))
    assert len(report.done) == 1
    ((name, why),) = report.not_reached
    assert f"{name}: {why}".startswith(words)
    assert all(torch.equal(net.get_parameter(key), p) for key, p in kept.items())


class Wants(nn.Module):
    """Wants two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 1, 4, 2)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.up(x + y)  # type: ignore[no-any-return]


def test_a_forward_that_does_not_run_leaves_the_types() -> None:
    ((name, why),) = tone_free_(Wants()).not_reached
    assert name == "functional calls"
    assert "missing 1 required positional argument" in why
    assert "Hand over inputs=" in why
    x = torch.ones(1, 1, 8)
    assert tone_free_(Wants(), inputs=(x, x)).not_reached == ()
    net = Wants()
    with pytest.raises(NotAnalysable, match="forward: got TypeError"):
        tone_free_(net, inputs=x)
    assert not is_parametrized(net.up)


class InPlace(nn.Module):
    """Writes into what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x.add_(torch.rand(1))


REFUSED_INPUTS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "channels": (lambda: nn.Sequential(nn.ConvTranspose1d(8, 8, 8, 4)), torch.zeros(1, 7, 20)),
    "channels, any length": (lambda: nn.Sequential(nn.ConvTranspose1d(8, 8, 8, 4)), lambda n: torch.zeros(1, 7, n)),
    "channels of a model": (lambda: Mixed(torch.tanh), torch.zeros(1, 3, 20)),
    "dtype": (lambda: nn.Sequential(nn.ConvTranspose1d(8, 8, 8, 4)), torch.zeros(1, 8, 20, dtype=torch.float64)),
}


@pytest.mark.parametrize("change", [tone_free_, project_])
@pytest.mark.parametrize(("make", "inputs"), REFUSED_INPUTS.values(), ids=REFUSED_INPUTS)
def test_inputs_that_the_model_does_not_take_are_refused(change: Any, make: Callable[[], Any], inputs: Any) -> None:
    """Those too that shapes alone do not refuse; and nothing is changed."""
    net = make()
    before, text = copy.deepcopy(net.state_dict()), repr(net)
    with pytest.raises(NotAnalysable, match=r"^forward: got RuntimeError: .*; allowed: inputs that the model takes"):
        change(net, inputs=inputs)
    assert repr(net) == text
    assert list(net.state_dict()) == list(before)
    assert all(torch.equal(v, before[key]) for key, v in net.state_dict().items())


def test_inputs_are_left_as_they_are_and_weights_need_not_be_there() -> None:
    x, net = torch.ones(1, 2, 16), Mixed(torch.tanh, InPlace())
    dice = torch.get_rng_state()
    assert names(tone_free_(net, inputs=x)) == [("up", 2)]
    assert torch.equal(x, torch.ones(1, 2, 16))
    assert torch.equal(torch.get_rng_state(), dice)
    with torch.device("meta"):
        ghost = nn.Sequential(nn.ConvTranspose1d(2, 2, 4, 2))
    assert names(tone_free_(ghost, inputs=x)) == [("0", 2)]


def test_the_model_is_only_watched_on_copies() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.norm = nn.ConvTranspose1d(1, 1, 4, 2), nn.BatchNorm1d(1)
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.norm(self.up(x)) * torch.rand(1)  # type: ignore[no-any-return]

    net = Counts()
    state, dice = copy.deepcopy(net.norm.state_dict()), torch.get_rng_state()
    tone_free_(net)
    assert net.calls == 0
    assert all(torch.equal(v, state[key]) for key, v in net.norm.state_dict().items())
    assert torch.equal(torch.get_rng_state(), dice)
    assert net.training


def tied(s: int) -> nn.Sequential:
    net = nn.Sequential(nn.ConvTranspose1d(2, 2, 8, 4), nn.ConvTranspose1d(2, 2, 8, s))
    net[1].weight = net[0].weight
    return net


def test_shared_weights_of_one_factor_stay_shared() -> None:
    net = tied(4)
    report = tone_free_(net)
    assert [each.note for each in report.done] == ["its weight is 1.weight too", "its weight is 0.weight too"]
    assert torch.equal(weight(net[0]), weight(net[1]))
    assert len(list(net.parameters())) == 3
    kept = weight(net[0])
    remove_tone_free(net)
    assert torch.equal(weight(net[0]), kept)
    assert net[0].weight is net[1].weight
    project_(net)
    assert off(net[0]) <= due(net[0], UNIT[torch.float32]) * learned_sums(net[0])


def tied_elsewhere() -> nn.Sequential:
    net = nn.Sequential(nn.Conv1d(2, 2, 8, 4), nn.ConvTranspose1d(2, 2, 8, 4))
    net[1].weight = net[0].weight
    return net


def test_notes_say_what_may_surprise() -> None:
    net = decoder().requires_grad_(False)
    assert [each.note for each in tone_free_(net).done] == ["frozen: projected as it is"] * 2
    assert not any(p.requires_grad for p in net.parameters())
    (done,) = tone_free_(tied_elsewhere()).done
    assert done.note == "its weight is 0.weight too, which is not projected there, and changes when this layer is baked"
    (done,) = project_(tied_elsewhere()).done
    assert done.note == "its weight is 0.weight too, which changes there, too"


class Calling(nn.Module):
    """A functional call of its own weight."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(2, 2, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return eight taps for four phases."""
        return F.conv_transpose1d(x, self.w, None, 4)


@pytest.mark.parametrize("part", ["model", "layer", "calls", "model that calls"])
def test_what_is_compiled_is_reached_once_by_the_name_that_it_has_else(part: str) -> None:
    inner: Any = Calling() if "calls" in part else nn.ConvTranspose1d(2, 2, 8, 4)
    name = "1.w" if "calls" in part else "1"
    layer: Any = inner if "model" in part else torch.compile(inner, backend="eager")
    net: Any = nn.Sequential(nn.Conv1d(2, 2, 3), layer)
    net = torch.compile(net, backend="eager") if "model" in part else net
    (done,), left = (report := tone_free_(net)).done, report.not_reached
    assert (done.name, done.note) == (name, "")
    assert left == ()
    assert [type(m).__name__ for m in net.modules()].count("ToneFreeTaps") == 1
    (held,) = tone_free_(net).done
    assert (held.name, held.note) == (name, "by its parametrization")
    remove_tone_free(net)
    assert not any(is_parametrized(m) for m in net.modules())
    assert [each.name for each in project_(net, inputs=torch.ones(1, 2, 9)).done] == [name]


class Twice(nn.Module):
    """Uses the weight of a layer with another stride."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 1, 8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(self.up(x), self.up.weight, stride=2)


def dilated_apart() -> nn.Sequential:
    net = nn.Sequential(SubpixelConv1d(2, 2, 3, 2), SubpixelConv1d(2, 2, 3, 2, dilation=2))
    net[1].weight = net[0].weight
    return net


REFUSED: list[tuple[str, Callable[[], nn.Module], int, str]] = [
    ("shared, dilated", dilated_apart, 2, "shared weight: got factor 2 of 0, 2 of 1"),
    ("no upsampling", lambda: nn.Sequential(nn.Conv1d(1, 1, 3), nn.ReLU()), 1, "got nothing to make tone-free"),
    ("nothing that can be", lambda: nn.Sequential(nn.ConvTranspose1d(1, 1, 2, 4)), 1, "2 phases without a tap"),
    ("shared", lambda: tied(2), 1, "shared weight: got factor 4 of 0, 2 of 1"),
    ("used twice", Twice, 1, "used with factor 2 at conv_transpose1d, and with 4 by up"),
    ("lazy", lambda: nn.Sequential(nn.LazyConvTranspose1d(1, 4, 2)), 1, "0.weight not initialised yet"),
    ("order", decoder, 3, "order: got 3; allowed: at most 2. Hint: 1 has 8 taps for factor 4"),
    (
        "again, of another order",
        lambda: nn.Sequential(tone_free(nn.ConvTranspose1d(1, 1, 4, 2))),
        2,
        "not reached: 0: weight: got tone-free of order 1 already",
    ),
    ("itself", lambda: nn.ConvTranspose1d(1, 1, 2, 4), 1, "not reached: the model itself: tone-free taps: got 2"),
    (
        "parametrized",
        lambda: nn.Sequential(register_parametrization(nn.ConvTranspose1d(1, 1, 4, 2), "weight", nn.Tanh())),
        1,
        "parametrized by Tanh",
    ),
    (
        "integers",
        lambda: nn.Sequential(nn.ConvTranspose1d(1, 1, 4, 2).requires_grad_(False).to(torch.complex64)),
        1,
        "got torch.complex64; allowed: floating point",
    ),
]


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning", "ignore:Complex modules:UserWarning")
@pytest.mark.parametrize(("make", "order", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_model_is_refused_before_any_of_it_changes(make: Callable[[], nn.Module], order: int, words: str) -> None:
    net = make()
    before = repr(net)
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        tone_free_(net, order)
    assert repr(net) == before


def test_project_is_once_and_leaves_no_trace() -> None:
    net = decoder().double()
    layers = {id(p): p._version for p in net.parameters()}
    report = project_(net)
    assert names(report) == [("1", 4), ("3", 2)]
    assert all(p.is_leaf and p.requires_grad and p.grad_fn is None for p in net.parameters())
    assert not any(map(is_parametrized, net.modules()))
    assert sum(p._version > layers[id(p)] for p in net.parameters()) == 3  # two weights, and the bias of the second
    kept = [weight(net[i]).clone() for i in (1, 3)]
    project_(net)
    for layer, once in zip((net[1], net[3]), kept, strict=True):
        rounding = due(layer, UNIT[torch.float64]) * once.abs().sum(-1).max()  # gains are off by less, and so are taps
        assert (weight(layer) - once).abs().max() <= rounding
        assert off(layer) <= due(layer, UNIT[torch.float64])
    biases = dict(net.named_parameters())["3.bias"].reshape(4, 2)
    assert torch.equal(biases[:, 0], biases[:, 1])


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("norm", [weight_norm, norms.weight_norm, norms.spectral_norm])
def test_project_under_a_norm(norm: Any) -> None:
    """The weight becomes what it would without: of spectral norm, but for its size."""
    torch.manual_seed(1)
    plain = nn.Sequential(nn.ConvTranspose1d(4, 3, 16, 8)).eval()
    normed = copy.deepcopy(plain)
    norm(normed[0]).eval()
    project_(plain)
    project_(normed)
    if norm is weight_norm:  # the weight is there before the next forward
        assert off(normed[0]) <= due(normed[0], UNIT[torch.float32]) + 8 * UNIT[torch.float32]
    with torch.no_grad():
        normed(torch.ones(1, 4, 3))
    found, due_weight = weight(normed[0]), weight(plain[0])
    assert off(normed[0]) <= due(normed[0], UNIT[torch.float32]) + 8 * UNIT[torch.float32]
    if norm is not norms.spectral_norm:
        assert (found - due_weight).abs().max() <= 64 * UNIT[torch.float32] * due_weight.abs().max()  # norms of 48 taps


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("norm", [weight_norm, norms.weight_norm])
def test_project_leaves_a_norm_of_0_with_a_direction(norm: Any) -> None:
    """Norms that begin at 0 are usual: the weight is 0 then, and learns."""
    layer = norm(nn.ConvTranspose1d(2, 3, 8, 4))
    g = tensors(kernel(layer))[0]
    nn.init.zeros_(g[0])
    project_(nn.Sequential(layer))
    layer(torch.ones(1, 2, 3)).sum().backward()
    assert not weight(layer)[0].any()
    assert weight(layer)[1].all()
    assert g.grad is not None
    assert g.grad.isfinite().all()


@pytest.mark.parametrize("change", [tone_free_, project_])
@pytest.mark.parametrize("order", [0, 1.5, "one", None])
def test_orders_are_whole(change: Any, order: Any) -> None:
    with pytest.raises(ValueError, match=r"^order: got .*; allowed: an integer >= 1"):
        change(nn.Sequential(nn.ConvTranspose1d(1, 1, 4, 2)), order)


def test_g_and_v_that_layers_share_are_baked_once() -> None:
    net = nn.Sequential(*(norms.weight_norm(nn.ConvTranspose1d(2, 2, 7, 3)) for _ in range(2)))
    for each in ("original0", "original1"):
        setattr(net[1].parametrizations.weight, each, getattr(net[0].parametrizations.weight, each))  # type: ignore[union-attr]
    tone_free_(net)
    kept = weight(net[0])
    remove_tone_free(net)
    assert all(torch.equal(weight(layer), kept) for layer in net)
    assert len(list(net.parameters())) == 4


def pair() -> nn.Sequential:
    """Return a convolution whose channels are interleaved, behind a layer of a known type."""
    return nn.Sequential(nn.ConvTranspose1d(2, 2, 4, 2), nn.Conv1d(2, 4, 3), PixelShuffle1d(2))


def test_project_says_what_it_has_not_looked_for() -> None:
    shuffle, calls = project_(net := pair()).not_reached
    assert shuffle[0] == "2"
    assert "Hand over inputs=" in shuffle[1]
    assert calls == ("functional calls", "not looked for. Hand over inputs=.")
    report = project_(net, inputs=torch.ones(1, 2, 9))
    assert names(report) == [("0", 2), ("1.weight", 2)]
    assert report.not_reached == ()
    with pytest.raises(ValueError, match="not reached: 2: interleaves the channels"):
        project_(net[1:])


def test_twice_is_once() -> None:
    net: Any = pair()
    tone_free_(net)
    keys, kept = list(net.state_dict()), [weight(net[0]), net[1].weight.detach()]
    report = tone_free_(net)
    assert names(report) == [("0", 2), ("1.weight", 2)]
    assert {each.note for each in report.done} == {"by its parametrization"}
    assert list(net.state_dict()) == keys
    assert all(map(torch.equal, kept, [weight(net[0]), net[1].weight.detach()]))
    net.append(nn.ConvTranspose1d(2, 1, 8, 4))  # one more is added to those that are
    assert [each.note for each in tone_free_(net).done] == ["by its parametrization"] * 2 + [""]


@pytest.mark.parametrize("change", [tone_free_, project_])
@pytest.mark.parametrize(
    ("make", "order"),
    [
        (lambda: nn.Upsample(scale_factor=4), 1),
        (lambda: nn.Upsample(scale_factor=4, mode="linear"), 2),
        (lambda: Interpolate1d("nearest-exact", scale_factor=4), 1),
        (lambda: NearestConv1d(2, 2, 3, 4), 1),
        (lambda: LinearConv1d(2, 2, 3, 4), 2),
        (lambda: FilterConv1d(2, 2, 3, 4, linear_taps(4)), 2),
        (lambda: FilterConv1d(2, 2, 3, 4, [0.0, *nearest_taps(4)], form="two layers"), 1),
        (lambda: FilterInterp1d(4, torch.tensor(linear_taps(4))), 2),
        (lambda: FilterInterp1d(4, torch.ones(2, 2, 8) * torch.tensor([[2.0], [-1.0]])), 1),
    ],
)
def test_interpolation_is_tone_free_by_construction(change: Any, make: Callable[[], nn.Module], order: int) -> None:
    """To the order that is said and no higher: polynomials of a lower degree stay polynomials, others do not.

    Exactly: of whole numbers all is a multiple of 1/8.
    """
    net = nn.Sequential(make(), nn.Conv1d(2, 1, 3)).double()
    (done,) = change(net, inputs=torch.ones(1, 2, 9).double()).done
    assert (done.name, done.factor, done.order, done.note) == ("0", 4, order, "by construction")
    for p in net.parameters():
        nn.init.ones_(p)
    for degree in (0, 1, 2):
        y = net(torch.arange(40.0).double().pow(degree).expand(1, 2, 40)).detach()[0, 0, 10:-10]
        assert np.diff(y.numpy(), degree + 1).any() == (degree >= order)


class Called(nn.Module):
    """A convolution of what a function makes of the input."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.conv = function, nn.Conv1d(2, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return it."""
        y: Tensor = self.conv(self.function(x))
        return y


@pytest.mark.parametrize("change", [tone_free_, project_])
@pytest.mark.parametrize(
    ("function", "name", "order"),
    [
        (partial(F.interpolate, scale_factor=4), "interpolate", 1),
        (partial(F.interpolate, scale_factor=4, mode="linear"), "interpolate", 2),
        (lambda x: x.repeat_interleave(4, -1), "repeat_interleave", 1),
    ],
)
def test_interpolation_by_a_call_is_tone_free(change: Any, function: Any, name: str, order: int) -> None:
    """And is told: a model that has nothing else is not refused. Interpolation with corners aligned is not."""
    net, x = nn.Sequential(Called(function)), torch.ones(1, 2, 9)
    (done,) = change(net, inputs=x).done
    assert (done.name, done.factor, done.order, done.note) == (f"0.{name}", 4, order, "by construction")
    with pytest.raises(ValueError, match=r"nothing to make tone-free.*\n.*interpolate ×4"):
        change(Called(partial(F.interpolate, scale_factor=4, mode="linear", align_corners=True)), inputs=x)
    down = nn.Sequential(Called(lambda x: F.interpolate(x, scale_factor=0.5)), nn.ConvTranspose1d(1, 1, 4, 2))
    assert [each.name for each in change(down, inputs=x).done] == ["1"]


@pytest.mark.parametrize("inputs", EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.parametrize("form", ["auto", "two layers", "polyphase", "transposed"])
def test_fixed_taps_are_told_by_the_name_of_their_layer(inputs: Any, form: str) -> None:
    """Whatever runs inside it; taps that were projected in floats are tone-free up to rounding, others not."""
    projected = nearest_tone_free(torch.randn(1, 1, 11).double().numpy(), 3)[0, 0]
    for taps, done in ((projected, [("0", 2), ("1", 3)]), (projected + np.eye(11)[4] / 2**10, [("0", 2)])):
        fixed = FilterConv1d(2, 2, 3, 3, taps.tolist(), form=form)
        for layer in (fixed, FilterInterp1d(3, torch.tensor(taps).float())):
            report = tone_free_(nn.Sequential(nn.ConvTranspose1d(2, 2, 4, 2), layer, nn.Conv1d(2, 1, 1)), inputs=inputs)
            assert sorted(names(report)) == done
            assert [name for name, _ in report.not_reached] == ([] if len(done) > 1 else ["1"])


@pytest.mark.parametrize("layer", [nn.Upsample(scale_factor=1.5), nn.Upsample(size=40), nn.Sequential()])
def test_what_is_not_known_to_be_tone_free_is_not_said_to_be(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match="got nothing to make tone-free"):
        tone_free_(nn.Sequential(nn.Conv1d(2, 2, 3), layer))


@pytest.mark.parametrize("change", [tone_free_, project_, remove_tone_free])
@pytest.mark.parametrize("model", [None, [nn.ConvTranspose1d(1, 1, 4, 2)], "decoder"])
def test_models_are_modules(change: Any, model: Any) -> None:
    with pytest.raises(TypeError, match=f"model: got {type(model).__name__}; allowed: an nn.Module"):
        change(model)


@pytest.mark.parametrize("change", [tone_free_, project_])
def test_inputs_go_by_name_and_in_order(change: Any) -> None:
    x = torch.ones(1, 2, 9)
    with pytest.raises(TypeError, match=r"order: got tuple.* Hint: inputs go by name: inputs="):
        change(pair(), (x, 1.0))
    with pytest.raises(TypeError, match="positional"):
        change(pair(), 1, x)
    with pytest.raises(TypeError, match="inputs: got a dict; allowed: a tensor, a tuple"):
        change(pair(), inputs={"input": x})


def test_project_leaves_to_a_parametrization_what_it_keeps() -> None:
    net = decoder()
    tone_free(net[1])
    original = tensors(kernel(net[1]))[0].detach().clone()
    report = project_(net)
    assert [(each.name, each.note) for each in report.done] == [("1", "by its parametrization"), ("3", "")]
    assert torch.equal(tensors(kernel(net[1]))[0], original)


def test_project_of_a_higher_order_than_is_kept_says_so() -> None:
    net = decoder()
    tone_free(net[1])
    report = project_(net, 2)
    assert names(report) == [("3", 2)]
    (name, why), _ = report.not_reached
    assert (name, "tone-free of order 1 already" in why) == ("1", True)
    tone_free(net[3])
    with pytest.raises(ValueError, match="got no upsampling layer that can be made so"):
        tone_free_(net, 2)


def test_project_of_a_lower_order_than_is_kept_leaves_the_higher() -> None:
    net = decoder()
    tone_free(net[1], order=2)
    report = project_(net)
    assert [(each.name, each.order, each.note) for each in report.done] == [
        ("1", 2, "by its parametrization"),
        ("3", 1, ""),
    ]
    assert [name for name, _ in report.not_reached] == ["functional calls"]


def test_project_reaches_functional_calls_if_inputs_are_given() -> None:
    net = Functional()
    with pytest.raises(ValueError, match=r"functional calls: not looked for\. Hand over inputs="):
        project_(net)
    assert names(project_(net, inputs=torch.ones(1, 4, 9))) == [
        ("w", 4),
        ("crd.weight", 4),
        ("dcr.weight", 2),
        ("v", 3),
    ]


def trained(net: nn.Module, behind: Callable[[nn.Module], Any] = lambda net: None) -> nn.Module:
    """Return the net after 200 steps of Adam on noise, in single precision."""
    dice = torch.Generator().manual_seed(5)
    x, target = torch.randn(2, 2, 10, generator=dice), torch.randn(2, 1, 62, generator=dice)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(200):
        optimizer.zero_grad()
        F.mse_loss(net(x), target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        behind(net)
    return net


def doubled(net: nn.Module) -> nn.Sequential:
    """Return the net with the weights that it uses, in double precision."""
    plain = copy.deepcopy(net)
    if any(map(is_parametrized, plain.modules())):
        remove_tone_free(plain)
    return plain.double()  # type: ignore[return-value]


def steady(net: nn.Module) -> Tensor:
    """Return the output for a constant, in double precision, away from borders."""
    return doubled(net)(torch.ones(1, 2, 24, dtype=torch.float64)).detach()[0, 0, 40:-40]  # type: ignore[no-any-return]


def allowed(net: Any) -> float:
    """Return the ripple that rounding leaves: of the weights as they are, exactly, and of the run in double precision.

    Taps whose gains differ by δ of their sums of absolute values are within δ of tone-free ones, tap by tap, and so
    the output within ``((1 + δ)^2 − 1) S``, where S is the net on absolute values; LeakyReLU makes nothing larger.
    """
    relative = []
    for layer in (net[1], net[3]):
        for phases in sums(layer):
            G = sum((g for g, _ in phases), Fraction()) / len(phases)
            relative += [float(abs(g - G) / A) for g, A in phases if A]
    at = bound(describe(doubled(net)), np.ones((2, 24)), "float64")
    return float(2 * (at.E + math.expm1(2 * math.log1p(max(relative))) * at.S).max())


def test_two_hundred_steps_of_training_keep_it_or_lose_it(show: Callable[[str], None]) -> None:
    """With the parametrization, with a projection behind each step; and without any, begun tone-free."""
    kept, projected, lost = decoder(), decoder(), decoder()
    tone_free_(kept)
    project_(lost)
    left = {}
    for way, net, behind in (("tone_free", kept, None), ("project_", projected, project_), ("neither", lost, None)):
        y = steady(trained(net, behind) if behind else trained(net))
        left[way] = float(y.max() - y.min())
        show(f"200 steps of Adam, {way}: peak to peak {left[way] / float(y.mean().abs()):.1e} of the mean")
    for way, net in (("tone_free", kept), ("project_", projected)):
        assert all(off(m) <= due(m, UNIT[torch.float32]) * learned_sums(m) for m in (net[1], net[3]))
        assert left[way] <= allowed(net)
        assert left["neither"] > 1000 * allowed(net)
