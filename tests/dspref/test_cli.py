"""The command dspref: contracts of its JSON, its text, its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dspref import __version__, cli, documents
from dspref.cli import dspref
from dspref.presets import PRESETS

THREE = "convt k4 s2 | convt k4 s2 | convt k4 s2"


def run(*words: str) -> Result:
    return CliRunner().invoke(dspref, words, prog_name="dspref")


def answer(*words: str) -> Any:
    result = run(*words, "--format", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_predict_melgan_as_json() -> None:
    document = answer("predict", "--preset", "melgan", "--sr", "22050")
    assert list(document) == ["schema", "version", "spec", "sr", "factor", "stages", "lines"]
    assert document["schema"] == "dspref.predict/1"
    assert document["version"] == __version__
    assert document["spec"] == PRESETS["melgan"].spec
    assert (document["sr"], document["factor"]) == (22050, 256)
    lines = document["lines"]
    assert [line["hz"] for line in lines] == [k * 86.1328125 for k in range(129)]
    assert lines[-1]["hz"] == 11025
    assert [line["freq"] for line in lines] == [f"{k}/256" for k in range(129)]
    spacing = {1: 1, 2: 8, 3: 64, 4: 128}
    for k, line in enumerate(lines):
        assert set(line) == {"hz", "freq", "owner", "stage", "origins", "level_db"}
        assert line["origins"] == [i for i, step in spacing.items() if k % step == 0]
        assert line["owner"] == line["origins"][-1]
        assert line["stage"] == 2 * line["owner"]
        assert line["level_db"] is None


def test_the_stages_of_melgan() -> None:
    stages = answer("predict", "--preset", "melgan")["stages"]
    keys = {"stage", "owner", "op", "length", "factor", "rate_in", "rate_out", "overlap", "spec"}
    assert all(set(row) == keys for row in stages)
    assert [row["stage"] for row in stages] == list(range(12))
    assert [row["owner"] for row in stages] == [None, None, 1, None, 2, None, 3, None, 4, None, None, None]
    assert stages[2] == {
        "stage": 2,
        "owner": 1,
        "op": "convt",
        "length": 16,
        "factor": 8,
        "rate_in": 86.1328125,
        "rate_out": 689.0625,
        "overlap": "full",
        "spec": "convt k16 s8 p4",
    }
    assert stages[1]["length"] is None
    assert stages[-1]["rate_out"] == 22050


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_predicted_both_ways(name: str) -> None:
    document = answer("predict", "--preset", name)
    assert document["lines"][1]["hz"] == PRESETS[name].sr / document["factor"]
    result = run("predict", "--preset", name)
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_a_component_has_images() -> None:
    images = answer("predict", "nearest x2", "--sr", "16000", "--component", "1000")["images"]
    assert [set(image) for image in images] == [{"hz", "freq", "order", "owner", "stage", "gain_db"}] * 2
    assert [image["hz"] for image in images] == [1000, 7000]


UNKNOWN_LEVELS = """\
convt k4 s2 | relu | nearest x2
Output 22050 Hz, input 5512.5 Hz, factor 4.

stage  layer  words        taps  factor  in (Hz)  out (Hz)  overlap
───────────────────────────────────────────────────────────────────
0          1  convt k4 s2     4       2   5512.5     11025  full
1          -  relu            -       1    11025     11025  -
2          2  nearest x2      2       2    11025     22050  -

3 lines: 0 … 11025 Hz, every 5512.5 Hz; 0 Hz is the offset itself, no tone.

layer  at multiples of (Hz)  new lines  first (Hz)
──────────────────────────────────────────────────
1      5512.5                        1  5512.5
2      11025                         1  11025

    Hz  freq  layer   also from layers
──────────────────────────────────────
     0   0/4  offset
5512.5   1/4  1
… and 1 more: --limit 3 lists them all.

Levels are not known: that takes all weights, and no pointwise map.
"""

KNOWN_LEVELS = """\
stretch x2 | nearest x2
Output 32000 Hz, input 8000 Hz, factor 4.

stage  layer  words       taps  factor  in (Hz)  out (Hz)  overlap
──────────────────────────────────────────────────────────────────
0          1  stretch x2     1       2     8000     16000  -
1          2  nearest x2     2       2    16000     32000  -

3 lines: 0 … 16000 Hz, every 8000 Hz; 0 Hz is the offset itself, no tone.

layer  at multiples of (Hz)  new lines  first (Hz)
──────────────────────────────────────────────────
1      8000                          1  8000
2      16000                         1  16000

   Hz  freq  layer   also from layers  level (dB)
─────────────────────────────────────────────────
    0   0/4  offset                         -6.02
 8000   1/4  1                              -9.03
16000   2/4  2       1                       null

Level: 20 log10 |c| of the complex line, for an input offset of 1.

Images of 0 Hz
   Hz  order  new at layer  gain (dB)
─────────────────────────────────────
    0      0  input             -6.02
 8000      1  1                 -9.03
16000      2  2                  null
"""

NO_FINITE_DECIMAL = """\
convt k4 s2 | relu | nearest x3
Output 16000 Hz, input 8000/3 Hz = 2666.66… Hz, factor 6.

stage  layer  words        taps  factor         in (Hz)        out (Hz)  overlap
────────────────────────────────────────────────────────────────────────────────
0          1  convt k4 s2     4       2        8000/3 =       16000/3 =  full
                                               2666.66…        5333.33…
1          -  relu            -       1       16000/3 =       16000/3 =  -
                                               5333.33…        5333.33…
2          2  nearest x3      3       3       16000/3 =           16000  -
                                               5333.33…

4 lines: 0 … 8000 Hz, every 8000/3 Hz = 2666.66… Hz; 0 Hz is the offset itself,
no tone.

layer  at multiples of (Hz)  new lines  first (Hz)
───────────────────────────────────────────────────────────────
1      8000/3 = 2666.66…             2  8000/3 = 2666.66…, 8000
2      16000/3 = 5333.33…            1  16000/3 = 5333.33…

                Hz  freq  layer   also from layers
──────────────────────────────────────────────────
                 0   0/6  offset
 8000/3 = 2666.66…   1/6  1
16000/3 = 5333.33…   2/6  2       1
              8000   3/6  1

Levels are not known: that takes all weights, and no pointwise map.
"""


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (["convt k4 s2 | relu | nearest x2", "--sr", "22050", "--limit", "2"], UNKNOWN_LEVELS),
        (["stretch x2 | nearest x2", "--sr", "32000", "--component", "0"], KNOWN_LEVELS),
        (["convt k4 s2 | relu | nearest x3", "--sr", "16000"], NO_FINITE_DECIMAL),
    ],
    ids=["unknown levels", "known levels", "no finite decimal"],
)
def test_predict_as_text(words: list[str], page: str) -> None:
    assert run("predict", *words).stdout == page


def test_a_chain_that_raises_no_rate() -> None:
    page = run("predict", "conv k3", "--sr", "8000").stdout
    assert page.endswith("No layer raises the rate: an offset stays an offset, and makes no line.\n")


WHENCE = """\
4000 Hz: layer 1 (convt k4 s2, stage 0) makes it
8000 Hz: layer 2 (convt k4 s2, stage 1) makes it; with a map behind layer 2, also possible from layer 1
16000 Hz: layer 3 (convt k4 s2, stage 2) makes it; with a map behind layer 3, also possible from layers 1, 2
5000 Hz: no layer can; nearest possible line 4000 Hz (layer 1)
12000 Hz: layer 1 (convt k4 s2, stage 0) makes it, as a replica of its 4000 Hz line
0 Hz: the offset itself, no tone
1000 Hz: no layer can; first possible line 4000 Hz (layer 1)
15999.5 Hz: no layer can; nearest possible line 16000 Hz (layer 3)
16000/3 Hz = 5333.33… Hz: no layer can; nearest possible line 4000 Hz (layer 1)
"""

ASKED = ["4000", "8000", "16000", "5000", "12000", "0", "1000", "15999.5", "16000/3"]


def test_whence_as_text() -> None:
    result = run("whence", *ASKED, "--spec", THREE, "--sr", "32000")
    assert (result.exit_code, result.stdout) == (0, WHENCE)


def test_whence_as_json() -> None:
    document = answer("whence", *ASKED, "--spec", THREE, "--sr", "32000")
    assert list(document) == ["schema", "sr", "spec", "queries"]
    assert (document["schema"], document["sr"], document["spec"]) == ("dspref.whence/1", 32000, THREE)
    owners = [query["owner"] for query in document["queries"]]
    assert owners == [1, 2, 3, None, 1, 3, None, None, None]
    assert document["queries"][3] == {
        "hz": 5000,
        "owner": None,
        "stage": None,
        "origins": [],
        "cannot": [1, 2, 3],
        "nearest_hz": 4000,
    }
    assert document["queries"][1]["origins"] == [1, 2]
    assert document["queries"][-1]["hz_exact"] == "16000/3"


def test_whence_knows_nulls_and_chains_that_make_nothing() -> None:
    page = run("whence", "8000", "--spec", "nearest x2", "--sr", "16000").stdout
    assert page == "8000 Hz: layer 1 (nearest x2, stage 0) could make it, but with these taps it is exactly null\n"
    page = run("whence", "8000", "--spec", "conv k3", "--sr", "16000").stdout
    assert page == "8000 Hz: no layer can; none raises the rate\n"


def test_the_rate_of_a_preset_or_config_can_be_overridden(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"upsample_rates": [8, 8], "upsample_kernel_sizes": [16, 16], "sampling_rate": 16000}')
    assert answer("predict", "--config", str(config))["sr"] == 16000
    assert answer("predict", "--config", str(config), "--sr", "24000")["sr"] == 24000
    assert answer("predict", "--preset", "melgan", "--sr", "24000")["lines"][1]["hz"] == 93.75
    assert answer("predict", "--spec", THREE, "--sr", "32000") == answer("predict", THREE, "--sr", "32000")


SOURCES = "give exactly one of SPEC, --spec, --config, --preset"

USAGE = [
    (["predict"], f"got no architecture; {SOURCES}"),
    (["predict", "relu", "--preset", "melgan"], f"got SPEC and --preset; {SOURCES}"),
    (["predict", "--config", "x", "--spec", "relu"], f"got --spec and --config; {SOURCES}"),
    (["whence", "4000"], "got no architecture; give exactly one of --spec, --config, --preset"),
    (["whence", "--preset", "melgan"], "Missing argument 'HZ...'"),
    (["predict", "nearest x2"], "no output rate: SPEC says none, so --sr HZ is needed"),
    (["predict", "nearest x2", "--sr", "0"], "'--sr': frequency: got '0'; allowed: a number of hertz > 0"),
    (["predict", "nearest x2", "--sr", "-1"], "'--sr': frequency: got '-1'; allowed: a number of hertz > 0"),
    (["predict", "nearest x2", "--sr", "nan"], "'--sr': frequency: got 'nan'"),
    (["predict", "nearest x2", "--sr", "inf"], "'--sr': frequency: got 'inf'"),
    (["predict", "nearest x2", "--sr", "44.1k"], "as 22050, 86.1328125, 44.1e3 or 16000/3"),
    (["predict", "nearest x2", "--sr", "8000", "--component", "x"], "'--component': frequency: got 'x'"),
    (["predict", "nearest x2", "--sr", "8000", "--component", "4000"], "component: got 4000 Hz; allowed: 0 … 2000 Hz"),
    (["predict", "nearest x2", "--sr", "8000", "--limit", "-1"], "-1 is not in the range x>=0"),
    (["predict", "nearest x2", "--sr", "8000", "--format", "xml"], "'xml' is not one of 'text', 'json'"),
    (["whence", "4k", "--preset", "melgan"], "frequency: got '4k'; allowed: a number of hertz >= 0"),
    (["whence", "12000", "--preset", "melgan"], "frequency: got 12000 Hz; allowed: 0 … 11025 Hz, half of 22050 Hz"),
    (["predict", "conv k3 | neerest x2", "--sr", "8000"], "column 11: layer: got 'neerest'"),
    (["predict", "nearest x9999 | nearest x9", "--sr", "8000"], "factor of the chain: got 89991; allowed: at most"),
    (["predict", "--preset", "melgn"], "preset: got 'melgn'; allowed: melgan"),
    (["presets", "melgn"], "did you mean 'melgan'?"),
    (["predict", "--config", "/nowhere/config.json"], "/nowhere/config.json: config: got no such file"),
    (["predict", "--preset", "melgan", "-o", "/nowhere/x"], "output: got /nowhere/x, in no directory"),
    (["predict", "--preset", "melgan", "-o", "/"], "output: got /, a directory"),
    (["whence", "-100", "--preset", "melgan"], "frequency: got '-100'; allowed: a number of hertz >= 0"),
    (["whence", "100", "--perset", "melgan"], "--perset"),
    (
        ["predict", "convt k4 s2, conv k3", "--sr", "8000"],
        "column 12: architecture: got ','; allowed: words",
    ),
    (["predcit"], "No such command 'predcit'"),
]


@pytest.mark.parametrize(("words", "message"), USAGE, ids=[" ".join(words) for words, _ in USAGE])
def test_bad_input_is_answered_in_words(words: list[str], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", [["predict"], ["whence", "100"]], ids=["predict", "whence"])
def test_a_decimating_chain_is_not_analysable(command: list[str]) -> None:
    result = run(*command, "--spec", "nearest x4 | conv k3 s2", "--sr", "8000")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: factor of a chain: got conv at 1/2")


def test_the_output_is_checked_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("work before the check")

    monkeypatch.setattr(cli, "predict_document", work)
    assert run("predict", "--preset", "melgan", "-o", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_file_holds_what_the_terminal_shows(tmp_path: Path, form: str) -> None:
    target = tmp_path / "answer"
    words = ["predict", "--preset", "encodec-24k", "--format", form]
    result = run(*words, "-o", str(target))
    assert (result.exit_code, result.output) == (0, "")
    assert target.read_text("utf-8") == run(*words).stdout


def test_presets_are_listed_and_told_in_full() -> None:
    page = run("presets").stdout
    assert all(name in page for name in PRESETS)
    assert max(len(line) for line in page.splitlines()) <= 80
    assert "10.7666015625" in page
    page = " ".join(run("presets", "melgan").stdout.split())
    assert PRESETS["melgan"].spec in page
    assert PRESETS["melgan"].source in page
    assert PRESETS["melgan"].note in page


def test_the_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in ["python", *cli.NEEDED, *cli.OPTIONAL])

    def version(name: str) -> str:
        if name in ("torch", "sympy"):
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(documents, "version", version)
    result = run("doctor")
    assert result.exit_code == 1
    page = " ".join(result.stdout.split())
    assert "sympy missing needed: pip install sympy" in page
    assert "pip install 'dspref[torch]'" in page
    assert "matplotlib 1.2.3 pictures of spectrograms" in page


def test_version_and_help() -> None:
    assert run("--version").stdout == f"dspref, version {__version__}\n"
    for words in ([], ["predict"], ["whence"], ["presets"], ["doctor"]):
        page = run(*words, "--help").stdout
        assert page.startswith(f"Usage: {' '.join(['dspref', *words])} ")
        assert max(len(line) for line in page.splitlines()) <= 80


def test_the_module_is_the_same_command() -> None:
    """One process each: same help under one name, and nothing heavy loaded on the way."""
    script = Path(sys.executable).with_name("dspref")
    environment = {**os.environ, "COLUMNS": "80"}
    commands = [[str(script), "--help"], [sys.executable, "-m", "dspref.cli", "--help"]]
    pages = [subprocess.run(c, capture_output=True, text=True, check=True, env=environment) for c in commands]
    assert pages[0].stdout == pages[1].stdout
    assert pages[0].stdout.startswith("Usage: dspref [OPTIONS] COMMAND")
    assert pages[1].stderr == ""


HYGIENE = """
import sys
from click.testing import CliRunner
from dspref.cli import dspref
from dspref.presets import PRESETS
for words in (["--help"], ["predict", "--preset", "melgan"], ["whence", "100", "--preset", "fig8-linear"]):
    assert CliRunner().invoke(dspref, words).exit_code == 0
print(sorted({"torch", "scipy", "sympy", "matplotlib", "soundfile"} & set(sys.modules)))
"""


def test_predict_and_whence_load_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", HYGIENE], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_presets_as_json() -> None:
    document = answer("presets")
    assert document["schema"] == "dspref.presets/1"
    assert [row["name"] for row in document["presets"]] == list(PRESETS)
    (row,) = answer("presets", "melgan")["presets"]
    assert row["spec"] == PRESETS["melgan"].spec
    assert (row["sr"], row["factor"], row["grid_hz"]) == (22050, 256, 86.1328125)


def test_doctor_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    document = answer("doctor")
    assert (document["schema"], document["ok"]) == ("dspref.doctor/1", True)
    assert [row["name"] for row in document["packages"]] == [*cli.NEEDED, *cli.OPTIONAL]
    assert {row["needed"] for row in document["packages"][: len(cli.NEEDED)]} == {True}
    monkeypatch.setattr(cli, "NEEDED", ("no-such-package",))
    result = run("doctor", "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["packages"][0]["version"] is None


@pytest.mark.parametrize("words", [["predict", "--preset", "melgan"], ["presets"], ["doctor"]], ids=" ".join)
def test_a_full_disk_is_told_in_words(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "dspref.cli", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr.startswith("Error: output: got standard output: No space left on device; allowed: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 2


def test_a_full_disk_is_told_of_files_too() -> None:
    result = run("predict", "--preset", "melgan", "-o", "/dev/full")
    assert result.exit_code == 2
    assert "Error: output: got /dev/full: No space left on device" in result.stderr


def test_a_generator_with_another_head_is_not_analysable(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"upsample_rates": [8, 8], "upsample_kernel_sizes": [16, 16], "hop_size": 256}')
    result = run("predict", "--config", str(config), "--sr", "22050")
    assert result.exit_code == 3
    assert "hop_size: got 256, but upsample_rates multiply to 64" in result.stderr


@pytest.mark.parametrize("command", [["predict"], ["whence", "100"]], ids=["predict", "whence"])
def test_aligned_corners_have_no_grid(command: list[str]) -> None:
    result = run(*command, "--spec", "convt k4 s2 | linear x2 corners", "--sr", "8000")
    assert result.exit_code == 3
    assert "rate of a chain: got linear x2 with align_corners=True" in result.stderr
