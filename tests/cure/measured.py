"""What a decoder makes of a constant and of noise: how flat its steady state is, how high its lines stand.

Lines are measured as an audit does (`torchparity.measure`): on bins of `dspref.spectrum.average_spectrum`, over the
median of the bins 7 to 20 away. `SEGMENTS` segments are averaged, so that noise alone seldom stands 2 dB over itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array
from dspref.lines import tone_lines
from dspref.spec import parse
from dspref.spectrum import average_spectrum
from dspref.spectrum.measure import LineMeasurement
from tests.cure.rounding import parted, sums
from tests.cure.subjects import Subject
from tests.zoo.measured import noise, respond, steps
from tests.zoo.row import Row
from torchparity.arithmetic import unit
from torchparity.bench import settled

SEGMENTS = 33
"""A quarter of their length apart."""

LEAST_BINS = 1 << 15
"""Of a segment, if it has 32 bins per line at least."""

MARGIN = 64
"""Periods left out at either end: no decoder here has borders that reach so far."""


@dataclass(frozen=True)
class Lines:
    """The lines of one layer: those at its places that no later layer can make.

    Attributes
    ----------
    strongest : float
        dB over the floor.
    at : int
        Its k, of k/P cycles per sample.
    mean : float
        dB: of the ratios of powers in the bins to their floors, the mean over lines. Noise alone has 0.
    """

    strongest: float
    at: int
    mean: float


@dataclass(frozen=True)
class Seen:
    """What was seen of one decoder.

    Attributes
    ----------
    flat : float
        Peak to peak of the steady state over its mean, of a constant input; the largest of all channels.
    rounding : float
        What rounding of the convolutions may make of it: `tests.cure.rounding`.
    periods : int
        How long that state was looked at.
    layers : tuple of Lines
        Of noise, by layer, the first one first.
    """

    flat: float
    rounding: float
    periods: int
    layers: tuple[Lines, ...]


def places(row: Row) -> tuple[tuple[int, ...], ...]:
    """Return k of the lines of each layer, 0 Hz left out: its own are those that it makes last.

    >>> from tests.cure.subjects import MELGAN
    >>> [len(own) for own in places(MELGAN)], places(MELGAN)[2:]
    ([112, 14, 1, 1], ((64,), (128,)))
    """
    lines = tone_lines(parse(row.chain))
    owners = range(1, len(parse(row.chain).upsamplers) + 1)
    return tuple(tuple(int(x.freq * row.period) for x in lines if x.owner == i and x.freq) for i in owners)


def bins(row: Row) -> int:
    """Return N, the bins of a segment."""
    return row.period * max(32, -(-LEAST_BINS // row.period))


def repeating(y: Array, period: int) -> slice:
    """Return the samples that repeat with the period, to rounding of what is steady.

    Borders may be far louder than what is behind them: to their rounding their own last tail repeats, too.

    >>> repeating(np.array([[1e6, 1e-11 + 1, 1, 1, 1, 1, 1, 1]]), 1)
    slice(2, 8, None)
    """
    outer = settled(y, period, unit("float64"))
    inner = settled(y[..., outer], period, unit("float64"))
    return slice(outer.start + inner.start, outer.start + inner.stop)


def flatness(y: Array, period: int) -> tuple[float, int]:
    """Return peak to peak over mean of the steady part, and its periods.

    >>> flatness(np.array([[3.0, 1, 1, 1, 1, 1, 1, 5]]), 1), flatness(np.tile([1.0, 3.0], 8)[None], 2)
    ((0.0, 6), (1.0, 8))
    """
    part = y[..., repeating(y, period)]
    return float((np.ptp(part, axis=-1) / np.abs(part.mean(axis=-1))).max()), part.shape[-1] // period


def seen(subject: Subject, module: nn.Module, seed: int) -> Seen:
    """Return what a decoder makes of ones, and of noise."""
    row = subject.row
    flat, periods, rounding = constant(subject, module)
    return Seen(flat, rounding, periods, noisy(row, module, seed))


def noisy(row: Row, module: nn.Module, seed: int) -> tuple[Lines, ...]:
    """Return how high the lines of each layer stand in what a decoder makes of noise."""
    return heights(steady(row, module, seed), row, places(row))


def steady(row: Row, module: nn.Module, seed: int) -> Array:
    """Return what a decoder makes of noise, away from the borders: `SEGMENTS` segments."""
    N = bins(row)
    samples = N * (SEGMENTS + 3) // 4 + 2 * MARGIN * row.period
    x = noise(row, -(-samples // int(row.factor)), seed).double()
    return respond(row, module, x)[..., MARGIN * row.period :][..., : N * (SEGMENTS + 3) // 4]


def constant(subject: Subject, module: nn.Module) -> tuple[float, int, float]:
    """Return how flat the response to ones is, for how many periods, and what rounding may make of that."""
    row = subject.row
    with sums(module) as found:
        y = row.waveform(module(*row.arguments(ones(subject))))
    values = np.asarray(y.detach().numpy())
    flat, periods = flatness(values, row.period)
    return flat, periods, parted(y[..., repeating(values, row.period)], found)


def ones(subject: Subject) -> torch.Tensor:
    """Return a constant input."""
    return torch.ones(1, subject.row.channels, steps(subject.row, subject.periods), dtype=torch.float64)


def heights(y: Array, row: Row, owned: Sequence[Sequence[int]]) -> tuple[Lines, ...]:
    """Return how high the lines of each layer stand."""
    found = []
    for own, measured in zip(owned, _measured(y, row, owned), strict=True):
        over = np.array([line.height_db for line in measured])
        mean = float(10 * np.log10((10 ** (over / 10)).mean()))
        found.append(Lines(float(over.max()), own[int(over.argmax())], mean))
    return tuple(found)


def powers(y: Array, row: Row, owned: Sequence[Sequence[int]]) -> tuple[Array, ...]:
    """Return the power in the bins of each layer's lines, and that of their floors: (2, lines) for each layer."""
    found = (np.array([[x.level_db, x.floor_db] for x in lines]) for lines in _measured(y, row, owned))
    return tuple(10 ** (levels.T / 10) for levels in found)


def _measured(y: Array, row: Row, owned: Sequence[Sequence[int]]) -> Iterator[list[LineMeasurement]]:
    spectrum = average_spectrum(y, row.period, bins_per_line=bins(row) // row.period)
    yield from ([spectrum.line(Fraction(k, row.period)) for k in own] for own in owned)
