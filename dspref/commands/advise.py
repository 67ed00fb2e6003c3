"""The command ``dspref advise``: which upsamplers meet a tone budget, and what they cost."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import click

from dspref.arrays import complaint
from dspref.console import (
    FINDINGS,
    emit,
    form_option,
    hertz_parameter,
    json_text,
    output_option,
    plain_minus,
    with_exit_codes,
    writable,
)
from dspref.tables import hertz, table, text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dspref.advice.choices import Advice, Choice


@click.command()
@click.option("--rates", required=True, metavar="S,S,...", help="Factors of the layers, first to last, as 8,8,2,2.")
@click.option("--sr", required=True, metavar="HZ", callback=hertz_parameter(), help="Output rate.")
@click.option("--tone-budget", required=True, metavar="DB", help="Largest level of a line re DC, as -90.")
@click.option("--channels", metavar="C,C,...", help="One more than rates; by default 512, halved by each layer.")
@click.option("--conv", default=9, show_default=True, help="Taps of the convolution behind an interpolation.")
@click.option("--overlap", default=2, show_default=True, help="Taps per phase of a transposed convolution.")
@click.option("--subpixel", default=3, show_default=True, help="Taps of a sub-pixel convolution.")
@click.option("--dtype", default="float32", show_default=True, help="Format that the network runs in.")
@click.option("--only", multiple=True, metavar="FAMILY", help="nearest, linear, sinc, learned, transposed, subpixel.")
@click.option("--init", multiple=True, metavar="INIT", help="default, tone-free, ones, triangle, icnr.")
@form_option("text", "json")
@output_option
@with_exit_codes
def advise(
    rates: str,
    sr: Fraction,
    tone_budget: str,
    channels: str | None,
    conv: int,
    overlap: int,
    subpixel: int,
    dtype: str,
    only: tuple[str, ...],
    init: tuple[str, ...],
    form: str,
    output: str | None,
) -> None:
    """List the upsamplers whose lines stay below a tone budget.

    \b
    dspref advise --rates 8,8,2,2 --sr 22050 --tone-budget -90

    Exits with 1 if nothing does, and says what comes closest.
    """  # noqa: D301
    from dspref.advice import advise as weigh

    target = writable(output)
    advice = weigh(
        integers("rates", rates),
        sr,
        tone_budget_db=decibels(tone_budget),
        channels=None if channels is None else integers("channels", channels),
        conv_length=conv,
        overlap=overlap,
        subpixel_length=subpixel,
        dtype=dtype,
        only=only,
        init=init,
    )
    emit(json_text(advice.to_dict()) if form == "json" else advice_page(advice), target)
    if not advice.choices:
        raise click.exceptions.Exit(FINDINGS)


def integers(name: str, words: str) -> tuple[int, ...]:
    """Read integers split by commas.

    Examples
    --------
    >>> integers("rates", "8, 8,2,2")
    (8, 8, 2, 2)
    """
    try:
        return tuple(int(word) for word in words.split(",")) if words.strip() else ()
    except ValueError:
        raise ValueError(complaint(name, repr(words), "integers split by commas", "as 8,8,2,2")) from None


def decibels(words: str) -> float:
    """Read a level in dB; what it must be is for `dspref.advise` to say."""
    try:
        return float(plain_minus(words))
    except ValueError:
        raise ValueError(complaint("tone budget", repr(words), "a finite number of dB below 0", "as -90")) from None


def advice_page(advice: Advice) -> str:
    """Return the text of an advice: what meets the budget, what does not, and what comes closest."""
    rates = ", ".join(map(str, advice.rates))
    head = (
        f"Rates {rates} to {hertz(advice.sr)}, channels {', '.join(map(str, advice.channels))}, {advice.dtype}. "
        f"Budget: {advice.tone_budget_db:g} dB re DC at the output, for a constant input."
    )
    parts = [head, ""]
    if (closest := advice.closest) is not None:
        return text(
            *parts,
            f"Nothing meets the budget. Closest: {closest.name}, {closest.worst_db:.1f} dB ({_why(closest)}).",
            "",
            _table("Rejected", advice.rejected),
        )
    tables: list[RenderableType] = [_table("Meets the budget", advice.choices)]
    if advice.rejected:
        tables += ["", _table("Rejected", advice.rejected)]
    words = [f"{c.name}: {c.words}" for c in advice.choices]
    return text(*parts, *tables, "", *_legend(advice), "", "In words, maps left out:", *words)


def _table(title: str, choices: tuple[Choice, ...]) -> RenderableType:
    columns = ("way", ">dBc", ">noise", ">MACs", ">weights", ">ms", "holds for")
    return table(title, columns, (_row(c) for c in choices))


def _row(c: Choice) -> tuple[str, ...]:
    level = "none" if c.level_db is None else f"{c.level_db:.1f}"
    noise = "none" if c.noise_db is None else f"{c.noise_db:.1f}"
    promise = {"any weights": "any weights", "at initialisation": "first weights", "expected": "most draws"}[c.promise]
    return (c.name, level, noise, str(round(c.macs)), str(c.parameters), f"{float(1000 * c.latency):.3g}", promise)


def _why(c: Choice) -> str:
    """Return what a choice's `worst_db` is."""
    if c.level_db is None or c.floor_db >= c.worst_db:
        return "what rounding leaves"
    return "the upper end of the band of 95 %" if c.band_db else "its line"


def _legend(advice: Advice) -> list[str]:
    floor = max(c.floor_db for c in advice.choices)
    return [
        "dBc: strongest line, expected ones on average; none: none in exact arithmetic, in "
        f"{advice.dtype} no more than about {floor:.0f} dB of rounding.",
        "noise: strongest line (dB) that a rectifier behind a layer, its convolution included, makes of white noise, "
        "re its offset (UA106); the mean over first weights, 3 dB less for twice the channels.",
        "MACs: multiplications per output sample. ms: input that an output sample waits for.",
        "holds for: any weights, so also after training; first weights, which training changes; most draws of random "
        "weights: the band of 95 % lies below the budget.",
    ]
