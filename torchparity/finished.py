"""From drafts to a network: shifts go into paddings, kernels get their laws, places their names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from dspref.expected.filters import Fixed
from dspref.expected.graph import INPUT, Network, Node
from dspref.expected.network import Drawn, Unknown
from torchparity.drafts import Draft, reached
from torchparity.initial_laws import Asked, Law, law


def finished(output: Draft, asked: Asked) -> tuple[Network, tuple[Law, ...], tuple[str, ...]]:
    """Return the network that leads to a place, the laws of its layers, and remarks."""
    places = [x for x in reached(_padded(output)) if x.inputs]
    twice = _twice(places)
    names: dict[int, str] = {}
    taken: Counter[str] = Counter([INPUT])
    nodes, laws, remarks = [], list[Law](), list[str]()
    for x in places:
        name = _own(x.name, taken)
        names[id(x)], op = name, x.op
        if id(x) in twice:
            op = Unknown("shared weights")
        elif isinstance(op, Drawn):
            assert x.kernel is not None
            op, found, remark = law(name, op, x.kernel, asked)
            laws += [found] if found else []
            remarks += [remark] if remark else []
        nodes.append(Node(name, op, tuple(names.get(id(each), INPUT) for each in x.inputs)))
    return Network(tuple(nodes)), tuple(laws), tuple(remarks)


def _own(name: str, taken: Counter[str]) -> str:
    """Return a name that no other place has: the second of a name is name:1."""
    found = name
    while taken[found]:
        found = f"{name}:{taken[name]}"
        taken[name] += 1
    taken[found] += 1
    return found


def _shift(x: Draft) -> int | None:
    """Return o of ``y[n] = x[n + o]``, None for all else."""
    u = x.op
    plain = isinstance(u, Fixed) and (u.factor, u.stride) == (1, 1) and np.array_equal(u.h, [1])
    return u.offset if isinstance(u, Fixed) and plain else None


def _padded(output: Draft) -> Draft:
    """Return the same output with shifts next to kernels in their paddings, as far as these stay >= 0.

    With ``x′[m] = x[m + o]``, a convolution of x′ is one of x with padding p − o, a transposed one with p + os. Where
    nothing else needs what a kernel makes, ``y[n + o]`` has padding p − os, or p + o if transposed.
    """
    order = list(reached(output))
    uses = Counter(id(each) for x in order for each in x.inputs)
    fresh: dict[int, Draft] = {}
    for x in order:
        fresh[id(x)] = _behind(_before(replace(x, inputs=tuple(fresh[id(each)] for each in x.inputs))), x, uses)
    return fresh[id(output)]


def _before(x: Draft) -> Draft:
    """Take a shift before a kernel into its padding."""
    if not isinstance(x.op, Drawn) or (o := _shift(x.inputs[0])) is None:
        return x
    p = x.op.padding + (o * x.op.factor if x.op.op == "convt" else -o)
    return replace(x, op=replace(x.op, padding=p), inputs=x.inputs[0].inputs) if p >= 0 else x


def _behind(x: Draft, old: Draft, uses: Counter[int]) -> Draft:
    """Take a shift behind a kernel, or another shift, into that."""
    o = _shift(x)
    if o is None:
        return x
    y = x.inputs[0]
    if o == 0:
        return y
    if (more := _shift(y)) is not None and o + more:
        return replace(x, op=Fixed(np.ones(1), 1, o + more), inputs=y.inputs)
    if more is not None:
        return y.inputs[0]
    if not isinstance(y.op, Drawn) or y.op.op == "shuffle" or uses[id(old.inputs[0])] > 1:
        return x
    p = y.op.padding + (o if y.op.op == "convt" else -o * y.op.factor)
    return replace(y, op=replace(y.op, padding=p)) if p >= 0 else x


def _twice(places: list[Draft]) -> set[int]:
    """Return the kernels of which an earlier place has used some channels already: both are drawn together."""
    used: list[tuple[frozenset[str], int, int]] = []
    found = set()
    for x in places:
        if not isinstance(x.op, Drawn) or x.kernel is None:
            continue
        for k in (x.kernel, x.kernel.also):
            if k is None:
                continue
            stop = k.start + x.op.outputs * (x.op.factor if x.op.op == "shuffle" else 1)
            if any(k.sources & other and k.start < b and a < stop for other, a, b in used):
                found.add(id(x))
            used.append((k.sources, k.start, stop))
    return found
