"""Layers as values: what they hold, what they say of themselves, what they refuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dspref import Conv, FilterInterp, Layer, Linear, Nearest, SubpixelConv, TransposedConv, ZeroStuff

W = np.arange(1, 25).reshape(4, 2, 3)

LAYERS: dict[str, Any] = {
    "conv": Conv(W, groups=2, padding=1, bias=np.arange(1, 5)),
    "convt": TransposedConv(W, stride=2, groups=2, bias=np.arange(1, 5)),
    "shuffle": SubpixelConv(W, 2, bias=np.arange(1, 5)),
    "nearest": Nearest(3),
    "linear": Linear(2),
    "filter": FilterInterp(2, W),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_are_values(kind: str) -> None:
    layer = LAYERS[kind]
    twin = dataclasses.replace(layer)
    assert isinstance(twin, Layer)
    assert layer.op == kind
    assert twin == layer
    assert hash(twin) == hash(layer)
    assert all(layer != other for name, other in LAYERS.items() if name != kind)
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer.factor = 7


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if kind not in ("nearest", "linear")])
def test_arrays_are_copied_and_read_only(kind: str) -> None:
    source = W.copy()
    field = "taps" if kind == "filter" else "weight"
    layer = dataclasses.replace(LAYERS[kind], **{field: source})
    source[...] = 0
    assert (getattr(layer, field) == W).all()
    with pytest.raises(ValueError, match="read-only"):
        getattr(layer, field)[0] = 1
    assert layer != dataclasses.replace(layer, **{field: W + 1})


def test_factors_and_lengths_as_the_article_counts_them() -> None:
    facts = {kind: (layer.factor, layer.length) for kind, layer in LAYERS.items()}
    assert facts == {
        "conv": (1, 3),
        "convt": (2, 3),
        "shuffle": (2, 3),
        "nearest": (3, 3),
        "linear": (2, 4),
        "filter": (2, 3),
    }
    assert Conv(W, stride=2).factor == Fraction(1, 2)
    assert TransposedConv(W, stride=2, dilation=4).length == 3
    assert Linear(3).length == len(Linear(3).normal.h) == 5
    assert Nearest(3).length == len(Nearest(3).normal.h)


def test_the_bias_of_a_sub_pixel_convolution_is_periodic_and_others_are_not() -> None:
    assert LAYERS["shuffle"].bias_phases.tolist() == [[1, 2], [3, 4]]
    assert LAYERS["convt"].bias_phases.tolist() == [[1], [2], [3], [4]]
    assert LAYERS["conv"].bias_phases.tolist() == [[1], [2], [3], [4]]
    assert all(LAYERS[kind].bias_phases is None for kind in ("nearest", "linear", "filter"))


def test_known_taps() -> None:
    """Linear on the half-sample grid: ¼ ¾ ¾ ¼ for 2; on whole samples, odd factors, (1, 2, 3, 2, 1)/3."""
    assert Linear(2).normal.h.tolist() == [Fraction(n, 4) for n in (1, 3, 3, 1)]
    assert Linear(3).normal.h.tolist() == [Fraction(n, 3) for n in (1, 2, 3, 2, 1)]
    assert Nearest(4).normal.h.tolist() == [1, 1, 1, 1]
    assert ZeroStuff(3)([[5, 6]]).tolist() == [[5, 0, 0, 6, 0, 0]]


def test_groups_are_blocks_of_the_normal_form() -> None:
    h = LAYERS["convt"].normal.h
    assert h.shape == (4, 4, 3)
    assert not h[:2, 2:].any()
    assert not h[2:, :2].any()
    assert (h[:2, :2] == W[:2].swapaxes(0, 1)).all()


def convt(**fields: Any) -> Callable[[], Any]:
    return lambda: TransposedConv(fields.pop("weight", W), **fields)


def conv(**fields: Any) -> Callable[[], Any]:
    return lambda: Conv(fields.pop("weight", W), **fields)


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "stride 0": (convt(stride=0), "stride: got 0; allowed: an integer >= 1"),
    "stride 1.5": (convt(stride=1.5), "stride: got 1.5; allowed: an integer >= 1"),
    "stride True": (conv(stride=True), "stride: got True; allowed: an integer >= 1"),
    "dilation 0": (convt(dilation=0), "dilation: got 0; allowed: an integer >= 1"),
    "groups 0": (conv(groups=0), "groups: got 0; allowed: an integer >= 1"),
    "groups of convt": (convt(groups=3), "groups for 4 input channels: got 3; allowed: a divisor of 4"),
    "groups of conv": (conv(groups=3), "groups for 4 output channels: got 3; allowed: a divisor of 4"),
    "negative padding": (convt(padding=-1), "padding: got -1; allowed: an integer >= 0. Hint: crop the output"),
    "padding word": (conv(padding="sames"), "padding: got 'sames'; allowed: same, valid. Hint: did you mean 'same'"),
    "padding same, strided": (conv(padding="same", stride=2), "'same' with stride > 1; allowed: 'same' for stride 1"),
    "output_padding": (
        convt(stride=3, dilation=2, output_padding=3),
        r"output_padding: got 3; allowed: less than max\(stride, dilation\) = 3",
    ),
    "output_padding, no stride": (convt(output_padding=1), r"output_padding: got 1; .*max\(stride, dilation\) = 1"),
    "padding_mode": (conv(padding_mode="mirror"), "padding_mode: got 'mirror'; allowed: zeros, reflect"),
    "bias length": (convt(bias=[1, 2, 3]), r"bias: got shape \(3,\); allowed: \(2,\), one per output channel"),
    "bias rank": (conv(bias=[[1]]), r"bias: got shape \(1, 1\); allowed: 1 axes"),
    "weight rank": (convt(weight=[[1, 1]]), r"weight: got shape \(1, 2\); allowed: 3 axes"),
    "no taps": (conv(weight=np.ones((1, 1, 0))), r"weight: got shape \(1, 1, 0\); allowed: at least one tap"),
    "NaN weight": (conv(weight=[[[np.nan]]]), r"weight: got nan at index \(0, 0, 0\); allowed: finite numbers"),
    "text weight": (conv(weight=[[["a"]]]), "weight: got dtype <U1; allowed: integer, float, complex, or object"),
    "factor 0": (lambda: Nearest(0), "factor: got 0; allowed: an integer >= 1"),
    "factor 1.5": (lambda: Linear(1.5), "factor: got 1.5; .*Hint: non-integer factors"),  # type: ignore[arg-type]
    "factor and channels": (lambda: SubpixelConv(W, 3), "output channels: got 4; allowed: a multiple of the factor 3"),
    "rank of taps": (lambda: FilterInterp(2, np.ones((1, 1))), r"taps: got shape \(1, 1\); allowed: 1 axes or 3 axes"),
    "input rank": (
        lambda: LAYERS["conv"](np.ones(4)),
        r"input: got shape \(4,\); allowed: shape .*Hint: write x\[None",
    ),
    "input channels": (lambda: LAYERS["convt"](np.ones((3, 5))), "input channels: got 3; allowed: 4, as the layer's"),
    "conv channels": (lambda: LAYERS["conv"](np.ones((3, 5))), "input channels: got 3; allowed: 4"),
    "NaN input": (lambda: Nearest(2)([[np.nan]]), r"input: got nan at index \(0, 0\)"),
    "infinite input": (lambda: Linear(2)([[1.0, -np.inf]]), r"input: got -inf at index \(0, 1\)"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_what_was_got_and_what_is_allowed(name: str) -> None:
    call, words = REFUSALS[name]
    with pytest.raises((ValueError, TypeError), match=words):
        call()
