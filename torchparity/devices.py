"""Devices, and the switches of theirs that decide how a result is rounded."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
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

    Torch has two ways to set them. The older one, which sets CPUs too, is used unless the newer one was. cuDNN's
    default, TF32 as long as no switch for all devices says otherwise, can't be put back, and becomes TF32.

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
    cudnn: Any = torch.backends.cudnn
    with ExitStack() as stack:
        for part in _newer():
            stack.callback(setattr, part, "fp32_precision", _own(part))
        try:
            precision, _ = torch.get_float32_matmul_precision(), cudnn.allow_tf32
        except RuntimeError:
            _hold_newer(stack, tf32, {"deterministic": deterministic, "benchmark": benchmark})
        else:
            stack.callback(torch.set_float32_matmul_precision, precision)
            torch.set_float32_matmul_precision("high" if tf32 else "highest")
            held = {"enabled": cudnn.enabled, "benchmark": benchmark, "deterministic": deterministic}
            stack.enter_context(cudnn.flags(**held, allow_tf32=tf32))
        yield


def _hold_newer(stack: ExitStack, tf32: bool, held: Mapping[str, bool]) -> None:
    """Hold switches by the newer of Torch's two ways: the older tells nothing once the newer one said otherwise."""
    for part in _newer()[:3]:
        part.fp32_precision = "tf32" if tf32 else "ieee"
    for name, value in held.items():
        stack.callback(setattr, torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
        setattr(torch.backends.cudnn, name, value)


def _newer() -> list[Any]:
    """Return the newer switches, those of CUDA first."""
    backends: Any = torch.backends
    return [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn, backends.mkldnn.matmul]


def _own(part: Any) -> str:
    """Return what a newer switch says itself: "none" if that is said by one for several, which may change later."""
    found: str = part.fp32_precision
    part.fp32_precision = "none"
    inherited = part.fp32_precision == found
    part.fp32_precision = found
    return "none" if inherited else found


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
