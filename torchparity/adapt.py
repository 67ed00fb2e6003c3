"""Strangers' modules as modules from (batch, channel, time) to (batch, channel, time).

What goes in is guessed from the module, in each layout that is in use, or given by examples. What comes out is
whatever real tensor grows with the input at the highest rate, in containers of any kind.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, as_choice, complaint
from torchparity.calls import own_channels, own_dtype
from torchparity.examples import LENGTHS, Arguments, Examples, examples
from torchparity.outputs import Answer, answered, leaves, names

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "BCT": lambda x: x,
    "BTC": lambda x: x.transpose(1, 2),
    "BT": lambda x: x[:, 0],
}
"""Ways to lay out a signal (batch, channel, time): as it is, channels last, and without channels."""

INPUTS_HINT = (
    "give examples of all arguments with --inputs PLACE:FUNCTION, a function example(length) that returns a tuple of "
    "them, or a dict by name, batch first"
)


@dataclass(frozen=True)
class Laid:
    """A signal as the one argument of a module, in a layout."""

    layout: str
    channels: int

    def __call__(self, x: Tensor) -> Arguments:
        """Return the arguments."""
        return (LAYOUTS[self.layout](x),), {}


class Adapted(nn.Module):
    """A stranger's module, fed with (batch, channel, time), answering with (batch, channel, time)."""

    def __init__(self, module: nn.Module, feed: Laid | Examples, answer: Answer) -> None:
        super().__init__()
        self.module, self.feed, self.answer = module, feed, answer
        self.in_channels = feed.channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the output that is looked at."""
        args, named = self.feed(x)
        return self.answer(self.module(*args, **named))


@dataclass(frozen=True)
class Adaptation:
    """How a module is called.

    Attributes
    ----------
    module : nn.Module
        From (batch, channel, time) to (batch, channel, time): the module itself, if it is of this kind.
    channels : int
        Of its input.
    length : int
        Input samples that it takes; it also takes twice as many.
    remarks : tuple of str
        What was chosen.
    """

    module: nn.Module
    channels: int
    length: int
    remarks: tuple[str, ...]


def adapt(
    module: nn.Module,
    *,
    channels: int | None = None,
    inputs: Callable[[int], Any] | None = None,
    layout: str | None = None,
    output: str | None = None,
) -> Adaptation:
    """Find out how a module is called, and which of its outputs is the signal.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode.
    channels : int, optional
        Of the input; if not given, as the first convolution asks for, or the first linear layer.
    inputs : function, optional
        Example arguments of a length, see `torchparity.examples`.
    layout : {'BCT', 'BTC', 'BT'}, optional
        Of the input: all are tried, if not given.
    output : str, optional
        Name of the output to look at: index, key or attribute, or several of them with dots between.

    Raises
    ------
    NotAnalysable
        If the module needs arguments that are not given, refuses the input, or if no output grows with the input, or
        several do at the highest rate.

    Examples
    --------
    >>> class Vocoder(nn.Module):
    ...     def forward(self, x):
    ...         return {"mel": x, "wave": x.mean(-1).repeat_interleave(4, -1)}
    >>> found = adapt(Vocoder(), layout="BTC", channels=3)
    >>> found.module(torch.zeros(1, 3, 8)).shape, found.remarks
    (torch.Size([1, 1, 32]), ('input laid out as (batch, time, channel)', "output 'wave' of mel, wave"))
    """
    if inputs is None:
        _check_signature(module)
        feeds: list[Laid | Examples] = list(_guesses(module, channels, layout))
    else:
        feeds = [examples(inputs)]
    feed, length, short, long = _first_taken(module, feeds)
    answer = answered(short, long, length, output)
    simple = isinstance(short, Tensor) and short.ndim == 3 and answer.axis == 2
    if simple and isinstance(feed, Laid) and feed.layout == "BCT":
        return Adaptation(module, feed.channels, length, ())
    return Adaptation(Adapted(module, feed, answer), feed.channels, length, _remarks(feed, answer, short))


@dataclass(frozen=True)
class Call:
    """How a module is called, where that cannot be guessed.

    Attributes
    ----------
    shape : (channels,), (channels, time) or (batch, channels, time)
        Of the input; guessed from the first convolution where not given.
    inputs : function or None
        Example arguments of a length, see `torchparity.examples`.
    layout : {'BCT', 'BTC', 'BT'} or None
        Of the input.
    output : str or None
        Name of the output to look at, as "waveform" or "0".
    """

    shape: tuple[int, ...] = ()
    inputs: Callable[[int], Any] | None = None
    layout: str | None = None
    output: str | None = None

    def __post_init__(self) -> None:
        if self.layout is not None:
            as_choice("layout", self.layout, LAYOUTS)
        if self.inputs is not None and (self.shape or self.layout):
            raise ValueError(complaint("inputs", "together with a shape or a layout", "examples alone: they have both"))

    @property
    def channels(self) -> int | None:
        """Channels of the input, if they are given."""
        return None if not self.shape else self.shape[0 if len(self.shape) < 3 else 1]

    @property
    def batch(self) -> int:
        """Size of the batch."""
        return self.shape[0] if len(self.shape) == 3 else 1

    @property
    def time(self) -> int | None:
        """Input samples, if they are given."""
        return self.shape[-1] if len(self.shape) > 1 else None

    def adapted(self, module: nn.Module) -> Adaptation:
        """Return the module as one from (batch, channel, time) to (batch, channel, time)."""
        return adapt(module, channels=self.channels, inputs=self.inputs, layout=self.layout, output=self.output)


WORDS = {"BCT": "(batch, channel, time)", "BTC": "(batch, time, channel)", "BT": "(batch, time)"}


def _remarks(feed: Laid | Examples, answer: Answer, y: Any) -> tuple[str, ...]:
    found = []
    if isinstance(feed, Examples):
        left = f"; as given: {', '.join(feed.left)}" if feed.left else ""
        held = f"; held at 0, for it grows at another rate: {', '.join(feed.held)}" if feed.held else ""
        found.append(f"inputs that carry the signal: {', '.join(feed.driven)}{held}{left}")
    elif feed.layout != "BCT":
        found.append(f"input laid out as {WORDS[feed.layout]}")
    if answer.path:
        found.append(f"output '{answer.name}' of {names(path for path, _ in leaves(y))}")
    return tuple(found)


def _parameters(module: nn.Module) -> tuple[inspect.Parameter, ...]:
    """Return the parameters of forward that must be given; none where nothing says."""
    try:
        known = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(p for p in known if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))


def _check_signature(module: nn.Module) -> None:
    """Refuse a module that needs more than one argument, and say which."""
    needed = [p.name for p in _parameters(module)]
    if len(needed) > 1:
        what = f"arguments of {type(module).__name__}.forward"
        raise NotAnalysable(complaint(what, f"{len(needed)}: {', '.join(needed)}", "one tensor", INPUTS_HINT))


def _guesses(module: nn.Module, channels: int | None, layout: str | None) -> Iterator[Laid]:
    linear = next((m.in_features for m in module.modules() if isinstance(m, nn.Linear)), None)
    widths = [channels] if channels is not None else [own_channels(module, 1), *([linear] if linear else [])]
    for way, width in product([layout] if layout else LAYOUTS, dict.fromkeys(widths)):
        if way != "BT" or width == 1:
            yield Laid(way, width)


def _first_taken(module: nn.Module, feeds: list[Laid | Examples]) -> tuple[Laid | Examples, int, Any, Any]:
    """Return the first way to feed a module that it takes at two lengths, the shorter one, and both answers."""
    errors: list[tuple[Laid | Examples, BaseException]] = []
    for N in LENGTHS:
        length = valid_length(module, N)
        for feed in feeds:
            try:
                return (
                    feed,
                    length,
                    _called(module, feed, length),
                    _called(module, feed, valid_length(module, 2 * length)),
                )
            except NotAnalysable:
                raise
            except (Exception, SystemExit) as error:  # whatever a stranger's forward raises
                errors.append((feed, error))
    feed, first = errors[0]
    at = f"(1, {feed.channels}, {LENGTHS[0]})" if isinstance(feed, Laid) else f"as the examples for {LENGTHS[0]}"
    got = f"{type(first).__name__}: {' '.join(str(first).split())[:200]}"
    hint = f"say another shape with --input CHANNELS or BATCH,CHANNELS,TIME; or {INPUTS_HINT}"
    what = f"input of shape {at}" if isinstance(feed, Laid) else f"input {at}"
    raise NotAnalysable(complaint(what, got, "an input that the module takes", hint)) from first


def _called(module: nn.Module, feed: Laid | Examples, length: int) -> Any:
    x = torch.randn(1, feed.channels, length, generator=torch.Generator().manual_seed(0))
    args, named = feed(x.to(getattr(torch, own_dtype(module))))
    with torch.no_grad():
        return module(*args, **named)


def valid_length(module: nn.Module, time: int) -> int:
    """Return the length that a module says it takes, if it says one (Demucs does)."""
    valid = getattr(getattr(module, "module", module), "valid_length", None)
    return int(valid(time)) if callable(valid) else time
