"""Open pages in headless Chromium, by a server on this machine, and say what was asked for and what went wrong.

The server's policy lets a page load from it alone: what it asks of anybody else is refused, and the console says so.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=8000",
)

POLICY = "default-src 'self' 'unsafe-inline' data:"

CONSOLE = re.compile(r'CONSOLE[:(].*?\] (?!"\[PST\]: )(.*)')
"""What pages write to the console, at any level, without the theme's notes on what it does."""


def chromium() -> str | None:
    """Return the browser of this machine, or of the variable CHROMIUM; None if there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@dataclass(frozen=True)
class Opened:
    """A page as the browser made it: HTML after all scripts, what its console says, and answers of the server.

    An answer is a path and the server's code: 404 is a file that is not there.
    """

    html: str
    console: tuple[str, ...]
    answers: tuple[tuple[str, int], ...]


def opened(browser: str, folder: Path, page: str, own: Path) -> Opened:
    """Serve a folder, and open one of its pages; the browser keeps its own files in another folder."""
    with served(folder) as (address, answers):
        run = subprocess.run(
            [browser, *OPTIONS, f"--user-data-dir={own}", "--dump-dom", f"{address}/{page}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return Opened(run.stdout, tuple(CONSOLE.findall(run.stderr)), tuple(answers))


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Serve a folder on a free port of this machine; yield its address, and the list of its answers as it grows."""
    answers: list[tuple[str, int]] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            answers.append((self.path, int(code)))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", answers
        finally:
            server.shutdown()
