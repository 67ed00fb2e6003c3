"""Predicted and measured lines of a decoder, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import nn

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.documents import MOST
from dspref.lines import tone_lines
from torchparity.audited import Audit, Cure, Expectation, Steady
from torchparity.calls import private_copy
from torchparity.judged import Finding
from torchparity.measure import Bench, Measured, channels_of, measure, measure_recording
from torchparity.spine import Spine, spine

__all__ = ["Audit", "Cure", "Expectation", "Finding", "Steady", "audit"]

LARGEST = 1 << 28
"""Output samples of one run beyond which an audit is refused: 1 GiB of float32."""


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
