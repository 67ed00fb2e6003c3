"""The command ``torchparity campaign``: many drawn cases, in numbers that can be stopped and resumed."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from dspref.arrays import complaint
from dspref.console import FINDINGS, emit, form_option, output_option, with_exit_codes, writable

if TYPE_CHECKING:
    from types import FrameType

    from torchparity.campaign_report import Campaign
    from torchparity.tally import Tally

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What asks a campaign to end. The exit code is then that of the shell, 128 + the signal: 130 or 143."""

ARITHMETICS = ("float64", "float32", "bfloat16", "float16", "tf32", "autocast-bfloat16", "autocast-float16")
KINDS = ("convt", "conv", "shuffle", "nearest", "linear", "filter", "interpolate")
_EVERY = 10.0  # seconds between two lines of progress where no one looks on


class Shard(click.ParamType[tuple[int, int]]):
    """I/N, the I-th of N shards."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return (i, n)."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", str(value), re.ASCII)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(
                complaint("shard", repr(value), "I/N with 1 <= I <= N", "as 1/4 for the first of four"), param, ctx
            )
        return int(found[1]), int(found[2])


@click.command()
@click.argument("ledgers", nargs=-1, metavar="[LEDGER]...")
@click.option("--cases", type=click.IntRange(1, 10**12), default=10_000, show_default=True)
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--dtype", "dtypes", type=click.Choice(ARITHMETICS), multiple=True, help="May be repeated [the dtypes].")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Of layers; may be repeated [all].")
@click.option("--device", default="cpu", show_default=True, metavar="DEVICE", help="As cuda or cuda:1.")
@click.option("--shard", type=Shard(), default=(1, 1), metavar="I/N", help="Do the I-th of N parts only.")
@click.option("--resume", metavar="FILE", help="Remember finished work there, and go on with what it holds.")
@click.option("--merge", is_flag=True, help="Put the LEDGERs of all shards together, and compute nothing.")
@form_option("text", "json", "md")
@output_option
@with_exit_codes
def campaign(
    ledgers: tuple[str, ...],
    cases: int,
    jobs: int,
    seed: int,
    dtypes: tuple[str, ...],
    kinds: tuple[str, ...],
    device: str,
    shard: tuple[int, int],
    resume: str | None,
    merge: bool,
    form: str,
    output: str | None,
) -> None:
    """Draw random layers and inputs, and compare Torch with the reference on each, forward and backward.

    Equal where nothing is rounded, else within the rounding bound. "verified: no violation" says that every corner of
    the parameter space was reached, too; "no violation" alone, that some were not, and which.

    The same seed gives the same result, on any number of processes, shards and resumptions. Ctrl-C or SIGTERM ends
    when the next piece is done, a second one at once; with exit code 130 or 143.

    \b
    torchparity campaign --cases 100000 -j 2 --resume night.jsonl
    torchparity campaign --cases 100000 --shard 1/2 --resume one.jsonl      (and 2/2 elsewhere)
    torchparity campaign --merge one.jsonl two.jsonl --format json
    """  # noqa: D301
    from torchparity.audit_command import require_torch

    file = writable(output)
    if bool(ledgers) != merge:
        raise ValueError(complaint("ledgers", len(ledgers), "one or more after --merge, none without it"))
    require_torch()
    from torchparity import campaign as library

    if merge:
        _tell(library.merge(ledgers), form, file)
        return
    options: dict[str, Any] = {"dtypes": dtypes} if dtypes else {}
    options |= {"kinds": kinds} if kinds else {}
    with _interruptible() as asked, _progress() as show:

        def progress(seen: Tally, due: int) -> None:
            show(seen, due)
            if asked() and seen.cases < due:
                raise _Interrupted(f"after {seen.cases} of {due} cases")

        try:
            made = library.campaign(
                cases,
                seed=seed,
                device=device,
                shard=shard,
                jobs=jobs,
                resume=resume,
                progress=progress,
                note=lambda words: click.echo(words, err=True),
                **options,
            )
        except (_Interrupted, KeyboardInterrupt, BrokenExecutor) as end:  # broken: processes got the signal as well
            if not asked():
                raise
            again = "the same command goes on" if resume else "nothing was kept: there was no --resume FILE"
            click.echo(f"interrupted {end if isinstance(end, _Interrupted) else 'at once'}; {again}", err=True)
            raise click.exceptions.Exit(asked()) from None
    _tell(made, form, file)


def _tell(made: Campaign, form: str, file: Any) -> None:
    """Print or write the report; exit with 1 if it has violations."""
    emit({"text": made.to_text, "json": made.to_json, "md": made.to_markdown}[form](), file)
    if file is not None:
        click.echo(made.headline, err=True)
    if not made.ok:
        raise click.exceptions.Exit(FINDINGS)


class _Interrupted(Exception):
    """The end that was asked for, between two pieces; in words when."""


@contextmanager
def _interruptible() -> Iterator[Callable[[], int]]:
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
def _progress() -> Iterator[Callable[[Tally, int], None]]:
    """Show how far the work is, on the error stream: a bar to a person, a line now and then to a file."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task, told = bar.add_task("cases", total=None, told=""), _Pace()
        yield lambda seen, due: bar.update(task, completed=seen.cases, total=due, told=told(seen))


def _lines() -> Callable[[Tally, int], None]:
    pace, shown = _Pace(), monotonic()

    def tell(seen: Tally, due: int) -> None:
        nonlocal shown
        words = pace(seen)
        if monotonic() - shown < _EVERY:
            return
        shown = monotonic()
        left = f", {(due - seen.cases) / pace.speed:.0f} s left" if pace.speed else ""
        click.echo(f"{seen.cases} of {due} cases, {words}{left}", err=True)

    return tell


class _Pace:
    """How fast cases are done, from the first call on: what a ledger held does not count."""

    def __init__(self) -> None:
        self.start, self.first, self.speed = monotonic(), -1, 0.0

    def __call__(self, seen: Tally) -> str:
        """Return the pace and the number of violations, in words."""
        if self.first < 0:
            self.start, self.first = monotonic(), seen.cases
        taken = monotonic() - self.start
        self.speed = (seen.cases - self.first) / taken if taken > 0 else 0.0
        return f"{self.speed:.0f} a second, {seen.violated} violations"
