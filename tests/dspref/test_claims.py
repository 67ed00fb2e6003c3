"""Claims as people ask for them: by id, in four forms, with a picture whose points lie on its formula."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dspref.claims import claim, claim_page, claims
from dspref.claims.curves import FLOOR
from dspref.claims.drawings import DRAWINGS
from dspref.claims.figures import drawing, plot
from dspref.cli import dspref


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dspref, arguments)


def test_the_list_has_a_line_for_each() -> None:
    rows = run("claims").stdout.splitlines()
    assert [row.split()[0] for row in rows] == [row.id for row in claims()]
    document = json.loads(run("claims", "--format", "json").stdout)
    assert document["schema"] == "dspref.claims/1"
    assert [row["id"] for row in document["claims"]] == [row.id for row in claims()]


@pytest.mark.parametrize("form", ["text", "json", "md", "latex"])
def test_each_form_has_the_statement_and_the_proof(form: str) -> None:
    for row in claims():
        page = claim_page(row, form)
        squeezed = "".join(page.replace("\\", "").split())
        for words in (row.title, row.proof[:20]):
            assert "".join(words.split()) in squeezed or form in ("json", "latex")
        assert row.id in page
    assert all(len(line) <= 80 for row in claims() for line in claim_page(row).splitlines() if "::" not in line)
    one = json.loads(claim_page(claim("UA-T5"), "json"))["claims"][0]
    assert one == claim("UA-T5").to_dict() | {n: list(one[n]) for n in ("hypotheses", "sources", "functions", "tests")}


@pytest.mark.parametrize(("id", "hint"), [("UA-T99", "did you mean 'UA-T9'?"), ("t5", "did you mean 'UA-T5'?")])
def test_an_id_that_is_not_there_gets_a_hint(id: str, hint: str) -> None:
    ended = run("claim", id)
    assert ended.exit_code == 2
    assert hint in ended.stderr
    assert "allowed: UA-T1 … UA-T" in ended.stderr


def test_a_claim_may_be_written_with_its_figure(tmp_path: Path) -> None:
    page, picture = tmp_path / "t6.md", tmp_path / "t6.png"
    made = run("claim", "ua-t6", "--format", "md", "-o", str(page), "--figure", str(picture))
    assert (made.exit_code, made.stderr) == (0, f"written: {picture}\n")
    assert page.read_text("utf-8").startswith("**UA-T6.")
    assert picture.read_bytes().startswith(b"\x89PNG")
    refused = run("claim", "UA-T6", "--figure", str(tmp_path))
    assert refused.exit_code == 2
    assert "a directory" in refused.stderr


ON_THE_LINE = {
    "UA-T1": 1e-12,
    "UA-T5": 0.5,
    "UA-T6": 1e-9,
    "UA-T7": 0.03,  # four standard errors of 4000 draws
    "UA-T11": 0.5,
    "UA-T12": 0.5,
    "UA-T13": 1e-12,
    "UA-T14": 1e-12,
    "UA-T19": 1e-6,
    "UA-T21": 1e-4,
    "UA-T22": 0.5,
    "UA-T23": 1e-9,
    "UA-T24": 1e-9,
    "UA-T25": 1.0,  # lines of power 1/512 come on top
    "UA-T29": 1.0,  # four standard errors of 400 lines
    "UA-T30": 0.5,  # four of 4000 kernels
    "UA-T31": 0.1,  # terms of higher order in δ/q, which is some 1/8
}
"""What points may differ by from the formula between its points, in the units of the drawing."""


@pytest.mark.parametrize("id", ON_THE_LINE)
def test_what_is_computed_lies_on_the_formula(id: str) -> None:
    curves = drawing(id).curves
    pairs = [(a, b) for a, b in pairwise(curves) if a.joined and not b.joined]
    assert pairs
    for formula, seen in pairs:
        due = np.interp(seen.x.astype(float), formula.x.astype(float), formula.y.astype(float))
        above = (seen.y > FLOOR + 20) & (due > FLOOR + 20)
        assert np.abs(seen.y - due)[above].max() <= ON_THE_LINE[id]


def test_every_claim_can_be_drawn() -> None:
    from matplotlib.figure import Figure

    for id, _ in DRAWINGS:
        data = drawing(id)
        assert all(np.isfinite(curve.y.astype(float)).all() for curve in data.curves)
        ax = plot(id, ax=Figure().subplots())
        assert [line.get_label() for line in ax.lines] == [curve.name for curve in data.curves]
        assert np.array_equal(np.asarray(ax.lines[0].get_ydata()), np.asarray(data.curves[0].y))
