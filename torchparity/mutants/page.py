"""The score as text: by fault, or mutant by mutant; totals, right layers, and what survived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dspref.tables import table, text
from torchparity.mutants.score import Score, Scored

VERDICTS = {True: "yes", False: "-"}


def to_text(score: Score, *, each: bool = False) -> str:
    """Return the score as tables of 80 columns.

    Parameters
    ----------
    score : Score
    each : bool
        A row for every mutant, in place of one for every fault.

    Examples
    --------
    >>> from torchparity.mutants import find
    >>> from torchparity.mutants.score import scored
    >>> page = to_text(Score((scored(find("nearest: padding off by one"), [0]),), (), (0,)))
    >>> print(page.splitlines()[-2])
    float32 on CPU, and float64 where that passes (0 caught there); seed 0
    """
    parts: list[Any] = [_each(score) if each else _by_fault(score), "", _totals(score)]
    if score.clean:
        rows = [(c.dtype, c.layers, c.cases, c.outputs, len(c.alarms)) for c in score.clean]
        parts += ["", table("Right layers", ("dtype", ">layers", ">cases", ">outputs", ">alarms"), rows)]
    parts += [f"alarm: {alarm}" for c in score.clean for alarm in c.alarms]
    parts += [f"survived: {m.name} ({', '.join(m.statuses)})" for m in score.mutants if not m.caught]
    seeds = f"seeds {score.seeds[0]} … {score.seeds[-1]}" if len(score.seeds) > 1 else f"seed {score.seeds[0]}"
    how = f"float32 on CPU, and float64 where that passes ({score.in_double} caught there)"
    return text(*parts, "", f"{how}; {seeds}", "passed" if score.ok else "not passed")


def _each(score: Score) -> Any:
    rows = (
        (m.name, m.statuses[0] if m.caught else " ".join(m.statuses), m.looks_like, *map(_said, m.baselines.values()))
        for m in score.mutants
    )
    return table("Wrong layers", ("mutant", "verdict", "looks like", "(1)", "(2)"), rows)


def _said(caught: bool) -> str:
    return VERDICTS[caught]


def _by_fault(score: Score) -> Any:
    columns = ("fault", ">mutants", ">caught", ">named", ">(1)", ">(2)")
    return table("Wrong layers", columns, _faults(score))


def _faults(score: Score) -> Iterator[tuple[object, ...]]:
    groups: dict[str, list[Scored]] = {}
    for m in score.mutants:
        groups.setdefault(m.fault, []).append(m)
    for fault, found in groups.items():
        plainer = [sum(m.baselines[name] for m in found) for name in score.baselines]
        yield fault, len(found), sum(m.caught for m in found), sum(bool(m.looks_like) for m in found), *plainer


def _totals(score: Score) -> Any:
    counts = [("torchparity.check", score.caught)]
    counts += [(f"({i}) {name}", count) for i, (name, count) in enumerate(score.baselines.items(), 1)]
    rows = [(name, f"{count} of {score.total}", f"{count / score.total:.1%}") for name, count in counts]
    return table("Caught", ("by", "mutants", ">share"), rows)
