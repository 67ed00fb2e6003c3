"""The registry of wrong layers: what a check must catch, each a few lines, open for everyone to add.

A mutant is a way to compute a layer wrongly, from the layer's own parameters: ``wrong(x, p)`` gets a tensor and
what has the layer's fields, its arrays as tensors. It is made anew for every layer that `like` draws.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from fractions import Fraction
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import as_choice, as_integer, complaint, did_you_mean
from dspref.chain import Chain

Like: TypeAlias = Callable[[np.random.Generator], Any]
"""Draws the layer that a mutant should be."""

W = TypeVar("W", bound=Callable[..., Any])

DIRECTIONS = ("forward", "backward", "streaming")

FAULTS = (
    "kernel flipped",
    "phases swapped",
    "DCR against CRD channel order",
    "padding off by one",
    "output_padding implemented as input padding",
    "output_padding ≥ stride with dilation",
    "groups' channels mixed",
    "whole bias given to each group",
    "groups and dilation swapped",
    "dilation ignored in the length",
    "stride and dilation offsets",
    "stride > kernel extent with the gap filled",
    "taps beyond 16 dropped",
    "channels beyond 64 dropped",
    "last sample wrong for lengths > 32",
    "relative error 3e-7",
    "one edge sample off by 1e-6",
    "nearest-exact by the plain formula",
    "index by float product",
    "align_corners mixed up",
    "scale 120/88 giving 119 samples",
    "bias dropped",
    "bias doubled",
    "half accumulate",
    "TF32 where fp32 was promised",
    "stateless causal chunks",
    "mutated in place",
    "non-determinism",
    "odd stride losing samples in a stack",
)
"""Faults that were reported of real layers: each has its mutants, in every operator it can occur in."""


@dataclass(frozen=True)
class Mutant:
    """A wrong layer: how it computes, and which layer it should be.

    Attributes
    ----------
    operator, title : str
        What it should do, and what it does wrong: together its name.
    wrong : function (x, p) of a tensor (batch, channel, time) and the parameters
        Its output. A streaming one gets a chunk, or None at the end of the signal, and has a memory.
    like : function of a NumPy generator
        Draws the layer that it should be, weights included.
    fault : str
        The reported fault that it re-creates, one of `FAULTS`, or its title.
    direction : {'forward', 'backward', 'streaming'}
        A backward mutant has a right output and wrong gradients.

    Raises
    ------
    ValueError
        If the fault or direction is not one of the lists.
    """

    operator: str
    title: str
    wrong: Callable[..., Any]
    like: Like
    _: KW_ONLY
    fault: str
    direction: str = "forward"

    @property
    def name(self) -> str:
        """Operator, direction (if not forward) and title."""
        where = "" if self.direction == "forward" else f" {self.direction}"
        return f"{self.operator}{where}: {self.title}"

    def layer(self, seed: int) -> Any:
        """Return the layer that it should be; every seed draws other weights."""
        return self.like(np.random.default_rng([as_integer("seed", seed, 0), crc32(self.name.encode())]))

    def make(self, layer: Any) -> Any:
        """Return the wrong layer that should be `layer`: a module, or a maker of streams."""
        if self.direction == "streaming":
            shared: dict[str, Any] = {}
            return lambda: FaultyStream(layer, self.wrong, shared)
        return Faulty(layer, self.wrong)


class Parametrised(nn.Module):
    """What a wrong layer computes from: the fields of a layer, its arrays as parameters; stages for a chain."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        if isinstance(layer, Chain):
            self.stages = nn.ModuleList(Parametrised(stage) for stage in layer.stages)
            return
        self.op = layer.op
        for name, value in _as_resizing(layer).items():
            setattr(self, name, value)
        for field in fields(layer):
            value = getattr(layer, field.name)
            if isinstance(value, np.ndarray):
                value = nn.Parameter(torch.from_numpy(value.copy()))
            setattr(self, field.name, value)


def _as_resizing(layer: Any) -> dict[str, Any]:
    """Return what makes an interpolation by an integer an interpolation by any scale."""
    if layer.op not in ("nearest", "linear"):
        return {}
    plain = {"size": None, "recompute_scale_factor": False, "align_corners": False}
    return plain | {"mode": layer.op, "scale_factor": Fraction(layer.factor)}


class Faulty(Parametrised):
    """A wrong layer as a module: ``wrong(x, self)``, with a memory of its own that a fault may use."""

    def __init__(self, layer: Any, wrong: Callable[[Any, Any], Tensor]) -> None:
        super().__init__(layer)
        self.wrong = wrong
        self.memory: dict[str, Any] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Return the wrong output for a signal (batch, channel, time)."""
        return self.wrong(x, self)


class FaultyStream(Faulty):
    """A wrong stream: ``wrong(chunk, self)``, and ``wrong(None, self)`` at the end of the signal."""

    def __init__(self, layer: Any, wrong: Callable[[Tensor | None, Any], Tensor], shared: dict[str, Any]) -> None:
        super().__init__(layer, wrong)
        self.shared = shared
        self.kept: dict[str, Any] = {}

    def flush(self) -> Tensor:
        """Return the rest of the output; the next chunk begins a new signal."""
        rest = self.wrong(None, self)
        self.reset()
        return rest

    def reset(self) -> None:
        """Forget the signal."""
        self.memory.clear()


_REGISTRY: dict[str, Mutant] = {}


def mutant(
    title: str, likes: Mapping[str, Like] | None = None, *, fault: str = "", direction: str = "forward", **more: Like
) -> Callable[[W], W]:
    """Return a decorator that registers a wrong computation for one or several operators.

    Parameters
    ----------
    title : str
        What it does wrong.
    likes, **more : function of a NumPy generator
        For each operator by name, what draws the layer that it should be.
    fault : str, optional
        The reported fault that it re-creates; by default the title.
    direction : {'forward', 'backward', 'streaming'}

    Raises
    ------
    ValueError
        If the name is taken, no operator is named, or the direction is unknown.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> from torchparity import check
    >>> from torchparity.mutants import find, mutant, removed
    >>> @mutant("first tap lost", convt=lambda rng: TransposedConv(rng.standard_normal((2, 1, 4)), stride=2))
    ... def first_tap_lost(x, p):
    ...     return torch.nn.functional.conv_transpose1d(x[:, 1:], p.weight[1:], stride=p.stride)
    >>> mine = find("convt: first tap lost")
    >>> layer = mine.layer(seed=0)
    >>> check(mine.make(layer), like=layer).status
    'wrong'
    >>> removed("convt: first tap lost")
    """
    as_choice("direction", direction, DIRECTIONS)
    wanted = {**(likes or {}), **more}
    if not wanted:
        hint = "as convt=lambda rng: TransposedConv(…)"
        raise ValueError(complaint("operators of a mutant", "none", "at least one, with what draws its layer", hint))

    def decorate(wrong: W) -> W:
        for operator, like in wanted.items():
            name = operator.replace("_", "-")
            register(Mutant(name, title, wrong, like, fault=fault or title, direction=direction))
        return wrong

    return decorate


def register(new: Mutant) -> None:
    """Add a mutant to the registry, if its name is free."""
    if new.name in _REGISTRY:
        raise ValueError(complaint("name of a mutant", repr(new.name), "a name that is not taken"))
    _REGISTRY[new.name] = new


def removed(name: str) -> None:
    """Take a mutant out of the registry."""
    del _REGISTRY[find(name).name]


def find(name: str) -> Mutant:
    """Return the mutant of that name."""
    if name not in _REGISTRY:
        raise ValueError(complaint("mutant", repr(name), "a registered one", did_you_mean(name, _REGISTRY)))
    return _REGISTRY[name]


def registered(directions: Iterable[str] = DIRECTIONS) -> tuple[Mutant, ...]:
    """Return the mutants, in the order of registration."""
    wanted = tuple(directions)
    return tuple(m for m in copy.copy(_REGISTRY).values() if m.direction in wanted)
