"""Arrays, value objects, and the words in which bad input is refused.

Signals are ``(..., channel, time)``; taps are ``(out, in, taps)``, or ``(taps,)`` when every channel
is filtered alike. Nothing here knows what a layer is.

Arithmetic is that of the arrays: floats round, Fractions and SymPy are exact, and int64 wraps beyond 2⁶³ without
a word, as NumPy's does (narrower integers are widened to it); for larger integers use ``dtype=object``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable
from fractions import Fraction
from numbers import Number
from typing import Any, TypeAlias, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[Any]
T = TypeVar("T")

BORDERS = ("zeros", "reflect", "replicate", "circular")
"""Border rules, in Torch's words (``padding_mode``)."""


class NotAnalysable(ValueError):
    """A question that the theory does not answer: the message says which, and what would do."""


def complaint(what: str, got: object, allowed: str, hint: str = "") -> str:
    """Return an error text in the one form that all of them have.

    Examples
    --------
    >>> complaint("stride", 0, "an integer >= 1", "use stride=1 for no upsampling")
    'stride: got 0; allowed: an integer >= 1. Hint: use stride=1 for no upsampling.'
    """
    end = "" if hint.endswith("?") else "."
    return f"{what}: got {got}; allowed: {allowed}." + (f" Hint: {hint}{end}" if hint else "")


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Return ``"did you mean 'x'?"`` for the known word nearest to `word`, else an empty string.

    Among names that anyone may have chosen, a `cutoff` of 0.6 keeps to those that are near.

    Examples
    --------
    >>> did_you_mean("neerest", ["nearest", "linear"])
    "did you mean 'nearest'?"
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"did you mean '{near[0]}'?" if near else ""


def as_integer(name: str, value: Any, minimum: int | None, hint: str = "") -> int:
    """Return `value` as an int, if it is an integer (of at least `minimum`, if given)."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    whole = whole or getattr(value, "is_Integer", False)  # SymPy's
    if whole and (minimum is None or int(value) >= minimum):
        return int(value)
    allowed = "an integer" if minimum is None else f"an integer >= {minimum}"
    if getattr(value, "free_symbols", None):
        hint = "for symbols in place of numbers see dspref.symbolic, as symbolic_chain(2)"
    raise ValueError(complaint(name, repr(value), allowed, hint))


def as_factor(value: object) -> int:
    """Return an upsampling factor as an int."""
    return as_integer("factor", value, 1, "non-integer factors have no stretch + filter form")


def as_exact(name: str, value: Any) -> Fraction:
    """Return `value` as the Fraction it says: integers, Fractions, texts ("0.2", "1/5"), short binary fractions.

    Other floats are refused: 0.2 is not 1/5, and would miss every line at 1/5 without a word.

    Examples
    --------
    >>> as_exact("frequency", "0.2"), as_exact("frequency", 0.375)
    (Fraction(1, 5), Fraction(3, 8))
    """
    allowed = "an integer, Fraction, text, or float that is a short binary fraction, as 0.375"
    plain = float(value) if isinstance(value, np.floating) else value
    try:
        exact = Fraction(plain)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(complaint(name, repr(plain), allowed, "write Fraction(1, 5) or '0.2'")) from None
    if isinstance(plain, float) and exact.denominator > SHORTEST:
        near = exact.limit_denominator(10_000)
        hint = f"write Fraction({near.numerator}, {near.denominator}) or '{plain!r}'"
        raise ValueError(complaint(name, repr(plain), allowed, hint))
    return exact


def as_rate(sr: Any) -> Fraction:
    """Return an output rate in Hz as the Fraction it is."""
    number = isinstance(sr, (int, float, Fraction)) and not isinstance(sr, bool)
    if not number or not math.isfinite(sr) or sr <= 0:
        raise ValueError(complaint("output rate", repr(sr), "a number of hertz > 0", "as sr=22050"))
    return Fraction(sr)


SHORTEST = 1 << 20
"""Largest denominator of a float that is taken at its word."""


def as_choice(name: str, value: str, allowed: Iterable[str]) -> str:
    """Return `value`, if it is one of the words allowed."""
    words = tuple(allowed)
    if value in words:
        return value
    hint = did_you_mean(str(value), words) or did_you_mean(str(value).lower(), words)
    raise ValueError(complaint(name, repr(value), ", ".join(words), hint))


def as_numbers(name: str, value: ArrayLike) -> Array:
    """Return `value` as an array of finite numbers: float, complex, integer (64 bits), Fraction or SymPy."""
    try:
        array = np.asarray(value)
    except ValueError:
        allowed = "numbers in an array, rows of equal length"
        raise ValueError(complaint(name, "rows of unequal length", allowed)) from None
    if array.dtype.kind not in "iufcO":
        allowed = "integer, float, complex, or object (Fraction, SymPy) arrays"
        raise TypeError(complaint(name, f"dtype {array.dtype}", allowed, "convert it with .astype(float)"))
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(complaint(name, f"{array[where]} at index {where}", "finite numbers", "mend it at its source"))
    if array.dtype.kind == "O":
        _check_objects(name, array)
    return array.astype(np.int64) if array.dtype.kind in "iu" and array.dtype.itemsize < 8 else array


def _check_objects(name: str, array: Array) -> None:
    """Refuse what does not compute, and what is not finite, among objects."""
    for where, item in np.ndenumerate(array):
        if not (hasattr(item, "__radd__") and hasattr(item, "__rmul__")):
            allowed = "numbers: integer, float, complex, Fraction or SymPy"
            raise TypeError(complaint(name, f"{item!r} at index {where}", allowed))
        if isinstance(item, (float, complex, np.inexact)) and not np.isfinite(item):
            raise ValueError(complaint(name, f"{item} at index {where}", "finite numbers", "mend it at its source"))


def as_complex(name: str, value: Array) -> Array:
    """Return numbers in complex floating point, which symbols do not have."""
    try:
        return value.astype(complex)
    except TypeError:
        hint = "Chain.offset_response keeps symbols, and dspref.symbolic.lines gives lines of them"
        raise NotAnalysable(complaint(name, "symbolic taps", "numbers", hint)) from None


def as_fractions(value: Array) -> Array:
    """Return numbers as the Fractions that they are; symbols and complex numbers are a TypeError.

    Examples
    --------
    >>> as_fractions(np.array([0.5, 2.0]))
    array([Fraction(1, 2), Fraction(2, 1)], dtype=object)
    """
    return np.asarray(np.frompyfunc(Fraction, 1, 1)(value), object)


def as_real(name: str, value: ArrayLike) -> Array:
    """Return `value` as an array of finite real numbers."""
    array = as_numbers(name, value)
    if array.dtype.kind == "c":
        raise TypeError(complaint(name, f"dtype {array.dtype}", "real numbers", "treat .real and .imag one by one"))
    return array


def as_signal(x: ArrayLike, channels: int | None = None) -> Array:
    """Return `x` as a signal ``(..., channel, time)``, of `channels` channels if given."""
    array = as_numbers("input", x)
    if array.ndim < 2:
        shape = f"shape {array.shape}"
        raise ValueError(complaint("input", shape, "shape (..., channel, time)", "write x[None, :] for one channel"))
    if channels is not None and array.shape[-2] != channels:
        hint = "axis -2 is the channel axis"
        raise ValueError(complaint("input channels", array.shape[-2], f"{channels}, as the layer's weight", hint))
    return array


def as_taps(name: str, value: ArrayLike, *ranks: int) -> Array:
    """Return a read-only copy of non-empty taps of one of the given ranks."""
    taps = as_numbers(name, value)
    if taps.ndim not in ranks:
        allowed = " or ".join(f"{r} axes" for r in ranks)
        raise ValueError(complaint(name, f"shape {taps.shape}", allowed, "taps are the last axis"))
    if taps.size == 0:
        raise ValueError(complaint(name, f"shape {taps.shape}", "at least one tap and one channel"))
    return frozen(taps)


def frozen(a: ArrayLike) -> Array:
    """Return a read-only copy of `a`."""
    copy = np.array(a)
    copy.setflags(write=False)
    return copy


def joint_dtype(*arrays: Array) -> np.dtype[Any]:
    """Return the dtype in which the arrays meet; exact taps (Fraction) follow a float signal.

    Examples
    --------
    >>> from fractions import Fraction
    >>> joint_dtype(np.array([Fraction(1, 4)]), np.ones(3, np.float32))
    dtype('float32')
    """
    numeric = [a.dtype for a in arrays if a.dtype.kind in "fc"]
    symbolic = any(a.dtype.kind == "O" and not all(isinstance(v, Number) for v in a.flat) for a in arrays)
    return np.result_type(*numeric) if numeric and not symbolic else np.result_type(*arrays)


def align(*arrays: Array) -> tuple[Array, ...]:
    """Return the arrays in their `joint_dtype`, so that one computation runs in one arithmetic."""
    dtype = joint_dtype(*arrays)
    return tuple(a.astype(dtype, copy=False) for a in arrays)


def same(a: object, b: object) -> bool:
    """Return whether two field values are equal, arrays by dtype, shape and elements."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and bool(a == b)


@dataclass_transform(frozen_default=True, eq_default=False)
def value(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass whose ``==`` and ``hash`` understand arrays."""
    made: Any = dataclasses.dataclass(frozen=True, eq=False)(cls)
    names = tuple(f.name for f in dataclasses.fields(made))

    def equal(self: Any, other: object) -> bool:
        return type(self) is type(other) and all(same(getattr(self, n), getattr(other, n)) for n in names)

    def digest(self: Any) -> int:
        keys = ((v.shape, str(v.dtype)) if isinstance(v, np.ndarray) else v for v in (getattr(self, n) for n in names))
        return hash((type(self), *keys))

    made.__eq__, made.__hash__ = equal, digest
    return made  # type: ignore[no-any-return]


def set_field(obj: object, name: str, content: object) -> None:
    """Set a field of a frozen value while it is being made (in ``__post_init__`` only)."""
    object.__setattr__(obj, name, content)
