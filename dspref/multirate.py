"""The few operations of multirate signal processing from which everything else is built.

All act on the last axis and on any numbers: floats, complex, integers, Fractions, SymPy symbols.
Terms as in P. P. Vaidyanathan, *Multirate Systems and Filter Banks*, 1993; `stretch` as in
J. O. Smith, *Mathematics of the DFT*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, align, as_choice, as_integer, as_numbers, as_taps, complaint

_NUMPY_PAD = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def stretch(x: ArrayLike, L: int) -> Array:
    """Insert L − 1 zeros after every sample (the expander ↑L).

    ``y[nL] = x[n]``, zero elsewhere; in the spectrum ``Y(ν) = X(Lν)``: L − 1 images at k/L.

    Eq. 1.1.

    Parameters
    ----------
    x : array (..., time)
    L : int
        Stretch factor, at least 1.

    Returns
    -------
    array (..., L·time), of the same dtype.

    Raises
    ------
    ValueError
        If L is below 1.

    Examples
    --------
    >>> stretch([1, 2, 3], 2)
    array([1, 0, 2, 0, 3, 0])
    """
    L, x = as_integer("stretch factor", L, 1), as_numbers("input", x)
    y = np.zeros((*x.shape[:-1], L * x.shape[-1]), x.dtype)
    y[..., ::L] = x
    return y


def decimate(x: ArrayLike, M: int, *, phase: int = 0) -> Array:
    """Keep every M-th sample, starting at `phase` (the decimator ↓M, with no filter before it).

    ``y[n] = x[nM + phase]``

    Parameters
    ----------
    x : array (..., time)
    M : int
        Samples out of which one is kept, at least 1.
    phase : int
        The first that is kept, at least 0.

    Returns
    -------
    array (..., ⌈(time − phase)/M⌉)
        A copy.

    Raises
    ------
    ValueError
        If M is below 1 or the phase below 0.

    Examples
    --------
    >>> decimate([0, 1, 2, 3, 4], 2, phase=1)
    array([1, 3])
    """
    M, phase = as_integer("decimation factor", M, 1), as_integer("phase", phase, 0)
    return as_numbers("input", x)[..., phase::M].copy()


def convolve(x: ArrayLike, h: ArrayLike) -> Array:
    """Convolve in full: ``y[o, t] = Σ_i Σ_k h[o, i, k] x[i, t − k]``, of time + taps − 1 samples.

    Parameters
    ----------
    x : array (..., time) if h has one axis, (..., in, time) if it has three
    h : array (taps,) or (out, in, taps)

    Returns
    -------
    array (..., time + taps − 1) or (..., out, time + taps − 1)

    Raises
    ------
    ValueError
        If the input has other channels than the taps' second axis.

    Examples
    --------
    >>> convolve([1, 2, 3], [1, 1])
    array([1, 3, 5, 3])
    """
    x, h = align(as_numbers("input", x), as_taps("taps", h, 1, 3))
    if h.ndim == 3 and (x.ndim < 2 or x.shape[-2] != h.shape[1]):
        raise ValueError(complaint("input", f"shape {x.shape}", f"(..., {h.shape[1]}, time), as the taps' second axis"))
    time, taps = x.shape[-1], h.shape[-1]
    lead = x.shape[:-1] if h.ndim == 1 else (*x.shape[:-2], h.shape[0])
    y = np.zeros((*lead, time + taps - 1), x.dtype)
    for k in range(taps):
        y[..., k : k + time] += h[k] * x if h.ndim == 1 else h[:, :, k] @ x
    return y


ORDERS = ("crd", "dcr")
"""Orders of the channels of a shuffle, in ONNX's words: channel, then phase (Torch); or phase, then channel."""


def polyphase(x: ArrayLike, L: int, *, order: str = "crd") -> Array:
    """Split into L polyphase components, side by side as channels: ``e[cL + r, n] = x[c, nL + r]``.

    The inverse of `interleave`, up to zeros that fill the last period.

    Parameters
    ----------
    x : array (..., channel, time), or (time,) for one channel
    L : int
    order : {'crd', 'dcr'}
        As of `interleave`: "dcr" puts component r of channel c of C at r·C + c.

    Returns
    -------
    array (..., channel·L, ⌈time/L⌉)

    Raises
    ------
    ValueError
        If L is below 1, or the order is unknown.

    Examples
    --------
    >>> polyphase([0, 1, 2, 3, 4], 2)
    array([[0, 2, 4],
           [1, 3, 0]])
    """
    L, x = as_integer("number of phases", L, 1), np.atleast_2d(as_numbers("input", x))
    as_choice("order", order, ORDERS)
    *lead, channels, time = x.shape
    periods = -(-time // L)
    filled = window(x, 0, periods * L).reshape(*lead, channels, periods, L)
    phases = filled.swapaxes(-1, -2) if order == "crd" else np.moveaxis(filled, -1, -3)
    return phases.reshape(*lead, channels * L, periods)


def interleave(x: ArrayLike, L: int, *, order: str = "crd") -> Array:
    """Interleave groups of L channels in time: ``y[c, nL + r] = x[cL + r, n]`` (periodic shuffle).

    The order of channels is that of ``torch.nn.PixelShuffle`` (W. Shi et al., CVPR 2016).

    Eq. 3.1.

    Parameters
    ----------
    x : array (..., channel·L, time)
    L : int
    order : {'crd', 'dcr'}
        Which channel is phase r of channel c of C: "crd" cL + r, "dcr" r·C + c. Both are words of ONNX's
        DepthToSpace, whose default is the second.

    Returns
    -------
    array (..., channel, time·L)

    Raises
    ------
    ValueError
        If L does not divide the channels, or the order is unknown.

    Examples
    --------
    >>> interleave([[0, 2, 4], [1, 3, 5]], 2)
    array([[0, 1, 2, 3, 4, 5]])
    >>> interleave([[1], [2], [3], [4]], 2, order="dcr")
    array([[1, 3],
           [2, 4]])
    """
    L, x = as_integer("number of phases", L, 1), as_numbers("input", x)
    as_choice("order", order, ORDERS)
    if x.ndim < 2 or x.shape[-2] % L:
        raise ValueError(complaint("input", f"shape {x.shape}", f"(..., channel·{L}, time)", "channels come in groups"))
    *lead, channels, time = x.shape
    C = channels // L
    if order == "crd":
        phases = x.reshape(*lead, C, L, time).swapaxes(-1, -2)
    else:
        phases = np.moveaxis(x.reshape(*lead, L, C, time), -3, -1)
    return phases.reshape(*lead, C, time * L)


periodic_shuffle = interleave


def extend(x: ArrayLike, left: int, right: int, *, border: str = "zeros") -> Array:
    """Extend in time by the border rule: `left` samples before, `right` after.

    Reflection needs ``time > max(left, right)``, circular extension ``time >= max(left, right)``, as in
    Torch: beyond that it would wrap more than once.

    Parameters
    ----------
    x : array (..., time)
    left, right : int
        Samples to add, at least 0.
    border : {'zeros', 'reflect', 'replicate', 'circular'}

    Returns
    -------
    array (..., left + time + right)

    Raises
    ------
    ValueError
        If the rule is unknown, or the signal is too short for it.

    Examples
    --------
    >>> extend([1, 2, 3], 2, 1, border="reflect")
    array([3, 2, 1, 2, 3, 2])
    """
    x, time = as_numbers("input", x), np.shape(x)[-1]
    left, right = as_integer("left extension", left, 0), as_integer("right extension", right, 0)
    mode = _NUMPY_PAD[as_choice("border", border, _NUMPY_PAD)]
    check_border(time, left, right, border)
    widths = [(0, 0)] * (x.ndim - 1) + [(left, right)]
    return np.asarray(np.pad(x, widths, mode=mode))  # type: ignore[call-overload]


def check_border(time: int, left: int, right: int, border: str) -> None:
    """Refuse signals too short for the border rule to reach so far."""
    least = {"zeros": 0, "reflect": max(left, right) + 1, "replicate": 1, "circular": max(left, right)}[border]
    if (left or right) and time < least:
        what = f"time samples for a {border} border of ({left}, {right})"
        raise ValueError(complaint(what, time, f"at least {least}", "feed more samples, or pad less"))


def window(x: Array, start: int, length: int) -> Array:
    """Return samples ``start … start + length − 1``, zero where `x` is not defined.

    Examples
    --------
    >>> window(np.array([1, 2, 3]), -1, 3)
    array([0, 1, 2])
    """
    first, last = max(start, 0), min(start + length, x.shape[-1])
    if (first, last) == (start, start + length):
        return x[..., first:last]
    y = np.zeros((*x.shape[:-1], length), x.dtype)
    if first < last:
        y[..., first - start : last - start] = x[..., first:last]
    return y
