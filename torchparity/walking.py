"""Which way a forward goes: the names of its calls, one by one, and nothing of its tensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
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


class _Draws(_Walker):
    """Writes down the calls that take numbers from Torch's generator, and no others."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do one call, and look at the generator behind it."""
        before = torch.default_generator.get_state()
        y = func(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunction():
            if not torch.equal(before, torch.default_generator.get_state()):
                self.steps.append(f"{called(func)} in {self.within[-1] or 'its forward'}")
        return y

    def entered(self, part: nn.Module, args: Any) -> None:
        """Say which module is at work."""
        self.within.append(self.names.get(id(part), self.within[-1]))


def draws(module: nn.Module, x: Tensor) -> Way:
    """Return the calls of a module that draw random numbers, as "randn_like in its forward".

    Examples
    --------
    >>> draws(nn.Sequential(nn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.5)), torch.zeros(1, 1, 4))
    ('dropout in 0', 'dropout in 2')
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad(), _watched(_Draws(module)) as steps:
        module(x)
    return tuple(dict.fromkeys(steps))


@contextmanager
def walking(module: nn.Module) -> Iterator[list[str]]:
    """Give a list that fills with the calls of a module.

    Examples
    --------
    >>> with walking(nn.Sequential(nn.Conv1d(1, 1, 1))) as steps:
    ...     y = torch.zeros(1).relu()
    >>> steps
    ['zeros in its forward', 'relu in its forward']
    """
    with _watched(_Walker(module)) as steps:
        yield steps


@contextmanager
def _watched(walker: _Walker) -> Iterator[list[str]]:
    hooks = torch.nn.modules.module
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
