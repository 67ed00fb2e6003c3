"""A saved audit is checked before anything is made of it: against its schema, and number of lines against lines.

Whoever saved it may be a stranger, and its texts go to a terminal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from importlib.resources import files
from itertools import chain
from typing import Any, NamedTuple

from dspref.arrays import complaint
from dspref.artifacts.rules import RULES

HINT = "audit again with -o FILE.json"

TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int and _finite(value),
    "number": lambda value: type(value) in (int, float) and _finite(value),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
"""Of JSON; a number is one that double precision holds."""

LIMITS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "const": (lambda value, due: value == due, "{}"),
    "enum": (lambda value, due: value in due, "one of {}"),
    "pattern": (lambda value, due: not isinstance(value, str) or re.search(due, value) is not None, "text like {}"),
    "minLength": (lambda value, due: not isinstance(value, str) or len(value) >= due, "a text of length {} or more"),
    "minItems": (lambda value, due: not isinstance(value, list) or len(value) >= due, "{} or more items"),
    "maxItems": (lambda value, due: not isinstance(value, list) or len(value) <= due, "{} items or fewer"),
    "minimum": (lambda value, due: type(value) not in (int, float) or value >= due, "at least {}"),
    "exclusiveMinimum": (lambda value, due: type(value) not in (int, float) or value > due, "more than {}"),
}
"""Keywords of a schema that look at one value: whether it is allowed, and what is."""


class Problem(NamedTuple):
    """What is wrong, and where: the field, what it is, what it may be."""

    field: str
    got: str
    allowed: str


def loads(text: str) -> Any:
    """Return what a text of JSON says.

    Raises
    ------
    ValueError
        If it is none, if it holds NaN or Infinity, or if it is too deep.
    """
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("objects in objects, deeper than can be read") from None


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def checked(document: Mapping[str, Any], path: object) -> dict[str, Any]:
    """Return a saved audit that is as its schema says.

    Raises
    ------
    ValueError
        Names the first field that is not.
    """
    rules: dict[str, Any] = json.loads(files("torchparity").joinpath("schemas/audit.json").read_text("utf-8"))
    due = rules["properties"]["schema"]["const"]
    if document.get("schema") != due:
        got = f"{path} with schema {str(document.get('schema'))[:60]!r}"
        raise ValueError(complaint("saved audit", got, repr(due), HINT))
    found = next(chain(problems(document, rules), _mismatches(document)), None)
    if found is not None:
        raise ValueError(complaint(f"saved audit {path}: {found.field}", found.got, found.allowed, HINT))
    return dict(document)


def problems(value: Any, rules: Mapping[str, Any], field: str = "") -> Iterator[Problem]:
    """Yield where a value is not as a JSON schema says, in the keywords that this package's schemas use.

    Examples
    --------
    >>> rules = {"type": "object", "properties": {"a": {"type": "array", "items": {"minimum": 1}}}, "required": ["a"]}
    >>> list(problems({"a": [2, 0]}, rules)), [problem.field for problem in problems({}, rules)]
    ([Problem(field='a[1]', got='0', allowed='at least 1')], ['a'])
    """
    kinds = [rules["type"]] if isinstance(rules.get("type"), str) else rules.get("type", [])
    if kinds and not any(TYPES[kind](value) for kind in kinds):
        yield Problem(field or "the document", _shown(value), " or ".join(kinds))
        return
    for keyword, (allows, words) in LIMITS.items():
        if keyword in rules and not allows(value, rules[keyword]):
            yield Problem(field, _shown(value), words.format(json.dumps(rules[keyword])))
    if isinstance(value, dict):
        yield from _of_object(value, rules, field)
    if isinstance(value, list):
        yield from _of_array(value, rules, field)
    yield from _of_cases(value, rules, field)


def _of_object(value: Mapping[str, Any], rules: Mapping[str, Any], field: str) -> Iterator[Problem]:
    known = rules.get("properties", {})
    for key in rules.get("required", ()):
        if key not in value:
            yield Problem(f"{field}.{key}".lstrip("."), "no such field", "one, as the schema says")
    for key, inner in value.items():
        name = f"{field}.{key if key in known else _shown(key)}".lstrip(".")
        rest = rules.get("additionalProperties", {})
        if key not in known and rest is False:
            yield Problem(name, "a field that the schema has not", ", ".join(known))
        else:
            yield from problems(inner, known.get(key, rest), name)


def _of_array(value: Sequence[Any], rules: Mapping[str, Any], field: str) -> Iterator[Problem]:
    for i, item in enumerate(value):
        yield from problems(item, rules.get("items", {}), f"{field}[{i}]")
    if "contains" in rules and not any(_fits(item, rules["contains"]) for item in value):
        yield Problem(field, "no such item", f"one with {json.dumps(rules['contains'].get('properties', {}))}")


def _of_cases(value: Any, rules: Mapping[str, Any], field: str) -> Iterator[Problem]:
    for each in rules.get("allOf", ()):
        yield from problems(value, each, field)
    if "if" in rules:
        yield from problems(value, rules.get("then" if _fits(value, rules["if"]) else "else", {}), field)


def _fits(value: Any, rules: Mapping[str, Any]) -> bool:
    return next(problems(value, rules), None) is None


def _mismatches(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what no schema says: one level for each line, a rate above 0, a place for each cure that was tried."""
    count = len(document["lines"])
    for key, inner in (("runs", "lines"), ("expected", "levels_db"), ("actual", "levels_db")):
        for i, row in enumerate(document[key]):
            if len(row[inner]) != count:
                yield Problem(f"{key}[{i}].{inner}", f"{len(row[inner])} items", f"{count}, one for each line")
    if Fraction(document["sr_exact"]) <= 0:
        yield Problem("sr_exact", _shown(document["sr_exact"]), "more than 0")
    known = [rule.id for rule in RULES]
    for key in ("cards", "cures"):
        for i, row in enumerate(document[key]):
            if row["rule"] not in known:
                yield Problem(f"{key}[{i}].rule", _shown(row["rule"]), "a rule that 'dspref rules' lists")
    for i, cure in enumerate(document["cures"]):
        if cure["promise"] == "these weights" and cure["hz"] is None:
            yield Problem(f"cures[{i}].hz", "null", "a number, of a cure that was tried")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _shown(value: Any) -> str:
    """Return a value as JSON has it, without any control character, cut to a line."""
    kinds: dict[type, str] = {list: "an array", dict: "an object"}
    text = kinds.get(type(value)) or json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
