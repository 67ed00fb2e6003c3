"""The command ``dspref leakage``: what an upsampler makes of a constant, and how to cure it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from dspref.console import (
    FINDINGS,
    NOT_ANALYSABLE,
    emit,
    form_option,
    hertz_parameter,
    json_text,
    level_parameter,
    output_option,
    plain_minus,
    with_exit_codes,
    writable,
)

if TYPE_CHECKING:
    from dspref.leaks.known import KnownLeakage

SCHEMA = "dspref.leakage/1"


@click.command()
@click.argument("name", required=False)
@click.option("--factor", metavar="L", type=int, help="Upsampling factor, 2 or more.")
@click.option("--taps", metavar="A,B,…", help="Taps at the output rate: integers, decimals, fractions.")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate: lines in Hz.")
@click.option("--fail-over", metavar="DBC", callback=level_parameter, help="Exit with 1 if a line is above this level.")
@form_option("text", "json")
@click.option("--limit", type=click.IntRange(min=0), default=40, show_default=True, help="Lines listed as text.")
@output_option
@with_exit_codes
def leakage(
    name: str | None,
    factor: int | None,
    taps: str | None,
    sr: Fraction | None,
    fail_over: float | None,
    form: str,
    limit: int,
    output: str | None,
) -> None:
    """Say which tones an upsampler makes of a constant, in dB re DC.

    Without NAME and taps, of all that are known. The nearest taps that make no
    tone are given with a NAME and a factor, and with taps.

    \b
    dspref leakage
    dspref leakage resample_poly --factor 3 --sr 48000
    dspref leakage --factor 3 --taps 4066,6261,8133,9391,9834,9391,8133,6261,4066
    """  # noqa: D301
    target = writable(output)
    rows = _rows(name, factor, taps)
    alone = taps is not None or (name is not None and factor is not None)
    emit(leakage_json(rows, sr) if form == "json" else leakage_text(rows, sr, alone=alone, limit=limit), target)
    exit_over(rows, fail_over)


def exit_over(rows: tuple[KnownLeakage, ...], fail_over: float | None) -> None:
    """Exit with 3 if nothing could be analysed, and with 1 if a line is above the level."""
    if all(row.leakage is None for row in rows):
        raise click.exceptions.Exit(NOT_ANALYSABLE)
    worst = [row.leakage.worst_dbc for row in rows if row.leakage is not None]
    if fail_over is not None and any(level is not None and level > fail_over for level in worst):
        raise click.exceptions.Exit(FINDINGS)


def _rows(name: str | None, factor: int | None, taps: str | None) -> tuple[KnownLeakage, ...]:
    """Return the upsamplers asked for, as rows of one table."""
    import numpy as np

    from dspref.leaks import of_taps
    from dspref.leaks.known import KnownLeakage, known_leakage

    if taps is None:
        return known_leakage(name, factor=factor)
    if name is not None:
        raise click.UsageError("got NAME and --taps; give one of the two.")
    if factor is None:
        raise click.UsageError("--taps needs --factor L, as --factor 3.")
    return (KnownLeakage("taps", factor, of_taps(np.array(read_taps(taps)), factor), about="taps as given"),)


def read_taps(words: str) -> list[Fraction]:
    """Read taps exactly: "1/4, 3/4, 0.75, 1e-3".

    Examples
    --------
    >>> read_taps("1/4,0.75")
    [Fraction(1, 4), Fraction(3, 4)]
    """
    from dspref.arrays import complaint

    found = []
    parts = [part.split() or [""] for part in words.split(",")] if words.strip() else []
    for place, word in enumerate(word for part in parts for word in part):
        try:
            found.append(Fraction(plain_minus(word)))
        except (ValueError, ZeroDivisionError):
            allowed = "integers, decimals or fractions, with commas between"
            raise ValueError(complaint(f"tap {place}", repr(word), allowed, "as 1,2,1 or 1/4,3/4,3/4,1/4")) from None
    return found


def leakage_json(rows: tuple[KnownLeakage, ...], sr: Fraction | None) -> str:
    """Return upsamplers as JSON, schema ``dspref.leakage/1``; with `sr`, lines in Hz too."""
    from dspref import __version__

    upsamplers = [{"name": row.name, "about": row.about, **_measured(row, sr)} for row in rows]
    document = {"schema": SCHEMA, "version": __version__, "sr": None if sr is None else float(sr)}
    return json_text({**document, "upsamplers": upsamplers})


def _measured(row: KnownLeakage, sr: Fraction | None) -> dict[str, Any]:
    if row.leakage is None:
        return {"factor": row.factor, "analysable": False, "note": row.note}
    return {"analysable": True, **row.leakage.to_dict(sr)}


def leakage_text(
    rows: tuple[KnownLeakage, ...],
    sr: Fraction | None,
    *,
    alone: bool,
    more: str = "dspref leakage NAME",
    limit: int | None = None,
) -> str:
    """Return one upsampler in full, or a table of several."""
    if alone:
        said = (row.note if row.leakage is None else row.leakage.text(sr, limit=limit) for row in rows)
        return "".join(f"{row.name}, {words}\n" for row, words in zip(rows, said, strict=True))
    from dspref.tables import table, text

    legend = "Highest line in dB re DC. null: proved; <: nothing above that, which is rounding."
    end = f"{legend} '{more} --factor L' gives all lines, and the cure."
    if len({row.name for row in rows}) == 1 or len({row.factor for row in rows}) == 1:
        cells = [(row.name, row.factor, _level(row), _place(row, sr), row.about) for row in rows]
        return text(table("", ("upsampler", ">factor", ">dBc", "at", "what it is"), cells), "", end)
    names = dict.fromkeys(row.name for row in rows)
    levels = {(row.name, row.factor): _level(row) for row in rows if row.leakage is not None}
    about = {row.name: row.about for row in rows}
    missing = {row.name: _level(row) for row in rows if row.leakage is None}
    grid = [(n, *(levels.get((n, L)) for L in COLUMNS), missing.get(n, about[n])) for n in names]
    others = [_others(n, {L: level for (m, L), level in levels.items() if m == n and L not in COLUMNS}) for n in names]
    columns = ("upsampler", *(f">×{L}" for L in COLUMNS), "what it is")
    return text(table("", columns, grid), "", *filter(None, others), end)


COLUMNS = (2, 3, 4, 8)


def _others(name: str, levels: dict[int, str]) -> str:
    return f"{name}: {', '.join(f'×{L} {level}' for L, level in levels.items())}." if levels else ""


def _level(row: KnownLeakage) -> str:
    """Return the level of the highest line, or what is to be said instead."""
    if row.leakage is None:
        return row.note.split(":")[0]
    if row.leakage.worst_dbc is not None:
        return f"{row.leakage.worst_dbc:.2f}"
    return row.leakage.verdict.replace("no tone above ", "<").replace(" dBc", "").replace("no tone", "null")


def _place(row: KnownLeakage, sr: Fraction | None) -> str:
    """Return the frequency of the highest line."""
    found = [] if row.leakage is None else [line for line in row.leakage.lines if line.dbc is not None]
    if not found:
        return ""
    highest = max(found, key=lambda line: line.dbc or 0.0)
    return str(highest.freq) if sr is None else f"{float(highest.hz(sr)):.10g} Hz"
