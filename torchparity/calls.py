"""Calling what others wrote: on a copy, in a known dtype, and with words for whatever comes back."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable, complaint

Run: TypeAlias = Callable[[Any], Any]
"""An nn.Module, or any function from a tensor (batch, channel, time) to one."""

DTYPES = ("float32", "float64")
"""The arithmetics whose rounding is bounded here."""


class Refused(ValueError):
    """The function raised: the message is its error."""


class Misbehaved(ValueError):
    """The function returned, but not what a layer returns: the message says what."""


def private_copy(module: nn.Module, dtype: str | None = None) -> nn.Module:
    """Return a copy to experiment with, in evaluation mode: the module itself is never touched.

    Weights computed by old-style weight norm are no leaves of the graph, which `copy.deepcopy` refuses:
    they are copied as plain tensors (the copy computes them anew when it is called).

    Raises
    ------
    NotAnalysable
        If the module cannot be copied, with the reason.
    """
    computed = {
        id(v): v.detach().clone()
        for part in module.modules()
        for v in vars(part).values()
        if isinstance(v, Tensor) and not v.is_leaf
    }
    try:
        twin = copy.deepcopy(module, computed)
    except Exception as error:
        hint = "hand over a function, e.g. lambda x: module(x)"
        raise NotAnalysable(
            complaint("module", f"no copy of it ({error})", "one that deepcopy copies", hint)
        ) from error
    return twin.eval() if dtype is None else twin.eval().to(getattr(torch, dtype))


def own_dtype(f: Run) -> str:
    """Return the dtype in which `f` works: that of its first weight, else Torch's default."""
    tensors = [*f.parameters(), *f.buffers()] if isinstance(f, nn.Module) else []
    first = next((t.dtype for t in tensors if t.is_floating_point()), torch.get_default_dtype())
    name = str(first).removeprefix("torch.")
    if name not in DTYPES:
        raise NotAnalysable(complaint("dtype of the weights", name, ", ".join(DTYPES), "convert it with .float()"))
    return name


def own_channels(f: Run, default: int) -> int:
    """Return the number of channels that the first part of `f` with ``in_channels`` takes, else `default`."""
    found = [getattr(part, "in_channels", None) for part in f.modules()] if isinstance(f, nn.Module) else []
    return next((channels for channels in found if isinstance(channels, int)), default)


def call(f: Run, x: Array) -> Array:
    """Return ``f(x)`` as an array, without gradients, for an array (batch, channel, time).

    Raises
    ------
    Refused
        If `f` raises.
    Misbehaved
        If `f` changes its input, or returns anything but a tensor (batch, channel, time) of the same
        batch and dtype.
    """
    given = torch.from_numpy(np.array(x))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Torch's remarks on speed
            y = f(given)
    except Exception as error:
        raise Refused(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
    if not isinstance(y, Tensor):
        raise Misbehaved(complaint("result", type(y).__name__, "a tensor", "return the signal alone"))
    if y.dtype != given.dtype:
        raise Misbehaved(complaint("dtype of the result", y.dtype, f"{given.dtype}, as the input"))
    if y.ndim != 3 or len(y) != len(x):
        raise Misbehaved(complaint("result", f"shape {tuple(y.shape)}", f"({len(x)}, channel, time)"))
    if not np.array_equal(given.numpy(), x):
        raise Misbehaved(complaint("input", "changed in place", "an input left as it was", "work on x.clone()"))
    return np.array(y.detach().cpu().numpy())
