"""What is to be expected of a network, as text and as plain data of the schema ``torchparity.expect/1``.

Levels are those of one line, in dB re power 1, which is that of each kind of input in every channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any, Protocol

from rich.console import RenderableType

from dspref import __version__
from dspref.expected.folding import folded
from dspref.expected.forecast import Forecast, NotPredicted
from dspref.expected.spectrum import Comb, Expected
from dspref.expected.visible import DIGITS, SAMPLES, finest, lost, over_floor, own_lines
from dspref.tables import hertz, table, text

UNLIKE = 0.05
"""Decibels over the mean level of a comb from which on its strongest line is named."""

SCHEMA = "torchparity.expect/1"


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
        found, sr, gaps = self.forecast.expected, self.sr, self.forecast.not_predicted
        return {
            "schema": SCHEMA,
            "version": __version__,
            "target": self.target,
            "input": self.input,
            "sr": None if sr is None else float(sr),
            "channels": self.channels,
            **(NOTHING if found is None else _output_data(found, sr)),
            "not_predicted": [{name: _rounded(each) for name, each in gap.to_dict().items()} for gap in gaps],
            "partial": [_part_data(name, part) for name, part in self.forecast.partial] if found is None else [],
            "remarks": self._remarks(),
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
            what = " What is, in front of the places where the theory ends:" if self.forecast.partial else ""
            yield f"The output is not predicted.{what}"
            for name, part in self.forecast.partial:
                yield from ("", f"Behind {name}, at its own rate sr", _table(part, None), *_floor(part))
        else:
            rate = "" if sr is None else f"Output {hertz(sr)}. "
            yield f"{rate}Lines repeat every {found.period} samples. {_width(found)}"
            yield from ("", _table(found, sr), *_floor(found), *_standing(found, sr), "", LEGEND)
        if said := self._remarks():
            yield from ("", "Remarks:", *(f"- {words}" for words in said))
        if self.forecast.not_predicted:
            yield from ("", "Not predicted:", *(f"- {words}" for words in _gaps(self.forecast.not_predicted, sr)))

    def _remarks(self) -> list[str]:
        """Return the remarks, and what must be known of combs to read their levels."""
        found = self.forecast.expected
        if found is None:
            return folded(self.remarks)
        names = ", ".join(_name(comb) for comb in lost(found))
        words = f"more than {DIGITS} dB below the strongest line, and so rounding for the most part: {names}"
        rough = [words] if names else []
        return [*folded(self.remarks), *rough, *_unequal(found, self.sr), *([] if _banded(found) else [NO_BAND])]


LEGEND = (
    "Levels of one line in dB re the power of the input, 1 for each kind in every channel: the mean over "
    "initialisations, and the band in which 90 % of them put it."
)


NO_BAND = (
    "no band: the law of a line is known where the last layers are drawn convolutions, or filters and sums of such, or "
    "a map that is nearly linear, and not directly behind other maps, identity skips, concatenations, depthwise kernels"
)


NOTHING: dict[str, Any] = {
    **dict.fromkeys(("outputs", "period", "exact", "route", "narrowest")),
    "combs": [],
    "floor_db": None,
    "over_floor": None,
}
"""What is said of an output that is not predicted."""


def _output_data(found: Expected, sr: Fraction | None) -> dict[str, Any]:
    return {
        "outputs": found.channels,
        "period": found.period,
        "exact": found.exact,
        "route": found.route,
        "narrowest": found.narrowest or None,
        "combs": [_comb_data(comb, sr) for comb in found.combs],
        "floor_db": _rounded(found.floor_db),
        "over_floor": _over_data(found, sr),
    }


def _comb_data(comb: Comb, sr: Fraction | None) -> dict[str, Any]:
    return {
        "divisor": comb.divisor,
        "every_hz": None if sr is None else comb.every_hz(sr),
        "db": _rounded(comb.db),
        "strongest_db": _rounded(comb.strongest_db),
        "low": _rounded(comb.low),
        "high": _rounded(comb.high),
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
    every = f"{comb.every}" if sr is None else hertz(sr * comb.every)
    band = [decibels(level) if comb.gaussian else "—" for level in (comb.low, comb.high)]
    return _name(comb), every, decibels(comb.db), *band, decibels(over_floor(found, comb))


def _name(comb: Comb) -> str:
    return "offset" if comb.divisor == 1 else f"sr/{comb.divisor}"


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


def _banded(found: Expected) -> bool:
    return all(comb.gaussian for comb in found.combs if comb.db is not None)


def _unequal(found: Expected, sr: Fraction | None) -> Iterator[str]:
    """Yield for each comb whose lines differ which one is strongest."""
    for comb in found.combs:
        if comb.strongest_db is None or comb.db is None or comb.strongest_db - comb.db <= UNLIKE or comb in lost(found):
            continue
        k = max(own_lines(found, comb).tolist(), key=found.line)
        where = f"{Fraction(k, found.period)}" if sr is None else hertz(sr * Fraction(k, found.period))
        yield f"lines of {_name(comb)} differ, its level is their mean: strongest {comb.strongest_db:.1f} dB at {where}"


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
    return f"In the limit of wide layers; the narrowest around a map sums over {found.narrowest} channels."


def _gaps(found: Iterable[NotPredicted], sr: Fraction | None) -> Iterator[str]:
    """Yield what is not predicted, where and why; with the levels of all combs that it is said of."""
    for (what, where, why), same in groupby(found, key=lambda gap: (gap.what, gap.where, gap.why)):
        levels = ", ".join(_level(gap, sr) for gap in same if gap.divisor is not None)
        yield f"{what}, {where}: {why}{f': {levels}' if levels else ''}"


def _level(gap: NotPredicted, sr: Fraction | None) -> str:
    every = f"sr/{gap.divisor}" if sr is None or gap.divisor is None else hertz(sr / gap.divisor)
    return f"{every} {decibels(gap.db)} dB"
