"""Where the steady state of a chain begins and ends: exactly, for a given number of input samples.

A sample is *steady* if no border has touched it. With taps h[f] … h[l] (the first and the last that are not zero),
sample m of ``y[m] = Σ_n h[m + o − nL] x̃[n]`` draws on a steady stretch A ≤ n < B of its input alone if and only if

    AL + l + 1 − L − o ≤ m < BL + f − o

and a chain is that law once per layer. A decimation by M divides both ends by M, upwards; a pointwise map leaves
them; neither asks for weights. Where the steady state is a constant, borders that repeat the signal continue it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Rational

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, align, as_choice, as_complex, as_integer, complaint
from dspref.chain import Chain, Pointwise, Stage, as_chain, periodic_response
from dspref.layers import Conv, Layer, SubpixelConv, TransposedConv
from dspref.outline import WEIGHTS_HINT, Outline
from dspref.stretchfilter import StretchFilter

__all__ = ["measured_range", "steady_range", "steady_response"]

SOURCES = ("constant", "any")
"""What the input may be: a constant, which some borders continue, or anything, which none does."""


def ones_of(outline: Outline) -> Layer:
    """Return the layer of one channel that an outline is when all of its weights are one.

    Examples
    --------
    >>> ones_of(Outline("convt", 3, stride=2))([[1, 1]])
    array([[1, 1, 2, 1, 1]])
    """
    phases = outline.stride if outline.op == "shuffle" else 1
    return filled(outline, np.ones((phases, 1, outline.length), int))


def filled(outline: Outline, w: Array) -> Layer:
    """Return the layer that an outline is with a weight; a head is taken for a transposed convolution."""
    o = outline
    if o.op == "shuffle":
        return SubpixelConv(w, o.stride, padding=o.padding, dilation=o.dilation)
    if o.op == "conv":
        return Conv(w, stride=o.stride, padding=o.padding, dilation=o.dilation)
    return TransposedConv(w, stride=o.stride, padding=o.padding, output_padding=o.output_padding, dilation=o.dilation)


def linear_part(stage: Layer | Outline) -> tuple[StretchFilter, int]:
    """Return (u, M) such that the stage, its bias apart, is ``u(x)[..., ::M]``; of an outline with ones for weights.

    Raises
    ------
    NotAnalysable
        If the stage has no such form, as corners aligned or factors that are no integers.
    """
    return decimated(ones_of(stage) if isinstance(stage, Outline) else stage)


def decimated(layer: Layer) -> tuple[StretchFilter, int]:
    """Return (u, M) such that the layer, its bias apart, is ``u(x)[..., ::M]``."""
    if isinstance(layer, Conv) and layer.stride > 1:
        return replace(layer, stride=1).normal, layer.stride
    return layer.normal, 1


@dataclass(frozen=True)
class _Span:
    """A signal of `time` samples, steady at first ≤ n < stop, with a period; period 0 if it may be anything."""

    time: int
    first: int
    stop: int
    period: int

    def extended(self, border: str) -> tuple[float, float]:
        """Return [A, B) over which the signal, extended by a border rule, is steady."""
        left, right = self.first == 0 < self.stop, self.stop == self.time > self.first
        if border == "circular" and self.period and self.time % self.period == 0:
            return (-math.inf, math.inf) if left and right else (self.first, self.stop)
        if border == "replicate" and self.period == 1:
            return -math.inf if left else self.first, math.inf if right else self.stop
        if border == "reflect" and self.period == 1:
            mirrored = 2 * self.time - 1 - self.first
            return 1 - self.stop if left else self.first, mirrored if right else self.stop
        return self.first, self.stop


def steady_range(stages: Chain | Stage, time: int, *, source: str = "constant") -> slice:
    """Return the output samples in the steady state, for `time` input samples; empty if there are none.

    Before ``.start`` and from ``.stop`` on, some sample has been touched by a border.

    Eq. 5.3.

    Parameters
    ----------
    stages : Chain or one stage
        Weights are not asked for (`Outline`); pointwise maps and strided convolutions are welcome. Taps at either
        end that are zero count as no taps.
    time : int
        Input samples.
    source : {'constant', 'any'}
        For a constant, borders that repeat the signal leave no trace as long as the steady state is a constant;
        for any input they do.

    Returns
    -------
    slice
        Of output samples; empty if there are none.

    Raises
    ------
    NotAnalysable
        If a layer is no stretch + filter (+ decimation).
    ValueError
        If the input is too short to give an output.

    Notes
    -----
    This is where the steady state begins for weights in general. Given weights may cancel at a border, a gap of
    zeros may look like the zeros beyond it, or a nonlinearity hide it: `measured_range` looks. A dilated kernel
    leaves untouched samples among the touched ones; a decimation behind it may keep none but those, and then
    be steady sooner than said, never later.

    Examples
    --------
    >>> from dspref import Linear, parse
    >>> steady_range(parse("convt k8 s4 p2 | relu | conv k7 p3"), 10)
    slice(5, 35, None)
    >>> steady_range(Linear(4), 10), steady_range(Linear(4), 10, source="any")
    (slice(0, 40, None), slice(2, 38, None))
    """
    as_choice("source", source, SOURCES)
    time = as_integer("time", time, 0)
    span = _Span(time, 0, time, 1 if source == "constant" else 0)
    for stage in as_chain(stages).stages:
        span = _through(stage, span)
    return slice(span.first, max(span.first, span.stop))


def _through(stage: Stage, span: _Span) -> _Span:
    """Return what a stage makes of a steady stretch."""
    if isinstance(stage, Pointwise):
        return span
    u, M = linear_part(stage)
    length = u.length(span.time)
    if length < 0 or (length == 0 and span.time):
        raise ValueError(complaint(f"output length of {stage.op} for {span.time} samples", length, "at least 1"))
    first, stop = 0, length
    taps = np.flatnonzero((u.h != 0).reshape(-1, u.h.shape[-1]).any(axis=0))
    if taps.size:
        A, B = span.extended(u.border)
        first = _clip(A * u.L + int(taps[-1]) + 1 - u.L - u.offset, length)
        stop = _clip(B * u.L + int(taps[0]) - u.offset, length)
    period = _period(stage, u, span.period)
    return _Span(-(-length // M), -(-first // M), -(-stop // M), period // math.gcd(period, M))


def _clip(sample: float, length: int) -> int:
    return int(min(max(sample, 0), length))


def _period(stage: Layer | Outline, u: StretchFilter, period: int) -> int:
    """Return the period behind stretch + filter: a constant stays one where all phase gains are equal."""
    gains, bias = u.phase_gains, stage.bias_phases
    flat = not isinstance(stage, Outline) and bool((gains == gains[:1]).all())
    flat &= bias is None or bool((bias == bias[:, :1]).all())
    return 1 if flat and period == 1 else period * u.L


def steady_response(stages: Chain | Stage, *, offset: ArrayLike = 1) -> Array:
    """Return one period of the steady output for a constant input, of any chain whose weights are known.

    As `Chain.offset_response`, and through pointwise maps and strided convolutions too: what repeats every Q samples
    repeats every QL behind a stretch, every Q/gcd(Q, M) behind a decimation, every Q behind a map.

    Parameters
    ----------
    stages : Chain or one stage, with weights
    offset : number or array (in,)
        The constant in each channel.

    Returns
    -------
    array (out, period), output sample m standing at m mod period; exact for exact numbers.

    Raises
    ------
    NotAnalysable
        If a stage has no weights or no period.
    ValueError
        If the offset has other channels.

    Examples
    --------
    >>> from dspref import Conv, TransposedConv
    >>> chain = Chain([TransposedConv([[[1, 2, -3]]], stride=2), Pointwise("relu"), Conv([[[1, 1, 1]]], stride=2)])
    >>> steady_response(chain)
    array([[2]])
    """
    chain = as_chain(stages)
    mean = chain.checked_offset(offset)
    period = np.array(np.broadcast_to(mean, chain.in_channels or mean.size)[:, None])
    for stage in chain.stages:
        period = _mapped(stage, period) if isinstance(stage, Pointwise) else _periodic(stage, period)
    return period


def _mapped(stage: Pointwise, x: Array) -> Array:
    """Return a map of one period: of exact numbers exact where it can be, else in floating point."""
    exact = stage.name in ("relu", "leaky") and all(isinstance(v, Rational) for v in x.flat)
    return stage(x if exact or x.dtype != object else as_complex("values behind a map", x).real)


def _periodic(stage: Layer | Outline, x: Array) -> Array:
    """Return one period of a stage's response to one period of its input."""
    if isinstance(stage, Outline):
        raise NotAnalysable(complaint("values", f"{stage.op} without weights", "layers with weights", WEIGHTS_HINT))
    u, M = linear_part(stage)
    y = periodic_response(u, x)
    Q = y.shape[-1]
    y = y[..., M * np.arange(Q // math.gcd(Q, M)) % Q]
    bias = stage.bias_phases
    return y if bias is None else np.add(*align(y, np.tile(bias, y.shape[-1] // bias.shape[-1])))


def constant(chain: Chain, time: int, offset: ArrayLike, *, exact: bool = False) -> Array:
    """Return a constant input (in, time) that a chain takes; if `exact`, as objects, which no layer rounds."""
    mean = chain.checked_offset(offset)
    x = np.array(np.broadcast_to(mean.reshape(-1, 1), (chain.in_channels or mean.size, time)))
    return x.astype(object) if exact else x


def measured_range(
    stages: Chain | Stage,
    time: int,
    *,
    offset: ArrayLike = 1,
    roundoff: float = 0.0,
    run: Callable[[Array], Array] | None = None,
) -> slice:
    """Return the longest stretch over which the output for a constant is the steady response, by running it.

    Parameters
    ----------
    stages : Chain or one stage, with weights
    time : int
    offset : number or array (in,)
    roundoff : float
        Differences up to this fraction of the largest sample are rounding; 0 for exact numbers.
    run : callable, optional
        What makes the output of an input (in, time), if not the chain itself: a Torch module, say.

    Returns
    -------
    slice
        Of output samples; empty if there are none.

    Raises
    ------
    ValueError, NotAnalysable
        If the time is below 1; as `steady_response`.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> measured_range(TransposedConv([[[1, 1, 1]]], stride=2), 4)
    slice(1, 8, None)
    """
    chain = as_chain(stages)
    period = steady_response(chain, offset=offset)
    x = constant(chain, as_integer("time", time, 1), offset, exact=run is None and period.dtype == object)
    y = np.asarray((run or chain)(x))
    expected = period[..., np.arange(y.shape[-1]) % period.shape[-1]]
    apart = np.abs(y - expected) > roundoff * np.abs(y).max() if roundoff else y != expected
    edges = np.flatnonzero(np.concatenate([[True], apart.any(axis=0), [True]]))
    longest = int(np.argmax(np.diff(edges)))
    return slice(int(edges[longest]), int(edges[longest + 1]) - 1)
