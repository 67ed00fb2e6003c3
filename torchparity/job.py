"""One piece of a check: what to run, what to compare it with, and which inputs tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from torch import nn

from dspref.arrays import Array
from dspref.chain import Chain, Pointwise
from dspref.interpolators import Linear, Nearest
from dspref.layers import Conv, SubpixelConv
from dspref.spec import token
from torchparity.calls import Run
from torchparity.cases import Case
from torchparity.probe import Probe
from torchparity.roundoff import Bound, bound, doubled, mapped, terms, unbiased

_LONGEST = 4096
_EXACT = {"float32": 2**24, "float64": 2**53}
"""Whole numbers up to which every sum of whole numbers is exact."""

_CAVEAT = "; taps came from probing: a box of several layers rounds more than its collapsed taps say"


@dataclass(frozen=True)
class Job:
    """A piece to run, and the reference to compare it with."""

    names: tuple[str, ...]
    run: Run
    layer: Any
    channels: int
    probed: bool = False
    inner: bool = False
    """Whether another layer makes its input: then it may work in place."""

    @property
    def words(self) -> str:
        """The reference, as in an architecture in words."""
        return words_for(self.layer)

    @property
    def caveat(self) -> str:
        """What must be known of a bound that was broken."""
        return _CAVEAT if self.probed else ""

    @property
    def bounded(self) -> bool:
        """Whether a rounding bound is known for it."""
        return not any(isinstance(s, Pointwise) and s.name not in ("relu", "leaky") for s in stages_of(self.layer))

    @property
    def copies_taps(self) -> bool:
        """Whether its response to a single one copies taps, so that nothing is rounded."""
        if isinstance(self.layer, Linear):  # a power of two: positions are exact
            return not self.layer.align_corners and self.layer.factor & (self.layer.factor - 1) == 0
        return not isinstance(self.layer, (Chain, Pointwise)) or self.layer == Pointwise("relu")

    @cached_property
    def extent(self) -> int:
        """Input samples that one output looks at."""
        return sum(_extent(stage) for stage in stages_of(self.layer))

    @property
    def critical_lengths(self) -> tuple[int, ...]:
        """Input lengths about which the kernel begins to fit, and border rules to apply."""
        pads = [max(s.pads) for s in stages_of(self.layer) if isinstance(s, (Conv, SubpixelConv))]
        near = {self.extent - 1, self.extent, self.extent + 1, self.extent + 9}
        near |= {pad + more for pad in pads for more in (0, 1)}
        return tuple(sorted(t for t in near if 1 <= t <= _LONGEST))

    def reference(self, x: Array, *, double: bool = True) -> Array:
        """Return what the reference gives, in double precision or in that of `x`."""
        with np.errstate(all="ignore"):
            return np.asarray(doubled(self.layer)(x.astype(float)) if double else self.layer(x))

    @cached_property
    def _terms(self) -> Callable[[int], Array]:
        return cache(lambda time: terms(self.layer, self.channels, time))

    def bound(self, x: Array, dtype: str) -> Bound:
        """Return the rounding bound of every output, and S."""
        counted = not isinstance(self.layer, (Chain, Linear, Nearest, Pointwise))
        return bound(self.layer, x, dtype, n=self._terms(x.shape[-1]) if counted else None)

    def single(self, x: Array) -> Array:
        """Return for every output whether at most one sample of `x` that is not zero reaches it."""
        touched = mapped(unbiased(self.layer), np.ones_like)((x != 0).astype(float))
        return np.asarray(touched <= 1)

    def products(self, time: int) -> int:
        """Return about how many products one item of a batch costs."""
        return time * (sum(a.size for a in _arrays(self.layer)) + self.channels * max(1, int(self.layer.factor)))

    def whole_numbers(self, dtype: str) -> bool:
        """Return whether integers in ±8 make sums that are exact in every order."""
        arrays = _arrays(self.layer)
        if isinstance(self.layer, (Linear, Pointwise)) or any((a != np.round(a)).any() for a in arrays):
            return False
        largest = doubled(self.layer, np.abs)(np.full((self.channels, 2 * self.extent + 8), 8.0))
        return bool(largest.max() <= _EXACT[dtype])

    def code(
        self, case: Case, index: tuple[int, ...] | None = None, expected: float = 0, before: Sequence[Job] = ()
    ) -> str:
        """Return a line of Python that shows one output, or the whole shape."""
        y = "x"
        for name in [name for job in (*before, self) for name in job.names]:
            y = f"f.get_submodule({name!r})({y})"
        y = f"f({y})" if y == "x" else y
        show = f"{y}.shape" if index is None else f"{y}[{', '.join(map(str, index))}].item(), {float(expected)!r}"
        copied = f"f = calls.private_copy(f, {case.dtype!r}); " if isinstance(self.run, nn.Module) else ""
        return f"import torch; from torchparity import calls, cases; {copied}x = {case.code}; print({show})"


def stages_of(layer: Any) -> tuple[Any, ...]:
    """Return the stages of a chain, or the one layer."""
    return layer.stages if isinstance(layer, Chain) else (layer,)


def _extent(stage: Any) -> int:
    if isinstance(stage, (Conv, SubpixelConv)):
        return int(stage.dilation * (stage.length - 1) + 1)
    if isinstance(stage, Pointwise):
        return 1
    if isinstance(stage, Linear):
        return 2
    return -(-int(stage.normal.h.shape[-1]) // int(stage.normal.L))


def _arrays(layer: Any) -> list[Array]:
    found: list[Array] = []
    mapped(layer, lambda a: found.append(a) or a)  # type: ignore[func-returns-value]
    return found


def words_for(layer: Any) -> str:
    """Return a layer, a chain or what a probe found, in words."""
    if isinstance(layer, Probe):
        u = layer.filter
        return f"stretch ×{u.L} + {u.h.shape[-1]} taps (offset {u.offset}, excess {u.excess}, border {u.border})"
    return " | ".join(token(stage) for stage in stages_of(layer)) or "nothing"
