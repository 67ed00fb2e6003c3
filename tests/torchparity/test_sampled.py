"""Draws against theory that is known exactly, and the same result however the work is done.

A mean over draws may be off its theory by 4.5 standard errors: normal means are in 7 of a million cases; seeds are
fixed, so that a test that passes goes on to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable
from torchparity.experiment import INPUTS, prepared
from torchparity.ledger import read
from torchparity.models import melgan
from torchparity.models.unet import UNet, decoder
from torchparity.sampled import Estimate, Sampled, sampled

SIGMAS = 4.5


def agree(found: Estimate, theory: ArrayLike, *, sharp: float = 0.2) -> None:
    """Assert that estimates are near what is due, and that their errors are small enough to tell it from another."""
    mean, error, due = found.mean, found.error, np.broadcast_to(theory, found.mean.shape)
    assert np.all(np.abs(mean - due) <= SIGMAS * error), (mean, error, due)
    assert np.all(error <= sharp * due), (error, due)


class Normal(nn.Sequential):
    """Layers with normal weights of a deviation each, and without biases."""

    def __init__(self, *layers: tuple[nn.Module, float]) -> None:
        super().__init__(*(layer for layer, _ in layers))
        for layer, sigma in layers:
            for p in layer.parameters():
                nn.init.normal_(p, 0, sigma)


def transposed(C: int, K: int, s: int, sigma: float) -> nn.Module:
    return Normal((nn.ConvTranspose1d(C, 2, K, s, bias=False), sigma))


@pytest.mark.parametrize("K", [6, 7, 2], ids=["full overlap", "partial overlap", "gaps"])
def test_a_constant_through_a_transposed_layer_puts_the_power_of_its_offset_on_every_line(K: int) -> None:
    """E|c_k|² = σ² K Σμ² / s², whatever k, for any overlap."""
    made = sampled(partial(transposed, 3, K, 3, 0.7), [3], draws=200, inputs="ones")
    agree(made.lines, 0.7**2 * K * 3 / 3**2)
    agree(made.levels, 0.7**2 * K * 3 / 3**2)
    assert made.experiment.periods == made.experiment.records == 1


def test_two_linear_layers_have_the_lines_and_the_floor_of_their_second_moments() -> None:
    """Behind ×2 (K₁ = 4) all lines have the power v = σ₁²K₁C/4 of an offset; ×3 (K₂ = 5, σ₂) then makes 6 lines.

    Line k of P = 6 is Σ over r of images: c_k = (1/3) Σ_c H_c(k/6) c'_c[k mod 2], E|H_c|² = σ₂²K₂. White noise of power
    1 a channel has K/s taps in each sample on average, and so the density σ²KC/s per layer.
    """
    C, width, s1, s2 = 2, 3, 0.5, 0.4

    def made() -> nn.Module:
        first, second = (
            nn.ConvTranspose1d(a, b, K, s, bias=False) for a, b, K, s in ((C, width, 4, 2), (width, 2, 5, 3))
        )
        return Normal((first, s1), (second, s2))

    both = sampled(made, [2, 3], draws=300, inputs="ones+white", periods=8, records=3, bands=4, seed=3)
    agree(both.lines, s2**2 * 5 * width / 9 * (s1**2 * 4 * C / 4))
    agree(both.floors, s2**2 * 5 * width / 3 * (s1**2 * 4 * C / 2))
    agree(both.floor, s2**2 * 5 * width / 3 * (s1**2 * 4 * C / 2))
    quiet = sampled(made, [2, 3], draws=60, inputs="white", periods=8, records=3, seed=3)
    assert np.all(np.abs(quiet.lines.mean) <= SIGMAS * quiet.lines.error)
    assert quiet.levels.db() == (None, None, None)
    assert "comb sr/6    none seen" in quiet.to_text()


def conv(sigma: float) -> nn.Module:
    return Normal((nn.Conv1d(2, 3, 5, bias=False), sigma))


@pytest.mark.parametrize("kind", ["white", "mono"])
def test_noise_through_a_convolution_has_a_flat_expected_floor(kind: str) -> None:
    """σ² K C, in every band, for independent channels and for one noise in all of them alike."""
    made = sampled(partial(conv, 0.6), [], draws=200, inputs=kind, periods=64, bands=4)
    agree(made.floors, 0.6**2 * 5 * 2)
    assert made.combs.divisors == (1,)


def test_one_noise_in_all_channels_is_one_noise() -> None:
    """Weights 1 and −1 cancel it, and not two."""

    class Difference(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :1] - x[:, 1:]

    options: dict[str, Any] = {"draws": 4, "channels": 2, "periods": 64, "step": 1}
    assert sampled(Difference, [], inputs="mono", **options).floor.mean[0] == 0
    agree(sampled(Difference, [], inputs="white", **options).floor, 2.0)


def interpolating(bias: bool, after: Callable[[], nn.Module]) -> nn.Module:
    C = 8
    return nn.Sequential(nn.Upsample(scale_factor=4, mode="linear"), nn.Conv1d(C, C, 1, bias=bias), after())


def test_noise_alone_puts_a_tone_behind_linear_interpolation_and_relu() -> None:
    """Each channel is Gaussian, of variance |w|² q_n, q = (25, 17, 17, 25)/32: behind ReLU its mean is √(|w|² q_n/2π).

    E|w|² = 1/3, so that the offset and the lines follow exactly, at any width; the tone is 23.4 dB under the offset.
    """
    q = np.array([25.0, 17, 17, 25]) / 32
    due = np.abs(np.fft.rfft(np.sqrt(q / 2 / np.pi)) / 4) ** 2 / 3
    assert abs(10 * math.log10(due[1] / due[0]) + 23.354) < 0.001
    made = sampled(partial(interpolating, False, nn.ReLU), [4], draws=60, periods=64, seed=1)
    agree(Estimate(made.lines.mean[:2], made.lines.error[:2]), due[:2])
    assert abs(made.lines.mean[2]) <= SIGMAS * made.lines.error[2]
    without = sampled(partial(interpolating, False, nn.Identity), [4], draws=20, periods=64)
    assert without.levels.db() == (None, None)
    colour = np.abs(np.fft.rfft([1, 3, 5, 7, 7, 5, 3, 1], 1 << 12) / 8) ** 2 / 4 / 3
    wide = sampled(partial(interpolating, False, nn.Identity), [4], draws=40, periods=128, bands=2)
    agree(wide.floors, [colour[:1024].mean(), colour[1024:].mean()])


def test_a_height_over_the_floor_is_that_of_a_hann_spectrum() -> None:
    """A tone of power ¼ at ½ over white noise of power 1: measured with a window of N samples, and said for it."""

    class Toned(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.repeat_interleave(x, 2, -1) * torch.tensor([1.0, 0]).repeat(x.shape[-1]) * math.sqrt(2)

    class Offset(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Toned()

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.inner(x)) + torch.tensor([1.0, 0]).repeat(x.shape[-1])

    made = sampled(Offset, [2], draws=8, channels=1, periods=512, records=8, step=1)
    N, w = 64, np.hanning(65)[:-1]
    y = made.experiment.steady(0)[:, 0]
    tone = np.abs((w * y.reshape(8, -1, N)) @ (-1.0) ** np.arange(N)).__pow__(2).mean()
    floor = np.abs(np.fft.rfft(w * (y - y.mean(axis=0)).reshape(8, -1, N))) ** 2
    assert abs(10 * math.log10(tone / floor.mean() / (float(made.heights(N).mean[1]) + 1))) < 1
    with pytest.raises(NotAnalysable, match="floor: got none"):
        sampled(Offset, [2], draws=2, channels=1, inputs="ones", step=1).heights(N)


def test_networks_with_borders_and_their_margins() -> None:
    """The steady part of a longer record is the same signal: no border reaches into it."""
    for factory, factors in (
        (partial(melgan, channels=3, width=2), [8, 8, 2, 2]),
        (partial(decoder, channels=2, depth=2, kind="linear"), [4, 4]),
        (partial(UNet, channels=2, depth=2), [4, 4]),
    ):
        made = prepared(factory, factors, inputs="ones+mono", periods=3, records=2)
        y = made.steady(0)
        P = made.combs.period
        x = torch.cat([torch.full((2, made.channels, made.step), 9.0), made.input(0)], dim=-1)
        x = torch.cat([x, x[..., : made.step]], dim=-1)
        with torch.no_grad():
            longer = made.network(0)(x)[..., made.margins[0] + P :][..., : y.shape[-1]].numpy()
        np.testing.assert_allclose(longer, y, rtol=0, atol=1e-12 * np.abs(y).max())
        assert made.step == {8: 1, 4: 1 if isinstance(made.network(0), nn.Sequential) else 16}[factors[0]]


@pytest.fixture(scope="module")
def serial() -> Sampled:
    return sampled(partial(transposed, 2, 4, 2, 1.0), [2], draws=23, inputs="ones+white", chunk=5)


def arrays(made: Sampled) -> list[Array]:
    return [a for e in (made.lines, made.levels, made.floors, made.floor) for a in (e.mean, e.error)]


def same(one: Sampled, other: Sampled) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))


def test_processes_and_interruptions_change_nothing(serial: Sampled, tmp_path: Path) -> None:
    factory = partial(transposed, 2, 4, 2, 1.0)
    options: dict[str, Any] = {"inputs": "ones+white", "draws": 23, "chunk": 5}

    def stop(done: int, due: int) -> None:
        assert due == 23
        if done >= 10:
            raise KeyboardInterrupt

    path = tmp_path / "draws.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sampled(factory, [2], resume=path, progress=stop, **options)
    assert read(path).done == {0, 1}
    path.write_bytes(path.read_bytes()[:-7])  # as if killed while it wrote
    told: list[int] = []
    made = sampled(factory, [2], resume=path, progress=lambda done, due: told.append(done), **options)
    assert told == [5, 10, 15, 20, 23]
    assert same(made, serial)
    assert same(sampled(factory, [2], jobs=2, **options), serial)
    assert not same(sampled(factory, [2], seed=1, **options), serial)


def test_draws_leave_the_random_numbers_of_others_alone(serial: Sampled) -> None:
    torch.manual_seed(5)
    due = torch.rand(1)
    torch.manual_seed(5)
    serial.experiment.draw(3)
    assert torch.equal(torch.rand(1), due)


def test_a_file_of_another_network_or_other_options_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "draws.jsonl"
    sampled(partial(transposed, 2, 4, 2, 1.0), [2], draws=2, resume=path)
    others: tuple[tuple[float, dict[str, Any]], ...] = ((0.9, {}), (1.0, {"records": 2}))
    for sigma, options in others:
        with pytest.raises(ValueError, match=r"other work: (network|records)"):
            sampled(partial(transposed, 2, 4, 2, sigma), [2], draws=2, resume=path, **options)


class Normalised(nn.Module):
    """Borders matter everywhere: each sample depends on the mean over time."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=-1, keepdim=True) * 5


@pytest.mark.parametrize(
    ("factory", "options", "match"),
    [
        (partial(conv, 1.0), {"inputs": "pink"}, "input"),
        (partial(conv, 1.0), {"inputs": "ones+ones"}, "each once"),
        (partial(conv, 1.0), {"inputs": ""}, "input"),
        (partial(conv, 1.0), {"draws": 1}, "draws: got 1"),
        (partial(conv, 1.0), {"draws": 0}, "draws: got 0"),
        (partial(conv, 1.0), {"records": 1}, "records: got 1"),
        (partial(conv, 1.0), {"periods": 2}, "periods: got 2"),
        (partial(conv, 1.0), {"bands": 4, "periods": 7}, "bands: got 4; allowed: at most half of 7 samples"),
        (partial(conv, 1.0), {"dtype": "float16"}, "dtype"),
        (partial(conv, 1.0), {"seed": -1}, "seed"),
        (partial(transposed, 1, 4, 2, 1.0), {"factors": [3]}, "rate of the network: got ×2"),
        (partial(transposed, 1, 4, 2, 1.0), {"channels": 7, "factors": [2]}, "input of shape .1, 7, .* RuntimeError"),
        (Normalised, {"channels": 1, "step": 1}, "borders matter 512 periods away"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    factory: Callable[[], nn.Module], options: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        sampled(factory, **{"factors": [], "draws": 2, **options})


def test_every_kind_of_input_has_power_1() -> None:
    """A record of 4000 has 2/8000 of variance, if white: that of (1, ½) in two channels, Σρ² of it, is 1½ · 2/16000."""
    for kind in INPUTS:
        r = (1.0, 0.5) if kind == "coloured" else ()
        x = prepared(partial(conv, 1.0), [], inputs=kind, periods=4000, records=2, covariance=r).input(0)
        power = (x**2).mean().item()
        assert abs(power - 1) <= (0 if kind == "ones" else SIGMAS * math.sqrt(2 / 8000))


def test_a_factory_that_makes_one_network_again_and_again_is_told_of() -> None:
    one = nn.Conv1d(2, 2, 3)

    def seeded() -> nn.Module:
        torch.manual_seed(0)
        return nn.Conv1d(2, 2, 3)

    for factory in (lambda: one, seeded):
        with pytest.raises(ValueError, match=r"the same one twice.*seed itself"):
            sampled(factory, [], draws=2)
    assert not one.weight.is_meta
