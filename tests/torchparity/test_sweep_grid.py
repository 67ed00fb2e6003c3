"""Grids in words: braces, families, files of rows, and networks that are what the words say."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dspref import parse
from dspref.expected.forecast import forecast
from dspref.expected.laws import initialised
from dspref.expected.network import Drawn
from dspref.expected.outlined import network_of
from dspref.expected.source import Source
from dspref.presets import PRESETS
from torchparity.sweep_file import read_rows
from torchparity.sweep_grid import Architecture, Grid, Row, checked, families, rows
from torchparity.sweep_networks import INITS, drawn_network
from torchparity.sweep_words import FAMILIES, expanded, law, layer_words, length, ways, whole
from torchparity.walked import walked

TEXTS = ("conv k3", "convt k{8,16} s{2,4}", "{convt k4 s2 | relu,nearest x2} | conv k3", "{,relu |} conv k{1,2,3}")


@pytest.mark.parametrize("text", TEXTS)
def test_braces_are_counted_without_being_expanded(text: str) -> None:
    assert len(set(expanded(text))) == ways(text) == len(expanded(text))
    assert not set("{}") & set("".join(expanded(text)))


def test_the_last_brace_runs_fastest() -> None:
    assert expanded("a{1,2}b{x,y}") == ("a1bx", "a1by", "a2bx", "a2by")


@pytest.mark.parametrize("text", ["k{8,16", "k8}", "k{8,{1,2}}", "k{}", "k{ }"])
def test_wrong_braces_are_refused_with_their_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"braces: got .*column \d+; allowed: "):
        expanded(text)


@pytest.mark.parametrize(("words", "s", "K"), [("2s", 8, 16), ("2s+1", 8, 17), ("s-1", 8, 7), ("s", 3, 3), ("9", 8, 9)])
def test_lengths_depend_on_the_stride(words: str, s: int, K: int) -> None:
    assert length(words, s) == K


@pytest.mark.parametrize("words", ["", "t", "2s*2", "+3", "-1", "s-8", "0", "2s+", "2.5s", "99999999"])
def test_wrong_lengths_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="length: got"):
        length(words, 8)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("kaimin", "did you mean 'kaiming'"),
        ("default:2", "none for default"),
        ("normal:-1", "scale of normal"),
        ("normal:x", "scale of normal"),
        ("normal:nan", "scale of normal"),
    ],
)
def test_wrong_laws_are_refused(words: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        law(words)


@pytest.mark.parametrize("words", ["", "8,,2", "8.5", "0", "x", "-2", "9999999"])
def test_wrong_integers_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="rates: got"):
        whole("rates", words)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("s", [2, 3, 8])
def test_every_family_makes_outputs_s_times_as_long(family: str, s: int) -> None:
    """Torch says so, for kernels shorter and longer than the stride."""
    for K in ("s-1", "s", "2s", "2s+1", "3s"):
        net = drawn_network(parse(layer_words(family, s, K)), (3, 1))
        assert net(torch.ones(1, 3, 20)).shape == (1, 1, 20 * s)


def test_a_grid_has_every_way_once_in_its_order() -> None:
    found = families("transposed,subpixel", "4,2;2", "2s,3s")
    grid = Grid(found, ("8", "16,4"), ("default", "icnr"), (True, False), Fraction(16000))
    made = rows(grid)
    assert grid.size == (4 + 2) * 2 * 2 * 2 == 48
    assert len(made) == len(set(made)) == 4 * 2 * 2 + 2 * 2 * 2 * 2  # icnr is the default where nothing is shuffled
    assert {row.init for row in made if row.name.startswith("transposed")} == {"default"}
    assert [row.name for row in made][:: len(made) - 1] == ["transposed 4,2 k2s", "subpixel 2 k3"]
    assert {row.channels for row in made if row.name == "subpixel 4,2 k3"} == {(8, 4, 1), (16, 4)}


def test_presets_and_targets_stand_beside_words() -> None:
    found = rows(Grid((Architecture("melgan"), Architecture("my/net.py:{a,b}"), Architecture("nearest:4 | conv k3"))))
    assert [row.target for row in found] == [False, True, True, False]
    assert (float(found[0].sr), found[0].name, found[0].words) == (22050.0, "melgan", PRESETS["melgan"].spec)
    assert [row.words for row in found[1:]] == ["my/net.py:a", "my/net.py:b", "nearest x4 | conv k3"]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("convt k8 s4 | neerest x2", "did you mean 'nearest'"),
        ("convt k{8,4} q2", "'convt k8 q2', column 10: parameter of convt"),
        ("melgann", "A preset. Did you mean 'melgan'"),
        ("", "no text"),
    ],
)
def test_words_that_are_not_known_are_refused(words: str, match: str) -> None:
    with pytest.raises(ValueError, match=match) as error:
        checked(Grid((Architecture(words),)))
    assert "; allowed: " in str(error.value)


def test_too_large_a_grid_is_counted_not_made() -> None:
    grid = Grid((Architecture(f"conv k1 | {'{relu,tanh} | ' * 60}conv k1"),))
    with pytest.raises(ValueError, match=f"{2**60} rows; allowed: at most 1000. Hint: --limit {2**60}"):
        checked(grid)
    with pytest.raises(ValueError, match="grid: got no row"):
        checked(Grid(()))


def test_another_file_of_a_target_is_another_grid(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    grid, digests = Grid((Architecture(f"{file}:make"),)), []
    for text in ("a", "b", "a"):
        file.write_text(text)
        digests.append(grid.digest())
    assert digests[0] == digests[2] != digests[1]


FILES = {
    "rows.csv": "spec,target,channels,init,bias,sr,name\r\n"
    '"convt k{8,16} s8 p4",,"8,1",normal:0.02,off,22050,up\r\n,a.b:make,,,,,\r\n',
    "rows.jsonl": '{"spec": "convt k{8,16} s8 p4", "channels": [8, 1], "init": "normal:0.02", "bias": false, '
    '"sr": 22050, "name": "up"}\n\n{"target": "a.b:make"}\n',
    "rows.toml": '[[row]]\nspec = "convt k{8,16} s8 p4"\nchannels = [8, 1]\ninit = "normal:0.02"\nbias = false\n'
    'sr = 22050\nname = "up"\n[[row]]\ntarget = "a.b:make"\n',
}


@pytest.mark.parametrize("name", FILES)
def test_rows_are_the_same_in_each_format(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(FILES[name])
    first, second = read_rows(str(file))
    assert first == Architecture("convt k{8,16} s8 p4", "up", "8,1", "normal:0.02", False, Fraction(22050))
    assert second == Architecture("a.b:make")
    made = rows(Grid((first, second), ("4",), ("default", "icnr"), (True, False)))
    assert [(row.words, row.law, row.bias) for row in made][1:] == [
        ("convt k16 s8 p4", "normal:0.02", False),
        ("a.b:make", "", True),
    ]


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.csv", "spek\nconv k3\n", r"row 1: got 'spek'; .* did you mean 'spec'"),
        ("a.csv", "spec,bias\nconv k3,maybe\n", "row 1: bias: got 'maybe'"),
        ("a.csv", "spec\nconv k3,too,many\n", "named values"),
        ("a.csv", 'spec\n"conv k3\n', "CSV"),
        ("a.csv", "spec\n", "without any"),
        ("a.jsonl", '{"spec": "conv k3", "target": "a:b"}', "spec and target; allowed: one"),
        ("a.jsonl", '{"name": "x"}', "neither"),
        ("a.jsonl", '{"spec": 3}', "value: got 3"),
        ("a.jsonl", '{"spec": "conv k3", "channels": [0]}', "channels: got '0'"),
        ("a.jsonl", "[1]", "named values"),
        ("a.jsonl", "{", "JSONL"),
        ("a.toml", "rows = 3", "more than tables"),
        ("a.toml", "row = ", "TOML"),
        ("a.txt", "conv k3", "a file "),
    ],
)
def test_files_that_cannot_be_read_are_refused_by_row(name: str, text: str, match: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ValueError, match=match):
        read_rows(str(file))


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no\.csv: No such file"):
        read_rows("no.csv")


NETS = [
    ("convt k8 s4 p2 | leaky 0.2 | conv k3 p1", (6, 4, 1), "default", True),
    ("nearest x2 | conv k5 p2 | relu | linear x2 | conv k3 p1", (5, 3, 1), "default", False),
    ("shuffle x4 k3 p1 | relu | conv k1", (6, 8, 1), "icnr", False),
    ("conv k3 p1 g2 | glu | convt k4 s2 p1", (4, 6, 1), "default", True),
]


@pytest.mark.parametrize(("words", "channels", "init", "bias"), NETS)
def test_the_network_is_what_the_theory_is_asked_about(
    words: str, channels: tuple[int, ...], init: str, bias: bool
) -> None:
    """Two ways to one prediction: from the words, and from the module's own forward and weights."""
    net = drawn_network(parse(words), channels, init=init, bias=bias)
    read = walked(net)
    assert read.channels == channels[0]
    said = network_of(parse(words), channels, init=init, bias=None if bias else 0)
    for source in (Source(channels[0], constant=1.0), Source(channels[0], covariance=(1.0,))):
        found, due = forecast(read.network, source).expected, forecast(said, source).expected
        assert found is not None
        assert due is not None
        assert [comb.divisor for comb in found.combs] == [comb.divisor for comb in due.combs]
        a, b = (np.array([comb.power for comb in each.combs]) for each in (found, due))
        assert np.allclose(a, b, rtol=1e-9, atol=1e-12 * b.max())  # the same numbers, summed in another order
        assert found.noise == pytest.approx(due.noise)


@pytest.mark.parametrize("init", ["default", *INITS])
@pytest.mark.parametrize("op", ["conv k9", "convt k8 s4", "shuffle x2 k5"])
def test_weights_have_the_variance_of_their_law(init: str, op: str) -> None:
    """Within five standard errors of the mean square of so many draws."""
    torch.manual_seed(1)
    chain, scale = parse(op), 1.0 if init == "default" else 0.3
    (w,) = drawn_network(chain, (24, 16), init=init, scale=scale, bias=False).parameters()
    stage: Any = chain.stages[0]
    layer = Drawn(stage.op, 24, 16, stage.length, stage.stride)
    if init == "orthogonal":  # as many orthonormal rows or columns as there can be
        flat = w.detach().flatten(1).double()
        assert float((flat**2).sum()) == pytest.approx(scale**2 * min(flat.shape), rel=1e-5)
        return
    due = initialised(layer, init, scale=scale)
    mean = float((w.detach().double() ** 2).mean())
    error = float(due.weight) * np.sqrt((float(due.kurtosis) - 1) / w.numel())
    assert abs(mean - float(due.weight)) < 5 * error


def test_icnr_repeats_a_kernel_of_the_default_law() -> None:
    (w,) = drawn_network(parse("shuffle x4 k3"), (64, 32), init="icnr", bias=False).parameters()
    kernel = w.detach()[::4]
    assert torch.equal(w, kernel.repeat_interleave(4, 0))
    mean, due = float((kernel.double() ** 2).mean()), 1 / (3 * 64 * 3)
    assert abs(mean - due) < 5 * due * np.sqrt(0.8 / kernel.numel())


@pytest.mark.parametrize("words", ["conv k3 p1 | unsqueeze x8", "conv k3 p1 | istft x4 k16 p8", "conv k1 | haar"])
def test_a_head_gets_the_channels_that_it_takes(words: str) -> None:
    assert drawn_network(parse(words), (4, 1))(torch.ones(1, 4, 16)).shape[:2] == (1, 1)


@pytest.mark.parametrize(
    ("words", "channels", "match"),
    [
        ("conv k3 | convt k4 s2", (4, 1), "channels: got 2 numbers; allowed: 3"),
        ("unsqueeze x8", (8,), "first layer: got unsqueeze"),
        ("glu | conv k3", (8, 1), "first layer: got glu"),
    ],
)
def test_channels_that_do_not_fit_are_refused(words: str, channels: tuple[int, ...], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        drawn_network(parse(words), channels)


def test_a_row_tells_its_law_with_its_scale() -> None:
    assert [Row("conv k1", False, init="normal", scale=scale).law for scale in (1.0, 0.02)] == ["normal", "normal:0.02"]
    assert Row("a:b", True).law == ""
