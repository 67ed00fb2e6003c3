"""Input that is none is refused in words, before any work: by TypeError, ValueError or NotAnalysable."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dspref.arrays import NotAnalysable
from dspref.chain import Chain, Pointwise
from dspref.expected import Comb, Drawn, Gate, Source, average_pool, expected_spectrum, fixed, forecast
from dspref.expected.dense import dense_moments
from dspref.expected.explain import explain
from dspref.expected.graph import Network, Node
from dspref.expected.kernelmaps import STEEPEST, kernel_map, mean_map
from dspref.expected.known import known_spectrum
from dspref.expected.laws import initialised, rescaled
from dspref.expected.mehler import coefficients

NOTHING: Any = None
CONV, RELU, ONE = Drawn("conv", 1, 1, 3), Pointwise("relu"), np.ones(1)
HUGE: Any = 10**400

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no source": (lambda: expected_spectrum([CONV], NOTHING), "source: got None"),
    "no source to forecast": (lambda: forecast([CONV], NOTHING), "source: got None"),
    "no source to explain": (lambda: explain([CONV], NOTHING), "source: got None"),
    "no source of short signals": (lambda: dense_moments([CONV], NOTHING, time=9), "source: got None"),
    "no source for a chain": (lambda: known_spectrum(Chain([]), NOTHING), "source: got None"),
    "no chain": (lambda: known_spectrum([1], Source(1)), r"chain: got \[1\]"),  # type: ignore[arg-type]
    "no steps": (lambda: expected_spectrum(NOTHING, Source(1)), "steps: got None"),
    "no nodes": (lambda: Network((1, 2)), r"nodes: got \(1, 2\)"),  # type: ignore[arg-type]
    "inputs in one word": (lambda: Node("a", CONV, "x"), "inputs of a: got 'x'"),  # type: ignore[arg-type]
    "inputs by number": (lambda: Node("a", CONV, (1,)), r"inputs of a: got \(1,\)"),  # type: ignore[arg-type]
    "no filter": (lambda: fixed(None), "filter: got None"),
    "endless pooling": (lambda: average_pool(10**12), "length: got 1000000000000"),
    "a map by name": (lambda: kernel_map("relu"), "map: got 'relu'"),  # type: ignore[arg-type]
    "a mean by name": (lambda: mean_map("relu", ONE), "map: got 'relu'"),  # type: ignore[arg-type]
    "nothing to rescale": (lambda: rescaled(NOTHING), "layer: got None"),
    "rescaled to nothing": (lambda: rescaled(CONV, float("nan")), "reference: got nan"),
    "nothing to draw": (lambda: initialised(NOTHING, "xavier"), "layer: got None"),
    "weights too small": (lambda: Drawn("conv", 1, 1, 1, weight=Fraction(1, HUGE)), "weight: got less than 1e-100"),
    "weights too large": (lambda: Drawn("conv", 1, 1, 1, weight=HUGE), "weight: got more than 1e\\+100"),
    "weights near the end of floats": (lambda: Drawn("conv", 1, 1, 1, weight=1e300), "weight: got 1e\\+300"),
    "two weights": (lambda: Drawn("conv", 1, 1, 1, weight=[1, 2]), "variance of the weight: got shape"),
    "icnr in words": (lambda: Drawn("shuffle", 1, 1, 1, icnr="no"), "icnr: got 'no'"),  # type: ignore[arg-type]
    "a loud constant": (lambda: Source(1, 1e200), "constant: got 1e\\+200"),
    "loud noise": (lambda: Source(1, 0.0, (1e200,)), "covariance: got 1e\\+200"),
    "two constants": (lambda: Source(1, [1, 2]), r"constant: got \[1, 2\]"),  # type: ignore[arg-type]
    "no covariance": (lambda: Source(1, 1.0, NOTHING), "covariance: got None"),
    "a loud density": (lambda: Source.of_density(1, [1e308] * 2), "density: got 1e\\+308"),
    "a slope that is none": (lambda: Pointwise("leaky", (float("nan"),)), "parameters of leaky: got nan"),
    "elu without end": (lambda: Pointwise("elu", (float("inf"),)), "parameters of elu: got inf"),
    "snake of a large parameter": (lambda: kernel_map(Pointwise("snake", (1e200,))), "snake: got 1e\\+200"),
    "snake of a small parameter": (lambda: kernel_map(Pointwise("snake", (1e-200,))), "snake: got 1e-200"),
    "a comb of none": (lambda: Comb(0, 1.0), "divisor: got 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_words(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises((TypeError, ValueError, NotAnalysable), match=words):
        make()


def test_a_mean_of_one_variance() -> None:
    assert float(mean_map(RELU, 2 * np.pi)) == pytest.approx(1.0, abs=1e-12)
    assert float(mean_map(Gate(RELU, "identity"), 1.0)) == 0


@pytest.mark.parametrize(("name", "widest"), list(STEEPEST.items()))
def test_maps_that_become_steps_end_where_their_series_does(name: str, widest: float) -> None:
    """At ρ = 1 its derivative is ``Σ j a_j² = q E φ′²``, which differences of ξ φ(√q ξ) know: within 0.11 dB."""
    V, q = kernel_map(Pointwise(name)), np.array(widest)
    f: Callable[[Any], Any] = np.tanh if name == "tanh" else lambda x: (1 + np.tanh(x / 2)) / 2
    a, rest = coefficients(f, np.array([widest]))
    found = (np.arange(a.shape[1]) * a[0] ** 2).sum() + a.shape[1] * rest[0]
    x = np.linspace(-40, 40, 400001) * (1.0 if name == "tanh" else 2.0)  # of √q ξ: the slope is gone beyond
    slope = np.gradient(f(x), x)
    due = widest * (slope**2 * np.exp(-(x**2) / (2 * widest))).sum() * (x[1] - x[0]) / np.sqrt(2 * np.pi * widest)
    assert abs(10 * np.log10(found / due)) < 0.11
    assert np.isfinite(V(q, q, q))
    with pytest.raises(ValueError, match="variance in front of a map"):
        V(2 * q, q, q)
