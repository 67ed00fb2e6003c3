"""Which way a forward goes: the names of its calls, one by one, and nothing of its tensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from torchparity.followed import called

Way: TypeAlias = tuple[str, ...]
"""Calls in their order, as "conv1d in up.0"; of a module that runs out of sight, its path."""


class _Walker(TorchFunctionMode):
    """Writes down every call of a function or method, and the module that makes it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.names = {id(part): name for name, part in module.named_modules()}
        self.within = [""]
        self.steps: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Write down one call."""
        self.steps.append(f"{called(func)} in {self.within[-1] or 'its forward'}")
        return func(*args, **(kwargs or {}))

    def entered(self, part: nn.Module, args: Any) -> None:
        """Write down that a module begins; hooks of Torch want this form."""
        self.within.append(self.names.get(id(part), self.within[-1]))
        self.steps.append(self.within[-1])

    def left(self, part: nn.Module, args: Any, output: Any) -> None:
        """Write nothing down: the module around it goes on."""
        if len(self.within) > 1:
            self.within.pop()


@contextmanager
def walking(module: nn.Module) -> Iterator[list[str]]:
    """Give a list that fills with the calls of a module.

    Examples
    --------
    >>> with walking(nn.Sequential(nn.Conv1d(1, 1, 1))) as steps:
    ...     y = torch.relu(torch.zeros(1))
    >>> steps
    ['relu in its forward']
    """
    walker, hooks = _Walker(module), torch.nn.modules.module
    handles = [
        hooks.register_module_forward_pre_hook(walker.entered),
        hooks.register_module_forward_hook(walker.left, always_call=True),
    ]
    try:
        with walker:
            yield walker.steps
    finally:
        for handle in handles:
            handle.remove()
