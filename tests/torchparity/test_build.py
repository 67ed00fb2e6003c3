"""Layers built as Torch modules: describe undoes build, and both do the same."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn

from dspref import Chain, Conv, FilterInterp, Nearest, NotAnalysable, Outline, Pointwise, SubpixelConv, TransposedConv
from tests.strategies import KINDS, QUIET, Case, cases
from torchparity import build, describe

DTYPES = ["float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_describe_undoes_build(kind: str, dtype: str) -> None:
    @QUIET(max_examples=100)
    @given(cases(kind))
    def each(case: Case) -> None:
        layer = case.changed(lambda a: (a / 3).astype(dtype)).layer
        assert describe(build(layer)) == layer

    each()


def test_describe_undoes_build_for_chains() -> None:
    w = np.ones((4, 2, 3))
    chain = Chain(
        [Nearest(2), Conv(w), Pointwise("leaky", (0.2,)), SubpixelConv(np.ones((2, 4, 3)), 2), Pointwise("snake")]
    )
    assert describe(build(chain)) == chain
    assert describe(build(Chain([]))) == Chain([])


def test_numbers_that_torch_lacks_become_doubles() -> None:
    third = np.array([Fraction(1, 3)] * 2, object)
    for taps, value in ((third, 1 / 3), (np.array([3, 3]), 3.0)):
        described: Any = describe(build(FilterInterp(2, taps)))
        assert described.taps.dtype == np.float64
        assert (described.taps == value).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", torch.float64])
def test_dtype_may_be_said(dtype: Any) -> None:
    module: Any = build(TransposedConv(np.ones((1, 1, 3)), bias=np.ones(1)), dtype=dtype)
    assert module.weight.dtype == module.bias.dtype == getattr(torch, str(dtype).removeprefix("torch."))


def test_the_random_state_of_torch_is_left_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert isinstance(build(Conv(np.ones((2, 3, 4)), bias=np.ones(2))), nn.Conv1d)
    assert torch.equal(torch.rand(1), expected)


def test_what_cannot_be_built_is_refused_in_words() -> None:
    with pytest.raises(NotAnalysable, match=r"got Outline\(op='convt'.*allowed: a layer with weights"):
        build(Outline("convt", 4))
    with pytest.raises(TypeError, match="dtype complex128; allowed: real numbers"):
        build(Conv(np.ones((1, 1, 1), complex)))
    with pytest.raises(ValueError, match=r"dtype: got 'float3'.*did you mean 'float32'\?"):
        build(Nearest(2), dtype="float3")
