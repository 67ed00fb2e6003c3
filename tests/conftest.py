"""What all tests share: one profile for drawn cases, the GPU rule, and figures shown after the run."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]  # runs pytest inside tests of the plugin

settings.register_profile("dspref", derandomize=True, deadline=None, database=None)
settings.load_profile("dspref")

NO_GPU = "this machine has no CUDA device that Torch can use"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-gpu", action="store_true", help="fail, and do not skip, where there is no GPU")
    parser.addoption(
        "--record", nargs="?", const="docs/validation", metavar="FOLDER", help="write what a suite for the record saw"
    )
    parser.addoption("--cases", type=int, metavar="N", help="for the record, compare so many in each setting")
    parser.addoption("--resume", metavar="FOLDER", help="keep finished pieces of long suites there, and go on")
    parser.addoption("--zoo", action="store_true", help="measure the decoders of tests/zoo, which all must be there")
    parser.addoption("--cure", action="store_true", help="make the decoders of tests/cure tone-free, and measure them")
    parser.addoption("--site", action="store_true", help="build the site, and read it")
    parser.addoption("--benchmarks", action="store_true", help="run tests/benchmarks, and nothing else")


def pytest_configure() -> None:
    """Compute on one thread, unless told otherwise, before anything that computes is loaded.

    Processes share the cores, and inputs are small: threads that wait for each other on a busy machine make
    Torch's small convolutions ten times slower, and NumPy's products wait for a whole time slice.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep timings out of runs that share their cores, and everything else out of runs of timings.

    Whole decoders are measured, and the site is built, where that is asked for.
    """
    timed = [item for item in items if "tests/benchmarks/" in item.path.as_posix()]
    rest = [item for item in items if item not in timed]
    items[:], dropped = (timed, rest) if config.getoption("--benchmarks") else (rest, timed)
    if not config.getoption("--zoo"):
        measured = [item for item in items if item.path.as_posix().endswith("tests/zoo/test_measured.py")]
        items[:], dropped = [item for item in items if item not in measured], [*dropped, *measured]
    if not config.getoption("--cure"):
        cured = [item for item in items if item.path.as_posix().endswith("tests/cure/test_cured.py")]
        items[:], dropped = [item for item in items if item not in cured], [*dropped, *cured]
    if not config.getoption("--site"):
        built = [item for item in items if "tests/site/" in item.path.as_posix()]
        items[:], dropped = [item for item in items if item not in built], [*dropped, *built]
    config.hook.pytest_deselected(items=dropped)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from walking what is imported and collected again and again: it stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def hearing() -> Iterator[None]:
    """Hear signals again: a command that was asked to end leaves its process deaf to them, as it then ends."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none, in words, or fail if one was required."""
    if item.get_closest_marker("gpu") and not has_gpu():
        if item.config.getoption("--require-gpu"):
            pytest.fail(f"--require-gpu was given, but {NO_GPU}")
        pytest.skip(NO_GPU)


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture
def show(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return a function that keeps a text for the end of the run, where it shows without ``-s``."""
    return lambda text: record_property("shown", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write what tests kept by `show`: reports carry it from other processes too."""
    reports = [r for group in terminalreporter.stats.values() for r in group if getattr(r, "when", None) == "call"]
    texts = [(r.nodeid, text) for r in reports for name, text in r.user_properties if name == "shown"]
    if texts:
        terminalreporter.section("figures")
    for _, text in sorted(texts):
        terminalreporter.write_line(text)
