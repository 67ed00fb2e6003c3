"""Lines in gradients, measured on Torch's autograd: discriminators, pooling, losses on short-time spectra, shuffles."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref import Chain, Conv, Pointwise
from dspref.arrays import Array
from dspref.chain import Stage
from dspref.gradients.decimators import PhaseShuffle, Pool, phase_shuffle_attenuation
from dspref.gradients.lines import GradientLine, gradient_lines, shuffle_attenuation
from dspref.gradients.stftloss import PARALLEL_WAVEGAN, Resolution, envelope, multi_resolution_lines
from torchparity import build

RNG = np.random.default_rng(18)

WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window, "blackman": torch.blackman_window}


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape)


def gradient(module: nn.Module, x: Tensor, weights: Array | None = None) -> Array:
    """Return the gradient of Σ μ y by the input (in, time), μ (out,)."""
    x = x.clone().requires_grad_()
    y = module(x)
    mean = torch.ones(y.shape[-2]) if weights is None else torch.as_tensor(weights)
    (g,) = torch.autograd.grad((mean[:, None] * y).sum(), x)
    return np.asarray(g.numpy()[0])


def transform(g: Array, D: int, reach: int) -> tuple[Array, Array]:
    """Return complex amplitudes at k/D, and all others, of whole periods `reach` samples from both ends."""
    start = -(-reach // D) * D
    periods = (g.shape[-1] - reach - start) // D
    assert periods >= 4
    c = np.fft.fft(g[..., start : start + periods * D], axis=-1) / (periods * D)
    return c[..., ::periods], np.delete(c, np.arange(D) * periods, axis=-1)


def amplitudes(lines: tuple[GradientLine, ...]) -> Array:
    """Return (in, D // 2 + 1)."""
    found = [line.amplitude for line in lines]
    assert all(c is not None for c in found)
    return np.array(found).T


def test_autograd_of_three_strided_convolutions() -> None:
    """Lines exactly where they are predicted, amplitudes to 1e-10 of the loudest."""
    chain = Chain(
        [
            Conv(normal(4, 2, 15), stride=4, padding=7),
            Conv(normal(8, 2, 9), stride=3, padding=4, groups=2, bias=normal(8)),
            Conv(normal(3, 8, 5), stride=2, padding=2),
        ]
    )
    mean = normal(3)
    g = gradient(build(chain), torch.as_tensor(normal(1, 2, 1200)), mean)
    on, off = transform(g, 24, 120)
    lines = gradient_lines(chain, upstream=mean)
    c = amplitudes(lines)
    peak = np.abs(c).max()
    assert np.abs(on[:, :13] - c).max() <= 1e-10 * peak
    assert np.abs(off).max() <= 1e-10 * peak
    assert np.abs(c).max(axis=0).min() > 1e-3 * peak  # every line is there
    assert [line.owner for line in lines[1:]] == [3 if k % 2 else 2 if k % 6 else 1 for k in range(1, 13)]


def test_autograd_of_a_multi_period_discriminator() -> None:
    """As HiFi-GAN's: Conv2d over the columns of a reshape, each column with an upstream gradient of its own."""
    p, (a, b) = 5, (normal(4, 1, 5), normal(2, 4, 5))
    x = torch.as_tensor(normal(1, 1, 180 * p)).requires_grad_()
    folded = x.view(1, 1, -1, p)
    y = F.conv2d(folded, torch.as_tensor(a[..., None]), stride=(3, 1), padding=(2, 0))
    y = F.conv2d(y, torch.as_tensor(b[..., None]), stride=(3, 1), padding=(2, 0))
    chain = Chain([Conv(a, stride=3, padding=2), Conv(b, stride=3, padding=2)])
    for means in (normal(2, p), np.repeat(normal(2, 1), p, axis=1)):
        (g,) = torch.autograd.grad((torch.as_tensor(means)[None, :, None] * y).sum(), x, retain_graph=True)
        on, off = transform(g.numpy()[0], 45, 90)
        lines = gradient_lines(chain, upstream=means, period=p)
        peak = np.abs(on).max()
        assert np.abs(on[:, :23] - amplitudes(lines)).max() <= 1e-12 * peak
        assert np.abs(off).max() <= 1e-12 * peak
    assert np.abs(on[:, 9:23:9]).max() <= 1e-12 * peak  # columns alike: no line at k·sr/p
    assert all(line.null for line in gradient_lines(chain, period=p) if line.owner == 0 and line.freq)


@pytest.mark.parametrize(("K", "s", "pad"), [(4, 2, 2), (4, 2, 1), (5, 3, 0), (4, 4, 0)])
def test_pooling_is_torchs_and_so_are_its_gradients(K: int, s: int, pad: int) -> None:
    x = torch.as_tensor(normal(1, 3, 200))
    average, largest, norm = nn.AvgPool1d(K, s, pad), nn.MaxPool1d(K, s, pad), nn.LPPool1d(2, K, s)
    assert np.allclose(Pool("average", K, stride=s, padding=pad)(x.numpy()), average(x), rtol=0, atol=1e-14)
    assert np.array_equal(Pool("max", K, stride=s, padding=pad)(x.numpy()), largest(x))
    assert np.allclose(Pool("lp", K, stride=s)(x.numpy()), norm(x), rtol=1e-14)
    on, off = transform(gradient(average, x), s, 10)
    lines = gradient_lines(Chain([Pool("average", K, stride=s, padding=pad)]))
    assert np.abs(on[0, : s // 2 + 1] - amplitudes(lines)[0]).max() <= 1e-15
    assert np.abs(off).max() <= 1e-15
    assert [line.null for line in lines[1:]] == [K % s == 0] * (s // 2)


class Circular(nn.Module):
    """Circular strided convolutions with maps between them: no border, so that shifts of the input are shifts."""

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain

    def forward(self, x: Tensor) -> Tensor:
        for stage in self.chain.stages:
            if isinstance(stage, Conv):
                x = F.pad(x, (0, stage.length - 1), mode="circular")
                x = F.conv1d(x, torch.tensor(stage.weight), stride=stage.stride)
            elif isinstance(stage, Pool):
                x = F.max_pool1d(x, stage.length, stage.step)
            else:
                x = F.leaky_relu(x, 0.2)
        return x


def over_shifts(chain: Chain, x: Array) -> Array:
    """Return the gradients for all circular shifts of the input: a stationary input, every draw of it."""
    time = x.shape[-1]
    draws = torch.as_tensor(np.stack([np.roll(x, n, axis=-1) for n in range(time)])).requires_grad_()
    (g,) = torch.autograd.grad(Circular(chain)(draws).sum(), draws)
    return np.asarray(g.numpy())


def test_maps_keep_the_positions_of_the_mean_gradient() -> None:
    """Two maps and a maximum between strides: mean and variance over a stationary input have lines on the grid only.

    One draw has not: between the lines it is as strong as on them.
    """
    leaky = Pointwise("leaky", (0.2,))
    stages: list[Stage] = [
        Conv(normal(4, 1, 7), stride=2),
        leaky,
        Conv(normal(3, 4, 5), stride=3),
        leaky,
        Pool("max", 2),
    ]
    chain, x = Chain(stages), normal(1, 240)
    lines = gradient_lines(chain)
    assert [line.freq for line in lines] == [Fraction(k, 12) for k in range(7)]
    assert all(line.amplitude is None for line in lines)
    draws = over_shifts(chain, x)[:, 0]
    mean = draws.mean(axis=0)
    for moment in (mean, ((draws - mean) ** 2).mean(axis=0)):  # the variance too
        spectrum = np.abs(np.fft.fft(moment) / 240)
        on, off = spectrum[::20], np.delete(spectrum, np.arange(12) * 20)
        assert off.max() <= 1e-14 * on.max()
        assert on.min() >= 1e-3 * on.max()
    one = np.abs(np.fft.fft(gradient(Circular(chain), torch.as_tensor(x[None]))[0]) / 240)
    assert np.delete(one, np.arange(12) * 20).max() > 0.1 * one.max()


def test_one_map_weighs_channels_by_its_mean_slope() -> None:
    """The mean gradient is that of the chain with the gain E φ'(z_c) in place of the map."""
    a, b = Conv(normal(4, 1, 7), stride=3), Conv(normal(2, 4, 5), stride=2)
    chain, x = Chain([a, Pointwise("leaky", (0.2,)), b]), normal(1, 180)
    z = np.concatenate(
        [Circular(Chain([a]))(torch.as_tensor(np.roll(x, n)[None])).numpy()[0] for n in range(3)], axis=-1
    )
    slopes = np.where(z > 0, 1, 0.2).mean(axis=-1)  # all 180 places of z, by three phases of the stride
    gains = Conv(np.diag(slopes)[..., None])
    lines = gradient_lines(Chain([a, gains, b]))
    measured = np.fft.fft(over_shifts(chain, x)[:, 0].mean(axis=0))[:: 180 // 6] / 180
    assert np.abs(measured[:4] - amplitudes(lines)[0]).max() <= 1e-14 * np.abs(measured).max()


def stft_gradient(r: Resolution, x: Tensor, target: Tensor, *, onesided: bool = False) -> Tensor:
    """Return the gradient of ‖STFT(x) − STFT(target)‖²."""
    x = x.clone().requires_grad_()
    window = WINDOWS[r.window](r.length, dtype=torch.float64)
    X, Y = (
        torch.stft(v, r.n_fft, r.hop, r.length, window, center=r.center, onesided=onesided, return_complex=True)
        for v in (x, target)
    )
    (g,) = torch.autograd.grad((X - Y).abs().square().sum(), x)
    return g


RESOLUTIONS = (
    Resolution(512, 50, 240),
    Resolution(512, 50, 240, center=False),
    Resolution(256, 64),
    Resolution(128, 64, window="hamming"),
    Resolution(65, 10, 33, "blackman"),
    Resolution(64, 100),
)


@pytest.mark.parametrize("r", RESOLUTIONS, ids=lambda r: f"{r.words}{'' if r.center else ' not centred'}")
def test_autograd_of_an_stft_loss_is_the_error_times_the_envelope(r: Resolution) -> None:
    """Parseval in each frame: equal to 1e-10 of the largest, where only the FFTs and sums of frames round.

    The lines of the envelope, put together again, are the envelope.
    """
    x, target = torch.as_tensor(normal(3000)), torch.as_tensor(normal(3000))
    g, error = stft_gradient(r, x, target).numpy(), (x - target).numpy()
    n, inner = np.arange(3000), slice(600, 2400)
    E = envelope(WINDOWS[r.window](r.length, dtype=torch.float64).numpy(), r.hop)[(n - r.start) % r.hop]
    assert np.abs(g - 2 * r.n_fft * E * error)[inner].max() <= 1e-10 * np.abs(g).max()
    both = sum(
        (1 if line.freq in (0, Fraction(1, 2)) else 2)
        * (line.amplitude * np.exp(2j * np.pi * float(line.freq) * n)).real
        for line in r.lines()
    )
    assert np.abs(g - 2 * r.n_fft * both * error)[inner].max() <= 1e-10 * np.abs(g).max()


def test_hann_240_50_leaves_lines_of_68_6_dB_and_1024_256_none() -> None:
    """Measured on the gradient of an error that is constant: the loss's own lines, and nothing else."""
    ones, none = torch.ones(6000, dtype=torch.float64), torch.zeros(6000, dtype=torch.float64)
    g = stft_gradient(Resolution(512, 50, 240), ones, none).numpy()
    on, off = transform(g, 50, 600)
    level = 20 * np.log10(np.abs(on[1:26]) / np.abs(on[0]))
    assert f"{level.max():.1f}" == "-68.6"
    assert level.argmax() == 0
    assert np.abs(off).max() <= 1e-14 * np.abs(on).max()
    on, off = transform(stft_gradient(Resolution(1024, 256), ones, none).numpy(), 256, 1100)
    assert max(np.abs(on[1:]).max(), np.abs(off).max()) <= 1e-14 * np.abs(on[0])


def test_half_of_the_bins_have_the_same_envelope_in_the_mean() -> None:
    """The loss is xᵀQx: for white errors E g[n] e[n] is 2 Q[n, n], each bin's share of which is w²[n − mH]."""
    r = Resolution(16, 6, 12)
    eye, none = torch.eye(60, dtype=torch.float64), torch.zeros(60, dtype=torch.float64)
    diagonal = np.array([float(stft_gradient(r, row, none, onesided=True)[i]) for i, row in enumerate(eye)])
    E = envelope(torch.hann_window(12, dtype=torch.float64).numpy(), 6)[(np.arange(60) - r.start) % 6]
    assert np.abs(diagonal - 2 * 9 * E)[16:44].max() <= 1e-13 * diagonal.max()


def test_other_losses_of_the_same_frames_keep_the_positions() -> None:
    """L1 on logarithms of magnitudes, circular frames: over all shifts of signal and target, the variance of the
    gradient has lines at multiples of 1/hop and nowhere else; one draw has no such gap."""
    hop, time, w = 6, 120, torch.hann_window(16, dtype=torch.float64)
    x, target = normal(time), normal(time)
    draws, others = (torch.as_tensor(np.stack([np.roll(v, n) for n in range(time)])) for v in (x, target))
    places = (hop * torch.arange(time // hop)[:, None] + torch.arange(16)) % time
    logs = [torch.fft.rfft(v[:, places] * w).abs().log() for v in (draws.requires_grad_(), others)]
    (g,) = torch.autograd.grad((logs[0] - logs[1]).abs().sum(), draws)
    power = np.abs(np.fft.fft(g.square().mean(dim=0).numpy())) / time
    step = time // hop
    on, off = power[::step], np.delete(power, np.arange(hop) * step)
    assert off.max() <= 1e-13 * on.max()
    assert on.min() >= 1e-3 * on.max()
    one = np.abs(np.fft.fft(g[0].square().numpy()))
    assert np.delete(one, np.arange(hop) * step).max() > 0.1 * one.max()


def test_several_resolutions_add_up() -> None:
    """Parallel WaveGAN's three, as an L2 loss: every line of the sum, measured on the gradient of a constant error."""
    ones, none = torch.ones(7200, dtype=torch.float64), torch.zeros(7200, dtype=torch.float64)
    g = sum(stft_gradient(r, ones, none).numpy() for r in PARALLEL_WAVEGAN)
    on, off = transform(np.asarray(g), 1200, 1200)
    expected = np.zeros(601, complex)
    for line in multi_resolution_lines(PARALLEL_WAVEGAN):
        expected[int(line.freq * 1200)] = 2 * line.amplitude
    assert np.abs(on[:601] - expected).max() <= 1e-14 * np.abs(expected).max()
    assert np.abs(off).max() <= 1e-14 * np.abs(expected).max()


class Shuffled(nn.Module):
    """A linear discriminator with WaveGAN's phase shuffle after each layer, by drawn shifts."""

    def __init__(self, weights: list[Array], strides: list[int]) -> None:
        super().__init__()
        self.weights, self.strides = [torch.as_tensor(w) for w in weights], strides
        self.draw = [0] * len(weights)

    def forward(self, x: Tensor) -> Tensor:
        for w, s, d in zip(self.weights, self.strides, self.draw, strict=True):
            x = F.conv1d(x, w, stride=s)
            time = x.shape[-1]
            x = F.pad(x, (max(d, 0), max(-d, 0)), mode="reflect")[..., max(-d, 0) :][..., :time]
        return x


def test_phase_shuffle_by_all_its_draws() -> None:
    """The mean gradient over all draws is attenuated by the product; each draw keeps every level, and turns phases."""
    n, strides = 2, [4, 2]
    weights = [normal(3, 1, 9), normal(2, 3, 5)]
    module, x = Shuffled(weights, strides), torch.as_tensor(normal(1, 1, 500))
    layers = [Conv(w, stride=s) for w, s in zip(weights, strides, strict=True)]
    plain = amplitudes(gradient_lines(Chain(layers)))[0]
    chain = Chain([layers[0], PhaseShuffle(n), layers[1], PhaseShuffle(n)])
    seen = []
    for draw in itertools.product(range(-n, n + 1), repeat=2):
        module.draw = list(draw)
        on, off = transform(gradient(module, x)[0], 8, 120)
        seen.append(on[:5])
        turn = np.exp(2j * np.pi * np.arange(5) * 4 / 8 * draw[0])  # what stands at f is at 4f where it is shifted
        assert np.abs(on[:5] - plain * turn).max() <= 1e-13 * np.abs(plain).max()
        assert np.abs(np.abs(on[:5]) - np.abs(plain)).max() <= 1e-13 * np.abs(plain).max()
        assert np.abs(off).max() <= 1e-13 * np.abs(plain).max()
    lines = gradient_lines(chain)
    mean = np.mean(seen, axis=0)
    factors = [shuffle_attenuation(chain, line.freq) for line in lines]
    assert np.abs(mean - amplitudes(lines)[0]).max() <= 1e-13 * np.abs(plain).max()
    assert np.abs(mean - plain * factors).max() <= 1e-13 * np.abs(plain).max()
    assert factors == pytest.approx([1, 0.2, 1, 0.2, 1], rel=1e-14)
    assert factors[1] == phase_shuffle_attenuation(2, Fraction(1, 2))


def test_what_a_discriminator_knows_of_a_tone_after_a_shuffle() -> None:
    """Forwards: a tone's mean in the shuffled feature map, over all draws, is attenuated; at sr/s₁ it is not at all."""
    w = [normal(1, 1, 9)]
    for k in range(1, 8):
        tone = torch.as_tensor(np.exp(2j * np.pi * k * np.arange(800) / 16).real[None, None])
        module = Shuffled(w, [4])
        maps = []
        for d in range(-2, 3):
            module.draw = [d]
            maps.append(transform(module(tone).numpy()[0], 4, 8)[0][0])
        A, still = shuffle_attenuation(Chain([Conv(w[0], stride=4), PhaseShuffle(2)]), Fraction(k, 16)), maps[2]
        assert np.abs(np.mean(maps, axis=0) - A * still).max() <= 1e-13 * np.abs(still).max()
        assert (A == 1) == (k % 4 == 0)
