"""Lines of these very weights: the steady response to a constant, against the theory and against spectra."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import parse
from dspref.settling import steady_range
from torchparity import report
from torchparity.actual import actual, lines_of
from torchparity.adapt import Call
from torchparity.audit import Audit, audit
from torchparity.bench import Bench
from torchparity.flow import flow
from torchparity.models import random_network
from torchparity.models.unet import UNet
from torchparity.spine import spine


def bench(module: nn.Module, *, channels: int = 1, taken: int = 32, time: int | None = None) -> Bench:
    return Bench(module.eval(), spine(module, channels, length=taken), 0, (1, channels), time, taken, lambda text: None)


def network(words: str) -> nn.Module:
    torch.manual_seed(0)
    return random_network(parse(words))


def test_levels_of_an_affine_network_are_those_of_the_theory() -> None:
    found = audit(network("convt k3 s2 | conv k5 p2 | shuffle x3 k3 p1 | linear x2").double(), signals=("noise",))
    assert found.predicted is not None
    (constant,) = [each for each in found.actual if each.input == "constant"]
    assert constant.dtype == "float64"
    assert np.abs(np.sqrt(constant.power) - np.sqrt(found.predicted)).max() <= constant.resolution


def test_a_line_that_is_not_there_is_told_from_a_weak_one() -> None:
    (silence, constant) = actual(bench(network("conv k3 p1 | nearest x4 | conv k3 p1").double()))
    assert silence.exists.tolist() == constant.exists.tolist() == [True, False, False]
    assert constant.level_db(Fraction(1, 4)) is None
    (_, found) = actual(bench(nn.Sequential(nn.Upsample(scale_factor=2), Added(1e-12))))
    assert found.exists.tolist() == [True, True]
    assert found.level_db(Fraction(1, 2)) == pytest.approx(-240, abs=0.1)  # 1e-12 to the rounding of 1 + 1e-12


class Added(nn.Module):
    """Adds a line at half the rate."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.tensor(size, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        signs = torch.ones(x.shape[-1], dtype=x.dtype)
        signs[1::2] = -1
        return x + self.size * signs


def test_the_border_is_as_long_as_the_theory_says() -> None:
    words = "convt k8 s4 | conv k5 p2"
    (constant,) = [each for each in actual(bench(network(words))) if each.input == "constant"]
    time = 200
    steady = steady_range(parse(words), time)
    length = (time - 1) * 4 + 8
    assert (constant.start, constant.rest) == (steady.start, length - steady.stop)


class Insists(nn.Module):
    """Refuses doubles."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError(x.dtype)
        return torch.as_tensor(self.up(x))


def test_a_module_that_refuses_doubles_is_looked_at_in_its_own_precision() -> None:
    assert [each.dtype for each in actual(bench(Insists()))] == ["float32", "float32"]


class Counting(nn.Module):
    """An upsampler whose output never repeats."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.as_tensor(self.up(x))
        return y + torch.arange(y.shape[-1], dtype=y.dtype)


def test_a_response_that_never_repeats_has_no_lines() -> None:
    assert lines_of(bench(Counting()), "constant") is None
    assert tuple(actual(bench(Counting()))) == ()


@pytest.fixture(scope="module")
def unet() -> Audit:
    """A U-Net, audited: of rate 1, and of period 16."""
    torch.manual_seed(0)
    return audit(UNet(channels=4, depth=2, audio=1, out=2), sr=44100, signals=("silence", "constant", "noise", "sweep"))


def test_an_encoder_and_decoder_of_rate_one_is_audited_at_whole_periods(unet: Audit) -> None:
    assert (unet.spine.rate, unet.spine.chain.factor) == (Fraction(1), 16)
    assert [r.input for r in unet.runs] == ["silence", "constant", "noise", "sweep"]
    assert [f for f in unet.findings if f.level == "error"] == []
    assert [each.period for each in unet.actual] == [16, 16]
    assert all(each.exists.all() for each in unet.actual)


def test_lines_measured_in_a_spectrum_are_those_of_one_period(unet: Audit) -> None:
    for steady, run in zip(unet.actual, unet.runs[:2], strict=True):
        assert steady.input == run.input
        for m in run.lines:
            error = abs(10 ** (m.level_db / 20) - 10 ** ((steady.level_db(m.freq) or 0) / 20))
            assert error <= 1024 * run.resolution  # single against double precision


def test_a_sweep_is_not_judged(unet: Audit) -> None:
    assert [r.judged for r in unet.runs] == [True, True, True, False]


class Dynamic(nn.Module):
    """Upsamples a constant by another layer than noise."""

    def __init__(self, *, longer: bool = False) -> None:
        super().__init__()
        self.one, self.two = nn.ConvTranspose1d(1, 1, 4, 2, 1), nn.ConvTranspose1d(1, 1, 4, 2, 1)
        self.longer = longer

    def forward(self, x: Tensor) -> Tensor:
        if x.std() > 0:
            return torch.as_tensor(self.one(x))
        y = torch.as_tensor(self.two(x))
        return torch.cat([y, y[..., :1]], -1) if self.longer else y


class Signed(nn.Module):
    """Upsamples by calls of functions alone, what is positive on average by others."""

    def forward(self, x: Tensor) -> Tensor:
        if x.mean() > 0:
            return x.repeat_interleave(4, -1)
        return x.repeat_interleave(2, -1).repeat_interleave(2, -1)


def test_dynamic_control_flow_is_noted() -> None:
    assert flow(bench(Dynamic())).apart == ("constant", "constant −1", "silence")
    assert flow(bench(network("conv k3 p1 | relu | nearest x4"))).apart == ()
    module = Signed()
    apart = flow(bench(module)).apart
    assert ("constant" in apart) != ("constant −1" in apart)
    assert ("noise" in apart) != ("noise, negated" in apart)
    found = audit(Dynamic(), measured_only=True)
    assert [(r.input, r.astray, r.judged) for r in found.runs] == [("constant", True, False), ("noise", False, True)]
    notes = [f.text for f in found.findings if f.level == "note"]
    assert any(
        "from one on; the chain was read from noise; the same way: noise, noise, negated; another way: constant" in text
        and "measured on another way, and not judged: constant" in text
        for text in notes
    )
    verdict = report.to_dict(found)["verdict"]
    assert verdict["status"] == "partly explained"
    assert "none on constant, which goes another way through the module" in verdict["text"]


class Loud(nn.Module):
    """Limits what short noise does not reach; long inputs alone take one more call."""

    def __init__(self, *, limits: bool) -> None:
        super().__init__()
        self.limits = limits

    def forward(self, x: Tensor) -> Tensor:
        y = x.repeat_interleave(4, -1)
        if self.limits:
            return torch.tanh(y) if x.abs().max() > 3.5 else y
        return y + 0 if x.shape[-1] > 1000 else y


@pytest.mark.parametrize("limits", [True, False])
def test_flow_that_differs_for_long_inputs_alone(limits: bool) -> None:
    """By their values it is noted; by their length it is none of the values'."""
    module = Loud(limits=limits)
    assert flow(bench(module)).apart == ()
    found = audit(module, measured_only=True)
    assert [(r.input, r.astray) for r in found.runs] == [("constant", False), ("noise", limits)]
    assert any("dynamic control flow" in f.text for f in found.findings) is limits


def test_a_length_that_depends_on_values_is_refused() -> None:
    with pytest.raises(ValueError, match="dynamic control flow"):
        audit(Dynamic(longer=True), measured_only=True)


def test_silence_that_comes_out_is_told() -> None:
    module = nn.ConvTranspose1d(1, 1, 4, 2, 1, bias=False)
    found = audit(module, signals=("silence", "constant"), measured_only=True)
    assert [r.input for r in found.runs] == ["constant"]
    assert any(f.text.startswith("silence input: silence comes out") for f in found.findings)


def test_one_factor_by_branch_is_refused() -> None:
    with pytest.raises(ValueError, match="length: got 2/3 times as many samples behind its forward"):
        audit(Branches())


class Branches(nn.Module):
    """Two upsamplers of other factors, side by side, cut to one length."""

    def __init__(self) -> None:
        super().__init__()
        self.two, self.three = nn.ConvTranspose1d(1, 1, 2, 2), nn.ConvTranspose1d(1, 1, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, z = self.two(x), self.three(x)
        return torch.as_tensor(y + z[..., : y.shape[-1]])


def test_the_input_length_that_is_said_is_fed() -> None:
    found = audit(network("convt k4 s2 p1"), call=Call((1, 1, 3000)), measured_only=True)
    assert {r.samples for r in found.runs if r.input == "noise"} <= {6000, 5998, 5996}
