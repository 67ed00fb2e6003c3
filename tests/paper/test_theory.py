"""One test for each claim: its formula, written out here, beside what the library computes by another way."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import gcd, prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Layer,
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
from dspref.boundary import boundary
from dspref.designs import LearnedLinear, icnr, tone_free
from dspref.gradients import (
    PhaseShuffle,
    Pool,
    gradient_lines,
    phase_shuffle_attenuation,
    shuffle_attenuation,
    stft_gradient_lines,
)
from dspref.heads import ISTFT, HaarSynthesis, LazySynthesis, PQMFSynthesis, Unsqueeze, kaiser_prototype
from dspref.initial import TapLaw, exceeds_dc, gaussian_moments, power_through, random_lines, torch_default
from dspref.nulls import vanishes
from dspref.spectrum.noise import coherence, cyclic_variance, output_psd
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


def amplitudes(chain: Chain, *, offset: ArrayLike = 1) -> list[complex]:
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


def test_t7_random_kernels() -> None:
    """The mean over all patterns of signs is σ²K Σμ²/s², for every k and any overlap; 1/√3 and 1/2 by draws."""
    mu = np.array([2, -1])
    for s, K in ((2, 3), (4, 4), (3, 5), (4, 2)):
        signs = np.array(list(product((-1, 1), repeat=2 * K))).reshape(-1, 2, K)
        waves = np.exp(-2j * np.pi * np.outer(np.arange(s), np.arange(K)) / s)
        power = np.abs(np.einsum("c,ncK,kK->nk", mu, signs, waves) / s) ** 2
        told = random_lines(s, K, law=TapLaw("sign"), means=mu)
        due = Fraction(K * int((mu**2).sum()), s**2)
        assert [line.mean_power for line in told] == [due] * (s // 2 + 1)
        assert np.allclose(power.mean(axis=0), float(due), rtol=1e3 * U, atol=0)
        assert np.allclose(
            power.var(axis=0)[: s // 2 + 1] / float(due) ** 2, [row.spread for row in told], atol=1e3 * U
        )
    assert abs(exceeds_dc(1, 8, 16) - 1 / np.sqrt(3)) < 1e-9
    assert exceeds_dc(4, 8, 16) == pytest.approx(0.5, abs=1e-9)
    h = np.random.default_rng(0).standard_normal((40_000, 16))
    c = np.abs(np.fft.fft(h.reshape(-1, 2, 8).sum(axis=1)))
    for k, p in ((1, 1 / np.sqrt(3)), (4, 0.5)):
        assert abs((c[:, k] > c[:, 0]).mean() - p) < 5 * np.sqrt(p * (1 - p) / len(h))  # five standard errors


def test_t7_probabilities_need_two_taps_and_no_dilation() -> None:
    """One tap, or taps as far apart as the stride: every line is as strong as DC, and so none exceeds it."""
    h = np.random.default_rng(7).standard_normal((1000, 3))
    for taps, d in ((h[:, :1], 1), (h, 2)):
        spread = np.zeros((len(h), d * (taps.shape[1] - 1) + 1))
        spread[:, ::d] = taps
        c = np.abs(spread @ np.exp(1j * np.pi * np.outer(np.arange(spread.shape[1]), [0, 1])))
        assert np.allclose(c[:, 1], c[:, 0], rtol=1e2 * U, atol=0)
        assert exceeds_dc(1, 2, taps.shape[1], dilation=d) == 0


@pytest.mark.parametrize(("K", "s", "p"), [(3, 2, 0), (8, 6, 0), (8, 4, 0), (16, 8, 4), (4, 6, 1), (7, 3, 2)])
def test_t8_borders(K: int, s: int, p: int) -> None:
    """The first and last steady sample by the two inequalities; before them, sums over the inputs that are there."""
    T, w = 12, np.arange(1, K + 1) ** 2
    y = TransposedConv(w[None, None], stride=s, padding=p)(np.ones((1, T), int))[0]
    for m, seen in enumerate(y):
        assert seen == sum(w[m + p - n * s] for n in range(T) if 0 <= m + p - n * s < K)
    found = boundary(TransposedConv(w[None, None], stride=s, padding=p), T)
    assert found.start == max(0, K - s - p)
    assert found.length - found.end == min(s * T - p, len(y))
    gains = [w[r::s].sum() for r in range(s)]
    assert all(y[m] == gains[(m + p) % s] for m in range(found.start, found.length - found.end))


def test_t9_wavelets_and_learned_interpolation() -> None:
    a, d = Fraction(3), Fraction(1)
    assert amplitudes(Chain([LazySynthesis(1)]), offset=np.array([3, 1])) == [2, (a - d) / 2]
    haar = amplitudes(Chain([HaarSynthesis(1)]), offset=np.array([3, 1]))
    assert abs(haar[1] - 1 / np.sqrt(2)) < 4 * U
    for w in (Fraction(1, 3), Fraction(7, 8)):
        assert len(set(LearnedLinear(w).normal.phase_gains.ravel().tolist())) == 1
    equal = icnr(np.arange(1, 7).reshape(2, 1, 3), 4)
    assert not any(amplitudes(Chain([SubpixelConv(equal, 4)]))[1:])


@pytest.mark.parametrize("hop", [2, 4, 5])
def test_t10_heads(hop: int) -> None:
    """An offset in the channels in front of a head comes out with the period of its factor, and no longer one."""
    rng = np.random.default_rng(hop)
    heads: list[Unsqueeze | ISTFT | PQMFSynthesis] = [
        Unsqueeze(1, hop),
        ISTFT(np.ones(3 * hop), hop, padding="none"),
        PQMFSynthesis(kaiser_prototype(taps=8 * hop, cutoff=0.5 / hop), hop),
    ]
    for head in heads:
        mu = rng.standard_normal(head.in_channels)
        y = head(np.tile(mu[:, None], 60))[0]
        middle = y[20 * hop : 40 * hop]
        assert np.allclose(middle, np.tile(middle[:hop], 20), rtol=0, atol=1e3 * U * np.abs(mu).sum())
        told = amplitudes(Chain([head]), offset=mu)
        assert np.allclose(np.abs(told), np.abs(np.fft.rfft(middle[:hop]) / hop), atol=1e3 * U * np.abs(mu).sum())
        assert max(map(abs, told[1:])) > 1e-3


TRIANGLE = FilterInterp(2, np.array([Fraction(1, 2), Fraction(1), Fraction(1, 2)], object), offset=1)


@pytest.mark.parametrize(("layer", "p"), [(Nearest(2), 1), (TRIANGLE, 2), (Linear(2), 3)])
def test_t12_images(layer: Layer, p: int) -> None:
    """tan to the power 1, 2, 3, by the formula and by a sine that is sent through and transformed."""
    N = 240
    for b in (7, 40, 90, 113):
        told = [i.gain for i in images(Chain([layer]), Fraction(b, N))]
        ratio = abs(complex(np.squeeze(told[1])) / complex(np.squeeze(told[0])))  # type: ignore[arg-type]
        due = np.tan(np.pi * b / N / 2) ** p
        assert abs(ratio - due) < 1e-13
        y = layer(np.cos(2 * np.pi * b * np.arange(3 * N) / N)[None])[0, 2 * N : 4 * N]
        spectrum = np.abs(np.fft.rfft(y))
        assert abs(spectrum[N - b] / spectrum[b] - due) < 1e-12
        assert set(np.flatnonzero(spectrum > 1e-9)) <= {b, N - b}


@pytest.mark.parametrize("s", [2, 3, 4, 5, 8])
def test_t13_white_input(s: int) -> None:
    """Variances are the diagonal of A Aᵀ; their mean is THEORY's; the power under the PSD is the mean variance."""
    u = Linear(s).normal
    A = np.array(u.as_matrix(12), float)
    rows = (A @ A.T).diagonal()[4 * s : 8 * s].reshape(4, s)
    told = np.asarray(cyclic_variance(Linear(s))).ravel()
    assert np.allclose(rows, np.array(told, float), rtol=0, atol=1e2 * U)
    due = Fraction(2, 3) + Fraction(1, 3 * s * s) if s % 2 else Fraction(2, 3) - Fraction(1, 6 * s * s)
    assert sum(told) / s == due
    nu = (np.arange(512) + 0.5) / 1024  # exact for the trigonometric polynomial abs(H)²
    assert abs(np.mean(output_psd(Linear(s), nu)) - float(due)) < 1e3 * U
    assert np.allclose(np.squeeze(output_psd(Linear(s), nu)), np.abs(u.response(nu)) ** 2 / s, rtol=1e-12, atol=1e3 * U)
    assert np.allclose(coherence(Nearest(s), 0.1 / s, 1), 1, rtol=0, atol=1e3 * U)


def test_t13_images_of_many_channels_are_hardly_coherent() -> None:
    rng = np.random.default_rng(2)
    C, seen = 16, []
    for _ in range(200):
        layer = TransposedConv(rng.standard_normal((C, 1, 4)), stride=2)
        seen.append(float(np.squeeze(coherence(layer, 0.11, 1))))
    assert abs(np.mean(seen) * C - 1) < 0.25  # four standard errors of 200 draws with the spread of a mean of one


def test_t15_default_initialisation() -> None:
    """The gain and the bias of layers that Torch draws, of white noise; the bounds as Torch has them."""
    C_in, C_out, K, s = 6, 2, 5, 3
    default = torch_default("convt", C_in, C_out, K, factor=s)
    assert (default.gain, default.bias_variance) == (Fraction(C_in, 3 * s * C_out), Fraction(1, 3 * C_out * K))
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(15)
        drawn = [torch.nn.ConvTranspose1d(C_in, C_out, K, stride=s) for _ in range(300)]
        outputs = [torch.nn.functional.conv_transpose1d(torch.randn(C_in, 200), m.weight, stride=s) for m in drawn]
        powers = np.array([float((y[:, 10 * s : -10 * s] ** 2).mean()) for y in outputs])
        biases = np.array([float((m.bias**2).mean()) for m in drawn if m.bias is not None])
    for seen, due in ((powers, default.gain), (biases, default.bias_variance)):
        assert abs(seen.mean() - float(due)) < 5 * seen.std() / np.sqrt(len(seen))  # five standard errors
    layer = torch.nn.ConvTranspose1d(64, 8, 5, stride=4)
    bound = 1 / np.sqrt(8 * 5)
    for parameter in layer.parameters():
        largest = float(parameter.detach().abs().max())
        assert largest <= bound
    assert float(layer.weight.detach().abs().max()) > 0.99 * bound
    shares = power_through([torch_default("convt", c, c // 2, 8, factor=4) for c in (64, 32, 16, 8)])
    assert shares[0].signal > shares[1].signal > shares[2].signal > shares[3].signal
    assert shares[-1].bias > shares[-1].signal


def test_t15_signals_grow_where_channels_fall_faster() -> None:
    """512 channels into 1 by a factor of 2: power gain 85, though the weights are drawn as always."""
    (share,) = power_through([torch_default("convt", 512, 1, 4, factor=2)])
    assert share.signal == Fraction(512, 6)
    assert share.signal > share.bias


def test_t16_offsets_of_activations() -> None:
    assert abs(gaussian_moments(Pointwise("relu")).offset_ratio - 1 / np.pi) < 1e-14
    for a in (0.01, 0.1, 0.2):
        due = (1 - a) ** 2 / (np.pi * (1 + a * a))
        assert abs(gaussian_moments(Pointwise("leaky", (a,))).offset_ratio - due) < 1e-14
    for name in ("tanh", "glu"):
        assert gaussian_moments(Pointwise(name)).offset_ratio < 1e-28
    x = np.random.default_rng(1).standard_normal(400_000)
    drawn = Pointwise("relu")(x[None])
    assert abs(drawn.mean() ** 2 / (drawn**2).mean() - 1 / np.pi) < 5e-3  # some four standard errors


@pytest.mark.parametrize(("K", "s", "p"), [(8, 4, 0), (15, 4, 7), (5, 3, 1), (3, 2, 1)])
def test_t18_gradients(K: int, s: int, p: int) -> None:
    """W(k/s)/s, against Torch's own gradient of the sum."""
    rng = np.random.default_rng(K)
    w = rng.integers(-9, 10, (1, 1, K)).astype(float)
    x = torch.zeros(1, 1, 40 * s, dtype=torch.float64, requires_grad=True)
    total = torch.nn.functional.conv1d(x, torch.from_numpy(w), stride=s, padding=p).sum()
    (gradient,) = torch.autograd.grad(total, [x])
    seen = np.fft.fft(gradient[0, 0, 10 * s : 30 * s].numpy().reshape(20, s).mean(axis=0)) / s
    lines = gradient_lines(Chain([Conv(w, stride=s, padding=p)]))
    for k, line in enumerate(lines):
        assert line.freq == Fraction(k, s)
        assert line.amplitude is not None
        assert abs(line.amplitude[0] - seen[k]) < rounding(w[0, 0])
        assert abs(abs(line.amplitude[0]) - abs(H(w[0, 0], k / s)) / s) < rounding(w[0, 0])
    pooled = gradient_lines(Chain([Pool("average", s)]))
    assert all(line.null for line in pooled[1:])


@pytest.mark.parametrize(("N", "hop", "due"), [(240, 50, -68.6), (1024, 256, None), (512, 256, -15.6)])
def test_t19_stft_losses(N: int, hop: int, due: float | None) -> None:
    """The envelope summed frame by frame, transformed, against W2(k/hop)/W2(0)."""
    w = torch.hann_window(N, dtype=torch.float64).numpy()
    lines = stft_gradient_lines("hann", hop, length=N)
    frames = np.zeros(hop * 40 + N)
    for m in range(41):
        frames[m * hop : m * hop + N] += w**2
    c = np.abs(np.fft.rfft(frames[20 * hop : 21 * hop]))
    worst = 20 * np.log10(c[1:].max() / c[0])
    levels = [line.level_dbc for line in lines[1:] if line.level_dbc is not None]
    if due is None:
        assert not levels
        assert all(line.null for line in lines[1:])
        assert worst < -280
    else:
        assert round(max(levels), 1) == due
        assert abs(max(levels) - worst) < 1e-6


@QUIET(max_examples=30)
@given(st.lists(small, min_size=6, max_size=11), st.integers(2, 5))
def test_t20_nearest_tone_free_taps(h: list[int], s: int) -> None:
    """Equal gains, and a change that is orthogonal to every direction in which gains stay equal."""
    taps = np.array([Fraction(v) for v in h], object)
    near = tone_free(taps, s)
    gains = StretchFilter(s, near).phase_gains
    assert len(set(gains.tolist())) == 1
    change = near - taps
    for r in range(s):
        assert len(set(change[r::s].tolist())) == 1  # orthogonal to differences within a phase
    assert sum(change[:s]) == 0  # orthogonal to one more in each phase
    again = taps + Fraction(1, 7) * np.array([(-1) ** n for n in range(len(h))], object)
    other = tone_free(again, s)
    assert ((near - taps) ** 2).sum() <= ((other - taps) ** 2).sum()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_t21_phase_shuffle(n: int) -> None:
    """The mean over all shifts of a sine, sample by sample; and none of it is lost where the stride is the period."""
    for k in (1, 7, 20, 33):
        f = Fraction(k, 80)
        x = np.exp(2j * np.pi * (k * np.arange(400) % 80) / 80)
        mean = np.mean([np.roll(x, d) for d in range(-n, n + 1)], axis=0)[100:300]
        assert np.allclose(mean / x[100:300], phase_shuffle_attenuation(n, f), rtol=0, atol=1e2 * U * (2 * n + 1))
    behind = Chain([Conv(np.ones((1, 1, 4)), stride=4), PhaseShuffle(n)])
    assert shuffle_attenuation(behind, Fraction(1, 4)) == 1
    assert shuffle_attenuation(behind, Fraction(1, 16)) == phase_shuffle_attenuation(n, Fraction(1, 4))


def test_t22_noise_makes_tones() -> None:
    """Linear x4 and ReLU: -23.4 dB re DC, from the variances and from noise."""
    v = np.array(cyclic_variance(Linear(4)), float).ravel()
    c = np.abs(np.fft.fft(np.sqrt(v)))
    due = 20 * np.log10(c[1] / c[0])
    assert round(due, 1) == -23.4
    rng = np.random.default_rng(8)
    y = np.maximum(Linear(4)(rng.standard_normal((200, 4000))), 0)[:, 40:-40].reshape(200, -1, 4).mean(axis=1)
    C = np.fft.fft(y, axis=-1)
    mean = C.mean(axis=0)
    assert abs(20 * np.log10(abs(mean[1]) / abs(mean[0])) - due) < 0.2  # of 800 000 samples: some 0.03 dB
