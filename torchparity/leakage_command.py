"""The command ``torchparity leakage``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from fractions import Fraction
from typing import TYPE_CHECKING

import click

from dspref.arrays import complaint
from dspref.commands.leakage import exit_over, leakage_json, leakage_text
from dspref.console import emit, form_option, hertz_parameter, level_parameter, output_option, with_exit_codes, writable
from torchparity.audit_command import require_torch

if TYPE_CHECKING:
    from dspref.leaks.known import KnownLeakage


@click.command()
@click.argument("target", required=False)
@click.option("--factor", metavar="L", type=int, help="Upsampling factor, 2 or more.")
@click.option("--channels", type=click.IntRange(1), help="Of the input, where nothing says.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Of weights and noise [0].")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate: lines in Hz.")
@click.option("--fail-over", metavar="DBC", callback=level_parameter, help="Exit with 1 if a line is above this level.")
@form_option("text", "json")
@click.option("--limit", type=click.IntRange(min=0), default=40, show_default=True, help="Lines listed as text.")
@output_option
@with_exit_codes
def leakage(
    target: str | None,
    factor: int | None,
    channels: int | None,
    seed: int,
    sr: Fraction | None,
    fail_over: float | None,
    form: str,
    limit: int,
    output: str | None,
) -> None:
    """Measure which tones an upsampler makes of a constant.

    TARGET is a module, a function of a signal, or what makes one. Without it,
    torch.nn.functional.interpolate in all modes, and other known upsamplers.

    \b
    torchparity leakage
    torchparity leakage my/upsampler.py:Upsampler --factor 8 --sr 24000 --fail-over -90
    """  # noqa: D301
    file = writable(output)
    require_torch()
    rows = _known(factor) if target is None else (_measured(target, factor, channels, seed),)
    if form == "json":
        emit(leakage_json(rows, sr), file)
    else:
        more = "torchparity leakage TARGET"
        emit(leakage_text(rows, sr, alone=target is not None, more=more, limit=limit), file)
    exit_over(rows, fail_over)


def _known(factor: int | None) -> tuple[KnownLeakage, ...]:
    from torchparity.leaks import known_leakage

    return known_leakage() if factor is None else known_leakage((factor,))


def _measured(target: str, factor: int | None, channels: int | None, seed: int) -> KnownLeakage:
    """Return the leakage of a target; what it prints is not the answer."""
    if factor is None:
        raise ValueError(complaint("--factor", "none", "an integer >= 2, the upsampling factor", "as --factor 8"))
    import torch

    from dspref.leaks.known import KnownLeakage
    from torchparity.leaks import leakage as measure
    from torchparity.target import load_layer

    torch.manual_seed(seed)
    with redirect_stdout(sys.stderr):
        found = measure(load_layer(target), factor, channels=channels, seed=seed)
    return KnownLeakage(target, factor, found, about="measured")
