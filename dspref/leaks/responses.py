"""What any upsampler of one signal makes of a constant and of an impulse, or a refusal that says why.

The upsampler is a function of an array (time,), known by its answers alone. It must be linear, and shift its output by
L when its input is shifted by one; what it does at the borders is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import Array, NotAnalysable, as_integer, complaint, value
from dspref.cyclotomic import fold

Upsampler: TypeAlias = Callable[[Array], Any]
"""A function of a signal (time,) to one of about L·time samples, (time′,) or (out, time′)."""


@value
class Responses:
    """The steady answers of an upsampler.

    Attributes
    ----------
    gains : array (out, L)
        To a constant 1, over one period: output m stands at m mod L.
    taps : array (out, taps), or None
        To an impulse; None if it does not end far from the borders, or is nothing.
    first : int
        Where the taps begin, counted from L times the place of the impulse.
    roundoff : float
        Amplitudes below ``roundoff · max abs(gains)`` may be rounding.
    """

    gains: Array
    taps: Array | None
    first: int
    roundoff: float


def responses(f: Upsampler, L: int, *, time: int = 1024, unit: float | None = None, seed: int = 0) -> Responses:
    """Ask an upsampler for its answers to a constant and to an impulse, and whether they say all.

    Noise must give the same again, sums the sum of the answers, and noise one sample later the same L samples later;
    the sums of the impulse's phases must be what the constant gives.

    Parameters
    ----------
    f : function of an array (time,)
        It is handed doubles of its own.
    L : int
        Factor, at least 2.
    time : int
        Samples of each signal; the middle third must be steady.
    unit : float, optional
        Unit roundoff of its arithmetic; by default that of its result's dtype.
    seed : int
        Of the noise.

    Raises
    ------
    NotAnalysable
        Not repeatable, a length other than L·time plus a constant, not linear, not L-periodic, not settled.
    ValueError
        If it raises, or returns what is no finite real signal.

    Examples
    --------
    >>> found = responses(lambda x: np.convolve(x.repeat(2), [1, 3]), 2)
    >>> found.gains, found.taps
    (array([[4., 4.]]), array([[1., 4., 3.]]))
    """
    L, T = as_integer("factor", L, 2), as_integer("time", time, 48, "the middle third is looked at")
    box = _Box(f, L, T, _unit(_answer(f, np.zeros(T))) if unit is None else unit)
    _check_lengths(box)
    noise = np.random.default_rng(seed).standard_normal((2, T))
    _check_linear(box, *noise)
    _check_periodic(box, noise[0])
    gains = _constant(box)
    first, taps = _impulse(box)
    if taps is not None:
        _check_one_answer(box, gains, first, taps)
    return Responses(gains, taps, first, _unsure(box, taps))


def _answer(f: Upsampler, x: Array) -> Array:
    """Return the answer as it is, of one or two axes."""
    try:
        y = np.asarray(f(x.copy()))
    except NotAnalysable:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {' '.join(str(error).split())}"
        hint = "functions of tensors, and modules: torchparity.leakage"
        raise NotAnalysable(
            complaint("upsampler", f"{words} for {x.shape}", "a function of an array (time,)", hint)
        ) from error
    if y.dtype.kind not in "iuf" or y.ndim not in (1, 2):
        got = f"an array of dtype {y.dtype}, shape {y.shape}"
        raise ValueError(complaint("result of the upsampler", got, "real numbers, one signal of shape (time,)"))
    if not np.isfinite(y).all():
        raise ValueError(complaint("result of the upsampler", "NaN or infinity", "finite numbers"))
    return y


def _unit(y: Array) -> float:
    """Return the unit roundoff of a result; that of doubles for integers, and for what doubles cannot hold."""
    return float(max(np.finfo(kind).eps for kind in (y.dtype if y.dtype.kind == "f" else float, float))) / 2


@dataclass(frozen=True)
class _Box:
    """The function, its factor, the length of signals, and the unit roundoff of its arithmetic."""

    f: Upsampler
    L: int
    T: int
    unit: float

    @property
    def middle(self) -> slice:
        """The outputs that are looked at: whole periods, far from the borders."""
        return slice(self.L * (self.T // 3), self.L * (2 * self.T // 3))

    def __call__(self, x: Array) -> Array:
        """Return the answer (out, time′)."""
        return np.atleast_2d(_answer(self.f, x)).astype(float)

    def tolerance(self, y: Array) -> float:
        """Return the rounding let pass, that of time terms: it is coarse, and only sorts out."""
        return 8 * self.T * self.unit * float(np.abs(y).max(initial=0))


def _refuse(what: str, got: str, hint: str) -> NotAnalysable:
    return NotAnalysable(f"{what}: " + complaint("upsampler", got, "a linear function, periodic in L", hint))


def _check_lengths(box: _Box) -> None:
    L, T = box.L, box.T
    found = {t: box(np.zeros(t)).shape for t in (T, T + 1, T + 7)}
    excess = found[T][-1] - L * T
    if any(shape != (*found[T][:-1], L * t + excess) for t, shape in found.items()) or abs(excess) > L * (T // 6):
        got = f"{', '.join(str(s[-1]) for s in found.values())} samples for {', '.join(map(str, found))}"
        raise _refuse("length", got, f"with factor {L}, each input sample more must give {L} more")


def _check_linear(box: _Box, a: Array, b: Array) -> None:
    answers = [box(x) for x in (a, a, b, a + b, -2 * a, 0 * a)]
    first, again, second, together, scaled, zero = answers
    allowed = box.tolerance(np.abs(first) + np.abs(second) + np.abs(zero))
    if np.abs(again - first).max() > allowed:
        raise _refuse(
            "not repeatable",
            f"two answers to one signal {np.abs(again - first).max():.3g} apart",
            "put it into evaluation mode",
        )
    if np.abs(zero).max() > allowed:
        raise _refuse("not linear", f"{np.abs(zero).max():.3g} for zeros", "hand over f(x) − f(0)")
    apart = max(np.abs(together - first - second).max(), np.abs(scaled + 2 * first).max())
    if apart > allowed:
        hint = "take the linear layers alone; of one that computes in float32 inside, say unit=2**-24"
        raise _refuse("not linear", f"f(a + b) off f(a) + f(b) by {apart:.3g}", hint)


def _check_periodic(box: _Box, noise: Array) -> None:
    """Noise in the middle third alone, so that no border matters where the answer ends before it."""
    third = box.T // 3
    x = np.where((np.arange(box.T) >= third) & (np.arange(box.T) < 2 * third), noise, 0)
    here, there = box(x), box(np.roll(x, 1))
    apart = np.abs(there[:, box.L :] - here[:, : -box.L])[:, box.middle].max()
    if apart > box.tolerance(here):
        got = f"an answer off by {apart:.3g}, {box.L} samples later, for noise one sample later"
        raise _refuse("not periodic", got, f"is the factor {box.L}, and the grid of positions fixed?")


def _constant(box: _Box) -> Array:
    """Return the gains; what is averaged is how far periods are from the first, since sums of equal numbers round."""
    y = box(np.ones(box.T))[:, box.middle]
    first = y[:, : box.L]
    gains = first + (y.reshape(len(y), -1, box.L) - first[:, None]).mean(axis=1)
    apart = np.abs(y - np.tile(gains, y.shape[-1] // box.L)).max()
    if apart > box.tolerance(y):
        raise _refuse(
            "not settled", f"a constant gives what changes by {apart:.3g} in the middle", "give a larger time="
        )
    return np.asarray(gains)


def _impulse(box: _Box) -> tuple[int, Array | None]:
    """Return the answer to an impulse, if it ends; numbers below the rounding of a long FFT are none."""
    place = box.T // 2
    x = np.zeros(box.T)
    x[place] = 1
    y = box(x)
    few = 8 * math.log2(y.shape[-1]) * box.unit
    used = np.flatnonzero((np.abs(y) > few * np.abs(y).max()).any(axis=0))
    edge = box.L * (box.T // 6)
    if not used.size or used[0] < edge or used[-1] >= y.shape[-1] - edge:
        return 0, None
    return int(used[0]) - box.L * place, y[:, used[0] : used[-1] + 1]


def _check_one_answer(box: _Box, gains: Array, first: int, taps: Array) -> None:
    """Phase sums and constant must be the same gains."""
    apart = np.abs(np.roll(fold(taps, box.L), first, axis=-1) - gains).max()
    if apart > box.tolerance(np.abs(taps).sum(axis=-1)):
        raise _refuse(
            "not linear", f"a constant off the sum of impulses by {apart:.3g}", "take the linear layers alone"
        )


def _unsure(box: _Box, taps: Array | None) -> float:
    """Return the relative rounding of a gain: as many terms as a phase has taps, or an FFT has steps if more."""
    if taps is None:
        return box.T * box.unit
    terms = max(-(-taps.shape[-1] // box.L), math.log2(box.L * box.T)) + 1
    return float(terms * box.unit * _overshoot(taps, box.L))


def _overshoot(taps: Array, L: int) -> float:
    """Return how many times larger a phase's sum of absolute values is than the largest gain."""
    largest = float(np.abs(fold(taps, L)).max())
    return float(fold(np.abs(taps), L).max()) / largest if largest else 1.0
