"""Interpolation by Torch: exact where positions are floats, within its bound elsewhere, and where it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dspref import Interpolate, Linear, Nearest, adjoint
from dspref.arrays import Array
from dspref.resize import MODES
from torchparity.arithmetic import ARITHMETICS, Arithmetic
from torchparity.build import build
from torchparity.describe import describe
from torchparity.interpolation import interpolation_adjoint_bound, interpolation_bound, nearest_by_float
from torchparity.laws import ratio_meant
from torchparity.nn import Interpolate1d

DTYPES = ("float64", "float32", "bfloat16", "float16")
CURVES = ("linear", "cubic")

TYPICAL: list[Any] = [0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 1.1, 120 / 88, 0.7, 1 / 3, 1.05, Fraction(11, 10)]


def drawn(mode: str, time: int, rng: np.random.Generator) -> Interpolate:
    """Draw an interpolation for a length."""
    corners = bool(rng.integers(2)) and not mode.startswith("nearest")
    if rng.integers(2):
        return Interpolate(mode, size=int(rng.integers(1, 2 * time + 10)), align_corners=corners)
    scale = TYPICAL[rng.integers(len(TYPICAL))] if rng.integers(2) else rng.uniform(0.2, 4)
    scale = scale if time * scale >= 1 else 1.5
    return Interpolate(mode, scale_factor=scale, recompute_scale_factor=bool(rng.integers(2)), align_corners=corners)


def signal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw a signal: normal, over seven decades, constant, or with an offset."""
    x = rng.standard_normal(shape)
    kinds = (x, x * 2.0 ** rng.uniform(-12, 10, shape), np.ones(shape) * x[..., :1], np.abs(x) + 3)
    return np.asarray(kinds[rng.integers(4)])


def compared(
    mode: str, dtype: str, cases: int, longest: int
) -> Iterator[tuple[Interpolate, Array, Array, Array, Array]]:
    """Yield the layer, input, output, gradient of the output and of the input, by Torch, in doubles."""
    rng = np.random.default_rng([MODES.index(mode), DTYPES.index(dtype), longest])
    for _ in range(cases):
        time = int(rng.integers(1, longest))
        layer = drawn(mode, time, rng)
        x = torch.tensor(signal((1, 2, time), rng)).to(getattr(torch, dtype)).requires_grad_()
        y: Tensor = build(layer)(x)
        g = torch.tensor(rng.standard_normal(y.shape) * (rng.random(y.shape) < rng.choice([0.1, 1]))).to(y.dtype)
        (back,) = torch.autograd.grad(y, x, g)
        doubles: list[Array] = [t.detach().double().numpy() for t in (x, y, g, back)]
        yield layer, doubles[0], doubles[1], doubles[2], doubles[3]


def ratio(y: Array, reference: Array, E: Array) -> float:
    """Return the largest error over bound; an error where the bound is zero is infinite."""
    error = np.abs(y - reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(error == 0, 0, error / E).max(initial=0))


def backward_copies(layer: Interpolate, x: Array) -> bool:
    """Return whether Torch's gradient of cubic interpolation is a copy, though the interpolation is none."""
    time = x.shape[-1]
    return layer.mode == "cubic" and layer.out_length(time) == time and (layer(x) != x).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", CURVES)
def test_rounding_stays_within_its_bound_forward_and_backward(
    mode: str, dtype: str, show: Callable[[str], None]
) -> None:
    a, worst, outputs = ARITHMETICS[dtype], [0.0, 0.0], 0
    for longest, cases in ((30, 500), (600, 60)):
        for layer, x, y, g, back in compared(mode, dtype, cases, longest):
            outputs += y.size
            worst[0] = max(worst[0], ratio(y, layer(x), interpolation_bound(layer, x, a)[0]))
            if not backward_copies(layer, x):
                E, _ = interpolation_adjoint_bound(layer, x, g, a)
                worst[1] = max(worst[1], ratio(back, np.asarray(adjoint(layer, x, g).input), E))
    show(f"{mode} in {dtype}: {outputs} outputs; largest error/bound {worst[0]:.2f}, of gradients {worst[1]:.2f}")
    assert max(worst) <= 1


def slighter(a: Arithmetic) -> Arithmetic:
    """Return a model that rounds half as much."""
    return replace(a, u_acc=a.u_acc / 2, u_store=a.u_store / 2, tiny=a.tiny / 2, tiny_acc=a.tiny_acc / 2)


@pytest.mark.parametrize("dtype", DTYPES[1:])
@pytest.mark.parametrize("mode", CURVES)
def test_half_of_the_bound_does_not_hold(mode: str, dtype: str) -> None:
    """The model can be proved wrong (in doubles, half of the bound is due to the reference)."""
    a = slighter(ARITHMETICS[dtype])
    cases = list(compared(mode, dtype, 300, 30))
    assert max(ratio(y, layer(x), interpolation_bound(layer, x, a)[0]) for layer, x, y, _, _ in cases) > 1
    found = (
        ratio(back, np.asarray(adjoint(layer, x, g).input), interpolation_adjoint_bound(layer, x, g, a)[0])
        for layer, x, _, g, back in cases
        if not backward_copies(layer, x)
    )
    assert max(found) > 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mode", MODES)
def test_where_positions_are_short_floats_nothing_is_rounded(mode: str, dtype: str) -> None:
    """Whole numbers, at distances of a fraction over a power of two: every step of the computation is exact."""
    rng = np.random.default_rng(0)
    compared = 0
    for scale in (
        0.5,
        0.25,
        1,
        2,
        4,
        8,
        Fraction(4, 3),
        Fraction(8, 5),
        Fraction(2, 3),
        Fraction(4, 5),
        Fraction(4, 9),
    ):
        for periods in (1, 2, 5):
            time = Fraction(scale).denominator * Fraction(1 / Fraction(scale)).denominator * periods
            for layer in (Interpolate(mode, scale_factor=scale), Interpolate(mode, size=int(time * scale))):
                x = rng.integers(-8, 9, (1, 2, time)).astype(dtype)
                y = build(layer)(torch.tensor(x)).numpy()
                exact = layer(x.astype(int).astype(object))
                assert (y == exact).all(), f"{layer} of {time}"
                compared += y.size
    assert compared > 500


def swapped(layer: Interpolate) -> Interpolate:
    """Return the same with the corners the other way."""
    return replace(layer, align_corners=not layer.align_corners)


@pytest.mark.parametrize("mode", CURVES)
def test_faults_lie_far_beyond_the_bound(mode: str) -> None:
    x = np.random.default_rng(0).standard_normal((1, 1, 40))
    layer = Interpolate(mode, scale_factor=1.7)
    y = layer(x)
    faults = {
        "corners": build(swapped(layer))(torch.tensor(x)).numpy(),
        "by the length": Interpolate(mode, size=68 - 1)(x[..., :-1]),
        "scale in half": Interpolate(mode, scale_factor=1.703125)(x),
        "one sample late": np.roll(y, 1),
    }
    for dtype in ("float32", "bfloat16"):
        E, _ = interpolation_bound(layer, x, ARITHMETICS[dtype])
        for name, z in faults.items():
            n = min(z.shape[-1], y.shape[-1])
            assert ratio(z[..., :n], y[..., :n], E[..., :n]) > 1, name
    E, S = interpolation_bound(layer, np.full((1, 1, 40), 3.0), ARITHMETICS["float32"])
    roundings = {"linear": 4, "cubic": 64}[mode]  # where nothing moves, there is no slack for positions
    assert (E / S).max() <= roundings * 2.0**-24


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_torch_computes_the_indices_of_nearest_in_floating_point(mode: str, dtype: str) -> None:
    """Exact indices where Torch is right; where it is not, those of its formula, to the sample."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(500):
        time = int(rng.integers(1, rng.choice([60, 60, 20_000])))
        layer = drawn(mode, time, rng)
        x = np.arange(time, dtype=dtype)[None]
        y = build(layer)(torch.tensor(x)[None])[0].numpy()
        assert (y == nearest_by_float(layer, x, dtype=dtype)).all()
        wrong += (y != layer(x)).any()
        assert not interpolation_bound(layer, x, ARITHMETICS[dtype])[0].any()
    assert wrong > 0


def picked(layer: Any, time: int, dtype: torch.dtype) -> Array:
    """Return which samples Torch picks, told by their two digits to the base of 4096."""
    n, module = torch.arange(time), build(layer)
    low, high = (module(digit.to(dtype)[None, None])[0, 0].long() for digit in (n % 4096, n // 4096))
    return np.asarray(low + 4096 * high)


@pytest.mark.parametrize(
    ("mode", "L", "dtype", "first"),
    [
        ("nearest-exact", 2, torch.float32, 8_388_609),
        ("nearest-exact", 3, torch.float32, 6_291_458),
        ("nearest-exact", 2, torch.float64, 8_388_609),
        ("nearest", 3, torch.float32, 12_582_914),
    ],
)
def test_nearest_picks_wrong_samples_far_out(mode: str, L: int, dtype: torch.dtype, first: int) -> None:
    """A finding in Torch 2.13: its positions are floats, which are whole numbers from 2^23 or 2^24 on."""
    time = first // L + 3
    wrong = picked(Interpolate(mode, scale_factor=L), time, dtype) != np.arange(L * time) // L
    assert int(np.flatnonzero(wrong)[0]) == first


def test_positions_of_doubles_are_cut_as_floats_with_corners_aligned() -> None:
    """A finding in Torch 2.13: floorf rounds a double up to the next sample, and the weight is held at 0."""
    time = 20_000
    layer = Interpolate("linear", size=3 * time, align_corners=True)
    x = np.random.default_rng(0).standard_normal((1, time))
    y = build(layer)(torch.tensor(x)[None])[0].numpy()
    E, _ = interpolation_bound(layer, x, ARITHMETICS["float64"])
    off = np.abs(y - layer(x))
    assert off.max() > 1e-4
    assert (off > E).sum() < 100


@pytest.mark.parametrize("L", [2, 3])
def test_linear_drifts_with_position_and_within_its_bound(L: int) -> None:
    """A finding in Torch 2.13: by a factor that is no power of two, positions are off in proportion."""
    time = 100_000
    layer = Linear(L)
    x = np.random.default_rng(0).standard_normal((1, time)).astype(np.float32)
    y, reference = (
        F.interpolate(torch.tensor(x)[None], scale_factor=L, mode="linear")[0].numpy(),
        layer(x.astype(float)),
    )
    E, _ = interpolation_bound(layer, x.astype(float), ARITHMETICS["float32"])
    assert ratio(y, reference, E) <= 1
    decibels = 10 * np.log10((reference**2).sum() / ((y - reference) ** 2).sum())
    assert (decibels < 60) == (L == 3)


@pytest.mark.parametrize(("mode", "scale", "time"), [("nearest", 1.05, 10), ("nearest", 2.05, 10), ("cubic", 1.05, 10)])
def test_some_gradients_of_torch_are_not_those_of_its_outputs(mode: str, scale: float, time: int) -> None:
    """A finding in Torch 2.13: its backward kernels copy, or halve indices, by the lengths alone."""
    layer = Interpolate(mode, scale_factor=scale)
    x = torch.arange(time, dtype=torch.float64)[None, None].requires_grad_()
    y = build(layer)(x)
    assert np.allclose(y.detach().numpy(), layer(x.detach().numpy()), rtol=0, atol=1e-12)
    (back,) = torch.autograd.grad(y.sum(), x)
    exact = np.asarray(adjoint(layer, x.detach().numpy(), np.ones(y.shape)).input)
    assert np.abs(back.numpy() - exact).max() > 0.05


def test_a_scale_of_120_over_88_makes_119_samples_of_88() -> None:
    """A finding in Torch 2.13: the length is the floor of a product of doubles."""
    module = build(Interpolate("linear", scale_factor=Fraction(120, 88)))
    assert module(torch.ones(1, 1, 88)).shape[-1] == 119
    assert Interpolate("linear", scale_factor=Fraction(120, 88)).out_length(88) == 120
    assert describe(module) == Interpolate("linear", scale_factor=120 / 88)


def test_nearest_and_linear_are_bounded_as_what_they_are() -> None:
    x = np.random.default_rng(0).standard_normal((1, 9))
    a = ARITHMETICS["float32"]
    for layer in (Linear(3), Linear(3, align_corners=True), Nearest(3)):
        same = Interpolate(layer.op, scale_factor=3, align_corners=getattr(layer, "align_corners", False))
        for ours, theirs in zip(interpolation_bound(layer, x, a), interpolation_bound(same, x, a), strict=True):
            assert (ours == theirs).all()


def test_autocast_leaves_interpolation_in_float32() -> None:
    x = torch.tensor(np.random.default_rng(0).standard_normal((1, 1, 20)), dtype=torch.float32)
    for mode in CURVES:
        module = build(Interpolate(mode, scale_factor=1.7))
        with torch.autocast("cpu", torch.bfloat16):
            y = module(x)
        assert y.dtype == torch.float32
        E, _ = interpolation_bound(describe(module), x.double().numpy(), ARITHMETICS["autocast-bfloat16"])
        assert ratio(y.double().numpy(), Interpolate(mode, scale_factor=1.7)(x.double().numpy()), E) <= 1


@pytest.mark.parametrize("mode", MODES)
def test_describe_undoes_build(mode: str) -> None:
    """Scales that a double means come back; integers of nearest and linear, as the layers that they are."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        layer = drawn(mode, 20, rng)
        meant = layer.scale is None or ratio_meant(float(layer.scale)) == layer.scale
        if meant and (layer.scale is None or layer.scale < 1 or layer.scale.denominator > 1):
            assert describe(build(layer)) == layer
    whole = Interpolate(mode, scale_factor=3)
    known: dict[str, Any] = {"nearest": Nearest(3), "linear": Linear(3)}
    assert describe(build(whole)) == known.get(mode, whole)


def test_a_module_says_what_it_interpolates() -> None:
    assert (
        repr(Interpolate1d("cubic", size=7, align_corners=True)) == "Interpolate1d('cubic', size=7, align_corners=True)"
    )
    for mode in MODES:
        x = torch.arange(6.0)[None, None]
        layer = Interpolate(mode, scale_factor=1.5)
        y = Interpolate1d(mode, scale_factor=1.5)(x)
        assert torch.allclose(y, torch.tensor(layer(x.numpy())), rtol=0, atol=1e-5)
