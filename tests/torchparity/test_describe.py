"""Torch modules said as layers: every parameter kept, and what has no law refused in words."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import torchparity.describe
from dspref import (
    Chain,
    Conv,
    Interpolate,
    Layer,
    Linear,
    Nearest,
    NotAnalysable,
    Pointwise,
    SubpixelConv,
    TransposedConv,
)
from torchparity import PixelShuffle1d, describe, register
from torchparity.describe import parts
from torchparity.nn import FilterInterp1d, Interpolate1d


def old_weight_norm(module: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it is deprecated, and in use
        return nn.utils.weight_norm(module)


def new_weight_norm(module: nn.Module) -> nn.Module:
    normed: nn.Module = parametrizations.weight_norm(module)
    return normed


def test_convolution_keeps_every_parameter() -> None:
    module = nn.Conv1d(4, 6, 3, padding=2, dilation=2, groups=2, padding_mode="reflect")
    weight, bias = (t.detach().numpy() for t in (module.weight, module.bias) if t is not None)
    assert describe(module) == Conv(weight, padding=2, dilation=2, groups=2, bias=bias, padding_mode="reflect")
    described = describe(nn.Conv1d(1, 1, 4, padding="same", bias=False))
    assert isinstance(described, Conv)
    assert (described.padding, described.bias) == ("same", None)


def test_transposed_convolution_keeps_every_parameter() -> None:
    module = nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, groups=2, dilation=2)
    described = describe(module)
    assert isinstance(described, TransposedConv)
    words = [getattr(described, name) for name in ("stride", "padding", "output_padding", "groups", "dilation")]
    assert words == [3, 1, 2, 2, 2]
    assert np.array_equal(described.weight, module.weight.detach().numpy())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_weights_keep_their_dtype_and_are_copies(dtype: torch.dtype) -> None:
    module = nn.Conv1d(1, 1, 3).to(dtype)
    described = describe(module)
    assert isinstance(described, Conv)
    assert described.weight.dtype == str(dtype).removeprefix("torch.")
    before = described.weight.copy()
    with torch.no_grad():
        module.weight += 1
    assert np.array_equal(described.weight, before)


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        (nn.Upsample(scale_factor=3), Nearest(3)),
        (nn.Upsample(scale_factor=(4.0,)), Nearest(4)),
        (nn.Upsample(scale_factor=2, mode="linear"), Linear(2)),
        (nn.Upsample(scale_factor=2, mode="linear", align_corners=True), Linear(2, align_corners=True)),
        (nn.Upsample(size=(10,)), Interpolate("nearest", size=10)),
        (nn.Upsample(scale_factor=1.5), Interpolate("nearest", scale_factor="3/2")),
        (nn.Upsample(scale_factor=0.5, mode="linear"), Interpolate("linear", scale_factor="1/2")),
        (nn.Upsample(scale_factor=1.1, mode="linear"), Interpolate("linear", scale_factor=Fraction(11, 10))),
        (nn.Upsample(scale_factor=2, mode="nearest-exact"), Interpolate("nearest-exact", scale_factor=2)),
        (
            nn.Upsample(scale_factor=2.5, mode="linear", align_corners=True, recompute_scale_factor=True),
            Interpolate("linear", scale_factor=2.5, align_corners=True, recompute_scale_factor=True),
        ),
        (Interpolate1d("cubic", scale_factor=2), Interpolate("cubic", scale_factor=2)),
        (nn.ReLU(), Pointwise("relu")),
        (nn.LeakyReLU(0.2), Pointwise("leaky", (0.2,))),
        (nn.Tanh(), Pointwise("tanh")),
        (nn.Sigmoid(), Pointwise("sigmoid")),
        (nn.ELU(0.5), Pointwise("elu", (0.5,))),
        (nn.GELU(), Pointwise("gelu")),
        (nn.SiLU(), Pointwise("silu")),
        (nn.Softplus(), Pointwise("softplus")),
        (nn.GLU(dim=1), Pointwise("glu")),
        (nn.GLU(dim=-2), Pointwise("glu")),
    ],
    ids=repr,
)
def test_modules_without_weights(module: nn.Module, layer: Layer) -> None:
    assert describe(module) == layer


@pytest.mark.parametrize(
    "name", ["relu", "leaky", "tanh", "sigmoid", "elu", "gelu", "silu", "softplus", "glu", "snake"]
)
def test_pointwise_maps_are_those_of_torch(name: str) -> None:
    from torchparity import build

    x = torch.randn(2, 4, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(build(Pointwise(name))(x), Pointwise(name)(x.numpy()), rtol=1e-13, atol=1e-15)


def test_sequential_is_flattened_and_idle_modules_dropped() -> None:
    up, conv = nn.Upsample(scale_factor=2), nn.Conv1d(2, 2, 3, padding=1)
    module = nn.Sequential(nn.Identity(), nn.Sequential(up, nn.Dropout(0.5)), conv, nn.ReLU()).eval()
    assert describe(module) == Chain([Nearest(2), _layer(conv), Pointwise("relu")])
    assert [part.names for part in parts(module)] == [("1.0",), ("2",), ("3",)]


def test_a_module_that_stands_twice_runs_twice() -> None:
    relu = nn.ReLU()
    assert describe(nn.Sequential(relu, nn.Upsample(scale_factor=2), relu)) == Chain(
        [Pointwise("relu"), Nearest(2), Pointwise("relu")]
    )


def test_convolution_and_shuffle_are_one_layer() -> None:
    conv = nn.Conv1d(3, 8, 5, padding=2)
    for module in (
        nn.Sequential(conv, PixelShuffle1d(4)),
        nn.Sequential(nn.Sequential(conv), nn.Identity(), PixelShuffle1d(4)),
    ):
        described = describe(module)
        assert isinstance(described, Chain)
        (layer,) = described.stages
        assert isinstance(layer, SubpixelConv)
        x = torch.randn(1, 3, 20)
        with torch.no_grad():
            np.testing.assert_allclose(layer(x.numpy()), module(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm", [old_weight_norm, new_weight_norm])
@pytest.mark.parametrize("make", [lambda: nn.Conv1d(3, 4, 5), lambda: nn.ConvTranspose1d(3, 4, 5, stride=2)])
def test_weight_norm_is_computed_into_the_weight(
    norm: Callable[[nn.Module], nn.Module], make: Callable[[], nn.Module]
) -> None:
    module: Any = norm(make())
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(1.5)  # an old-style `weight` is stale from here on, until the next forward
    stale = module.weight
    described: Any = describe(module)
    assert module.weight is stale or norm is new_weight_norm
    x = torch.randn(1, 3, 40)
    with torch.no_grad():
        module(x)
    assert np.array_equal(described.weight, module.weight.detach().numpy())
    torch_y = module(x).detach().numpy()
    np.testing.assert_allclose(described(x.numpy()), torch_y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", [old_weight_norm, new_weight_norm])
def test_baked_weight_norm_is_a_plain_layer(norm: Callable[[nn.Module], nn.Module]) -> None:
    module = norm(nn.Conv1d(2, 2, 3))
    before = describe(module)
    if norm is old_weight_norm:
        nn.utils.remove_weight_norm(module)
    else:
        nn.utils.parametrize.remove_parametrizations(module, "weight")
    assert describe(module) == before


def test_describing_changes_nothing_even_in_training() -> None:
    module = nn.Sequential(parametrizations.spectral_norm(nn.Conv1d(2, 2, 3)), nn.ReLU()).train()
    state = copy.deepcopy(module.state_dict())
    describe(module)
    assert all(torch.equal(state[name], now) for name, now in module.state_dict().items())
    assert all(m.training for m in module.modules())


class Doubled(nn.ConvTranspose1d):
    """A transposed convolution that does something else."""

    def forward(self, x: Tensor, output_size: Any = None) -> Tensor:
        return 2 * super().forward(x, output_size)


class Plain(nn.ConvTranspose1d):
    """A transposed convolution by another name."""


class Own(nn.Module):
    """Unknown to all but this file."""

    def forward(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(3, -1)


class OwnChanged(Own):
    def forward(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(4, -1)


register(Own)(lambda module: Nearest(3))


def hooked() -> nn.Module:
    module = nn.Conv1d(1, 1, 3)
    module.register_forward_hook(lambda m, args, y: 2 * y)
    return module


def prehooked() -> nn.Module:
    module = nn.Conv1d(1, 1, 3)
    module.register_forward_pre_hook(lambda m, args: (2 * args[0],))
    return module


class Halved(nn.Conv1d):
    """A convolution whose inner step is another."""

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y: Tensor = super()._conv_forward(x, weight / 2, bias)
        return y


class Failing(nn.Module):
    """Its law fails."""


@register(Failing)
def _failing(module: Failing) -> Layer:
    return module.nothing  # type: ignore[return-value]


def patched() -> nn.Module:
    module = nn.Conv1d(1, 1, 3)
    module.forward = lambda x: x  # type: ignore[method-assign, assignment]
    return module


def test_registered_types_and_plain_subclasses_are_described() -> None:
    assert describe(Own()) == Nearest(3)
    assert describe(nn.Sequential(Own(), nn.ReLU())) == Chain([Nearest(3), Pointwise("relu")])
    torch.manual_seed(0)
    assert isinstance(describe(Plain(1, 1, 4)), TransposedConv)


REFUSALS: list[tuple[Callable[[], nn.Module], str]] = [
    (lambda: nn.LSTM(1, 1), r"got torch\.nn\.modules\.rnn\.LSTM; .*register a law for it \(torchparity\.register\)"),
    (lambda: nn.Sequential(nn.ReLU(), nn.Sequential(nn.LSTM(1, 1))), r"^submodule '1\.0': .*LSTM"),
    (lambda: nn.Conv2d(1, 1, 3), "Conv2d"),
    (lambda: Doubled(1, 1, 3), "Doubled, with its own forward; allowed: the forward of ConvTranspose1d"),
    (OwnChanged, "OwnChanged, with its own forward; allowed: the forward of Own"),
    (patched, "Conv1d, with its own forward"),
    (hooked, "Conv1d with a forward hook"),
    (prehooked, "Conv1d with a forward hook"),
    (lambda: Halved(1, 1, 3), "Halved, with its own _conv_forward; allowed: the _conv_forward of Conv1d"),
    (Failing, "^Failing: its law raised AttributeError: .*nothing"),
    (lambda: nn.Conv1d(1, 1, 3, device="meta"), "Conv1d on the meta device"),
    (lambda: nn.LazyConv1d(1, 3), "LazyConv1d, not initialised"),
    (lambda: nn.Conv1d(1, 1, 3).to(torch.float8_e5m2), r"dtype torch\.float8_e5m2; .*module\.float\(\)"),
    (lambda: PixelShuffle1d(2), "PixelShuffle1d alone; .*nn.Sequential"),
    (lambda: nn.Sequential(nn.ReLU(), PixelShuffle1d(2)), "submodule '1': .*PixelShuffle1d alone"),
    (lambda: nn.Sequential(nn.Conv1d(1, 2, 3, stride=2), PixelShuffle1d(2)), "stride 2; allowed: stride 1"),
    (lambda: nn.Upsample(size=(10, 20)), r"size=\(10, 20\); allowed: one size"),
    (lambda: nn.Upsample(), "got scale_factor=None, size=None"),
    (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), "mode='bicubic'.*Interpolate1d"),
    (lambda: nn.GELU(approximate="tanh"), "approximate='tanh'"),
    (lambda: nn.Softplus(beta=2), "beta=2"),
    (lambda: nn.GLU(), "dim=-1; allowed: dim=-2 or 1"),
    (lambda: nn.Sequential(nn.Dropout(0.5)), "Dropout"),
    (lambda: nn.ConvTranspose1d(1, 1, 3, stride=2, output_padding=2), "ConvTranspose1d: output_padding: got 2"),
]


@pytest.mark.parametrize(("make", "words"), REFUSALS)
def test_what_has_no_law_is_refused_in_words(make: Callable[[], nn.Module], words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lazy modules are announced as experimental
        module = make()
    with pytest.raises(NotAnalysable, match=words):
        describe(module)


def test_functions_are_sent_to_probe() -> None:
    with pytest.raises(TypeError, match=r"module: got function; allowed: a torch.nn.Module. Hint: torchparity.probe"):
        describe(lambda x: x)  # type: ignore[arg-type]


def test_functions_win_over_modules_of_the_same_name() -> None:
    assert torchparity.describe is describe
    assert callable(torchparity.probe)
    with pytest.raises(AttributeError, match="no attribute 'prob'"):
        _ = torchparity.prob


def test_filter_modules_say_their_taps() -> None:
    described = describe(FilterInterp1d(2, torch.ones(2, 1, 3), offset=-1, excess=3))
    assert isinstance(described, Layer)
    u = described.normal
    assert (u.L, u.offset, u.excess, u.h.shape) == (2, -1, 3, (2, 1, 3))


def _layer(module: nn.Module) -> Layer:
    described = describe(module)
    assert isinstance(described, Layer)
    return described


def test_weights_of_bfloat16_are_described_in_the_numbers_that_they_are() -> None:
    module = nn.ConvTranspose1d(2, 3, 4, stride=2).to(torch.bfloat16)
    layer = describe(module)
    assert isinstance(layer, TransposedConv)
    assert layer.weight.dtype == np.float32
    assert torch.equal(torch.from_numpy(layer.weight.copy()).to(torch.bfloat16), module.weight)
