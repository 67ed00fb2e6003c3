"""What a check saw in drawn cases (`dspref.strategies`), stratum by stratum of the table in `dspref.strata`."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from dspref.corners import Case, Make, changed, make_layer, maker
from dspref.strata import STRATA, Stratum
from dspref.strategies import corner

__all__ = ["KINDS", "QUIET", "Case", "Make", "cases", "changed", "integers", "make_layer", "survey", "tabled"]

KINDS = tuple(STRATA)
QUIET = partial(settings, derandomize=True, deadline=None, database=None)
Table: TypeAlias = Mapping[str, Mapping[str, Stratum]]

integers = partial(maker, "integer")
"""Return a maker of integers so small that sums are exact in every arithmetic."""


def cases(kind: str, table: Table = STRATA, name: str | None = None) -> st.SearchStrategy[Case]:
    """Draw a stratum of the kind, if none is named, then a case that lies in it."""
    if name is not None:
        return corner(kind, table[kind][name])
    return st.sampled_from(list(table[kind])).flatmap(lambda name: corner(kind, table[kind][name]))


def survey(kind: str, examples: int, check: Callable[[Case], None], *, table: Table = STRATA) -> dict[str, int]:
    """Check drawn cases of a kind; return how many there were in all, and in each stratum.

    A case may lie in several strata. Fails if one stayed empty: a check that never saw a corner must not
    speak for it.
    """
    seen: Counter[str] = Counter()

    @QUIET(max_examples=examples)
    @given(cases(kind, table))
    def each(case: Case) -> None:
        seen["all"] += 1
        seen.update(name for name, stratum in table[kind].items() if stratum.holds(case.layer, case.x))
        check(case)

    each()
    counts = {name: seen[name] for name in ("all", *table[kind])}
    empty = [name for name, count in counts.items() if count == 0]
    assert not empty, f"strata of {kind} that no case reached: {empty}"
    assert counts["all"] >= examples, f"only {counts['all']} of {examples} cases of {kind} were drawn"
    return counts


def tabled(title: str, counts: Mapping[str, int]) -> str:
    """Return counts by stratum as lines of text."""
    strata = "; ".join(f"{name} {count}" for name, count in counts.items() if name != "all")
    return textwrap.fill(f"{title} {counts['all']} cases. {strata}", 100, subsequent_indent="    ")
