"""The projections of kernels on those that make no tone, as modules without parameters; `moments` has the theory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import Array, as_choice, as_integer
from dspref.multirate import ORDERS
from torchparity.nn.utils.gains import by_phase, equal_gains, joined, product
from torchparity.nn.utils.grid import HALF, on_grid
from torchparity.nn.utils.moments import checked_order, of_rows, of_taps
from torchparity.nn.utils.states import mark, marked_anew


class ToneFreeTaps(nn.Module):
    """Projects the taps of a transposed convolution, in its last axis, on those that make no tone.

    For order 1 ``h[qs + r] − (g_r − G)/n_r``, as `dspref.designs.projection.tone_free`: phase r has n_r taps of sum
    g_r, and ``G = Σ_r (g_r/n_r) / Σ_r (1/n_r)``. For higher ones ``h − (hQᵀ)Q``: the rows of Q are an orthonormal basis
    of the conditions, and the products in double precision, which the device needs to have then. Half precision is
    projected in single precision, and rounded so that all phases have the same gain, exactly.

    Parameters
    ----------
    kernel_size : int
        K, at least s.
    stride : int
        s.
    order : int
        p: zeros at the multiples of 1/s are p-fold.
    device : torch.device, optional
        Of Q.

    Attributes
    ----------
    Q : Tensor (p(s − 1), K) or None
        None for order 1. No part of the state dict, and computed anew wherever the module is moved to.
    P : Tensor (K, K) or None
        The projection of order 1 as a matrix, for short kernels; likewise.
    tone_free_order : Tensor ()
        p, for the state dict: a model of another order, or of none, refuses it.

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
    P: Tensor | None

    def __init__(self, kernel_size: int, stride: int, *, order: int = 1, device: Any = None) -> None:
        super().__init__()
        self.kernel_size, self.stride = as_integer("kernel_size", kernel_size, 1), as_integer("stride", stride, 2)
        self.order = checked_order(self.kernel_size, self.stride, order)
        self.register_buffer("Q", self._basis(device), persistent=False)
        self.register_buffer("P", self._product(device), persistent=False)
        mark(self, device)

    def _basis(self, device: Any) -> Tensor | None:
        sizes = self.kernel_size, self.stride, self.order
        return None if self.order == 1 else _on(of_taps(*sizes), device)

    def _product(self, device: Any) -> Tensor | None:
        P = product(self.kernel_size, self.stride) if self.order == 1 else None
        return None if P is None else _on(P, device)

    def _apply(self, fn: Any, recurse: bool = True) -> ToneFreeTaps:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        _anew(self)
        return self

    def forward(self, h: Tensor) -> Tensor:
        """Return the projection of taps (..., K)."""
        _beside(self, h)
        K, s, wide = self.kernel_size, self.stride, widened(h)
        taps = equal_gains(wide, K, s, self.P) if self.Q is None else without(wide, self.Q)
        if h.dtype in HALF:
            taps = joined(on_grid(by_phase(taps, K, s).mT, h.dtype, shorter=-K % s).mT, K)
        return taps.to(h.dtype)

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
    device : torch.device, optional
        Of Q.

    Attributes
    ----------
    Q : Tensor (p(L − 1), L·K) or None
    tone_free_order : Tensor ()
        As those of `ToneFreeTaps`.

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
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation = as_integer("kernel_size", kernel_size, 1), dilation
        self.upscale_factor = as_integer("upscale_factor", upscale_factor, 2)
        self.channels = as_choice("channels", channels, ORDERS)
        self.order = checked_order(kernel_size * upscale_factor, upscale_factor, order)
        self.register_buffer("Q", self._basis(device), persistent=False)
        mark(self, device)

    def _basis(self, device: Any) -> Tensor | None:
        sizes = self.kernel_size, self.upscale_factor, self.order, self.dilation
        return None if self.order == 1 else _on(of_rows(*sizes), device)

    def _apply(self, fn: Any, recurse: bool = True) -> ToneFreeRows:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        _anew(self)
        return self

    def forward(self, w: Tensor) -> Tensor:
        """Return the projection of a weight (out·L, in, K)."""
        _beside(self, w)
        groups = grouped(widened(w), self.upscale_factor, self.channels)
        if self.Q is None:
            gains = groups.sum(-1, keepdim=True)
            groups = groups - (gains - gains.mean(1, keepdim=True)) / self.kernel_size
        else:
            taps = groups.transpose(1, 2).flatten(2)
            taps = without(taps, self.Q)
            groups = taps.reshape(*taps.shape[:2], self.upscale_factor, self.kernel_size).transpose(1, 2)
        if w.dtype in HALF:
            groups = on_grid(groups.transpose(1, 2), w.dtype).transpose(1, 2)
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

    Raises
    ------
    ValueError
        If the order is unknown.

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


def without(h: Tensor, Q: Tensor) -> Tensor:
    """Return ``h − (hQᵀ)Q`` for taps (..., K), in double precision: autocast and TF32 would round these products."""
    wide = h.double()
    return wide - (wide @ Q.mT) @ Q


def widened(h: Tensor) -> Tensor:
    """Return half precision as single precision, and all else as it is."""
    return h.to(torch.promote_types(h.dtype, torch.float32))


def grouped(w: Tensor, L: int, channels: str) -> Tensor:
    """Return what has an axis of channels first with one of channels and one of phases, (out, L, …)."""
    rest, out = w.shape[1:], w.shape[0] // L
    return w.reshape(out, L, *rest) if channels == "crd" else w.reshape(L, out, *rest).transpose(0, 1)


def ungrouped(groups: Tensor, channels: str) -> Tensor:
    """Undo `grouped`."""
    return (groups if channels == "crd" else groups.transpose(0, 1)).flatten(0, 1)


def _on(Q: Array, device: Any) -> Tensor:
    with torch.inference_mode(False):  # else it could serve no training
        return torch.from_numpy(Q.copy()).to(device)


def _anew(module: Any, device: Any = None) -> None:
    """Compute Q anew where a module has been moved to: a meta device held nothing, and half precision too little."""
    if module.Q is not None:
        module.Q = module._basis(device or module.Q.device)
    if getattr(module, "P", None) is not None:
        module.P = module._product(device or module.P.device)
    marked_anew(module)


def _beside(module: Any, taps: Tensor) -> None:
    """Hold Q and P where the taps are: a load that assigns them takes them from the meta device, and leaves these."""
    held = module.Q if module.Q is not None else getattr(module, "P", None)
    if held is not None and held.device != taps.device:
        _anew(module, taps.device)
