"""BibTeX as a grammar: enough of it to refuse what BibTeX would, for tests of what is cited."""

from __future__ import annotations

import re

_ENTRY = re.compile(r"\s*@(\w+)\{([^\s,{}%#~\"\\]+),\s*")
_FIELD = re.compile(r"([a-z]+)\s*=\s*\{")


def entries(text: str) -> dict[str, dict[str, str]]:
    """Return the entries of a bibliography by their keys; of each the fields, and its type as ``entrytype``.

    A value stands in balanced braces, a field ends with a comma, an entry with a brace; nothing stands between entries,
    and no key or field is there twice. Anything else is a ValueError that says where.
    """
    found: dict[str, dict[str, str]] = {}
    place = 0
    while text[place:].strip():
        head = _ENTRY.match(text, place)
        if head is None:
            raise ValueError(f"no entry: {text[place : place + 40]!r}")
        kind, key = head.groups()
        if key in found:
            raise ValueError(f"two entries {key}")
        found[key], place = _fields(text, head.end())
        found[key]["entrytype"] = kind
    return found


def _fields(text: str, place: int) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    while not text.startswith("}", place):
        field = _FIELD.match(text, place)
        if field is None or field[1] in fields:
            raise ValueError(f"no field, or a second one: {text[place : place + 40]!r}")
        end = _closed(text, field.end())
        fields[field[1]] = text[field.end() : end - 1]
        comma = re.compile(r"\s*,\s*").match(text, end)
        if comma is None:
            raise ValueError(f"no comma behind {field[1]}")
        place = comma.end()
    return fields, place + 1


def _closed(text: str, place: int) -> int:
    """Return the place behind the brace that closes the one before `place`; as in BibTeX, escaped braces count."""
    depth = 1
    while depth:
        if place == len(text):
            raise ValueError("a brace is not closed")
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        place += 1
    return place


def plain(value: str) -> str:
    """Return a value without braces and accents written as commands, for comparison with what it was made of."""
    letters = {"`a": "à", "'e": "é", '"o': "ö", '"u': "ü"}
    said = re.sub(r"\{\\([`'\"][a-z])\}", lambda found: letters[found[1]], value)
    return said.replace("{", "").replace("}", "")
