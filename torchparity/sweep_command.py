"""The command ``torchparity sweep``: a grid of architectures in words, audited, one row each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspref.arrays import as_choice, complaint
from dspref.console import (
    FINDINGS,
    NOT_ANALYSABLE,
    emit,
    form_option,
    hertz_parameter,
    with_exit_codes,
    writable,
    write,
)
from torchparity.campaign_command import Shard
from torchparity.interruption import Interrupted, ending, interruptible, progress

if TYPE_CHECKING:
    from torchparity.sweep import Sweep
    from torchparity.sweep_grid import Architecture, Grid

FORMS = ("text", "csv", "jsonl", "html")

SWITCH = {"on": True, "off": False}

FAMILY_ONLY = ("rates", "lengths", "conv", "subpixel", "first", "between", "last")
"""Options that say nothing without --family."""


@click.command()
@click.argument("architectures", nargs=-1, metavar="[SPEC|PRESET|TARGET]...")
@click.option("--family", metavar="F,F,...", help="transposed, nearest, linear, subpixel; with --rates.")
@click.option("--rates", metavar="S,S,...;...", help="Factors of the layers, as '8,8,2,2;10,10,2,2'.")
@click.option("--lengths", metavar="K,K,...", help="Taps of transposed convolutions by stride, as 2s,2s+1 [2s].")
@click.option("--conv", metavar="K,K,...", help="Taps of the convolution behind an interpolation [9].")
@click.option("--subpixel", metavar="K,K,...", help="Taps of a sub-pixel convolution [3].")
@click.option("--first", metavar="SPEC", help="In front of the layers of --family, as 'conv k7 p3'.")
@click.option("--between", metavar="SPEC", help="Between them; none for nothing [leaky 0.2].")
@click.option("--last", metavar="SPEC", help="Behind them.")
@click.option(
    "--rows", "files", multiple=True, metavar="FILE", help="Rows from .toml, .jsonl or .csv; may be repeated."
)
@click.option("--channels", default="32", show_default=True, metavar="C;...", help="Of the input, or C,C,... of all.")
@click.option("--init", default="default", show_default=True, metavar="LAW,...", help="As default,icnr,normal:0.02.")
@click.option("--bias", default="on", show_default=True, metavar="on,off", help="With biases, without, or both.")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate; presets have one.")
@click.option(
    "--input", "kinds", default="noise,constant", show_default=True, metavar="KIND,...", help="What comes in."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the first networks.")
@click.option("--seeds", type=click.IntRange(1, 10**6), default=1, show_default=True, help="Networks for each row.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--shard", type=Shard(), default=(1, 1), metavar="I/N", help="Do the I-th of N parts only.")
@click.option("--resume", metavar="FILE", help="Remember finished rows there, and go on with what it holds.")
@click.option("--merge", is_flag=True, help="Put the ledgers of all shards, given as arguments, together.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Most rows of a grid.")
@click.option(
    "--time-limit",
    type=click.FloatRange(0, 86400, min_open=True),
    default=600.0,
    show_default=True,
    help="Of a row, in s.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit with 1 if a row fails or contradicts its prediction, or if a line stands, or never.",
)
@form_option(*FORMS)
@click.option("-o", "--output", multiple=True, metavar="FILE", help="FILE.csv, .jsonl or .html; may be repeated.")
@with_exit_codes
def sweep(architectures: tuple[str, ...], merge: bool, form: str, output: tuple[str, ...], **options: Any) -> None:
    """Audit a grid of architectures, one row each: lines possible, expected and measured.

    \b
    torchparity sweep "convt k{8,16} s8 | leaky 0.2 | {nearest,linear} x2 | conv k9 p4" --sr 22050
    torchparity sweep --family transposed,nearest,linear,subpixel --rates "8,8,2,2;10,10,2,2"
            --lengths 2s,2s+1 --init default,icnr --bias on,off --sr 22050 --seeds 3
            -j 2 --resume runs.jsonl -o sweep.csv -o sweep.html
    torchparity sweep --rows rows.toml
    torchparity sweep --merge one.jsonl two.jsonl -o sweep.csv

    Braces hold alternatives. Each row is measured on random networks and set beside the expected spectrum where the
    theory covers it. Rows that can't be analysed are told as such. The same grid and seed give the same rows, on any
    number of processes, shards and resumptions. Ctrl-C ends when the next row is done, a second one at once.

    Exits with 3 if no row can be analysed.
    """  # noqa: D301
    from torchparity.audit_command import require_torch

    files = _files(output, options["resume"])
    grid = None if merge else _grid(architectures, options)
    require_torch()
    from torchparity import sweep as library

    made = library.merge(architectures) if grid is None else _made(grid, options)
    tell(made, form, files)
    if not made.count("ok") and not made.count("failed"):
        raise click.exceptions.Exit(NOT_ANALYSABLE)
    due = {"error": {"error"}, "warning": {"error", "warning"}, "never": set[str]()}[options["fail_on"]]
    if made.levels & due:
        raise click.exceptions.Exit(FINDINGS)


def _files(output: tuple[str, ...], resume: str | None) -> list[Path]:
    """Return the files to write, if all can be written."""
    for path in output:
        if Path(path).suffix[1:] not in FORMS[1:]:
            raise ValueError(complaint("output", path, "FILE.csv, FILE.jsonl or FILE.html"))
        if resume is not None and Path(path).resolve() == Path(resume).resolve():
            raise ValueError(complaint("output", f"{path}, the file of --resume", "another file"))
    return [path for path in map(writable, output) if path is not None]


def _grid(architectures: tuple[str, ...], options: dict[str, Any]) -> Grid:
    """Return the grid that is asked for."""
    from torchparity.sweep_file import read_rows
    from torchparity.sweep_grid import Architecture, Grid, checked
    from torchparity.sweep_words import listed

    found = [Architecture(words) for words in architectures]
    found += _families(options)
    found += [row for path in options["files"] for row in read_rows(path)]
    grid = Grid(
        tuple(found),
        listed("channels", options["channels"], str, by=";"),
        listed("initialisations", options["init"], str),
        tuple(SWITCH[word] for word in listed("bias", options["bias"], lambda w: as_choice("bias", w, tuple(SWITCH)))),
        options["sr"],
    )
    return checked(grid, limit=options["limit"])


def _families(options: dict[str, Any]) -> tuple[Architecture, ...]:
    """Return the architectures of --family, if there is one."""
    from torchparity.sweep_grid import families

    more = {name: options[name] for name in FAMILY_ONLY if options[name] is not None}
    if options["family"] is None:
        if more:
            got = ", ".join(f"--{name}" for name in more)
            raise ValueError(complaint("--family", f"none, with {got}", "a family", "as --family transposed,nearest"))
        return ()
    if "rates" not in more:
        raise ValueError(complaint("--rates", "none", "with --family the factors", "as --rates '8,8,2,2'"))
    if more.get("between") == "none":
        more["between"] = ""
    return families(options["family"], more.pop("rates"), more.pop("lengths", "2s"), **more)


def _made(grid: Grid, options: dict[str, Any]) -> Sweep:
    """Do the work, with progress on the error stream."""
    from torchparity import sweep as library
    from torchparity.sweep_words import listed

    with interruptible() as asked, progress("rows") as show:

        def told(done: int, due: int, bad: int) -> None:
            show(done, due, f"{bad} refused or failed")
            if asked() and done < due:
                raise Interrupted(f"after {done} of {due} rows")

        with ending(asked, resumes=options["resume"] is not None):
            return library.sweep(
                grid,
                seed=options["seed"],
                seeds=options["seeds"],
                inputs=listed("inputs", options["kinds"], str),
                shard=options["shard"],
                jobs=options["jobs"],
                resume=options["resume"],
                seconds=options["time_limit"],
                limit=options["limit"],
                progress=told,
                note=lambda words: click.echo(words, err=True),
            )


def tell(made: Sweep, form: str, files: list[Path]) -> None:
    """Print a sweep, and write it to files by their names' ends."""
    from torchparity import sweep_tables

    shown = {
        "text": sweep_tables.to_text,
        "csv": sweep_tables.to_csv,
        "jsonl": sweep_tables.to_jsonl,
        "html": sweep_tables.to_html,
    }
    for path in files:
        write(path, shown[path.suffix[1:]](made))
    emit(shown[form](made))
    for path in files:
        click.echo(f"written: {path}", err=True)
