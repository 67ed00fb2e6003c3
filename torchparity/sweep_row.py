"""One row of a sweep: what is possible, expected and measured of one architecture; whatever happens to it, a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter
from typing import Any

import numpy as np
from torch import nn

from dspref.spec import parse
from dspref.spectrum.measure import LineMeasurement
from torchparity.audit import Audit, audit
from torchparity.isolation import Lost, isolated
from torchparity.measure import STANDS_DB, Measured
from torchparity.sweep_expected import INPUTS, Outlook, as_seen, outlook, remarks
from torchparity.sweep_grid import Row
from torchparity.sweep_networks import drawn_network
from torchparity.target import load

Result = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """How rows are measured: the same for all of them.

    Attributes
    ----------
    seed, seeds : int
        Of the first network, and how many networks are drawn.
    inputs : tuple of str
        Some of `torchparity.sweep_expected.INPUTS`.
    seconds : float
        The longest time that a row may take.
    """

    seed: int = 0
    seeds: int = 1
    inputs: tuple[str, ...] = tuple(INPUTS)
    seconds: float = 600.0


def done(row: Row, asked: Asked) -> Result:
    """Return what is found of a row, as plain data.

    It is done in a process of its own: a network that takes all memory, hangs or ends its process is a result as well.
    The status is "ok", "refused" where the network is none that can be analysed, "failed" for anything else.

    Examples
    --------
    >>> from torchparity.sweep_grid import Architecture, Grid, rows
    >>> (row,) = rows(Grid((Architecture("convt k3 s2"),)))
    >>> found = done(row, Asked(inputs=("constant",)))
    >>> found["status"], found["factor"], found["measured"][0]["standing"]
    ('ok', 2, 1)
    """
    start = perf_counter()
    try:
        found = isolated(lambda say: looked(row, asked), seconds=asked.seconds)
        result = found if not isinstance(found, Lost) else _bad("failed", found.reason)
    except ValueError as error:
        result = _bad("refused", str(error))
    except Exception as error:  # whatever a stranger's module raises: one row never ends a sweep
        result = _bad("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
    said = None if row.target else list(row.channels)
    head = {"name": row.name, "architecture": row.words, "target": row.target, "channels": said}
    head |= {"init": row.law or None, "bias": None if row.target else row.bias, "sr": float(row.sr)}
    return {**head, **result, "seconds": round(perf_counter() - start, 3)}


def _bad(status: str, why: str) -> Result:
    return {"status": status, "why": why, **NOTHING}


NOTHING: Result = {
    **dict.fromkeys(("factor", "grid_hz", "possible_lines")),
    "measured": [],
    **dict.fromkeys(("errors", "warnings", "notes")),
}
"""What is said of a row that came to nothing."""


def looked(row: Row, asked: Asked) -> Result:
    """Return what is found of a row, in this process.

    Raises
    ------
    Exception
        Whatever its module raises.
    """
    make = factory(row)
    found = audit(make, name=row.words, sr=row.sr, seeds=range(asked.seed, asked.seed + asked.seeds))
    out = outlook(row, make, seed=asked.seed)
    levels = [finding.level for finding in found.findings]
    return {
        "status": "ok",
        "why": None,
        "factor": found.spine.chain.factor,
        "grid_hz": float(row.sr / found.spine.chain.factor),
        "possible_lines": len(found.lines) - 1,
        "measured": [_side_by_side(found, kind, out, row.sr) for kind in asked.inputs],
        **{f"{level}s": levels.count(level) for level in ("error", "warning", "note")},
    }


def factory(row: Row) -> Callable[[], nn.Module]:
    """Return what makes the network of a row of Torch's random numbers."""
    if row.target:
        return load(row.words)
    chain = parse(row.words)
    return lambda: drawn_network(chain, row.channels, init=row.init, scale=row.scale, bias=row.bias)


def _side_by_side(found: Audit, kind: str, out: Outlook, sr: Fraction) -> Result:
    """Return what was measured with one input, averaged over the networks, and what was to be expected."""
    runs = [r for r in found.runs if r.input == kind]
    seen = [_mean(each) for each in zip(*(r.lines[1:] for r in runs), strict=True)]
    off = sum(len(r.off_grid) for r in runs if r.judged)
    return {"input": kind, **_highest(seen, kind, sr), "off_grid": off, "expected": _expected(out, kind, runs[0], sr)}


def _expected(out: Outlook, kind: str, run: Measured, sr: Fraction) -> Result:
    """Return the same of the expected spectrum, in the bins of a measurement; or why there is none."""
    found, why = out.forecast(kind)
    if found is None or found.expected is None:
        return {"standing": None, "over_floor_db": None, "hz": None, "level_db": None, "why": why, "remarks": ""}
    spectrum = as_seen(found.expected, run.bin.denominator, resolution=run.resolution)
    top = _highest(seen := [spectrum.line(m.freq) for m in run.lines[1:]], kind, sr)
    freq = next(m.freq for m in seen if float(m.freq * sr) == top["hz"])
    return {**top, "why": None, "remarks": remarks(found, freq.denominator)}


def _mean(of_runs: Sequence[LineMeasurement]) -> LineMeasurement:
    """Return a line's mean power over runs, and that of the floor around it."""
    means = (np.mean([10 ** (getattr(m, name) / 10) for m in of_runs]) for name in ("level_db", "floor_db"))
    return LineMeasurement(of_runs[0].freq, *(float(10 * np.log10(max(power, 1e-320))) for power in means))


def _highest(lines: Sequence[LineMeasurement], kind: str, sr: Fraction) -> Result:
    """Return how many lines stand, and the highest over its floor; that of the highest level, where no noise is."""
    top = max(lines, key=lambda m: (m.level_db if kind == "constant" else m.height_db, -m.freq))
    return {
        "standing": sum(m.height_db >= STANDS_DB for m in lines),
        "over_floor_db": round(top.height_db, 2),
        "hz": float(top.freq * sr),
        "level_db": round(top.level_db, 2),
    }
