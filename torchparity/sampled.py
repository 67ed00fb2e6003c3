"""What random initialisations of a network show: power of each comb of lines, and the noise floor, with errors.

The slow way to an expected spectrum: draw networks, feed each, measure its steady state, average.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Unpack

import numpy as np

from dspref.arrays import Array, NotAnalysable, as_integer, complaint
from torchparity.arithmetic import unit
from torchparity.comblines import Combs, Moments
from torchparity.experiment import Experiment, Factory, Options, prepared
from torchparity.ledger import Ledger, ledger
from torchparity.pieces import at_work

HANN = 1.5
"""Noise bandwidth of the Hann window, in bins: N Σ w² / (Σ w)²."""


@dataclass(frozen=True)
class Estimate:
    """Means over draws, and their standard errors."""

    mean: Array
    error: Array

    def db(self, *, least: float = 0.0) -> tuple[tuple[float, float] | None, ...]:
        """Return level and standard error in dB re power 1.

        None where the mean is not over `least`, or not twice its error over 0: nothing was seen then.

        Examples
        --------
        >>> Estimate(np.array([10.0, 0.1]), np.array([np.log(10) / 2, 0.1])).db()
        ((10.0, 0.5), None)
        """
        return tuple(
            (10 * math.log10(m), float(10 / math.log(10) * e / m)) if m > max(2 * e, least) else None
            for m, e in zip(np.atleast_1d(self.mean), np.atleast_1d(self.error), strict=True)
        )


@dataclass(frozen=True)
class Sampled:
    """What the networks that were drawn show on average; powers re the input's, which is 1 in each channel.

    Attributes
    ----------
    count : int
        Draws.
    lines : Estimate
        Powers |c_k|² of the lines k/P, k = 0 … P/2, averaged over the channels of the output.
    levels : Estimate
        Their means over each comb of `combs`, from the offset (0 Hz) to the finest.
    floors : Estimate
        Density of the noise in equal bands of 0 … ½ cycles per sample: 1 for white noise of power 1.
    floor : Estimate
        Its mean: the power of the noise.
    """

    experiment: Experiment
    count: int
    lines: Estimate
    levels: Estimate
    floors: Estimate
    floor: Estimate

    @property
    def combs(self) -> Combs:
        """The combs."""
        return self.experiment.combs

    @property
    def resolution(self) -> float:
        """Power of a line that is taken for rounding: of an amplitude 8 units of roundoff times that of the output."""
        total = float(self.combs.total(self.lines.mean) + self.floor.mean[0])
        return (8 * unit(self.experiment.dtype)) ** 2 * total

    def heights(self, N: int) -> Estimate:
        """Return by how much each line stands over the floor in a spectrum of N samples under a Hann window.

        The window's noise bandwidth is 1.5 bins: a line of power |c|² over a floor of density S stands |c|² N / (1.5 S)
        high. Errors are those of the line and of the floor, as if they were independent.

        Raises
        ------
        NotAnalysable
            If the input has no noise.
        """
        if not self.experiment.noisy:
            raise NotAnalysable(complaint("floor", "none", "an input with noise"))
        mean = self.lines.mean / self.floor.mean * N / HANN
        error = np.hypot(self.lines.error, self.lines.mean * self.floor.error / self.floor.mean)
        return Estimate(mean, error / self.floor.mean * N / HANN)

    def to_text(self) -> str:
        """Return a table: a row for each comb, and the floor."""
        rows = zip(self.combs.divisors, self.levels.db(least=self.resolution), strict=True)
        told = [(f"comb sr/{M}" if M > 1 else "offset", level) for M, level in rows]
        told += [("floor", self.floor.db()[0])] if self.experiment.noisy else []
        words = [f"{name:<12} {_level(level)}" for name, level in told]
        return "\n".join([f"{self.count} draws, input {'+'.join(self.experiment.inputs)}", *words])


def _level(level: tuple[float, float] | None) -> str:
    return "none seen" if level is None else f"{level[0]:8.2f} dB ± {level[1]:.2f}"


def sampled(
    factory: Factory,
    factors: Sequence[int],
    *,
    draws: int = 100,
    jobs: int | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, due: None,
    chunk: int = 10,
    **options: Unpack[Options],
) -> Sampled:
    """Draw networks, and return the mean power of their lines and floor, in steady state.

    The result depends on the networks and on the options alone: not on the number of processes, or on how often the
    work was broken off and resumed.

    Parameters
    ----------
    factory : function
        Makes a network (batch, channel, time) ↦ (batch, channel, time) from Torch's random numbers. For several
        processes it must be one that joblib can send.
    factors : sequence of int
        By which its layers raise the rate, from input to output; their product P is the period of its lines.
    draws : int
        Networks, at least two. Their channels of output are averaged: of a network that has many, fewer will do.
    jobs : int, optional
        Processes; by default as ``joblib.parallel_config`` says, else one.
    resume : path, optional
        A file that remembers finished pieces; what it holds is not done again.
    progress : function (int, int)
        Told how many draws are done, and due, whenever a piece is done and remembered. What it raises ends the work.
    chunk : int
        Draws in a piece.
    inputs : str
        One or more of `torchparity.experiment.INPUTS`, with + between; "white" by default.
    channels : int, optional
        Of the input; by default those that the first convolution asks for.
    periods, records : int
        Length of a record of noise in periods P (three, or as many as make 1024 samples), and records per network (4).
        In each draw a line is uncertain by about the density of the floor over periods · P.
    bands : int
        Into which the floor is averaged (1).
    seed : int
    dtype : {'float64', 'float32'}
    step : int, optional
        Input samples that make one period of the output; found, where not given, from the shapes of the output.
    covariance : tuple of float
        Autocovariance of "coloured" input at lags 0, 1, …, zero beyond.
    **options
        Of what is fed and measured: `torchparity.experiment.Options`.

    Returns
    -------
    Sampled
        Powers, with standard errors.

    Raises
    ------
    ValueError
        If an option is not one of those allowed, or the file at `resume` holds other work.
    NotAnalysable
        If the network refuses its input, answers with something else than samples, or has no steady state.

    Examples
    --------
    >>> from torch import nn
    >>> made = sampled(lambda: nn.ConvTranspose1d(1, 1, 4, 2, bias=False), [2], draws=50, inputs="ones")
    >>> print(made.to_text())
    50 draws, input ones
    offset         -11.12 dB ± 0.79
    comb sr/2      -11.52 dB ± 0.81
    """
    as_integer("draws", draws, 2, "the standard error needs two")
    as_integer("chunk", chunk, 1)
    made = prepared(factory, factors, **options)
    header = made.header() | {"draws": draws, "chunk": chunk} if resume is not None else {}
    with ledger(resume, header) if resume is not None else nullcontext() as book:
        return _estimates(made, _all(made, draws, chunk, jobs, book, progress))


def _all(
    made: Experiment,
    draws: int,
    chunk: int,
    jobs: int | None,
    book: Ledger | None,
    progress: Callable[[int, int], None],
) -> Moments:
    """Return the moments of all draws, added in the order of their numbers."""
    spans = {p: range(p * chunk, min((p + 1) * chunk, draws)) for p in range(-(-draws // chunk))}
    parts = {piece: _read(result) for piece, result in book.results()} if book is not None else {}
    progress(sum(m.count for m in parts.values()), draws)
    with at_work(partial(_piece, made, spans), [p for p in spans if p not in parts], jobs) as pieces:
        for done in pieces:
            if book is not None:
                book.add(done.piece, done.result)
            parts[done.piece] = _read(done.result)
            progress(sum(m.count for m in parts.values()), draws)
    total = parts[0]
    for piece in range(1, len(spans)):
        total += parts[piece]
    return total


def _piece(made: Experiment, spans: dict[int, range], piece: int) -> list[Any]:
    """Return count, means and scatter of a piece, as plain data."""
    found = Moments.of([made.draw(i) for i in spans[piece]])
    return [found.count, found.mean.tolist(), found.scatter.tolist()]


def _read(result: list[Any]) -> Moments:
    return Moments(result[0], np.array(result[1]), np.array(result[2]))


def _estimates(made: Experiment, found: Moments) -> Sampled:
    """Name the parts of what `Experiment.draw` puts together."""
    sizes = [made.combs.period // 2 + 1, len(made.combs.divisors), made.bands]
    ends = [0, *np.cumsum(sizes), None]
    parts = [Estimate(found.mean[a:b], found.error[a:b]) for a, b in pairwise(ends)]
    return Sampled(made, found.count, *parts)
