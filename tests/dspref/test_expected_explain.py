"""Causes of combs: shares that add up, networks built anew without them, and all subsets of their biases."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from dspref import Linear, Nearest
from dspref.arrays import NotAnalysable
from dspref.chain import Pointwise
from dspref.expected import Concat, Drawn, Expected, Source, Step, Sum, Unknown, expected_spectrum, fixed, mean_map
from dspref.expected.combs import Levels
from dspref.expected.explain import MOST, ROUNDING, WORTH, Account, Explanation, explain
from dspref.expected.graph import INPUT, Network, Node, network
from dspref.expected.moments import Moments
from dspref.expected.offsets import Offsets
from dspref.expected.silencing import Silenced, started_run
from tests.dspref.test_expected_combs import melgan, unet

EPS = np.finfo(float).eps
RELU, LEAKY = Pointwise("relu"), Pointwise("leaky", (0.2,))
ONES, WHITE = Source(4, constant=1.0), Source(4, covariance=(1.0,))
CONV, UP = Drawn("conv", 4, 4, 3, padding=1), Drawn("convt", 4, 4, 8, factor=4)

LINEAR: dict[str, tuple[Step, ...]] = {
    "transposed": (CONV, UP, CONV, replace(UP, bias=2.0), CONV),
    "sub-pixel": (Drawn("shuffle", 4, 4, 3, factor=2), Sum(((), (CONV,))), Drawn("shuffle", 4, 4, 3, factor=3)),
    "partial overlap, linear, strided": (
        CONV,
        Drawn("convt", 4, 4, 5, factor=3),
        fixed(Linear(2)),
        Drawn("conv", 4, 4, 3, factor=2),
        Concat(((CONV,), (CONV, CONV))),
        Drawn("shuffle", 8, 4, 3, factor=2, icnr=True),
    ),
}


def powers(found: Explanation, M: int) -> Account:
    return next(account for account in found.accounts if account.comb.divisor == M)


@pytest.mark.parametrize("steps", LINEAR.values(), ids=LINEAR)
def test_shares_of_a_linear_network_add_up(steps: tuple[Step, ...]) -> None:
    """Biases and the constant make all of each comb; noise makes none."""
    found = explain(steps, Source(4, constant=0.7, covariance=(1.0,)))
    assert len(found.accounts) > 1
    for account in found.accounts:
        shares = {str(cause.silenced[0]): cause.share for cause in account.causes}
        rounding = 64 * EPS * found.expected.combs[0].power / account.comb.power
        assert sum(shares.values()) == pytest.approx(1, abs=rounding)
        assert abs(shares["the noise of the input"]) <= rounding
        assert min(shares.values()) >= -rounding


def anew(steps: Iterable[Step], silent: Iterable[Silenced], source: Source) -> Expected:
    """Build the network without some biases, or its input without a part, and begin from the start."""
    net, silent = network(tuple(steps)), set(silent)
    nodes = []
    for node in net:
        assert not isinstance(node.op, Unknown)
        cut = isinstance(node.op, Drawn) and Silenced("biases", node.name) in silent
        nodes.append(replace(node, op=replace(node.op, bias=0)) if cut else node)  # type: ignore[type-var]
    if Silenced("constant", INPUT) in silent:
        source = replace(source, constant=0.0)
    if Silenced("noise", INPUT) in silent:
        source = replace(source, covariance=())
    route = "full" if source.covariance[1:] else "auto"
    return expected_spectrum(Network(tuple(nodes)), source, route=route, width_terms=False)


def power(found: Expected, M: int) -> float:
    comb = next(comb.power for comb in found.combs if comb.divisor == M)
    return comb if comb > ROUNDING * max(found.noise, *(each.power for each in found.combs)) else 0.0


CASES = {
    "MelGAN": (melgan(width=8, stacks=1), Source(80, constant=1.0, covariance=(0.5,))),
    "U-Net": (unet(16, 2), Source(1, covariance=(1.0,))),
    "sub-pixel": (LINEAR["sub-pixel"], Source(4, constant=0.7)),
    "mapped, linear": ((CONV, RELU, fixed(Linear(2)), CONV, LEAKY, UP), Source(4, constant=0.3, covariance=(1.0, 0.4))),
}


@pytest.mark.parametrize(("steps", "source"), CASES.values(), ids=CASES)
def test_a_run_without_something_is_that_of_a_network_built_without_it(steps: tuple[Step, ...], source: Source) -> None:
    """To the last bit, alone and in the sets of biases, whatever was taken over from the first run."""
    found = explain(steps, source)
    checked = 0
    for account in found.accounts:
        for cause in (*account.causes, *account.biases):
            if cause.silenced[0].what != "mean":
                assert cause.before == account.comb.power
                assert cause.after == power(anew(steps, cause.silenced, source), account.comb.divisor)
                checked += 1
    assert checked >= 8


def test_a_map_without_its_mean() -> None:
    """The levels, and matrices, of ``φ(x) − E φ(x)``: less the product of means, which the noise does not have."""
    source = Source(4, constant=0.5, covariance=(1.0,))
    steps: list[Step] = [CONV, RELU]
    before, levels = (started_run(network(steps), source, "combs").signals[name].moments for name in "12")
    assert isinstance(levels, Levels)
    mean = float(mean_map(RELU, np.array([before.power]), Offsets((float(CONV.bias),)))[0])
    assert mean > 0.1
    away = levels.constant().scaled(-1)
    assert levels.plus(away).v[0] == pytest.approx(levels.v[0] - mean**2, rel=1e-12)
    assert (levels.plus(away).noise, levels.plus(away).mean) == (levels.noise, 0.0)
    moments = started_run(network([fixed(Linear(4)), CONV, RELU]), WHITE, "full").signals["3"].moments
    assert isinstance(moments, Moments)
    centred = moments.plus(moments.constant().scaled(-1))
    assert centred.D.tolist() == moments.D.tolist()
    assert np.ptp(moments.mean) > 0.01
    assert np.abs(centred.F + np.outer(moments.mean, moments.mean) - moments.F).max() <= 1e-15
    assert not centred.mean.any()


@pytest.mark.parametrize("route", ["combs", "full"])
def test_the_mean_of_one_of_two_equal_maps(route: str) -> None:
    """Of φ(x) + φ(x) the power of the offset is 4μ²; of φ(x) + φ(x) − μ it is μ²."""
    two = (Node("a", RELU, ("c",)), Node("b", RELU, ("c",)), Node("s", "sum", ("a", "b")))
    c = Node("c", replace(CONV, bias=0), (INPUT,))
    offset = explain(Network((c, *two)), WHITE, route=route).accounts[0]
    means = [cause for cause in offset.causes if cause.silenced[0].what == "mean"]
    assert [cause.silenced[0].where for cause in means] == ["a", "b"]
    assert [cause.share for cause in means] == pytest.approx([3 / 4] * 2, rel=1e-12)
    once = explain(Network((c, two[0], Node("s", "sum", ("a", "a")))), WHITE, route=route).accounts[0]
    assert next(cause for cause in once.causes if cause.silenced[0].what == "mean").after == 0


def test_a_comb_that_finite_width_makes() -> None:
    net: list[Step] = [Drawn("convt", 16, 16, 8, factor=4, bias=0), RELU, Drawn("conv", 16, 1, 3, bias=0)]
    source = Source(16, covariance=(1.0,))
    found, due = explain(net, source), expected_spectrum(net, source).combs[1]
    assert [account.width for account in found.accounts] == [None, due.db]
    told = found.to_text(None).splitlines()
    assert told[0].startswith("In the limit of wide layers: what terms of order 1/width add is left out")
    assert told[-1] == f"sr/4 comb: {due.db:.1f} dB, made by terms of order 1/width"
    assert "width" not in explain(net, Source(16, 1.0)).to_text(None)


def test_a_tone_of_noise_alone_is_made_by_the_mean_of_a_map() -> None:
    """Linear ×4, 1×1, relu: the variance has period 4, and so has the mean; without it, or noise, nothing is left."""
    found = explain([fixed(Linear(4)), Drawn("conv", 4, 4, 1, bias=0), RELU], WHITE)
    for account in found.accounts:
        assert [(str(c.silenced[0]), c.after) for c in account.causes] == [
            ("the noise of the input", 0.0),
            ("the mean of map 3", 0.0),
        ]
        assert account.causes[0].lowers_db is None
        assert account.causes[0].share == 1.0
        assert account.biases == ()
    assert found.to_text(44100).splitlines()[-4:] == [
        f"11025 Hz comb: {found.accounts[-1].comb.db:.1f} dB",
        "  silencing all biases leaves more than a quarter of the 11025 Hz comb",
        "  alone, silencing the noise of the input leaves nothing of it",
        "  alone, silencing the mean of map 3 leaves nothing of it",
    ]
    odd = explain([fixed(Linear(4)), Drawn("conv", 4, 4, 1, bias=0), Pointwise("tanh")], WHITE)
    assert all(not account.causes for account in odd.accounts)
    assert odd.to_text(44100).endswith("\noffset: none\n11025 Hz comb: none")
    assert odd.to_dict(44100)["combs"][1] == {"divisor": 4, "every_hz": 11025.0, "db": None, "causes": [], "biases": []}


@pytest.mark.parametrize("name", ["relu", "leaky", "gelu", "snake", "elu", "silu", "softplus", "sigmoid"])
def test_silence_goes_through_every_map(name: str) -> None:
    """Without noise and biases a map sees zeros; sigmoid and softplus make a constant of them."""
    found = explain([replace(CONV, bias=0), Pointwise(name), replace(UP, bias=0)], WHITE)
    left = {c.silenced[0].what: c.after for c in powers(found, 4).causes}
    value = float(Pointwise(name)(np.zeros((1, 1)))[0, 0])
    due = value**2 * power(expected_spectrum([replace(UP, bias=0)], ONES), 4)
    assert left["noise"] == pytest.approx(due, rel=1e-9, abs=1e-30)


BRUTE: dict[str, tuple[tuple[Step, ...], Source]] = {
    "linear": ((CONV, UP, replace(CONV, bias=0.3), UP, replace(CONV, bias=0.01), UP), Source(4, constant=0.2)),
    "relu": ((CONV, RELU, UP, replace(CONV, bias=3.0), RELU, UP, RELU, replace(CONV, bias=0.1)), WHITE),
    "leaky, nearest": ((CONV, LEAKY, fixed(Nearest(2)), replace(CONV, bias=0.5), LEAKY, UP, CONV, LEAKY, CONV), ONES),
}


@pytest.mark.parametrize(("steps", "source"), BRUTE.values(), ids=BRUTE)
def test_sets_of_biases_are_the_best_of_all_sets_of_stages(steps: tuple[Step, ...], source: Source) -> None:
    """No other stage does as well as the first rung; beside the last, none gains 1 dB, or nothing is left."""
    run = started_run(network(steps), source, "auto")
    layers = [cause for cause in run.causes() if cause.what == "biases"]
    stages = [[c for c in layers if run.stage(c) == key] for key in dict.fromkeys(map(run.stage, layers))]
    assert len(stages) >= 2
    told = 0
    for account in explain(steps, source).accounts:
        M, before = account.comb.divisor, account.comb.power
        left = [power(anew(steps, stage, source), M) for stage in stages]
        if not account.biases:
            assert before <= MOST * power(anew(steps, layers, source), M)
            continue
        if before < MOST * min(left):
            assert len({run.stage(cause) for cause in account.biases[0].silenced}) > 1
            continue
        told += 1
        slack = 1.03  # 0.1 dB, that naming fewer layers may cost
        assert min(left) <= account.biases[0].after <= slack * min(left)
        assert set(account.biases[0].silenced) <= set(stages[left.index(min(left))])
        for few, more in zip(account.biases, account.biases[1:], strict=False):
            assert set(few.silenced) < set(more.silenced)
            assert few.after >= WORTH / slack * more.after
        last = account.biases[-1]
        rest = [[c for c in stage if c not in last.silenced] for stage in stages]
        others = [power(anew(steps, [*last.silenced, *more], source), M) for more in rest]
        assert last.after == 0 or last.after < WORTH * slack * min(others)
    assert told


@pytest.mark.parametrize(
    ("steps", "source"), [CASES["U-Net"], BRUTE["relu"], BRUTE["linear"]], ids=["U-Net", "relu", "linear"]
)
def test_both_routes_find_the_same(steps: tuple[Step, ...], source: Source) -> None:
    combs, full = explain(steps, source, route="combs"), explain(steps, source, route="full")
    assert (combs.expected.route, full.expected.route) == ("combs", "full")
    for one, other in zip(combs.accounts, full.accounts, strict=True):
        due = {cause.silenced: cause.share for cause in other.causes}
        scale = full.expected.combs[0].power / one.comb.power
        for cause in one.causes:
            assert cause.share == pytest.approx(due[cause.silenced], abs=1e-14 * scale)
        assert [cause.silenced for cause in one.biases] == [cause.silenced for cause in other.biases]


def test_many_alike_are_found_though_each_alone_is_worth_little() -> None:
    """Twelve stages of equal shares, 0.38 dB alone: one after another is added, until nothing is left."""
    net = [Drawn("conv", 4, 4, 1, factor=2, weight=1 / 4, bias=1) for _ in range(12)]
    found = explain(net, Source(4)).accounts[0]
    assert [cause.share for cause in found.causes] == pytest.approx([1 / 12] * 12, abs=1e-14)
    assert [len(cause.silenced) for cause in found.biases] == [9, 10, 11, 12]
    assert [cause.after for cause in found.biases] == [3, 2, 1, 0]
    spread = explain([*net[:9], *(replace(layer, bias=20) for layer in net[:3])], Source(4)).accounts[0]
    assert [[cause.where for cause in rung.silenced] for rung in spread.biases] == [["10", "11", "12"]]
    assert spread.biases[-1].lowers_db == pytest.approx(10 * np.log10(69 / 9), abs=1e-12)


def test_words_and_plain_data() -> None:
    """Names are those of places; data has no infinities, and is what the words say."""
    net = Network(
        (
            Node("body", CONV, (INPUT,)),
            Node("act", RELU, ("body",)),
            Node("up", replace(UP, bias=0), ("act",)),
            Node("skip", replace(UP, weight=0.001, bias=0), ("body",)),
            Node("join", "sum", ("up", "skip")),
            Node("last", CONV, ("join",)),
        )
    )
    found = explain(net, Source(4))
    assert found.to_text(8000) == "\n".join(
        [
            f"offset: {found.accounts[0].comb.db:.1f} dB",
            f"  silencing the biases of layer last lowers the offset by {found.accounts[0].biases[0].lowers_db:.1f} dB",
            "  silencing the biases of layer body as well leaves nothing of it",
            f"  alone, {found.accounts[0].causes[0].to_text()}",
            f"2000 Hz comb: {found.accounts[1].comb.db:.1f} dB",
            "  silencing the biases of layer body leaves nothing of the 2000 Hz comb",
            "  alone, silencing the biases of layer body leaves nothing of it",
            f"  alone, silencing the mean of map act lowers it by {found.accounts[1].causes[1].lowers_db:.1f} dB",
        ]
    )
    plain = json.loads(json.dumps(found.to_dict(8000), allow_nan=False))
    assert plain["route"] == "combs"
    fine = plain["combs"][1]
    assert (fine["divisor"], fine["every_hz"]) == (4, 2000.0)
    assert fine["biases"] == [
        {"silenced": [{"what": "biases", "where": "body"}], "lowers_db": None, "to_nothing": True}
    ]
    assert fine["causes"][0] == fine["biases"][0]
    assert [cause["silenced"][0]["where"] for cause in fine["causes"]] == ["body", "act", "last"]
    assert fine["causes"][2]["lowers_db"] == pytest.approx(0, abs=1e-9)


def test_melgan_is_explained_by_the_stage_in_front_of_each_comb() -> None:
    """Ones: late biases make the visible tones, and the finest comb alone is the input's."""
    found = explain(melgan(), Source(80, constant=1.0))
    first = [account.biases[0] for account in found.accounts[:4]]
    assert [round(cause.lowers_db or 0, 1) for cause in first] == pytest.approx([26.9, 25.7, 33.8, 12.3], abs=0.15)
    starts = [{cause.where.split(".")[0] for cause in each.silenced} for each in first]
    assert starts == [
        {"18", "19", "20", "21", "23"},
        {"13", "14", "15", "16"},
        {"8", "9", "10", "11"},
        {"4", "5", "6"},  # leaving out 3 costs less than 0.1 dB
    ]
    finest = found.accounts[4]
    assert finest.biases == ()
    assert str(finest.causes[0].silenced[0]) == "the constant of the input"
    assert finest.causes[0].lowers_db == pytest.approx(26.9, abs=0.05)
    assert "silencing the biases of layers 8 … 11.2.4 (10 of them) lowers the 5512.5 Hz comb" in found.to_text(22050)


def test_what_cannot_be_explained_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAnalysable, match="LSTM"):
        explain([CONV, Unknown("LSTM")], ONES)
    with pytest.raises(ValueError, match="route"):
        explain([CONV], ONES, route="dense")
    with pytest.raises(NotAnalysable, match="fixed filter"):
        explain([fixed(Linear(2))], ONES, route="combs")
    with pytest.raises(ValueError, match="output rate"):
        explain([UP], ONES).to_dict(0)

    def fail(source: Source) -> Moments:
        raise AssertionError("work was done")

    monkeypatch.setattr(Moments, "of", fail)
    deep: list[Step] = [
        fixed(Nearest(2)),
        *(Drawn("convt", 4, 4, 8, factor=4) for _ in range(5)),
        *(CONV for _ in range(8)),
    ]
    monkeypatch.setattr("dspref.expected.silencing.MEMORY", 2**28)
    with pytest.raises(NotAnalysable, match=r"matrices to explain: got 0\.\d GiB for 14 places of periods up to 2048"):
        explain(deep, ONES, route="full")
