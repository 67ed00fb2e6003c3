"""The expected spectrum against networks that are drawn and measured: the Monte-Carlo twin of a prediction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from dspref.arrays import NotAnalysable, complaint
from dspref.expected.spectrum import Expected
from dspref.tables import hertz, table, text
from torchparity.sampled import Estimate, Sampled


@dataclass(frozen=True)
class Compared:
    """A power in theory, and as the mean over draws.

    Attributes
    ----------
    divisor : int or None
        M of a comb; None is the floor.
    theory, mean, error : float
        Powers; the error is that of the mean.
    least : float
        Power up to which lines are taken for rounding.
    """

    divisor: int | None
    theory: float
    mean: float
    error: float
    least: float = 0.0

    @property
    def theory_db(self) -> float | None:
        """Level in theory."""
        return 10 * math.log10(self.theory) if self.theory > 0 else None

    @property
    def measured_db(self) -> tuple[float, float] | None:
        """Level and its error; None where nothing was seen: within twice its error of 0, or rounding."""
        return Estimate(np.array(self.mean), np.array(self.error)).db(least=self.least)[0]

    @property
    def difference_db(self) -> float | None:
        """Measurement over theory."""
        seen = self.measured_db
        return None if seen is None or self.theory_db is None else seen[0] - self.theory_db

    @property
    def errors(self) -> float | None:
        """Measurement less theory, in standard errors; None where a measurement has none, or is rounding."""
        if self.error == 0 or max(self.mean, self.theory) <= self.least:
            return None
        return (self.mean - self.theory) / self.error

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        seen = self.measured_db or (None, None)
        found = {"theory_db": self.theory_db, "db": seen[0], "error_db": seen[1], "difference_db": self.difference_db}
        found |= {"difference_errors": self.errors}
        return {"divisor": self.divisor} | {name: None if x is None else round(x, 6) for name, x in found.items()}


@dataclass(frozen=True)
class Check:
    """What draws say of a prediction, comb by comb, and of the floor, if there is one.

    Attributes
    ----------
    draws, seed : int
    combs : tuple of Compared
    floor : Compared or None
    """

    draws: int
    seed: int
    combs: tuple[Compared, ...]
    floor: Compared | None

    def to_dict(self, sr: Fraction | None = None) -> dict[str, Any]:
        """Return plain data; rates do not matter."""
        floor = None if self.floor is None else self.floor.to_dict()
        return {
            "draws": self.draws,
            "seed": self.seed,
            "combs": [row.to_dict() for row in self.combs],
            "floor": floor,
        }

    def to_text(self, sr: Fraction | None = None) -> str:
        """Return a table; the last column is the difference in standard errors."""
        columns = ("comb", ">every", ">theory", ">measured", ">± dB", ">difference", ">in errors")
        return text(f"Against {self.draws} networks drawn, seed {self.seed}, dB", table("", columns, self._rows(sr)))

    def _rows(self, sr: Fraction | None) -> Iterator[tuple[str, ...]]:
        for row in (*self.combs, *(() if self.floor is None else (self.floor,))):
            M, seen = row.divisor, row.measured_db
            name = "floor" if M is None else "offset" if M == 1 else f"sr/{M}"
            every = "" if M is None else f"1/{M}" if sr is None else hertz(sr / M)
            theory = "none" if row.theory_db is None else f"{row.theory_db:.2f}"
            level = ("none seen", "") if seen is None else (f"{seen[0]:.2f}", f"{seen[1]:.2f}")
            yield name, every, theory, *level, _signed(row.difference_db, 2), _signed(row.errors, 1)


def _signed(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:+.{digits}f}"


def checked(expected: Expected, found: Sampled) -> Check:
    """Return how a prediction compares with networks that were drawn with `factors_of` it.

    Parameters
    ----------
    expected : Expected
    found : Sampled
        Of the same network and input.
    """
    mean, error = found.levels.mean.tolist(), found.levels.error.tolist()
    levels = zip(expected.combs, mean, error, strict=True)
    combs = tuple(Compared(comb.divisor, comb.power, m, e, found.resolution) for comb, m, e in levels)
    floor = None
    if found.experiment.noisy:
        floor = Compared(None, expected.noise, float(found.floor.mean[0]), float(found.floor.error[0]))
    return Check(found.count, found.experiment.seed, combs, floor)


def factors_of(expected: Expected) -> tuple[int, ...]:
    """Return the factors of layers that make the same combs, from input to output.

    Raises
    ------
    NotAnalysable
        If no layers one after another do, as where branches of different factors meet.

    Examples
    --------
    >>> from dspref.expected import Drawn, Source, expected_spectrum
    >>> up = [Drawn("convt", 1, 1, 8, factor=4), Drawn("convt", 1, 1, 4, factor=2)]
    >>> factors_of(expected_spectrum(up, Source(1, 1.0)))
    (4, 2)
    """
    divisors = [comb.divisor for comb in expected.combs]
    if any(finer % coarser for coarser, finer in pairwise(divisors)) or divisors[-1] != expected.period:
        allowed = "each a divisor of the next"
        raise NotAnalysable(complaint("combs to measure", f"sr/{', sr/'.join(map(str, divisors))}", allowed))
    return tuple(finer // coarser for coarser, finer in pairwise(divisors))[::-1]
