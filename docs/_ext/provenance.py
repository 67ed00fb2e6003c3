"""Docstrings on their way to API pages: equations keep their lines; claims and sources are named.

Which claims these are stands in the catalogue of claims, and nowhere else; sources that no docstring has are in
``sources.toml``.
"""

from __future__ import annotations

import inspect
import tomllib
from collections import defaultdict
from contextlib import suppress
from functools import cache, reduce
from importlib import import_module
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from dspref.claims import claims


@cache
def claimed() -> dict[int, tuple[str, ...]]:
    """Return the ids of claims by the identity of the object that computes them."""
    found: dict[int, list[str]] = defaultdict(list)
    for claim in claims():
        for name in claim.functions:
            found[id(resolved(name))].append(claim.id)
    return {key: tuple(ids) for key, ids in found.items()}


@cache
def sources() -> dict[str, str]:
    """Return the sources of names, and of modules for all names that have none of their own."""
    table = tomllib.loads(Path(__file__).with_name("sources.toml").read_text("utf-8"))
    return {name: row["title"] for row in table.values() for name in row["names"]}


def source_of(name: str, doc: str) -> str | None:
    """Return the source of a public name: None if its docstring says it.

    >>> source_of("dspref.leaks.Cure", "")
    'own derivation, from UA-T5'
    >>> source_of("dspref.leaks.Cure", "Source: a book.") is None
    True
    """
    if "References\n----------\n" in doc or "Source: " in doc:
        return None
    return sources().get(name, sources().get(name.rpartition(".")[0]))


def resolved(name: str) -> object:
    """Return the object of a dotted name; its module is imported.

    A function may hide the module of its name: what the module holds is found all the same.

    >>> resolved("dspref.Chain.collapse").__name__, resolved("torchparity.probe.Probe").__name__
    ('collapse', 'Probe')
    """
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        with suppress(ImportError, AttributeError):
            return reduce(getattr, parts[length:], import_module(".".join(parts[:length])))
    raise AttributeError(f"no object is called {name}")


def add_claims(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Append the claims and the source of an object to its docstring."""
    if what not in ("function", "class", "method", "attribute", "property"):
        return
    if ids := claimed().get(id(obj), ()):
        links = ", ".join(f":ref:`{id} <{id.lower()}>`" for id in ids)
        lines += ["", f"*Claims that rest on it:* {links}.", ""]
    elif what in ("function", "class") and (source := source_of(name, inspect.getdoc(obj) or "")):
        lines += ["", f"*Source:* {source}.", ""]


def set_apart(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep the lines of indented equations and drawings as they are: they are literal blocks to reStructuredText."""
    lines[:] = literal(lines)


def literal(lines: list[str]) -> list[str]:
    """Return a docstring whose indented blocks, sections of names left out, follow a "::".

    >>> literal(["Add:", "", "    y = x", "    + 1", "", "Back."])
    ['Add:', '', '::', '', '    y = x', '    + 1', '', 'Back.']
    """
    made: list[str] = []
    free = True  # in text, and not in a section of names and what they are
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if line and below and set(below) == {"-"}:
            free = line == "Notes"
        begins = line.startswith("    ") and number > 1 and not lines[number - 1] and not _before(lines, number)
        if free and begins:
            made += ["::", ""]
        made.append(line)
    return made


def _before(lines: list[str], number: int) -> bool:
    """Return whether the last line with text above is indented, an item of a list, or ends with "::" already."""
    text = next((line for line in reversed(lines[:number]) if line), "")
    return text.startswith((" ", "- ", ".. ")) or text.endswith("::")


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to docstrings before and after numpydoc makes sections of them."""
    app.connect("autodoc-process-docstring", set_apart, priority=100)
    app.connect("autodoc-process-docstring", add_claims, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
