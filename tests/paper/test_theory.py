"""One test for each claim: its formula, written out here, beside what the library computes by another way."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspref import (
    Chain,
    Conv,
    Linear,
    Nearest,
    Pointwise,
    StretchFilter,
    SubpixelConv,
    TransposedConv,
    ZeroStuff,
    images,
    parse,
    stretch,
    tone_lines,
    whence,
)
from dspref.arrays import Array
from dspref.nulls import vanishes
from tests.strategies import QUIET

U = 2.0**-53
"""Unit roundoff of double precision."""

small = st.integers(-9, 9)
kernels = st.lists(small, min_size=1, max_size=12).filter(any)


def H(h: Array, nu: float) -> complex:
    return complex(np.exp(-2j * np.pi * nu * np.arange(len(h))) @ np.asarray(h, float))


def rounding(h: Array, *others: Array) -> float:
    """Return a bound of the rounding of a product of such sums: some 12 roundings per tap, as `_is_null` derives."""
    taps = sum(len(a) for a in (h, *others))
    return float(12 * taps * U * np.prod([np.abs(np.asarray(a, float)).sum() for a in (h, *others)]) + 1e-300)


def coefficients(y: Array, period: int) -> Array:
    """Return the complex Fourier coefficients of a periodic signal: of any whole number of its periods."""
    return np.asarray(np.fft.fft(y.reshape(-1, period).mean(axis=0)) / period)


def amplitudes(chain: Chain, *, offset: float = 1) -> list[complex]:
    """Return what the library says of the lines of one channel, from 0 on."""
    return [complex(line.amplitude[0]) for line in tone_lines(chain, offset=offset) if line.amplitude is not None]


@QUIET(max_examples=60)
@given(st.lists(small, min_size=1, max_size=9), st.integers(1, 6))
def test_t1_stretching_repeats_the_spectrum(x: list[int], L: int) -> None:
    N = len(x) * L
    assert np.allclose(np.fft.fft(stretch(x, L)), np.tile(np.fft.fft(x), L), rtol=0, atol=12 * N * U * np.abs(x).sum())


@QUIET(max_examples=60)
@given(kernels, st.integers(2, 7), st.integers(-5, 5), st.integers(0, 3))
def test_t2_an_offset_makes_lines(h: list[int], s: int, mu: int, p: int) -> None:
    """H(k/s)/s, its phase included, is what a long constant shows, run through the layer."""
    layer = TransposedConv(np.array([[h]]), stride=s, padding=min(p, (len(h) - 1) // 2))
    x = np.full((1, 40), mu)
    whole = layer(x)[0, s * (20 - len(h) // s) : s * 30]
    steady = whole[: len(whole) // s * s]
    seen = coefficients(steady, s)
    due = [mu * H(np.array(h), k / s) * np.exp(2j * np.pi * k / s * layer.padding) / s for k in range(s)]
    assert np.allclose(seen, due, rtol=0, atol=rounding(np.array(h)) * (1 + abs(mu)))
    told = amplitudes(Chain([layer]), offset=mu)
    assert np.allclose(told, due[: s // 2 + 1], rtol=0, atol=rounding(np.array(h)) * (1 + abs(mu)))


def test_t2_the_articles_position_is_the_first_of_them() -> None:
    """A layer ×6: "sampling rate / upsampling factor" is sr/6; 2·sr/6 and 3·sr/6 are there too."""
    chain = Chain([TransposedConv(np.array([[[1, 2, 4, 8, 16, 32]]]), stride=6)])
    assert [line.freq for line in tone_lines(chain)] == [Fraction(k, 6) for k in range(4)]
    assert min(map(abs, amplitudes(chain))) > 1


@QUIET(max_examples=40)
@given(st.lists(st.tuples(kernels, st.integers(1, 4)), min_size=1, max_size=4))
def test_t3_lines_of_a_chain(rows: list[tuple[list[int], int]]) -> None:
    """The product of H_i(S/(s_1⋯s_i) k/S) over S is the amplitude; places are those of UA-T3 and no others."""
    chain = Chain([TransposedConv(np.array([[h]]), stride=s) for h, s in rows])
    S = prod(s for _, s in rows)
    lines = tone_lines(chain)
    assert [line.freq for line in lines] == [Fraction(k, S) for k in range(S // 2 + 1)]
    for k, line in enumerate(lines):
        due = 1.0 + 0j
        for i, (h, _) in enumerate(rows):
            due *= H(np.array(h), prod(s for _, s in rows[i + 1 :]) * k / S)
        assert line.amplitude is not None
        assert abs(line.amplitude[0] - due / S) <= rounding(*(np.array(h) for h, _ in rows))


def test_t3_a_pointwise_map_keeps_the_places() -> None:
    """Behind a pointwise map a constant still has the period of the layers before: nothing off the grid."""
    rng = np.random.default_rng(3)
    layers = [TransposedConv(rng.standard_normal((1, 1, 7)), stride=s, bias=rng.standard_normal(1)) for s in (2, 3)]
    chain = Chain([layers[0], Pointwise("leaky", (0.2,)), layers[1], Pointwise("tanh")])
    y = chain(np.ones((1, 60)))[0, 60:300]
    steady = np.fft.fft(y) / y.size
    on_grid = np.arange(y.size) % (y.size // 6) == 0
    assert np.abs(steady[~on_grid]).max() <= 8 * U  # log2(240) additions each, of numbers of at most 1
    assert np.abs(steady[on_grid]).min() > 1e-6


def test_t4_whence() -> None:
    """The article's example: ×2 ×2 ×2 at 32 kHz."""
    chain = parse("convt k4 s2 | convt k4 s2 | convt k4 s2")
    owners = {khz: whence(chain, Fraction(khz, 32)).owner for khz in (4, 8, 12, 16)}
    assert owners == {4: 1, 8: 2, 12: 1, 16: 3}
    assert whence(chain, Fraction(5, 32)).owner is None
    rates = chain.rates(32000)
    for k in range(1, 5):
        freq = Fraction(k, 8)
        due = [i for i in (1, 2, 3) if (freq * 32000) % rates[i - 1] == 0]
        assert whence(chain, freq).origins == tuple(due)


@QUIET(max_examples=80)
@given(st.lists(small, min_size=1, max_size=10), st.integers(2, 6), st.booleans())
def test_t5_tone_free(g: list[int], s: int, boxed: bool) -> None:
    """Nulls, equal gains, divisibility by the box, constant overlap-add: all or none; each by its own way."""
    h = np.convolve(g, np.ones(s, int)) if boxed else np.array(g)
    gains = StretchFilter(s, h).phase_gains
    equal = bool((gains == gains[0]).all())
    nulls = [bool(vanishes(h, s // gcd(k, s))) for k in range(1, s)]
    small_at = [abs(H(h, k / s)) <= rounding(h) for k in range(1, s)]
    _quotient, remainder = np.polydiv(h[::-1].astype(float), np.ones(s))
    divides = (len(h) >= s and not np.rint(remainder).any()) or not h.any()
    summed = TransposedConv(h[None, None], stride=s)(np.ones((1, 30), int))[0, len(h) : 28 * s]
    assert equal == all(nulls) == all(small_at) == divides == bool((summed == summed[0]).all())
    assert nulls == small_at


@pytest.mark.parametrize(("K", "s"), [(3, 2), (8, 6), (8, 4), (5, 3), (16, 8), (7, 7), (2, 5)])
def test_t6_level_of_a_constant_kernel(K: int, s: int) -> None:
    c0, *rest = amplitudes(Chain([TransposedConv(np.ones((1, 1, K), int), stride=s)]))
    for k, c in enumerate(rest, 1):
        due = abs(np.sin(np.pi * k * K / s) / (K * np.sin(np.pi * k / s)))
        assert abs(abs(c / c0) - due) < 1e-14
        assert (k * K % s == 0) == bool(vanishes(np.ones(K, int), s // gcd(k, s)))
    if (K, s) == (3, 2):
        assert round(20 * np.log10(abs(rest[0] / c0)), 2) == -9.54


def test_t9_subpixel_and_its_like() -> None:
    """K·s taps; equal phase filters make no line; the bias of a sub-pixel convolution does."""
    w = np.arange(1, 7).reshape(2, 1, 3)
    assert SubpixelConv(w, 2).normal.h.shape[-1] == 3 * 2
    equal = SubpixelConv(np.tile(w[:1], (2, 1, 1)), 2)
    gains = equal.normal.phase_gains[:, 0, 0]
    assert gains.tolist() == [6, 6]
    biased = SubpixelConv(np.tile(w[:1], (2, 1, 1)), 2, bias=np.array([1, 3]))
    assert amplitudes(Chain([biased]), offset=0) == [2, -1]
    for layer in (Nearest(2), Nearest(5), Linear(2), Linear(3), Linear(4)):
        assert len(set(layer.normal.phase_gains.tolist())) == 1


@pytest.mark.parametrize("s", [2, 3, 4, 5, 6, 8])
def test_t11_interpolators_are_boxes(s: int) -> None:
    box = np.ones(s, int)
    assert Nearest(s).normal.h.tolist() == box.tolist()
    triangle = np.convolve(box, box)
    due = (
        [Fraction(int(t), s) for t in triangle]
        if s % 2
        else [Fraction(int(t), 2 * s) for t in np.convolve(triangle, [1, 1])]
    )
    assert Linear(s).normal.h.tolist() == due
    integers = np.array([int(2 * s * t) for t in Linear(s).normal.h])
    assert all(vanishes(integers, s // gcd(k, s)) for k in range(1, s))
    assert s % 2 or vanishes(integers, 2)
    if s == 2:
        assert [4 * t for t in due] == [1, 3, 3, 1]


def test_t14_stretch_alone() -> None:
    assert amplitudes(Chain([ZeroStuff(5)])) == [0.2, 0.2, 0.2]
    gains = [
        abs(complex(np.squeeze(i.gain))) for i in images(Chain([ZeroStuff(3)]), Fraction(1, 7)) if i.gain is not None
    ]
    assert np.allclose(gains, 1 / 3, rtol=4 * U, atol=0)


@QUIET(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_t17_known_weights(seed: int) -> None:
    """The sum over sources, written out: the input, and each bias behind its own layer, of s phases if sub-pixel."""
    rng = np.random.default_rng(seed)
    c = float(rng.standard_normal())
    stages: list[Conv | TransposedConv | SubpixelConv] = []
    for op in rng.permutation(["convt", "shuffle", "conv", "convt"])[: int(rng.integers(1, 5))]:
        s, K = int(rng.integers(2, 4)), int(rng.integers(1, 6))
        if op == "convt":
            stages.append(TransposedConv(rng.standard_normal((1, 1, K)), stride=s, bias=rng.standard_normal(1)))
        elif op == "shuffle":
            stages.append(SubpixelConv(rng.standard_normal((s, 1, K)), s, bias=rng.standard_normal(s)))
        else:
            stages.append(Conv(rng.standard_normal((1, 1, K)), padding=K // 2, bias=rng.standard_normal(1)))
    chain = Chain(stages)
    P = chain.factor
    after = [prod(int(stage.factor) for stage in stages[i + 1 :]) for i in range(len(stages))]
    offsets = 1 + abs(c) + sum(float(np.abs(stage.bias).max()) for stage in stages if stage.bias is not None)
    bound = offsets * rounding(*(np.append(np.abs(stage.normal.h).ravel(), 1) for stage in stages))

    def behind(i: int, k: int) -> complex:
        """Return the product of the responses of the layers i, i + 1, …, each at A_i k/P, delays included."""
        pairs = zip(stages[i:], after[i:], strict=True)
        return prod((complex(stage.normal.response(A * k / P)[0, 0]) for stage, A in pairs), start=1 + 0j)

    for k, told in enumerate(amplitudes(chain, offset=c)):
        due = c / P * behind(0, k)
        for i, stage in enumerate(stages):
            A, s = after[i], int(stage.factor)
            if k * A * s % P == 0 and stage.bias_phases is not None:
                period = np.resize(stage.bias_phases[0], s)
                due += np.fft.fft(period)[k * A * s // P % s] / s / A * behind(i + 1, k)
        assert abs(told - due) <= bound
