"""A module's own forward, run on shapes alone, and what it does to its signals, call by call.

Signals are on the meta device, so that nothing is computed but what weights need (weight norm, taps). A call moves
samples, which is done to their numbers too (`torchparity.movements`); or maps single samples, which is done to a
grid of values until it shows which map it is (`torchparity.mapnames`); or it is a layer, a sum or a gate, and has a
rule (`torchparity.rules`); or it is not covered, and so is nothing behind it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from dspref.arrays import NotAnalysable, complaint
from torchparity.copies import Guarded
from torchparity.readings import Reader, Value
from torchparity.writes import memory, written

Made: TypeAlias = Sequence[Value] | None
"""What a call makes: a value for each result; None if it is not covered."""

Rule: TypeAlias = "Callable[[Call], Made]"


_aten = torch.ops.aten
ALIKE = frozenset(
    (
        *(_aten.add.Tensor, _aten.sub.Tensor),
        *(getattr(_aten, name).default for name in ("leaky_relu", "relu", "gelu", "elu", "tanh", "sigmoid", "silu")),
    )
)
"""Calls that give a signal of the same shape on the meta device, where Torch's own way loads its compiler: a second."""


PATCHED = "written into in part"
"""Stands among the parameters that numbers are made of, if they are no draw throughout: it is the name of none."""

ZEROS = frozenset(("zeros", "zeros_like", "new_zeros", "zero"))
"""Calls that make zeros."""


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
    guarded : Guarded
        What must not be written into.

    Attributes
    ----------
    reader : Reader
    values : dict of Value by id of a tensor
    peeked : bool
        Whether the module has asked for values of its signals.

    Notes
    -----
    What is no signal is known by its memory, which all views of it share: of which parameters it is made, how (equal
    numbers, if made alike), and whether it is zero. Whatever is written through one view is so in all of them.
    """

    def __init__(
        self,
        module: nn.Module,
        rules: Mapping[str, Rule],
        opaque: Mapping[str, str],
        closed: Mapping[type[nn.Module], str],
        still: frozenset[str],
        guarded: Guarded,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.module, self.rules, self.opaque, self.closed, self.still = module, rules, opaque, closed, still
        self.reader = Reader(self.called)
        self.values: dict[int, Value] = {}
        self._made_of: dict[int, frozenset[str]] = {}
        self._recipes: dict[int, int] = {}
        self._zeros: set[int] = set()
        for name, p in module.named_parameters():
            self._made_of[memory(p)] = self._made_of.get(memory(p), frozenset()) | {name}
            self._recipes.setdefault(memory(p), hash(name))
        self.within: list[tuple[str, nn.Module]] = [("", module)]
        self.peeked = False
        self._closed: nn.Module | None = None
        self._kept: dict[int, dict[int, Tensor]] = {}  # by memory; what is gone would leave its id to another
        self._stained: set[int] = set()
        self._draws = itertools.count()
        self._kernels: set[int] = set()
        self._guarded = guarded

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
        self._kept.setdefault(memory(x), {})[id(x)] = x
        if value is not None:
            self.values[id(x)] = value

    def signal(self, x: Tensor) -> Value | None:
        """Return what a signal is, also if it has come to be one by what was written into its memory."""
        home = memory(x)
        written_into = home in self._stained or any(i in self.values for i in self._kept.get(home, ()))
        if id(x) not in self.values and written_into:
            self.keep(x, self.reader.unknown("a tensor written into", [], x.shape, name="written"))
        return self.values.get(id(x))

    def made_of(self, x: Tensor) -> frozenset[str]:
        """Return the parameters that a tensor which is no signal is made of."""
        return self._made_of.get(memory(x), frozenset())

    def is_drawn(self, x: Tensor) -> bool:
        """Return whether a tensor is made of parameters throughout."""
        return bool(self.made_of(x)) and PATCHED not in self.made_of(x)

    def recipe(self, x: Tensor) -> int:
        """Return a number for how a tensor is made: that of its memory, and which part of it this is."""
        home = memory(x)
        if home not in self._recipes:
            self.keep(x)
            self._recipes[home] = home
        return hash((self._recipes[home], x.storage_offset(), tuple(x.shape), x.stride(), x.dtype))

    def zero(self, x: Tensor) -> bool:
        """Return whether a tensor is zero, and no signal."""
        return id(x) not in self.values and memory(x) in self._zeros

    def drawn(self, x: Tensor) -> None:
        """Remember that these are a kernel's weights: they are looked at when the forward is over."""
        self.keep(x)
        self._kernels.add(memory(x))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that nothing here need be kept from torch.compile: Torch's own way of doing so costs a second."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Follow one call."""
        kwargs = kwargs or {}
        if self._closed is not None:
            return _run(func, args, kwargs)
        tensors = _tensors((args, kwargs))
        writes = written(func, args, kwargs)
        self._guarded.check(writes)
        for t in tensors:
            self.signal(t)
        name = func._schema.name.removeprefix("aten::")
        if not any(id(t) in self.values for t in tensors) or name.startswith("new_") or name.endswith("_like"):
            return self._constant(func, name, args, kwargs)
        rule = self.rules.get(name.rstrip("_")) or (self.rules[""] if torch.Tag.pointwise in func.tags else None)
        if rule is None and name not in self.opaque and _composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        self._unused(writes)
        out = _run(func, args, kwargs)
        self.peeked |= not isinstance(out, (Tensor, tuple, list))
        self._follow(Call(self, func, name, args, kwargs, out), rule)
        return out

    def _unused(self, writes: Sequence[Tensor]) -> None:
        """Refuse to write into weights behind the layer that they have served in: its law is read off them."""
        if any(memory(t) in self._kernels for t in writes):
            got = "weights that are written into behind their layer"
            raise NotAnalysable(complaint(f"module {self.where.rstrip('.')!r}", got, "weights that stay as they are"))

    def _constant(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Compute what does not depend on the signal, and remember of which parameters it is made, and how."""
        shaped = name.startswith("new_") or name.endswith("_like")  # takes no values
        given = [] if shaped else _tensors((args, kwargs))
        made = frozenset[str]().union(*map(self.made_of, given))
        recipe = self._how(func, shaped, args, kwargs)
        into = written(func, args, kwargs)
        writes = {memory(t) for t in into}
        nothing = name.rstrip("_") in ZEROS or (
            given and self._still(name, args, kwargs) and all(map(self.zero, given))
        )
        self._unused(into)
        out = _run(func, args, kwargs)
        for i, t in enumerate(_tensors(out)):
            home = memory(t)
            new = home not in self._recipes and all(home != memory(x) for x in given)
            self.keep(t)
            if new or home in writes:
                self._made_of[home] = self.made_of(t) | made
                if home in writes and self._made_of[home] and not all(map(_all_of_it, into)):
                    self._made_of[home] |= {PATCHED}
                self._recipes[home] = hash((self._recipes.get(home), recipe, i))
            if new and nothing:
                self._zeros.add(home)
        if not nothing:
            self._zeros -= writes
        return out

    def _still(self, name: str, args: Any, kwargs: Any) -> bool:
        """Return whether a call of zeros makes zeros."""
        filled = name.endswith("pad") or name == "constant_pad_nd"
        return name.rstrip("_") in self.still and not (filled and any(tree_leaves((args[2:], kwargs))))

    def _how(self, func: Any, shaped: bool, args: Any, kwargs: Any) -> int:
        """Return a number for a call: equal, if it is the same again."""
        if torch.Tag.nondeterministic_seeded in func.tags:
            return next(self._draws)
        leaves = tree_leaves((args, kwargs))
        told = [repr(v) if not isinstance(v, Tensor) else v.shape if shaped else self.recipe(v) for v in leaves]
        return hash((str(func), *told))

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
        home = memory(x)
        others = [i for i in self._kept.get(home, ()) if i != id(x)]
        for i in others:
            self.values.pop(i, None)
        self._zeros.discard(home)
        if others or id(x) not in self.values:
            self._stained.add(home)


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
        return written(self.func, self.args, self.kwargs)

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


def _all_of_it(x: Tensor) -> bool:
    return x.numel() * x.element_size() == x.untyped_storage().nbytes()


def _composite(func: Any) -> bool:
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"))


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    """Call on the meta device, if one of the tensors is there."""
    if len({t.is_meta for t in _tensors((args, kwargs))}) > 1:
        args, kwargs = tree_map(lambda t: t.to("meta") if isinstance(t, Tensor) else t, (args, kwargs))
    if any(t.is_meta for t in _tensors((args, kwargs))) and kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": torch.device("meta")}
    tensors = _tensors((args, kwargs))
    if func in ALIKE and tensors[0].is_meta and len({(t.shape, t.dtype) for t in tensors}) == 1:
        return torch.empty_like(tensors[0])
    return func(*args, **kwargs)
