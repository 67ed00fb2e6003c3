"""A module on the bench: how long its inputs must be, and where its response to a constant is steady."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable, complaint
from torchparity.adapt import valid_length
from torchparity.arithmetic import unit
from torchparity.calls import own_dtype
from torchparity.examples import LENGTHS
from torchparity.signals import signal
from torchparity.spine import Spine, run
from torchparity.walking import Way, walking

LEAST_PERIODS, LEAST_SAMPLES = 64, 1 << 14
"""Of the response to a constant, which need not be longer: it repeats."""

GUARDS = (32, 128, 512)
"""Periods tried as margins at both ends, until the steady part is long enough."""

FOLLOWED = 64
"""Samples of the innermost layer with which a module is followed call by call."""

LARGEST = 1 << 28
"""Samples in or out of one run beyond which it is refused: 1 GiB of float32."""

ROUNDINGS = 1 << 10
"""Units of roundoff of the largest sample by which periods may differ and still repeat.

It only says where measuring begins. MelGAN needs 17, EnCodec 36: sums are ordered otherwise from place to place."""


@dataclass(frozen=True)
class Bench:
    """A module on the bench: what is known of it, and what it is fed with.

    Attributes
    ----------
    module : nn.Module
        From (batch, channel, time) to (batch, channel, time).
    spine : Spine
    seed : int
    sizes : (batch, channels)
        Of the input.
    time : int or None
        Input samples, if the user says how many.
    taken : int
        Input samples that the module is known to take.
    progress : function
    """

    module: nn.Module
    spine: Spine
    seed: int
    sizes: tuple[int, int]
    time: int | None
    taken: int
    progress: Callable[[str], None]

    @property
    def period(self) -> int:
        """Period of the steady response to a constant: S."""
        return self.spine.chain.factor

    @property
    def step(self) -> int:
        """Input samples of whole periods, as networks that lower the rate take them; and what the module asks for."""
        own = (self.period / self.spine.rate).numerator
        return own if self.taken == LENGTHS[0] else math.lcm(own, self.taken)

    @property
    def followed(self) -> int:
        """Input samples with which every layer has enough to read patterns from: `FOLLOWED` of the innermost."""
        return valid_length(self.module, FOLLOWED * self.step)

    @property
    def roundoff(self) -> float:
        """Unit roundoff of the module's arithmetic."""
        return unit(own_dtype(self.module))

    def inputs(self, samples: int) -> int:
        """Return how many input samples make so many output samples: those given, if they were."""
        if self.time is not None:
            return self.time
        return valid_length(self.module, -(-math.ceil(samples / self.spine.rate) // self.step) * self.step)

    def answer(self, x: Tensor) -> tuple[Array, Way]:
        """Return the module's output in double precision, (batch, channel, time), and which way it was made."""
        longest = math.ceil(x.numel() * max(Fraction(1), self.spine.rate))
        if longest > LARGEST:
            raise NotAnalysable(complaint("output", f"about {longest} samples", f"at most {LARGEST}"))
        with walking(self.module) as steps:
            y = run(self.module, x.to(getattr(torch, own_dtype(self.module))))
        return np.asarray(y.to(torch.float64).numpy()), tuple(steps)

    def tried(self, name: str) -> Array:
        """Return the response to a signal of a length that the module is known to take."""
        return self.answer(signal(name, (*self.sizes, self.time or self.taken), self.seed))[0]

    def check_length(self, y: Array, length: int, known: Response, name: str) -> None:
        """Refuse a response that is longer or shorter than the rate says, by what a constant shows."""
        due = known.y.shape[-1] + self.spine.rate * (length - known.length)
        if y.shape[-1] != due:
            got, allowed = f"{y.shape[-1]} samples of {name}", f"{due}, as a constant makes"
            hint = "the number of samples depends on the values of the input: dynamic control flow"
            raise NotAnalysable(complaint(f"output of {length} input samples", got, allowed, hint))


@dataclass(frozen=True)
class Response:
    """The response to a constant, or to silence.

    Attributes
    ----------
    y : array (batch, channel, time)
    length : int
        Of the input.
    start, rest : int
        Samples at either end that are not steady.
    periodic : bool
        Whether it becomes steady; if not, `start` and `rest` leave the middle.
    way : tuple of str
        The calls that made it.
    """

    y: Array
    length: int
    start: int
    rest: int
    periodic: bool
    way: Way = ()


def steady(bench: Bench, name: str, *, least: int = 0, borders: int | None = None) -> Response:
    """Return the response to a constant or to silence, and where it is steady.

    Borders are as long in any input that is long enough to have a steady part: once there is one, the input next tried
    has room for both, and for what is wanted between them.

    Parameters
    ----------
    bench : Bench
    name : {'constant', 'silence'}
    least : int, optional
        Steady samples wanted; if not given, as many as spectra are measured on.
    borders : int, optional
        Samples at both ends together that are likely not to be steady, where that is known of another response.

    Raises
    ------
    NotAnalysable
        If it does not become steady, and the middle is too short to look at.
    """
    least = least or max(LEAST_PERIODS * bench.period, LEAST_SAMPLES)
    guards = [2 * guard * bench.period for guard in GUARDS]
    todo = guards if borders is None else [max(guards[0], _whole(borders, bench.period)), *guards]
    tried = 0
    while todo:
        length = bench.inputs(least + (todo.pop(0) if bench.time is None else 0))
        if length <= tried:
            continue
        tried = length
        bench.progress(f"seed {bench.seed}: {name}, {length} samples")
        y, way = bench.answer(signal(name, (*bench.sizes, length), bench.seed))
        part = settled(y, bench.period, bench.roundoff)
        found = part.stop - part.start
        if found >= (32 * bench.period if bench.time is not None else least):
            return Response(y, length, part.start, y.shape[-1] - part.stop, True, way)
        if bench.time is not None:
            break
        if found > bench.period:
            todo = [_whole(y.shape[-1] - found, bench.period), *todo]
    margin = round(bench.spine.rate * min(GUARDS[-1], length // 4))
    if y.shape[-1] - 2 * margin < 32 * bench.period:
        got, needed = f"{length} samples", math.ceil(64 * bench.period / bench.spine.rate)
        raise NotAnalysable(complaint("input", got, f"about {needed} or more", "or leave its length to the audit"))
    return Response(y, length, margin, margin, False, way)


def _whole(borders: int, period: int) -> int:
    """Return borders in whole periods, and two more: at either end a period may be steady in part."""
    return (-(-borders // period) + 2) * period


def settled(y: Array, period: int, roundoff: float) -> slice:
    """Return the samples around the middle where `y` (..., time) repeats with `period`, to rounding.

    Two periods are the same if they differ by at most `ROUNDINGS` units of roundoff of the largest sample.
    """
    periods = y.shape[-1] // period
    if periods == 0:
        return slice(0, 0)
    rows = y[..., : periods * period].reshape(-1, periods, period)
    middle = periods // 2
    apart = np.abs(rows - rows[:, middle : middle + 1]).max(axis=(0, 2))
    same = apart <= ROUNDINGS * roundoff * np.abs(y).max()
    first = middle - int(np.argmin(np.append(same[: middle + 1][::-1], False))) + 1
    last = middle + int(np.argmin(np.append(same[middle:], False)))
    return slice(first * period, last * period)
