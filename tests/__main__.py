"""``python -m tests [gpu | benchmarks | expected | zoo | cure | docs] [arguments of pytest]``: one suite of tests.

With no word, every test and doctest runs on two cores, without the benchmarks. ``gpu`` runs the parity suite of a
device: on CUDA, and its record is written to docs/validation, with ``--require-gpu`` (which fails where there is no
such device); else on the CPU by the same code, and the tests that need CUDA say why they did not run. ``benchmarks``
runs the timings, one at a time. ``expected`` compares expected spectra with thousands of networks drawn, for half an
hour, and writes what it saw to docs/validation; with ``--resume FOLDER`` it goes on where it was broken off.
``zoo`` traces and measures the decoders of other packages, each of which must be there (``pip install 'dspref[zoo]'``),
and writes docs/validation/zoo.md; the quick suite traces those that are. ``cure`` makes some of them tone-free, and
writes what constants and noise made of them before and after to docs/validation/tone_free.md; ``--resume FOLDER`` goes
on, too. ``docs`` builds the site without a network,
with every warning an error, into docs/_build/html, looks for broken links and for anything that a page would fetch,
opens pages in Chromium if it is there, and runs every example and every command of the documents.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

UNTIMED = ["--benchmark-disable"] if find_spec("pytest_benchmark") else []
SHARED = ["-n", "2"] if find_spec("xdist") else []

GPU = ["tests/gpu", "tests/torchparity/test_torch_parity.py"]
"""All that runs on a GPU: it asks for Torch, NumPy, pytest and Hypothesis, and for nothing else."""

MADE = ("_build*", "examples*", "catalogues*", "gallery*", "conf.py")
"""What lies in docs and holds no examples that run: the build runs the gallery."""

DOCUMENTS = [
    *(f"--ignore-glob={ROOT / 'docs' / name}" for name in MADE),
    *(str(ROOT / path) for path in ("README.md", "docs", "tests/site")),
]

SUITES = {
    "quick": ["-q", *SHARED, *UNTIMED],
    "gpu": ["-q", *UNTIMED, "-m", "gpu or device", *(str(ROOT / path) for path in GPU)],
    "benchmarks": ["-q", "--benchmarks", "tests/benchmarks"],
    "expected": ["-q", "-s", *UNTIMED, str(ROOT / "tests" / "expected")],
    "docs": ["-q", *UNTIMED, "--site", "--doctest-glob=*.md", *DOCUMENTS],
    "cure": ["-q", "-s", "--cure", *UNTIMED, str(ROOT / "tests" / "cure" / "test_cured.py")],
    "zoo": ["-q", "--zoo", *UNTIMED, str(ROOT / "tests" / "zoo")],
}


def main(arguments: list[str]) -> int:
    """Run the suite that the first argument names, else the quick one; return pytest's exit code."""
    suite, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in SUITES else ("quick", arguments)
    recorded = any(argument.split("=")[0] == "--record" for argument in rest)
    if not recorded and (suite in ("expected", "zoo", "cure") or (suite == "gpu" and "--require-gpu" in rest)):
        rest = [*rest, f"--record={ROOT / 'docs' / 'validation'}"]
    return int(pytest.main([f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", *SUITES[suite], *rest]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
