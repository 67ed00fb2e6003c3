"""The command ``torchparity audit`` writes reports in every form, and says a saved one again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from torchparity.audit_command import SUFFIXES
from torchparity.cli import main
from torchparity.report import FORMATS, WRITERS

DECODER = """
from torch import nn

def make():
    return nn.Sequential(nn.ConvTranspose1d(2, 1, 4, 2, 1))
"""

FILES = [f"a{suffix}" for suffix in SUFFIXES if suffix != ".png"]  # slow, and written in test_audit_command


def audit(*words: str) -> Result:
    return CliRunner().invoke(main, ["audit", *words])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("reports")
    (folder / "up.py").write_text(DECODER)
    words = [word for file in FILES for word in ("-o", str(folder / file))]
    return folder, audit(f"{folder / 'up.py'}:make", "--sr", "16000", *words)


def test_every_form_is_written_at_once(written: tuple[Path, Result]) -> None:
    folder, result = written
    assert result.exit_code == 0, result.output
    assert set(SUFFIXES) == set(FORMATS)
    assert [file for file in FILES if not (folder / file).stat().st_size] == []
    sarif = json.loads((folder / "a.sarif").read_text())
    (place,) = {
        (at["artifactLocation"]["uri"], at["region"]["startLine"])
        for row in sarif["runs"][0]["results"]
        for at in [row["locations"][0]["physicalLocation"]]
    }
    assert place == ((folder / "up.py").as_uri(), 4)


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("saved", ["a.html", "a.json"])
def test_a_saved_audit_is_said_again(written: tuple[Path, Result], form: str, saved: str) -> None:
    folder, _ = written
    result = audit("--from", str(folder / saved), "--format", form)
    suffix = next(suffix for suffix, name in FORMATS.items() if name == form)
    assert result.exit_code == 0, result.output
    assert result.stdout == (folder / f"a{suffix}").read_text()


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("never", 0)])
def test_a_saved_audit_ends_as_it_did(written: tuple[Path, Result], fail_on: str, code: int) -> None:
    folder, _ = written
    result = audit("--from", str(folder / "a.html"), "--fail-on", fail_on, "-o", str(folder / "again.md"))
    assert result.exit_code == code
    assert (folder / "again.md").read_text() == (folder / "a.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "missing.html"], "report: got missing.html, no file"),
        (["--from", "missing.json"], "saved audit: got missing.json: No such file"),
        (["--from", "a.json", "melgan"], "--from with a TARGET: got melgan; allowed: one of them"),
        (["--from", "a.json", "-o", "a.png"], "Hint: pictures and sounds are in the page alone"),
        (["melgan", "--against", "old.json"], "with schema 'torchparity.audit/1'; allowed: 'torchparity.audit/2'"),
        (["melgan", "--against", "part.json"], "saved audit part.json: cut: got no such field"),
        (["--from", "part.json"], "saved audit part.json: cut: got no such field"),
        (["--from", "old.json"], "with schema 'torchparity.audit/1'; allowed: 'torchparity.audit/2'"),
    ],
)
def test_what_cannot_be_said_again_is_refused(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.json").write_text('{"schema": "torchparity.audit/2"}')
    (tmp_path / "old.json").write_text('{"schema": "torchparity.audit/1"}')
    result = audit(*words)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
