"""Real decoders measured: all that stands 10 dB over its floor is on the grid that the source says.

It runs in the zoo's own suite alone, ``python -m tests zoo``, which writes what it saw to docs/validation/zoo.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dspref.provenance import commit
from tests.zoo.audited import Audited, audited, made
from tests.zoo.measured import responses
from tests.zoo.record import write
from tests.zoo.row import Row
from tests.zoo.table import ZOO
from torchparity.validation import versions


@pytest.fixture(scope="module")
def book(request: pytest.FixtureRequest) -> Iterator[list[Audited]]:
    """Collect what is seen, and write it down at the end if that is asked for."""
    seen: list[Audited] = []
    yield seen
    folder = request.config.getoption("--record")
    if folder is not None:
        made = f"{', '.join(f'{name} {number}' for name, number in versions('cpu').items())}; commit {commit()}."
        write(seen, Path(folder), made)


@pytest.fixture(scope="module", params=ZOO, ids=lambda row: row.name)
def seen(request: pytest.FixtureRequest, book: list[Audited]) -> Audited:
    """Make, trace and measure a decoder."""
    row: Row = request.param
    if row.absent:
        pytest.fail(row.absent)
    book.append(audited(row))
    return book[-1]


def test_every_peak_is_on_the_grid(seen: Audited, show: Callable[[str], None]) -> None:
    show(seen.told)
    assert seen.constant.off_grid == ()
    assert seen.noise.off_grid == ()


def test_no_coarser_grid_explains_the_peaks(seen: Audited) -> None:
    """For each prime in the period some peak is at no multiple of that prime: the grid is no finer than it must be."""
    period = seen.row.period
    at = {round(p.freq * period) for r in (seen.constant, seen.noise) for p in r.peaks}
    coarser = [prime for prime in (2, 3, 5, 7) if period % prime == 0 and all(k % prime == 0 for k in at)]
    assert bool(coarser) == bool(seen.row.silent), (coarser, seen.row.silent)


def test_a_wrong_grid_is_seen() -> None:
    """Of lines at k/320, those alone whose k is a multiple of 5 are on a grid of 1/256."""
    row = next(row for row in ZOO if row.name == "transformers EnCodec 24k")
    constant, noise = responses(replace(row, period=256), made(row))
    assert not constant.repeats
    assert constant.off_grid
    assert noise.off_grid


def test_the_response_to_a_constant_repeats(seen: Audited) -> None:
    """All are time-invariant but for their resampling, except where the table says why not."""
    assert seen.constant.repeats == (not seen.row.drifts), seen.row.drifts
