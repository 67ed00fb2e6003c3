"""The command ``dspref gradient``: the lines that a discriminator, or a loss on short-time spectra, leaves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click
from rich.console import RenderableType

from dspref.arrays import complaint, did_you_mean
from dspref.console import emit, form_option, hertz_parameter, json_text, output_option, with_exit_codes, writable
from dspref.pages import exact, level_of
from dspref.tables import decimal, hertz, table, text

if TYPE_CHECKING:
    from dspref.chain import Chain
    from dspref.gradients.stftloss import Resolution

Document = dict[str, Any]

EXAMPLE = "as 'conv k15 p7 | leaky 0.2 | conv k41 s4 p20', --preset melgan or --stft 1024/256"


@click.command()
@click.argument("spec", required=False)
@click.option("--preset", "preset_name", metavar="NAME", help="A known discriminator, or 'list'.")
@click.option("--stft", "stft", metavar="N/HOP[/WIN][/WINDOW],…", help="The short-time spectra of an L2 loss.")
@click.option("--period", type=click.IntRange(min=1), help="Columns that the input is cut into first (multi-period).")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Rate of the signal; presets have one.")
@form_option("text", "json")
@click.option("--limit", type=click.IntRange(min=0), default=40, show_default=True, help="Lines listed as text.")
@output_option
@with_exit_codes
def gradient(
    spec: str | None,
    preset_name: str | None,
    stft: str | None,
    period: int | None,
    sr: Fraction | None,
    form: str,
    limit: int,
    output: str | None,
) -> None:
    """List the lines that a discriminator or a loss puts into the gradient.

    \b
    dspref gradient "conv k15 p7 | leaky 0.2 | conv k41 s4 p20" --sr 22050
    dspref gradient --preset hifigan-period-3
    dspref gradient --stft 512/50/240/hann,1024/256 --sr 24000
    dspref gradient --stft parallel-wavegan --sr 24000 --format json

    Beside the words of 'dspref --help', SPEC may have avgpool k4 s2 p1,
    maxpool k4, lppool k4 n2 and phaseshuffle n2. Windows: hann, hamming,
    blackman, rectangular; all periodic, as Torch makes them.
    """  # noqa: D301
    target = writable(output)
    given = [n for n, words in (("SPEC", spec), ("--preset", preset_name), ("--stft", stft)) if words is not None]
    if len(given) != 1:
        got = " and ".join(given) or "nothing"
        raise click.UsageError(f"got {got}; give exactly one of SPEC, --preset, --stft, {EXAMPLE}.")
    if preset_name == "list":
        emit(presets_page(), target)
        return
    document = _document(spec, preset_name, stft, period, sr)
    if form == "json":
        emit(json_text(document), target)
    else:
        emit((stft_page if stft else gradient_page)(document, limit=limit), target)


def _document(
    spec: str | None, preset_name: str | None, stft: str | None, period: int | None, sr: Fraction | None
) -> Document:
    from dspref.gradients.documents import gradient_document, stft_document

    if stft is not None:
        if period is not None:
            raise click.UsageError("--period is of discriminators, not of --stft.")
        return stft_document(read_resolutions(stft), _rate(sr))
    chain, columns, rate = _discriminator(spec, preset_name)
    return gradient_document(chain, _rate(sr or rate), period=period or columns)


def _discriminator(spec: str | None, preset_name: str | None) -> tuple[Chain, int, Fraction | None]:
    from dspref.gradients.discriminators import discriminator, read_discriminator

    if spec is not None:
        return read_discriminator(spec), 1, None
    known = discriminator(preset_name or "")
    return known.chain, known.period, Fraction(known.sr)


def _rate(sr: Fraction | None) -> Fraction:
    if sr is None:
        raise click.UsageError("no rate of the signal, so --sr HZ is needed, as --sr 22050.")
    return sr


def read_resolutions(words: str) -> tuple[Resolution, ...]:
    """Read the short-time spectra of a loss: ``n_fft/hop[/win_length][/window]``, split by commas, or a known set.

    Examples
    --------
    >>> [r.words for r in read_resolutions("1024/256,512/50/240/hamming")]
    ['1024/256/1024/hann', '512/50/240/hamming']
    """
    from dspref.gradients.stftloss import PARALLEL_WAVEGAN

    if words.strip() == "parallel-wavegan":
        return PARALLEL_WAVEGAN
    return tuple(_resolution(part.strip()) for part in words.split(","))


def _resolution(part: str) -> Resolution:
    from dspref.gradients.stftloss import Resolution

    found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})(?:/([0-9]{1,7}))?(?:/([A-Za-z_-]+))?", part)
    if found is None:
        allowed = "n_fft/hop, n_fft/hop/win_length, each with /window if not Hann, or parallel-wavegan"
        hint = did_you_mean(part, ("parallel-wavegan",)) or "as 1024/256 or 512/50/240/hann"
        raise ValueError(complaint("short-time spectrum", repr(part), allowed, hint))
    n_fft, hop, length, window = found.groups()
    return Resolution(int(n_fft), int(hop), int(length) if length else None, window or "hann")


def gradient_page(document: Document, *, limit: int = 40) -> str:
    """Return the text of a discriminator's gradient: stages, and the first `limit` lines."""
    sr, D, p = exact(document, "sr"), document["factor"], document["period"]
    columns = f", in {p} columns" if p > 1 else ""
    head = [document["spec"], f"Input {hertz(sr)}{columns}, strides {D} in all.", "", _stages(document), ""]
    if D == 1:
        return text(*head, "No layer lowers the rate: a constant gradient stays constant, and gets no line.")
    lines = document["lines"]
    comb = f"{len(lines)} lines: 0 … {hertz(exact(lines[-1], 'hz'))}, every {hertz(sr / D)}; 0 Hz is the mean."
    return text(*head, comb, *_listed(document, limit), "", *_notes(document))


def _stages(document: Document) -> RenderableType:
    rows: list[list[object]] = []
    if document["period"] > 1:
        rate = exact(document, "sr") / document["period"]
        rows.append(["-", 0, f"columns of period {document['period']}", None, document["period"], decimal(rate), None])
    for row in document["stages"]:
        spacing = decimal(exact(row, "rate_out")) if row["owner"] else None
        rows.append([row["stage"], row["owner"], row["spec"], row["length"], row["stride"], spacing, row["overlap"]])
    return table("", ("stage", ">layer", "words", ">taps", ">stride", ">lines at k · (Hz)", "overlap"), rows)


def _listed(document: Document, limit: int) -> Iterable[RenderableType]:
    lines = document["lines"]
    known = any(line["level_dbc"] is not None or "null" in line for line in lines)
    shuffled = "shuffled" in lines[0]
    columns = [">Hz", ">freq", "layer", "also from layers"]
    columns += [">level (dBc)"] * known + [">left by shuffles"] * shuffled
    rows = []
    for line in lines[:limit]:
        others = ", ".join(str(i) for i in line["origins"][1:])
        owner = ["mean", ""] if exact(line, "hz") == 0 else [line["owner"], others]
        row = [decimal(exact(line, "hz")), line["freq"], *owner]
        rows.append(row + [level_of(line, "level_dbc")] * known + [f"{line.get('shuffled', 1):.3f}"] * shuffled)
    yield table("", columns, rows)
    if len(lines) > limit:
        yield f"… and {len(lines) - limit} more: --limit {len(lines)} lists them all."


def _notes(document: Document) -> Iterable[str]:
    """Yield what the numbers mean, as far as they are there."""
    lines = document["lines"]
    if any(line["level_dbc"] is not None for line in lines):
        yield "Level: re the mean of the gradient, for an upstream gradient that is constant in time."
    else:
        yield "Levels are not known: that takes all weights, and no nonlinear map."
        yield "Where there are such maps, the lines are those of the mean gradient for a stationary input."
    if "shuffled" in lines[0]:
        yield "Left by shuffles: of the mean amplitude over all draws (linear layers); a draw keeps the level."
    if document["period"] > 1:
        yield "Layer 0 is the reshape: lines where the columns' gradients differ, none where they are alike."
    for row in document["stages"]:
        if row["overlap"] == "gap":
            yield f"Stage {row['stage']} ({row['spec']}) never looks at some samples: they get no gradient through it."


def stft_page(document: Document, *, limit: int = 40) -> str:
    """Return the text of a loss's envelopes: each resolution, then the lines that are there."""
    sr, found = exact(document, "sr"), document["resolutions"]
    rows = [[i, r["words"], decimal(exact(r, "spacing")), _worst(r)] for i, r in enumerate(found, 1)]
    parts: list[RenderableType] = [
        f"L2 loss on short-time spectra at {hertz(sr)}: the gradient is the error times an envelope.",
        "",
        table("", (">no.", "n_fft/hop/win_length/window", ">lines at k · (Hz)", ">loudest (dBc)"), rows),
        "",
    ]
    lines = [line for line in document["together"] if "null" not in line and exact(line, "hz") > 0]
    if lines:
        columns = [">Hz", ">freq", "by no.", ">level (dBc)"]
        listed = [
            [decimal(exact(v, "hz")), v["freq"], _numbers(v["sources"]), level_of(v, "level_dbc")]
            for v in lines[:limit]
        ]
        parts += ["Lines of all together" if len(found) > 1 else "Lines", table("", columns, listed)]
        if len(lines) > limit:
            parts.append(f"… and {len(lines) - limit} more: --limit {len(lines)} lists them all.")
    else:
        parts.append("The envelope is flat: exactly no line.")
    gaps = [f"No. {i}: {r['gap']} of every {r['hop']} samples get no gradient: the hop is longer than the window."
            for i, r in enumerate(found, 1) if r["gap"]]  # fmt: skip
    return text(*parts, "", *gaps, *STFT_NOTES)


STFT_NOTES = (
    "Level: re the mean of the envelope. Every component of the error has lines at these distances.",
    "Exact for all bins of complex spectra; of magnitudes and logarithms the positions only.",
)


def _worst(row: Document) -> str:
    if row["worst_dbc"] is not None:
        return f"{row['worst_dbc']:.2f}"
    return "none" if all("null" in line for line in row["lines"][1:]) else "?"


def _numbers(sources: Iterable[int]) -> str:
    return ", ".join(str(i) for i in sources)


def presets_page() -> str:
    """Return the table of known discriminators."""
    from dspref.gradients.discriminators import DISCRIMINATORS

    rows = [(d.name, d.sr, d.period, d.source) for d in DISCRIMINATORS.values()]
    return text(table("", ("name", ">sr (Hz)", ">period", "source"), rows))
