"""Pieces of work: what is left behind where they end early."""

from __future__ import annotations

import multiprocessing
import threading
import time
from typing import Any
from unittest import mock

import pytest
from joblib.externals.loky.backend import queues

from torchparity.pieces import FEEDER, at_work


class Enough(Exception):
    """The end that the block asks for."""


def reciprocal(piece: int) -> float:
    """Return 1 / piece."""
    return 1 / piece


def until(fails: bool, jobs: int = 2) -> None:
    """Have pieces done until the last one fails, or the first is done."""
    with at_work(reciprocal, [1, 2, 0], jobs) as pieces:
        for done in pieces:
            assert done.result * done.piece == 1
            if not fails:
                raise Enough


@pytest.mark.parametrize("fails", [False, True], ids=["given up", "failed"])
def test_no_thread_is_left_that_holds_semaphores(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends as the interpreter does has them told as leaked; here it takes its time."""
    feed, fed = queues.Queue._feed, []

    def slowly(*args: Any) -> None:
        fed.append(threading.current_thread())
        feed(*args)
        time.sleep(0.5)

    monkeypatch.setattr(queues.Queue, "_feed", staticmethod(slowly))
    for _ in range(2):  # the first time, processes of an earlier test may be at work
        with pytest.raises(ZeroDivisionError if fails else Enough):
            until(fails)
    assert fed
    assert all(thread.name == FEEDER and not thread.is_alive() for thread in fed)


@pytest.mark.parametrize("jobs", [1, 2])
def test_threads_that_feed_others_processes_are_not_waited_for(jobs: int) -> None:
    """A queue of the user's own has such a thread as long as it is open."""
    queue: Any = multiprocessing.Queue()
    queue.put(1)
    with mock.patch.object(threading.Thread, "join", autospec=True, side_effect=threading.Thread.join) as joined:
        with pytest.raises(ZeroDivisionError):
            until(fails=True, jobs=jobs)
        waited = [call.args[0] for call in joined.call_args_list]
    assert queue._thread.name == FEEDER
    assert queue._thread.is_alive()
    assert queue._thread not in waited
    queue.get()
    queue.close()
    queue.join_thread()
