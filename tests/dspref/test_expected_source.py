"""Noise of a given density: its autocovariance against series that are known, and against filters of white noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from dspref.arrays import Array
from dspref.chain import Pointwise
from dspref.expected import Drawn, Fixed, Source, Step, expected_spectrum
from dspref.expected.density import autocovariance, spectrum_of

EPS = np.finfo(float).eps


def squared(h: Array) -> Callable[[Array], Array]:
    """Return ``|Σ h_k e^{−j2πνk}|²``."""
    return lambda nu: np.abs(np.exp(-2j * np.pi * np.multiply.outer(nu, np.arange(len(h)))) @ h) ** 2


def test_an_autoregressive_noise_has_its_series() -> None:
    """``S = 1/|1 − a e^{−j2πν}|²`` has ``r_τ = a^τ/(1 − a²)``; what is folded back is below 1e−38 of it."""
    a, N = 0.8, 400
    r = np.array(autocovariance(lambda nu: 1 / squared(np.array([1, -a]))(nu), points=N))
    due = a ** np.arange(N) / (1 - a**2)
    rounding = EPS * math.log2(4 * N) * due[0]
    assert len(r) < N
    assert np.abs(r - due[: len(r)]).max() <= 10 * rounding
    assert due[len(r)] <= 2 * rounding  # what was dropped


def test_the_density_passes_through_all_samples() -> None:
    """Also where it cannot decay: 9 random samples are 9 lags; without a network the floor is the density."""
    S = 3 + np.random.default_rng(0).uniform(size=9)
    source = Source.of_density(2, S)
    assert len(source.covariance) == 9
    assert np.abs(expected_spectrum([], source).floor(np.linspace(0, 0.5, 9)) - S).max() <= 64 * EPS * S.max()
    mean = np.append(S, S[-2:0:-1]).mean()
    assert source.power == pytest.approx(mean, rel=1e-14)
    assert Source.of_density(2, S, power=2.5, constant=3.0).power == pytest.approx(2.5 + 9, rel=1e-14)


def test_the_spectrum_is_the_sum_of_cosines() -> None:
    r, k = np.array([2.0, 0.3, -0.5, 0.1]), np.arange(9)
    due = r[0] + 2 * np.cos(2 * np.pi * np.outer(k, np.arange(1, 4)) / 16) @ r[1:]
    assert np.abs(spectrum_of(r, 16) - due).max() <= 1e-15 * 16


def test_a_band_with_edges_needs_the_taper_that_never_falls_below_zero() -> None:
    """Under the taper the density at any ν is the mean of the samples under Fejér's kernel, of order N, period 1."""
    N = 17
    S = (np.abs(np.arange(N) - 8) <= 3).astype(float)
    with pytest.raises(ValueError, match=r"density between its samples: got -0\.\d+; .*tapered=True"):
        Source.of_density(1, S)
    source = Source.of_density(1, S, tapered=True)
    nu, M = np.linspace(0, 0.5, 101), 2 * (N - 1)
    apart = nu[:, None] - np.arange(M) / M
    lag = np.arange(1, N)
    kernel = 1 + 2 * np.cos(2 * np.pi * apart[..., None] * lag) @ ((1 - lag / N) * np.where(lag == N - 1, 0.5, 1))
    due = kernel @ np.append(S, S[-2:0:-1]) / M
    found = expected_spectrum([], source).floor(nu)
    assert np.abs(found - due).max() <= 1e-13
    assert found.min() >= -1e-14
    assert source.covariance[0] == pytest.approx(7 / 16, rel=1e-14)


H = np.array([0.5, 1.0, -0.3, 0.2])

NETS: dict[str, list[Step]] = {
    "relu": [Drawn("conv", 4, 4, 3), Pointwise("relu"), Drawn("convt", 4, 4, 6, factor=4), Pointwise("relu")],
    "partial overlap": [Drawn("convt", 4, 4, 3, factor=2), Pointwise("silu"), Drawn("conv", 4, 4, 2, factor=3)],
    "interpolated": [Fixed(np.array([0.5, 1, 0.5]), 2, 1), Drawn("conv", 4, 4, 1), Pointwise("leaky", (0.2,))],
}


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_noise_of_a_density_is_white_noise_behind_a_filter_of_that_response(net: list[Step]) -> None:
    """Two ways to one noise: Fixed(h) of white noise, and ``S = |H|²``; all behind them is the same."""
    white, coloured = Source(4, covariance=(1.0,)), Source.of_density(4, squared(H), points=8)
    filtered = expected_spectrum([Fixed(H), *net], white)
    found = expected_spectrum(net, coloured)
    assert found.lines is not None
    assert filtered.lines is not None
    assert np.abs(found.lines - filtered.lines).max() <= 1e-13 * max(found.lines.max(), found.noise)
    nu = np.linspace(0, 0.5, 33)
    assert np.abs(found.floor(nu) - filtered.floor(nu)).max() <= 1e-13 * found.floor(nu).max()
    assert found.noise > 0


def test_the_floor_behind_drawn_layers_is_the_density_as_often_as_the_rate_is_raised() -> None:
    """``g_1 K_1 (g_2 K_2/s) S(sν)``: drawn kernels are white on average, a stretch repeats the spectrum s times."""
    conv, up = Drawn("conv", 4, 4, 3), Drawn("convt", 4, 4, 8, factor=4)
    nu = np.linspace(0, 0.5, 41)
    gain = float(conv.gain * 3 * up.gain * 2)
    found = expected_spectrum([conv, up], Source.of_density(4, squared(H), points=6))
    assert np.abs(found.floor(nu) - gain * squared(H)(4 * nu)).max() <= 1e-13 * gain


def test_independent_sources_add() -> None:
    """Constants as amplitudes, noises as powers: and so do the lines of a linear network add."""
    one, other = Source(2, constant=1.0, covariance=(1.0, 0.2, 0.1)), Source(2, constant=-3.0, covariance=(0.5,))
    both = one + other
    assert both == Source(2, constant=-2.0, covariance=(1.5, 0.2, 0.1))
    net = [Drawn("convt", 2, 2, 3, factor=2, bias=0)]
    found, parts = expected_spectrum(net, both), [expected_spectrum(net, each) for each in (one, other)]
    assert found.noise == pytest.approx(sum(part.noise for part in parts), rel=1e-14)
    assert found.line(1) == pytest.approx(4 * parts[0].line(1), rel=1e-14)
    assert parts[1].line(1) == pytest.approx(9 * parts[0].line(1), rel=1e-14)
    with pytest.raises(ValueError, match="channels of sources: got 2 and 3"):
        one + Source(3)
    with pytest.raises(TypeError):
        one + 1.0  # type: ignore[operator]


def test_mono_noise_stays_mono_in_a_sum_and_no_noise_is_not_mono() -> None:
    mono, wide, quiet = Source(2, covariance=(1.0,), mono=True), Source(2, covariance=(1.0,)), Source(2, mono=True)
    assert (mono + wide).mono
    assert (wide + mono).mono
    assert not (wide + quiet).mono
    assert Source.of_density(2, [1.0, 1.0], mono=True) == mono
    with pytest.raises(TypeError, match="mono: got 'yes'"):
        Source(2, mono="yes")  # type: ignore[arg-type]


BAD: dict[str, tuple[ArrayLike | Callable[[Array], ArrayLike], dict[str, Any], type[Exception], str]] = {
    "negative": ([1.0, -0.1, 1.0], {}, ValueError, "density: got -0.1; allowed: numbers >= 0"),
    "NaN": ([1.0, math.nan], {}, ValueError, "density: got nan at index"),
    "infinite": (lambda nu: nu + np.inf, {"points": 3}, ValueError, "density: got inf"),
    "zeros": ([0.0, 0.0], {}, ValueError, "density: got zeros alone"),
    "one": ([1.0], {}, ValueError, r"density: got shape \(1,\)"),
    "table": (np.ones((3, 3)), {}, ValueError, r"density: got shape \(3, 3\)"),
    "complex": ([1.0, 1j], {}, TypeError, "real numbers"),
    "a number of a function": (lambda nu: 1.0, {"points": 3}, ValueError, r"shape \(3,\), one number per frequency"),
    "no points": (lambda nu: nu, {}, ValueError, "points: got None; allowed: an integer >= 2"),
    "points of samples": ([1.0, 1.0], {"points": 2}, TypeError, "points: got 2; allowed: none for samples"),
    "power": ([1.0, 1.0], {"power": -1.0}, ValueError, "power: got -1.0"),
    "NaN power": ([1.0, 1.0], {"power": math.nan}, ValueError, "power: got nan"),
}


@pytest.mark.parametrize(("density", "options", "error", "words"), BAD.values(), ids=BAD)
def test_what_is_no_density_is_refused(
    density: ArrayLike | Callable[[Array], ArrayLike], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Source.of_density(1, density, **options)


def test_an_autocovariance_has_one_axis() -> None:
    with pytest.raises(ValueError, match=r"covariance: got shape \(2, 1\)"):
        Source(1, covariance=((1.0,), (0.5,)))  # type: ignore[arg-type]
