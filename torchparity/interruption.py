"""Long work on the command line: how far it is, and how it ends when it is asked to."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What asks work to end. The exit code is then that of the shell, 128 + the signal: 130 or 143."""

EVERY = 10.0
"""Seconds between two lines of progress where no one looks on."""

Show = Callable[[int, int, str], None]
"""Told how much is done, how much is due, and what else there is to say."""


class Interrupted(Exception):
    """The end that was asked for, between two pieces; in words when."""


@contextmanager
def interruptible() -> Iterator[Callable[[], int]]:
    """Note Ctrl-C and SIGTERM, so that work ends between two pieces; the second one ends it at once.

    Yields what tells the exit code that is due: 0 until a signal came. A process that was asked to end does so, and
    further signals do not disturb it.
    """
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) == 2:
            raise KeyboardInterrupt
        if len(came) == 1:
            click.echo("\nending when the next piece is done; again to end at once", err=True)

    def asked() -> int:
        return 128 + came[-1] if came else 0

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if came else handler)


@contextmanager
def ending(asked: Callable[[], int], *, resumes: bool) -> Iterator[None]:
    """End a command that was asked to end: say when it did, and how to go on, and exit with the code that is due.

    Parameters
    ----------
    asked : function
        What `interruptible` yields.
    resumes : bool
        Whether what is done is kept.
    """
    try:
        yield
    except (Interrupted, KeyboardInterrupt, BrokenExecutor) as end:  # broken: processes got the signal as well
        if not asked():
            raise
        again = "the same command goes on" if resumes else "nothing was kept: there was no --resume FILE"
        click.echo(f"interrupted {end if isinstance(end, Interrupted) else 'at once'}; {again}", err=True)
        raise click.exceptions.Exit(asked()) from None


@contextmanager
def progress(unit: str) -> Iterator[Show]:
    """Show how far the work is, on the error stream: a bar to a person, a line now and then to a file.

    Parameters
    ----------
    unit : str
        What is counted, as "cases".
    """
    if not sys.stderr.isatty():
        yield _lines(unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task, told = bar.add_task(unit, total=None, told=""), _Pace()
        yield lambda done, due, words: bar.update(task, completed=done, total=due, told=told(done, due, words))


def _lines(unit: str) -> Show:
    pace, shown = _Pace(), monotonic()

    def tell(done: int, due: int, words: str) -> None:
        nonlocal shown
        told = pace(done, due, words)
        if monotonic() - shown < EVERY:
            return
        shown = monotonic()
        left = f", {(due - done) / pace.speed:.0f} s left" if pace.speed else ""
        click.echo(f"{done} of {due} {unit}, {told}{left}", err=True)

    return tell


class _Pace:
    """How fast a piece of work is done, from its first call on: what a ledger held does not count."""

    def __init__(self) -> None:
        self.start, self.first, self.last, self.due, self.speed = monotonic(), 0, 0, -1, 0.0

    def __call__(self, done: int, due: int, words: str) -> str:
        """Return the pace, and the words if there are any; another number due, or fewer done, is other work."""
        if due != self.due or done < self.last:
            self.start, self.first, self.due = monotonic(), done, due
        self.last = done
        taken = monotonic() - self.start
        self.speed = (done - self.first) / taken if taken > 0 else 0.0
        return ", ".join([f"{self.speed:.{0 if self.speed >= 10 else 1}f} a second", *([words] if words else [])])
