"""Predicted and measured lines of a decoder, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.lines import Line, tone_lines
from dspref.spectrum import AverageSpectrum, LineMeasurement, Peak, average_spectrum
from torchparity.spine import Spine, input_channels, module_dtype, run, spine

STANDS_DB = 10.0
"""A line stands if it is this much over its local floor."""

SEGMENTS = 9
"""Segments averaged: noise alone then stands 10 dB over its own median with a chance below 10⁻¹³ per bin."""

GUARDS = (32, 128, 512)
"""Input samples tried as margins at both ends, until the steady part is long enough."""

BINS_PER_LINE = 64

ROUNDINGS = 64
"""Units of roundoff of the largest sample within which two results of one network count as equal."""

UNIT_ROUNDOFF = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}


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
class Finding:
    """Something to act on: 'error' contradicts the prediction, 'warning' is a predicted artifact, 'note' a limit."""

    level: str
    text: str


@dataclass(frozen=True)
class Audit:
    """The result of an audit; `torchparity.report` prints it."""

    name: str
    sr: Fraction
    spine: Spine
    lines: tuple[Line, ...]
    runs: tuple[Run, ...]
    notes: tuple[Finding, ...]

    @property
    def predicted(self) -> Array | None:
        """Power of each line under the constant input, averaged over channels; None where not all is known."""
        if any(line.amplitude is None for line in self.lines):
            return None
        return np.array([np.mean(np.abs(np.asarray(line.amplitude)) ** 2) for line in self.lines])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found, errors first."""
        found = [*self.notes, *(f for r in self.runs for f in _judge(r, self.sr)), *_wrong_levels(self)]
        return tuple(sorted(found, key=lambda f: ("error", "warning", "note").index(f.level)))


def audit(
    target: nn.Module | Callable[[], nn.Module],
    *,
    name: str = "module",
    sr: Fraction | float = 1,
    seeds: Sequence[int] = (0,),
    shape: tuple[int, ...] = (),
    recording: Array | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Audit:
    """Predict the lines of a decoder, and measure them under a constant, white noise or a recording.

    The steady part is where the response to a constant repeats with the period S of the chain, to rounding; the
    same samples are then measured under noise. Each factory call follows ``torch.manual_seed(seed)``.

    Parameters
    ----------
    target : nn.Module, or a function that makes one
    sr : number
        Output rate in Hz.
    seeds : sequence of int
        One network and one noise each.
    shape : (channels,), (channels, time) or (batch, channels, time)
        Of the input; guessed from the first convolution where not given.
    recording : array (time,), optional
        Fed in place of constant and noise to a module of one input channel.

    Raises
    ------
    NotAnalysable
        If the module refuses the input, answers at random, has no upsampling layer, or never settles.
    """
    runs: list[Run] = []
    spines: list[Spine] = []
    for seed in seeds:
        torch.manual_seed(seed)
        module = target if isinstance(target, nn.Module) else target()
        training = module.training
        module.eval()
        try:
            progress(f"seed {seed}: looking for upsampling layers")
            found = spine(module, _channels(module, shape))
            _check_chain(found)
            runs += _measure(module, found, seed, shape, recording, progress)
        finally:
            module.train(training)
        spines.append(found)
    first = spines[0]
    return Audit(name, Fraction(sr), first, tone_lines(first.chain), tuple(runs), _limits(first))


def _channels(module: nn.Module, shape: tuple[int, ...]) -> int:
    if not shape:
        return input_channels(module)
    return shape[0] if len(shape) < 3 else shape[1]


def _check_chain(found: Spine) -> None:
    if found.chain.factor == 1:
        hint = f"what ran and was not described: {_names(found) or 'nothing'}"
        raise NotAnalysable(complaint("upsampling layers", "none", "at least one, called as a module", hint))


def _measure(
    module: nn.Module,
    found: Spine,
    seed: int,
    shape: tuple[int, ...],
    recording: Array | None,
    progress: Callable[[str], None],
) -> list[Run]:
    period, dtype = found.chain.factor, module_dtype(module)
    if recording is not None:
        progress(f"seed {seed}: recording")
        y = _response(module, _one_channel(module, shape, recording, dtype))
        return [_run("recording", seed, y, slice(0, y.shape[-1]), period, dtype)]
    batch, channels = (shape[0] if len(shape) == 3 else 1), _channels(module, shape)
    needed = period * BINS_PER_LINE * (SEGMENTS + 3) // 4
    lengths = [shape[-1]] if len(shape) > 1 else [math.ceil(needed / found.rate) + 2 * guard for guard in GUARDS]
    for length in lengths:
        progress(f"seed {seed}: constant input, {length} samples")
        constant = _response(module, torch.ones(batch, channels, length, dtype=dtype))
        steady = settled(constant, period, _roundoff(dtype))
        if steady.stop - steady.start >= needed:
            break
    if steady.stop - steady.start < period * BINS_PER_LINE:
        got = f"{steady.stop - steady.start} of {constant.shape[-1]} samples repeat every {period}"
        hint = "give a longer input with --input, or a module whose response to a constant becomes periodic"
        raise NotAnalysable(complaint("steady part", got, f"at least {period * BINS_PER_LINE}", hint))
    progress(f"seed {seed}: white noise, {length} samples")
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, channels, length, generator=generator).to(dtype)
    noise = _response(module, x)
    if not np.array_equal(noise, _response(module, x)):
        hint = "switch dropout and other randomness off"
        raise NotAnalysable(complaint("module", "another output for the same input", "a deterministic module", hint))
    return [
        _run("constant", seed, constant, steady, period, dtype),
        _run("noise", seed, noise, steady, period, dtype),
    ]


def _response(module: nn.Module, x: Tensor) -> Array:
    return np.asarray(run(module, x).to(torch.float64).numpy())


def _one_channel(module: nn.Module, shape: tuple[int, ...], recording: Array, dtype: torch.dtype) -> Tensor:
    if _channels(module, shape) != 1:
        got, hint = f"{_channels(module, shape)} input channels", "a recording has one channel"
        raise NotAnalysable(complaint("module to feed a recording to", got, "one input channel", hint))
    return torch.as_tensor(recording, dtype=dtype)[None, None]


def _run(kind: str, seed: int, y: Array, steady: slice, period: int, dtype: torch.dtype) -> Run:
    part = y[..., steady]
    spectrum = average_spectrum(part, period, bins_per_line=BINS_PER_LINE, roundoff=_roundoff(dtype))
    return Run(
        kind,
        seed,
        _grid(spectrum),
        spectrum.peaks(height_db=STANDS_DB),
        spectrum.segments,
        part.shape[-1],
        Fraction(1, spectrum.N),
        spectrum.resolution,
        y.reshape(-1, y.shape[-1])[0],
    )


def _grid(spectrum: AverageSpectrum) -> tuple[LineMeasurement, ...]:
    P = spectrum.period
    return tuple(spectrum.line(Fraction(k, P)) for k in range(P // 2 + 1))


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


def _judge(r: Run, sr: Fraction) -> list[Finding]:
    """Return what one run has to say: peaks off the grid, and lines on it."""
    of = f"{r.input} input, seed {r.seed}"
    found = []
    if r.off_grid and r.input != "recording":
        where = ", ".join(f"{p.freq * float(sr):.6g} Hz (+{p.height_db:.0f} dB)" for p in r.off_grid[:5])
        found.append(Finding("error", f"{of}: {len(r.off_grid)} peaks off the predicted grid: {where}"))
    if r.standing:
        top = max(r.standing, key=lambda m: m.height_db)
        hz = float(top.freq * sr)
        text = f"{of}: {len(r.standing)} lines stand, the highest {top.height_db:.1f} dB over the floor at {hz:.10g} Hz"
        found.append(Finding("warning", text))
    return found


def _wrong_levels(audit: Audit) -> list[Finding]:
    """Return an error for each constant run whose amplitudes are not those predicted, to rounding."""
    found = []
    for r in audit.runs:
        if audit.predicted is None or r.input != "constant" or r.seed != audit.runs[0].seed:
            continue
        measured = np.array([10 ** (m.level_db / 20) for m in r.lines])
        apart = np.abs(measured - np.sqrt(audit.predicted))
        if apart.max() > ROUNDINGS * r.resolution:
            hz = float(audit.lines[int(apart.argmax())].hz(audit.sr))
            text = f"constant input, seed {r.seed}: amplitude at {hz:.10g} Hz is {apart.max():.3g} off its prediction"
            found.append(Finding("error", text))
    return found


def _limits(found: Spine) -> tuple[Finding, ...]:
    notes = []
    if not found.whole and found.described_rate != found.rate:
        text = (
            f"the module's rate is ×{found.rate}, the layers seen make ×{found.described_rate}: something changes the "
            "rate outside of described modules, and its lines are not predicted"
        )
        notes.append(Finding("error", text))
    if found.undescribed:
        notes.append(Finding("note", f"not described, taken to keep the rate: {_names(found)}"))
    return tuple(notes)


def _names(found: Spine) -> str:
    kinds: dict[str, int] = {}
    for s in found.undescribed:
        kinds[s.kind] = kinds.get(s.kind, 0) + 1
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.items())


def _roundoff(dtype: torch.dtype) -> float:
    return UNIT_ROUNDOFF.get(dtype, 2.0**-24)

