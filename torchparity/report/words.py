"""What every form of an audit's document says in words: layers, their lines, limits, settings."""

from __future__ import annotations

import re
from fractions import Fraction
from statistics import median
from typing import Any, TypeAlias

from dspref.tables import hertz

Document: TypeAlias = dict[str, Any]

ROWS = 16
"""Lines in a table, the highest first; JSON has them all."""


WAYS = 8
"""Ways, and layers on them, that a text names; JSON has more."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys, and what turns the direction of text round."""


def legible(content: Any) -> Any:
    r"""Return a document with escapes in place of characters that a terminal would obey.

    Examples
    --------
    >>> print(legible(["\x1b]0;title\x07"])[0])
    \x1b]0;title\x07
    """
    if isinstance(content, str):
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), content)
    if isinstance(content, dict):
        return {legible(key): legible(inner) for key, inner in content.items()}
    return [legible(inner) for inner in content] if isinstance(content, list) else content


def upsamplers(document: Document) -> list[Document]:
    """Return what upsamples: stages of the chain in order, then layers on other ways."""
    return [*(row for row in document["stages"] if row["owner"] is not None), *branches(document)]


def branches(document: Document) -> list[Document]:
    """Return layers on other ways than that of the chain; none in documents of audits that knew of none."""
    found: list[Document] = document.get("branches", [])
    return found


def every(row: Document) -> str:
    """Return of what the lines of a layer are multiples, with its unit."""
    return hertz(Fraction(row["every_exact" if "every_exact" in row else "rate_in_exact"]))


def peaks(number: int) -> str:
    """Return how many peaks stand.

    Examples
    --------
    >>> peaks(1), peaks(0)
    ('1 peak', '0 peaks')
    """
    return f"{number} peak{'s' * (number != 1)}"


def count(document: Document) -> str:
    """Return how many layers upsample, in words.

    Examples
    --------
    >>> count({"stages": [{"owner": 1}], "branches": [{"owner": 2}, {"owner": 3}]})
    '1 upsampling layer and 2 on other ways'
    """
    aside = len(branches(document))
    own = len(upsamplers(document)) - aside
    return f"{own} upsampling layer{'s' * (own > 1)}" + (f" and {aside} on other ways" if aside else "")


def ways(document: Document) -> str:
    """Return the ways from input to output by the layers on each; "" if there is but one.

    Examples
    --------
    >>> ways({"ways": [[1, 2], [3]]})
    '2 ways from input to output, by their layers: 1 → 2; 3'
    """
    found = document.get("ways", [])
    if len(found) < 2:
        return ""
    told = "; ".join(" → ".join(map(str, way)) or "none" for way in found[:WAYS])
    more = f"; and {len(found) - WAYS} more" if len(found) > WAYS else ""
    return f"{len(found)} ways from input to output, by their layers: {told}{more}"


def shown(document: Document) -> list[Document]:
    """Return the runs of the first seed."""
    return [r for r in document["runs"] if r["seed"] == document["runs"][0]["seed"]]


def owned(document: Document, owner: int) -> list[int]:
    """Return the places of the lines that are new at one layer, 0 Hz left out."""
    return [k for k, line in enumerate(document["lines"]) if line["owner"] == owner and line["hz"]]


def possible(document: Document) -> int:
    """Return how many lines there can be, 0 Hz left out, also where a page has cut them."""
    return sum(counts(document).values())


def grid(document: Document) -> str:
    """Return the spacing of all lines, exactly, with its unit."""
    return hertz(Fraction(document["sr_exact"]) / document["factor"])


def rate(document: Document) -> str:
    """Return the output rate in words: 1 Hz stands for one that was not given.

    Examples
    --------
    >>> rate({"sr_exact": "16000"}), rate({"sr_exact": "1"})
    ('16000 Hz', '1 Hz (no --sr given: frequencies are fractions of the output rate)')
    """
    told = hertz(Fraction(document["sr_exact"]))
    return f"{told} (no --sr given: frequencies are fractions of the output rate)" if told == "1 Hz" else told


def can_be(document: Document) -> str:
    """Return where lines can be, in words; and that a constant makes none, where all layers are tone-free.

    Examples
    --------
    >>> layers = {"stages": [{"owner": 1}, {"owner": 2}], "sr_exact": "16000", "factor": 8}
    >>> can_be(layers | {"tone_free": [1]})
    'possible: lines at multiples of 2000 Hz and nowhere else'
    >>> can_be(layers | {"tone_free": [1, 2]})
    'possible: of a constant no line (all layers are tone-free), of noise lines at multiples of 2000 Hz'
    """
    if {row["owner"] for row in upsamplers(document)} <= {*document.get("tone_free", [])}:
        free = "of a constant no line (all layers are tone-free), of noise"
        return f"possible: {free} lines at multiples of {grid(document)}"
    return f"possible: lines at multiples of {grid(document)} and nowhere else"


def new_lines(document: Document, stage: Document) -> int:
    """Return how many lines are new at an upsampling stage, 0 Hz left out, also where a page has cut them."""
    return int(counts(document)[str(stage["owner"])])


def counts(document: Document) -> dict[str, int]:
    """Return how many lines are new at each layer, by its number; a page that cut some says how many there were."""
    found: dict[str, int] = document.get("cut") or {
        str(stage["owner"]): len(owned(document, stage["owner"])) for stage in upsamplers(document)
    }
    return found


def span(document: Document, run: Document, places: list[int]) -> str:
    """Return the median and the highest of heights over the floor, in words; no median where a page has cut lines."""
    heights = [run["lines"][k]["height_db"] for k in places]
    if not heights:
        return "–"
    return f"{'–' if document.get('cut') else f'{median(heights):.0f}'} ({max(heights):.0f})"


def highest(document: Document) -> list[int]:
    """Return the places of the highest lines of the last input shown (noise), in order of frequency."""
    last = shown(document)[-1]["lines"]
    order = sorted(range(1, len(document["lines"])), key=lambda k: -last[k]["height_db"])
    return sorted(order[:ROWS])


def level_columns(document: Document) -> list[tuple[str, str, list[float | None]]]:
    """Return (kind, input, level of each line in dB or None) of what is expected, if it is, and of what there is."""
    expected = [("expected", e["input"], e["levels_db"]) for e in document["expected"] if e["predicted"]]
    return expected + [("actual", s["input"], s["levels_db"]) for s in document["actual"]]


def strongest(levels: list[float | None], places: list[int]) -> str:
    """Return the highest level among some lines in words.

    Examples
    --------
    >>> strongest([None, -20.0, -31.25], [0, 2]), strongest([None], [0])
    ('-31.2 dB', 'none')
    """
    there = [db for k in places if (db := levels[k]) is not None]
    return f"{max(there):.1f} dB" if there else "none"


def place(card: Document) -> str:
    """Return in words which layer a card is about."""
    if card["owner"] is not None:
        return f"layer {card['owner']}, {card['layer']}"
    stages = [str(stage) for stage in card["stages"]]
    return f"stage{'s' if len(stages) > 1 else ''} {', '.join(stages)}" if stages else "the whole chain"


def changes(document: Document) -> list[tuple[str, ...]]:
    """Return what changed from another audit: input, Hz, layer, before, after, change; the largest first."""
    moved = [row for row in document["against"]["lines"] if row["kind"] not in ("same", "none")]
    moved.sort(key=lambda row: -abs(float("inf") if row["difference_db"] is None else row["difference_db"]))
    return [_change(row) for row in moved[:ROWS]]


def _change(row: Document) -> tuple[str, ...]:
    levels = ["none" if db is None else f"{db:.1f} dB" for db in (row["before_db"], row["after_db"])]
    change = row["kind"] if row["difference_db"] is None else f"{row['difference_db']:+.1f} dB"
    return row["input"], f"{row['hz']:.10g}", str(row["owner"] or "–"), *levels, change


def finest(document: Document) -> str:
    """Return which lines show before training, in words; "" if no expectation has any."""
    told = [(e.get("finest_hz_exact") or e["finest_hz"], e["input"]) for e in document["expected"] if e["finest_hz"]]
    shown = [f"every {hertz(Fraction(hz))} ({words})" for hz, words in told]
    return f"finest comb that shows before training: {', '.join(shown)}" if shown else ""


def stopped(document: Document) -> str:
    """Return in words where the theory of weights not trained yet ends; "" if it does not."""
    ended = [e for e in document["expected"] if not e["predicted"]]
    rows = [n for e in ended for n in e["not_predicted"]]
    first = [n for n in rows if n["what"] != "output"] or rows
    places = dict.fromkeys(
        f"from the start: {n['why']}" if n["what"] == "network" else f"from {n['where']} on: {n['what']}" for n in first
    )
    return f"not predicted before training, {'; '.join(places)}" if places else ""


def bands(document: Document) -> str:
    """Return between which levels nine of ten networks have the strongest line of each layer; "" if it is not known.

    Examples
    --------
    >>> lines = [{"owner": None, "hz": 0, "freq": "0/2"}, {"owner": 1, "hz": 4000, "freq": "1/2"}]
    >>> comb = {"divisor": 2, "low_db": -43.95, "high_db": -14.0}
    >>> expected = {"input": "noise", "predicted": True, "levels_db": [-5.0, -20.0], "bands": [comb]}
    >>> bands({"stages": [{"owner": 1}], "lines": lines, "expected": [expected]})
    'nine of ten networks, noise: layer 1 -44.0 … -14.0 dB'
    """
    told = []
    for e in document["expected"]:
        rows = [f"layer {row['owner']} {band}" for row in upsamplers(document) if (band := _band(document, e, row))]
        told += [f"{e['input']}: {', '.join(rows)}"] if rows else []
    return f"nine of ten networks, {'; '.join(told)}" if told else ""


def _band(document: Document, expected: Document, stage: Document) -> str:
    """Return the band of the strongest line of a layer in words; "" if there is none."""
    levels = expected["levels_db"]
    there = [k for k in owned(document, stage["owner"]) if levels[k] is not None]
    if not there:
        return ""
    freq = Fraction(document["lines"][max(there, key=lambda k: levels[k])]["freq"])
    found = [row for row in expected.get("bands", []) if (freq * row["divisor"]).denominator == 1]
    comb = min(found, key=lambda row: row["divisor"], default=None)
    return "" if comb is None or comb["low_db"] is None else f"{comb['low_db']:.1f} … {comb['high_db']:.1f} dB"


def limits(document: Document) -> list[str]:
    """Return in words what was not analysed, and what was assumed."""
    found = [f"{row['name']} ({row['type']}): {row['why']}" for row in document["not_described"]]
    found += [f["text"] for f in document["findings"] if f["level"] == "note"]
    told: dict[str, list[str]] = {}  # what is so for several inputs is said once
    for e in document["expected"]:
        for words in (*(f"{n['what']} at {n['where']}: {n['why']}" for n in e["not_predicted"]), *e["remarks"]):
            told.setdefault(words, []).append(e["input"])
    found += [f"expected, {', '.join(dict.fromkeys(inputs))}: {words}" for words, inputs in told.items()]
    if not document["expected"] and all(row["predicted_db"] is None and not row["null"] for row in document["lines"]):
        found.append("levels of lines were not predicted, only where they can be")
    return list(dict.fromkeys([*found, *document["remarks"]]))


def settings_of(document: Document) -> list[tuple[str, str]]:
    """Return what decides the numbers, besides the command, as names and words."""
    r = document["reproduce"]
    rows = [
        ("Seeds", ", ".join(map(str, r["seeds"])) or "none"),
        ("Checkpoint", document["checkpoint"] or "none: the weights that the factory made"),
        ("Arithmetic", ", ".join(sorted({run["dtype"] for run in document["runs"]})) or "none"),
        ("Device", f"{r['device']}: {r['processor']}, {r['threads']} thread{'s' if r['threads'] > 1 else ''}"),
        ("TF32", f"{'on' if r['tf32'] else 'off'}, as it is set; the CPU has none"),
        ("Deterministic algorithms", "demanded" if r["deterministic_algorithms"] else "not demanded"),
        ("System", r["system"]),
    ]
    return [*rows, ("Versions", ", ".join(f"{name} {number}" for name, number in r["versions"].items()))]
