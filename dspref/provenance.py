"""Where a result comes from: versions, and the commit of the code that ran."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dspref import __version__


def commit() -> str:
    """Return the commit of the code that runs, with a + if it was changed since; "unknown" outside of a repository.

    A repository that merely holds the environment in which this is installed is not the one.
    """
    here = Path(__file__)
    questions = (
        ("ls-files", "--error-unmatch", here.name),
        ("rev-parse", "--short=12", "HEAD"),
        ("status", "--porcelain", "--untracked-files=no"),
    )
    try:
        _, head, changes = (
            subprocess.run(
                ["git", *words], cwd=here.parent, capture_output=True, text=True, check=True, timeout=30
            ).stdout
            for words in questions
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head.strip() + "+" * bool(changes.strip())


def package_versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, dspref, NumPy, and of those packages that are loaded.

    Examples
    --------
    >>> list(package_versions("no_such_package"))
    ['python', 'dspref', 'numpy']
    """
    found = {"python": platform.python_version(), "dspref": __version__}
    for name in ("numpy", *packages):
        if name in sys.modules:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "unknown"
    return found
