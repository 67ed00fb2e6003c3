"""Lines of layers and chains, exact and with symbols: amplitude and phase of each, without rounding.

The route is by frequency. With A_i the factor after layer i and P that of the chain, line k of an offset μ is

    c_k = (μ/P) Π_i H_i(A_i k/P) + Σ_i (1/A_i) B_i(A_i k/P) Π_{j>i} H_j(A_j k/P)

B_i the mean of bias i against the line, over one period. ``W_n = e^{−j2π/n}`` stays a letter: no root is a float.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, reduce
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_integer, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.interpolators import FilterInterp
from dspref.outline import Outline
from dspref.stretchfilter import StretchFilter
from dspref.symbolic.rootsums import Cyclotomic, as_expressions, domain_of, elements, root_sum, some_values

MU = sympy.Symbol("mu", real=True)
"""μ, the mean of the input."""


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


@dataclass(frozen=True)
class SymbolicLine:
    """One line, exact.

    Attributes
    ----------
    k : int
        Its order: it stands at k/P, P the factor of the chain.
    freq : Fraction
        k/P in cycles per output sample.
    amplitudes : tuple of Amplitude
        c in ``Σ c e^{j2πfm}``, for each output channel; m = 0 is the first output sample.
    """

    k: int
    freq: Fraction
    amplitudes: tuple[Amplitude, ...]

    @property
    def vanishes(self) -> bool:
        """Whether the line is zero in every channel, whatever the symbols are."""
        return all(a.vanishes for a in self.amplitudes)

    @property
    def expr(self) -> Any:
        """The amplitude in SymPy; a Matrix (out, 1) where there are several channels."""
        found = [a.expr for a in self.amplitudes]
        return found[0] if len(found) == 1 else sympy.ImmutableMatrix(found)

    def hz(self, sr: Any) -> Any:
        """Return the frequency in Hz at the output rate `sr`, which may be a symbol."""
        return sympy.Rational(self.freq.numerator, self.freq.denominator) * sympy.sympify(sr)

    def __str__(self) -> str:
        return f"{self.freq}: " + ", ".join(map(str, self.amplitudes))

    def latex(self) -> str:
        """Return ``c_k = …`` in LaTeX."""
        return f"c_{{{self.k}}} = " + r",\ ".join(a.latex() for a in self.amplitudes)


@dataclass(frozen=True, eq=False)
class SymbolicLines(Sequence[SymbolicLine]):
    """The lines k = 0 … ⌊P/2⌋ of a chain, each computed when it is asked for.

    Attributes
    ----------
    factor : int
        P.
    """

    factor: int
    _stages: tuple[_Stage, ...]
    _source: Array
    _domain: Any

    def __len__(self) -> int:
        return self.factor // 2 + 1

    def __getitem__(self, k: Any) -> Any:
        if isinstance(k, slice):
            return tuple(self[i] for i in range(*k.indices(len(self))))
        k = as_integer("line", k, None)
        if not 0 <= k < len(self):
            raise IndexError(complaint("line", k, f"0 … {len(self) - 1}, half the factor of {self.factor}"))
        return SymbolicLine(k, Fraction(k, self.factor), self._amplitudes(k))

    def __iter__(self) -> Iterator[SymbolicLine]:
        return (self[k] for k in range(len(self)))

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    @cached_property
    def nulls(self) -> frozenset[int]:
        """The k of the lines that vanish whatever the symbols are; one test serves all k of one gcd with P."""
        gcds = [math.gcd(k, self.factor) for k in range(len(self))]
        null = {g: self[0 if g == self.factor else g].vanishes for g in set(gcds)}
        return frozenset(k for k, g in enumerate(gcds) if null[g])

    def _amplitudes(self, k: int) -> tuple[Amplitude, ...]:
        c = tuple(Amplitude(((self._number(mean, self.factor),),)) for mean in self._source)
        after = self.factor
        for stage in self._stages:
            after //= stage.L
            c = stage.passed(c, Fraction(after * k, self.factor) % 1, after)
        return c

    def _number(self, element: Any, over: int) -> Cyclotomic:
        return Cyclotomic.of({0: element * self._domain.from_sympy(sympy.Rational(1, over))}, 1, self._domain)


@dataclass(frozen=True, eq=False)
class _Stage:
    """A layer in elements of the domain: what it does to amplitudes."""

    L: int
    h: Array
    offset: int
    bias: Array | None

    domain: Any

    @cached_property
    def _responses(self) -> Callable[[Fraction], list[list[Cyclotomic]]]:
        """H at a frequency, [out][in], kept: the lines of a chain share those of its first layers."""
        rows = self.h if self.h.ndim == 3 else self.h[None, None]
        return cache(lambda freq: [[root_sum(h, -self.offset, freq, self.domain) for h in row] for row in rows])

    def passed(self, c: tuple[Amplitude, ...], freq: Fraction, after: int) -> tuple[Amplitude, ...]:
        """Return the amplitudes behind the layer at `freq`, cycles per sample of its own output."""
        H = self._responses(freq)
        if self.h.ndim == 1 or self.h.shape[:2] == (1, 1):
            out = tuple(_sum_of(_times(p, H[0][0]) for p in a.products) for a in c)
        else:
            values = [a.value for a in c]
            sums = (reduce(lambda a, b: a + b, (G * v for G, v in zip(row, values, strict=True))) for row in H)
            out = tuple(Amplitude(((total,),)) for total in sums)
        if self.bias is None or self.bias.shape[-1] % freq.denominator:
            return out
        weight = self.domain.from_sympy(sympy.Rational(1, after * self.bias.shape[-1]))
        B = [root_sum(b * weight, 0, freq, self.domain) for b in self.bias]
        return tuple(_sum_of((*a.products, (b,))) for a, b in zip(out, B, strict=True))


def _times(product: tuple[Cyclotomic, ...], H: Cyclotomic) -> tuple[Cyclotomic, ...]:
    """Return a product and H, which goes into the source if it is a real number."""
    if H.order <= 2 and not H.free_symbols:
        return (product[0] * H, *product[1:])
    return (*product, H)


def _sum_of(products: Iterable[tuple[Cyclotomic, ...]]) -> Amplitude:
    """Return a sum of products, without those that are zero, if one is left."""
    every = tuple(products)
    left = tuple(p for p in every if not any(factor.is_zero for factor in p))
    return Amplitude(left or ((Cyclotomic(1, (), every[0][0].domain),),))


def lines(source: Stage | StretchFilter | Chain, *, offset: ArrayLike | None = None) -> SymbolicLines:
    """Return the lines that an offset makes, exact, with symbols where taps, biases or the offset are symbols.

    Parameters
    ----------
    source : layer, StretchFilter or Chain
        With integer, Fraction or SymPy numbers; floats count as the rationals they are, if no symbol but μ is near.
    offset : number, symbol, or array (in,), optional
        Mean of the input; the symbol μ by default (μ0, μ1, … for several channels).

    Returns
    -------
    SymbolicLines
        A sequence; each line is computed when it is asked for, so that a chain of a large factor costs nothing.

    Raises
    ------
    NotAnalysable
        If a stage is nonlinear, has no weights, lowers the rate or has no fixed grid; or numbers are algebraic.
    TypeError
        If floats stand beside symbols, or numbers are complex.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> a, b, c = sympy.symbols("a b c", real=True)
    >>> print(lines(TransposedConv([[[a, b, c]]], stride=2)))
    0: (mu/2)*(a + b + c)
    1/2: (mu/2)*(a - b + c)
    """
    chain = as_chain(source)
    for place, stage in enumerate(chain.stages):
        _check_known(place, stage)
    factor, normals = chain.factor, [Chain([stage]).collapse() for stage in chain.stages]
    biases = [stage.bias_phases for stage in chain.stages if stage.bias_phases is not None]
    given = () if offset is None else (chain.checked_offset(offset),)
    what = "taps, biases and offset"
    numbers = as_expressions(what, *(u.h for u in normals), *biases, *given)
    mean = numbers[-1] if given else np.asarray(_means(chain), object)
    domain = domain_of(what, mean, *numbers)
    exact = iter([elements(domain, a) for a in numbers])
    taps = [next(exact) for _ in normals]
    phases = [None if stage.bias_phases is None else next(exact) for stage in chain.stages]
    stages = tuple(_Stage(u.L, h, u.offset, b, domain) for u, h, b in zip(normals, taps, phases, strict=True))
    means = np.broadcast_to(elements(domain, mean), chain.in_channels or mean.size)
    return SymbolicLines(factor, stages, means, domain)


def _check_known(place: int, stage: Stage) -> None:
    """Refuse what has no amplitudes."""
    if isinstance(stage, (Pointwise, Outline)):
        got = f"{stage.op} (stage {place}), {'nonlinear' if isinstance(stage, Pointwise) else 'without weights'}"
        hint = "dspref.symbolic.with_taps puts symbols for weights that are not known; leave nonlinear maps out"
        raise NotAnalysable(complaint("amplitudes", got, "linear layers with weights", hint))


def _means(chain: Chain) -> Any:
    """Return μ, or one symbol for each channel that the chain takes."""
    n = chain.in_channels or 1
    return MU if n == 1 else np.array(sympy.symbols(f"mu:{n}", real=True), object)


def as_chain(source: Any) -> Chain:
    """Return a layer, a StretchFilter or a chain as a Chain.

    Examples
    --------
    >>> as_chain(StretchFilter(2, [1, 1])).factor
    2
    """
    if isinstance(source, Chain):
        return source
    if isinstance(source, StretchFilter):
        source = FilterInterp(source.L, source.h, offset=source.offset, excess=source.excess)
    return Chain([source])
