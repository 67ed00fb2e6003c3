"""The command ``dspref``: which lines an architecture can make, and who makes them."""

from __future__ import annotations

from fractions import Fraction

import click

from dspref import __version__
from dspref.commands.advise import advise
from dspref.commands.architecture import read_architecture
from dspref.commands.cite import cite_command
from dspref.commands.claims import claim_command, claims_command
from dspref.commands.expect import expect
from dspref.commands.figure import figure_command
from dspref.commands.findings import findings
from dspref.commands.gradient import gradient
from dspref.commands.leakage import leakage
from dspref.commands.response import response_command
from dspref.commands.rules import explain, rules
from dspref.commands.symbolic import symbolic
from dspref.console import (
    FINDINGS,
    Command,
    emit,
    form_option,
    hertz_parameter,
    json_text,
    output_option,
    with_exit_codes,
    writable,
)
from dspref.documents import doctor_document, predict_document, presets_document, whence_document
from dspref.pages import doctor_page, predict_page, presets_page, whence_page
from dspref.presets import PRESETS, preset

EXAMPLE = "as --spec 'convt k16 s8 p4 | conv k9 p4', or --preset melgan"

NEEDED = ("dspref", "numpy", "scipy", "sympy", "click", "rich")

OPTIONAL = {
    "torch": ("torchparity: parity with Torch and audits of modules", "torch"),
    "matplotlib": ("pictures of spectrograms", "plot"),
    "soundfile": ("recordings in WAV and FLAC", "audio"),
}
"""What a package gives that need not be there, and the extra that installs it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dspref")
def dspref() -> None:
    """Which lines an architecture can make, and which layer makes them.

    \b
    SPEC says an architecture in words, first layer first:
      convt k16 s8 p4 | leaky 0.2 | conv k9 p4 | nearest x2 | shuffle x4 k3
    with k taps, s stride, p padding, op output_padding, d dilation, g groups,
    x factor; also linear x2, cubic x2, stretch x2; as last layers unsqueeze x8,
    haar, istft x256 k1024, pqmf x4 k63; and pointwise maps: relu, tanh, elu,
    snake, glu and others.

    Exit codes: 0 clean, 1 findings, 2 usage, 3 not analysable.
    """  # noqa: D301


def _architecture(command: Command) -> Command:
    """Add the options that say an architecture, its rate, and where the answer goes."""
    for option in (
        output_option,
        form_option("text", "json"),
        click.option(
            "--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate; presets and configs have one."
        ),
        click.option("--preset", "preset_name", metavar="NAME", help="A known architecture, see 'dspref presets'."),
        click.option("--config", metavar="FILE", help="A config.json of the HiFi-GAN family."),
        click.option("--spec", "spec_option", metavar="SPEC", help="The architecture in words."),
    ):
        command = option(command)
    return command


@dspref.command()
@click.argument("spec", required=False)
@_architecture
@click.option(
    "--component", metavar="HZ", callback=hertz_parameter(zero=True), help="List the images of this input frequency."
)
@click.option("--limit", type=click.IntRange(min=0), default=40, show_default=True, help="Lines listed as text.")
@with_exit_codes
def predict(
    spec: str | None,
    spec_option: str | None,
    config: str | None,
    preset_name: str | None,
    sr: Fraction | None,
    form: str,
    output: str | None,
    component: Fraction | None,
    limit: int,
) -> None:
    """List the lines that can be, and whose they are.

    \b
    dspref predict "convt k4 s2 | convt k4 s2" --sr 32000
    dspref predict --preset melgan --format json
    """  # noqa: D301
    target = writable(output)
    chain, rate = read_architecture(sr, EXAMPLE, SPEC=spec, **_options(spec_option, config, preset_name))
    document = predict_document(chain, rate, component=component)
    emit(json_text(document) if form == "json" else predict_page(document, limit=limit), target)


@dspref.command(context_settings={"ignore_unknown_options": True})  # -100 is no option, but a frequency refused
@click.argument("hertz", metavar="HZ...", nargs=-1, required=True, callback=hertz_parameter(zero=True))
@_architecture
@with_exit_codes
def whence(
    hertz: tuple[Fraction, ...],
    spec_option: str | None,
    config: str | None,
    preset_name: str | None,
    sr: Fraction | None,
    form: str,
    output: str | None,
) -> None:
    """Say which layer can put a line at HZ.

    \b
    dspref whence 4000 5000 --spec "convt k4 s2 | convt k4 s2" --sr 32000
    dspref whence 86.1328125 16000/3 --preset melgan
    """  # noqa: D301
    target = writable(output)
    chain, rate = read_architecture(sr, EXAMPLE, **_options(spec_option, config, preset_name))
    document = whence_document(chain, hertz, rate)
    emit(json_text(document) if form == "json" else whence_page(document, chain), target)


@dspref.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@form_option("text", "json")
@with_exit_codes
def presets(names: tuple[str, ...], form: str) -> None:
    """List known architectures; with NAME, say all of one."""
    known = [preset(name) for name in names] or list(PRESETS.values())
    emit(json_text(presets_document(known)) if form == "json" else presets_page(known, full=bool(names)))


@dspref.command()
@form_option("text", "json")
@with_exit_codes
def doctor(form: str) -> None:
    """Say what is installed, and what is missing."""
    page, whole = doctor_page(NEEDED, OPTIONAL)
    emit(json_text(doctor_document(NEEDED, OPTIONAL)) if form == "json" else page)
    if not whole:
        raise click.exceptions.Exit(FINDINGS)


def _options(spec_option: str | None, config: str | None, preset_name: str | None) -> dict[str, str | None]:
    return {"--spec": spec_option, "--config": config, "--preset": preset_name}


for _command in (
    symbolic,
    response_command,
    gradient,
    leakage,
    advise,
    expect,
    findings,
    rules,
    explain,
    claims_command,
    claim_command,
    cite_command,
    figure_command,
):
    dspref.add_command(_command)


def main() -> None:
    """Run the command."""
    dspref(prog_name="dspref")


if __name__ == "__main__":
    main()
