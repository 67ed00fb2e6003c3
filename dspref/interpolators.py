"""Interpolators: upsampling layers whose taps are known beforehand, and the general one."""

from __future__ import annotations

from dataclasses import KW_ONLY
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref import operators as op
from dspref.arrays import Array, NotAnalysable, as_factor, as_integer, as_signal, as_taps, complaint, set_field, value
from dspref.stretchfilter import StretchFilter


@value
class Nearest:
    """Nearest-neighbour interpolation by an integer: ``y[m] = x[⌊m/L⌋]``; h is the box of length L.

    Eq. 3.5.

    Parameters
    ----------
    factor : int
        L, at least 1.

    Raises
    ------
    ValueError
        If the factor is below 1.

    Examples
    --------
    >>> Nearest(3)([[1, 2]])
    array([[1, 1, 1, 2, 2, 2]])
    """

    factor: int
    op: ClassVar[str] = "nearest"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None
    in_channels: ClassVar[None] = None
    out_channels: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "factor", as_factor(self.factor))

    def __call__(self, x: ArrayLike) -> Array:
        """Return the interpolation of a signal (..., channel, time)."""
        return op.nearest(as_signal(x), self.factor)

    @property
    def length(self) -> int:
        """Number of taps."""
        return self.factor

    @property
    def normal(self) -> StretchFilter:
        """H = ones(L), offset 0, excess 0."""
        return StretchFilter(self.factor, np.ones(self.factor, int))


@value
class Linear:
    """Linear interpolation by an integer, as ``torch.nn.functional.interpolate(mode="linear")``.

    With `align_corners` false, h is a triangle on the half-sample grid (L = 2: ¼ ¾ ¾ ¼), the border
    replicated. With `align_corners` true the grid moves with the length, so there is no normal form.

    Eq. 3.6.

    Parameters
    ----------
    factor : int
        L, at least 1.
    align_corners : bool
        Whether the first and last samples stay where they are, as in Torch.

    Raises
    ------
    ValueError
        If the factor is below 1.
    NotAnalysable
        By ``normal``, if corners are aligned.

    Examples
    --------
    >>> Linear(2)([[0.0, 1.0]])
    array([[0.  , 0.25, 0.75, 1.  ]])
    """

    factor: int
    _: KW_ONLY
    align_corners: bool = False
    op: ClassVar[str] = "linear"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None
    in_channels: ClassVar[None] = None
    out_channels: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "factor", as_factor(self.factor))

    def __call__(self, x: ArrayLike) -> Array:
        """Return the interpolation of a signal (..., channel, time)."""
        return op.linear(as_signal(x), self.factor, align_corners=self.align_corners)

    @property
    def length(self) -> int:
        """Number of taps."""
        return 2 * self.factor - self.factor % 2

    @property
    def normal(self) -> StretchFilter:
        """H = 1 − abs(t)/L on the grid of the outputs, exact Fractions; offset = ⌊L/2⌋; replicated border."""
        if self.align_corners:
            hint = "use align_corners=False"
            raise NotAnalysable(complaint("normal form", "align_corners=True", "a fixed grid of positions", hint))
        L = self.factor
        odd = L % 2
        distances = [abs(Fraction(2 * n + 1 + odd, 2) - L) for n in range(2 * L - odd)]
        h = np.array([1 - t / L for t in distances], object)
        return StretchFilter(L, h, offset=L // 2, border="replicate")


@value
class FilterInterp:
    """Stretch + filter interpolation with any taps: ``y[m] = Σ_n h[m + offset − nL] x[n]``.

    Eq. 1.3.

    Parameters
    ----------
    factor : int
        L.
    taps : array (taps,) to filter every channel alike, or (out, in, taps)
    offset : int
        Delay taken away, in output samples; ``(taps − 1)//2`` centres a symmetric filter.
    excess : int
        Output length less L·time.

    Raises
    ------
    ValueError
        If the factor is below 1, or taps have another number of axes than one or three.

    Examples
    --------
    >>> FilterInterp(2, [1, 2, 1], offset=1)([[1, 1, 1]])
    array([[2, 2, 2, 2, 2, 1]])
    """

    factor: int
    taps: Array
    _: KW_ONLY
    offset: int = 0
    excess: int = 0
    op: ClassVar[str] = "filter"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "factor", as_factor(self.factor))
        set_field(self, "taps", as_taps("taps", self.taps, 1, 3))
        set_field(self, "offset", as_integer("offset", self.offset, None))
        set_field(self, "excess", as_integer("excess", self.excess, None))

    def __call__(self, x: ArrayLike) -> Array:
        """Return the interpolation of a signal (..., in, time)."""
        x = as_signal(x, self.taps.shape[1] if self.taps.ndim == 3 else None)
        return op.filter_interp(x, self.taps, self.factor, offset=self.offset, excess=self.excess)

    @property
    def length(self) -> int:
        """Number of taps."""
        return int(self.taps.shape[-1])

    @property
    def in_channels(self) -> int | None:
        """Channels taken; None where every channel is filtered alike."""
        return int(self.taps.shape[1]) if self.taps.ndim == 3 else None

    @property
    def out_channels(self) -> int | None:
        """Channels given; None where every channel is filtered alike."""
        return int(self.taps.shape[0]) if self.taps.ndim == 3 else None

    @property
    def normal(self) -> StretchFilter:
        """L, h, offset and excess as given, zeros beyond the border."""
        return StretchFilter(self.factor, self.taps, offset=self.offset, excess=self.excess)


def ZeroStuff(factor: int) -> FilterInterp:
    """Return the bare stretch as a layer: every image at 0 dB.

    Parameters
    ----------
    factor : int
        L, at least 1.

    Returns
    -------
    FilterInterp
        Of one tap, 1.

    Examples
    --------
    >>> ZeroStuff(2)([[1, 2]])
    array([[1, 0, 2, 0]])
    """
    return FilterInterp(factor, np.ones(1, int))
