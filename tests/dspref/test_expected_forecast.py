"""What is said of networks that the theory covers in part: nothing is guessed, and nothing that is known is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dspref import Nearest
from dspref.arrays import NotAnalysable
from dspref.chain import Pointwise
from dspref.expected import (
    Concat,
    Drawn,
    Network,
    Node,
    Source,
    Step,
    Sum,
    Unknown,
    expected_spectrum,
    fixed,
    forecast,
    network,
    width_terms,
)
from dspref.expected.forecast import ADDED, LEFT, MADE

NOISE, ONES = Source(4, covariance=(1.0,)), Source(4, constant=1.0)
CONV, UP, RELU = Drawn("conv", 4, 4, 3), Drawn("convt", 4, 4, 4, factor=2), Pointwise("relu")


def test_all_of_a_network_that_is_covered() -> None:
    steps = (CONV, RELU, UP)
    found = forecast(steps, ONES)
    assert found.expected == expected_spectrum(steps, ONES)
    assert found.partial == ()
    assert [(each.what, each.where) for each in found.not_predicted] == [("narrow layers", "3")]
    assert forecast((CONV, UP), ONES).not_predicted == ()


def test_terms_of_finite_width_are_listed_line_by_line() -> None:
    """With the level that they make, or would make: the difference of both spectra."""
    up = Drawn("convt", 64, 64, 8, factor=4, bias=0)
    steps, noise = (up, RELU, up, Drawn("conv", 64, 1, 3, bias=0)), Source(64, covariance=(1.0,))
    found, plain = forecast(steps, noise), forecast(steps, noise, width_terms=False)
    assert found.expected == expected_spectrum(steps, noise)
    assert plain.expected == expected_spectrum(steps, noise, width_terms=False)
    terms = {comb.divisor: comb.db for comb in width_terms(steps, noise)}
    for each in (found, plain):
        assert {gap.divisor: gap.db for gap in each.not_predicted if gap.what == "1/width"} == terms
    assert [gap.why for gap in found.not_predicted] == [ADDED, ADDED, MADE]
    assert [gap.why for gap in plain.not_predicted] == [LEFT] * 3
    assert terms.keys() == {1, 4, 16}


def test_what_terms_of_finite_width_lack_is_told_of() -> None:
    """Branches of one layer on which rates change, and groups behind groups, where these terms alone make lines."""
    noise, flat = Source(8, covariance=(1.0,)), fixed(Nearest(2))
    one, grouped = Drawn("conv", 8, 8, 4, bias=0), Drawn("conv", 8, 8, 4, groups=4, bias=0)
    down, up = Drawn("conv", 8, 8, 2, factor=2, bias=0), Drawn("convt", 8, 8, 2, factor=2, bias=0)
    nets: list[tuple[tuple[Step, ...], list[str]]] = [
        ((flat, one, RELU, one), []),
        ((flat, one, Sum(((one,), (down, up))), RELU, one), ["3"]),
        ((flat, one, Sum(((one,), (one,))), RELU, one), []),  # of one rate: it is not lacking
        ((flat, Sum(((one,), (one,))), RELU, one), []),  # layers of their own
        ((flat, grouped, grouped, RELU, one), ["3"]),
        ((flat, grouped, one, RELU, grouped), []),
    ]
    for steps, where in nets:
        gaps = forecast(steps, noise).not_predicted
        assert any(gap.why == MADE for gap in gaps)
        assert [gap.where for gap in gaps if gap.what == "1/width" and gap.divisor is None] == where
    assert all(gap.divisor for gap in forecast(nets[1][0], noise, width_terms=False).not_predicted if gap.why == LEFT)


def test_noise_of_one_channel_is_told_of() -> None:
    wide = (Drawn("conv", 1, 64, 3), RELU, Drawn("conv", 64, 64, 3))
    for source, told in ((Source(1, covariance=(1.0,)), True), (Source(1, constant=1.0), False)):
        assert any(gap.what == "mono noise" for gap in forecast(wide, source).not_predicted) == told
    alike = (replace(wide[2], inputs=2), RELU, wide[2])
    for channels, mono, told in ((2, True, True), (2, False, True), (8, False, False), (8, True, True)):
        net = (replace(wide[2], inputs=channels), *alike[1:])
        gaps = forecast(net, Source(channels, covariance=(1.0,), mono=mono)).not_predicted
        assert any("floors and lines" in gap.why for gap in gaps) == told


def test_what_lies_before_is_predicted_and_what_lies_behind_is_refused() -> None:
    found = forecast((CONV, RELU, UP, Unknown("GroupNorm"), RELU, UP), ONES)
    assert found.expected is None
    assert found.partial == (("3", expected_spectrum((CONV, RELU, UP), ONES)),)
    assert [(each.what, each.where) for each in found.not_predicted] == [("GroupNorm", "4"), ("output", "6")]
    assert "ends in front of it" in found.not_predicted[0].why
    assert found.not_predicted[0].to_dict()["db"] is None


def test_each_way_has_its_own_end() -> None:
    branches: tuple[tuple[Step, ...], ...] = ((UP, Unknown("LSTM"), CONV), (UP, RELU, RELU), (UP,))
    found = forecast((Sum(branches),), NOISE)
    assert [(each.what, each.where) for each in found.not_predicted] == [
        ("LSTM", "1.1.2"),
        ("relu", "1.2.3"),
        ("output", "1"),
    ]
    assert [name for name, _ in found.partial] == ["1.1.1", "1.2.2"]


def test_an_identity_skip_after_an_activation() -> None:
    """The sum is predicted, and the next convolution; a map of the sum is not."""
    steps = (CONV, RELU, Sum(((), (CONV,))), CONV)
    assert forecast(steps, NOISE).expected == expected_spectrum(steps, NOISE)
    found = forecast((*steps[:3], RELU, CONV), NOISE)
    assert [(each.what, each.where) for each in found.not_predicted] == [("relu", "4"), ("output", "5")]
    assert found.partial == (("3", expected_spectrum(steps[:3], NOISE)),)


def test_what_the_output_does_not_depend_on_is_not_asked() -> None:
    nodes = (Node("a", CONV, ("input",)), Node("b", Unknown("LSTM"), ("a",)), Node("c", CONV, ("a",)))
    assert forecast(Network(nodes), NOISE).expected == expected_spectrum((CONV, CONV), NOISE)
    assert forecast(Network(nodes[:2]), NOISE).expected is None


def test_an_end_at_the_input_leaves_nothing() -> None:
    found = forecast((Unknown("attention"),), NOISE)
    assert (found.expected, found.partial) == (None, ())
    assert [each.where for each in found.not_predicted] == ["1"]


def test_shared_inputs_are_told_by_name() -> None:
    """Blocks x + A(x) and x + B(x), summed: 2x + A(x) + B(x)."""
    blocks = Sum(((Sum(((), (RELU, CONV))),), (Sum(((), (RELU, CONV))),)))
    once = forecast((CONV, blocks, RELU, CONV), NOISE).expected
    assert once is not None
    twice = Sum(((), (), (RELU, CONV), (RELU, CONV)))
    assert once == expected_spectrum((CONV, twice, RELU, CONV), NOISE)


def test_graphs_are_checked() -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        Network((Node("a", CONV, ("input",)), Node("a", CONV, ("input",))))
    with pytest.raises(ValueError, match="names of earlier places"):
        Network((Node("a", CONV, ("b",)), Node("b", CONV, ("input",))))
    with pytest.raises(ValueError, match=r"inputs of a: got .*allowed: one"):
        Node("a", CONV, ("input", "input"))
    with pytest.raises(ValueError, match="two or more"):
        Node("a", "sum", ("input",))
    with pytest.raises(ValueError, match="the last one is 2"):
        network((CONV, RELU)).before("3")
    assert network((CONV, RELU)).before("1").output == "1"


def test_bad_channels_name_the_place() -> None:
    with pytest.raises(ValueError, match="3: channels: got 4"):
        forecast((CONV, RELU, replace(CONV, inputs=8)), NOISE)


def test_periods_beyond_the_full_recursion() -> None:
    long = Drawn("convt", 4, 4, 3, factor=2)
    with pytest.raises(NotAnalysable, match=r"13: period: got 8192 samples; allowed: at most 4096.*combs"):
        forecast((long,) * 13, ONES)


def test_a_signal_that_is_concatenated_twice_is_told_of() -> None:
    """Its channels are not independent; those of a layer's output beside its input are."""
    narrowed = Drawn("conv", 8, 4, 3)
    for ways, told in ((((), ()), 1), (((RELU,), (CONV,)), 0), (((CONV, RELU), ()), 0)):
        steps = (CONV, Concat(ways), narrowed, RELU)
        found = [each for each in forecast(steps, NOISE).not_predicted if each.what == "shared channels"]
        assert len(found) == told
        assert forecast(steps, ONES).expected is not None
        assert not any(each.what == "shared channels" for each in forecast(steps, ONES).not_predicted)
