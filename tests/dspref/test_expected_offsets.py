"""Uniform biases in front of maps: mixtures of Gaussian ones, against moments, integrals and draws."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dspref import Nearest
from dspref.arrays import Array
from dspref.chain import POINTWISE, Pointwise
from dspref.expected import Drawn, Fixed, Source, Step, Sum, expected_spectrum, fixed, kernel_map, mean_map
from dspref.expected.graph import network
from dspref.expected.moments import Moments
from dspref.expected.offsets import KernelMap, Offsets, density, mixed, together
from dspref.expected.walk import started, walk

RELU = Pointwise("relu")


def power(i: int, j: int) -> KernelMap:
    """Return ``E xⁱ yʲ`` of Gaussian values, by Isserlis: Σ over the pairs that cross."""

    def V(q1: Array, q2: Array, c: Array) -> Array:
        def ways(k: int) -> int:
            rest = math.prod(range(i - k - 1, 0, -2)) * math.prod(range(j - k - 1, 0, -2))
            return math.comb(i, k) * math.comb(j, k) * math.factorial(k) * rest

        crossing = [k for k in range(min(i, j) + 1) if (i - k) % 2 == 0 == (j - k) % 2]
        return np.asarray(sum(ways(k) * q1 ** ((i - k) // 2) * q2 ** ((j - k) // 2) * c**k for k in crossing))

    return V


def moment(variances: tuple[float, ...], n: int) -> float:
    """Return ``E bⁿ`` of a sum of uniform variables, from that of all but the last."""
    *others, last = variances
    own = [0.0 if k % 2 else float((3 * last) ** (k / 2)) / (k + 1) for k in range(n + 1)]
    if not others:
        return own[n]
    return sum(math.comb(n, k) * own[k] * moment(tuple(others), n - k) for k in range(n + 1))


@pytest.mark.parametrize("variances", [(0.7,), (0.5, 0.5), (0.9, 0.3, 0.01, 0.2)])
@pytest.mark.parametrize(("i", "j"), [(2, 2), (1, 3), (3, 3), (2, 4), (1, 5), (6, 0)])
def test_moments_up_to_the_sixth_are_exact(i: int, j: int, variances: tuple[float, ...]) -> None:
    """``E (x + b)ⁱ (y + b)ʲ`` by the binomial theorem."""
    B, q1, q2, c = sum(variances), 0.4, 0.9, -0.3

    def term(k: int, m: int) -> float:
        gaussian = float(power(k, m)(*map(np.array, (q1, q2, c))))
        return math.comb(i, k) * math.comb(j, m) * moment(variances, i - k + j - m) * gaussian

    due = sum(term(k, m) for k, m in product(range(i + 1), range(j + 1)))
    found = mixed(power(i, j), Offsets(variances))(*(np.array(each + B) for each in (q1, q2, c)))
    assert float(found) == pytest.approx(due, rel=1e-11)


def test_densities_at_0_are_right_within_one_percent() -> None:
    """Of a uniform b plus a Gaussian variable of any size: ``erf(√(3B/2q))/(2√(3B))``."""

    def at_0(q1: Array, q2: Array, c: Array) -> Array:
        return np.asarray(1 / np.sqrt(2 * np.pi * q1))

    for q in np.geomspace(1e-6, 1e3, 200):
        due = math.erf(math.sqrt(1.5 / q)) / (2 * math.sqrt(3))
        assert float(mixed(at_0, Offsets((1.0,)))(*(np.array(1 + q),) * 3)) == pytest.approx(due, rel=0.01)


@pytest.mark.parametrize("variances", [(1.0,), (1.0, 1.0), (1.0, 0.04), (2.0, 1.0, 0.5), (1.0,) * 8])
def test_the_density_of_a_sum_is_that_of_draws(variances: tuple[float, ...]) -> None:
    """Of those within 1/20, as many as a binomial law allows at six deviations; there it bends by less than 1 %."""
    n, width, rng = 400_000, 0.1, np.random.default_rng(0)
    b = np.sum([rng.uniform(-1, 1, n) * math.sqrt(3 * v) for v in variances], axis=0)
    p = density(np.array(variances)) * width
    assert abs((np.abs(b) < width / 2).mean() - p) <= 6 * math.sqrt(p / n) + 0.01 * p


MAPS = tuple(Pointwise(*each) for each in (("relu",), ("gelu",), ("tanh",), ("silu",), ("sigmoid",), ("elu", (1.0,))))


def named(stage: Pointwise) -> str:
    return stage.name


@pytest.mark.parametrize("stage", MAPS, ids=named)
@pytest.mark.parametrize("apart", [False, True])
def test_kernel_maps_are_those_of_draws(stage: Pointwise, apart: bool) -> None:
    """E φ(x + b) φ(y + b′), b′ = b or another, over 200 000 draws, five standard errors."""
    n, rng, own, B, rho = 200_000, np.random.default_rng(1), 0.3, 1.2, 0.4
    g, b = rng.standard_normal((2, n)), rng.uniform(-1, 1, (2, n)) * math.sqrt(3 * B)
    x, y = math.sqrt(own) * g[0], math.sqrt(own) * (rho * g[0] + math.sqrt(1 - rho**2) * g[1])
    f, _ = POINTWISE[stage.name]
    one = f(x + b[0], *stage.parameters)
    seen = one * f(y + b[int(apart)], *stage.parameters)
    q, c = np.array(own + B), np.array(rho * own + (0 if apart else B))
    offsets = Offsets((B,), 2 if apart else 1)
    V = float(kernel_map(stage, offsets, apart=apart)(q, q, c))
    assert abs(V - seen.mean()) <= 5 * seen.std() / math.sqrt(n)
    assert abs(float(mean_map(stage, q[None], offsets)[0]) - one.mean()) <= 5 * one.std() / math.sqrt(n)


@pytest.mark.parametrize("stage", MAPS[:2], ids=named)
def test_gaussian_biases_would_be_seen(stage: Pointwise) -> None:
    """With phases apart V is off by more than the test above allows, 5 standard errors of 200 000 draws."""
    q, c = np.array(1.5), np.array(0.12)
    x, b = np.random.default_rng(2).standard_normal((2, 10_000)) * math.sqrt(0.3), 1.2
    f, _ = POINTWISE[stage.name]
    uniform = np.random.default_rng(3).uniform(-1, 1, (2, 10_000)) * math.sqrt(3 * b)
    spread = float(np.prod(f(x + uniform, *stage.parameters), axis=0).std())
    gaussian, due = (float(kernel_map(stage, each, apart=True)(q, q, c)) for each in (Offsets(), Offsets((b,))))
    assert abs(gaussian - due) > 5 * spread / math.sqrt(200_000)


def test_phases_with_offsets_of_their_own_share_means_alone() -> None:
    q, offsets = np.array(2.0), Offsets((1.5,), 4)
    for stage in MAPS:
        V = kernel_map(stage, offsets, apart=True)
        mean = float(mean_map(stage, q[None], offsets)[0])
        assert float(V(q, q, np.array(0.0))) == pytest.approx(mean**2, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("first", ["convt", "shuffle"])
def test_combs_are_the_full_matrix(first: str) -> None:
    steps: list[Step] = [
        Drawn(first, 4, 4, 8, 4),
        RELU,
        Drawn("shuffle", 4, 4, 3, 2),
        Pointwise("glu"),
        Drawn("conv", 2, 1, 3),
    ]
    source = Source(4, 1.0, (1.0,))
    one, other = (expected_spectrum(steps, source, route=route, width_terms=False) for route in ("combs", "full"))
    for comb, same in zip(one.combs, other.combs, strict=True):
        assert comb.power == pytest.approx(same.power, rel=1e-10)
    assert one.floor_db == pytest.approx(other.floor_db, abs=1e-10)


def test_what_is_left_of_a_bias_in_front_of_a_map() -> None:
    """Gains scale it, sums gather it, another convolution or a fixed filter ends it; a Gaussian one is none."""
    conv = Drawn("conv", 4, 4, 3, bias=0.5)

    def left(*steps: Step) -> Offsets:
        source = Source(4, 1.0)
        return walk(started(Moments.of(source), source), network(steps)).offsets

    assert left(conv) == left(conv, conv) == Offsets((0.5,))
    assert left(conv, Fixed(np.array([2.0]))) == Offsets((2.0,))
    assert left(Sum(((conv,), (conv,)))) == Offsets((0.5, 0.5))
    assert left(conv, fixed(Nearest(2))) == Offsets()
    assert left(Drawn("shuffle", 4, 4, 3, 3, bias=0.5)) == Offsets((0.5,), 3)
    assert left(replace(conv, bias_law="normal")) == left(replace(conv, bias=0)) == Offsets()
    assert together([]) == Offsets()


def test_a_gaussian_bias_of_the_same_variance_gives_another_spectrum() -> None:
    """Of a weak signal, ``E abs(b)`` is √3/2 of a uniform bias, √(2/π) of a Gaussian one; E relu(b)² is 1/2 of both."""
    for law, mean in (("uniform", math.sqrt(3) / 4), ("normal", 1 / math.sqrt(2 * math.pi))):
        drawn = Drawn("shuffle", 4, 4, 1, 2, weight=1e-12, bias=1.0, bias_law=law)
        found = expected_spectrum([drawn, RELU], Source(4)).combs[0].power
        assert found == pytest.approx((0.5 + mean**2) / 2, rel=0.005)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_phases_with_one_kernel_and_biases_of_their_own(share: float) -> None:
    """ICNR and biases: neighbours with the same noise a, against the integral over a and both biases."""
    layer = Drawn("shuffle", 64, 64, 1, factor=2, icnr=True, bias=share, weight=(1 - share) / 64)
    steps: list[Step] = [layer, Pointwise("relu")]
    x, w = np.polynomial.legendre.leggauss(400)
    edge = math.sqrt(3 * share)
    a, v = 9 * math.sqrt(1 - share) * x, edge * x  # noise and offset
    pdf = 9 * np.exp(-((9 * x) ** 2) / 2) / math.sqrt(2 * math.pi) * w
    relu = np.maximum(a[:, None] + v, 0)
    given = relu @ w / 2  # over one bias, for each a
    near, apart = pdf @ given**2, (pdf @ given) ** 2
    power, same = pdf @ (relu**2 @ w) / 2, ((pdf @ relu) ** 2 @ w) / 2
    found = expected_spectrum(steps, Source(64, covariance=(1.0,)), width_terms=False)
    due = [power - same, (near - apart) / 2]  # one phase of two has this neighbour
    assert found.covariance[:2] == pytest.approx(due, rel=2e-2, abs=2e-3 * float(due[0]))
    assert (found.floor(np.linspace(0, 0.5, 33)) > 0).all()
