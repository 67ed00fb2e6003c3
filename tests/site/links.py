"""What a page refers to: where its links go, and what a browser would fetch to show it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

FETCHED = {
    "img": ("src", "srcset"),
    "script": ("src",),
    "link": ("href",),
    "source": ("src", "srcset"),
    "audio": ("src",),
    "video": ("src", "poster"),
    "iframe": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "input": ("src",),
}
"""Attributes by which a page has a browser fetch something."""

NO_FETCH = ("next", "prev", "search", "index", "author", "copyright", "canonical")
"""Relations of <link> that name a page, and fetch nothing."""

IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class References(HTMLParser):
    """Links, what is fetched, and the ids, of one page."""

    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and found.get("rel") in NO_FETCH:
            return
        self.fetched += [found[name].split()[0] for name in FETCHED.get(tag, ()) if found.get(name)]
        self.fetched += in_style(found.get("style", ""))


def references(html: str) -> References:
    """Return what a page refers to."""
    parser = References()
    parser.feed(html)
    parser.fetched += [
        url for style in re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL) for url in in_style(style)
    ]
    return parser


def in_style(style: str) -> list[str]:
    """Return what a style sheet has a browser fetch."""
    return [first or second for first, second in IN_STYLE.findall(style)]


def outside(url: str) -> bool:
    """Return whether a URL leads to another machine; data that stand in the page do not."""
    parts = urlsplit(url)
    return parts.scheme not in ("", "data") or bool(parts.netloc)


def broken(pages: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Yield links and fetches within a site that lead nowhere: no file, or no such place in the page."""
    read = {path: references(html) for path, html in pages.items()}
    for path, page in read.items():
        for url in (*page.links, *page.fetched):
            if outside(url) or url.startswith("data:"):
                continue
            target, _, place = url.partition("#")
            name = _joined(path, unquote(target.partition("?")[0])) if target else path
            if not (folder / name).is_file():
                yield f"{path}: {url}: no file {name}"
            elif place and name in read and unquote(place) not in read[name].ids:
                yield f"{path}: {url}: no such place in {name}"


def _joined(page: str, target: str) -> str:
    """Return the path below the site's folder of a link on a page."""
    parts: list[str] = []
    for part in (PurePosixPath(page).parent / target).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    name = "/".join(parts)
    return f"{name}/index.html" if target.endswith("/") else name
