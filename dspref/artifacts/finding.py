"""Findings: a rule with its numbers put in; and the levels from which it is more than a note."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from dspref.arrays import complaint
from dspref.artifacts.rules import Rule

SEVERITIES = ("error", "warning", "note")


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

    Raises
    ------
    ValueError
        If a level is not finite, or an error is fainter than a warning.
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
        In dB relative to `reference`; None where it is not known, or is none.
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
