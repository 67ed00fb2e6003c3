"""Backward faults: the output is right, a gradient is not.

The gradient of a wrong computation is a wrong gradient: most forward faults are grafted onto the right output, by
the input or by the weights. What only gradients can have stands below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from torchparity.mutants import behaviour, channels, interpolation, kernels
from torchparity.mutants.behaviour import KERNELS
from torchparity.mutants.correct import correct, grid, parts, placed, rekernelled, tf32, with_changed
from torchparity.mutants.likes import conv, convt, filtering, linear, nearest, shuffle
from torchparity.mutants.likes import resizing as resized
from torchparity.mutants.registry import Like, Mutant, mutant, register

Wrong: TypeAlias = Callable[[Tensor, Any], Tensor]
Change: TypeAlias = Callable[[Tensor], Tensor]


class _Graft(torch.autograd.Function):
    """A value, and the gradient of something else."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, other: Tensor, change: Change) -> Tensor:
        """Return the value."""
        ctx.change = change
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[None, Tensor, None]:
        """Hand the gradient, changed, to the other."""
        return None, ctx.change(grads[0]), None


def grafted(value: Tensor, other: Tensor, change: Change = lambda g: g) -> Tensor:
    """Return a value with the gradient of another computation of the same shape."""
    found: Tensor = _Graft.apply(value.detach(), other, change)  # type: ignore[no-untyped-call]
    return found


def fixed(p: Any) -> Any:
    """Return the parameters as constants."""
    return with_changed(p, **{name: a.detach() for name, a in vars(with_changed(p)).items() if isinstance(a, Tensor)})


def by_input(x: Tensor, p: Any, wrong: Wrong) -> Tensor:
    """Return the right output, whose gradient by the input is that of `wrong`."""
    return grafted(correct(x, p), wrong(x, fixed(p)) + correct(x.detach(), p))


def by_weights(x: Tensor, p: Any, wrong: Wrong) -> Tensor:
    """Return the right output, whose gradients by weight and bias are those of `wrong`."""
    return grafted(correct(x, p), wrong(x.detach(), p) + correct(x, fixed(p)))


TRAINED: dict[str, Like] = {"convt": convt(), "conv": conv(), "shuffle": shuffle()}
GROUPED: dict[str, Like] = {"convt": convt(groups=2), "conv": conv(groups=2), "shuffle": shuffle(groups=2)}
TAPS: dict[str, Like] = {
    "convt": convt(taps=20, stride=5),
    "conv": conv(taps=19, padding=9),
    "shuffle": shuffle(taps=19, padding=9),
}
WIDE: dict[str, Like] = {"convt": convt(inner=66), "conv": conv(inner=66), "shuffle": shuffle(inner=66)}
SAMPLED: dict[str, Like] = {"nearest": nearest(), "linear": linear(), "cubic": resized("cubic", "2")}
EXACT: dict[str, Like] = {"nearest_exact": resized("nearest-exact")}
ALL = KERNELS | SAMPLED | EXACT

Row: TypeAlias = tuple[str, str, Wrong, Mapping[str, Like]]

BY_INPUT: tuple[Row, ...] = (
    ("kernel flipped", "", kernels.kernel_flipped, KERNELS),
    ("phases swapped", "", kernels.phases_of_taps_swapped, {"convt": convt(taps=9), "filter": filtering(taps=9)}),
    ("phases swapped", "", kernels.phases_of_channels_swapped, {"shuffle": shuffle()}),
    ("phases swapped", "", interpolation.phases_swapped, {"linear": linear()}),
    ("DCR order", "DCR against CRD channel order", channels.other_order, {"shuffle": shuffle()}),
    ("padding off by one", "", kernels.crop_off_by_one, {"convt": convt()}),
    ("padding off by one", "", kernels.pads_off_by_one, {"conv": conv(), "shuffle": shuffle()}),
    ("padding off by one", "", kernels.offset_off_by_one, {"filter": filtering()}),
    ("padding off by one", "", interpolation.one_output_late, {"nearest": nearest()}),
    (
        "output_padding has none",
        "output_padding implemented as input padding",
        kernels.output_padding_filled_with_zeros,
        {"convt": convt(padding=3, output_padding=2)},
    ),
    (
        "output_padding beyond the stride has none",
        "output_padding ≥ stride with dilation",
        kernels.output_padding_left_empty,
        {"convt": kernels.BEYOND},
    ),
    ("inputs dealt to groups in turn", "groups' channels mixed", channels.inputs_dealt_in_turn, GROUPED),
    (
        "phase of a dilated tap taken as if undilated",
        "stride and dilation offsets",
        kernels.phase_of_dilated_taps,
        {"convt": convt(dilation=2)},
    ),
    (
        "tail beyond the undilated length lost",
        "dilation ignored in the length",
        kernels.tail_without_dilation,
        {"convt": convt(dilation=2)},
    ),
    (
        "gap gives some too",
        "stride > kernel extent with the gap filled",
        kernels.gap_filled,
        {"convt": convt(stride=5, taps=3, padding=0), "filter": filtering(factor=5, taps=3, offset=0)},
    ),
    ("taps beyond 16 dropped", "", kernels.taps_dropped, TAPS | {"filter": filtering(taps=20)}),
    ("channels beyond 64 dropped", "", channels.channels_dropped, WIDE | {"filter": filtering(inner=66)}),
    ("last sample wrong for lengths > 32", "", behaviour.last_sample_repeated, ALL),
    ("relative error 3e-7", "", behaviour.all_scaled, ALL),
    ("half accumulate", "", behaviour.accumulated_in_fp16, KERNELS),
    ("plain formula", "nearest-exact by the plain formula", interpolation.other_formula, EXACT),
    ("index by float product", "", interpolation.index_by_product, {"nearest": nearest(41)}),
    ("corners aligned", "align_corners mixed up", interpolation.corners_mixed_up, {"linear": linear()}),
    ("corners aligned", "align_corners mixed up", interpolation.corners_mixed_up, {"cubic": resized("cubic")}),
    ("border of zeros", "", interpolation.border_of_zeros, {"linear": linear()}),
    ("border of zeros", "", kernels.border_of_zeros, {"conv": conv(padding_mode="circular")}),
    ("batch items mixed", "", behaviour.batch_mixed, KERNELS),
)
"""Title, reported fault (else the title), wrong computation, layers: for gradients by the input."""

BY_WEIGHTS: tuple[Row, ...] = (
    ("kernel flipped", "", kernels.kernel_flipped, TRAINED),
    ("phases swapped", "", kernels.phases_of_channels_swapped, {"shuffle": shuffle()}),
    ("phases swapped", "", kernels.phases_of_taps_swapped, {"convt": convt(taps=9)}),
    ("DCR order", "DCR against CRD channel order", channels.other_order, {"shuffle": shuffle()}),
    ("padding off by one", "", kernels.crop_off_by_one, {"convt": convt()}),
    ("padding off by one", "", kernels.pads_off_by_one, {"conv": conv(), "shuffle": shuffle()}),
    (
        "output_padding has none",
        "output_padding implemented as input padding",
        kernels.output_padding_filled_with_zeros,
        {"convt": convt(padding=3, output_padding=2)},
    ),
    ("inputs dealt to groups in turn", "groups' channels mixed", channels.inputs_dealt_in_turn, GROUPED),
    ("whole bias to each group", "whole bias given to each group", channels.whole_bias_to_each_group, GROUPED),
    ("taps beyond 16 dropped", "", kernels.taps_dropped, TAPS),
    ("channels beyond 64 dropped", "", channels.channels_dropped, WIDE),
    ("last sample wrong for lengths > 32", "", behaviour.last_sample_repeated, TRAINED),
    ("relative error 3e-7", "", behaviour.all_scaled, TRAINED),
    ("relative error 3e-7 of one tap", "relative error 3e-7", behaviour.one_tap_scaled, TRAINED),
    ("half accumulate", "", behaviour.accumulated_in_fp16, TRAINED),
    ("bias dropped", "", channels.bias_dropped, TRAINED),
    ("bias doubled", "", channels.bias_doubled, TRAINED),
    ("bias without phase", "bias dropped", channels.bias_without_phase, {"shuffle": shuffle()}),
    ("batch items mixed", "", behaviour.batch_mixed, TRAINED),
)
"""The same for gradients by weight and bias."""


def _graft_all(rows: tuple[Row, ...], graft: Callable[..., Tensor], by: str) -> None:
    for title, fault, wrong, likes in rows:
        for operator, like in likes.items():
            grafted_on = partial(graft, wrong=wrong)
            name, words = operator.replace("_", "-"), f"{title} in the gradient by {by}"
            register(Mutant(name, words, grafted_on, like, fault=fault or title, direction="backward"))


_graft_all(BY_INPUT, by_input, "the input")
_graft_all(BY_WEIGHTS, by_weights, "weight and bias")


def spoilt(change: Change, *, weights: bool = False) -> Wrong:
    """Return a computation with the right output, whose output gradient is changed before it goes back."""

    def wrong(x: Tensor, p: Any) -> Tensor:
        kept = correct(x, fixed(p)) if weights else correct(x.detach(), p)
        bad = correct(x.detach(), p) if weights else correct(x, fixed(p))
        return grafted(correct(x, p), grafted(bad, bad, change) + kept)

    return wrong


@mutant("TF32 in the gradient by the input", KERNELS, fault="TF32 where fp32 was promised", direction="backward")
def input_gradient_in_tf32(x: Tensor, p: Any) -> Tensor:
    """Round the output's gradient and the kernel to 11 bits."""
    rounded = rekernelled(x, fixed(p), tf32)
    return grafted(correct(x, p), grafted(rounded, rounded, tf32) + correct(x.detach(), p))


@mutant("TF32 in the gradient by the weight", TRAINED, fault="TF32 where fp32 was promised", direction="backward")
def weight_gradient_in_tf32(x: Tensor, p: Any) -> Tensor:
    """Round the output's gradient and the signal to 11 bits."""
    rounded = correct(tf32(x.detach()), p)
    return grafted(correct(x, p), grafted(rounded, rounded, tf32) + correct(x, fixed(p)))


@mutant("gradient written over in place", ALL, fault="mutated in place", direction="backward")
def gradient_written_over(x: Tensor, p: Any) -> Tensor:
    """Use the caller's gradient as a scratch pad."""
    return grafted(correct(x, p), correct(x, p), lambda g: g.mul_(0.5))


@mutant("noise in the gradient", ALL, fault="non-determinism", direction="backward")
def gradient_dithered(x: Tensor, p: Any) -> Tensor:
    """Add up in an order that changes, to a coarse grid."""
    return spoilt(lambda g: g + 1e-6 * torch.randn_like(g))(x, p)


@mutant("first sample of the gradient off by 1e-6", ALL, fault="one edge sample off by 1e-6", direction="backward")
def gradient_off_at_the_edge(x: Tensor, p: Any) -> Tensor:
    """Add a little to the first sample of the input's gradient."""
    offset = torch.zeros_like(x)
    offset[..., 0] = 1e-6
    return correct(grafted(x, x, lambda g: g + offset), p)


@mutant("gradient of the first copy only", direction="backward", nearest=nearest())
def first_copy(x: Tensor, p: Any) -> Tensor:
    """Decimate the gradient, where the copies of a sample are to be summed."""
    whole, _ = parts(x, p)
    return spoilt(lambda g: g * (whole.diff(prepend=whole[:1] - 1) > 0))(x, p)


@mutant("mean over the copies", direction="backward", nearest=nearest())
def mean_of_copies(x: Tensor, p: Any) -> Tensor:
    """Average the gradients of the copies of a sample, where they are to be summed."""
    whole, _ = parts(x, p)
    copies = (whole[:, None] == whole).sum(1)
    return spoilt(lambda g: g / copies)(x, p)


@mutant("gradient of the nearest sample", direction="backward", linear=linear())
def straight_through(x: Tensor, p: Any) -> Tensor:
    """Give the whole gradient to the sample before."""
    return grafted(correct(x, p), placed(x, grid(x, p), "nearest"))


@mutant("mean over the batch in the gradient by weight and bias", TRAINED, direction="backward")
def mean_over_the_batch(x: Tensor, p: Any) -> Tensor:
    """Average over the batch, where gradients are summed."""
    return spoilt(lambda g: g / len(g), weights=True)(x, p)


@mutant("no gradient by the bias", TRAINED, fault="bias dropped", direction="backward")
def bias_untrained(x: Tensor, p: Any) -> Tensor:
    """Detach the bias."""
    return correct(x, p, bias=p.bias.detach() + 0 * p.bias) if p.bias is not None else correct(x, p)


@mutant("no gradient by the weight", TRAINED, direction="backward")
def weight_untrained(x: Tensor, p: Any) -> Tensor:
    """Detach the weight."""
    return correct(x, p, weight=p.weight.detach() + 0 * p.weight)


@mutant("gradient by the input doubled", ALL, direction="backward")
def gradient_doubled(x: Tensor, p: Any) -> Tensor:
    """Accumulate twice."""
    return correct(grafted(x, x, lambda g: 2 * g), p)
