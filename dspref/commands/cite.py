"""The command ``dspref cite``: the software, a claim or a rule, in the form that a document needs."""

from __future__ import annotations

import click

from dspref.arrays import complaint
from dspref.console import emit, form_option, output_option, with_exit_codes, writable


@click.command("cite")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All claims and rules.")
@form_option("bibtex", "latex", "md", "rst", "apa", "cff")
@output_option
@with_exit_codes
def cite_command(ids: tuple[str, ...], every: bool, form: str, output: str | None) -> None:
    """Cite the software, or a claim or rule by its ID.

    \b
    dspref cite
    dspref cite UA-T5 --format md
    dspref cite --all --format bibtex -o dspref.bib
    """  # noqa: D301
    from dspref.cite import cite, statements

    target = writable(output)
    if every and ids:
        raise ValueError(complaint("ids", f"--all and {', '.join(ids)}", "one or the other"))
    emit(cite(*(statements() if every else ids), form=form), target)
