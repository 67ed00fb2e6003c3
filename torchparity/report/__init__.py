"""An audit as text, JSON, Markdown, HTML, SARIF, JUnit XML and picture.

`to_dict` makes plain data of an audit; all forms but pictures and sounds are made of it, so what a page has embedded
can be written again in every other form: `from_html`, then `WRITERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from dspref.arrays import as_choice
from torchparity.against import read_saved
from torchparity.audit import Audit
from torchparity.report.document import SCHEMA, json_of, to_dict
from torchparity.report.html import from_html, to_html
from torchparity.report.markdown import markdown_of
from torchparity.report.pictures import to_png
from torchparity.report.scanned import junit_of, sarif_of
from torchparity.report.text import text_of

__all__ = [
    "FORMATS",
    "SCHEMA",
    "WRITERS",
    "from_html",
    "junit_of",
    "read",
    "render",
    "sarif_of",
    "to_dict",
    "to_html",
    "to_json",
    "to_junit",
    "to_markdown",
    "to_png",
    "to_sarif",
    "to_text",
    "write_document",
]

WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "text": text_of,
    "json": json_of,
    "md": markdown_of,
    "sarif": sarif_of,
    "junit": junit_of,
}
"""What writes a document, by the word for the form."""

FORMATS = {
    ".html": "html",
    ".json": "json",
    ".md": "md",
    ".png": "png",
    ".sarif": "sarif",
    ".txt": "text",
    ".xml": "junit",
}
"""The form of a file, by its suffix."""


def render(audit: Audit, suffix: str, *, command: str = "", target: str = "", fail_on: str = "error") -> str | bytes:
    """Return an audit as the content of a file with this suffix, one of `FORMATS`.

    Parameters
    ----------
    audit : Audit
    suffix : str
        As ".html".
    command, target : str
        What was typed, and what was audited: for whoever wants to do it again.
    fail_on : {'error', 'warning', 'never'}
        What fails in JUnit XML.
    """
    form = FORMATS[as_choice("suffix", suffix, FORMATS)]
    if form == "png":
        return to_png(audit)
    if form == "html":
        return to_html(audit, command=command, target=target)
    return write_document(to_dict(audit, command=command, target=target), form, fail_on=fail_on)


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the document of an audit that was saved as JSON or HTML.

    Raises
    ------
    ValueError
        If there is none of this version in the file, or if it is not as its schema says.
    """
    if Path(path).suffix == ".html":
        return from_html(path)
    return read_saved(Path(path))


def write_document(document: dict[str, Any], form: str, *, fail_on: str = "error") -> str:
    """Return a document of an audit in one of the forms of `WRITERS`."""
    writer = WRITERS[as_choice("form", form, WRITERS)]
    return junit_of(document, fail_on=fail_on) if form == "junit" else writer(document)


def to_text(audit: Audit) -> str:
    """Return the audit as text of at most 80 columns."""
    return text_of(to_dict(audit))


def to_json(audit: Audit) -> str:
    """Return `to_dict` as JSON text."""
    return json_of(to_dict(audit))


def to_markdown(audit: Audit) -> str:
    """Return the audit as Markdown."""
    return markdown_of(to_dict(audit))


def to_sarif(audit: Audit) -> str:
    """Return the audit as SARIF 2.1.0."""
    return sarif_of(to_dict(audit))


def to_junit(audit: Audit) -> str:
    """Return the audit as JUnit XML."""
    return junit_of(to_dict(audit))
