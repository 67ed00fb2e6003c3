"""docs/paper.md from docs/paper.toml: ``python -m tests.paper.page`` writes it.

Every sentence of the article that claims something, with the equation, the function, the test and the figure.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dspref.cite import statement

DOCS = Path(__file__).resolve().parents[2] / "docs"

VERDICTS = {
    "holds": "It holds.",
    "more": "It holds, and there is more to it.",
    "part": "It holds in part.",
    "slip": "A slip of the pen.",
    "reported": "Reported, not computed.",
}
"""What became of a sentence, in words."""

HEAD = """# The article, claim by claim

J. Pons, S. Pascual, G. Cengarle, J. Serrà, [*Upsampling artifacts in neural audio
synthesis*](https://arxiv.org/abs/2010.14356), ICASSP 2021: every sentence that claims something, with the equation that
says it, the function that computes it, the tests that hold it, and the figure that shows it. Sentences are told in our
own words, with a few of the article's in quotation marks; what an equation holds for stands with the claim that it is
linked to. Figure n is made by `dspref figure fign`. What the article leaves open, or has differently, is in the
[notes](notes.md).

"""

TAIL = """
## Sentences without a row

The other {count} sentences claim nothing that could be held against a computation:

{kinds}

Places, as (16.3), are paragraph and sentence of the article's text on the web, captions included, counted as
`docs/paper.toml` says, from which this page is made (`python -m tests.paper.page`). A test counts that no sentence is
left out, and runs the tests that are named here.
"""


@dataclass(frozen=True)
class Row:
    """What the article claims in one sentence or more, and what holds it.

    Attributes
    ----------
    id : str
        P and its number, in the order of the article.
    section, says, quote, verdict, note : str
    at : tuple of str
        The sentences.
    rests, functions, tests, figures : tuple of str
        Ids of claims and rules, dotted names, ids of tests, names of figures.
    """

    id: str
    section: str
    at: tuple[str, ...]
    quote: str
    says: str
    rests: tuple[str, ...]
    functions: tuple[str, ...]
    tests: tuple[str, ...]
    figures: tuple[str, ...]
    verdict: str
    note: str = ""


@cache
def document() -> dict[str, Any]:
    """Return docs/paper.toml as plain data."""
    return tomllib.loads((DOCS / "paper.toml").read_text("utf-8"))


def rows() -> tuple[Row, ...]:
    """Return the rows, numbered."""
    plain: list[dict[str, Any]] = [
        {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()} for row in document()["row"]
    ]
    return tuple(Row(id=f"P{n}", **row) for n, row in enumerate(plain, 1))


def page() -> str:
    """Return docs/paper.md."""
    parts, section = [HEAD + summary()], ""
    for row in rows():
        if row.section != section:
            section = row.section
            parts.append(f"\n## {section}\n")
        parts.append(told(row))
    silent = document()["silent"]
    kinds = "\n".join(f"- {kind}: {', '.join(places)}" for kind, places in silent.items())
    return "\n".join(parts) + TAIL.format(count=sum(map(len, silent.values())), kinds=kinds)


def summary() -> str:
    """Return how many rows have which verdict."""
    counts = Counter(row.verdict for row in rows())
    lines = "\n".join(f"| {words} | {counts[verdict]} |" for verdict, words in VERDICTS.items())
    return f"| {len(rows())} claims of the article | |\n|---|---|\n{lines}\n"


def told(row: Row) -> str:
    """Return a row as a paragraph, and a list of what holds it."""
    note = f" {row.note}" if row.note else ""
    lines = [f"**{row.id}.** {row.says} — “{row.quote}” ({', '.join(row.at)}). *{VERDICTS[row.verdict]}*{note}\n"]
    named = {
        "equation": [equation(id) for id in row.rests],
        "function": [f"`{name}`" for name in row.functions],
        "test": [told_test(test) for test in row.tests],
        "figure": [figure(name) for name in row.figures],
    }
    return "\n".join(lines + [f"- {name}: {', '.join(what)}" for name, what in named.items() if what]) + "\n"


def equation(id: str) -> str:
    """Return a link to a claim or rule, with its formula if it is short."""
    latex = statement(id).latex
    return f"[{id}](#{id.lower()})" + (f" ${latex}$" if latex and len(latex) < 50 else "")


def told_test(id: str) -> str:
    """Return a test by its name in words, which a page can break into lines, and its file."""
    file, _, name = id.partition("::")
    return f"*{name.removeprefix('test_').replace('_', ' ') or 'all of it'}* (`{file}`)"


def figure(name: str) -> str:
    """Return a figure in words."""
    return "Table 1 ([sizes](table1.md))" if name == "table1" else f"Fig. {name.removeprefix('fig')}"


if __name__ == "__main__":
    (DOCS / "paper.md").write_text(page(), "utf-8")
