"""The commands ``dspref claims`` and ``dspref claim ID``."""

from __future__ import annotations

import click

from dspref.console import emit, form_option, output_option, with_exit_codes, writable


@click.command("claims")
@form_option("text", "json")
@output_option
@with_exit_codes
def claims_command(form: str, output: str | None) -> None:
    """List what the theory claims; 'dspref claim ID' says one in full."""
    from dspref.claims import claims_json, claims_page

    target = writable(output)
    emit(claims_json() if form == "json" else claims_page(), target)


@click.command("claim")
@click.argument("id", metavar="ID")
@form_option("text", "json", "md", "latex")
@output_option
@click.option("--figure", metavar="PNG", help="Draw the claim's figure into this file too.")
@with_exit_codes
def claim_command(id: str, form: str, output: str | None, figure: str | None) -> None:
    """Say one claim: statement, hypotheses, proof, source, tests.

    \b
    dspref claim UA-T5
    dspref claim UA-T6 --figure t6.png
    """  # noqa: D301
    from dspref.claims import claim, claim_page

    row = claim(id)
    target, picture = writable(output), writable(figure)
    if picture is not None:
        from dspref.claims.figures import save

        save(row.id, picture)
        click.echo(f"written: {picture}", err=True)
    emit(claim_page(row, form), target)
