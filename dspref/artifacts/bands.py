"""Findings of filtering, borders and images: UA201 … UA204, UA301, UA302, UA401 and UA404."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import as_complex
from dspref.artifacts.finding import Finding
from dspref.artifacts.prospect import Prospect, lengths, norms, shared_taps
from dspref.artifacts.rules import rule
from dspref.chain import Chain
from dspref.nulls import multiplicity, response_nulls, whole
from dspref.outline import Outline
from dspref.stretchfilter import StretchFilter


def filtering(about: Prospect) -> Iterator[Finding]:
    """Yield UA201 … UA204 of the layers that filter every channel alike."""
    for owner, place, stage in about.layers:
        if (h := shared_taps(stage)) is None:
            continue
        s, spacing = int(stage.factor), about.rates[place]
        null = response_nulls(Chain([stage]))
        ks = [k for k in range(1, s // 2 + 1) if null(Fraction(k, s))]
        if ks:
            formula = f"H(k/{s}) = 0 for k = {', '.join(map(str, ks[:8]))}{' …' if len(ks) > 8 else ''}"
            where = about.where(ks[0] * spacing, owner, place)
            yield Finding(
                rule("UA201"), "note", None, "no level: nothing is left there", formula, count=len(ks), **where
            )
        if s % 2 == 0 and zeros_at_nyquist(h) > 2:
            where = about.where(about.rates[place + 1] / 2, owner, place)
            formula = f"(1 + z⁻¹) divides H {zeros_at_nyquist(h)} times"
            yield Finding(rule("UA204"), "note", None, "no level: nothing is left there", formula, count=1, **where)
        yield from _levels_of_filter(about, owner, place, Chain([stage]).collapse())


def _levels_of_filter(about: Prospect, owner: int, place: int, u: StretchFilter) -> Iterator[Finding]:
    """Yield UA202 and UA203, where the filter passes DC at all."""
    dc, edge = norms(u, [0.0, 0.5 / u.L])
    if dc == 0 or edge == 0 or u.h.size == 1:
        return
    droop = 20 * math.log10(edge / dc)
    severity = "warning" if droop <= about.limits.droop_warning_db else "note"
    where = about.where(about.rates[place] / 2, owner, place)
    formula = f"|H(1/{2 * u.L})| = {edge:.4g}, |H(0)| = {dc:.4g}"
    yield Finding(rule("UA202"), severity, droop, rule("UA202").reference, formula, count=1, **where)
    energy = float((np.abs(as_complex("taps", u.h)) ** 2).sum())
    level = 10 * math.log10(energy / dc**2)
    formula = f"Σh² = {energy:.4g}, (Σh)² = {dc**2:.4g}"
    yield Finding(rule("UA203"), "note", level, rule("UA203").reference, formula, owner=owner, stage=place)


def zeros_at_nyquist(h: ArrayLike) -> int:
    """Return how often (1 + z⁻¹) divides H, for exact taps; floats are taken as the fractions they are.

    Examples
    --------
    >>> zeros_at_nyquist([1, 3, 3, 1]), zeros_at_nyquist([1, 2, 1]), zeros_at_nyquist([1])
    (3, 2, 0)
    """
    taps = np.array([Fraction(v) for v in np.asarray(h).flatten().tolist()], object)
    return multiplicity(whole(taps), 2) if taps.any() else 0


def borders(about: Prospect) -> Iterator[Finding]:
    """Yield UA301 and UA302: lengths alone say them, so weights need not be known."""
    u = lengths(about.chain)
    time = u.h.shape[-1] + abs(u.offset) + abs(u.excess) + 1
    steady = u.steady(time)
    lead, tail = steady.start, u.L * time - steady.stop
    if lead or tail:
        ms = [float(1000 * n / about.sr) for n in (lead, tail)]
        formula = f"{lead} samples ({ms[0]:.3g} ms) at the beginning, {tail} ({ms[1]:.3g} ms) at the end"
        yield Finding(rule("UA301"), "note", None, "samples", formula, count=lead + tail)
    if u.excess:
        formula = f"{u.L}·time {'+' if u.excess > 0 else '−'} {abs(u.excess)} samples"
        yield Finding(rule("UA302"), "warning", None, "samples", formula, count=abs(u.excess))


def images(about: Prospect) -> Iterator[Finding]:
    """Yield UA401 and UA404: what each layer alone makes of one component at its input."""
    f0 = about.component
    for owner, place, stage in about.layers:
        s, where_to = int(stage.factor), about.rates[place + 1]
        places = {p for k in range(1, s // 2 + 1) for p in ((k - f0) / s, (k + f0) / s) if p <= Fraction(1, 2)}
        if not places:
            continue
        if isinstance(stage, Outline):
            where = about.where(min(places) * where_to, owner, place)
            formula = f"f0 = {f0} of the layer's input: images possible, level not known"
            yield Finding(rule("UA401"), "note", None, rule("UA401").reference, formula, count=len(places), **where)
            continue
        ordered = sorted(places)
        own, *gains = norms(Chain([stage]).collapse(), [float(f0 / s), *map(float, ordered)])
        top = max(range(len(gains)), key=gains.__getitem__)
        if own == 0 or gains[top] == 0:
            continue
        level = 20 * math.log10(gains[top] / own)
        id = "UA404" if stage.op == "filter" and stage.length == 1 else "UA401"
        formula = f"‖H({ordered[top]})‖ = {gains[top]:.4g}, ‖H({f0 / s})‖ = {own:.4g}, f0 = {f0} of the layer's input"
        severity = "warning" if level >= about.limits.image_warning_db else "note"
        where = about.where(ordered[top] * where_to, owner, place)
        yield Finding(rule(id), severity, level, rule(id).reference, formula, count=len(places), **where)
