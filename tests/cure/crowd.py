"""What many networks say of lines that few of them have: the ratio of mean powers, which is what theory is of.

Theory has the mean power of a line over draws, and that of the floor. Where biases are stronger than the noise, a map
bends in few channels, those whose offset is next to its kink: a share of them in proportion to the amplitude of the
noise. So most networks have no line, loud ones have most of all lines, and five say little of either mean; nor is the
mean of their ratios the ratio of means, since the loud ones count for more in that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dspref.arrays import Array
from tests.cure.measured import places, powers, steady
from tests.cure.subjects import Subject, cure, made

SHARE = 20
"""Networks of one piece of work."""

RESAMPLES, OUTSIDE = 2000, 0.01
"""Of the bootstrap, and the share of them that an interval leaves out, half at either end."""


@dataclass(frozen=True)
class Layer:
    """The lines of one layer in many networks.

    Attributes
    ----------
    lines, floors : array (networks, lines)
        Power in the bins of the lines, and of the floors around.
    """

    lines: Array
    floors: Array

    @property
    def level(self) -> float:
        """The ratio of mean powers in dB, the mean over lines."""
        return float(_level(self.lines, self.floors))

    @property
    def interval(self) -> tuple[float, float]:
        """Where the level lies in 99 % of draws of as many networks, of those that there are.

        >>> constant = Layer(np.full((9, 2), 3.0), np.ones((9, 2)))
        >>> [round(x, 6) for x in (constant.level, *constant.interval)]
        [4.771213, 4.771213, 4.771213]
        """
        rng, n = np.random.default_rng(0), len(self.lines)
        levels = [_level(self.lines[at], self.floors[at]) for at in rng.integers(0, n, (RESAMPLES, n))]
        low, high = np.quantile(levels, (OUTSIDE / 2, 1 - OUTSIDE / 2))
        return float(low), float(high)

    @property
    def heights(self) -> Array:
        """The mean of the ratios in each network, in dB."""
        return np.asarray(10 * np.log10((self.lines / self.floors).mean(axis=1)))

    @property
    def quiet(self) -> Layer:
        """The half of the networks whose floors are lower."""
        return self._of(slice(None, len(self.lines) // 2))

    @property
    def loud(self) -> Layer:
        """The half whose floors are higher."""
        return self._of(slice(len(self.lines) // 2, None))

    def _of(self, part: slice) -> Layer:
        at = np.argsort(self.floors.mean(axis=1))[part]
        return Layer(self.lines[at], self.floors[at])


def _level(lines: Array, floors: Array) -> Array:
    return np.asarray(10 * np.log10((lines.mean(axis=0) / floors.mean(axis=0)).mean()))


def some(subject: Subject, first: int) -> list[list[list[list[float]]]]:
    """Return what a share of the networks shows, from the seed `first` on: by network, layer, line and floor."""
    return [[both.tolist() for both in _one(subject, seed)] for seed in range(first, first + SHARE)]


def _one(subject: Subject, seed: int) -> tuple[Array, ...]:
    module = made(subject, seed)
    cure(subject, module)
    return powers(steady(subject.row, module, seed), subject.row, places(subject.row))


def layers(shares: list[list[list[list[list[float]]]]]) -> tuple[Layer, ...]:
    """Return what all shares have shown, by layer."""
    networks = [network for share in shares for network in share]
    return tuple(Layer(*np.array(of).swapaxes(0, 1)) for of in zip(*networks, strict=True))
