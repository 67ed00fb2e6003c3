"""The command ``dspref expect``: combs and floor to expect of an architecture, averaged over initialisations."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from dspref.commands.architecture import read_chain
from dspref.console import (
    NOT_ANALYSABLE,
    Command,
    emit,
    form_option,
    hertz_parameter,
    json_text,
    output_option,
    with_exit_codes,
    writable,
)

if TYPE_CHECKING:
    from dspref.expected.report import Report

EXAMPLE = "as 'conv k7 p3 | leaky 0.2 | convt k16 s8 p4', or --preset melgan"

INITS = ("default", "kaiming", "kaiming_normal", "xavier", "xavier_normal", "normal", "uniform", "icnr")


WITHOUT = (
    "presets and configs name the layers that change the rate: residual blocks and skips, which change levels, are not "
    "among them; torchparity expect reads a whole network"
)


def expect_options(command: Command) -> Command:
    """Add the options that both commands share."""
    for option in (
        output_option,
        form_option("text", "json"),
        click.option("--explain", is_flag=True, help="Say which biases and inputs feed each comb."),
        click.option("--width-terms/--no-width-terms", default=True, help="Also terms of order 1/width [yes]."),
        click.option(
            "--input",
            "words",
            default="white",
            show_default=True,
            metavar="KINDS",
            help="ones, white, mono, coloured:FILE (autocovariance at lags 0, 1, …), density:FILE (from 0 to half the "
            "rate), or some of them, with + between.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("spec", required=False)
@click.option("--preset", "preset_name", metavar="NAME", help="A known architecture, see 'dspref presets'.")
@click.option("--config", metavar="FILE", help="A config.json of the HiFi-GAN family.")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate; presets and configs have one.")
@click.option("--channels", metavar="C,C,...", help="Of the input, and behind each layer with a kernel.")
@click.option("--init", type=click.Choice(INITS), default="default", show_default=True, help="Law of the weights.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Gain, deviation or bound of that law.")
@click.option("--bias", type=float, metavar="VARIANCE", help="Of all biases; Torch's default, if not given.")
@expect_options
@with_exit_codes
def expect(
    spec: str | None,
    preset_name: str | None,
    config: str | None,
    sr: Fraction | None,
    channels: str | None,
    init: str,
    scale: float,
    bias: float | None,
    words: str,
    width_terms: bool,
    explain: bool,
    form: str,
    output: str | None,
) -> None:
    """Say which lines and which floor to expect before training, averaged over initialisations.

    \b
    dspref expect "conv k3 p1 | glu | convt k8 s4 | relu" --channels 64,64,32
    dspref expect --preset melgan --input ones --channels 80,512,256,128,64,32,1

    Channels are 512, halved by each layer that raises the rate, and one at the
    end, if not given. Exits with 3 if the output is not predicted.
    """  # noqa: D301
    target = writable(output)
    from dspref.commands.advise import integers
    from dspref.expected.inputs import read_input
    from dspref.expected.outlined import default_channels, network_of
    from dspref.spec import spec as spelt

    source = read_input(words)
    _, chain, rate = read_chain(EXAMPLE, SPEC=spec, **{"--preset": preset_name, "--config": config})
    widths = default_channels(chain) if channels is None else integers("channels", channels)
    net = network_of(chain, widths, init=init, scale=scale, bias=bias)
    made = reported(
        net,
        source,
        target=spelt(chain),
        sr=sr or rate,
        channels=widths[0],
        width_terms=width_terms,
        explain=explain,
        remarks=() if spec is not None else (WITHOUT,),
    )
    tell(made, form, target)


def reported(
    net: Any,
    source: Any,
    *,
    target: str,
    sr: Fraction | None,
    channels: int,
    width_terms: bool = True,
    explain: bool = False,
    remarks: tuple[str, ...] = (),
    check: Callable[[Any], Any] | None = None,
) -> Report:
    """Return the report on a network that is fed with an input."""
    from dspref.expected.forecast import forecast
    from dspref.expected.report import Report

    fed = source.source(channels)
    found = forecast(net, fed, width_terms=width_terms)
    explanation = None
    if explain and found.expected is not None:
        from dspref.expected.explain import explain as explained

        explanation = explained(net, fed)
    checked = None if check is None or found.expected is None else check(found.expected)
    return Report(target, source.words, sr, channels, found, remarks, explanation, checked)


def tell(made: Report, form: str, target: Any) -> None:
    """Print or write the report; exit with 3 if the output is not predicted."""
    emit(json_text(made.to_dict()) if form == "json" else made.to_text(), target)
    if made.forecast.expected is None:
        raise click.exceptions.Exit(NOT_ANALYSABLE)
