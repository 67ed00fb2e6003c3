"""Names in backticks, and ids and numbers of equations in text, become links to what they stand for, wherever they are.

A name may be any by which Python finds the object: ``Outline`` in a docstring of `dspref.boundary` is `dspref.Outline`.
Names of parameters stay as they are; a dotted name of these libraries that Python does not find is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from mathml import TAG
from provenance import resolved
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

OURS = ("dspref", "torchparity")
ID = re.compile(r"\bUA-T\d+\b|\bUA\d{3}\b|\bEq\. \d+\.\d+\b")
UNLINKED = (nodes.reference, nodes.title, nodes.literal_block, nodes.raw, pending_xref)
"""Nodes in which an id stays as it is."""


def found(name: str, module: str | None) -> object | None:
    """Return the object that a name means, seen from a module or any that holds it; None if there is none."""
    for scope in (None, *_scopes(module)):
        with suppress(AttributeError, ValueError):
            return resolved(f"{scope}.{name}" if scope else name)
    return None


def _scopes(module: str | None) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]


def documented(env: BuildEnvironment, thing: object) -> str | None:
    """Return the shortest documented name of an object."""
    objects = env.get_domain("py").objects  # type: ignore[attr-defined]
    last = getattr(thing, "__qualname__", getattr(thing, "__name__", "")).rpartition(".")[2]
    names = (name for name in objects if last and name.rpartition(".")[2] == last and found(name, None) is thing)
    return min(names, key=lambda name: (name.count("."), name), default=None)


def link(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Any) -> nodes.Node | None:
    """Resolve a name in backticks of a docstring; return None for a name of ours that does not exist."""
    if node.get("refdomain") != "py" or node.get("reftype") not in ("obj", "class"):
        return None
    name = node["reftarget"]
    thing = found(name, node.get("py:module"))
    target = documented(env, thing) if thing is not None else None
    if target is None:
        return None if thing is None and name.startswith(tuple(f"{lib}." for lib in OURS)) else contnode
    return _reference(app, env, node["refdoc"], target, contnode)


def _reference(app: Sphinx, env: BuildEnvironment, page: str, name: str, shown: nodes.Node) -> nodes.reference:
    entry = env.get_domain("py").objects[name]  # type: ignore[attr-defined]
    uri = app.builder.get_relative_uri(page, entry.docname) + f"#{entry.node_id}"
    return nodes.reference("", "", shown, internal=True, refuri=uri, reftitle=name)


def link_pages(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link dotted names in the text of pages, and ids of claims and rules."""
    env = app.env
    objects = env.get_domain("py").objects  # type: ignore[attr-defined]
    for node in list(doctree.findall(nodes.literal)):
        name = node.astext()
        if name in objects and name.startswith(OURS) and not isinstance(node.parent, nodes.reference):
            node.replace_self(_reference(app, env, page, name, node.deepcopy()))
    labels = {**env.get_domain("std").anonlabels, **equations(Path(app.srcdir))}  # type: ignore[attr-defined]
    for text in list(doctree.findall(nodes.Text)):
        if ID.search(text) and not _inside(text, UNLINKED):
            text.parent.replace(text, list(_linked(app, page, str(text), labels)))


@cache
def equations(docs: Path) -> dict[str, tuple[str, str]]:
    """Return page and place of each equation with a number, by "eq. 3.2"."""
    pages = {path.relative_to(docs).with_suffix("").as_posix(): path.read_text("utf-8") for path in docs.rglob("*.md")}
    return {f"eq. {number}": (page, f"eq-{number}") for page, text in pages.items() for number in TAG.findall(text)}


def _linked(app: Sphinx, page: str, text: str, labels: dict[str, tuple[str, str]]) -> Iterator[nodes.Node]:
    """Yield text, and references in the place of ids that have a page."""
    end = 0
    for match in ID.finditer(text):
        yield nodes.Text(text[end : match.start()])
        end = match.end()
        id = match.group()
        place, anchor = labels.get(id.lower(), ("", ""))
        shown = nodes.Text(id)
        uri = app.builder.get_relative_uri(page, place) + f"#{anchor}" if place else ""
        yield nodes.reference("", "", shown, internal=True, refuri=uri) if place else shown
    yield nodes.Text(text[end:])


def _inside(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    above = node.parent
    while above is not None:
        if isinstance(above, kinds):
            return True
        above = above.parent
    return False


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to references that Sphinx does not resolve, and to finished pages."""
    app.connect("missing-reference", link)
    app.connect("doctree-resolved", link_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
