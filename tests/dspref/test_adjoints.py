"""Adjoints, against the transposed matrix, against the layer itself, and against SymPy's derivatives."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Gradients,
    Linear,
    Nearest,
    NotAnalysable,
    Outline,
    Pointwise,
    SubpixelConv,
    TransposedConv,
    adjoint,
)
from dspref.adjoints import WRT, stage_adjoints
from dspref.arrays import Array
from tests.strata import REFUSED, STRATA
from tests.strategies import KINDS, QUIET, Case, Make, cases, integers, survey, tabled

Show = Callable[[str], None]

EXAMPLES = 600
to_fractions = np.vectorize(lambda n: Fraction(int(n), 3), otypes=[object])


def weighed(case: Case) -> Array:
    """Return small integers for every output, the same for the same case."""
    return integers(zlib.crc32(case.x.tobytes()))(case.layer(case.x).shape)


def kernel_of(layer: Any) -> str | None:
    """Return the name of the field that holds the taps."""
    return {"filter": "taps", "nearest": None, "linear": None}.get(layer.op, "weight")


def unbiased(layer: Any) -> Any:
    return layer if layer.bias is None else dataclasses.replace(layer, bias=None)


def inner(a: Array, b: Array) -> Any:
    return (a * b).sum()


def assert_equal(got: Array | None, expected: Array) -> None:
    assert got is not None
    assert got.shape == expected.shape
    assert (got == expected).all(), f"differs at {np.argwhere(got != expected)[0]}"


def units(shape: tuple[int, ...]) -> Array:
    """Return every array of the shape that is 1 at one place and 0 elsewhere."""
    size = int(np.prod(shape))
    return np.eye(size, dtype=int).reshape(size, *shape)


def transposed(case: Case) -> tuple[Array, bool]:
    """Return the transposed matrix of the layer, (in·time, out·time'), and whether it acts on each channel alone.

    Entry by entry from the equation of the normal form; where there is none, row by row from unit inputs.
    """
    try:
        u = case.layer.normal
    except NotAnalysable:
        impulses = units(case.x.shape[-2:])
        impulses = to_fractions(3 * impulses) if case.kind == "linear" else impulses
        rows = unbiased(case.layer)(impulses)
        return rows.reshape(len(impulses), -1), False
    return u.as_matrix(case.time).T, u.h.ndim == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_by_the_input_is_the_transposed_matrix(kind: str, show: Show) -> None:
    def check(case: Case) -> None:
        g = weighed(case)
        case, g = (case.changed(to_fractions), to_fractions(g)) if kind == "linear" else (case, g)
        rows, alone = transposed(case)
        signals = g[..., None, :] if alone else g
        flat = signals.reshape(int(np.prod(signals.shape[:-2])), rows.shape[1])
        expected = np.zeros((len(flat), len(rows)), rows.dtype)
        for signal, row in zip(expected, flat, strict=True):
            signal[:] = [inner(weights, row) for weights in rows]
        assert_equal(adjoint(case.layer, case.x, g).input, expected.reshape(case.x.shape))

    show(tabled(f"{kind}: adjoint == transposed matrix in", survey(kind, EXAMPLES, check)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_on_one_side_is_the_adjoint_on_the_other(kind: str, show: Show) -> None:
    """⟨A x′, g⟩ = ⟨x′, Aᵀ g⟩ for any x′; ⟨layer with one unit of weight, or bias, g⟩ is that entry of its gradient."""

    def check(case: Case) -> None:
        layer, x, g = case.layer, case.x, weighed(case)
        other = integers(zlib.crc32(g.tobytes()))(x.shape)
        if kind == "linear":
            x, g, other = to_fractions(x), to_fractions(g), to_fractions(other)
        found, plain, name = adjoint(layer, x, g), unbiased(layer), kernel_of(layer)
        assert found.input is not None
        assert inner(plain(other), g) == inner(other, found.input)
        if name is None:
            assert found.weight is None
        else:
            taps = getattr(layer, name)
            one = [inner(dataclasses.replace(plain, **{name: unit})(x), g) for unit in units(taps.shape)]
            assert_equal(found.weight, np.array(one).reshape(taps.shape))
        if layer.bias is None:
            assert found.bias is None
        else:
            silent = dataclasses.replace(layer, weight=0 * layer.weight)
            one = [inner(dataclasses.replace(silent, bias=unit)(x), g) for unit in units(layer.bias.shape)]
            assert_equal(found.bias, np.array(one))

    show(tabled(f"{kind}: adjoint identity, every tap and bias in", survey(kind, EXAMPLES, check)))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_linear_in_every_arithmetic(kind: str) -> None:
    """Thirds in, ninths out: Fractions stay exact; doubles hold the integers."""

    def check(case: Case) -> None:
        g = weighed(case)
        whole, ninths = (
            adjoint(case.layer, case.x, g),
            adjoint(case.changed(to_fractions).layer, case.x, to_fractions(g)),
        )
        double = adjoint(case.layer, case.x.astype(float), g.astype(float))
        for name, factor in zip(WRT, (9 if kernel_of(case.layer) else 3, 3, 3), strict=True):
            exact, fractions, floats = (getattr(found, name) for found in (whole, ninths, double))
            if exact is None:
                assert fractions is floats is None
                continue
            assert floats.dtype == np.float64
            assert (floats == exact).all()
            if kind != "linear":  # whose weights are floats where the input is not of Fractions
                assert_equal(np.asarray(factor * fractions), exact)

    survey(kind, EXAMPLES // 2, check)


def symbols(letter: str) -> Make:
    def make(shape: tuple[int, ...]) -> Array:
        names = [f"{letter}{i}" for i in range(int(np.prod(shape)))]
        return np.array([sympy.Symbol(name) for name in names], object).reshape(shape)

    return make


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in STRATA[kind]], ids=lambda w: w)
def test_gradients_are_the_derivatives_that_sympy_finds(kind: str, name: str) -> None:
    """In symbols, so for every value of input, kernel, bias and weights at once: a case in each stratum."""

    @QUIET(max_examples=1)
    @given(cases(kind, name=name))
    def check(case: Case) -> None:
        letters = iter("xwbcd")
        case = case.filled(lambda shape: symbols(next(letters))(shape))
        y = case.layer(case.x)
        g = symbols("g")(y.shape)
        loss = sympy.sympify(inner(y, g))
        found = adjoint(case.layer, case.x, g)
        kernel = kernel_of(case.layer)
        for gradient, by in (
            (found.input, case.x),
            (found.weight, None if kernel is None else getattr(case.layer, kernel)),
            (found.bias, case.layer.bias),
        ):
            if gradient is None or by is None:
                assert gradient is by is None
                continue
            assert gradient.shape == by.shape
            assert all(sympy.expand(loss.diff(s) - d) == 0 for s, d in zip(by.flat, gradient.flat, strict=True))

    check()


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_output_has_no_gradient(kind: str) -> None:
    def check(case: Case) -> None:
        for wrt in ("input", "weight"):
            with pytest.raises(ValueError, match=r"output length|time samples for a"):
                adjoint(case.layer, case.x, np.zeros((*case.x.shape[:-1], 1)), wrt=wrt)

    survey(kind, 200, check, table=REFUSED)


W = np.arange(1, 9).reshape(2, 2, 2)
B = np.array([1, 2])
LAYERS: dict[str, Any] = {
    "conv": Conv(W, bias=B),
    "convt": TransposedConv(W, stride=2, bias=B),
    "shuffle": SubpixelConv(W, 2, bias=B),
    "nearest": Nearest(2),
    "linear": Linear(2),
    "filter": FilterInterp(2, W),
    "relu": Pointwise("relu"),
    "chain": Chain([Nearest(2), Conv(W)]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_gradient_of_another_shape_is_refused(name: str) -> None:
    layer, x = LAYERS[name], np.ones((3, 2, 4), int)
    shape = layer(x).shape
    batch, channels, time = shape
    allowed = rf"allowed: \({batch}, {channels}, {time}\), as the output"
    for wrong in ((2, channels, time), (channels, time), (1, *shape), (batch, channels + 1, time)):
        with pytest.raises(ValueError, match=rf"gradient: got shape .*{allowed}"):
            adjoint(layer, x, np.ones(wrong))
    for samples in (time - 1, time + 1, 1):
        with pytest.raises(ValueError, match=rf"gradient: got shape \({batch}, {channels}, {samples}\); {allowed}"):
            adjoint(layer, x, np.ones((batch, channels, samples)))


Refusal = tuple[Callable[[], Any], type[Exception], str]

REFUSALS: dict[str, Refusal] = {
    "channels": (
        lambda: adjoint(LAYERS["conv"], np.ones((3, 4)), np.ones((2, 3))),
        ValueError,
        "input channels: got 3; allowed: 2, as the layer's weight",
    ),
    "one axis": (lambda: adjoint(Nearest(2), [1, 2], [1, 2, 3, 4]), ValueError, r"input: got shape \(2,\)"),
    "NaN": (lambda: adjoint(Nearest(1), [[1]], [[np.nan]]), ValueError, r"gradient: got nan at index \(0, 0\)"),
    "text": (lambda: adjoint(Nearest(1), [[1]], [["a"]]), TypeError, "gradient: got dtype <U1"),
    "wrt": (lambda: adjoint(Nearest(1), [[1]], [[1]], wrt=["wieght"]), ValueError, "did you mean 'weight'"),
    "tanh": (lambda: adjoint(Pointwise("tanh"), [[1]], [[1]]), NotAnalysable, "adjoint: got tanh; allowed: relu"),
    "outline": (lambda: adjoint(Outline("conv", 3), [[1]], [[1]]), NotAnalysable, "adjoint: got Outline"),
    "function": (lambda: adjoint(abs, [[1]], [[1]]), NotAnalysable, "Hint: for a layer of your own, register"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_what_and_why(name: str) -> None:
    call, error, words = REFUSALS[name]
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("name", ["conv", "convt", "shuffle"])
def test_only_what_is_asked_for_is_computed(name: str) -> None:
    layer, x = LAYERS[name], np.arange(8).reshape(2, 4)
    g = np.arange(layer(x).size).reshape(layer(x).shape)
    everything = adjoint(layer, x, g)
    assert all(getattr(everything, word) is not None for word in WRT)
    for word in WRT:
        one = Gradients(**{word: getattr(everything, word)})
        assert adjoint(layer, x, g, wrt=word) == adjoint(layer, x, g, wrt=[word]) == one
    assert adjoint(layer, x, g, wrt=()) == Gradients()


@pytest.mark.parametrize(("name", "at_zero"), [("relu", 0), ("leaky", 0.5)])
def test_the_derivative_at_zero_is_that_of_torch(name: str, at_zero: float) -> None:
    """As in derivatives.yaml of Torch: the gradient passes where x > 0, and nowhere else."""
    found = adjoint(Pointwise(name, (0.5,) if name == "leaky" else ()), [[-1, 0, 2]], [[4, 4, 4]])
    assert found.input is not None
    assert found.input.tolist() == [[4 * at_zero, 4 * at_zero, 4]]


def test_a_chain_has_the_product_of_the_transposed_matrices() -> None:
    first, then = (
        TransposedConv(W, stride=2, padding=1, bias=np.array([1, -9])),
        Conv(W, padding=1, padding_mode="circular"),
    )
    chain = Chain([first, Pointwise("relu"), then])
    x, g = integers(1)((2, 5)), integers(2)((2, 9))
    A, B = (layer.normal.as_matrix(time) for layer, time in ((first, 5), (then, 8)))
    before = first(x)
    passes = (before > 0).ravel()
    assert 0 < passes.sum() < passes.size
    expected = A.T @ (passes * (B.T @ g.ravel()))
    assert_equal(adjoint(chain, x, g).input, expected.reshape(x.shape))
    stages = stage_adjoints(chain, x, g)
    assert_equal(stages[0].input, expected.reshape(x.shape))
    assert stages[2] == adjoint(then, np.maximum(before, 0), g)
    back = (passes * (B.T @ g.ravel())).reshape(before.shape)
    assert stages[0] == adjoint(first, x, back)
    assert stages[1].weight is stages[1].bias is None


def test_a_chain_of_nothing_hands_the_gradient_on() -> None:
    assert adjoint(Chain([]), [[1, 2]], [[3, 4]]) == Gradients(input=np.array([[3, 4]]))
    assert stage_adjoints(Chain([]), [[1, 2]], [[3, 4]]) == ()
    with pytest.raises(ValueError, match="gradient: got shape"):
        adjoint(Chain([]), [[1, 2]], [[3]])


def test_a_layer_of_ones_own_has_its_rule() -> None:
    from dspref.adjoints import as_gradient, collect, gradients_of

    @dataclasses.dataclass(frozen=True)
    class Twice:
        pass

    @gradients_of.register(Twice)
    def _(layer: Twice, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
        return collect(wrt, input=lambda: 2 * as_gradient(g, x, None, x.shape[-1]))

    assert adjoint(Twice(), [[1, 2]], [[3, 4]]) == Gradients(input=np.array([[6, 8]]))


@pytest.mark.parametrize("border", ["zeros", "reflect", "replicate", "circular"])
def test_an_empty_signal_has_empty_gradients(border: str) -> None:
    """Nothing comes out, so nothing is asked of the border, which has nothing to reflect."""
    layer, x = (
        Conv(np.ones((1, 1, 3), int), padding=1, padding_mode=border, bias=np.ones(1, int)),
        np.ones((2, 1, 0), int),
    )
    assert layer(x).shape == (2, 1, 0)
    zero = Gradients(input=x, weight=np.zeros((1, 1, 3), int), bias=np.zeros(1, int))
    assert adjoint(layer, x, np.ones((2, 1, 0), int)) == zero


def test_no_signals_in_exact_arithmetic_have_a_gradient_of_zero() -> None:
    layer, x = Conv(np.array([[[Fraction(1, 3)]]])), np.zeros((0, 1, 5), object)
    found = adjoint(layer, x, x)
    assert found.input is not None
    assert found.input.shape == x.shape
    assert_equal(found.weight, np.zeros((1, 1, 1), int))


def test_lines_are_exact_where_the_input_is() -> None:
    third = Fraction(1, 3)
    found = adjoint(Linear(3), np.array([[third, third]]), [[1, 1, 1, 1, 1, 3]])
    assert_equal(found.input, np.array([[3, 5]]))
    assert adjoint(Linear(3), np.array([[third, third]]), [[0, 0, 1, 0, 0, 0]]) == Gradients(
        input=np.array([[2 * third, third]])
    )


def test_the_order_of_a_shuffle_is_undone() -> None:
    """Phase by phase, then channel by channel: the transposed matrix has it from the normal form."""
    layer = SubpixelConv(np.arange(1, 25).reshape(6, 2, 2), 3, bias=np.arange(6), order="dcr")
    x, g = integers(3)((2, 4)), integers(4)((2, 9))
    found = adjoint(layer, x, g)
    assert_equal(found.input, (layer.normal.as_matrix(4).T @ g.ravel()).reshape(x.shape))
    silent = dataclasses.replace(layer, weight=0 * layer.weight)
    one = [inner(dataclasses.replace(silent, bias=unit)(x), g) for unit in units((6,))]
    assert_equal(found.bias, np.array(one))
