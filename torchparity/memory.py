"""How much memory a process has needed."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

_HIGH_WATER = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def peak_memory() -> int:
    """Return the most bytes of memory that this process has held so far; 0 where no one says.

    Examples
    --------
    >>> peak_memory() > 1 << 20
    True
    """
    try:
        found = _HIGH_WATER.search(Path("/proc/self/status").read_text("utf-8"))
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else _resident()


def _resident() -> int:
    """Return what the operating system has counted, where there is no /proc."""
    try:
        import resource
    except ImportError:
        return 0
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def process_name() -> str:
    """Return a name of this process that no other has, on this machine or in its cluster.

    Examples
    --------
    >>> process_name().endswith(f":{os.getpid()}")
    True
    """
    return f"{platform.node()}:{os.getpid()}"
