"""The campaign: every decoder before and after, seed by seed, and what theory says; each a piece that is remembered."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from tests.cure.foreseen import Foreseen, foreseen
from tests.cure.measured import SEGMENTS, Lines, Seen, seen
from tests.cure.subjects import SUBJECTS, Plain, Subject, made
from torchparity.ledger import ledger
from torchparity.nn.utils import ToneFreeReport, tone_free_

SEEDS = 5

Show = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Cured:
    """A decoder before and after, one pair for each seed, and what theory says of it.

    Attributes
    ----------
    before, after : tuple of Seen
    layers : int
        That `torchparity.nn.utils.tone_free_` has made tone-free.
    not_reached : tuple of str
        What it could not reach.
    foreseen : Foreseen
    """

    subject: Subject
    before: tuple[Seen, ...]
    after: tuple[Seen, ...]
    layers: int
    not_reached: tuple[str, ...]
    foreseen: Foreseen


THEORY, PIECES = SEEDS, SEEDS + 1
"""The piece of a decoder behind those of its seeds, and how many it has."""


def campaign(folder: Path | None, show: Show) -> tuple[Cured, ...]:
    """Return all decoders, of a ledger in a folder as far as it has them.

    Parameters
    ----------
    folder : path, optional
        Where pieces are remembered; if there is none, they are not.
    show : function of (done, due, words)
    """
    header = {
        "work": "cure",
        "pieces": PIECES,
        "subjects": [s.name for s in SUBJECTS],
        "seeds": SEEDS,
        "segments": SEGMENTS,
    }
    due = len(SUBJECTS) * PIECES
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        book = stack.enter_context(ledger(place / "cure.jsonl", header))
        for number in sorted(set(range(due)) - book.done):
            subject, piece = SUBJECTS[number // PIECES], number % PIECES
            show(len(book.done), due, f"{subject.name}, {'theory' if piece == THEORY else f'seed {piece}'}")
            book.add(number, _piece(subject, piece))
            gc.collect()  # models of the piece before, gigabytes where they are as published
        known = dict(book.results())
    return tuple(_cured(subject, known, i * PIECES) for i, subject in enumerate(SUBJECTS))


def _piece(subject: Subject, piece: int) -> dict[str, Any]:
    return asdict(foreseen(subject)) if piece == THEORY else _pair(subject, piece)


def _pair(subject: Subject, seed: int) -> dict[str, Any]:
    before, after = made(subject, seed), made(subject, seed)
    report = cure(subject, after)
    pair = {"before": asdict(seen(subject, before, seed)), "after": asdict(seen(subject, after, seed))}
    left = [f"{name}: {why}" for name, why in report.not_reached]
    return {**pair, "layers": len(report.done), "not_reached": left}


def cure(subject: Subject, module: nn.Module) -> ToneFreeReport:
    """Make a decoder tone-free, and return what was reached."""
    return tone_free_(Plain(subject.row, module), inputs=_example(subject))


def _example(subject: Subject) -> Any:
    """Return an input for what is to be run once: 64 steps of noise."""
    from tests.zoo.measured import noise

    return noise(subject.row, 64).double()


def _cured(subject: Subject, known: dict[int, Any], first: int) -> Cured:
    pairs = [known[first + seed] for seed in range(SEEDS)]
    before, after = (tuple(_seen(pair[when]) for pair in pairs) for when in ("before", "after"))
    told = _told(known[first + THEORY])
    return Cured(subject, before, after, pairs[0]["layers"], tuple(pairs[0]["not_reached"]), told)


def _told(row: dict[str, Any]) -> Foreseen:
    return Foreseen(tuple(row["noise"]), tuple(row["line"]), tuple(row["rounding"]), row["why"])


def _seen(row: dict[str, Any]) -> Seen:
    return Seen(row["flat"], row["rounding"], row["periods"], tuple(Lines(**each) for each in row["layers"]))


def every(cured: tuple[Cured, ...]) -> Iterator[tuple[Cured, int]]:
    """Yield each layer of each decoder."""
    yield from ((each, i) for each in cured for i in range(len(each.after[0].layers)))
