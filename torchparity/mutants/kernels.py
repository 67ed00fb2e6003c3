"""Forward faults of layers with kernels: taps and phases, padding and borders, dilation and stride."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.mutants.correct import blocked, correct, kernel, pads_of, rekernelled, shuffled, with_changed
from torchparity.mutants.likes import conv, convt, filtering, shuffle
from torchparity.mutants.registry import mutant


@mutant("kernel flipped", convt=convt(), conv=conv(), shuffle=shuffle(), filter=filtering())
def kernel_flipped(x: Tensor, p: Any) -> Tensor:
    """Convolve where the kernel is to be correlated, or the other way round."""
    return rekernelled(x, p, lambda w: w.flip(-1))


@mutant("phases swapped", convt=convt(taps=9), filter=filtering(taps=9))
def phases_of_taps_swapped(x: Tensor, p: Any) -> Tensor:
    """Exchange the first two polyphase components of the kernel."""
    L, taps = p.stride if p.op == "convt" else p.factor, kernel(p).shape[-1]
    k = torch.arange(taps)
    other = k + (k % L == 0).long() - (k % L == 1).long() if L > 1 else k
    return rekernelled(x, p, lambda w: w[..., other.clamp(max=taps - 1)])


@mutant("phases swapped", shuffle=shuffle())
def phases_of_channels_swapped(x: Tensor, p: Any) -> Tensor:
    """Interleave the channels of a period one place on."""
    low = correct(x, p, factor=1)
    phases = blocked(low, low.shape[1] // p.factor).roll(1, 2)
    return shuffled(phases.flatten(1, 2), p.factor)


@mutant("padding off by one", convt=convt())
def crop_off_by_one(x: Tensor, p: Any) -> Tensor:
    """Crop one sample less on the left and one more on the right."""
    length = correct(x, p).shape[-1]
    start = max(p.padding - 1, 0) if p.padding else 1
    return F.pad(correct(x, p, padding=0), (0, 1))[..., start : start + length]


@mutant("padding off by one", conv=conv(), shuffle=shuffle())
def pads_off_by_one(x: Tensor, p: Any) -> Tensor:
    """Pad one sample more on the left and one less on the right."""
    left, right = pads_of(p)
    return correct(x, p, pads=(left + 1, right - 1))


@mutant("padding off by one", filter=filtering())
def offset_off_by_one(x: Tensor, p: Any) -> Tensor:
    """Take one sample too little of the filter's delay away."""
    return correct(x, p, offset=p.offset - 1)


@mutant("one sample too long", fault="padding off by one", convt=convt(), conv=conv(padding="same"))
def one_sample_too_long(x: Tensor, p: Any) -> Tensor:
    """Append a zero."""
    return F.pad(correct(x, p), (0, 1))


@mutant("odd sample of 'same' on the left", fault="padding off by one", conv=conv(taps=4, padding="same"))
@mutant("odd sample of 'same' on the left", fault="padding off by one", shuffle=shuffle(taps=4, padding="same"))
def odd_sample_on_the_left(x: Tensor, p: Any) -> Tensor:
    """Give the odd sample of an even kernel to the left, where Torch gives it to the right."""
    return correct(x, p, pads=pads_of(p)[::-1])


@mutant("output_padding implemented as input padding", convt=convt(output_padding=2))
def output_padding_on_the_input(x: Tensor, p: Any) -> Tensor:
    """Extend the input instead of the output."""
    return correct(F.pad(x, (0, p.output_padding)), p, output_padding=0)


@mutant(
    "output_padding filled with zeros",
    fault="output_padding implemented as input padding",
    convt=convt(padding=3, output_padding=2),
)
def output_padding_filled_with_zeros(x: Tensor, p: Any) -> Tensor:
    """Append zeros where the kernel's tail goes on."""
    return F.pad(correct(x, p, output_padding=0), (0, p.output_padding))


BEYOND = convt(stride=2, dilation=4, output_padding=3, taps=3)


@mutant("output_padding ≥ stride refused", fault="output_padding ≥ stride with dilation", convt=BEYOND)
def output_padding_refused(x: Tensor, p: Any) -> Tensor:
    """Refuse what is legal where dilation > stride, as JAX's and others' checks do."""
    if p.output_padding >= p.stride:
        raise ValueError("output_padding must be smaller than stride")
    return correct(x, p)


@mutant("output_padding ≥ stride clipped", fault="output_padding ≥ stride with dilation", convt=BEYOND)
def output_padding_clipped(x: Tensor, p: Any) -> Tensor:
    """Give fewer samples where dilation > stride."""
    return correct(x, p, output_padding=min(p.output_padding, p.stride - 1))


@mutant("output_padding ≥ stride left empty", fault="output_padding ≥ stride with dilation", convt=BEYOND)
def output_padding_left_empty(x: Tensor, p: Any) -> Tensor:
    """Leave the samples beyond one period unwritten."""
    y = correct(x, p).clone()
    y[..., y.shape[-1] - max(p.output_padding - p.stride + 1, 0) :] = 0
    return y


@mutant("dilation ignored in the length", convt=convt(dilation=2, taps=4))
def length_without_dilation(x: Tensor, p: Any) -> Tensor:
    """Compute the length from taps, not from the extent of the kernel."""
    y = correct(x, p)
    lost = (p.dilation - 1) * (p.weight.shape[-1] - 1)
    return y[..., : max(y.shape[-1] - lost, 0)]


@mutant("tail beyond the undilated length lost", fault="dilation ignored in the length", convt=convt(dilation=2))
def tail_without_dilation(x: Tensor, p: Any) -> Tensor:
    """Have a buffer of the right length, and fill it as far as an undilated kernel reaches."""
    short = length_without_dilation(x, p)
    return F.pad(short, (0, correct(x, p).shape[-1] - short.shape[-1]))


@mutant(
    "dilation ignored in the length",
    conv=conv(dilation=2, padding="same"),
    shuffle=shuffle(dilation=2, padding="same"),
)
def pads_without_dilation(x: Tensor, p: Any) -> Tensor:
    """Keep the length of an undilated kernel."""
    return correct(x, p, pads=pads_of(with_changed(p, dilation=1)))


@mutant("phase of a dilated tap taken as if undilated", fault="stride and dilation offsets", convt=convt(dilation=2))
def phase_of_dilated_taps(x: Tensor, p: Any) -> Tensor:
    """Start every output at tap m mod stride, though tap k lies k·dilation on."""
    y = correct(x, p, weight=torch.zeros_like(p.weight)).clone()
    m = torch.arange(y.shape[-1]) + p.padding
    for k in range(p.weight.shape[-1]):
        n = torch.div(m - k * p.dilation, p.stride, rounding_mode="floor")
        meets = ((m - k) % p.stride == 0) & (n >= 0) & (n < x.shape[-1])
        tap = correct(x, p, weight=p.weight[..., k : k + 1], bias=None, stride=1, padding=0, output_padding=0)
        y[..., meets] += tap[..., n[meets]]
    return y


@mutant("taps stride·dilation apart", fault="stride and dilation offsets", conv=conv(stride=2, dilation=2, padding=4))
def taps_too_far_apart(x: Tensor, p: Any) -> Tensor:
    """Step through the decimated signal by the dilation of the whole one."""
    left, right = pads_of(p)
    more = (p.weight.shape[-1] - 1) * p.dilation * (p.stride - 1)
    return correct(x, p, dilation=p.stride * p.dilation, pads=(left, right + more))


@mutant(
    "gap between kernels filled with the sample before",
    fault="stride > kernel extent with the gap filled",
    convt=convt(stride=5, taps=3, padding=0),
    filter=filtering(factor=5, taps=3, offset=0),
)
def gap_filled(x: Tensor, p: Any) -> Tensor:
    """Hold the last sample where no tap reaches."""
    y = correct(x, p)
    L, crop = (p.stride, p.padding) if p.op == "convt" else (p.factor, p.offset)
    extent = (kernel(p).shape[-1] - 1) * getattr(p, "dilation", 1) + 1
    m = torch.arange(y.shape[-1])
    beyond = ((m + crop) % L - extent + 1).clamp(min=0)
    return y[..., (m - beyond).clamp(min=0)]


@mutant(
    "taps beyond 16 dropped",
    convt=convt(taps=20, stride=5),
    conv=conv(taps=19, padding=9),
    shuffle=shuffle(taps=19, padding=9),
    filter=filtering(taps=20),
)
def taps_dropped(x: Tensor, p: Any) -> Tensor:
    """Unroll 16 taps and forget the rest."""
    return rekernelled(x, p, lambda w: w * (torch.arange(w.shape[-1]) < 16))


@mutant("border reflected where it was to be replicated", conv=conv(padding_mode="replicate"))
@mutant("border reflected where it was to be replicated", shuffle=shuffle(padding_mode="replicate"))
def border_reflected(x: Tensor, p: Any) -> Tensor:
    """Take reflect for replicate wherever that is possible."""
    mode = "reflect" if p.padding_mode == "replicate" and max(pads_of(p)) < x.shape[-1] else p.padding_mode
    return correct(x, p, padding_mode=mode)


@mutant("border of zeros where it was to be circular", conv=conv(padding_mode="circular"))
@mutant("border of zeros where it was to be circular", shuffle=shuffle(padding_mode="circular"))
def border_of_zeros(x: Tensor, p: Any) -> Tensor:
    """Take zeros beyond the border."""
    correct(x, p)  # refuses what is too short
    return correct(x, p, padding_mode="zeros")
