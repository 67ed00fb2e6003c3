"""Formulas as MathML, made while the site is built: no script, no font, nothing that is fetched when a page is read.

The translator is docutils' own, so it is wherever Sphinx is. What it does not know is a warning, and an error with -W.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

SYNONYMS = {
    "iff": r"\\Longleftrightarrow",
    "tfrac": r"\\frac",
    "dots": r"\\ldots",
    "bigm": "",
    "Big": "",
    "big": "",
    "mathrel": "",
}
"""Commands that the translator lacks, and what stands for them: sizes of signs are the browser's affair."""

TAG = re.compile(r"\\tag\{([^}]*)\}")

_log = logging.getLogger(__name__)


def mathml(latex: str, *, block: bool = False) -> str:
    r"""Return a formula of LaTeX as an element of MathML.

    >>> mathml(r"a \iff b") == mathml(r"a \Longleftrightarrow b")
    True
    """
    for name, known in SYNONYMS.items():
        latex = re.sub(rf"\\{name}(?![a-zA-Z])", known, latex)
    if block and r"\\" in latex and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    return str(tex2mathml(latex, as_block=block))


def _written(node: nodes.Node, latex: str, *, block: bool) -> str:
    try:
        return mathml(latex, block=block)
    except MathError as error:
        _log.warning("formula %r: %s", latex, error, location=node)
        return f"<code>{latex}</code>"


def visit_math(self: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(_written(node, node.astext(), block=False))
    raise nodes.SkipNode


def visit_display(self: Any, node: nodes.math_block) -> None:
    r"""Write a formula of its own, with its number beside it: that of ``\tag{3.2}``, or the one that Sphinx gave."""
    latex, tag = TAG.sub("", node.astext()), TAG.search(node.astext())
    number = tag.group(1) if tag else get_node_equation_number(self, node) if node["number"] else ""
    id = node["ids"][0] if node["ids"] else f"eq-{tag.group(1)}" if tag else ""
    self.body.append(f'<div class="formula" id="{id}">' if id else '<div class="formula">')
    self.body.append(f'<div class="wide">{_written(node, latex, block=True)}</div>')
    if number:
        self.body.append(
            f'<a class="eqno" href="#{id}">({number})</a>' if id else f'<span class="eqno">({number})</span>'
        )
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
