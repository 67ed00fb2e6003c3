"""A real third-party decoder, unmodified, with random weights."""

import pytest

from tests.zoo.encodec import decoder
from torchparity.audit import Audit, audit


@pytest.fixture(scope="module")
def encodec() -> Audit:
    return audit(decoder, name="encodec", sr=24000)


def test_the_chain_is_found_under_weight_norm(encodec: Audit) -> None:
    chain = encodec.spine.chain
    assert [(stage.op, stage.length, stage.factor) for _, stage in chain.upsamplers] == [
        ("convt", 16, 8),
        ("convt", 10, 5),
        ("convt", 8, 4),
        ("convt", 4, 2),
    ]
    assert encodec.spine.rate == chain.factor == 320


def test_the_grid_is_75_hz_and_all_that_stands_is_on_it(encodec: Audit) -> None:
    assert encodec.lines[1].hz(24000) == 75
    for r in encodec.runs:
        assert len(r.peaks) >= 10
        assert r.off_grid == ()
    assert not [f for f in encodec.findings if f.level == "error"]


def test_nothing_that_resamples_is_undescribed(encodec: Audit) -> None:
    """Its LSTM is in no description, and keeps the rate."""
    assert encodec.spine.undescribed == ()
    assert encodec.spine.hidden == ()
