"""Cures: what theory promises, and what is left when they are tried."""

import re
from copy import deepcopy
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

from dspref import parse
from torchparity import report
from torchparity.audit import Audit, audit, audit_architecture
from torchparity.expecting import expectations, expected_of
from torchparity.nn import SubpixelConv1d
from torchparity.nn.utils import remove_tone_free, tone_free


def deep(norm: object = lambda layer: layer) -> nn.Module:
    torch.manual_seed(0)
    up = [nn.ConvTranspose1d(4, 4, 4, 2, 1), nn.ConvTranspose1d(4, 4, 6, 3, 1, 0)]
    wrapped = [norm(layer) for layer in up]  # type: ignore[operator]
    first, last = nn.Conv1d(1, 4, 3, padding=1), nn.Conv1d(4, 1, 3)
    return nn.Sequential(first, wrapped[0], nn.LeakyReLU(), wrapped[1], nn.LeakyReLU(), last)


@pytest.fixture(scope="module")
def found() -> Audit:
    """A chain with a map behind each of two upsampling layers."""
    return audit(deep(), signals=("constant",), sr=6)


def test_one_layer_tone_free_leaves_what_earlier_ones_make(found: Audit) -> None:
    tried = {cure.owner: cure for cure in found.cures if cure.promise == "these weights"}
    assert tried[1].after_db is None
    assert tried[1].gain_db is None
    assert tried[2].before_db is not None
    assert tried[2].after_db is not None
    assert (tried[2].gain_db or 0) > 0
    assert "tone-free taps in 3 " in tried[2].words


def test_any_weights_means_this_layer_and_all_before_it(found: Audit) -> None:
    promised = [cure for cure in found.cures if cure.promise == "any weights"]
    assert [cure.owner for cure in promised] == [1, 1, 2, 2]
    assert all(cure.after_db is None for cure in promised)
    assert all(re.search(r"layers 2 \(.*\) and 1 \(", cure.words) for cure in promised if cure.owner == 2)
    assert [("nearest" in cure.words) for cure in promised] == [False, True, False, True]


def test_the_level_is_that_of_the_strongest_line_of_these_weights(found: Audit) -> None:
    (constant,) = [each for each in found.actual if each.input == "constant"]
    dc = constant.level_db(Fraction(0))
    assert dc is not None
    for cure in found.cures:
        levels = [
            level - dc
            for line in found.lines
            if line.owner == cure.owner and line.freq and (level := constant.level_db(line.freq)) is not None
        ]
        assert cure.before_db == max(levels)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("norm", [weight_norm, parametrizations.weight_norm])
def test_weight_norm_of_either_interface_is_cured_alike(norm: object, found: Audit) -> None:
    tried = [cure.after_db for cure in audit(deep(norm), signals=("constant",)).cures if cure.gain_db is not None]
    plain = [cure.after_db for cure in found.cures if cure.gain_db is not None]
    assert tried == pytest.approx(plain, abs=1e-3)


def test_a_subpixel_convolution_and_its_bias_are_cured() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(SubpixelConv1d(2, 2, 3, 4, padding=1), nn.Tanh())
    cures = audit(module, signals=("constant",)).cures
    assert [(cure.rule, cure.promise) for cure in cures] == [
        ("UA102", "any weights"),
        ("UA102", "any weights"),
        ("UA102", "these weights"),
    ]
    assert all(cure.before_db is not None and cure.after_db is None for cure in cures)


def test_layers_that_make_no_line_need_no_cure() -> None:
    module = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.Upsample(scale_factor=4), nn.Conv1d(2, 1, 3, padding=1))
    assert audit(module, signals=("constant",)).cures == ()


@pytest.mark.parametrize("first", [True, False])
def test_layers_that_are_tone_free_need_no_cure_but_those_before_them(first: bool) -> None:
    """Baked, taps are as any others: what is left of a constant is rounding; of one layer alone it is not."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.ConvTranspose1d(2, 4, 8, 4), nn.Tanh(), nn.ConvTranspose1d(4, 1, 4, 2))
    for at in (0, 2) if first else (2,):
        remove_tone_free(tone_free(net[at]))
    made = audit(net, signals=("constant",))
    assert made.tone_free == ((1, 2) if first else (2,))
    assert {cure.owner for cure in made.cures} == (set() if first else {1, 2})


def test_a_head_has_a_sentence_and_no_prediction() -> None:
    made = audit_architecture(parse("conv k7 p3 | istft x4 k16 | convt k4 s2 p1"), name="head", sr=16000)
    assert [(cure.owner, cure.promise, cure.before_db) for cure in made.cures] == [
        (1, "no prediction", None),
        (2, "no prediction", None),
    ]


def test_an_architecture_has_possible_and_expected_lines_alone() -> None:
    made = audit_architecture(parse("conv k7 p3 | leaky 0.1 | convt k16 s8 p4 | conv k7 p3"), name="small", sr=16000)
    assert [float(line.hz(made.sr)) for line in made.lines] == [0, 2000, 4000, 6000, 8000]
    assert (made.runs, made.actual) == ((), ())
    assert [each.input for each in made.expected] == ["silence", "constant", "noise"]
    noise = made.expected[2]
    assert noise.expected is not None
    assert noise.finest is not None
    assert noise.level_db(Fraction(1, 8)) == noise.expected.combs[1].db
    assert noise.level_db(Fraction(1, 3)) is None
    assert any("multiples of 2000 Hz stand over the floor" in f.text for f in made.findings)


def test_a_module_and_its_words_are_expected_to_do_the_same() -> None:
    words = "conv k7 p3 | leaky 0.1 | convt k16 s8 p4"
    module = nn.Sequential(nn.Conv1d(512, 512, 7, padding=3), nn.LeakyReLU(0.1), nn.ConvTranspose1d(512, 1, 16, 8, 4))
    for a, b in zip(expectations(module, 512), expected_of(parse(words)), strict=True):
        assert a.input == b.input
        for k in range(5):
            assert a.level_db(Fraction(k, 8)) == pytest.approx(b.level_db(Fraction(k, 8)), abs=1e-9)


def test_what_is_not_expected_says_why() -> None:
    module = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.GroupNorm(1, 2), nn.ConvTranspose1d(2, 1, 4, 2, 1))
    for each in expectations(module, 1, length=64):
        assert each.expected is None
        assert each.finest is None
        assert each.not_predicted[0].what
    trained = nn.ConvTranspose1d(1, 1, 4, 2, 1)
    torch.nn.init.constant_(trained.weight, 1.0)
    refused = expectations(trained, 1, length=64, where="trained")
    assert [each.not_predicted[0].where for each in refused] == ["trained"] * 3


def test_the_report_says_what_was_tried_layer_by_layer_and_what_cures_all(found: Audit) -> None:
    text = report.to_text(found)
    rows = re.findall(r"^ +(\d) +(\S+) +(-?[\d.]+) dB +(none|-?[\d.]+ dB)$", text, re.MULTILINE)
    tried = [cure for cure in found.cures if cure.promise == "these weights"]
    due = [
        (
            str(c.owner),
            f"{float((c.freq or 0) * 6):.10g}",
            f"{c.before_db:.1f}",
            f"{c.after_db:.1f} dB" if c.after_db else "none",
        )
        for c in tried
    ]
    assert rows[-2:] == due
    assert " ".join(text.split()).count("no line of a constant, whatever is learned") == 2


def test_the_report_has_no_column_for_what_is_not_predicted() -> None:
    module = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.GroupNorm(1, 2), nn.ConvTranspose1d(2, 1, 4, 2, 1))
    made = audit(module, signals=("noise",))
    assert [e["predicted"] for e in report.to_dict(made)["expected"]] == [False] * 3
    assert re.search(r"^ +actual +actual$", report.to_text(made), re.MULTILINE)


class Stuffed(nn.Module):
    """Zeros between samples, written one by one, and a filter behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 8, padding=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.zeros(*x.shape[:-1], 4 * x.shape[-1])
        y[..., ::4] = x
        return torch.as_tensor(self.conv(y))


def test_zeros_between_samples_are_cured_as_a_transposed_convolution_is() -> None:
    made = audit(Stuffed(), signals=("constant",))
    assert [(cure.rule, cure.promise) for cure in made.cures] == [("UA107", "any weights")] * 2
    assert "Frames" not in report.to_text(made)


class Aside(nn.Module):
    """A layer of the same factor, of which the output is not made, runs first."""

    def __init__(self) -> None:
        super().__init__()
        self.aside, self.real = nn.ConvTranspose1d(1, 1, 8, 4, 2), nn.ConvTranspose1d(1, 1, 8, 4, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        aside = self.aside(x)
        return self.real(x), aside[..., ::4]


def test_a_cure_is_tried_on_the_way_to_the_output() -> None:
    (cure,) = (c for c in audit(Aside(), signals=("constant",)).cures if c.promise == "these weights")
    assert "real (torchparity.nn.utils.tone_free)" in cure.words
    assert cure.before_db is not None
    assert cure.after_db is None


class Three(nn.Module):
    """Up by 4 on three ways, which meet before a map: 2 · 2, 4, and 2 and nearest 2."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.ConvTranspose1d(1, 1, 4, 2, 1), nn.ConvTranspose1d(1, 1, 4, 2, 1)
        self.c, self.d = nn.ConvTranspose1d(1, 1, 8, 4, 2), nn.ConvTranspose1d(1, 1, 4, 2, 1)
        self.e, self.out = nn.Upsample(scale_factor=2), nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.b(self.a(x)) + self.c(x) + self.e(self.d(x)) + 1)
        return torch.as_tensor(self.out(y))


def test_a_promise_is_of_all_ways_and_is_kept() -> None:
    """Tone-free taps in all that the cure names leave no line; in the chain alone they do."""
    torch.manual_seed(0)
    module = Three()
    promised = [c for c in audit(module, signals=("constant",)).cures if c.promise == "any weights"]
    assert all(
        re.search(r"layers 1 \(.*\) and 2 \(.*\) and 3 \(.*\) and 4 \(", c.words) for c in promised if c.owner == 1
    )
    left = []
    for names in ("ab", "abcd"):
        copy = deepcopy(module)
        for name in names:
            tone_free(copy.get_submodule(name))
        (steady,) = (s for s in audit(copy, signals=("constant",)).actual if s.input == "constant")
        left.append(bool(steady.exists[1:].any()))
    assert left == [True, False]


def test_a_stride_beyond_what_advice_computes_ends_no_audit() -> None:
    (cure,) = audit_architecture(parse("convt k4096 s2048 p1024"), name="coarse", sr=48000).cures
    assert (cure.owner, cure.rule, cure.promise, cure.after_db) == (1, "UA101", "no prediction", None)
    assert "No layer in its place was computed. rate: got 2048; allowed: at most 1024." in cure.words


class Picked(Three):
    """One of the ways is by an index, of which only rates are known."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.b(self.a(x)) + x[..., torch.arange(4 * x.shape[-1]) // 4]
        return torch.as_tensor(self.out(torch.relu(y + 1)))


def test_there_is_no_promise_where_a_way_is_not_known() -> None:
    made = audit(Picked(), signals=("constant",))
    assert [layer.words for layer in made.spine.layers if layer.branch] == ["__getitem__ ×4, not described"]
    assert {cure.promise for cure in made.cures} <= {"no prediction", "these weights"}
    assert "no prediction" in {cure.promise for cure in made.cures}
