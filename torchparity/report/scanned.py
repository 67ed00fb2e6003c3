"""An audit's document for other programs: SARIF for code scanning, JUnit XML for test reports.

A contradiction of the prediction is a failure in both. A line that stands is a warning in SARIF, and fails in JUnit
where `--fail-on warning` says so. What was not judged is skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import TypeAlias
from xml.etree import ElementTree as ET

from dspref import __version__
from dspref.artifacts.rules import RULES, Rule
from torchparity.formats import added, location
from torchparity.report.words import Document, legible, limits, peaks, place, possible

CONTRADICTED = ("TP101", "error", "A measurement contradicts the prediction: a peak off the grid, or a wrong level.")
LEFT_OUT = ("TP102", "note", "Something was not analysed, or was assumed.")

NAMED = 80
"""Letters of a text that name a case."""

Case: TypeAlias = tuple[str, str, str]
"""Name, outcome ("passed", "failure" or "skipped") and words of a test case."""


def sarif_of(document: Document) -> str:
    """Return a document of an audit as SARIF 2.1.0: a result for each contradiction, artifact and limit."""
    rules = [_own_rule(*CONTRADICTED), _own_rule(*LEFT_OUT), *(_rule(r) for r in RULES)]
    ids = [row["id"] for row in rules]
    run = {
        "tool": {"driver": {"name": "torchparity", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(document, ids, *row) for row in _results(document)],
        "properties": {"verdict": document["verdict"], "reproduce": document["reproduce"]},
    }
    where = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": where, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False) + "\n"


def _own_rule(id: str, level: str, meaning: str) -> Document:
    return {"id": id, "shortDescription": {"text": meaning}, "defaultConfiguration": {"level": level}}


def _rule(r: Rule) -> Document:
    return {
        "id": r.id,
        "name": "".join(word.capitalize() for word in r.title.replace("-", " ").split()),
        "shortDescription": {"text": r.title.capitalize() + "."},
        "fullDescription": {"text": f"{r.what} {r.why}"},
        "help": {"text": f"{r.cure} Source: {r.source}. 'dspref explain {r.id}' says more."},
        "defaultConfiguration": {"level": "note"},
    }


def _results(document: Document) -> Iterator[tuple[str, str, str, str, Document]]:
    """Yield (rule, level, words, where in the network, facts)."""
    for f in document["findings"]:
        if f["level"] == "error":
            yield CONTRADICTED[0], "error", f["text"], "", {}
    for card in document["cards"]:
        head = f"{card['title']}, {place(card)}: {card['formula']}"
        told = "\n".join([head, *card["seen"], *card["cures"], card["fix"]])
        yield card["rule"], card["severity"], told, place(card), card
    for words in limits(document):
        yield LEFT_OUT[0], "note", words, "", {}


def _result(
    document: Document, ids: list[str], rule: str, level: str, words: str, layer: str, facts: Document
) -> Document:
    same = (document["name"], rule, layer, "" if facts else words)
    return {
        "ruleId": rule,
        "ruleIndex": ids.index(rule),
        "level": level,
        "message": {"text": words},
        "locations": [_location(document, layer)],
        "partialFingerprints": {"audit/v1": sha256(json.dumps(same).encode()).hexdigest()},
        "properties": facts,
    }


def _location(document: Document, layer: str) -> Document:
    """Return the file and line of the target where it is one, and the place in the network."""
    target = document["reproduce"]["target"]
    found = location(target) if ":" in target else {"logicalLocations": [{"name": document["name"]}]}
    if layer:
        within = {"name": layer, "fullyQualifiedName": f"{document['name']}/{layer}", "kind": "module"}
        found = {**found, "logicalLocations": [*found["logicalLocations"], within]}
    return found


def junit_of(document: Document, *, fail_on: str = "error") -> str:
    """Return a document of an audit as JUnit XML: a test case for each run, artifact and limit.

    Parameters
    ----------
    document : dict
    fail_on : {'error', 'warning', 'never'}
        What fails: contradictions; or lines that stand too; or nothing. A case fails exactly if the command does.
    """
    document = legible(document)
    rows = list(_cases(document, fail_on))
    outcomes = Counter(outcome for _, outcome, _ in rows)
    counts = {"tests": len(rows), "failures": outcomes["failure"], "errors": 0, "skipped": outcomes["skipped"]}
    root = ET.Element("testsuites")
    suite = added(root, "testsuite", name=document["name"])
    root.set("name", "torchparity audit")
    for element in (root, suite):
        element.attrib.update({key: str(n) for key, n in counts.items()})
    for name, outcome, words in rows:
        case = added(suite, "testcase", classname=document["name"], name=name)
        if outcome == "passed":
            added(case, "system-out", text=words)
        else:
            added(case, outcome, text=words, message=words.splitlines()[0])
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _cases(document: Document, fail_on: str) -> Iterator[Case]:
    """Yield two cases for each run, one for each other finding, artifact and limit."""
    fails = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[fail_on]
    rest = [f for f in document["findings"] if f["level"] != "note"]
    for r in document["runs"]:
        mine = [f for f in rest if f["text"].startswith(f"{r['input']} input, seed {r['seed']}:")]
        rest = [f for f in rest if f not in mine]
        yield _explained(r, [f["text"] for f in mine if f["level"] == "error"], "error" in fails)
        yield _quiet(r, possible(document), [f["text"] for f in mine if f["level"] == "warning"], "warning" in fails)
    for f in rest:
        yield f"{f['level']}: {f['text'][:NAMED]}", "failure" if f["level"] in fails else "passed", f["text"]
    for card in document["cards"]:
        words = "\n".join([f"{card['severity']}: {card['formula']}", *card["seen"], *card["cures"], card["fix"]])
        yield f"{card['rule']} {card['title']}, {place(card)}", "passed", words
    for words in limits(document):
        yield f"not analysed: {words[:NAMED]}", "skipped", words


def _explained(r: Document, errors: list[str], fails: bool) -> Case:
    name = f"every peak is explained: {r['input']}, seed {r['seed']}"
    if errors:
        return name, "failure" if fails else "passed", "\n".join(errors)
    words = f"{peaks(r['peaks'])}, {len(r['peaks_off_grid'])} of them off the grid"
    return (name, "passed", words) if r["judged"] else (name, "skipped", f"not judged; {words}")


def _quiet(r: Document, lines: int, warnings: list[str], fails: bool) -> Case:
    name = f"no line stands: {r['input']}, seed {r['seed']}"
    words = "\n".join(warnings) or f"0 of {lines} lines stand"
    return name, "failure" if warnings and fails else "passed", words
