"""What both commands share: exit codes, options, numbers of hertz, and files written whole or not at all.

Exit codes: 0 clean, 1 findings, 2 usage (with the words of the error), 3 not analysable, 130 interrupted.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
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
Command = TypeVar("Command", bound=Callable[..., Any])

CLEAN, FINDINGS, USAGE, NOT_ANALYSABLE = range(4)
INTERRUPTED = 130


def with_exit_codes(command: Callable[P, R]) -> Callable[P, R]:
    """Make a command end with words and an exit code, not a traceback, where its input is at fault.

    `NotAnalysable` ends with 3, any other ValueError with 2, and so does a TypeError in the words of
    `dspref.arrays.complaint`, and Ctrl-C with 130. Anything else is our own fault and is shown.

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
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except (ValueError, TypeError) as error:
            if isinstance(error, TypeError) and "; allowed: " not in str(error):
                raise
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

    def read(context: click.Context, parameter: click.Parameter, words: Any) -> Any:
        try:
            if isinstance(words, tuple):
                _refuse_options(context, words)
                return tuple(read_hertz(word, zero=zero) for word in words)
            return None if words is None else read_hertz(words, zero=zero)
        except ValueError as error:
            raise click.BadParameter(str(error), param=parameter) from None

    return read


def plain_minus(words: str) -> str:
    """Return the words with the minus sign of print, U+2212, as the one that Python reads.

    Examples
    --------
    >>> float(plain_minus("\N{MINUS SIGN}90"))
    -90.0
    """
    return words.replace("\N{MINUS SIGN}", "-")


def level_parameter(_context: click.Context, parameter: click.Parameter, words: str | None) -> float | None:
    """Read a level in dB, as a click callback; any number will do, infinity too."""
    try:
        level = None if words is None else float(plain_minus(words))
    except ValueError:
        level = math.nan
    if level is not None and math.isnan(level):
        raise click.BadParameter(complaint("level", repr(words), "a number of dB", "as -90"), param=parameter)
    return level


def _refuse_options(context: click.Context, words: tuple[str, ...]) -> None:
    """Refuse what was meant as an option, where numbers with a sign come through as arguments."""
    known = [option for parameter in context.command.params for option in parameter.opts]
    for word in words:
        if re.match(r"-+[A-Za-z]", word):
            raise click.NoSuchOption(word, possibilities=difflib.get_close_matches(word, known), ctx=context)


def form_option(*forms: str) -> Callable[[Command], Command]:
    """Return the option that says the form of an answer, the first by default."""
    return click.option("--format", "form", type=click.Choice(forms), default=forms[0], show_default=True)


output_option = click.option("-o", "--output", metavar="FILE", help="Write there, not to the terminal.")
"""The option that says where the answer goes."""


def json_text(document: Any) -> str:
    """Return plain data as JSON for people and programs: indented, one line at the end, and no NaN."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


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
    try:
        if target.is_dir():
            raise ValueError(complaint("output", f"{path}, a directory", "a path to a file", "name a file in it"))
        if not target.parent.is_dir():
            raise ValueError(complaint("output", f"{path}, in no directory", "a path in a directory that is there"))
        _try(target)
    except OSError as error:  # a directory above may be closed, so that even looking is refused
        raise ValueError(complaint("output", f"{path}: {error.strerror}", "a path that can be written")) from None
    return Path(path)


def _try(target: Path) -> None:
    """Open a device or pipe, or make a file beside where one is wanted, and take it away."""
    if _special(target):
        target.open("ab").close()
    else:
        _beside(target).touch()
        _beside(target).unlink()


def emit(content: str, output: Path | None = None) -> None:
    """Print, or write to a file that `writable` has approved.

    Raises
    ------
    ValueError
        If it can't be written: a full disk is no fault of ours.
    """
    if output is not None:
        write(output, content)
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        click.echo(content.encode(encoding, "replace").decode(encoding), nl=False)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has had enough; click ends quietly
        raise
    except OSError as error:
        _drop_output()
        raise _unwritten("standard output", error) from None


def _drop_output() -> None:
    """Send what standard output still holds nowhere, or the interpreter would try it again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _unwritten(where: object, error: OSError) -> ValueError:
    return ValueError(complaint("output", f"{where}: {error.strerror}", "a place that can hold it"))


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file whole or not at all: beside its place first, then by one rename.

    Devices and pipes, which can't be replaced, are written directly. A full disk is a ValueError.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    beside = target if _special(target) else _beside(target)
    try:
        beside.write_bytes(data)
        if beside != target:
            beside.replace(target)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritten(path, error) from None
    finally:
        if beside != target:
            beside.unlink(missing_ok=True)


def _special(target: Path) -> bool:
    return target.exists() and not target.is_file()


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
