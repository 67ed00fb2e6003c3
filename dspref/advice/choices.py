"""What `dspref.advise` answers: ways to build a rate chain, and what each promises."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from dspref.advice.plans import Plan

ANY_WEIGHTS, AT_INIT, EXPECTED = "any weights", "at initialisation", "expected"
"""Promises: for whatever is learned; until something is learned; on average over random weights."""


@dataclass(frozen=True)
class Choice:
    """One way to build a rate chain.

    Attributes
    ----------
    name, family, init : str
    layers : tuple of Plan
    promise : {'any weights', 'at initialisation', 'expected'}
    level_db : float or None
        Strongest line in dB re DC at the output, for a constant input; None where there is none in exact arithmetic.
    band_db : (float, float) or None
        Where the level is an expected one: in 95 % of all draws the strongest line lies below the upper end, a single
        line between the two. Of a sinc, biases lower it further: they add to DC alone.
    hz : Fraction or None
        Where that line is.
    floor_db : float
        What rounding leaves, estimated, in dB re DC at the output.
    noise_db : float or None
        Strongest line that a rectifier behind a layer makes of white noise (UA106), re the offset that it makes: the
        mean over first weights, for these channels. None where every draw has none.
    macs : Fraction
        Multiplications per output sample.
    parameters : int
    receptive : int
        Input samples that one output sample sees.
    latency : Fraction
        Seconds of input that an output sample waits for.
    note : str
    """

    name: str
    family: str
    init: str
    layers: tuple[Plan, ...]
    promise: str
    level_db: float | None
    band_db: tuple[float, float] | None
    hz: Fraction | None
    floor_db: float
    noise_db: float | None
    macs: Fraction
    parameters: int
    receptive: int
    latency: Fraction
    note: str

    @property
    def guaranteed(self) -> bool:
        """Whether the promise outlives training."""
        return self.promise == ANY_WEIGHTS

    @property
    def words(self) -> str:
        """The chain in words that `dspref.parse` reads, maps left out."""
        return " | ".join(plan.words for plan in self.layers)

    @property
    def worst_db(self) -> float:
        """What is held against a budget: the band's upper end, or the level, or the floor where it is higher."""
        level = self.floor_db if self.level_db is None else self.level_db
        return max(self.floor_db, level, *(self.band_db or (level,)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; of each layer its words, taps and number of parameters."""
        exact = {"macs_per_sample": float(self.macs), "macs_per_sample_exact": str(self.macs)}
        return {
            "name": self.name,
            "family": self.family,
            "init": self.init,
            "spec": self.words,
            "promise": self.promise,
            "guaranteed": self.guaranteed,
            "level_db": self.level_db,
            "band_db": None if self.band_db is None else list(self.band_db),
            "null": self.level_db is None,
            "hz": None if self.hz is None else float(self.hz),
            "floor_db": self.floor_db,
            "noise_db": self.noise_db,
            **exact,
            "parameters": self.parameters,
            "receptive_field": self.receptive,
            "latency_ms": float(1000 * self.latency),
            "layers": [
                {"spec": p.words, "channels": list(p.channels), "bias": p.bias, "taps": list(p.taps)}
                for p in self.layers
            ],
            "note": self.note,
        }


@dataclass(frozen=True)
class Advice:
    """What meets a tone budget, the cheapest first, and what does not, the nearest first.

    Parameters
    ----------
    rates : tuple of int
        Factors of the layers, first to last.
    sr : Fraction
        Output rate in Hz.
    tone_budget_db : float
        Largest level of a line in dB re DC at the output.
    channels : tuple of int
        One more than rates.
    dtype : str
        What the network runs in.
    choices, rejected : tuple of Choice
        Within the budget, and beyond it.
    """

    rates: tuple[int, ...]
    sr: Fraction
    tone_budget_db: float
    channels: tuple[int, ...]
    dtype: str
    choices: tuple[Choice, ...]
    rejected: tuple[Choice, ...]

    @property
    def closest(self) -> Choice | None:
        """What comes closest, where nothing meets the budget."""
        return self.rejected[0] if self.rejected and not self.choices else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, schema ``dspref.advise/1``."""
        return {
            "schema": "dspref.advise/1",
            "rates": list(self.rates),
            "sr": float(self.sr),
            "tone_budget_db": self.tone_budget_db,
            "reference": "dB re DC at the output, for a constant input",
            "channels": list(self.channels),
            "dtype": self.dtype,
            "choices": [c.to_dict() for c in self.choices],
            "rejected": [c.to_dict() for c in self.rejected],
            "closest": None if self.closest is None else self.closest.name,
        }
