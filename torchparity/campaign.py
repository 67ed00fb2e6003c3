"""Many drawn cases, each compared with the reference: on any number of processes, and with the same result."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from time import perf_counter
from typing import Any

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.arithmetic import ARITHMETICS
from torchparity.campaign_report import Campaign, Effort
from torchparity.devices import as_device
from torchparity.draws import DTYPES, KINDS, draw_case
from torchparity.ledger import Ledger, ledger, read
from torchparity.memory import peak_memory, process_name
from torchparity.pieces import at_work
from torchparity.tally import Tally, total
from torchparity.trials import tallied

CHUNK = 250
"""Cases in one piece of work: a second or two of one core, and the most that a killed process loses."""


@dataclass(frozen=True)
class Design:
    """Which cases a campaign is made of: two with the same design have the same result.

    Examples
    --------
    >>> [list(span) for span in Design(5, chunk=2, shard=(2, 2)).spans.values()]
    [[2, 3]]
    """

    cases: int
    seed: int = 0
    kinds: tuple[str, ...] = KINDS
    dtypes: tuple[str, ...] = DTYPES
    device: str = "cpu"
    shard: tuple[int, int] = (1, 1)
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        as_integer("cases", self.cases, 1)
        as_integer("seed", self.seed, 0)
        as_integer("chunk", self.chunk, 1)
        for name, allowed in {"kinds": KINDS, "dtypes": tuple(ARITHMETICS)}.items():
            words = getattr(self, name)
            if not words or len(set(words)) < len(words):
                raise ValueError(complaint(name, words or "none", f"some of {', '.join(allowed)}, each once"))
            for word in words:
                as_choice(name, word, allowed)
        i, n = self.shard
        if not 1 <= i <= n:
            raise ValueError(complaint("shard", f"{i}/{n}", "i/n with 1 <= i <= n", "as 1/4 for the first of four"))

    @property
    def spans(self) -> dict[int, range]:
        """The pieces of work of this shard by number: every n-th, and the cases of each."""
        i, n = self.shard
        pieces = range(i - 1, math.ceil(self.cases / self.chunk), n)
        return {p: range(p * self.chunk, min((p + 1) * self.chunk, self.cases)) for p in pieces}

    def header(self) -> dict[str, Any]:
        """Return the design as plain data, with the versions of what computes."""
        versions = {name: version(name) for name in ("dspref", "numpy", "torch")}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()} | {"versions": versions}

    @classmethod
    def of_header(cls, header: Mapping[str, Any]) -> Design:
        """Return the design that a header tells of."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in header.items()}
        del fields["versions"]
        return cls(**fields)


Progress = Callable[[Tally, int], None]
"""Told what was seen so far, and how many cases there are in all, whenever a piece is done, and safe."""


def campaign(
    cases: int,
    *,
    seed: int = 0,
    kinds: Sequence[str] = KINDS,
    dtypes: Sequence[str] = DTYPES,
    device: str = "cpu",
    shard: tuple[int, int] = (1, 1),
    jobs: int | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: Progress = lambda seen, cases: None,
    note: Callable[[str], None] = lambda words: None,
    chunk: int = CHUNK,
) -> Campaign:
    """Compare drawn cases with the reference, on several processes.

    The result depends on the design alone (cases, seed, kinds, dtypes, device, shard, chunk): not on the number of
    processes, on the order in which they end, or on how often the campaign was broken off and resumed. Memory does
    not grow with the number of cases.

    Parameters
    ----------
    cases, seed : int
    kinds, dtypes : sequence of str
        Of layers (`torchparity.draws.KINDS`), and of arithmetics (`torchparity.arithmetic.ARITHMETICS`).
    device : str
    shard : (i, n)
        Do every n-th piece of work only, from the i-th on, 1 <= i <= n; `merge` puts shards together.
    jobs : int, optional
        Processes; by default as ``joblib.parallel_config`` says, else one.
    resume : path, optional
        A file that remembers finished pieces; what it holds is not done again.
    progress : function (Tally, int)
        Called when a piece is done and remembered. What it raises ends the campaign.
    note : function of str
        Told, once, if the file at `resume` ended with a piece that was not written whole: it is done again.
    chunk : int
        Cases in a piece.

    Returns
    -------
    Campaign

    Raises
    ------
    ValueError
        If an option is not one of those allowed, the device is not there, or the file at `resume` is not the ledger
        of this very campaign (then it is left as it is).

    Examples
    --------
    >>> made = campaign(20, kinds=["nearest"], dtypes=["float32"])
    >>> made.ok, made.tally.cases
    (True, 20)
    """
    design = Design(cases, seed, tuple(kinds), tuple(dtypes), device, shard, chunk)
    as_device(device)
    start, before = perf_counter(), Tally()
    with ledger(resume, design.header()) if resume is not None else nullcontext() as book:
        if book is not None:
            if book.torn:
                note(f"{resume}: 1 unfinished piece dropped")
            before = total(Tally.from_dict(result) for _, result in book.results())
        tally, memory = _done(design, before, book, jobs, progress)
    effort = Effort(tally.cases - before.cases, perf_counter() - start, sum(memory.values()), len(memory))
    return Campaign(design.header(), tally, effort)


def merge(paths: Sequence[str | os.PathLike[str]]) -> Campaign:
    """Return the campaign whose shards the ledgers at `paths` hold.

    Raises
    ------
    ValueError
        If a file is no ledger, they are not of one campaign, or something is missing or there twice.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> paths = [Path(tempfile.mkdtemp()) / f"{i}.jsonl" for i in (1, 2)]
    >>> for i, path in enumerate(paths, 1):
    ...     part = campaign(8, kinds=["nearest"], dtypes=["float32"], chunk=2, shard=(i, 2), resume=path)
    >>> merge(paths).tally == campaign(8, kinds=["nearest"], dtypes=["float32"], chunk=2).tally
    True
    """
    books = [read(path) for path in paths]
    headers = [{**book.header, "shard": [1, 1]} for book in books]
    for path, header in zip(paths, headers, strict=True):
        if header != headers[0]:
            names = ", ".join(name for name in header if header.get(name) != headers[0].get(name))
            raise ValueError(complaint("ledgers", f"{path} with another {names}", "shards of one campaign"))
    shards = sorted(tuple(book.header["shard"]) for book in books)
    if not books or shards != [(i + 1, len(books)) for i in range(len(books))]:
        got = ", ".join(f"{i}/{n}" for i, n in shards)
        raise ValueError(complaint("shards", got or "none", "every shard of a campaign, each once"))
    for path, book in zip(paths, books, strict=True):
        if left := set(Design.of_header(book.header).spans) - book.done:
            hint = "go on with it: --resume"
            raise ValueError(complaint("ledger", f"{path}, {len(left)} pieces short", "a finished shard", hint))
    return Campaign(headers[0], total(Tally.from_dict(result) for book in books for _, result in book.results()))


def _done(
    design: Design, tally: Tally, book: Ledger | None, jobs: int | None, progress: Progress
) -> tuple[Tally, dict[str, int]]:
    """Do the pieces that the ledger does not hold; return what all showed, and the memory of each process."""
    left = [piece for piece in design.spans if book is None or piece not in book.done]
    due = sum(len(span) for span in design.spans.values())
    memory: dict[str, int] = {}
    progress(tally, due)
    with at_work(partial(_piece, design), left, jobs) as pieces:
        for done in pieces:
            if book is not None:
                book.add(done.piece, done.result.to_dict())
            tally += done.result
            memory[done.process] = max(done.memory, memory.get(done.process, 0))
            progress(tally, due)
    return tally, memory | {process_name(): peak_memory()}


def _piece(design: Design, piece: int) -> Tally:
    """Return what one piece shows."""
    drawn = (draw_case(i, design.seed, kinds=design.kinds, dtypes=design.dtypes) for i in design.spans[piece])
    return total(tallied(each, design.device) for each in drawn)
