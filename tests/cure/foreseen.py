"""What theory says of a cured decoder: its lines over their floor, before any of it is drawn.

The decoder is read by `torchparity.walked`, its transposed convolutions are made tone-free
(`dspref.expected.tone_free_network`), and `dspref.expected.forecast` has lines and floor. A bin that is measured shows
``|c|² + 1/N Σ_j b_j² S(ν + j/N)``, b_j the window's lobe, 1 in its middle; the floor is the median of the bins around.
"""

from __future__ import annotations

from collections.abc import Collection, Set
from dataclasses import dataclass, replace

import numpy as np
import torch

from dspref.arrays import Array
from dspref.expected import (
    Expected,
    Fixed,
    Network,
    Node,
    Source,
    Unknown,
    expected_spectrum,
    forecast,
    tone_free_network,
)
from dspref.spectrum.measure import RING, SEVEN_TERMS
from tests.cure.measured import bins, places
from tests.cure.subjects import Plain, Subject, drawn
from torchparity.walked import walked

TRIES = 3
"""How often lines are computed, for noise that differs by `NUDGE`: what they differ by is rounding of the theory."""

NUDGE = 1e-9
"""Share of the variance of the noise: lines of theory change by no more than as many shares of themselves."""


@dataclass(frozen=True)
class Foreseen:
    """What is predicted of the lines of each layer.

    Attributes
    ----------
    noise : tuple of float
        Power of the noise in the bins of the lines over the floor around, the mean over lines.
    line : tuple of float
        That of the lines themselves.
    rounding : tuple of float
        By how much the lines of the theory may be rounding: what noise that is louder by `NUDGE` changes, and no less
        than half a last place of the constant, of which they are differences.
    why : str
        Why nothing is predicted, or what is left out; "" where all is told.
    """

    noise: tuple[float, ...]
    line: tuple[float, ...]
    rounding: tuple[float, ...]
    why: str = ""


def foreseen(subject: Subject, silent: Collection[str] = ()) -> Foreseen:
    """Return what theory says of a cured decoder, with branches that are silent: names of modules."""
    torch.manual_seed(0)
    found = walked(Plain(subject.row, drawn(subject.row.make)), channels=subject.row.channels)
    unknown = [node.name for node in found.network if isinstance(node.op, Unknown)]
    net = tone_free_network(_without(found.network, {f"module.{name}" for name in silent}))
    told = forecast(net, Source(subject.row.channels, covariance=(1.0,)))
    if told.expected is None:
        return Foreseen((), (), (), f"{told.not_predicted[0].where}: {told.not_predicted[0].what}")
    noise = tuple(_noise(told.expected, own, subject) for own in places(subject.row))
    least = [_rounding(told.expected, own, subject) for own in places(subject.row)]
    lines = [_lines(told.expected, subject)]
    for i in range(1, TRIES):
        source = Source(subject.row.channels, covariance=(1 + i * NUDGE,))
        lines.append(_lines(expected_spectrum(net, source), subject))
    why = f"without what is not covered: {', '.join(unknown)}" if unknown else ""
    return Foreseen(noise, tuple(np.mean(lines, axis=0)), tuple(np.maximum(np.ptp(lines, axis=0), least)), why)


def _without(net: Network, silent: Set[str]) -> Network:
    """Return a network with silence in place of what theory does not cover: an LSTM, which a skip goes around.

    Branches that are silent are left out of their sums.
    """
    return Network(tuple(_heard(node, silent) for node in net))


def _heard(node: Node, silent: Set[str]) -> Node:
    if isinstance(node.op, Unknown):
        return replace(node, op=Fixed(np.zeros(1)), inputs=node.inputs[:1])
    left = tuple(name for name in node.inputs if name not in silent)
    if node.op != "sum" or left == node.inputs:
        return node
    return replace(node, op="sum" if len(left) > 1 else Fixed(np.ones(1)), inputs=left)


def _noise(x: Expected, own: tuple[int, ...], subject: Subject) -> float:
    """Return noise in the bins of the lines over their floors."""
    noise, floor = np.array([_bin(x, k / subject.row.period, bins(subject.row)) for k in own]).T
    return float((np.maximum(noise, 0) / floor).mean())


def _lines(x: Expected, subject: Subject) -> list[float]:
    """Return the power of each layer's lines over their floors."""
    return [_line(x, own, subject) for own in places(subject.row)]


def _line(x: Expected, own: tuple[int, ...], subject: Subject) -> float:
    floor = np.array([_bin(x, k / subject.row.period, bins(subject.row))[1] for k in own])
    return float((np.maximum([x.line(k) for k in own], 0) / floor).mean())


def _rounding(x: Expected, own: tuple[int, ...], subject: Subject) -> float:
    """Return half a last place of the constant over the floors: lines are differences of moments of its size."""
    floor = np.array([_bin(x, k / subject.row.period, bins(subject.row))[1] for k in own])
    return float((np.finfo(float).eps / 2 * x.line(0) / floor).mean())


def _bin(x: Expected, nu: float, N: int) -> tuple[float, float]:
    """Return the noise that a bin shows, and the floor around it."""
    lobe = np.array(SEVEN_TERMS) / SEVEN_TERMS[0] / 2
    b = np.concatenate([lobe[:0:-1], [1.0], lobe[1:]])
    j = np.arange(-(len(b) // 2), len(b) // 2 + 1)
    around = np.flatnonzero(RING) - len(RING) // 2
    noise: Array = x.floor(nu + np.concatenate([j, around]) / N)
    power = float((b**2).sum()) / N
    middle = np.sort(noise[len(b) :])[len(around) // 2]  # the upper one of two, as of what is measured
    return float(b**2 @ noise[: len(b)]) / N, power * float(middle)
