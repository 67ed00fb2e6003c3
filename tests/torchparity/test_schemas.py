"""The schemas of the JSON of commands: real documents are valid, wrong ones are refused."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from torchparity import campaign_command, draws
from torchparity.arithmetic import ARITHMETICS
from torchparity.campaign_report import Campaign
from torchparity.cli import main
from torchparity.findings import FINDINGS, Result, to_json
from torchparity.formats import SCHEMAS, schema
from torchparity.mutants import DIRECTIONS
from torchparity.tally import SHOWN, VIOLATIONS, Cell, Count, Tally, Violation
from torchparity.verdict import STATUSES

COMMANDS = {
    "campaign": ["--cases", "300", "--dtype", "float32", "--dtype", "autocast-bfloat16"],
    "mutants": ["-k", "nearest: padding", "--seeds", "2", "--clean", "10"],
    "findings": ["--only", FINDINGS[0].id],
    "expect": ["decoder", "--input", "ones+white", "--channels", "256"],
}


def validate(name: str, data: object) -> None:
    jsonschema.validate(data, schema(name), cls=jsonschema.Draft202012Validator)


@cache
def written(name: str) -> str:
    """Return what the command writes."""
    return CliRunner().invoke(main, [name, *COMMANDS[name], "--format", "json"], catch_exceptions=False).stdout


def objects(part: Any) -> Iterator[dict[str, Any]]:
    """Yield the parts of a schema that describe an object field by field."""
    if isinstance(part, dict):
        if "properties" in part and part.get("type") == "object":
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from objects(inner)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_described_and_required_and_no_other_allowed(name: str) -> None:
    whole = schema(name)
    jsonschema.Draft202012Validator.check_schema(whole)
    title = f"torchparity.{name}/{2 if name == 'audit' else 1}"
    assert (whole["title"], whole["properties"]["schema"]["const"]) == (title,) * 2
    for part in objects(whole):
        assert part["additionalProperties"] is False
        assert set(part["required"]) == set(part["properties"])
        assert [field for field, told in part["properties"].items() if not told.get("description")] == []


def test_the_words_are_those_of_the_code() -> None:
    cell = schema("campaign")["properties"]["cells"]["items"]["properties"]
    assert set(cell["kind"]["enum"]) == set(draws.KINDS) == set(campaign_command.KINDS)
    assert set(cell["arithmetic"]["enum"]) == set(ARITHMETICS)
    assert set(cell["verdicts"]["propertyNames"]["enum"]) == set(STATUSES)
    violations = schema("campaign")["properties"]["violations"]
    assert set(violations["items"]["properties"]["status"]["enum"]) == set(VIOLATIONS)
    assert violations["maxItems"] == SHOWN
    scored = schema("mutants")["properties"]["mutants"]["items"]["properties"]
    assert scored["direction"]["enum"] == list(DIRECTIONS)
    with pytest.raises(ValueError, match="schema: got 'aduit'"):
        schema("aduit")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_commands_write_is_valid(name: str) -> None:
    validate(name, json.loads(written(name)))


def test_a_campaign_with_violations_is_valid() -> None:
    """And with known faults, an infinite ratio, and no run, as of shards put together."""
    design, cell = json.loads(written("campaign"))["design"], Cell("convt", "float32", "weight", 2)
    broken = Violation(7, cell, "wrong", "NaN")
    tally = Tally(8, {cell: Count(8, 9, 1, float("inf"), 7, {"wrong": 1})}, Counter(), 1, (broken,), {"some-fault": 2})
    data = json.loads(Campaign(design, tally).to_json())
    assert (data["cells"][0]["ratio"], data["run"], data["ok"]) == ("inf", None, False)
    validate("campaign", data)


@pytest.mark.parametrize("status", ["seen", "fixed", "changed", "not run"])
def test_findings_of_every_status_are_valid(status: str) -> None:
    row = replace(FINDINGS[0], id="some")
    validate("findings", json.loads(to_json([Result(row, status, "what it says", "")])))


BROKEN: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "a field more": ("campaign", lambda d: d.update(extra=1)),
    "a field of a cell less": ("campaign", lambda d: d["cells"][0].pop("worst")),
    "an unknown kind": ("campaign", lambda d: d["cells"][0].update(kind="pool")),
    "an unknown verdict": ("campaign", lambda d: d["verdicts"].update(fine=1)),
    "a ratio below 0": ("campaign", lambda d: d["cells"][0].update(ratio=-1)),
    "a ratio in words": ("campaign", lambda d: d["cells"][0].update(ratio="0.5")),
    "a shard of one number": ("campaign", lambda d: d["design"].update(shard=[1])),
    "no version of Torch": ("campaign", lambda d: d["design"]["versions"].pop("torch")),
    "passed, though violated": ("campaign", lambda d: d.update(violated=1)),
    "not passed, and nothing violated": ("campaign", lambda d: d.update(ok=False)),
    "a corner in words": ("campaign", lambda d: d["corners"]["convt"].update(wide="often")),
    "another schema": ("mutants", lambda d: d.update(schema="torchparity.mutants/2")),
    "no seeds": ("mutants", lambda d: d.update(seeds=[])),
    "passed, with an alarm": ("mutants", lambda d: d["clean"]["float32"].update(alarms=["conv: wrong"])),
    "passed, with a survivor": ("mutants", lambda d: d["mutants"][0].update(caught=False, statuses=["exact"])),
    "caught, though not wrong": ("mutants", lambda d: d["mutants"][0].update(statuses=["wrong", "exact"])),
    "survived, though wrong": ("mutants", lambda d: d["mutants"][0].update(caught=False)),
    "an unknown dtype": ("mutants", lambda d: d["clean"].update(float8=d["clean"]["float32"])),
    "a baseline in numbers": ("mutants", lambda d: d["mutants"][0]["baselines"].update(plain=1)),
    "an unknown status": ("findings", lambda d: d["findings"][0].update(status="gone")),
    "not run for no reason": ("findings", lambda d: d["findings"][0].update(status="not run", answer="")),
    "a finding without a line": ("findings", lambda d: d["findings"][0].update(code="")),
    "a comb without a band": ("expect", lambda d: d["combs"][0].pop("low")),
    "a comb of no divisor": ("expect", lambda d: d["combs"][0].update(divisor=0)),
    "a level in words": ("expect", lambda d: d["combs"][0].update(db="-inf")),
    "no combs, though there is a period": ("expect", lambda d: d.update(combs=[])),
    "combs, though the output is refused": ("expect", lambda d: d.update(period=None)),
    "a gap for no reason": ("expect", lambda d: d["not_predicted"].append({"what": "LSTM", "where": "2", "why": ""})),
    "one draw": ("expect", lambda d: d.update(check={"draws": 1, "seed": 0, "combs": [], "floor": None})),
    "findings by id": ("findings", lambda d: d.update(findings={"some": d["findings"][0]})),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_wrong_document_is_refused(what: str) -> None:
    name, spoil = BROKEN[what]
    data = copy.deepcopy(json.loads(written(name)))
    validate(name, data)
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        validate(name, data)
