"""What was moved where: tensors of numbers that say, of each sample, which sample of which place it is.

All that only moves samples (views, slices, padding, nearest interpolation, shuffles, concatenation) is done to the
numbers too. Away from borders, what it amounts to can be read off them:

    c′ = c + a, n′ = sn + o          a part of the channels, shifted, decimated
    c′ = c + a, n′ = ⌊(n + o)/L⌋     nearest interpolation
    c′ = cL + r or rC + c, r = (n + o) mod L, n′ = ⌊(n + o)/L⌋    a periodic shuffle
    nothing but at n = mL − o        zeros between samples
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from dspref.arrays import Array
from dspref.expected.filters import Fixed
from torchparity.drafts import Draft, Drafts

ZERO, OTHER = -1.0, -2.0
"""Numbers of samples that are zeros of padding, and those of anything else that is no signal."""

SHORTEST = 8
"""Samples that a pattern is read from, at least."""


def numbers(x: Draft) -> Tensor:
    """Return the numbers (channels, time) of a place; doubles, which padding takes, hold them exactly."""
    return torch.arange(x.base, x.base + x.size, dtype=torch.float64, device="cpu").reshape(x.channels, x.time)


def owners(ids: Tensor, places: Sequence[Draft]) -> Array:
    """Return the indices of the places that samples are from; −1 for none."""
    bases = np.array([x.base for x in places])
    return np.asarray(np.searchsorted(bases, ids.numpy(), side="right") - 1)


def moved(ids: Tensor, drafts: Drafts, name: Callable[[str], str]) -> Draft | None:
    """Return the place whose samples (channels, time) are these, None if there is no such thing to say.

    Parameters
    ----------
    ids : Tensor (channels, time)
    drafts : Drafts
        It gets the places that are new.
    name : callable
        Makes the name of a new place, from what it is.
    """
    whose, table = owners(ids, drafts.places), ids.numpy()
    rows = whose.max(axis=1)
    cuts = [0, *(np.flatnonzero(np.diff(rows)) + 1), len(rows)]
    if (rows < 0).any():
        return None
    found = []
    for a, b in pairwise(cuts):
        pieces = _pieces(table[a:b], whose[a:b], drafts, name)
        if pieces is None:
            return None
        found.append(pieces)
    if len(found) == 1:
        return found[0]
    return drafts.add(name("cat"), "concat", found, *ids.shape)


def _pieces(table: Array, whose: Array, drafts: Drafts, name: Callable[[str], str]) -> Draft | None:
    """Return one place, or several in turn as the sum of each with zeros between."""
    width = table.shape[1]
    valid = np.flatnonzero((table >= 0).all(axis=0))
    if len(valid) < 2:
        return None
    quarter = (valid[-1] + 1 - valid[0]) // 4
    inner = slice(valid[0] + quarter, valid[-1] + 1 - quarter)
    row = whose[0, inner]
    if len(row) < SHORTEST or (whose[:, inner] != row).any():
        return None
    if (row == row[0]).all():
        ends = whose[0, valid]
        if ((ends >= 0) & (ends != row[0])).sum() > SHORTEST:
            return None  # a signal behind another is no border
        return _one(table, inner, drafts.places[row[0]], drafts, name)
    L = _period(row)
    if L is None or ((row < 0).any() and (table[:, inner][:, row < 0] != ZERO).any()):
        return None
    parts = []
    for r in range(L):
        if row[r] >= 0:
            first = int(inner.start + r) % L
            part = _pieces(table[:, first::L], whose[:, first::L], drafts, name)
            if part is None:
                return None
            h = Fixed(np.ones(1), L, -first, excess=width - part.time * L)
            parts.append(drafts.add(name("interleave"), h, [part], part.channels, width))
    return parts[0] if len(parts) == 1 else drafts.add(name("interleave"), "sum", parts, parts[0].channels, width)


def _period(row: Array) -> int | None:
    """Return the period of a row that has one, seen twice at least."""
    return next((L for L in range(2, len(row) // 2 + 1) if (row[L:] == row[:-L]).all()), None)


def _one(table: Array, inner: slice, x: Draft, drafts: Drafts, name: Callable[[str], str]) -> Draft | None:
    """Return what numbers of one place are, from their inner part."""
    c, n = np.divmod(table[:, inner].astype(np.int64) - x.base, x.time)
    if (n != n[0]).any() or n.shape[1] < 2:
        return None
    at, steps, width = np.arange(inner.start, inner.stop), np.diff(n[0]), table.shape[1]
    if (steps == steps[0]).all() and steps[0] >= 1:
        s = int(steps[0])
        places = table[0] - x.base - c[0, 0] * x.time
        if s == 1 and (cut := _cut(table[0], places, x.time)) is not None:
            part = _shifted(c, x, cut, x.time + int(cut.excess), drafts, name)
            left = int(np.argmax(table[0] != ZERO))
            v = Fixed(np.ones(1), 1, -left, excess=width - x.time - cut.excess)
            return part and drafts.add(name("shift"), v, [part], part.channels, width)
        u = _ends(Fixed(np.ones(1), 1, int(n[0, 0] - s * at[0]), s), places, x.time)
        return _shifted(c, x, u, width, drafts, name)
    rises = np.flatnonzero(steps) + 1
    if len(rises) < 2 or not np.isin(steps, (0, 1)).all():
        return None
    L = int(rises[1] - rises[0])
    o = int(n[0, rises[0]] * L - at[rises[0]])
    if (n[0] != (at + o) // L).any():
        return None
    if (c == c[:, :1]).all():
        return _shifted(c, x, Fixed(np.ones(L), L, o, excess=width - x.time * L), width, drafts, name)
    return _shuffle(c, (at + o) % L, x, L, o, width, drafts, name)


def _cut(row: Array, places: Array, time: int) -> Fixed | None:
    """Return what was cut off before zeros took its place, None if that is not what was done."""
    there = np.flatnonzero(row != ZERO)
    a, b = int(there[0]), int(there[-1]) + 1
    found = places[a:b]
    lo, hi = int(found[0]), int(found[-1]) + 1
    whole = lo >= 0 and hi <= time and (found == np.arange(lo, lo + b - a)).all()
    lost = (a > 0 and lo > 0) or (b < len(row) and hi < time)
    return Fixed(np.ones(1), 1, lo, excess=hi - lo - time) if whole and lost else None


def _ends(u: Fixed, places: Array, time: int) -> Fixed:
    """Return a shift with what it puts beside the input, as far as that is one of the usual rules."""
    n = np.arange(len(places)) * u.stride + u.offset
    inside = (n >= 0) & (n < time)
    bent = np.abs(n)
    rules = {
        "zeros": np.where(inside, n, -1),
        "reflect": np.where(bent < time, bent, 2 * (time - 1) - bent),
        "replicate": np.clip(n, 0, time - 1),
        "circular": n % time,
    }
    found = np.where((places >= 0) & (places < time), places, -1)
    edges = next((rule for rule, due in rules.items() if (found == due).all()), "zeros")
    return replace(u, excess=len(places) * u.stride - time, edges=edges)


def _shifted(c: Array, x: Draft, u: Fixed, width: int, drafts: Drafts, name: Callable[[str], str]) -> Draft | None:
    own = c[:, 0]
    if (c != own[:, None]).any() or (own != own[0] + np.arange(len(own))).any():
        return None
    part = drafts.part(x, int(own[0]), int(own[-1]) + 1)
    if part is None or u.gain == 1:
        return part
    what = "nearest" if u.factor > 1 else "shift" if u.stride == 1 else "decimate"
    return drafts.add(name(what), u, [part], part.channels, width)


def _shuffle(
    c: Array, phase: Array, x: Draft, L: int, o: int, width: int, drafts: Drafts, name: Callable[[str], str]
) -> Draft | None:
    C = len(c)
    if x.channels != C * L:
        return None
    orders = {"crd": np.arange(C)[:, None] * L + phase, "dcr": phase * C + np.arange(C)[:, None]}
    order = next((key for key, due in orders.items() if (c == due).all()), None)
    found = order and drafts.shuffled(x, L, order)
    if not found or (o == 0 and width == found.time):
        return found or None
    u = Fixed(np.ones(1), 1, o, excess=width - found.time)
    return drafts.add(name("shift"), u, [found], C, width)
