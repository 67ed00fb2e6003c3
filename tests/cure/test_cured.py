"""Real decoders before and after `tone_free_`: ``python -m tests cure``, which writes docs/validation/tone_free.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dspref.provenance import commit
from tests.cure.ledgered import Cured, campaign, every
from tests.cure.measured import places
from tests.cure.record import OVER, STANDS_DB, beyond, strongest, verdict, write
from tests.cure.subjects import SUBJECTS
from torchparity.interruption import progress
from torchparity.validation import versions


@pytest.fixture(scope="module")
def cured(request: pytest.FixtureRequest) -> Iterator[tuple[Cured, ...]]:
    """Make or resume the campaign; it is written down at the end, whatever the tests say."""
    if missing := [subject.row.absent for subject in SUBJECTS if subject.row.absent]:
        pytest.fail("; ".join(missing))
    folder = request.config.getoption("--resume")
    with progress("pieces") as show:
        found = campaign(folder and Path(folder), show)
    yield found
    record = request.config.getoption("--record")
    if record is not None:
        made = f"{', '.join(f'{name} {number}' for name, number in versions('cpu').items())}; commit {commit()}."
        write(found, Path(record), made)


def test_every_upsampler_is_reached(cured: tuple[Cured, ...]) -> None:
    for each in cured:
        assert each.layers == len(places(each.subject.row)), each.subject.name
        assert each.not_reached == (), each.subject.name


def test_constants_make_constants(cured: tuple[Cured, ...], show: Callable[[str], None]) -> None:
    for each in cured:
        assert min(seen.flat for seen in each.before) > 1e-3, each.subject.name
        show(f"{each.subject.name}: {max(seen.flat for seen in each.after):.1e}")
        assert not beyond(each.after), each.subject.name
        assert min(seen.periods for seen in each.after) >= 4, each.subject.name


NOT_PREDICTED = [("VITS's, an eighth", 4)]
"""Of 4 channels whose offsets are loud, few networks make the mean (claim UA-T31); the record says what was found."""


def test_lines_are_gone_or_as_predicted(cured: tuple[Cured, ...], show: Callable[[str], None]) -> None:
    left = []
    for each, layer in every(cured):
        told = verdict(each, layer)
        show(f"{each.subject.name}, layer {layer + 1}: {told}, {strongest(each.after, layer).strongest:.1f} dB")
        left += [(each.subject.name, layer + 1)] if told == OVER else []
    assert left == NOT_PREDICTED, "layers whose lines are not predicted are not those that are known"


def test_before_there_were_lines(cured: tuple[Cured, ...]) -> None:
    for each, layer in every(cured):
        assert strongest(each.before, layer).strongest > STANDS_DB, (each.subject.name, layer + 1)
