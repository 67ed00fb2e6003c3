"""One decoder of the zoo made, traced and measured, with its time and memory."""

from __future__ import annotations

import ctypes
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from tests.zoo.measured import Response, responses
from tests.zoo.row import Row
from tests.zoo.traced import traced
from torchparity.rates import Rates

LINUX = Path("/proc/self")
"""Where Linux tells a process's memory, and forgets its high-water mark."""


@dataclass(frozen=True)
class Audited:
    """What was seen of one decoder.

    Attributes
    ----------
    parameters : int
    rates : Rates
        As traced.
    constant, noise : Response
    seconds : tuple of float
        To make, trace and measure it.
    mebibytes : int or None
        Memory at its peak over that before the module was made; None where the system does not tell.
    """

    row: Row
    parameters: int
    rates: Rates
    constant: Response
    noise: Response
    seconds: tuple[float, float, float]
    mebibytes: int | None

    @property
    def told(self) -> str:
        """One line for the end of a run."""
        peaks = f"{len(self.constant.peaks)} and {len(self.noise.peaks)} peaks"
        memory = "memory not known" if self.mebibytes is None else f"{self.mebibytes} MiB"
        return f"{self.row.name}: {sum(self.seconds):.1f} s, {memory}, {peaks}, every {float(self.row.grid_hz):g} Hz"


def audited(row: Row) -> Audited:
    """Make, trace and measure one decoder, from a fixed seed."""
    seconds: list[float] = []
    with peak_memory() as memory:
        with timed(seconds):
            module = made(row)
        with timed(seconds):
            found = traced(row, module)
        with timed(seconds):
            constant, random = responses(row, module)
    parameters = sum(p.numel() for p in module.parameters())
    return Audited(row, parameters, found, constant, random, (seconds[0], seconds[1], seconds[2]), memory())


def made(row: Row) -> nn.Module:
    """Return the decoder with the weights of seed 0; what its package warns of in its own code is not ours."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return row.make()


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    """Append the wall time of what is inside."""
    start = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - start)


@contextmanager
def peak_memory() -> Iterator[Callable[[], int | None]]:
    """Yield a function that says, afterwards, how much memory was in use at most over that at the start, in MiB."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what earlier decoders left is given back, and not used again unseen
        (LINUX / "clear_refs").write_text("5")  # the high-water mark is set back to what is in use now
        before = _kibibytes("VmRSS:")
    except (OSError, AttributeError, TypeError):
        yield lambda: None
        return
    yield lambda: max(0, _kibibytes("VmHWM:") - before) // 1024


def _kibibytes(what: str) -> int:
    lines = (LINUX / "status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])
