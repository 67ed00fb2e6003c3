"""H(z), polyphase components and constructors, against the taps they are made of; and what loads SymPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given

import dspref.symbolic as symbolic
from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Linear,
    Nearest,
    NotAnalysable,
    Outline,
    StretchFilter,
    images,
    parse,
    tone_lines,
)
from dspref.layers import Layer
from dspref.strategies import chains, layers
from dspref.symbolic import (
    Z,
    conv,
    filter_interp,
    lines,
    polyphase,
    subpixel_conv,
    symbolic_chain,
    taps,
    transfer,
    transposed_conv,
    with_taps,
)
from tests.meta.test_import_hygiene import found, loaded
from tests.strategies import QUIET


def by_hand(u: StretchFilter) -> Any:
    """Return H(z) of each pair of channels, tap by tap, as a Matrix."""
    h = u.h if u.h.ndim == 3 else u.h[None, None]
    total = sympy.zeros(*h.shape[:2])
    for o, i, n in np.ndindex(*h.shape):
        total[o, i] += sympy.sympify(h[o, i, n]) * Z ** (u.offset - n)
    return total


def as_matrix(H: Any) -> Any:
    return H if isinstance(H, sympy.MatrixBase) else sympy.Matrix([[H]])


def is_null(M: Any) -> bool:
    return all(sympy.expand(e) == 0 for e in M)


@QUIET(max_examples=30)
@given(layers(max_factor=6))
def test_transfer_and_polyphase_of_drawn_layers(layer: Layer) -> None:
    """H(z) is the sum over the taps, and ``Σ_r z^{−r} E_r(z^L)``; E_r(1) are the phase gains."""
    u = layer.normal
    H, E = as_matrix(transfer(layer)), polyphase(layer)
    assert is_null(H - by_hand(u))
    assert len(E) == u.L
    parts = (as_matrix(e.subs(Z, Z**u.L)) * Z**-r for r, e in enumerate(map(sympy.sympify, E)))
    assert is_null(sum(parts, sympy.zeros(*H.shape)) - H)
    gains = [as_matrix(g).tolist() for g in polyphase(layer, z=1)]
    assert gains == np.asarray(u.phase_gains).reshape(u.L, *H.shape).tolist()


@QUIET(max_examples=15)
@given(chains(max_factor=6, max_layers=3))
def test_transfer_of_drawn_chains_is_that_of_the_collapsed_one(chain: Chain) -> None:
    """``Π_i H_i(z^{S/(s_1⋯s_i)})``, matrices from the right to the left, against the noble identity tap by tap."""
    assert is_null(as_matrix(transfer(chain)) - by_hand(chain.collapse()))


def test_transfer_for_all_taps_at_once() -> None:
    chain = Chain([transposed_conv(3, 2, padding=1, name="a"), Linear(3), subpixel_conv(2, 2, name="c")])
    assert is_null(as_matrix(transfer(chain)) - by_hand(chain.collapse()))
    factored = transfer(chain)
    assert isinstance(factored, sympy.Mul)
    assert len(factored.args) == 3


def test_transfer_takes_the_variable_that_it_is_given() -> None:
    w = sympy.Symbol("w")
    assert transfer(Nearest(2), z=1 / w) == 1 + w
    assert polyphase(StretchFilter(3, taps(2)), z=w) == (*taps(2), 0)
    assert transfer(Conv(np.array([[[1, 2]]]), padding=1)) == 2 + 1 / Z  # a correlation: the last tap meets the newest
    assert transfer(Chain([])) == 1


def test_constructors_name_every_tap() -> None:
    assert [str(t) for t in subpixel_conv(2, 2, name="w").weight.flat] == ["w0_0", "w0_1", "w1_0", "w1_1"]
    assert all(t.is_real for t in taps(3))
    assert transposed_conv(4, 2, padding=1, dilation=2).normal.h.shape == (1, 1, 7)
    assert conv(3, padding=1, bias=sympy.Symbol("b")).bias.tolist() == [sympy.Symbol("b")]
    assert filter_interp(3, 2, offset=1).normal.offset == 1
    b = sympy.symbols("b:2")
    assert subpixel_conv(1, 2, bias=b[0]).bias.tolist() == [b[0]] * 2
    assert subpixel_conv(1, 2, bias=b).bias.tolist() == list(b)


def test_outlines_get_taps_and_keep_their_shape() -> None:
    outline = parse("convt k5 s3 p1 op1 d2 | conv k3 p1 | shuffle x2 k3 p1 | nearest x2 | leaky 0.1")
    chain = with_taps(outline)
    normals = [Chain([stage]).collapse() for stage in chain.stages[:-1]]
    assert [stage.op for stage in chain.stages] == ["convt", "conv", "shuffle", "nearest", "leaky"]
    assert chain.factor == outline.factor
    assert normals[0].length(10) == 10 * 3 + 9 - 3 - 2 + 1
    assert {str(t)[0] for t in normals[1].h.flat} == {"b"}
    ones = with_taps(outline, kernel="ones")
    assert set(Chain([ones.stages[2]]).collapse().h.flat) == {1}
    many = with_taps(Chain([Outline("conv", 1)] * 28))
    assert [str(Chain([stage]).collapse().h.item()) for stage in many.stages[25:]] == ["z0", "aa0", "ab0"]
    with pytest.raises(ValueError, match=r"kernel: got 'one'; allowed: symbols, ones. Hint: did you mean 'ones'"):
        with_taps(outline, kernel="one")


A = sympy.Symbol("a")


def filter_of(numbers: list[Any]) -> FilterInterp:
    return FilterInterp(2, np.array(numbers, object))


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: FilterInterp(sympy.Symbol("L"), taps(2)), ValueError, "factor: got L; .*Hint: .*dspref.symbolic"),
        (lambda: Nearest(2 * A), ValueError, r"factor: got 2\*a; .*dspref.symbolic"),
        (lambda: replace(transposed_conv(1, 2), stride=A), ValueError, "stride: got a; .*dspref.symbolic"),
        (lambda: tone_lines(Chain([conv(2)])), NotAnalysable, "amplitudes: got symbolic taps; .*dspref.symbolic"),
        (lambda: images(Chain([conv(2)]), 0), NotAnalysable, "got symbolic taps; .*dspref.symbolic"),
        (lambda: transfer(filter_of([A, 0.5])), TypeError, "the float 0.5 beside the symbol a"),
        (lambda: transfer(Outline("convt", 2)), NotAnalysable, "levels: got convt without weights"),
        (lambda: transfer(parse("relu")), NotAnalysable, "normal form: got relu"),
        (lambda: transfer(Linear(2, align_corners=True)), NotAnalysable, "align_corners"),
        (lambda: polyphase(Conv(np.ones((1, 1, 2)), stride=2)), NotAnalysable, "stride 2"),
        (lambda: taps(0), ValueError, "number of taps: got 0"),
        (lambda: transposed_conv(2, 0), ValueError, "stride: got 0"),
        (lambda: transposed_conv(2, 2, bias=[1, 2]), ValueError, "bias: got shape .2,."),
        (lambda: filter_interp(2, A), ValueError, "factor: got a; .*dspref.symbolic"),
        (lambda: filter_of([]), ValueError, "taps: got shape .0,.; allowed: at least one tap"),
    ],
)
def test_refusals(ask: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ask()


def test_integers_of_sympy_are_integers() -> None:
    assert Nearest(sympy.Integer(3)) == Nearest(3)
    assert type(Nearest(sympy.Integer(3)).factor) is int
    with pytest.raises(ValueError, match="factor: got 1/2; allowed: an integer >= 1"):
        Nearest(sympy.Rational(1, 2))


def test_public_names_are_here_and_explained() -> None:
    assert sorted(symbolic.__all__) == sorted(set(symbolic.__all__))
    for name in symbolic.__all__:
        assert getattr(symbolic, name) is not None
        made = getattr(symbolic, name)
        assert isinstance(made, sympy.Symbol) or (made.__doc__ or "").strip()


def test_sympy_is_loaded_by_this_module_and_not_by_the_package_or_the_command() -> None:
    assert found(loaded("-c", "import dspref, dspref.commands.symbolic"), ("sympy",)) == []
    assert found(loaded("-c", "import dspref.symbolic"), ("sympy", "torch", "matplotlib", "scipy")) == ["sympy"]


def test_six_layers_of_symbols_are_products_that_nobody_multiplies_out() -> None:
    """48 symbols and 2049 lines: 8⁶ monomials in each, if they were."""
    chain = with_taps(parse(" | ".join(["convt k8 s4 p2"] * 6)))
    every = lines(chain)
    assert len(every[1].amplitudes[0].products[0]) == 7
    assert len(every[1].expr.free_symbols) == 49
    assert len(transfer(chain).args) == 6
    free = symbolic_chain(6)
    assert free.amplitude().free_symbols == {*free.factors, symbolic.K_ORDER, symbolic.MU}


def test_heads_without_weights_get_no_taps() -> None:
    with pytest.raises(NotAnalysable, match="layer for symbols: got istft; allowed: conv, convt, shuffle"):
        with_taps(parse("istft x4 k16 p8"))
