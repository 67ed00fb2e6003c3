"""``python -m tests [gpu | benchmarks] [pytest arguments]``: the quick suite, or one that needs a machine of its own.

With no word, every test and doctest runs on two cores, without the benchmarks. ``gpu`` runs the tests that need
a CUDA device (add ``--require-gpu`` to fail where there is none), ``benchmarks`` the timings, one at a time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

SUITES = {
    "quick": ["-q", "-n", "2", "--benchmark-disable"],
    "gpu": ["-q", "-m", "gpu", "--benchmark-disable"],
    "benchmarks": ["-q", "--benchmarks", "tests/benchmarks"],
}


def main(arguments: list[str]) -> int:
    """Run the suite that the first argument names, else the quick one; return pytest's exit code."""
    suite, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in SUITES else ("quick", arguments)
    root = Path(__file__).resolve().parent.parent
    return int(pytest.main([f"--rootdir={root}", f"--config-file={root / 'pyproject.toml'}", *SUITES[suite], *rest]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
