"""The command ``gradient``: contracts of its JSON, its text, its exit codes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dspref import Chain, Conv, __version__
from dspref.commands.gradient import gradient, gradient_page, read_resolutions
from dspref.gradients.discriminators import DISCRIMINATORS
from dspref.gradients.documents import gradient_document, stft_document
from dspref.gradients.stftloss import PARALLEL_WAVEGAN, Resolution


def run(*words: str) -> Result:
    return CliRunner().invoke(gradient, words, prog_name="dspref gradient")


def answer(*words: str) -> Any:
    result = run(*words, "--format", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_a_discriminator_as_json() -> None:
    document = answer("conv k15 p7 | leaky 0.2 | conv k41 s4 p20 | conv k3 s5", "--sr", "22050")
    assert list(document) == ["schema", "version", "spec", "sr", "period", "factor", "stages", "lines"]
    assert (document["schema"], document["version"]) == ("dspref.gradient/1", __version__)
    assert (document["sr"], document["factor"], document["period"]) == (22050, 20, 1)
    assert [line["hz"] for line in document["lines"]] == [k * 1102.5 for k in range(11)]
    assert [line["owner"] for line in document["lines"]] == [1, 2, 2, 2, 2, 1, 2, 2, 2, 2, 1]
    assert document["lines"][5] == {
        "hz": 5512.5,
        "freq": "5/20",
        "owner": 1,
        "stage": 2,
        "origins": [1, 2],
        "level_dbc": None,
    }
    assert [(row["owner"], row["rate_out"], row["overlap"]) for row in document["stages"]] == [
        (None, 22050, None),
        (None, 22050, None),
        (1, 5512.5, "partial"),
        (2, 1102.5, "gap"),
    ]


def test_levels_are_re_the_mean() -> None:
    document = gradient_document(Chain([Conv(np.array([[[1, 2, 1]]]), stride=2)]), 8000)
    assert [(line["level_dbc"], line.get("null")) for line in document["lines"]] == [(0.0, None), (None, True)]
    document = gradient_document(Chain([Conv(np.array([[[1, 1, 1]]]), stride=2)]), 8000)
    assert document["lines"][1]["level_dbc"] == -9.542425  # THEORY: (K, s) = (3, 2)
    uneven = gradient_document(Chain([Conv(np.array([[[1, 1, 1], [4, 4, 0]]]), stride=2)]), 8000)
    assert uneven["lines"][1]["level_dbc"] == round(20 * math.log10(1 / 8), 6)  # each the loudest of two channels
    silent = gradient_document(Chain([Conv(np.array([[[1, -1]]]), stride=2)]), 8000)
    assert [line["level_dbc"] for line in silent["lines"]] == [None, None]
    assert silent["lines"][0]["null"]


def test_a_period_and_its_reshape() -> None:
    document = answer("conv k5 s3 p2", "--period", "2", "--sr", "24000")
    assert [(line["hz"], line["owner"], line["origins"]) for line in document["lines"]] == [
        (0, 0, [0, 1]),
        (4000, 1, [1]),
        (8000, 1, [1]),
        (12000, 0, [0, 1]),
    ]
    assert document["stages"][0]["rate_in"] == 12000
    assert answer("--preset", "hifigan-period-7")["period"] == 7
    assert "Layer 0 is the reshape" in run("--preset", "hifigan-period-7").stdout


def test_wavegans_first_stride_is_not_touched_by_its_shuffles() -> None:
    lines = answer("--preset", "wavegan")["lines"]
    left = {line["hz"]: line["shuffled"] for line in lines}
    assert (left[4000], left[8000]) == (1, 1)
    assert (left[1000], left[2000], left[3000]) == (-0.2, 0.2, -0.2)
    assert max(abs(v) for hz, v in left.items() if hz % 4000) < 0.201
    assert "shuffled" not in answer("--preset", "melgan")["lines"][1]


def test_stft_losses_as_json() -> None:
    document = answer("--stft", "512/50/240,1024/256/hann,64/32/rectangular", "--sr", "24000")
    assert list(document) == ["schema", "version", "sr", "resolutions", "together"]
    assert document["schema"] == "dspref.gradients.stftloss/1"
    assert [r["worst_dbc"] for r in document["resolutions"]] == [-68.599819, None, None]
    assert [r["words"] for r in document["resolutions"]] == [
        "512/50/240/hann",
        "1024/256/1024/hann",
        "64/32/64/rectangular",
    ]
    first = document["resolutions"][0]
    assert first["lines"][1] == {"hz": 480, "freq": "1/50", "level_dbc": -68.599819}
    assert document["resolutions"][1]["lines"][1] == {"hz": 93.75, "freq": "1/256", "level_dbc": None, "null": True}
    assert [line["sources"] for line in document["together"] if line["hz"] == 12000] == [[1, 2, 3]]


def test_known_resolutions_by_name() -> None:
    assert read_resolutions("parallel-wavegan") == PARALLEL_WAVEGAN
    page = run("--stft", "parallel-wavegan", "--sr", "24000").stdout
    assert "none" in page
    assert "-68.60" in page


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_every_known_discriminator_as_text(name: str) -> None:
    result = run("--preset", name)
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert "Levels are not known" in result.stdout


def test_pages_say_what_is_so() -> None:
    assert "no line" in run("conv k3 p1", "--sr", "8000").stdout
    assert "Stage 0 (conv k3 s5) never looks at some samples" in run("conv k3 s5", "--sr", "8000").stdout
    assert "36 of every 100 samples get no gradient" in run("--stft", "64/100", "--sr", "8000").stdout
    assert "exactly no line" in run("--stft", "1024/256", "--sr", "8000").stdout
    page = run("avgpool k4 s4 | avgpool k3 s2", "--sr", "8000", "--limit", "2").stdout
    assert "… and 3 more: --limit 5 lists them all." in page
    assert "re the mean of the gradient" in page
    assert "Lines of all together" in run("--stft", "64/32,64/16/hamming", "--sr", "8000").stdout
    assert "hifigan-period-11" in run("--preset", "list").stdout
    assert "null" in gradient_page(gradient_document(Chain([Conv(np.array([[[1, 1]]]), stride=2)]), 8000))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "got nothing; give exactly one of SPEC, --preset, --stft"),
        (("conv k4", "--preset", "melgan"), 2, "got SPEC and --preset; give exactly one"),
        (("conv k4 s2",), 2, "--sr HZ is needed"),
        (("conv k4 s2", "--sr", "-5"), 2, "a number of hertz > 0"),
        (("conv k4 s2 | convt k4 s2", "--sr", "8000"), 3, "got convt at 2 (stage 1)"),
        (("linear x2/3", "--sr", "8000"), 3, "got interpolate at 2/3"),
        (("conv k4 s99 | conv k4 s99", "--sr", "8000"), 2, "product of the strides: got 9801; allowed: at most 8192"),
        (("--preset", "melgam"), 2, "did you mean 'melgan'?"),
        (("--stft", "1024/0", "--sr", "8000"), 2, "hop: got 0"),
        (("--stft", "1024/256/hannn", "--sr", "8000"), 2, "did you mean 'hann'?"),
        (("--stft", "1024", "--sr", "8000"), 2, "short-time spectrum: got '1024'; allowed: n_fft/hop"),
        (("--stft", "paralel-wavegan", "--sr", "8000"), 2, "did you mean 'parallel-wavegan'?"),
        (("--stft", "64/16/80", "--sr", "8000"), 2, "win_length: got 80; allowed: 1 … n_fft = 64"),
        (("--stft", "9999999/16", "--sr", "8000"), 2, "n_fft of at most 1048576"),
        (("--stft", "64/9999", "--sr", "8000"), 2, "a hop of at most 8192"),
        (("--stft", "64/16", "--period", "2", "--sr", "8000"), 2, "--period is of discriminators"),
        (("--stft", "64/16"), 2, "--sr HZ is needed"),
        (("conv k4 s2", "--sr", "8000", "-o", "/nowhere/x"), 2, "in no directory"),
    ],
)
def test_bad_input_ends_in_words(words: tuple[str, ...], code: int, message: str) -> None:
    result = run(*words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr


def test_answers_go_to_a_file(tmp_path: Path) -> None:
    target = tmp_path / "gradient.json"
    assert run("conv k4 s2", "--sr", "8000", "--format", "json", "-o", str(target)).stdout == ""
    assert json.loads(target.read_text("utf-8")) == answer("conv k4 s2", "--sr", "8000")


def test_the_documents_are_what_the_command_says() -> None:
    assert answer("--stft", "512/50/240", "--sr", "8000") == stft_document([Resolution(512, 50, 240)], 8000)


def test_the_command_loads_nothing_heavy() -> None:
    program = (
        "import sys; from dspref.commands.gradient import gradient\n"
        "gradient(['--preset', 'melgan'], standalone_mode=False)\n"
        "heavy = {'torch', 'matplotlib', 'sympy', 'scipy'} & set(sys.modules); sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
