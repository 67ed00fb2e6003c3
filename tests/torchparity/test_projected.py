"""Tone-free layers read as what they were drawn as: kept so, baked, initialised so; and weights that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.parametrize import is_parametrized, register_parametrization

from dspref.expected import Drawn, Fixed, Network, Unknown, tone_free_network
from torchparity.initial_laws import COMPUTED
from torchparity.nn import SubpixelConv1d
from torchparity.nn.init import icnr_
from torchparity.nn.utils import project_, remove_tone_free, tone_free, tone_free_
from torchparity.walked import walked


def decoder(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(4, 16, 3), nn.LeakyReLU(0.2), layer, nn.Tanh(), nn.Conv1d(16, 1, 3))


def transposed(factor: int = 4, length: int = 12, **given: Any) -> nn.ConvTranspose1d:
    return nn.ConvTranspose1d(16, 16, length, factor, **given)


def subpixel(**given: Any) -> SubpixelConv1d:
    return SubpixelConv1d(16, 16, 3, 4, padding=1, **given)


class Calling(nn.Module):
    """Upsamples by a functional call with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.empty(16, 16, 12).uniform_(-0.1, 0.1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.taps, stride=4)


LAYERS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "transposed": (transposed, 1),
    "of order 3": (lambda: transposed(), 3),
    "of a tap for each phase": (lambda: transposed(4, 4), 1),
    "dilated": (lambda: transposed(4, 6, dilation=3, padding=2, output_padding=1), 1),
    "in groups": (lambda: transposed(2, 5, groups=4), 2),
    "weight norm": (lambda: weight_norm(transposed()), 1),
    "sub-pixel": (subpixel, 1),
    "sub-pixel, of order 2": (subpixel, 2),
    "sub-pixel, of the other order of channels": (lambda: subpixel(order="dcr"), 1),
    "sub-pixel, dilated": (lambda: subpixel(dilation=2), 1),
    "functional": (Calling, 1),
}


def cured(name: str, bake: bool = False) -> nn.Module:
    torch.manual_seed(0)
    make, order = LAYERS[name]
    model = decoder(make())
    tone_free_(model, order)
    return remove_tone_free(model) if bake else model


def raw(name: str) -> nn.Module:
    torch.manual_seed(0)
    return decoder(LAYERS[name][0]())


def alike(a: Network, b: Network, rtol: float = 0.0, excess: float = 0.0) -> None:
    """The same nodes; of drawn ones the variances and κ₄ − 3 may differ by so much."""
    assert [(x.name, x.inputs) for x in a] == [(x.name, x.inputs) for x in b]
    for x, y in zip(a, b, strict=True):
        if isinstance(x.op, Drawn) and isinstance(y.op, Drawn):
            shape = ("op", "inputs", "outputs", "length", "factor", "dilation", "padding", "groups", "bias_law")
            assert [getattr(x.op, each) for each in shape] == [getattr(y.op, each) for each in shape]
            assert float(x.op.weight) == pytest.approx(float(y.op.weight), rel=rtol)
            assert float(x.op.bias) == pytest.approx(float(y.op.bias), rel=20 * rtol)
            assert float(x.op.kurtosis) == pytest.approx(float(y.op.kurtosis), abs=excess)
        elif isinstance(x.op, Fixed) and isinstance(y.op, Fixed):
            assert np.array_equal(x.op.h, y.op.h)
            assert (x.op.factor, x.op.offset, x.op.excess) == (y.op.factor, y.op.offset, y.op.excess)
        else:
            assert x.op == y.op


@pytest.mark.parametrize("bake", [False, True])
@pytest.mark.parametrize("name", [name for name in LAYERS if name != "in groups"])
def test_a_layer_is_nearly_the_one_that_was_drawn_and_projected(name: str, bake: bool) -> None:
    """The variance of 16² n coordinates is that of what was drawn within 4 of its errors."""
    made, due = walked(cured(name, bake)), tone_free_network(walked(raw(name)).network, order=LAYERS[name][1])
    n = sum(isinstance(node.op, Fixed) for node in due)
    alike(made.network, due, rtol=4 * (0.8 / (256 * n)) ** 0.5, excess=0.4 if n > 2 else 1.2)
    assert any("as its weights are" in remark for remark in made.remarks)


@pytest.mark.parametrize("bake", [False, True])
@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_a_channel_has_one_bias_of_the_power_that_it_has(order: str, bake: bool) -> None:
    """That of these very biases, which are means over the phases."""
    torch.manual_seed(0)
    raw = subpixel(order=order)
    assert raw.bias is not None
    nn.init.normal_(raw.bias)
    layer = tone_free(raw)
    found = {node.name: node.op for node in walked(decoder(remove_tone_free(layer) if bake else layer)).network}
    first, second = found["2~0"], found["2~1"]
    assert isinstance(first, Drawn)
    assert isinstance(second, Drawn)
    assert layer.bias is not None
    due = float(layer.bias.detach().square().mean())
    assert float(first.bias) == pytest.approx(due, rel=1e-6)
    assert second.bias == 0


@pytest.mark.parametrize("bake", [False, True])
@pytest.mark.parametrize("wider", [None, torch.float32, torch.float64])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("name", ["transposed", "sub-pixel"])
def test_whatever_format_weights_are_in_and_were(
    name: str, dtype: torch.dtype, wider: torch.dtype | None, bake: bool
) -> None:
    """Projected in one format, and cast to a wider one: never taken for what is not treated."""
    torch.manual_seed(0)
    layer = tone_free(LAYERS[name][0]().to(dtype))
    layer = remove_tone_free(layer) if bake else layer
    if layer.bias is not None:
        nn.init.zeros_(next(p for key, p in layer.named_parameters() if "bias" in key))
    found = walked(layer.to(wider) if wider else layer)
    read = any("tone-free, of order 1" in remark for remark in found.remarks)
    if bake or wider is None:
        assert read
    else:  # drawn in few bits, and projected in many: what repeats is no draw
        assert read or any(isinstance(node.op, Unknown) for node in found.network)


def test_projected_once_is_as_good_as_baked() -> None:
    model = raw("transposed")
    project_(model)
    alike(walked(model).network, walked(cured("transposed", bake=True)).network, rtol=1e-5, excess=1e-4)


@pytest.mark.parametrize("bake", [False, True])
def test_phases_that_begin_alike_are_repeated_samples(bake: bool) -> None:
    torch.manual_seed(0)
    layer = tone_free(icnr_(subpixel()))
    made = walked(decoder(remove_tone_free(layer) if bake else layer))
    found = {node.name: node.op for node in made.network}
    conv, repeated = found["2~0"], found["2"]
    assert isinstance(conv, Drawn)
    assert (conv.op, conv.length, conv.padding, conv.bias_law) == ("conv", 3, 1, "normal")
    assert isinstance(repeated, Fixed)
    assert np.array_equal(repeated.h, np.ones(4))


def test_what_a_norm_divides_is_what_it_shows() -> None:
    """Its power is that of the weights as they are: projected, and over their largest singular value."""
    torch.manual_seed(0)
    model = decoder(spectral_norm(tone_free(transposed()))).eval()
    found = next(node.op for node in walked(model).network if node.name == "2~0")
    assert isinstance(found, Drawn)
    (weight,) = (part.weight for part in model.modules() if isinstance(part, nn.ConvTranspose1d))
    assert float(found.weight) == pytest.approx(float(weight.detach().square().sum(-1).mean() / (12 - 3)), rel=1e-5)


class Halves(nn.Module):
    """Taps of equal gains, and no draw: their sums are all alike."""

    def forward(self, w: Tensor) -> Tensor:
        return w - w.reshape(16, 16, 3, 4).mean(-2).repeat(1, 1, 3) + 1


def test_what_is_computed_and_no_draw_is_told_so() -> None:
    layer = transposed()
    register_parametrization(layer, "weight", Halves())
    words = [node.op.what for node in walked(decoder(layer)).network if isinstance(node.op, Unknown)]
    assert words == [COMPUTED]


@pytest.mark.parametrize("bake", [False, True])
def test_of_very_many_taps_nothing_is_said(bake: bool) -> None:
    torch.manual_seed(0)
    for length, covered in ((65, True), (66, False)):
        layer = tone_free(nn.ConvTranspose1d(16, 16, length, 2))
        found = walked(decoder(remove_tone_free(layer) if bake else layer)).network
        assert covered != any(isinstance(node.op, Unknown) for node in found)


def test_without_values_nothing_is_known() -> None:
    with torch.device("meta"):
        model = decoder(transposed())
        tone_free_(model)
    assert any(isinstance(node.op, Unknown) for node in walked(model).network)


@pytest.mark.parametrize("name", ["transposed", "weight norm", "sub-pixel"])
def test_the_model_is_left_as_it_is(name: str) -> None:
    model = cured(name)
    x, state = torch.ones(1, 4, 20), {key: t.clone() for key, t in model.state_dict().items()}
    y = model(x)
    walked(model)
    assert torch.equal(model(x), y)
    assert is_parametrized(model.get_submodule("2"), "weight")
    assert {key: t.tolist() for key, t in model.state_dict().items()} == {k: t.tolist() for k, t in state.items()}


def test_a_layer_that_shares_the_weight_of_one_that_is_kept_so_is_not() -> None:
    torch.manual_seed(0)
    kept, plain = transposed(), transposed()
    tone_free(kept)
    plain.weight = kept.get_parameter("parametrizations.weight.original")
    assert not any("tone-free" in remark for remark in walked(decoder(plain)).remarks)


class Using(nn.Module):
    """Uses the weight of a tone-free layer otherwise than that does."""

    def __init__(self, does: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.up, self.does = tone_free(transposed()), does

    def forward(self, x: Tensor) -> Tensor:
        return self.does(x, self.up.weight)


@pytest.mark.parametrize(
    "does",
    [
        lambda x, w: F.conv_transpose1d(x, w[..., :7], stride=4),
        lambda x, w: F.conv_transpose1d(x, w, stride=4, dilation=2),
        lambda x, w: F.conv1d(x, w),
        lambda x, w: F.conv1d(x, w, stride=4),
    ],
    ids=["some taps", "another dilation", "downwards", "downwards by 4"],
)
def test_a_projected_weight_that_is_used_otherwise_is_not_covered(does: Callable[[Tensor, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    found = walked(decoder(Using(does))).network
    assert [node.op.what for node in found if isinstance(node.op, Unknown)] == [COMPUTED]


def test_a_forward_that_looks_at_its_projections_is_run_as_it_is() -> None:
    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = tone_free(transposed())

        def forward(self, x: Tensor) -> Tensor:
            return self.up(x) if is_parametrized(self.up) else x

    torch.manual_seed(0)
    assert any("tone-free" in remark for remark in walked(decoder(Looking())).remarks)


def test_a_law_that_is_asked_for_gives_no_layer_biases() -> None:
    torch.manual_seed(0)
    layer = transposed(bias=False)
    made = walked(decoder(remove_tone_free(tone_free(layer))), init=("normal", 0.02))
    assert [float(node.op.bias) for node in made.network if isinstance(node.op, Drawn) and "2~" in node.name] == [0] * 9
    assert not any("measured" in remark for remark in made.remarks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_draws_are_not_taken_for_projected_weights(dtype: torch.dtype) -> None:
    """However few, and in whatever format: small kernels meet conditions by chance."""
    for seed in range(40):
        torch.manual_seed(seed)
        layer = nn.ConvTranspose1d(1, 1, 2 + seed % 4, 2, bias=False).to(dtype)
        found = [node.name for node in walked(layer).network]
        assert not any("~" in name for name in found)


def test_in_half_precision_gains_are_the_same_or_they_are_not() -> None:
    """One tap is moved to the next number that there is."""
    torch.manual_seed(0)
    layer = remove_tone_free(tone_free(transposed(bias=False).bfloat16()))
    assert any("~" in node.name for node in walked(layer).network)
    with torch.no_grad():
        layer.weight[3, 5, 7] = torch.nextafter(layer.weight[3, 5, 7], torch.tensor(9.0).bfloat16())
    assert not any("~" in node.name for node in walked(layer).network)


def test_one_condition_that_is_met_is_chance() -> None:
    layer = nn.ConvTranspose1d(1, 1, 4, 2, bias=False).bfloat16()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, -0.125, -0.25, 0.375]))
    assert not any("~" in node.name for node in walked(layer).network)


def test_gains_that_differ_by_more_than_rounding_are_no_notch() -> None:
    """One tap of one kernel in 256 is moved by a thousandth."""
    model = cured("transposed", bake=True)
    with torch.no_grad():
        model.get_parameter("2.weight")[3, 5, 7] *= 1.001
    assert not any("~" in node.name for node in walked(model).network)
