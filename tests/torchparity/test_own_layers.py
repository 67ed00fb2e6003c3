"""Layers as their users write them: computed weights, other algorithms, other layouts, half precision by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from dspref import TransposedConv
from torchparity import Verdict, check
from torchparity.laws import ratio_meant

LIKE = "convt k8 s4 p2"


class Up(nn.Module):
    """A transposed convolution of one's own; `right` and `wrong` are heirs that compute it in other ways."""

    def __init__(self, *, channels: int = 3, out: int = 2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, out, 8) / 4)
        self.bias = nn.Parameter(torch.randn(out) / 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.weight, self.bias, stride=4, padding=2)


class ByMatrix(Up):
    """One product of matrices, and the stamps added by fold."""

    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[-1]
        stamps = self.weight.flatten(1).T @ x
        length = (time - 1) * 4 + 8
        y = F.fold(stamps, (1, length), (1, 8), stride=(1, 4))[:, :, 0]
        return y[..., 2 : length - 2] + self.bias[:, None]


class ByStuffing(Up):
    """Zeros between the samples, and a convolution."""

    def forward(self, x: Tensor) -> Tensor:
        stuffed = x.new_zeros(*x.shape[:2], (x.shape[-1] - 1) * 4 + 1)
        stuffed[..., ::4] = x
        return F.conv1d(stuffed, self.weight.flip(-1).transpose(0, 1), self.bias, padding=5)


class ByLoop(Up):
    """Stamp by stamp, in place."""

    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[-1]
        y = x.new_zeros(x.shape[0], self.weight.shape[1], (time - 1) * 4 + 8)
        for n in range(time):
            y[..., 4 * n : 4 * n + 8] += torch.einsum("bi,iok->bok", x[..., n], self.weight)
        return y[..., 2:-2] + self.bias[:, None]


class ByFFT(Up):
    """A product of spectra: right up to the norm, and no further."""

    def forward(self, x: Tensor) -> Tensor:
        stuffed = x.new_zeros(*x.shape[:2], (x.shape[-1] - 1) * 4 + 1)
        stuffed[..., ::4] = x
        n = stuffed.shape[-1] + 7
        y = torch.fft.irfft(torch.einsum("bif,iof->bof", torch.fft.rfft(stuffed, n), torch.fft.rfft(self.weight, n)), n)
        z: Tensor = y[..., 2:-2] + self.bias[:, None]
        return z


class Equalised(Up):
    """The weight is scaled when it is used."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.weight / math.sqrt(24), self.bias, stride=4, padding=2)


class Transposed(Up):
    """The weight is kept (out, in, taps)."""

    def __init__(self) -> None:
        super().__init__(channels=2, out=3)
        self.bias = nn.Parameter(torch.randn(2))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.weight.transpose(0, 1), self.bias, stride=4, padding=2)


class Clamped(Up):
    """The weight is kept in ±1, which changes none that is."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.weight.clamp(-1, 1), self.bias, stride=4, padding=2)


class Quantised(nn.Module):
    """Whole numbers and a scale; nothing is trained."""

    codes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codes", torch.randint(-127, 128, (3, 2, 8), dtype=torch.int8))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.codes.to(x.dtype) / 128, stride=4, padding=2)


class Half(nn.Module):
    """Linear interpolation by hand: in half precision, every operation rounds to it."""

    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[-1]
        position = ((torch.arange(3 * time, dtype=torch.float64) + 0.5) / 3 - 0.5).clamp(min=0)
        left = position.long()
        share = (position - left).to(x.dtype)
        return x[..., left] * (1 - share) + x[..., (left + 1).clamp(max=time - 1)] * share


STATUS: dict[str, tuple[type[nn.Module], set[str]]] = {
    "as Torch has it": (Up, {"within bound"}),
    "by a product of matrices": (ByMatrix, {"within bound"}),
    "by zero stuffing": (ByStuffing, {"within bound"}),
    "by a loop": (ByLoop, {"within bound"}),
    "clamped": (Clamped, {"within bound", "inconclusive"}),
    "by FFT": (ByFFT, {"normwise only"}),
    "equalised": (Equalised, {"inconclusive"}),
    "laid out otherwise": (Transposed, {"inconclusive"}),
    "quantised": (Quantised, {"within bound"}),
}


def verdict_of(made: type[nn.Module], seed: int, **options: Any) -> Verdict:
    torch.manual_seed(seed)
    return check(made(), like=LIKE, **options)


@pytest.mark.parametrize("name", STATUS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_right_layer_is_called_wrong(name: str, dtype: str) -> None:
    made, allowed = STATUS[name]
    for seed in range(2):
        verdict = verdict_of(made, seed, dtype=dtype)
        assert verdict.status in allowed, str(verdict)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_by_hand_is_told_from_a_fault(dtype: str) -> None:
    verdict = check(Half(), like="linear x3", dtype=dtype)
    assert verdict.status == "inconclusive", str(verdict)
    assert f"if every operation rounds to {dtype}" in verdict.reason


def test_weight_norm_is_not_taken_for_the_weight_whatever_it_starts_from() -> None:
    for seed in range(50):
        torch.manual_seed(seed)
        verdict = check(weight_norm(nn.ConvTranspose1d(3, 2, 8, stride=4, padding=2)), LIKE, lengths=[1, 9])
        assert verdict.ok, str(verdict)
        assert verdict.coverage.unchecked == ("gradient by the weight of convt k8 s4 p2",)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_weights_that_half_precision_cannot_hold_are_no_fault_under_autocast(half: str) -> None:
    layer = TransposedConv(np.random.default_rng(0).standard_normal((3, 2, 8)).astype("float32") * 1e-7, stride=4)
    torch.manual_seed(0)
    module = nn.ConvTranspose1d(3, 2, 8, stride=4, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.array(layer.weight)))
    verdict = check(module, like=layer, autocast=half)
    assert verdict.ok, str(verdict)


class Training(Up):
    """Wrong in training mode, and there alone."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return 1.5 * y if self.training else y


def test_another_output_in_training_mode_is_remarked_on() -> None:
    words = "in training mode its output is another"
    assert words in "".join(verdict_of(Training, 0).remarks)
    assert words not in "".join(verdict_of(Up, 0).remarks)


class Sparse(Up):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).to_sparse()


def test_a_sparse_result_is_no_result() -> None:
    verdict = verdict_of(Sparse, 0)
    assert verdict.status == "wrong"
    assert "a dense tensor with values" in verdict.reason


def test_a_gain_behind_a_box_is_found_by_its_gradient() -> None:
    class Gain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose1d(2, 2, 4, stride=2)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.up(x)
            return y + 0.5 * (y - y.detach())  # right outputs, gradients half as large again

    verdict = check(Gain(), like="convt k4 s2")
    assert verdict.status == "wrong"
    assert "gradient by" in verdict.reason


@pytest.mark.parametrize(
    ("scale", "ratio"), [(1.6, Fraction(8, 5)), (1.1, Fraction(11, 10)), (1 / 3, Fraction(1, 3)), (2.0, Fraction(2))]
)
def test_the_ratio_that_a_float_means(scale: float, ratio: Fraction) -> None:
    assert ratio_meant(scale) == ratio


@pytest.mark.parametrize("scale", [math.pi, 120 / 88, 0.7 + 1e-12])
def test_a_float_that_means_no_ratio_or_makes_other_lengths_stands_for_itself(scale: float) -> None:
    assert ratio_meant(scale) == scale
    assert isinstance(ratio_meant(scale), float)


def test_taps_that_are_computed_on_the_way_are_told_from_a_fault() -> None:
    """A batch norm folded into a convolution rounds its taps otherwise."""
    for seed in range(5):
        torch.manual_seed(seed)
        conv, norm = nn.Conv1d(2, 3, 5, padding=2).eval(), nn.BatchNorm1d(3).eval()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        verdict = check(nn.Sequential(conv, norm), like=nn.utils.fuse_conv_bn_eval(conv, norm))
        assert verdict.status == "inconclusive", str(verdict)
        assert "units in the last place" in verdict.reason


def test_an_input_that_is_scaled_is_told_from_a_fault() -> None:
    torch.manual_seed(0)
    w, gain = torch.randn(4, 1, 4), 1 / math.sqrt(3)
    like = TransposedConv((w * gain).numpy(), stride=4, groups=4)
    verdict = check(lambda x: F.conv_transpose1d(x * gain, w.to(x), stride=4, groups=4), like=like)
    assert verdict.status == "inconclusive", str(verdict)
    assert "rounded once more on the way" in verdict.reason


def test_a_weight_beyond_the_range_of_half_precision_is_no_fault() -> None:
    module = nn.ConvTranspose1d(2, 2, 4, stride=2)
    with torch.no_grad():
        module.weight[0, 0, 0] = 7e4
    verdict = check(module, autocast="float16")
    assert (verdict.status, verdict.reason) == (
        "inconclusive",
        "operands of 7e+04 are beyond the range of float16",
    )
