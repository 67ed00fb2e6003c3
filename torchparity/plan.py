"""What a check compares with what: the pieces of a module, and the reference of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from torch import nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.outline import HEADS, Outline
from dspref.spec import parse, spec
from torchparity.arithmetic import DTYPES, rounded
from torchparity.binding import Bound, bound_by_shape, held_by
from torchparity.calls import WIDE, Run, own_channels, private_copy
from torchparity.describe import Part, describe, parts
from torchparity.job import Job, stages_of, words_for
from torchparity.probe import Probe, probe
from torchparity.promises import check_described, check_probed
from torchparity.roundoff import mapped
from torchparity.subjects import Subject, subject

Like: TypeAlias = Stage | Chain | nn.Module | str | None


@dataclass(frozen=True)
class Plan:
    """The jobs in order, and what the module is compared with, in words."""

    jobs: tuple[Job, ...]
    description: str
    held: bool = False
    """Whether the weights are those that one of the module's tensors holds, by its shape."""


def as_chain(like: Like) -> Chain | None:
    """Return what is promised as a chain."""
    if like is None or isinstance(like, Chain):
        return like
    if isinstance(like, str):
        return parse(like)
    if isinstance(like, nn.Module):
        return Chain(stages_of(describe(like)))
    if "factor" not in dir(like):
        allowed = "a layer, a Chain, or words as 'convt k16 s8 p4', or a module to describe"
        raise TypeError(complaint("like", type(like).__name__, allowed))
    return Chain([like])


def plan(
    run: Run,
    promised: Chain | None,
    *,
    dtype: str,
    channels: int | None,
    seed: int,
    device: str = "cpu",
    told: Subject | None = None,
    held: bool = True,
) -> Plan:
    """Return what to compare with what.

    Raises
    ------
    Broken
        If the structure found is not the one promised.
    NotAnalysable
        If there is nothing to compare with.
    """
    if promised is not None and not any(isinstance(s, Outline) for s in promised.stages):
        pieces = _pieces(run, promised, told)
        return Plan(_jobs(pieces, dtype, channels, device), f"{spec(promised)}, as promised")
    try:
        found = _described(run, told)
    except NotAnalysable as undescribed:
        bound = _held(run, promised, channels, told) if held else None
        if bound is not None:
            words = f"{words_for(_one(bound.stages))}, with the module's own weights ({', '.join(bound.names)})"
            return Plan(_jobs((Part((), run, bound.stages),), dtype, channels, device), words, held=True)  # type: ignore[arg-type]
        widths = [channels] if channels else _widths(run, told)
        return _probed(run, promised, undescribed, dtype, widths, seed, device)
    stages = [stage for part in found for stage in part.stages]
    words = f"{words_for(Chain(stages))}, as described"
    if promised is not None:
        check_described(promised.stages, stages, words)
    return Plan(_jobs(found, dtype, channels, device), words)


def _held(run: Run, promised: Chain | None, channels: int | None, told: Subject | None) -> Bound | None:
    """Return the promised stages with the weights that the module holds, if they are clear."""
    if promised is None:
        return None
    weights = subject(run).weights if told is None else told.weights
    return bound_by_shape(promised.stages, {k: w for k, w in weights.items() if w.dtype.kind == "f"}, channels)


def _described(run: Run, told: Subject | None) -> tuple[Part, ...]:
    """Return the pieces of a module, or the whole of what else says what it is."""
    if isinstance(run, nn.Module):
        found = parts(run)
    elif told is not None and told.module is not None:
        found = (Part((), run, stages_of(describe(told.module))),)  # type: ignore[arg-type]
    else:
        raise NotAnalysable(told.unknown if told is not None else "a function has no description")
    try:
        Chain(stage for part in found for stage in part.stages)
    except ValueError as error:  # channels that do not meet
        raise NotAnalysable(str(error)) from error
    return found


def _pieces(run: Run, promised: Chain, told: Subject | None) -> tuple[Part, ...]:
    """Return the module's own layers paired with the promised ones, or the whole with all of them."""
    try:
        found = _described(run, told)
    except NotAnalysable:
        found = ()
    kinds = [stage.op for part in found for stage in part.stages]
    if kinds != [stage.op for stage in promised.stages]:
        return (Part((), run, promised.stages),)  # type: ignore[arg-type]
    left = list(promised.stages)
    return tuple(replace(part, stages=tuple(left.pop(0) for _ in part.stages)) for part in found)


def _jobs(pieces: Sequence[Part], dtype: str, channels: int | None, device: str) -> tuple[Job, ...]:
    with np.errstate(over="ignore"):  # weights beyond the range of the dtype: refused as infinite
        layers = [mapped(_one(part.stages), lambda a: rounded(a, dtype)) for part in pieces]
    jobs = []
    for place, (piece, layer) in enumerate(zip(pieces, layers, strict=True)):
        behind = [stage for later in layers[place:] for stage in stages_of(later)]
        own = (channels if place == 0 else None) or (own_channels(piece.module, 0) if _takes_any(layer) else 0)
        jobs.append(
            Job(
                piece.names,
                piece.module,
                layer,
                own or _channels(behind),
                inner=place > 0,
                device=device,
                held=held_by(piece.module, layer),
                free=not own and _takes_any(layer) and not _fixed(piece.module),
            )
        )
    return tuple(jobs)


def _fixed(run: Run) -> bool:
    """Return whether a box may take one number of channels alone: it has weights, or was exported so."""
    told = subject(run)
    return bool(told.weights) or "channels" in told.held


def _takes_any(layer: Any) -> bool:
    """Return whether a layer treats all channels alike."""
    return isinstance(layer, (Nearest, Linear, Interpolate)) or (
        isinstance(layer, FilterInterp) and layer.taps.ndim == 1
    )


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
        if getattr(stage, "op", "") in HEADS:
            return halved * int(stage.in_channels)
        taps = stage.filter.h if isinstance(stage, Probe) else stage.taps if isinstance(stage, FilterInterp) else None
        if taps is not None and taps.ndim == 3:
            return halved * int(taps.shape[1])
        halved *= 2 if isinstance(stage, Pointwise) and stage.name == "glu" else 1
    return 2


def _probed(
    run: Run,
    promised: Chain | None,
    undescribed: NotAnalysable,
    dtype: str,
    widths: Sequence[int],
    seed: int,
    device: str,
) -> Plan:
    if promised is not None and not promised.affine and any(isinstance(s, Pointwise) for s in promised.stages):
        hint = "register a law for the module, or hand over its linear layers one by one"
        raise NotAnalysable(complaint("like", spec(promised), "linear layers, where weights must be probed", hint))
    try:
        wide = dtype if dtype in WIDE else "float32"  # which holds every number of half precision
        box = private_copy(run, wide, allowed=DTYPES) if isinstance(run, nn.Module) and dtype != wide else run
        found = _taken_by(box, widths, wide, seed)
    except NotAnalysable as error:
        raise NotAnalysable(f"not described ({undescribed}) and not probed ({error})") from error
    words = f"{words_for(found)}, as probed from it: form and rounding are checked, not its weights"
    if promised is not None:
        check_probed(promised, found.filter, words)
    if dtype != wide:  # a function may round its weights, too
        found = mapped(found, lambda a: rounded(a, dtype))
    job = Job((), run, found, int(found.filter.h.shape[1]), probed=True, device=device)
    return Plan((job,), words)


def _widths(run: Run, told: Subject | None) -> list[int]:
    """Return how many channels a box may take, the likeliest first: what it says, else what its kernels have."""
    kernels = [w.shape for w in (subject(run) if told is None else told).weights.values() if w.ndim >= 2]
    own = own_channels(run, 1)
    return [own, *sorted({n for shape in kernels for n in shape[:2]} - {own})]


def _taken_by(box: Run, widths: Sequence[int], dtype: str, seed: int) -> Probe:
    """Return what probing finds with the first number of channels that a box takes."""
    refusals = []
    for channels in widths:
        try:
            return probe(box, channels=channels, dtype=dtype, seed=seed)
        except NotAnalysable as error:
            refusals.append(error)
    raise refusals[0]
