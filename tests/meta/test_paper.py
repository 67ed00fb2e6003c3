"""docs/paper.md leaves no sentence of the article out, and what it names is there; and that this check can fail.

That the tests it names pass is seen in test_claims.py, in one run with those of the claims.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dspref.cite import statements
from tests.meta.names import exists
from tests.paper.page import DOCS, VERDICTS, Row, document, page, rows

FIGURES = {*(f"fig{n}" for n in range(1, 10)), "table1"}


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Return the tests that a file defines; of no file, none."""
    if not path.is_file():
        return frozenset()
    return frozenset(node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef))


def places(counts: Sequence[int]) -> list[str]:
    """Return all sentences of the article, as "paragraph.sentence"."""
    return [f"{p}.{s}" for p, count in enumerate(counts, 1) for s in range(1, count + 1)]


def gaps(data: dict[str, Any]) -> list[str]:
    """Return sentences that are in no row and not said to claim nothing, or in both, or in neither list of places."""
    silent = [place for kind in data["silent"].values() for place in kind]
    told = {place for row in data["row"] for place in row["at"]}
    every = set(places(data["counts"]))
    found = [f"{place} is in no row" for place in sorted(every - told - set(silent))]
    found += [f"{place} is in a row, and said to claim nothing" for place in sorted(told & set(silent))]
    found += [f"{place} is no sentence" for place in sorted((told | set(silent)) - every)]
    return found + [f"{place} is named {n} times" for place, n in Counter(silent).items() if n > 1]


def faults(row: Row) -> list[str]:
    """Return what a row lacks."""
    found = [f"no {name}" for name in ("section", "at", "quote", "says") if not getattr(row, name)]
    found += [f"no claim or rule {id}" for id in row.rests if id not in statements()]
    found += [f"no {name}" for name in row.functions if not exists(name)]
    for test in row.tests:
        file, _, name = test.partition("::")
        if not (functions_of(DOCS.parent / file) & {name} if name else functions_of(DOCS.parent / file)):
            found.append(f"no test {test}")
    found += [f"no figure {name}" for name in row.figures if name not in FIGURES]
    if row.verdict not in VERDICTS:
        found.append(f"no verdict {row.verdict}")
    if not row.note and row.verdict in ("more", "part", "slip", "reported"):
        found.append("no note")
    if (not row.tests or not row.functions) != (row.verdict == "reported"):
        found.append("no test or function")
    if len(row.quote.split()) > 10:
        found.append("a quote of more than 10 words")
    return [f"{row.id}: {fault}" for fault in found]


def test_every_sentence_has_a_row_or_claims_nothing() -> None:
    assert gaps(document()) == []
    assert len(places(document()["counts"])) > 180


def test_every_row_names_what_is_there() -> None:
    assert [fault for row in rows() for fault in faults(row)] == []


def test_the_page_is_current() -> None:
    assert (DOCS / "paper.md").read_text("utf-8") == page(), "run: python -m tests.paper.page"


PLANTED = {
    "no claim or rule UA-T99": {"rests": ("UA-T99",)},
    "no dspref.whither": {"functions": ("dspref.whither",)},
    "no test tests/paper/test_theory.py::test_t0": {"tests": ("tests/paper/test_theory.py::test_t0",)},
    "no test tests/paper/test_nothing.py": {"tests": ("tests/paper/test_nothing.py",)},
    "no figure fig10": {"figures": ("fig10",)},
    "no verdict true": {"verdict": "true"},
    "no test or function": {"tests": ()},
    "no note": {"verdict": "part", "note": ""},
    "no says": {"says": ""},
    "a quote of more than 10 words": {"quote": "word " * 11},
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_row_that_lacks_something_is_found(fault: str) -> None:
    good = next(row for row in rows() if row.verdict == "holds" and row.figures)
    assert faults(good) == []
    assert faults(replace(good, **PLANTED[fault])) == [f"{good.id}: {fault}"]  # type: ignore[arg-type]


def test_a_sentence_that_is_left_out_is_found() -> None:
    data = {"counts": [2, 1], "silent": {"kind": ["1.1", "1.1"]}, "row": [{"at": ["1.1", "3.1"]}]}
    assert gaps(data) == [
        "1.2 is in no row",
        "2.1 is in no row",
        "1.1 is in a row, and said to claim nothing",
        "3.1 is no sentence",
        "1.1 is named 2 times",
    ]
