"""Initialisations of upsampling layers that make no tone before training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dspref.arrays import as_choice, as_integer, complaint
from dspref.designs import icnr
from dspref.multirate import ORDERS
from torchparity.nn.utils.grid import HALF
from torchparity.nn.utils.kernels import Kernel, bias_of, check_own, kernel_of, order_of, tensors, write
from torchparity.nn.utils.projection import ToneFreeTaps

__all__ = ["icnr_", "tone_free_init_"]

T = TypeVar("T", nn.Module, Tensor)


def icnr_(
    weight: T,
    factor: int | None = None,
    *,
    order: str = "crd",
    initialise: Callable[[Tensor], Any] = nn.init.kaiming_normal_,
) -> T:
    """Fill the weight of a sub-pixel convolution so that it makes no tone: every phase gets the same sub-kernel.

    Biases of the phases still make one, of the period of the shuffle. Of a layer each channel gets the mean of its own;
    where a weight alone is given they are the caller's: zero them, or use `tone_free_init_`.

    Parameters
    ----------
    weight : nn.Conv1d, torchparity.nn.SubpixelConv1d, or Tensor (out·L, in/groups, taps)
        The convolution before the shuffle, or its weight; changed in place. A layer whose weight a norm or another
        parametrization computes has to be given itself.
    factor : int
        L; a `SubpixelConv1d` has its own.
    order : {'crd', 'dcr'}
        Of the channels, as for `torchparity.nn.PixelShuffle1d`; a `SubpixelConv1d` has its own.
    initialise : function of a tensor, in place
        Fills the sub-kernels (out, in/groups, taps).

    Returns
    -------
    nn.Module or Tensor
        `weight`.

    Raises
    ------
    TypeError
        If it is neither, or its weights are no floats.
    ValueError
        If the filters are not L for each channel, the factor is missing, or the weight is computed of something else.
    NotAnalysable
        As `torchparity.nn.utils.tone_free`.

    References
    ----------
    A. Aitken et al., "Checkerboard artifact free sub-pixel convolution", arXiv 1707.02937.

    Examples
    --------
    >>> icnr_(torch.empty(4, 1, 1), 2, initialise=nn.init.ones_).flatten().tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> conv = icnr_(nn.Conv1d(8, 6, 3), 2)
    >>> torch.equal(conv.weight[0::2], conv.weight[1::2]), torch.equal(conv.bias[0::2], conv.bias[1::2])
    (True, True)
    """
    if isinstance(weight, Tensor):
        _check_plain(weight)
        with torch.no_grad():
            weight.copy_(_repeated(weight, as_integer("factor", factor, 1), order, initialise))
        return weight
    kernel = _subpixel(weight, factor, order)
    check_own(kernel, 1)
    write(kernel, _repeated(tensors(kernel)[-1], kernel.factor, kernel.channels, initialise))
    if kernel.bias:
        bias = bias_of(kernel)
        with torch.no_grad():
            bias.copy_(kernel.one_bias()(bias))
    return weight


def _subpixel(layer: nn.Module, factor: int | None, order: str) -> Kernel:
    """Return the kernel of a convolution whose channels are interleaved by a factor."""
    own = kernel_of(layer)
    if own is not None and own.channels:
        if factor not in (None, own.factor):
            raise ValueError(complaint("factor", factor, f"{own.factor}, the layer's own"))
        return own
    if not isinstance(layer, nn.Conv1d):
        raise TypeError(complaint("weight", type(layer).__name__, "a Conv1d, a SubpixelConv1d or the weight of one"))
    L, bias = as_integer("factor", factor, 2), "bias" if layer.bias is not None else ""
    shape = layer.kernel_size[0], L, bias, as_choice("order", order, ORDERS)
    return Kernel(layer, "weight", *shape, dilation=layer.dilation[0], groups=layer.groups)


def _repeated(like: Tensor, L: int, order: str, initialise: Callable[[Tensor], Any]) -> Tensor:
    """Return what a weight becomes."""
    if like.shape[0] % L:
        raise ValueError(complaint("weight", f"shape {tuple(like.shape)}", f"(out·{L}, in/groups, taps)"))
    kernel = like.new_empty(like.shape[0] // L, *like.shape[1:])
    with torch.no_grad():
        initialise(kernel)
    if kernel.is_meta:
        return torch.empty_like(like)
    return torch.from_numpy(np.array(icnr(kernel.double().cpu().numpy(), L, order=order))).to(like)


def _check_plain(weight: Tensor) -> None:
    """Refuse a weight that cannot be filled, or is computed: what would be filled is thrown away."""
    whole = weight if weight._base is None else weight._base
    if is_lazy(weight):
        raise ValueError(complaint("weight", "not initialised yet", "weights", "call the layer on a signal first"))
    if not whole.is_leaf:
        hint = "give the layer in place of its weight, which a norm or another parametrization computes"
        raise ValueError(complaint("weight", "computed of other tensors", "a parameter", hint))
    if not weight.is_floating_point():
        raise TypeError(complaint("dtype of the weight", str(weight.dtype), "floating point"))
    if weight.ndim != 3:
        raise ValueError(complaint("weight", f"shape {tuple(weight.shape)}", "that of the weight of a layer"))


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

    Weights in half precision are rounded so that all phases have the same gain, exactly; those that a norm computes are
    rounded once more. It holds before training. `torchparity.nn.utils.tone_free` keeps it so; it may come before or
    behind.

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
        If a weight is given without its stride, or a layer with one, the taps are too few for the order, or something
        else computes them.
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
        _check_plain(layer)
        with torch.no_grad():
            layer.copy_(_drawn(layer, ToneFreeTaps(layer.shape[-1], stride, order=order), stride, initialise))
        return layer
    kernel = kernel_of(layer)
    if kernel is None:
        raise TypeError(complaint("layer", type(layer).__name__, "ConvTranspose1d, SubpixelConv1d or a weight"))
    if stride is not None:
        raise ValueError(complaint("stride", stride, "none beside a layer", f"it has its own, {kernel.factor}"))
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
    """Return taps drawn as of a weight, projected in double precision, and scaled; half precision keeps equal gains."""
    h = torch.empty_like(like, requires_grad=False)
    initialise(h)
    wide: Tensor = projection.to(h.device).double()(h.double())
    K = projection.kernel_size * getattr(projection, "upscale_factor", 1)
    taps = (wide * math.sqrt(K / (K - projection.order * (s - 1)))).to(like.dtype)
    return projection(taps) if like.dtype in HALF else taps
