"""The site is whole: no warning, no broken link, nothing from elsewhere; and these checks can fail."""

from __future__ import annotations

import base64
import io
import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest

from dspref.artifacts.rules import RULES
from dspref.claims import claims
from dspref.sounds import PEAK_DB
from tests.meta.test_api_pages import THINGS
from tests.site.browser import chromium, opened
from tests.site.build import Built
from tests.site.links import broken, in_style, outside, references
from tests.site.narrow import sticking_out

GALLERY = 8
"""Scripts of the gallery, at least."""


def test_the_site_is_built_without_a_warning(built: Built) -> None:
    assert built.code == 0, built.output
    assert "WARNING" not in built.output


def test_no_link_is_broken(built: Built, pages: dict[str, str]) -> None:
    assert not list(broken(pages, built.folder))


def test_nothing_is_fetched_from_elsewhere(built: Built, pages: dict[str, str]) -> None:
    found = {(path, url) for path, html in pages.items() for url in references(html).fetched if outside(url)}
    assert not found
    for sheet in built.folder.rglob("*.css"):
        assert not [url for url in in_style(sheet.read_text("utf-8")) if outside(url)], sheet


def test_every_public_name_has_its_place(pages: dict[str, str]) -> None:
    ids = {id for path, html in pages.items() if path.startswith("api/") for id in references(html).ids}
    assert len(THINGS) > 200
    assert not [name for name in THINGS if name not in ids]


def test_every_claim_and_rule_has_its_place_and_is_linked_where_it_is_named(pages: dict[str, str]) -> None:
    assert {claim.id.lower() for claim in claims()} <= references(pages["catalogues/claims.html"]).ids
    assert {rule.id.lower() for rule in RULES} <= references(pages["catalogues/rules.html"]).ids
    assert any(url.endswith("claims.html#ua-t23") for url in references(pages["theory.html"]).links)
    assert any(url.endswith("claims.html#ua-t2") for url in references(pages["api/dspref.html"]).links)


def test_formulas_are_mathml_and_no_script_is_needed_for_them(pages: dict[str, str]) -> None:
    page = pages["catalogues/claims.html"]
    assert page.count('class="formula"') == sum(bool(claim.latex) for claim in claims())
    assert page.count("<math") >= page.count('class="formula"')
    scripts = {url for html in pages.values() for url in references(html).fetched if not url.startswith("data:")}
    assert not [url for url in scripts if "mathjax" in url.lower()]


def test_aligned_formulas_are_of_the_class_that_the_style_sheet_aligns(built: Built, pages: dict[str, str]) -> None:
    """Chromium centres the columns of MathML's tables, and heeds no attribute of theirs."""
    assert '<mtable class="ams-align">' in pages["explanation/6-expected-spectra.html"]
    style = (built.folder / "_static" / "site.css").read_text("utf-8")
    for column, side in (("odd", "right"), ("even", "left")):
        assert f"mtable.ams-align > mtr > mtd:nth-child({column}) {{ text-align: {side}; }}" in style


def players(html: str) -> list[bytes]:
    """Return the sounds in a page."""
    return [base64.b64decode(data) for data in re.findall(r'src="data:audio/wav;base64,([^"]+)"', html)]


def test_examples_are_scripts_notebooks_and_sounds_that_are_never_loud(built: Built, pages: dict[str, str]) -> None:
    names = sorted(path.removeprefix("examples/") for path in pages if path.startswith("examples/plot_"))
    assert len(names) >= GALLERY
    heard = 0
    for name in names:
        stem = name.removesuffix(".html")
        assert list(built.folder.glob(f"_downloads/*/{stem}.ipynb")), stem
        assert list(built.folder.glob(f"_downloads/*/{stem}.py")), stem
        for sound in players(pages[f"examples/{name}"]):
            with wave.open(io.BytesIO(sound)) as file:
                y = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
            assert 0 < np.abs(y).max() <= 10 ** (PEAK_DB / 20)
            heard += 1
    assert heard >= GALLERY


def test_scripts_of_the_gallery_took_less_than_ten_seconds(built: Built) -> None:
    costs = [json.loads(path.read_text("utf-8")) for path in (built.folder.parents[1] / "examples").glob("*.cost.json")]
    assert len(costs) >= GALLERY
    assert max(cost["time"] for cost in costs) < 10


OPENED = (
    "index.html",
    "api/dspref.html",
    "catalogues/claims.html",
    "catalogues/rules.html",
    "examples/plot_1_transposed.html",
    "theory.html",
)


@pytest.fixture(scope="module")
def browser() -> str:
    found = chromium()
    if found is None:
        pytest.skip("no Chromium on this machine; CHROMIUM=PATH names one")
    return found


@pytest.mark.parametrize("page", OPENED)
def test_a_browser_finds_no_error_and_asks_nobody_else(page: str, browser: str, built: Built, tmp_path: Path) -> None:
    seen = opened(browser, built.folder, page, tmp_path)
    assert "</main>" in seen.html
    assert seen.console == ()
    assert (f"/{page}", 200) in seen.answers
    assert not [answer for answer in seen.answers if answer[1] not in (200, 304)]


def test_search_finds_a_function(browser: str, built: Built, tmp_path: Path) -> None:
    seen = opened(browser, built.folder, "search.html?q=overlap_add", tmp_path)
    assert seen.console == ()
    assert "api/dspref.html#dspref.overlap_add" in seen.html.partition('id="search-results"')[2]


def test_a_browser_would_see_errors_and_requests(browser: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text('<img src="https://a.example/b.png"><img src="c.png"><script>d.e</script><p>f</p>')
    seen = opened(browser, site, "index.html", tmp_path / "own")
    assert "a.example" in "".join(seen.console)
    assert "d is not defined" in "".join(seen.console)
    assert ("/c.png", 404) in seen.answers


def test_what_is_fetched_from_elsewhere_would_be_seen() -> None:
    page = (
        '<link rel="stylesheet" href="https://a.b/x.css"><img src="//c.d/e.png"><a href="https://f.g">h</a>'
        '<style>@import "https://i.j/k.css";</style><p style="background: url(https://l.m/n.png)">'
    )
    found = references(page)
    assert [url for url in found.fetched if outside(url)] == [
        "https://a.b/x.css",
        "//c.d/e.png",
        "https://l.m/n.png",
        "https://i.j/k.css",
    ]
    assert found.links == ["https://f.g"]
    assert not outside("data:audio/wav;base64,AAAA")


def test_broken_links_would_be_seen(tmp_path: Path) -> None:
    pages = {
        "a/b.html": '<a href="../c.html#there">1</a><a href="../c.html#gone">2</a><a href="d.html">3</a>',
        "c.html": '<p id="there">',
    }
    for name, html in pages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(html)
    assert list(broken(pages, tmp_path)) == [
        "a/b.html: ../c.html#gone: no such place in c.html",
        "a/b.html: d.html: no file a/d.html",
    ]


LONG = (*OPENED, "paper.html", "findings.html", "figures.html", "api/torchparity.models.html")
"""Pages with long names in them."""


@pytest.mark.parametrize("width", [420, 1400])
def test_nothing_sticks_out_of_a_page(width: int, browser: str, built: Built, tmp_path: Path) -> None:
    assert not sticking_out(browser, built.folder, LONG, tmp_path, width=width)


def test_a_long_name_would_be_seen_to_stick_out(browser: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "a.html").write_text(f"<article><p>word</p><code>{'x' * 99}</code><pre>{'y' * 99}</pre></article>")
    assert sticking_out(browser, site, ["a.html"], tmp_path / "own", width=420) == ["a.html: CODE " + "x" * 60]
    assert not sticking_out(browser, site, ["a.html"], tmp_path / "own", width=1400)
