"""Expected spectra beside those of networks drawn: theory against the means of Monte Carlo.

``python -m tests expected`` compares all `torchparity.expected_rows`, and writes ``docs/validation/expected.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from dspref.arrays import Array
from dspref.expected import Expected, Forecast, expected_spectrum, forecast
from dspref.provenance import commit
from torchparity.comblines import band_of, band_sizes, both_sides
from torchparity.expected_record import Compared, Height, Line, N, Table
from torchparity.expected_rows import Row
from torchparity.sampled import HANN, Sampled, sampled
from torchparity.validation import versions
from torchparity.validation_record import slug

Progress = Callable[[str, int, int], None]


def quiet(name: str, done: int, due: int) -> None:
    """Say nothing of how far the draws of a network are."""


def drawn(row: Row, *, draws: int | None = None, folder: Path | None = None, progress: Progress = quiet) -> Sampled:
    """Return what draws of a network show.

    Parameters
    ----------
    row : Row
    draws : int, optional
        Instead of the row's own.
    folder : path, optional
        Where draws are remembered, so that work that was broken off goes on.
    progress : function of (name, done, due)
    """
    name = f"{row.name} {row.inputs}"
    return sampled(
        row.factory,
        row.factors,
        draws=row.draws if draws is None else draws,
        inputs=row.inputs,
        seed=1,
        resume=None if folder is None else folder / f"{slug(name)}.jsonl",
        progress=lambda done, due: progress(name, done, due),
        **row.options,
    )


def compared(row: Row, made: Sampled) -> Compared:
    """Return theory beside draws.

    Examples
    --------
    >>> from torchparity.expected_rows import rows
    >>> row = rows()[3]
    >>> [line.what for line in compared(row, drawn(row, draws=2)).lines]
    ['sr/1', 'sr/4', 'sr/16', 'sr/64']
    """
    begun = perf_counter()
    told = forecast(row.steps, row.source)
    seconds = perf_counter() - begun
    assert told.expected is not None, told.not_predicted
    lines = [*_combs(told, told.expected, made), *(_floors(told.expected, made) if made.experiment.noisy else ())]
    return Compared(row.name, row.inputs, made.count, tuple(lines), seconds)


def _combs(told: Forecast, found: Expected, made: Sampled) -> Iterator[Line]:
    theory = {comb.divisor: comb.db for comb in found.combs}
    least = {each.divisor: each.db for each in told.not_predicted}
    for M, level in zip(made.combs.divisors, made.levels.db(least=made.resolution), strict=True):
        seen, error = level or (None, None)
        yield Line(f"sr/{M}", theory.get(M), seen, error, least.get(M))


def _floors(found: Expected, made: Sampled) -> Iterator[Line]:
    seen, error = made.floor.db()[0] or (None, None)
    yield Line("floor", found.floor_db, seen, error)
    bands = made.experiment.bands
    levels = [level for level in made.floors.db() if level is not None]
    if bands > 1 and len(levels) == bands:
        density = band_densities(found, made.experiment.periods * made.combs.period, bands)
        mean, error = np.mean(levels, axis=0)  # bands of one draw go together: their errors do not average out
        yield Line("floor by band", float((10 * np.log10(density)).mean()), float(mean), float(error))


def band_densities(found: Expected, T: int, bands: int) -> Array:
    """Return the means of the floor over equal bands of 0 … ½, at the frequencies of a transform of T samples."""
    density = found.floor(np.arange(T // 2 + 1) / T)
    return np.asarray(np.bincount(band_of(T, bands), density * both_sides(T)) / band_sizes(T, bands))


def height_db(found: Expected, divisor: int) -> float:
    """Return by how much a spectrum of `N` samples under a Hann window shows a line, floor included, over the floor."""
    power = next(comb.power for comb in found.combs if comb.divisor == divisor)
    return 10 * math.log10(power / found.noise * N / HANN + 1)


def height(row: Row, made: Sampled) -> Height:
    """Return the tone at sr/4 of a network over its floor."""
    over, k = made.heights(N), made.combs.period // 4
    seen = float(over.mean[k]) + 1
    error = 10 / math.log(10) * float(over.error[k]) / seen
    theory = height_db(expected_spectrum(row.steps, row.source), 4)
    return Height(row.name, made.count, theory, 10 * math.log10(seen), error)


def table(rows: Sequence[Row], *, folder: Path | None = None, progress: Progress = quiet) -> Table:
    """Return all rows compared, each by its own number of draws."""
    pairs = [(row, drawn(row, folder=folder, progress=progress)) for row in rows]
    heights = tuple(height(*pair) for pair in pairs if pair[0].name.startswith("U-Net"))
    return Table(tuple(compared(*pair) for pair in pairs), heights, versions("cpu"), commit())
