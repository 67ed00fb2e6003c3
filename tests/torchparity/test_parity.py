"""Checks of modules: right ones pass, wrong ones are caught, and the words say where."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional as F

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Interpolate,
    Linear,
    Nearest,
    NotAnalysable,
    Outline,
    Pointwise,
    SubpixelConv,
    TransposedConv,
)
from tests.strategies import KINDS as TABLE_KINDS
from tests.strategies import QUIET, Case, cases
from tests.torchparity.test_describe import new_weight_norm, old_weight_norm
from torchparity import PixelShuffle1d, Verdict, build, check, register
from torchparity.calls import Run, alike, private_copy
from torchparity.cases import GRIDS, KINDS, draw
from torchparity.cases import Case as Input
from torchparity.job import Job
from torchparity.verdict import STATUSES, Coverage

RNG = np.random.default_rng(0)


def f32(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype("float32")


CONVT = TransposedConv(f32(4, 2, 7), stride=3, padding=1, output_padding=2, groups=2, bias=f32(4))
DILATED = TransposedConv(f32(2, 2, 3), stride=2, dilation=3, output_padding=2, bias=f32(2))
GAPPED = TransposedConv(f32(2, 1, 2), stride=5)
CONV = Conv(f32(4, 3, 5), padding=2, bias=f32(4))
REFLECT = Conv(f32(4, 3, 4), padding="same", padding_mode="reflect", groups=1)
SHUFFLE = SubpixelConv(f32(8, 3, 3), 4, padding=1, bias=f32(8))
WIDE = TransposedConv(f32(80, 1, 20), stride=10, padding=5)

RIGHT: dict[str, Any] = {
    "convt": CONVT,
    "convt, dilated, op >= stride": DILATED,
    "convt, gaps": GAPPED,
    "convt, wide": WIDE,
    "conv": CONV,
    "conv, same, reflect": REFLECT,
    "conv, strided": Conv(f32(2, 1, 4), stride=2, padding=1),
    "conv, circular, grouped": Conv(f32(4, 2, 3), padding=3, padding_mode="circular", groups=2),
    "conv, whole numbers": Conv(np.array([[[1, -2, 3]]], "float32"), bias=np.array([4], "float32")),
    "shuffle": SHUFFLE,
    "nearest": Nearest(4),
    "linear x2": Linear(2),
    "linear x3": Linear(3),
    "linear, corners": Linear(3, align_corners=True),
    "filter": FilterInterp(3, f32(2, 2, 5), offset=2, excess=-1),
    "filter, alike": FilterInterp(2, f32(4), offset=-1, excess=2),
    "relu": Pointwise("relu"),
    "leaky": Pointwise("leaky", (0.2,)),
    "chain": Chain([Nearest(2), CONV, Pointwise("relu"), CONVT, Pointwise("leaky", (0.1,)), Linear(3)]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RIGHT)
def test_right_layers_pass(name: str, dtype: str) -> None:
    verdict = check(build(RIGHT[name]), dtype=dtype)
    assert verdict.ok, str(verdict)
    assert verdict.ratio <= 1
    assert (verdict.dtype, verdict.device, verdict.reason) == (dtype, "cpu", "")
    counts = dict(verdict.coverage.strata)
    assert min(counts["normal"], counts["spread"], counts["constant"]) >= 4
    if name in ("nearest", "relu"):
        assert verdict.status == "exact"
        assert verdict.coverage.tiers == (0, 1, 2)
    trained = name.startswith(("conv", "shuffle")) or name in ("nearest", "chain")
    assert (counts["integer"] > 0) == trained  # weights that can be set are set to whole numbers
    assert (counts["gradient"] > 0) == (name not in ("relu", "leaky"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TABLE_KINDS)
def test_drawn_layers_from_every_corner_pass(kind: str, dtype: str) -> None:
    """What is refused on both sides, border rules that repeat a one, crops to nothing: no false alarm."""
    rng = np.random.default_rng(3)

    @QUIET(max_examples=20)
    @given(cases(kind))
    def each(case: Case) -> None:
        layer = case.filled(rng.standard_normal).changed(lambda a: a.astype(dtype)).layer
        verdict = check(build(layer), like=layer, dtype=dtype, channels=case.x.shape[-2], lengths=(1, 2, 3, 12, 33))
        assert verdict.ok, str(verdict)

    each()


def test_an_empty_output_is_a_refusal() -> None:
    layer = TransposedConv(f32(1, 1, 4), padding=2)
    assert check(build(layer), lengths=(1, 2, 5)).ok
    assert check(lambda x: build(layer)(x) if x.shape[-1] > 1 else x[..., :0], like=layer, lengths=(1, 2, 5)).ok


@pytest.mark.parametrize("norm", [old_weight_norm, new_weight_norm])
@pytest.mark.parametrize("training", [True, False])
def test_weight_norm_by_either_interface_passes(norm: Callable[[nn.Module], nn.Module], training: bool) -> None:
    module = nn.Sequential(norm(nn.Conv1d(2, 4, 3, padding=1)), norm(nn.ConvTranspose1d(4, 2, 8, stride=4))).train(
        training
    )
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(1.25)
    for dtype in ("float32", "float64"):
        verdict = check(module, like="conv k3 p1 | convt k8 s4", dtype=dtype)
        assert verdict.ok, str(verdict)


def module(layer: Any) -> nn.Module:
    return build(layer)


def convt(layer: Any, x: Tensor, **changes: Any) -> Tensor:
    """Run a transposed convolution with some of its fields changed."""
    changed = {k: v for k, v in changes.items() if k in ("weight", "bias")}
    given = replace(layer, **{k: v for k, v in changes.items() if k not in changed}, **changed)
    y: Tensor = build(given).to(x.dtype)(x)
    return y


def edited(layer: Any, edit: Callable[[Tensor], Tensor]) -> Run:
    """Return the right module with its output edited."""
    right = module(layer)
    return lambda x: edit(right(x))


def with_one_off(y: Tensor, index: int, amount: float) -> Tensor:
    y = y.clone()
    y[..., index] += amount
    return y


def last_wrong_beyond(limit: int) -> Run:
    right = module(CONVT)
    return lambda x: with_one_off(right(x), -1, 1.0) if x.shape[-1] > limit else right(x)


def in_chunks(x: Tensor) -> Tensor:
    """Run a causal layer chunk by chunk, forgetting what was before."""
    right = module(CONV)
    return torch.cat([right(part) for part in torch.split(x, 16, -1)], -1)


def half(x: Tensor) -> Tensor:
    y: Tensor = module(CONV).half()(x.half()).to(x.dtype)
    return y


def index_by_float_product(x: Tensor) -> Tensor:
    """Pick the nearest sample by a position rounded the wrong way."""
    m = torch.arange(7 * x.shape[-1], dtype=torch.float32)
    return x[..., (m * 0.142857).long()]


def by_fft(x: Tensor) -> Tensor:
    """Convolve by FFT: right, but rounded in another way."""
    w = torch.from_numpy(CONV.weight.astype("float64").astype("float32")).to(x.dtype)
    n = x.shape[-1] + 4
    product = torch.fft.rfft(w.flip(-1), n)[None] * torch.fft.rfft(F.pad(x, (2, 2)), n)[:, None]
    bias = torch.from_numpy(np.array(CONV.bias)).to(x.dtype)[:, None]
    y: Tensor = torch.fft.irfft(product.sum(2), n)[..., 4:n] + bias
    return y


def ramp(*shape: int) -> Tensor:
    """Return a kernel in which every tap is another, and none is 0."""
    return torch.arange(1.0, 1 + math.prod(shape)).reshape(shape)


calls = 0


def forgetful(x: Tensor) -> Tensor:
    """Answer otherwise every other time."""
    global calls
    calls += 1
    y: Tensor = module(CONV)(x) * (1 + 1e-3 * (calls % 2))
    return y


def leaves(x: Tensor) -> Tensor:
    raise SystemExit(0)


w = CONVT.weight
two = w.reshape(2, 2, 2, 7)

WRONG: dict[str, tuple[Run, Any]] = {
    "kernel flipped": (lambda x: convt(CONVT, x, weight=w[..., ::-1]), CONVT),
    "phases swapped": (
        edited(SHUFFLE, lambda y: y.reshape(*y.shape[:-1], -1, 4)[..., [1, 0, 2, 3]].flatten(-2)),
        SHUFFLE,
    ),
    "channel order of the shuffle": (
        lambda x: (lambda z: z.reshape(len(z), 4, 2, -1).permute(0, 2, 3, 1).flatten(-2))(module(SHUFFLE).conv(x)),  # type: ignore[operator]
        SHUFFLE,
    ),
    "padding off by one": (lambda x: convt(CONVT, x, padding=2), CONVT),
    "padding off by one, length kept": (edited(CONVT, lambda y: torch.roll(y, 1, -1)), CONVT),
    "output_padding at the input": (lambda x: convt(CONVT, F.pad(x, (0, 2)), output_padding=0), CONVT),
    "output_padding without bias": (lambda x: F.pad(convt(CONVT, x, output_padding=0), (0, 2)), CONVT),
    "groups' channels mixed": (lambda x: convt(CONVT, x[:, [0, 2, 1, 3]]), CONVT),
    "groups' weights swapped": (lambda x: convt(CONVT, x, weight=two[::-1].reshape(4, 2, 7)), CONVT),
    "groups and dilation swapped": (lambda x: convt(CONVT, x, groups=1, dilation=2), CONVT),
    "dilation ignored": (lambda x: convt(DILATED, x, dilation=1, output_padding=1), DILATED),
    "gaps filled": (lambda x: module(GAPPED)(x) + (module(GAPPED)(x) == 0) * x[:, :1].mean(), GAPPED),
    "last sample wrong for lengths > 140": (last_wrong_beyond(140), CONVT),
    "ends the program": (leaves, CONV),
    "complex": (edited(CONV, lambda y: torch.complex(y, y)), CONV),
    "taps beyond 16 dropped": (lambda x: convt(WIDE, x, weight=WIDE.weight * (np.arange(20) < 16)), WIDE),
    "channels beyond 64 dropped": (lambda x: module(WIDE)(x * (torch.arange(80) < 64)[:, None]), WIDE),
    "last sample wrong for lengths > 32": (last_wrong_beyond(32), CONVT),
    "relative error 3e-7": (edited(CONVT, lambda y: y * (1 + 3e-7)), CONVT),
    "taps off by 3e-7 among 160 terms": (lambda x: convt(WIDE, x, weight=WIDE.weight * np.float32(1 + 3e-7)), WIDE),
    "edge sample off by 1e-6": (edited(Nearest(4), lambda y: with_one_off(y, 0, 1e-6)), Nearest(4)),
    "bias dropped": (lambda x: convt(CONVT, x, bias=None), CONVT),
    "bias doubled": (lambda x: convt(CONVT, x, bias=2 * CONVT.bias), CONVT),  # type: ignore[operator]
    "index by float product": (index_by_float_product, Nearest(7)),
    "align_corners mixed up": (module(Linear(3, align_corners=True)), Linear(3)),
    "nearest for linear": (module(Nearest(2)), Linear(2)),
    "zeros for reflect": (module(replace(REFLECT, padding_mode="zeros")), REFLECT),
    "'same' padded on the other side": (
        lambda x: module(
            replace(REFLECT, weight=np.pad(REFLECT.weight, ((0, 0), (0, 0), (0, 1))), padding=2, padding_mode="reflect")
        )(x)[..., : x.shape[-1]].roll(1, -1),
        REFLECT,
    ),
    "computed in half precision": (half, CONV),
    "chunks without memory": (in_chunks, CONV),
    "input changed in place": (lambda x: module(CONV)(x.mul_(1.0).add_(1.0) - 1), CONV),
    "not deterministic": (forgetful, CONV),
    "a sample short": (edited(CONVT, lambda y: y[..., :-1]), CONVT),
    "other dtype": (edited(CONV, lambda y: y.double()), CONV),
    "tuple": (lambda x: (module(CONV)(x), None), CONV),
    "no batch": (edited(CONV, lambda y: y[0]), CONV),
    "array": (edited(CONV, lambda y: y.detach().numpy()), CONV),  # type: ignore[arg-type, return-value]
    "NaN": (edited(CONV, lambda y: with_one_off(y, 0, math.nan)), CONV),
    "infinity": (edited(CONV, lambda y: with_one_off(y, -1, math.inf)), CONV),
    "transposed": (edited(CONV, lambda y: y.transpose(1, 2)), CONV),
    "raises for short input": (lambda x: module(CONV)(x) if x.shape[-1] > 2 else 1 // 0, CONV),
    "accepts what is illegal": (lambda x: module(replace(REFLECT, padding_mode="zeros"))(x), REFLECT),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_layers_are_caught(name: str) -> None:
    f, like = WRONG[name]
    verdict = check(f, like=like, dtype="float32")
    assert verdict.status == "wrong", str(verdict)
    assert not verdict.ok
    assert verdict.reason
    assert verdict.reason in str(verdict)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kernel flipped", r"convt k7 s3 p1 op2 g2: .* at output \[\d+, \d+, \d+\], where .* is due"),
        ("raises for short input", r"refused, which is legal: ZeroDivisionError"),
        ("accepts what is illegal", r"accepted, which is not legal: time samples for a reflect border"),
        ("a sample short", r"output of shape \(1, 4, \d+\), which should be \(1, 4, \d+\)"),
        ("other dtype", r"dtype of the result: got torch\.float64; allowed: torch\.float32"),
        ("ends the program", "refused, which is legal: SystemExit: 0"),
        ("complex", r"dtype of the result: got torch\.complex64"),
        ("tuple", "result: got tuple; allowed: a tensor"),
        ("array", "result: got ndarray"),
        ("NaN", r"nan at output \[\d, \d, 0\]"),
        ("infinity", "inf at output"),
        ("input changed in place", "changed in place"),
        ("not deterministic", "not deterministic"),
        ("relative error 3e-7", "is due .*error/bound"),
        ("taps off by 3e-7 among 160 terms", "where an? (one-hot|impulse) input makes .* exactly"),
    ],
)
def test_the_reason_says_what_is_wrong(name: str, words: str) -> None:
    f, like = WRONG[name]
    assert re.search(words, check(f, like=like, dtype="float32").reason)


def test_fft_convolution_is_neither_passed_nor_wrong() -> None:
    verdict = check(by_fft, like=CONV)
    assert verdict.status == "normwise only", str(verdict)
    assert not verdict.ok
    assert verdict.ratio > 1 or "exactly" in verdict.reason


def test_overflow_is_inconclusive() -> None:
    verdict = check(build(Conv(np.full((1, 1, 3), 3e38, "float32"))))
    assert verdict.status == "inconclusive"
    assert "beyond the range of float32" in verdict.reason


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zeros_prove_nothing(dtype: str) -> None:
    verdict = check(build(Conv(np.zeros((2, 1, 3)))), dtype=dtype)
    assert (verdict.status, verdict.ok) == ("vacuous", False)
    assert verdict.coverage.zero_share == 1
    unseen = check(nn.Tanh())
    assert (unseen.status, unseen.coverage.unchecked) == ("vacuous", ("tanh",))


@pytest.mark.parametrize("status", ["within bound", "wrong"])
def test_the_repro_line_shows_the_worst_output(status: str, capsys: pytest.CaptureFixture[str]) -> None:
    f: Run
    if status == "wrong":
        f, like = WRONG["bias doubled"]
        verdict = check(f, like=like)
    else:
        f = nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.Conv1d(4, 4, 3), PixelShuffle1d(2))
        verdict = check(f)
    assert verdict.status == status
    exec(verdict.repro, {"f": f})  # the line is the product
    got, expected = map(float, capsys.readouterr().out.split())
    assert got != expected
    assert (abs(got - expected) > 1e-3 * abs(expected)) == (status == "wrong")


def test_a_sequential_is_checked_layer_by_layer_on_what_its_layers_hand_on() -> None:
    module = nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Sequential(nn.Conv1d(3, 4, 5), nn.Tanh()), nn.ConvTranspose1d(4, 1, 4, 2)
    )
    verdict = check(module)
    assert verdict.ok
    assert verdict.description == "nearest x2 | conv k5 | tanh | convt k4 s2, as described"
    assert verdict.coverage.unchecked == ("tanh",)


class Block(nn.Module):
    """Two layers in one module, with a registered law: checked as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.conv = nn.Upsample(scale_factor=2), nn.Conv1d(3, 3, 5, padding=2)
        self.factor = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(self.up(x)), 0.1) * self.factor


LAW = Chain([Nearest(2), Outline("conv", 5, padding=2), Pointwise("leaky", (0.1,))])


@register(Block)
def _block(block: Block) -> Chain:
    from torchparity import describe

    conv = describe(block.conv)
    assert isinstance(conv, Conv)
    return Chain([Nearest(2), conv, Pointwise("leaky", (0.1,))])


def test_a_module_with_a_law_of_several_layers_is_checked_as_a_whole() -> None:
    right, wrong = Block(), Block()
    wrong.factor = 1.0001
    for dtype in ("float32", "float64"):
        assert check(right, dtype=dtype).status == "within bound"
        assert check(right, like=LAW, dtype=dtype).ok
        assert check(wrong, dtype=dtype).status == "wrong"
    both = nn.Sequential(Block(), nn.Upsample(scale_factor=2))
    assert check(both).ok


def test_modules_are_left_as_they_were() -> None:
    module = old_weight_norm(nn.Conv1d(2, 2, 3)).train()
    state, kept = copy.deepcopy(module.state_dict()), module.weight
    check(module, dtype="float64")
    assert module.training
    assert module.weight is kept
    assert all(torch.equal(state[name], now) for name, now in module.state_dict().items())
    assert {p.dtype for p in module.parameters()} == {torch.float32}


def test_modules_that_cannot_be_copied_are_refused() -> None:
    module = nn.Conv1d(1, 1, 3)
    module.stream = (n for n in range(3))  # type: ignore[assignment]
    with pytest.raises(NotAnalysable, match=r"no copy of it .*generator.*hand over a function"):
        check(module)
    assert private_copy(nn.Conv1d(1, 1, 3)).training is False


@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("asked", [None, "float32"])
def test_weights_that_would_be_cut_to_their_real_part_are_refused(dtype: torch.dtype, asked: Any) -> None:
    module = nn.Sequential(nn.Conv1d(1, 1, 3), nn.ConvTranspose1d(1, 1, 4, 2, 1).to(dtype))
    words = rf"dtype of the weights: got {str(dtype)[6:]} \('1.weight'\); allowed: float64, float32, bfloat16, float16"
    with pytest.raises(NotAnalysable, match=words):
        check(module, dtype=asked)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_weights_of_several_dtypes_need_a_word(half: torch.dtype) -> None:
    module = nn.Sequential(nn.Conv1d(1, 1, 3), nn.ConvTranspose1d(1, 1, 4, 2, 1).to(half))
    with pytest.raises(NotAnalysable, match=f"dtype of the weights: got {str(half)[6:]} and float32; allowed: one"):
        check(module)
    assert check(module, dtype=str(half)[6:]).ok


class Elsewhere(nn.Conv1d):
    """A module that notes where it is moved."""

    def to(self, *to: Any, **options: Any) -> Any:
        moved: Any = super().to(*to, **options)
        moved.moved = to[0]
        return moved


def test_the_copy_is_on_the_cpu() -> None:
    assert private_copy(Elsewhere(1, 1, 3)).moved == "cpu"
    assert {p.device.type for p in private_copy(nn.Conv1d(1, 1, 3), "float64").parameters()} == {"cpu"}


class Emptied(nn.Module):
    """ReLU, in place."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu_(x)


register(Emptied)(lambda module: Pointwise("relu"))


@pytest.mark.parametrize(
    ("module", "status"),
    [
        (nn.Sequential(nn.Conv1d(1, 1, 3), nn.ReLU(inplace=True)), "within bound"),
        (nn.Sequential(nn.ReLU(inplace=True), nn.Conv1d(1, 1, 3)), "within bound"),
        (nn.LeakyReLU(0.2, inplace=True), "within bound"),
        (nn.ReLU(inplace=True), "exact"),
        (nn.Sequential(nn.Conv1d(1, 1, 3), Emptied(), nn.Upsample(scale_factor=2)), "within bound"),
        (nn.Sequential(nn.Conv1d(1, 2, 3), nn.ELU(inplace=True), nn.Conv1d(2, 1, 3)), "within bound"),
        (nn.Sequential(Emptied(), nn.Conv1d(1, 1, 3)), "wrong"),
        (nn.Sequential(nn.Identity(), Emptied()), "wrong"),
        (Emptied(), "wrong"),
    ],
    ids=str,
)
def test_only_the_input_that_was_given_must_not_be_changed(module: nn.Module, status: str) -> None:
    verdict = check(module)
    assert verdict.status == status
    assert ("changed in place" in verdict.reason) == (status == "wrong")


class Clipped(nn.Module):
    """Nearest ×2, but for values that only a layer before it makes."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(-(2.0**35), 2.0**35).repeat_interleave(2, -1)


register(Clipped)(lambda module: Nearest(2))


def test_layers_are_checked_on_what_the_layers_before_them_hand_on() -> None:
    assert check(Clipped()).ok
    verdict = check(nn.Sequential(build(Conv(np.full((1, 1, 1), 2.0**40, "float32"))), Clipped()))
    assert verdict.status == "wrong"
    assert verdict.reason.startswith("nearest x2: ")


class Bent(nn.Module):
    """What no one bounds, and what is not even a layer."""

    def __init__(self, bend: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.bend = bend

    def forward(self, x: Tensor) -> Tensor:
        return self.bend(torch.tanh(x))


register(Bent)(lambda module: Pointwise("tanh"))


@pytest.mark.parametrize(("bend", "words"), [(torch.Tensor.double, "dtype of the result"), (leaves, "refused")])
def test_layers_without_a_bound_must_still_be_layers(bend: Callable[[Tensor], Tensor], words: str) -> None:
    assert check(nn.Sequential(nn.Conv1d(1, 1, 3), Bent(torch.abs))).ok
    verdict = check(nn.Sequential(nn.Conv1d(1, 1, 3), Bent(bend)))
    assert verdict.status == "wrong"
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("layer", "time"), [(Conv(f32(1, 1, 50)), 50), (Conv(f32(1, 1, 50)), 59), (Conv(f32(1, 1, 3), padding=70), 70)]
)
def test_lengths_about_which_the_kernel_fits_are_tried(layer: Conv, time: int) -> None:
    right = module(layer)
    assert check(lambda x: right(x) * (2 if x.shape[-1] == time else 1), like=layer).status == "wrong"


@pytest.mark.parametrize(("largest", "dtype"), [(2**24, "float32"), (2**53, "float64")])
def test_whole_numbers_are_exact_only_up_to_the_last_bit(largest: int, dtype: str) -> None:
    """Inputs are drawn as large as sums stay exact, and sparse where even ones are too large."""
    case = Input("integer", (1, 1, 9), dtype, 0)

    def drawn(w: float) -> tuple[int, float]:
        found = Job((), nn.Identity(), Conv(np.full((1, 1, 2), w)), 1).whole(case)
        assert found is not None
        return found.size, found.share

    assert [drawn(largest / n) for n in (16, 8, 4, 2)] == [(8, 1.0), (4, 1.0), (2, 1.0), (1, 1.0)]
    assert drawn(largest) == (1, 0.25)
    assert Job((), nn.Identity(), Conv(np.full((1, 1, 2), 0.5)), 1).whole(case) is None


@pytest.mark.parametrize(
    ("factor", "wrong"), [(41, True), (82, True), (47, True), (61, True), (40, False), (64, False)]
)
def test_nearest_of_torch_picks_another_sample_for_some_factors(factor: int, wrong: bool) -> None:
    """Torch 2.13, CPU, float32: see docs/findings.md."""
    verdict = check(nn.Upsample(scale_factor=factor), dtype="float32")
    assert verdict.status == ("wrong" if wrong else "exact")
    double = check(nn.Upsample(scale_factor=factor), dtype="float64")
    assert check(nn.Upsample(scale_factor=factor), dtype="float64", gradients=False).status == "exact"
    assert double.status == ("wrong" if wrong else "exact")  # its backward looks for samples in single precision
    assert ("at gradient by input" in double.reason) == wrong
    if wrong:
        assert verdict.worst_index is not None
        assert verdict.worst_index[-1] % factor == 0
        assert check(nn.Upsample(scale_factor=factor), dtype="float32", lengths=(4,)).status == "wrong"


@pytest.mark.parametrize(
    ("f", "like", "status"),
    [
        (lambda x: F.interpolate(x, scale_factor=4), "nearest x4", "exact"),
        (lambda x: F.interpolate(x, scale_factor=3, mode="linear"), "linear x3", "within bound"),
        (lambda x: F.interpolate(x, scale_factor=4), "nearest x2 | nearest x2", "exact"),
        (lambda x: F.interpolate(x, scale_factor=4), Nearest(4), "exact"),
        (lambda x: F.conv_transpose1d(x, ramp(1, 1, 2), stride=2, dilation=3), "convt k2 s2 d3", "exact"),
        (lambda x: F.interpolate(x, scale_factor=4), "nearest x2 | conv k1 | nearest x2", "exact"),
        (nn.ConvTranspose1d(2, 3, 16, stride=8, padding=4), "convt k16 s8 p4", "within bound"),
        (nn.Conv1d(2, 4, 3, groups=2), Outline("conv", 3, groups=2), "within bound"),
        (nn.Sequential(nn.Conv1d(1, 4, 3, padding=1), PixelShuffle1d(4)), "shuffle x4 k3 p1", "within bound"),
    ],
)
def test_like_says_what_is_promised(f: Run, like: Any, status: str) -> None:
    assert check(f, like=like).status == status


def groups_ignored(x: Tensor) -> Tensor:
    return F.conv_transpose1d(x, ramp(2, 2, 4), stride=2, padding=1)


def mixed(x: Tensor) -> Tensor:
    return F.conv1d(x, ramp(2, 2, 1))


def zeros_filled(x: Tensor) -> Tensor:
    return F.conv_transpose1d(x, ramp(2, 2, 4), stride=2)


def reflected(x: Tensor) -> Tensor:
    return F.conv1d(F.pad(x, (1, 1), mode="reflect"), ramp(2, 2, 3))


@pytest.mark.parametrize(
    ("f", "like", "words"),
    [
        (nn.ConvTranspose1d(1, 1, 15, stride=8), "convt k16 s8", "stage 0: 'convt k16 s8' promised, .* k15 s8' found"),
        (nn.ConvTranspose1d(1, 1, 16, stride=8), "convt k16 s8 p4", "promised, 'convt k16 s8' found"),
        (nn.Sequential(nn.Conv1d(1, 1, 3), nn.ReLU()), "conv k3", "1 stages promised, 2 found: conv k3 | relu"),
        (nn.Sequential(nn.Conv1d(1, 1, 3), nn.ReLU()), "conv k3 | tanh", "stage 1: 'tanh' promised, 'relu' found"),
        (lambda x: F.conv1d(x, torch.ones(1, 1, 5)), "conv k3", "excess .*: -2 promised by 'conv k3', -4 found"),
        (lambda x: F.interpolate(x, scale_factor=3), "convt k4 s4", "factor: 4 promised by 'convt k4 s4', 3 found"),
        (groups_ignored, "convt k4 s2 p1 g2", "no tap at -1 from channel 1 to 0 promised by 'convt k4 .*', one found"),
        (mixed, "conv k1 g2", "no tap at 0 from channel 1 to 0"),
        (mixed, "conv k1 g2 | nearest x1 | conv k1 g2", "no tap at 0 from channel 1 to 0"),
        (mixed, Chain([Outline("conv", 1), Conv(f32(4, 3, 1))]), "4 output channels promised by .*, 2 found"),
        (mixed, Chain([Conv(f32(4, 3, 1)), Outline("conv", 1)]), "3 input channels promised by .*, 2 found"),
        (lambda x: F.conv1d(x, ramp(3, 2, 1)), "conv k1 g2", "3 channels found, 'conv k1 g2' promised, in 2 groups"),
        (zeros_filled, "convt k2 s2 d3", "no tap at 1 from channel 0 to 0"),
        (reflected, "conv k3 p1", "border: zeros promised by 'conv k3 p1', reflect found"),
        (lambda x: F.pad(x, (2, -2)), "conv k3 p1", "taps at -1 … 1 promised by 'conv k3 p1', at 2 … 2 found"),
    ],
)  # fmt: skip
def test_another_structure_than_promised_is_wrong(f: Run, like: Any, words: str) -> None:
    channels = 2 if "ramp" in getattr(getattr(f, "__code__", None), "co_names", ()) else None
    verdict = check(f, like=like, channels=channels)
    assert (verdict.status, verdict.coverage.cases) == ("wrong", 0)
    assert re.search(words.replace("|", r"\|"), verdict.reason)


def test_a_black_box_is_probed() -> None:
    kernel = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(0))

    def box(x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, kernel.transpose(0, 1).to(x.dtype), stride=2, padding=2)

    for like in (None, "convt k6 s2 p2"):
        verdict = check(box, like=like, channels=2)
        assert verdict.status == "within bound"
        form = "stretch ×2 + 6 taps (offset 2, excess 0, border zeros)"
        assert verdict.description == f"{form}, as probed from it: form and rounding are checked, not its weights"


def test_what_is_neither_described_nor_probed_is_refused_with_both_reasons() -> None:
    with pytest.raises(NotAnalysable, match=r"not described \(.*LSTM.*\) and not probed \(.*input_size"):
        check(nn.LSTM(1, 1))
    with pytest.raises(NotAnalysable, match=r"not described \(channels of a chain: got 2 .*\) and not probed \(input"):
        check(nn.Sequential(nn.Conv1d(1, 2, 3), nn.Conv1d(1, 1, 3)))
    with pytest.raises(NotAnalysable, match="weights must be probed"):
        check(lambda x: x.relu(), like="conv k1 | relu")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"dtype": "int8"}, ValueError, "dtype: got 'int8'; allowed: float64, float32, bfloat16, float16"),
        ({"autocast": "float32"}, ValueError, "autocast: got 'float32'; allowed: bfloat16, float16"),
        ({"tf32": True, "dtype": "float64"}, ValueError, "dtype under tf32: got float64; allowed: float32"),
        ({"grid": "huge"}, ValueError, "grid: got 'huge'; allowed: small, full"),
        ({"lengths": []}, ValueError, "lengths: got none; allowed: at least one input length"),
        ({"seed": -1}, ValueError, "seed: got -1; allowed: an integer >= 0"),
        ({"lengths": (0,)}, ValueError, "length: got 0; allowed: an integer >= 1"),
        ({"like": "neerest x4"}, ValueError, "did you mean 'nearest'"),
        ({"lengths": 5}, TypeError, r"lengths: got 5; allowed: a sequence of input lengths. Hint: write \[5\]"),
        ({"channels": 0}, ValueError, "channels: got 0; allowed: an integer >= 1"),
        ({"time_limit": -1}, ValueError, "time_limit: got -1; allowed: a time in s, > 0"),
        ({"time_limit": float("nan")}, ValueError, "time_limit: got nan"),
        ({"like": 4}, TypeError, "like: got int; allowed: a layer, a Chain, or words"),
    ],
)
def test_bad_options_are_refused_in_words(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check(nn.Upsample(scale_factor=2), **options)


def test_seeds_lengths_and_grids_are_heeded() -> None:
    module = nn.Conv1d(1, 1, 3, padding=1)
    few, small, full = check(module, lengths=(4, 9)), check(module), check(module, grid="full")
    assert few.coverage.cases < small.coverage.cases < full.coverage.cases
    assert dict(few.coverage.strata)["normal"] == 2
    assert check(module) == check(module)
    assert check(module, seed=1).ratio != check(module).ratio


@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_told_apart_and_repeat(kind: str) -> None:
    x = draw(kind, (2, 3, 5), "float32", seed=4)
    assert (x.shape, x.dtype.name) == ((2, 3, 5), "float32")
    assert np.array_equal(x, draw(kind, (2, 3, 5), "float32", seed=4))
    if kind == "one-hot":
        assert (np.abs(x).sum(axis=(1, 2)) == 1).all()
        everywhere = draw(kind, (15, 3, 5), "float64").reshape(15, 15)
        assert np.array_equal(everywhere.sum(axis=0), np.ones(15))
    else:
        assert not np.array_equal(x, draw(kind, (2, 3, 5), "float32", seed=5))
    assert {1, 2, 129} <= set(GRIDS["small"]) & set(GRIDS["full"])


def test_verdicts_print_as_text_data_json_and_markdown() -> None:
    verdict = check(*WRONG["bias doubled"])
    data = json.loads(verdict.to_json())
    assert data == json.loads(json.dumps(verdict.to_dict()))
    assert (data["schema"], data["status"], data["ok"]) == ("torchparity.verify/1", "wrong", False)
    assert set(data["coverage"]) == {"tiers", "cases", "outputs", "zero_share", "strata", "unchecked", "gradient_ratio"}
    lines = str(verdict).splitlines()
    assert lines[0] == f"wrong: {verdict.reason}"
    assert [line.split()[0] for line in lines[1:]] == [
        "compared",
        "arithmetic",
        "model",
        "covered",
        "inputs",
        "where",
        "looks",
        "remark",
        "worst",
        "reproduce",
    ]
    markdown = verdict.to_markdown()
    assert markdown.startswith(f"**wrong: {verdict.reason}**\n")
    assert f"| reproduce | `{verdict.repro}` |" in markdown


def test_a_ratio_without_bound_is_null_in_json() -> None:
    verdict = check(*WRONG["edge sample off by 1e-6"])
    assert verdict.ratio == math.inf
    assert json.loads(verdict.to_json())["ratio"] is None


def test_only_two_statuses_pass() -> None:
    passed = {s: Verdict(s, 0.0, None, "float32", "cpu", "", "", Coverage()).ok for s in STATUSES}
    assert passed == {s: s in ("exact", "within bound") for s in STATUSES}


def test_answers_are_alike_to_half_their_digits() -> None:
    y = np.array([1.0, np.nan, np.inf, 0.0])
    for dtype, near, far in (("float32", 3e-4, 4e-4), ("float64", 1.4e-8, 1.6e-8)):
        assert alike(y, y + np.array([near, 0, 0, 0]), dtype)
        assert not alike(y, y + np.array([far, 0, 0, 0]), dtype)
    assert not alike(y, y[:3], "float32")
    assert not alike(y, np.array([1.0, 0.0, np.inf, 0.0]), "float32")
    assert not alike(y, np.array([1.0, np.nan, -np.inf, 0.0]), "float32")


class Reused(nn.Module):
    """A layer that returns the same tensor every time."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[int, ...], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        y = x.repeat_interleave(4, -1)
        return self.kept.setdefault(tuple(y.shape), torch.empty_like(y)).copy_(y)


def test_an_output_that_the_next_call_writes_over_is_wrong() -> None:
    verdict = check(Reused(), like="nearest x4", gradients=False)
    assert (verdict.status, verdict.reason[:35]) == ("wrong", "the output of one call is written o")


def test_a_state_that_comes_back_after_two_calls_is_found() -> None:
    calls: list[int] = []

    def alternating(x: Tensor) -> Tensor:
        calls.append(1)
        return x.repeat_interleave(4, -1) * (1 + 1e-7 * (len(calls) % 2))

    assert "a state is kept between calls" in check(alternating, like="nearest x4").reason


def test_a_length_that_a_float_cuts_short_is_tried() -> None:
    def short(x: Tensor) -> Tensor:
        return F.interpolate(x, size=int(x.shape[-1] * (120 / 88)), mode="linear")

    layer = Interpolate("linear", scale_factor="120/88", recompute_scale_factor=True)
    verdict = check(short, like=layer, gradients=False)
    assert verdict.status == "wrong"
    assert re.search(r"output of shape \(1, \d, 14\), which should be \(1, \d, 15\)", verdict.reason)
