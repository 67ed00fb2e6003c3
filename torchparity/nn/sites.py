"""Where a model upsamples by layers that have a form: transposed, sub-pixel, or an interpolation and a convolution.

What stands behind what is read off a run of the model, or, without one, off its Sequentials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint
from dspref.interpolate import Interpolate
from dspref.interpolators import Linear, Nearest
from dspref.stretchfilter import StretchFilter
from torchparity.describe import describe
from torchparity.followed import Record
from torchparity.nn.basic import FilterInterp1d, Interpolate1d, PixelShuffle1d
from torchparity.nn.canonical import Form, of_subpixel, of_transposed, of_two_layers, zeros_around
from torchparity.nn.fused import FilterConv1d, LinearConv1d, NearestConv1d
from torchparity.nn.links import ELSEWHERE, Edges, links
from torchparity.nn.subpixel import SubpixelConv1d

INTERPOLATIONS = (nn.Upsample, Interpolate1d, FilterInterp1d)
FUSED = (NearestConv1d, LinearConv1d, FilterConv1d)
ALONE = (nn.ConvTranspose1d, SubpixelConv1d, *FUSED)
"""Layers that are an upsampler each."""

SEVERAL = (nn.ConvTranspose2d, nn.ConvTranspose3d)
PADS = {
    nn.ReflectionPad1d: "reflect",
    nn.ReplicationPad1d: "replicate",
    nn.CircularPad1d: "circular",
    nn.ZeroPad1d: "zeros",
}


@dataclass(frozen=True, eq=False)
class Site:
    """An upsampling layer, in one module or two.

    Attributes
    ----------
    name : str
        Of the module with the weight.
    kernel : nn.Module
        That module.
    others : tuple of str
        Names of the interpolations before it, or of the shuffles behind it: several, all alike, if it runs behind each.
    other : nn.Module, optional
        One of them.
    """

    name: str
    kernel: Any
    others: tuple[str, ...] = ()
    other: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        """All modules that it is."""
        return (self.name, *self.others)

    @property
    def inner(self) -> tuple[str, ...]:
        """Those of them behind which there is a length that is gone when they are one."""
        return (self.name,) if isinstance(self.other, PixelShuffle1d) else self.others

    @property
    def family(self) -> str:
        """Its kind; "filter" for an interpolation that is neither nearest nor linear."""
        if isinstance(self.kernel, nn.ConvTranspose1d):
            return "transposed"
        if isinstance(self.kernel, SubpixelConv1d) or isinstance(self.other, PixelShuffle1d):
            return "subpixel"
        if self.other is not None:
            return _family(law(self.other))
        return str(self.kernel.geometry.interpolation.kind)

    @property
    def words(self) -> str:
        """Its types and sizes."""
        K = self.kernel.geometry.length if isinstance(self.kernel, FUSED) else _int(self.kernel.kernel_size)
        kernel = f"{type(self.kernel).__name__.removeprefix('Parametrized')} k{K}"
        if self.other is None:
            return f"{kernel} s{factor_of(self.kernel)}"
        other = f"{type(self.other).__name__} s{factor_of(self.other)}"
        return f"{kernel} + {other}" if isinstance(self.other, PixelShuffle1d) else f"{other} + {kernel}"

    def form(self, weight: Tensor, bias: Tensor | None) -> Form:
        """Return what it does, with weight and bias given in double precision."""
        kernel = self.kernel
        if isinstance(kernel, nn.ConvTranspose1d):
            return of_transposed(kernel, weight, bias)
        if self.family == "subpixel":
            shuffle = kernel if self.other is None else self.other
            return of_subpixel(kernel, shuffle.upscale_factor, shuffle.order, weight, bias)
        if self.other is None:
            i, shape = kernel.geometry.interpolation, kernel.geometry
            u = StretchFilter(i.factor, i.taps, offset=i.offset, excess=i.excess, border=i.border)
            padding, mode, d = shape.pads, shape.padding_mode, shape.dilation
        else:
            u, padding, mode = law(self.other).normal, kernel.padding, kernel.padding_mode
            d = _int(kernel.dilation)
        pads = zeros_around(padding, mode, d * (weight.shape[-1] - 1))
        return of_two_layers(u, weight, bias, pads=pads, dilation=d, groups=kernel.groups)


def sites(model: nn.Module, records: Sequence[Record]) -> tuple[list[Site], list[tuple[str, str]]]:
    """Return where a model upsamples, and what upsamples besides: names, and why they are none.

    Parameters
    ----------
    model : nn.Module
    records : sequence of Record
        Runs of it: what stands behind what in one of them only, does not make a pair.
    """
    parts = dict(model.named_modules())
    before, behind = links(parts, records)
    found = [Site(name, m) for name, m in parts.items() if isinstance(m, ALONE) and factor_of(m) > 1]
    kinds: tuple[tuple[Any, Any, Any], ...] = ((INTERPOLATIONS, before, behind), ((PixelShuffle1d,), behind, before))
    for types, near, far in kinds:
        others = {name for name, m in parts.items() if isinstance(m, types) and _raises(m)}
        taken = {site.name for site in found}  # what stands between an interpolation and a shuffle is of one pair
        convs = {n for n, m in parts.items() if isinstance(m, nn.Conv1d) and m.stride == (1,)} - taken
        kernels = {n for n in convs if near[n] and near[n] <= others and _alike([parts[o] for o in near[n]])}
        pairs = {name for name in kernels if all(far[other] <= kernels for other in near[name])}
        found += [Site(n, parts[n], tuple(sorted(near[n])), parts[min(near[n])]) for n in sorted(pairs)]
    used = {name for site in found for name in site.names}
    ran = {call.where for record in records for call in record.calls}
    return found, [*_unpaired(parts, used, ran, before, behind), *_left(parts, records)]


def law(m: nn.Module) -> Any:
    """Return what an interpolation is, if it has a factor and treats every channel alike.

    Raises
    ------
    NotAnalysable

    Examples
    --------
    >>> law(nn.Upsample(scale_factor=2))
    Nearest(factor=2)
    """
    found: Any = describe(m)
    if getattr(found, "size", None) is not None:
        got, allowed = f"size={found.size}", "a factor: lengths in proportion to the input's"
        raise NotAnalysable(complaint(type(m).__name__, got, allowed))
    if found.normal.h.ndim != 1:
        raise NotAnalysable(complaint(type(m).__name__, "taps that mix channels", "taps for every channel alike"))
    return found


def factor_of(m: Any) -> float:
    """Return the factor of a layer, as it is given to it; 2 where a size is."""
    if isinstance(m, FUSED):
        return m.geometry.factor
    for name in ("upscale_factor", "scale_factor", "factor", "stride"):
        if (given := getattr(m, name, None)) is not None:
            value = given[0] if isinstance(given, (tuple, list)) else given
            return int(value) if value == int(value) else float(value)
    return 2


def _unpaired(
    parts: Mapping[str, nn.Module], used: set[str], ran: set[str], before: Edges, behind: Edges
) -> Iterator[tuple[str, str]]:
    """Yield interpolations and shuffles that are of no pair."""
    for name, m in parts.items():
        if isinstance(m, (*INTERPOLATIONS, PixelShuffle1d)) and _raises(m) and name not in used:
            near, side = (before, "before") if isinstance(m, PixelShuffle1d) else (behind, "behind")
            convs = sorted(n for n in near[name] if isinstance(parts.get(n), nn.Conv1d))
            why = f"without a convolution right {side} it"
            if convs:
                why = _no_pair(parts[convs[0]], convs[0], side, used)
            elif ELSEWHERE in near[name] and name not in ran:
                why = f"that was not run: what is right {side} it is not known"
            yield name, f"{type(m).__name__} {why}" + _padded(parts, name, behind)


def _no_pair(conv: Any, name: str, side: str, used: set[str]) -> str:
    """Return why an interpolation or a shuffle is no pair with a convolution next to it."""
    if conv.stride != (1,):
        return f"with a Conv1d of stride {conv.stride[0]} {side} it"
    if name in used:
        return f"with a convolution {side} it, {name}, that is of another pair"
    return (
        f"whose result is not just what {name} takes, in training or evaluation mode"
        if side == "behind"
        else (f"that takes not just the result of {name}, in training or evaluation mode")
    )


def _padded(parts: Mapping[str, nn.Module], name: str, behind: Edges) -> str:
    """Return what to do if a module puts a border between an interpolation and a convolution."""
    pads = {n: parts[n] for n in behind[name] if type(parts.get(n)) in PADS}
    if len(behind[name]) != 1 or not pads:
        return ""
    ((at, pad),) = pads.items()
    convs = [m for n in behind[at] if isinstance(m := parts.get(n), nn.Conv1d) and m.padding == (0,)]
    left, right = pad.padding  # type: ignore[misc]
    if not convs or left != right:
        return ""
    return f", but {type(pad).__name__}: put that into the Conv1d, padding={left}, padding_mode={PADS[type(pad)]!r}"


def _left(parts: Mapping[str, nn.Module], records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """Yield what upsamples, or may, and is of no kind that is replaced."""
    scripted = [name for name, m in parts.items() if isinstance(m, torch.jit.ScriptModule)]
    for name, m in parts.items():
        if isinstance(m, SEVERAL) and max(m.stride) > 1:
            yield name, f"{type(m).__name__} moves along several axes"
        if name in scripted and name.rpartition(".")[0] not in scripted:
            yield name, "scripted or traced: what is in it is not seen"
    known = {name for name, m in parts.items() if isinstance(m, (*ALONE, *INTERPOLATIONS, PixelShuffle1d, *SEVERAL))}
    for where, func, stride in dict.fromkeys((c.where, c.func, _stride(c)) for r in records for c in r.calls):
        if where not in known and func in CALLS and stride > 1:
            module = MODULES.get(func.rstrip("123d"))
            yield where or "forward", f"calls {func} itself" + (f": make it a module, {module}" if module else "")


MODULES = {
    "interpolate": "nn.Upsample",
    "upsample": "nn.Upsample",
    "pixel_shuffle": "torchparity.nn.PixelShuffle1d",
    "conv_transpose": "nn.ConvTranspose1d",
}
"""What does as a module what functions do, by their names."""

CALLS = frozenset(("interpolate", "upsample", "repeat_interleave", "pixel_shuffle", "fold", "istft")) | {
    f"conv_transpose{n}d" for n in (1, 2, 3)
}
"""Functions that upsample."""


def _stride(call: Any) -> int:
    given = call.given(3, "stride", 1) if call.func.startswith("conv_transpose") else 2
    return max(given) if isinstance(given, (tuple, list)) else int(given)


def _alike(others: Sequence[Any]) -> bool:
    """Return whether several interpolations, or shuffles, are one and the same."""
    if len(others) == 1:
        return True
    if isinstance(others[0], PixelShuffle1d):
        return len({(m.upscale_factor, m.order) for m in others}) == 1
    return all(law(m) == law(others[0]) for m in others)


def _raises(m: Any) -> bool:
    return factor_of(m) > 1


def _family(layer: Any) -> str:
    mode = layer.mode if isinstance(layer, Interpolate) else ""
    if isinstance(layer, Nearest) or mode.startswith("nearest"):
        return "nearest"
    corners = getattr(layer, "align_corners", False)
    return "linear" if (isinstance(layer, Linear) or mode == "linear") and not corners else "filter"


def _int(given: Any) -> int:
    return int(given[0]) if isinstance(given, (tuple, list)) else int(given)
