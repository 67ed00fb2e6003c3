"""How a signal is cut into chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

Cut: TypeAlias = Callable[[int, int, np.random.Generator], list[int]]


def even(size: int, time: int) -> list[int]:
    """Return chunks of one size, the last one being what is left.

    Examples
    --------
    >>> even(3, 8)
    [3, 3, 2]
    """
    size = max(1, size)
    return [size] * (time // size) + ([time % size] if time % size else [])


def _random(time: int, extent: int, rng: np.random.Generator) -> list[int]:
    ends = np.cumsum(rng.integers(1, 2 * extent + 1, time))
    return [int(n) for n in np.diff(np.r_[0, ends[ends < time], time])]


def _with_empty(time: int, extent: int, rng: np.random.Generator) -> list[int]:
    sizes = _random(time, extent, rng)
    return [0, sizes[0], 0, *sizes[1:], 0]


CUTS: Mapping[str, Cut] = {
    "one chunk": lambda time, extent, rng: [time],
    "long chunks": lambda time, extent, rng: even(extent + 1, time),
    "random chunks": _random,
    "short chunks": lambda time, extent, rng: even(extent - 1, time),
    "pairs": lambda time, extent, rng: even(2, time),
    "single samples": lambda time, extent, rng: even(1, time),
    "empty chunks": _with_empty,
}
"""How a signal is cut, from the plainest: by its length, and by the input samples that one output looks at."""


def halves(time: int) -> list[int]:
    """Return two chunks, the first one not longer; one alone for a single sample.

    Examples
    --------
    >>> halves(5), halves(1)
    ([2, 3], [1])
    """
    return [n for n in (time // 2, time - time // 2) if n]


def thirds(time: int) -> list[int]:
    """Return three chunks, the middle one that of the input "silence" of `torchparity.cases.draw`.

    Examples
    --------
    >>> thirds(8), thirds(1)
    ([2, 3, 3], [1])
    """
    return [n for n in (time // 3, 2 * time // 3 - time // 3, time - 2 * time // 3) if n]
