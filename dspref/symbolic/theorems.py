"""The article's statements as theorems, for every order k and every factor at once; those about chains are here.

>>> all(statement.holds for statement in theorems(2))
True
"""

from __future__ import annotations

from collections.abc import Callable

import sympy

from dspref.arrays import as_choice, as_integer
from dspref.symbolic import layertheorems as of
from dspref.symbolic.chain import K_ORDER, SR, SymbolicChain, symbolic_chain
from dspref.symbolic.closedforms import box_response, dirichlet
from dspref.symbolic.conditions import Z
from dspref.symbolic.proofs import Statement, Step, sine_has_no_zero


def line_positions(layers: int = 3) -> Statement:
    """Return: layer i makes lines at k·r_{i−1} and nowhere else, the images by later layers included."""
    chain = symbolic_chain(layers)
    steps = [Step("the last layer's output has the output rate", chain.rate(layers), SR)]
    for i in range(1, layers + 1):
        at_output = K_ORDER * chain.rate(i) / chain.factors[i - 1]
        steps.append(Step(f"layer {i}: line k/s_{i} of its output is k r_{i - 1}", at_output, chain.position(i)))
        for j in range(i, layers + 1):
            ratio = chain.rate(j) / chain.spacing(i)
            steps.append(Step(f"r_{j} is a multiple of r_{i - 1}: its images stay there", ratio.is_integer, True))
    return Statement(
        "positions",
        "An offset that enters layer i of n makes lines at the multiples of its input rate, r_{i−1} = sr/(s_i⋯s_n), "
        "and nowhere else at the output.",
        f"n = {layers} layers, s_1 … s_n positive integers, any kernels; pointwise maps change no place",
        r"f = k\, r_{i-1} = \frac{k\, sr}{s_i \cdots s_n}",
        tuple(steps),
    )


def first_line(layers: int = 3) -> Statement:
    """Return: "sampling rate / upsampling factor" is line k = 1 of a layer, at its own output rate."""
    chain = symbolic_chain(layers)
    steps = (
        Step(f"layer {i}: r_{i}/s_{i} is line 1", chain.rate(i) / chain.factors[i - 1], chain.position(i, 1))
        for i in range(1, layers + 1)
    )
    return Statement(
        "first line",
        "“Sampling rate / upsampling factor”, with the rate of the upsampled signal, is line k = 1 of a layer.",
        f"each of n = {layers} layers",
        r"r_i / s_i = r_{i-1}",
        tuple(steps),
    )


def collapsed_chain(layers: int = 3) -> Statement:
    """Return: a chain is one stretch by S and one filter, the product of its filters on stretched z."""
    steps, H = [], [sympy.Function(f"H{i}") for i in range(1, layers + 1)]
    for i in range(2, layers + 1):
        chain, before = symbolic_chain(i), symbolic_chain(i - 1)
        later = H[i - 1](Z) * before.transfer(Z ** chain.factors[-1])
        steps.append(Step(f"layer {i} stretches all that is before it (noble identity)", later, chain.transfer()))
    chain = symbolic_chain(layers)
    for i, at in enumerate(chain.factors, 1):
        power = sympy.exp(-2 * sympy.pi * sympy.I * chain.after(i) * K_ORDER / chain.factor)
        steps.append(
            Step(
                f"z^{{−A_{i}}} at k/S is a wave of k/(s_1⋯s_{i})",
                power,
                sympy.exp(-2 * sympy.pi * sympy.I * K_ORDER / chain.before(i)),
            )
        )
        steps.append(Step(f"s_{i} divides S", (chain.factor / at).is_integer, True))
    return Statement(
        "collapsed chain",
        "In the steady state a chain is one stretch by S = s_1⋯s_n and one filter, so line k of an input offset has "
        "the amplitude c_k = (μ/S) Π_i H_i(k/(s_1⋯s_i)).",
        f"n = {layers} linear layers, s_i positive integers",
        rf"H_{{eq}}(z) = \prod_i H_i(z^{{S/(s_1\cdots s_i)}}),\qquad {chain.latex()}",
        tuple(steps),
    )


def full_overlap(layers: int = 3) -> Statement:
    """Return: a chain of all-ones kernels in full overlap makes no line."""
    quotients = sympy.symbols(f"q1:{layers + 1}", integer=True, positive=True)
    free = symbolic_chain(layers)
    chain = SymbolicChain(free.factors, tuple(a * b for a, b in zip(free.factors, quotients, strict=True)))
    steps = [sine_has_no_zero()]
    for i in range(1, layers + 1):
        order = K_ORDER * chain.before(i - 1)  # s_1⋯s_{i−1} divides the order, s_1⋯s_i does not
        null = dirichlet(chain.lengths[i - 1], order / chain.before(i))
        steps.append(
            Step(f"an order that s_1⋯s_{i - 1} divides and s_1⋯s_{i} does not: layer {i}", null, sympy.Integer(0))
        )
        boxes = (box_response(K, order / chain.before(j)) for j, K in enumerate(chain.lengths, 1))
        steps.append(Step(f"so the line is null, layer {i}", sympy.Mul(*boxes), sympy.Integer(0)))
    return Statement(
        "full overlap",
        "All-ones kernels whose lengths are multiples of their factors make no line, in a chain of any depth: each k "
        "that S does not divide is a null of the first layer whose product s_1⋯s_i does not divide it.",
        f"n = {layers} layers, K_i = q_i s_i, s_i and q_i positive integers",
        r"s_i \mid K_i\ (i = 1 \dots n) \implies c_k = 0 \text{ unless } S \mid k",
        tuple(steps),
    )


_OF_ALL: dict[str, Callable[[], Statement]] = {
    "stretch": of.stretch_images,
    "line": of.line_amplitude,
    "harmonics": of.harmonics,
    "phase gains": of.equal_gains,
    "all-ones level": of.ones_kernel,
    "all-ones nulls": of.ones_nulls,
    "nearest": of.nearest_neighbour,
    "linear": of.linear_interpolation,
    "images of ×2": of.first_images,
}
_OF_CHAINS: dict[str, Callable[[int], Statement]] = {
    "positions": line_positions,
    "first line": first_line,
    "collapsed chain": collapsed_chain,
    "full overlap": full_overlap,
}


def theorems(layers: int = 3) -> tuple[Statement, ...]:
    """Return every statement, those about chains for so many layers.

    Parameters
    ----------
    layers : int
        For how many those about chains are proved.

    Returns
    -------
    tuple of Statement

    Examples
    --------
    >>> [statement.name for statement in theorems(2) if not statement.holds]
    []
    """
    return tuple(theorem(name, layers) for name in (*_OF_ALL, *_OF_CHAINS))


def theorem(name: str, layers: int = 3) -> Statement:
    """Return one statement by its name; of those about chains, that for so many layers.

    Parameters
    ----------
    name : str
        As "positions" or "all-ones nulls".
    layers : int
        For how many it is proved, if it is about chains.

    Returns
    -------
    Statement

    Raises
    ------
    ValueError
        If the name is unknown, or there is no layer.

    Examples
    --------
    >>> print(theorem("nearest"))
    nearest (holds): Nearest-neighbour interpolation by s makes no line: c_k = 0 for every k that s does not divide.
      s positive integer
      = H(k/s), for every k: 0 = 0
      = sin πt has no zero for 0 < t < 1: EmptySet = EmptySet
    """
    layers = as_integer("number of layers", layers, 1)
    as_choice("theorem", name, (*_OF_ALL, *_OF_CHAINS))
    return _OF_ALL[name]() if name in _OF_ALL else _OF_CHAINS[name](layers)
