"""Works that are cited: read from CITATION.cff, and said as BibTeX, APA, or in a few words.

``CITATION.cff`` is the one source. It travels with the package, among the license files of its metadata.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from dspref.arrays import complaint
from dspref.texwords import tex

FILE = "CITATION.cff"
TREE = Path(__file__).resolve().parents[1]
"""Where the file is, if this is a source tree."""


@dataclass(frozen=True)
class Work:
    r"""One work of the bibliography.

    Attributes
    ----------
    key : str
        What ``\cite`` calls it.
    kind : str
        "software", "conference-paper" or another type of the Citation File Format; "claim" or "rule".
    title : str
    authors : tuple of (str, str)
        Family and given names; of a group its name, and nothing.
    year, within, version, license, arxiv, url, note : str
        Empty where there is none; `within` is the conference, or what it is part of.
    """

    key: str
    kind: str
    title: str
    authors: tuple[tuple[str, str], ...]
    year: str = ""
    within: str = ""
    version: str = ""
    license: str = ""
    arxiv: str = ""
    url: str = ""
    note: str = ""


def citation_text() -> str:
    """Return ``CITATION.cff``: of the source tree that this is, else of the installed package.

    Raises
    ------
    ValueError
        If the package was installed without it.

    Examples
    --------
    >>> citation_text().splitlines()[0]
    'cff-version: 1.2.0'
    """
    if (TREE / "pyproject.toml").is_file() and (TREE / FILE).is_file():
        return (TREE / FILE).read_text("utf-8")
    try:
        text = distribution("dspref").read_text(f"licenses/{FILE}")
    except PackageNotFoundError:
        text = None
    if text is None:
        raise ValueError(complaint(FILE, "none", "the file that comes with dspref", "install dspref again"))
    return text


def citation_document() -> dict[str, Any]:
    """Return ``CITATION.cff`` as plain data.

    Examples
    --------
    >>> citation_document()["references"][0]["year"]
    2021
    """
    import yaml

    document: dict[str, Any] = yaml.safe_load(citation_text())
    return document


@cache
def works() -> tuple[Work, ...]:
    """Return the software, and the works that it asks to be cited with it.

    Examples
    --------
    >>> [work.key for work in works()]
    ['dspref', 'pons2021upsampling']
    """
    document = citation_document()
    return _read(document, "dspref"), *(_read(row, None) for row in document.get("references", ()))


def _read(row: dict[str, Any], key: str | None) -> Work:
    """Return a document, or a reference in it, as a work."""
    authors = tuple(
        (str(a["family-names"]), str(a["given-names"])) if "family-names" in a else (str(a["name"]), "")
        for a in row["authors"]
    )
    year = str(row.get("year") or str(row.get("date-released", ""))[:4])
    found = (str(i["value"]).partition("arXiv:")[2] for i in row.get("identifiers", ()))
    return Work(
        key=key or _ascii(f"{authors[0][0]}{year}{row['title'].split()[0]}").lower(),
        kind=str(row["type"]),
        title=str(row["title"]),
        authors=authors,
        year=year,
        within=str(row.get("conference", {}).get("name", "")),
        version=str(row.get("version", "")),
        license=str(row.get("license", "")),
        arxiv=next((value for value in found if value), ""),
        url=str(row.get("url", "")),
    )


def _ascii(words: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", words) if c.isascii() and c.isalnum())


def bibtex(work: Work) -> str:
    r"""Return an entry of BibTeX, in ASCII; its text is LaTeX.

    Examples
    --------
    >>> print(bibtex(works()[1]))
    @inproceedings{pons2021upsampling,
      author = {Pons, Jordi and Pascual, Santiago and Cengarle, Giulio and Serr{\`a}, Joan},
      title = {{Upsampling artifacts in neural audio synthesis}},
      booktitle = {ICASSP},
      year = {2021},
      eprint = {2010.14356},
      archiveprefix = {arXiv},
      url = {https://arxiv.org/abs/2010.14356},
    }
    """
    paper = work.kind == "conference-paper"
    fields = {
        "author": " and ".join(f"{tex(a)}, {tex(b)}" if b else f"{{{tex(a)}}}" for a, b in work.authors),
        "title": f"{{{tex(work.title)}}}",
        "booktitle" if paper else "howpublished": tex(work.within if paper else _published(work)),
        "year": work.year,
        "version": work.version,
        "eprint": work.arxiv,
        "archiveprefix": "arXiv" if work.arxiv else "",
        "url": work.url,
        "note": tex(work.note or (f"{work.license} licence" if work.license else "")),
    }
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@{'inproceedings' if paper else 'misc'}{{{work.key},\n{body}}}"


def _published(work: Work) -> str:
    what = f"{work.kind.capitalize()} of {work.within}" if work.within else f"Computer {work.kind}"
    return ", version ".join(filter(None, (what, work.version)))


def apa(work: Work) -> str:
    """Return an item of a list of references, as the APA's manual has them.

    Examples
    --------
    >>> apa(works()[1])[:72]
    'Pons, J., Pascual, S., Cengarle, G., & Serrà, J. (2021). Upsampling arti'
    """
    names = [f"{a}, {'. '.join(part[0] for part in b.split())}." if b else f"{a}." for a, b in work.authors]
    authors = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, & {names[-1]}"
    version = f" (Version {work.version})" if work.version else ""
    inside = f" In {work.within}{version}." if work.within else ""
    what = {"software": f"{version} [Computer software]", "conference-paper": ""}.get(
        work.kind, f" [{work.kind.capitalize()}]"
    )
    return " ".join(filter(None, (f"{authors} ({work.year or 'n.d.'}). {work.title}{what}.{inside}", work.url)))
