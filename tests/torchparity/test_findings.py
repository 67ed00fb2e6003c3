"""What was found in others' code is still so, or is told; and the page says what the table says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from torchparity import findings as table
from torchparity.findings import FINDINGS, Finding, load, page, rerun
from torchparity.findings_command import findings

DOCS = Path(__file__).resolve().parents[2] / "docs" / "findings.md"
SUMS = Finding(
    "sums", "Tenths", "numpy", "2.4.6", "Rounded.", "print(0.1 + 0.2)", "0.30000000000000004", "0.3", "adding"
)
FIXED = replace(SUMS, id="fixed", code="print(0.3)")
CHANGED = replace(SUMS, id="changed", code="print(0.4)")
MISSING = replace(SUMS, id="missing", library="nosuchlibrary")


def test_the_page_says_what_the_table_says() -> None:
    assert DOCS.read_text("utf-8") == page(FINDINGS), "python -m torchparity.findings > docs/findings.md"


@pytest.mark.parametrize("row", FINDINGS, ids=lambda row: str(row.id))
def test_every_finding_is_seen_on_the_pinned_version(row: Finding, show: Callable[[str], None]) -> None:
    result = rerun(row)
    show(f"{row.id}, {row.library} {result.version}: {result.words}")
    if row.cpu not in ("", torch.backends.cpu.get_cpu_capability()):
        assert result.status == "not run"
        pytest.skip(result.answer)
    assert (result.status, result.version.partition("+")[0]) == ("seen", row.version), result.answer


@pytest.mark.parametrize("row", FINDINGS, ids=lambda row: str(row.id))
def test_rows_are_whole_and_their_lines_can_be_pasted(row: Finding) -> None:
    assert all([row.title, row.text, row.wrong, row.due, row.how])
    assert row.wrong != row.due
    assert "\n" not in row.code
    assert shlex.split(row.line) == ["python", "-c", row.code]
    assert f"    {row.line}\n" in DOCS.read_text("utf-8")


FAILS = replace(SUMS, id="fails", code='import sys; raise ValueError("no way")', wrong="ValueError: no", due="1")

STATUSES = {
    "seen": (SUMS, "seen", "0.30000000000000004"),
    "fixed": (FIXED, "fixed", "0.3"),
    "changed": (CHANGED, "changed", "0.4"),
    "a package is missing": (MISSING, "not run", "nosuchlibrary not installed"),
    "two are": (replace(MISSING, needs=("click", "northis")), "not run", "nosuchlibrary and northis not installed"),
    "an error": (FAILS, "seen", "ValueError: no way"),
    "another error": (replace(FAILS, wrong="TypeError:"), "changed", "ValueError: no way"),
    "an error no more": (replace(FAILS, code="print(1)"), "fixed", "1"),
    "no error, but its words": (replace(FAILS, code='print("ValueError: no way")'), "changed", "ValueError: no way"),
    "silence": (replace(SUMS, code="pass"), "changed", ""),
    "killed": (replace(SUMS, code="import os; os.kill(os.getpid(), 9)"), "changed", ""),
}


@pytest.mark.parametrize("name", STATUSES)
def test_the_status_of_a_line(name: str) -> None:
    row, status, answer = STATUSES[name]
    result = rerun(row)
    assert (result.status, result.answer) == (status, answer)


def test_a_line_that_takes_too_long_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "LIMIT", 0.2)
    result = rerun(replace(SUMS, code="import time; time.sleep(60)"))
    assert result.words == "not run (it took more than 0.2 s)"


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        ([SUMS], 0, "sums  numpy 2.4.6: seen\n"),
        (
            [SUMS, MISSING],
            0,
            "sums     numpy 2.4.6: seen\nmissing  nosuchlibrary : not run (nosuchlibrary not installed)\n",
        ),
        ([SUMS, FIXED], 1, "sums   numpy 2.4.6: seen\nfixed  numpy 2.4.6: fixed (now 0.3)\n"),
        ([CHANGED], 1, "changed  numpy 2.4.6: changed (now 0.4)\n"),
    ],
)
def test_the_command_says_what_is_still_so(
    monkeypatch: pytest.MonkeyPatch, rows: list[Finding], code: int, words: str
) -> None:
    monkeypatch.setattr(table, "FINDINGS", tuple(rows))
    monkeypatch.setattr(table, "_version", lambda name: "2.4.6" if name == "numpy" else "")
    ended = CliRunner().invoke(findings)
    assert (ended.exit_code, ended.stdout) == (code, words)


def test_one_row_as_json_and_markdown_and_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(table, "FINDINGS", (SUMS, FIXED))
    ended = CliRunner().invoke(findings, ["--only", "sums", "--format", "json"])
    (row,) = json.loads(ended.stdout)["findings"]
    assert (row["id"], row["status"], row["due"]) == ("sums", "seen", "0.3")
    assert json.loads(ended.stdout)["schema"] == "torchparity.findings/1"
    file = tmp_path / "now.md"
    ended = CliRunner().invoke(findings, ["--format", "md", "-o", str(file)])
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert file.read_text("utf-8").splitlines()[2].startswith("| sums | Tenths | numpy ")
    assert file.read_text("utf-8").endswith("| fixed (now 0.3) |\n")


def test_an_unknown_row_is_refused_in_words() -> None:
    ended = CliRunner().invoke(findings, ["--only", "nearest-fare"])
    assert ended.exit_code == 2
    assert "--only: got 'nearest-fare'" in ended.stderr
    assert "did you mean 'nearest-far'?" in ended.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[finding]]\nid = "a"', "missing .* required"),
        ('[[finding]]\nid = "a"\nidea = "b"', "unexpected keyword argument 'idea'"),
        (2 * "[[finding]]\n" + "", "missing"),
    ],
)
def test_rows_that_are_not_whole_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load(text)


def test_an_id_may_stand_once_only() -> None:
    row = "[[finding]]\n" + "".join(
        f"{k} = '1'\n" for k in ("id", "title", "library", "version", "text", "code", "wrong", "due", "how")
    )
    assert len(load(row)) == 1
    with pytest.raises(ValueError, match="got '1' twice"):
        load(row + row)
