"""Measuring a module: its steady response to a constant, to white noise, or a recording."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.spectrum import FINEST, SEGMENTS, LineMeasurement, Peak, average_spectrum
from torchparity.calls import own_channels, own_dtype
from torchparity.roundoff import unit
from torchparity.spine import Spine, run

STANDS_DB = 10.0
"""A line stands if it is this much over its local floor."""

GUARDS = (32, 128, 512)
"""Input samples tried as margins at both ends, until the steady part is long enough."""

ROUNDINGS = 64
"""Units of roundoff of the largest sample within which two results of one network count as equal."""


@dataclass(frozen=True)
class Run:
    """What was measured with one input and one seed.

    Attributes
    ----------
    input : {'constant', 'noise', 'recording'}
    seed : int
    lines : tuple of LineMeasurement
        One for each predicted line, DC included.
    peaks : tuple of Peak
        All that stands 10 dB over its surroundings, found without looking at the predictions.
    segments, samples : int
        Averaged segments, and steady output samples looked at.
    bin : Fraction
        Distance of bins in cycles per sample: peaks nearer than 7 of them are one peak.
    resolution : float
        Amplitude below which all is rounding: unit roundoff times the largest sample.
    periodic : bool
        Whether the response to a constant became periodic; if not, the middle of the output is measured.
    signal : array (time,)
        First channel of the output, whole.
    """

    input: str
    seed: int
    lines: tuple[LineMeasurement, ...]
    peaks: tuple[Peak, ...]
    segments: int
    samples: int
    bin: Fraction
    resolution: float
    periodic: bool
    signal: Array = field(repr=False, compare=False)

    @property
    def off_grid(self) -> tuple[Peak, ...]:
        """Peaks that no predicted line explains."""
        return tuple(p for p in self.peaks if not p.on_grid)

    @property
    def standing(self) -> tuple[LineMeasurement, ...]:
        """Predicted lines that stand over their floor, the offset itself (0 Hz) not counted."""
        return tuple(m for m in self.lines if m.freq and m.height_db >= STANDS_DB)


@dataclass(frozen=True)
class Bench:
    """A module on the bench: what is known of it, and what it is fed with."""

    module: nn.Module
    spine: Spine
    seed: int
    shape: tuple[int, ...]
    progress: Callable[[str], None]

    @property
    def period(self) -> int:
        """Period of the steady response to a constant, whether or not all of its layers were seen."""
        return math.lcm(self.spine.chain.factor, self.spine.rate.numerator)

    @property
    def wanted(self) -> int:
        """Steady samples for `SEGMENTS` segments of the finest resolution."""
        return self.period * max(128, FINEST // self.period) * (SEGMENTS + 3) // 4

    @property
    def roundoff(self) -> float:
        """Unit roundoff of the module's arithmetic."""
        return unit(own_dtype(self.module))

    @property
    def lengths(self) -> list[int]:
        """Input lengths to try, the shortest first; the given one if one was given."""
        if len(self.shape) > 1:
            return [self.shape[-1]]
        return [math.ceil(self.wanted / self.spine.rate) + 2 * guard for guard in GUARDS]

    def respond(self, x: Tensor) -> Array:
        """Return the module's output in double precision, (batch, channel, time)."""
        return np.asarray(run(self.module, x.to(getattr(torch, own_dtype(self.module)))).to(torch.float64).numpy())


def channels_of(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Return the number of input channels: as given, else as the first convolution asks for."""
    if not shape:
        return own_channels(module, 1)
    return shape[0] if len(shape) < 3 else shape[1]


def measure(bench: Bench) -> list[Run]:
    """Return what a constant and white noise make, on the steady samples alone.

    Where the response to a constant never becomes periodic, that is told, and the middle is measured.
    """
    batch, channels = (bench.shape[0] if len(bench.shape) == 3 else 1), channels_of(bench.module, bench.shape)
    for length in bench.lengths:
        bench.progress(f"seed {bench.seed}: constant input, {length} samples")
        constant = bench.respond(torch.ones(batch, channels, length))
        steady = settled(constant, bench.period, bench.roundoff)
        samples = steady.stop - steady.start
        if samples >= bench.wanted:
            break
    periodic = samples >= (32 * bench.period if bench.shape[1:] else bench.wanted)
    if not periodic:
        margin = round(bench.spine.rate * min(GUARDS[-1], length // 4))
        steady = slice(margin, constant.shape[-1] - margin)
    bench.progress(f"seed {bench.seed}: white noise, {length} samples")
    x = torch.randn(batch, channels, length, generator=torch.Generator().manual_seed(bench.seed))
    return [
        _run("constant", bench, constant, steady, periodic=periodic),
        _run("noise", bench, bench.respond(x), steady, periodic=periodic),
    ]


def measure_recording(bench: Bench, recording: Array) -> Run:
    """Return what a recording (time,) makes, borders included."""
    channels = channels_of(bench.module, bench.shape)
    if channels != 1:
        got, hint = f"{channels} input channels", "a recording has one channel"
        raise NotAnalysable(complaint("module to feed a recording to", got, "one input channel", hint))
    bench.progress(f"seed {bench.seed}: recording, {recording.size} samples")
    y = bench.respond(torch.as_tensor(recording)[None, None])
    return _run("recording", bench, y, slice(0, y.shape[-1]))


def _run(kind: str, bench: Bench, y: Array, steady: slice, *, periodic: bool = True) -> Run:
    part = y[..., steady]
    grid = bench.spine.chain.factor
    spectrum = average_spectrum(part, bench.period, roundoff=bench.roundoff)
    return Run(
        input=kind,
        seed=bench.seed,
        lines=tuple(spectrum.line(Fraction(k, grid)) for k in range(grid // 2 + 1)),
        peaks=spectrum.peaks(grid=grid, height_db=STANDS_DB),
        segments=spectrum.segments,
        samples=part.shape[-1],
        bin=Fraction(1, spectrum.N),
        resolution=spectrum.resolution,
        periodic=periodic,
        signal=y.reshape(-1, y.shape[-1])[0],
    )


def settled(y: Array, period: int, roundoff: float) -> slice:
    """Return the samples around the middle where `y` (..., time) repeats with `period`, to rounding.

    Two periods are the same if they differ by at most `ROUNDINGS` units of roundoff of the largest sample.
    """
    periods = y.shape[-1] // period
    if periods == 0:
        return slice(0, 0)
    rows = y[..., : periods * period].reshape(-1, periods, period)
    middle = periods // 2
    apart = np.abs(rows - rows[:, middle : middle + 1]).max(axis=(0, 2))
    same = apart <= ROUNDINGS * roundoff * np.abs(y).max()
    first = middle - int(np.argmin(np.append(same[: middle + 1][::-1], False))) + 1
    last = middle + int(np.argmin(np.append(same[middle:], False)))
    return slice(first * period, last * period)
