"""What streams do wrong where chunks meet: classic mistakes, each simulated by the reference, and named if it fits.

Chunk c alone makes ``R_c = layer(x on chunk c, zero elsewhere) − layer(0)``, so that the output is ``Σ_c R_c + b``. A
mistake leaves some of that out, or adds some once more: it is known by which R_c, and how many b, an output holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dspref.arrays import Array
from dspref.chain import Pointwise
from torchparity.arithmetic import Arithmetic
from torchparity.job import Job, stages_of
from torchparity.takes import Take

STATELESS = "state not kept between chunks: every chunk is treated as a signal of its own"
OVERWRITTEN = "the tail of the chunks before overwrites the new samples, and is not added to them"
OLDER = "wrong on chunks shorter than the overlap: only the tail of the last chunk is added, older ones are lost"
SHORT = "wrong on chunks shorter than the overlap"
MANY = "wrong after many chunks: fewer of that size are right"
BIAS = "the bias is added once more wherever chunks overlap"
LEAK = "state leaks from one stream into another"
UNRESET = "state leaks from one signal into the next: reset() does not clear it"
BATCH = "a change of the batch size after reset() is not taken"
SILENT = "wrong where a chunk is silent"
EMPTY = "an empty chunk changes the state"
FLUSH = "flush is missing or incomplete: the tail is never given"


@dataclass(frozen=True)
class Shares:
    """The output, taken apart: what each chunk makes alone, the bias, and the chunk during which a sample is given."""

    alone: Array
    b: Array
    chunk: Array

    @property
    def before(self) -> Array:
        """Which chunks come before the one during which a sample is given, (chunk, time)."""
        return np.arange(len(self.alone))[:, None] < self.chunk

    @property
    def reached(self) -> Array:
        """How many earlier chunks reach a sample, (time,)."""
        touched = (self.alone != 0).any(axis=tuple(range(1, self.alone.ndim - 1)))
        return np.asarray((touched & self.before).sum(axis=0))

    def sum(self, which: Array) -> Array:
        """Return the sum of what the chunks make alone, where `which` (chunk, time) holds, without the bias."""
        return np.asarray((self.alone * which[:, None, None, :]).sum(axis=0))


def _stateless(s: Shares) -> Array:
    return s.sum(np.arange(len(s.alone))[:, None] == s.chunk) + s.b


def _overwritten(s: Shares) -> Array:
    own = np.arange(len(s.alone))[:, None] == s.chunk
    return s.sum(np.where(s.reached > 0, s.before, own)) + s.b


def _older_lost(s: Shares) -> Array:
    c = np.arange(len(s.alone))[:, None]
    return s.sum((c == s.chunk) | (c == s.chunk - 1)) + s.b


def _twice(s: Shares) -> Array:
    return np.asarray(s.sum(np.ones_like(s.before)) + s.b * (1 + (s.reached > 0)))


def _many_times(s: Shares) -> Array:
    return np.asarray(s.sum(np.ones_like(s.before)) + s.b * (1 + s.reached))


MISTAKES: tuple[tuple[str, Callable[[Shares], Array]], ...] = (
    (STATELESS, _stateless),
    (OVERWRITTEN, _overwritten),
    (OLDER, _older_lost),
    (BIAS, _twice),
    (BIAS, _many_times),
)
"""The mistakes by name, and what they give in place of the output."""


def named(job: Job, x: Array, take: Take, latency: int, E: Array, a: Arithmetic) -> str:
    """Return the mistake that explains what a stream gave, or an empty text.

    A mistake explains it if all that it would give lies as near to what was given as rounding takes it: each is a sum
    of no more terms than the output has, or of the bias once more for every chunk.
    """
    if any(isinstance(stage, Pointwise) for stage in stages_of(job.layer)):
        return ""
    if _each_alone(job, x, take, a):
        return STATELESS
    s = _shares(job, x, take, latency)
    right, flush = s.sum(np.ones_like(s.before)) + s.b, take.starts[len(take.sizes)]
    for end in (take.y.shape[-1], flush):  # what flush gives may be wrong in its own way
        n = max(0, min(s.chunk.size, end - latency))
        given, room = take.y[..., latency : latency + n], E[..., :n] * (1 + len(take.sizes))
        for name, mistake in MISTAKES:
            wrong = mistake(s)[..., :n]
            if (np.abs(given - wrong) <= room).all() and (np.abs(right[..., :n] - wrong) > room).any():
                return name
    return ""


def _shares(job: Job, x: Array, take: Take, latency: int) -> Shares:
    """Return what each chunk makes alone, over the outputs that are due."""
    zero = job.reference(np.zeros_like(x))
    alone = np.stack([job.reference(part) - zero for part in _masked(x, take.sizes)])
    due = np.arange(zero.shape[-1]) + latency
    chunk = np.searchsorted(take.starts, due, side="right") - 1
    return Shares(alone, zero, np.minimum(chunk, len(take.sizes)))  # what flush gives comes after the last chunk


def _masked(x: Array, sizes: tuple[int, ...]) -> Iterator[Array]:
    """Yield the input with all chunks but one set to zero."""
    start = 0
    for size in sizes:
        part = np.zeros_like(x)
        part[..., start : start + size] = x[..., start : start + size]
        start += size
        yield part


def _each_alone(job: Job, x: Array, take: Take, a: Arithmetic) -> bool:
    """Return whether every chunk makes just what the offline layer makes of it as a whole signal."""
    if len(take.sizes) < 2 or 0 in take.sizes:
        return False
    chunks = np.split(x, np.cumsum(take.sizes)[:-1], axis=-1)
    try:
        return all(_fits(job, chunk, part, a) for chunk, part in zip(chunks, take.parts, strict=False))
    except ValueError:  # a chunk that is no legal signal
        return False


def _fits(job: Job, x: Array, y: Array, a: Arithmetic) -> bool:
    whole = job.reference(x)
    return y.shape == whole.shape and bool((np.abs(y - whole) <= job.bound(x, a).E).all())
