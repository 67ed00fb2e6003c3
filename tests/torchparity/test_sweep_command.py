"""``torchparity sweep`` at the shell: options, files, exit codes; killed and interrupted in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from click.testing import CliRunner, Result

from torchparity.cli import main
from torchparity.ledger import read
from torchparity.sweep_grid import Row

ONE = ["sweep", "convt k3 s2", "--channels", "4", "--sr", "16000", "--input", "constant"]
MANY = ["sweep", "convt k{3,4,5,6} s2 | relu | conv k{1,3,5}"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def seen(text: str) -> list[dict[str, Any]]:
    """Return rows of JSON without what they took."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def test_every_form_goes_to_its_file_and_one_to_the_screen(tmp_path: Path) -> None:
    files = [tmp_path / f"rows.{form}" for form in ("csv", "jsonl", "html")]
    result = run(*ONE, "--bias", "on,off", *(part for file in files for part in ("-o", str(file))))
    assert result.exit_code == 0
    assert result.stdout.startswith("2 rows: 2 ok\n")
    assert result.stderr == "".join(f"written: {file}\n" for file in files)
    assert files[0].read_text("utf-8").startswith("row,name,architecture,")
    assert files[2].read_text("utf-8").startswith("<!doctype html>")
    assert [row["bias"] for row in seen(files[1].read_text("utf-8"))] == [True, False]
    shown = run(*ONE, "--bias", "on,off", "--format", "jsonl").stdout
    assert seen(shown) == seen(files[1].read_text("utf-8"))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--fail-on", "warning"], 1),  # a line stands
        (["--fail-on", "never"], 0),
        (["a.b:c"], 0),  # refused: said, and no finding
    ],
)
def test_exit_codes(more: list[str], code: int) -> None:
    assert run(*ONE, *more).exit_code == code


def test_nothing_that_can_be_analysed_ends_with_3() -> None:
    result = run("sweep", "conv k3", "no.such:thing")
    assert result.exit_code == 3
    assert "row 2 refused: target: got no.such" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([], "grid: got no row"),
        (["--family", "nearest"], "--rates: got none"),
        (["--rates", "2"], "--family: got none, with --rates"),
        (["--family", "transpose", "--rates", "2"], "did you mean 'transposed'"),
        (["convt k4 s2 | neerest x2"], "did you mean 'nearest'"),
        (["convt k4 s2", "--init", "kaimin"], "did you mean 'kaiming'"),
        (["convt k4 s2", "--bias", "of"], "bias: got 'of'"),
        (["convt k4 s2", "--input", "noice"], "did you mean 'noise'"),
        (["convt k{4,6,8} s2", "--limit", "2"], "grid: got 3 rows; allowed: at most 2. Hint: --limit 3 allows it"),
        (["convt k4 s2", "--shard", "3/2"], "shard"),
        (["convt k4 s2", "-o", "rows.txt"], "FILE.csv, FILE.jsonl or FILE.html"),
        (["convt k4 s2", "-o", "no/where/rows.csv"], "in no directory"),
        (["convt k4 s2", "-o", "x.jsonl", "--resume", "x.jsonl"], "the file of --resume"),
        (["convt k4 s2", "--resume", "no/where/rows"], "not writable"),
        (["--rows", "rows.xml"], "a file *.toml, *.jsonl, *.csv"),
        (["--merge", "gone.jsonl"], "no file"),
        (["--merge"], "every shard of a sweep"),
        (["convt k4 s2", "--sr", "-1"], "frequency"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    arguments: list[str], match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchparity.sweep.done", lambda *row: pytest.fail("work began"))
    result = run("sweep", *arguments)
    assert result.exit_code == 2
    assert match in " ".join(result.stderr.split())


def test_a_file_of_rows_and_words_make_one_grid(tmp_path: Path) -> None:
    file = tmp_path / "rows.toml"
    file.write_text('[[row]]\nspec = "convt k4 s2"\nname = "mine"\n')
    result = run(*ONE, "--rows", str(file), "--format", "jsonl")
    assert [(row["row"], row["name"], row["sr"]) for row in seen(result.stdout)] == [(1, "", 16000), (2, "mine", 16000)]


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the command as a process of its own, at the head of its group."""
    command = [sys.executable, "-m", "torchparity.cli", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def until(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait for the ledger to hold so many rows."""
    while not path.exists() or path.read_bytes().count(b"\n") <= count:
        assert process.poll() is None, process.communicate()
        sleep(0.005)


WAITS = """
import time
from pathlib import Path
from torch import nn

def make():
    while not (Path(__file__).parent / "go").exists():
        time.sleep(0.02)
    return nn.ConvTranspose1d(2, 1, 4, 2)
"""


def test_killed_in_the_middle_it_resumes_and_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL: what was done stands as it was written, the rest is done, and all is as if undisturbed."""
    (tmp_path / "net.py").write_text(WAITS)
    path, words = tmp_path / "rows", ["sweep", "convt k{3,5} s2", f"{tmp_path}/net.py:make", "shuffle x2 k1"]
    killed = start(*words, "--resume", str(path))
    until(path, 2, killed)  # it can't be further: the third row waits
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert read(path).done == {0, 1}
    kept = path.read_bytes()
    (tmp_path / "go").touch()
    result = run(*words, "--resume", str(path), "--format", "jsonl")
    assert result.exit_code == 0
    assert path.read_bytes().startswith(kept)
    assert seen(result.stdout) == seen(run(*words, "--format", "jsonl").stdout)
    assert [(row["row"], row["status"]) for row in seen(result.stdout)] == [(place, "ok") for place in (1, 2, 3, 4)]


@pytest.mark.parametrize("resumes", [True, False])
def test_ctrl_c_ends_behind_a_row_and_says_how_to_go_on(
    resumes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--resume", str(tmp_path / "rows")] if resumes else []

    def told(row: Row, asked: object) -> dict[str, Any]:
        if row.words == "convt k3 s2 | relu | conv k5":
            signal.raise_signal(signal.SIGINT)
        return {"status": "refused", "why": row.words}

    with monkeypatch.context() as patched:
        patched.setattr("torchparity.sweep.done", told)
        result = run(*MANY, *more)
    assert (result.exit_code, result.stdout) == (130, "")
    kept = "the same command goes on" if resumes else "nothing was kept: there was no --resume FILE"
    assert f"interrupted after 3 of 12 rows; {kept}" in result.stderr
    if resumes:
        assert read(tmp_path / "rows").done == {0, 1, 2}
