"""config.json of the HiFi-GAN family: where its keys may stand, and what is said when they don't."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dspref import NotAnalysable, preset, read_config
from dspref.config import read_generator
from dspref.spec import spec

FLAT = {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4], "sampling_rate": 22050}
WITHOUT_SR = {key: FLAT[key] for key in ("upsample_rates", "upsample_kernel_sizes")}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def refusal(path: Path, content: Any) -> str:
    """Return the words with which a file of this content is refused."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError) as caught:
        read_config(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        FLAT,
        {"model": WITHOUT_SR, "data": {"sampling_rate": 22050}},
        {"a": [{"b": {"c": WITHOUT_SR}}, {"sampling_rate": 22050}]},
        {**FLAT, "copy": {"sampling_rate": 22050}},
    ],
    ids=["flat", "nested", "deep", "twice the same"],
)
def test_the_keys_are_found_at_any_depth(config: Path, content: Any) -> None:
    config.write_text(json.dumps(content))
    chain, sr = read_config(config)
    assert chain == preset("hifigan").chain
    assert sr == 22050


def test_the_rate_may_be_absent_or_broken(config: Path) -> None:
    config.write_text(json.dumps(WITHOUT_SR))
    assert read_config(str(config))[1] is None
    config.write_text(json.dumps({**FLAT, "sampling_rate": 22050.1}))
    assert read_config(config)[1] == Fraction(220501, 10)


def test_a_byte_order_mark_does_no_harm(config: Path) -> None:
    config.write_text(json.dumps(FLAT), encoding="utf-8-sig")
    assert read_config(config)[0].factor == 256


def test_odd_differences_keep_the_factor(config: Path) -> None:
    config.write_text(json.dumps({"upsample_rates": [5, 4], "upsample_kernel_sizes": [10, 4]}))
    chain, _ = read_config(config)
    assert (
        spec(chain)
        == "conv k7 p3 | leaky 0.1 | convt k10 s5 p3 op1 | leaky 0.1 | convt k4 s4 | leaky | conv k7 p3 | tanh"
    )


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.json: config: got no such file; allowed: a config\.json"):
        read_config(tmp_path / "nowhere.json")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"config: got a directory.*name the file in it"):
        read_config(tmp_path)


def test_a_path_through_a_file(config: Path) -> None:
    config.write_text("{}")
    with pytest.raises(ValueError, match=r"config: got Not a directory; allowed: a file that can be read"):
        read_config(config / "x")


def test_not_json(config: Path) -> None:
    assert "got Expecting ',' delimiter at line 2, column 9; allowed" in refusal(config, '{"a": 1\n        "b": 2}')
    assert "at line 1, column 1" in refusal(config, "x")


@pytest.mark.parametrize("content", ["", " \n"], ids=["nothing", "blank"])
def test_an_empty_file_is_said_to_be_empty(config: Path, content: str) -> None:
    assert ": config: got an empty file; allowed: a config.json" in refusal(config, content)


def test_no_key_is_suggested_that_is_there(config: Path) -> None:
    assert "did you mean" not in refusal(config, {"upsample_kernel_sizes": [16], "sampling_rate": 1})


ISTFT = {"upsample_rates": [8, 8], "upsample_kernel_sizes": [16, 16], "gen_istft_hop_size": 4, "sampling_rate": 22050}


@pytest.mark.parametrize("name", ["hop_size", "hop_length"])
def test_a_hop_that_the_rates_do_not_make_is_not_analysable(config: Path, name: str) -> None:
    """As of iSTFTNet: 8 · 8 · 4 = 256."""
    config.write_text(json.dumps({**ISTFT, "data": {name: 256}}))
    words = f"{name}: got 256, but upsample_rates multiply to 64; allowed: a hop of 64 .*Hint: an iSTFT head"
    with pytest.raises(NotAnalysable, match=words):
        read_config(config)
    config.write_text(json.dumps({**FLAT, name: 256}))
    assert read_config(config)[0].factor == 256
    config.write_text(json.dumps({**FLAT, name: 256, "loss": {name: 120}}))
    assert read_config(config)[0].factor == 256


def test_not_text(config: Path) -> None:
    assert "JSON: got 'utf-8' codec can't decode byte 0xff" in refusal(config, b"\xff\xfe{}")


def test_too_deep(config: Path) -> None:
    assert "recursion" in refusal(config, "[" * 200_000)


@pytest.mark.parametrize(
    ("content", "kind"), [([1], "a list"), ("x", "a string"), (3, "a number"), (None, "null")], ids=str
)
def test_not_an_object(config: Path, content: object, kind: str) -> None:
    assert f"JSON: got {kind} at the top; allowed: an object" in refusal(config, json.dumps(content))


def test_missing_keys_are_named_beside_those_seen(config: Path) -> None:
    words = refusal(config, {"model": {"upsample_rate": [8], "upsample_kernel_sizes": [16]}, "seed": 1})
    assert ": upsample_rates: got the keys model, seed, upsample_rate, upsample_kernel_sizes;" in words
    assert "did you mean 'upsample_rate'?" in words
    assert ": upsample_rates and upsample_kernel_sizes: got no keys" in refusal(config, {})
    assert "k19, …;" in refusal(config, {f"k{i}": i for i in range(30)})


@pytest.mark.parametrize(
    ("rates", "shown"),
    [
        (8, "8"),
        ([], "[]"),
        ([8, 0], "[8, 0]"),
        ([8, -2], "[8, -2]"),
        ([8, 2.0], "[8, 2.0]"),
        ([True, 2], "[true, 2]"),
        (["8", 2], '["8", 2]'),
        ({"a": 1}, "an object"),
        ([1 << 30, 2], "[1073741824, 2]"),
    ],
    ids=str,
)
def test_not_lists_of_positive_integers(config: Path, rates: object, shown: str) -> None:
    words = refusal(config, {**FLAT, "upsample_rates": rates})
    assert "upsample_rates: got " in words
    assert "allowed: a list of integers, 1 …" in words
    assert f"got {shown};" in words


def test_a_long_value_is_cut(config: Path) -> None:
    assert "got [0, 0, 0, " in (words := refusal(config, {**FLAT, "upsample_rates": [0] * 9999}))
    assert "…; allowed: a list" in words
    assert len(words) < 300 + len(str(config))


def test_unequal_lengths_say_both(config: Path) -> None:
    words = refusal(config, {**FLAT, "upsample_rates": [8, 8, 4]})
    assert "got 3 rates and 4 kernel sizes; allowed: lists of equal length" in words


def test_kernels_shorter_than_their_rate(config: Path) -> None:
    words = refusal(config, {"upsample_rates": [8], "upsample_kernel_sizes": [4]})
    assert "got kernel 4 with rate 8; allowed: kernels no shorter than their rate" in words


@pytest.mark.parametrize(
    ("rate", "shown"),
    [(0, "0"), (-22050, "-22050"), ("22050", '"22050"'), (None, "null"), (True, "true"), (float("nan"), "NaN")],
    ids=str,
)
def test_a_rate_that_is_none(config: Path, rate: object, shown: str) -> None:
    words = refusal(config, {**FLAT, "sampling_rate": rate})
    assert f"sampling_rate: got {shown}; allowed: a number of hertz > 0" in words


def test_one_key_with_two_values(config: Path) -> None:
    words = refusal(config, {**FLAT, "data": {"sampling_rate": 24000}})
    assert "sampling_rate, found 2 times: got 22050 and 24000; allowed: one value" in words
    same_object = '{"upsample_rates": [2], "upsample_rates": [4], "upsample_kernel_sizes": [4]}'
    assert "upsample_rates, found 2 times: got [2] and [4]" in refusal(config, same_object)


BIG = {"upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "hop_size": 8, "sampling_rate": 24000}


@pytest.mark.parametrize("name", ["snake", "snakebeta"])
def test_bigvgans_maps_are_snake(config: Path, name: str) -> None:
    config.write_text(json.dumps({**BIG, "activation": name, "use_tanh_at_final": False}))
    found = read_generator(config)
    assert spec(found.chain) == "conv k7 p3 | convt k8 s4 p2 | snake | convt k4 s2 p1 | snake | conv k7 p3 | tanh"
    assert found.remarks[0].startswith(f'activation "{name}": snake')
    assert "a clamp, is written as tanh" in found.remarks[2]


@pytest.mark.parametrize("other", ["mish", ["snake", 2], {"a": "snake"}, None], ids=str)
def test_other_maps_are_told(config: Path, other: object) -> None:
    config.write_text(json.dumps(BIG))
    plain = read_generator(config)
    config.write_text(json.dumps({**BIG, "activation": other}))
    found = read_generator(config)
    assert found.chain == plain.chain
    assert plain.remarks == ()
    assert "is not read: the maps are those of HiFi-GAN, leaky 0.1" in found.remarks[0]
    config.write_text(json.dumps({**BIG, "activation": "snake", "a": {"activation": "relu"}}))
    assert len(read_generator(config).remarks) == 1
