"""What a tensor of a forward is: which samples of which place, and what has been done to each of them since."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dspref.expected.filters import Fixed
from dspref.expected.network import Unknown
from torchparity.drafts import Draft, Drafts
from torchparity.mapnames import GRID, Named, named
from torchparity.movements import moved, numbers, owners


@dataclass(frozen=True, eq=False)
class Value:
    """What a tensor is.

    Attributes
    ----------
    shape : tuple of int
    place : Draft or Tensor
        The place that it is all of, channels before time but for the time axis; or numbers of samples, of its shape.
    time : int
        The time axis, counted from the last, −1; of a place.
    probe : Tensor or None
        What a map makes of `GRID`, along the time axis; None for the identity.
    path : str
        Where samples were moved last, or the map was made.
    kind : str
        Type of the module that made the map, if it does nothing else.
    scale : float
        What samples were multiplied by before they were mapped, if they were.
    """

    shape: tuple[int, ...]
    place: Draft | Tensor
    time: int = -1
    probe: Tensor | None = None
    path: str = ""
    kind: str = ""
    scale: float = 1.0

    @property
    def whole(self) -> Draft:
        """The place."""
        assert isinstance(self.place, Draft)
        return self.place

    @property
    def ids(self) -> Tensor:
        """Numbers of samples, of the shape."""
        if isinstance(self.place, Tensor):
            return self.place
        rest = [n for axis, n in enumerate(self.shape, -len(self.shape)) if axis != self.time]
        return numbers(self.place).reshape(*rest, self.shape[self.time]).movedim(-1, self.time)

    @property
    def grid(self) -> Tensor:
        """The map on the grid, of a shape that goes with the tensor's."""
        if self.probe is not None:
            return self.probe
        axes = [1] * len(self.shape)
        axes[self.time] = len(GRID)
        return torch.from_numpy(GRID).reshape(axes)

    def goes_with(self, other: Value) -> bool:
        """Return whether samples stand where they do in the other."""
        sizes = [(v.whole.channels, v.whole.time, v.time, math.prod(v.shape)) for v in (self, other)]
        return sizes[0] == sizes[1] and sizes[0][3] == sizes[0][0] * sizes[0][1]


@dataclass(eq=False)
class Reader:
    """Makes places of what tensors are.

    Attributes
    ----------
    called : callable
        Names a new place, after what it does.
    lost : bool
        Whether samples were moved in a way that could not be read; of a longer signal, it may be.
    """

    called: Callable[[str], str]
    drafts: Drafts = field(default_factory=Drafts)
    lost: bool = False

    def found(self, x: Value) -> Value:
        """Return a value as all of one place, with the map that is done to it since."""
        if isinstance(x.place, Draft):
            return x
        if (read := self.read(x)) is not None:
            return read
        self.lost |= not any(each.dark for each in self.sources([x]))
        return self.unknown("samples moved about", [x], x.shape, name="moved")

    def read(self, x: Value) -> Value | None:
        """Return what moved samples are, None if it cannot be said."""
        assert isinstance(x.place, Tensor)
        wide = [axis for axis, n in enumerate(x.shape, -len(x.shape)) if n > 1]
        for time in reversed(wide):
            rows = x.place.movedim(time, -1).reshape(-1, x.shape[time])
            place = moved(rows, self.drafts, lambda what: f"{x.path}{what}" if x.path[-1:] in ("", ".") else x.path)
            if place is not None:
                return replace(x, place=place, time=time)
        return None

    def settled(self, x: Value) -> Value:
        """Return a value as all of one place, whose map is a place of its own."""
        x = self.found(x)
        if x.probe is None:
            return x
        steps, place = self._steps(x), x.whole
        for step in steps:
            place = self.drafts.mapped(x.path, step, place)
        return Value(x.shape, place, x.time)

    def _steps(self, x: Value) -> list[Any]:
        shown, scale = self.named(x), 1.0
        if shown is None and x.scale > 0:
            shown, scale = self.named(x, scale=x.scale), x.scale
        if shown is None:
            why = _valueless(x.path) if x.grid.is_meta else "a map of samples"
            return [Unknown(f"{why}, {x.kind}" if x.kind else why)]
        return [*_gain(scale), *([] if shown[0] is None else [shown[0]]), *_gain(shown[1])]

    def zero(self, x: Value) -> bool:
        """Return whether a map gives nothing but zeros, as residuals that begin with a factor of 0."""
        return x.probe is not None and not x.probe.is_meta and not bool(x.probe.any())

    def named(self, x: Value, *, scale: float = 1.0) -> Named | None:
        """Return which map is done to the place of a value, times a scale, the same to every channel."""
        if x.grid.is_meta or x.grid.is_complex():
            return None
        shape = x.grid.double().movedim(x.time, -1).reshape(-1, len(GRID))
        return named(shape[0].numpy(), scale=scale) if bool((shape == shape[0]).all()) else None

    def sources(self, values: Sequence[Value]) -> list[Draft]:
        """Return the places that values are made of."""
        found: dict[int, Draft] = {}
        for x in values:
            if isinstance(x.place, Draft):
                found[id(x.place)] = x.place
                continue
            for i in np.unique(owners(x.place, self.drafts.places)).tolist():
                if i >= 0:
                    found[id(self.drafts.places[i])] = self.drafts.places[i]
        return list(found.values())

    def unknown(self, what: str, values: Sequence[Value], shape: Sequence[int], *, name: str = "") -> Value:
        """Return a value that is not covered, made of others."""
        values = [v if v.probe is None else self.settled(v) for v in values]
        read = [v if isinstance(v.place, Draft) else self.read(v) or v for v in values]
        inputs = self.sources(values) or self.drafts.places[:1]
        time = next((v.time for v in read if _keeps_time(v, shape)), -1)
        size, steps = math.prod(shape), shape[time] if len(shape) else 1
        place = self.drafts.add(self.called(name or what), Unknown(what), inputs, size // max(steps, 1), steps)
        return Value(tuple(shape), place if len(shape) else numbers(place).reshape(()), time)


def _keeps_time(x: Value, shape: Sequence[int]) -> bool:
    """Return whether the time axis may be where it was."""
    return isinstance(x.place, Draft) and len(shape) == len(x.shape) and shape[x.time] == x.shape[x.time]


def _gain(g: float) -> list[Fixed]:
    return [] if g == 1 else [Fixed(np.array([g]))]


ARITHMETIC = {"add": "is added", "sub": "is subtracted, or subtracted from", "mul": "is a factor", "div": "divides"}
"""What a call does to a signal with another tensor."""


def _valueless(path: str) -> str:
    """Return what a map is that has no values, by the call that made it.

    Examples
    --------
    >>> _valueless("decoder.add"), _valueless("act")
    ('a tensor that does not depend on the signal is added', 'a map whose parameters have no values')
    """
    done = ARITHMETIC.get(path.rpartition(".")[2])
    return f"a tensor that does not depend on the signal {done}" if done else "a map whose parameters have no values"
