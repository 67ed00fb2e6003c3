"""Exact lines, by frequency, against the time domain in exact arithmetic, and against floating point."""

from __future__ import annotations

from dataclasses import replace
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
    Outline,
    Pointwise,
    StretchFilter,
    SubpixelConv,
    TransposedConv,
    ZeroStuff,
    nulls,
    tone_lines,
)
from dspref.arrays import Array
from dspref.layers import Layer
from dspref.strategies import chains, layers
from dspref.symbolic import MU, conv, filter_interp, lines, subpixel_conv, transposed_conv, with_taps
from dspref.symbolic.rootsums import Cyclotomic, as_expressions, domain_of, elements, root_sum
from tests.strategies import QUIET

b0, b1 = sympy.symbols("b0 b1", real=True)
to_fractions = np.vectorize(lambda n: Fraction(int(n), 3), otypes=[object])


def by_time(chain: Chain, k: int, offset: Any, domain: Any) -> list[Cyclotomic]:
    """Return ``c_k = (1/S) Σ_m y[m] W_S^{km}`` of each channel, y one period of the steady output, in exact numbers."""
    S = chain.factor
    (period,) = as_expressions("period", chain.offset_response(offset))
    rows = elements(domain, np.vectorize(sympy.expand, otypes=[object])(period / sympy.Integer(S)))
    return [root_sum(row, 0, Fraction(k, S), domain) for row in rows]


def assert_same(a: Cyclotomic, b: Cyclotomic) -> None:
    assert (a - b).is_zero, f"{a} is not {b}"


def check_three_routes(chain: Chain, offset: Array) -> None:
    """By frequency == by time, both exact; and == floating point up to its rounding; nulls by two tests."""
    every = lines(chain, offset=offset)
    exact = chain.offset_response(offset)
    loud = float(np.abs(exact.astype(float)).max(initial=0)) + float(np.abs(offset.astype(float)).max())
    weights = sum(float(np.abs(u.h.astype(float)).sum()) + 1 for u in (Chain([s]).collapse() for s in chain.stages))
    for k, (line, rounded) in enumerate(zip(every, tone_lines(chain, offset=offset), strict=True)):
        assert rounded.amplitude is not None
        assert line.freq == rounded.freq
        for c, reference, other in zip(
            line.amplitudes, by_time(chain, k, offset, sympy.QQ), rounded.amplitude, strict=True
        ):
            assert_same(c.value, reference)
            assert abs(complex(c) - other) <= 64 * chain.factor * 2.0**-53 * loud * weights
            assert c.vanishes == c.value.is_zero
        assert line.vanishes == (k in every.nulls) == nulls.nulls(exact)(line.freq)


def offsets(chain: Chain, seed: int) -> Array:
    means = np.random.default_rng(seed).integers(-5, 6, chain.in_channels or 1)
    return np.array([Fraction(int(m), 2) for m in means], object)


@QUIET(max_examples=40)
@given(layers(max_factor=8), st.integers(0, 99))
def test_drawn_layers_have_the_lines_of_all_routes(layer: Layer, seed: int) -> None:
    chain = Chain([layer])
    check_three_routes(chain, offsets(chain, seed))


@QUIET(max_examples=25)
@given(chains(max_factor=12), st.integers(0, 99))
def test_drawn_chains_have_the_lines_of_all_routes(chain: Chain, seed: int) -> None:
    check_three_routes(chain, offsets(chain, seed))


def normals(chain: Chain) -> list[StretchFilter]:
    return [Chain([stage]).collapse() for stage in chain.stages]


def numbered(chain: Chain, seed: int = 3) -> tuple[Chain, dict[Any, Any]]:
    """Return the chain of `with_taps`, with drawn fractions for its symbols, and which."""
    symbols = sorted({s for u in normals(chain) for s in u.h.flat if getattr(s, "free_symbols", None)}, key=str)
    rng = np.random.default_rng(seed)
    values = {s: sympy.Rational(int(rng.integers(-9, 10)), 7) for s in symbols}

    def put(a: Array) -> Array:
        return np.asarray(np.frompyfunc(lambda v: Fraction(str(sympy.sympify(v).subs(values))), 1, 1)(a))

    return Chain(FilterInterp(u.L, put(u.h), offset=u.offset) for u in normals(chain)), values


SYMBOLIC = {
    "transposed": Chain([transposed_conv(5, 3, padding=1)]),
    "dilated": Chain([transposed_conv(3, 4, dilation=2)]),
    "gap": Chain([transposed_conv(2, 5)]),
    "sub-pixel": Chain([subpixel_conv(2, 3, padding=1)]),
    "filter": Chain([filter_interp(7, 6, offset=3)]),
    "convolution": Chain([conv(3, padding=1)]),
    "chain": Chain([transposed_conv(3, 2, name="a"), Nearest(3), conv(2, name="b"), subpixel_conv(1, 2, name="c")]),
    "linear": Chain([transposed_conv(3, 2), Linear(2)]),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbolic_amplitudes_are_those_of_the_time_domain(name: str) -> None:
    """For all taps at once: the period of the output in SymPy, and its transform; and with numbers put in."""
    chain = SYMBOLIC[name]
    symbols = as_expressions("taps", *(u.h for u in normals(chain)))
    domain = domain_of("taps", *symbols, np.array([MU]))
    numbers, values = numbered(chain)
    for k, (line, put) in enumerate(zip(lines(chain), lines(numbers, offset=1), strict=True)):
        assert_same(line.amplitudes[0].value, by_time(chain, k, MU, domain)[0])
        terms = {r: domain.to_sympy(a).subs({**values, MU: 1}) for r, a in line.amplitudes[0].value.terms}
        assert {r: a for r, a in terms.items() if a} == {
            r: sympy.QQ.to_sympy(a) for r, a in put.amplitudes[0].value.lifted(line.amplitudes[0].value.order).items()
        }
        assert abs(complex(line.expr.subs({**values, MU: 1})) - complex(put.amplitudes[0])) < 1e-12
        squared = line.amplitudes[0].abs2.subs({**values, MU: 1})
        assert abs(float(squared) - abs(complex(put.amplitudes[0])) ** 2) < 1e-12


def test_every_source_has_its_part() -> None:
    """An input offset, a constant bias, a bias that changes with the phase: each enters behind its own layer."""
    chain = Chain([transposed_conv(2, 2, bias=b0, name="a"), subpixel_conv(1, 2, bias=[b1, 0], name="c")])
    found = [str(line) for line in lines(chain)]
    assert found[0].startswith("0: (mu/4)*(a0 + a1)*(c0_0 + c1_0) + (b0/2)*(c0_0 + c1_0) + b1/2")
    assert found[1] == "1/4: (mu/4)*(a0 - a1)*(c0_0 - I*c1_0)"
    assert found[2] == "1/2: (mu/4)*(a0 + a1)*(c0_0 - c1_0) + (b0/2)*(c0_0 - c1_0) + b1/2"
    domain = domain_of("taps", np.array([MU, b0, b1, *sympy.symbols("a0 a1 c0_0 c1_0", real=True)]))
    for k, line in enumerate(lines(chain)):
        assert_same(line.amplitudes[0].value, by_time(chain, k, MU, domain)[0])


def test_several_channels_have_means_and_amplitudes_of_their_own() -> None:
    a = np.array(sympy.symbols("a:8", real=True), object).reshape(2, 2, 2)
    chain = Chain([TransposedConv(a, stride=2, bias=np.array([0, b0])), Conv(np.ones((1, 2, 1), int))])
    means = sympy.symbols("mu:2", real=True)
    found = lines(chain)
    assert len(lines(Chain(chain.stages[:1]))[1].amplitudes) == 2
    domain = domain_of("taps", np.array([*means, b0, *a.flat]))
    for k, line in enumerate(found):
        assert_same(line.amplitudes[0].value, by_time(chain, k, np.array(means), domain)[0])
    assert (
        sympy.expand(
            found[1].expr
            - (means[0] * (a[0, :, 0] - a[0, :, 1]).sum() + means[1] * (a[1, :, 0] - a[1, :, 1]).sum()) / 2
        )
        == 0
    )
    column = lines(Chain(chain.stages[:1]))[0].expr
    assert column.shape == (2, 1)
    assert column[1].has(b0)


def test_sources_that_cancel_are_found_to_be_nothing() -> None:
    """A bias that undoes what the offset leaves of a line: a sum of two products, neither of them zero."""
    biased = Chain([SubpixelConv(np.array([[[1]], [[3]]]), 2, bias=np.array([1, -1]))])
    assert [str(line) for line in lines(biased, offset=1)] == ["0: 2", "1/2: 0"]
    assert [line.vanishes for line in lines(biased, offset=1)] == [False, True]
    assert lines(biased, offset=2).nulls == lines(biased).nulls == frozenset()
    h = sympy.symbols("h:2", real=True)
    crossed = Chain([SubpixelConv(np.array(h, object).reshape(2, 1, 1), 2, bias=h[::-1])])
    assert lines(crossed, offset=1).nulls == frozenset({1})
    assert lines(crossed, offset=1)[0].amplitudes[0].value.expr == sympy.Add(*h)


@pytest.mark.parametrize(
    ("layer", "turns"),
    [(Nearest(4), [0, None, None]), (transposed_conv(1, 3), [0, 0]), (ZeroStuff(2), [0, 0])],
)
def test_phases_are_exact_where_they_do_not_depend_on_the_taps(layer: Any, turns: list[Any]) -> None:
    assert [line.amplitudes[0].turn for line in lines(layer)] == turns


def test_the_phase_of_a_chain_of_symmetric_kernels_is_the_sum_of_theirs() -> None:
    """Delays add up: 1 at the middle rate, that is 3, and 1; ``c e^{j2πν·4}`` is real, whatever the taps."""
    a, b, c, d = sympy.symbols("a b c d", real=True)
    chain = Chain([FilterInterp(2, np.array([a, b, a])), FilterInterp(3, np.array([c, d, c]))])
    assert [line.amplitudes[0].turn for line in lines(chain)] == [
        -Fraction(4 * k, 6) % Fraction(1, 2) for k in range(4)
    ]
    skew = Chain([FilterInterp(2, np.array([a, b, a])), FilterInterp(3, np.array([c, d]))])
    assert [line.amplitudes[0].turn for line in lines(skew)][1:3] == [None, None]
    turned = Chain(
        [FilterInterp(3, np.array([a, b])), Conv(np.array([[[a, b]]]))]
    )  # h and its reverse: the phases undo
    assert [line.amplitudes[0].turn for line in lines(turned)] == [0, 0]


def test_lines_are_a_sequence_of_which_each_is_made_when_asked_for() -> None:
    chain = with_taps(Chain([Outline("convt", 8, stride=4)] * 6))
    every = lines(chain)
    assert len(every) == 2049
    assert every[2048].freq == Fraction(1, 2)
    assert [line.k for line in every[1:4]] == [1, 2, 3]
    assert str(every[1024]).startswith("1/4: (mu/4096)*(a0 + a1 + a2")
    assert every[1].hz(sympy.Symbol("sr")) == sympy.Symbol("sr") / 4096
    assert every.nulls == frozenset()
    layers: list[Any] = list(chain.stages)
    biased = lines(Chain(replace(layer, bias=np.array([b0])) for layer in layers))
    assert [line.vanishes for line in biased[:3]] == [False] * 3
    for bad, error in ((2049, IndexError), (-1, IndexError), (0.5, ValueError)):
        with pytest.raises(error, match="line: got"):
            every[bad]


def test_latex_names_the_line_and_its_roots() -> None:
    line = lines(transposed_conv(3, 3))[1]
    assert line.latex() == r"c_{1} = \frac{\mu}{3} (W_{3} \left(h_{1} - h_{2}\right) + h_{0} - h_{2})"
    assert lines(Nearest(2))[1].latex() == "c_{1} = 0"
    assert lines(StretchFilter(1, np.ones(1, int)))[0].latex() == r"c_{0} = \mu"


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([Nearest(2), Pointwise("relu")], r"amplitudes: got relu \(stage 1\), nonlinear; allowed: linear layers"),
        ([Outline("convt", 4, stride=2)], r"convt \(stage 0\), without weights; .*Hint: dspref.symbolic.with_taps"),
        ([Conv(np.ones((1, 1, 2)), stride=2)], "factor of a chain: got conv at 1/2"),
        ([Linear(2, align_corners=True)], "rate of a chain: got linear x2 with align_corners"),
        ([FilterInterp(2, np.array([sympy.sqrt(2), 1]))], r"taps, biases and offset: got sqrt\(2\); allowed: rational"),
    ],
)
def test_what_has_no_exact_lines_says_so(stages: list[Any], words: str) -> None:
    with pytest.raises(NotAnalysable, match=words):
        lines(Chain(stages))


def test_floats_count_as_fractions_unless_symbols_are_near() -> None:
    layer = TransposedConv(np.array([[[0.5, 0.25]]]), stride=2)
    assert str(lines(layer, offset=1)[1]) == "1/2: 1/8"
    assert str(lines(layer, offset=0.5)[1]) == "1/2: 1/16"
    assert str(lines(layer)[1]) == "1/2: mu/8"
    for source, offset in ((layer, sympy.Symbol("m")), (transposed_conv(2, 2), 0.5)):
        with pytest.raises(TypeError, match=r"taps, biases and offset: got the float 0\.5 beside the symbol"):
            lines(source, offset=offset)
    with pytest.raises(ValueError, match="offset: got 2 channels; allowed: 1"):
        lines(transposed_conv(2, 2), offset=[1, 2])
