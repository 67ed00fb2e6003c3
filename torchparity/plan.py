"""What a check compares with what: the pieces of a module, and the reference of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from torch import nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.outline import Outline
from dspref.spec import parse, spec, token
from dspref.stretchfilter import StretchFilter
from torchparity.calls import Run
from torchparity.describe import Part, parts
from torchparity.job import Job, stages_of, words_for
from torchparity.probe import Probe, probe
from torchparity.roundoff import mapped

Like: TypeAlias = Stage | Chain | str | None


class Broken(ValueError):
    """The structure that was promised is not what was found: the message says where."""

    def __init__(self, message: str, description: str) -> None:
        super().__init__(message)
        self.description = description


@dataclass(frozen=True)
class Plan:
    """The jobs in order, and what the module is compared with, in words."""

    jobs: tuple[Job, ...]
    description: str


def as_chain(like: Like) -> Chain | None:
    """Return what is promised as a chain."""
    if like is None or isinstance(like, Chain):
        return like
    if isinstance(like, str):
        return parse(like)
    if not hasattr(like, "factor"):
        allowed = "a layer, a Chain, or words as 'convt k16 s8 p4'"
        raise TypeError(complaint("like", type(like).__name__, allowed))
    return Chain([like])


def plan(run: Run, promised: Chain | None, *, dtype: str, channels: int | None, seed: int) -> Plan:
    """Return what to compare with what.

    Raises
    ------
    Broken
        If the structure found is not the one promised.
    NotAnalysable
        If there is nothing to compare with.
    """
    if promised is not None and not any(isinstance(s, Outline) for s in promised.stages):
        pieces = _pieces(run, promised)
        return Plan(_jobs(pieces, dtype, channels), f"{spec(promised)}, as promised")
    try:
        found = _described(run)
    except NotAnalysable as undescribed:
        return _probed(run, promised, undescribed, dtype, channels, seed)
    stages = [stage for part in found for stage in part.stages]
    words = f"{words_for(Chain(stages))}, as described"
    if promised is not None:
        _check_described(promised.stages, stages, words)
    return Plan(_jobs(found, dtype, channels), words)


def _described(run: Run) -> tuple[Part, ...]:
    if not isinstance(run, nn.Module):
        raise NotAnalysable("a function has no description")
    return parts(run)


def _pieces(run: Run, promised: Chain) -> tuple[Part, ...]:
    """Return the module's own layers paired with the promised ones, or the whole with all of them."""
    try:
        found = _described(run)
    except NotAnalysable:
        found = ()
    kinds = [stage.op for part in found for stage in part.stages]
    if kinds != [stage.op for stage in promised.stages]:
        return (Part((), run, promised.stages),)  # type: ignore[arg-type]
    left = list(promised.stages)
    return tuple(replace(part, stages=tuple(left.pop(0) for _ in part.stages)) for part in found)


def _jobs(pieces: Sequence[Part], dtype: str, channels: int | None) -> tuple[Job, ...]:
    with np.errstate(over="ignore"):  # weights beyond the range of the dtype: refused as infinite
        layers = [mapped(_one(part.stages), lambda a: a.astype(dtype)) for part in pieces]
    given = [channels if channels and not i else None for i in range(len(layers))]
    counts = [given[i] or _channels([s for layer in layers[i:] for s in stages_of(layer)]) for i in range(len(layers))]
    return tuple(Job(p.names, p.module, w, c) for p, w, c in zip(pieces, layers, counts, strict=True))


def _one(stages: tuple[Stage, ...]) -> Any:
    return stages[0] if len(stages) == 1 else Chain(stages)


def _channels(stages: Sequence[Any]) -> int:
    """Return the input channels that the first layer with weights asks for, else 2."""
    halved = 1
    for stage in stages:
        if isinstance(stage, TransposedConv):
            return halved * int(stage.weight.shape[0])
        if isinstance(stage, (Conv, SubpixelConv)):
            return halved * int(stage.weight.shape[1]) * stage.groups
        taps = stage.filter.h if isinstance(stage, Probe) else getattr(stage, "taps", None)
        if taps is not None and taps.ndim == 3:
            return halved * int(taps.shape[1])
        halved *= 2 if isinstance(stage, Pointwise) and stage.name == "glu" else 1
    return 2


def _check_described(promised: Sequence[Stage], found: Sequence[Stage], words: str) -> None:
    if len(promised) != len(found):
        raise Broken(f"{len(promised)} stages promised, {len(found)} found: {words}", words)
    for place, (a, b) in enumerate(zip(promised, found, strict=True)):
        if token(a) != token(b) or not (isinstance(a, Outline) or a == b):
            raise Broken(f"stage {place}: '{token(a)}' promised, '{token(b)}' found", words)


def _probed(
    run: Run, promised: Chain | None, undescribed: NotAnalysable, dtype: str, channels: int | None, seed: int
) -> Plan:
    if promised is not None and not promised.affine and any(isinstance(s, Pointwise) for s in promised.stages):
        hint = "register a law for the module, or hand over its linear layers one by one"
        raise NotAnalysable(complaint("like", spec(promised), "linear layers, where weights must be probed", hint))
    try:
        found = probe(run, channels=channels, dtype=dtype, seed=seed)
    except NotAnalysable as error:
        raise NotAnalysable(f"not described ({undescribed}) and not probed ({error})") from error
    words = f"{words_for(found)}, as probed"
    if promised is not None:
        _check_probed(promised, found.filter, words)
    return Plan((Job((), run, found, int(found.filter.h.shape[1]), probed=True),), words)


def _check_probed(promised: Chain, u: StretchFilter, words: str) -> None:
    """Refuse a normal form that no weights of the promised architecture can make."""
    form = Chain(_with_ones(stage) for stage in promised.stages).collapse()
    laws = {"factor": (form.L, u.L), "excess (length less factor × time)": (form.excess, u.excess)}
    for name, (due, got) in laws.items():
        if due != got:
            raise Broken(f"{name}: {due} promised by '{spec(promised)}', {got} found", words)
    first, last = -u.offset, u.h.shape[-1] - 1 - u.offset
    due_first, due_last = -form.offset, form.h.shape[-1] - 1 - form.offset
    if first < due_first or last > due_last:
        message = f"taps at {due_first} … {due_last} promised by '{spec(promised)}', at {first} … {last} found"
        raise Broken(message, words)


def _with_ones(stage: Stage) -> Stage:
    """Return a layer of the outline, of one channel, with every tap 1."""
    if not isinstance(stage, Outline):
        return stage
    ones, s, p, d = np.ones((1, 1, stage.length), int), stage.stride, stage.padding, stage.dilation
    if stage.op == "convt":
        return TransposedConv(ones, stride=s, padding=p, dilation=d, output_padding=stage.output_padding)
    if stage.op == "conv":
        return Conv(ones, stride=s, padding=p, dilation=d)
    return SubpixelConv(ones.repeat(s, axis=0), s, padding=p, dilation=d)
