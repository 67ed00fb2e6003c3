"""The command ``torchparity leakage``: targets, the table of Torch, exit codes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from torchparity.cli import main
from torchparity.leakage_command import leakage

LAYERS = """
import torch
from torch import nn

print("loading ...")
nine = nn.ConvTranspose1d(1, 1, 9, stride=3)
with torch.no_grad():
    nine.weight.copy_(torch.tensor([[[4066.0, 6261, 8133, 9391, 9834, 9391, 8133, 6261, 4066]]]))
repeat = nn.Upsample(scale_factor=4)
tanh = nn.Sequential(repeat, nn.Tanh())
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(leakage, arguments)


def test_it_is_a_command_of_torchparity() -> None:
    assert main.commands["leakage"] is leakage
    assert "\n  leakage " in CliRunner().invoke(main, ["--help"]).output


@pytest.fixture
def layers(tmp_path: Path) -> str:
    file = tmp_path / "layers.py"
    file.write_text(LAYERS)
    return str(file)


def test_a_module_in_text(layers: str) -> None:
    found = run(f"{layers}:nine", "--factor", "3", "--sr", "48000")
    assert found.exit_code == 0
    assert f"{layers}:nine, factor 3: worst line -38.65 dBc\n  k = 1, 16000 Hz: -38.65 dBc\n" in found.stdout
    assert "4151.111 6090.778 8218.111" in found.stdout
    assert "loading" not in found.stdout  # what a target prints is not the answer


def test_a_module_as_data(layers: str, tmp_path: Path) -> None:
    file = tmp_path / "leakage.json"
    assert run(f"{layers}:repeat", "--factor", "4", "--format", "json", "-o", str(file)).exit_code == 0
    document = json.loads(file.read_text("utf-8"))
    assert document["schema"] == "dspref.leakage/1"
    (row,) = document["upsamplers"]
    assert (row["name"], row["about"], row["tone_free"]) == (f"{layers}:repeat", "measured", True)


def test_the_table() -> None:
    text = run().stdout
    assert max(map(len, text.splitlines())) <= 80
    cut = text.index("×2") - 5  # as wide as the names of what is installed
    rows = {line[:cut].strip(): line[cut:].split() for line in text.splitlines()}
    assert rows["kaiser-sinc"][1:4] == ["-62.78", "-63.67", "-65.30"]
    assert all(float(cell.removeprefix("<")) < -280 for cell in rows["interpolate linear"][:4])
    assert rows["interpolate linear,"][:4] == ["-"] * 4  # corners aligned: not periodic
    five = json.loads(run("--factor", "5", "--format", "json").stdout)["upsamplers"]
    assert {row["factor"] for row in five} == {5}


def test_exit_codes(layers: str) -> None:
    assert run(f"{layers}:nine", "--factor", "3", "--fail-over", "-90").exit_code == 1
    assert run(f"{layers}:nine", "--factor", "3", "--fail-over", "-30").exit_code == 0
    assert run(f"{layers}:tanh", "--factor", "4").exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([":nine"], 2, "--factor: got none"),
        ([":nine", "--factor", "1"], 2, "factor: got 1; allowed: an integer >= 2"),
        ([":repeat", "--factor", "3"], 3, "length: upsampler: got"),
        ([":nin", "--factor", "3"], 2, "did you mean 'nine'?"),
        ([":nine", "--factor", "3", "--channels", "2"], 3, "to have 1 channels, but got 2"),
    ],
)
def test_refusals(layers: str, arguments: list[str], code: int, words: str) -> None:
    found = run(layers + arguments[0], *arguments[1:])
    assert found.exit_code == code
    assert words in found.output
    assert "Traceback" not in found.output
