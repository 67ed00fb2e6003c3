"""Running what others stream: afresh every time, chunk by chunk, with words for whatever comes back."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array, complaint
from torchparity.arithmetic import DTYPES, Arithmetic
from torchparity.calls import Misbehaved, Refused, call, numbers, private_copy

Make: TypeAlias = Callable[[], Any]


@dataclass(frozen=True)
class Take:
    """What a stream gave: for each chunk, and, if it has a flush, in the end.

    Attributes
    ----------
    sizes : tuple of int
        Samples of each chunk.
    parts : tuple of array (batch, channel, time)
        One for each chunk, and one more if it was flushed.
    """

    sizes: tuple[int, ...]
    parts: tuple[Array, ...]

    @property
    def flushed(self) -> bool:
        """Whether the last part came from a flush."""
        return len(self.parts) > len(self.sizes)

    @property
    def y(self) -> Array:
        """All that was given, in a row."""
        return np.concatenate(self.parts, axis=-1)

    @property
    def starts(self) -> list[int]:
        """Where each part begins, and last where they end."""
        return [0, *(int(n) for n in np.cumsum([part.shape[-1] for part in self.parts]))]

    def place(self, sample: int) -> str:
        """Return where a sample of the output lies among the chunks.

        Examples
        --------
        >>> parts = tuple(np.zeros((1, 1, n)) for n in (4, 6, 2))
        >>> Take((2, 3), parts).place(5), Take((2, 3), parts).place(10)
        ('chunk 1 (3 samples), 1 after its border', 'flush, 0 after its border')
        """
        part = int(np.searchsorted(self.starts, sample, side="right")) - 1
        past = f"{sample - self.starts[part]} after its border"
        return f"chunk {part} ({self.sizes[part]} samples), {past}" if part < len(self.sizes) else f"flush, {past}"


def maker(make: Any, dtype: str, device: str = "cpu") -> Make:
    """Return a function that gives a fresh stream: a copy of a module or an object, or what a factory makes.

    What can be called with no argument is a factory (a class, a function); all else is copied. A factory may draw its
    weights anew each time: all its modules get those of the first, and keep the state that they were made with.
    """
    if isinstance(make, nn.Module):
        base = private_copy(make, dtype, allowed=DTYPES).to(device)
        shared = list(base.parameters())  # the state is what changes
        return lambda: restarted(copy.deepcopy(base, {id(p): p for p in shared}))
    if not callable(make):
        raise TypeError(complaint("stream", type(make).__name__, "a module, an object to call, or a factory of one"))
    if not _is_factory(make):
        return lambda: restarted(copy.deepcopy(make))

    def made() -> Any:
        stream = make()
        if not callable(stream):
            raise TypeError(complaint("stream", f"{type(stream).__name__} from the factory", "something to call"))
        if not isinstance(stream, nn.Module):
            return stream
        weights.extend([] if weights else [p.detach().clone() for p in stream.parameters()])
        with torch.no_grad():
            for p, q in zip(stream.parameters(), weights, strict=True):
                p.copy_(q)
        return stream.eval().to(device, getattr(torch, dtype))

    weights: list[Tensor] = []
    return made


def _is_factory(make: Any) -> bool:
    try:
        inspect.signature(make).bind()
    except TypeError:
        if isinstance(make, type):
            hint = "write lambda: Kind(arguments)"
            raise TypeError(
                complaint("stream", f"class {make.__name__}, whose call needs arguments", "a factory", hint)
            ) from None
        return False
    except ValueError:  # builtins without a signature
        return isinstance(make, type)
    return True


def restarted(stream: Any) -> Any:
    """Return a stream whose state is that of the beginning, if it can say so."""
    if callable(getattr(stream, "reset", None)):
        stream.reset()
    return stream


def has_flush(stream: Any) -> bool:
    """Return whether a stream can say that its input has ended."""
    return callable(getattr(stream, "flush", None))


def whole(new: Make, x: Tensor) -> Tensor:
    """Return what a fresh stream gives for the whole signal in one chunk, its flush included."""
    stream = new()
    y: Tensor = stream(x)
    return torch.cat([y, stream.flush()], dim=-1) if has_flush(stream) else y


class Feed:
    """A stream that is fed chunk by chunk, and what it has given so far.

    What a call returned must stay as it was. Where chunks are `spoiled`, each is filled with NaN after its call: then
    what was returned may well change, as a view of the chunk does.
    """

    def __init__(self, stream: Any, a: Arithmetic, device: str = "cpu", *, spoiled: bool = False) -> None:
        self.stream, self.a, self.device, self.spoiled = stream, a, device, spoiled
        self._sizes: list[int] = []
        self._kept: list[tuple[Tensor, Array, str]] = []

    def chunk(self, x: Array) -> None:
        """Feed a chunk (batch, channel, time)."""
        self._part(self.stream, x, f"chunk {len(self._sizes)} ({x.shape[-1]} samples)")
        self._sizes.append(x.shape[-1])

    def end(self) -> Take:
        """Flush the stream, if it can, and return all that it gave."""
        if has_flush(self.stream):
            self._part(lambda _: self.stream.flush(), np.zeros((len(self._kept[0][1]), 1, 0)), "flush")
        for y, then, name in () if self.spoiled else self._kept:
            if not np.array_equal(numbers(y), then, equal_nan=True):
                hint = "return a copy, as x.clone()"
                raise Misbehaved(complaint(f"output of {name}", "changed by a later call", "one left as it was", hint))
        parts = tuple(then for _, then, _ in self._kept)
        channels = {then.shape[1] for then in parts}
        if len(channels) > 1:
            raise Misbehaved(
                complaint("output channels", sorted(channels), "the same from every chunk, and from flush")
            )
        return Take(tuple(self._sizes), parts)

    def _part(self, f: Callable[[Tensor], Any], x: Array, name: str) -> None:
        handed: list[Tensor] = []
        given: list[Tensor] = []

        def watched(chunk: Tensor) -> Any:
            handed.append(chunk)
            given.append(y := f(chunk))
            return y

        try:
            y = call(watched, x, model=self.a, device=self.device)
        except (Refused, Misbehaved) as error:
            raise type(error)(f"{name}: {error}") from error
        self._kept.append((given[0], y, name))
        if self.spoiled:
            with torch.no_grad():
                handed[0].fill_(torch.nan)


def take(stream: Any, x: Array, sizes: Sequence[int], a: Arithmetic, device: str = "cpu", **how: bool) -> Take:
    """Return what a stream gives for `x` (batch, channel, time) in chunks of the given sizes; `how` as for `Feed`.

    Raises
    ------
    Refused, Misbehaved
        As `torchparity.calls.call`, with the chunk; also if a call changes what an earlier one returned.
    """
    feed = Feed(stream, a, device, **how)
    for chunk in np.split(x, np.cumsum(sizes)[:-1], axis=-1):
        feed.chunk(chunk)
    return feed.end()


def streamed(make: Any, x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return what a fresh stream gives for `x` in chunks of the given sizes, its flush included.

    Parameters
    ----------
    make : as for `torchparity.check_stream`
    x : Tensor (batch, channel, time)
    sizes : sequence of int
        Samples of each chunk.

    Examples
    --------
    >>> streamed(nn.Upsample(scale_factor=2), torch.ones(1, 1, 3), [1, 2]).shape
    torch.Size([1, 1, 6])
    """
    return in_turn(make, [x], sizes)[0]


def in_turn(make: Any, signals: Sequence[Tensor], sizes: Sequence[int]) -> list[Tensor]:
    """Return what fresh streams give that are fed in turn, each its own signal: first the first chunk of each.

    Examples
    --------
    >>> x = torch.ones(1, 1, 3)
    >>> [y.sum().item() for y in in_turn(nn.Upsample(scale_factor=2), [x, 2 * x], [1, 2])]
    [6.0, 12.0]
    """
    new = maker(make, str(signals[0].dtype).removeprefix("torch."), str(signals[0].device))
    streams: list[Any] = []
    given: list[list[Tensor]] = [[] for _ in signals]
    with torch.no_grad():
        for i, chunks in enumerate(zip(*(torch.split(x, list(sizes), dim=-1) for x in signals), strict=True)):
            for k, chunk in enumerate(chunks):
                streams += [] if i else [new()]
                given[k].append(streams[k](chunk))
        ends = [[stream.flush()] if has_flush(stream) else [] for stream in streams]
    return [torch.cat([*parts, *end], dim=-1) for parts, end in zip(given, ends, strict=True)]


def in_words(sizes: Sequence[int]) -> str:
    """Return sizes of chunks in short.

    Examples
    --------
    >>> in_words([4, 1, 1, 1])
    'chunks of 4, 3 × 1'
    """
    runs = [(size, len(list(run))) for size, run in groupby(sizes)]
    return "chunks of " + ", ".join(f"{count} × {size}" if count > 1 else f"{size}" for size, count in runs)


def in_code(sizes: Sequence[int]) -> str:
    """Return sizes of chunks as Python.

    Examples
    --------
    >>> in_code([4, 1, 1, 1])
    '[4] + [1] * 3'
    """
    runs = [(size, len(list(run))) for size, run in groupby(sizes)]
    return " + ".join(f"[{size}]" + (f" * {count}" if count > 1 else "") for size, count in runs)
