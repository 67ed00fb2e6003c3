"""Answers as text: what `dspref.documents` says, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from rich.console import RenderableType

from dspref.chain import Chain, Pointwise
from dspref.documents import Document, doctor_document
from dspref.presets import Preset
from dspref.tables import decimal, hertz, table, text


def predict_page(document: Document, *, limit: int = 40) -> str:
    """Return the text of a prediction: stages, lines by layer, and the first `limit` lines."""
    sr, S = exact(document, "sr"), document["factor"]
    head = [document["spec"], f"Output {hertz(sr)}, input {hertz(sr / S)}, factor {S}.", "", _stages(document)]
    return text(*head, "", *_lines(document, limit), *_images(document))


def whence_page(document: Document, chain: Chain) -> str:
    """Return one line of text for each frequency asked for.

    Examples
    --------
    >>> from dspref import parse
    >>> from dspref.documents import whence_document
    >>> chain = parse("convt k4 s2 | convt k4 s2")
    >>> print(whence_page(whence_document(chain, [Fraction(8000), Fraction(5000)], 32000), chain), end="")
    8000 Hz: layer 1 (convt k4 s2, stage 0) makes it
    5000 Hz: no layer can; nearest possible line 8000 Hz (layer 1)
    """
    return "".join(f"{_whence(query, document, chain)}\n" for query in document["queries"])


def presets_page(known: Iterable[Preset], *, full: bool = False) -> str:
    """Return the table of architectures, or each in full."""
    if full:
        return text(*(_preset(p) for p in known))
    rows = [(p.name, p.sr, p.chain.factor, decimal(Fraction(p.sr, p.chain.factor)), _factors(p)) for p in known]
    columns = ("name", ">sr (Hz)", ">factor", ">grid (Hz)", "upsampling layers")
    return text(
        table("", columns, rows),
        "",
        "'dspref presets NAME' says layers and source; 'dspref predict --preset NAME' the lines.",
    )


def exact(document: Document, name: str) -> Fraction:
    """Return a frequency of a document as the Fraction it is.

    Examples
    --------
    >>> exact({"hz": 5333.333333333333, "hz_exact": "16000/3"}, "hz")
    Fraction(16000, 3)
    """
    return Fraction(document.get(f"{name}_exact") or str(document[name]))


def _stages(document: Document) -> RenderableType:
    columns = ("stage", ">layer", "words", ">taps", ">factor", ">in (Hz)", ">out (Hz)", "overlap")
    return table("", columns, (_stage(stage) for stage in document["stages"]))


def _stage(row: Document) -> list[object]:
    rates = (decimal(exact(row, "rate_in")), decimal(exact(row, "rate_out")))
    return [row["stage"], row["owner"], row["spec"], row["length"], row["factor"], *rates, row["overlap"]]


def _lines(document: Document, limit: int) -> list[RenderableType]:
    """Return the comb in words, the lines that are new at each layer, and the lines one by one."""
    lines, owners = document["lines"], [stage for stage in document["stages"] if stage["owner"]]
    if not owners:
        return ["No layer raises the rate: an offset stays an offset, and makes no line."]
    step, last = exact(lines[1], "hz"), exact(lines[-1], "hz")
    parts: list[RenderableType] = [
        f"{len(lines)} lines: 0 … {hertz(last)}, every {hertz(step)}; 0 Hz is the offset itself, no tone.",
        "",
        table("", ("layer", "at multiples of (Hz)", ">new lines", "first (Hz)"), (_owned(o, lines) for o in owners)),
        "",
    ]
    known = any(line["level_db"] is not None or "null" in line for line in lines)
    columns = (">Hz", ">freq", "layer", "also from layers", *([">level (dB)"] if known else []))
    parts.append(table("", columns, (_line(line, known) for line in lines[:limit])))
    if len(lines) > limit:
        parts.append(f"… and {len(lines) - limit} more: --limit {len(lines)} lists them all.")
    why = "Level: 20 log10 |c| of the complex line, for an input offset of 1." if known else UNKNOWN
    return [*parts, "", why]


UNKNOWN = "Levels are not known: that takes all weights, and no pointwise map."


def _owned(stage: Document, lines: list[Document]) -> list[object]:
    new = [decimal(exact(line, "hz")) for line in lines[1:] if line["owner"] == stage["owner"]]
    first = ", ".join(new[:3]) + (", …" if len(new) > 3 else "")
    return [stage["owner"], decimal(exact(stage, "rate_in")), len(new), first or "-"]


def _line(line: Document, known: bool) -> list[object]:
    others = ", ".join(str(i) for i in line["origins"][:-1])
    owner = ["offset", ""] if exact(line, "hz") == 0 else [line["owner"], others]
    return [decimal(exact(line, "hz")), line["freq"], *owner, *([level_of(line, "level_db")] if known else [])]


def _images(document: Document) -> list[RenderableType]:
    if "images" not in document:
        return []
    rows = [
        [decimal(exact(i, "hz")), i["order"], i["owner"] or "input", level_of(i, "gain_db")] for i in document["images"]
    ]
    what = hertz(exact(document["images"][0], "hz"))
    return ["", f"Images of {what}", table("", (">Hz", ">order", "new at layer", ">gain (dB)"), rows)]


def level_of(row: Document, name: str) -> str:
    """Return a level in words: a null is exact, "?" is not known."""
    if row.get("null"):
        return "null"
    return "?" if row[name] is None else f"{row[name] + 0.0:.2f}"


def _whence(query: Document, document: Document, chain: Chain) -> str:
    hz = exact(query, "hz")
    if hz == 0:
        return "0 Hz: the offset itself, no tone"
    if query["owner"] is None:
        return f"{hertz(hz)}: no layer can; {_nearest(exact(query, 'nearest_hz'), chain, exact(document, 'sr'))}"
    place = query["stage"]
    words = document["spec"].split(" | ")[place]
    layer = f"{hertz(hz)}: layer {query['owner']} ({words}, stage {place})"
    if query.get("null"):
        return f"{layer} could make it, but with these taps it is exactly null"
    made = f"{layer} makes it"
    rate = chain.rates(exact(document, "sr"))[place + 1]
    if hz > rate / 2:
        made += f", as a replica of its {hertz(min(hz % rate, -hz % rate))} line"
    return made + _mixed(query, chain)


def _mixed(query: Document, chain: Chain) -> str:
    """Return from which layers before its owner a line can come too: through a map alone.

    What they make enters the owner at frequencies that are no multiples of its input rate, and its images miss them as
    well; at 0 Hz, and so here, stands only what tone-free taps of the owner take away. A map behind it mixes lines.
    """
    others, owner = query["origins"][:-1], f"layer {query['owner']}"
    if not others:
        return ""
    layers = f"layer{'s' * (len(others) > 1)} {', '.join(map(str, others))}"
    if any(isinstance(stage, Pointwise) for stage in chain.stages[query["stage"] + 1 :]):
        return f"; also possible from {layers}, mixed by a map behind {owner}"
    return f"; with a map behind {owner}, also possible from {layers}"


def _nearest(hz: Fraction, chain: Chain, sr: Fraction) -> str:
    """Return the nearest line in words; below half of the first line, that is the offset, which is no tone."""
    if not chain.upsamplers:
        return "none raises the rate"
    kind = "nearest possible line" if hz else "first possible line"
    hz = hz or sr / chain.factor
    owner = max(i for i, (place, _) in enumerate(chain.upsamplers, 1) if hz % chain.rates(sr)[place] == 0)
    return f"{kind} {hertz(hz)} (layer {owner})"


def _preset(p: Preset) -> str:
    fields: dict[str, Any] = {"spec": p.spec, "sr": f"{p.sr} Hz", "source": p.source, "note": p.note}
    return "\n".join([p.name, *(f"  {name}: {words}" for name, words in fields.items()), ""])


def _factors(p: Preset) -> str:
    ops = dict.fromkeys(stage.op for _, stage in p.chain.upsamplers)
    return f"{'/'.join(ops)} {', '.join(str(stage.factor) for _, stage in p.chain.upsamplers)}"


def doctor_page(needed: Iterable[str], optional: Mapping[str, tuple[str, str]]) -> tuple[str, bool]:
    """Return which versions are installed, what a missing package would give, and whether all needed are there.

    Parameters
    ----------
    needed : names of packages
    optional : for each package, what it gives and the extra that installs it
    """
    document = doctor_document(needed, optional)
    rows = [["python", document["python"], ""]]
    for row in document["packages"]:
        name, gives, installed = row["name"], row["gives"], row["version"]
        if row["needed"]:
            words = "" if installed else f"needed: pip install {name}"
        else:
            words = gives if installed else f"{gives}: pip install 'dspref[{optional[name][1]}]'"
        rows.append([name, installed or "missing", words])
    return text(table("", ["package", "version", "gives"], rows)), document["ok"]
