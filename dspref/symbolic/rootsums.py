"""Exact numbers with symbols in them, and exact sums of roots of unity.

A `Cyclotomic` is a number ``Σ_r a_r W_n^r``, ``W_n = e^{−j2π/n}``, whose a_r are rational, or rational functions of
symbols. Divided by Φ_n it has one form only, so that two are equal, or one is zero, exactly if their forms say so:
symbols stand for numbers of which nothing is known, and over these Φ_n is as irreducible as over the rationals.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_numbers, complaint
from dspref.cyclotomic import sparse_remainder

_FLOATS = (float, np.floating, sympy.Float)


MOST = 512
"""Symbols in one computation: SymPy's polynomials in more take minutes, or fail."""


def as_expressions(name: str, *values: ArrayLike) -> tuple[Array, ...]:
    """Return arrays as SymPy expressions: exact numbers and symbols as they are, floats as the rationals they are.

    Parameters
    ----------
    name : str
        What they are, for the words of a refusal.
    *values : arrays

    Raises
    ------
    TypeError
        If numbers are complex, or floats stand beside symbols, in one array or in several.
    ValueError
        If a number is infinite or none at all.

    Examples
    --------
    >>> as_expressions("taps", [1, Fraction(1, 3)], [0.5])
    (array([1, 1/3], dtype=object), array([1/2], dtype=object))
    """
    arrays = [as_numbers(name, v) for v in values]
    items = [v for a in arrays for v in a.flat]
    rounded = next((v for v in items if _is_float(v)), None)
    symbolic = next((v for v in items if getattr(v, "free_symbols", None)), None)
    if rounded is not None and symbolic is not None:
        got = f"the float {rounded} beside the symbol {symbolic}"
        hint = "write Fraction(1, 10) for 0.1"
        raise TypeError(complaint(name, got, "symbols beside integers, Fractions and SymPy's Rationals", hint))
    return tuple(_mapped(lambda v: _expression(name, v), a) for a in arrays)


def _is_float(item: Any) -> bool:
    """Return whether a number is rounded, or a number in an expression."""
    return isinstance(item, _FLOATS) or (isinstance(item, sympy.Basic) and item.has(sympy.Float))


def _mapped(f: Any, a: Array) -> Array:
    """Return the array of f of each element: NumPy would look into some objects of SymPy."""
    b = np.empty(a.shape, object)
    for place in np.ndindex(*a.shape):
        b[place] = f(a[place])
    return b


def _expression(name: str, item: Any) -> Any:
    """Return one number as an expression of SymPy."""
    if isinstance(item, (complex, np.complexfloating)) or (isinstance(item, sympy.Basic) and item.has(sympy.I)):
        hint = "treat the real and the imaginary part one by one"
        raise TypeError(complaint(name, f"the complex number {item}", "real numbers and symbols", hint))
    if isinstance(item, _FLOATS):
        return sympy.Rational(item if isinstance(item, sympy.Float) else float(item))
    if isinstance(item, np.integer):
        return sympy.Integer(int(item))
    expression = sympy.sympify(item)
    if expression.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan):
        raise ValueError(complaint(name, str(item), "finite numbers and symbols"))
    return expression


def domain_of(name: str, *arrays: Array) -> Any:
    """Return SymPy's domain of the rationals with all symbols that occur: its elements compute fast, in one form only.

    Raises
    ------
    NotAnalysable
        If a number is algebraic, as √2 is, or symbols occur in functions that depend on each other, as sin and cos:
        a sum of such may be zero though its form does not show it.

    Examples
    --------
    >>> domain_of("taps", *as_expressions("taps", [sympy.Symbol("a"), 1]))
    QQ[a]
    """
    items = {v for a in arrays for v in a.flat}
    symbols = set().union(*(v.free_symbols for v in items)) if items else set()
    if len(symbols) > MOST:
        hint = "put numbers in for some of them; numbers may be as many as there are"
        raise ValueError(complaint(name, f"{len(symbols)} different symbols", f"at most {MOST}", hint))
    domain, _ = sympy.construct_domain([sympy.Rational(1, 2), *sorted(items, key=sympy.default_sort_key)])
    ground = domain.domain if domain.is_Poly or domain.is_Frac else domain
    if not (ground.is_QQ or ground.is_ZZ):
        odd = next((v for v in items if not v.is_Rational and not v.is_Symbol), "")
        hint = "put a symbol in its place; a common factor of all taps moves no null, and can be left out"
        raise NotAnalysable(complaint(name, str(odd), "rational numbers, and rational functions of symbols", hint))
    return domain


def elements(domain: Any, a: Array) -> Array:
    """Return an array of expressions as elements of the domain."""
    return _mapped(domain.from_sympy, a)


@dataclass(frozen=True)
class Cyclotomic:
    """A sum of n-th roots of unity, ``Σ_r a_r W_n^r`` with ``W_n = e^{−j2π/n}``.

    Made by `Cyclotomic.of`, which divides by Φ_n, so that equal numbers of one order have equal terms.

    Attributes
    ----------
    order : int
        n.
    terms : tuple of (int, element)
        (r, a_r) with 0 ≤ r < φ(n), those that are not zero.
    domain : SymPy's domain of the a_r

    Raises
    ------
    TypeError
        By ``complex``, if symbols are left.

    Examples
    --------
    >>> one = sympy.QQ(1)
    >>> total = Cyclotomic.of({0: one, 1: one, 2: one}, 3, sympy.QQ)
    >>> total.is_zero, str(Cyclotomic.of({0: one, 1: one}, 3, sympy.QQ))
    (True, 'W3 + 1')
    """

    order: int
    terms: tuple[tuple[int, Any], ...]
    domain: Any

    @staticmethod
    def of(sums: dict[int, Any], order: int, domain: Any) -> Cyclotomic:
        """Return ``Σ a_r W_n^r`` from {r: a_r}, r any integers."""
        reduced = sparse_remainder(dict(sums), order)
        return Cyclotomic(order, tuple(sorted(reduced.items())), domain)

    @property
    def is_zero(self) -> bool:
        """Whether the number is zero whatever the symbols are."""
        return not self.terms

    def lifted(self, order: int) -> dict[int, Any]:
        """Return the terms as powers of W_order, order a multiple of n."""
        return {r * (order // self.order): a for r, a in self.terms}

    def __add__(self, other: Cyclotomic) -> Cyclotomic:
        n = math.lcm(self.order, other.order)
        total = self.lifted(n)
        for r, a in other.lifted(n).items():
            total[r] = total[r] + a if r in total else a
        return Cyclotomic.of(total, n, self.domain)

    def __mul__(self, other: Cyclotomic) -> Cyclotomic:
        n = math.lcm(self.order, other.order)
        total: dict[int, Any] = {}
        for r, a in self.lifted(n).items():
            for q, b in other.lifted(n).items():
                e = (r + q) % n
                total[e] = total[e] + a * b if e in total else a * b
        return Cyclotomic.of(total, n, self.domain)

    def conjugate(self) -> Cyclotomic:
        """Return the complex conjugate, symbols being real: W to the powers −r."""
        return Cyclotomic.of({-r: a for r, a in self.terms}, self.order, self.domain)

    @cached_property
    def expr(self) -> Any:
        """The number in SymPy, each root as ``exp(−2πj r/n)``."""
        return self._with([sympy.exp(-2 * sympy.I * sympy.pi * sympy.Rational(r, self.order)) for r, _ in self.terms])

    @cached_property
    def abs2(self) -> Any:
        """The squared magnitude in SymPy, for real symbols: a sum of cosines."""
        square = self * self.conjugate()
        return square._with([sympy.cos(2 * sympy.pi * sympy.Rational(r, self.order)) for r, _ in square.terms])

    def _with(self, roots: list[Any]) -> Any:
        """Return ``Σ a_r roots[r]``."""
        return sympy.Add(*(self.domain.to_sympy(a) * w for (_, a), w in zip(self.terms, roots, strict=True)))

    @cached_property
    def turn(self) -> Fraction | None:
        """The phase in turns, modulo a half, if it is the same for all real symbols: ``c e^{−j2πt}`` is then real.

        0 ≤ t < 1/2, a multiple of 1/(4n); None where the phase depends on the symbols, or c is zero.
        """
        if self.is_zero:
            return None
        some = self.at(some_values(self.free_symbols, 2))
        t = Fraction(round(4 * self.order * cmath.phase(some) / (2 * cmath.pi)), 4 * self.order) % Fraction(1, 2)
        turned = self.conjugate() * root_sum([self.domain.one], 1, -2 * t, self.domain)  # c̄ e^{j4πt} is c
        return t if (turned - self).is_zero else None

    def __neg__(self) -> Cyclotomic:
        return Cyclotomic(self.order, tuple((r, -a) for r, a in self.terms), self.domain)

    def __sub__(self, other: Cyclotomic) -> Cyclotomic:
        return self + -other

    def __complex__(self) -> complex:
        free = sorted(self.free_symbols, key=str)
        if free:
            hint = "put numbers in: .expr.subs(...)"
            raise TypeError(complaint("complex number", f"the symbol {free[0]}", "numbers without symbols", hint))
        return self.at({})

    @property
    def free_symbols(self) -> frozenset[Any]:
        """The symbols that occur."""
        return frozenset().union(*(self.domain.to_sympy(a).free_symbols for _, a in self.terms))

    def at(self, values: Mapping[Any, float]) -> complex:
        """Return the number, in floating point, where the symbols have these values."""
        W = [cmath.exp(-2j * cmath.pi * r / self.order) for r, _ in self.terms]
        return sum((a * w for a, w in zip(self._coefficients(values), W, strict=True)), 0j)

    def size(self, values: Mapping[Any, float]) -> float:
        """Return ``Σ_r |a_r|`` there: the rounding of `at` is in proportion to it."""
        return sum(map(abs, self._coefficients(values)))

    def _coefficients(self, values: Mapping[Any, float]) -> list[float]:
        return [float(a if self.domain.is_QQ else self.domain.to_sympy(a).subs(values)) for _, a in self.terms]

    def __str__(self) -> str:
        return str(sympy.sstr(self._factored(f"W{self.order}")))

    def latex(self) -> str:
        """Return the number in LaTeX, W_n being e^{−j2π/n}."""
        return str(sympy.latex(self._factored(f"W_{{{self.order}}}")))

    def _factored(self, name: str) -> Any:
        """Return the sum in powers of a letter, plain numbers where these are ±1 and ±j, common factors in front."""
        plain, W = 4 % self.order == 0, sympy.Symbol(name)
        return sympy.factor_terms(
            self._with([(-sympy.I) ** (r * 4 // self.order) if plain else W**r for r, _ in self.terms])
        )


def root_sum(taps: Iterable[Any], start: int, turn: Fraction, domain: Any) -> Cyclotomic:
    """Return ``Σ_i h[i] e^{−j2π·turn·(start + i)}`` of elements of the domain, in the field of least order.

    Examples
    --------
    >>> str(root_sum([sympy.QQ(1), sympy.QQ(2)], 0, Fraction(5, 3), sympy.QQ))
    '-(2*W3 + 1)'
    """
    n = turn.denominator
    sums: dict[int, Any] = {}
    for i, h in enumerate(taps, start):
        e = i * turn.numerator % n
        sums[e] = sums[e] + h if e in sums else h
    return Cyclotomic.of(sums, n, domain)


def some_values(symbols: Iterable[Any], start: int) -> dict[Any, float]:
    """Return values for symbols, ``√start, √(start + 1), …``, at which nothing is zero by chance.

    Examples
    --------
    >>> some_values(sympy.symbols("b a"), 4)
    {a: 2.0, b: 2.23606797749979}
    """
    return {symbol: math.sqrt(start + i) for i, symbol in enumerate(sorted(symbols, key=str))}
