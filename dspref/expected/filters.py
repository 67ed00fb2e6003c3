"""Filters that are not drawn: interpolators on the way up, average pooling on the way down."""

from __future__ import annotations

from typing import Any

import numpy as np

from dspref.arrays import BORDERS, Array, as_choice, as_integer, as_real, as_taps, complaint, set_field, value

LONGEST = 1 << 20
"""Most taps of a pooling."""


@value
class Fixed:
    """A filter that is not drawn, the same in each channel: ``y[n] = Σ_k h[k] x_L[ns + o − k]``.

    x_L is the input stretched by L. Interpolators are of this kind (s = 1), and so is average pooling (L = 1).

    Parameters
    ----------
    h : array (taps,)
    factor, offset, stride : int
        L, o and s.
    excess : int
        Of T samples it makes every s-th of TL + excess. The steady state knows no ends, and ignores this.
    edges : {'zeros', 'reflect', 'replicate', 'circular'}
        What is put beside the input; ignored likewise.

    Raises
    ------
    ValueError
        If taps are not one axis of real numbers, a count is not in range, or the border is unknown.
    """

    h: Array
    factor: int = 1
    offset: int = 0
    stride: int = 1
    excess: int = 0
    edges: str = "zeros"

    def __post_init__(self) -> None:
        set_field(self, "h", as_taps("taps", as_real("taps", self.h), 1))
        for name in ("factor", "stride"):
            as_integer(name, getattr(self, name), 1)
        as_integer("offset", self.offset, None)
        as_integer("excess", self.excess, None)
        as_choice("edges", self.edges, BORDERS)

    @property
    def gain(self) -> float | None:
        """The number that it multiplies by, if it does nothing else."""
        plain = len(self.h) == self.factor == self.stride == 1 and self.offset == self.excess == 0
        return float(self.h[0]) if plain else None


def fixed(layer: Any) -> Fixed:
    """Return an interpolator as the filter that it is, ends included, as ``fixed(Nearest(2))``.

    Parameters
    ----------
    layer : layer with a normal form
        Of taps (taps,), alike in each channel.

    Returns
    -------
    Fixed

    Raises
    ------
    TypeError
        If it is no such layer.

    Examples
    --------
    >>> from dspref import Linear
    >>> fixed(Linear(2))
    Fixed(h=array([0.25, 0.75, 0.75, 0.25]), factor=2, offset=1, stride=1, excess=0, edges='replicate')
    """
    normal = getattr(layer, "normal", None)
    if normal is None:
        raise TypeError(complaint("filter", repr(layer), "an interpolator, as Nearest(2)"))
    if normal.h.ndim != 1:
        raise TypeError(complaint("filter", repr(layer), "an interpolator, alike in each channel", "else use Drawn"))
    return Fixed(np.asarray(normal.h, float), normal.L, normal.offset, 1, normal.excess, normal.border)


def average_pool(length: int, *, stride: int | None = None, padding: int = 0) -> Fixed:
    """Return average pooling ``y[n] = 1/K Σ_j x[ns + j − p]``, s = K if no stride is given; zeros count, as in Torch.

    Parameters
    ----------
    length : int
        K, in samples.
    stride : int, optional
        s.
    padding : int
        p, zeros at either end.

    Returns
    -------
    Fixed

    Raises
    ------
    ValueError
        If a count is not in range.

    Examples
    --------
    >>> average_pool(2)
    Fixed(h=array([0.5, 0.5]), factor=1, offset=1, stride=2, excess=-1, edges='zeros')
    """
    if as_integer("length", length, 1) > LONGEST:
        raise ValueError(complaint("length", length, f"at most {LONGEST}"))
    K, p = as_integer("length", length, 1), as_integer("padding", padding, 0)
    return Fixed(np.full(K, 1 / K), 1, K - 1 - p, K if stride is None else stride, 2 * p - K + 1)
