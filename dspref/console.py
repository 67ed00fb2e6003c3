"""What both commands share: exit codes, numbers of hertz, and files written whole or not at all.

Exit codes: 0 clean, 1 findings, 2 usage (with the words of the error), 3 not analysable.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from dspref.arrays import NotAnalysable, complaint

P = ParamSpec("P")
R = TypeVar("R")

CLEAN, FINDINGS, USAGE, NOT_ANALYSABLE = range(4)


def with_exit_codes(command: Callable[P, R]) -> Callable[P, R]:
    """Make a command end with words and an exit code, not a traceback, where its input is at fault.

    `NotAnalysable` ends with 3, any other ValueError with 2. Anything else is our own fault and is shown.

    Examples
    --------
    >>> @with_exit_codes
    ... def refuse() -> None:
    ...     raise NotAnalysable("levels: got conv without weights")
    >>> try:
    ...     refuse()
    ... except click.exceptions.Exit as end:
    ...     print(end.exit_code)
    3
    """

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ValueError as error:
            click.echo(f"Error: {error}", err=True)
            raise click.exceptions.Exit(NOT_ANALYSABLE if isinstance(error, NotAnalysable) else USAGE) from None

    return guarded


_HERTZ = re.compile(r"(\d{1,15}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,2})?|\d{1,30}/0*[1-9]\d{0,29}", re.I | re.ASCII)


def read_hertz(words: str, *, zero: bool = False) -> Fraction:
    """Read a frequency in Hz exactly.

    Examples
    --------
    >>> read_hertz("86.1328125"), read_hertz("16000/3")
    (Fraction(11025, 128), Fraction(16000, 3))
    """
    hz = Fraction(words) if _HERTZ.fullmatch(words.strip()) else None
    if hz is None or (hz == 0 and not zero):
        allowed = f"a number of hertz {'>=' if zero else '>'} 0"
        raise ValueError(complaint("frequency", repr(words), allowed, "as 22050, 86.1328125, 44.1e3 or 16000/3"))
    return hz


def hertz_parameter(*, zero: bool = False) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a click callback that reads a frequency, or each of several, and names the parameter at fault."""

    def read(_: click.Context, parameter: click.Parameter, words: Any) -> Any:
        try:
            if isinstance(words, tuple):
                return tuple(read_hertz(word, zero=zero) for word in words)
            return None if words is None else read_hertz(words, zero=zero)
        except ValueError as error:
            raise click.BadParameter(str(error), param=parameter) from None

    return read


def writable(path: str | os.PathLike[str] | None) -> Path | None:
    """Return the path, if a file can be written there; to be asked before the work, not after.

    Raises
    ------
    ValueError
        Says what is in the way.
    """
    if path is None:
        return None
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise ValueError(complaint("output", f"{path}, a directory", "a path to a file", "name a file in it"))
    if not target.parent.is_dir():
        raise ValueError(complaint("output", f"{path}, in no directory", "a path in a directory that is there"))
    try:
        if _special(target):
            target.open("ab").close()
        else:
            _beside(target).touch()
            _beside(target).unlink()
    except OSError as error:
        raise ValueError(complaint("output", f"{path}: {error.strerror}", "a path that can be written")) from None
    return Path(path)


def emit(content: str, output: Path | None = None) -> None:
    """Print, or write to a file that `writable` has approved."""
    if output is not None:
        write(output, content)
        return
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(content.encode(encoding, "replace").decode(encoding), nl=False)


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file whole or not at all: beside its place first, then by one rename.

    Devices and pipes, which can't be replaced, are written directly.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    if _special(target):
        target.write_bytes(data)
        return
    beside = _beside(target)
    try:
        beside.write_bytes(data)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _special(target: Path) -> bool:
    return target.exists() and not target.is_file()


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
