"""Forward faults that any operator may have: single samples, single bits, low precision, memory, chance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from torchparity.mutants.correct import correct, kernel, rekernelled, tf32
from torchparity.mutants.likes import conv, convt, filtering, linear, nearest, resizing, shuffle
from torchparity.mutants.registry import Like, mutant

KERNELS: dict[str, Like] = {"convt": convt(), "conv": conv(), "shuffle": shuffle(), "filter": filtering()}
FIXED: dict[str, Like] = {
    "nearest": nearest(),
    "nearest_exact": resizing("nearest-exact"),
    "linear": linear(),
    "cubic": resizing("cubic", "2"),
}
ALL = KERNELS | FIXED


@mutant("last sample wrong for lengths > 32", ALL)
def last_sample_repeated(x: Tensor, p: Any) -> Tensor:
    """Go wrong in the last, incomplete vector of a loop that is unrolled by 32."""
    y = correct(x, p).clone()
    if x.shape[-1] > 32:
        y[..., -1] = y[..., -2 * y.shape[-1] // x.shape[-1]]
    return y


@mutant("relative error 3e-7 of every output", ALL, fault="relative error 3e-7")
def all_scaled(x: Tensor, p: Any) -> Tensor:
    """Be off by 2.5 units in the last place of single precision."""
    return correct(x, p) * (1 + 3e-7)


@mutant("relative error 3e-7 of one tap", KERNELS, fault="relative error 3e-7")
def one_tap_scaled(x: Tensor, p: Any) -> Tensor:
    """Be off by 2.5 units in the last place, in one tap of one channel."""

    def change(w: Tensor) -> Tensor:
        w = w.clone()
        w[-1, 0, -1] *= 1 + 3e-7
        return w

    return rekernelled(x, p, change)


@mutant("first sample off by 1e-6", ALL, fault="one edge sample off by 1e-6")
def first_sample_off(x: Tensor, p: Any) -> Tensor:
    """Have a little more at the first sample."""
    y = correct(x, p).clone()
    y[..., 0] += 1e-6
    return y


@mutant("last sample off by 1e-6", ALL, fault="one edge sample off by 1e-6")
def last_sample_off(x: Tensor, p: Any) -> Tensor:
    """Have a little more at the last sample."""
    y = correct(x, p).clone()
    y[..., -1] += 1e-6
    return y


def accumulated(x: Tensor, p: Any, rounded: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the layer computed tap by tap, the sum rounded after each of them, then its bias."""
    y = torch.zeros_like(correct(x, p))
    for only in torch.eye(kernel(p).shape[-1], dtype=x.dtype):
        y = rounded(y + rekernelled(x, p, partial(torch.mul, only), bias=None))
    return y + rekernelled(x, p, torch.zeros_like)


@mutant("partial sums in fp16", KERNELS, fault="half accumulate")
def accumulated_in_fp16(x: Tensor, p: Any) -> Tensor:
    """Round every partial sum to half precision, between single operands and a single result."""
    return accumulated(x, p, lambda y: y.half().to(y.dtype))


@mutant("partial sums in bf16", KERNELS, fault="half accumulate")
def accumulated_in_bf16(x: Tensor, p: Any) -> Tensor:
    """Round every partial sum to bfloat16, between single operands and a single result."""
    return accumulated(x, p, lambda y: y.bfloat16().to(y.dtype))


@mutant("TF32 where fp32 was promised", KERNELS)
def in_tf32(x: Tensor, p: Any) -> Tensor:
    """Round signal and kernel to 11 significant bits, as tensor cores do unless told otherwise."""
    return rekernelled(tf32(x), p, tf32)


@mutant("interpolated in bf16", fault="half accumulate", linear=linear())
def interpolated_in_bf16(x: Tensor, p: Any) -> Tensor:
    """Compute under autocast what was to be computed in single precision."""
    return correct(x.bfloat16(), p).to(x.dtype)


@mutant("input normalised in place", ALL, fault="mutated in place")
def input_normalised(x: Tensor, p: Any) -> Tensor:
    """Scale the caller's tensor."""
    y = correct(x, p)
    x /= x.abs().max().clamp(min=1)
    return y


@mutant("input written over at its end", fault="mutated in place", convt=convt(), conv=conv())
def input_written_over(x: Tensor, p: Any) -> Tensor:
    """Use the end of the caller's tensor as a scratch pad."""
    y = correct(x, p)
    x[..., -1] = 0
    return y


@mutant("weights scaled by every call", fault="mutated in place", convt=convt(), conv=conv(), filter=filtering())
def weights_scaled(x: Tensor, p: Any) -> Tensor:
    """Change its own weights by being called."""
    y = correct(x, p)
    with torch.no_grad():
        kernel(p).mul_(1 + 2**-6)
    return y


@mutant("dropout left on", ALL, fault="non-determinism")
def dropout_left_on(x: Tensor, p: Any) -> Tensor:
    """Drop samples in evaluation mode."""
    return correct(torch.nn.functional.dropout(x, 0.01, training=True), p)


@mutant("dither of 1e-6", ALL, fault="non-determinism")
def dithered(x: Tensor, p: Any) -> Tensor:
    """Add noise far below hearing."""
    y = correct(x, p)
    return y + 1e-6 * torch.randn_like(y)


@mutant("tail of the call before added", convt=convt(), conv=conv(), linear=linear())
def tail_kept(x: Tensor, p: Any) -> Tensor:
    """Keep state where none was to be: add the end of the last signal to this one."""
    y = correct(x, p).clone()
    kept, p.memory["tail"] = p.memory.get("tail"), y[:1, :, -1:].clone()
    if kept is not None:
        y[:1, :, :1] += kept
    return y


@mutant("batch items mixed", convt=convt(), conv=conv(), linear=linear())
def batch_mixed(x: Tensor, p: Any) -> Tensor:
    """Give the first item's result to the whole batch."""
    y = correct(x, p)
    return torch.cat([y[:1], y[:1].expand(len(y) - 1, -1, -1)])


@mutant("result written over by the next call", ALL, fault="mutated in place")
def result_written_over(x: Tensor, p: Any) -> Tensor:
    """Return a buffer of its own, the same for every call of a shape."""
    y = correct(x, p)
    buffer: Tensor = p.memory.setdefault(tuple(y.shape), torch.empty_like(y))
    return buffer.copy_(y)
