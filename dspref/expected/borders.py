"""Which sample each tap meets, ends included, and how long signals become: for moments of short inputs.

Layers read the input x stretched by L, and x has a rule for what is beside it. Tap j of output sample n meets place i:

    conv, sub-pixel    i = ns + jd − p         L = 1    ⌊(T + 2p − d(K − 1) − 1)/s⌋ + 1 samples
    transposed         i = n + p − kd          L = s    (T − 1)s − 2p + d(K − 1) + 1 + output_padding
    fixed filter       i = ns + o − k          any L    ⌈(TL + excess)/s⌉
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.network import Drawn, Gate
from dspref.expected.offsets import Offsets
from dspref.expected.reach import Reach
from dspref.multirate import check_border, extend


def length_behind(layer: Drawn | Fixed, time: int) -> int:
    """Return how many samples a layer makes of `time`; those of a sub-pixel convolution after its interleaving.

    Raises
    ------
    ValueError
        If there are none, or the input is too short for its border rule.

    Examples
    --------
    >>> length_behind(Drawn("convt", 1, 1, 4, factor=2, padding=1), 8), length_behind(Drawn("conv", 1, 1, 3), 8)
    (16, 6)
    """
    if isinstance(layer, Fixed):
        made = -(-(time * layer.factor + layer.excess) // layer.stride)
    else:
        p, reach = layer.padding, layer.dilation * (layer.length - 1)
        check_border(time, p, p, layer.padding_mode)
        if layer.op == "convt":
            made = (time - 1) * layer.factor - 2 * p + reach + 1 + layer.output_padding
        else:
            stride = layer.factor if layer.op == "conv" else 1
            made = ((time + 2 * p - reach - 1) // stride + 1) * (layer.factor if layer.op == "shuffle" else 1)
    if made < 1:
        raise ValueError(complaint(f"input of {time} samples", f"{made} samples of output", "at least 1", "feed more"))
    return made


@dataclass(frozen=True)
class Met:
    """What taps meet in an input of T samples.

    Attributes
    ----------
    sample : array (taps, outputs)
        1 … T, the number of the sample that a tap meets; 0 where it meets none.
    steady : array (outputs,)
        Whether no tap reaches beyond the ends.
    """

    sample: Array
    steady: Array


def met(layer: Drawn | Fixed, steady: Array) -> Met:
    """Return what the taps of a layer meet, of an input of which some samples are steady.

    Sub-pixel convolutions count before their interleaving.

    Examples
    --------
    >>> found = met(Drawn("conv", 1, 1, 3, padding=1, padding_mode="reflect"), np.ones(4, bool))
    >>> found.sample.tolist(), found.steady.tolist()
    ([[2, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 3]], [False, True, True, False])
    """
    made, j = length_behind(layer, len(steady)), np.arange(_taps(layer))[:, None]
    if isinstance(layer, Fixed):
        return _met(np.arange(made) * layer.stride + layer.offset - j, layer.factor, steady, layer.edges)
    if layer.op == "convt":
        return _met(np.arange(made) + layer.padding - j * layer.dilation, layer.factor, steady, "zeros")
    n = np.arange(made // layer.factor) if layer.op == "shuffle" else np.arange(made) * layer.factor
    return _met(n + j * layer.dilation - layer.padding, 1, steady, layer.padding_mode)


def _taps(layer: Drawn | Fixed) -> int:
    return len(layer.h) if isinstance(layer, Fixed) else layer.length


def _met(i: Array, L: int, steady: Array, border: str) -> Met:
    """Look places up in x, stretched by L: between its samples there is nothing, of which nothing is known to fail."""
    n, between = i // L, i % L > 0
    left, right = max(0, -int(n.min())), max(0, int(n.max()) - len(steady) + 1)
    sample = extend(np.arange(1, len(steady) + 1), left, right, border=border)[n + left]
    inside = extend(steady.astype(int), left, right)[n + left] > 0
    return Met(np.where(between, 0, sample), (inside | between).all(axis=0))


@dataclass(frozen=True)
class Length:
    """Samples, and the most that there may be: a walk that computes nothing, so that what does not fit is refused.

    Examples
    --------
    >>> Length(8, 100).drawn(Drawn("convt", 1, 1, 4, factor=4)).samples
    32
    """

    samples: int
    longest: int

    def __post_init__(self) -> None:
        if self.samples > self.longest:
            size = f"{self.samples} samples, two matrices of {self.samples**2 * 8 / 2**20:.0f} MiB"
            hint = "feed fewer, or ask expected_spectrum for the steady state, which has no length"
            raise NotAnalysable(complaint("length", size, f"at most {self.longest} samples", hint))

    def drawn(self, layer: Drawn) -> Length:
        """Behind a drawn convolution."""
        return replace(self, samples=length_behind(layer, self.samples))

    def fixed(self, u: Fixed) -> Length:
        """Behind a fixed filter."""
        return replace(self, samples=length_behind(u, self.samples))

    def mapped(self, stage: Pointwise | Gate, offsets: Offsets) -> Length:
        """Behind a map."""
        return self

    def named(self, name: str) -> Length:
        """Of what is drawn at a place."""
        return self

    def scaled(self, gain: float) -> Length:
        """Under a gain."""
        return self

    def plus(self, other: Length) -> Length:
        """Of a sum."""
        if self.samples != other.samples:
            both = f"{self.samples} and {other.samples} samples"
            raise ValueError(complaint("lengths of branches", both, "equal lengths", "pad or crop one of them"))
        return self

    def within(self, asked: Reach) -> Length:
        """Of what is asked for: all."""
        return self

    def beside(self, other: Length, a: float) -> Length:
        """Of a concatenation."""
        return self.plus(other)
