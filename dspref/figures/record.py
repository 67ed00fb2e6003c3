"""Monte Carlo against theory, from the record of `torchparity.expected_table`: docs/validation/expected.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dspref.arrays import Array, complaint
from dspref.claims.curves import Curve, Drawing
from dspref.figures.panels import Plot
from dspref.figures.picture import RECORD, Picture, Wanted

SCHEMA = "torchparity.expected-table/1"

BAND = 1.96
"""Standard errors either side, within which 95 % of differences lie if theory is right."""


def read_record(path: Path = RECORD) -> dict[str, Any]:
    """Return the record of levels that were drawn beside those expected.

    Raises
    ------
    ValueError
        If there is none, or it is of another kind.
    """
    hint = "it is in the repository, not in the installed package"
    if not path.is_file():
        raise ValueError(complaint("record", f"no {path.name} at {path.parent}", "docs/validation/expected.json", hint))
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if found.get("schema") != SCHEMA:
        raise ValueError(complaint("record", repr(found.get("schema")), SCHEMA))
    return found


def lines_of(record: dict[str, Any]) -> Array:
    """Return theory, seen and standard error of each line that was seen, (lines, 3), in dB.

    Examples
    --------
    >>> line = {"theory": -20.0, "seen": -20.1, "error": 0.1}
    >>> lines_of({"rows": [{"lines": [line, {"theory": -90.0, "seen": None, "error": None}]}]}).tolist()
    [[-20.0, -20.1, 0.1]]
    """
    lines = [line for row in record["rows"] for line in row["lines"]]
    kept = [[line[key] for key in ("theory", "seen", "error")] for line in lines]
    return np.array([row for row in kept if None not in row], float)


def montecarlo(wanted: Wanted) -> Picture:
    """Return expected levels of lines beside those of networks drawn, and by how much they differ."""
    record = read_record()
    theory, seen, error = lines_of(record).T
    order = np.argsort(theory)
    z = np.sort((seen - theory) / error)
    share = (np.arange(z.size) + 0.5) / z.size
    ends = np.array([theory.min(), theory.max()])
    level = Drawing(
        "expected, dB re the input",
        "drawn, dB re the input",
        (Curve("drawn = expected", ends, ends, joined=True), Curve("lines of networks", theory[order], seen[order])),
    )
    lengths = Drawing(
        "expected, dB re the input",
        "drawn less expected, dB",
        (Curve("no difference", ends, np.zeros(2), joined=True), Curve("lines", theory, seen - theory)),
    )
    error_bars = {"lines": seen - theory - BAND * error}, {"lines": seen - theory + BAND * error}
    x = np.linspace(-4, 4, 161)
    spread = Drawing(
        "difference in standard errors",
        "share below",
        (
            Curve("normal", x, _normal(x), joined=True),
            Curve("lines", z, share),
        ),
    )
    far = abs(seen - theory) > 3 * error
    networks, draws = len(record["rows"]), sum(row["draws"] for row in record["rows"])
    return Picture(
        "montecarlo",
        "Expected levels of lines beside levels drawn.",
        f"{theory.size} lines of {networks} kinds of networks, {draws} networks drawn in all "
        "(docs/validation/expected.md). Left: level against level; middle: differences, bars ±1.96 standard errors; "
        f"right: differences over their standard errors, beside a normal law. {int(far.sum())} are over three, and of "
        f"these none is over {abs(seen - theory)[far].max(initial=0):.2f} dB: networks are of finite width, and theory "
        "is of wide ones.",
        ("UA-T23", "UA-T24", "UA-T26"),
        (
            Plot("levels", level),
            Plot("differences", lengths, low=error_bars[0], high=error_bars[1]),
            Plot("differences over standard errors", spread),
        ),
        columns=3,
        size=(4.6, 3.6),
    )


def _normal(x: Array) -> Array:
    """Return the normal distribution function."""
    from scipy.special import ndtr

    return np.asarray(ndtr(x))
