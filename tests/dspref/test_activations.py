"""Moments of mapped Gaussians: closed forms and sums against adaptive quadrature, SymPy and Gauss–Hermite nodes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad

from dspref import Pointwise, TransposedConv
from dspref.arrays import Array
from dspref.chain import POINTWISE
from dspref.initial.activations import CLOSED, STRIPS, Moments, gaussian_moments

CASES = [(0.0, 1.0), (0.0, 0.04), (0.7, 0.5), (-1.3, 2.0), (-4.0, 9.0)]
MAPS = [Pointwise(name) for name in POINTWISE if name != "glu"] + [
    Pointwise("leaky", (0.2,)),
    Pointwise("leaky", (-0.5,)),
    Pointwise("elu", (1.7,)),
    Pointwise("snake", (0.3,)),
    Pointwise("snake", (-2.0,)),
    Pointwise("snake", (0.0,)),
]


def apply(stage: Pointwise, x: float) -> float:
    return float(stage(np.array([[x]]))[0, 0])


@pytest.mark.parametrize("stage", MAPS, ids=lambda s: f"{s.name}{s.parameters or ''}")
def test_moments_are_the_integrals(stage: Pointwise) -> None:
    """SciPy's adaptive quadrature of the definition, on either side of the kink at zero; to the accuracy stated."""
    for mean, variance in CASES:
        s = math.sqrt(variance)
        found = gaussian_moments(stage, mean=mean, variance=variance)
        for power, value in ((1, found.mean), (2, found.power)):

            def density(x: float, power: int = power, mean: float = mean, s: float = s) -> float:
                return apply(stage, x) ** power * math.exp(-(((x - mean) / s) ** 2) / 2) / (s * math.sqrt(2 * math.pi))

            ends = (mean - 12 * s, min(max(0.0, mean - 12 * s), mean + 12 * s), mean + 12 * s)
            parts = [quad(density, a, b, epsabs=1e-13, epsrel=1e-13, limit=200) for a, b in itertools.pairwise(ends)]
            scale = (1 + abs(mean) + s) ** power
            assert abs(value - sum(p[0] for p in parts)) <= 1e-14 * scale + sum(p[1] for p in parts)


def hermite(stage: Pointwise, mean: float, variance: float, nodes: int) -> Moments:
    """Return the moments by Gauss–Hermite quadrature, which converges for smooth maps of narrow Gaussians."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    y: Array = stage((mean + math.sqrt(variance) * x)[None])[0]
    w = w / w.sum()
    return Moments(float(w @ y), float(w @ y**2))


@pytest.mark.parametrize("name", [*STRIPS, "gelu", "snake"])
def test_smooth_maps_agree_with_gauss_hermite(name: str) -> None:
    stage = Pointwise(name)
    for mean, variance in ((0.0, 0.09), (0.4, 0.25), (-1.0, 0.04)):
        found, nodes = gaussian_moments(stage, mean=mean, variance=variance), hermite(stage, mean, variance, 60)
        assert found.mean == pytest.approx(nodes.mean, rel=0, abs=1e-14)
        assert found.power == pytest.approx(nodes.power, rel=0, abs=1e-14)


def test_the_sum_keeps_its_bound_where_gauss_hermite_fails() -> None:
    """Wide Gaussians: tanh is nearly a sign, whose power is 1 − E sech², about 1 − 2/(σ√(2π)); 60 nodes miss it."""
    s = 300.0
    found = gaussian_moments(Pointwise("tanh"), variance=s * s)
    exact = float(1 - 2 / (s * sp.sqrt(2 * sp.pi).evalf(20)))  # ∫ sech² = 2, the density flat to 1/σ²
    assert abs(found.power - exact) < 1 / s**3
    assert abs(hermite(Pointwise("tanh"), 0, s * s, 60).power - exact) > 1 / s**3


def test_relu_and_leaky_exactly() -> None:
    """SymPy integrates the definition: 1/π, and (1 − a)²/(π(1 + a²)), for any σ."""
    x, s, a = sp.symbols("x sigma a", positive=True)
    density = sp.exp(-(x**2) / (2 * s**2)) / (s * sp.sqrt(2 * sp.pi))
    half = [sp.integrate(x**n * density, (x, 0, sp.oo)) for n in (1, 2)]
    relu = sp.simplify(half[0] ** 2 / half[1])
    leaky = sp.simplify((half[0] - a * half[0]) ** 2 / (half[1] + a**2 * half[1]))
    assert relu == 1 / sp.pi
    assert sp.simplify(leaky - (1 - a) ** 2 / (sp.pi * (1 + a**2))) == 0
    for variance in (1e-6, 1.0, 50.0):
        assert gaussian_moments(Pointwise("relu"), variance=variance).offset_ratio == pytest.approx(
            1 / math.pi, rel=1e-15
        )
        for slope in (0.01, 0.1, 0.2):
            found = gaussian_moments(Pointwise("leaky", (slope,)), variance=variance)
            assert found.offset_ratio == pytest.approx(float(leaky.subs(a, slope)), rel=1e-14)


def test_snake_and_elu_exactly() -> None:
    """SymPy integrates the definitions symbolically in σ."""
    x, s = sp.symbols("x sigma", positive=True)
    density = sp.exp(-(x**2) / (2 * s**2)) / (s * sp.sqrt(2 * sp.pi))
    snake = sp.integrate((sp.sin(x) ** 2).rewrite(sp.exp).expand() * density, (x, -sp.oo, sp.oo))
    below = sp.integrate((sp.exp(-x) - 1) * density, (x, 0, sp.oo))
    above = sp.integrate(x * density, (x, 0, sp.oo))
    for value in (0.3, 1.0, 2.5):
        at = {s: sp.Float(value, 30)}
        found = gaussian_moments(Pointwise("snake"), variance=value**2)
        assert found.mean == pytest.approx(float(sp.re(snake.subs(at).evalf(25))), abs=1e-15)
        elu = gaussian_moments(Pointwise("elu"), variance=value**2)
        assert elu.mean == pytest.approx(float((above + below).subs(at).evalf(25)), abs=1e-15)


def test_gelu_at_zero_mean() -> None:
    """σ²/√(2π(1+σ²)), and σ²/4 + σ² asin(σ²/(1+σ²))/(2π) + σ⁴/(π(1+σ²)√(1+2σ²))."""
    for v in (0.01, 1.0, 7.0):
        found = gaussian_moments(Pointwise("gelu"), variance=v)
        assert found.mean == pytest.approx(v / math.sqrt(2 * math.pi * (1 + v)), rel=1e-14)
        power = v / 4 + v * math.asin(v / (1 + v)) / (2 * math.pi) + v * v / (math.pi * (1 + v) * math.sqrt(1 + 2 * v))
        assert found.power == pytest.approx(power, rel=1e-13)


OFFSETS = {
    "relu": 0.3183,
    "leaky": 0.3119,
    "tanh": 0.0,
    "sigmoid": 0.8521,
    "elu": 0.04,
    "gelu": 0.1871,
    "silu": 0.12,
    "softplus": 0.7053,
    "snake": 0.143,
    "glu": 0.0,
}


def test_what_each_map_makes_of_a_unit_gaussian() -> None:
    """Every name of POINTWISE has a share; drawn samples have it too, within five standard errors."""
    assert set(OFFSETS) == set(POINTWISE)
    assert set(CLOSED) | set(STRIPS) | {"glu"} == set(POINTWISE)
    x = np.random.default_rng(0).standard_normal((2, 200_000))
    for name in POINTWISE:
        y = Pointwise(name)(x)
        found = gaussian_moments(Pointwise(name))
        assert round(found.offset_ratio, 4) == OFFSETS[name]
        for value, sample in ((found.mean, y), (found.power, y**2)):
            assert abs(sample.mean() - value) <= 5 * sample.std() / math.sqrt(y.size)


def test_odd_maps_and_gates_make_no_offset_of_a_zero_mean() -> None:
    for variance in (0.01, 1.0, 100.0):
        assert gaussian_moments(Pointwise("tanh"), variance=variance).mean == 0
        glu = gaussian_moments(Pointwise("glu"), variance=variance)
        assert (glu.mean, glu.offset_ratio, glu.offset_db) == (0.0, 0.0, None)
        assert gaussian_moments(Pointwise("sigmoid"), variance=variance).mean == pytest.approx(0.5, abs=1e-15)


def test_a_gate_of_independent_halves() -> None:
    """The product of a Gaussian and an independent sigmoid, by a double Gauss–Hermite sum."""
    nodes, w = np.polynomial.hermite_e.hermegauss(50)
    w = w / w.sum()
    x = 0.6 + 0.8 * nodes
    y = Pointwise("glu")(np.stack([np.repeat(x, 50), np.tile(x, 50)]))[0]
    both = np.outer(w, w).ravel()
    found = gaussian_moments(Pointwise("glu"), mean=0.6, variance=0.64)
    assert found.mean == pytest.approx(float(both @ y), abs=1e-12)
    assert found.power == pytest.approx(float(both @ y**2), abs=1e-12)


def test_no_variance_is_a_number() -> None:
    found = gaussian_moments(Pointwise("elu"), mean=-1.0, variance=0)
    assert found.mean == math.expm1(-1.0)
    assert found.variance == 0
    assert found.offset_ratio == 1
    assert gaussian_moments(Pointwise("relu"), mean=-1.0, variance=0).offset_ratio == 0


def test_wide_gaussians_do_not_overflow() -> None:
    for stage in MAPS:
        found = gaussian_moments(stage, mean=-30.0, variance=1e6)
        assert math.isfinite(found.mean)
        assert found.power >= found.mean**2


REFUSALS: dict[str, tuple[Any, type[Exception], str]] = {
    "negative": (
        lambda: gaussian_moments(Pointwise("relu"), variance=-1),
        ValueError,
        "variance: got -1.0; allowed: a",
    ),
    "wide": (lambda: gaussian_moments(Pointwise("silu"), variance=1e9), ValueError, r"variance: got 1e\+09; .*silu"),
    "nan": (lambda: gaussian_moments(Pointwise("relu"), mean=math.nan), ValueError, "mean: got nan"),
    "layer": (
        lambda: gaussian_moments(TransposedConv(np.ones((1, 1, 2)))),  # type: ignore[arg-type]
        TypeError,
        "pointwise map: got TransposedConv",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    call, error, words = REFUSALS[name]
    with pytest.raises(error, match=words):
        call()
