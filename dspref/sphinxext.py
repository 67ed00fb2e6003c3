"""A Sphinx extension: other people's documentation cites claims and rules by their ids.

In ``conf.py``::

    extensions = ["dspref.sphinxext"]

Then ``:ua:`UA-T5``` (in MyST ``{ua}`UA-T5```) names a claim or rule, with its title as a tooltip, and::

    .. ua:: UA-T5

puts its whole paragraph there: statement, formula, hypotheses and sources, with the version that states it. An id that
is none is an error that says which may have been meant, and ends builds with ``-W``.

Where `sphinx.ext.intersphinx` knows an inventory in which labels have the ids' names, as that of dspref's own pages, an
id is a link to the page that explains it; elsewhere it is text, and nothing is fetched.

Importing this module loads docutils and Sphinx, which dspref itself never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective, SphinxRole

from dspref import __version__
from dspref.cite import Statement, origin, statement, statements

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class IdRole(SphinxRole):
    """The role ``ua``: an id, or ``title <id>``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the reference, or what is wrong with the id."""
        shown, _, rest = self.text.partition("<")
        try:
            row = statement(rest.rstrip("> ") if rest else shown)
        except ValueError as error:
            return self._refused(error)
        words = shown.strip() if rest else row.id
        return [reference(row, nodes.abbreviation(words, words, explanation=row.title))], []

    def _refused(self, error: ValueError) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        message = self.inliner.reporter.error(str(error), line=self.lineno)
        return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


class StatementDirective(SphinxDirective):
    """The directive ``ua``: the paragraph of an id."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the paragraph, its formula and its sources, or what is wrong with the id."""
        try:
            row = statement(self.arguments[0])
        except ValueError as error:
            return [self.state.document.reporter.error(str(error), line=self.lineno)]
        return paragraph(row)


def reference(row: Statement, shown: nodes.Node) -> pending_xref:
    """Return a reference to a statement: a link if a label has its name, else what is shown.

    Examples
    --------
    >>> reference(statement("UA-T14"), nodes.Text("T14"))["reftarget"]
    'ua-t14'
    """
    label = row.id.lower()
    link = pending_xref("", refdomain="std", reftype="ref", reftarget=label, refexplicit=True, refwarn=False)
    link.append(shown)
    return link


def paragraph(row: Statement) -> list[nodes.Node]:
    """Return the paragraph of a statement as nodes: of any markup, as no text is parsed.

    Examples
    --------
    >>> [node.tagname for node in paragraph(statement("UA-T14"))]
    ['paragraph', 'math_block', 'paragraph']
    """
    head = nodes.paragraph(
        "", "", nodes.strong("", "", reference(row, nodes.Text(row.id)), nodes.Text(f". {row.title}."))
    )
    head += nodes.Text(f" {row.text}")
    formula = [nodes.math_block(row.latex, row.latex, nowrap=False, number=None)] if row.latex else []
    holds = f"It holds for: {'; '.join(row.hypotheses)}. " if row.hypotheses else ""
    return [head, *formula, nodes.paragraph("", holds + origin(row))]


def unlinked(_app: Sphinx, _env: object, node: pending_xref, shown: nodes.Element) -> nodes.Element | None:
    """Return what is shown of an id that no inventory knows: not a link, and nothing to warn of."""
    return shown if node.get("refwarn") is False and node["reftarget"].upper() in statements() else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the role and the directive: Sphinx calls this."""
    app.add_role("ua", IdRole())
    app.add_directive("ua", StatementDirective)
    app.connect("missing-reference", unlinked, priority=900)  # after intersphinx has looked
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
