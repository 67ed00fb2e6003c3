"""The laws of module types: who is described by whom, and when a module must not be."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.weight_norm import WeightNorm

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.chain import Chain, Stage
from torchparity.calls import check_there, numbers

M = TypeVar("M", bound=nn.Module)
Description: TypeAlias = Stage | Chain

HINT = "register a law for it (torchparity.register), or try torchparity.probe"

_METHODS = ("forward", "__call__", "_call_impl", "_conv_forward", "_output_padding")
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@singledispatch
def law_of(module: object) -> Description:
    """Return what a module is, by the law of its type; each type registers its own."""
    kind = type(module)
    raise NotAnalysable(complaint("module", f"{kind.__module__}.{kind.__qualname__}", "a type with a known law", HINT))


def register(kind: type[M]) -> Callable[[Callable[[M], Description]], Callable[[M], Description]]:
    """Return a decorator that teaches `describe` the law of a module type, subclasses included.

    A subclass that changes ``forward`` is not described by its parent's law: it needs its own.

    Parameters
    ----------
    kind : type
        A class of modules.

    Returns
    -------
    function
        A decorator of a law: a function from a module to a layer, Chain or Pointwise.

    Examples
    --------
    >>> from dspref import Nearest
    >>> class Doubler(nn.Module):
    ...     def forward(self, x):
    ...         return x.repeat_interleave(2, -1)
    >>> @register(Doubler)
    ... def doubler(module):
    ...     return Nearest(2)
    >>> from torchparity import describe
    >>> describe(Doubler())
    Nearest(factor=2)
    """

    def decorate(law: Callable[[M], Description]) -> Callable[[M], Description]:
        def guarded(module: M) -> Description:
            guard(module, kind)
            return law(module)

        law_of.register(kind, guarded)
        return law

    return decorate


def guard(module: nn.Module, kind: type[nn.Module]) -> None:
    """Refuse a module that need not do what its type says."""
    name = type(module).__name__
    changed = [m for m in _METHODS if getattr(type(module), m, None) is not getattr(kind, m, None) or m in vars(module)]
    if changed:
        got = f"{name}, with its own {changed[0]}"
        raise NotAnalysable(complaint("module", got, f"the {changed[0]} of {kind.__name__}", HINT))
    for tensor in (*module.parameters(), *module.buffers()):
        check_there(name, tensor)
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    if any(not isinstance(hook, WeightNorm) for hook in hooks):
        hint = "remove the hook, or try torchparity.probe"
        raise NotAnalysable(complaint("module", f"{name} with a forward hook", "a module without hooks", hint))


def array(tensor: Tensor) -> Array:
    """Return a tensor as an array of the same dtype; bfloat16, which NumPy lacks, as float32."""
    if tensor.dtype not in _FLOATS:
        allowed, hint = "float16, bfloat16, float32, float64", "describe module.float() instead"
        raise NotAnalysable(complaint("weights", f"dtype {tensor.dtype}", allowed, hint))
    return numbers(tensor)


def field(module: nn.Module, name: str) -> Array | None:
    """Return a weight as the next forward would use it."""
    hooks = [h for h in module._forward_pre_hooks.values() if isinstance(h, WeightNorm) and h.name == name]
    tensor = hooks[0].compute_weight(module) if hooks else getattr(module, name)
    return None if tensor is None else array(tensor)
