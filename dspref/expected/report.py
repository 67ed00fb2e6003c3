"""What is to be expected of a network, as text and as plain data of the schema ``torchparity.expect/1``.

Levels are those of one line, in dB re power 1, which is that of each kind of input in every channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from rich.console import RenderableType

from dspref import __version__
from dspref.arrays import Array
from dspref.expected.forecast import Forecast
from dspref.expected.spectrum import Comb, Expected
from dspref.tables import hertz, table, text

SCHEMA = "torchparity.expect/1"

SAMPLES = 1024
"""N of the spectrum in which lines are looked for over the floor."""

HANN = 1.5
"""Noise bandwidth of the Hann window, in bins."""

DIGITS = 130
"""Decibels below the strongest line from which on a line is rounding."""


class Part(Protocol):
    """What else there is to say: where the lines come from, or what draws show."""

    def to_text(self, sr: Fraction | None) -> str:
        """Return it in words."""

    def to_dict(self, sr: Fraction | None) -> dict[str, Any]:
        """Return it as plain data."""


@dataclass(frozen=True)
class Report:
    """A forecast, of what, and what else was found.

    Parameters
    ----------
    target, input : str
        The network and what comes in, in words.
    sr : Fraction or None
        Output rate in Hz.
    channels : int
        Of the input.
    forecast : Forecast
    remarks : tuple of str
        How the initialisation was found, and the like.
    explanation, check : Part, optional
    """

    target: str
    input: str
    sr: Fraction | None
    channels: int
    forecast: Forecast
    remarks: tuple[str, ...] = ()
    explanation: Part | None = None
    check: Part | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, schema ``torchparity.expect/1``: levels in dB, None for what is not there."""
        found, sr = self.forecast.expected, self.sr
        rows = [_comb_data(comb, sr) for comb in found.combs] if found is not None else []
        gaps = ("what", "where", "why", "divisor", "db")
        return {
            "schema": SCHEMA,
            "version": __version__,
            "target": self.target,
            "input": self.input,
            "sr": None if sr is None else float(sr),
            "channels": self.channels,
            "outputs": None if found is None else found.channels,
            "period": None if found is None else found.period,
            "exact": None if found is None else found.exact,
            "route": None if found is None else found.route,
            "narrowest": None if found is None else found.narrowest or None,
            "combs": rows,
            "floor_db": None if found is None else _rounded(found.floor_db),
            "over_floor": None if found is None else _over_data(found, sr),
            "not_predicted": [
                {name: _rounded(getattr(each, name)) for name in gaps} for each in self.forecast.not_predicted
            ],
            "partial": [_part_data(name, part) for name, part in self.forecast.partial] if found is None else [],
            "remarks": [*self.remarks, *(rounding(found) if found is not None else ())],
            "explain": None if self.explanation is None else self.explanation.to_dict(sr),
            "check": None if self.check is None else self.check.to_dict(sr),
        }

    def to_text(self) -> str:
        """Return tables and sentences, 80 columns wide."""
        more = {"What feeds each comb:\n": self.explanation, "": self.check}
        told = (f"\n{head}{part.to_text(self.sr).rstrip()}\n" for head, part in more.items() if part is not None)
        return text(*self._parts()) + "".join(told)

    def _parts(self) -> Iterator[RenderableType]:
        found, sr = self.forecast.expected, self.sr
        channels = f"{self.channels} channel{'s' if self.channels > 1 else ''}"
        yield f"{self.target}, input {self.input} in {channels}"
        if found is None:
            yield "The output is not predicted; this is, in front of the places where the theory ends:"
            for name, part in self.forecast.partial:
                yield from ("", f"Behind {name}, at its own rate sr", _table(part, None), *_floor(part))
        else:
            rate = "" if sr is None else f"Output {hertz(sr)}. "
            yield f"{rate}Lines repeat every {found.period} samples. {_width(found)}"
            yield from ("", _table(found, sr), *_floor(found), *_standing(found, sr), "", LEGEND)
        if said := [*self.remarks, *(rounding(found) if found is not None else ())]:
            yield from ("", "Remarks:", *(f"- {words}" for words in said))
        if self.forecast.not_predicted:
            yield from ("", "Not predicted:", *(f"- {_gap(each, sr)}" for each in self.forecast.not_predicted))


LEGEND = (
    "Levels of one line in dB re the power of the input, 1 for each kind in every channel: the mean over "
    "initialisations, and the band in which 90 % of them put it."
)


def over_floor(found: Expected, comb: Comb) -> float | None:
    """Return by how many dB lines stand over the floor in a spectrum of 1024 samples under a Hann window.

    ``10 log₁₀(abs(c)² N/(1.5 S))``, S the mean of the floor at the lines; None if there are none, or there is no floor.

    Examples
    --------
    >>> from dspref.expected import Drawn, Source, expected_spectrum
    >>> found = expected_spectrum([Drawn("convt", 8, 8, 8, factor=4)], Source(8, 1.0, (1.0,)))
    >>> [round(over_floor(found, comb), 1) for comb in found.combs]
    [23.3, 22.3]
    """
    S = float(found.floor(own_lines(found, comb) / found.period).mean())
    return 10 * math.log10(comb.power * SAMPLES / (HANN * S)) if comb.power > 0 and S > 0 else None


def own_lines(found: Expected, comb: Comb) -> Array:
    """Return the numbers k of the lines k/P, 0 … ½, that a comb has and no coarser one.

    Examples
    --------
    >>> from dspref.expected import Drawn, Source, expected_spectrum
    >>> found = expected_spectrum([Drawn("convt", 1, 1, 8, factor=4)], Source(1, 1.0))
    >>> [own_lines(found, comb).tolist() for comb in found.combs]
    [[0], [1, 2]]
    """
    k = np.arange(found.period // 2 + 1)
    first = np.argmax([k * each.divisor % found.period == 0 for each in found.combs], axis=0)
    return np.flatnonzero(first == found.combs.index(comb))


def finest(found: Expected) -> Comb | None:
    """Return the finest comb of lines that stand over the floor, or of any lines where there is no noise.

    None if at most the offset does. Levels that are rounding do not count.
    """
    lines = [comb for comb in found.combs if comb.divisor > 1 and comb not in lost(found)]
    if found.floor_db is not None:
        lines = [comb for comb in lines if (over_floor(found, comb) or 0) > 0]
    return max((comb for comb in lines if comb.db is not None), key=lambda comb: comb.divisor, default=None)


def rounding(found: Expected) -> tuple[str, ...]:
    """Return a remark on the combs that are lost."""
    names = ", ".join(f"sr/{comb.divisor}" for comb in lost(found))
    words = f"more than {DIGITS} dB below the strongest line, and so rounding for the most part: {names}"
    return (words,) if names else ()


def lost(found: Expected) -> list[Comb]:
    """Return the combs whose levels have no digits left."""
    strongest = max((comb.db for comb in found.combs if comb.db is not None), default=0.0)
    return [comb for comb in found.combs if comb.db is not None and comb.db < strongest - DIGITS]


def _comb_data(comb: Comb, sr: Fraction | None) -> dict[str, Any]:
    return {
        "divisor": comb.divisor,
        "every_hz": None if sr is None else comb.every_hz(sr),
        "db": _rounded(comb.db),
        "low": _rounded(comb.quantile_db(0.05)),
        "high": _rounded(comb.quantile_db(0.95)),
    }


def _over_data(found: Expected, sr: Fraction | None) -> dict[str, Any]:
    best = finest(found)
    return {
        "samples": SAMPLES,
        "window": "hann",
        "heights_db": [_rounded(over_floor(found, comb)) for comb in found.combs],
        "finest_divisor": None if best is None else best.divisor,
        "finest_hz": None if best is None or sr is None else best.every_hz(sr),
    }


def _part_data(name: str, part: Expected) -> dict[str, Any]:
    combs = [_comb_data(comb, None) for comb in part.combs]
    return {"where": name, "period": part.period, "combs": combs, "floor_db": _rounded(part.floor_db)}


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _table(found: Expected, sr: Fraction | None) -> RenderableType:
    columns = ["comb", ">every", ">dB", ">5 %", ">95 %", *([">over floor"] if found.floor_db is not None else [])]
    return table("", columns, (_row(found, comb, sr)[: len(columns)] for comb in found.combs))


def _row(found: Expected, comb: Comb, sr: Fraction | None) -> tuple[str, ...]:
    levels = (comb.db, comb.quantile_db(0.05), comb.quantile_db(0.95), over_floor(found, comb))
    every = f"{comb.every}" if sr is None else hertz(sr * comb.every)
    return "offset" if comb.divisor == 1 else f"sr/{comb.divisor}", every, *(decibels(level) for level in levels)


def decibels(level: float | None) -> str:
    """Return a level in words.

    Examples
    --------
    >>> decibels(-21.46), decibels(None)
    ('-21.5', 'none')
    """
    return "none" if level is None else f"{level:.1f}"


def _floor(found: Expected) -> list[str]:
    if found.floor_db is None:
        return ["Floor: none, as the input has no noise."]
    return [f"Floor: {decibels(found.floor_db)} dB, as a density; white noise of power 1 has 0 dB."]


def _standing(found: Expected, sr: Fraction | None) -> list[str]:
    """Return which comb a spectrum shows."""
    best, over = finest(found), f"over the floor, in a spectrum of {SAMPLES} samples (Hann window)"
    if best is None:
        return [f"No comb stands {over}." if found.floor_db is not None else "No comb has lines."]
    every = f"sr/{best.divisor}" if sr is None else hertz(sr * best.every)
    if found.floor_db is None:
        return [f"The finest comb whose lines are no rounding is that of {every}."]
    return [f"The finest comb that stands {over}, is that of {every}: {decibels(over_floor(found, best))} dB."]


def _width(found: Expected) -> str:
    if found.exact:
        return "The network is linear: exact at any width."
    if not found.narrowest:
        return "In the limit of wide layers."
    return f"In the limit of wide layers; the narrowest behind a map sums over {found.narrowest} channels."


def _gap(each: Any, sr: Fraction | None) -> str:
    """Return what is not predicted, where and why, and below which level."""
    comb = "" if each.divisor is None else f", lines of sr/{each.divisor}"
    comb += f" ({hertz(sr / each.divisor)})" if sr is not None and each.divisor is not None else ""
    below = "" if each.db is None else f", below {decibels(each.db)} dB"
    return f"{each.what}, {each.where}{comb}{below}: {each.why}"
