"""Circumstances change the kernel, and not the numbers that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dspref import Conv, Linear, Nearest, TransposedConv
from torchparity import build
from torchparity.contexts import LAYOUTS, laid_out, under_autocast, under_vmap, with_grad
from torchparity.roundoff import doubled, roundoff

RNG = np.random.default_rng(0)


def f32(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype("float32")


LAYERS: dict[str, Any] = {
    "convt": TransposedConv(f32(2, 3, 5), stride=3, padding=1, output_padding=2, bias=f32(3)),
    "conv": Conv(f32(4, 1, 3), stride=2, padding=2, dilation=2, groups=2, bias=f32(4)),
    "nearest": Nearest(3),
    "linear": Linear(3),
}


def signal() -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((2, 2, 11)).astype("float32"))


def test_autocast_reaches_the_kernel() -> None:
    conv, x = build(LAYERS["conv"]), signal()
    assert under_autocast(conv, "cpu", "bfloat16")(x).dtype == torch.bfloat16
    assert under_autocast(conv, "cpu", "float16")(x).dtype == torch.float16
    with pytest.raises(ValueError, match="autocast: got 'float31'"):
        under_autocast(conv, "cpu", "float31")(x)


@pytest.mark.parametrize("name", ["convt", "conv", "nearest", "linear"])
def test_vmap_gives_what_the_batch_gives(name: str) -> None:
    layer, shapes = LAYERS[name], []
    module, x = build(layer), signal()

    def f(item: Tensor) -> Tensor:
        shapes.append(tuple(item.shape))
        y: Tensor = module(item)
        return y

    with torch.no_grad():
        y = under_vmap(f)(x).numpy()
    assert shapes == [(1, *x.shape[1:])]
    expected = doubled(layer)(x.numpy().astype(float))
    assert (np.abs(y - expected) <= roundoff(layer, x.numpy(), "float32")).all()


def test_gradients_are_recorded_where_there_are_no_weights() -> None:
    with torch.no_grad():
        assert with_grad(build(LAYERS["nearest"]))(signal()).requires_grad


def test_gradients_are_recorded_whoever_calls() -> None:
    module, x = build(LAYERS["conv"]), signal()
    with torch.no_grad():
        y = with_grad(module)(x)
    assert y.requires_grad
    assert not x.requires_grad
    (grad,) = torch.autograd.grad(y.sum(), list(module.parameters())[:1])
    assert grad.abs().sum() > 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_hold_equal_numbers_with_other_strides(layout: str) -> None:
    x = torch.arange(24.0).reshape(2, 3, 4)
    x = x[..., :1].expand(2, 3, 4).contiguous() if layout == "expanded" else x
    given = x.clone()
    y = laid_out(x, layout)
    assert torch.equal(y, given)
    assert torch.equal(x, given)
    assert y.is_contiguous() == (layout in ("contiguous", "offset"))
    assert (y.storage_offset() > 0) == (layout == "offset")
    strides = {
        "channels-last": (12, 1, 3),
        "sliced": (24, 8, 2),
        "transposed storage": (1, 2, 6),
        "expanded": (3, 1, 0),
    }
    assert y.stride() == strides.get(layout, (12, 4, 1))


def test_a_sliced_layout_shows_who_reads_between() -> None:
    y = laid_out(torch.ones(1, 1, 4), "sliced")
    assert torch.as_strided(y, (1, 1, 4), (4, 4, 1)).isnan().sum() == 2


def test_an_axis_to_expand_must_repeat() -> None:
    same_items = torch.arange(4.0).expand(3, 1, 4).contiguous()
    assert laid_out(same_items, "expanded").stride() == (0, 4, 1)
    with pytest.raises(ValueError, match=r"input to expand: got shape .* allowed: numbers that repeat over an axis"):
        laid_out(torch.arange(4.0).reshape(1, 1, 4), "expanded")
    with pytest.raises(ValueError, match=r"layout: got 'slised'.*did you mean 'sliced'"):
        laid_out(same_items, "slised")
