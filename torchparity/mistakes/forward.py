"""The mistake that explains all wrong outputs of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from dspref.chain import POINTWISE, Chain
from torchparity.mistakes import borders, interpolation, kernels, outputs, phases
from torchparity.mistakes.evidence import Pairs, Subject, Trio, ran, trios, within
from torchparity.mistakes.kernels import KERNELS, Candidates, Model

Row = Callable[[Any], Candidates]

WITH_TAPS: tuple[Row, ...] = (kernels.taps_, phases.phases, kernels.places, kernels.gaps, borders.borders)
WITH_WEIGHTS: tuple[Row, ...] = (phases.groups, phases.biases, phases.strides)
FIXED: tuple[Row, ...] = (interpolation.nearest, interpolation.lines, interpolation.resized)

LARGE = 1 << 18
"""Weights beyond which a few output channels are looked at, and not all."""


def special(layer: Any) -> Candidates:
    """Yield what can go wrong in a layer of this kind, or in one stage of a chain."""
    if isinstance(layer, Chain):
        yield from _in_chain(layer)
        return
    rows = FIXED
    if layer.op in (*KERNELS, "filter"):
        rows = WITH_TAPS + (WITH_WEIGHTS if layer.op in KERNELS else ()) + (phases.scales,)
    for row in rows:
        yield from row(layer)


def _in_chain(chain: Chain) -> Candidates:
    stages = chain.stages
    every: dict[tuple[str, str], dict[int, Model]] = {}
    for i, stage in enumerate(stages):
        if stage.op in POINTWISE or (stage.op == "filter" and stage.length == stage.factor == 1):
            continue  # a pointwise map, or what stands for it
        for words, model in special(stage):
            every.setdefault((words, stage.op), {})[i] = model
            yield f"{words} (stage {i}, {stage.op})", _run([*stages[:i], model, *stages[i + 1 :]])
        yield f"stage {i} ({stage.op}) left out", _run([*stages[:i], *stages[i + 1 :]])
    for (words, op), models in every.items():
        if 1 < len(models) == sum(stage.op == op for stage in stages):
            yield f"{words} (every {op})", _run([models.get(i, stage) for i, stage in enumerate(stages)])
    for i in range(len(stages) - 1):
        yield f"stages {i} and {i + 1} exchanged", _run([*stages[:i], stages[i + 1], stages[i], *stages[i + 2 :]])
    if len(stages) > 2:
        yield "stages in reverse order", _run(stages[::-1])
        yield "the first stage run last", _run([*stages[1:], stages[0]])
        yield "the last stage run first", _run([stages[-1], *stages[:-1]])


def _run(models: Sequence[Model]) -> Model:
    return lambda x: reduce(lambda y, model: model(y), models, x)


PREDICTED: tuple[Callable[[Subject], Iterable[tuple[str, Trio]]], ...] = (
    lambda subject: trios(outputs.zero, subject),
    lambda subject: trios(special, subject),
    outputs.moved,
    outputs.nonlinear,
    lambda subject: trios(outputs.coarse, subject),
)
"""Ranks of mistakes that predict an output: from the special to the general."""

FITTED = (outputs.scaled, outputs.added, outputs.permuted, outputs.halved, outputs.ends)
"""Mistakes that are read off the outputs: asked last, in this order."""


def likely(layer: Any, pairs: Pairs, *, u: float) -> str:
    """Return the classic mistake that explains every wrong output, in a few words; empty if none does, or several do.

    Mistakes are ranked: all zero; what can go wrong in this kind of layer (taps, phases, stamps, borders, groups, bias,
    positions); the right output at another time; a nonlinearity; operands with fewer bits; then what is read off
    the outputs (a factor, a constant, the order of channels, half precision, a few samples at the ends, the length).
    The first rank with a mistake that explains all pairs names it. If several of one rank do, they are run on fresh
    noise: those that agree there are one mistake with several names (a kernel of one tap per phase flipped has its
    phases reversed), of which the first in the table is taken; if they differ, the pairs do not say which it
    is, and the answer is empty. So give it noise, of more samples than the kernel has taps.

    When a mistake explains a pair, says `torchparity.mistakes.evidence.Subject`: by bounds, nothing is picked by hand.

    Parameters
    ----------
    layer : layer of dspref with weights, or Chain
        What it should be.
    pairs : sequence of (x, y)
        Inputs (batch, channel, time) and what came out, at least one of them wrong; y may have another length.
    u : float
        Unit roundoff of the arithmetic in which y was computed.

    Returns
    -------
    str
        Empty too if the layer itself explains all pairs.

    Examples
    --------
    >>> from dspref import SubpixelConv
    >>> x = np.arange(8.0).reshape(1, 2, 4)
    >>> layer = SubpixelConv(np.arange(8.0).reshape(4, 2, 1), 2)
    >>> low = np.einsum("oi,bit->bot", layer.weight[..., 0], x)
    >>> y = low.reshape(1, 2, 2, 4).transpose(0, 2, 3, 1).reshape(1, 2, 8)  # channel-minor: ONNX's DCR
    >>> likely(layer, [(x, y)], u=2.0**-24)
    'phases swapped (DCR order)'
    """
    doubles = [(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in pairs]
    if not doubles or any(x.ndim != 3 or y.ndim != 3 or not y.size or not np.isfinite(y).all() for x, y in doubles):
        return ""
    subject = Subject(*_reduced(layer, doubles), u)
    if subject.is_right:
        return ""
    for rank in PREDICTED:
        found = [(words, model) for words, model in rank(subject) if subject.explained_by(model)]
        if found:
            return found[0][0] if _agree(subject, [model for _, model in found]) else ""
    return _read_off(subject)


def _reduced(layer: Any, pairs: Pairs) -> tuple[Any, Pairs]:
    """Return a large layer and its outputs with the four output channels that are most wrong, where that can be."""
    if getattr(layer, "op", "") not in ("convt", "conv") or layer.groups > 1 or layer.weight.size <= LARGE:
        return layer, pairs
    error = np.zeros(layer.out_channels)
    for x, y in pairs:
        due = ran(layer, x)
        if due is None or due.shape[:2] != y.shape[:2]:
            return layer, pairs
        time = min(due.shape[-1], y.shape[-1])
        error += np.abs(y[..., :time] - due[..., :time]).max(axis=(0, 2))
    kept = np.sort(np.argsort(-error)[:4])
    w = layer.weight[:, kept] if layer.op == "convt" else layer.weight[kept]
    small = replace(layer, weight=w, bias=None if layer.bias is None else layer.bias[kept])
    return small, [(x, y[:, kept]) for x, y in pairs]


def _agree(subject: Subject, models: list[Trio]) -> bool:
    """Return whether computations that explain the pairs agree on fresh noise too."""
    first, *others = models
    if not others:
        return True
    rng = np.random.default_rng(0)
    x, _ = max(subject.pairs, key=lambda pair: pair[0].shape[-1])
    fresh = rng.standard_normal((2, x.shape[1], 2 * x.shape[-1] + 16))
    made = subject.predicted(first, fresh)
    for other in others:
        again = subject.predicted(other, fresh)
        if made is None or again is None or made[0].shape != again[0].shape:
            return False
        if not within(made[0] - again[0], made[1] + again[1]):
            return False
    return True


def _read_off(subject: Subject) -> str:
    seen = [(y, *found) for (_, y), found in zip(subject.pairs, subject.due, strict=True) if found is not None]
    if len(seen) < len(subject.pairs) or any(y.shape[:2] != right.shape[:2] for y, right, _ in seen):
        return ""
    if any(y.shape != right.shape for y, right, _ in seen):
        return outputs.lengths(subject, seen)
    return next((words for rule in FITTED if (words := rule(subject, seen))), "")
