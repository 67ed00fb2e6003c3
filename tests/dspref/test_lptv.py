"""Bifrequency maps: predicted outputs against chains that run, maps against matrices, refusals."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    NotAnalysable,
    Pointwise,
    StretchFilter,
    SubpixelConv,
    TransposedConv,
    parse,
    stretch,
)
from dspref.arrays import Array
from dspref.gains import gains
from dspref.spectrum import bifrequency
from tests.strategies import QUIET


def chain_of(words: str, seed: int) -> Chain:
    """Return a chain of random kernels, u up and d down by so much, 2 channels in between, 1 at last."""
    rng = np.random.default_rng(seed)
    made: list[Any] = []
    for word in words.split():
        s, K = int(word[1:]), int(rng.integers(1, 8))
        kinds: dict[str, Any] = {
            "u": lambda s=s, K=K: TransposedConv(rng.normal(size=(2, 2, K)), stride=s, padding=int(rng.integers(3))),
            "d": lambda s=s, K=K: Conv(rng.normal(size=(2, 2, K)), stride=s, padding=int(rng.integers(4)), dilation=2),
            "p": lambda s=s, K=K: SubpixelConv(rng.normal(size=(2 * s, 2, K)), s, padding=K // 2),
            "l": lambda s=s, K=K: Linear(s),
            "n": lambda s=s, K=K: Nearest(s),
        }
        made.append(kinds[word[0]]())
    return Chain([*made, Conv(rng.normal(size=(1, 2, 3)), padding=1)])


def steady_period(chain: Any, x: Array, out: int) -> Array:
    """Return one period of the output for an input that has gone on periodically for long."""
    before = 40 + 400 // x.shape[-1]
    y = chain(np.tile(x, (1, 2 * before)))
    return np.asarray(y[..., before * out : (before + 1) * out])


@QUIET(max_examples=25)
@given(
    st.lists(st.sampled_from(["u2", "u3", "d2", "d3", "d4", "p2", "l2", "l3", "n2"]), max_size=4),
    st.integers(0, 1000),
    st.integers(1, 5),
)
def test_the_map_predicts_the_output_of_any_periodic_input(words: list[str], seed: int, periods: int) -> None:
    """To 10⁻¹²: of the sums over a stage's ≤ 30 taps · channels, each errs by 30 u of the sum of magnitudes, which is
    some √30 times their result; five stages, two transforms: 10³ u, 10⁻¹³."""
    chain = chain_of(" ".join(words), seed)
    u = bifrequency(chain)
    x = np.random.default_rng(seed).normal(size=(2, u.M * periods))
    y = u.predict(x)
    assert y.dtype == float
    assert np.linalg.norm(steady_period(chain, x, y.shape[-1]) - y) <= 1e-12 * np.linalg.norm(y) + 1e-300


def test_periods_are_the_least_that_every_stage_divides() -> None:
    for words, M, L in (
        ("", 1, 1),
        ("u2 u3", 1, 6),
        ("d2", 2, 1),
        ("u2 d2", 1, 1),
        ("d2 u2", 2, 2),
        ("d4 u3 d2", 8, 3),
    ):
        u = bifrequency(chain_of(words, 0))
        assert (u.M, u.L) == (M, L)


def test_a_finite_input_is_a_period_with_zeros_around_it() -> None:
    chain = chain_of("u2 d3 p2", 1)
    u = bifrequency(chain)
    x = np.random.default_rng(0).normal(size=(2, 13))
    padded = np.zeros((2, u.M * 20))
    padded[:, 30 - 6 : 30 + 7] = x
    y, seen = u.predict(padded), chain(padded)
    common = min(y.shape[-1], seen.shape[-1])
    assert np.abs(seen[:, :common] - y[:, :common]).max() <= 1e-12 * np.abs(y).max()
    assert np.abs(y[:, [0, -1]]).max() <= 1e-12 * np.abs(y).max()


@pytest.mark.parametrize("inner", [1, 2])
def test_the_map_is_the_transform_of_the_matrix(inner: int) -> None:
    """Up by 3, filter, down by 2, of circular signals: F_out D A F_in⁻¹, from the entries of A alone."""
    h = np.random.default_rng(inner).normal(size=(2, inner, 5))
    up = StretchFilter(3, h, offset=2, border="circular")
    down = Conv(np.eye(2)[:, :, None], stride=2)
    time = 4
    A = up.as_matrix(time).reshape(2, 3 * time, inner, time)[:, ::2]
    out = A.shape[1]
    F = np.exp(-2j * np.pi * np.outer(np.arange(out), np.arange(out)) / out) / out
    B = np.exp(2j * np.pi * np.outer(np.arange(time), np.arange(time)) / time)
    expected = np.einsum("pm,omin,nq->pqoi", F, A, B)
    u = bifrequency(Chain([FilterInterp(3, h, offset=2), down]))
    assert (u.M, u.L) == (2, 3)
    assert u.array(time) == pytest.approx(expected, abs=1e-14 * np.abs(h).sum())


def test_the_map_is_zero_off_its_lines() -> None:
    """ν leads to f only where Lν ≡ Mf (mod 1): L lines of slope M/L."""
    u = bifrequency(chain_of("u3 d2", 3))
    G = u.array(8)[..., 0, 0]
    assert G.shape == (12, 8)
    for a in range(12):
        for b in range(8):
            on_line = (Fraction(a, 12) * u.L - Fraction(b, 8) * u.M).denominator == 1
            assert (G[a, b] != 0) == on_line


def test_upsampling_alone_has_one_column_the_images() -> None:
    chain = chain_of("u2 l3", 4)
    u = bifrequency(chain)
    phi = Fraction(3, 20)
    places = [(phi + k) / 6 for k in range(6)]
    assert u.components(float(phi)).shape == (6, 1, 1, 2)
    assert u.components(float(phi))[:, 0] == pytest.approx(gains(chain, places), abs=1e-12)


def test_a_bare_decimator_aliases() -> None:
    """Down by 3 adds up three frequencies, as they are."""
    u = bifrequency(Conv(np.array([[[1.0]]]), stride=3))
    assert u.components(0.3)[..., 0, 0] == pytest.approx(np.ones((1, 3)))
    a = np.random.default_rng(0).normal(size=(1, 12))
    assert u.predict(a) == pytest.approx(a[:, ::3])


def test_channels_alike_keep_their_number() -> None:
    u = bifrequency(parse("nearest x2 | linear x2"))
    assert u.components([0.1, 0.2]).shape == (2, 4, 1)
    x = np.random.default_rng(0).normal(size=(5, 3, 7))
    y = u.predict(x)
    assert y.shape == (5, 3, 28)
    assert y[1] == pytest.approx(steady_period(parse("nearest x2 | linear x2"), x[1], 28), abs=1e-13)


def test_complex_signals_stay_complex() -> None:
    u = bifrequency(Nearest(2))
    assert u.predict([[1j, 2]]) == pytest.approx(np.array([[1j, 1j, 2, 2]]))
    assert bifrequency(FilterInterp(2, np.array([1j]))).predict([[1, 2]]) == pytest.approx(1j * stretch([[1, 2]], 2))


def test_biases_are_apart() -> None:
    w = np.random.default_rng(0).normal(size=(1, 2, 4))
    up = TransposedConv(w, stride=2, bias=np.array([1.0, -2.0]))
    chain = Chain([up, Conv(np.ones((1, 2, 3)), stride=2, bias=np.array([9.0]))])
    u = bifrequency(chain)
    x = np.random.default_rng(1).normal(size=(1, 6))
    offset = steady_period(chain, 0 * x, 6)
    assert np.abs(offset).min() > 1
    assert u.predict(x) + offset == pytest.approx(steady_period(chain, x, 6), abs=1e-12)


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (Chain([Nearest(2), Pointwise("tanh")]), "a chain of linear layers"),
        (parse("conv k3 s2"), "without weights"),
        (Linear(2, align_corners=True), "align_corners"),
        (FilterInterp(2, np.array([sympy.Symbol("a"), 1])), "dspref.symbolic keeps symbols"),
    ],
)
def test_what_has_no_map_is_refused(chain: Any, words: str) -> None:
    with pytest.raises(NotAnalysable, match=words):
        bifrequency(chain)


def test_what_is_no_period_is_refused() -> None:
    u = bifrequency(Conv(np.array([[[1.0]]]), stride=2))
    for samples in (0, 3):
        with pytest.raises(ValueError, match=rf"samples of a period: got {samples}; allowed: a multiple of 2"):
            u.predict(np.ones((1, samples)))
    with pytest.raises(ValueError, match=r"input channels: got 2; allowed: 1"):
        u.predict(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"φ: got .*; allowed: 0 … 1"):
        u.components(1.5)
    with pytest.raises(ValueError, match=r"bins: got 0"):
        u.array(0)
