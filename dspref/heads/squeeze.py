"""Squeezing: groups of samples as channels, as flows have it, and the head that undoes it.

Each head is a layer by its own definition; its ``normal`` is found by another way, so that the two being equal is a
test.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import (
    Array,
    NotAnalysable,
    as_choice,
    as_factor,
    as_integer,
    as_signal,
    complaint,
    set_field,
    value,
)
from dspref.multirate import ORDERS, interleave, polyphase
from dspref.stretchfilter import StretchFilter


@value
class Unsqueeze:
    """Groups of g channels become g samples: ``y[c, ng + r] = x[cg + r, n]``, the last step of a flow.

    The mean of each channel is one phase of the output, so offsets that are not the same in all g of them are
    g-periodic: ``c_k = 1/g Σ_r μ_r e^{−j2πkr/g}``, lines at multiples of sr/g. Nothing filters them.

    Parameters
    ----------
    channels : int
        Of the output: C; the input has C·g.
    factor : int
        g, the size of a group.
    order : {'crd', 'dcr'}
        Which channel is sample r of channel c: "crd" cg + r, "dcr" rC + c, as for `dspref.interleave`.

    Raises
    ------
    ValueError
        If a count is not in range, or the order is unknown.

    References
    ----------
    NVIDIA/waveglow, glow.py: audio in groups of 8 samples as 8 channels ("crd", of one channel).

    Examples
    --------
    >>> Unsqueeze(1, 4)([[1, 10], [2, 20], [3, 30], [4, 40]])
    array([[ 1,  2,  3,  4, 10, 20, 30, 40]])
    """

    channels: int
    factor: int
    _: KW_ONLY
    order: str = "crd"
    op: ClassVar[str] = "unsqueeze"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        _check_groups(self)

    def __call__(self, x: ArrayLike) -> Array:
        """Return (..., C, time·g) for a signal (..., C·g, time)."""
        return interleave(as_signal(x, self.in_channels), self.factor, order=self.order)

    @property
    def length(self) -> int:
        """Number of taps: a group."""
        return self.factor

    @property
    def in_channels(self) -> int:
        """Channels taken, C·g."""
        return self.channels * self.factor

    @property
    def out_channels(self) -> int:
        """Channels given, C."""
        return self.channels

    @property
    def normal(self) -> StretchFilter:
        """L = g, ``h[c, cg + r, r] = 1`` ("dcr": ``h[c, rC + c, r] = 1``), offset 0, excess 0."""
        C, g = self.channels, self.factor
        h = np.zeros((C, C * g, g), int)
        for c in range(C):
            for r in range(g):
                h[c, c * g + r if self.order == "crd" else r * C + c, r] = 1
        return StretchFilter(g, h)


@value
class Squeeze:
    """Groups of g samples become g channels: ``y[cg + r, n] = x[c, ng + r]``, the inverse of `Unsqueeze`.

    It is the transpose of `Unsqueeze` too: the matrix of either is a permutation. After a transposed convolution of
    stride s and taps w, g dividing s, it is one transposed convolution of stride s/g: the taps of its channel
    cg + r are the polyphase component ``w[c, jg + r]``.

    Parameters
    ----------
    channels : int
        Of the input: C; the output has C·g.
    factor_down : int
        g; `factor`, output rate over input rate, is 1/g.
    order : {'crd', 'dcr'}

    Raises
    ------
    ValueError
        When called on a length that g does not divide: no sample is dropped or made up without a word.

    Examples
    --------
    >>> Squeeze(1, 2)([[1, 2, 3, 4]])
    array([[1, 3],
           [2, 4]])
    """

    channels: int
    factor_down: int
    _: KW_ONLY
    order: str = "crd"
    op: ClassVar[str] = "squeeze"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        _check_groups(self)

    def __call__(self, x: ArrayLike) -> Array:
        """Return (..., C·g, time/g) for a signal (..., C, time)."""
        x, g = as_signal(x, self.channels), self.factor_down
        return polyphase(whole_periods(x, g), g, order=self.order)

    @property
    def factor(self) -> Fraction:
        """1/g."""
        return Fraction(1, self.factor_down)

    @property
    def length(self) -> int:
        """Number of taps: a group."""
        return self.factor_down

    @property
    def in_channels(self) -> int:
        """Channels taken, C."""
        return self.channels

    @property
    def out_channels(self) -> int:
        """Channels given, C·g."""
        return self.channels * self.factor_down

    @property
    def normal(self) -> StretchFilter:
        """Refuse: it lowers the rate."""
        hint = "Unsqueeze, its inverse, has one"
        raise NotAnalysable(
            complaint("normal form", f"a squeeze by {self.factor_down}", "layers that keep or raise the rate", hint)
        )


def _check_groups(layer: Unsqueeze | Squeeze) -> None:
    """Check the fields that both share."""
    name = "factor" if isinstance(layer, Unsqueeze) else "factor_down"
    set_field(layer, "channels", as_integer("channels", layer.channels, 1))
    set_field(layer, name, as_factor(getattr(layer, name)))
    as_choice("order", layer.order, ORDERS)


def whole_periods(x: Array, M: int) -> Array:
    """Return `x`, if it has whole periods of M samples.

    Examples
    --------
    >>> whole_periods(np.ones((1, 4)), 2).shape
    (1, 4)
    """
    if x.shape[-1] % M:
        raise ValueError(complaint("time samples", x.shape[-1], f"a multiple of {M}", "pad or cut the signal first"))
    return x
