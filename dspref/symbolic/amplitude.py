"""Exact amplitudes, as sums of products that are multiplied out only where a question needs it."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from typing import Any

import sympy

from dspref.symbolic.rootsums import Cyclotomic, some_values


@dataclass(frozen=True)
class Amplitude:
    """An exact complex amplitude, a sum of products of `Cyclotomic` numbers: each source by the layers it passes.

    Attributes
    ----------
    products : tuple of tuples of Cyclotomic
        In each the source first, then the response of each later layer, where channels are single.
    """

    products: tuple[tuple[Cyclotomic, ...], ...]

    @cached_property
    def value(self) -> Cyclotomic:
        """The one number it is, multiplied out."""
        return reduce(lambda a, b: a + b, (reduce(lambda a, b: a * b, p) for p in self.products))

    @cached_property
    def vanishes(self) -> bool:
        """Whether it is zero whatever the symbols are."""
        if len(self.products) == 1:
            return any(factor.is_zero for factor in self.products[0])
        return not self._stays and self.value.is_zero

    @property
    def _stays(self) -> bool:
        """Whether it is far from zero at some values of the symbols, which spares multiplying out."""
        values = self._values(2)
        sizes = (math.prod(factor.size(values) for factor in p) for p in self.products)
        return abs(self._at(values)) > 1e-9 * sum(sizes)  # roundings are below 1e-15 for each of few hundred terms

    @property
    def expr(self) -> Any:
        """The amplitude in SymPy, as a sum of products, roots of unity as ``exp(−2πj r/n)``."""
        return sympy.Add(*(sympy.Mul(*(factor.expr for factor in p)) for p in self.products))

    @property
    def abs2(self) -> Any:
        """The squared magnitude in SymPy, for real symbols."""
        if len(self.products) == 1:
            return sympy.Mul(*(factor.abs2 for factor in self.products[0]))
        return self.value.abs2

    @cached_property
    def turn(self) -> Fraction | None:
        """The phase in turns modulo a half, if it is the same for all real symbols, see `Cyclotomic.turn`."""
        if self.vanishes:
            return None
        turns = [factor.turn for factor in self.products[0]]
        if len(self.products) == 1 and None not in turns:
            return sum((t for t in turns if t is not None), Fraction(0)) % Fraction(1, 2)
        some, others = (cmath.phase(self._at(self._values(start)) ** 2) for start in (2, 3))
        apart = abs(cmath.exp(1j * some) - cmath.exp(1j * others)) > 1e-6  # then it can't be the same for all
        return None if apart else self.value.turn

    def _values(self, start: int) -> dict[Any, float]:
        return some_values({symbol for p in self.products for factor in p for symbol in factor.free_symbols}, start)

    def _at(self, values: dict[Any, float]) -> complex:
        return sum((math.prod(factor.at(values) for factor in p) for p in self.products), 0j)

    def __complex__(self) -> complex:
        return sum((math.prod(map(complex, p)) for p in self.products), 0j)

    def __str__(self) -> str:
        return "0" if self.vanishes else " + ".join(_product([str(f) for f in p], "*") for p in self.products)

    def latex(self) -> str:
        """Return the amplitude in LaTeX, W_n being e^{−j2π/n}."""
        return "0" if self.vanishes else " + ".join(_product([f.latex() for f in p], " ") for p in self.products)


def _product(words: list[str], times: str) -> str:
    """Return a product of factors, those that are sums in brackets, ones left out."""
    factors = [w for w in words if w != "1"] or ["1"]
    return times.join(f"({w})" if len(factors) > 1 and (" " in w or "/" in w) else w for w in factors)


def times(product: tuple[Cyclotomic, ...], H: Cyclotomic) -> tuple[Cyclotomic, ...]:
    """Return a product and H, which goes into the source if it is a real number."""
    if H.order <= 2 and not H.free_symbols:
        return (product[0] * H, *product[1:])
    return (*product, H)


def sum_of(products: Iterable[tuple[Cyclotomic, ...]]) -> Amplitude:
    """Return a sum of products, without those that are zero, if one is left."""
    every = tuple(products)
    left = tuple(p for p in every if not any(factor.is_zero for factor in p))
    return Amplitude(left or ((Cyclotomic(1, (), every[0][0].domain),),))
