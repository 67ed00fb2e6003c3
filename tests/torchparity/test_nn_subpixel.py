"""Sub-pixel convolution as one module: against its two layers, the reference, and one transposed convolution."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize, prune, remove_weight_norm, spectral_norm, weight_norm

from dspref import SubpixelConv
from tests.strata import STRATA
from tests.strategies import QUIET, Case, cases
from torchparity import build, check, describe
from torchparity.nn import NearestConv1d, PixelShuffle1d, SubpixelConv1d

pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
]


def gradients(module: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the output, and its gradients by input and parameters under weights that count outputs."""
    x = x.clone().requires_grad_()
    y = module(x)
    g = torch.arange(y.numel(), dtype=y.dtype).reshape(y.shape) % 7 - 3
    return [y.detach(), *torch.autograd.grad(y, [x, *module.parameters()], g)]


@pytest.mark.parametrize("stratum", STRATA["shuffle"])
def test_whole_numbers_are_equal_by_three_routes_forward_and_backward(stratum: str) -> None:
    """One module, its two layers, and the reference, in every stratum of sub-pixel convolution."""

    @QUIET(max_examples=6)
    @given(cases("shuffle", name=stratum))
    def each(case: Case) -> None:
        if 0 in case.x.shape:
            return  # Torch refuses empty signals
        layer, x = case.layer, torch.from_numpy(case.x.reshape(-1, *case.x.shape[-2:])).double()
        module: Any = build(layer)
        one, two = gradients(module, x), gradients(module.two_layers(), x)
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
        assert np.array_equal(one[0].numpy(), layer(x.numpy()))
        assert describe(module) == describe(build(describe(module)))

    each()


@pytest.mark.parametrize(
    ("K", "L", "order", "p"), [(3, 4, "crd", 1), (5, 2, "dcr", 0), (1, 3, "crd", 0), (4, 3, "dcr", 3)]
)
def test_it_is_a_transposed_convolution_of_the_interleaved_kernel(K: int, L: int, order: str, p: int) -> None:
    """Of length KL, in reverse order in time, cropped by (K − 1 − p)L samples at both ends; one bias per phase."""
    torch.manual_seed(K)
    layer = SubpixelConv1d(2, 3, K, L, p, order=order, dtype=torch.float64)
    with torch.no_grad():
        for q in layer.parameters():
            q.copy_(torch.randint(-4, 5, q.shape))
    rows = layer.weight.reshape(3, L, 2, K) if order == "crd" else layer.weight.reshape(L, 3, 2, K).transpose(0, 1)
    assert layer.bias is not None
    phases = layer.bias.reshape(3, L) if order == "crd" else layer.bias.reshape(L, 3).T
    h = rows.flip(-1).permute(2, 0, 3, 1).reshape(2, 3, K * L)
    x = torch.randint(-4, 5, (2, 2, 9)).double()
    due = F.conv_transpose1d(x, h, stride=L, padding=(K - 1 - p) * L)
    due = due + phases.repeat(1, due.shape[-1] // L)
    assert torch.equal(layer(x), due)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_no_number_is_farther_off_than_rounding_explains(dtype: str) -> None:
    torch.manual_seed(0)
    verdict = check(SubpixelConv1d(4, 2, 4, 3, 2, 2, 2, padding_mode="reflect"), dtype=dtype, lengths=[7, 12])
    assert verdict.ok, str(verdict)
    assert verdict.coverage.tiers == (0, 1, 2)


def test_a_state_of_the_convolution_that_it_replaces_is_loaded() -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d(4, 12, 5, padding=2, groups=2)
    torch.manual_seed(0)
    layer = SubpixelConv1d(4, 3, 5, 4, 2, groups=2)
    assert all(torch.equal(a, b) for a, b in zip(conv.parameters(), layer.parameters(), strict=True))
    other = SubpixelConv1d(4, 3, 5, 4, 2, groups=2)
    assert list(other.load_state_dict(conv.state_dict())) == [[], []]
    assert torch.equal(other(x := torch.randn(1, 4, 9)), PixelShuffle1d(4)(conv(x)))
    assert SubpixelConv1d(1, 1, 1, 1, bias=False).state_dict().keys() == {"weight"}


NORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "none": lambda conv: conv,
    "weight norm by hooks": weight_norm,
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "two parametrizations": lambda conv: parametrizations.spectral_norm(parametrizations.weight_norm(conv)),
}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_from_two_layers_shares_the_parameters_and_what_makes_weights_of_them(name: str, order: str) -> None:
    torch.manual_seed(0)
    conv: Any = NORMS[name](nn.Conv1d(2, 6, 4, padding="same", padding_mode="replicate")).eval()
    shuffle, x = PixelShuffle1d(3, order=order), torch.randn(1, 2, 9)
    layer = SubpixelConv1d.from_two_layers(conv, shuffle)
    for module in (copy.deepcopy(layer), layer, layer.two_layers()):
        assert torch.equal(module(x), shuffle(conv(x)))
    assert not layer.training
    assert layer.state_dict().keys() == conv.state_dict().keys()
    assert all(a is b for a, b in zip(layer.parameters(), conv.parameters(), strict=True))
    layer(x).sum().backward()
    assert all(p.grad is not None for p in conv.parameters())


@pytest.mark.parametrize(
    ("make", "remove"),
    [
        (weight_norm, remove_weight_norm),
        (parametrizations.weight_norm, lambda m: parametrize.remove_parametrizations(m, "weight")),
    ],
)
def test_a_norm_can_be_removed_and_leaves_the_convolution_as_it_is(make: Any, remove: Any) -> None:
    conv = make(nn.Conv1d(2, 6, 3))
    x = torch.randn(1, 2, 9)
    due = conv(x)
    layer = SubpixelConv1d.from_two_layers(conv, 3)
    remove(layer)
    assert layer.state_dict().keys() == {"weight", "bias"}
    assert torch.equal(layer(x), PixelShuffle1d(3)(due))
    assert torch.equal(conv(x), due)


class Halved(nn.Conv1d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / 2


class Louder(PixelShuffle1d):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def hooked() -> nn.Conv1d:
    conv = nn.Conv1d(2, 6, 3)
    conv.register_forward_hook(lambda m, args, y: y)
    return conv


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "not a convolution": (lambda: SubpixelConv1d.from_two_layers(nn.Linear(2, 2), 2), TypeError, "got Linear"),  # type: ignore[arg-type]
    "a forward of its own": (lambda: SubpixelConv1d.from_two_layers(Halved(2, 6, 3), 3), TypeError, "got Halved"),
    "a shuffle of its own": (
        lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(2, 6, 3), Louder(3)),
        TypeError,
        "got Louder",
    ),
    "no shuffle": (lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(2, 6, 3), "3"), TypeError, "shuffle: got str"),  # type: ignore[arg-type]
    "stride": (lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(2, 6, 3, 2), 3), ValueError, "got stride 2"),
    "channels": (
        lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(2, 6, 3), 4),
        ValueError,
        "got 6; allowed: a multi",
    ),
    "lazy": (lambda: SubpixelConv1d.from_two_layers(nn.LazyConv1d(6, 3), 3), ValueError, "not there yet"),
    "hook": (lambda: SubpixelConv1d.from_two_layers(hooked(), 3), ValueError, "got hook <lambda>"),
    "old spectral norm": (
        lambda: SubpixelConv1d.from_two_layers(spectral_norm(nn.Conv1d(2, 6, 3)), 3),
        ValueError,
        "got hook SpectralNorm",
    ),
    "pruned": (
        lambda: SubpixelConv1d.from_two_layers(prune.l1_unstructured(nn.Conv1d(2, 6, 3), "weight", 0.5), 3),  # type: ignore[no-untyped-call]
        ValueError,
        "got hook L1Unstructured",
    ),
    "no factor": (lambda: SubpixelConv1d(1, 1, 1, 0), ValueError, "upscale_factor: got 0"),
    "no taps": (lambda: SubpixelConv1d(1, 1, 0, 1), ValueError, "kernel_size: got 0"),
    "groups": (
        lambda: SubpixelConv1d(3, 2, 3, 4, groups=2),
        ValueError,
        "groups: got 2; allowed: a common divisor of 3",
    ),
    "padding": (lambda: SubpixelConv1d(1, 1, 1, 1, -1), ValueError, "padding: got -1"),
    "padding in words": (lambda: SubpixelConv1d(1, 1, 1, 1, "full"), ValueError, "padding"),
    "padding mode": (lambda: SubpixelConv1d(1, 1, 1, 1, padding_mode="zero"), ValueError, "did you mean 'zeros'"),
    "order": (lambda: SubpixelConv1d(1, 1, 1, 1, order="rcd"), ValueError, "order"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_words(name: str) -> None:
    make, error, words = REFUSED[name]
    with pytest.raises(error, match=re.escape(words)):
        make()


def test_it_says_what_it_is() -> None:
    words = "SubpixelConv1d(4, 2, kernel_size=3, upscale_factor=5, padding='same', groups=2, order='dcr', bias=False)"
    layer = SubpixelConv1d(4, 2, 3, 5, "same", groups=2, order="dcr", bias=False)
    assert repr(layer) == words
    found = describe(layer)
    assert isinstance(found, SubpixelConv)
    assert (found.factor, found.padding, found.groups, found.order, found.bias) == (5, "same", 2, "dcr", None)
    assert torch.equal(eval(words)(x := torch.zeros(1, 4, 3)), layer(x))


def test_sizes_and_dtypes_are_taken_and_refused_as_by_nearest_convolutions() -> None:
    """Tuples of one number, as Torch's own layers of one dimension have them."""
    kinds: tuple[Any, ...] = NearestConv1d, SubpixelConv1d
    for kind in kinds:
        one, other = kind(2, 2, 9, 4, 3, 2), kind(2, 2, (9,), 4, (3,), (2,))
        assert repr(one) == repr(other)
        assert other(torch.zeros(1, 2, 20)).shape == one(torch.zeros(1, 2, 20)).shape
        with pytest.raises(ValueError, match=r"kernel_size: got \(9, 9\); allowed: an integer >= 1\."):
            kind(2, 2, (9, 9), 4)
        with pytest.raises(TypeError, match=r"dtype: got torch.int64; allowed: a (real )?floating-point dtype\.$"):
            kind(2, 2, 9, 4, dtype=torch.int64)
    assert SubpixelConv1d(2, 2, 9, 4, dtype=torch.complex64).weight.is_complex()
