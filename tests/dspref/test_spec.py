"""Architectures in words: what is read, what is written, and how a slip is answered."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspref import (
    Chain,
    Conv,
    FilterInterp,
    Interpolate,
    Linear,
    Nearest,
    Outline,
    Pointwise,
    SpecError,
    SubpixelConv,
    TransposedConv,
    ZeroStuff,
    parse,
)
from dspref.chain import POINTWISE, Stage
from dspref.spec import LARGEST, LETTERS, spec, token

WORDS = [
    ("convt k16 s8 p4", Outline("convt", 16, stride=8, padding=4)),
    ("convt k4 s2 p1 op1 d3 g2", Outline("convt", 4, stride=2, padding=1, output_padding=1, dilation=3, groups=2)),
    ("convt k3", Outline("convt", 3)),
    ("conv k9 p4", Outline("conv", 9, padding=4)),
    ("conv k4 s2", Outline("conv", 4, stride=2)),
    ("shuffle x4 k3", Outline("shuffle", 3, stride=4)),
    ("shuffle x2 k3 p2 d2 g4", Outline("shuffle", 3, stride=2, padding=2, dilation=2, groups=4)),
    ("nearest x2", Nearest(2)),
    ("linear x3", Linear(3)),
    ("nearest x3/2", Interpolate("nearest", scale_factor=Fraction(3, 2))),
    ("nearest-exact x2", Interpolate("nearest-exact", scale_factor=2)),
    ("cubic size441 corners", Interpolate("cubic", size=441, align_corners=True)),
    ("linear x1/3 recompute", Interpolate("linear", scale_factor="1/3", recompute_scale_factor=True)),
    ("linear x2476979795053773/2251799813685248", Interpolate("linear", scale_factor=1.1)),
    ("stretch x5", ZeroStuff(5)),
    ("unsqueeze x8", Outline("unsqueeze", 8, stride=8)),
    ("lazy", Outline("lazy", 2, stride=2)),
    ("haar", Outline("haar", 2, stride=2)),
    ("lifting k8", Outline("lifting", 8, stride=2)),
    ("istft x256 k1024", Outline("istft", 1024, stride=256)),
    ("istft x4 k16 p8", Outline("istft", 16, stride=4, padding=8)),
    ("pqmf x4 k63", Outline("pqmf", 63, stride=4)),
    ("leaky 0.2", Pointwise("leaky", (0.2,))),
    ("leaky", Pointwise("leaky", (0.01,))),
    ("snake 2", Pointwise("snake", (2.0,))),
    ("elu", Pointwise("elu")),
    ("glu", Pointwise("glu")),
]


@pytest.mark.parametrize(("words", "stage"), WORDS, ids=[words for words, _ in WORDS])
def test_a_stage_is_read_and_written(words: str, stage: Stage) -> None:
    assert parse(words) == Chain([stage])
    assert token(stage) == words


def test_every_operation_is_covered() -> None:
    ops = {words.split()[0] for words, _ in WORDS}
    assert set(LETTERS) <= ops
    assert all(parse(name) == Chain([Pointwise(name)]) for name in POINTWISE)


def test_the_text_of_a_chain_is_canonical() -> None:
    untidy = "  convt  p4 s8 k16 d1 g1|nearest:4\n| leaky .20 |shuffle k3 x4 p0"
    assert spec(parse(untidy)) == "convt k16 s8 p4 | nearest x4 | leaky 0.2 | shuffle x4 k3"


@pytest.mark.parametrize("op", ["nearest", "linear", "stretch", "unsqueeze"])
def test_a_colon_says_the_factor_too(op: str) -> None:
    assert parse(f"{op}:4") == parse(f"{op} x4")


def test_layers_with_weights_are_told_by_their_outline() -> None:
    w = np.ones((4, 2, 5))
    stages: list[tuple[Stage, str]] = [
        (TransposedConv(w, stride=3, padding=1, output_padding=1, dilation=2, groups=2), "convt k5 s3 p1 op1 d2 g2"),
        (Conv(w, padding="same", dilation=2), "conv k5 p4 d2"),
        (Conv(w, padding="valid", stride=2), "conv k5 s2"),
        (SubpixelConv(w, 2, padding=2), "shuffle x2 k5 p2"),
        (FilterInterp(3, np.arange(3), offset=1), "convt k3 s3 p1"),
        (FilterInterp(1, np.full(1, 2)), "convt k1"),
        (Linear(2, align_corners=True), "linear x2 corners"),
        (Interpolate("nearest", scale_factor=4), "nearest x4"),
    ]
    for stage, words in stages:
        assert token(stage) == words
        assert parse(words).stages[0].factor == stage.factor


BAD = [
    ("cnvt k3", 1, "layer: got 'cnvt'", "did you mean 'convt'?"),
    ("conv k3 | neerest x2", 11, "got 'neerest'", "did you mean 'nearest'?"),
    ("ConvTranspose1d k4", 1, "allowed: convt, conv, shuffle", "did you mean 'convt'?"),
    ("relu:2", 1, "got 'relu:2'", "did you mean 'relu'?"),
    ("convt k16 z3", 11, "parameter of convt: got 'z3'", "allowed: k, s, p, op, d, g"),
    ("convt kernel4", 7, "got 'kernel4'", "did you mean 'k'?"),
    ("convt K4", 7, "got 'K4'", "did you mean 'k'?"),
    ("convt k4 x2", 10, "got 'x2'", "did you mean 's'?"),
    ("shuffle s2 k3", 9, "got 's2'", "did you mean 'x'?"),
    ("conv k3 op1", 9, "parameter of conv: got 'op1'", "allowed: k, s, p, d, g"),
    ("nearest 4", 9, "got '4'", "write x4"),
    ("relu | convt s2", 8, "convt without k: got 'convt s2'", "as k16"),
    ("nearest", 1, "nearest without x", "as x2"),
    ("shuffle k3", 1, "shuffle without x", "as x2"),
    ("convt k4 s2 k5", 13, "parameter k of convt: got k4 and k5", "one of each"),
    ("nearest x2.5", 9, "got 'x2.5'", "write x5/2"),
    ("linear:2.5", 8, "got 'x2.5'", "write x5/2"),
    ("stretch x2.5", 9, "got 'x2.5'", "non-integer factors have no stretch + filter form"),
    ("cubic x3/0", 7, "got 'x3/0'", "an integer or a fraction"),
    ("cubic x0", 7, "got 'x0'", "as x2"),
    ("nearest x1/9999999", 9, "got 'x1/9999999'", str(LARGEST)),
    ("linear size0", 8, "parameter size of linear: got 'size0'", "as size441"),
    ("linear size4 x2", 1, "linear with x and size", "or the length, as size441"),
    ("linear size4 recompute", 1, "recompute: got with size4", "with a factor"),
    ("linear x2 recompute recompute", 21, "got recompute twice", "one of each"),
    ("cubic corner x2", 7, "parameter of cubic: got 'corner'", "did you mean 'corners'?"),
    ("nearest:", 9, "parameter x of nearest", "as x2"),
    ("convt k4 s0", 10, "got 's0'", "an integer, 1 …"),
    ("convt k4 p-1", 10, "got 'p-1'", "an integer, 0 …"),
    ("convt k=16", 7, "got 'k=16'", "k and an integer"),
    (f"convt k{LARGEST + 1}", 7, f"got 'k{LARGEST + 1}'", str(LARGEST)),
    ("convt k" + "9" * 5000, 7, "parameter k", str(LARGEST)),
    ("conv k3 || relu", 10, "got nothing beside |", "drop the |"),
    ("| conv k3", 1, "got nothing beside |", "drop the |"),
    ("conv k3 |", 9, "got nothing beside |", "drop the |"),
    ("conv k3 | ", 9, "got nothing beside |", "drop the |"),
    ("", 1, "got no text", "stages split by |"),
    (" \n", 1, "got no text", "stages split by |"),
    ("relu | convt k4 s2 op2", 20, "output_padding: got 2", "less than max(stride, dilation) = 2"),
    ("haar x2", 6, "parameter of haar: got 'x2'", "allowed: no parameter"),
    ("lazy 2", 6, "parameter of lazy: got '2'", "allowed: no parameter"),
    ("istft x4", 1, "istft without k: got 'istft x4'", "as k16"),
    ("pqmf k63", 1, "pqmf without x: got 'pqmf k63'", "as x2"),
    ("istft x4 k16 s4", 14, "got 's4'", "did you mean 'x'?"),
    ("unsqueze x8", 1, "got 'unsqueze'", "did you mean 'unsqueeze'?"),
    ("leaky a", 7, "parameter of leaky: got 'a'", "at most 1 finite number"),
    ("leaky nan", 7, "got 'nan'", "at most 1 finite number"),
    ("leaky 0.1 0.2", 11, "got '0.2'", "at most 1 finite number"),
    ("relu 3", 6, "parameter of relu: got '3'", "no parameter"),
]


@pytest.mark.parametrize(("words", "column", "got", "rest"), BAD, ids=[repr(case[0][:30]) for case in BAD])
def test_a_slip_is_answered_with_its_column_and_words(words: str, column: int, got: str, rest: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(words)
    message = str(caught.value)
    assert caught.value.column == column
    assert message.startswith(f"column {column}: ")
    assert got in message
    assert rest in message


def small(least: int) -> st.SearchStrategy[int]:
    return st.integers(least, 9)


@st.composite
def outlines(draw: st.DrawFn) -> Outline:
    op = draw(st.sampled_from(["conv", "convt", "shuffle"]))
    stride, dilation = draw(small(1)), draw(small(1))
    extra = draw(st.integers(0, max(stride, dilation) - 1)) if op == "convt" else 0
    return Outline(
        op,
        draw(small(1)),
        stride=stride,
        padding=draw(small(0)),
        output_padding=extra,
        dilation=dilation,
        groups=draw(small(1)),
    )


@st.composite
def maps(draw: st.DrawFn) -> Pointwise:
    name = draw(st.sampled_from(sorted(POINTWISE)))
    finite = st.floats(allow_nan=False, allow_infinity=False)
    return Pointwise(name, tuple(draw(st.lists(finite, max_size=len(POINTWISE[name][1])))))


STAGES = st.one_of(
    outlines(),
    st.builds(lambda g: Outline("unsqueeze", g, stride=g), small(1)),
    st.builds(lambda op: Outline(op, 2, stride=2), st.sampled_from(["lazy", "haar"])),
    st.builds(lambda k, x, p: Outline("istft", k, stride=x, padding=p), small(1), small(1), small(0)),
    st.builds(lambda k, x: Outline("pqmf", k, stride=x), small(1), small(1)),
    maps(),
    st.builds(Nearest, small(1)),
    st.builds(Linear, small(1), align_corners=st.booleans()),
    st.builds(ZeroStuff, small(1)),
    st.builds(
        lambda mode, x, recompute: Interpolate(mode, scale_factor=x, recompute_scale_factor=recompute),
        st.sampled_from(["nearest", "nearest-exact", "linear", "cubic"]),
        st.fractions(Fraction(1, 9), 9).filter(lambda x: x.denominator > 1) | st.floats(0.1, 9).filter(lambda x: x % 1),
        st.booleans(),
    ),
    st.builds(lambda n, corners: Interpolate("cubic", size=n, align_corners=corners), small(1), st.booleans()),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STAGES, min_size=1, max_size=5).map(Chain))
def test_words_and_chains_say_the_same(chain: Chain) -> None:
    words = spec(chain)
    assert parse(words) == chain
    assert spec(parse(words)) == words


PIECES = st.sampled_from(
    [
        *LETTERS,
        *POINTWISE,
        "|",
        ":",
        "k3",
        "x2",
        "x3/2",
        "size4",
        "corners",
        "s",
        "0",
        "2.5",
        "op1",
        " ",
        "²",
        "\n",
        "é",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=8).map(" ".join), st.lists(PIECES).map("".join)))
def test_no_text_does_worse_than_a_column_in_it(words: str) -> None:
    try:
        chain = parse(words)
    except SpecError as error:
        column = error.column
    else:
        column = 1
        assert parse(spec(chain)) == chain
    assert 1 <= column <= max(1, len(words))


@pytest.mark.parametrize("words", ["linear x2 corners", "linear corners x2"])
def test_aligned_corners_have_a_word(words: str) -> None:
    assert parse(words) == Chain([Linear(2, align_corners=True)])
    assert spec(parse(words)) == "linear x2 corners"
    for bad in ("nearest x2 corners", "linear x2 corners corners", "linear corners"):
        with pytest.raises(SpecError, match="column"):
            parse(bad)


@pytest.mark.parametrize(
    ("words", "column"),
    [
        ("convt k4 s2, conv k3", 12),
        ("relu,conv k3", 5),
        ("leaky 0.2, relu", 10),
        ("relu , relu", 6),
        ("linear x2, relu", 10),
    ],
)
def test_commas_are_told_how_stages_are_split(words: str, column: int) -> None:
    with pytest.raises(SpecError, match=r"got ','; .*Hint: stages are split by") as caught:
        parse(words)
    assert caught.value.column == column


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="architecture: got 3; allowed: a str of stages split by"):
        parse(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Hint: it is read already"):
        parse(Chain([]))  # type: ignore[arg-type]


def test_symbols_in_words_are_sent_where_they_are_kept() -> None:
    with pytest.raises(SpecError, match=r"got 'kK'; allowed: .*Hint: words want numbers; dspref\.symbolic"):
        parse("convt kK ss")
