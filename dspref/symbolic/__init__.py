"""Artifacts with symbols for numbers: H(z), lines, the conditions under which they vanish, and theorems.

>>> from dspref.symbolic import conditions, lines, taps, transfer, transposed_conv
>>> layer = transposed_conv(3, 2)
>>> transfer(layer)
h0 + h1/z + h2/z**2
>>> print(lines(layer))
0: (mu/2)*(h0 + h1 + h2)
1/2: (mu/2)*(h0 - h1 + h2)
>>> print(*conditions(taps(3), 2))
line 1/2: h0 - h1 + h2 = 0

What needs SymPy is gathered here, and `import dspref` does not load it. Numbers are integers, Fractions and SymPy's;
floats count as the rationals they are, and are refused beside symbols.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import sympy

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, complaint
from dspref.chain import Chain, Stage, as_chain
from dspref.interpolators import FilterInterp
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.outline import HEADS, KERNELS, Outline
from dspref.settling import filled, ones_of
from dspref.stretchfilter import StretchFilter
from dspref.symbolic.amplitude import Amplitude
from dspref.symbolic.chain import K_ORDER, SR, SymbolicChain, symbolic_chain
from dspref.symbolic.closedforms import NU, box_response, closed_form, dirichlet, linear_response, ones_level
from dspref.symbolic.conditions import BoxFactor, Condition, Z, box_factor, conditions, vanishes
from dspref.symbolic.lines import MU, SymbolicLine, SymbolicLines, lines
from dspref.symbolic.proofs import Statement, Step
from dspref.symbolic.rootsums import Cyclotomic, as_expressions
from dspref.symbolic.theorems import theorem, theorems

__all__ = [
    "K_ORDER",
    "MU",
    "NU",
    "SR",
    "Amplitude",
    "BoxFactor",
    "Condition",
    "Cyclotomic",
    "Statement",
    "Step",
    "SymbolicChain",
    "SymbolicLine",
    "SymbolicLines",
    "Z",
    "box_factor",
    "box_response",
    "closed_form",
    "conditions",
    "conv",
    "dirichlet",
    "filter_interp",
    "linear_response",
    "lines",
    "ones_level",
    "polyphase",
    "subpixel_conv",
    "symbolic_chain",
    "taps",
    "theorem",
    "theorems",
    "transfer",
    "transposed_conv",
    "vanishes",
    "with_taps",
]


def taps(K: int, *, name: str = "h") -> Array:
    """Return K real symbols h0 … h_{K−1}, as an array that every layer takes.

    Parameters
    ----------
    K : int
    name : str
        Letter in front of the numbers.

    Returns
    -------
    array (K,)
        Of symbols.

    Raises
    ------
    ValueError
        If K is below 1.

    Examples
    --------
    >>> taps(3)
    array([h0, h1, h2], dtype=object)
    """
    return np.array([sympy.Symbol(f"{name}{n}", real=True) for n in range(as_integer("number of taps", K, 1))], object)


def transposed_conv(K: int, s: int, *, padding: int = 0, dilation: int = 1, bias: Any = None, name: str = "h") -> Any:
    """Return a transposed convolution of one channel with symbols for its K taps, and factor s.

    Parameters
    ----------
    K, s, padding, dilation : int
    bias : symbol or exact number, optional
    name : str
        The letter of the taps.

    Returns
    -------
    TransposedConv
        Of weight (1, 1, K).

    Examples
    --------
    >>> transposed_conv(3, 2)([[1, 1, 1]])
    array([[h0, h1, h0 + h2, h1, h0 + h2, h1, h2]], dtype=object)
    """
    weight = taps(K, name=name).reshape(1, 1, -1)
    return TransposedConv(weight, stride=s, padding=padding, dilation=dilation, bias=_bias(bias, 1))


def conv(K: int, *, padding: int = 0, dilation: int = 1, bias: Any = None, name: str = "h") -> Any:
    """Return a convolution of one channel with symbols for its K taps.

    Parameters
    ----------
    K, padding, dilation : int
    bias : symbol or exact number, optional
    name : str
        Letter of the taps.

    Returns
    -------
    Conv
        Of weight (1, 1, K).

    Examples
    --------
    >>> conv(2)([[1, 2]])
    array([[h0 + 2*h1]], dtype=object)
    """
    return Conv(taps(K, name=name).reshape(1, 1, -1), padding=padding, dilation=dilation, bias=_bias(bias, 1))


def subpixel_conv(K: int, L: int, *, padding: int = 0, dilation: int = 1, bias: Any = None, name: str = "h") -> Any:
    """Return a sub-pixel convolution by L of one channel: symbols h{r}_{i} for tap i of the filter of phase r.

    Parameters
    ----------
    K, L, padding, dilation : int
    bias : symbol, exact number, or L of them, one for each phase, optional
    name : str
        Letter of the taps.

    Returns
    -------
    SubpixelConv
        Of weight (L, 1, K).

    Raises
    ------
    ValueError
        If a count is not in range, or there are other than 1 or L biases.

    Examples
    --------
    >>> subpixel_conv(1, 2)([[1, 2]])
    array([[h0_0, h1_0, 2*h0_0, 2*h1_0]], dtype=object)
    """
    L = as_integer("factor", L, 1)
    weight = np.stack([taps(K, name=f"{name}{r}_") for r in range(L)])[:, None]
    return SubpixelConv(weight, L, padding=padding, dilation=dilation, bias=_bias(bias, L))


def filter_interp(K: int, L: int, *, offset: int = 0, name: str = "h") -> Any:
    """Return stretch + filter interpolation by L with symbols for its K taps.

    Parameters
    ----------
    K, L : int
        Taps, and the factor.
    offset : int
        Output samples dropped first.
    name : str
        Letter of the taps.

    Returns
    -------
    FilterInterp
        Of taps (K,).

    Examples
    --------
    >>> filter_interp(2, 2)([[1, 2]])
    array([[h0, h1, 2*h0, 2*h1]], dtype=object)
    """
    return FilterInterp(L, taps(K, name=name), offset=offset)


def _bias(bias: Any, channels: int) -> Array | None:
    """Return a bias as an array, one for all channels if it is one."""
    if bias is None:
        return None
    given = np.asarray(bias, object)
    return np.array([given.item()] * channels, object) if given.ndim == 0 else given


def with_taps(source: Stage | Chain, *, kernel: str = "symbols") -> Chain:
    """Return a chain with symbols, or ones, for the weights that are not known, one channel throughout.

    Parameters
    ----------
    source : layer or Chain
        As `dspref.parse` reads it: kernels that are an `Outline` get taps, all else stays.
    kernel : {'symbols', 'ones'}
        Symbols are h0, h1, …, or a0, …, b0, … where several kernels are without weights.

    Returns
    -------
    Chain

    Raises
    ------
    ValueError
        If the kernel is neither "symbols" nor "ones".

    Examples
    --------
    >>> from dspref import parse
    >>> print(lines(with_taps(parse("convt k2 s2 | conv k2"))))
    0: (mu/2)*(a0 + a1)*(b0 + b1)
    1/2: (mu/2)*(a0 - a1)*(b0 - b1)
    """
    as_choice("kernel", kernel, ("symbols", "ones"))
    chain = as_chain(source)
    outlines = [stage for stage in chain.stages if isinstance(stage, Outline)]
    names = iter(["h"] if len(outlines) == 1 else [_letters(i) for i in range(len(outlines))])
    stages = [_filled(stage, next(names), kernel) if isinstance(stage, Outline) else stage for stage in chain.stages]
    return Chain(stages)


def _letters(i: int) -> str:
    """Return a, b, …, z, aa, ab, … ."""
    rest, last = divmod(i, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("a") + last)


def _filled(outline: Outline, name: str, kernel: str) -> Any:
    """Return the layer of one channel that an outline is with taps."""
    if outline.op in HEADS:
        hint = "an unsqueeze x8 is a shuffle x8 k1; of one channel an istft or pqmf x4 k16 is a convt k16 s4"
        raise NotAnalysable(complaint("layer for symbols", outline.op, ", ".join(KERNELS), hint))
    if kernel == "ones":
        return ones_of(outline)
    phases = [f"{name}{r}_" for r in range(outline.stride)] if outline.op == "shuffle" else [name]
    return filled(outline, np.stack([taps(outline.length, name=phase) for phase in phases])[:, None])


def transfer(source: Stage | StretchFilter | Chain, z: Any = Z) -> Any:
    """Return ``H(z) = Σ_n h[n] z^{−(n − offset)}``, z = e^{j2πν} at the output rate.

    Eq. 1.2.

    Parameters
    ----------
    source : layer, StretchFilter or linear Chain
        Of a chain it is ``H_eq(z) = Π_i H_i(z^{S/(s_1⋯s_i)})``, the factors not multiplied out.
    z : symbol or expression

    Returns
    -------
    SymPy expression, or an immutable Matrix (out, in) where channels are several

    Raises
    ------
    NotAnalysable
        If a stage is nonlinear, has no weights, lowers the rate or has no fixed grid.
    TypeError
        If floats stand beside symbols, or numbers are complex.

    Examples
    --------
    >>> from dspref import Linear, Nearest
    >>> transfer(Linear(2))
    z/4 + 3/4 + 3/(4*z) + 1/(4*z**2)
    >>> transfer(Chain([Nearest(2), Nearest(2)]))
    (1 + z**(-2))*(1 + 1/z)
    """
    chain, z = as_chain(source), sympy.sympify(z)
    after, found = chain.factor, []
    normals = [Chain([stage]).collapse() for stage in chain.stages]
    exact = as_expressions("taps", *(u.h for u in normals))
    for u, h in zip(normals, exact, strict=True):
        after //= u.L
        found.append(_series(h, u.offset, z**after))
    matrices = [H for H in found if isinstance(H, sympy.MatrixBase)]
    plain = sympy.Mul(*(H for H in found if not isinstance(H, sympy.MatrixBase)))
    return reduce(lambda a, b: b * a, matrices) * plain if matrices else plain


def _series(h: Array, offset: int, z: Any) -> Any:
    """Return ``Σ_n h[n] z^{−(n − offset)}``, an expression for one channel or channels alike, else a Matrix."""
    if h.ndim == 1:
        return sympy.Add(*(tap * z ** (offset - n) for n, tap in enumerate(h)))
    if h.shape[:2] == (1, 1):
        return _series(h[0, 0], offset, z)
    return sympy.ImmutableMatrix([[_series(pair, offset, z) for pair in row] for row in h])


def polyphase(source: Stage | StretchFilter | Chain, z: Any = Z) -> tuple[Any, ...]:
    """Return the polyphase components E_0 … E_{L−1}: ``H(z) = Σ_r z^{−r} E_r(z^L)``.

    Component r makes the output samples m ≡ r (mod L): ``E_r(z) = Σ_q h[qL + r + offset] z^{−q}``, and E_r(1) is
    its phase gain.

    Parameters
    ----------
    source : layer, StretchFilter or linear Chain
    z : symbol

    Returns
    -------
    tuple of L expressions, or Matrices (out, in)

    Raises
    ------
    NotAnalysable
        If a stage is not linear.

    Examples
    --------
    >>> polyphase(transposed_conv(5, 2))
    (h0 + h2/z + h4/z**2, h1 + h3/z)
    """
    u = as_chain(source).collapse()
    (h,), z = as_expressions("taps", u.h), sympy.sympify(z)
    found = []
    for r in range(u.L):
        first = (r + u.offset) % u.L
        delay = (first - r - u.offset) // u.L
        found.append(_series(h[..., first :: u.L], -delay, z) if first < h.shape[-1] else _series(0 * h[..., :1], 0, z))
    return tuple(found)
