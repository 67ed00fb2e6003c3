"""Wavelet upsampling: against filters and interleaving as two layers, the reference, and its own analysis."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref import Chain, interleave, tone_lines
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis
from torchparity import build, check, describe
from torchparity.nn import PixelShuffle1d, WaveletUpsample1d
from torchparity.roundoff import roundoff

SHAPES = [(1, 1), (1, 4), (2, 2), (3, 2), (4, 5)]


def whole_lifting(J: int, I: int, channels: int = 2) -> WaveletUpsample1d:
    """Return a learnable one whose filters are whole numbers."""
    made = WaveletUpsample1d(channels, "learnable", begin="lazy", taps=(J, I), dtype=torch.float64)
    torch.manual_seed(10 * J + I)
    with torch.no_grad():
        for h in made.parameters():
            h.copy_(torch.randint(-3, 4, h.shape))
        made.scales.copy_(torch.tensor([1.0, -1.0]))
    return made


def whole(*shape: int) -> Tensor:
    return torch.randint(-5, 6, shape).double()


def by_channel(h_a: Tensor, h_d: Tensor, channels: int) -> Tensor:
    """Return the weight (C, 2C, taps) that filters each approximation by h_a, and its detail by h_d."""
    eye = torch.eye(channels, dtype=h_a.dtype)
    return torch.cat([eye[..., None] * h_a, eye[..., None] * h_d], 1)


@pytest.mark.parametrize(("kind", "scale"), [("lazy", None), ("haar", 1.0), ("haar", -2.0)])
def test_without_neighbours_it_is_a_convolution_of_length_1_and_a_shuffle(kind: str, scale: float | None) -> None:
    layer = WaveletUpsample1d(3, kind, scale=scale)
    s = torch.tensor([[1.0, 0.0], [0.0, 1.0]] if scale is None else [[scale, scale], [scale, -scale]]).double()
    conv = nn.Conv1d(6, 6, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        conv.weight.copy_(torch.cat([by_channel(row[:1], row[1:], 3) for row in s]))
    two = nn.Sequential(conv, PixelShuffle1d(2, order="dcr"))
    x = whole(2, 6, 9).requires_grad_()
    y = layer(x)
    g = whole(*y.shape)
    assert torch.equal(y, two(x))
    assert torch.equal(torch.autograd.grad(y, x, g)[0], torch.autograd.grad(two(x), x, g)[0])
    reference: Any = describe(layer)
    assert reference == (LazySynthesis(3) if scale is None else HaarSynthesis(3, scale=scale))
    assert np.array_equal(y.detach().numpy(), reference(x.detach().numpy()))


@pytest.mark.parametrize(("J", "I"), SHAPES)
@pytest.mark.parametrize("time", [1, 2, 11])
def test_learnable_is_two_filters_by_channel_and_interleaving(J: int, I: int, time: int) -> None:
    """Each step a convolution by groups, zeros beyond the ends, then the samples in turn: bit by bit, gradients too."""
    layer = whole_lifting(J, I)
    x = whole(2, 4, time).requires_grad_()
    a, d = x[:, :2] * 1.0, x[:, 2:] / -1.0
    u, p = (h[None, None].expand(2, 1, -1) for h in (layer.update, layer.predict))
    e = a - F.conv1d(F.pad(d, (I // 2, I - 1 - I // 2)), u, groups=2)
    o = d + F.conv1d(F.pad(e, ((J - 1) // 2, J - 1 - (J - 1) // 2)), p, groups=2)
    two = torch.zeros(2, 2, 2 * time, dtype=torch.float64)
    two[..., ::2], two[..., 1::2] = e, o
    y, g, asked = layer(x), whole(2, 2, 2 * time), [x, layer.predict, layer.update]
    assert torch.equal(y, two)
    gradients = (torch.autograd.grad(out, asked, g, retain_graph=True) for out in (y, two))
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    reference: Any = describe(layer)
    assert np.array_equal(y.detach().numpy(), reference(x.detach().numpy()))


@pytest.mark.parametrize(("J", "I"), SHAPES)
def test_away_from_the_ends_it_is_a_bank_of_two_filters(J: int, I: int) -> None:
    """By the polyphase matrix of the reference: even and odd phase of a convolution each, borders apart."""
    layer, x = whole_lifting(J, I), whole(1, 4, 24)
    law: Any = describe(layer)
    form = law.normal
    h = torch.from_numpy(form.h.astype(float))
    y = F.conv_transpose1d(x, h.transpose(0, 1), stride=2)[..., form.offset : form.offset + 48]
    inside = form.steady(24)
    assert inside.stop - inside.start > 20
    assert torch.equal(layer(x)[..., inside.start : inside.stop], y[..., inside.start : inside.stop])


@pytest.mark.parametrize("begin", ["lazy", "haar", "spline"])
@pytest.mark.parametrize("taps", [(2, 2), (5, 3)])
def test_it_begins_as_a_known_wavelet(begin: str, taps: tuple[int, int]) -> None:
    layer = WaveletUpsample1d(2, "learnable", begin=begin, taps=taps, dtype=torch.float64)
    x = torch.randn(1, 4, 12, dtype=torch.float64)
    y, E = layer(x).detach().numpy(), roundoff(describe(layer), x.numpy(), "float64")
    a, d = x.numpy()[:, :2], x.numpy()[:, 2:]
    s = math.sqrt(0.5)
    zero = np.zeros((1, 2, 1))
    even = a - (d + np.concatenate([zero, d[..., :-1]], -1)) / 4
    odd = d + (even + np.concatenate([even[..., 1:], zero], -1)) / 2
    due = {"lazy": (a, d), "haar": (s * (a + d), s * (a - d)), "spline": (even, odd)}[begin]
    off = np.abs(y - interleave(np.concatenate(due, -2), 2, order="dcr"))
    assert (off <= 2 * E).all()
    with torch.no_grad():
        for h in layer.parameters():
            h.normal_()
    layer.reset_parameters()
    assert np.array_equal(layer(x).detach().numpy(), y)


@pytest.mark.parametrize("kind", ["lazy", "haar", "learnable"])
def test_analysis_is_undone_whatever_is_learned(kind: str) -> None:
    """Exactly with whole numbers (a Haar wavelet halves them), however wild the filters."""
    layer = whole_lifting(4, 3, 3) if kind == "learnable" else WaveletUpsample1d(3, kind)
    if kind == "haar":
        layer = WaveletUpsample1d(3, kind, scale=1.0)
    y, x = whole(2, 3, 14), whole(2, 6, 7)
    assert torch.equal(layer(layer.analyse(y)), y)
    assert torch.equal(layer.analyse(layer(x)), x)
    reference: Any = describe(layer)
    assert np.array_equal(layer.analyse(y).detach().numpy(), reference.analyse(y.numpy()).astype(float))


def test_training_keeps_perfect_reconstruction() -> None:
    torch.manual_seed(0)
    layer = WaveletUpsample1d(2, "learnable", begin="spline", taps=(4, 4), dtype=torch.float64)
    x, target = torch.randn(1, 4, 30, dtype=torch.float64), torch.randn(1, 2, 60, dtype=torch.float64)
    before = layer.predict.detach().clone()
    for _ in range(20):
        loss = (layer(x) - target).square().mean()
        with torch.no_grad():
            for h, g in zip(layer.parameters(), torch.autograd.grad(loss, list(layer.parameters())), strict=True):
                h.sub_(0.05 * g)
    assert (layer.predict != before).all()
    y = layer(x).detach()
    gain = (1 + layer.predict.detach().abs().sum()) * (1 + layer.update.detach().abs().sum())
    assert (layer(layer.analyse(y)) - y).abs().max() <= 40 * 2.0**-53 * gain**2 * y.abs().max()


@pytest.mark.parametrize("kind", ["lazy", "haar", "learnable"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_number_is_farther_off_than_rounding_explains(kind: str, dtype: str) -> None:
    verdict = check(WaveletUpsample1d(2, kind), dtype=dtype, lengths=[2, 7])
    assert verdict.ok, str(verdict)
    assert verdict.status == ("exact" if kind == "lazy" or dtype == "float64" else "within bound")


@pytest.mark.parametrize(("begin", "lines"), [("haar", [False, True]), ("lazy", [True, True])])
def test_an_offset_of_the_approximation_makes_no_line_where_p_sums_to_one(begin: str, lines: list[bool]) -> None:
    """Lines at Nyquist of an offset of a, and of one of d."""
    chain = Chain([describe(WaveletUpsample1d(1, "learnable", begin=begin, dtype=torch.float64))])  # type: ignore[list-item]
    for offset, line in zip(np.eye(2), lines, strict=True):
        level = abs(tone_lines(chain, offset=offset)[1].amplitude[0])  # type: ignore[index]
        assert (level > 0.4) if line else (level <= 4 * 2.0**-53)


@pytest.mark.parametrize("batch", [1, 3])
def test_an_exported_program_takes_any_length_by_name(batch: int) -> None:
    """A named dimension, unlike `Dim.AUTO`, is refused where the program would hold for some lengths alone."""
    layer = whole_lifting(3, 2, channels=3)
    time = torch.export.Dim("time")
    program = torch.export.export(layer, (whole(batch, 6, 7),), dynamic_shapes=({2: time},)).module()
    for length in (1, 2, 7, 30):
        x = whole(batch, 6, length)
        assert torch.equal(program(x), layer(x))


def test_states_are_saved_loaded_and_built() -> None:
    layer = whole_lifting(3, 2)
    assert layer.state_dict().keys() == {"predict", "update", "scales"}
    other = WaveletUpsample1d(2, "learnable", taps=(3, 2), dtype=torch.float64)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x := whole(1, 4, 5)), layer(x))
    assert torch.equal(build(describe(layer))(x), layer(x))
    assert not WaveletUpsample1d(2).state_dict()


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "kind": (lambda: WaveletUpsample1d(1, "hair"), "did you mean 'haar'"),
    "channels": (lambda: WaveletUpsample1d(0), "channels: got 0"),
    "scale": (lambda: WaveletUpsample1d(1, scale=0.0), "scale: got 0.0; allowed: a number other than 0"),
    "scale of lazy": (lambda: WaveletUpsample1d(1, "lazy", scale=2.0), "scale: got 2.0; allowed: kind 'haar' alone"),
    "taps of haar": (lambda: WaveletUpsample1d(1, taps=(2, 2)), "taps: got (2, 2); allowed: kind 'learnable' alone"),
    "too short": (lambda: WaveletUpsample1d(1, "learnable", begin="spline", taps=(1, 2)), "taps of p: got 1"),
    "beginning": (lambda: WaveletUpsample1d(1, "learnable", begin="db4"), "begin"),
    "input": (lambda: WaveletUpsample1d(2)(torch.zeros(1, 3, 4)), "input channels: got 3; allowed: 4"),
    "odd": (lambda: WaveletUpsample1d(1).analyse(torch.zeros(1, 1, 3)), "time: got 3; allowed: an even number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_words(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


@pytest.mark.parametrize(
    "words",
    [
        "WaveletUpsample1d(2, 'lazy')",
        "WaveletUpsample1d(2, 'haar', scale=2.0)",
        "WaveletUpsample1d(2, 'learnable', begin='spline', taps=(4, 3))",
    ],
)
def test_it_says_what_it_is(words: str) -> None:
    assert repr(eval(words)) == words
