"""The nearest taps that make no tone."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_integer, as_numbers, complaint, frozen


def tone_free(taps: ArrayLike, s: int, *, keep_gain: bool = False) -> Array:
    """Return the nearest taps, in the least-squares sense, whose s polyphase gains are equal.

    With g_r the sum and n_r the number of taps of phase r, ``h′[n] = h[n] + (G − g_r)/n_r`` for n ≡ r (mod s): to
    change a sum by d with n numbers costs least, d²/n, if each changes by d/n. The gain G that costs least is
    ``Σ_r (g_r/n_r) / Σ_r (1/n_r)``, which is the mean of the g_r where s divides the number of taps; this is the
    orthogonal projection. Symmetric taps stay symmetric.

    Eq. 2.9.

    Parameters
    ----------
    taps : array (..., taps)
        Integers become Fractions, and those and symbols are exact; floats keep their dtype.
    s : int
        Upsampling factor, at least 2.
    keep_gain : bool
        G is the mean of the g_r always, so that the sum of the taps stays: the nearest among those of the same gain.

    Returns
    -------
    array (..., taps)

    Raises
    ------
    NotAnalysable
        If there are fewer taps than s: some phases are empty, and only taps that pass no constant make no tone.

    Examples
    --------
    >>> tone_free([1, 1, 1], 2)
    array([Fraction(2, 3), Fraction(4, 3), Fraction(2, 3)], dtype=object)
    >>> tone_free([1, 1, 1], 2, keep_gain=True)
    array([Fraction(3, 4), Fraction(3, 2), Fraction(3, 4)], dtype=object)
    """
    h, s = as_numbers("taps", taps), as_integer("factor", s, 2)
    if h.ndim == 0 or h.size == 0:
        raise ValueError(complaint("taps", f"shape {h.shape}", "at least one tap"))
    if h.shape[-1] < s:
        got = f"{h.shape[-1]} taps for factor {s}, {s - h.shape[-1]} phases without a tap"
        raise NotAnalysable(complaint("tone-free taps", got, f"at least {s} taps", "an empty phase has gain 0"))
    if h.dtype.kind == "O" and 0 < sum(isinstance(v, (float, np.floating)) for v in h.flat) < h.size:
        raise TypeError(complaint("taps", "floats among exact numbers", "all exact or all floats", "use Fractions"))
    exact = _rational(h) if h.dtype.kind in "iuO" else h.astype(complex if h.dtype.kind == "c" else float)
    n = [len(range(r, h.shape[-1], s)) for r in range(s)]
    gains = [exact[..., r::s].sum(axis=-1) for r in range(s)]
    shares = [Fraction(1, s) if keep_gain else Fraction(1, n[r]) / sum(Fraction(1, m) for m in n) for r in range(s)]
    number: Callable[[Fraction], Any] = (lambda q: q) if exact.dtype == object else float
    G = sum(number(share) * gain for share, gain in zip(shares, gains, strict=True))
    for r in range(s):
        exact[..., r::s] += np.asarray((G - gains[r]) * number(Fraction(1, n[r])))[..., None]
    return frozen(exact if exact.dtype == object else exact.astype(h.dtype))


def _rational(h: Array) -> Array:
    """Return a copy whose integers are Fractions: an int over an int would be a float."""
    plain = (int, np.integer)
    return np.asarray(np.frompyfunc(lambda v: Fraction(int(v)) if isinstance(v, plain) else v, 1, 1)(h), object)
