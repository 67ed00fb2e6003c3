"""The spectrum to expect of one row of a sweep, as a measurement shows it: same bins, same window, same floors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array
from dspref.designs.windows import cosine_window
from dspref.expected.forecast import MADE, Forecast, NotPredicted, forecast
from dspref.expected.graph import Network
from dspref.expected.outlined import network_of
from dspref.expected.source import Source
from dspref.expected.spectrum import Expected
from dspref.expected.visible import lost
from dspref.spec import parse
from dspref.spectrum.measure import SEVEN_TERMS, AverageSpectrum
from torchparity.sweep_grid import Row
from torchparity.walked import walked

INPUTS: dict[str, Callable[[int], Source]] = {
    "noise": lambda channels: Source(channels, covariance=(1.0,)),
    "constant": lambda channels: Source(channels, constant=1.0),
}
"""What comes in: white noise of power 1, independent in the channels, or ones."""


@dataclass(frozen=True)
class Outlook:
    """What the theory says of an architecture: its network and the channels that it takes, or why there is none."""

    network: Network | None
    channels: int = 1
    why: str = ""

    def forecast(self, kind: str) -> tuple[Forecast | None, str]:
        """Return what is predicted for one of the `INPUTS`, and why nothing is if nothing is."""
        if self.network is None:
            return None, self.why
        try:
            found = forecast(self.network, INPUTS[kind](self.channels))
        except ValueError as error:
            return None, str(error)
        gap = found.not_predicted[0] if found.expected is None else None
        return (found, "") if gap is None else (None, f"{gap.where}: {gap.why}")


def outlook(row: Row, make: Callable[[], nn.Module], *, seed: int = 0) -> Outlook:
    """Return the network of a row before training: words say it, and of a target one draw is read.

    Parameters
    ----------
    row : Row
    make : function
        Makes a target's module.
    seed : int
        Of that draw.
    """
    try:
        if row.target:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                read = walked(make().eval())
            return Outlook(read.network, read.channels)
        bias = None if row.bias else 0
        net = network_of(parse(row.words), row.channels, init=row.init, scale=row.scale, bias=bias)
        return Outlook(net, row.channels[0])
    except ValueError as error:  # not covered, or no draws of mean zero: what was measured stands without it
        return Outlook(None, why=str(error))


def as_seen(found: Expected, size: int, *, resolution: float = 0.0) -> AverageSpectrum:
    """Return an expected spectrum in the bins of a measured one.

    ``E abs(c_b)² + B S(b/N)/N``, B the bins of noise that the window takes for one, ``N Σw²/(Σw)²``, and S the floor as
    that window shows it, ``Σ_τ r_τ ρ_τ e^{−j2πτb/N}``, ρ the autocorrelation of the window over Σw². The bins beside a
    line, which the window fills as well, are left out: no floor looks at them.

    Parameters
    ----------
    found : Expected
    size : int
        N, a multiple of the period of the lines.
    resolution : float
        Amplitude below which all is rounding, as of the measurement.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from dspref.expected import Drawn, expected_spectrum
    >>> up = Drawn("convt", 8, 8, 8, factor=4)
    >>> seen = as_seen(expected_spectrum([up], Source(8, 1.0, (1.0,))), 1 << 15)
    >>> round(seen.line(Fraction(1, 4)).height_db, 2)
    34.93
    """
    w = cosine_window(size, SEVEN_TERMS)
    rho = np.fft.irfft(np.abs(np.fft.rfft(w, 2 * size)) ** 2)[:size] / (w @ w)
    r = np.zeros(size)
    inside = found.lags < size
    lags, values = found.lags[inside], (found.covariance * rho[found.lags * inside])[inside]
    np.add.at(r, lags, values)
    np.add.at(r, -lags[lags > 0], values[lags > 0])
    power = np.maximum(np.fft.rfft(r).real, 0) * (w @ w) / w.sum() ** 2
    power[:: size // found.period] += _lines(found)
    return AverageSpectrum(power, size, found.period, 1, resolution)


def _lines(found: Expected) -> Array:
    """Return the power of each line k/P, k = 0 … P/2, rounding left out."""
    power = np.zeros(found.period // 2 + 1)
    gone = {comb.divisor for comb in lost(found)}
    for comb in reversed(found.combs):  # coarser combs last: a line belongs to the coarsest that has it
        k = slice(None, None, found.period // comb.divisor)
        own = np.full(power.size, comb.power) if found.lines is None else found.lines[: power.size]
        power[k] = 0.0 if comb.divisor in gone else own[k]
    return power


def remarks(found: Forecast, divisor: int) -> str:
    """Return what must be known of a level that is predicted for a comb, at multiples of sr/M."""
    return "; ".join(f"{gap.what}: {gap.why}" for gap in found.not_predicted if _concerns(gap, divisor))


def _concerns(gap: NotPredicted, divisor: int) -> bool:
    return gap.divisor is None or (gap.divisor == divisor and gap.why == MADE)
