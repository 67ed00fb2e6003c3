"""Is theory right where most networks have no line? ``python -m tests.cure.crowd NAME NETWORKS FILE``.

Theory has the mean power of a line over draws, and that of the floor. Where biases are louder than the noise, few
networks have lines (claim UA-T31), and where networks differ in loudness, the loud ones are most of both means: five
draws know neither, and the mean of their ratios is not the ratio of the means. This draws many networks of a decoder,
and compares that. How many there are in effect, ``(Σ x)²/Σ x²`` of powers x, says how much it is worth: a handful of
loud ones may be all.

What each network has shown is remembered in the file, so that a run that was broken off goes on. Seeds are none of
those that the campaign draws.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dspref.arrays import Array, as_choice, as_integer
from tests.cure.foreseen import Foreseen, foreseen
from tests.cure.ledgered import cure
from tests.cure.measured import places, powers, steady
from tests.cure.subjects import SUBJECTS, Subject, made
from torchparity.interruption import progress
from torchparity.ledger import ledger

FIRST = 1000
"""Seed of the first network."""

WORKERS = 2

RESAMPLES, TAIL = 2000, 0.025
"""Of the bootstrap, and what its interval leaves out at either end. It is short where few networks have most power."""

OVER_DB = 3.0
"""What a line stands over its floor by."""

HEAD = (
    "layer  over 3 dB  mean of ratios  ratio of means          95 %  theory  in effect: lines, floors\n"
    "       quiet loud     quiet loud\n"
)

Numbers = list[list[list[float]]]
"""Of a network: line and floor of each line of each layer."""


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
        return _db((self.lines.mean(axis=0) / self.floors.mean(axis=0)).mean())

    @property
    def heights(self) -> Array:
        """The ratio in each network, the mean over lines."""
        return np.asarray((self.lines / self.floors).mean(axis=1))

    @property
    def interval(self) -> tuple[float, float]:
        """Where the level lies in 95 % of as many networks that are drawn of these (bootstrap)."""
        rng, n = np.random.default_rng(0), len(self.lines)
        levels = [self.at(drawn).level for drawn in rng.integers(0, n, (RESAMPLES, n))]
        low, high = np.quantile(levels, (TAIL, 1 - TAIL))
        return float(low), float(high)

    @property
    def effective(self) -> tuple[float, float]:
        """How many networks as loud as each other would be as many, of lines and of floors."""
        lines, floors = (x.sum() ** 2 / (x**2).sum() for x in (self.lines.mean(axis=1), self.floors.mean(axis=1)))
        return float(lines), float(floors)

    @property
    def halves(self) -> tuple[Layer, Layer]:
        """The networks whose floors are lower, and those whose are higher."""
        order = np.argsort(self.floors.mean(axis=1))
        quiet, loud = np.array_split(order, 2)
        return self.at(quiet), self.at(loud)

    def at(self, networks: Array) -> Layer:
        """Return some of the networks."""
        return Layer(self.lines[networks], self.floors[networks])


def named(name: str) -> Subject:
    """Return a decoder of the campaign; refuse a name that none has."""
    found = {each.name: each for each in SUBJECTS}
    return found[as_choice("decoder", name, tuple(found))]


def seen(name: str, seed: int) -> Numbers:
    """Return what a cured network of a seed shows of its lines."""
    subject = named(name)
    module = made(subject, seed)
    cure(subject, module)
    return [found.T.tolist() for found in powers(steady(subject.row, module, seed), subject.row, places(subject.row))]


def layers(networks: list[Numbers]) -> tuple[Layer, ...]:
    """Return what all have shown, by layer."""
    return tuple(Layer(*np.array(layer).transpose(2, 0, 1)) for layer in zip(*networks, strict=True))


def crowd(name: str, networks: int, file: Path) -> tuple[Layer, ...]:
    """Return the layers of so many networks, of those in the file as far as there are."""
    with ledger(file, {"work": "crowd", "subject": name, "first": FIRST}) as book, progress("networks") as show:
        due = sorted(set(range(networks)) - book.done)
        with ProcessPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for i, found in zip(due, pool.map(seen, [name] * len(due), [FIRST + i for i in due]), strict=True):
                book.add(i, found)
                show(len(book.done), networks, name)
        return layers([found for i, found in book.results() if i < networks])


def rows(found: tuple[Layer, ...], told: Foreseen) -> Iterator[str]:
    """Yield a line of the table for each layer."""
    for i, (layer, noise, line) in enumerate(zip(found, told.noise, told.line, strict=True), 1):
        over = " ".join(f"{100 * (half.heights > 10 ** (OVER_DB / 10)).mean():3.0f} %" for half in layer.halves)
        ratios = " ".join(f"{_db(half.heights.mean()):5.1f}" for half in layer.halves)
        low, high = layer.interval
        lines, floors = layer.effective
        numbers = f"{layer.level:5.2f}  {low:6.2f} … {high:5.2f}  {_db(noise + line):6.2f}  {lines:5.1f}, {floors:5.1f}"
        yield f"{i:5}  {over}  {ratios} {_db(layer.heights.mean()):6.2f}  {numbers}"


def _db(ratio: Any) -> float:
    return float(10 * np.log10(ratio))


def main(name: str, networks: str, file: str) -> None:
    """Draw the networks, and print the table."""
    subject, count = named(name), as_integer("networks", int(networks), 1)
    table = rows(crowd(name, count, Path(file)), foreseen(subject))
    sys.stdout.write(HEAD + "\n".join(table) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
