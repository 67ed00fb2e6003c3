"""The spectra to expect of the eight networks before training, without their LSTMs."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from dspref.arrays import Array
from dspref.expected import Expected, Source, expected_spectrum
from dspref.expected.visible import DIGITS, HANN, seen_floor
from torchparity.calls import own_channels
from torchparity.known import network_named
from torchparity.models.eight.drawn import network
from torchparity.models.eight.spectra import OFFSET, N, floor_beside
from torchparity.models.fitted import Fitted
from torchparity.walked import walked


def foreseen(name: str, *, rescaled: bool = True, constant: float = 0.0, power: float = 1.0, **sizes: Any) -> Expected:
    """Return the spectrum to expect of draws fed with white noise; the LSTM is left out.

    Parameters
    ----------
    name, sizes :
        As of `response`.
    rescaled : bool
        Whether Demucs's rescaling has been applied to the weights; else they are as Torch draws them.
    constant, power : float
        Of the input in each channel: its mean, and the power of the noise.

    Examples
    --------
    >>> [(comb.divisor, round(comb.db, 1)) for comb in foreseen("modified-subpixel", depth=2).combs]
    [(1, -64.5), (4, -64.5), (16, -71.6)]
    """
    with torch.device("meta"):
        net = network(name, lstm=False, **sizes)
    inner = net.net if isinstance(net, Fitted) else net
    found = walked(inner, channels=own_channels(inner, 1), rescale=network_named(name).rescale if rescaled else None)
    return expected_spectrum(found.network, Source(found.channels, constant, (power,)))


def expected_level(found: Expected, nu: Fraction) -> float | None:
    """Return the level of the line at ν; None where there is none."""
    power = found.line(int(nu * found.period))
    return 10 * math.log10(power) if power > 0 else None


def expected_height(found: Expected, nu: Fraction) -> float:
    """Return H to expect of the line at ν."""
    S = float(floor_beside(_expected_density(found)[None], nu)[0])
    return 10 * math.log10(1 + found.line(int(nu * found.period)) * N / (HANN * S))


def expected_depth(found: Expected, nu: Fraction) -> float | None:
    """Return D to expect of the valley at ν; None where it is `DIGITS` deep: that is rounding."""
    S = _expected_density(found)
    share = float(S[int(nu * N)] / S[OFFSET : 1 - OFFSET].mean())
    return 10 * math.log10(share) if share > 10 ** (-DIGITS / 10) else None


def _expected_density(found: Expected) -> Array:
    return seen_floor(found, np.arange(N // 2 + 1) / N, size=N)
