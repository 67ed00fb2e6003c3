"""Where the samples of an interpolated and convolved signal come from: no numbers of a signal, and no weights.

    u[m] = Σ_n h[m + offset − nL] x̂[n]          0 ≤ m < U = LT + excess
    y[m] = Σ_k w[k] ũ[m + kd − p] + b           x̂, ũ: extended beyond their ends, each by its own rule

An output is *inner* if all its taps fall into u itself, and its phases are then those of one kernel:

    y[first − s + tL + r] = Σ_q (Σ_k w[k] C[k, r, q]) x̂[t + q],   C[k, r, q] = h[first − s − p + offset + r + kd − qL]

Blocks of L outputs begin s samples before the first, where this makes the range of q, which all phases share, shortest:
interpolation by 2 and three taps with p = 1 look at three samples of x from s = 0, and at two from s = 1. Where ũ is
what interpolation makes of an extended x, every output is inner (`Geometry.commutes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import BORDERS, as_choice, as_integer, as_taps, complaint
from dspref.interpolators import Linear
from torchparity.nn.basic import FilterInterp1d, single


@dataclass(frozen=True)
class Interpolation:
    """An interpolation by L with taps h: nearest, linear (Torch's half-sample grid), or any other ("filter")."""

    kind: str
    factor: int
    taps: tuple[float, ...]
    offset: int = 0
    excess: int = 0

    @property
    def border(self) -> str:
        """How x is extended: linear interpolation holds its ends."""
        return "replicate" if self.kind == "linear" else "zeros"

    def module(self, like: Tensor) -> nn.Module:
        """Return it as a layer of its own, taps in the dtype and on the device of a weight."""
        if self.kind != "filter":
            return nn.Upsample(scale_factor=self.factor, mode=self.kind)
        taps = torch.tensor(self.taps, dtype=like.dtype, device=like.device)
        return FilterInterp1d(self.factor, taps, offset=self.offset, excess=self.excess)

    def of(self, x: Tensor) -> Tensor:
        """Return u for a signal (batch, channel, time)."""
        if self.kind == "filter":
            u: Tensor = self.module(x)(x)
            return u
        if self.kind == "nearest" and self.factor != 2:  # Torch computes ⌊m·fl(1/L)⌋, a sample early by 41; but m >> 1
            return x.unsqueeze(-1).expand(*x.shape, self.factor).flatten(-2)
        return F.interpolate(x, scale_factor=float(self.factor), mode=self.kind)


def nearest(factor: int) -> Interpolation:
    """Return nearest-neighbour interpolation: h is a box."""
    L = as_integer("scale_factor", factor, 1)
    return Interpolation("nearest", L, (1.0,) * L)


def linear(factor: int) -> Interpolation:
    """Return linear interpolation: h is a triangle on the half-sample grid."""
    normal = Linear(as_integer("scale_factor", factor, 1)).normal
    return Interpolation("linear", normal.L, tuple(float(h) for h in normal.h), normal.offset)


def stretched(factor: int, taps: Sequence[float] | Tensor, offset: int, excess: int) -> Interpolation:
    """Return stretch + filter interpolation by any taps."""
    h = as_taps("taps", taps.detach().cpu().numpy() if isinstance(taps, Tensor) else taps, 1)
    L, whole = as_integer("scale_factor", factor, 1), [as_integer("offset", offset, None)]
    whole.append(as_integer("excess", excess, None))
    return Interpolation("filter", L, tuple(float(value) for value in h), *whole)


_FOLLOWING = ("reach", "commutes", "extension", "outer", "surplus", "lead", "span", "extended")


@dataclass(frozen=True)
class Geometry:
    """An interpolation and the sizes of the convolution behind it.

    Attributes
    ----------
    interpolation : Interpolation
    length, dilation : int
        K and d.
    pads : (int, int)
        Samples that ũ has before and behind u; a negative number drops as many.
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
    """

    interpolation: Interpolation
    length: int
    dilation: int
    pads: tuple[int, int]
    padding_mode: str

    def __post_init__(self) -> None:
        """Compute all that follows from it, once: a call asks for it many times, and a compiler could not cache it."""
        for name in _FOLLOWING:
            getattr(self, name)

    @property
    def factor(self) -> int:
        """L."""
        return self.interpolation.factor

    @cached_property
    def reach(self) -> int:
        """D = d(K − 1)."""
        return self.dilation * (self.length - 1)

    @cached_property
    def commutes(self) -> bool:
        """Whether ũ is the interpolation of an extended x.

        Nearest: blocks of L equal samples go on by zeros, copies of the end, or the period; reflected about the first
        *sample*, a block is cut. Linear: the ends are held, which is replication and no other rule.
        """
        kind, mode = self.interpolation.kind, self.padding_mode
        blocks = kind == "nearest" and mode != "reflect"
        held = kind == "linear" and mode == "replicate"
        same = kind != "filter" and self.factor == 1
        return max(self.pads) <= 0 or blocks or held or same

    @cached_property
    def extension(self) -> str:
        """How x is extended for the outputs of `phases`."""
        by_pads = self.commutes and max(self.pads) > 0
        return self.padding_mode if by_pads else self.interpolation.border

    @cached_property
    def outer(self) -> tuple[int, int]:
        """Number of outputs at both ends that are not inner."""
        return (0, 0) if self.commutes else (max(self.pads[0], 0), max(self.pads[1], 0))

    @cached_property
    def surplus(self) -> int:
        """Inner outputs less LT."""
        return self.interpolation.excess + sum(self.pads) - self.reach - sum(self.outer)

    @cached_property
    def lead(self) -> int:
        """The least s of those that make the range of q shortest."""
        return min(range(self.factor), key=lambda s: self._span(s)[1] - self._span(s)[0])

    @cached_property
    def span(self) -> tuple[int, int]:
        """Least and greatest q."""
        return self._span(self.lead)

    @cached_property
    def extended(self) -> tuple[int, int]:
        """Samples by which x̂ is longer than x at both ends, for one block more if s > 0; negative where shorter."""
        least, most = self.span
        return -least, -(-self.surplus // self.factor) + (self.lead > 0) + most

    def _span(self, s: int) -> tuple[int, int]:
        L, shift = self.factor, self._shift - s
        return -((len(self.interpolation.taps) - 1 - shift) // L), (shift + L - 1 + self.reach) // L

    @property
    def _shift(self) -> int:
        return self.outer[0] - self.pads[0] + self.interpolation.offset

    def phases(self) -> Tensor:
        """Return C (K, L, Q), in double precision, in main memory."""
        (least, most), h, L = self.span, self.interpolation.taps, self.factor
        C = torch.zeros(self.length, L, most - least + 1, dtype=torch.float64, device="cpu")
        for k in range(self.length):
            for r in range(L):
                for q in range(least, most + 1):
                    n = self._shift - self.lead + r + k * self.dilation - q * L
                    if 0 <= n < len(h):
                        C[k, r, q - least] = h[n]
        return C

    def check(self, time: int) -> None:
        """Refuse input of a length that the two layers refuse."""
        U = self.factor * time + self.interpolation.excess
        most, mode = max(self.pads), self.padding_mode
        if (mode == "reflect" and most >= max(U, 1)) or (mode == "circular" and most > U):
            allowed = f"{'less than' if mode == 'reflect' else 'at most'} the {U} samples of the interpolated signal"
            raise ValueError(complaint(f"padding, {mode}", most, allowed))
        if time < 1 or U < 1 or U + sum(self.pads) - self.reach < 1:
            got = f"{time} input samples"
            least = max(1, -(-(1 + self.reach - sum(self.pads) - self.interpolation.excess) // self.factor))
            raise ValueError(complaint("input", got, f"{least} or more", "the kernel is longer than the padded signal"))


def as_pads(padding: int | str | tuple[int, int], reach: int) -> tuple[int, int]:
    """Return what is added before and behind the signal, by Torch's words or in numbers.

    Examples
    --------
    >>> as_pads(2, 3), as_pads("same", 3), as_pads((1, -2), 3)
    ((2, 2), (1, 2), (1, -2))
    """
    if isinstance(padding, str):
        as_choice("padding", padding, ("valid", "same"))
        return (0, 0) if padding == "valid" else (reach // 2, reach - reach // 2)
    if not isinstance(padding, (tuple, list)):
        p = as_integer("padding", padding, None)
        return p, p
    if len(padding) not in (1, 2):
        raise ValueError(complaint("padding", repr(padding), "an integer, (left, right), 'same' or 'valid'"))
    return as_integer("padding", padding[0], None), as_integer("padding", padding[-1], None)


def geometry(
    interpolation: Interpolation,
    kernel_size: int | tuple[int, ...],
    padding: int | str | tuple[int, int],
    dilation: int | tuple[int, ...],
    padding_mode: str,
) -> Geometry:
    """Return a geometry of checked sizes, in Torch's words."""
    K, d = as_integer("kernel_size", single(kernel_size), 1), as_integer("dilation", single(dilation), 1)
    mode = as_choice("padding_mode", padding_mode, BORDERS)
    return Geometry(interpolation, K, d, as_pads(padding, d * (K - 1)), mode)
