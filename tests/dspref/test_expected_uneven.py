"""Unevenness of noise behind maps: against closed forms given z, integrated adaptively, and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from dspref.chain import POINTWISE, Pointwise
from dspref.expected import Drawn, Gate, Source
from dspref.expected.combs import Levels
from dspref.expected.moments import Moments
from dspref.expected.reach import Reach
from dspref.expected.uneven import unevenness

RELU = Pointwise("relu")


def variance(z: float, s: float) -> float:
    """Return that of relu of a normal variable of mean z and deviation s."""
    p, d = norm.cdf(z / s), norm.pdf(z / s)
    return float((z * z + s * s) * p + z * s * d - (z * p + s * d) ** 2)


@pytest.mark.parametrize("c", [0.05, 0.3, 0.6, 0.9])
def test_relu_is_its_integral(c: float) -> None:
    first, second = (
        quad(lambda x, k=k: variance(math.sqrt(c) * x, math.sqrt(1 - c)) ** k * norm.pdf(x), -12, 12, limit=200)[0]
        for k in (1, 2)
    )
    assert unevenness(RELU, 1.0, c) == pytest.approx(second / first**2, rel=1e-2)


def test_a_gate_without_a_map_is_the_product_of_its_halves() -> None:
    """Of x y: R = (z² + D)(w² + D) − z² w², whose moments are those of squares of normal variables."""
    c, D = 0.4, 0.6
    first = 2 * c * D + D**2
    second = 2 * 3 * c**2 * D**2 + 2 * c**2 * D**2 + 4 * c * D**3 + D**4
    assert unevenness(Gate("identity", "identity"), 1.0, c) == pytest.approx(second / first**2, rel=1e-12)


@pytest.mark.parametrize("name", POINTWISE)
def test_it_is_one_at_least_and_without_an_offset(name: str) -> None:
    stage = Pointwise(name)
    assert unevenness(stage, 0.7, 0.0) == unevenness(stage, 0.7, 0.7) == 1
    assert unevenness(stage, 0.7, 0.35) >= 1 - 1e-12


def test_the_next_layer_sums_over_it() -> None:
    """``T' = g² (T + E R²/C)`` behind a kernel of one tap, the same for levels and for matrices."""
    one, C = Drawn("conv", 64, 64, 1, bias=0), 64
    for kind in (Moments, Levels):
        x = kind.of(Source(C, covariance=(1.0,)), asked=Reach(4, 4)).drawn(one).mapped(RELU).drawn(one)
        R2 = unevenness(RELU, float(np.mean(x.power)), float(x.F.mean() if isinstance(x, Moments) else x.v[0]))
        y = x.mapped(RELU)
        D = float(y.D[0, 0]) if isinstance(y, Moments) else y.noise
        assert R2 > 1.2
        due = float(one.gain) ** 2 * (y.spread.own[0] + R2 * D**2 / C)
        assert y.drawn(one).spread.own[0] == pytest.approx(due, rel=1e-14)


def test_sums_of_uneven_noise_are_less_uneven() -> None:
    """Of two equal parts, ``E (R₁ + R₂)²/(2D)² = (2u + 2)/4``."""
    x = Levels.of(Source(8, 1.0, (1.0,)), asked=Reach()).drawn(Drawn("conv", 8, 8, 1)).mapped(RELU)
    assert x.plus(x).spread.uneven == pytest.approx((2 * x.spread.uneven + 2) / 4, rel=1e-15)
