"""Two arrays under a bound: equal, near enough, or not; where, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dspref.arrays import Array
from torchparity.arithmetic import Arithmetic
from torchparity.roundoff import Bound


@dataclass(frozen=True)
class Compared:
    """Two arrays under a bound: how the status came about, and where."""

    status: str
    ratio: float = 0.0
    index: tuple[int, ...] | None = None
    words: str = ""


def compared(y: Array, expected: Array, limit: Bound, a: Arithmetic, *, part: str = "output") -> Compared:
    """Compare what is `y` with what is `expected`, up to E."""
    lost, overflow = ~np.isfinite(y), np.greater(limit.S + limit.E, a.largest)
    if (lost & ~overflow).any():
        index = first(lost & ~overflow)
        return Compared(
            "wrong", np.inf, index, f"{y[index]} at {part} {list(index)}, where {expected[index]:.9g} is due"
        )
    if overflow.any():
        return Compared("inconclusive", words=f"sums of {float(limit.S.max()):.3g} are beyond the range of {a.result}")
    error = np.abs(y.astype(float) - expected)
    if not error.any():
        return Compared("exact")
    with np.errstate(over="ignore"):
        ratios = np.divide(error, limit.E, out=np.where(error > 0, np.inf, 0.0), where=limit.E > 0)
    index = tuple(int(i) for i in np.unravel_index(int(ratios.argmax()), ratios.shape))
    ratio = float(ratios[index])
    if ratio <= 1:
        return Compared("within bound", ratio, index)
    status = "normwise only" if error.max() <= limit.E.max() else "wrong"
    return Compared(status, ratio, index, f"{y[index]:.9g} at {part} {list(index)}, where {expected[index]:.9g} is due")


def excused(found: Compared, coarse: Compared, why: str) -> Compared:
    """Return an error as inconclusive, if it lies within a coarser bound, and say why that may be the right one."""
    if not found.words or coarse.words or found.status == "inconclusive":
        return found
    words = f"{found.words}; within the bound (error/bound {coarse.ratio:.3g}) if {why}"
    return replace(found, status="inconclusive", words=words)


def last_places(error: Array, S: Array, a: Arithmetic) -> Array:
    """Return errors (batch, channel, time) in units of the last place of the largest sum S of their channel.

    Examples
    --------
    >>> from torchparity.arithmetic import arithmetic
    >>> last_places(np.array([[[2.0**-22, 0]]]), np.array([[[0.1, 1]]]), arithmetic("float32"))
    array([[[2., 0.]]])
    """
    S = S.max(axis=(0, 2), keepdims=True)
    kind, coarse = (np.float32, 2.0**16) if a.result == "bfloat16" else (np.dtype(a.result), 1.0)
    return np.asarray(np.abs(error.astype(float)) / (coarse * np.spacing(S.astype(kind)).astype(float)))


def fraction(y: Array, due: Array, differ: Array) -> bool:
    """Return whether whole numbers come out wrong by less than a half, as rounding makes them, and not a fault."""
    return bool((np.abs(y[differ].astype(float) - due[differ]) < 0.5).all())


def first(where: Array) -> tuple[int, ...]:
    """Return the first index, in order of time, then channel, then batch, where something holds."""
    places = np.argwhere(where)
    return tuple(int(i) for i in places[np.lexsort(places.T)[0]])
