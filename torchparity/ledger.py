"""A file that remembers what was done: one line per finished piece of work, safe against being killed at any time.

The first line, the header, says which work it is. Every other line holds one piece, its number and its result, with
a checksum over both and the header: a line that was damaged, or came from elsewhere, is found. Lines are appended
whole and forced to the disk; a process that is killed while it writes leaves at most one torn line at the end,
which is dropped. A file that is anything else is refused, and left as it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from dspref.arrays import complaint

SCHEMA = "torchparity.campaign/1"

Header = Mapping[str, Any]

_LINE = re.compile(rb'\{"sum":"([0-9a-f]{32})","piece":(\d{1,18}),"result":(.*)\}\n', re.DOTALL)
_TOLD = "it was left as it is; give another file name to start anew"


@dataclass(frozen=True)
class Ledger:
    """A ledger: which work it is, and the numbers of the pieces that it holds.

    One from `ledger` can be added to, and is locked against other processes; one from `read` can't.
    """

    path: Path
    line: bytes
    done: set[int]
    number: int | None = None
    """Of the open file."""
    torn: bool = False
    """Whether a piece was dropped that a killed process had not written whole."""

    @property
    def header(self) -> dict[str, Any]:
        """Which work it is."""
        return {name: value for name, value in json.loads(self.line).items() if name != "schema"}

    def add(self, piece: int, result: Any) -> None:
        """Append the result of a piece, and return when the disk has it."""
        assert self.number is not None, "opened by read(): only to be read"
        _append(self.path, self.number, _line(self.line, piece, result))
        self.done.add(piece)

    def results(self) -> Iterator[tuple[int, Any]]:
        """Yield every piece with its result, one at a time."""
        with self.path.open("rb") as file:
            file.readline()
            for line in _whole(file):
                yield _read(self.path, self.line, line)


@contextmanager
def ledger(path: str | os.PathLike[str], header: Header) -> Iterator[Ledger]:
    """Open the ledger of some work, or begin it where there is no file yet, or an empty one.

    Parameters
    ----------
    path : str or path
    header : mapping
        Plain data that says which work it is.

    Raises
    ------
    ValueError
        If the file holds other work, or something else, or is damaged, or another process writes to it, or it
        can't be opened: then not one byte of it was changed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "work.jsonl"
    >>> with ledger(path, {"work": "sums"}) as book:
    ...     book.add(3, {"sum": 12})
    >>> with ledger(path, {"work": "sums"}) as book:
    ...     list(book.results())
    [(3, {'sum': 12})]
    """
    place, due = Path(path), head(header)
    with _locked(place) as number:
        if len(begun := _beginning(place, len(due))) < len(due) and due.startswith(begun):  # torn in the first line
            os.ftruncate(number, 0)
            _append(place, number, due)
        found, end = _scanned(place, due)
        torn = os.fstat(number).st_size > end
        os.ftruncate(number, end)
        yield Ledger(place, due, found, number, torn)


def read(path: str | os.PathLike[str]) -> Ledger:
    """Return a ledger to be read, whichever work it is.

    Raises
    ------
    ValueError
        If it is no ledger, or damaged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "work.jsonl"
    >>> with ledger(path, {"work": "sums"}) as book:
    ...     book.add(3, {"sum": 12})
    >>> read(path).header, read(path).done
    ({'work': 'sums'}, {3})
    """
    place = Path(path)
    if not place.is_file():
        raise _refusal(place, "no file")
    try:
        with place.open("rb") as file:
            first = file.readline()
    except OSError as error:
        raise _refusal(place, f"not readable ({error.strerror})") from None
    _header(place, first)
    return Ledger(place, first, _scanned(place, first)[0])


def head(header: Header) -> bytes:
    """Return the first line of a ledger."""
    return _dumped({"schema": SCHEMA, **header}) + b"\n"


def _dumped(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode()


def _sum(header: bytes, piece: bytes, result: bytes) -> bytes:
    return blake2b(b"\n".join((header, piece, result)), digest_size=16).hexdigest().encode()


def _line(header: bytes, piece: int, result: Any) -> bytes:
    number, data = str(piece).encode(), _dumped(result)
    return b'{"sum":"%s","piece":%s,"result":%s}\n' % (_sum(header, number, data), number, data)


def _read(path: Path, header: bytes, line: bytes) -> tuple[int, Any]:
    """Return the piece of a line and its result, if the checksum says that they are what was written."""
    found = _LINE.fullmatch(line)
    if found is None or _sum(header, found[2], found[3]) != found[1]:
        raise _refusal(path, "a damaged line, or one of other work")
    return int(found[2]), json.loads(found[3])


def _whole(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that are left, without the one that was torn while it was written: always the last."""
    return (line for line in file if line.endswith(b"\n"))


def _beginning(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _scanned(path: Path, due: bytes) -> tuple[set[int], int]:
    """Return the numbers of the pieces that a file holds, and where its last whole line ends."""
    found: set[int] = set()
    with path.open("rb") as file:
        first = file.readline()
        if first != due:
            raise _foreign(path, _header(path, first), json.loads(due))
        end = len(first)
        for line in _whole(file):
            piece, _ = _read(path, due, line)
            if piece in found:
                raise _refusal(path, f"piece {piece} twice")
            found.add(piece)
            end += len(line)
    return found, end


def _header(path: Path, line: bytes) -> Header:
    try:
        header = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        raise _refusal(path, "a file of something else")
    return header


def _foreign(path: Path, got: Header, due: Header) -> ValueError:
    """Say what differs between two headers."""
    names = [name for name in (*due, *(set(got) - set(due))) if got.get(name) != due.get(name)]
    other = ", ".join(f"{name} {got.get(name)} and not {due.get(name)}" for name in names)
    return _refusal(path, f"other work: {other or 'written in another form'}")


def _refusal(path: Path, got: str) -> ValueError:
    return ValueError(complaint("ledger", f"{path}, {got}", "the ledger of this very campaign, or a new file", _TOLD))


def _append(path: Path, number: int, line: bytes) -> None:
    """Write at the end, and return when the disk has it; what can't be written whole is taken back."""
    end = os.lseek(number, 0, os.SEEK_END)
    try:
        while line:
            line = line[os.write(number, line) :]
        os.fsync(number)
    except OSError as error:
        os.ftruncate(number, end)
        raise ValueError(complaint("ledger", f"{path}: {error.strerror}", "a place that can hold it")) from None


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open a file for this process alone; a lock that a killed process held is gone with it."""
    import fcntl

    if path.exists() and not path.is_file():
        raise _refusal(path, "not a file")
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _refusal(path, f"not writable ({error.strerror})") from None
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _refusal(path, "in use by another process") from None
        yield number
    finally:
        os.close(number)
