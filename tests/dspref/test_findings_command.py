"""The command that says what an architecture does to sound."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result

from dspref.cli import dspref


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dspref, ["findings", *arguments])


def test_a_tone_from_noise_is_an_error_with_its_level() -> None:
    ended = run("linear x4 | relu", "--sr", "16000")
    assert ended.exit_code == 1
    assert "error UA106 tone from noise alone, stage 0, 4000 Hz (1 of 2): -23.4 dB" in ended.stdout
    assert all(len(line) <= 79 for line in ended.stdout.splitlines())
    assert run("linear x4 | relu", "--sr", "16000", "--fail-on", "never").exit_code == 0


def test_without_weights_nothing_is_an_error() -> None:
    ended = run("--preset", "melgan")
    assert ended.exit_code == 0
    assert "level not known" in ended.stdout
    assert run("--preset", "melgan", "--fail-on", "warning").exit_code == 1


def test_json_holds_the_same() -> None:
    document = json.loads(run("nearest x2", "--sr", "16000", "--format", "json").stdout)
    assert document["schema"] == "dspref.findings/1"
    assert (document["spec"], document["sr"]) == ("nearest x2", 16000)
    severities = [row["severity"] for row in document["findings"]]
    assert {name: severities.count(name) for name in document["counts"]} == document["counts"]
    assert "UA201" in {row["rule"] for row in document["findings"]}


def test_what_is_no_architecture_is_refused() -> None:
    assert run().exit_code == 2
    ended = run("conv k4 s2", "--sr", "16000")
    assert ended.exit_code == 3
    assert "allowed:" in ended.stderr
