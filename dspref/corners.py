"""From drawn parameters to layers: what may be chosen in a corner (`dspref.strata`), and what is made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dspref.arrays import Array, complaint
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.layers import Conv, Layer, SubpixelConv, TransposedConv
from dspref.strata import BASE, Params, Rule, only

Make: TypeAlias = Callable[[tuple[int, ...]], Array]
"""A maker of numbers: it gives an array of a shape."""

NUMBERS = ("integer", "real")


class Case(NamedTuple):
    """A layer, and an input for it: ``layer, x = case``.

    Attributes
    ----------
    layer : Layer
    x : array (batch, channel, time)

    Examples
    --------
    >>> case = Case(Nearest(2), np.array([[1, 2]]))
    >>> case.kind, case.time, case.layer(case.x)
    ('nearest', 2, array([[1, 1, 2, 2]]))
    """

    layer: Any
    x: Array

    @property
    def kind(self) -> str:
        """The word for the layer."""
        return str(self.layer.op)

    @property
    def time(self) -> int:
        """Samples of the input."""
        return int(self.x.shape[-1])

    def filled(self, make: Make) -> Case:
        """Return the same case with other numbers."""
        return Case(changed(self.layer, lambda a: make(a.shape)), make(self.x.shape))

    def changed(self, change: Callable[[Array], Array]) -> Case:
        """Return the case with every array of it changed, the layer's and the input."""
        return Case(changed(self.layer, change), change(self.x))


def changed(layer: Any, change: Callable[[Array], Array]) -> Any:
    """Return the layer with its arrays (weight, taps, bias) changed one by one.

    Examples
    --------
    >>> changed(Conv([[[1, 2]]]), lambda a: 3 * a).weight
    array([[[3, 6]]])
    """
    fields = {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)}
    return dataclasses.replace(layer, **{k: change(v) for k, v in fields.items() if isinstance(v, np.ndarray)})


def maker(numbers: str, seed: int) -> Make:
    """Return a maker of whole numbers in ±4, whose sums are exact in every arithmetic, or of normal noise.

    Seed 0, towards which examples shrink, counts.

    Examples
    --------
    >>> maker("integer", 0)((2, 6))
    array([[ 1,  2,  3,  4, -4, -3],
           [-2, -1,  0,  1,  2,  3]])
    """
    dtype = np.int64 if numbers == "integer" else np.float64
    if seed == 0:
        return lambda shape: ((np.arange(np.prod(shape, dtype=int)) + 5) % 9 - 4).reshape(shape).astype(dtype)
    rng = np.random.default_rng(seed)
    return (lambda shape: rng.integers(-4, 5, shape)) if numbers == "integer" else rng.standard_normal


@dataclass(frozen=True)
class Limits:
    """What is asked of layers and inputs beside their corner.

    Attributes
    ----------
    channels : int, optional
        Of the input.
    max_factor : int, optional
    any_shape : bool
        Whether inputs may have other axes than (batch, channel, time), no item, or no sample.
    """

    channels: int | None = None
    max_factor: int | None = None
    any_shape: bool = True

    def allow(self, name: str, content: Any, p: Params) -> bool:
        """Return whether a parameter may have a value, after those in `p`."""
        if name in ("factor", "stride"):
            return self.max_factor is None or content <= self.max_factor
        if name == "lead":
            return self.any_shape or (len(content) == 1 and content[0] > 0)
        if name == "time":
            return self.any_shape or content > 0
        if name == "groups":
            return self.channels is None or self.channels % content == 0
        if name in ("inner", "channels"):
            return self.channels is None or content * p.get("groups", 1) == self.channels
        return True


def choices(kind: str, name: str, p: Params, rules: Mapping[str, Rule], limits: Limits) -> list[Any]:
    """Return what a parameter may be, after those in `p`: by the corner's rule, else, where limits leave none, by any.

    Examples
    --------
    >>> choices("nearest", "factor", {}, {"factor": only(2, 4, 8)}, Limits(max_factor=4))
    [2, 4]
    >>> choices("nearest", "factor", {}, {"factor": only(6)}, Limits(max_factor=4))
    [1, 2, 3, 4]
    """
    rule = BASE[kind][name]
    if name in ("inner", "channels") and limits.channels is not None:
        rule = only(limits.channels // p.get("groups", 1))
    for allowed in (rules.get(name, rule), rule):
        if found := [content for content in allowed(p) if limits.allow(name, content, p)]:
            return found
    raise ValueError(complaint(f"{name} of {kind}", "no value", f"one within {limits}", f"after {p}"))


def make_layer(kind: str, p: Params, make: Make) -> Layer:
    """Return the layer that the parameters say, its numbers from `make`.

    Examples
    --------
    >>> make_layer("nearest", {"factor": 2}, np.ones)
    Nearest(factor=2)
    """
    if kind == "nearest":
        return Nearest(p["factor"])
    if kind == "linear":
        return Linear(p["factor"], align_corners=p["align_corners"])
    if kind == "filter":
        shape = (p["taps"],) if p["rank"] == 1 else (p["outer"], p["channels"], p["taps"])
        return FilterInterp(p["factor"], make(shape), offset=p["offset"], excess=p["excess"])
    out = p["outer"] * (p["factor"] if kind == "shuffle" else p["groups"])
    fields = {k: p[k] for k in ("padding", "dilation", "groups")} | {"bias": make((out,)) if p["bias"] else None}
    if kind == "convt":
        weight = make((p["groups"] * p["inner"], p["outer"], p["taps"]))
        return TransposedConv(weight, stride=p["stride"], output_padding=p["output_padding"], **fields)
    weight, mode = make((out, p["inner"], p["taps"])), p["padding_mode"]
    if kind == "conv":
        return Conv(weight, stride=p["stride"], padding_mode=mode, **fields)
    return SubpixelConv(weight, p["factor"], padding_mode=mode, order=p["order"], **fields)


def make_case(kind: str, p: Params, make: Make) -> Case:
    """Return the layer that the parameters say, with an input.

    Examples
    --------
    >>> make_case("nearest", {"factor": 2, "channels": 1, "lead": (), "time": 3}, np.ones).x
    array([[1., 1., 1.]])
    """
    channels = p["channels"] if "channels" in p else p["groups"] * p["inner"]
    return Case(make_layer(kind, p, make), make((*p["lead"], channels, p["time"])))
