"""Initialisations without tones: ICNR, and random draws whose power is that of Torch's, by exact expectation."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations as norms
from torch.nn.utils import prune, weight_norm
from torch.nn.utils.parametrize import register_parametrization

from dspref.designs.projection import tone_free as exactly
from tests.torchparity.test_nn_utils_parametrize import UNIT, due, off, weight
from tests.torchparity.test_nn_utils_projection import multiples, rows_of, slack, solved
from torchparity.describe import describe
from torchparity.nn import PixelShuffle1d, SubpixelConv1d
from torchparity.nn.init import icnr_, tone_free_init_
from torchparity.nn.utils import ToneFreeRows, ToneFreeTaps, tone_free


@pytest.mark.parametrize("order", ["crd", "dcr"])
@pytest.mark.parametrize("L", [1, 2, 3])
def test_icnr_makes_nearest_neighbour_interpolation(order: str, L: int) -> None:
    """Bit by bit: the sub-pixel convolution repeats every sample of the convolution with its first sub-kernel."""
    torch.manual_seed(L)
    conv = nn.Conv1d(2, 3 * L, 5, padding=2, bias=False)
    assert icnr_(conv.weight, L, order=order) is conv.weight
    first = conv.weight[::L] if order == "crd" else conv.weight[:3]
    x = torch.randn(1, 2, 11)
    repeated = F.conv1d(x.double(), first.double(), padding=2).repeat_interleave(L, -1)
    assert (
        SubpixelConv1d.from_two_layers(conv, PixelShuffle1d(L, order=order)).double()(x.double()) - repeated
    ).abs().max() <= 10 * 2.0**-52
    gains = describe(nn.Sequential(conv, PixelShuffle1d(L, order=order))).stages[0].normal.phase_gains  # type: ignore[union-attr]
    assert (gains == gains[:1]).all()
    assert conv.weight.std() > 0.1


def test_icnr_fills_with_what_is_given() -> None:
    def count(kernel: Tensor) -> Tensor:
        return kernel.copy_(torch.arange(1.0, kernel.numel() + 1).reshape(kernel.shape))

    assert icnr_(torch.empty(4, 1, 2), 2, initialise=count).tolist() == [[[1, 2]], [[1, 2]], [[3, 4]], [[3, 4]]]
    half = icnr_(torch.empty(4, 1, 2, dtype=torch.bfloat16), 2, initialise=count)
    assert half.dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"weight: got shape \(3, 1, 2\); allowed: \(out·2, in/groups, taps\)"):
        icnr_(torch.empty(3, 1, 2), 2)


def trace(K: int, s: int, p: int) -> Fraction:
    """Return the trace of the projection, exactly: of ``C(CᵀC)⁻¹Cᵀ``, C the tone-free taps."""
    C = multiples(K, s, p)
    total = Fraction()
    for n in range(K):
        rows = [[Fraction(int(v)) for v in row] for row in np.column_stack([C @ C.T, C[:, n]])]
        total += solved(rows) @ C[:, n]
    return total


@pytest.mark.parametrize(("K", "s", "p"), [(8, 4, 1), (16, 8, 2), (7, 3, 1), (5, 2, 3), (3, 3, 1)])
def test_the_expected_power_is_that_of_the_plain_draw(K: int, s: int, p: int) -> None:
    """Taps of variance 1: ``E‖ah‖² = a² Σ_n ‖P e_n‖² = a² tr P``, of which each route gives K."""
    units = torch.eye(K, dtype=torch.float64)
    assert trace(K, s, p) == K - p * (s - 1)
    if p == 1:
        assert sum(exactly([int(i == n) for i in range(K)], s)[n] for n in range(K)) == K - (s - 1)
    made = [tone_free_init_(torch.empty(1, 1, K).double(), s, order=p, initialise=setter(unit)) for unit in units]
    power = float(sum(h.square().sum() for h in made))
    n = np.arange(K)
    room = K * (2 * slack(rows_of(n - (K - 1) / 2, n % s, p), 1.0) + K * 2.0**-53)  # by which K squares may be off
    assert abs(power - K) <= room * K / (K - p * (s - 1))
    plain = [ToneFreeTaps(K, s, order=p)(unit) for unit in units]
    assert abs(float(sum(h.square().sum() for h in plain)) - (K - p * (s - 1))) <= room


def setter(value: Tensor) -> Any:
    return lambda h: h.copy_(value.expand_as(h))


@pytest.mark.parametrize(("K", "L", "p"), [(3, 4, 1), (2, 3, 2)])
def test_the_expected_power_of_a_subpixel_convolution(K: int, L: int, p: int) -> None:
    total, scaled = 0.0, 0.0
    for unit in torch.eye(L * K, dtype=torch.float64):
        layer = SubpixelConv1d.from_two_layers(nn.Conv1d(1, L, K, dtype=torch.float64), L)
        tone_free_init_(layer, order=p, initialise=setter(unit.reshape(L, 1, K)))
        scaled += float(weight(layer).square().sum())
        total += float(ToneFreeRows(K, L, order=p)(unit.reshape(L, 1, K)).square().sum())
    r, k = np.divmod(np.arange(L * K), K)
    room = L * K * (2 * slack(rows_of(r - k * L + (K - 1) * L / 2, r, p), 1.0) + L * K * 2.0**-53)
    assert abs(total - (L * K - p * (L - 1))) <= room
    assert abs(scaled - L * K) <= room * L * K / (L * K - p * (L - 1))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("norm", [lambda m: m, weight_norm, norms.weight_norm])
@pytest.mark.parametrize("kept", [False, True])
def test_a_layer_is_tone_free_and_varies(kept: bool, norm: Any) -> None:
    """Under either norm, and kept tone-free before: what is learned is then what is drawn."""
    torch.manual_seed(0)
    layer = nn.ConvTranspose1d(6, 5, 16, 8)
    norm(layer)
    if kept:
        tone_free(layer)
    before = weight(layer).clone()
    assert tone_free_init_(layer) is layer
    with torch.no_grad():
        layer(torch.ones(1, 6, 3))
    w = weight(layer)
    assert off(layer) <= due(layer, UNIT[torch.float32]) + 16 * UNIT[torch.float32]  # rounded, normed and rounded
    assert not torch.equal(w, before)
    bound = math.sqrt(16 / 9 / (5 * 16))  # each tap is a sum of uniform ones within 1/√fan_in, projected, scaled
    assert 0.3 * bound < float(w.std()) < bound
    assert layer.bias is not None
    bias = layer.bias.detach()
    assert len(set(bias.tolist())) == 5
    assert float(bias.abs().max()) <= 1 / math.sqrt(5 * 16)


def test_a_layer_that_is_kept_so_is_drawn_of_its_order() -> None:
    """What is learned is its own projection then: taps are rounded once, and off by sums over 16 of them."""
    layer = tone_free(nn.ConvTranspose1d(6, 5, 16, 8), order=2)
    tone_free_init_(layer)
    (learned,) = (p.detach() for p in layer.parameters() if p.ndim == 3)
    assert (weight(layer) - learned).abs().max() <= UNIT[torch.float32] * 2 * learned.abs().sum(-1).max()


@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_phases_begin_with_one_bias(order: str) -> None:
    layer = tone_free_init_(SubpixelConv1d.from_two_layers(nn.Conv1d(2, 12, 3), PixelShuffle1d(4, order=order)))
    y = layer(torch.zeros(1, 2, 5)).detach()
    assert (y == y[..., :1]).all()
    assert len(set(y[0, :, 0].tolist())) == 3


SUBPIXEL: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Conv1d(4, 6, 3),
    "weight norm": lambda: norms.weight_norm(nn.Conv1d(4, 6, 3)),
    "older weight norm": lambda: weight_norm(nn.Conv1d(4, 6, 3)),
    "kept tone-free": lambda: tone_free(SubpixelConv1d(4, 3, 3, 2)),
    "dcr": lambda: SubpixelConv1d(4, 3, 3, 2, order="dcr"),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("name", SUBPIXEL)
def test_icnr_takes_layers_whatever_computes_their_weight(name: str) -> None:
    """All phases of a layer have the same taps and biases, to rounding of g·v/‖v‖, or of a projection."""
    torch.manual_seed(0)
    layer: Any = SUBPIXEL[name]()
    assert icnr_(layer, 2) is layer
    layer(torch.ones(1, 4, 9))
    taps, biases = layer.weight.detach(), layer.bias.detach()
    first, second = (taps[:3], taps[3:]) if name == "dcr" else (taps[0::2], taps[1::2])
    assert (first - second).abs().max() <= 16 * UNIT[torch.float32] * taps.abs().max()  # norms of 12 taps
    assert first.unique().numel() == 36
    phases = biases.reshape(2, 3) if name == "dcr" else biases.reshape(3, 2).T
    assert torch.equal(phases[0], phases[1])


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("name", ["weight norm", "older weight norm", "kept tone-free"])
def test_weights_that_a_layer_computes_are_not_filled_in_vain(name: str) -> None:
    layer: Any = SUBPIXEL[name]()
    for fill in (icnr_, tone_free_init_):
        with pytest.raises(ValueError, match=r"computed of other tensors.* Hint: give the layer"):
            fill(layer.weight, 2)
    conv = nn.Conv1d(4, 6, 3)
    icnr_(conv.weight[:2], 2)  # a part of a parameter is no other
    assert torch.equal(conv.weight[0], conv.weight[1])


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
@pytest.mark.parametrize("fill", [icnr_, tone_free_init_])
def test_what_cannot_be_filled_is_refused(fill: Any) -> None:
    with pytest.raises(TypeError, match=r"dtype of the weight: got torch\.int32"):
        fill(torch.zeros(4, 1, 8, dtype=torch.int32), 2)
    with pytest.raises(ValueError, match="weight: got not initialised yet"):
        fill(nn.LazyConv1d(4, 8).weight, 2)
    with pytest.raises(ValueError, match=r"weight: got shape \(4,\)"):
        fill(torch.zeros(4), 2)
    with pytest.raises(TypeError, match=r"got NoneType; allowed: (a Conv1d|ConvTranspose1d)"):
        fill(None, 2)
    ghost = torch.empty(4, 1, 8, device="meta")
    assert fill(ghost, 2) is ghost


def test_icnr_needs_a_factor_that_fits() -> None:
    with pytest.raises(ValueError, match="factor: got 3; allowed: 2, the layer's own"):
        icnr_(SubpixelConv1d(4, 3, 3, 2), 3)
    with pytest.raises(ValueError, match="factor: got None"):
        icnr_(nn.Conv1d(4, 6, 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.ConvTranspose1d(1, 1, 4, 2, dilation=2), "dilation: got 2 for stride 2"),
        (lambda: SubpixelConv1d(2, 3, 3, 2, groups=2), "groups: got 2 for 3 channels"),
        (lambda: prune.identity(nn.ConvTranspose1d(1, 1, 4, 2), "weight"), "computed by a hook"),  # type: ignore[no-untyped-call]
        (lambda: register_parametrization(nn.ConvTranspose1d(1, 1, 4, 2), "weight", nn.Tanh()), "by Tanh"),
    ],
)
def test_layers_that_would_make_tones_all_the_same_are_refused(make: Callable[[], nn.Module], words: str) -> None:
    layer = make()
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(ValueError, match=words):
        tone_free_init_(layer)
    assert all(torch.equal(v, before[key]) for key, v in layer.state_dict().items())


def test_weights_of_functional_calls_need_their_stride() -> None:
    w = nn.Parameter(torch.empty(2, 2, 8))
    assert tone_free_init_(w, 4, order=2) is w
    assert w.requires_grad
    with pytest.raises(ValueError, match="stride: got None"):
        tone_free_init_(w)
    with pytest.raises(ValueError, match="order: got 3; allowed: at most 2"):
        tone_free_init_(w, 4, order=3)
    with pytest.raises(TypeError, match="layer: got Linear"):
        tone_free_init_(nn.Linear(1, 1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("p", [1, 2])
def test_half_precision_begins_with_equal_gains(dtype: torch.dtype, p: int) -> None:
    """Exactly: taps are whole multiples of one unit, so that double precision sums them as they are."""
    torch.manual_seed(3)
    for K, s in ((16, 8), (11, 4), (9, 3)):
        layer: nn.Module = tone_free_init_(nn.ConvTranspose1d(3, 2, K, s, dtype=dtype), order=p)
        rows: nn.Module = tone_free_init_(SubpixelConv1d(3, 2, 4, s, dtype=dtype), order=p)
        alone = tone_free_init_(torch.empty(3, 2, K, dtype=dtype), s, order=p, initialise=nn.init.normal_)
        for w in (weight(layer).double(), alone.double()):
            gains = torch.stack([w[..., r::s].sum(-1) for r in range(s)])
            assert (gains == gains[:1]).all()
            assert w.any()
        gains = weight(rows).double().sum(-1).reshape(2, s, 3)
        assert (gains == gains[:, :1]).all()


def test_a_layer_has_a_stride_of_its_own() -> None:
    for layer in (nn.ConvTranspose1d(1, 1, 8, 4), SubpixelConv1d(1, 1, 3, 2)):
        kept = layer.weight.detach().clone()
        with pytest.raises(ValueError, match=r"stride: got 4; allowed: none beside a layer\. Hint: it has its own"):
            tone_free_init_(layer, 4)
        assert torch.equal(layer.weight, kept)
