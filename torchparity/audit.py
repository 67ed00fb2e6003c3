"""Predicted and measured lines of a decoder, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.chain import Chain
from dspref.documents import MOST
from dspref.lines import Line, tone_lines
from torchparity.arithmetic import unit
from torchparity.calls import private_copy
from torchparity.measure import ROUNDINGS, Bench, Measured, channels_of, measure, measure_recording
from torchparity.roundoff import roundoff
from torchparity.spine import Spine, spine

MARGIN = 256
"""Samples of a constant that show the rounding bound of its steady response."""

LARGEST = 1 << 28
"""Output samples of one run beyond which an audit is refused: 1 GiB of float32."""


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
    runs: tuple[Measured, ...]
    notes: tuple[Finding, ...]
    recording: Array | None = field(default=None, repr=False, compare=False)

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
    recorded: int | None = None,
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
    recorded : int, optional
        Its rate in Hz: then `sr` is that times the module's rate.

    Raises
    ------
    NotAnalysable
        If the module refuses the input, answers at random, or has no upsampling layer.
    """
    runs: list[Measured] = []
    spines: list[Spine] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = private_copy(target) if isinstance(target, nn.Module) else target().eval()
            progress(f"seed {seed}: looking for upsampling layers")
            found = spine(module, channels_of(module, shape))
            _check_chain(found, shape)
            bench = Bench(module, found, seed, shape, progress)
            runs += measure(bench) if recording is None else [measure_recording(bench, recording)]
        spines.append(found)
    first = spines[0]
    rate = Fraction(sr) if recorded is None else recorded * first.rate
    return Audit(name, rate, first, tone_lines(first.chain), tuple(runs), _limits(first), recording)


def _check_chain(found: Spine, shape: tuple[int, ...]) -> None:
    if found.chain.factor == 1:
        hint = f"what ran and was not described: {_names(found) or 'nothing'}"
        raise NotAnalysable(complaint("upsampling layers", "none", "at least one, called as a module", hint))
    if found.chain.factor > MOST:
        raise NotAnalysable(complaint("factor", found.chain.factor, f"at most {MOST}"))
    if len(shape) > 1 and math.prod(shape) * found.rate > LARGEST:
        raise NotAnalysable(complaint("output", f"about {math.prod(shape) * found.rate} samples", f"at most {LARGEST}"))


def _judge(r: Measured, sr: Fraction) -> list[Finding]:
    """Return what one run has to say: peaks off the grid, and lines on it."""
    of = f"{r.input} input, seed {r.seed}"
    found = []
    if not r.periodic and r.input == "constant":
        text = f"{of}: the response never becomes periodic, as that of a chain of upsampling layers does"
        found.append(Finding("error", text))
    if r.off_grid and r.judged:
        highest = sorted(r.off_grid, key=lambda p: -p.height_db)[:5]
        where = ", ".join(f"{p.freq * float(sr):.6g} Hz (+{p.height_db:.0f} dB)" for p in highest)
        peaks = f"{len(r.off_grid)} peak{'s' if len(r.off_grid) > 1 else ''}"
        found.append(Finding("error", f"{of}: {peaks} off the predicted grid: {where}"))
    if not r.judged and r.input == "noise":
        text = f"{of}: too short to tell tones from noise; leave the length to the audit"
        found.append(Finding("note", text))
    if r.standing:
        top = max(r.standing, key=lambda m: m.height_db)
        hz = float(top.freq * sr)
        lines = "1 line stands" if len(r.standing) == 1 else f"{len(r.standing)} lines stand"
        text = f"{of}: {lines}, the highest {top.height_db:.1f} dB over the floor at {hz:.10g} Hz"
        found.append(Finding("warning", text))
    return found


def _wrong_levels(audit: Audit) -> list[Finding]:
    """Return an error for each constant run whose amplitudes are further from the prediction than rounding goes."""
    found = []
    for r in audit.runs:
        if audit.predicted is None or r.input != "constant" or r.seed != audit.runs[0].seed:
            continue
        measured = np.array([10 ** (m.level_db / 20) for m in r.lines])
        apart = np.abs(measured - np.sqrt(audit.predicted))
        allowed = _rounding(audit.spine.chain, r)
        if apart.max() > allowed:
            hz = float(audit.lines[int(apart.argmax())].hz(audit.sr))
            text = f"constant input, seed {r.seed}: amplitude at {hz:.10g} Hz is {apart.max():.3g} off its prediction"
            found.append(Finding("error", text))
    return found


def _rounding(chain: Chain, r: Measured) -> float:
    """Return how far rounding may take an amplitude.

    It is a mean of samples, so no more than the largest rounding bound of a sample, and what the transform of N
    samples adds, of the order of log₂ N roundings (N. J. Higham, *Accuracy and Stability of Numerical Algorithms*,
    2002, ch. 24); what lies below the resolution is read as the resolution. Where no bound is known (linear
    interpolation behind a layer that rounds), `ROUNDINGS` stand for it.
    """
    ones = np.ones((chain.in_channels or 1, MARGIN))
    try:
        bound = float(roundoff(chain, ones, r.dtype).max())
    except NotAnalysable:
        bound = ROUNDINGS * r.resolution
    largest = r.resolution / unit(r.dtype)
    return bound + 2 * math.log2(1 / r.bin) * unit(float) * largest + r.resolution


def _limits(found: Spine) -> tuple[Finding, ...]:
    notes = []
    if found.undescribed:
        notes.append(Finding("note", f"not described, taken to keep the rate: {_names(found)}"))
    return tuple(notes)


def _names(found: Spine) -> str:
    kinds: dict[str, int] = {}
    for s in found.undescribed:
        kinds[s.kind] = kinds.get(s.kind, 0) + 1
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
