"""Every claim has tests that exist, run and pass, functions that exist, and a figure; and that this check can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dspref.claims import Claim, claim, claims
from dspref.claims.drawings import DRAWINGS

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


def exists(dotted: str) -> bool:
    """Return whether a dotted name is a module, or something in one."""
    module, _, name = dotted.rpartition(".")
    try:
        import_module(dotted)
    except ImportError:
        try:
            return hasattr(import_module(module), name) if module else False
        except ImportError:
            package, _, inner = module.rpartition(".")
            return hasattr(getattr(import_module(package), inner, None), name) if package else False
    return True


def test_every_claim_is_held_by_tests_that_pass(tmp_path: Path) -> None:
    ids = [test for row in claims() for test in row.tests]
    assert faults(claims(), outcomes(ids, tmp_path)) == []


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
