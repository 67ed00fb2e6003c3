"""Replicas: closed forms, positions by going through the layers, amplitudes by transforms of outputs."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    NotAnalysable,
    Pointwise,
    SubpixelConv,
    TransposedConv,
    ZeroStuff,
    parse,
    preset,
    tone_lines,
)
from dspref.arrays import Array
from dspref.spectrum import Replica, image_rejection, replicas

RNG = np.random.default_rng(5)
CHAIN = Chain(
    [
        Nearest(2),
        Conv(RNG.normal(size=(3, 2, 5)), padding=2),
        TransposedConv(RNG.normal(size=(3, 2, 7)), stride=3, padding=2),
        SubpixelConv(RNG.normal(size=(6, 2, 3)), 2, padding=1),
    ]
)


def coefficients(chain: Chain, f0: Fraction, a: Array) -> dict[Fraction, Array]:
    """Return the Fourier coefficients of the steady output of the real component a at f₀, by running the chain."""
    Q = f0.denominator
    n = np.arange(40 * Q)
    x = np.multiply.outer(a, np.exp(2j * np.pi * float(f0) * n))
    y = chain(x.real if f0 in (0, Fraction(1, 2)) else 2 * x.real)
    P = chain.factor * Q
    c = np.fft.fft(y[:, 20 * P : 21 * P]) / P
    return {Fraction(b, P): c[:, b] for b in range(P // 2 + 1)}


@pytest.mark.parametrize("f0", [Fraction(k, 40) for k in range(1, 20)])
def test_images_of_interpolators_by_two_have_their_closed_forms(f0: Fraction) -> None:
    t = np.tan(np.pi * float(f0) / 2)
    integer_grid = FilterInterp(2, np.array([Fraction(1, 2), Fraction(1), Fraction(1, 2)]), offset=1)
    for u, power in ((ZeroStuff(2), 0), (Nearest(2), 1), (integer_grid, 2), (Linear(2), 3)):
        (image,) = image_rejection(u, f0)
        assert (image.freq, image.order) == ((1 - f0) / 2, 1)
        assert image.relative_db == pytest.approx(power * 20 * np.log10(t), abs=1e-11)


@pytest.mark.parametrize("L", [2, 3, 5, 8])
def test_the_stretch_alone_has_every_image_at_0_db(L: int) -> None:
    found = replicas(ZeroStuff(L), Fraction(1, 7))
    assert len(found) == L
    assert [r.relative_db for r in found] == pytest.approx([0] * L, abs=1e-12)
    assert [r.level_db for r in found] == pytest.approx([-20 * np.log10(L)] * L)


@pytest.mark.parametrize("f0", [Fraction(0), Fraction(1, 2), Fraction(1, 3), Fraction(3, 20), Fraction(2, 5)])
def test_amplitudes_are_the_fourier_coefficients_of_the_output(f0: Fraction) -> None:
    a = np.array([1.0, -0.4]) if f0 in (0, Fraction(1, 2)) else np.array([1 + 0.5j, -0.3j])
    seen = coefficients(CHAIN, f0, a)
    predicted = {r.freq: r for r in replicas(CHAIN, f0, amplitude=a)}
    scale = max(np.abs(c).max() for c in seen.values())
    for freq, c in seen.items():
        expected = predicted[freq].amplitude if freq in predicted else np.zeros(3)
        assert expected is not None
        assert np.abs(c - expected).max() <= 1e-13 * scale  # 1000 roundings of u
    base = next(r for r in predicted.values() if r.order == 0)
    for r in predicted.values():
        if r.null:  # of the first layer, at f₀ = 0
            assert f0 == 0
            assert (r.level_db, r.relative_db) == (-np.inf, -np.inf)
            continue
        assert r.level_db == pytest.approx(10 * np.log10((np.abs(seen[r.freq]) ** 2).sum() / (np.abs(a) ** 2).sum()))
        assert r.relative_db == pytest.approx((r.level_db or 0) - (base.level_db or 0), abs=1e-9)


@pytest.mark.parametrize("f0", [Fraction(0), Fraction(3, 20), Fraction(1, 2)])
@pytest.mark.parametrize("words", ["nearest x2 | linear x3 | stretch x2", "convt k4 s4 | relu | shuffle x2 k3"])
def test_each_layer_repeats_what_comes_in_at_multiples_of_its_input_rate(words: str, f0: Fraction) -> None:
    chain = parse(words)
    rates = chain.rates(1)
    places: dict[Fraction, int | None] = {f0 * rates[0]: None}  # cycles per output sample, and who made it new
    for owner, (place, stage) in enumerate(chain.upsamplers, 1):
        rate, top = rates[place], rates[place + 1] / 2
        repeated = {abs(k * rate + sign * f) for f in places for k in range(int(stage.factor) + 1) for sign in (1, -1)}
        places |= {f: owner for f in repeated if f <= top and f not in places}
    assert {r.freq: r.owner for r in replicas(chain, f0)} == places
    for r in replicas(chain, f0):
        assert r.freq in {abs(r.order * rates[0] + sign * f0 * rates[0]) for sign in (1, -1)}
        assert r.owner is None or r.stage == chain.upsamplers[r.owner - 1][0]


def test_a_component_may_enter_at_any_stage() -> None:
    found = replicas(CHAIN, Fraction(1, 3), amplitude=[1, 2j, -1], stage=2)
    rest = Chain(CHAIN.stages[2:])
    assert {r.owner for r in found} == {None, 2, 3}
    assert {r.stage for r in found} == {None, 2, 3}
    seen = coefficients(rest, Fraction(1, 3), np.array([1, 2j, -1]))
    for r in found:
        assert r.amplitude == pytest.approx(seen[r.freq], abs=1e-12)


def test_the_replicas_of_an_offset_are_its_lines() -> None:
    lines = {line.freq: line.amplitude for line in tone_lines(CHAIN)}
    found = replicas(CHAIN, 0)
    assert {r.freq for r in found} == set(lines)
    for r in found:
        assert r.amplitude == pytest.approx(lines[r.freq], abs=1e-13)
    assert [r.null for r in replicas(Nearest(4), 0)] == [False, True, True]
    assert [r.level_db for r in replicas(Nearest(4), 0)] == pytest.approx([0, -np.inf, -np.inf])


def test_figure_6_has_eight_replicas_of_600_hertz() -> None:
    found = replicas(preset("fig6-nearest").chain, Fraction(600, 4000))
    assert [int(r.hz(32000)) for r in found] == [600, 3400, 4600, 7400, 8600, 11400, 12600, 15400]
    assert [r.owner for r in found] == [None, 1, 2, 2, 3, 3, 3, 3]
    assert {(r.amplitude, r.level_db, r.relative_db, r.null) for r in found} == {(None, None, None, False)}


def test_nonlinear_chains_keep_places_and_lose_levels() -> None:
    found = replicas(Chain([Nearest(2), Pointwise("relu")]), Fraction(1, 4))
    assert [(r.freq, r.level_db) for r in found] == [(Fraction(1, 8), None), (Fraction(3, 8), None)]


def test_nothing_is_compared_with_a_component_that_vanished() -> None:
    u = FilterInterp(2, np.convolve([1, 0, 1], [1, 0, 0, 0, -1]))  # nulls at 1/4, 0 and 1/2
    assert [(r.null, r.level_db, r.relative_db) for r in replicas(u, 0)] == [(True, -np.inf, None)] * 2


def test_equal_replicas_are_equal() -> None:
    def one() -> Replica:
        return replicas(Nearest(2), Fraction(1, 4))[0]

    assert one() == one()
    assert one() != replicas(Nearest(2), Fraction(1, 4))[1]


def test_bad_components_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got 3/4 cycles/sample; allowed: 0 … 1/2, up to half the input rate"):
        replicas(Nearest(2), Fraction(3, 4))
    with pytest.raises(ValueError, match=r"write Fraction\(3, 20\)"):
        replicas(Nearest(2), 0.15)
    with pytest.raises(ValueError, match=r"stage: got 5; allowed: 0 … 4, a place in the chain"):
        replicas(CHAIN, 0, stage=5)
    with pytest.raises(ValueError, match=r"amplitude: got nothing"):
        replicas(Nearest(2), 0, amplitude=0)
    with pytest.raises(ValueError, match=r"amplitude: got a complex number; allowed: a real one at 0 and at half"):
        replicas(Nearest(2), Fraction(1, 2), amplitude=1j)
    with pytest.raises(ValueError, match=r"got 3 channels; allowed: 2"):
        replicas(Chain(CHAIN.stages[1:]), 0, amplitude=[1, 2, 3])
    with pytest.raises(NotAnalysable, match=r"dspref.symbolic keeps symbols"):
        replicas(FilterInterp(2, np.array([sympy.Symbol("a"), 1])), 0)
    with pytest.raises(NotAnalysable, match=r"cut the chain"):
        replicas(Conv(np.array([[[1]]]), stride=2), 0)
