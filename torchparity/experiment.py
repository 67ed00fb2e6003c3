"""An experiment on random networks: how each is drawn, fed, and measured in its steady state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from importlib.metadata import version
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, complaint
from dspref.expected.source import Source
from torchparity.calls import own_channels
from torchparity.comblines import Combs, band_sizes, floor_densities, line_powers
from torchparity.reach import borders, rate_of
from torchparity.spine import run

INPUTS = ("ones", "white", "mono", "coloured")
"""Kinds of input, each of power 1 in every channel: a constant; white Gaussian noise, independent in the channels;
the same white Gaussian noise in all of them; and Gaussian noise of a given autocovariance, independent in the channels.
"ones+white" is their sum."""

DTYPES = ("float64", "float32")

SAMPLES = 1024
"""Least length of a record of noise, where none is said."""

LOOKS = 3
"""Networks looked at to find how far borders reach: one alone may be dead where they would show."""

Factory = Callable[[], nn.Module]


@dataclass(frozen=True)
class Experiment:
    """How each network is drawn, fed and measured: one number, one draw, on any machine.

    `prepared` finds what is not said. Network i and its noise depend on `seed` and i alone.
    """

    factory: Factory = field(repr=False)
    combs: Combs
    inputs: tuple[str, ...]
    channels: int
    step: int
    periods: int
    records: int
    bands: int
    seed: int
    dtype: str
    margins: tuple[int, int]
    covariance: tuple[float, ...] = ()

    @property
    def noisy(self) -> bool:
        """Whether the input has noise."""
        return self.inputs != ("ones",)

    @property
    def samples(self) -> int:
        """Input samples of a record, borders included."""
        return self.step * (self.periods + math.ceil(sum(self.margins) / self.combs.period) + 1)

    def network(self, i: int) -> nn.Module:
        """Return network i, as `torch.manual_seed` makes it of a seed that depends on i alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed(i, 0))
            return self.factory().eval().to(getattr(torch, self.dtype))

    def input(self, i: int) -> Tensor:
        """Return the records (record, channel, time) that network i is fed with, in double precision."""
        generator = torch.Generator().manual_seed(self._seed(i, 1))
        shape = (self.records, self.channels, self.samples)
        x = torch.zeros(shape, dtype=torch.float64)
        for kind in self.inputs:
            if kind == "ones":
                x += 1
            elif kind == "coloured":
                x += coloured(shape, self.covariance, generator)
            else:
                wide = shape if kind == "white" else (self.records, 1, self.samples)
                x += torch.randn(wide, generator=generator, dtype=torch.float64)
        return x

    def steady(self, i: int) -> Array:
        """Return the steady part of the response of network i, (record, channel, periods · P)."""
        y = run(self.network(i), self.input(i).to(getattr(torch, self.dtype))).to(torch.float64).numpy()
        start, stop = self.margins[0], self.margins[0] + self.periods * self.combs.period
        if y.shape[-1] < stop:
            got = f"{y.shape[-1]} samples of {self.samples}"
            raise NotAnalysable(complaint("output", got, f"at least {stop}", "is step right?"))
        return y[..., start:stop]

    def draw(self, i: int) -> Array:
        """Return what network i shows: powers of the lines 0 … P/2, of the combs, and the floor in bands."""
        y = self.steady(i)
        lines = line_powers(y, self.combs.period)
        floors = floor_densities(y, self.bands) if self.noisy else np.zeros(self.bands)
        mean = np.average(floors, weights=band_sizes(y.shape[-1], self.bands))
        return np.concatenate([lines, self.combs.means(lines), floors, [mean]])

    def header(self) -> dict[str, Any]:
        """Return the experiment as plain data, with a digest of network 0 and the versions of what computes."""
        names = ["inputs", "channels", "step", "periods", "records", "bands", "seed", "dtype", "margins"]
        names += ["covariance"] if self.covariance else []
        plain = {n: list(v) if isinstance(v := getattr(self, n), tuple) else v for n in names}
        versions = {name: version(name) for name in ("dspref", "numpy", "torch")}
        return plain | {"factors": list(self.combs.factors), "network": _digest(self.network(0)), "versions": versions}

    def _seed(self, *words: int) -> int:
        return int(np.random.SeedSequence((self.seed, *words)).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Options(TypedDict, total=False):
    """What `prepared` may be told, by name."""

    inputs: str
    channels: int | None
    periods: int | None
    records: int
    bands: int
    seed: int
    dtype: str
    step: int | None
    covariance: tuple[float, ...]


def prepared(
    factory: Factory,
    factors: Sequence[int],
    *,
    inputs: str = "white",
    channels: int | None = None,
    periods: int | None = None,
    records: int = 4,
    bands: int = 1,
    seed: int = 0,
    dtype: str = "float64",
    step: int | None = None,
    covariance: tuple[float, ...] = (),
) -> Experiment:
    """Return the experiment, having looked how a few networks take their input and how far its borders reach.

    Parameters and errors are those of `torchparity.sampled.sampled`.

    Examples
    --------
    >>> made = prepared(lambda: nn.ConvTranspose1d(3, 1, 4, 2), [2], inputs="ones")
    >>> made.channels, made.step, made.margins, made.samples
    (3, 1, (2, 0), 3)
    """
    words = tuple(sorted((as_choice("input", word, INPUTS) for word in inputs.split("+")), key=INPUTS.index))
    if len(set(words)) < len(words):
        raise ValueError(complaint("input", inputs, f"some of {', '.join(INPUTS)}, each once, with + between"))
    if ("coloured" in words) != bool(covariance):
        allowed = "an autocovariance with coloured input, none without it"
        raise ValueError(complaint("covariance", f"{covariance} with {inputs}", allowed))
    combs, noisy = Combs(tuple(factors)), words != ("ones",)
    enough = max(3, -(-SAMPLES // combs.period))
    periods = enough if periods is None else as_integer("periods", periods, 3, "phases are averaged over")
    as_integer("records", records, 2, "lines are told from noise by comparing records")
    if as_integer("bands", bands, 1) > periods * combs.period / 2 and noisy:
        raise ValueError(complaint("bands", bands, f"at most half of {periods * combs.period} samples", "more periods"))
    as_choice("dtype", dtype, DTYPES)
    blank = Experiment(factory, combs, words, 1, 1, 1, 1, 1, as_integer("seed", seed, 0), "float64", (0, 0))
    net = blank.network(0)
    if list(net.parameters()) and _digest(net) == _digest(blank.network(1)):
        hint = "does it seed itself, or is it one module? Name what makes a new one of Torch's random numbers"
        raise ValueError(complaint("networks drawn", "the same one twice", "one anew each time", hint))
    width = own_channels(net, 1) if channels is None else as_integer("channels", channels, 1)
    if step is None:
        step = _step(rate_of(net, width, combs.period), combs.period)
    looks = [borders(blank.network(i), width, combs.period, as_integer("step", step, 1), seed=i) for i in range(LOOKS)]
    left, right = (max(side) for side in zip(*looks, strict=True))
    measured = (periods, records, bands) if noisy else (1, 1, 1)
    return Experiment(factory, combs, words, width, step, *measured, seed, dtype, (left, right), tuple(covariance))


def _digest(net: nn.Module) -> str:
    digest = blake2b(repr(net).encode(), digest_size=16)
    for name, tensor in net.state_dict().items():
        digest.update(name.encode() + np.asarray(tensor.numpy()).tobytes())
    return digest.hexdigest()


def coloured(shape: tuple[int, ...], covariance: Sequence[float], generator: torch.Generator) -> Tensor:
    """Return Gaussian noise (..., time) of an autocovariance r₀, …, r_q, zero beyond: exactly, in every record.

    White noise on a circle of N ≥ time + q samples is filtered by √S, ``S[i] = r₀ + 2 Σ_τ r_τ cos 2πiτ/N``: there its
    autocovariance is r_τ + r_{N−τ}, and no two of `time` samples in a row are N − q or more apart.

    Raises
    ------
    ValueError
        If it is none: its spectrum must be >= 0.

    Examples
    --------
    >>> coloured((2, 3), (1.0, 0.5), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3])
    """
    r = torch.tensor(Source(1, covariance=tuple(covariance)).covariance, dtype=torch.float64)
    N = shape[-1] + len(r) - 1
    S = (2 * torch.fft.rfft(r, N).real - r[0]).clamp(min=0)
    white = torch.randn((*shape[:-1], N), generator=generator, dtype=torch.float64)
    return torch.as_tensor(torch.fft.irfft(torch.fft.rfft(white) * S.sqrt(), N)[..., : shape[-1]])


def _step(rate: Fraction, period: int) -> int:
    if (period / rate).denominator > 1:
        allowed = f"one that makes {period} samples of a whole number"
        raise NotAnalysable(complaint("rate of the network", f"×{rate}", allowed, "are the factors right?"))
    return int(period / rate)
