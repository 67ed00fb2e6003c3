"""The steady response of a decoder of the zoo to a constant and to white noise, and the peaks in its spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array
from dspref.spectrum import SEGMENTS, Peak, average_spectrum, finest
from tests.zoo.row import Row
from torchparity.arithmetic import unit
from torchparity.bench import LEAST_PERIODS, LEAST_SAMPLES, settled
from torchparity.measure import LEAST_SEGMENTS, STANDS_DB

MARGINS = (32, 128)
"""Periods left out at either end, and one more try where the response is not steady by then."""


@dataclass(frozen=True)
class Response:
    """Peaks of one response.

    Attributes
    ----------
    input : {'constant', 'noise'}
    samples, segments : int
        Steady output samples looked at, and segments averaged.
    repeats : bool
        Whether the response to a constant repeats with the period, to rounding.
    peaks : tuple of Peak
        All that stands 10 dB over its floor, DC included.
    """

    input: str
    samples: int
    segments: int
    repeats: bool
    peaks: tuple[Peak, ...]

    @property
    def off_grid(self) -> tuple[Peak, ...]:
        """Peaks that are at no multiple of sr/period."""
        return tuple(p for p in self.peaks if not p.on_grid)


def steps(row: Row, periods: int) -> int:
    """Return the input samples of so many periods: as many for a decoder, periods long for a U-Net."""
    return math.ceil(periods * row.period / row.factor)


def respond(row: Row, module: nn.Module, x: Tensor) -> Array:
    """Return the waveform (1, channel, time) that `module` makes of (1, channel, time), in double precision."""
    with torch.no_grad():
        return np.asarray(row.waveform(module(*row.arguments(x))).double().numpy())


def noise(row: Row, length: int, seed: int = 0) -> Tensor:
    """Return white noise (1, channel, time)."""
    return torch.randn(1, row.channels, length, generator=torch.Generator().manual_seed(seed))


def responses(row: Row, module: nn.Module) -> tuple[Response, Response]:
    """Return what a constant and white noise make."""
    constant, margin, repeats = _constant(row, module)
    wanted = finest(row.period) * (SEGMENTS + 3) // 4
    y = respond(row, module, noise(row, steps(row, wanted + 2 * margin + 1)))
    cut = margin * row.period
    return _spectrum("constant", row, constant, repeats), _spectrum("noise", row, y[..., cut:-cut], repeats)


def _constant(row: Row, module: nn.Module) -> tuple[Array, int, bool]:
    """Return the steady response to a constant, the periods that are not, and whether it repeats at all."""
    least = max(LEAST_PERIODS * row.period, LEAST_SAMPLES)
    for margin in MARGINS:
        y = respond(row, module, torch.ones(1, row.channels, steps(row, math.ceil(least / row.period) + 2 * margin)))
        steady = settled(y, row.period, unit("float32"))
        if steady.stop - steady.start >= least:
            return y[..., steady], margin, True
    cut = margin * row.period
    return y[..., cut:-cut], margin, False


def _spectrum(kind: str, row: Row, y: Array, repeats: bool) -> Response:
    spectrum = average_spectrum(y, row.period, roundoff=unit("float32"))
    assert kind == "constant" or spectrum.segments >= LEAST_SEGMENTS
    peaks = spectrum.peaks(grid=row.period, height_db=STANDS_DB)
    return Response(kind, y.shape[-1], spectrum.segments, repeats, peaks)
