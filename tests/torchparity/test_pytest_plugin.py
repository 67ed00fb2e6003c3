"""The pytest plugin: what it collects, reports and refuses; and that it costs other people's runs nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import numpy  # noqa: F401 -- here once: pytester unloads what its runs import, and neither bears to be loaded twice
import pytest
import torch
from torch import nn

import torchparity
from torchparity import pytest_plugin

SOURCE = """
import os

from torch import nn
import torch

UP4 = nn.Upsample(scale_factor=4)

def up():
    return nn.ConvTranspose1d(2, 3, 16, stride=8, padding=4)

def fourfold(x):
    return x.repeat_interleave(4, -1)

class Exits(nn.Module):
    def forward(self, x):
        os._exit(0)

class Recurrent(nn.Module):
    def forward(self, x):
        return x.cumsum(-1)

def crash():
    raise RuntimeError("no weights here")
"""

TESTS = """
import pytest
from torch import nn

def test_given(upsampler, upsampler_like, assert_upsampler):
    assert isinstance(upsampler, nn.Module)
    assert assert_upsampler(upsampler, upsampler_like).ok

def test_plain():
    pass
"""


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Work in a folder with a file of targets, and no configuration of ours."""
    monkeypatch.delitem(sys.modules, "targets", raising=False)  # of other tests
    pytester.makepyfile(targets=SOURCE)
    return pytester


def names(result: pytest.RunResult) -> list[str]:
    """Return the verbose lines of a run, without the share done."""
    return [line.split(" [")[0].strip() for line in result.outlines if line.endswith("%]")]


def test_the_plugin_is_registered() -> None:
    (found,) = entry_points(group="pytest11", name="torchparity")
    assert found.load() is pytest_plugin


def test_each_target_and_dtype_is_one_item_though_there_are_no_files(folder: pytest.Pytester) -> None:
    targets = ["--upsampler=targets:UP4", "--upsampler=targets.py:up"]
    likes = ["--upsampler-like=nearest:4", "--upsampler-like=convt k16  p4 s8"]
    dtypes = ["--upsampler-dtype=float32", "--upsampler-dtype=float64"]
    result = folder.runpytest("-v", *targets, *likes, *dtypes)
    assert names(result) == [
        "upsampler[targets:UP4 like nearest x4 float32] PASSED",
        "upsampler[targets:UP4 like nearest x4 float64] PASSED",
        "upsampler[targets.py:up like convt k16 s8 p4 float32] PASSED",
        "upsampler[targets.py:up like convt k16 s8 p4 float64] PASSED",
    ]
    assert "collected 4 items" in result.stdout.str()
    assert result.ret == pytest.ExitCode.OK


def test_a_failure_is_the_verdict_without_a_traceback(folder: pytest.Pytester) -> None:
    result = folder.runpytest("--upsampler=targets:up", "--upsampler-like=convt k15 s8 p4")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*upsampler?targets:up like convt k15 s8 p4?*",
            "wrong: stage 0: 'convt k15 s8 p4' promised, 'convt k16 s8 p4' found",
            "  compared   convt k16 s8 p4, as described",
        ]
    )
    text = result.stdout.str()
    assert "Error" not in text
    assert "During handling" not in text
    assert "pytest_plugin" not in text


def test_a_function_of_a_signal_is_a_layer_for_items_and_fixtures(folder: pytest.Pytester) -> None:
    folder.makepyfile(
        test_mine="def test_one(upsampler, assert_upsampler):\n    assert_upsampler(upsampler, 'nearest x4')"
    )
    folder.runpytest("--upsampler=targets:fourfold", "--upsampler-like=nearest:4").assert_outcomes(passed=2)


@pytest.mark.parametrize("ci", ["", "true"])
@pytest.mark.parametrize("name", ["up", "Exits"])
def test_a_failure_has_a_line_that_loads_the_target(
    folder: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str, ci: str
) -> None:
    monkeypatch.setenv("CI", ci)
    result = folder.runpytest(f"--upsampler=targets.py:{name}", "--upsampler-like=nearest:4", "--upsampler-seed=5")
    result.assert_outcomes(failed=1)
    # where CI is set, pytest's summary repeats the whole message
    (line,) = {text for text in result.stdout.lines if text.startswith("  reproduce  ")}
    loads = f"import load_layer; torch.manual_seed(5); f = load_layer('targets.py:{name}'); "
    assert loads in line


def test_a_fixture_that_makes_nothing_says_so_in_a_line(folder: pytest.Pytester) -> None:
    folder.makepyfile(test_mine="def test_one(upsampler):\n    pass")
    result = folder.runpytest("--upsampler=targets:crash", "-k", "test_one", "--tb=long")
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "target: got targets:crash(), which raised RuntimeError: no weights here" in text
    assert "Traceback" not in text
    assert "pytest_plugin" not in text


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("targets:Up", "'Up' in targets; allowed: a name that is there. Hint: did you mean 'up'?"),
        ("nowhere.to.be.found:up", "nowhere.to.be.found, which does not import (ModuleNotFoundError:"),
        ("targets:crash", "RuntimeError: no weights here"),
        ("targets:Recurrent", "support not finite"),
    ],
)
def test_a_target_that_cannot_be_checked_fails_in_words(folder: pytest.Pytester, target: str, words: str) -> None:
    result = folder.runpytest(f"--upsampler={target}")
    result.assert_outcomes(failed=1)
    assert words in result.stdout.str()
    assert "pytest_plugin" not in result.stdout.str()


def test_what_is_our_own_fault_is_shown_with_a_traceback_that_begins_here(
    folder: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(self: object, dtype: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr(pytest_plugin.Promise, "options", planted)
    result = folder.runpytest("--upsampler=targets:UP4")
    assert "KeyError: 'planted'" in result.stdout.str()
    assert "pluggy" not in result.stdout.str().split("FAILURES")[1]


def test_a_passed_verdict_is_shown_when_asked_for(folder: pytest.Pytester) -> None:
    result = folder.runpytest("--upsampler=targets:UP4", "--upsampler-like=nearest:4", "-rP")
    result.stdout.fnmatch_lines(["*verdict*", "exact*", "  compared   nearest x4, as promised"])


def test_items_run_beside_tests_of_files_and_obey_k(folder: pytest.Pytester) -> None:
    folder.makepyfile(test_mine=TESTS)
    given = ["--upsampler=targets:UP4", "--upsampler=targets:up"]
    result = folder.runpytest("-v", *given)
    assert names(result) == [
        "upsampler[targets:UP4] PASSED",
        "upsampler[targets:up] PASSED",
        "test_mine.py::test_given[targets:UP4] PASSED",
        "test_mine.py::test_given[targets:up] PASSED",
        "test_mine.py::test_plain PASSED",
    ]
    assert names(folder.runpytest("-v", *given, "-k", "UP4 and not given")) == ["upsampler[targets:UP4] PASSED"]
    folder.runpytest("--collect-only", *given).stdout.fnmatch_lines(["*5 tests collected*"])


def test_the_fixture_skips_in_words_where_nothing_is_given(folder: pytest.Pytester) -> None:
    folder.makepyfile(test_mine=TESTS)
    result = folder.runpytest("-rs")
    result.assert_outcomes(passed=1, skipped=1)
    assert f"SKIPPED [1] test_mine.py:4: {pytest_plugin.NONE_GIVEN}" in result.stdout.str()


def test_fixtures_and_parameters_of_the_same_name_are_left_alone(folder: pytest.Pytester) -> None:
    folder.makepyfile(
        test_mine="""
        import pytest

        @pytest.fixture
        def upsampler():
            return "mine"

        def test_fixture(upsampler):
            assert upsampler == "mine"

        @pytest.mark.parametrize("upsampler", ["a", "b"])
        def test_parameter(upsampler):
            assert upsampler in "ab"
        """
    )
    folder.runpytest("--upsampler=targets:UP4").assert_outcomes(passed=4)
    folder.runpytest().assert_outcomes(passed=3)


def test_random_numbers_go_on_as_if_nothing_had_been_made(folder: pytest.Pytester) -> None:
    promise = pytest_plugin.Promise("targets.py:up", None, 3, "cpu")
    torch.manual_seed(0)
    due = torch.rand(2)
    torch.manual_seed(0)
    first, second = promise.make(folder.path), promise.make(folder.path)
    assert torch.equal(torch.rand(2), due)
    assert isinstance(first, nn.ConvTranspose1d)
    assert isinstance(second, nn.ConvTranspose1d)
    assert torch.equal(first.weight, second.weight)
    other = pytest_plugin.Promise("targets.py:up", None, 4, "cpu").make(folder.path)
    assert isinstance(other, nn.ConvTranspose1d)
    assert not torch.equal(first.weight, other.weight)


BAD = {
    "no colon": (["--upsampler=targets"], "--upsampler: got 'targets'; allowed: pkg.mod:Up or path/file.py:Up."),
    "no file": (["--upsampler=gone.py:up"], "--upsampler: got gone.py, no file"),
    "no architecture": (
        ["--upsampler=targets:UP4", "--upsampler-like=neerest:4"],
        "--upsampler-like: column 1: layer: got 'neerest:4'*did you mean 'nearest'?",
    ),
    "too many": (
        ["--upsampler=targets:UP4", "--upsampler-like=nearest:4", "--upsampler-like=nearest:2"],
        "--upsampler-like: got 2 for 1 targets; allowed: one for all, or one for each --upsampler.",
    ),
    "like alone": (["--upsampler-like=nearest:4"], "--upsampler-like: got 1 for 0 targets"),
    "dtype": (["--upsampler-dtype=float8"], "argument --upsampler-dtype: invalid choice: 'float8'"),
    "seed": (["--upsampler-seed=-1"], "--upsampler-seed: got -1; allowed: an integer >= 0."),
    "seed, no number": (["--upsampler-seed=x"], "argument --upsampler-seed: invalid int value: 'x'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options_are_refused_before_anything_runs(folder: pytest.Pytester, name: str) -> None:
    words, message = BAD[name]
    result = folder.runpytest(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{message}*"])


def test_one_like_holds_for_all(folder: pytest.Pytester) -> None:
    result = folder.runpytest("-v", "--upsampler=targets:UP4", "--upsampler=targets:UP4", "--upsampler-like=nearest:4")
    assert names(result) == ["upsampler[targets:UP4 like nearest x4] PASSED"] * 2


ALONE = """
import sys
import torchparity.pytest_plugin
heavy = {"torch", "numpy", "scipy", "dspref", "hypothesis"} & set(sys.modules)
assert not heavy, heavy
"""


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-c", ALONE], check=True)
    planted = subprocess.run([sys.executable, "-c", f"import numpy\n{ALONE}"], capture_output=True, text=True)
    assert "AssertionError: {'numpy'}" in planted.stderr


def test_other_peoples_runs_see_nothing_of_it(folder: pytest.Pytester) -> None:
    folder.makepyfile(
        test_mine="""
        import sys

        def test_nothing_heavy_is_loaded():
            assert not {"torch", "numpy", "dspref"} & set(sys.modules)
            assert "torchparity.pytest_plugin" in sys.modules
        """
    )
    result = folder.runpytest_subprocess(
        "-W", "error", "--strict-config", "--strict-markers", "-p", "no:hypothesispytest"
    )
    result.assert_outcomes(passed=1, warnings=0)


def test_the_assertion_gives_the_verdict_or_raises_it() -> None:
    verdict = torchparity.assert_upsampler(nn.Upsample(scale_factor=2), like="nearest x2", dtype="float64")
    assert (verdict.status, verdict.dtype) == ("exact", "float64")
    layer = nn.ConvTranspose1d(1, 1, 4, stride=2)
    with pytest.raises(
        AssertionError, match=r"^wrong: stage 0: 'convt k3 s2' promised, 'convt k4 s2' found\n  compared "
    ):
        torchparity.assert_upsampler(layer, like="convt k3 s2")
