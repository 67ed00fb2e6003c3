"""A layer of each kind for every form of `torchparity.nn.canonical`.

Taps can be laid out with zeros for transposed and sub-pixel convolutions, exactly. Of an interpolation with taps g
and a convolution w̃ = argmin ‖h − g ∗ w̃‖, of N − s + 1 taps.

If g is a box, what is box ∗ w̃ are the kernels of N taps whose s phases have equal sums, and no others: the fit is the
projection of `dspref.designs.tone_free`, and w̃ its running sum, ``w̃[n] = w̃[n − s] + h′[n] − h′[n − 1]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import complaint
from dspref.interpolators import Linear
from torchparity.nn.canonical import Form
from torchparity.nn.fused import LinearConv1d, NearestConv1d
from torchparity.nn.subpixel import SubpixelConv1d


def as_transposed(form: Form) -> tuple[nn.Module, Tensor, Tensor | None]:
    """Return a transposed convolution on the meta device, and its weight and bias."""
    s, before = form.s, max(0, -form.offset)
    p = form.offset + before
    more = form.excess - form.length - before + s + 2 * p  # output_padding
    before, p, more = before + max(0, -more), p + max(0, -more), max(0, more)
    h = F.pad(form.h, (before, max(0, more - s + 1)))
    out, inner, N = h.shape
    made = nn.ConvTranspose1d(
        inner * form.groups, out, N, s, p, min(more, s - 1), form.groups, form.bias is not None, device="meta"
    )
    return made, torch.unflatten(h, 0, (form.groups, -1)).transpose(1, 2).flatten(0, 1), _one_bias(form)


def as_subpixel(form: Form) -> tuple[nn.Module, Tensor, Tensor | None]:
    """Return a sub-pixel convolution on the meta device, and its weight and bias.

    Phase r of h is a filter at the low rate, over q from −P to P − excess/s: as many zeros before as behind the input.
    """
    s, N = form.s, form.length
    if form.excess % s:
        hint = f"{-form.excess % s} more of output_padding would make it one, or other padding"
        allowed = f"sT plus a multiple of {s}, which sub-pixel convolutions make"
        raise ValueError(complaint("output length", length_words(form), allowed, hint))
    more = form.excess // s
    most, least = (s - 1 + form.offset) // s, -((N - 1 - form.offset) // s)
    P = max(-least, more + most, 0)
    K, front = 2 * P - more + 1, (P - more) * s - form.offset
    h = F.pad(form.h, (front, K * s - N - front))
    w = torch.unflatten(h, -1, (K, s)).flip(-2).permute(0, 3, 1, 2).flatten(0, 1)
    made = SubpixelConv1d(
        w.shape[1] * form.groups, len(h), K, s, P, 1, form.groups, form.bias is not None, device="meta"
    )
    return made, w, None if form.bias is None else form.bias.expand(-1, s).flatten()


def as_nearest(form: Form) -> tuple[nn.Module, Tensor, Tensor | None]:
    """Return `NearestConv1d` on the meta device, and the weight and bias of the best fit."""
    K = _fitted_length(form)
    return _fused(NearestConv1d, form, unboxed(form.h, form.s, K))


def as_linear(form: Form) -> tuple[nn.Module, Tensor, Tensor | None]:
    """Return `LinearConv1d` on the meta device, and the weight and bias of the best fit."""
    K, g = _fitted_length(form), Linear(form.s).normal
    h = F.pad(form.h, (g.offset, len(g.h) - form.s - g.offset))  # as long as g ∗ w̃, and g's offset earlier
    return _fused(LinearConv1d, form, deconvolved(h, torch.from_numpy(g.h.astype(float)), K))


KINDS: Mapping[str, Callable[[Form], tuple[nn.Module, Tensor, Tensor | None]]] = {
    "nearest": as_nearest,
    "linear": as_linear,
    "subpixel": as_subpixel,
    "transposed": as_transposed,
}
"""What makes a layer of each kind of a form."""


def unboxed(h: Tensor, s: int, K: int) -> Tensor:
    """Return w̃ (…, K) with the least ‖h − box_s ∗ w̃‖.

    Examples
    --------
    >>> unboxed(torch.tensor([1.0, 3.0, 5.0, 3.0]), 2, 3)
    tensor([1., 2., 3.])
    """
    N, phase = h.shape[-1], torch.arange(h.shape[-1], device=h.device) % s
    n = torch.bincount(phase, minlength=s).to(h)
    gains = h.new_zeros(*h.shape[:-1], s).index_add_(-1, phase, h)
    G = (gains / n).sum(-1, keepdim=True) / (1 / n).sum()
    free = h - ((gains - G) / n)[..., phase]
    steps = F.pad(free.diff(dim=-1, prepend=torch.zeros_like(h[..., :1])), (0, -N % s))
    return torch.unflatten(steps, -1, (-1, s)).cumsum(-2).flatten(-2)[..., :K]


def deconvolved(h: Tensor, g: Tensor, K: int) -> Tensor:
    """Return w̃ (…, K) with the least ‖h − g ∗ w̃‖, by the matrix of shifts of g.

    Examples
    --------
    >>> deconvolved(torch.tensor([1.0, 3.0, 2.0]), torch.tensor([1.0, 2.0]), 2).round(decimals=4)
    tensor([1., 1.])
    """
    shifts = torch.stack([F.pad(g, (k, K - 1 - k)) for k in range(K)], -1)
    w: Tensor = torch.linalg.lstsq(shifts, h.reshape(-1, h.shape[-1]).T).solution
    return w.T.reshape(*h.shape[:-1], K)


def length_words(form: Form) -> str:
    """Return how many outputs there are for T input samples.

    Examples
    --------
    >>> length_words(Form(4, torch.zeros(1, 1, 3), 0, -1))
    '4T - 1'
    """
    sign = "-" if form.excess < 0 else "+"
    return f"{form.s}T {sign} {abs(form.excess)}" if form.excess else f"{form.s}T"


def misfit(form: Form, other: Form) -> tuple[float, float]:
    """Return ‖h − h′‖/‖h‖ and ‖b − b′‖/‖b‖ of forms of equal lengths and delays.

    Raises
    ------
    ValueError
        If they differ.
    """
    if (form.s, form.excess) != (other.s, other.excess):
        raise ValueError(complaint("output length", length_words(other), length_words(form)))
    first = max(form.offset, other.offset)
    last = max(form.length - form.offset, other.length - other.offset)
    h, ĥ = (F.pad(f.h, (first - f.offset, last - f.length + f.offset)) for f in (form, other))
    none = h.new_zeros(1, 1)
    b, b̂ = (none if f.bias is None else f.bias.expand(-1, f.s) for f in (form, other))
    return _relative(h, ĥ), _relative(b, b̂)


def _fused(kind: type[Any], form: Form, w: Tensor) -> tuple[nn.Module, Tensor, Tensor | None]:
    """Return a layer of taps w̃: ``offset + left = K − 1`` puts it where h is."""
    out, inner, K = w.shape
    left = K - 1 - form.offset
    pads = left, form.excess + form.offset
    made = kind(inner * form.groups, out, K, form.s, pads, 1, form.groups, form.bias is not None, device="meta")
    return made, w.flip(-1), _one_bias(form)


def _fitted_length(form: Form) -> int:
    K = form.length - form.s + 1
    if K < 1:
        got, allowed = f"{form.length} taps for factor {form.s}", f"at least {form.s} taps"
        hint = "phases have no tap at all, and no interpolation is like that"
        raise ValueError(complaint("kernel", got, allowed, hint))
    return K


def _one_bias(form: Form) -> Tensor | None:
    return None if form.bias is None else form.bias.mean(-1)


def _relative(a: Tensor, b: Tensor) -> float:
    off, size = torch.linalg.vector_norm(a - b), torch.linalg.vector_norm(a)
    return float(off / size) if size else float(off > 0)
