"""Whether the structure that was found is the one that was promised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Stage
from dspref.heads.squeeze import Unsqueeze
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis
from dspref.interpolators import FilterInterp
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.multirate import window
from dspref.outline import HEADS, Outline
from dspref.spec import spec, token
from dspref.stretchfilter import StretchFilter
from torchparity.probe import trimmed
from torchparity.roundoff import mapped


class Broken(ValueError):
    """The structure that was promised is not what was found: the message says where."""

    def __init__(self, message: str, description: str) -> None:
        super().__init__(message)
        self.description = description


def check_described(promised: Sequence[Stage], found: Sequence[Stage], words: str) -> None:
    """Refuse stages that are not those promised, one by one."""
    if len(promised) != len(found):
        raise Broken(f"{len(promised)} stages promised, {len(found)} found: {words}", words)
    for place, (a, b) in enumerate(zip(promised, found, strict=True)):
        if token(a) != token(b) or not (isinstance(a, Outline) or a == b):
            raise Broken(f"stage {place}: '{token(a)}' promised, '{token(b)}' found", words)
        if isinstance(a, Outline) and getattr(b, "order", "crd") != "crd":
            order = "channels in PixelShuffle's order (CRD: channel before phase) promised, DCR (phase first) found"
            raise Broken(f"stage {place}, '{token(a)}': {order}", words)


def check_probed(promised: Chain, u: StretchFilter, words: str) -> None:
    """Refuse a normal form that no weights of the promised architecture can make."""
    out, inner, _ = u.h.shape
    form = _form(promised, inner, out, words)
    laws = {"factor": (form.L, u.L), "excess (length less factor × time)": (form.excess, u.excess)}
    for name, (due, got) in laws.items():
        if due != got:
            raise Broken(f"{name}: {due} promised by '{spec(promised)}', {got} found", words)
    first, last = -u.offset, u.h.shape[-1] - 1 - u.offset
    due_first, due_last = -form.offset, form.h.shape[-1] - 1 - form.offset
    if first < due_first or last > due_last:
        message = f"taps at {due_first} … {due_last} promised by '{spec(promised)}', at {first} … {last} found"
        raise Broken(message, words)
    stray = np.argwhere((window(u.h, u.offset - form.offset, form.h.shape[-1]) != 0) & (form.h == 0))
    if stray.size:
        o, i, place = (int(n) for n in stray[0])
        message = f"no tap at {place + due_first} from channel {i} to {o} promised by '{spec(promised)}', one found"
        raise Broken(message, words)
    border = trimmed(replace(u, border=form.border)).border
    if border != u.border:
        raise Broken(f"border: {border} promised by '{spec(promised)}', {u.border} found", words)


def _form(promised: Chain, inner: int, out: int, words: str) -> StretchFilter:
    """Return the normal form of the promised architecture with a one wherever a tap may be.

    Groups join channels by the share of them that each takes: between two layers without weights, the
    least common multiple of all groups is as good as any number of channels.
    """
    between = math.lcm(*(stage.groups for stage in promised.stages if isinstance(stage, Outline)))
    layers: list[Any] = []
    for place, stage in enumerate(promised.stages):
        if isinstance(stage, Outline):
            behind = _taken(promised.stages[place + 1 :], between, out)
            for channels in (inner, behind):
                if channels % stage.groups:
                    raise Broken(
                        f"{channels} channels found, '{token(stage)}' promised, in {stage.groups} groups", words
                    )
            layers.append(_head(stage, inner) if stage.op in HEADS else _with_ones(stage, inner, behind))
        else:
            layers.append(mapped(stage, lambda a: (a != 0).astype(int)))
        h = layers[-1].normal.h
        if h.ndim == 3 and h.shape[1] != inner:
            raise Broken(f"{h.shape[1]} input channels promised by '{spec(promised)}', {inner} found", words)
        inner = h.shape[0] if h.ndim == 3 else inner
    if inner != out:
        raise Broken(f"{inner} output channels promised by '{spec(promised)}', {out} found", words)
    return Chain(layers).collapse()


def _taken(stages: Sequence[Any], between: int, out: int) -> int:
    """Return how many channels the first of the stages that mixes channels takes, else `out`."""
    for stage in stages:
        if isinstance(stage, Outline):
            return between
        if stage.normal.h.ndim == 3:
            return int(stage.normal.h.shape[1])
    return out


def _head(stage: Outline, inner: int) -> Any:
    """Return a head that takes so many channels, a one wherever it may have a tap; whole frames of an inverse STFT."""
    if stage.op in ("unsqueeze", "lazy", "haar"):
        if inner % stage.stride:
            words = f"a multiple of {stage.stride} channels promised by '{token(stage)}', {inner} found"
            raise Broken(words, token(stage))
        C = inner // stage.stride
        made: dict[str, Any] = {"lazy": LazySynthesis(C), "haar": HaarSynthesis(C, scale=1)}
        u = made.get(stage.op, Unsqueeze(C, stage.stride)).normal
        return FilterInterp(u.L, abs(u.h))
    if stage.op == "lifting":
        what = "by the layer itself: LiftingSynthesis with its filters"
        raise NotAnalysable(complaint("like", token(stage), what, "its ends are not those of a filter"))
    n, x = stage.length, stage.stride
    offset = n // 2 if stage.op == "pqmf" else stage.padding
    excess = 0 if stage.op == "pqmf" else n - x - 2 * stage.padding
    return FilterInterp(x, np.ones((1, inner, n), int), offset=offset, excess=excess)


def _with_ones(stage: Outline, inner: int, out: int) -> Stage:
    """Return a layer of the outline, of so many channels, with every tap 1."""
    s, k, g = stage.stride, stage.length, stage.groups
    shared: dict[str, Any] = {"padding": stage.padding, "dilation": stage.dilation, "groups": g}
    if stage.op == "convt":
        ones = np.ones((inner, out // g, k), int)
        return TransposedConv(ones, stride=s, output_padding=stage.output_padding, **shared)
    if stage.op == "conv":
        return Conv(np.ones((out, inner // g, k), int), stride=s, **shared)
    return SubpixelConv(np.ones((out * s, inner // g, k), int), s, **shared)
