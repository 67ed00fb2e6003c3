"""Nulls of a filter, the article's valleys: exact where taps are rational, to rounding elsewhere.

A rational polynomial H vanishes at a root of unity of order q if and only if the cyclotomic Φ_q divides it: then it
does so at every p/q with p prime to q. All its other zeros on the unit circle have irrational frequencies, or taps
that rounding has moved: they are found as roots of what is left when the Φ_q are divided out, where each root is
simple unless the taps themselves repeat it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from dspref import nulls as exact
from dspref.arrays import Array, NotAnalysable, as_complex, complaint
from dspref.chain import Chain
from dspref.cyclotomic import cyclotomic, quotient
from dspref.spectrum.operand import Linear, numeric_chain

MOST_ROOTS = 1024
"""Degree up to which roots are computed: a second or so."""


@dataclass(frozen=True)
class Null:
    """A frequency at which a filter passes nothing.

    Attributes
    ----------
    freq : Fraction or float
        Cycles per output sample: a Fraction where it is proved, a float where it is a null to rounding.
    order : int or None
        How often the zero is repeated: 1 for nearest neighbour, 2 for linear interpolation on the integer grid,
        3 at Nyquist for Torch's. None for a float.
    """

    freq: Fraction | float
    order: int | None

    @property
    def exact(self) -> bool:
        """Whether it is proved."""
        return isinstance(self.freq, Fraction)

    def hz(self, sr: Fraction | float) -> Fraction:
        """Return the frequency in Hz at the output rate `sr`: exactly, if it is exact."""
        return Fraction(self.freq) * Fraction(sr)


def nulls(u: Linear) -> tuple[Null, ...]:
    """Return all frequencies at which H vanishes, 0 … 1/2, in every pair of channels at once.

    Nearest neighbour by s: k/s. Linear on the integer grid: the same, each twice. Torch's linear with even s: the
    same, and Nyquist once more.

    Parameters
    ----------
    u : layer, StretchFilter, or Chain of linear layers

    Returns
    -------
    tuple of Null, by frequency
        For complex taps −1/2 … 1/2, and none of them is proved; nor are those of chains too large for it
        (`dspref.nulls.provable`). Two nulls closer than 10⁻⁶ of a bin, 1/taps, count as one.

    Raises
    ------
    ValueError
        If all taps are zero.
    NotAnalysable
        If more than `MOST_ROOTS` zeros are neither proved nor ruled out; and as for `response`.

    Examples
    --------
    >>> from dspref import FilterInterp, Linear, Nearest
    >>> [(str(n.freq), n.order) for n in nulls(Nearest(4))]
    [('1/4', 1), ('1/2', 1)]
    >>> [(str(n.freq), n.order) for n in nulls(Linear(2))]
    [('1/2', 3)]
    >>> [(round(n.freq, 6), n.exact) for n in nulls(FilterInterp(1, [3, 2, 3]))]
    [(0.304087, False)]
    """
    chain = numeric_chain(u)
    filters = [np.asarray(stage.normal.h) for stage in chain.stages]  # type: ignore[attr-defined]
    if any(h.ndim == 3 and h.shape[:2] != (1, 1) for h in filters):  # a product of matrices has zeros of its own
        return _one_sided(_nulls(chain), filters)
    found: list[Null] = []
    for place, stage in enumerate(chain.stages):
        m = math.prod(int(later.factor) for later in chain.stages[place + 1 :])
        found += [_at(null, k, m) for null in _nulls(Chain([stage])) for k in range(m)]
    return _one_sided(_merged(found, (1 + sum(h.shape[-1] for h in filters)) * chain.factor), filters)


def _at(null: Null, k: int, m: int) -> Null:
    """Return one of the m places at which later layers of factor m in all repeat a null: H(mν) = 0."""
    return replace(null, freq=_principal((null.freq + k) / m))


def _principal(freq: Fraction | float) -> Any:
    """Return a frequency modulo 1, in −1/2 … 1/2 with 1/2 alone."""
    return freq - math.ceil(freq - Fraction(1, 2)) if isinstance(freq, Fraction) else freq - math.ceil(freq - 0.5)


def _merged(found: Iterable[Null], bins: int) -> list[Null]:
    """Return the nulls of a product: orders add up, and floats closer than 10⁻⁶ of a bin are one."""
    orders: dict[Fraction, int] = {}
    for null in found:
        if isinstance(null.freq, Fraction):
            orders[null.freq] = orders.get(null.freq, 0) + (null.order or 0)
    floats = _apart((null.freq for null in found if not null.exact), 1e-6 / bins)
    return [Null(freq, order) for freq, order in orders.items()] + [Null(freq, None) for freq in floats]


def _apart(freqs: Iterable[Fraction | float], least: float) -> list[float]:
    ordered = sorted(float(freq) for freq in freqs)
    return [freq for i, freq in enumerate(ordered) if not i or freq - ordered[i - 1] > least]


def _one_sided(found: Iterable[Null], filters: Iterable[Array]) -> tuple[Null, ...]:
    """Return the nulls by frequency; of real taps, those from 0 to 1/2."""
    real = not any(np.iscomplexobj(h) for h in filters)
    return tuple(sorted((n for n in found if n.freq >= 0 or not real), key=lambda null: float(null.freq)))


def _nulls(chain: Chain) -> list[Null]:
    """Return the nulls of the collapsed chain on either side, −1/2 … 1/2."""
    proof = exact.provable(chain)
    h = (chain if proof is None else proof).collapse().h
    rows = _trimmed(h.reshape(-1, h.shape[-1]))
    is_null = partial(_vanishes_there, np.stack([_scaled(row) for row in rows]))
    orders = {} if proof is None else _orders(exact.whole(rows), is_null)
    proved = [Null(freq, m) for q, m in orders.items() for freq in _primitive(q)]
    rest = _quotient(exact.whole(rows)[0], orders) if orders else rows[0]
    found = [Null(freq, None) for freq in _on_circle(rest) if is_null(freq)]
    return proved + found


def _trimmed(rows: Array) -> Array:
    """Return the rows that are not zero, without the zeros that all of them begin and end with."""
    rows = rows[(rows != 0).any(axis=-1)]
    if not len(rows):
        raise ValueError(complaint("nulls", "taps that are all zero", "a filter that passes something"))
    used = np.flatnonzero((rows != 0).any(axis=0))
    return np.asarray(rows[:, used[0] : used[-1] + 1])


def _orders(rows: Array, is_null: Callable[[float], bool]) -> dict[int, int]:
    """Return how often Φ_q divides all rows of integers, for the q with which it does."""
    found: dict[int, int] = {}
    for q in _candidates(rows.shape[-1]):
        if is_null(1 / q) and (order := exact.multiplicity(rows, q)):  # what is no null to rounding is none
            found[q] = order
    return found


def _candidates(taps: int) -> list[int]:
    """Return the q whose Φ_q is no longer than the taps: φ(q) = ``Π (p − 1)p^(e − 1)``, its degree, is less."""
    degrees = {1: 1}
    for p in (n for n in range(2, taps + 1) if all(n % r for r in range(2, math.isqrt(n) + 1))):
        for q, degree in list(degrees.items()):
            q, degree = q * p, degree * (p - 1)
            while degree < taps:
                degrees[q] = degree
                q, degree = q * p, degree * p
    return sorted(q for q, degree in degrees.items() if degree < taps)


def _primitive(q: int) -> Iterable[Fraction]:
    """Return the p/q of one turn with p prime to q, within −1/2 … 1/2."""
    return [_principal(Fraction(p, q)) for p in range(q) if math.gcd(p, q) == 1]


def _quotient(row: Array, orders: dict[int, int]) -> Array:
    """Return a row of integers divided by every Φ_q as often as it goes."""
    rest = [int(v) for v in row]
    for q, order in orders.items():
        for _ in range(order):
            rest = quotient(rest, cyclotomic(q))
    return np.array(rest, object)


def _on_circle(rest: Array) -> list[float]:
    """Return the frequencies of the roots that may lie on the unit circle, polished, one of each."""
    if len(rest) - 1 > MOST_ROOTS:
        got, allowed = f"{len(rest)} taps that no exact null accounts for", f"at most {MOST_ROOTS + 1}"
        raise NotAnalysable(complaint("nulls", got, allowed, "ask for the nulls of one layer at a time"))
    h = _scaled(rest)
    roots = np.roots(h)  # zeros of Σ h[n] z^{−n}
    near = roots[np.abs(np.abs(roots) - 1) < 1e-3]
    polished = _apart((_polished(h, float(np.angle(root)) / (2 * np.pi)) for root in near), 1e-6 / len(h))
    if h.dtype.kind == "c":
        return polished
    positive = _apart((abs(freq) for freq in polished), 1e-6 / len(h))  # zeros of real taps come in pairs
    return positive + [-freq for freq in positive if freq not in (0.0, 0.5)]


def _scaled(rest: Array) -> Array:
    """Return taps as floats, the largest of them 1: integers may be too long for a float."""
    if rest.dtype != object:
        return np.asarray(rest / np.abs(rest).max())
    largest = max(abs(v) for v in rest)
    exactly_real = all(isinstance(v, (int, Fraction)) for v in rest)
    return np.array([float(Fraction(v, 1) / largest) for v in rest]) if exactly_real else as_complex("taps", rest)


def _polished(h: Array, freq: float) -> float:
    """Return the frequency nearby at which abs(H) is least, by Gauss-Newton steps along the circle."""
    n = np.arange(len(h))
    for _ in range(12):
        waves = h * np.exp(-2j * np.pi * freq * n)
        H, slope = waves.sum(), (-2j * np.pi * n * waves).sum()
        if slope == 0:
            break
        freq -= float((H * np.conj(slope)).real / abs(slope) ** 2)
    return float(_principal(freq))


def _vanishes_there(h: Array, freq: float) -> bool:
    """Return whether every row is zero at a frequency, up to the rounding of phases and sum: 12 taps u Σ abs(h)."""
    waves = np.exp(-2j * np.pi * freq * np.arange(h.shape[-1]))
    bound = 12 * h.shape[-1] * 2.0**-53 * np.abs(h).sum(axis=-1)
    return bool((np.abs(h @ waves) <= bound).all())
