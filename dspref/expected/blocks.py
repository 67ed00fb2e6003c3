"""Functions of numbers, of large arrays: as many rows at a time as stay near the processor; and which numbers occur."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dspref.arrays import Array

BLOCK = 1 << 15
"""Numbers at a time: a few arrays of so many doubles, 256 KiB each, fit a core's own cache."""


def in_blocks(f: Callable[..., Array], *arrays: Array) -> Array:
    """Return a function of numbers, of arrays that broadcast.

    Examples
    --------
    >>> in_blocks(np.add, np.zeros((1, 3)), np.ones((2, 1))).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    shape = np.broadcast_shapes(*(each.shape for each in arrays))
    size = math.prod(shape)
    if len(shape) < 2 or size <= BLOCK:
        return f(*arrays)
    whole = [each.reshape((1,) * (len(shape) - each.ndim) + each.shape) for each in arrays]
    if size > BLOCK * shape[0]:  # one row is too much
        rows = [in_blocks(f, *(each[min(r, len(each) - 1)] for each in whole)) for r in range(shape[0])]
        return np.stack(rows)
    step, total = BLOCK * shape[0] // size, np.empty(shape)
    for start in range(0, shape[0], step):
        at = slice(start, start + step)
        total[at] = f(*(each[at] if len(each) > 1 else each for each in whole))
    return total


def distinct(x: Array) -> Array:
    """Return the numbers that occur, in order; of rows that are few numbers over and over, without a sort of all.

    Examples
    --------
    >>> distinct(np.array([[2.0, 1.0], [1.0, 2.0]])).tolist()
    [1.0, 2.0]
    """
    if x.ndim < 2 or x.size <= BLOCK:
        return np.unique(x)
    known = np.unique(x[0])
    at = np.minimum(np.searchsorted(known, x), len(known) - 1)
    return known if (known[at] == x).all() else np.unique(x)
