"""The eight networks, narrow, and what draws of them make of white noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array, as_integer
from dspref.expected.visible import HANN
from torchparity.calls import own_channels
from torchparity.known import network_named
from torchparity.models.eight.spectra import LINES, Seen, amplitude, averaged, floor_beside
from torchparity.models.fitted import Fitted
from torchparity.models.unet import STRIDE, UNet
from torchparity.signals import signal

MARGIN = 6
"""Periods at either end of an output that are not looked at: borders reach fewer."""

KEPT = 1 << 16
"""Samples of an output that are looked at."""

KEPT = 1 << 16
"""Samples of an output that are looked at."""


def network(name: str, *, lstm: bool = True, **sizes: Any) -> nn.Module:
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
    channels = next(m.out_channels for m in made.modules() if isinstance(m, nn.Conv1d))
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
    **sizes: Any,
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
    **sizes: Any,
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
        own = [np.mean(np.abs(amplitude(y, nu)) ** 2) for nu in LINES]
        tones.append(
            [p - HANN / samples * float(floor_beside(S[None], nu)[0]) for p, nu in zip(own, LINES, strict=True)]
        )
        density.append(S)
        progress(f"{name}, draw {seed + 1} of {draws}")
    return Seen(np.array(tones), np.array(density))
