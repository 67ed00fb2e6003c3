"""What comes out of strangers' modules: one tensor, or containers of many, of which one is the signal.

The signal is the real tensor that grows along one axis with the input, at the highest rate. In whatever layout, it
becomes (batch, channel, time).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from torch import Tensor

from dspref.arrays import NotAnalysable, complaint, did_you_mean

Path: TypeAlias = tuple[int | str, ...]
"""Indices, keys and attributes that lead to a tensor."""


@dataclass(frozen=True)
class Answer:
    """The output that is looked at.

    Attributes
    ----------
    path : tuple of (int or str)
        Indices, keys and attributes that lead to it; empty where the output is one tensor.
    axis : int
        That of time.
    """

    path: Path
    axis: int

    @property
    def name(self) -> str:
        """The path in words: as "waveform", "0" or "0.audio"."""
        return ".".join(map(str, self.path))

    def __call__(self, y: Any) -> Tensor:
        """Return it as (batch, channel, time)."""
        found = dict(leaves(y)).get(self.path)
        if found is None:
            got = f"none of that name among {names(path for path, _ in leaves(y))}"
            raise NotAnalysable(complaint(f"output {self.name}", got, "the same outputs for every input"))
        time_last = found.movedim(self.axis, -1)
        batch = time_last[None] if self.axis == 0 else time_last
        return batch.reshape(len(batch), -1, batch.shape[-1])


def leaves(y: Any, path: Path = ()) -> Iterator[tuple[Path, Tensor]]:
    """Yield the tensors in containers of any kind, with the way that leads to each.

    Examples
    --------
    >>> import torch
    >>> [path for path, _ in leaves({"a": (torch.ones(1), None), "b": torch.ones(1)})]
    [('a', 0), ('b',)]
    """
    if isinstance(y, Tensor):
        yield path, y
    elif isinstance(y, Mapping):
        for key, inner in y.items():
            yield from leaves(inner, (*path, str(key)))
    elif is_dataclass(y) and not isinstance(y, type):
        for each in fields(y):
            yield from leaves(getattr(y, each.name, None), (*path, each.name))
    elif isinstance(y, (tuple, list)):
        for place, inner in enumerate(y):
            key = y._fields[place] if hasattr(y, "_fields") else place
            yield from leaves(inner, (*path, key))


def answered(short: Any, long: Any, length: int, output: str | None) -> Answer:
    """Return the output that grows with the input at the highest rate, or the one asked for."""
    there, more = dict(leaves(short)), dict(leaves(long))
    if not there:
        got, hint = type(short).__name__, "return the waveform"
        raise NotAnalysable(complaint("module output", got, "a tensor, or containers of tensors", hint))
    if output is not None:
        return _asked(there, more, output)
    grown = {
        path: (axis, rate)
        for path, y in there.items()
        if (axis := _axis(y, more.get(path))) is not None
        and (rate := Fraction(more[path].shape[axis] - y.shape[axis], length))
    }
    if not grown:
        shapes = ", ".join(f"{_name(path)}{tuple(y.shape)}, {_kind(y)}" for path, y in there.items())
        allowed = "real numbers that grow along one axis with the input"
        raise NotAnalysable(complaint(f"output for {length} and {2 * length} samples", shapes, allowed))
    highest = max(rate for _, rate in grown.values())
    best = [path for path, (_, rate) in grown.items() if rate == highest and not _twin(path, there, grown)]
    if len(best) > 1:
        hint = f"choose one with --pick NAME, as --pick {'.'.join(map(str, best[0]))}"
        raise NotAnalysable(complaint("outputs at the highest rate", names(best), "one", hint))
    return Answer(best[0], grown[best[0]][0])


def _twin(path: Path, there: Mapping[Any, Tensor], grown: Mapping[Any, Any]) -> bool:
    """Return whether an earlier output is the very same tensor."""
    earlier = list(grown)[: list(grown).index(path)]
    return any(there[other] is there[path] for other in earlier)


def _asked(there: Mapping[Any, Tensor], more: Mapping[Any, Tensor], output: str) -> Answer:
    known = {".".join(map(str, path)): path for path in there}
    if output not in known:
        raise NotAnalysable(complaint("output", repr(output), names(there), did_you_mean(output, known)))
    path = known[output]
    axis = _axis(there[path], more.get(path))
    if axis is None:
        got = f"{tuple(there[path].shape)}, {_kind(there[path])}"
        raise NotAnalysable(complaint(f"output {output}", got, "real numbers that grow along one axis with the input"))
    return Answer(path, axis)


def _axis(short: Tensor, long: Tensor | None) -> int | None:
    """Return the axis along which a real output grows, if there is one alone."""
    if long is None or not short.is_floating_point() or short.ndim != long.ndim or not 1 <= short.ndim <= 4:
        return None
    grown = [axis for axis, (a, b) in enumerate(zip(short.shape, long.shape, strict=True)) if a != b]
    return grown[0] if len(grown) == 1 and short.shape[grown[0]] < long.shape[grown[0]] else None


def _kind(y: Tensor) -> str:
    return str(y.dtype).removeprefix("torch.")


def _name(path: Path) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def names(paths: Iterable[Path]) -> str:
    """Return the paths in words."""
    return ", ".join(".".join(map(str, path)) for path in paths) or "one tensor"
