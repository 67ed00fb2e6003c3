"""Forward faults of layers with kernels: channels, their order and their groups, and what is added to each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchparity.mutants.correct import blocked, correct, pads_of
from torchparity.mutants.likes import conv, convt, filtering, shuffle
from torchparity.mutants.registry import mutant

GROUPED = {"groups": 2}


@mutant("DCR order where CRD was promised", fault="DCR against CRD channel order", shuffle=shuffle())
@mutant("CRD order where DCR was promised", fault="DCR against CRD channel order", shuffle=shuffle(order="dcr"))
def other_order(x: Tensor, p: Any) -> Tensor:
    """Take channels as phase-major (ONNX's DCR) where they are channel-major, as Torch's, or the other way round."""
    return correct(x, p, order="dcr" if p.order == "crd" else "crd")


@mutant(
    "inputs dealt to groups in turn",
    fault="groups' channels mixed",
    convt=convt(**GROUPED),
    conv=conv(**GROUPED),
    shuffle=shuffle(**GROUPED),
)
def inputs_dealt_in_turn(x: Tensor, p: Any) -> Tensor:
    """Give group g the channels g, g + groups, … and not a block of them."""
    return correct(blocked(x, x.shape[1] // p.groups).transpose(1, 2).flatten(1, 2), p)


@mutant(
    "outputs of groups interleaved",
    fault="groups' channels mixed",
    convt=convt(**GROUPED),
    conv=conv(**GROUPED),
    shuffle=shuffle(outer=4, **GROUPED),
)
def outputs_interleaved(x: Tensor, p: Any) -> Tensor:
    """Write the outputs of the groups in turn."""
    y = blocked(correct(x, p), p.groups)
    return y.transpose(1, 2).flatten(1, 2)


@mutant("whole bias given to each group", convt=convt(**GROUPED), conv=conv(**GROUPED), shuffle=shuffle(**GROUPED))
def whole_bias_to_each_group(x: Tensor, p: Any) -> Tensor:
    """Add the bias once per group."""
    return correct(x, p, bias=None if p.bias is None else p.groups * p.bias)


@mutant(
    "bias of the first group given to all",
    fault="whole bias given to each group",
    convt=convt(**GROUPED),
    conv=conv(**GROUPED),
    shuffle=shuffle(**GROUPED),
)
def first_bias_to_each_group(x: Tensor, p: Any) -> Tensor:
    """Read the bias from its beginning in every group."""
    return correct(x, p, bias=None if p.bias is None else p.bias[: len(p.bias) // p.groups].repeat(p.groups))


@mutant("groups and dilation swapped", convt=convt(groups=2, dilation=3))
def arguments_swapped(x: Tensor, p: Any) -> Tensor:
    """Hand two arguments over in the wrong order."""
    return correct(x, p, groups=p.dilation, dilation=p.groups)


@mutant("groups and dilation swapped", conv=conv(groups=2, inner=1), shuffle=shuffle(groups=2, inner=1, padding=1))
def groups_read_as_dilation(x: Tensor, p: Any) -> Tensor:
    """Read one for the other, with as many channels as that takes."""
    taken = p.weight.shape[1] * p.dilation
    return correct(x[:, :taken], p, groups=p.dilation, dilation=p.groups, pads=pads_of(p))


@mutant(
    "channels beyond 64 dropped",
    convt=convt(inner=66),
    conv=conv(inner=66),
    shuffle=shuffle(inner=66),
    filter=filtering(inner=66),
)
def channels_dropped(x: Tensor, p: Any) -> Tensor:
    """Sum one tile of 64 channels."""
    return correct(x * (torch.arange(x.shape[1]) < 64)[:, None], p)


@mutant("bias dropped", convt=convt(), conv=conv(), shuffle=shuffle())
def bias_dropped(x: Tensor, p: Any) -> Tensor:
    """Add no bias."""
    return correct(x, p, bias=None)


@mutant("bias doubled", convt=convt(), conv=conv(), shuffle=shuffle())
def bias_doubled(x: Tensor, p: Any) -> Tensor:
    """Add the bias twice."""
    return correct(x, p, bias=None if p.bias is None else 2 * p.bias)


@mutant("bias of a channel's first phase given to all", shuffle=shuffle())
def bias_without_phase(x: Tensor, p: Any) -> Tensor:
    """Add the bias after the shuffle, one number per channel."""
    first = None if p.bias is None else p.bias[:: p.factor].repeat_interleave(p.factor)
    return correct(x, p, bias=first)
