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
    places = [x for x in reached(_tidied(output)) if x.inputs]
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


def _tidied(output: Draft) -> Draft:
    """Return the same output by fewer places: filters of one tap go into filters and paddings next to them."""
    order = list(reached(output))
    users: dict[int, list[Draft]] = {id(x): [] for x in order}
    for x in order:
        for each in x.inputs:
            users[id(each)].append(x)
    fresh: dict[int, Draft] = {}
    for x in order:
        y = replace(x, inputs=tuple(fresh[id(each)] for each in x.inputs))
        if y.op == "sum" and y.inputs:
            y = _one_filter(y)
        while isinstance(y.op, Fixed) and (joined := _composed(y)) is not None:
            y = joined
        fresh[id(x)] = _before(y) if isinstance(y.op, Drawn) else _behind(y, x, users)
    return fresh[id(output)]


def _shift(x: Draft) -> int | None:
    """Return o of ``y[n] = x[n + o]``, None for all else."""
    u = x.op
    if not isinstance(u, Fixed) or (u.factor, u.stride) != (1, 1) or not np.array_equal(u.h, [1]):
        return None
    return u.offset


def _composed(x: Draft) -> Draft | None:
    """Return a filter behind a filter, one of them of a single tap, as one; None if it is not so.

    ``h₂ * (h₁ stretched by L₂)``, of factor L₁L₂, offset o₂ + o₁L₂, and the second's stride, if the first has none.
    """
    y, v = x.inputs[0], x.op
    u = y.op
    if not (isinstance(v, Fixed) and isinstance(u, Fixed)) or u.stride > 1 or len(u.h) > 1 < len(v.h):
        return None
    stretched = np.zeros((len(u.h) - 1) * v.factor + 1)
    stretched[:: v.factor] = u.h
    h, o = np.convolve(v.h, stretched), v.offset + u.offset * v.factor
    name = y.name if len(u.h) > 1 else x.name
    return replace(x, name=name, op=Fixed(h, u.factor * v.factor, o, v.stride), inputs=y.inputs)


def _one_filter(x: Draft) -> Draft:
    """Return a sum of filters of one place as one filter: they depend on each other."""
    ops = [y.op if isinstance(y.op, Fixed) else Fixed(np.ones(1)) for y in x.inputs]
    sources = {id(y.inputs[0] if isinstance(y.op, Fixed) else y): y for y in x.inputs}
    if len(sources) > 1 or len({(u.factor, u.stride) for u in ops}) > 1:
        return x
    last = int(max(u.offset for u in ops))
    h = np.zeros(last - min(u.offset - len(u.h) + 1 for u in ops) + 1)
    for u in ops:
        h[last - u.offset :][: len(u.h)] += u.h
    if not h.any():
        return replace(x, op=Unknown("signals that cancel"), inputs=x.inputs[:1])
    y = x.inputs[0]
    source = y.inputs[0] if isinstance(y.op, Fixed) else y
    return replace(x, op=Fixed(h, ops[0].factor, last, ops[0].stride), inputs=(source,))


def _before(x: Draft) -> Draft:
    """Take a shift before a kernel into its padding: ``x′[m] = x[m + o]`` has p − o, or p + os if transposed."""
    o = _shift(x.inputs[0])
    if o is None or (op := _later(x, o)) is None:
        return x
    return replace(x, op=op, inputs=x.inputs[0].inputs)


def _later(x: Draft, o: int) -> Drawn | Fixed | None:
    """Return a kernel or filter with a shift of its input in it, None if the padding would be negative."""
    if isinstance(x.op, Fixed):
        return x.op
    if not isinstance(x.op, Drawn):
        return None
    p = x.op.padding + (o * x.op.factor if x.op.op == "convt" else -o)
    return replace(x.op, padding=p) if p >= 0 else None


def _behind(x: Draft, old: Draft, users: dict[int, list[Draft]]) -> Draft:
    """Take a shift behind a kernel into its padding: ``y[n + o]`` has p − os, or p + o if transposed.

    Not if whatever follows takes it, nor if anything else needs what the kernel makes.
    """
    o = _shift(x)
    if o is None:
        return x
    y = x.inputs[0]
    if o == 0:
        return y
    if users[id(old)] and all(_later(each, o) is not None for each in users[id(old)]):
        return x
    if not isinstance(y.op, Drawn) or y.op.op == "shuffle" or len(users[id(old.inputs[0])]) > 1:
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
