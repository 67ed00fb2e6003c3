"""Architectures in words: ``convt k16 s8 p4 | leaky 0.2 | conv k9 p4 | nearest x2``.

Stages stand in the order of the signal, split by ``|``. A stage is a layer and its parameters:

    convt   k s p op d g     transposed convolution: k taps, stride s (1), padding p (0),
                             output_padding op (0), dilation d (1), groups g (1)
    conv    k s p d g        convolution
    shuffle x k p d g        sub-pixel convolution by the factor x
    nearest x size           interpolation by the factor x, as x2 or x3/2, or to so many samples, as size441;
                             "nearest:4" says the same as "nearest x4"
    nearest-exact x size     the same from the middle of each output, as Torch names it
    linear  x size corners   "corners": aligned corners, as Torch's align_corners=True; such a chain has no lines
    cubic   x size corners   Keys' cubic kernel, Torch's "bicubic" of one axis
                             all four: "recompute", as Torch's recompute_scale_factor=True
    stretch x                zeros in between, no filter
    unsqueeze x              groups of x channels become x samples, as flows end
    lazy, haar               wavelets: approximation and detail become even and odd samples
    lifting k                the same with filters of its own, k taps in all
    istft   x k p            inverse STFT: hop x, n = k, p samples cut at either end (0; k/2 where centred)
    pqmf    x k              synthesis of x bands, by filters of k taps
    relu, leaky 0.2, ...     a pointwise map and its numbers, see `dspref.chain.POINTWISE`
"""

from __future__ import annotations

import math
import re

from dspref.arrays import complaint, did_you_mean
from dspref.chain import POINTWISE, Chain, Pointwise, Stage
from dspref.designs import BorderInterp
from dspref.heads.istft import ISTFT
from dspref.heads.lifting import LiftingSynthesis
from dspref.heads.pqmf import PQMFSynthesis
from dspref.heads.squeeze import Squeeze, Unsqueeze
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest, ZeroStuff
from dspref.kernels import check_output_padding
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.outline import HEADS, Outline
from dspref.words import (
    INTERPOLATIONS,
    LARGEST,
    SpecError,
    Token,
    interpolation_words,
    parameters,
    read_interpolation,
    refuse_comma,
)

__all__ = ["LARGEST", "LETTERS", "SpecError", "outlined", "parse", "spec", "token"]

LETTERS = {
    "convt": ("k", "s", "p", "op", "d", "g"),
    "conv": ("k", "s", "p", "d", "g"),
    "shuffle": ("x", "k", "p", "d", "g"),
    **{mode: parameters(mode) for mode in INTERPOLATIONS},
    "stretch": ("x",),
    "unsqueeze": ("x",),
    "lazy": (),
    "haar": (),
    "lifting": ("k",),
    "istft": ("x", "k", "p"),
    "pqmf": ("x", "k"),
}
"""The parameters of each layer, by their letters."""

FIELDS = {"k": "length", "x": "stride", "s": "stride", "p": "padding", "op": "output_padding"}
FIELDS |= {"d": "dilation", "g": "groups"}
_NEEDED = {"k": "the kernel length, as k16", "x": "the factor, as x2"}
_NAMES = {"k": ("kernel", "length"), "x": ("factor", "stride", "x"), "s": ("stride", "factor", "x"), "p": ("padding",)}
_NAMES |= {"op": ("output_padding",), "d": ("dilation",), "g": ("groups",)}
_DEFAULTS = {"s": 1, "p": 0, "op": 0, "d": 1, "g": 1}


def parse(text: str) -> Chain:
    """Read an architecture in words.

    Parameters
    ----------
    text : str
        Stages split by ``|``; the words are listed at the top of `dspref.spec`, and in docs/verify.md.

    Returns
    -------
    Chain
        Kernels as `Outline`, since words give no weights; interpolators and pointwise maps in full.

    Raises
    ------
    SpecError
        Says the column, what stands there, what may stand there, and the nearest known word.

    Examples
    --------
    >>> parse("convt k16 s8 p4 | leaky 0.2 | conv k9 p4 | nearest x2 | shuffle x4 k3").factor
    64
    """
    _check_text(text)
    if not text.strip():
        raise SpecError(
            1, complaint("architecture", "no text", "stages split by |", "as 'convt k16 s8 p4 | nearest x2'")
        )
    stages, start = [], 0
    for part in text.split("|"):
        end = start + len(part)
        tokens = [Token(word.group(), start + word.start() + 1) for word in re.finditer(r"\S+", part)]
        if not tokens:
            bar = end + 1 if end < len(text) else start
            raise SpecError(bar, complaint("stage", "nothing beside |", "a layer on both sides of |", "drop the |"))
        stages.append(_stage(tokens[0], tokens[1:]))
        start = end + 1
    return Chain(stages)


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        hint = "it is read already" if isinstance(text, Chain) else ""
        raise TypeError(complaint("architecture", repr(text), "a str of stages split by |", hint))


def spec(chain: Chain) -> str:
    """Return the words for a chain, such that ``parse(spec(chain)) == chain`` where it holds no weights.

    Layers with weights are told by their outline.

    Examples
    --------
    >>> spec(parse("convt  k4 p1 s2|nearest:2 | leaky .2"))
    'convt k4 s2 p1 | nearest x2 | leaky 0.2'
    """
    return " | ".join(token(stage) for stage in chain.stages)


def token(stage: Stage) -> str:
    """Return the words for one stage, defaults left out.

    Stretch + filter interpolation with taps of its own is told as the transposed convolution that has
    them; padding "same" by its left side.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> token(TransposedConv([[[1, 1, 1, 1]]], stride=2, padding=1))
    'convt k4 s2 p1'
    """
    if isinstance(stage, Pointwise):
        given = () if stage.parameters == POINTWISE[stage.name][1] else stage.parameters
        return " ".join([stage.name, *(repr(p).removesuffix(".0") for p in given)])
    if isinstance(stage, (Nearest, Linear, Interpolate)):
        return interpolation_words(stage)
    outline = outlined(stage)
    if outline is None:
        return f"stretch x{stage.factor}"
    values = [(letter, getattr(outline, FIELDS[letter])) for letter in LETTERS[outline.op]]
    return " ".join([outline.op, *(f"{letter}{v}" for letter, v in values if _DEFAULTS.get(letter) != v)])


def outlined(stage: Stage) -> Outline | None:
    """Return the outline of a layer that has a kernel of its own; None for any other stage.

    Examples
    --------
    >>> from dspref import Conv
    >>> outlined(Conv([[[1, 2, 1]]], padding="same"))
    Outline(op='conv', length=3, stride=1, padding=1, output_padding=0, dilation=1, groups=1)
    """
    if isinstance(stage, Outline):
        return stage
    if isinstance(stage, TransposedConv):
        shape = {name: getattr(stage, name) for name in ("stride", "padding", "output_padding", "dilation", "groups")}
        return Outline("convt", stage.length, **shape)
    if isinstance(stage, (Conv, SubpixelConv)):
        stride = stage.stride if isinstance(stage, Conv) else stage.factor
        padding = stage.pads[0]
        return Outline(
            stage.op, stage.length, stride=stride, padding=padding, dilation=stage.dilation, groups=stage.groups
        )
    if isinstance(stage, (Unsqueeze, LazySynthesis, HaarSynthesis, LiftingSynthesis, ISTFT, PQMFSynthesis)):
        return Outline(stage.op, stage.length, stride=stage.factor, padding=getattr(stage, "crop", 0))
    if isinstance(stage, Squeeze):  # the convolution that takes every group apart
        return Outline("conv", stage.length, stride=stage.length)
    if isinstance(stage, (FilterInterp, BorderInterp)) and not _bare(stage):
        return Outline("convt", stage.length, stride=stage.factor, padding=max(0, stage.offset))
    return None


def _bare(stage: FilterInterp | BorderInterp) -> bool:
    """Return whether stretch + filter is the stretch alone."""
    return stage.taps.shape == (1,) and bool(stage.taps[0] == 1) and stage.offset == 0 == getattr(stage, "excess", 0)


def _stage(head: Token, rest: list[Token]) -> Stage:
    op, colon, factor = head.text.partition(":")
    if colon and op in (*INTERPOLATIONS, "stretch", "unsqueeze"):
        rest = [Token(f"x{factor}", head.column + len(op) + 1), *rest]
        head = Token(op, head.column)
    if head.text in INTERPOLATIONS:
        return read_interpolation(head, rest)
    if head.text in LETTERS:
        return _layer(head, rest)
    if head.text in POINTWISE:
        return Pointwise(head.text, _numbers(head.text, rest))
    known = (*LETTERS, *POINTWISE)
    refuse_comma(head)
    raise SpecError(
        head.column, complaint("layer", repr(head.text), ", ".join(known), did_you_mean(head.text.lower(), known))
    )


def _layer(head: Token, rest: list[Token]) -> Stage:
    values: dict[str, int] = {}
    columns: dict[str, int] = {}
    for word in rest:
        letter, number = _parameter(head.text, word)
        if letter in values:
            before = f"{letter}{values[letter]} and {word.text}"
            raise SpecError(word.column, complaint(f"parameter {letter} of {head.text}", before, "one of each"))
        values[letter], columns[letter] = number, word.column
    for letter, meaning in _NEEDED.items():
        if letter in LETTERS[head.text] and letter not in values:
            got = " ".join([head.text, *(word.text for word in rest)])
            raise SpecError(head.column, complaint(f"{head.text} without {letter}", repr(got), meaning))
    if head.text == "stretch":
        return ZeroStuff(values["x"])
    if "op" in values:
        try:
            check_output_padding(values["op"], values.get("s", 1), values.get("d", 1))
        except ValueError as error:
            raise SpecError(columns["op"], str(error)) from None
    if head.text in HEADS:
        values = {"x": 2, "k": values.get("x", 2)} | values
    return Outline(head.text, values.pop("k"), **{FIELDS[letter]: value for letter, value in values.items()})


def _parameter(op: str, word: Token) -> tuple[str, int]:
    """Read one parameter, a letter and an integer: k16."""
    refuse_comma(word)
    letters = LETTERS[op]
    letter = re.split(r"[\W\d_]", word.text, maxsplit=1)[0]
    digits = word.text[len(letter) :]
    if letter not in letters:
        bare = letters and re.fullmatch("[0-9]+", word.text)
        hint = f"write {letters[0]}{word.text}" if bare else _letter_hint(letter, op)
        if re.fullmatch("[a-z]+[A-Z]?", word.text) and word.text[:1] in letters and len(word.text) == 2:
            hint = "words want numbers; dspref.symbolic.symbolic_chain has symbols for lengths and factors"
        allowed = ", ".join(letters) or "no parameter"
        raise SpecError(word.column, complaint(f"parameter of {op}", repr(word.text), allowed, hint))
    least = 0 if letter in ("p", "op") else 1
    if not re.fullmatch("[0-9]{1,7}", digits) or not least <= int(digits) <= LARGEST:
        allowed = f"{letter} and an integer, {least} … {LARGEST}"
        non_integer = "non-integer factors have no stretch + filter form" if letter == "x" else ""
        hint = non_integer if "." in digits else f"as {letter}{max(least, 2)}"
        raise SpecError(word.column, complaint(f"parameter {letter} of {op}", repr(word.text), allowed, hint))
    return letter, int(digits)


def _letter_hint(letter: str, op: str) -> str:
    """Return which letter may have been meant by the beginning of a parameter's name."""
    meant = [short for short in LETTERS[op] for name in _NAMES[short] if letter and name.startswith(letter.lower())]
    return f"did you mean '{meant[0]}'?" if meant else ""


def _numbers(name: str, words: list[Token]) -> tuple[float, ...]:
    """Read the numbers of a pointwise map."""
    most = len(POINTWISE[name][1])
    for i, word in enumerate(words):
        refuse_comma(word)
        if i >= most or not _finite(word.text):
            allowed = f"at most {most} finite number, as 0.2" if most else "no parameter"
            raise SpecError(word.column, complaint(f"parameter of {name}", repr(word.text), allowed))
    return tuple(float(word.text) for word in words)


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
