"""The command ``leakage``: text, data, exit codes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dspref.commands.leakage import leakage

NINE = "4066,6261,8133,9391,9834,9391,8133,6261,4066"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(leakage, arguments)


def test_taps_in_text() -> None:
    found = run("--factor", "3", "--taps", NINE, "--sr", "48000")
    assert found.exit_code == 0
    assert found.output == (
        "taps, factor 3: worst line -38.65 dBc\n  k = 1, 16000 Hz: -38.65 dBc\n"
        "nearest tone-free taps, a change of -35.98 dB re the taps:\n"
        "  4151.111 6090.778 8218.111 9476.111 9663.778 9476.111 8218.111 6090.778\n  4151.111\n"
    )


def test_taps_as_data(tmp_path: Path) -> None:
    file = tmp_path / "leakage.json"
    found = run("--factor", "2", "--taps", "1/4 0.75,3/4 1/4", "--format", "json", "-o", str(file))
    assert (found.exit_code, found.output) == (0, "")
    document = json.loads(file.read_text("utf-8"))
    assert document["schema"] == "dspref.leakage/1"
    (row,) = document["upsamplers"]
    assert (row["name"], row["tone_free"], row["worst_dbc"], row["lines"][0]["null"]) == ("taps", True, None, True)


def test_the_table() -> None:
    """Each level once; what is not installed says so; no more than 80 columns."""
    text = run().output
    assert max(map(len, text.splitlines())) <= 80
    rows = {line.split()[0]: line.split()[1:5] for line in text.splitlines() if line.strip()}
    assert rows["resample_poly"] == ["-65.72", "-70.37", "-71.74", "-72.97"]
    assert rows["kaiser-sinc"] == ["null", "-62.78", "-63.67", "-65.30"]
    assert rows["nearest"] == ["null"] * 4
    assert "kaiser-sinc: ×5 -64.31, ×6 -64.75, ×7 -65.06, ×9 -65.48, ×10 -65.63." in text
    assert "null: proved; <: nothing above that, which is rounding." in " ".join(text.split())
    assert "inf" not in text


def test_the_table_as_data() -> None:
    document = json.loads(run("--format", "json", "--factor", "2", "--sr", "44100").output)
    rows = {row["name"]: row for row in document["upsamplers"]}
    assert document["sr"] == 44100
    assert rows["resample_poly"]["worst_dbc"] == pytest.approx(-65.722286)
    assert rows["resample_poly"]["lines"][0]["hz"] == 22050
    assert all(row["analysable"] or row["note"] for row in rows.values())


def test_one_name() -> None:
    lines = run("kaiser-sinc", "--sr", "48000").output.splitlines()
    assert lines[2].split()[:3] == ["kaiser-sinc", "2", "null"]
    assert lines[3].split()[:5] == ["kaiser-sinc", "3", "-62.78", "16000", "Hz"]
    assert run("kaiser-sinc", "--factor", "3").output.startswith("kaiser-sinc, factor 3: worst line -62.78 dBc\n")


def test_minus_signs_of_print_are_read() -> None:
    words = ("--factor", "2", "--taps", "-1,2,4")
    assert run(*(word.replace("-1", "\N{MINUS SIGN}1") for word in words)).output == run(*words).output
    assert run("resample_poly", "--factor", "2", "--fail-over", "\N{MINUS SIGN}70").exit_code == 1
    assert run("resample_poly", "--factor", "2", "--fail-over", "\N{MINUS SIGN}60").exit_code == 0


def test_no_more_lines_than_the_limit() -> None:
    few = run("nearest", "--factor", "100").output.splitlines()
    assert len(few) == 42
    assert few[-1] == "  … and 10 more: --limit 50 lists them all."
    every = run("nearest", "--factor", "100", "--limit", "50").output.splitlines()
    assert every[:41] == few[:41]
    assert (len(every), "limit" in every[-1]) == (51, False)


def test_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "soxr", None)
    assert run("resample_poly", "--factor", "2", "--fail-over", "-70").exit_code == 1
    assert run("resample_poly", "--factor", "2", "--fail-over", "-60").exit_code == 0
    assert run("nearest", "--fail-over", "-300").exit_code == 0
    assert (run("soxr").exit_code, run("soxr", "--factor", "2").output) == (3, "soxr, not installed\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["neerest"], 2, "did you mean 'nearest'?"),
        (["--taps", "1,2"], 2, "--taps needs --factor L, as --factor 3"),
        (["nearest", "--taps", "1,2"], 2, "got NAME and --taps"),
        (["--taps", "", "--factor", "2"], 2, "taps: got shape (0,)"),
        (["--taps", "1,x", "--factor", "2"], 2, "tap 1: got 'x'; allowed: integers, decimals or fractions"),
        (["--taps", "1,,2", "--factor", "2"], 2, "tap 1: got ''; allowed: integers, decimals or fractions"),
        (["--taps", "1,2,", "--factor", "2"], 2, "tap 2: got ''"),
        (["nearest", "--fail-over", "loud"], 2, "level: got 'loud'; allowed: a number of dB. Hint: as -90"),
        (["nearest", "--fail-over", "nan"], 2, "level: got 'nan'"),
        (["--taps", "1,1/0", "--factor", "2"], 2, "tap 1: got '1/0'"),
        (["--taps", "1,nan", "--factor", "2"], 2, "tap 1: got 'nan'"),
        (["--taps", "1,-1", "--factor", "2"], 3, "nothing of a constant passes"),
        (["--taps", "-1,2", "--factor", "1"], 2, "factor: got 1; allowed: an integer >= 2"),
        (["--factor", "x"], 2, "'x' is not a valid integer"),
        (["nearest", "--sr", "-5"], 2, "allowed: a number of hertz > 0"),
        (["-o", "no/such/folder/file"], 2, "a path in a directory that is there"),
    ],
)
def test_refusals(arguments: list[str], code: int, words: str) -> None:
    found = run(*arguments)
    assert found.exit_code == code
    assert words in found.output
    assert "Traceback" not in found.output
