"""Models that torch.compile has wrapped, as what they were."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

WRAPPED = "_orig_mod"
"""Name of what is wrapped within its wrapper."""


def uncompiled(module: nn.Module) -> nn.Module:
    """Return what torch.compile has wrapped, or the module."""
    inner = getattr(module, WRAPPED, None) if type(module).__name__ == "OptimizedModule" else None
    return inner if isinstance(inner, nn.Module) else module


def uncompiled_name(name: str) -> str:
    """Return the name of a module or parameter in a model of which nothing is compiled.

    Examples
    --------
    >>> uncompiled_name("_orig_mod.up.0._orig_mod.weight")
    'up.0.weight'
    """
    return ".".join(part for part in name.split(".") if part != WRAPPED)


def named(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield all modules, by the names that they have where nothing is compiled: what is wrapped, not the wrapper."""
    for name, part in model.named_modules():
        if uncompiled(part) is part:
            yield uncompiled_name(name) if WRAPPED in name else name, part


def within(model: nn.Module, path: str) -> nn.Module:
    """Return a module by its name among those that are `named`."""
    part = uncompiled(model)
    for name in path.split(".") if path else ():
        part = uncompiled(part.get_submodule(name))
    return part
