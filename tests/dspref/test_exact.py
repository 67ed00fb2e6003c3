"""Every layer is its normal form: two routes that share no code, equal with no tolerance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given

from dspref import Conv, Linear, NotAnalysable, decimate
from dspref.arrays import Array
from tests.strata import REFUSED, STRATA
from tests.strategies import KINDS, QUIET, Case, cases, survey, tabled

Show = Callable[[str], None]

EXAMPLES = 2000
IN_EACH = [(kind, name) for kind in KINDS for name in STRATA[kind] if "native only" not in name]

to_fractions = np.vectorize(lambda n: Fraction(int(n), 3), otypes=[object])


def no_normal_form(layer: Any) -> bool:
    """Decimating convolutions, and grids that move with the length."""
    decimates = layer.op == "conv" and layer.stride > 1
    return decimates or getattr(layer, "align_corners", False)


def biased(y: Array, layer: Any) -> Array:
    """Add the layer's periodic offset to what its filter gave."""
    if layer.bias_phases is None:
        return y
    return np.asarray(y + layer.bias_phases[:, np.arange(y.shape[-1]) % layer.bias_phases.shape[-1]])


def by_normal_form(case: Case) -> Array:
    """Return the output by stretch + filter; a decimating convolution keeps every s-th sample of it."""
    layer = case.layer
    if not no_normal_form(layer):
        return biased(layer.normal(case.x), layer)
    dense = dataclasses.replace(layer, stride=1)
    return biased(decimate(dense.normal(case.x), layer.stride), layer)


def by_matrix(case: Case) -> Array:
    """Return the output by the dense matrix of the equation, signal by signal."""
    u, x = case.layer.normal, case.x
    if u.h.ndim == 1:  # every channel filtered alike: channels are further signals
        x = x[..., None, :]
    A = u.as_matrix(case.time)
    out = 1 if u.h.ndim == 1 else u.h.shape[0]
    signals = x.reshape(int(np.prod(x.shape[:-2])), A.shape[1])
    y = (signals @ A.T).reshape(*x.shape[:-2], out, u.length(case.time))
    return biased(y[..., 0, :] if u.h.ndim == 1 else y, case.layer)


def assert_equal(y: Array, reference: Array) -> None:
    assert y.shape == reference.shape
    assert (y == reference).all(), f"differs at {np.argwhere(y != reference)[0]}"


@pytest.mark.parametrize("kind", KINDS)
def test_native_is_normal_form(kind: str, show: Show) -> None:
    """Integers; linear interpolation, whose weights are fractions, in Fractions."""
    compared = dense = 0

    def check(case: Case) -> None:
        nonlocal compared, dense
        case = case.changed(to_fractions) if kind == "linear" else case
        if getattr(case.layer, "align_corners", False):
            return  # no normal form: test_operators has its plain loop
        compared += 1
        y = case.layer(case.x)
        assert_equal(y, by_normal_form(case))
        assert y.dtype == (object if kind == "linear" else np.int64)
        if case.time <= 4 and not no_normal_form(case.layer):
            dense += 1
            assert_equal(y, by_matrix(case))

    counts = survey(kind, EXAMPLES + 400 * (kind == "linear"), check)
    show(tabled(f"{kind}: native == normal form {compared} times, == matrix @ x {dense} times, in", counts))
    assert compared >= EXAMPLES
    assert dense >= EXAMPLES // 10


@pytest.mark.parametrize("kind", KINDS)
def test_native_is_normal_form_on_fractions(kind: str) -> None:
    def check(case: Case) -> None:
        case = case.changed(to_fractions)
        if not no_normal_form(case.layer):
            assert_equal(case.layer(case.x), by_normal_form(case))

    survey(kind, 300, check)


@pytest.mark.parametrize("kind", KINDS)
def test_complex_numbers_and_powers_of_two_are_exact_too(kind: str) -> None:
    """Gaussian integers over 4 have no rounding in complex doubles."""

    def check(case: Case) -> None:
        case = case.changed(lambda a: (a + 1j * a[..., ::-1]) / 4)
        exact = kind != "linear" or case.layer.factor in (1, 2, 4)
        if exact and not no_normal_form(case.layer):
            y = case.layer(case.x)
            assert y.dtype == np.complex128
            assert_equal(y, by_normal_form(case))

    survey(kind, 300, check)


def symbols(letter: str, shape: tuple[int, ...]) -> Array:
    names = [f"{letter}{i}" for i in range(int(np.prod(shape)))]
    return np.array([sympy.Symbol(name) for name in names], object).reshape(shape)


@pytest.mark.parametrize(("kind", "name"), IN_EACH, ids=lambda word: word)
def test_native_is_normal_form_for_all_numbers(kind: str, name: str) -> None:
    """In symbols, so for every value of input, kernel and bias at once: a case in each stratum."""

    @QUIET(max_examples=1)
    @given(cases(kind, name=name))
    def check(case: Case) -> None:
        letters = iter("xwbcd")
        case = case.filled(lambda shape: symbols(next(letters), shape))
        if not no_normal_form(case.layer):
            difference = np.asarray(case.layer(case.x) - by_normal_form(case), object)
            assert all(sympy.expand(d) == 0 for d in difference.flat)

    check()


@pytest.mark.parametrize("kind", REFUSED)
def test_both_routes_refuse_what_has_no_output(kind: str, show: Show) -> None:
    def check(case: Case) -> None:
        words = "output length|time samples for a"
        with pytest.raises(ValueError, match=words):
            case.layer(case.x)
        with pytest.raises(ValueError, match=words):
            case.layer.normal(case.x)

    show(tabled(f"{kind}: native and normal form both refuse", survey(kind, 200, check, table=REFUSED)))


def test_layers_without_normal_form_say_so() -> None:
    for layer, words in (
        (Conv(np.ones((1, 1, 2)), stride=2), "stride 2"),
        (Linear(2, align_corners=True), "align_corners"),
    ):
        with pytest.raises(NotAnalysable, match=f"normal form: got .*{words}.*Hint"):
            _ = layer.normal
