"""A network that was read at one length, compared with that at another: what differs depends on the length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from dspref.expected.filters import Fixed
from dspref.expected.network import Drawn, Unknown
from torchparity.drafts import Draft, reached

RATIOS = (17, 5, 3, 1.5, 2)
"""Second lengths by the first: 17 and 5 keep what divides the first, and are no powers of two of it."""

BUDGET = 2**25
"""Most samples, of all places, that are read a second time, unless none of the larger ratios keeps to it."""

SLACK = 16
"""A layer may make this many samples more or fewer at an end, as paddings do that make frames whole; or 1/16 of all."""

WHY = "a step that depends on the length of the input"


@dataclass(frozen=True)
class _Form:
    """What a place does to what, sizes, names and ends apart: equal numbers `key`, if it is the same.

    `rate` are samples by those that come in; `own` are those by its inputs' samples, whose keys are `inputs`.
    """

    key: int
    rate: Fraction
    own: Fraction
    inputs: tuple[int, ...]


def others(time: int, size: int) -> Iterator[int]:
    """Yield other lengths to try, of an input of `time` samples that makes `size` in all places."""
    for ratio in RATIOS:
        if ratio * size <= BUDGET or ratio <= 2:
            yield int(ratio * time)


def compared(first: Draft, second: Draft) -> Draft:
    """Return the first output, but for steps that the second does not share: nothing is predicted behind those.

    Places are the same if they do the same to the same. With r the samples that a place makes of each that comes in,
    two lengths Δ apart make rΔ + d more; d is that of the place before, times what this one makes of its samples,
    up to 16 samples or rΔ/16: what else grows with the length, or does not, was no matter of ends.
    """
    ours, theirs = _forms(first), _forms(second)
    there = {form.key for form in theirs.values()}
    grown, last = _grown(ours, theirs), {form.key: x for x, form in ours.items()}
    fresh: dict[int, Draft] = {}
    refused = False
    for x, form in ours.items():
        inputs = tuple(fresh[id(each)] for each in x.inputs)
        fresh[id(x)] = replace(x, inputs=inputs)
        bad = (form.key not in there and there.issuperset(form.inputs)) or (form.key in grown and x is last[form.key])
        late = x is first and form.key != theirs[second].key and not refused
        if x.inputs and ((bad and not x.dark) or late):
            refused = True
            fresh[id(x)] = replace(fresh[id(x)], op=Unknown(WHY), kernel=None)
    return fresh[id(first)]


def _forms(output: Draft) -> dict[Draft, _Form]:
    found: dict[Draft, _Form] = {}
    for x in reached(output):
        before = [found[each] for each in x.inputs]
        plain, own = _plain(x.op), _own(x.op)
        if plain == Fixed(np.ones(1)):
            found[x] = before[0]
            continue
        kernel = x.kernel and (x.kernel.sources, x.kernel.start, x.kernel.order)
        keys = tuple(each.key for each in before)
        rate = own * before[0].rate if before else own
        found[x] = _Form(hash((plain, kernel, x.channels, keys)), rate, own, keys)
    return found


def _grown(ours: dict[Draft, _Form], theirs: dict[Draft, _Form]) -> set[int]:
    """Return the keys of places that make more or fewer samples than ends account for."""
    times, later = ({form.key: x.time for x, form in side.items()} for side in (ours, theirs))
    more = next(iter(theirs)).time - next(iter(ours)).time
    off: dict[int, Fraction] = {}
    found = set()
    for x, form in ours.items():
        if form.key in later and not x.dark and form.key not in off:
            off[form.key] = later[form.key] - times[form.key] - form.rate * more
            due = [off[key] * form.own for key in form.inputs if key in off] or [Fraction(0)]
            if min(abs(off[form.key] - each) for each in due) > max(Fraction(SLACK), form.rate * more / SLACK):
                found.add(form.key)
    return found


def _plain(op: Any) -> Any:
    """Return what is done away from the ends."""
    return replace(op, excess=0, edges="zeros") if isinstance(op, Fixed) else op


def _own(op: Any) -> Fraction:
    """Return samples made of each."""
    if isinstance(op, Fixed):
        return Fraction(op.factor, op.stride)
    if isinstance(op, Drawn):
        return Fraction(1, op.factor) if op.op == "conv" else Fraction(op.factor)
    return Fraction(1)
