r"""Words with signs of mathematics in them, as LaTeX of ASCII alone: any engine sets it, and so does BibTeX.

``c_k = μ H(k/s)/s`` becomes ``\ensuremath{c_{k}} = \ensuremath{\mu} H(k/s)/s``: what has an index is set as
mathematics, other letters stay words.
"""

from __future__ import annotations

import re
from itertools import groupby
from operator import itemgetter

from dspref.arrays import complaint

SIGNS = {
    "−": "-", "·": r"\cdot ", "×": r"\times ", "±": r"\pm ", "≥": r"\ge ", "≤": r"\le ", "≠": r"\ne ", "≈": r"\approx ",
    "≡": r"\equiv ", "→": r"\to ", "∝": r"\propto ", "∈": r"\in ", "√": r"\surd ", "∂": r"\partial ", "∞": r"\infty ",
    "<": "<", ">": ">", "|": "|",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "⟨": r"\langle ", "⟩": r"\rangle ",
    "⋯": r"\cdots ", "⇔": r"\Leftrightarrow ", "′": "'", "″": "''", "‴": "'''", "½": r"\tfrac12 ",
    "Σ": r"\Sigma ", "Π": r"\Pi ", "Φ": r"\Phi ", "Δ": r"\Delta ",
    "α": r"\alpha ", "β": r"\beta ", "δ": r"\delta ", "θ": r"\theta ", "κ": r"\kappa ", "λ": r"\lambda ",
    "μ": r"\mu ", "ν": r"\nu ",
    "π": r"\pi ", "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\varphi ", "χ": r"\chi ",
}  # fmt: skip
"""Signs that are mathematics."""

RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀʲ", "0123456789-Tj", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉ᵢⱼ", "0123456789ij", strict=True))

LETTERS = {
    "à": r"{\`a}", "é": r"{\'e}", "è": r"{\`e}", "í": r"{\'\i}", "ö": r'{\"o}', "ü": r'{\"u}', "–": "--", "—": "---",
    "…": r"\ldots{}", "’": "'", "“": "``", "”": "''", "„": ",,", "\N{NO-BREAK SPACE}": "~",
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip
"""Characters that are words."""

_INDEXED = r"(?<![A-Za-z])([A-Za-zα-ωΑ-Ω])([_^])(\{[^{}]*\}|[A-Za-z0-9]+)"
_PIECES = re.compile(f"{_INDEXED}|([{''.join(RAISED)}]+)|([{''.join(LOWERED)}]+)|(.)", re.DOTALL)


def tex(words: str) -> str:
    r"""Return words as LaTeX of ASCII alone.

    Parameters
    ----------
    words : str
        Plain text; behind a single letter ``_`` makes an index and ``^`` a power, as in ``c_k`` and ``r_{i−1}``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a character is none that the tables of this module have.

    Examples
    --------
    >>> print(tex("40 % of |c_k|², J. Serrà"))
    40 \% of \ensuremath{|c_{k}|^{2}}, J. Serr{\`a}
    """
    quoted = re.sub(r'"([^"]*)"', r"“\1”", words)
    pieces = (_piece(*found.groups()) for found in _PIECES.finditer(quoted))
    runs = ((math, "".join(text for _, text in run)) for math, run in groupby(pieces, itemgetter(0)))
    return "".join(rf"\ensuremath{{{text.strip()}}}" if math else text for math, text in runs)


def _piece(
    base: str | None, mark: str, index: str, raised: str | None, lowered: str | None, char: str | None
) -> tuple[bool, str]:
    """Return whether a piece is mathematics, and what it becomes there or as words."""
    if base is not None:
        return True, f"{_math(base).strip()}{mark}{{{_math(index.strip('{}'))}}}"
    if raised is not None:
        return True, f"^{{{''.join(map(RAISED.__getitem__, raised))}}}"
    if lowered is not None:
        return True, f"_{{{''.join(map(LOWERED.__getitem__, lowered))}}}"
    sign = str(char)
    return sign in SIGNS, SIGNS.get(sign) or LETTERS.get(sign) or _plain(sign)


def _math(words: str) -> str:
    return "".join(SIGNS.get(char) or _plain(char) for char in words)


def _plain(char: str) -> str:
    if not char.isascii():
        raise ValueError(complaint("LaTeX", f"{char!r}", "ASCII, and the signs and letters of dspref.texwords"))
    return char
