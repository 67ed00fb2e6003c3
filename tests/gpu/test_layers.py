"""Upsampling layers, and what keeps them tone-free, on one device: a CPU in the quick suite, CUDA by the same code.

Whole numbers are compared bit by bit with the two layers, in double precision, on the same device; real ones with the
law of each layer, computed in NumPy and double precision, within its bound for the arithmetic.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from torchparity import describe, roundoff
from torchparity.devices import settings
from torchparity.nn import (
    FilterConv1d,
    LinearConv1d,
    NearestConv1d,
    StreamingUpsample1d,
    SubpixelConv1d,
    WaveletUpsample1d,
)
from torchparity.nn.utils import project_, remove_tone_free, tone_free, tone_free_
from torchparity.nn.utils.gains import by_gains
from torchparity.roundoff import doubled

pytestmark = [
    pytest.mark.device,
    pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS:UserWarning"),  # Torch's own, in a thread's first call
]

TAPS = [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25]

FUSED: dict[str, Callable[..., Any]] = {
    "nearest ×4": lambda **own: NearestConv1d(4, 6, 9, 4, padding=4, **own),
    "nearest ×3, groups": lambda **own: NearestConv1d(4, 6, 4, 3, padding=(1, 3), dilation=2, groups=2, **own),
    "nearest ×5, circular": lambda **own: NearestConv1d(4, 6, 7, 5, padding=3, padding_mode="circular", **own),
    "linear ×2": lambda **own: LinearConv1d(4, 6, 5, 2, padding=2, **own),
    "linear ×8, reflect": lambda **own: LinearConv1d(4, 6, 7, 8, padding=3, padding_mode="reflect", **own),
    "filter ×4": lambda **own: FilterConv1d(4, 6, 5, 4, TAPS, offset=3, padding=2, **own),
}
FORMS = ("polyphase", "transposed", "two layers", "running sum")
CASES = [(name, form) for name in FUSED for form in FORMS if name.startswith("nearest") or form != "running sum"]

EVERY: dict[str, Callable[[], nn.Module]] = {
    **FUSED,
    "sub-pixel": lambda: SubpixelConv1d(4, 3, 5, 4, 2, padding_mode="reflect"),
    "haar": lambda: WaveletUpsample1d(2),
    "learnable": lambda: WaveletUpsample1d(2, "learnable", begin="spline", taps=(4, 3)),
}


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def gradients(module: nn.Module, x: Tensor, g: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = module(x)
    return [y.detach(), *torch.autograd.grad(y, [x, *module.parameters()], g)]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_whole_numbers_are_those_of_the_two_layers(name: str, form: str, device: str) -> None:
    """Outputs and gradients, bit by bit."""
    layer = FUSED[name](form=form, device=device, dtype=torch.float64)
    torch.manual_seed(0)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randint(-3, 4, p.shape))
    x = torch.randint(-4, 5, (3, 4, 50), device=device).double()
    two = layer.two_layers()
    g = torch.randint(-4, 5, two(x).shape, device=device).double()
    for ours, due in zip(gradients(layer, x, g), gradients(two, x, g), strict=True):
        assert torch.equal(ours, due)


@pytest.mark.parametrize("arithmetic", ["float32", "float64"])
@pytest.mark.parametrize("name", EVERY)
def test_within_the_bound_of_the_law(name: str, arithmetic: str, device: str) -> None:
    torch.manual_seed(1)
    layer = EVERY[name]().to(device, getattr(torch, arithmetic)).requires_grad_(False)
    x = torch.randn(2, 4, 97, dtype=getattr(torch, arithmetic))
    with settings(tf32=False):
        y = layer(x.to(device)).cpu().double().numpy()
    law: Any = describe(layer.cpu())
    off = np.abs(y - doubled(law)(x.numpy().astype(float)))
    assert (off <= roundoff(law, x.numpy(), arithmetic)).all()


@pytest.mark.parametrize("name", [name for name in EVERY if "circular" not in name])
def test_a_stream_is_the_whole_signal(name: str, device: str) -> None:
    """Whole numbers again: chunks of any size, bit by bit. A circular signal has no stream."""
    layer: Any = EVERY[name]().to(device).double().requires_grad_(False)
    torch.manual_seed(2)
    for p in layer.parameters():
        p.copy_(torch.randint(-3, 4, p.shape))
    x, stream = torch.randint(-4, 5, (2, 4, 60), device=device).double(), StreamingUpsample1d(layer)
    chunks = [stream(part) for part in torch.split(x, [7, 1, 30, 22], -1)]
    assert torch.equal(torch.cat([*chunks, stream.flush()], -1), layer(x))


def decoder(device: str, dtype: torch.dtype) -> Any:
    torch.manual_seed(3)
    first, second = nn.ConvTranspose1d(16, 8, 16, 8, padding=4), nn.ConvTranspose1d(8, 4, 4, 2, padding=1)
    layers = [first, nn.LeakyReLU(0.2), second, nn.Tanh(), SubpixelConv1d(4, 2, 3, 2, padding=1)]
    return nn.Sequential(*layers).to(device, dtype)


def ripple(model: nn.Module, device: str, dtype: torch.dtype) -> float:
    y = model(torch.ones(1, 16, 40, device=device, dtype=dtype)).detach()[..., 256:-256].double()
    return float((y.amax(-1) - y.amin(-1)).max() / y.abs().max())


def test_a_constant_stays_one_however_it_is_trained(device: str) -> None:
    """Three layers, gains equal to 2 (K + 4) u Σ abs(h) each: with hundreds of taps that is below 10³ u."""
    for dtype in (torch.float64, torch.float32):
        model, u = decoder(device, dtype), torch.finfo(dtype).eps / 2
        assert ripple(model, device, dtype) > 0.01
        assert len(tone_free_(model).done) == 3
        with settings(tf32=False):
            optimizer = torch.optim.Adam(model.parameters(), 1e-2)
            for _ in range(5):
                optimizer.zero_grad()
                model(torch.randn(2, 16, 12, device=device, dtype=dtype)).square().mean().backward()
                optimizer.step()
            assert ripple(model, device, dtype) < 1000 * u
            for layer in (model[0], model[2], model[4]):
                remove_tone_free(layer)
            assert ripple(model, device, dtype) < 1000 * u
            with torch.no_grad():
                model[0].weight.add_(torch.randn_like(model[0].weight))
            assert ripple(model, device, dtype) > 0.01
            project_(model)
            assert ripple(model, device, dtype) < 1000 * u


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_gains_of_half_precision_are_equal_exactly(dtype: torch.dtype, device: str) -> None:
    model = decoder(device, dtype)
    tone_free_(model)
    for layer, s in ((model[0], 8), (model[2], 2)):
        h = layer.weight.detach().double()
        gains = h.reshape(*h.shape[:2], -1, s).sum(-2)
        assert torch.equal(gains, gains[..., :1].expand_as(gains))


@pytest.mark.parametrize("how", ["as it is", "TF32 allowed", "autocast", "deterministic"])
def test_taps_and_gradients_are_projected_in_single_precision_however_products_are_rounded(
    how: str, device: str
) -> None:
    """K + 4 roundings of sums whose factors are at most 1; 15 taps by 8, whose P is not the same in 11 bits."""
    torch.manual_seed(5)
    up: Any = nn.ConvTranspose1d(24, 16, 15, 8, padding=4, device=device)
    plain, g = up.weight.detach().double(), torch.randn(24, 16, 15, device=device)
    tone_free(up)
    with ExitStack() as stack:
        stack.enter_context(settings(tf32=how == "TF32 allowed"))
        if how == "autocast":
            stack.enter_context(torch.autocast(device, dtype=torch.bfloat16))
        if how == "deterministic":
            stack.callback(torch.use_deterministic_algorithms, False)
            torch.use_deterministic_algorithms(True)
        weight = up.weight
        weight.backward(g)
    assert weight.dtype == torch.float32
    for found, given in ((weight.detach(), plain), (up.parametrizations.weight.original.grad, g.double())):
        off = (found.double() - by_gains(given, 15, 8)).abs()
        assert (off <= (15 + 4) * 2.0**-24 * given.abs().sum(-1, keepdim=True)).all()


NEWER = """
import torch
from torchparity.nn import NearestConv1d, LinearConv1d
from torchparity.nn.utils import tone_free
from torchparity.nn.utils.gains import by_gains
torch.backends.cudnn.conv.fp32_precision = torch.backends.cuda.matmul.fp32_precision = "{precision}"
for kind in (NearestConv1d, LinearConv1d):
    layer, x = kind(64, 64, 9, 4, padding=4, device="{device}"), torch.randn(8, 64, 2000, device="{device}")
    layer(x).sum().backward()
    torch.testing.assert_close(layer(x), layer.two_layers()(x), rtol=0, atol=0.05)
plain = torch.nn.ConvTranspose1d(64, 64, 15, 8, 4, device="{device}")
due = by_gains(plain.weight.detach().double(), 15, 8)
assert (tone_free(plain).weight - due).abs().max() < 1e-6 * due.abs().max()
"""


@pytest.mark.parametrize("precision", ["ieee", "tf32"])
def test_precisions_that_were_set_by_torch_s_newer_way(precision: str, device: str) -> None:
    """In a process of its own: Torch doesn't take them back."""
    code = NEWER.format(precision=precision, device=device)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name in EVERY if name != "haar"])
def test_autocast_gives_half_precision_and_trains(name: str, device: str) -> None:
    torch.manual_seed(4)
    layer, x = EVERY[name]().to(device), torch.randn(2, 4, 40, device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        y = layer(x)
    two = getattr(layer, "two_layers", None)
    if two is not None:
        with torch.autocast(device, dtype=torch.bfloat16):
            due = two()(x)
        assert y.dtype == due.dtype == torch.bfloat16
    y.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in layer.parameters())
