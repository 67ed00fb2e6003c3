"""Torch twins of the designs: equal on integers, within the rounding bound on real numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref import FilterInterp, Linear, StretchFilter
from dspref.arrays import Array
from dspref.designs import BorderInterp, KaiserSinc, LearnedLinear, WindowedSinc, kaiser_sinc
from dspref.designs.windows import kaiser_attenuation, kaiser_beta
from torchparity import check, describe, probe
from torchparity.build import build
from torchparity.nn import FilterInterp1d
from torchparity.nn_designs import KaiserUpsample1d, LearnedLinear1d, WindowedSinc1d
from torchparity.probe import trimmed
from torchparity.roundoff import roundoff

DTYPES = ("float32", "float64")
RATIOS = range(2, 11)


def run(module: nn.Module, x: Array, dtype: str) -> Array:
    with torch.no_grad():
        y: Tensor = module.to(getattr(torch, dtype))(torch.tensor(x, dtype=getattr(torch, dtype)))
    return np.asarray(y.double().numpy())


def real(dtype: str, *shape: int) -> Array:
    """Return normal numbers that the dtype holds."""
    return np.random.default_rng(len(shape)).normal(size=shape).astype(dtype).astype(float)


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_filter_is_that_of_torchs_own_window(ratio: int) -> None:
    """Torch's kaiser_window and sinc, in double precision, as in the code of BigVGAN."""
    K = 6 * ratio
    beta = kaiser_beta(kaiser_attenuation(K // 2, 4 * 0.6 / ratio))
    window = torch.kaiser_window(K, periodic=False, beta=beta, dtype=torch.float64)
    time = torch.arange(-(K // 2), K // 2, dtype=torch.float64) + 0.5
    f = window * torch.sinc(time / ratio) / ratio
    expected = (f / f.sum()).numpy()
    assert np.abs(kaiser_sinc(ratio) - expected).max() <= 32 * 5.8e-16 * expected.max()  # NumPy's I₀ is good to 5.8e-16
    assert KaiserUpsample1d(ratio).state_dict()["filter"].shape == (1, 1, K)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("time", [1, 2, 9])
def test_kaiser_upsampling_is_the_reference_on_integers(ratio: int, time: int) -> None:
    rng = np.random.default_rng(ratio)
    h, x = rng.integers(-9, 10, 6 * ratio), rng.integers(-9, 10, (2, 3, time))
    layer = BorderInterp(ratio, ratio * h, offset=KaiserSinc(ratio).offset)
    for dtype in DTYPES:
        module = KaiserUpsample1d(ratio)
        module.load_state_dict({"filter": torch.tensor(h[None, None], dtype=torch.float32)})
        y = run(module, x, dtype)
        assert y.shape == (2, 3, ratio * time)
        assert (y == layer(x)).all()


def test_a_check_of_kaiser_upsampling_has_a_verdict() -> None:
    module, layer = KaiserUpsample1d(2), KaiserSinc(2)
    same = BorderInterp(2, 2 * module.filter[0, 0].double().numpy(), offset=layer.offset)
    assert check(module, like=same).status == "within bound"
    assert check(torch.nn.Upsample(scale_factor=2), like=layer).status == "wrong"


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_kaiser_upsampling_is_within_the_bound(ratio: int, dtype: str) -> None:
    """The bound of the transposed convolution, times the ratio, and one rounding for the product."""
    module, x = KaiserUpsample1d(ratio), real(dtype, 2, 3, 40)
    y = run(module, x, dtype)
    h = module.filter[0, 0].double().numpy()
    u = StretchFilter(ratio, h, offset=KaiserSinc(ratio).offset, border="replicate")
    E = ratio * roundoff(u, x, dtype)
    unit = float(np.finfo(dtype).eps) / 2
    reference = ratio * u(x)
    assert (np.abs(y - reference) <= E + 2 * unit * (np.abs(reference) + E)).all()
    taps = np.abs(ratio * h - KaiserSinc(ratio).taps).max()
    assert taps <= ratio * 2.0**-24 * h.max()  # the buffer is the reference's filter, rounded to float32


def test_kaiser_upsampling_is_found_by_impulses() -> None:
    module = KaiserUpsample1d(3).double()
    found = probe(module, reach=16)
    layer = BorderInterp(3, 3 * module.filter[0, 0].numpy(), offset=KaiserSinc(3).offset)
    assert found.filter == trimmed(layer.normal)
    with pytest.raises(ValueError, match="kernel_size: got 4; allowed: an even number >= 6"):
        KaiserUpsample1d(3, kernel_size=4)
    assert repr(KaiserUpsample1d(3)) == "KaiserUpsample1d(ratio=3, kernel_size=18)"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("design", [{"zeros": 6}, {"window": "kaiser", "zeros": 4, "attenuation": 60.0}])
def test_windowed_sinc_is_within_the_bound(design: dict[str, Any], dtype: str) -> None:
    module, x = WindowedSinc1d(3, **design), real(dtype, 2, 2, 30)
    y = run(module, x, dtype)
    layer = describe(module)
    assert isinstance(layer, FilterInterp)
    reference = WindowedSinc(3, **design)
    assert (layer.offset, layer.excess, layer.factor) == (reference.offset, 0, 3)
    assert np.abs(layer.taps - reference.taps).max() <= 2.0**-24 * reference.taps.max()
    double = FilterInterp(3, layer.taps.astype(float), offset=layer.offset)
    assert (np.abs(y - double(x)) <= roundoff(double, x, dtype)).all()


@pytest.mark.parametrize("excess", [-1, 0])
@pytest.mark.parametrize("time", [1, 2, 9])
def test_learned_linear_is_the_reference_on_even_integers(excess: int, time: int) -> None:
    """w = ½, 0 and 1 to the last bit, which sigmoid gives: even numbers have whole means."""
    module = LearnedLinear1d(3, excess=excess)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.0, -2000.0, 2000.0]))
    x = 2 * np.random.default_rng(time).integers(-99, 99, (2, 3, time))
    for dtype in DTYPES:
        y = run(module, x, dtype)
        assert (y == LearnedLinear([0.5, 0.0, 1.0], excess=excess)(x)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_learned_linear_is_described_and_within_the_bound(dtype: str) -> None:
    module, x = LearnedLinear1d(3).to(getattr(torch, dtype)), real(dtype, 2, 3, 30)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.3, -1.2, 2.5]))
    layer = describe(module)
    assert isinstance(layer, FilterInterp)
    double = FilterInterp(2, layer.taps.astype(float), offset=layer.offset, excess=layer.excess)
    assert (np.abs(run(module, x, dtype) - double(x)) <= roundoff(double, x, dtype)).all()
    assert check(module, grid="small").ok
    assert probe(module, reach=16).filter == trimmed(layer.normal)


def test_learned_linear_begins_as_linear_interpolation() -> None:
    """Torch's linear interpolation of 2·time − 1 samples, corners aligned, stands on the same points."""
    x = torch.tensor(real("float64", 1, 2, 9))
    y = LearnedLinear1d(2).double()(x)
    expected = F.interpolate(x, size=17, mode="linear", align_corners=True)
    assert (y == expected).all()
    assert LearnedLinear1d(2).weight.requires_grad
    assert Linear(2).factor == 2
    with pytest.raises(ValueError, match="excess: got '1'; allowed: -1, 0"):
        LearnedLinear1d(2, excess=1)


def test_windowed_sinc_is_a_filter_module() -> None:
    make: Callable[..., FilterInterp1d] = WindowedSinc1d
    assert isinstance(make(2, zeros=2), FilterInterp1d)


@pytest.mark.parametrize("border", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(("L", "K", "offset"), [(2, 7, 3), (3, 9, 0), (3, 12, -2), (4, 5, 6)])
def test_interpolation_with_a_border_is_built_and_described(border: str, L: int, K: int, offset: int) -> None:
    """Integers, bit for bit, borders included; and described as what it was built from."""
    rng = np.random.default_rng(K)
    for shape in ((K,), (2, 3, K)):
        layer = BorderInterp(L, rng.integers(-9, 10, shape).astype(float), offset=offset, border=border)
        module = build(layer)
        assert describe(module) == layer
        x = rng.integers(-9, 10, (2, 3, 11)).astype(float)
        assert np.array_equal(module(torch.from_numpy(x)).numpy(), layer(x))


@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_kaiser_upsampling_has_a_law(ratio: int) -> None:
    layer = describe(KaiserUpsample1d(ratio))
    assert isinstance(layer, BorderInterp)
    assert (layer.offset, layer.border) == (KaiserSinc(ratio).offset, "replicate")
    assert np.allclose(layer.taps, KaiserSinc(ratio).taps, rtol=2.0**-23, atol=2.0**-40)
    verdict = check(KaiserUpsample1d(ratio))
    assert verdict.ok, verdict
