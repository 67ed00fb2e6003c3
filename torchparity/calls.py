"""Calling what others wrote: on a copy, in a known dtype, and with words for whatever comes back."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

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

    The copy lives on the CPU, wherever the module does: arithmetic is checked there. Torch's activations do
    not work in place in it, which changes no value. Weights computed by old-style weight norm are no leaves
    of the graph, which `copy.deepcopy` refuses: they are copied as plain tensors (the copy computes them
    anew when it is called).

    Raises
    ------
    NotAnalysable
        If the module cannot be copied, with the reason, or its weights are not there, or not real numbers
        of one of `DTYPES`.
    """
    check_weights(module)
    computed = {
        id(v): v.detach().clone()
        for part in module.modules()
        for v in vars(part).values()
        if isinstance(v, Tensor) and not v.is_leaf
    }
    try:
        twin = copy.deepcopy(module, computed)
    except (Exception, SystemExit) as error:
        hint = "hand over a function, e.g. lambda x: module(x)"
        raise NotAnalysable(
            complaint("module", f"no copy of it ({error})", "one that deepcopy copies", hint)
        ) from error
    for part in twin.modules():
        if any(kind.__module__ == nn.ReLU.__module__ for kind in type(part).__mro__) and hasattr(part, "inplace"):
            setattr(part, "inplace", False)  # noqa: B010 -- to a type checker, a module has only tensors
    twin = twin.eval().to("cpu")
    return twin if dtype is None else twin.to(getattr(torch, dtype))


def check_there(owner: str, tensor: Tensor) -> None:
    """Refuse weights that are not there: those of a lazy module not yet called, or of the meta device."""
    if is_lazy(tensor):
        raise NotAnalysable(complaint("weights", f"{owner}, not initialised", "weights", "call it on a signal first"))
    if tensor.is_meta:
        raise NotAnalysable(complaint("weights", f"{owner} on the meta device", "weights", "use .to_empty or load"))


def check_weights(module: nn.Module) -> None:
    """Refuse weights whose rounding is not bounded: complex ones, and those of half precision."""
    for name, tensor in _weights(module):
        kind = str(tensor.dtype).removeprefix("torch.")
        if (tensor.is_floating_point() or tensor.is_complex()) and kind not in DTYPES:
            hint = "treat real and imaginary part one by one" if tensor.is_complex() else "convert it with .float()"
            raise NotAnalysable(complaint("dtype of the weights", f"{kind} ('{name}')", ", ".join(DTYPES), hint))


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the names and the tensors of a module's weights, which must be there."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        check_there(f"'{name}' of {type(module).__name__}", tensor)
        yield name, tensor


def own_dtype(f: Run) -> str:
    """Return the dtype in which `f` works: that of its first weight, else Torch's default."""
    tensors: list[Tensor] = []
    if isinstance(f, nn.Module):
        check_weights(f)
        tensors = [tensor for _, tensor in _weights(f) if tensor.is_floating_point()]
    name = str(tensors[0].dtype if tensors else torch.get_default_dtype()).removeprefix("torch.")
    if name not in DTYPES:
        hint = "say dtype='float32'"
        raise NotAnalysable(complaint("default dtype of Torch", name, ", ".join(DTYPES), hint))
    return name


def own_channels(f: Run, default: int) -> int:
    """Return the number of channels that the first part of `f` with ``in_channels`` takes, else `default`."""
    found = [getattr(part, "in_channels", None) for part in f.modules()] if isinstance(f, nn.Module) else []
    return next((channels for channels in found if isinstance(channels, int)), default)


def call(f: Run, x: Array, *, inner: bool = False) -> Array:
    """Return ``f(x)`` as an array, without gradients, for an array (batch, channel, time).

    `f` gets a copy of `x`. An inner layer, whose input another layer made, may change it in place.

    Raises
    ------
    Refused
        If `f` raises, or ends the program.
    Misbehaved
        If `f` changes its input, or returns anything but a tensor (batch, channel, time) of the same
        batch and dtype.
    """
    given = torch.from_numpy(np.array(x))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Torch's remarks on speed
            y = f(given)
    except (Exception, SystemExit) as error:
        raise Refused(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
    if not isinstance(y, Tensor):
        raise Misbehaved(complaint("result", type(y).__name__, "a tensor", "return the signal alone"))
    if y.dtype != given.dtype:
        raise Misbehaved(complaint("dtype of the result", y.dtype, f"{given.dtype}, as the input"))
    if y.ndim != 3 or len(y) != len(x):
        raise Misbehaved(complaint("result", f"shape {tuple(y.shape)}", f"({len(x)}, channel, time)"))
    if not inner and not np.array_equal(given.numpy(), x):
        raise Misbehaved(complaint("input", "changed in place", "an input left as it was", "work on x.clone()"))
    return np.array(y.detach().cpu().numpy())


def alike(y: Array, again: Array, dtype: DTypeLike) -> bool:
    """Return whether two answers to one input agree in half of the digits of the arithmetic.

    Bit for bit is too much to ask of Torch 2.13 on a CPU: in one process of 25 a second call of nn.Tanh in
    float32, at the end of MelGAN, gave results up to 4.5e-5 of the largest away from the first, for equal
    inputs. The cause was not found. Half of the digits is a choice, not a bound: randomness smaller than that is
    not seen here, and is left to the rounding bound of each layer.
    """
    if y.shape != again.shape or not np.array_equal(np.isfinite(y), np.isfinite(again)):
        return False
    kept = np.isfinite(y)
    if not np.array_equal(y[~kept], again[~kept], equal_nan=True):
        return False
    first, second = y[kept].astype(float), again[kept].astype(float)
    half = np.sqrt(np.finfo(np.dtype(dtype)).eps)
    return bool(np.abs(first - second).max(initial=0) <= half * np.abs(first).max(initial=0))
