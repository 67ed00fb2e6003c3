"""In which circumstances a function is called, and how its input lies in memory: each changes the kernel that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from dspref.arrays import as_choice, complaint

Run: TypeAlias = Callable[[Any], Any]
"""A function of a tensor (batch, channel, time)."""

LAYOUTS = ("contiguous", "channels-last", "sliced", "offset", "transposed storage", "expanded")
"""Ways in which the same numbers lie in memory."""


def under_autocast(run: Run, device: str, dtype: str) -> Run:
    """Return `run` inside of ``torch.autocast(device, dtype)``.

    Examples
    --------
    >>> from torch import nn
    >>> under_autocast(nn.Conv1d(1, 1, 1), "cpu", "bfloat16")(torch.zeros(1, 1, 2)).dtype
    torch.bfloat16
    """

    def inside(x: Tensor) -> Any:
        with torch.autocast(device, dtype=getattr(torch, as_choice("autocast", dtype, ("bfloat16", "float16")))):
            return run(x)

    return inside


def under_vmap(run: Run) -> Run:
    """Return `run` item by item of the batch, as ``torch.vmap`` makes it of ``run`` on (1, channel, time).

    Examples
    --------
    >>> from torch import nn
    >>> under_vmap(nn.Upsample(scale_factor=2))(torch.ones(3, 1, 4)).shape
    torch.Size([3, 1, 8])
    """

    def item(row: Tensor) -> Tensor:
        y: Tensor = run(row[None])[0]
        return y

    return torch.vmap(item)


def with_grad(run: Run) -> Run:
    """Return `run` with gradients recorded, for an input that requires them: kernels may be others then.

    Examples
    --------
    >>> from torch import nn
    >>> with torch.no_grad():
    ...     y = with_grad(nn.Upsample(scale_factor=2))(torch.ones(1, 1, 4))
    >>> y.requires_grad
    True
    """

    def inside(x: Tensor) -> Any:
        with torch.enable_grad():
            return run(x.detach().requires_grad_())

    return inside


def laid_out(x: Tensor, layout: str) -> Tensor:
    """Return the numbers of a tensor (batch, channel, time) in another layout in memory.

    Parameters
    ----------
    x : Tensor (batch, channel, time)
    layout : {'contiguous', 'channels-last', 'sliced', 'offset', 'transposed storage', 'expanded'}
        Time fastest; channels fastest; every second number of a storage twice as long, with NaN between, so
        that whoever reads it as contiguous shows; behind one NaN, so that whoever reads a storage from its beginning
        shows; batch fastest; or an axis over which `x` does not change, of stride 0.

    Raises
    ------
    ValueError
        For "expanded", if `x` changes over every axis.

    Examples
    --------
    >>> laid_out(torch.arange(6.0).reshape(1, 2, 3), "channels-last").stride()
    (6, 1, 2)
    """
    return _LAYOUTS[as_choice("layout", layout, LAYOUTS)](x)


def _sliced(x: Tensor) -> Tensor:
    wide = x.new_full((*x.shape[:-1], 2 * x.shape[-1]), torch.nan)
    wide[..., ::2] = x
    return wide[..., ::2]


def _offset(x: Tensor) -> Tensor:
    behind = x.new_full((x.numel() + 1,), torch.nan)
    behind[1:] = x.reshape(-1)
    return behind[1:].view(x.shape)


def _expanded(x: Tensor) -> Tensor:
    for axis, size in enumerate(x.shape):
        one = x.narrow(axis, 0, min(size, 1))
        if size > 1 and torch.equal(one.expand(x.shape), x):
            return one.clone().expand(x.shape)
    hint = "give a constant, or equal items of the batch"
    raise ValueError(complaint("input to expand", f"shape {tuple(x.shape)}", "numbers that repeat over an axis", hint))


_LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x.contiguous(),
    "channels-last": lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
    "sliced": _sliced,
    "offset": _offset,
    "transposed storage": lambda x: x.permute(2, 1, 0).contiguous().permute(2, 1, 0),
    "expanded": _expanded,
}
