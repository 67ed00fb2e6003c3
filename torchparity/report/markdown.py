"""An audit's document as Markdown: for issues, pull requests and model cards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from torchparity.report.words import (
    branches,
    can_be,
    changes,
    every,
    legible,
    level_columns,
    limits,
    new_lines,
    owned,
    place,
    rate,
    settings_of,
    shown,
    span,
    strongest,
    upsamplers,
    ways,
)


def markdown_of(document: dict[str, Any]) -> str:
    """Return a document of an audit as Markdown: verdict, layers, findings, limits, and how to do it again."""
    document = legible(document)
    parts = [
        f"# Audit of {plain(document['name'])}",
        f"**Verdict: {plain(document['verdict']['text'])}.**",
        f"×{document['factor']} to {rate(document)}; {can_be(document)}.",
        _layers(document),
        *([f"{plain(ways(document))}."] if ways(document) else []),
        _listed("Findings", (f"**{f['level']}**: {plain(f['text'])}" for f in document["findings"])),
        "## Artifacts",
        *(_card(card) for card in document["cards"]),
        *_against(document),
        _listed("Not analysed", map(plain, limits(document))),
        _listed("Reproduce", _reproduce(document)),
    ]
    return "\n\n".join(parts) + "\n"


def plain(words: str) -> str:
    r"""Return words in which Markdown sees neither mark-up nor HTML.

    Examples
    --------
    >>> print(plain("<img> a_b | 2*3"))
    &lt;img&gt; a\_b \| 2\*3
    """
    safe = " ".join(words.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", safe)


def code(words: str) -> str:
    """Return words as code, between more backticks than they have in a row.

    Examples
    --------
    >>> code("a`b")
    '`` a`b ``'
    """
    text = " ".join(words.split())
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return f"{'`' * (longest + 1)} {text} {'`' * (longest + 1)}" if longest else f"`{text}`"


def _layers(document: dict[str, Any]) -> str:
    columns = [f"{kind}, {words}" for kind, words, _ in level_columns(document)]
    columns += [f"over floor, {r['input']}" for r in shown(document)]
    rows = []
    for stage in upsamplers(document):
        mine = owned(document, stage["owner"])
        cells = [strongest(levels, mine) for _, _, levels in level_columns(document)]
        cells += [span(document, r, mine) for r in shown(document)]
        spec = code(stage["spec"]).replace("|", "\\|")
        spec += f" on another way ({plain(stage['name'])})" if stage in branches(document) else ""
        rows.append([str(stage["owner"]), spec, every(stage), str(new_lines(document, stage)), *cells])
    return _table(["layer", "", "lines at multiples of", "lines", *columns], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _card(card: dict[str, Any]) -> str:
    level = "" if card["level_db"] is None else f" ({card['level_db']:.1f} {card['reference']})"
    rows = [
        *(f"- {plain(words)}" for words in card["seen"]),
        f"- why: {plain(card['formula'])}",
        *(f"- cure: {plain(words)}" for words in card["cures"]),
        f"- fix: {plain(card['fix'])}",
        f"- source: {plain(card['source'])}; `dspref claim {card['claim']}`",
    ]
    head = f"**{card['severity']} {card['rule']}** {plain(card['title'])}, {plain(place(card))}{level}"
    return "\n".join([head, "", *rows])


def _against(document: dict[str, Any]) -> list[str]:
    if document["against"] is None:
        return []
    rows = [[plain(cell) for cell in row] for row in changes(document)]
    table = _table(["input", "Hz", "layer", "before", "after", "change"], rows)
    return [f"## Against {plain(document['against']['before'])}", table if rows else "No line changed."]


def _reproduce(document: dict[str, Any]) -> list[str]:
    command = document["reproduce"]["command"]
    rows = [f"{name.lower()}: {plain(words)}" for name, words in settings_of(document)]
    return [f"command: {code(command)}", *rows] if command else rows


def _listed(title: str, rows: Iterable[str]) -> str:
    return "\n".join([f"## {title}", "", *([f"- {row}" for row in rows] or ["None."])])
