"""A decoder of the zoo, as its package's source describes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Cited:
    """A line of a package, and words that stand in it."""

    file: str
    line: int
    words: str


@dataclass(frozen=True)
class Row:
    """One decoder.

    Attributes
    ----------
    name : str
    package : str
        With its version, as the extra ``zoo`` pins it.
    make : callable
    channels : int
        Of the input (batch, channel, time) before `arguments` lays it out.
    chain : str
        Words of `dspref.spec`.
    factor : Fraction
        Output samples per input sample.
    sr : int
        Hz, of the output.
    period : int
        Output samples between two steps of the slowest rate inside: lines are at multiples of sr/period.
    source : tuple of Cited
        The lines of the package that say so.
    branches, inner : tuple of (str, int)
        Resamplers on other ways, and those that are not net: in words, without padding and groups, or as function and
        factor; and how many there are.
    arguments : callable
        Lays (batch, channel, time) out as the module takes it.
    output : str
        Field of the module's output that is the waveform; "" where that is all it returns.
    shorter : int
        The trace's inputs are so many times shorter than it asks for: a window of attention that is full makes other
        calls, and the trace would go on to lengths at which it always is, at a hundred times the cost.
    note : str
        What else the source says.
    silent : str
        Why a coarser grid explains all that stands for a constant and for noise; "" where none does.
    drifts : str
        Why the response to a constant does not repeat to rounding; "" where it does.
    hidden : tuple of (str, int)
        Modules that run where no trace sees what they do, by their type, and how many there are.
    """

    name: str
    package: str
    make: Callable[[], nn.Module]
    channels: int
    chain: str
    factor: Fraction | int
    sr: int
    period: int
    source: tuple[Cited, ...]
    branches: tuple[tuple[str, int], ...] = ()
    inner: tuple[tuple[str, int], ...] = ()
    arguments: Callable[[Tensor], tuple[Tensor, ...]] = field(default=lambda x: (x,))
    output: str = ""
    shorter: int = 1
    note: str = ""
    silent: str = ""
    drifts: str = ""
    hidden: tuple[tuple[str, int], ...] = ()

    @property
    def grid_hz(self) -> Fraction:
        """Distance of the lines, in Hz."""
        return Fraction(self.sr, self.period)

    @property
    def absent(self) -> str:
        """Why the package is not at hand, as it is pinned; "" where it is."""
        name, pinned = self.package.split("==")
        try:
            found = version(name)
        except PackageNotFoundError:
            found = ""
        wanted = f"needs {self.package}: pip install 'dspref[zoo]'"
        return "" if found == pinned else f"{wanted} ({f'{found} is installed' if found else 'not installed'})"

    def waveform(self, returned: Any) -> Tensor:
        """Return the module's output as (1, channel, time)."""
        y = getattr(returned, self.output) if self.output else returned
        assert isinstance(y, Tensor)
        return y.reshape(1, -1, y.shape[-1])
