"""Switches are held and put back; devices that are not there are refused in words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch

from torchparity.devices import as_device, device_name, one_thread, settings
from torchparity.nn.modes import exact


def state() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    return torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark


@pytest.mark.parametrize(("tf32", "deterministic", "timed"), list(product((False, True), repeat=3)))
def test_settings_hold_and_are_put_back(tf32: bool, deterministic: bool, timed: bool) -> None:
    before = state()
    with settings(tf32=tf32, deterministic=deterministic, benchmark=timed):
        assert state() == ("high" if tf32 else "highest", tf32, deterministic, timed)
    assert state() == before


def test_settings_nest() -> None:
    before = state()
    with settings(tf32=True):
        with settings(benchmark=True):
            assert state() == ("highest", False, True, True)
        assert state() == ("high", True, True, False)
    assert state() == before


IN_ITS_OWN_PROCESS = """
import torch
from torchparity.devices import settings
from torchparity.nn.choice import LAUNCHING, TENSOR, launching
from torchparity.nn.modes import exact
{given}
def told(ask):
    try:
        return ask()
    except RuntimeError:
        return "not told"
def state():
    names = "cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul"
    newer = [eval(f"torch.backends.{{name}}.fp32_precision") for name in names]
    return [*newer, told(torch.get_float32_matmul_precision), told(lambda: torch.backends.cudnn.allow_tf32)]
before = state()
assert exact("cuda") == (before[0] != "tf32"), before
assert launching(torch.float32) == (TENSOR if before[1] == "tf32" else LAUNCHING)
for tf32 in (True, False):
    with settings(tf32=tf32, benchmark=True):
        assert [value == "tf32" for value in state()[:3]] == [tf32] * 3, state()
        assert (exact("cuda"), exact("cuda", "conv")) == (not tf32, not tf32)
        assert torch.backends.cudnn.benchmark
        with settings(tf32=not tf32, deterministic=False):
            assert [value == "tf32" for value in state()[:3]] == [not tf32] * 3, state()
            assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic) == (False, False)
        assert torch.backends.cudnn.benchmark
    assert state() == before, state()
    assert not torch.backends.cudnn.benchmark
for later in ("tf32", "ieee"):
    torch.backends.fp32_precision = later
    print(later, state()[0], state()[3])  # Torch can't be told to take cuDNN's default again
"""

WAYS = {
    "nothing": "",
    "older": 'torch.set_float32_matmul_precision("high")',
    "older, of CUDA": "torch.backends.cuda.matmul.allow_tf32 = True",
    "older, of cuDNN": "torch.backends.cudnn.allow_tf32 = False",
    "single, of cuDNN": 'torch.backends.cudnn.conv.fp32_precision = "ieee"',
    "TF32": 'torch.backends.cuda.matmul.fp32_precision = "tf32"',
    "single": 'torch.backends.cuda.matmul.fp32_precision = "ieee"',
    "TF32 for all": 'torch.backends.fp32_precision = "tf32"',
    "single behind older": (
        'torch.set_float32_matmul_precision("high"); torch.backends.cuda.matmul.fp32_precision = "ieee"'
    ),
    "of a CPU": 'torch.backends.mkldnn.matmul.fp32_precision = "bf16"',
}


@pytest.mark.parametrize("given", WAYS.values(), ids=WAYS)
def test_precisions_that_were_set_by_either_way_are_read_held_and_put_back(given: str) -> None:
    """In a process of its own, since Torch doesn't take newer ones back; what is set later does what it would."""
    code, without = IN_ITS_OWN_PROCESS.format(given=given), "for later in"
    untouched = code.replace("for tf32 in (True, False):", "for tf32 in ():")
    assert without in untouched
    runs = [subprocess.run([sys.executable, "-c", each], **TOLD) for each in (code, untouched)]
    assert [done.returncode for done in runs] == [0, 0], runs[0].stderr + runs[1].stderr
    assert runs[0].stdout == runs[1].stdout != ""


TOLD: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 120}


def test_whether_products_are_exact_is_read_by_the_older_way_too() -> None:
    found = [exact(*asked) for asked in (("cuda",), ("cpu",), ("cuda", "conv"), ("mps",))]
    assert found == [True, True, False, False]
    try:
        for precision, due in (("high", False), ("medium", False), ("highest", True)):
            torch.set_float32_matmul_precision(precision)
            assert exact("cuda") == exact("cpu") == due
    finally:
        torch.set_float32_matmul_precision("highest")
    with settings(tf32=False):
        assert exact("cuda", "conv")


def test_switches_that_may_only_be_set_for_a_while_are_held_too() -> None:
    """As Torch's own tests have them; in a process of its own, since that lasts."""
    code = """
import torch
from torchparity.devices import settings
torch.backends.disable_global_flags()
with settings(tf32=True, benchmark=True):
    assert torch.backends.cudnn.benchmark and torch.get_float32_matmul_precision() == "high"
assert not torch.backends.cudnn.benchmark and torch.get_float32_matmul_precision() == "highest"
"""
    done = subprocess.run([sys.executable, "-c", code], **TOLD)
    assert done.returncode == 0, done.stderr


def fail(seen: list[object], look: Callable[[], object]) -> None:
    seen.append(look())
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("hold", "look", "held"),
    [
        (lambda: settings(tf32=True), state, ("high", True, True, False)),
        (one_thread, torch.get_num_threads, 1),
    ],
)
def test_all_is_put_back_after_an_error(hold: Any, look: Callable[[], object], held: object) -> None:
    threads, seen = torch.get_num_threads(), list[object]()
    torch.set_num_threads(2)
    try:
        before = look()
        with pytest.raises(ZeroDivisionError), hold():
            fail(seen, look)
        assert (seen, look()) == ([held], before)
        assert before != held
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["nowhere", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"device: got '{name}'.*; allowed: a device that"):
        as_device(name)


@pytest.mark.parametrize("name", ["mps", "hpu", "gpu"])
def test_a_refusal_is_a_sentence_and_no_list_of_backends(name: str) -> None:
    if name == "mps" and torch.backends.mps.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match=rf"device: got '{name}' \(") as refused:
        as_device(name)
    assert len(str(refused.value)) < 250
    assert "mkldnn" not in str(refused.value)


def test_a_device_has_a_name() -> None:
    assert as_device("cpu").type == "cpu"
    assert len(device_name("cpu")) > 2
