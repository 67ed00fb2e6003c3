"""Citing: the software, a claim of its theory (UA-T5) or a rule (UA101), in the form that a document needs.

What is cited carries its statement, the version that states it, and the article where that is the source.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dspref.arrays import as_choice, complaint, did_you_mean
from dspref.artifacts.rules import RULES, Rule
from dspref.citation import Work, apa, bibtex, citation_document, citation_text, works
from dspref.claims import Claim, claims
from dspref.texwords import tex

__all__ = ["Statement", "cite", "statement", "statements"]

FORMS = ("bibtex", "latex", "md", "rst", "apa", "cff")


@dataclass(frozen=True)
class Statement:
    """A claim or a rule, as it is cited.

    Attributes
    ----------
    id, title, text : str
        The text is whole, with its formula.
    latex : str
        The formula alone; empty where words say it all.
    hypotheses, sources : tuple of str
        What must hold for it, and where it comes from.
    """

    id: str
    title: str
    text: str
    latex: str
    hypotheses: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def noun(self) -> str:
        """What it is: "claim" or "rule"."""
        return "claim" if self.id.startswith("UA-T") else "rule"


def statements() -> dict[str, Statement]:
    """Return all that has an id: claims, then rules.

    Examples
    --------
    >>> list(statements())[:2]
    ['UA-T1', 'UA-T2']
    """
    return {row.id: row for row in (*map(_of_claim, claims()), *map(_of_rule, RULES))}


def statement(id: str) -> Statement:
    """Return one by its id; upper and lower case are one.

    Parameters
    ----------
    id : str
        As "UA-T5" or "UA101".

    Returns
    -------
    Statement

    Raises
    ------
    ValueError
        If nothing has this id; the message says which may have been meant.

    Examples
    --------
    >>> statement("ua101").title
    'Line of a transposed convolution'
    """
    if not isinstance(id, str):
        raise TypeError(complaint("id", repr(id), "an id, as 'UA-T1' or 'UA101'"))
    known, wanted = statements(), id.strip().upper()
    if wanted not in known:
        hint = did_you_mean(wanted, known) or "'dspref claims' and 'dspref rules' list them"
        raise ValueError(complaint("claim or rule", repr(id), "UA-T and a number, or UA and three digits", hint))
    return known[wanted]


def _of_claim(row: Claim) -> Statement:
    return Statement(row.id, _capital(row.title), row.statement, row.latex, row.hypotheses, row.sources)


def _of_rule(row: Rule) -> Statement:
    text = f"{row.what} {row.why} Cure: {row.cure[0].lower()}{row.cure[1:]}"
    return Statement(row.id, _capital(row.title), text, "", (), tuple(row.source.split("; ")))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def cite(*ids: str, form: str = "bibtex") -> str:
    r"""Return what cites the software, or claims and rules by their ids.

    Parameters
    ----------
    *ids : str
        As "UA-T1" or "UA101"; none for the software, and the article that it asks to be cited with it.
    form : str
        "bibtex": entries. "apa": items of a list of references. "cff": a file of the Citation File Format. "latex",
        "md", "rst": of each id a paragraph that is ready to be used, with formula, hypotheses and sources (in LaTeX
        with ``\bibitem``); of the software a sentence.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the form is none of these, or nothing has this id.

    Examples
    --------
    >>> print(cite("UA-T14", form="latex").splitlines()[1])
    \[ |H(\nu)| = 1 \]
    >>> print(cite("UA-T14", form="apa").strip())
    The dspref maintainers. (n.d.). UA-T14: Stretch alone leaves every image at 0 dB [Claim]. In dspref (Version 0.1.0).
    """
    as_choice("form", form, FORMS)
    chosen = tuple(dict.fromkeys(map(statement, ids)))
    if form == "cff":
        return _cff(chosen)
    cited = _cited(chosen)
    if form in ("bibtex", "apa"):
        return "\n\n".join((bibtex if form == "bibtex" else apa)(work) for work in cited) + "\n"
    said = "\n\n".join(PARAGRAPHS[form](row) for row in chosen) or SENTENCES[form](cited)
    items = "\n".join(f"\\bibitem{{{work.key}}} {tex(apa(work))}" for work in cited) if form == "latex" else ""
    return f"{said}\n" + (f"\n{items}\n" if items else "")


def _cited(chosen: tuple[Statement, ...]) -> tuple[Work, ...]:
    """Return the works: the statements and their sources that are works, each once; of nothing chosen, all works."""
    return (*map(_work, chosen), *sources_of(*chosen)) if chosen else works()


def sources_of(*chosen: Statement) -> tuple[Work, ...]:
    """Return the works cited with the software that are sources of a statement.

    Examples
    --------
    >>> [work.key for work in sources_of(statement("UA-T2"))], sources_of(statement("UA-T20"))
    (['pons2021upsampling'], ())
    """
    named = " ".join(source for row in chosen for source in row.sources)
    return tuple(work for work in works()[1:] if work.arxiv and work.arxiv in named)


def _work(row: Statement) -> Work:
    """Return a statement as a work: part of the software, by its authors."""
    software = works()[0]
    return Work(
        key=f"{software.key}:{row.id}",
        kind=row.noun,
        title=f"{row.id}: {row.title}",
        authors=software.authors,
        year=software.year,
        within=software.key,
        version=software.version,
        url=software.url,
        note=row.text,
    )


def _cff(chosen: tuple[Statement, ...]) -> str:
    """Return the file itself, or one whose references begin with what was chosen."""
    if not chosen:
        return citation_text()
    import yaml

    document = citation_document()
    known = dict(zip((work.key for work in works()[1:]), document["references"], strict=True))
    rows = [*map(_reference, chosen), *(known[work.key] for work in sources_of(*chosen))]
    return str(yaml.safe_dump({**document, "references": rows}, sort_keys=False, allow_unicode=True, width=100))


def _reference(row: Statement) -> dict[str, Any]:
    document = citation_document()
    title = f"{row.id}: {row.title}"
    return {
        "type": "generic",
        "title": title,
        "authors": document["authors"],
        "collection-title": document["title"],
        "version": document["version"],
        "notes": row.text,
    }


def _paragraph(row: Statement, escaped: Callable[[str], str], bold: str, display: str, end: str) -> str:
    """Return the parts of a paragraph in one markup: bold title, text, displayed formula, and where it is from."""
    head = f"{bold.format(escaped(f'{row.id}. {row.title}.'))} {escaped(row.text)}"
    holds = f"It holds for: {escaped('; '.join(row.hypotheses))}. " if row.hypotheses else ""
    formula = display.format(row.latex) if row.latex else " " if not holds else "\n\n"
    return f"{head}{formula}{holds}{end}"


def origin(row: Statement) -> str:
    """Return where a statement is from, in brackets: version, id, sources.

    Examples
    --------
    >>> origin(statement("UA-T14"))
    '(dspref 0.1.0, claim UA-T14; J. O. Smith, Mathematics of the DFT (stretch))'
    """
    return f"({works()[0].key} {works()[0].version}, {row.noun} {row.id}; {'; '.join(row.sources)})"


def _markdown(row: Statement) -> str:
    return _paragraph(row, in_markdown, "**{}**", "\n\n$${}$$\n\n", in_markdown(origin(row)))


def _restructured(row: Statement) -> str:
    return _paragraph(row, in_rst, "**{}**", "\n\n.. math:: {}\n\n", in_rst(origin(row)))


def _latex(row: Statement) -> str:
    keys = ",".join(work.key for work in _cited((row,)))
    others = "; ".join(source for source in row.sources if not any(work.arxiv in source for work in works()[1:]))
    end = f"Source: {tex(others)}~\\cite{{{keys}}}." if others else f"See~\\cite{{{keys}}}."
    return _paragraph(row, tex, "\\textbf{{{}}}", "\n\\[ {} \\]\n", end)


def in_markdown(words: str) -> str:
    r"""Return words in which Markdown finds nothing to mark.

    Examples
    --------
    >>> print(in_markdown("h * x of `a`, c_k"))
    h \* x of \`a\`, c_k
    """
    return re.sub(r"([\\`*<$]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", words)


def in_rst(words: str) -> str:
    r"""Return words in which reStructuredText finds nothing to mark.

    Examples
    --------
    >>> print(in_rst("|c_k| of h_, C_in"))
    \|c_k\| of h\_, C_in
    """
    return re.sub(r"([\\`*|]|_(?![^\W_]))", r"\\\1", words)


PARAGRAPHS: dict[str, Callable[[Statement], str]] = {"latex": _latex, "md": _markdown, "rst": _restructured}
SENTENCES: dict[str, Callable[[tuple[Work, ...]], str]] = {
    "latex": lambda cited: f"dspref {works()[0].version}~\\cite{{{','.join(work.key for work in cited)}}}.",
    "md": lambda cited: "\n\n".join(in_markdown(apa(work)) for work in cited),
    "rst": lambda cited: "\n\n".join(in_rst(apa(work)) for work in cited),
}
"""How each markup says a statement, and the software."""
