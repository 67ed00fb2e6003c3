"""Open pages in headless Chromium, by a server on this machine, and say what was asked for and what went wrong."""

from __future__ import annotations

import functools
import http.server
import json
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
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=8000",
)

CONSOLE = re.compile(r"CONSOLE[:(].*")
"""What pages write to the console, by whatever level."""


def chromium() -> str | None:
    """Return the browser of this machine, or of the variable CHROMIUM; None if there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@dataclass(frozen=True)
class Opened:
    """A page as the browser made it: its HTML after all scripts, messages of its console, and what was asked for."""

    html: str
    console: tuple[str, ...]
    asked: tuple[str, ...]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine, and yield its address."""
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def opened(browser: str, url: str, folder: Path) -> Opened:
    """Open a page; a folder for the browser's own files is needed."""
    log = folder / "net.json"
    run = subprocess.run(
        [browser, *OPTIONS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return Opened(run.stdout, tuple(CONSOLE.findall(run.stderr)), tuple(_asked(log.read_text("utf-8"))))


def _asked(log: str) -> Iterator[str]:
    """Yield the addresses of all requests in a log of the network that pages made.

    A browser that ends may leave the log without its last bracket.
    """
    try:
        found = json.loads(log)
    except json.JSONDecodeError:
        found = json.loads(log.rstrip().rstrip(",") + "]}")
    for event in found["events"]:
        url = event.get("params", {}).get("url", "")
        if url.startswith(("http:", "https:", "ws:", "wss:")):
            yield url
