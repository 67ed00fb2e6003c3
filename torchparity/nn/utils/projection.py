"""The projections of kernels on those that make no tone, as modules without parameters: see `moments` for the theory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import Array, as_choice, as_integer
from dspref.multirate import ORDERS
from torchparity.nn.utils.moments import checked_order, conditions


class ToneFreeTaps(nn.Module):
    """Projects the taps of a transposed convolution, in its last axis, on those that make no tone.

    For order 1 ``h[qs + r] − (g_r − G)/n_r``, as `dspref.designs.projection.tone_free`: phase r has n_r taps of sum
    g_r, and ``G = Σ_r (g_r/n_r) / Σ_r (1/n_r)``. For higher ones ``h − (hQᵀ)Q``, where the rows of Q are an orthonormal
    basis of the conditions. Half precision is projected in single precision, and rounded once.

    Parameters
    ----------
    kernel_size : int
        K, at least s.
    stride : int
        s.
    order : int
        p: zeros at the multiples of 1/s are p-fold.
    device, dtype : torch.device, torch.dtype, optional
        Of Q.

    Attributes
    ----------
    Q : Tensor (p(s − 1), K) or None
        None for order 1. No part of the state dict, and computed anew wherever the module is moved to.

    Raises
    ------
    NotAnalysable
        If K < s: a phase without taps has the gain 0.
    ValueError
        If there are too few taps for that order.

    Examples
    --------
    >>> ToneFreeTaps(4, 2)(torch.tensor([1.0, 1.0, 1.0, 2.0]))
    tensor([1.2500, 0.7500, 1.2500, 1.7500])
    >>> ToneFreeTaps(4, 2, order=3)(torch.tensor([0.0, 8.0, 8.0, 0.0]))
    tensor([2.4000, 7.2000, 7.2000, 2.4000])
    """

    Q: Tensor | None

    def __init__(self, kernel_size: int, stride: int, *, order: int = 1, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.kernel_size, self.stride = as_integer("kernel_size", kernel_size, 1), as_integer("stride", stride, 2)
        self.order = checked_order(self.kernel_size, self.stride, order)
        self.register_buffer("Q", self._basis(device, dtype or torch.float64), persistent=False)

    def _basis(self, device: Any, dtype: torch.dtype) -> Tensor | None:
        n = np.arange(self.kernel_size)
        return None if self.order == 1 else _on(conditions(n, n % self.stride, self.order), device, dtype)

    def _apply(self, fn: Any, recurse: bool = True) -> ToneFreeTaps:
        return _moved(self, super()._apply, fn, recurse)

    def forward(self, h: Tensor) -> Tensor:
        """Return the projection of taps (..., K)."""
        wide = widened(h)
        return (equal_gains(wide, self.stride) if self.Q is None else without(wide, self.Q)).to(h.dtype)

    def right_inverse(self, h: Tensor) -> Tensor:
        """Return taps whose projection is the one of these: themselves."""
        return h

    def extra_repr(self) -> str:
        """Return the parameters."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, order={self.order}"


class ToneFreeRows(nn.Module):
    """Projects the weight (out·L, in, K) of a sub-pixel convolution on those that make no tone.

    The layer is a transposed convolution of factor L whose tap at ``n = r − kdL`` is tap k of phase r. For
    order 1 the filters of a group get the same sum, ``w_r[k] − (g_r − mean g)/K``.

    Parameters
    ----------
    kernel_size : int
        K.
    upscale_factor : int
        L.
    order : int
        p.
    channels : {'crd', 'dcr'}
        Order of the channels, as for `torchparity.nn.PixelShuffle1d`.
    dilation : int
        d.
    device, dtype : torch.device, torch.dtype, optional
        Of Q.

    Attributes
    ----------
    Q : Tensor (p(L − 1), L·K) or None
        As that of `ToneFreeTaps`.

    Raises
    ------
    ValueError
        If there are too few taps for that order.

    Examples
    --------
    >>> ToneFreeRows(2, 2)(torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])).sum(-1).flatten()
    tensor([5., 5.])
    """

    Q: Tensor | None

    def __init__(
        self,
        kernel_size: int,
        upscale_factor: int,
        *,
        order: int = 1,
        channels: str = "crd",
        dilation: int = 1,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation = as_integer("kernel_size", kernel_size, 1), dilation
        self.upscale_factor = as_integer("upscale_factor", upscale_factor, 2)
        self.channels = as_choice("channels", channels, ORDERS)
        self.order = checked_order(kernel_size * upscale_factor, upscale_factor, order)
        self.register_buffer("Q", self._basis(device, dtype or torch.float64), persistent=False)

    def _basis(self, device: Any, dtype: torch.dtype) -> Tensor | None:
        r, k = np.divmod(np.arange(self.upscale_factor * self.kernel_size), self.kernel_size)
        n = r - k * self.dilation * self.upscale_factor
        return None if self.order == 1 else _on(conditions(n, r, self.order), device, dtype)

    def _apply(self, fn: Any, recurse: bool = True) -> ToneFreeRows:
        return _moved(self, super()._apply, fn, recurse)

    def forward(self, w: Tensor) -> Tensor:
        """Return the projection of a weight (out·L, in, K)."""
        groups = grouped(widened(w), self.upscale_factor, self.channels)
        if self.Q is None:
            gains = groups.sum(-1, keepdim=True)
            groups = groups - (gains - gains.mean(1, keepdim=True)) / self.kernel_size
        else:
            taps = groups.transpose(1, 2).flatten(2)
            groups = without(taps, self.Q).unflatten(2, (self.upscale_factor, self.kernel_size)).transpose(1, 2)
        return ungrouped(groups, self.channels).to(w.dtype)

    def right_inverse(self, w: Tensor) -> Tensor:
        """Return a weight whose projection is the one of this: itself."""
        return w

    def extra_repr(self) -> str:
        """Return the parameters."""
        words = f"kernel_size={self.kernel_size}, upscale_factor={self.upscale_factor}, order={self.order}"
        return words + (f", channels='{self.channels}'" if self.channels != "crd" else "")


class OneBias(nn.Module):
    """Gives the L phases of a channel the mean of their biases: the nearest that make no tone.

    Parameters
    ----------
    upscale_factor : int
        L.
    channels : {'crd', 'dcr'}
        Order of the channels, as for `torchparity.nn.PixelShuffle1d`.

    Examples
    --------
    >>> OneBias(2)(torch.tensor([1.0, 3.0, 5.0, 5.0]))
    tensor([2., 2., 5., 5.])
    """

    def __init__(self, upscale_factor: int, *, channels: str = "crd") -> None:
        super().__init__()
        self.upscale_factor = as_integer("upscale_factor", upscale_factor, 2)
        self.channels = as_choice("channels", channels, ORDERS)

    def forward(self, b: Tensor) -> Tensor:
        """Return biases (out·L,)."""
        groups = grouped(widened(b), self.upscale_factor, self.channels)
        return ungrouped(groups.mean(1, keepdim=True).expand_as(groups), self.channels).to(b.dtype)

    def right_inverse(self, b: Tensor) -> Tensor:
        """Return biases whose mean is the one of these: themselves."""
        return b


def equal_gains(h: Tensor, s: int) -> Tensor:
    """Return ``h[qs + r] − (g_r − G)/n_r`` for taps (..., K): the projection of order 1, without a matrix."""
    q, longer = divmod(h.shape[-1], s)  # that many phases have q + 1 taps, the rest q
    rows = F.pad(h, (0, s - longer)) if longer else h
    rows = rows.unflatten(-1, (-1, s))
    gains, counts = rows.sum(-2), (q + 1, q)
    parts: Sequence[Tensor] = gains.split((longer, s - longer), -1) if longer else (gains,)
    counts = counts if longer else (q,)
    weight = sum(part.shape[-1] / n for part, n in zip(parts, counts, strict=True))
    G = sum((part.sum(-1, keepdim=True) / n for part, n in zip(parts, counts, strict=True)), h.new_zeros(())) / weight
    off = torch.cat([(part - G) / n for part, n in zip(parts, counts, strict=True)], -1)
    return (rows - off.unsqueeze(-2)).flatten(-2)[..., : h.shape[-1]]


def without(h: Tensor, Q: Tensor) -> Tensor:
    """Return ``h − (hQᵀ)Q`` for taps (..., K), in their own precision under autocast too."""
    Q = Q.to(h.dtype)
    with _no_autocast(h):
        return h - (h @ Q.mT) @ Q


def widened(h: Tensor) -> Tensor:
    """Return half precision as single precision, and all else as it is."""
    return h.to(torch.promote_types(h.dtype, torch.float32))


def grouped(w: Tensor, L: int, channels: str) -> Tensor:
    """Return what has an axis of channels first with one of channels and one of phases, (out, L, …)."""
    return w.unflatten(0, (-1, L)) if channels == "crd" else w.unflatten(0, (L, -1)).transpose(0, 1)


def ungrouped(groups: Tensor, channels: str) -> Tensor:
    """Undo `grouped`."""
    return (groups if channels == "crd" else groups.transpose(0, 1)).flatten(0, 1)


def _no_autocast(h: Tensor) -> AbstractContextManager[Any]:
    return nullcontext() if h.is_meta else torch.autocast(h.device.type, enabled=False)


def _on(Q: Array, device: Any, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(Q).to(device=device, dtype=torch.promote_types(dtype, torch.float32))


def _moved(module: Any, apply: Any, fn: Any, recurse: bool) -> Any:
    """Move a module, and compute its Q anew there: a meta device held nothing, and half precision too little."""
    apply(fn, recurse)
    if module.Q is not None:
        module.Q = module._basis(module.Q.device, module.Q.dtype)
    return module
