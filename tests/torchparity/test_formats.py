"""Verdicts as JUnit and SARIF, and the schema of their JSON: real ones, and every status."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from torch import nn

from torchparity import Verdict, check
from torchparity.formats import FORMATS, RULES, junit, sarif, schema
from torchparity.verdict import SCHEMA, STATUSES, Coverage

TARGET = "my/up.py:Up"
SEEN = Coverage((0, 1, 2), 5, 600, 0.25, (("normal", 3), ("one-hot", 2)), ("tanh",), 0.5)


def made(status: str, **fields: Any) -> Verdict:
    """Return a verdict of a status, as a check would."""
    reason = "" if status in ("exact", "within bound") else f"why it is {status}"
    plain: dict[str, Any] = {"reason": reason, "arithmetic": "sums of float32 in any order", **fields}
    return Verdict(status, 0.5, (0, 1, 2), "float32", "cpu", "convt k4 s2, as promised", "print(f)", SEEN, **plain)


def real() -> list[Verdict]:
    """Return what checks really find."""
    up, shifted = nn.Upsample(scale_factor=4), nn.ConvTranspose1d(2, 1, 4, stride=2, padding=1)
    return [
        check(up, "nearest x4"),
        check(nn.ConvTranspose1d(2, 3, 4, stride=2), dtype="float64"),
        check(shifted, "convt k4 s2"),
        check(up, "nearest x4", lengths=[3], gradients=False),
    ]


ALL = [made(status) for status in STATUSES]


def validate(data: object) -> None:
    jsonschema.validate(data, schema(), cls=jsonschema.Draft202012Validator)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["properties"]["schema"]["const"] == SCHEMA
    assert set(schema()["properties"]["status"]["enum"]) == set(STATUSES)


def described(part: dict[str, Any]) -> list[str]:
    """Return the fields of a schema that say nothing, or let others in."""
    found = [name for name, field in part["properties"].items() if not field.get("description")]
    closed = part["additionalProperties"] is False and set(part["required"]) == set(part["properties"])
    return found + ([] if closed else ["open"])


def test_every_field_is_described_and_required_and_no_other_allowed() -> None:
    whole = schema()
    assert described(whole) == described(whole["properties"]["coverage"]) == []
    assert described({**whole, "additionalProperties": True}) == ["open"]


def test_real_verdicts_are_valid() -> None:
    found = real()
    assert [verdict.ok for verdict in found] == [True, True, False, True]
    for verdict in found:
        validate(json.loads(verdict.to_json()))


@pytest.mark.parametrize("verdict", ALL, ids=lambda verdict: verdict.status)
def test_every_status_is_valid(verdict: Verdict) -> None:
    validate(json.loads(verdict.to_json()))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Coverage(), "nothing"),
        (Coverage((0,), 1), "laws; 1 case, no outputs"),
        (Coverage((0, 1), 2, 1), "laws, equality; 2 cases, 1 output, all of which show something"),
        (
            Coverage((2,), 2, 9, 0.032),
            "rounding bound; 2 cases, 9 outputs, 3.2% of which are 0 whatever the layer does",
        ),
        (Coverage((2,), 2, 9, 1e-5), "rounding bound; 2 cases, 9 outputs, less than 0.1% of which are 0 whatever"),
        (Coverage((2,), 2, 9, 1), "rounding bound; 2 cases, 9 outputs, all of which are 0 whatever the layer does"),
    ],
)
def test_what_was_covered_is_said_without_jargon(seen: Coverage, words: str) -> None:
    assert str(seen).startswith(words)


def test_what_is_not_finite_is_valid_too() -> None:
    seen = Coverage(gradient_ratio=math.inf)
    infinite = Verdict("wrong", math.inf, None, "float16", "cuda", "", "", seen, reason="NaN")
    validate(json.loads(infinite.to_json()))


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "a field more": lambda d: d.update(extra=1),
    "a field less": lambda d: d.pop("where"),
    "a field of coverage more": lambda d: d["coverage"].update(extra=1),
    "a field of coverage less": lambda d: d["coverage"].pop("cases"),
    "an unknown status": lambda d: d.update(status="fine"),
    "another schema": lambda d: d.update(schema="torchparity.verify/2"),
    "a negative ratio": lambda d: d.update(ratio=-1),
    "a ratio in words": lambda d: d.update(ratio="0.5"),
    "an index that is no integer": lambda d: d.update(worst_index=[0.5]),
    "a tier beyond the last": lambda d: d["coverage"].update(tiers=[4]),
    "a share beyond one": lambda d: d["coverage"].update(zero_share=1.5),
    "a count in words": lambda d: d["coverage"]["strata"].update(normal="3"),
    "passed, though not": lambda d: d.update(ok=False),
    "passed, with a reason": lambda d: d.update(reason="but"),
    "wrong without a reason": lambda d: d.update(status="wrong", ok=False),
    "wrong, though passed": lambda d: d.update(status="wrong", reason="why"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_wrong_document_is_refused(name: str) -> None:
    data = copy.deepcopy(json.loads(made("exact").to_json()))
    validate(data)
    BROKEN[name](data)
    with pytest.raises(jsonschema.ValidationError):
        validate(data)


def test_junit_counts_and_tells_failures_from_what_is_open() -> None:
    root = ET.fromstring(junit([(TARGET, verdict) for verdict in ALL]))
    (suite,) = root
    counts = {"name": "torchparity", "tests": "6", "failures": "1", "errors": "0", "skipped": "3"}
    assert root.attrib == suite.attrib == counts
    results = {status: [part.tag for part in case][1] for status, case in zip(STATUSES, suite, strict=True)}
    assert results == {
        "wrong": "failure",
        "inconclusive": "skipped",
        "normwise only": "skipped",
        "vacuous": "skipped",
        "within bound": "system-out",
        "exact": "system-out",
    }
    for status, case in zip(STATUSES, suite, strict=True):
        assert case.attrib == {"classname": "my/up.py", "name": "Up float32 on cpu"}
        properties = {part.attrib["name"]: part.attrib["value"] for part in case[0]}
        assert (properties["status"], properties["outputs"], properties["repro"]) == (status, "600", "print(f)")
        assert "where" not in properties
    assert suite[0][1].attrib == {"message": "wrong: why it is wrong", "type": "wrong"}
    assert suite[0][1].text == str(ALL[0])


def test_junit_holds_what_xml_cannot() -> None:
    nasty = "a\x00b\x1bc\ud800d<&\"'>]]>\ufffe\n\t😀"
    case = ET.fromstring(junit([(f"{nasty}:Up", made("wrong", reason=nasty))]).encode())[0][0]
    clean = "a\ufffdb\ufffdc\ufffdd<&\"'>]]>\ufffd\n\t😀"
    assert case.attrib["classname"] == clean
    assert case[1].attrib["message"] == f"wrong: {clean}"
    assert (case[1].text or "").startswith(f"wrong: {clean}")


def run_of(*checked: tuple[str, Verdict]) -> dict[str, Any]:
    """Return the one run of a SARIF document."""
    data = json.loads(sarif(checked))
    assert (data["version"], data["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (run,) = data["runs"]
    assert isinstance(run, dict)
    return run


def test_sarif_has_a_rule_for_every_status_and_a_level_for_every_result() -> None:
    run = run_of(*[(TARGET, verdict) for verdict in ALL])
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [f"TP00{n}" for n in range(1, 7)]
    assert all(rule["fullDescription"]["text"] for rule in rules)
    for verdict, result in zip(ALL, run["results"], strict=True):
        rule, level, _ = RULES[verdict.status]
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == rule
        assert result["level"] == level
        assert (result["kind"] == "pass") == (level == "none") == verdict.ok
        assert result["message"]["text"] == verdict.headline
        validate(result["properties"])
    assert set(RULES) == set(STATUSES)


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with no other properties."""
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT, URI = {"type": "string", "minLength": 1}, {"type": "string", "format": "uri-reference"}
WORDS = closed(["text"], text=TEXT, markdown=TEXT)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = closed(
    ["id"],
    id=TEXT,
    name=TEXT,
    shortDescription=WORDS,
    fullDescription=WORDS,
    help=WORDS,
    defaultConfiguration=closed([], level=LEVEL),
)
LOCATION = closed(
    ["physicalLocation"],
    physicalLocation=closed(
        ["artifactLocation"],
        artifactLocation=closed(["uri"], uri=URI),
        region=closed([], startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations={"type": "array", "items": closed(["name"], name=TEXT, fullyQualifiedName=TEXT)},
)
RESULT = closed(
    ["message"],
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
    level=LEVEL,
    message=WORDS,
    locations={"type": "array", "items": LOCATION, "minItems": 1},
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    properties={"type": "object"},
)
RUN = closed(
    ["tool"],
    tool=closed(["driver"], driver=closed(["name"], name=TEXT, version=TEXT, rules={"type": "array", "items": RULE})),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
SARIF = closed(["version", "runs"], version={"const": "2.1.0"}, runs={"type": "array", "items": RUN})
SARIF["properties"]["$schema"] = {"type": "string", "format": "uri"}
"""Of the schema of SARIF 2.1.0, what is written here, and physical places, which code scanning asks for."""


def test_sarif_of_real_verdicts_has_the_structure_of_the_standard() -> None:
    whole = json.loads(sarif([(target, verdict) for target in (TARGET, "up.onnx") for verdict in real()]))
    jsonschema.validate(whole, SARIF, cls=jsonschema.Draft202012Validator)
    for result in whole["runs"][0]["results"]:
        assert result["level"] == "none" or result["kind"] == "fail"  # the standard allows no other
    for rule in whole["runs"][0]["tool"]["driver"]["rules"]:
        assert {"id", "shortDescription", "fullDescription", "help"} <= set(rule)
    whole["runs"][0]["results"][0]["Level"] = "none"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole, SARIF, cls=jsonschema.Draft202012Validator)


def test_modules_beside_and_files_of_onnx_have_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "ups.py").write_text(SOURCE)
    (tmp_path / "my" / "__init__.py").write_text("Up = 3")
    monkeypatch.chdir(tmp_path)
    targets = ["my.ups:up", "my:Up", "some/up.onnx"]
    places = [result["locations"][0] for result in run_of(*[(t, made("wrong")) for t in targets])["results"]]
    assert [place["physicalLocation"] for place in places] == [
        {"artifactLocation": {"uri": "my/ups.py"}, "region": {"startLine": 3}},
        {"artifactLocation": {"uri": "my/__init__.py"}, "region": {"startLine": 1}},
        {"artifactLocation": {"uri": "some/up.onnx"}},
    ]
    assert places[2]["logicalLocations"] == [{"name": "some/up.onnx", "fullyQualifiedName": "some/up.onnx"}]


def test_sarif_says_where_and_what_it_looks_like() -> None:
    verdict = made("wrong", where="phase 1, tap 0", looks_like="kernel flipped")
    (result,) = run_of((TARGET, verdict))["results"]
    assert result["message"]["text"] == "wrong: why it is wrong\nphase 1, tap 0\nlooks like: kernel flipped"


def test_fingerprints_are_of_the_finding_and_not_of_its_figures() -> None:
    def fingerprint(target: str, verdict: Verdict) -> str:
        (result,) = run_of((target, verdict))["results"]
        return str(result["partialFingerprints"]["verdict/v1"])

    plain = fingerprint(TARGET, made("wrong"))
    assert fingerprint(TARGET, made("wrong", reason="other figures")) == plain
    assert len({plain, fingerprint("my/up.py:Down", made("wrong")), fingerprint(TARGET, made("vacuous"))}) == 3


SOURCE = """from torch.nn import Identity as Same

def up():
    return Same()

class Up: ...

UPS = 3
"""


@pytest.mark.parametrize(("name", "line"), [("Same", 1), ("up", 3), ("Up", 6), ("UPS", 8), ("gone", None)])
def test_sarif_points_at_the_line_of_a_target_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: int | None
) -> None:
    (tmp_path / "my ups.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    (result,) = run_of((f"my ups.py:{name}", made("wrong")))["results"]
    (location,) = result["locations"]
    assert location["logicalLocations"] == [{"name": name, "fullyQualifiedName": name}]
    region = {} if line is None else {"region": {"startLine": line}}
    assert location["physicalLocation"] == {"artifactLocation": {"uri": "my%20ups.py"}, **region}


def test_sarif_names_what_is_in_no_file_and_survives_files_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def up(:")
    targets = ["torch.nn:Identity", f"{tmp_path}/bad.py:up", f"{tmp_path}/gone.py:up"]
    named, bad, gone = (result["locations"][0] for result in run_of(*[(t, made("wrong")) for t in targets])["results"])
    assert named == {"logicalLocations": [{"name": "Identity", "fullyQualifiedName": "torch.nn.Identity"}]}
    assert bad["physicalLocation"] == {"artifactLocation": {"uri": (tmp_path / "bad.py").as_uri()}}
    assert gone["physicalLocation"] == {"artifactLocation": {"uri": (tmp_path / "gone.py").as_uri()}}


@pytest.mark.parametrize("form", FORMATS)
def test_real_verdicts_and_none_at_all_can_be_written(form: str) -> None:
    text = FORMATS[form]([(TARGET, verdict) for verdict in real()])
    assert text.count("torchparity") > 1
    reads: dict[str, Callable[[str], object]] = {"junit": ET.fromstring, "sarif": json.loads}
    read = reads[form]
    read(text)
    read(FORMATS[form]([]))
