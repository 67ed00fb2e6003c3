"""The article's eight networks fed with white noise: tones and valleys to expect before training, and those of draws.

A tone at ν of power abs(c)² over a floor of density S stands, in a spectrum of N samples under a Hann window, by

    H = 10 log₁₀(1 + abs(c)² N/(1.5 S(ν)))  dB

over it; a valley lies by ``D = 10 log₁₀(S(ν)/mean S)`` from the mean of the floor, S as that spectrum shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array, as_integer, frozen, set_field, value
from dspref.expected import Expected, Source, expected_spectrum
from dspref.expected.visible import HANN, seen_floor
from torchparity.calls import own_channels
from torchparity.known import network_named
from torchparity.models.fitted import Fitted
from torchparity.models.unet import STRIDE, UNet
from torchparity.signals import signal
from torchparity.walked import walked

N = 2048
"""Samples of the spectrum in which tones and valleys are looked for."""

LINES = (Fraction(1, 4), Fraction(1, 2))
"""Tones that are looked for, in cycles per output sample: 11 025 Hz is the first at 44.1 kHz, the second at 22.05."""

BESIDE = np.arange(4, 29)
"""How many bins from a tone its floor is looked at: lines at multiples of sr/64 leave 31 bins free."""

OFFSET = 3
"""Bins that an offset, at 0 Hz, reaches under a Hann window; the mean of the floor leaves them out."""

MARGIN = 6
"""Periods at either end of an output that are not looked at: borders reach fewer."""

KEPT = 1 << 16
"""Samples of an output that are looked at."""


@dataclass(frozen=True)
class Level:
    """A level in dB, and its standard error."""

    db: float
    error: float = 0.0

    def __sub__(self, other: Level) -> Level:
        """Return the difference of two independent levels."""
        return Level(self.db - other.db, math.hypot(self.error, other.error))


@value
class Seen:
    """What draws of a network show, each as a mean over the channels of its output; powers re the input's.

    Attributes
    ----------
    tones : array (draws, 2)
        abs(c)² at `LINES`, less what the floor adds on average: it may be negative.
    density : array (draws, N // 2 + 1)
        Averaged spectrum of N samples; white noise of power 1 has 1.
    """

    tones: Array
    density: Array

    def __post_init__(self) -> None:
        set_field(self, "tones", frozen(self.tones))
        set_field(self, "density", frozen(self.density))

    def level(self, line: int) -> Level | None:
        """Return the power of a tone; None where it is not twice its error over 0."""
        found = _ratio(self.tones[:, line], np.ones(len(self.tones)))
        return _decibels(*found) if found[0] > 2 * found[1] else None

    def height(self, line: int) -> Level:
        """Return H, by how much a tone stands over the floor."""
        R, error = _ratio(self.tones[:, line], _floor_beside(self.density, LINES[line]))
        return _decibels(max(1 + R * N / HANN, 0.5), error * N / HANN)

    def depth(self, line: int) -> Level:
        """Return D, how far from the mean of the floor it lies at a tone's place."""
        own = self.density[:, int(LINES[line] * N)]
        return _decibels(*_ratio(own, self.density[:, OFFSET : 1 - OFFSET].mean(axis=1)))


def network(name: str, *, lstm: bool = True, **sizes: int) -> nn.Module:
    """Return one of `torchparity.known.EIGHT`, narrow unless `sizes` say otherwise, of Torch's random numbers.

    Without LSTM it is what theory covers: the middle then passes on its input alone, as the skip around it does.

    Examples
    --------
    >>> network("demucs", lstm=False, channels=2, depth=2)(torch.zeros(1, 2, 100)).shape
    torch.Size([1, 8, 100])
    """
    made = network_named(name).small_factory(**sizes)
    if lstm or not isinstance(made, Fitted):
        return made
    if isinstance(made.net, UNet):
        made.net.recurrent = None
        return made
    channels = made.net.encoder[0][0].out_channels
    return Fitted(UNet(channels=channels, depth=made.net.depth))


def period(net: nn.Module) -> int:
    """Return the period of its lines in output samples: the product of its factors."""
    if isinstance(net, Fitted):
        return int(STRIDE**net.net.depth)
    return math.prod(m.stride[0] for m in net.modules() if isinstance(m, nn.ConvTranspose1d))


def response(
    name: str,
    seed: int,
    *,
    samples: int = KEPT,
    lstm: bool = True,
    double: bool = False,
    aligned: bool = False,
    **sizes: int,
) -> Array:
    """Return what a draw makes of white noise, (channels, samples), far from borders.

    Parameters
    ----------
    name : one of `torchparity.known.EIGHT`
    seed : int
        Of the draw, and of the noise.
    samples : int
    lstm : bool
    double : bool
        Whether to compute in double precision: valleys of linear interpolation are deeper than single rounds.
    aligned : bool
        Whether linear interpolation aligns corners: its T samples then are 4T at n (T − 1)/(4T − 1), not at n/4.
    sizes : int
        As ``channels=16, depth=6``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(as_integer("seed", seed, 0))
        net = network(name, lstm=lstm, **sizes).eval()
    for each in (m for m in net.modules() if aligned and isinstance(m, nn.Upsample)):
        each.align_corners = True
    dtype = torch.float64 if double else torch.float32
    P = period(net)
    rate = 1 if isinstance(net, Fitted) else P
    length = -(-(samples + 2 * MARGIN * P) // rate)
    x = signal("noise", (1, own_channels(net, 1), length), seed)
    with torch.no_grad():
        y = net.to(dtype)(x.to(dtype))[0, :, MARGIN * P :][:, :samples]
    return np.asarray(y.double().numpy())


def seen(
    name: str,
    *,
    draws: int,
    samples: int = KEPT,
    lstm: bool = True,
    double: bool = False,
    progress: Callable[[str], None] = lambda words: None,
    **sizes: int,
) -> Seen:
    """Return what draws of a network show, of seeds from 0 on.

    Parameters
    ----------
    name, samples, lstm, double, sizes :
        As of `response`.
    draws : int
        At least two.
    progress : function
        Told a word whenever a draw is done.

    Examples
    --------
    >>> found = seen("demucs-like-transposed", draws=4, samples=4096, channels=4, depth=2)
    >>> found.height(0).db > 10
    True
    """
    tones, density = [], []
    for seed in range(as_integer("draws", draws, 2, "the standard error needs two")):
        y = response(name, seed, samples=samples, lstm=lstm, double=double, **sizes)
        S = averaged(y)
        own = [np.mean(np.abs(_amplitude(y, nu)) ** 2) for nu in LINES]
        tones.append(
            [p - HANN / samples * float(_floor_beside(S[None], nu)[0]) for p, nu in zip(own, LINES, strict=True)]
        )
        density.append(S)
        progress(f"{name}, draw {seed + 1} of {draws}")
    return Seen(np.array(tones), np.array(density))


def averaged(y: Array) -> Array:
    """Return the spectral density, (N // 2 + 1,), of Hann frames of N samples, overlapping by half; of all channels.

    Examples
    --------
    >>> y = np.random.default_rng(0).standard_normal((1, 1 << 16))
    >>> round(float(averaged(y).mean()), 1)
    1.0
    """
    w = 1 - np.cos(2 * np.pi * np.arange(N) / N)
    frames = np.lib.stride_tricks.sliding_window_view(y, N, axis=-1)[..., :: N // 2, :]
    return np.asarray((np.abs(np.fft.rfft(frames * w)) ** 2).mean(axis=(0, 1)) / (w @ w))


def foreseen(name: str, *, rescaled: bool = True, **sizes: int) -> Expected:
    """Return the spectrum to expect of draws fed with white noise of power 1 in each channel; the LSTM is left out.

    Parameters
    ----------
    name, sizes :
        As of `response`.
    rescaled : bool
        Whether Demucs's rescaling has been applied to the weights; else they are as Torch draws them.

    Examples
    --------
    >>> [(comb.divisor, round(comb.db, 1)) for comb in foreseen("modified-subpixel", depth=2).combs]
    [(1, -64.5), (4, -64.5), (16, -71.6)]
    """
    with torch.device("meta"):
        net = network(name, lstm=False, **sizes)
    inner = net.net if isinstance(net, Fitted) else net
    found = walked(inner, channels=own_channels(inner, 1), rescale=network_named(name).rescale if rescaled else None)
    return expected_spectrum(found.network, Source(found.channels, covariance=(1.0,)))


def expected_level(found: Expected, line: int) -> float | None:
    """Return the level of a tone; None where there is none."""
    power = found.line(int(LINES[line] * found.period))
    return 10 * math.log10(power) if power > 0 else None


def expected_height(found: Expected, line: int) -> float:
    """Return H to expect of a tone."""
    power, nu = found.line(int(LINES[line] * found.period)), LINES[line]
    S = _floor_beside(_expected_density(found)[None], nu)[0]
    return 10 * math.log10(1 + power * N / (HANN * float(S)))


def expected_depth(found: Expected, line: int) -> float:
    """Return D to expect of a valley."""
    S = _expected_density(found)
    return 10 * math.log10(S[int(LINES[line] * N)] / S[OFFSET : 1 - OFFSET].mean())


def _expected_density(found: Expected) -> Array:
    return seen_floor(found, np.arange(N // 2 + 1) / N, size=N)


def _floor_beside(density: Array, nu: Fraction) -> Array:
    """Return the mean density beside a tone, one for each draw: (draws, N // 2 + 1) ↦ (draws,)."""
    k = int(nu * N)
    bins = np.concatenate((k - BESIDE, k + BESIDE))
    return np.asarray(density[:, bins[bins <= N // 2]].mean(axis=1))


def _amplitude(y: Array, nu: Fraction) -> Array:
    """Return c at ν, one for each channel: ``Σ w[n] y[n] e^{−j2πνn} / Σ w[n]`` with a Hann window."""
    n = np.arange(y.shape[-1])
    w = 1 - np.cos(2 * np.pi * n / n.size)
    turns = np.exp(-2j * np.pi * np.arange(nu.denominator) * float(nu))[n % nu.denominator]
    return np.asarray(y @ (w * turns) / w.sum())


def _ratio(a: Array, b: Array) -> tuple[float, float]:
    """Return the ratio of two means over draws, and its standard error: that of the mean of a − R b, over b's."""
    R = float(a.mean() / b.mean())
    return R, float((a - R * b).std(ddof=1) / math.sqrt(len(a)) / b.mean())


def _decibels(power: float, error: float) -> Level:
    return Level(10 * math.log10(power), 10 / math.log(10) * error / power)
