"""How long periods become on the way: a walk that computes nothing, so that what is too large is refused at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.network import Drawn, Gate
from dspref.expected.offsets import Offsets
from dspref.expected.reach import Reach


@dataclass(frozen=True)
class Extent:
    """Period of the second moments, and the longest that there may be.

    Examples
    --------
    >>> Extent(1, 8).drawn(Drawn("convt", 1, 1, 4, factor=4)).period
    4
    """

    period: int
    longest: int

    def drawn(self, layer: Drawn) -> Extent:
        """Behind a drawn convolution."""
        return self._resampled(1, layer.factor) if layer.op == "conv" else self._resampled(layer.factor, 1)

    def fixed(self, u: Fixed) -> Extent:
        """Behind a fixed filter."""
        return self._resampled(u.factor, u.stride)

    def mapped(self, stage: Pointwise | Gate, offsets: Offsets) -> Extent:
        """Behind a map."""
        return self

    def named(self, name: str) -> Extent:
        """Of what is drawn at a place."""
        return self

    def scaled(self, gain: float) -> Extent:
        """Under a gain."""
        return self

    def plus(self, other: Extent) -> Extent:
        """Of a sum."""
        return self._checked(math.lcm(self.period, other.period))

    def within(self, asked: Reach) -> Extent:
        """Of what is asked for: all."""
        return self

    def beside(self, other: Extent, a: float) -> Extent:
        """Of a concatenation."""
        return self.plus(other)

    def _resampled(self, up: int, down: int) -> Extent:
        period = self.period * up
        return self._checked(period)._checked(period // math.gcd(period, down))

    def _checked(self, period: int) -> Extent:
        if period > self.longest:
            hint = "the recursion of combs takes any period: whole overlap, no fixed filters, white noise and constants"
            raise NotAnalysable(complaint("period", f"{period} samples", f"at most {self.longest}", hint))
        return replace(self, period=period)
