"""Boundary artifacts: how many stamps meet at each output sample, and what the first and the last samples are.

A layer stamps its kernel at every L-th sample; at both ends stamps are missing. With ``head(p) = Σ h[k]`` over the
k ≤ p, k ≡ p (mod L), the response of stretch + filter to the constant 1, of N samples, is

    y[m] = head(p) − head(p − NL),    p = m + offset

so the first samples are partial sums of the taps, the steady state is ``head(∞)``, one phase gain per phase, and the
last samples are what is left of it. With ones for taps that is the number of stamps. `dspref.settling` says where
one goes over into the other, for any chain.
"""

from __future__ import annotations

import math
from numbers import Number, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_complex, as_integer, complaint, value
from dspref.chain import Chain, Pointwise, Stage, as_chain
from dspref.layers import Conv, Layer, SubpixelConv, TransposedConv
from dspref.multirate import polyphase
from dspref.outline import Outline
from dspref.settling import constant, linear_part, ones_of, steady_range, steady_response

__all__ = ["Boundary", "border_values", "boundary", "overlap_counts"]

LONGEST = 1 << 24
"""Output samples that are worth to be computed: a border is the same for all longer signals."""


def overlap_counts(layer: Layer | Outline, time: int) -> Array:
    """Return how many taps meet at each output sample, in closed form.

    The taps at sample m are the solutions of ``nL + kd = m + offset``, 0 ≤ n < N, 0 ≤ k < K, d the dilation: with
    g = gcd(L, d) every (L/g)-th k between two bounds, or none where g does not divide m + offset. Where a border
    repeats the signal, n has no bounds.

    Eq. 5.2.

    Parameters
    ----------
    layer : layer, or `Outline`
        Taps count, whatever their values.
    time : int
        N.

    Returns
    -------
    integer array (length of the output,)

    Raises
    ------
    NotAnalysable
        If the layer is no stretch + filter (+ decimation).

    References
    ----------
    J. Pons et al., ICASSP 2021, arXiv 2010.14356, Figs. 3 to 5; A. Odena, V. Dumoulin, C. Olah, "Deconvolution and
    checkerboard artifacts", Distill 2016.

    Examples
    --------
    >>> overlap_counts(Outline("convt", 3, stride=2), 4)
    array([1, 1, 2, 1, 2, 1, 2, 1, 1])
    """
    layer = ones_of(layer) if isinstance(layer, Outline) else layer
    N, (K, L, d), p, bounded = as_integer("time", time, 0), *_stamps(layer, time)
    g = int(np.gcd(L, d))
    step = L // g
    residue = p // g * pow(d // g, -1, step) % step
    low, high = np.zeros_like(p), np.full_like(p, K - 1)
    if bounded:
        low, high = np.maximum(low, -(((N - 1) * L - p) // d)), np.minimum(high, p // d)
    count = (high - residue) // step - (low - 1 - residue) // step
    return np.where((p % g == 0) & (high >= low), count, 0)


def _stamps(layer: Layer, time: int) -> tuple[tuple[int, int, int], Array, bool]:
    """Return (K, L, d), m + offset for each output sample, and whether the input has ends."""
    u, M = linear_part(layer)
    m = np.arange(0, max(0, u.length(time)), M)
    bounded = u.border == "zeros"
    if isinstance(layer, SubpixelConv):  # all phases have the same taps, one input sample apart
        return (layer.length, 1, layer.dilation), (m + u.offset) // u.L, bounded
    if isinstance(layer, (Conv, TransposedConv)):
        return (layer.length, u.L, layer.dilation), m + u.offset, bounded
    return (u.h.shape[-1], u.L, 1), m + u.offset, bounded


def border_values(layer: Layer, time: int) -> Array:
    """Return the response to the constant 1, sample by sample, as partial sums of the taps.

    ``y[m] = head(p) − head(p − NL)``, p = m + offset, ``head(p) = Σ h[k]`` over k ≤ p, k ≡ p (mod L). Where a border
    repeats the signal, ``y[m] = head(∞)`` throughout. The bias is left out.

    Eq. 5.1.

    Parameters
    ----------
    layer : layer with weights
        Floats, integers, Fractions or SymPy: nothing but sums and a difference is done to the taps.
    time : int
        N.

    Returns
    -------
    array (out, in, length), or (length,) where every channel is filtered alike

    Raises
    ------
    ValueError
        If the time is below 0.
    NotAnalysable
        If the layer is not linear.

    Examples
    --------
    >>> from sympy import symbols
    >>> print(border_values(TransposedConv([[list(symbols("w:3"))]], stride=2), 3)[0, 0])
    [w0 w1 w0 + w2 w1 w0 + w2 w1 w2]
    """
    u, M = linear_part(layer)
    N, L = as_integer("time", time, 0), u.L
    sums = np.cumsum(polyphase(u.h, L).reshape(*u.h.shape[:-1], L, -1), axis=-1)
    rows = np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)  # [r, q] is the sum of q taps of phase r

    def head(p: Array) -> Array:
        return np.asarray(rows[..., p % L, np.clip(p // L + 1, 0, rows.shape[-1] - 1)])

    p = np.arange(0, max(0, u.length(N)), M) + u.offset
    return head(p) - head(p - N * L) if u.border == "zeros" else head(p % L + u.h.shape[-1] * L)


@value
class Boundary:
    """The two border regions of a response to a constant, and the steady state between them.

    Attributes
    ----------
    time, length : int
        Input and output samples.
    start, end : int
        Output samples before the steady state begins, and after it has ended: `steady_range`, for weights in
        general. If no sample is steady, start is the length.
    head : array (out, start)
    steady : array (out, period)
        Output sample m stands at m mod period, between the two borders.
    tail : array (out, end)
    counts : integer array (length,), or None
        Taps that meet at each output sample; None for chains.
    """

    time: int
    length: int
    start: int
    end: int
    head: Array
    steady: Array
    tail: Array
    counts: Array | None = None

    @property
    def deviation(self) -> tuple[Array, Array]:
        """Head and tail, less what the steady state would be there: (out, start) and (out, end)."""
        m = np.arange(self.length) % self.steady.shape[-1]
        expected = self.steady[:, m]
        return self.head - expected[:, : self.start], self.tail - expected[:, self.length - self.end :]

    @property
    def deviation_db(self) -> tuple[tuple[tuple[float | None, ...], ...], ...]:
        """The deviation of head and tail, per channel and sample, in dB re RMS of that channel's steady state.

        None where there is no deviation, or the steady state is silence. In floats, a deviation of nothing but
        rounding shows below −300 dB.
        """
        power = (np.abs(as_complex("steady state", self.steady)) ** 2).mean(axis=-1)
        parts = (np.abs(as_complex("border", part)) ** 2 for part in self.deviation)
        return tuple(tuple(_levels(row, ref) for row, ref in zip(part, power, strict=True)) for part in parts)

    @property
    def worst_db(self) -> float | None:
        """The largest deviation in dB re RMS of the steady state; None if there is none."""
        found = [level for part in self.deviation_db for row in part for level in row if level is not None]
        return max(found, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them: numbers as numbers, symbols as texts, no level as None."""
        head, tail = self.deviation_db if _numeric(self.head, self.steady, self.tail) else (None, None)
        return {
            "schema": "dspref.boundary/1",
            "time": self.time,
            "length": self.length,
            "start": self.start,
            "end": self.end,
            "period": self.steady.shape[-1],
            "head": _plain(self.head),
            "steady": _plain(self.steady),
            "tail": _plain(self.tail),
            "counts": None if self.counts is None else self.counts.tolist(),
            "deviation_db_re_steady_rms": None if head is None else {"head": head, "tail": tail},
        }

    def __str__(self) -> str:
        period = self.steady.shape[-1]
        kept = self.length - self.start - self.end
        lines = [
            f"{self.time} input samples make {self.length}: {self.start} at the start and {self.end} at the end are "
            f"unsteady, {kept} between repeat every {period}.",
        ]
        for channel, (head, steady, tail) in enumerate(zip(self.head, self.steady, self.tail, strict=True)):
            start = "".join(f"{v}, " for v in head)
            cycle = ", ".join(str(steady[m % period]) for m in range(self.start, self.start + period))
            lines.append(f"channel {channel}: {start}({cycle}), …{''.join(f', {v}' for v in tail)}")
        return "\n".join(lines)


def boundary(stages: Chain | Stage, time: int, *, offset: ArrayLike = 1) -> Boundary:
    """Return the border regions of the response to a constant: of one layer, or of any chain with weights.

    Parameters
    ----------
    stages : Chain or one stage
    time : int
        Input samples.
    offset : number or array (in,)
        The constant. Biases work too.

    Returns
    -------
    Boundary

    Raises
    ------
    NotAnalysable
        If a stage has no weights, or is no stretch + filter (+ decimation).
    ValueError
        If the output has more than `LONGEST` samples.

    Examples
    --------
    The article's Fig. 3, and its Fig. 5, row 3:

    >>> print(boundary(TransposedConv([[[1, 1, 1]]], stride=2), 4))
    4 input samples make 9: 1 at the start and 1 at the end are unsteady, 7 between repeat every 2.
    channel 0: 1, (1, 2), …, 1
    >>> full = boundary(TransposedConv([[[1] * 8]], stride=4), 10)
    >>> full.start, full.end, full.steady, full.counts[:6], round(full.worst_db, 3)
    (4, 4, array([[2, 2, 2, 2]]), array([1, 1, 1, 1, 2, 2]), -6.021)
    """
    chain, time = as_chain(stages), as_integer("time", time, 0)
    samples = time * int(math.prod(stage.factor for stage in chain.stages if stage.factor > 1))
    if samples > LONGEST:
        hint = "the borders of a longer signal are those of a shorter one that has a steady state"
        raise ValueError(complaint("output samples", samples, f"at most {LONGEST}", hint))
    steady = steady_response(chain, offset=offset)
    part = steady_range(chain, time)
    y = chain(constant(chain, time, offset, exact=steady.dtype == object))
    length = y.shape[-1]
    start, stop = (part.start, part.stop) if part.start < part.stop else (length, length)
    single = chain.stages[0] if len(chain.stages) == 1 else None
    counts = None if single is None or isinstance(single, Pointwise) else overlap_counts(single, time)
    return Boundary(time, length, start, length - stop, y[:, :start], steady, y[:, stop:], counts)


def _levels(power: Array, reference: float) -> tuple[float | None, ...]:
    return tuple(float(10 * np.log10(p / reference)) if p > 0 and reference > 0 else None for p in power)


def _numeric(*arrays: Array) -> bool:
    return all(a.dtype != object or all(isinstance(v, Number) for v in a.flat) for a in arrays)


def _plain(a: Array) -> Any:
    """Return nested lists of what JSON has: integers and floats; Fractions become floats, all else text."""
    if a.dtype.kind in "if":
        return a.tolist()
    plain = np.vectorize(lambda v: float(v) if isinstance(v, Real) else str(v), otypes=[object])
    return plain(a).tolist() if a.size else a.tolist()
