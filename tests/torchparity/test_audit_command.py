"""The command ``torchparity audit``: exit codes, files, formats, and bad input in words."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner, Result
from torch import nn

from torchparity.cli import main

DECODERS = """
import torch
from torch import nn

class Hum(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 1, 4, 2, 1)
    def forward(self, x):
        y = self.up(x)
        return y + torch.cos(0.8 * torch.arange(y.shape[-1], dtype=torch.float64)).to(y.dtype) * float(x.std() > 0)

def good():
    return nn.Sequential(nn.Conv1d(2, 2, 3, padding=1), nn.ReLU(), nn.ConvTranspose1d(2, 1, 4, 4))

def mono():
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(1, 1, 9, padding=4))

def flat():
    return nn.Conv1d(1, 1, 3)

def loud():
    print("loading ...")
    return good()

def nothing():
    return None

def broken():
    raise RuntimeError("no weights here")

def two():
    return Two()

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose1d(2, 1, 4, 4)
    def forward(self, x, speaker):
        y = self.up(x + speaker)
        return {"wave": y, "wet": y + 1}

def example(length):
    return {"x": torch.randn(1, 2, length), "speaker": torch.ones(1, 2, 1)}

class Quiet(nn.Module):
    def forward(self, x):
        return x.repeat_interleave(2, -1) + torch.randn(1)

Hostile = type("<script>alert(1)</script>&", (nn.ConvTranspose1d,), {})

def hostile():
    return nn.Sequential(Hostile(1, 1, 4, 2, 1))

number = 7
"""

CONFIG = {
    "data": {"sampling_rate": 40000, "hop_length": 400},
    "model": {"upsample_rates": [10, 10, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4]},
}
"""The keys of RVC-Project/Retrieval-based-Voice-Conversion-WebUI, configs/v1/40k.json."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "decoders.py").write_text(DECODERS)
    (tmp_path / "rvc.json").write_text(json.dumps(CONFIG))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def audit(*words: str) -> Result:
    return CliRunner().invoke(main, ["audit", *words])


def test_a_module_of_ones_own_is_audited(folder: Path) -> None:
    result = audit("decoders.py:good", "--sr", "16000")
    assert result.exit_code == 0, result.output
    assert "decoders-py-good at 16000 Hz: 1 upsampling layer, ×4" in result.output
    assert "verdict: every peak is explained by an upsampling layer" in result.output
    assert max(len(row) for row in result.output.splitlines()) <= 80
    assert (folder / "audit-decoders-py-good.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "audit-decoders-py-good.json").read_text())["schema"] == "torchparity.audit/2"


def test_json_says_what_the_table_says(folder: Path) -> None:
    result = audit("decoders.py:good", "--sr", "16000", "--format", "json", "-o", "a.json", "--seeds", "2")
    data = json.loads(result.stdout)
    assert data == json.loads((folder / "a.json").read_text())
    assert [line["hz"] for line in data["lines"]] == [0, 4000, 8000]
    assert [line["owner"] for line in data["lines"]] == [1, 1, 1]
    assert [(r["input"], r["seed"]) for r in data["runs"]] == [(i, s) for s in (0, 1) for i in ("constant", "noise")]
    assert all(r["peaks_off_grid"] == [] for r in data["runs"])
    assert not (folder / "audit-decoders-py-good.json").exists()


@pytest.mark.parametrize(("fail_on", "good", "hum"), [("error", 0, 1), ("warning", 1, 1), ("never", 0, 0)])
def test_exit_codes_follow_fail_on(folder: Path, fail_on: str, good: int, hum: int) -> None:
    for target, code in (("decoders.py:good", good), ("decoders.py:Hum", hum)):
        assert audit(target, "--fail-on", fail_on, "-o", "a.txt").exit_code == code


def test_a_recording_is_fed_to_a_mono_chain(folder: Path) -> None:
    noise = np.random.default_rng(0).standard_normal(4000) / 8
    soundfile.write(folder / "noise.flac", noise, 8000)
    result = audit("decoders.py:mono", "--wav", "noise.flac", "--format", "json", "-o", "a.png")
    data = json.loads(result.stdout)
    assert data["sr"] == 16000
    assert [r["input"] for r in data["runs"]] == ["recording"]
    assert (folder / "a.png").exists()
    half = audit("decoders.py:mono", "--wav", "noise.flac", "--wav-sr", "4000", "--format", "json", "-o", "a.png")
    assert json.loads(half.stdout)["sr"] == 8000


def test_without_a_rate_frequencies_are_in_cycles_per_sample(folder: Path) -> None:
    data = json.loads(audit("decoders.py:good", "--format", "json", "-o", "a.json").stdout)
    assert data["sr"] == 1
    head = audit("decoders.py:good").output.splitlines()[0]
    assert "at 1 Hz (no --sr given: frequencies are fractions of the output rate): " in head


def test_what_a_target_prints_does_not_spoil_the_json(folder: Path) -> None:
    assert json.loads(audit("decoders.py:loud", "--format", "json", "-o", "a.json").stdout)["factor"] == 4


def test_without_soundfile_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(folder / "mono.wav", np.ones(1000) / 2, 8000)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    result = audit("decoders.py:mono", "--wav", "mono.wav")
    assert result.exit_code == 2
    assert "pip install 'dspref[audio]'" in result.output


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["decoders"],
            2,
            "allowed: a network, a preset (see 'dspref presets'), pkg.mod:factory or path/file.py:factory",
        ),
        (["melgann"], 2, "did you mean 'melgan'?"),
        (["decoders.py"], 2, "name its factory: decoders.py:NAME"),
        (["fig6-nearest", "--wav", "missing.wav", "--sr", "8000"], 2, "--wav-sr resamples the recording"),
        (["decoders.py:good", "--seed", "99999999999999999999999"], 2, "99999999999999999999999"),
        (["decoders.py:good", "--input", "1,2,999999999"], 3, "at most 268435456"),
        (["missing.py:f"], 2, "missing.py"),
        (["no.such.package:f"], 2, "No module named"),
        (["decoders.py:god"], 2, "did you mean 'good'?"),
        (["decoders.py:number"], 2, "of type int"),
        (["decoders.py:nothing"], 2, "got NoneType; allowed: an nn.Module"),
        (["decoders.py:broken"], 2, "no weights here"),
        (["decoders.py:flat"], 3, "upsampling layers: got none"),
        (["decoders.py:good", "--input", "3"], 3, "input of shape (1, 3, 32)"),
        (["decoders.py:good", "--input", "0"], 2, "input shape"),
        (["decoders.py:good", "--input", "2,1000000000000"], 2, "input shape"),
        (["decoders.py:good", "--sr", "0"], 2, "0"),
        (["decoders.py:good", "--sr", "-1"], 2, "-1"),
        (["decoders.py:good", "--sr", "nan"], 2, "nan"),
        (["decoders.py:good", "-o", "a.wav"], 2, "output: got a.wav; allowed: FILE.html or FILE.json or FILE.md"),
        (["decoders.py:good", "-o", "no/such/folder/a.json"], 2, "no/such/folder/a.json"),
        (["decoders.py:good", "--wav", "missing.wav"], 2, "missing.wav, which is no file"),
        (["decoders.py:good", "--wav-sr", "4000"], 2, "together with --wav FILE"),
        ([], 2, "target: got none; allowed: a preset"),
        (["decoders.py:two"], 3, "got 2: x, speaker; allowed: one tensor. Hint: give examples of all arguments"),
        (["decoders.py:two", "--inputs", "decoders.py:example"], 3, "highest rate: got wave, wet; allowed: one."),
        (["decoders.py:two", "--inputs", "decoders.py:exampel"], 2, "did you mean 'example'?"),
        (["decoders.py:two", "--inputs", "decoders.py:number"], 2, "of type int; allowed: a function"),
        (
            ["decoders.py:two", "--inputs", "decoders.py:example", "--layout", "BTC"],
            2,
            "examples alone: they have both",
        ),
        (["decoders.py:good", "--pick", "wave"], 3, "output: got 'wave'; allowed: one tensor"),
        (["decoders.py:good", "--layout", "BTC"], 3, "input of shape"),
        (["decoders.py:Quiet"], 3, "another output for the same input"),
        (["decoders.py:good", "--input-signal", "speech"], 2, "'speech' is not one of"),
        (["decoders.py:good", "--checkpoint", "missing.pt"], 2, "missing.pt, which is no file"),
        (["decoders.py:good", "--checkpoint", "decoders.py"], 2, "allowed: FILE.safetensors or FILE.pt"),
        (["decoders.py:good", "--against", "missing.json"], 2, "missing.json: No such file"),
        (["decoders.py:good", "--against", "melgann"], 2, "did you mean 'melgan'?"),
        (["--config", "missing.json"], 2, "missing.json: config: got no such file"),
        (["--config", "rvc.json", "--checkpoint", "a.pt"], 2, "--checkpoint: got no TARGET; allowed: a TARGET beside"),
        (["--config", "rvc.json", "--input-signal", "noise"], 2, "--input-signal: got no TARGET"),
        (["--config", "rvc.json", "-o", "a.png"], 2, "picture: got an architecture, which was not run"),
    ],
)
def test_bad_input_ends_with_words_and_nothing_written(folder: Path, words: list[str], code: int, message: str) -> None:
    before = sorted(folder.iterdir())
    result = audit(*words)
    assert result.exit_code == code, result.output
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert [p for p in sorted(folder.iterdir()) if p.name != "__pycache__"] == before


def test_a_stereo_recording_and_a_wide_module_are_refused(folder: Path) -> None:
    soundfile.write(folder / "stereo.wav", np.zeros((100, 2)), 8000)
    soundfile.write(folder / "mono.wav", np.ones(1000) / 2, 8000)
    assert "with 2 channels; allowed: one channel" in audit("decoders.py:mono", "--wav", "stereo.wav").output
    refused = audit("decoders.py:good", "--wav", "mono.wav")
    assert refused.exit_code == 3
    assert "got 2 input channels; allowed: one input channel" in " ".join(refused.output.split())


def test_the_output_is_asked_for_before_the_work(folder: Path) -> None:
    result = audit("decoders.py:broken", "-o", "no/such/folder/a.json")
    assert "no/such/folder" in result.output
    assert "no weights here" not in result.output


def test_a_config_alone_is_an_architecture_of_a_1000_hz_grid(folder: Path) -> None:
    result = audit("--config", "rvc.json", "--format", "json", "-o", "a.json")
    data = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (data["sr"], data["factor"], data["runs"]) == (40000, 400, [])
    assert data["lines"][1]["hz"] == 100
    assert any("lines at multiples of 1000 Hz stand over the floor" in f["text"] for f in data["findings"])


def test_a_config_with_snake_says_what_is_left_out(folder: Path) -> None:
    big = {"upsample_rates": [2], "upsample_kernel_sizes": [4], "activation": "snakebeta"}
    (folder / "big.json").write_text(json.dumps(big))
    data = json.loads(audit("--config", "big.json", "--format", "json", "-o", "a.json").stdout)
    assert [row["op"] for row in data["stages"]] == ["conv", "convt", "snake", "conv", "tanh"]
    assert any(remark.startswith('activation "snakebeta": snake') for remark in data["remarks"])


def test_a_config_beside_a_target_says_its_rate_and_what_differs(folder: Path) -> None:
    data = json.loads(audit("decoders.py:good", "--config", "rvc.json", "--format", "json", "-o", "a.json").stdout)
    assert data["sr"] == 40000
    assert any("the config says ×400 by its layers, the module has ×4" in f["text"] for f in data["findings"])


def test_examples_and_a_picked_output_make_an_audit(folder: Path) -> None:
    result = audit("decoders.py:two", "--inputs", "decoders.py:example", "--pick", "wet", "-o", "a.json")
    assert result.exit_code == 0, result.output
    assert json.loads((folder / "a.json").read_text())["factor"] == 4


def test_several_signals_are_fed(folder: Path) -> None:
    words = [w for name in ("silence", "sweep") for w in ("--input-signal", name)]
    data = json.loads(audit("decoders.py:good", *words, "--format", "json", "-o", "a.json").stdout)
    assert [run["input"] for run in data["runs"]] == ["silence", "sweep"]


def test_a_checkpoint_against_fresh_weights_is_no_change_if_it_holds_the_same(folder: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(2, 2, 3, padding=1), nn.ReLU(), nn.ConvTranspose1d(2, 1, 4, 4))
    torch.save(module.state_dict(), folder / "same.pt")
    torch.save({k: v if "2." not in k else 2 * v for k, v in module.state_dict().items()}, folder / "double.pt")
    same = audit("decoders.py:good", "--against", "same.pt", "-o", "fresh.json").output
    assert "no line changed" in same
    twice = audit("decoders.py:good", "--checkpoint", "double.pt", "--against", "fresh.json", "-o", "a.json").output
    changes = re.findall(r"dB +([+-]\d+\.\d) dB$|(new|gone)$", twice, re.MULTILINE)
    assert len(changes) >= 2
    assert set(changes) == {("+6.0", "")}  # the last layer is linear: twice the weights, twice the lines
    assert "decoders-py-good with double.pt against decoders-py-good" in " ".join(twice.split())


def test_another_target_is_compared(folder: Path) -> None:
    result = audit("decoders.py:good", "--against", "decoders.py:loud", "-o", "a.json")
    assert "no line changed" in result.output


def test_wrong_keys_of_a_checkpoint_end_with_2_and_are_listed(folder: Path) -> None:
    torch.save({"weight": torch.ones(1)}, folder / "a.pt")
    result = audit("decoders.py:good", "--checkpoint", "a.pt")
    assert result.exit_code == 2
    assert "0 of 4 keys fit; 4 missing: 0.weight, 0.bias, 2.weight, 2.bias" in " ".join(result.output.split())


def test_hostile_names_reach_the_json_as_data(folder: Path) -> None:
    result = audit("decoders.py:hostile", "-o", "a.json", "-o", "a.txt")
    assert result.exit_code == 0, result.output
    assert json.loads((folder / "a.json").read_text())["factor"] == 2
