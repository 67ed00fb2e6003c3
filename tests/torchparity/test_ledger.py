"""A ledger survives being killed, and touches nothing that is not its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest

from torchparity.ledger import head, ledger, read

HEADER = {"cases": 4, "seed": 0}
RESULTS = [(0, {"n": 1}), (2, [1.5, "inf"]), (1, {"a": None})]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "work.jsonl"
    with ledger(made, HEADER) as book:
        for piece, result in RESULTS:
            book.add(piece, result)
    return made


def refused(path: Path, match: str) -> None:
    """Both ways of opening refuse the file, in words, and leave it byte for byte as it is."""
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns
    with pytest.raises(ValueError, match=match), ledger(path, HEADER):
        pass
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == stamp


def test_what_was_added_is_there(path: Path) -> None:
    with ledger(path, HEADER) as book:
        assert list(book.results()) == RESULTS
        assert book.done == {0, 1, 2}
        book.add(3, "last")
        assert list(book.results()) == [*RESULTS, (3, "last")]
    assert read(path).done == {0, 1, 2, 3}
    assert read(path).header == HEADER
    assert list(read(path).results()) == [*RESULTS, (3, "last")]


def test_a_torn_last_line_is_dropped_wherever_it_was_torn(path: Path) -> None:
    whole = path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert read(path).done == {0, 2}
        assert list(read(path).results()) == RESULTS[:2]
        with ledger(path, HEADER) as book:
            assert list(book.results()) == RESULTS[:2]
            book.add(*RESULTS[2])
        assert path.read_bytes() == whole


def test_a_torn_header_is_begun_anew(path: Path) -> None:
    for end in range(len(head(HEADER))):
        path.write_bytes(head(HEADER)[:end])
        with ledger(path, HEADER) as book:
            assert book.done == set()
        assert path.read_bytes() == head(HEADER)


def test_any_changed_byte_is_found(path: Path) -> None:
    whole = path.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for place in range(len(whole)):
        if whole[place : place + 1] == b"\n" and place == len(whole) - 1:
            continue  # without its end the last line counts as torn
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        if place >= last and b"\n" not in changed[last:-1]:
            refused(path, "a damaged line")
        else:
            refused(path, "damaged line|other work|something else")


Change = Callable[[bytes], bytes]

SPOILT: dict[str, tuple[Change, str]] = {
    "a line twice": (lambda whole: whole + whole.splitlines(keepends=True)[1], "piece 0 twice"),
    "a line torn in the middle": (
        lambda whole: b"".join(
            line[:-9] + b"\n" if i == 1 else line for i, line in enumerate(whole.splitlines(keepends=True))
        ),
        "a damaged line",
    ),
    "an empty line": (lambda whole: whole + b"\n", "a damaged line"),
    "text": (lambda whole: b"Dear diary,\n", "something else"),
    "text without an end": (lambda whole: b"Dear diary", "something else"),
    "other JSON": (lambda whole: b'{"schema": "other/1"}\n', "something else"),
    "a list": (lambda whole: b"[1]\n", "something else"),
    "bytes": (lambda whole: bytes(range(256)), "something else"),
    "another seed": (lambda whole: head(HEADER | {"seed": 7}), "seed 7 and not 0"),
    "more in the header": (lambda whole: head(HEADER | {"more": 1}), "more 1 and not None"),
    "the same in other spacing": (lambda whole: whole.replace(b":", b": ", 1), "another form"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_this_ledger_is_refused_and_left_alone(name: str, path: Path) -> None:
    change, match = SPOILT[name]
    path.write_bytes(change(path.read_bytes()))
    refused(path, match)


def test_a_line_of_another_ledger_is_found(path: Path, tmp_path: Path) -> None:
    with ledger(tmp_path / "other", HEADER | {"seed": 1}) as other:
        other.add(3, {"n": 1})
    path.write_bytes(path.read_bytes() + (tmp_path / "other").read_bytes().splitlines(keepends=True)[1])
    refused(path, "a damaged line, or one of other work")


def test_no_two_may_write_at_once(path: Path) -> None:
    with ledger(path, HEADER) as book:
        refused(path, "in use by another process")
        book.add(3, 0)
    with ledger(path, HEADER) as again:
        assert again.done == {0, 1, 2, 3}


def test_places_that_hold_no_ledger_are_refused(tmp_path: Path) -> None:
    for place, match in ((tmp_path, "not a file"), (tmp_path / "no" / "where", "not writable")):
        with pytest.raises(ValueError, match=match), ledger(place, HEADER):
            pass
    with pytest.raises(ValueError, match="no file"):
        read(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a file"), ledger(tmp_path / "pipe", HEADER):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pipe"]


def test_a_full_disk_leaves_whole_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that ends half way is taken back, and told."""
    before, whole = path.read_bytes(), os.write

    def half(number: int, data: bytes) -> int:
        if len(data) < 40:
            raise OSError(28, "No space left on device")
        return whole(number, data[: len(data) // 2])

    with ledger(path, HEADER) as book:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half)
            with pytest.raises(ValueError, match="No space left"):
                book.add(3, "x" * 100)
        assert path.read_bytes() == before
        book.add(3, "y")
    assert list(read(path).results()) == [*RESULTS, (3, "y")]


WRITER = """
import sys
from itertools import count
from torchparity.ledger import ledger
with ledger(sys.argv[1], {"cases": 4, "seed": 0}) as book:
    for piece in count(10):
        book.add(piece, "x" * 100_000)
"""


def test_a_writer_that_is_killed_loses_nothing_and_its_lock(path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
    size = path.stat().st_size
    while path.stat().st_size < size + 1_000_000:
        sleep(0.001)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    with ledger(path, HEADER) as book:
        pieces = [piece for piece, _ in book.results()]
        assert pieces[:3] == [0, 2, 1]
        assert pieces[3:] == list(range(10, 10 + len(pieces) - 3))
        assert len(pieces) > 10
        book.add(5, 0)
    assert read(path).done == {*pieces, 5}
