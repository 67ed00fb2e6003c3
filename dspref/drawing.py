"""How Hypothesis draws: parameter by parameter, each from what those before it leave (`dspref.corners`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from dspref.arrays import as_choice, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.corners import NUMBERS, Case, Limits, Make, choices, make_case, maker
from dspref.strata import BASE, STRATA, Params, Rule, Stratum

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    _WORDS = complaint("hypothesis", "no such package", "one installed", "pip install dspref[test]")
    raise ModuleNotFoundError(_WORDS, name=error.name) from None

__all__ = ["KINDS", "any_case", "any_chain", "corner", "makers", "st", "within"]

KINDS = ("nearest", "linear", "filter", "conv", "shuffle", "convt")
"""Kinds of layers by the word for them (`dspref.parse`), the simplest first."""


def makers(numbers: str) -> st.SearchStrategy[Make]:
    """Return makers of numbers, by their seed; that of the smallest example counts."""
    return st.integers(0, 2**32 - 1).map(lambda seed: maker(numbers, seed))


@lru_cache(maxsize=4096, typed=True)
def one_of(*contents: Any) -> st.SearchStrategy[Any]:
    """Return one of the contents, whole numbers in such a way that an example leaves its corner when it shrinks.

    Hypothesis keeps what was drawn as a place in a list. In a list of all numbers up to the largest, of which
    others are refused, the place is the number itself, and means the same whatever the corner allows.
    """
    if all(isinstance(content, bool) for content in contents):
        everything: tuple[int, ...] = (False, True)
    elif all(isinstance(content, int) for content in contents):
        everything = (*range(max(contents) + 1), *range(-1, min(contents) - 1, -1))
    else:
        return st.sampled_from(contents)
    return st.sampled_from(everything).filter(set(contents).__contains__)


@st.composite
def within(draw: st.DrawFn, kind: str, rules: Mapping[str, Rule], limits: Limits, numbers: str) -> Case:
    """Draw one parameter after the other, each from what those before it leave, then the numbers."""
    p: Params = {}
    for name in BASE[kind]:
        p[name] = draw(one_of(*choices(kind, name, p, rules, limits)))
    return make_case(kind, p, draw(makers(numbers)))


@st.composite
def any_case(draw: st.DrawFn, kinds: Sequence[str], limits: Limits, numbers: str, native_only: bool) -> Case:
    """Draw a kind, then one of its corners, or none, then a case."""
    kind = draw(st.sampled_from(kinds))
    corners = [stratum for name, stratum in STRATA[kind].items() if native_only or "native only" not in name]
    stratum = draw(st.none() | st.sampled_from(corners))
    return draw(within(kind, stratum.rules if stratum else {}, limits, numbers))


@st.composite
def any_chain(
    draw: st.DrawFn,
    kinds: Sequence[str],
    most: int,
    limits: Limits,
    numbers: str,
    maps: Sequence[Pointwise | None],
) -> Chain:
    """Draw layer after layer: each takes the channels that the last one gives, and what is left of the factor."""
    stages: list[Stage] = []
    for _ in range(draw(st.integers(1, most))):
        layer = draw(any_case(kinds, limits, numbers, False)).layer
        behind = draw(st.sampled_from(maps))
        stages += [layer] if behind is None else [layer, behind]
        left = limits.max_factor and limits.max_factor // int(layer.factor)
        limits = Limits(layer.out_channels or limits.channels, left, any_shape=False)
    return Chain(stages)


def _corners(kind: str) -> str:
    names = ", ".join(map(repr, STRATA[kind]))
    return f"dspref.strata.STRATA[{kind!r}][name], where the name is one of {names}, or a stratum of your own"


def corner(kind: str, stratum: Stratum | None = None, *, numbers: str = "integer") -> st.SearchStrategy[Case]:
    """Return cases from one corner of a kind's parameter space (`dspref.strata`), or from all of it.

    Parameters
    ----------
    kind : str
        Of layer, as "convt".
    stratum : Stratum, optional
        One of `dspref.strata`; all if not given.
    numbers : {'integer', 'real'}

    Returns
    -------
    strategy of Case

    Raises
    ------
    ValueError
        If the kind is unknown, or the corner is not one of `dspref.strata`.

    Examples
    --------
    >>> from hypothesis import given
    >>> from dspref.strata import STRATA
    >>> @given(corner("convt", STRATA["convt"]["stride > extent (gap)"]))
    ... def test(case: Case) -> None:
    ...     assert case.layer.stride > case.layer.dilation * (case.layer.length - 1) + 1
    >>> test()
    """
    numbers, kind = as_choice("numbers", numbers, NUMBERS), as_choice("kind", kind, KINDS)
    if stratum is not None and not isinstance(stratum, Stratum):
        raise ValueError(complaint("stratum", repr(stratum), _corners(kind)))
    return within(kind, {} if stratum is None else stratum.rules, Limits(), numbers)
