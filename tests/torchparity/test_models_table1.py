"""Table 1: the article's numbers as printed, ours beside them, and the page that says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from torchparity.models import TABLE_1, table_1

PAGE = Path(__file__).parents[2] / "docs" / "table1.md"

ARTICLE = """
703 319, 716 423, 716 430, 729 311, 703 326, 729 315, 10 -, 648 -, 8.9 -, 3.7 -
"""


def test_the_article_s_numbers_are_those_that_it_prints() -> None:
    assert [f"{row.printed} {row.epoch or '-'}" for row in TABLE_1] == ARTICLE.strip().split(", ")


def test_ours_lie_within_what_is_said() -> None:
    off = {row.network or row.name[:4]: row.difference for row in TABLE_1}
    assert off.pop("Sams") is None
    found = {name: abs(value) for name, value in off.items() if value is not None}
    assert len(found) == 9
    exact = {name for name, value in found.items() if value <= 0.001}
    assert exact == {"demucs-like-transposed", "modified-transposed", "demucs", "Open"}
    assert max(value for name, value in found.items() if name != "wave-u-net") < 0.0025
    assert [row.network for row in TABLE_1 if not row.agrees] == ["demucs-like-subpixel", "modified-subpixel", ""]


@pytest.mark.parametrize(
    ("words", "network", "other"), [("140 thousand", "transposed", ""), ("150 thousand", "subpixel", "")]
)
def test_the_biases_that_are_said_to_be_gone_are_gone(words: str, network: str, other: str) -> None:
    rows = {row.network: row for row in TABLE_1}
    plain, changed = rows[f"demucs-like-{network}"], rows[f"modified-{network}"]
    assert words in changed.why
    assert plain.ours is not None
    assert changed.ours is not None
    assert round((plain.ours - changed.ours) / 1e4) * 10 == int(words.split()[0])


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == table_1(), "run: python -m torchparity.models > docs/table1.md"


def test_sizes_named_in_words_are_the_counted_ones() -> None:
    from tests.torchparity.test_models_article import counted

    said = {int(K): float(size) for row in TABLE_1[1:4] for K, size in re.findall(r"(\d+): (\d+\.\d)M", row.why)}
    kinds = {9: "nearest", 11: "nearest", 2: "subpixel", 3: "subpixel"}
    assert said == {K: round(counted(kind, K) / 1e6, 1) for K, kind in kinds.items()}
