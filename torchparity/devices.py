"""Devices, and the switches of theirs that decide how a result is rounded."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from dspref.arrays import complaint


def as_device(name: str) -> torch.device:
    """Return a device that is there.

    Raises
    ------
    ValueError
        Says why it can't be used.

    Examples
    --------
    >>> as_device("cpu")
    device(type='cpu')
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        why = _why(str(error))
        raise ValueError(complaint("device", f"{name!r} ({why})", "a device that Torch can use here, as cpu")) from None
    if device.type == "meta":
        raise ValueError(complaint("device", "'meta'", "a device that computes, as cpu"))
    return device


def _why(words: str) -> str:
    """Return the first sentence of Torch's words, without the list of all that it was ever built for."""
    first = words.splitlines()[0].partition(". ")[0].rstrip(".")
    return "Torch knows no such kind of device" if first.startswith("Expected one of ") else first


def device_name(device: torch.device | str) -> str:
    """Return what a person calls the device: the model of the GPU, or of the processor.

    Examples
    --------
    >>> device_name("cpu") != ""
    True
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


@contextmanager
def settings(*, tf32: bool = False, deterministic: bool = True, benchmark: bool = False) -> Iterator[None]:
    """Hold the switches that decide how CUDA rounds, and put them back as they were.

    Parameters
    ----------
    tf32 : bool
        Let float32 products round their factors to 11 bits, in cuBLAS and in cuDNN.
    deterministic : bool
        Let cuDNN use only algorithms that give one result.
    benchmark : bool
        Let cuDNN time its algorithms and take the fastest.

    Examples
    --------
    >>> with settings(benchmark=True):
    ...     torch.backends.cudnn.benchmark
    True
    >>> torch.backends.cudnn.benchmark
    False
    """
    with ExitStack() as stack:
        _hold(stack, torch.backends.cudnn, "benchmark", benchmark)
        _hold(stack, torch.backends.cudnn, "deterministic", deterministic)
        _hold_tf32(stack, tf32)
        yield


def _hold_tf32(stack: ExitStack, tf32: bool) -> None:
    """Hold it by the older of Torch's two ways, which tells nothing once the newer one was used: then by that."""
    backends: Any = torch.backends
    try:
        precision, _ = torch.get_float32_matmul_precision(), backends.cudnn.allow_tf32
    except RuntimeError:
        for part in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn):
            _hold(stack, part, "fp32_precision", "tf32" if tf32 else "ieee")
        return
    stack.callback(torch.set_float32_matmul_precision, precision)
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    _hold(stack, backends.cudnn, "allow_tf32", tf32)


def _hold(stack: ExitStack, part: Any, name: str, value: object) -> None:
    stack.callback(setattr, part, name, getattr(part, name))
    setattr(part, name, value)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let Torch compute on one thread: the order of a sum then does not depend on the machine's cores.

    Examples
    --------
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
