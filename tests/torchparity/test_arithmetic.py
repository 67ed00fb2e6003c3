"""Models of arithmetic: numbers are rounded as Torch rounds them, and a computation that does otherwise shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import Conv, NotAnalysable, TransposedConv
from torchparity import build, check
from torchparity.arithmetic import ARITHMETICS, DTYPES, arithmetic, chosen, cut, rounded, unit
from torchparity.calls import numbers

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_are_rounded_as_torch_rounds_them(dtype: str) -> None:
    """Ties, subnormal numbers and overflow among them."""
    wide = RNG.standard_normal(50_000) * 2.0 ** RNG.uniform(-150, 130, 50_000)
    ties = (1 + (2 * np.arange(512) + 1) * 2.0**-9) * 2.0 ** RNG.integers(-20, 20, 512)
    with np.errstate(over="ignore"):
        x = np.r_[wide, ties, 0.0, -0.0].astype(np.float32)
    due = torch.from_numpy(x).to(getattr(torch, dtype))
    assert np.array_equal(rounded(x, dtype), numbers(due))
    assert np.isinf(rounded(1e39, "bfloat16"))


def test_the_unit_roundoff_is_the_largest_relative_error() -> None:
    x = 1 + RNG.random(200_000)
    for dtype in DTYPES[1:]:
        errors = np.abs(rounded(x, dtype) - x) / x
        assert 0.9 * unit(dtype) < errors.max() <= unit(dtype)


def test_operands_are_cut_towards_zero() -> None:
    x = RNG.standard_normal(10_000)
    kept = cut(x, 11)
    assert (np.abs(kept) <= np.abs(x)).all()
    assert 0.9 * 2.0**-10 < (np.abs(x - kept) / np.abs(x)).max() <= 2.0**-10
    assert np.array_equal(cut(kept, 11), kept)


@pytest.mark.parametrize("name", ARITHMETICS)
def test_models_say_what_they_are(name: str) -> None:
    a = arithmetic(name)
    assert a.name == name
    assert a.dtype in DTYPES
    assert f"2^-{-int(np.log2(unit(a)))}" in a.words
    assert a.operand_digits <= a.digits


def test_models_are_known_by_dtypes_of_numpy_and_torch() -> None:
    assert arithmetic(torch.bfloat16) is arithmetic("torch.bfloat16") is ARITHMETICS["bfloat16"]
    assert arithmetic(np.dtype("float64")) is ARITHMETICS["float64"]
    with pytest.raises(NotAnalysable, match="dtype: got int8; allowed: float64"):
        arithmetic(np.int8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "float64", "tf32": True}, "dtype under tf32: got float64; allowed: float32"),
        ({"dtype": "bfloat16", "autocast": "bfloat16"}, "dtype under autocast: got bfloat16"),
        ({"dtype": "float32", "autocast": "bfloat16", "tf32": True}, "tf32 and autocast: got both"),
    ],
)
def test_what_lowers_nothing_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chosen(**options)


class Lowered(nn.Module):
    """A right layer whose operands, or whose sums, are rounded to fewer digits than its dtype has."""

    def __init__(self, layer: nn.Module, *, operands: int = 0, sums: torch.dtype | None = None) -> None:
        super().__init__()
        self.layer, self.operands, self.sums = layer, operands, sums
        if operands:
            with torch.no_grad():
                for p in layer.parameters():
                    p.copy_(self._cut(p))

    def _cut(self, x: Tensor) -> Tensor:
        return torch.from_numpy(cut(x.detach().numpy(), self.operands)).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(self._cut(x) if self.operands else x)
        return y if self.sums is None else y.to(self.sums).to(x.dtype)


LAYER = TransposedConv(RNG.standard_normal((3, 2, 6)).astype("float32"), stride=2)


def test_a_model_of_fewer_digits_is_found_and_one_that_allows_them_holds() -> None:
    """Operands of 11 digits are TF32, and nothing else: neither float32, nor any better."""
    lowered = Lowered(build(LAYER), operands=11)
    assert check(lowered, like=LAYER, tf32=True, gradients=False).status == "within bound"
    verdict = check(lowered, like=LAYER, gradients=False)
    assert verdict.status == "wrong"
    assert verdict.arithmetic == ARITHMETICS["float32"].words
    assert check(Lowered(build(LAYER), operands=9), like=LAYER, tf32=True, gradients=False).status == "wrong"


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_sums_rounded_to_half_are_not_those_of_float32(half: torch.dtype) -> None:
    assert not check(Lowered(build(LAYER), sums=half), like=LAYER, gradients=False).ok


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("layer", [LAYER, Conv(RNG.standard_normal((4, 3, 5)), padding=2, bias=np.ones(4))])
def test_autocast_is_a_model_of_its_own(half: str, layer: Any) -> None:
    module = build(layer, dtype="float32")
    verdict = check(module, autocast=half)
    assert verdict.ok, str(verdict)
    assert (verdict.dtype, verdict.ratio > 0) == ("float32", True)

    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=getattr(torch, half)):
                y: Tensor = self.inner(x)
            return y

    lowered = check(Inside(), like=layer)
    assert lowered.status == "wrong"
    assert f"say autocast='{half}'" in lowered.reason
