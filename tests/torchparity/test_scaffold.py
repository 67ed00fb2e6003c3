"""Test files that are written for a layer: tidy, green for a right layer, red for a wrong one."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dspref import NotAnalysable
from torchparity.cli import main
from torchparity.scaffold import scaffold
from torchparity.target import TargetError

SOURCE = """
import os

import torch
from torch import nn

def up():
    return nn.ConvTranspose1d(2, 3, 4, stride=2, padding=1)

def chain():
    return nn.Sequential(nn.Conv1d(2, 2, 5), nn.LeakyReLU(0.1), nn.Upsample(scale_factor=3))

class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 5, bias=False)

    def forward(self, x):
        return 2 * self.conv(x)

class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.taps = nn.Parameter(torch.ones(4, 3, 5))

    def forward(self, x):
        return nn.functional.conv_transpose1d(x, self.taps, stride=2)

class Late(nn.Module):
    def forward(self, x):
        return x.repeat_interleave(4, -1).roll(1, -1)

class Even(nn.Module):
    def forward(self, x):
        return x.repeat_interleave(4, -1)

def fourfold(x):
    return x.repeat_interleave(4, -1)

UP = up()

def with_weights(x):
    return UP(x).detach()

class Exits(nn.Module):
    def forward(self, x):
        os._exit(0)

class Recurrent(nn.Module):
    def forward(self, x):
        return x.cumsum(-1)

class Never(nn.Module):
    def forward(self, x):
        raise RuntimeError("not today")

class Pair(nn.Module):
    def forward(self, x):
        return x, x

def it_s_a_layer_with_a_name_that_is_so_long_that_no_formatter_could_ever_fit_it_in_one_line_of_any_usual_length():
    return up()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a file of targets."""
    (tmp_path / "targets.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["scaffold", *words])


def constants(text: str) -> dict[str, object]:
    """Return the constants that a file sets."""
    sets = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in sets}


def outcome(folder: Path) -> tuple[int, str]:
    """Run pytest in the folder, in a process of its own, where warnings are errors."""
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout


FOUND = {
    "up": "convt k4 s2 p1",
    "chain": "conv k5 | leaky 0.1 | nearest x3",
    "Twice": None,
}


@pytest.mark.parametrize("name", FOUND)
def test_what_the_layer_is_found_to_be_is_written_down(folder: Path, name: str) -> None:
    text = scaffold(f"targets.py:{name}")
    assert constants(text) == {"TARGET": f"targets.py:{name}", "LIKE": FOUND[name]}
    assert ("# no words for it" in text) == (FOUND[name] is None)
    shortest = {"up": 1, "chain": 5, "Twice": 5}[name]
    assert f"st.integers({shortest}, {shortest + 63})" in text


def test_what_it_should_be_comes_first_in_its_usual_words(folder: Path) -> None:
    assert constants(scaffold("targets:up", like="convt k3  p1 s2"))["LIKE"] == "convt k3 s2 p1"


def test_a_module_that_does_not_say_its_channels_takes_as_many_as_its_kernel(folder: Path) -> None:
    made = run("targets.py:Wide", "--like", "convt k5 s2")
    assert (made.exit_code, constants(made.stdout)["LIKE"]) == (0, "convt k5 s2")


def test_what_comes_back_is_for_the_tests_to_tell(folder: Path) -> None:
    assert "st.integers(1, 64)" in scaffold("targets:Pair", like="nearest x1")


LONG = "it_s_a_layer_with_a_name_that_is_so_long_that_no_formatter_could_ever_fit_it_in_one_line_of_any_usual_length"


@pytest.mark.parametrize("name", ["up", "Twice", LONG])
def test_files_are_tidy(folder: Path, name: str) -> None:
    (folder / "test_up.py").write_text(scaffold(f"targets.py:{name}"))
    ruff = [sys.executable, "-m", "ruff"]
    rules = ["--isolated", "--select", "E4,E7,E9,F,W,I,B,UP,D,RET,SIM,PT,RUF,T20", "--ignore", "D203,D213"]
    for command in ([*ruff, "format", "--isolated", "--check"], [*ruff, "check", *rules]):
        done = subprocess.run([*command, "test_up.py"], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("odd", ['a"b', "a'b", "a'\"b", "a\\b", "päd"])
def test_odd_file_names_are_quoted_as_formatters_do(folder: Path, odd: str) -> None:
    (folder / f"{odd}.py").write_text(SOURCE)
    text = scaffold(f"{odd}.py:up")
    assert constants(text)["TARGET"] == f"{odd}.py:up"
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == text


def test_files_are_green_for_right_layers(folder: Path) -> None:
    for name, like in (("up", []), ("fourfold", []), ("Even", ["--like", "nearest:4"])):
        assert run(f"targets.py:{name}", *like, "-o", f"test_{name}.py").exit_code == 0
    code, text = outcome(folder)
    assert code == 0, text
    assert "27 passed" in text


def test_files_are_red_for_a_wrong_layer_and_for_one_that_has_changed(folder: Path) -> None:
    assert run("targets.py:Late", "--like", "nearest x4", "-o", "test_late.py").exit_code == 0
    assert run("targets.py:up", "-o", "test_up.py").exit_code == 0
    (folder / "targets.py").write_text(SOURCE.replace("padding=1", "padding=0"))
    code, text = outcome(folder)
    assert code == 1
    assert "18 failed" in text
    assert "AssertionError: wrong: nearest x4: " in text
    assert "AssertionError: wrong: stage 0: 'convt k4 s2 p1' promised, 'convt k4 s2' found" in text


def test_the_command_prints_or_writes_the_same(folder: Path) -> None:
    printed = run("targets.py:up")
    assert (printed.exit_code, printed.output) == (0, scaffold("targets.py:up"))
    assert run("targets.py:up", "-o", "test_up.py").output == ""
    assert (folder / "test_up.py").read_text() == printed.output


def test_a_file_that_is_there_is_left_alone_unless_forced(folder: Path) -> None:
    (folder / "test_up.py").write_text("mine")
    refused = run("targets.py:up", "-o", "test_up.py")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert (
        "output: got test_up.py, which is there; allowed: a new file. Hint: --force writes over it." in refused.stderr
    )
    assert (folder / "test_up.py").read_text() == "mine"
    assert run("targets.py:up", "-o", "test_up.py", "--force").exit_code == 0
    assert (folder / "test_up.py").read_text() == scaffold("targets.py:up")


@pytest.mark.parametrize(
    "words", [["targets.py:gone"], ["gone.py:up"], ["targets"], ["targets.py:up", "--like", "convtt"]]
)
def test_what_cannot_be_loaded_or_read_ends_with_2_and_writes_nothing(folder: Path, words: list[str]) -> None:
    result = run(*words, "-o", "test_up.py")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "allowed: " in result.stderr
    assert not (folder / "test_up.py").exists()


@pytest.mark.parametrize(
    ("words", "reason"), [(["Recurrent"], "say --like"), (["Never", "--like", "nearest:2"], "not today")]
)
def test_what_has_no_form_or_takes_no_signal_ends_with_3(folder: Path, words: list[str], reason: str) -> None:
    result = run(f"targets.py:{words[0]}", *words[1:])
    assert (result.exit_code, result.stdout) == (3, "")
    assert reason in result.stderr


def test_what_ends_its_process_is_told_and_writes_nothing(folder: Path) -> None:
    result = run("targets.py:Exits", "--like", "nearest:4", "-o", "test_up.py")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "layer: got targets.py:Exits, which ended the process: exit code 0; allowed: one that" in result.stderr
    assert not (folder / "test_up.py").exists()


def test_functions_of_a_signal_are_layers_in_the_dtypes_that_they_take(folder: Path) -> None:
    assert '"dtype", ["float64", "float32", "bfloat16", "float16"]' in scaffold("targets.py:fourfold", "nearest:4")
    assert '"dtype", ["float32"])' in scaffold("targets.py:with_weights", "convt k4 s2 p1")


def test_files_of_onnx_are_sent_to_verify(folder: Path) -> None:
    with pytest.raises(TargetError, match=r"target: got up\.onnx; .*Hint: torchparity verify up\.onnx checks it"):
        scaffold("up.onnx")


def test_the_function_raises_what_the_command_says(folder: Path) -> None:
    with pytest.raises(TargetError, match="did you mean 'up'"):
        scaffold("targets:upp")
    with pytest.raises(NotAnalysable, match="support not finite"):
        scaffold("targets:Recurrent")
