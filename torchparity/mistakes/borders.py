"""Classic mistakes at the borders of layers with kernels: padding, cropping, offsets, border rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dspref.arrays import BORDERS
from dspref.interpolators import FilterInterp
from dspref.multirate import extend
from torchparity.mistakes.kernels import Candidates, computed, length_law

LATEST = 16
"""Samples by which an output is looked for early and late, at most."""


def borders(layer: Any) -> Candidates:
    """Yield wrong padding, cropping and border rules."""
    yield from {"convt": _crops, "filter": _offsets}.get(layer.op, _pads)(layer)


def _late(k: int, due: int, *, late: bool, L: int = 1) -> str:
    by = f"output {k} sample{'s' * (k > 1)} {'late' if late else 'early'}"
    if k == 1:
        return f"padding off by one: {by}"
    if late and k == L - 1:
        return f"zeros inserted before each sample, not after: {by}"
    if k == due:
        return f"padding cropped on the {'right' if late else 'left'} only: {by}"
    return by


def _crops(layer: Any) -> Candidates:
    p, op, s, law = layer.padding, layer.output_padding, layer.stride, length_law(layer)
    for k in range(1, max(p, min(LATEST, s + layer.length)) + 1):
        yield _late(k, p, late=True, L=s), computed(layer, start=p - k, length=law)
        yield _late(k, p, late=False), computed(layer, start=p + k, length=law)
    for other in {p - 1, p + 1, 0, 2 * p} - {p, -1}:
        words = "padding ignored" if other == 0 else f"padding {other} where {p} is due"
        yield words, computed(layer, padding=other)
    if op:
        short = computed(layer, output_padding=0)
        yield "output_padding implemented as input padding", lambda x: short(extend(x, 0, op))
        yield "output_padding filled with zeros", lambda x: extend(short(x), 0, op)
        if op >= s:
            clipped = computed(layer, output_padding=s - 1)
            yield "output_padding beyond stride − 1 filled with zeros", lambda x: extend(clipped(x), 0, op - s + 1)
    for other in sorted({0, op - 1, op + 1, min(op, s - 1), op + s - 1} - {op, -1}):
        words = "output_padding ignored" if other == 0 else f"output_padding {other} where {op} is due"
        yield words, computed(layer, output_padding=other)


def _pads(layer: Any) -> Candidates:
    left, right = layer.pads
    for k in range(1, max(left, right, min(LATEST, layer.length)) + 1):
        yield _one_side(k, left, right, late=True), computed(layer, pads=(left + k, right - k))
        yield _one_side(k, left, right, late=False), computed(layer, pads=(left - k, right + k))
    shorter = (layer.length - 1) // 2, layer.length // 2
    for words, pads in {
        "padding ignored": (0, 0),
        "padding off by one: one more": (left + 1, right + 1),
        "padding off by one: one less": (left - 1, right - 1),
        "padding: one sample too many on the right": (left, right + 1),
        "padding: one sample too few on the right": (left, right - 1),
        "dilation ignored in the padding": shorter if layer.dilation > 1 else (left, right),
    }.items():
        if pads != (left, right):
            yield words, computed(layer, pads=pads)
    if getattr(layer, "stride", 1) > 1 and layer.dilation > 1 < layer.length:
        far = layer.stride * layer.dilation
        more = (far - layer.dilation) * (layer.length - 1)
        yield "taps stride·dilation apart", computed(layer, dilation=far, pads=(left, right + more))
        yield "taps stride·dilation apart, also in the length", computed(layer, dilation=far)
    if layer.dilation > 1 and layer.length > 1:
        lost = (layer.dilation - 1) * (layer.length - 1)
        yield "dilation ignored", computed(layer, dilation=1)
        yield (
            "dilation ignored in the kernel, not in the length",
            computed(layer, dilation=1, pads=(left, right - lost)),
        )
    if left or right:
        for border in BORDERS:
            if border != layer.padding_mode:
                words = f"border: {border} where {layer.padding_mode} is due"
                yield words, computed(layer, padding_mode=border)


def _one_side(k: int, left: int, right: int, *, late: bool) -> str:
    if k == abs(left - right) and late == (right > left):
        return "padding 'same': the odd sample on the left, not on the right"
    if left == right == k > 1:
        return f"padded on the {'left' if late else 'right'} only"
    return _late(k, -1, late=late)


def _offsets(layer: FilterInterp) -> Candidates:
    o, reach = layer.offset, max(abs(layer.offset), min(LATEST, layer.factor + layer.length))
    for k in range(1, reach + 1):
        yield _late(k, -1, late=True, L=layer.factor), replace(layer, offset=o - k)
        yield _late(k, -1, late=False), replace(layer, offset=o + k)
    for border in BORDERS[1:]:
        yield f"border: {border} where zeros is due", replace(layer.normal, border=border)
