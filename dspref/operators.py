"""What layers do, each by its own definition.

Nothing here knows of normal forms (`dspref.stretchfilter`), so that "native == normal form" is a test
and not a tautology. Weights have Torch's layouts; arrays are checked by the layers that own them.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import TypeAlias

import numpy as np

from dspref.arrays import Array, align, complaint
from dspref.multirate import convolve, extend, interleave, polyphase, window

Pads: TypeAlias = tuple[int, int]

_BLOCK = 1 << 19  # numbers in the working copy of overlap_add: 4 MB of doubles


def correlate(
    x: Array,
    w: Array,
    *,
    stride: int = 1,
    pads: Pads = (0, 0),
    dilation: int = 1,
    groups: int = 1,
    border: str = "zeros",
) -> Array:
    """Slide a kernel over the input: ``y[o, t] = Σ_i Σ_k w[o, i, k] x̃[i, ts + kd − p]``.

    Eq. 1.5.

    Parameters
    ----------
    x : array (..., in, time)
    w : array (out, in/groups, taps)
        As ``torch.nn.Conv1d.weight``: a correlation, the kernel is not flipped.
    pads : (left, right)
        By how many samples the border rule extends the input.
    stride, dilation, groups : int
        s, d, and the groups into which channels are split, each at least 1.
    border : {'zeros', 'reflect', 'replicate', 'circular'}
        What stands beyond the ends.

    Returns
    -------
    array (..., out, ⌊(time + left + right − d(taps − 1) − 1)/s⌋ + 1)

    Examples
    --------
    >>> correlate(np.array([[1, 2, 3]]), np.array([[[1, 10]]]))
    array([[21, 32]])
    """
    out, inner, taps = w.shape
    length = _positive((x.shape[-1] + sum(pads) - dilation * (taps - 1) - 1) // stride + 1, x.shape[-1])
    x, w = align(extend(x, *pads, border=border) if length else x, w)
    lead = x.shape[:-2]
    x = x.reshape(*lead, groups, inner, x.shape[-1])
    w = w.reshape(groups, out // groups, inner, taps)
    y = np.zeros((*lead, groups, out // groups, length), x.dtype)
    for k in range(taps if length else 0):
        first = k * dilation
        y += w[..., k] @ x[..., first : first + stride * (length - 1) + 1 : stride]
    return y.reshape(*lead, out, length)


def overlap_add(
    x: Array,
    w: Array,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    E: Array | None = None,
) -> Array:
    """Stamp the kernel once per input sample, s apart, and add: ``y[o, ns + kd − p] += w[i, o, k] x[i, n]``.

    Computed phase by phase. With J = ⌈taps/s⌉ overlapping stamps, output ``ts + r`` collects

        y[o, ts + r] = Σ_j Σ_i w[i, o, js + r] x[i, t − j]           0 ≤ r < s, 0 ≤ j < J

        block of x   │ x[t]   │ ┐                       ┌ phase 0 ┐
        (in, time)   │ x[t−1] │ ├─ J delayed copies ──▶ │   ...   │ ──▶ interleaved
                     │  ...   │ ┘    (J·in, time)       └ phase s−1┘

    one matrix product per block of time, or of several short signals, so that memory is the output and one block.

    Eq. 1.4.

    Parameters
    ----------
    x : array (..., in, time)
    w : array (in, out/groups, taps)
        As ``torch.nn.ConvTranspose1d.weight``.
    E : array (groups, out/groups · s, in/groups · J), optional
        `phase_matrix` of these weights, if it is at hand.
    stride, padding, output_padding, dilation, groups : int
        s, p, samples more at the end, d, and groups of channels, as in Torch.

    Returns
    -------
    array (..., out, (time − 1)s − 2p + d(taps − 1) + output_padding + 1)

    Examples
    --------
    >>> overlap_add(np.array([[1, 10]]), np.array([[[1, 2, 3]]]), stride=2)
    array([[ 1,  2, 13, 20, 30]])
    """
    *lead, channels, time = x.shape
    fan_out, taps = w.shape[1], dilation * (w.shape[2] - 1) + 1
    length = _positive((time - 1) * stride - 2 * padding + taps + output_padding, time)
    delays = -(-taps // stride)
    x, E = align(x, phase_matrix(w, stride, dilation, groups) if E is None else E)
    x = x.reshape(math.prod(lead), groups, channels // groups, time)
    periods = -(-(padding + length) // stride)
    y = np.empty((len(x), groups, fan_out, periods, stride), x.dtype)
    columns = max(1, _BLOCK // sum(E.shape))
    items, step = max(1, columns // max(1, periods)), max(1, min(periods, columns))
    x = x.transpose(1, 2, 0, 3)
    for first, t in product(range(0, len(y), items), range(0, periods, step)):
        block, n = x[:, :, first : first + items], min(step, periods - t)
        phases = np.matmul(E, _past(block, t, n, delays)).reshape(groups, fan_out, stride, -1, n)
        y[first : first + items, :, :, t : t + n] = phases.transpose(3, 0, 1, 4, 2)
        del phases  # before the next block is there
    y = y.reshape(*lead, groups * fan_out, periods * stride)
    return y[..., padding : padding + length]


def _past(x: Array, t: int, n: int, delays: int) -> Array:
    """Return ``x[g, i, b, t + m − j]``, 0 ≤ m < n, as a matrix [g, (j, i), (b, m)]."""
    past = np.empty((x.shape[0], delays, *x.shape[1:3], n), x.dtype)
    for j in range(delays):
        _copy(x, t - j, past[:, j])
    return past.reshape(x.shape[0], delays * x.shape[1], -1)


def _copy(x: Array, start: int, out: Array) -> None:
    """Write samples ``start, start + 1, …`` of `x` into `out`, zeros where `x` is not defined."""
    first, last = (min(max(0, n - start), out.shape[-1]) for n in (0, x.shape[-1]))
    out[..., :first], out[..., last:] = 0, 0
    out[..., first:last] = x[..., start + first : start + last]


def phase_matrix(w: Array, stride: int, dilation: int, groups: int) -> Array:
    """Return E[g, (o, r), (j, i)] = w[g, i, o, js + r] of a kernel (in, out/groups, taps), zero beyond its last tap."""
    w = zero_stuff(w, dilation)
    inner, fan_out, taps = w.shape[0] // groups, *w.shape[1:]
    delays = -(-taps // stride)
    w = window(w, 0, delays * stride).reshape(groups, inner, fan_out, delays, stride)
    return np.ascontiguousarray(w.transpose(0, 2, 4, 3, 1)).reshape(groups, fan_out * stride, delays * inner)


def zero_stuff(w: Array, dilation: int) -> Array:
    """Put d − 1 zeros between the taps of a kernel: d(taps − 1) + 1 taps.

    Examples
    --------
    >>> zero_stuff(np.array([[[1, 2, 3]]]), 2)
    array([[[1, 0, 2, 0, 3]]])
    """
    if dilation == 1:
        return w
    stuffed = np.zeros((*w.shape[:-1], dilation * (w.shape[-1] - 1) + 1), w.dtype)
    stuffed[..., ::dilation] = w
    return stuffed


def widened(w: Array, pads: tuple[int, int], dilation: int) -> tuple[Array, int]:
    """Return a kernel with taps of 0 in front and behind, so that equal pads of max(pads, 0) do what these did.

    Examples
    --------
    >>> widened(np.array([[[1, 2]]]), (0, 1), 1), widened(np.array([[[1, 2]]]), (1, -1), 2)
    ((array([[[0, 1, 2]]]), 1), (array([[[1, 2, 0]]]), 2))
    """
    more = [max(*pads, 0) - p for p in pads]
    if any(n % dilation for n in more):
        w, dilation = zero_stuff(w, dilation), 1
    return np.pad(w, ((0, 0), (0, 0), (more[0] // dilation, more[1] // dilation))), dilation


def subpixel(
    x: Array,
    w: Array,
    L: int,
    *,
    pads: Pads = (0, 0),
    dilation: int = 1,
    groups: int = 1,
    border: str = "zeros",
    order: str = "crd",
) -> Array:
    """Convolve at the low rate to L times the channels, then interleave (W. Shi et al., CVPR 2016).

    ``y[c, tL + r] = Σ_i Σ_k w[cL + r, i, k] x̃[i, t + kd − p]``, w of shape (out·L, in/groups, taps); in the order
    "dcr" it is ``w[r·C + c, i, k]`` for C channels out.

    Eq. 3.1.

    Parameters
    ----------
    x : array (..., in, time)
    w : array (out·L, in/groups, taps)
    L : int
        Factor.
    pads : (left, right)
        Samples by which the border rule extends the input.
    dilation, groups : int
    border : {'zeros', 'reflect', 'replicate', 'circular'}
    order : {'crd', 'dcr'}
        Of the channels, as for `dspref.interleave`.

    Returns
    -------
    array (..., out, L·(time + left + right − d(taps − 1)))

    Examples
    --------
    >>> subpixel(np.array([[1, 10]]), np.array([[[1]], [[2]]]), 2)
    array([[ 1,  2, 10, 20]])
    """
    low = correlate(x, w, pads=pads, dilation=dilation, groups=groups, border=border)
    return interleave(low, L, order=order)


def nearest(x: Array, L: int) -> Array:
    """Repeat every sample L times: ``y[m] = x[⌊m/L⌋]``.

    Parameters
    ----------
    x : array (..., time)
    L : int
        Factor, at least 1.

    Returns
    -------
    array (..., L·time)

    Examples
    --------
    >>> nearest(np.array([[1, 2]]), 3)
    array([[1, 1, 1, 2, 2, 2]])
    """
    return np.repeat(x, L, axis=-1)


def linear(x: Array, L: int, *, align_corners: bool = False) -> Array:
    """Draw straight lines between samples: ``y[m] = (1 − λ) x[i] + λ x[i + 1]`` at position i + λ.

    The position of output m is ``(m + ½)/L − ½``, held at the borders (samples as areas, Torch's default),
    or ``m (time − 1)/(L·time − 1)`` if `align_corners` (samples as points). It is kept as an integer
    numerator over an integer denominator, so i is exact, and λ is as exact as the numbers of `x`.

    Eq. 3.6.

    Parameters
    ----------
    x : array (..., time)
    L : int
        Factor, at least 1.
    align_corners : bool
        Whether samples are points, the first and last of which stay where they are.

    Returns
    -------
    array (..., L·time)

    Examples
    --------
    >>> linear(np.array([[0.0, 1.0]]), 2)
    array([[0.  , 0.25, 0.75, 1.  ]])
    >>> linear(np.array([[0.0, 3.0]]), 2, align_corners=True)
    array([[0., 1., 2., 3.]])
    """
    time = x.shape[-1]
    if time == 0:
        return x.copy()
    i, part, by = line_positions(time, L, align_corners=align_corners)
    nearer, further = x[..., i], x[..., np.minimum(i + 1, time - 1)]
    if x.dtype.kind == "O":
        part = part.astype(object)
        return np.asarray((nearer * (by - part) + further * part) * Fraction(1, by))
    λ = (part / by).astype(joint_real(x))
    return np.asarray((1 - λ) * nearer + λ * further)


def line_positions(time: int, L: int, *, align_corners: bool) -> tuple[Array, Array, int]:
    """Return (i, part, by) for every output of `linear`, which stands at i + part/by.

    Examples
    --------
    >>> line_positions(2, 2, align_corners=False)
    (array([0, 0, 0, 1]), array([0, 1, 3, 0]), 4)
    """
    m = np.arange(L * time)
    over, by = (m * (time - 1), max(L * time - 1, 1)) if align_corners else (2 * m + 1 - L, 2 * L)
    over = np.clip(over, 0, (time - 1) * by)
    return over // by, over % by, by


def joint_real(x: Array) -> np.dtype[np.floating]:
    """Return the real float dtype of the precision of `x` (double for integers)."""
    return np.empty(0, x.dtype if x.dtype.kind in "fc" else float).real.dtype


def filter_interp(x: Array, h: Array, L: int, *, offset: int = 0, excess: int = 0) -> Array:
    """Stretch and filter, in polyphase form: each phase of `h` filters at the low rate, then interleave.

    ``y[m] = Σ_n h[m + offset − nL] x[n]``, 0 ≤ m < L·time + excess; h of shape (taps,) or (out, in, taps).

    Eq. 1.3.

    Parameters
    ----------
    x : array (..., in, time), or (..., time) if h has one axis
    h : array (out, in, taps), or (taps,) to filter every channel alike
    L : int
        Factor.
    offset, excess : int
        Output samples dropped first, and made beyond L·time.

    Returns
    -------
    array (..., out, L·time + excess), or (..., L·time + excess)

    Examples
    --------
    >>> filter_interp(np.array([[1, 10]]), np.array([1, 2, 1]), 2, offset=1)
    array([[ 2, 11, 20, 10]])
    """
    length = _positive(L * x.shape[-1] + excess, x.shape[-1])
    phases = [convolve(x, e) for e in _components(h, L)]
    y = np.stack(phases, axis=-1).reshape(*phases[0].shape[:-1], L * phases[0].shape[-1])
    return window(y, offset, length)


def _components(h: Array, L: int) -> list[Array]:
    split = polyphase(h, L)  # (..., channel·L, taps) with the phase the faster index
    shape = (*h.shape[:-1], L, split.shape[-1])
    return list(np.moveaxis(split.reshape(shape), -2, 0))


def _positive(length: int, time: int) -> int:
    """Return the output length, refusing an empty output unless the input was empty too."""
    if length > 0 or length == time == 0:
        return length
    hint = "feed more samples, pad less, or use a shorter kernel"
    raise ValueError(complaint(f"output length for {time} input samples", length, "at least 1", hint))
