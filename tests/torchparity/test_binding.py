"""Which tensors of a module are the weights of a layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from dspref import Conv, Outline, SubpixelConv, TransposedConv
from dspref.arrays import Array
from torchparity import check, describe
from torchparity.binding import bound_by_shape, held_by, whole_twin, with_whole


class First(nn.ModuleList):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self[0](x)
        return y


def test_values_are_found_and_what_is_ambiguous_or_computed_is_left_out() -> None:
    conv = nn.Conv1d(2, 3, 5)
    assert held_by(conv, describe(conv)) == {"weight": "weight", "bias": "bias"}
    twice = First([conv, nn.Conv1d(2, 3, 5)])
    with torch.no_grad():
        twice[1].get_parameter("weight").copy_(conv.weight)
    assert held_by(twice, describe(conv)) == {"bias": "0.bias"}
    normed = nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 3, 5))
    with torch.no_grad():
        normed.parametrizations.weight.original0.mul_(2)
    assert held_by(normed, describe(normed)) == {"bias": "bias"}
    assert held_by(lambda x: x, describe(conv)) == {}


def test_a_twin_has_whole_numbers_where_weights_were_and_the_module_keeps_its_own() -> None:
    conv = nn.Conv1d(2, 3, 5)
    before, layer = conv.weight.clone(), describe(conv)
    made = whole_twin(conv, layer, held_by(conv, layer), size=3, seed=0)
    assert made is not None
    twin, whole = made
    assert torch.equal(conv.weight, before)
    assert np.abs(whole.weight).max() == 3
    assert np.array_equal(whole.weight, np.round(whole.weight))
    x = torch.randint(-4, 5, (1, 2, 9)).float()
    assert np.array_equal(twin(x).detach().numpy(), whole(x.numpy()))
    again = with_whole(conv, {"weight": "weight", "bias": "bias"}, size=3, seed=0)
    assert torch.equal(again.get_parameter("weight"), twin.get_parameter("weight"))
    assert whole_twin(conv, layer, {"weight": "weight"}, size=3, seed=0) is None


@pytest.mark.parametrize(
    ("outline", "weights", "kind"),
    [
        (Outline("convt", 4, stride=2), {"w": (3, 5, 4), "b": (5,)}, TransposedConv),
        (Outline("convt", 4, stride=2, groups=3), {"w": (3, 5, 4), "b": (15,)}, TransposedConv),
        (Outline("conv", 4), {"w": (3, 5, 4)}, Conv),
        (Outline("shuffle", 3, stride=2), {"w": (6, 5, 3), "b": (6,)}, SubpixelConv),
        (Outline("conv", 4), {"w": (3, 5, 4), "v": (3, 5, 4)}, None),
        (Outline("conv", 4), {"w": (3, 5, 4), "b": (3,), "c": (3,)}, None),
        (Outline("conv", 4), {"w": (3, 5, 6)}, None),
        (Outline("shuffle", 3, stride=2), {"w": (5, 5, 3)}, None),
    ],
)
def test_shapes_say_which_tensors_are_meant_or_none(
    outline: Outline, weights: dict[str, tuple[int, ...]], kind: Any
) -> None:
    rng = np.random.default_rng(0)
    tensors: dict[str, Array] = {name: rng.standard_normal(shape) for name, shape in weights.items()}
    bound = bound_by_shape([outline], tensors)
    if kind is None:
        assert bound is None
        return
    assert bound is not None
    (layer,) = bound.stages
    assert type(layer) is kind
    assert np.array_equal(layer.weight, tensors["w"])
    assert (layer.bias is None) == ("b" not in tensors)


class Own(nn.Module):
    """A layer of a user's own, whose weights Torch does not know by type."""

    def __init__(self, *, swap: bool = False) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(3, 2, 8))
        self.offset = nn.Parameter(torch.randn(2))
        self.swap = swap

    def forward(self, x: Tensor) -> Tensor:
        w = self.kernel.reshape(3, 2, 2, 4).flip(2).reshape(3, 2, 8) if self.swap else self.kernel
        return F.conv_transpose1d(x, w, self.offset, stride=4, padding=2)


def test_a_layer_of_ones_own_is_held_to_its_own_weights() -> None:
    verdict = check(Own(), like="convt k8 s4 p2")
    assert verdict.ok, str(verdict)
    assert verdict.description == "convt k8 s4 p2, with the module's own weights (kernel, offset)"
    counts = dict(verdict.coverage.strata)
    assert counts["integer"] > 0
    assert counts["gradient"] == 36
    swapped = check(Own(swap=True), like="convt k8 s4 p2")
    assert swapped.status == "inconclusive"  # a fault, or a layout of its own: weights alone cannot tell
    assert "does not use its own weights as they are" in swapped.reason


class Normed(nn.Module):
    """A layer that normalises its kernel by hand: at the start the parameter has the values of the weight."""

    def __init__(self) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.v / self.v.norm(), stride=2)


def test_a_parameter_that_is_normalised_on_the_way_is_not_the_weight() -> None:
    layer = TransposedConv(np.array([[[0.0, 1.0, 0.0, 0.0]]], "float32"), stride=2)
    assert held_by(Normed(), layer) == {}
    verdict = check(Normed(), like=layer)
    assert verdict.ok, str(verdict)


class Two(nn.Module):
    """Layers in a forward of their own, two of which have kernels of one shape."""

    def __init__(self, *, swapped: bool = False) -> None:
        super().__init__()
        self.a = nn.ConvTranspose1d(3, 4, 8, 4, 2)
        self.b, self.c = (nn.Conv1d(4, 4, 5, padding=2) for _ in range(2))
        self.swapped = swapped

    def forward(self, x: Tensor) -> Tensor:
        first, then = (self.c, self.b) if self.swapped else (self.b, self.c)
        y: Tensor = then(F.leaky_relu(first(self.a(x)), 0.1))
        return y


def test_a_chain_is_held_to_the_weights_of_its_layers_in_their_order() -> None:
    like = "convt k8 s4 p2 | conv k5 p2 | leaky 0.1 | conv k5 p2"
    verdict = check(Two(), like=like)
    assert verdict.ok, str(verdict)
    assert "(a.weight, a.bias, b.weight, b.bias, c.weight, c.bias)" in verdict.description
    assert check(Two(swapped=True), like=like).status == "wrong"


class Norm(nn.Module):
    """A layer with a normalised weight, trained a little, in a module of one's own."""

    def __init__(self, norm: Callable[[nn.Module], nn.Module], *, forgotten: bool = False) -> None:
        super().__init__()
        self.up = norm(nn.ConvTranspose1d(4, 2, 8, 4, 2))
        self.forgotten = forgotten
        with torch.no_grad():
            for name, p in self.up.named_parameters():
                p.mul_(1.7 if name in ("weight_g", "parametrizations.weight.original0") else 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.forgotten:
            parts = dict(self.up.named_parameters())
            v = parts.get("weight_v", parts.get("parametrizations.weight.original1"))
            assert v is not None
            return F.conv_transpose1d(x, v, parts["bias"], 4, 2)
        y: Tensor = self.up(x)
        return y


def weight_norm_of_old(module: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return old_weight_norm(module)


def pruned(module: nn.Module) -> nn.Module:
    prune.l1_unstructured(module, "weight", 0.3)  # type: ignore[no-untyped-call]
    return module


@pytest.mark.parametrize("norm", [weight_norm, weight_norm_of_old, spectral_norm, old_spectral_norm, pruned])
def test_computed_weights_are_those_that_are_used(norm: Callable[[nn.Module], nn.Module]) -> None:
    module = Norm(norm)
    before = {name: t.clone() for name, t in module.state_dict().items()}
    verdict = check(module, like="convt k8 s4 p2")
    assert verdict.ok, str(verdict)
    assert "(up.weight, up.bias)" in verdict.description
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())


@pytest.mark.parametrize("norm", [weight_norm, weight_norm_of_old])
def test_a_layer_that_forgets_the_norm_does_not_pass(norm: Callable[[nn.Module], nn.Module]) -> None:
    assert not check(Norm(norm, forgotten=True), like="convt k8 s4 p2").ok


class Scaled(nn.Module):
    """The bias, zeros at the start, is scaled when it is used; the kernel is masked by the hook of a user."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(3, 4, 8))
        self.offset = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.kernel, 0.1 * self.offset, 4, 2)


def test_zeros_are_not_taken_for_the_bias_by_their_value() -> None:
    module = Scaled()
    like = TransposedConv(module.kernel.detach().numpy(), stride=4, padding=2, bias=np.zeros(4, "float32"))
    verdict = check(module, like=like)
    assert verdict.ok, str(verdict)
    assert verdict.coverage.unchecked == ("gradient by the bias of convt k8 s4 p2",)
