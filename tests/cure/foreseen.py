"""What theory says of a cured decoder: its lines over their floor, before any of it is drawn.

The decoder is read by `torchparity.walked`, its transposed convolutions are made tone-free
(`dspref.expected.tone_free_network`), and `dspref.expected.forecast` has lines and floor. A bin of the measurement shows
``|c|² + 1/N Σ_j b_j² S(ν + j/N)``, b_j the window's lobe, 1 in its middle; the floor is the median of the bins around.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array
from dspref.expected import Expected, Source, forecast, tone_free_network
from dspref.spectrum.measure import RING, SEVEN_TERMS
from tests.cure.measured import bins, places
from tests.cure.subjects import Plain, Subject, drawn
from torchparity.walked import walked

ROUNDING_DB = 130.0
"""Lines so far under the strongest are rounding of the theory: `dspref.expected.expected_spectrum`."""


@dataclass(frozen=True)
class Foreseen:
    """What is predicted of the lines of each layer.

    Attributes
    ----------
    means : tuple of float or None
        dB, as `tests.cure.measured.Lines.mean`; None where that is below the rounding of the theory.
    why : str
        Why nothing is; "" where something is.
    """

    means: tuple[float | None, ...]
    why: str = ""


def foreseen(subject: Subject, make: Callable[[], nn.Module]) -> Foreseen:
    """Return what theory says of a cured decoder that `make` draws."""
    torch.manual_seed(0)
    found = walked(Plain(subject.row, drawn(make)), channels=subject.row.channels)
    source = Source(subject.row.channels, covariance=(subject.scale**2,))
    told = forecast(tone_free_network(found.network), source)
    if told.expected is None:
        return Foreseen((), f"{told.not_predicted[0].where}: {told.not_predicted[0].what}")
    x = told.expected
    strongest = max(x.line(k) for k in range(subject.row.period))
    least = 10 ** (-ROUNDING_DB / 10) * strongest
    return Foreseen(tuple(_mean(x, own, subject, least) for own in places(subject.row)))


def _mean(x: Expected, own: tuple[int, ...], subject: Subject, least: float) -> float | None:
    lines = np.array([x.line(k) for k in own])
    if lines.max() < least:
        return None
    N, P = bins(subject.row), subject.row.period
    own_noise, floor = np.array([_bin(x, k / P, N) for k in own]).T
    return float(10 * np.log10(((np.maximum(lines, 0) + own_noise) / floor).mean()))


def _bin(x: Expected, nu: float, N: int) -> tuple[float, float]:
    """Return the noise that a bin shows, and the floor around it."""
    lobe = np.array(SEVEN_TERMS) / SEVEN_TERMS[0] / 2
    b = np.concatenate([lobe[:0:-1], [1.0], lobe[1:]])
    j = np.arange(-(len(b) // 2), len(b) // 2 + 1)
    around = np.flatnonzero(RING) - len(RING) // 2
    noise: Array = x.floor(nu + np.concatenate([j, around]) / N)
    power = float((b**2).sum()) / N
    return float(b**2 @ noise[: len(b)]) / N, power * float(np.median(noise[len(b) :]))
