"""The data of a figure: curves, joined where they are a formula, and points where they are a computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import Array

FLOOR = -80.0
"""dB: what is lower, nulls among it, is drawn at the foot of the picture."""


@dataclass(frozen=True)
class Curve:
    """One curve: a formula is joined, a computation is points.

    Examples
    --------
    >>> Curve("nothing", np.arange(3), np.zeros(3)).joined
    False
    """

    name: str
    x: Array
    y: Array
    joined: bool = False


@dataclass(frozen=True)
class Drawing:
    """The data of a figure: the axes in words, and the curves."""

    x: str
    y: str
    curves: tuple[Curve, ...]


Draw: TypeAlias = Callable[[], Drawing]


def decibels(amplitude: Any) -> Array:
    """Return ``20 log10 abs(a)``, held at `FLOOR`."""
    return np.asarray(np.maximum(20 * np.log10(np.maximum(np.abs(amplitude), 1e-300)), FLOOR))


def spikes(freqs: Any, levels: Any) -> tuple[Array, Array]:
    """Return a spectrum that is nothing but lines, as points to be joined."""
    x = np.repeat(np.asarray(freqs, float), 3)
    return x, np.stack([np.full(len(levels), FLOOR), levels, np.full(len(levels), FLOOR)], axis=-1).ravel()
