"""``torchparity campaign`` at the shell: it can be killed, interrupted, resumed, split and merged."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from click.testing import CliRunner, Result
from torch import nn

from torchparity import campaign_command, draws
from torchparity.arithmetic import ARITHMETICS
from torchparity.build import build
from torchparity.cli import main
from torchparity.ledger import read

SMALL = ["campaign", "--cases", "60", "--seed", "3", "--kind", "nearest", "--kind", "filter", "--dtype", "float32"]
LONG = ["campaign", "--cases", "1500", "--seed", "3", "--kind", "nearest", "--kind", "filter"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command as a process of its own."""
    command = [sys.executable, "-m", "torchparity.cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def seen(text: str) -> dict[str, Any]:
    """Return what a report in JSON says of the cases, without what the run took."""
    data: dict[str, Any] = json.loads(text)
    del data["run"]
    return data


def until(path: Path, pieces: int, process: subprocess.Popen[str]) -> None:
    """Wait for the ledger to hold so many pieces."""
    while not path.exists() or path.read_bytes().count(b"\n") <= pieces:
        assert process.poll() is None, process.communicate()
        sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    result = run(*LONG, "--format", "json")
    assert result.exit_code == 0
    return seen(result.stdout)


def test_text_tells_cells_corners_and_effort() -> None:
    result = run(*SMALL)
    assert result.exit_code == 0
    assert re.search(r"^(verified: )?no violation in 60 cases, \d+ outputs$", result.stdout, re.MULTILINE)
    assert re.search(r"^nearest +float32 +\d+ +\d+ +0 +0\.\d{3} +input +\d+$", result.stdout, re.MULTILINE)
    assert re.search(r"^verdicts: exact \d+, within bound \d+$", result.stdout, re.MULTILINE)
    assert "design: cases 60, seed 3, kinds nearest/filter, dtypes float32, device cpu, shard 1/1" in result.stdout
    assert re.search(r"^run: 60 cases in \d+ s, \d+ a second; \d+ MiB at most, in 1 process$", result.stdout, re.M)
    assert "corners reached: all" in result.stdout


def test_verified_says_that_every_corner_was_reached() -> None:
    """And what was not reached is named, in the words of the help."""
    few, all_of = run(*SMALL[:1], "--cases", "4", *SMALL[3:]).stdout, run(*SMALL).stdout
    assert few.startswith("no violation in 4 cases")
    assert '(of those it says nothing, hence not "verified")' in few
    assert all_of.startswith("verified: no violation in 60 cases")
    assert 'corners reached: all, hence "verified"\n' in all_of
    assert "every corner of" in run("campaign", "--help").stdout


def test_json_and_markdown_tell_the_same(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result = run(*SMALL, "--format", "json", "-o", str(file))
    assert result.stdout == ""
    assert "violation in 60 cases" in result.stderr
    data = json.loads(file.read_text("utf-8"))
    assert (data["schema"], data["ok"], data["cases"]) == ("torchparity.campaign/1", True, 60)
    page = run(*SMALL, "--format", "md").stdout
    assert page.startswith("**")
    for cell in data["cells"]:
        row = f"| {cell['kind']} | {cell['arithmetic']} | {cell['direction']} | {cell['tier']} | {cell['cases']} |"
        assert row in page


def test_what_is_to_be_chosen_from_is_what_there_is() -> None:
    """The help is shown without Torch, so its words stand in the command."""
    assert campaign_command.KINDS == draws.KINDS
    assert set(campaign_command.ARITHMETICS) == set(ARITHMETICS)


def test_violations_end_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(layer: Any) -> nn.Module:
        return nn.Sequential(build(layer), nn.Upsample(scale_factor=1), build(layer))

    monkeypatch.setattr("torchparity.trials.build", doubled)
    result = run(*SMALL)
    assert result.exit_code == 1
    assert re.search(r"^\d+ violations in 60 cases", result.stdout)
    assert "violation: wrong in case" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--shard", "3/2"], "shard: got '3/2'"),
        (["--shard", "half"], "shard: got 'half'"),
        (["--cases", "0"], "--cases"),
        (["--dtype", "float8"], "--dtype"),
        (["--device", "nowhere"], "device: got 'nowhere'"),
        (["--device", "meta"], "device: got 'meta'"),
        (["--merge"], "one or more after --merge"),
        (["some.jsonl"], "none without it"),
        (["--merge", "gone.jsonl"], "no file"),
        (["-o", "no/where/at/all"], "output"),
        (["--resume", "no/where/at/all"], "ledger: got no/where/at/all, not writable"),
    ],
)
def test_usage_is_refused_in_words(arguments: list[str], match: str) -> None:
    result = run("campaign", *arguments)
    assert result.exit_code == 2
    assert match in " ".join(result.stderr.split())


@pytest.mark.parametrize("content", [b"Dear diary,\n", b"\x00\xff", b'{"schema":"torchparity.campaign/1"}\n'])
def test_a_foreign_file_is_refused_and_left_untouched(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "diary"
    path.write_bytes(content)
    result = run(*SMALL, "--resume", str(path))
    assert result.exit_code == 2
    assert "it was left as it is" in result.stderr
    assert path.read_bytes() == content


def test_killed_and_resumed_is_as_if_undisturbed(undisturbed: dict[str, Any], tmp_path: Path) -> None:
    """SIGKILL, twice, in the middle: nothing that was written is lost, and nothing is done twice."""
    path = tmp_path / "work.jsonl"
    kept: bytes = b""
    for pieces in (1, 3):
        process = start(*LONG, "--resume", str(path), "-j", "2", start_new_session=True)
        until(path, pieces, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert path.read_bytes().startswith(kept)
        kept = path.read_bytes()[: path.read_bytes().rindex(b"\n") + 1]
    assert len(read(path).done) < 6
    result = run(*LONG, "--resume", str(path), "--format", "json")
    assert result.exit_code == 0
    assert path.read_bytes().startswith(kept)
    assert seen(result.stdout) == undisturbed
    assert json.loads(result.stdout)["run"]["cases"] <= 1500 - 3 * 250


def test_a_torn_line_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    assert "dropped" not in run(*SMALL, "--resume", str(path)).stderr
    path.write_bytes(path.read_bytes()[:-9])  # as if killed while it wrote
    told = [run(*SMALL, "--resume", str(path)).stderr for _ in range(2)]
    assert [text.count(f"{path}: 1 unfinished piece dropped\n") for text in told] == [1, 0]


def test_ctrl_c_ends_between_pieces_and_tells_how_to_go_on(undisturbed: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    process = start(*LONG, "--resume", str(path), "-j", "2", start_new_session=True)
    until(path, 1, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    output, errors = process.communicate()
    assert process.returncode == 130
    assert output == ""
    assert re.search(r"^interrupted after \d+ of 1500 cases; the same command goes on$", errors, re.MULTILINE)
    assert "Traceback" not in errors
    assert "UserWarning" not in errors
    assert path.read_bytes().endswith(b"\n")
    done = int(re.findall(r"after (\d+) of", errors)[0])
    assert len(read(path).done) * 250 == done
    result = run(*LONG, "--resume", str(path), "--format", "json")
    assert seen(result.stdout) == undisturbed
    assert json.loads(result.stdout)["run"]["cases"] == 1500 - done


def members(group: int) -> list[str]:
    """Return the commands of the living processes of a group."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [row[2] for row in rows if int(row[0]) == group and not row[1].startswith("Z")]


@pytest.mark.parametrize("whole", [False, True], ids=["one process", "its group"])
def test_sigterm_ends_as_ctrl_c_does_and_leaves_no_process(whole: bool, tmp_path: Path) -> None:
    """With 143, as the shell has it; `kill` reaches the one process, an init system its whole group."""
    path = tmp_path / "work.jsonl"
    process = start(*LONG, "--cases", "100000", "--resume", str(path), "-j", "2", start_new_session=True)
    until(path, 2, process)
    (os.killpg if whole else os.kill)(process.pid, signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (143, "")
    assert re.search(r"^interrupted after \d+ of 100000 cases; the same command goes on$", errors, re.MULTILINE)
    assert "Traceback" not in errors
    assert "Warning" not in errors
    assert path.read_bytes().endswith(b"\n")
    assert read(path).done
    for _ in range(100):
        if not members(process.pid):
            break
        sleep(0.1)
    assert members(process.pid) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_ends_at_once_and_is_no_violation(number: int, code: int, tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    process = start(*LONG, "--cases", "100000", "--resume", str(path), start_new_session=True)
    until(path, 1, process)
    assert process.stderr is not None
    process.send_signal(number)
    while "again to end at once" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    with process:
        errors = process.stderr.read()  # by the reader that has begun: it may hold what came with the line before
    assert process.returncode == code
    assert re.search(r"^interrupted (at once|after \d+ of 100000 cases); the same command goes on$", errors, re.M)
    assert not re.search("Traceback|Aborted|Warning", errors)


def test_ctrl_c_without_a_ledger_says_that_nothing_was_kept() -> None:
    process = start(*LONG, "--cases", "100000")
    assert process.stderr is not None
    sleep(4)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "nothing was kept" in errors


def test_shards_merge_into_the_whole(undisturbed: dict[str, Any], tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{i}.jsonl") for i in (1, 2)]
    for i, path in enumerate(paths, 1):
        assert run(*LONG, "--shard", f"{i}/2", "--resume", path).exit_code == 0
    result = run("campaign", "--merge", *paths, "--format", "json")
    assert result.exit_code == 0
    assert seen(result.stdout) == undisturbed
    assert json.loads(result.stdout)["run"] is None
    half = run("campaign", "--merge", paths[0])
    assert half.exit_code == 2
    assert "every shard of a campaign, each once" in half.stderr


def test_progress_is_plain_lines_where_no_one_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchparity.interruption.EVERY", 0.0)
    result = run(*SMALL)
    lines = result.stderr.splitlines()
    assert re.fullmatch(r"60 of 60 cases, \d+ a second, 0 violations, 0 s left", lines[-1])
    assert "\x1b" not in result.stderr


def test_progress_is_a_bar_at_a_terminal(tmp_path: Path) -> None:
    """In a terminal that is none: `script` is not everywhere, a pseudo-terminal is."""
    import pty

    parent, child = pty.openpty()
    command = [sys.executable, "-m", "torchparity.cli", *SMALL, "-o", str(tmp_path / "report")]
    process = subprocess.Popen(
        command, stdout=child, stderr=child, env=os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    )
    os.close(child)
    shown = b""
    while True:
        try:
            block = os.read(parent, 4096)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        shown += block
    os.close(parent)
    assert process.wait() == 0
    assert b"60/60" in shown
    assert "no violation in 60 cases" in (tmp_path / "report").read_text("utf-8")
