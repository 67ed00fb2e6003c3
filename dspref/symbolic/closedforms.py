"""Closed forms: the Dirichlet kernel, linear interpolation, all-ones kernels, and any layer by its boxes.

Lengths, factors and orders may be numbers or positive integer symbols; frequencies are in cycles per output sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from dspref.arrays import NotAnalysable, as_integer, complaint
from dspref.chain import Chain, Stage, as_chain
from dspref.stretchfilter import StretchFilter
from dspref.symbolic.conditions import box_factor
from dspref.symbolic.rootsums import as_expressions

NU = sympy.Symbol("nu", real=True)
"""ν, the frequency in cycles per output sample."""


def as_count(name: str, value: Any) -> Any:
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

    Eq. 3.5.

    Parameters
    ----------
    K : int, or positive integer symbol
    nu : exact number or symbol
        Cycles per sample.

    Returns
    -------
    SymPy expression

    Raises
    ------
    TypeError
        If a number is not exact.
    ValueError
        If the length is no positive integer.

    Examples
    --------
    >>> K = sympy.Symbol("K", integer=True, positive=True)
    >>> dirichlet(K), dirichlet(4, sympy.Rational(1, 4)), dirichlet(K, 0)
    (sin(pi*K*nu)/sin(pi*nu), 0, K)
    """
    K, nu = as_count("length", K), _real("frequency", nu)
    if nu.is_integer:
        return K * (-1) ** ((K - 1) * nu)
    return sympy.sin(sympy.pi * K * nu) / sympy.sin(sympy.pi * nu)


def box_response(K: Any, nu: Any = NU) -> Any:
    """Return ``H(ν) = Σ_{n<K} e^{−j2πνn} = e^{−jπ(K−1)ν} D_K(ν)``: nearest neighbour, if K is the factor.

    Eq. 3.5.

    Parameters
    ----------
    K : int, or positive integer symbol
    nu : exact number or symbol
        Cycles per sample.

    Returns
    -------
    SymPy expression

    Raises
    ------
    TypeError
        If a number is not exact.
    ValueError
        If the length is no positive integer.

    Examples
    --------
    >>> box_response(2)
    exp(-I*pi*nu)*sin(2*pi*nu)/sin(pi*nu)
    """
    nu = _real("frequency", nu)
    return sympy.exp(-sympy.I * sympy.pi * (as_count("length", K) - 1) * nu) * dirichlet(K, nu)


def linear_response(L: Any, nu: Any = NU) -> Any:
    """Return ``H(ν)`` of linear interpolation by L as Torch does it (`dspref.Linear`), its delay of ⌊L/2⌋ taken away.

    ``H(ν) = e^{−jπ(L−1)ν} D_L(ν)²/L`` for odd L; for even L, on the half-sample grid, times cos(πν):
    ``H(z) = z^{L/2} box_L(z)² (1 + z⁻¹)/(2L)``, whose null at ν = 1/2 is of third order, all others of second.

    Eq. 3.7.

    Parameters
    ----------
    L : int, or positive integer symbol declared odd or even
    nu : exact number or symbol
        Cycles per output sample.

    Returns
    -------
    SymPy expression

    Raises
    ------
    ValueError
        If nothing says whether a symbol L is odd or even.

    Examples
    --------
    >>> L = sympy.Symbol("L", positive=True, odd=True)
    >>> linear_response(L)
    exp(-I*pi*nu*(L - 1))*sin(pi*L*nu)**2/(L*sin(pi*nu)**2)
    """
    L, nu = as_count("factor", L), _real("frequency", nu)
    if L.is_odd is None:
        hint = f"declare it as Symbol('{L}', odd=True, positive=True), or even"
        raise ValueError(complaint("factor", L, "a number, or a symbol known to be odd or even", hint))
    half_sample = sympy.Integer(1) if L.is_odd else sympy.cos(sympy.pi * nu)
    return sympy.exp(-sympy.I * sympy.pi * (L - 1) * nu) * dirichlet(L, nu) ** 2 / L * half_sample


def ones_level(K: Any, s: Any, k: Any) -> Any:
    """Return ``|c_k/c_0| = |sin(πkK/s)/(K sin(πk/s))|`` of an all-ones kernel of length K and factor s.

    A symbol k stands for orders that s does not divide; a number may be any, and is 1 where s divides it.

    Eq. 2.4.

    Parameters
    ----------
    K, s, k : int, or positive integer symbols
        Length, factor, and the number of the line.

    Returns
    -------
    SymPy expression
        A ratio of amplitudes.

    Raises
    ------
    ValueError
        If one of them is no positive integer.

    Examples
    --------
    >>> K, s, k = sympy.symbols("K s k", integer=True, positive=True)
    >>> ones_level(K, s, k)
    Abs(sin(pi*K*k/s)/sin(pi*k/s))/K
    >>> ones_level(3, 2, 1), ones_level(6, 3, k), ones_level(6, 4, 1)
    (1/3, 0, sqrt(2)/6)
    """
    K, s, k = as_count("length", K), as_count("factor", s), as_count("line", k)
    return sympy.Abs(dirichlet(K, k / s)) / K


def closed_form(source: Stage | StretchFilter | Chain, nu: Any = NU) -> Any:
    """Return ``H(ν) = e^{−j2πντ} D_N(ν)^p G(ν)`` of a layer: the Dirichlet kernel as often as it divides H.

    N is the factor, or the length of a kernel whose taps are all equal; G is what is left, a sum of cosines where
    it is symmetric.

    Parameters
    ----------
    source : layer, StretchFilter or linear Chain
        Of one channel, or one that treats channels alike.
    nu : exact number or symbol
        Cycles per output sample.

    Returns
    -------
    SymPy expression

    Raises
    ------
    NotAnalysable
        If channels are mixed, or a stage is not linear.

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
