"""Drawn cases are legal, are made again from two numbers, and reach every corner."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dspref.arrays import same
from torchparity.corners import CORNERS, corners
from torchparity.draws import _COST, DTYPES, KINDS, Trial, draw_case, draw_layer, draw_shape, shortest

CASES = 3000


@pytest.fixture(scope="module")
def drawn() -> list[Trial]:
    return [draw_case(i) for i in range(CASES)]


def equal(a: Trial, b: Trial) -> bool:
    return all(
        same(getattr(a, name), getattr(b, name)) for name in ("index", "seed", "kind", "layer", "case", "backward")
    )


def test_every_case_is_legal(drawn: list[Trial]) -> None:
    for trial in drawn:
        x = trial.case.x.astype(float)
        assert x.shape[1:] == trial.case.shape[1:]
        y = trial.layer(x[:1])
        assert y.shape[-1] > 0
        assert np.isfinite(y).all()


def test_every_corner_is_reached_and_often(drawn: list[Trial]) -> None:
    seen = Counter((t.kind, name) for t in drawn for name in corners(t.kind, t.layer, t.case.shape))
    rare = {(kind, name): seen[kind, name] for kind in KINDS for name in CORNERS[kind] if seen[kind, name] < 3}
    assert rare == {}


def test_kinds_arithmetics_and_tiers_are_mixed(drawn: list[Trial]) -> None:
    pairs = Counter((t.kind, t.case.dtype) for t in drawn)
    assert set(pairs) == {(kind, dtype) for kind in KINDS for dtype in DTYPES}
    assert min(pairs.values()) > CASES / len(pairs) / 2
    assert 0.3 < sum(t.whole for t in drawn) / CASES < 0.5
    assert 0.4 < sum(t.backward for t in drawn) / CASES < 0.6


def test_weights_under_autocast_underflow_in_a_share_of_the_cases() -> None:
    """Other draws, and those of other arithmetics, are as they would be without."""
    largest: dict[str, list[float]] = {}
    for dtype in ("autocast-float16", "float32"):
        drawn = [draw_case(i, kinds=["convt"], dtypes=[dtype]) for i in range(200)]
        largest[dtype] = [np.abs(t.layer.weight).max() for t in drawn if not t.whole]
    under, plain = np.array(largest["autocast-float16"]), np.array(largest["float32"])
    assert 0.15 < np.mean(under != plain) < 0.35
    assert set(under / plain) == {1.0, 2.0**-20}


def test_a_case_is_made_again_from_its_numbers(drawn: list[Trial]) -> None:
    assert all(equal(trial, draw_case(trial.index)) for trial in drawn[::100])
    others = (replace(draw_case(trial.index, 1), seed=0) for trial in drawn[::100])
    assert not any(equal(trial, other) for trial, other in zip(drawn[::100], others, strict=True))
    assert (draw_case(7).case.x == draw_case(7).case.x).all()


def test_a_narrower_choice_is_kept_to() -> None:
    trials = [draw_case(i, kinds=["conv"], dtypes=["float16"]) for i in range(20)]
    assert {(t.kind, t.case.dtype) for t in trials} == {("conv", "float16")}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'conv'"):
        draw_layer("convv", np.random.default_rng(0))


def weights(layer: Any) -> list[np.ndarray[Any, Any]]:
    found = (getattr(layer, name, None) for name in ("weight", "bias", "taps"))
    return [a for a in found if isinstance(a, np.ndarray)]


def test_whole_numbers_are_whole_and_real_ones_are_not(drawn: list[Trial]) -> None:
    for trial in drawn:
        for a in weights(trial.layer):
            assert (a == np.round(a)).all() == trial.whole
    assert max(np.abs(a).max() for t in drawn if t.whole for a in weights(t.layer)) == 8


@pytest.mark.parametrize("kind", ["conv", "convt", "shuffle", "filter"])
def test_the_shortest_input_is_the_shortest(kind: str) -> None:
    rng, refused = np.random.default_rng(3), 0
    for _ in range(300):
        layer = draw_layer(kind, rng)
        channels, least = layer.in_channels or 2, shortest(layer)
        assert layer(np.ones((channels, least))).shape[-1] > 0
        if least > 1:
            refused += 1
            with pytest.raises(ValueError, match="allowed"):
                layer(np.ones((channels, least - 1)))
    assert refused > 30


def test_no_case_costs_much(drawn: list[Trial]) -> None:
    """So that a campaign's pace is even, and its memory bounded: but the shortest legal input is always allowed."""
    for trial in drawn:
        batch, _, time = trial.case.shape
        products = batch * time * sum(a.size for a in weights(trial.layer) if a.ndim == 3)
        assert products <= _COST or (batch == 1 and time == shortest(trial.layer))
        assert trial.layer(np.broadcast_to(0.0, trial.case.shape)).size <= _COST


def test_inputs_are_of_all_lengths() -> None:
    layer = draw_case(0, kinds=["nearest"]).layer
    rng = np.random.default_rng(0)
    times = [draw_shape(layer, rng)[2] for _ in range(300)]
    assert min(times) == 1
    assert max(times) > 1000
    assert np.median(times) < 40
