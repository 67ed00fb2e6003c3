"""The equations of the explanations and the code: each cites the other, and this can fail."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.equations import PAGES, Equation, citations, documented, equations, numbers, of_page

EQUATIONS = equations()


def test_numbers_are_those_of_the_pages_in_order_and_each_is_there_once() -> None:
    by_page = Counter(equation.page for equation in EQUATIONS)
    assert len(by_page) == 7
    for place, (page, count) in enumerate(by_page.items(), 1):
        assert page.startswith(f"{place}-")
        assert [e.number for e in EQUATIONS if e.page == page] == [f"{place}.{i}" for i in range(1, count + 1)]


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda e: e.number)
def test_what_computes_an_equation_says_so(equation: Equation) -> None:
    assert equation.names, "Computed by ..."
    assert [name for name in equation.names if equation.number not in numbers(documented(name))] == []


def test_every_equation_that_code_cites_is_there() -> None:
    assert not set(citations()) - {equation.number for equation in EQUATIONS}


def test_an_equation_that_nothing_computes_is_seen() -> None:
    page = "$$\na = b \\tag{1.1}\n$$\n\nComputed by `dspref.stretch`.\n\n$$\nc \\tag{1.2}\n$$\n\nWords.\n"
    assert [(e.number, e.names) for e in of_page("1-a.md", page)] == [("1.1", ("dspref.stretch",)), ("1.2", ())]
    assert "1.1" in numbers(documented("dspref.stretch"))
    assert "1.1" not in numbers(documented("dspref.decimate"))


def test_explanations_cite_equations_that_are_there() -> None:
    known = {equation.number for equation in EQUATIONS}
    cited = {number for page in PAGES.glob("*.md") for number in numbers(page.read_text("utf-8"))}
    assert len(cited) > 5
    assert cited <= known
