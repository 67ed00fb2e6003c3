"""Interpolations in words, ``linear x3/2 corners`` or ``cubic size441``; and what all reading of words shares."""

from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

from dspref.arrays import complaint, did_you_mean
from dspref.interpolate import Interpolate
from dspref.interpolators import Linear, Nearest
from dspref.resize import MODES

Interpolation: TypeAlias = Nearest | Linear | Interpolate

LARGEST = 1 << 20
"""No kernel, factor or padding in words may be larger: a slip of the finger must not fill the memory."""

CORNERS, RECOMPUTE = "corners", "recompute"
"""The words for corners aligned, and for positions by the lengths alone."""


class SpecError(ValueError):
    """An architecture in words that cannot be read.

    Parameters
    ----------
    message : str
        What is wrong there.

    Attributes
    ----------
    column : int
        Where in the text, counted from 1.
    """

    def __init__(self, column: int, message: str) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


class Token(NamedTuple):
    """A word of the text and its column, counted from 1."""

    text: str
    column: int


def refuse_comma(word: Token) -> None:
    """Refuse a comma with words of its own: it looks like a way to split stages."""
    place = word.text.find(",")
    if place >= 0:
        raise SpecError(
            word.column + place, complaint("architecture", "','", "words, numbers and |", 'stages are split by "|"')
        )


def parameters(mode: str) -> tuple[str, ...]:
    """Return the words that an interpolation takes.

    Examples
    --------
    >>> parameters("nearest"), parameters("cubic")
    (('x', 'size', 'recompute'), ('x', 'size', 'recompute', 'corners'))
    """
    return ("x", "size", RECOMPUTE) if mode.startswith("nearest") else ("x", "size", RECOMPUTE, CORNERS)


def read_interpolation(head: Token, rest: list[Token]) -> Interpolation:
    """Return the interpolation that words say: `Nearest` and `Linear` by integers, `Interpolate` otherwise.

    Examples
    --------
    >>> read_interpolation(Token("linear", 1), [Token("x3/2", 8)]).factor
    Fraction(3, 2)
    """
    mode, given = head.text, dict[str, Any]()
    for word in rest:
        name, content = _parameter(mode, word)
        if name in given:
            before = f"{name}{given[name]} and {word.text}" if content is not True else f"{name} twice"
            raise SpecError(word.column, complaint(f"parameter {name} of {mode}", before, "one of each"))
        given[name] = content
    if ("x" in given) == ("size" in given):
        got = " ".join([mode, *(word.text for word in rest)])
        what = f"{mode} with x and size" if "x" in given else f"{mode} without x"
        raise SpecError(head.column, complaint(what, repr(got), "the factor, as x2 or x3/2, or the length, as size441"))
    x, corners, recompute = given.get("x"), CORNERS in given, RECOMPUTE in given
    if recompute and x is None:
        raise SpecError(head.column, complaint(RECOMPUTE, f"with size{given['size']}", "with a factor, as x3/2"))
    if x is not None and x.denominator == 1 and not recompute and mode in ("nearest", "linear"):
        return Nearest(int(x)) if mode == "nearest" else Linear(int(x), align_corners=corners)
    size = given.get("size")
    return Interpolate(mode, scale_factor=x, size=size, recompute_scale_factor=recompute, align_corners=corners)


def interpolation_words(stage: Interpolation) -> str:
    """Return the words for an interpolation.

    Examples
    --------
    >>> interpolation_words(Interpolate("cubic", size=441, align_corners=True))
    'cubic size441 corners'
    """
    if isinstance(stage, Nearest):
        return f"nearest x{stage.factor}"
    corners = [CORNERS] if stage.align_corners else []
    if isinstance(stage, Linear):
        return " ".join(["linear", f"x{stage.factor}", *corners])
    amount = f"x{stage.scale}" if stage.scale is not None else f"size{stage.size}"
    recompute = [RECOMPUTE] if stage.recompute_scale_factor else []
    return " ".join([stage.mode, amount, *recompute, *corners])


def _parameter(mode: str, word: Token) -> tuple[str, Any]:
    """Read one parameter: a factor x2 or x3/2, a length size441, or a word."""
    refuse_comma(word)
    names = parameters(mode)
    if word.text in names[2:]:
        return word.text, True
    name = next((name for name in names[:2] if word.text.startswith(name)), None)
    if name is None:
        hint = f"write x{word.text}" if re.fullmatch("[0-9]+", word.text) else did_you_mean(word.text, names)
        raise SpecError(word.column, complaint(f"parameter of {mode}", repr(word.text), ", ".join(names), hint))
    digits = word.text[len(name) :]
    if name == "x" and (factor := _factor(digits)) is not None:
        return name, factor
    if name == "size" and re.fullmatch("[0-9]{1,7}", digits) and 1 <= int(digits) <= LARGEST:
        return name, int(digits)
    allowed = (
        f"x and an integer or a fraction, up to {LARGEST}" if name == "x" else f"size and an integer, 1 … {LARGEST}"
    )
    raise SpecError(
        word.column, complaint(f"parameter {name} of {mode}", repr(word.text), allowed, _hint(name, digits))
    )


def _factor(digits: str) -> Fraction | None:
    """Return a factor, if digits say one that is neither too large nor too small."""
    if not re.fullmatch("[0-9]{1,25}(/[0-9]{1,25})?", digits):
        return None
    with suppress(ZeroDivisionError):
        x = Fraction(digits)
        return x if Fraction(1, LARGEST) <= x <= LARGEST else None
    return None


def _hint(name: str, digits: str) -> str:
    """Return how a number may be written that was not."""
    if name == "x" and re.fullmatch(r"[0-9]{1,7}\.[0-9]{1,7}", digits):
        return f"write x{Fraction(digits)}"
    return "as x2" if name == "x" else "as size441"


INTERPOLATIONS = MODES
"""The ways of interpolation that have words."""
