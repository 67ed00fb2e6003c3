"""Measuring a module: its response to silence, a constant, white noise, a sweep, or a recording."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import torch

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.spectrum import SEGMENTS, AverageSpectrum, LineMeasurement, Peak, average_spectrum, finest
from torchparity.bench import Bench, steady
from torchparity.calls import own_dtype, private_copy
from torchparity.signals import STEADY, signal
from torchparity.walking import Way

STANDS_DB = 10.0
"""A line stands if it is this much over its local floor."""

LEAST_SEGMENTS = 5
"""Fewer are no average: single bins of noise would stand out."""


@dataclass(frozen=True)
class Measured:
    """What was measured with one input and one seed.

    Attributes
    ----------
    input : {'silence', 'constant', 'noise', 'sweep', 'recording'}
    seed : int
    lines : tuple of LineMeasurement
        One for each predicted line, DC included; of a constant, a line that is mostly rounding is its own floor.
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
    length : int
        Input samples.
    way : tuple of str
        The calls that made it.
    astray : bool
        Whether that is another way than the one that the chain was read from.
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
    length: int = 0
    way: Way = field(default=(), repr=False)
    astray: bool = False

    @property
    def off_grid(self) -> tuple[Peak, ...]:
        """Peaks that no predicted line explains."""
        return tuple(p for p in self.peaks if not p.on_grid)

    @property
    def judged(self) -> bool:
        """Whether peaks off the grid contradict the prediction.

        A recording or a sweep has peaks of its own; and noise must be averaged, in bins finer than the ripple of
        kernels, before its humps can be told from tones. What was made on another way has other lines.
        """
        if self.astray:
            return False
        if self.input == "noise":
            return self.segments >= LEAST_SEGMENTS and self.bin * self.period * finest(self.period) <= 1
        return self.input in STEADY

    @property
    def standing(self) -> tuple[LineMeasurement, ...]:
        """Predicted lines that stand over their floor, the offset itself (0 Hz) not counted."""
        return tuple(m for m in self.lines if m.freq and m.height_db >= STANDS_DB)


def measure(bench: Bench, signals: Sequence[str] = ("constant", "noise")) -> Iterator[Measured]:
    """Yield what each signal makes, measured on steady samples; nothing for a constant of which silence comes out.

    Which samples those are the response to a constant says. Where it never becomes periodic, that is told, and the
    middle is measured.

    Raises
    ------
    NotAnalysable
        If the module makes nothing of noise or a sweep, or another number of samples than of a constant.
    """
    constant = steady(bench, "constant")
    for name in signals:
        if name in STEADY:
            found = constant if name == "constant" else steady(bench, name)
            y, length, lead, rest, periodic = found.y, found.length, found.start, found.rest, found.periodic
            way = found.way
        else:
            wanted = bench.period * finest(bench.period) * (SEGMENTS + 3) // 4
            length = bench.inputs(wanted + constant.start + constant.rest + bench.period)
            bench.progress(f"seed {bench.seed}: {WORDS[name]}, {length} samples")
            y, way = bench.answer(signal(name, (*bench.sizes, length), bench.seed))
            lead, rest, periodic = constant.start, constant.rest, constant.periodic
            bench.check_length(y, length, constant, name)
        if name not in STEADY and not y.any():
            raise NotAnalysable(complaint(f"response to {name}", "silence", "an output", "are the weights all zero?"))
        if y.any():
            yield _run(name, bench, slice(lead, y.shape[-1] - rest), y, periodic, length, way)


WORDS = {"noise": "white noise", "sweep": "sweep"}


def measure_recording(bench: Bench, recording: Array) -> Measured:
    """Return what a recording (time,) makes, borders included."""
    channels = bench.sizes[1]
    if channels != 1:
        got, hint = f"{channels} input channels", "a recording has one channel"
        raise NotAnalysable(complaint("module to feed a recording to", got, "one input channel", hint))
    step = bench.step
    whole = np.pad(recording, (0, -len(recording) % step))  # networks that lower the rate take whole periods alone
    bench.progress(f"seed {bench.seed}: recording, {whole.size} samples")
    y, way = bench.answer(torch.as_tensor(whole)[None, None])
    if not y.any() or not recording.any():
        raise NotAnalysable(complaint("recording, or what the module makes of it", "silence", "a signal"))
    return _run("recording", bench, slice(None), y, True, whole.size, way)


def _run(kind: str, bench: Bench, part: slice, y: Array, periodic: bool, length: int, way: Way) -> Measured:
    made = _measured(kind, bench, part, y, periodic, length, way)
    if kind not in STEADY or not any(_faint(line, y[..., part], bench) for line in made.standing):
        return made
    off = _rounding(kind, bench, part, y, length)
    return made if off is None else _without(made, off)


def _faint(line: LineMeasurement, y: Array, bench: Bench) -> bool:
    """Return whether a line may be what rounding makes where terms cancel: √u of the largest sample, or less."""
    return line.level_db < 10 * math.log10(bench.roundoff) + 20 * math.log10(np.abs(y).max())


def _rounding(kind: str, bench: Bench, part: slice, y: Array, length: int) -> AverageSpectrum | None:
    """Return the spectrum of what a steady response differs by from that in double precision.

    Rounding of terms that cancel is more than that of the output, and repeats as all of the response does: as lines.
    What differs by more than √u is taken for another response, and says nothing.
    """
    try:
        fine = replace(bench, module=private_copy(bench.module, "float64"))
        exact, _ = fine.answer(signal(kind, (*bench.sizes, length), bench.seed))
    except NotAnalysable:  # it insists on its own arithmetic
        return None
    if exact.shape != y.shape:
        return None
    off = (y - exact)[..., part]
    small = np.sqrt((off**2).mean()) < math.sqrt(bench.roundoff) * np.abs(y[..., part]).max()
    return average_spectrum(off, bench.period, roundoff=bench.roundoff) if small else None


def _without(made: Measured, off: AverageSpectrum) -> Measured:
    """Return what was measured without lines and peaks, the offset left out, of which half or more is rounding."""

    def rounding(freq: Fraction | float, level_db: float) -> bool:
        return bool(freq and 4 * off.power[round(freq * off.N)] >= 10 ** (level_db / 10))

    lines = (replace(m, floor_db=m.level_db) if rounding(m.freq, m.level_db) else m for m in made.lines)
    peaks = (peak for peak in made.peaks if not rounding(peak.freq, peak.level_db))
    return replace(made, lines=tuple(lines), peaks=tuple(peaks))


def _measured(kind: str, bench: Bench, part: slice, y: Array, periodic: bool, length: int, way: Way) -> Measured:
    grid = bench.spine.chain.factor
    spectrum = average_spectrum(y[..., part], bench.period, roundoff=bench.roundoff)
    return Measured(
        input=kind,
        seed=bench.seed,
        lines=tuple(spectrum.line(Fraction(k, grid)) for k in range(grid // 2 + 1)),
        peaks=spectrum.peaks(grid=grid, height_db=STANDS_DB),
        segments=spectrum.segments,
        samples=y[..., part].shape[-1],
        bin=Fraction(1, spectrum.N),
        period=spectrum.period,
        resolution=spectrum.resolution,
        dtype=own_dtype(bench.module),
        periodic=periodic,
        signal=y.reshape(-1, y.shape[-1])[0],
        length=length,
        way=way,
    )
