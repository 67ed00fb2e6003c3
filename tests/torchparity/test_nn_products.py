"""Two layers of few samples and many weights, as a product of matrices: in the order in which the weights lie.

Here a few weights count as many, but where that is what is looked at.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from dspref.arrays import BORDERS
from torchparity.nn import FilterConv1d, LinearConv1d, NearestConv1d
from torchparity.nn.geometry import geometry, nearest
from torchparity.nn.products import ALONE, NARROW, convolved, spread
from torchparity.nn.twolayer import HEAVY, by_matrices

LAYERS: dict[str, Callable[..., Any]] = {
    "nearest": lambda *sizes, **where: NearestConv1d(*sizes, form="two layers", **where),
    "linear": lambda *sizes, **where: LinearConv1d(*sizes, form="two layers", **where),
    "filter": lambda i, o, K, L, **where: FilterConv1d(i, o, K, L, [1, 3, 2], offset=1, form="two layers", **where),
}


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchparity.nn.twolayer.HEAVY", 0)


def whole(layer: nn.Module, *shape: int) -> Tensor:
    """Give a layer small integers for weights, and return such a signal; multiples of 4, so that halves are exact."""
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randint(-3, 4, p.shape))
    return 8.0 * torch.randint(-3, 4, shape)


def all_of(layer: nn.Module, x: Tensor, g: Tensor) -> list[Tensor]:
    """Return the output and all gradients."""
    x = x.clone().requires_grad_()
    y = layer(x)
    return [y, *torch.autograd.grad(y, [x, *layer.parameters()], g)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("mode", BORDERS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_product_is_the_two_layers_bit_by_bit_on_integers(kind: str, mode: str, batch: int, bias: bool) -> None:
    """With all gradients, which lie as Torch's do; outputs are no views, so that they may be changed in place."""
    for padding, d in ((0, 1), (2, 1), ((3, 1), 2), ((-1, 2), 1)):
        layer = LAYERS[kind](3, 128, 3, 2, padding=padding, dilation=d, padding_mode=mode, bias=bias)
        x = whole(layer, batch, 3, 4)
        g = torch.randint(-2, 3, layer(x).shape).float()
        with mock.patch("torchparity.nn.products.convolved", side_effect=convolved) as ran:
            found = all_of(layer, x, g)
            with torch.no_grad():
                y = layer(x)
        assert ran.call_count == 2
        for ours, due in zip(found, all_of(layer.two_layers(), x, g), strict=True):
            assert torch.equal(ours, due)
            assert ours.is_contiguous()
        assert found[0].stride() == torch.empty(found[0].shape).stride()
        assert not y._is_view()


def test_few_outputs_of_many_channels_are_a_product_where_that_is_as_exact() -> None:
    g = geometry(nearest(2), 5, 0, 1, "zeros")
    u, w = torch.zeros(2, 3, 20), torch.zeros(128, 3, 5)
    assert by_matrices(u, w, None, g, 1)
    assert by_matrices(u[..., :18], w, w[:, 0, 0], g, 1, 2)
    assert not by_matrices(u, w, None, g, 1, 1)
    for other, groups in (
        (w[:127], 1),
        (w[:, :1], 3),
        (w.double(), 1),
        (w.bfloat16(), 1),
        (w[:, :2], 1),
        (w[..., :4], 1),
    ):
        assert not by_matrices(u, other, None, g, groups)
    for bias in (torch.zeros(1), torch.zeros(128).double(), torch.zeros(128, 1)):
        assert not by_matrices(u, w, bias, g, 1)
    assert not by_matrices(u.double(), w.double(), None, g, 1)
    assert not by_matrices(u.to("meta"), w.to("meta"), None, g, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not by_matrices(u, w, None, g, 1)
    with mock.patch("torchparity.nn.twolayer.HEAVY", w.numel() + 1):
        assert not by_matrices(u, w, None, g, 1)
    assert w.numel() < HEAVY


PRECISIONS = {
    "less for all": 'torch.set_float32_matmul_precision("medium")',
    "less for one backend": 'torch.backends.mkldnn.matmul.fp32_precision = "bf16"',
    "less on another device": 'torch.backends.cuda.matmul.fp32_precision = "tf32"',
}


@pytest.mark.parametrize("setting", PRECISIONS.values(), ids=PRECISIONS)
def test_precisions_that_are_set_by_either_of_torch_s_ways_are_no_reason_to_fail(setting: str) -> None:
    """In a process of its own: Torch does not take back that a precision was set for one backend."""
    code = f"""
import torch
from torchparity.nn import LinearConv1d, NearestConv1d
from torchparity.nn.products import exact
{setting}
assert not exact(torch.zeros(1))
for layer in (
    NearestConv1d(64, 64, 3, 2, padding=1, form="running sum"),
    NearestConv1d(1024, 1024, 3, 2, padding=1, form="two layers"),
    LinearConv1d(1024, 1024, 3, 2, padding=1, form="polyphase"),
):
    x = torch.ones(1, layer.in_channels, 4, requires_grad=True)
    torch.testing.assert_close(layer(x), layer.two_layers()(x), rtol=0.05, atol=0.1)
    layer(x).sum().backward()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("threads", [1, 2])
def test_weights_that_are_copied_go_in_parts(threads: int) -> None:
    """As they lie they are multiplied at once: that takes no copy of them, which would be most of the memory."""
    layer = NearestConv1d(512, 512, 5, 4, padding=2, form="running sum", bias=False)
    given = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        for time, parted in ((NARROW, False), (ALONE, threads == 1), (ALONE + 1, True), (100, True)):
            with mock.patch("torchparity.nn.running.spread", side_effect=spread) as ran, torch.no_grad():
                layer(torch.zeros(1, 512, time))
            assert (ran.call_count > 1) == parted
    finally:
        torch.set_num_threads(given)


def test_programs_and_transformations_have_the_convolution() -> None:
    layer = NearestConv1d(3, 64, 3, 2, padding=1, form="two layers")
    x = torch.randn(1, 3, 4)
    with mock.patch("torchparity.nn.products.convolved", side_effect=AssertionError):
        torch.compile(layer, backend="eager", fullgraph=True)(x)
        torch.func.vmap(layer)(x[None])
        torch.func.grad(lambda x: layer(x).sum())(x)
        with pytest.raises(AssertionError):
            layer(x)


def test_a_product_has_derivatives_of_derivatives_and_rows_at_once() -> None:
    layer = NearestConv1d(2, 32, 3, 2, padding=1, form="two layers")
    x = torch.randn(1, 2, 3)
    two = layer.two_layers()
    jacobian: Any = torch.autograd.functional.jacobian
    hessian: Any = torch.autograd.functional.hessian
    with mock.patch("torchparity.nn.products.convolved", side_effect=convolved) as ran:
        rows, curved = jacobian(layer, x, vectorize=True), hessian(lambda x: layer(x).pow(3).sum(), x)
    assert ran.call_count > 1
    torch.testing.assert_close(rows, jacobian(two, x))
    torch.testing.assert_close(curved, hessian(lambda x: two(x).pow(3).sum(), x))
