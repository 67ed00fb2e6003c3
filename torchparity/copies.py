"""Copies of a module whose forward may be run: whatever that does, the module itself is left as it is."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode

from dspref.arrays import NotAnalysable, complaint
from torchparity.compiled import uncompiled
from torchparity.nn import FilterConv1d, LinearConv1d, NearestConv1d
from torchparity.writes import memory, written


class WrittenInto(Exception):
    """A forward was about to write into parameters that are not its own."""


@dataclass(eq=False)
class Guarded:
    """Memory that must not be written into.

    Attributes
    ----------
    memories : frozenset of int
    met : bool
        Whether something was about to.
    """

    memories: frozenset[int] = frozenset()
    met: bool = False

    def check(self, tensors: Sequence[Tensor]) -> None:
        """Raise WrittenInto if one of the tensors is there."""
        if any(memory(t) in self.memories for t in tensors):
            self.met = True
            raise WrittenInto


class _Guarding(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, guarded: Guarded) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.guarded = guarded

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.guarded.check(written(func, args, kwargs or {}))
        return func(*args, **kwargs or {})


@dataclass(eq=False)
class Copies:
    """Makes copies in evaluation mode: a fresh one for each run, as a forward may change what it holds.

    They share the memory of parameters, until a forward is about to write there: from then on each has its own.
    Compiled modules are taken for what was compiled. Hooks are not called, but for Torch's own and methods of modules,
    which may make weights: others need not see what is run here.

    Attributes
    ----------
    module : nn.Module
    own : bool
        Whether copies have their own parameters.
    silent : dict of None by str
        Names of the modules whose hooks are not called.
    """

    module: nn.Module
    own: bool = False
    silent: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, p in self.module.named_parameters():
            if is_lazy(p):
                raise NotAnalysable(complaint(f"parameter {name}", "not initialised", "weights", "call it first"))

    def run(self, does: Callable[[nn.Module, Guarded], Any]) -> Any:
        """Return what is done to a copy; done again if that writes into shared parameters."""
        guarded = Guarded(frozenset() if self.own else frozenset(memory(p) for p in self.module.parameters()))
        try:
            return does(self._fresh(guarded), guarded)
        except Exception:
            if not guarded.met:
                raise
        self.own = True
        return self.run(does)

    def _fresh(self, guarded: Guarded) -> nn.Module:
        memo: dict[int, Any] = _parameters(self.module, own=self.own)
        for part in self.module.modules():
            for v in vars(part).values():
                if isinstance(v, Tensor) and not v.is_leaf:
                    memo[id(v)] = v.detach().clone()
        try:
            for part in self.module.modules():
                if (inner := uncompiled(part)) is not part:
                    memo[id(part)] = copy.deepcopy(inner, memo)
            found = copy.deepcopy(self.module, memo)
        except Exception as error:  # whatever a stranger's module holds
            raise NotAnalysable(complaint("module", f"no copy of it ({error})", "one that deepcopy copies")) from error
        self._silence(found)
        _taken_apart(found)
        with _Guarding(guarded):
            return found.eval()

    def _silence(self, module: nn.Module) -> None:
        for name, part in module.named_modules():
            if isinstance(part, torch.jit.ScriptModule):
                continue
            for hooks in (part._forward_hooks, part._forward_pre_hooks):
                for key in [key for key, hook in hooks.items() if not _known(hook)]:
                    del hooks[key]
                    self.silent[name or type(part).__name__] = None


def _taken_apart(module: nn.Module) -> None:
    """Have layers that are computed as one kernel run as the two that they equal, whose laws are known."""
    fused: list[Any] = [p for p in module.modules() if isinstance(p, (NearestConv1d, LinearConv1d, FilterConv1d))]
    for part in fused:
        part.form = "two layers"


@contextmanager
def dice_kept() -> Iterator[None]:
    """Leave the generators of Torch, NumPy and Python where they were."""
    numpy, python = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        np.random.set_state(numpy)  # noqa: NPY002
        random.setstate(python)


def _parameters(module: nn.Module, *, own: bool) -> dict[int, Any]:
    """Return other parameters by the ids of a module's; those that share memory still do."""
    memories: dict[int, torch.UntypedStorage] = {}
    found = {}
    for p in module.parameters():
        t = p.detach()
        if own:
            storage = memories.setdefault(memory(p), p.untyped_storage().clone())  # type: ignore[no-untyped-call]
            t = torch.empty(0, dtype=p.dtype, device=p.device)
            t.set_(storage, p.storage_offset(), p.shape, p.stride())
        with torch.inference_mode(p.is_inference()):
            found[id(p)] = torch.Tensor._make_subclass(type(p), t, p.requires_grad)
        found[id(p)].__dict__.update(vars(p))
    return found


def _known(hook: Any) -> bool:
    """Return whether a hook is Torch's own, or a method of a module."""
    kinds = (hook, *type(hook).__mro__)
    own = any(str(getattr(kind, "__module__", "")).startswith("torch.") for kind in kinds)
    return own or isinstance(getattr(hook, "__self__", None), nn.Module)
