"""Exact numbers as text, and tables that fit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspref.tables import WIDTH, decimal, hertz, table, text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Fraction(0), "0 Hz"),
        (Fraction(8000), "8000 Hz"),
        (Fraction(11025, 2), "5512.5 Hz"),
        (Fraction(22050, 256), "86.1328125 Hz"),
        (Fraction(16000, 3), "16000/3 Hz = 5333.33… Hz"),
        (Fraction(2, 3), "2/3 Hz = 0.66… Hz"),
        (Fraction(10**20), f"{10**20} Hz"),
    ],
)
def test_frequencies_print_exactly(value: Fraction, words: str) -> None:
    assert hertz(value) == words


@given(st.integers(0, 10**9), st.integers(0, 12), st.integers(0, 6))
def test_finite_decimals_are_the_number(n: int, twos: int, fives: int) -> None:
    value = Fraction(n, 2**twos * 5**fives)
    assert Fraction(decimal(value)) == value


@given(st.integers(1, 10**9), st.sampled_from([3, 7, 11, 3**9]))
def test_other_numbers_are_cut_not_rounded(n: int, by: int) -> None:
    value = Fraction(n, by)
    exact, _, cut = decimal(value).partition(" = ")
    assert Fraction(exact) == value
    if cut:
        assert 0 < value - Fraction(cut.removesuffix("…")) < Fraction(1, 100)


def test_wide_tables_are_folded_to_the_width() -> None:
    page = text(table("", ["words", ">n"], [["long " * 60, 1], ["x" * 200, 2]]), "word " * 40)
    assert max(len(line) for line in page.splitlines()) <= WIDTH
    assert page.count("x") == 200


def test_markup_in_words_is_no_markup() -> None:
    assert text("[bold]a[/bold]", table("", ["c"], [["[red]x"]])) == "[bold]a[/bold]\nc\n──────\n[red]x\n"


def test_text_has_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in text(table("Title", ["c"], [["x"]]), "words")
