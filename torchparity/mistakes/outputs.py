"""Classic mistakes that any layer can make: in time, in precision, in scale, at the ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.chain import POINTWISE, Chain
from dspref.multirate import window
from torchparity.mistakes.borders import LATEST
from torchparity.mistakes.evidence import Subject, Trio, copies, whole_factor, within
from torchparity.mistakes.kernels import Candidates, Model

HALVES = {"bfloat16": 8, "float16": 11}
"""Significant bits of the half formats."""


def zero(layer: Any) -> Candidates:
    """Yield nothing at all."""
    yield "all zero", lambda x: 0 * layer(x)


def moved(subject: Subject) -> Iterator[tuple[str, Trio]]:
    """Yield the right output at another time, or in another item of the batch."""
    right = subject.right
    for k in range(1, max(LATEST, 2 * whole_factor(subject.layer)) + 1):
        for late in (True, False):
            words, by = f"{k} sample{'s' * (k > 1)} {'late' if late else 'early'}", k if late else -k
            yield f"output {words}, zeros shifted in", right.then(partial(_shifted, by))
            yield f"output {words}, wrapped around", right.then(partial(np.roll, shift=by, axis=-1))
    yield "output reversed in time", right.then(lambda y: y[..., ::-1])
    yield "every item of the batch is the first", right.then(lambda y: np.repeat(y[:1], len(y), axis=0))
    yield "input reversed in time", Trio(*(partial(_backwards, f) for f in subject.trio))


def _shifted(k: int, y: Array) -> Array:
    return window(y, -k, y.shape[-1])


def _backwards(run: Model, x: Array) -> Array:
    return run(x[..., ::-1])


def coarse(layer: Any) -> Candidates:
    """Yield the layer with operands of fewer bits; its bias is no operand of a product."""
    for words, change in {
        "11 significant bits (TF32, float16)": partial(to_bits, bits=11),
        "11 significant bits, cut off (TF32)": partial(to_bits, bits=11, rounding=np.trunc),
        "8 significant bits (bfloat16)": partial(to_bits, bits=8),
    }.items():
        coarser = rough(layer, change)
        yield f"operands rounded to {words}", lambda x, coarser=coarser, change=change: coarser(change(x))  # type: ignore[misc]
        if has_weights(layer):
            yield f"weights rounded to {words}", coarser


def has_weights(layer: Any) -> bool:
    """Return whether a layer, or a stage of a chain, has weights or taps."""
    stages = layer.stages if isinstance(layer, Chain) else (layer,)
    return any(isinstance(getattr(stage, name, None), np.ndarray) for stage in stages for name in ("weight", "taps"))


def rough(layer: Any, change: Callable[[Array], Array]) -> Any:
    """Return a layer, or a chain, with its weights or taps changed; a bias is no operand of a product."""
    if isinstance(layer, Chain):
        return Chain(rough(stage, change) for stage in layer.stages)
    fields = {name: getattr(layer, name) for name in ("weight", "taps") if hasattr(layer, name)}
    return replace(layer, **{k: change(v) for k, v in fields.items() if isinstance(v, np.ndarray)})


def to_bits(x: Array, *, bits: int, rounding: Callable[[Array], Array] = np.rint) -> Array:
    """Return numbers rounded to so many significant bits.

    Examples
    --------
    >>> to_bits(np.array([0.3, 5.0]), bits=2)
    array([0.25, 4.  ])
    """
    _, exponent = np.frexp(x)
    return np.asarray(np.ldexp(rounding(np.ldexp(x, bits - exponent)), exponent - bits))


def nonlinear(subject: Subject) -> Iterator[tuple[str, Trio]]:
    """Yield the layer with a nonlinearity that was not asked for, before or behind it; none is steeper than 2."""
    right = subject.right
    maps: dict[str, Callable[..., Array]] = {"clipped to ±1": lambda y: np.clip(y, -1, 1), "magnitude": np.abs}
    maps |= {name: partial(_pointwise, name) for name in POINTWISE if name != "glu"}
    for name, f in maps.items():
        magnitudes = _twice(right)
        after, before = partial(_composed, f, right.values), partial(_composed, subject.trio[0], f)
        yield f"nonlinearity applied to the output: {name}", Trio(after, magnitudes, right.ones)
        if not copies(subject.layer):  # else it makes no difference
            yield f"nonlinearity applied to the input: {name}", Trio(before, magnitudes, right.ones)


def _composed(then: Model, first: Model, x: Array) -> Array:
    return then(first(x))


def _pointwise(name: str, y: Array) -> Array:
    f, defaults = POINTWISE[name]
    return f(y, *defaults)


def _twice(right: Trio) -> Model:
    return lambda x: 2 * right.magnitudes(x) + 1


Seen = list[tuple[Array, Array, Array]]
"""Of every pair: the output, what was due, and E."""


def scaled(subject: Subject, seen: Seen) -> str:
    """Say whether it is the right output times a number, or the kernel's part of it."""
    kernels_part = [(y - b, due - b, E) for (y, due, E), b in zip(seen, _biases(subject), strict=True)]
    for what, parts in {"": seen, "kernel ": kernels_part}.items():
        power = sum(float((due**2).sum()) for _, due, _ in parts)
        if not power:
            continue
        c = sum(float((y * due).sum()) for y, due, _ in parts) / power
        loose = sum(float((E * np.abs(due)).sum()) for _, due, E in parts) / power + 4 * subject.u * abs(c)
        if (
            abs(c - 1) > loose
            and c
            and all(within(y - c * due, (1 + abs(c)) * E + loose * np.abs(due)) for y, due, E in parts)
        ):
            return (
                f"sign of the {what or 'output'}".rstrip()
                if abs(c + 1) <= loose
                else f"{what}scaled by {_number(c, loose)}"
            )
    return ""


def _biases(subject: Subject) -> list[Array]:
    """Return what the layer makes of zeros."""
    return [subject.trio[0](0 * x) for x, _ in subject.pairs]


def _number(c: float, loose: float) -> str:
    """Return a number as a fraction where it may be one, else with the digits that are known."""
    near = Fraction(c).limit_denominator(64)
    if abs(float(near) - c) <= loose and near:
        return str(near)
    return f"{c:.{max(3, int(2 - np.log10(max(loose / abs(c), 1e-15))))}g}"


def added(subject: Subject, seen: Seen) -> str:
    """Say whether it is the right output plus a constant, one for all or one per channel."""
    error = np.concatenate([_by_channel(y - due) for y, due, _ in seen], axis=-1)
    limit = np.concatenate([_by_channel(E) for _, _, E in seen], axis=-1)
    for words, axis in {"a constant added": None, "a constant added per channel": -1}.items():
        b, loose = error.mean(axis=axis, keepdims=True), limit.mean(axis=axis, keepdims=True)
        if (np.abs(b) > loose).any() and within(error - b, limit + loose + 2 * subject.u * np.abs(b)):
            return words if axis else f"{words}: {_number(float(b.flat[0]), float(loose.flat[0]) + subject.u)}"
    return ""


def _by_channel(a: Array) -> Array:
    """Return (channel, all its samples) of (batch, channel, time)."""
    return a.swapaxes(0, 1).reshape(a.shape[1], -1)


def halved(subject: Subject, seen: Seen) -> str:
    """Say whether it is the right output as far as half precision goes."""
    for name, bits in HALVES.items():
        u = 2.0**-bits
        if u <= 2 * subject.u:
            continue
        if all(within(y - to_bits(y, bits=bits), 0 * y) for y, _, _ in seen) and all(
            within(y - due, u * np.abs(due) * (1 + u) + E) for y, due, E in seen
        ):
            return f"output rounded to {bits} significant bits ({name})"
        limits = Subject(subject.layer, subject.pairs, u).due
        close = all(
            limit is not None and within(y - due, limit[1]) for (y, due, _), limit in zip(seen, limits, strict=True)
        )
        if close and (_on_grid(subject, seen, bits, bias=False) or _on_grid(subject, seen, bits, bias=True)):
            return f"accumulated in half precision ({name})"
    return ""


def _on_grid(subject: Subject, seen: Seen, bits: int, *, bias: bool) -> bool:
    """Return whether all outputs, or what they were before the bias, have so few bits."""
    for (y, _, _), b in zip(seen, _biases(subject), strict=True):
        part = y - b if bias else y
        if not within(part - to_bits(part, bits=bits), subject.u * (np.abs(y) + np.abs(b)) if bias else 0 * y):
            return False
    return True


def ends(subject: Subject, seen: Seen) -> str:
    """Say whether it is right but for a few samples at the ends, which stand out.

    They do if their error is over twice as large, as a share of its bound, as that of all other samples: a small error
    everywhere may exceed its bound at the ends by chance.
    """
    shares = [_share(y - due, E) for y, due, E in seen]
    wrong = [np.asarray(share > 1) for share in shares]
    places = [np.asarray(w.any(axis=(0, 1))) for w in wrong]
    first = max(_reach(w[: -(-len(w) // 2)]) for w in places)
    last = max(_reach(w[::-1][: len(w) // 2]) for w in places)
    shortest = min((w.shape[-1] for w in wrong if w.any()), default=0)
    if 4 * (first + last) > shortest or not first + last or not all(_whole(w, first, last) for w in places if w.any()):
        return ""
    others = max(float(np.where(w, 0, share).max()) for share, w in zip(shares, wrong, strict=True))
    if 2 * others > min(float(share[w].min()) for share, w in zip(shares, wrong, strict=True) if w.any()):
        return ""
    sides = [f"{word} {'sample' if k == 1 else f'{k} samples'}" for word, k in (("first", first), ("last", last)) if k]
    return f"{' and '.join(sides)} wrong" + (" (zero)" if _zero_there(seen, wrong) else "")


def _share(error: Array, E: Array) -> Array:
    """Return the size of errors as a share of their bounds."""
    off = np.where(error == 0, 0.0, np.inf)
    return np.asarray(np.divide(np.abs(error), E, out=off, where=E > 0))


def _reach(wrong: Array) -> int:
    """Return how many samples there are up to the last that is wrong."""
    return int((np.flatnonzero(wrong) + 1).max(initial=0))


def _whole(wrong: Array, first: int, last: int) -> bool:
    """Return whether most of the samples at the ends are wrong, and they do not lie apart from the end."""
    return bool(2 * wrong.sum() > first + last)


def _zero_there(seen: Seen, wrong: list[Array]) -> bool:
    return all((y[w] == 0).all() for (y, _, _), w in zip(seen, wrong, strict=True))


def permuted(subject: Subject, seen: Seen) -> str:
    """Say whether it has the right channels in another order."""
    out = seen[0][0].shape[1]
    if not 1 < out <= 64:
        return ""
    order = []
    for o in range(out):
        match = [c for c in range(out) if all(within(y[:, o] - due[:, c], E[:, c]) for y, due, E in seen)]
        if not match:
            return ""
        order.append(o if o in match else match[0])
    return f"output channels in the order {order}"


def lengths(subject: Subject, seen: Seen) -> str:
    """Say whether it has the right values, but too many or too few."""
    surplus = {y.shape[-1] - due.shape[-1] for y, due, _ in seen}
    if len(surplus) > 1 or not (k := surplus.pop()):
        return ""
    amount = f"{abs(k)} sample{'s' * (abs(k) > 1)} too {'many' if k > 0 else 'few'}"
    for side in ("end", "start"):
        cuts = [min(y.shape[-1], due.shape[-1]) for y, due, _ in seen]
        keep = [slice(None, n) if side == "end" else slice(-n, None) for n in cuts]
        if all(
            n and within(y[..., s] - due[..., s], E[..., s]) for (y, due, E), n, s in zip(seen, cuts, keep, strict=True)
        ):
            return f"{amount} at the {side}, the others right"
    return ""
