"""The command ``torchparity``: Torch modules against the reference."""

from __future__ import annotations

import click

from dspref import __version__
from dspref.console import FINDINGS, emit, with_exit_codes, writable
from dspref.pages import doctor_page
from torchparity.audit_command import audit, require_torch
from torchparity.campaign_command import campaign
from torchparity.findings_command import findings
from torchparity.mutants_command import mutants
from torchparity.verify_command import verify

NEEDED = ("dspref", "numpy", "scipy", "click", "rich", "torch")

OPTIONAL = {
    "matplotlib": ("pictures of an audit", "plot"),
    "soundfile": ("recordings as the input of an audit", "audio"),
}
"""What a package gives that need not be there, and the extra that installs it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="torchparity")
def main() -> None:
    """Check Torch modules against the reference: what they do, and which lines they make.

    \b
    TARGET names a module, its class, or a function that makes one:
      pkg.mod:factory        path/file.py:factory

    Exit codes: 0 clean, 1 findings, 2 usage, 3 not analysable.
    """  # noqa: D301


main.add_command(audit)
main.add_command(campaign)
main.add_command(findings)
main.add_command(mutants)
main.add_command(verify)


@main.command()
@click.argument("target")
@click.option("--like", metavar="SPEC", help="What it should be; by default what it is found to be.")
@click.option("-o", "--output", metavar="FILE", help="Write there, not to the terminal.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@with_exit_codes
def scaffold(target: str, like: str | None, output: str | None, force: bool) -> None:
    """Write a pytest file for a layer.

    \b
    torchparity scaffold my/upsampler.py:Upsampler --like "convt k16 s8 p4" > test_up.py
    """  # noqa: D301
    file = writable(output)
    require_torch()
    from torchparity.scaffold import scaffold, unwritten

    unwritten(file, force=force)
    emit(scaffold(target, like), file)


@main.command()
def doctor() -> None:
    """Say which versions are installed, and what a missing package would give."""
    page, whole = doctor_page(NEEDED, OPTIONAL)
    emit(page)
    if not whole:
        raise click.exceptions.Exit(FINDINGS)


if __name__ == "__main__":
    main(prog_name="torchparity")
