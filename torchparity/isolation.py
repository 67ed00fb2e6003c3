"""Running what may hang or kill the process: in a process of its own, that says where it stands."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NoReturn, TypeAlias, TypeVar

from dspref.arrays import NotAnalysable, complaint

T = TypeVar("T")

Say: TypeAlias = Callable[[str], None]
"""Tells the parent what is done at present, as a text."""

_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""

_NAP = 0.002
_DAY = 86400


@dataclass(frozen=True)
class Lost:
    """Work that came to no end of its own.

    Attributes
    ----------
    reason : str
        What happened to its process.
    last : str
        The last thing it said; empty if it said nothing.
    """

    reason: str
    last: str


def isolated(work: Callable[[Say], T], *, seconds: float, device: str = "cpu", memory: int | None = None) -> T | Lost:
    """Return what `work` returns, from a forked child process that may hang, crash or end early.

    The child inherits everything that there is at the time of the call: `work` need not be picklable, but its
    result must be. What it prints goes to standard error, and its standard input is empty. Torch computes on
    one thread there, as OpenMP does not survive a fork with several; a module that was not loaded before the call is
    loaded in the child only, so load Torch first, where many calls are made.

    Parameters
    ----------
    work : function of `say`
        ``say(text)`` tells the parent what is being done, as the line of Python that reproduces the present case.
    seconds : float
        The longest time from one new text to the next (and to the result). Then the child and all of its own
        children are killed.
    device : str
        On which `work` computes. CUDA does not survive a fork.
    memory : int, optional
        Bytes that the child may take on top of what it was given; by default as many as the machine has.

    Returns
    -------
    The result, or `Lost`: if the child hung, was killed by a signal, left the program (``sys.exit``, ``os._exit``,
    ``KeyboardInterrupt``), ran out of memory, or gave what cannot be pickled.

    Raises
    ------
    NotAnalysable
        If this platform cannot fork, or `device` is a CUDA device that this process has used already.
    Exception
        What `work` raises, if it can be pickled.

    Examples
    --------
    >>> isolated(lambda say: 6 * 7, seconds=10)
    42
    >>> def falls(say):
    ...     say("step 1")
    ...     os._exit(3)
    >>> isolated(falls, seconds=10)
    Lost(reason='ended the process: exit code 3', last='step 1')
    """
    _check_fork(device)
    as_seconds("seconds", seconds)
    hears, says = multiprocessing.Pipe(duplex=False)
    with hears:
        with says:
            parent = os.getpid()
            with _held_back() as interrupted:
                child = _fork()
            if child == 0:
                hears.close()
                _live(work, says, memory, parent)
        try:
            if interrupted:
                signal.raise_signal(signal.SIGINT)
            result: T | Lost = _told(hears, child, seconds)
            return result
        finally:
            _end(child)


def as_seconds(name: str, value: Any) -> float:
    """Return a time that a system can wait.

    Examples
    --------
    >>> as_seconds("time limit", 0.5)
    0.5
    """
    if isinstance(value, (int, float)) and 0 < value <= _DAY:
        return float(value)
    raise ValueError(complaint(name, repr(value), f"a time in s, > 0 and at most {_DAY} (a day)"))


def _check_fork(device: str) -> None:
    if not hasattr(os, "fork"):
        hint = "run the check in this process"
        raise NotAnalysable(complaint("a process of its own", sys.platform, "a platform that can fork", hint))
    torch = sys.modules.get("torch")
    if device.startswith("cuda") and torch is not None and torch.cuda.is_initialized():
        hint = "run the check in this process, or before anything is computed on the GPU"
        got = f"{device}, which this process has used already"
        raise NotAnalysable(complaint("device of a process of its own", got, "cpu: CUDA does not survive a fork", hint))


@contextlib.contextmanager
def _held_back() -> Iterator[list[int]]:
    """Hold Ctrl-C back, and yield the list of those that came: Python ignores what is raised while it forks."""
    came: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield came
        return
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, handler)


def _fork() -> int:
    """Fork; the child is the head of its own process group, so that all of it can be killed, and Ctrl-C is ours."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or the child would write it again
    with warnings.catch_warnings():  # the child computes on one thread, and takes no lock that another may hold
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
        child = os.fork()
    with contextlib.suppress(ProcessLookupError, PermissionError):  # both sides do it, and either may be late
        os.setpgid(child, child)
    return child


def _live(work: Callable[[Say], Any], says: Connection, memory: int | None, parent: int) -> NoReturn:
    """Be the child: work, tell, and leave without a word to what the parent had registered for its end."""
    code = 1
    try:
        _end_with(parent)
        _settle(memory)
        _tell(says, *_outcome(work, lambda text: _tell(says, "say", text)))
        sys.stderr.flush()
        code = 0
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """Leave no child behind whose parent is killed: what it does may never end by itself, and nobody would hear it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # killed before that
        os._exit(1)


def _settle(memory: int | None) -> None:
    """Keep the child away from our input and output, from core dumps, threads, and the last of the memory."""
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    import resource  # where there is a fork, there is this

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        page = os.sysconf("SC_PAGE_SIZE")
        more = page * os.sysconf("SC_PHYS_PAGES") if memory is None else memory
        with open("/proc/self/statm") as sizes:
            used = page * int(sizes.read().split()[0])
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        allowed = used + more if hard == resource.RLIM_INFINITY else min(used + more, hard)
        resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def _outcome(work: Callable[[Say], Any], say: Say) -> tuple[str, Any]:
    """Return what came of the work, in a form that can be told."""
    try:
        result = work(say)
    except MemoryError as error:
        return "lost", f"ran out of memory{_colon(error)}"
    except SystemExit as error:
        return "lost", f"ended the program: sys.exit({error.code!r})"
    except Exception as error:
        alone = error.with_traceback(None)
        alone.__cause__ = alone.__context__ = None  # some programs have errors packed with all that led to them
        return _packed("raised", alone, f"raised {type(error).__name__}{_colon(error)}, which cannot be handed over")
    except BaseException as error:
        return "lost", f"raised {type(error).__name__}{_colon(error)}"
    return _packed("done", result, "a result that cannot be handed over")


def _packed(kind: str, content: object, otherwise: str) -> tuple[str, Any]:
    try:
        packed = pickle.dumps(content)
        if kind == "raised":  # many errors pickle, and then cannot be made again
            pickle.loads(packed)
    except Exception as error:
        return "lost", f"{otherwise}: {type(error).__name__}{_colon(error)}"
    return kind, (packed, otherwise)


def _colon(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f": {text}" if text else ""


def _tell(says: Connection, kind: str, content: Any) -> None:
    says.send_bytes(pickle.dumps((kind, content)))


def _told(hears: Connection, child: int, seconds: float) -> Any:
    """Listen until there is a result, or nothing new for so long, or silence for ever."""
    last, end = "", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and hears.poll(left):
        try:
            kind, content = pickle.loads(hears.recv_bytes())
        except (EOFError, OSError):
            return Lost(_fate(child, end), last)
        if kind != "say":
            return _opened(kind, content, last)
        if content != last:
            last, end = content, time.monotonic() + seconds
    return Lost(_hung(seconds), last)


def _opened(kind: str, content: Any, last: str) -> Any:
    """Return the result, raise what was raised, or say why neither can be had."""
    if kind == "lost":
        return Lost(content, last)
    packed, otherwise = content
    try:
        found = pickle.loads(packed)
    except Exception as error:  # of a class that only the child knows
        return Lost(f"{otherwise}: {type(error).__name__}{_colon(error)}", last)
    if kind == "raised":
        raise found
    return found


def _hung(seconds: float) -> str:
    return f"hung: nothing new for {seconds:g} s"


def _fate(child: int, end: float) -> str:
    """Return how a child ended that no longer speaks; it may have closed its files, and live."""
    while (found := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > end:
            return "hung: it closed its files and did not end"
        time.sleep(_NAP)
    code = os.waitstatus_to_exitcode(found[1])
    if code >= 0:
        return f"ended the process: exit code {code}"
    name = next((f" ({known.name})" for known in signal.Signals if known == -code), "")
    hint = ", as a system does that is out of memory" if -code == signal.SIGKILL else ""
    return f"killed the process: signal {-code}{name}{hint}"


def _end(child: int) -> None:
    """Kill the child and whatever it started, and leave no zombie."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # a group of zombies only, on some systems
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # its fate was asked for already
        os.waitpid(child, 0)
