"""The campaign: every decoder before and after, seed by seed, and what theory says; each a piece that is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.cure.crowd import SHARE, Layer, layers, some
from tests.cure.foreseen import Foreseen, foreseen
from tests.cure.measured import SEGMENTS, Lines, Seen, seen
from tests.cure.subjects import SUBJECTS, Subject, cure, made
from torchparity.ledger import ledger

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
    crowd : tuple of Layer
        Each layer in many networks; nothing where the seeds are all.
    """

    subject: Subject
    before: tuple[Seen, ...]
    after: tuple[Seen, ...]
    layers: int
    not_reached: tuple[str, ...]
    foreseen: Foreseen
    crowd: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A part of the work: what one seed shows, or theory says, or a share of many networks shows."""

    subject: Subject
    kind: str
    first: int = 0
    """The seed, or the first of them."""

    def __str__(self) -> str:
        told = {SEED: f"seed {self.first}", THEORY: THEORY, CROWD: f"networks {self.first} to {self.first + SHARE - 1}"}
        return f"{self.subject.name}, {told[self.kind]}"


SEED, THEORY, CROWD = "seed", "theory", "crowd"


def pieces() -> tuple[Piece, ...]:
    """Return all parts of the work.

    >>> [len([piece for piece in pieces() if piece.kind == kind]) for kind in (SEED, THEORY, CROWD)]
    [55, 11, 20]
    """
    return tuple(piece for subject in SUBJECTS for piece in _pieces(subject))


def _pieces(subject: Subject) -> Iterator[Piece]:
    yield from (Piece(subject, SEED, seed) for seed in range(SEEDS))
    yield Piece(subject, THEORY)
    yield from (Piece(subject, CROWD, first) for first in range(SEEDS, SEEDS + subject.networks, SHARE))


def campaign(folder: Path | None, show: Show) -> tuple[Cured, ...]:
    """Return all decoders, of a ledger in a folder as far as it has them.

    Parameters
    ----------
    folder : path, optional
        Where pieces are remembered; if there is none, they are not.
    show : function of (done, due, words)
    """
    due = pieces()
    header = {"work": "cure", "pieces": [str(piece) for piece in due], "segments": SEGMENTS}
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        book = stack.enter_context(ledger(place / "cure.jsonl", header))
        for number in sorted(set(range(len(due))) - book.done):
            show(len(book.done), len(due), str(due[number]))
            book.add(number, _done(due[number]))
        known = dict(book.results())
    return tuple(_cured(subject, due, known) for subject in SUBJECTS)


def _done(piece: Piece) -> Any:
    if piece.kind == THEORY:
        return asdict(foreseen(piece.subject))
    return _pair(piece.subject, piece.first) if piece.kind == SEED else some(piece.subject, piece.first)


def _pair(subject: Subject, seed: int) -> dict[str, Any]:
    before, after = made(subject, seed), made(subject, seed)
    report = cure(subject, after)
    pair = {"before": asdict(seen(subject, before, seed)), "after": asdict(seen(subject, after, seed))}
    left = [f"{name}: {why}" for name, why in report.not_reached]
    return {**pair, "layers": len(report.done), "not_reached": left}


def _cured(subject: Subject, due: Sequence[Piece], known: Mapping[int, Any]) -> Cured:
    def of(kind: str) -> list[Any]:
        return [known[i] for i, piece in enumerate(due) if (piece.subject, piece.kind) == (subject, kind)]

    pairs, shares = of(SEED), of(CROWD)
    before, after = (tuple(_seen(pair[when]) for pair in pairs) for when in ("before", "after"))
    told, crowd = _told(*of(THEORY)), layers(shares) if shares else ()
    return Cured(subject, before, after, pairs[0]["layers"], tuple(pairs[0]["not_reached"]), told, crowd)


def _told(row: dict[str, Any]) -> Foreseen:
    numbers = {name: tuple(row[name]) for name in ("noise", "line", "rounding")}
    return Foreseen(**numbers, off=row["off"], why=row["why"])


def _seen(row: dict[str, Any]) -> Seen:
    return Seen(row["flat"], row["rounding"], row["periods"], tuple(Lines(**each) for each in row["layers"]))


def every(cured: tuple[Cured, ...]) -> Iterator[tuple[Cured, int]]:
    """Yield each layer of each decoder."""
    yield from ((each, i) for each in cured for i in range(len(each.after[0].layers)))
