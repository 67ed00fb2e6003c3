"""The pytest plugin: upsampling layers named on the command line, checked beside your tests.

    pytest --upsampler=my.pkg:Up --upsampler-like=nearest:4 --upsampler-dtype=float32

collects one item more, ``upsampler[my.pkg:Up like nearest x4 float32]``, which fails with the verdict as its report.
Tests of your own may ask for the fixtures ``upsampler``, ``upsampler_like`` and ``assert_upsampler``.

pytest loads this module in every run: it imports nothing but pytest until one of its options is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from torchparity.verdict import Verdict

DTYPES = ("float64", "float32", "bfloat16", "float16")
NONE_GIVEN = "no upsampler was given: pytest --upsampler=pkg.mod:Up"
NO_TORCH = "PyTorch is not installed: pip install dspref[torch]"

_PROMISED = "_upsampler_promise"


@dataclass(frozen=True)
class Promise:
    """A target of the command line, and what it should be, in words (None for what it is found to be)."""

    target: str
    like: str | None
    seed: int
    device: str

    def make(self, folder: Path) -> Any:
        """Return the layer, made from the seed; a file is looked for in the folder. Random numbers go on as before."""
        import torch

        from torchparity.target import load_layer

        place, _, name = self.target.rpartition(":")
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(self.seed)
            return load_layer(f"{folder / place}:{name}" if place.endswith(".py") else self.target)

    def options(self, dtype: str | None) -> dict[str, Any]:
        """Return options of `torchparity.check`, those that are its defaults left out."""
        device = {} if self.device == "cpu" else {"device": self.device}
        return {"like": self.like, "dtype": dtype, "seed": self.seed, **device}


PROMISES = pytest.StashKey[tuple[Promise, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("upsampler", "upsampling layers against an exact reference (torchparity)")
    group.addoption("--upsampler", action="append", default=[], metavar="TARGET", help="pkg.mod:Up or path/file.py:Up")
    group.addoption(
        "--upsampler-like",
        action="append",
        default=[],
        metavar="SPEC",
        help="what it should be: nearest:4, 'convt k16 s8 p4', ...; one for all, or one for each",
    )
    group.addoption("--upsampler-dtype", action="append", default=[], choices=DTYPES, help="by default its own")
    group.addoption("--upsampler-seed", default=0, type=int, metavar="N", help="of weights and inputs (0)")
    group.addoption("--upsampler-device", default="cpu", metavar="DEVICE", help="where it runs (cpu)")


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, and refuse bad ones before anything runs."""
    targets, likes = config.getoption("upsampler"), config.getoption("upsampler_like")
    seed, device = config.getoption("upsampler_seed"), config.getoption("upsampler_device")
    if seed < 0:
        raise pytest.UsageError(f"--upsampler-seed: got {seed}; allowed: an integer >= 0.")
    if len(likes) not in (0, 1, len(targets)) or (likes and not targets):
        allowed = "one for all, or one for each --upsampler"
        raise pytest.UsageError(f"--upsampler-like: got {len(likes)} for {len(targets)} targets; allowed: {allowed}.")
    words = likes if len(likes) == len(targets) else (likes or [None]) * len(targets)
    folder = config.invocation_params.dir
    config.stash[PROMISES] = tuple(
        Promise(_target(target, folder), _words(like), seed, device)
        for target, like in zip(targets, words, strict=True)
    )


def _target(target: str, folder: Path) -> str:
    place, colon, name = target.rpartition(":")
    if not (colon and place and name):
        raise pytest.UsageError(f"--upsampler: got {target!r}; allowed: pkg.mod:Up or path/file.py:Up.")
    if place.endswith(".py") and not (folder / place).is_file():
        raise pytest.UsageError(f"--upsampler: got {place}, no file; allowed: a file. Hint: looked in {folder}.")
    return target


def _words(like: str | None) -> str | None:
    """Return what is promised in its usual words."""
    if like is None:
        return None
    from dspref.spec import parse, spec

    try:
        return spec(parse(like))
    except ValueError as error:
        raise pytest.UsageError(f"--upsampler-like: {error}") from None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put one item for each target and dtype before all others; ``-k`` and ``-m`` choose among them as well."""
    dtypes: Sequence[str | None] = config.getoption("upsampler_dtype") or [None]
    made = [UpsamplerItem.of(session, promise, dtype) for promise in config.stash[PROMISES] for dtype in dtypes]
    items[:0] = made
    if made:  # no file was collected for them: say so, or they are not counted
        config.hook.pytest_collectreport(report=pytest.CollectReport("", "passed", None, [*made]))


class UpsamplerItem(pytest.Item):
    """The check of one target in one dtype (None for its own)."""

    promise: Promise
    dtype: str | None

    @classmethod
    def of(cls, session: pytest.Session, promise: Promise, dtype: str | None) -> UpsamplerItem:
        """Return the item, named by what it checks."""
        like = None if promise.like is None else f"like {promise.like}"
        name = f"upsampler[{' '.join(filter(None, (promise.target, like, dtype)))}]"
        item: UpsamplerItem = cls.from_parent(session, name=name, nodeid=name)
        item.promise, item.dtype = promise, dtype
        return item

    def runtest(self) -> None:
        """Check it: the verdict is the report, on failure in place of a traceback."""
        if find_spec("torch") is None:
            pytest.fail(NO_TORCH, pytrace=False)
        if failure := self.failure():
            pytest.fail(failure, pytrace=False)

    def failure(self) -> str:
        """Return why it fails, in words; keep a verdict that passed for ``-rP``."""
        from torchparity.parity import check
        from torchparity.target import loading

        try:
            layer = self.promise.make(self.config.invocation_params.dir)
            options = self.promise.options(self.dtype)
            on_cpu = options.get("device", "cpu") == "cpu"  # CUDA survives no fork
            found = check(layer, isolate=on_cpu, **options)
        except ValueError as error:
            return str(error)
        verdict = replace(found, repro=loading(found.repro, self.promise.target, self.promise.seed))
        if not verdict.ok:
            return str(verdict)
        self.add_report_section("call", "verdict", str(verdict))
        return ""

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """Report a verdict without a traceback, anything else with one that begins here."""
        excinfo.traceback = excinfo.traceback.cut(path=Path(__file__))
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say what the report is of."""
        return self.path, None, self.name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes our fixture `upsampler` once for every target; one of your own is left alone."""
    promises = metafunc.config.stash[PROMISES]
    if promises and _PROMISED in metafunc.fixturenames:
        metafunc.parametrize(_PROMISED, promises, ids=[promise.target for promise in promises], indirect=True)


@pytest.fixture
def _upsampler_promise(request: pytest.FixtureRequest) -> Promise:
    if not hasattr(request, "param"):
        pytest.skip(NONE_GIVEN)
    promise: Promise = request.param
    return promise


@pytest.fixture
def upsampler(_upsampler_promise: Promise, request: pytest.FixtureRequest) -> Any:
    """Give the layer that --upsampler names, one after the other if there are several."""
    try:
        return _upsampler_promise.make(request.config.invocation_params.dir)
    except ValueError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def upsampler_like(_upsampler_promise: Promise) -> str | None:
    """Give what the layer should be, in the words of --upsampler-like; None if nothing is said."""
    return _upsampler_promise.like


@pytest.fixture
def assert_upsampler() -> Callable[..., Verdict]:
    """Give the function `torchparity.assert_upsampler`."""
    from torchparity.asserts import assert_upsampler

    return assert_upsampler
