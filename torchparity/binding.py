"""Which tensors of a module are the weights of a layer: by their values, or by their shapes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array
from dspref.chain import Pointwise
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.outline import HEADS, Outline
from torchparity.arithmetic import rounded
from torchparity.calls import Misbehaved, Refused, call, numbers

WHOLE = 8
"""The largest whole number for weights, where sums have room."""

_PLAIN = (nn.Conv1d, nn.ConvTranspose1d)

FIELDS = ("weight", "bias")
"""The arrays of a layer that are trained."""


def arrays_of(layer: Any) -> dict[str, Array]:
    """Return the trained arrays of a layer by name."""
    return {name: a for name in FIELDS if (a := getattr(layer, name, None)) is not None}


def parameters_of(module: Any) -> dict[str, Tensor]:
    """Return the floating-point parameters of a module by name; none for a function."""
    named = module.named_parameters() if isinstance(module, nn.Module) else ()
    return {name: p for name, p in named if p.is_floating_point()}


def held_by(module: Any, layer: Any) -> dict[str, str]:
    """Return for each trained array of a layer the parameter of the module that holds it.

    A parameter that has the values of an array need not be it: it may be normalised, masked, scaled or clamped on the
    way, and have the same values by chance, as zeros have. So other values are tried: with whole numbers in it, the
    module must act as the layer with these numbers does. Arrays that no parameter holds are left out, and so are those
    whose values two have.

    Examples
    --------
    >>> from torchparity import describe
    >>> conv = nn.Conv1d(1, 2, 3)
    >>> held_by(nn.Sequential(conv), describe(conv))
    {'weight': '0.weight', 'bias': '0.bias'}
    """
    found: dict[str, str] = {}
    parameters = parameters_of(module)
    for name, a in arrays_of(layer).items():
        holders = [key for key, p in parameters.items() if tuple(p.shape) == a.shape and np.array_equal(numbers(p), a)]
        if len(holders) == 1 and _acts(module, name, holders[0], layer):
            found[name] = holders[0]
    return found


def _acts(module: nn.Module, name: str, key: str, layer: Any) -> bool:
    """Return whether whole numbers in a parameter act as they do in the layer: most of what they change comes out."""
    if type(module) in _PLAIN and not module._forward_pre_hooks:
        return True
    dtype = dtype_of(parameters_of(module)[key])
    twin = with_whole(module, {name: key}, size=WHOLE, seed=1)
    changed = dataclasses.replace(layer, **{name: numbers(parameters_of(twin)[key])})
    rng = np.random.default_rng(1)
    x = rounded(rng.standard_normal((1, layer.in_channels, 4 * layer.length * getattr(layer, "dilation", 1))), dtype)
    try:
        y, due = call(twin, x, model=dtype).astype(float), np.asarray(changed(x), float)
    except (Refused, Misbehaved, ValueError):  # the cases tell
        return False
    if y.shape != due.shape:
        return False
    step = np.abs(due - np.asarray(layer(x), float))
    large = step > step.max(initial=0) / 4
    return bool(2 * (np.abs(y - due) <= step / 4)[large].sum() > large.sum())


def dtype_of(p: Tensor) -> str:
    """Return the name of the dtype of a tensor."""
    return str(p.dtype).removeprefix("torch.")


def whole_twin(module: nn.Module, layer: Any, held: Mapping[str, str], *, size: int, seed: int) -> Any:
    """Return copies of a module and its layer with integers in ±size for weights; None if some are out of reach.

    Returns
    -------
    (nn.Module, layer), or None
    """
    arrays = arrays_of(layer)
    if not arrays or set(held) != set(arrays):
        return None
    twin = with_whole(module, held, size=size, seed=seed)
    parameters = parameters_of(twin)
    return twin, dataclasses.replace(layer, **{name: numbers(parameters[key]) for name, key in held.items()})


def with_whole(module: nn.Module, held: Mapping[str, str], *, size: int, seed: int) -> nn.Module:
    """Return a copy of a module that has whole numbers in ±size in the parameters that hold weights."""
    twin = copy.deepcopy(module)
    parameters, rng = parameters_of(twin), np.random.default_rng([seed, size])
    with torch.no_grad():
        for key in held.values():
            p = parameters[key]
            p.copy_(torch.from_numpy(rng.integers(-size, size + 1, tuple(p.shape)).astype(np.float32)))
    return twin


@dataclass(frozen=True)
class Bound:
    """Stages with the tensors of a module for weights, and the names of these."""

    stages: tuple[Any, ...]
    names: tuple[str, ...]


def bound_by_shape(promised: Sequence[Any], weights: Mapping[str, Array], channels: int | None = None) -> Bound | None:
    """Return the stages that outlines and the tensors of a module make together, or None if it is not clear which.

    For each outline one tensor must have the shape of its kernel, as Torch lays it out, and the channels must meet.
    Where several could be meant, they are taken in the order in which the module has them, if that leaves none over.
    The bias is the tensor of its shape beside the kernel, else the only one of its shape.

    Examples
    --------
    >>> up = Outline("convt", 4, stride=2)
    >>> bound_by_shape([up], {"w": np.ones((3, 5, 4)), "b": np.zeros(5)}).names
    ('w', 'b')
    """
    if any(stage.op in HEADS for stage in promised if isinstance(stage, Outline)):
        return None  # how many channels they give, only what is found of them says
    found = list(_assigned(tuple(promised), weights, channels, ()))
    outlines = sum(isinstance(stage, Outline) for stage in promised)
    if not found or (len(found) > 1 and sum(w.ndim == 3 for w in weights.values()) != outlines):
        return None
    stages: list[Any] = []
    names: list[str] = []
    kernels = iter(found[0])
    for stage in promised:
        if not isinstance(stage, Outline):
            stages.append(stage)
            continue
        key = next(kernels)
        biases = _biases(stage, key, weights)
        if len(biases) > 1:
            return None
        stages += _made(stage, weights[key], weights[biases[0]] if biases else None)
        names += [key, *biases]
    return Bound(tuple(stages), tuple(names))


def _assigned(
    stages: tuple[Any, ...], weights: Mapping[str, Array], channels: int | None, taken: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Yield for the outlines among the stages the names of kernels that fit, each used once, in every way."""
    if not stages:
        yield taken
        return
    stage, *rest = stages
    if not isinstance(stage, Outline):
        yield from _assigned(tuple(rest), weights, _behind(stage, channels), taken)
        return
    for key, w in weights.items():
        if key in taken or w.ndim != 3 or w.shape[-1] != stage.length:
            continue
        for layer in _made(stage, w, None):
            if channels is None or layer.in_channels == channels:
                yield from _assigned(tuple(rest), weights, layer.out_channels, (*taken, key))


def _behind(stage: Any, channels: int | None) -> int | None:
    """Return how many channels there are behind a stage that has no outline."""
    if isinstance(stage, Pointwise) and stage.name == "glu" and channels is not None:
        return channels // 2
    out = getattr(stage, "out_channels", None)
    return channels if out is None else int(out)


def _biases(stage: Outline, key: str, weights: Mapping[str, Array]) -> list[str]:
    """Return the tensors that can be the bias of a kernel: those beside it, else all of its shape."""
    (layer,) = _made(stage, weights[key], None)
    width = layer.weight.shape[0] if stage.op != "convt" else layer.out_channels
    fitting = [name for name, b in weights.items() if b.shape == (width,)]
    home = key.rpartition(".")[0]
    return [name for name in fitting if name.rpartition(".")[0] == home] or fitting


def _made(promised: Outline, w: Array, bias: Array | None) -> Iterator[Any]:
    """Yield the layer of the outline with these weights, if they fit."""
    s, g = promised.stride, promised.groups
    shared: dict[str, Any] = {"padding": promised.padding, "dilation": promised.dilation, "groups": g, "bias": bias}
    try:
        if promised.op == "convt":
            yield TransposedConv(w, stride=s, output_padding=promised.output_padding, **shared)
        elif promised.op == "conv":
            yield Conv(w, stride=s, **shared)
        else:
            yield SubpixelConv(w, s, **shared)
    except ValueError:  # channels that the groups or the shuffle do not divide
        return
