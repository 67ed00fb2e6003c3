"""Citations: valid in their formats, one and the same everywhere, and all from CITATION.cff."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import asdict
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any

import docutils.core
import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt

import dspref
from dspref import citation
from dspref.cite import FORMS, Statement, cite, in_markdown, in_rst, origin, statement, statements
from dspref.cli import dspref as command
from tests.bibtex import entries, plain

ROOT = Path(__file__).resolve().parents[2]
CFF: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))

PERSON = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"family-names": {"type": "string"}, "given-names": {"type": "string"}, "orcid": {"type": "string"}},
}
ENTITY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {"name": {"type": "string"}},
}
AUTHORS = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"anyOf": [PERSON, ENTITY]}}
TEXT = {"type": "string", "minLength": 1}
IDENTIFIER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "value"],
    "properties": {"type": {"enum": ["doi", "url", "swh", "other"]}, "value": TEXT, "description": TEXT},
}
SHARED = {
    "authors": AUTHORS,
    "title": TEXT,
    "abstract": TEXT,
    "version": {"type": ["string", "number"]},
    "license": {"enum": ["MIT"]},
    "url": {"type": "string", "pattern": "^(https|http)://.+"},
    "identifiers": {"type": "array", "minItems": 1, "items": IDENTIFIER},
    "keywords": {"type": "array", "minItems": 1, "uniqueItems": True, "items": TEXT},
    "date-released": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
}
REFERENCE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["authors", "title", "type"],
    "properties": {
        **SHARED,
        "type": {"enum": ["article", "book", "conference-paper", "generic", "software"]},
        "year": {"type": ["integer", "string"]},
        "collection-title": TEXT,
        "conference": ENTITY,
        "notes": TEXT,
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["authors", "cff-version", "message", "title"],
    "properties": {
        **SHARED,
        "cff-version": {"const": "1.2.0"},
        "message": TEXT,
        "type": {"enum": ["software", "dataset"]},
        "references": {"type": "array", "minItems": 1, "uniqueItems": True, "items": REFERENCE},
    },
}
"""The keys of the Citation File Format 1.2.0 that we use, as its schema has them."""


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(command, ["cite", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_file_is_valid_and_says_this_version() -> None:
    jsonschema.validate(CFF, SCHEMA)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert str(CFF["version"]) == project["version"] == dspref.__version__
    assert CFF["license"] == project["license"]


@pytest.mark.parametrize(
    "change",
    [{"authors": []}, {"cff-version": "1.1.0"}, {"journal": "x"}, {"references": [{"title": "x", "type": "article"}]}],
)
def test_an_invalid_file_is_noticed(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**CFF, **change}, SCHEMA)


def test_bibtex_and_the_file_say_the_same() -> None:
    software, article = (entries(cite())[key] for key in ("dspref", "pons2021upsampling"))
    assert plain(software["title"]) == CFF["title"]
    assert plain(software["author"]) == CFF["authors"][0]["name"]
    assert software["version"] == str(CFF["version"])
    (due,) = CFF["references"]
    assert plain(article["title"]) == due["title"]
    assert plain(article["author"]).split(" and ") == [
        f"{a['family-names']}, {a['given-names']}" for a in due["authors"]
    ]
    assert article["year"] == str(due["year"])
    assert f"arXiv:{article['eprint']}" == due["identifiers"][0]["value"]
    assert article["entrytype"] == "inproceedings"
    assert article["booktitle"] == due["conference"]["name"]


@pytest.mark.parametrize("id", statements())
def test_every_claim_and_rule_is_valid_bibtex_that_agrees_with_the_file(id: str) -> None:
    row = statement(id)
    found = entries(cite(id))
    own = found.pop(f"dspref:{id}")
    assert plain(own["author"]) == CFF["authors"][0]["name"]
    assert own["version"] == str(CFF["version"])
    assert own["title"].startswith(f"{{{id}: ")
    assert len(own["note"]) >= len(row.text) // 2
    in_article = "2010.14356" in " ".join(row.sources)
    assert list(found) == (["pons2021upsampling"] if in_article else [])
    if in_article:
        assert found["pons2021upsampling"] == entries(cite())["pons2021upsampling"]


def test_all_in_one_bibliography() -> None:
    found = entries(cite(*statements()))
    assert set(found) == {f"dspref:{id}" for id in statements()} | {"pons2021upsampling"}
    assert cite(*statements()).isascii()


def test_another_parser_reads_the_same() -> None:
    """pybtex, which sphinxcontrib-bibtex brings."""
    pybtex = pytest.importorskip("pybtex.database")
    text = cite(*statements())
    read = pybtex.parse_string(text, "bibtex").entries
    assert {key: dict(entry.fields) for key, entry in read.items()} == {
        key: {k: v for k, v in fields.items() if k not in ("author", "entrytype")}
        for key, fields in entries(text).items()
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@misc{a,\n  title = {x},\n}\n@misc{a,\n  title = {x},\n}", "two entries a"),
        ("@misc{a,\n  title = {x, {y}\n", "a brace is not closed"),
        ("@misc{a,\n  title = {x}\n}", "no comma behind title"),
        ("@misc{a b,\n  title = {x},\n}", "no entry"),
        ("@misc{a,\n  title = x,\n}", "no field"),
        ("@misc{a,\n  title = {x},\n  title = {x},\n}", "or a second one"),
        ("some words", "no entry"),
    ],
)
def test_what_is_no_bibtex_is_noticed(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        entries(text)


def test_cff_of_ids_is_a_valid_file_with_them_and_their_sources() -> None:
    assert cite(form="cff") == (ROOT / "CITATION.cff").read_text("utf-8")
    made = yaml.safe_load(cite("UA-T2", "UA101", "UA-T20", form="cff"))
    jsonschema.validate(made, SCHEMA)
    assert {k: v for k, v in made.items() if k != "references"} == {k: v for k, v in CFF.items() if k != "references"}
    titles = [row["title"].partition(":")[0] for row in made["references"]]
    assert titles == ["UA-T2", "UA101", "UA-T20", "Upsampling artifacts in neural audio synthesis"]
    assert made["references"][-1] == CFF["references"][0]
    assert [row["notes"] for row in made["references"][:3]] == [
        statement(id).text for id in ("UA-T2", "UA101", "UA-T20")
    ]


def shown(nodes: Any) -> str:
    """Return the text of docutils nodes, formulas apart."""
    return " ".join(node.astext().replace("\n", " ") for node in nodes.findall() if node.tagname == "paragraph")


def said(row: Statement) -> str:
    """Return what a paragraph says in words, formula apart."""
    holds = f"It holds for: {'; '.join(row.hypotheses)}. " if row.hypotheses else ""
    return f"{row.id}. {row.title}. {row.text} {holds}{origin(row)}"


def test_paragraphs_in_restructured_text_say_every_word_and_no_more() -> None:
    """As docutils reads them: nothing in a statement is taken for markup."""
    quiet = {"report_level": 1, "halt_level": 2}
    for row in statements().values():
        document = docutils.core.publish_doctree(cite(row.id, form="rst"), settings_overrides=quiet)
        assert shown(document) == said(row)
        formulas = [node.astext() for node in document.findall() if node.tagname == "math_block"]
        assert formulas == ([row.latex] if row.latex else [])


def test_paragraphs_in_markdown_say_every_word_and_no_more() -> None:
    """As markdown-it reads them."""
    for row in statements().values():
        tokens = MarkdownIt().parse(re.sub(r"\$\$.*\$\$\n", "", cite(row.id, form="md")))
        words = "".join(child.content for token in tokens for child in token.children or [])
        assert words.replace(" ", "") == said(row).replace(" ", "")
        assert {token.type for token in tokens} == {"paragraph_open", "inline", "paragraph_close"}
        assert cite(row.id, form="md").count("$$") == (2 if row.latex else 0)


@pytest.mark.parametrize("words", ["a * b * c", "|x| and |y|", "`f` of x_", "\\alpha", "x <b> y", "__init__"])
def test_words_that_look_like_markup_stay_words(words: str) -> None:
    read = MarkdownIt().parse(in_markdown(words))[1].children or []
    assert [child.type for child in read if child.type != "text_special"] == ["text"] * len(read)
    assert "".join(child.content for child in read) == words
    assert shown(docutils.core.publish_doctree(in_rst(words), settings_overrides={"halt_level": 2})) == words


def test_latex_cites_what_it_lists() -> None:
    for id in (None, "UA-T2", "UA-T20", "UA103"):
        text = cite(*([id] if id else []), form="latex")
        (cited,) = re.findall(r"\\cite\{(.*)\}", text)
        assert cited.split(",") == re.findall(r"\\bibitem\{(.*?)\}", text)
        assert text.partition("\\[")[0].isascii()


def test_apa() -> None:
    software, article = cite(form="apa").strip().split("\n\n")
    assert software.endswith(f"(Version {dspref.__version__}) [Computer software].")
    assert article == (
        "Pons, J., Pascual, S., Cengarle, G., & Serrà, J. (2021). Upsampling artifacts in neural audio synthesis. "
        "In ICASSP. https://arxiv.org/abs/2010.14356"
    )


@pytest.mark.parametrize("form", FORMS)
def test_ids_are_case_blind_and_told_once(form: str) -> None:
    assert cite("ua-t2", " UA-T2 ", "UA-T2", form=form) == cite("UA-T2", form=form)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("UA-T99",),
            "Error: claim or rule: got 'UA-T99'; allowed: UA-T and a number, or UA and three digits. Hint: did",
        ),
        (("UA-Z",), "Hint: did you mean 'UA-T"),
        (("zebra",), "Hint: 'dspref claims' and 'dspref rules' list them."),
        (("UA-T1", "--all"), "ids: got --all and UA-T1; allowed: one or the other"),
        (("UA-T1", "-o", "/nowhere/x.bib"), "output: got /nowhere/x.bib, in no directory"),
        (("UA-T1", "--format", "word"), "'word' is not one of 'bibtex', 'latex', 'md', 'rst', 'apa', 'cff'"),
    ],
)
def test_the_command_refuses_with_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_other_than_text_is_refused() -> None:
    with pytest.raises(TypeError, match="id: got 1; allowed: an id"):
        statement(1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"form: got 'bibtx'; allowed: bibtex, .* Hint: did you mean 'bibtex'"):
        cite(form="bibtx")


def test_the_command_says_what_the_function_says(tmp_path: Path) -> None:
    for form in FORMS:
        assert run("UA-T5", "UA101", "--format", form) == (0, cite("UA-T5", "UA101", form=form), "")
    assert run() == (0, cite(), "")
    assert run("--all", "-o", str(tmp_path / "all.bib"))[0] == 0
    assert (tmp_path / "all.bib").read_text("utf-8") == cite(*statements())
    assert list(tmp_path.iterdir()) == [tmp_path / "all.bib"]


def test_installed_packages_read_the_file_from_their_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As setuptools writes it from this pyproject.toml: the same text, and so the same citations."""
    tree = tmp_path / "tree"
    for name in ("pyproject.toml", "LICENSE", "CITATION.cff", "README.md"):
        tree.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tree)
    (tree / "dspref").mkdir()
    build = "from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel('..'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.glob("*.dist-info")
    due = cite("UA-T2", form="cff")
    monkeypatch.setattr(citation, "TREE", tmp_path / "site-packages")
    monkeypatch.setattr(citation, "distribution", lambda name: PathDistribution(made))
    assert citation.citation_text() == (ROOT / "CITATION.cff").read_text("utf-8")
    citation.works.cache_clear()
    assert cite("UA-T2", form="cff") == due
    assert [asdict(work)["key"] for work in citation.works()] == ["dspref", "pons2021upsampling"]


def test_a_package_without_the_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bare(name: str) -> Distribution:
        return PathDistribution(tmp_path)

    monkeypatch.setattr(citation, "TREE", tmp_path)
    monkeypatch.setattr(citation, "distribution", bare)
    with pytest.raises(ValueError, match=r"got none; allowed: the file that comes with dspref\. Hint: install dspref"):
        cite(form="cff")
