"""The command ``response``: what is known is said in hertz and decibels, what is not is named."""

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dspref import parse
from dspref.commands.response import response_command, response_document
from tests.meta.test_import_hygiene import HEAVY, found, loaded


def run(*arguments: str) -> Result:
    return CliRunner().invoke(response_command, list(arguments))


def answer(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)  # type: ignore[no-any-return]


def test_an_interpolator_is_known_by_its_words() -> None:
    document = answer("linear x2", "--sr", "32000", "--component", "4000")
    (layer,) = document["layers"]
    assert document["schema"] == "dspref.response/1"
    assert [d["hz"] for d in layer["droop"]] == [2000, 4000, 6000, 8000]
    theory = [60 * np.log10(np.cos(np.pi * d["hz"] / 32000)) for d in layer["droop"]]
    assert [d["droop_db"] for d in layer["droop"]] == pytest.approx(theory, abs=1e-6)
    assert layer["edge_hz"] == pytest.approx(np.arccos(10**-0.05) / np.pi * 32000, abs=1e-6)
    assert layer["nulls"] == [{"hz": 16000, "order": 3, "exact": True}]
    assert {name: document["chain"][name] for name in ("droop", "edge_hz", "nulls")} == {
        name: layer[name] for name in ("droop", "edge_hz", "nulls")
    }
    base, image = document["images"]
    assert (base["hz"], base["order"], base["relative_db"]) == (4000, 0, 0)
    assert (image["hz"], image["owner"]) == (12000, 1)
    assert image["relative_db"] == pytest.approx(60 * np.log10(np.tan(np.pi / 8)), abs=1e-6)


def test_outlines_are_named_as_not_known() -> None:
    document = answer("--preset", "fig6-nearest", "--component", "600")
    assert [row["stage"] for row in document["unknown"]] == [1, 3, 5]
    assert all("without weights" in row["why"] for row in document["unknown"])
    assert document["chain"] is None
    assert [row["stage"] for row in document["layers"]] == [0, 2, 4]
    assert [image["level_db"] for image in document["images"]] == [None] * 8
    assert not any("null" in image for image in document["images"])
    for row, f_in in zip(document["layers"], (4000, 8000, 16000), strict=True):
        image = row["images"][1]
        assert image["hz"] == f_in - 600
        assert image["relative_db"] == pytest.approx(20 * np.log10(np.tan(np.pi * 600 / (2 * f_in))), abs=1e-6)


def test_a_null_is_said_not_printed_as_a_number() -> None:
    image = answer("nearest x3", "--sr", "48000", "--component", "0")["images"][1]
    assert (image["level_db"], image["relative_db"], image["null"]) == (None, None, True)
    page = run("nearest x3", "--sr", "48000", "--component", "0").output
    (row,) = [line.split() for line in page.splitlines() if line.strip().startswith("16000 ")]
    assert row == ["16000", "1", "1", "null", "null"]
    assert "inf" not in page


def test_the_page_says_it_in_words() -> None:
    page = run("--preset", "fig6-linear", "--component", "600").output
    assert "nulls: 4000 Hz (3 times)" in page
    assert "dB re DC at 500, 1000, 1500, 2000 Hz: -0.51, -2.06, -4.81, -9.03" in page
    assert "-3 dB re DC at: 1198.63 Hz" in page
    assert "images, dB re the component: -37.18 at 3400 Hz" in page
    assert "Not known, and so nothing is said of" in page
    assert max(map(len, page.splitlines())) <= 80
    assert "inf" not in page
    assert "never" in run("stretch x2", "--sr", "100").output
    assert "The whole chain" in run("nearest x2 | cubic x2", "--sr", "100").output


def test_nulls_that_are_not_proved_are_about() -> None:
    assert "about 19.1287 Hz" in run("cubic x2", "--sr", "50").output


def test_a_filter_without_dc_has_no_level_re_dc() -> None:
    from dspref import Chain, FilterInterp

    (layer,) = response_document(Chain([FilterInterp(1, np.array([1, -1]))]), Fraction(100))["layers"]
    assert (layer["droop"], layer["edge_hz"], layer["nulls"]) == (None, None, [{"hz": 0, "order": 1, "exact": True}])


def test_json_is_the_document_and_goes_to_a_file(tmp_path: Any) -> None:
    target = tmp_path / "answer.json"
    assert run("nearest x2", "--sr", "16000", "--format", "json", "-o", str(target)).exit_code == 0
    assert json.loads(target.read_text("utf-8")) == response_document(parse("nearest x2"), 16000)


def test_the_answer_is_computed_without_what_takes_long_to_load() -> None:
    names = "from dspref.commands.response import *; from dspref.spec import parse"
    program = f"{names}; response_page(response_document(parse('linear x2'), 8000))"
    assert found(loaded("-c", program), HEAVY) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nearest x2", "--sr", "100", "--component", "30"], 2, "0 … 25 Hz, half of 50 Hz"),
        (["nearest x2"], 2, "--sr HZ is needed"),
        (["nearest x2", "--preset", "melgan"], 2, "give exactly one of"),
        ([], 2, "no architecture"),
        (["neerest x2", "--sr", "100"], 2, "did you mean 'nearest'?"),
        (["conv k3 s2", "--sr", "100"], 3, "cut the chain"),
        (["linear x2 corners", "--sr", "100"], 3, "align_corners"),
        (["stretch x16384", "--sr", "100"], 2, "at most 8192"),
    ],
)
def test_bad_input_ends_in_words(arguments: list[str], code: int, words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert words in result.output
