"""Words as LaTeX: ASCII alone, and read back as the words they were."""

from __future__ import annotations

import re

import pytest

from dspref.cite import statements
from dspref.texwords import LETTERS, LOWERED, RAISED, SIGNS, tex

EVERYTHING = [
    words
    for row in statements().values()
    for words in (row.title, row.text, "; ".join(row.hypotheses), "; ".join(row.sources))
]


def read_back(latex: str) -> str:
    """Return the words that LaTeX was made of, but for spaces: a reader of its own, sign by sign."""
    known = {code.strip(): sign for sign, code in (SIGNS | LETTERS).items()}
    for mark, table in (("^", RAISED), ("_", LOWERED)):
        known |= {f"{mark}{{{code}}}": sign for sign, code in table.items()}
    said = re.sub(r"\\ensuremath\{((?:[^{}]|\{[^{}]*\})*)\}", r"\1 ", latex)
    return re.sub(r"[\s{}]+", "", "".join(_signs(said, known)))


def _signs(latex: str, known: dict[str, str]) -> list[str]:
    names = sorted((code for code in known if len(code) > 1 or not code.isascii()), key=len, reverse=True)
    whole = (re.escape(name) + ("(?![a-z])" if name[-1].isalpha() else "") for name in names)
    pieces = re.split(f"({'|'.join(whole)})", latex)
    return [known.get(piece, piece) for piece in pieces]


def flat(words: str) -> str:
    """Return words without what LaTeX writes otherwise: spaces, braces, quotes, raised and lowered signs."""
    lower = {ord(sign): code for table in (RAISED, LOWERED) for sign, code in table.items()}
    return re.sub(r"[\s{}\"“”‘’'`′″‴_^-]+", "", words.translate(lower).replace("−", "").replace("–", ""))


def test_words_are_read_back() -> None:
    assert [flat(read_back(tex(words))) for words in EVERYTHING] == [flat(words) for words in EVERYTHING]


def test_all_that_can_be_cited_is_ascii_with_balanced_braces() -> None:
    assert len(EVERYTHING) > 150
    for words in EVERYTHING:
        latex = tex(words)
        assert latex.isascii()
        assert latex.count("{") == latex.count("}")
        assert r"\ensuremath{}" not in latex


@pytest.mark.parametrize(
    ("words", "latex"),
    [
        ("c_k = μ H(k/s)/s", r"\ensuremath{c_{k}} = \ensuremath{\mu} H(k/s)/s"),
        ("r_{i−1}", r"\ensuremath{r_{i-1}}"),
        ("e^{−j2πkr/s}", r"\ensuremath{e^{-j2\pi kr/s}}"),
        ("κ₄ and z⁻¹", r"\ensuremath{\kappa _{4}} and z\ensuremath{^{-1}}"),
        ("fan_in of C_in", r"fan\_in of \ensuremath{C_{in}}"),
        ("50 % & more #1", r"50 \% \& more \#1"),
        ('a "word" of Défossez', r"a ``word'' of D{\'e}fossez"),
        ("⌊s/2⌋ … |x|", r"\ensuremath{\lfloor}s/2\ensuremath{\rfloor} \ldots{} \ensuremath{|}x\ensuremath{|}"),
        ("", ""),
    ],
)
def test_known_words(words: str, latex: str) -> None:
    assert tex(words) == latex


def test_what_has_no_latex_is_refused() -> None:
    with pytest.raises(ValueError, match="LaTeX: got '☃'; allowed: ASCII, and the signs"):
        tex("a ☃")
