"""Statements with proofs that are computed: each step an equation of symbols, whose sides SymPy evaluates.

Whether a statement holds is what comes out of its steps; nothing is put down as true. Where a proof is an induction,
its base and its step are two equations; where something must not be zero, the set of its zeros is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy

_T = sympy.Symbol("t", real=True)


@dataclass(frozen=True)
class Step:
    """An equation of a proof: why, and its two sides.

    Attributes
    ----------
    words : str
        Why.
    left, right : SymPy expression
        The two sides.

    Examples
    --------
    >>> k = sympy.Symbol("k", integer=True)
    >>> Step("sin πk is zero for integers", sympy.sin(sympy.pi * k), sympy.Integer(0)).holds
    True
    >>> Step("a cosine is not", sympy.cos(sympy.pi * k), sympy.Integer(0)).holds
    False
    """

    words: str
    left: Any
    right: Any

    @cached_property
    def holds(self) -> bool:
        """Whether the sides are equal, for all values of the symbols that their assumptions allow."""
        if not isinstance(self.left, sympy.Expr):
            return bool(self.left == self.right)
        return _is_zero(self.left - self.right)

    def __str__(self) -> str:
        return f"{self.words}: {sympy.sstr(self.left)} = {sympy.sstr(self.right)}"


def _is_zero(difference: Any) -> bool:
    """Return whether an expression becomes 0: sines as exponentials, one fraction, its numerator multiplied out."""
    return bool(sympy.expand(sympy.numer(sympy.together(difference.rewrite(sympy.exp)))) == 0)


@dataclass(frozen=True)
class Statement:
    """A theorem and its proof.

    Attributes
    ----------
    name : str
    statement : str
        One sentence.
    hypotheses : str
    formula : str
        In LaTeX.
    steps : tuple of Step

    Examples
    --------
    >>> a, b = sympy.symbols("a b")
    >>> steps = (Step("multiplied out", (a - b) * (a + b), a**2 - b**2),)
    >>> print(Statement("binomial", "a² − b² has two factors.", "a, b any numbers", "(a - b)(a + b)", steps))
    binomial (holds): a² − b² has two factors.
      a, b any numbers
      = multiplied out: (a - b)*(a + b) = a**2 - b**2
    """

    name: str
    statement: str
    hypotheses: str
    formula: str
    steps: tuple[Step, ...]

    @property
    def holds(self) -> bool:
        """Whether every step of the proof holds; computed, and false for a statement without proof."""
        return bool(self.steps) and all(step.holds for step in self.steps)

    def latex(self) -> str:
        """Return the formula in LaTeX."""
        return self.formula

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "NOT SHOWN"
        proof = "\n".join(f"  {'=' if step.holds else '≠'} {step}" for step in self.steps)
        return f"{self.name} ({verdict}): {self.statement}\n  {self.hypotheses}\n{proof}"


def no_zeros(words: str, function: Callable[[Any], Any]) -> Step:
    """Return the step that a function of t has no zero in 0 < t < 1.

    Examples
    --------
    >>> no_zeros("a sine", lambda t: sympy.sin(sympy.pi * t)).holds
    True
    >>> no_zeros("a cosine", lambda t: sympy.cos(sympy.pi * t)).holds
    False
    """
    return Step(words, sympy.solveset(function(_T), _T, sympy.Interval.open(0, 1)), sympy.S.EmptySet)


def sine_has_no_zero() -> Step:
    """Return the step that sin πt is not zero for 0 < t < 1.

    Examples
    --------
    >>> sine_has_no_zero().holds
    True
    """
    return no_zeros("sin πt has no zero for 0 < t < 1", lambda t: sympy.sin(sympy.pi * t))
