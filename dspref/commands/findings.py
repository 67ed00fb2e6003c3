"""The command ``dspref findings``: what an architecture does to sound, schema ``dspref.findings/1``."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

import click

from dspref.commands.architecture import read_architecture
from dspref.console import (
    FINDINGS,
    emit,
    form_option,
    hertz_parameter,
    json_text,
    output_option,
    with_exit_codes,
    writable,
)
from dspref.documents import number
from dspref.spec import spec
from dspref.tables import hertz

if TYPE_CHECKING:
    from dspref.artifacts import Finding

EXAMPLE = "as 'linear x2 | conv k9 p4', or --preset melgan"


@click.command()
@click.argument("words", metavar="[SPEC]", required=False)
@click.option("--preset", "preset_name", metavar="NAME", help="A known architecture, see 'dspref presets'.")
@click.option("--config", metavar="FILE", help="A config.json of the HiFi-GAN family.")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate; presets and configs have one.")
@click.option("--fail-on", type=click.Choice(["error", "warning", "never"]), default="error", show_default=True)
@form_option("text", "json")
@output_option
@with_exit_codes
def findings(
    words: str | None,
    preset_name: str | None,
    config: str | None,
    sr: Fraction | None,
    fail_on: str,
    form: str,
    output: str | None,
) -> None:
    """Say what an architecture does to sound: tones, filtering, borders, images.

    By rule, and by level where the taps say one; 'dspref explain UA101' says more.

    \b
    dspref findings "linear x4 | relu" --sr 16000
    dspref findings --preset melgan --format json
    """  # noqa: D301
    from dspref.artifacts import SEVERITIES
    from dspref.artifacts import findings as found_in

    target = writable(output)
    chain, rate = read_architecture(sr, EXAMPLE, **{"SPEC": words, "--preset": preset_name, "--config": config})
    found = found_in(chain, rate)
    document = {
        "schema": "dspref.findings/1",
        "spec": spec(chain),
        **number("sr", rate),
        "counts": {severity: sum(f.severity == severity for f in found) for severity in SEVERITIES},
        "findings": [f.to_dict() for f in found],
    }
    emit(json_text(document) if form == "json" else findings_page(spec(chain), rate, found), target)
    failing = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[fail_on]
    if any(f.severity in failing for f in found):
        raise click.exceptions.Exit(FINDINGS)


def findings_page(words: str, rate: Fraction, found: Iterable[Finding]) -> str:
    """Return the findings as text: each in a paragraph with its cure."""
    rows = tuple(found)
    counts = Counter(f.severity for f in rows)
    told = ", ".join(f"{n} {severity}{'s' if n > 1 else ''}" for severity, n in counts.items()) or "nothing found"
    head = textwrap.fill(words, 79, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join([f"{head}\nOutput {hertz(rate)}: {told}.\n", *(_paragraph(f) for f in rows)])


def _paragraph(f: Finding) -> str:
    place = "" if f.stage is None else f", stage {f.stage}"
    where = "" if f.hz is None else f", {hertz(f.hz)}" + (f" (1 of {f.count})" if f.count > 1 else "")
    level = "" if f.level_db is None else f": {f.level_db:.1f} {f.reference}"
    lines = f"{f.severity} {f.rule.id} {f.rule.title}{place}{where}{level}", f"  why: {f.formula}", f"  cure: {f.cure}"
    return "".join(f"{textwrap.fill(line, 79, subsequent_indent='    ')}\n" for line in lines)
