"""A sweep as text, CSV, JSON lines, and one HTML page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from html import escape
from typing import Any

from dspref.tables import decimal, table, text
from torchparity.sweep import Sweep
from torchparity.sweep_row import Result

SHOWN = 40
"""Rows of the text; files have them all."""

HEAD = ("row", "name", "architecture", "channels", "init", "bias", "sr", "status", "why")
KNOWN = ("factor", "grid_hz", "possible_lines")
LEVELS = ("standing", "over_floor_db", "hz", "level_db")
TAIL = ("errors", "warnings", "notes", "seconds")

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheets take for the beginning of a formula, in text; full-width signs too."""


def to_jsonl(made: Sweep) -> str:
    """Return one line of JSON for each row, of the schema "torchparity.sweep/1"."""
    return "".join(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in made.rows)


def columns(made: Sweep) -> tuple[str, ...]:
    """Return the columns of a table: for each input what was measured, then what was to be expected."""
    return (*HEAD, *KNOWN, *(name for kind in made.header["inputs"] for name in _of_input(kind)), *TAIL)


def _of_input(kind: str) -> Iterator[str]:
    yield from (f"{kind}_{name}" for name in LEVELS)
    yield from (f"{kind}_expected_{name}" for name in (*LEVELS, "why", "remarks"))
    yield f"{kind}_off_grid"


def flat(row: Result) -> dict[str, Any]:
    """Return a row as named cells; None for what is not there."""
    cells = {name: row[name] for name in (*HEAD, *KNOWN, *TAIL)}
    cells["channels"] = None if row["channels"] is None else ",".join(map(str, row["channels"]))
    cells["bias"] = {None: None, True: "on", False: "off"}[row["bias"]]
    for side in row["measured"]:
        kind, due = side["input"], side["expected"]
        cells |= {f"{kind}_{name}": side[name] for name in (*LEVELS, "off_grid")}
        cells |= {f"{kind}_expected_{name}": due[name] for name in (*LEVELS, "why", "remarks")}
    return cells


def to_csv(made: Sweep) -> str:
    r"""Return the table as CSV (RFC 4180), with a line of names; text that a spreadsheet takes for a formula gets a '.

    Examples
    --------
    >>> from torchparity.sweep import sweep
    >>> to_csv(sweep(["convt k3 s2"], inputs=["constant"])).split("\r\n")[1].split(",")[:3]
    ['1', '', 'convt k3 s2']
    """
    page = io.StringIO(newline="")
    writer = csv.writer(page)
    writer.writerow(names := columns(made))
    for row in made.rows:
        cells = flat(row)
        writer.writerow([_safe(cells.get(name)) for name in names])
    return page.getvalue()


def _safe(cell: Any) -> Any:
    """Return a cell that no spreadsheet computes; numbers below 0 stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def to_text(made: Sweep) -> str:
    """Return the headline and the rows, 80 columns wide."""
    kind = made.header["inputs"][0]
    shown = made.rows[:SHOWN]
    heads = (">row", "architecture, channels, init", ">grid Hz", ">lines", ">dB", ">at Hz", ">due dB")
    parts: list[Any] = [made.headline, "", table("", heads, (_cells(row, kind) for row in shown)), ""]
    if len(made.rows) > len(shown):
        parts.append(f"{len(made.rows) - len(shown)} more rows: -o FILE.csv, .jsonl or .html has them all.")
    parts += [f"row {row['row']} {row['status']}: {row['why']}" for row in shown if row["status"] != "ok"]
    return text(*parts, LEGEND.format(kind=kind, seeds=made.header["seeds"]))


LEGEND = (
    "Input: {kind}. lines: possible lines that stand 10 dB over the floor, of all possible ones; dB over the floor and "
    'place of the highest, averaged over networks ({seeds} a row); due: before training, by the theory; "?" if it '
    'rests on terms of order 1/width alone, "-" if it is not covered.'
)


def _cells(row: Result, kind: str) -> Sequence[object]:
    """Return the cells of the text."""
    if not row["measured"]:
        return (row["row"], _label(row), None, row["status"], None, None, None)
    side = next(each for each in row["measured"] if each["input"] == kind)
    due, rests = side["expected"]["over_floor_db"], "?" if side["expected"]["remarks"].startswith("1/width") else ""
    count = f"{side['standing']}/{row['possible_lines']}"
    grid, at = (f"{value:.6g}" for value in (row["grid_hz"], side["hz"]))
    return (
        row["row"],
        _label(row),
        grid,
        count,
        f"{side['over_floor_db']:.1f}",
        at,
        None if due is None else f"{due:.1f}{rests}",
    )


def _label(row: Result) -> str:
    """Return what tells a row from others, in few words."""
    if row["target"]:
        return row["name"] or str(row["architecture"])
    law = "" if row["init"] == "default" else f", {row['init']}"
    return f"{row['name'] or row['architecture']}, {row['channels'][0]}{law}{'' if row['bias'] else ', no bias'}"


def to_html(made: Sweep) -> str:
    """Return one page that needs nothing else: a table, sorted by a click on the head of a column."""
    names = [name for name in columns(made) if name not in ("seconds",)]
    head = "".join(f'<th scope="col"><button>{escape(name.replace("_", " "))}</button></th>' for name in names)
    body = "\n".join(_tr(flat(row), names) for row in made.rows)
    said = dict(made.header) | {"versions": ", ".join(f"{k} {v}" for k, v in made.header["versions"].items())}
    said |= {"inputs": ", ".join(said["inputs"]), "shard": "{} of {}".format(*said["shard"])}
    told = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in said.items() if k != "work")
    return PAGE.format(headline=escape(made.headline), told=told, head=head, body=body, style=STYLE, script=SCRIPT)


def _tr(cells: dict[str, Any], names: Sequence[str]) -> str:
    """Return a row; numbers say their value apart from how they are shown."""
    row = "".join(_td(cells.get(name)) for name in names)
    return f'<tr class="{escape(str(cells["status"]))}">{row}</tr>'


def _td(cell: Any) -> str:
    if cell is None:
        return "<td></td>"
    if isinstance(cell, (int, float)):
        shown = decimal(Fraction(str(cell))).partition(" = ")[0]
        return f'<td class="n" data-v="{cell!r}">{escape(shown)}</td>'
    return f"<td>{escape(str(cell))}</td>"


STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#111;background:#fff}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1em}dt{color:#555}dd{margin:0}"
    ".w{overflow:auto;max-height:80vh}table{border-collapse:collapse}td,th{padding:.2em .6em;"
    "border-bottom:1px solid #ddd;text-align:left;vertical-align:top;min-width:3em;max-width:26em}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "td:nth-child(3),td:nth-child(9){min-width:18em}"
    "th{position:sticky;top:0;background:#eee}th button{font:inherit;font-weight:600;border:0;background:none;"
    "padding:0;"
    "text-align:left;cursor:pointer}th[aria-sort=ascending] button::after{content:' ▲'}"
    "th[aria-sort=descending] button::after{content:' ▼'}tr.refused td{background:#fff6dc}"
    "tr.failed td{background:#fde4e1}"
)

SCRIPT = (
    "document.querySelectorAll('th').forEach((th,i)=>th.firstChild.onclick=()=>{"
    "const b=document.querySelector('tbody'),up=th.getAttribute('aria-sort')!='ascending';"
    "const v=r=>{const c=r.cells[i];return c.dataset.v!==undefined?+c.dataset.v:c.textContent};"
    "const e=r=>r.cells[i].textContent==='';"
    "[...b.rows].sort((p,q)=>{if(e(p)||e(q))return e(p)-e(q);const x=v(p),y=v(q);"
    "return (typeof x=='number'&&typeof y=='number'?x-y:String(x).localeCompare(String(y)))*(up?1:-1)})"
    ".forEach(r=>b.append(r));document.querySelectorAll('th').forEach(t=>t.removeAttribute('aria-sort'));"
    "th.setAttribute('aria-sort',up?'ascending':'descending')})"
)

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>torchparity sweep</title>
<style>{style}</style>
</head>
<body>
<h1>torchparity sweep</h1>
<p>{headline}</p>
<dl>{told}</dl>
<p>Measured on random networks, beside what is expected before training; over floor and level in dB. A click on the
head of a column sorts.</p>
<div class="w"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>
<script>{script}</script>
</body>
</html>
"""
