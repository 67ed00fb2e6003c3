"""From drafts to a network: shifts go into paddings, kernels get their laws, places their names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from dspref.expected.borders import length_behind
from dspref.expected.filters import Fixed
from dspref.expected.graph import INPUT, Network, Node
from dspref.expected.network import Drawn, Unknown
from dspref.expected.tonefree import tone_free_nodes
from torchparity.drafts import Draft, reached
from torchparity.evidence import telling, unit
from torchparity.initial_laws import Asked, Law
from torchparity.projected import law_behind


def finished(output: Draft, asked: Asked) -> tuple[Network, tuple[Law, ...], tuple[str, ...]]:
    """Return the network that leads to a place, the laws of its layers, and remarks."""
    places = [x for x in reached(_tidied(output)) if x.inputs]
    twice = _twice(places)
    names: dict[int, str] = {}
    taken: Counter[str] = Counter([INPUT])
    nodes, laws, remarks = list[Node](), list[Law](), list[str]()
    for x in places:
        name = _own(x.name, taken)
        names[id(x)], op, order = name, x.op, 0
        if id(x) in twice:
            op = Unknown("shared weights")
        elif isinstance(op, Drawn):
            assert x.kernel is not None
            op, order, found, remark = law_behind(name, op, x.kernel, asked)
            laws += [found] if found else []
            remarks += remark
        node = Node(name, op, tuple(names.get(id(each), INPUT) for each in x.inputs))
        nodes += tone_free_nodes(node, order) if order else [node]
    return Network(tuple(nodes)), tuple(laws), (*remarks, *output.noted.values())


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


def _shift(x: Draft) -> Fixed | None:
    """Return a filter that only moves samples, ``y[n] = x[n + o]``, None for all else."""
    u = x.op
    plain = isinstance(u, Fixed) and (u.factor, u.stride) == (1, 1) and np.array_equal(u.h, [1])
    return u if isinstance(u, Fixed) and plain else None


def _composed(x: Draft) -> Draft | None:
    """Return a filter behind a filter, one of them of a single tap, as one; None if it is not so, ends included.

    ``h₂ * (h₁ stretched by L₂)``, of factor L₁L₂, offset o₂ + o₁L₂, and the second's stride, if the first has none;
    and if the second meets nothing beyond the ends of what the first makes.
    """
    y, v = x.inputs[0], x.op
    u = y.op
    if not (isinstance(v, Fixed) and isinstance(u, Fixed)) or u.stride > 1 or len(u.h) > 1 < len(v.h):
        return None
    if u.gain is None and not _within(v, x.time, y.time):
        return None
    stretched = np.zeros((len(u.h) - 1) * v.factor + 1)
    stretched[:: v.factor] = u.h
    h, edges = np.convolve(v.h, stretched), v.edges if u.edges == "zeros" else u.edges
    o, more = v.offset + u.offset * v.factor, v.excess + u.excess * v.factor
    name, op = y.name if len(u.h) > 1 else x.name, Fixed(h, u.factor * v.factor, o, v.stride, more, edges)
    return replace(x, name=name, op=op, inputs=y.inputs)


def _within(u: Fixed, made: int, time: int) -> bool:
    """Return whether a filter that makes so many samples meets none beside those that it has."""
    at = np.arange(made)[:, None] * u.stride + u.offset - np.flatnonzero(u.h)
    met = at[at % u.factor == 0] // u.factor
    return bool(((met >= 0) & (met < time)).all())


def _one_filter(x: Draft) -> Draft:
    """Return a sum of filters of one place as one filter: they depend on each other."""
    ops = [y.op if isinstance(y.op, Fixed) else Fixed(np.ones(1)) for y in x.inputs]
    sources = {id(y.inputs[0] if isinstance(y.op, Fixed) else y) for y in x.inputs}
    if len(sources) > 1 or len({(u.factor, u.stride, u.excess) for u in ops}) > 1:
        return x
    last = int(max(u.offset for u in ops))
    h = np.zeros(last - min(u.offset - len(u.h) + 1 for u in ops) + 1)
    for u in ops:
        h[last - u.offset :][: len(u.h)] += u.h
    if not h.any():
        return replace(x, op=Unknown("signals that cancel"), inputs=x.inputs[:1])
    y = x.inputs[0]
    edges = next((u.edges for u in ops if u.edges != "zeros"), "zeros")
    op = Fixed(h, ops[0].factor, last, ops[0].stride, ops[0].excess, edges)
    return replace(x, op=op, inputs=(y.inputs[0] if isinstance(y.op, Fixed) else y,))


def _before(x: Draft) -> Draft:
    """Take a shift before a kernel into its padding."""
    u = _shift(x.inputs[0])
    if u is None or (op := _later(x, u, x.inputs[0].inputs[0].time)) is None:
        return x
    return replace(x, op=op, inputs=x.inputs[0].inputs)


def _later(x: Draft, u: Fixed, time: int) -> Drawn | None:
    """Return a convolution whose padding is that of a shift before it, None if it is not that, at either end alike.

    With ``x′[m] = x[m + o]``, a convolution of x′ without padding is one of x with padding −o.
    """
    if not isinstance(x.op, Drawn) or x.op.op == "convt" or x.op.padding or u.offset > 0:
        return None
    op = replace(x.op, padding=-u.offset, padding_mode=u.edges)
    return op if length_behind(op, time) == x.time else None


def _behind(x: Draft, old: Draft, users: dict[int, list[Draft]]) -> Draft:
    """Take what is cut off at both ends of what a kernel makes into its padding: it is p + o, or p − os downwards.

    Not if whatever follows takes it, nor if anything else needs what the kernel makes.
    """
    u = _shift(x)
    if u is None:
        return x
    y = x.inputs[0]
    if u.gain == 1:
        return y
    if users[id(old)] and all(_later(each, u, y.time) for each in users[id(old)]):
        return x
    if not isinstance(y.op, Drawn) or y.op.op == "shuffle" or len(users[id(old.inputs[0])]) > 1:
        return x
    p = y.op.padding + (u.offset if y.op.op == "convt" else -u.offset * y.op.factor)
    if p < 0 or u.edges != "zeros" or y.op.padding_mode != "zeros" or u.excess > 0:
        return x
    op = replace(y.op, padding=p)
    return replace(y, op=op, time=x.time) if length_behind(op, y.inputs[0].time) == x.time else x


def _twice(places: list[Draft]) -> set[int]:
    """Return the kernels of which an earlier place has used some channels already: both are drawn together.

    The same are those of one parameter, those that share memory, and those of equal numbers, as copies are.
    """
    used: list[tuple[frozenset[Any], int, int]] = []
    found = set()
    for x in places:
        if not isinstance(x.op, Drawn) or x.kernel is None:
            continue
        for k in (x.kernel, x.kernel.also):
            if k is None:
                continue
            marks: frozenset[Any] = (
                k.sources | _marks(k.weight) | (_marks(k.bias) if k.bias is not None else frozenset())
            )
            outputs = x.op.outputs if x.kernel.also is None else x.op.outputs // 2
            stop = k.start + outputs * (x.op.factor if x.op.op == "shuffle" else 1)
            if any(marks & other and k.start < b and a < stop for other, a, b in used):
                found.add(id(x))
            used.append((marks, k.start, stop))
    return found


def _marks(x: Tensor) -> frozenset[Any]:
    """Return what only tensors of the same memory, or of the same numbers, have in common."""
    memory = (x.untyped_storage()._cdata, x.storage_offset())
    if x.is_meta or not bool(x.any()) or not telling(x.numel(), unit(x)):
        return frozenset((memory,))
    ends = sorted(abs(float(end)) for end in x.detach().aminmax())  # of −x, too
    return frozenset((memory, (x.numel(), *ends, f"{float(x.detach().double().square().sum()):.9e}")))
