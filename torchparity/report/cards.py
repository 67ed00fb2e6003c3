"""A card for each artifact: the rule, what was predicted and seen of it, why, what helps, and who says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from dspref.artifacts import SEVERITIES
from dspref.artifacts import Finding as Artifact
from dspref.artifacts.rules import Rule
from dspref.claims import claim
from dspref.lines import Line
from dspref.spec import token
from torchparity.audit import Audit
from torchparity.audited import Cure

CLAIMS = {
    "UA101": "UA-T5",
    "UA102": "UA-T9",
    "UA103": "UA-T9",
    "UA104": "UA-T10",
    "UA105": "UA-T20",
    "UA106": "UA-T22",
    "UA107": "UA-T2",
    "UA201": "UA-T11",
    "UA202": "UA-T11",
    "UA203": "UA-T13",
    "UA204": "UA-T11",
    "UA301": "UA-T8",
    "UA302": "UA-T8",
    "UA401": "UA-T12",
    "UA402": "UA-T16",
    "UA403": "UA-T26",
    "UA404": "UA-T14",
    "UA501": "UA-T18",
    "UA502": "UA-T19",
    "UA503": "UA-T18",
}
"""The claim that each rule rests on: see `dspref.claims`."""

FROM_NOISE = "UA106"
"""The rule of lines that need no offset: other inputs than noise say nothing of them."""


@dataclass(frozen=True)
class Seen:
    """What is known of the lines of one layer, for one input.

    Attributes
    ----------
    kind : {'expected', 'actual', 'measured'}
        Of weights not trained yet, on average; of these weights; or over the local floor of an output.
    input : str
    hz : Fraction
        Where the highest line is.
    db : float
        Its level in dB re 1, or over the floor if it is measured.
    standing, lines : int
        How many lines are there, or stand, and of how many.
    """

    kind: str
    input: str
    hz: Fraction
    db: float
    standing: int
    lines: int

    def __str__(self) -> str:
        """Return it in words.

        Examples
        --------
        >>> print(Seen("measured", "noise, seed 0", Fraction(4000), 21.31, 1, 3))
        measured (noise, seed 0): 21.3 dB over the floor at 4000 Hz; 1 of 3 stand
        """
        level = f"{self.db:.1f} dB" + (" over the floor" if self.kind == "measured" else "")
        stand = f"{self.standing} of {self.lines} {'stand' if self.kind == 'measured' else 'there'}"
        return f"{self.kind} ({self.input}): {level} at {float(self.hz):.10g} Hz; {stand}"


@dataclass(frozen=True)
class Card:
    """One artifact, of one layer or of several that do the same.

    Attributes
    ----------
    artifact : Artifact
        Its rule, level, formula and cure.
    severity : {'error', 'warning', 'note'}
        At least a warning where one of its lines was measured; of a tone-free layer noise tells of UA106 alone.
    stages : tuple of int
    words : str
        The layer, as `dspref predict` reads it; empty where it is no single layer.
    seen : tuple of Seen
    cures : tuple of str
    """

    artifact: Artifact
    severity: str
    stages: tuple[int, ...]
    words: str
    seen: tuple[Seen, ...]
    cures: tuple[str, ...]

    @property
    def rule(self) -> Rule:
        """Its rule."""
        return self.artifact.rule

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        known = claim(CLAIMS[self.rule.id])
        facts = self.artifact.to_dict()
        kept = ("rule", "title", "level_db", "reference", "hz", "hz_exact", "count", "owner", "formula")
        return {
            **{name: facts[name] for name in kept},
            "family": self.rule.family,
            "severity": self.severity,
            "stages": list(self.stages),
            "layer": self.words,
            "what": self.rule.what,
            "seen": [str(row) for row in self.seen],
            "fix": self.artifact.cure,
            "cures": list(self.cures),
            "source": self.rule.source,
            "claim": known.id,
            "claim_title": known.title,
        }


def cure_in_words(cure: Cure, sr: Fraction) -> str:
    """Return a cure in a sentence, with the level of the strongest line without and with it."""
    before, after = ("none" if db is None else f"{db:.1f}" for db in (cure.before_db, cure.after_db))
    where = "" if cure.freq is None else f" at {float(cure.freq * sr):.10g} Hz"
    return f"{cure.words}. Strongest line{where}: {before} → {after}, {cure.reference}; holds for {cure.promise}."


def cards(audit: Audit) -> tuple[Card, ...]:
    """Return a card for each artifact of an audited chain, the most severe first.

    A layer that is proved to make no line has no card for one. Artifacts that differ by their place alone share one.
    """
    found: dict[tuple[object, ...], Card] = {}
    for artifact in audit.artifacts:
        made = _card(artifact, audit)
        key = (artifact.rule.id, artifact.formula, artifact.level_db, artifact.owner)
        stages = found[key].stages + made.stages if key in found else made.stages
        found[key] = Card(made.artifact, made.severity, stages, made.words, made.seen, made.cures)
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    return tuple(sorted(found.values(), key=lambda c: (order[c.severity], c.stages, c.rule.id)))


def _card(artifact: Artifact, audit: Audit) -> Card:
    tone = artifact.rule.family == "tones" and artifact.owner is not None
    seen = tuple(_seen(audit, artifact.owner)) if tone else ()
    if artifact.rule.id == FROM_NOISE:
        seen = tuple(row for row in seen if _of_noise(row))
    mine = [c for c in audit.cures if c.owner == artifact.owner and c.rule == artifact.rule.id]
    cures = tuple(cure_in_words(c, audit.sr) for c in mine)
    free = artifact.owner in audit.tone_free  # what stands of noise there is no line of an offset
    stands = any(row.kind == "measured" and row.standing for row in seen if not (free and _of_noise(row)))
    severity = "warning" if stands and artifact.severity == "note" else artifact.severity
    stages = () if artifact.stage is None else (artifact.stage,)
    words = "" if artifact.owner is None else _layer(audit, artifact.owner)
    return Card(artifact, severity, stages, words, seen, cures)


def _of_noise(row: Seen) -> bool:
    return row.input.startswith("noise")


def _layer(audit: Audit, owner: int) -> str:
    """Return the words of a layer: of the chain as it stands there, else of the branch."""
    steps = audit.spine.chain.upsamplers
    return token(steps[owner - 1][1]) if owner <= len(steps) else audit.spine.layers[owner - 1].words


def _seen(audit: Audit, owner: int | None) -> Iterable[Seen]:
    """Yield what is known of the lines that are new at one layer, the weakest statement first."""
    mine = [(k, line) for k, line in enumerate(audit.lines) if line.owner == owner and line.freq]
    for e in audit.expected:
        yield from _highest("expected", e.input, [(line, e.level_db(line.freq)) for _, line in mine], audit.sr)
    for s in audit.actual:
        levels = [(line, s.level_db(line.freq)) for _, line in mine]
        yield from _highest("actual", f"{s.input}, seed {s.seed}", levels, audit.sr)
    for r in audit.runs:
        if r.seed == audit.runs[0].seed and mine:
            up = {m.freq for m in r.standing}
            k, line = max(mine, key=lambda row: r.lines[row[0]].height_db)
            count = sum(line.freq in up for _, line in mine)
            words = f"{r.input}, seed {r.seed}"
            yield Seen("measured", words, line.hz(audit.sr), r.lines[k].height_db, count, len(mine))


def _highest(kind: str, words: str, levels: Sequence[tuple[Line, float | None]], sr: Fraction) -> Iterable[Seen]:
    there = [(line, db) for line, db in levels if db is not None]
    if there:
        line, db = max(there, key=lambda pair: pair[1])
        yield Seen(kind, words, line.hz(sr), db, len(there), len(levels))
