"""Arguments of a model's forward, for any length: as they are given, made of one example, or guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint

Maker: TypeAlias = Callable[[int], tuple[Any, ...]]
"""What makes the arguments of a forward for a length."""


def maker(model: nn.Module, inputs: Any) -> Maker:
    """Return what makes arguments for a length; of one example always the same."""
    if isinstance(inputs, dict):
        allowed = "a tensor, a tuple of arguments, or a function of a length"
        raise TypeError(complaint("inputs", "a dict", allowed, "a tuple has them in the order of the forward"))
    if callable(inputs):
        return lambda length: as_tuple(inputs(length))
    if inputs is not None:
        return lambda length: as_tuple(inputs)
    channels = next((c for m in model.modules() if isinstance(c := getattr(m, "in_channels", None), int)), None)
    if channels is None:
        raise NotAnalysable(complaint("channels of the input", "no layer that says them", "one with in_channels"))
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    return lambda length: (torch.ones(1, channels, length, dtype=like.dtype, device=like.device),)


def as_tuple(args: Any) -> tuple[Any, ...]:
    """Return arguments as a tuple: of one that is none, of it alone."""
    return tuple(args) if isinstance(args, (tuple, list)) else (args,)


def longer(example: tuple[Any, ...]) -> Iterator[Maker]:
    """Yield what makes one example longer, by repeating it along one axis: the last, else the one before.

    Tensors of the same size grow together. Which is time, the module knows: it refuses others.
    """
    shapes = [x.shape for x in example if isinstance(x, Tensor)]
    for axis in (-1, -2):
        for size in dict.fromkeys(shape[axis] for shape in shapes if len(shape) >= -axis and shape[axis] > 1):
            yield partial(_repeated, example, axis, size)


def _repeated(example: tuple[Any, ...], axis: int, size: int, length: int) -> tuple[Any, ...]:
    def grown(x: Any) -> Any:
        if not isinstance(x, Tensor) or x.ndim < -axis or x.shape[axis] != size:
            return x
        return x.index_select(axis, torch.arange(length, device=x.device) % size)

    return tuple(map(grown, example))
