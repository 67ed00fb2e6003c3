"""The command ``torchparity``: Torch modules against the reference."""

from __future__ import annotations

from pathlib import Path

import click

from dspref import __version__
from dspref.arrays import NotAnalysable, complaint
from dspref.console import FINDINGS, emit, output_option, with_exit_codes, writable
from dspref.pages import doctor_page
from torchparity.apart import apart
from torchparity.audit_command import audit, require_torch
from torchparity.campaign_command import campaign
from torchparity.expect_command import expect
from torchparity.findings_command import findings
from torchparity.isolation import Lost, as_seconds
from torchparity.leakage_command import leakage
from torchparity.mutants_command import mutants
from torchparity.sweep_command import sweep
from torchparity.verify_command import refuse_both, verify

NEEDED = ("dspref", "numpy", "scipy", "click", "rich", "torch")

OPTIONAL = {
    "matplotlib": ("pictures of an audit", "plot"),
    "jinja2": ("pages of an audit or a sweep", "report"),
    "soundfile": ("recordings as the input of an audit", "audio"),
    "onnx": ("reads .onnx files", "onnx"),
    "onnxruntime": ("runs .onnx files", "onnx"),
    "joblib": ("campaigns and sweeps on several cores", "sweep"),
    "pytest": ("pytest --upsampler=TARGET, scaffolds", "test"),
    "hypothesis": ("dspref.strategies, scaffolds", "test"),
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
main.add_command(expect)
main.add_command(findings)
main.add_command(leakage)
main.add_command(mutants)
main.add_command(sweep)
main.add_command(verify)


@main.command()
@click.argument("target")
@click.option("--like", metavar="SPEC", help="What it should be; by default what it is found to be.")
@output_option
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--time-limit", type=click.FloatRange(1), default=60.0, show_default=True, help="Of one call, in s.")
@click.option("--isolate/--no-isolate", default=True, show_default=True, help="Look at it in a process of its own.")
@with_exit_codes
def scaffold(target: str, like: str | None, output: str | None, force: bool, time_limit: float, isolate: bool) -> None:
    """Write a pytest file for a layer: a module, a function of a signal, or what makes one.

    \b
    torchparity scaffold my/upsampler.py:Upsampler --like "convt k16 s8 p4" > test_up.py
    """  # noqa: D301
    file = writable(output)
    as_seconds("--time-limit", time_limit)
    refuse_both(like, None)
    require_torch()
    unwritten(file, force=force)

    def written() -> str:
        from torchparity.scaffold import scaffold

        return scaffold(target, like)

    found = apart(target, written, seconds=time_limit) if isolate else written()
    if isinstance(found, Lost):
        hint = "torchparity verify gives the line that shows it"
        raise NotAnalysable(complaint("layer", f"{target}, which {found.reason}", "one that answers", hint))
    emit(found, file)


def unwritten(path: Path | None, *, force: bool) -> Path | None:
    """Return the path, if no file is there yet, or it may be written over.

    Examples
    --------
    >>> unwritten(Path("no/such/test_up.py"), force=False).name
    'test_up.py'
    """
    if path is not None and path.is_file() and not force:
        raise ValueError(complaint("output", f"{path}, which is there", "a new file", "--force writes over it"))
    return path


@main.command()
def doctor() -> None:
    """Say which versions are installed, and what a missing package would give."""
    page, whole = doctor_page(NEEDED, OPTIONAL)
    emit(page)
    if not whole:
        raise click.exceptions.Exit(FINDINGS)


if __name__ == "__main__":
    main(prog_name="torchparity")
