"""A run of a model before it is changed, on a copy: what its layers are fed, what reads their sizes, all lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from dspref.arrays import NotAnalysable, complaint
from torchparity.adapt import LAYOUTS
from torchparity.copies import Copies, dice_kept
from torchparity.followed import Record, follow
from torchparity.nn.sites import ALONE, INTERPOLATIONS
from torchparity.outputs import leaves

LENGTH = 32
"""Samples or frames on which a forward is tried, if no input is given."""

SIZES = frozenset(
    ("kernel_size", "stride", "padding", "output_padding", "dilation", "scale_factor", "upscale_factor", "geometry")
)
"""What a forward reads that crops by itself."""

WATCHED = (*ALONE, *INTERPOLATIONS, nn.Conv1d)

Shapes = dict[str, list[tuple[int, ...]]]
"""Of all results of each module, by its name."""


@dataclass(frozen=True)
class Rehearsal:
    """What a run shows.

    Attributes
    ----------
    args : tuple
        Arguments of the forward.
    record : Record
    shapes : mapping
    read : mapping of str to set of str
        Sizes of a layer that other code reads, and "output_size" if it is called with one.
    """

    args: tuple[Any, ...]
    record: Record
    shapes: Shapes
    read: Mapping[str, set[str]] = field(default_factory=dict)


def rehearsed(model: nn.Module, inputs: Any) -> Rehearsal | None:
    """Return what a run of a copy shows; None if no input is given and none can be guessed.

    Parameters
    ----------
    model : nn.Module
    inputs : tensor, tuple of arguments, or function of a length, optional

    Raises
    ------
    NotAnalysable
        If the forward does not run on the inputs that are given.
    """
    errors = []
    for args in _arguments(model, inputs):
        try:
            return _run(model, args)
        except Exception as error:  # whatever a stranger's forward raises
            errors.append(error)
    if inputs is None:
        return None
    got = f"{type(errors[0]).__name__}: {' '.join(str(errors[0]).split())[:200]}"
    raise NotAnalysable(complaint("forward", got, "inputs that the model takes")) from errors[0]


def again(model: nn.Module, args: tuple[Any, ...], change: Callable[[nn.Module], None]) -> Shapes:
    """Return the shapes that a changed copy of a model makes.

    Raises
    ------
    ValueError
        If it does not run.
    """
    try:
        return _run(model, args, change).shapes
    except Exception as error:
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        hint = "something in it relies on the layer that was there"
        raise ValueError(complaint("model with new layers", got, "a forward that runs as before", hint)) from error


def _arguments(model: nn.Module, inputs: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments that are given; else zeros in each layout that is in use, if the channels are known."""
    if inputs is not None:
        given = inputs(LENGTH) if callable(inputs) else inputs
        yield tuple(given) if isinstance(given, (tuple, list)) else (given,)
        return
    channels = next((c for m in model.modules() if isinstance(c := getattr(m, "in_channels", None), int)), None)
    like = next((p for p in model.parameters() if p.is_floating_point()), None)
    if channels is not None and like is not None:
        x = torch.zeros(1, channels, LENGTH, dtype=like.dtype, device=like.device)
        yield from ((layout(x),) for layout in LAYOUTS.values())


def _run(model: nn.Module, args: tuple[Any, ...], change: Callable[[nn.Module], None] | None = None) -> Rehearsal:
    read: dict[str, set[str]] = {}

    def run(copy: nn.Module, _: Any) -> Rehearsal:
        if change is not None:
            change(copy)
        else:
            for name, part in copy.named_modules():
                if isinstance(part, WATCHED) and not isinstance(part, torch.jit.ScriptModule):
                    _watch(part, read.setdefault(name, set()))
        with _shapes(copy) as shapes:
            own = tree_map(lambda v: v.clone() if isinstance(v, Tensor) else v, args)
            record, _ = follow(copy, own, _longest)
        return Rehearsal(args, record, shapes, read)

    with dice_kept():
        found: Rehearsal = Copies(model).run(run)
        return found


def _longest(y: Any) -> Tensor:
    """Return the output with the most samples."""
    return max((t for _, t in leaves(y)), key=lambda t: t.shape[-1] if t.ndim else 0)


@contextmanager
def _shapes(model: nn.Module) -> Iterator[Shapes]:
    """Note the shapes of what every module returns."""
    found: Shapes = {name: [] for name, _ in model.named_modules()}
    names = {id(part): name for name, part in model.named_modules()}

    def note(part: nn.Module, args: Any, y: Any) -> None:
        if id(part) in names:
            found[names[id(part)]] += [tuple(t.shape) for _, t in leaves(y)]

    handle = nn.modules.module.register_module_forward_hook(note)
    try:
        yield found
    finally:
        handle.remove()


def _watch(part: nn.Module, read: set[str]) -> None:
    """Note which sizes of a layer others read while the model runs, by giving it a class of its own."""
    kind: Any = type(part)
    within = [False]

    class Watched(kind):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            if name in SIZES and not within[0]:
                read.add(name)
            return super().__getattribute__(name)

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            if isinstance(self, nn.ConvTranspose1d) and len(args) + len(kwargs) > 1:
                read.add("output_size")
            within[0] = True
            try:
                return super().__call__(*args, **kwargs)
            finally:
                within[0] = False

    Watched.__name__ = kind.__name__
    part.__class__ = Watched
