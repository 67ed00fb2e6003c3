"""Claims: what the theory states, each with its hypotheses, a proof or a source, and the tests that hold it.

The rows stand in ``claims.toml`` beside this file. An id is permanent: a claim that falls is withdrawn in words, its
number is not given again.
"""

from __future__ import annotations

import json
import textwrap
import tomllib
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

from dspref.arrays import complaint, did_you_mean

__all__ = ["Claim", "claim", "claims"]

SCHEMA = "dspref.claims/1"
FORMS = ("text", "json", "md", "latex")
WIDTH = 79


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes
    ----------
    id : str
        ``UA-T`` and a number, for good.
    title, statement : str
        The statement is whole with its formula, in the letters that ``claims.toml`` begins with.
    latex : str
        The formula alone, for papers; empty where words say it all.
    hypotheses : tuple of str
        What must hold for it.
    proof : str
        A sketch, or where a proof can be read.
    sources : tuple of str
    functions : tuple of str
        What computes it: dotted names.
    tests : tuple of str
        What holds it: ids of tests, as pytest has them.
    figure : str
        The figure of the article that shows it, or the drawing of `dspref.claims.drawings`.
    """

    id: str
    title: str
    statement: str
    latex: str
    hypotheses: tuple[str, ...]
    proof: str
    sources: tuple[str, ...]
    functions: tuple[str, ...]
    tests: tuple[str, ...]
    figure: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


@cache
def claims() -> tuple[Claim, ...]:
    """Return every claim, by its number.

    Examples
    --------
    >>> claims()[0].id
    'UA-T1'
    """
    text = resources.files("dspref.claims").joinpath("claims.toml").read_text("utf-8")
    return tuple(_claim(row) for row in tomllib.loads(text)["claim"])


def claim(id: str) -> Claim:
    """Return one claim by its id; upper and lower case are one.

    Parameters
    ----------
    id : str
        As "UA-T5".

    Returns
    -------
    Claim

    Raises
    ------
    ValueError
        If there is none; the message says which may have been meant.

    Examples
    --------
    >>> claim("ua-t4").title
    'whence: who can put a line at f'
    """
    known = {row.id: row for row in claims()}
    wanted = str(id).strip().upper()
    if wanted not in known:
        span = f"{next(iter(known))} … {list(known)[-1]}"
        near = did_you_mean(wanted, known) or "'dspref claims' lists them"
        raise ValueError(complaint("claim", repr(id), span, near))
    return known[wanted]


def _claim(row: dict[str, Any]) -> Claim:
    plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else " ".join(v.split()) for name, v in row.items()}
    return Claim(**plain)


def claims_page() -> str:
    """Return a line of text for each claim."""
    wide = max(len(row.id) for row in claims())
    return "".join(f"{row.id:{wide}}  {row.title}\n" for row in claims())


def claim_page(row: Claim, form: str = "text") -> str:
    """Return one claim as "text", "json", "md" or "latex"."""
    return {"text": _text, "json": _json, "md": _markdown, "latex": _latex}[form](row)


def claims_json() -> str:
    """Return all claims as JSON, schema ``dspref.claims/1``."""
    return _dumped({"schema": SCHEMA, "claims": [row.to_dict() for row in claims()]})


def _json(row: Claim) -> str:
    return _dumped({"schema": SCHEMA, "claims": [row.to_dict()]})


def _dumped(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _text(row: Claim) -> str:
    parts = [("holds if", row.hypotheses), ("proof", (row.proof,)), ("source", row.sources)]
    parts += [("computed by", row.functions), ("tested by", row.tests), ("figure", (row.figure,))]
    head = textwrap.fill(f"{row.id}. {row.title}", WIDTH)
    return "\n".join([head, "", textwrap.fill(row.statement, WIDTH), "", *(_part(*part) for part in parts)]) + "\n"


def _part(name: str, lines: tuple[str, ...]) -> str:
    """Return a row of the page: a name, and what belongs to it, indented."""
    indent = 13 * " "
    filled = [textwrap.fill(line, WIDTH - 13, break_long_words=False, break_on_hyphens=False) for line in lines]
    return f"{name:13}" + textwrap.indent("\n".join(filled), indent)[13:]


def _markdown(row: Claim) -> str:
    formula = f"\n$$ {row.latex} $$\n" if row.latex else ""
    lines = [f"**{row.id}. {row.title}.** {row.statement}\n{formula}"]
    lines += [f"- holds if: {'; '.join(row.hypotheses)}", f"- proof: {row.proof}"]
    lines += [f"- source: {'; '.join(row.sources)}", f"- computed by: {', '.join(f'`{f}`' for f in row.functions)}"]
    return "\n".join([*lines, f"- tested by: {', '.join(f'`{t}`' for t in row.tests)}", f"- figure: {row.figure}", ""])


def _latex(row: Claim) -> str:
    """Return a proposition and its proof, for amsthm; signs of mathematics in words want XeTeX or LuaTeX."""
    formula = f"\n\\[ {row.latex} \\]" if row.latex else ""
    return (
        f"\\begin{{proposition}}[{_escaped(row.id)}: {_escaped(row.title)}]\n{_escaped(row.statement)}{formula}\n"
        f"Hypotheses: {_escaped('; '.join(row.hypotheses))}.\n\\end{{proposition}}\n"
        f"\\begin{{proof}}\n{_escaped(row.proof)}\n\\end{{proof}}\n"
    )


_SPECIAL = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}


def _escaped(words: str) -> str:
    return "".join(_SPECIAL.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in words)
