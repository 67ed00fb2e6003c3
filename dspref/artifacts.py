"""What a chain does to sound, as findings: a rule of `dspref.rules` with its numbers put in.

Severity comes from the predicted level, never from how kernels overlap. Where weights are not known, lines are possible,
their level is not, and the finding is a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, align, as_complex, as_exact, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.nulls import nulls, provable
from dspref.outline import Outline
from dspref.rules import Rule, rule
from dspref.stretchfilter import StretchFilter

SEVERITIES = ("error", "warning", "note")

QUARTER = Fraction(1, 4)
"""The middle of the input's band, in cycles per input sample."""


@dataclass(frozen=True)
class Thresholds:
    """Levels from which a finding is more than a note. They are conventions: set your own.

    Attributes
    ----------
    tone_warning_db : float
        −96.33 dB, one step of 16 bits under full scale: below it a line is lost in a 16-bit file even if the offset
        is as large as can be.
    tone_error_db : float
        −60 dB: a line a thousandth of the offset, heard where an offset of a tenth of full scale meets silence.
    image_warning_db : float
        −20 dB, a tenth of the component. Images are never errors: later layers may want them.
    droop_warning_db : float
        −3 dB: half the power is gone at the edge of the band.
    """

    tone_warning_db: float = 20 * math.log10(2.0**-16)
    tone_error_db: float = -60.0
    image_warning_db: float = -20.0
    droop_warning_db: float = -3.0

    def __post_init__(self) -> None:
        for name, level in vars(self).items():
            if not math.isfinite(level):
                raise ValueError(complaint(name, level, "a number of dB"))
        if self.tone_error_db < self.tone_warning_db:
            got = f"{self.tone_error_db} dB, below the warning's {self.tone_warning_db} dB"
            raise ValueError(complaint("tone_error_db", got, "at least tone_warning_db"))

    def of_tone(self, level_db: float | None) -> str:
        """Return the severity of a line; a note where its level is not known."""
        if level_db is None or level_db < self.tone_warning_db:
            return "note"
        return "error" if level_db >= self.tone_error_db else "warning"


@dataclass(frozen=True)
class Finding:
    """One artifact of one layer.

    Attributes
    ----------
    rule : Rule
        What it is, why, and the cure.
    severity : {'error', 'warning', 'note'}
    level_db : float or None
        Relative to `reference`; None where it is not known, or is none.
    reference : str
    freq, hz : Fraction or None
        Where: the strongest line, or the first; in cycles per output sample and in Hz.
    count : int
        How many such lines, nulls or images there are, up to half the rate.
    owner, stage : int or None
        The upsampling layer, counted from 1, and its place in the chain.
    formula : str
        Why, with the numbers.
    """

    rule: Rule
    severity: str
    level_db: float | None
    reference: str
    formula: str
    freq: Fraction | None = None
    hz: Fraction | None = None
    count: int = 0
    owner: int | None = None
    stage: int | None = None

    @property
    def cure(self) -> str:
        """What helps."""
        return self.rule.cure

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; frequencies as exact text, and `hz` also as a number."""
        return {
            "rule": self.rule.id,
            "title": self.rule.title,
            "severity": self.severity,
            "level_db": self.level_db,
            "reference": self.reference,
            "freq": None if self.freq is None else str(self.freq),
            "hz": None if self.hz is None else float(self.hz),
            "hz_exact": None if self.hz is None else str(self.hz),
            "count": self.count,
            "owner": self.owner,
            "stage": self.stage,
            "formula": self.formula,
            "cure": self.cure,
        }

    def __str__(self) -> str:
        where = "" if self.stage is None else f" (stage {self.stage})"
        level = "" if self.level_db is None else f" {self.level_db:.1f} {self.reference}"
        return f"{self.severity} {self.rule.id} {self.rule.title}{where}:{level} {self.formula}".replace(":  ", ": ")


def findings(
    chain: Chain,
    sr: Fraction | float,
    *,
    offset: ArrayLike = 1,
    component: Fraction | float | str = QUARTER,
    thresholds: Thresholds | None = None,
) -> tuple[Finding, ...]:
    """Return what the chain does to sound: tones, filtering, borders, replicas and offsets, the worst first.

    Parameters
    ----------
    chain : Chain
    sr : number
        Output rate in Hz.
    offset : number or array (in,)
        Mean of the input, for the levels of lines. Behind a pointwise map they hold for this constant input alone.
    component : Fraction
        Frequency of which each layer's images are told, in cycles per sample at that layer's input.
    thresholds : Thresholds

    Returns
    -------
    tuple of Finding, by severity, then by stage. A layer that is proved to make no line has no finding of a tone.

    Raises
    ------
    ValueError
        If `sr` is not above 0, or `component` not within 0 … 1/2.
    NotAnalysable
        If a stage lowers the rate or has no fixed grid.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> worst = findings(Chain([TransposedConv([[[1, 1, 1]]], stride=2)]), 16000)[0]
    >>> worst.rule.id, str(worst.hz), round(worst.level_db, 2)
    ('UA101', '8000', -9.54)
    """
    about = _About(chain, sr, offset, as_exact("component", component), thresholds or Thresholds())
    found = [*_tones(about), *_noise(about), *_filtering(about), *_borders(about), *_images(about), *_offsets(about)]
    return tuple(sorted(found, key=lambda f: (SEVERITIES.index(f.severity), f.stage or 0, f.rule.id)))


class _About:
    """A chain, and what every finding asks of it, computed once."""

    def __init__(self, chain: Chain, sr: Any, offset: ArrayLike, component: Fraction, limits: Thresholds) -> None:
        if not isinstance(sr, (int, float, Fraction)) or isinstance(sr, bool) or not math.isfinite(sr) or sr <= 0:
            raise ValueError(complaint("output rate", repr(sr), "a number of hertz > 0", "as sr=22050"))
        if not 0 <= component <= Fraction(1, 2):
            raise ValueError(complaint("component", f"{component} cycles/sample", "0 … 1/2 of the layer's input rate"))
        self.chain, self.sr, self.component, self.limits = chain, Fraction(sr), component, limits
        self.S, self.rates, self.offset = chain.factor, chain.rates(1), chain.checked_offset(offset)
        self.layers = tuple((owner, place, stage) for owner, (place, stage) in enumerate(chain.upsamplers, 1))
        self.free = {place: tone_free(stage) for _, place, stage in self.layers}
        self.null = _null_test(chain, self.offset)
        self.lines = _amplitudes(chain, self.offset)

    def owned(self, owner: int) -> list[int]:
        """Return the k of the lines k/S, 0 < k ≤ S/2, that are new at an upsampling layer."""
        spacing = [int(self.rates[place] * self.S) for _, place, _ in self.layers]
        later = spacing[owner:]
        return [k for k in range(spacing[owner - 1], self.S // 2 + 1, spacing[owner - 1]) if all(k % s for s in later)]

    def worst(self, owner: int, lines: Array) -> tuple[int, float | None, int]:
        """Return k of the owner's strongest line, its level re DC (None: nothing at all), and how many there are."""
        power = (np.abs(lines) ** 2).sum(axis=0)
        ks = [k for k in self.owned(owner) if power[k] > 0 and not self.null(Fraction(k, self.S))]
        if not ks:
            return 0, None, 0
        k = max(ks, key=lambda k: float(power[k]))
        return k, 10 * math.log10(power[k]) - self.dc_db, len(ks)

    @property
    def dc_db(self) -> float:
        """Level of the offset at the output; of 1 where there is none."""
        assert self.lines is not None
        power = float((np.abs(self.lines[:, 0]) ** 2).sum())
        return 10 * math.log10(power) if power > 0 else 0.0

    @property
    def reference(self) -> str:
        """What levels of lines are relative to."""
        if self.lines is None or np.any(self.lines[:, 0] != 0):
            return "dBc" if self.chain.affine else "dBc for this constant input"
        return "dB re 1, since the output has no offset"

    def where(self, freq: Fraction, owner: int, stage: int) -> dict[str, Any]:
        """Return the fields of a finding that say where it is."""
        return {"freq": freq, "hz": freq * self.sr, "owner": owner, "stage": stage}


def tone_free(stage: Stage) -> bool:
    """Return whether a layer is proved to keep every constant constant: equal phase gains, exactly.

    Its bias is another matter. False where taps are unknown, or equal up to rounding only.

    Examples
    --------
    >>> from dspref import Linear, TransposedConv
    >>> tone_free(Linear(3)), tone_free(TransposedConv([[[1, 1, 1]]], stride=2))
    (True, False)
    """
    if isinstance(stage, (Outline, Pointwise)) or (proof := provable(Chain([stage]))) is None:
        return False
    gains = proof.collapse().phase_gains
    return bool((gains == gains[:1]).all())


def _periodic_bias(stage: Stage) -> bool:
    bias = stage.bias_phases
    return bias is not None and bool((bias != bias[:, :1]).any())


def steady_period(chain: Chain, offset: ArrayLike) -> Array:
    """Return one period (out, S) of the response to a constant, through pointwise maps too.

    Where the chain is affine this is `Chain.offset_response`; a memoryless map keeps a period a period.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> steady_period(Chain([TransposedConv([[[1, -3]]], stride=2), Pointwise("relu")]), 2)
    array([[2, 0]])
    """
    period = np.array(np.broadcast_to(chain.checked_offset(offset), chain.in_channels or np.size(offset))[:, None])
    for stage in chain.stages:
        if isinstance(stage, Pointwise):
            period = stage(period)
            continue
        u, Q = stage.normal, period.shape[-1]
        repeats = -(-(abs(u.offset) + abs(u.excess) + u.h.shape[-1]) // (u.L * Q)) + 3
        start = -(-u.steady(repeats * Q).start // (u.L * Q)) * u.L * Q
        period = u(np.tile(period, repeats))[..., start : start + u.L * Q]
        if (b := stage.bias_phases) is not None:
            period = np.add(*align(period, np.tile(b, period.shape[-1] // b.shape[-1])))
    return period


def _amplitudes(chain: Chain, offset: ArrayLike) -> Array | None:
    """Return c_k (out, S) for a constant input, or None where weights are missing."""
    if any(isinstance(stage, Outline) for stage in chain.stages):
        return None
    period = chain.offset_response(offset) if chain.affine else steady_period(chain, offset)
    return np.asarray(np.fft.fft(as_complex("amplitudes", period), axis=-1) / chain.factor)


def _null_test(chain: Chain, offset: Array) -> Any:
    proof = provable(chain)
    exact = proof is not None and offset.dtype.kind in "iufO"
    as_fractions = np.frompyfunc(Fraction, 1, 1)
    return nulls(proof.offset_response(as_fractions(offset)) if proof is not None and exact else None)


def _alone(chain: Chain, place: int) -> Chain:
    """Return the chain with the bias of one stage and no other."""
    stages: list[Any] = list(chain.stages)
    return Chain(
        replace(s, bias=None) if i != place and getattr(s, "bias", None) is not None else s
        for i, s in enumerate(stages)
    )


def _tones(about: _About) -> Iterator[Finding]:
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


def _bias_lines(about: _About, place: int) -> Array:
    """Return the lines that one bias makes of its own: the input silent, no other bias."""
    lines = _amplitudes(_alone(about.chain, place), np.zeros(about.chain.in_channels or 1))
    assert lines is not None
    return lines


def _tone_rule(stage: Stage) -> str:
    if stage.length is not None and stage.length < stage.factor and stage.op in ("convt", "filter"):
        return "UA107"
    return {"convt": "UA101", "shuffle": "UA102"}.get(stage.op, "UA105")


def _tone(about: _About, owner: int, place: int, lines: Array | None, id: str) -> Iterator[Finding]:
    """Yield the finding of one layer's lines; nothing where there is nothing at all."""
    spacing = about.rates[place]
    s, first = about.chain.stages[place].factor, spacing
    if lines is None:
        ks = about.owned(owner)
        formula = f"lines possible at k·{_hz(spacing * about.sr)}, level not known: {rule(id).why}"
        where = about.where(first, owner, place)
        yield Finding(rule(id), "note", None, "dBc", formula, count=len(ks), **where)
        return
    k, level, count = about.worst(owner, lines)
    if level is None:
        return
    freq = Fraction(k, about.S)
    h = _norms(about.chain.stages[place].normal, [0.0, float(freq / about.rates[place + 1])])
    formula = (
        f"|c_k| at {_hz(freq * about.sr)} = {freq / spacing}·{_hz(spacing * about.sr)} is {10 ** (level / 20):.4g} of the "
        f"offset; of the layer alone, s = {s}, ‖H({freq / about.rates[place + 1] % 1})‖ = {h[1]:.4g}, ‖H(0)‖ = {h[0]:.4g}"
    )
    if id == "UA103":
        formula = f"its bias alone makes {10 ** (level / 20):.4g} of the offset at {_hz(freq * about.sr)}"
    severity = about.limits.of_tone(level)
    yield Finding(
        rule(id), severity, level, about.reference, formula, count=count, **about.where(freq, owner, place)
    )


def _norms(u: StretchFilter, freqs: list[float]) -> list[float]:
    """Return ‖H(ν)‖, over all channels."""
    H = u.response(freqs).reshape(len(freqs), -1)
    return [float(norm) for norm in np.linalg.norm(H, axis=-1)]


def _noise(about: _About) -> Iterator[Finding]:
    """UA106: interpolators of which a map that is not odd sees the phases' powers."""
    stages = about.chain.stages
    for owner, place, stage in about.layers:
        taps = _taps(stage)
        maps = [i for i in range(place + 1, len(stages)) if isinstance(stages[i], Pointwise)]
        if taps is None or not maps or stages[maps[0]].op not in ("relu", "leaky"):
            continue
        lengths = [s.length for s in stages[place + 1 : maps[0]]]
        level = noise_lines_db(taps, int(stage.factor), 1 if not lengths else lengths[0] or 1)
        if level is None or len(lengths) > 1 or any(s.factor != 1 for s in stages[place + 1 : maps[0]]):
            continue
        spacing = about.rates[place]
        formula = f"for white noise, many channels: √v repeats every {stage.factor} samples before stage {maps[0]}"
        severity = about.limits.of_tone(level)
        where = about.where(spacing, owner, place)
        yield Finding(rule("UA106"), severity, level, rule("UA106").reference, formula, count=1, **where)


def noise_lines_db(taps: ArrayLike, s: int, length: int = 1) -> float | None:
    """Return the strongest line that a rectifier makes of white noise behind interpolation and a random convolution.

    ``v[r] = Σ_m h[r + ms]²``, summed over the `length` samples that the convolution sees; of many channels the
    rectifier's offset is ∝ √v[r], and the level ``max_k |Σ √v[r] e^{−j2πkr/s}| / Σ √v[r]``. None where all v are equal.

    Examples
    --------
    >>> round(noise_lines_db([1 / 8, 3 / 8, 5 / 8, 7 / 8, 7 / 8, 5 / 8, 3 / 8, 1 / 8], 4), 1)
    -23.4
    >>> noise_lines_db([1, 1], 2) is None
    True
    """
    h = np.asarray(taps)
    v = [sum((t * t for t in h[r::s]), start=0 * h[0]) for r in range(s)]
    v = [sum(v[(r + j) % s] for j in range(length)) for r in range(s)]
    small = 4 * len(h) * length * np.finfo(float).eps * max(abs(float(x)) for x in v)
    if all(abs(float(x - v[0])) <= small for x in v):
        return None
    c = np.abs(np.fft.fft(np.sqrt(np.array(v, float))))
    return float(20 * np.log10(c[1:].max() / c[0]))


def _taps(stage: Stage) -> Array | None:
    """Return the taps of a layer that filters every channel alike; None of any other."""
    if isinstance(stage, (Outline, Pointwise)) or stage.normal.h.ndim != 1:
        return None
    return stage.normal.h


def _filtering(about: _About) -> Iterator[Finding]:
    for owner, place, stage in about.layers:
        if (h := _taps(stage)) is None:
            continue
        s, spacing = int(stage.factor), about.rates[place]
        proof = provable(Chain([stage]))
        null = nulls(None if proof is None else proof.collapse().h)
        ks = [k for k in range(1, s // 2 + 1) if null(Fraction(k, s))]
        if ks:
            formula = f"H(k/{s}) = 0 for k = {', '.join(map(str, ks[:8]))}{' …' if len(ks) > 8 else ''}"
            where = about.where(ks[0] * spacing, owner, place)
            yield Finding(rule("UA201"), "note", None, "null", formula, count=len(ks), **where)
        if s % 2 == 0 and zeros_at_nyquist(h) > 2:
            where = about.where(about.rates[place + 1] / 2, owner, place)
            formula = f"(1 + z⁻¹) divides H {zeros_at_nyquist(h)} times"
            yield Finding(rule("UA204"), "note", None, "null", formula, count=1, **where)
        yield from _levels_of_filter(about, owner, place, stage.normal)


def _levels_of_filter(about: _About, owner: int, place: int, u: StretchFilter) -> Iterator[Finding]:
    """UA202 and UA203, where the filter passes DC at all."""
    dc, edge = _norms(u, [0.0, 0.5 / u.L])
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

    H has a zero of order m at z = −1 iff ``Σ (−1)ⁿ n^j h[n] = 0`` for j = 0 … m − 1.

    Examples
    --------
    >>> zeros_at_nyquist([1, 3, 3, 1]), zeros_at_nyquist([1, 2, 1]), zeros_at_nyquist([1])
    (3, 2, 0)
    """
    taps = [Fraction(v) for v in np.asarray(h).flat]
    moments = (sum(t * n**j * (-1) ** n for n, t in enumerate(taps)) for j in range(len(taps)))
    return next((j for j, moment in enumerate(moments) if moment), 0)


def _borders(about: _About) -> Iterator[Finding]:
    """UA301 and UA302: lengths alone, so weights need not be known."""
    u = Chain(_ones(stage) for stage in about.chain.stages if not isinstance(stage, Pointwise)).collapse()
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


def _ones(stage: Any) -> Any:
    """Return the stage as one channel of ones: as long, as wide in time, and cheap."""
    from dspref.layers import Conv, SubpixelConv, TransposedConv

    if isinstance(stage, (Conv, SubpixelConv)):
        outer = stage.factor if isinstance(stage, SubpixelConv) else 1
        weight = np.ones((int(outer), 1, stage.length), int)
        return replace(stage, weight=weight, groups=1, bias=None)
    if isinstance(stage, TransposedConv):
        return replace(stage, weight=np.ones((1, 1, stage.length), int), groups=1, bias=None)
    if not isinstance(stage, Outline):
        return stage if (h := _taps(stage)) is None or h.ndim == 1 else replace(stage, taps=np.ones(h.shape[-1], int))
    if stage.op == "shuffle":
        weight = np.ones((stage.stride, 1, stage.length), int)
        return SubpixelConv(weight, stage.stride, padding=stage.padding, dilation=stage.dilation)
    options = {"stride": stage.stride, "padding": stage.padding, "dilation": stage.dilation}
    weight = np.ones((1, 1, stage.length), int)
    if stage.op == "conv":
        return Conv(weight, **options)
    return TransposedConv(weight, output_padding=stage.output_padding, **options)


def _images(about: _About) -> Iterator[Finding]:
    """UA401 and UA404: what each layer alone makes of one component at its input."""
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
        own, *norms = _norms(stage.normal, [float(f0 / s), *map(float, ordered)])
        top = max(range(len(norms)), key=norms.__getitem__)
        if own == 0 or norms[top] == 0:
            continue
        level = 20 * math.log10(norms[top] / own)
        id = "UA404" if stage.op == "filter" and stage.length == 1 else "UA401"
        formula = f"‖H({ordered[top]})‖ = {norms[top]:.4g}, ‖H({f0 / s})‖ = {own:.4g}, f0 = {f0} of the layer's input"
        severity = "warning" if level >= about.limits.image_warning_db else "note"
        where = about.where(ordered[top] * where_to, owner, place)
        yield Finding(rule(id), severity, level, rule(id).reference, formula, count=len(places), **where)


def _offsets(about: _About) -> Iterator[Finding]:
    """UA402 and UA403: sources of offsets, where a layer behind them may make lines."""
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


def _bias(about: _About, place: int, behind: list[int]) -> Finding:
    if not about.chain.affine:
        formula = f"the bias of stage {place} enters layers {', '.join(map(str, behind))}: level voided by a map"
        return Finding(rule("UA403"), "note", None, "dBc", formula, stage=place)
    lines = _bias_lines(about, place)
    k, level = max(((k, v) for k, v, _ in (about.worst(o, lines) for o in behind) if v is not None), default=(0, None))
    formula = f"the bias of stage {place} alone, into layers {', '.join(map(str, behind))}"
    where = {"freq": Fraction(k, about.S), "hz": Fraction(k, about.S) * about.sr} if k else {}
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


def _hz(value: Fraction) -> str:
    number = float(value)
    return f"{number:.10g} Hz"
