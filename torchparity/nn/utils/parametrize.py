"""Keeps layers tone-free in every forward pass, so that no training can undo it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations as norms
from torch.nn.utils.parametrize import is_parametrized, register_parametrization, remove_parametrizations

from dspref.arrays import complaint
from torchparity.compiled import named
from torchparity.nn.utils.kernels import PROJECTIONS, Kernel, adopt_new_norm, check, check_module, kernel_of, own_class
from torchparity.nn.utils.projection import OneBias
from torchparity.nn.utils.states import take_plain, take_plain_no_more

KEPT = (*PROJECTIONS, OneBias)
"""Parametrizations that are of this module's making."""

M = TypeVar("M", bound=nn.Module)


def tone_free(module: M, order: int = 1) -> M:
    """Keep a layer tone-free: a constant input gives a constant output, whatever is learned.

    The weight becomes ``Ph``, a parametrization: the taps nearest to those learned whose s phases have the same moments
    ``Σ_{n ≡ r (mod s)} h[n] nʲ``, j = 0 … p − 1. Then h has p-fold zeros at all k/s. Of a sub-pixel convolution the
    nearest filters are taken, and one bias for all phases of a channel.

    Weights in half precision are projected in single precision, and rounded so that all phases have the same gain,
    exactly: each tap moves by less than one unit of the largest. Autocast rounds single precision after that, tap by
    tap: the gains of two phases differ by at most ``u Σ abs(h[n])`` over the taps of both.

    Behind weight norm (of either interface: the older becomes the newer, of the same g and v, and loads old
    checkpoints) and spectral norm the weight is projected last. Spectral norm may follow, as it scales the weight as a
    whole; Torch has no weight norm behind another parametrization.

    State dicts say the order, so that no layer loads them that is not tone-free, or is of another order. Those of the
    layer without the projection are taken, with weight norm or without, and what they hold is projected.

    Parameters
    ----------
    module : nn.ConvTranspose1d or torchparity.nn.SubpixelConv1d
        Changed in place.
    order : int
        p, at most ``⌊(K − 1)/(s − 1)⌋`` for K taps: the higher, the wider the notches around k/s.

    Returns
    -------
    nn.Module
        The same.

    Raises
    ------
    TypeError
        If the module is neither, or its weights are no floats.
    ValueError
        If it does not upsample, is not initialised, is tone-free already, has a weight that something else computes,
        or too few taps for that order.
    NotAnalysable
        If a phase has no tap: K < s, or a dilation that has a common divisor with s.

    See Also
    --------
    remove_tone_free : end it, with the weights as they are.
    tone_free_ : for all layers of a model.

    Examples
    --------
    >>> up = tone_free(nn.ConvTranspose1d(1, 1, 8, stride=4, padding=2))
    >>> y = up(torch.ones(1, 1, 9)).detach()[..., 8:-8]
    >>> torch.allclose(y, y[..., :1])
    True
    >>> tone_free(nn.ConvTranspose1d(1, 1, 8, stride=4), order=3)
    Traceback (most recent call last):
    ValueError: order: got 3; allowed: at most 2. Hint: 8 taps for factor 4: 9 conditions would leave none.
    """
    kernel = kernel_of(module)
    if kernel is None:
        allowed = "ConvTranspose1d or SubpixelConv1d"
        raise TypeError(complaint("module", type(module).__name__, allowed, "tone_free_ takes whole models"))
    check(kernel, order)
    keep_tone_free(kernel, order)
    return module


def keep_tone_free(kernel: Kernel, order: int) -> None:
    """Register the projections of a kernel that has been checked."""
    own_class(kernel.owner)
    adopt_new_norm(kernel)
    register_parametrization(kernel.owner, kernel.weight, kernel.projection(order))
    take_plain(kernel.owner, kernel.weight)
    if kernel.bias:
        register_parametrization(kernel.owner, kernel.bias, kernel.one_bias())
        take_plain(kernel.owner, kernel.bias)


def remove_tone_free(module: M) -> M:
    """End the parametrization of `tone_free`, of a layer or of all layers inside a model: the weights stay, bit by bit.

    What was learned becomes its projection, and costs nothing from then on; the next step of training may leave it.
    Spectral norm behind the projection stays; so does weight norm before it, of g and v that give the same weight, if
    there are any in the same format, bit by bit. Else it goes too.

    Parameters
    ----------
    module : nn.Module
        Changed in place.

    Returns
    -------
    nn.Module
        The same.

    Raises
    ------
    TypeError
        If it is no module.
    ValueError
        If nothing in it is kept tone-free.

    Examples
    --------
    >>> up = tone_free(nn.ConvTranspose1d(1, 1, 8, stride=4, padding=2))
    >>> kept = up.weight.detach().clone()
    >>> torch.equal(remove_tone_free(up).weight, kept), type(up).__name__
    (True, 'ConvTranspose1d')
    """
    check_module(module)
    found = [(part, name) for _, part in named(module) for name in _projected(part)]
    if not found:
        raise ValueError(
            complaint("module", "no layer that is kept tone-free", "what tone_free or tone_free_ has changed")
        )
    done = set[int]()
    for part, name in found:
        _bake(part, name, done)
    return module


def _projected(part: nn.Module) -> list[str]:
    """Return the names of the tensors of a module that a projection keeps."""
    if not is_parametrized(part):
        return []
    made: Any = part.parametrizations
    return [name for name, each in made.items() if any(isinstance(m, KEPT) for m in each)]


def _bake(part: nn.Module, name: str, done: set[int]) -> None:
    """End the projection of one tensor: keep the norm behind it, and the one before it where that gives the same."""
    own_class(part)
    take_plain_no_more(part, name)
    made: Any = part.parametrizations[name]  # type: ignore[index]
    at = next(i for i, m in enumerate(made) if isinstance(m, KEPT))
    if at == 0:
        if id(made.original) not in done:  # a tied weight is projected once: twice would round twice
            done.add(id(made.original))
            with torch.no_grad():
                made.original.copy_(made[0](made.original))
    elif not _renormed(made, at, done):
        remove_parametrizations(part, name)
        return
    if len(made) == 1:
        remove_parametrizations(part, name, leave_parametrized=False)
    else:
        del made[at]


def _renormed(made: Any, at: int, done: set[int]) -> bool:
    """Give weight norm before a projection the g and v that make what the projection made; False if there are none."""
    if at > 1 or not isinstance(made[0], norms._WeightNorm):
        return False
    g, v, dim = made.original0, made.original1, made[0].dim
    if {id(g), id(v)} <= done:
        return True
    with torch.no_grad():
        W = made[1](made[0](g, v))
        for norm in _norms(W, g, dim):
            if torch.equal(made[0](norm, W), W):
                g.copy_(norm)
                v.copy_(W)
                done |= {id(g), id(v)}
                return True
    return False


def _norms(W: Tensor, g: Tensor, dim: int) -> Iterator[Tensor]:
    """Yield the norm of a weight as Torch's two ways compute it, which may differ in the last bit."""
    if dim in (0, W.ndim - 1):
        yield torch._weight_norm_interface(W, g, dim)[1].to(g.dtype)
    yield torch.norm_except_dim(W, 2, dim)
