"""The corners of each layer's parameter space, as data.

`BASE` says what each parameter of a kind may be, in the order of drawing, the smallest value first. A `Stratum`
replaces some of those rules, so that what is drawn lies in its corner, and has a predicate ``holds(layer, x)`` of
its own: what a test reports is what the predicates saw, not what the rules intended.

>>> from dspref import TransposedConv
>>> gap = STRATA["convt"]["stride > extent (gap)"]
>>> [gap.holds(TransposedConv([[[1, 1]]], stride=s), None) for s in (2, 3)]
[False, True]

`dspref.strategies` draws from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dspref.arrays import Array

Params: TypeAlias = dict[str, Any]
Rule: TypeAlias = Callable[[Params], Sequence[Any]]
Holds: TypeAlias = Callable[[Any, Array], bool]


@dataclass(frozen=True)
class Stratum:
    """What holds in a corner, and the rules that draw into it."""

    holds: Holds
    rules: Mapping[str, Rule]


def only(*values: Any) -> Rule:
    """Allow these values, whatever was drawn before."""
    return lambda p: values


def stratum(holds: Holds, **rules: Rule | tuple[Any, ...] | Any) -> Stratum:
    """Return a stratum; a rule may be given as a tuple of values, or as one value."""
    as_rule = {k: v if callable(v) else only(*(v if isinstance(v, tuple) else (v,))) for k, v in rules.items()}
    return Stratum(holds, as_rule)


def divisors(n: int) -> list[int]:
    """Return the divisors of `n`, 1 and `n` among them."""
    return [k for k in range(1, n + 1) if n % k == 0]


def extent(p: Params) -> int:
    """Return how many taps there are, with the zeros of dilation between them."""
    return int(p["dilation"] * (p["taps"] - 1) + 1)


def uncropped(p: Params) -> int:
    """Return the output length of a transposed convolution without padding."""
    return int((p["time"] - 1) * p["stride"] + extent(p) + p["output_padding"])


def output_paddings(p: Params) -> range:
    """Return the output paddings that Torch allows."""
    return range(max(p["stride"], p["dilation"]))


def convt_padding(p: Params) -> range:
    """Return the paddings that leave at least one sample (of an empty input: no less than none)."""
    return range((uncropped(p) - (p["time"] > 0)) // 2 + 1)


def conv_time(p: Params) -> range:
    """Return lengths for which the kernel fits, and the border rule has samples enough."""
    words = {"same": extent(p) // 2, "valid": 0}
    side: int = words[p["padding"]] if p["padding"] in words else p["padding"]
    total = extent(p) - 1 if p["padding"] == "same" else 2 * side
    least = {"zeros": 1, "replicate": 1, "reflect": side + 1, "circular": max(side, 1)}[p["padding_mode"]]
    low = max(least, extent(p) - total)
    return range(low, low + 5)


LEAD = {"lead": only((1,), (2,), (), (3,)), "bias": only(False, True)}
KERNEL = {"inner": only(1, 2), "dilation": only(1, 1, 2, 3), "taps": only(*range(1, 8))}
CONV = {**KERNEL, "padding_mode": only("zeros"), "padding": only(*range(5)), "time": conv_time}
FIXED = {"factor": only(*range(1, 7)), "channels": only(1, 2, 4), "time": only(*range(1, 10))}

BASE: dict[str, dict[str, Rule]] = {
    "convt": {
        **LEAD,
        "groups": only(1, 1, 2),
        "outer": only(1, 2),
        **KERNEL,
        "stride": only(*range(1, 7)),
        "time": only(*range(1, 10)),
        "output_padding": output_paddings,
        "padding": convt_padding,
    },
    "conv": {**LEAD, "groups": only(1, 1, 2), "outer": only(1, 2), **CONV, "stride": only(1)},
    "shuffle": {
        **LEAD,
        "factor": only(*range(1, 6)),
        "outer": only(1, 2),
        "groups": lambda p: [g for g in divisors(p["outer"] * p["factor"]) if g <= 4],
        **CONV,
        "order": only("crd"),
    },
    "nearest": {**LEAD, **FIXED},
    "linear": {**LEAD, **FIXED, "align_corners": only(False)},
    "filter": {
        **LEAD,
        **FIXED,
        "channels": only(1, 2, 3),
        "rank": only(1, 3),
        "outer": only(1, 2, 3),
        "taps": only(*range(1, 8)),
        "offset": only(*range(4)),
        "excess": lambda p: range(1 - min(3, p["factor"] * p["time"]), 4),
    },
}

SHAPES = {
    "length 0": stratum(lambda w, x: x.shape[-1] == 0, time=0),
    "length 1": stratum(lambda w, x: x.shape[-1] == 1, time=1),
    "batch 0": stratum(lambda w, x: 0 in x.shape[:-2], lead=lambda p: [(0,)]),
    "unbatched": stratum(lambda w, x: x.ndim == 2, lead=lambda p: [()]),
    "two batch axes": stratum(lambda w, x: x.ndim == 4, lead=lambda p: [(2, 3), (3, 1)]),
}
FACTORS = {
    "factor 1": stratum(lambda w, x: w.factor == 1, factor=1),
    "odd factor > 1": stratum(lambda w, x: w.factor > 1 and w.factor % 2 == 1, factor=(3, 5, 7)),
    "factor a power of two": stratum(lambda w, x: w.factor in (2, 4, 8), factor=(2, 4, 8)),
    "factor 6": stratum(lambda w, x: w.factor == 6, factor=6),
}
KERNELS = {
    **SHAPES,
    "bias": stratum(lambda w, x: w.bias is not None, bias=True),
    "dilation": stratum(lambda w, x: w.dilation > 1 < w.length, dilation=(2, 3), taps=(2, 3, 4)),
}


def reach(w: Any) -> int:
    """Return how many samples there are from the first tap of a layer to the last."""
    return int(w.dilation * (w.length - 1))


def grouped(w: Any, outer: int, inner: int) -> bool:
    """Return whether there are groups, each with several channels on both sides."""
    return bool(w.groups > 1 and outer > 1 and inner > 1)


def bordered(mode: str) -> Stratum:
    """Return the stratum of a border rule that has something to do."""
    rules = {"padding_mode": mode, "taps": (2, 3, 5), "padding": (1, 2, 3, "same")}
    return stratum(lambda w, x: w.padding_mode == mode and sum(w.pads) > 0, **rules)


def half(p: Params) -> list[int]:
    """Return the padding that keeps the length, or adds one."""
    return [extent(p) // 2]


CONVS = {
    **KERNELS,
    "length 0": stratum(lambda w, x: x.shape[-1] == 0, padding=half, time=0),
    "length 1": stratum(lambda w, x: x.shape[-1] == 1, padding=half, time=1),
    "one sample out": stratum(
        lambda w, x: x.shape[-1] + sum(w.pads) == reach(w) + 1, padding="valid", time=lambda p: [extent(p)]
    ),
    "even extent": stratum(lambda w, x: reach(w) % 2 == 1, dilation=(1, 3), taps=(2, 4, 6)),
    "padding > taps - 1": stratum(lambda w, x: min(w.pads) > reach(w), dilation=1, taps=(1, 2, 3), padding=(4, 5)),
    "'valid'": stratum(lambda w, x: w.padding == "valid", padding="valid"),
    "'same', odd extent": stratum(
        lambda w, x: w.padding == "same" and reach(w) % 2 == 0, taps=(1, 3, 5), padding="same"
    ),
    "'same', even extent": stratum(
        lambda w, x: w.padding == "same" and reach(w) % 2 == 1, dilation=(1, 3), taps=(2, 4), padding="same"
    ),
    **{f"border {mode}": bordered(mode) for mode in ("reflect", "replicate", "circular")},
}

STRATA: dict[str, dict[str, Stratum]] = {
    "convt": {
        **KERNELS,
        "length 0": stratum(lambda w, x: x.shape[-1] == 0, taps=(4, 5, 7), stride=(1, 2, 3), time=0),
        "groups, several channels each": stratum(
            lambda w, x: grouped(w, w.weight.shape[1], w.weight.shape[0] // w.groups), groups=2, inner=2, outer=2
        ),
        "stride > extent (gap)": stratum(
            lambda w, x: w.stride > reach(w) + 1,
            dilation=(1, 2),
            taps=(1, 2, 3),
            stride=lambda p: range(extent(p) + 1, extent(p) + 4),
        ),
        "K no multiple of s": stratum(
            lambda w, x: w.length % w.stride != 0, stride=lambda p: [s for s in range(2, 9) if p["taps"] % s]
        ),
        "K multiple of s > 1": stratum(
            lambda w, x: w.stride > 1 and w.length % w.stride == 0,
            taps=(2, 4, 6),
            stride=lambda p: divisors(p["taps"])[1:],
        ),
        "output_padding > 0": stratum(
            lambda w, x: w.output_padding > 0,
            stride=(2, 3, 5),
            output_padding=lambda p: output_paddings(p)[1:],
        ),
        "output_padding >= stride, dilated": stratum(
            lambda w, x: w.output_padding >= w.stride,
            dilation=(2, 3, 4),
            stride=lambda p: range(1, p["dilation"]),
            output_padding=lambda p: range(p["stride"], p["dilation"]),
        ),
        "padding > 0": stratum(lambda w, x: w.padding > 0, taps=(3, 4, 7), padding=lambda p: convt_padding(p)[1:]),
        "padding > taps - 1": stratum(
            lambda w, x: w.padding > reach(w),
            dilation=1,
            taps=(1, 2, 3),
            stride=(2, 3),
            time=(5, 7, 9),
            padding=lambda p: convt_padding(p)[p["taps"] :],
        ),
        "cropped to one sample": stratum(
            lambda w, x: w.padding > 0 and w.normal.length(x.shape[-1]) == 1,
            taps=(3, 4, 5),
            stride=(2, 3, 4),
            output_padding=lambda p: [
                op for op in output_paddings(p)[:2] if uncropped({**p, "output_padding": op}) % 2
            ],
            padding=lambda p: convt_padding(p)[-1:],
        ),
    },
    "conv": {
        **CONVS,
        "groups, several channels each": stratum(
            lambda w, x: grouped(w, w.weight.shape[0] // w.groups, w.weight.shape[1]), groups=2, inner=2, outer=2
        ),
        "stride > 1 (native only)": stratum(lambda w, x: w.stride > 1, stride=(2, 3, 4)),
    },
    "shuffle": {
        **CONVS,
        "groups, several channels each": stratum(
            lambda w, x: grouped(w, w.weight.shape[0] // w.groups, w.weight.shape[1]),
            factor=(2, 4),
            outer=2,
            groups=2,
            inner=2,
        ),
        "groups cut through a period": stratum(
            lambda w, x: w.weight.shape[0] // w.groups % w.factor != 0,
            factor=(2, 4),
            outer=1,
            groups=lambda p: divisors(p["factor"])[1:2],
        ),
        "bias of a period > 1": stratum(lambda w, x: w.factor > 1 and w.bias is not None, factor=(2, 3, 5), bias=True),
        "phase before channel (DCR)": stratum(
            lambda w, x: w.order == "dcr" and w.factor > 1 and w.out_channels > 1, factor=(2, 3), outer=2, order="dcr"
        ),
    },
    "nearest": {**SHAPES, **FACTORS},
    "linear": {
        **SHAPES,
        **FACTORS,
        "align_corners (native only)": stratum(lambda w, x: w.align_corners, align_corners=True),
    },
    "filter": {
        **SHAPES,
        "length 0": stratum(lambda w, x: x.shape[-1] == 0, time=0, excess=(0, 1, 2)),
        "one filter for all channels": stratum(lambda w, x: w.taps.ndim == 1, rank=1),
        "channels mixed": stratum(
            lambda w, x: w.taps.ndim == 3 and min(w.taps.shape[:2]) > 1, rank=3, channels=(2, 3), outer=(2, 3)
        ),
        "factor > taps (gap)": stratum(lambda w, x: w.factor > w.length, factor=(3, 5, 6), taps=(1, 2)),
        "offset < 0": stratum(lambda w, x: w.offset < 0, offset=(-4, -2, -1)),
        "offset > taps - 1": stratum(lambda w, x: w.offset >= w.length, offset=(7, 9)),
        "excess < 0": stratum(
            lambda w, x: w.excess < 0,
            factor=(2, 3, 4),
            time=(2, 5),
            excess=lambda p: [e for e in (-3, -1) if p["factor"] * p["time"] + e > 0],
        ),
        "excess > 0": stratum(lambda w, x: w.excess > 0, excess=(1, 2, 5)),
    },
}
