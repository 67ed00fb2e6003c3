"""One trilinear form, of which every kernel layer, and every gradient of one, is a partial derivative.

    T(w, low, high) = Σ_a Σ_b Σ_k Σ_n  w[a, b, k] · low[a, n] · high[b, ns + kd]

    high   │ · · · · · · · · · · · · · · │    s samples for one of low
             └─┬─┴─┬─┘                        taps d apart
              w│[a, b, k]
    low    │   n       n+1     n+2      │

A transposed convolution is ∂T/∂high, a convolution ∂T/∂low; each is the other's adjoint, and ∂T/∂w is the
gradient of both by their weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dspref.arrays import Array, align

_BLOCK = 1 << 19  # numbers in a block of columns: 4 MB of doubles


@dataclass(frozen=True)
class Trilinear:
    """The form ``T = Σ w[a, b, k] low[a, n] high[b, ns + kd]``, by its derivatives: w is (a, b/groups, taps).

    Each derivative is one matrix product per block of time, so that memory is that of the arrays and one block.

    Examples
    --------
    >>> form = Trilinear(taps=3, stride=2)
    >>> w, low = np.array([[[1, 2, 3]]]), np.array([[1, 10]])
    >>> form.by_high(w, low, 5)
    array([[ 1,  2, 13, 20, 30]])
    >>> form.by_low(w, np.array([[1, 0, 0, 0, 1]]), 2)
    array([[1, 3]])
    """

    taps: int
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    def span(self, time: int) -> int:
        """Return the samples of `high` that `time` samples of `low` meet: (time − 1)s + d(taps − 1) + 1."""
        return (time - 1) * self.stride + self.dilation * (self.taps - 1) + 1 if time else 0

    def by_low(self, w: Array, high: Array, time: int) -> Array:
        """Return ``Σ_b Σ_k w[a, b, k] high[b, ns + kd]`` for 0 ≤ n < time, as (..., a, time)."""
        w, high = align(w, high)
        matrix, wide = w.reshape(self.groups, w.shape[0] // self.groups, -1), self._grouped(high)
        low = np.empty((*matrix.shape[:2], wide.shape[2], time), w.dtype)
        for n in self._blocks(wide, time):
            low[..., n] = (matrix @ self._columns(wide, n)).reshape(low[..., n].shape)
        return _ungrouped(low, high.shape[:-2])

    def by_high(self, w: Array, low: Array, length: int) -> Array:
        """Return ``Σ_a w[a, b, k] low[a, n]`` added up at ns + kd, as (..., b, length)."""
        w, low = align(w, low)
        matrix, narrow = w.reshape(self.groups, w.shape[0] // self.groups, -1), self._grouped(low)
        high = np.zeros((self.groups, w.shape[1], narrow.shape[2], length), w.dtype)
        for n in self._blocks(high, low.shape[-1]):
            block = narrow[..., n]
            columns = matrix.swapaxes(1, 2) @ block.reshape(*block.shape[:2], -1)
            columns = columns.reshape(*high.shape[:2], self.taps, *block.shape[2:])
            for k in range(self.taps):
                high[..., self._met(n, k)] += columns[:, :, k]
        return _ungrouped(high, low.shape[:-2])

    def by_kernel(self, low: Array, high: Array) -> Array:
        """Return ``Σ_n low[a, n] high[b, ns + kd]``, summed over leading axes too, as (a, b/groups, taps)."""
        low, high = align(low, high)
        narrow, wide = self._grouped(low), self._grouped(high)
        w = np.zeros((*narrow.shape[:2], wide.shape[1] * self.taps), low.dtype)
        for n in self._blocks(wide, low.shape[-1]):
            block = narrow[..., n]
            w += block.reshape(*block.shape[:2], -1) @ self._columns(wide, n).swapaxes(1, 2)
        return w.reshape(-1, wide.shape[1], self.taps)

    def _grouped(self, x: Array) -> Array:
        """Return (..., channel, time) as (group, channel, signal, time)."""
        *lead, channels, time = x.shape
        signals = x.reshape(math.prod(lead), self.groups, channels // self.groups, time)
        return signals.transpose(1, 2, 0, 3)

    def _blocks(self, wide: Array, time: int) -> Iterator[slice]:
        """Cut 0 ≤ n < time into blocks whose columns are few enough."""
        each = math.prod(wide.shape[:3]) * self.taps
        step = max(1, _BLOCK // max(1, each))
        return (slice(n, min(n + step, time)) for n in range(0, time, step))

    def _met(self, n: slice, k: int) -> slice:
        """Return where tap k meets `high`: ns + kd."""
        first = k * self.dilation
        return slice(n.start * self.stride + first, (n.stop - 1) * self.stride + first + 1, self.stride)

    def _columns(self, wide: Array, n: slice) -> Array:
        """Return ``columns[g, (b, k), (signal, n)] = high[g, b, signal, ns + kd]``."""
        groups, inner, signals, _ = wide.shape
        columns = np.empty((groups, inner, self.taps, signals, n.stop - n.start), wide.dtype)
        for k in range(self.taps):
            columns[:, :, k] = wide[..., self._met(n, k)]
        return columns.reshape(groups, inner * self.taps, -1)


def _ungrouped(x: Array, lead: tuple[int, ...]) -> Array:
    """Return (group, channel, signal, time) as (..., channel, time)."""
    return x.transpose(2, 0, 1, 3).reshape(*lead, x.shape[0] * x.shape[1], x.shape[-1])
