"""What kernels with weights share: the laws of their parameters, padding, groups and bias."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import BORDERS, Array, align, as_choice, as_integer, as_taps, complaint, set_field
from dspref.multirate import window


def check_output_padding(output_padding: int, stride: int, dilation: int) -> None:
    """Refuse what Torch refuses: an output padding not less than stride or dilation."""
    if output_padding >= max(stride, dilation):
        allowed = f"less than max(stride, dilation) = {max(stride, dilation)}"
        hint = "it lengthens the output on the right by less than one period"
        raise ValueError(complaint("output_padding", output_padding, allowed, hint))


def check_kernel(layer: object, weight: ArrayLike, *, axis: int) -> None:
    """Check and freeze the fields that all kernels share; `axis` is that of the output channels."""
    fields = {name: getattr(layer, name) for name in layer.__dataclass_fields__}  # type: ignore[attr-defined]
    w = as_taps("weight", weight, 3)
    set_field(layer, "weight", w)
    for name in ("stride", "dilation", "groups"):
        if name in fields:
            set_field(layer, name, as_integer(name, fields[name], 1))
    for name in ("padding", "output_padding"):
        if name in fields and not isinstance(fields[name], str):
            set_field(layer, name, as_integer(name, fields[name], 0, "crop the output yourself to cut more"))
    if isinstance(fields.get("padding"), str):
        as_choice("padding", fields["padding"], ("same", "valid"))
    as_choice("padding_mode", fields.get("padding_mode", "zeros"), BORDERS)
    groups = int(fields["groups"])
    if w.shape[0] % groups:
        what = "input channels" if axis else "output channels"
        raise ValueError(complaint(f"groups for {w.shape[0]} {what}", groups, f"a divisor of {w.shape[0]}"))
    if fields["bias"] is not None:
        out = w.shape[0] if axis == 0 else w.shape[1] * groups
        bias = as_taps("bias", fields["bias"], 1)
        if bias.shape != (out,):
            raise ValueError(complaint("bias", f"shape {bias.shape}", f"({out},), one per output channel"))
        set_field(layer, "bias", bias)


def pads_of(padding: int | str, reach: int) -> tuple[int, int]:
    """Return (left, right) as Torch does: 'same' puts the odd sample on the right."""
    if padding == "same":
        return reach // 2, reach - reach // 2
    p = 0 if padding == "valid" else int(padding)
    return p, p


def dense(w: Array, groups: int) -> Array:
    """Return (out, in, taps) from (out, in/groups, taps): zeros between groups."""
    out, inner, taps = w.shape
    h = np.zeros((groups, out // groups, groups, inner, taps), w.dtype)
    for g in range(groups):
        h[g, :, g] = w.reshape(groups, out // groups, inner, taps)[g]
    return h.reshape(out, groups * inner, taps)


def add_bias(y: Array, bias_phases: Array | None) -> Array:
    """Add a bias (out, period) to an output (..., out, time), whose length may end within a period."""
    if bias_phases is None:
        return y
    y, b = align(y, bias_phases)
    periods = -(-y.shape[-1] // b.shape[-1])
    return np.asarray(y + window(np.tile(b, periods), 0, y.shape[-1]))
