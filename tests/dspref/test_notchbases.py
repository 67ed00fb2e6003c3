"""Bases of tone-free taps in floating point: against exact projections, at any order that there is."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from dspref.arrays import Array
from dspref.designs import projector
from dspref.designs.notchbases import bases, conditions, multiples, sound

EPS = 2.0**-52


def exact(K: int, s: int, p: int) -> Array:
    """Return the projection by whole multiples of the box, made orthogonal one by one, as Fractions."""
    box = np.array([Fraction(1)], object)
    for _ in range(p):
        box = np.convolve(box, np.array([Fraction(1)] * s, object))
    P, found = np.full((K, K), Fraction(0), object), list[Array]()
    for i in range(K - len(box) + 1):
        u = np.array([*[Fraction(0)] * i, *box, *[Fraction(0)] * (K - len(box) - i)], object)
        for v in found:
            u = u - (u @ v) / (v @ v) * v
        found.append(u)
        P = P + np.outer(u, u) / (u @ u)
    return P


@pytest.mark.parametrize(
    ("K", "s", "p"), [(100, 3, 49), (64, 3, 31), (128, 8, 18), (64, 2, 63), (31, 8, 4), (50, 3, 22), (72, 4, 21)]
)
def test_near_the_longest_order_they_are_those_of_the_box(K: int, s: int, p: int) -> None:
    """To rounding, as the multiples are orthonormal; factor 2 and short taps have good moments there, as well."""
    U, Q = bases(K, s, p)
    assert (len(U), len(Q)) == (K - p * (s - 1), p * (s - 1))
    assert np.abs(U.T @ U - exact(K, s, p).astype(float)).max() <= K * K * EPS
    assert np.abs(U.T @ U + Q.T @ Q - np.eye(K)).max() <= K * K * EPS


@pytest.mark.parametrize(("K", "s", "p"), [(32, 2, 16), (30, 3, 7), (25, 4, 3), (24, 4, 7)])
def test_far_from_it_they_are_those_of_the_moments(K: int, s: int, p: int) -> None:
    U, Q = bases(K, s, p)
    n = np.arange(K)
    P = projector(K, s, order=p).astype(float)
    assert (exact(K, s, p) == projector(K, s, order=p)).all()
    assert np.abs(U.T @ U - P).max() <= K * K * EPS
    assert np.abs(np.eye(K) - Q.T @ Q - P).max() <= K * K * EPS
    if sound(conditions(n, n % s, p), n, n % s, p):
        assert (conditions(n, n % s, p) == Q).all()


@pytest.mark.parametrize(("K", "s", "p"), [(512, 8, 70), (512, 8, 58), (256, 4, 80), (128, 4, 30), (256, 8, 10)])
def test_differences_of_the_box_are_multiples_of_it(K: int, s: int, p: int) -> None:
    """``(1 − z)ʲ box_s(z)ᵖ`` in whole numbers: what shifts nearly have not, and moments of high orders lose."""
    Q, v = bases(K, s, p)[1], np.array([1], object)
    for _ in range(p):
        v = np.convolve(v, np.array([1] * s, object))
    while len(v) <= K:
        h = np.pad((v / math.isqrt(int(v @ v))).astype(float), (0, K - len(v)))
        assert np.linalg.norm(Q @ h) <= Q.size * EPS
        v = np.append(v, 0) - np.append(0, v)


@pytest.mark.parametrize(("K", "s", "p"), [(64, 8, 8), (64, 8, 9), (512, 8, 70), (40, 2, 5), (256, 4, 68)])
def test_moments_are_sound_where_the_multiples_meet_them(K: int, s: int, p: int) -> None:
    """Which are orthonormal, and the measure of both."""
    n, W = np.arange(K), multiples(K, s, p)
    Q = conditions(n, n % s, p)
    assert np.abs(W @ W.T - np.eye(len(W))).max() <= K * EPS
    assert sound(Q, n, n % s, p) == (np.linalg.norm(Q @ W.T, 2) <= Q.size * EPS)
