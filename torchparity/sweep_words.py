"""Grids in words: braces of alternatives, lists, lengths that depend on the stride, laws with their scale."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import product
from typing import TypeVar

from dspref.advice.plans import Plan
from dspref.arrays import NotAnalysable, as_choice, complaint, did_you_mean
from dspref.expected.laws import LAWS, initialised
from dspref.expected.network import Drawn
from dspref.words import LARGEST

T = TypeVar("T")

FAMILIES = ("transposed", "nearest", "linear", "subpixel")
"""Kinds of upsampling layers that a grid can be made of; the middle two interpolate, then convolve."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_LENGTH = re.compile(r"(?:(\d{0,4})s)?([+-]?\d{1,7})?", re.ASCII)


def expanded(text: str) -> tuple[str, ...]:
    """Return a text with each of its braces replaced by one of its alternatives, in every way, the last one fastest.

    Examples
    --------
    >>> expanded("convt k{8,16} s8 | {nearest,linear} x2")[:3]
    ('convt k8 s8 | nearest x2', 'convt k8 s8 | linear x2', 'convt k16 s8 | nearest x2')
    """
    return tuple("".join(parts) for parts in product(*_parts(text)))


def ways(text: str) -> int:
    """Return how many texts `expanded` has, without making them.

    Examples
    --------
    >>> ways("{a,b}" * 40) == 2**40
    True
    """
    return math.prod(len(part) for part in _parts(text))


def _parts(text: str) -> list[tuple[str, ...]]:
    """Return the alternatives of each part of a text; what is outside of braces has one."""
    for place, part in enumerate(pieces := _BRACES.split(text)):
        bad = part.strip() == "" if place % 2 else re.search("[{}]", part) is not None
        if bad:
            column = 1 + sum(len(before) + 1 for before in pieces[:place])
            got = f"{text!r}, at about column {column}"
            raise ValueError(complaint("braces", got, "{a,b} with alternatives, one not in the other", "as k{8,16}"))
    return [tuple(part.split(",")) if place % 2 else (part,) for place, part in enumerate(pieces)]


def listed(name: str, words: str, read: Callable[[str], T], *, by: str = ",") -> tuple[T, ...]:
    """Return what the parts of a list say, each read by a function.

    Examples
    --------
    >>> listed("rates", "8,8;2,2", lambda part: part.split(","), by=";")
    (['8', '8'], ['2', '2'])
    """
    parts = [part.strip() for part in words.split(by)]
    if not all(parts):
        raise ValueError(complaint(name, repr(words), f"words with {by} between, none of them empty"))
    return tuple(read(part) for part in parts)


def whole(name: str, words: str) -> tuple[int, ...]:
    """Return integers >= 1 with commas between.

    Examples
    --------
    >>> whole("rates", "8,8,2,2")
    (8, 8, 2, 2)
    """
    return listed(name, words, lambda part: _integer(name, part))


def _integer(name: str, word: str) -> int:
    if not re.fullmatch(r"\d{1,7}", word, re.ASCII) or not 1 <= int(word) <= LARGEST:
        raise ValueError(complaint(name, repr(word), f"integers, 1 … {LARGEST}", "as 8,8,2,2"))
    return int(word)


def length(words: str, s: int) -> int:
    """Return the taps that words say for a layer of stride s: ``2s+1``, ``s``, or a number.

    Examples
    --------
    >>> [length(words, 8) for words in ("2s", "2s+1", "s", "16")]
    [16, 17, 8, 16]
    """
    found = _LENGTH.fullmatch(words.replace(" ", ""))
    if not words or found is None or (found[1] is None and not (found[2] or "").isdigit()):
        raise ValueError(complaint("length", repr(words), "taps by the stride s, or a number", "as 2s, 2s+1 or 16"))
    K = (0 if found[1] is None else int(found[1] or 1)) * s + int(found[2] or 0)
    if not 1 <= K <= LARGEST:
        raise ValueError(complaint("length", f"{words!r}, {K} taps at stride {s}", f"1 … {LARGEST} taps"))
    return K


def law(words: str) -> tuple[str, float]:
    """Return an initialisation and its scale: ``kaiming``, ``normal:0.02``.

    Examples
    --------
    >>> law("normal:0.02"), law("icnr")
    (('normal', 0.02), ('icnr', 1.0))
    """
    name, colon, scale = words.partition(":")
    as_choice("initialisation", name, LAWS)
    try:
        gain = float(scale) if colon else 1.0
    except ValueError:
        raise ValueError(complaint(f"scale of {name}", repr(scale), "a number > 0", f"as {name}:0.02")) from None
    if not gain > 0:
        raise ValueError(complaint(f"scale of {name}", scale, "a number > 0"))
    try:
        initialised(Drawn("shuffle", 1, 1, 1, factor=2), name, scale=gain)  # refuses a scale where there is none
    except NotAnalysable:
        return name, gain  # it can be drawn, if not predicted
    return name, gain


def layer_words(family: str, s: int, words: str, *, conv: int = 9, subpixel: int = 3) -> str:
    """Return the words of one upsampling layer whose output is s times as long as its input.

    Parameters
    ----------
    family : {'transposed', 'nearest', 'linear', 'subpixel'}
    s : int
        Its factor.
    words : str
        Length of a transposed convolution, see `length`.
    conv, subpixel : int
        Taps of the convolution behind an interpolation, and of a sub-pixel convolution.

    Examples
    --------
    >>> layer_words("transposed", 8, "2s+1"), layer_words("linear", 2, "2s")
    ('convt k17 s8 p5 op1', 'linear x2 | conv k9 p4')
    """
    if family not in FAMILIES:
        raise ValueError(complaint("family", repr(family), ", ".join(FAMILIES), did_you_mean(family, FAMILIES)))
    K = {"transposed": length(words, s), "subpixel": subpixel}.get(family, conv)
    if family == "transposed" and s > K:  # some samples stay empty
        return f"convt k{K} s{s} op{s - K}"
    return Plan(family, s, (1, 1), K).words


def chain_words(layers: Sequence[str], *, first: str = "", between: str = "", last: str = "") -> str:
    """Return layers as one architecture, with words in front, between and behind.

    Examples
    --------
    >>> chain_words(["nearest x2", "nearest x2"], between="leaky 0.2", last="conv k7 p3")
    'nearest x2 | leaky 0.2 | nearest x2 | conv k7 p3'
    """
    middle = f" | {between} | " if between else " | "
    return " | ".join(part for part in (first, middle.join(layers), last) if part)
