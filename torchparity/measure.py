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
from dspref.spectrum import SEGMENTS, LineMeasurement, Peak, average_spectrum, finest
from torchparity.arithmetic import unit
from torchparity.calls import own_channels, own_dtype
from torchparity.spine import Spine, run

STANDS_DB = 10.0
"""A line stands if it is this much over its local floor."""

LEAST_SEGMENTS = 5
"""Fewer are no average: single bins of noise would stand out."""

LEAST_PERIODS, LEAST_SAMPLES = 64, 1 << 14
"""Of the response to a constant, which need not be longer: it repeats."""

GUARDS = (32, 128, 512)
"""Input samples tried as margins at both ends, until the steady part is long enough."""

ROUNDINGS = 1 << 10
"""Units of roundoff of the largest sample by which periods may differ and still repeat.

It only says where measuring begins. MelGAN needs 17, EnCodec 36: sums are ordered otherwise from place to place."""


@dataclass(frozen=True)
class Measured:
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
        Distance of bins in cycles per sample: tones nearer than 7 of them may be one peak.
    period : int
        Samples of one period of the response to a constant.
    resolution : float
        Amplitude below which all is rounding: unit roundoff times the largest sample.
    dtype : str
        Arithmetic of the module.
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
    period: int
    resolution: float
    dtype: str
    periodic: bool
    signal: Array = field(repr=False, compare=False)

    @property
    def off_grid(self) -> tuple[Peak, ...]:
        """Peaks that no predicted line explains."""
        return tuple(p for p in self.peaks if not p.on_grid)

    @property
    def judged(self) -> bool:
        """Whether peaks off the grid contradict the prediction.

        A recording has peaks of its own; and noise must be averaged, in bins finer than the ripple of kernels,
        before its humps can be told from tones.
        """
        if self.input == "noise":
            return self.segments >= LEAST_SEGMENTS and self.bin * self.period * finest(self.period) <= 1
        return self.input == "constant"

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
        """Period of the steady response to a constant: S."""
        return self.spine.chain.factor

    @property
    def roundoff(self) -> float:
        """Unit roundoff of the module's arithmetic."""
        return unit(own_dtype(self.module))

    @property
    def sizes(self) -> tuple[int, int]:
        """Batch and channels of the input."""
        return (self.shape[0] if len(self.shape) == 3 else 1), channels_of(self.module, self.shape)

    def inputs(self, samples: int) -> int:
        """Return how many input samples make so many output samples: those given, if they were."""
        return self.shape[-1] if len(self.shape) > 1 else math.ceil(samples / self.spine.rate)

    def respond(self, x: Tensor) -> Array:
        """Return the module's output in double precision, (batch, channel, time)."""
        return np.asarray(run(self.module, x.to(getattr(torch, own_dtype(self.module)))).to(torch.float64).numpy())


def channels_of(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Return the number of input channels: as given, else as the first convolution asks for."""
    if not shape:
        return own_channels(module, 1)
    return shape[0] if len(shape) < 3 else shape[1]


def measure(bench: Bench) -> list[Measured]:
    """Return what a constant and white noise make, on the steady samples alone.

    Where the response to a constant never becomes periodic, that is told, and the middle is measured.
    """
    constant, lead, tail, periodic = _constant(bench)
    wanted = bench.period * finest(bench.period) * (SEGMENTS + 3) // 4
    length = bench.inputs(wanted + lead + tail + bench.period)
    bench.progress(f"seed {bench.seed}: white noise, {length} samples")
    x = torch.randn(*bench.sizes, length, generator=torch.Generator().manual_seed(bench.seed))
    noise = bench.respond(x)
    if not noise.any():
        raise NotAnalysable(complaint("response to noise", "silence", "an output", "are the weights all zero?"))
    return [
        _run(kind, bench, y[..., lead : y.shape[-1] - tail], y, periodic)
        for kind, y in (("constant", constant), ("noise", noise))
    ]


def _constant(bench: Bench) -> tuple[Array, int, int, bool]:
    """Return the response to a constant, the samples at either end that are not steady, and if it settles."""
    least = max(LEAST_PERIODS * bench.period, LEAST_SAMPLES)
    for guard in GUARDS:
        length = bench.inputs(least) + (0 if bench.shape[1:] else 2 * guard)
        bench.progress(f"seed {bench.seed}: constant input, {length} samples")
        y = bench.respond(torch.ones(*bench.sizes, length))
        steady = settled(y, bench.period, bench.roundoff)
        if steady.stop - steady.start >= (32 * bench.period if bench.shape[1:] else least):
            return y, steady.start, y.shape[-1] - steady.stop, True
    margin = round(bench.spine.rate * min(GUARDS[-1], length // 4))
    if y.shape[-1] - 2 * margin < 32 * bench.period:
        got, needed = f"{length} samples", math.ceil(64 * bench.period / bench.spine.rate)
        raise NotAnalysable(complaint("input", got, f"about {needed} or more", "or leave its length to the audit"))
    return y, margin, margin, False


def measure_recording(bench: Bench, recording: Array) -> Measured:
    """Return what a recording (time,) makes, borders included."""
    channels = channels_of(bench.module, bench.shape)
    if channels != 1:
        got, hint = f"{channels} input channels", "a recording has one channel"
        raise NotAnalysable(complaint("module to feed a recording to", got, "one input channel", hint))
    bench.progress(f"seed {bench.seed}: recording, {recording.size} samples")
    y = bench.respond(torch.as_tensor(recording)[None, None])
    if not y.any() or not recording.any():
        raise NotAnalysable(complaint("recording, or what the module makes of it", "silence", "a signal"))
    return _run("recording", bench, y, y, True)


def _run(kind: str, bench: Bench, part: Array, y: Array, periodic: bool) -> Measured:
    grid = bench.spine.chain.factor
    spectrum = average_spectrum(part, bench.period, roundoff=bench.roundoff)
    return Measured(
        input=kind,
        seed=bench.seed,
        lines=tuple(spectrum.line(Fraction(k, grid)) for k in range(grid // 2 + 1)),
        peaks=spectrum.peaks(grid=grid, height_db=STANDS_DB),
        segments=spectrum.segments,
        samples=part.shape[-1],
        bin=Fraction(1, spectrum.N),
        period=spectrum.period,
        resolution=spectrum.resolution,
        dtype=own_dtype(bench.module),
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
