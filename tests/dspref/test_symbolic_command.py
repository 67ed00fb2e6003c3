"""The command dspref symbolic: its text, its LaTeX, its JSON, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sympy
from click.testing import CliRunner, Result

from dspref import Chain, __version__, parse
from dspref.commands.symbolic import symbolic
from dspref.symbolic import conditions, lines, with_taps


def run(*words: str) -> Result:
    return CliRunner().invoke(symbolic, words, prog_name="dspref symbolic")


def test_a_layer_in_text() -> None:
    result = run("convt k3 s2")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "stage 0: convt k3 s2",
        "  H(z)         h0 + h1/z + h2/z**2",
        "  phase gains  h0 + h2, h1",
        "  line 0/2     (mu/2)*(h0 + h1 + h2)",
        "  line 1/2     (mu/2)*(h0 - h1 + h2)",
        "  null if      line 1/2: h0 - h1 + h2 = 0",
    ]


def test_ones_and_a_chain_in_text() -> None:
    result = run("convt k3 s2 | linear x2", "--ones")
    assert result.exit_code == 0
    text = result.stdout
    assert "  null if      line 1/2: never\n" in text
    assert "stage 1: linear x2\n" in text
    assert "  null if      line 1/2: always\n" in text
    assert text.endswith("  line 0/4     3*mu/2\n  line 1/4     (mu/4)*((1 - I)/2)\n  line 2/4     null\n")


def test_the_json_says_what_the_library_says() -> None:
    words = "convt k6 s4 p1 | leaky 0.2 | shuffle x2 k3 p1"
    document = json.loads(run(words, "--format", "json").stdout)
    assert list(document) == ["schema", "version", "spec", "kernel", "stages", "chain"]
    assert (document["schema"], document["version"]) == ("dspref.symbolic/1", __version__)
    assert (document["spec"], document["kernel"], document["chain"]) == (words, "symbols", None)
    assert document["stages"][1] == {"stage": 1, "spec": "leaky 0.2", "nonlinear": True}
    known = with_taps(parse(words))
    for place in (0, 2):
        stage, layer = document["stages"][place], Chain([known.stages[place]])
        every = lines(layer)
        assert [line["amplitude"] for line in stage["lines"]] == [str(line.amplitudes[0]) for line in every]
        assert [line["null"] for line in stage["lines"]] == [line.vanishes for line in every]
        assert stage["line_count"] == len(every)
        gains = [sympy.sympify(g) for g in stage["phase_gains"]]
        assert [str(g) for g in gains] == stage["phase_gains"]
        found = conditions(layer.collapse().h, every.factor)
        assert [c["equations"] for c in stage["conditions"]] == [[f"{e} = 0" for e in c.equations] for c in found]
        assert [c["holds"] for c in stage["conditions"]] == [None] * len(found)


def test_a_chain_without_maps_has_lines_of_its_own() -> None:
    document = json.loads(run("convt k4 s3 | nearest x2", "--format", "json", "--limit", "2").stdout)
    chain = document["chain"]
    assert (chain["line_count"], len(chain["lines"])) == (4, 2)
    assert chain["transfer"] == "(1 + 1/z)*(h0 + h1/z**2 + h2/z**4 + h3/z**6)"
    assert "and 2 more; --limit shows them" in run("convt k4 s3 | nearest x2", "--limit", "2").stdout


def test_latex_is_an_align_for_each_stage() -> None:
    text = run("convt k4 s3 | relu | nearest x2", "--format", "latex").stdout
    assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") == 2
    assert "% stage 1: relu (nonlinear)\n" in text
    assert r"& c_{1} = 0 \iff h_{0} - h_{2} + h_{3} = 0,\quad h_{1} - h_{2} = 0" in text
    assert text.count("{") == text.count("}")


def test_it_writes_files(tmp_path: Path) -> None:
    target = tmp_path / "layer.tex"
    result = run("nearest x2", "--format", "latex", "-o", str(target))
    assert (result.exit_code, result.stdout) == (0, "")
    assert target.read_text("utf-8") == run("nearest x2", "--format", "latex").stdout


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["conv k3 s2"], 3, "factor of a chain: got conv at 1/2"),
        (["convt k4 s2 | unsqueeze x8"], 3, "layer for symbols: got unsqueeze; allowed: conv, convt, shuffle"),
        (["lazy"], 3, "an unsqueeze x8 is a shuffle x8 k1"),
        (["linear x2 corners"], 3, "align_corners=True"),
        (["convt k4 s600"], 2, "factor of convt k4 s600: got 600; allowed: at most 512"),
        (["nearest x2 | convt k513 s2"], 2, "taps of convt k513 s2: got 513; allowed: at most 512"),
        (["conv k100000", "--ones"], 2, "taps of conv k100000: got 100000"),
        (["convt k4 z2"], 2, "column 10: parameter of convt: got 'z2'"),
        (["convt k3 s2", "--limit", "0"], 2, "Invalid value for '--limit'"),
        (["nearest x2", "-o", "/nowhere/at/all.txt"], 2, "in no directory"),
    ],
)
def test_refusals(words: list[str], code: int, error: str) -> None:
    result = run(*words)
    assert result.exit_code == code
    assert error in result.stderr
