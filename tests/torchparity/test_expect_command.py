"""``torchparity expect``: a prediction for a module, and networks that are drawn and measured beside it."""

from __future__ import annotations

import json
import math
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from dspref.expected import Drawn, Source, Sum, expected_spectrum
from tests.torchparity.test_sampled import SIGMAS, agree
from torchparity.cli import main
from torchparity.expect_check import Compared, checked, factors_of
from torchparity.experiment import coloured
from torchparity.formats import schema
from torchparity.known import NETWORKS
from torchparity.sampled import Estimate, sampled

COVARIANCE = (1.0, 0.6, 0.25)

NETS = '''
import os
import signal
from pathlib import Path

import torch
from torch import nn

def linear():
    """Two layers of three combs, no map: theory is exact."""
    print("made")
    return nn.Sequential(nn.ConvTranspose1d(3, 4, 4, 2), nn.ConvTranspose1d(4, 2, 6, 3))

def disturbing():
    """The same, but Ctrl-C comes on the twentieth call, once."""
    global calls
    calls += 1
    stop = Path(__file__).with_name("stop")
    if calls == 20 and stop.exists():
        stop.unlink()
        os.kill(os.getpid(), signal.SIGINT)
    return linear()

calls = 0

class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.lstm, self.out = nn.ConvTranspose1d(3, 4, 4, 2), nn.LSTM(4, 4), nn.ConvTranspose1d(4, 1, 4, 2)

    def forward(self, x):
        y, _ = self.lstm(self.up(x).permute(2, 0, 1))
        return self.out(y.permute(1, 2, 0))

def recurrent():
    return Recurrent()

def broken():
    net = linear()
    with torch.no_grad():
        net[0].weight[0, 0, 0] = float("nan")
    return net

def constant():
    net = linear()
    for p in net.parameters():
        nn.init.constant_(p, 0.5)
    return net
'''


@pytest.fixture
def nets(tmp_path: Path) -> str:
    path = tmp_path / "nets.py"
    path.write_text(NETS, "utf-8")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["expect", *arguments])


def answer(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == code, (result.output, result.exception)
    data: dict[str, Any] = json.loads(result.stdout)
    jsonschema.validate(data, schema("expect"), cls=jsonschema.Draft202012Validator)
    return data


def by_hand() -> list[Any]:
    return [Drawn("convt", 3, 4, 4, 2), Drawn("convt", 4, 2, 6, 3)]


def test_melgan_has_the_combs_of_the_design() -> None:
    """All five within the tenth of a decibel to which they are told."""
    data = answer("melgan", "--input", "ones")
    assert [row["divisor"] for row in data["combs"]] == [1, 2, 4, 32, 256]
    assert [row["every_hz"] for row in data["combs"]] == [22050, 11025, 5512.5, 689.0625, 86.1328125]
    due = [-21.5, -49.5, -76.4, -115.1, -132.3]
    assert [row["db"] for row in data["combs"]] == pytest.approx(due, abs=0.1)
    assert (data["channels"], data["narrowest"], data["floor_db"], data["check"]) == (80, 32, None, None)


@pytest.mark.parametrize(("kinds", "finest_hz"), [("white", 689.0625), ("ones+white", 86.1328125)])
def test_the_comb_that_is_seen_of_melgan_depends_on_the_offset(kinds: str, finest_hz: float) -> None:
    assert answer("melgan", "--input", kinds)["over_floor"]["finest_hz"] == finest_hz


def processor_time(*command: str) -> tuple[float, str]:
    """Return the processor time of a Python process, in which nothing else counts that runs, and what it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def test_start_and_prediction_take_as_long_as_a_few_imports_of_torch() -> None:
    """Five seconds where that takes 1.25, side by side: processors differ, and what runs beside slows both."""
    importing, _ = processor_time("-c", "import torch")
    predicting, printed = processor_time("-m", "torchparity.cli", "expect", "melgan", "--input", "ones")
    assert "86.1328125 Hz" in printed
    assert predicting < 4 * importing


def test_a_target_is_walked_and_told_as_by_hand(nets: str) -> None:
    data = answer(f"{nets}:linear", "--input", "ones+white")
    found = expected_spectrum(by_hand(), Source(3, 1.0, (1.0,)))
    assert [row["db"] for row in data["combs"]] == pytest.approx([comb.db for comb in found.combs], abs=1e-6)
    assert [row["every_hz"] for row in data["combs"]] == [None, None, None]
    assert data["floor_db"] == pytest.approx(10 * math.log10(found.noise), abs=1e-6)
    assert (data["exact"], data["outputs"], data["target"]) == (True, 2, f"{nets}:linear")
    without = answer(f"{nets}:linear", "--input", "ones+white", "--meta")
    assert without["combs"] == data["combs"]
    assert "every" in run(f"{nets}:linear", "--sr", "16000").stdout


def test_draws_stand_beside_the_prediction(nets: str, tmp_path: Path) -> None:
    """The network is linear: its theory is exact, and what differs is the error of the mean."""
    path = tmp_path / "r.txt"
    path.write_text(" ".join(map(str, COVARIANCE)), "utf-8")
    arguments = (f"{nets}:linear", "--input", f"ones+coloured:{path}", "--check", "60", "--seed", "5")
    check = answer(*arguments)["check"]
    found = expected_spectrum(by_hand(), Source(3, 1.0, COVARIANCE))
    assert [row["theory_db"] for row in check["combs"]] == pytest.approx([c.db for c in found.combs], abs=1e-6)
    assert [row["divisor"] for row in check["combs"]] == [1, 3, 6]
    for row in (*check["combs"], check["floor"]):
        assert abs(row["difference_errors"]) < SIGMAS
        assert row["error_db"] < 1
        assert row["difference_db"] == pytest.approx(row["db"] - row["theory_db"], abs=2e-6)
    page = run(*arguments, "--sr", "6000").stdout
    table = page[page.index("Against 60 networks drawn, seed 5") :]
    (line,) = re.findall(r"^sr/3 .*$", table, re.MULTILINE)
    _, hz, unit, theory, level, error, apart, errors = line.split()
    assert (hz, unit) == ("2000", "Hz")
    row = check["combs"][1]
    names = ("theory_db", "db", "error_db", "difference_db")
    told = [f"{row[n]:.2f}" for n in names[:3]] + [f"{row['difference_db']:+.2f}", f"{row['difference_errors']:+.1f}"]
    assert [theory, level, error, apart, errors] == told
    assert "floor" in table


def test_coloured_noise_has_the_floor_of_its_theory() -> None:
    """The density of a convolution of random kernel, in four bands, against r filtered: both by their definitions."""

    def conv() -> nn.Module:
        return nn.Conv1d(2, 3, 5)

    options: dict[str, Any] = {"draws": 200, "periods": 64, "bands": 4, "inputs": "coloured", "covariance": COVARIANCE}
    made = sampled(conv, [], **options)
    f = (np.arange(400) + 0.5) / 800
    colour = 1 + 2 * np.sum([r * np.cos(2 * np.pi * f * lag) for lag, r in enumerate(COVARIANCE) if lag], axis=0)
    agree(made.floors, colour.reshape(4, 100).mean(axis=1) / 3)
    found = expected_spectrum([Drawn("conv", 2, 3, 5)], Source(2, covariance=COVARIANCE))
    assert found.floor(f) == pytest.approx(colour / 3)


def test_coloured_noise_has_its_autocovariance_at_every_pair_of_places() -> None:
    """Also where a record is shorter than the autocovariance is long, and at its ends."""
    count, time = 20000, 4
    x = coloured((count, time), COVARIANCE, torch.Generator().manual_seed(1)).numpy()
    r = np.array([*COVARIANCE, 0.0])
    due = r[np.abs(np.subtract.outer(np.arange(time), np.arange(time)))]
    product = x[:, :, None] * x[:, None, :]
    error = product.std(axis=0) / math.sqrt(count)
    assert np.all(np.abs(product.mean(axis=0) - due) < SIGMAS * error)
    with pytest.raises(ValueError, match="whose spectrum is >= 0"):
        coloured((1, 4), (1.0, 0.8), torch.Generator())
    with pytest.raises(ValueError, match="an autocovariance with coloured input"):
        sampled(lambda: nn.Conv1d(1, 1, 1), [], inputs="coloured")


def test_nothing_seen_has_no_level_and_rounding_no_error() -> None:
    unseen, rounding = Compared(4, 0.0, 1e-4, 1e-4), Compared(4, 1e-40, 1e-34, 1e-36, 1e-30)
    assert (unseen.measured_db, unseen.theory_db, unseen.difference_db, unseen.errors) == (None, None, None, 1.0)
    assert (rounding.measured_db, rounding.difference_db, rounding.errors) == (None, None, None)
    assert Compared(1, 1.0, 1.0, 0.0).errors is None
    half = Compared(2, 1.0, 0.5, 0.25)
    assert (half.errors, half.to_dict()["difference_db"]) == (-2.0, None)
    quarter = Compared(2, 1.0, 0.5, 0.125)
    assert quarter.difference_db == pytest.approx(10 * math.log10(0.5))
    assert Estimate(np.array([0.5]), np.array([0.125])).db()[0] == quarter.measured_db


def test_a_quiet_input_has_no_floor_to_check(nets: str) -> None:
    data = answer(f"{nets}:linear", "--input", "ones", "--check", "4")
    assert data["check"]["floor"] is None
    assert data["floor_db"] is None
    other = sampled(lambda: nn.ConvTranspose1d(1, 1, 4, 2), [2], draws=2, inputs="ones")
    with pytest.raises(ValueError, match="zip"):
        checked(expected_spectrum(by_hand(), Source(3, 1.0)), other)


def test_combs_that_no_chain_makes_are_not_measured() -> None:
    two, three = ((Drawn("convt", 1, 1, 2 * s, factor=s), Drawn("conv", 1, 1, s, factor=s)) for s in (2, 3))
    up = Sum(((Drawn("convt", 1, 1, 12, 6), Drawn("conv", 1, 1, 3, 3)), (Drawn("convt", 1, 1, 4, 2),)))
    assert factors_of(expected_spectrum([*two, *three, up], Source(1, 1.0))) == (2,)
    odd = Sum(((Drawn("convt", 1, 1, 4, 2), Drawn("convt", 1, 1, 6, 3)), (Drawn("convt", 1, 1, 6, 3), two[0])))
    with pytest.raises(ValueError, match="combs to measure: got sr/1, sr/2, sr/3"):
        factors_of(expected_spectrum([odd], Source(1, 1.0), route="full"))


def test_a_refused_output_is_reported_and_not_drawn(nets: str, tmp_path: Path) -> None:
    image = tmp_path / "lines.png"
    arguments = (f"{nets}:recurrent", "--input", "ones+white", "--check", "20", "--plot", str(image))
    data = answer(*arguments, code=3)
    assert (data["combs"], data["floor_db"], data["check"], image.exists()) == ([], None, None, False)
    before = expected_spectrum([Drawn("convt", 3, 4, 4, 2)], Source(3, 1.0, (1.0,)))
    assert [row["divisor"] for row in data["partial"][0]["combs"]] == [comb.divisor for comb in before.combs]
    assert "LSTM" in data["not_predicted"][0]["what"]
    result = run(*arguments)
    assert result.exit_code == 3
    assert "The output is not predicted" in result.stdout
    assert "Not predicted:" in result.stdout


def test_demucs_ends_at_its_lstm() -> None:
    """At the article's size, which no weights are made for."""
    data = answer("demucs", code=3)
    assert "LSTM" in {gap["what"] for gap in data["not_predicted"]}
    assert data["partial"]
    assert NETWORKS["demucs"].meta


def test_a_picture_is_drawn(nets: str, tmp_path: Path) -> None:
    image = tmp_path / "lines.png"
    result = run(f"{nets}:linear", "--input", "ones+white", "--plot", str(image))
    assert result.exit_code == 0, result.output
    assert image.read_bytes().startswith(b"\x89PNG")
    quiet = run(f"{nets}:linear", "--input", "ones", "--plot", str(image))
    assert quiet.exit_code == 0, quiet.output


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--check", "0"], "draws: got 0"),
        (["--check", "1"], "the standard error needs two"),
        (["--check", "-3"], "draws: got -3"),
        (["--resume", "some.jsonl"], "--resume: got some.jsonl; allowed: together with --check N"),
        (["--jobs", "2"], "--jobs: got 2; allowed: together with --check N"),
        (["--input", "pink"], "input: got 'pink'"),
        (["--plot", "lines.pdf"], "picture: got lines.pdf; allowed: FILE.png"),
        (["--plot", "nowhere/lines.png"], "in no directory"),
        (["-o", "nowhere/report.txt"], "in no directory"),
        (["--channels", "0"], "--channels"),
        (["--sr", "-1"], "frequency"),
    ],
    ids=" ".join,
)
def test_wrong_options_end_before_any_work(
    arguments: list[str], match: str, nets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchparity.expect_command._resolved", None)
    result = run(f"{nets}:linear", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert match in result.stderr


@pytest.mark.parametrize(
    ("target", "options", "match"),
    [
        ("linear", ["--channels", "5"], "channels: got 5; allowed: 3, as the first layer takes"),
        ("linear", ["--rescale", "0"], "reference"),
        ("linear", ["--rescale", "nan"], "reference"),
        ("broken", [], "NaN|nan|finite"),
        ("constant", [], "constant|variance"),
        ("absent", [], "absent"),
    ],
)
def test_networks_that_have_no_answer_are_refused(target: str, options: list[str], match: str, nets: str) -> None:
    result = run(f"{nets}:{target}", *options)
    assert (result.exit_code, result.stdout) in {(2, ""), (3, "")}
    assert re.search(match, result.stderr)


@pytest.mark.parametrize(("target", "match"), [("melgam", "did you mean 'melgan'"), ("my/net.py", "my/net.py:NAME")])
def test_a_target_that_is_no_name_is_refused(target: str, match: str) -> None:
    result = run(target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert match in result.stderr


def test_the_file_of_other_draws_is_refused_and_its_own_goes_on(nets: str, tmp_path: Path) -> None:
    path = tmp_path / "draws.jsonl"
    arguments = (f"{nets}:linear", "--input", "ones", "--check", "20", "--resume", str(path))
    first = answer(*arguments)
    held = path.read_bytes()
    assert answer(*arguments) == first
    assert path.read_bytes() == held
    other = run(*arguments, "--seed", "1")
    assert (other.exit_code, other.stdout) == (2, "")
    assert "other work: seed 0 and not 1" in other.stderr
    assert path.read_bytes() == held


def test_an_interruption_ends_with_130_and_the_same_command_goes_on(nets: str, tmp_path: Path) -> None:
    path = tmp_path / "draws.jsonl"
    arguments = (f"{nets}:disturbing", "--input", "ones", "--check", "60", "--resume", str(path))
    (tmp_path / "stop").touch()
    stopped = run(*arguments)
    assert (stopped.exit_code, stopped.stdout) == (130, "")
    assert re.search(r"interrupted after \d+ of 60 draws; the same command goes on", stopped.stderr)
    assert 0 < path.read_bytes().count(b"\n") - 1 < 6
    assert answer(*arguments)["check"] == answer(f"{nets}:linear", *arguments[1:5])["check"]
    assert path.read_bytes().count(b"\n") - 1 == 6
