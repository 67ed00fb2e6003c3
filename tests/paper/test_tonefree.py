"""Claims about tone-free layers, UA-T28 to UA-T31: exact on integers, Fractions and symbols, by ways of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.stats import norm

from dspref import Conv, NotAnalysable, Pointwise, TransposedConv
from dspref.arrays import Array
from dspref.designs import longest_order, notch_cost, projector, tone_free
from dspref.expected import Drawn, Source, phase_variances, rarity, remaining_lines

U = 2.0**-53

SHAPES = [(4, 2, 1), (5, 2, 1), (4, 2, 2), (7, 3, 1), (7, 3, 3), (5, 4, 1), (8, 4, 2), (9, 3, 4)]
"""K, s and p."""


def exact(rng: np.random.Generator, *shape: int) -> Array:
    """Return drawn Fractions."""
    return np.array([Fraction(int(v), 7) for v in rng.integers(-20, 21, np.prod(shape))], object).reshape(shape)


def layers(rng: np.random.Generator, K: int, s: int, free: Callable[[Array, int], Array]) -> list[TransposedConv]:
    """Return two branches of one length, and what comes behind them."""
    first = [TransposedConv(free(exact(rng, 2, 4, K), s), stride=s, bias=exact(rng, 4)) for _ in range(2)]
    return [*first, TransposedConv(free(exact(rng, 2, 1, K + 1), s), stride=s, bias=exact(rng, 1))]


def network(x: Array, a: Any, b: Any, last: Any, conv: Any, *, one: bool = False) -> Array:
    """Return a map of a sum of two upsamplers, a gate, a convolution, and one more upsampler; `one` has no time."""
    y = abs(a(x) + b(x) * b(x))  # a rectifier, and a square
    y = y[:2] * (1 / (1 + y[2:] * y[2:]))  # a gate
    y = conv(y)
    return np.asarray(last(y if one else y[:, 2:-2]))


def steady(layer: Any) -> Callable[[Array], Array]:
    """Return what a layer does to constants (channel,): by the sums of its taps in each phase, which must be one."""
    gains = layer.normal.phase_gains
    assert (gains == gains[:1]).all()
    return lambda mu: gains[0] @ mu + (0 if layer.bias is None else layer.bias)


@pytest.mark.parametrize(("K", "s"), [(4, 2), (5, 2), (7, 3), (4, 4), (9, 4)])
def test_t28_constants_stay_constants(K: int, s: int) -> None:
    """In exact arithmetic, and the constant is the one that scalars give."""
    rng = np.random.default_rng(K * s)
    parts = [*layers(rng, K, s, tone_free), Conv(exact(rng, 2, 2, 3), bias=exact(rng, 2))]
    mu = exact(rng, 2)
    y = network(np.repeat(mu[:, None], 24, axis=1), *parts)[0]
    inner = y[len(y) // 2 - 3 * s * s : len(y) // 2 + 3 * s * s]
    assert (inner == network(mu, *map(steady, parts), one=True)[0]).all()


def test_t28_one_layer_that_is_not_tone_free_is_enough() -> None:
    rng = np.random.default_rng(3)
    a, b, last = layers(rng, 4, 2, tone_free)
    conv, x = Conv(exact(rng, 2, 2, 3)), np.repeat(exact(rng, 2)[:, None], 24, axis=1)
    raw = layers(rng, 4, 2, lambda h, s: h)
    for changed in ((raw[0], b, last), (a, raw[1], last), (a, b, raw[2])):
        y = network(x, *changed, conv)[0]
        assert len(set(y[len(y) // 2 - 12 : len(y) // 2 + 12].tolist())) > 1


@pytest.mark.parametrize(("K", "s", "p"), SHAPES)
def test_t28_polynomials_stay_polynomials(K: int, s: int, p: int) -> None:
    """Of a degree below p: their p-th differences are 0. Of degree p they are not, but for taps chosen so."""
    rng = np.random.default_rng(10 * K + s)
    layer = TransposedConv(tone_free(exact(rng, 1, 1, K), s, order=p), stride=s)
    conv = Conv(exact(rng, 1, 1, 3))
    for degree in range(p + 1):
        x = np.array([[Fraction(n) ** degree for n in range(24)]], object)
        y = conv(layer(x))[0, K + 3 : -K - 3]
        assert bool((np.diff(y, p) == 0).all()) == (degree < p)


def patterns(K: int, s: int, p: int) -> Iterator[Array]:
    """Yield the tone-free taps next to every pattern of ±1."""
    P = projector(K, s, order=p)
    return (P @ np.array(signs, object) for signs in product((-1, 1), repeat=K))


def variances(h: Array, s: int, R: tuple[int, ...]) -> list[Any]:
    """Return the variance of each phase of noise of covariance R through taps, term by term."""
    phases = [h[r::s] for r in range(s)]
    return [
        sum(g[i] * g[j] * R[abs(i - j)] for i in range(len(g)) for j in range(len(g)) if abs(i - j) < len(R))
        for g in phases
    ]


@pytest.mark.parametrize(("K", "s", "p"), [(4, 2, 1), (5, 2, 1), (5, 2, 2), (7, 3, 2), (6, 4, 1)])
def test_t29_variances_and_their_spread_are_those_of_all_patterns(K: int, s: int, p: int) -> None:
    """Means with ==; covariances through the line behind relu, whose mean √(v/2π) has the slope 1/√(8πv)."""
    R = (5, 1, -1)
    v = np.array([variances(h, s, R) for h in patterns(K, s, p)], object)
    mean = v.sum(axis=0) / Fraction(len(v))
    assert (mean == phase_variances(K, s, order=p, covariance=R)).all()
    spread = ((v - mean).T @ (v - mean) / Fraction(len(v))).astype(float)
    slope = 1 / np.sqrt(8 * np.pi * mean.astype(float))
    turn = np.exp(-2j * np.pi * np.outer(np.arange(s // 2 + 1), np.arange(s)) / s)
    due = np.einsum("kr,kq,r,q,rq->k", turn, turn.conj(), slope, slope, spread).real / s**2
    layer = Drawn("convt", 1, 1, K, s, weight=1, bias=0, kurtosis=1)  # signs have E w⁴ = 1
    found = remaining_lines(layer, Pointwise("relu"), Source(1, covariance=R), order=p)
    assert np.abs(found.narrow - due).max() <= 100 * K * U * (slope @ np.abs(spread) @ slope)
    wide = np.abs(turn @ np.sqrt(mean.astype(float) / (2 * np.pi)) / s) ** 2
    assert np.abs(found.wide - wide).max() <= 100 * K * U * wide.max()


@pytest.mark.parametrize(("n", "s"), [(1, 4), (2, 2), (2, 5), (3, 3)])
def test_t29_of_order_1_and_whole_overlap_phases_are_alike(n: int, s: int) -> None:
    """Whatever the noise; of partial overlap, or order 2, they are not."""
    assert set(phase_variances(n * s, s).tolist()) == {n - 1 + Fraction(1, s)}
    assert len(set(phase_variances(n * s, s, covariance=(3, Fraction(1, 2), -1)).tolist())) == 1
    assert len(set(phase_variances(n * s + 1, s).tolist())) > 1
    if n > 1 and s > 2:
        assert len(set(phase_variances(n * s, s, order=2).tolist())) > 1


@pytest.mark.parametrize(("K", "p"), [(4, 2), (4, 3), (6, 2), (7, 2)])
def test_t29_phases_of_factor_2_mirror_each_other(K: int, p: int) -> None:
    """Taps backwards are tone-free, too, and of an even number of them what was of one phase is of the other then."""
    v = phase_variances(K, 2, order=p, covariance=(3, Fraction(1, 2), -1))
    assert (v[0] == v[1]) == (K % 2 == 0)


def test_t29_lines_are_those_of_quadrature() -> None:
    """Of a map without a closed form, by Gauss and Hermite; its error is what twice the nodes change."""
    found = remaining_lines(
        Drawn("convt", 8, 8, 7, 4, weight=Fraction(1, 8), bias=0), Pointwise("softplus"), Source(8, covariance=(1.0,))
    )
    v = np.array([6, 6, 6, 2]) / 5
    levels = []
    for nodes in (48, 96):
        x, w = np.polynomial.hermite_e.hermegauss(nodes)
        m = np.logaddexp(0, np.sqrt(v)[:, None] * x) @ w / w.sum()
        levels.append(np.abs(np.fft.fft(m) / 4)[:3] ** 2)
    assert np.abs(found.variances - v).max() <= 10 * U
    assert np.abs(found.wide - levels[1]).max() <= np.abs(levels[1] - levels[0]).max() + 100 * U
    assert levels[1][1] > 1e-4 * levels[1][0]


@pytest.mark.parametrize(("K", "s", "p"), SHAPES)
def test_t30_the_projection_is_that_on_multiples_of_the_box(K: int, s: int, p: int) -> None:
    """Symmetric, its own square, of the rank that they have; and it keeps each of them."""
    P = projector(K, s, order=p)
    box = np.array([1], object)
    for _ in range(p):
        box = np.convolve(box, np.ones(s, int).astype(object))
    free = K + 1 - len(box)
    for i in range(free):
        multiple = np.concatenate([np.zeros(i, int), box, np.zeros(free - 1 - i, int)]).astype(object)
        assert (P @ multiple == multiple).all()
    assert (P.T == P).all()
    assert (P @ P == P).all()
    assert P.trace() == free == K - p * (s - 1)
    with pytest.raises(NotAnalysable, match=f"at most {longest_order(K, s)}"):
        projector(K, s, order=longest_order(K, s) + 1)


@pytest.mark.parametrize(("K", "s", "p"), SHAPES[:5])
def test_t30_the_response_is_that_of_all_patterns(K: int, s: int, p: int) -> None:
    """Its autocorrelation, exactly."""
    due = np.zeros(K, object)
    for h in patterns(K, s, p):
        due += [(2 - (d == 0)) * (h[d:] * h[: K - d]).sum() for d in range(K)]
    assert notch_cost(K, s, order=p).cosines == tuple(due / Fraction(2**K))


@pytest.mark.parametrize(("n", "s"), [(1, 3), (2, 2), (2, 8), (3, 5)])
def test_t30_of_order_1_by_dirichlet_kernels(n: int, s: int) -> None:
    nu, K = (np.arange(400) + 0.5) / 801, n * s

    def D(m: int, x: Array) -> Array:
        return np.asarray(np.sin(np.pi * m * x) / np.sin(np.pi * x))

    due = 1 - (D(n, s * nu) / n) ** 2 + (D(K, nu) / K) ** 2
    cost = notch_cost(K, s)
    sizes = float(sum(abs(c) for c in cost.cosines)) / K
    # the sines turn by at most πK, and are divided by at least sin(π/1602)
    assert np.abs(cost.gain(nu) - due).max() <= 8 * np.pi * K * U * (sizes + 1602 / np.pi)


@pytest.mark.parametrize(("K", "s", "p"), [(6, 3, 1), (14, 7, 2), (16, 8, 1), (11, 5, 2)])
def test_t30_nulls_have_no_power(K: int, s: int, p: int) -> None:
    """What rounds to either side of 0 there is none, and just beside them there is some."""
    cost, nulls = notch_cost(K, s, order=p), np.arange(1, s) / s
    assert np.isneginf(cost.db(nulls)).all()
    assert (cost.gain(nulls) >= 0).all()
    assert np.isfinite(cost.db(nulls + 0.1 / K)).all()


NUMBERS = {
    (2, 1): (-1.25, 0.0, 0.0, 0.772),
    (2, 2): (-3.01, -0.97, -2.22, 0.578),
    (4, 1): (-2.04, 0.0, 0.0, 0.765),
    (4, 2): (-6.02, -1.18, -2.63, 0.564),
    (8, 1): (-2.5, 0.0, 0.0, 0.764),
    (8, 2): (-9.03, -1.23, -2.74, 0.56),
}
"""By s and p, of K = 2s taps: dB of all power, at 0 Hz, at 1/(2s); the −3 dB edge times s."""


@pytest.mark.parametrize(("s", "p"), NUMBERS)
def test_t30_numbers(s: int, p: int) -> None:
    """The edge by a search of its own; nulls at k/s; and that order 1 costs at most half a dB up to 1/(2s)."""
    cost = notch_cost(2 * s, s, order=p)
    P = projector(2 * s, s, order=p).astype(float)

    def power(nu: float) -> float:
        e = np.exp(-2j * np.pi * nu * np.arange(2 * s))
        return float((e.conj() @ P @ e).real) / (2 * s)

    fine = np.arange(2000) / (2000 * s)
    edge = fine[np.argmax(np.array([power(nu) for nu in fine]) < power(0) / 2)]
    levels = [10 * np.log10(gain) for gain in (float(cost.kept), power(0), power(0.5 / s))]
    assert [round(level, 2) + 0.0 for level in levels] == list(NUMBERS[s, p][:3])
    assert abs(edge * s - NUMBERS[s, p][3]) <= 1e-3
    assert abs(cost.edge - edge) <= 1 / (2000 * s)
    assert all(float(cost.gain(k / s)) <= 8 * s * U * s for k in range(1, s))
    if p == 1:
        assert cost.db(np.arange(100) / (200 * s)).min() >= -0.5


Q, S2, B, A = (sp.Symbol(name, positive=True) for name in ("q", "s2", "b", "a"))


def density(x: Any, variance: Any) -> Any:
    """Return the density of Gauss, symbolically."""
    return sp.exp(-(x**2) / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)


def test_t31_the_mean_moves_by_the_density_at_the_kink() -> None:
    """Of slopes a and 1: ``E f(b + √q Z) = a b + (1 − a)(b Φ(b/√q) + q φ_q(b))``, from the integral, then its slope."""
    x = sp.Symbol("x", real=True)
    above = sp.integrate(x * density(x - B, Q), (x, 0, sp.oo))  # E max(·, 0)
    mean = A * B + (1 - A) * above  # as max(x, 0) − a max(−x, 0) = a x + (1 − a) max(x, 0)
    assert sp.simplify(sp.diff(mean, Q) - (1 - A) / 2 * density(B, Q)) == 0


def test_t31_moments_of_the_density_over_offsets() -> None:
    """Integrals of its square and its fourth power over all offsets, in symbols, make the formula; it says numbers."""
    x = sp.Symbol("x", real=True)
    square, fourth = (sp.integrate(density(x, Q) ** p * density(x, S2), (x, -sp.oo, sp.oo)) for p in (2, 4))
    due = (2 * S2 + Q) / sp.sqrt(Q * (4 * S2 + Q))
    assert sp.simplify(fourth / square**2 / due) == 1
    assert sp.limit(due / sp.sqrt(S2 / Q), S2, sp.oo) == 1
    for q, variance in ((1, 0), (3, 2), (1, 10**8), (10**-8, 7)):
        told = float(due.subs({Q: q, S2: variance}))
        assert abs(rarity(q, variance) - told) <= 10 * U * told


def relu_means(v: Array | float, b: Array) -> Array:
    """Return ``E max(b + √v Z, 0)``."""
    s = np.sqrt(v)
    return np.asarray(b * norm.cdf(b / s) + s * norm.pdf(b / s))


def slopes(v: Array | float, b: Array, a: float = 0.25) -> Array:
    """Return ``E f(b + √v Z)`` of the slopes a and 1."""
    return a * b + (1 - a) * relu_means(v, b)


def lines(q: Array | float, offsets: float, draws: int, channels: int = 1, share: float = 0.02) -> Array:
    """Return the power of the line at Nyquist in channels of drawn offsets; the phases differ by shares of q."""
    rng = np.random.default_rng(31)
    b = np.sqrt(offsets) * rng.standard_normal((draws, channels))
    return ((slopes(q * (1 + share), b) - slopes(q * (1 - share), b)) / 2) ** 2


@pytest.mark.parametrize("variance", [0.01, 1.0, 30.0, 1000.0])
def test_t31_drawn_layers_have_few_channels_with_lines(variance: float) -> None:
    """Of taps drawn and made tone-free: the fourth moment is that of the δ_r times the formula, to 4 standard errors.

    And 2 % for terms of higher order in δ and 1/C, C = 64.
    """
    rng, s, K, C = np.random.default_rng(31), 4, 8, 64
    h = rng.uniform(-1, 1, (4000, C, K)) @ projector(K, s).astype(float)
    v = np.stack([(h[..., r::s] ** 2).sum(axis=(1, 2)) for r in range(s)], axis=-1)
    q = v.mean()
    own = np.abs(np.fft.fft(v)[:, 1]) ** 2
    b = np.sqrt(q * variance) * rng.standard_normal((100, 4000, 1))
    power = np.abs(np.fft.fft(slopes(v, b))[..., 1]) ** 2
    due = rarity(1.0, variance) * (own**2).mean() / own.mean() ** 2
    parts = [(a**2).mean() / a.mean() ** 2 for a in np.split(power, 20)]
    found = float((power**2).mean() / power.mean() ** 2)
    assert abs(found - due) <= 4 * float(np.std(parts, ddof=1)) / np.sqrt(20) + 0.02 * due


def test_t31_louder_noise_has_more_lines_and_none_that_is_higher() -> None:
    """√q of the channels, for loud offsets; the highest line over its floor is that at the kink, (1 − a)² (δ/q)²/8π."""
    draws, shares = 400_000, []
    most = (0.75 * 0.02) ** 2 / (8 * np.pi)
    for q in (1e-5, 1e-3):
        over = lines(q, 1.0, draws)[:, 0] / q
        assert abs(over.max() / most - 1) < 0.01
        shares.append(float((over > most / 10).mean()))
    n = draws * np.array(shares)
    assert abs(shares[1] / shares[0] - 10) <= 4 * 10 * np.sqrt((1 / n).sum())


def test_t31_few_channels_have_no_line_in_most_draws() -> None:
    """Offsets of 100 times the amplitude of the noise: of 4 channels one has a line in few draws, of 1000 in all."""
    q, shares = 1e-4, []
    for channels in (4, 1000):
        mean = lines(q, 1.0, 4000, channels).mean(axis=1)
        shares.append(float((mean > lines(q, 1.0, 400_000).mean() / 10).mean()))
    assert shares[0] < 0.2
    assert shares[1] > 0.99


def test_t31_the_ratio_of_means_is_above_the_mean_of_ratios() -> None:
    """By e^{s²/2} for ln q of variance s², by quadrature over q; to 1 %, as offsets are loud, not infinitely."""
    x, w = np.polynomial.hermite_e.hermegauss(24)
    spread, w = 0.8, w / w.sum()
    q = 1e-4 * np.exp(spread * x)
    b = np.linspace(-1, 1, 200_001)
    power = np.array([lines_at(b, each) for each in q])
    gap = (w @ power) / (w @ q) / (w @ (power / q))
    assert abs(gap / np.exp(spread**2 / 2) - 1) < 0.01


def lines_at(b: Array, q: float) -> float:
    """Return the mean power over offsets, which are alike loud as far as the noise reaches."""
    return float((((slopes(q * 1.02, b) - slopes(q * 0.98, b)) / 2) ** 2).mean())
