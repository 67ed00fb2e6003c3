"""The claims about expected spectra: each formula written out here, beside what the library computes by another way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dspref import Linear, Pointwise
from dspref.arrays import Array
from dspref.expected import Drawn, Network, Source, Step, expected_spectrum, fixed, network
from dspref.expected.architectures import melgan
from dspref.spectrum.noise import cyclic_variance
from tests.strategies import QUIET
from torchparity.models import melgan as torch_melgan

RELU = Pointwise("relu")

K = Callable[[int, int], Fraction]
"""Second moments of any two samples."""


def behind(K: K, layer: Drawn) -> K:
    """Return UA-T23, word by word, in exact numbers."""
    g, b = Fraction(layer.gain), Fraction(layer.bias)
    s, d, p, taps = layer.factor, layer.dilation, layer.padding, range(layer.length)

    def conv(n: int, m: int) -> Fraction:
        return b + g * sum(K(n + j * d - p, m + j * d - p) for j in taps)

    def strided(n: int, m: int) -> Fraction:
        return conv(n * s, m * s)

    def transposed(n: int, m: int) -> Fraction:
        places = [(n + p - k * d, m + p - k * d) for k in taps]
        return b + g * sum(K(i // s, j // s) for i, j in places if i % s == 0 == j % s)

    def shuffled(n: int, m: int) -> Fraction:
        return conv(n // s, m // s) if n % s == m % s else Fraction(0)

    return {"conv": strided, "convt": transposed, "shuffle": shuffled}[layer.op]


def through(K: K, chain: Sequence[Drawn]) -> K:
    for layer in chain:
        K = behind(K, layer)
    return K


def lines_of(K: K, P: int) -> Array:
    """Return ``P⁻² Σ K[n, m] e^{−j2πk(n−m)/P}``."""
    F = np.array([[float(K(n, m)) for m in range(P)] for n in range(P)])
    wave = np.exp(-2j * np.pi * np.outer(np.arange(P), np.arange(P)) / P) / P
    return np.asarray(np.einsum("kn,nm,km->k", wave, F, wave.conj()).real)


@st.composite
def chains(draw: st.DrawFn) -> tuple[Drawn, ...]:
    """Draw up to three layers, with variances that are small whole numbers."""
    small = st.integers(1, 3)
    return tuple(
        Drawn(
            draw(st.sampled_from(("conv", "convt", "shuffle"))),
            *(2, 2, draw(st.integers(1, 5)), draw(small)),
            dilation=draw(small),
            padding=draw(st.integers(0, 2)),
            weight=Fraction(draw(small), 4),
            bias=Fraction(draw(st.integers(0, 2)), 3),
        )
        for _ in range(draw(st.integers(1, 3)))
    )


@QUIET(max_examples=25)
@given(chains(), st.integers(0, 2))
def test_t23_second_moments(chain: tuple[Drawn, ...], constant: int) -> None:
    """Lines from the recursion in exact numbers; the noise from it too, at lags 0 to 2."""
    found = expected_spectrum(chain, Source(2, float(constant), (1.0,)), route="full")
    P = found.period
    told = lines_of(through(lambda n, m: Fraction(constant**2), chain), P)
    assert found.lines is not None
    assert np.abs(found.lines - told).max() <= 1e-13 * max(1.0, told.max())
    quiet = [replace(layer, bias=Fraction(0)) for layer in chain]
    noise = through(lambda n, m: Fraction(int(n == m)), quiet)
    for lag in range(3):
        due = float(sum(noise(n, n + lag) for n in range(P))) / P
        assert found.covariance[found.lags == lag].sum() == pytest.approx(due, rel=1e-13)
        assert due == 0 or lag == 0  # white input stays white


@pytest.mark.parametrize("length", [2, 4, 7, 8])
def test_t23_every_line_of_a_constant_has_the_power_of_dc(length: int) -> None:
    """``C σ² K/s²`` on each, for gaps, partial and whole overlap, in exact numbers."""
    layer = Drawn("convt", 3, 2, length, 4, weight=Fraction(1, 5), bias=0)
    F = through(lambda n, m: Fraction(1), [layer])
    values = {n - m: F(n, m) for n in range(8) for m in range(8) if (n - m) % 4}
    assert set(values.values()) == {0}
    assert sum(F(n, n) for n in range(4)) / 16 == Fraction(3, 5) * length / 16
    told = expected_spectrum([layer], Source(3, 1.0), route="full").lines
    assert told is not None
    assert np.allclose(told, float(Fraction(3, 5) * length / 16), rtol=1e-14, atol=0)


@pytest.mark.parametrize(("op", "tones"), [("convt", False), ("conv", False), ("shuffle", True)])
def test_t23_biases_make_dc_alone_but_for_sub_pixel(op: str, tones: bool) -> None:
    found = expected_spectrum([Drawn(op, 2, 2, 8, 1 if op == "conv" else 4, bias=0.5)], Source(2))
    dc, *rest = (comb.power for comb in found.combs)
    assert dc == pytest.approx(0.5 / 4 if tones else 0.5, rel=1e-14)
    assert rest == ([pytest.approx(dc, rel=1e-14)] if tones else [0.0] * len(rest))


def kappa(q: float, c: float) -> float:
    """Return E φ(x)φ(y) for relu."""
    rho = c / q
    return q / (2 * math.pi) * (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho)))


FACTORS = [(4, 2), (2, 3, 4), (5,)]


@pytest.mark.parametrize("factors", FACTORS)
def test_t24_combs(factors: tuple[int, ...]) -> None:
    """The scalar recursion of the claim, written out for transposed layers and relu, against all lines in full."""
    steps: list[Step] = []
    v, M, noise = [0.25], [1], 1.0
    for s in factors:
        layer = Drawn("convt", 4, 4, 2 * s, s, bias_law="normal")
        steps += [layer, RELU]
        g, b = float(4 * layer.weight), float(layer.bias)
        v, M, noise = [b, *(2 * g * each + b for each in v)], [1, *(s * m for m in M)], 2 * g * noise
        q = v[-1] + noise
        v = [kappa(q, each) for each in v]
        noise = kappa(q, q) - v[-1]
    found = expected_spectrum(steps, Source(4, 0.5, (1.0,)), route="full", width_terms=False)
    P = prod(factors)
    assert found.lines is not None
    assert len(M) == len(factors) + 1
    for k in range(P):
        due = sum((a - b) / m for a, b, m in zip(v, [0.0, *v], M, strict=False) if k * m % P == 0)
        assert found.lines[k] == pytest.approx(due, rel=1e-11)
    assert len(set(np.round(found.lines / found.lines[0], 11))) == len(factors) + 1
    assert np.ptp(found.floor(np.linspace(0, 0.5, 9))) <= 1e-13 * noise
    assert found.noise == pytest.approx(noise, rel=1e-11)


def rectified(length: int, C: int, rng: np.random.Generator) -> Array:
    """Return lines of all channels behind linear ×4, a kernel of each, and relu: exact for the kernels that are drawn.

    Each channel is Gaussian noise of variance ``q_n = Σ_c Σ_{j, i} w_cj w_ci R[n + j, n + i]``, R that of the
    interpolator's noise; its mean behind relu is √(q_n/2π).
    """
    h = np.array(Linear(4).normal.h, float)
    hits = np.zeros((8 + length, 60))
    for n in range(len(hits)):
        for i in range(60):
            if 0 <= n + 100 - 4 * i < len(h):
                hits[n, i] = h[n + 100 - 4 * i]
    R = hits @ hits.T
    w = rng.uniform(-1, 1, (800, C, length))
    q = np.array([np.einsum("dcj,dci,ji->d", w, w, R[n : n + length, n : n + length]) for n in range(4)])
    return np.asarray(np.abs(np.fft.fft(np.sqrt(q / 2 / np.pi), axis=0) / 4) ** 2)


def expected_rectified(length: int) -> float:
    """Return the line at sr/4 in dB re DC, in the limit of wide layers."""
    up = (fixed(Linear(4)), Drawn("conv", 64, 64, length, bias=0), RELU)
    lines = expected_spectrum(up, Source(64, covariance=(1.0,)), width_terms=False).lines
    assert lines is not None
    return 10 * math.log10(max(lines[1], 1e-99) / lines[0])


def test_t25_one_tap_hands_the_tone_on_at_any_width() -> None:
    """−23.354 dB re DC, in each channel of each draw."""
    v = np.array(cyclic_variance(Linear(4)), float).ravel()
    c = np.abs(np.fft.fft(np.sqrt(v)))
    due = 20 * math.log10(c[1] / c[0])
    assert round(due, 3) == -23.354
    assert expected_rectified(1) == pytest.approx(due, abs=1e-9)
    for C in (1, 8):
        lines = rectified(1, C, np.random.default_rng(C))
        assert np.allclose(10 * np.log10(lines[1] / lines[0]), due, rtol=0, atol=1e-9)


@pytest.mark.parametrize("length", [2, 3, 6])
def test_t25_other_lengths_leave_a_tone(length: int) -> None:
    """Of 64 and of 256 channels, less the line of power 1/width: ``(4 r_256 − r_64)/3``."""
    (near, e1), (far, e2) = (tone(length, C) for C in (64, 256))
    told = 10 ** (expected_rectified(length) / 10)
    assert 1e-5 < told < 10**-2.3354
    assert abs((4 * far - near) / 3 - told) <= 4.5 * math.hypot(4 * e2, e1) / 3
    assert math.hypot(4 * e2, e1) / 3 < 0.1 * told


def tone(length: int, C: int) -> tuple[float, float]:
    """Return the mean power of the line at sr/4 re DC, and its standard error."""
    lines = rectified(length, C, np.random.default_rng(C + length))
    dc = lines[0].mean()
    return float(lines[1].mean() / dc), float(lines[1].std() / dc) / math.sqrt(lines.shape[1])


@pytest.mark.parametrize("length", [4, 8])
def test_t25_a_length_that_the_factor_divides_takes_it_away(length: int) -> None:
    """In the limit of wide layers; what is left in one of C channels has power 1/C."""
    assert expected_rectified(length) < -300
    (near, e1), (far, e2) = (tone(length, C) for C in (16, 64))
    assert abs(near / far - 4) <= 4 * 4.5 * math.hypot(e1 / near, e2 / far)
    assert near > 20 * e1


def silenced(net: Network, first: int) -> Network:
    """Return MelGAN without the biases of step `first` and those behind it; steps 3, 8, 13 and 18 upsample."""
    return Network(
        tuple(
            replace(node, op=replace(node.op, bias=0))
            if isinstance(node.op, Drawn) and int(node.name.split(".")[0]) >= first
            else node
            for node in net.nodes
        )
    )


def levels(net: Network, constant: float) -> list[float]:
    return [
        comb.db if comb.db is not None else -math.inf for comb in expected_spectrum(net, Source(80, constant)).combs
    ]


def test_t26_biases_make_the_visible_tones() -> None:
    """MelGAN, ones: sr/1, /2, /4, /32, /256, with and without the input, and the biases."""
    net = network(melgan())
    all_, no_input, no_biases = levels(net, 1.0), levels(net, 0.0), levels(silenced(net, 1), 1.0)
    assert np.round(all_, 1).tolist() == [-21.6, -49.6, -76.4, -115.1, -132.4]
    assert np.abs(np.subtract(all_, no_input)[:3]).max() < 0.005
    assert [round(a - b, 1) for a, b in zip(all_, no_biases, strict=True)] == [90.4, 67.5, 46.1, 16.4, 3.4]
    assert no_input[4] < all_[4] - 26  # the input's own comb
    assert levels(silenced(net, 13), 1.0)[1] < all_[1] - 25  # from the third upsampling layer on
    assert levels(silenced(net, 8), 1.0)[2] < all_[2] - 25


def test_t26_the_same_torch_networks_with_and_without_their_input() -> None:
    """Lines at multiples of sr/4 are those of silence; of those that only the first layer can make, hardly any is."""
    told = []
    for seed in range(6):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            net = torch_melgan(channels=8, width=8).double()
        with torch.no_grad():
            y = [net(torch.full((1, 8, 16), c, dtype=torch.float64))[0, 0, 1920:2176].numpy() for c in (1.0, 0.0)]
        told.append(np.abs(np.fft.fft(np.array(y), axis=-1) / 256) ** 2)
    ones, silence = np.mean(told, axis=0)
    coarse, fine = np.arange(256) % 64 == 0, np.arange(256) % 8 != 0
    assert np.abs(10 * np.log10(ones / silence))[coarse].max() < 0.1
    assert 10 * math.log10(ones[fine].mean() / silence[fine].mean()) > 10


@pytest.mark.parametrize("degree", [2, 4, 6])
def test_t27_cumulants(degree: int) -> None:
    """``E bⁿ`` from f(s) = (n − 1)!! s^(n/2) and the three terms of the claim, for a uniform b of variance 7."""
    B, half = Fraction(7), degree // 2
    fourth, sixth = -6 * B**2 / 5, 48 * B**3 / 7

    def derivative(order: int) -> Fraction:
        powers = prod(range(half - order + 1, half + 1))
        return prod(range(degree - 1, 0, -2)) * powers * B ** (half - order) if order <= half else Fraction(0)

    told = derivative(0) + fourth / 6 * derivative(2) + sixth / 90 * derivative(3)
    assert told == (3 * B) ** half / (degree + 1)
