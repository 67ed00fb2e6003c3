"""Which tensors of a module are the weights of a layer: by their values, or by their shapes."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.outline import Outline
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
    """Return for each trained array of a layer the parameter of the module that holds its very values.

    Weights that are computed or laid out otherwise are held by none, and left out; so are those that two parameters
    hold. A parameter that is normalised on the way (weight norm) can have the values of the weight without being it:
    it must act in proportion.

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
        if len(holders) == 1 and (name == "bias" or _proportional(module, holders[0], layer)):
            found[name] = holders[0]
    return found


def _proportional(module: nn.Module, key: str, layer: Any) -> bool:
    """Return whether a multiple of the parameter makes that multiple of the output, bias apart."""
    if type(module) in _PLAIN and not module._forward_pre_hooks:
        return True
    twin = copy.deepcopy(module)
    p, own = parameters_of(twin)[key], parameters_of(module)[key].detach()
    x = rounded(np.ones((1, layer.in_channels, 4 * layer.length * getattr(layer, "dilation", 1))), dtype_of(p))
    large = 2.0 ** max(1, math.ceil(math.log2(2 * WHOLE / max(float(own.abs().max()), 2.0**-20))))
    outputs = []
    for scale in (0.0, 1.0, large):  # as far as the whole numbers of `whole_twin`: a parameter may be clamped
        with torch.no_grad():
            p.copy_(own * scale)
        try:
            outputs.append(call(twin, x, model=dtype_of(p)).astype(float))
        except (Refused, Misbehaved):  # the cases tell
            return False
    none, once, more = outputs
    step = np.abs(once - none).max(initial=0)
    return bool(step > 0 and np.abs((more - none) / large - (once - none)).max() <= step / 4)


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


def bound_by_shape(promised: Outline, weights: Mapping[str, Array], channels: int | None) -> Any:
    """Return the layer that an outline and the tensors of a module make together, or None if it is not clear which.

    Just one tensor must have the shape of the kernel, as Torch lays it out, and at most one that of the bias.

    Examples
    --------
    >>> up = Outline("convt", 4, stride=2)
    >>> bound_by_shape(up, {"w": np.ones((3, 5, 4)), "b": np.zeros(5)}, None).bias.shape
    (5,)
    """
    kernels = [w for w in weights.values() if w.ndim == 3 and w.shape[-1] == promised.length]
    layers = [layer for w in kernels for layer in _made(promised, w, None)]
    if len(layers) != 1 or (channels is not None and layers[0].in_channels != channels):
        return None
    width = layers[0].weight.shape[0] if promised.op != "convt" else layers[0].out_channels
    offsets = [b for b in weights.values() if b.shape == (width,)]
    if len(offsets) > 1:
        return None
    return next(_made(promised, layers[0].weight, offsets[0] if offsets else None))


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
