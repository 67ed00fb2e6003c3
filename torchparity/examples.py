"""Arguments of a stranger's module, from examples that its user gives: which of them carry the signal.

A function ``f(length)`` returns what the module takes: a tensor, a tuple of arguments, or a dict of them by name. What
has `length` samples along one axis of ``f(length)`` carries the signal, and is replaced by it; the rest is left as it
is; but real numbers that grow at another rate, as noisy audio beside its spectrogram does, are held at 0: a signal of
their own would be measured too. Token numbers stand for levels: the values that occur are dealt to equal shares of a
Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from dspref.arrays import NotAnalysable, complaint

Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional arguments, and those by name."""

LENGTHS = (32, 512, 4096, 32768, 131072)
"""Input samples that are tried, until a module takes that many, and twice as many."""

ALLOWED = "a function f(length) that returns a tensor, a tuple of arguments, or a dict of them by name"


@dataclass(frozen=True)
class Place:
    """An argument that carries part of the signal.

    Attributes
    ----------
    key : int or str
        Its number, or its name.
    axis : int
        That of time.
    shape : tuple of int
        Of the example, time left out, batch first; batch is 1 where time is the first axis.
    values : tuple of int
        Of token numbers, those that occur; empty for real numbers.
    """

    key: int | str
    axis: int
    shape: tuple[int, ...]
    values: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """How many channels of the signal it takes."""
        return int(torch.Size(self.shape[1:]).numel())

    def filled(self, x: Tensor) -> Tensor:
        """Return the argument that carries x (batch, channels, time)."""
        batched = x.reshape(len(x), *self.shape[1:], x.shape[-1])
        moved = batched.movedim(-1, self.axis) if self.axis else batched[0].movedim(-1, 0)
        return self._tokens(moved) if self.values else moved

    def _tokens(self, x: Tensor) -> Tensor:
        """Return the value whose share of a Gaussian each sample falls in."""
        share = (1 + torch.erf(x / 2**0.5)) / 2
        index = (share * len(self.values)).long().clamp(0, len(self.values) - 1)
        return torch.tensor(self.values, device=x.device)[index]


@dataclass(frozen=True)
class Examples:
    """A function of example arguments, and what of them carries the signal: (batch, channel, time) ↦ arguments.

    Examples
    --------
    >>> fed = examples(lambda length: {"mel": torch.randn(1, length, 3), "speaker": torch.zeros(1, 8)})
    >>> fed.channels, fed.driven, fed.left
    (3, ('mel',), ('speaker',))
    >>> _, arguments = fed(torch.ones(1, 3, 50))
    >>> arguments["mel"].shape
    torch.Size([1, 50, 3])
    """

    function: Callable[[int], Any]
    places: tuple[Place, ...]
    left: tuple[str, ...]
    silent: tuple[int | str, ...] = ()

    @property
    def held(self) -> tuple[str, ...]:
        """Names or numbers of the arguments that grow at another rate, and are held at 0."""
        return tuple(map(str, self.silent))

    @property
    def channels(self) -> int:
        """Channels of the signal: those of all places."""
        return sum(place.channels for place in self.places)

    @property
    def driven(self) -> tuple[str, ...]:
        """Names or numbers of the arguments that carry the signal."""
        return tuple(str(place.key) for place in self.places)

    def __call__(self, x: Tensor) -> Arguments:
        """Return the arguments that carry x; whatever else is real gets its dtype."""
        args, named = called(self.function, x.shape[-1])
        found: dict[int | str, Any] = {i: _as(x, v) for i, v in enumerate(args)}
        found |= {name: _as(x, v) for name, v in named.items()}
        found |= {key: torch.zeros_like(found[key]) for key in self.silent}
        parts = torch.split(x, [place.channels for place in self.places], 1)
        found |= {place.key: place.filled(part) for place, part in zip(self.places, parts, strict=True)}
        return tuple(found[i] for i in range(len(args))), {name: found[name] for name in named}


def examples(function: Callable[[int], Any]) -> Examples:
    """Return what of a function's example arguments carries the signal.

    Masks are left as they are: what is boolean, and integers, or real numbers beside others, that are all the same.

    Raises
    ------
    NotAnalysable
        If the function raises, returns something else, or no tensor of `length` samples along one axis.
    """
    N = LENGTHS[0]
    short, long = ({**dict(enumerate(args)), **named} for args, named in (called(function, N), called(function, 2 * N)))
    tensors = {key: v for key, v in long.items() if isinstance(v, Tensor) and isinstance(short.get(key), Tensor)}
    axes = {key: axis for key, v in tensors.items() if (axis := _time(short[key], v, N)) is not None}
    real = {key for key in axes if tensors[key].is_floating_point()}
    varied = {key for key in real if not _same(tensors[key])} or real
    tokens = {key for key in axes if _numbered(tensors[key])}
    places = tuple(_place(key, tensors[key], axes[key], key in tokens) for key in axes if key in varied | tokens)
    if not places:
        shapes = ", ".join(f"{key}: {tuple(v.shape)}" for key, v in short.items() if isinstance(v, Tensor)) or "none"
        allowed = f"at least one with {N} samples along one axis, and {2 * N} for a length of {2 * N}"
        raise NotAnalysable(complaint(f"example tensors for a length of {N}", shapes, allowed))
    silent = tuple(key for key, v in tensors.items() if key not in axes and _grows(short[key], v) and not _same(v))
    left = tuple(str(key) for key in long if key not in {*varied, *tokens, *silent})
    return Examples(function, places, left, silent)


def called(function: Callable[[int], Any], length: int) -> Arguments:
    """Return the example arguments of a length, the same ones each time: Torch's random numbers begin at one seed."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found = function(length)
    except (Exception, SystemExit) as error:
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise NotAnalysable(complaint(f"example inputs of length {length}", got, ALLOWED)) from error
    if isinstance(found, Tensor):
        return (found,), {}
    if isinstance(found, (tuple, list)):
        return tuple(found), {}
    if isinstance(found, Mapping) and all(isinstance(key, str) for key in found):
        return (), dict(found)
    raise NotAnalysable(complaint(f"example inputs of length {length}", type(found).__name__, ALLOWED))


def _as(x: Tensor, v: Any) -> Any:
    """Return a tensor where x is, and real ones in its dtype; whatever else as it is."""
    if not isinstance(v, Tensor):
        return v
    return v.to(x.device, x.dtype) if v.is_floating_point() else v.to(x.device)


def _time(short: Tensor, long: Tensor, length: int) -> int | None:
    """Return the axis along which a tensor has as many samples as were asked for."""
    if short.ndim != long.ndim:
        return None
    grown = [axis for axis, (a, b) in enumerate(zip(short.shape, long.shape, strict=True)) if a != b]
    return (
        grown[0] if len(grown) == 1 and (short.shape[grown[0]], long.shape[grown[0]]) == (length, 2 * length) else None
    )


def _grows(short: Tensor, long: Tensor) -> bool:
    """Return whether real numbers grow along one axis, at whatever rate."""
    if not long.is_floating_point() or short.ndim != long.ndim:
        return False
    return sum(a < b for a, b in zip(short.shape, long.shape, strict=True)) == 1


def _same(v: Tensor) -> bool:
    return bool((v == v.flatten()[0]).all())


def _numbered(v: Tensor) -> bool:
    """Return whether these are token numbers: integers that are neither a mask nor positions."""
    whole = not (v.is_floating_point() or v.is_complex() or v.dtype == torch.bool)
    return whole and not _same(v) and len(set(v.flatten().tolist())) < max(v.shape)


def _place(key: int | str, v: Tensor, axis: int, tokens: bool) -> Place:
    shape = (1, *v.shape[1:]) if axis == 0 else tuple(n for i, n in enumerate(v.shape) if i != axis)
    return Place(key, axis, shape, tuple(sorted(set(v.flatten().tolist()))) if tokens else ())
