"""The gain of a linear chain at exact frequencies, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.chain import Chain, Stage


def gains(chain: Chain, freqs: Iterable[Fraction]) -> Array:
    """Return ``G(ν) = H(ν)/S``, H the response of the collapsed chain, S its factor.

    A component ``a e^{j2πf₀n}`` of the input comes out as ``a G(ν) e^{j2πνm}`` at each of the S places ν with
    Sν ≡ f₀ (mod 1). By the noble identities ``G(ν) = Π G_i(ν s_{i+1}⋯s_n)``, which is taken from the first layer
    on, at the few frequencies that differ there: the taps are never convolved, and phases are exact.

    Eq. 4.1.

    Parameters
    ----------
    chain : Chain
        Of linear stages with known taps that keep or raise the rate; biases count for nothing.
    freqs : iterable of Fraction
        ν in cycles per output sample.

    Returns
    -------
    complex array (freqs, out, in), or (freqs,) where every channel is treated alike

    Examples
    --------
    >>> from dspref import Nearest
    >>> abs(gains(Chain([Nearest(2), Nearest(2)]), [Fraction(0), Fraction(1, 6)])).round(12).tolist()
    [1.0, 0.433012701892]
    """
    return _gains(chain.stages, tuple(freqs))


def _gains(stages: Sequence[Stage], freqs: Sequence[Fraction]) -> Array:
    if not stages:
        return np.ones(len(freqs), complex)
    u: Any = stages[-1].normal  # a StretchFilter, or a refusal
    folded = [freq * u.L % 1 for freq in freqs]
    distinct = sorted(set(folded))
    place = {freq: i for i, freq in enumerate(distinct)}
    before = _gains(stages[:-1], distinct)[[place[freq] for freq in folded]]
    return follow(u.response([float(freq % 1) for freq in freqs]) / u.L, before)


def follow(then: Array, first: Array) -> Array:
    """Return the gains of two systems in turn, (..., out, in) or (...), frequency by frequency.

    The leading axes of the gains are those of the one that treats every channel alike.

    Examples
    --------
    >>> follow(np.array([2.0, 3.0]), np.ones((2, 1, 2))).tolist()
    [[[2.0, 2.0]], [[3.0, 3.0]]]
    """
    if then.ndim == first.ndim:
        return then * first if then.ndim == 1 else then @ first
    return then[..., None, None] * first if then.ndim < first.ndim else then * first[..., None, None]
