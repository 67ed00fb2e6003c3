"""Runs of a model before it is changed, on copies: what its layers are fed, what reads their sizes, all lengths.

There is one in evaluation mode and one in training mode, as code between two layers may run in one of them only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import RLock
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

MODES = (False, True)
"""Of training: in which a model is run."""

ONE_AT_A_TIME = RLock()
"""Who changes how classes look up attributes: threads would give each other's ways back."""

WATCHED = (*ALONE, *INTERPOLATIONS, nn.Conv1d)

Shapes = dict[str, list[tuple[int, ...]]]
"""Of all results of each module, by its name."""


@dataclass(frozen=True)
class Rehearsal:
    """What runs show, that in evaluation mode first; it is the only one if the model does not run in training mode.

    Attributes
    ----------
    args : tuple
        Arguments of the forward.
    records : tuple of Record
    shapes : tuple of mapping
    read : tuple of mapping of str to set of str
        Sizes of a layer that other code reads, and "output_size" if it is called with one.
    """

    args: tuple[Any, ...]
    records: tuple[Record, ...]
    shapes: tuple[Shapes, ...]
    read: tuple[Mapping[str, set[str]], ...] = ()

    @property
    def modes(self) -> tuple[bool, ...]:
        """Of training, or not."""
        return MODES[: len(self.records)]

    def sizes_read(self, names: Iterable[str]) -> set[str]:
        """Return which sizes of these modules other code reads, in any of the runs."""
        return {size for name in names for read in self.read for size in read.get(name, ())}


def rehearsed(model: nn.Module, inputs: Any) -> tuple[Rehearsal | None, str]:
    """Return what a run of a copy shows; or None and why, if no input is given and none can be guessed.

    Parameters
    ----------
    model : nn.Module
    inputs : tensor, tuple of arguments, or function of a length, optional

    Raises
    ------
    NotAnalysable
        If the forward does not run on the inputs that are given.
    """
    failed = []
    for args in _arguments(model, inputs):
        try:
            first = _run(model, args, training=False)
        except Exception as error:  # whatever a stranger's forward raises
            failed.append((args, error))
        else:
            return _and_in_training(model, first), ""
    if not failed:
        return None, "no layer with parameters tells the channels of its input"
    args, first_error = failed[0]
    got = _in_words(first_error)
    if inputs is None:
        return None, f"on a guess of its input, zeros {tuple(args[0].shape)}, it raised {got}"
    raise NotAnalysable(complaint("forward", got, "inputs that the model takes")) from first_error


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _and_in_training(model: nn.Module, first: Rehearsal) -> Rehearsal:
    """Add a run in training mode, for which some models want other arguments, or more signals."""
    try:
        then = _run(model, first.args, training=True)
    except Exception:  # whatever a stranger's forward raises: the report says that it was not run there
        return first
    records, shapes, read = first.records + then.records, first.shapes + then.shapes, first.read + then.read
    return Rehearsal(first.args, records, shapes, read)


def again(model: nn.Module, seen: Rehearsal, change: Callable[[nn.Module], None]) -> tuple[Shapes, ...]:
    """Return the shapes that changed copies of a model make, in the modes in which it ran.

    Raises
    ------
    ValueError
        If it does not run.
    """
    try:
        return tuple(_run(model, seen.args, change, training=mode).shapes[0] for mode in seen.modes)
    except Exception as error:
        hint = "something in it relies on the layer that was there, as on its type"
        raise ValueError(
            complaint("model with new layers", _in_words(error), "a forward that runs as before", hint)
        ) from error


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


def _run(
    model: nn.Module, args: tuple[Any, ...], change: Callable[[nn.Module], None] = lambda _: None, *, training: bool
) -> Rehearsal:
    """Run a copy, all its own, as training may write into parameters and buffers; no random number is used up."""

    def run(copy: nn.Module, _: Any) -> Rehearsal:
        change(copy)
        copy.train(training)
        own = tree_map(lambda v: v.clone() if isinstance(v, Tensor) else v, args)
        with _shapes(copy) as shapes, _sizes_read(copy) as read:
            record, _ = follow(copy, own, _longest)
        return Rehearsal(args, (record,), (shapes,), (read,))

    cards = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    with dice_kept(), torch.random.fork_rng(cards):
        found: Rehearsal = Copies(model, own=True).run(run)
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


@contextmanager
def _sizes_read(model: nn.Module) -> Iterator[Mapping[str, set[str]]]:
    """Note which sizes of a model's layers others read while it runs.

    The layers keep their classes, at which a forward may look: it is the classes that tell what is looked up.
    """
    names = {id(part): name for name, part in model.named_modules() if isinstance(part, WATCHED)}
    watched = [part for part in model.modules() if id(part) in names]
    read: dict[str, set[str]] = {name: set() for name in names.values()}
    within: set[int] = set()

    def enter(part: nn.Module, args: Any, kwargs: Any) -> None:
        within.add(id(part))
        if isinstance(part, nn.ConvTranspose1d) and len(args) + len(kwargs) > 1:
            read[names[id(part)]].add("output_size")

    def leave(part: nn.Module, args: Any, y: Any) -> None:
        within.discard(id(part))

    def note(part: Any, name: str) -> None:
        if name in SIZES and id(part) in names and id(part) not in within:
            read[names[id(part)]].add(name)

    with ExitStack() as stack:
        for part in watched:
            stack.enter_context(part.register_forward_pre_hook(enter, prepend=True, with_kwargs=True))
            stack.enter_context(part.register_forward_hook(leave, always_call=True))
        stack.enter_context(ONE_AT_A_TIME)
        for kind in dict.fromkeys(map(type, watched)):
            stack.enter_context(_telling(kind, note))
        yield read


@contextmanager
def _telling(kind: Any, note: Callable[[Any, str], None]) -> Iterator[None]:
    """Have a class tell what is looked up in its instances."""
    own, look_up = vars(kind).get("__getattribute__"), kind.__getattribute__

    def telling(self: Any, name: str) -> Any:
        note(self, name)
        return look_up(self, name)

    kind.__getattribute__ = telling
    try:
        yield
    finally:
        if own is None:
            del kind.__getattribute__
        else:
            kind.__getattribute__ = own
