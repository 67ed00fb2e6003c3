"""What sticks out of the text of a page in a window of some width, where it would be cut off."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

from tests.site.browser import opened

SCROLLED = ".formula, pre, svg, math, audio, .indextable, .pst-scrollable-table-container, .sphx-glr-thumbnails"
"""What may be wider than its page, since it is scrolled or lies within what is."""

PAGE = """<!doctype html><pre id="found">not measured</pre><script>
const found = [], pages = %(pages)s;
function measure(frame, page) {
  const article = frame.contentDocument.querySelector("article");
  const right = article.getBoundingClientRect().right;
  for (const part of article.querySelectorAll("*")) {
    const box = part.getBoundingClientRect();
    if (box.width && box.right > right + 3 && !part.closest("%(scrolled)s"))
      found.push(page + ": " + part.tagName + " " + part.textContent.slice(0, 60));
  }
}
Promise.all(pages.map(page => new Promise(done => {
  const frame = document.createElement("iframe");
  frame.width = %(width)d; frame.height = 900; frame.src = page;
  frame.onload = () => { measure(frame, page); done(); };
  document.body.append(frame);
}))).then(() => { document.getElementById("found").textContent = JSON.stringify(found); });
</script>"""


def sticking_out(browser: str, folder: Path, pages: Sequence[str], own: Path, *, width: int) -> list[str]:
    """Return the parts of pages that end right of their text, as "page: tag text"."""
    measuring = folder / "measuring.html"
    measuring.write_text(PAGE % {"pages": json.dumps(list(pages)), "scrolled": SCROLLED, "width": width}, "utf-8")
    try:
        seen = opened(browser, folder, measuring.name, own).html
    finally:
        measuring.unlink()
    match = re.search('<pre id="found">(.*?)</pre>', seen, re.DOTALL)
    found: list[str] = json.loads(html.unescape(match[1])) if match else ["nothing was measured"]
    return found
