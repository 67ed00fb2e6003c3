"""Phases, one after the other in time: y[tL + r − s] = z_r[t], in whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def interleaved(z: Tensor, s: int) -> Tensor:
    """Return phases (batch, out, time', L) one after the other in time, from sample s of the first block on.

    So that blocks stay whole, the s last samples of the last one are left out.
    """
    z = torch.cat([z[:, :, :-1, s:], z[:, :, 1:, :s]], -1) if s else z
    batch, out, time, L = z.shape
    return z.reshape(batch, out, time * L)


def put(y: Tensor, z: Tensor, start: int, s: int) -> None:
    """Write phases (batch, out, time, L), the first of which is that of block `start`, where `interleaved` has them."""
    for into, of in _places(y, z, start, s):
        into.copy_(of)


def take(y: Tensor, z: Tensor, start: int, s: int) -> None:
    """Write into phases what is where `put` writes them, and zero where that writes nothing: its adjoint."""
    if s:
        z.zero_()
    for of, into in _places(y, z, start, s):
        into.copy_(of)


def _places(y: Tensor, z: Tensor, start: int, s: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what corresponds to each other: phases from s on are in their own block of y, those before in the last."""
    own = z[:, :, : y.shape[2] - start, s:]
    yield y[:, :, start : start + own.shape[2], : y.shape[3] - s], own
    if s:
        first = max(start - 1, 0)
        last = z[:, :, first + 1 - start :, :s]
        yield y[:, :, first : first + last.shape[2], y.shape[3] - s :], last
