"""A module's own forward, run on shapes alone, and what it does to its signals, call by call.

Signals are on the meta device, so that nothing is computed but what weights need (weight norm, taps). A call moves
samples, which is done to their numbers too (`torchparity.movements`); or maps single samples, which is done to a
grid of values until it shows which map it is (`torchparity.mapnames`); or it is a layer, a sum or a gate, and has a
rule (`torchparity.rules`); or it is not covered, and so is nothing behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from torchparity.readings import Reader, Value

Made: TypeAlias = Sequence[Value] | None
"""What a call makes: a value for each result; None if it is not covered."""

Rule: TypeAlias = "Callable[[Call], Made]"


class Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the calls of one forward.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode.
    rules : mapping of rules, by the names of calls; "" for maps of samples
    opaque : mapping of str to str
        Calls that are not looked into, as what they are made of would say less, and words for them.
    closed : mapping of types to str
        Modules that are not looked into.
    still : set of str
        Calls that only move or copy samples.

    Attributes
    ----------
    reader : Reader
    values : dict of Value by id of a tensor
    made_of : dict of frozenset of str
        The parameters that tensors which are no signals are made of.
    recipes : dict of int
        How they are made: equal, if made alike.
    zeros : set of int
        Those that are zero.
    peeked : bool
        Whether the module has asked for values of its signals.
    """

    def __init__(
        self,
        module: nn.Module,
        rules: Mapping[str, Rule],
        opaque: Mapping[str, str],
        closed: Mapping[type[nn.Module], str],
        still: frozenset[str],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.module, self.rules, self.opaque, self.closed, self.still = module, rules, opaque, closed, still
        self.reader = Reader(self.called)
        self.values: dict[int, Value] = {}
        self.made_of = {id(p): frozenset((name,)) for name, p in module.named_parameters()}
        self.recipes = {id(p): hash(name) for name, p in module.named_parameters()}
        self.zeros: set[int] = set()
        self.within: list[tuple[str, nn.Module]] = [("", module)]
        self.peeked = False
        self._closed: nn.Module | None = None
        self._kept: list[Tensor] = []  # a tensor that is gone would leave its id to another
        self._stained: set[int] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow all calls, and know which module makes them."""
        hooks = []
        for name, part in self.module.named_modules():
            if name and not isinstance(part, torch.jit.ScriptModule):
                hooks.append(part.register_forward_pre_hook(self._enter(name), prepend=True, with_kwargs=True))
                hooks.append(part.register_forward_hook(self._leave, always_call=True, with_kwargs=True))
        try:
            with torch.inference_mode(), self:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, name: str) -> Callable[..., None]:
        def enter(part: nn.Module, args: Any, kwargs: Any) -> None:
            self.within.append((name, part))
            if self._closed is None and isinstance(part, tuple(self.closed)):
                self._closed = part

        return enter

    def _leave(self, part: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if self._closed is part:
            self._closed = None
            given = [self.values[id(t)] for t in _tensors((args, kwargs)) if id(t) in self.values]
            what = next(word for kind, word in self.closed.items() if isinstance(part, kind))
            for t in _tensors(output) if given else []:
                self.keep(t, self.reader.unknown(what, given, t.shape))
        self.within.pop()

    @property
    def kind(self) -> str:
        """Type of the module at work, if it is one that only does this."""
        return "" if self.where[-1:] in ("", ".") else type(self.within[-1][1]).__name__

    @property
    def where(self) -> str:
        """Name of the module at work, with a point behind it if it may do several things."""
        path, part = self.within[-1]
        alone = not path or not any(name != "parametrizations" for name, _ in part.named_children())
        return path if alone else f"{path}."

    def called(self, what: str) -> str:
        """Return a name for a place: of the module at work, and what it does there, if that may be several things."""
        return f"{self.where}{what}" if self.where[-1:] in ("", ".") else self.where

    def start(self, x: Tensor) -> None:
        """Say that this tensor (1, channel, time) is what comes in."""
        place = self.reader.drafts.add("input", "sum", (), x.shape[-2], x.shape[-1])
        self.keep(x, Value(tuple(x.shape), place))

    def keep(self, x: Tensor, value: Value | None = None) -> None:
        """Remember a tensor, and what it is."""
        self._kept.append(x)
        if value is not None:
            self.values[id(x)] = value

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Follow one call."""
        kwargs = kwargs or {}
        if self._closed is not None:
            return _run(func, args, kwargs)
        tensors = _tensors((args, kwargs))
        for t in tensors:
            if id(t) not in self.values and _memory(t) in self._stained:
                self.keep(t, self.reader.unknown("a tensor written into", [], t.shape, name="written"))
        name = func._schema.name.removeprefix("aten::")
        if not any(id(t) in self.values for t in tensors) or name.startswith("new_") or name.endswith("_like"):
            return self._constant(func, name, args, kwargs)
        rule = self.rules.get(name.rstrip("_")) or (self.rules[""] if torch.Tag.pointwise in func.tags else None)
        if rule is None and name not in self.opaque and _composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        out = _run(func, args, kwargs)
        self.peeked |= not isinstance(out, (Tensor, tuple, list))
        self._follow(Call(self, func, name, args, kwargs, out), rule)
        return out

    def _constant(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Compute what does not depend on the signal, and remember of which parameters it is made."""
        given, zero = _tensors((args, kwargs)), frozenset(self.zeros)
        out = _run(func, args, kwargs)
        made = frozenset().union(*(self.made_of.get(id(t), frozenset()) for t in given))
        leaves = [
            self.recipes.get(id(v), id(v)) if isinstance(v, Tensor) else repr(v) for v in tree_leaves((args, kwargs))
        ]
        for i, t in enumerate(_tensors(out)):
            self.keep(t)
            self.made_of.setdefault(id(t), made)
            self.recipes.setdefault(id(t), hash((str(func), i, *leaves)) if leaves else id(t))
            self.zeros.discard(id(t))
            if "zeros" in name or (given and name in self.still and all(id(v) in zero for v in given)):
                self.zeros.add(id(t))
        return out

    def _follow(self, call: Call, rule: Rule | None) -> None:
        """Remember what the results of a call are."""
        results = _tensors(call.out)
        values = rule(call) if rule else None
        if values is None or [v.shape for v in values] != [tuple(t.shape) for t in results]:
            what = self.opaque.get(call.name, call.name.rstrip("_"))
            values = [self.reader.unknown(what, call.signals, t.shape, name=call.name.rstrip("_")) for t in results]
        for t in call.written:
            self._forget(t)
        for t, value in zip(results, values, strict=True):
            self.keep(t, value)

    def _forget(self, x: Tensor) -> None:
        """Forget what tensors are whose memory is written into through another one."""
        others = [t for t in self._kept if t is not x and _memory(t) == _memory(x)]
        for t in others:
            self.values.pop(id(t), None)
            self.zeros.discard(id(t))
        if others or id(x) not in self.values:
            self._stained.add(_memory(x))


class Call:
    """One call that takes signals."""

    def __init__(self, trace: Trace, func: Any, name: str, args: Any, kwargs: Any, out: Any) -> None:
        self.trace, self.func, self.name, self.out = trace, func, name, out
        self.args, self.kwargs, self.reader = args, kwargs, trace.reader

    def value(self, x: Any) -> Value | None:
        """Return what an argument is, None if it is no signal."""
        return self.trace.values.get(id(x)) if isinstance(x, Tensor) else None

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors among the arguments."""
        return _tensors((self.args, self.kwargs))

    @property
    def signals(self) -> list[Value]:
        """The signals among the arguments."""
        found = [self.value(t) for t in self.tensors]
        return [v for v in found if v is not None]

    @property
    def written(self) -> list[Tensor]:
        """The arguments that are written into."""
        schema = self.func._schema.arguments
        given = {**dict(zip([a.name for a in schema], self.args, strict=False)), **self.kwargs}
        return [t for a in schema if a.alias_info and a.alias_info.is_write for t in _tensors(given.get(a.name))]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the one result."""
        return tuple(self.out.shape)

    def given(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    def again(self, change: Callable[[Tensor], Any]) -> Any:
        """Return what the call makes of other tensors."""
        args, kwargs = tree_map(lambda t: change(t) if isinstance(t, Tensor) else t, (self.args, self.kwargs))
        return _run(self.func, args, kwargs)


def _tensors(tree: Any) -> list[Tensor]:
    return [t for t in tree_leaves(tree) if isinstance(t, Tensor)]


def _memory(x: Tensor) -> int:
    return int(x.untyped_storage()._cdata)


def _composite(func: Any) -> bool:
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"))


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    """Call on the meta device, if one of the tensors is there."""
    if len({t.is_meta for t in _tensors((args, kwargs))}) > 1:
        args, kwargs = tree_map(lambda t: t.to("meta") if isinstance(t, Tensor) else t, (args, kwargs))
    if any(t.is_meta for t in _tensors((args, kwargs))) and kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": torch.device("meta")}
    return func(*args, **kwargs)
