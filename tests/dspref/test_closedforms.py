"""Closed forms, as identities in ν against H(z) tap by tap, and against exact lines."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from dspref import Chain, FilterInterp, Linear, Nearest, NotAnalysable, StretchFilter, TransposedConv, parse, tone_lines
from dspref.symbolic import (
    NU,
    SR,
    Z,
    box_response,
    closed_form,
    dirichlet,
    linear_response,
    lines,
    ones_level,
    symbolic_chain,
    transfer,
    with_taps,
)
from dspref.symbolic.proofs import Step

ON_CIRCLE = sympy.exp(2 * sympy.pi * sympy.I * NU)
K, s, k = sympy.symbols("K s k", integer=True, positive=True)


def equal(a: Any, b: Any) -> bool:
    """Whether two expressions are equal for all ν."""
    return Step("", sympy.sympify(a), sympy.sympify(b)).holds


def same_number(a: Any, b: Any) -> bool:
    """Whether two numbers agree in 40 digits, computed in 50; SymPy proves few identities of algebraic numbers."""
    return bool(abs(sympy.N(a - b, 50)) < sympy.Float(10) ** -40)


def ones(length: int, factor: int, **options: Any) -> TransposedConv:
    return TransposedConv(np.ones((1, 1, length), int), stride=factor, **options)


LAYERS: dict[str, Any] = {
    **{f"nearest x{L}": Nearest(L) for L in (1, 2, 5)},
    **{f"linear x{L}": Linear(L) for L in (1, 2, 3, 4, 6)},
    "ones k3 s2": ones(3, 2),
    "ones k8 s6 p1": ones(8, 6, padding=1),
    "ones k2 s5": ones(2, 5),
    "whole grid x2": FilterInterp(2, np.array([1, 2, 1]), offset=1),
    "skew": FilterInterp(3, np.array([1, 3, 5, 4, 2]), offset=2),
    "box and symbols": FilterInterp(2, np.array([*sympy.symbols("a b c")])),
    "one tap": StretchFilter(4, np.array([3])),
    "zeros": StretchFilter(2, np.zeros(2, int)),
    "chain": Chain([Nearest(2), Nearest(3)]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_closed_form_is_the_sum_over_the_taps(name: str) -> None:
    assert equal(closed_form(LAYERS[name]), transfer(LAYERS[name], z=ON_CIRCLE))


@pytest.mark.parametrize("L", range(1, 8))
def test_interpolators_of_any_factor_are_these(L: int) -> None:
    assert equal(box_response(L), transfer(Nearest(L), z=ON_CIRCLE))
    assert equal(linear_response(L), transfer(Linear(L), z=ON_CIRCLE))
    for name, given in (("odd", L % 2 == 1), ("even", L % 2 == 0)):
        if given:
            symbol = sympy.Symbol("L", positive=True, integer=True, **{name: True})
            assert equal(linear_response(symbol).subs(symbol, L), linear_response(L))


def test_closed_forms_are_short() -> None:
    assert str(closed_form(Nearest(4))) == "exp(-3*I*pi*nu)*sin(4*pi*nu)/sin(pi*nu)"
    assert str(closed_form(Linear(3))) == "exp(-2*I*pi*nu)*sin(3*pi*nu)**2/(3*sin(pi*nu)**2)"
    assert str(dirichlet(K)) == "sin(pi*K*nu)/sin(pi*nu)"
    assert sympy.latex(ones_level(K, s, k)) == (
        r"\frac{\left|{\frac{\sin{\left(\frac{\pi K k}{s} \right)}}{\sin{\left(\frac{\pi k}{s} \right)}}}\right|}{K}"
    )


@pytest.mark.parametrize("nu", [0, 1, -3, 4])
def test_the_dirichlet_kernel_has_a_limit_where_it_is_zero_over_zero(nu: int) -> None:
    for length in range(1, 6):
        assert dirichlet(length, nu) == sympy.limit(dirichlet(length), NU, nu)


@pytest.mark.parametrize(("length", "factor"), [(L, f) for f in range(2, 8) for L in (1, 2, 3, 4, 6, 8)])
def test_the_level_of_ones_is_that_of_the_exact_lines(length: int, factor: int) -> None:
    """``|c_k/c_0|² = ones_level²``; zero if and only if s divides kK."""
    every = lines(ones(length, factor), offset=1)
    for order in range(1, factor // 2 + 1):
        level = ones_level(length, factor, order)
        squared = every[order].amplitudes[0].abs2 / every[0].amplitudes[0].abs2
        assert same_number(level**2, squared)
        assert (level == 0) == (order * length % factor == 0) == every[order].vanishes
        assert ones_level(K, s, k).subs({K: length, s: factor, k: order}).equals(level)


def test_the_articles_partial_overlap_is_9_54_db_down() -> None:
    level = ones_level(3, 2, 1)
    assert level == sympy.Rational(1, 3)
    assert round(20 * math.log10(level), 2) == -9.54


CHAINS = ["convt k4 s2", "convt k3 s2 | convt k4 s3", "convt k5 s3 | convt k3 s2 | convt k2 s2"]


@pytest.mark.parametrize("words", CHAINS)
def test_a_symbolic_chain_with_numbers_in_is_the_chain(words: str) -> None:
    """Spacings, H(z), amplitudes with phases, and levels: of the library's numbers, exactly."""
    known = with_taps(parse(words), kernel="ones")
    layers: list[Any] = list(known.stages)
    factors, lengths = [layer.stride for layer in layers], [layer.length for layer in layers]
    free = symbolic_chain(len(factors))
    given = symbolic_chain(factors=factors, lengths=lengths)
    numbers = dict(zip((*free.factors, *free.lengths), (*factors, *lengths), strict=True))
    for i, (place, _) in enumerate(known.upsamplers, 1):
        assert free.spacing(i).subs(numbers) == given.spacing(i) == SR * sympy.Rational(known.rates(1)[place])
        assert free.position(i, k=2).subs(numbers) == 2 * given.spacing(i)
    H = {f"H{i}": stage for i, stage in enumerate(layers, 1)}
    product = given.transfer().replace(
        lambda e: isinstance(e, sympy.core.function.AppliedUndef), lambda e: transfer(H[e.func.__name__], z=e.args[0])
    )
    assert sympy.expand(product - transfer(known)) == 0
    every = lines(known, offset=1)
    for order, rounded in enumerate(tone_lines(known)):
        exact = given.ones_amplitude(order, mu=1) if order else every[0].expr
        assert same_number(exact, every[order].expr)
        assert rounded.amplitude is not None
        assert abs(complex(exact) - rounded.amplitude[0]) < 64 * known.factor * 2.0**-53 * math.prod(lengths)
        if order:
            ratio = every[order].amplitudes[0].abs2 / every[0].amplitudes[0].abs2
            assert same_number(given.ones_level(order) ** 2, ratio)


@pytest.mark.parametrize(("factors", "lengths"), [([2, 2], [4, 3]), ([3, 2], [3, 3]), ([2, 3], [2, 6]), ([4], [8])])
def test_a_symbol_for_the_order_says_what_each_number_says(factors: list[int], lengths: list[int]) -> None:
    """A layer in full overlap takes a line away, unless the order is whole cycles of that layer: 2 of ×2 ×2 is not."""
    chain = symbolic_chain(factors=factors, lengths=lengths)
    for order in range(1, math.prod(factors)):
        assert same_number(chain.ones_level().subs(k, order), chain.ones_level(order))
        assert same_number(chain.ones_amplitude(mu=1).subs(k, order), chain.ones_amplitude(order, mu=1))


def test_a_symbolic_chain_in_words_and_latex() -> None:
    chain = symbolic_chain(2)
    assert str(chain) == "K=K1 s=s1 | K=K2 s=s2"
    assert str(chain.factor) == "s1*s2"
    assert str(chain.transfer()) == "H1(z**s2)*H2(z)"
    assert chain.latex().startswith(r"c_k = \frac{\mu ")
    assert chain.latex().endswith("{s_{1} s_{2}}")
    assert chain.transfer().has(Z)
    six = symbolic_chain(6)
    assert str(six.position(5)) == "k*sr/(s5*s6)"
    assert [six.ones_level(7).has(symbol) for symbol in six.lengths] == [True] * 6


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: dirichlet(0), ValueError, "length: got 0; allowed: an integer >= 1"),
        (
            lambda: dirichlet(sympy.Symbol("K")),
            ValueError,
            r"length: got K; .*Hint: declare it as Symbol\('K', integer",
        ),
        (lambda: dirichlet(3, 0.2), TypeError, r"frequency: got 0.2; .*Hint: write Fraction\(1, 5\)"),
        (lambda: box_response(3, sympy.I), ValueError, "frequency: got I; allowed: a real number or symbol"),
        (
            lambda: linear_response(s),
            ValueError,
            "factor: got s; allowed: a number, or a symbol known to be odd or even",
        ),
        (lambda: ones_level(3, 2, -1), ValueError, "line: got -1"),
        (
            lambda: closed_form(TransposedConv(np.ones((2, 1, 2), int))),
            NotAnalysable,
            "closed form: got 2 channels into 1",
        ),
        (lambda: symbolic_chain(0), ValueError, "number of layers: got 0"),
        (lambda: symbolic_chain(), ValueError, "number of layers: got None"),
        (lambda: symbolic_chain(2, factors=[2]), ValueError, "factors and lengths: got 1; allowed: 2 of each"),
        (lambda: symbolic_chain(factors=[2.5]), ValueError, "factor: got 2.5; allowed: an integer >= 1, or a positive"),
        (lambda: symbolic_chain(2).spacing(3), ValueError, "layer: got 3; allowed: at most 2"),
        (lambda: symbolic_chain(2).spacing(0), ValueError, "layer: got 0; .*Hint: layers count from 1"),
    ],
)
def test_refusals(ask: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ask()


def test_exact_frequencies_may_be_fractions() -> None:
    assert dirichlet(3, Fraction(1, 2)) == -1
