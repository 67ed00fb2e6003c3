"""Layers with inputs, drawn stratum by stratum from the table in `tests.strata`."""

from __future__ import annotations

import dataclasses
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dspref import Conv, FilterInterp, Layer, Linear, Nearest, SubpixelConv, TransposedConv
from dspref.arrays import Array
from tests.strata import BASE, STRATA, Params, Stratum

Make: TypeAlias = Callable[[tuple[int, ...]], Array]

KINDS = tuple(STRATA)
QUIET = partial(settings, derandomize=True, deadline=None, database=None)


@dataclass(frozen=True)
class Case:
    """A layer, and an input for it."""

    kind: str
    layer: Any
    x: Array

    @property
    def time(self) -> int:
        """Samples of the input."""
        return int(self.x.shape[-1])

    def filled(self, make: Make) -> Case:
        """Return the same case with other numbers: `make` gives an array of a shape."""
        return Case(self.kind, changed(self.layer, lambda a: make(a.shape)), make(self.x.shape))

    def changed(self, change: Callable[[Array], Array]) -> Case:
        """Return the case with every array of it changed, the layer's and the input."""
        return Case(self.kind, changed(self.layer, change), change(self.x))


def changed(layer: Any, change: Callable[[Array], Array]) -> Any:
    """Return the layer with its arrays (weight, taps, bias) changed one by one."""
    fields = {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)}
    return dataclasses.replace(layer, **{k: change(v) for k, v in fields.items() if isinstance(v, np.ndarray)})


def integers(source: int) -> Make:
    """Return a maker of integers so small that sums are exact in every arithmetic."""
    rng = np.random.default_rng(source)
    return lambda shape: rng.integers(-4, 5, shape)


def make_layer(kind: str, p: Params, make: Make) -> Layer:
    """Return the layer that the parameters say, its numbers from `make`."""
    if kind == "nearest":
        return Nearest(p["factor"])
    if kind == "linear":
        return Linear(p["factor"], align_corners=p["align_corners"])
    if kind == "filter":
        shape = (p["taps"],) if p["rank"] == 1 else (p["outer"], p["channels"], p["taps"])
        return FilterInterp(p["factor"], make(shape), offset=p["offset"], excess=p["excess"])
    out = p["outer"] * (p["factor"] if kind == "shuffle" else p["groups"])
    fields = {k: p[k] for k in ("padding", "dilation", "groups")} | {"bias": make((out,)) if p["bias"] else None}
    if kind == "convt":
        weight = make((p["groups"] * p["inner"], p["outer"], p["taps"]))
        return TransposedConv(weight, stride=p["stride"], output_padding=p["output_padding"], **fields)
    weight, mode = make((out, p["inner"], p["taps"])), p["padding_mode"]
    if kind == "conv":
        return Conv(weight, stride=p["stride"], padding_mode=mode, **fields)
    return SubpixelConv(weight, p["factor"], padding_mode=mode, **fields)


Table: TypeAlias = Mapping[str, Mapping[str, Stratum]]


@st.composite
def cases(draw: st.DrawFn, kind: str, table: Table = STRATA, name: str | None = None) -> Case:
    """Draw a stratum of the kind, if none is named, then parameters that lie in it, then small integers."""
    rules = table[kind][name or draw(st.sampled_from(list(table[kind])))].rules
    p: Params = {}
    for parameter, rule in BASE[kind].items():
        p[parameter] = draw(st.sampled_from(list(rules.get(parameter, rule)(p))))
    make = integers(draw(st.integers(0, 2**32 - 1)))
    channels = p["channels"] if "channels" in p else p["groups"] * p["inner"]
    return Case(kind, make_layer(kind, p, make), make((*p["lead"], channels, p["time"])))


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
