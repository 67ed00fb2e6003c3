"""Verdicts for other programs: JUnit XML for test reports, SARIF for code scanning, and the schemas of the JSON.

A wrong module is a failure in both. What is neither passed nor failed ("normwise only", "inconclusive", "vacuous")
is skipped in JUnit, which has no third answer, and a warning in SARIF.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote
from xml.etree import ElementTree as ET

from dspref import __version__
from dspref.arrays import as_choice
from torchparity.verdict import Verdict

Checked: TypeAlias = tuple[str, Verdict]
"""A target in words, ``pkg.mod:Up`` or ``path/file.py:Up``, and what was found."""

RULES = {
    "wrong": ("TP001", "error", "An output or gradient differs from the reference by more than rounding can explain."),
    "normwise only": ("TP002", "warning", "An output breaks its own rounding bound, but not the largest of all."),
    "inconclusive": ("TP003", "warning", "Overflow, or taps that had to be probed, leave the question open."),
    "vacuous": ("TP004", "warning", "Nothing was compared, or only zeros."),
    "within bound": ("TP005", "none", "No output differs from the reference by more than rounding can explain."),
    "exact": ("TP006", "none", "Every output equals the reference, rounded or not."),
}
"""Rule, level and meaning of each status; what a rule is called never changes."""

SCHEMAS = ("verify", "campaign", "mutants", "findings", "expect", "audit", "sweep")
"""The commands whose JSON has a schema."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def schema(name: str = "verify") -> dict[str, Any]:
    """Return the JSON schema (2020-12) of what a command writes with ``--format json``.

    Parameters
    ----------
    name : {'verify', 'campaign', 'mutants', 'findings', 'expect', 'audit', 'sweep'}
        The command; ``dspref expect`` writes what ``torchparity expect`` does; of a sweep, one line of JSON.

    Examples
    --------
    >>> schema()["title"], schema("campaign")["title"]
    ('torchparity.verify/1', 'torchparity.campaign/1')
    """
    place = files("torchparity").joinpath(f"schemas/{as_choice('schema', name, SCHEMAS)}.json")
    found: dict[str, Any] = json.loads(place.read_text("utf-8"))
    return found


def junit(checked: Iterable[Checked]) -> str:
    """Return verdicts as JUnit XML, one test case each.

    Examples
    --------
    >>> from torchparity.verdict import Coverage
    >>> passed = Verdict("exact", 0.0, None, "float32", "cpu", "nearest x4", "", Coverage())
    >>> print(junit([("my/up.py:Up", passed)]).splitlines()[1])
    <testsuites name="torchparity" tests="1" failures="0" errors="0" skipped="0">
    """
    pairs = list(checked)
    outcomes = Counter(_outcome(verdict) for _, verdict in pairs)
    counts = {"tests": len(pairs), "failures": outcomes["failure"], "errors": 0, "skipped": outcomes["skipped"]}
    attributes = {"name": "torchparity"} | {name: str(count) for name, count in counts.items()}
    root = ET.Element("testsuites", attributes)
    suite = ET.SubElement(root, "testsuite", attributes)
    for target, verdict in pairs:
        _add_case(suite, target, verdict)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _outcome(verdict: Verdict) -> str:
    return "passed" if verdict.ok else "failure" if verdict.status == "wrong" else "skipped"


def _add_case(suite: ET.Element, target: str, verdict: Verdict) -> None:
    place, _, name = target.rpartition(":")
    case = added(suite, "testcase", classname=place, name=f"{name} {verdict.dtype} on {verdict.device}")
    kept = ("status", "ratio", "description", "arithmetic", "where", "looks_like", "repro")
    values = {name: getattr(verdict, name) for name in kept} | {"outputs": verdict.coverage.outputs}
    properties = added(case, "properties")
    for name, content in values.items():
        if content != "":
            added(properties, "property", name=name, value=content)
    if verdict.ok:
        added(case, "system-out", text=str(verdict))
    else:
        added(case, _outcome(verdict), text=str(verdict), message=verdict.headline, type=verdict.status)


def added(parent: ET.Element, tag: str, *, text: str | None = None, **attributes: object) -> ET.Element:
    """Return a new element; what XML cannot hold stands as U+FFFD."""
    element = ET.SubElement(parent, tag, {k: _NO_XML.sub("\ufffd", str(v)) for k, v in attributes.items()})
    element.text = None if text is None else _NO_XML.sub("\ufffd", text)
    return element


def sarif(checked: Iterable[Checked]) -> str:
    """Return verdicts as SARIF 2.1.0, one result each, at the line of the target where that is a file.

    Examples
    --------
    >>> from torchparity.verdict import Coverage
    >>> failed = Verdict("vacuous", 0.0, None, "float32", "cpu", "?", "", Coverage(), reason="nothing was compared")
    >>> (result,) = json.loads(sarif([("my.pkg:Up", failed)]))["runs"][0]["results"]
    >>> result["ruleId"], result["level"], result["message"]["text"]
    ('TP004', 'warning', 'vacuous: nothing was compared')
    """
    driver = {
        "name": "torchparity",
        "version": __version__,
        "rules": [_rule(status) for status in RULES],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(target, verdict) for target, verdict in checked],
    }
    where = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": where, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False) + "\n"


def _rule(status: str) -> dict[str, Any]:
    rule, level, meaning = RULES[status]
    name = "".join(word.capitalize() for word in status.split())
    return {
        "id": rule,
        "name": name,
        "shortDescription": {"text": f"Upsampler: {status}."},
        "fullDescription": {"text": meaning},
        "help": {"text": f"{meaning} The verdict says what was compared, and has a line of Python that shows it."},
        "defaultConfiguration": {"level": level},
    }


def _result(target: str, verdict: Verdict) -> dict[str, Any]:
    rule, level, _ = RULES[verdict.status]
    more = [verdict.where, verdict.looks_like and f"looks like: {verdict.looks_like}"]
    same = (target, verdict.description, verdict.dtype, verdict.device, verdict.status)
    return {
        "ruleId": rule,
        "ruleIndex": list(RULES).index(verdict.status),
        "kind": "pass" if verdict.ok else "fail",
        "level": level,
        "message": {"text": "\n".join([verdict.headline, *filter(None, more)]), "markdown": verdict.to_markdown()},
        "locations": [location(target)],
        "partialFingerprints": {"verdict/v1": sha256(json.dumps(same).encode()).hexdigest()},
        "properties": verdict.to_dict(),
    }


def location(target: str) -> dict[str, Any]:
    """Return where a target is: by its name, and by file and line where it is one."""
    place, _, name = target.rpartition(":")
    full = name if place.endswith(".py") or not place else f"{place}.{name}"
    location: dict[str, Any] = {"logicalLocations": [{"name": name, "fullyQualifiedName": full}]}
    path = _file(target, place)
    if path is not None:
        uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
        line = _line(path, name) if path.suffix == ".py" else None
        region = {} if line is None else {"region": {"startLine": line}}
        location["physicalLocation"] = {"artifactLocation": {"uri": uri}, **region}
    return location


def _file(target: str, place: str) -> Path | None:
    """Return the file of a target: as it says, or that of a module which lies in the working directory."""
    if target.endswith(".onnx"):
        return Path(target)
    if place.endswith(".py"):
        return Path(place)
    module = Path(*place.split("."))
    return next((path for path in (module.with_suffix(".py"), module / "__init__.py") if path.is_file()), None)


def _line(path: Path, name: str) -> int | None:
    """Return the line on which a file first binds a name, if it can be read."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    return next((node.lineno for node in tree.body if name in _bound(node)), None)


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


FORMATS: dict[str, Callable[[Iterable[Checked]], str]] = {"junit": junit, "sarif": sarif}
"""Formats by the word for them."""
