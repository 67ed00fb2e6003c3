"""DC leakage of Torch: what is measured is what the exact phase gains of the described layer say."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import dspref
from dspref import NotAnalysable
from dspref.designs import KaiserSinc
from dspref.leaks.lines import Leakage
from torchparity import PixelShuffle1d, describe, leakage
from torchparity.leaks import ROWS, known_leakage
from torchparity.nn import Interpolate1d, SubpixelConv1d
from torchparity.nn.init import icnr_
from torchparity.nn_designs import KaiserUpsample1d, LearnedLinear1d


def agree(measured: Leakage, exact: Leakage) -> bool:
    """Return whether lines agree but for rounding, which looms larger the lower they are."""
    for line, other in zip(measured.lines, exact.lines, strict=True):
        if line.null != other.null:
            return False
        if line.dbc is not None and other.dbc is not None:
            noise = 10 ** ((measured.resolution_dbc or -300) / 20) * 10 ** (max(0.0, -line.dbc) / 20)
            if abs(line.dbc - other.dbc) > 8.69 * 4 * noise:
                return False
    return True


MODULES: dict[str, Callable[[], nn.Module]] = {
    "convt": lambda: nn.ConvTranspose1d(1, 1, 16, stride=8, padding=4),
    "convt, several channels and groups": lambda: nn.ConvTranspose1d(4, 6, 5, stride=3, groups=2),
    "sub-pixel": lambda: nn.Sequential(nn.Conv1d(2, 6, 3, padding=1), PixelShuffle1d(3)),
    "a chain": lambda: nn.Sequential(nn.ConvTranspose1d(2, 3, 4, stride=2), nn.ConvTranspose1d(3, 1, 5, stride=2)),
    "nearest": lambda: nn.Upsample(scale_factor=4),
    "linear": lambda: nn.Upsample(scale_factor=3, mode="linear"),
    "cubic": lambda: Interpolate1d("cubic", scale_factor=3),
    "learned linear": lambda: LearnedLinear1d(2),
}


@pytest.mark.parametrize("name", MODULES)
def test_measured_is_exact(name: str) -> None:
    """Weights and biases as Torch draws them; the layer described has both, and leaves the biases out."""
    torch.manual_seed(0)
    module = MODULES[name]()
    layer: Any = describe(module.double())
    factor = layer.factor
    measured = leakage(module.float(), factor, time=192)
    assert agree(measured, dspref.leakage(layer))
    assert measured.tone_free == (name in ("nearest", "linear", "cubic", "learned linear"))


def test_icnr_cures_a_subpixel_convolution() -> None:
    torch.manual_seed(0)
    module = SubpixelConv1d(2, 2, 5, 4, padding=2)
    assert (leakage(module, 4, time=96).worst_dbc or 0) > -40
    icnr_(module.weight, 4)
    assert leakage(module, 4, time=96).tone_free  # though its bias, left out, does make tones


@pytest.mark.parametrize("ratio", range(2, 11))
def test_kaiser_upsampling_leaks_as_the_reference(ratio: int) -> None:
    """The buffer is float32: each line moves by what rounding of the taps can do to it, seen from the line below DC."""
    layer = KaiserSinc(ratio)
    measured, exact = leakage(KaiserUpsample1d(ratio), ratio, time=96), dspref.leakage(layer)
    spread = 2.0**-23 * np.abs(layer.taps).sum() / ratio
    for line, other in zip(measured.lines, exact.lines, strict=True):
        assert line.null == other.null
        if line.dbc is not None and other.dbc is not None:
            assert abs(line.dbc - other.dbc) <= 8.69 * spread * 10 ** (-line.dbc / 20)


def test_the_cure_of_one_filter() -> None:
    module = nn.ConvTranspose1d(1, 1, 9, stride=3, bias=False)
    nine = [4066.0, 6261.0, 8133.0, 9391.0, 9834.0, 9391.0, 8133.0, 6261.0, 4066.0]
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[nine]]))
    found = leakage(module, 3, time=96)
    assert round(found.worst_dbc or 0, 2) == -38.65
    assert found.cure is not None
    with torch.no_grad():
        module.weight.copy_(torch.tensor(found.cure.taps[None, None]))
    assert (leakage(module, 3, time=96).worst_dbc or -math.inf) < -140  # float32 weights
    assert leakage(nn.ConvTranspose1d(2, 1, 9, stride=3), 3, time=96).cure is None


def test_modules_are_left_as_they_are() -> None:
    conv = nn.ConvTranspose1d(1, 1, 4, stride=2)
    module = nn.Sequential(conv, nn.Dropout(0.5)).half().train()
    before = conv.weight.clone()
    found = leakage(module, 2, time=96)
    assert found.worst_dbc is not None
    assert module.training
    assert conv.weight.dtype == torch.float16
    assert (conv.weight == before).all()
    assert conv.weight.grad is None


def single(x: Tensor) -> Tensor:
    if x.dtype != torch.float32:
        raise TypeError("float32 only")
    return x.repeat_interleave(2, -1)


def test_functions_that_take_float32_alone() -> None:
    found = leakage(single, 2, time=96)
    assert found.tone_free
    assert -140 < (found.resolution_dbc or 0) < -110
    assert leakage(lambda x: x.repeat_interleave(2, -1), 2, time=96).resolution_dbc == pytest.approx(
        (found.resolution_dbc or 0) - 20 * math.log10(2) * 29
    )
    assert leakage(nn.Upsample(scale_factor=2), 2, dtype="float32", time=96) == found


BAD: dict[str, tuple[Any, int, dict[str, Any], str]] = {
    "not linear": (nn.Sequential(nn.Upsample(scale_factor=2), nn.Tanh()), 2, {}, "not linear"),
    "not periodic": (nn.Upsample(scale_factor=2, mode="linear", align_corners=True), 2, {}, "not periodic"),
    "another factor": (nn.Upsample(scale_factor=2), 3, {}, "length: upsampler: got 192, 194, 206"),
    "wrong channels": (nn.ConvTranspose1d(4, 1, 2, 2), 2, {"channels": 3}, "to have 4 channels, but got 3"),
    "another shape": (lambda x: x[0], 2, {}, "result: got shape (1, 96)"),
    "NaN": (lambda x: x.repeat_interleave(2, -1) / 0, 2, {}, "output of the box: got NaN or infinity"),
    "random": (lambda x: F.dropout(x.repeat_interleave(2, -1)), 2, {}, "not repeatable"),
    "factor": (nn.Upsample(scale_factor=2), 1, {}, "factor: got 1; allowed: an integer >= 2"),
    "dtype": (nn.Upsample(scale_factor=2), 2, {"dtype": "float8"}, "dtype: got 'float8'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    f, factor, options, words = BAD[name]
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        leakage(f, factor, time=96, **options)
    assert isinstance(caught.value, NotAnalysable) == (name not in ("factor", "dtype"))


@pytest.mark.parametrize("thing", [nn.Upsample(scale_factor=2), torch.ones(3), nn.Parameter(torch.ones(3))])
def test_the_reference_points_here(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"torchparity.leakage\(module, factor\) takes modules"):
        dspref.leakage(thing, 2)
    with pytest.raises(NotAnalysable, match=r"modules: torchparity\.leakage"):
        dspref.leakage(F.relu, 2)


def test_the_table_of_torch() -> None:
    rows = {(row.name, row.factor): row for row in known_leakage((2, 3))}
    assert {name for name, _ in rows} == set(ROWS)
    for (name, _), row in rows.items():
        if "corners" in name:
            assert row.leakage is None
            assert row.note.startswith("not periodic")
        elif name.startswith("interpolate"):
            assert row.leakage is not None
            assert row.leakage.tone_free
    three = rows["kaiser-sinc", 3].leakage
    assert three is not None
    assert round(three.worst_dbc or 0, 2) == -62.78
    assert (rows["kaiser-sinc", 2].leakage or three).tone_free


def test_julius_is_asked_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "julius", None)
    assert [row.note for row in known_leakage([2]) if row.name == "julius"] == ["not installed"]
    stand_in = SimpleNamespace(resample_frac=lambda x, old, new: x.repeat_interleave(new // old, -1))
    monkeypatch.setitem(sys.modules, "julius", stand_in)
    (row,) = [row for row in known_leakage([2]) if row.name == "julius"]
    assert row.leakage is not None
    assert row.leakage.tone_free


def test_the_function_is_the_packages() -> None:
    import torchparity.leaks

    assert torchparity.leakage is torchparity.leaks.leakage
    assert np.isfinite(leakage(nn.ConvTranspose1d(1, 1, 3, 2), 2, time=96).worst_dbc or 0)
