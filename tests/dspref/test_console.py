"""Exit codes, numbers of hertz, and files written whole or not at all."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dspref import NotAnalysable
from dspref.arrays import complaint
from dspref.console import emit, hertz_parameter, read_hertz, with_exit_codes, writable, write


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("some words"), 2),
        (NotAnalysable("some words"), 3),
        (TypeError(complaint("stages", 3, "an iterable")), 2),
    ],
    ids=["usage", "not analysable", "type"],
)
def test_bad_input_ends_with_words_and_a_code(error: Exception, code: int) -> None:
    @click.command()
    @with_exit_codes
    def fail() -> None:
        raise error

    result = CliRunner().invoke(fail)
    assert (result.exit_code, result.stderr, result.stdout) == (code, f"Error: {error}\n", "")


def test_ctrl_c_ends_with_130_and_not_as_findings_do() -> None:
    @click.command()
    @with_exit_codes
    def waits() -> None:
        raise KeyboardInterrupt

    result = CliRunner().invoke(waits)
    assert (result.exit_code, result.stderr, result.stdout) == (130, "\ninterrupted\n", "")


@pytest.mark.parametrize("error", [KeyError("ours"), TypeError("ours")], ids=repr)
def test_our_own_faults_are_not_hidden(error: Exception) -> None:
    @with_exit_codes
    def fail() -> None:
        raise error

    with pytest.raises(type(error), match="ours"):
        fail()


@pytest.mark.parametrize(
    ("words", "hz"),
    [
        ("22050", 22050),
        ("86.1328125", Fraction(11025, 128)),
        (" 44.1e3 ", 44100),
        ("16000/3", Fraction(16000, 3)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("1E+2", 100),
    ],
)
def test_hertz_are_read_exactly(words: str, hz: Fraction) -> None:
    assert read_hertz(words) == hz


@pytest.mark.parametrize(
    "words",
    [
        "",
        "0",
        "0.0",
        "0/5",
        "-1",
        "nan",
        "inf",
        "1/0",
        "1/00",
        "44.1k",
        "1e999",
        "1e-9999",
        "1_000",
        "٣",
        "3 4",
        "9" * 99,
    ],
)
def test_what_is_no_frequency_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="allowed: a number of hertz > 0"):
        read_hertz(words)


def test_zero_may_be_asked_about() -> None:
    assert read_hertz("0", zero=True) == 0
    with pytest.raises(ValueError, match="allowed: a number of hertz >= 0"):
        read_hertz("-0", zero=True)


def test_the_parameter_at_fault_is_named() -> None:
    @click.command()
    @click.option("--rate", callback=hertz_parameter())
    def ask(rate: Fraction | None) -> None:
        click.echo(repr(rate))

    assert CliRunner().invoke(ask).output == "None\n"
    assert CliRunner().invoke(ask, ["--rate", "3/2"]).output == "Fraction(3, 2)\n"
    result = CliRunner().invoke(ask, ["--rate", "0"])
    assert result.exit_code == 2
    assert "Invalid value for '--rate': frequency: got '0'; allowed: a number of hertz > 0" in result.stderr


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    target = tmp_path / "answer.txt"
    assert writable(target) == target
    assert list(tmp_path.iterdir()) == []
    write(target, "größer\n")
    assert target.read_bytes() == "größer\n".encode()
    write(target, b"\0\1")
    assert target.read_bytes() == b"\0\1"
    assert list(tmp_path.iterdir()) == [target]


def test_an_old_file_outlives_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "answer.txt"
    target.write_text("old")

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ValueError, match=r"output: got .*answer.txt: No space left on device; allowed: a place"):
        write(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_links_stay_links_and_devices_devices(tmp_path: Path) -> None:
    target, link = tmp_path / "answer.txt", tmp_path / "link"
    link.symlink_to(target)
    write(link, "through")
    assert link.is_symlink()
    assert target.read_text() == "through"
    null = Path("/dev/null")
    assert writable(null) == null
    write(null, "gone")
    assert null.is_char_device()


def test_what_cannot_be_written_is_known_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert writable(None) is None
    with pytest.raises(ValueError, match=r"output: got .*, a directory; allowed: a path to a file"):
        writable(tmp_path)
    with pytest.raises(
        ValueError, match=r"output: got .*, in no directory; allowed: a path in a directory that is there"
    ):
        writable(tmp_path / "nowhere" / "x")

    def denied(self: Path, **_: object) -> None:
        raise PermissionError(13, os.strerror(13))

    for asked in ("touch", "is_dir"):  # of a file beside it, of a directory within a closed one
        with monkeypatch.context() as patch:
            patch.setattr(Path, asked, denied)
            with pytest.raises(ValueError, match=r"output: got .*: Permission denied; allowed: a path that can be"):
                writable(tmp_path / "x")


def test_a_poor_terminal_gets_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def say() -> None:
        emit("0 … 1\n")

    assert CliRunner(charset="ascii").invoke(say).stdout_bytes == b"0 ? 1\n"
    assert CliRunner().invoke(say).stdout == "0 … 1\n"
