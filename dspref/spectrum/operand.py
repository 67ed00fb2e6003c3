"""What the functions of `dspref.spectrum` take: a layer, a stretch + filter, or a chain; and frequencies."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from numbers import Number
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.chain import Chain, as_chain
from dspref.layers import Layer
from dspref.stretchfilter import StretchFilter

Linear: TypeAlias = Layer | StretchFilter | Chain
"""A layer, a stretch + filter, or a chain of linear layers."""


def numeric_chain(u: Linear) -> Chain:
    """Return `u` as a chain, refused if its taps are no numbers: what is asked is answered in floating point."""
    chain = as_chain(u)
    for place, stage in enumerate(chain.stages):
        h = getattr(stage, "weight", getattr(stage, "taps", None))
        if isinstance(h, np.ndarray) and h.dtype == object and not all(isinstance(v, Number) for v in h.flat):
            got = f"symbols in {stage.op} (stage {place})"
            hint = "dspref.symbolic keeps symbols; put numbers in for the rest"
            raise NotAnalysable(complaint("taps", got, "numbers", hint))
    return chain


def as_frequencies(freq: Any) -> tuple[tuple[Fraction, ...], tuple[int, ...]]:
    """Return frequencies in cycles per sample, −1/2 … 1/2, as Fractions, and the shape in which they came.

    Floats are taken at their word: a response is continuous, so a rounded frequency does no harm. What must be
    met exactly, as a null, is asked for by a Fraction.

    Examples
    --------
    >>> as_frequencies([0.25, Fraction(1, 3)])
    ((Fraction(1, 4), Fraction(1, 3)), (2,))
    """
    array = np.asarray(freq, object)
    return tuple(_frequency(value) for value in array.flat), array.shape


def _frequency(value: Any) -> Fraction:
    try:
        exact = Fraction(float(value) if isinstance(value, np.floating) else value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        kind = ValueError if isinstance(value, (int, float, str)) else TypeError
        raise kind(complaint("frequency", repr(value), "real numbers, in cycles per sample")) from None
    if abs(exact) > Fraction(1, 2):
        got, allowed = f"{value} cycles/sample", "−1/2 … 1/2, up to half the output rate"
        raise ValueError(complaint("frequency", got, allowed, "divide hertz by the output rate"))
    return exact


def shaped(rows: Array, shape: Iterable[int]) -> Array:
    """Return rows (freqs, ...) with the frequencies in the shape in which they came."""
    return np.asarray(rows).reshape((*shape, *np.shape(rows)[1:]))
