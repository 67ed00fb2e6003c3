"""What maps make of Gaussian second moments: closed forms and Mehler's series against quadrature of the definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from dspref.chain import POINTWISE, Pointwise
from dspref.expected import Gate, kernel_map, mean_map
from dspref.expected.kernelmaps import CLOSED
from dspref.expected.mehler import ROUNDING, coefficients, hermite, nodes, series
from dspref.initial.activations import gaussian_moments

MAPS = [Pointwise(name) for name in POINTWISE if name != "glu"] + [
    Pointwise("leaky", (0.25,)),
    Pointwise("leaky", (-0.5,)),
    Pointwise("elu", (1.7,)),
    Pointwise("snake", (0.3,)),
    Pointwise("snake", (-2.0,)),
    Pointwise("snake", (0.0,)),
]
NAMES = [f"{stage.name}{stage.parameters or ''}" for stage in MAPS]
POINTS = [(1.0, 1.0, 0.5), (1.0, 0.3, -0.4), (0.5, 0.5, 0.99), (2.0, 1.0, 0.9), (0.04, 3.0, -0.97), (1.0, 1.0, 0.0)]


def conditional(stage: Pointwise, q1: float, q2: float, rho: float) -> tuple[float, float]:
    """Return ``E φ(x) E[φ(y) | x]`` and its error: y given x is Gaussian, and its mean is known by another route."""
    s = math.sqrt(q1)

    def density(z: float) -> float:
        x = s * z
        inner = gaussian_moments(stage, mean=rho * math.sqrt(q2) * z, variance=q2 * (1 - rho * rho)).mean
        return float(stage(np.array([[x]]))[0, 0]) * inner * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    parts = [quad(density, a, b, epsabs=1e-12, epsrel=1e-11, limit=100) for a, b in ((-9, 0), (0, 9))]
    return sum(p[0] for p in parts), sum(p[1] for p in parts)


@pytest.mark.parametrize("stage", MAPS, ids=NAMES)
def test_second_moments_are_the_integrals(stage: Pointwise) -> None:
    """To the error that the quadrature reports; for elu, plus what its series leaves, which it states."""
    V = kernel_map(stage)
    for q1, q2, rho in POINTS[::2] if stage.name not in CLOSED else POINTS:
        exact, error = conditional(stage, q1, q2, rho)
        bound = 1e-11
        if stage.name not in CLOSED:
            a, rest = coefficients(lambda x: POINTWISE[stage.name][0](x, *stage.parameters), np.array([q1, q2]))
            bound += 2 * math.sqrt(rest.prod()) * abs(rho) ** a.shape[1]
        assert abs(float(V(*map(np.array, (q1, q2, rho * math.sqrt(q1 * q2))))) - exact) <= bound + error


@pytest.mark.parametrize("stage", MAPS, ids=NAMES)
def test_at_full_correlation_it_is_the_power_and_at_none_the_mean_squared(stage: Pointwise) -> None:
    V, q = kernel_map(stage), np.array([0.01, 0.5, 1.0, 6.0])
    known = [gaussian_moments(stage, variance=float(v)) for v in q]
    assert np.allclose(V(q, q, q), [m.power for m in known], rtol=1e-13, atol=0)
    assert np.allclose(mean_map(stage, q), [m.mean for m in known], rtol=1e-13, atol=0)
    means = mean_map(stage, q)
    assert np.allclose(V(q[:, None], q, np.zeros((4, 4))), np.outer(means, means), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", ["relu", "leaky", "gelu", "snake"])
def test_closed_forms_are_their_own_series(name: str) -> None:
    """Mehler's series of a map with a closed form, where abs(ρ)^512 is nothing."""
    stage = Pointwise(name)
    f, _ = POINTWISE[name]
    q1, q2 = np.array([[0.2], [1.0], [3.0]]), np.array([0.2, 1.0, 3.0])
    for rho in (-0.9, -0.3, 0.0, 0.6, 0.9):
        c = rho * np.sqrt(q1 * q2)
        found = series(lambda x: f(x, *stage.parameters))(q1, q2, c)
        assert np.allclose(found, kernel_map(stage)(q1, q2, c), rtol=0, atol=1e-12)


def test_checks_by_hand() -> None:
    """Leaky at ρ = 1 is (1 + a²)q/2; relu at ρ = −1 is 0; silence gives φ(0)²."""
    q = np.array(3.0)
    assert float(kernel_map(Pointwise("leaky", (0.2,)))(q, q, q)) == pytest.approx(1.04 * 1.5, rel=1e-15)
    assert float(kernel_map(Pointwise("relu"))(q, q, -q)) == pytest.approx(0, abs=1e-15)
    zero = np.zeros(1)
    for stage, silent in zip(MAPS, (0 if s.name not in ("sigmoid", "softplus") else None for s in MAPS), strict=True):
        at_zero = float(stage(np.zeros((1, 1)))[0, 0])
        assert silent is None or at_zero == silent
        assert float(kernel_map(stage)(zero, zero, zero)[0]) == pytest.approx(at_zero**2, rel=1e-12)


def test_gates_are_products() -> None:
    q1, q2, c = np.array(1.0), np.array(0.5), np.array(0.3)
    parts = [float(kernel_map(Pointwise(name))(q1, q2, c)) for name in ("tanh", "sigmoid")]
    gate = Gate(Pointwise("tanh"), Pointwise("sigmoid"))
    assert float(kernel_map(gate)(q1, q2, c)) == pytest.approx(math.prod(parts), rel=1e-15)
    glu = float(kernel_map(Pointwise("glu"))(q1, q2, c))
    assert glu == pytest.approx(0.3 * parts[1], rel=1e-15)
    assert glu == float(kernel_map(Gate("identity", "sigmoid"))(q1, q2, c))
    assert mean_map(gate, np.ones(2)).tolist() == mean_map(Pointwise("glu"), np.ones(2)).tolist() == [0, 0]
    with pytest.raises(ValueError, match="did you mean 'sigmoid'"):
        Gate("identity", "sigmoyd")


def test_hermite_polynomials_are_orthonormal_on_the_nodes() -> None:
    x, w = nodes(3)
    h = hermite(x, 64)  # squares of later ones reach beyond the nodes; times a map, none does
    assert np.allclose((w * h) @ h.T, np.eye(64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "silu", "softplus", "elu"])
def test_a_series_states_what_it_leaves(name: str) -> None:
    """Variances of up to 1 leave rounding, but for the kink of elu; the rest and the terms are the power together."""
    stage, q = Pointwise(name), np.array([0.1, 1.0, 30.0])
    a, rest = coefficients(lambda x: POINTWISE[name][0](x, *stage.parameters), q)
    power = np.array([gaussian_moments(stage, variance=float(v)).power for v in q])
    assert np.allclose((a**2).sum(axis=1) + rest, power, rtol=1e-13, atol=0)
    if name != "elu":
        assert (rest[:2] <= ROUNDING * power[:2]).all()
    assert (rest <= 1e-3 * power).all()


@pytest.mark.parametrize("bad", [-1.0, 1e9, math.nan, math.inf])
def test_bad_variances_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="variance"):
        coefficients(np.tanh, np.array([bad]))
