"""The record of a device: complete, faithful, and made by the code of campaigns without what a GPU machine lacks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dspref.provenance import commit
from torchparity.build import build
from torchparity.campaign import campaign
from torchparity.validation import settings_of, validate
from torchparity.validation_record import Record, Setting, slug, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def record() -> Record:
    return validate("cpu", cases=30, seed=2, kinds=("convt", "nearest"))


def test_every_setting_of_cuda_is_there() -> None:
    """TF32 on and off, cuDNN deterministic and not, benchmarked and not, four dtypes."""
    found = settings_of("cuda")
    assert len(set(found)) == len(found) == 5 * 2 * 2
    for arithmetic in ("float64", "float32", "bfloat16", "float16", "tf32"):
        pairs = {(s.deterministic, s.benchmark) for s in found if s.arithmetic == arithmetic}
        assert pairs == {(True, True), (True, False), (False, True), (False, False)}
    assert [s.arithmetic for s in settings_of("cpu")] == ["float64", "float32", "bfloat16", "float16"]


def test_it_is_the_campaign_of_one_arithmetic(record: Record) -> None:
    for setting, tally in record.tallies.items():
        made = campaign(30, seed=2, kinds=("convt", "nearest"), dtypes=(setting.arithmetic,))
        assert made.tally == tally


def test_switches_are_held_while_a_setting_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spied(layer: Any) -> nn.Module:
        cudnn = torch.backends.cudnn
        seen.append((torch.get_float32_matmul_precision(), cudnn.deterministic, cudnn.benchmark))
        return build(layer)

    monkeypatch.setattr("torchparity.trials.build", spied)
    chosen = [Setting("float32", False, True), Setting("tf32", True, False)]
    validate("cpu", cases=1, kinds=("nearest",), only=chosen)
    assert seen == [("highest", False, True), ("high", True, False)]


def test_what_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(layer: Any) -> nn.Module:
        return nn.Sequential(build(layer), build(layer))

    assert validate("cpu", cases=9, kinds=("nearest",), only=[Setting("float32")]).ok
    monkeypatch.setattr("torchparity.trials.build", doubled)
    made = validate("cpu", cases=9, kinds=("nearest",), only=[Setting("float32")])
    assert not made.ok
    assert "wrong" in made.verdicts
    assert re.search(r"^- wrong in case \d+ \(nearest, float32, forward", made.to_markdown(), re.MULTILINE)


def test_page_and_data_are_written_and_agree(record: Record, tmp_path: Path) -> None:
    page, data = write(record, tmp_path / "validation")
    assert (page.name, data.name) == ("cpu.md", "cpu.json")
    told = json.loads(data.read_text("utf-8"))
    assert told["schema"] == "torchparity.validation/1"
    assert {"device", "name", "versions", "commit", "cases", "seconds", "verdicts", "settings"} <= set(told)
    assert {"python", "torch", "numpy"} <= set(told["versions"])
    assert sum(told["verdicts"].values()) == sum(
        sum(cell["verdicts"].values()) for setting in told["settings"] for cell in setting["cells"]
    )
    text = page.read_text("utf-8")
    assert text.startswith(f"# {record.name}\n")
    for setting, tally in record.tallies.items():
        ratio = max(count.ratio for cell, count in tally.cells.items() if cell[:3:2] == ("convt", "forward"))
        assert f"| convt | {setting.arithmetic} | forward | {ratio:.3f} |" in text


def test_settings_of_cudnn_have_columns_of_their_own() -> None:
    chosen = [Setting("float32", *pair) for pair in ((True, False), (False, True))]
    made = validate("cpu", cases=4, kinds=("nearest",), only=chosen)
    as_cuda = Record("cuda", "Some GPU", {}, "unknown", 4, 0, made.tallies, 1.0)
    head = next(line for line in as_cuda.to_markdown().splitlines() if line.startswith("| kind"))
    assert "| deterministic, not benchmarked | any algorithm, benchmarked |" in head
    assert slug(as_cuda.name) == "some-gpu"


def test_the_commit_is_that_of_the_code() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}\+?|unknown", commit())


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="device: got 'nowhere'"):
        validate("nowhere", cases=1)


LACKING = ("scipy", "joblib", "distributed", "pytest_benchmark", "xdist", "matplotlib", "transformers", "soundfile")

ALONE = f"""
import sys
from importlib.abc import MetaPathFinder
class Lacking(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {LACKING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Lacking())
import importlib.util
found = importlib.util.find_spec
def find_spec(name, package=None):
    return None if name.split(".")[0] in {LACKING} else found(name, package)
importlib.util.find_spec = find_spec
from tests.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def suite(*arguments: str, code: str = ALONE) -> subprocess.CompletedProcess[str]:
    """Run the GPU suite where nothing but Torch, NumPy, pytest, Hypothesis and the consoles' packages is installed."""
    blocked = ["-p", "no:xdist", "-p", "no:benchmark", "-p", "no:cacheprovider"]
    command = [sys.executable, "-c", code, "gpu", *blocked, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_gpu_suite_runs_with_little_installed_and_writes_only_if_asked(tmp_path: Path) -> None:
    before = sorted((ROOT / "docs").rglob("*"))
    done = suite("-k", "test_parity", f"--record={tmp_path}", "--cases=40")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted((ROOT / "docs").rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir())[-2:] == ["cpu.json", "cpu.md"] or torch.cuda.is_available()
    assert json.loads(next(tmp_path.glob("*.json")).read_text("utf-8"))["ok"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device: nothing is skipped")
def test_without_a_gpu_its_tests_say_why_they_did_not_run_or_fail_if_it_was_required(tmp_path: Path) -> None:
    chosen = ("-k", "cuda and test_no_output", f"--record={tmp_path}", "-rs")
    skipped = suite(*chosen)
    assert skipped.returncode == 0
    assert "this machine has no CUDA device that Torch can use" in skipped.stdout
    required = suite(*chosen, "--require-gpu")
    assert required.returncode == 1
    assert "--require-gpu was given, but this machine has no CUDA device" in required.stdout
    assert list(tmp_path.iterdir()) == []
