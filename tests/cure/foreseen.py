"""What theory says of a cured decoder: its lines over their floor, before any of it is drawn.

The decoder is read by `torchparity.walked`, its transposed convolutions are made tone-free
(`dspref.expected.tone_free_network`), and `dspref.expected.forecast` has lines and floor. A bin that is measured shows
``|c|² + 1/N Σ_j b_j² S(ν + j/N)``, b_j the window's lobe, 1 in its middle; the floor is the median of the bins around.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array
from dspref.expected import Expected, Fixed, Network, Source, Unknown, forecast, tone_free_network
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
    noise : tuple of float
        Power of the noise in the bins of the lines over the floor around, the mean over lines.
    line : tuple of float or None
        That of the lines themselves; None where it is below the rounding of the theory.
    why : str
        Why nothing is predicted, or what is left out; "" where all is told.
    """

    noise: tuple[float, ...]
    line: tuple[float | None, ...]
    why: str = ""


def foreseen(subject: Subject, make: Callable[[], nn.Module]) -> Foreseen:
    """Return what theory says of a cured decoder that `make` draws."""
    torch.manual_seed(0)
    found = walked(Plain(subject.row, drawn(make)), channels=subject.row.channels)
    unknown = [node.name for node in found.network if isinstance(node.op, Unknown)]
    told = forecast(tone_free_network(_without(found.network)), Source(subject.row.channels, covariance=(1.0,)))
    if told.expected is None:
        return Foreseen((), (), f"{told.not_predicted[0].where}: {told.not_predicted[0].what}")
    x = told.expected
    least = 10 ** (-ROUNDING_DB / 10) * max(x.line(k) for k in range(subject.row.period))
    both = [_ratios(x, own, subject, least) for own in places(subject.row)]
    why = f"without what is not covered: {', '.join(unknown)}" if unknown else ""
    return Foreseen(tuple(noise for noise, _ in both), tuple(line for _, line in both), why)


def _without(net: Network) -> Network:
    """Return a network with silence in place of what theory does not cover: an LSTM, which a skip goes around."""
    silence = Fixed(np.zeros(1))
    nodes = (replace(n, op=silence, inputs=n.inputs[:1]) if isinstance(n.op, Unknown) else n for n in net)
    return Network(tuple(nodes))


def _ratios(x: Expected, own: tuple[int, ...], subject: Subject, least: float) -> tuple[float, float | None]:
    """Return noise and lines in the bins of the lines over their floors."""
    N, P = bins(subject.row), subject.row.period
    lines = np.array([x.line(k) for k in own])
    noise, floor = np.array([_bin(x, k / P, N) for k in own]).T
    line = None if lines.max() < least else float((np.maximum(lines, 0) / floor).mean())
    return float((noise / floor).mean()), line


def _bin(x: Expected, nu: float, N: int) -> tuple[float, float]:
    """Return the noise that a bin shows, and the floor around it."""
    lobe = np.array(SEVEN_TERMS) / SEVEN_TERMS[0] / 2
    b = np.concatenate([lobe[:0:-1], [1.0], lobe[1:]])
    j = np.arange(-(len(b) // 2), len(b) // 2 + 1)
    around = np.flatnonzero(RING) - len(RING) // 2
    noise: Array = x.floor(nu + np.concatenate([j, around]) / N)
    power = float((b**2).sum()) / N
    return float(b**2 @ noise[: len(b)]) / N, power * float(np.median(noise[len(b) :]))
