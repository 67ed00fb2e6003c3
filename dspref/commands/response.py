"""The command ``dspref response``: what filters do to the spectrum, as text or schema ``dspref.response/1``.

Frequencies are numbers of hertz as in `dspref.documents`; levels are dB re DC, those of images also dB re the
component. Where exactly nothing is left, the level is None and ``null`` is true.
"""

from __future__ import annotations

import math
from fractions import Fraction

import click
from rich.console import RenderableType

from dspref import __version__
from dspref.arrays import NotAnalysable
from dspref.chain import Chain
from dspref.commands.architecture import read_architecture
from dspref.console import emit, form_option, hertz_parameter, json_text, output_option, with_exit_codes, writable
from dspref.documents import Document, below_half, number, readable, stages_of
from dspref.pages import exact, level_of
from dspref.spec import spec, token
from dspref.tables import decimal, hertz, table, text

EXAMPLE = "as 'linear x2 | linear x2', or --preset fig6-nearest"

EDGE_DB = -3.0
POINTS = 4
"""Droop is listed at so many frequencies, up to half the input rate."""


def response_document(chain: Chain, sr: Fraction | int, *, component: Fraction | None = None) -> Document:
    """Return droop, −3 dB edge and nulls of each layer whose taps are known, and of the chain if all are.

    Parameters
    ----------
    chain : Chain
    sr : Fraction or int
        Output rate in Hz.
    component : Fraction, optional
        A frequency at the input in Hz, whose images are wanted.

    Returns
    -------
    dict
        ``schema, version, spec, sr, factor, stages, layers, unknown, chain``, and ``images`` for a component. A layer
        has ``droop`` (hz, droop_db re DC), ``edge_hz`` (None if it never falls by 3 dB), ``nulls`` (hz, order,
        exact) and ``images`` of the component, all at its own output rate;
        `unknown` says which stages are not answered for, and why.

    Raises
    ------
    ValueError
        If the component is beyond half the input rate.
    NotAnalysable
        If a stage lowers the rate or has no fixed grid.

    Examples
    --------
    >>> from dspref import parse
    >>> row = response_document(parse("nearest x2 | conv k9 p4"), 8000)["layers"][0]
    >>> row["droop"][-1], round(row["edge_hz"], 3), row["nulls"]
    ({'hz': 2000, 'droop_db': -3.0103}, 1996.977, [{'hz': 4000, 'order': 1, 'exact': True}])
    """
    sr, S = Fraction(sr), readable(chain.factor)
    if component is not None:
        below_half("component", component, sr / S)
    rates = chain.rates(sr)
    layers, unknown = [], []
    for place, stage in enumerate(chain.stages):
        try:
            row = _filtering(Chain([stage]), rates[place + 1])
            if component is not None:
                row["images"] = _images(Chain([stage]), rates[place + 1], component)
        except NotAnalysable as error:
            unknown.append({"stage": place, "spec": token(stage), "why": str(error)})
        else:
            layers.append({"stage": place, "spec": token(stage), **number("rate_out", rates[place + 1]), **row})
    document: Document = {
        "schema": "dspref.response/1",
        "version": __version__,
        "spec": spec(chain),
        **number("sr", sr),
        "factor": S,
        "stages": stages_of(chain, sr),
        "layers": layers,
        "unknown": unknown,
        "chain": None if unknown or not layers else _filtering(chain, sr),
    }
    return document if component is None else document | {"images": _images(chain, sr, component)}


def _filtering(chain: Chain, rate: Fraction) -> Document:
    """Return what a chain of known filters does, at its output rate."""
    from dspref.spectrum import droop_db, edge_db, nulls

    taken = nulls(chain)
    found = {"nulls": [_null(null.freq, null.order, rate) for null in taken]}
    if any(null.freq == 0 for null in taken):
        return {"droop": None, "edge_hz": None, **found}
    places = [Fraction(n, 2 * POINTS * chain.factor) for n in range(1, POINTS + 1)]
    levels = zip(places, droop_db(chain, places), strict=True)
    edge = edge_db(chain, EDGE_DB)
    return {
        "droop": [{**number("hz", f * rate), **_level("droop_db", float(level))} for f, level in levels],
        "edge_hz": None if edge is None else round(edge * float(rate), 6),
        **found,
    }


def _null(freq: Fraction | float, order: int | None, rate: Fraction) -> Document:
    proved = isinstance(freq, Fraction)
    place = number("hz", freq * rate) if isinstance(freq, Fraction) else {"hz": freq * float(rate)}
    return {**place, "order": order, "exact": proved}


def _images(chain: Chain, sr: Fraction, component: Fraction) -> list[Document]:
    from dspref.spectrum import replicas

    return [
        {
            **number("hz", r.hz(sr)),
            "order": r.order,
            "owner": r.owner,
            "stage": r.stage,
            **_level("level_db", r.level_db),
            **_level("relative_db", r.relative_db),
        }
        for r in replicas(chain, component * chain.factor / sr)
    ]


def _level(name: str, level: float | None) -> Document:
    if level is None:
        return {name: None}
    return {name: None, "null": True} if level == -math.inf else {name: round(level, 6)}


def response_page(document: Document) -> str:
    """Return the text of an answer, 80 columns wide."""
    sr = exact(document, "sr")
    parts: list[RenderableType] = [document["spec"], f"Output {hertz(sr)}, factor {document['factor']}."]
    for row in document["layers"]:
        words = f"Stage {row['stage']}: {row['spec']}, output {hertz(exact(row, 'rate_out'))}"
        parts += ["", words, *_filter_words(row)]
    if document["chain"] is not None and len(document["layers"]) > 1:
        parts += ["", f"The whole chain, output {hertz(sr)}", *_filter_words(document["chain"])]
    if document["layers"]:
        parts += ["", "Later layers repeat what a layer does at the multiples of its output rate."]
    if document["unknown"]:
        rows = [(row["stage"], row["spec"], row["why"].partition(";")[0]) for row in document["unknown"]]
        parts += ["", "Not known, and so nothing is said of", table("", ("stage", "words", "why"), rows)]
    if "images" in document:
        parts += _image_words(document["images"])
    return text(*parts)


def _filter_words(row: Document) -> list[str]:
    """Return droop, edge and nulls in words."""
    nulls = [_null_words(null) for null in row["nulls"][:12]]
    more = f" and {len(row['nulls']) - 12} more" if len(row["nulls"]) > 12 else ""
    valleys = f"  nulls: {', '.join(nulls) or 'none'}{more}"
    if row["droop"] is None:
        return ["  takes DC away, so there is no level re DC", valleys]
    places = ", ".join(decimal(exact(d, "hz")) for d in row["droop"])
    levels = ", ".join(level_of(d, "droop_db") for d in row["droop"])
    edge = "never" if row["edge_hz"] is None else f"{row['edge_hz']:.6g} Hz"
    made = [f"  dB re DC at {places} Hz: {levels}", f"  {EDGE_DB:g} dB re DC at: {edge}", valleys]
    images = [image for image in row.get("images", []) if image["order"]]
    levels = ", ".join(f"{level_of(image, 'relative_db')} at {decimal(exact(image, 'hz'))} Hz" for image in images)
    return [*made, f"  images, dB re the component: {levels}"] if images else made


def _null_words(null: Document) -> str:
    if not null["exact"]:
        return f"about {null['hz']:.6g} Hz"
    return hertz(exact(null, "hz")) + (f" ({null['order']} times)" if null["order"] > 1 else "")


def _image_words(images: list[Document]) -> list[RenderableType]:
    rows = [
        [decimal(exact(i, "hz")), i["order"], i["owner"] or "input", *(level_of(i, n) for n in _LEVELS)] for i in images
    ]
    base = next(image for image in images if image["order"] == 0)
    columns = (">Hz", ">order", "new at layer", ">dB re the input", ">dB re the component")
    return ["", f"Images of {hertz(exact(base, 'hz'))}", table("", columns, rows)]


_LEVELS = ("level_db", "relative_db")


@click.command("response")
@click.argument("words", metavar="[SPEC]", required=False)
@click.option("--preset", "preset_name", metavar="NAME", help="A known architecture, see 'dspref presets'.")
@click.option("--config", metavar="FILE", help="A config.json of the HiFi-GAN family.")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate; presets and configs have one.")
@click.option("--component", metavar="HZ", callback=hertz_parameter(zero=True), help="List its images, with levels.")
@form_option("text", "json")
@output_option
@with_exit_codes
def response_command(
    words: str | None,
    preset_name: str | None,
    config: str | None,
    sr: Fraction | None,
    component: Fraction | None,
    form: str,
    output: str | None,
) -> None:
    """Say what interpolation does to the spectrum: droop, nulls, images.

    \b
    dspref response "linear x2 | linear x2" --sr 32000 --component 600
    dspref response --preset fig6-nearest --format json
    """  # noqa: D301
    target = writable(output)
    sources = {"SPEC": words, "--preset": preset_name, "--config": config}
    chain, rate = read_architecture(sr, EXAMPLE, **sources)
    document = response_document(chain, rate, component=component)
    emit(json_text(document) if form == "json" else response_page(document), target)
