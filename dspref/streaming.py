"""Layers that take their input in chunks: what is final is given at once, what is not is carried on.

By the normal form ``y[m] = Σ_n h[m + offset − nL] x̃[n]``, N taps, 0 ≤ m < LT + excess, T input samples make
output m final as soon as no later sample reaches it (m + offset < LT) and it exists whenever the input ends
(m < LT + excess):

    given(T) = LT − latency        latency = max(offset, −excess)

    output    │ ······ given ······ │ given now │ latency │
              ┆                  m₀ ┆                     ┆ LT
    input           │← lead/L →│     chunk      │ T             lead = max(0, N − L − offset)

The next output m₀ looks back to input ⌊(m₀ − lead)/L⌋: what lies before it is forgotten.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from functools import reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_signal, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.kernels import add_bias
from dspref.layers import Conv, TransposedConv
from dspref.multirate import window
from dspref.operators import overlap_add, zero_stuff
from dspref.stretchfilter import StretchFilter

_COPY = StretchFilter(1, np.ones(1, int))


class Stream:
    """A layer that is fed in chunks of any lengths: ``concatenate(chunks given) == layer(whole)``.

    Called with a chunk (..., in, time), it gives the output samples that are final by then; `flush` ends the
    signal and gives the rest. The border rule acts where the signal begins and ends, not where chunks do. With
    exact numbers (integers, Fractions, floats with integer values) the equality is ``==``, whatever the chunks.

    A transposed convolution adds the tail of the chunks before, and keeps the new one; every other layer is run on
    the input samples that outputs to come look at; the stages of a `Chain` hand on what they give.

    Parameters
    ----------
    layer : Layer, Pointwise, Chain, or StretchFilter
        A StretchFilter is streamed by its own equation: ``Stream(layer.normal)`` is a second route to the same
        samples, biases apart.

    Raises
    ------
    NotAnalysable
        For a circular border (its left end is the signal's right end), layers without weights, and
        ``align_corners=True``, where every output moves with the length.
    ValueError
        If a chunk has other channels than the one before; by `flush`, where the layer refuses the whole signal, or
        nothing was fed.

    Examples
    --------
    >>> stream = Stream(TransposedConv([[[1, 2, 3]]], stride=2))
    >>> stream([[1]]), stream([[10, 100]]), stream.flush()
    (array([[1, 2]]), array([[ 13,  20, 130, 200]]), array([[300]]))
    >>> TransposedConv([[[1, 2, 3]]], stride=2)([[1, 10, 100]])
    array([[  1,   2,  13,  20, 130, 200, 300]])
    """

    def __init__(self, layer: Stage | Chain | StretchFilter) -> None:
        self.layer = layer
        stages = layer.stages if isinstance(layer, Chain) else (layer,)
        self._stages = tuple(_Tail(s) if isinstance(s, TransposedConv) else _Window(s) for s in stages or (_COPY,))

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return f"Stream({self.layer!r})"

    @property
    def latency(self) -> Fraction:
        """Output samples that wait for later input: of ``factor·T`` samples, at most so many are not yet given.

        Exactly ``max(0, ⌈factor·T − latency⌉)`` are given for one layer. It is negative where the output runs
        ahead of the input, and adds up in a chain: ``latency₁·factor₂ + latency₂``.

        Examples
        --------
        >>> from dspref import Linear
        >>> Stream(Chain([Linear(2), Linear(2)])).latency
        Fraction(3, 1)
        """
        return reduce(lambda before, stage: before * stage.factor + stage.latency, self._stages, Fraction(0))

    @property
    def carried(self) -> int:
        """Samples per channel carried from chunk to chunk at most, those of all stages together.

        Examples
        --------
        >>> from dspref import Linear
        >>> Stream(Linear(4)).carried
        1
        """
        return sum(stage.carried for stage in self._stages)

    def __call__(self, x: ArrayLike) -> Array:
        """Return the output samples (..., out, time′) that a chunk (..., in, time) makes final."""
        return reduce(lambda chunk, stage: stage(chunk), self._stages, as_signal(x))

    def flush(self) -> Array:
        """Return the rest of the output; the next chunk begins a new signal."""
        try:
            return reduce(_ended, self._stages[1:], self._stages[0].flush())
        finally:
            self.reset()

    def reset(self) -> None:
        """Forget the signal: the next chunk begins a new one."""
        for stage in self._stages:
            stage.reset()


class _Streamed(Protocol):
    """One layer in a stream."""

    latency: Fraction
    factor: Fraction
    carried: int

    def __call__(self, x: Array) -> Array: ...

    def flush(self) -> Array: ...

    def reset(self) -> None: ...


def _ended(rest: Array, stage: _Streamed) -> Array:
    """Return the rest of a stage whose input ends with `rest`."""
    return np.concatenate([stage(rest), stage.flush()], axis=-1)


class _Window:
    """Any layer, run on the part of the input that outputs to come look at."""

    def __init__(self, layer: Any) -> None:
        self.layer, u = layer, _normal(layer)
        self.L, self.excess, self._step = u.L, u.excess, layer.stride if isinstance(layer, Conv) else 1
        self._late = max(u.offset, -u.excess)
        self._lead = max(0, u.h.shape[-1] - u.L - u.offset)
        self._least = _least_samples(u)
        self.latency, self.factor = Fraction(self._late, self._step), Fraction(u.L, self._step)
        back = -(-(self._late + self._lead) // u.L) + self._step - 1
        self.carried = max(0, back, self._least)
        self._out = u.h.shape[0] if u.h.ndim == 3 else None
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._past: Array | None = None
        self._first = self._time = self._given = 0

    def __call__(self, x: Array) -> Array:
        """Return what is final now."""
        self._past = x if self._past is None else _joined(self._past, x)
        self._time += x.shape[-1]
        ready = max(0, -(-(self.L * self._time - self._late) // self._step)) if self._time >= self._least else 0
        y = self._samples(max(ready, self._given))
        self._forget()
        return y

    def flush(self) -> Array:
        """Return the rest."""
        _check_fed(self._past)
        total = -(-(self.L * self._time + self.excess) // self._step)
        return self._samples(total if self._given else None)

    def _samples(self, end: int | None) -> Array:
        """Return outputs up to `end` that were not yet given; without `end`, all that there are."""
        x, first = self._past, self._given
        assert x is not None
        if end == first:
            return _nothing(self.layer, self._out, x)
        start = self._first * self.L // self._step
        y: Array = self.layer(x)[..., first - start : None if end is None else end - start]
        self._given += y.shape[-1]
        return y

    def _forget(self) -> None:
        """Drop the samples that no later output looks at, whole strides of them."""
        assert self._past is not None
        needed = min((self._given * self._step - self._lead) // self.L, self._time - self._least)
        first = max(self._first, needed // self._step * self._step)
        self._past, self._first = self._past[..., first - self._first :].copy(), first  # the chunk is the caller's


class _Tail:
    """A transposed convolution by overlap-add: the tail of the chunks before is added, the new one kept.

        stamps of the chunks before  ┄┄┄┄┄┄┄┄┄│▒▒▒▒▒▒ tail │
        stamps of this chunk                  │▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│▒▒▒▒▒▒▒▒▒▒▒▒▒ │
                                              │ given, with bias  │ the new tail  │

    The tail begins at the first sample that was not given: `padding` samples into the stamps, at the start.
    """

    def __init__(self, layer: TransposedConv) -> None:
        self.layer, u = layer, layer.normal
        self._w, self.excess = zero_stuff(layer.weight, layer.dilation), u.excess
        self._overlap, self._late = max(0, u.h.shape[-1] - u.L), max(u.offset, -u.excess)
        self.latency, self.factor = Fraction(self._late), Fraction(u.L)
        self.carried = self._overlap + self._late - layer.padding
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._tail: Array | None = None
        self._time = self._given = 0

    def __call__(self, x: Array) -> Array:
        """Return what is final now."""
        layer, s = self.layer, self.layer.stride
        x = as_signal(x, layer.in_channels)
        stamps = overlap_add(x, self._w, stride=s, groups=layer.groups) if x.shape[-1] else None
        tail = _nothing(layer, layer.out_channels, x) if self._tail is None else self._tail
        if tail.shape[:-2] != x.shape[:-2]:
            raise ValueError(complaint("chunk", f"shape {x.shape}", f"{tail.shape[:-2]} before the channels"))
        start, before = layer.padding + self._given, self._time * s
        self._time += x.shape[-1]
        length = max(0, self._time * s + self._overlap - start)
        y = window(tail, 0, length)
        y = y if stamps is None else y + window(stamps, start - before, length)
        ready = max(self._given, self._time * s - self._late) - self._given
        self._given, self._tail = self._given + ready, y[..., ready:]
        return add_bias(y[..., :ready], layer.bias_phases)

    def flush(self) -> Array:
        """Return the rest: output padding is zeros, and the last `padding` samples are never given."""
        tail, total = _check_fed(self._tail), self._time * self.layer.stride + self.excess
        if total < 0 or (total == 0 and self._time):
            self.layer(np.zeros((self.layer.in_channels, self._time), int))  # says why it refuses
        return add_bias(window(tail, 0, total - self._given), self.layer.bias_phases)


def _normal(layer: Any) -> StretchFilter:
    """Return the normal form; of a decimating convolution, that before it decimates."""
    if isinstance(layer, StretchFilter):
        return layer
    if isinstance(layer, Pointwise):
        return _COPY
    u: StretchFilter = (dataclasses.replace(layer, stride=1) if isinstance(layer, Conv) else layer).normal
    return u


def _least_samples(u: StretchFilter) -> int:
    """Return the input samples that the border rule asks for, before anything can be said."""
    left, right = (u.h.shape[-1] - 1 - u.offset) // u.L, (u.excess + u.offset - 1) // u.L + 1
    reach = max(0, left, right)
    if u.border == "circular" and reach:
        hint = "use zeros, replicate or reflect"
        got = "a circular border: the signal's end makes its beginning"
        raise NotAnalysable(complaint("stream", got, "a border rule that looks at its own end", hint))
    return {"reflect": reach + 1, "replicate": 1}.get(u.border, 0) if reach else 0


def _joined(past: Array, x: Array) -> Array:
    if past.shape[:-1] != x.shape[:-1]:
        raise ValueError(complaint("chunk", f"shape {x.shape}", f"{past.shape[:-1]} before time, as the chunk before"))
    return np.concatenate([past, x], axis=-1)


def _check_fed(state: Array | None) -> Array:
    if state is None:
        raise ValueError(complaint("flush", "no chunk yet", "at least one chunk, which may be empty"))
    return state


def _nothing(layer: Any, out: int | None, x: Array) -> Array:
    """Return an output of no samples for an input like `x`."""
    channels = x.shape[-2] // 2 if getattr(layer, "op", "") == "glu" else out or x.shape[-2]
    return np.zeros((*x.shape[:-2], channels, 0), x.dtype)
