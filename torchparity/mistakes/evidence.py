"""When a mistake explains what was seen: pairs of inputs and outputs, and how far rounding may take them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import Array, NotAnalysable
from dspref.chain import Chain, Pointwise
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear
from torchparity.mistakes.kernels import Candidates, Model
from torchparity.roundoff import mapped

Pairs: TypeAlias = Sequence[tuple[Array, Array]]

HALF = 2.0**-12
"""Arithmetics that round more coarsely than this may store every partial sum."""


@dataclass(frozen=True)
class Trio:
    """One computation three times: of values, of their magnitudes (S), and of ones (n)."""

    values: Model
    magnitudes: Model
    ones: Model

    def then(self, change: Callable[[Array], Array]) -> Trio:
        """Return the computation followed by a linear one."""
        return Trio(*(partial(_after, run, change) for run in (self.values, self.magnitudes, self.ones)))


def _after(run: Model, change: Callable[[Array], Array], x: Array) -> Array:
    return change(run(x))


@dataclass(frozen=True)
class Subject:
    """What a layer should be, and the pairs to explain.

    A computation explains a pair if no output lies farther from it than

        E = c (n + 4) u S + 10 u (1 + m T/M) D

    n terms that are not zero, summed in any order, err by n·u·S at most, S being the sum of absolute values; four more
    roundings are those of operands, of a factor and of the result; c = 1, or 4 where u is that of a half format, in
    which every product (n u S) and its partial sum may be stored too, from rounded operands (2 u S). The second term,
    twice that of `torchparity.roundoff`, is there where an interpolation finds output m of M at a position in T input
    samples by floating point, with D the largest step between neighbours. Where all numbers are whole and S ≤ 1/u,
    nothing is rounded, and E = 0. The layer itself, if it is one with a kernel, has none of the four: a smaller error
    than a mistake's own bound still counts as a mistake.
    """

    layer: Any
    pairs: Pairs
    u: float

    @cached_property
    def trio(self) -> tuple[Any, Any, Any]:
        """The layer in double precision, with its magnitudes, and with ones; no pointwise map is steeper than 2."""
        double = mapped(self.layer, lambda a: a.astype(np.float64))
        return double, _linear(mapped(double, np.abs), 2.0), _linear(mapped(double, np.ones_like), 1.0)

    @cached_property
    def right(self) -> Trio:
        """The layer itself, computed once for each input."""
        return Trio(*(partial(_remembered, run, {}) for run in self.trio))

    @cached_property
    def due(self) -> list[tuple[Array, Array] | None]:
        """What the layer makes of every input, and how far from it rounding may be; None where it refuses."""
        found = [self.predicted(self.right, x, more=self._more) for x, _ in self.pairs]
        return [pair if pair is None or not copies(self.layer) else (pair[0], 0 * pair[1]) for pair in found]

    @property
    def is_right(self) -> bool:
        """Whether the layer itself explains every pair."""
        return all(
            found is not None and found[0].shape == y.shape and within(y - found[0], found[1])
            for (_, y), found in zip(self.pairs, self.due, strict=True)
        )

    def predicted(self, model: Trio, x: Array, *, more: int = 4) -> tuple[Array, Array] | None:
        """Return what a computation makes of an input, and E; None if it refuses it."""
        y = ran(model.values, x)
        return None if y is None else (y, self._bound(model, x, y, more))

    def _bound(self, model: Trio, x: Array, y: Array, more: int) -> Array:
        with np.errstate(all="ignore"):
            S, n = np.abs(model.magnitudes(np.abs(x))), np.abs(model.ones((x != 0).astype(float)))
        largest = ran(self.right.magnitudes, np.abs(x))
        if largest is not None and largest.shape == S.shape:
            S = np.maximum(S, largest)  # a mistake may take away, with the opposite sign
        if is_whole(x) and self._whole and is_whole(y) and S.max(initial=0) <= 1 / self.u:
            return np.zeros_like(y)
        E = (4 if self.u > HALF else 1) * (n + more) * (self.u + 2.0**-53) * S
        if self._drawn:
            D = 2 * S.max(initial=0) if len(self._stages) > 1 else np.abs(np.diff(x, axis=-1)).max(initial=0)
            E = E + 10 * self.u * (1 + np.arange(y.shape[-1]) * x.shape[-1] / max(y.shape[-1], 1)) * D
        return np.asarray(E)

    @cached_property
    def _stages(self) -> tuple[Any, ...]:
        return self.layer.stages if isinstance(self.layer, Chain) else (self.layer,)

    @cached_property
    def _more(self) -> int:
        """Roundings of the layer itself, beyond its terms."""
        return 4 if self._drawn else 0 if len(self._stages) == 1 else len(self._stages)

    @cached_property
    def _drawn(self) -> bool:
        """Whether positions are found in floating point."""
        return any(isinstance(stage, (Linear, Interpolate)) for stage in self._stages)

    @cached_property
    def _whole(self) -> bool:
        arrays: list[Array] = []
        mapped(self.layer, lambda a: arrays.append(a) or a)  # type: ignore[func-returns-value]
        return all(is_whole(a) for a in arrays) and not any(isinstance(s, Pointwise) for s in self._stages)

    def explained_by(self, model: Trio) -> bool:
        """Return whether a computation explains every pair, and is another than the layer's on one of them."""
        other = False
        for (x, y), due in zip(self.pairs, self.due, strict=True):
            made = ran(model.values, x)
            if made is None or made.shape != y.shape or self._hopeless(y - made):
                return False
            E = self._bound(model, x, made, 4)
            if not within(y - made, E):
                return False
            other |= due is None or due[0].shape != made.shape or not within(made - due[0], E)
        return other

    def _hopeless(self, error: Array) -> bool:
        """Tell most computations apart without their bound: none is 64 times the layer's own, largest one."""
        return not float(np.abs(error).max(initial=0)) <= 64 * self._largest

    @cached_property
    def _largest(self) -> float:
        runs, time = self.right, max(x.shape[-1] for x, _ in self.pairs)
        S = self._peak(lambda x: ran(runs.magnitudes, np.abs(x)))
        n = self._peak(lambda x: ran(runs.ones, np.ones_like(x)))
        return float((4 * (n + 4) + 20 * (1 + time)) * self.u * S)

    def _peak(self, run: Callable[[Array], Array | None]) -> float:
        found = (run(x) for x, _ in self.pairs)
        return max((float(y.max(initial=0)) for y in found if y is not None), default=0.0)


def _remembered(run: Model, memory: dict[tuple[Any, ...], Array], x: Array) -> Array:
    key = (x.shape, x.tobytes())
    if key not in memory:
        memory[key] = run(x)
    return memory[key]


def ran(model: Model, x: Array) -> Array | None:
    """Return what a computation makes of an input; None if the input is too short for it, or has other channels."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(model(x))
    except ValueError:
        return None


def within(error: Array, E: Array) -> bool:
    """Return whether no error is larger than its bound (and none is NaN)."""
    with np.errstate(all="ignore"):
        return bool((np.abs(error) <= E).all())


def copies(layer: Any) -> bool:
    """Return whether a layer copies samples, and nothing else."""
    return getattr(layer, "op", "") == "nearest" or str(getattr(layer, "mode", "")).startswith("nearest")


def whole_factor(layer: Any) -> int:
    """Return the factor of a layer or chain, 1 where it is no integer.

    Examples
    --------
    >>> whole_factor(Interpolate("linear", size=3)), whole_factor(Interpolate("linear", scale_factor=2))
    (1, 2)
    """
    try:
        return layer.factor if isinstance(layer.factor, int) else 1
    except NotAnalysable:
        return 1


def is_whole(a: Array) -> bool:
    """Return whether all numbers are integers."""
    return bool((a == np.rint(a)).all())


def _linear(layer: Any, slope: float) -> Any:
    """Return a chain with its pointwise maps replaced by a factor ("glu" stays: it halves the channels)."""
    if not isinstance(layer, Chain):
        return layer
    factor = FilterInterp(1, np.array([slope]))
    return Chain(factor if isinstance(s, Pointwise) and s.name != "glu" else s for s in layer.stages)


def trios(row: Callable[[Any], Candidates], subject: Subject) -> Iterator[tuple[str, Trio]]:
    """Yield the candidates of a row, each for the layer and, once it is asked for, for its magnitudes and its ones."""

    def again(layer: Any, place: int, x: Array) -> Array:
        _, model = next(islice(row(layer), place, None))
        return model(x)

    double, S, n = subject.trio
    for place, (words, model) in enumerate(row(double)):
        yield words, Trio(model, partial(again, S, place), partial(again, n, place))
