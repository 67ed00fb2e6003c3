"""Torch modules for what Torch has no module for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import as_choice, complaint
from dspref.multirate import ORDERS

__all__ = ["FilterInterp1d", "Interpolate1d", "PixelShuffle1d", "Snake", "StreamingConvTranspose1d"]


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
        phases = x.reshape(*lead, L, channels // L, time).movedim(-3, -1)
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
        taps = self.taps.shape[-1]
        alike = self.taps.ndim == 1
        groups = x.shape[-2] if alike else 1
        w = self.taps.expand(groups, 1, taps) if alike else self.taps.transpose(0, 1)
        y = F.conv_transpose1d(x, w, stride=self.factor, groups=groups)
        length, first = self.factor * x.shape[-1] + self.excess, max(self.offset, 0)
        if length < 1:
            raise ValueError(complaint(f"output length for {x.shape[-1]} input samples", length, "at least 1"))
        y = F.pad(y, (max(-self.offset, 0), max(self.offset + length - y.shape[-1], 0)))
        return y[..., first : first + length]


class StreamingConvTranspose1d(nn.Module):
    """A transposed convolution in chunks, by overlap-add: the tail of the chunks before is added, the new one kept.

    All that is given, and last `flush`, in a row is ``conv`` of the whole signal. The first `padding` samples are
    dropped once, the last ones never given; the bias is added to what is given, and so only once; of T input samples
    the outputs given are those that are there however the signal ends: ``Ts − max(padding, s + 2·padding − N −
    output_padding)``, N = d(taps − 1) + 1.

    Parameters
    ----------
    conv : nn.ConvTranspose1d
        It is used, not copied.

    Raises
    ------
    ValueError
        By ``flush``, if the whole signal was too short for the layer.

    Examples
    --------
    >>> conv = nn.ConvTranspose1d(1, 1, 3, stride=2, bias=False)
    >>> _ = nn.init.ones_(conv.weight)
    >>> stream = StreamingConvTranspose1d(conv).requires_grad_(False)
    >>> stream(torch.ones(1, 1, 1)), stream(torch.ones(1, 1, 2)), stream.flush()
    (tensor([[[1., 1.]]]), tensor([[[2., 1., 2., 1.]]]), tensor([[[1.]]]))
    """

    def __init__(self, conv: nn.ConvTranspose1d) -> None:
        super().__init__()
        self.conv, self.in_channels = conv, conv.in_channels
        self.reset()

    def reset(self) -> None:
        """Forget the signal: the next chunk begins a new one."""
        self._tail: Tensor | None = None
        self._time = self._given = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, time') that a chunk (batch, in, time), which may be empty, makes final."""
        s, p, taps, more = self._shape()
        tail = x.new_zeros(*x.shape[:-2], self.conv.out_channels, 0) if self._tail is None else self._tail
        start, before = p + self._given, self._time * s
        self._time += x.shape[-1]
        length = max(0, self._time * s + max(0, taps - s) - start)
        y = _window(tail, 0, length)
        if x.shape[-1]:
            y = y + _window(self._stamps(x), start - before, length)
        ready = max(0, self._time * s - max(p, s + 2 * p - taps - more) - self._given)
        self._given, self._tail = self._given + ready, y[..., ready:]
        return self._biased(y[..., :ready])

    def flush(self) -> Tensor:
        """Return the rest, and forget the signal."""
        s, p, taps, more = self._shape()
        length = (self._time - 1) * s - 2 * p + taps + more
        if self._tail is None or length < 1:
            raise ValueError(complaint(f"output length for {self._time} input samples", length, "at least 1"))
        rest = _window(self._tail, 0, length - self._given)
        self.reset()
        return self._biased(rest)

    def _shape(self) -> tuple[int, int, int, int]:
        """Return stride, padding, taps with the zeros of dilation between them, and output padding."""
        c = self.conv
        return c.stride[0], int(c.padding[0]), c.dilation[0] * (c.kernel_size[0] - 1) + 1, c.output_padding[0]

    def _stamps(self, x: Tensor) -> Tensor:
        c = self.conv
        return F.conv_transpose1d(x, c.weight, None, c.stride, 0, 0, c.groups, c.dilation)

    def _biased(self, y: Tensor) -> Tensor:
        return y if self.conv.bias is None else y + self.conv.bias[:, None]


def _window(x: Tensor, start: int, length: int) -> Tensor:
    """Return samples ``start … start + length − 1``, zero where `x` is not defined."""
    kept, left = x[..., max(start, 0) : max(start + length, 0)], min(max(-start, 0), length)
    return F.pad(kept, (left, length - left - kept.shape[-1]))


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
