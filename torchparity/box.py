"""A black box and what it takes to ask it something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dspref.arrays import Array, NotAnalysable, complaint
from torchparity.arithmetic import unit
from torchparity.calls import Misbehaved, Refused, Run, call

_HEIGHT = {"float32": 2.0**60, "float64": 2.0**200}
"""Impulses so high that an offset falls below the last bit of ``height·h + b``: taps are copied, not rounded."""


@dataclass(frozen=True)
class Box:
    """The black box, with the channels, the dtype and the noise to feed it."""

    run: Run
    channels: int
    dtype: np.dtype[Any]
    rng: np.random.Generator

    def __call__(self, x: Array) -> Array:
        """Return the output, or refuse with the reason if it is not the output of a layer."""
        try:
            y = call(self.run, x.astype(self.dtype))
        except (Refused, Misbehaved) as error:
            hint = "say channels= and dtype= if these are wrong, or a smaller reach="
            got = f"{x.shape} {self.dtype}: {str(error).rstrip('.')}"
            raise NotAnalysable(complaint("input to probe with", got, "a signal that the box takes", hint)) from error
        if not np.isfinite(y).all():
            raise NotAnalysable(complaint("output of the box", "NaN or infinity", "finite numbers"))
        return y

    def noise(self, time: int) -> Array:
        """Return white noise (1, channel, time)."""
        return self.rng.standard_normal((1, self.channels, time)).astype(self.dtype)

    def response(self, x: Array) -> Array:
        """Return the output less the offset, for impulses of height 1, exactly."""
        height = _HEIGHT[self.dtype.name]
        zero = self(np.zeros((1, *x.shape[1:])))
        return np.asarray((self(x * height) - zero) / height)

    def tolerance(self, scale: Array, time: int) -> float:
        """Return the rounding that is let pass: that of `time` terms and of positions up to `time`.

        It is coarse, and only sorts out what has no normal form; `torchparity.check` bounds rounding.
        """
        return 8 * time * unit(self.dtype) * float(np.abs(scale).max(initial=0))


def refuse(what: str, got: str, hint: str = "describe it by hand: torchparity.register") -> NotAnalysable:
    """Return the error for a box that has no normal form: why, and what was seen."""
    return NotAnalysable(f"{what}: " + complaint("box", got, "a linear box, periodic in L, up to an offset", hint))
