"""Findings of tones and of what feeds them: UA101 … UA105 and UA107, and the offsets of UA402 and UA403."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.artifacts.finding import Finding
from dspref.artifacts.prospect import Prospect, in_hertz, line_amplitudes, norms
from dspref.artifacts.rules import rule
from dspref.chain import Chain, Pointwise, Stage
from dspref.outline import Outline


def tones(about: Prospect) -> Iterator[Finding]:
    """Yield the lines that are new at each layer, by its taps and by its bias."""
    for owner, place, stage in about.layers:
        periodic = _periodic_bias(stage)
        unknown_bias = isinstance(stage, Outline) and stage.op == "shuffle"
        if not about.free[place]:
            lines = about.lines
            if lines is not None and periodic and about.chain.affine:
                lines = lines - _bias_lines(about, place)
            yield from _tone(about, owner, place, lines, _tone_rule(stage))
        if periodic or unknown_bias:
            known = periodic and (about.chain.affine or about.free[place]) and about.lines is not None
            lines = (_bias_lines(about, place) if about.chain.affine else about.lines) if known else None
            yield from _tone(about, owner, place, lines, "UA103")


def _bias_lines(about: Prospect, place: int) -> Array:
    """Return the lines that one bias makes of its own: the input silent, no other bias."""
    lines = line_amplitudes(_alone(about.chain, place), np.zeros(about.chain.in_channels or 1))
    assert lines is not None
    return lines


def _tone_rule(stage: Stage) -> str:
    if stage.length is not None and stage.length < stage.factor and stage.op in ("convt", "filter"):
        return "UA107"
    return {"convt": "UA101", "shuffle": "UA102"}.get(stage.op, "UA105")


def _tone(about: Prospect, owner: int, place: int, lines: Array | None, id: str) -> Iterator[Finding]:
    """Yield the finding of one layer's lines; nothing where there is nothing at all."""
    spacing = about.rates[place]
    s, first = about.chain.stages[place].factor, spacing
    if lines is None:
        ks = about.owned(owner)
        formula = f"lines possible at k·{in_hertz(spacing * about.sr)}, level not known: {rule(id).why}"
        where = about.where(first, owner, place)
        yield Finding(rule(id), "note", None, "dBc", formula, count=len(ks), **where)
        return
    k, level, count = about.worst(owner, lines)
    if level is None:
        return
    freq, place_in = Fraction(k, about.S), about.rates[place + 1]
    share = f"{10 ** (level / 20):.4g} of the offset at {in_hertz(freq * about.sr)}"
    h = norms(Chain([about.chain.stages[place]]).collapse(), [0.0, float(freq / place_in)])
    alone = f"of the layer alone, s = {s}, ‖H({freq / place_in % 1})‖ = {h[1]:.4g}, ‖H(0)‖ = {h[0]:.4g}"
    formula = f"its bias alone makes {share}" if id == "UA103" else f"|c_k| is {share}; {alone}"
    severity = about.limits.of_tone(level)
    yield Finding(rule(id), severity, level, about.reference, formula, count=count, **about.where(freq, owner, place))


def _periodic_bias(stage: Stage) -> bool:
    bias = stage.bias_phases
    return bias is not None and bool((bias != bias[:, :1]).any())


def _alone(chain: Chain, place: int) -> Chain:
    """Return the chain with the bias of one stage and no other."""
    stages: list[Any] = list(chain.stages)
    return Chain(
        replace(s, bias=None) if i != place and getattr(s, "bias", None) is not None else s
        for i, s in enumerate(stages)
    )


def offsets(about: Prospect) -> Iterator[Finding]:
    """Yield UA402 and UA403: sources of offsets, where a layer behind them may make lines."""
    for place, stage in enumerate(about.chain.stages):
        behind = [owner for owner, p, _ in about.layers if p > place and not about.free[p]]
        if not behind:
            continue
        if isinstance(stage, Pointwise):
            share = offset_share(stage)
            level = 10 * math.log10(share) if share > 0 else None
            if level is not None:
                formula = f"{stage.op}: {share:.4g} of the power is offset, for a Gaussian of variance 1"
                severity = "warning" if level >= about.limits.tone_error_db else "note"
                yield Finding(rule("UA402"), severity, level, rule("UA402").reference, formula, stage=place)
        elif stage.bias_phases is not None and np.any(stage.bias_phases != 0):
            yield _bias(about, place, behind)


def _bias(about: Prospect, place: int, behind: list[int]) -> Finding:
    if not about.chain.affine:
        formula = f"the bias of stage {place} enters layers {', '.join(map(str, behind))}: level voided by a map"
        return Finding(rule("UA403"), "note", None, "dBc", formula, stage=place)
    lines = _bias_lines(about, place)
    k, level = max(((k, v) for k, v, _ in (about.worst(o, lines) for o in behind) if v is not None), default=(0, None))
    formula = f"the bias of stage {place} alone, into layers {', '.join(map(str, behind))}"
    freq = Fraction(k, about.S) if k else None
    where: dict[str, Any] = {"freq": freq, "hz": None if freq is None else freq * about.sr}
    return Finding(rule("UA403"), about.limits.of_tone(level), level, about.reference, formula, stage=place, **where)


def offset_share(stage: Pointwise) -> float:
    """Return the part of the power that a map makes an offset of, for a Gaussian of mean 0 and variance 1.

    ``(E φ)²/E φ²`` by Gauss–Hermite quadrature, on both sides of 0 apart where maps have a kink there; for "glu", its
    halves independent, 0.

    Examples
    --------
    >>> round(offset_share(Pointwise("relu")) * math.pi, 6), offset_share(Pointwise("tanh"))
    (1.0, 0.0)
    """
    if stage.name in ("glu", "tanh"):
        return 0.0
    t, w = np.polynomial.legendre.leggauss(200)
    x = np.concatenate([6 * (t - 1), 6 * (t + 1)])  # −12 … 0 and 0 … 12: what lies beyond weighs less than 10⁻³²
    density = np.tile(6 * w, 2) * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    y = stage(x[None, :])[0]
    return float((density @ y) ** 2 / (density @ y**2))
