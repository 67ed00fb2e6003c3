"""What a module is fed with in an audit: silence, a constant, white noise, a sweep. Recordings are read elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dspref.arrays import as_choice


def _noise(sizes: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


def _sweep(sizes: tuple[int, ...], seed: int) -> Tensor:
    """Return ``sin(πn²/2N)``, whose frequency n/2N goes from 0 to half the rate."""
    n = torch.arange(sizes[-1], dtype=torch.float64)
    return torch.sin(math.pi * n * n / (2 * sizes[-1])).float().expand(sizes)


SIGNALS: dict[str, Callable[[tuple[int, ...], int], Tensor]] = {
    "silence": lambda sizes, seed: torch.zeros(sizes),
    "constant": lambda sizes, seed: torch.ones(sizes),
    "noise": _noise,
    "sweep": _sweep,
}
"""By name: what makes a signal (batch, channel, time), of power 1 but for silence, and ½ for the sweep. All channels
of the sweep are the same; those of noise are independent."""

STEADY = ("silence", "constant")
"""Signals whose response repeats, once borders are left behind."""


def signal(name: str, sizes: tuple[int, ...], seed: int) -> Tensor:
    """Return a signal by its name, in float32.

    Parameters
    ----------
    name : one of `SIGNALS`
    sizes : (batch, channels, time)
    seed : int
        Of the noise.

    Examples
    --------
    >>> signal("constant", (1, 2, 3), 0).tolist()
    [[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]
    """
    return SIGNALS[as_choice("input signal", name, SIGNALS)](sizes, seed)
