"""A grid of architectures, audited row by row: on any number of processes, resumable, and with the same result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.isolation import as_seconds
from torchparity.ledger import ledger, read
from torchparity.pieces import at_work
from torchparity.sweep_expected import INPUTS
from torchparity.sweep_grid import LIMIT, Architecture, Grid, checked, rows
from torchparity.sweep_row import Asked, Result, done

SCHEMA = "torchparity.sweep/1"

Progress = Callable[[int, int, int], None]
"""Told how many rows are done, how many are due, and how many of those done are not "ok"."""


@dataclass(frozen=True)
class Sweep:
    """The rows of a sweep, in the order of its grid.

    Attributes
    ----------
    header : mapping
        Which sweep it is.
    rows : tuple of mapping
        Plain data, schema "torchparity.sweep/1" each.
    """

    header: Mapping[str, Any]
    rows: tuple[Result, ...]

    def count(self, status: str) -> int:
        """Return how many rows have a status."""
        return sum(row["status"] == status for row in self.rows)

    @property
    def levels(self) -> frozenset[str]:
        """The levels of all findings; "error" too where a row failed."""
        found = {level for row in self.rows for level in ("error", "warning", "note") if row[f"{level}s"]}
        return frozenset(found | ({"error"} if self.count("failed") else set()))

    @property
    def headline(self) -> str:
        """How many rows there are, by status."""
        others = "".join(f", {self.count(status)} {status}" for status in ("refused", "failed") if self.count(status))
        return f"{len(self.rows)} rows: {self.count('ok')} ok{others}"


def sweep(
    grid: Grid | Iterable[str],
    *,
    seed: int = 0,
    seeds: int = 1,
    inputs: Sequence[str] = tuple(INPUTS),
    shard: tuple[int, int] = (1, 1),
    jobs: int | None = None,
    resume: str | os.PathLike[str] | None = None,
    seconds: float = 600.0,
    limit: int = LIMIT,
    progress: Progress = lambda done, due, bad: None,
    note: Callable[[str], None] = lambda words: None,
) -> Sweep:
    """Audit every architecture of a grid: lines possible, expected before training, and measured on random networks.

    Rows depend on the grid, `seed`, `seeds` and `inputs` alone, `seconds` of a row apart: not on the number of
    processes, the order in which they end, or how often the sweep was broken off and resumed. A row that can't be
    analysed, or fails, says so, and the others go on.

    Parameters
    ----------
    grid : Grid, or iterable of str
        Architectures in words, presets, targets, alternatives in braces.
    seed, seeds : int
        Of the first network of each row, and how many there are; measurements are averages over them.
    inputs : sequence of str
        "noise", "constant", or both.
    shard : (i, n)
        Do every n-th row only, from the i-th on, 1 <= i <= n; `merge` puts shards together.
    jobs : int, optional
        Processes; by default as ``joblib.parallel_config`` says, else one.
    resume : path, optional
        A file that remembers finished rows; what it holds is not done again.
    seconds : float
        The longest time that a row may take.
    limit : int
        The most rows.
    progress : function
        Called when a row is done and remembered. What it raises ends the sweep.
    note : function of str
        Told, once, if the file at `resume` ended with a row that was not written whole: it is done again.

    Raises
    ------
    ValueError
        If an option is not one of those allowed, a row can't be read, there are none or too many, or the file at
        `resume` is not the ledger of this very sweep (then it is left as it is).

    Examples
    --------
    >>> made = sweep(["convt k{3,4} s2"], inputs=["constant"])
    >>> [(row["architecture"], row["factor"], row["measured"][0]["standing"]) for row in made.rows]
    [('convt k3 s2', 2, 1), ('convt k4 s2', 2, 1)]
    """
    if not isinstance(grid, Grid):
        grid = Grid(tuple(Architecture(words) for words in grid))
    asked = _asked(seed, seeds, inputs, seconds)
    due = _due(len(rows(checked(grid, limit=limit))), shard)
    header, found = _header(grid, asked, shard), dict[int, Result]()
    with ledger(resume, header) if resume is not None else nullcontext() as book:
        if book is not None:
            if book.torn:
                note(f"{resume}: 1 unfinished row dropped")
            found |= dict(book.results())
        _tell(progress, found, len(due))
        with at_work(partial(_piece, grid, asked), [place for place in due if place not in found], jobs) as pieces:
            for piece in pieces:
                if book is not None:
                    book.add(piece.piece, piece.result)
                found[piece.piece] = piece.result
                _tell(progress, found, len(due))
    return _sweep(header, found)


def merge(paths: Sequence[str | os.PathLike[str]]) -> Sweep:
    """Return the sweep whose shards the ledgers at `paths` hold.

    Raises
    ------
    ValueError
        If a file is no ledger of a sweep, they are not of one sweep, or something is missing or there twice.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> paths = [Path(tempfile.mkdtemp()) / f"{i}.jsonl" for i in (1, 2)]
    >>> for i, path in enumerate(paths, 1):
    ...     part = sweep(["convt k{3,4} s2"], inputs=["constant"], shard=(i, 2), resume=path)
    >>> [row["row"] for row in merge(paths).rows]
    [1, 2]
    """
    books = [read(path) for path in paths]
    headers = [{**book.header, "shard": [1, 1]} for book in books]
    for path, header in zip(paths, headers, strict=True):
        if header.get("work") != "sweep":
            raise ValueError(complaint("ledger", f"{path}, of other work", "the ledger of a sweep"))
        if header != headers[0]:
            names = ", ".join(name for name in header if header[name] != headers[0].get(name))
            raise ValueError(complaint("ledgers", f"{path} with another {names}", "shards of one sweep"))
    shards = sorted(tuple(book.header["shard"]) for book in books)
    if not books or shards != [(i + 1, len(books)) for i in range(len(books))]:
        got = ", ".join(f"{i}/{n}" for i, n in shards)
        raise ValueError(complaint("shards", got or "none", "every shard of a sweep, each once"))
    for path, book in zip(paths, books, strict=True):
        if left := set(_due(book.header["rows"], tuple(book.header["shard"]))) - book.done:
            got = f"{path}, {len(left)} rows short"
            raise ValueError(complaint("ledger", got, "a finished shard", "go on with it: --resume"))
    return _sweep(headers[0], {place: result for book in books for place, result in book.results()})


def _asked(seed: int, seeds: int, inputs: Sequence[str], seconds: float) -> Asked:
    kinds = tuple(as_choice("input", each, tuple(INPUTS)) for each in inputs)
    if not kinds or len(set(kinds)) < len(kinds):
        raise ValueError(complaint("inputs", kinds or "none", f"some of {', '.join(INPUTS)}, each once"))
    return Asked(
        as_integer("seed", seed, 0), as_integer("seeds", seeds, 1), kinds, as_seconds("time limit", float(seconds))
    )


def _due(count: int, shard: tuple[int, int]) -> range:
    """Return the places of a shard's rows: every n-th."""
    i, n = shard
    if not 1 <= i <= n:
        raise ValueError(complaint("shard", f"{i}/{n}", "i/n with 1 <= i <= n", "as 1/4 for the first of four"))
    return range(i - 1, count, n)


def _header(grid: Grid, asked: Asked, shard: tuple[int, int]) -> dict[str, Any]:
    """Return which sweep it is, as plain data: the grid by its first and last row, and a checksum of all."""
    all_of = rows(grid)
    words = f"from '{all_of[0].words}' to '{all_of[-1].words}', checksum {grid.digest()}"
    said = {"seed": asked.seed, "seeds": asked.seeds, "inputs": list(asked.inputs), "shard": list(shard)}
    versions = {name: version(name) for name in ("dspref", "numpy", "torch")}
    return {"work": "sweep", "rows": len(all_of), "grid": words, **said, "versions": versions}


def _piece(grid: Grid, asked: Asked, place: int) -> Result:
    """Return what is found of one row."""
    return {"schema": SCHEMA, "row": place + 1, **done(rows(grid)[place], asked)}


def _tell(progress: Progress, found: Mapping[int, Result], due: int) -> None:
    progress(len(found), due, sum(row["status"] != "ok" for row in found.values()))


def _sweep(header: Mapping[str, Any], found: Mapping[int, Result]) -> Sweep:
    return Sweep(header, tuple(found[place] for place in sorted(found)))
