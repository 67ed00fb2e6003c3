"""Rules as data: permanent ids, complete, and found by those who slip."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner, Result

from dspref.artifacts.rules import FAMILIES, RULES, rule, rules_of
from dspref.commands.rules import explain, rules

IDS = (
    *("UA101", "UA102", "UA103", "UA104", "UA105", "UA106", "UA107"),
    *("UA201", "UA202", "UA203", "UA204", "UA301", "UA302"),
    *("UA401", "UA402", "UA403", "UA404", "UA501", "UA502", "UA503"),
)
"""Permanent: reports cite them. One may be added, none may go or change its meaning."""


def test_ids_are_permanent_and_in_order() -> None:
    assert tuple(r.id for r in RULES) == IDS


@pytest.mark.parametrize("r", RULES, ids=lambda r: r.id)
def test_every_rule_says_all(r: object) -> None:
    fields = vars(r)
    assert all(isinstance(words, str) and words.strip() == words and words for words in fields.values())
    assert re.search(r"[=|≤]|/", fields["why"]), "why is a formula"
    assert fields["what"].endswith(".")
    assert fields["cure"].endswith(".")


def test_families_hold_every_rule_once() -> None:
    assert [r.id for family in FAMILIES.values() for r in rules_of(family)] == list(IDS)


@pytest.mark.parametrize(
    ("wrong", "near"), [("UA1O1", "'UA101'"), ("ua10", "'UA10"), ("UA999", "dspref rules"), ("", "U")]
)
def test_an_id_that_is_none_is_refused_with_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(ValueError, match=re.escape(near)):
        rule(wrong)


def test_ids_may_be_small_and_must_be_words() -> None:
    assert rule(" ua203 ") is rule("UA203")
    with pytest.raises(TypeError, match="allowed: an id"):
        rule(101)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="did you mean 'filtering'"):
        rules_of("filterin")


def run(command: object, *words: str) -> Result:
    return CliRunner().invoke(command, words)  # type: ignore[arg-type]


def test_the_table_names_every_rule_within_80_columns() -> None:
    page = run(rules).output
    assert all(id in page for id in IDS)
    assert max(map(len, page.splitlines())) <= 80


def test_explain_in_words_and_as_json() -> None:
    page = run(explain, "UA101", "ua502").output
    assert "c_k = μ H(k/s)/s" in page
    assert "W2(k/hop)/W2(0)" in page
    assert max(map(len, page.splitlines())) <= 80
    document = json.loads(run(explain, "UA101", "--format", "json").output)
    assert document["schema"] == "dspref.explain/1"
    assert document["rules"] == [rule("UA101").to_dict()]
    listed = json.loads(run(rules, "--family", "gradients", "--format", "json").output)
    assert [r["id"] for r in listed["rules"]] == ["UA501", "UA502", "UA503"]


def test_explain_refuses_with_exit_code_2() -> None:
    result = run(explain, "UA110")
    assert result.exit_code == 2
    assert "did you mean" in result.output
    assert run(explain).exit_code == 2
