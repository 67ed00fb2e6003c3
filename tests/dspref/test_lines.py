"""Lines and images: theory against theory, and against transforms of outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.signal
import sympy
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    NotAnalysable,
    Outline,
    Pointwise,
    StretchFilter,
    SubpixelConv,
    TransposedConv,
    ZeroStuff,
    images,
    parse,
    tone_lines,
    whence,
)
from dspref.arrays import Array
from dspref.artifacts.prospect import line_amplitudes
from dspref.documents import whence_document
from dspref.pages import whence_page
from tests.strategies import QUIET


def three_stages(seed: int = 0) -> Chain:
    """Return a chain whose every weakness makes tones: K no multiple of s, periodic biases, biases in between."""
    rng = np.random.default_rng(seed)
    return Chain(
        [
            TransposedConv(rng.normal(size=(2, 3, 7)), stride=3, padding=2, bias=rng.normal(size=3)),
            Conv(rng.normal(size=(4, 3, 5)), padding=2, bias=rng.normal(size=4)),
            SubpixelConv(rng.normal(size=(6, 4, 3)), 2, padding=1, bias=rng.normal(size=6)),
            Conv(rng.normal(size=(3, 3, 4)), padding="same", dilation=2, bias=rng.normal(size=3)),
            Linear(2),
            Conv(rng.normal(size=(2, 3, 3)), padding=1, bias=rng.normal(size=2)),
        ]
    )


def amplitudes(chain: Chain, offset: ArrayLike = 1) -> Array:
    """Return the amplitudes of all lines, (frequency, channel)."""
    lines = [line.amplitude for line in tone_lines(chain, offset=offset)]
    assert all(amplitude is not None for amplitude in lines)
    return np.array(lines)


def by_frequency(chain: Chain, k: int, offset: Array) -> Array:
    """Return c_k from responses alone: the input's part, and every bias's where it has a line.

    ``c_k = (c/P) Π_i H_i(A_i k/P) + Σ_i [P | k A_i s_i] (1/A_i) B_i[k A_i s_i/P] Π_{j>i} H_j(A_j k/P)``,
    A_i the factor after layer i, B_i the DFT of its bias over its period, divided by the period.
    """
    P = chain.factor
    total, A = offset / P, P
    for layer in chain.stages:
        A //= int(layer.factor)
        u: Any = layer.normal
        H = u.response(A * k / P)
        total = H @ total if H.ndim == 2 else H * total
        if layer.bias_phases is not None and k * A * layer.factor % P == 0:
            s = int(layer.factor)
            B = np.fft.fft(np.tile(layer.bias_phases, s // layer.bias_phases.shape[-1])) / s
            total = total + B[:, k * A * s // P % s] / A
    return np.asarray(total)


def steady_period(y: Array, steady: slice, S: int) -> Array:
    """Return whole periods of S samples from the steady part, starting at a multiple of S."""
    start = -(-steady.start // S) * S
    stop = min(steady.stop, y.shape[-1])
    return y[..., start : start + (stop - start) // S * S]


def spectrum(y: Array) -> Array:
    """Return complex amplitudes at k/N for N samples."""
    return np.asarray(np.fft.fft(y, axis=-1) / y.shape[-1])


@pytest.mark.parametrize("seed", range(5))
def test_amplitudes_by_time_and_by_frequency_agree(seed: int) -> None:
    chain, offset = three_stages(seed), np.array([0.7, -1.3])
    lines = amplitudes(chain, offset)
    others = np.array([by_frequency(chain, k, offset) for k in range(7)])
    assert lines.shape == others.shape == (7, 2)
    assert np.abs(lines - others).max() <= 1e-12 * np.abs(lines).max()


@pytest.mark.parametrize("seed", range(5))
def test_the_output_of_the_reference_has_these_lines_and_no_others(seed: int) -> None:
    chain, offset = three_stages(seed), np.array([0.7, -1.3])
    y = steady_period(chain(np.tile(offset[:, None], 40)), chain.collapse().steady(40), 12)
    periods = y.shape[-1] // 12
    lines = amplitudes(chain, offset)
    measured, peak = spectrum(y), np.abs(lines).max()
    assert periods > 20
    assert np.abs(measured[:, : 6 * periods + 1 : periods].T - lines).max() <= 1e-12 * peak
    off_grid = np.delete(measured, np.arange(12) * periods, axis=-1)
    assert np.abs(off_grid).max() <= 1e-12 * peak


def test_a_sub_pixel_bias_makes_tones_alone() -> None:
    """Zero weights: what is left is the bias, L-periodic; other layers' biases are constant."""
    silent = Chain([SubpixelConv(np.zeros((4, 1, 3)), 4, bias=np.array([1.0, 2.0, 4.0, 8.0]), padding=1)])
    assert np.allclose(amplitudes(silent)[1:], np.array([[(-3 + 6j) / 4], [-5 / 4]]))
    plain = Chain([TransposedConv(np.zeros((1, 1, 4)), stride=4, bias=np.ones(1))])
    assert np.allclose(amplitudes(plain), np.array([[1], [0], [0]]))


def ratio_db(taps: Sequence[int], stride: int, k: int = 1) -> float:
    lines = amplitudes(Chain([TransposedConv(np.array([[taps]]), stride=stride)]))[:, 0]
    return float(20 * np.log10(abs(lines[k] / lines[0])))


def test_all_ones_of_length_3_and_stride_2_is_9_54_db_down() -> None:
    assert round(ratio_db([1, 1, 1], 2), 2) == -9.54


@pytest.mark.parametrize(("K", "s"), [(K, s) for s in range(2, 7) for K in range(1, 14)])
def test_an_all_ones_kernel_follows_the_dirichlet_kernel(K: int, s: int) -> None:
    """``|c_k/c_0| = |sin(πkK/s) / (K sin(πk/s))|``: zero if and only if s divides kK."""
    lines = amplitudes(Chain([TransposedConv(np.ones((1, 1, K)), stride=s)]))[:, 0]
    for k in range(1, s // 2 + 1):
        expected = abs(math.sin(math.pi * k * K / s) / (K * math.sin(math.pi * k / s)))
        assert abs(abs(lines[k] / lines[0]) - expected) < 1e-14


@st.composite
def kernels(draw: st.DrawFn) -> tuple[list[int], int]:
    """Draw a stride and whole taps, half of them multiples of the box of that length."""
    s, rng = draw(st.integers(2, 6)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    taps = rng.integers(-3, 4, draw(st.integers(1, 8)))
    taps[-1] = draw(st.sampled_from([-2, -1, 1, 3]))
    return (np.convolve(taps, np.ones(s, int)) if draw(st.booleans()) else taps).tolist(), s


def test_tone_free_four_ways() -> None:
    """Theory: H(k/s) = 0 for k = 1…s−1 ⇔ equal phase gains ⇔ the box of length s divides ⇔ constant overlap-add."""
    free: list[bool] = []
    z = sympy.Symbol("z")

    @QUIET(max_examples=300)
    @given(kernels())
    def check(drawn: tuple[list[int], int]) -> None:
        taps, s = drawn
        u = StretchFilter(s, np.array(taps))
        gains = u.phase_gains
        equal = bool((gains == gains[0]).all())
        silent = bool((abs(u.response(np.arange(1, s) / s)) < 1e-12 * max(1, np.abs(taps).sum())).all())
        divides = sympy.rem(sympy.Poly(taps, z), sympy.Poly([1] * s, z)).is_zero
        window = np.pad(np.array(taps, float), (0, max(0, s + 1 - len(taps))))
        cola = scipy.signal.check_COLA(window, len(window), len(window) - s)
        assert equal == silent == divides == cola
        free.append(equal)

    check()
    assert 50 < sum(free) < 250


@given(st.integers(2, 6), st.integers(1, 9))
def test_one_line_vanishes_where_its_cyclotomic_polynomial_divides(s: int, seed: int) -> None:
    z = sympy.Symbol("z")
    taps = np.random.default_rng(seed).integers(-2, 3, 2 * s + 1)
    lines = amplitudes(Chain([TransposedConv(taps.reshape(1, 1, -1), stride=s)]))[:, 0]
    for k in range(1, len(lines)):
        phi = sympy.Poly(sympy.cyclotomic_poly(s // math.gcd(k, s), z), z)
        vanishes = sympy.rem(sympy.Poly(taps.tolist(), z), phi).is_zero
        assert (abs(lines[k]) < 1e-12) == vanishes


HALF_BAND = FilterInterp(2, np.array([Fraction(1, 2), Fraction(1), Fraction(1, 2)]), offset=1)
FREQUENCIES = [Fraction(k, 20) for k in range(1, 10)]


@pytest.mark.parametrize(
    ("layer", "power"), [(Nearest(2), 1), (HALF_BAND, 2), (Linear(2), 3)], ids=["nearest", "whole grid", "half grid"]
)
def test_the_first_image_stands_at_a_power_of_the_tangent(layer: Any, power: int) -> None:
    """Image over baseband of ×2: tan(π f₀/(2 f_in)) for nearest, its square on whole samples, its cube for Torch's."""
    for freq in FREQUENCIES:
        baseband, image = images(Chain([layer]), freq)
        assert (baseband.order, image.order) == (0, 1)
        assert image.gain is not None
        assert baseband.gain is not None
        ratio = abs(image.gain) / abs(baseband.gain)
        assert abs(ratio / math.tan(math.pi * float(freq) / 2) ** power - 1) < 1e-12


def test_the_images_of_a_bare_stretch_are_as_strong_as_the_signal() -> None:
    found = images(Chain([ZeroStuff(5)]), Fraction(1, 7))
    assert [abs(complex(image.gain)) for image in found if image.gain is not None] == [0.2] * 5


def test_images_are_where_a_transform_finds_them() -> None:
    """A cosine of 3 cycles in 20 samples, through nearest ×2 and linear ×3."""
    chain, freq, time = Chain([Nearest(2), Linear(3)]), Fraction(3, 20), 200
    x = np.cos(2 * np.pi * float(freq) * np.arange(time))[None]
    y = chain(x)[0]
    start = 6 * 20 * 2  # two periods of 20 input samples are enough to leave the border behind
    assert chain.collapse().steady(time).start < start
    measured = spectrum(y[start : start + 6 * 20 * 5])
    peaks = {Fraction(int(k), len(measured)) for k in np.flatnonzero(abs(measured) > 1e-12) if 2 * k <= len(measured)}
    found = images(chain, freq)
    assert peaks == {image.freq for image in found}
    for image in found:
        level = abs(measured[int(image.freq * len(measured))])
        assert image.gain is not None
        assert abs(level - abs(image.gain) / 2) < 1e-12


def test_images_name_the_layer_that_makes_them() -> None:
    """Each stretch mirrors what is there: f₀ = ¼ of the input rate is 1/16, then 3/16 from ×2, the rest from ×2."""
    found = images(Chain([Outline("convt", 4, stride=2), Pointwise("relu"), Nearest(2)]), Fraction(1, 4))
    facts = [(image.freq, image.owner, image.stage, image.gain) for image in found]
    assert facts == [
        (Fraction(1, 16), None, None, None),
        (Fraction(3, 16), 1, 0, None),
        (Fraction(5, 16), 2, 2, None),
        (Fraction(7, 16), 2, 2, None),
    ]


ARTICLE = Chain([Outline("convt", 4, stride=2)] * 3)


@pytest.mark.parametrize(("hz", "owner"), [(4000, 1), (8000, 2), (12000, 1), (16000, 3), (5000, None)])
def test_whence_on_the_articles_example(hz: int, owner: int | None) -> None:
    """×2 ×2 ×2 at 32 kHz: 4 and 12 kHz come from the first layer, 8 from the second, 16 from the third."""
    answer = whence(ARTICLE, Fraction(hz, 32000))
    assert answer.owner == owner
    assert answer.stage == (None if owner is None else owner - 1)
    assert set(answer.origins) | set(answer.cannot) == {1, 2, 3}
    assert not set(answer.origins) & set(answer.cannot)
    assert answer.nearest * 32000 == {5000: 4000}.get(hz, hz)


def test_every_line_is_owned_by_the_latest_layer_that_can_make_it() -> None:
    chain = Chain([Pointwise("relu"), *(Outline("convt", 2 * s, stride=s) for s in (8, 8, 2, 2))])
    lines = tone_lines(chain)
    assert len(lines) == 129
    assert [line.freq for line in lines] == [Fraction(k, 256) for k in range(129)]
    assert lines[1].hz(22050) == Fraction("86.1328125")
    for k, line in enumerate(lines):
        able = tuple(i for i, spacing in enumerate((1, 8, 64, 128), 1) if k % spacing == 0)
        assert line.origins == able
        assert line.owner == able[-1]
        assert line.stage == able[-1]
        assert line.amplitude is None
        assert whence(chain, line.freq).owner == line.owner


def test_refusals() -> None:
    with pytest.raises(ValueError, match="frequency: got 3/5 cycles/sample; allowed: 0 … 1/2, up to half the output"):
        whence(ARTICLE, Fraction(3, 5))
    with pytest.raises(ValueError, match="frequency: got -1/5 cycles/sample; allowed: 0 … 1/2, up to half the input"):
        images(ARTICLE, Fraction(-1, 5))
    with pytest.raises(NotAnalysable, match="factor of a chain: got conv at 1/2"):
        tone_lines(Chain([Outline("conv", 3, stride=2), Nearest(2)]))
    with pytest.raises(ValueError, match="offset: got 3 channels; allowed: 2, as the first layer"):
        tone_lines(three_stages(), offset=[1, 2, 3])


@pytest.mark.parametrize("ask", [whence, images])
def test_a_float_that_is_no_short_binary_fraction_is_refused(ask: Any) -> None:
    """0.2 is no multiple of 1/5: it would miss the line there without a word."""
    chain = Chain([Nearest(5)])
    with pytest.raises(ValueError, match=r"frequency: got 0.2; .*Hint: write Fraction\(1, 5\) or '0.2'"):
        ask(chain, 0.2)
    assert ask(chain, "0.2") == ask(chain, "1/5") == ask(chain, Fraction(1, 5))
    assert ask(chain, 0.375) == ask(chain, np.float32(0.375)) == ask(chain, Fraction(3, 8))
    assert ask(chain, 0) == ask(chain, np.int64(0)) == ask(chain, Fraction(0))
    assert whence(chain, "0.2").owner == 1
    for bad, error in (("x", ValueError), (math.nan, ValueError), (math.inf, ValueError), (None, TypeError)):
        with pytest.raises(error, match=r"frequency: got .*; allowed: an integer, Fraction, text"):
            ask(chain, bad)


CORNERS = Linear(2, align_corners=True)


@pytest.mark.parametrize(
    "others", [[], [Outline("convt", 4, stride=2)], [Nearest(2)]], ids=["alone", "outline", "known"]
)
def test_aligned_corners_have_no_lines(others: list[Any]) -> None:
    for chain in (Chain([CORNERS, *others]), Chain([*others, CORNERS])):
        asked: list[Callable[[Chain], object]] = [
            tone_lines,
            lambda c: whence(c, "1/4"),
            lambda c: images(c, "1/4"),
            lambda c: c.rates(8),
            lambda c: c.factor,
        ]
        for ask in asked:
            with pytest.raises(
                NotAnalysable, match="rate of a chain: got linear x2 with align_corners=True; allowed: a fixed"
            ):
                ask(chain)
        assert Chain([CORNERS])([[0.0, 3.0]]).tolist() == [[0, 1, 2, 3]]


def test_symbols_have_no_amplitudes_but_responses() -> None:
    a = sympy.Symbol("a")
    chain = Chain([FilterInterp(2, np.array([a, 1]))])
    asked: list[Callable[[Chain], object]] = [tone_lines, lambda c: images(c, "1/4")]
    for ask in asked:
        with pytest.raises(
            NotAnalysable, match=r"got symbolic taps; allowed: numbers. Hint: Chain.offset_response keeps"
        ):
            ask(chain)
    assert chain.offset_response().tolist() == [[a, 1]]
    half = Chain([FilterInterp(2, np.array([sympy.Rational(1, 2), 1]))])
    assert tone_lines(half)[1].amplitude == pytest.approx([-0.25])


def test_the_offset_is_checked_where_no_level_is_known() -> None:
    for bad in ([[1]], []):
        with pytest.raises(ValueError, match=r"offset: got shape .*; allowed: a number, or one number per channel"):
            tone_lines(Chain([Outline("convt", 4, stride=2)]), offset=bad)
    with pytest.raises(ValueError, match="offset: got 3 channels; allowed: 2, as the first layer"):
        tone_lines(Chain([Nearest(2), Conv(np.ones((1, 2, 1))), Pointwise("relu")]), offset=[1, 2, 3])


@pytest.mark.parametrize(
    ("freq", "facts"),
    [
        (0, [(Fraction(0), 0, None), (Fraction(1, 4), 1, 1), (Fraction(1, 2), 2, 2)]),
        (Fraction(1, 2), [(Fraction(1, 8), 0, None), (Fraction(3, 8), 1, 2)]),
    ],
    ids=["0", "half"],
)
def test_images_at_the_edges_of_the_band_are_told_once(freq: Any, facts: list[Any]) -> None:
    """At the very edge a component is not yet an image, and an image is still the earlier layer's."""
    found = images(Chain([Nearest(2), Nearest(2)]), freq)
    assert [(image.freq, image.order, image.owner) for image in found] == facts


def test_gains_of_images_are_those_of_a_transform_in_phase_too() -> None:
    """The coefficient at +f of the output for a cosine is half the gain: skew taps make it complex."""
    rng = np.random.default_rng(5)
    taps = [rng.normal(size=(1, 1, 5)), rng.normal(size=(1, 1, 4))]
    chain = Chain([TransposedConv(taps[0], stride=2, padding=1), TransposedConv(taps[1], stride=3)])
    freq, time = Fraction(3, 20), 200
    y = chain(np.cos(2 * np.pi * float(freq) * np.arange(time))[None])[0]
    measured = spectrum(y[240 : 240 + 600])
    for image in images(chain, freq):
        assert image.gain is not None
        assert abs(image.gain.item().imag) > 1e-3
        assert abs(measured[int(image.freq * 600)] - image.gain.item() / 2) < 1e-12


def test_what_earlier_layers_make_reaches_a_later_layer_s_lines_through_a_map_alone() -> None:
    """With tone-free taps in layer 2 the line of its own is gone, whatever layer 1 makes; a map behind it mixes one."""
    first = TransposedConv(np.array([[[1, 2, 3, 7]]]), stride=4)
    free = TransposedConv(np.array([[[1, 1, 1, 1]]]), stride=4)
    assert whence(Chain([first, free]), Fraction(1, 4)).origins == (1, 2)
    for between in ([], [Pointwise("relu")]):
        lines = line_amplitudes(Chain([first, *between, free]), 1)
        assert lines is not None
        assert not lines[:, 4].any()  # 16 lines: 1/4
        assert lines[:, 1].any()  # of layer 1
        lines = line_amplitudes(Chain([first, *between, free, Conv(np.array([[[1, -3, 1]]])), Pointwise("relu")]), 1)
        assert lines is not None
        assert lines[:, 4].any()
    words = (whence_page(whence_document(parse(spec), [Fraction(4000)], 16000), parse(spec)) for spec in MIXED)
    assert [text.partition("it; ")[2].strip() for text in words] == [
        "with a map behind layer 2, also possible from layer 1",
        "with a map behind layer 2, also possible from layer 1",
        "also possible from layer 1, mixed by a map behind layer 2",
    ]


MIXED = ("convt k8 s4 | convt k8 s4", "convt k8 s4 | relu | convt k8 s4", "convt k8 s4 | convt k8 s4 | relu")
