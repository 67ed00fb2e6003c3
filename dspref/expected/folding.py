"""Remarks on many places that differ in numbers alone, as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

MANY = 4
"""Equal remarks from which one stands for all."""

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def folded(remarks: Iterable[str]) -> list[str]:
    """Return remarks "place: words" once for all places with the same words, but for their numbers; few as they are.

    Examples
    --------
    >>> folded([f"ups.{i}: measured, σ² = {i + 1}e-4" for i in range(9)])
    ['9 places, ups.0 to ups.8: measured, σ² = 1e-4 to 9e-4']
    """
    groups: dict[tuple[str, ...], list[tuple[str, list[str]]]] = {}
    for remark in remarks:
        name, colon, words = remark.partition(": ")
        if not colon:
            name, words = "", remark
        groups.setdefault(("" if colon else "alone", *NUMBER.split(words)), []).append((name, NUMBER.findall(words)))
    return [words for (kind, *texts), rows in groups.items() for words in _told(kind, texts, rows)]


def _told(kind: str, texts: list[str], rows: list[tuple[str, list[str]]]) -> Iterator[str]:
    places = [name for name, _ in rows]
    if kind or len(rows) < MANY:
        for name, numbers in rows:
            yield (f"{name}: " if not kind else "") + _joined(texts, numbers)
        return
    columns = [sorted(set(column), key=float) for column in zip(*(numbers for _, numbers in rows), strict=True)]
    spans = [each[0] if len(each) == 1 else f"{each[0]} to {each[-1]}" for each in columns]
    yield f"{len(rows)} places, {places[0]} to {places[-1]}: {_joined(texts, spans)}"


def _joined(texts: list[str], numbers: Iterable[str]) -> str:
    return "".join(word for pair in zip_longest(texts, numbers, fillvalue="") for word in pair)
