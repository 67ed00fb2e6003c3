"""The command ``torchparity findings``: what was found in others' code, run again."""

from __future__ import annotations

import click
from rich.console import Console

from dspref.arrays import complaint, did_you_mean
from dspref.console import FINDINGS as EXIT_FINDINGS
from dspref.console import emit, form_option, output_option, with_exit_codes, writable
from torchparity import findings as table


@click.command()
@click.option("--only", multiple=True, metavar="ID", help="Run this one; may be repeated.")
@form_option("text", "json", "md")
@output_option
@with_exit_codes
def findings(only: tuple[str, ...], form: str, output: str | None) -> None:
    """Run again what was found in others' code: each line in a process of its own.

    \b
    seen       the answer is still the wrong one
    fixed      it is the right one now
    changed    it is another one
    not run    and why: a package is missing, or it took too long

    Exits with 1 if one is fixed or changed: then docs/findings.md must be.
    """  # noqa: D301
    file = writable(output)
    rows = _chosen(only)
    results = []
    with Console(stderr=True).status("starting") as status:
        for place, row in enumerate(rows, 1):
            status.update(f"{place} of {len(rows)}: {row.id}")
            results.append(table.rerun(row))
    emit({"text": table.to_text, "json": table.to_json, "md": table.to_markdown}[form](results), file)
    if any(result.status in ("fixed", "changed") for result in results):
        raise click.exceptions.Exit(EXIT_FINDINGS)


def _chosen(only: tuple[str, ...]) -> tuple[table.Finding, ...]:
    known = {row.id: row for row in table.FINDINGS}
    for name in only:
        if name not in known:
            raise ValueError(complaint("--only", repr(name), ", ".join(known), did_you_mean(name, known)))
    return tuple(row for row in table.FINDINGS if not only or row.id in only)
