"""Why there are lines: which biases, which part of the input, and which map feeds each comb.

Each is silenced, one at a time, and the recursion run once more. Of a linear network what this takes from a comb adds
up to the comb: its causes are independent, ``E abs(c_k)² = Σ_i contribution_i``. Behind maps it does not: one cause can
hide another, and what is silenced in front of a map changes the variances that the map sees.

All this is in the limit of wide layers: combs that only terms of order 1/width make are named, and not accounted for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from dspref.expected.bands import Comb
from dspref.expected.graph import Network, network
from dspref.expected.network import Step
from dspref.expected.silencing import Run, Silenced, started_run
from dspref.expected.source import Source
from dspref.expected.spectrum import Expected, expected_spectrum

WORTH = 10**0.1
"""Ratio of powers, 1 dB, by which one more stage must lower a comb to be named."""

MOST = 4.0
"""Ratio of powers, 6 dB, that makes biases a cause: three quarters of the comb, or more, are theirs."""

SLACK = 10**0.01
"""Ratio of powers, 0.1 dB, that may be given away by naming fewer layers of a stage."""

ROUNDING = 1e-14
"""Power of a line over that of the strongest, below which it is rounding."""

WIDTH = "made by terms of order 1/width"
"""What feeds a comb that the limit of wide layers does not have."""

WITHOUT = (
    "In the limit of wide layers: what terms of order 1/width add is left out, so that levels differ from those above."
)

MANY = 4
"""Names that are listed one by one."""


@dataclass(frozen=True)
class Cause:
    """What was silenced, and what is left of the comb then.

    Attributes
    ----------
    silenced : tuple of Silenced
    before, after : float
        Power of each line of the comb.
    """

    silenced: tuple[Silenced, ...]
    before: float
    after: float

    @property
    def lowers_db(self) -> float | None:
        """By how many dB the comb falls; negative if it rises; None if nothing is left of it."""
        return 10 * math.log10(self.before / self.after) if self.after else None

    @property
    def share(self) -> float:
        """What was taken from the comb, over its power: shares of a linear network add up to 1."""
        return 1 - self.after / self.before

    def to_text(self, what: str = "it") -> str:
        """Return it in words."""
        return f"silencing {listed(self.silenced)} {self.moves(what)}"

    def moves(self, what: str = "it") -> str:
        """Return in words what happens to the comb."""
        if self.lowers_db is None:
            return f"leaves nothing of {what}"
        return f"{'lowers' if self.lowers_db >= 0 else 'raises'} {what} by {abs(self.lowers_db):.1f} dB"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        told = [{"what": each.what, "where": each.where} for each in self.silenced]
        return {"silenced": told, "lowers_db": self.lowers_db, "to_nothing": not self.after}


@dataclass(frozen=True)
class Account:
    """What feeds one comb.

    Attributes
    ----------
    comb : Comb
        Without terms of order 1/width.
    causes : tuple of Cause
        One for each thing that can be silenced, the strongest first; none if the comb has no lines.
    biases : tuple of Cause
        Sets of biases, each larger than the one before: one after the other the stage is added (the layers between two
        changes of rate) that lowers the comb by most, until one more would lower it by less than 1 dB, or nothing is
        left. Layers that do not count for it are left out, and sets that leave more than a quarter of its power.
        Empty if all biases together do.
    width : float, optional
        Level in dB of the lines that only terms of order 1/width make, where there are no others.
    """

    comb: Comb
    causes: tuple[Cause, ...]
    biases: tuple[Cause, ...]
    width: float | None = None

    def to_text(self, sr: Any) -> str:
        """Return it in words, for an output rate in Hz, or None: what moves the comb by half a decibel or more."""
        every = f"sr/{self.comb.divisor}" if sr is None else f"{self.comb.every_hz(sr):.10g} Hz"
        name = "offset" if self.comb.divisor == 1 else f"{every} comb"
        if not self.causes:
            return f"{name}: {'none' if self.width is None else f'{self.width:.1f} dB, {WIDTH}'}"
        rows = [f"{name}: {self.comb.db:.1f} dB", *(f"  {row}" for row in self._ladder(f"the {name}"))]
        told = [c for c in self.causes if c.lowers_db is None or abs(c.lowers_db) >= 0.5]
        return "\n".join([*rows, *(f"  alone, {cause.to_text()}" for cause in told)])

    def _ladder(self, name: str) -> Iterator[str]:
        if not self.biases:
            yield f"silencing all biases leaves more than a quarter of {name}"
            return
        yield self.biases[0].to_text(name)
        for one, next_ in pairwise(self.biases):
            more = tuple(cause for cause in next_.silenced if cause not in one.silenced)
            yield f"silencing {listed(more)} as well {next_.moves()}"

    def to_dict(self, sr: Any) -> dict[str, Any]:
        """Return it as plain data, for an output rate in Hz, or None."""
        return {
            "divisor": self.comb.divisor,
            "every_hz": None if sr is None else self.comb.every_hz(sr),
            "db": self.comb.db if self.causes else None,
            "causes": [cause.to_dict() for cause in self.causes],
            "biases": [cause.to_dict() for cause in self.biases],
        }


@dataclass(frozen=True)
class Explanation:
    """What feeds each comb, from the offset to the finest.

    Attributes
    ----------
    expected : Expected
        With nothing silenced.
    accounts : tuple of Account
    narrower : bool
        Whether there are terms of order 1/width, which are left out.
    """

    expected: Expected
    accounts: tuple[Account, ...]
    narrower: bool = False

    def to_text(self, sr: Any) -> str:
        """Return all accounts in words, for an output rate in Hz, or None."""
        without = [WITHOUT] if self.narrower else []
        return "\n".join([*without, *(account.to_text(sr) for account in self.accounts)])

    def to_dict(self, sr: Any) -> dict[str, Any]:
        """Return all accounts as plain data, for an output rate in Hz, or None."""
        return {"route": self.expected.route, "combs": [account.to_dict(sr) for account in self.accounts]}


def explain(steps: Network | Iterable[Step], source: Source, *, route: str = "auto") -> Explanation:
    """Return what feeds each comb of a network before training: biases, parts of the input, and means of maps.

    Parameters
    ----------
    steps, source, route :
        As of `expected_spectrum`; terms of order 1/width are left out, but for `Account.width`.

    Returns
    -------
    Explanation

    Raises
    ------
    NotAnalysable
        Where the theory ends; and by full matrices, if those of all places do not fit 1 GiB.
    ValueError
        If channels or rates do not fit.

    Examples
    --------
    >>> from dspref.expected import Drawn
    >>> net = [Drawn("conv", 8, 8, 3), Drawn("convt", 8, 8, 8, factor=4)]
    >>> print(explain(net, Source(8, constant=0.1)).to_text(44100))
    offset: -22.5 dB
      silencing the biases of layer 2 lowers the offset by 11.9 dB
      silencing the biases of layer 1 as well lowers it by 19.0 dB
      alone, silencing the biases of layer 2 lowers it by 11.9 dB
    11025 Hz comb: -34.5 dB
      silencing the biases of layer 1 lowers the 11025 Hz comb by 7.1 dB
      alone, silencing the biases of layer 1 lowers it by 7.1 dB
      alone, silencing the constant of the input lowers it by 0.9 dB
    """
    run = started_run(network(steps), source, route)
    trials = Trials(run, {})
    accounts = tuple(_account(trials, comb) for comb in trials.of(()).combs)
    narrower = bool(source.covariance) and not source.constant and not trials.of(()).exact
    if narrower:
        found = expected_spectrum(run.net, source, route=route)
        accounts = tuple(_made(a, comb, found) for a, comb in zip(accounts, found.combs, strict=True))
    return Explanation(trials.of(()), accounts, narrower)


def _made(account: Account, comb: Comb, found: Expected) -> Account:
    """Return the account of a comb that has no lines in the limit, with the level that finite width gives it."""
    strongest = max(found.noise, *(each.power for each in found.combs))
    there = not account.causes and comb.power > ROUNDING * strongest
    return replace(account, width=comb.db) if there else account


@dataclass(frozen=True)
class Trials:
    """Runs that were made without some things: combs ask for the same ones."""

    run: Run[Any]
    known: dict[frozenset[Silenced], Expected]

    def of(self, causes: Iterable[Silenced]) -> Expected:
        """Return what comes out without them."""
        key = frozenset(causes)
        if key not in self.known:
            self.known[key] = self.run.without(key)
        return self.known[key]

    def power(self, causes: Iterable[Silenced], M: int) -> float:
        """Return the power of the lines of a comb without them, 0 if it is rounding."""
        found = self.of(causes)
        strongest = max(found.noise, *(comb.power for comb in found.combs))
        power = next(comb.power for comb in found.combs if comb.divisor == M)
        return power if power > ROUNDING * strongest else 0.0


def _account(trials: Trials, comb: Comb) -> Account:
    M = comb.divisor
    before = trials.power((), M)
    if not before:
        return Account(comb, (), ())
    alone = [Cause((cause,), before, trials.power((cause,), M)) for cause in trials.run.causes()]
    alone.sort(key=lambda cause: cause.after)
    biases = [cause.silenced[0] for cause in alone if cause.silenced[0].what == "biases"]
    return Account(comb, tuple(alone), tuple(_ladder(trials, M, biases)))


def _ladder(trials: Trials, M: int, biases: Sequence[Silenced]) -> Iterator[Cause]:
    """Add stage after stage; until three quarters are gone go on anyway, as one of many alike is worth little alone."""
    before = level = trials.power((), M)
    if before < MOST * trials.power(biases, M):
        return
    stages = [
        tuple(c for c in biases if trials.run.stage(c) == s) for s in dict.fromkeys(map(trials.run.stage, biases))
    ]
    order = {cause: i for i, cause in enumerate(trials.run.causes())}
    chosen: tuple[Silenced, ...] = ()
    while stages and level:
        best = min(stages, key=lambda stage: trials.power((*chosen, *stage), M))
        lowered = trials.power((*chosen, *best), M)
        if before >= MOST * level and level < WORTH * lowered:
            return
        stages.remove(best)
        chosen = (*chosen, *_needed(trials, M, chosen, best))
        level = trials.power(chosen, M)
        if before >= MOST * level:
            yield Cause(tuple(sorted(chosen, key=order.__getitem__)), before, level)


def _needed(trials: Trials, M: int, chosen: tuple[Silenced, ...], stage: Sequence[Silenced]) -> tuple[Silenced, ...]:
    """Leave out of a stage, the weakest first, what the comb does not rise by 0.1 dB without, all together."""
    kept, most = tuple(stage), SLACK * trials.power((*chosen, *stage), M)
    for cause in reversed(stage):
        fewer = tuple(each for each in kept if each != cause)
        if fewer and trials.power((*chosen, *fewer), M) <= most:
            kept = fewer
    return kept


def listed(silenced: Sequence[Silenced]) -> str:
    """Return biases by the names of their layers, first and last of many; or what else it is.

    Examples
    --------
    >>> listed([Silenced("biases", "3"), Silenced("biases", "4")])
    'the biases of layers 3 and 4'
    """
    names = [cause.where for cause in silenced]
    if len(names) == 1:
        return str(silenced[0])
    if len(names) > MANY:
        return f"the biases of layers {names[0]} … {names[-1]} ({len(names)} of them)"
    return f"the biases of layers {', '.join(names[:-1])} and {names[-1]}"
