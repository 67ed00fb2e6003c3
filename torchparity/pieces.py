"""Numbered pieces of work on any number of processes, which an interruption ends between two pieces."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from time import monotonic
from typing import Generic, NamedTuple, TypeVar
from weakref import WeakSet

from dspref.arrays import complaint
from torchparity.devices import one_thread
from torchparity.memory import peak_memory, process_name

T = TypeVar("T")

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)
"""Signals that end work between two pieces."""

FEEDER, FEEDER_ENDS = "QueueFeederThread", 5.0
"""How joblib, as multiprocessing, calls the thread that feeds processes; and the seconds it has to end in."""

_FEEDERS = WeakSet[threading.Thread]()
"""Those that were begun for work here."""


class Done(NamedTuple, Generic[T]):
    """A finished piece of work: its number, its result, and where it was done with how much memory."""

    piece: int
    result: T
    process: str
    memory: int


@contextmanager
def at_work(work: Callable[[int], T], left: Sequence[int], jobs: int | None) -> Iterator[Iterator[Done[T]]]:
    """Do the pieces that are left, each on one thread; finished ones come in any order.

    Where the block is left early, what is still at work is given up, its processes too.

    Parameters
    ----------
    work : function of int
        Makes the result of a piece; must not depend on which were done before.
    left : sequence of int
        Numbers of pieces.
    jobs : int, optional
        Processes; by default as ``joblib.parallel_config`` says, else one.

    Raises
    ------
    ValueError
        If joblib is not installed.

    Examples
    --------
    >>> with at_work(abs, [-2, 3], None) as pieces:
    ...     sorted((done.piece, done.result) for done in pieces)
    [(-2, 2), (3, 3)]
    """
    if find_spec("joblib") is None:
        raise ValueError(complaint("joblib", "not installed", "joblib >= 1.4", "pip install 'dspref[sweep]'"))
    pieces = _pieces(work, left, jobs)
    try:
        yield pieces
    finally:
        with warnings.catch_warnings():  # joblib remarks on what was given up
            warnings.filterwarnings("ignore", r"\d+ tasks (have been|which were)", UserWarning)
            pieces.close()


def _pieces(work: Callable[[int], T], left: Sequence[int], jobs: int | None) -> Generator[Done[T]]:
    from joblib import Parallel, delayed

    parallel, before = Parallel(n_jobs=jobs, return_as="generator_unordered"), set(threading.enumerate())
    with _deaf():
        pieces = parallel(delayed(_done)(work, piece, process_name()) for piece in left)
    given_up = True
    try:
        yield from pieces
        given_up = False
    finally:  # joblib has ended its processes, or keeps them for the next time
        _FEEDERS.update(each for each in threading.enumerate() if each.name == FEEDER and each not in before)
        if given_up:
            _wait_for_feeders()


def _wait_for_feeders() -> None:
    """Wait for the thread that fed the processes: semaphores it holds when the interpreter ends are said to leak."""
    ends = monotonic() + FEEDER_ENDS
    for thread in list(_FEEDERS):
        thread.join(max(ends - monotonic(), 0))


@contextmanager
def _deaf() -> Iterator[None]:
    """Begin processes that Ctrl-C does not reach, from their first moment on: it is left to the one that began."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _done(work: Callable[[int], T], piece: int, home: str) -> Done[T]:
    """Do one piece, on one thread; in a process of its own, an interruption is left to the one that began."""
    if process_name() != home and threading.current_thread() is threading.main_thread():
        for number in INTERRUPTIONS:
            signal.signal(number, signal.SIG_IGN)
    with one_thread():
        result = work(piece)
    return Done(piece, result, process_name(), peak_memory())
