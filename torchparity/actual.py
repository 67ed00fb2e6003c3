"""Which lines these very weights make of a constant: one period of the steady response holds them all, to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from torch import nn

from dspref.arrays import Array, NotAnalysable
from torchparity.audited import Steady
from torchparity.bench import ROUNDINGS, Bench, Response, steady
from torchparity.calls import own_dtype, private_copy

PERIODS = 8
"""Steady periods that are averaged."""


def actual(bench: Bench) -> Iterator[Steady]:
    """Yield the lines of silence and of a constant, in double precision where the module runs in it.

    None of a response that does not become periodic.
    """
    fine, borders = _doubled(bench), None
    for name in ("silence", "constant"):
        found = _in_doubles(fine, bench, name, borders)
        if found is not None:
            borders = found.start + found.rest
            yield found


def lines_of(bench: Bench, name: str, *, borders: int | None = None) -> Steady | None:
    """Return the lines of one response, None if it does not become periodic.

    ``c_k = (1/P) Σ_m y[m] e^{−j2πkm/P}``, y the mean of `PERIODS` steady periods around the middle.

    Parameters
    ----------
    bench : Bench
        In whose arithmetic the module runs.
    name : {'constant', 'silence'}
    borders : int, optional
        Samples at both ends that are likely not to be steady, see `torchparity.bench.steady`.
    """
    found = steady(bench, name, least=PERIODS * bench.period, borders=borders)
    if not found.periodic:
        return None
    P, largest = bench.period, float(np.abs(found.y).max())
    period = _period(found, P)
    c = np.fft.rfft(period, axis=-1) / P
    start, rest = _edges(found, period, ROUNDINGS * bench.roundoff * largest)
    power = (np.abs(c) ** 2).reshape(-1, c.shape[-1]).mean(0)
    return Steady(
        name, bench.seed, P, power, ROUNDINGS * bench.roundoff * largest, start, rest, own_dtype(bench.module)
    )


def doubled(module: nn.Module) -> nn.Module:
    """Return a copy in double precision, which changes no weight."""
    return private_copy(module, "float64")


def _doubled(bench: Bench) -> Bench:
    return replace(bench, module=doubled(bench.module))


def _in_doubles(fine: Bench, bench: Bench, name: str, borders: int | None) -> Steady | None:
    """Return the lines in double precision; in the module's own where it insists on that."""
    try:
        return lines_of(fine, name, borders=borders)
    except NotAnalysable:
        return lines_of(bench, name, borders=borders)


def _period(found: Response, P: int) -> Array:
    """Return the mean period (batch, channel, P) of the steady samples, its first sample at a multiple of P."""
    y = found.y[..., found.start : found.y.shape[-1] - found.rest]
    whole = y.shape[-1] // P * P
    return np.asarray(y[..., :whole].reshape(*y.shape[:-1], -1, P).mean(-2))


def _edges(found: Response, period: Array, allowed: float) -> tuple[int, int]:
    """Return how many samples at the beginning and at the end differ from the steady period by more than rounding."""
    time, P = found.y.shape[-1], period.shape[-1]
    due = np.tile(period, -(-time // P))[..., :time]
    off = (np.abs(found.y - due) > allowed).reshape(-1, time).any(0)
    middle = found.start + (time - found.rest - found.start) // 2
    before, behind = np.flatnonzero(off[:middle]), np.flatnonzero(off[middle:])
    return int(before[-1]) + 1 if before.size else 0, time - middle - int(behind[0]) if behind.size else 0
