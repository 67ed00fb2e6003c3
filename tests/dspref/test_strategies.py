"""Public strategies: every draw is legal, corners are reached, limits hold, and examples shrink to small ones."""

from __future__ import annotations

import builtins
import importlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings

from dspref import Chain, Nearest, NotAnalysable, TransposedConv, parse, strategies
from dspref.corners import Limits
from dspref.drawing import KINDS, within
from dspref.strata import STRATA, stratum
from dspref.strategies import Case, cases, chains, corner, inputs, layers, shortest, signals
from tests.strategies import QUIET

KIND_AND_CORNER = [(kind, name) for kind in KINDS for name in STRATA[kind]]


def drawn(strategy: Any, examples: int = 200) -> list[Any]:
    """Return what a strategy draws."""
    seen = []

    @QUIET(max_examples=examples)
    @given(strategy)
    def each(example: Any) -> None:
        seen.append(example)

    each()
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_corners_are_reached_and_every_case_has_an_output(kind: str) -> None:
    seen: Counter[str] = Counter()
    for case in drawn(cases(kind, native_only=True, any_shape=True), 1000):
        assert case.kind == case.layer.op == kind
        assert case.layer(case.x).shape[-1] >= (case.time > 0)
        seen.update(name for name, corner in STRATA[kind].items() if corner.holds(case.layer, case.x))
    assert set(STRATA[kind]) - set(seen) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_by_default_layers_have_a_normal_form_and_inputs_three_axes(kind: str) -> None:
    for layer, x in drawn(cases(kind), 300):
        assert x.ndim == 3
        assert min(x.shape) > 0
        assert layer.normal.length(x.shape[-1]) == layer(x).shape[-1] > 0


@pytest.mark.parametrize(("kind", "name"), KIND_AND_CORNER, ids=lambda word: word)
@pytest.mark.parametrize("limits", [Limits(1, 1, False), Limits(3, 2, False), Limits(4, 3, True)], ids=str)
def test_limits_hold_in_every_corner(kind: str, name: str, limits: Limits) -> None:
    """A corner that limits forbid is left, never the law."""
    for case in drawn(within(kind, STRATA[kind][name].rules, limits, "integer"), 15):
        assert case.x.shape[-2] == limits.channels
        assert case.layer.in_channels in (None, limits.channels)
        assert case.layer.factor <= (limits.max_factor or 0)
        assert limits.any_shape or (case.x.ndim == 3 and min(case.x.shape) > 0)
        assert case.layer(case.x).shape[-1] >= (case.time > 0)


def test_kinds_and_channels_are_those_asked_for() -> None:
    both = drawn(layers(["convt", "shuffle"], channels=6, max_factor=4), 300)
    assert {layer.op for layer in both} == {"convt", "shuffle"}
    assert {layer.in_channels for layer in both} == {6}
    assert {layer.factor for layer in both} == {1, 2, 3, 4}
    assert {layer.groups for layer in both} == {1, 2, 3}
    assert {layer.op for layer in drawn(layers(), 300)} == set(KINDS)


SHORTHANDS: dict[str, tuple[Callable[..., Any], set[str]]] = {
    "transposed_convs": (strategies.transposed_convs, {"convt"}),
    "convs": (strategies.convs, {"conv"}),
    "subpixel_convs": (strategies.subpixel_convs, {"shuffle"}),
    "interpolators": (strategies.interpolators, {"nearest", "linear", "filter"}),
}


@pytest.mark.parametrize("name", SHORTHANDS)
def test_shorthands_draw_their_kinds(name: str) -> None:
    make, kinds = SHORTHANDS[name]
    seen = drawn(make(max_factor=2), 100)
    assert {layer.op for layer in seen} == kinds
    assert max(layer.factor for layer in seen) <= 2


def test_numbers_are_whole_and_small_or_real() -> None:
    for layer, x in drawn(cases(["conv", "convt"])):
        assert layer.weight.dtype == x.dtype == np.int64
        assert max(abs(layer.weight).max(), abs(x).max()) <= 4
    real = drawn(cases("conv", numbers="real"))
    assert {case.x.dtype for case in real} == {case.layer.weight.dtype for case in real} == {np.dtype(float)}
    assert any((case.x != np.round(case.x)).any() for case in real)


def test_chains_meet_keep_their_factor_and_take_their_inputs() -> None:
    seen = drawn(chains(max_layers=4, channels=2, max_factor=6), 200)
    assert {len(chain.stages) for chain in seen} == {1, 2, 3, 4}
    assert max(chain.factor for chain in seen) == 6
    assert all(chain.in_channels in (None, 2) for chain in seen)
    assert any(len({stage.op for stage in chain.stages}) > 2 for chain in seen)
    for chain in seen[::5]:
        least = shortest(chain)
        assert chain(np.zeros((2, least))).shape[-1] > 0
        assert all(x.shape[-1] >= least and chain(x).shape[-1] > 0 for x in drawn(inputs(chain), 5))


def test_chains_may_have_maps_between_their_layers() -> None:
    ops = Counter(stage.op for chain in drawn(chains(pointwise=["tanh"])) for stage in chain.stages)
    assert ops["tanh"] > 50
    assert "tanh" not in {stage.op for chain in drawn(chains()) for stage in chain.stages}


def test_shortest_is_the_fewest_samples_that_a_layer_takes() -> None:
    crop = TransposedConv(np.ones((1, 1, 2)), stride=2, padding=5)
    least = shortest(crop)
    assert crop(np.zeros((1, least))).shape[-1] > 0
    for time in range(1, least):
        with pytest.raises(ValueError, match="output length"):
            crop(np.zeros((1, time)))
    assert (least, shortest(Chain([Nearest(2), crop]))) == (6, 3)
    with pytest.raises(NotAnalysable, match="weights"):
        shortest(parse("conv k3"))


def test_inputs_are_as_long_as_said() -> None:
    crop = TransposedConv(np.ones((1, 1, 2)), stride=2, padding=5)
    assert {x.shape[-1] for x in drawn(inputs(crop, max_time=8))} == {6, 7, 8}
    with pytest.raises(ValueError, match="it takes 6 or more"):
        inputs(crop, max_time=5)
    lengths = {x.shape for x in drawn(signals(3, min_time=4, max_time=5))}
    assert lengths == {(batch, 3, time) for batch in (1, 2, 3) for time in (4, 5)}


def smallest(strategy: Any, holds: Callable[[Any], bool]) -> Any:
    """Return what an example that holds shrinks to."""
    return find(strategy, holds, settings=settings(derandomize=True, deadline=None, database=None, max_examples=2000))


def test_examples_shrink_to_the_smallest_layer() -> None:
    assert smallest(layers(), lambda layer: True) == Nearest(1)
    plain = smallest(layers("convt"), lambda layer: True)
    assert plain == TransposedConv(np.array([[[1]]]))
    gapped = smallest(cases("convt"), lambda case: case.layer.stride > case.layer.length > 1)
    assert gapped.layer == TransposedConv(np.array([[[1, 2]]]), stride=3)
    np.testing.assert_array_equal(gapped.x, [[[1]]])


def test_a_fault_is_shown_by_a_small_case() -> None:
    """A transposed convolution whose kernel is flipped: two taps and one sample show it."""

    def flipped(case: Case) -> bool:
        other = case.changed(lambda a: a[..., ::-1] if a is case.layer.weight else a)
        return bool((other.layer(case.x) != case.layer(case.x)).any())

    case = smallest(cases("convt"), flipped)
    assert case.layer.weight.shape == (1, 1, 2)
    assert case.x.shape == (1, 1, 1)


def test_a_corner_may_be_of_your_own() -> None:
    long = stratum(lambda w, x: w.length >= 11, taps=(11, 13))
    assert {case.layer.length for case in drawn(corner("convt", long))} == {11, 13}
    assert {case.layer.length for case in drawn(corner("convt"))} == set(range(1, 8))


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "kind": (lambda: layers("convtt"), "did you mean 'convt'"),
    "no kind": (lambda: layers([]), "kind: got none"),
    "channels": (lambda: layers(channels=0), "channels: got 0"),
    "factor": (lambda: cases(max_factor=1.5), "max_factor: got 1.5"),  # type: ignore[arg-type]
    "numbers": (lambda: signals(1, numbers="float"), "numbers: got 'float'; allowed: integer, real"),
    "times": (lambda: signals(1, min_time=4, max_time=3), "max_time: got 3; allowed: an integer >= 4"),
    "glu": (lambda: chains(pointwise=["glu"]), "pointwise map: got 'glu'"),
    "layers": (lambda: chains(max_layers=0), "max_layers: got 0"),
    "corner": (lambda: corner("nearest", numbers="x"), "numbers: got 'x'"),
    "stratum": (
        lambda: corner("convt", "nope"),  # type: ignore[arg-type]
        r"stratum: got 'nope'; allowed: dspref.strata.STRATA\['convt'\]\[name\].*'stride > extent \(gap\)'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_options_are_refused_when_the_strategy_is_made(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        make()


def test_a_case_is_a_pair_that_can_be_filled_anew() -> None:
    layer, x = case = Case(TransposedConv(np.array([[[1, 2]]]), bias=np.array([1])), np.array([[3, 4]]))
    assert (layer, x) == (case.layer, case.x)
    ones = case.filled(lambda shape: np.ones(shape, int))
    assert ones.layer == TransposedConv(np.array([[[1, 1]]]), bias=np.array([1]))
    np.testing.assert_array_equal(ones.x, [[1, 1]])


def test_the_reference_itself_does_not_load_hypothesis() -> None:
    code = "import dspref, dspref.strata, dspref.corners, sys; assert 'hypothesis' not in sys.modules; "
    subprocess.run([sys.executable, "-c", code], check=True)
    planted = subprocess.run(
        [sys.executable, "-c", f"import dspref.strategies; {code}"], capture_output=True, text=True
    )
    assert "AssertionError" in planted.stderr


def test_without_hypothesis_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "hypothesis":
            raise ModuleNotFoundError("No module named 'hypothesis'", name="hypothesis")
        return real(name, *rest)

    for name in ("dspref.strategies", "dspref.drawing"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ModuleNotFoundError, match=r"pip install dspref\[test\]"):
        importlib.import_module("dspref.strategies")
