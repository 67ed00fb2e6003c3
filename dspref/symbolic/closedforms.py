"""Closed forms: the Dirichlet kernel, linear interpolation, all-ones kernels, and chains of symbolic factors.

Lengths, factors and orders may be numbers or positive integer symbols; frequencies are in cycles per output sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from dspref.arrays import NotAnalysable, as_integer, complaint
from dspref.chain import Chain, Stage
from dspref.stretchfilter import StretchFilter
from dspref.symbolic.conditions import Z, box_factor
from dspref.symbolic.lines import MU, as_chain
from dspref.symbolic.rootsums import as_expressions

NU = sympy.Symbol("nu", real=True)
"""ν, the frequency in cycles per output sample."""

SR = sympy.Symbol("sr", positive=True)
"""The output rate."""

K_ORDER = sympy.Symbol("k", integer=True, positive=True)
"""k, the order of a line."""


def _counted(name: str, value: Any) -> Any:
    """Return a length or a factor: an integer of at least 1, or a symbol that is declared to be one."""
    number = sympy.sympify(value)
    if number.is_Integer:
        return sympy.Integer(as_integer(name, int(number), 1))
    if number.is_integer and number.is_positive:
        return number
    hint = f"declare it as Symbol('{value}', integer=True, positive=True)" if number.free_symbols else ""
    raise ValueError(complaint(name, repr(value), "an integer >= 1, or a positive integer symbol", hint))


def _real(name: str, value: Any) -> Any:
    """Return a real number or symbol; floats are refused, as they miss every null."""
    number = sympy.sympify(value)
    if number.has(sympy.Float):
        raise TypeError(complaint(name, repr(value), "an exact number or a symbol", "write Fraction(1, 5) for 0.2"))
    if number.is_real is False:
        raise ValueError(complaint(name, repr(value), "a real number or symbol"))
    return number


def dirichlet(K: Any, nu: Any = NU) -> Any:
    """Return the Dirichlet kernel ``D_K(ν) = sin(πKν)/sin(πν)``, the amplitude of a box of length K.

    At integers, where it is 0/0, it is its limit ``K (−1)^{(K−1)ν}``.

    Parameters
    ----------
    K : int, or positive integer symbol
    nu : exact number or symbol

    Examples
    --------
    >>> K = sympy.Symbol("K", integer=True, positive=True)
    >>> dirichlet(K), dirichlet(4, sympy.Rational(1, 4)), dirichlet(K, 0)
    (sin(pi*K*nu)/sin(pi*nu), 0, K)
    """
    K, nu = _counted("length", K), _real("frequency", nu)
    if nu.is_integer:
        return K * (-1) ** ((K - 1) * nu)
    return sympy.sin(sympy.pi * K * nu) / sympy.sin(sympy.pi * nu)


def box_response(K: Any, nu: Any = NU) -> Any:
    """Return ``H(ν) = Σ_{n<K} e^{−j2πνn} = e^{−jπ(K−1)ν} D_K(ν)``: nearest neighbour, if K is the factor.

    Examples
    --------
    >>> box_response(2)
    exp(-I*pi*nu)*sin(2*pi*nu)/sin(pi*nu)
    """
    nu = _real("frequency", nu)
    return sympy.exp(-sympy.I * sympy.pi * (_counted("length", K) - 1) * nu) * dirichlet(K, nu)


def linear_response(L: Any, nu: Any = NU) -> Any:
    """Return ``H(ν)`` of linear interpolation by L as Torch does it (`dspref.Linear`), its delay of ⌊L/2⌋ taken away.

    ``H(ν) = e^{−jπ(L−1)ν} D_L(ν)²/L`` for odd L; for even L, on the half-sample grid, times cos(πν):
    ``H(z) = z^{L/2} box_L(z)² (1 + z⁻¹)/(2L)``, which has one more null, at ν = 1/2.

    Parameters
    ----------
    L : int, or positive integer symbol declared odd or even

    Examples
    --------
    >>> L = sympy.Symbol("L", positive=True, odd=True)
    >>> linear_response(L)
    exp(-I*pi*nu*(L - 1))*sin(pi*L*nu)**2/(L*sin(pi*nu)**2)
    """
    L, nu = _counted("factor", L), _real("frequency", nu)
    if L.is_odd is None:
        hint = f"declare it as Symbol('{L}', odd=True, positive=True), or even"
        raise ValueError(complaint("factor", L, "a number, or a symbol known to be odd or even", hint))
    half_sample = sympy.Integer(1) if L.is_odd else sympy.cos(sympy.pi * nu)
    return sympy.exp(-sympy.I * sympy.pi * (L - 1) * nu) * dirichlet(L, nu) ** 2 / L * half_sample


def ones_level(K: Any, s: Any, k: Any) -> Any:
    """Return ``|c_k/c_0| = |sin(πkK/s)/(K sin(πk/s))|`` of an all-ones kernel of length K and factor s.

    Examples
    --------
    >>> K, s, k = sympy.symbols("K s k", integer=True, positive=True)
    >>> ones_level(K, s, k)
    Abs(sin(pi*K*k/s)/sin(pi*k/s))/K
    >>> ones_level(3, 2, 1), ones_level(6, 3, k), ones_level(6, 4, 1)
    (1/3, 0, sqrt(2)/6)
    """
    K, s, k = _counted("length", K), _counted("factor", s), _counted("line", k)
    return sympy.Abs(dirichlet(K, k / s)) / K


def closed_form(source: Stage | StretchFilter | Chain, nu: Any = NU) -> Any:
    """Return ``H(ν) = e^{−j2πντ} D_N(ν)^p G(ν)`` of a layer: the Dirichlet kernel as often as it divides H.

    N is the factor, or the length of a kernel whose taps are all equal; G is what is left, a sum of cosines where
    it is symmetric.

    Parameters
    ----------
    source : layer, StretchFilter or linear Chain
        Of one channel, or one that treats channels alike.

    Examples
    --------
    >>> from dspref import Linear, Nearest
    >>> closed_form(Nearest(3))
    exp(-2*I*pi*nu)*sin(3*pi*nu)/sin(pi*nu)
    >>> closed_form(Linear(2))
    exp(-I*pi*nu)*sin(2*pi*nu)**3/(4*sin(pi*nu)**3)
    >>> closed_form(Linear(4))
    exp(-3*I*pi*nu)*sin(4*pi*nu)**2*cos(pi*nu)/(4*sin(pi*nu)**2)
    """
    u = as_chain(source).collapse()
    if u.h.ndim == 3 and u.h.shape[:2] != (1, 1):
        got = f"{u.h.shape[1]} channels into {u.h.shape[0]}"
        raise NotAnalysable(complaint("closed form", got, "one channel", "ask for dspref.symbolic.transfer"))
    (h,) = as_expressions("taps", u.h.reshape(-1))
    nu = _real("frequency", nu)
    if len(h) > 1 and len(set(h)) == 1:
        N, power, rest = len(h), 1, (h[0],)
    elif u.L > 1 and h.any():
        found = box_factor(h, u.L)
        N, power, rest = u.L, found.power, found.quotient
    else:
        N, power, rest = 1, 0, tuple(h)
    delay = sympy.Rational(power * (N - 1), 2) - u.offset
    centred, more = _centred(rest, nu)
    return sympy.exp(-2 * sympy.I * sympy.pi * nu * (delay + more)) * dirichlet(N, nu) ** power * centred


def _centred(g: Sequence[Any], nu: Any) -> tuple[Any, Any]:
    """Return G(ν) without its linear phase, and the delay taken out: half its length, if it is symmetric."""
    if tuple(g) != tuple(g)[::-1]:
        return sympy.Add(*(c * sympy.exp(-2 * sympy.I * sympy.pi * nu * n) for n, c in enumerate(g))), 0
    middle = sympy.Rational(len(g) - 1, 2)
    return sympy.Add(*(c * sympy.cos(2 * sympy.pi * nu * (n - middle)) for n, c in enumerate(g))), middle


@dataclass(frozen=True)
class SymbolicChain:
    """A chain of n upsampling layers whose factors and lengths may be symbols; made by `symbolic_chain`.

    Attributes
    ----------
    factors, lengths : tuple of SymPy numbers or symbols
        s_1 … s_n and K_1 … K_n.

    Examples
    --------
    >>> chain = symbolic_chain(3)
    >>> chain.spacing(2), chain.amplitude()
    (sr/(s2*s3), mu*H1(k/s1)*H2(k/(s1*s2))*H3(k/(s1*s2*s3))/(s1*s2*s3))
    """

    factors: tuple[Any, ...]
    lengths: tuple[Any, ...]

    @property
    def n(self) -> int:
        """The number of layers."""
        return len(self.factors)

    @property
    def factor(self) -> Any:
        """S = s_1 ⋯ s_n."""
        return self.before(self.n)

    def before(self, i: int) -> Any:
        """Return s_1 ⋯ s_i, the factor up to layer i's output."""
        return sympy.Mul(*self.factors[:i])

    def after(self, i: int) -> Any:
        """Return s_{i+1} ⋯ s_n, the factor behind layer i."""
        return sympy.Mul(*self.factors[i:])

    def rate(self, i: int, sr: Any = SR) -> Any:
        """Return r_i, the rate at the output of layer i; r_0 is that of the input."""
        return sr / self.after(self._layer(i, 0))

    def spacing(self, i: int, sr: Any = SR) -> Any:
        """Return ``r_{i−1} = sr/(s_i ⋯ s_n)``: an offset that enters layer i makes lines at its multiples."""
        return self.rate(self._layer(i, 1) - 1, sr)

    def position(self, i: int, k: Any = K_ORDER, sr: Any = SR) -> Any:
        """Return ``k r_{i−1}``, where line k of layer i stands."""
        return k * self.spacing(i, sr)

    def transfer(self, z: Any = Z) -> Any:
        """Return ``H_eq(z) = Π_i H_i(z^{S/(s_1⋯s_i)})``, H_i being functions of SymPy."""
        return sympy.Mul(*(sympy.Function(f"H{i}")(z ** self.after(i)) for i in range(1, self.n + 1)))

    def amplitude(self, k: Any = K_ORDER, mu: Any = MU) -> Any:
        """Return ``c_k = (μ/S) Π_i H_i(k/(s_1⋯s_i))``, H_i the frequency responses."""
        responses = (sympy.Function(f"H{i}")(k / self.before(i)) for i in range(1, self.n + 1))
        return mu / self.factor * sympy.Mul(*responses)

    def ones_amplitude(self, k: Any = K_ORDER, mu: Any = MU) -> Any:
        """Return c_k of all-ones kernels of the lengths K_i, with its phase."""
        boxes = (box_response(K, k / self.before(i)) for i, K in enumerate(self.lengths, 1))
        return mu / self.factor * sympy.Mul(*boxes)

    def ones_level(self, k: Any = K_ORDER) -> Any:
        """Return |c_k/c_0| of all-ones kernels: ``Π_i |D_{K_i}(k/(s_1⋯s_i))|/K_i``.

        Examples
        --------
        >>> chain = symbolic_chain(factors=[2, 2], lengths=[3, 4])
        >>> [chain.ones_level(k) for k in (1, 2, 3)]
        [0, 0, 0]
        >>> symbolic_chain(factors=[2, 2], lengths=[4, 3]).ones_level(2)
        1/3
        """
        levels = (sympy.Abs(dirichlet(K, k / self.before(i))) / K for i, K in enumerate(self.lengths, 1))
        return sympy.Mul(*levels)

    def _layer(self, i: Any, least: int) -> int:
        place: int = as_integer("layer", i, least, "layers count from 1")
        if place > self.n:
            raise ValueError(complaint("layer", place, f"at most {self.n}, the layers of the chain"))
        return place

    def __str__(self) -> str:
        return " | ".join(f"K={K} s={s}" for K, s in zip(self.lengths, self.factors, strict=True))

    def latex(self) -> str:
        """Return the amplitude of line k in LaTeX."""
        return f"c_k = {sympy.latex(self.amplitude())}"


def symbolic_chain(
    n: int | None = None, *, factors: Sequence[Any] | None = None, lengths: Sequence[Any] | None = None
) -> SymbolicChain:
    """Return a chain of n layers of symbolic factors s_i and lengths K_i, or of those that are given.

    Parameters
    ----------
    n : int, optional
        Number of layers; as many as there are factors or lengths if not given.
    factors, lengths : sequences of integers and positive integer symbols, optional
        Symbols s1, s2, … and K1, K2, … by default.

    Examples
    --------
    >>> print(symbolic_chain(2, factors=[4, 4]))
    K=K1 s=4 | K=K2 s=4
    """
    given = [len(v) for v in (factors, lengths) if v is not None]
    n = as_integer("number of layers", given[0] if n is None and given else n, 1, "as symbolic_chain(3)")
    if any(count != n for count in given):
        raise ValueError(complaint("factors and lengths", " and ".join(map(str, given)), f"{n} of each"))
    letters = [sympy.symbols(f"{letter}1:{n + 1}", integer=True, positive=True) for letter in "sK"]
    s = tuple(_counted("factor", v) for v in (letters[0] if factors is None else factors))
    K = tuple(_counted("length", v) for v in (letters[1] if lengths is None else lengths))
    return SymbolicChain(s, K)
