"""Black boxes: what impulses find is what describe says, and what has no normal form is refused with a reason."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from torch import Tensor, nn
from torch.nn import functional as F

from dspref import Conv, NotAnalysable, StretchFilter, SubpixelConv, TransposedConv
from tests.strategies import QUIET, Case, cases
from tests.torchparity.test_describe import new_weight_norm, old_weight_norm
from torchparity import PixelShuffle1d, build, describe, probe
from torchparity.calls import Run
from torchparity.probe import trimmed


def channels(case: Case) -> int:
    return int(case.x.shape[-2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["convt", "conv", "shuffle", "nearest", "linear", "filter"])
def test_probe_finds_what_describe_says(kind: str, dtype: str) -> None:
    rng = np.random.default_rng(0)

    @QUIET(max_examples=40)
    @given(cases(kind))
    def each(case: Case) -> None:
        layer = case.filled(rng.standard_normal).changed(lambda a: a.astype(dtype)).layer
        assume(getattr(layer, "stride", 1) == 1 or kind == "convt")
        assume(not getattr(layer, "align_corners", False))
        found = probe(build(layer), channels=channels(case), dtype=dtype, reach=64)
        expected = trimmed(layer.normal, channels=channels(case), dtype=dtype)
        if kind == "linear":  # Torch computes positions in floating point, which may make one tap more, near 0
            same = [(u.L, u.excess, u.border) for u in (found.filter, expected)]
            assert same[0] == same[1]
            x = rng.standard_normal((channels(case), 20))
            np.testing.assert_allclose(found(x), layer(x), atol=300 * float(np.finfo(dtype).eps))
        else:
            assert found.filter == expected
        bias = layer.bias_phases
        assert (bias is None) == (found.bias_phases is None)
        if bias is not None:
            assert np.array_equal(np.broadcast_to(np.asarray(found.bias_phases), bias.shape), bias)

    each()


def test_taps_are_exact_beside_a_large_offset() -> None:
    h = np.array([[[1e-3, -1.0, 0.3]]])
    found = probe(build(Conv(h, bias=np.array([1e3])), dtype="float32"))
    assert np.array_equal(found.filter.h[0, 0, ::-1], h.astype("float32")[0, 0])
    assert np.array_equal(np.asarray(found.bias_phases), np.array([[1e3]], "float32"))


def test_a_probe_does_what_the_box_does() -> None:
    module = nn.ConvTranspose1d(2, 3, 7, stride=3, padding=1, dtype=torch.float64)
    x = torch.randn(2, 2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        np.testing.assert_allclose(probe(module)(x.numpy()), module(x), atol=1e-13)


def test_a_sub_pixel_bias_is_periodic() -> None:
    conv = nn.Conv1d(1, 4, 3, padding=1)
    found = probe(nn.Sequential(conv, PixelShuffle1d(4)))
    assert conv.bias is not None
    assert np.array_equal(np.asarray(found.bias_phases), conv.bias.detach().numpy()[None])
    assert (found.factor, found.dtype) == (4, "float32")


@pytest.mark.parametrize("norm", [old_weight_norm, new_weight_norm])
def test_weight_norm_is_seen_through(norm: Callable[[nn.Module], nn.Module]) -> None:
    module = norm(nn.ConvTranspose1d(2, 3, 8, stride=4, padding=2))
    described = describe(module)
    assert isinstance(described, TransposedConv)
    assert probe(module).filter == trimmed(described.normal)


def test_modules_are_left_as_they_were() -> None:
    module = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.BatchNorm1d(2), nn.Dropout(0.5)).train()
    state = copy.deepcopy(module.state_dict())
    probe(module)
    assert all(m.training for m in module.modules())
    assert all(torch.equal(state[name], now) for name, now in module.state_dict().items())


def test_collapsed_chains_have_a_normal_form_where_nothing_is_cropped() -> None:
    module = nn.Sequential(
        nn.ConvTranspose1d(1, 2, 4, 2, bias=False), nn.ConvTranspose1d(2, 1, 6, 3, bias=False)
    ).double()
    first, then = (describe(part) for part in module)
    assert isinstance(first, TransposedConv)
    assert isinstance(then, TransposedConv)
    expected = then.normal @ first.normal
    found = probe(module).filter
    np.testing.assert_allclose(found.h, expected.h, atol=1e-15)
    assert (found.L, found.offset, found.excess) == (6, expected.offset, expected.excess)


def test_trimmed_forms_are_one_form() -> None:
    a = StretchFilter(2, np.array([[[0, 1, 2]]]), offset=1)
    b = StretchFilter(2, np.array([1, 2, 0, 0]), offset=0, border="circular")
    assert trimmed(a) == trimmed(b) == StretchFilter(2, np.array([[[1, 2]]]))
    assert trimmed(StretchFilter(1, np.ones(2), border="reflect")).border == "reflect"
    assert trimmed(StretchFilter(1, np.zeros(2), offset=1)) == trimmed(StretchFilter(1, np.zeros(3), offset=1))
    assert trimmed(StretchFilter(1, np.ones(1)), channels=2).h.tolist() == [[[1], [0]], [[0], [1]]]


def test_trimming_keeps_what_a_chain_has_unsettled() -> None:
    first = TransposedConv(np.ones((1, 1, 3), int), stride=2, padding=6).normal
    u = TransposedConv(np.arange(1, 6)[None, None], stride=2, padding=1).normal @ first
    assert u.settle != (0, 0)
    assert trimmed(u).steady(20) == u.steady(20)
    assert replace(trimmed(u), settle=(0, 0)).steady(20) != u.steady(20)


@pytest.mark.parametrize("device", ["lazy", "meta"])
def test_weights_that_are_not_there_are_refused_in_words(device: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lazy modules are announced as experimental
        module = nn.LazyConv1d(1, 3) if device == "lazy" else nn.Conv1d(1, 1, 3, device="meta")
    words = {"lazy": "'weight' of LazyConv1d, not initialised", "meta": "'weight' of Conv1d on the meta device"}
    for dtype in (None, "float32"):
        with pytest.raises(NotAnalysable, match=f"weights: got {words[device]}"):
            probe(module, dtype=dtype)


class Shapeless(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[0]


def leaves(x: Tensor) -> Tensor:
    raise SystemExit(0)


REFUSALS: list[tuple[Run, str]] = [
    (lambda x: x + torch.rand_like(x), "^random output: .*two answers to one input"),
    (nn.ReLU(), "^not linear: "),
    (nn.Tanh(), "^not linear: "),
    (lambda x: x * x, "^not linear: "),
    (lambda x: F.instance_norm(x), "^not linear: "),
    (nn.Conv1d(1, 1, 3, stride=2), "^length law not affine: .*1025 → 512.*lower the rate"),
    (lambda x: x[..., : 2 ** int(np.log2(x.shape[-1]))], "^length law not affine"),
    (lambda x: x * torch.linspace(0, 1, x.shape[-1]), "^not L-periodic: .*one sample later"),
    (lambda x: x * (1 + (torch.arange(x.shape[-1]) == 40)), "^not L-periodic: .*far from the borders"),
    (lambda x: x.clamp(-5.5, 5.5), "^not linear: "),  # noise passes, its double is clipped
    (lambda x: torch.tanh(F.conv1d(x, torch.ones(1, 1, 3), torch.ones(1), padding=1)), "^not linear: "),
    (lambda x: x[..., : 4 + int(x[0, 0, 0] > 0)], "^length law not affine: .*depends on the values"),
    (leaves, "SystemExit: 0"),
    (lambda x: x.cumsum(-1), "^support not finite: .*longer than 512 input samples.*reach="),
    (lambda x: x - x.mean(-1, keepdim=True), "^support not finite"),
    (nn.Upsample(scale_factor=3, mode="linear", align_corners=True), "^not L-periodic"),
    (nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.Conv1d(1, 1, 3, padding=1)), "^offset not periodic: "),
    (
        nn.Sequential(nn.Conv1d(1, 1, 3, padding=1, bias=False), nn.Conv1d(1, 1, 3, padding=1, bias=False)),
        "^unknown border rule: .*none of zeros, reflect, replicate, circular",
    ),
    (lambda x: x * torch.nan, "NaN or infinity"),
    (lambda x: (x, x), "got .*tuple; allowed: a tensor"),
    (Shapeless(), r"shape \(1, 1025\); allowed: \(1, channel, time\)"),
    (lambda x: x.double(), r"dtype of the result: got torch\.float64"),
    (lambda x: x.mul_(2), "changed in place"),
    (lambda x: F.conv1d(x, torch.ones(1, 3, 1)), "a signal that the box takes.*say channels="),
]


@pytest.mark.parametrize(("box", "words"), REFUSALS)
def test_what_has_no_normal_form_is_refused_with_the_reason(box: Run, words: str) -> None:
    with pytest.raises(NotAnalysable, match=words):
        probe(box)


def test_bad_parameters_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="channels: got 0; allowed: an integer >= 1"):
        probe(lambda x: x, channels=0)
    with pytest.raises(ValueError, match="dtype: got 'float8'; allowed: float32, float64"):
        probe(lambda x: x, dtype="float8")
    with pytest.raises(NotAnalysable, match=r"dtype of the weights: got bfloat16 \('weight'\); allowed: float32"):
        probe(nn.Conv1d(1, 1, 3, dtype=torch.bfloat16))


def test_a_longer_reach_sees_longer_kernels() -> None:
    layer = SubpixelConv(np.ones((2, 1, 2)), 2, dilation=700)
    with pytest.raises(
        NotAnalysable, match=r"far from the borders.*if its memory is only longer, give a larger reach="
    ):
        probe(build(layer), reach=512)
    assert probe(build(layer), reach=1400).filter == trimmed(layer.normal)
