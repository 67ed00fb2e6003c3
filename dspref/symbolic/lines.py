"""Lines of layers and chains, exact and with symbols: amplitude and phase of each, without rounding.

The route is by frequency. With A_i the factor after layer i and P that of the chain, line k of an offset μ is

    c_k = (μ/P) Π_i H_i(A_i k/P) + Σ_i (1/A_i) B_i(A_i k/P) Π_{j>i} H_j(A_j k/P)

B_i the mean of bias i against the line, over one period. ``W_n = e^{−j2π/n}`` stays a letter: no root is a float.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, reduce
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_integer, complaint
from dspref.chain import Chain, Pointwise, Stage, as_chain
from dspref.outline import Outline
from dspref.stretchfilter import StretchFilter
from dspref.symbolic.amplitude import Amplitude, sum_of, times
from dspref.symbolic.rootsums import Cyclotomic, as_expressions, domain_of, elements, root_sum

MU = sympy.Symbol("mu", real=True)
"""μ, the mean of the input."""


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

    Raises
    ------
    IndexError
        If there is no line of that number.
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

    def latex(self) -> str:
        """Return all lines in LaTeX, one ``c_k = …`` below the other."""
        return " \\\\\n".join(line.latex() for line in self)

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
            out = tuple(sum_of(times(p, H[0][0]) for p in a.products) for a in c)
        else:
            values = [a.value for a in c]
            sums = (reduce(lambda a, b: a + b, (G * v for G, v in zip(row, values, strict=True))) for row in H)
            out = tuple(Amplitude(((total,),)) for total in sums)
        if self.bias is None or self.bias.shape[-1] % freq.denominator:
            return out
        weight = self.domain.from_sympy(sympy.Rational(1, after * self.bias.shape[-1]))
        B = [root_sum(b * weight, 0, freq, self.domain) for b in self.bias]
        return tuple(sum_of((*a.products, (b,))) for a, b in zip(out, B, strict=True))


def lines(source: Stage | StretchFilter | Chain, *, offset: ArrayLike | None = None) -> SymbolicLines:
    """Return the lines that an offset makes, exact, with symbols where taps, biases or the offset are symbols.

    Eq. 2.2.

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
