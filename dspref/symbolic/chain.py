"""Chains whose factors and lengths are symbols: positions, H(z), amplitudes and levels for every order at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from dspref.arrays import as_integer, complaint
from dspref.symbolic.closedforms import as_count, box_response, dirichlet
from dspref.symbolic.conditions import Z
from dspref.symbolic.lines import MU

SR = sympy.Symbol("sr", positive=True)
"""The output rate."""

K_ORDER = sympy.Symbol("k", integer=True, positive=True)
"""k, the order of a line."""


@dataclass(frozen=True)
class SymbolicChain:
    """A chain of n upsampling layers whose factors and lengths may be symbols; made by `symbolic_chain`.

    Attributes
    ----------
    factors, lengths : tuple of SymPy numbers or symbols
        s_1 … s_n and K_1 … K_n.

    Raises
    ------
    ValueError
        By what asks for a layer that there is not; layers count from 1.

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
        """Return c_k of all-ones kernels of the lengths K_i, with its phase.

        Examples
        --------
        >>> symbolic_chain(factors=[2], lengths=[4]).ones_amplitude()
        mu*Piecewise((4, Eq(Mod(k/2, 1), 0)), (0, True))/2
        """
        boxes = (_kept(box_response, K, k / self.before(i)) for i, K in enumerate(self.lengths, 1))
        return mu / self.factor * sympy.Mul(*boxes)

    def ones_level(self, k: Any = K_ORDER) -> Any:
        """Return ``|c_k/c_0|`` of all-ones kernels: ``Π_i |D_{K_i}(k/(s_1⋯s_i))|/K_i``.

        Examples
        --------
        >>> chain = symbolic_chain(factors=[2, 2], lengths=[3, 4])
        >>> [chain.ones_level(k) for k in (1, 2, 3)]
        [0, 0, 0]
        >>> symbolic_chain(factors=[2, 2], lengths=[4, 3]).ones_level(2)
        1/3
        """
        levels = (sympy.Abs(_kept(dirichlet, K, k / self.before(i))) / K for i, K in enumerate(self.lengths, 1))
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


def _kept(kernel: Callable[[Any, Any], Any], K: Any, nu: Any) -> Any:
    """Return a kernel of length K; where it is a null but at whole ν, and ν may be whole, both cases.

    Up to its sign, K at whole ν, is what it is there.
    """
    found = kernel(K, nu)
    if found != 0 or nu.is_integer is not None:
        return found
    return sympy.Piecewise((K, sympy.Eq(sympy.Mod(nu, 1), 0)), (0, True))


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

    Returns
    -------
    SymbolicChain

    Raises
    ------
    ValueError
        If factors and lengths are of different number, or no positive integers.

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
    s = tuple(as_count("factor", v) for v in (letters[0] if factors is None else factors))
    K = tuple(as_count("length", v) for v in (letters[1] if lengths is None else lengths))
    return SymbolicChain(s, K)
