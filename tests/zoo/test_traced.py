"""Real decoders of other packages, unmodified: what resamples in them is found, and is what their source says."""

from fractions import Fraction

import pytest

from tests.zoo.audited import made
from tests.zoo.row import Row
from tests.zoo.table import ZOO
from tests.zoo.traced import counted, hidden, traced, way
from torchparity.rates import Rates


@pytest.fixture(scope="module", params=ZOO, ids=lambda row: row.name)
def row(request: pytest.FixtureRequest) -> Row:
    """Return a decoder that is installed; the zoo's own suite wants all of them."""
    row: Row = request.param
    if row.absent:
        (pytest.fail if request.config.getoption("--zoo") else pytest.skip)(row.absent)
    return row


@pytest.fixture(scope="module")
def found(row: Row) -> Rates:
    return traced(row, made(row))


def test_chain_factor_and_grid_are_those_of_the_source(row: Row, found: Rates) -> None:
    assert way(found) == row.chain
    assert found.rate == row.factor
    assert found.grid == Fraction(1, row.period)
    assert found.chain.factor == row.period


def test_what_resamples_besides_is_found_and_is_not_in_the_chain(row: Row, found: Rates) -> None:
    """Pairs around BigVGAN's activations, Demucs's resampling, STFT and iSTFT of the hybrids."""
    assert counted(found.branches) == dict(row.branches)
    assert counted(r for r in found.resamplers if not r.net) == dict(row.inner)


def test_what_runs_out_of_sight_is_listed(row: Row, found: Rates) -> None:
    assert hidden(found) == dict(row.hidden)
