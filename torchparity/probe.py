"""From a black box to its normal form, by impulses, or a refusal that says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from torch import nn

from dspref.arrays import BORDERS, Array, align, as_choice, as_integer, value
from dspref.multirate import window
from dspref.stretchfilter import StretchFilter
from torchparity.box import Box, refuse
from torchparity.calls import WIDE, Run, alike, own_channels, own_dtype, private_copy

_WIDEST = 1 << 24  # numbers in one batch of impulses


@value
class Probe:
    """What impulses found: a normal form, and the offset that the box adds.

    Called on an array, it gives what the box would.

    Attributes
    ----------
    filter : StretchFilter
        Taps (out, in, taps), trimmed.
    bias_phases : array (out, L) or (out, 1), or None
        The response to zeros, one period of it.
    dtype : str
        The arithmetic in which the box was probed.
    """

    filter: StretchFilter
    bias_phases: Array | None
    dtype: str

    def __call__(self, x: ArrayLike) -> Array:
        """Return the output for a signal (..., in, time)."""
        y = self.filter(x)
        if self.bias_phases is None:
            return y
        y, b = align(y, self.bias_phases)
        return np.asarray(y + _repeated(b, y.shape[-1]))

    @property
    def normal(self) -> StretchFilter:
        """The filter, by the name that layers have for it."""
        return self.filter

    @property
    def factor(self) -> int:
        """L."""
        return self.filter.L


def probe(f: Run, *, channels: int | None = None, dtype: str | None = None, reach: int = 512, seed: int = 0) -> Probe:
    """Find the normal form of a black box by impulses.

    ``y[m] = Σ_n h[m + offset − nL] x̃[n] + b[m mod L]`` is taken as a hypothesis: L and excess come from
    the lengths of outputs, b from zeros, h from an impulse in every input channel far from the borders,
    and the border rule from noise. Then noise must come out as the hypothesis says, borders included.
    One call takes some ten runs of the box; an nn.Module is copied, put into evaluation mode, and run
    without gradients.

    Parameters
    ----------
    f : nn.Module, or function of a tensor (batch, channel, time)
    channels : int, optional
        Input channels; by default those of the first convolution of a module, else 1.
    dtype : {'float32', 'float64'}, optional
        By default that of the module's weights (of Torch, for a function). Taps are then exactly those
        of the box: nothing is rounded, offset or not.
    reach : int
        How many input samples on either side of an output are looked at.
    seed : int
        Of the noise.

    Returns
    -------
    Probe

    Raises
    ------
    NotAnalysable
        Says what the box is not: random output, not linear, length law not affine, offset not periodic,
        not L-periodic, support not finite, or an unknown border rule.

    Examples
    --------
    >>> found = probe(nn.Upsample(scale_factor=3))
    >>> found.filter.L, found.filter.h
    (3, array([[[1., 1., 1.]]], dtype=float32))
    """
    dtype = own_dtype(f) if dtype is None else as_choice("dtype", dtype, WIDE)
    run = private_copy(f, dtype) if isinstance(f, nn.Module) else f
    channels = as_integer("channels", own_channels(f, 1) if channels is None else channels, 1)
    reach = as_integer("reach", reach, 1)
    box = Box(run, channels, np.dtype(dtype), np.random.default_rng(seed))
    time = 2 * reach + 1
    _check_repeatable(box, time)
    _check_linear(box, time)
    L, excess = _length_law(box, time)
    offset_phases = _offset_phases(box, time, L)
    first, last = _support(box, reach, L, excess)
    _check_periodic(box, reach, L)
    half = max(-(-max(-first, last) // L), 0) + abs(excess) // L + 2
    h = _taps(box, half, L, first, last)
    found = trimmed(StretchFilter(L, h, offset=-first, excess=excess))
    bordered = _with_border(box, found, offset_phases, (time, time + 3))
    return Probe(bordered, offset_phases if offset_phases.any() else None, dtype)


def trimmed(u: StretchFilter, *, channels: int = 1, dtype: DTypeLike | None = None) -> StretchFilter:
    """Return the one canonical form among equal normal forms.

    No zero tap at either end, taps of shape (out, in, taps), and the border rule "zeros" where no tap
    reaches beyond the border; `settle` stays.

    Parameters
    ----------
    u : StretchFilter
    channels : int
        How many there are, where `u` filters every channel alike.
    dtype : dtype, optional
        Of the taps; by default their own.

    Examples
    --------
    >>> u = trimmed(StretchFilter(2, [0, 0, 1, 1, 0], offset=2, border="reflect"))
    >>> u.h, u.offset, u.border
    (array([[[1, 1]]]), 0, 'zeros')
    """
    h = u.h if u.h.ndim == 3 else np.eye(channels, dtype=int)[:, :, None].astype(u.h.dtype) * u.h
    h = h if dtype is None else h.astype(dtype)
    used = np.flatnonzero((h != 0).any(axis=(0, 1)))
    first, stop = (int(used[0]), int(used[-1]) + 1) if used.size else (u.offset, u.offset + 1)
    h, offset = window(h, first, stop - first), u.offset - first
    reaches = h.shape[-1] - 1 - offset >= u.L or u.excess - 1 + offset >= 0
    border = u.border if reaches and used.size else "zeros"
    return replace(u, h=h, offset=offset, border=border)


def _check_repeatable(box: Box, time: int) -> None:
    x = box.noise(time)
    if not alike(box(x), box(x), box.dtype):
        raise refuse("random output", "two answers to one input", "switch dropout and other randomness off")


def _length_law(box: Box, time: int) -> tuple[int, int]:
    """Return L and excess of M = L·T + excess."""
    times = [time, time + 1, time + 2, time + 7]
    lengths = [box(np.zeros((1, box.channels, t))).shape[-1] for t in times]
    L = lengths[1] - lengths[0]
    excess = lengths[0] - L * time
    if L < 1 or lengths != [L * t + excess for t in times]:
        got = ", ".join(f"{t} → {m}" for t, m in zip(times, lengths, strict=True))
        raise refuse("length law not affine", f"lengths {got}", "boxes that lower the rate have no normal form")
    return L, excess


def _repeated(period: Array, time: int) -> Array:
    """Return `time` samples of a periodic signal (..., period)."""
    return window(np.tile(period, -(-time // period.shape[-1])), 0, time)


def _offset_phases(box: Box, time: int, L: int) -> Array:
    """Return one period of the response to zeros: (out, L), or (out, 1) if it is constant."""
    y = box(np.zeros((1, box.channels, time)))[0]
    b = y[:, :L]
    if not np.array_equal(y, _repeated(b, y.shape[-1])):
        raise refuse("offset not periodic", "another response to zeros at the borders", "probe its layers one by one")
    return np.asarray(b[:, :1] if (b == b[:, :1]).all() else b)


def _check_linear(box: Box, time: int) -> None:
    a, b, zero = box.noise(time), box.noise(time), box(np.zeros((1, box.channels, time)))
    answers = [box(x) for x in (a, b, -2 * a, a + b)]
    if any(y.shape != zero.shape for y in answers):
        raise refuse("length law not affine", "outputs whose shape depends on the values of the input")
    *alone, together = (y - zero for y in answers)
    scale = np.abs(alone[0]) + np.abs(alone[1]) + np.abs(zero)
    apart = max(np.abs(together - alone[0] - alone[1]).max(), np.abs(alone[2] + 2 * alone[0]).max())
    if apart > box.tolerance(scale, time):
        raise refuse("not linear", f"f(a + b) off f(a) + f(b) by {apart:.3g}", "probe the linear layers one by one")


def _impulse(box: Box, time: int, place: int, heights: ArrayLike) -> Array:
    x = np.zeros((1, box.channels, time), box.dtype)
    x[0, :, place] = heights
    return x


def _support(box: Box, reach: int, L: int, excess: int) -> tuple[int, int]:
    """Return the first and the last output that an impulse touches, counted from L times its place."""
    heights = 1 + box.rng.random(box.channels)  # taps of two channels cancel with probability zero
    y = box.response(_impulse(box, 2 * reach + 1, reach, heights))[0]
    touched = np.flatnonzero(y.any(axis=0))
    if not touched.size:
        return 0, 0
    if touched[0] == 0 or touched[-1] == y.shape[-1] - 1:
        got = f"a response longer than {reach} input samples"
        raise refuse("support not finite", got, "give a larger reach=, if its memory is finite")
    return int(touched[0]) - L * reach, int(touched[-1]) - L * reach


def _check_periodic(box: Box, reach: int, L: int) -> None:
    heights, time = box.noise(1)[0, :, 0], 2 * reach + 2
    here, there = (box.response(_impulse(box, time, reach + shift, heights)) for shift in (0, 1))
    apart = np.abs(there[..., L:] - here[..., :-L]).max(initial=0)
    if apart > box.tolerance(here, time):
        got = f"an impulse one sample later, a response off by {apart:.3g} after {L} samples"
        raise refuse("not L-periodic", got)


def _taps(box: Box, half: int, L: int, first: int, last: int) -> Array:
    """Return h (out, in, taps): the response to an impulse in each channel, beyond every border's reach."""
    time, place = 4 * half + 1, 2 * half
    step = max(1, _WIDEST // (box.channels * time))
    found = []
    for start in range(0, box.channels, step):
        which = np.arange(start, min(start + step, box.channels))
        x = np.zeros((len(which), box.channels, time), box.dtype)
        x[np.arange(len(which)), which, place] = 1
        found.append(box.response(x)[..., L * place + first : L * place + last + 1])
    return np.concatenate(found).transpose(1, 0, 2)


def _with_border(box: Box, u: StretchFilter, b: Array, times: tuple[int, ...]) -> StretchFilter:
    """Return the filter with the border rule under which noise comes out as it should."""
    data = [(x := box.noise(time), box(x)) for time in times]
    apart: dict[str, float] = {}
    for border in BORDERS:
        bordered = replace(u, border=border)
        wrong = [y - bordered(x.astype(float)) - _repeated(b, y.shape[-1]) for x, y in data]
        if all(np.abs(e).max() <= box.tolerance(y, x.shape[-1]) for e, (x, y) in zip(wrong, data, strict=True)):
            return trimmed(bordered)
        apart[border] = max(
            float(np.abs(e[..., u.steady(x.shape[-1])]).max()) for e, (x, _) in zip(wrong, data, strict=True)
        )
    if min(apart.values()) > max(box.tolerance(y, x.shape[-1]) for x, y in data):
        got = f"noise off the sum of impulses by {min(apart.values()):.3g}, far from the borders"
        raise refuse("not L-periodic", got, "if its memory is only longer, give a larger reach=")
    hint = "probe its layers one by one: cropping between layers changes the samples at the ends"
    raise refuse("unknown border rule", f"ends that follow none of {', '.join(BORDERS)}", hint)
