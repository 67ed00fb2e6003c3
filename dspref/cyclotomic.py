"""Cyclotomic polynomials: when a sum of roots of unity is exactly zero, in any exact arithmetic.

A line k of s, or an image, is the value of ``H = Σ h[n] xⁿ`` at ``x = e^{−j2πk/s}``, a root of unity of order
``n = s/gcd(k, s)``. Over the rationals, and over rationals with symbols, the polynomial of least degree with that
root is Φ_n: so H vanishes there if and only if Φ_n divides H, and it then vanishes at all primitive n-th roots.

All act on the last axis of arrays; the numbers may be integers, Fractions, SymPy's, or elements of its domains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from dspref.arrays import Array, as_integer
from dspref.multirate import window


@cache
def primes(n: int) -> tuple[int, ...]:
    """Return the primes that divide n, in order.

    Examples
    --------
    >>> primes(360), primes(1)
    ((2, 3, 5), ())
    """
    found, r = [], 2
    while r * r <= n:
        if n % r == 0:
            found.append(r)
        while n % r == 0:
            n //= r
        r += 1
    return (*found, n) if n > 1 else tuple(found)


@cache
def cyclotomic(n: int) -> tuple[int, ...]:
    """Return the coefficients of Φ_n, from that of x⁰ up: the monic polynomial of the primitive n-th roots of unity.

    From ``Φ_1 = x − 1`` by ``Φ_{pm}(x) = Φ_m(x^p)/Φ_m(x)`` for a prime p that does not divide m, and
    ``Φ_{pm}(x) = Φ_m(x^p)`` for one that does.

    Examples
    --------
    >>> cyclotomic(3), cyclotomic(4), cyclotomic(6)
    ((1, 1, 1), (1, 0, 1), (1, -1, 1))
    """
    phi = [-1, 1]
    for p in primes(as_integer("order of a root of unity", n, 1)):
        phi = quotient(_stretched(phi, p), phi)
    return tuple(_stretched(phi, n // math.prod(primes(n))))


def _stretched(a: list[int], p: int) -> list[int]:
    """Return the coefficients of a(x^p)."""
    spread = [0] * (p * (len(a) - 1) + 1)
    spread[::p] = a
    return spread


def quotient(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """Return a/b for a monic b that divides a.

    Examples
    --------
    >>> quotient([1, 2, 1], cyclotomic(2))
    [1, 1]
    """
    rest, degree = list(a), len(b) - 1
    for top in range(len(a) - 1, degree - 1, -1):
        for j in range(degree):
            rest[top - degree + j] -= rest[top] * b[j]
    return rest[degree:]


def fold(h: Array, n: int) -> Array:
    """Return h modulo xⁿ − 1, (..., n): the taps added up by their place modulo n.

    Examples
    --------
    >>> fold(np.array([1, 2, 3]), 2)
    array([4, 2])
    """
    periods = -(-h.shape[-1] // n)
    return np.asarray(window(h, 0, periods * n).reshape(*h.shape[:-1], periods, n).sum(axis=-2))


def remainder(h: Array, n: int) -> Array:
    """Return h modulo Φ_n, (..., φ(n)): all zero if and only if Φ_n divides h.

    With N the product of the primes of n and q = n/N, ``Φ_n(x) = Φ_N(x^q)``. So the taps of one place modulo q
    are divided apart from all others, by a polynomial of the small degree φ(N).

    Examples
    --------
    >>> remainder(np.array([1, 2, 1]), 2), remainder(np.ones(6, int), 3)
    (array([0]), array([0, 0]))
    """
    q = n // math.prod(primes(n))
    blocks = fold(h, n).reshape(*h.shape[:-1], n // q, q)
    return _modulo(blocks, n // q).reshape(*h.shape[:-1], len(cyclotomic(n)) - 1)


def sparse_remainder(terms: dict[int, object], n: int) -> dict[int, object]:
    """Return ``Σ c x^e`` modulo Φ_n, both as {e: c}; the exponents may be any integers, since ``xⁿ = 1`` there.

    Examples
    --------
    >>> sparse_remainder({0: 5, 3: 1, -1: 2}, 4)
    {0: 5, 1: -3}
    >>> sparse_remainder({0: 5, 2: 5}, 4)
    {}
    """
    radical = math.prod(primes(n))
    q = n // radical
    places = sorted({e % q for e in terms})
    blocks = np.zeros((radical, len(places)), object)
    for e, c in terms.items():
        blocks[e % n // q, places.index(e % q)] += c
    left = _modulo(blocks, radical)
    return {j * q + places[i]: left[j, i] for j, i in np.ndindex(*left.shape) if left[j, i]}


def _modulo(blocks: Array, N: int) -> Array:
    """Return polynomials (..., N, q), coefficients along axis −2, modulo Φ_N: (..., φ(N), q)."""
    phi, rest = cyclotomic(N), blocks.copy()
    degree = len(phi) - 1
    for top in range(N - 1, degree - 1, -1):
        for j in range(degree):
            if phi[j]:
                rest[..., top - degree + j, :] -= phi[j] * rest[..., top, :]
    return np.asarray(rest[..., :degree, :])
