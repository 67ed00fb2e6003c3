"""Initialisations of upsampling layers that make no tone before training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import as_integer, complaint
from dspref.designs import icnr
from torchparity.nn.utils.kernels import Kernel, bias_of, check_own, kernel_of, order_of, tensors, write
from torchparity.nn.utils.projection import ToneFreeTaps

__all__ = ["icnr_", "tone_free_init_"]

T = TypeVar("T", nn.Module, Tensor)


def icnr_(
    weight: Tensor,
    factor: int,
    *,
    order: str = "crd",
    initialise: Callable[[Tensor], Any] = nn.init.kaiming_normal_,
) -> Tensor:
    """Fill the weight of a sub-pixel convolution so that it makes no tone: every phase gets the same sub-kernel.

    Parameters
    ----------
    weight : Tensor (out·L, in/groups, taps)
        Of the convolution before the shuffle; changed in place.
    factor : int
        L.
    order : {'crd', 'dcr'}
        Of the channels, as for `torchparity.nn.PixelShuffle1d`.
    initialise : function of a tensor, in place
        Fills the sub-kernels (out, in/groups, taps).

    Returns
    -------
    Tensor
        `weight`.

    Raises
    ------
    ValueError
        If the filters are not L for each channel.

    References
    ----------
    A. Aitken et al., "Checkerboard artifact free sub-pixel convolution", arXiv 1707.02937.

    Examples
    --------
    >>> icnr_(torch.empty(4, 1, 1), 2, initialise=nn.init.ones_).flatten().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    L = as_integer("factor", factor, 1)
    if weight.ndim != 3 or weight.shape[0] % L:
        raise ValueError(complaint("weight", f"shape {tuple(weight.shape)}", f"(out·{L}, in/groups, taps)"))
    with torch.no_grad():
        kernel = weight.new_empty(weight.shape[0] // L, *weight.shape[1:])
        initialise(kernel)
        weight.copy_(torch.from_numpy(np.array(icnr(kernel.double().cpu().numpy(), L, order=order))))
    return weight


def _as_torch(weight: Tensor) -> Tensor:
    """Fill a weight as Torch's convolutions do: uniform, of variance 1/(3 fan_in)."""
    return nn.init.kaiming_uniform_(weight, a=math.sqrt(5))


def tone_free_init_(
    layer: T, stride: int | None = None, *, order: int = 1, initialise: Callable[[Tensor], Any] = _as_torch
) -> T:
    """Draw the weight of an upsampling layer at random, tone-free, and of the power that the plain draw would have.

    Taps are drawn, projected, and scaled: ``h = √(K/(K − p(s − 1))) P h₀``. Independent taps of mean 0 and variance
    σ² have the power ``E‖P h₀‖² = σ² tr P``, and the trace of a projection is its rank, ``K − p(s − 1)``; so
    ``E‖h‖² = Kσ² = E‖h₀‖²``, and white noise keeps, in the mean over time, the power that it would get from h₀. Of
    a sub-pixel convolution K counts the taps of all L phases.

    It holds before training. `torchparity.nn.utils.tone_free` keeps it so; it may come before or behind.

    Parameters
    ----------
    layer : nn.ConvTranspose1d, torchparity.nn.SubpixelConv1d, or Tensor (in, out/groups, K)
        Changed in place. Biases of a layer are drawn as Torch's are, one for all phases of a channel.
    stride : int
        s, where the weight of a transposed convolution is given instead of a layer.
    order : int
        p; of a layer that is kept tone-free, the order to which it is.
    initialise : function of a tensor, in place
        Draws h₀: independent taps of mean 0.

    Returns
    -------
    nn.Module or Tensor
        The same.

    Raises
    ------
    TypeError
        If it is no layer that upsamples by its own taps, or its weights are no floats.
    ValueError
        If a weight is given without its stride, the taps are too few for the order, or something else computes them.
    NotAnalysable
        As `torchparity.nn.utils.tone_free`: no taps of the layer are tone-free.

    Examples
    --------
    >>> w = tone_free_init_(torch.empty(1, 1, 4), 2, initialise=nn.init.ones_)
    >>> torch.allclose(w, torch.tensor(math.sqrt(4 / 3)))
    True
    >>> up = tone_free_init_(nn.ConvTranspose1d(8, 4, 16, stride=8))
    >>> gains = up.weight.detach().unflatten(-1, (2, 8)).sum(-2)
    >>> torch.allclose(gains, gains[..., :1], atol=1e-6)
    True
    """
    if isinstance(layer, Tensor):
        if stride is None:
            raise ValueError(complaint("stride", None, "that of the layer", "a weight does not say it"))
        with torch.no_grad():
            layer.copy_(_drawn(layer, ToneFreeTaps(layer.shape[-1], stride, order=order), stride, initialise))
        return layer
    kernel = kernel_of(layer)
    if kernel is None:
        raise TypeError(complaint("layer", type(layer).__name__, "ConvTranspose1d, SubpixelConv1d or a weight"))
    check_own(kernel, p := order_of(kernel) or order)
    like, projection = tensors(kernel)[-1], kernel.projection(p)
    write(kernel, _drawn(like, projection, kernel.factor, initialise))
    if kernel.owner.bias is not None:
        bound = 1 / math.sqrt(nn.init._calculate_fan_in_and_fan_out(like)[0])
        _fill_biases(kernel, bound)
    return layer


def _fill_biases(kernel: Kernel, bound: float) -> None:
    """Draw biases from (−bound, bound), one for each channel of the output."""
    learned = bias_of(kernel)
    L = kernel.factor if kernel.channels else 1
    drawn = torch.empty(len(learned) // L, dtype=learned.dtype, device=learned.device).uniform_(-bound, bound)
    with torch.no_grad():
        learned.copy_(drawn.repeat_interleave(L) if kernel.channels == "crd" else drawn.repeat(L))


def _drawn(like: Tensor, projection: Any, s: int, initialise: Callable[[Tensor], Any]) -> Tensor:
    """Return taps drawn as of a weight, projected in double precision, and scaled."""
    h = torch.empty_like(like, requires_grad=False)
    initialise(h)
    wide: Tensor = projection.to(h.device).double()(h.double())
    K = projection.kernel_size * getattr(projection, "upscale_factor", 1)
    return (wide * math.sqrt(K / (K - projection.order * (s - 1)))).to(like.dtype)
