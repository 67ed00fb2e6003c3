"""Audits: which lines a decoder can make, is expected to make, makes of a constant, and makes of any signal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import nn

from dspref.arrays import Array, NotAnalysable, as_choice, complaint
from dspref.artifacts import Finding as Artifact
from dspref.artifacts import findings as artifacts_of
from dspref.artifacts.prospect import in_hertz
from dspref.artifacts.rules import rule as rule_of
from dspref.chain import Chain
from dspref.documents import MOST
from dspref.lines import Line, tone_lines
from torchparity.actual import actual
from torchparity.adapt import Adaptation, Call
from torchparity.audited import Audit, Cure, Expectation, Steady
from torchparity.bench import LARGEST, Bench
from torchparity.calls import private_copy
from torchparity.checkpoint import load_checkpoint
from torchparity.cures import cures, rule_id, tried
from torchparity.equalgains import tone_free_layers
from torchparity.expecting import expectations, expected_of
from torchparity.flow import Flow, flow, marked, words
from torchparity.judged import Finding
from torchparity.measure import Measured, measure, measure_recording
from torchparity.signals import SIGNALS
from torchparity.spine import Spine, spine

__all__ = ["Audit", "Call", "Cure", "Expectation", "Finding", "Steady", "audit", "audit_architecture"]


def audit(
    target: nn.Module | Callable[[], nn.Module],
    *,
    name: str = "module",
    sr: Fraction | float = 1,
    seeds: Sequence[int] = (0,),
    call: Call | None = None,
    signals: Sequence[str] = (),
    recording: Array | None = None,
    recorded: int | None = None,
    checkpoint: str | Path | None = None,
    measured_only: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Audit:
    """Say which lines a decoder can make, is expected to make, makes of a constant, and makes of signals.

    The steady part is where the response to a constant repeats with the period S of the chain, to rounding; the
    same samples are then measured under noise. Each factory call follows ``torch.manual_seed(seed)``.

    Parameters
    ----------
    target : nn.Module, or a function that makes one
    sr : number
        Output rate in Hz.
    seeds : sequence of int
        One network and one noise each.
    call : Call, optional
        How the module is called.
    signals : sequence of str
        Some of `torchparity.signals.SIGNALS`. If none are given: the recording, or constant and noise.
    recording : array (time,), optional
        Fed to a module of one input channel.
    recorded : int, optional
        Its rate in Hz: then `sr` is that times the module's rate.
    checkpoint : path, optional
        Weights to load into the module, see `torchparity.checkpoint`.
    measured_only : bool
        Whether to leave out what takes most of the time: expected and actual lines, and cures.

    Raises
    ------
    NotAnalysable
        If the module refuses the input, answers at random, or has no upsampling layer.
    ValueError
        If the checkpoint's weights are not those of the module.
    """
    how = call or Call()
    wanted = tuple(as_choice("input signal", each, SIGNALS) for each in signals)
    wanted = wanted or (("constant", "noise") if recording is None else ())
    runs: list[Measured] = []
    first: tuple[Bench, Adaptation, nn.Module | None, tuple[str, ...], Flow] | None = None
    for seed in seeds:
        module, fresh, remarks = _made(target, seed, checkpoint)
        progress(f"seed {seed}: looking for upsampling layers")
        bench, adaptation = _bench(module, how, seed, progress, 0 if first is None else first[0].spine.grown)
        known = flow(bench)
        found = list(measure(bench, wanted)) if wanted else []
        found += [measure_recording(bench, recording)] if recording is not None else []
        runs += marked(bench, known, found)
        first = first or (bench, adaptation, fresh, remarks, known)
    if first is None:
        raise ValueError(complaint("seeds", "none", "at least one"))
    bench, adaptation, fresh, remarks, known = first
    rate = Fraction(sr) if recorded is None else recorded * bench.spine.rate
    notes = (*_limits(bench.spine), *_dynamic(known, runs), *_silent(wanted, runs))
    made = Audit(
        name,
        rate,
        bench.spine,
        _lines(bench.spine),
        tuple(runs),
        notes,
        recording,
        artifacts=_artifacts(bench.spine, rate),
        remarks=(*remarks, *adaptation.remarks),
        checkpoint=None if checkpoint is None else str(checkpoint),
        tone_free=tone_free_layers(bench.module, bench.spine),
    )
    return made if measured_only else _explained(made, bench, adaptation if fresh is None else how.adapted(fresh))


def audit_architecture(chain: Chain, *, name: str, sr: Fraction | float) -> Audit:
    """Return what an architecture says without any weights: possible and expected lines, and what would cure them.

    Parameters
    ----------
    chain : Chain
    name : str
    sr : number
        Output rate in Hz.

    Examples
    --------
    >>> from dspref import parse
    >>> made = audit_architecture(parse("conv k7 p3 | leaky | convt k8 s4 p2"), name="small", sr=16000)
    >>> [float(line.hz(made.sr)) for line in made.lines], made.runs, made.cures[0].freq * made.sr
    ([0.0, 4000.0, 8000.0], (), Fraction(8000, 1))
    """
    _check_chain(chain, Fraction(chain.factor))
    lines, expected = tone_lines(chain), expected_of(chain, where=name)
    bare = Spine(chain, True, (), Fraction(chain.factor))
    found = tuple(cures(bare, lines, (), expected))
    note = Finding("note", "an architecture without weights: nothing was run, nothing was measured")
    notes = (note, *_foreseen(expected, Fraction(sr)))
    return Audit(name, Fraction(sr), bare, lines, (), notes, None, expected, (), _artifacts(bare, sr), found)


def _foreseen(expected: Sequence[Expectation], sr: Fraction) -> Iterator[Finding]:
    """Yield a warning for the finest comb that is expected to stand over the floor of noise."""
    for each in expected:
        if each.input == "noise" and (comb := each.finest) is not None:
            every, level = comb.every_hz(sr), comb.db
            text = f"noise input, before training: lines at multiples of {every:.10g} Hz stand over the floor"
            yield Finding("warning", f"{text}, at {level:.1f} dB on average the finest comb that does")


def _made(
    target: nn.Module | Callable[[], nn.Module], seed: int, checkpoint: str | Path | None
) -> tuple[nn.Module, nn.Module | None, tuple[str, ...]]:
    """Return the module, the same before weights were loaded if any were, and what was done to load them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = private_copy(target) if isinstance(target, nn.Module) else target().eval()
    if checkpoint is None:
        return module, None, ()
    fresh = private_copy(module)
    return module, fresh, load_checkpoint(module, checkpoint)


def _bench(
    module: nn.Module, how: Call, seed: int, progress: Callable[[str], None], first: int
) -> tuple[Bench, Adaptation]:
    """Return a module on the bench, with what upsamples in it, and how it is called."""
    adaptation = how.adapted(module)
    found = spine(adaptation.module, adaptation.channels, length=adaptation.length, first=first)
    _check_chain(found.chain, found.rate)
    if how.time is not None and how.batch * adaptation.channels * how.time * found.rate > LARGEST:
        got = f"about {how.batch * adaptation.channels * how.time * found.rate} samples"
        raise NotAnalysable(complaint("output", got, f"at most {LARGEST}"))
    sizes = (how.batch, adaptation.channels)
    return Bench(adaptation.module, found, seed, sizes, how.time, adaptation.length, progress), adaptation


def _explained(made: Audit, bench: Bench, untrained: Adaptation) -> Audit:
    """Return the audit with what is expected, the lines of these weights, and what would cure them."""
    bench.progress("expected lines")
    expected = expectations(untrained.module, untrained.channels, length=bench.followed, where=made.name)
    bench.progress("lines of these weights")
    steady = tuple(actual(bench))
    found = list(cures(made.spine, made.lines, steady, expected, made.tone_free))
    constant = next((each for each in steady if each.input == "constant"), None)
    if constant is not None:
        found += tried(bench, made.lines, constant, made.tone_free)
    ordered = tuple(sorted(found, key=lambda cure: cure.owner))
    return replace(made, expected=expected, actual=steady, cures=ordered)


def _lines(found: Spine) -> tuple[Line, ...]:
    """Return the possible lines over all ways, with levels only where the chain is the whole module."""
    lines = tuple(map(found.owned, tone_lines(found.chain)))
    return lines if found.whole else tuple(replace(line, amplitude=None) for line in lines)


WITHOUT_CONVOLUTIONS = ("UA301", "UA302", "UA402", "UA403")
"""Rules that a chain of upsampling layers alone says nothing of: other layers have borders, maps and biases."""


def _artifacts(found: Spine, sr: Fraction | float) -> tuple[Artifact, ...]:
    """Return what the chain does besides, as far as it is known, and the lines that layers on other ways own."""
    try:
        every = artifacts_of(found.chain, sr)
    except NotAnalysable:
        every = ()
    kept = tuple(f for f in every if found.whole or f.rule.id not in WITHOUT_CONVOLUTIONS)
    if not found.branches:
        return kept
    lines = _lines(found)
    owned = Counter(line.owner for line in lines if line.freq)
    fewer = (replace(f, count=owned[f.owner]) if f.rule.family == "tones" and f.owner else f for f in kept)
    return (*fewer, *_of_branches(found, lines, Fraction(sr)))


def _of_branches(found: Spine, lines: Sequence[Line], sr: Fraction) -> Iterator[Artifact]:
    """Yield the lines that no layer of the chain owns."""
    for layer in found.layers:
        mine = [line for line in lines if line.owner == layer.owner and line.freq]
        if layer.branch and mine and (id := rule_id(layer.stage)) is not None:
            rule = rule_of(id)
            formula = f"lines possible at k·{in_hertz(layer.spacing * sr)}, level not known: {rule.why}"
            freq, hz = mine[0].freq, mine[0].hz(sr)
            yield Artifact(rule, "note", None, "dBc", formula, freq, hz, count=len(mine), owner=layer.owner)


def _check_chain(chain: Chain, rate: Fraction) -> None:
    if chain.factor == 1:
        many = "as many samples as the input" if rate == 1 else f"{rate} of the samples of the input"
        got = f"none: the output has {many}, the module does not upsample"
        hint = "calls of modules, functions and methods were all followed; audit the part that upsamples"
        raise NotAnalysable(complaint("upsampling layers", got, "at least one", hint))
    if chain.factor > MOST:
        raise NotAnalysable(complaint("factor", chain.factor, f"at most {MOST}"))


def _limits(found: Spine) -> tuple[Finding, ...]:
    if not found.undescribed:
        return ()
    return (Finding("note", f"rates are known and counted, kernels are not: {_names(found)}"),)


def _dynamic(known: Flow, runs: Sequence[Measured]) -> Iterator[Finding]:
    """Yield a note if which calls are made depends on values."""
    if text := words(known, runs):
        yield Finding("note", text)


def _silent(wanted: Sequence[str], runs: Sequence[Measured]) -> Iterator[Finding]:
    """Yield a note for each signal of which nothing comes out."""
    for name in wanted:
        if not any(r.input == name for r in runs):
            yield Finding("note", f"{name} input: silence comes out, so there is nothing to measure")


def _names(found: Spine) -> str:
    kinds: dict[str, int] = {}
    for s in found.undescribed:
        kinds[s.kind] = kinds.get(s.kind, 0) + 1
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
