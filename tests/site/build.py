"""Build the site as a reader's machine would: in a process of its own, with no way to a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

GUARD = """
import socket, sys
def refuse(*args, **kwargs):
    raise OSError("the site is built without a network")
socket.getaddrinfo = socket.socket.connect = refuse
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""
"""Sphinx, in a process where every way to another machine raises."""


@dataclass(frozen=True)
class Built:
    """A site as it was built: its folder, the exit code, and what Sphinx said."""

    folder: Path
    code: int
    output: str


def build(docs: Path) -> Built:
    """Build `docs` into docs/_build/html from nothing: every page is read, and every script of the gallery run."""
    folder = docs / "_build" / "html"
    for made in (folder, docs / "examples", docs / "catalogues"):
        shutil.rmtree(made, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": str(docs.parent), "MPLBACKEND": "agg"}
    run = subprocess.run(
        [sys.executable, "-c", GUARD, "-q", "-W", "--keep-going", "-E", "-b", "html", str(docs), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Built(folder, run.returncode, run.stdout + run.stderr)


def built_pages(folder: Path) -> dict[str, str]:
    """Return the HTML of every page, by its path below the site's folder; templates of the theme are no pages."""
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.parts
    }
