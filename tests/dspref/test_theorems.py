"""Statements hold because their steps do, none of which is vacuous; and they agree with what the library computes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from dspref import Chain, FilterInterp, Linear, Nearest, TransposedConv, images, nulls, tone_lines, whence
from dspref.symbolic import lines, theorem, theorems
from dspref.symbolic.proofs import Statement, Step, no_zeros

NAMES = [statement.name for statement in theorems(1)]


@pytest.mark.parametrize("layers", [1, 3, 6])
def test_every_statement_holds_for_chains_of_any_depth(layers: int) -> None:
    for statement in theorems(layers):
        assert statement.holds, str(statement)
        assert statement.steps
        assert statement.latex()
        assert statement.latex().count("{") == statement.latex().count("}")
        assert str(statement).startswith(f"{statement.name} (holds): ")


def test_statements_have_names_of_their_own() -> None:
    assert len(set(NAMES)) == len(NAMES) == 13
    assert [theorem(name, 2) for name in NAMES] == list(theorems(2))


def spoilt(step: Step) -> Step:
    """Return a step whose right side is another one."""
    if isinstance(step.right, sympy.Expr):
        return Step(step.words, step.left, step.right + 1)
    return Step(step.words, step.left, not step.right if isinstance(step.right, bool) else sympy.S.Reals)


@pytest.mark.parametrize("name", NAMES)
def test_no_step_of_a_proof_is_idle(name: str) -> None:
    """With any one of them made false, the statement is not shown."""
    statement = theorem(name, 2)
    for i, step in enumerate(statement.steps):
        steps = (*statement.steps[:i], spoilt(step), *statement.steps[i + 1 :])
        broken = Statement(name, statement.statement, statement.hypotheses, statement.formula, steps)
        assert not broken.holds
        assert f"{name} (NOT SHOWN)" in str(broken)
        assert "≠" in str(broken)


def test_what_is_false_does_not_hold() -> None:
    k, s = sympy.symbols("k s", integer=True, positive=True)
    sine = sympy.sin(sympy.pi * k / s)
    assert not Step("not every order is a null", sine, sympy.Integer(0)).holds
    assert not Step("one period is no half", sympy.exp(sympy.I * sympy.pi * k), sympy.Integer(1)).holds
    assert not no_zeros("a wave of two periods", lambda t: sympy.sin(2 * sympy.pi * t)).holds
    assert not Statement("bare", "a claim", "none", "x", ()).holds


@pytest.mark.parametrize("name", ["", "nearst", "Nearest"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"theorem: got .*; allowed: stretch, line, "):
        theorem(name)


def ones(K: int, s: int) -> TransposedConv:
    return TransposedConv(np.ones((1, 1, K), int), stride=s)


def test_all_ones_nulls_are_those_of_the_other_exact_test() -> None:
    """s | kK, for every kernel up to 12 taps and factor up to 8; all of them if and only if s | K."""
    for s in range(2, 9):
        for K in range(1, 13):
            null = [nulls.vanishes(np.ones(K, int), s // math.gcd(k, s)) for k in range(1, s)]
            assert null == [k * K % s == 0 for k in range(1, s)]
            assert all(null) == (K % s == 0)


@pytest.mark.parametrize("factors", [(2, 2, 2), (3, 2, 4), (8, 8, 2, 2)])
def test_positions_are_those_of_lines_and_whence(factors: tuple[int, ...]) -> None:
    """Layer i alone has a bias: its lines stand at multiples of r_i, the next layer's input rate, and nowhere else."""
    rng = np.random.default_rng(1)
    for i in range(1, len(factors)):
        kernels = [rng.integers(1, 9, (1, 1, s + 1)) for s in factors]
        biases = [np.array([1]) if j == i else None for j in range(1, len(factors) + 1)]
        stages = [TransposedConv(w, stride=s, bias=b) for w, s, b in zip(kernels, factors, biases, strict=True)]
        chain = Chain(stages)
        spacing = Fraction(1, math.prod(factors[i:]))
        for line in tone_lines(chain, offset=0):
            assert line.amplitude is not None
            on_grid = line.freq % spacing == 0
            assert on_grid or abs(line.amplitude[0]) < 1e-9
            assert (i + 1 in whence(chain, line.freq).origins) == on_grid


@pytest.mark.parametrize("pairs", [[(4, 2), (6, 3)], [(2, 2), (2, 2), (8, 4)], [(3, 3), (10, 5)]])
def test_full_overlap_of_ones_leaves_no_line(pairs: list[tuple[int, int]]) -> None:
    every = lines(Chain([ones(K, s) for K, s in pairs]))
    assert every.nulls == frozenset(range(1, len(every)))
    K, s = pairs[-1]
    spoiled = lines(Chain([*(ones(K, s) for K, s in pairs[:-1]), ones(K + 1, s)]))
    assert 0 < len(spoiled.nulls) < len(every) - 1


@pytest.mark.parametrize(
    ("layer", "power"), [(Nearest(2), 1), (FilterInterp(2, np.array([1, 2, 1]), offset=1), 2), (Linear(2), 3)]
)
def test_first_images_are_those_of_the_numbers(layer: Any, power: int) -> None:
    for freq in (Fraction(1, 10), Fraction(3, 8)):
        baseband, image = images(Chain([layer]), freq)
        assert baseband.gain is not None
        assert image.gain is not None
        slope = math.tan(math.pi * float(freq) / 2)
        assert abs(abs(image.gain / baseband.gain) - slope**power) < 1e-14
