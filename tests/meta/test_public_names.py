"""Every public name explains itself, and is shown at work in an example that runs; and that this check can fail."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

import dspref

SHOWN_BY = {
    # Values that only these functions make, or read.
    "Line": "tone_lines",
    "Image": "images",
    "Whence": "whence",
    "Preset": "preset",
    "Layer": "Conv",
}
"""Names without an example of their own, and the name whose example shows them."""

REFUSALS = ("NotAnalysable", "SpecError")
"""Classes of errors: their texts are tested where they are raised."""


def has_example(thing: object) -> bool:
    """Return whether a docstring has an Examples section, with something in it that runs."""
    _, _, section = (inspect.getdoc(thing) or "").partition("Examples\n--------\n")
    return bool(doctest.DocTestParser().get_examples(section))


def faults(library: Any, shown_by: Mapping[str, str], exempt: tuple[str, ...]) -> list[str]:
    """Return the public names that nothing shows, and rows of the table that are wrong or needless."""
    names = set(library.__all__)
    shown = {name for name in names if has_example(getattr(library, name))}
    found = [f"{name} has no docstring" for name in sorted(names) if not inspect.getdoc(getattr(library, name))]
    found += [f"{name} has no example" for name in sorted(names - shown - set(shown_by) - set(exempt))]
    found += [
        f"{name} is said to be shown by {by}, which has no example" for name, by in shown_by.items() if by not in shown
    ]
    found += [f"{name} needs no row" for name in sorted((set(shown_by) | set(exempt)) & shown)]
    found += [f"{name} is no public name" for name in sorted((set(shown_by) | set(exempt)) - names)]
    return found


def test_every_public_name_is_shown_at_work() -> None:
    assert faults(dspref, SHOWN_BY, REFUSALS) == []


def test_public_names_exist_and_are_named_once() -> None:
    assert len(set(dspref.__all__)) == len(dspref.__all__)
    assert all(hasattr(dspref, name) for name in dspref.__all__)


@pytest.mark.parametrize("name", REFUSALS)
def test_errors_are_value_errors(name: str) -> None:
    assert issubclass(getattr(dspref, name), ValueError)


def shown() -> None:
    """Do a thing.

    Examples
    --------
    >>> 1 + 1
    2
    """


def empty() -> None:
    """Do a thing.

    Examples
    --------
    None yet.
    """


def test_a_missing_example_is_found() -> None:
    library = SimpleNamespace(__all__=["empty", "shown"], empty=empty, shown=shown)
    assert faults(library, {}, ()) == ["empty has no example"]
    assert faults(library, {"empty": "shown"}, ()) == []
    assert faults(library, {}, ("empty",)) == []
    assert faults(library, {"empty": "empty"}, ()) == ["empty is said to be shown by empty, which has no example"]
    assert faults(library, {"empty": "shown"}, ("shown",)) == ["shown needs no row"]
    assert faults(library, {"empty": "shown", "gone": "shown"}, ()) == ["gone is no public name"]
