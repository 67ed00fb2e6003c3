"""Pages about citing and about the article: current, and complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dspref.cite import FORMS, cite, statements
from dspref.cli import dspref
from tests.paper.page import Row, rows

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_paragraphs_is_current() -> None:
    head, _, told = (DOCS / "paragraphs.md").read_text("utf-8").partition("prints.\n\n")
    assert told == cite(*statements(), form="md"), "run: dspref cite --all --format md"
    assert "dspref cite --all --format md" in head


def commands(page: str) -> list[tuple[str, str]]:
    """Return the commands of a page's console blocks, each with the output that is shown."""
    blocks = re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def test_the_commands_of_the_page_on_citing_print_what_it_shows() -> None:
    page = (DOCS / "cite.md").read_text("utf-8")
    for command, shown in commands(page):
        name, *arguments = command.split()
        done = CliRunner().invoke(dspref, arguments)
        assert (name, done.exit_code, done.output) == ("dspref", 0, shown)
    assert len(commands(page)) == page.count("\n$ ") == 3
    assert all(f"`{form}`" in page for form in FORMS)


def unsaid(told: tuple[Row, ...], notes: str) -> list[str]:
    """Return rows that the notes should speak of and do not, and rows that they speak of and are not there."""
    named = set(re.findall(r"\bP\d+\b", notes)) - {"P1", "P2"}  # "P1, P2, …" says how rows are called
    due = {row.id for row in told if row.verdict in ("part", "slip", "reported")}
    return sorted(due - named) + sorted(f"{id} is no row" for id in named - {row.id for row in told})


def test_the_notes_speak_of_all_that_is_not_as_the_article_says() -> None:
    notes = (DOCS / "notes.md").read_text("utf-8")
    assert unsaid(rows(), notes) == []
    assert unsaid(rows(), notes.replace("P48", "P99")) == ["P48", "P99 is no row"]


def test_the_notes_point_at_rows_that_say_so() -> None:
    """A word of each row beside its number, so that numbers that shift are noticed."""
    known = {row.id: f"{row.says} {row.note}".lower() for row in rows()}
    words = {
        "P23": "caption",
        "P48": "multiples",
        "P14": "stride",
        "P15": "constant",
        "P22": "stride of 1",
        "P36": "sinc",
    }
    words |= {
        "P41": "overlap",
        "P32": "noise",
        "P67": "noise",
        "P54": "altogether",
        "P35": "align_corners",
        "P38": "null",
    }
    words |= {"P27": "pooling", "P28": "hop", "P31": "shift", "P9": "one condition", "P53": "one and the same"}
    words |= {"P55": "12 to 34 db", "P66": "silence", "P63": "3 taps", "P64": "nine of ten", "P65": "0.73 db"}
    words |= {"P56": "floor", "P29": "images"}
    assert {id: words[id] in known[id] for id in words} == dict.fromkeys(words, True)
    named = set(re.findall(r"\bP\d+\b", (DOCS / "notes.md").read_text("utf-8"))) - {"P1", "P2"}
    assert named == set(words)


@pytest.mark.parametrize("name", ["glossary.md", "notes.md", "cite.md", "paper.md", "references.md", "paragraphs.md"])
def test_links_between_pages_lead_somewhere(name: str) -> None:
    page = (DOCS / name).read_text("utf-8")
    assert [link for link in re.findall(r"\]\(([\w/.]+\.\w+)\)", page) if not (DOCS / link).is_file()] == []
    ids = {id.lower() for id in statements()}
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= ids


def test_terms_that_the_glossary_uses_are_in_it_once_and_in_order() -> None:
    page = (DOCS / "glossary.md").read_text("utf-8")
    terms = re.findall(r"^(\S.*)\n    \S", page, re.MULTILINE)
    assert terms == sorted(terms, key=str.lower)
    assert len(terms) == len(set(terms)) > 40
    assert set(re.findall(r"\{term\}`(.+?)`", page)) <= set(terms)
