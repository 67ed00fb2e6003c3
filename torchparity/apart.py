"""Work on a target of the command line in a process of its own, which loads Torch: this one need not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from torchparity.isolation import Lost, Say, isolated

T = TypeVar("T")

_LOADING = 120


def apart(target: str, work: Callable[[], T], *, seconds: float) -> T | Lost:
    """Return what `work` returns, from a process that may hang or die; what it calls, it says before.

    Examples
    --------
    >>> apart("torch.nn:ReLU", lambda: 6 * 7, seconds=60)
    42
    """

    def told(say: Say) -> T:
        with patiently(say):
            from torchparity.calls import telling

        say(f"# loading {target}")
        with telling(say):
            return work()

    return isolated(told, seconds=seconds)


@contextmanager
def patiently(say: Say) -> Iterator[None]:
    """Say every second that Torch is being loaded, for two minutes: the time limit is that of the layer."""
    loaded = threading.Event()

    def waiting() -> None:
        for second in range(_LOADING):
            say(f"# loading Torch ({second} s)")
            if loaded.wait(1):
                return

    thread = threading.Thread(target=waiting, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loaded.set()
        thread.join()
