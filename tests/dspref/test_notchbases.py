"""Bases of tone-free taps in floating point: against exact projections, at any order that there is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dspref.arrays import Array
from dspref.designs import longest_order, projector
from dspref.designs.notchbases import bases, conditions, shifts

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


@pytest.mark.parametrize(("K", "s", "p"), [(100, 3, 49), (64, 3, 31), (128, 8, 18), (64, 2, 63), (31, 8, 4)])
def test_near_the_longest_order_they_are_those_of_the_box(K: int, s: int, p: int) -> None:
    """By QR of the shifts, within m·K·u times how far they magnify; the last is found by moments, as well."""
    U, Q = bases(K, s, p)
    assert longest_order(K, s) == p
    assert (len(U), len(Q)) == (K - p * (s - 1), p * (s - 1))
    bound = K * K * EPS * float(np.linalg.cond(shifts(K, s, p)))
    assert np.abs(U.T @ U - exact(K, s, p).astype(float)).max() <= bound < 1e-9
    assert np.abs(U.T @ U + Q.T @ Q - np.eye(K)).max() <= K * K * EPS


@pytest.mark.parametrize(("K", "s", "p"), [(32, 2, 16), (30, 3, 7), (25, 4, 3), (24, 4, 7)])
def test_far_from_it_they_are_those_of_the_moments(K: int, s: int, p: int) -> None:
    U, Q = bases(K, s, p)
    n = np.arange(K)
    P = projector(K, s, order=p).astype(float)
    assert (exact(K, s, p) == projector(K, s, order=p)).all()
    assert np.abs(U.T @ U - P).max() <= K * K * EPS
    assert np.abs(np.eye(K) - Q.T @ Q - P).max() <= K * K * EPS
    if p < longest_order(K, s):
        assert (conditions(n, n % s, p) == Q).all()
