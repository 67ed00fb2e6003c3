"""The command torchparity: its answers, its exit codes, and what it does not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

import dspref.documents
import torchparity.resolving
from torchparity.cli import main
from torchparity.formats import schema

SOURCE = """
import os

import torch
from torch import nn

def up():
    return nn.ConvTranspose1d(2, 3, 16, stride=8, padding=4)

class Off(nn.Module):
    def forward(self, x):
        return x.repeat_interleave(4, -1).roll(1, -1)

def lazy():
    return nn.LazyConv1d(1, 3)

class Leaves(nn.Module):
    def forward(self, x):
        raise SystemExit(0)

class Kill(nn.Module):
    def forward(self, x):
        os.kill(os.getpid(), 9)

def stuck():
    while True:
        pass

class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.ConvTranspose1d(8, 4, 4, stride=2)

    def forward(self, x):
        return self.conv(x)

class Particular(nn.Module):
    def forward(self, x):
        if not x.is_contiguous() or x.requires_grad:
            raise AttributeError("of this form")
        return x.repeat_interleave(4, -1)

class Recurrent(nn.Module):
    def forward(self, x):
        return x.cumsum(-1)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a file of targets."""
    (tmp_path / "targets.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_a_right_module_ends_with_0(folder: Path) -> None:
    result = run("verify", "targets.py:up", "--like", "convt k16 s8 p4")
    assert result.exit_code == 0
    assert result.output.startswith("within bound: error/bound at most 0.")
    assert "compared   convt k16 s8 p4, as described" in result.output


def test_text_is_80_columns_wide_but_for_the_line_to_paste(folder: Path) -> None:
    lines = run("verify", "targets.py:Off", "--like", "nearest:4", "--no-isolate").output.splitlines()
    assert sum(len(line) > 80 for line in lines) == 1
    assert lines[-1].startswith("  reproduce  import torch; ")
    text = " ".join(" ".join(lines).split())
    assert "laws, equality, rounding bound; " in text
    assert "outputs, all of which show something" in text
    assert not [line for line in lines[1:-1] if not line.startswith("  ")]


def test_a_wrong_module_ends_with_1_and_says_where(folder: Path) -> None:
    result = run("verify", "targets.py:Off", "--like", "nearest:4")
    assert result.exit_code == 1
    assert result.output.startswith("wrong: nearest x4: ")
    assert run("verify", "targets.py:up", "--like", "convt k15 s8 p4").exit_code == 1


def test_what_has_no_reference_ends_with_3(folder: Path) -> None:
    result = run("verify", "targets.py:Recurrent")
    assert result.exit_code == 3, result.output
    assert "support not finite" in result.stderr
    assert result.stdout == ""


def test_a_module_that_ends_the_program_does_not_end_with_0(folder: Path) -> None:
    probed = run("verify", "targets.py:Leaves")
    assert (probed.exit_code, probed.stdout) == (3, ""), probed.output
    assert "SystemExit: 0" in probed.stderr
    result = run("verify", "targets.py:Leaves", "--like", "nearest x2")
    assert result.exit_code == 1
    assert "refused, which is legal: SystemExit: 0" in result.output


def test_a_lost_process_is_a_verdict_with_every_field_and_a_line_that_loads_the_target(folder: Path) -> None:
    data: dict[str, Any] = json.loads(run("verify", "targets.py:Kill", "--format", "json").output)
    jsonschema.validate(data, schema(), cls=jsonschema.Draft202012Validator)
    assert (data["dtype"], data["description"]) == ("float32", "nothing: it did not answer")
    promised = run("verify", "targets.py:Kill", "--like", "nearest:4", "--dtype", "float64", "--format", "json")
    data = json.loads(promised.output)
    assert (data["dtype"], data["description"]) == ("float64", "nearest x4")
    ended = subprocess.run([sys.executable, "-c", data["repro"]], cwd=folder, capture_output=True, check=False)
    assert ended.returncode == -9


def test_a_target_that_hangs_while_it_is_made_has_a_line_too(folder: Path) -> None:
    result = run("verify", "targets.py:stuck", "--time-limit", "1")
    assert result.exit_code == 1
    assert result.output.endswith("torch.manual_seed(0); f = load_layer('targets.py:stuck')\n")


@pytest.mark.parametrize("like", [[], ["--like", "convt k4 s2"]])
def test_channels_that_the_layer_does_not_take_are_refused_in_a_sentence(folder: Path, like: list[str]) -> None:
    result = run("verify", "targets.py:Wrapped", *like, "--channels", "3", "--no-isolate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: channels: got 3; allowed: 8, which the layer takes. Hint: leave it out.\n"
    assert run("verify", "targets.py:Wrapped", *like, "--channels", "8", "--no-isolate").exit_code == 0


def test_tf32_on_a_cpu_is_remarked(folder: Path) -> None:
    words = ["verify", "targets.py:up", "--no-isolate", "--format", "json"]
    assert "a CPU has no TF32" in json.loads(run(*words, "--tf32").output)["remarks"][0]
    assert json.loads(run(*words).output)["remarks"] == []


def test_forms_refused_for_one_reason_are_one_remark(folder: Path) -> None:
    result = run("verify", "targets.py:Particular", "--like", "nearest:4", "--no-isolate", "--format", "json")
    (remark,) = (r for r in json.loads(result.output)["remarks"] if r.endswith("AttributeError: of this form"))
    assert remark.startswith("input channels-last, ")
    assert "sliced" in remark


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_a_module_without_weights_yet_ends_with_3(folder: Path) -> None:
    result = run("verify", "targets.py:lazy")
    assert result.exit_code == 3
    assert "'weight' of LazyConv1d, not initialised" in result.stderr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_json_has_its_schema(folder: Path, dtype: str) -> None:
    result = run("verify", "targets.py:up", "--format", "json", "--dtype", dtype, "--grid", "full", "--seed", "3")
    data: dict[str, Any] = json.loads(result.output)
    assert (data["schema"], data["ok"], data["dtype"]) == ("torchparity.verify/1", True, dtype)
    assert data["coverage"]["strata"]["normal"] > 25


def test_the_seed_makes_the_run_repeat(folder: Path) -> None:
    first, again, other = (run("verify", "targets.py:up", "--seed", seed).output for seed in ("1", "1", "2"))
    assert first == again != other


def test_the_answer_goes_to_a_file(folder: Path) -> None:
    result = run("verify", "torch.nn:Identity", "--like", "nearest x1", "--format", "md", "-o", "verdict.md")
    assert (result.exit_code, result.output) == (0, "")
    assert (folder / "verdict.md").read_text().startswith("**exact**\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["targets.py"], "the function's name stands behind a colon"),
        (["targets.py:upp"], "did you mean 'up'?"),
        (["targets.py:nn"], "of type module; allowed: a module, a function"),
        (["nothing.py:up"], "nothing.py, no file"),
        (["targets.py:up", "--like", "convt k16 q8"], "column 11"),
        (["targets.py:up", "--like", ""], "column 1"),
        (["targets.py:up", "--dtype", "float8"], "float8"),
        (["targets.py:up", "--seed", "-1"], "--seed"),
        (["targets.py:up", "--seed", "99999999999999999999999"], "0<=x<=9223372036854775807"),
        (["targets.py:up", "--grid", "huge"], "huge"),
        (["targets.py:up", "--time-limit", "nan"], "--time-limit: got nan; allowed: a time in s, > 0"),
        (["targets.py:up", "--time-limit", "inf", "--no-isolate"], "--time-limit: got inf"),
        (["targets.py:up", "--format", "xml"], "xml"),
        (["targets.py:up", "-o", "no/where.json"], "in no directory"),
        ([], "TARGET"),
    ],
)
def test_bad_usage_ends_with_2_and_words(folder: Path, words: list[str], message: str) -> None:
    result = run("verify", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_the_output_path_is_tried_before_the_work(folder: Path) -> None:
    (folder / "loud.py").write_text("raise RuntimeError('this must not run')\n")
    result = run("verify", "loud.py:x", "-o", "no/where.json")
    assert "in no directory" in result.stderr
    assert "must not run" not in result.stderr


def test_without_torch_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchparity.resolving, "find_spec", lambda name: None)
    result = run("verify", "targets.py:up")
    assert result.exit_code == 2
    assert "pip install 'dspref[torch]'" in result.stderr


def test_doctor_lists_versions_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    assert [line.split()[0] for line in result.output.splitlines()[2:]] == [
        "python", "dspref", "numpy", "scipy", "click", "rich", "torch", "matplotlib", "jinja2", "soundfile",
        "onnx", "onnxruntime", "joblib", "pytest", "hypothesis",
    ]  # fmt: skip
    monkeypatch.setattr(dspref.documents, "_version", lambda name: None if name == "torch" else "1.0")
    lacking = run("doctor")
    assert lacking.exit_code == 1
    assert "needed: pip install torch" in lacking.output


def test_help_fits_80_columns() -> None:
    for words in (["--help"], ["verify", "-h"], ["doctor", "--help"]):
        result = run(*words)
        assert result.exit_code == 0
        assert max(map(len, result.output.splitlines())) <= 80


LOADED = """
import sys
from torchparity.cli import main
main({words!r}, standalone_mode=False)
print([m for m in {heavy!r} if m in sys.modules])
"""


@pytest.mark.parametrize(
    ("words", "loaded"),
    [(["--help"], "[]"), (["verify", "torch.nn:ReLU", "--no-isolate", "-o", "/dev/null"], "['torch']")],
)
def test_help_loads_no_torch(words: list[str], loaded: str) -> None:
    code = LOADED.format(words=words, heavy=["torch", "matplotlib", "scipy.signal"])
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == loaded


def test_the_module_is_the_command() -> None:
    wide = {**os.environ, "COLUMNS": "80"}
    words = [sys.executable, "-m", "torchparity.cli", "--help"]
    ended = subprocess.run(words, capture_output=True, text=True, check=True, env=wide)
    expected = CliRunner(env={"COLUMNS": "80"}).invoke(main, ["--help"], prog_name="torchparity").output
    assert ended.stdout.split() == expected.split()  # lines break where the terminal ends
