"""Nulls that are proved, not measured: lines and images of which exactly nothing is left."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from dspref.arrays import Array, as_fractions
from dspref.chain import Chain
from dspref.cyclotomic import fold, primes

__all__ = ["multiplicity", "vanishes"]

SMALL = 1 << 18
"""Products of Fractions that are worth a proof: about a second."""


def provable(chain: Chain) -> Chain | None:
    """Return the chain with every number as the Fraction it is, since folding floats rounds.

    None where levels are not known, where numbers are symbols or complex, or where it would take too long.
    """
    if not chain.affine or any(_rounds(stage) for stage in chain.stages):
        return None
    arrays = [{n: a for n in _NUMBERS if isinstance(a := getattr(s, n, None), np.ndarray)} for s in chain.stages]
    inexact = any(a.dtype.kind not in "iu" for fields in arrays for a in fields.values())
    if inexact and sum(a.size for fields in arrays for a in fields.values()) * chain.factor > SMALL:
        return None
    try:
        exact = [{n: a if a.dtype.kind in "iu" else as_fractions(a) for n, a in fields.items()} for fields in arrays]
    except TypeError:
        return None
    stages: list[Any] = list(chain.stages)
    return Chain(replace(stage, **fields) if fields else stage for stage, fields in zip(stages, exact, strict=True))


_NUMBERS = ("weight", "taps", "bias", "predict", "update", "scales")


def _rounds(stage: Any) -> bool:
    """Return whether a stage has taps that its numbers make by rounding: cosines, or a square root."""
    if stage.op in ("istft", "pqmf"):
        return True
    return stage.op == "haar" and not isinstance(stage.scale, (int, np.integer, Fraction))


def nulls(h: Array | None) -> Callable[[Fraction], bool]:
    """Return the test for exact nulls at a frequency; nothing is null where the taps are not known."""
    taps = None if h is None else whole(h)
    by_denominator = cache(lambda q: taps is not None and vanishes(taps, q))
    return lambda freq: by_denominator(freq.denominator)


def response_nulls(chain: Chain) -> Callable[[Fraction], bool]:
    """Return the test for exact nulls of a chain's H(ν)."""
    proof = provable(chain)
    return nulls(None if proof is None else proof.collapse().h)


def whole(h: Array) -> Array:
    """Return Fractions times their common denominator, as integers: the same nulls, found sooner."""
    if h.dtype != object:
        return h
    common = math.lcm(*(Fraction(v).denominator for v in h.flat))
    return np.asarray(np.frompyfunc(lambda v: int(v * common), 1, 1)(h))


def vanishes(h: Array, q: int) -> bool:
    """Return whether ``Σ h[n] e^{−j2πnp/q}`` is exactly zero for the p that share no divisor with q.

    Taps (..., taps), rational: then all those p vanish together. With h folded to q taps, that is so if
    and only if the polynomial h times ``Π (1 − z^{q/r})``, over the primes r that divide q, is zero modulo
    ``z^q − 1``: the product is zero at every q-th root of unity but the primitive ones. No rounding, so a
    null is a null.

    Parameters
    ----------
    h : array (..., taps)
        Integers or Fractions.
    q : int
        Order of the roots of unity, at least 1: frequencies p/q in cycles per sample.

    Returns
    -------
    bool

    Examples
    --------
    >>> vanishes(np.ones(6, int), 3), vanishes(np.array([1, 2, 1]), 3)
    (True, False)
    """
    taps = h.shape[-1]
    if q > 2 * taps**2:  # the q-th cyclotomic polynomial has a degree of √(q/2) at least: it can't divide h
        return not h.any()
    y = fold(h, q)
    for r in primes(q):
        y = y - np.roll(y, q // r, axis=-1)
    return not y.any()


def multiplicity(h: Array, q: int) -> int:
    """Return how often Φ_q divides taps (..., taps) of integers, not all zero: so often do its zeros repeat.

    The derivatives of ``H = Σ h[n] xⁿ`` have, in terms of x d/dx, taps h[n] n, h[n] n², …

    Parameters
    ----------
    h : integer array (..., taps)
    q : int
        Order of the roots of unity, at least 1.

    Returns
    -------
    int
        0 if it does not.

    Examples
    --------
    >>> multiplicity(np.array([1, 3, 3, 1]), 2), multiplicity(np.array([1, 1, 1]), 2)
    (3, 0)
    """
    order, n = 0, np.array(range(h.shape[-1]), object)
    while vanishes(h, q):
        order, h = order + 1, h * n
    return order
