"""The numbered equations of the explanations, and where code cites them as "Eq. 3.2"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "explanation"
TAG = re.compile(r"\\tag\{(\d+\.\d+)\}")
CITED = re.compile(r"Eqs?\. (\d+\.\d+(?:(?:, | and | to )\d+\.\d+)*)")


@dataclass(frozen=True)
class Equation:
    """One equation: its number, its page, and the names of what computes it."""

    number: str
    page: str
    names: tuple[str, ...]


def equations() -> tuple[Equation, ...]:
    """Return all equations, in the order of the pages."""
    pages = sorted(PAGES.glob("*.md"))
    return tuple(equation for page in pages for equation in of_page(page.name, page.read_text("utf-8")))


def of_page(name: str, page: str) -> Iterator[Equation]:
    """Yield the equations of a page: what computes one stands in the paragraph below it."""
    for part in re.split(r"(?=\$\$\n[^$]*\\tag)", page)[1:]:
        found, below = TAG.search(part), re.search(r"^Computed by (.+?)\.$", part, re.MULTILINE | re.DOTALL)
        assert found is not None
        yield Equation(found[1], name, tuple(re.findall(r"`([\w.]+)`", below[1])) if below else ())


def numbers(text: str) -> set[str]:
    """Return the numbers of equations that a text cites.

    >>> sorted(numbers("As Eq. 1.3; Eqs. 2.1, 2.2 and 6.10 say more."))
    ['1.3', '2.1', '2.2', '6.10']
    """
    return {number for group in CITED.findall(text) for number in re.findall(r"\d+\.\d+", group)}


def resolved(name: str) -> Any:
    """Return the object of a dotted name, its module imported, though a function may hide it.

    >>> resolved("dspref.Chain.collapse").__name__
    'collapse'
    """
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        with suppress(ImportError, AttributeError):
            return reduce(getattr, parts[length:], import_module(".".join(parts[:length])))
    raise AttributeError(f"no object is called {name}")


def documented(name: str) -> str:
    """Return the docstring of an object, of a property that of its getter."""
    return str(resolved(name).__doc__)


def citations() -> dict[str, set[str]]:
    """Return the numbers that docstrings of both packages cite, each with the modules that do."""
    found: dict[str, set[str]] = {}
    for package in ("dspref", "torchparity"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                    for number in numbers(ast.get_docstring(node) or ""):
                        found.setdefault(number, set()).add(path.relative_to(ROOT).as_posix())
    return found
