"""Every upsampling layer in one form.

    y[o, m] = Σ_i Σ_n h[o, i, m + offset − ns] x[i, n] + b[o, m mod s]        0 ≤ m < sT + excess

Of this form are, with w̃ the taps of a convolution in the order of time, d − 1 zeros between them, D = d(K − 1):

- a transposed convolution: h = w̃, offset = p, excess = D + 1 − s − 2p + output_padding;
- a convolution to s times the channels, and a shuffle: h takes the taps of its s phases in turn,
  offset = s(D − p), excess = s(2p − D);
- an interpolation with taps g, and a convolution: h = g ∗ w̃, offset = offset of g + D − left,
  excess = excess of g + left + right − D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import NotAnalysable, complaint
from dspref.kernels import pads_of
from dspref.stretchfilter import StretchFilter


@dataclass(frozen=True, eq=False)
class Form:
    """An upsampling layer by its taps, see `torchparity.nn.canonical`.

    Attributes
    ----------
    s : int
        Factor.
    h : Tensor (out, in/groups, N) of doubles
    offset, excess : int
    groups : int
    bias : Tensor (out, 1) or (out, s), or None
        By phase of the output.
    ends : (int, int)
        How many outputs at both ends are other ones: where an interpolation holds the ends of its input, or is cut.
    """

    s: int
    h: Tensor
    offset: int
    excess: int
    groups: int = 1
    bias: Tensor | None = None
    ends: tuple[int, int] = (0, 0)

    @property
    def length(self) -> int:
        """N."""
        return int(self.h.shape[-1])


def of_transposed(m: nn.ConvTranspose1d, weight: Tensor, bias: Tensor | None) -> Form:
    """Return the form of a transposed convolution with a weight (in, out/groups, K)."""
    s, p, d, groups = m.stride[0], int(m.padding[0]), m.dilation[0], m.groups
    w = torch.unflatten(weight, 0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    h = stuffed(w, d)
    return Form(s, h, p, h.shape[-1] - s - 2 * p + m.output_padding[0], groups, _column(bias))


def of_subpixel(conv: Any, s: int, order: str, weight: Tensor, bias: Tensor | None) -> Form:
    """Return the form of a convolution with a weight (out·s, in/groups, K), and a shuffle of its channels.

    Zeros before its first tap and behind its last one, as layouts of other kernels have them, are left out.
    """
    groups = conv.groups
    if order == "dcr" and groups > 1:  # the phases of a channel are convolutions of different groups
        weight, groups = _dense(weight, groups), 1
    w = stuffed(weight.flip(-1), _one(conv.dilation))
    D = w.shape[-1] - 1
    left, right = zeros_around(conv.padding, conv.padding_mode, D)
    h, before = _unfilled(_by_phase(w, s, order).permute(0, 2, 3, 1).flatten(2))
    b = None if bias is None else _by_phase(bias, s, order)
    return Form(s, h, s * (D - left) - before, s * (left + right - D), groups, b)


def of_two_layers(
    g: StretchFilter, weight: Tensor, bias: Tensor | None, *, pads: tuple[int, int], dilation: int, groups: int
) -> Form:
    """Return the form of an interpolation and a convolution with a weight (out, in/groups, K), and zeros around."""
    w = stuffed(weight.flip(-1), dilation)
    D = w.shape[-1] - 1
    h = convolved(torch.from_numpy(g.h.astype(float)), w)
    before, behind = g.offset, len(g.h) - g.offset - g.L - g.excess  # how far g reaches beyond the ends of u
    held = (max(0, behind + g.excess), max(0, before + g.excess)) if g.border == "replicate" else (0, 0)
    ends = [max(0, p + n) if n or out > 0 else 0 for p, n, out in zip(pads, held, (before, behind), strict=True)]
    return Form(g.L, h, g.offset + D - pads[0], g.excess + sum(pads) - D, groups, _column(bias), (ends[0], ends[1]))


def stuffed(w: Tensor, d: int) -> Tensor:
    """Return taps with d − 1 zeros between them.

    Examples
    --------
    >>> stuffed(torch.tensor([1, 2]), 3)
    tensor([1, 0, 0, 2])
    """
    return F.pad(w[..., None], (0, d - 1)).flatten(-2)[..., : d * (w.shape[-1] - 1) + 1]


def convolved(g: Tensor, w: Tensor) -> Tensor:
    """Return g ∗ w along the last axis.

    Examples
    --------
    >>> convolved(torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 1.0]]))
    tensor([[1., 3., 2.]])
    """
    y = F.conv1d(w.reshape(-1, 1, w.shape[-1]), g.flip(0)[None, None], padding=len(g) - 1)
    return y.reshape(*w.shape[:-1], -1)


def zeros_around(padding: Any, mode: str, D: int) -> tuple[int, int]:
    """Return how many zeros come before and behind a signal; refuse what is put there else."""
    pair = isinstance(padding, (tuple, list)) and len(padding) == 2
    left, right = padding if pair else pads_of(padding if isinstance(padding, str) else _one(padding), D)
    if mode != "zeros" and max(left, right) > 0:
        raise NotAnalysable(complaint("padding_mode", repr(mode), "'zeros'", "other borders are not of this form"))
    return int(left), int(right)


def _column(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias[:, None]


def _by_phase(w: Tensor, s: int, order: str) -> Tensor:
    """Return (out, s, …) from rows cs + r, or r·out + c."""
    return torch.unflatten(w, 0, (-1, s)) if order == "crd" else torch.unflatten(w, 0, (s, -1)).transpose(0, 1)


def _unfilled(h: Tensor) -> tuple[Tensor, int]:
    """Return taps from the first to the last that is not 0 in all channels, and how many were before them."""
    some = (h != 0).flatten(0, 1).any(0).nonzero().flatten().tolist()
    return (h[..., some[0] : some[-1] + 1], some[0]) if some else (h, 0)


def _dense(w: Tensor, groups: int) -> Tensor:
    """Return (out, in, K) from (out, in/groups, K): zeros between groups."""
    parts = torch.unflatten(w, 0, (groups, -1))
    return torch.cat([F.pad(p, (0, 0, g * w.shape[1], (groups - 1 - g) * w.shape[1])) for g, p in enumerate(parts)])


def _one(given: Any) -> int:
    return int(given[0]) if isinstance(given, (tuple, list)) else int(given)
