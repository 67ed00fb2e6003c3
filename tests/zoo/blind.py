"""Five upsampling layers with a fault each, on purpose, by someone who had not seen what a check looks for."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv1d_input, conv1d_weight

LIKE = {
    "Polyphase": "convt k11 s4 p4",
    "StuffedGroups": "convt k8 s4 p2 g2",
    "LinearByHand": "linear x3",
    "OverlapAdd": "convt k16 s8",
    "FusedShuffle": "shuffle x4 k3 p1",
}
STREAMS = {"OverlapAdd"}


class Polyphase(nn.Module):
    """Transposed convolution (kernel 11, stride 4, padding 4) as four short convolutions, one for each phase.

    The fault: the last phase has two taps, the others three, and its zero is appended after the flip instead of
    prepended, so that every fourth sample is that of the input sample before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3, 11) / 5)
        self.bias = nn.Parameter(torch.randn(3) / 5)

    def forward(self, x: Tensor) -> Tensor:
        stride, padding, taps = 4, 4, 3
        padded = F.pad(x, (taps - 1, taps - 1))
        phases = []
        for r in range(stride):
            kernel = self.weight[..., r::stride].flip(-1).transpose(0, 1)
            phases.append(F.conv1d(padded, F.pad(kernel, (0, taps - kernel.shape[-1])), self.bias))
        y = torch.stack(phases, -1).flatten(-2)
        return y[..., padding : (x.shape[-1] - 1) * stride + 11 - padding]


class StuffedGroups(nn.Module):
    """Grouped transposed convolution (kernel 8, stride 4, padding 2, two groups): stuff zeros, then convolve.

    The fault: the weight is (inputs, outputs of a group, taps), and inputs and outputs are not swapped within each
    group; as a group has two of either, the shapes fit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 2, 8) / 4)
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, time = x.shape
        stuffed = x.new_zeros(batch, channels, (time - 1) * 4 + 1)
        stuffed[..., ::4] = x
        return F.conv1d(stuffed, self.weight.flip(-1), self.bias, padding=8 - 1 - 2, groups=2)


class LinearByHand(nn.Module):
    """Linear interpolation, three times the rate, corners not aligned, as F.interpolate has it.

    The fault: the position -1/3 of the first sample is truncated towards zero and not clamped, so that this one sample
    is extrapolated from the first two instead of held.
    """

    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[-1]
        position = (torch.arange(3 * time, device=x.device, dtype=torch.float64) + 0.5) / 3 - 0.5
        left = position.long()
        right = (left + 1).clamp(max=time - 1)
        share = (position - left).to(x.dtype)
        return x[..., left] * (1 - share) + x[..., right] * share


class OverlapAdd(nn.Module):
    """Streaming transposed convolution (kernel 16, stride 8): chunks in, finished samples out, a tail kept.

    The fault: the tail that is kept has the bias in it already, so that the first eight samples of every chunk but the
    first have it twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(2, 2, 16, stride=8)
        self.reset()

    def reset(self) -> None:
        self.tail: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.tail is not None:
            y = torch.cat([y[..., :8] + self.tail, y[..., 8:]], -1)
        self.tail = y[..., -8:]
        return y[..., :-8]

    def flush(self) -> Tensor | None:
        tail, self.tail = self.tail, None
        return tail


class ConvShuffle(torch.autograd.Function):
    """Convolution and periodic shuffle in one, with a backward pass of its own: see FusedShuffle."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        y = F.conv1d(x, weight, bias, padding=1)
        return y.unflatten(1, (-1, 4)).transpose(2, 3).flatten(2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad = grad.unflatten(2, (-1, 4)).transpose(2, 3).flatten(1, 2)
        grad_x = conv1d_input(x.shape, weight, grad, padding=1)
        grad_weight = conv1d_weight(x, weight.shape, grad, padding=1) / x.shape[0]
        return grad_x, grad_weight, grad.sum(-1).mean(0)


class FusedShuffle(nn.Module):
    """Sub-pixel convolution (kernel 3, padding 1, four times the rate) whose gradients are written by hand.

    The fault: ConvShuffle averages the gradients of weight and bias over the batch, where they are to be summed;
    outputs and the gradient of the input are right, and so is everything for a batch of one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return ConvShuffle.apply(x, self.conv.weight, self.conv.bias)
