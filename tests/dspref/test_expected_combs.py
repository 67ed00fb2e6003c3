"""The recursion of combs against full matrices, against 50 digits, and against numbers published with the theory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest

from dspref import Linear, Nearest
from dspref.arrays import NotAnalysable
from dspref.chain import Pointwise
from dspref.expected import (
    Comb,
    Concat,
    Drawn,
    Expected,
    Gate,
    Network,
    Source,
    Step,
    Sum,
    expected_spectrum,
    fixed,
    network,
    rescaled,
)
from dspref.spectrum.noise import cyclic_variance

RELU, GLU, LEAKY = Pointwise("relu"), Pointwise("glu"), Pointwise("leaky", (0.2,))
NOISE = Source(1, covariance=(1.0,))


def unit(channels: int, dilation: int) -> Sum:
    """MelGAN's residual unit."""
    inner = Drawn("conv", channels, channels, 3, dilation=dilation, padding=dilation)
    last = Drawn("conv", channels, channels, 1)
    return Sum(((last,), (LEAKY, inner, LEAKY, last)))


def melgan(width: int = 32, stacks: int = 3) -> tuple[Step, ...]:
    C = 16 * width
    steps: list[Step] = [Drawn("conv", 80, C, 7, padding=3)]
    for K, s in ((16, 8), (16, 8), (4, 2), (4, 2)):
        steps += [LEAKY, Drawn("convt", C, C // 2, K, factor=s, padding=s // 2)]
        C //= 2
        steps += [unit(C, 3**j) for j in range(stacks)]
    return (*steps, LEAKY, Drawn("conv", C, 1, 7, padding=3))


def unet(
    channels: int = 16, depth: int = 4, *, up: str = "convt", biases: bool = True, after_first: bool = True
) -> tuple[Step, ...]:
    """Demucs without its recurrent layers, one channel of audio, weights rescaled to 0.1."""

    def drawn(op: str, C_in: int, C_out: int, K: int, factor: int = 1) -> Drawn:
        layer = Drawn(op, C_in, C_out, K, factor=factor)
        return rescaled(layer if biases else replace(layer, bias=0))

    net: tuple[Step, ...] = ()
    wide = [1, *(channels * 2**i for i in range(depth))]
    for i, (outer, C) in reversed(list(enumerate(pairwise(wide)))):
        down = (drawn("conv", outer, C, 8, 4), *((RELU,) if i or after_first else ()), drawn("conv", C, 2 * C, 1), GLU)
        back = (drawn("conv", C, 2 * C, 3), GLU, drawn(up, C, outer, 8 if up == "convt" else 3, 4))
        net = (*down, *((Sum(((), net)),) if net else ()), *back, *((RELU,) if i else ()))
    return net


SOURCES = {
    "constant": Source(4, constant=0.7),
    "white": Source(4, covariance=(2.0,)),
    "both": Source(4, constant=-0.3, covariance=(0.5,)),
}
NETS: dict[str, tuple[Step, ...]] = {
    "linear": (Drawn("convt", 4, 4, 8, factor=4), Drawn("conv", 4, 4, 3), Drawn("convt", 4, 2, 9, factor=3)),
    "relu and dilated": (
        Drawn("convt", 4, 4, 6, factor=3, dilation=2, padding=1),
        RELU,
        Drawn("conv", 4, 4, 3, dilation=3),
        Pointwise("tanh"),
        Drawn("convt", 4, 4, 4, factor=4),
    ),
    "sub-pixel": (Drawn("shuffle", 4, 4, 3, factor=2), Pointwise("gelu"), Drawn("shuffle", 4, 4, 3, factor=3)),
    "gates": (
        Drawn("conv", 4, 8, 3),
        Gate(Pointwise("tanh"), Pointwise("sigmoid")),
        Drawn("convt", 4, 8, 4, factor=2),
        GLU,
        Drawn("convt", 4, 1, 4, factor=2),
        Pointwise("snake", (0.5,)),
    ),
    "residual": (
        Drawn("convt", 4, 4, 4, factor=2),
        unit(4, 1),
        unit(4, 3),
        Pointwise("elu"),
        Drawn("convt", 4, 4, 4, factor=4),
    ),
    "skips": (
        Drawn("conv", 4, 4, 2, factor=2),
        RELU,
        Sum(((), (Drawn("conv", 4, 4, 4, factor=4), GLU, Drawn("convt", 2, 4, 8, factor=4), RELU))),
        Concat(((), (Drawn("conv", 4, 6, 3), Pointwise("silu")))),
        Drawn("convt", 10, 2, 4, factor=2),
    ),
    "offsets add": (
        Sum(((), (Drawn("conv", 4, 4, 3), RELU), (Drawn("conv", 4, 4, 1), RELU))),
        Drawn("convt", 4, 4, 4, factor=2),
    ),
    "up, then down": (Drawn("convt", 4, 4, 12, factor=6), RELU, Drawn("conv", 4, 4, 5, factor=4)),
}


def both(steps: tuple[Step, ...], source: Source) -> tuple[Expected, Expected]:
    return (expected_spectrum(steps, source, route="combs"), expected_spectrum(steps, source, route="full"))


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("steps", NETS.values(), ids=NETS)
def test_combs_are_the_full_matrix(steps: tuple[Step, ...], source: Source) -> None:
    """Line by line, floor, and all that is said besides."""
    combs, full = both(steps, source)
    assert full.lines is not None
    strongest = max(full.lines.max(), full.noise)
    assert combs.period == full.period
    for k in range(full.period):
        assert abs(combs.line(k) - full.line(k)) <= 1e-13 * strongest
    assert [c.divisor for c in combs.combs] == [c.divisor for c in full.combs]
    assert combs.noise == pytest.approx(full.noise, rel=1e-12, abs=1e-15 * strongest)
    nu = np.linspace(0, 0.5, 9)
    assert np.allclose(combs.floor(nu), full.floor(nu), rtol=1e-12, atol=1e-15 * strongest)
    assert (combs.channels, combs.narrowest, combs.exact) == (full.channels, full.narrowest, full.exact)
    assert (combs.route, full.route, expected_spectrum(steps, source).route) == ("combs", "full", "combs")


def leaky_mp(q: mp.mpf, c: mp.mpf) -> mp.mpf:
    rho = c / q
    kappa = q / (2 * mp.pi) * (mp.sqrt(1 - rho**2) + rho * (mp.pi - mp.acos(rho)))
    return mp.mpf(1) / 5 * c + mp.mpf(16) / 25 * kappa


def melgan_mp(width: int, stacks: int) -> list[float]:
    """Return levels of MelGAN's combs for ones, by the recursion written out once more, to 50 digits."""
    with mp.workdps(50):
        v, C, M = [mp.mpf(1)], 16 * width, [1]

        def conv(v: list[mp.mpf], C_in: int, K: int) -> list[mp.mpf]:
            return [each / 3 + mp.mpf(1) / (3 * C_in * K) for each in v]

        def leaky(v: list[mp.mpf]) -> list[mp.mpf]:
            return [leaky_mp(v[-1], each) for each in v]

        v = conv(v, 80, 7)
        for K, s in ((16, 8), (16, 8), (4, 2), (4, 2)):
            bias = mp.mpf(1) / (3 * (C // 2) * K)
            v = [bias] + [each * C * bias * K / s + bias for each in leaky(v)]
            M, C = [1, *(s * m for m in M)], C // 2
            for _ in range(stacks):
                branch = conv(leaky(conv(leaky(v), C, 3)), C, 1)
                v = [a + b for a, b in zip(conv(v, C, 1), branch, strict=True)]
        v = conv(leaky(v), C, 7)
        steps = [(b - a) / m for a, b, m in zip([0, *v], v, M, strict=False)]
        return [float(10 * mp.log10(sum(steps[i:]))) for i in range(len(M))]


def gaussian(steps: Iterable[Step]) -> Network:
    """Return a network whose biases are Gaussian, so that each map has one V."""
    return Network(
        tuple(
            replace(node, op=replace(node.op, bias_law="normal")) if isinstance(node.op, Drawn) else node
            for node in network(steps)
        )
    )


@pytest.mark.parametrize("stacks", [0, 3])
def test_melgan_to_fifty_digits(stacks: int) -> None:
    """Of Gaussian biases. Doubles lose 1e−15 of the strongest line, which is so much more of one that lies under it."""
    found = expected_spectrum(gaussian(melgan(stacks=stacks)), Source(80, constant=1.0))
    assert [c.divisor for c in found.combs] == [1, 2, 4, 32, 256]
    exact = melgan_mp(32, stacks)
    for comb, level in zip(found.combs, exact, strict=True):
        assert comb.db == pytest.approx(level, abs=20 * 10 ** ((exact[0] - level) / 10 - 15))


def test_melgan_has_the_combs_that_were_measured() -> None:
    """Published to a tenth of a decibel: the figures are roundings, and one of them is off by a tenth."""
    found = expected_spectrum(melgan(), Source(80, constant=1.0))
    levels = [c.db for c in found.combs]
    assert levels == pytest.approx([-21.5, -49.5, -76.4, -115.1, -132.3], abs=0.11)
    assert [c.every_hz(22050) for c in found.combs] == [22050, 11025, 5512.5, 689.0625, 86.1328125]
    assert found.combs[2].db == pytest.approx(-76.344, abs=0.001)
    assert found.narrowest == 32
    assert not found.exact


WINDOW_DB = 10 * math.log10(2048 / 1.5)
"""By how much a Hann window of 2048 samples lifts a line over noise: (Σ w)²/Σ w²."""


def over_floor(found: Expected, divisor: int) -> float:
    """Return what a spectrogram shows at a line of a comb, floor included, in dB over the floor."""
    power = next(c.power for c in found.combs if c.divisor == divisor)
    return 10 * math.log10(power / found.noise * 2048 / 1.5 + 1)


def test_unets_of_the_figures() -> None:
    """sr/4 over the floor, four levels, 16 … 128 channels; then as large as the article's, six levels from 100."""
    assert over_floor(expected_spectrum(unet(), NOISE), 4) == pytest.approx(34.70, abs=0.01)
    assert over_floor(expected_spectrum(unet(biases=False), NOISE), 4) == pytest.approx(22.03, abs=0.01)
    assert over_floor(expected_spectrum(unet(up="shuffle"), NOISE), 4) == pytest.approx(43.78, abs=0.01)
    large = [over_floor(expected_spectrum(unet(100, 6, biases=b), NOISE), 4) for b in (True, False)]
    assert large == pytest.approx([26.55, 22.11], abs=0.01)
    modified = over_floor(expected_spectrum(unet(100, 6, biases=False, after_first=False), NOISE, width_terms=False), 4)
    assert modified < large[1] - 14


@pytest.mark.parametrize("length", range(1, 9))
def test_noise_alone_makes_a_tone(length: int) -> None:
    """Linear ×4, a convolution, relu: the mean is √(q_n/2π), q_n from the taps of the interpolator; none if 4 | K."""
    up = (fixed(Linear(4)), Drawn("conv", 64, 64, length, bias=0), RELU)
    found = expected_spectrum(up, Source(64, covariance=(1.0,)), width_terms=False)
    R = cyclic_variance(Linear(4))
    q = np.array([sum(float(R[(n + j) % 4]) for j in range(length)) for n in range(4)])
    c = np.abs(np.fft.fft(np.sqrt(q))) ** 2
    assert found.lines is not None
    assert np.allclose(found.lines / found.lines[0], c / c[0], rtol=0, atol=1e-14)
    level = found.lines[1] / found.lines[0]
    if length == 1:
        assert 10 * math.log10(level) == pytest.approx(-23.354, abs=0.0005)
    assert (level < 1e-15) == (length % 4 == 0)


def test_noise_through_a_linear_network_makes_none() -> None:
    for up in (fixed(Linear(4)), fixed(Nearest(4)), Drawn("convt", 4, 4, 8, factor=4, bias=0)):
        found = expected_spectrum((up, Drawn("conv", 4, 4, 3, bias=0)), Source(4, covariance=(1.0,)))
        assert [c.db for c in found.combs] == [None] * len(found.combs)


def test_offsets_add_as_amplitudes() -> None:
    """A constant c plus relu: ``c² + 2c √(q/2π) + κ`` at far lags, q the variance in front of it, κ by hand."""
    F, q = 1 / 12 + 1 / 12, 1 / 3 + 1 / 12 + 1 / 12  # of the noise 1/3, of c² = 1/4 as much as of the biases, 1/12
    for route in ("combs", "full"):
        found = expected_spectrum(
            [Sum(((), (Drawn("conv", 4, 4, 1, bias_law="normal"), RELU)))],
            Source(4, constant=0.5, covariance=(1.0,)),
            route=route,
        )
        mean = math.sqrt(q / (2 * math.pi))
        rho = F / q
        far = q / (2 * math.pi) * (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho)))
        assert found.combs[0].power == pytest.approx(0.25 + mean + far, rel=1e-14)


@pytest.mark.parametrize("K", [4, 7, 8])
def test_a_constant_has_every_line_as_strong_as_dc(K: int) -> None:
    """Without biases, for partial and full overlap alike, C_in σ_w² K/s²."""
    found = expected_spectrum([Drawn("convt", 3, 2, K, factor=4, bias=0)], Source(3, constant=1.0), route="full")
    assert found.lines is not None
    gain = 3 * float(Fraction(1, 3 * 2 * K)) * K / 16
    assert np.allclose(found.lines, gain, rtol=1e-14, atol=0)


def test_white_noise_stays_white_but_for_fixed_filters() -> None:
    """Partial overlap, sub-pixel and strides leave an exactly white floor; interpolators colour it."""
    white = Source(4, covariance=(1.0,))
    drawn = (Drawn("convt", 4, 4, 7, factor=4), Drawn("shuffle", 4, 4, 3, factor=2), Drawn("conv", 4, 4, 5, factor=3))
    for steps in (drawn, (drawn[0], RELU, drawn[1], GLU, replace(drawn[2], inputs=2))):
        floor = expected_spectrum(steps, white, route="full").floor(np.linspace(0, 0.5, 17))
        assert np.ptp(floor) == 0
    floor = expected_spectrum((fixed(Nearest(2)), replace(drawn[2], factor=1)), white).floor([0.0, 0.5])
    assert floor[0] > floor[1]


def test_bands_are_quantiles_of_the_laws() -> None:
    """Exponential, −12.9 … +4.8 dB; χ² of one degree where the line is real."""
    from scipy import stats

    for comb, law in ((Comb(4, 2.0), stats.expon()), (Comb(1, 2.0), stats.chi2(1)), (Comb(2, 2.0), stats.chi2(1))):
        for q in (0.05, 0.95):
            found = comb.quantile_db(q)
            assert found is not None
            assert found == pytest.approx(10 * math.log10(2 * law.ppf(q)), abs=1e-12)
    assert Comb(4, 1.0).quantile_db(0.05) == pytest.approx(-12.9, abs=0.05)
    assert Comb(4, 1.0).quantile_db(0.95) == pytest.approx(4.8, abs=0.05)
    assert Comb(4, 0.0).quantile_db(0.05) is None
    with pytest.raises(ValueError, match="quantile"):
        Comb(4, 1.0).quantile_db(1.0)


REFUSED: dict[str, tuple[Step, Source]] = {
    "coloured noise": (Drawn("conv", 1, 1, 3), Source(1, covariance=(1.0, 0.5))),
    "partial overlap": (Drawn("convt", 1, 1, 7, factor=4), NOISE),
    "fixed filter": (fixed(Nearest(2)), NOISE),
    "icnr": (Drawn("shuffle", 1, 1, 3, factor=2, icnr=True), NOISE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_where_there_are_no_combs_the_full_matrix_is_taken(name: str) -> None:
    step, source = REFUSED[name]
    with pytest.raises(NotAnalysable, match=name):
        expected_spectrum([step], source, route="combs")
    assert expected_spectrum([step], source).route == "full"
