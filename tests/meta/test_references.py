"""docs/references.bib is valid and has what the code cites, and nothing else; and that this check can fail."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from dspref.artifacts.rules import RULES
from dspref.citation import works
from dspref.claims import claims
from tests.bibtex import entries, plain

ROOT = Path(__file__).resolve().parents[2]
BIB = entries((ROOT / "docs" / "references.bib").read_text("utf-8"))
WORK = re.compile(r"arXiv \d{4}\.\d{5}|(?<!\d)(19|20)\d\d(?!\d)|\b[A-Z]\. [A-Z]")
"""What a source has that is a work: a year, a number of arXiv, or initials."""


def sections() -> Iterator[str]:
    """Yield the References sections of all docstrings, and the sources of claims and rules."""
    for path in sorted([*ROOT.glob("dspref/**/*.py"), *ROOT.glob("torchparity/**/*.py")]):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if "References\n" in text else ():
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                parts = re.split(r"References\n\s*-+\n", ast.get_docstring(node) or "")[1:]
                yield from (re.split(r"\n\n\w+\n-+\n", part)[0] for part in parts)
    for row in claims():
        yield from (source for source in row.sources if WORK.search(source))
    for rule in RULES:
        yield from (source for source in rule.source.split("; ") if WORK.search(source))


def names(entry: Mapping[str, str]) -> list[str]:
    """Return how the code names a work."""
    return plain(entry["keywords"]).split("; ")


def faults(bib: Mapping[str, Mapping[str, str]], cited: Iterable[str]) -> list[str]:
    """Return works that are not cited, and what is cited and is none of the works."""
    texts = [" ".join(text.split()) for text in cited]
    known = [name for entry in bib.values() for name in names(entry)]
    found = [f"{key} is cited nowhere" for key, e in bib.items() if not any(n in t for n in names(e) for t in texts)]
    return found + [f"no work in {text!r}" for text in texts if not any(name in text for name in known)]


def test_works_are_those_that_the_code_cites() -> None:
    assert faults(BIB, sections()) == []
    assert len(BIB) > 20


def test_the_article_is_as_in_the_citation_file() -> None:
    article = works()[1]
    assert plain(BIB[article.key]["title"]) == article.title
    assert plain(BIB[article.key]["author"]) == " and ".join(f"{a}, {b}" for a, b in article.authors)
    assert (BIB[article.key]["year"], BIB[article.key]["eprint"]) == (article.year, article.arxiv)


@pytest.mark.parametrize("key", BIB)
def test_an_entry_has_what_its_type_asks_for(key: str) -> None:
    entry = BIB[key]
    due = {"article": ["journal", "year"], "inproceedings": ["booktitle", "year"], "book": ["publisher", "year"]}
    assert all(entry.get(name) for name in ("author", "title", *due.get(entry["entrytype"], ["url"])))
    assert ("eprint" in entry) == ("archiveprefix" in entry)


def test_what_does_not_belong_together_is_found() -> None:
    bib = {"a2000": {"keywords": "A. Author"}, "b2001": {"keywords": "1234.56789; B. Other"}}
    assert faults(bib, ["A. Author, 2000", "arXiv 1234.56789"]) == []
    assert faults(bib, ["B.\n   Other"]) == ["a2000 is cited nowhere"]
    assert faults(bib, ["A. Author", "B. Other", "C. Third, 1999"]) == ["no work in 'C. Third, 1999'"]
