"""The command ``torchparity campaign``: many drawn cases, in numbers that can be stopped and resumed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from dspref.arrays import complaint
from dspref.console import FINDINGS, emit, form_option, output_option, with_exit_codes, writable
from torchparity.interruption import Interrupted, ending, interruptible, progress

if TYPE_CHECKING:
    from torchparity.campaign_report import Campaign
    from torchparity.tally import Tally

ARITHMETICS = ("float64", "float32", "bfloat16", "float16", "tf32", "autocast-bfloat16", "autocast-float16")
KINDS = ("convt", "conv", "shuffle", "nearest", "linear", "filter", "interpolate")


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
    with interruptible() as asked, progress("cases") as show:

        def tell(seen: Tally, due: int) -> None:
            show(seen.cases, due, f"{seen.violated} violations")
            if asked() and seen.cases < due:
                raise Interrupted(f"after {seen.cases} of {due} cases")

        with ending(asked, resumes=resume is not None):
            made = library.campaign(
                cases,
                seed=seed,
                device=device,
                shard=shard,
                jobs=jobs,
                resume=resume,
                progress=tell,
                note=lambda words: click.echo(words, err=True),
                **options,
            )
    _tell(made, form, file)


def _tell(made: Campaign, form: str, file: Any) -> None:
    """Print or write the report; exit with 1 if it has violations."""
    emit({"text": made.to_text, "json": made.to_json, "md": made.to_markdown}[form](), file)
    if file is not None:
        click.echo(made.headline, err=True)
    if not made.ok:
        raise click.exceptions.Exit(FINDINGS)
