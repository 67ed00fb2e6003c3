"""Every claim has tests that exist, run and pass, functions that exist, and a figure; and that this check can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dspref.claims import Claim, claim, claims
from dspref.claims.drawings import DRAWINGS
from tests.meta.names import exists
from tests.paper.page import Row, rows

ROOT = Path(__file__).resolve().parents[2]
FILLED = ("id", "title", "statement", "hypotheses", "proof", "sources", "functions", "tests", "figure")


def outcomes(ids: Iterable[str], folder: Path, *, root: Path = ROOT) -> dict[str, Counter[str]]:
    """Run tests by their ids, and return what became of each: of its parameters too."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={report}"]
    run = subprocess.run([*command, *sorted(set(ids))], cwd=root, capture_output=True, text=True, check=False)
    assert report.is_file(), run.stdout + run.stderr
    seen: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}.py::{str(case.get('name')).split('[')[0]}"
        bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        for known in {name, name.split("::")[0]}:
            seen.setdefault(known, Counter())[bad[0] if bad else "passed"] += 1
    return seen


def faults(rows: Sequence[Claim], seen: dict[str, Counter[str]]) -> list[str]:
    """Return what claims lack."""
    found = [f"{row.id} has no {name}" for row in rows for name in FILLED if not getattr(row, name)]
    for row in rows:
        for test in row.tests:
            counts = seen.get(test, Counter())
            if set(counts) != {"passed"}:
                found.append(f"{row.id}: {test}: {dict(counts) or 'not found'}")
        found += [f"{row.id}: no {name}" for name in row.functions if not exists(name)]
        drawings = re.findall(r"drawing: (\w+)", row.figure)
        found += [f"{row.id}: no drawing {name}" for name in drawings if (row.id, name) not in DRAWINGS]
        if not drawings and not re.search(r"Fig\. [1-9]", row.figure):
            found.append(f"{row.id}: no figure in {row.figure!r}")
    return found


SLOW = (
    "tests/dspref/test_exact.py::test_native_is_normal_form",
    "tests/paper/test_numbers.py::test_combs_that_random_networks_show",
    "tests/torchparity/test_advice.py::test_multiplications_are_those_that_torch_counts",
    "tests/torchparity/test_audit.py::test_every_melgan_peak_lies_on_the_grid_for_five_seeds_and_both_inputs",
    "tests/torchparity/test_audit.py::test_melgan_tones_stand_where_the_article_shows_them",
)
"""What the article's rows name too, and the suite alone runs: twice would take a minute."""


def unheld(told: Sequence[Row], seen: dict[str, Counter[str]]) -> list[str]:
    """Return the rows of docs/paper.toml whose tests did not pass; each has one at least that is run here."""
    ran = {row.id: [test for test in row.tests if test not in SLOW] for row in told if row.verdict != "reported"}
    found = [f"{id} has slow tests alone" for id, tests in ran.items() if not tests]
    for id, tests in ran.items():
        states = {test: dict(seen.get(test, Counter())) for test in tests}
        found += [f"{id}: {test}: {state or 'not found'}" for test, state in states.items() if set(state) != {"passed"}]
    return found


def test_every_claim_is_held_by_tests_that_pass(tmp_path: Path) -> None:
    """Ours, and the article's as docs/paper.toml has them: in one run, as they share most tests."""
    ids = {test for row in claims() for test in row.tests} | {test for row in rows() for test in row.tests}
    seen = outcomes(ids - set(SLOW), tmp_path)
    assert faults(claims(), seen) == []
    assert unheld(rows(), seen) == []


def test_a_row_of_the_article_that_is_not_held_is_found() -> None:
    row = replace(rows()[0], tests=("tests/a.py::test_b", SLOW[0]))
    assert unheld([row], {"tests/a.py::test_b": Counter(passed=3)}) == []
    assert unheld([row], {"tests/a.py::test_b": Counter(passed=3, failure=1)}) == [
        "P1: tests/a.py::test_b: {'passed': 3, 'failure': 1}"
    ]
    assert unheld([row], {}) == ["P1: tests/a.py::test_b: not found"]
    assert unheld([replace(row, tests=SLOW[:1])], {}) == ["P1 has slow tests alone"]


def test_ids_are_all_different_and_in_order() -> None:
    assert [row.id for row in claims()] == [f"UA-T{n}" for n in range(1, len(claims()) + 1)]
    assert len(claims()) >= 19


PLANTED = {
    "no test": ({"tests": ()}, "UA-T4 has no tests"),
    "a test that is not there": ({"tests": ("tests/a.py::test_b",)}, "UA-T4: tests/a.py::test_b: not found"),
    "a test that is skipped": ({"tests": ("tests/s.py::test_s",)}, "UA-T4: tests/s.py::test_s: {'skipped': 1}"),
    "a function that is not there": ({"functions": ("dspref.whither",)}, "UA-T4: no dspref.whither"),
    "a drawing that is not there": ({"figure": "drawing: nothing"}, "UA-T4: no drawing nothing"),
    "no figure": ({"figure": "somewhere"}, "UA-T4: no figure in 'somewhere'"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_claim_that_lacks_something_is_found(name: str) -> None:
    changed, fault = PLANTED[name]
    good = claim("UA-T4")
    seen = {test: Counter(passed=1) for test in good.tests} | {"tests/s.py::test_s": Counter(skipped=1)}
    assert faults([good], seen) == []
    assert faults([replace(good, **changed)], seen) == [fault]  # type: ignore[arg-type]


PROBE = """
import pytest
def test_good(): pass
def test_bad(): assert False
def test_left(): pytest.skip("why")
@pytest.mark.parametrize("n", [1, 2])
def test_both(n): assert n == 1
"""


def test_outcomes_are_those_of_the_tests(tmp_path: Path) -> None:
    (tmp_path / "test_probe.py").write_text(PROBE)
    seen = outcomes(["test_probe.py"], tmp_path, root=tmp_path)
    told = {name.split("::")[1]: dict(counts) for name, counts in seen.items() if "::" in name}
    assert told == {
        "test_good": {"passed": 1},
        "test_bad": {"failure": 1},
        "test_left": {"skipped": 1},
        "test_both": {"passed": 1, "failure": 1},
    }
    assert seen["test_probe.py"] == Counter(passed=2, failure=2, skipped=1)
