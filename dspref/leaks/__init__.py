"""DC leakage of any upsampler: the tones that it makes of a constant, and the nearest taps that make none.

Taps and layers answer exactly, functions are asked (`dspref.leaks.responses`); `dspref.leaks.lines` says what follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_fractions, as_integer, as_numbers, complaint
from dspref.chain import Chain
from dspref.cyclotomic import fold
from dspref.designs.projection import tone_free
from dspref.leaks.lines import Cure, Leakage, LeakageLine, leakage_lines
from dspref.leaks.responses import responses
from dspref.stretchfilter import StretchFilter

__all__ = ["Cure", "Leakage", "LeakageLine", "leakage", "of_function", "of_taps"]

WORTH_A_PROOF = 1 << 17
"""Taps that are summed as the fractions they are: about half a second."""

MOST = 1 << 13
"""Larger factors have more lines than anyone reads: they are refused."""


def leakage(
    upsampler: Any,
    factor: int | None = None,
    *,
    offset: ArrayLike = 1,
    time: int = 1024,
    unit: float | None = None,
) -> Leakage:
    """Return the DC leakage of any upsampler, line by line, and the cure.

    Line k stands at ``20 log10 abs(H(k/L)/H(0))`` dB re DC: the tone that a constant makes at k/L.

    Parameters
    ----------
    upsampler : array (taps,) or (out, in, taps), layer, StretchFilter, Chain, or function of an array (time,)
        Taps stand at the output rate; biases are left out; a function gives L·time samples, more or fewer at the ends.
    factor : int, optional
        L, at least 2; layers know theirs.
    offset : number or array (in,)
        The constant, in each input channel of taps and layers.
    time : int
        Samples of the signals that a function is asked with.
    unit : float, optional
        Unit roundoff of a function's arithmetic, or of taps; by default that of their dtype.

    Returns
    -------
    Leakage
        Of taps, nulls are those of the numbers as they stand. Where float taps leave no more than their own
        rounding, of n taps a phase divided by a sum, ``(n + 1) u Σ abs(h)/L``, lines count as null, too.

    Raises
    ------
    NotAnalysable
        If nothing of a constant passes, taps are symbols, or a function is not linear or not L-periodic.
    ValueError, TypeError
        If taps are empty, of mixed type, complex or not finite; if the factor is no integer of at least 2, or not
        the layer's; for modules of Torch, which `torchparity.leakage` takes.

    Examples
    --------
    >>> found = leakage([4066, 6261, 8133, 9391, 9834, 9391, 8133, 6261, 4066], 3)
    >>> round(found.worst_dbc, 2), found.lines[0].hz(48000)
    (-38.65, Fraction(16000, 1))
    >>> leakage([4066, 5878, 8133, 9391, 9834, 9391, 8133, 5878, 4066], 3).tone_free
    True
    >>> leakage(lambda x: np.repeat(x, 4), 4).worst_dbc is None
    True
    """
    _refuse_strangers(upsampler)
    if isinstance(upsampler, (StretchFilter, Chain)) or hasattr(type(upsampler), "normal"):
        u = upsampler if isinstance(upsampler, StretchFilter) else _chained(upsampler).collapse()
        if factor is not None and _factor(factor) != u.L:
            raise ValueError(complaint("factor", factor, f"{u.L}, that of the layer", "leave it out"))
        return of_taps(u.h, u.L, offset=offset, unit=unit)
    if factor is None:
        raise ValueError(complaint("factor", "none", "an integer >= 2", "only layers know theirs"))
    if callable(upsampler):
        return of_function(upsampler, factor, time=time, unit=unit)
    return of_taps(upsampler, factor, offset=offset, unit=unit)


def of_taps(taps: ArrayLike, factor: int, *, offset: ArrayLike = 1, unit: float | None = None) -> Leakage:
    """Return the leakage of taps (taps,) or (out, in, taps), as `leakage` does.

    Parameters
    ----------
    taps : array (taps,) or (out, in, taps)
        At the output rate.
    factor : int
        L, at least 2.
    offset : number or array (in,)
        The constant in each input channel.
    unit : float, optional
        Unit roundoff of the taps; by default that of their dtype.

    Returns
    -------
    Leakage

    Raises
    ------
    NotAnalysable
        If nothing of a constant passes, or taps are symbols.

    Examples
    --------
    >>> of_taps([1, 2, 1], 2).tone_free, of_taps([1, 1, 1], 2).cure.taps.tolist()
    (True, [Fraction(2, 3), Fraction(4, 3), Fraction(2, 3)])
    """
    L, h, mean = _factor(factor), _numeric(taps), as_numbers("offset", offset)
    u = _unit(h) if unit is None else unit
    exact = h.dtype.kind == "O" or h.size <= WORTH_A_PROOF
    small = (as_fractions(h) if exact else h.astype(float)) / (_largest(h) or 1)
    reached = _at_offset(small, as_fractions(mean) if exact else mean)
    unsure = _at_offset(np.abs(small).astype(float), np.abs(mean).astype(float)).sum(axis=-1) * u / L
    lines, resolution = leakage_lines(fold(reached, L), (-(-h.shape[-1] // L) + 1) * unsure)
    return _with_cure(Leakage(L, lines, resolution), h)


def of_function(f: Callable[[Array], Any], factor: int, *, time: int = 1024, unit: float | None = None) -> Leakage:
    """Return the leakage of a function, from (time,) to (time′,) or (out, time′), as `leakage` does.

    Parameters
    ----------
    f : callable
        From an array (time,) to (time′,) or (out, time′).
    factor : int
        L, at least 2.
    time : int
        Samples of the signals that it is asked with.
    unit : float, optional
        Unit roundoff of its arithmetic.

    Returns
    -------
    Leakage

    Examples
    --------
    >>> round(of_function(lambda x: np.convolve(np.kron(x, [1, 0]), [1, 1, 1]), 2).worst_dbc, 2)
    -9.54
    """
    L = _factor(factor)
    found = responses(f, L, time=time, unit=unit)
    unsure = np.full(len(found.gains), found.roundoff * np.abs(found.gains).max())
    lines, resolution = leakage_lines(found.gains, unsure)
    taps = found.taps
    return _with_cure(Leakage(L, lines, resolution), taps[0] if taps is not None and len(taps) == 1 else taps)


def _chained(layer: Any) -> Chain:
    return layer if isinstance(layer, Chain) else Chain([layer])


def _factor(value: object) -> int:
    L = as_integer("factor", value, 2, "other factors have no stretch + filter form, or no lines")
    if L > MOST:
        raise ValueError(complaint("factor", L, f"an integer up to {MOST}"))
    return L


def _refuse_strangers(upsampler: object) -> None:
    """Refuse what is Torch's, by the names of its classes, since Torch need not be there; words; classes."""
    if any(kind.__module__.split(".")[0] == "torch" for kind in type(upsampler).__mro__):
        hint = "torchparity.leakage(module, factor) takes modules and functions of tensors; for taps, tensor.numpy()"
        got = f"{type(upsampler).__name__}, which is Torch's"
        raise TypeError(complaint("upsampler", got, "taps, a layer, or a function of an array", hint))
    if isinstance(upsampler, (str, type)) or upsampler is None:
        hint = "dspref.parse reads words" if isinstance(upsampler, str) else ""
        raise TypeError(complaint("upsampler", repr(upsampler), "taps, a layer, or a function of an array", hint))


def _unit(h: Array) -> float:
    return float(np.finfo(h.dtype).eps) / 2 if h.dtype.kind == "f" else 0.0


def _numeric(taps: ArrayLike) -> Array:
    """Return real taps of one kind: floats, of at most 64 bits, or integers and Fractions as Fractions."""
    h = as_numbers("taps", taps)
    if h.ndim not in (1, 3) or h.size == 0:
        raise ValueError(complaint("taps", f"shape {h.shape}", "shape (taps,) or (out, in, taps), at least one tap"))
    if h.dtype.kind == "c":
        raise TypeError(complaint("taps", f"dtype {h.dtype}", "real numbers", "treat .real and .imag one by one"))
    if h.dtype.kind == "f":
        return h if h.dtype.itemsize <= 8 else h.astype(float)
    kinds = {type(v) for v in h.flat if not isinstance(v, (Rational, np.integer))}
    if not kinds:
        return np.asarray(np.frompyfunc(_fraction, 1, 1)(h), object)
    if all(issubclass(kind, (float, np.floating)) for kind in kinds):
        if all(isinstance(v, (float, np.floating)) for v in h.flat):
            return h.astype(float)
        got = f"mixed types, {' and '.join(sorted({type(v).__name__ for v in h.flat}))}"
        hint = "write Fractions, or .astype(float)"
        raise TypeError(complaint("taps", got, "all exact or all floats", hint))
    if any(kind.__module__.split(".")[0] == "sympy" for kind in kinds):
        raise NotAnalysable(complaint("leakage", "symbolic taps", "numbers", "put numbers in for the symbols"))
    raise TypeError(complaint("taps", ", ".join(sorted(k.__name__ for k in kinds)), "integers, Fractions or floats"))


def _fraction(v: Any) -> Fraction:
    return Fraction(int(v.numerator), int(v.denominator))


def _largest(h: Array) -> Any:
    """Return the largest magnitude, by which taps are divided: levels are ratios, and huge integers are no floats."""
    largest = np.abs(h).max()
    return largest if h.dtype.kind == "O" else Fraction(float(largest)) if h.size <= WORTH_A_PROOF else largest


def _at_offset(h: Array, mean: Array) -> Array:
    """Return the taps (out, taps) that one constant meets: h μ, summed over input channels."""
    if h.ndim == 1:
        if mean.ndim:
            raise ValueError(complaint("offset", f"shape {mean.shape}", "one number, for taps of one axis"))
        return np.asarray(h * mean)[None]
    if mean.ndim > 1 or mean.size not in (1, h.shape[1]):
        raise ValueError(complaint("offset", f"shape {mean.shape}", f"a number, or {h.shape[1]} of them"))
    return np.asarray((h * np.broadcast_to(mean, h.shape[1])[:, None]).sum(axis=1))


def _with_cure(found: Leakage, taps: Array | None) -> Leakage:
    """Return the leakage with the nearest tone-free taps, if there are tones, or why there are none."""
    if found.tone_free:
        return found
    if taps is None:
        note = "no cure: the answer to an impulse does not end; a larger time= may show its end"
        return replace(found, note=note)
    try:
        cured = tone_free(taps, found.factor)
    except NotAnalysable as error:
        return replace(found, note=f"no cure: {error}")
    largest = np.abs(taps).max()
    change, size = (float(np.linalg.norm((a / largest).astype(float))) for a in (cured - taps, taps))
    return replace(found, cure=Cure(cured, 20 * math.log10(change / size)))
