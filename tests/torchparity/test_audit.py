"""Audits: predicted and measured lines of real networks, and every way in which they can disagree."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import Chain, Nearest, NotAnalysable, TransposedConv, parse, tone_lines
from torchparity import register, report
from torchparity.audit import Audit, Call, audit
from torchparity.bench import settled
from torchparity.measure import STANDS_DB
from torchparity.models import melgan, random_network
from torchparity.nn import NearestConv1d
from torchparity.nn.choice import chosen
from torchparity.nn.utils import tone_free_


def small() -> nn.Module:
    return melgan(channels=4, width=2, stacks=1)


@pytest.fixture(scope="module")
def article() -> Audit:
    """The article's MelGAN, at its own size, with five seeds."""
    return audit(melgan, name="melgan", sr=22050, seeds=range(5))


def test_melgan_has_129_predicted_lines(article: Audit) -> None:
    assert [line.hz(22050) for line in article.lines] == [Fraction(22050 * k, 256) for k in range(129)]
    assert {line.owner for line in article.lines} == {1, 2, 3, 4}


def test_every_melgan_peak_lies_on_the_grid_for_five_seeds_and_both_inputs(article: Audit) -> None:
    assert [(r.input, r.seed) for r in article.runs] == [(i, s) for s in range(5) for i in ("constant", "noise")]
    for r in article.runs:
        assert len(r.peaks) >= 20
        assert r.off_grid == ()
    assert {f.level for f in article.findings} == {"warning"}


def test_melgan_tones_stand_where_the_article_shows_them(article: Audit) -> None:
    for r in article.runs:
        heights = {m.freq: m.height_db for m in r.lines}
        assert heights[Fraction(1, 2)] > 40
        assert heights[Fraction(1, 4)] > 40
        second = [heights[Fraction(k, 32)] for k in range(1, 16) if k % 8]
        assert np.median(second) > STANDS_DB


def hum(y: Tensor) -> Tensor:
    """Return a tone at 0.137 cycles per sample, as long as y."""
    turns = 0.137 * torch.arange(y.shape[-1], dtype=torch.float64)
    return torch.cos(2 * torch.pi * turns).to(y.dtype)


class Hum(nn.Module):
    """An upsampler with a tone of its own, off every grid."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.as_tensor(self.up(x))
        return y + 0.1 * hum(y)


def test_a_tone_that_no_layer_explains_is_an_error_with_its_frequency() -> None:
    found = audit(Hum, sr=1000)
    assert not any(r.periodic for r in found.runs)
    errors = [f.text for f in found.findings if f.level == "error"]
    assert "constant input, seed 0: the response never becomes periodic" in errors[0]
    assert any(t.startswith("constant input") and "peak off the predicted grid: 136.99" in t for t in errors)


class NoiseHum(Hum):
    """The same tone, let in by a signal only, so that the response to a constant settles."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.as_tensor(self.up(x))
        return y + 0.1 * hum(y) * float(x.std() > 0)


def test_peaks_off_the_grid_are_errors() -> None:
    found = audit(NoiseHum, sr=1000)
    (noise,) = [r for r in found.runs if r.input == "noise"]
    assert [p.freq for p in noise.off_grid] == pytest.approx([0.137], abs=1e-4)
    errors = [f.text for f in found.findings if f.level == "error"]
    assert len(errors) == 1
    assert errors[0].startswith("noise input, seed 0: 1 peak off the predicted grid: 136.99")


class Hidden(nn.Module):
    """Upsamples once more by a functional call, which no module owns."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.repeat_interleave(torch.as_tensor(self.up(x)), 3, dim=-1)


class UpDown(nn.Module):
    """Upsamples, decimates, upsamples: lines of the first layer alias."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.ConvTranspose1d(1, 1, 4, 2, 1), nn.Conv1d(1, 1, 4, 2, 1)
        self.last = nn.ConvTranspose1d(1, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.last(torch.relu(self.down(self.up(x)))))


class SideBySide(nn.Module):
    """Two upsampling layers of one rate, added."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.ConvTranspose1d(1, 1, 4, 2, 1), nn.ConvTranspose1d(1, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.a(x) + self.b(x))


class Whole(nn.Module):
    """Repeats four times, and is registered as if it were two."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.repeat_interleave(x, 4, dim=-1)


register(Whole)(lambda module: Nearest(2))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(*(nn.Upsample(scale_factor=64) for _ in range(3))), "factor: got 262144; allowed: at most"),
        (nn.ConvTranspose1d(1, 1, 4, 2).to("meta"), "on the meta device; allowed: weights"),
        (nn.ConvTranspose1d(1, 1, 4, 2).half(), "dtype of the weights: got float16.*allowed: float32, float64"),
    ],
)
def test_chains_that_cannot_be_read_off_are_refused(module: nn.Module, words: str) -> None:
    with pytest.raises(NotAnalysable, match=words):
        audit(module)


@pytest.mark.parametrize(
    ("module", "factors"), [(Hidden(), [2, 3]), (SideBySide(), [2]), (Whole(), [4]), (UpDown(), [2])]
)
def test_chains_are_read_off_rates_whatever_makes_them(module: nn.Module, factors: list[int]) -> None:
    """Functional calls, layers side by side, a wrong description, pairs that cancel: peaks are where they should be."""
    found = audit(module)
    assert [stage.factor for stage in found.spine.chain.stages] == factors
    assert not [f for f in found.findings if f.level == "error"]


def test_fused_layers_are_read_whatever_form_they_take() -> None:
    """Which form is faster depends on the length, and what is read off runs of several lengths is one."""
    layer = NearestConv1d(24, 16, 9, 4, padding=4)
    assert len({chosen(layer, torch.zeros(1, 24, n)) for n in (8, 64, 512, 4096)}) > 1
    found = audit(nn.Sequential(nn.ConvTranspose1d(32, 24, 16, 8, 4), nn.ReLU(), layer))
    assert [stage.factor for stage in found.spine.chain.stages if stage.factor != 1] == [8, 4]
    assert not [f for f in found.findings if f.level == "error"]


class Indexed(nn.Module):
    """Repeats samples by an index: its rate is known, and what it is, is not."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., torch.arange(4 * x.shape[-1]) // 4]


def test_rates_that_are_counted_are_not_said_to_be_kept() -> None:
    found = audit(Indexed(), measured_only=True)
    assert found.spine.chain.factor == 4
    assert "rates are known and counted, kernels are not: 1 × __getitem__" in [f.text for f in found.findings]


def test_decimation_before_all_upsampling_is_no_hindrance() -> None:
    network = nn.Sequential(nn.Conv1d(1, 1, 8, 4, 2), nn.ReLU(), nn.ConvTranspose1d(1, 1, 8, 4, 2))
    found = audit(network, sr=16000)
    assert found.spine.rate == 1
    assert found.spine.chain.factor == 4
    assert found.lines[1].hz(16000) == 4000
    assert not [f for f in found.findings if f.level == "error"]


def test_short_noise_is_not_judged_and_says_so() -> None:
    chain = parse("nearest x8 | conv k9 p4 | nearest x8 | conv k9 p4")
    for time in (40, 60, 80, 120):
        found = audit(random_network(chain), call=Call((1, 1, time)))
        assert [f for f in found.findings if f.level == "error"] == []
        assert any("too short to tell tones from noise" in f.text for f in found.findings)


def test_an_input_too_short_to_measure_says_how_long() -> None:
    with pytest.raises(NotAnalysable, match="input: got 8 samples; allowed: about 64 or more"):
        audit(small(), call=Call((1, 4, 8)))


def test_levels_of_an_affine_network_are_predicted_and_met() -> None:
    chain = parse("convt k3 s2 | conv k5 p2 | shuffle x3 k3 p1 | linear x2")
    found = audit(lambda: random_network(chain).double(), sr=12)
    assert found.spine.whole
    assert found.predicted is not None
    measured = np.array([10 ** (m.level_db / 20) for m in found.runs[0].lines])
    assert measured == pytest.approx(np.sqrt(found.predicted), abs=1e-12)
    assert not [f for f in found.findings if f.level == "error"]


def test_a_level_that_is_not_the_predicted_one_is_an_error() -> None:
    network = random_network(parse("convt k4 s2 p1"))
    found = audit(network)
    up = network[0]
    assert isinstance(up, nn.ConvTranspose1d)
    assert up.bias is not None
    wrong = tone_lines(Chain([TransposedConv(up.weight.detach().numpy(), stride=2, padding=1)]))
    planted = replace(found, lines=wrong)
    assert [f.text for f in found.findings if f.level == "error"] == []
    assert any("off its prediction" in f.text for f in planted.findings if f.level == "error")


def test_a_null_is_told_from_a_weak_line() -> None:
    found = audit(random_network(parse("convt k4 s2 p1")))
    strong = np.asarray(found.lines[0].amplitude)
    for size, words in ((1e-12, False), (0, True)):
        line = replace(found.lines[1], amplitude=size * strong)
        data = report.to_dict(replace(found, lines=(found.lines[0], line)))
        assert data["lines"][1]["null"] is words
        assert (data["lines"][1]["predicted_db"] is None) is words


def cancelling() -> nn.Module:
    """A small tone-free decoder: what its last layer adds up is 1 000 times as large as the sum."""
    first, second = nn.ConvTranspose1d(16, 8, 8, 4, padding=2), nn.ConvTranspose1d(8, 8, 4, 2, padding=1)
    layers = [nn.Conv1d(8, 16, 7, padding=3), nn.LeakyReLU(0.2), first, nn.LeakyReLU(0.2), second]
    model = nn.Sequential(*layers, nn.LeakyReLU(0.2), nn.Conv1d(8, 1, 7, padding=3))
    tone_free_(model)
    y = model(torch.ones(1, 8, 40)).detach()[..., 100:-100]
    with torch.no_grad():
        model[-1].bias -= 0.999 * y.mean()
    return model


def test_rounding_that_repeats_is_no_line() -> None:
    """Where terms cancel, their rounding is more than that of the output, and as periodic as the response is."""
    found = audit(cancelling)
    constant = found.runs[0]
    assert constant.dtype == "float32"
    assert max(line.level_db for line in constant.lines[1:]) > 20 * np.log10(10 * constant.resolution)
    assert [(len(constant.standing), len(constant.peaks))] == [(0, 1)]
    assert not [f for f in found.findings if "constant" in f.text]


class Single(nn.Module):
    """Computes in single precision, whatever it is given."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer.float()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer.float()(x.float())
        return y


class Otherwise(nn.Module):
    """Answers with something else in double precision."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        return y + 0.1 * (-1.0) ** torch.arange(y.shape[-1]) if y.dtype == torch.float64 else y


@pytest.mark.parametrize("wrap", [nn.Sequential, Single, Otherwise])
def test_a_faint_line_that_is_no_rounding_stands(wrap: Any) -> None:
    """Phases differ by 10⁻⁵ of their gain: a line 106 dB below the offset, 20 times as high as rounding."""
    layer = nn.ConvTranspose1d(1, 1, 4, 2, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.3, 0.7 + 1e-5, 0.7, 0.3]))
    constant = audit(wrap(layer), sr=2).runs[0]
    assert [float(line.freq) for line in constant.standing] == [0.5]
    assert constant.standing[0].level_db == pytest.approx(20 * np.log10(0.5e-5), abs=0.1)


def test_an_audit_leaves_module_and_random_state_as_they_were() -> None:
    network = nn.Sequential(small(), nn.BatchNorm1d(1)).train()
    network[1].eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    state = torch.get_rng_state()
    audit(network)
    assert [m.training for m in network] == [True, False]
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert not any(m._forward_hooks for m in network.modules())
    assert torch.equal(torch.get_rng_state(), state)


class Strange(nn.Module):
    """Gives back whatever it is told to."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.up, self.answer = nn.ConvTranspose1d(1, 1, 4, 2, 1), answer

    def forward(self, x: Tensor) -> object:
        y = self.up(x)
        return self.answer(y) if callable(self.answer) else self.answer


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Conv1d(1, 1, 3, padding=1), "upsampling layers: got none: the output has as many samples as"),
        (nn.Conv1d(1, 1, 8, 4, 2), "none: the output has 1/4 of the samples of the input, the module does not"),
        (Strange(lambda y: (y, y + 1)), r"outputs at the highest rate: got 0, 1; allowed: one.*--pick"),
        (Strange(lambda y: "sound"), r"module output: got str; allowed: a tensor"),
        (Strange(lambda y: y.nonsense), r"input of shape \(1, 1, 32\): got AttributeError"),
        (
            Strange(lambda y: y[..., :7]),
            r"output for 32 and 64 samples: got \(1, 1, 7\), float32; allowed: real numbers that grow",
        ),
        (
            Strange(lambda y: y + 1e-3 * torch.randn(y.shape)),
            "as it draws random numbers: randn in its forward; .*let noise be an argument",
        ),
        (Strange(lambda y: y * float("nan")), r"module output: got NaN or infinite samples"),
        (
            Strange(lambda y: y * 1j),
            r"output for 32 and 64 samples: got \(1, 1, 64\), complex64; allowed: real numbers",
        ),
        (Strange(lambda y: y[:0]), r"module output: got float32 of shape \(0, 1, 64\)"),
        (Strange(lambda y: 0 * y), r"response to noise: got silence"),
        (Strange(exit), r"input of shape \(1, 1, 32\): got SystemExit"),
    ],
)
def test_what_cannot_be_audited_says_why(module: nn.Module, words: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(NotAnalysable, match=words):
        audit(module)


def test_silence_is_no_recording() -> None:
    with pytest.raises(NotAnalysable, match="got silence"):
        audit(random_network(parse("nearest x2 | conv k9 p4")), recording=np.zeros(4000))


def test_a_recording_needs_one_input_channel() -> None:
    with pytest.raises(NotAnalysable, match=r"got 4 input channels; allowed: one input channel"):
        audit(small(), recording=np.ones(100))


def test_a_recording_is_measured_on_the_grid_and_its_own_peaks_are_not_judged() -> None:
    tone = np.cos(2 * np.pi * 0.11 * np.arange(4000))
    found = audit(random_network(parse("nearest x2 | conv k9 p4")), recording=tone)
    (r,) = found.runs
    assert r.input == "recording"
    assert r.off_grid
    assert not [f for f in found.findings if f.level == "error"]


def test_settled_is_where_the_signal_repeats() -> None:
    y = np.tile([1.0, 2.0], 50)
    y[:3] = 7
    y[-1] = 9
    assert settled(y, 2, 2.0**-53) == slice(4, 98)
    assert settled(y[:1], 2, 2.0**-53) == slice(0, 0)


def test_settled_means_to_rounding() -> None:
    y = np.tile([1.0, 2.0], 50)
    y[60] += 2 * 1025 * 2.0**-24
    assert settled(y, 2, 2.0**-24) == slice(0, 60)
    y[60] -= 2 * 2 * 2.0**-24
    assert settled(y, 2, 2.0**-24) == slice(0, 100)


def test_long_memories_get_longer_margins() -> None:
    found = audit(nn.Sequential(nn.Conv1d(1, 1, 301, padding=150), nn.ConvTranspose1d(1, 1, 4, 2, 1)))
    assert all(r.periodic and r.off_grid == () for r in found.runs)


def test_the_input_shape_can_be_given() -> None:
    found = audit(small(), call=Call((1, 4, 200)))
    assert [r.signal.shape[-1] for r in found.runs] == [200 * 256] * 2
