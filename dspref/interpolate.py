"""The layer that is ``torch.nn.functional.interpolate`` in one dimension, for any scale or size."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, as_signal, complaint, set_field, value
from dspref.interpolators import Linear
from dspref.resize import MODES, Taps, check_length, grid_of, resize, taps
from dspref.stretchfilter import StretchFilter

_TAPS = {"nearest": 1, "nearest-exact": 1, "linear": 2, "cubic": 4}


@value
class Interpolate:
    """Interpolation by any scale or to any size: ``y[m] = Σ_j w_j(m) x[i(m) + j]``, positions exact.

    Where outputs stand, and what they are drawn from, says `dspref.resize`; there is no antialiasing filter, in
    down-scaling neither. `Nearest` and `Linear` are the same for integer factors.

    Parameters
    ----------
    mode : {'nearest', 'nearest-exact', 'linear', 'cubic'}
        "cubic" is Torch's "bicubic" along one axis (Keys' kernel, a = −¾).
    scale_factor : int, Fraction, text ("3/2", "1.1") or float
        Output rate over input rate; output length is ⌊time·scale⌋. A float is the rational that it is, 1.1 being
        2476979795053773/2251799813685248, and its product with the length is rounded to a double, as Torch does
        it: 0.3 makes 3 samples of 10, though that double is less than 3/10, and 120/88 makes 119 of 88, where
        "120/88" makes 120.
    size : int
        Output length; one of the two is given.
    recompute_scale_factor : bool
        With `scale_factor`: positions are those of the output length alone, as if it had been given as the size.
    align_corners : bool
        For linear and cubic: the first and the last output stand on the first and the last input.

    Raises
    ------
    ValueError
        If the mode is unknown, not exactly one of scale and size is given, the scale is not above 0, or an option has
        no meaning for the mode.
    NotAnalysable
        By ``factor``, for a size, which is no rate.

    Examples
    --------
    >>> Interpolate("nearest", scale_factor="3/2")([[10, 20]])
    array([[10, 10, 20]])
    >>> Interpolate("linear", size=3, align_corners=True)([[0.0, 1.0]])
    array([[0. , 0.5, 1. ]])
    """

    mode: str
    _: KW_ONLY
    scale_factor: Fraction | float | str | None = None
    size: int | None = None
    recompute_scale_factor: bool = False
    align_corners: bool = False
    op: ClassVar[str] = "interpolate"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None
    in_channels: ClassVar[None] = None
    out_channels: ClassVar[None] = None

    def __post_init__(self) -> None:
        as_choice("mode", self.mode, MODES)
        if (self.size is None) == (self.scale_factor is None):
            got = f"scale_factor={self.scale_factor}, size={self.size}"
            raise ValueError(complaint("interpolation", got, "one of scale_factor and size"))
        for name in ("recompute_scale_factor", "align_corners"):
            set_field(self, name, bool(getattr(self, name)))
        if self.size is not None:
            set_field(self, "size", as_integer("size", self.size, 1))
        else:
            set_field(self, "scale_factor", as_scale(self.scale_factor))
        if self.size is not None and self.recompute_scale_factor:
            raise ValueError(complaint("recompute_scale_factor", "True with size", "True with scale_factor only"))
        if self.align_corners and self.mode.startswith("nearest"):
            raise ValueError(complaint("align_corners", f"True for {self.mode}", "True for linear and cubic only"))

    @property
    def scale(self) -> Fraction | None:
        """The scale factor that was given, exact."""
        return None if self.scale_factor is None else Fraction(self.scale_factor)

    @property
    def ratio(self) -> Fraction | None:
        """The scale by which outputs are placed; None where it is output length over input length."""
        return None if self.recompute_scale_factor else self.scale

    def out_length(self, time: int) -> int:
        """Return the number of output samples for `time` input samples.

        Examples
        --------
        >>> Interpolate("nearest", scale_factor=120 / 88).out_length(88)
        119
        """
        length = int(self.size or 0)
        if self.scale is not None:
            given = float(self.scale)
            length = int(time * given if Fraction(given) == self.scale else time * self.scale)
        check_length(length, time)
        return length

    def taps(self, time: int) -> Taps:
        """Return what each output is drawn from, for `time` input samples, as integers.

        Examples
        --------
        >>> Interpolate("nearest", scale_factor="3/2").taps(4).index
        array([[0, 0, 1, 2, 2, 3]])
        """
        length = self.out_length(time)
        grid = grid_of(self.mode, time, length, scale=self.ratio, align_corners=self.align_corners)
        return taps(self.mode, time, grid)

    def __call__(self, x: ArrayLike) -> Array:
        """Return the interpolation of a signal (..., channel, time)."""
        x = as_signal(x)
        length = self.out_length(x.shape[-1])
        return resize(x, self.mode, length, scale=self.ratio, align_corners=self.align_corners)

    @property
    def factor(self) -> int | Fraction:
        """Output rate over input rate: an int where it is one."""
        if self.scale is None:
            hint = "a size is no rate: it moves with the length"
            raise NotAnalysable(complaint("factor", f"size={self.size}", "a scale_factor", hint))
        return int(self.scale) if self.scale.denominator == 1 else self.scale

    @property
    def length(self) -> int:
        """Number of taps: of the normal form for integer factors, else of the samples that an output is drawn from."""
        try:
            return int(self.normal.h.size)
        except NotAnalysable:
            return _TAPS[self.mode]

    @property
    def normal(self) -> StretchFilter:
        """The box, the triangle, or Keys' kernel on the grid of the outputs; for integer factors."""
        L = self.factor
        if self.align_corners:
            hint = "use align_corners=False"
            raise NotAnalysable(complaint("normal form", "align_corners=True", "a fixed grid of positions", hint))
        if isinstance(L, Fraction):
            hint = "it is a stretch, a filter and a decimation"
            raise NotAnalysable(complaint("normal form", f"factor {L}", "an integer factor", hint))
        if self.mode.startswith("nearest"):
            return StretchFilter(L, np.ones(L, int))
        if self.mode == "linear":
            return Linear(L).normal
        first, count = 3 * L // 2, 4 * L - L % 2
        h = np.array([keys(Fraction(2 * (n - first) + 1 - L, 2 * L)) for n in range(count)], object)
        return StretchFilter(L, h, offset=first, border="replicate")


def keys(t: Fraction) -> Fraction:
    """Return R. Keys' cubic kernel at a = −¾, which Torch uses: 1 at 0, and 0 at every other integer.

    Examples
    --------
    >>> keys(Fraction(1, 2)), keys(Fraction(-3, 2)), keys(Fraction(2))
    (Fraction(19, 32), Fraction(-3, 32), Fraction(0, 1))
    """
    t, a = abs(t), Fraction(-3, 4)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else Fraction(0)


def as_scale(given: Any) -> Fraction:
    """Return a scale factor as the rational that it is.

    Examples
    --------
    >>> as_scale("1.1"), as_scale(0.375)
    (Fraction(11, 10), Fraction(3, 8))
    """
    plain = float(given) if isinstance(given, np.floating) else given
    allowed = "a positive number: an integer, Fraction, float, or text as '3/2'"
    try:
        scale = Fraction(plain)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(complaint("scale_factor", repr(given), allowed)) from None
    if isinstance(given, bool) or not Fraction(1, LARGEST) <= scale <= LARGEST:
        raise ValueError(complaint("scale_factor", repr(given), f"{allowed}, up to 2^{int(math.log2(LARGEST))}"))
    return scale


LARGEST = 1 << 20
"""No scale may be larger, and none smaller than one over it: a slip of the finger must not fill the memory."""
