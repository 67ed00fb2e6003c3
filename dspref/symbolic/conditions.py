"""When a layer makes no tone: vanishing lines, the conditions on its taps, and the box in its H(z).

Five ways to say the same of taps h and a factor s: ``H(k/s) = 0`` for k = 1 … s−1; the s phase gains are equal;
Φ_d divides H for every divisor d > 1 of s; the box of length s divides H; overlap-add is constant. That is so for any
taps. Φ_d divides H if and only if all lines k/s with ``s/gcd(k, s) = d`` vanish; of rational taps (all floats are), and
of symbols for all their values at once, one of these vanishes only with all. Algebraic taps may lose one alone, as
1, √2, 1 the line 3/8: they are refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_integer, as_taps, complaint
from dspref.cyclotomic import remainder
from dspref.symbolic.rootsums import as_expressions, domain_of, elements

Z = sympy.Symbol("z")
"""The variable of H(z): ``z = e^{j2πν}``, ν in cycles per output sample."""


def _elements(taps: ArrayLike) -> tuple[Any, Array]:
    """Return taps (..., taps) as elements of their domain."""
    h = taps if isinstance(taps, np.ndarray) else np.asarray(taps)
    (expressions,) = as_expressions("taps", as_taps("taps", h, *range(1, max(h.ndim, 1) + 1)))
    domain = domain_of("taps", expressions)
    return domain, elements(domain, expressions)


def _as_factor(s: Any) -> int:
    return as_integer("factor", s, 2, "a layer of factor 1 makes no line")


def vanishes(taps: ArrayLike, k: int, s: int) -> bool:
    """Return whether line k of a factor s is zero whatever the symbols are: whether Φ_{s/gcd(k,s)} divides H.

    Parameters
    ----------
    taps : array (..., taps)
        Integers, Fractions, SymPy; floats count as the rationals they are.
    k, s : int
        The line stands at k/s cycles per output sample.

    Returns
    -------
    bool

    Raises
    ------
    TypeError
        If floats stand beside symbols, or numbers are complex.
    NotAnalysable
        If numbers are algebraic, as √2.

    Examples
    --------
    >>> a, b = sympy.symbols("a b")
    >>> vanishes([a, b, a, b, a, b], 1, 4), vanishes([a, b, a, b], 1, 4), vanishes([1] * 5, 2, 5)
    (False, True, True)
    """
    k, s = as_integer("line", k, None), as_integer("factor", s, 1)
    return not remainder(_elements(taps)[1], s // math.gcd(k, s)).any()


@dataclass(frozen=True)
class Condition:
    """What the taps must satisfy for all lines of one order to vanish; rational taps lose all of them or none.

    Attributes
    ----------
    order : int
        d: the lines at k/s with ``s/gcd(k, s) = d``, the primitive d-th roots of unity.
    factor : int
        s.
    equations : tuple of SymPy expressions
        All must be zero: the coefficients of H modulo Φ_d, those that are zero anyhow left out.

    Examples
    --------
    >>> a, b, c = sympy.symbols("a b c")
    >>> print(conditions([a, b, c], 2)[0])
    line 1/2: a - b + c = 0
    """

    order: int
    factor: int
    equations: tuple[Any, ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """The k, 1 … ⌊s/2⌋, of the lines of which it decides."""
        step = self.factor // self.order
        return tuple(k for k in range(1, self.factor // 2 + 1) if math.gcd(k, self.factor) == step)

    @property
    def holds(self) -> bool | None:
        """True if there is nothing to satisfy, False if a number would have to be zero; None if symbols decide."""
        if any(e.is_number for e in self.equations):
            return False
        return None if self.equations else True

    def __str__(self) -> str:
        lines = ", ".join(f"{k}/{self.factor}" for k in self.lines)
        said = ", ".join(f"{sympy.sstr(e)} = 0" for e in self.equations)
        if self.holds is not None:
            words = ("vanish", "never vanish together") if len(self.lines) > 1 else ("vanishes", "stays")
            said = words[0] if self.holds else words[1]
        return f"line{'s' if len(self.lines) > 1 else ''} {lines}: {said}"

    def latex(self) -> str:
        """Return the equations in LaTeX, ``0 = 0`` where there is none to satisfy."""
        return r",\quad ".join(f"{sympy.latex(e)} = 0" for e in self.equations) or "0 = 0"


def conditions(taps: ArrayLike, s: int) -> tuple[Condition, ...]:
    """Return, for each divisor d > 1 of s, the conditions under which the lines of order d vanish.

    They are the coefficients of the remainder of ``H = Σ h[n] xⁿ`` by Φ_d, at most φ(d) of them, linear in the taps:
    all are zero if and only if all lines of order d vanish. All together say that the phase gains are equal.

    Eq. 2.3.

    Parameters
    ----------
    taps : array (..., taps)
        Of one kernel, or of several channels, whose conditions all count.
    s : int
        The factor, at least 2.

    Returns
    -------
    tuple of Condition, by d from the greatest, which is that of the first line

    Examples
    --------
    >>> h = sympy.symbols("h:4")
    >>> for condition in conditions(h, 4):
    ...     print(condition)
    line 1/4: h0 - h2 = 0, h1 - h3 = 0
    line 2/4: h0 - h1 + h2 - h3 = 0
    """
    s = _as_factor(s)
    domain, h = _elements(taps)
    found = []
    for d in range(s, 1, -1):
        if s % d == 0:
            left = [_plain(domain, e) for e in remainder(h, d).reshape(-1) if e]
            found.append(Condition(d, s, tuple(dict.fromkeys(left))))
    return tuple(found)


def _plain(domain: Any, element: Any) -> Any:
    """Return an equation without denominators and common divisors, its first term positive; 1 for any number."""
    equation = sympy.numer(sympy.together(domain.to_sympy(element)))
    if equation.is_number:
        return sympy.Integer(1)
    primitive = sympy.primitive(sympy.expand(equation))[1]
    return -primitive if primitive.could_extract_minus_sign() else primitive


@dataclass(frozen=True)
class BoxFactor:
    """``H(z) = box_s(z)^power G(z)``, with ``box_s(z) = 1 + z⁻¹ + … + z^{−(s−1)}``.

    Attributes
    ----------
    s : int
    power : int
        The highest: 0 where some line stays, 1 for nearest neighbour followed by a filter, 2 for linear interpolation.
    quotient : tuple of SymPy expressions
        The taps of G.

    Examples
    --------
    >>> print(box_factor([1, 2, 3, 2, 1], 3))
    box_3^2
    """

    s: int
    power: int
    quotient: tuple[Any, ...]

    @property
    def expr(self) -> Any:
        """H(z) in SymPy, factored."""
        return self._box(Z) ** self.power * self.G

    @property
    def G(self) -> Any:
        """The quotient G(z) in SymPy."""
        return sympy.Add(*(g * Z**-n for n, g in enumerate(self.quotient)))

    def _box(self, z: Any) -> Any:
        return sympy.Add(*(z**-n for n in range(self.s)))

    def __str__(self) -> str:
        power = f"box_{self.s}" + (f"^{self.power}" if self.power > 1 else "")
        return _times([power] if self.power else [], sympy.sstr(self.G), "·")

    def latex(self) -> str:
        """Return the factors in LaTeX."""
        power = [rf"\mathrm{{box}}_{{{self.s}}}^{{{self.power}}}(z)"] if self.power else []
        return _times(power, str(sympy.latex(self.G)), r"\,")


def _times(power: list[str], G: str, dot: str) -> str:
    """Return the box's power times G, which is left out where it is 1, and in brackets where it is a sum."""
    if power and G == "1":
        return power[0]
    return dot.join([*power, f"({G})" if power and (" " in G or "/" in G) else G])


def box_factor(taps: ArrayLike, s: int) -> BoxFactor:
    """Return the highest power of the box of length s that divides H(z), and the quotient.

    The layer is tone-free if and only if it is at least 1.

    Eq. 2.3.

    Parameters
    ----------
    taps : array (taps,)
        Symbols stand for any numbers: the box must divide H for all of them.
    s : int
        The factor, at least 2.

    Returns
    -------
    BoxFactor

    Raises
    ------
    ValueError
        If all taps are zero, which any power divides.

    Examples
    --------
    >>> a, b = sympy.symbols("a b")
    >>> print(box_factor([a, a + b, b], 2))
    box_2·(a + b/z)
    >>> from dspref import Linear
    >>> print(box_factor(Linear(4).normal.h, 4))
    box_4^2·(1/8 + 1/(8*z))
    """
    s = _as_factor(s)
    domain, h = _elements(as_taps("taps", taps, 1))
    if not h.any():
        raise ValueError(complaint("taps", "nothing but zeros", "taps that are not all zero"))
    power, rest = 0, list(h)
    while (divided := _by_box(rest, s)) is not None:
        power, rest = power + 1, divided
    return BoxFactor(s, power, tuple(domain.to_sympy(g) for g in rest))


def _by_box(h: list[Any], s: int) -> list[Any] | None:
    """Return h over the box of length s, if it divides: ``g[n] = h[n] − g[n−1] − … − g[n−s+1]``."""
    g: list[Any] = []
    for tap in h:
        g.append(tap - sum(g[max(0, len(g) - s + 1) :]))
    taps = len(h) - s + 1
    return g[:taps] if taps > 0 and not any(g[taps:]) else None
