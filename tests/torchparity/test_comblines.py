"""Lines told from noise: the combs by enumeration, the estimators without bias, on signals that are known."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from torchparity.comblines import Combs, Moments, band_of, both_sides, floor_densities, line_powers


@pytest.mark.parametrize("factors", [(), (4,), (8, 8, 2, 2), (3, 2), (5, 4, 2)])
def test_combs_are_multiples_of_the_rate_over_their_divisors(factors: tuple[int, ...]) -> None:
    combs = Combs(factors)
    P = int(np.prod(factors, dtype=int))
    assert combs.period == P
    seen: set[Fraction] = set()
    for i, M in enumerate(combs.divisors):
        multiples = {Fraction(j, M) for j in range(M // 2 + 1)}
        assert set(combs.lines(i)) == multiples - seen
        seen |= multiples
    assert len(seen) == P // 2 + 1


def test_means_count_both_sides() -> None:
    """Against the full circle of lines, one by one."""
    combs = Combs((3, 2, 2))
    P, powers = combs.period, np.arange(1.0, 8.0) ** 2
    full = powers[[min(k, P - k) for k in range(P)]]
    first = [next(i for i, M in enumerate(combs.divisors) if k * M % P == 0) for k in range(P)]
    due = [np.mean([p for p, at in zip(full, first, strict=True) if at == i]) for i in range(4)]
    np.testing.assert_allclose(combs.means(powers), due, rtol=4e-16)
    assert combs.total(powers) == full.sum()


@pytest.mark.parametrize("bad", [1, 0, -2, 1.5])
def test_factors_that_raise_no_rate_are_refused(bad: float) -> None:
    with pytest.raises((ValueError, TypeError), match="factor of a layer that raises the rate"):
        Combs((4, bad))  # type: ignore[arg-type]


def test_both_estimates_are_unbiased_over_all_patterns_of_signs() -> None:
    """Noise ±1 through an LTV filter plus a periodic mean: the means over every pattern are exact, no statistics.

    Two records of 3 periods of 2 samples; e[n] = g[n mod 2] ε[n] + h ε[n−1], ε circular: coloured, and cyclostationary.
    Its density under a window is that of the covariance matrix, and over all bins the mean power of both phases.
    """
    m, g, h, T = np.array([0.5, -0.3]), np.array([1.0, 0.25]), 0.5, 6
    e = np.array(list(product((-1.0, 1.0), repeat=2 * T))).reshape(-1, 2, 1, T)
    ys = np.tile(m, 3) + np.tile(g, 3) * e + h * np.roll(e, 1, axis=-1)
    lines = np.mean([line_powers(y, 2) for y in ys], axis=0)
    np.testing.assert_allclose(lines, [(m.sum() / 2) ** 2, (m[0] - m[1]) ** 2 / 4], rtol=1e-12)
    floors = np.mean([floor_densities(y, 3) for y in ys], axis=0)
    matrix = np.diag(np.tile(g, 3)) + h * np.roll(np.eye(T), 1, axis=0)
    W = np.exp(-2j * np.pi * np.outer(range(T), range(T)) / T) * np.sin(np.pi * np.arange(T) / T) ** 2
    density = np.real(np.diag(W @ matrix @ matrix.T @ W.conj().T)) / np.sum(np.abs(W[0]) ** 2)
    np.testing.assert_allclose(floors, [density[0], density[1], (2 * density[2] + density[3]) / 3], rtol=1e-12)
    assert density.mean() == pytest.approx((g @ g) / 2 + h**2, rel=1e-12)


def test_one_record_would_be_biased_by_the_noise_under_the_line() -> None:
    """That the test above can fail: |ĉ|² of single records is the power of the noise over their length too large."""
    single = [line_powers(np.array(signs).reshape(1, 1, 4), 2) for signs in product((-1.0, 1.0), repeat=4)]
    np.testing.assert_allclose(np.mean(single, axis=0), [1 / 4, 1 / 4], rtol=1e-15)


def test_lines_leave_nothing_in_the_floor() -> None:
    y = np.tile([1e6, -3e6, 5e5, 0], (3, 2, 8)) + np.array([-1.0, 0, 1])[:, None, None]
    np.testing.assert_allclose(floor_densities(y, 16)[2:], 0, atol=1e-12)  # the window spreads 0 Hz over two bins


@pytest.mark.parametrize(("T", "bands"), [(8, 1), (8, 4), (9, 4), (30, 7)])
def test_bands_are_equal_and_hold_every_bin(T: int, bands: int) -> None:
    due = [min(int(Fraction(i, T) / Fraction(1, 2 * bands)), bands - 1) for i in range(T // 2 + 1)]
    assert band_of(T, bands).tolist() == due
    assert set(due) == set(range(bands))
    assert both_sides(T).sum() == T


def test_moments_of_parts_are_those_of_the_whole() -> None:
    rows = np.random.default_rng(0).standard_normal((11, 3)) + 1e3
    made = Moments.of(rows[:4]) + Moments.of(rows[4:5]) + Moments.of(rows[5:])
    assert made.count == 11
    np.testing.assert_allclose(made.mean, rows.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(made.error, rows.std(axis=0, ddof=1) / np.sqrt(11), rtol=1e-12)
