"""Rounds taps to half precision so that the sums of all phases stay equal, exactly.

All taps of one pair of channels become multiples of one unit q, that of the largest: h = qm, ``abs(m) ≤ 2^bits``. With
⌊m⌋ the sum of a phase misses the sum that all have, rounded, by a whole number d ≥ 0: the d taps with the largest
remainders get one unit more. So a tap moves by q at most, and the integers m have equal sums.

Where next to nothing was left of the taps, sums differ by roundings of what they were before, and d is any number:
all n taps of the phase get ⌊d/n⌋ units, and those with the largest remainders the rest.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)


def on_grid(phases: Tensor, dtype: torch.dtype, *, shorter: int = 0) -> Tensor:
    """Return taps that a dtype holds exactly, whose sums by phase are exactly equal; gradients pass straight through.

    Parameters
    ----------
    phases : Tensor (..., s, taps)
        In single or double precision, of sums that are equal but for rounding.
    dtype : torch.dtype
        In which they are to be kept, half precision.
    shorter : int
        So many of the last phases have a tap less: what stands last in them is none.

    Examples
    --------
    >>> h = torch.tensor([[0.3, 0.7], [0.26, 0.74]])
    >>> h.bfloat16().float().sum(-1)
    tensor([1.0000, 0.9980])
    >>> on_grid(h, torch.bfloat16).sum(-1)
    tensor([1., 1.])
    """
    info = torch.finfo(dtype)
    bits, smallest = 1 - round(math.log2(info.eps)), info.smallest_normal * info.eps
    with torch.no_grad():
        _, e = torch.frexp(phases.abs().amax((-2, -1), keepdim=True))
        q = torch.ldexp(torch.ones_like(phases[..., :1, :1]), e - bits).clamp(min=max(smallest, 2.0**-126))
        m = phases / q
        low = m.floor()
        rest = m - low
        n = torch.full_like(rest[..., 0], rest.shape[-1])
        if shorter:
            rest[..., rest.shape[-2] - shorter :, -1] = -1
            n[..., n.shape[-1] - shorter :] -= 1
        missing = m.sum(-1).mean(-1, keepdim=True).round() - low.sum(-1)
        place = torch.argsort(rest, dim=-1, descending=True, stable=True).argsort(dim=-1)
        each = (missing / n).floor()
        taps = (low + each[..., None] + (place < (missing - each * n)[..., None])) * q
    return phases + (taps - phases).detach()
