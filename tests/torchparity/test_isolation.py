"""Work in a process of its own: whatever it does, there is an answer, and nothing is left behind."""

from __future__ import annotations

import copyreg
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
import torch

from dspref.arrays import NotAnalysable
from tests.zoo import misbehaving
from torchparity.isolation import Lost, Say, isolated
from torchparity.parity import check

SOON, LATE = 1.0, 60.0


@pytest.fixture(autouse=True)
def no_tracebacks_of_crashes() -> Iterator[None]:
    """Crashes are meant here: pytest's own report of them would stand among the results."""
    was = faulthandler.is_enabled()
    faulthandler.disable()
    yield
    if was:
        faulthandler.enable()


def test_the_result_comes_back_and_the_work_need_not_be_picklable() -> None:
    base = 40
    assert isolated(lambda say: {"answer": base + 2}, seconds=LATE) == {"answer": 42}


def test_a_large_result_comes_back_whole() -> None:
    assert isolated(lambda say: bytes(1 << 24), seconds=LATE) == bytes(1 << 24)


def test_it_runs_elsewhere() -> None:
    seen: list[int] = []

    def work(say: Say) -> int:
        seen.append(1)
        return os.getpid()

    assert isolated(work, seconds=LATE) != os.getpid()
    assert seen == []


class Own(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.pair = code, text

    def __reduce__(self) -> Any:
        return Own, self.pair


@pytest.mark.parametrize("error", [ValueError("a b"), TypeError("t"), NotAnalysable("n"), KeyError("k"), Own(3, "x")])
def test_errors_are_raised_here(error: Exception) -> None:
    def work(say: Say) -> NoReturn:
        raise error

    with pytest.raises(type(error)) as raised:
        isolated(work, seconds=LATE)
    assert type(raised.value) is type(error)
    assert str(raised.value) == str(error)


def test_an_error_that_cannot_be_made_again_is_told() -> None:
    class Local(Exception):
        pass

    def work(say: Say) -> NoReturn:
        raise Local("in the child")

    found = isolated(work, seconds=LATE)
    assert isinstance(found, Lost)
    assert found.reason.startswith("raised Local: in the child, which cannot be handed over")


def sleeps(say: Say) -> None:
    say("before the end")
    time.sleep(3600)


def repeats(say: Say) -> None:
    while True:
        say("the same")


def closes_its_files(say: Say) -> None:
    say("before the end")
    os.closerange(3, 256)
    time.sleep(3600)


def starts_others(say: Say) -> None:
    child = subprocess.Popen(["sleep", "3600"], close_fds=False)
    say(str(child.pid))
    time.sleep(3600)


def by_signal(number: int) -> Callable[[Say], None]:
    def work(say: Say) -> None:
        say("before the end")
        os.kill(os.getpid(), number)

    return work


def runs_out_of_memory(say: Say) -> None:
    say("before the end")
    bytearray(1 << 31)  # in one piece, larger than any room that the parent has taken and left free


def leaves(say: Say) -> None:
    say("before the end")
    os._exit(0)


def exits(say: Say) -> NoReturn:
    say("before the end")
    sys.exit(3)


def interrupts(say: Say) -> NoReturn:
    say("before the end")
    raise KeyboardInterrupt


def hands_over_a_lock(say: Say) -> Any:
    say("before the end")
    return threading.Lock()


ENDS: dict[str, tuple[Callable[[Say], object], str]] = {
    "SIGSEGV": (by_signal(signal.SIGSEGV), "killed the process: signal 11 (SIGSEGV)"),
    "SIGKILL": (by_signal(signal.SIGKILL), "killed the process: signal 9 (SIGKILL), as a system does that is out of"),
    "SIGTERM": (by_signal(signal.SIGTERM), "killed the process: signal 15 (SIGTERM)"),
    "a signal without a name": (by_signal(40), "killed the process: signal 40"),
    "os._exit": (leaves, "ended the process: exit code 0"),
    "sys.exit": (exits, "ended the program: sys.exit(3)"),
    "KeyboardInterrupt": (interrupts, "raised KeyboardInterrupt"),
    "no pickle": (hands_over_a_lock, "a result that cannot be handed over: TypeError: cannot pickle"),
    "sleep": (sleeps, "hung: nothing new for 1 s"),
    "closed files": (closes_its_files, "hung: it closed its files and did not end"),
}


@pytest.mark.parametrize("name", ENDS)
def test_every_other_end_is_told_with_the_last_step(name: str) -> None:
    work, reason = ENDS[name]
    found = isolated(work, seconds=SOON)
    assert isinstance(found, Lost)
    assert found.reason.startswith(reason)
    assert found.last == "before the end"


def test_memory_is_limited() -> None:
    found = isolated(runs_out_of_memory, seconds=LATE, memory=1 << 26)
    assert found == Lost("ran out of memory", "before the end")
    assert isolated(runs_out_of_memory, seconds=LATE, memory=1 << 32) is None


def test_nothing_new_is_what_counts() -> None:
    def slow(say: Say) -> str:
        for step in range(6):
            say(f"step {step}")
            time.sleep(0.3)
        return "done"

    assert isolated(slow, seconds=SOON) == "done"
    assert isolated(repeats, seconds=SOON) == Lost("hung: nothing new for 1 s", "the same")


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as state:
            return state.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_it_started_is_killed_too() -> None:
    found = isolated(starts_others, seconds=SOON)
    assert isinstance(found, Lost)
    end = time.monotonic() + 10
    while alive(int(found.last)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive(int(found.last))


def children() -> list[str]:
    with open(f"/proc/self/task/{os.getpid()}/children") as listed:
        return listed.read().split()


def test_no_zombies_and_no_files_are_left() -> None:
    isolated(sleeps, seconds=0.1)
    files, others = os.listdir("/proc/self/fd"), children()
    for work in (lambda say: 1, exits, leaves, by_signal(signal.SIGKILL), sleeps, hands_over_a_lock):
        isolated(work, seconds=0.3)
    with pytest.raises(ZeroDivisionError):
        isolated(lambda say: 1 // 0, seconds=LATE)
    assert os.listdir("/proc/self/fd") == files
    assert children() == others


@pytest.fixture
def heeds_interrupts() -> Iterator[None]:
    """Processes in the background of a shell ignore Ctrl-C; one that is asked to does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_interrupts")
def test_an_interrupt_kills_it() -> None:
    others = children()
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        isolated(sleeps, seconds=LATE)
    timer.join()
    assert time.monotonic() - start < LATE / 2
    assert children() == others


FORKS = """
import os, signal, time
from torchparity.isolation import isolated

signal.signal(signal.SIGINT, signal.default_int_handler)
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    isolated(lambda say: time.sleep(600), seconds=600)
except KeyboardInterrupt:
    print("interrupted")
print(isolated.__module__, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_an_interrupt_while_it_forks_is_not_lost() -> None:
    """Python ignores what hooks of a fork raise, and runs handlers within them; ours is the one of before again."""
    run = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=LATE, check=True)
    assert run.stdout.splitlines() == ["interrupted", "torchparity.isolation True"]
    assert run.stderr == ""


SPEAKS = """
import copyreg
import os
from torchparity.isolation import isolated
print("before", end=" ")
def work(say):
    print("from Python", end="")
    os.write(1, b"from below")
    os.system("echo from a child")
    return os.read(0, 1)
print(isolated(work, seconds=60), "after")
"""


def test_our_output_and_input_stay_ours() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SPEAKS], input="not yours", capture_output=True, text=True, check=True
    )
    assert done.stdout == "before b'' after\n"
    assert all(words in done.stderr for words in ("from Python", "from below", "from a child"))


def test_the_warning_that_threads_and_forks_do_not_mix_is_heeded_already(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = os.fork

    def warned() -> int:  # as Python 3.12 does
        text = "This process (pid=1) is multi-threaded, use of fork() may lead to deadlocks in the child."
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return fork()

    monkeypatch.setattr(os, "fork", warned)
    assert isolated(lambda say: 1, seconds=LATE) == 1
    monkeypatch.setattr(os, "fork", lambda: warnings.warn("another", DeprecationWarning, stacklevel=2))
    with pytest.raises(DeprecationWarning, match="another"):
        isolated(lambda say: 1, seconds=LATE)


def test_torch_computes_there_after_threads_and_gradients_here() -> None:
    layer, x = torch.nn.ConvTranspose1d(32, 32, 8, stride=4), torch.randn(4, 32, 200)

    def loss(say: Say) -> float:
        y = layer(x).square().mean()
        y.backward()
        return float(y.detach())

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = loss(lambda text: None)
        there = isolated(lambda say: (loss(say), torch.get_num_threads()), seconds=LATE)
    finally:
        torch.set_num_threads(threads)
    assert isinstance(there, tuple)
    assert there[0] == pytest.approx(here, rel=1e-5)
    assert there[1] == 1


def test_cuda_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(NotAnalysable, match=r"CUDA does not survive a fork.*run the check in this process"):
        isolated(lambda say: 1, seconds=LATE, device="cuda:0")
    assert isolated(lambda say: 1, seconds=LATE) == 1


def test_a_platform_without_fork_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(NotAnalysable, match="a platform that can fork"):
        isolated(lambda say: 1, seconds=LATE)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e9, "60"])
def test_what_is_no_time_is_no_time_limit(seconds: Any) -> None:
    with pytest.raises(ValueError, match=r"seconds: got .*; allowed: a time in s, > 0 and at most 86400 \(a day\)"):
        isolated(lambda say: 1, seconds=seconds)


REFUSED = "refused, which is legal"
EXPECTED: dict[str, tuple[str, str]] = {
    "Behaves": ("exact", ""),
    "ReturnsNaN": ("wrong", "nan at output"),
    "ReturnsInfinity": ("wrong", "inf at output"),
    "ReturnsDouble": ("wrong", "dtype of the result: got torch.float64"),
    "ReturnsTuple": ("wrong", "result: got tuple"),
    "ReturnsNone": ("wrong", "result: got NoneType"),
    "ReturnsArray": ("wrong", "result: got ndarray"),
    "ReturnsView": ("exact", ""),
    "ReturnsStrided": ("exact", ""),
    "ReturnsExpanded": ("wrong", "at output [0, 1, 0]"),
    "RequiresGradient": ("wrong", "no gradient by input: the output does not depend on it"),
    "ReturnsOtherBatch": ("wrong", "result: got shape (2, 2"),
    "ReturnsOtherRank": ("wrong", "result: got shape (1, 1, 2"),
    "ReturnsMeta": ("wrong", "meta"),
    "MutatesInput": ("wrong", "changed in place"),
    "AddsCount": ("wrong", "another output for the same input"),
    "KeepsMean": ("wrong", "output"),
    "ChangesWeights": ("wrong", "another output for the same input"),
    "ChangesDefaultDtype": ("wrong", "default dtype or gradient mode: got changed by the call"),
    "ChangesRandomness": ("exact", ""),
    "ChangesGradientMode": ("wrong", "default dtype or gradient mode: got changed by the call"),
    "Prints": ("exact", ""),
    "Warns": ("exact", ""),
    "IsRandom": ("wrong", "another output for the same input"),
    "RaisesOnOdd": ("wrong", f"{REFUSED}: RuntimeError: odd lengths are not supported"),
    "RaisesBeyond32": ("wrong", f"{REFUSED}: IndexError: buffer of 32 samples is full"),
    "RaisesOnOne": ("wrong", "ValueError: more than one sample, please"),
    "Hangs": ("lost", "hung: nothing new for 2 s"),
    "HangsBusily": ("lost", "hung: nothing new for 2 s"),
    "Segfaults": ("lost", "killed the process: signal 11 (SIGSEGV)"),
    "IsKilled": ("lost", "killed the process: signal 9 (SIGKILL)"),
    "Aborts": ("lost", "killed the process: signal 6 (SIGABRT)"),
    "EndsProcess": ("lost", "ended the process: exit code 0"),
    "EndsProgram": ("wrong", f"{REFUSED}: SystemExit: 3"),
    "Interrupts": ("lost", "raised KeyboardInterrupt"),
    "Recurses": ("wrong", f"{REFUSED}: RecursionError"),
    "Allocates": ("wrong", f"{REFUSED}: MemoryError"),
}
"""Of every misbehaving layer: the status of its check ("lost" if it did not come back), and words of the reason."""


def test_every_misbehaving_layer_has_a_row() -> None:
    made = {name for name, found in vars(misbehaving).items() if getattr(found, "__name__", "") == "<lambda>"}
    assert made == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_misbehaving_layer_gets_a_verdict_in_words(name: str) -> None:
    status, words = EXPECTED[name]

    def work(say: Say) -> tuple[str, str]:
        say(name)
        warnings.simplefilter("default")  # as for a user, to whom a warning is no error
        verdict = check(getattr(misbehaving, name)(), "nearest x1" if name == "ReturnsView" else "nearest x4")
        return verdict.status, verdict.reason

    found = isolated(work, seconds=2 if status == "lost" else 30)
    got = ("lost", found.reason) if isinstance(found, Lost) else found
    assert got[0] == status
    assert words in got[1]


def test_a_lost_check_says_what_was_promised_and_the_dtype_of_its_last_call() -> None:
    promised = check(misbehaving.EndsProcess(), "nearest:4", isolate=True, time_limit=LATE)
    assert (promised.dtype, promised.description) == ("float32", "nearest x4")
    assert promised.repro.startswith("import torch; f(torch.zeros(")
    wide = check(misbehaving.EndsProcess().double(), isolate=True, time_limit=LATE)
    assert (wide.dtype, wide.description) == ("float64", "nothing: it did not answer")


def test_an_error_is_handed_over_where_errors_are_packed_with_their_causes() -> None:
    """As `distributed` has it, once it is loaded: a chain of errors is deep."""

    def fails(say: Say) -> None:
        error: Exception = ValueError("the first")
        for _ in range(2000):
            error = _following(error)
        raise error

    def _following(before: Exception) -> Exception:
        after = ValueError("the last")
        after.__cause__ = before
        return after

    def packed(error: ValueError) -> Any:
        return ValueError, error.args, {"cause": error.__cause__}

    copyreg.pickle(ValueError, packed)
    try:
        with pytest.raises(ValueError, match="the last"):
            isolated(fails, seconds=LATE)
    finally:
        copyreg.dispatch_table.pop(ValueError)


LASTS = """
import os, sys, time
from torchparity.isolation import isolated

def work(say):
    print(os.getpid(), file=sys.stderr, flush=True)
    time.sleep(600)

isolated(work, seconds=600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has ended")
def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    """Though it is of another group of processes; its end closes the pipe that both write to."""
    with subprocess.Popen([sys.executable, "-c", LASTS], stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stderr is not None
        child = int(parent.stderr.readline())
        assert os.getpgid(child) == child != parent.pid
        parent.kill()
        _, said = parent.communicate(timeout=60)
        assert said == ""
