"""Torch modules for what Torch has no module for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import is_tensor_like

from dspref.arrays import as_choice, complaint
from dspref.multirate import ORDERS

__all__ = ["FilterInterp1d", "Interpolate1d", "PixelShuffle1d", "Snake"]


class PixelShuffle1d(nn.Module):
    """Interleave groups of L channels in time: ``y[c, tL + r] = x[cL + r, t]``.

    The order of channels is that of `torch.nn.PixelShuffle`.

    Parameters
    ----------
    upscale_factor : int
        L.
    order : {'crd', 'dcr'}
        "dcr": channel r·C + c is phase r of channel c of C.

    Raises
    ------
    ValueError
        If the order is unknown.

    Examples
    --------
    >>> PixelShuffle1d(2)(torch.tensor([[[0, 2], [1, 3]]]))
    tensor([[[0, 1, 2, 3]]])
    """

    def __init__(self, upscale_factor: int, *, order: str = "crd") -> None:
        super().__init__()
        self.upscale_factor, self.order = upscale_factor, as_choice("order", order, ORDERS)

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., channel, time·L) for a signal (..., channel·L, time)."""
        check_signal(x)
        return shuffled_channels(x, self.upscale_factor, self.order)

    def extra_repr(self) -> str:
        """Return the factor, and the order if it is not Torch's."""
        return f"upscale_factor={self.upscale_factor}" + (f", order='{self.order}'" if self.order != "crd" else "")


def shuffled_channels(x: Tensor, L: int, order: str) -> Tensor:
    """Return (..., channel, time·L) for a signal (..., channel·L, time), as `PixelShuffle1d` does."""
    *lead, channels, time = x.shape
    if order == "crd":
        phases = x.reshape(*lead, channels // L, L, time).transpose(-1, -2)
    else:
        phases = x.reshape(*lead, L, channels // L, time).transpose(-3, -2).transpose(-2, -1)
    return phases.reshape(*lead, channels // L, time * L)


class Interpolate1d(nn.Module):
    """Interpolation of (batch, channel, time) by `torch.nn.functional.interpolate`, cubic included.

    Torch has cubic interpolation in two dimensions only: here time is the width of a picture of height 1.

    Parameters
    ----------
    mode : {'nearest', 'nearest-exact', 'linear', 'cubic'}
    size, scale_factor, recompute_scale_factor, align_corners
        As for `torch.nn.Upsample`.

    Examples
    --------
    >>> Interpolate1d("cubic", size=3, align_corners=True)(torch.tensor([[[0.0, 1.0]]]))
    tensor([[[0.0000, 0.5000, 1.0000]]])
    """

    def __init__(
        self,
        mode: str,
        *,
        size: int | None = None,
        scale_factor: float | None = None,
        recompute_scale_factor: bool = False,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.mode, self.size, self.scale_factor = mode, size, scale_factor
        self.recompute_scale_factor, self.align_corners = recompute_scale_factor, align_corners

    def forward(self, x: Tensor) -> Tensor:
        """Return the interpolation of a signal (batch, channel, time)."""
        check_signal(x)
        corners = None if self.mode.startswith("nearest") else self.align_corners
        recompute = self.recompute_scale_factor or None
        if self.mode != "cubic":
            return F.interpolate(x, self.size, self.scale_factor, self.mode, corners, recompute)
        size = None if self.size is None else (1, self.size)
        scale = None if self.scale_factor is None else (1.0, self.scale_factor)
        wide = F.interpolate(x.unsqueeze(-2), size, scale, "bicubic", corners, recompute)
        return wide.squeeze(-2)

    def extra_repr(self) -> str:
        """Return the parameters that are not at their defaults."""
        names = ("size", "scale_factor", "recompute_scale_factor", "align_corners")
        given = [f"{name}={getattr(self, name)}" for name in names if getattr(self, name)]
        return ", ".join([repr(self.mode), *given])


class FilterInterp1d(nn.Module):
    """Stretch + filter interpolation: ``y[m] = Σ_n h[m + offset − nL] x[n]``, 0 ≤ m < L·time + excess.

    Parameters
    ----------
    factor : int
        L.
    taps : Tensor (taps,) to filter every channel alike, or (out, in, taps)
        A buffer: it is saved, and not trained.
    offset, excess : int

    Raises
    ------
    ValueError
        When called, if nothing would be left of the input.

    Examples
    --------
    >>> FilterInterp1d(2, torch.tensor([1.0, 2.0, 1.0]), offset=1)(torch.ones(1, 1, 3))
    tensor([[[2., 2., 2., 2., 2., 1.]]])
    """

    taps: Tensor

    def __init__(self, factor: int, taps: Tensor, *, offset: int = 0, excess: int = 0) -> None:
        super().__init__()
        self.factor, self.offset, self.excess = factor, offset, excess
        self.in_channels = taps.shape[1] if taps.ndim == 3 else None
        self.register_buffer("taps", taps)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, L·time + excess) for a signal (batch, in, time)."""
        check_signal(x)
        taps = self.taps.shape[-1]
        alike = self.taps.ndim == 1
        groups = int(x.shape[-2]) if alike else 1  # a number, where sizes are traced
        w = self.taps.expand(groups, 1, taps) if alike else self.taps.transpose(0, 1)
        y = F.conv_transpose1d(x, w, stride=self.factor, groups=groups)
        length, first = self.factor * x.shape[-1] + self.excess, max(self.offset, 0)
        if length < 1:
            raise ValueError(complaint(f"output length for {x.shape[-1]} input samples", length, "at least 1"))
        y = F.pad(y, (max(-self.offset, 0), max(self.offset + length - y.shape[-1], 0)))
        return y[..., first : first + length]


def check_signal(x: object) -> None:
    """Refuse what is no tensor, nor stands for one while a model is traced.

    Examples
    --------
    >>> check_signal([1.0, 2.0])
    Traceback (most recent call last):
    TypeError: input: got list; allowed: a torch.Tensor.
    """
    if not is_tensor_like(x):  # type: ignore[no-untyped-call]
        raise TypeError(complaint("input", type(x).__name__, "a torch.Tensor"))


def check_floating(dtype: torch.dtype | None) -> None:
    """Refuse a dtype in which no weights can be drawn; None is Torch's default.

    Examples
    --------
    >>> check_floating(torch.int64)
    Traceback (most recent call last):
    TypeError: dtype: got torch.int64; allowed: a floating-point dtype.
    """
    if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
        raise TypeError(complaint("dtype", dtype, "a floating-point dtype"))


def single(given: Any) -> Any:
    """Return the number in a tuple of one, as Torch's layers of one dimension take it; else what is given.

    Examples
    --------
    >>> single((9,)), single(9), single((1, 2))
    (9, 9, (1, 2))
    """
    return given[0] if isinstance(given, (tuple, list)) and len(given) == 1 else given


def check_channels(x: Tensor, channels: int) -> None:
    """Refuse a signal (..., channel, time) of other channels."""
    check_signal(x)
    if x.shape[-2] != channels:
        raise ValueError(complaint("input channels", x.shape[-2], str(channels), "axis -2 is the channel axis"))


class Snake(nn.Module):
    """The periodic activation ``x + sin²(ax)/a``.

    Source: L. Ziyin, T. Hartwig, M. Ueda, "Neural networks fail to learn periodic functions and how to
    fix it", NeurIPS 2020.

    Parameters
    ----------
    a : float
        In radians per unit of x; not 0.

    Examples
    --------
    >>> Snake(2.0)(torch.zeros(2))
    tensor([0., 0.])
    """

    def __init__(self, a: float = 1.0) -> None:
        super().__init__()
        self.a = a

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of each sample."""
        return x + torch.sin(self.a * x) ** 2 / self.a
