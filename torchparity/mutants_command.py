"""The command ``torchparity mutants``: how good the check is, seen from layers that are known to be wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspref.arrays import complaint
from dspref.console import FINDINGS, emit, form_option, output_option, with_exit_codes, writable
from torchparity.audit_command import require_torch

if TYPE_CHECKING:
    from torchparity.mutants.score import Clean, Scored

CLEAN = 2000
"""Cases of right layers per dtype, by default."""


@click.command()
@click.option("--seed", type=click.IntRange(0, 2**62), default=0, show_default=True, help="The first one.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="How many.")
@click.option("-k", "--only", default="", metavar="WORDS", help="Only mutants with these words in their name.")
@click.option("--clean", type=click.IntRange(min=0), default=CLEAN, show_default=True, help="Right cases per dtype.")
@click.option("--add", multiple=True, metavar="PLACE", help="pkg.mod or file.py with mutants of your own.")
@click.option("--each", is_flag=True, help="A row for every mutant, not for every fault.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@form_option("text", "json")
@output_option
@with_exit_codes
def mutants(
    seed: int,
    seeds: int,
    only: str,
    clean: int,
    add: tuple[str, ...],
    each: bool,
    jobs: int,
    form: str,
    output: str | None,
) -> None:
    """Check layers that are wrong on purpose, and layers that are right: all of the first must be caught, no other.

    Beside the score stands what assert_close on Torch's own sample shapes, and allclose on one random input, would
    have caught. Exit code 1 if a mutant survives or a right layer raises an alarm.

    \b
    torchparity mutants -j 2
    torchparity mutants --add my/mutants.py -k mine --clean 0 --format json
    """  # noqa: D301
    file = writable(output)
    require_torch()
    from torchparity.mutants.page import to_text
    from torchparity.mutants.score import DTYPES, Score

    _add(add)
    names = _named(only)
    first = tuple(range(seed, seed + seeds))
    with _progress(len(names) + (len(DTYPES) if clean else 0)) as step:
        works: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [(_scored, (name, first, add)) for name in names]
        works += [(_clean, (dtype, clean, seed)) for dtype in DTYPES if clean]
        found = _done(works, jobs, step)
    made = Score(tuple(found[: len(names)]), tuple(found[len(names) :]), first)
    emit(made.to_json() if form == "json" else to_text(made, each=each), file)
    if not made.ok:
        raise click.exceptions.Exit(FINDINGS)


@cache
def _added(place: Path | str) -> None:
    """Import a module or a file that registers mutants, once."""
    from torchparity.target import load_module

    load_module(str(place), what="mutants to add", allowed="pkg.mod or path/file.py, which can be imported")


def _add(places: tuple[str, ...]) -> None:
    for place in places:
        _added(Path(place).resolve() if place.endswith(".py") else place)


def _named(words: str) -> list[str]:
    """Return the names of the mutants with these words in them."""
    from torchparity.mutants import registered

    names = [m.name for m in registered() if words in m.name]
    if not names:
        raise ValueError(complaint("--only", repr(words), "words in the name of a mutant", "as 'convt' or 'bias'"))
    return names


def _scored(name: str, seeds: tuple[int, ...], add: tuple[str, ...]) -> Scored:
    _add(add)
    from torchparity.mutants import find
    from torchparity.mutants.score import scored

    return scored(find(name), seeds)


def _clean(dtype: str, cases: int, seed: int) -> Clean:
    from torchparity.mutants.score import clean

    return clean(dtype, cases, seed)


def _one_thread(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    from torchparity.devices import one_thread

    with one_thread():
        return work(*arguments)


def _done(works: list[tuple[Callable[..., Any], tuple[Any, ...]]], jobs: int, step: Callable[[], None]) -> list[Any]:
    """Do all works, in order, on several processes if asked for."""
    found = []
    for made in _each(works, jobs):
        found.append(made)
        step()
    return found


def _each(works: list[tuple[Callable[..., Any], tuple[Any, ...]]], jobs: int) -> Iterator[Any]:
    if jobs == 1:
        yield from (_one_thread(work, arguments) for work, arguments in works)
        return
    if find_spec("joblib") is None:
        raise ValueError(complaint("joblib", "not installed", "joblib >= 1.4", "pip install 'dspref[sweep]', or -j 1"))
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, return_as="generator", batch_size=1)
    yield from parallel(delayed(_one_thread)(work, arguments) for work, arguments in works)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show how far the work is, on the error stream, to a person."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("checking", total=total)
        yield lambda: bar.advance(task)
