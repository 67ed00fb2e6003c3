"""Every name on an API page has shapes, units, errors, a source and an example that runs; and that this can fail.

What can be seen in a docstring and in the source below it is seen here; whether words are true is for the tests of
the name itself.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dspref.claims import claims
from tests.meta.test_public_names import REFUSALS, SHOWN_BY, has_example

pytest.importorskip("numpydoc", reason="pip install 'dspref[docs]'")

from numpydoc.docscrape import NumpyDocString

DOCS = Path(__file__).resolve().parents[2] / "docs"

PAGES = re.findall(r"^(?:dspref|torchparity)[\w.]*$", (DOCS / "api" / "index.md").read_text("utf-8"), re.MULTILINE)
"""Modules that have a page."""

SHOWN = {f"dspref.{name}": f"dspref.{by}" for name, by in SHOWN_BY.items()} | {
    "dspref.advice.Advice": "dspref.advise",
    "dspref.advice.Choice": "dspref.advise",
    "dspref.artifacts.Finding": "dspref.artifacts.findings",
    "dspref.artifacts.Thresholds": "dspref.artifacts.findings",
    "dspref.boundary.Boundary": "dspref.boundary.boundary",
    "dspref.cite.Statement": "dspref.cite.statement",
    "dspref.claims.Claim": "dspref.claims.claim",
    "dspref.expected.Dense": "dspref.expected.dense_moments",
    "dspref.expected.Expected": "dspref.expected.expected_spectrum",
    "dspref.expected.Explanation": "dspref.expected.explain",
    "dspref.expected.Fixed": "dspref.expected.fixed",
    "dspref.expected.Forecast": "dspref.expected.forecast",
    "dspref.expected.Node": "dspref.expected.Network",
    "dspref.expected.NotPredicted": "dspref.expected.forecast",
    "dspref.figures.Picture": "dspref.figures.picture",
    "dspref.figures.Wanted": "dspref.figures.picture",
    "dspref.gradients.EnvelopeLine": "dspref.gradients.stft_gradient_lines",
    "dspref.gradients.GradientLine": "dspref.gradients.gradient_lines",
    "dspref.gradients.adjoint_stage": "dspref.gradients.adjoint_chain",
    "dspref.initial.Default": "dspref.initial.torch_default",
    "dspref.initial.Moments": "dspref.initial.gaussian_moments",
    "dspref.initial.RandomLine": "dspref.initial.random_lines",
    "dspref.leaks.Cure": "dspref.leakage",
    "dspref.leaks.Leakage": "dspref.leakage",
    "dspref.leaks.LeakageLine": "dspref.leakage",
    "dspref.spectrum.AverageSpectrum": "dspref.average_spectrum",
    "dspref.spectrum.Bifrequency": "dspref.spectrum.bifrequency",
    "dspref.spectrum.LineMeasurement": "dspref.measure_lines",
    "dspref.spectrum.Null": "dspref.spectrum.nulls",
    "dspref.spectrum.Replica": "dspref.spectrum.replicas",
    "dspref.symbolic.Amplitude": "dspref.symbolic.lines",
    "dspref.symbolic.SymbolicLine": "dspref.symbolic.lines",
    "dspref.symbolic.SymbolicLines": "dspref.symbolic.lines",
    "torchparity.mutants.Mutant": "torchparity.mutants.mutant",
    "torchparity.nn.utils.ToneFree": "torchparity.nn.utils.tone_free_",
    "torchparity.nn.utils.ToneFreeReport": "torchparity.nn.utils.tone_free_",
    "torchparity.nn.replace.ReplaceReport": "torchparity.nn.replace.replace_upsampling",
    "torchparity.nn.replace.Replaced": "torchparity.nn.replace.replace_upsampling",
}
"""Names without an example of their own: values that other names make or take, and whose example shows them."""

UNSEEN = {
    "torchparity.models.openunmix": "the package openunmix need not be there; openunmix_parameters has an example",
    "torchparity.models.table_1": "it makes every network of the table, which takes seconds; tests/torchparity has it",
}
"""Names without an example, and why."""

PHYSICAL = re.compile(r"^(sr|freq|freqs|frequency|nu|seconds|hop|.*_hz|.*_db|.*_dbc|cutoff)$")
UNITS = re.compile(r"\b(Hz|dB|dBc|cycles?|samples?|seconds|radians|fraction of half|As for|As of)\b|10 log|20 log|rate")
SHAPE = re.compile(r"\((?:[^()]|\([^()]*\))*\)")


def names() -> Iterator[tuple[str, Any]]:
    """Yield every class and function that has a place on a page, under its first name."""
    seen: set[int] = set()
    for page in PAGES:
        given = re.search(r":members: (.+)", (DOCS / "api" / f"{page}.rst").read_text("utf-8"))
        module = import_module(page)
        for name in given[1].split(", ") if given else module.__all__:
            thing = getattr(module, name)
            if (inspect.isclass(thing) or callable(thing)) and id(thing) not in seen:
                seen.add(id(thing))
                yield f"{page}.{name}", thing


THINGS = dict(names())


def parameters(thing: Any) -> list[str]:
    """Return the names of the parameters that a call takes; errors take their text alone."""
    if inspect.isclass(thing) and (issubclass(thing, Exception) or getattr(thing, "_is_protocol", False)):
        return []
    return [name for name in inspect.signature(thing).parameters if not name.startswith("_")]


def refuses(thing: Any) -> bool:
    """Return whether its source raises, or calls one of the checks of `dspref.arrays` by which input is refused."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    checked = any(isinstance(called, ast.Name) and called.id.startswith("as_") for called in calls)
    return checked or any(isinstance(node, ast.Raise) for node in ast.walk(tree))


def faults(name: str, thing: Any, sources: Mapping[str, str]) -> Iterator[str]:
    """Yield what the page of a name lacks."""
    doc = inspect.getdoc(thing) or ""
    page = NumpyDocString(doc)
    summary = re.split(r"\n\s*\n", doc)[0].strip()
    if not summary.endswith((".", ":")):
        yield "its first paragraph is no sentence"
    entries = [entry for title in ("Parameters", "Attributes") for entry in page[title]]
    told = {part.strip(" *") for entry in entries for part in entry.name.split(",")}
    if missing := [each for each in parameters(thing) if each not in told]:
        yield f"parameters without words: {', '.join(missing)}"
    for entry in entries:
        words = f"{entry.type} {' '.join(entry.desc)} {summary}"
        if re.search(r"\barray\b", entry.type) and not SHAPE.search(entry.type):
            yield f"{entry.name} has no shape"
        if any(PHYSICAL.match(part.strip()) for part in entry.name.split(",")) and not UNITS.search(words):
            yield f"{entry.name} has no unit"
    returned = page["Returns"] or page["Yields"] or summary.startswith(("Return ", "Draw "))
    if not inspect.isclass(thing) and not returned:
        yield "what it returns is not told"
    for entry in page["Returns"]:
        if re.search(r"\barray\b", f"{entry.name} {entry.type}") and not SHAPE.search(f"{entry.name} {entry.type}"):
            yield f"{entry.type} is returned without a shape"
    if refuses(thing) and not page["Raises"] and not page["Attributes"]:
        yield "what it refuses is not told"
    if not page["References"] and "Source: " not in doc and name not in sources:
        yield "it has no source"
    if not has_example(thing) and name not in SHOWN and name not in UNSEEN and name.rpartition(".")[2] not in REFUSALS:
        yield "it has no example"


def known_sources() -> dict[str, str]:
    """Return the names that have a source elsewhere: in the catalogue of claims, in docs, or by what shows them."""
    table = tomllib.loads((DOCS / "_ext" / "sources.toml").read_text("utf-8"))
    found = {name: key for key, row in table.items() for name in row["names"]}
    found |= {name: claim.id for claim in claims() for name in claim.functions}
    by_module = {name: found[name.rpartition(".")[0]] for name in THINGS if name.rpartition(".")[0] in found}
    return by_module | found | {name: by for name, by in SHOWN.items() if by in THINGS}


SOURCES = known_sources()


@pytest.mark.parametrize("name", THINGS)
def test_a_page_says_all_that_a_user_needs(name: str) -> None:
    assert list(faults(name, THINGS[name], SOURCES)) == []


def test_rows_of_the_tables_are_needed_and_true() -> None:
    assert not [name for name in (*SHOWN, *UNSEEN) if name not in THINGS or has_example(THINGS[name])]
    showing = {by: import_module(by.rpartition(".")[0]).__dict__.get(by.rpartition(".")[2]) for by in SHOWN.values()}
    assert not [
        by for by, thing in showing.items() if not has_example(thing or getattr(import_module("dspref"), by[7:]))
    ]
    table = tomllib.loads((DOCS / "_ext" / "sources.toml").read_text("utf-8"))
    listed = [name for row in table.values() for name in row["names"]]
    assert len(set(listed)) == len(listed)
    assert not [name for name in listed if name not in THINGS and name not in PAGES]


def bare(sr: float, h: Any) -> Any:
    if sr < 0:
        raise ValueError
    return h


def full(sr: float, h: Any) -> Any:
    """Return taps as they are.

    Parameters
    ----------
    sr : float
        Rate in Hz.
    h : array (taps,)

    Raises
    ------
    ValueError
        If the rate is below 0.

    Examples
    --------
    >>> 1 + 1
    2
    """
    if sr < 0:
        raise ValueError
    return h


def test_what_is_missing_is_found() -> None:
    assert list(faults("m.full", full, {"m.full": "a book"})) == []
    assert list(faults("m.bare", bare, {})) == [
        "its first paragraph is no sentence",
        "parameters without words: sr, h",
        "what it returns is not told",
        "what it refuses is not told",
        "it has no source",
        "it has no example",
    ]


@pytest.mark.parametrize(
    ("words", "other", "fault"),
    [
        ("Rate in Hz.", "The rate.", None),
        ("Rate in Hz.", "How fast.", "sr has no unit"),
        ("array (taps,)", "array", "h has no shape"),
        ("sr : float", "rate : float", "parameters without words: sr"),
    ],
)
def test_a_single_fault_is_found(words: str, other: str, fault: str | None) -> None:
    def changed(sr: float, h: Any) -> Any:
        return h

    changed.__doc__ = (full.__doc__ or "").replace(words, other)
    assert list(faults("m.changed", changed, {"m.changed": "a book"})) == ([fault] if fault else [])
