"""An audit's document as text of at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from dspref.tables import decimal
from torchparity.against import Change, Comparison
from torchparity.report.words import (
    WAYS,
    Document,
    bands,
    branches,
    can_be,
    count,
    every,
    finest,
    highest,
    legible,
    level_columns,
    new_lines,
    owned,
    peaks,
    possible,
    rate,
    shown,
    span,
    stopped,
    strongest,
    upsamplers,
    ways,
)


def text_of(document: Document) -> str:
    """Return a document of an audit as text of at most 80 columns."""
    document = legible(document)
    blocks = [_head(document)]
    if document["runs"]:
        blocks += [_owners(document), _table(document), _inputs(document)]
    blocks += [*_levels(document), *_besides(document), *_cures(document), _verdict(document)]
    return "\n\n".join([*blocks, *_against(document)]) + "\n"


def _head(document: Document) -> str:
    aside = branches(document)
    chain = [row["spec"] for row in upsamplers(document) if row not in aside]
    name = " ".join(document["name"].split())
    head = f"{name} at {rate(document)}: {count(document)}, ×{document['factor']}"
    others = "; ".join(f"layer {row['owner']} {row['spec']} ({row['name']})" for row in aside[:WAYS])
    others += f"; and {len(aside) - WAYS} more" if len(aside) > WAYS else ""
    words = [" | ".join(chain), others and f"on other ways: {others}", ways(document), can_be(document)]
    return "\n".join([head, *(row for each in words if each for row in _wrapped(each))])


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def _owners(document: Document) -> str:
    """Return one row per upsampling layer: its lines, and how high they were measured."""
    runs = shown(document)
    columns = [f"{r['input']}, dB" for r in runs]
    rows = [f"{'layer':>5}  {'its lines, multiples of':<24}{'lines':>6}" + "".join(f"{c:>16}" for c in columns)]
    for stage in upsamplers(document):
        mine = owned(document, stage["owner"])
        cells = "".join(f"{span(document, r, mine):>16}" for r in runs)
        rows.append(f"{stage['owner']:>5}  {every(stage):<24}{new_lines(document, stage):>6}{cells}")
    return "over the local floor, median (highest) of each layer's new lines:\n" + "\n".join(rows)


def _table(document: Document) -> str:
    """Return the highest lines, with every input beside."""
    runs, lines = shown(document), document["lines"]
    known = runs[0]["input"] == "constant" and all(row["predicted_db"] is not None or row["null"] for row in lines)
    head = f"{'Hz':>16}  {'owner':>5}" + (f"{'predicted':>14}{'measured':>14}" if known else "")
    rows = [head + "".join(f"{'over floor,':>14}" for _ in runs)]
    rows.append(" " * len(head) + "".join(f"{r['input']:>14}" for r in runs))
    for k in highest(document):
        levels = f"{_words(lines[k]):>14}{runs[0]['lines'][k]['level_db']:>11.1f} dB" if known else ""
        cells = "".join(f"{r['lines'][k]['height_db']:>11.1f} dB" for r in runs)
        rows.append(f"{decimal(Fraction(lines[k]['hz_exact'])):>16}  {lines[k]['owner']:>5}{levels}{cells}")
    many = len(rows) - 2
    told = f"the {many} highest of {possible(document)} possible lines (0 Hz, the offset itself, left out):"
    return told + "\n" + "\n".join(rows)


def _words(line: Document) -> str:
    return "null" if line["predicted_db"] is None else f"{line['predicted_db']:.1f} dB"


def _inputs(document: Document) -> str:
    rows = []
    for r in document["runs"]:
        off = len(r["peaks_off_grid"])
        words = f"{off} off" + ("" if r["judged"] else " (not judged)")
        rows.append(f"{r['input']}, seed {r['seed']}: {peaks(r['peaks'])}, {r['peaks'] - off} on the grid, {words}")
    head = f"peaks ≥ {document['stands_db']:.0f} dB (0 Hz included), found without looking at the prediction:"
    return "\n".join([head, *(f"  {row}" for row in rows)])


def _levels(document: Document) -> list[str]:
    """Return the strongest line of each layer: of weights not trained yet on average, and of these weights."""
    columns = level_columns(document)
    if not columns:
        return []
    rows = [
        " " * 7 + "".join(f"{kind:>14}" for kind, _, _ in columns),
        f"{'layer':>5}  " + "".join(f"{words:>14}" for _, words, _ in columns),
    ]
    for stage in upsamplers(document):
        mine = owned(document, stage["owner"])
        rows.append(f"{stage['owner']:>5}  " + "".join(f"{strongest(db, mine):>14}" for _, _, db in columns))
    told = "\n".join(
        line for words in (bands(document), finest(document), stopped(document)) for line in _wrapped(words, indent="")
    )
    head = "strongest new line of each layer, dB re 1: before training on average, and now:"
    return ["\n".join([head, *rows, *([told] if told else [])])]


def _besides(document: Document) -> list[str]:
    """Return what the chain does besides lines, a row for each rule: of nulls, where the last layer's first one is."""
    by_rule: dict[tuple[str, str], list[Any]] = {}
    for card in document["cards"]:
        if card["family"] != "tones":
            by_rule.setdefault((card["rule"], card["title"]), []).append(card)
    rows = [f"{rule} {title}: {_places(found)}" for (rule, title), found in sorted(by_rule.items())]
    return ["\n".join(["besides lines:", *(line for row in rows for line in _wrapped(row))])] if rows else []


def _places(found: list[Any]) -> str:
    """Return layers in words, and level, place and formula at the last of them."""
    last = max(found, key=lambda card: card["owner"] or 0)
    owners = sorted({str(card["owner"]) for card in found if card["owner"] is not None}, key=int)
    layers = f"layer{'s' if len(owners) > 1 else ''} {', '.join(owners)}" if owners else "the whole chain"
    level = "" if last["level_db"] is None else f"{last['level_db']:.1f} {last['reference']}"
    where = "" if last["hz"] is None else f"at {last['hz']:.10g} Hz"
    words = "; ".join(each for each in (where, level, last["formula"]) if each)
    return f"{layers}; {'there' if len(owners) < 2 else 'the last'}: {words}"


def _cures(document: Document) -> list[str]:
    """Return what was tried on these weights, layer by layer, and what cures all layers at once."""
    tried = [cure for cure in document["cures"] if cure["promise"] == TRIED]
    told = [cure for cure in document["cures"] if cure["promise"] != TRIED]
    blocks = ["\n".join(_tried(tried))] if tried else []
    last = max((cure["owner"] for cure in told), default=None)
    rows = [cure["words"] for cure in told if cure["owner"] == last]
    return [*blocks, *(["\n".join(["cures:", *(line for row in rows for line in _wrapped(row))])] if rows else [])]


TRIED = "these weights"
"""Promise of a cure that was tried."""


def _tried(cures: list[Any]) -> Iterator[str]:
    """Yield a row for each layer: its strongest line, as it is and with tone-free taps in that layer."""
    yield "tone-free taps in one layer, tried on these weights: its strongest line, dB re DC"
    yield f"{'layer':>5}{'Hz':>18}{'now':>14}{'then':>14}"
    for cure in cures:
        levels = ("none" if db is None else f"{db:.1f} dB" for db in (cure["before_db"], cure["after_db"]))
        mark = "" if "DC" in cure["reference"] else "  re 1: there is no DC"
        yield f"{cure['owner']:>5}{cure['hz']:>18.10g}" + "".join(f"{level:>14}" for level in levels) + mark


def _against(document: Document) -> list[str]:
    """Return what changed from another audit, in the words of `Comparison`."""
    if document["against"] is None:
        return []
    fields = ("input", "hz", "owner", "before_db", "after_db")
    held = document["against"]
    combs, lines = (tuple(Change(*(row[f] for f in fields)) for row in held[name]) for name in ("combs", "lines"))
    return [Comparison(held["before"], held["after"], combs, lines, tuple(held["remarks"])).to_text().rstrip()]


def _verdict(document: Document) -> str:
    found = document["findings"]
    kept = [f"{f['level']}: {f['text']}" for f in found if f["level"] in ("error", "note")]
    kept += [f"remark: {words}" for words in document["remarks"]]
    verdict = _wrapped(f"verdict: {document['verdict']['text']}", indent="")
    return "\n".join([*verdict, *(row for words in kept for row in _wrapped(words))])
