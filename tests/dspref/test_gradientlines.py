"""Lines in gradients: the adjoint chain against gradients by definition, lines against transforms of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Interpolate,
    Nearest,
    NotAnalysable,
    Outline,
    Pointwise,
    TransposedConv,
    adjoint,
    parse,
    tone_lines,
)
from dspref.arrays import Array
from dspref.gradients.adjointchain import adjoint_chain
from dspref.gradients.decimators import PhaseShuffle, Pool
from dspref.gradients.lines import GradientLine, gradient_lines, shuffle_attenuation
from tests.strategies import QUIET

RNG = np.random.default_rng(4)


def integers(*shape: int) -> Array:
    return RNG.integers(-9, 10, shape)


def stack() -> Chain:
    """Return three strided convolutions, of overlaps that make lines, groups and dilation."""
    return Chain(
        [
            Conv(integers(4, 2, 7), stride=3, padding=2),
            Conv(integers(6, 2, 5), stride=2, padding=4, groups=2, dilation=2),
            Conv(integers(3, 6, 3), stride=4, bias=integers(3)),
        ]
    )


def amplitudes(lines: Sequence[GradientLine]) -> Array:
    """Return (channel, frequency)."""
    found = [line.amplitude for line in lines]
    assert all(c is not None for c in found)
    return np.array(found).T


def steady_gradient(chain: Chain, mean: Array, time: int) -> Array:
    """Return the gradient by definition, for an upstream gradient constant in time (out,)."""
    x = np.zeros((chain.in_channels or 1, time), int)
    y = chain(x)
    g = np.broadcast_to(mean[:, None], y.shape)
    return np.asarray(adjoint(chain, x, g).input)


def middle(g: Array, D: int, reach: int) -> Array:
    """Return whole periods that begin at a multiple of D and stay `reach` samples from both ends."""
    start = -(-reach // D) * D
    stop = start + (g.shape[-1] - reach - start) // D * D
    assert stop - start >= 3 * D
    return g[..., start:stop]


@QUIET(max_examples=40)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 3), st.integers(1, 2), st.data())
def test_the_adjoint_chain_is_the_gradient_of_a_convolution(
    K: int, s: int, d: int, groups: int, data: st.DataObject
) -> None:
    """On inputs of the shortest length that makes the output: equal sample by sample, borders included."""
    reach = d * (K - 1)
    p = data.draw(st.integers(0, reach // 2))
    layer = Conv(integers(2 * groups, 3, K), stride=s, padding=p, dilation=d, groups=groups)
    time = 6 * s + reach + 1 - 2 * p
    x, g = np.zeros((3 * groups, time), int), integers(2 * groups, 7)
    assert np.array_equal(adjoint_chain(Chain([layer]))(g), np.asarray(adjoint(layer, x, g).input))


@pytest.mark.parametrize(
    "layer",
    [
        Conv(integers(2, 3, 4), padding="same"),
        Conv(integers(2, 3, 4), padding="same", dilation=3),
        TransposedConv(integers(3, 2, 4), padding=1),
        FilterInterp(1, integers(5), offset=1, excess=-2),
        Nearest(1),
    ],
)
def test_the_adjoint_chain_is_the_gradient_of_layers_that_keep_the_rate(layer: Any) -> None:
    x = np.zeros((3, 20), int)
    g = integers(*np.shape(layer(x)))
    assert np.array_equal(adjoint_chain(Chain([layer]))(g), np.asarray(adjoint(layer, x, g).input))


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "cubic"])
@pytest.mark.parametrize("s", [1, 2, 3, 4])
def test_the_adjoint_of_interpolation_downwards_within_its_borders(mode: str, s: int) -> None:
    layer = Interpolate(mode, scale_factor=Fraction(1, s))
    x = np.array([[Fraction(0)] * 12 * s], object)
    g = integers(1, 12).astype(object)
    g[0, :3] = g[0, -3:] = 0
    backwards = adjoint_chain(Chain([layer]))(g)
    expected = np.asarray(adjoint(layer, x, g).input)
    common = min(backwards.shape[-1], expected.shape[-1])
    assert common >= 11 * s
    assert np.array_equal(backwards[..., :common], expected[..., :common])
    assert not expected[..., common:].any()


def test_the_adjoint_of_pooling_and_of_a_shuffle_by_inner_products() -> None:
    """⟨g, A x⟩ = ⟨Aᵀ g, x⟩ in Fractions, all x: the identity for signals, one by one."""
    cases: list[tuple[Any, int]] = [(Pool("average", 4, stride=3, padding=1), 3), (Pool("average", 3, stride=1), 1)]
    for stage, s in cases:
        time = 5 * s + stage.length - 2 * stage.padding
        columns = stage(np.eye(time, dtype=int).astype(object)[:, None])  # (n, 1, t)
        g = integers(1, columns.shape[-1])
        assert np.array_equal(adjoint_chain(Chain([stage]))(g)[0], (columns[:, 0] * g[0]).sum(axis=-1))
    shuffle, g = PhaseShuffle(2), integers(1, 30)
    g[0, :4] = g[0, -4:] = 0
    columns = shuffle(np.eye(30, dtype=int).astype(object)[:, None])
    assert np.array_equal(adjoint_chain(Chain([shuffle]))(g)[0], (columns[:, 0] * g[0]).sum(axis=-1))


def test_three_strided_convolutions_have_these_lines_and_no_others() -> None:
    """Integers: the gradient is exact, and its transform is off by the rounding of the FFT alone."""
    chain, mean, D = stack(), np.array([3, -2, 5]), 24
    lines = gradient_lines(chain, upstream=mean)
    assert [line.freq for line in lines] == [Fraction(k, 24) for k in range(13)]
    g = middle(steady_gradient(chain, mean, 400), D, 100)
    periods = g.shape[-1] // D
    measured = np.fft.fft(g, axis=-1) / g.shape[-1]
    c, peak = amplitudes(lines), np.abs(g).max()
    bound = 8 * np.log2(g.shape[-1]) * 2.0**-53 * peak
    assert np.abs(measured[:, : 12 * periods + 1 : periods] - c).max() <= bound
    assert np.abs(np.delete(measured, np.arange(D) * periods, axis=-1)).max() <= bound
    assert np.abs(c).min(axis=0).max() > 1e6 * bound  # there are lines to see


@pytest.mark.parametrize(("K", "s", "p"), [(7, 3, 2), (4, 4, 0), (3, 5, 1), (8, 2, 3)])
def test_one_convolution_has_the_spectrum_of_its_weight(K: int, s: int, p: int) -> None:
    """``c_k = μ W(k/s)/s e^{j2πkp/s}``: THEORY's W(k/s)/s, and the padding's turn."""
    w = integers(1, 1, K)
    lines = gradient_lines(Chain([Conv(w, stride=s, padding=p)]), upstream=3)
    for k, line in enumerate(lines):
        W = np.sum(w[0, 0] * np.exp(-2j * np.pi * k * np.arange(K) / s))
        assert line.amplitude is not None
        assert abs(line.amplitude[0] - 3 * W / s * np.exp(2j * np.pi * k * p / s)) <= 40 * K * 9 * 3 * 2.0**-53


def test_amplitudes_by_frequency() -> None:
    """Of a chain: the product of the responses of all layers, each at its own rate, ``1/D Π_i W_i(f s₁⋯s_{i−1})``."""
    chain = Chain(
        [Conv(integers(1, 1, 7), stride=3), Conv(integers(1, 1, 5), stride=2), Conv(integers(1, 1, 6), stride=4)]
    )
    for line in gradient_lines(chain):
        expected, rate = 1 / 24 + 0j, 1
        for layer in chain.stages:
            w = layer.weight[0, 0]  # type: ignore[union-attr]
            expected *= np.sum(w * np.exp(-2j * np.pi * float(line.freq * rate % 1) * np.arange(w.size)))
            rate *= Fraction(layer.factor).denominator
        assert line.amplitude is not None
        assert abs(line.amplitude[0] - expected) <= 1e-12 * (7 * 5 * 6 * 9**3) / 24


def test_who_owns_a_line_is_the_first_layer_that_can_make_it() -> None:
    """Dual to lines of upsamplers: strides 4, 2, 3 from the input make lines at multiples of 1/4, 1/8 and 1/24."""
    lines = gradient_lines(parse("conv k9 p4 | conv k8 s4 | leaky | conv k4 s2 | conv k3 s3"))
    assert len(lines) == 13
    for k, line in enumerate(lines):
        able = [i for i, spacing in ((1, 6), (2, 3), (3, 1)) if k % spacing == 0]
        assert (line.owner, line.origins) == (able[0], tuple(able))
        assert line.stage == {1: 1, 2: 3, 3: 4}[able[0]]
        assert line.amplitude is None
    mirrored = tone_lines(parse("convt k3 s3 | convt k4 s2 | convt k8 s4"))
    assert [line.freq for line in mirrored] == [line.freq for line in lines]
    assert [4 - line.owner for line in mirrored if line.owner] == [line.owner for line in lines]


def test_average_pooling_as_long_as_its_stride_leaves_no_line() -> None:
    for s in (2, 3, 4, 8):
        flat = gradient_lines(Chain([Pool("average", s)]))
        assert [line.null for line in flat] == [False] + [True] * (s // 2)
        partial = gradient_lines(Chain([Pool("average", s + 1, stride=s)]))
        assert not any(line.null for line in partial)


def test_picking_every_second_sample_leaves_a_line_as_strong_as_the_mean() -> None:
    nearest, linear = (gradient_lines(parse(f"{mode} x1/2")) for mode in ("nearest", "linear"))
    assert np.abs(amplitudes(nearest)).tolist() == [[0.5, 0.5]]
    assert [line.null for line in linear] == [False, True]


@pytest.mark.parametrize("stage", [Pool("max", 4), Pool("lp", 4), Pointwise("leaky", (0.2,))])
def test_nonlinear_stages_keep_positions_and_void_levels(stage: Any) -> None:
    lines = gradient_lines(Chain([Conv(integers(1, 1, 5), stride=2), stage]))
    assert len(lines) == Fraction(stage.factor).denominator + 1
    assert all(line.amplitude is None and not line.null for line in lines)


@pytest.mark.parametrize("period", [2, 3, 5])
def test_columns_of_a_period_by_definition(period: int) -> None:
    """The gradient of each column by definition, interleaved; alike, and each with a mean of its own."""
    chain = Chain([Conv(integers(3, 1, 5), stride=3, padding=2), Conv(integers(2, 3, 3), stride=2, padding=1)])
    D, reach = 6 * period, 40 * period
    for means in (np.repeat(np.array([[2], [-1]]), period, axis=1), integers(2, period)):
        columns = [steady_gradient(chain, means[:, r], 120) for r in range(period)]
        g = middle(np.stack(columns, axis=-1).reshape(1, -1), D, reach)
        measured = np.fft.fft(g, axis=-1)[:, : g.shape[-1] // 2 + 1 : g.shape[-1] // D] / g.shape[-1]
        lines = gradient_lines(chain, upstream=means, period=period)
        assert np.abs(measured - amplitudes(lines)).max() <= 8 * np.log2(g.shape[-1]) * 2.0**-53 * np.abs(g).max()
    assert {line.null for line in gradient_lines(chain, period=period) if 0 < line.freq * period % 1 == 0} <= {True}
    reshape = [line for line in gradient_lines(chain, period=period) if 0 in line.origins and line.freq > 0]
    assert [line.freq for line in reshape] == [Fraction(k, period) for k in range(1, period // 2 + 1)]
    assert all(line.null and (line.owner, line.stage) == (0, None) for line in reshape)
    apart = gradient_lines(chain, upstream=np.eye(2, period, dtype=int), period=period)
    assert not any(line.null for line in apart if line.owner == 0)


def test_a_multi_period_discriminator_with_equal_columns_holds_its_gradient() -> None:
    """Interleaved equal columns are nearest-neighbour interpolation: lines of the chain, then the box of length p."""
    chain = Chain([Conv(integers(1, 1, 5), stride=3, padding=2)])
    held = tone_lines(Chain([*adjoint_chain(chain).stages, Nearest(5)]))
    lines = gradient_lines(chain, period=5)
    assert [line.freq for line in lines] == [line.freq for line in held]
    for line, other in zip(lines, held, strict=True):
        assert line.amplitude is not None
        assert other.amplitude is not None
        assert np.abs(line.amplitude - other.amplitude).max() <= 1e-12 * 45


def test_phase_shuffles_attenuate_by_the_product() -> None:
    """The mean over draws as moving averages in the chain, against the closed form beside it."""
    a, b, c = (Conv(integers(1, 1, 7), stride=s, padding=3) for s in (4, 2, 3))
    chain = Chain([a, PhaseShuffle(2), b, PhaseShuffle(1), c, PhaseShuffle(4)])
    plain = amplitudes(gradient_lines(Chain([a, b, c])))
    lines = gradient_lines(chain)
    shuffled = amplitudes(lines)
    factors = np.array([shuffle_attenuation(chain, line.freq) for line in lines])
    assert np.abs(shuffled - plain * factors).max() <= 1e-13 * np.abs(plain).max()
    assert np.abs(plain).min() > 0
    for line, factor in zip(lines, factors, strict=True):
        assert line.null == (factor == 0)
        assert (factor == 1) == (line.freq % Fraction(1, 4) == 0)  # what the first stride owns, no shuffle touches
    assert [line.null for line in lines] == [k % 3 > 0 for k in range(13)]  # of n = 1 where f stands at thirds


def test_nulls_are_proved_by_fractions() -> None:
    """A weight that the box of its stride divides, in floats that are not exact decimals."""
    w = np.convolve([0.1, 0.7, -0.4], [1, 1, 1])[None, None]
    rough = gradient_lines(Chain([Conv(w, stride=3)]))
    assert not rough[1].null  # the floats' sums differ in the last place
    w = np.array([[[0.1, 0.1, 0.1, 0.7, 0.7, 0.7]]])
    assert gradient_lines(Chain([Conv(w, stride=3)]))[1].null
    assert gradient_lines(Chain([Conv(w, stride=3)]), upstream=0.3)[1].null
    assert not gradient_lines(Chain([Conv(w, stride=3)]), upstream=1j)[1].null  # no proof for complex numbers


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("conv k4 s2 | convt k4 s2", "gradient of a chain: got convt at 2 (stage 1); allowed: stages that keep"),
        ("nearest x2", "got nearest at 2 (stage 0)"),
        ("linear x2/3", "got interpolate at 2/3 (stage 0)"),
        ("linear x1/2 corners", "a fixed grid of positions: neither corners nor recompute"),
        ("nearest size441", "factor: got size=441; allowed: a scale_factor"),
    ],
)
def test_what_is_no_discriminator_is_not_analysable(spec: str, words: str) -> None:
    with pytest.raises(NotAnalysable) as error:
        gradient_lines(parse(spec))
    assert words in str(error.value)


def test_bad_arguments_are_refused_in_words() -> None:
    chain = stack()
    with pytest.raises(ValueError, match="offset: got 2 channels; allowed: 3"):
        gradient_lines(chain, upstream=[1, 2])
    with pytest.raises(ValueError, match="upstream: got 2 columns; allowed: 3, as the period"):
        gradient_lines(chain, upstream=np.ones((3, 2)), period=3)
    with pytest.raises(ValueError, match=r"upstream: got shape \(1, 1, 1\)"):
        gradient_lines(chain, upstream=[[[1]]])
    with pytest.raises(ValueError, match="period: got 0; allowed: an integer >= 1"):
        gradient_lines(chain, period=0)
    with pytest.raises(TypeError, match="discriminator: got 'conv k4'; allowed: a Chain"):
        gradient_lines("conv k4")  # type: ignore[arg-type]
    with pytest.raises(NotAnalysable, match="without weights"):
        adjoint_chain(Chain([Outline("conv", 3, stride=2)]))([[1, 2]])


def test_no_layer_that_lowers_the_rate_leaves_a_constant() -> None:
    (line,) = gradient_lines(Chain([Conv(integers(1, 1, 3), padding=1)]))
    assert line.freq == 0
    assert (line.owner, line.stage, line.origins) == (None, None, ())
