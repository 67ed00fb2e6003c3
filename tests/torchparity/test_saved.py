"""Saved audits by strangers: what is not as the schema says is refused by the name of its field."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dspref import parse
from torchparity.audit import audit_architecture
from torchparity.formats import schema
from torchparity.report import WRITERS, read, to_dict, write_document
from torchparity.saved import problems

WRONG: tuple[Any, ...] = (None, True, "x", "\x1b]0;x\x07", -1, 0.5, float("inf"), 10**400, [], [None], {}, {"a": 1})


@cache
def made() -> dict[str, Any]:
    """Return an audit with one run, so that every form has its tables."""
    document = to_dict(audit_architecture(parse("convt k8 s4 p2 | tanh"), name="a", sr=8000))
    rows = [{"hz": line["hz"], "level_db": -9.0, "floor_db": -60.0, "height_db": 51.0} for line in document["lines"]]
    run = {"input": "noise", "seed": 0, "dtype": "float32", "steady_samples": 99, "segments": 3, "periodic": False}
    run |= {"judged": True, "resolution_hz": 7.0, "lines_standing": 2, "peaks": 3, "peaks_off_grid": [], "lines": rows}
    return {**document, "runs": [run]}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to every value, of arrays to the first item."""
    inner = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    return [path, *(way for key, each in inner for way in places(each, (*path, key)))]


def changed(path: tuple[Any, ...], new: Any) -> dict[str, Any]:
    document = copy.deepcopy(made())
    at: Any = document
    for key in path[:-1]:
        at = at[key]
    if new is dict:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return document


def test_the_check_agrees_with_an_implementation_of_json_schema() -> None:
    """All but a number that double precision has not: those JSON has not, or Python cannot write."""
    rules = schema("audit")
    judge = jsonschema.Draft202012Validator(rules)
    ways = [way for way in places(made()) if way]
    assert len(ways) > 100
    assert list(problems(made(), rules)) == []
    for i, way in enumerate(ways):
        for new in (dict, WRONG[i % 6], WRONG[8 + i % 4]):
            document = changed(way, new)
            assert (next(problems(document, rules), None) is None) == judge.is_valid(document), (way, new)


def test_what_is_read_is_written_in_every_form_and_all_else_is_refused(tmp_path: Path) -> None:
    file, written = tmp_path / "a.json", 0
    for i, way in enumerate(way for way in places(made()) if way):
        for new in (dict, WRONG[i % len(WRONG)], WRONG[(i + 5) % len(WRONG)]):
            file.write_text(json.dumps(changed(way, new)))
            try:
                document = read(file)
            except ValueError:
                continue
            for form in WRITERS:
                write_document(document, form)
                written += 1
    assert written > 100


@pytest.mark.parametrize(
    ("way", "new", "words"),
    [
        (("runs", 0, "peaks"), dict, r"runs\[0\]\.peaks: got no such field"),
        (("factor",), "4", r"factor: got \"4\"; allowed: integer"),
        (("more",), 1, r"\"more\": got a field that the schema has not"),
        (("runs", 0, "lines"), [], r"runs\[0\]\.lines: got 0 items; allowed: 3, one for each line"),
        (("sr_exact",), "0", 'sr_exact: got "0"; allowed: more than 0'),
        (("findings",), [{"level": "error", "text": "x"}], r"findings\[0\]\.level: got \"error\""),
        (("sr",), float("nan"), "which holds none"),
    ],
)
def test_the_field_is_named(way: tuple[Any, ...], new: Any, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(changed(way, new)))
    with pytest.raises(ValueError, match=words):
        read(tmp_path / "a.json")


@pytest.mark.parametrize("form", WRITERS)
def test_no_terminal_obeys_a_saved_audit(form: str) -> None:
    hostile = "\x1b]0;title\x07\x9b31m\r\u202e"
    document = {**changed(("stages", 0, "spec"), hostile), "name": hostile, "remarks": [hostile]}
    document["runs"][0]["input"] = hostile
    written = write_document(document, form)
    assert not any(character in written for character in hostile if not character.isprintable())
    assert "title" in written
