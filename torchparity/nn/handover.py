"""Parameters that go from one module to another, together with what makes them: parametrizations, weight norm."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized, register_parametrization
from torch.nn.utils.weight_norm import WeightNorm

from dspref.arrays import complaint

M = TypeVar("M", bound=nn.Module)

SHARED = ("weight", "bias")
"""The parameters of a convolution."""


def check_plain(module: object, kind: type[nn.Module]) -> None:
    """Refuse what is not a module of that kind, with its forward, its weights there, and no hooks but weight norm's.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> check_plain(nn.Linear(2, 2), nn.Conv1d)
    Traceback (most recent call last):
    TypeError: module: got Linear; allowed: a Conv1d with the forward of its class.
    """
    own = all(getattr(type(module), name, None) is getattr(kind, name) for name in ("forward", "__call__"))
    if not isinstance(module, kind) or not own or "forward" in vars(module):
        raise TypeError(complaint("module", type(module).__name__, f"a {kind.__name__} with the forward of its class"))
    if any(nn.parameter.is_lazy(p) for p in module.parameters()):
        raise ValueError(complaint("module", "weights that are not there yet", "weights", "run it once before"))
    named = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks")
    hooks = [hook for name in named for hook in getattr(module, name).values()]
    if other := [hook for hook in hooks if not isinstance(hook, WeightNorm)]:
        hint = "remove the hook, or make it a parametrization"
        got = f"hook {getattr(other[0], '__name__', type(other[0]).__name__)}"
        raise ValueError(complaint("module", got, "no hooks but those of weight norm", hint))


def hand_over(source: nn.Module, target: M) -> M:
    """Give `target` the Parameters of `source`, and what makes its weights of them; return it.

    A parametrized tensor is given with its whole list, which then belongs to both; weight norm by hooks with its two
    Parameters and its hook. Where the mode of training differs, that of the source is taken.

    Parameters
    ----------
    source, target : nn.Module
        With parameters of the same names and shapes; those of the target are dropped.
    """
    norms = {hook.name: hook for hook in source._forward_pre_hooks.values() if isinstance(hook, WeightNorm)}
    for name in SHARED:
        if is_parametrized(source, name):
            register_parametrization(target, name, nn.Identity(), unsafe=True)  # makes it a property
            lists: Any = target.parametrizations
            lists[name] = source.parametrizations[name]  # type: ignore[index]
        elif name in norms:
            _hand_over_norm(source, target, norms[name])
        else:
            setattr(target, name, getattr(source, name))
    return target.train(source.training)


def _hand_over_norm(source: nn.Module, target: nn.Module, norm: Any) -> None:
    del target._parameters[norm.name]
    for part in ("_g", "_v"):
        target.register_parameter(norm.name + part, source.get_parameter(norm.name + part))
    with torch.no_grad():  # without a graph it can be copied
        setattr(target, norm.name, norm.compute_weight(target))
    target.register_forward_pre_hook(norm)
