"""Links from source code back to the API pages, also where one module is documented under two names.

Sphinx keeps one name for a module of source: that of the first page that shows something of it. What other pages show
would be linked by a name that they do not have.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

BACK = re.compile(r'<a class="viewcode-back" href="(?P<page>[^"#]*)#(?P<name>[^"]*)">.*?</a>')


def mended(body: str, places: set[tuple[str, str]]) -> str:
    """Return the page of a source with links back to places that exist, as (name of the page, name of the object).

    >>> page = '<a class="viewcode-back" href="../api/dspref.b.html#dspref.f">[docs]</a>'
    >>> mended(page, {("api/dspref.b", "dspref.b.f")})
    '<a class="viewcode-back" href="../api/dspref.b.html#dspref.b.f">[docs]</a>'
    >>> mended(page, set())
    ''
    """

    def there(match: re.Match[str]) -> str:
        page = re.sub(r"^(\.\./)*|\.html$", "", match["page"])
        parts = match["name"].split(".")
        named = {name for known, name in places if known == page}
        for length in range(len(parts), 0, -1):
            tail = ".".join(parts[-length:])
            for name in sorted(named, key=len):
                if name == tail or name.endswith(f".{tail}"):
                    return match[0].replace(f"#{match['name']}", f"#{name}")
        return ""

    return BACK.sub(there, body)


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Mend the links of a page of source."""
    if page.startswith("_modules/") and "body" in context:
        objects = app.env.get_domain("py").objects  # type: ignore[attr-defined]
        context["body"] = mended(context["body"], {(entry.docname, entry.node_id) for entry in objects.values()})


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to pages before they are written."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
