"""Torch's own functions against the reference: equal on integers, within the rounding bound on real numbers.

Same layers, same strata as the proof that native and normal form agree (`tests.strata`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dspref import Conv, Linear, Nearest, Pointwise, SubpixelConv, TransposedConv, interleave
from dspref.arrays import Array
from dspref.chain import POINTWISE
from tests.strata import REFUSED, STRATA, Stratum, only
from tests.strategies import KINDS, Case, Make, survey, tabled
from torchparity.roundoff import roundoff

Show = Callable[[str], None]

EXAMPLES = 2500  # some have length 0, which Torch refuses: at least COMPARED are compared
COMPARED = 2000
DTYPES = (np.float32, np.float64)

# Torch places the samples of linear interpolation in floating point: exactly for these factors.
EXACT_LINEAR = {
    name: Stratum(stratum.holds, {"factor": only(1, 2, 4), **stratum.rules})
    for name, stratum in STRATA["linear"].items()
    if name not in ("odd factor > 1", "factor 6", "align_corners (native only)")
}

pytestmark = pytest.mark.filterwarnings(
    # Torch says that it may copy the input to pad it on one side: a matter of speed, and the stratum is meant.
    "ignore:Using padding='same' with even kernel lengths"
)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """Yield a device in its strictest arithmetic: no TF32, one algorithm for one shape."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield torch.device(request.param)
    torch.set_float32_matmul_precision(before)


def by_torch(layer: Any, x: Array, device: torch.device | str = "cpu") -> Array:
    """Return what torch.nn.functional makes of the input, in the dtype of the input."""
    signals = torch.from_numpy(x.reshape(int(np.prod(x.shape[:-2])), *x.shape[-2:]) if x.ndim > 3 else x).to(device)
    y = FUNCTIONS[layer.op](layer, signals).cpu().numpy()
    return np.asarray(y.reshape(*x.shape[:-2], *y.shape[-2:]))


def as_tensor(a: Array | Tensor, x: Tensor) -> Tensor:
    """Return an array in the dtype of x, where x is; a tensor as it is."""
    return a if isinstance(a, Tensor) else torch.tensor(a, dtype=x.dtype, device=x.device)


def parameters(layer: Any, x: Tensor) -> dict[str, Any]:
    """Return weight, bias, dilation and groups as Torch's functions take them."""
    bias = None if layer.bias is None else as_tensor(layer.bias, x)
    return {"weight": as_tensor(layer.weight, x), "bias": bias, "dilation": layer.dilation, "groups": layer.groups}


def conv1d(layer: Any, x: Tensor) -> Tensor:
    stride, padding = getattr(layer, "stride", 1), layer.padding
    if layer.padding_mode == "zeros":
        return F.conv1d(x, stride=stride, padding=padding, **parameters(layer, x))
    total = layer.dilation * (layer.weight.shape[-1] - 1) if padding == "same" else 2 * padding
    sides = (total // 2, total - total // 2)
    return F.conv1d(F.pad(x, sides, mode=layer.padding_mode), stride=stride, **parameters(layer, x))


def pixel_shuffle_1d(x: Tensor, L: int, order: str = "crd") -> Tensor:
    *lead, channels, time = x.shape
    if order == "dcr":  # phase r of channel c at r·C + c: sorted by channel first
        x = x[..., torch.arange(channels).reshape(L, -1).T.reshape(-1), :]
    return x.reshape(*lead, channels // L, L, time).transpose(-1, -2).reshape(*lead, channels // L, time * L)


def conv_transpose1d(layer: Any, x: Tensor) -> Tensor:
    fields = {name: getattr(layer, name) for name in ("stride", "padding", "output_padding")}
    return F.conv_transpose1d(x, **fields, **parameters(layer, x))


def interpolate(layer: Any, x: Tensor) -> Tensor:
    corners = layer.align_corners if layer.op == "linear" else None
    batch = x[None] if x.ndim == 2 else x
    y = F.interpolate(batch, scale_factor=float(layer.factor), mode=layer.op, align_corners=corners)
    return y[0] if x.ndim == 2 else y


def stretch_filter_crop(layer: Any, x: Tensor) -> Tensor:
    """Write a filter interpolation in Torch as people do: a transposed convolution, cropped or padded."""
    channels = x.shape[-2]
    taps = as_tensor(layer.taps, x)
    alike = taps.ndim == 1
    weight = taps.expand(channels, 1, -1) if alike else taps.transpose(0, 1)
    y = F.conv_transpose1d(x, weight, stride=layer.factor, groups=channels if alike else 1)
    length = layer.factor * x.shape[-1] + layer.excess
    wide = F.pad(y, (max(-layer.offset, 0), max(length + layer.offset - y.shape[-1], 0)))
    return wide.narrow(-1, max(layer.offset, 0), length)


FUNCTIONS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "conv": conv1d,
    "convt": conv_transpose1d,
    "shuffle": lambda layer, x: pixel_shuffle_1d(conv1d(layer, x), layer.factor, layer.order),
    "nearest": interpolate,
    "linear": interpolate,
    "filter": stretch_filter_crop,
}


def refuses(layer: Any, x: Array) -> None:
    with pytest.raises(RuntimeError):
        by_torch(layer, x)


def spread(case: Case, dtype: type[np.floating[Any]]) -> Make:
    """Return a maker of normal numbers over six decades, the same for the same case."""
    rng = np.random.default_rng(zlib.crc32(case.x.tobytes()))
    return lambda shape: np.asarray((rng.normal(size=shape) * 10 ** rng.uniform(-3, 3, shape)).astype(dtype))


def largest_ratio(y: Array, reference: Array, E: Array) -> float:
    """Return the largest error over bound; an error where the bound is zero counts as infinite."""
    error = np.abs(y.astype(np.float64) - reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(error == 0, 0, error / E).max(initial=0))


@pytest.mark.parametrize("kind", KINDS)
def test_torch_is_the_reference_on_integers(kind: str, device: torch.device, show: Show) -> None:
    """Sums stay below 2^24, so every order of summation is exact in float32: there is nothing to forgive.

    Torch refuses signals of no samples everywhere; the reference does not.
    """
    compared = refused = 0

    def check(case: Case) -> None:
        nonlocal compared, refused
        if case.time == 0:
            refused += 1
            refuses(case.layer, case.x.astype(np.float32))
            return
        compared += 1
        reference = case.layer(case.x)
        for dtype in DTYPES:
            y = by_torch(case.layer, case.x.astype(dtype), device)
            assert y.dtype == dtype
            assert y.shape == reference.shape
            assert (y == reference).all()

    counts = survey(kind, EXAMPLES, check, table={**STRATA, "linear": EXACT_LINEAR})
    show(tabled(f"{kind}: torch on {device} == reference on integers {compared} times, refused {refused}, in", counts))
    assert compared >= COMPARED
    assert refused > 0


@pytest.mark.parametrize("kind", KINDS)
def test_torch_is_within_the_rounding_bound_on_real_numbers(kind: str, device: torch.device, show: Show) -> None:
    worst = dict.fromkeys(DTYPES, 0.0)
    compared = 0

    def check(case: Case) -> None:
        nonlocal compared
        if case.time == 0:
            return
        compared += 1
        for dtype in DTYPES:
            real = case.filled(spread(case, dtype))
            y = by_torch(real.layer, real.x, device)
            double = real.changed(lambda a: a.astype(np.float64))
            ratio = largest_ratio(y, double.layer(double.x), roundoff(double.layer, double.x, dtype))
            worst[dtype] = max(worst[dtype], ratio)
            assert ratio <= 1

    survey(kind, EXAMPLES, check)
    ratios = ", ".join(f"{dtype.__name__} {ratio:.3f}" for dtype, ratio in worst.items())
    show(f"{kind}: torch on {device}, {compared} cases of real numbers: largest error/bound {ratios}")
    assert compared >= COMPARED
    assert all(ratio == 0 for ratio in worst.values()) == (kind == "nearest")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("L", range(1, 7))
def test_shuffle_only_moves_samples(L: int, dtype: type[np.floating[Any]]) -> None:
    """Bit by bit, in the order of channels of torch.nn.functional.pixel_shuffle, of which it is one row."""
    x = np.random.default_rng(L).normal(size=(2, 3 * L, 7)).astype(dtype)
    y = interleave(x, L)
    assert (pixel_shuffle_1d(torch.from_numpy(x), L).numpy() == y).all()
    image = torch.from_numpy(x).reshape(2, 3, 1, L, 1, 7).expand(2, 3, L, L, 1, 7).reshape(2, 3 * L * L, 1, 7)
    rows = F.pixel_shuffle(image, L).numpy()
    assert all((rows[:, :, r] == y).all() for r in range(L))


@pytest.mark.parametrize("kind", ["convt", "conv", "shuffle"])
def test_torch_refuses_what_the_reference_refuses(kind: str) -> None:
    """Kernels longer than the signal, border rules that would wrap twice, crops that leave nothing."""

    def check(case: Case) -> None:
        with pytest.raises(ValueError, match="allowed"):
            case.layer(case.x)
        refuses(case.layer, case.x.astype(np.float64))

    survey(kind, 200, check, table=REFUSED)


Row = tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]

ILLEGAL: dict[str, Row] = {
    "convt: output_padding = stride": ("convt", (1, 1, 3), (1, 1, 4), {"stride": 2, "output_padding": 2}),
    "convt: output_padding = dilation": ("convt", (1, 1, 3), (1, 1, 4), {"dilation": 3, "output_padding": 3}),
    "convt: output_padding < 0": ("convt", (1, 1, 3), (1, 1, 4), {"stride": 2, "output_padding": -1}),
    "convt: groups that do not divide": ("convt", (3, 1, 3), (1, 3, 4), {"groups": 2}),
    "convt: groups 0": ("convt", (2, 1, 3), (1, 2, 4), {"groups": 0}),
    "convt: stride 0": ("convt", (1, 1, 3), (1, 1, 4), {"stride": 0}),
    "convt: stride < 0": ("convt", (1, 1, 3), (1, 1, 4), {"stride": -1}),
    "convt: dilation 0": ("convt", (1, 1, 3), (1, 1, 4), {"dilation": 0}),
    "convt: padding < 0": ("convt", (1, 1, 3), (1, 1, 4), {"padding": -1}),
    "convt: output length 0": ("convt", (1, 1, 2), (1, 1, 1), {"padding": 1}),
    "convt: output length < 0": ("convt", (1, 1, 2), (1, 1, 2), {"padding": 4}),
    "convt: wrong channels": ("convt", (2, 1, 3), (1, 3, 4), {}),
    "convt: input of one axis": ("convt", (1, 1, 3), (4,), {}),
    "convt: weight of two axes": ("convt", (1, 3), (1, 1, 4), {}),
    "convt: bias of the wrong size": ("convt", (1, 2, 3), (1, 1, 4), {"bias": np.ones(3)}),
    "conv: groups that do not divide": ("conv", (3, 1, 3), (1, 2, 4), {"groups": 2}),
    "conv: stride 0": ("conv", (1, 1, 3), (1, 1, 4), {"stride": 0}),
    "conv: dilation 0": ("conv", (1, 1, 3), (1, 1, 4), {"dilation": 0}),
    "conv: padding < 0": ("conv", (1, 1, 3), (1, 1, 4), {"padding": -1}),
    "conv: padding word": ("conv", (1, 1, 3), (1, 1, 4), {"padding": "full"}),
    "conv: 'same' with a stride": ("conv", (1, 1, 3), (1, 1, 4), {"padding": "same", "stride": 2}),
    "conv: output length 0": ("conv", (1, 1, 5), (1, 1, 4), {}),
    "conv: strided, output length < 0": ("conv", (1, 1, 9), (1, 1, 4), {"stride": 2}),
    "conv: reflect, padding = time": ("conv", (1, 1, 3), (1, 1, 4), {"padding": 4, "padding_mode": "reflect"}),
    "conv: circular, padding > time": ("conv", (1, 1, 3), (1, 1, 4), {"padding": 5, "padding_mode": "circular"}),
    "conv: wrong channels": ("conv", (1, 2, 3), (1, 3, 4), {}),
    "conv: wrong channels, grouped": ("conv", (2, 1, 3), (1, 3, 4), {"groups": 2}),
    "conv: input of one axis": ("conv", (1, 1, 3), (4,), {}),
    "conv: weight of two axes": ("conv", (1, 3), (1, 1, 4), {}),
    "conv: no taps": ("conv", (1, 1, 0), (1, 1, 4), {}),
    "conv: bias of the wrong size": ("conv", (1, 1, 3), (1, 1, 4), {"bias": np.ones(2)}),
}


def plain_torch(kind: str, w: Tensor, x: Tensor, **fields: Any) -> Tensor:
    """Hand parameters to Torch as they are, legal or not."""
    bias = torch.tensor(fields.pop("bias")) if "bias" in fields else None
    if kind == "convt":
        return F.conv_transpose1d(x, w, bias, **fields)
    mode = fields.pop("padding_mode", "zeros")
    padded = x if mode == "zeros" else F.pad(x, (fields["padding"], fields.pop("padding")), mode=mode)
    return F.conv1d(padded, w, bias, **fields)


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_parameters_are_refused_on_both_sides(name: str) -> None:
    kind, weight, shape, fields = ILLEGAL[name]
    w, x = np.ones(weight), np.ones(shape)
    with pytest.raises((ValueError, TypeError), match=r"got .*; allowed: "):
        (TransposedConv if kind == "convt" else Conv)(w, **fields)(x)
    with pytest.raises((RuntimeError, ValueError)):
        plain_torch(kind, torch.tensor(w), torch.tensor(x), **fields)


@pytest.mark.parametrize("factor", [0, -1])
def test_factors_below_1_are_refused_on_both_sides(factor: int) -> None:
    for layer in (Nearest, Linear):
        with pytest.raises(ValueError, match=f"factor: got {factor}; allowed: an integer >= 1"):
            layer(factor)
        with pytest.raises(RuntimeError):
            F.interpolate(torch.ones(1, 1, 3), scale_factor=factor, mode=layer.op)
    with pytest.raises(ValueError, match=f"factor: got {factor}"):
        SubpixelConv(np.ones((2, 1, 3)), factor)


TORCH_MAPS: dict[str, Callable[..., Tensor]] = {
    "relu": F.relu,
    "leaky": F.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "snake": lambda x, a: x + torch.sin(a * x) ** 2 / a,
    "glu": lambda x: F.glu(x, dim=-2),
}


@pytest.mark.parametrize("name", POINTWISE)
def test_pointwise_maps_are_torchs(name: str) -> None:
    """To a few units in the last place: nobody promises the rounding of exp, tanh or erf."""
    x = np.random.default_rng(0).normal(size=(3, 4, 50)) * 3
    for parameters in [(), *([(0.3,)] if POINTWISE[name][1] else [])]:
        layer = Pointwise(name, parameters)
        y = TORCH_MAPS[name](torch.from_numpy(x), *layer.parameters).numpy()
        assert np.abs(layer(x) - y).max() <= 8 * 2.0**-53 * np.abs(x).max()
