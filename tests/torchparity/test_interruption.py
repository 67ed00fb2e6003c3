"""How fast work is done."""

from __future__ import annotations

import pytest

from torchparity import interruption
from torchparity.interruption import _Pace


def test_the_pace_is_that_of_what_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a ledger held does not count, and each piece of work has a pace of its own."""
    clock = iter([0.0, 10.0, 10.0, 12.0, 12.0, 12.0, 20.0, 20.0, 20.0])
    monkeypatch.setattr(interruption, "monotonic", lambda: next(clock))
    pace, reports = _Pace(), ((90, 100, "A"), (100, 100, "A"), (5, 100, "B"), (9, 100, "B"), (9, 400, ""))
    told = [pace(*report) for report in reports]
    assert told == ["0.0 a second, A", "5.0 a second, A", "0.0 a second, B", "0.5 a second, B", "0.0 a second"]
