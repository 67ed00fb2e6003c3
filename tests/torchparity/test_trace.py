"""What a forward does besides: writes, draws, hooks, and steps that show at some lengths only."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import torchparity.trace
from dspref.arrays import NotAnalysable
from dspref.chain import Pointwise
from dspref.expected import Drawn, Fixed, Unknown
from dspref.expected.graph import Network
from torchparity.initial_laws import COMPUTED
from torchparity.walked import walked


class Doing(nn.Module):
    """Does what a function of its modules says."""

    def __init__(self, does: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        super().__init__()
        self.does = does
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.does(self, x)


def conv(inputs: int = 8, outputs: int = 8, length: int = 3, **given: Any) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, length, padding=length // 2, **given)


def whys(found: Network) -> list[str]:
    return [node.op.what for node in found if isinstance(node.op, Unknown)]


# -- the module is left as it is ------------------------------------------------------------------------------------


class Merging(nn.Module):
    """Merges two small matrices into its weights when it is told to evaluate."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.merged = conv(length=1), False
        self.up, self.down = nn.Parameter(torch.randn(8, 2)), nn.Parameter(torch.randn(2, 8))

    def train(self, mode: bool = True) -> Merging:
        super().train(mode)
        if not mode and not self.merged:
            self.layer.weight.data += (self.up @ self.down)[..., None]
            self.merged = True
        return self

    def forward(self, x: Tensor) -> Any:
        return self.layer(x)


def clamping(self: Any, x: Tensor) -> Any:
    with torch.no_grad():
        self.gain.clamp_(max=0.5)
    return self.layer(x) * self.gain


def shrinking(self: Any, x: Tensor) -> Any:
    self.layer.weight.data.mul_(0.5)
    return self.layer(x)


def freezing(self: Any, x: Tensor) -> Any:
    self.layer.weight.requires_grad_(False)
    self.layer.weight.data = self.layer.weight.data * 2
    self.calls = getattr(self, "calls", 0) + 1
    return self.layer(x)


def rolling(self: Any, x: Tensor) -> Any:
    assert torch.rand(1).item() + np.random.rand() + random.random() > 0  # noqa: NPY002
    return self.layer(x + 0 * torch.randn(1, 8, 1))


def counting(self: Any, x: Tensor) -> Any:
    self.count.add_(1)
    return self.layer(x)


def buffered() -> nn.Module:
    module = Doing(counting, layer=conv())
    module.register_buffer("count", torch.zeros(()))
    return module


LEFT: dict[str, Callable[[], nn.Module]] = {
    "merges": Merging,
    "clamps": lambda: Doing(clamping, layer=conv(), gain=nn.Parameter(torch.full((1,), 2.0))),
    "shrinks": lambda: Doing(shrinking, layer=conv()),
    "freezes": lambda: Doing(freezing, layer=conv()),
    "draws": lambda: Doing(rolling, layer=conv()),
    "counts": buffered,
    "weight norm": lambda: nn.Sequential(weight_norm(conv()), nn.BatchNorm1d(8)),
    "spectral norm": lambda: nn.Sequential(spectral_norm(conv())),
}


@pytest.mark.parametrize("case", LEFT)
def test_neither_weights_nor_flags_nor_generators_are_changed(case: str) -> None:
    module = LEFT[case]()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    own = {name: (id(p), p.data_ptr(), p.requires_grad) for name, p in module.named_parameters()}
    flags, held = [part.training for part in module.modules()], set(vars(module))
    dice = (torch.get_rng_state(), str(np.random.get_state()), random.getstate())  # noqa: NPY002
    walked(module, channels=8)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert {name: (id(p), p.data_ptr(), p.requires_grad) for name, p in module.named_parameters()} == own
    assert [part.training for part in module.modules()] == flags
    assert set(vars(module)) == held
    assert torch.equal(torch.get_rng_state(), dice[0])
    assert str(np.random.get_state()) == dice[1]  # noqa: NPY002
    assert random.getstate() == dice[2]


def test_what_a_forward_writes_into_its_weights_counts_once_a_run() -> None:
    torch.manual_seed(0)
    layer = conv(64, 64)
    module = Doing(shrinking, layer=layer)
    (law,) = walked(module).laws
    assert law.weight == pytest.approx(float(layer.weight.detach().double().square().mean()) / 4, rel=1e-6)


def test_hooks_of_others_see_nothing_and_are_named_and_those_that_make_weights_run() -> None:
    seen: list[Any] = []
    module = nn.Sequential(conv(), nn.ReLU())
    module[0].register_forward_hook(lambda *given: seen.append(given))
    module[1].register_forward_pre_hook(lambda *given: seen.append(given))
    made = walked(module)
    assert seen == []
    assert made.remarks == ("hooks were not called, and are taken to change nothing: those of 0, 1",)
    assert len(module[0]._forward_hooks) == len(module[1]._forward_pre_hooks) == 1
    module(torch.zeros(1, 8, 4))
    assert len(seen) == 2


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_weights_that_a_hook_of_torch_makes_are_made() -> None:
    made = walked(torch.nn.utils.weight_norm(conv()))
    assert made.remarks == ()
    assert [law.law for law in made.laws] == ["default"]


def test_parameters_made_in_inference_mode_are_taken() -> None:
    with torch.inference_mode():
        module = conv()
    assert [law.law for law in walked(module).laws] == ["default"]


class OptimizedModule(nn.Module):
    """What torch.compile returns, as far as it matters."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self._orig_mod = inner

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("compiled code cannot be followed")


def test_compiled_modules_are_those_that_were_compiled() -> None:
    plain = nn.Sequential(conv(), nn.ReLU())
    due = [(node.op, node.inputs) for node in walked(plain).network]
    for module in (OptimizedModule(plain), OptimizedModule(nn.Sequential(OptimizedModule(conv()), nn.ReLU()))):
        assert [(node.op, node.inputs) for node in walked(module).network] == due


# -- writes ---------------------------------------------------------------------------------------------------------


def coded(self: Any, x: Tensor) -> Any:
    """Add a code of places, written into zeros."""
    y = self.layer(x)
    z, n = torch.zeros(1, 8, y.shape[-1]), torch.arange(y.shape[-1]) * 1.0
    z[:, 0::2], z[:, 1::2] = torch.sin(n), torch.cos(n)
    return y + z


def masked(self: Any, x: Tensor) -> Any:
    z = torch.zeros(1, 8, 1)
    z[:, :4] = 1
    return self.layer(x) * z


def residual(self: Any, x: Tensor) -> Any:
    z = torch.zeros(8, 1)
    z[:] = 2
    return x + z * self.layer(x)


def emptied(self: Any, x: Tensor) -> Any:
    z = torch.zeros(8, 1)
    z.zero_()
    return self.layer(x) + z + F.pad(torch.zeros(8, 0), (0, 1))


def dilated(self: Any, x: Tensor) -> Any:
    k = torch.zeros(8, 8, 5)
    k[..., ::2] = self.layer.weight
    return F.conv1d(x, k, padding=2)


def negated(self: Any, x: Tensor) -> Any:
    w = self.layer.weight.clone()
    y = F.conv1d(x, w)
    return y + F.conv1d(x, w.neg_())


def copied(self: Any, x: Tensor) -> Any:
    """The same kernel, written into memory of its own."""
    w = torch.empty(8, 8, 3)
    w.copy_(self.layer.weight)
    return F.conv1d(x, w, padding=1)


def stuffed(value: float) -> Callable[[Any, Tensor], Any]:
    return lambda m, x: F.pad(m.layer(x)[..., None], (0, 1), value=value).flatten(-2)


WRITES: dict[str, tuple[Callable[[Any, Tensor], Any], str]] = {
    "a code of places": (coded, "a map that changes with time"),
    "a mask": (masked, "a map of samples"),
    "a kernel with zeros between": (dilated, "a convolution whose kernel is not drawn"),
    "ones between": (stuffed(1.0), "samples moved about"),
    "ones from zeros": (lambda m, x: m.layer(x) + F.pad(torch.zeros(8, 0), (0, 1), value=1.0), "a map of samples"),
    "through data": (lambda m, x: (y := m.layer(x), y.data[:, :4].mul_(2), y)[-1], "a tensor written into"),
}


@pytest.mark.parametrize("case", WRITES)
def test_what_is_written_through_a_view_is_not_overlooked(case: str) -> None:
    does, why = WRITES[case]
    assert whys(walked(Doing(does, layer=conv()), channels=8).network)[0] == why


def test_weights_that_change_behind_their_layer_are_refused() -> None:
    with pytest.raises(NotAnalysable, match="weights that are written into behind their layer"):
        walked(Doing(negated, layer=conv()))


def test_writes_that_are_no_matter_are_none() -> None:
    due = Drawn("conv", 8, 8, 3, padding=1)
    assert [node.op for node in walked(Doing(emptied, layer=conv())).network] == [due]
    (node,) = walked(Doing(copied, layer=conv(bias=False))).network
    assert isinstance(node.op, Drawn)
    measured = replace(due, weight=node.op.weight, bias=0, kurtosis=node.op.kurtosis)
    assert node.op == measured  # as of no class
    gain, add = [node.op for node in walked(Doing(residual, layer=conv())).network][1:]
    assert (gain, add) == (Fixed(np.array([2.0])), "sum")
    layer, zeros = [node.op for node in walked(Doing(stuffed(0.0), layer=conv())).network]
    assert (layer, zeros) == (due, Fixed(np.ones(1), 2, 0))


def test_the_same_draw_of_noise_is_not_taken_for_another() -> None:
    """Kernels with noise added are two kernels of one parameter, not one kernel twice."""

    def noisy(self: Any, x: Tensor) -> Any:
        return sum(F.conv1d(x, self.layer.weight + torch.randn(8, 8, 3)) for _ in range(2))

    assert whys(walked(Doing(noisy, layer=conv())).network) == [
        COMPUTED,
        "shared weights",
    ]


def lines_run(work: Callable[[], object], file: str) -> int:
    """Return how many lines of a file run, once for each time round a loop."""
    count = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace if frame.f_code.co_filename == file else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_long_chains_in_place_take_work_in_proportion() -> None:
    def work(count: int) -> int:
        layers = [each for _ in range(count) for each in (nn.Conv1d(1, 1, 1), nn.ReLU(inplace=True))]
        module = nn.Sequential(*layers)
        return lines_run(lambda: walked(module, length=32), torchparity.trace.__file__)

    assert work(80) < 1.5 * 4 * work(20)  # 16 times, where each call looks through all tensors


# -- lengths --------------------------------------------------------------------------------------------------------

WHY = "a step that depends on the length of the input"

LENGTHS: dict[str, tuple[Callable[[Any, Tensor], Any], str]] = {
    "a size": (lambda m, x: F.interpolate(m.layer(x), size=128, mode="linear"), WHY),
    "a size, nearest": (lambda m, x: F.interpolate(m.layer(x), size=128), WHY),
    "a cut": (lambda m, x: m.layer(x)[..., :64], WHY),
    "a branch": (lambda m, x: m.layer(x) if x.shape[-1] < 1000 else m.layer(F.interpolate(x, scale_factor=2)), WHY),
    "an early end": (lambda m, x: m.layer(x) if x.shape[-1] < 1000 else torch.tanh(m.layer(x)), WHY),
    "one before the other": (
        lambda m, x: torch.cat([m.layer(x)[..., : x.shape[-1] // 6], x[..., x.shape[-1] // 6 :]], -1),
        "samples moved about",
    ),
    "one behind the other": (lambda m, x: torch.cat([(y := m.layer(x)), y[..., ::8]], -1), WHY),
    "a rate": (
        lambda m, x: F.interpolate(m.layer(x), scale_factor=44100 / 22000, mode="linear"),
        "interpolation by no whole factor, or with aligned corners",
    ),
    "a rate, nearest": (
        lambda m, x: F.interpolate(m.layer(x), scale_factor=2.0005),
        "interpolation by no whole factor",
    ),
    "a rate, told by the size": (
        lambda m, x: F.interpolate(m.layer(x), scale_factor=44100 / 22000, recompute_scale_factor=True),
        WHY,
    ),
}


@pytest.mark.parametrize("case", LENGTHS)
def test_steps_that_depend_on_the_length_are_refused_and_what_is_before_them_is_not(case: str) -> None:
    does, why = LENGTHS[case]
    found = walked(Doing(does, layer=conv())).network
    assert whys(found) == [why]
    if case not in ("a cut", "a branch", "an early end"):  # there it is this layer, or what it makes
        assert found.nodes[0].op == Drawn("conv", 8, 8, 3, padding=1)


def test_paddings_that_make_frames_whole_depend_on_ends_alone() -> None:
    def whole(self: Any, x: Tensor) -> Any:
        return self.layer(F.pad(x, (0, -x.shape[-1] % 10)))

    made = walked(Doing(whole, layer=nn.Conv1d(8, 8, 10, 10)))
    assert not whys(made.network)
    assert made.remarks == ()


def test_a_module_of_one_length_is_said_to_be_read_at_that() -> None:
    def strict(self: Any, x: Tensor) -> Any:
        return self.layer(x.reshape(1, 8, 64))

    made = walked(Doing(strict, layer=conv()))
    assert made.remarks == ("read with 64 samples alone: it takes no other length that was tried",)


# -- small print ----------------------------------------------------------------------------------------------------


def test_frames_at_the_end_that_are_not_whole_are_not_averaged() -> None:
    assert whys(walked(nn.Sequential(conv(), nn.AvgPool1d(3, 2, ceil_mode=True))).network) == ["avg_pool1d"]
    assert not whys(walked(nn.Sequential(conv(), nn.AvgPool1d(3, 2))).network)


def test_filters_must_be_alike_in_all_channels() -> None:
    def filtered(self: Any, x: Tensor) -> Any:
        return F.conv1d(self.layer(x), self.taps, groups=8)

    taps = torch.arange(1.0, 4.0).expand(8, 1, 3)
    assert not whys(walked(Doing(filtered, layer=conv(), taps=taps)).network)
    other = taps * torch.arange(1.0, 9.0)[:, None, None]
    assert whys(walked(Doing(filtered, layer=conv(), taps=other)).network) == [
        "a convolution whose kernel is not drawn"
    ]


def test_a_matrix_along_time_mixes_no_channels() -> None:
    """Even where there are as many samples as channels."""
    module = Doing(lambda m, x: m.mix(torch.tanh(m.layer(x))), layer=conv(64, 64), mix=nn.Linear(64, 64))
    found = walked(module, length=64).network
    assert found.nodes[1].op == Pointwise("tanh")
    assert whys(found) == ["linear"]


def test_what_is_cut_off_before_zeros_are_put_there_is_gone() -> None:
    found = walked(Doing(lambda m, x: F.pad(x[..., 3:-3], (2, 3)), layer=conv()), channels=2).network
    cut, padded = (node.op for node in found)
    assert (cut, padded) == (Fixed(np.ones(1), 1, 3, excess=-6), Fixed(np.ones(1), 1, -2, excess=5))
    (plain,) = walked(Doing(lambda m, x: F.pad(x, (2, 3)), layer=conv()), channels=2).network
    assert plain.op == Fixed(np.ones(1), 1, -2, excess=5)
