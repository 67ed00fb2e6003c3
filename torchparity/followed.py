"""One run of any module, call by call: which tensor was made of which, and in which submodule.

A `TorchFunctionMode` sees calls of Torch's functions and of tensors' methods; hooks say where they are made. What runs
out of sight (scripted modules, functions with a backward of their own) is one call of the module that it runs in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves, tree_map

INPUT = "input"
"""Name of the call that makes the input."""

UNSEEN = "unseen"
"""Name of a call that stands for what ran out of sight."""

DATA = frozenset(("from_numpy", "from_dlpack", "frombuffer", "asarray", "as_tensor", "tensor"))
"""Calls that bring numbers from elsewhere: out of sight, they may have been made of a signal."""

SHAPED = ("new_", "_like")
"""Calls whose names begin or end so take no values of a tensor, only its shape."""


@dataclass(frozen=True)
class Node:
    """A tensor: the number of the call that made it, and its shape."""

    call: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """A call.

    Attributes
    ----------
    func : str
        As "conv_transpose1d", "view", "__setitem__".
    where, kind : str
        Path of the submodule at work, and its type.
    module : nn.Module
        That submodule.
    takes, gives : tuple of int
        Numbers of nodes.
    args, kwargs : tuple, mapping
        With shapes in place of tensors.
    """

    func: str
    where: str
    kind: str
    module: nn.Module
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None

    def given(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or name."""
        return self.args[place] if len(self.args) > place else (self.kwargs or {}).get(name, default)


@dataclass(frozen=True)
class Record:
    """All calls of one run, all tensors, and the node of the output."""

    calls: tuple[Call, ...]
    nodes: tuple[Node, ...]
    output: int | None


def follow(module: nn.Module, args: tuple[Any, ...], output_of: Callable[[Any], Any]) -> tuple[Record, Any]:
    """Run a module, and return what it called, and the output that was picked.

    Parameters
    ----------
    module : nn.Module
    args : tuple
        Arguments of its forward; tensors in it are the input.
    output_of : function
        Picks one tensor of what the module returns.

    Examples
    --------
    >>> record, y = follow(nn.Sequential(nn.Conv1d(1, 1, 3), nn.ReLU()), (torch.zeros(1, 1, 9),), lambda y: y)
    >>> [call.func for call in record.calls], record.nodes[record.output].shape
    (['input', 'conv1d', 'relu'], (1, 1, 7))
    """
    follower = _Follower(module)
    follower.started(args)
    with follower.watching(), torch.no_grad(), follower:
        y = output_of(module(*args))
    node = follower.node_of.get(id(y)) if isinstance(y, Tensor) else None
    return Record(tuple(follower.calls), tuple(follower.nodes), node), y


class _Follower(TorchFunctionMode):
    """What is known while a module runs; tensors are kept, so that no other gets their id."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.calls: list[Call] = []
        self.nodes: list[Node] = []
        self.node_of: dict[int, int] = {}
        self._names = {id(part): name for name, part in module.named_modules()}
        self._within: list[tuple[nn.Module, tuple[Any, ...]]] = [(module, ())]
        self._kept: dict[int, Tensor] = {id(t): t for t in (*module.parameters(), *module.buffers())}
        self._memory: dict[int, dict[int, Tensor]] = {}  # in the order in which they came, as runs are compared

    def started(self, args: tuple[Any, ...]) -> None:
        """Say that these tensors are the input."""
        self._within[0] = (self.module, args)
        self._called(INPUT, (), _tensors(args), (), {})

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Know which module is at work; scripted ones too."""
        hooks = torch.nn.modules.module
        handles = [
            hooks.register_module_forward_pre_hook(self._enter),
            hooks.register_module_forward_hook(self._leave, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, part: nn.Module, args: Any) -> None:
        self._seen(_tensors(args))
        self._within.append((part, args))

    def _leave(self, part: nn.Module, args: Any, output: Any) -> None:
        new = [t for t in _tensors(output) if id(t) not in self._kept]
        if new:
            self._called(UNSEEN, self._known(_tensors(args)), new, (), {})
        if len(self._within) > 1:
            self._within.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Follow one call."""
        kwargs = kwargs or {}
        given = _tensors((args, kwargs))
        self._seen(given)
        out = func(*args, **kwargs)
        name = called(func)
        made = _tensors(out)
        if name in DATA and not given:
            self._seen(made)
        into = _tensors(args[:1]) or given[:1] if _writes(name) else _tensors(kwargs.get("out"))
        made = [*made, *(each for t in into for each in self._alias(t))]
        shaped = name.startswith(SHAPED[0]) or name.endswith(SHAPED[1])
        takes = () if shaped else self._known(given)
        if made and (takes or shaped):
            self._called(name, takes, made, args, kwargs)
        for t in made:
            self._keep(t)
        return out

    def _seen(self, tensors: list[Tensor]) -> None:
        """Whatever comes from nowhere was made out of sight, in the module at work, of what it was given."""
        new = [t for t in tensors if id(t) not in self._kept]
        if new:
            self._called(UNSEEN, self._known(_tensors(self._within[-1][1])), new, (), {})

    def _called(self, name: str, takes: tuple[int, ...], made: list[Tensor], args: Any, kwargs: Any) -> None:
        part = self._within[-1][0]
        gives = []
        for t in {id(t): t for t in made}.values():
            gives.append(len(self.nodes))
            self.nodes.append(Node(len(self.calls), tuple(t.shape)))
            self.node_of[id(t)] = gives[-1]
            self._keep(t)
        named = (self._names.get(id(each)) for each, _ in reversed(self._within))  # a layer may make others
        where, kind = next(name for name in named if name is not None), type(part).__name__
        args, kwargs = tree_map(lambda v: tuple(v.shape) if isinstance(v, Tensor) else v, (tuple(args), dict(kwargs)))
        self.calls.append(Call(name, where, kind, part, takes, tuple(gives), args, kwargs))

    def _keep(self, t: Tensor) -> None:
        self._kept[id(t)] = t
        if t.layout == torch.strided:
            self._memory.setdefault(_memory(t), {})[id(t)] = t

    def _alias(self, t: Tensor) -> list[Tensor]:
        """Return all tensors that share memory with one that is written into."""
        self._keep(t)
        return list(self._memory.get(_memory(t), {id(t): t}).values())

    def _known(self, tensors: list[Tensor]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self.node_of[id(t)] for t in tensors if id(t) in self.node_of))


def called(func: Any) -> str:
    """Return the name of a function, method or property of Torch."""
    name = getattr(func, "__name__", None) or str(func)
    return name if name != "__get__" else (resolve_name(func) or name).split(".")[-2]


def _memory(t: Tensor) -> int:
    """Return where a tensor's numbers are; on the meta device, where there are none, a number of its views alone."""
    storage = t.untyped_storage()
    return storage.data_ptr() or int(storage._cdata)


def _writes(name: str) -> bool:
    """Whether a call writes into its first argument."""
    return (
        name == "__setitem__"
        or (name.startswith("__i") and name.endswith("__") and name not in READS)
        or (name.endswith("_") and not name.endswith("__"))
    )


READS = frozenset(("__invert__", "__int__", "__index__", "__iter__"))
"""Methods whose names begin as those do that write."""


def _tensors(tree: Any) -> list[Tensor]:
    """Return the tensors in arguments or results, of dataclasses and mappings too."""
    if hasattr(tree, "__dict__") and not isinstance(tree, (Tensor, nn.Module, type)):
        tree = dict(vars(tree))
    return [t for t in tree_leaves(tree) if isinstance(t, Tensor)]
