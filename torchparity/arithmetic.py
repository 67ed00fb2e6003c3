"""How a layer's numbers are rounded on their way: one declared model for each dtype and setting, to be proved wrong."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_choice, complaint


@dataclass(frozen=True)
class Arithmetic:
    """A model of rounding: what happens to operands, to sums, and to what is stored.

    An output ``y = Σ_j h_j x_j + b`` of n terms is taken to be computed from operands with a relative error of at
    most `u_in`, by sums in any order that round by `u_acc`, and to be rounded m times to the format in which
    results are stored, each time by `u_store` and half of `tiny`; m depends on the layer (`torchparity.roundoff`).
    The model says what a computation may do at worst: one output beyond its bound proves that it does something else.

    Attributes
    ----------
    name : str
    dtype, result : str
        Of the tensors that are fed, and of those that a layer with weights returns.
    u_in, u_acc, u_store : float
        Unit roundoffs; 0 where nothing is rounded.
    tiny_in, tiny_acc, tiny : float
        Smallest subnormal numbers of operands, sums and results; 0 where nothing is lost.
    largest : float
        The largest finite result.
    digits : int
        Whole numbers up to ``2**digits`` are exact on the whole way, operands up to ``2**operand_digits``.
    operand_digits : int
    words : str
        The model in a sentence.
    """

    name: str
    dtype: str
    result: str
    u_in: float
    u_acc: float
    u_store: float
    tiny_in: float
    tiny_acc: float
    tiny: float
    largest: float
    digits: int
    operand_digits: int
    words: str


def _plain(name: str, digits: int, tiny: float) -> Arithmetic:
    u = 2.0**-digits
    words = f"operands as given, sums of {name} in any order, fused or not (u = 2^-{digits})"
    largest = float(np.finfo(name).max)
    return Arithmetic(name, name, name, 0.0, u, 0.0, 0.0, tiny, tiny, largest, digits, digits, words)


_HALF = {"bfloat16": (8, 2.0**-133, (2 - 2.0**-7) * 2.0**127), "float16": (11, 2.0**-24, 65504.0)}
"""Significand bits, smallest subnormal and largest number of the half formats."""


def _half(name: str) -> Arithmetic:
    digits, tiny, largest = _HALF[name]
    words = (
        f"operands in {name}, sums of float32 in any order (u = 2^-24), results stored in {name} (u = 2^-{digits}), "
        "as are overlapping stamps and the bias"
    )
    u = 2.0**-digits
    return Arithmetic(name, name, name, 0.0, 2.0**-24, u, 0.0, 2.0**-149, tiny, largest, digits, digits, words)


def _autocast(half: str) -> Arithmetic:
    digits, tiny, largest = _HALF[half]
    words = f"operands of float32 rounded to {half} (u = 2^-{digits}), then {ARITHMETICS[half].words}"
    u, name = 2.0**-digits, f"autocast-{half}"
    return Arithmetic(name, "float32", half, u, 2.0**-24, u, tiny, 2.0**-149, tiny, largest, digits, digits, words)


ARITHMETICS: dict[str, Arithmetic] = {
    a.name: a
    for a in (
        _plain("float64", 53, 2.0**-1074),
        _plain("float32", 24, 2.0**-149),
        _half("bfloat16"),
        _half("float16"),
    )
}
"""The models by name: the dtypes themselves, TF32, and autocast to half precision."""

_words = "operands of float32 cut to 11 significant bits (u = 2^-10), sums of float32 in any order (u = 2^-24)"
_f32, _CUT = ARITHMETICS["float32"], 2.0**-135  # what is cut off, and not rounded, loses up to the last place, 2^-136
ARITHMETICS["tf32"] = Arithmetic(
    "tf32", "float32", "float32", 2.0**-10, _f32.u_acc, 0.0, _CUT, _f32.tiny, _f32.tiny, _f32.largest, 24, 11, _words
)
ARITHMETICS |= {a.name: a for a in (_autocast("bfloat16"), _autocast("float16"))}


def eager(a: Arithmetic) -> Arithmetic:
    """Return the model of half precision in which every single product and sum is rounded to half, as Python code does.

    Examples
    --------
    >>> eager(ARITHMETICS["float16"]).u_acc == 2.0**-11
    True
    """
    return replace(a, name=f"eager {a.name}", u_acc=a.u_store, tiny_acc=a.tiny)


DTYPES = ("float64", "float32", "bfloat16", "float16")


def arithmetic(model: Any) -> Arithmetic:
    """Return a model by its name, or that of a dtype of NumPy or Torch.

    Examples
    --------
    >>> arithmetic("tf32").u_in == 2.0**-10, arithmetic(np.float32).name
    (True, 'float32')
    """
    if isinstance(model, Arithmetic):
        return model
    name = model.removeprefix("torch.") if isinstance(model, str) else str(model).removeprefix("torch.")
    if name not in ARITHMETICS:
        with suppress(TypeError):  # no dtype at all: the message below names what was given
            name = np.dtype(model).name
    if name not in ARITHMETICS:
        hint = "convert the module with .float()"
        raise NotAnalysable(complaint("dtype", name, ", ".join(ARITHMETICS), hint))
    return ARITHMETICS[name]


def unit(model: Any) -> float:
    """Return the unit roundoff of a dtype: a rounded result is ``exact·(1 + δ)``, abs(δ) ≤ u.

    Examples
    --------
    >>> unit("float16") == 2.0**-11
    True
    """
    a = arithmetic(model)
    return max(a.u_in, a.u_acc, a.u_store)


def chosen(dtype: str, *, autocast: str | None = None, tf32: bool = False) -> Arithmetic:
    """Return the model for tensors of a dtype, under autocast or TF32 if asked for.

    Raises
    ------
    ValueError
        If autocast or TF32 is asked for tensors that they leave alone.
    """
    as_choice("dtype", dtype, DTYPES)
    if autocast is not None:
        as_choice("autocast", autocast, _HALF)
    if (tf32 or autocast) and dtype != "float32":
        what = "autocast" if autocast else "tf32"
        raise ValueError(complaint(f"dtype under {what}", dtype, "float32, which it lowers"))
    if tf32 and autocast:
        raise ValueError(complaint("tf32 and autocast", "both", "one of them", "autocast leaves nothing in float32"))
    return ARITHMETICS["tf32" if tf32 else f"autocast-{autocast}" if autocast else dtype]


def rounded(x: ArrayLike, dtype: str) -> Array:
    """Return the numbers of `x`, each rounded to nearest (ties to even) in a dtype, as an array that holds them.

    float64, float32 and float16 come in their own dtype; NumPy has no bfloat16, whose values come as float32.

    Examples
    --------
    >>> rounded([1.0, 1 / 3], "bfloat16")
    array([1.        , 0.33398438], dtype=float32)
    """
    a = np.asarray(x)
    if as_choice("dtype", dtype, DTYPES) != "bfloat16":
        with np.errstate(over="ignore"):  # infinite, as in the dtype itself
            return a.astype(dtype)
    digits, _, largest = _HALF["bfloat16"]
    wide = a.astype(np.float64)
    _, exponent = np.frexp(wide)
    scale = np.ldexp(1.0, np.maximum(exponent, -125) - digits)
    near = np.rint(wide / scale) * scale
    return np.asarray(np.where(np.abs(near) > largest, np.copysign(np.inf, near), near)).astype(np.float32)


def cut(x: ArrayLike, digits: int) -> Array:
    """Return doubles with their significand cut to so many bits, as TF32 units may do.

    Examples
    --------
    >>> cut([1.9999], 2)
    array([1.5])
    """
    wide = np.asarray(x, np.float64)
    _, exponent = np.frexp(wide)
    scale = np.ldexp(1.0, exponent - digits)
    return np.asarray(np.trunc(wide / scale) * scale)
