"""Switches are held and put back; devices that are not there are refused in words."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch

from torchparity.devices import as_device, device_name, one_thread, settings


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
